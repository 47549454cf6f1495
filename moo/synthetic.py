"""What the synthetic problems share: parts of their equations, evenly spread points, and fronts that are known.

Rows are `[n, d]`, objectives `[n, M]`, a distance `g` from the front `[n, 1]`; all tensors are float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from moo.base import Oracle, VectorProblem
from moo.checks import check_count, check_matrix
from moo.noise import add_noise, check_noise
from moo.preferences import das_dennis
from moo.space import Column, Space

FRONT_POINTS = 1001  # of a front: at most, on a lattice; about, elsewhere
ROUNDING = 1e-9  # by which a point of a front may miss a constraint


# --------------------------------------------------------------------------------------------------- equations
def products(factors: Tensor, turns: Tensor) -> Tensor:
    """`f_1 = a_1 ... a_(M-1)`, `f_2 = a_1 ... a_(M-2) b_(M-1)`, ..., `f_M = b_1` of `a, b [n, M - 1]`: `[n, M]`."""
    one = torch.ones(len(factors), 1, dtype=torch.float64)
    return (torch.cat([one, factors.cumprod(dim=1)], dim=1) * torch.cat([turns, one], dim=1)).flip(1)


def sphere(angles: Tensor) -> Tensor:
    """The point of the unit sphere `[n, M]` at angles `[n, M - 1]`."""
    return products(angles.cos(), angles.sin())


def rastrigin_g(off: Tensor) -> Tensor:
    """`g = 100 (k + sum (x - 0.5)^2 - cos(20 pi (x - 0.5)))` of columns `[n, k]`: 11^k local minima, 0 at 0.5."""
    shifted = off - 0.5
    return 100 * (off.shape[1] + (shifted**2 - (20 * math.pi * shifted).cos()).sum(dim=1, keepdim=True))


def square_g(off: Tensor) -> Tensor:
    """`g = sum (x - 0.5)^2` of columns `[n, k]`."""
    return ((off - 0.5) ** 2).sum(dim=1, keepdim=True)


# --------------------------------------------------------------------------------------------------- even points
def lattice(num_objectives: int, count: int = FRONT_POINTS) -> Tensor:
    """Even points `[n, M]` of the simplex, at most `count` up to M = 10; without inner points an inner copy joins them.

    Source of the inner copy: Deb and Jain 2014 (NSGA-III), IEEE TEVC 18(4).
    """
    m, divisions = num_objectives, 1
    while math.comb(divisions + m, m - 1) <= count:
        divisions += 1
    points = das_dennis(m, divisions)
    return points if divisions >= m else torch.cat([points, (points + 1 / m) / 2])


def onto_sphere(points: Tensor) -> Tensor:
    """Points `[n, M]` other than the origin, moved along their rays to norm 1."""
    return points / points.square().sum(dim=1, keepdim=True).sqrt()


def plane_front(num_objectives: int) -> Tensor:
    """Points of `sum f = 0.5`: those of a lattice."""
    return 0.5 * lattice(num_objectives)


def sphere_front(num_objectives: int) -> Tensor:
    """Points of `sum f^2 = 1`: the directions of a lattice."""
    return onto_sphere(lattice(num_objectives))


def grid(axis: Tensor, dim: int) -> Tensor:
    """All rows `[n^dim, dim]` whose columns are among the places `axis [n]`."""
    return torch.cartesian_prod(*[axis] * dim).reshape(-1, dim)


def sobol(dim: int, count: int = 1024) -> Tensor:
    """The first `count` points of Sobol's sequence in `[0, 1]^dim`, not scrambled: always the same."""
    engine = torch.quasirandom.SobolEngine(dim, scramble=False)  # type: ignore[no-untyped-call]
    return engine.draw(count, dtype=torch.float64)


def chords(points: Tensor) -> Tensor:
    """Distances `[n - 1]` between neighbouring points `[n, m]`."""
    return points.diff(dim=0).square().sum(dim=1).sqrt()


def evenly(along: Tensor, count: int) -> Tensor:
    """Which entries of `along [n]`, ascending, come next after `count` even steps from 0 to its end: `[count]`."""
    steps = torch.linspace(0, float(along[-1]), count, dtype=torch.float64)
    return torch.searchsorted(along, steps).clamp(max=len(along) - 1)


def over(pieces: Sequence[tuple[float, float]], count: int) -> Tensor:
    """About `count` places, evenly over intervals `(low, high)`, without the low end of all but the first.

    Each interval has two places at least.
    """
    total = sum(high - low for low, high in pieces)
    parts = []
    for number, (low, high) in enumerate(pieces):
        places = torch.linspace(low, high, max(2, round(count * (high - low) / total)) + 1, dtype=torch.float64)
        parts.append(places[min(number, 1) :])
    return torch.cat(parts)


# --------------------------------------------------------------------------------------------------- known fronts
def point_beyond(ideal: Tensor, nadir: Tensor) -> Tensor:
    """The reference point of minimised objectives: the nadir plus a tenth of the range, `[M]`."""
    return nadir + 0.1 * (nadir - ideal)


class KnownFront:
    """Lets a problem compute its front when it is first asked for; stands before the problem's other bases.

    Where `know_front` was not called, the front and the reference point are not known, which is what None says.
    """

    _front: Callable[[], Tensor] | None = None
    _exact = True

    def know_front(self, front: Callable[[], Tensor], *, exact: bool = True) -> None:
        """Set what computes points `[n, M]` of the front; `exact`: whether they are on it for certain."""
        self._front, self._exact = front, exact

    @cached_property
    def reference_front(self) -> Tensor | None:
        """Points of the front, exact unless the problem's docstring says otherwise; None where it is not known."""
        return None if self._front is None else self._front()

    @cached_property
    def oracle(self) -> Oracle | None:
        """The front where it is known exactly."""
        return Oracle(self.reference_front) if self._exact and self.reference_front is not None else None

    @cached_property
    def reference_point(self) -> Tensor | None:
        """The nadir of the front plus a tenth of its range, `[M]`; None where the front is not known."""
        front = self.reference_front
        return None if front is None else point_beyond(front.amin(dim=0), front.amax(dim=0))


class Synthetic(KnownFront, VectorProblem):  # type: ignore[override]
    """A problem of minimised objectives f1, ..., fM, to which gaussian noise may be added.

    Args:
        num_objectives: M.
        columns: Of its space.
        noise: Standard deviation of the noise, at least 0.
    """

    def __init__(self, num_objectives: int, columns: Iterable[Column], noise: float) -> None:
        self.num_objectives = num_objectives
        self.directions = ("min",) * num_objectives
        self.objective_names = tuple(f"f{i + 1}" for i in range(num_objectives))
        self.space = Space(tuple(columns))
        self.noise = check_noise(noise)
        self.stochastic = self.noise > 0

    def rows(self, solutions: Tensor) -> Tensor:
        """Solutions as float64 rows `[n, d]`, checked."""
        return check_matrix("solutions", solutions, columns=self.space.dim)

    def split(self, solutions: Tensor) -> tuple[Tensor, Tensor]:
        """The first M - 1 columns, along the front, and those off it, `[n, d - M + 1]`."""
        rows = self.rows(solutions)
        return rows[:, : self.num_objectives - 1], rows[:, self.num_objectives - 1 :]

    def noisy(self, objectives: Tensor, generator: torch.Generator | None) -> Tensor:
        """Objectives `[n, M]` with noise where the problem has any."""
        return add_noise(objectives, self.noise, generator, self.name)


def check_dim(dim: int, least: int, name: str, num_objectives: int) -> int:
    """Return the number of columns of the problem called `name`.

    Raises:
        ValueError: It is below `least`.
    """
    if check_count("dim", dim) < least:
        raise ValueError(f"`dim` should be at least {least} for {name} with {num_objectives} objectives. Found {dim}.")
    return dim
