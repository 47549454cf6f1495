"""The search for the point of the unit cube where an acquisition function is largest."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from moo.bayes.climbing import climb

NEAR = 0.05  # standard deviation of steps away from good points
EAGERNESS = 2.0  # how strongly starts are drawn towards larger values


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
    eager[best] = 0
    others = torch.multinomial(eager + 1e-300, min(count, len(values)) - 1, generator=stream)
    return torch.cat([torch.tensor([best]), others])


def maximise(function: Callable[[Tensor], Tensor], starts: Tensor, *, iterations: int) -> tuple[Tensor, Tensor]:
    """Local maxima of a differentiable function of rows `[n, d]` of the unit cube, from all starts at once.

    Returns:
        Rows `[k, d]` and their values `[k]`, the largest first.
    """

    def slope(rows: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG001
        rows = rows.requires_grad_(True)
        values = function(rows)
        (gradients,) = torch.autograd.grad(values.sum(), rows)
        return values.detach(), gradients

    bounds = torch.stack([torch.zeros_like(starts[0]), torch.ones_like(starts[0])])
    found, values = climb(slope, starts, bounds, iterations=iterations)
    order = values.argsort(descending=True, stable=True)
    return found[order], values[order]
