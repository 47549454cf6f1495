"""Adam for stacked policies of which only some learn at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

FIRST, SECOND, EPSILON = 0.9, 0.999, 1e-5


class RowAdam:
    """Adam with moments and a count of steps for each policy: one that does not learn stands still.

    `torch.optim.Adam` would go on moving a policy without a gradient by what its moments remember, and counts one
    number of steps for all.

    Source: Kingma and Ba 2015 (1412.6980).

    Args:
        parameters: Each with the policies as its first dimension.
        rate: Learning rate.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], rate: float) -> None:
        self.parameters, self.rate = list(parameters), rate
        self._first = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._second = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._steps = torch.zeros(len(self.parameters[0]), dtype=torch.int64, device=self.parameters[0].device)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, rows: Tensor | None) -> None:
        """One step of the policies numbered `rows [k]`, all different; None: of all."""
        if rows is None:
            rows = torch.arange(len(self._steps), device=self._steps.device)
        self._steps[rows] += 1
        steps = self._steps[rows].to(torch.float64)
        sizes, roots = self.rate / (1 - FIRST**steps), (1 - SECOND**steps).sqrt()
        everyone = len(rows) == len(self._steps)
        for parameter, first, second in zip(self.parameters, self._first, self._second, strict=True):
            assert parameter.grad is not None
            shape = (-1, *[1] * (parameter.ndim - 1))
            size, root = (factor.to(parameter).reshape(shape) for factor in (sizes, roots))
            if everyone:
                first.mul_(FIRST).add_(parameter.grad, alpha=1 - FIRST)
                second.mul_(SECOND).addcmul_(parameter.grad, parameter.grad, value=1 - SECOND)
                parameter.sub_(size * first / (second.sqrt() / root + EPSILON))
                continue
            slope = parameter.grad[rows]
            first[rows] = FIRST * first[rows] + (1 - FIRST) * slope
            second[rows] = SECOND * second[rows] + (1 - SECOND) * slope.square()
            parameter[rows] -= size * first[rows] / (second[rows].sqrt() / root + EPSILON)

    def take_over(self, sources: Tensor) -> None:
        """Give each policy the moments and steps of the one numbered `sources [p]`."""
        for moments in (self._first, self._second):
            for moment in moments:
                moment.copy_(moment[sources])
        self._steps = self._steps[sources]

    def state_dict(self) -> dict[str, Any]:
        """Moments and steps."""
        return {"first": list(self._first), "second": list(self._second), "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        for moments, stored in ((self._first, state["first"]), (self._second, state["second"])):
            for moment, value in zip(moments, stored, strict=True):
                moment.copy_(value)
        self._steps = state["steps"].clone().to(self._steps.device)
