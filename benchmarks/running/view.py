"""What a person sees of a suite that runs: on a terminal a bar and a line per running cell, elsewhere plain lines."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from moo.benchmarks.running.on_disk import RUNNING, Status
from moo.storage import DamagedFileError, read_mapping

MOST_LINES = 12  # of running cells
QUIET = ("done",)  # states that the bar alone tells


class View:
    """Says how cells end.

    Args:
        out: The suite's folder; the start markers in it say what runs, in whatever process and on whatever machine.
        total: Cells that are to be run.
        say: Called with a line for people.
        live: Whether a bar may stand in place of lines about cells that are done, where standard error is a terminal.
    """

    def __init__(self, out: Path, total: int, say: Callable[[str], object], *, live: bool) -> None:
        self._out, self._total, self._say = out, total, say
        self._states: Counter[str] = Counter()
        self._began = time.monotonic()
        self._live: Live | None = None
        if live and total and sys.stderr.isatty():
            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[states]}", markup=False))
            self._bar = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn())
            self._task = self._bar.add_task("", total=total, states="")
            self._live = Live(
                console=Console(stderr=True), get_renderable=self._picture, refresh_per_second=4, transient=True
            )

    def __enter__(self) -> View:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._say(f"{self._summary()} of {self._total} cells in {time.monotonic() - self._began:.0f} s")

    def ended(self, status: Status) -> None:
        """Take note of how a cell ended."""
        reason = status.reason and f": {status.reason}"
        if status.state == "interrupted":
            self._say(f"interrupted in {status.cell.label}{reason}")
            return
        self._states[status.state] += 1
        count = self._states.total()
        if self._live is None:
            self._say(f"[{count}/{self._total}] {status.state}: {status.cell.label}{reason}")
            return
        if status.state not in QUIET or status.reason:
            self._say(f"{status.state}: {status.cell.label}{reason}")
        self._bar.update(self._task, completed=count, states=self._summary())

    def _summary(self) -> str:
        return ", ".join(f"{count} {state}" for state, count in self._states.items()) or "none"

    def _picture(self) -> Group:
        """The bar, and below it what runs."""
        lines = running_lines(self._out)
        more = [f"... and {len(lines) - MOST_LINES} more"] * (len(lines) > MOST_LINES)
        return Group(self._bar, *(Text(f"  {line}", style="dim") for line in [*lines[:MOST_LINES], *more]))


def running_lines(out: Path) -> list[str]:
    """What runs in a suite's folder, a line each, the oldest first."""
    found: list[dict[str, Any]] = []
    for place in (out / RUNNING).glob("*.json"):
        with contextlib.suppress(OSError, DamagedFileError):  # it has just ended
            found.append(read_mapping(place, "label", "host", "pid", "since"))
    now = time.time()
    return [
        f"{said['label']}  {_clock(now - said['since'])}  (process {said['pid']} on {said['host']})"
        for said in sorted(found, key=lambda said: said["since"])
    ]


def _clock(seconds: float) -> str:
    """A length of time as h:mm:ss."""
    whole = max(0, int(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
