"""Weights from the values alone: the gradients of scalarisations."""

from __future__ import annotations

import torch
from torch import Tensor

from moo.checks import check_number
from moo.gradients.reading import check_finite, read_preferences, read_rows


def linear(losses: Tensor, preferences: Tensor) -> Tensor:
    """The preferences themselves, whatever the losses: a fixed weighted sum.

    Its minima lie on the convex hull of a front: on a concave one it ends where one objective is best.

    Args:
        losses: `[..., n]`; only their shape matters.
        preferences: `[..., n]`, at least 0.

    Returns:
        `[..., n]`, in the dtype of `losses`; no gradient flows.

    Raises:
        TypeError: An argument is no tensor of floating-point numbers.
        ValueError: A shape does not fit or a preference is no such number.
    """
    read = read_rows("losses", losses)
    return read_preferences(preferences, read.shape[-1], read).expand_as(read).clone()


def smooth_tchebycheff(losses: Tensor, preferences: Tensor, mu: float) -> Tensor:
    """The gradient of the smooth Tchebycheff scalarisation `mu log sum_i exp(p_i l_i / mu)` by the losses.

    It is `p_i softmax(p l / mu)_i`: as `mu` goes to 0 the worst weighted loss has nearly all of it, as `mu` grows it
    tends to the preferences over n. Every Pareto point is a minimum for some preferences, if `mu` is small enough.

    Source: Lin, Zhang, Yang, Liu, Wang and Zhang 2024 (ICML, 2402.19078).

    Args:
        losses: `[..., n]`, minimised, minus their ideal: of maximised objectives the ideal minus their value.
        preferences: `[..., n]`, at least 0; more of it means a stronger say.
        mu: Above 0, in the unit of the weighted losses: small against their range. Annealing it is the caller's.

    Returns:
        `[..., n]`, at least 0, in the dtype of `losses`; for preferences on the simplex of sum at most 1. No gradient
        flows.

    Raises:
        TypeError: An argument is no tensor of floating-point numbers, or `mu` is no number.
        ValueError: A shape does not fit, a value is not finite or `mu` is not above 0.
    """
    mu = check_number("mu", mu, "the width of the smoothing")
    read = check_finite("losses", read_rows("losses", losses))
    said = read_preferences(preferences, read.shape[-1], read)
    return said * torch.softmax(said * read / mu, dim=-1)
