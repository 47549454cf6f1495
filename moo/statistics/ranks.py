"""Ranks of methods on problems: 1 is the best, equal scores share the mean of their places."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def oriented(scores: Any, higher_is_better: bool) -> NDArray[np.float64]:
    """Scores of any shape as float64 of which larger ones are better; NaN (no score) as minus infinity, the worst."""
    values = np.array(scores, dtype=np.float64) * (1.0 if higher_is_better else -1.0)
    return np.where(np.isnan(values), -np.inf, values)


def scores_matrix(scores: Any) -> NDArray[np.float64]:
    """Scores as a float64 array `[problems, methods]`.

    Raises:
        ValueError: They have another shape, or no rows, or less than two columns.
    """
    matrix = np.array(scores, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] < 1 or matrix.shape[1] < 2:
        raise ValueError(
            "`scores` should have shape [problems, methods] with at least one problem and two methods. "
            f"Found {list(matrix.shape)}."
        )
    return matrix


def ranks(scores: Any, higher_is_better: bool) -> NDArray[np.float64]:
    """The rank of each method on each problem: 1 is the best, ties get the mean of their places, NaN ranks worst.

    Args:
        scores: `[problems, methods]`.
        higher_is_better: Whether larger scores are better.

    Returns:
        `[problems, methods]`, from 1 to the number of methods.

    Raises:
        ValueError: The shape is wrong.
    """
    ranked: NDArray[np.float64] = rankdata(-oriented(scores_matrix(scores), higher_is_better), axis=1)
    return ranked


def average_ranks(scores: Any, higher_is_better: bool) -> NDArray[np.float64]:
    """The mean over problems of each method's rank, `[methods]`; see `ranks` for ties and NaN.

    Source: Friedman 1937 (JASA 32(200)); for comparing methods, Demsar 2006 (JMLR 7).

    Raises:
        ValueError: The shape of `scores` is not `[problems, methods]`.
    """
    means: NDArray[np.float64] = ranks(scores, higher_is_better).mean(axis=0)
    return means
