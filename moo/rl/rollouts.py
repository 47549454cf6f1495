"""Rollouts: whole episodes of many policies at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from moo.metered import MeteredEnvironment

Policy = Callable[[Tensor, Tensor | None], Tensor]  # observations [n, o], legal actions [n, a] or None -> actions


def episode_returns(problem: MeteredEnvironment, policy: Policy, copies: int) -> tuple[Tensor, Tensor, Tensor]:
    """Discounted returns of one whole episode on each of `copies` copies of an environment.

    Every copy runs until its own episode ends: taking "whatever finished in this window" would favour short episodes.

    Args:
        problem: The metered environment; each transition of a running copy is paid.
        policy: Row i of its input is copy i.
        copies: Episodes, all stepped together.

    Returns:
        Returns `[copies, m]` (maximised), copies whose episode failed (a reward that is not finite), bool `[copies]`,
        and copies that the budget cut short, bool `[copies]`. The returns of both are no estimate.
    """
    state = problem.reset(copies)
    active = torch.ones(copies, dtype=torch.bool, device=state.device)
    returns = torch.zeros(copies, problem.num_objectives, dtype=torch.float64, device=state.device)
    failed, cut = torch.zeros_like(active), torch.zeros_like(active)
    discount = 1.0
    for _ in range(problem.max_steps):
        actions = policy(problem.observe(state), problem.action_mask(state))
        cut |= active & (active.cumsum(0) > problem.remaining)
        state, rewards, terminated, truncated, faulty = problem.step(state, actions, active)
        failed |= faulty
        returns += discount * rewards
        discount *= problem.gamma
        active = active & ~terminated & ~truncated
        if not active.any():
            break
    return returns, failed, cut
