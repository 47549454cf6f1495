"""Lagrange multipliers of policies that learn under constraints, and a search for the thresholds themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moo.checks import check_finite_rows, check_matrix
from moo.directions import turn
from moo.gradients import multiplier_step, multiplier_weights

FORMS = ("projected", "sigmoid", "tanh")


class Multipliers:
    """One multiplier for each of p policies and n constraints, moved by gradient ascent.

    A constraint asks for a value of at least its threshold. Its multiplier moves by `rate` times the momentum's sum of
    what its value lacks, and stays within `most`; what counts is the multiplier plus `proportional` times what the
    value lacks, averaged. That term damps the swings into which multipliers and policies drive each other.

    - `"projected"`: at least 0. Reward and constraints weigh `1` and `l`, divided by their sum.
    - `"sigmoid"`, `"tanh"`: squashed, as published, and the weights are `n - sum l` and `l`.

    As published no constraint weighs more than 1, and the reward what is left of n: of several constraints the price
    that one can have is bounded. That of n constraints one alone of which binds is at most `1 / (n - 1)` with sigmoid.
    The projected form has no such bound, which is why it is ours.

    Source: Moskovitz et al. 2024 (constrained RLHF, 2310.04373, ICLR): squashed, momentum, no proportional term, begun
    at random near 0; here at 0. The proportional term: Stooke, Achiam and Abbeel 2020 (2007.03964).

    Args:
        policies, constraints: How many, p and n.
        form: One of `FORMS`.
        rate: Of the ascent, at least 0.
        momentum: From 0 to below 1.
        proportional: At least 0.
        most: Largest size of a multiplier, before it is squashed.
        device: Of all tensors.

    Attributes:
        raw: `[p, n]`, as they are moved: never negative where projected.
    """

    def __init__(
        self,
        policies: int,
        constraints: int,
        form: str = "projected",
        *,
        rate: float,
        momentum: float = 0.0,
        proportional: float = 0.0,
        most: float = 100.0,
        device: str | torch.device = "cpu",
    ) -> None:
        self.form, self.rate, self.momentum = form, rate, momentum
        self.proportional, self._device = proportional, torch.device(device)
        self._low, self._high = (0.0 if form == "projected" else -most), most
        self.raw = torch.zeros(policies, constraints, dtype=torch.float64, device=self._device)
        self._speed = torch.zeros_like(self.raw)

    def move(self, values: Tensor, thresholds: Tensor) -> None:
        """A step: by values and thresholds `[p, n]`; where a value is NaN nothing moves."""
        known = ~values.isnan()
        told = torch.where(known, values, thresholds)
        speed = multiplier_step(self.momentum * self._speed, told, thresholds, 1.0)
        self._speed = torch.where(known, speed, self._speed)
        moved = (self.raw + self.rate * speed).clamp(self._low, self._high)
        self.raw = torch.where(known, moved, self.raw)

    def weights(self, lacking: Tensor) -> Tensor:
        """The weights of the reward and of the constraints, `[p, 1 + n]`, where so much of each is `lacking [p, n]`."""
        held = self.raw + self.proportional * lacking.nan_to_num(0.0)
        if self.form != "projected":
            return multiplier_weights(held, self.form)
        whole = torch.cat([torch.ones_like(held[:, :1]), held.clamp(min=0)], dim=1)
        return whole / whole.sum(dim=1, keepdim=True)

    def state_dict(self) -> dict[str, Any]:
        """Multipliers and momentum."""
        return {"raw": self.raw, "speed": self._speed}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.raw, self._speed = state["raw"].to(self._device), state["speed"].to(self._device)


def read_thresholds(said: Any, directions: Sequence[str]) -> Tensor:
    """Thresholds of objectives, `[m]`, every objective maximised, NaN where there is none.

    Args:
        said: One number or None for each objective, in the problem's own directions; None: no thresholds.
        directions: Of the objectives.

    Raises:
        TypeError: It is something else.
        ValueError: It is of another length, or holds an infinity.
    """
    m = len(directions)
    if said is None:
        return torch.full((m,), torch.nan, dtype=torch.float64)
    if isinstance(said, str) or not isinstance(said, Sequence | np.ndarray | Tensor):
        raise TypeError(
            f"`thresholds` should be {m} numbers, one for each objective, none where it has no threshold. "
            f"Found {said!r}."
        )
    row = check_matrix("thresholds", [[float("nan") if one is None else one for one in said]], rows=1, columns=m)[0]
    check_finite_rows("thresholds", row[~row.isnan()][:, None])
    return turn(row, directions)


class NelderMead:
    """A minimum by the simplex method, asked for one point at a time.

    Source: Nelder and Mead 1965 (Computer Journal 7), with the usual coefficients 1, 2, 1/2 and 1/2.

    Args:
        start: The first corner, `[d]`.
        step: How far the others are from it, each along one axis, `[d]`, none 0.

    Attributes:
        best: The best point told so far, `[d]`; the start before any.
        point: What is to be evaluated next, `[d]`.
    """

    def __init__(self, start: Tensor, step: Tensor) -> None:
        self._corners = torch.cat([start[None], start + torch.diag(step)]).to(torch.float64)
        self._values: list[float] = []  # of the corners, as far as they are known
        self._phase, self._trial = "begin", (self._corners[0], 0.0)
        self.point = self._corners[0]

    @property
    def best(self) -> Tensor:
        known = self._values or [0.0]
        return self._corners[int(np.argmin(known))]

    def tell(self, value: float) -> None:
        """The value of `point`; the next one stands there afterwards."""
        if self._phase in ("begin", "shrink"):
            self._values.append(value)
            if len(self._values) < len(self._corners):
                self.point = self._corners[len(self._values)]
                return
            self._reflect()
        elif self._phase == "reflect":
            self._reflected(value)
        else:
            self._second(value)

    def _centre(self) -> Tensor:
        return self._corners[:-1].mean(dim=0)

    def _along(self, factor: float) -> Tensor:
        """The centre of all but the worst corner, and so many times its way from the worst one."""
        return self._centre() + factor * (self._centre() - self._corners[-1])

    def _reflect(self) -> None:
        order = sorted(range(len(self._values)), key=self._values.__getitem__)
        self._corners, self._values = self._corners[order], [self._values[i] for i in order]
        self._phase, self.point = "reflect", self._along(1.0)

    def _reflected(self, value: float) -> None:
        best, second, worst = self._values[0], self._values[-2], self._values[-1]
        self._trial = (self.point, value)
        if value < best:
            self._phase, self.point = "expand", self._along(2.0)
        elif value < second:
            self._replace(*self._trial)
        else:
            self._phase, factor = ("outside", 0.5) if value < worst else ("inside", -0.5)
            self.point = self._along(factor)

    def _second(self, value: float) -> None:
        point, reflected = self._trial
        accepted = {
            "expand": value < reflected,
            "outside": value <= reflected,
            "inside": value < self._values[-1],
        }[self._phase]
        if accepted:
            self._replace(self.point, value)
        elif self._phase == "expand":
            self._replace(point, reflected)
        else:
            self._corners = self._corners[0] + 0.5 * (self._corners - self._corners[0])
            self._phase, self._values, self.point = "shrink", self._values[:1], self._corners[1]

    def _replace(self, point: Tensor, value: float) -> None:
        self._corners = torch.cat([self._corners[:-1], point[None]])
        self._values = [*self._values[:-1], value]
        self._reflect()

    def state_dict(self) -> dict[str, Any]:
        """All that the next point depends on."""
        return {
            "corners": self._corners,
            "values": list(self._values),
            "phase": self._phase,
            "trial": list(self._trial),
            "point": self.point,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken."""
        self._corners, self._values = state["corners"], list(state["values"])
        self._phase, self._trial, self.point = state["phase"], tuple(state["trial"]), state["point"]
