"""Gaussian noise on a problem's objectives, drawn from the generator that the meter hands over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moo.checks import check_number

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def check_noise(noise: object) -> float:
    """Return a standard deviation as a float that is finite and at least 0."""
    return check_number("noise", noise, "a standard deviation", zero=True)


def add_noise(objectives: Tensor, noise: float, generator: torch.Generator | None, name: str) -> Tensor:
    """Objectives `[n, m]` with independent noise of standard deviation `noise`; unchanged where that is 0.

    Raises:
        ValueError: There is noise to draw and no generator.
    """
    import torch

    if noise == 0:
        return objectives
    if generator is None:
        raise ValueError(
            f"`generator` should be a torch.Generator: {name} with noise={noise} draws its noise from it. Found None."
        )
    return objectives + noise * torch.randn(objectives.shape, generator=generator, dtype=torch.float64)
