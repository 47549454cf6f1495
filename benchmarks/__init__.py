"""Suites of searches: what to run, running it, and the tables that come of it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moo.benchmarks.reporting import load, score
    from moo.benchmarks.runner import run
    from moo.benchmarks.suites import SUITES, Suite, find_suite

_HOMES = {
    "run": "moo.benchmarks.runner",
    "load": "moo.benchmarks.reporting",
    "score": "moo.benchmarks.reporting",
    "SUITES": "moo.benchmarks.suites",
    "Suite": "moo.benchmarks.suites",
    "find_suite": "moo.benchmarks.suites",
}

__all__ = ["SUITES", "Suite", "find_suite", "load", "run", "score"]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
