"""The flags of `moo bench` as one types them; what a suite says and draws stands in test_cli.py."""

import importlib.util
import json

import pytest
from inputs import ToyVector
from killing import suite_of
from typer.testing import CliRunner

from moo.benchmarks.running.conduct import Conduct
from moo.cli import app
from moo.cli.bench import read_devices, read_seeds
from moo.problems import PROBLEMS

SMALL = ("bench", "smoke", "-p", "zdt1:dim=3", "-m", "random:batch=50", "-o", "x")


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(PROBLEMS, "toy", f"{ToyVector.__module__}:ToyVector")


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


# ------------------------------------------------------------------------------------------------ what flags stand for
@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        (None, None),
        ("3", 3),
        ("0", 0),  # refused later, as a count
        ("1000-1003", [1000, 1001, 1002, 1003]),
        ("3,5,8", [3, 5, 8]),
        ("7, 1-2", [7, 1, 2]),
        ("4-4", [4]),
    ],
)
def test_seeds_are_a_count_a_range_or_a_list(text, seeds):
    assert read_seeds(text) == seeds


@pytest.mark.parametrize("text", ["a", "3-1", "1,", "1..3", "", "1--2"])
def test_what_is_no_seeds_is_refused(text):
    found = call(*SMALL, "--seeds", text)
    assert found.exit_code == 2
    assert "`seeds` should be a count, a range as in 0-9, or a list as in 3,5,8." in found.stderr


@pytest.mark.parametrize("said", ["2e3", "2000"])
def test_a_budget_stands_instead_of_the_suites(said):
    assert " 300 " in call(*SMALL, "--dry-run").stdout
    shown = call(*SMALL, "--dry-run", "--budget", said).stdout
    assert " 2,000 " in shown
    assert " 300 " not in shown
    refused = call(*SMALL, "--budget", "0")
    assert (refused.exit_code, refused.stderr.strip()) == (2, "Error: `budget` should be at least 1. Found 0.")


def test_a_seed_that_stands_twice_is_refused():
    found = call(*SMALL, "--seeds", "1,0-2")
    assert found.exit_code == 2
    assert "different seeds" in found.stderr


@pytest.mark.parametrize(
    ("said", "devices"),
    [
        ([], "auto"),
        (["cuda"], {"*": "cuda"}),
        (["mogfn=cuda", "c-morl=cuda"], {"*": "cpu", "mogfn": "cuda", "c-morl": "cuda"}),
        (["auto", "mogfn=cpu"], {"*": "auto", "mogfn": "cpu"}),
    ],
)
def test_devices_are_for_all_or_by_method(said, devices):
    assert read_devices(said) == devices
    Conduct(device=devices)


def test_two_devices_for_all_are_refused():
    found = call(*SMALL, "--device", "cpu", "--device", "cuda")
    assert found.exit_code == 2
    assert "`device` should be said once for all methods" in found.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--backend", "locky"], "Unknown backend 'locky'. Did you mean 'loky'?"),
        (["--shard", "3/2"], "`shard` should be i/n"),
        (["--timeout", "0"], "`timeout` should be above 0"),
        (["--device", "gpu"], "Unknown device 'gpu'"),
        (["--gpus", "0"], "`gpus` should be at least 1"),
        (["--per-gpu", "0"], "`per_gpu` should be at least 1"),
        (["--backend", "serial", "-w", "2"], '`workers` should be 1 with backend "serial"'),
    ],
)
def test_bad_flags_are_named_before_anything_is_written(tmp_path, flags, message):
    found = call(*SMALL, *flags)
    assert found.exit_code == 2
    assert message in found.stderr
    assert not (tmp_path / "x").exists()


def test_a_missing_extra_is_said_without_a_traceback(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    found = call(*SMALL, "--backend", "ray")
    assert found.exit_code == 1
    assert found.stderr == "Error: Backend 'ray' needs ray: pip install \"moo-suite[ray]\".\n"


# ------------------------------------------------------------------------------------------------ what flags do
def test_a_dry_run_says_what_would_be_run_and_does_nothing(tmp_path):
    found = call(*SMALL, "--seeds", "2", "--dry-run")
    assert found.exit_code == 0
    assert found.stdout.splitlines()[-1].startswith("2 cells: 2 to run, 0 on disk; unknown for 2")
    assert not (tmp_path / "x").exists()
    assert call(*SMALL, "--seeds", "2").exit_code == 0
    assert "2 cells: 0 to run, 2 on disk. Nothing was run." in call(*SMALL, "--seeds", "2", "--dry-run").stdout
    assert "about " in call(*SMALL, "--seeds", "0-3", "--dry-run", "--force").stdout


def test_shards_and_force_reach_the_runner(tmp_path):
    assert "2 cells: 2 to run" in call(*SMALL, "--seeds", "4", "--shard", "2/2").stderr
    assert len(list((tmp_path / "x").glob("*/record.json"))) == 2
    assert "4 cells: 4 to run" in call(*SMALL, "--seeds", "4", "--force").stderr
    assert json.loads((tmp_path / "x" / "suite.json").read_text())["plans"][0]["seeds"] == [0, 1, 2, 3]


def test_a_cell_that_is_timed_out_gives_exit_code_1_and_says_how_to_go_on(tmp_path):
    suite = suite_of(tmp_path, "slow", methods=("random:batch=10",), seeds=(0,), budget=60, plain=False)
    (spec,) = suite.problems
    about = {"problems": [spec.to_json()], "methods": list(suite.methods), "seeds": 1, "budget": suite.budget}
    (tmp_path / "mine.yaml").write_text(json.dumps(about))
    found = call("bench", "mine.yaml", "--timeout", "0.15")
    assert found.exit_code == 1
    assert found.stderr.splitlines()[-1].startswith("timed out: slow random:batch=10 seed 0: stopped after 0.")
    assert "with a longer --timeout goes on" in found.stderr
    assert call("bench", "mine.yaml").exit_code == 0
