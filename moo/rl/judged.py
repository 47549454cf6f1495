"""Policy gradients from judged samples: what is reinforced, and by how much, with several optimisers.

Values are `[p, k, g]`: p policies, k groups of g samples that began alike. Gains are for `moo.rl.estimators.surrogate`,
which divides by the number of a policy's sound samples: so gains of a mean over something else carry the ratio.
"""

from __future__ import annotations

import torch
from torch import Tensor

from moo.rl.estimators import centred


def calibrated(rewards: Tensor, base: Tensor, sharpness: float = 1.0) -> Tensor:
    """Rewards held against those of reference samples: `sigmoid(sharpness (reward - base))`, in (0, 1).

    So a sample that satisfies the constraints is worth more than one that does not, which counts as 0.

    Source: Xu et al. 2024 (CGPO, 2409.20370), without the sharpness.
    """
    return torch.sigmoid(sharpness * (rewards - base))


def crpg(rewards: Tensor, feasible: Tensor, away: Tensor, sound: Tensor, limit: float) -> Tensor:
    """Gains of calibrated-regularised policy gradient: REINFORCE of what is left of the rewards, less their batch mean.

    An infeasible sample's reward is 0. The others' are multiplied by `max(0, 1 - away / limit)`, which is above 1 for
    a sample that the policy has become less likely to give.

    Source: Xu et al. 2024 (CGPO, 2409.20370).

    Args:
        rewards: Calibrated, `[p, k, g]`.
        feasible: Bool `[p, k, g]`.
        away: Log-chance by the policy less that by the reference, `[p, k, g]`.
        sound: Bool `[p, k, g]`: the others get 0 and change nothing.
        limit: In nats.
    """
    kept = torch.where(feasible & sound, rewards * (1 - away / limit).clamp(min=0), 0.0)
    p = len(kept)
    gains = centred(kept.reshape(p, 1, -1, 1), sound.reshape(p, 1, -1))
    return gains.reshape(rewards.shape)


def codpo(
    rewards: Tensor, feasible: Tensor, away: Tensor, lengths: Tensor, sound: Tensor, beta: float, imitation: float
) -> Tensor:
    """Gains whose surrogate has the gradient of CODPO's loss, a mean over the groups' pairs, with the sign turned.

    A group's pair is its best feasible sample `+` and its worst infeasible one `-`, or, where all are feasible, its
    worst; without a feasible sample there is none. The loss is direct preference optimisation's and a likelihood:
    `-log sigmoid(beta (away+ - away-)) - imitation / length+ * log-chance+`.

    Source: Xu et al. 2024 (CGPO, 2409.20370). The update that is displayed there has signs that contradict this loss;
    here the loss holds.

    Args:
        rewards: Calibrated, `[p, k, g]`.
        feasible: Bool `[p, k, g]`.
        away: Log-chance by the policy less that by the reference, `[p, k, g]`.
        lengths: Steps of the samples, `[p, k, g]`.
        sound: Bool `[p, k, g]`.
        beta: Above 0.
        imitation: At least 0.
    """
    fine, bad = feasible & sound, ~feasible & sound
    best = torch.where(fine, rewards, -torch.inf).argmax(dim=2, keepdim=True)
    below = torch.where(bad.any(dim=2, keepdim=True), bad, sound)
    worst = torch.where(below, rewards, torch.inf).argmin(dim=2, keepdim=True)
    paired = fine.any(dim=2, keepdim=True) & (best != worst)
    slope = beta * torch.sigmoid(beta * (away.gather(2, worst) - away.gather(2, best)))
    liked = slope + imitation / lengths.gather(2, best).clamp(min=1)
    gains = torch.zeros_like(rewards).scatter(2, worst, -slope).scatter(2, best, liked)
    return torch.where(paired, gains, 0.0) * _per_chosen(paired, sound)


def crraft(rewards: Tensor, feasible: Tensor, away: Tensor, sound: Tensor, limit: float) -> Tensor:
    """Gains of calibrated-regularised fine-tuning on ranked rewards: imitate each group's best, by its reward.

    Infeasible samples and those further than the limit from the reference are left out; a group that has no others
    gives nothing.

    Source: Xu et al. 2024 (CGPO, 2409.20370), where a feasible reference answer then stands in.

    Args:
        rewards: Calibrated, `[p, k, g]`.
        feasible: Bool `[p, k, g]`.
        away: Log-chance by the policy less that by the reference, `[p, k, g]`.
        sound: Bool `[p, k, g]`.
        limit: In nats.
    """
    fine = feasible & sound & (away <= limit)
    best = torch.where(fine, rewards, -torch.inf).argmax(dim=2, keepdim=True)
    chosen = fine.any(dim=2, keepdim=True)
    gains = torch.zeros_like(rewards).scatter(2, best, rewards.gather(2, best))
    return torch.where(chosen, gains, 0.0) * _per_chosen(chosen, sound)


def _per_chosen(chosen: Tensor, sound: Tensor) -> Tensor:
    """A policy's sound samples over its groups in which something was chosen `[p, k, 1]`, `[p, 1, 1]`."""
    groups = chosen.sum(dim=(1, 2), keepdim=True).clamp(min=1)
    return sound.sum(dim=(1, 2), keepdim=True).to(torch.float64) / groups
