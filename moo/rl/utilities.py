"""What a preference makes of returns: which objectives count how much now, and what a finished return is worth.

Returns are in units of the range seen so far, so that objectives of different size weigh alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from moo.scalarisations import augmented_tchebycheff, weighted_sum

SCALARISATIONS = ("weighted-sum", "tchebycheff")
SMOOTHING = 0.05  # width of the Tchebycheff maximum whose gradient is taken, in units of the range
AUGMENTATION = 0.05  # share of the plain sum in a Tchebycheff utility
WIDTH = 0.1  # of the least along a ray that is smoothed, as a share of what has been reached
TINY = 1e-9  # what has been reached counts as, at least


def span_of(low: Tensor, high: Tensor) -> Tensor:
    """The unit `[m]` of returns between `low` and `high`: their range; where there is none, their size, or 1."""
    size = torch.maximum(low.abs(), high.abs())
    return torch.where(high > low, high - low, torch.where(size > 0, size, 1.0))


def in_units(preferences: Tensor, span: Tensor) -> Tensor:
    """Preferences `[..., m]` of returns as they are, as preferences of returns in units of `span [m]`."""
    weighed = preferences * span
    return weighed / weighed.sum(dim=-1, keepdim=True)


def utility(returns: Tensor, preferences: Tensor, ideal_point: Tensor, scalarisation: str) -> Tensor:
    """What returns `[..., m]` are worth: their weighted sum, or the augmented Tchebycheff value below the ideal point.

    Args:
        returns: Maximised, as are all here, in units of the range.
        preferences: `[..., m]`; leading dimensions broadcast.
        ideal_point: `[m]`, the best seen of each.
        scalarisation: One of `SCALARISATIONS`.
    """
    if scalarisation == "weighted-sum":
        return weighted_sum(returns, preferences)
    return augmented_tchebycheff(returns, preferences, ideal_point, AUGMENTATION)


def slopes(expected: Tensor, preferences: Tensor, ideal_point: Tensor, scalarisation: str) -> Tensor:
    """How much each objective counts for a policy with these expected returns: `[p, m]`, at least 0, summing to 1.

    A policy that raises its returns weighed by the gradient of a utility, taken at its expected returns, raises the
    utility of its expected returns (the criterion SER). For a weighted sum these are the preferences. A Tchebycheff
    maximum is smoothed (`SMOOTHING`), or a single objective would count at a time.

    Args:
        expected: Returns of the policies, `[p, m]`.
        preferences: `[p, m]`.
        ideal_point: `[m]`.
        scalarisation: One of `SCALARISATIONS`.
    """
    if scalarisation == "weighted-sum":
        return preferences
    shortfalls = preferences * (ideal_point - expected)
    weights = preferences * ((shortfalls / SMOOTHING).softmax(dim=-1) + AUGMENTATION)
    return weights / weights.sum(dim=-1, keepdim=True)


def along_rays(returns: Tensor, preferences: Tensor, point: Tensor) -> Tensor:
    """How much each return counts for policies that shall come far along rays: `[p, m]`, at least 0, summing to 1.

    The direction in which the least of `(returns_i - point_i) / preferences_i` rises, smoothed (`WIDTH`), or a single
    objective would count at a time. An objective without preference does not count.

    Source: an achievement function, Wierzbicki 1980, "The use of reference objectives in multiobjective optimization",
    without its augmentation.

    Args:
        returns: Of the policies, `[p, m]`.
        preferences: The directions of the rays, `[p, m]`, at least 0.
        point: Where they begin, `[m]`.
    """
    wanted = preferences > 0
    steepness = torch.where(wanted, 1 / torch.where(wanted, preferences, 1.0), 0.0)
    reached = ((returns - point) * steepness).masked_fill(~wanted, torch.inf)
    width = WIDTH * ((returns - point) * wanted).sum(dim=1, keepdim=True).abs().clamp(min=TINY)
    weights = (-reached / width).softmax(dim=1) * steepness
    return weights / weights.sum(dim=1, keepdim=True)
