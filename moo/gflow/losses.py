"""Losses of GFlowNets on whole batches of trajectories, as pure functions of logarithms.

All take, for n trajectories of at most T steps, with the conditions (preference and beta) already in them:

- `log_forward`, `log_backward` `[T, n]`: log P_F(s'|s) and log P_B(s|s') of the steps, 0 behind the end;
- `log_flow` `[T + 1, n]`: log F(s) of the states; at the end of a trajectory and behind it log R;
- `log_reward` `[n]`: log R(x) = beta log R(x | preference) of what was built;
- `lengths` `[n]`: steps of each.

They give one value per trajectory `[n]`, at least 0, whose mean is what is minimised, and pass gradients on.
"""

from __future__ import annotations

import torch
from torch import Tensor


def trajectory_balance(log_z: Tensor, log_forward: Tensor, log_backward: Tensor, log_reward: Tensor) -> Tensor:
    """`(log Z + sum log P_F - log R - sum log P_B)^2`, with `log_z [n]` of each trajectory's condition.

    Source: Malkin et al. 2022 (2201.13259).
    """
    return (log_z - log_z_estimates(log_forward, log_backward, log_reward)) ** 2


def log_z_estimates(log_forward: Tensor, log_backward: Tensor, log_reward: Tensor) -> Tensor:
    """`log R + sum log P_B - sum log P_F` `[n]`: what each trajectory alone says log Z is."""
    return log_reward + (log_backward - log_forward).sum(dim=0)


def log_variance(log_forward: Tensor, log_backward: Tensor, log_reward: Tensor, group: int) -> Tensor:
    """The squared deviation of each trajectory's estimate of log Z from the mean of its `group`.

    Consecutive trajectories, `group` at a time, share their condition, so that no log Z has to be learned. The mean
    takes part in the gradient; torch's gradient of the variance is the same either way.

    Source: Richter et al. 2020 (2010.10436), VarGrad; for GFlowNets Zhang et al. 2023 (2302.05446).
    """
    estimates = log_z_estimates(log_forward, log_backward, log_reward).reshape(-1, group)
    return ((estimates - estimates.mean(dim=1, keepdim=True)) ** 2).flatten()


def detailed_balance(log_forward: Tensor, log_backward: Tensor, log_flow: Tensor, lengths: Tensor) -> Tensor:
    """The mean over a trajectory's steps of `(log F(s) + log P_F - log F(s') - log P_B)^2`.

    Source: Bengio et al. 2023 (2111.09266); with flows that hold the reward so far, Pan et al. 2023
    (2302.01687), forward-looking detailed balance.
    """
    residuals = log_flow[:-1] + log_forward - log_flow[1:] - log_backward
    taken = torch.arange(len(residuals), device=lengths.device)[:, None] < lengths
    return torch.where(taken, residuals**2, 0.0).sum(dim=0) / lengths


def subtrajectory_balance(
    log_forward: Tensor, log_backward: Tensor, log_flow: Tensor, lengths: Tensor, discount: float = 1.0
) -> Tensor:
    """The weighted mean over all parts of a trajectory of the squared imbalance between their ends.

    The part from step i to step j weighs `discount^(j - i)`. With `a_i = log F(s_i) + sum_{t<i} (log P_B - log P_F)`
    the imbalance is `a_i - a_j`, so that for `discount` 1 the mean is twice the variance of a along the trajectory:
    no pair is formed.

    Source: Madan et al. 2023 (2209.12782), SubTB(lambda).
    """
    steps = torch.arange(len(log_flow), device=lengths.device)
    taken = steps[:-1, None] < lengths
    gains = torch.where(taken, log_backward - log_forward, 0.0)
    levels = log_flow + torch.cat([torch.zeros_like(gains[:1]), gains.cumsum(dim=0)])
    there = steps[:, None] <= lengths
    if discount == 1:
        count = (lengths + 1).to(levels.dtype)
        mean = torch.where(there, levels, 0.0).sum(dim=0) / count
        return 2 * torch.where(there, (levels - mean) ** 2, 0.0).sum(dim=0) / (count - 1)
    apart = steps[None, :] - steps[:, None]  # [T + 1, T + 1]
    weights = torch.where(apart > 0, discount ** apart.to(levels.dtype), 0.0)
    pairs = weights[:, :, None] * (there[:, None] & there[None, :])
    return (pairs * (levels[:, None] - levels[None, :]) ** 2).sum(dim=(0, 1)) / pairs.sum(dim=(0, 1))


def ordering(log_reward: Tensor, best: Tensor) -> Tensor | None:
    """The cross-entropy between a batch's labels and the shares of its implied rewards.

    Each of the rows that are `best` has the label 1 over their number, the others 0. A constant factor of the rewards
    does not matter.

    Source: Chen and Mauch 2024 (2310.00386).

    Args:
        log_reward: What the policy takes log R to be, but for a constant, `[n]`.
        best: Bool `[n]`.

    Returns:
        A number, at least the logarithm of how many rows are best; None where none is.
    """
    if not best.any():
        return None
    return log_reward.logsumexp(dim=0) - log_reward[best].mean()
