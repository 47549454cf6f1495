"""Returns and advantages of several objectives at once."""

from __future__ import annotations

import torch
from torch import Tensor


def advantages(
    rewards: Tensor,
    values: Tensor,
    following: Tensor,
    terminated: Tensor,
    ended: Tensor,
    gamma: float,
    decay: float,
    ratios: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Generalised advantages, and targets for the values, of a window of steps.

    With actions drawn from another law than the policy's, what an action brought counts by its ratio, and what came
    later by `min(1, ratio)` as well: V-trace whose first weight is not truncated. So the values that it leads to are
    the policy's own, which those of truncated weights are not. The advantage of the action itself is not weighted.

    Source: Schulman, Moritz, Levine, Jordan and Abbeel 2016 (1506.02438); the ratios: Espeholt et al. 2018
    (1802.01561).

    Args:
        rewards: `[T, n, m]`.
        values: Of the observations before each step, `[T, n, m]`.
        following: Of those after, `[T, n, m]`, also where an episode was cut.
        terminated: Episodes that ended by themselves, `[T, n]`: nothing follows.
        ended: Those, and the ones that were cut, `[T, n]`: what stands behind is another episode.
        gamma: Discount.
        decay: Lambda, from 0 (one step) to 1 (to the end of the window).
        ratios: Of the policy's chance of the action to the chance it was drawn with, `[T, n]`; None: 1.

    Returns:
        Advantages and targets, both `[T, n, m]`.
    """
    goes_on = (~terminated).to(values)[..., None]
    deltas = rewards + gamma * goes_on * following - values
    keeps = gamma * decay * (~ended).to(values)[..., None]
    weights = torch.ones_like(keeps) if ratios is None else ratios[..., None].to(values)
    later = keeps * weights.clamp(max=1)
    found, corrections = torch.empty_like(deltas), torch.empty_like(deltas)
    correction = torch.zeros_like(deltas[0])
    for time in range(len(deltas) - 1, -1, -1):
        found[time] = deltas[time] + keeps[time] * correction
        correction = weights[time] * deltas[time] + later[time] * correction
        corrections[time] = correction
    return found, values + corrections


def standardised(gains: Tensor, weights: Tensor) -> Tensor:
    """Advantages `[p, b]` of each policy with mean 0 and standard deviation 1 over samples that took place."""
    live = (weights > 0).to(gains)
    count = live.sum(dim=1, keepdim=True).clamp(min=1)
    centred = gains - (gains * live).sum(dim=1, keepdim=True) / count
    spread = ((centred.square() * live).sum(dim=1, keepdim=True) / count).sqrt()
    return centred / (spread + 1e-8)
