"""Pareto dominance on objectives that are all maximised: filters, ranks, crowding and constraint violation.

Every function takes and returns tensors; the result lies on the device of the input. Filters and sorting run through
moocore on the CPU, in float64 (moocore reads NaN as a value and returns wrong ranks, hence the checks before it).
"""

from __future__ import annotations

import moocore
import numpy as np
import torch
from torch import Tensor

from moo.checks import check_finite_rows, check_matrix


def _finite_array(objectives: Tensor) -> np.ndarray:
    """Read objectives as a finite float64 array `[n, m]`; it may share memory with the tensor."""
    array: np.ndarray = check_matrix("objectives", objectives).numpy()
    if array.shape[1] == 0:
        raise ValueError(f"`objectives` should have at least one column. Found shape {list(array.shape)}.")
    if not np.isfinite(array).all():  # numpy first: a third of the cost of torch's check on a population
        check_finite_rows("objectives", objectives)
    return array


def dominates(a: Tensor, b: Tensor) -> Tensor:
    """Whether `a` is at least as good as `b` in every objective and better in one.

    Args:
        a: Objectives `[..., m]`, maximised.
        b: Objectives `[..., m]`; the leading dimensions broadcast.

    Returns:
        Booleans `[...]`. A row with NaN neither dominates nor is dominated.
    """
    return (a >= b).all(dim=-1) & (a > b).any(dim=-1)


def non_dominated(objectives: Tensor, *, keep_duplicates: bool = False) -> Tensor:
    """Mark the rows that no other row dominates.

    Args:
        objectives: `[n, m]`, maximised, m >= 1.
        keep_duplicates: Keep all of several equal rows; by default only the first of them.

    Returns:
        Booleans `[n]`; empty for n = 0.

    Raises:
        ValueError: The shape is another, or a value is NaN or infinite (the first such row is named).
    """
    mask = moocore.is_nondominated(_finite_array(objectives), maximise=True, keep_weakly=keep_duplicates)
    return torch.from_numpy(mask).to(objectives.device)


def ranks(objectives: Tensor) -> Tensor:
    """Number the fronts of non-dominated sorting: 0 for the first, 1 for the first of what is left, and so on.

    Args:
        objectives: `[n, m]`, maximised, m >= 1. Equal rows share their rank.

    Returns:
        int64 `[n]`; empty for n = 0.

    Raises:
        ValueError: The shape is another, or a value is NaN or infinite (the first such row is named).
    """
    found = moocore.pareto_rank(_finite_array(objectives), maximise=True)
    return torch.from_numpy(found).to(objectives.device, torch.int64)


def crowding_distance(objectives: Tensor) -> Tensor:
    """How far each row's neighbours in its front lie apart: the mean over objectives of the gap over the range.

    Each objective is sorted (stably: of equal values the earlier row comes first). A row counts the gap between its two
    neighbours, divided by the range; the first and the last row count infinity. An objective of zero range counts 0 for
    every row, so a single row gets 0.

    Source: Deb et al. 2002 (NSGA-II, IEEE TEC 6(2)), section III-B. There the gaps are summed; the mean does not grow
    with the number of objectives and orders the rows alike.

    Args:
        objectives: `[n, m]`, one front, m >= 1.

    Returns:
        float64 `[n]`, at least 0, larger is less crowded; empty for n = 0.

    Raises:
        ValueError: The shape is another, or a value is NaN or infinite (the first such row is named).
    """
    array = _finite_array(objectives)
    n, m = array.shape
    distance = np.zeros(n)
    for column in array.T if n else ():
        order = np.argsort(column, kind="stable")
        values = column[order]
        span = values[-1] - values[0]
        if span > 0:
            distance[order[1:-1]] += (values[2:] - values[:-2]) / span
            distance[order[[0, -1]]] = np.inf
    return torch.from_numpy(distance / m).to(objectives.device)


def violation(constraints: Tensor) -> Tensor:
    """How much each row violates its constraints: the sum of the positive parts.

    Args:
        constraints: `[n, c]`, feasible where `<= 0`; c = 0 means no constraints.

    Returns:
        `[n]` in the dtype of the input (float64 for integers), 0 exactly where a row is feasible. A row with NaN gets
        NaN, which is not `<= 0` and so not feasible.
    """
    values = constraints if constraints.is_floating_point() else constraints.to(torch.float64)
    return values.clamp(min=0).sum(dim=-1)
