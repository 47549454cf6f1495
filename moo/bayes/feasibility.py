"""Where evaluations succeed, learned from those that failed."""

from __future__ import annotations

import torch
from torch import Tensor

from moo.bayes.gaussian_processes import GaussianProcesses

SHORTEST = 0.3  # sides of the cube that the labels' lengthscales are at least: chance is not taken for a pattern
NOISE = (0.0, 1.0)  # prior of the logarithm of the labels' noise: as large as what they tell, until they tell more
BALL = 0.005  # radius, per root of a column, of what is shunned around a row that failed: it may fail again


class SuccessModel:
    """The probability that an evaluation succeeds, by a Gaussian process on the labels 0 and 1.

    The process learns how much of what it sees is noise. Failures that have nothing to do with where they happen give
    about the same probability everywhere; those of a region keep away from it. The probability is that of a normal
    number with the process's mean and variance, noise included, to lie above 1/2 (least-squares classification,
    Rasmussen and Williams 2006, section 6.5). Close to a row that failed it falls to 0, so that the same is not tried
    again and again before a pattern shows.

    Args:
        inputs: Rows of the unit cube that were tried, `[n, d]`.
        failed: Bool `[n]`, some true and some false.
    """

    def __init__(self, inputs: Tensor, failed: Tensor) -> None:
        labels = (~failed).to(inputs)[:, None]
        self._process = GaussianProcesses(inputs, labels, shortest=SHORTEST, noise_prior=NOISE)
        self._failed = inputs[failed]

    def log_probability(self, rows: Tensor) -> Tensor:
        """The logarithm of the probability that rows `[n, d]` succeed, `[n]`."""
        mean, sd = self._process.moments(rows)
        noise = self._process.noise_variance * self._process.spread.square()
        logarithm: Tensor = torch.special.log_ndtr((mean[0, :, 0] - 0.5) / (sd.square() + noise).sqrt()[:, 0])
        squared = (rows[:, None] - self._failed).square().mean(dim=-1) / BALL**2
        return logarithm + torch.log(-torch.expm1(-0.5 * squared.clamp_min(1e-12))).sum(dim=1)
