"""The DTLZ problems: any number M of objectives, all minimised, whose fronts are known exactly.

Source: Deb, Thiele, Laumanns and Zitzler 2005, "Scalable test problems for evolutionary multiobjective optimization",
in Evolutionary Multiobjective Optimization (Springer); the equations' numbers vary between its versions, the problems'
names do not (TIK report 112, 2001). The first M - 1 columns place a point along the front, the last k, through `g`, off
it. With `noise=` above 0, gaussian noise of that standard deviation is added to every objective; oracle, reference
front and reference point stay those of the noise-free problem.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from scipy.optimize import brentq
from torch import Tensor

from moo.checks import check_count, check_number
from moo.space import real
from moo.synthetic import (
    FRONT_POINTS,
    Synthetic,
    grid,
    plane_front,
    point_beyond,
    products,
    rastrigin_g,
    sobol,
    sphere,
    sphere_front,
    square_g,
)

ROOT_HALF = math.sqrt(0.5)


# --------------------------------------------------------------------------------------------------- shared parts
class _DTLZ(Synthetic):
    """What all seven share: the columns, and a reference point from the front's closed form."""

    def __init__(self, num_objectives: int, dim: int | None, noise: float, *, k: int) -> None:
        m = check_count("num_objectives", num_objectives, low=2)
        dim = m + k - 1 if dim is None else check_count("dim", dim)
        if dim < m:
            raise ValueError(
                f"`dim` should be at least num_objectives ({m}): {m - 1} columns along the front and one off it. "
                f"Found {dim}."
            )
        super().__init__(m, [real(0, 1)] * dim, noise)

    def _know_front(self, front: Callable[[], Tensor], nadir: list[float], last_ideal: float = 0.0) -> None:
        """Set the front and, from its nadir and its ideal point (0 but for the last entry), the reference point."""
        self.know_front(front)
        worst = torch.tensor(nadir, dtype=torch.float64)
        best = torch.zeros_like(worst)
        best[-1] = last_ideal
        self.reference_point = point_beyond(best, worst)


# --------------------------------------------------------------------------------------------------- the problems
class DTLZ1(_DTLZ):
    """A flat front, `sum f = 0.5`, behind 11^k - 1 local ones.

    Source: Deb, Thiele, Laumanns and Zitzler 2005, DTLZ1. Values and front as in pymoo, whose default `n_var` is 7
    for any M, where k = 5 is published.

    Args:
        num_objectives: M, at least 2.
        dim: Columns in [0, 1], at least M; None: `M + 4`, so that k = 5.
        noise: Standard deviation of the noise added to each objective.
    """

    name = "dtlz1"

    def __init__(self, num_objectives: int = 3, dim: int | None = None, noise: float = 0.0) -> None:
        super().__init__(num_objectives, dim, noise, k=5)
        self._know_front(partial(plane_front, self.num_objectives), [0.5] * self.num_objectives)

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        along, off = self.split(solutions)
        return self.noisy(0.5 * (1 + rastrigin_g(off)) * products(along, 1 - along), generator)


class DTLZ2(_DTLZ):
    """A spherical, concave front, `sum f^2 = 1`, without local ones.

    Source: Deb, Thiele, Laumanns and Zitzler 2005, DTLZ2. Values and front as in pymoo, whose default `n_var` is 10
    for any M, where k = 10 is published.

    Args:
        num_objectives: M, at least 2.
        dim: Columns in [0, 1], at least M; None: `M + 9`, so that k = 10.
        noise: Standard deviation of the noise added to each objective.
    """

    name = "dtlz2"

    def __init__(self, num_objectives: int = 3, dim: int | None = None, noise: float = 0.0) -> None:
        super().__init__(num_objectives, dim, noise, k=10)
        self._know_front(partial(sphere_front, self.num_objectives), [1.0] * self.num_objectives)

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        along, off = self.split(solutions)
        return self.noisy((1 + square_g(off)) * sphere(0.5 * math.pi * along), generator)


class DTLZ3(DTLZ2):
    """DTLZ2's spherical front behind the local ones of DTLZ1's `g`.

    Source: Deb, Thiele, Laumanns and Zitzler 2005, DTLZ3. Values and front as in pymoo (`n_var`: see DTLZ2).
    Parameters: as DTLZ2.
    """

    name = "dtlz3"

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        along, off = self.split(solutions)
        return self.noisy((1 + rastrigin_g(off)) * sphere(0.5 * math.pi * along), generator)


class DTLZ4(DTLZ2):
    """DTLZ2's spherical front with nearly all solutions bunched at its edges.

    Source: Deb, Thiele, Laumanns and Zitzler 2005, DTLZ4. Values and front as in pymoo (`n_var`: see DTLZ2).

    Args:
        num_objectives: M, at least 2.
        dim: Columns in [0, 1], at least M; None: `M + 9`, so that k = 10.
        noise: Standard deviation of the noise added to each objective.
        alpha: The power to which the columns along the front are raised, above 0; 1 is DTLZ2.
    """

    name = "dtlz4"

    def __init__(
        self, num_objectives: int = 3, dim: int | None = None, noise: float = 0.0, alpha: float = 100.0
    ) -> None:
        super().__init__(num_objectives, dim, noise)
        self.alpha = check_number("alpha", alpha, "a power", zero=False)

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        along, off = self.split(solutions)
        return self.noisy((1 + square_g(off)) * sphere(0.5 * math.pi * along**self.alpha), generator)


def _bent_sphere(along: Tensor, g: Tensor) -> Tensor:
    """DTLZ5 and DTLZ6: `theta_i = pi / (4 (1 + g)) (1 + 2 g x_i)` for i > 1, `theta_1 = x_1 pi / 2`.

    The source goes on to `cos(theta_i pi / 2)`, turning into an angle what is one already. Here, as in pymoo, `theta_i`
    is the angle, so that the curve bisects the first two objectives.
    """
    angles = torch.cat([0.5 * math.pi * along[:, :1], math.pi / (4 * (1 + g)) * (1 + 2 * g * along[:, 1:])], dim=1)
    return (1 + g) * sphere(angles)


def _curve_front(num_objectives: int) -> Tensor:
    """`_bent_sphere` at `g = 0` for M = 2 or 3, evenly by angle: an arc of the unit circle."""
    angles = torch.linspace(0, 0.5 * math.pi, FRONT_POINTS, dtype=torch.float64)
    near, far = angles.cos(), angles.sin()
    near[-1] = 0.0  # which cos(pi / 2) is but for rounding
    if num_objectives == 2:
        return torch.stack([near, far], dim=1)
    return torch.stack([ROOT_HALF * near, ROOT_HALF * near, far], dim=1)


class DTLZ5(_DTLZ):
    """A front that is a curve: an arc of the unit circle, for M = 3 between the first two objectives.

    For M = 3 each point with g > 0 is dominated by one of the curve: as `y -> sin(y) / y` falls,
    `(1 + g) sin(pi / (4 (1 + g))) >= sqrt(1/2)`, so that `2 min(f1, f2)^2 + f3^2 >= 1`. For M >= 4 there is no such
    bound and the front is *not* the curve (Huband, Hingston, Barone and While 2006, IEEE TEVC 10(5)); it is not
    known in closed form, so that `oracle`, `reference_front` and `reference_point` are None there.

    Source: Deb, Thiele, Laumanns and Zitzler 2005, DTLZ5. Values as in pymoo (`n_var`: see DTLZ2), which gives out the
    curve as the front for any M.

    Args:
        num_objectives: M, at least 2.
        dim: Columns in [0, 1], at least M; None: `M + 9`, so that k = 10.
        noise: Standard deviation of the noise added to each objective.
    """

    name = "dtlz5"

    def __init__(self, num_objectives: int = 3, dim: int | None = None, noise: float = 0.0) -> None:
        super().__init__(num_objectives, dim, noise, k=10)
        if self.num_objectives <= 3:
            nadir = [1.0, 1.0] if self.num_objectives == 2 else [ROOT_HALF, ROOT_HALF, 1.0]
            self._know_front(partial(_curve_front, self.num_objectives), nadir)

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        along, off = self.split(solutions)
        return self.noisy(_bent_sphere(along, square_g(off)), generator)


class DTLZ6(DTLZ5):
    """DTLZ5's curve, hard to reach: `g = sum x^0.1` is steep at the optimum and flat elsewhere.

    Source: Deb, Thiele, Laumanns and Zitzler 2005, DTLZ6. Values as in pymoo (`n_var`: see DTLZ2). Parameters and what
    is known of the front: as DTLZ5.
    """

    name = "dtlz6"

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        along, off = self.split(solutions)
        return self.noisy(_bent_sphere(along, (off**0.1).sum(dim=1, keepdim=True)), generator)


class DTLZ7(_DTLZ):
    """A front of 2^(M - 1) separate pieces: two intervals of each objective but the last.

    Source: Deb, Thiele, Laumanns and Zitzler 2005, DTLZ7. Values as in pymoo, whose default `n_var` is 10 for any M,
    where k = 20 is published, and whose front for M other than 3 holds dominated points.

    Args:
        num_objectives: M, at least 2.
        dim: Columns in [0, 1], at least M; None: `M + 19`, so that k = 20.
        noise: Standard deviation of the noise added to each objective.
    """

    name = "dtlz7"

    def __init__(self, num_objectives: int = 3, dim: int | None = None, noise: float = 0.0) -> None:
        super().__init__(num_objectives, dim, noise, k=20)
        m, highest = self.num_objectives, dtlz7_pieces()[-1][1]
        nadir = [highest] * (m - 1) + [2.0 * m]
        self._know_front(partial(_dtlz7_front, m), nadir, 2 * m - (m - 1) * _dtlz7_gain(highest))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        along, off = self.split(solutions)
        g = 1 + 9 * off.mean(dim=1, keepdim=True)
        # f_M = (1 + g) h with h = M - sum f_i / (1 + g) (1 + sin(3 pi f_i))
        gains = along / (1 + g) * (1 + (3 * math.pi * along).sin())
        h = self.num_objectives - gains.sum(dim=1, keepdim=True)
        return self.noisy(torch.cat([along, (1 + g) * h], dim=1), generator)


def _dtlz7_gain(f: float) -> float:
    """`s(f) = f (1 + sin(3 pi f))`, what an objective takes off the last one."""
    return f * (1 + math.sin(3 * math.pi * f))


def _dtlz7_slope(f: float) -> float:
    """The derivative of `_dtlz7_gain`."""
    angle = 3 * math.pi * f
    return 1 + math.sin(angle) + angle * math.cos(angle)


def dtlz7_pieces() -> tuple[tuple[float, float], tuple[float, float]]:
    """The two intervals of each objective but the last on DTLZ7's front: the first closed, the second without its low.

    At the least g, which is best, `f_M = 2 M - sum s(f_i)`. Where every `f_i` is a strict running maximum of `s` (above
    `s` at all smaller f), any other point with no larger `f_i` has a larger `f_M`, so that nothing dominates it; where
    some `f_i` is none, the smaller f that reaches `s(f_i)`, put in its place, dominates. Hence the front is the product
    of M - 1 times the set of strict running maxima: up to the first local maximum of `s`, and from where `s` passes
    that up to the second.
    """
    first, second = brentq(_dtlz7_slope, 1 / 6, 1 / 3, xtol=1e-15), brentq(_dtlz7_slope, 5 / 6, 1, xtol=1e-15)
    passes = brentq(lambda f: _dtlz7_gain(f) - _dtlz7_gain(first), 0.5, second, xtol=1e-15)
    return (0.0, first), (passes, second)


def _dtlz7_front(num_objectives: int) -> Tensor:
    """About 1000 points of the product: a grid for M <= 4, beyond that the first of Sobol's sequence."""
    others = num_objectives - 1
    if others <= 3:
        steps = torch.linspace(0, 1, round(1000 ** (1 / others)), dtype=torch.float64)
        places = grid(steps, others)
    else:
        places = sobol(others)
    (low, first), (passes, second) = dtlz7_pieces()
    places = places * (first - low + second - passes)
    f = torch.where(places <= first, places, passes + (places - first))  # the gap between the pieces left out
    last = 2 * num_objectives - (f * (1 + (3 * math.pi * f).sin())).sum(dim=1, keepdim=True)
    return torch.cat([f, last], dim=1)
