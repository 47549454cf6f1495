"""One cell after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from moo.benchmarks.running.on_disk import Status, Task
from moo.benchmarks.running.one_cell import Job


class Serial:
    """Runs cells where the program runs: a cell that kills its process ends the program.

    Args:
        workers: One, or None.

    Raises:
        ValueError: More are asked for.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[Mapping[str, str]] = {}

    def __init__(self, workers: int | None = None) -> None:
        if workers not in (None, 1):
            raise ValueError(f'`workers` should be 1 with backend "serial". Found {workers}: choose backend "loky".')

    def run(self, tasks: Sequence[Task], job: Job) -> Iterator[Status]:
        yield from map(job, tasks)
