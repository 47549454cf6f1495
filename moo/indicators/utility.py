"""Expected utility: what a user whose preference is drawn from a set of them gets from the best row."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from moo.indicators.inputs import inside, read_rows
from moo.preferences import check_preferences

BLOCK = 2**18  # numbers in the largest intermediate tensor: 2 MB stay in a core's cache


def expected_utility(objectives: Any, preferences: Any, directions: str | Sequence[str] | None = None) -> float:
    """Mean over preferences of the largest weighted sum that a row of the set offers (EUM).

    Only rows on the convex hull count. It depends on the scale of each objective: normalise beforehand with a fixed
    range where the ranges differ, and say how. A minimised objective counts with a minus sign.

    Source: Zintgraf, Kanters, Roijers, Oliehoek and Beau 2015 (Benelearn). There utility functions and their
    distribution are the user's; here utility is linear and each given preference equally likely.

    Args:
        objectives: Tensor, array or nested list `[n, m]`, m >= 1. Order, duplicates and dominated rows do not matter.
        preferences: `[k, m]` with k >= 1, or one row `[m]`; rows on the simplex.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.

    Returns:
        Larger is better; minus infinity for an empty set. A set that weakly dominates another never scores worse.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, a value is NaN or infinite (the first such row is named) or a preference does not
            lie on the simplex.
    """
    values = read_rows("objectives", objectives, like=preferences)
    chosen = check_preferences(preferences, values.shape[1])
    (values,) = inside(directions, values)
    return mean_best(lambda rows, block: block @ rows.T, values, chosen)


def mean_best(scalarise: Callable[[Tensor, Tensor], Tensor], objectives: Tensor, preferences: Tensor) -> float:
    """Mean over preferences of the largest scalarised value in a set, computed in blocks of preferences.

    Args:
        scalarise: From objectives `[n, m]` and preferences `[b, m]` to values `[b, n]`, larger is better.
        objectives: `[n, m]`, maximised.
        preferences: `[k, m]`, k >= 1.

    Returns:
        Minus infinity for an empty set.
    """
    if len(objectives) == 0:
        return -math.inf
    rows = max(1, BLOCK // objectives.numel())
    best = [scalarise(objectives, block).amax(dim=1) for block in torch.split(preferences, rows)]
    return float(torch.cat(best).mean())
