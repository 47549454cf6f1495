"""Cells on a Ray cluster that the test starts, of two cores and two GPUs that are not there."""

import os
import sys
import time
from dataclasses import replace

import pytest
from killing import ONE, contents, of_problem, suite_of

from moo.benchmarks import run
from moo.benchmarks.running.on_disk import Status, Task, read_record
from moo.benchmarks.running.one_cell import Job
from moo.benchmarks.running.runner import run_cells
from moo.benchmarks.running.slots import Slots
from moo.benchmarks.suites import Cell, cells

ray = pytest.importorskip("ray", reason="the extra ray is not installed")


@pytest.fixture(scope="module", autouse=True)
def _cluster():
    ray.init(num_cpus=2, num_gpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


class Unread(Job):
    """A job that no worker can read."""

    def __reduce__(self):
        return _unreadable, ()


def _unreadable():
    raise OSError("no disk here")


def test_a_cell_that_no_worker_can_start_is_an_error(tmp_path):
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not see this file
    with pytest.raises(RuntimeError, match=r"Ray gives up zdt1 random seed 0 before it starts: .*no disk here"):
        list(run_cells([Task(Cell("zdt1", "random", 0, 10))], Unread(tmp_path, "a life"), "ray"))


class Seen(Job):
    """A job that takes half a second and tells when, and which GPUs it sees."""

    def __call__(self, task):
        began = time.time()
        time.sleep(0.5)
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        return Status(task.cell, "done", f"{seen} {began} {time.time()}")


def test_cells_that_need_a_gpu_get_a_share_of_it_and_the_others_none(tmp_path):
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not see this file
    tasks = [Task(Cell("zdt1", "random", seed, 10), gpu=seed < 6) for seed in range(8)]
    job = Seen(tmp_path, "a life", slots=Slots(gpus=2, per_gpu=2))
    found = {status.cell.seed: status.reason for status in run_cells(tasks, job, "ray")}
    seen = {seed: reason.rsplit(" ", 2)[0] for seed, reason in found.items()}
    assert {seen[seed] for seed in range(6)} == {"0", "1"}
    assert {seen[seed] for seed in (6, 7)} == {""}
    times = {seed: tuple(map(float, reason.rsplit(" ", 2)[1:])) for seed, reason in found.items() if seed < 6}
    for gpu in "01":
        on_it = [times[seed] for seed in range(6) if seen[seed] == gpu]
        assert all(sum(a <= began < b for a, b in on_it) <= 2 for began, _ in on_it)


def test_closing_the_iterator_ends_what_runs(tmp_path):
    suite = suite_of(tmp_path, "slow", methods=("random:batch=20",), seeds=(0, 1, 2), budget=10_000, plain=False)
    tasks = [Task(cell) for cell in cells(suite)]
    running = run_cells([Task(replace(tasks[0].cell, budget=20)), *tasks], Job(tmp_path / "out", "a life"), "ray")
    assert next(running).state == "done"
    running.close()
    calls = (tmp_path / "calls").stat().st_size
    time.sleep(0.5)
    assert (tmp_path / "calls").stat().st_size == calls
    assert not list((tmp_path / "out" / ".running").glob("*.json"))  # ended as by Ctrl-C, not killed


def test_a_worker_that_dies_costs_its_own_cell_alone_and_results_are_those_of_one_process(tmp_path):
    suite = suite_of(tmp_path, "once", "poison", **ONE)
    (tmp_path / "flag").touch()
    run(suite_of(tmp_path, "once", **ONE), tmp_path / "serial")
    (tmp_path / "flag").unlink()
    statuses = run(suite, tmp_path / "ray", backend="ray", workers=2)
    assert [status.state for status in statuses] == ["done", "done", "crashed"]
    assert (tmp_path / "flag").exists()  # so one was killed in the middle
    (folder,) = of_problem(suite, "poison", tmp_path / "ray")
    assert "its worker died in each of 2 starts" in read_record(folder)["reason"]
    found, wanted = contents(tmp_path / "ray"), contents(tmp_path / "serial")
    assert {name: found[name] for name in wanted} == wanted
    assert ray.is_initialized()  # who connected before stays connected
