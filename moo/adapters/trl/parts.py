"""What the weightings share: advantages of every reward alone, running means, and tensors as lists of numbers."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from moo.checks import check_number
from moo.rl.estimators import per_objective


def own_advantages(rewards: Tensor, num_generations: int) -> Tensor:
    """The advantages of each reward alone, of mean 0 and standard deviation 1 within a prompt, `[b, n]`; 0 for NaN.

    Args:
        rewards: `[b, n]`, the completions of a prompt beside each other.
        num_generations: Completions of a prompt.
    """
    n = rewards.shape[1]
    values, sound = rewards.nan_to_num(0.0).T, ~rewards.isnan().T
    grouped = per_objective("grpo", values.reshape(n, -1, num_generations, 1), sound.reshape(n, -1, num_generations))
    return grouped.reshape(n, -1).T


def running(old: Tensor, new: Tensor, memory: float) -> Tensor:
    """The running mean of values, NaN where there has been none."""
    mixed = torch.where(old.isnan(), new, memory * old + (1 - memory) * new)
    return torch.where(new.isnan(), old, mixed)


def check_memory(memory: float) -> float:
    """Return the share of an old mean that a new one keeps.

    Raises:
        TypeError: It is no number.
        ValueError: It is not from 0 to below 1.
    """
    if check_number("memory", memory, "the share of the old mean", zero=True) >= 1:
        raise ValueError(f"`memory` should be from 0 to below 1. Found {memory}.")
    return memory


def plain(values: Tensor | None) -> Any:
    """A tensor as lists of numbers, NaN as None; None stays."""
    if values is None:
        return None
    return [plain(row) for row in values] if values.ndim > 1 else [None if x != x else x for x in values.tolist()]


def read(values: Any) -> Tensor:
    """The tensor that `plain` made into lists."""
    rows = values if values and isinstance(values[0], list) else [values]
    numbers = torch.tensor([[math.nan if x is None else x for x in row] for row in rows], dtype=torch.float64)
    return numbers if rows is values else numbers[0]
