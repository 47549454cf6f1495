"""Processes of this machine."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from moo.benchmarks.engines.again import WorkerDiedError, until_all_have_ended
from moo.benchmarks.running.on_disk import Status, Task
from moo.benchmarks.running.one_cell import Job

SECONDS = 0.2  # between two looks for the parent


class Loky:
    """Runs cells in processes that serve one cell after the other, by joblib's streaming call.

    joblib gives up the whole call when a worker dies; `until_all_have_ended` makes that cost the worker's cell alone.

    Args:
        workers: How many; None: one for each core.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[Mapping[str, str]] = {}

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or os.cpu_count() or 1

    def run(self, tasks: Sequence[Task], job: Job) -> Iterator[Status]:
        for pool, workers in self._pools(tasks, job):
            yield from until_all_have_ended(pool, job, lambda some, workers=workers: _call(some, job, workers))

    def _pools(self, tasks: Sequence[Task], job: Job) -> list[tuple[list[Task], int]]:
        """The cells that need a GPU, as many at once as there are slots, and then the others."""
        on_gpu, on_cpu = ([task for task in tasks if task.gpu == gpu] for gpu in (True, False))
        return [(on_gpu, job.slots.count or self._workers), (on_cpu, self._workers)]


def _call(tasks: Sequence[Task], job: Job, workers: int) -> Iterator[Status]:
    """Statuses as cells end.

    Raises:
        WorkerDiedError: Of a worker's death; the statuses of others may be lost with it.
    """
    import joblib
    from joblib.externals.loky.process_executor import BrokenProcessPool

    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        parallel: Any = joblib.Parallel(
            n_jobs=max(2, workers),  # one would run in this process ...
            pre_dispatch="2*n_jobs" if workers > 1 else 1,  # ... so one of two gets nothing to do
            batch_size=1,
            return_as="generator_unordered",
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*tasks", UserWarning)  # after Ctrl-C: of the tasks that joblib drops
        try:
            yield from parallel(joblib.delayed(Fated(job, os.getpid()))(task) for task in tasks)
        except BrokenProcessPool as error:
            codes = [line for line in str(error).splitlines() if "exit codes" in line]
            raise WorkerDiedError(": ".join([type(error).__name__, *codes])) from error


@dataclass(frozen=True)
class Fated:
    """A job whose process ends with its parent: an orphan would keep its cell from those who go on with it.

    Attributes:
        job: What is done.
        parent: The process to share the fate of.
    """

    job: Job
    parent: int

    def __call__(self, task: Task) -> Status:
        watch(self.parent)
        return self.job(task)


_watched: set[int] = set()


def watch(parent: int) -> None:
    """End this process, whatever it does, soon after its parent has ended: what counts is on disk at any time."""
    if parent in _watched:
        return
    _watched.add(parent)

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
