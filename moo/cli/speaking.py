"""What the command line says, and how: results on standard output, all else on standard error."""

from __future__ import annotations

import contextlib
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import typer

INTERRUPTED = 130  # the exit code after Ctrl-C, as shells have it


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Warnings inside read like the rest of what the command line says, without a line of source.

    Deprecations are left out, as Python does by itself: they speak to who writes programs.
    """

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        tell(f"Warning: {one_line(str(message))}", "yellow")

    with warnings.catch_warnings():
        warnings.showwarning = show
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@contextlib.contextmanager
def plain_errors(bad_input: int = 2) -> Iterator[None]:
    """What goes wrong inside is said in one line, without a traceback; exit code 1, or that of bad input."""
    try:
        yield
    except (ValueError, TypeError, RuntimeError, OSError, ImportError) as error:
        text = str(error)
        if isinstance(error, OSError) and error.filename:
            text = f"{error.filename}: {error.strerror}"  # without [Errno 2]
        tell(f"Error: {one_line(text)}", "red")
        raise typer.Exit(bad_input if isinstance(error, ValueError | TypeError) else 1) from None


def tell(text: str, color: str | None = None) -> None:
    """Say how things go: on standard error, so that standard output holds results alone."""
    typer.secho(text, fg=color, err=True)


def one_line(text: str) -> str:
    """Text of several lines in one."""
    return " ".join(line.strip() for line in text.splitlines())


def in_columns(rows: Iterable[tuple[str, str]], width: int | None = None) -> Iterator[str]:
    """Two columns as lines: one for each row, or folded where a width is given."""
    rows = list(rows)
    indent = max((len(name) for name, _ in rows), default=0) + 2
    for name, text in rows:
        line = f"{name:<{indent}}{text}".rstrip()
        yield line if width is None else textwrap.fill(line, width, subsequent_indent=" " * indent)
