"""Diversity: how evenly the points of a set are spaced."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from moo.indicators.inputs import inside, read_rows


def spacing(objectives: Any, directions: str | Sequence[str] | None = None) -> float:
    """Standard deviation of the distances from each point to its nearest neighbour, in the sum of absolute differences.

    No quality on its own: it says neither how good the points are nor how far they reach. Any two points score 0, and
    so do pairs of equal width however far apart. Read it beside an indicator of quality. Dominated rows count: pass a
    front. It depends on the scale of each objective: normalise beforehand where the ranges differ, and say how.

    Source: Schott 1995 (master's thesis, MIT), with n - 1 in the denominator. Schott says nothing about equal points;
    here they count once, since a set that has collapsed into few points would otherwise look perfectly even.

    Args:
        objectives: Tensor, array or nested list `[n, m]`, m >= 1. Order and duplicates do not matter.
        directions: `"max"`, `"min"` or one of them per objective, only checked: distances do not depend on them.

    Returns:
        At least 0, smaller is more even; infinity for fewer than two distinct points, which have no spacing.

    Raises:
        TypeError: The argument cannot be read as numbers.
        ValueError: The shape is wrong or a value is NaN or infinite (the first such row is named).
    """
    (values,) = inside(directions, read_rows("objectives", objectives, like=directions))
    points = np.unique(values.numpy(), axis=0)
    if len(points) < 2:
        return math.inf
    nearest, _ = KDTree(points).query(points, k=[2], p=1)  # the second only: the first neighbour of a point is itself
    return float(np.std(nearest, ddof=1))
