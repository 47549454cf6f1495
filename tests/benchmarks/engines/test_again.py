"""The retry loop against engines of a few lines that lose what a test says they lose."""

from types import SimpleNamespace

import pytest

from moo.benchmarks.engines.again import WorkerDiedError, until_all_have_ended
from moo.benchmarks.running.on_disk import Status, Task
from moo.benchmarks.suites import Cell

TASKS = [Task(Cell("zdt1", "random", seed, 10)) for seed in range(6)]


class Disk(SimpleNamespace):
    """What a job knows: starts by seed, and the seeds that have a record."""

    def __init__(self):
        super().__init__(begun={}, records={}, calls=[])

    def starts(self, task):
        return 0 if task.cell.seed in self.records else self.begun.get(task.cell.seed, 0)

    def ended(self, task):
        return self.records.get(task.cell.seed)

    def quarantine(self, task, died=""):
        return self.keep(task, "crashed", died)

    def keep(self, task, state="done", reason=""):
        self.records[task.cell.seed] = Status(task.cell, state, reason)
        return self.records[task.cell.seed]

    def begin(self, task):
        self.begun[task.cell.seed] = self.begun.get(task.cell.seed, 0) + 1


def engine(disk, *, kills=lambda seed, start: False, silent=(), workers=2):
    """Runs cells in pairs, as two workers do; where one dies, its neighbour is lost with it."""

    def stream(tasks):
        disk.calls.append([task.cell.seed for task in tasks])
        for i in range(0, len(tasks), workers):
            pair = tasks[i : i + workers]
            for task in pair:
                disk.begin(task)
            if any(kills(task.cell.seed, disk.begun[task.cell.seed]) for task in pair):
                raise WorkerDiedError("it was killed")
            for task in pair:
                status = disk.keep(task)
                if task.cell.seed not in silent:
                    yield status

    return stream


def ended(disk, stream, tasks=TASKS):
    statuses = list(until_all_have_ended(tasks, disk, stream))
    assert len({status.cell for status in statuses}) == len(statuses) == len(tasks)
    return {status.cell.seed: status.state for status in statuses}


def test_without_deaths_the_engine_is_called_once():
    disk = Disk()
    assert ended(disk, engine(disk)) == dict.fromkeys(range(6), "done")
    assert disk.calls == [[0, 1, 2, 3, 4, 5]]


def test_a_death_costs_what_was_in_flight_alone_and_that_runs_one_at_a_time():
    disk = Disk()
    assert ended(disk, engine(disk, kills=lambda seed, start: seed == 2 and start == 1)) == dict.fromkeys(
        range(6), "done"
    )
    assert disk.calls == [[0, 1, 2, 3, 4, 5], [2], [3], [4, 5]]


def test_a_cell_that_always_kills_is_quarantined_after_two_starts_and_its_neighbours_are_not():
    disk = Disk()
    states = ended(disk, engine(disk, kills=lambda seed, start: seed == 2))
    assert states == {**dict.fromkeys(range(6), "done"), 2: "crashed"}
    assert disk.begun[2] == 2
    assert disk.begun[3] == 2
    assert disk.records[2].reason == "it was killed"


def test_several_that_kill_are_all_found():
    disk = Disk()
    states = ended(disk, engine(disk, kills=lambda seed, start: seed % 2 == 0))
    assert states == {seed: "done" if seed % 2 else "crashed" for seed in range(6)}


def test_statuses_that_were_lost_are_read_from_disk():
    disk = Disk()
    assert ended(disk, engine(disk, silent=(0, 5))) == dict.fromkeys(range(6), "done")
    assert disk.calls == [[0, 1, 2, 3, 4, 5]]


def test_an_engine_that_does_not_start_anything_is_given_up():
    calls = []

    def dead(tasks):
        calls.append(len(tasks))
        raise WorkerDiedError("no memory is left")
        yield

    with pytest.raises(RuntimeError, match=r"Workers die before they start a cell: no memory is left"):
        list(until_all_have_ended(TASKS, Disk(), dead))
    assert calls == [6, 6, 6]


def test_a_suspect_that_no_worker_reaches_any_more_is_an_error_that_names_it():
    disk = Disk()
    disk.begin(TASKS[0])

    def dead(tasks):
        raise WorkerDiedError("no memory is left")
        yield

    with pytest.raises(RuntimeError, match=r"Workers die before they start zdt1 random seed 0: no memory is left"):
        list(until_all_have_ended(TASKS, disk, dead))
