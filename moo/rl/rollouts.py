"""Rollouts: whole episodes of many policies at once, and windows of steps to learn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moo.base import Acting, Candidates
from moo.metered import MeteredEnvironment

# Of observations [n, o], legal actions [n, a] or None, and the steps taken so far: actions.
Policy = Callable[[Tensor, Tensor | None, int], Tensor]


def episode_returns(
    problem: MeteredEnvironment, policy: Policy, copies: int, device: str | torch.device = "cpu"
) -> tuple[Tensor, Tensor, Tensor]:
    """Discounted returns of one whole episode on each of `copies` copies of an environment.

    Every copy runs until its own episode ends: taking "whatever finished in this window" would favour short episodes.

    Args:
        problem: The metered environment; each transition of a running copy is paid.
        policy: Row i of its input is copy i.
        copies: Episodes, all stepped together.
        device: Where they are stepped.

    Returns:
        Returns `[copies, m]` (maximised), copies whose episode failed (a reward that is not finite), bool `[copies]`,
        and copies that the budget cut short, bool `[copies]`. The returns of both are no estimate.
    """
    state = problem.reset(copies, device)
    active = torch.ones(copies, dtype=torch.bool, device=state.device)
    returns = torch.zeros(copies, problem.num_objectives, dtype=torch.float64, device=state.device)
    failed, cut = torch.zeros_like(active), torch.zeros_like(active)
    discount = 1.0
    for time in range(problem.max_steps):
        actions = policy(problem.observe(state), problem.action_mask(state), time)
        cut |= active & (active.cumsum(0) > problem.remaining)
        state, rewards, terminated, truncated, faulty = problem.step(state, actions, active)
        failed |= faulty
        returns += discount * rewards
        discount *= problem.gamma
        active = active & ~terminated & ~truncated
        if not active.any():
            break
    return returns, failed, cut


def evaluate_policies(
    problem: MeteredEnvironment,
    method: Acting,
    policies: Candidates,
    episodes: int,
    stream: torch.Generator,
    device: str | torch.device = "cpu",
) -> Candidates:
    """The same policies with their mean returns as objectives, each over so many whole episodes, which are paid.

    Args:
        problem: The metered environment.
        method: Whose policies they are.
        policies: One row each, their weights in `parameters.*`.
        episodes: Of each.
        stream: Of the actions that are drawn.
        device: Where the environment is stepped.

    Returns:
        Candidates with objectives `[n, m]`, NaN where an episode failed or was cut by the budget, and the extras
        `failed`, `reason`, `used`, `standard_error [n, m]` (NaN for one episode) and `episodes`.
    """
    n, m = policies.objectives.shape
    copies = policies.rows(torch.arange(n).repeat_interleave(episodes))

    def act(observations: Tensor, mask: Tensor | None, time: int) -> Tensor:
        return method.act(copies, observations, mask, time, stream)

    returns, failed, cut = episode_returns(problem, act, len(copies), device)
    lost = (failed | cut).cpu().reshape(n, episodes).any(dim=1)
    failed = failed.cpu().reshape(n, episodes).any(dim=1)
    returns = returns.cpu().reshape(n, episodes, m)
    reasons = np.array([problem.failure, "the budget ran out within its episodes"])
    return Candidates(
        policies.solutions,
        torch.where(lost[:, None], float("nan"), returns.mean(dim=1)),
        policies.preferences,
        {
            **policies.extras,
            "failed": lost,
            "reason": np.where(lost.numpy(), reasons[(~failed).long().numpy()], ""),
            "used": torch.full((n,), problem.used),
            "standard_error": returns.std(dim=1) / episodes**0.5 if episodes > 1 else torch.full((n, m), float("nan")),
            "episodes": torch.full((n,), episodes),
        },
    )


@dataclass(frozen=True)
class Transitions:
    """Consecutive steps of several copies: T steps of n copies, each tensor `[T, n, ...]`.

    Attributes:
        observations: Before the step.
        masks: Legal actions, or None.
        actions: Taken.
        rewards: `[T, n, m]`, float64, maximised.
        terminated: Episodes that ended by themselves.
        truncated: Episodes that were cut: what would have followed counts, though nobody sees it.
        active: Whether the step took place; false where the budget had run out, or it failed.
        following: Observations after the step, also at an episode's end.
        extras: What the policy returned beside its actions.
    """

    observations: Tensor
    masks: Tensor | None
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    truncated: Tensor
    active: Tensor
    following: Tensor
    extras: dict[str, Tensor]


def _stacked(rows: list[Transitions]) -> Transitions:
    """Single steps, each tensor `[n, ...]`, as one window."""
    masks = [row.masks for row in rows if row.masks is not None]
    names = [field.name for field in fields(Transitions) if field.name not in ("masks", "extras")]
    return Transitions(
        masks=torch.stack(masks) if masks else None,
        extras={name: torch.stack([row.extras[name] for row in rows]) for name in rows[0].extras},
        **{name: torch.stack([getattr(row, name) for row in rows]) for name in names},
    )


class Collector:
    """Copies of an environment that go on from one window of steps to the next; who has finished begins anew.

    Args:
        problem: The metered environment.
        copies: n.
        device: Where they are stepped.
    """

    def __init__(self, problem: MeteredEnvironment, copies: int, device: str | torch.device = "cpu") -> None:
        self.problem, self.copies, self.device = problem, copies, torch.device(device)
        self._state: Tensor | None = None
        self._begins = torch.ones(copies, dtype=torch.bool, device=self.device)

    def collect(
        self, steps: int, choose: Callable[[Tensor, Tensor | None, Tensor], tuple[Tensor, dict[str, Tensor]]]
    ) -> Transitions:
        """So many steps of every copy, fewer where the budget ends.

        Args:
            steps: T.
            choose: Of observations `[n, o]`, legal actions or None, and which copies begin an episode, bool `[n]`:
                actions, and further tensors `[n, ...]` to be kept.
        """
        problem = self.problem
        if self._state is None:
            self._state = problem.reset(self.copies, self.device)
        rows = []
        for _ in range(steps):
            state = self._state
            seen, mask = problem.observe(state), problem.action_mask(state)
            actions, extras = choose(seen, mask, self._begins)
            paid = torch.arange(self.copies, device=self.device) < problem.remaining
            state, rewards, terminated, truncated, failed = problem.step(state, actions)
            active = paid & ~failed
            after = problem.observe(state)
            rows.append(Transitions(seen, mask, actions, rewards, terminated, truncated, active, after, extras))
            self._begins = terminated | truncated
            if self._begins.any():
                fresh = problem.reset(self.copies, self.device)
                state = torch.where(self._begins.reshape(-1, *[1] * (state.ndim - 1)), fresh, state)
            self._state = state
            if problem.remaining == 0:
                break
        return _stacked(rows)

    def state_dict(self) -> dict[str, Any]:
        """Where the copies stand."""
        return {"state": self._state, "begins": self._begins}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._state, self._begins = state["state"], state["begins"].to(self.device)
        if self._state is not None:
            self._state = self._state.to(self.device)
