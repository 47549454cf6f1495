"""Dynamic reward weighting: the weights of the objectives move while a policy learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from moo.base import Candidates
from moo.dominance import non_dominated
from moo.gradients import exponentiated, hypervolume_factor, hypervolume_gradient, influence, raised
from moo.metered import Metered
from moo.options import Option
from moo.rl.advantages import Advantages
from moo.rl.episodes import Episodes
from moo.rl.estimators import surrogate
from moo.rl.sweep import LEVEL_OPTIONS, SWEEP_OPTIONS, WITH_TEXT, PolicySweep

GUIDES = ("influence", "hypervolume-gradient", "hypervolume-factor")
BELOW = 0.1  # how far below the least returns the point lies from which hypervolume gradients are taken, in ranges


class RewardWeighting(PolicySweep):
    """Weighted sums whose weights, or whose size, move with what the policy has reached.

    - `guide="influence"`: a weight grows with its objective's influence, the inner product of its policy gradient with
      the sum of all of them: `w_i <- w_i exp(learning_rate I_i / mu)`, normalised, at least `floor`. The first weights
      are the policy's preferences. With `held_out` the two factors come from two halves of the episodes, so that a
      gradient's noise does not count as its influence.
    - `guide="hypervolume-gradient"`: weights in proportion to what a little more of each objective would add to the
      hypervolume of all policies' mean returns (of those behind the first front, to that of their own front). Ours. It
      shares the front out among the policies; preferences serve where a policy adds nothing.
    - `guide="hypervolume-factor"`: the weights are the preferences, and the whole is multiplied by
      `.5 + 1.5 tanh(gain)`, the gain being what the policy's mean returns add to the hypervolume of all it has reached,
      above where it began. `place="advantages"` multiplies what is reinforced. `place="rewards"`, as published,
      multiplies the rewards, which an estimator that divides by their standard deviation does not feel.

    Source: Lu et al. 2025 (Dynamic Reward Weighting, 2509.11452). Differences, and where a factor acts:
    docs/methods/reward_weighting.md.
    """

    kinds: ClassVar[tuple[str, ...]] = WITH_TEXT
    options: ClassVar[Mapping[str, Option]] = {
        "guide": Option("hypervolume-gradient", choices=GUIDES, tuned=GUIDES, help="what the weights go by"),
        "mu": Option(0.1, low=1e-9, high=1e6, log=True, tuned=(1e-2, 1.0), help="hold on the weights, by influence"),
        "floor": Option(0.05, low=0.0, high=0.5, help="least weight; at most 1 / objectives counts"),
        "held_out": Option(False, help="influence on other episodes than those whose gradients are added"),
        "place": Option(
            "advantages", choices=("advantages", "rewards"), help="what the hypervolume's factor multiplies"
        ),
        **LEVEL_OPTIONS,
        **SWEEP_OPTIONS,
    }

    def __init__(self, problem: Metered, *, initial: Candidates | None = None, **options: Any) -> None:
        super().__init__(problem, initial=initial, **options)
        self._floor = min(self._said.floor, 1 / problem.num_objectives)
        self.weights: Tensor | None = None  # [p, m], by influence
        self._reached: list[Tensor] = []  # of each policy: where it began, and what has added hypervolume since

    def gains(self, advantages: Advantages, preferences: Tensor) -> Tensor:
        guide = self._said.guide
        if guide == "hypervolume-factor":
            factors = self._factors(advantages.episodes.means)
            if self._said.place == "rewards":
                return advantages.weighted(preferences, factors)
            return advantages.weighted(preferences) * factors[:, None, None]
        if guide == "hypervolume-gradient":
            return advantages.weighted(self.per_range(self._by_hypervolume(preferences)))
        self._move(advantages, preferences)
        assert self.weights is not None
        return advantages.weighted(self.per_range(self.weights))

    # ------------------------------------------------------------------------------------------ by hypervolume
    def _factors(self, means: Tensor) -> Tensor:
        """The factor of each policy `[p]`; what adds hypervolume is remembered."""
        if not self._reached:
            self._reached = list(means.nan_to_num(0.0)[:, None].unbind(0))
        factors = means.new_ones(len(means))
        for policy, reached in enumerate(self._reached):
            if means[policy].isnan().any():
                continue
            points = self.levels.on_scale(torch.cat([reached, means[policy, None]])).cpu()
            factors[policy] = hypervolume_factor(points[-1], points[:-1], points[0])
            if factors[policy] > 0.5:
                kept = non_dominated(points[1:]).to(means.device)
                after = torch.cat([reached[1:], means[policy, None]])[kept]
                self._reached[policy] = torch.cat([reached[:1], after])
        return factors

    def _by_hypervolume(self, preferences: Tensor) -> Tensor:
        """Weights `[p, m]` in proportion to the hypervolume's gradient."""
        shares = self.levels.shares.cpu()
        slopes = hypervolume_gradient(shares, torch.full_like(shares[0], -BELOW), by_rank=True).to(preferences)
        size = slopes.sum(dim=1, keepdim=True)
        weights = torch.where(size > 0, slopes / torch.where(size > 0, size, 1.0), preferences)
        return raised(weights, self._floor)

    # ------------------------------------------------------------------------------------------ by influence
    def _move(self, advantages: Advantages, preferences: Tensor) -> None:
        """A step of the weights by exponentiated gradient."""
        said = self._said
        if self.weights is None:
            self.weights = raised(preferences.to(torch.float64), self._floor)
        moved = influence(self._gram(advantages)).to(self.weights)
        self.weights = exponentiated(self.weights, moved, said.learning_rate / said.mu, self._floor)

    def _gram(self, advantages: Advantages) -> Tensor:
        """Inner products `[p, m, m]` of the objectives' policy gradients, of two halves where they are held out."""
        episodes, each = advantages.episodes, self.comparable(advantages)
        if not self._said.held_out:
            rows = self._gradients(episodes, each, episodes.live)
            return rows @ rows.mT
        first = (torch.arange(episodes.moves.shape[1], device=each.device) % 2 == 0)[:, None]
        halves = [self._gradients(episodes, each, episodes.live & half) for half in (first, ~first)]
        return halves[0] @ halves[1].mT

    def _gradients(self, episodes: Episodes, each: Tensor, live: Tensor) -> Tensor:
        """The gradients of every objective's surrogate by the policies' parameters, `[p, m, d]`."""
        parameters = list(self.net.actor.parameters())
        ratios = self.ratios(self.law(episodes), episodes)
        rows = []
        for gains in each.to(ratios).unbind(3):
            aim = surrogate(ratios, gains, live, self._said.clip).sum()
            found = torch.autograd.grad(aim, parameters, retain_graph=True)
            rows.append(torch.cat([part.flatten(1) for part in found], dim=1))
        return torch.stack(rows, dim=1).to(torch.float64)

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "weights": self.weights, "reached": self._reached}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.weights = None if state["weights"] is None else state["weights"].to(self._device)
        self._reached = [points.to(self._device) for points in state["reached"]]
