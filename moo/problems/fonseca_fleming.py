"""Fonseca and Fleming's problem: two bells side by side, and a concave front between their centres."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from moo.checks import check_count
from moo.space import real
from moo.synthetic import FRONT_POINTS, Synthetic, chords, evenly

DENSE = 20 * FRONT_POINTS  # places among which the even ones are chosen


class FonsecaFleming(Synthetic):
    """A concave front, `f = 1 - exp(-(u -+ 1)^2)`: of a weighted sum only its ends are minima. Has gradients.

    The objectives are 1 minus a bell around `(1, ..., 1) / sqrt(d)` and around its opposite, both minimised; the best
    rows lie on the segment between the centres, at `u (1, ..., 1) / sqrt(d)` for u from -1 to 1. Objectives of a tensor
    that asks for a gradient have one.

    Source: Fonseca and Fleming 1995 (Evolutionary Computation 3(1)), in the form for any number of columns that Deb
    2001 (Multi-Objective Optimization using Evolutionary Algorithms) gives. The front is exact.

    Args:
        dim: Real columns in [-4, 4].
        noise: Standard deviation of the noise added to each objective.
    """

    name = "fonseca-fleming"

    def __init__(self, dim: int = 2, noise: float = 0.0) -> None:
        count = check_count("dim", dim)
        super().__init__(2, [real(-4, 4) for _ in range(count)], noise)
        self.know_front(_front)

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        rows = self.rows(solutions)
        if isinstance(solutions, Tensor) and solutions.requires_grad:
            rows = solutions.to(rows)  # checking has cut it off from the graph
        centre = 1 / math.sqrt(rows.shape[1])
        away = torch.stack([(rows - centre).square().sum(dim=1), (rows + centre).square().sum(dim=1)], dim=1)
        return self.noisy(-torch.expm1(-away), generator)


def _front() -> Tensor:
    """Points of the front from one centre to the other, evenly along it."""
    places = torch.linspace(-1, 1, DENSE, dtype=torch.float64)
    curve = -torch.expm1(-torch.stack([(places - 1).square(), (places + 1).square()], dim=1))
    along = torch.cat([torch.zeros(1, dtype=torch.float64), chords(curve).cumsum(dim=0)])
    return curve[evenly(along, FRONT_POINTS)]
