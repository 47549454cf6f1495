"""The measurements of the engines' bars, at a small size: what they count is there, and they can fail."""

import subprocess

import pytest

from moo.benchmarks.claims import CLAIMS
from moo.benchmarks.perf import engines, faults
from moo.benchmarks.running.on_disk import cell_folder
from moo.benchmarks.running.runner import run
from moo.benchmarks.suites import cells
from moo.registry import resolve


def test_every_claim_has_its_measurement():
    for claim in CLAIMS["benchmarks"]:
        assert callable(resolve({claim.what: claim.measure}, claim.what, "claim"))


def test_short_cells_take_as_long_as_they_sleep(monkeypatch):
    monkeypatch.setattr(engines, "WORKERS", 1)
    (first, second) = engines.seconds_of("serial", 4, 2)
    assert 4 * engines.SECONDS <= min(first, second) < 10


def test_engines_over_their_limit_are_named(monkeypatch):
    monkeypatch.setattr(
        engines,
        "seconds_of",
        lambda engine, count, rounds: {"loky": [5.9, 5.7, 6.0], "dask": [6.5], "ray": [9.0]}[engine],
    )
    found = engines.short_cells(quick=False)
    assert not found.met
    assert found.shortfall == "loky 0.10 s, ray 2.50 s"
    assert found.median == "loky 5.90 s, dask 6.50 s, ray 9.00 s"


def test_a_poison_cell_that_is_not_the_only_one_to_crash_is_no_success(monkeypatch):
    monkeypatch.setattr(engines, "poisoned", lambda engine, count, folder: {"done": count - 2, "crashed": 2})
    assert not engines.poison(quick=True).met


def test_the_cells_that_are_looked_through_are_whole_and_all_there(tmp_path):
    suite = engines.copies(5, tmp_path)
    assert [status.state for status in run(suite, tmp_path / "out")] == ["kept"] * 5
    (cell_folder(cells(suite)[3], tmp_path / "out") / "state" / "tree.json").unlink()
    assert [status.state for status in run(suite, tmp_path / "out")].count("done") == 1


def test_looking_through_happens_in_a_process_of_its_own(tmp_path):
    found = engines.look_through(20, tmp_path)
    assert 0 < found["seconds"] < 20
    assert 5e7 < found["bytes"] < 2e9


@pytest.mark.parametrize(
    ("happened", "met"),
    [
        ({"kept": True, "named": True, "code": 0}, True),
        ({"kept": False, "named": True, "code": 0}, False),
        ({"kept": True, "named": False, "code": 0}, False),
        ({"kept": True, "named": True, "code": 1}, False),
        ({"kept": True, "named": True, "code": 0, "report": "another"}, False),
        ({"impossible": "not here"}, None),
    ],
    ids=str,
)
def test_a_scenario_that_goes_wrong_in_any_way_is_no_success(monkeypatch, happened, met):
    monkeypatch.setattr(faults, "SCENARIOS", {"one": lambda place, out: dict(happened)})
    monkeypatch.setattr(faults.Place, "again", lambda self, out, *flags: (0, ""))
    monkeypatch.setattr(faults.Place, "report", lambda self, out: "the same")
    assert faults.survive(quick=True).met is met


def test_waiting_for_a_process_that_has_ended_is_an_error():
    process = subprocess.Popen(["true"])
    process.wait()
    with pytest.raises(RuntimeError, match="nothing happened; exit code 0"):
        faults.wait(lambda: False, process)


@pytest.mark.slow
def test_the_scenarios_as_they_are():
    found = faults.survive(quick=True)
    assert found.met is not False, found.details
