"""Stacked policies: many small networks of one shape, computed by one batched product a layer.

Every parameter has the policies as its first dimension, so gradients of a sum over policies are those of each alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from moo.base import Candidates
from moo.space import Space

MOST_LEVELS = 64  # of a whole-number column that is shown one-hot
LEARNING = ("critic", "scale", "count")  # what of a policy only learning needs
WIDEST = 1e5  # a real column with a bound beyond this has no range to speak of


class Observer:
    """Observations as networks take them, `[n, inputs]` in float32.

    Categorical columns and whole numbers of at most 64 levels are one-hot; the others are scaled to [-1, 1], but for
    those whose bounds say nothing (`WIDEST`), which are shown as they are.

    Attributes:
        inputs: How many columns these are.
        unscaled: Whether some are shown as they are.
    """

    def __init__(self, space: Space) -> None:
        sizes = [int(column.high - column.low) + 1 for column in space.columns]
        most = {"real": 0, "integer": MOST_LEVELS, "categorical": math.inf}
        hot = [size <= most[column.kind] for size, column in zip(sizes, space.columns, strict=True)]
        self._hot = [i for i, flag in enumerate(hot) if flag]
        self._scaled = [i for i, flag in enumerate(hot) if not flag]
        firsts = torch.tensor([0, *(sizes[i] for i in self._hot)]).cumsum(0)
        self._first, self._levels = firsts[:-1], int(firsts[-1])
        wide = torch.maximum(space.lower.abs(), space.upper.abs()) >= WIDEST
        wide &= torch.tensor([column.kind == "real" for column in space.columns])
        self.unscaled = bool(wide.any())
        self._lower, self._upper = torch.where(wide, -1.0, space.lower), torch.where(wide, 1.0, space.upper)
        self.inputs = self._levels + len(self._scaled)

    def __call__(self, observations: Tensor) -> Tensor:
        """Rows `[n, o]` as `[n, inputs]`."""
        device, n = observations.device, len(observations)
        shown = torch.zeros(n, self.inputs, device=device)
        if self._hot:
            levels = observations[:, self._hot].to(torch.int64) - self._lower[self._hot].to(device).long()
            shown.scatter_(1, levels + self._first.to(device), 1.0)
        if self._scaled:
            low, high = (bound[self._scaled].to(observations) for bound in (self._lower, self._upper))
            shown[:, self._levels :] = (2 * (observations[:, self._scaled] - low) / (high - low) - 1).float()
        return shown


class StackedMLP(nn.Module):
    """Perceptrons side by side, tanh between their layers.

    Args:
        policies: How many, p.
        sizes: Of the layers, inputs and outputs included.
        last: Gain of the last layer's orthogonal first weights; that of the others is the square root of 2.
        generator: Of the first weights.
    """

    def __init__(self, policies: int, sizes: Sequence[int], last: float, generator: torch.Generator) -> None:
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for number, (inputs, outputs) in enumerate(pairwise(sizes)):
            gain = last if number == len(sizes) - 2 else 2**0.5
            weight = torch.empty(policies, inputs, outputs)
            for one in weight:
                nn.init.orthogonal_(one, gain, generator=generator)
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(torch.zeros(policies, 1, outputs)))

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs `[p, n, o]` of `[p, n, i]`."""
        return stacked(list(self.weights), list(self.biases), inputs)


def stacked(weights: Sequence[Tensor], biases: Sequence[Tensor], inputs: Tensor) -> Tensor:
    """Perceptrons with `weights [p, i, o]` and `biases [p, 1, o]` of each layer, at inputs `[p, n, i]`."""
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        inputs = torch.baddbmm(bias, torch.tanh(inputs) if number else inputs, weight)
    return inputs


class Law(NamedTuple):
    """The laws of actions of p policies at n observations each.

    Attributes:
        logits: Log-chances of discrete actions `[p, n, a]`, -1e9 where illegal, or means of continuous ones.
        log_std: Of continuous actions `[p, 1, a]`; None: they are discrete.
    """

    logits: Tensor
    log_std: Tensor | None

    def draw(self, generator: torch.Generator) -> Tensor:
        """One action each, `[p, n]` or `[p, n, a]`, drawn on the CPU."""
        flat = self.logits.flatten(0, 1)
        if self.log_std is None:
            drawn = torch.multinomial(flat.exp().cpu(), 1, generator=generator)
            return drawn.reshape(self.logits.shape[:-1]).to(flat.device)
        noise = torch.randn(self.logits.shape, generator=generator).to(flat.device)
        return self.logits + self.log_std.exp() * noise

    def mode(self) -> Tensor:
        """The most likely actions, `[p, n]` or `[p, n, a]`."""
        return self.logits.argmax(dim=2) if self.log_std is None else self.logits

    def log_chance(self, actions: Tensor) -> Tensor:
        """Log-chance or log-density of actions, `[p, n]`."""
        if self.log_std is None:
            return self.logits.gather(2, actions[..., None]).squeeze(2)
        z = (actions - self.logits) / self.log_std.exp()
        return (-0.5 * z.square() - self.log_std - 0.5 * math.log(2 * math.pi)).sum(dim=2)

    def entropy(self) -> Tensor:
        """Entropy of each law, `[p, n]`."""
        if self.log_std is None:
            return -(self.logits.exp() * self.logits).sum(dim=2)
        return (self.log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(dim=2).expand(self.logits.shape[:2])

    def divergence(self, other: Law) -> Tensor:
        """Kullback-Leibler divergence from this law to another, `[p, n]`."""
        if self.log_std is None or other.log_std is None:
            return (self.logits.exp() * (self.logits - other.logits)).sum(dim=2)
        spread = (2 * (self.log_std - other.log_std)).exp()
        gap = ((self.logits - other.logits) / other.log_std.exp()).square()
        return (other.log_std - self.log_std + 0.5 * (spread + gap - 1)).sum(dim=2)


class ActorCritic(nn.Module):
    """Policies with vector critics, side by side. The critic estimates the expected return of each objective.

    Args:
        policies: How many, p.
        inputs: Of the networks.
        action_space: One categorical column, or real ones: Gaussians with a standard deviation of their own.
        values: Returns that the critic estimates, the objectives and what else is rewarded.
        hidden: Units of a layer.
        layers: Hidden ones.
        generator: Of the first weights.
        standardised: So many of the first columns of inputs the networks see by the mean and spread of what their
            policy has seen so far.

    Attributes:
        policies: How many.
        scale: What the critics' outputs are multiplied by, `[p, 1, values]`; `rescale` changes it and no estimate.
    """

    def __init__(
        self,
        policies: int,
        inputs: int,
        action_space: Space,
        values: int,
        hidden: int,
        layers: int,
        generator: torch.Generator,
        standardised: int = 0,
    ) -> None:
        super().__init__()
        self.policies = policies
        discrete = action_space.kinds == {"categorical"}
        outputs = int(action_space.size) if discrete else action_space.dim
        between = [hidden] * layers
        self.actor = StackedMLP(policies, [inputs, *between, outputs], 0.01, generator)
        self.critic = StackedMLP(policies, [inputs, *between, values], 1.0, generator)
        self.log_std = None if discrete else nn.Parameter(torch.zeros(policies, 1, outputs))
        self.scale: Tensor
        self.register_buffer("scale", torch.ones(policies, 1, values))
        self.centre: Tensor | None
        self.variance: Tensor
        self.count: Tensor
        first = torch.zeros(policies, 1, standardised, dtype=torch.float64) if standardised else None
        self.register_buffer("centre", first)
        if first is not None:
            self.register_buffer("variance", torch.ones_like(first))
            self.register_buffer("count", torch.zeros(policies, 1, 1, dtype=torch.float64))

    def law(self, inputs: Tensor, mask: Tensor | None) -> Law:
        """The laws of actions at inputs `[p, n, i]`, of `mask [p, n, a]` legal ones or None."""
        return law_of(self.actor(self._shown(inputs)), mask, self.log_std)

    def values(self, inputs: Tensor) -> Tensor:
        """Expected returns, `[p, n, values]`."""
        return self.scaled_values(inputs) * self.scale

    def scaled_values(self, inputs: Tensor) -> Tensor:
        """Expected returns in units of `scale`."""
        estimates: Tensor = self.critic(self._shown(inputs))
        return estimates

    def _shown(self, inputs: Tensor) -> Tensor:
        return inputs if self.centre is None else by_mean_and_spread(inputs, self.centre, self.variance)

    def see(self, inputs: Tensor, live: Tensor) -> None:
        """Take inputs `[p, b, i]`, those that are `live [p, b]`, into what the networks standardise by.

        That changes what policies do. So it is done between an update and the next window, never within one.

        Source: Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance", for the joint variance.
        """
        if self.centre is None:
            return
        rows, lives = inputs[:, :, : self.centre.shape[2]].to(self.centre), live[..., None].to(self.centre)
        count = lives.sum(dim=1, keepdim=True)
        mean = (rows * lives).sum(dim=1, keepdim=True) / count.clamp(min=1)
        squares = ((rows - mean).square() * lives).sum(dim=1, keepdim=True)
        total = (self.count + count).clamp(min=1)
        gap = mean - self.centre
        before = torch.where(self.count > 0, self.variance * self.count, 0.0)
        variance = (before + squares + gap.square() * self.count * count / total) / total
        self.variance.copy_(torch.where(self.count + count > 0, variance, self.variance))
        self.centre.add_(gap * count / total)
        self.count.add_(count)

    def rescale(self, scale: Tensor) -> None:
        """Change the unit of the critics' outputs, and keep what they say.

        Source: van Hasselt, Guez, Hessel, Mnih and Silver 2016 (1602.07714), without the shift.
        """
        with torch.no_grad():
            for parameters in (self.critic.weights, self.critic.biases):
                parameters[-1].mul_(self.scale / scale)
            self.scale.copy_(scale)

    def rows(self, which: Tensor | None = None, *, actor_alone: bool = False) -> dict[str, Tensor]:
        """Copies of what policies `which` (None: all) consist of, by name, each `[k, ...]`."""
        left_out = LEARNING if actor_alone else ()
        kept = {name: part for name, part in self.state_dict().items() if not name.startswith(left_out)}
        return {name: part.clone() if which is None else part[which].clone() for name, part in kept.items()}

    def load_rows(self, rows: Mapping[str, Tensor]) -> None:
        """Take over what as many policies consist of."""
        self.load_state_dict(dict(rows))


def by_mean_and_spread(inputs: Tensor, centre: Tensor, variance: Tensor) -> Tensor:
    """Inputs `[p, n, i]` whose first columns, as many as `centre [p, 1, k]` has, are standardised and cut to 10."""
    k, spread = centre.shape[2], (variance + 1e-8).sqrt()
    first = ((inputs[:, :, :k] - centre.to(inputs)) / spread.to(inputs)).clamp(-10, 10)
    return first if k == inputs.shape[2] else torch.cat([first, inputs[:, :, k:]], dim=2)


def law_of(logits: Tensor, mask: Tensor | None, log_std: Tensor | None) -> Law:
    """The law that a network's outputs `[p, n, a]` stand for."""
    if log_std is not None:
        return Law(logits, log_std)
    if mask is not None:
        logits = logits.masked_fill(~mask, -1e9)
    return Law(logits.log_softmax(dim=2), None)


def act_rows(
    candidates: Candidates,
    observations: Tensor,
    mask: Tensor | None,
    observer: Observer,
    generator: torch.Generator,
) -> Tensor:
    """One action of each candidate, `[n]` or Gaussian `[n, a]`, by the actors that stand in `parameters.*`.

    Rows of one policy that follow each other share its weights.
    """
    _, counts = torch.unique_consecutive(candidates.solutions[:, 0], return_counts=True)
    each = int(counts[0]) if bool((counts == counts[0]).all()) else 1
    groups = len(candidates) // each
    rows = candidates.extras
    device, layers = observations.device, sum(name.startswith("parameters.actor.weights") for name in rows)

    def parameters(name: str) -> Tensor:
        chosen: Tensor = rows[f"parameters.{name}"][::each].to(device)
        return chosen

    weights, biases = ([parameters(f"actor.{kind}.{i}") for i in range(layers)] for kind in ("weights", "biases"))
    log_std = parameters("log_std") if "parameters.log_std" in rows else None
    inputs = observer(observations).reshape(groups, each, -1)
    if "parameters.centre" in rows:
        inputs = by_mean_and_spread(inputs, parameters("centre"), parameters("variance"))
    legal = None if mask is None else mask.reshape(groups, each, -1)
    law = law_of(stacked(weights, biases, inputs), legal, log_std)
    actions = law.draw(generator)
    if "parameters.greedy" in rows:
        greedy = parameters("greedy").reshape(-1, *[1] * (actions.ndim - 1))
        actions = torch.where(greedy, law.mode(), actions)
    return actions.flatten(0, 1)


def clip_each(parameters: Sequence[nn.Parameter], longest: float) -> None:
    """Scale down each policy's gradient, over all parameters, to a norm of at most `longest`."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    squares = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients]).sum(dim=0)
    factors = (longest / (squares.sqrt() + 1e-6)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(factors.reshape(-1, *[1] * (gradient.ndim - 1)))
