"""What the fronts of one problem are measured against: the same for all methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from moo.base import Candidates
from moo.benchmarks.reports.loading import Searched
from moo.directions import turn
from moo.dominance import non_dominated
from moo.indicators.volume import hypervolume
from moo.metered import infer_reference_point
from moo.problems import get_problem


@dataclass(frozen=True)
class References:
    """What the indicators of one problem are measured against, maximised, the same for all methods.

    Attributes:
        reference_point: `[m]`, in the objectives' units.
        reference_set: `[k, m]`, scaled to [0, 1] by its own ideal and nadir.
        ideal, nadir: Of the reference set, in the objectives' units.
        best: `[m]`, the best value of each objective in the reference set and in all fronts, in the objectives' units:
            the ideal, unless a front is better than an approximate reference set. What R2 is measured from.
        source: Where point and set come from.
    """

    reference_point: Tensor
    reference_set: Tensor
    ideal: Tensor
    nadir: Tensor
    best: Tensor
    source: str

    @cached_property
    def span(self) -> Tensor:
        """What scaled objectives are divided by, `[m]`: the range of the reference set, 1 where it has none."""
        return torch.where(self.ideal > self.nadir, self.ideal - self.nadir, 1.0)

    def scale(self, objectives: Tensor) -> Tensor:
        """Objectives `[n, m]` such that the reference set spans [0, 1]."""
        return (objectives - self.nadir) / self.span

    @cached_property
    def scaled_point(self) -> Tensor:
        """The reference point `[m]` among scaled objectives."""
        return self.scale(self.reference_point[None])[0]

    @cached_property
    def hypervolume(self) -> float:
        """Of the reference set, in the objectives' units; 0 where none of it is better than the reference point."""
        return float(hypervolume(self.reference_set, self.scaled_point, warn=False)) * float(self.span.prod())


def references(results: Sequence[Searched]) -> References:
    """The references of one problem's results.

    The reference point is the caller's where all results have the same one, else the problem's own, else inferred from
    the reference set; the reference set is the problem's own front (`own_front_of`), else the best of all fronts here
    together.
    """
    config = results[0].config
    directions = config["directions"]
    fronts = torch.cat([turn(result.objectives, directions) for result in results])
    problem = get_problem(config["problem"]) if config["registered"] else None
    own_front = None if problem is None else own_front_of(problem)
    rows = fronts[non_dominated(fronts)] if own_front is None else turn(torch.as_tensor(own_front), directions)
    point, whose = _reference_point(results, None if problem is None else problem.reference_point, rows)
    source = f"reference point {whose}, "
    source += f"reference set {'of the problem' if own_front is not None else 'of all fronts here together'}"
    if not len(rows):
        rows = point[None]
    ideal, nadir = rows.amax(dim=0), rows.amin(dim=0)
    made = References(point, rows, ideal, nadir, torch.cat([rows, fronts]).amax(dim=0), source)
    return replace(made, reference_set=made.scale(rows))


def _reference_point(results: Sequence[Searched], own: Any, rows: Tensor) -> tuple[Tensor, str]:
    """The reference point `[m]`, maximised, and whose it is."""
    directions = results[0].config["directions"]
    given = results[0].config["reference_point"]
    if any(result.config["reference_point"] != given for result in results):
        given = None
    if given is not None or own is not None:
        point = turn(torch.as_tensor(own if given is None else given, dtype=torch.float64), directions)
        return point, "of the problem" if given is None else "of the caller"
    if not len(rows):
        return torch.zeros(len(directions), dtype=torch.float64), "from the reference set"
    return infer_reference_point(Candidates.of(torch.zeros(len(rows), 1), rows)), "from the reference set"


def known_front(config: Mapping[str, Any]) -> Tensor | None:
    """The known front of a search's problem, by the search's configuration, or None."""
    return own_front_of(get_problem(config["problem"])) if config["registered"] else None


def own_front_of(problem: Any) -> Tensor | None:
    """The front that a problem names as its reference; of an environment without one, the exact one of its oracle.

    That one is of deterministic policies. Policies that draw their actions can be better than it.
    """
    if problem.reference_front is None and problem.kind == "environment" and problem.oracle is not None:
        front: Tensor = problem.oracle.front
        return front
    named: Tensor | None = problem.reference_front
    return named


def describe(problem: str, context: References, directions: Sequence[str]) -> str:
    """One line: what a problem's fronts are measured against."""
    point, ideal, nadir, best = (
        "(" + ", ".join(f"{value:.4g}" for value in turn(vector, directions).tolist()) + ")"
        for vector in (context.reference_point, context.ideal, context.nadir, context.best)
    )
    better = f"; fronts reach {best}, from where R2 is measured" if (context.best > context.ideal).any() else ""
    return f"{problem}: reference point {point}, scaled by ideal {ideal}, nadir {nadir}{better} ({context.source})."
