"""Suites of searches: what to run, running it, and the tables that come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moo.registry import lazy

if TYPE_CHECKING:
    from moo.benchmarks.reporting import load, score
    from moo.benchmarks.runner import run
    from moo.benchmarks.suites import SUITES, Suite, find_suite
    from moo.benchmarks.tuning.study import TuningResult, tune

_HOMES = {
    "run": "moo.benchmarks.runner",
    "load": "moo.benchmarks.reporting",
    "score": "moo.benchmarks.reporting",
    "SUITES": "moo.benchmarks.suites",
    "Suite": "moo.benchmarks.suites",
    "find_suite": "moo.benchmarks.suites",
    "tune": "moo.benchmarks.tuning.study",
    "TuningResult": "moo.benchmarks.tuning.study",
}

__all__ = ["SUITES", "Suite", "TuningResult", "find_suite", "load", "run", "score", "tune"]


__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
