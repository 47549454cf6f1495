"""What the encodings share: all that is said of the problem inside, and what becomes of its failures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from moo.base import Evaluation, Problem
from moo.checks import check_matrix
from moo.options import Option


class Encoded(Problem):
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


def outcome(problem: Any, rows: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """Objectives `[n, m]` and constraints `[n, c]` of rows `[n, d]`, n >= 1, objectives NaN where a row failed.

    Where a whole batch raises, each of its rows is tried alone.
    """
    n, m, c = len(rows), problem.num_objectives, problem.num_constraints
    try:
        result = problem.evaluate(rows.clone(), generator)
    except Exception:  # a user's function may raise anything
        if n == 1:
            return rows.new_full((1, m), float("nan")), rows.new_full((1, c), float("nan"))
        objectives, constraints = zip(*[outcome(problem, row, generator) for row in rows[:, None]], strict=True)
        return torch.cat(objectives), torch.cat(constraints)
    given = result if isinstance(result, Evaluation) else Evaluation(result)
    values = check_matrix(f"objectives returned by problem {problem.name}", given.objectives, rows=n, columns=m)
    if given.failed is not None:
        values = torch.where(given.failed.cpu().bool()[:, None], float("nan"), values)
    if not c:
        return values, rows.new_zeros(n, 0)
    limits = check_matrix(f"constraints returned by problem {problem.name}", given.constraints, rows=n, columns=c)
    return torch.where(torch.isfinite(limits).all(dim=1, keepdim=True), values, float("nan")), limits
