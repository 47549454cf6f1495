"""Pareto dominance: filters, ranks, crowding, constraint violation; one set or a batch of sets, on any device.

Objectives are maximised unless `directions` says otherwise. On the CPU few sets or large ones run through moocore, one
after the other; everything else runs through tensor code of our own.
"""

from __future__ import annotations

import math
from typing import Any

import moocore
import numpy as np
import torch
from torch import Tensor

from moo.indicators.filters import non_dominated_cloud, non_dominated_sets, ranks_sets
from moo.indicators.inputs import Directions, Sets, as_numbers, read_sets

LOOP_FROM, LOOP_BELOW = 90, 64  # rows of a set from which, and sets below which, moocore set by set is faster on a CPU


def dominates(a: Tensor, b: Tensor) -> Tensor:
    """Whether maximised `a` is at least as good as `b` in every objective and better in one.

    Args:
        a: Objectives `[..., m]`, maximised.
        b: Objectives `[..., m]`; the leading dimensions broadcast.

    Returns:
        Booleans `[...]`. A row with NaN neither dominates nor is dominated.
    """
    return (a >= b).all(dim=-1) & (a > b).any(dim=-1)


def epsilon_dominates(a: Tensor, b: Tensor, epsilon: float | Tensor) -> Tensor:
    """Whether maximised `a`, improved by `epsilon` in every objective, is at least as good as `b` in every one.

    Source: Laumanns, Thiele, Deb and Zitzler 2002 (Evolutionary Computation 10(3)), the additive form.

    Args:
        a: Objectives `[..., m]`, maximised.
        b: Objectives `[..., m]`; the leading dimensions broadcast.
        epsilon: At least 0, one number or `[m]`.

    Returns:
        Booleans `[...]`. A row with NaN neither dominates nor is dominated.
    """
    return (a + epsilon >= b).all(dim=-1)


def constrained_dominates(a: Tensor, b: Tensor, violation_a: Tensor, violation_b: Tensor) -> Tensor:
    """Whether `a` beats `b` under constraints: by less violation, or, both being feasible, by dominance.

    Source: Deb, Pratap, Agarwal and Meyarivan 2002 (NSGA-II, IEEE TEC 6(2)), definition 1.

    Args:
        a: Objectives `[..., m]`, maximised.
        b: Objectives `[..., m]`; the leading dimensions broadcast.
        violation_a: `[...]`, at least 0, 0 where feasible: see `violation`.
        violation_b: `[...]`.

    Returns:
        Booleans `[...]`. A row with NaN, or whose violation is NaN, neither beats nor is beaten.
    """
    both = (violation_a == 0) & (violation_b == 0)
    return torch.where(both, dominates(a, b), violation_a < violation_b)


def non_dominated(
    objectives: Any,
    *,
    keep_duplicates: bool = False,
    directions: Directions = None,
    mask: Any = None,
    nan: str = "raise",
) -> Tensor:
    """Mark the rows of maximised objectives that no other row dominates.

    Args:
        objectives: `[n, m]`, or a batch of sets `[..., n, m]`, m >= 1.
        keep_duplicates: Keep all of several equal rows; by default only the first of them.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows that count, bool `[..., n]`; None: all of them. The others are marked False.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count.

    Returns:
        Booleans `[..., n]` on the device of the input. An infinitely bad row counts as dominated.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, or a value is NaN (the first such row is named) or infinitely good.
    """
    sets = read_sets(objectives, directions=directions, mask=mask, nan=nan)
    if sets.plain and sets.mask is None:
        return torch.from_numpy(non_dominated_cloud(sets.array(), keep_duplicates))
    if sets.values.shape[-1] > 2 and _by_loop(sets):
        return sets.loop(lambda rows: non_dominated_cloud(rows, keep_duplicates), fill=False)
    marked = non_dominated_sets(sets.neutral(-math.inf), keep_duplicates)
    return marked if sets.mask is None else marked & sets.mask


def joined_front(front: Tensor, objectives: Tensor) -> Tensor:
    """The distinct non-dominated rows, in lexicographic order, of maximised rows `[k, m]` and `[n, m]`."""
    both = torch.cat([front, objectives])
    rows: Tensor = torch.unique(both[non_dominated(both)], dim=0)
    return rows


def pareto_ranks(objectives: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise") -> Tensor:
    """Number the fronts of non-dominated sorting of maximised objectives: 0 for the first, 1 for the first of the rest.

    Source: Deb, Pratap, Agarwal and Meyarivan 2002 (NSGA-II, IEEE TEC 6(2)).

    Args:
        objectives: `[n, m]`, or a batch of sets `[..., n, m]`, m >= 1. Equal rows share their rank.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows that count, bool `[..., n]`; None: all of them. The others get -1.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count and get -1.

    Returns:
        int64 `[..., n]` on the device of the input. Infinitely bad rows get -1, too.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, or a value is NaN (the first such row is named) or infinitely good.
    """
    sets = read_sets(objectives, directions=directions, mask=mask, nan=nan)
    if sets.plain and sets.mask is None:
        return torch.from_numpy(_ranks(sets.array()))
    if _by_loop(sets):
        return sets.loop(_ranks, fill=-1)
    ranks = ranks_sets(sets.neutral(-math.inf))
    return ranks if sets.mask is None else torch.where(sets.mask, ranks, -1)


def _by_loop(sets: Sets) -> bool:
    """Whether a loop of moocore over sets is faster than our own comparison of all pairs."""
    *leading, n, _ = sets.values.shape
    return sets.values.device.type == "cpu" and n > 0 and (n >= LOOP_FROM or math.prod(leading) < LOOP_BELOW)


def _ranks(array: np.ndarray) -> np.ndarray:
    """Ranks of one set `[n, m]` on the CPU, int64 `[n]`."""
    ranks: np.ndarray = moocore.pareto_rank(-array)  # as minimised: half the overhead of `maximise`
    return ranks.astype(np.int64)


def constrained_ranks(
    objectives: Any, constraints: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Tensor:
    """Ranks of maximised objectives under constraints: feasible rows by non-dominated sorting, the rest behind them.

    These are the fronts under `constrained_dominates`: behind the feasible rows one for each amount of violation.

    Source: Deb, Pratap, Agarwal and Meyarivan 2002 (NSGA-II, IEEE TEC 6(2)), definition 1.

    Args:
        objectives: `[n, m]`, or a batch of sets `[..., n, m]`, m >= 1.
        constraints: `[..., n, c]`, feasible where `<= 0`; c = 0 means no constraints.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows that count, bool `[..., n]`; None: all of them. The others get -1.
        nan: `"raise"`, or `"drop"`: rows with NaN in their objectives or constraints do not count and get -1.

    Returns:
        int64 `[..., n]` on the device of the objectives. Rows with infinitely bad objectives get -1, too.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, a value is NaN (the first such row is named), or an objective infinitely good.
    """
    sets = read_sets(objectives, directions=directions, mask=mask, nan=nan)
    limits = as_numbers("constraints", constraints).detach().to(sets.values.device)
    if limits.ndim < 2 or limits.shape[:-1] != sets.values.shape[:-1]:
        raise ValueError(
            "`objectives` and `constraints` should have shapes [n, m] and [n, c], or [..., n, m] and [..., n, c]. "
            f"Found {list(sets.values.shape)} and {list(limits.shape)}."
        )
    amount = violation(limits)
    counted = torch.ones_like(amount, dtype=torch.bool) if sets.mask is None else sets.mask
    unknown = counted & amount.isnan()
    if nan == "raise" and bool(unknown.any()):
        place = tuple(torch.nonzero(unknown)[0].tolist())
        raise ValueError(f"`constraints` should hold no NaN. {_name(place)} is {limits[place].tolist()}.")
    counted = counted & ~unknown
    feasible = counted & (amount == 0)
    ranks = pareto_ranks(sets.values, mask=feasible)
    if ranks.shape[-1] == 0:
        return ranks
    behind, order = torch.where(counted & ~feasible, amount, math.inf).sort(dim=-1)
    steps = torch.zeros_like(ranks)
    steps[..., 1:] = (behind[..., 1:] != behind[..., :-1]).cumsum(dim=-1)
    steps = torch.empty_like(steps).scatter_(-1, order, steps) + ranks.amax(dim=-1, keepdim=True) + 1
    return torch.where(feasible, ranks, torch.where(counted, steps, -1))


def _name(place: tuple[int, ...]) -> str:
    """A row of one set `(row,)` or of a batch `(..., row)`, for a message."""
    *leading, row = place
    return f"Row {row}" + (f" of set {leading[0] if len(leading) == 1 else leading}" if leading else "")


def epsilon_non_dominated(
    objectives: Any, epsilon: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Tensor:
    """Thin maximised objectives to one row per box of side `epsilon`, and to the boxes that no other box dominates.

    Every row is then epsilon-dominated by a row that stays. Of several rows in a box the one nearest to its best corner
    stays (in units of epsilon), of equally near ones the first; so no row that stays is dominated, but for rounding.

    Source: Laumanns, Thiele, Deb and Zitzler 2002 (Evolutionary Computation 10(3)), algorithm 2, additive boxes whose
    corners are multiples of epsilon; the nearest row: Deb, Mohan and Mishra 2005 (Evolutionary Computation 13(4)).

    Args:
        objectives: `[n, m]`, or a batch of sets `[..., n, m]`, m >= 1.
        epsilon: Above 0, one number or `[m]`, in the units of the objectives.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows that count, bool `[..., n]`; None: all of them. The others are marked False.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count.

    Returns:
        Booleans `[..., n]` on the device of the input. An infinitely bad row counts as dominated.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, epsilon is not above 0 or too small to divide by, or a value is NaN or infinitely
            good.
    """
    sets = read_sets(objectives, directions=directions, mask=mask, nan=nan)
    sides = as_numbers("epsilon", epsilon).detach().to(sets.values.device)
    m = sets.values.shape[-1]
    if sides.shape not in ((), (m,)) or not bool((sides > 0).all()) or not bool(sides.isfinite().all()):
        raise ValueError(f"`epsilon` should be above 0 and finite, one number or {m} of them. Found {epsilon!r}.")
    scaled = sets.values.detach() / sides
    if bool(scaled.isinf().any()):
        raise ValueError(f"`epsilon` is too small: objectives divided by it are infinite. Found {epsilon!r}.")
    boxes = scaled.ceil() - 1  # a row on a corner belongs to the box of which this is the best corner
    order = (boxes + 1 - scaled).square().sum(dim=-1).argsort(dim=-1, stable=True)  # nearest first: the first is kept
    counted = None if sets.mask is None else sets.mask.gather(-1, order)
    stays = non_dominated(boxes.gather(-2, order[..., None].expand_as(boxes)), mask=counted)
    return torch.empty_like(stays).scatter_(-1, order, stays)


def crowding_distance(
    objectives: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Tensor:
    """How far each row's neighbours in its front lie apart: the mean over objectives of the gap over the range.

    Each objective is sorted (stably: of equal values the earlier row comes first). A row counts the gap between its two
    neighbours, divided by the range; the first and the last row count infinity. An objective of zero range counts 0 for
    every row, so a single row gets 0.

    Source: Deb, Pratap, Agarwal and Meyarivan 2002 (NSGA-II, IEEE TEC 6(2)), section III-B. There the gaps are summed;
    the mean does not grow with the number of objectives and orders the rows alike.

    Args:
        objectives: One front `[n, m]`, or a batch of fronts `[..., n, m]`, m >= 1.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised. They matter where
            values tie.
        mask: Rows that count, bool `[..., n]`; None: all of them. The others get 0.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count and get 0.

    Returns:
        float64 `[..., n]`, at least 0, larger is less crowded. Infinitely bad rows get 0.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, or a value is NaN (the first such row is named) or infinitely good.
    """
    sets = read_sets(objectives, directions=directions, mask=mask, nan=nan)
    n, m = sets.values.shape[-2:]
    distance = torch.zeros(sets.values.shape[:-1], dtype=torch.float64, device=sets.values.device)
    if n == 0:
        return distance
    last = sets.counts()[..., None] - 1
    for column in sets.neutral(math.inf).detach().unbind(dim=-1):  # rows that do not count are sorted to the end
        distance += _gaps(column, last)
    return distance / m


def _gaps(column: Tensor, last: Tensor) -> Tensor:
    """Gap of each value's neighbours over the range: 0 but for the smallest `last + 1` of values `[..., n]`."""
    values, order = column.sort(dim=-1, stable=True)
    place = torch.arange(values.shape[-1], device=values.device).expand_as(values)
    span = values.gather(-1, last.clamp(min=0)) - values[..., :1]
    gaps = torch.full_like(values, math.inf)
    gaps[..., 1:-1] = values[..., 2:] - values[..., :-2]
    gaps = torch.where((span > 0) & (place <= last), gaps / span, 0.0)
    return torch.empty_like(gaps).scatter_(-1, order, gaps)


def violation(constraints: Tensor) -> Tensor:
    """How much each row violates its constraints: the sum of the positive parts.

    Args:
        constraints: `[..., c]`, feasible where `<= 0`; c = 0 means no constraints.

    Returns:
        `[...]` in the dtype of the input (float64 for integers), 0 exactly where a row is feasible. A row with NaN gets
        NaN, which is not `<= 0` and so not feasible.
    """
    values = constraints if constraints.is_floating_point() else constraints.to(torch.float64)
    return values.clamp(min=0).sum(dim=-1)
