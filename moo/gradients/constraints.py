"""Lagrange multipliers of objectives that are to reach a threshold, and the weights that they stand for."""

from __future__ import annotations

import torch
from torch import Tensor

from moo.checks import check_number, unknown_name
from moo.gradients.reading import check_finite, read_rows

SQUASHED = ("sigmoid", "tanh", "identity")


def multiplier_step(multipliers: Tensor, values: Tensor, thresholds: Tensor, rate: float = 1e-2) -> Tensor:
    """A step of gradient ascent on Lagrange multipliers: each grows while its value is below its threshold.

    Source: Moskovitz et al. 2024 (constrained RLHF, 2310.04373, ICLR), who add momentum; here a plain step.

    Args:
        multipliers: `[..., n]` before they are squashed, so of either sign.
        values: `[..., n]`: what each objective is worth now, maximised.
        thresholds: `[..., n]`.
        rate: At least 0.

    Returns:
        `[..., n]`; no gradient flows.

    Raises:
        TypeError: An argument is no tensor of floating-point numbers, or the rate is no number.
        ValueError: A shape does not fit, a value is not finite or the rate is negative.
    """
    held = read_rows("multipliers", multipliers)
    n = held.shape[-1]
    value = check_finite("values", read_rows("values", values, n).to(held))
    wanted = check_finite("thresholds", read_rows("thresholds", thresholds, n).to(held))
    return held + check_number("rate", rate, "the step of the multipliers", zero=True) * (wanted - value)


def multiplier_weights(multipliers: Tensor, squash: str = "sigmoid") -> Tensor:
    """The weights of the reward and of n constraints that multipliers stand for: `n - sum(l)` and each `l`.

    Source: Moskovitz et al. 2024 (2310.04373, ICLR): `sigmoid` for constraints that ask for at least a threshold;
    `tanh` for those that ask for the threshold itself, where a value beyond it is pushed back; else the multiplier
    itself, at least 0.

    Args:
        multipliers: `[..., n]`.
        squash: `"sigmoid"`, `"tanh"` or `"identity"`.

    Returns:
        `[..., 1 + n]`: the reward's weight, then the constraints'. They sum to n. No gradient flows.

    Raises:
        TypeError: `multipliers` is no tensor of floating-point numbers.
        ValueError: The form is unknown.
    """
    held = check_finite("multipliers", read_rows("multipliers", multipliers))
    if squash not in SQUASHED:
        raise ValueError(unknown_name("form of multipliers", squash, SQUASHED))
    squashed = held.clamp(min=0) if squash == "identity" else getattr(held, squash)()
    return torch.cat([held.shape[-1] - squashed.sum(dim=-1, keepdim=True), squashed], dim=-1)
