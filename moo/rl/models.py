"""Finite models of environments, and the exact values of their policies by value iteration over sets of vectors."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moo.dominance import non_dominated

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
    """The fewest actions that end an episode and gain a vector of a place's set, in a model without chance.

    Found by breadth-first search over places and their vectors: where an action costs nothing, going in circles gains
    as much as going on.

    Returns:
        At most `max_steps` of them.

    Raises:
        ValueError: No policy that ends gains it.
    """
    start = (place, int(np.abs(sets[place] - vector).max(axis=1).argmin()))
    before: dict[tuple[int, int], tuple[tuple[int, int], int] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        wanted = sets[node[0]][node[1]]
        for action in np.flatnonzero(model.chances[node[0], :, 0].numpy()).tolist():
            gained = model.rewards[node[0], action, 0].numpy()
            if model.ends[node[0], action, 0]:
                if _near(gained[None], wanted).any():
                    return _path(before, node, action)[:max_steps]
                continue
            following = int(model.successors[node[0], action, 0])
            for row in np.flatnonzero(_near(gained + gamma * sets[following], wanted)).tolist():
                if (following, row) not in before:
                    before[following, row] = (node, action)
                    waiting.append((following, row))
    raise ValueError(f"No policy that ends gains {vector.tolist()} from place {place}.")


def _near(vectors: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Which of `vectors [n, m]` are the wanted one, but for what sets of vectors leave open."""
    near: np.ndarray = (np.abs(vectors - wanted) <= 1e3 * ALIKE * (1 + np.abs(wanted))).all(axis=1)
    return near


def _path(
    before: Mapping[tuple[int, int], tuple[tuple[int, int], int] | None], node: tuple[int, int], last: int
) -> list[int]:
    """The actions that lead to a node, and a last one."""
    actions, step = [last], before[node]
    while step is not None:
        actions.append(step[1])
        step = before[step[0]]
    return actions[::-1]
