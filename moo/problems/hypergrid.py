"""The hypergrid: cells of a grid reached from its corner one step along one axis at a time.

Source of the task with several objectives: Jain et al. 2023 (2210.12765) and its code, which Chen and Mauch 2024
(2310.00386) take over; of the grid, Bengio et al. 2021 (2106.04399).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from moo.base import ConstructionProblem
from moo.checks import check_count, check_matrix, unknown_name
from moo.dominance import non_dominated
from moo.gflow.oracle import ConditionalOracle, enumerated

ENUMERABLE = 4_000_000  # cells up to which the oracle lists them all


def branin(x: Tensor) -> Tensor:
    """Branin and Hoo's function of the first two coordinates `[n, d]` in [-1, 1], turned so that the best is near 1."""
    a, b = 7.5 * (x[:, 0] + 1) - 5, 7.5 * (x[:, 1] + 1)
    parabola = b - 5.1 * a**2 / (4 * math.pi**2) + 5 * a / math.pi - 6
    return 1 - (parabola**2 + 10 * (1 - 1 / (8 * math.pi)) * a.cos() + 10) / 308.13


def currin(x: Tensor) -> Tensor:
    """Currin's exponential function of the first two coordinates `[n, d]` in [-1, 1]; at most 1.0015 on a grid of 32.

    It is not clipped to 1.
    """
    u, v = (x[:, 0] + 1) / 2, (x[:, 1] + 1) / 2
    ratio = (2300 * u**3 + 1900 * u**2 + 2092 * u + 60) / (100 * u**3 + 500 * u**2 + 4 * u + 20)
    return (1 - (-1 / (2 * v + 1e-10)).exp()) * ratio / 13.77


def shubert(x: Tensor) -> Tensor:
    """Shubert's function of the first two coordinates `[n, d]` in [-1, 1]."""
    z = -1.5 * x[:, :2, None]
    j = torch.arange(1, 6, dtype=x.dtype, device=x.device)
    sums = (j * ((j + 1) * z + j).cos()).sum(dim=2)
    return (sums.prod(dim=1) + 186.8) / 397


def beale(x: Tensor) -> Tensor:
    """Beale's function of the first two coordinates `[n, d]` in [-1, 1], maximised: its best is the corner (-1, -1)."""
    a, b = x[:, 0], x[:, 1]
    return ((1.5 - a + a * b) ** 2 + (2.25 - a + a * b**2) ** 2 + (2.625 - a + a * b**3) ** 2) / 38.8


def sphere(x: Tensor) -> Tensor:
    """The mean of the squared coordinates `[n, d]`: best in the corners."""
    return (x**2).mean(dim=1)


OBJECTIVES = {"branin": branin, "currin": currin, "shubert": shubert, "beale": beale, "sphere": sphere}


class HyperGrid(ConstructionProblem):
    """Cells of a grid of `height` to the power `dim`, reached one step along one axis at a time.

    An action raises one coordinate, the last one stops. An object also ends as soon as a coordinate is at its highest,
    as in the published code, so that of the cells with a highest coordinate only those with one such are reached: 1,023
    of the 1,024 cells for 32 x 32. Cell c stands for the point `2 c / (height - 1) - 1`; all objectives are functions
    of it, most of its first two coordinates alone.

    A state is int64 `[n, dim + 1]`: the coordinates, and whether the object is finished.

    Args:
        objectives: Two to five of branin, currin, shubert, beale, sphere.
        height: Cells along each axis, at least 2.
        dim: Axes, at least 2.

    Raises:
        ValueError: An objective is unknown or stands twice, or there are fewer than two.
    """

    name = "hypergrid"
    unit_objectives = True
    potential_costs = True

    def __init__(self, objectives: Sequence[str] = ("branin", "currin"), height: int = 32, dim: int = 2) -> None:
        names = (objectives,) if isinstance(objectives, str) else tuple(objectives)
        for name in names:
            if name not in OBJECTIVES:
                raise ValueError(unknown_name("objective of hypergrid", name, OBJECTIVES))
        if len(names) < 2 or len(set(names)) < len(names):
            raise ValueError(
                f"`objectives` should be at least two different ones of {', '.join(OBJECTIVES)}. Found {list(names)}."
            )
        self.objective_names = names
        self.num_objectives = len(names)
        self.directions = ("max",) * len(names)
        self.height = check_count("height", height, low=2)
        self.dim = check_count("dim", dim, low=2)
        self.num_actions = self.dim + 1
        self.max_steps = self.dim * (self.height - 2) + 1
        self.feature_sizes = (self.height,) * self.dim
        self._ends = torch.tensor([self.height - 1] * self.dim + [1])  # a column that gets this far ends the object
        self.reference_point = torch.zeros(len(names), dtype=torch.float64)

    # ------------------------------------------------------------------------------------------ moves
    def start(self, n: int) -> Tensor:
        return torch.zeros(n, self.dim + 1, dtype=torch.int64)

    def step(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The next states and which are finished; finished states stay as they are."""
        going = 1 - state[:, -1:]
        moved = state.scatter_add(1, actions[:, None], going)  # stopping raises the last column
        finished = (moved >= self._ends.to(state.device)).any(dim=1)
        moved[:, -1] = finished
        return moved, finished

    def undo(self, state: Tensor, actions: Tensor) -> Tensor:
        stopped = actions == self.dim
        before = state.scatter_add(1, actions[:, None], -(~stopped).to(state.dtype)[:, None])
        before[:, -1] = 0
        return before

    def action_mask(self, state: Tensor) -> Tensor:
        """Every action until the object is finished, bool `[n, dim + 1]`."""
        return (state[:, -1:] == 0).expand(-1, self.num_actions)

    def backward_mask(self, state: Tensor) -> Tensor:
        """Axes along which a step can have been the last, and stopping, bool `[n, dim + 1]`."""
        coordinates, finished = state[:, :-1], state[:, -1:] > 0
        top = coordinates == self.height - 1
        forced = top.any(dim=1, keepdim=True)
        axes = torch.where(forced, top, (coordinates > 0) & ~finished)
        return torch.cat([axes, finished & ~forced], dim=1)

    def features(self, state: Tensor) -> Tensor:
        """The coordinates."""
        return state[:, :-1]

    # ------------------------------------------------------------------------------------------ values
    def points(self, state: Tensor) -> Tensor:
        """The points `[n, dim]` in [-1, 1] that states stand for, float64."""
        return 2 * state[:, :-1].to(torch.float64) / (self.height - 1) - 1

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        """Objectives `[n, m]` of states, finished or not.

        Raises:
            ValueError: The shape is another, or a coordinate lies outside the grid.
        """
        states = check_matrix("solutions", solutions, columns=self.dim + 1)
        outside = ((states[:, :-1] < 0) | (states[:, :-1] >= self.height)).any(dim=1)
        if outside.any():
            row = int(torch.nonzero(outside)[0])
            raise ValueError(
                f"`solutions` should hold coordinates from 0 to {self.height - 1}. Row {row} is {states[row].tolist()}."
            )
        x = self.points(states)
        return torch.stack([OBJECTIVES[name](x) for name in self.objective_names], dim=1)

    def potential(self, state: Tensor) -> Tensor:
        """The objectives `[n, m]` of the cells on the way: they need evaluations, so they are paid."""
        return self.evaluate(state)

    def decode(self, solutions: Tensor) -> list[str]:
        """The coordinates of each cell, `"(3, 17)"`."""
        return [f"({', '.join(map(str, row[:-1]))})" for row in solutions.tolist()]

    def encode(self, cells: Tensor | Sequence[Sequence[int]]) -> Tensor:
        """Finished states `[n, dim + 1]` of cells, each a list of coordinates."""
        coordinates = check_matrix("cells", cells, columns=self.dim).to(torch.int64)
        return torch.cat([coordinates, torch.ones(len(coordinates), 1, dtype=torch.int64)], dim=1)

    @cached_property
    def oracle(self) -> ConditionalOracle | None:  # type: ignore[override]
        """All cells that can be reached, where there are at most 4,000,000; else None."""
        if self.height**self.dim > ENUMERABLE:
            return None
        axes = [torch.arange(self.height)] * self.dim
        coordinates = torch.cartesian_prod(*axes)
        reached = (coordinates == self.height - 1).sum(dim=1) <= 1
        states = self.encode(coordinates[reached])
        objectives = self.evaluate(states)
        front = torch.unique(objectives[non_dominated(objectives)], dim=0)
        place = torch.full((len(coordinates),), -1)
        place[reached] = torch.arange(len(states))
        base = self.height ** torch.arange(self.dim - 1, -1, -1)
        return enumerated(objectives, states, lambda found: place[(found[:, :-1].cpu() * base).sum(dim=1)], front)
