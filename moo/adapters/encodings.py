"""Encodings: a problem of one kind as a problem of another, so that a method meets problems it does not take as such.

`"environment"` and `"construction"` encode vector problems, `"vector"` encodes construction problems. An encoding keeps
the objectives, their directions, the unit and the constraints; `original_solutions` turns what a method found back into
solutions of the problem inside, which stands in `encoded`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from moo.base import (
    ConstructionProblem,
    EnvironmentProblem,
    Evaluation,
    Oracle,
    Problem,
    VectorProblem,
    unsuitable,
)
from moo.checks import check_count, check_matrix, unknown_name
from moo.directions import turn
from moo.dominance import non_dominated, violation
from moo.options import Option, resolve_options
from moo.space import Column, Space, integer, real

MAX_LEVELS = 65_536  # values of one column of a lattice: a policy has to score every one of them
ENUMERABLE = 1_000_000  # rows up to which a lattice's exact front is computed
CHUNK = 16_384  # rows evaluated at once while enumerating


class _Encoded(Problem):
    """What the encodings share: everything that is said of the problem inside and stays true.

    Attributes:
        encoded: The problem inside.
        takes: The kind of problem that is encoded.
        options: Those of `encode`.
        encoding_options: Those in force: `encode(encoded, kind, **encoding_options)` makes the same again.
    """

    takes: ClassVar[str]
    options: ClassVar[Mapping[str, Option]] = {}

    def __init__(self, problem: Any, **encoding_options: Any) -> None:
        if getattr(problem, "kind", None) is None:
            raise TypeError(
                f"`problem` should be a problem object, such as moo.get_problem(name) gives. Found {problem!r}."
            )
        if problem.kind != self.takes:
            raise ValueError(
                f"Encoding {self.kind!r} takes {self.takes} problems. {problem.name!r} is a {problem.kind} problem."
            )
        self.encoded = problem
        self.encoding_options = encoding_options
        self.name = f"{problem.name}-as-{self.kind}"
        self.num_objectives = problem.num_objectives
        self.objective_names = problem.objective_names
        self.directions = problem.directions
        self.unit = problem.unit
        self.stochastic = problem.stochastic
        self.num_constraints = problem.num_constraints
        self.reference_point = problem.reference_point

    @property
    def reference_front(self) -> Tensor | None:  # type: ignore[override]
        """The front `[n, m]` of the problem inside, where that knows one; a lattice may miss its points."""
        front: Tensor | None = self.encoded.reference_front
        return front


def _outcome(problem: Any, rows: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """Objectives `[n, m]` and constraints `[n, c]` of rows `[n, d]`, n >= 1, objectives NaN where a row failed.

    Where a whole batch raises, each of its rows is tried alone.
    """
    n, m, c = len(rows), problem.num_objectives, problem.num_constraints
    try:
        result = problem.evaluate(rows.clone(), generator)
    except Exception:  # a user's function may raise anything
        if n == 1:
            return rows.new_full((1, m), float("nan")), rows.new_full((1, c), float("nan"))
        objectives, constraints = zip(*[_outcome(problem, row, generator) for row in rows[:, None]], strict=True)
        return torch.cat(objectives), torch.cat(constraints)
    given = result if isinstance(result, Evaluation) else Evaluation(result)
    values = check_matrix(f"objectives returned by problem {problem.name}", given.objectives, rows=n, columns=m)
    if given.failed is not None:
        values = torch.where(given.failed.cpu().bool()[:, None], float("nan"), values)
    if not c:
        return values, rows.new_zeros(n, 0)
    limits = check_matrix(f"constraints returned by problem {problem.name}", given.constraints, rows=n, columns=c)
    return torch.where(torch.isfinite(limits).all(dim=1, keepdim=True), values, float("nan")), limits


# --------------------------------------------------------------------------------------------------- environment
class OneStepEnvironment(_Encoded, EnvironmentProblem):
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
            objectives, constraints = _outcome(self.encoded, self.original_solutions(actions[fresh]), generator)
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


# --------------------------------------------------------------------------------------------------- construction
class LatticeConstruction(_Encoded, ConstructionProblem):
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
            objectives, constraints = _outcome(self.encoded, self.original_solutions(states), None)
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


# --------------------------------------------------------------------------------------------------- vector
class ActionColumns(_Encoded, VectorProblem):
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


# --------------------------------------------------------------------------------------------------- by name
ENCODINGS: dict[str, type[_Encoded]] = {
    "environment": OneStepEnvironment,
    "construction": LatticeConstruction,
    "vector": ActionColumns,
}


def encode(problem: Any, encoding: str, **options: Any) -> Any:
    """A problem as one of another kind.

    Args:
        problem: A vector problem for `"environment"` and `"construction"`, a construction problem for `"vector"`.
        encoding: A key of `ENCODINGS`: the kind that the problem becomes.
        options: `levels` (32) of `"construction"`: values of a real column.

    Returns:
        The encoded problem. Its `encoded` is the problem inside, `original_solutions` turns actions, finished states or
        rows back into solutions of that.

    Raises:
        TypeError: `problem` is none, or an option is of another type.
        ValueError: The encoding or an option is unknown, or it does not take such a problem.
    """
    if encoding not in ENCODINGS:
        raise ValueError(unknown_name("encoding", encoding, ENCODINGS))
    kind = ENCODINGS[encoding]
    return kind(problem, **resolve_options(kind.options, options, f"encoding {encoding!r}"))


def encoding_for(problem: Any, method: Any) -> str:
    """The first of a generator class's `encodings` through which it takes a problem.

    Empty where it takes the problem as it is, and where no encoding helps: `misfit` tells these apart.
    """
    tried = _attempts(problem, method)
    return next((encoding for encoding, reason in tried.items() if not reason), "")


def misfit(problem: Any, method: Any) -> str:
    """Why a generator class takes a problem neither as it is nor through its `encodings`; empty where it does.

    Where an encoding applies, the reason is that of the last one: the nearest that the two came.
    """
    tried = _attempts(problem, method)
    return "" if "" in tried.values() else list(tried.values())[-1]


def _attempts(problem: Any, method: Any) -> dict[str, str]:
    """The encodings that apply, "" being none, and why each does not make the method fit; none where none is needed."""
    tried = {"": unsuitable(method, problem)}
    if not tried[""]:
        return tried
    for encoding in method.encodings:
        if encoding not in ENCODINGS:
            raise ValueError(unknown_name("encoding", encoding, ENCODINGS))
        if ENCODINGS[encoding].takes == problem.kind:
            try:
                reason = unsuitable(method, encode(problem, encoding))
            except ValueError as error:
                reason = str(error)
            tried[encoding] = reason and f"as a {encoding} problem: {reason}"
    return tried
