"""What the sections of a report are made of: scores of distinct searches, and what was asked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from moo.benchmarks.reports.loading import Searched, by_problem
from moo.benchmarks.reports.references import References, references
from moo.benchmarks.reports.scores import IN_UNITS, UNRANKED, check_measures, higher_is_better, score_against
from moo.checks import unknown_name
from moo.statistics import average_ranks
from moo.statistics.critical import HOWS

TARGETS = (0.5, 0.8, 0.9, 0.95, 0.99)  # shares of the reference hypervolume
IMPORTED = " (imported)"  # behind the name of a method of another program
BEST = "best"  # as a control: the method of the best average rank
HOW = HOWS[0]


@dataclass(frozen=True)
class Wish:
    """What a report is asked for.

    Attributes:
        indicators: Which.
        control: The method that the others are compared with, `"best"`, or none.
        targets: Shares of the reference hypervolume, above 0 and at most 1.
        alpha: Significance level of all tests.
        how: How pairs of methods are compared over problems, as in `moo.statistics.critical_difference`.
    """

    indicators: tuple[str, ...]
    control: str = ""
    targets: tuple[float, ...] = TARGETS
    alpha: float = 0.05
    how: str = HOW

    def __post_init__(self) -> None:
        check_measures(self.indicators)
        if self.control == BEST and self.indicators[0] in UNRANKED:
            raise ValueError(
                f"`control` can be best only by what is ranked on. The first indicator is {self.indicators[0]!r}: put "
                "another one first, or name a method."
            )
        if not self.targets or not all(0 < target <= 1 for target in self.targets):
            raise ValueError(
                "`targets` should be shares of the reference hypervolume, above 0 and at most 1, as in 0.5,0.9. "
                f"Found {list(self.targets)}."
            )
        if self.how not in HOWS:
            raise ValueError(unknown_name("way to compare (`how`)", self.how, HOWS))
        if not 0 < self.alpha < 1:
            raise ValueError(f"`alpha` should be above 0 and below 1. Found {self.alpha}.")


@dataclass(frozen=True)
class Material:
    """Searches and their scores.

    Attributes:
        groups: Searches by problem.
        contexts: References by problem.
        scores: One row per search, as `score` gives it, imported methods marked, with `name`: the method, and its
            budget where a method was run with several.
        distinct: The same without repetitions: a search said in two ways (`"nsga2"` and `"nsga2:population=100"`)
            counts once.
        wish: What was asked.
    """

    groups: Mapping[str, Sequence[Searched]]
    contexts: Mapping[str, References]
    scores: pd.DataFrame
    distinct: pd.DataFrame
    wish: Wish

    @classmethod
    def of(cls, searches: Sequence[Searched], wish: Wish, *, times: bool = False) -> Material:
        """Score searches by the indicators of a wish."""
        groups = by_problem(searches)
        contexts = {problem: references(group) for problem, group in groups.items()}
        scores = score_against(contexts, groups, wish.indicators, times=times)
        imported = [bool(search.config.get("imported")) for group in groups.values() for search in group]
        scores["method"] = [m + IMPORTED * mark for m, mark in zip(scores["method"], imported, strict=True)]
        places = [place for group in groups.values() for place in range(len(group))]
        named = scores.assign(name=_names(scores), place=places)
        distinct = named.drop_duplicates(["problem", "method", "budget", "seed"])
        return cls(groups, contexts, scores, distinct.reset_index(drop=True), wish)

    @property
    def names(self) -> list[str]:
        """Of the methods, in the order of appearance."""
        return list(dict.fromkeys(self.distinct["name"]))

    @property
    def problems(self) -> list[str]:
        """In the order of appearance."""
        return list(self.groups)

    @property
    def common(self) -> list[str]:
        """Problems on which every method has finished."""
        there = self.distinct.groupby("problem", sort=False)["name"].nunique()
        return [problem for problem in self.problems if there[problem] == len(self.names)]

    @cached_property
    def _parts(self) -> dict[Any, pd.DataFrame]:
        return dict(list(self.distinct.groupby(["problem", "name"], sort=False)))

    def rows(self, problem: str, name: str) -> pd.DataFrame:
        """The scores of a method's searches on a problem; possibly no rows."""
        return self._parts.get((problem, name), self.distinct.iloc[:0])

    def runs(self, problem: str, name: str, indicator: str) -> NDArray[np.float64]:
        """The values of an indicator in the runs of a method on a problem, possibly none."""
        return self.rows(problem, name)[indicator].to_numpy(np.float64)

    def searches(self, problem: str, name: str) -> list[Searched]:
        """The searches behind `rows`."""
        return [self.groups[problem][i] for i in self.rows(problem, name)["place"]]

    def shared(self, problem: str, name: str, indicator: str) -> NDArray[np.float64]:
        """`runs` on a scale that problems share: those in the objectives' units as shares of the reference set's."""
        values = self.runs(problem, name, indicator)
        if indicator not in IN_UNITS:
            return values
        whole = self.contexts[problem].hypervolume
        return values / whole if whole else np.full_like(values, np.nan)

    def medians(self, problems: Sequence[str], indicator: str) -> NDArray[np.float64]:
        """The median over the runs of each method, `[problems, methods]`; all have finished there."""
        rows = [[median(self.runs(problem, name, indicator)) for name in self.names] for problem in problems]
        return np.array(rows, dtype=np.float64).reshape(len(problems), len(self.names))

    @cached_property
    def control(self) -> str:
        """The name of the control, empty where none was asked for.

        It may be said without its options, where one method alone bears that name.

        Raises:
            ValueError: There is no such method, or several.
        """
        wish, names = self.wish.control, self.names
        if wish == BEST and names:
            return names[int(np.argmin(average_ranks_of(self, self.wish.indicators[0])))]
        if not wish or wish in names or not names:
            return wish
        alike = [name for name in names if wish in _shorter(name)]
        if len(alike) > 1:
            raise ValueError(f"`control` should be one method. {wish!r} may be any of {', '.join(alike)}.")
        if not alike:
            raise ValueError(unknown_name("control", wish, [*names, BEST]))
        return alike[0]


def _shorter(name: str) -> tuple[str, ...]:
    """What a method may be called instead: without its budget, without its options, without the mark of imports."""
    plain = name.partition(" @")[0].removesuffix(IMPORTED)
    return name.partition(" @")[0], plain, plain.partition(":")[0]


def average_ranks_of(material: Material, indicator: str) -> NDArray[np.float64]:
    """The average rank of each method over the problems that all have finished; over all problems where there is none.

    A method without a run on a problem ranks worst there.
    """
    problems = material.common or material.problems
    if len(material.names) < 2:
        return np.ones(len(material.names))
    return average_ranks(material.medians(problems, indicator), higher_is_better(indicator))


def median(values: NDArray[np.float64]) -> float:
    """The median; between a finite value and an infinite one, the infinite one. NaN of none, or where one is NaN."""
    return quantile(values, 0.5)


def quantile(values: NDArray[np.float64], share: float) -> float:
    """A quantile by linear interpolation; between a finite value and an infinite one, the infinite one."""
    if not len(values) or np.isnan(values).any():
        return math.nan
    sides: tuple[Literal["lower", "higher"], ...] = ("lower", "higher")
    below, above = (float(np.quantile(values, share, method=side)) for side in sides)
    if below == above or math.isinf(below):
        return below
    return above if math.isinf(above) else float(np.quantile(values, share))


def _names(scores: pd.DataFrame) -> pd.Series:
    """What methods are called: with their budget where a method was run with several on one problem."""
    budgets = scores.groupby(["problem", "method"], sort=False)["budget"].nunique()
    several = set(budgets[budgets > 1].index.get_level_values("method"))
    pairs = zip(scores["method"], scores["budget"], strict=True)
    return pd.Series([f"{m} @{b}" if m in several else str(m) for m, b in pairs], index=scores.index, dtype=object)
