"""The expected improvement of the hypervolume, in closed form and in the logarithm.

Over each box of what the front leaves free, the expected volume of the part that a point dominates is a product over
the objectives of E(f - l)+ - E(f - u)+ (Emmerich, Yang and Deutz 2016; Yang, Emmerich, Deutz and Back 2019). The sum
over the boxes is the expected improvement. In the logarithm (Ament, Daulton, Eriksson, Balandat and Bakshy 2023,
2310.20708) it keeps a slope far from the front, where the improvement itself is 0 in floating point.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.models.model import Model
from botorch.utils.transforms import t_batch_mode_transform
from torch import Tensor
from torch.autograd.function import once_differentiable

from moo.bayes.cells import joined_cells
from moo.bayes.surrogates import FromModel, Surrogate

FAR = -300.0  # standard deviations below which a series takes over
LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)


class _LogGain(torch.autograd.Function):
    """log(phi(z) + z Phi(z)): the logarithm of E(Z + z)+ for a standard normal Z, for all z."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        low = z.clamp(max=0.0)
        tail = torch.special.erfcx(low.clamp(min=FAR) * -math.sqrt(0.5))
        kept = 1 + low.clamp(min=FAR) * math.sqrt(math.pi / 2) * tail  # (phi + z Phi) / phi
        inverse = low.clamp(max=FAR).square().reciprocal()
        kept = torch.where(low < FAR, inverse * (1 - 3 * inverse), kept)
        below = -0.5 * low.square() - LOG_ROOT_TWO_PI + kept.log()
        slope_below = torch.where(low < FAR, -low - 2 / low.clamp(max=FAR), math.sqrt(math.pi / 2) * tail / kept)
        high = z.clamp(min=0.0)
        share = torch.special.ndtr(high)
        gain = high * share + torch.exp(-0.5 * high.square() - LOG_ROOT_TWO_PI)
        ctx.save_for_backward(torch.where(z > 0, share / gain, slope_below))
        return torch.where(z > 0, gain.log(), below)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (slope,) = ctx.saved_tensors
        inwards: Tensor = grad * slope
        return inwards


def log_gain(z: Tensor) -> Tensor:
    """The logarithm of E(Z + z)+ for a standard normal Z, accurate and with a slope for every z."""
    apply: Any = _LogGain.apply  # torch leaves it untyped
    result: Tensor = apply(z)
    return result


def log_improvement(
    means: Tensor, sd: Tensor, lower: Tensor, upper: Tensor, real: Tensor | None = None, *, mean: bool = True
) -> Tensor:
    """The logarithm of the expected improvement of the hypervolume.

    Args:
        means: Of independent normal objectives, maximised, `[s, n, m]`.
        sd: Their standard deviations, `[n, m]`, positive.
        lower, upper: Disjoint boxes of what is not dominated, `[s, c, m]`; upper ends may be infinite.
        real: Which boxes count, bool `[s, c]`; None: all.
        mean: Whether to average over the s versions.

    Returns:
        `[n]`, the logarithm of the mean over the versions; else `[s, n]`.
    """
    total: Tensor | None = None
    for j in range(means.shape[2]):  # few objectives: each a matrix over versions, points and boxes
        centre, spread = means[:, :, j, None], sd[None, :, j, None]
        low, high = lower[:, None, :, j], upper[:, None, :, j]
        part = log_gain((centre - low) / spread) + spread.log()
        limited = torch.isfinite(high)
        if limited.any():
            above = log_gain((centre - torch.where(limited, high, 0.0)) / spread) + spread.log()
            loss = (above - part).clamp_max(-1e-15)
            part = part + torch.where(limited, torch.log(-torch.expm1(loss)), 0.0)
        total = part if total is None else total + part
    assert total is not None
    if real is not None:
        total = total.masked_fill(~real[:, None, :], -torch.inf)
    logarithms = torch.logsumexp(total, dim=2)
    return log_mean(logarithms) if mean else logarithms


def log_feasibility(means: Tensor, sd: Tensor) -> Tensor | float:
    """The logarithm of the probability that independent normal constraints are `<= 0`, `[s, n]`; 0 of none.

    Args:
        means: `[s, n, c]`.
        sd: `[n, c]`.
    """
    return torch.special.log_ndtr(-means / sd).sum(dim=-1) if means.shape[-1] else 0.0


class LogExpectedHypervolumeImprovement(AcquisitionFunction):  # type: ignore[misc]
    """The logarithm of the expected improvement of the hypervolume, without Monte Carlo: a function of BoTorch.

    With constraints it is that of the improvement where these hold: the product with the probability that they do
    (Gardner, Kusner, Xu, Weinberger and Cunningham 2014), as all processes are independent.

    Args:
        model: A surrogate, or any model of BoTorch whose posterior has independent outputs: objectives, maximised, and
            then constraints, feasible where `<= 0`.
        reference_point: `[m]`; the outputs after the first m are constraints.
        front: Feasible points found so far, `[n, m]`, or `[s, n, m]` in as many versions as the model was told.
        ends: What each objective is known not to exceed, `[m]`, infinite where nothing is known: no improvement is
            expected beyond, unless a front reaches all of them. None: nowhere.
    """

    def __init__(
        self, model: Model | Surrogate, reference_point: Tensor, front: Tensor, ends: Tensor | None = None
    ) -> None:
        super().__init__(model if isinstance(model, Model) else None)
        self.surrogate: Surrogate = model if isinstance(model, Surrogate) else FromModel(model)
        self.num_objectives = len(reference_point)
        versions = front if front.ndim == 3 else front[None]
        self.lower, self.upper, self.real = joined_cells(versions, reference_point.to(front))
        if ends is not None:
            self._end(ends.to(self.upper))

    def _end(self, ends: Tensor) -> None:
        """Cut the boxes off at the ends; where that would leave nothing to be found, the ends are not believed."""
        upper = torch.minimum(self.upper, ends)
        thick = self.real & (upper > self.lower).all(dim=-1)
        if thick.any(dim=-1).all():
            self.real, self.upper = thick, torch.where(thick[..., None], upper, torch.inf)

    def value(self, rows: Tensor, versions: int | None = None) -> Tensor:
        """The values `[n]` of rows `[n, f]`, the mean over the first so many versions; None: over all."""
        means, sd = self.surrogate.moments(rows)
        m, which = self.num_objectives, slice(versions)
        means = means[which]
        gain = log_improvement(
            means[..., :m], sd[:, :m], self.lower[which], self.upper[which], self.real[which], mean=False
        )
        return log_mean(gain + log_feasibility(means[..., m:], sd[:, m:]))

    def improvements(self, values: Tensor) -> Tensor:
        """What points add to the hypervolume: `[s, k]` of outputs `[s, k, m + c]`, drawn or observed."""
        m = self.num_objectives
        inside = torch.minimum(values[:, :, None, :m], self.upper[:, None]) - self.lower[:, None]
        volumes = inside.clamp_min(0).prod(dim=-1) * self.real[:, None, :]
        return volumes.sum(dim=2) * (values[..., m:] <= 0).all(dim=-1)

    @t_batch_mode_transform(expected_q=1)  # type: ignore[untyped-decorator]
    def forward(self, X: Tensor) -> Tensor:
        """The values `[b]` of single points `[b, 1, f]`."""
        return self.value(X.squeeze(-2))


def log_mean(logarithms: Tensor) -> Tensor:
    """The logarithm of the mean over the first dimension."""
    return torch.logsumexp(logarithms, dim=0) - math.log(len(logarithms))
