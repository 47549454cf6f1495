"""Whole episodes of many policies at once: the one record from which sampled policy gradients are computed.

A step is a move in an environment, an action that builds an object, or a token of a text.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from moo.base import Candidates
from moo.metered import Metered, MeteredEnvironment
from moo.rl.policies import ActorCritic, Observer
from moo.space import Space, categorical


@dataclass(frozen=True)
class Episodes:
    """p policies with c episodes each, of at most T steps.

    Attributes:
        inputs: What the networks read before each step, `[p, c, T, ...]`; of texts what stood before the first step of
            each group, `[p, groups, P]`.
        masks: Legal actions `[p, c, T, a]`, or None: all are.
        actions: Taken, int64 `[p, c, T]`.
        before: Their log-chances by the policies that took them, `[p, c, T]`.
        moves: Which steps took place, bool `[p, c, T]`; whatever stands elsewhere means nothing.
        rewards: Of each step, float64 `[p, c, T, m]`, maximised, 0 where none took place. What is known of an object
            or a text only when it is finished is the reward of its last step.
        failed: Episodes with a reward that is not finite, bool `[p, c]`.
        cut: Episodes that the budget cut short, bool `[p, c]`.
        gamma: Discount of what comes a step later.
        groups: So many groups of c / groups episodes that follow each other began alike.
        prompts, texts: Of texts, as people read them, policy by policy; else none.
    """

    inputs: Tensor
    masks: Tensor | None
    actions: Tensor
    before: Tensor
    moves: Tensor
    rewards: Tensor
    failed: Tensor
    cut: Tensor
    gamma: float = 1.0
    groups: int = 1
    prompts: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    def of(self, which: slice) -> Episodes:
        """The episodes of some policies, without their texts as people read them."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        chosen: dict[str, Any] = {name: part[which] for name, part in parts.items() if isinstance(part, Tensor)}
        return replace(self, **chosen, prompts=(), texts=())

    def grouped(self, column: Tensor) -> Tensor:
        """A column of episodes `[p, c, ...]` by groups, `[p, groups, c / groups, ...]`."""
        return column.reshape(len(column), self.groups, -1, *column.shape[2:])

    @property
    def sound(self) -> Tensor:
        """Episodes to learn from: those that ended and whose rewards are numbers, bool `[p, c]`."""
        return ~self.failed & ~self.cut

    @property
    def live(self) -> Tensor:
        """Steps to learn from, bool `[p, c, T]`."""
        return self.moves & self.sound[..., None]

    @property
    def returns(self) -> Tensor:
        """The discounted sum of each episode's rewards, `[p, c, m]`; 0 where it is not sound."""
        times = torch.arange(self.rewards.shape[2], device=self.rewards.device, dtype=self.rewards.dtype)
        summed = (self.rewards * (self.gamma**times)[:, None]).sum(dim=2)
        return torch.where(self.sound[..., None], summed, 0.0)

    @property
    def means(self) -> Tensor:
        """The mean returns of each policy's sound episodes, `[p, m]`; NaN where it has none."""
        return self.returns.sum(dim=1) / self.sound.sum(dim=1, keepdim=True)

    @property
    def standard_errors(self) -> Tensor:
        """Of the means, `[p, m]`; NaN below two sound episodes."""
        count = self.sound.sum(dim=1, keepdim=True)
        away = torch.where(self.sound[..., None], self.returns - self.means[:, None], 0.0)
        spread = away.square().sum(dim=1) / (count - 1).clamp(min=1)
        return torch.where(count > 1, (spread / count.clamp(min=1)).sqrt(), float("nan"))


def spaces_of(problem: Metered) -> tuple[Space, Space]:
    """What a policy reads of a problem and what it does, each as a space.

    Raises:
        ValueError: A construction problem does not say what a policy reads of a state.
    """
    if problem.kind == "environment":
        return problem.observation_space, problem.action_space
    if not hasattr(problem, "features") or not hasattr(problem, "feature_sizes"):
        raise ValueError(
            "A policy needs a construction problem with `features` and `feature_sizes`, what it reads of a state. "
            f"{problem.name!r} lacks them."
        )
    read = Space(tuple(categorical(range(size)) for size in problem.feature_sizes))
    return read, Space((categorical(range(problem.num_actions)),))


class _Steps:
    """Gathers the steps of `n = p c` rows, and lays them out as episodes."""

    def __init__(self, net: ActorCritic, copies: int, stream: torch.Generator) -> None:
        self._net, self._copies, self._stream = net, copies, stream
        self._rows: dict[str, list[Tensor]] = {}

    @property
    def last(self) -> Tensor:
        """Which step is each row's last, bool `[n, T]`."""
        moves = torch.stack(self._rows["moves"], dim=1)
        return moves & (moves.cumsum(dim=1) == moves.sum(dim=1, keepdim=True))

    def choose(self, inputs: Tensor, mask: Tensor | None, moving: Tensor) -> Tensor:
        """Actions `[n]` of the policies for inputs `[n, i]` and legal actions `[n, a]`; rows not moving get any."""
        grouped = self._by_policy(inputs)
        legal = None if mask is None else self._by_policy(mask)
        with torch.no_grad():
            law = self._net.law(grouped, legal)
            actions = law.draw(self._stream)
            before = law.log_chance(actions)
        self._keep(inputs=inputs, actions=actions.flatten(), before=before.flatten(), moves=moving)
        if mask is not None:
            self._keep(masks=mask)
        return actions.flatten()

    def reward(self, rewards: Tensor) -> None:
        """Note the rewards `[n, m]` of the last step."""
        self._keep(rewards=rewards)

    def episodes(self, failed: Tensor, cut: Tensor, gamma: float = 1.0, rewards: Tensor | None = None) -> Episodes:
        """All of it, with rewards `[n, T, m]` where they were not noted step by step."""
        found = {name: torch.stack(rows, dim=1) for name, rows in self._rows.items()}
        if rewards is not None:
            found["rewards"] = rewards
        found |= {"failed": failed, "cut": cut}
        grouped: dict[str, Any] = {name: self._by_policy(column) for name, column in found.items()}
        return Episodes(**{"masks": None, **grouped}, gamma=gamma)

    def _by_policy(self, rows: Tensor) -> Tensor:
        """Rows `[n, ...]` as `[p, c, ...]`."""
        return rows.reshape(-1, self._copies, *rows.shape[1:])

    def _keep(self, **columns: Tensor) -> None:
        for name, column in columns.items():
            self._rows.setdefault(name, []).append(column)


def play(
    problem: MeteredEnvironment,
    net: ActorCritic,
    observer: Observer,
    copies: int,
    stream: torch.Generator,
    device: str | torch.device = "cpu",
) -> Episodes:
    """So many whole episodes of each policy in an environment, each transition being paid.

    Args:
        problem: The metered environment, of discrete actions.
        net: The policies.
        observer: What they see.
        copies: Episodes of each, c, all stepped together.
        stream: Of the actions.
        device: Where the environment is stepped.
    """
    n = net.policies * copies
    state = problem.reset(n, device)
    active = torch.ones(n, dtype=torch.bool, device=state.device)
    failed, cut = torch.zeros_like(active), torch.zeros_like(active)
    steps = _Steps(net, copies, stream)
    for _ in range(problem.max_steps):
        actions = steps.choose(observer(problem.observe(state)), problem.action_mask(state), active)
        cut |= active & (active.cumsum(0) > problem.remaining)
        state, rewards, terminated, truncated, faulty = problem.step(state, actions, active)
        steps.reward(rewards)
        failed |= faulty
        active = active & ~terminated & ~truncated
        if not active.any():
            break
    return steps.episodes(failed, cut, problem.gamma)


def build(
    problem: Metered,
    net: ActorCritic,
    observer: Observer,
    copies: int,
    stream: torch.Generator,
    preferences: Tensor,
    device: str | torch.device = "cpu",
) -> tuple[Episodes, Candidates]:
    """So many objects of each policy, and their evaluation, which is all that is paid.

    All are drawn, also where the budget affords only the first of them: what is drawn must not depend on it.

    Args:
        problem: The metered construction problem.
        net: The policies.
        observer: What they read of `features`.
        copies: Objects of each, c.
        stream: Of the actions.
        preferences: Of the policies `[p, m]`, which the evaluated rows carry.
        device: Of the states.
    """
    n = net.policies * copies
    state, going = problem.start(n).to(device), torch.arange(n, device=device)
    inputs = torch.zeros(n, observer.inputs, device=device)
    steps = _Steps(net, copies, stream)
    for _ in range(problem.max_steps):
        mask = torch.ones(n, problem.num_actions, dtype=torch.bool, device=device)
        mask[going] = problem.action_mask(state[going])
        inputs = inputs.index_put((going,), observer(problem.features(state[going])))
        moving = torch.zeros(n, dtype=torch.bool, device=device).index_fill(0, going, True)
        actions = steps.choose(inputs, mask, moving)
        moved, finished = problem.step(state[going], actions[going])
        state = state.index_put((going,), moved)
        going = going[~finished]
        if not len(going):
            break
    paid = problem.affordable(n)
    told = problem.evaluate(state[:paid].cpu(), preferences=preferences.repeat_interleave(copies, dim=0)[:paid])
    return _of_objects(steps, told, n, device), told


def _of_objects(steps: _Steps, told: Candidates, n: int, device: str | torch.device) -> Episodes:
    """Episodes whose last steps are rewarded with the objectives of what they built."""
    missing = n - len(told)
    objectives = torch.where(told.failed[:, None], 0.0, told.objectives)
    objectives = torch.cat([objectives, objectives.new_zeros(missing, objectives.shape[1])]).to(device)
    failed = torch.cat([told.failed, torch.zeros(missing, dtype=torch.bool)]).to(device)
    rewards = steps.last[..., None] * objectives[:, None]
    return steps.episodes(failed, torch.arange(n, device=device) >= len(told), rewards=rewards)
