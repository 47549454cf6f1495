"""Exact Gaussian processes, one per objective, fitted and asked as one batch.

Source: Rasmussen and Williams 2006, chapters 2 and 5. Priors: the lengthscales' grows with the root of the dimension,
Hvarfner, Hellsten and Nardi 2024 (2402.02229), as in BoTorch; the noise's is BoTorch's, with a lower floor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from botorch.models.model import Model
from botorch.posteriors import GPyTorchPosterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from torch import Tensor

from moo.bayes.climbing import climb
from moo.checks import check_matrix, unknown_name

KERNELS = ("matern", "rbf")
NOISE_FLOOR = 1e-6  # variance of standardised values below which noise is not told from rounding
JITTER = 1e-8  # added to the diagonal, so that the factorisation exists
LENGTHSCALES = (0.025, 1e3)
NOISE_PRIOR = (-4.0, 1.0)  # mean and standard deviation of the logarithm of the noise's variance
LOG_SCALE_SD = 1.0  # of the prior of the logarithm of the output scale, around 0
ITERATIONS = 60


def covariance(kernel: str, first: Tensor, second: Tensor, lengthscales: Tensor) -> Tensor:
    """Prior covariance of standardised values between rows, one kernel per objective.

    Args:
        kernel: `"matern"` (smoothness 5/2) or `"rbf"`.
        first, second: `[..., a, d]` and `[..., b, d]`.
        lengthscales: `[m, d]`.

    Returns:
        `[..., m, a, b]`, 1 where rows are equal.
    """
    return _profile(kernel, _squared_distances(first, second, lengthscales))


def _squared_distances(first: Tensor, second: Tensor, lengthscales: Tensor) -> Tensor:
    """Squared distances in units of the lengthscales, `[..., m, a, b]`."""
    scale = lengthscales[:, None, :]
    left, right = (first[..., None, :, :] - 0.5) / scale, (second[..., None, :, :] - 0.5) / scale
    squares = left.square().sum(-1)[..., :, None] + right.square().sum(-1)[..., None, :]
    return (squares - 2 * left @ right.mT).clamp_min(0)


def _profile(kernel: str, squared: Tensor) -> Tensor:
    """The kernel as a function of the squared distance."""
    if kernel == "rbf":
        return torch.exp(-0.5 * squared)
    r = (5 * squared + 1e-20).sqrt()  # the root's slope at 0 is infinite
    return (1 + r + r * r / 3) * torch.exp(-r)


def _slope(kernel: str, squared: Tensor) -> Tensor:
    """The derivative of `_profile`."""
    if kernel == "rbf":
        return -0.5 * torch.exp(-0.5 * squared)
    r = (5 * squared).sqrt()
    return -5 / 6 * (1 + r) * torch.exp(-r)


# --------------------------------------------------------------------------------------------------- fitting
@dataclass(frozen=True)
class Data:
    """What processes are fitted to.

    Attributes:
        inputs: Rows of the unit cube, `[n, d]`.
        values: Standardised, `[m, n]`; 0 where an objective was not observed.
        observed: Bool `[m, n]`.
        noise: Known variances of standardised values `[m, n]`, added to what is learned.
        learned: Where noise is learned, bool `[m, n]`.
        noise_prior: Mean and standard deviation of the logarithm of the learned variance, before anything is seen.
    """

    inputs: Tensor
    values: Tensor
    observed: Tensor
    noise: Tensor
    learned: Tensor
    noise_prior: tuple[float, float] = NOISE_PRIOR


def log_density(data: Data, kernel: str, parameters: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """The logarithm of likelihood times prior of hyperparameters, without constants, and its gradient.

    Args:
        data: Of all objectives.
        kernel: Which.
        parameters: `[b, d + 3]`: log lengthscales, log noise variance, log output scale, mean.
        which: The objective of each row, `[b]`.

    Returns:
        Values `[b]`, minus infinity where the matrix cannot be factorised, and gradients `[b, d + 3]`.
    """
    d = data.inputs.shape[1]
    lengthscales, noise, scale = parameters[:, :d].exp(), parameters[:, d].exp(), parameters[:, d + 1].exp()
    observed, learned = data.observed[which].to(parameters), data.learned[which].to(parameters)
    squared = _squared_distances(data.inputs, data.inputs, lengthscales)
    both = observed[:, :, None] * observed[:, None, :]
    prior = scale[:, None, None] * _profile(kernel, squared) * both
    matrix = prior + torch.diag_embed(data.noise[which] + noise[:, None] * learned + JITTER + (1 - observed))
    factor, info = torch.linalg.cholesky_ex(matrix)
    residual = (data.values[which] - parameters[:, d + 2, None]) * observed
    weights = torch.cholesky_solve(residual[:, :, None], factor).squeeze(-1) * observed
    value = -0.5 * (residual * weights).sum(1) - factor.diagonal(dim1=-2, dim2=-1).log().sum(1)
    # half of (weights weights^T - matrix^-1), which multiplies the matrix's derivatives
    outer = 0.5 * (weights[:, :, None] * weights[:, None, :] - torch.cholesky_inverse(factor)) * both
    gradient = torch.empty_like(parameters)
    pull = outer * scale[:, None, None] * _slope(kernel, squared)
    x = data.inputs - 0.5
    across = (pull @ x * x).sum(1)  # sum over pairs of pull * x x'
    spread = 2 * (pull.sum(2) @ x.square()) - 2 * across  # ... of pull * (x - x')^2
    gradient[:, :d] = -2 * spread / lengthscales.square()
    gradient[:, d] = noise * (outer.diagonal(dim1=-2, dim2=-1) * learned).sum(1)
    gradient[:, d + 1] = (outer * prior).sum((1, 2))
    gradient[:, d + 2] = weights.sum(1)
    centre = math.sqrt(2) + 0.5 * math.log(d)
    lengths, noises, scales = parameters[:, :d], parameters[:, d], parameters[:, d + 1]
    value = value - ((lengths - centre).square() / 6 + lengths).sum(1)
    usual, stray = data.noise_prior
    value = value - (noises - usual).square() / (2 * stray**2) - noises
    value = value - scales.square() / (2 * LOG_SCALE_SD**2)
    gradient[:, :d] -= (lengths - centre) / 3 + 1
    gradient[:, d] -= (noises - usual) / stray**2 + 1
    gradient[:, d + 1] -= scales / LOG_SCALE_SD**2
    failed = info > 0
    value = torch.where(failed | ~torch.isfinite(value), -torch.inf, value)
    return value, torch.where(torch.isfinite(value)[:, None], gradient, 0.0)


def first_guess(m: int, d: int, like: Tensor) -> Tensor:
    """Hyperparameters `[m, d + 3]` to begin a fit with."""
    guess = like.new_zeros(m, d + 3)
    guess[:, :d] = math.sqrt(2) + 0.5 * math.log(d) - 2
    guess[:, d] = -5
    return guess


def fit(
    data: Data,
    kernel: str,
    starts: Tensor,
    *,
    scaled: bool = True,
    shortest: float = LENGTHSCALES[0],
    iterations: int = ITERATIONS,
) -> tuple[Tensor, Tensor]:
    """The likeliest hyperparameters, from several starts each: all objectives and starts as one batch of L-BFGS-B.

    Args:
        data: Of all objectives.
        kernel: Which.
        starts: `[s, m, d + 3]`.
        scaled: Whether the output scale is learned; else it stays 1.
        shortest: The least lengthscale.
        iterations: Of the optimiser, at most; 0: the best of the starts.

    Returns:
        Hyperparameters `[m, d + 3]` and their log densities `[m]`.
    """
    s, m, p = starts.shape
    objective = torch.arange(m, device=starts.device).repeat(s)
    low, high = starts.new_empty(p), starts.new_empty(p)
    low[:-3], high[:-3] = math.log(shortest), math.log(LENGTHSCALES[1])
    low[-3], high[-3] = math.log(NOISE_FLOOR), 1.0
    low[-2], high[-2] = (-6.0, 6.0) if scaled else (0.0, 0.0)
    low[-1], high[-1] = -5.0, 5.0
    begun = starts.reshape(s * m, p)
    if iterations:
        found, values = climb(
            lambda rows, which: log_density(data, kernel, rows, objective[which]),
            begun,
            torch.stack([low, high]),
            iterations=iterations,
        )
    else:
        found, values = begun, log_density(data, kernel, begun, objective)[0]
    found, values = found.reshape(s, m, p), values.reshape(s, m)
    best = values.argmax(dim=0)
    rows = torch.arange(m, device=starts.device)
    return found[best, rows], values[best, rows]


# --------------------------------------------------------------------------------------------------- processes
class GaussianProcesses(Model):  # type: ignore[misc]
    """Independent Gaussian processes of several objectives on the unit cube: a model of BoTorch.

    Args:
        inputs: Rows of the unit cube, `[n, d]`.
        values: `[n, m]`; NaN where an objective was not observed.
        std: Known standard deviations of the noise `[n, m]`, NaN where it is to be learned; None: everywhere.
        kernel: `"matern"` (smoothness 5/2) or `"rbf"`.
        scaled: Whether the output scale is learned.
        noise_prior: Mean and standard deviation of the logarithm of the noise's variance in standardised values.
        shortest: The least lengthscale, in sides of the cube.
        noisy: Whether noise is learned where it is not known; else values are exact up to rounding.
        starts: Hyperparameters to begin the fit with, `[s, m, d + 3]`; None: one guess.
        iterations: Of the fit, at most; 0: the likeliest of `starts` are the hyperparameters.

    Raises:
        ValueError: A shape is wrong, an input is not finite, the kernel is unknown, or nothing was observed of an
            objective.
    """

    def __init__(
        self,
        inputs: Tensor,
        values: Tensor,
        *,
        std: Tensor | None = None,
        kernel: str = "matern",
        scaled: bool = True,
        shortest: float = LENGTHSCALES[0],
        noisy: bool = True,
        noise_prior: tuple[float, float] = NOISE_PRIOR,
        starts: Tensor | None = None,
        iterations: int = ITERATIONS,
    ) -> None:
        super().__init__()
        if kernel not in KERNELS:
            raise ValueError(unknown_name("kernel", kernel, KERNELS))
        check_matrix("values", values, rows=check_matrix("inputs", inputs).shape[0])
        m, d = values.shape[1], inputs.shape[1]
        if std is not None:
            check_matrix("std", std, rows=len(inputs), columns=m)
        if starts is not None and starts.shape[1:] != (m, d + 3):
            raise ValueError(f"`starts` should have shape [s, {m}, {d + 3}]. Found {list(starts.shape)}.")
        if not torch.isfinite(inputs).all():
            raise ValueError("`inputs` should be finite. Some are not.")
        observed = torch.isfinite(values)
        if not observed.any(dim=0).all():
            raise ValueError("`values` should hold at least one number of each objective. A column has none.")
        count = observed.sum(dim=0)
        filled = torch.where(observed, values, 0.0)
        self.centre = filled.sum(0) / count
        spread = (torch.where(observed, values - self.centre, 0.0).square().sum(0) / (count - 1).clamp_min(1)).sqrt()
        self.spread = torch.where(spread > 1e-12 * self.centre.abs().clamp_min(1e-300), spread, 1.0)
        known = torch.zeros_like(values, dtype=torch.bool) if std is None else torch.isfinite(std)
        variances = torch.zeros_like(values) if std is None else torch.where(known, std / self.spread, 0.0).square()
        learned = (observed & ~known) if noisy else torch.zeros_like(observed)
        exact = torch.where(known, 0.0, NOISE_FLOOR) if not noisy else torch.zeros_like(values)
        self.data = Data(
            inputs,
            torch.where(observed, (values - self.centre) / self.spread, 0.0).T.contiguous(),
            observed.T.contiguous(),
            (variances + exact).T.contiguous(),
            learned.T.contiguous(),
            noise_prior,
        )
        if starts is None:
            starts = first_guess(m, d, inputs)[None]
        self.kernel = kernel
        self.hyperparameters, self.density = fit(
            self.data, kernel, starts, scaled=scaled, shortest=shortest, iterations=iterations
        )
        self._condition(self.data, self.data.values[:, :, None])

    def _condition(self, data: Data, values: Tensor) -> None:
        """Factorise for data whose standardised values `[m, n, s]` come in s versions."""
        d = data.inputs.shape[1]
        self._lengthscales, self._scale = self.hyperparameters[:, :d].exp(), self.hyperparameters[:, d + 1].exp()
        noise = self.hyperparameters[:, d].exp()
        mask = data.observed.to(values)
        matrix = self._scale[:, None, None] * covariance(self.kernel, data.inputs, data.inputs, self._lengthscales)
        matrix = matrix * mask[:, :, None] * mask[:, None, :]
        matrix = matrix + torch.diag_embed(data.noise + noise[:, None] * data.learned.to(values) + JITTER + (1 - mask))
        factor = torch.linalg.cholesky(matrix)
        identity = torch.eye(matrix.shape[-1], dtype=values.dtype, device=values.device).expand_as(matrix)
        self._whitening = torch.linalg.solve_triangular(factor, identity, upper=False) * mask[:, None, :]
        residual = (values - self.hyperparameters[:, d + 2, None, None]) * mask[:, :, None]
        self._weights = self._whitening.mT @ (self._whitening @ residual)
        self._rows, self._versions = data, values

    # ------------------------------------------------------------------------------------------ predictions
    @property
    def num_outputs(self) -> int:
        return len(self.hyperparameters)

    @property
    def batch_shape(self) -> torch.Size:
        return torch.Size([])

    @property
    def noise_variance(self) -> Tensor:
        """The learned noise variance of each objective, `[m]`, in units of the objectives' variance."""
        return self.hyperparameters[:, -3].exp() * self._rows.learned.any(dim=1)

    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Means `[s, n, m]`, one for each version of the values, and standard deviations `[n, m]` of `rows [n, d]`."""
        cross = self._scale[:, None, None] * covariance(self.kernel, rows, self._rows.inputs, self._lengthscales)
        means = cross @ self._weights + self.hyperparameters[:, -1, None, None]  # [m, n, s]
        explained = (cross @ self._whitening.mT).square().sum(-1)
        sd = (self._scale[:, None] - explained).clamp_min(1e-12).sqrt()
        return means.permute(2, 1, 0) * self.spread + self.centre, sd.T * self.spread

    def joint(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Means `[..., m, q]` and covariances `[..., m, q, q]` of rows `[..., q, d]`, for the first version."""
        cross = self._scale[:, None, None] * covariance(self.kernel, rows, self._rows.inputs, self._lengthscales)
        means = cross @ self._weights[:, :, :1]
        means = means.squeeze(-1) + self.hyperparameters[:, -1, None]
        white = cross @ self._whitening.mT
        prior = self._scale[:, None, None] * covariance(self.kernel, rows, rows, self._lengthscales)
        scaled = (prior - white @ white.mT) * self.spread.square()[:, None, None]
        return means * self.spread[:, None] + self.centre[:, None], scaled

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: Any = None,
    ) -> Any:
        """BoTorch's face of `joint`: the posterior of rows `[..., q, d]`."""
        means, covariances = self.joint(X)
        if isinstance(observation_noise, Tensor):
            raise ValueError("`observation_noise` should be true or false: noise of one's own is not taken.")
        if observation_noise:
            noise = (self.noise_variance + JITTER) * self.spread.square()
            covariances = covariances + torch.diag_embed(noise[:, None].expand(-1, X.shape[-2]))
        q = X.shape[-2]
        covariances = covariances + JITTER * torch.diag_embed(self.spread.square()[:, None].expand(-1, q))
        which = range(self.num_outputs) if output_indices is None else output_indices
        normals = [MultivariateNormal(means[..., i, :], covariances[..., i, :, :]) for i in which]
        joined = normals[0] if len(normals) == 1 else MultitaskMultivariateNormal.from_independent_mvns(normals)
        posterior = GPyTorchPosterior(joined)
        return posterior if posterior_transform is None else posterior_transform(posterior)

    def samples(self, rows: Tensor, normal: Tensor) -> Tensor:
        """Joint draws `[k, q, m]` of noise-free values at rows `[q, d]`, made of `normal [k, q, m]`."""
        return draws(*self.joint(rows), normal)

    def conditioned(self, rows: Tensor, values: Tensor) -> GaussianProcesses:
        """The same processes, told noise-free values `[s, k, m]` of further rows `[k, d]` in s versions.

        Where they were told versions before, these are as many, each going on from its own.
        """
        told = ((values - self.centre) / self.spread).permute(2, 1, 0)  # [m, k, s]
        before = self._rows
        more = before.observed.new_ones(self.num_outputs, len(rows))
        data = Data(
            torch.cat([before.inputs, rows]),
            before.values,
            torch.cat([before.observed, more], dim=1),
            torch.cat([before.noise, torch.full_like(told[:, :, 0], NOISE_FLOOR)], dim=1),
            torch.cat([before.learned, ~more], dim=1),
        )
        old = self._versions.expand(-1, -1, told.shape[2])
        other: GaussianProcesses = self.__class__.__new__(self.__class__)
        Model.__init__(other)
        for name in ("centre", "spread", "kernel", "hyperparameters", "density", "data"):
            setattr(other, name, getattr(self, name))
        other._condition(data, torch.cat([old, told], dim=1))
        return other


def draws(means: Tensor, covariances: Tensor, normal: Tensor) -> Tensor:
    """Normal numbers `[k, q, m]` of means `[m, q]` and covariances `[m, q, q]`, made of standard ones `[k, q, m]`.

    Raises:
        RuntimeError: A covariance is not positive, far beyond rounding.
    """
    size = covariances.diagonal(dim1=-2, dim2=-1).amax(dim=-1).clamp_min(1e-300)
    scaled = covariances / size[:, None, None]
    identity = torch.eye(scaled.shape[-1], dtype=scaled.dtype, device=scaled.device)
    for power in range(-10, 0):
        factor, info = torch.linalg.cholesky_ex(scaled + 10.0**power * identity)
        if not info.any():
            drawn: Tensor = factor @ normal.permute(2, 1, 0) * size.sqrt()[:, None, None] + means[:, :, None]
            return drawn.permute(2, 1, 0)
    raise RuntimeError("The covariance of a posterior is not positive.")
