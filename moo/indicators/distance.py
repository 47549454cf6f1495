"""Distances between a set of objectives and a reference set, such as a sample of the true front.

All of them are smaller where they are better and depend on the scale of each objective: normalise objectives and
reference set alike beforehand where the ranges differ, and say how. The generational distances are plain means of
distances (p = 1), as in Ishibuchi et al. 2015; other texts take a power mean with another p, so that values compare
only where p agrees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import moocore
import numpy as np
from scipy.spatial import KDTree

from moo.indicators.inputs import inside, read_rows

TREE_FROM = 200_000  # pairs of rows from which a k-d tree is no slower than moocore (at 10^6 up to 3 times faster)
MOOCORE_COLUMNS = range(2, 256)  # for others moocore expands the square, which cancels: 0 for 1e8 and 1e8 + 1


def igd(objectives: Any, reference_set: Any, directions: str | Sequence[str] | None = None) -> float:
    """Inverted generational distance: how far, on average, a reference point is from the nearest point of the set.

    It is not Pareto-compliant: a dominated row that lies nearer to a reference point improves it, and a dominated set
    can score better than the one that dominates it. `igd_plus` mends that.

    Source: Coello Coello and Reyes Sierra 2004 (MICAI), as the plain mean of Ishibuchi et al. 2015 (EMO). Computed in
    float64 by moocore, by a k-d tree for one objective and for many pairs of rows.

    Args:
        objectives: Tensor, array or nested list `[n, m]`, m >= 1. Order and duplicates do not matter.
        reference_set: `[k, m]`, k >= 1, in the directions of the objectives. Duplicates weigh more.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.

    Returns:
        At least 0, smaller is better; 0 where every reference point is in the set, infinity for an empty set.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, the reference set is empty or a value is NaN or infinite (the first such row is
            named).
    """
    array, reference = _read(objectives, reference_set, directions)
    return _mean_nearest(reference, array) if len(array) else math.inf


def igd_plus(objectives: Any, reference_set: Any, directions: str | Sequence[str] | None = None) -> float:
    """Inverted generational distance that counts only shortfalls: how much a reference point is better, on average.

    The distance of a row from a reference point is the Euclidean length of what the row lacks in each objective. So a
    set that weakly dominates another never scores worse, and dominated rows change nothing.

    Source: Ishibuchi, Masuda, Tanigaki and Nojima 2015 (EMO). Computed in float64 by moocore.

    Args:
        objectives: Tensor, array or nested list `[n, m]`, m >= 1. Order, duplicates and dominated rows do not matter.
        reference_set: `[k, m]`, k >= 1, in the directions of the objectives. Duplicates weigh more.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.

    Returns:
        At least 0, smaller is better; 0 where every reference point is weakly dominated, infinity for an empty set.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, the reference set is empty or a value is NaN or infinite (the first such row is
            named).
    """
    array, reference = _read(objectives, reference_set, directions)
    return float(moocore.igd_plus(array, ref=reference, maximise=True)) if len(array) else math.inf


def gd(objectives: Any, reference_set: Any, directions: str | Sequence[str] | None = None) -> float:
    """Generational distance: how far, on average, a row of the set is from the nearest reference point.

    It says nothing about what the set misses: one row on the reference set scores 0. It is a mean over the rows, so
    that duplicates and dominated rows change it, and adding a good row can worsen it.

    Source: Van Veldhuizen and Lamont 1998, as the plain mean of Ishibuchi et al. 2015 (EMO). Van Veldhuizen divides the
    root of the sum of squares (p = 2) by n. Computed in float64 as `igd` with its two sets exchanged.

    Args:
        objectives: Tensor, array or nested list `[n, m]`, m >= 1. Their order does not matter.
        reference_set: `[k, m]`, k >= 1, in the directions of the objectives. Duplicates do not matter.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.

    Returns:
        At least 0, smaller is better; 0 where every row is in the reference set, infinity for an empty set.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, the reference set is empty or a value is NaN or infinite (the first such row is
            named).
    """
    array, reference = _read(objectives, reference_set, directions)
    return _mean_nearest(array, reference) if len(array) else math.inf


def gd_plus(objectives: Any, reference_set: Any, directions: str | Sequence[str] | None = None) -> float:
    """Generational distance that counts only shortfalls: how much the nearest reference point is better, on average.

    Like `gd` it says nothing about what the set misses, and is a mean over the rows.

    Source: Ishibuchi, Masuda, Tanigaki and Nojima 2015 (EMO). Computed in float64 by moocore, from its `igd_plus`.

    Args:
        objectives: Tensor, array or nested list `[n, m]`, m >= 1. Their order does not matter.
        reference_set: `[k, m]`, k >= 1, in the directions of the objectives. Duplicates do not matter.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.

    Returns:
        At least 0, smaller is better; 0 where every row weakly dominates a reference point, infinity for an empty set.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, the reference set is empty or a value is NaN or infinite (the first such row is
            named).
    """
    array, reference = _read(objectives, reference_set, directions)
    # With the sets exchanged, what a row lacks against a reference point is what it has too much where one minimises.
    return float(moocore.igd_plus(reference, ref=array, maximise=False)) if len(array) else math.inf


def additive_epsilon(objectives: Any, reference_set: Any, directions: str | Sequence[str] | None = None) -> float:
    """The least amount that, added to every objective of every row, makes the set weakly dominate the reference set.

    A set that weakly dominates another never scores worse, and dominated rows change nothing.

    Source: Zitzler, Thiele, Laumanns, Fonseca and Grunert da Fonseca 2003 (IEEE TEC 7(2)). Computed in float64 by
    moocore.

    Args:
        objectives: Tensor, array or nested list `[n, m]`, m >= 1. Order, duplicates and dominated rows do not matter.
        reference_set: `[k, m]`, k >= 1, in the directions of the objectives. Nor do they matter there.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.

    Returns:
        Smaller is better; at most 0 where the set weakly dominates every reference point, below 0 where it is better
        than each of them in every objective, infinity for an empty set.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, the reference set is empty or a value is NaN or infinite (the first such row is
            named).
    """
    array, reference = _read(objectives, reference_set, directions)
    return float(moocore.epsilon_additive(array, ref=reference, maximise=True)) if len(array) else math.inf


def _read(objectives: Any, reference_set: Any, directions: str | Sequence[str] | None) -> tuple[np.ndarray, np.ndarray]:
    """Objectives `[n, m]` and reference set `[k, m]`, checked, float64, all maximised."""
    reference = read_rows("reference_set", reference_set)
    if len(reference) == 0:
        raise ValueError("`reference_set` should have at least one row: no distance from nothing. Found none.")
    values = read_rows("objectives", objectives, like=reference)
    if values.shape[1] != reference.shape[1]:
        raise ValueError(
            "`objectives` and `reference_set` should have the same number of columns, one per objective. "
            f"Found {values.shape[1]} and {reference.shape[1]}."
        )
    array, turned = (tensor.numpy() for tensor in inside(directions, values, reference))
    return array, turned


def _mean_nearest(rows: np.ndarray, targets: np.ndarray) -> float:
    """Mean over the rows of the Euclidean distance to the nearest target."""
    if rows.shape[1] in MOOCORE_COLUMNS and len(rows) * len(targets) < TREE_FROM:
        return float(moocore.igd(targets, ref=rows))
    return float(np.mean(KDTree(targets).query(rows)[0]))
