"""What a critical-difference diagram shows: the average ranks of methods over problems, and who does not differ."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import studentized_range

from moo.checks import unknown_name
from moo.statistics.hypotheses import friedman, holm, signed_rank
from moo.statistics.ranks import average_ranks, oriented, scores_matrix

HOWS = ("wilcoxon-holm", "nemenyi")


@dataclass(frozen=True)
class CriticalDifference:
    """Methods over problems, the best average rank first.

    Attributes:
        names: Of the methods.
        ranks: Their average ranks, from 1.
        groups: The largest groups of at least two methods no two of which differ, by name, best first. A group need
            not be an interval of ranks.
        alpha: Significance level.
        how: `"wilcoxon-holm"` or `"nemenyi"`.
        problems: How many.
        p_value: Of Friedman's test.
        difference: Nemenyi's critical difference of average ranks; None with the other way.
        p_values: `[methods, methods]`, adjusted by Holm, in the order of `names`; None with Nemenyi's test.
    """

    names: tuple[str, ...]
    ranks: tuple[float, ...]
    groups: tuple[tuple[str, ...], ...]
    alpha: float
    how: str
    problems: int
    p_value: float
    difference: float | None = None
    p_values: NDArray[np.float64] | None = None


def critical_difference(
    scores: Any,
    names: Sequence[str],
    *,
    higher_is_better: bool = True,
    alpha: float = 0.05,
    how: str = "wilcoxon-holm",
) -> CriticalDifference:
    """Compare methods over problems, all pairs of them, once Friedman's test has found that some differ.

    Where it has not, no two methods differ. Two methods alone need no such test before: the pair is tested at once.
    Wilcoxon's way compares the scores of each pair with its signed-rank test over problems and adjusts by Holm; what it
    finds does not depend on the other methods' scores, which Nemenyi's comparison of average ranks does.

    Source: Demsar 2006 (JMLR 7); signed ranks instead of Nemenyi's test: Benavoli, Corani and Mangili 2016 (JMLR 17).

    Args:
        scores: `[problems, methods]`, one number per problem and method, such as a median over runs; NaN ranks worst.
        names: Of the methods, different from each other.
        higher_is_better: Whether larger scores are better.
        alpha: Above 0 and below 1.
        how: `"wilcoxon-holm"` or `"nemenyi"`.

    Raises:
        ValueError: A shape is wrong, there is one problem alone, a name stands twice, or `alpha` or `how` is none.
    """
    matrix = scores_matrix(scores)
    problems, methods = matrix.shape
    if problems < 2:
        raise ValueError("`scores` should hold at least 2 problems to compare methods over problems. Found 1.")
    if len(names) != methods or len(set(names)) < methods:
        raise ValueError(f"`names` should be {methods} different names, one per column. Found {list(names)}.")
    if not 0 < alpha < 1:
        raise ValueError(f"`alpha` should be above 0 and below 1. Found {alpha}.")
    if how not in HOWS:
        raise ValueError(unknown_name("way to compare (`how`)", how, HOWS))
    means = average_ranks(matrix, higher_is_better)
    order = np.argsort(means, kind="stable")
    omnibus = friedman(matrix, higher_is_better).p_value
    sorted_ranks = means[order]
    difference = nemenyi_difference(methods, problems, alpha) if how == "nemenyi" else None
    p_values = None if how == "nemenyi" else _pairwise(oriented(matrix, higher_is_better)[:, order])
    if p_values is not None:
        alike = p_values > alpha
    else:
        alike = np.abs(sorted_ranks[:, None] - sorted_ranks) <= (difference or 0.0)
    if methods > 2 and omnibus > alpha:
        alike = np.ones((methods, methods), dtype=bool)
    sorted_names = tuple(str(names[i]) for i in order)
    return CriticalDifference(
        names=sorted_names,
        ranks=tuple(sorted_ranks.tolist()),
        groups=tuple(tuple(sorted_names[i] for i in group) for group in _largest_groups(alike)),
        alpha=alpha,
        how=how,
        problems=problems,
        p_value=omnibus,
        difference=difference,
        p_values=p_values,
    )


def nemenyi_difference(methods: int, problems: int, alpha: float = 0.05) -> float:
    """How far apart two average ranks have to lie to differ: `q sqrt(methods (methods + 1) / (6 problems))`.

    Source: Nemenyi 1963; Demsar 2006 (JMLR 7): q is the studentised range's quantile, infinitely many degrees of
    freedom, divided by the root of 2.
    """
    q = float(studentized_range.ppf(1 - alpha, methods, np.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * problems))


def _pairwise(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p-values of all pairs of columns, `[methods, methods]`, 1 on the diagonal."""
    methods = scores.shape[1]
    pairs = list(itertools.combinations(range(methods), 2))
    adjusted = holm([signed_rank(scores[:, i], scores[:, j]) for i, j in pairs])
    table = np.ones((methods, methods))
    for (i, j), p_value in zip(pairs, adjusted, strict=True):
        table[i, j] = table[j, i] = p_value
    return table


def _largest_groups(alike: NDArray[np.bool_]) -> list[tuple[int, ...]]:
    """The maximal sets of at least two numbers that are all alike, sorted (Bron and Kerbosch 1973, with a pivot)."""
    near = [set(np.flatnonzero(row).tolist()) - {i} for i, row in enumerate(alike)]
    found: list[tuple[int, ...]] = []

    def grow(group: set[int], joinable: set[int], tried: set[int]) -> None:
        if not joinable and not tried:
            found.append(tuple(sorted(group)))
            return
        pivot = max(joinable | tried, key=lambda i: len(near[i] & joinable))
        for i in sorted(joinable - near[pivot]):
            grow(group | {i}, joinable & near[i], tried & near[i])
            joinable, tried = joinable - {i}, tried | {i}

    grow(set(), set(range(len(near))), set())
    return sorted(group for group in found if len(group) > 1)
