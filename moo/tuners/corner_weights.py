"""Preferences at the corners of the convex coverage set found so far: optimistic linear support."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from moo.base import Candidates, Problem, Setting
from moo.corners import MAX_OBJECTIVES, corner_preferences, optimistic_values
from moo.dominance import joined_front
from moo.options import Option

WEIGHED = 64  # corners whose priority is computed, those most unlike what was worked for: a linear programme each
REMEMBERED = 500  # preferences worked for, the latest
SAME = 1e-9  # a difference of preferences that is rounding


class CornerWeights:
    """Cycle the corner preferences of the returns observed so far, by how much a better policy could add there.

    The priority of a corner is its optimistic value minus the best value of a return observed. The optimistic value
    takes for granted that no preference worked for can be served better than it has been. The unit vectors come first,
    and again whatever nothing bounds. Equal priorities go by their order. When returns are observed, the corners are
    found anew and the cycle begins with the first.

    Source: Roijers, Whiteson and Oliehoek 2015 (optimistic linear support, JAIR 52); that corners are visited again and
    again, as learning is never finished: Alegre, Bazzan, Roijers, Nowe and da Silva 2023 (GPI-LS, 2301.07784). There
    the optimistic value is what generalised policy improvement promises; here it is the linear programme of the former,
    and the best for a preference is the best observed so far, which a later return may exceed.

    Args:
        problem: The problem, for its number of objectives: at most 6.
        budget, seed: Not used; part of the contract.
        hyperparameters: Left as they are.

    Raises:
        ValueError: The problem has more than 6 objectives.
    """

    options: ClassVar[Mapping[str, Option]] = {}

    def __init__(
        self,
        problem: Problem,
        *,
        budget: int,  # noqa: ARG002
        seed: int,  # noqa: ARG002
        hyperparameters: Mapping[str, Option],  # noqa: ARG002
    ) -> None:
        m = problem.num_objectives
        if m > MAX_OBJECTIVES:
            raise ValueError(
                f"Tuner 'corner-weights' takes at most {MAX_OBJECTIVES} objectives. {problem.name!r} has {m}: "
                "there are too many corners. Choose another tuner (see `moo list tuners`)."
            )
        self._front = torch.empty(0, m, dtype=torch.float64)  # the returns that can matter
        self._worked_for = torch.empty(0, m, dtype=torch.float64)
        self._order = torch.eye(m, dtype=torch.float64)  # what is cycled
        self._cursor = 0

    def suggest(self, k: int) -> Setting:
        """The next `k` of the cycle."""
        which = torch.arange(self._cursor, self._cursor + k) % len(self._order)
        self._cursor = (self._cursor + k) % len(self._order)
        return Setting(self._order[which])

    def observe(self, setting: Setting, candidates: Candidates, cost: int) -> None:  # noqa: ARG002
        """Take in returns; a row that followed no preference counts as a return, not as work for one."""
        rows = candidates.rows(~candidates.failed & (candidates.violation == 0))
        if not len(rows):
            return
        self._front = joined_front(self._front, rows.objectives)
        followed = torch.unique(rows.preferences[torch.isfinite(rows.preferences).all(dim=1)], dim=0)
        known = (torch.cdist(self._worked_for, followed, p=float("inf")) <= SAME).any(dim=1)
        self._worked_for = torch.cat([self._worked_for[~known], followed])[-REMEMBERED:]
        self._order, self._cursor = self._by_priority(corner_preferences(self._front)), 0

    def _by_priority(self, corners: Tensor) -> Tensor:
        """Corners `[c, m]`, the most urgent first."""
        if len(corners) > WEIGHED and len(self._worked_for):
            away = torch.cdist(corners, self._worked_for).amin(dim=1)
            corners = corners[away.argsort(descending=True, stable=True)[:WEIGHED].sort().values]
        reached = (corners @ self._front.T).amax(dim=1)
        best = (self._worked_for @ self._front.T).amax(dim=1)
        optimistic = optimistic_values(corners, self._worked_for, best)
        rounding = 1e-9 * reached.abs().clamp_min(1.0)
        priority = torch.where(optimistic - reached > rounding, optimistic - reached, 0.0)
        return corners[priority.argsort(descending=True, stable=True)]

    def state_dict(self) -> dict[str, Any]:
        return {
            "front": self._front,
            "worked_for": self._worked_for,
            "order": self._order,
            "cursor": self._cursor,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._front, self._worked_for = state["front"], state["worked_for"]
        self._order, self._cursor = state["order"], state["cursor"]
