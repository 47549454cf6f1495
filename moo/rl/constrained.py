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
from moo.rl.ppo import Batch, Objective, clipped, standardised

CONJUGATE_STEPS = 10
HALVINGS = 10
DAMPING = 0.01  # added to the Fisher matrix
ROUNDING = 1e-9


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
    divergence is kept, what it is for has not fallen, and no constraint is broken anew; else it is not taken.

    Source: constrained policy optimization, Achiam, Held, Tamar and Abbeel 2017 (1705.10528), here for any number of
    constraints.

    Args:
        net: The policies, changed in place; their critics are left alone.
        batch: What they collected.
        task: For each policy.
        radius: The largest mean Kullback-Leibler divergence from the policies before.

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
    mix, feasible = best_mix(gradients @ solved.transpose(1, 2), slack, raised, radius)
    step = (mix[:, None] @ solved).squeeze(1)
    aims = torch.where(feasible[:, None], raised, (slack < 0) & ~raised)

    start, size = actor.position(), torch.ones(len(step), 1, device=step.device, dtype=step.dtype)
    moved = torch.zeros(len(step), dtype=torch.bool, device=step.device)
    for _ in range(HALVINGS):
        actor.move(start + size * step)
        with torch.no_grad():
            after = room()
            near = actor.divergence() <= 1.5 * radius
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
        parts = vectors.split([p[0].numel() for p in self._parameters], dim=1)
        along = [(s * v.reshape(s.shape)).sum() for s, v in zip(self._slope, parts, strict=True)]
        return self.gradient(torch.stack(along).sum()) + DAMPING * vectors

    def position(self) -> Tensor:
        """The parameters, `[p, d]`."""
        return self._flat([parameter.detach().clone() for parameter in self._parameters])

    def move(self, position: Tensor) -> None:
        """Set the parameters."""
        parts = position.split([p[0].numel() for p in self._parameters], dim=1)
        with torch.no_grad():
            for parameter, part in zip(self._parameters, parts, strict=True):
                parameter.copy_(part.reshape(parameter.shape))

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


def best_mix(products: Tensor, slack: Tensor, raised: Tensor, radius: float) -> tuple[Tensor, Tensor]:
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
        `mix [p, m]` and where the constraints can be kept, bool `[p]`.
    """
    products, slack = products.to(torch.float64), slack.to(torch.float64)
    p, m = slack.shape
    order = (~raised).to(torch.int64).argsort(dim=1, stable=True)  # the goal first
    products = products.gather(1, order[:, :, None].expand(-1, -1, m)).gather(2, order[:, None].expand(-1, m, -1))
    slack = slack.gather(1, order)
    best = torch.full((p,), -torch.inf, dtype=torch.float64, device=slack.device)
    mix = torch.zeros(p, m, dtype=torch.float64, device=slack.device)
    for count in range(m):
        for binding in itertools.combinations(range(1, m), count):
            found = _with_binding(products, slack, list(binding), radius)
            changes = (products @ found[:, :, None]).squeeze(2)
            kept = (slack + changes)[:, 1:] >= -1e-7 * (1 + slack[:, 1:].abs())
            better = found.isfinite().all(dim=1) & kept.all(dim=1) & (changes[:, 0] > best)
            best, mix = torch.where(better, changes[:, 0], best), torch.where(better[:, None], found, mix)
    feasible = best > -torch.inf
    low = (slack < 0).to(torch.float64)
    low[:, 0] = 0.0
    length = (low[:, None] @ products @ low[:, :, None]).flatten().clamp(min=1e-20)
    recovering = (2 * radius / length).sqrt()[:, None] * low
    mix = torch.where(feasible[:, None], mix, recovering)
    return torch.zeros_like(mix).scatter(1, order, mix).to(torch.float32), feasible


def _with_binding(products: Tensor, slack: Tensor, binding: list[int], radius: float) -> Tensor:
    """The mix `[p, m]` where these constraints hold with equality; NaN where that is outside the region, or no optimum.

    With multipliers `nu` of the constraints and `lam` of the region the step is `H^-1 (g_0 + sum nu_i g_i) / lam`.
    """
    mix = torch.full_like(slack, torch.nan)
    goal, region = products[:, 0, 0], torch.full_like(slack[:, 0], 2 * radius)
    if binding:
        inner, across = products[:, binding][:, :, binding], products[:, binding, 0]
        inner = inner + 1e-9 * torch.eye(len(binding), dtype=inner.dtype, device=inner.device) * inner.abs().amax()
        both = torch.linalg.solve(inner, torch.stack([across, slack[:, binding]], dim=2))
        goal = goal - (across * both[:, :, 0]).sum(dim=1)
        region = region - (slack[:, binding] * both[:, :, 1]).sum(dim=1)
    lam = (goal.clamp(min=1e-20) / region).sqrt()  # NaN outside the region
    lam = torch.where(region > 0, lam.clamp(min=1e-12), torch.nan)
    mix[:, 0] = 1 / lam
    others = [i for i in range(1, slack.shape[1]) if i not in binding]
    mix[:, others] = (lam * 0)[:, None]  # NaN stays NaN
    if binding:
        multipliers = -(both[:, :, 0] + lam[:, None] * both[:, :, 1])
        multipliers = torch.where(multipliers >= 0, multipliers, torch.nan)
        mix[:, binding] = multipliers / lam[:, None]
    return mix
