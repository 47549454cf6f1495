"""Multi-objective optimization: suites, search and plots for people who publish Pareto fronts.

Names load where they are first used, so that `import moo` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moo.registry import lazy

if TYPE_CHECKING:
    from moo.asking import optimizer
    from moo.base import Candidates, Evaluation, Oracle, Setting
    from moo.problems import get_problem
    from moo.result import SearchResult
    from moo.search import load_result, pareto_search
    from moo.space import Space, categorical, integer, real

__version__ = "0.1.0"

_HOMES = {
    "pareto_search": "moo.search",
    "load_result": "moo.search",
    "optimizer": "moo.asking",
    "SearchResult": "moo.result",
    "get_problem": "moo.problems",
    "Candidates": "moo.base",
    "Evaluation": "moo.base",
    "Oracle": "moo.base",
    "Setting": "moo.base",
    "Space": "moo.space",
    "real": "moo.space",
    "integer": "moo.space",
    "categorical": "moo.space",
}

__all__ = [
    "Candidates",
    "Evaluation",
    "Oracle",
    "SearchResult",
    "Setting",
    "Space",
    "categorical",
    "get_problem",
    "integer",
    "load_result",
    "optimizer",
    "pareto_search",
    "real",
]


__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
