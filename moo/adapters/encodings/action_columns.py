"""A construction problem as a vector problem: a column per step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from moo.adapters.encodings.encoded import Encoded
from moo.base import Evaluation, Oracle, VectorProblem
from moo.checks import check_count
from moo.space import Space, integer


class ActionColumns(Encoded, VectorProblem):
    """A construction problem as a vector problem: one integer column per step, which chooses the action.

    A value is the number of an action and stands for it wherever it is legal, whatever else is. Elsewhere it stands for
    a legal one: the j-th illegal value for the `(j mod k)`-th of k legal actions, both counted from 0. So every row is
    an object, every object is some row (its own actions), and at each state the values are shared out as evenly as can
    be: of A values each legal action has `A / k`, rounded up or down. Counting legal actions alone (value mod k) would
    be as even, but a value would mean another action with every mask.

    The row of an object is canonical: of the trajectories that build it the one that, followed backwards, always takes
    back the legal action of the highest number; the columns after its end are 0. `evaluate` returns these rows, so
    equal objects have equal rows.

    Args:
        problem: A construction problem; `max_steps` columns are made of it.
    """

    takes = "construction"

    def __init__(self, problem: Any) -> None:
        super().__init__(problem)
        steps = check_count(f"max_steps of {problem.name}", problem.max_steps)
        actions = check_count(f"num_actions of {problem.name}", problem.num_actions)
        self.space = Space(tuple(integer(0, actions - 1, f"step{i + 1}") for i in range(steps)))

    @property
    def oracle(self) -> Oracle | None:  # type: ignore[override]
        """Of the problem inside: the objects are the same."""
        known: Oracle | None = self.encoded.oracle
        return known

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Evaluation:
        states = self.original_solutions(solutions)
        given: Tensor | Evaluation = self.encoded.evaluate(states, generator)
        evaluation = given if isinstance(given, Evaluation) else Evaluation(given)
        reached = states if evaluation.solutions is None else evaluation.solutions
        return replace(evaluation, solutions=self.encoded_solutions(reached))

    def original_solutions(self, solutions: Tensor) -> Tensor:
        """The finished states `[n, ...]` that rows `[n, max_steps]` stand for.

        Raises:
            ValueError: The shape is another, or the problem breaks its contract: a state without legal actions, or an
                object not finished after `max_steps`.
        """
        rows = self.space.canonical(solutions).to(torch.int64)
        states: Tensor = self.encoded.start(len(rows)).clone()
        running = torch.arange(len(rows))
        for column in range(self.space.dim):
            if not len(running):
                break
            mask = self.encoded.action_mask(states[running])
            if not mask.any(dim=1).all():
                raise ValueError(
                    f"Problem {self.encoded.name!r} should have a legal action in every state that is not finished. "
                    f"After {column} steps there is none at {states[running][~mask.any(dim=1)][0].tolist()}."
                )
            states[running], done = self.encoded.step(states[running], legal_actions(rows[running, column], mask))
            running = running[~done]
        if len(running):
            raise ValueError(
                f"Problem {self.encoded.name!r} should finish every object within its `max_steps`, "
                f"{self.space.dim}. Still unfinished: {states[running[0]].tolist()}."
            )
        return states

    def encoded_solutions(self, states: Tensor) -> Tensor:
        """The canonical rows `[n, max_steps]` of finished states, float64.

        Raises:
            ValueError: The problem breaks its contract: the way back from a state is longer than `max_steps`.
        """
        left, running = states.clone(), torch.arange(len(states))
        back = torch.zeros(len(states), self.space.dim, dtype=torch.int64)  # the actions, the last one first
        length = torch.zeros(len(states), dtype=torch.int64)
        for column in range(self.space.dim + 1):
            mask = self.encoded.backward_mask(left[running])
            running, mask = running[mask.any(dim=1)], mask[mask.any(dim=1)]
            if not len(running):
                break
            if column == self.space.dim:
                raise ValueError(
                    f"Problem {self.encoded.name!r} should build every object within its `max_steps`, {column}. The "
                    f"way back from {states[running[0]].tolist()} is longer."
                )
            actions = mask.shape[1] - 1 - mask.flip(1).int().argmax(dim=1)
            left[running] = self.encoded.undo(left[running], actions)
            back[running, column] = actions
            length[running] += 1
        place = length[:, None] - 1 - torch.arange(self.space.dim)
        return torch.where(place >= 0, back.gather(1, place.clamp(min=0)), 0).to(torch.float64)


def legal_actions(values: Tensor, mask: Tensor) -> Tensor:
    """The action that each value stands for: itself where it is legal, else the legal ones in turn.

    Args:
        values: Numbers of actions, int64 `[n]`.
        mask: Legal actions, bool `[n, a]`, at least one in each row.

    Returns:
        Legal actions, int64 `[n]`. Over all `a` values each of k legal ones comes up `a / k` times, rounded up or down.
    """
    asked = values[:, None]
    illegal_before = (~mask).cumsum(dim=1).gather(1, asked) - 1  # of an illegal value: its number among these
    wanted = illegal_before % mask.sum(dim=1, keepdim=True)
    instead = (mask & (mask.cumsum(dim=1) == wanted + 1)).int().argmax(dim=1)
    return torch.where(mask.gather(1, asked).squeeze(1), values, instead)
