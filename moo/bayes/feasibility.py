"""Where evaluations succeed, learned from those that failed."""

from __future__ import annotations

import torch
from torch import Tensor

from moo.bayes.gaussian_processes import GaussianProcesses


class SuccessModel:
    """The probability that an evaluation succeeds, by a Gaussian process on the labels 0 and 1.

    The process learns how much of what it sees is noise. Failures that have nothing to do with where they happen give
    the same probability everywhere; those of a region keep away from it. The probability is that of a normal number
    with the process's mean and variance, noise included, to lie above 1/2 (least-squares classification, Rasmussen and
    Williams 2006, section 6.5).

    Args:
        inputs: Rows of the unit cube that were tried, `[n, d]`.
        failed: Bool `[n]`, some true and some false.
    """

    def __init__(self, inputs: Tensor, failed: Tensor) -> None:
        self._process = GaussianProcesses(inputs, (~failed).to(inputs)[:, None])

    def log_probability(self, rows: Tensor) -> Tensor:
        """The logarithm of the probability that rows `[n, d]` succeed, `[n]`."""
        mean, sd = self._process.moments(rows)
        noise = self._process.noise_variance * self._process.spread.square()
        logarithm: Tensor = torch.special.log_ndtr((mean[0, :, 0] - 0.5) / (sd.square() + noise).sqrt()[:, 0])
        return logarithm
