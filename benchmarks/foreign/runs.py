"""From named columns to a run of a problem: objectives, solutions, constraints, and when each row was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moo.base import Evaluation
from moo.benchmarks.foreign.meaning import Meaning
from moo.benchmarks.foreign.rows import Rows, Stated
from moo.checks import unknown_name
from moo.directions import turn
from moo.space import Space

Array = NDArray[np.float64]
UNKNOWN = "not checked: the problem is not known here"


@dataclass(frozen=True)
class Run:
    """The rows of a foreign run as its problem has them.

    Attributes:
        objectives: `[n, m]`, in the problem's own directions.
        solutions: `[n, d]`, or None where they are not known.
        constraints: `[n, c]`, feasible where `<= 0`, or None.
        evaluations: What had been spent when each row was found, int64 `[n]`, or None.
        checked: In words, what was compared.
        space: Of the solutions, where these are known and lie in it.
    """

    objectives: Tensor
    solutions: Tensor | None
    constraints: Tensor | None
    evaluations: Tensor | None
    checked: str
    space: Space | None = None


def read_run(rows: Rows, meaning: Meaning, stated: Stated) -> Run:
    """Take the columns of a run apart and check them.

    Raises:
        ValueError: A column is missing, unknown or named in two ways, a number is not finite, evaluations are no whole
            numbers, or a value differs from what the problem says of its solution.
    """
    m = len(meaning.directions)
    columns = _Columns(rows)
    objectives = columns.take("objectives", m, "f", meaning.objective_names)
    solutions = columns.take("solutions", len(meaning.solution_names), "x", meaning.solution_names, needed=False)
    c = int(getattr(meaning.problem, "num_constraints", 0))
    constraints = columns.take("constraints", c, "g", (), needed=False)
    evaluations = columns.evaluations()
    columns.refuse_others(meaning)
    if stated.minimised:
        objectives = turn(-objectives, meaning.directions)
    space = None
    if solutions is not None and meaning.solution_names and _first_outside(solutions, meaning.problem.space) is None:
        space = meaning.problem.space
    return _checked(Run(objectives, solutions, constraints, evaluations, UNKNOWN, space), rows, meaning, stated)


class _Columns:
    """The columns of rows, taken away one group after the other."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.left = dict(rows.columns)

    def take(self, what: str, count: int, letter: str, own: Sequence[str], *, needed: bool = True) -> Any:
        """The columns of a group, by the problem's names or numbered from 1; None where none is there.

        Args:
            what: The group, in words.
            count: How many there should be; 0: as many as there are, numbered without a gap.
            letter: Before the numbers.
            own: The problem's own names.
            needed: Whether they have to be there.
        """
        count = count or self._count(letter)
        numbered = tuple(f"{letter}{i + 1}" for i in range(count))
        spellings = [names for names in dict.fromkeys((tuple(own), numbered)) if names]
        found = [names for names in spellings if any(name in self.left for name in names)]
        if not found and not needed:
            return None
        wanted = " or ".join(", ".join(names) for names in spellings)
        if len(found) != 1 or not set(found[0]) <= set(self.left):
            known = ", ".join(self.left)
            raise ValueError(f"{self.rows.source}: {what} should stand in the columns {wanted}. Found {known}.")
        values = np.stack([self.left.pop(name) for name in found[0]], axis=1)
        self._refuse_nan(found[0], values)
        return torch.from_numpy(values)

    def _count(self, letter: str) -> int:
        count = 0
        while f"{letter}{count + 1}" in self.left:
            count += 1
        return count

    def _refuse_nan(self, names: Sequence[str], values: Array) -> None:
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            row, column = bad[0]
            raise ValueError(
                f"{self.rows.at(row)}: `{names[column]}` should be finite. Found {values[row, column]}. Leave failed "
                "evaluations out: they are in no front."
            )

    def evaluations(self) -> Tensor | None:
        """The column `evaluations` as whole numbers, or None."""
        spent = self.left.pop("evaluations", None)
        if spent is None:
            return None
        bad = np.flatnonzero(~(np.isfinite(spent) & (spent >= 1) & (spent == np.rint(spent))))
        if len(bad):
            row = int(bad[0])
            raise ValueError(
                f"{self.rows.at(row)}: `evaluations` should be a whole number of at least 1. Found {spent[row]:g}."
            )
        return torch.from_numpy(spent.astype(np.int64))

    def refuse_others(self, meaning: Meaning) -> None:
        """Raise where a column is left that means nothing here."""
        for name in self.left:
            known = [*meaning.objective_names, *meaning.solution_names, "evaluations", "problem", "method", "seed"]
            number = len(meaning.directions)
            raise ValueError(
                f"{self.rows.source}: {unknown_name('column', name, known)} {meaning.name} has {number} objectives"
                + (f" and {len(meaning.solution_names)} variables." if meaning.solution_names else ".")
            )


# ----------------------------------------------------------------------------------------------------- comparing
def _checked(run: Run, rows: Rows, meaning: Meaning, stated: Stated) -> Run:
    """The run with what could be compared compared, and with the constraints that its solutions have."""
    problem, solutions = meaning.problem, run.solutions
    why_not = ""
    if problem is None:
        why_not = UNKNOWN
    elif solutions is None:
        why_not = "not checked: solutions are not known"
    elif not meaning.solution_names:
        why_not = "not checked: solutions of this problem are no rows of a space"
    elif not stated.checked:
        why_not = "not checked: by the caller's wish"
    elif problem.stochastic:
        why_not = "not checked: the problem is noisy"
    if why_not or solutions is None:
        return replace(run, checked=why_not)
    _refuse_outside(solutions, rows, problem)
    found = problem.evaluate(solutions)
    given = found if isinstance(found, Evaluation) else Evaluation(torch.as_tensor(found))
    names = meaning.objective_names
    _compare("objectives", names, run.objectives, given.objectives, rows, stated.tolerance)
    if run.constraints is not None and given.constraints is not None:
        limits = [f"g{i + 1}" for i in range(given.constraints.shape[1])]
        _compare("constraints", limits, run.constraints, given.constraints, rows, stated.tolerance)
    checked = f"computed again from solutions, to {stated.tolerance:g}"
    return replace(run, constraints=given.constraints, checked=checked)


def _first_outside(solutions: Tensor, space: Space) -> int | None:
    """The first row that does not lie in a space; None where all do."""
    moved = ((space.canonical(solutions) - solutions).abs() > 1e-9 * (1 + solutions.abs())).any(dim=1)
    return int(torch.nonzero(moved)[0]) if moved.any() else None


def _refuse_outside(solutions: Tensor, rows: Rows, problem: Any) -> None:
    """Raise where a solution does not lie in the problem's space."""
    row = _first_outside(solutions, problem.space)
    if row is not None:
        raise ValueError(
            f"{rows.at(row)}: the solution {solutions[row].tolist()} does not lie in the space of {problem.name}; the "
            f"nearest there is {problem.space.canonical(solutions)[row].tolist()}. --no-check takes it as it is, and "
            "says so."
        )


def _compare(what: str, names: Sequence[str], said: Tensor, found: Tensor, rows: Rows, tolerance: float) -> None:
    """Raise where a stated value is not what the problem says; NaN there is a difference, too."""
    apart = ~((said - found).abs() <= tolerance * (1 + found.abs()))
    if apart.any():
        row, column = (int(number) for number in torch.nonzero(apart)[0])
        count = int(apart.any(dim=1).sum())
        raise ValueError(
            f"{rows.at(row)}: {what} should be what the problem says of the solution. {names[column]} is "
            f"{float(said[row, column])!r} there and {float(found[row, column])!r} when evaluated ({count} of "
            f"{len(said)} rows differ). Were they minimised (--minimised), of another problem or rounded "
            "(--tolerance)? --no-check takes them as they are, and says so."
        )
