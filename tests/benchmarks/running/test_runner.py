"""Running a suite: cells on disk are the truth, whatever kills the process, fills the disk or damages a file."""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import types
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from asserts import assert_same_results
from filelock import FileLock
from inputs import ToyVector

import moo
from moo.benchmarks import Suite, load_report, run
from moo.benchmarks.perf.faults import change
from moo.benchmarks.reports.rendering import render
from moo.benchmarks.running import one_cell
from moo.benchmarks.running import plans as plans_module
from moo.benchmarks.running.on_disk import Task, cell_folder, record_time
from moo.benchmarks.running.one_cell import Job, applicable
from moo.benchmarks.running.plans import claim, read_plans
from moo.benchmarks.suites import Cell, cells, find_suite
from moo.generators import GENERATORS
from moo.problems import PROBLEMS
from moo.registry import parse_spec

SMALL = Suite("small", ("zdt1:dim=3",), ("random:batch=20", "nsga2:population=20"), (0, 1), 60)
STATE = ("state/arrays.npz", "state/tensors.safetensors", "state/tree.json")
FILES = (
    "additions.npz",
    "cell.json",
    "failures.csv",
    "failures.npz",
    "finals.npz",
    "front.csv",
    "front.npz",
    "history.csv",
    "least_violating.npz",
    "record.json",
    *STATE,
)
OF_A_RUN = ("wall_seconds", "cpu_seconds", "machine")  # what two runs of a cell do not share
MOO = [sys.executable, "-m", "moo.cli"]


@pytest.fixture(autouse=True)
def _toy_problems(monkeypatch):
    """Register toy problems: specs such as `toy:fails=nan,fails_below=2` make them fail, be noisy or be constrained."""
    monkeypatch.setitem(PROBLEMS, "toy", "inputs:ToyVector")
    monkeypatch.setitem(PROBLEMS, "corridor", "inputs:ToyEnvironment")


@pytest.fixture
def faults(monkeypatch):
    """A module in which a test can register classes of its own: `faults:NAME`."""
    module = types.ModuleType("faults")
    monkeypatch.setitem(sys.modules, "faults", module)
    return module


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished small suite; tests copy it."""
    out = tmp_path_factory.mktemp("finished") / "small"
    assert [status.state for status in run(SMALL, out)] == ["done"] * 4
    return out


@pytest.fixture
def copied(finished, tmp_path):
    out = tmp_path / "small"
    shutil.copytree(finished, out)
    return out


def states(statuses):
    return [status.state for status in statuses]


def contents(folder):
    """Every file below a folder by its path, `record.json` without times and machine: what two runs should share.

    What a kill left half-written under a temporary name does not count.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".tmp":
            name = str(path.relative_to(folder))
            found[name] = path.read_bytes()
            if path.name == "record.json":
                found[name] = {key: value for key, value in json.loads(found[name]).items() if key not in OF_A_RUN}
    return found


def stamps(folder):
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def counted(monkeypatch):
    """Count the searches that the runner starts: a list that grows by (problem, method, seed)."""
    started, search = [], one_cell.pareto_search

    def counting(problem, method, **arguments):
        started.append((problem, method, arguments["seed"]))
        return search(problem, method, **arguments)

    monkeypatch.setattr(one_cell, "pareto_search", counting)
    return started


# --------------------------------------------------------------------------------------------------- stored and kept
def test_each_cell_is_a_saved_search(finished):
    for cell in cells(SMALL):
        folder = cell_folder(cell, finished)
        names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert names >= set(FILES)
        assert not any("checkpoint" in name or "tmp" in name for name in names)
        method, options = parse_spec(cell.method)
        direct = moo.pareto_search(
            cell.problem, method, budget=cell.budget, seed=cell.seed, options=options, progress=False
        )
        assert_same_results(moo.load_result(folder), direct)


def test_folders_bear_readable_names(finished):
    names = sorted(path.name for path in finished.glob("*-*") if path.is_dir())
    assert len(names) == 4
    assert all(name.startswith("zdt1_dim=3-") for name in names)


def test_statuses_stand_in_the_suites_order(tmp_path):
    order = []
    statuses = run(SMALL, tmp_path / "out", say=order.append)
    assert [status.cell for status in statuses] == cells(SMALL)
    assert order[0] == "4 cells: 4 to run, 0 on disk, 0 not applicable"
    assert [line[:5] for line in order[1:]] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    assert all(cell.label in line for cell, line in zip(cells(SMALL), order[1:], strict=True))


def test_a_cell_on_disk_is_not_run_again(copied, monkeypatch):
    started, before = counted(monkeypatch), stamps(copied)
    assert states(run(SMALL, copied)) == ["kept"] * 4
    assert started == []
    after = stamps(copied)
    assert {name for name in before if after[name] != before[name]} <= {str(copied / "suite.json")}
    assert set(before) == set(after)


def test_only_what_is_new_is_run(copied, monkeypatch):
    started = counted(monkeypatch)
    larger = replace(SMALL, seeds=(0, 1, 2), methods=(*SMALL.methods, "nsga2:population=30"))
    assert sorted(set(states(run(larger, copied)))) == ["done", "kept"]
    assert sorted(started) == [
        ("zdt1:dim=3", "nsga2", 0),
        ("zdt1:dim=3", "nsga2", 1),
        ("zdt1:dim=3", "nsga2", 2),
        ("zdt1:dim=3", "nsga2", 2),
        ("zdt1:dim=3", "random", 2),
    ]
    assert len(load_report(copied).results) == 9


def test_another_budget_is_another_cell(copied, monkeypatch):
    started = counted(monkeypatch)
    run(replace(SMALL, budget=80), copied)
    assert len(started) == 4
    assert sorted(result.config["budget"] for result in load_report(copied).results) == [60] * 4 + [80] * 4
    table = render(load_report(copied)).split("\n\n")[0].splitlines()
    assert [line.split()[2:4] for line in table[1:]] == [["60", "2"], ["60", "2"], ["80", "2"], ["80", "2"]]


def plans_of(folder):
    return json.loads((folder / "suite.json").read_text())["plans"]


@pytest.mark.parametrize(
    "narrow",
    [{"methods": SMALL.methods[1:]}, {"seeds": (1,)}, {"methods": SMALL.methods[::-1]}, {"seeds": (1, 0)}],
    ids=str,
)
def test_shorter_lists_in_the_same_folder_hide_nothing(finished, copied, narrow):
    assert set(states(run(replace(SMALL, **narrow), copied))) == {"kept"}
    assert len(load_report(copied).results) == 4
    assert render(load_report(copied)) == render(load_report(finished))
    assert contents(copied) == contents(finished)


def test_longer_lists_take_the_place_of_shorter_ones(copied):
    larger = replace(SMALL, seeds=(0, 1, 2))
    run(larger, copied)
    assert plans_of(copied) == [larger.to_json()]
    assert len(load_report(copied).results) == 6


def test_other_lists_in_the_same_folder_add_what_they_name_and_nothing_else(copied):
    other = replace(SMALL, problems=("zdt2:dim=3",), methods=SMALL.methods[:1], seeds=(5,))
    run(other, copied)
    assert plans_of(copied) == [SMALL.to_json(), other.to_json()]
    report = load_report(copied)
    assert len(report.results) == 5
    assert report.unfinished == []  # not every problem with every method and seed
    for suite in (SMALL, other, replace(SMALL, seeds=(0,))):
        assert set(states(run(suite, copied))) == {"kept"}
        assert plans_of(copied) == [SMALL.to_json(), other.to_json()]


def test_cells_of_several_calls_that_overlap_count_once(copied):
    run(replace(SMALL, seeds=(1, 2)), copied)
    assert len(plans_of(copied)) == 2
    results = load_report(copied).results
    assert len(results) == 6
    assert len({(result.config["method"], result.config["seed"]) for result in results}) == 6


def test_what_does_not_apply_stays_noted_for_all_calls(tmp_path):
    suite = Suite("odd", ("zdt1:dim=3",), ("toy-writer", "random"), (0,), 40)
    run(suite, tmp_path)
    run(replace(suite, methods=("random",)), tmp_path)
    assert "zdt1:dim=3 toy-writer" in json.loads((tmp_path / "suite.json").read_text())["not applicable"]
    assert any("toy-writer" in line for line in load_report(tmp_path).unfinished)


@pytest.mark.parametrize("plans", ["null", "[1]", '[{"problems": []}]', '{"problems": "zdt1"}'])
def test_a_mark_of_another_shape_is_damaged(copied, plans):
    (copied / "suite.json").write_text(f'{{"name": "small", "plans": {plans}}}')
    for read in (lambda: run(SMALL, copied), lambda: load_report(copied)):
        with pytest.raises(ValueError, match=r"suite\.json is damaged"):
            read()


def test_budgets_by_method_reach_the_searches(tmp_path):
    run(replace(SMALL, budget={"random": 40, "nsga2": 80}), tmp_path / "out")
    used = {result.config["method"]: result.record["used"] for result in load_report(tmp_path / "out").results}
    assert used == {"random": 40, "nsga2": 80}


def test_a_methods_tuner_reaches_the_search(tmp_path):
    suite = Suite("tuned", ("zdt1:dim=3",), ("toy-conditional:preferences=uniform,tries=4",), (0,), 40)
    assert states(run(suite, tmp_path / "out")) == ["done"]
    config = load_report(tmp_path / "out").results[0].config
    assert (config["preferences"], config["tuner"], config["options"]["tries"]) == ("uniform", "uniform", 4)


@pytest.mark.parametrize(
    "options", ["preferences=dirichlet(alpha=0.5),tries=4", "tries=4,preferences=dirichlet:alpha=0.5"]
)
def test_a_methods_tuner_has_options(tmp_path, options):
    suite = Suite("tuned", ("zdt1:dim=3",), (f"toy-conditional:{options}", "toy-conditional:tries=4"), (0,), 40)
    assert states(run(suite, tmp_path / "out")) == ["done"] * 2
    result = load_report(tmp_path / "out").results[0]
    assert (result.config["preferences"], result.config["tuner"]) == ("dirichlet:alpha=0.5", "dirichlet")
    direct = moo.pareto_search(
        "zdt1:dim=3",
        "toy-conditional",
        budget=40,
        preferences="dirichlet:alpha=0.5",
        options={"tries": 4},
        progress=False,
    )
    assert_same_results(result, direct)
    assert "toy-conditional:tries=4,preferences=dirichlet(alpha=0.5)" in render(load_report(tmp_path / "out"))
    assert states(run(suite, tmp_path / "out")) == ["kept"] * 2


def test_other_kinds_of_problem_run_as_cells(tmp_path):
    suite = Suite("corridors", ("corridor:slip=0.2",), ("random:batch=5,episodes=2",), (0, 1), 300)
    assert states(run(suite, tmp_path / "out")) == ["done"] * 2
    assert "corridor" in render(load_report(tmp_path / "out"))


# --------------------------------------------------------------------------------------------------- not applicable
def test_what_does_not_apply_is_never_run_and_says_why(tmp_path, monkeypatch):
    started, lines = counted(monkeypatch), []
    suite = Suite("odd", ("zdt1:dim=3",), ("toy-writer", "random:batch=20"), (0, 1), 40)
    out = tmp_path / "out"
    statuses = run(suite, out, say=lines.append)
    assert states(statuses) == ["not applicable"] * 2 + ["done"] * 2
    assert all("it takes text problems, this one is vector" in status.reason for status in statuses[:2])
    assert {method for _, method, _ in started} == {"random"}
    assert not any("toy-writer" in path.name for path in out.iterdir())
    assert states(run(suite, out)) == ["not applicable"] * 2 + ["kept"] * 2
    assert lines[0] == "4 cells: 2 to run, 0 on disk, 2 not applicable"


def test_the_plan_names_what_does_not_apply(tmp_path):
    lines = []
    run(Suite("odd", ("zdt1:dim=3",), ("toy-writer", "random"), (0,), 40), tmp_path / "out", say=lines.append)
    assert any("not applicable" in line and "toy-writer" in line and "text problems" in line for line in lines)


def test_the_table_names_what_does_not_apply(tmp_path):
    run(Suite("odd", ("zdt1:dim=3",), ("toy-writer", "random"), (0,), 40), tmp_path / "out")
    report = load_report(tmp_path / "out")
    assert len(report.results) == 1
    for form in ("table", "md"):
        assert "not applicable: zdt1:dim=3 toy-writer seed 0: it takes text problems" in render(report, form=form)


def test_the_json_names_what_does_not_apply(tmp_path):
    out = tmp_path / "out"
    run(Suite("odd", ("zdt1:dim=3",), ("toy-writer", "random"), (0,), 40), out)
    assert any("not applicable" in path.read_text() for path in out.rglob("*.json"))


@pytest.mark.parametrize(
    ("problem", "method", "why"),
    [
        ("zdt1", "toy-writer", "it takes text problems, this one is vector"),
        ("corridor", "nsga2", "it takes vector problems, this one is environment"),
        ("zdt1", "nsga2", ""),
        ("toy:constrained=true", "nsga2", ""),
    ],
)
def test_applicable_says_why_not(problem, method, why):
    assert applicable(Cell(problem, method, 0, 10)) == why


def test_declared_limits_are_read(faults, monkeypatch):
    from moo.generators.random_search import RandomSearch

    class Limited(RandomSearch):
        max_objectives, constraints, columns = 2, False, ("real",)

    faults.Limited = Limited
    monkeypatch.setitem(GENERATORS, "limited", "faults:Limited")
    reasons = {
        "toy": "",
        "toy:num_objectives=3": "at most 2 objectives, this problem has 3",
        "toy:constrained=true": "no constraints, this problem has 2",
        "toy:mixed=true": "real columns, not integer",
    }
    for problem, reason in reasons.items():
        found = applicable(Cell(problem, "limited", 0, 10))
        assert reason in found
        assert bool(found) == bool(reason)


# --------------------------------------------------------------------------------------------------- bad suites
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problems": ("zdt11",)}, "Unknown problem 'zdt11'. Did you mean 'zdt1'"),
        ({"problems": ("zdt1:dimension=3",)}, "Unknown option 'dimension' of zdt1"),
        ({"problems": ("zdt1:dim=0",)}, "`dim` should be at least 2"),
        ({"methods": ("nsga22",)}, "Unknown method 'nsga22'. Did you mean 'nsga2'"),
        ({"methods": ("nsga2:popsize=9",)}, "Unknown option 'popsize' of method 'nsga2'"),
        ({"methods": ("nsga2:population=1",)}, "`population` should be from 2"),
        ({"methods": ("nsga2:preferences=uniform",)}, "takes no preferences"),
        ({"methods": ("toy-conditional:preferences=nope",)}, "Unknown tuner 'nope'"),
        (
            {"methods": ("toy-conditional:preferences=dirichlet(alfa=1)",)},
            "option 'alfa' of tuner 'dirichlet'. Did you mean 'alpha'",
        ),
        ({"methods": ("toy-conditional:preferences=dirichlet(alpha=-1)",)}, "`alpha` should be from"),
        ({"methods": ("toy-conditional:preferences=dirichlet(alpha=1",)}, "Did you mean 'dirichlet'"),
        ({"budget": {"random": 10}}, "none for 'nsga2'"),
        ({"methods": ("random", "random")}, "twice|different"),
        ({"problems": ("zdt1", "zdt1: ")}, "twice|different"),
    ],
)
def test_what_is_unknown_is_refused_before_anything_is_written(tmp_path, changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        run(replace(SMALL, **changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("workers", "message"), [(0, "at least 1"), (-2, "at least 1"), ("two", "whole number")])
def test_workers_are_a_count(tmp_path, workers, message):
    with pytest.raises((ValueError, TypeError), match=f"`workers` should be .*{message}"):
        run(SMALL, tmp_path / "out", workers=workers)
    assert not (tmp_path / "out").exists()


# --------------------------------------------------------------------------------------------------- functions
LIBRARY = """
from __future__ import annotations
from dataclasses import dataclass
import os, time
from neighbour import SCALE

@dataclass
class Beam:
    width: float
    height: float

def beam(x):
    with open(os.environ.get("CALLS", os.devnull), "a") as file:
        file.write("x" * (1 if x.ndim == 1 else len(x)))
    made = Beam(*x)
    return [SCALE * made.width * made.height, 1 / (made.width * made.height**3)]

def fussy(x):
    if x[0] > 5:
        raise ArithmeticError("did not converge")
    return [x[0], -x[0] ** 2]

def hopeless(x):
    raise OSError("the licence server is down")

def slow(x):
    time.sleep(0.002)
    return beam(x)
"""
MINE = """
name: mine
problems:
  - zdt1:dim=3
  - {callable: "lib/my_file.py:beam", bounds: "1:10,1:20", directions: "min,min", name: beam, reference_point: "150,1"}
  - callable: lib/my_file.py:fussy
    bounds: [[0, 10]]
    directions: [min, max]
methods: ["random:batch=20", "nsga2:population=20"]
seeds: 1
budget: 60
"""


@pytest.fixture
def mine(tmp_path):
    """A suite's YAML file; its functions lie in a folder beside it, with a neighbour that they import."""
    (tmp_path / "suites" / "lib").mkdir(parents=True)
    (tmp_path / "suites" / "lib" / "my_file.py").write_text(LIBRARY)
    (tmp_path / "suites" / "lib" / "neighbour.py").write_text("SCALE = 1.5\n")
    (tmp_path / "suites" / "mine.yaml").write_text(MINE)
    yield tmp_path / "suites" / "mine.yaml"
    sys.modules.pop("neighbour", None)


def test_functions_run_as_cells(mine, tmp_path):
    assert states(run(str(mine), tmp_path / "out")) == ["done"] * 6
    prefixes = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "out").glob("*-*"))
    assert prefixes[:3] == [
        "beam-nsga2_population=20-0",
        "beam-random_batch=20-0",
        "lib_my_file.py_fussy-nsga2_population=20-0",
    ]
    report = load_report(tmp_path / "out")
    named = [result.config["problem"] for result in report.results]
    assert named == ["zdt1:dim=3"] * 2 + ["beam"] * 2 + ["lib/my_file.py:fussy"] * 2
    space, method = [(1, 10), (1, 20)], {"method": "nsga2", "options": {"population": 20}}
    direct = moo.pareto_search(
        find_suite(str(mine)).problems[1].problem(), **method, budget=60, reference_point=[150, 1], progress=False
    )
    assert_same_results(report.results[3], direct)
    assert report.results[3].config["space"] == moo.Space.of(space).to_json()
    table = render(report)
    assert "beam: reference point (150, 1), scaled by" in table
    assert "lib/my_file.py:fussy  nsga2:population=20" in table


def test_rows_of_a_function_that_fail_are_recorded(mine, tmp_path):
    run(str(mine), tmp_path / "out")
    result = load_report(tmp_path / "out").results[4]
    assert 0 < len(result.failures) == result.record["failures"] < 60
    assert set(result.failures.extras["reason"]) == {"ArithmeticError: did not converge"}
    assert result.solutions.max() <= 5


def test_a_function_that_always_fails_fails_its_cells_alone(mine, tmp_path):
    mine.write_text(MINE.replace("my_file.py:fussy", "my_file.py:hopeless"))
    statuses = run(str(mine), tmp_path / "out")
    assert states(statuses) == ["done"] * 4 + ["failed"] * 2
    assert "Every evaluation of 'lib/my_file.py:hopeless' fails" in statuses[-1].reason
    assert "the licence server is down" in statuses[-1].reason
    assert render(load_report(tmp_path / "out")).count("failed: lib/my_file.py:hopeless") == 2
    (mine.parent / "lib" / "my_file.py").write_text("def beam(x): pass\ndef hopeless(x): return [x[0], -x[0]]\n")
    assert states(run(str(mine), tmp_path / "out", retry_failed=True)) == ["kept"] * 4 + ["done"] * 2


@pytest.mark.parametrize("shared", [False, True], ids=["", "rows in processes too"])
def test_functions_in_two_workers_give_the_files_of_one(mine, tmp_path, monkeypatch, shared):
    mine.write_text(MINE.replace("name: beam", "name: beam, vectorized: false"))
    run(str(mine), tmp_path / "one")
    if shared:
        mine.write_text(MINE.replace("name: beam", "name: beam, vectorized: false, workers: 2"))
    monkeypatch.chdir(tmp_path / "one")  # paths hold wherever a process works
    assert states(run(str(mine), tmp_path / "two", workers=2)) == ["done"] * 6
    found = [contents(tmp_path / name) for name in ("one", "two")]
    marks = [json.loads(files.pop("suite.json")) for files in found]
    assert found[0] == found[1]
    assert (marks[0] == marks[1]) != shared


def test_cells_of_a_function_are_kept_wherever_the_suite_lies_and_whoever_shares_its_rows(mine, tmp_path, monkeypatch):
    run(str(mine), tmp_path / "out")
    started = counted(monkeypatch)
    moved = shutil.move(mine.parent, tmp_path / "elsewhere") / mine.name
    moved.write_text(moved.read_text().replace("name: beam", "name: beam, workers: 2"))
    assert states(run(str(moved), tmp_path / "out")) == ["kept"] * 6
    assert started == []
    assert not [path for path in (tmp_path / "out").rglob("*.json") if str(tmp_path) in path.read_text()]


def test_a_report_needs_no_function(mine, tmp_path):
    run(str(mine), tmp_path / "out")
    before = render(load_report(tmp_path / "out"))
    shutil.rmtree(mine.parent)
    assert render(load_report(tmp_path / "out")) == before


@pytest.mark.parametrize(
    ("old", "new"), [("1:20", "1:30"), ('"min,min"', '"max,min"'), ("name: beam", "name: beam, stochastic: true")]
)
def test_another_problem_of_the_same_name_is_refused(mine, tmp_path, old, new):
    # In one folder they would be reported as one problem.
    run(str(mine), tmp_path / "out")
    before = contents(tmp_path / "out")
    mine.write_text(MINE.replace(old, new))
    with pytest.raises(
        ValueError, match=r"out holds a problem 'beam' with other bounds, directions or options\. Give this"
    ):
        run(str(mine), tmp_path / "out")
    assert contents(tmp_path / "out") == before
    mine.write_text(MINE.replace(old, new).replace("name: beam", "name: broad"))
    assert states(run(str(mine), tmp_path / "out")).count("done") == 2
    assert len(load_report(tmp_path / "out").results) == 8


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "my_file.py:beam",
            "my_file.py:baem",
            "Unknown function 'baem' of lib/my_file.py. Did you mean 'beam'? Known: ",
        ),
        ("lib/my_file.py:beam", "my_file.py:beam", "There is no file 'my_file.py' in "),
        ("lib/my_file.py:beam", "lib/neighbour.py:beam", "Unknown function 'beam' of lib/neighbour.py. Known: none"),
    ],
)
def test_a_function_that_is_not_there_is_refused_before_anything_is_written(mine, tmp_path, old, new, message):
    mine.write_text(MINE.replace(old, new))
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        run(str(mine), tmp_path / "out")
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_function_in_a_killed_suite_is_called_no_more_often_than_was_paid(mine, tmp_path, monkeypatch):
    text = MINE.replace("my_file.py:beam", "my_file.py:slow").replace("name: beam", "name: beam, vectorized: false")
    mine.write_text(text.replace("  - zdt1:dim=3\n", "").replace("budget: 60", "budget: 1000"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    out = tmp_path / "out"
    process = start(mine, out, "-p", "beam", "-m", "random:batch=20")
    assert wait_for(lambda: any(path.stat().st_size > 9000 for path in out.glob("*/checkpoint/journal.npy")), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not list(out.glob("*/record.json"))
    narrow = replace(find_suite(str(mine)), methods=("random:batch=20",))
    narrow = replace(narrow, problems=narrow.problems[:1])
    assert states(run(narrow, out)) == ["done"]
    assert 1000 <= len((tmp_path / "calls").read_text()) <= 1000 + 20  # the batch in which it was killed
    monkeypatch.delenv("CALLS")
    run(narrow, tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


# --------------------------------------------------------------------------------------------------- failing cells
HOPELESS = "toy:fails=raise,fails_below=2"


def test_a_cell_that_fails_is_recorded_and_the_others_go_on(tmp_path, monkeypatch):
    started, lines = counted(monkeypatch), []
    suite = Suite("faulty", (HOPELESS, "zdt1:dim=3"), ("random:batch=10",), (0, 1), 60)
    out = tmp_path / "out"
    statuses = run(suite, out, say=lines.append)
    assert states(statuses) == ["failed", "failed", "done", "done"]
    for status in statuses[:2]:
        assert "RuntimeError: Every evaluation of 'toy-vector' fails" in status.reason
        assert "the simulator crashed" in status.reason
        record = json.loads((cell_folder(status.cell, out) / "record.json").read_text())
        assert record["status"] == "failed"
        assert record["reason"] == status.reason
        assert "Traceback (most recent call last)" in record["traceback"]
    assert sum("failed" in line and "the simulator crashed" in line for line in lines) == 2
    report = render(load_report(out))
    assert report.count("failed: toy:fails=raise") == 2
    assert "zdt1:dim=3" in report
    started.clear()
    again = run(suite, out)
    assert states(again) == ["failed", "failed", "kept", "kept"]
    assert started == []
    assert all("the simulator crashed" in status.reason and "record.json" in status.reason for status in again[:2])


def test_a_method_that_raises_fails_its_cells_alone(tmp_path, faults, monkeypatch):
    from moo.generators.random_search import RandomSearch

    class Broken(RandomSearch):
        def step(self, setting):
            if self._drawn >= 20:
                raise KeyError("a bug in the method")
            return super().step(setting)

    faults.Broken = Broken
    monkeypatch.setitem(GENERATORS, "broken", "faults:Broken")
    suite = Suite("faulty", ("zdt1:dim=3",), ("broken:batch=10", "random:batch=10"), (0, 1), 60)
    out = tmp_path / "out"
    statuses = run(suite, out)
    assert states(statuses) == ["failed", "failed", "done", "done"]
    record = json.loads((cell_folder(statuses[0].cell, out) / "record.json").read_text())
    assert record["reason"] == "KeyError: 'a bug in the method'"
    assert "in step" in record["traceback"]


def test_failed_cells_are_run_again_when_asked(tmp_path, faults, monkeypatch):
    class Repaired(ToyVector):
        broken = True

        def evaluate(self, solutions, generator=None):
            if Repaired.broken:
                raise OSError("the licence server is down")
            return super().evaluate(solutions, generator)

    faults.Repaired = Repaired
    monkeypatch.setitem(PROBLEMS, "repaired", "faults:Repaired")
    suite = Suite("faulty", ("repaired", "zdt1:dim=3"), ("random:batch=10",), (0,), 60)
    out = tmp_path / "out"
    assert states(run(suite, out)) == ["failed", "done"]
    Repaired.broken = False
    assert states(run(suite, out)) == ["failed", "kept"]
    started = counted(monkeypatch)
    assert states(run(suite, out, retry_failed=True)) == ["done", "kept"]
    assert len(started) == 1
    assert states(run(suite, out)) == ["kept", "kept"]
    direct = moo.pareto_search("repaired", "random", budget=60, options={"batch": 10}, progress=False)
    assert_same_results(moo.load_result(cell_folder(cells(suite)[0], out)), direct)


def test_failed_rows_do_not_fail_a_cell(tmp_path):
    suite = Suite("rows", ("toy:fails=flag,fails_below=0.4",), ("random:batch=20",), (0,), 60)
    assert states(run(suite, tmp_path / "out")) == ["done"]
    result = load_report(tmp_path / "out").results[0]
    assert 0 < result.record["failures"] == len(result.failures) < 60


def test_a_cell_without_anything_feasible_is_a_result(tmp_path):
    suite = Suite("infeasible", ("toy:infeasible=true",), ("random:batch=20", "nsga2:population=20"), (0,), 60)
    assert states(run(suite, tmp_path / "out")) == ["done", "done"]
    assert all(not result.feasible and len(result.least_violating) for result in load_report(tmp_path / "out").results)
    assert states(run(suite, tmp_path / "out")) == ["kept", "kept"]


# --------------------------------------------------------------------------------------------------- damaged files
def damage(path, how):
    if how == "gone":
        path.unlink()
    else:
        os.truncate(path, 0 if how == "empty" else path.stat().st_size // 2)


@pytest.mark.parametrize("how", ["half", "empty", "gone"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named_and_its_cell_is_run_again(finished, copied, monkeypatch, name, how):
    cell = cells(SMALL)[2]
    folder = cell_folder(cell, copied)
    damage(folder / name, how)
    started, lines = counted(monkeypatch), []
    statuses = run(SMALL, copied, say=lines.append)
    assert states(statuses) == ["kept", "kept", "done", "kept"]
    assert started == [("zdt1:dim=3", "nsga2", cell.seed)]
    assert contents(folder) == contents(cell_folder(cell, finished))
    for other in (0, 1, 3):
        assert contents(cell_folder(cells(SMALL)[other], copied)) == contents(
            cell_folder(cells(SMALL)[other], finished)
        )
    if (name, how) != ("record.json", "gone"):  # written last: a cell without it has merely not finished
        assert any(cell.label in line and Path(name).parts[0] in line for line in lines), lines


@pytest.mark.parametrize("text", ["{}", "null", "[]", "1"])
@pytest.mark.parametrize("name", ["record.json", "cell.json"])
def test_json_of_another_shape_counts_as_damage(copied, name, text):
    folder = cell_folder(cells(SMALL)[2], copied)
    (folder / name).write_text(text)
    lines = []
    assert states(run(SMALL, copied, say=lines.append)) == ["kept", "kept", "done", "kept"]
    assert any("is run again" in line and name in line for line in lines)


def test_a_cell_damaged_twice_is_run_twice(copied):
    folder = cell_folder(cells(SMALL)[0], copied)
    for _ in range(2):
        damage(folder / "front.npz", "half")
        assert states(run(SMALL, copied)) == ["done", "kept", "kept", "kept"]
    assert len(load_report(copied).results) == 4


def test_a_report_names_a_damaged_file(copied):
    damage(cell_folder(cells(SMALL)[1], copied) / "front.npz", "half")
    with pytest.raises(ValueError, match=r"front\.npz is damaged"):
        load_report(copied)


def test_a_damaged_checkpoint_is_named(tmp_path, finished):
    # An interrupted cell whose checkpoint was torn: named, and run again to the same result.
    out, cell = tmp_path / "small", cells(SMALL)[2]
    method, options = parse_spec(cell.method)
    stop = iter([False, True])
    arguments = {"budget": cell.budget, "seed": cell.seed, "options": options, "progress": False}
    folder = cell_folder(cell, out)
    moo.pareto_search(cell.problem, method, **arguments, checkpoint=folder, callback=lambda _: next(stop))
    shutil.copy(finished / "suite.json", out / "suite.json")
    damage(folder / "checkpoint" / "state" / "arrays.npz", "half")
    lines = []
    statuses = run(SMALL, out, say=lines.append)
    assert any("checkpoint" in line for line in lines), lines
    assert states(statuses) == ["done"] * 4
    assert contents(folder) == contents(cell_folder(cell, finished))


def test_the_advice_on_a_damaged_mark_works(copied):
    damage(copied / "suite.json", "half")
    with pytest.raises(ValueError, match=r"suite\.json is damaged .* Delete it and run again"):
        run(SMALL, copied)
    (copied / "suite.json").unlink()
    assert states(run(SMALL, copied)) == ["kept"] * 4


# --------------------------------------------------------------------------------------------------- other folders
def test_a_folder_with_other_data_is_refused_and_left_alone(tmp_path):
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter1.tex").write_text("Once upon a time")
    with pytest.raises(ValueError, match=r"thesis holds something else than a suite. Choose another folder"):
        run(SMALL, out)
    assert [path.name for path in out.iterdir()] == ["chapter1.tex"]


def test_a_saved_search_is_no_suites_folder(tmp_path):
    moo.pareto_search("zdt1:dim=3", "random", budget=20, progress=False).save(tmp_path / "one")
    with pytest.raises(ValueError, match="holds something else than a suite"):
        run(SMALL, tmp_path / "one")


def test_a_file_is_no_suites_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ValueError, match=r"`out` should be a folder.*out is a file"):
        run(SMALL, tmp_path / "out")


def test_another_suites_folder_is_refused_with_both_names(copied):
    before = contents(copied)
    with pytest.raises(ValueError, match=r"holds the suite 'small', not 'large'\. Choose another folder"):
        run(replace(SMALL, name="large"), copied)
    assert contents(copied) == before


def test_an_empty_folder_is_taken(tmp_path):
    assert states(run(replace(SMALL, seeds=(0,)), tmp_path)) == ["done"] * 2


def test_what_a_kill_at_the_first_write_leaves_does_not_block_the_folder(tmp_path):
    (tmp_path / ".suite.json.4711.tmp").write_text('{"na')
    assert states(run(replace(SMALL, seeds=(0,)), tmp_path)) == ["done"] * 2


def test_a_cell_that_another_process_runs_has_not_failed(tmp_path):
    out = tmp_path / "out"
    suite = replace(SMALL, seeds=(0,))
    busy = cell_folder(cells(suite)[0], out)
    (busy / "checkpoint").mkdir(parents=True)
    with FileLock(busy / "checkpoint" / ".lock"):
        run(suite, out)
        assert not (busy / "record.json").exists()
    assert "done" in states(run(suite, out))
    assert len(load_report(out).results) == 2


# --------------------------------------------------------------------------------------------------- interruptions
class Interrupting(ToyVector):
    """Presses Ctrl-C once, in its `at`-th call."""

    at, seen = 0, 0

    def evaluate(self, solutions, generator=None):
        Interrupting.seen += 1
        if Interrupting.seen == Interrupting.at:
            signal.raise_signal(signal.SIGINT)
        return super().evaluate(solutions, generator)


@pytest.mark.parametrize("at", [1, 4, 8])
def test_ctrl_c_stops_the_suite_and_a_rerun_finishes_it(tmp_path, faults, monkeypatch, at):
    faults.Interrupting = Interrupting
    monkeypatch.setitem(PROBLEMS, "toy", "faults:Interrupting")
    suite = Suite("ctrl", ("toy",), ("random:batch=20", "nsga2:population=20"), (0, 1), 60)
    monkeypatch.setattr(Interrupting, "at", 0)
    run(suite, tmp_path / "whole")
    monkeypatch.setattr(Interrupting, "at", Interrupting.seen + at)
    lines = []
    statuses = run(suite, tmp_path / "out", say=lines.append)
    assert states(statuses) == ["done"] * ((at - 1) // 3) + ["interrupted"]
    assert "run the same command to go on" in lines[-1]
    assert statuses[-1].cell.label in lines[-1]
    assert any(line.startswith("not run yet") for line in load_report(tmp_path / "out").unfinished)
    kept = len(statuses) - 1
    assert states(run(suite, tmp_path / "out")) == ["kept"] * kept + ["done"] * (4 - kept)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_ctrl_c_in_the_last_step_of_a_cell_stops_the_suite_too(tmp_path, faults, monkeypatch):
    faults.Interrupting = Interrupting
    monkeypatch.setitem(PROBLEMS, "toy", "faults:Interrupting")
    monkeypatch.setattr(Interrupting, "at", Interrupting.seen + 6)  # of two steps of 20 rows in each cell
    suite = Suite("ctrl", ("toy",), ("random:batch=20",), (0, 1, 2, 3, 4, 5), 40)
    started = counted(monkeypatch)
    run(suite, tmp_path / "out")
    assert len(started) == 3
    assert states(run(suite, tmp_path / "out")).count("done") >= 3


def start(suite_file, out, *options):
    return subprocess.Popen(
        [*MOO, "bench", str(suite_file), "--out", str(out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(condition, process):
    """Wait until something is on disk; False where the process ended before."""
    until = time.monotonic() + 60
    while not condition():
        if process.poll() is not None:
            return False
        assert time.monotonic() < until, "nothing happened in a minute"
        time.sleep(0.002)
    return True


def suite_file(tmp_path):
    path = tmp_path / "killed.yaml"
    path.write_text(
        'problems: ["zdt1:dim=5"]\nmethods: ["nsga2:population=20", "random:batch=20"]\nseeds: 2\nbudget: 1500\n'
    )
    return path


def test_a_suite_killed_at_several_moments_is_finished_by_running_it_again(tmp_path):
    path, out, whole, lines = suite_file(tmp_path), tmp_path / "out", tmp_path / "whole", []
    moments = {
        "in the first cell": lambda: list(out.glob("*/checkpoint/journal.npy")),
        "as a cell is saved": lambda: list(out.glob("*/additions.npz")),
        "after two cells": lambda: len(list(out.glob("*/record.json"))) >= 2,
    }
    kills = 0
    for moment in moments.values():
        process = start(path, out)
        if wait_for(moment, process):
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate()
    assert kills >= 2
    done = {record: record.stat().st_mtime_ns for record in out.glob("*/record.json")}
    assert states(run(str(path), out, say=lines.append)).count("kept") == len(done)
    assert lines[0].startswith(f"4 cells: {4 - len(done)} to run, {len(done)} on disk")
    assert {record: record.stat().st_mtime_ns for record in done} == done
    run(str(path), whole)
    assert render(load_report(out), form="csv") == render(load_report(whole), form="csv")
    for cell in cells(find_suite(str(path))):
        assert contents(cell_folder(cell, out)) == contents(cell_folder(cell, whole))


def test_a_kill_between_the_last_file_and_the_clearing_up_leaves_nothing_behind(copied):
    folder = cell_folder(cells(SMALL)[0], copied)
    (folder / "checkpoint" / "state").mkdir(parents=True)
    (folder / "checkpoint" / "journal.npy").write_bytes(b"")
    assert states(run(SMALL, copied)) == ["kept"] * 4
    assert not (folder / "checkpoint").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_in_a_terminal_ends_with_130_and_says_how_to_go_on(tmp_path, workers):
    path, out = suite_file(tmp_path), tmp_path / "out"
    process = start(path, out, "--workers", str(workers))
    assert wait_for(lambda: any(path.stat().st_size for path in out.glob("*/checkpoint/journal.npy")), process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in output + errors
    assert len(list(out.glob("*/record.json"))) < 4
    assert [status for status in run(str(path), out) if status.state not in ("kept", "done")] == []
    assert "run the same command to go on" in output + errors


def interrupted_import(*_):
    """What an import of compiled code does on Ctrl-C."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise ImportError("initialization failed") from None


def test_ctrl_c_that_a_library_turns_into_an_error_of_its_own_is_no_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(one_cell, "search", interrupted_import)
    assert states(run(SMALL, tmp_path)) == ["interrupted"]
    assert (
        Job(tmp_path, "a life")(
            Task(cells(SMALL)[0], record_time(cell_folder(cells(SMALL)[0], tmp_path)), "again")
        ).state
        == "interrupted"
    )
    assert not list(tmp_path.glob("*/record.json"))


def test_the_same_error_without_ctrl_c_is_a_failure(tmp_path, monkeypatch):
    def broken(*_):
        raise ImportError("initialization failed")

    monkeypatch.setattr(one_cell, "search", broken)
    assert states(run(SMALL, tmp_path)) == ["failed"] * 4
    assert (
        Job(tmp_path, "a life")(
            Task(cells(SMALL)[0], record_time(cell_folder(cells(SMALL)[0], tmp_path)), "again")
        ).state
        == "failed"
    )


# --------------------------------------------------------------------------------------------------- workers
def test_two_workers_give_the_files_of_one(finished, tmp_path):
    statuses = run(SMALL, tmp_path / "out", workers=2)
    assert [status.cell for status in statuses] == cells(SMALL)
    assert states(statuses) == ["done"] * 4
    assert contents(tmp_path / "out") == contents(finished)
    assert render(load_report(tmp_path / "out"), form="csv") == render(load_report(finished), form="csv")


def test_workers_write_where_the_caller_stands_now(tmp_path, monkeypatch):
    for name in ("first", "second"):  # the processes of the first call serve the second one too
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert states(run(SMALL, "out", workers=2)) == ["done"] * 4
        assert len(list((tmp_path / name).glob("out/*/record.json"))) == 4


# --------------------------------------------------------------------------------------------------- flags
def test_force_runs_finished_cells_again_from_their_start(finished, copied, monkeypatch):
    (cell_folder(cells(SMALL)[0], copied) / "a note").write_text("of before")
    started, before = counted(monkeypatch), stamps(copied)
    assert states(run(SMALL, copied, force=True)) == ["done"] * 4
    assert len(started) == 4
    assert contents(copied) == contents(finished)  # the note is gone, too
    records = [name for name in before if name.endswith("record.json")]
    assert all(stamps(copied)[name] != before[name] for name in records)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_all_shards_together_are_the_suite(tmp_path, finished, count):
    found = [run(SMALL, tmp_path, shard=f"{i}/{count}") for i in range(1, count + 1)]
    assert [len(part) for part in found] == [len(range(i, 4, count)) for i in range(count)]
    assert {status.state for part in found for status in part} == {"done"}
    assert contents(tmp_path) == contents(finished)


def test_a_shard_is_the_same_whatever_is_on_disk(copied):
    wanted = [status.cell for status in run(SMALL, copied, shard="2/2")]
    shutil.rmtree(cell_folder(cells(SMALL)[0], copied))
    assert [status.cell for status in run(SMALL, copied, shard="2/2")] == wanted == cells(SMALL)[1::2]


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1/0", "1", "a/b", "1/2/3", "-1/2", ""])
def test_what_is_no_shard_is_refused(tmp_path, shard):
    with pytest.raises(ValueError, match=r"`shard` should be i/n with i from 1 to n, as in 2/5. Found"):
        run(SMALL, tmp_path / "out", shard=shard)
    assert not (tmp_path / "out").exists()


def test_plans_that_two_programs_write_at_once_are_joined(tmp_path, monkeypatch):
    def slowly(out):
        found = read_plans(out)
        time.sleep(0.02)  # in which another program could write
        return found

    monkeypatch.setattr(plans_module, "read_plans", slowly)
    suites = [replace(SMALL, seeds=(seed,)) for seed in range(8)]
    threads = [threading.Thread(target=claim, args=(tmp_path / "out", suite, ())) for suite in suites]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(plan["seeds"] for plan in plans_of(tmp_path / "out")) == [[seed] for seed in range(8)]


def test_a_mark_that_another_program_writes_while_the_folder_is_looked_at_is_seen(tmp_path, monkeypatch):
    out = tmp_path / "out"
    looked = plans_module._alien

    def slowly(place, suite):
        monkeypatch.setattr(plans_module, "_alien", looked)
        claim(place, replace(SMALL, seeds=(1,)), ())  # the other program, between two looks at the folder
        return looked(place, suite)

    out.mkdir()
    monkeypatch.setattr(plans_module, "_alien", slowly)
    claim(out, replace(SMALL, seeds=(0,)), ())
    assert sorted(plan["seeds"] for plan in plans_of(out)) == [[0], [1]]


def test_another_suite_that_marks_the_folder_first_is_not_joined(tmp_path, monkeypatch):
    out = tmp_path / "out"
    lock = plans_module.FileLock

    def late(*args, **options):
        monkeypatch.setattr(plans_module, "FileLock", lock)
        claim(out, replace(SMALL, name="another"), ())  # the other program, before the lock is ours
        return lock(*args, **options)

    monkeypatch.setattr(plans_module, "FileLock", late)
    with pytest.raises(ValueError, match="holds the suite 'another'"):
        claim(out, SMALL, ())
    assert [plan["seeds"] for plan in plans_of(out)] == [list(SMALL.seeds)]


def test_cells_of_before_sizes_were_recorded_are_read_back(copied):
    for cell in cells(SMALL):
        path = cell_folder(cell, copied) / "record.json"
        record = json.loads(path.read_text())
        del record["files"], record["machine"]
        path.write_text(json.dumps(record))
    assert states(run(SMALL, copied)) == ["kept"] * 4
    front = cell_folder(cells(SMALL)[1], copied) / "front.npz"
    front.write_bytes(front.read_bytes()[:-4] + b"torn")  # as large as before
    assert states(run(SMALL, copied)) == ["kept", "done", "kept", "kept"]


def test_contents_that_change_at_the_same_size_are_named_by_the_report(copied):
    change(cell_folder(cells(SMALL)[1], copied) / "front.npz", "objectives.npy")
    assert states(run(SMALL, copied)) == ["kept"] * 4
    with pytest.raises(ValueError, match=r"front\.npz is damaged"):
        render(load_report(copied))


def test_crashed_cells_are_run_again_only_when_asked(copied, finished):
    cell = cells(SMALL)[0]
    folder = cell_folder(cell, copied)
    shutil.rmtree(folder)
    Job(copied, "a life").quarantine(Task(cell), "SIGKILL")
    statuses = run(SMALL, copied)
    assert states(statuses) == ["crashed", "kept", "kept", "kept"]
    assert "SIGKILL" in statuses[0].reason
    assert any(line.startswith(f"crashed: {cell.label}") for line in load_report(copied).unfinished)
    assert states(run(SMALL, copied, retry_failed=True)) == ["done", "kept", "kept", "kept"]
    assert contents(copied) == contents(finished)


def test_a_program_that_is_killed_takes_its_workers_along(tmp_path):
    path, out = suite_file(tmp_path), tmp_path / "out"
    process = start(path, out, "--workers", "2")
    assert wait_for(lambda: list(out.glob("*/checkpoint/journal.npy")), process)
    process.kill()  # it alone, not its group
    process.communicate()
    statuses = run(str(path), out)
    assert {status.state for status in statuses} <= {"done", "kept"}, statuses


# --------------------------------------------------------------------------------------------------- a full disk
@contextlib.contextmanager
def no_file_larger_than(size):
    """Writing beyond `size` bytes of any file fails, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [600, 2_000, 4_000, 6_000, 8_000, 12_000])
def test_a_full_disk_names_the_file_and_earlier_cells_stay_whole(tmp_path, size):
    out, suite = tmp_path / "out", Suite("full", ("zdt1:dim=5",), ("nsga2:population=20",), (0,), 400)
    run(suite, out)
    first, larger = cell_folder(cells(suite)[0], out), replace(suite, seeds=(0, 1))
    before = contents(first)
    with no_file_larger_than(size):
        try:
            message = run(larger, out)[1].reason
        except OSError as error:  # where not even the failure can be written down
            message = str(error)
    assert "File too large" in message
    assert str(out) in message
    assert "None" not in message
    assert contents(first) == before
    assert states(run(larger, out, retry_failed=True)) == ["kept", "done"]


def test_a_job_never_raises(tmp_path):
    status = Job(tmp_path, "a life")(Task(Cell("zdt1:dim=3", "nsga2:population=1", 0, 20)))
    assert status.state == "failed"
    assert "`population` should be from 2" in status.reason


def test_the_callers_threads_are_as_before(tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run(replace(SMALL, seeds=(0,), budget=20), tmp_path / "out")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
