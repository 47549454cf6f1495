"""Finite environments: all there is to know of one stands in tables, so stepping is looking up.

`FiniteModel` holds the tables, `FiniteEnvironment` makes a problem of them, `pareto_values` finds the exact front by
value iteration over sets of vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from moo.base import EnvironmentProblem
from moo.checks import check_count, check_vector
from moo.dominance import non_dominated
from moo.rl.oracle import PolicyOracle
from moo.space import Space, categorical

ALIKE = 1e-10  # vectors that differ by less are one


@dataclass(frozen=True)
class FiniteModel:
    """A finite Markov decision process with vector rewards: `s` places, `a` actions, up to `k` outcomes of each.

    Attributes:
        successors: Where an outcome leads, int64 `[s, a, k]`.
        chances: Of each outcome, float64 `[s, a, k]`, summing to 1.
        rewards: Of each outcome, float64 `[s, a, k, m]`.
        ends: Whether an outcome ends the episode, bool `[s, a, k]`.
        start: The place where every episode begins.
    """

    successors: Tensor
    chances: Tensor
    rewards: Tensor
    ends: Tensor
    start: int


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
        actions = actions.reshape(len(state))
        if len(actions) and not 0 <= int(actions.min()) <= int(actions.max()) < number:
            raise ValueError(
                f"`actions` of {self.name} should be from 0 to {number - 1}. Found {sorted(set(actions.tolist()))}."
            )
        row = state[:, 0] * number + actions
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


def pareto_values(model: FiniteModel, gamma: float, max_steps: int) -> Tensor:
    """The values `[n, m]` of all Pareto-optimal deterministic policies from the start, by value iteration over sets.

    Policies may go by the steps left and by what has happened. A place's set for h steps left holds the non-dominated
    sums, over actions and over one vector of each outcome's set for h - 1, of reward and discounted vector. All ends
    when no set changes, or at `max_steps`.

    Source: White 1982, "Multi-objective infinite-horizon discounted Markov decision processes", J. Math. Anal. Appl.
    89; its sets over what a policy does at each outcome.

    Args:
        model: The tables.
        gamma: Discount.
        max_steps: Longest episode.
    """
    places, actions, outcomes = model.successors.shape
    successors, ends = model.successors.tolist(), model.ends.tolist()
    chances, rewards = model.chances.numpy(), model.rewards.numpy()
    nothing = np.zeros((1, rewards.shape[-1]))
    sets = [nothing] * places
    changed = set(range(places))
    sources: list[set[int]] = [set() for _ in range(places)]
    for place in range(places):
        for following in np.unique(model.successors[place].numpy()).tolist():
            sources[following].add(place)
    for _ in range(max_steps):
        found = list(sets)
        news = set()
        for place in {source for other in changed for source in sources[other]}:
            options = []
            for action in range(actions):
                sums = nothing
                for outcome in range(outcomes):
                    chance = chances[place, action, outcome]
                    if chance == 0:
                        continue
                    following = successors[place][action][outcome]
                    after = nothing if ends[place][action][outcome] else sets[following]
                    gained = chance * (rewards[place, action, outcome] + gamma * after)
                    sums = (sums[:, None] + gained[None]).reshape(-1, gained.shape[1])
                options.append(sums)
            found[place] = _best(np.concatenate(options))
            if found[place].shape != sets[place].shape or np.abs(found[place] - sets[place]).max() > ALIKE:
                news.add(place)
        sets, changed = found, news
        if not changed:
            break
    return torch.from_numpy(sets[model.start])


def _best(vectors: np.ndarray) -> np.ndarray:
    """The non-dominated rows in lexicographic order, those alike once."""
    _, first = np.unique(np.round(vectors / ALIKE).astype(np.int64), axis=0, return_index=True)
    vectors = vectors[first]
    if len(vectors) == 1:
        return vectors
    best: np.ndarray = vectors[non_dominated(vectors).numpy()]
    return best
