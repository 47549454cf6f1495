"""Linear limits on the columns of a space: which rows may be proposed at all."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.optimize import LinearConstraint, linprog, minimize
from torch import Tensor
from torch.quasirandom import SobolEngine

from moo.bayes.climbing import one_blas_thread
from moo.bayes.columns import Columns
from moo.bayes.worth import Worth
from moo.checks import check_matrix

MOST = 65_536  # Sobol points among which allowed ones are looked for, before points between corners are taken
ROUNDING = 1e-13  # below this a step does not come nearer to a limit
SLACK = 1e-12  # of the largest value that a limit's left side can have: rounding
CORNERS = 8  # directions per column in which corners of what is allowed are looked for
BLOCK = 64  # points between them that are drawn at a time
TRIES = 300  # such blocks that may bring nothing


class Limits:
    """Rows x with `a_1 x_1 + ... + a_d x_d <= b`, for several such limits at once.

    Args:
        columns: Of the space.
        limits: Rows `a_1, ..., a_d, b`, `[k, d + 1]`, in the space's units.

    Raises:
        ValueError: The shape is wrong, a number is not finite, a categorical column is limited, or nothing is allowed.
    """

    def __init__(self, columns: Columns, limits: Any) -> None:
        space = columns.space
        given = check_matrix("limits", limits, columns=space.dim + 1)
        if not torch.isfinite(given).all():
            raise ValueError("`limits` should hold finite numbers. Some are not.")
        for j, column in enumerate(space.columns):
            if column.kind == "categorical" and bool((given[:, j] != 0).any()):
                raise ValueError(f"`limits` should leave categorical columns alone. {space.names[j]!r} has a number.")
        self.columns = columns
        self.left, self.right = given[:, :-1], given[:, -1]
        span = columns.unit_span
        self._scaled = (self.left * span).numpy()  # the same on the unit cube
        self._bound = (self.right - self.left @ space.lower).numpy()
        if self._corner(np.zeros(space.dim)) is None:
            raise ValueError("`limits` allow no row of the space: no point within the bounds fulfils all of them.")

    def _corner(self, direction: np.ndarray) -> np.ndarray | None:
        """The point `[d]` of the unit cube, among what is allowed, farthest against a direction; None where none is."""
        best = linprog(direction, A_ub=self._scaled, b_ub=self._bound, bounds=(0, 1))
        return np.asarray(best.x) if best.success else None

    @cached_property
    def _corners(self) -> Tensor:
        """Corners `[k, d]` of what is allowed, in directions drawn evenly."""
        drawn = np.random.default_rng(0).standard_normal((CORNERS * self._scaled.shape[1], self._scaled.shape[1]))
        found = [corner for direction in drawn if (corner := self._corner(direction)) is not None]
        corners: Tensor = torch.unique(torch.as_tensor(np.stack(found)), dim=0)
        return corners

    def allowed(self, unit: Tensor) -> Tensor:
        """Which rows `[n, d]` of the unit cube are allowed once they are canonical, bool `[n]`."""
        if not len(unit):
            return torch.zeros(0, dtype=torch.bool, device=unit.device)
        rows = self.columns.rows(unit)
        size = (self.left.abs() * rows.abs().amax(dim=0)).sum(dim=1) + self.right.abs()
        return (rows @ self.left.T <= self.right + SLACK * size).all(dim=1).to(unit.device)

    def evenly(self, count: int, seed: int) -> Tensor:
        """The first `count` allowed ones of a Sobol sequence, `[count, d]`; between corners where they are rare."""
        dim = self.columns.space.dim
        engine: Any = SobolEngine(dim, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
        found = torch.empty(0, dim, dtype=torch.float64)
        block = 1024
        while len(found) < count and block <= MOST:
            points = self.columns.snapped(engine.draw(block, dtype=torch.float64).to(self.columns.device)).cpu()
            found = torch.cat([found, points[self.allowed(points)]])
            block *= 2
        if len(found) < count:
            found = torch.cat([found, self._between(count - len(found), seed)])
        return found[:count]

    def _between(self, count: int, seed: int) -> Tensor:
        """Points `[count, d]` between corners, which are allowed because these are: spread, if not evenly.

        Raises:
            RuntimeError: Too few stay allowed once whole columns are whole.
        """
        stream, corners = torch.Generator().manual_seed(seed), self._corners
        found = corners[:0]
        for _ in range(TRIES + count):
            chosen = torch.randint(len(corners), (BLOCK, self.columns.space.dim + 1), generator=stream)
            weights = -torch.rand(chosen.shape, generator=stream, dtype=torch.float64).log()
            points = ((weights / weights.sum(dim=1, keepdim=True))[..., None] * corners[chosen]).sum(dim=1)
            points = self.columns.snapped(points.clamp(0, 1).to(self.columns.device)).cpu()
            found = torch.cat([found, points[self.allowed(points)]])
            if len(found) >= count:
                return found[:count]
        raise RuntimeError("The limits leave hardly a row of whole numbers: too few were found to begin with.")

    def maximise(self, worth: Worth, starts: Tensor, free: list[int], *, iterations: int) -> tuple[Tensor, Tensor]:
        """Local maxima within the limits, one from each allowed start, by sequential quadratic programming.

        Args and Returns as of `moo.bayes.maximise.maximise`.
        """
        ends = [self._climb(worth, start, free, iterations) for start in starts]
        rows = torch.stack(ends)
        with torch.no_grad():
            values = torch.nan_to_num(worth(rows), nan=-torch.inf)
        order = values.argsort(descending=True, stable=True)
        return rows[order], values[order]

    def _climb(self, worth: Worth, start: Tensor, free: list[int], iterations: int) -> Tensor:
        fixed = [j for j in range(len(start)) if j not in free]
        room = self._bound - self._scaled[:, fixed] @ start[fixed].cpu().numpy()
        where = torch.tensor(free, device=start.device)

        def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
            point = torch.from_numpy(flat).to(start).requires_grad_(True)
            value = worth(start.index_copy(0, where, point)[None]).sum()
            (gradient,) = torch.autograd.grad(value, point)
            return -float(value.detach()), -gradient.cpu().numpy()

        begun = start[free].cpu().numpy()
        with one_blas_thread():
            ended = minimize(
                cost,
                begun,
                jac=True,
                method="SLSQP",
                bounds=[(0.0, 1.0)] * len(free),
                constraints=[LinearConstraint(self._scaled[:, free], -np.inf, room)] if len(room) else [],
                options={"maxiter": iterations, "ftol": 1e-9},
            ).x
        if not np.isfinite(ended).all():
            return start
        step = np.clip(ended, 0, 1) - begun
        ahead, left = self._scaled[:, free] @ step, room - self._scaled[:, free] @ begun
        limited = ahead > np.maximum(left, ROUNDING)
        share = min([1.0, *(np.maximum(left[limited], 0.0) / ahead[limited])])
        return start.index_copy(0, where, torch.from_numpy(begun + share * step).to(start))
