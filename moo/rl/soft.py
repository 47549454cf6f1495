"""Soft actor-critic of stacked policies with vector critics, for discrete and for continuous actions."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from moo.rl.off_policy import Learner, Samples, apart, follow_slowly, misses, of_action, scale_outputs, through, weighed
from moo.rl.policies import Law, StackedMLP, law_of
from moo.rl.row_adam import RowAdam

LEAST_LOG_STD, MOST_LOG_STD = -4.0, 1.0
FIRST_TEMPERATURE = 0.05


class Drawn(NamedTuple):
    """Actions of k policies, n each, through which gradients go.

    Attributes:
        actions: From -1 to 1, `[k, n, a]`.
        log_chance: Their log-density, `[k, n]`.
    """

    actions: Tensor
    log_chance: Tensor


def squashed(law: Law, generator: torch.Generator) -> Drawn:
    """The hyperbolic tangent of a Gaussian's actions, and their log-density.

    `log(1 - tanh(u)^2)` is computed as `2 (log 2 - u - softplus(-2 u))`, which does not overflow.
    """
    raw = law.draw(generator)
    correction = 2 * (math.log(2) - raw - nn.functional.softplus(-2 * raw))
    return Drawn(torch.tanh(raw), law.log_chance(raw) - correction.sum(dim=2))


class Soft(Learner):
    """An actor and two critics of vectors for each policy, off-policy.

    The critics estimate the returns and, as one more value, the entropy still to come; so the returns are those of the
    policy, not mixed with its entropy, and may be weighed anew for another preference at any time. Of the two critics
    the one counts, action by action, that says less when weighed for the policy. The temperature moves so that the
    policy's entropy is that of an even choice among `1 + spread (a - 1)` of a actions, or of `spread` of each range.

    Source: Haarnoja, Zhou, Abbeel and Levine 2018 (1801.01290), with the temperature of 1812.05905; for discrete
    actions Christodoulou 2019 (1910.07207). There the entropy is part of the one value, and a Gaussian's width depends
    on the observation; here each policy has one width for each action.

    Args:
        nets: Networks: one for each policy, or 1 for all.
        inputs: Of an actor.
        beside: Columns that critics see beside.
        actions: Of a discrete choice, or columns of continuous actions.
        discrete: Which of the two.
        values: Returns that are estimated, v, without the entropy.
        said: `learning_rate`, `hidden`, `layers`, `longest`, `target_share`, `spread`.
        stream: Of the first weights.
    """

    def __init__(
        self,
        nets: int,
        inputs: int,
        beside: int,
        actions: int,
        discrete: bool,
        values: int,
        said: SimpleNamespace,
        stream: torch.Generator,
    ) -> None:
        super().__init__(nets, values, said)
        between = [said.hidden] * said.layers
        seen = inputs + beside + (0 if discrete else actions)
        outputs = (values + 1) * (actions if discrete else 1)

        def two() -> nn.ModuleList:
            return nn.ModuleList([StackedMLP(nets, [seen, *between, outputs], 0.1, stream) for _ in range(2)])

        self.actor = StackedMLP(nets, [inputs, *between, actions], 0.01, stream)
        self.critics, self.targets = two(), two()
        self.targets.load_state_dict(self.critics.state_dict())
        self.log_std = None if discrete else nn.Parameter(torch.zeros(nets, 1, actions))
        self.log_temperature = nn.Parameter(torch.full((nets, 1), math.log(FIRST_TEMPERATURE)))
        policy = [*self.actor.parameters(), *([] if self.log_std is None else [self.log_std])]
        parts = (list(self.critics.parameters()), policy, [self.log_temperature])
        self._optimisers = [RowAdam(part, said.learning_rate) for part in parts]

    # ------------------------------------------------------------------------------------------ what is said
    def law(self, rows: Tensor | None, inputs: Tensor, legal: Tensor | None) -> Law:
        """The laws of actions at `inputs [k, n, i]`."""
        log_std: Tensor | None = self.log_std
        if log_std is not None:
            log_std = (log_std if rows is None else log_std[rows]).clamp(LEAST_LOG_STD, MOST_LOG_STD)
        return law_of(through(self.actor, rows, inputs), legal, log_std)

    @torch.no_grad()
    def behaviour(
        self,
        rows: Tensor | None,
        inputs: Tensor,
        legal: Tensor | None,
        weights: Tensor,  # noqa: ARG002
        stream: torch.Generator,
    ) -> Tensor:
        law = self.law(None if self.shared else rows, inputs, legal)
        return law.logits.to(torch.float64).exp() if law.log_std is None else squashed(law, stream).actions

    def least(
        self, critics: nn.ModuleList, rows: Tensor | None, seen: Tensor, weights: Tensor, temperature: Tensor
    ) -> Tensor:
        """Returns and entropy of every action, `[k, n, a, v + 1]` (a is 1 where actions are seen), by the lower critic.

        Args:
            critics: Two.
            rows: Of the networks.
            seen: Inputs of the critics, `[k, n, ...]`.
            weights: Of the returns, `[k, v]`.
            temperature: Of the entropy, `[k, 1]`.
        """
        one, other = (apart(through(cast(StackedMLP, critic), rows, seen), self.values_ + 1) for critic in critics)
        both = torch.cat([weights.to(one), temperature.expand(len(weights), 1).to(one)], dim=1)
        return torch.where((weighed(one, both) <= weighed(other, both))[..., None], one, other)

    @torch.no_grad()
    def expected(self, inputs: Tensor, legal: Tensor | None, weights: Tensor) -> Tensor:
        law = self.law(None, inputs, legal)
        temperature = self.log_temperature.exp()
        if law.log_std is None:
            returns = self.least(self.critics, None, inputs, weights, temperature)
            return (law.logits.exp()[..., None] * returns).sum(dim=2).mean(dim=1)[:, : self.values_]
        seen = torch.cat([inputs, torch.tanh(law.logits)], dim=2)
        return self.least(self.critics, None, seen, weights, temperature).mean(dim=(1, 2))[:, : self.values_]

    # ------------------------------------------------------------------------------------------ learning
    def improve(self, samples: Samples, stream: torch.Generator) -> None:
        rows = self.which(samples)
        temperature = self.log_temperature.detach().exp() if rows is None else self.log_temperature[rows].detach().exp()
        with torch.no_grad():
            goals = self.goals(samples, temperature, stream)
        losses = [misses(self._said_by(cast(StackedMLP, critic), rows, samples), goals) for critic in self.critics]
        self.descend(self._optimisers[0], losses[0] + losses[1], rows)
        worth, entropy, wanted = self.worth(samples, temperature, stream)
        self.descend(self._optimisers[1], -(worth + temperature.flatten() * entropy), rows)
        log_temperature = self.log_temperature if rows is None else self.log_temperature[rows]
        self.descend(self._optimisers[2], log_temperature.flatten() * (entropy.detach() - wanted), rows)
        follow_slowly(self.targets, self.critics, self.said.target_share, rows)

    def goals(self, samples: Samples, temperature: Tensor, stream: torch.Generator) -> Tensor:
        """What returns and entropy should be, `[k, b, v + 1]`."""
        rows, after = self.which(samples), samples.following
        law = self.law(rows, after, samples.legal_following)
        seen = after if samples.beside_following is None else torch.cat([after, samples.beside_following], dim=2)
        if law.log_std is None:
            returns = self.least(self.targets, rows, seen, samples.weights, temperature)
            value, entropy = (law.logits.exp()[..., None] * returns).sum(dim=2), law.entropy()
        else:
            drawn = squashed(law, stream)
            seen = torch.cat([seen, drawn.actions], dim=2)
            value = self.least(self.targets, rows, seen, samples.weights, temperature).squeeze(2)
            entropy = -drawn.log_chance
        value = torch.cat([value[..., :-1], value[..., -1:] + entropy[..., None]], dim=2)
        rewards = torch.cat([samples.rewards, torch.zeros_like(samples.rewards[..., :1])], dim=2)
        return rewards + (samples.discounts * ~samples.ended)[..., None] * value

    def _said_by(self, critic: StackedMLP, rows: Tensor | None, samples: Samples) -> Tensor:
        """What a critic says of the actions taken, `[k, b, v + 1]`."""
        parts = [samples.inputs, *([] if samples.beside is None else [samples.beside])]
        if self.log_std is not None:
            return through(critic, rows, torch.cat([*parts, samples.actions], dim=2))
        returns = apart(through(critic, rows, torch.cat(parts, dim=2)), self.values_ + 1)
        return of_action(returns, samples.actions)

    def worth(self, samples: Samples, temperature: Tensor, stream: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """What the policies' own actions are worth with the entropy that follows, their entropy now, and that wanted.

        All `[k]`, means over samples; gradients go to the actors through the first two.
        """
        rows = self.which(samples)
        law = self.law(rows, samples.inputs, samples.legal)
        seen = torch.cat([samples.inputs, *([] if samples.beside is None else [samples.beside])], dim=2)
        both = torch.cat([samples.weights.to(seen), temperature.expand(len(samples.weights), 1)], dim=1)
        if law.log_std is None:
            with torch.no_grad():
                returns = self.least(self.critics, rows, seen, samples.weights, temperature)
            worth = (law.logits.exp() * weighed(returns, both)).sum(dim=2)
            count = torch.full_like(worth, law.logits.shape[2]) if samples.legal is None else samples.legal.sum(dim=2)
            wanted = (1 + self.said.spread * (count - 1)).log()
            return worth.mean(dim=1), law.entropy().mean(dim=1), wanted.mean(dim=1)
        drawn = squashed(law, stream)
        seen = torch.cat([seen, drawn.actions], dim=2)
        worth = weighed(self.least(self.critics, rows, seen, samples.weights, temperature), both).squeeze(2)
        entropy = -drawn.log_chance.mean(dim=1)
        wanted = torch.full_like(entropy, law.logits.shape[2] * math.log(2 * max(self.said.spread, 1e-3)))
        return worth.mean(dim=1), entropy, wanted

    # ------------------------------------------------------------------------------------------ rows
    def rescale(self, factors: Tensor) -> None:
        with_entropy = torch.cat([factors, torch.ones_like(factors[:1])])
        for critic in [*self.critics, *self.targets]:
            scale_outputs(cast(StackedMLP, critic), with_entropy)

    def actors(self, weights: Tensor) -> dict[str, Tensor]:
        p = len(weights)
        kept = {f"actor.{name}": part for name, part in self.actor.state_dict().items()}
        if self.log_std is not None:
            kept["log_std"] = self.log_std.detach().clamp(LEAST_LOG_STD, MOST_LOG_STD)
        return {name: part.expand(p, -1, -1).clone() for name, part in kept.items()}
