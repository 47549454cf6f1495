"""The search for the row of a space where an acquisition function is largest."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from moo.bayes.climbing import climb
from moo.bayes.columns import Columns
from moo.bayes.limits import Limits
from moo.bayes.regions import Region
from moo.bayes.worth import Worth

NEAR = 0.05  # standard deviation of steps away from good points
EAGERNESS = 2.0  # how strongly starts are drawn towards larger values
HOPS = 8  # steps among discrete columns, at most
SCREENING = 8  # versions of what is not known that starts are chosen by


def best_rows(
    worth: Worth,
    columns: Columns,
    good: Tensor,
    stream: torch.Generator,
    *,
    raw: int,
    restarts: int,
    iterations: int,
    limits: Limits | None = None,
    further: Tensor | None = None,
    region: Region | None = None,
) -> Tensor:
    """Rows of the unit cube `[k, d]`, whole columns on their levels, the most worth first.

    Sobol points and points near good ones are screened; from some of them the smooth columns climb; then one discrete
    column after the other steps to where it is worth more, and the smooth ones climb again.

    Args:
        worth: What is maximised.
        columns: Of the space.
        good: Rows that are good so far, `[k, d]`.
        stream: Of what is drawn.
        raw: Sobol points.
        restarts: Climbs.
        iterations: Of a climb, at most.
        limits: That every row has to keep.
        further: Rows `[k, d]` to screen beside these.
        region: That smooth columns are kept in; limits are not kept then.
    """

    def climbed(starts: Tensor) -> Tensor:
        if not columns.smooth:
            return starts
        if limits is not None:
            return columns.snapped(limits.maximise(worth, starts, columns.smooth, iterations=iterations)[0])
        ends = None if region is None else torch.stack([region.lower, region.upper])
        return columns.snapped(maximise(worth, starts, columns.smooth, iterations=iterations, ends=ends)[0])

    if region is None:
        points = raw_points(good.cpu(), columns.space.dim, raw, stream)
        points[raw:] = columns.stirred(points[raw:], stream)
    else:
        points = region.points(columns, raw, stream).cpu()
    if further is not None:
        points = torch.cat([points, further.cpu()])
    points = columns.snapped(points.to(columns.device))
    if limits is not None:
        inside = limits.evenly(raw // 4, int(torch.randint(2**31 - 1, (1,), generator=stream))).to(points)
        points = torch.cat([points[limits.allowed(points)], inside])
    with torch.no_grad():
        values = worth(points, SCREENING)
    starts = points[choose_starts(values.cpu(), restarts, stream).to(points.device)]
    found = climbed(starts)
    if columns.discrete:
        found = torch.cat([_hopped(worth, columns, row, climbed, limits) for row in found[:2]])
    if columns.whole:
        with torch.no_grad():
            found = found[worth(found).argsort(descending=True, stable=True)]
    found = torch.cat([found, points[values.argsort(descending=True, stable=True)]])
    return found if limits is None else found[limits.allowed(found)]


def raw_points(good: Tensor, dim: int, count: int, stream: torch.Generator) -> Tensor:
    """Points to choose starts from: scrambled Sobol ones `[count, d]` and a quarter as many near good rows `[k, d]`."""
    seed = int(torch.randint(2**31 - 1, (1,), generator=stream))
    even = SobolEngine(dim, scramble=True, seed=seed).draw(count, dtype=torch.float64)  # type: ignore[no-untyped-call]
    if not len(good):
        return even
    chosen = torch.randint(len(good), (count // 4,), generator=stream)
    steps = NEAR * torch.randn(count // 4, dim, generator=stream, dtype=torch.float64)
    return torch.cat([even, (good[chosen] + steps).clamp(0, 1)])


def choose_starts(values: Tensor, count: int, stream: torch.Generator) -> Tensor:
    """Row numbers `[count]`: the largest value, and others drawn in proportion to exp(2 x standardised value)."""
    finite = torch.where(torch.isfinite(values), values, values[torch.isfinite(values)].amin())
    eager = torch.exp(EAGERNESS * (finite - finite.mean()) / finite.std().clamp_min(1e-9))
    best = int(values.argmax())
    if min(count, len(values)) == 1:
        return torch.tensor([best])
    eager[best] = 0
    others = torch.multinomial(eager + 1e-300, min(count, len(values)) - 1, generator=stream)
    return torch.cat([torch.tensor([best]), others])


def maximise(
    worth: Worth, starts: Tensor, free: list[int], *, iterations: int, ends: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Local maxima of a differentiable function of rows `[n, d]` of the unit cube, from all starts at once.

    Args:
        worth: The function.
        starts: `[k, d]`.
        free: The columns that may change.
        iterations: Of each climb, at most.
        ends: Lower and upper ends of each column, `[2, d]`; None: those of the cube.

    Returns:
        Rows `[k, d]` and their values `[k]`, the largest first.
    """

    def slope(rows: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
        rows = rows.requires_grad_(True)
        values = worth(_filled(starts[which], free, rows))
        (gradients,) = torch.autograd.grad(values.sum(), rows)
        return values.detach(), gradients

    if ends is None:
        ends = torch.stack([torch.zeros_like(starts[0]), torch.ones_like(starts[0])])
    found, values = climb(slope, starts[:, free], ends[:, free], iterations=iterations)
    order = values.argsort(descending=True, stable=True)
    return _filled(starts, free, found)[order], values[order]


def _filled(rows: Tensor, free: list[int], values: Tensor) -> Tensor:
    """Rows with other values in some columns."""
    if len(free) == rows.shape[1]:
        return values
    return rows.index_copy(1, torch.tensor(free, device=rows.device), values)


def _hopped(
    worth: Worth, columns: Columns, row: Tensor, climbed: Callable[[Tensor], Tensor], limits: Limits | None
) -> Tensor:
    """The way `[k, d]` from a row to where no step of one discrete column is worth more, its end first."""
    way = [row]
    for _ in range(HOPS):
        near = columns.neighbours(way[0])
        if limits is not None:
            near = near[limits.allowed(near)]
        if not len(near):
            break
        with torch.no_grad():
            values = worth(torch.cat([way[0][None], near]))
        best = int(values.argmax())
        if best == 0:
            break
        way.insert(0, climbed(near[best - 1 : best])[0])
    return torch.stack(way)
