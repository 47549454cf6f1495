"""The progress line: one live line on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class ProgressLine:
    """Shows what was spent of the budget, hypervolume, front size and the time left.

    Args:
        shown: False, or standard error being no terminal: nothing is shown.
        label: What is running.
        budget: In the problem's unit.
        unit: Its name.
    """

    def __init__(self, *, shown: bool, label: str, budget: int, unit: str) -> None:
        self._progress: Progress | None = None
        if shown and sys.stderr.isatty():
            columns = (
                TextColumn("{task.description}", markup=False),  # a name may hold brackets
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.completed:,}/{task.total:,} {task.fields[unit]}  {task.fields[state]}", markup=False),
                TimeRemainingColumn(),
            )
            self._progress = Progress(*columns, console=Console(stderr=True), refresh_per_second=5)
            self._task = self._progress.add_task(label, total=budget, unit=unit, state="")

    def __enter__(self) -> ProgressLine:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, used: int, hypervolume: float, front_size: int) -> None:
        """Bring the line up to date."""
        if self._progress is not None:
            value = "" if hypervolume != hypervolume else f"hypervolume {hypervolume:.5g}, "
            self._progress.update(self._task, completed=used, state=f"{value}front {front_size}")


def say(text: str, *, shown: bool) -> None:
    """Print a line for people on standard error, so that standard output stays for results."""
    if shown:
        print(text, file=sys.stderr)
