"""Processes of a Ray cluster, on one machine or on many."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from moo.benchmarks.running.on_disk import Status, Task
from moo.benchmarks.running.one_cell import MOST_STARTS, Job
from moo.benchmarks.running.slots import NONE, Slots

AHEAD = 1000  # cells that Ray is told of at a time
PATIENCE = 5.0  # seconds that searches get after Ctrl-C to reach the end of a step, each of two times


class Ray:
    """Runs cells on a Ray cluster, by Ray's core: its backend for joblib cannot stream and loses all with one worker.

    Ray itself runs again what died with a worker; the third start of a cell quarantines it. GPUs are Ray's: cells that
    need one get a share of it, the others run beside them.

    Args:
        workers: Cells on CPUs at once; None: all that the cluster has, or one for each core.
        address: Of a cluster, `"auto"` for one that runs here, whose nodes reach the suite's folder under the same
            path. Without one, what RAY_ADDRESS says, else a local cluster for the time of the call.
    """

    needs: ClassVar[tuple[str, ...]] = ("ray",)
    options: ClassVar[Mapping[str, str]] = {"address": "of a cluster"}

    def __init__(self, workers: int | None = None, address: str = "") -> None:
        self._workers, self._address = workers, address or os.environ.get("RAY_ADDRESS", "")

    def run(self, tasks: Sequence[Task], job: Job) -> Iterator[Status]:
        import ray

        with self._cluster(job.slots):
            share = {True: {"num_cpus": 0, "num_gpus": 1 / job.slots.per_gpu}, False: {"num_cpus": 1}}
            start = ray.remote(max_retries=MOST_STARTS)(_start)
            own = ray.put(replace(job, slots=NONE))  # Ray deals out the GPUs
            waiting, running = list(reversed(tasks)), dict[Any, Task]()
            try:
                while waiting or running:
                    while waiting and len(running) < AHEAD:
                        task = waiting.pop()
                        running[start.options(**share[task.gpu]).remote(own, task)] = task
                    ended, _ = ray.wait(list(running))
                    yield from (_outcome(reference, running.pop(reference), job) for reference in ended)
            finally:
                _cancel(list(running))

    @contextlib.contextmanager
    def _cluster(self, slots: Slots) -> Iterator[None]:
        """Be connected to the cluster; one that is connected already stays so."""
        import ray

        if ray.is_initialized():
            yield
            return
        local = {"num_cpus": self._workers or os.cpu_count(), "num_gpus": slots.gpus, "include_dashboard": False}
        where: dict[str, Any] = {"address": self._address} if self._address else local
        ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
        ray._private.worker._worker_logs_enabled = False  # else it tells of dead workers on standard output
        try:
            yield
        finally:
            ray.shutdown()


def _start(job: Job, task: Task) -> Status:
    return job(task)


def _outcome(reference: Any, task: Task, job: Job) -> Status:
    """How a task has ended, of which Ray says that it has.

    Raises:
        RuntimeError: Ray has given it up before any worker started it.
    """
    import ray

    try:
        status: Status = ray.get(reference)
    except ray.exceptions.RayError as error:
        if (found := job.ended(task)) is not None:
            return found
        said = f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"  # of many lines the one that says why
        if not job.starts(task):
            raise RuntimeError(f"Ray gives up {task.cell.label} before it starts: {said}") from error
        return job.quarantine(task, said)
    return status


def _cancel(references: list[Any]) -> None:
    """Let what runs end as after Ctrl-C, and drop what waits; what does not hear it twice is killed."""
    import ray

    for force in (False, False, True):
        for reference in references:
            ray.cancel(reference, force=force)
        if references:
            _, references = ray.wait(references, num_returns=len(references), timeout=PATIENCE)
