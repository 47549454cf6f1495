"""The expected improvement of the hypervolume for many objectives, along rays from the reference point.

The improvement of a point with independent normal objectives is the integral, over all y that no front point
dominates, of the probability that the point dominates y. Boxes would be too many beyond four objectives; in polar
coordinates the integral is a mean over directions of one along a ray, from where the ray leaves the front, of a
product of normal distribution functions (that the dominated volume is such a mean: Shang, Ishibuchi, Zhang and Liu
2018; Zhang and Golovin 2020, 2006.04655). So its cost grows like the number of objectives, whatever the front.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.models.model import Model
from botorch.utils.sampling import draw_sobol_normal_samples
from botorch.utils.transforms import t_batch_mode_transform
from torch import Tensor

from moo.bayes.improvement import log_feasibility, log_mean
from moo.bayes.surrogates import FromModel, Surrogate

NODES = 8  # along a ray: Gauss and Legendre's
REACH = 4.0  # standard deviations beyond the mean excess, at which a ray ends
DIRECTIONS = 256
SCREENED = 32  # directions that starts are chosen by


class RadialHypervolumeImprovement(AcquisitionFunction):  # type: ignore[misc]
    """The logarithm of the expected improvement of the hypervolume, estimated along rays: a function of BoTorch.

    Args:
        model: As of `LogExpectedHypervolumeImprovement`.
        reference_point: `[m]`; the outputs after the first m are constraints.
        front: Feasible points found so far, `[n, m]` or `[s, n, m]`.
        size: How large differences of each objective are believed to be, `[m]`: rays are spread for this, or for how
            far the front reaches, whichever is more. None: by the front alone.
        ends: What each objective is known not to exceed, `[m]`: rays end there. None: nowhere.
        directions: How many rays.
        seed: Of the directions, an evenly spread (Sobol) sample of the positive part of the sphere.
    """

    def __init__(
        self,
        model: Model | Surrogate,
        reference_point: Tensor,
        front: Tensor,
        *,
        size: Tensor | None = None,
        ends: Tensor | None = None,
        directions: int = DIRECTIONS,
        seed: int = 0,
    ) -> None:
        super().__init__(model if isinstance(model, Model) else None)
        self.surrogate: Surrogate = model if isinstance(model, Surrogate) else FromModel(model)
        self.num_objectives = m = len(reference_point)
        fronts = (front if front.ndim == 3 else front[None]) - reference_point.to(front)
        self.point = reference_point.to(front)
        inside = (fronts > 0).all(dim=-1, keepdim=True)
        most = torch.where(inside, fronts, 0.0).flatten(0, 1)
        reach = most.amax(dim=0) if len(most) else torch.zeros(m).to(front)
        if size is not None:
            reach = torch.maximum(reach, size.to(reach))
        self.unit = torch.where(reach > 0, reach, 1.0)  # of each objective, so that the rays suit what is at stake
        drawn = draw_sobol_normal_samples(m, directions, dtype=torch.float64, seed=seed).abs().clamp_min(1e-9)
        self.rays = (drawn / drawn.norm(dim=1, keepdim=True)).to(front)  # [r, m]
        scaled = torch.where(inside, fronts / self.unit, 0.0)
        self.exits = front.new_zeros(len(fronts), directions)  # [s, r]: where a ray leaves the front
        if fronts.shape[1]:
            self.exits = torch.stack([(one[:, None] / self.rays).amin(-1).amax(0) for one in scaled])
        self.limits = torch.full_like(self.exits[0], torch.inf)  # [r]: where it reaches an end
        if ends is not None:
            limits = ((ends.to(front) - self.point) / self.unit / self.rays).amin(dim=-1)
            if (limits > self.exits).any(dim=-1).all():  # else a front reaches all ends, which are not believed then
                self.limits = limits
        area = 2 * math.pi ** (m / 2) / math.gamma(m / 2) / 2**m  # of the positive part of the unit sphere
        self.log_size = math.log(area) + float(self.unit.log().sum())
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        self.nodes = torch.as_tensor((nodes + 1) / 2).to(front)
        self.log_weights = torch.as_tensor(weights / 2).to(front).log()

    def value(self, rows: Tensor, versions: int | None = None) -> Tensor:
        """The values `[n]` of rows `[n, f]`, the mean over the first so many versions and few rays; None: over all."""
        means, sd = self.surrogate.moments(rows)
        m, which = self.num_objectives, slice(versions)
        rays = slice(None if versions is None else SCREENED)
        means = means[which]
        gain = self._along_rays(
            (means[..., :m] - self.point) / self.unit,
            sd[:, :m] / self.unit,
            self.rays[rays],
            self.exits[which, rays],
            self.limits[rays],
        )
        return log_mean(gain + log_feasibility(means[..., m:], sd[:, m:]))

    def _along_rays(self, means: Tensor, sd: Tensor, rays: Tensor, exits: Tensor, limits: Tensor) -> Tensor:
        """The logarithm of the integral `[s, n]` of normal objectives, means `[s, n, m]`, above the reference point."""
        slope = rays / sd[:, None]  # [n, r, m]: standard deviations that a step along a ray is
        with torch.no_grad():  # how far to go along each ray, from the conditional excess of the tightest objective
            z = (means[:, :, None] / sd[:, None]) - exits[:, None, :, None] * slope
            mills = torch.exp(-0.5 * z.square() - 0.5 * math.log(2 * math.pi) - torch.special.log_ndtr(z))
            excess = (z + mills).clamp_min(1e-9)
            spread = (1 - mills * excess).clamp_min(0).sqrt().maximum(0.5 / (1 + z.abs()))
            length = ((excess + REACH * spread) / slope).amin(dim=-1)  # [s, n, r]
            length = torch.minimum(length, (limits - exits)[:, None]).clamp_min(1e-300)
            places = exits[:, None, :, None] + length[..., None] * self.nodes  # [s, n, r, q]
        inside: Tensor | float = 0.0
        for j in range(means.shape[-1]):
            z = means[:, :, None, None, j] / sd[:, None, None, j] - places * slope[None, :, :, None, j]
            inside = inside + torch.special.log_ndtr(z)
        along = inside + (self.num_objectives - 1) * places.log() + self.log_weights
        total = torch.logsumexp(along, dim=-1) + length.log()
        return torch.logsumexp(total, dim=-1) - math.log(len(rays)) + self.log_size

    def improvements(self, values: Tensor) -> Tensor:
        """What points add to the hypervolume, estimated: `[s, k]` of outputs `[s, k, m + c]`."""
        m = self.num_objectives
        above = ((values[..., :m] - self.point) / self.unit).clamp_min(0)
        ends = torch.stack([(one[:, None] / self.rays).amin(-1) for one in above])  # [s, k, r]
        ends = torch.minimum(ends, self.limits)
        gained = (ends**m - self.exits[:, None] ** m).clamp_min(0).mean(dim=-1) / m
        return gained * math.exp(self.log_size) * (values[..., m:] <= 0).all(dim=-1)

    @t_batch_mode_transform(expected_q=1)  # type: ignore[untyped-decorator]
    def forward(self, X: Tensor) -> Tensor:
        """The values `[b]` of single points `[b, 1, f]`."""
        return self.value(X.squeeze(-2))
