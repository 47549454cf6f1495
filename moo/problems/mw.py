"""The MW problems, MW1 to MW14: constrained, all minimised, two objectives or any number M, with known fronts.

Source: Ma and Wang 2019, "Evolutionary constrained multiobjective optimization: test suite construction and
performance comparisons", IEEE TEVC 23(6).

In all of them the constraints depend on the objectives alone, the first M - 1 columns choose a ray (or a fixed `f_1`)
and the others, through `g`, how far along it a point lies, with every distance from the least on attained. So a front
is known from objectives alone: the least feasible points. The reference point of each is the nadir of its front plus a
tenth of its range. With `noise=` above 0, gaussian noise of that standard deviation is added to every objective; the
constraints, fronts and reference points stay those of the noise-free problem.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.optimize import brentq, minimize_scalar
from torch import Tensor

from moo.base import Evaluation
from moo.checks import check_count
from moo.dominance import non_dominated
from moo.space import real
from moo.synthetic import (
    FRONT_POINTS,
    ROUNDING,
    Synthetic,
    check_dim,
    chords,
    evenly,
    grid,
    lattice,
    onto_sphere,
    over,
    products,
    sobol,
    sphere,
)

ROOT2 = math.sqrt(2)


# --------------------------------------------------------------------------------------------------- shared parts
# `g [n, 1]` of rows `[n, d]`: 1 at the best, growing with the distance of the last columns from their optima.
def _g1(rows: Tensor, m: int) -> Tensor:
    d = rows.shape[1]
    off = rows[:, m - 1 :] ** (d - m) - 0.5 - torch.arange(m - 1, d, dtype=torch.float64) / (2 * d)
    return 1 - torch.expm1(-10 * off**2).sum(dim=1, keepdim=True)


def _g2(rows: Tensor, m: int) -> Tensor:
    d = rows.shape[1]
    z = -torch.expm1(-10 * (rows[:, m - 1 :] - torch.arange(m - 1, d, dtype=torch.float64) / d) ** 2)
    return 1 + (1.5 + 0.1 / d * z**2 - 1.5 * (2 * math.pi * z).cos()).sum(dim=1, keepdim=True)


def _g3(rows: Tensor, m: int) -> Tensor:
    off = rows[:, m - 1 :] + (rows[:, m - 2 : -1] - 0.5) ** 2 - 1
    return 1 + 2 * (off**2).sum(dim=1, keepdim=True)


class _MW(Synthetic):
    """What all fourteen share: which `g` it is, how it and the first columns make objectives, and columns up to `top`.

    Each objective grows with `g` or does not depend on it: for given first columns the least feasible `g` is best.
    """

    distance: ClassVar[Any]
    exact = True  # whether the front's points are on it for certain
    top = 1.0

    def __init__(self, num_objectives: int, dim: int, least: int, num_constraints: int, noise: float) -> None:
        dim = check_dim(dim, least, self.name, num_objectives)
        super().__init__(num_objectives, [real(0, self.top)] * dim, noise)
        self.num_constraints = num_constraints
        self.know_front(self._points, exact=self.exact)

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Evaluation:
        rows = self.rows(solutions)
        objectives = self._shape(rows[:, : self.num_objectives - 1], self.distance(rows, self.num_objectives))
        return Evaluation(self.noisy(objectives, generator), self._limits(objectives))

    def _shape(self, first: Tensor, g: Tensor) -> Tensor:
        """Objectives `[n, M]` of the first columns `[n, M - 1]` and of `g [n, 1]`."""
        raise NotImplementedError

    def _limits(self, objectives: Tensor) -> Tensor:
        """Constraints `[n, c]` of objectives `[n, M]`, feasible where `<= 0`."""
        raise NotImplementedError

    def _points(self) -> Tensor:
        """Points of the front."""
        raise NotImplementedError

    def _feasible(self, points: Tensor) -> Tensor:
        """The points that are feasible, but for rounding."""
        return points[(self._limits(points) <= ROUNDING).all(dim=1)]


class _Two(_MW):
    """Those of two objectives.

    Args:
        dim: Columns, at least 3.
        noise: Standard deviation of the noise added to each objective.
    """

    constraints = 1

    def __init__(self, dim: int = 15, noise: float = 0.0) -> None:
        super().__init__(2, dim, 3, self.constraints, noise)

    def _limits(self, objectives: Tensor) -> Tensor:
        return torch.stack(self._bounds(objectives[:, 0], objectives[:, 1]), dim=1)

    def _bounds(self, f1: Tensor, f2: Tensor) -> list[Tensor]:
        """The constraints, each `[n]`."""
        raise NotImplementedError

    def _curve(self) -> Tensor:
        """Points `[n, 2]`, dense, among which the front is found: here those at `g = 1`."""
        x = _dense(0, self.top)[:, None]
        return self._shape(x, torch.ones_like(x))

    def _points(self) -> Tensor:
        points = self._feasible(self._curve())
        return _thinned(points[non_dominated(-points)])


def _dense(low: float, high: float) -> Tensor:
    return torch.linspace(low, high, 100_001, dtype=torch.float64)


def _polar(angle: Tensor, radius: Tensor) -> Tensor:
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


def _thinned(points: Tensor) -> Tensor:
    """About 1000 of the points `[n, 2]` of a front, evenly along its pieces, with the ends of each piece."""
    points = points[points[:, 0].argsort()]
    steps = chords(points)
    gap = 50 * float(steps.median())
    along = torch.cat([torch.zeros(1, dtype=torch.float64), steps.clamp(max=gap).cumsum(dim=0)])
    before = torch.nonzero(steps > gap).flatten()
    return points[torch.unique(torch.cat([evenly(along, FRONT_POINTS), before, before + 1]))]


def _falling(curve: Callable[[Any], Any], high: float) -> list[tuple[float, float]]:
    """The intervals of `[0, high]` in which a curve lies below all that came before: `(low, high)`, low left out."""
    grid = np.linspace(0, high, 10_001)
    values = curve(grid)
    fresh = np.concatenate([[True], values[1:] < np.minimum.accumulate(values)[:-1]])
    starts = np.flatnonzero(fresh & ~np.concatenate([[False], fresh[:-1]]))
    ends = np.flatnonzero(fresh & ~np.concatenate([fresh[1:], [False]]))
    pieces: list[tuple[float, float]] = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        low, last = 0.0, high
        if end < len(grid) - 1:
            bounds = (grid[max(end - 1, 0)], grid[end + 1])
            last = float(minimize_scalar(curve, bounds=bounds, method="bounded", options={"xatol": 1e-14}).x)
        if pieces:
            lowest = curve(pieces[-1][1])
            low = brentq(lambda t, lowest=lowest: curve(t) - lowest, grid[start - 1], grid[start + 1], xtol=1e-15)
        pieces.append((low, last))
    return pieces


# --------------------------------------------------------------------------------------------------- the problems
class MW1(_Two):
    """A linear front, `f_2 = 1 - 0.85 f_1`, of which narrow fingers of the feasible region reach six pieces.

    Source: Ma and Wang 2019, MW1. Values and front as in pymoo. For this and all others of two objectives `dim` is the
    number of columns, at least 3.
    """

    name = "mw1"
    distance = staticmethod(_g1)

    def _shape(self, first: Tensor, g: Tensor) -> Tensor:
        return torch.cat([first, g - 0.85 * first], dim=1)

    def _bounds(self, f1: Tensor, f2: Tensor) -> list[Tensor]:
        return [f1 + f2 - 1 - 0.5 * (2 * math.pi * ROOT2 * (f2 - f1)).sin() ** 8]


class MW2(_Two):
    """The whole line `f_1 + f_2 = 1`, at the narrow feet of many feasible fingers.

    Source: Ma and Wang 2019, MW2. Values and front as in pymoo.
    """

    name = "mw2"
    distance = staticmethod(_g2)

    def _shape(self, first: Tensor, g: Tensor) -> Tensor:
        return torch.cat([first, g - first], dim=1)

    def _bounds(self, f1: Tensor, f2: Tensor) -> list[Tensor]:
        return [f1 + f2 - 1 - 0.5 * (3 * math.pi * ROOT2 * (f2 - f1)).sin() ** 8]


class MW3(_Two):
    """The line `f_1 + f_2 = 1` where that is feasible, and the edge of the infeasible regions that cut it elsewhere.

    The edge, `f_1 + f_2 = 0.85 + 0.3 sin(0.75 pi sqrt(2) (f_2 - f_1))^2`, never turns back: its slope stays below 1.

    Source: Ma and Wang 2019, MW3. Values as in pymoo, whose front is up to 0.001 off.
    """

    name = "mw3"
    distance = staticmethod(_g3)
    constraints = 2
    _shape = MW2._shape

    def _bounds(self, f1: Tensor, f2: Tensor) -> list[Tensor]:
        wave = (0.75 * math.pi * ROOT2 * (f2 - f1)).sin()
        return [f1 + f2 - 1.05 - 0.45 * wave**6, 0.85 - f1 - f2 + 0.3 * wave**2]

    def _curve(self) -> Tensor:
        apart = _dense(-1, 1)
        total = (0.85 + 0.3 * (0.75 * math.pi * ROOT2 * apart).sin() ** 2).clamp(min=1)
        return torch.stack([(total - apart) / 2, (total + apart) / 2], dim=1)


class _Many(_MW):
    """Those of any number of objectives.

    Args:
        num_objectives: M, at least 2.
        dim: Columns, at least M + 1; None: `M + 12`.
        noise: Standard deviation of the noise added to each objective.
    """

    def __init__(self, num_objectives: int = 3, dim: int | None = None, noise: float = 0.0) -> None:
        m = check_count("num_objectives", num_objectives, low=2)
        super().__init__(m, m + 12 if dim is None else dim, m + 1, 1, noise)


class MW4(_Many):
    """The whole simplex, `sum f = 1`, at the narrow feet of many feasible fingers.

    Source: Ma and Wang 2019, MW4. Values and front as in pymoo. For MW4, MW8 and MW14 `num_objectives` is M, at least
    2, and `dim` the number of columns, `M + 12` by default.
    """

    name = "mw4"
    distance = staticmethod(_g1)

    def _shape(self, first: Tensor, g: Tensor) -> Tensor:
        return g * products(1 - first, first)

    def _limits(self, objectives: Tensor) -> Tensor:
        last, others = objectives[:, -1:], objectives[:, :-1].sum(dim=1, keepdim=True)
        return last + others - 1 - 0.4 * (2.5 * math.pi * (last - others)).sin() ** 8

    def _points(self) -> Tensor:
        return lattice(self.num_objectives)


class MW5(_Two):
    """Fourteen single points of the unit circle, at the feet of feasible fingers, and a short arc at either end.

    The arcs are known but for 1e-5 at their ends, so that there is a reference front and no oracle.

    Source: Ma and Wang 2019, MW5. Values as in pymoo.
    """

    name = "mw5"
    distance = staticmethod(_g1)
    constraints = 3
    exact = False

    def _shape(self, first: Tensor, g: Tensor) -> Tensor:
        return g * torch.cat([first, (1 - first**2).sqrt()], dim=1)

    def _bounds(self, f1: Tensor, f2: Tensor) -> list[Tensor]:
        angle, square = torch.atan2(f2, f1), f1**2 + f2**2
        wave = self._wave(angle)
        outer = (1.7 - 0.2 * (2 * angle).sin()) ** 2
        return [square - outer, (1 + 0.5 * wave) ** 2 - square, (1 - 0.45 * wave) ** 2 - square]

    def _wave(self, angle: Tensor) -> Tensor:
        return (6 * (0.5 * math.pi - 2 * (angle - 0.25 * math.pi).abs()) ** 3).sin()

    def _curve(self) -> Tensor:
        feet = (torch.arange(8, dtype=torch.float64) * math.pi / 6) ** (1 / 3) / 2  # where the wave is 0
        single = torch.cat([feet, 0.5 * math.pi - feet])
        angle = _dense(0, 0.5 * math.pi)
        wave = self._wave(angle)
        edge = _polar(angle, torch.maximum(1 + 0.5 * wave, 1 - 0.45 * wave))
        return torch.cat([_polar(single, torch.ones_like(single)), edge])


class MW6(_Two):
    """Short arcs of the circle of radius 1.1, ever shorter towards small `f_1`.

    Source: Ma and Wang 2019, MW6. Values and front as in pymoo.
    """

    name = "mw6"
    distance = staticmethod(_g2)
    top = 1.1

    def _shape(self, first: Tensor, g: Tensor) -> Tensor:
        return g * torch.cat([first, (1.1**2 - first**2).clamp(min=0).sqrt()], dim=1)

    def _bounds(self, f1: Tensor, f2: Tensor) -> list[Tensor]:
        wave = (6 * torch.atan2(f2, f1) ** 4).cos() ** 10
        return [(f1 / (1 + 0.15 * wave)) ** 2 + (f2 / (1 + 0.75 * wave)) ** 2 - 1]


class MW7(_Two):
    """Pieces of the unit circle and, where that is infeasible, of the edge of what cuts it off.

    The ends of the pieces are known but for 1e-5, so that there is a reference front and no oracle.

    Source: Ma and Wang 2019, MW7. Values as in pymoo and BoTorch.
    """

    name = "mw7"
    distance = staticmethod(_g3)
    constraints = 2
    exact = False
    _shape = MW5._shape

    def _bounds(self, f1: Tensor, f2: Tensor) -> list[Tensor]:
        angle, square = torch.atan2(f2, f1), f1**2 + f2**2
        outer, inner = 1.2 + 0.4 * (4 * angle).sin() ** 16, 1.15 - 0.2 * (4 * angle).sin() ** 8
        return [square - outer**2, inner**2 - square]

    def _curve(self) -> Tensor:
        angle = _dense(0, 0.5 * math.pi)
        return _polar(angle, (1.15 - 0.2 * (4 * angle).sin() ** 8).clamp(min=1))


class MW8(_Many):
    """Bands of the unit sphere: those in which `sin(6 l)^2 <= 1/2`, `l` being the angle of `f_M`.

    Source: Ma and Wang 2019, MW8. Values and front as in pymoo.
    """

    name = "mw8"
    distance = staticmethod(_g2)

    def _shape(self, first: Tensor, g: Tensor) -> Tensor:
        return g * sphere(0.5 * math.pi * first)

    def _limits(self, objectives: Tensor) -> Tensor:
        square = (objectives**2).sum(dim=1, keepdim=True)
        angle = (objectives[:, -1:] / square.sqrt()).clamp(max=1).asin()
        return square - (1.25 - 0.5 * (6 * angle).sin() ** 2) ** 2

    def _points(self) -> Tensor:
        return self._feasible(onto_sphere(lattice(self.num_objectives, 2 * FRONT_POINTS)))


class MW9(_Two):
    """A front on the lower edges of two feasible regions that touch the unconstrained one at its ends alone.

    It is `f_2 = min(1 - 0.64 f_1^2, 1.15^2 - (f_1 + 0.15)^2)`.

    Source: Ma and Wang 2019, MW9. Values as in pymoo.
    """

    name = "mw9"
    distance = staticmethod(_g1)

    def _shape(self, first: Tensor, g: Tensor) -> Tensor:
        return g * torch.cat([first, 1 - first**0.6], dim=1)

    def _bounds(self, f1: Tensor, f2: Tensor) -> list[Tensor]:
        near = (1 - 0.64 * f1**2 - f2) * (1 - 0.36 * f1**2 - f2)
        far = (1.35**2 - (f1 + 0.35) ** 2 - f2) * (1.15**2 - (f1 + 0.15) ** 2 - f2)
        return [torch.minimum(near, far)]

    def _curve(self) -> Tensor:
        f1 = _dense(0, 1)
        return torch.stack([f1, torch.minimum(1 - 0.64 * f1**2, 1.3 - 0.3 * f1 - f1**2)], dim=1)


class MW10(_Two):
    """Two pieces, each the steep left edge of a feasible region and then the parabola `f_2 = 1 - f_1^2`.

    Most of the space lies at small `f_1`, which is the first column to the power of their number.

    Source: Ma and Wang 2019, MW10. Values as in pymoo.
    """

    name = "mw10"
    distance = staticmethod(_g2)
    constraints = 3

    def _shape(self, first: Tensor, g: Tensor) -> Tensor:
        x = first**self.space.dim
        return g * torch.cat([x, 1 - x**2], dim=1)

    def _bounds(self, f1: Tensor, f2: Tensor) -> list[Tensor]:
        a = f1**2
        return [
            -(2 - 4 * a - f2) * (2 - 8 * a - f2),
            (2 - 2 * a - f2) * (2 - 16 * a - f2),
            (1 - a - f2) * (1.2 - 1.2 * a - f2),
        ]

    def _curve(self) -> Tensor:
        f1 = torch.cat([torch.tensor([math.sqrt(0.8 / 14.8), math.sqrt(1 / 7)], dtype=torch.float64), _dense(0, 1)])
        a = f1**2
        edge = torch.where(f1 < 0.45, 2 - 16 * a, 2 - 4 * a)
        return torch.stack([f1, torch.maximum(edge, 1 - a)], dim=1)


class MW11(_Two):
    """Edges of two feasible regions off the unconstrained front, and the one feasible point on it, (1, 1).

    That point is where the corner of a third region just touches the circle `sum f^2 = 2`: hardly ever met by a search,
    it dominates the edge of a fourth region in the middle, which a search will take for a part of the front.

    Source: Ma and Wang 2019, MW11. Values as in pymoo, which gives NaN where `x_1` is at its upper bound.
    """

    name = "mw11"
    distance = staticmethod(_g3)
    constraints = 4
    top = ROOT2

    def _shape(self, first: Tensor, g: Tensor) -> Tensor:
        return g * torch.cat([first, (2 - first**2).clamp(min=0).sqrt()], dim=1)

    def _bounds(self, f1: Tensor, f2: Tensor) -> list[Tensor]:
        a = f1**2
        return [
            -(3 - a - f2) * (3 - 2 * a - f2),
            (3 - 0.625 * a - f2) * (3 - 7 * a - f2),
            -(1.62 - 0.18 * a - f2) * (1.125 - 0.125 * a - f2),
            (2.07 - 0.23 * a - f2) * (0.63 - 0.07 * a - f2),
        ]

    def _curve(self) -> Tensor:
        upper, lower = _dense(0.93 / 6.77, 1.38 / 1.82), _dense(1.875 / 0.875, 2.37 / 0.555)  # a = f_1^2 of its corners
        edges = [
            torch.stack([upper.sqrt(), torch.maximum(3 - 7 * upper, 1.62 - 0.18 * upper)], dim=1),
            torch.stack([lower.sqrt(), torch.maximum(3 - lower, 0.63 - 0.07 * lower)], dim=1),
        ]
        return torch.cat([*edges, torch.ones(1, 2, dtype=torch.float64)])


class MW12(_Two):
    """The wavy lower edge of a feasible strip off the unconstrained front.

    It is `1 - 0.8 f_1 - f_2 + 0.08 sin(2 pi (f_2 - f_1 / 1.5)) = 0`, which falls throughout, as far as `x_1 <= 1` goes.

    Source: Ma and Wang 2019, MW12. Values as in pymoo, whose front is up to 0.001 off, one point infeasible.
    """

    name = "mw12"
    distance = staticmethod(_g1)
    constraints = 2

    def _shape(self, first: Tensor, g: Tensor) -> Tensor:
        return g * torch.cat([first, self._line(first)], dim=1)

    def _line(self, x: Tensor) -> Tensor:
        return 0.85 - 0.8 * x - 0.08 * (3.2 * math.pi * x).sin().abs()

    def _bounds(self, f1: Tensor, f2: Tensor) -> list[Tensor]:
        def edge(high: float, slope: float, stretch: float, width: float) -> Tensor:
            return high - slope * f1 - f2 + 0.08 * (2 * math.pi * (f2 / stretch - f1 / width)).sin()

        return [-edge(1, 0.625, 1, 1.6) * edge(1.4, 0.875, 1.4, 1.6), edge(1, 0.8, 1, 1.5) * edge(1.8, 1.125, 1.8, 1.6)]

    def _curve(self) -> Tensor:
        f1 = _dense(0, 1.4)
        low, high = 0.92 - 0.8 * f1, 1.08 - 0.8 * f1
        for _ in range(60):  # the edge grows with f2, by at least half as much
            middle = (low + high) / 2
            above = middle - 1 + 0.8 * f1 - 0.08 * (2 * math.pi * (middle - f1 / 1.5)).sin() > 0
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        last = self._line(torch.ones_like(f1)) * f1  # along the ray x_1 = 1
        attained = (f1 <= 1) | (high >= last)
        return torch.stack([f1, high], dim=1)[attained]


class MW13(_Two):
    """A wave, `f_2 = 5 - exp(f_1) - sin(3 pi f_1) / 2`, of which the front is what lies below all before.

    Source: Ma and Wang 2019, MW13. Values as in pymoo.
    """

    name = "mw13"
    distance = staticmethod(_g2)
    constraints = 2
    top = 1.5

    def _shape(self, first: Tensor, g: Tensor) -> Tensor:
        return g * torch.cat([first, 5 - first.exp() - (0.5 * (3 * math.pi * first).sin()).abs()], dim=1)

    def _bounds(self, f1: Tensor, f2: Tensor) -> list[Tensor]:
        above = 5 - 0.5 * (3 * math.pi * f1).sin() - f2
        return [
            -(above - 1 - f1 - 0.5 * f1**2) * (above - 1 - 0.7 * f1),
            (above - f1.exp()) * (above - 1 - 0.4 * f1),
        ]

    def _curve(self) -> Tensor:
        f1 = over(_falling(lambda t: 5 - np.exp(t) - 0.5 * np.sin(3 * math.pi * t), self.top), 100_000)
        return torch.stack([f1, 5 - f1.exp() - 0.5 * (3 * math.pi * f1).sin()], dim=1)


class MW14(_Many):
    """Separate pieces over waves: `f_M = mean of 6 - exp(f_i) - 1.5 sin(1.1 pi f_i^2)`, all of them feasible.

    As in DTLZ7, a point is on the front where each `f_i` is such that no smaller one would bring `f_M` as low.

    Source: Ma and Wang 2019, MW14. Values as in pymoo.
    """

    name = "mw14"
    distance = staticmethod(_g3)
    top = 1.5

    def _shape(self, first: Tensor, g: Tensor) -> Tensor:
        return torch.cat([first, g * _mw14_part(first).mean(dim=1, keepdim=True)], dim=1)

    def _limits(self, objectives: Tensor) -> Tensor:
        others = objectives[:, :-1]
        highest = 0.1 + _mw14_part(others) + torch.expm1(others) - others - 0.5 * others**2
        return objectives[:, -1:] - highest.mean(dim=1, keepdim=True)

    def _points(self) -> Tensor:
        others = self.num_objectives - 1
        pieces = _falling(lambda t: 6 - np.exp(t) - 1.5 * np.sin(1.1 * math.pi * t**2), self.top)
        if others <= 3:
            places = grid(over(pieces, round(FRONT_POINTS ** (1 / others))), others)
        else:
            axis = over(pieces, FRONT_POINTS)
            places = axis[(sobol(others) * len(axis)).long()]
            places = torch.cat([places, axis[-1] * torch.eye(others, dtype=torch.float64)])
        return self._shape(places, torch.ones(len(places), 1, dtype=torch.float64))


def _mw14_part(f: Tensor) -> Tensor:
    return 6 - f.exp() - 1.5 * (1.1 * math.pi * f**2).sin()
