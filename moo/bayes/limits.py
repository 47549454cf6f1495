"""Linear limits on the columns of a space: which rows may be proposed at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from botorch.utils.sampling import HitAndRunPolytopeSampler
from scipy.optimize import LinearConstraint, linprog, minimize
from torch import Tensor
from torch.quasirandom import SobolEngine

from moo.bayes.climbing import one_blas_thread
from moo.bayes.columns import Columns
from moo.bayes.worth import Worth
from moo.checks import check_matrix

MOST = 65_536  # Sobol points among which allowed ones are looked for, before a random walk finds them
SLACK = 1e-12  # of the largest value that a limit's left side can have: rounding
BURN_IN = 200  # steps of the random walk before its first point


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
        inner = linprog(np.zeros(space.dim), A_ub=self._scaled, b_ub=self._bound, bounds=(0, 1))
        if not inner.success:
            raise ValueError("`limits` allow no row of the space: no point within the bounds fulfils all of them.")

    def allowed(self, unit: Tensor) -> Tensor:
        """Which rows `[n, d]` of the unit cube are allowed once they are canonical, bool `[n]`."""
        rows = self.columns.rows(unit)
        size = (self.left.abs() * rows.abs().amax(dim=0)).sum(dim=1) + self.right.abs()
        return (rows @ self.left.T <= self.right + SLACK * size).all(dim=1).to(unit.device)

    def evenly(self, count: int, seed: int) -> Tensor:
        """The first `count` allowed ones of a Sobol sequence, `[count, d]`; of a random walk where they are rare."""
        dim = self.columns.space.dim
        engine: Any = SobolEngine(dim, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
        found = torch.empty(0, dim, dtype=torch.float64)
        block = 1024
        while len(found) < count and block <= MOST:
            points = self.columns.snapped(engine.draw(block, dtype=torch.float64).to(self.columns.device)).cpu()
            found = torch.cat([found, points[self.allowed(points)]])
            block *= 2
        if len(found) < count:
            found = torch.cat([found, self._walk(count - len(found), seed)])
        return found[:count]

    def _walk(self, count: int, seed: int) -> Tensor:
        """Points `[count, d]` of a random walk among what is allowed.

        Raises:
            RuntimeError: Too few of its points stay allowed once whole columns are whole.
        """
        dim = self.columns.space.dim
        walk = HitAndRunPolytopeSampler(
            inequality_constraints=(torch.as_tensor(self._scaled), torch.as_tensor(self._bound)[:, None]),
            bounds=torch.tensor([[0.0] * dim, [1.0] * dim], dtype=torch.float64),
            n_burnin=BURN_IN,
            n_thinning=dim,
            seed=seed % 2**31,
        )
        points = torch.cat([walk.draw(8 * count) for _ in range(4)])
        points = self.columns.snapped(points.to(self.columns.device)).cpu()
        points = points[self.allowed(points)]
        if len(points) < count:
            raise RuntimeError("The limits leave hardly a row of whole numbers: too few were found to begin with.")
        return points[:count]

    def maximise(self, worth: Worth, starts: Tensor, free: list[int], *, iterations: int) -> tuple[Tensor, Tensor]:
        """Local maxima within the limits, one from each allowed start, by sequential quadratic programming.

        Args and Returns as of `moo.bayes.maximise.maximise`.
        """
        ends = [self._climb(worth, start, free, iterations) for start in starts]
        rows = torch.stack(ends)
        with torch.no_grad():
            values = worth(rows)
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
                constraints=LinearConstraint(self._scaled[:, free], -np.inf, room),
                options={"maxiter": iterations},
            ).x
        if not np.isfinite(ended).all():
            return start
        step = np.clip(ended, 0, 1) - begun
        ahead, left = self._scaled[:, free] @ step, room - self._scaled[:, free] @ begun
        share = min([1.0, *(max(gap, 0.0) / rise for gap, rise in zip(left, ahead, strict=True) if rise > gap)])
        return start.index_copy(0, where, torch.from_numpy(begun + share * step).to(start))
