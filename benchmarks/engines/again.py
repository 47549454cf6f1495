"""Running again what died with its worker: what joblib and batch systems leave to their callers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from moo.benchmarks.running.on_disk import Status, Task
from moo.benchmarks.running.one_cell import MOST_STARTS, Job

MOST_FAILURES = 3  # in a row to bring any cell as far as its start

Stream = Callable[[Sequence[Task]], Iterator[Status]]


class WorkerDiedError(Exception):
    """A worker has died, and with it the engine's call; the message says how."""


def until_all_have_ended(tasks: Sequence[Task], job: Job, stream: Stream) -> Iterator[Status]:
    """Statuses of all tasks, however many workers die.

    After a death, what has a record is taken from disk. What was started and has none, the dead one's cell and
    its neighbours, is run again one at a time, so that the one that kills is known; the rest is run as before.

    Args:
        tasks: What to run.
        job: Knows what is on disk.
        stream: The engine's call. It may end early or raise `WorkerDiedError`.

    Raises:
        RuntimeError: Workers die again and again before they start any cell.
    """
    left, failures = {task.cell: task for task in tasks}, 0
    while left:
        before, died = len(left), ""
        try:
            for status in stream(list(left.values())):
                del left[status.cell]
                yield status
        except WorkerDiedError as error:
            died = str(error)
        for task in list(left.values()):
            if (found := job.ended(task)) is not None:
                del left[task.cell]
                yield found
        for task in [task for task in left.values() if job.starts(task)]:
            del left[task.cell]
            yield _suspect(task, job, stream, died)
        failures = failures + 1 if len(left) == before else 0
        if failures == MOST_FAILURES:
            raise RuntimeError(f"Workers die before they start a cell: {died or 'no reason is known'}.")


def _suspect(task: Task, job: Job, stream: Stream, died: str) -> Status:
    """Run a task alone until it ends or has killed so many workers that it is quarantined."""
    for _ in range(MOST_STARTS + MOST_FAILURES):
        if (found := job.ended(task)) is not None:
            return found
        if job.starts(task) >= MOST_STARTS:
            return job.quarantine(task, died)
        try:
            for status in stream([task]):
                return status
        except WorkerDiedError as error:
            died = str(error)
    raise RuntimeError(f"Workers die before they start {task.cell.label}: {died or 'no reason is known'}.")
