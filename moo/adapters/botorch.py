"""BoTorch's side of the fence: its multi-objective test problems as ours."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from botorch.test_functions import multi_objective
from botorch.test_functions.base import MultiObjectiveTestProblem
from torch import Tensor

from moo.base import Evaluation, VectorProblem
from moo.checks import check_matrix
from moo.noise import add_noise
from moo.space import Column, Space, categorical, integer, real

NO_REFERENCE = (multi_objective.BNH, multi_objective.SRN)  # theirs, (0, 0), is marked as yet to be determined


class FromBotorch(VectorProblem):
    """A BoTorch test problem as a vector problem of ours, constrained or not.

    A BoTorch test problem is minimised, and maximised with `negate=True`: the directions say so, and the values are
    what calling it gives, without its noise. A constraint is feasible there where its slack is `>= 0`; here it is the
    slack's negative, feasible where `<= 0`. Noise of `noise_std` (and `constraint_noise_std`), one number or one per
    output, is drawn from the generator that `evaluate` is given, never from torch's global one. Columns: those of
    `discrete_inds` are integer, those of `categorical_inds` categorical, the others real, called x1, x2, ...

    The problem is taken as BoTorch has it. In 0.18.1 the constraints of `WeldedBeam` have the wrong sign, and `SRN` and
    `C2DTLZ2` are not the published problems: the registered names "welded-beam", "srn" and "c2-dtlz2" are.

    Args:
        problem: An instance of a subclass of `MultiObjectiveTestProblem`.
        name: What to call it; "": the name of its class in lower case.

    Attributes:
        problem: The same.

    Raises:
        TypeError: `problem` is none.
        ValueError: A bound is infinite, or a standard deviation negative or not finite.
    """

    def __init__(self, problem: MultiObjectiveTestProblem, name: str = "") -> None:
        if not isinstance(problem, MultiObjectiveTestProblem):
            found = f"the class {problem.__name__}" if isinstance(problem, type) else type(problem).__name__
            raise TypeError(f"`problem` should be a BoTorch MultiObjectiveTestProblem, made. Found {found}.")
        self.problem = problem
        self.name = name or type(problem).__name__.lower()
        self.num_objectives = int(problem.num_objectives)
        self.objective_names = tuple(f"f{i + 1}" for i in range(self.num_objectives))
        minimised = getattr(problem, "_is_minimization_by_default", True) != bool(problem.negate)
        self.directions = ("min" if minimised else "max",) * self.num_objectives
        self.num_constraints = int(getattr(problem, "num_constraints", 0))
        self.noise = _deviations("noise_std", problem.noise_std, self.num_objectives)
        given = getattr(problem, "constraint_noise_std", None)
        self.constraint_noise = _deviations("constraint_noise_std", given, self.num_constraints)
        self.stochastic = bool((self.noise > 0).any() or (self.constraint_noise > 0).any())
        self.space = Space(tuple(_columns(problem)))
        shift = [0.0 if not column.choices else float(column.choices[0]) for column in self.space.columns]
        self._shift = torch.tensor(shift, dtype=torch.float64)  # from the index of a choice to its number

    @cached_property
    def reference_point(self) -> Tensor | None:  # type: ignore[override]
        """BoTorch's, `[m]`, in the problem's directions; None where that is a placeholder (BNH, SRN)."""
        if isinstance(self.problem, NO_REFERENCE):
            return None
        point: Tensor = self.problem.ref_point.detach().cpu().to(torch.float64)
        return point

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:
        rows = check_matrix("solutions", solutions, columns=self.space.dim) + self._shift
        objectives = self._ask(self.problem, rows, self.num_objectives)
        objectives = self._noisy(objectives, self.noise, generator)
        if not self.num_constraints:
            return objectives
        slack = self._ask(self.problem.evaluate_slack, rows, self.num_constraints)
        return Evaluation(objectives, -self._noisy(slack, self.constraint_noise, generator))

    def _ask(self, function: Any, rows: Tensor, width: int) -> Tensor:
        """What a function of the problem gives without noise, `[n, width]`, for rows in its own dtype and device."""
        if not len(rows):  # which not every problem takes
            return torch.empty(0, width, dtype=torch.float64)
        with torch.no_grad():
            values: Tensor = function(rows.to(self.problem.bounds), noise=False)
        return values.cpu().to(torch.float64)

    def _noisy(self, values: Tensor, deviations: Tensor, generator: torch.Generator | None) -> Tensor:
        """Values `[n, k]` with noise of `deviations [k]`."""
        if not (deviations > 0).any():
            return values
        if (deviations == deviations[0]).all():
            return add_noise(values, float(deviations[0]), generator, self.name)
        return values + deviations * add_noise(torch.zeros_like(values), 1.0, generator, self.name)


def _deviations(name: str, given: Any, count: int) -> Tensor:
    """Standard deviations `[count]`: zeros for None, one number for all, or one each."""
    values = torch.zeros(count, dtype=torch.float64)
    if given is not None:
        values = torch.as_tensor(given, dtype=torch.float64).expand(count).clone()
    if not torch.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"`{name}` of a BoTorch problem should be at least 0 and finite. Found {given!r}.")
    return values


def _columns(problem: MultiObjectiveTestProblem) -> list[Column]:
    """One column per variable."""
    columns = []
    for number, (low, high) in enumerate(problem.bounds.detach().cpu().to(torch.float64).T.tolist()):
        name = f"x{number + 1}"
        if number in problem.categorical_inds:
            columns.append(categorical(range(int(low), int(high) + 1), name))
        elif number in problem.discrete_inds:
            columns.append(integer(int(low), int(high), name))
        else:
            columns.append(real(low, high, name))
    return columns
