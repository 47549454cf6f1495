"""What a trial is judged by: numbers that one finished search gives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from moo.benchmarks.reports.histories import area
from moo.benchmarks.reports.scores import score
from moo.checks import check_vector, unknown_name
from moo.directions import turn
from moo.indicators import INDICATORS
from moo.indicators.volume import hypervolume
from moo.result import SearchResult

OWN = ("hypervolume", "area", "seconds")
CONTEXT = {"reference_point", "reference_set"}  # what an indicator may need: the same for all trials


@dataclass(frozen=True)
class Measures:
    """The objectives of a tuning run, by name.

    `hypervolume`: of the front at the end. `area`: the mean of the front's hypervolume over the budget, that is the
    area under the curve, in the same units. `seconds`: CPU time, which differs from run to run. Others are indicators.

    Attributes:
        names: Which.
        reference_point: `[m]`, in the problem's directions: one for all trials.
    """

    names: tuple[str, ...]
    reference_point: tuple[float, ...]

    @classmethod
    def of(cls, names: Sequence[str], problem: Any, reference_point: Any) -> Measures:
        """Check the names, and find the reference point: the caller's, else the problem's own.

        Raises:
            TypeError, ValueError: A name is unknown, stands twice or needs what the problem lacks; or there is no
                reference point.
        """
        names = (names,) if isinstance(names, str) else tuple(names)
        usable = {name: known for name, known in INDICATORS.items() if set(known.context) <= CONTEXT}
        for name in names:
            if name not in OWN and name not in usable:
                raise ValueError(unknown_name("objective", name, dict.fromkeys((*OWN, *usable))))
            needs = () if name in OWN else usable[name].context
            if "reference_set" in needs and problem.reference_front is None:
                raise ValueError(f"Objective {name!r} needs the problem's front, and {problem.name!r} knows none.")
        if not names or len(set(names)) < len(names):
            raise ValueError(f"`objectives` should be different names, at least one. Found {list(names)}.")
        point = problem.reference_point if reference_point is None else reference_point
        if point is None:
            raise ValueError(
                f"{problem.name!r} has no reference point of its own, and all trials have to be measured from one. "
                f"Give `reference_point`, {problem.num_objectives} numbers, each worse than what is worth having."
            )
        return cls(names, tuple(check_vector("reference_point", point, problem.num_objectives).tolist()))

    @property
    def smaller_is_better(self) -> tuple[bool, ...]:
        """Of each objective."""
        return tuple(
            name == "seconds" or (name not in OWN and not INDICATORS[name].higher_is_better) for name in self.names
        )

    def of_result(self, result: SearchResult) -> list[float]:
        """The objectives of one search, NaN where one could not be computed."""
        others = [name for name in self.names if name not in OWN]
        row: Mapping[str, Any] = score([result], others).iloc[0] if others else {}
        own = {"hypervolume": self._hypervolume, "area": self._area, "seconds": _seconds}
        return [float(own[name](result) if name in own else row[name]) for name in self.names]

    def maximised(self, values: Sequence[Sequence[float]]) -> Tensor:
        """Rows of objectives `[n, m]` as numbers of which larger ones are better."""
        sign = torch.tensor([-1.0 if smaller else 1.0 for smaller in self.smaller_is_better], dtype=torch.float64)
        return torch.tensor(values, dtype=torch.float64).reshape(-1, len(self.names)) * sign

    def _hypervolume(self, result: SearchResult) -> float:
        directions = result.config["directions"]
        return float(hypervolume(result.objectives, self.reference_point, directions=directions, warn=False))

    def _area(self, result: SearchResult) -> float:
        point = turn(torch.tensor(self.reference_point).double(), result.config["directions"])
        return float(area(result, point, earned=math.inf))


def _seconds(result: SearchResult) -> float:
    return float(result.record["cpu_seconds"])
