"""Subset selection: the few rows of a set that keep the most hypervolume."""

from __future__ import annotations

import heapq
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moo.checks import check_count
from moo.dominance import non_dominated
from moo.indicators.inputs import Directions, read_point, read_sets
from moo.indicators.volume import boxes_above, in_range, volume_above

METHODS = ("greedy", "exact")


def hypervolume_subset(
    objectives: Any,
    reference_point: Any,
    k: int,
    *,
    method: str = "greedy",
    directions: Directions = None,
    mask: Any = None,
    nan: str = "raise",
) -> Tensor:
    """Choose at most `k` rows of one set of maximised objectives whose hypervolume is large.

    `"greedy"` takes the row that adds most, again and again; what a row adds only shrinks, so that most rows are looked
    at once (lazily). It keeps at least 1 - 1/e = 63 % of the best subset's hypervolume. `"exact"`, for two objectives,
    is the best subset by dynamic programming, O(k n^2).

    Source: Guerreiro, Fonseca and Paquete 2016 (Evolutionary Computation 24(3)) for the greedy choice; Auger, Bader,
    Brockhoff and Zitzler 2009 (GECCO) for two objectives.

    Args:
        objectives: `[n, m]`.
        reference_point: `[m]`, in the directions of the objectives.
        k: At least 1.
        method: `"greedy"` or `"exact"`.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows that count, bool `[n]`; None: all of them.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count.

    Returns:
        Row numbers, int64 `[j]`, j <= k, rows that would add nothing left out: in the order of choice by `"greedy"`,
        ascending by `"exact"`. Of rows that add the same, the first is chosen.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape or a word is wrong, `k` is below 1, a value is NaN (the first such row is named) or
            infinitely good, or the exact choice is asked for with other than two objectives.
    """
    sets = read_sets(objectives, like=reference_point, directions=directions, mask=mask, nan=nan)
    low = read_point("reference_point", reference_point, sets, directions)
    if not sets.single:
        raise ValueError(f"`objectives` should be one set [n, m]. Found {list(sets.values.shape)}.")
    k = check_count("k", k)
    if method not in METHODS:
        raise ValueError(f'`method` should be "greedy" or "exact". Found {method!r}.')
    m = sets.values.shape[1]
    if method == "exact" and m != 2:
        raise ValueError(f'`method="exact"` takes two objectives. Found {m}: use "greedy".')
    boxes = boxes_above(sets, low).detach().cpu()
    counted = (boxes > 0).all(dim=1)
    counted[counted.clone()] = non_dominated(boxes[counted])
    numbers = torch.nonzero(counted).flatten()
    left = boxes[numbers].numpy()
    in_range(math.prod(left.max(axis=0, initial=0.0).tolist()))
    choose = _best_of_two_objectives if method == "exact" else _greedy
    return numbers[torch.tensor(choose(left, k), dtype=torch.int64)].to(sets.values.device)


def _greedy(boxes: np.ndarray, k: int) -> list[int]:
    """Places of the rows chosen one after the other; a heap holds bounds of what each adds."""
    waiting = [(-volume, place) for place, volume in enumerate(np.prod(boxes, axis=1).tolist())]
    heapq.heapify(waiting)
    known = [0] * len(boxes)  # how many rows were chosen when a bound was computed
    chosen: list[int] = []
    origin = np.zeros(boxes.shape[1])
    while waiting and len(chosen) < k:
        place = waiting[0][1]
        if known[place] == len(chosen):
            heapq.heappop(waiting)
            chosen.append(place)
            continue
        covered = volume_above(np.minimum(boxes[chosen], boxes[place]), origin)
        known[place] = len(chosen)
        heapq.heapreplace(waiting, (covered - float(np.prod(boxes[place])), place))
    return chosen


def _best_of_two_objectives(boxes: np.ndarray, k: int) -> list[int]:
    """Places of the best k of mutually non-dominated rows, ascending.

    From left to right: a chosen row adds its height over the width since the chosen row before it.
    """
    n = len(boxes)
    order = np.argsort(boxes[:, 0])
    first, second = boxes[order].T
    gain = np.tril((first[:, None] - first[None, :]) * second[:, None], -1)  # of row i after row l < i
    gain[np.triu_indices(n)] = -np.inf
    best = first * second
    before = []
    for _ in range(min(k, n) - 1):
        totals = best[None, :] + gain
        before.append(totals.argmax(axis=1))
        best = totals.max(axis=1)
    place = int(best.argmax()) if n else 0
    chosen = [place] if n else []
    for column in reversed(before):
        place = int(column[place])
        chosen.append(place)
    return sorted(order[chosen].tolist())
