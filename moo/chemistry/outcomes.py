"""What a function says of texts, or why it does not: run in other processes, which need no torch for it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence

Outcome = tuple[float, ...] | str  # numbers, or why there are none
Function = Callable[[str], Sequence[float]]


def outcomes_of(function: Function, numbers: int, texts: Sequence[str]) -> list[Outcome]:
    """Of each text, so many numbers, or why there are none: what the function has raised, too."""
    return [_outcome(function, numbers, text) for text in texts]


def _outcome(function: Function, numbers: int, text: str) -> Outcome:
    try:
        values = tuple(float(value) for value in function(text))
    except Exception as error:  # a library may raise anything
        return f"{type(error).__name__}: {error}"
    if len(values) != numbers:
        return f"gave {len(values)} numbers for one text, {numbers} objectives were declared"
    return values


def leave_ctrl_c() -> None:
    """Leave Ctrl-C, which a terminal sends to all processes, to the one that collects the rows."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
