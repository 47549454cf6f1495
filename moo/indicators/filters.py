"""Dominance in many sets at once, on any device, and in one large cloud of rows on the CPU.

All objectives are maximised. The functions check nothing: objectives are finite, or a whole row is minus infinity.
"""

from __future__ import annotations

from collections.abc import Callable

import moocore
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PAIRS_CPU, PAIRS_GPU = 1 << 20, 1 << 27  # pairs of rows compared at once: a core's cache, a share of a GPU's memory
ROWS_CPU = 1 << 16  # rows ranked at once
CLOUD_FROM = 6000  # rows below which looking for pivots would cost moocore more than 15% where nothing is dominated
FIRST_DROP, LATER_DROP, PIVOTS, FEW = 0.25, 0.04, 16, 600  # when a cloud's search for pivots begins and ends


def descending(values: Tensor) -> Tensor:
    """Order of the last axis from the largest value down; of equal values any may come first."""
    if values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64):
        return torch.from_numpy(np.argsort(values.detach().neg().numpy(), axis=-1))  # vectorised: a fifth of torch's
    return values.detach().argsort(dim=-1, descending=True)


def lexicographic(objectives: Tensor, floor: float = -torch.inf) -> Tensor:
    """Order of rows `[..., n, m]` by the first objective from the largest down, ties by the next; equal rows as given.

    Rows whose first objective is `floor` or less come last in any order.
    """
    columns = objectives.detach().unbind(dim=-1)
    if objectives.device.type == "cpu":  # where reading one truth value costs nothing
        order = descending(columns[0])
        first = columns[0].gather(-1, order)
        if not ((first[..., 1:] == first[..., :-1]) & (first[..., 1:] > floor)).any():
            return order
    order = columns[-1].argsort(dim=-1, descending=True, stable=True)
    for column in reversed(columns[:-1]):
        order = order.gather(-1, column.gather(-1, order).argsort(dim=-1, descending=True, stable=True))
    return order


def by_device(values: Tensor, cpu: int, gpu: int) -> int:
    """`cpu` or `gpu`, how many entries a temporary tensor may have on the device of `values`."""
    return cpu if values.device.type == "cpu" else gpu


def in_chunks(function: Callable[[Tensor], Tensor], sets: Tensor, size: int) -> Tensor:
    """`function` of `sets [B, ...]`, at most `size` of them (but one at least) at once."""
    size = max(1, size)
    return torch.cat([function(sets[start : start + size]) for start in range(0, len(sets), size)])


def non_dominated_sets(objectives: Tensor, keep_duplicates: bool) -> Tensor:
    """Mark the rows of each set that no other row of the set dominates.

    Cost: O(n log n) for one or two objectives, otherwise O(m n^2) by pairs, in pieces of bounded memory. On the CPU
    that pays for many small sets; above about 80 rows moocore is faster, set by set.

    Args:
        objectives: `[..., n, m]`, maximised. Neutral row: minus infinity in all objectives; it never makes another row
            dominated, and what is said of itself means nothing.
        keep_duplicates: Mark all of several equal rows; otherwise only the first of them.

    Returns:
        Booleans `[..., n]`.
    """
    *leading, n, m = objectives.shape
    if objectives.numel() == 0:
        return objectives.new_ones((*leading, n), dtype=torch.bool)
    if m <= 2:
        return _staircase(objectives.expand(*leading, n, 2), keep_duplicates)
    sets, size = objectives.detach().reshape(-1, n, m), by_device(objectives, PAIRS_CPU, PAIRS_GPU) // (n * _block(n))
    return in_chunks(lambda chunk: _pairwise(chunk, keep_duplicates), sets, size).reshape(*leading, n)


def _staircase(objectives: Tensor, keep_duplicates: bool) -> Tensor:
    """The filter for two objectives: from the largest first objective down, the rows that raise the second."""
    order = lexicographic(objectives)
    first, second = (column.gather(-1, order) for column in objectives.detach().unbind(dim=-1))
    best = second.cummax(dim=-1).values
    stays = torch.cat([torch.ones_like(best[..., :1], dtype=torch.bool), second[..., 1:] > best[..., :-1]], dim=-1)
    if keep_duplicates:  # the latest row that stays has the smallest first objective of those so far
        latest = torch.where(stays, first, torch.inf).cummin(dim=-1).values
        stays = (second == best) & (first == latest)
    return torch.empty_like(stays).scatter_(-1, order, stays)


def _pairwise(objectives: Tensor, keep_duplicates: bool) -> Tensor:
    """The filter of sets `[B, n, m]` by pairs; the sets lie along the fastest axis.

    In lexicographic order only an earlier row can dominate, and its first objective need not be compared. The rows are
    taken in blocks, each with all that lie before its end.
    """
    order = lexicographic(objectives)
    columns = torch.stack([column.gather(1, order).T for column in objectives.unbind(dim=2)])
    _, n, sets = columns.shape
    places = torch.arange(n, device=objectives.device)
    stays = torch.empty(n, sets, dtype=torch.bool, device=objectives.device)
    for start in range(0, n, rows := _block(n)):
        end = min(n, start + rows)
        covers = _at_least(columns[1:, :end], columns[1:, start:end])
        earlier = places[start:end, None] < places[start:end]
        covers[start:].bitwise_and_(earlier.view(torch.uint8)[:, :, None])
        torch.eq(covers.amax(dim=0), 0, out=stays[start:end])
    if keep_duplicates:  # as the first of equal rows, which are neighbours
        fresh = torch.cat([columns.new_ones(1, sets, dtype=torch.bool), (columns[:, 1:] != columns[:, :-1]).any(dim=0)])
        stays = stays.gather(0, torch.where(fresh, places[:, None], 0).cummax(dim=0).values)
    return torch.empty_like(stays.T).scatter_(1, order, stays.T)


def _block(n: int) -> int:
    """How many of n rows to compare at once: few, for fewer pairs, but not so few that starting an operation counts."""
    return max(8, min(n // 4, PAIRS_CPU // n))


def _at_least(left: Tensor, right: Tensor) -> Tensor:
    """1 where rows of `left [m, p, B]` are at least as good as rows of `right [m, q, B]`, else 0: bytes `[p, q, B]`.

    Operations on bytes are vectorised, those on booleans are not.
    """
    found = left[0][:, None] >= right[0]
    other = torch.empty_like(found)
    for a, b in zip(left[1:], right[1:], strict=True):
        torch.ge(a[:, None], b, out=other)
        found.view(torch.uint8).bitwise_and_(other.view(torch.uint8))
    return found.view(torch.uint8)


def ranks_sets(objectives: Tensor) -> Tensor:
    """Number the fronts of each set: 0 for the rows that nothing dominates, 1 for the first of what is left, and so on.

    A row's rank is one more than the largest among the rows that dominate it. All of them come before it in
    lexicographic order, so one pass over the rows is enough.

    Cost: O(m n^2) for a set, n steps over all sets together; memory O(n) for a set.

    Args:
        objectives: `[..., n, m]`, maximised. Equal rows share their rank. Neutral row: minus infinity in all
            objectives; it changes no other row's rank.

    Returns:
        int64 `[..., n]`.
    """
    *leading, n, m = objectives.shape
    if objectives.numel() == 0:
        return objectives.new_zeros((*leading, n), dtype=torch.int64)
    sets, size = objectives.detach().reshape(-1, n, m), by_device(objectives, ROWS_CPU, PAIRS_GPU) // n
    return in_chunks(_ranks, sets, size).reshape(*leading, n)


def _ranks(objectives: Tensor) -> Tensor:
    """Ranks of sets `[B, n, m]`, row by row of the lexicographic order; the sets lie along the fastest axis."""
    order = lexicographic(objectives)
    columns = [column.gather(-1, order).T.contiguous() for column in objectives.unbind(dim=-1)]
    n = len(columns[0])
    same = torch.stack([column[1:] == column[:-1] for column in columns]).all(dim=0)
    following = torch.ones_like(columns[0])  # rank + 1; as numbers, so that products choose
    covers, other = torch.empty_like(following), torch.empty_like(following)
    for row in range(1, n):
        known = covers[:row].copy_(following[:row])
        for column in columns[1:]:
            known.mul_(torch.ge(column[:row], column[row], out=other[:row]))
        rank = known.amax(dim=0)
        following[row] = torch.where(same[row - 1], following[row - 1], rank + 1)
    ranks = (following.T - 1).to(torch.int64)
    return torch.empty_like(ranks).scatter_(-1, order, ranks)


def non_dominated_cloud(objectives: NDArray[np.float64], keep_duplicates: bool) -> NDArray[np.bool_]:
    """Mark the non-dominated rows of one large set on the CPU; exact.

    A few rows, the pivots, dominate most of a cloud. They are chosen one after the other, the first by the volume that
    it dominates, the others by the largest of their weighted distances from the best values. What is left goes to
    moocore, which also decides between equal rows. Where the first pivot dominates few rows of a sample, all rows do.

    Cost: O(m n) and moocore's for what is left; at most a tenth above moocore's where nothing is dominated.

    Args:
        objectives: Finite float64 `[n, m]`, maximised, m >= 1.
        keep_duplicates: Mark all of several equal rows; otherwise only the first of them.

    Returns:
        Booleans `[n]`.
    """
    n = len(objectives)
    rows = _undecided(objectives) if n >= CLOUD_FROM else None
    if rows is None:
        return np.asarray(moocore.is_nondominated(-objectives, keep_weakly=keep_duplicates), dtype=bool)
    mask = np.zeros(n, dtype=bool)
    mask[rows] = moocore.is_nondominated(-objectives[rows], keep_weakly=keep_duplicates)
    return mask


def _undecided(objectives: NDArray[np.float64]) -> NDArray[np.intp] | None:
    """Rows in their order that no pivot dominates; None where the first pivot promises too little."""
    n, m = objectives.shape
    columns = [np.ascontiguousarray(column) for column in objectives.T]
    with np.errstate(all="ignore"):  # any choice of pivots is right: overflow can only make it a poor one
        volume = columns[0] - columns[0].min()
        for column in columns[1:]:
            volume *= column - column.min()
    sample = slice(None, None, max(1, n // 1000))
    pivot = objectives[volume.argmax()]
    if _not_below(columns, pivot, sample).mean() > 1 - FIRST_DROP:
        return None
    rows, idle = np.flatnonzero(_not_below(columns, pivot)), 0
    columns = [column[rows] for column in columns]
    directions = np.random.default_rng(0).dirichlet(np.ones(m), size=PIVOTS)  # fixed: they do not change the result
    for weights in directions:
        if len(rows) < FEW or idle == 3:
            break
        pivot = objectives[rows[_nearest(columns, weights)]]
        left = np.flatnonzero(_not_below(columns, pivot))
        idle = idle + 1 if len(left) > (1 - LATER_DROP) * len(rows) else 0
        rows, columns = rows[left], [column[left] for column in columns]
    return rows


def _nearest(columns: list[NDArray[np.float64]], weights: NDArray[np.float64]) -> np.intp:
    """The row whose largest scaled and weighted distance from the best values is smallest."""
    with np.errstate(all="ignore"):
        distance = np.zeros(len(columns[0]))
        for column, weight in zip(columns, weights, strict=True):
            best = column.max()
            np.maximum(distance, (best - column) / ((best - column.min()) * weight), out=distance)
    return distance.argmin()


def _not_below(
    columns: list[NDArray[np.float64]], pivot: NDArray[np.float64], part: slice = slice(None)
) -> NDArray[np.bool_]:
    """Whether each row is better than the pivot in some objective, or equal to it in all."""
    better = columns[0][part] > pivot[0]
    same = columns[0][part] == pivot[0]
    for column, value in zip(columns[1:], pivot[1:], strict=True):
        better |= column[part] > value
        same &= column[part] == value
    return np.asarray(better | same)
