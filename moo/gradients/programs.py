"""The small linear programs of the rules: weights on the simplex."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from moo.gradients.norms import min_norm


def largest(gains: Tensor, gram: Tensor, least: Tensor) -> Tensor:
    """Weights w on the simplex with the largest `gains . w` among those with `gram @ w >= least`.

    Two weights are a point of an interval, which has a closed form; more are for HiGHS. Where rounding leaves nothing
    that fulfils the constraints, which hold for the shortest combination, it is this.

    Args:
        gains: `[..., n]`, finite float64.
        gram: `[..., n, n]`, positive semi-definite.
        least: `[..., n]`, at most 0; minus infinity: no constraint.

    Returns:
        float64 `[..., n]`.
    """
    if gains.shape[-1] == 2:
        return _on_segment(gains, gram, least)
    n = gains.shape[-1]
    rows = [
        _on_simplex(*row)
        for row in zip(gains.reshape(-1, n), gram.reshape(-1, n, n), least.reshape(-1, n), strict=True)
    ]
    return torch.stack(rows).reshape(gains.shape) if rows else torch.empty_like(gains)


def _on_segment(gains: Tensor, gram: Tensor, least: Tensor) -> Tensor:
    """Weights `(t, 1 - t)`: each constraint bounds t from one side."""
    slope, start = gram[..., 0] - gram[..., 1], gram[..., 1]
    bound = (least - start) / torch.where(slope == 0, 1.0, slope)
    low = torch.where(slope > 0, bound, 0.0).amax(dim=-1).clamp(min=0)
    high = torch.where(slope < 0, bound, 1.0).amin(dim=-1).clamp(max=1)
    share = torch.where(gains[..., 0] > gains[..., 1], high, low)
    empty = low > high
    if bool(empty.any()):
        share = torch.where(empty, min_norm(gram)[..., 0], share)
    return torch.stack([share, 1 - share], dim=-1)


def _on_simplex(gains: Tensor, gram: Tensor, least: Tensor) -> Tensor:
    scale = float(gram.diagonal().max()) or 1.0  # HiGHS's tolerances are absolute
    bound = least.isfinite()
    found = linprog(
        -(gains / gains.abs().max().clamp(min=1e-300)).numpy(),
        A_ub=-(gram[bound] / scale).numpy(),
        b_ub=-(least[bound] / scale).numpy(),
        A_eq=np.ones((1, len(gains))),
        b_eq=np.ones(1),
        method="highs",
    )
    return _cleaned(found.x) if found.status == 0 else min_norm(gram)


def smallest_maximum(rises: Tensor, falls: Tensor, least: float) -> Tensor:
    """Weights w on the simplex with the smallest `max(rises @ w)` among those with `falls . w >= least`.

    Args:
        rises: `[n, k]`, finite float64.
        falls: `[k]`; its largest entry is at least `least`.
        least: At least 0.

    Returns:
        float64 `[k]`.

    Raises:
        RuntimeError: HiGHS found no solution.
    """
    n, k = rises.shape
    scale, fall = float(rises.abs().max()) or 1.0, float(falls.abs().max()) or 1.0
    above = np.hstack([rises.numpy() / scale, -np.ones((n, 1))])
    below = np.append(-falls.numpy() / fall, 0.0)
    found = linprog(
        np.append(np.zeros(k), 1.0),
        A_ub=np.vstack([above, below]),
        b_ub=np.append(np.zeros(n), -least / fall * (1 - 1e-12)),
        A_eq=np.append(np.ones(k), 0.0)[None],
        b_eq=np.ones(1),
        bounds=[(0, None)] * k + [(None, None)],
        method="highs",
    )
    if found.status != 0:
        raise RuntimeError(f"The linear program of {k} gradients has no solution: {found.message}")
    return _cleaned(found.x[:k])


def _cleaned(weights: np.ndarray) -> Tensor:
    """On the simplex but for rounding of the sum: HiGHS is exact to 1e-9."""
    kept = np.maximum(weights, 0.0)
    return torch.from_numpy(kept / kept.sum())
