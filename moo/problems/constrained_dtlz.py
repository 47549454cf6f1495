"""The constrained DTLZ problems, C1-DTLZ1 to C3-DTLZ4: any number of objectives, all minimised, with known fronts.

Source: Jain and Deb 2014, "An evolutionary many-objective optimization algorithm using reference-point based
nondominated sorting approach, part II", IEEE TEVC 18(4).

The constraints depend on the objectives alone; of these the first M - 1 columns choose a ray, the others, through `g`,
the place on it, anywhere from the least distance on. So a front is made up of the least feasible points of the rays,
and the reference point is its nadir plus a tenth of its range. Noise, of standard deviation `noise`, is added to the
objectives; constraints, fronts and reference points know nothing of it.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from moo.base import Evaluation
from moo.checks import check_count, check_number
from moo.space import real
from moo.synthetic import (
    FRONT_POINTS,
    ROUNDING,
    Synthetic,
    check_dim,
    lattice,
    onto_sphere,
    plane_front,
    products,
    rastrigin_g,
    sphere,
    sphere_front,
    square_g,
)


# --------------------------------------------------------------------------------------------------- shared parts
class _CDTLZ(Synthetic):
    """What the five share: M objectives, of which M - 1 columns choose the ray, and k columns off the front."""

    def __init__(
        self, num_objectives: int, dim: int | None, noise: float, *, k: int, least_k: int = 1, each: bool = False
    ) -> None:
        m = check_count("num_objectives", num_objectives, low=2)
        dim = check_dim(m + k - 1 if dim is None else dim, m + least_k - 1, self.name, m)
        super().__init__(m, [real(0, 1)] * dim, noise)
        self.num_constraints = m if each else 1

    def _limits(self, objectives: Tensor) -> Tensor:
        """Constraints `[n, c]` of objectives `[n, M]`, feasible where `<= 0`."""
        raise NotImplementedError

    def _evaluation(self, objectives: Tensor, generator: torch.Generator | None) -> Evaluation:
        """Objectives `[n, M]`, with noise where the problem has any, and the constraints that they meet without."""
        return Evaluation(self.noisy(objectives, generator), self._limits(objectives))


# --------------------------------------------------------------------------------------------------- the problems
class C1DTLZ1(_CDTLZ):
    """DTLZ1 of which only a thin layer above its flat front is feasible: `f_M / 0.6 + sum f_i / 0.5 <= 1`.

    The front is DTLZ1's, `sum f = 0.5`.

    Source: Jain and Deb 2014, C1-DTLZ1. Values and front as in pymoo, whose default is 12 columns.

    Args:
        num_objectives: M, at least 2.
        dim: Columns in [0, 1], at least M; None: `M + 4`, so that k = 5.
        noise: Standard deviation of the noise added to each objective.
    """

    name = "c1-dtlz1"

    def __init__(self, num_objectives: int = 3, dim: int | None = None, noise: float = 0.0) -> None:
        super().__init__(num_objectives, dim, noise, k=5)
        self.know_front(partial(plane_front, self.num_objectives))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Evaluation:
        along, off = self.split(solutions)
        return self._evaluation(0.5 * (1 + rastrigin_g(off)) * products(along, 1 - along), generator)

    def _limits(self, objectives: Tensor) -> Tensor:
        return objectives[:, -1:] / 0.6 + objectives[:, :-1].sum(dim=1, keepdim=True) / 0.5 - 1


class C1DTLZ3(_CDTLZ):
    """DTLZ3 with a wide infeasible band around its spherical front: nothing of norm between 4 and `radius`.

    The front is DTLZ3's, `sum f^2 = 1`.

    Source: Jain and Deb 2014, C1-DTLZ3, with radius 9 for M = 3, 12.5 for 5 and 8, 15 for 10 and 15. Values and front
    as in pymoo, which has 12.5 for M = 10 to 12, too.

    Args:
        num_objectives: M, at least 2.
        dim: Columns in [0, 1], at least M; None: `M + 9`, so that k = 10.
        noise: Standard deviation of the noise added to each objective.
        radius: The norm above which a point is feasible again, more than 4; None: 9 for M <= 4, 12.5 for M <= 9, or 15.
    """

    name = "c1-dtlz3"

    def __init__(
        self, num_objectives: int = 3, dim: int | None = None, noise: float = 0.0, radius: float | None = None
    ) -> None:
        super().__init__(num_objectives, dim, noise, k=10)
        m = self.num_objectives
        published = 9.0 if m <= 4 else 12.5 if m <= 9 else 15.0
        self.radius = published if radius is None else check_number("radius", radius, "a norm of objectives")
        if self.radius <= 4:
            raise ValueError(f"`radius` should be above 4, the norm at which the band begins. Found {self.radius}.")
        self.know_front(partial(sphere_front, self.num_objectives))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Evaluation:
        along, off = self.split(solutions)
        return self._evaluation((1 + rastrigin_g(off)) * sphere(0.5 * math.pi * along), generator)

    def _limits(self, objectives: Tensor) -> Tensor:
        square = (objectives**2).sum(dim=1, keepdim=True)
        return -(square - 16) * (square - self.radius**2)


class C2DTLZ2(_CDTLZ):
    """DTLZ2 of which only what lies near a corner or the middle of its spherical front is feasible.

    The front is that part of `sum f^2 = 1` which is within `radius` of a corner or of `(1, ..., 1) / sqrt(M)`: seen
    from the origin a ball around a point of the sphere is widest before the sphere, so that all behind is dominated.

    Source: Jain and Deb 2014, C2-DTLZ2, with radius 0.4 for M = 3 and 0.5 above. Values and front as in pymoo. BoTorch
    takes the radius squared off once per objective, so that its ball in the middle is larger, sqrt(M) times.

    Args:
        num_objectives: M, at least 2.
        dim: Columns in [0, 1], at least M; None: `M + 9`, so that k = 10.
        noise: Standard deviation of the noise added to each objective.
        radius: Of the feasible balls, in (0, 1]; None: 0.2 for M = 2 (as in pymoo), 0.4 for M = 3, or 0.5.
    """

    name = "c2-dtlz2"

    def __init__(
        self, num_objectives: int = 3, dim: int | None = None, noise: float = 0.0, radius: float | None = None
    ) -> None:
        super().__init__(num_objectives, dim, noise, k=10)
        published = {2: 0.2, 3: 0.4}.get(self.num_objectives, 0.5)
        self.radius = (
            published if radius is None else check_number("radius", radius, "of balls around points of norm 1")
        )
        if self.radius > 1:
            raise ValueError(f"`radius` should be at most 1. Found {self.radius}.")
        self.know_front(partial(_c2dtlz2_front, self.num_objectives, self.radius))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Evaluation:
        along, off = self.split(solutions)
        return self._evaluation((1 + square_g(off)) * sphere(0.5 * math.pi * along), generator)

    def _limits(self, objectives: Tensor) -> Tensor:
        return _c2dtlz2_limits(objectives, self.radius)


def _c2dtlz2_limits(objectives: Tensor, radius: float) -> Tensor:
    m = objectives.shape[1]
    middle = torch.full((1, m), 1 / math.sqrt(m), dtype=torch.float64)
    centres = torch.cat([torch.eye(m, dtype=torch.float64), middle])
    squares = (objectives[:, None, :] - centres).square().sum(dim=2)
    return squares.amin(dim=1, keepdim=True) - radius**2


def _c2dtlz2_front(num_objectives: int, radius: float) -> Tensor:
    """The lattice shrunk towards each corner and the middle as far as still covers the ball around it."""
    m = num_objectives
    reach = math.tan(2 * math.asin(radius / 2)) * math.sqrt(m - 1)  # in units of the simplex
    dense, corners = lattice(m, 2 * FRONT_POINTS // (m + 1)), torch.eye(m, dtype=torch.float64)
    parts = [(1 - reach / (1 + reach)) * corner + reach / (1 + reach) * dense for corner in corners]
    middle = (1 - min(reach, 1.0)) / m + min(reach, 1.0) * dense
    points = onto_sphere(torch.cat([*parts, middle, torch.full((1, m), 1 / m, dtype=torch.float64)]))
    feasible = (_c2dtlz2_limits(points, radius) <= ROUNDING).all(dim=1)
    distinct: Tensor = torch.unique(points[feasible], dim=0)
    return distinct


class C3DTLZ1(_CDTLZ):
    """DTLZ1 whose constraints, `f_j / 0.5 + sum of the others >= 1` for each j, make up the front.

    The front is `sum f + min f = 1`: the left side grows with every objective, so that all of it is on the front.

    Source: Jain and Deb 2014, C3-DTLZ1. Values as in pymoo, whose front is DTLZ1's, of which no point is
    feasible. Parameters: as C1DTLZ1.
    """

    name = "c3-dtlz1"

    def __init__(self, num_objectives: int = 3, dim: int | None = None, noise: float = 0.0) -> None:
        super().__init__(num_objectives, dim, noise, k=5, each=True)
        self.know_front(partial(_c3dtlz1_front, self.num_objectives))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Evaluation:
        along, off = self.split(solutions)
        return self._evaluation(0.5 * (1 + rastrigin_g(off)) * products(along, 1 - along), generator)

    def _limits(self, objectives: Tensor) -> Tensor:
        return 1 - objectives - objectives.sum(dim=1, keepdim=True)


def _c3dtlz1_front(num_objectives: int) -> Tensor:
    points = lattice(num_objectives)
    return points / (1 + points.amin(dim=1, keepdim=True))


class C3DTLZ4(_CDTLZ):
    """DTLZ4 whose constraints, `f_j^2 / 4 + sum of the others' squares >= 1` for each j, make up the front.

    The front is `sum f^2 - 3/4 max f^2 = 1`: the left side grows with every objective, so that all of it is on the
    front. Its corners lie at 2, which takes k >= 4 columns off the front.

    Source: Jain and Deb 2014, C3-DTLZ4. Values and front as in pymoo, whose default is 7 columns.

    Args:
        num_objectives: M, at least 2.
        dim: Columns in [0, 1], at least `M + 3`; None: `M + 9`, so that k = 10.
        noise: Standard deviation of the noise added to each objective.
        alpha: The power to which the columns along the front are raised, above 0.
    """

    name = "c3-dtlz4"

    def __init__(
        self, num_objectives: int = 3, dim: int | None = None, noise: float = 0.0, alpha: float = 100.0
    ) -> None:
        super().__init__(num_objectives, dim, noise, k=10, least_k=4, each=True)
        self.alpha = check_number("alpha", alpha, "a power")
        self.know_front(partial(_c3dtlz4_front, self.num_objectives))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Evaluation:
        along, off = self.split(solutions)
        return self._evaluation((1 + square_g(off)) * sphere(0.5 * math.pi * along**self.alpha), generator)

    def _limits(self, objectives: Tensor) -> Tensor:
        squares = objectives**2
        return 1 + 0.75 * squares - squares.sum(dim=1, keepdim=True)


def _c3dtlz4_front(num_objectives: int) -> Tensor:
    points = sphere_front(num_objectives)
    return points / (1 - 0.75 * points.amax(dim=1, keepdim=True) ** 2).sqrt()
