"""Ensembles of rewards: several proxies of one reward, read so that a policy gains less by the errors of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moo.checks import check_number, unknown_name

READINGS = ("mean", "worst", "uncertainty")


def joined(rewards: Tensor, reading: str = "mean", penalty: float = 1.0) -> Tensor:
    """One reward from those of several members.

    - `"mean"`: their mean.
    - `"worst"`: the least of them.
    - `"uncertainty"`: their mean less `penalty` times their variance, which divides by their number.

    Source: Coste, Anwar, Kirk and Krueger 2024 (reward model ensembles, 2310.02743, ICLR): mean, worst-case and
    uncertainty-weighted optimization.

    Args:
        rewards: `[members, ...]`, maximised.
        reading: One of `READINGS`.
        penalty: At least 0, in one over the rewards' unit.

    Returns:
        `[...]`; NaN where a member's reward is.

    Raises:
        ValueError: The reading is unknown, there is no member, or the penalty is negative.
    """
    if reading not in READINGS:
        raise ValueError(unknown_name("reading of an ensemble", reading, READINGS))
    penalty = check_number("penalty", penalty, "the weight of the members' variance", zero=True)
    if not rewards.ndim or not len(rewards):
        raise ValueError(
            f"`rewards` should have shape [members, ...], one member at least. Found {list(rewards.shape)}."
        )
    if reading == "worst":
        return rewards.amin(dim=0)
    mean = rewards.mean(dim=0)
    return mean if reading == "mean" else mean - penalty * (rewards - mean).square().mean(dim=0)


class Ensemble:
    """A reward function made of several: a text's, a judge's model, or any other that answers whole batches.

    Args:
        members: Functions of the same arguments, each of which gives numbers of one shape.
        reading: One of `READINGS`.
        penalty: At least 0.

    Raises:
        TypeError: A member is no function.
        ValueError: As `joined`.
    """

    def __init__(self, members: Sequence[Callable[..., Any]], reading: str = "mean", penalty: float = 1.0) -> None:
        self.members, self.reading, self.penalty = tuple(members), reading, penalty
        odd = [member for member in self.members if not callable(member)]
        if odd:
            raise TypeError(f"`members` should be functions. Found {odd[0]!r}.")
        joined(torch.zeros(len(self.members), 1), reading, penalty)

    def __call__(self, *arguments: Any) -> Tensor:
        """The joined rewards, float64.

        Raises:
            ValueError: The members' answers have different shapes.
        """
        rows = [torch.from_numpy(_array(member(*arguments))) for member in self.members]
        shapes = sorted({tuple(row.shape) for row in rows})
        if len(shapes) > 1:
            raise ValueError(f"All members of an ensemble should give one shape. Found {', '.join(map(str, shapes))}.")
        return joined(torch.stack(rows), self.reading, self.penalty)


def _array(answer: Any) -> np.ndarray:
    return np.array(answer.numpy(force=True) if isinstance(answer, Tensor) else answer, dtype=np.float64)
