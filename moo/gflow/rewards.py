"""Rewards: what a preference makes of objectives, as logarithms, so that a GFlowNet can sample in proportion to them.

The law that a generator learns is `p(x | preference, beta) = R(x | preference)^beta / Z(preference, beta)`. Objectives
are maximised, from about 0 (worthless) to 1 (ideal). Everything broadcasts over leading dimensions, follows dtype and
device, and can be called for many preferences at once: objectives `[n, 1, m]` with preferences `[k, m]` give `[n, k]`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from moo.checks import unknown_name
from moo.scalarisations import augmented_tchebycheff, log_sum, weighted_sum

SCALARISATIONS = ("weighted-sum", "log-sum", "tchebycheff", "goal")
TINY = 1e-30  # the least reward: the logarithm of 0 is no number to learn from
FOCUS = 0.98  # cosine at the edge of a goal's cone
EDGE = 0.1  # the reward at the edge of the cone, as a share of that on its axis
LOWEST = -15.0  # logarithm of the reward far outside the cone, as a share of that on its axis


def log_reward(objectives: Tensor, preferences: Tensor, scalarisation: str, *, floor: float = TINY) -> Tensor:
    """Logarithm of the reward of objectives for preferences: larger is better.

    - `"weighted-sum"`: `log sum_i p_i f_i`. Only points on the convex hull of a front are ever likeliest.
    - `"log-sum"`: `sum_i p_i log f_i`.
    - `"tchebycheff"`: `-max_i p_i (1 - f_i) - .05 sum_i p_i (1 - f_i)`, so that every point of a front is the likeliest
      for some preference. Jain et al.'s code has `max_i p_i |1 - f_i|` as the *reward*, which grows as points get
      worse.
    - `"goal"`: the preference is a direction. `log (sum_i f_i / m) + (log .1 / log .98) log cos`, so that at the edge
      of the cone of cosine .98 around it the reward is a tenth of that on the axis; at least e^-15 of it.

    Source: Jain et al. 2023 (2210.12765); goals: Roy et al. 2023 (2306.04620). There the reward falls to e^-75 at the
    edge; here it goes on falling as it does inside, so that a missed goal still says which way it lies.

    Args:
        objectives: `[..., m]`, maximised, from 0 to about 1.
        preferences: `[..., m]` on the simplex.
        scalarisation: One of `SCALARISATIONS`.
        floor: The least reward (and the least objective inside a logarithm of its own).

    Raises:
        ValueError: The scalarisation is unknown.
    """
    if scalarisation == "weighted-sum":
        return weighted_sum(objectives, preferences).clamp(min=floor).log()
    if scalarisation == "log-sum":
        return log_sum(objectives.clamp(min=floor), preferences)
    if scalarisation == "tchebycheff":
        return augmented_tchebycheff(objectives, preferences, torch.ones_like(preferences))
    if scalarisation == "goal":
        return _log_goal(objectives, preferences, floor)
    raise ValueError(unknown_name("scalarisation", scalarisation, SCALARISATIONS))


def cosine(objectives: Tensor, preferences: Tensor) -> Tensor:
    """Cosine between objectives and preferences taken as directions; 0 for a row of zeros."""
    return torch.nn.functional.cosine_similarity(objectives, preferences.to(objectives), dim=-1, eps=TINY)


def _log_goal(objectives: Tensor, preferences: Tensor, floor: float) -> Tensor:
    slope = math.log(EDGE) / math.log(FOCUS)
    penalty = (slope * cosine(objectives, preferences).clamp(min=TINY).log()).clamp(min=LOWEST)
    return objectives.mean(dim=-1).clamp(min=floor).log() + penalty


class RewardScale:
    """What turns objectives into about [0, 1]: nothing where they are so already, else a range fixed early in a run.

    A law that changes while it is learned is never learned, so the range is fixed once: from the reference point, below
    which objectives are worth nothing, to the best seen in each objective among the first rows.

    Args:
        unit: Whether the problem's objectives are from 0 to 1 by themselves.
    """

    def __init__(self, unit: bool) -> None:
        self.low: Tensor | None = None
        self.span: Tensor | None = None
        self.unit = unit

    @property
    def fixed(self) -> bool:
        """Whether there is a scale."""
        return self.unit or self.low is not None

    def fix(self, objectives: Tensor, reference_point: Tensor) -> None:
        """Take the range from objectives `[n, m]`, n >= 1, and a reference point `[m]`, all maximised."""
        span = objectives.amax(dim=0) - reference_point
        self.low, self.span = reference_point, torch.where(span > 0, span, 1.0)

    def __call__(self, objectives: Tensor) -> Tensor:
        """Objectives `[..., m]` on the scale, at least 0; above 1 where they beat the best of the first rows."""
        if self.low is None or self.span is None:
            return objectives
        return ((objectives - self.low) / self.span).clamp(min=0)

    def state_dict(self) -> dict[str, Any]:
        """The range."""
        return {"low": self.low, "span": self.span}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a stored range."""
        self.low, self.span = state["low"], state["span"]
