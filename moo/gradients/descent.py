"""Gradient descent of several starts at once on a differentiable vector function, under any weight rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from moo.checks import check_count
from moo.gradients.reading import check_finite, read_preferences, read_rows
from moo.gradients.rules import arguments, weights

Schedule = float | Callable[[float], float]  # a value, or a function of the share of the steps that are done


@dataclass(frozen=True)
class Descent:
    """Where a descent led.

    Attributes:
        solutions: The last points `[k, d]`.
        losses: Their values `[k, m]`.
        weights: Those of the last step `[k, m]`.
        path: The values at the start and after every step, `[steps + 1, k, m]`.
    """

    solutions: Tensor
    losses: Tensor
    weights: Tensor
    path: Tensor


def descend(
    function: Callable[[Tensor], Tensor],
    start: Tensor,
    rule: str = "min_norm",
    preferences: Tensor | None = None,
    *,
    steps: int = 1000,
    rate: Schedule = 0.1,
    ideal_point: Tensor | None = None,
    options: Mapping[str, Any] | None = None,
) -> Descent:
    """Minimise a vector function from k starts at once, each step along the rule's weighted sum of exact gradients.

    A rule gets what it takes, by the names of its arguments: `gram`, `losses` and `shortfalls` (both measured from the
    ideal point), `objectives` (minus the losses, so that they are maximised), `preferences`, `previous` (its weights of
    the step before, equal ones at first). The k starts see each other only where a rule looks at the set, as
    `hypervolume_gradient` does.

    Args:
        function: Points `[k, d]` to values `[k, m]`, minimised; each row of the result depends on its own point alone.
        start: `[k, d]`.
        rule: A key of `moo.gradients.WEIGHT_RULES`.
        preferences: `[k, m]` or `[m]`, for the rules that take them.
        steps: How many, at least 1.
        rate: Length of a step relative to the weighted gradient, or a function of the share of the steps done.
        ideal_point: `[m]`: the least values; None: 0.
        options: Further arguments of the rule, or others than those above; a function is called with the share of the
            steps that are done.

    Raises:
        TypeError: An argument is no tensor of floating-point numbers.
        ValueError: A shape does not fit, the rule is unknown or needs what a descent does not have, or a value of the
            function is not finite.
    """
    steps = check_count("steps", steps)
    points = read_rows("start", start).clone()
    if points.ndim != 2:
        raise ValueError(f"`start` should have shape [k, d], a row per start. Found {list(points.shape)}.")
    known, _ = arguments(rule)
    losses, gradients = _slopes(function, points, None)
    ideal = torch.zeros_like(losses[0]) if ideal_point is None else read_rows("ideal_point", ideal_point).to(losses)
    chosen = torch.full_like(losses, 1 / losses.shape[1])
    said = {} if preferences is None else {"preferences": read_preferences(preferences, losses.shape[1], losses)}
    path = [losses]
    for step in range(steps):
        done = step / steps
        found = {"losses": losses - ideal, "shortfalls": losses - ideal, "objectives": -losses, "previous": chosen}
        if "gram" in known:
            found["gram"] = gradients @ gradients.mT
        context = {key: value for key, value in (found | said).items() if key in known}
        chosen = weights(rule, **context | {key: _at(value, done) for key, value in (options or {}).items()})
        points = points - _at(rate, done) * (chosen[:, None] @ gradients)[:, 0]
        losses, gradients = _slopes(function, points, losses.shape[1])
        path.append(losses)
    return Descent(points, losses, chosen, torch.stack(path))


def _slopes(function: Callable[[Tensor], Tensor], points: Tensor, m: int | None) -> tuple[Tensor, Tensor]:
    """Values `[k, m]` and gradients `[k, m, d]`: of m copies of the points, each differentiated in one objective."""
    k, d = points.shape
    if m is None:
        with torch.no_grad():
            m = function(points).shape[-1]
    with torch.enable_grad():
        copies = points.repeat(m, 1).requires_grad_()
        values = function(copies).reshape(m, k, m)
        (slopes,) = torch.autograd.grad(values.diagonal(dim1=0, dim2=2).sum(), copies)
    return check_finite("function", values[0].detach()), slopes.reshape(m, k, d).transpose(0, 1)


def _at(value: Any, done: float) -> Any:
    return value(done) if callable(value) else value
