"""Weights of reward functions, and how they move from one generation batch to the next.

Rewards are `[b, n]`: of all b completions of a generation batch, gathered from all processes, by n reward functions;
NaN where a function did not apply (TRL lets it return None). All of them are maximised. Everything here is float64 on
the CPU and the same on all processes. The mathematics is that of `moo.gradients` and `moo.rl`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from moo.adapters.trl.parts import check_memory, plain, read, running
from moo.checks import check_number, check_vector, unknown_name
from moo.gradients import (
    covariance_targets,
    covariances,
    exponentiated,
    influence,
    multiplier_step,
    multiplier_weights,
    raised,
)
from moo.gradients.constraints import SQUASHED
from moo.preferences import check_preferences


class Weighting:
    """How rewards become one: the weights of a generation batch, fixed before it is drawn and moved by it afterwards.

    So weights do not depend on the completions that they weigh, and all steps on a generation batch have the same.

    Args:
        preferences: One per reward function, at least 0, of sum 1. None: equal ones.

    Attributes:
        weights: `[n]`: what TRL multiplies rewards by, before or after it normalises them
            (`multi_objective_aggregation`).
        factor: What advantages are multiplied by after all normalisation.
    """

    def __init__(self, preferences: Sequence[float] | None = None) -> None:
        self._said = preferences
        self.factor = 1.0

    def start(self, num_objectives: int) -> None:
        """Begin a run with so many reward functions, whatever was before.

        Raises:
            TypeError, ValueError: What was said at the beginning does not fit their number.
        """
        said = [1 / num_objectives] * num_objectives if self._said is None else self._said
        self.preferences = check_preferences(said, num_objectives)[0]
        self.weights, self.factor = self.preferences.clone(), 1.0

    def advantages(self, rewards: Tensor, num_generations: int) -> Tensor | None:  # noqa: ARG002
        """Advantages `[b]` in place of TRL's, which are taken where this is None.

        Args:
            rewards: `[b, n]`, the completions of a prompt beside each other.
            num_generations: Completions of a prompt.
        """
        return None

    def see(self, rewards: Tensor) -> None:
        """Move the weights after a generation batch of rewards `[b, n]`."""

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` goes on from, of JSON's types."""
        return {"rule": type(self).__name__, "weights": plain(self.weights), "factor": self.factor}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken.

        Raises:
            ValueError: It is the state of another rule, or of another number of reward functions.
        """
        if state["rule"] != type(self).__name__:
            raise ValueError(
                f"The state should be that of {type(self).__name__}. Found {state['rule']}. "
                "Go on with the weighting that the run began with."
            )
        if len(state["weights"]) != len(self.weights):
            raise ValueError(
                f"The state should be that of {len(self.weights)} reward functions. Found {len(state['weights'])}."
            )
        self.weights, self.factor = read(state["weights"]), state["factor"]


class Fixed(Weighting):
    """Weights that do not move: TRL's own `reward_weights`, bit for bit.

    Args:
        reward_weights: One per reward function, taken as they are. None: ones.
    """

    def __init__(self, reward_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self._given = reward_weights

    def start(self, num_objectives: int) -> None:
        super().start(num_objectives)
        given = [1.0] * num_objectives if self._given is None else self._given
        self.weights = check_vector("reward_weights", given, num_objectives)


class Influence(Weighting):
    """A weight grows with its objective's influence: `w_i <- w_i exp(rate I_i)`, normalised, at least `floor`.

    `I_i` is the inner product of the policy gradient of reward i alone with the sum of all of them. These gradients
    cost a pass forward and n backward more over each generation batch.

    Source: Lu et al. 2025 (Dynamic Reward Weighting, 2509.11452), whose rate is the learning rate over mu, .1 or .01.
    They move the weights before the batch is learned from, here it is afterwards; the floor is ours.

    Args:
        preferences: The first weights, of sum 1. None: equal ones.
        rate: At least 0. Influences have the unit of squared gradients.
        floor: Least weight, from 0 to 1 / n.
        held_out: The two factors of the influence come from the even and from the odd prompts of the batch, so that a
            gradient's noise does not count as its influence.
        relative: Influences are divided by the mean squared length of the gradients, so that a rate means the same for
            models of every size. Ours.
        layers: Names of parameters, or what stands before a dot in them, by which gradients are taken. None: all that
            are trained. The paper takes the middle layers.
    """

    def __init__(
        self,
        preferences: Sequence[float] | None = None,
        rate: float = 0.1,
        floor: float = 0.05,
        *,
        held_out: bool = False,
        relative: bool = False,
        layers: Sequence[str] | None = None,
    ) -> None:
        super().__init__(preferences)
        self.rate, self.floor = check_number("rate", rate, "the step of the weights", zero=True), floor
        self.held_out, self.relative, self.layers = held_out, relative, layers

    def start(self, num_objectives: int) -> None:
        super().start(num_objectives)
        self.weights = raised(self.weights, self.floor)

    def see_gram(self, gram: Tensor) -> None:
        """Move the weights after a generation batch, by the Gram matrix `[n, n]` of the rewards' policy gradients."""
        gains = influence(gram)
        if self.relative:
            size = gram.diagonal().mean()
            gains = gains / torch.where(size > 0, size, 1.0)
        self.weights = exponentiated(self.weights, gains, self.rate, self.floor)


class CovarianceTargets(Weighting):
    """Weights of rewards grow while their covariance with the weighted sum falls short of a target.

    Source: Lu et al. 2026 (CTWA, 2602.06869): `w_i <- w_i exp(rate max(target_i - covariance_i, 0))`. No gradients are
    needed. Covariances are running means, of the completions for which a function has a reward.

    Args:
        targets: One per reward function, in the unit of its reward times that of the weighted sum.
        preferences: The first weights, of sum 1. None: equal ones.
        rate: At least 0.
        floor: Least weight, from 0 to 1 / n.
        memory: Share of the old mean covariance that a new one keeps, from 0 to below 1.
    """

    def __init__(
        self,
        targets: Sequence[float],
        preferences: Sequence[float] | None = None,
        rate: float = 0.05,
        floor: float = 0.05,
        memory: float = 0.8,
    ) -> None:
        super().__init__(preferences)
        self.rate = check_number("rate", rate, "the step of the weights", zero=True)
        self._targets, self.floor = targets, floor
        self.memory = check_memory(memory)

    def start(self, num_objectives: int) -> None:
        super().start(num_objectives)
        self.targets = check_vector("targets", self._targets, num_objectives)
        self.weights = raised(self.weights, self.floor)
        self.covariances = torch.full_like(self.weights, math.nan)

    def see(self, rewards: Tensor) -> None:
        scores = (rewards * self.weights).nansum(dim=1)
        self.covariances = running(self.covariances, _covariances(rewards, scores), self.memory)
        reached = torch.where(self.covariances.isnan(), self.targets, self.covariances)  # never seen: nothing is short
        self.weights = covariance_targets(reached, self.weights, self.targets, self.rate, self.floor)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "covariances": plain(self.covariances)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.covariances = read(state["covariances"])


class Multipliers(Weighting):
    """Rewards that are to reach thresholds have Lagrange multipliers, which grow while their means are below.

    Of c thresholds the multipliers are the weights of the functions that have one; the others share what is left of c
    by their preferences.

    Source: Moskovitz et al. 2024 (constrained RLHF, 2310.04373, ICLR), whose rate is .01; they add momentum.

    Args:
        thresholds: One per reward function, in the unit of its reward; None for those that are maximised.
        preferences: Of sum 1; those of functions with a threshold do not count. None: equal ones.
        rate: At least 0: of the multipliers, in the unit of 1 / reward.
        squash: `"sigmoid"`: at least the threshold is wanted. `"tanh"`: the threshold itself; what is above it is
            pushed back, with a negative weight. `"identity"`: the multiplier itself, at least 0.
    """

    def __init__(
        self,
        thresholds: Sequence[float | None],
        preferences: Sequence[float] | None = None,
        rate: float = 1e-2,
        squash: str = "sigmoid",
    ) -> None:
        super().__init__(preferences)
        if squash not in SQUASHED:
            raise ValueError(unknown_name("form of multipliers", squash, SQUASHED))
        self.rate = check_number("rate", rate, "the step of the multipliers", zero=True)
        self._thresholds, self.squash = list(thresholds), squash

    def start(self, num_objectives: int) -> None:
        super().start(num_objectives)
        said = [math.nan if one is None else float(one) for one in self._thresholds]
        self.held = torch.tensor([not math.isnan(one) for one in said])
        if len(said) != num_objectives or not self.held.any() or self.held.all():
            raise ValueError(
                f"`thresholds` should have an entry for each of {num_objectives} reward functions, None for those that "
                f"are maximised, at least one of either. Found {self._thresholds}."
            )
        free = torch.where(self.held, 0.0, self.preferences)
        if free.sum() == 0:
            raise ValueError(
                "`preferences` should be above 0 for a reward function without a threshold. "
                f"Found {self.preferences.tolist()}."
            )
        self.thresholds = check_vector("thresholds", [one for one in said if not math.isnan(one)], int(self.held.sum()))
        self._shares = free / free.sum()
        self.multipliers = torch.zeros_like(self.thresholds)
        self._weigh()

    def see(self, rewards: Tensor) -> None:
        values = rewards.nanmean(dim=0)[self.held]
        values = torch.where(values.isnan(), self.thresholds, values)  # not seen: nothing moves
        self.multipliers = multiplier_step(self.multipliers, values, self.thresholds, self.rate)
        self._weigh()

    def _weigh(self) -> None:
        found = multiplier_weights(self.multipliers, self.squash)
        self.weights = found[0] * self._shares
        self.weights[self.held] = found[1:]

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "multipliers": plain(self.multipliers)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.multipliers = read(state["multipliers"])


def _covariances(rewards: Tensor, scores: Tensor) -> Tensor:
    """Those of each reward with the scores, over the completions that have it, `[n]`; NaN where none has."""
    found = torch.full_like(rewards[0], math.nan)
    for i, column in enumerate(rewards.T):
        known = ~column.isnan()
        if known.any():
            found[i] = covariances(column[known, None], scores[known])[0]
    return found
