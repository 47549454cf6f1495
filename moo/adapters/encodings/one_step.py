"""A vector problem as an environment of one step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from moo.adapters.encodings.encoded import Encoded, outcome
from moo.base import EnvironmentProblem, Evaluation
from moo.checks import check_matrix
from moo.space import Column, Space, real


class OneStepEnvironment(Encoded, EnvironmentProblem):
    """A vector problem as an environment of one step: the action is the solution, the reward its objectives.

    One transition is one evaluation, which stays the unit. What is observed is always 0. Actions are real columns in
    [-1, 1], values beyond which are clipped:

    - a real column is one of them, mapped to the column's bounds;
    - an integer column is one of them, cut into equal parts, one per level;
    - a categorical column is one of them *per choice*: the highest chooses (of equals the first), so that no choice is
      nearer to one than to another. These are compared as they are, without clipping.

    Independent uniform actions so make every level and every choice equally likely. A space that is a single
    categorical column is a discrete action instead: the contract's `action_space` is one categorical column or real
    columns, and methods read it as one or the other.

    The state `[n, 1 + c]` holds whether a copy is finished and, once it is, its constraints. An evaluation that fails
    (an exception too: its rows are then tried one by one) gives NaN rewards. There is no `oracle`: a policy that draws
    its actions has mean rewards on the convex hull of the front, which can lie beyond a concave one. So archive rows,
    not policies' means.
    """

    takes = "vector"
    gamma = 1.0
    max_steps = 1

    def __init__(self, problem: Any) -> None:
        super().__init__(problem)
        columns: Sequence[Column] = problem.space.columns
        self.observation_space = Space((real(0, 1, "nothing"),))
        self.discrete = len(columns) == 1 and columns[0].kind == "categorical"
        self.action_space = problem.space if self.discrete else Space(tuple(_action_columns(problem.space)))

    def reset(self, n: int, generator: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        return torch.zeros(n, 1 + self.num_constraints, dtype=torch.float64)

    def observe(self, state: Tensor) -> Tensor:
        return torch.zeros(len(state), 1, dtype=torch.float64, device=state.device)

    def action_mask(self, state: Tensor) -> None:  # noqa: ARG002
        return None

    def step(
        self, state: Tensor, actions: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Evaluate the action of each copy that is not finished; the others stay as they are, with a reward of 0."""
        rewards = state.new_zeros(len(state), self.num_objectives, dtype=torch.float64)
        fresh = torch.nonzero(state[:, 0] == 0).flatten()
        if len(fresh):
            objectives, constraints = outcome(self.encoded, self.original_solutions(actions[fresh]), generator)
            rewards[fresh] = objectives.to(state.device)
            state = state.clone()
            state[fresh] = torch.cat([constraints.new_ones(len(fresh), 1), constraints], dim=1).to(state)
        ended = torch.ones(len(state), dtype=torch.bool, device=state.device)
        return state, rewards, ended, torch.zeros_like(ended)

    def constraints(self, state: Tensor) -> Tensor:
        """The constraints `[n, c]` of finished copies, feasible where `<= 0`; 0 before the end."""
        return state[:, 1:]

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:
        """What the problem inside says of its own rows `[n, d]`: objectives, constraints, reasons of failures."""
        given: Tensor | Evaluation = self.encoded.evaluate(solutions, generator)
        return given

    def original_solutions(self, actions: Tensor) -> Tensor:
        """The canonical rows `[n, d]` that actions `[n]` or `[n, a]` stand for.

        Raises:
            ValueError: The number of columns is another, or an action is NaN.
        """
        width = self.action_space.dim
        given = check_matrix("actions", actions.reshape(-1, 1) if actions.ndim == 1 else actions, columns=width)
        if given.isnan().any():
            row = int(torch.nonzero(given.isnan().any(dim=1))[0])
            raise ValueError(f"`actions` should hold no NaN. Row {row} is {given[row].tolist()}.")
        space: Space = self.encoded.space
        if self.discrete:
            return space.canonical(given)
        unit, place = [], 0
        for column in space.columns:
            k = len(column.choices) if column.kind == "categorical" else 1
            scores = given[:, place : place + k]
            place += k
            categorical = column.kind == "categorical"
            unit.append((scores.argmax(dim=1) + 0.5) / k if categorical else (scores[:, 0].clamp(-1, 1) + 1) / 2)
        return space.from_unit(torch.stack(unit, dim=1))


def _action_columns(space: Space) -> Iterator[Column]:
    for column, name in zip(space.columns, space.names, strict=True):
        if column.kind == "categorical":
            yield from (real(-1, 1, f"{name}[{choice}]") for choice in range(len(column.choices)))
        else:
            yield real(-1, 1, name)
