"""Summaries of many runs on many problems: interquartile mean, bootstrap intervals, performance profiles.

Runs are given problem by problem: a matrix `[problems, runs]`, or a list of arrays where their numbers differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moo.checks import check_count
from moo.seeding import numpy_generator

Runs = list[NDArray[np.float64]]


def interquartile_mean(scores: Any) -> float:
    """The mean of the middle half of all runs of all problems together.

    A quarter of the runs is left out at each end; where their number is no multiple of four, the quarter is rounded
    down. Problems should have been normalised to one scale, and one with more runs weighs more.

    Source: Agarwal, Schwarzer, Castro, Courville and Bellemare 2021 (NeurIPS, arXiv 2108.13264).

    Args:
        scores: `[problems, runs]`, or one array of runs per problem.

    Raises:
        ValueError: There is no run, or a score is NaN.
    """
    return float(_middle_mean(np.concatenate(_runs(scores))))


def bootstrap_interval(
    scores: Any,
    statistic: Callable[[Runs], float] = interquartile_mean,
    *,
    replicates: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile interval of a statistic, runs drawn anew with replacement within each problem.

    It says how far the statistic would vary with other seeds on the same problems, not with other problems.

    Source: Efron 1979 (Annals of Statistics 7(1)); stratified over problems: Agarwal et al. 2021 (arXiv 2108.13264).

    Args:
        scores: `[problems, runs]`, or one array of runs per problem, of at least two runs each.
        statistic: Takes a list of arrays, the runs of each problem.
        replicates: How often runs are drawn.
        confidence: Above 0 and below 1.
        seed: The same seed gives the same interval.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: A problem has one run alone (which would always be drawn), a score is NaN, or an option is outside
            of its range.
    """
    runs = _runs(scores)
    check_count("replicates", replicates)
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` should be above 0 and below 1. Found {confidence}.")
    if min(len(values) for values in runs) < 2:
        raise ValueError(
            "`scores` should hold at least 2 runs of each problem: one alone is always drawn again, and the interval "
            "would be too narrow. Found a problem with 1. Run more seeds."
        )
    generator = numpy_generator(seed, "bootstrap")
    drawn = [values[generator.integers(len(values), size=(replicates, len(values)))] for values in runs]
    if statistic is interquartile_mean:  # of all replicates at once
        found = _middle_mean(np.concatenate(drawn, axis=1))
    else:
        found = np.array([statistic([values[i] for values in drawn]) for i in range(replicates)])
    low = np.quantile(found, (1 - confidence) / 2, method="lower")  # infinite scores cannot be interpolated
    high = np.quantile(found, (1 + confidence) / 2, method="higher")
    return float(low), float(high)


def performance_profile(scores: Any, thresholds: Any, higher_is_better: bool = True) -> NDArray[np.float64]:
    """The share of runs that are at least as good as each threshold; every problem weighs alike.

    Source: Dolan and More 2002 (Mathematical Programming 91) for runtimes; of scores: Agarwal et al. 2021
    (arXiv 2108.13264), where a run has to be better than the threshold instead of at least as good.

    Args:
        scores: `[problems, runs]`, or one array of runs per problem; NaN is worse than any threshold.
        thresholds: `[t]`, on the scale of the scores.
        higher_is_better: Whether larger scores are better.

    Returns:
        `[t]`, from 0 to 1.

    Raises:
        ValueError: There is a problem without a run.
    """
    limits = np.array(thresholds, dtype=np.float64)
    sign = 1.0 if higher_is_better else -1.0
    shares = [(sign * values[:, None] >= sign * limits).mean(axis=0) for values in _runs(scores, missing=True)]
    mean: NDArray[np.float64] = np.mean(shares, axis=0)
    return mean


def _runs(scores: Any, missing: bool = False) -> Runs:
    """One array of runs per problem; NaN only where some may be `missing`."""
    runs = [np.array(values, dtype=np.float64) for values in scores]
    if not runs or any(values.ndim != 1 or not len(values) for values in runs):
        shapes = [list(values.shape) for values in runs]
        raise ValueError(f"`scores` should hold at least one run of each problem, [problems, runs]. Found {shapes}.")
    if not missing and any(np.isnan(values).any() for values in runs):
        raise ValueError("`scores` should hold no NaN: a run without a score has no place among the others. Found one.")
    return runs


def _middle_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of what is left where a quarter of the values `[..., n]` is dropped at each end, `[...]`."""
    n = values.shape[-1]
    mean: NDArray[np.float64] = np.sort(values, axis=-1)[..., n // 4 : n - n // 4].mean(axis=-1)
    return mean
