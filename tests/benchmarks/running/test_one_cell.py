"""One cell in one process, whatever others do meanwhile: who holds the lock runs it, and only what was asked for."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading

import pytest
from killing import ONE, contents, suite_of

from moo.benchmarks import run
from moo.benchmarks.running import one_cell
from moo.benchmarks.running.machine import git_state
from moo.benchmarks.running.on_disk import Task, alone, cell_folder, marker, record_time
from moo.benchmarks.running.one_cell import Job
from moo.benchmarks.suites import Cell, cells

CELL = Cell("zdt1:dim=3", "random:batch=20", 0, 60)


@pytest.fixture
def searches(monkeypatch):
    """The searches that were started, a list that grows."""
    started, search = [], one_cell.search

    def counting(cell, *arguments):
        started.append(cell)
        return search(cell, *arguments)

    monkeypatch.setattr(one_cell, "search", counting)
    return started


def record_of(out, cell=CELL):
    return json.loads((cell_folder(cell, out) / "record.json").read_text())


def test_a_cell_that_another_process_has_finished_since_is_not_run_again(tmp_path, searches):
    assert Job(tmp_path, "one")(Task(CELL)).state == "done"
    status = Job(tmp_path, "another")(Task(CELL))
    assert (status.state, status.reason) == ("kept", "another process has run it meanwhile")
    assert searches == [CELL]


def test_a_status_that_was_lost_is_that_of_the_first_start(tmp_path, searches):
    assert [Job(tmp_path, "one")(Task(CELL)).state for _ in range(2)] == ["done", "done"]
    assert searches == [CELL]


def test_what_another_process_has_run_again_since_is_not_run_a_third_time(tmp_path, searches):
    Job(tmp_path, "one")(Task(CELL))
    before = record_time(cell_folder(CELL, tmp_path))
    tasks = [Task(CELL, before, "again")] * 2  # as two calls with --force find it
    assert [Job(tmp_path, life)(task).state for life, task in zip(("two", "three"), tasks, strict=True)] == [
        "done",
        "kept",
    ]
    assert len(searches) == 2


def test_a_failure_that_another_process_has_repeated_is_told(tmp_path):
    cell = Cell("zdt1:dim=3", "nsga2:population=1", 0, 20)
    Job(tmp_path, "one")(Task(cell))
    status = Job(tmp_path, "two")(Task(cell))
    assert status.state == "failed"
    assert "`population` should be from 2" in status.reason


def test_a_cell_whose_lock_is_held_is_busy_and_left_alone(tmp_path, searches):
    with alone(CELL, tmp_path) as held:
        assert held
        found = []
        thread = threading.Thread(target=lambda: found.append(Job(tmp_path, "one")(Task(CELL))))
        thread.start()
        thread.join()
    assert (found[0].state, found[0].reason) == ("busy", "another process runs it")
    assert searches == []
    assert Job(tmp_path, "one")(Task(CELL)).state == "done"


def test_locks_and_markers_go_when_a_cell_has_ended(tmp_path):
    Job(tmp_path, "one")(Task(CELL))
    Job(tmp_path, "one")(Task(Cell("zdt1:dim=3", "nsga2:population=1", 0, 20)))
    assert list((tmp_path / ".running").iterdir()) == []


def begun(out, cell, life, starts):
    place = marker(cell, out)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(
        json.dumps({"label": cell.label, "host": "h", "pid": 1, "since": 0, "life": life, "starts": starts})
    )


@pytest.mark.parametrize(
    ("life", "starts", "state"),
    [("this", 1, "done"), ("this", 2, "crashed"), ("this", 3, "crashed"), ("an earlier one", 2, "done")],
)
def test_the_third_start_of_one_call_quarantines(tmp_path, searches, life, starts, state):
    begun(tmp_path, CELL, life, starts)
    assert Job(tmp_path, "this")(Task(CELL)).state == state
    assert len(searches) == (state == "done")
    assert not marker(CELL, tmp_path).exists()
    if state == "crashed":
        assert record_of(tmp_path)["reason"].startswith(f"its worker died in each of {starts} starts")


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_torn_marker_counts_as_none(tmp_path, text):
    place = marker(CELL, tmp_path)
    place.parent.mkdir(parents=True)
    place.write_text(text)
    assert Job(tmp_path, "this")(Task(CELL)).state == "done"


def test_a_job_survives_a_disk_on_which_nothing_can_be_written(tmp_path, monkeypatch):
    def full(path, value):
        raise OSError(28, "could not be written: No space left on device", str(path))

    monkeypatch.setattr(one_cell, "write_json", full)
    status = Job(tmp_path, "this")(Task(CELL))
    assert status.state == "failed"
    assert "No space left on device" in status.reason
    assert "nothing could be written down" in status.reason


# ------------------------------------------------------------------------------------------------ what is stored
def test_a_record_says_where_its_cell_ran(tmp_path):
    Job(tmp_path, "this", git={"commit": "abc", "dirty": True})(Task(CELL))
    said = record_of(tmp_path)["machine"]
    assert said["git"] == {"commit": "abc", "dirty": True}
    assert (said["device"], said["cores"], said["torch_threads"], said["run"]) == ("cpu", os.cpu_count(), 1, "this")
    assert {"host", "system", "omp_num_threads"} <= set(said)


def test_a_failed_cell_says_it_too(tmp_path):
    cell = Cell("zdt1:dim=3", "nsga2:population=1", 0, 20)
    Job(tmp_path, "this")(Task(cell))
    assert record_of(tmp_path, cell)["machine"]["host"]


def test_a_record_holds_the_size_of_every_file(tmp_path):
    Job(tmp_path, "this")(Task(CELL))
    folder = cell_folder(CELL, tmp_path)
    sizes = record_of(tmp_path)["files"]
    assert sizes == {name: (folder / name).stat().st_size for name in sizes}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == {*sizes, "record.json"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_state_of_a_repository_is_read(tmp_path):
    def git(*arguments):
        about = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *about, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    assert git_state(tmp_path) is None
    git("init")
    assert git_state(tmp_path) is None  # without a commit
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "first")
    clean = {"commit": git("rev-parse", "HEAD").strip(), "dirty": False}
    assert git_state(tmp_path) == clean
    (tmp_path / "another").write_text("not tracked")
    assert git_state(tmp_path) == clean
    (tmp_path / "file").write_text("2")
    assert git_state(tmp_path) == {**clean, "dirty": True}


def test_no_git_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) is None
    assert git_state(tmp_path / "nowhere") is None


# ------------------------------------------------------------------------------------------------ time limits
def test_a_cell_stops_when_its_time_is_up_and_goes_on_with_more_of_it(tmp_path):
    suite = suite_of(tmp_path, "slow", **ONE, budget=100, plain=False)  # a second, in steps of .2
    out, whole = tmp_path / "out", tmp_path / "whole"
    (status,) = run(suite, out, timeout=0.3)
    assert status.state == "timed out"
    assert "of the step" not in status.reason
    assert "being given 0.3 s" in status.reason
    paid = (tmp_path / "calls").stat().st_size
    assert 20 <= paid < 100
    (again,) = run(suite, out, timeout=0.3)
    assert again.state == "timed out"
    assert (tmp_path / "calls").stat().st_size == paid
    (longer,) = run(suite, out, timeout=0.5)
    assert longer.state in ("timed out", "done")
    (status,) = run(suite, out)
    assert status.state == "done"
    assert (tmp_path / "calls").stat().st_size == 100  # nothing is paid for twice
    run(suite, whole)
    assert contents(out) == contents(whole)


def test_a_cell_that_is_in_time_is_as_without_a_limit(tmp_path):
    suite = suite_of(tmp_path, **ONE)
    run(suite, tmp_path / "one")
    run(suite, tmp_path / "two", timeout=1000)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_is_positive(tmp_path, timeout):
    with pytest.raises(ValueError, match="`timeout` should be above 0 and finite, in seconds"):
        run("smoke", tmp_path / "out", timeout=timeout)
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------------------------------------ two programs at once
def test_two_programs_on_one_folder_run_each_cell_once(tmp_path):
    suite = suite_of(tmp_path, "slow", methods=("nsga2:population=20",), seeds=(0, 1, 2, 3), budget=40, plain=False)
    said = json.dumps({"problems": [problem.to_json() for problem in suite.problems]})
    code = (
        "import json, sys; from moo.benchmarks import Suite, run\n"
        "from moo.adapters.file_functions import CallableSpec\n"
        f"problems = tuple(json.loads({said!r})['problems'])\n"
        f"suite = Suite('killing', problems, {suite.methods!r}, {suite.seeds!r}, {suite.budget!r})\n"
        f"print(json.dumps([status.state for status in run(suite, {str(tmp_path / 'out')!r})]))"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    states = [json.loads(process.communicate()[0]) for process in both]
    assert all(set(found) <= {"done", "kept", "busy"} for found in states), states
    assert sum(found.count("done") for found in states) == 4
    assert (tmp_path / "calls").stat().st_size == 4 * 40
    assert [status.state for status in run(suite, tmp_path / "out")] == ["kept"] * 4


def test_cells_in_which_a_program_was_killed_are_named(tmp_path):
    suite = suite_of(tmp_path, **ONE)
    begun(tmp_path / "out", cells(suite)[0], "an earlier one", 1)
    (tmp_path / "out" / "suite.json").write_text(json.dumps({"name": "killing", "plans": [suite.to_json()]}))
    lines = []
    run(suite, tmp_path / "out", say=lines.append)
    assert "cut short before, and goes on: zdt1:dim=3 nsga2:population=20 seed 0 (process 1 on h)" in lines


def test_cells_that_run_elsewhere_are_not_taken_for_killed(tmp_path):
    suite = suite_of(tmp_path, **ONE)
    begun(tmp_path / "out", cells(suite)[0], "another one", 1)
    (tmp_path / "out" / "suite.json").write_text(json.dumps({"name": "killing", "plans": [suite.to_json()]}))
    lines = []
    with alone(cells(suite)[0], tmp_path / "out"), contextlib.suppress(RuntimeError):
        statuses = run(suite, tmp_path / "out", say=lines.append)
    assert [status.state for status in statuses] == ["busy"]
    assert not any("cut short" in line for line in lines)
