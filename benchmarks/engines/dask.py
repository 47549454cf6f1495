"""Processes of a Dask cluster, on one machine or on many."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from moo.benchmarks.running.on_disk import Status, Task
from moo.benchmarks.running.one_cell import MOST_STARTS, Job

AHEAD = 1000  # cells that the scheduler is told of at a time
PATIENCE = 5  # times that the scheduler may give up a cell


class Dask:
    """Runs cells on a Dask cluster: one that exists, or a local one for the time of the call.

    Dask itself runs again what died with a worker; the third start of a cell quarantines it. joblib's backend for Dask
    is not used: it hangs where a worker dies that holds a result. Dask's workers compute in threads, which Ctrl-C does
    not reach: a cell that is cut short goes on from its last checkpoint and its journal.

    Args:
        workers: Cells at once; None: all that the cluster has, or one for each core.
        address: Of a scheduler, whose workers reach the suite's folder under the same path. Without one, what
            DASK_SCHEDULER_ADDRESS says, else a local cluster.
    """

    needs: ClassVar[tuple[str, ...]] = ("dask", "distributed")
    options: ClassVar[Mapping[str, str]] = {"address": "of a scheduler"}

    def __init__(self, workers: int | None = None, address: str = "") -> None:
        self._workers, self._address = workers, address or os.environ.get("DASK_SCHEDULER_ADDRESS", "")

    def run(self, tasks: Sequence[Task], job: Job) -> Iterator[Status]:
        import distributed

        library: Any = distributed
        ahead = self._workers if self._address and self._workers else AHEAD
        with self._client(library) as client:
            ending = library.as_completed(loop=client.loop)
            waiting, running, given_up = list(reversed(tasks)), dict[Any, Task](), dict[Task, int]()
            try:
                while waiting or running:
                    while waiting and len(running) < ahead:
                        task = waiting.pop()
                        future = client.submit(_start, job, task, pure=False)
                        running[future] = task
                        ending.add(future)
                    future = next(ending)
                    task = running.pop(future)
                    status = _outcome(future, task, job)
                    if status is None:
                        given_up[task] = given_up.get(task, 0) + 1
                        if given_up[task] > PATIENCE:
                            raise RuntimeError(f"Dask gives up {task.cell.label} before it starts: {future.status}.")
                        waiting.append(task)
                    else:
                        yield status
            finally:
                client.cancel(list(running), force=True)

    @contextlib.contextmanager
    def _client(self, library: Any) -> Iterator[Any]:
        """A connection to the cluster."""
        with contextlib.ExitStack() as stack:
            cluster: Any = self._address
            if not cluster:
                size = {"n_workers": self._workers or os.cpu_count() or 1, "threads_per_worker": 1, "memory_limit": 0}
                quiet = {"dashboard_address": None, "silence_logs": logging.CRITICAL}  # dead workers are no news
                cluster = stack.enter_context(library.LocalCluster(**size, **quiet))
            client = stack.enter_context(library.Client(cluster, set_as_default=False))
            if not self._address:
                client.register_plugin(_deaf(library))
            yield client


def _start(job: Job, task: Task) -> Status:
    return job(task)


def _outcome(future: Any, task: Task, job: Job) -> Status | None:
    """How a task has ended that Dask is done with; None where it has not. The disk knows best."""
    status = job.ended(task)
    if status is None and job.starts(task) >= MOST_STARTS:
        status = job.quarantine(task)
    if status is None and future.status == "finished":
        with contextlib.suppress(Exception):  # the worker that held it has died
            status = future.result()
    return status


def _deaf(library: Any) -> Any:
    """A plugin of Dask's workers: Ctrl-C is for this program, which closes them."""

    class Deaf(library.WorkerPlugin):  # type: ignore[misc]
        def setup(self, worker: Any) -> None:  # noqa: ARG002
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    return Deaf()
