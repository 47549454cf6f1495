"""The hypervolume as a guide: its gradient by the points of a set, and the factor for what a new point adds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from moo.dominance import non_dominated, pareto_ranks
from moo.gradients.reading import check_finite, read_rows
from moo.indicators.improvement import hypervolume_improvement
from moo.indicators.volume import hypervolume

BY_AUTOGRAD = 4  # objectives up to which the hypervolume has a gradient of its own


def hypervolume_gradient(objectives: Tensor, reference_point: Any, by_rank: bool = False) -> Tensor:
    """The derivative of the exact hypervolume of a set by every objective of every point.

    An entry is the area of the face of the dominated space that moves with that objective. Points that are dominated,
    or not better than the reference point in every objective, have no face: their rows are 0, and they do not move.

    Source: Emmerich, Deutz and Beume 2007 (HM); Emmerich and Deutz 2014 (Time complexity and zeros of the hypervolume
    indicator gradient field). `by_rank` as in Deist, Maree, Alderliesten and Bosman 2020 (PPSN, 2004.13820): each
    non-dominated front of the set is taken alone, so that dominated points move, too; they let points outside the
    reference point move as well, which here do not.

    Args:
        objectives: `[k, m]`, maximised.
        reference_point: `[m]`.
        by_rank: The gradient of each non-dominated front's own hypervolume.

    Returns:
        `[k, m]`, at least 0, in the dtype of `objectives`; no gradient flows. Where coordinates tie, the hypervolume
        has a kink, and it is the derivative from one side.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, or a value is not finite.
    """
    rows = check_finite("objectives", read_rows("objectives", objectives)).to(torch.float64)
    if rows.ndim != 2:
        raise ValueError(f"`objectives` should have shape [k, m], a row per point. Found {list(rows.shape)}.")
    ranks = pareto_ranks(rows) if by_rank else torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    found = torch.zeros_like(rows)
    for rank in sorted(set(ranks.tolist())):
        members = torch.nonzero(ranks == rank).flatten()
        slope = _by_autograd if rows.shape[1] <= BY_AUTOGRAD else _by_faces
        found[members] = slope(rows[members], reference_point)
    return found.to(objectives.dtype)


def hypervolume_factor(new: Tensor, objectives: Tensor, reference_point: Any) -> Tensor:
    """The factor `.5 + 1.5 tanh(gain)` by which a reward is multiplied for what a new point adds to the hypervolume.

    It lies in [.5, 2). It scales a whole reward: advantages that are normalised afterwards do not feel it, so it
    belongs behind the normalisation or in the learning rate.

    Source: Lu et al. 2025 (2509.11452), method 1. Their code slices the volume without clipping at the reference point
    and errs, even in sign, where a point is below it in an objective; here such a point adds nothing. Bring the
    objectives to a common scale first: the gain is a product of all of theirs, and `tanh` is blind above 3.

    Args:
        new: `[..., n]`, maximised.
        objectives: `[k, n]`, maximised: the points so far.
        reference_point: `[n]`.

    Returns:
        `[...]`, in the dtype of `new`; no gradient flows.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape does not fit, or a value is NaN.
    """
    points = read_rows("new", new)
    gain = hypervolume_improvement(points.reshape(-1, points.shape[-1]), objectives, reference_point)
    return (0.5 + 1.5 * gain.clamp(min=0).tanh()).reshape(points.shape[:-1]).to(points)


def _by_autograd(rows: Tensor, reference_point: Any) -> Tensor:
    with torch.enable_grad():
        points = rows.clone().requires_grad_()
        volume = hypervolume(points, reference_point, warn=False)
        (slope,) = torch.autograd.grad(volume, points)
    return slope


def _by_faces(rows: Tensor, reference_point: Any) -> Tensor:
    """Each face is the hypervolume, in one objective less, that a point adds to those at least as good in that one."""
    low = torch.as_tensor(reference_point, dtype=rows.dtype, device=rows.device)
    faces = torch.zeros_like(rows)
    inside = (rows > low).all(dim=1)
    for i in torch.nonzero(inside & non_dominated(rows)).flatten().tolist():
        for j in range(rows.shape[1]):
            kept = [column for column in range(rows.shape[1]) if column != j]
            above = rows[:, j] >= rows[i, j]
            above[i] = False
            others = rows[above][:, kept]
            whole = torch.cat([others, rows[i : i + 1, kept]])
            faces[i, j] = hypervolume(whole, low[kept], warn=False) - hypervolume(others, low[kept], warn=False)
    return faces
