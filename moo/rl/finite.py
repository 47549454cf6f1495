"""Finite environments: all there is to know of one stands in tables, so stepping is looking up.

`FiniteEnvironment` makes a problem of a `FiniteModel`; what follows is what other batched environments need as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from moo.base import EnvironmentProblem
from moo.checks import check_count, check_vector
from moo.rl.models import FiniteModel, pareto_values
from moo.rl.oracle import PolicyOracle
from moo.space import Space, categorical


class FiniteEnvironment(EnvironmentProblem):
    """An environment that is read off a `FiniteModel`. A state is int64 `[n, 2]`: the place, and the steps taken.

    Rewards are float64; all follows the device of the state. What is random is drawn on the CPU.

    Args:
        name: Of the problem.
        model: The tables.
        places: What a policy sees of each place, `[s, o]`.
        observation_space: Of that.
        actions: Their names.
        objective_names: One per objective; all are maximised.
        gamma: Discount, in (0, 1].
        max_steps: After which an episode is cut.
        reference_point: `[m]`.

    Raises:
        ValueError: `gamma` or `max_steps` is out of its range.
    """

    def __init__(
        self,
        name: str,
        model: FiniteModel,
        places: Tensor,
        observation_space: Space,
        actions: Sequence[str],
        objective_names: Sequence[str],
        gamma: float,
        max_steps: int,
        reference_point: Sequence[float],
    ) -> None:
        self.name, self.model = name, model
        self.objective_names = tuple(objective_names)
        self.num_objectives = len(self.objective_names)
        self.directions = ("max",) * self.num_objectives
        self.observation_space = observation_space
        self.action_space = Space((categorical(list(actions), "action"),))
        self.gamma, self.max_steps = check_gamma(gamma), check_count("max_steps", max_steps)
        self.stochastic = model.chances.shape[2] > 1
        self.reference_point = check_vector("reference_point", reference_point, self.num_objectives)
        flat = model.successors.flatten()
        lines = (
            model.chances.cumsum(dim=2).flatten(0, 1)[:, :-1],
            torch.stack([flat, model.ends.flatten().long()]),
            model.rewards.flatten(0, 2),
            places.to(torch.float32),
        )
        self._tables = Tables(*lines)

    def reset(self, n: int, generator: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        state = torch.zeros(n, 2, dtype=torch.int64)
        state[:, 0] = self.model.start
        return state

    def step(
        self, state: Tensor, actions: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        chances, moves, rewards, _ = self._tables.on(state.device)
        number = int(self.action_space.size)
        row = state[:, 0] * number + check_actions(self, actions, len(state))
        outcomes = self.model.chances.shape[2]
        if outcomes > 1:
            drawn = uniform(len(state), generator, state.device)
            row = row * outcomes + (drawn[:, None] >= chances[row]).sum(dim=1)
        steps = state[:, 1] + 1
        moved = moves[:, row]
        return torch.stack([moved[0], steps], dim=1), rewards[row], moved[1] > 0, steps >= self.max_steps

    def observe(self, state: Tensor) -> Tensor:
        places: Tensor = self._tables.on(state.device)[3][state[:, 0]]
        return places

    def action_mask(self, state: Tensor) -> None:  # noqa: ARG002
        return None

    @cached_property
    def oracle(self) -> PolicyOracle:  # type: ignore[override]
        """The exact front of deterministic policies, which may go by what has happened so far."""
        return PolicyOracle(pareto_values(self.model, self.gamma, self.max_steps))


class Tables:
    """Constant tensors, copied to a device when they are first asked for there."""

    def __init__(self, *tensors: Tensor) -> None:
        self._copies = {torch.device("cpu"): tensors}

    def on(self, device: torch.device) -> tuple[Tensor, ...]:
        """The tensors there."""
        if device not in self._copies:
            self._copies[device] = tuple(tensor.to(device) for tensor in self._copies[torch.device("cpu")])
        return self._copies[device]


def uniform(n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
    """Numbers `[n]` in [0, 1), drawn on the CPU, so that they are the same on every device.

    Raises:
        ValueError: There is no generator to draw from.
    """
    if generator is None:
        raise ValueError("`generator` should be a torch.Generator: this environment is random. Found None.")
    return torch.rand(n, generator=generator, dtype=torch.float64).to(device)


def check_gamma(gamma: float) -> float:
    """Return a discount as a float.

    Raises:
        ValueError: It is not in (0, 1].
    """
    if not 0 < gamma <= 1:
        raise ValueError(f"`gamma` should be in (0, 1]. Found {gamma}.")
    return float(gamma)


def check_actions(problem: EnvironmentProblem, actions: Tensor, n: int) -> Tensor:
    """Return the discrete actions of `n` copies as `[n]`.

    Raises:
        ValueError: One is not among the problem's actions.
    """
    number = int(problem.action_space.size)
    actions = actions.reshape(n)
    if n and not 0 <= int(actions.min()) <= int(actions.max()) < number:
        raise ValueError(
            f"`actions` of {problem.name} should be from 0 to {number - 1}. Found {sorted(set(actions.tolist()))}."
        )
    return actions
