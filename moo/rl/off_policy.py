"""Off-policy learners of stacked policies: what they have in common, and Q-learning."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from moo.rl.policies import StackedMLP, clip_each, stacked
from moo.rl.row_adam import RowAdam


class Samples(NamedTuple):
    """Transitions that k policies learn from, b each; v returns are estimated.

    Attributes:
        rows: Which policies these are, int64 `[k]`; None: all, in order.
        inputs: Of the policies' networks, `[k, b, i]`.
        following: The same after the step.
        beside: What critics see beside, `[k, b, e]`, or None.
        beside_following: The same after the step.
        legal: Legal actions, bool `[k, b, a]`, or None.
        legal_following: The same after the step.
        actions: Taken, int64 `[k, b]`, or from -1 to 1 `[k, b, a]`.
        rewards: `[k, b, v]`.
        ended: Nothing follows, bool `[k, b]`.
        weights: How much each return counts for each policy, `[k, v]`, summing to 1.
        discounts: Of what follows, from 0 to 1, `[k, b]`.
    """

    rows: Tensor | None
    inputs: Tensor
    following: Tensor
    beside: Tensor | None
    beside_following: Tensor | None
    legal: Tensor | None
    legal_following: Tensor | None
    actions: Tensor
    rewards: Tensor
    ended: Tensor
    weights: Tensor
    discounts: Tensor


def through(net: StackedMLP, rows: Tensor | None, inputs: Tensor) -> Tensor:
    """Outputs `[k, n, o]` of the networks numbered `rows` (None: all) at `[k, n, i]`; one network serves all."""
    weights, biases = list(net.weights), list(net.biases)
    if len(weights[0]) == 1:
        return stacked(weights, biases, inputs.flatten(0, 1)[None]).reshape(*inputs.shape[:2], -1)
    if rows is not None:
        weights, biases = ([part[rows] for part in parts] for parts in (weights, biases))
    return stacked(weights, biases, inputs)


def follow_slowly(targets: nn.Module, nets: nn.Module, share: float, rows: Tensor | None) -> None:
    """Move the target networks of policies `rows` (None: all) by so large a share towards the networks."""
    with torch.no_grad():
        for target, source in zip(targets.parameters(), nets.parameters(), strict=True):
            if rows is None:
                target.lerp_(source, share)
            else:
                target[rows] = target[rows].lerp(source[rows], share)


def scale_outputs(net: StackedMLP, factors: Tensor) -> None:
    """Multiply a network's outputs, grouped by `factors [v]`, so that it says the same in other units."""
    with torch.no_grad():
        for parameter in (net.weights[-1], net.biases[-1]):
            parameter.mul_(factors.to(parameter).repeat(parameter.shape[2] // len(factors)))


class Learner(nn.Module):
    """Stacked networks that learn from replayed transitions: a network for each policy, or one for all of them.

    Attributes:
        shared: Whether one network serves all policies.
    """

    def __init__(self, nets: int, values: int, said: SimpleNamespace) -> None:
        super().__init__()
        self.shared, self.nets, self.values_, self.said = nets == 1, nets, values, said
        self._optimisers: list[RowAdam] = []

    def behaviour(
        self, rows: Tensor | None, inputs: Tensor, legal: Tensor | None, weights: Tensor, stream: torch.Generator
    ) -> Tensor:
        """How policies `rows` (None: all) act at `inputs [k, n, i]`, `[k, n, a]`.

        The chances of discrete actions (float64), or continuous actions that were drawn, from -1 to 1.
        """
        raise NotImplementedError

    def expected(self, inputs: Tensor, legal: Tensor | None, weights: Tensor) -> Tensor:
        """The returns that the critics expect of all policies at `inputs [p, n, i]`, means over n: `[p, v]`."""
        raise NotImplementedError

    def improve(self, samples: Samples, stream: torch.Generator) -> None:
        """One gradient step."""
        raise NotImplementedError

    def rescale(self, factors: Tensor) -> None:
        """Let the critics say the same in units that are `1 / factors [v]` of the old."""
        raise NotImplementedError

    def actors(self, weights: Tensor) -> dict[str, Tensor]:
        """The policies as plain networks, `actor.weights.0` and so on, each `[p, ...]`."""
        raise NotImplementedError

    def which(self, samples: Samples) -> Tensor | None:
        """The numbers of the networks that samples teach; None: all."""
        return None if self.shared else samples.rows

    def descend(self, optimiser: RowAdam, loss: Tensor, rows: Tensor | None) -> None:
        """A step down the losses `[k]`, each network's gradient cut to its own length."""
        optimiser.zero_grad()
        total = loss.mean() if self.shared else loss.sum()
        total.backward()  # type: ignore[no-untyped-call]
        clip_each(optimiser.parameters, self.said.longest)
        optimiser.step(rows)

    def take_over(self, sources: Tensor) -> None:
        """Give each policy all that the one numbered `sources [p]` has learned."""
        with torch.no_grad():
            for part in self.state_dict().values():
                part.copy_(part[sources])
        for optimiser in self._optimisers:
            optimiser.take_over(sources)

    def whole_state(self) -> dict[str, Any]:
        """Networks, targets and optimisers."""
        return {"nets": dict(self.state_dict()), "adam": [each.state_dict() for each in self._optimisers]}

    def load_whole_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `whole_state` was taken."""
        self.load_state_dict(state["nets"])
        for optimiser, stored in zip(self._optimisers, state["adam"], strict=True):
            optimiser.load_state_dict(stored)


class DoubleQ(Learner):
    """Q-learning of vectors: a policy takes the action whose returns, weighed for it, are largest.

    The networks choose the action that follows, slowly following ones value it.

    Source: van Hasselt, Guez and Silver 2016 (1509.06461), with a value for each objective and targets that move by a
    share at a time.

    Args:
        nets: Networks: one for each policy, or 1 for all.
        inputs: Of a network.
        actions: a.
        values: Returns that are estimated, v.
        said: `learning_rate`, `hidden`, `layers`, `longest`, `target_share`.
        stream: Of the first weights.
    """

    def __init__(
        self, nets: int, inputs: int, actions: int, values: int, said: SimpleNamespace, stream: torch.Generator
    ) -> None:
        super().__init__(nets, values, said)
        sizes = [inputs, *[said.hidden] * said.layers, actions * values]
        self.critic, self.target = StackedMLP(nets, sizes, 0.1, stream), StackedMLP(nets, sizes, 0.1, stream)
        self.target.load_state_dict(self.critic.state_dict())
        self._optimisers = [RowAdam(list(self.critic.parameters()), said.learning_rate)]

    def returns(self, net: StackedMLP, rows: Tensor | None, inputs: Tensor) -> Tensor:
        """Returns of every action, `[k, n, a, v]`."""
        return apart(through(net, rows, inputs), self.values_)

    @torch.no_grad()
    def behaviour(
        self,
        rows: Tensor | None,
        inputs: Tensor,
        legal: Tensor | None,
        weights: Tensor,
        stream: torch.Generator,  # noqa: ARG002
    ) -> Tensor:
        own = None if self.shared else rows
        scores = among_legal(weighed(self.returns(self.critic, own, inputs), weights), legal)
        return nn.functional.one_hot(scores.argmax(dim=2), scores.shape[2]).to(torch.float64)

    @torch.no_grad()
    def expected(self, inputs: Tensor, legal: Tensor | None, weights: Tensor) -> Tensor:
        returns = self.returns(self.critic, None, inputs)
        best = among_legal(weighed(returns, weights), legal).argmax(dim=2)
        return of_action(returns, best).mean(dim=1)

    def improve(self, samples: Samples, stream: torch.Generator) -> None:  # noqa: ARG002
        rows = self.which(samples)
        with torch.no_grad():
            goals = self.goals(samples)
        found = of_action(self.returns(self.critic, rows, samples.inputs), samples.actions)
        self.descend(self._optimisers[0], misses(found, goals), rows)
        follow_slowly(self.target, self.critic, self.said.target_share, rows)

    def goals(self, samples: Samples) -> Tensor:
        """What the returns should be, `[k, b, v]`."""
        rows = self.which(samples)
        scores = weighed(self.returns(self.critic, rows, samples.following), samples.weights)
        best = among_legal(scores, samples.legal_following).argmax(dim=2)
        after = of_action(self.returns(self.target, rows, samples.following), best)
        return samples.rewards + (samples.discounts * ~samples.ended)[..., None] * after

    def rescale(self, factors: Tensor) -> None:
        for net in (self.critic, self.target):
            scale_outputs(net, factors)

    def actors(self, weights: Tensor) -> dict[str, Tensor]:
        """As in `Learner`: the last layer is weighed, so that a policy's logits are what its actions are worth."""
        p, layers = len(weights), len(self.critic.weights)
        rows = {}
        for kind, parts in (("weights", self.critic.weights), ("biases", self.critic.biases)):
            for number, part in enumerate(parts):
                own = part.detach().expand(p, -1, -1)
                if number == layers - 1:
                    own = weighed(apart(own, self.values_), weights)
                rows[f"actor.{kind}.{number}"] = own.clone()
        return rows


def apart(outputs: Tensor, values: int) -> Tensor:
    """Outputs `[k, n, a v]` of critics as returns of each action, `[k, n, a, v]`."""
    return outputs.reshape(*outputs.shape[:2], -1, values)


def weighed(returns: Tensor, weights: Tensor) -> Tensor:
    """Returns `[k, n, a, v]` weighed by `[k, v]`: `[k, n, a]`."""
    return torch.einsum("knav,kv->kna", returns, weights.to(returns))


def of_action(returns: Tensor, actions: Tensor) -> Tensor:
    """Of returns `[k, n, a, v]` those of actions `[k, n]`: `[k, n, v]`."""
    index = actions[..., None, None].expand(-1, -1, -1, returns.shape[3])
    return returns.gather(2, index).squeeze(2)


def among_legal(scores: Tensor, legal: Tensor | None) -> Tensor:
    """Scores `[k, n, a]`, minus infinity where illegal."""
    return scores if legal is None else scores.masked_fill(~legal, -torch.inf)


def misses(found: Tensor, goals: Tensor) -> Tensor:
    """Half the squared error of estimates `[k, b, v]`, summed over returns, mean over samples: `[k]`."""
    return 0.5 * (found - goals).square().sum(dim=2).mean(dim=1)
