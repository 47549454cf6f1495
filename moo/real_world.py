"""What the real-world problems RE and CRE share: columns of allowed values, constraints, and the fronts that ship.

Source: Tanabe and Ishibuchi 2020, "An easy-to-use real-world multi-objective optimization problem suite", Applied Soft
Computing 89, 106078 (arXiv 2009.12867). RE problems turn the violation of their constraints into a last objective,
CRE problems are the same designs with the constraints kept apart.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from moo.base import Evaluation, VectorProblem
from moo.checks import check_matrix
from moo.space import Column, Space

DATA = importlib.resources.files("moo") / "problems" / "data"


class RealWorld(VectorProblem):
    """A problem of the suite: minimised objectives, and a front, shipped with the package, that is read when asked for.

    A subclass says `name`, `columns`, `objective_names` and how rows get values.

    Attributes:
        allowed: The values that a real column may take, ascending, by its number. The space has no ordered column of
            such values, so the column is real and each value goes to the nearest allowed one, the lower of two equally
            near. `evaluate` returns the rows that it really evaluated.
    """

    columns: ClassVar[tuple[Column, ...]]
    allowed: ClassVar[Mapping[int, Sequence[float]]] = {}

    def __init__(self) -> None:
        self.space = Space(self.columns)
        self.num_objectives = len(self.objective_names)
        self.directions = ("min",) * self.num_objectives

    # ------------------------------------------------------------------------------------------ rows
    def rows(self, solutions: Tensor) -> Tensor:
        """Rows `[n, d]` with whole numbers and allowed values in their columns; bounds are not enforced."""
        rows = check_matrix("solutions", solutions, columns=self.space.dim)
        if not self._rounds:
            return rows
        parts = list(rows.unbind(dim=1))
        for number, column in enumerate(self.columns):
            if column.kind == "integer":
                parts[number] = parts[number].round()
            elif number in self.allowed:
                parts[number] = nearest(parts[number], self.allowed[number])
        return torch.stack(parts, dim=1)

    @cached_property
    def _rounds(self) -> bool:
        return bool(self.allowed) or "integer" in self.space.kinds

    def evaluation(self, rows: Tensor, objectives: Tensor, constraints: Tensor | None = None) -> Tensor | Evaluation:
        """What `evaluate` returns of `rows`, as `rows()` gave them: plain objectives where that says it all."""
        if constraints is None and not self._rounds:
            return objectives
        return Evaluation(objectives, constraints, solutions=rows if self._rounds else None)

    # ------------------------------------------------------------------------------------------ the shipped front
    @cached_property
    def _front(self) -> Mapping[str, Tensor]:
        return read_front(self.name)

    @property
    def reference_front(self) -> Tensor | None:  # type: ignore[override]
        """An approximate front `[n, m]`: what long runs of this library's own searches found, thinned to 500 points."""
        return self._front.get("objectives")

    @property
    def reference_solutions(self) -> Tensor | None:
        """The solutions `[n, d]` of the reference front, row by row."""
        return self._front.get("solutions")

    @property
    def ideal_point(self) -> Tensor | None:
        """The least value of each objective on the reference front, `[m]`."""
        return None if self.reference_front is None else self.reference_front.amin(dim=0)

    @property
    def nadir_point(self) -> Tensor | None:
        """The largest value of each objective on the reference front, `[m]`."""
        return None if self.reference_front is None else self.reference_front.amax(dim=0)

    @property
    def reference_point(self) -> Tensor | None:  # type: ignore[override]
        """The nadir of the reference front plus a tenth of its range, `[m]`."""
        ideal, nadir = self.ideal_point, self.nadir_point
        return None if ideal is None or nadir is None else nadir + 0.1 * (nadir - ideal)

    @property
    def published_ideal_point(self) -> Tensor | None:
        """The ideal point that the suite's authors published, `[m]`; None for CRE problems, which have none."""
        return self._published("ideal")

    @property
    def published_nadir_point(self) -> Tensor | None:
        """The nadir point that the suite's authors published, `[m]`; None for CRE problems, which have none.

        For ten of the sixteen it is not the nadir of the authors' own published front: it differs by 7 to 100 % of the
        front's range (RE21, RE32, RE33, RE35, RE36, RE37, RE41, RE42, RE61, RE91).
        """
        return self._published("nadir")

    def _published(self, which: str) -> Tensor | None:
        points = published_points().get(self.name)
        return None if points is None else torch.tensor(points[which], dtype=torch.float64)


def nearest(values: Tensor, allowed: Sequence[float]) -> Tensor:
    """The allowed value next to each of `values`, the lower of two equally near.

    Args:
        values: Any shape; NaN stays NaN.
        allowed: At least two, ascending.
    """
    choices = torch.tensor(allowed, dtype=values.dtype)
    above = torch.searchsorted(choices, values.contiguous()).clamp(1, len(choices) - 1)
    low, high = choices[above - 1], choices[above]
    return torch.where(values.isnan(), values, torch.where(values - low <= high - values, low, high))


def with_violation(objectives: Tensor, constraints: Tensor) -> Tensor:
    """Objectives `[n, m + 1]`: those given `[n, m]` and the summed violation of constraints `[n, c]`."""
    return torch.cat([objectives, constraints.clamp(min=0).sum(dim=1, keepdim=True)], dim=1)


def read_front(name: str) -> Mapping[str, Tensor]:
    """The shipped front of a problem, `objectives [n, m]` and `solutions [n, d]`; empty where none is shipped."""
    path = DATA / f"{name}.npz"
    if not path.is_file():
        return {}
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in ("objectives", "solutions")}


@cache
def published_points() -> Mapping[str, Any]:
    """The published ideal and nadir points by problem."""
    points: Mapping[str, Any] = json.loads((DATA / "published_points.json").read_text(encoding="utf-8"))
    return points
