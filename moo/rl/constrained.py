"""Constrained updates of stacked policies: raise one return while the others stay above given values.

Two solvers: logarithmic barriers in the loss, and steps within a trust region under linearised constraints.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from moo.rl.policies import ActorCritic, Law
from moo.rl.ppo import Batch, Objective, clipped
from moo.rl.returns import standardised

CONJUGATE_STEPS = 10
HALVINGS = 10
DAMPING = 0.01  # added to the Fisher matrix
LEEWAY = 1.5  # times the radius: how large a step's divergence may turn out, which is its square only to second order
ROUNDING = 1e-9
PARALLEL = 1e-6  # share of a gradient's square below which what is left of it is taken for rounding


class Task(NamedTuple):
    """What each of p policies is to do, of m returns.

    Attributes:
        goals: The return that is raised, `[p]`.
        least: What the others must not fall below, `[p, m]`.
        returns: Of the policies that collected the batch, `[p, m]`.
        span: The unit of each return in which constraints are weighed against each other, `[m]`.
    """

    goals: Tensor
    least: Tensor
    returns: Tensor
    span: Tensor


class Surrogates:
    """What a change of the chances of a batch's actions does to the returns, to first order.

    Attributes:
        raised: The goals, bool `[p, m]`.
        slack: By how much the returns are above what they must be, in units of the span, `[p, m]`.
    """

    def __init__(self, batch: Batch, task: Task) -> None:
        device = batch.weights.device
        goals, least, returns, span = (part.to(device) for part in task)
        m = returns.shape[1]
        self._weights = batch.weights
        self._length = (batch.counted / batch.episodes)[:, None]
        self._gains = torch.stack([standardised(batch.advantages[:, :, i], batch.weights) for i in range(m)], dim=2)
        self._steps = batch.advantages[:, :, :m] * batch.discounts[..., None] / span
        self.raised = nn.functional.one_hot(goals, m).bool()
        self.slack = (returns - least) / span

    def gains(self, ratios: Tensor, rows: Tensor | slice, clip: float) -> Tensor:
        """PPO's surrogate of every return, advantages standardised, `[p, m]`."""
        return _each(ratios, self._gains[:, rows], self._weights[:, rows], clip)

    def room(self, ratios: Tensor, rows: Tensor | slice, clip: float) -> Tensor:
        """The slack after the change, `[p, m]`; changes beyond the clip count where they are for the worse."""
        steps, weights = self._steps[:, rows], self._weights[:, rows]
        change = _each(ratios, steps, weights, clip) - _each(torch.ones_like(ratios), steps, weights, clip)
        return self.slack + self._length * change


def _each(ratios: Tensor, gains: Tensor, weights: Tensor, clip: float) -> Tensor:
    columns = [clipped(ratios, gains[:, :, i], weights, clip) for i in range(gains.shape[2])]
    return torch.stack(columns, dim=1)


def interior_point(batch: Batch, task: Task, barrier: float, clip: float) -> Objective:
    """The surrogate of one return and logarithmic barriers of the others; where some are too low, the sum of those.

    Source: the barriers of Liu, Ding and Liu 2020 (IPO, 1910.09615), as C-MORL uses them. There the slack of an
    infeasible policy is cut off, which leaves it without a gradient; here it recovers.

    Args:
        batch: What was collected.
        task: For each policy.
        barrier: t: each barrier is `log(slack) / t`.
        clip: As in PPO.
    """
    surrogates = Surrogates(batch, task)

    def objective(ratios: Tensor, rows: Tensor) -> Tensor:
        gains, room = surrogates.gains(ratios, rows, clip), surrogates.room(ratios, rows, clip)
        low = (room <= 0) & ~surrogates.raised
        barriers = room.clamp(min=1e-6).log().masked_fill(surrogates.raised, 0.0).sum(dim=1) / barrier
        raised = gains.masked_fill(~surrogates.raised, 0.0).sum(dim=1)
        return torch.where(low.any(dim=1), gains.masked_fill(~low, 0.0).sum(dim=1), raised + barriers)

    return objective


def trust_region(net: ActorCritic, batch: Batch, task: Task, radius: float) -> Tensor:
    """Take the step that raises one return most, within a divergence and under the linearised constraints.

    Where no step satisfies the constraints, the returns that are too low are raised. A step is halved until the
    divergence is kept, what it is for has risen, and no constraint is broken further; else it is not taken. It is for
    the returns that are too low, where there are any, even if the goal falls.

    Source: constrained policy optimization, Achiam, Held, Tamar and Abbeel 2017 (1705.10528), here for any number of
    constraints.

    Args:
        net: The policies, changed in place; their critics are left alone.
        batch: What they collected.
        task: For each policy.
        radius: Mean Kullback-Leibler divergence from the policies before, to second order; by as much as half of it,
            the true one may be larger.

    Returns:
        Which policies moved, bool `[p]`.
    """
    surrogates, actor = Surrogates(batch, task), Actor(net, batch)
    raised, slack = surrogates.raised, surrogates.slack

    def room() -> Tensor:
        return surrogates.room(actor.ratios(), slice(None), float("inf"))

    now = room()
    gradients = torch.stack([actor.gradient(now[:, i].sum()) for i in range(now.shape[1])], dim=1)
    solved = torch.stack([conjugate_gradients(actor.fisher, g) for g in gradients.unbind(dim=1)], dim=1)
    mix = best_mix(gradients @ solved.transpose(1, 2), slack, raised, radius)
    step = (mix[:, None].to(solved) @ solved).squeeze(1)
    low = (slack < 0) & ~raised
    aims = torch.where(low.any(dim=1, keepdim=True), low, raised)

    start, size = actor.position(), torch.ones(len(step), 1, device=step.device, dtype=step.dtype)
    moved = torch.zeros(len(step), dtype=torch.bool, device=step.device)
    for _ in range(HALVINGS):
        actor.move(start + size * step)
        with torch.no_grad():
            after = room()
            near = actor.divergence() <= LEEWAY * radius
        gained = (after - slack).masked_fill(~aims, 0.0).sum(dim=1) > 0
        kept = (after >= slack.clamp(max=0) - ROUNDING) | raised
        moved |= near & gained & kept.all(dim=1)
        size = torch.where(moved[:, None], size, size / 2)
    actor.move(start + torch.where(moved[:, None], size, 0.0) * step)
    return moved


class Actor:
    """The actors of a net as points `[p, d]`, and how far they are from where they stood on a batch."""

    def __init__(self, net: ActorCritic, batch: Batch) -> None:
        self._net, self._batch = net, batch
        self._parameters = [*net.actor.parameters(), *([] if net.log_std is None else [net.log_std])]
        self._live = (batch.weights > 0).to(torch.float32)
        with torch.no_grad():
            self._before = self._law()
        self._slope = torch.autograd.grad(self.divergence().sum(), self._parameters, create_graph=True)

    def _law(self) -> Law:
        return self._net.law(self._batch.inputs, self._batch.masks)

    def ratios(self) -> Tensor:
        """Of the chances of the batch's actions now to those before, `[p, b]`."""
        return (self._law().log_chance(self._batch.actions) - self._batch.before).exp()

    def divergence(self) -> Tensor:
        """Mean Kullback-Leibler divergence from the policies before, `[p]`."""
        return (self._before.divergence(self._law()) * self._live).sum(dim=1) / self._live.sum(dim=1).clamp(min=1)

    def gradient(self, total: Tensor) -> Tensor:
        """Of a sum over policies, `[p, d]`."""
        return self._flat(torch.autograd.grad(total, self._parameters, retain_graph=True))

    def fisher(self, vectors: Tensor) -> Tensor:
        """The curvature of the divergence times `[p, d]`, damped."""
        along = [(s * v).sum() for s, v in zip(self._slope, self._parts(vectors), strict=True)]
        return self.gradient(torch.stack(along).sum()) + DAMPING * vectors

    def position(self) -> Tensor:
        """The parameters, `[p, d]`."""
        return self._flat([parameter.detach().clone() for parameter in self._parameters])

    def move(self, position: Tensor) -> None:
        """Set the parameters."""
        with torch.no_grad():
            for parameter, part in zip(self._parameters, self._parts(position), strict=True):
                parameter.copy_(part)

    def _parts(self, vectors: Tensor) -> list[Tensor]:
        """Vectors `[p, d]` in the shapes of the parameters."""
        parts = torch.split(vectors, [p[0].numel() for p in self._parameters], dim=1)
        return [part.reshape(p.shape) for part, p in zip(parts, self._parameters, strict=True)]

    @staticmethod
    def _flat(parts: Sequence[Tensor]) -> Tensor:
        return torch.cat([part.flatten(1) for part in parts], dim=1)


def conjugate_gradients(product: Callable[[Tensor], Tensor], targets: Tensor, steps: int = CONJUGATE_STEPS) -> Tensor:
    """Solutions `[p, d]` of p linear systems with positive matrices, given by their product with a vector each."""
    solution, residual = torch.zeros_like(targets), targets.clone()
    direction, size = residual.clone(), residual.square().sum(dim=1)
    for _ in range(steps):
        image = product(direction)
        length = size / (direction * image).sum(dim=1).clamp(min=1e-20)
        solution = solution + length[:, None] * direction
        residual = residual - length[:, None] * image
        before, size = size, residual.square().sum(dim=1)
        direction = residual + (size / before.clamp(min=1e-20))[:, None] * direction
    return solution


def best_mix(products: Tensor, slack: Tensor, raised: Tensor, radius: float) -> Tensor:
    """Weights of solved gradients in the best step within a trust region, by trying all sets of binding constraints.

    With gradients `g_i` of the returns and curvature H the step is `sum_i mix_i H^-1 g_i`. It maximises the goal's
    change subject to `slack_i + g_i . step >= 0` and `step . H step <= 2 radius`. Where that is impossible, it raises
    the sum of the returns whose slack is negative.

    Args:
        products: `g_i . H^-1 g_j`, `[p, m, m]`.
        slack: `[p, m]`; the goal's is not looked at.
        raised: The goal, bool `[p, m]`.
        radius: Of the trust region.

    Returns:
        The weights, float64 `[p, m]`.
    """
    products, slack = products.to(torch.float64), slack.to(torch.float64)
    p, m = slack.shape
    order = (~raised).to(torch.int64).argsort(dim=1, stable=True)  # the goal first
    products = products.gather(1, order[:, :, None].expand(-1, -1, m)).gather(2, order[:, None].expand(-1, m, -1))
    slack = slack.gather(1, order)
    best = torch.full((p,), -torch.inf, dtype=torch.float64, device=slack.device)
    low = (slack < 0).to(slack)
    low[:, 0] = 0.0
    length = (low[:, None] @ products @ low[:, :, None]).flatten().clamp(min=1e-20)
    mix = (2 * radius / length).sqrt()[:, None] * low  # what remains where no set of constraints can be kept
    for count in range(m):
        for binding in itertools.combinations(range(1, m), count):
            found = _with_binding(products, slack, list(binding), radius)
            changes = (products @ found[:, :, None]).squeeze(2)
            kept = (slack + changes)[:, 1:] >= -1e-7 * (1 + slack[:, 1:].abs())
            better = kept.all(dim=1) & (changes[:, 0] > best)  # NaN is neither
            best, mix = torch.where(better, changes[:, 0], best), torch.where(better[:, None], found, mix)
    return torch.zeros_like(mix).scatter(1, order, mix)


def _with_binding(products: Tensor, slack: Tensor, binding: list[int], radius: float) -> Tensor:
    """The mix `[p, m]` where these constraints hold with equality, the goal the first; NaN outside the region.

    The step is the shortest one that uses up their slack, and then as far as the region goes along what the goal's
    gradient has beside theirs.
    """
    mix = torch.zeros_like(slack)
    beside, left = products[:, 0, 0], torch.full_like(slack[:, 0], 2 * radius)  # squared lengths
    if binding:
        inner, across = products[:, binding][:, :, binding], products[:, binding, 0]
        ridge = 1e-9 * inner.abs().amax(dim=(1, 2), keepdim=True).clamp(min=1e-20)  # equal constraints can be solved
        inner = inner + ridge * torch.eye(len(binding), dtype=inner.dtype, device=inner.device)
        along, using = torch.linalg.solve(inner, torch.stack([across, slack[:, binding]], dim=2)).unbind(dim=2)
        beside = beside - (across * along).sum(dim=1)
        left = left - (slack[:, binding] * using).sum(dim=1)
    size = torch.where(beside > PARALLEL * products[:, 0, 0], (left / beside).sqrt(), 0.0)
    size = torch.where(left >= 0, size, torch.nan)
    mix[:, 0] = size
    if binding:
        mix[:, binding] = -using - size[:, None] * along
    return mix
