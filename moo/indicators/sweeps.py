"""Volumes of unions of boxes for many sets at once, on any device and with gradients: what lies beneath hypervolumes.

A box is `[0, b]`, where `b` is how far a row of objectives lies above the reference point. The functions check nothing:
entries are float32 or float64, not NaN, and a row with an entry of 0 or less adds nothing. Below 0 the gradient is 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from moo.indicators.filters import by_device, descending, in_chunks, lexicographic, non_dominated_sets

CELLS_CPU, CELLS_GPU = 1 << 16, 1 << 26  # entries of a sweep's state: a core's cache, a share of a GPU's memory
FILLS_GPU = 1 << 18  # entries from which one step of a sweep keeps a GPU busy; below, two scans make fewer launches


def volume_2d(boxes: Tensor) -> Tensor:
    """Area of the union of boxes `[0, b]` in each set; differentiable.

    Strips of the first objective, as high as the best second so far. Cost: O(n log n).

    Args:
        boxes: `[..., n, 2]`. Neutral row: an entry of 0 or less.

    Returns:
        `[...]`, 0 for n = 0.
    """
    if boxes.shape[-2] == 0:
        return boxes.sum(dim=(-2, -1))
    first, second = boxes.clamp(min=0).unbind(dim=-1)
    order = descending(first)
    heights = second.gather(-1, order).cummax(dim=-1).values
    return (_steps(first.gather(-1, order)) * heights).sum(dim=-1)


def volume_2d_large(boxes: NDArray[np.float64]) -> float:
    """Area of the union of boxes `[0, b]` of one large set on the CPU.

    Cost: O(n log n).

    Args:
        boxes: `[n, 2]`. Neutral row: an entry of 0 or less.

    Returns:
        At least 0.
    """
    first = np.maximum(boxes[:, 0], 0.0)
    order = np.argsort(-first)
    widths, heights = first[order], np.maximum(boxes[:, 1], 0.0)[order]
    np.maximum.accumulate(heights, out=heights)
    widths[:-1] -= widths[1:]
    return float(widths @ heights)


def volume_3d(boxes: Tensor) -> Tensor:
    """Volume of the union of boxes `[0, b]` in each set; differentiable once.

    A sweep over one objective raises a row of heights, all sets in one step. On a GPU that the sets would not keep
    busy, two running maxima over a square of heights do the same. Cost: O(n^2) for a set; the gradient costs three
    times as much.

    Args:
        boxes: `[..., n, 3]`. Neutral row: an entry of 0 or less.

    Returns:
        `[...]`, 0 for n = 0.
    """
    return _volume(boxes)


def volume_4d(boxes: Tensor) -> Tensor:
    """Volume of the union of boxes `[0, b]` in each set; differentiable once.

    A sweep over one objective raises a square of heights. Cost: O(n^3) for a set, so on the CPU other methods are
    faster; the gradient costs twice as much.

    Args:
        boxes: `[..., n, 4]`. Neutral row: an entry of 0 or less.

    Returns:
        `[...]`, 0 for n = 0.
    """
    return _volume(boxes)


def _steps(values: Tensor) -> Tensor:
    """How far each of descending values `[..., n]` lies above the next, the last above 0."""
    return values - pad(values[..., 1:], (0, 1))


def _volume(boxes: Tensor) -> Tensor:
    *leading, n, m = boxes.shape
    if boxes.numel() == 0:
        return boxes.sum(dim=(-2, -1))
    found: Tensor = _Volume.apply(boxes.clamp(min=0).reshape(-1, n, m))  # type: ignore[no-untyped-call]
    return found.reshape(leading)


class _Volume(torch.autograd.Function):
    """Volume of sets `[B, n, m]` of boxes; its derivative by a side is the area of the face that moves."""

    @staticmethod
    def forward(ctx: Any, boxes: Tensor) -> Tensor:
        ctx.save_for_backward(boxes)
        levels = tuple(range(boxes.shape[2] - 2))
        return in_chunks(lambda chunk: _heights(chunk, levels).volume(), boxes, _sets_at_once(boxes))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> Tensor:
        (boxes,) = ctx.saved_tensors
        return in_chunks(_faces, boxes, _sets_at_once(boxes)) * outer[:, None, None]


def _sets_at_once(boxes: Tensor) -> int:
    """How many sets `[B, n, m]` may be swept together, with a state of n^(m - 2) entries each."""
    _, n, m = boxes.shape
    state: int = n ** (m - 2)
    return by_device(boxes, CELLS_CPU, CELLS_GPU) // state


def _faces(boxes: Tensor) -> Tensor:
    """For sets `[B, n, m]` the part of each box's outer face, along each objective, that no other box covers."""
    m = boxes.shape[2]
    found = torch.empty_like(boxes)
    for start in range(0, m, m - 2):
        levels = tuple(range(start, start + m - 2))
        heights = _heights(boxes, levels)
        for place, objective in enumerate(levels):
            found[..., objective] = heights.faces(place)
    return found


class _Heights(NamedTuple):
    """Heights over the grid of one or two level objectives, integrated over the objective that was swept."""

    areas: Tensor  # [n, B] or [n, n, B], levels from the largest down
    steps: list[Tensor]  # for each level objective [n, B]
    orders: list[Tensor]  # for each level objective [B, n]

    def volume(self) -> Tensor:
        return (self._over_other(self.areas, 0) * self.steps[0]).sum(dim=0)

    def faces(self, place: int) -> Tensor:
        """What each row's level adds, in the order of the rows `[B, n]`."""
        areas = self.areas.movedim(place, 0)
        gains = torch.cat([areas[:1], (areas[1:] - areas[:-1]).clamp(min=0)]).movedim(0, place)  # clamp: rounding
        found = self._over_other(gains, place).T
        return torch.empty_like(found).scatter_(1, self.orders[place], found)

    def _over_other(self, areas: Tensor, place: int) -> Tensor:
        """Integrate over the level objective, if there is one, that is not at `place`."""
        if len(self.steps) == 1:
            return areas
        return (areas * self.steps[1 - place].unsqueeze(place)).sum(dim=1 - place)


class _Sweep(NamedTuple):
    """What a sweep over one objective needs, in its order, all `[B, n]`."""

    order: Tensor
    widths: Tensor  # how far the swept objective falls from row to row
    height: Tensor
    ranks: list[Tensor]  # for each level objective the row's place, as numbers
    steps: list[Tensor]  # for each level objective how far it falls from level to level
    orders: list[Tensor]


def _sweep(boxes: Tensor, levels: tuple[int, ...]) -> _Sweep:
    """Sort sets `[B, n, m]` to sweep the objective after the levels, with the one after that as the height."""
    sets, n, m = boxes.shape
    columns = boxes.unbind(dim=-1)
    swept, height = columns[(levels[-1] + 1) % m], columns[(levels[-1] + 2) % m]
    order = descending(swept)
    orders = [descending(columns[level]) for level in levels]
    places = torch.arange(n, device=boxes.device, dtype=boxes.dtype).expand(sets, n)
    ranks = [torch.empty_like(swept).scatter_(1, other, places).gather(1, order) for other in orders]
    steps = [_steps(columns[level].gather(1, other)) for level, other in zip(levels, orders, strict=True)]
    return _Sweep(order, _steps(swept.gather(1, order)), height.gather(1, order), ranks, steps, orders)


def _heights(boxes: Tensor, levels: tuple[int, ...]) -> _Heights:
    """Heights of sets `[B, n, m]` over the levels: by rows, or by scans where a GPU would idle."""
    sets, n, m = boxes.shape
    sweep = _sweep(boxes, levels)
    if m == 3 and boxes.device.type != "cpu" and sets * n < FILLS_GPU and n**2 <= CELLS_GPU:
        areas = _by_scans(sweep.widths, sweep.height, sweep.ranks[0])
    else:
        areas = _by_rows(*_sets_last(sweep.widths, sweep.height, *sweep.ranks))
    return _Heights(areas, _sets_last(*sweep.steps), sweep.orders)


def _sets_last(*parts: Tensor) -> list[Tensor]:
    """Lay each of `[B, n]` out as `[n, B]`, so that one operation runs along many sets."""
    return [part.T.contiguous() for part in parts]


def _by_rows(widths: Tensor, height: Tensor, *ranks: Tensor) -> Tensor:
    """Raise the heights row by row of the sweep; all arguments `[n, B]`, the sets along the fastest axis.

    Comparisons are written as numbers: their products are vectorised, a choice by booleans is not.
    """
    n, sets = widths.shape
    places = torch.arange(n, device=widths.device, dtype=widths.dtype)[:, None]
    cuts = [torch.empty_like(widths) for _ in ranks]
    highest = widths.new_zeros((n,) * len(ranks) + (sets,))
    areas, raised = torch.zeros_like(highest), torch.empty_like(highest)
    for row in range(n):
        for rank, cut in zip(ranks, cuts, strict=True):
            torch.ge(places, rank[row], out=cut)
        cuts[0].mul_(height[row])
        if len(cuts) == 2:
            torch.mul(cuts[0][:, None], cuts[1], out=raised)
        torch.maximum(highest, cuts[0] if len(cuts) == 1 else raised, out=highest)
        areas.addcmul_(highest, widths[row])
    return areas


def _by_scans(widths: Tensor, height: Tensor, rank: Tensor) -> Tensor:
    """The same for one level objective by two running maxima; all arguments `[B, n]`, in pieces of bounded memory."""
    sets, n = widths.shape
    found = []
    for start in range(0, sets, size := max(1, by_device(widths, CELLS_CPU, CELLS_GPU) // n**2)):
        part = slice(start, start + size)
        square = widths.new_zeros(len(widths[part]), n, n)  # [B, row of the sweep, level]
        square.scatter_(2, rank[part].long().unsqueeze(2), height[part].unsqueeze(2))
        square = square.cummax(dim=2).values.mT.contiguous().cummax(dim=2).values  # [B, level, row of the sweep]
        found.append((square @ widths[part].unsqueeze(2)).squeeze(2))
    return torch.cat(found).T.contiguous()


def exclusive_volumes_2d(boxes: Tensor) -> Tensor:
    """Area that each box of a set covers alone; differentiable.

    Rows that another row dominates get 0 and are ignored: they take nothing from the row that dominates them. Equal
    rows get 0. Cost: O(n log n).

    Args:
        boxes: `[..., n, 2]`. Neutral row: an entry of 0 or less.

    Returns:
        `[..., n]`.
    """
    if boxes.numel() == 0:
        return boxes.sum(dim=-1)
    boxes = boxes.clamp(min=0)
    order = lexicographic(boxes, floor=0.0)
    first, second = (column.gather(-1, order) for column in boxes.unbind(dim=-1))
    before = pad(second.cummax(dim=-1).values[..., :-1], (1, 0))
    stays = second > before
    ends = torch.where(stays, first, 0.0).flip(-1).cummax(dim=-1).values.flip(-1)
    after = pad(ends[..., 1:], (0, 1))
    twin = (first[..., 1:] == first[..., :-1]) & (second[..., 1:] == second[..., :-1])
    alone = stays & ~pad(twin, (0, 1))
    gains = torch.where(alone, (first - after) * (second - before), 0.0)
    return torch.empty_like(gains).scatter(-1, order, gains)


def exclusive_volumes_3d(boxes: Tensor) -> Tensor:
    """Volume that each box of a set covers alone; not differentiable.

    As for `exclusive_volumes_2d`, rows that another row dominates get 0 and are ignored, and equal rows get 0. The
    sweep of `volume_3d`, with the two largest heights and the row that the largest belongs to. Cost: O(n^2) for a set.

    Args:
        boxes: `[..., n, 3]`. Neutral row: an entry of 0 or less.

    Returns:
        `[..., n]`.
    """
    if boxes.numel() == 0:
        return boxes.sum(dim=-1)
    boxes = boxes.detach().clamp(min=0)
    boxes = torch.where(non_dominated_sets(boxes, keep_duplicates=True).unsqueeze(-1), boxes, 0.0)
    sets = boxes.reshape(-1, *boxes.shape[-2:])
    return in_chunks(_alone, sets, _sets_at_once(sets)).reshape(boxes.shape[:-1])


def _alone(boxes: Tensor) -> Tensor:
    """The part of each box of sets `[B, n, 3]` that no other covers: cells between the two largest heights."""
    sweep = _sweep(boxes, (0,))
    widths, height, rank, steps = _sets_last(sweep.widths, sweep.height, *sweep.ranks, *sweep.steps)
    places = torch.arange(len(widths), device=widths.device, dtype=widths.dtype)[:, None]
    highest, second, owner, gains = (torch.zeros_like(widths) for _ in range(4))
    raised, leads = torch.empty_like(widths), torch.empty_like(widths)
    for row in range(len(widths)):
        torch.ge(places, rank[row], out=raised)
        raised.mul_(height[row])
        torch.gt(raised, highest, out=leads)
        owner.lerp_(places[row], leads)
        torch.maximum(second, torch.minimum(highest, raised), out=second)
        torch.maximum(highest, raised, out=highest)
        gains.scatter_add_(0, owner.long(), (highest - second).mul_(steps).mul_(widths[row]))
    return torch.empty_like(sweep.height).scatter_(1, sweep.order, gains.T)
