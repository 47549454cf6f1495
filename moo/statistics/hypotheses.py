"""Tests of whether methods differ: all at once, two samples, paired values; and Holm's correction for many of them.

All go by ranks, so that a score may be infinite (nothing was found). All p-values are two-sided.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, f, norm, rankdata

from moo.statistics.ranks import ranks

EXACT_RANK_SUM = 40  # values of both samples together, up to which the law is counted
EXACT_SIGNED_RANK = 50  # pairs


class Omnibus(NamedTuple):
    """The outcome of a test over all methods at once.

    Attributes:
        statistic: Chi-square (`friedman`) or F (`iman_davenport`).
        p_value: The probability of at least this statistic where no method differs.
    """

    statistic: float
    p_value: float


def friedman(scores: Any, higher_is_better: bool = True) -> Omnibus:
    """Friedman's test of whether methods differ over problems, with the correction for ties.

    The p-value is that of the chi-square law, a limit for many problems. Where all scores of each problem are equal,
    the statistic is 0 and p is 1.

    Source: Friedman 1937 (JASA 32(200)); the form with ties is Conover's (Practical Nonparametric Statistics, 1999).

    Args:
        scores: `[problems, methods]`; NaN ranks worst.
        higher_is_better: Matters only for where NaN ranks.

    Raises:
        ValueError: The shape is wrong.
    """
    ranked = ranks(scores, higher_is_better)
    problems, methods = ranked.shape
    middle = (methods + 1) / 2
    spread = float(((ranked - middle) ** 2).sum())
    between = float(((ranked.sum(axis=0) - problems * middle) ** 2).sum())
    statistic = (methods - 1) * between / spread if spread else 0.0
    return Omnibus(statistic, float(chi2.sf(statistic, methods - 1)))


def iman_davenport(scores: Any, higher_is_better: bool = True) -> Omnibus:
    """Iman and Davenport's F form of Friedman's test, which is less conservative with few problems.

    Where all problems rank the methods alike, F is infinite and p is `(1 / methods!)^(problems - 1)`.

    Source: Iman and Davenport 1980 (Communications in Statistics 9(6)); Conover 1999 for the infinite F.

    Args:
        scores: `[problems, methods]`, at least two problems; NaN ranks worst.
        higher_is_better: Matters only for where NaN ranks.

    Raises:
        ValueError: The shape is wrong, or there is one problem alone.
    """
    problems, methods = ranks(scores, higher_is_better).shape
    if problems < 2:
        raise ValueError("`scores` should hold at least 2 problems: one alone leaves nothing to compare with. Found 1.")
    chi_square = friedman(scores, higher_is_better).statistic
    left = problems * (methods - 1) - chi_square
    if left <= 1e-12 * problems * methods:  # zero but for rounding
        return Omnibus(math.inf, math.factorial(methods) ** (1.0 - problems))
    statistic = (problems - 1) * chi_square / left
    return Omnibus(statistic, float(f.sf(statistic, methods - 1, (methods - 1) * (problems - 1))))


# ------------------------------------------------------------------------------------------------ two samples
def rank_sum(a: Any, b: Any) -> float:
    """Wilcoxon's rank-sum test (Mann and Whitney's U) of two independent samples: the p-value.

    Up to 40 values together the law of the rank sum is counted out, given the ties; beyond that it is the normal law,
    corrected for ties and continuity. Two-sided: twice the smaller tail, at most 1.

    Source: Wilcoxon 1945 (Biometrics Bulletin 1(6)); with ties, Lehmann 1975 (Nonparametrics, chapter 1).

    Args:
        a, b: Scores `[n]` and `[k]`, at least one each, of any lengths; infinite ones rank as such.

    Raises:
        ValueError: A sample is empty or holds NaN.
    """
    first, second = _sample("a", a), _sample("b", b)
    ranked = rankdata(np.concatenate([first, second]))
    if len(ranked) <= EXACT_RANK_SUM:
        doubled = np.round(2 * ranked).astype(int)  # mean ranks are halves at most
        counts = _sums_of_subsets(tuple(sorted(doubled.tolist())), len(first))
        return _two_tails(counts, int(doubled[: len(first)].sum()))
    n, k, both = len(first), len(second), len(ranked)
    _, tied = np.unique(ranked, return_counts=True)
    variance = n * k / 12 * (both + 1 - float((tied**3 - tied).sum()) / (both * (both - 1)))
    distance = abs(float(ranked[:n].sum()) - n * (both + 1) / 2)
    return _normal_two_tails(distance, variance)


def least_rank_sum(n: int, k: int) -> float:
    """The smallest p-value that `rank_sum` can give for `n` against `k` values: 2 of all ways to split them."""
    return min(1.0, 2 / math.comb(n + k, n))


def signed_rank(a: Any, b: Any) -> float:
    """Wilcoxon's signed-rank test of paired values, as of two methods on the same problems: the p-value.

    Equal pairs are dropped, equal distances share mean ranks. Up to 50 pairs the law is counted out, given the ties;
    beyond that it is the normal law, corrected for ties and continuity. Two equal infinities are an equal pair.

    Source: Wilcoxon 1945 (Biometrics Bulletin 1(6)); for methods over problems, Demsar 2006 (JMLR 7), who splits equal
    pairs between the two sides instead.

    Args:
        a, b: `[n]` each, not NaN.

    Raises:
        ValueError: The samples are empty, of different lengths, or hold NaN.
    """
    first, second = _sample("a", a), _sample("b", b)
    if len(first) != len(second):
        raise ValueError(f"`a` and `b` should be pairs of equal number. Found {len(first)} and {len(second)} values.")
    unequal = first != second
    differences = first[unequal] - second[unequal]
    if not len(differences):
        return 1.0
    ranked = rankdata(np.abs(differences))
    if len(ranked) <= EXACT_SIGNED_RANK:
        doubled = np.round(2 * ranked).astype(int)
        return _two_tails(_sums_of_any(tuple(sorted(doubled.tolist()))), int(doubled[differences > 0].sum()))
    distance = abs(float(ranked[differences > 0].sum()) - float(ranked.sum()) / 2)
    return _normal_two_tails(distance, float((ranked**2).sum()) / 4)


def _sample(name: str, values: Any) -> NDArray[np.float64]:
    sample = np.array(values, dtype=np.float64)
    if sample.ndim != 1 or not len(sample):
        raise ValueError(f"`{name}` should be a list of at least one number. Found shape {list(sample.shape)}.")
    if np.isnan(sample).any():
        raise ValueError(f"`{name}` should hold no NaN: say with `oriented` that no score is the worst. Found one.")
    return sample


@functools.lru_cache(maxsize=1024)  # without ties, all samples of some sizes share one law
def _sums_of_subsets(values: tuple[int, ...], size: int) -> NDArray[np.float64]:
    """How many subsets of `size` of whole numbers have each sum, from 0 up."""
    counts: NDArray[np.float64] = np.zeros((size + 1, sum(values) + 1))
    counts[0, 0] = 1
    for value in values:
        counts[1:, value:] += counts[:-1, :-value].copy()
    of_size: NDArray[np.float64] = counts[size]
    return of_size


@functools.lru_cache(maxsize=1024)
def _sums_of_any(values: tuple[int, ...]) -> NDArray[np.float64]:
    """How many subsets of any size of whole numbers have each sum, from 0 up."""
    counts = np.zeros(sum(values) + 1)
    counts[0] = 1
    for value in values:
        counts[value:] += counts[:-value].copy()
    return counts


def _two_tails(counts: NDArray[np.float64], at: int) -> float:
    """Twice the smaller tail of a law that is given by counts, both tails holding what was found, `at`."""
    smaller = min(counts[: at + 1].sum(), counts[at:].sum())
    return min(1.0, float(2 * smaller / counts.sum()))


def _normal_two_tails(distance: float, variance: float) -> float:
    """Both tails of the normal law beyond a distance from its mean, with the correction for continuity."""
    if variance <= 0:
        return 1.0  # all values are equal
    return min(1.0, float(2 * norm.sf((distance - 0.5) / math.sqrt(variance))))


# ------------------------------------------------------------------------------------------------ many tests
def holm(p_values: Any) -> NDArray[np.float64]:
    """Adjust p-values for their number: a test rejects at `alpha` where its adjusted p-value is at most `alpha`.

    Source: Holm 1979 (Scandinavian Journal of Statistics 6(2)): the i-th smallest of m is multiplied by m - i + 1, and
    none is smaller than one before it.

    Args:
        p_values: `[m]`, from 0 to 1; possibly none.

    Returns:
        `[m]`, in the order given, at most 1.

    Raises:
        ValueError: The shape is wrong, or a value lies outside of [0, 1] or is NaN.
    """
    values = np.array(p_values, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"`p_values` should be a list of numbers from 0 to 1. Found {values.tolist()}.")
    order = np.argsort(values, kind="stable")
    raised = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(raised, 1.0)
    return adjusted
