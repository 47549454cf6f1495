"""Smooth Tchebycheff: each policy climbs what it is worst at, weighted by its preference, softly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from moo.gradients import smooth_tchebycheff
from moo.options import Option
from moo.rl.advantages import Advantages
from moo.rl.sweep import LEVEL_OPTIONS, SWEEP_OPTIONS, WITH_TEXT, PolicySweep


class SmoothTchebycheff(PolicySweep):
    """A sweep that follows the gradient of `mu log sum_i exp(p_i shortfall_i / mu)`.

    The shortfall of an objective is how far the policy's mean return is below the highest return of any episode so far,
    in units of the range of all returns so far. So the weights change as the policy moves, and preferences reach points
    of a front that no weighted sum does.

    Source: Lin, Zhang, Yang, Liu, Wang and Zhang 2024 (ICML, 2402.19078). There the losses are known; here they are
    running means of sampled returns (`memory`), and the ideal point is the best seen.
    """

    kinds: ClassVar[tuple[str, ...]] = WITH_TEXT
    options: ClassVar[Mapping[str, Option]] = {
        "mu": Option(0.03, low=1e-4, high=10.0, log=True, tuned=(0.01, 0.3), help="width of the smoothing"),
        **LEVEL_OPTIONS,
        **SWEEP_OPTIONS,
    }

    def gains(self, advantages: Advantages, preferences: Tensor) -> Tensor:
        weights = smooth_tchebycheff(self.levels.shortfalls, preferences, self._said.mu)
        return advantages.weighted(self.per_range(weights))
