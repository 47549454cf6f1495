"""The ZDT problems: two objectives, both minimised, `f2 = g h(f1, g)`, and a front that is known exactly.

Source: Zitzler, Deb and Thiele 2000, "Comparison of multiobjective evolutionary algorithms: empirical results",
Evolutionary Computation 8(2), whose test functions T1 to T6 these are. Wherever it is best, `g` is at its minimum: in
each of them `f2` grows with `g` at a fixed `f1`. With `noise=` above 0, gaussian noise of that standard deviation is
added to both objectives; oracle, reference front and reference point stay those of the noise-free problem.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor

from moo.checks import check_count
from moo.space import Column, integer, real
from moo.synthetic import FRONT_POINTS, Synthetic, chords, point_beyond


# --------------------------------------------------------------------------------------------------- shared parts
def _evenly(curve: Callable[[Tensor], Tensor], low: float, high: float, n: int) -> Tensor:
    """`n` points `curve(t)`, `[n, m]`, from `t = low` to `t = high`, at even distances along the curve.

    Only the places `t` are approximate (chords of a dense grid): each point is the curve's own, exactly.
    """
    dense = torch.linspace(low, high, 20 * n, dtype=torch.float64)
    along = np.concatenate([[0.0], chords(curve(dense)).cumsum(dim=0).numpy()])
    places = np.interp(np.linspace(0, along[-1], n), along, dense.numpy())
    return curve(torch.from_numpy(places))


class _ZDT(Synthetic):
    """What all six share: two objectives, and a reference point from the front's closed form."""

    def __init__(
        self,
        columns: Sequence[Column],
        noise: float,
        *,
        front: Callable[[], Tensor],
        ideal: Sequence[float],
        nadir: Sequence[float],
    ) -> None:
        super().__init__(2, columns, noise)
        self.know_front(front)
        best, worst = torch.tensor(ideal, dtype=torch.float64), torch.tensor(nadir, dtype=torch.float64)
        self.reference_point = point_beyond(best, worst)

    def _objectives(self, f1: Tensor, f2: Tensor, generator: torch.Generator | None) -> Tensor:
        """Both columns side by side `[n, 2]`, with noise where the problem has any."""
        return self.noisy(torch.stack([f1, f2], dim=1), generator)


def _unit_columns(dim: int) -> list[Column]:
    """`dim` real columns in [0, 1], at least two: f1 takes the first and g the others."""
    return [real(0, 1) for _ in range(check_count("dim", dim, low=2))]


def _linear_g(rows: Tensor) -> Tensor:
    """`g = 1 + 9 mean(x2, ..., xn)` of rows `[n, d]`: from 1, on the front, to 10."""
    return 1 + 9 * rows[:, 1:].mean(dim=1)


# --------------------------------------------------------------------------------------------------- the problems
class ZDT1(_ZDT):
    """A convex front, `f2 = 1 - sqrt(f1)`: the plain case.

    Source: Zitzler, Deb and Thiele 2000, equation T1. Values and front as in pymoo; `oracle.front` is taken evenly
    along the curve, where pymoo's is even in f1.

    Args:
        dim: Real columns in [0, 1], at least 2.
        noise: Standard deviation of the noise added to each objective.
    """

    name = "zdt1"

    def __init__(self, dim: int = 30, noise: float = 0.0) -> None:
        super().__init__(_unit_columns(dim), noise, front=_convex_front, ideal=(0, 0), nadir=(1, 1))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        rows = self.rows(solutions)
        f1, g = rows[:, 0], _linear_g(rows)
        return self._objectives(f1, g * (1 - (f1 / g).sqrt()), generator)


def _convex_front() -> Tensor:
    """`f2 = 1 - sqrt(f1)`, in terms of `t = sqrt(f1)`, which has no steep end, as f1 has at 0."""
    return _evenly(lambda t: torch.stack([t**2, 1 - t], dim=1), 0, 1, FRONT_POINTS)


class ZDT2(_ZDT):
    """A concave front, `f2 = 1 - f1^2`: no linear scalarisation reaches its inside.

    Source: Zitzler, Deb and Thiele 2000, equation T2. Values and front as in pymoo.

    Args:
        dim: Real columns in [0, 1], at least 2.
        noise: Standard deviation of the noise added to each objective.
    """

    name = "zdt2"

    def __init__(self, dim: int = 30, noise: float = 0.0) -> None:
        super().__init__(_unit_columns(dim), noise, front=_concave_front, ideal=(0, 0), nadir=(1, 1))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        rows = self.rows(solutions)
        f1, g = rows[:, 0], _linear_g(rows)
        return self._objectives(f1, g * (1 - (f1 / g) ** 2), generator)


def _concave_front(low: float = 0.0) -> Tensor:
    """`f2 = 1 - f1^2` for `f1` from `low` to 1: the front of ZDT2 and ZDT6."""
    return _evenly(lambda f1: torch.stack([f1, 1 - f1**2], dim=1), low, 1, FRONT_POINTS)


class ZDT3(_ZDT):
    """A front of five separate convex pieces of `f2 = 1 - sqrt(f1) - f1 sin(10 pi f1)`.

    Source: Zitzler, Deb and Thiele 2000, equation T3. Values as in pymoo. The ends of the pieces are found here to
    machine precision; pymoo has them to ten digits, one of which it dropped: its second piece begins 5e-8 too late.

    Args:
        dim: Real columns in [0, 1], at least 2.
        noise: Standard deviation of the noise added to each objective.
    """

    name = "zdt3"

    def __init__(self, dim: int = 30, noise: float = 0.0) -> None:
        right = zdt3_pieces()[-1][1]
        ideal, nadir = (0, _zdt3_f2(right)), (right, 1)
        super().__init__(_unit_columns(dim), noise, front=_zdt3_front, ideal=ideal, nadir=nadir)

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        rows = self.rows(solutions)
        f1, g = rows[:, 0], _linear_g(rows)
        ratio = f1 / g
        return self._objectives(f1, g * (1 - ratio.sqrt() - ratio * (10 * math.pi * f1).sin()), generator)


def _zdt3_f2(f1: float) -> float:
    """`f2` over `f1` at `g = 1`."""
    return 1 - math.sqrt(f1) - f1 * math.sin(10 * math.pi * f1)


def _zdt3_slope(f1: float) -> float:
    """The derivative of `_zdt3_f2`."""
    angle = 10 * math.pi * f1
    return -0.5 / math.sqrt(f1) - math.sin(angle) - angle * math.cos(angle)


def zdt3_pieces() -> list[tuple[float, float]]:
    """The intervals of `f1` that make up ZDT3's front, `(low, high)`: the first closed, the others without `low`.

    A point of the curve is on the front where `f2` lies below all that came before. So each piece ends at a local
    minimum of `f2`, just before `sin(10 pi f1)` falls from 1 to 0, and begins where `f2` passes the last minimum.
    """
    ends = [brentq(_zdt3_slope, 0.05 + 0.2 * i, 0.1 + 0.2 * i, xtol=1e-15) for i in range(5)]
    starts = [
        brentq(lambda f1, before=before: _zdt3_f2(f1) - _zdt3_f2(before), 0.15 + 0.2 * i, end, xtol=1e-15)
        for i, (before, end) in enumerate(pairwise(ends))
    ]
    return list(zip([0.0, *starts], ends, strict=True))


def _zdt3_front() -> Tensor:
    """The five pieces, evenly along all of them together, in terms of `t = sqrt(f1)`."""

    def curve(t: Tensor) -> Tensor:
        f1 = t**2
        return torch.stack([f1, 1 - t - f1 * (10 * math.pi * f1).sin()], dim=1)

    pieces = [(math.sqrt(low), math.sqrt(high)) for low, high in zdt3_pieces()]
    lengths = [float(chords(curve(torch.linspace(*piece, 2000, dtype=torch.float64))).sum()) for piece in pieces]
    points = []
    for i, (piece, length) in enumerate(zip(pieces, lengths, strict=True)):
        # A later piece's left end is only as low as the end of the piece before, which dominates it: leave it out.
        points.append(_evenly(curve, *piece, round(FRONT_POINTS * length / sum(lengths)) + 1)[min(i, 1) :])
    return torch.cat(points)


class ZDT4(_ZDT):
    """ZDT1's convex front behind many local ones: `g`, Rastrigin's function, has 21^(dim - 1) local minima.

    Source: Zitzler, Deb and Thiele 2000, equation T4. Values and front as in pymoo.

    Args:
        dim: Real columns, at least 2: the first in [0, 1], the others in [-5, 5].
        noise: Standard deviation of the noise added to each objective.
    """

    name = "zdt4"

    def __init__(self, dim: int = 10, noise: float = 0.0) -> None:
        others = check_count("dim", dim, low=2) - 1
        columns = [real(0, 1)] + [real(-5, 5) for _ in range(others)]
        super().__init__(columns, noise, front=_convex_front, ideal=(0, 0), nadir=(1, 1))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        rows = self.rows(solutions)
        f1, others = rows[:, 0], rows[:, 1:]
        g = 1 + 10 * others.shape[1] + (others**2 - 10 * (4 * math.pi * others).cos()).sum(dim=1)
        return self._objectives(f1, g * (1 - (f1 / g).sqrt()), generator)


class ZDT5(_ZDT):
    """A front of 31 points, `f2 = (groups - 1) / f1` for `f1 = 1, ..., 31`, over groups of deceptive bits.

    Each five-bit group is best where all its bits are 1 and, but for that, better the fewer there are.

    Source: Zitzler, Deb and Thiele 2000, equation T5. The objectives are as published; pymoo normalises both to [0, 1]
    unless told otherwise. Its `pareto_front` takes the hyperbola at any f1, whole or not; only these points exist.

    Args:
        groups: The first of 30 bits, the others of 5, at least 2: `30 + 5 (groups - 1)` columns of 0 or 1.
        noise: Standard deviation of the noise added to each objective.
    """

    name = "zdt5"

    def __init__(self, groups: int = 11, noise: float = 0.0) -> None:
        self.groups = check_count("groups", groups, low=2)
        columns = [integer(0, 1) for _ in range(30 + 5 * (self.groups - 1))]
        best = self.groups - 1
        super().__init__(columns, noise, front=partial(_zdt5_front, best), ideal=(1, best / 31), nadir=(31, best))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        rows = self.rows(solutions)
        f1 = 1 + rows[:, :30].sum(dim=1)
        ones = rows[:, 30:].reshape(len(rows), self.groups - 1, 5).sum(dim=2)
        g = torch.where(ones == 5, 1.0, 2 + ones).sum(dim=1)
        return self._objectives(f1, g / f1, generator)


def _zdt5_front(best: int) -> Tensor:
    """`f2 = best / f1` for the 31 numbers of ones in the first group; `best` is the least `g`, 1 for each other."""
    f1 = torch.arange(1, 32, dtype=torch.float64)
    return torch.stack([f1, best / f1], dim=1)


class ZDT6(_ZDT):
    """ZDT2's concave front from f1 = 0.2807753 on, with few solutions near it and these bunched at large f1.

    Source: Zitzler, Deb and Thiele 2000, equation T6. Values and front as in pymoo.

    Args:
        dim: Real columns in [0, 1], at least 2.
        noise: Standard deviation of the noise added to each objective.
    """

    name = "zdt6"

    def __init__(self, dim: int = 10, noise: float = 0.0) -> None:
        low = zdt6_lowest_f1()
        front = partial(_concave_front, low)
        super().__init__(_unit_columns(dim), noise, front=front, ideal=(low, 0), nadir=(1, 1 - low**2))

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        rows = self.rows(solutions)
        x1 = rows[:, 0]
        f1 = 1 - (-4 * x1).exp() * (6 * math.pi * x1).sin() ** 6
        g = 1 + 9 * rows[:, 1:].mean(dim=1) ** 0.25
        return self._objectives(f1, g * (1 - (f1 / g) ** 2), generator)


def zdt6_lowest_f1() -> float:
    """The least `f1` of ZDT6, 0.28077532: `tan(6 pi x1) = 9 pi`, on the first and highest of the six peaks."""
    x1 = math.atan(9 * math.pi) / (6 * math.pi)
    return 1 - math.exp(-4 * x1) * math.sin(6 * math.pi * x1) ** 6
