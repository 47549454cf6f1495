"""pymoo's side of the fence: our vector problems as pymoo problems, and pymoo's as ours."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch
from pymoo.core.problem import Problem as PymooProblem
from pymoo.core.variable import Binary, Choice, Integer, Real
from pymoo.util.remote import Remote
from torch import Tensor

from moo.base import Evaluation, VectorProblem
from moo.checks import check_matrix
from moo.directions import turn
from moo.dominance import non_dominated
from moo.space import Column, Space, categorical, integer, real

EQUALITY_TOLERANCE = 1e-4  # pymoo's own default, `cv_eq` in pymoo.core.individual


class ToPymoo(PymooProblem):  # type: ignore[misc]
    """A vector problem of ours as a pymoo problem, all objectives minimised, so that pymoo runs on exactly our values.

    Args:
        problem: A vector problem, metered or not. Whole-number columns are rounded inside the evaluation.
    """

    def __init__(self, problem: Any) -> None:
        self.ours = problem
        super().__init__(
            n_var=problem.space.dim,
            n_obj=problem.num_objectives,
            n_ieq_constr=problem.num_constraints,
            xl=problem.space.lower.numpy(),
            xu=problem.space.upper.numpy(),
        )

    def _evaluate(self, x: np.ndarray, out: dict[str, Any], *_: Any, **__: Any) -> None:
        result = self.ours.evaluate(self.ours.space.canonical(np.asarray(x, dtype=np.float64)))
        given = result if isinstance(result, Evaluation) else Evaluation(torch.as_tensor(result))
        out["F"] = -turn(given.objectives, self.ours.directions).numpy()
        if given.constraints is not None:
            out["G"] = given.constraints.numpy()


class FromPymoo(VectorProblem):
    """A pymoo problem as a vector problem of ours: all objectives minimised, constraints feasible where `<= 0`.

    Columns come from `xl`, `xu` and `vtype` (float: real, int: integer, bool: integer 0 or 1), called x1, x2, ...; or,
    for mixed variables, from `vars` (Real, Integer, Binary as 0 or 1, Choice as categorical), with their names. pymoo's
    code is handed what it expects: floats, whole numbers, booleans, or one dictionary per row.

    Inequality constraints come first, as pymoo has them; then, for each equality constraint `h = 0`, `|h| - 1e-4`. What
    pymoo's code raises and NaN are left to whoever evaluates: a metered problem records such rows as failed. A problem
    that draws noise cannot be told from one that does not, so that `stochastic` is False.

    Args:
        problem: An instance of a subclass of pymoo's `Problem`: vectorised, elementwise or of mixed variables.

    Attributes:
        problem: The same.
        name: The name of its class, in lower case.

    Raises:
        TypeError: `problem` is none, or a variable is of a sort that is unknown here.
        ValueError: Bounds are missing, infinite, or of another number than the variables.
    """

    def __init__(self, problem: PymooProblem) -> None:
        if not isinstance(problem, PymooProblem):
            found = f"the class {problem.__name__}" if isinstance(problem, type) else type(problem).__name__
            raise TypeError(f"`problem` should be a pymoo Problem, made, not its class. Found {found}.")
        self.problem = problem
        self.name = type(problem).__name__.lower()
        self.num_objectives = int(problem.n_obj)
        self.directions = ("min",) * self.num_objectives
        self.objective_names = tuple(f"f{i + 1}" for i in range(self.num_objectives))
        self.num_constraints = int(problem.n_ieq_constr + problem.n_eq_constr)
        self._variables: dict[str, Any] | None = getattr(problem, "vars", None)
        self._dtype = _dtype(problem)
        columns = _columns(problem, self._dtype) if self._variables is None else _mixed_columns(self._variables)
        self.space = Space(tuple(columns))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = check_matrix("solutions", solutions, columns=self.space.dim)
        n, problem = len(rows), self.problem
        if n:
            found = problem.evaluate(self._theirs(rows), return_as_dictionary=True)
        else:  # which not every vectorised problem takes
            found = {key: np.empty((0, k)) for key, k in (("F", self.num_objectives), ("G", problem.n_ieq_constr))}
            found["H"] = np.empty((0, problem.n_eq_constr))
        objectives = torch.as_tensor(found["F"], dtype=torch.float64)
        if not self.num_constraints:
            return objectives
        parts = [torch.as_tensor(found["G"], dtype=torch.float64)] if problem.n_ieq_constr else []
        if problem.n_eq_constr:
            parts.append(torch.as_tensor(found["H"], dtype=torch.float64).abs() - EQUALITY_TOLERANCE)
        return Evaluation(objectives, torch.cat(parts, dim=1))

    def _theirs(self, rows: Tensor) -> Any:
        """Rows `[n, d]` as pymoo's code expects them."""
        if self._variables is None:
            array: np.ndarray = rows.numpy() if self._dtype is float else np.rint(rows.numpy())
            return array.astype(self._dtype)  # a copy: their code may write into it
        return [
            {
                name: _value(variable, value)
                for (name, variable), value in zip(self._variables.items(), row, strict=True)
            }
            for row in rows.tolist()
        ]

    @cached_property
    def reference_front(self) -> Tensor | None:  # type: ignore[override]
        """An approximate front `[n, m]`: the non-dominated rows of pymoo's own, unchecked; None where it has none.

        None, too, where pymoo would download one (the network is never touched, nor a file of an earlier download
        read) and where it draws one at random (WFG), so that two of them differ.
        """
        try:
            with _no_download():
                first, second = (self.problem.pareto_front(use_cache=False, set_cache=False) for _ in range(2))
            front = torch.as_tensor(np.array(first, dtype=np.float64))
            if front.ndim != 2 or front.shape[1] != self.num_objectives or not np.array_equal(first, second):
                return None
            return front[non_dominated(-front)] if len(front) else None
        except Exception:  # their code, or a user's: whatever it raises, there is no front to be had
            return None


class _WouldDownloadError(Exception):
    """Raised in place of a download."""


_patching = threading.Lock()


@contextmanager
def _no_download() -> Iterator[None]:
    """Keep pymoo, inside, from loading fronts, which it takes from a server where they are not yet on disk."""

    def refuse(*_: Any, **__: Any) -> None:
        raise _WouldDownloadError

    with _patching:
        load, Remote.load = Remote.load, refuse
        try:
            yield
        finally:
            Remote.load = load


def _dtype(problem: PymooProblem) -> type:
    """The type of number that a problem's code expects in every column: float, int or bool."""
    vtype = problem.vtype
    if isinstance(vtype, type) and issubclass(vtype, bool | np.bool_):
        return bool
    return int if isinstance(vtype, type) and issubclass(vtype, int | np.integer) else float


def _columns(problem: PymooProblem, dtype: type) -> list[Column]:
    """One column per variable, from `xl` and `xu`; booleans need none."""
    n = int(problem.n_var)
    if dtype is bool:
        return [integer(0, 1) for _ in range(n)]
    sides = []
    for side in ("xl", "xu"):
        given = getattr(problem, side)
        bounds = None if given is None else np.asarray(given, dtype=np.float64)
        if bounds is None or bounds.shape != (n,) or not np.isfinite(bounds).all():
            found = "None" if bounds is None else bounds.tolist()
            raise ValueError(
                f"A pymoo problem should have a finite bound for each of its {n} variables: set `xl` and `xu` of "
                f"{type(problem).__name__}. Found {side} = {found}."
            )
        sides.append(bounds.tolist())
    make: Any = integer if dtype is int else real
    names = [f"x{i + 1}" for i in range(n)]
    return [make(low, high, name) for low, high, name in zip(*sides, names, strict=True)]


def _mixed_columns(variables: dict[str, Any]) -> list[Column]:
    """One column per variable of a mixed problem, called as it is."""
    columns = []
    for name, variable in variables.items():
        if isinstance(variable, Binary):
            columns.append(integer(0, 1, str(name)))
        elif isinstance(variable, Choice):
            columns.append(categorical([_plain(option) for option in variable.options], str(name)))
        elif isinstance(variable, Real | Integer):
            low, high = variable.bounds
            if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
                raise ValueError(
                    f"The variable {name!r} of a pymoo problem should have finite bounds: set `bounds=`. "
                    f"Found ({low}, {high})."
                )
            columns.append((real if isinstance(variable, Real) else integer)(low, high, str(name)))
        else:
            raise TypeError(
                f"The variable {name!r} of a pymoo problem should be Real, Integer, Binary or Choice. "
                f"Found {type(variable).__name__}."
            )
    return columns


def _plain(option: Any) -> Any:
    """An option of a choice as a JSON value, for the space: itself, or its text."""
    option = option.item() if isinstance(option, np.generic) else option
    return option if option is None or isinstance(option, str | int | float | bool) else str(option)


def _value(variable: Any, value: float) -> Any:
    """One entry of a row as the variable's own value."""
    if isinstance(variable, Real):
        return value
    whole = round(value)
    if isinstance(variable, Choice):
        return variable.options[whole]
    return bool(whole) if isinstance(variable, Binary) else whole
