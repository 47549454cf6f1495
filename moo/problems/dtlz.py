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
from functools import cached_property, partial

import torch
from scipy.optimize import brentq
from torch import Tensor

from moo.base import Oracle, VectorProblem
from moo.checks import check_count, check_matrix, check_number
from moo.noise import add_noise, check_noise
from moo.preferences import das_dennis
from moo.space import Space, real

FRONT_POINTS = 1001  # at most, on a lattice; about, elsewhere
ROOT_HALF = math.sqrt(0.5)


# --------------------------------------------------------------------------------------------------- shared parts
class _DTLZ(VectorProblem):
    """What all seven share: the columns, noise, and a front that is computed when it is first asked for."""

    def __init__(self, num_objectives: int, dim: int | None, noise: float, *, k: int) -> None:
        m = self.num_objectives = check_count("num_objectives", num_objectives, low=2)
        dim = m + k - 1 if dim is None else check_count("dim", dim)
        if dim < m:
            raise ValueError(
                f"`dim` should be at least num_objectives ({m}): {m - 1} columns along the front and one off it. "
                f"Found {dim}."
            )
        self.space = Space(tuple(real(0, 1) for _ in range(dim)))
        self.directions = ("min",) * m
        self.objective_names = tuple(f"f{i + 1}" for i in range(m))
        self.noise = check_noise(noise)
        self.stochastic = self.noise > 0
        self._front: Callable[[], Tensor] | None = None

    def _know_front(self, front: Callable[[], Tensor], nadir: list[float], last_ideal: float = 0.0) -> None:
        """Set the front and, from its nadir and its ideal point (0 but for the last entry), the reference point."""
        worst = torch.tensor(nadir, dtype=torch.float64)
        best = torch.zeros_like(worst)
        best[-1] = last_ideal
        self.reference_point = worst + 0.1 * (worst - best)
        self._front = front

    @cached_property
    def oracle(self) -> Oracle | None:  # type: ignore[override]
        """The exact front where it is known."""
        return None if self._front is None else Oracle(self._front())

    @cached_property
    def reference_front(self) -> Tensor | None:  # type: ignore[override]
        """The exact front where it is known."""
        return None if self.oracle is None else self.oracle.front

    def _split(self, solutions: Tensor) -> tuple[Tensor, Tensor]:
        """The columns along the front `[n, M - 1]` and those off it `[n, k]`."""
        rows = check_matrix("solutions", solutions, columns=self.space.dim)
        return rows[:, : self.num_objectives - 1], rows[:, self.num_objectives - 1 :]

    def _noisy(self, objectives: Tensor, generator: torch.Generator | None) -> Tensor:
        return add_noise(objectives, self.noise, generator, self.name)


def _products(factors: Tensor, turns: Tensor) -> Tensor:
    """`f_1 = a_1 ... a_(M-1)`, `f_2 = a_1 ... a_(M-2) b_(M-1)`, ..., `f_M = b_1` of `a, b [n, M - 1]`: `[n, M]`."""
    one = torch.ones(len(factors), 1, dtype=torch.float64)
    return (torch.cat([one, factors.cumprod(dim=1)], dim=1) * torch.cat([turns, one], dim=1)).flip(1)


def _sphere(angles: Tensor) -> Tensor:
    """The point of the unit sphere `[n, M]` at angles `[n, M - 1]`."""
    return _products(angles.cos(), angles.sin())


def _rastrigin_g(off: Tensor) -> Tensor:
    """`g = 100 (k + sum (x - 0.5)^2 - cos(20 pi (x - 0.5)))`, of DTLZ1 and DTLZ3: 11^k local minima."""
    shifted = off - 0.5
    return 100 * (off.shape[1] + (shifted**2 - (20 * math.pi * shifted).cos()).sum(dim=1))


def _square_g(off: Tensor) -> Tensor:
    """`g = sum (x - 0.5)^2`, of DTLZ2, DTLZ4 and DTLZ5."""
    return ((off - 0.5) ** 2).sum(dim=1)


def _lattice(num_objectives: int) -> Tensor:
    """Even points `[n, M]` of the simplex, about 1000 up to M = 10; a lattice without inner points gets an inner copy.

    Source of the inner copy: Deb and Jain 2014 (NSGA-III), IEEE TEVC 18(4).
    """
    m, divisions = num_objectives, 1
    while math.comb(divisions + m, m - 1) <= FRONT_POINTS:
        divisions += 1
    points = das_dennis(m, divisions)
    return points if divisions >= m else torch.cat([points, (points + 1 / m) / 2])


def _plane_front(num_objectives: int) -> Tensor:
    """`sum f = 0.5`."""
    return 0.5 * _lattice(num_objectives)


def _sphere_front(num_objectives: int) -> Tensor:
    """`sum f^2 = 1`: the directions of a lattice."""
    points = _lattice(num_objectives)
    return points / (points**2).sum(dim=1, keepdim=True).sqrt()


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
        self._know_front(partial(_plane_front, self.num_objectives), [0.5] * self.num_objectives)

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        along, off = self._split(solutions)
        return self._noisy(0.5 * (1 + _rastrigin_g(off))[:, None] * _products(along, 1 - along), generator)


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
        self._know_front(partial(_sphere_front, self.num_objectives), [1.0] * self.num_objectives)

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        along, off = self._split(solutions)
        return self._noisy((1 + _square_g(off))[:, None] * _sphere(0.5 * math.pi * along), generator)


class DTLZ3(DTLZ2):
    """DTLZ2's spherical front behind the local ones of DTLZ1's `g`.

    Source: Deb, Thiele, Laumanns and Zitzler 2005, DTLZ3. Values and front as in pymoo (`n_var`: see DTLZ2).
    Parameters: as DTLZ2.
    """

    name = "dtlz3"

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        along, off = self._split(solutions)
        return self._noisy((1 + _rastrigin_g(off))[:, None] * _sphere(0.5 * math.pi * along), generator)


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
        along, off = self._split(solutions)
        return self._noisy((1 + _square_g(off))[:, None] * _sphere(0.5 * math.pi * along**self.alpha), generator)


def _bent_sphere(along: Tensor, g: Tensor) -> Tensor:
    """DTLZ5 and DTLZ6: `theta_i = pi / (4 (1 + g)) (1 + 2 g x_i)` for i > 1, `theta_1 = x_1 pi / 2`.

    The source goes on to `cos(theta_i pi / 2)`, turning into an angle what is one already. Here, as in pymoo, `theta_i`
    is the angle, so that the curve bisects the first two objectives.
    """
    g = g[:, None]
    angles = torch.cat([0.5 * math.pi * along[:, :1], math.pi / (4 * (1 + g)) * (1 + 2 * g * along[:, 1:])], dim=1)
    return (1 + g) * _sphere(angles)


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
        along, off = self._split(solutions)
        return self._noisy(_bent_sphere(along, _square_g(off)), generator)


class DTLZ6(DTLZ5):
    """DTLZ5's curve, hard to reach: `g = sum x^0.1` is steep at the optimum and flat elsewhere.

    Source: Deb, Thiele, Laumanns and Zitzler 2005, DTLZ6. Values as in pymoo (`n_var`: see DTLZ2). Parameters and what
    is known of the front: as DTLZ5.
    """

    name = "dtlz6"

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        along, off = self._split(solutions)
        return self._noisy(_bent_sphere(along, (off**0.1).sum(dim=1)), generator)


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
        along, off = self._split(solutions)
        g = 1 + 9 * off.mean(dim=1)
        # f_M = (1 + g) h with h = M - sum f_i / (1 + g) (1 + sin(3 pi f_i))
        h = self.num_objectives - (along / (1 + g)[:, None] * (1 + (3 * math.pi * along).sin())).sum(dim=1)
        return self._noisy(torch.cat([along, ((1 + g) * h)[:, None]], dim=1), generator)


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
        places = torch.cartesian_prod(*[steps] * others).reshape(-1, others)
    else:
        sobol = torch.quasirandom.SobolEngine(others, scramble=False)  # type: ignore[no-untyped-call]
        places = sobol.draw(1024, dtype=torch.float64)
    (low, first), (passes, second) = dtlz7_pieces()
    places = places * (first - low + second - passes)
    f = torch.where(places <= first, places, passes + (places - first))  # the gap between the pieces left out
    last = 2 * num_objectives - (f * (1 + (3 * math.pi * f).sin())).sum(dim=1, keepdim=True)
    return torch.cat([f, last], dim=1)
