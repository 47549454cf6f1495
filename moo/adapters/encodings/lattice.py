"""A vector problem as a construction: a point of a lattice, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from moo.adapters.encodings.encoded import Encoded, outcome
from moo.base import ConstructionProblem, Evaluation, Oracle
from moo.checks import check_matrix
from moo.directions import turn
from moo.dominance import non_dominated, violation
from moo.options import Option
from moo.space import Column, Space

MAX_LEVELS = 65_536  # values of one column of a lattice: a policy has to score every one of them
ENUMERABLE = 1_000_000  # rows up to which a lattice's exact front is computed
CHUNK = 16_384  # rows evaluated at once while enumerating


class LatticeConstruction(Encoded, ConstructionProblem):
    """A vector problem as a construction: its columns are chosen in order, each among a few values.

    A real column has `levels` evenly spaced values, bounds included: the middle of a column is among them only where
    `levels` is odd. Where the problem says which values a real column may take (`allowed`, by its number, as the
    real-world suite does), these are its levels. Integer and categorical columns have their own.

    A state is int64 `[n, d]`: the number of each column's level, -1 where none was chosen yet. An action is such a
    number; columns with fewer levels than others mask the rest. Each state has one parent, so each point of the lattice
    is reached by one trajectory, of d steps.

    `oracle.front` is the lattice's own exact front, where the space is finite and the problem knows it, or where the
    lattice has at most 1,000,000 rows and the problem no noise: all of them are then evaluated, uncounted, when it is
    first asked for. A problem's `Evaluation.solutions` is not passed on: solutions are states here.

    Args:
        problem: A vector problem.
        levels: Values of a real column.

    Raises:
        ValueError: A column has more than 65,536 levels of its own.
    """

    takes = "vector"
    options: ClassVar[Mapping[str, Option]] = {
        "levels": Option(32, low=2, high=MAX_LEVELS, help="values of a real column, bounds included"),
    }

    def __init__(self, problem: Any, *, levels: int) -> None:
        super().__init__(problem, levels=levels)
        allowed: Mapping[int, Sequence[float]] = getattr(problem, "allowed", {})
        space: Space = problem.space
        values = [
            _level_values(column, name, levels, allowed.get(number))
            for number, (column, name) in enumerate(zip(space.columns, space.names, strict=True))
        ]
        self.levels = torch.tensor([len(column) for column in values])
        self.size = float(self.levels.to(torch.float64).prod())
        self.num_actions = int(self.levels.max())
        self.max_steps = space.dim
        self.feature_sizes = tuple(number + 1 for number in self.levels.tolist())
        self._values = torch.nn.utils.rnn.pad_sequence(values, batch_first=True)  # [d, num_actions]

    # ------------------------------------------------------------------------------------------ moves
    def start(self, n: int) -> Tensor:
        return torch.full((n, self.max_steps), -1, dtype=torch.int64)

    def step(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The next states and which are finished; finished states stay as they are."""
        place = _chosen(state)
        return torch.where(self._at(state, place), actions[:, None], state), place + 1 >= self.max_steps

    def undo(self, state: Tensor, actions: Tensor) -> Tensor:  # noqa: ARG002
        return torch.where(self._at(state, _chosen(state) - 1), -1, state)

    def action_mask(self, state: Tensor) -> Tensor:
        """Levels of the column that is next, bool `[n, num_actions]`; none in a finished state."""
        levels = torch.cat([self.levels, torch.zeros(1, dtype=torch.int64)]).to(state.device)
        return torch.arange(self.num_actions, device=state.device) < levels[_chosen(state)][:, None]

    def backward_mask(self, state: Tensor) -> Tensor:
        """The level chosen last, bool `[n, num_actions]`; none at the start."""
        place = _chosen(state)
        last = state.gather(1, (place - 1).clamp(min=0)[:, None])
        return torch.arange(self.num_actions, device=state.device) == torch.where(place[:, None] > 0, last, -1)

    def features(self, state: Tensor) -> Tensor:
        """Each column's level, from 1, or 0 where none was chosen yet, `[n, d]`."""
        return state + 1

    def _at(self, state: Tensor, place: Tensor) -> Tensor:
        return torch.arange(self.max_steps, device=state.device) == place[:, None]

    # ------------------------------------------------------------------------------------------ values
    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:
        given: Tensor | Evaluation = self.encoded.evaluate(self.original_solutions(solutions), generator)
        return replace(given, solutions=None) if isinstance(given, Evaluation) else given

    def original_solutions(self, solutions: Tensor) -> Tensor:
        """The canonical rows `[n, d]`, float64 on the CPU, of finished states.

        Raises:
            ValueError: The shape is another, or a state is not finished or holds a level that its column lacks.
        """
        states = check_matrix("solutions", solutions, columns=self.max_steps).to(torch.int64)
        wrong = ((states < 0) | (states >= self.levels)).any(dim=1)
        if wrong.any():
            row = int(torch.nonzero(wrong)[0])
            raise ValueError(
                f"`solutions` should be finished states of {self.name!r}, each column from 0 to its levels "
                f"{self.levels.tolist()} less 1. Row {row} is {states[row].tolist()}."
            )
        return self._values.gather(1, states.T).T.contiguous()

    def decode(self, solutions: Tensor) -> list[str]:
        space: Space = self.encoded.space
        described = (space.describe(row) for row in self.original_solutions(solutions))
        return [", ".join(f"{name}={value}" for name, value in row.items()) for row in described]

    @cached_property
    def oracle(self) -> Oracle | None:  # type: ignore[override]
        """The exact front of the lattice, in the problem's own directions, where it can be known."""
        if "real" not in self.encoded.space.kinds and self.encoded.oracle is not None:
            known: Oracle = self.encoded.oracle
            return known
        if self.stochastic or self.size > ENUMERABLE:
            return None
        front = torch.empty(0, self.num_objectives, dtype=torch.float64)
        for first in range(0, int(self.size), CHUNK):
            states = self._states(first, min(first + CHUNK, int(self.size)))
            objectives, constraints = outcome(self.encoded, self.original_solutions(states), None)
            fine = torch.isfinite(objectives).all(dim=1) & (violation(constraints) == 0)
            front = torch.cat([front, turn(objectives[fine], self.directions)])
            front = front[non_dominated(front)]
        return Oracle(turn(front, self.directions))

    def _states(self, first: int, last: int) -> Tensor:
        """The finished states of these numbers, in the order in which the last column changes fastest."""
        left, parts = torch.arange(first, last), []
        for levels in reversed(self.levels.tolist()):
            parts.append(left % levels)
            left = left // levels
        return torch.stack(parts[::-1], dim=1)


def _chosen(state: Tensor) -> Tensor:
    """How many columns are chosen, `[n]`."""
    return (state >= 0).sum(dim=1)


def _level_values(column: Column, name: str, levels: int, allowed: Sequence[float] | None) -> Tensor:
    """The values of one column of the lattice, ascending."""
    if column.kind == "real":
        if allowed is not None:
            return torch.tensor(allowed, dtype=torch.float64)
        return torch.linspace(column.low, column.high, levels, dtype=torch.float64)
    own = int(column.high - column.low) + 1
    if own > MAX_LEVELS:
        raise ValueError(
            f"A column of a lattice should have at most {MAX_LEVELS} levels. The {column.kind} column {name!r} has "
            f"{own}: make it a real column, which takes `levels` values."
        )
    return column.low + torch.arange(own, dtype=torch.float64)
