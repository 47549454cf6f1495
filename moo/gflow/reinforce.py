"""What REINFORCE needs beside the scores of trajectories: how likely they were drawn, and what they are held against.

For n trajectories of at most T steps; `log_forward` `[T, n]` are log P_F(s'|s) of the steps, 0 behind the end.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from moo.gflow.trajectories import Trajectories


def legal_actions(problem: Any, trajectories: Trajectories) -> Tensor:
    """How many actions were legal at each step, int64 `[T, n]`; 1 behind the end."""
    moves = trajectories.moves
    step, row = torch.nonzero(moves, as_tuple=True)
    counts: Tensor = problem.action_mask(trajectories.states[step, row]).sum(dim=1)
    return counts.new_ones(moves.shape).index_put((step, row), counts)


def log_ratios(log_forward: Tensor, legal: Tensor, epsilon: float) -> Tensor:
    """Log of how much likelier the policy alone is to take each trajectory than it was drawn, `[n]`.

    `follow` draws a step from all legal actions alike with probability `epsilon`. A mean over what it has drawn, each
    row times its ratio, has the expectation of a mean over what the policy alone would draw. With T steps no ratio is
    above `(1 - epsilon)^-T`.

    Args:
        log_forward: Of the policy alone, `[T, n]`.
        legal: How many actions were legal, `[T, n]`; 1 behind the end, where nothing is added.
        epsilon: From 0 to 1.
    """
    drawn = (1 - epsilon) * log_forward.exp() + epsilon / legal.to(log_forward)
    return (log_forward - drawn.log()).sum(dim=0)


def left_one_out(values: Tensor, group: int) -> Tensor:
    """Each value `[n]` less the mean of the others of its group: consecutive values, `group` of them, at least 2.

    The others know nothing of a trajectory, so the gradient keeps its expectation. Values less the mean of the whole
    group are these times `1 - 1 / group`.

    Source: Kool, van Hoof and Welling 2019 (Buy 4 REINFORCE samples, get a baseline for free).
    """
    grouped = values.reshape(-1, group)
    return ((grouped - grouped.mean(dim=1, keepdim=True)) * (group / (group - 1))).flatten()
