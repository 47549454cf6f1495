"""The part of the objective space that no point of a front reaches, cut into boxes."""

from __future__ import annotations

import bisect

import torch
from torch import Tensor

from moo.dominance import non_dominated


def free_cells(front: Tensor, reference_point: Tensor) -> tuple[Tensor, Tensor]:
    """Cut what is better than the reference point and not dominated by the front into disjoint boxes.

    A box of every objective maximised has no upper end (infinity) where nothing limits it. For two objectives there
    are as many boxes as non-dominated points, and one; for three at most twice as many, and one: when a point is
    entered in the order of the last objective, only the strips that it cuts are closed (the sweep of Beume, Fonseca,
    Lopez-Ibanez, Paquete and Vahrenhold 2009). For four and more, the boxes of Lacour, Klamroth and Fonseca 2017 as
    BoTorch computes them.

    Args:
        front: Points `[n, m]`, maximised; those that are dominated, or not better than the reference point, do nothing.
        reference_point: `[m]`.

    Returns:
        Lower and upper ends, `[c, m]` each, on the CPU.
    """
    front, reference_point = front.detach().cpu(), reference_point.detach().cpu()
    m = len(reference_point)
    inside = front[(front > reference_point).all(dim=1)]
    inside = torch.unique(inside[non_dominated(inside)], dim=0) if len(inside) else inside
    if not len(inside):
        return reference_point[None].clone(), torch.full((1, m), torch.inf, dtype=front.dtype)
    if m == 2:
        return _strips(inside, reference_point)
    if m == 3:
        return _sweep(inside, reference_point)
    from botorch.utils.multi_objective.box_decompositions.non_dominated import FastNondominatedPartitioning

    lower, upper = FastNondominatedPartitioning(reference_point, inside).get_hypercell_bounds()
    return lower, upper


def _strips(points: Tensor, reference_point: Tensor) -> tuple[Tensor, Tensor]:
    """Two objectives: between neighbours on the front, everything above the right one."""
    points = points[points[:, 0].argsort()]
    left = torch.cat([reference_point[:1], points[:, 0]])
    right = torch.cat([points[:, 0], points.new_full((1,), torch.inf)])
    bottom = torch.cat([points[:, 1], reference_point[1:]])
    return torch.stack([left, bottom], dim=1), torch.stack([right, torch.full_like(right, torch.inf)], dim=1)


def _sweep(points: Tensor, reference_point: Tensor) -> tuple[Tensor, Tensor]:
    """Three objectives: strips of the first two, from the largest third downwards."""
    inf = float("inf")
    left, bottom, floor = reference_point.tolist()
    # strips by their right end: (xs[i - 1], xs[i]] lies above ys[i] and has been open since tops[i]
    xs, ys, tops = [inf], [bottom], [inf]
    boxes: list[tuple[float, ...]] = []
    for x, y, z in points[points[:, 2].argsort(descending=True)].tolist():
        last = bisect.bisect_left(xs, x)  # the strip that x lies in, or the one that ends there
        first = last
        while first and ys[first - 1] <= y:
            first -= 1
        began = xs[first - 1] if first else left
        for i in range(first, last + 1):
            if tops[i] > z:
                boxes.append((began, ys[i], z, xs[i], inf, tops[i]))
            began = xs[i]
        opened = [(x, y, z)] + ([(xs[last], ys[last], z)] if xs[last] > x else [])
        xs[first : last + 1], ys[first : last + 1], tops[first : last + 1] = (
            [strip[i] for strip in opened] for i in range(3)
        )
    began = left
    for x, y, top in zip(xs, ys, tops, strict=True):
        boxes.append((began, y, floor, x, inf, top))
        began = x
    cut = torch.tensor(boxes, dtype=points.dtype)
    return cut[:, :3].contiguous(), cut[:, 3:].contiguous()


def joined_cells(fronts: Tensor, reference_point: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The boxes of several fronts `[s, n, m]`, filled up to the same number.

    Returns:
        Lower and upper ends `[s, c, m]`, and which boxes are real, bool `[s, c]`.
    """
    parts = [free_cells(front, reference_point) for front in fronts]
    most = max(len(lower) for lower, _ in parts)
    lower = fronts.new_zeros(len(parts), most, len(reference_point), device="cpu")
    upper = torch.full_like(lower, torch.inf)
    real = torch.zeros(len(parts), most, dtype=torch.bool)
    for i, (low, high) in enumerate(parts):
        lower[i, : len(low)], upper[i, : len(high)], real[i, : len(low)] = low, high, True
    return lower.to(fronts.device), upper.to(fronts.device), real.to(fronts.device)
