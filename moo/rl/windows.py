"""Windows of steps: what was gained before each step, and sums of the rewards ahead of it."""

from __future__ import annotations

import torch
from torch import Tensor


def gained_so_far(
    rewards: Tensor, ended: Tensor, accrued: Tensor, times: Tensor, gamma: float
) -> tuple[Tensor, Tensor]:
    """Discounted returns of episodes under way, before and after each step of a window.

    Args:
        rewards: `[T, n, m]`.
        ended: After which steps another episode begins, `[T, n]`.
        accrued: Returns at the window's beginning, `[n, m]`.
        times: Steps taken in the episode before each step, `[T, n]`.
        gamma: Discount.

    Returns:
        Returns before and after each step, both `[T, n, m]`.
    """
    discounts = gamma ** times.to(rewards.dtype)
    before, after = torch.empty_like(rewards), torch.empty_like(rewards)
    for time in range(len(rewards)):
        before[time] = accrued
        after[time] = accrued + discounts[time][:, None] * rewards[time]
        accrued = torch.where(ended[time][:, None], 0.0, after[time])
    return before, after


def looked_ahead(rewards: Tensor, ended: Tensor, active: Tensor, gamma: float, steps: int) -> tuple[Tensor, Tensor]:
    """Discounted sums of the next rewards of a window, at most so many, and not beyond its end or an episode's.

    Args:
        rewards: `[T, n, m]`.
        ended: Steps behind which another episode begins, `[T, n]`.
        active: Steps that took place, `[T, n]`.
        gamma: Discount.
        steps: At least 1.

    Returns:
        The number of each sum's last step, int64 `[T, n]`, and the sums `[T, n, m]`.
    """
    length = len(rewards)
    last = torch.arange(length, device=rewards.device)[:, None].expand_as(ended).clone()
    summed, goes_on = rewards.clone(), torch.ones_like(ended)
    for ahead in range(1, min(steps, length)):
        goes_on = goes_on[: length - ahead] & ~ended[ahead - 1 : length - 1] & active[ahead:]
        summed[: length - ahead] += gamma**ahead * goes_on[..., None] * rewards[ahead:]
        last[: length - ahead] += goes_on
    return last, summed


def of_step(columns: Tensor, steps: Tensor) -> Tensor:
    """Of a window's columns `[T, n, ...]` those of steps `[T, n]`."""
    index = steps.reshape(*steps.shape, *[1] * (columns.ndim - 2)).expand(*steps.shape, *columns.shape[2:])
    return columns.gather(0, index)
