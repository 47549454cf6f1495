"""Suites of searches: what to run, running it, and the tables that come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moo.registry import lazy

if TYPE_CHECKING:
    from moo.benchmarks.foreign.admission import admit, import_files
    from moo.benchmarks.foreign.experiment import coco_experiment
    from moo.benchmarks.reports.loading import load_report
    from moo.benchmarks.reports.scores import load, score
    from moo.benchmarks.running.runner import run
    from moo.benchmarks.suites import SUITES, Suite, find_suite
    from moo.benchmarks.tuning.study import TuningResult, tune

_HOMES = {
    "admit": "moo.benchmarks.foreign.admission",
    "coco_experiment": "moo.benchmarks.foreign.experiment",
    "import_files": "moo.benchmarks.foreign.admission",
    "run": "moo.benchmarks.running.runner",
    "load": "moo.benchmarks.reports.scores",
    "load_report": "moo.benchmarks.reports.loading",
    "score": "moo.benchmarks.reports.scores",
    "SUITES": "moo.benchmarks.suites",
    "Suite": "moo.benchmarks.suites",
    "find_suite": "moo.benchmarks.suites",
    "tune": "moo.benchmarks.tuning.study",
    "TuningResult": "moo.benchmarks.tuning.study",
}

__all__ = [
    "SUITES",
    "Suite",
    "TuningResult",
    "admit",
    "coco_experiment",
    "find_suite",
    "import_files",
    "load",
    "load_report",
    "run",
    "score",
    "tune",
]


__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
