"""What a GFlowNet learns from: trajectories, the conditions they are learned for, and the loss of it all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from moo.base import Candidates
from moo.gflow import losses
from moo.gflow.policies import ConditionalPolicy, Conditions, score
from moo.gflow.rewards import RewardScale
from moo.gflow.trajectories import Trajectories
from moo.metered import infer_reference_point

LOSSES = ("tb", "vargrad", "db", "fl-db", "subtb", "fl-subtb")


@dataclass(frozen=True)
class Batch:
    """What a gradient step learns from, or a part of it.

    Attributes:
        trajectories: Of n objects.
        conditions: For which they are learned from, n of them.
        objectives: Of the objects, on the scale of rewards, `[n, m]`.
        so_far: The same of the states on the way, `[T, n, m]`; None where the loss does not look at them.
    """

    trajectories: Trajectories
    conditions: Conditions
    objectives: Tensor
    so_far: Tensor | None = None

    def __len__(self) -> int:
        return self.objectives.shape[0]

    def rows(self, which: Tensor) -> Batch:
        """Those trajectories."""
        part = self.trajectories.rows(which)
        so_far = None if self.so_far is None else self.so_far[: len(part.actions), which]
        return Batch(part, self.conditions.rows(which), self.objectives[which], so_far)


def in_turn(preferences: Tensor, cursor: int, k: int) -> tuple[Tensor, int]:
    """The next `k` of the preferences in force `[r, m]`, from the first again where they end.

    Args:
        preferences: In force.
        cursor: How many of them have been taken.
        k: How many to take.

    Returns:
        Preferences `[k, m]`, and the new cursor: 0 as soon as all have been taken.
    """
    rows = (cursor + torch.arange(k)) % len(preferences)
    cursor += k
    return preferences[rows], 0 if cursor >= len(preferences) else cursor


def whole_groups(failed: Tensor, group: int) -> Tensor:
    """Numbers of the rows whose groups are whole, in number and in success.

    Args:
        failed: Bool `[n]`; consecutive rows, `group` at a time, belong together.
        group: How many; what is left at the end is no group.
    """
    fine = ~failed[: len(failed) // group * group]
    return torch.nonzero(fine.reshape(-1, group).all(dim=1).repeat_interleave(group)).flatten()


def on_scale(scale: RewardScale, told: Candidates, fine: Tensor, reference_point: Tensor | None) -> Tensor:
    """Objectives of all rows on the scale of rewards, `[n, m]`; the first rows fix it.

    Args:
        scale: Fixed or not yet.
        told: Evaluated rows.
        fine: Numbers of those that may fix it, at least one.
        reference_point: Maximised; None before the loop has seen any row.
    """
    if not scale.fixed:
        first = told.rows(fine)
        scale.fix(first.objectives, infer_reference_point(first) if reference_point is None else reference_point)
    return scale(told.objectives)


def flow_loss(
    name: str,
    policy: ConditionalPolicy,
    problem: Any,
    batch: Batch,
    encoded: Tensor,
    log_reward: Tensor,
    log_so_far: Tensor | None,
    *,
    group: int = 1,
    discount: float = 1.0,
) -> Tensor:
    """The loss of each trajectory, `[n]`.

    For `"vargrad"`, which needs no log Z, that of the policy's head is fitted beside it to the groups' means, so that
    it can be read off; this moves nothing else.

    Args:
        name: One of `LOSSES`.
        policy: The network.
        problem: The construction problem, for masks and features.
        batch: The trajectories.
        encoded: Their conditions as the network reads them, `[n, c]`.
        log_reward: beta times the log reward of their objects, `[n]`.
        log_so_far: The same of the states on the way, `[T, n]`, for losses whose flows hold the reward so far.
        group: Consecutive trajectories that share a condition, for `"vargrad"`.
        discount: For `"subtb"`.
    """
    scores = score(policy, problem, batch.trajectories, encoded)
    log_z = policy.log_z(encoded)
    pair = (scores.log_forward, scores.log_backward)
    if name == "tb":
        return losses.trajectory_balance(log_z, *pair, log_reward)
    if name == "vargrad":
        told = losses.log_z_estimates(*pair, log_reward).detach().reshape(-1, group).mean(dim=1)
        fit = (log_z - told.repeat_interleave(group)) ** 2
        return losses.log_variance(*pair, log_reward, group) + fit
    lengths = batch.trajectories.lengths
    assert scores.log_flow is not None
    flow = scores.log_flow if log_so_far is None else scores.log_flow + log_so_far
    steps = torch.arange(len(flow) + 1, device=lengths.device)[:, None]
    flow = torch.cat([flow, flow.new_zeros(1, flow.shape[1])])
    flow = torch.where(steps < lengths, torch.where(steps == 0, log_z, flow), log_reward)
    if name.endswith("subtb"):
        return losses.subtrajectory_balance(*pair, flow, lengths, discount)
    return losses.detailed_balance(*pair, flow, lengths)
