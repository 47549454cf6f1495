"""A network that gives a solution for every preference, trained on what Gaussian processes believe of the objectives.

Sources: Lin, Yang, Zhang and Zhang 2022 (NeurIPS, Pareto set learning for expensive multi-objective optimization,
2210.08495); Nguyen, Dinh, Nguyen, Hoang and Le 2025 (AAAI, Stein variational hypernetworks, 2412.17312).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from moo.bayes.surrogates import Surrogate
from moo.indicators.improvement import hypervolume_improvement
from moo.networks import linear
from moo.preferences import dirichlet

HIDDEN = (256, 256)
FLOOR = 1e-4  # added to every preference, so that it can be divided by
AUGMENTATION = 0.01  # of the sum of all objectives, in plain training
SMALLEST = 1e-12  # below it a norm is not divided by
NARROW = 5e-6  # the squared width of a kernel where half of the particles are in one place

KERNELS = ("local", "global")


class SetModel:
    """A perceptron from preferences to rows of the unit cube: rectifiers inside, a sigmoid at the end.

    All parameters are one vector, and the gradients of single preferences are never written out: that of a layer's
    matrix is an outer product, so that their sums and norms over the preferences are products of two small matrices.

    Args:
        num_objectives: m.
        dim: d, columns of a row.
        stream: The first parameters are drawn from it.

    Attributes:
        parameters: float64 `[p]`.
    """

    def __init__(self, num_objectives: int, dim: int, stream: torch.Generator) -> None:
        self.sizes = (num_objectives, *HIDDEN, dim)
        layers = [linear(inputs, outputs, stream) for inputs, outputs in pairwise(self.sizes)]
        parts = [part.detach().flatten() for layer in layers for part in (layer.weight, layer.bias)]
        self.parameters = torch.cat(parts).double()

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        """Matrix `[outputs, inputs]` and biases `[outputs]` of each layer: views of the parameters."""
        found, begin = [], 0
        for inputs, outputs in pairwise(self.sizes):
            middle, end = begin + inputs * outputs, begin + (inputs + 1) * outputs
            found.append((self.parameters[begin:middle].view(outputs, inputs), self.parameters[middle:end]))
            begin = end
        return found

    def signals(self, preferences: Tensor) -> list[Tensor]:
        """What enters each layer, `[k, inputs]`, and at the end the rows `[k, d]` for preferences `[k, m]`."""
        seen = [preferences + FLOOR]
        layers = self.layers()
        for matrix, biases in layers[:-1]:
            seen.append(torch.addmm(biases, seen[-1], matrix.T).relu_())
        return [*seen, torch.addmm(layers[-1][1], seen[-1], layers[-1][0].T).sigmoid_()]

    def rows(self, preferences: Tensor) -> Tensor:
        """Rows of the unit cube `[k, d]` for preferences `[k, m]`."""
        return self.signals(preferences)[-1]

    def pulls(self, signals: list[Tensor], slopes: Tensor) -> list[Tensor]:
        """Gradients by what each layer puts out, `[k, outputs]`, of a function whose slopes by rows are `[k, d]`."""
        rows = signals[-1]
        found = [slopes * rows * (1 - rows)]
        for (matrix, _), inputs in zip(self.layers()[:0:-1], signals[-2:0:-1], strict=True):
            found.insert(0, found[0] @ matrix * (inputs > 0))
        return found

    def summed(self, signals: list[Tensor], slopes: Tensor) -> Tensor:
        """The gradient `[p]` by the parameters, summed over the preferences."""
        return _joined([(pull.T @ seen, pull.sum(0)) for pull, seen in self._pairs(signals, slopes)])

    def normalised(self, signals: list[Tensor], slopes: Tensor, shares: Tensor) -> Tensor:
        """The same, each parameter's k gradients first divided by their norm, then summed by shares `[k]`: `[p]`."""
        parts = []
        for pull, seen in self._pairs(signals, slopes):
            shared, squares = pull * shares[:, None], pull.square()
            matrix = (shared.T @ seen) / (squares.T @ seen.square()).sqrt().clamp_min(SMALLEST)
            parts.append((matrix, shared.sum(0) / squares.sum(0).sqrt().clamp_min(SMALLEST)))
        return _joined(parts)

    def _pairs(self, signals: list[Tensor], slopes: Tensor) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self.pulls(signals, slopes), signals[:-1], strict=True))


def _joined(parts: list[tuple[Tensor, Tensor]]) -> Tensor:
    return torch.cat([part.flatten() for both in parts for part in both])


# --------------------------------------------------------------------------------------------------- what is believed
class OptimisticBound:
    """Mean plus so many standard deviations of objectives, maximised, in units of one's own.

    The authors' public code subtracts the variance of minimised objectives where the paper has the standard deviation.

    Args:
        surrogate: Its first m outputs are the objectives; of several versions the mean counts.
        coefficient: Of the deviation, at least 0.
        variance: Whether the variance of the scaled objectives stands for their standard deviation.
        centre, scale: A value v counts as `(v - centre) / scale`, `[m]` each.
    """

    def __init__(
        self, surrogate: Surrogate, coefficient: float, *, variance: bool = False, centre: Tensor, scale: Tensor
    ) -> None:
        self._surrogate, self._coefficient, self._variance = surrogate, coefficient, variance
        self.centre, self.scale = centre, scale

    def scaled(self, objectives: Tensor) -> Tensor:
        """Objectives `[n, m]` in the bound's units."""
        return (objectives - self.centre) / self.scale

    def values(self, rows: Tensor) -> Tensor:
        """The bound `[n, m]` of rows of the unit cube `[n, d]`."""
        m = len(self.centre)
        means, sd = self._surrogate.moments(rows)
        stray = sd[:, :m] / self.scale
        return self.scaled(means.mean(dim=0)[:, :m]) + self._coefficient * (stray.square() if self._variance else stray)

    def slopes(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The bound `[n, m]` and its gradients by the rows `[n, m, d]`, in one pass: each row stands there m times."""
        n, m = len(rows), len(self.centre)
        copies = rows.detach().repeat_interleave(m, dim=0).requires_grad_()
        with torch.enable_grad():
            values = self.values(copies).reshape(n, m, m).diagonal(dim1=1, dim2=2)
            (gradients,) = torch.autograd.grad(values.sum(), copies)
        return values.detach(), gradients.reshape(n, m, -1)


# --------------------------------------------------------------------------------------------------- training
Descent = Callable[[SetModel, list[Tensor], Tensor, Tensor, Tensor], Tensor]
"""A direction `[p]` to go against: of a model, its signals for preferences `[k, m]`, these, what the values fall short
of the ideal point `[k, m]`, and the slopes of the values `[k, m, d]`."""


def plain_descent(
    model: SetModel, signals: list[Tensor], preferences: Tensor, shortfall: Tensor, slopes: Tensor
) -> Tensor:
    """Pareto set learning: every row follows its Tchebycheff scalarisation, all at the same speed.

    For a preference p, of inverse `q_j = (1 / p_j) / sum_i 1 / p_i`, the loss is `max_j s_j / q_j + .01 sum_j s_j`, s
    being the shortfall. Its gradient by the row is divided by its length.

    Source: Lin, Yang, Zhang and Zhang 2022 (2210.08495). There q itself is the preference, so that much of it means
    that an objective may fall short by much. Here, as everywhere, much preference means that it matters. For two
    objectives the one is the other's mirror image; for more, evenly drawn p are not evenly drawn q.
    """
    positive = preferences + FLOOR
    strength = positive * (1 / positive).sum(dim=1, keepdim=True)
    worst = (shortfall * strength).argmax(dim=1)
    each = torch.arange(len(worst), device=worst.device)
    gradient = -(strength[each, worst, None] * slopes[each, worst] + AUGMENTATION * slopes.sum(dim=1))
    length = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
    return model.summed(signals, gradient / length.clamp_min(SMALLEST))


def stein_descent(kernel: str, repulsion: float, width: float) -> Descent:
    """Stein variational training: each preference's solution is a particle, near ones share their gradients.

    With the gradients g_k by all parameters of the losses `max_j p_j s_j`, each parameter's k divided by their norm,
    and a kernel K between the particles' bounds, the direction is the sum over the particles of
    `(K g + repulsion * grad sum_l K_kl) / n`: it lowers the losses and pushes the bounds apart. As all particles move
    the same parameters, only column sums of K and the gradient of the sum of all its entries are needed.

    Source: Nguyen, Dinh, Nguyen, Hoang and Le 2025 (2412.17312), as its authors' public code does it.

    Args:
        kernel: `"local"`: a particle is pulled along by another according to the objective that decides that other's
            loss; `"global"`: according to all objectives.
        repulsion: At least 0.
        width: Factor of the kernel's squared width.
    """

    def descend(
        model: SetModel, signals: list[Tensor], preferences: Tensor, shortfall: Tensor, slopes: Tensor
    ) -> Tensor:
        positive = preferences + FLOOR
        worst = (shortfall * positive).argmax(dim=1)
        each = torch.arange(len(worst), device=worst.device)
        loss_slopes = -positive[each, worst, None] * slopes[each, worst]
        similar, spreading = kernel_sums(shortfall, worst if kernel == "local" else None, width)
        repelled = -(spreading[:, :, None] * slopes).sum(dim=1)  # a shortfall falls as the value rises
        pulled = model.normalised(signals, loss_slopes, similar)
        return (pulled + repulsion * model.summed(signals, repelled)) / len(worst)

    return descend


def kernel_sums(values: Tensor, decisive: Tensor | None, width: float) -> tuple[Tensor, Tensor]:
    """Sums of a kernel between particles.

    Local: `K_kl = exp(-(v_kj - v_lj)^2 / h_j)`, j being the objective that is decisive for l. Global:
    `K_kl = exp(-|v_k - v_l|^2 / h)`. The squared width h is `width * median^2 / log n`, the median being that of the
    squared distances, zeros included, and is not differentiated.

    Args:
        values: Of the particles, `[n, m]`, n at least 2.
        decisive: An objective for each, `[n]`; None: the global kernel.
        width: Factor of h.

    Returns:
        Column sums `[n]`, and the gradient of the sum of all entries by the values, `[n, m]`.
    """
    apart = values[:, None] - values[None]  # [k, l, m]
    if decisive is None:
        squared = apart.square().sum(dim=2)
        h = _squared_width(squared, width, width * 1e-6)
        entries = torch.exp(-squared / h)
        pull = (entries / h)[:, :, None] * apart
    else:
        squared = apart.square()
        h = torch.stack([_squared_width(part, width, NARROW) for part in squared.unbind(dim=2)])
        counted = torch.nn.functional.one_hot(decisive, values.shape[1]).to(values)
        parts = torch.exp(-squared / h) * counted
        entries, pull = parts.sum(dim=2), parts / h * apart
    return entries.sum(dim=0), -2 * (pull.sum(dim=1) - pull.sum(dim=0))


def _squared_width(squared: Tensor, width: float, narrow: float) -> Tensor:
    """The squared width of a kernel for squared distances `[n, n]`."""
    middle = squared.flatten().quantile(0.5)
    return torch.where(middle > 0, width * middle.square() / math.log(len(squared)), narrow)


def train(
    model: SetModel,
    bound: OptimisticBound,
    descent: Descent,
    ideal: Tensor,
    score: Callable[[SetModel], float],
    stream: torch.Generator,
    *,
    steps: int,
    count: int,
    rate: float,
    every: int,
) -> None:
    """Train by Adam, and leave the model with the parameters of the best score.

    Args:
        model: Which.
        bound: Of the objectives.
        descent: The direction of a step.
        ideal: `[m]`, in the bound's units.
        score: Of the model as it stands; the larger the better.
        stream: Of the preferences.
        steps: How many.
        count: Preferences of a step.
        rate: Of Adam.
        every: Steps between two scores; the last one is scored in any case.
    """
    m = len(ideal)
    drawn = dirichlet(steps * count, m, stream).to(ideal).reshape(steps, count, m)
    model.parameters = model.parameters.clone()
    adam = torch.optim.Adam([model.parameters], lr=rate, fused=True)
    best, highest = model.parameters.clone(), -math.inf
    for step, preferences in enumerate(drawn, 1):
        signals = model.signals(preferences)
        values, slopes = bound.slopes(signals[-1])
        model.parameters.grad = descent(model, signals, preferences, ideal - values, slopes)
        adam.step()
        if step % every == 0 or step == steps:
            found = score(model)
            if found >= highest:
                best, highest = model.parameters.detach().clone(), found
    model.parameters = best


# --------------------------------------------------------------------------------------------------- choice
def most_gained(candidates: Tensor, front: Tensor, reference_point: Tensor | None, open_: Tensor) -> int:
    """The number of the candidate that adds most hypervolume; the first such of those that are open.

    Args:
        candidates: Objectives `[n, m]`, maximised.
        front: What is there already, `[k, m]`.
        reference_point: `[m]`; None: the worst value of each objective among candidates and front, as published.
        open_: Which candidates may be chosen, bool `[n]`.
    """
    point = worst_values(candidates, front) if reference_point is None else reference_point
    gains = hypervolume_improvement(candidates, front, point)
    return int(torch.where(open_, gains, -1.0).argmax())


def worst_values(*sets: Tensor) -> Tensor:
    """The worst value `[m]` of each objective in sets `[n, m]`."""
    return torch.cat(sets).amin(dim=0)
