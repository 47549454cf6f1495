"""The WFG problems: any number M of objectives of ranges 2, 4, ..., 2M, all minimised, with tunable difficulties.

Source: Huband, Hingston, Barone and While 2006, "A review of multiobjective test problems and a scalable test problem
toolkit", IEEE TEVC 10(5). A row `z`, `z_i` in [0, 2i], is divided by its bounds, put through transformations, and
reduced to M numbers `x` in [0, 1]: the first M - 1 place a point on the shape `h`, the last is its distance from the
front, `f_m = x_M + 2 m h_m(x_1, ..., x_(M-1))`. The first k columns are those of position, the other l those of
distance. With `noise=` above 0, gaussian noise of that standard deviation is added to every objective; oracle,
reference front and reference point stay those of the noise-free problem.

At distance 0, which is attained at every position, a point lies on the surface `f_m = 2 m h_m`. Where no two points of
that surface dominate each other, it is the front: moving off adds the same amount to every objective. The fronts
follow, but for WFG3's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from scipy.optimize import brentq
from torch import Tensor

from moo.checks import check_count
from moo.space import real
from moo.synthetic import FRONT_POINTS, Synthetic, grid, lattice, over, products, sobol, sphere_front


# --------------------------------------------------------------------------------------------------- transformations
# of columns `y` in [0, 1], elementwise: the source's table 11, with its letters. Rounding never leaves [0, 1].
def _shift_linear(y: Tensor, a: float = 0.35) -> Tensor:
    return ((y - a).abs() / ((a - y).floor() + a).abs()).clamp(0, 1)


def _shift_deceptive(y: Tensor, a: float = 0.35, b: float = 0.001, c: float = 0.05) -> Tensor:
    low = (y - a + b).floor() * (1 - c + (a - b) / b) / (a - b)
    high = (a + b - y).floor() * (1 - c + (1 - a - b) / b) / (1 - a - b)
    return (1 + ((y - a).abs() - b) * (low + high + 1 / b)).clamp(0, 1)


def _shift_multi_modal(y: Tensor, a: float, b: float, c: float = 0.35) -> Tensor:
    off = (y - c).abs() / (2 * ((c - y).floor() + c))
    return ((1 + ((4 * a + 2) * math.pi * (0.5 - off)).cos() + 4 * b * off**2) / (b + 2)).clamp(0, 1)


def _bias_flat(y: Tensor, a: float = 0.8, b: float = 0.75, c: float = 0.85) -> Tensor:
    low = (y - b).floor().clamp(max=0) * (a * (b - y) / b)
    high = (c - y).floor().clamp(max=0) * ((1 - a) * (y - c) / (1 - c))
    return (a + low - high).clamp(0, 1)


def _bias_by(y: Tensor, u: Tensor, a: float = 0.98 / 49.98, b: float = 0.02, c: float = 50.0) -> Tensor:
    """`b_param`: how strongly `y` is bent depends on `u`, of the same shape."""
    power: Tensor = b + (c - b) * (a - (1 - 2 * u) * ((0.5 - u).floor() + a).abs())
    return y.pow(power).clamp(0, 1)


def _non_separable(y: Tensor, a: int) -> Tensor:
    """`r_nonsep` of columns `[n, c]`: one number per row, each column compared with the `a - 1` next, in a circle."""
    total = y.sum(dim=1)
    for step in range(1, a):
        total = total + (y - y.roll(-step, dims=1)).abs().sum(dim=1)
    half = math.ceil(a / 2)
    return (total / (y.shape[1] / a * half * (1 + 2 * a - 2 * half))).clamp(0, 1)


def _sum(y: Tensor) -> Tensor:
    return y.sum(dim=1)


def _mean(y: Tensor) -> Tensor:
    return y.mean(dim=1)


def _means_after(y: Tensor) -> Tensor:
    """For each column but the last the mean of those after it, `[n, c - 1]`."""
    sums = y.flip(1).cumsum(dim=1).flip(1)[:, 1:]
    return sums / torch.arange(sums.shape[1], 0, -1, dtype=torch.float64)


def _means_before(y: Tensor) -> Tensor:
    """For each column but the first the mean of those before it, `[n, c - 1]`."""
    sums = y.cumsum(dim=1)[:, :-1]
    return sums / torch.arange(1, sums.shape[1] + 1, dtype=torch.float64)


# --------------------------------------------------------------------------------------------------- shapes
# of positions `x [n, M - 1]`: `h [n, M]`, each objective in [0, 1]; the source's table 10.
def _linear(x: Tensor) -> Tensor:
    return products(x, 1 - x)


def _concave(x: Tensor) -> Tensor:
    return products((0.5 * math.pi * x).sin(), (0.5 * math.pi * x).cos())


def _convex(x: Tensor) -> Tensor:
    return products(1 - (0.5 * math.pi * x).cos(), 1 - (0.5 * math.pi * x).sin())


def _convex_mixed(x: Tensor) -> Tensor:
    """Convex but for the last objective, `mixed` with alpha = 1 and A = 5."""
    last = 1 - x[:, :1] - (10 * math.pi * x[:, :1] + 0.5 * math.pi).cos() / (10 * math.pi)
    return torch.cat([_convex(x)[:, :-1], last], dim=1)


def _convex_disconnected(x: Tensor) -> Tensor:
    """Convex but for the last objective, `disconnected` with alpha = beta = 1 and A = 5."""
    last = 1 - x[:, :1] * (5 * math.pi * x[:, :1]).cos() ** 2
    return torch.cat([_convex(x)[:, :-1], last], dim=1)


# --------------------------------------------------------------------------------------------------- shared parts
class _WFG(Synthetic):
    """What all nine share: columns, reductions, and a reference point by the objectives' scales."""

    even_distance = False  # whether l has to be even

    def __init__(self, num_objectives: int, k: int | None, l: int, noise: float) -> None:  # noqa: E741
        m = check_count("num_objectives", num_objectives, low=2)
        self.k = check_count("k", (4 if m == 2 else 2 * (m - 1)) if k is None else k)
        self.l = check_count("l", l)
        if self.k % (m - 1):
            raise ValueError(
                f"`k`, the columns of position, should be a multiple of num_objectives - 1 ({m - 1}). Found {self.k}."
            )
        if self.even_distance and self.l % 2:
            raise ValueError(f"`l`, the columns of distance, should be even for {self.name}. Found {self.l}.")
        super().__init__(m, [real(0, 2 * (i + 1)) for i in range(self.k + self.l)], noise)
        self.scales = 2 * torch.arange(1, m + 1, dtype=torch.float64)

    def _know_front(self, shape: Callable[[], Tensor]) -> None:
        """Set the front, `shape` by objective; each goes from 0 to 1, so that the ideal point is 0."""
        self.know_front(partial(_scaled, shape, self.scales))
        self.reference_point = 1.1 * self.scales

    def _unit(self, solutions: Tensor) -> Tensor:
        """Rows as columns in [0, 1]."""
        return (self.rows(solutions) / self.space.upper).clamp(0, 1)

    def _with_distance(self, y: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        """The columns with those of distance changed."""
        return torch.cat([y[:, : self.k], change(y[:, self.k :])], dim=1)

    def _reduce(self, y: Tensor, reduction: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """Positions `[n, M - 1]`, each of k / (M - 1) columns, and the distance `[n]`, of the others."""
        groups = y[:, : self.k].chunk(self.num_objectives - 1, dim=1)
        return torch.stack([reduction(group) for group in groups], dim=1), reduction(y[:, self.k :])

    def _means(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self._reduce(y, _mean)

    def _objectives(self, distance: Tensor, shape: Tensor, generator: torch.Generator | None) -> Tensor:
        return self.noisy(distance[:, None] + self.scales * shape, generator)


def _scaled(shape: Callable[[], Tensor], scales: Tensor) -> Tensor:
    return shape() * scales


def _surface(num_objectives: int, shape: Callable[[Tensor], Tensor], first: Tensor) -> Tensor:
    """About 1000 points of a shape, `x_1` among `first`, ascending in [0, 1], the others on a grid or Sobol's sequence.

    At `x_1 = 0` all but the last objective are 0 whatever the other positions: one point stands for them.
    """
    others = num_objectives - 2
    if others == 0:
        return shape(first[:, None])
    if others <= 2:
        axis = torch.linspace(0, 1, round(FRONT_POINTS ** (1 / (others + 1))), dtype=torch.float64)
        rest = grid(axis, others)
        chosen = first[torch.linspace(0, len(first) - 1, len(axis)).round().long()]
        x = torch.cat([chosen.repeat_interleave(len(rest))[:, None], rest.repeat(len(chosen), 1)], dim=1)
    else:
        x = sobol(others + 1)
        x[:, 0] = first[(x[:, 0] * len(first)).long()]
        corners = grid(torch.tensor([0.0, 1.0], dtype=torch.float64), others + 1)
        x = torch.cat([x, corners]) if others <= 8 else x
    points = shape(torch.cat([torch.zeros(1, others + 1, dtype=torch.float64), x[x[:, 0] > 0]]))
    distinct: Tensor = torch.unique(points, dim=0)
    return distinct


# --------------------------------------------------------------------------------------------------- the problems
class WFG1(_WFG):
    """A convex front with waves, flat regions in the distance, and a strong bias against small values.

    The last objective, `mixed`, falls strictly with `x_1`, so that the whole surface is the front. What is left of a
    distance is taken to the power 0.02: 1e-16 becomes 0.48. Some of the best columns, `0.35 * 2i`, leave that much in
    floating point, so that less than 1e-14 counts as nothing here, and the front can be reached.

    Source: Huband et al. 2006, WFG1. Values as in pymoo but for that; pymoo's front, drawn at random, is off by 0.07 in
    every objective for M = 2.

    Args:
        num_objectives: M, at least 2.
        k: Columns of position, a multiple of M - 1; None: 4 for M = 2, else 2 (M - 1).
        l: Columns of distance, at least 1.
        noise: Standard deviation of the noise added to each objective.
    """

    name = "wfg1"

    def __init__(self, num_objectives: int = 3, k: int | None = None, l: int = 20, noise: float = 0.0) -> None:  # noqa: E741
        super().__init__(num_objectives, k, l, noise)
        steps = torch.linspace(0, 1, FRONT_POINTS, dtype=torch.float64)
        self._know_front(partial(_surface, self.num_objectives, _convex_mixed, steps))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        y = self._with_distance(self._unit(solutions), _wfg1_distance) ** 0.02
        weights = self.space.upper[None]  # each column weighs as much as its range
        positions, distance = self._reduce(y * weights, _sum)
        most, farthest = self._reduce(weights, _sum)
        return self._objectives(distance / farthest, _convex_mixed(positions / most), generator)


def _wfg1_distance(y: Tensor) -> Tensor:
    shifted = _shift_linear(y)
    return _bias_flat(torch.where(shifted < 1e-14, 0.0, shifted))


class WFG2(_WFG):
    """A front in separate pieces, convex but for its last objective, over columns that depend on each other.

    For a fixed `x_1` the other positions trade off all but the last objective, `1 - x_1 cos(5 pi x_1)^2`, and those
    grow with `x_1`. So the front is where the last objective is strictly below all that came before, at smaller `x_1`.

    Source: Huband et al. 2006, WFG2. Values as in pymoo, which draws its front at random, dominated points included.
    Parameters: as WFG1; `l` is even.
    """

    name = "wfg2"
    even_distance = True

    def __init__(self, num_objectives: int = 3, k: int | None = None, l: int = 20, noise: float = 0.0) -> None:  # noqa: E741
        super().__init__(num_objectives, k, l, noise)
        self._know_front(partial(_wfg2_front, self.num_objectives))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        positions, distance = self._means(_pairs(self._with_distance(self._unit(solutions), _shift_linear), self.k))
        return self._objectives(distance, _convex_disconnected(positions), generator)


def _pairs(y: Tensor, k: int) -> Tensor:
    """The columns with those of distance, two by two, reduced to one that depends on both."""
    first, second = y[:, k::2], y[:, k + 1 :: 2]
    return torch.cat([y[:, :k], ((first + second + 2 * (first - second).abs()) / 3).clamp(0, 1)], dim=1)


def _wfg2_gain(x: float) -> float:
    """`x cos(5 pi x)^2`, what the last objective falls short of 1."""
    return x * math.cos(5 * math.pi * x) ** 2


def wfg2_pieces() -> list[tuple[float, float]]:
    """The intervals of `x_1` that make up WFG2's front, `(low, high)`: the first closed, the others without `low`.

    They are those in which `x cos(5 pi x)^2` exceeds all that came before. It is 0 at .1, .3, ..., .9, and has one
    maximum between each two, where `cos(5 pi x) = 10 pi x sin(5 pi x)`; the last piece ends at 1, still rising.
    """

    def slope(x: float) -> float:
        return math.cos(5 * math.pi * x) - 10 * math.pi * x * math.sin(5 * math.pi * x)

    ends = [brentq(slope, 1e-9, 0.1, xtol=1e-15)]
    ends += [brentq(slope, 0.2 * i, 0.2 * i + 0.1, xtol=1e-15) for i in range(1, 5)] + [1.0]
    lows = [0.0]
    for i in range(1, 6):
        before = _wfg2_gain(ends[i - 1])
        lows.append(brentq(lambda x, before=before: _wfg2_gain(x) - before, 0.2 * i - 0.1, ends[i], xtol=1e-15))
    return list(zip(lows, ends, strict=True))


def _wfg2_front(num_objectives: int) -> Tensor:
    """About 1000 points over the pieces; a later piece's low end equals the one before in the last objective."""
    return _surface(num_objectives, _convex_disconnected, over(wfg2_pieces(), FRONT_POINTS))


class WFG3(_WFG):
    """A linear front, meant to be a line for any number of objectives, over columns that depend on each other.

    For M = 2 it is the line `f_1 / 2 + f_2 / 4 = 1`. For more, points off that line, of a distance above 0, are
    dominated by none of it: the front is *not* degenerate (Ishibuchi, Masuda and Nojima 2016, "Pareto fronts of
    many-objective degenerate test problems", IEEE TEVC 20(5)). It is not known in closed form, so that `oracle`,
    `reference_front` and `reference_point` are None there.

    Source: Huband et al. 2006, WFG3. Values as in pymoo. Parameters: as WFG2.
    """

    name = "wfg3"
    even_distance = True

    def __init__(self, num_objectives: int = 3, k: int | None = None, l: int = 20, noise: float = 0.0) -> None:  # noqa: E741
        super().__init__(num_objectives, k, l, noise)
        if self.num_objectives == 2:
            self._know_front(partial(lattice, 2))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        positions, distance = self._means(_pairs(self._with_distance(self._unit(solutions), _shift_linear), self.k))
        narrowed = distance[:, None] * (positions - 0.5) + 0.5  # A = (1, 0, ..., 0): on the line all are 1/2
        return self._objectives(distance, _linear(torch.cat([positions[:, :1], narrowed[:, 1:]], dim=1)), generator)


class WFG4(_WFG):
    """An elliptic, concave front, `sum (f_m / 2m)^2 = 1`, behind many local ones.

    Source: Huband et al. 2006, WFG4. Values as in pymoo. Parameters: as WFG1.
    """

    name = "wfg4"

    def __init__(self, num_objectives: int = 3, k: int | None = None, l: int = 20, noise: float = 0.0) -> None:  # noqa: E741
        super().__init__(num_objectives, k, l, noise)
        self._know_front(partial(sphere_front, self.num_objectives))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        positions, distance = self._positions(self._unit(solutions))
        return self._objectives(distance, _concave(positions), generator)

    def _positions(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Positions and distance of columns in [0, 1]: all that tells WFG4 to WFG9 apart."""
        return self._means(_shift_multi_modal(y, 30, 10))


class WFG5(WFG4):
    """WFG4's front over deceptive columns: nearly all of each leads away from its narrow optimum.

    Source: Huband et al. 2006, WFG5. Values as in pymoo. Parameters: as WFG1.
    """

    name = "wfg5"

    def _positions(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self._means(_shift_deceptive(y))


class WFG6(WFG4):
    """WFG4's front over columns of which each depends on all others of its group.

    Source: Huband et al. 2006, WFG6. Values as in pymoo. Parameters: as WFG1.
    """

    name = "wfg6"

    def _positions(self, y: Tensor) -> tuple[Tensor, Tensor]:
        y = self._with_distance(y, _shift_linear)
        return self._reduce(y, lambda group: _non_separable(group, group.shape[1]))


class WFG7(WFG4):
    """WFG4's front with positions that are biased by all the columns after them.

    Source: Huband et al. 2006, WFG7. Values as in pymoo. Parameters: as WFG1.
    """

    name = "wfg7"

    def _positions(self, y: Tensor) -> tuple[Tensor, Tensor]:
        biased = _bias_by(y[:, : self.k], _means_after(y)[:, : self.k])
        return self._means(torch.cat([biased, _shift_linear(y[:, self.k :])], dim=1))


class WFG8(WFG4):
    """WFG4's front with distances that are biased by all the columns before them: each position has its own optimum.

    Source: Huband et al. 2006, WFG8. Values as in pymoo. Parameters: as WFG1.
    """

    name = "wfg8"

    def _positions(self, y: Tensor) -> tuple[Tensor, Tensor]:
        biased = _bias_by(y[:, self.k :], _means_before(y)[:, self.k - 1 :])
        return self._means(torch.cat([y[:, : self.k], _shift_linear(biased)], dim=1))


class WFG9(WFG4):
    """WFG4's front with all at once: biased by the columns after, deceptive, multi-modal, and not separable.

    Source: Huband et al. 2006, WFG9. Values as in pymoo. Parameters: as WFG1.
    """

    name = "wfg9"

    def _positions(self, y: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.cat([_bias_by(y[:, :-1], _means_after(y)), y[:, -1:]], dim=1)
        y = torch.cat([_shift_deceptive(y[:, : self.k]), _shift_multi_modal(y[:, self.k :], 30, 95)], dim=1)
        return self._reduce(y, lambda group: _non_separable(group, group.shape[1]))
