"""A set beside other rows: the hypervolume that each of these would add to it, the share of them that it covers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from moo.dominance import non_dominated
from moo.indicators.distance import LARGEST, nearest, read_with_reference
from moo.indicators.filters import by_device
from moo.indicators.inputs import Array, Directions, Sets, read_point, read_sets, score
from moo.indicators.volume import boxes_above, hypervolume, in_range, volume_above

ENTRIES_CPU, ENTRIES_GPU = 1 << 20, 1 << 26  # of limited sets at once: a share of the memory


def hypervolume_improvement(
    new: Any,
    objectives: Any,
    reference_point: Any,
    *,
    directions: Directions = None,
    mask: Any = None,
    nan: str = "raise",
) -> Tensor:
    """By how much each new row alone would raise a hypervolume. Maximised unless `directions` says otherwise.

    What a new row dominates, less what the set dominates of that: the hypervolume of the set's rows, each made no
    better than the new row in any objective. New rows do not see each other.

    Source: the exclusive hypervolume of While, Bradstreet and Barone 2012 (IEEE TEC 16(1)). Two objectives by a sorted
    staircase, O((n + k) log n); more by `hypervolume`, once for each new row.

    Args:
        new: `[k, m]`, or a batch `[..., k, m]`, m >= 1.
        objectives: The set `[n, m]`, or a batch of sets `[..., n, m]`. The leading dimensions are those of `new`; one
            without any serves all of the other.
        reference_point: `[m]`, in the directions of the objectives.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows of the sets that count, bool `[..., n]`; None: all of them.
        nan: `"raise"`, or `"drop"`: rows of the sets with NaN do not count, and new rows with NaN add nothing.

    Returns:
        float64 `[..., k]` on the device of `new`, at least 0; 0 for rows that are weakly dominated, infinitely bad or
        not better than the reference point in every objective. The rounding error is that of a hypervolume: small
        beside all that the new row dominates. Differentiable up to four objectives, by new rows and set.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, a value is NaN (the first such row is named) or infinitely good, a volume leaves
            the range of float64, or a gradient of five or more objectives is asked for.
    """
    fresh = read_sets(new, name="new", like=reference_point, directions=directions, nan=nan)
    sets = read_sets(objectives, like=reference_point, directions=directions, mask=mask, nan=nan)
    _check_shapes(fresh, sets)
    tips = boxes_above(fresh, read_point("reference_point", reference_point, fresh, directions))
    boxes = boxes_above(sets, read_point("reference_point", reference_point, sets, directions)).to(tips.device)
    leading = tips.shape[:-2] if sets.single else boxes.shape[:-2]
    *_, k, m = tips.shape
    if not sets.single:  # each set with its own rows, [B, n, m] and [B, k, m]
        boxes = boxes.flatten(0, -3)
        tips = tips.expand(*leading, k, m).reshape(len(boxes), k, m)
    else:  # one set for all, [1, n, m] and [1, ... k, m]
        boxes, tips = boxes[None], tips.reshape(1, -1, m)
    return in_range(_improvements(tips, boxes)).reshape(*leading, k)


def coverage(
    objectives: Any, reference_set: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """Share of a reference set's rows that a set weakly dominates (C). Maximised unless `directions` says otherwise.

    It does not say by how much, and the share of the first set that the second covers is not one minus that: give both.
    Reference points that stand twice count twice; rows of the set that are dominated, stand twice or are infinitely bad
    change nothing. No gradient.

    Source: Zitzler and Thiele 1998 (PPSN V).

    Args:
        objectives: `[n, m]`, or a batch of sets `[..., n, m]`, m >= 1.
        reference_set: The other set, `[k, m]`, k >= 1, in the directions of the objectives.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows that count, bool `[..., n]`; None: all of them.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count.

    Returns:
        From 0 to 1, larger is better; 0 for an empty set. A float for one set, a tensor `[...]` for a batch.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, a value is NaN (the first such row is named) or infinitely good, or one of the
            reference set is not finite.
    """
    sets, reference = read_with_reference(objectives, reference_set, directions, mask, nan)
    *batch, n, m = sets.shape
    rows = sets.neutral(-math.inf).detach().reshape(math.prod(batch), n, m)
    lacking, _ = nearest(reference[None], rows, LARGEST)  # what the nearest row lacks most: nothing where it dominates
    return score((lacking <= 0).to(torch.float64).mean(dim=-1).reshape(batch))


def _check_shapes(fresh: Sets, sets: Sets) -> None:
    if fresh.shape[-1] != sets.shape[-1]:
        raise ValueError(
            "`new` and `objectives` should have the same number of columns, one per objective. "
            f"Found {fresh.shape[-1]} and {sets.shape[-1]}."
        )
    if not (fresh.single or sets.single) and fresh.shape[:-2] != sets.shape[:-2]:
        raise ValueError(
            "`new` and `objectives` should have the same leading dimensions, or one of them none. "
            f"Found shapes {list(fresh.shape)} and {list(sets.shape)}."
        )


def _improvements(tips: Tensor, boxes: Tensor) -> Tensor:
    """What boxes from 0 to `tips [B, k, m]` add to the unions of `boxes [B, n, m]`: `[B, k]`."""
    m = tips.shape[-1]
    if m == 1:
        best = pad(boxes[..., 0], (0, 1)).amax(dim=1)  # 0 for an empty set
        return (tips[..., 0] - best[:, None]).clamp(min=0.0)
    if m == 2:
        return _improvements_2d(tips, boxes)
    if m > 4 and (tips.requires_grad or boxes.requires_grad):
        raise ValueError(f"The improvement has a gradient up to four objectives. Found {m}: use `new.detach()`.")
    if len(boxes) == 1:  # rows that add nothing to the set need not be limited to each new row
        counted = (boxes[0] > 0).all(dim=1)
        counted[counted.clone()] = non_dominated(boxes[0][counted].detach())
        boxes = boxes[:, counted]
        if tips.device.type == "cpu" and not (tips.requires_grad or boxes.requires_grad):
            rows = boxes[0].numpy()
            return torch.tensor([[_improvement(tip, rows) for tip in tips[0].numpy()]], dtype=torch.float64)
    return _improvements_by_limiting(tips, boxes)


def _improvement(tip: Array, rows: Array) -> float:
    """What the box from 0 to one tip `[m]` adds to the union of those to rows `[n, m]`."""
    if tip.min() <= 0:
        return 0.0
    limited = np.minimum(rows, tip)
    if (limited == tip).all(axis=1).any():
        return 0.0
    return max(0.0, float(tip.prod()) - volume_above(limited, np.zeros(len(tip))))


def _improvements_2d(tips: Tensor, boxes: Tensor) -> Tensor:
    """The area between a new row and the staircase of its set, from where this falls below it.

    Over the first objective the set is as high as the largest second among rows that reach so far. Sums of that height
    over steps give the area below it up to any place.
    """
    first, second = boxes.unbind(dim=-1)
    order = first.detach().argsort(dim=-1)
    ends = first.gather(-1, order)
    heights = second.gather(-1, order).flip(-1).cummax(dim=-1).values.flip(-1) if boxes.shape[1] else second
    ends, heights = pad(ends, (1, 0)), pad(heights, (0, 1))  # step j lies between ends j and j + 1, the last beyond all
    areas = pad(((ends[:, 1:] - ends[:, :-1]) * heights[:, :-1]).cumsum(dim=-1), (1, 0))
    x, y = (side.contiguous() for side in tips.unbind(dim=-1))
    place = torch.searchsorted(ends[:, 1:].detach().contiguous(), x.detach())  # the step that x lies in
    below = areas.gather(-1, place) + heights.gather(-1, place) * (x - ends.gather(-1, place))
    start = torch.searchsorted(-heights[:, :-1].detach().contiguous(), -y.detach(), right=True)  # steps as high as y
    left = ends.gather(-1, start)
    gains = y * (x - left) - (below - areas.gather(-1, start))
    return torch.where(x > left, gains, 0.0).clamp(min=0.0)


def _improvements_by_limiting(tips: Tensor, boxes: Tensor) -> Tensor:
    """The same for three objectives or more, in pieces of bounded memory."""
    sets, k, m = tips.shape
    n = boxes.shape[1]
    origin = torch.zeros(m, dtype=torch.float64)
    height = max(1, min(k, by_device(tips, ENTRIES_CPU, ENTRIES_GPU) // max(1, n * m)))
    depth = max(1, by_device(tips, ENTRIES_CPU, ENTRIES_GPU) // max(1, height * n * m))
    found = []
    for some, tops in zip(torch.split(boxes, depth), torch.split(tips, depth), strict=True):
        parts = []
        for part in torch.split(tops, height, dim=1):
            limited = torch.minimum(some[:, None], part[:, :, None])
            covered = hypervolume(limited, origin, max_seconds=math.inf, warn=False)
            dominated = (limited.detach() == part.detach()[:, :, None]).all(dim=-1).any(dim=-1)
            parts.append(torch.where(dominated, 0.0, part.prod(dim=-1) - covered).clamp(min=0.0))
        found.append(torch.cat(parts, dim=1) if parts else tops[..., 0])
    return torch.cat(found) if found else tips.new_zeros(sets, k)
