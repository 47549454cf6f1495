"""Peers are found by name from moo.benchmarks, never counted among our methods, and need no package to be read of."""

import importlib
import subprocess
import sys

import pytest
from inputs import ToyVector

import moo
from moo.base import PROBLEM_KINDS
from moo.benchmarks import find_suite, run
from moo.benchmarks.peers import PEERS, lacking, library
from moo.benchmarks.reports.loading import load_report
from moo.benchmarks.reports.scores import method_label
from moo.benchmarks.suites import Suite
from moo.choosing import choose_method, find_method
from moo.generators import ENROLLED, GENERATORS
from moo.metered import metered
from moo.options import resolve_options
from moo.registry import summary


def test_names_of_peers_and_of_our_methods_are_apart():
    assert not set(PEERS) & set(GENERATORS)
    assert {name: ENROLLED[name] for name in PEERS} == PEERS
    assert choose_method("auto", moo.get_problem("zdt1"), 20)[0] in GENERATORS


@pytest.mark.parametrize("name", PEERS)
def test_what_a_peer_takes_is_declared(name):
    kind = find_method(name)
    assert set(kind.kinds) <= set(PROBLEM_KINDS)
    assert kind.requires
    assert summary(PEERS[name]).endswith(".")
    assert all(option.help for option in kind.options.values())
    assert resolve_options(kind.options, {key: option.default for key, option in kind.options.items()}, name)


def test_nothing_of_theirs_is_imported_before_it_is_used():
    theirs = "('ax', 'optuna', 'morl_baselines', 'mo_gymnasium', 'wandb')"
    code = (
        "import sys; from moo.choosing import find_method; from moo.generators import ENROLLED; assert not ENROLLED; "
        "from moo.benchmarks.running.one_cell import applicable; "
        "assert all(find_method(name).requires for name in ENROLLED) and ENROLLED; "
        f"print([name for name in {theirs} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_without_the_benchmarks_a_peer_is_an_unknown_method(monkeypatch):
    monkeypatch.delitem(ENROLLED, "ax")
    with pytest.raises(ValueError, match="Unknown method 'ax'"):
        find_method("ax")


@pytest.fixture
def _without_ax(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == "ax" else find(name, *more))
    monkeypatch.setitem(sys.modules, "ax", None)
    for name in [name for name in sys.modules if name.startswith("ax.")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("_without_ax")
def test_a_peer_that_is_not_installed_is_left_out_with_what_to_type(tmp_path):
    said = []
    suite = Suite("few", ("zdt1:dim=3",), ("random", "ax"), (0,), 10)
    statuses = run(suite, tmp_path, say=said.append)
    assert [status.state for status in statuses] == ["done", "not applicable"]
    assert any("ax: it needs ax-platform, not installed here: pip install 'moo-suite[peers]'" in line for line in said)
    report = load_report(tmp_path)
    assert len(report.searches) == 1
    assert report.unfinished == ["not run yet: zdt1:dim=3 ax seed 0"]


@pytest.mark.usefixtures("_without_ax")
def test_asked_for_alone_it_says_what_to_type_too():
    with pytest.raises(ImportError, match=r"Peer 'ax' needs ax: pip install 'moo-suite\[peers\]'"):
        moo.pareto_search(ToyVector(), "ax", budget=10, progress=False)
    with pytest.raises(ImportError, match="Peer 'ax' needs ax"):
        library("ax.api.client", "ax")
    assert "ax-platform" in lacking(find_method("ax"))
    assert lacking(find_method("nsga2")) == ""


@pytest.mark.usefixtures("_without_ax")
def test_reports_of_its_runs_need_no_package():
    config = {"method": "ax", "options": {"initial_points": 7}, "preferences": "auto"}
    assert method_label(config) == "ax:initial_points=7"


def test_problems_that_a_peer_does_not_take_are_refused():
    for name, problem in (("capql", "deep-sea-treasure"), ("ax", "deep-sea-treasure"), ("gpi-ls", "zdt1")):
        with pytest.raises(ValueError, match=f"Method '{name}' does not fit '{problem}': it takes .* Methods that do:"):
            moo.pareto_search(problem, name, budget=10, progress=False)


def test_a_suite_runs_a_peer_beside_ours(tmp_path):
    pytest.importorskip("optuna")
    suite = Suite("both", ("zdt1:dim=3",), ("random", "optuna-tpe"), (0, 1), 12)
    assert [status.state for status in run(suite, tmp_path)] == ["done"] * 4
    used = [search.record["used"] for search in load_report(tmp_path).searches]
    assert used == [12] * 4


@pytest.mark.parametrize("name", ["mobo-peers", "cmorl-peers"])
def test_suites_of_peers_have_ours_beside_them_on_the_same_problems(name):
    suite = find_suite(name)
    methods = {method.partition(":")[0] for method in suite.methods}
    assert methods & set(PEERS)
    assert methods & {"bayesian", "c-morl"}
    assert suite.problems == find_suite({"mobo-peers": "mobo", "cmorl-peers": "cmorl-discrete"}[name]).problems
    assert metered(moo.get_problem(suite.problems[0]), 1, 0).kind in find_method(next(iter(methods & set(PEERS)))).kinds
