"""Exact R2 of many sets at once, on any device: the mean over all preferences, not over a sample of them.

With shortfalls `s >= 0` from the ideal point, R2 is the mean over weights `w`, uniform on the simplex, of the smallest
`max_i w_i s_i` that a row offers. Reciprocals turn a row into the box `[0, 1/s]`; R2 is `(m - 1)!` times the integral
of `(sum x)^-(m + 1)` over what the boxes leave uncovered (arXiv 2407.01504 for two objectives, 2606.30530 for more).
Over a cell of a grid that is a difference of reciprocals. Here it is a sum of products of positive numbers, so nothing
cancels.

Each set is divided by its `t`, the smallest over rows of the largest shortfall. R2 then lies between `1 / m^2` and 1,
and moving shortfalls below `1 / huge` or above `huge` to these bounds changes it by a few `1 / huge`, far below
rounding: zeros and endless boxes need no case of their own, and nothing overflows.

The functions check nothing. Shortfalls are numbers of at least 0; n = 0, or nothing but neutral rows, gives infinity,
and a row of zeros gives 0. The results are differentiable where they are neither; an entry of 0 has the gradient 0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor
from torch.nn.functional import pad

from moo.indicators.filters import by_device, descending, in_chunks

CELLS_CPU, CELLS_GPU = 1 << 16, 1 << 24  # entries of one temporary tensor: a core's cache, a share of a GPU's memory


def r2_exact_2d(shortfalls: Tensor) -> Tensor:
    """Exact R2 of each set for two objectives.

    Cost: O(n log n).

    Args:
        shortfalls: `[..., n, 2]`, float32 or float64, ideal point minus objectives. Neutral row: infinity in all.

    Returns:
        `[...]`, at least 0, smaller is better.
    """
    return _integral(shortfalls, _strips)


def r2_exact_3d(shortfalls: Tensor) -> Tensor:
    """Exact R2 of each set for three objectives.

    Cost: O(n^2) for a set, in pieces of bounded memory.

    Args:
        shortfalls: `[..., n, 3]`, float32 or float64, ideal point minus objectives. Neutral row: infinity in all.

    Returns:
        `[...]`, at least 0, smaller is better.
    """
    return _integral(shortfalls, _cells)


def r2_exact_4d(shortfalls: Tensor) -> Tensor:
    """Exact R2 of each set for four objectives.

    Cost: O(n^3) time and O(n^2) memory for a set.

    Args:
        shortfalls: `[..., n, 4]`, float32 or float64, ideal point minus objectives. Neutral row: infinity in all.

    Returns:
        `[...]`, at least 0, smaller is better.
    """
    return _integral(shortfalls, _layers)


def _integral(shortfalls: Tensor, over_boxes: Callable[[Tensor], Tensor]) -> Tensor:
    """Scale each set, turn its rows into boxes and integrate: `over_boxes` takes `[B, n, m]` and returns `[B]`."""
    *leading, n, m = shortfalls.shape
    if shortfalls.numel() == 0:
        return shortfalls.new_full(leading, torch.inf)
    t = reduce(torch.maximum, shortfalls.detach().unbind(dim=-1)).amin(dim=-1)
    huge = 2.0**100 if shortfalls.dtype == torch.float64 else 2.0**30
    unit = torch.where((t > 0) & (t < torch.inf), t, 1.0)
    boxes = 1 / (shortfalls / unit[..., None, None]).clamp(1 / huge, huge)
    size = by_device(shortfalls, CELLS_CPU, CELLS_GPU) // n ** min(m - 1, 2)
    return t * in_chunks(over_boxes, boxes.reshape(-1, n, m), size).reshape(leading) / m


def _lower(values: Tensor) -> Tensor:
    """The next of descending values `[B, n]`, after the last 0."""
    return pad(values[:, 1:], (0, 1))


def _strips(boxes: Tensor) -> Tensor:
    """Two objectives: strips between neighbouring sides x, above the staircase y; each is a difference of 1/(x + y)."""
    first, second = boxes.unbind(dim=-1)
    order = descending(first)
    x, y = first.gather(1, order), second.gather(1, order).cummax(dim=1).values
    low = _lower(x)
    return 1 / x[:, 0] + ((x - low) / ((x + y) * (low + y))).sum(dim=1)


def _edge(x: Tensor, y: Tensor) -> Tensor:
    """What lies beyond all boxes along the first objective, then the second: the largest sides `[B]` of each."""
    return 1 / x + x / ((x + y) * y)


def _cells(boxes: Tensor) -> Tensor:
    """Three objectives: cells of the grid of first and second sides, above the highest third; in blocks of rows."""
    first, second, third = boxes.unbind(dim=-1)
    sets, n = first.shape
    order, across = descending(first), descending(second)
    x, z, y = first.gather(1, order), third.gather(1, order), second.gather(1, across)
    places = torch.arange(n, device=boxes.device).expand(sets, n)
    rank = torch.empty_like(across).scatter_(1, across, places).gather(1, order)
    total, highest = _edge(x[:, 0], y[:, 0]), torch.zeros_like(y)
    low, below = _lower(x), _lower(y)
    rows = max(1, by_device(boxes, CELLS_CPU, CELLS_GPU) // (sets * n))
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        square = torch.zeros_like(z[:, part, None].expand(-1, -1, n))
        square = square.scatter(2, rank[:, part, None], z[:, part, None]).cummax(dim=2).values
        heights = torch.maximum(square.mT.contiguous().cummax(dim=2).values.mT, highest[:, None])
        highest = heights[:, -1]
        cells = _differences(x[:, part, None], low[:, part, None], y[:, None], below[:, None], heights)
        total = total + cells.sum(dim=(1, 2))
    return total


def _differences(x: Tensor, low: Tensor, y: Tensor, below: Tensor, z: Tensor) -> Tensor:
    """Second differences of 1/(x + y + z) over cells from `low` to `x` and from `below` to `y`."""
    upper, lower = x + z, low + z
    middle = (x - low) / (upper + below) * ((y - below) / (lower + y))
    return middle * (1 / (lower + below) + 1 / (upper + y))


def _layers(boxes: Tensor) -> Tensor:
    """Four objectives: layers of the third, in each the cells of the first and second, above the highest fourth."""
    first, second, third, fourth = boxes.unbind(dim=-1)
    order, along, across = descending(third), descending(first), descending(second)
    x, y, z = first.gather(1, along), second.gather(1, across), third.gather(1, order)
    zero = torch.zeros_like(x[:, 0])
    total = _edge(x[:, 0], y[:, 0]) + _differences(x[:, 0], zero, y[:, 0], zero, z[:, 0])
    fourth, low = fourth.gather(1, order), _lower(z)
    first, second = first.gather(1, order), second.gather(1, order)
    heights = torch.zeros_like(x[:, :, None] * y[:, None])
    corners = [a[:, :, None] + b[:, None] for a in (_lower(x), x) for b in (_lower(y), y)]
    dx, dy = (x - _lower(x))[:, :, None], (y - _lower(y))[:, None]
    for row in range(z.shape[1]):
        inside = (x <= first[:, row, None])[:, :, None] & (y <= second[:, row, None])[:, None]
        heights = torch.where(inside, torch.maximum(heights, fourth[:, row, None, None]), heights)
        dz = (z - low)[:, row, None, None]
        far, north, east, near = (1 / (corner + (heights + low[:, row, None, None])) for corner in corners)
        high = [1 / (corner + (heights + z[:, row, None, None])) for corner in corners]
        layer = (dx * east) * (dy * north) * (far + near) * (dz * high[2])
        layer = layer + (dx * high[2]) * (dy * north) * (far + near) * (dz * high[1])
        layer = layer + (dx * high[2]) * (dy * high[1]) * dz * (far * high[0] + near * high[3])
        total = total + layer.sum(dim=(1, 2))
    return total
