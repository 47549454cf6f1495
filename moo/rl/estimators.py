"""Advantages of several objectives: what episodes are held against before their log-chances are raised or lowered.

Values are `[p, k, g, m]`: p policies, k groups of g episodes that began alike (one group in an environment, one for
each prompt of a text), m objectives. `sound [p, k, g]` says which of them count; the others get 0 and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from moo.checks import unknown_name
from moo.rl.returns import advantages

ALIKE = 1e-9  # of their size: values whose standard deviation is less are alike but for rounding


def plain(values: Tensor, sound: Tensor) -> Tensor:
    """REINFORCE without a baseline: the values themselves.

    Source: Williams 1992 (Machine Learning 8). Unbiased, and noisy where values are far from 0.
    """
    return torch.where(sound[..., None], values, 0.0)


def centred(values: Tensor, sound: Tensor) -> Tensor:
    """REINFORCE with the group's mean as its baseline; GRPO without standard deviation is the same.

    Source: Williams 1992 (Machine Learning 8); as GRPO's: Liu et al. 2025 (Dr. GRPO, 2503.20783). As an episode is in
    its own baseline, the expected gradient is the true one times `1 - 1 / g`.
    """
    kept = plain(values, sound)
    mean = kept.sum(dim=2, keepdim=True) / _count(sound)
    return plain(values - mean, sound)


def left_one_out(values: Tensor, sound: Tensor) -> Tensor:
    """RLOO: each value less the mean of the others of its group; 0 where there are none. Unbiased.

    Source: Kool, van Hoof and Welling 2019 (Buy 4 REINFORCE samples, get a baseline for free); Ahmadian et al. 2024
    (2402.14740).
    """
    count = _count(sound).to(values)
    return centred(values, sound) * torch.where(count > 1, count / (count - 1).clamp(min=1), 0.0)


def standardised(values: Tensor, sound: Tensor) -> Tensor:
    """GRPO: values of mean 0 and standard deviation 1 within their group.

    The standard deviation divides by the number of values; where all are alike, advantages are 0. A constant factor of
    the values cancels, up to rounding; usual codes add 1e-6 or 1e-4 to the standard deviation, which keeps a trace.

    Source: Shao et al. 2024 (2402.03300).
    """
    away, size = centred(values, sound), plain(values, sound).abs().amax(dim=2, keepdim=True)
    spread = (away.square().sum(dim=2, keepdim=True) / _count(sound)).sqrt()
    return torch.where(spread > ALIKE * size, away / torch.where(spread > 0, spread, 1.0), 0.0)


PER_OBJECTIVE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "reinforce": centred,
    "reinforce-plain": plain,
    "rloo": left_one_out,
    "grpo": standardised,
    "grpo-unscaled": centred,
    "gdpo": standardised,
}
ESTIMATORS = (*PER_OBJECTIVE, "ppo")  # the last of these takes steps and value heads: `generalised`


def per_objective(name: str, values: Tensor, sound: Tensor) -> Tensor:
    """Advantages of each objective alone, `[p, k, g, m]`.

    GDPO's first half is GRPO of every objective, so these two agree here.

    Args:
        name: Of the estimator, `"ppo"` excepted.
        values: `[p, k, g, m]`.
        sound: Bool `[p, k, g]`.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in PER_OBJECTIVE:
        raise ValueError(unknown_name("estimator", name, PER_OBJECTIVE))
    return PER_OBJECTIVE[name](values, sound)


def combined(name: str, values: Tensor, sound: Tensor, weights: Tensor) -> Tensor:
    """Advantages of weighted objectives, `[p, k, g]`.

    All but GDPO weigh the values first. GDPO (Liu et al. 2026, 2601.05242) standardises every objective within its
    group, weighs, and standardises the sums over all groups of a policy, so that the weights mean what they say however
    far the objectives' values are apart.

    Args:
        name: Of the estimator, `"ppo"` excepted.
        values: `[p, k, g, m]`.
        sound: Bool `[p, k, g]`.
        weights: `[p, m]`.

    Raises:
        ValueError: The name is unknown.
    """
    each = weights[:, None, None].to(values)
    if name != "gdpo":
        return per_objective(name, (plain(values, sound) * each).sum(dim=3, keepdim=True), sound).squeeze(3)
    sums = (per_objective(name, values, sound) * each).sum(dim=3)
    p, k, g = sums.shape
    return standardised(sums.reshape(p, 1, k * g, 1), sound.reshape(p, 1, k * g)).reshape(p, k, g)


def generalised(rewards: Tensor, values: Tensor, live: Tensor, gamma: float, decay: float) -> tuple[Tensor, Tensor]:
    """Generalised advantages of every step, and targets of the value heads, of whole episodes.

    Nothing follows an episode, also where its steps had run out: the objective is what it returned.

    Source: Schulman, Moritz, Levine, Jordan and Abbeel 2016 (1506.02438).

    Args:
        rewards: `[p, c, T, m]`.
        values: What the heads expect before each step, `[p, c, T, m]`.
        live: Steps to learn from, bool `[p, c, T]`.
        gamma: Discount.
        decay: Lambda, from 0 to 1.

    Returns:
        Advantages and targets `[p, c, T, m]`, 0 at steps that are not live.
    """
    by_time = [column.flatten(0, 1).transpose(0, 1) for column in (rewards, values.to(rewards), live)]
    reward, value, moved = by_time
    kept = moved[..., None]
    reward, value = torch.where(kept, reward, 0.0), torch.where(kept, value, 0.0)
    following = torch.cat([value[1:], torch.zeros_like(value[:1])])
    never = torch.zeros_like(moved)  # nothing need be cut off: behind the end all is 0
    found, targets = advantages(reward, value, following, never, never, gamma, decay)

    def laid_out(part: Tensor) -> Tensor:
        return torch.where(kept, part, 0.0).transpose(0, 1).reshape(rewards.shape)

    return laid_out(found), laid_out(targets)


def standardised_steps(advantages: Tensor, live: Tensor) -> Tensor:
    """Advantages of steps `[p, c, T, m]` with mean 0 and standard deviation 1 over each policy's live steps."""
    p, m = len(advantages), advantages.shape[3]
    flat, kept = advantages.reshape(p, 1, -1, m), live.reshape(p, 1, -1)
    return standardised(flat, kept).reshape(advantages.shape)


def surrogate(ratios: Tensor, gains: Tensor, live: Tensor, clip: float) -> Tensor:
    """What each policy raises, `[p]`: PPO's clipped sum over the steps of an episode, a mean over episodes.

    Where the ratios are 1 its gradient is that of `mean over episodes of sum over steps of gain * log-chance`: the
    policy gradient, if the gains are advantages. A mean over steps instead, as is usual for texts, would weigh episodes
    by how long the others are. Gradients flow through the ratios alone.

    Source: Schulman, Wolski, Dhariwal, Radford and Klimov 2017 (1707.06347).

    Args:
        ratios: Of the chances now to those before, `[p, c, T]`.
        gains: Advantages `[p, c, T]`.
        live: Steps to learn from, bool `[p, c, T]`.
        clip: Beyond `1 - clip` and `1 + clip` nothing is gained.
    """
    gains = torch.where(live, gains.detach(), 0.0)
    least = torch.minimum(ratios * gains, ratios.clamp(1 - clip, 1 + clip) * gains)
    episodes = live.any(dim=2).sum(dim=1).clamp(min=1)
    return torch.where(live, least, 0.0).sum(dim=(1, 2)) / episodes


def _count(sound: Tensor) -> Tensor:
    """How many of each group count, at least 1, `[p, k, 1, 1]`."""
    return sound.sum(dim=2, keepdim=True).clamp(min=1)[..., None]
