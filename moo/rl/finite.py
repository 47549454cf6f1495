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


def pareto_values(model: FiniteModel, gamma: float, max_steps: int) -> Tensor:
    """The values `[n, m]` of all Pareto-optimal deterministic policies from the start, by value iteration over sets.

    Policies may go by the steps left and by what has happened.

    Args:
        model: The tables.
        gamma: Discount.
        max_steps: Longest episode; one that is cut there keeps what it has gained.
    """
    places = len(model.successors)
    sets = [np.zeros((1, model.rewards.shape[-1]))] * places
    return torch.from_numpy(extend_sets(model, sets, set(range(places)), gamma, max_steps)[model.start])


def extend_sets(
    model: FiniteModel, sets: list[np.ndarray], stale: set[int], gamma: float, rounds: int
) -> list[np.ndarray]:
    """The places' sets of vectors after further rounds of value iteration.

    In each round a stale place's set becomes the non-dominated sums, over actions and over one vector of each outcome's
    set, of reward and discounted vector; where that is a change, the places that lead there are stale in the next. An
    action whose chances are all 0 is unknown and left out.

    Source: White 1982, "Multi-objective infinite-horizon discounted Markov decision processes", J. Math. Anal. Appl.
    89, for policies that may go by what has happened.

    Args:
        model: The tables.
        sets: Of each place, `[n, m]`; an empty one says that nothing is known there.
        stale: Places to begin with.
        gamma: Discount.
        rounds: At most so many.
    """
    sources = _sources(model)
    for _ in range(rounds):
        found = {place: _set_of(model, place, sets, gamma) for place in stale}
        changed = [place for place, vectors in found.items() if not _same(vectors, sets[place])]
        sets = list(sets)
        for place in changed:
            sets[place] = found[place]
        stale = {source for place in changed for source in sources.get(place, ())}
        if not stale:
            break
    return sets


def _sources(model: FiniteModel) -> dict[int, set[int]]:
    """For each place those that lead there."""
    place, action, outcome = np.nonzero(model.chances.numpy())
    sources: dict[int, set[int]] = {}
    for following, source in zip(
        model.successors.numpy()[place, action, outcome].tolist(), place.tolist(), strict=True
    ):
        sources.setdefault(following, set()).add(source)
    return sources


def _set_of(model: FiniteModel, place: int, sets: list[np.ndarray], gamma: float) -> np.ndarray:
    """The non-dominated vectors of a place, from the sets of the next ones."""
    m = model.rewards.shape[-1]
    options = [np.zeros((0, m))]
    for chances, successors, rewards, ends in zip(
        model.chances[place].numpy(),
        model.successors[place].tolist(),
        model.rewards[place].numpy(),
        model.ends[place].tolist(),
        strict=True,
    ):
        sums = np.zeros((int(chances.any()), m))
        for outcome in np.flatnonzero(chances):
            after = np.zeros((1, m)) if ends[outcome] else sets[successors[outcome]]
            gained = chances[outcome] * (rewards[outcome] + gamma * after)
            sums = (sums[:, None] + gained[None]).reshape(-1, m)
        options.append(sums)
    vectors = np.concatenate(options)
    best: np.ndarray = vectors[best_rows(vectors)]
    return best


def best_rows(vectors: np.ndarray) -> np.ndarray:
    """The numbers of the non-dominated rows of `vectors [n, m]` in lexicographic order, of those alike the first.

    They are compared as rounded to `ALIKE`: sums of the same numbers in another order differ in their last digits, and
    a row that is worse would stay because it seems better by so little.
    """
    rounded = np.round(vectors / ALIKE)
    kept = np.flatnonzero(non_dominated(rounded).numpy())
    best: np.ndarray = kept[np.lexsort(rounded[kept].T[::-1])]
    return best


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool((np.abs(a - b) <= ALIKE).all())


def follow(
    model: FiniteModel, sets: list[np.ndarray], place: int, vector: np.ndarray, gamma: float, max_steps: int
) -> list[int]:
    """The actions that gain a vector of a place's set, in a model without chance, at most `max_steps` of them."""
    actions: list[int] = []
    while len(actions) < max_steps:
        choices = []
        for action in np.flatnonzero(model.chances[place, :, 0].numpy()).tolist():
            ends, following = bool(model.ends[place, action, 0]), int(model.successors[place, action, 0])
            after = np.zeros((1, len(vector))) if ends else sets[following]
            gaps = np.abs(model.rewards[place, action, 0].numpy() + gamma * after - vector).max(axis=1, initial=0.0)
            if len(after):
                choices.append((float(gaps.min()), action, ends, following, after[gaps.argmin()]))
        _, action, ends, following, vector_next = min(choices, key=lambda choice: choice[0])
        actions.append(action)
        if ends:
            break
        place, vector = following, vector_next
    return actions
