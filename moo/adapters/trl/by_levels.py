"""Weights that go by how far mean rewards are below the best seen, and by the hypervolume of what is reached."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from moo.adapters.trl.parts import check_memory, own_advantages, plain, read, running
from moo.adapters.trl.weightings import Weighting
from moo.checks import check_matrix, check_number
from moo.dominance import non_dominated
from moo.gradients import hypervolume_factor, hypervolume_gradient, pama, raised, smooth_tchebycheff
from moo.rl.levels import Levels

BELOW = 0.1  # how far below the least rewards the point lies from which hypervolume gradients are taken, in ranges


class RewardLevels(Levels):
    """`Levels` of one policy whose rewards can be missing: NaN where a reward function did not apply.

    Attributes:
        means: `[1, n]`, None before the first batch; NaN while a function has never applied.
        low, high: `[n]`, likewise.
    """

    def see_rewards(self, rewards: Tensor) -> None:
        """Take in the rewards `[b, n]` of a generation batch; a function without any keeps its mean."""
        unknown = rewards.isnan()
        low = torch.where(unknown, math.inf, rewards).amin(dim=0)
        low, high = torch.where(low.isinf(), math.nan, low), torch.where(unknown, -math.inf, rewards).amax(dim=0)
        high = torch.where(high.isinf(), math.nan, high)
        self.low = low if self.low is None else torch.fmin(self.low, low)
        self.high = high if self.high is None else torch.fmax(self.high, high)
        means = rewards.nanmean(dim=0, keepdim=True)
        self.means = means if self.means is None else running(self.means, means, self.memory)


class _ByLevels(Weighting):
    """What goes by levels: running means on the scale from the least to the highest reward of any completion so far.

    Args:
        preferences: As of `Weighting`.
        memory: Share of the old mean that a new one keeps, from 0 to below 1.
    """

    def __init__(self, preferences: Sequence[float] | None = None, memory: float = 0.8) -> None:
        super().__init__(preferences)
        self.memory = check_memory(memory)

    def start(self, num_objectives: int) -> None:
        super().start(num_objectives)
        self.levels = RewardLevels(self.memory)

    def see(self, rewards: Tensor) -> None:
        self.levels.see_rewards(rewards)

    def state_dict(self) -> dict[str, Any]:
        levels = {name: plain(value) for name, value in self.levels.state_dict().items()}
        return {**super().state_dict(), "levels": levels}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        levels = state["levels"].items()
        self.levels.load_state_dict({name: None if value is None else read(value) for name, value in levels})


class PAMA(_ByLevels):
    """Each completion is reinforced by what the least fond of the rewards would: the projection of 0 onto their range.

    Advantages of every reward alone (of mean 0 and standard deviation 1 within a prompt, whatever
    `multi_objective_aggregation` and `scale_rewards` say) are made non-negative first: `max(A, 0)`, or `leak A` where
    `A < 0`. Their weights are those of `moo.gradients.pama`, one set per completion, so `weights` holds the mean over
    the last batch. A reward function without a value for a completion has no say in it.

    Source: He and Maghsudi 2025 (ECML-PKDD, 2508.07768). Preferences with shortfalls, and the leak, are ours:
    docs/methods/pama.md.

    Args:
        preferences: Of sum 1: compared are advantages in units of the preferences, and rewards that are ahead of the
            worst shortfall give way to it. None: as published, none are followed.
        leak: What is left of advantages below 0, from 0 to 1.
        memory: Share of the old mean that a new one keeps, from 0 to below 1; without preferences it is of no use.
    """

    def __init__(self, preferences: Sequence[float] | None = None, leak: float = 0.0, memory: float = 0.8) -> None:
        super().__init__(preferences, memory)
        self.leak = check_number("leak", leak, "what is left of advantages below 0", zero=True)
        if leak > 1:
            raise ValueError(f"`leak` should be from 0 to 1. Found {leak}.")

    def advantages(self, rewards: Tensor, num_generations: int) -> Tensor:
        each = own_advantages(rewards, num_generations)
        each = torch.where(each < 0, self.leak * each, each)
        said = torch.where(rewards.isnan(), 0.0, self.preferences)
        deaf = said.sum(dim=1) == 0  # nothing that has a say has a value
        weights = pama(each, torch.where(deaf[:, None], 1.0, said), self._shortfalls())
        heard = weights[~deaf]
        self.weights = heard.mean(dim=0) if len(heard) else self.weights
        return torch.where(deaf, 0.0, (weights * each).sum(dim=1))

    def _shortfalls(self) -> Tensor | None:
        """Of the running means `[n]`; None before the first batch, and where no preferences are followed."""
        return None if self._said is None or self.levels.means is None else self.levels.shortfalls[0]


class SmoothTchebycheff(_ByLevels):
    """Weights by the preferences and by what lags behind: `p_i softmax(p f / mu)_i`, normalised; f are shortfalls.

    With fixed weights a sweep of preferences finds the convex parts of a front, with these all of it.

    Source: Lin, Zhang, Yang, Liu, Wang and Zhang 2024 (ICML, 2402.19078).

    Args:
        preferences: Of sum 1. None: equal ones.
        mu: Width of the smoothing, above 0, in ranges of rewards.
        floor: Least weight, from 0 to 1 / n.
        memory: Share of the old mean that a new one keeps, from 0 to below 1.
    """

    def __init__(
        self, preferences: Sequence[float] | None = None, mu: float = 0.1, floor: float = 0.0, memory: float = 0.8
    ) -> None:
        super().__init__(preferences, memory)
        self.mu, self.floor = check_number("mu", mu, "the width of the smoothing"), floor

    def start(self, num_objectives: int) -> None:
        super().start(num_objectives)
        self.weights = raised(self.weights, self.floor)

    def see(self, rewards: Tensor) -> None:
        super().see(rewards)
        found = smooth_tchebycheff(self.levels.shortfalls[0], self.preferences, self.mu)
        self.weights = raised(found / found.sum(), self.floor)


class HypervolumeGradient(_ByLevels):
    """Weights in proportion to what a little more of each reward would add to the hypervolume.

    It is that of the running means and of `others`, above a point .1 of the range below the least rewards. A run that
    is behind the others goes by the front of those it is level with; its preferences serve where nothing would be
    added. So runs one after the other, each with the means of those before as `others`, share out a front.

    Source: ours, after Lu et al. 2025 (2509.11452), whose hypervolume moves no weights; the gradient is Emmerich's and
    Deutz's (`moo.gradients.hypervolume_gradient`).

    Args:
        preferences: Of sum 1. None: equal ones.
        others: Mean rewards of other models `[k, n]`.
        floor: Least weight, from 0 to 1 / n.
        memory: Share of the old mean that a new one keeps, from 0 to below 1.
    """

    def __init__(
        self,
        preferences: Sequence[float] | None = None,
        others: Any = None,
        floor: float = 0.05,
        memory: float = 0.8,
    ) -> None:
        super().__init__(preferences, memory)
        self._others, self.floor = others, floor

    def start(self, num_objectives: int) -> None:
        super().start(num_objectives)
        none = self._others is None or len(self._others) == 0
        self.others = None if none else check_matrix("others", self._others, columns=num_objectives)
        self.weights = raised(self.weights, self.floor)

    def see(self, rewards: Tensor) -> None:
        super().see(rewards)
        points = self.levels.shares
        if self.others is not None:
            points = torch.cat([points, self.levels.on_scale(self.others).nan_to_num(0.0)])
        slopes = hypervolume_gradient(points, torch.full_like(points[0], -BELOW), by_rank=True)[0]
        found = slopes / slopes.sum() if slopes.sum() > 0 else self.preferences
        self.weights = raised(found, self.floor)


class HypervolumeFactor(_ByLevels):
    """Weights that do not move, and a factor `.5 + 1.5 tanh(gain)` of the advantages of the next batch.

    The gain is what the mean rewards of a batch add to the hypervolume of all that the run has reached, above where it
    began, on the scale from the least to the highest reward. A batch in which a reward function never applied changes
    nothing.

    Source: Lu et al. 2025 (2509.11452), method 1. They multiply the rewards, which GRPO divides by their standard
    deviation, so that the factor is divided out again; here it multiplies advantages. Mean rewards of the batch stand
    in for their validation run.

    Args:
        preferences: Of sum 1. None: equal ones.
    """

    def __init__(self, preferences: Sequence[float] | None = None) -> None:
        super().__init__(preferences)

    def start(self, num_objectives: int) -> None:
        super().start(num_objectives)
        self._reached: Tensor | None = None  # where the run began, and what has added hypervolume since, [1 + k, n]

    def see(self, rewards: Tensor) -> None:
        super().see(rewards)
        means = rewards.nanmean(dim=0, keepdim=True)
        if means.isnan().any():
            return
        if self._reached is None:
            self._reached = means
            return
        points = self.levels.on_scale(torch.cat([self._reached, means]))
        self.factor = float(hypervolume_factor(points[-1], points[:-1], points[0]))
        if self.factor > 0.5:
            after = torch.cat([self._reached[1:], means])[non_dominated(points[1:])]
            self._reached = torch.cat([self._reached[:1], after])

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "reached": plain(self._reached)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._reached = None if state["reached"] is None else read(state["reached"])
