"""Preferences that are moved away from each other by what they brought: Pareto simulated annealing's rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from moo.base import Candidates, Problem, Setting
from moo.dominance import joined_front
from moo.options import Option
from moo.preferences import grid, moved_apart


class Adaptive:
    """Cycle a set of preferences; each is moved towards what its return has more of than the nearest on the front.

    The set begins as an evenly spread Das-Dennis lattice, corners first. When returns are observed, every preference
    that was worked for since the last returns is compared: its return is the mean of those rows whose preference is
    nearest to it, its neighbour the nearest row of the front that is neither equal nor better in everything, each
    objective in units of the front's range. The entry of an objective in which the return is better than the neighbour
    is multiplied by `delta`, where it is worse divided, and the row is divided by its sum. An entry of 0 stays 0: the
    corners of the simplex stay where they are.

    Source: Czyzzak and Jaszkiewicz 1998 (Pareto simulated annealing, J. Multi-Criteria Decision Analysis 7), as Felten,
    Talbi and Danoy 2024 use it (MORL/D, JAIR 79, 2311.12495). There each policy has a preference of its own; here also
    one network may serve all of them, so a return is that of the nearest preference that was evaluated. Where an
    objective is equal, its entry is left alone.

    Args:
        problem: The problem, for its number of objectives.
        budget, seed: Not used; part of the contract.
        hyperparameters: Left as they are.
        delta: Above 1; how far a preference is moved each time.
        size: How many preferences there are, at least; 0: 20, and as many as are first asked for.
    """

    options: ClassVar[Mapping[str, Option]] = {
        "delta": Option(1.1, low=1.0, high=10.0, help="factor by which an entry is moved each time"),
        "size": Option(0, low=0, high=10_000, help="preferences, at least; 0: 20, and as many as a round asks for"),
    }

    def __init__(
        self,
        problem: Problem,
        *,
        budget: int,  # noqa: ARG002
        seed: int,  # noqa: ARG002
        hyperparameters: Mapping[str, Option],  # noqa: ARG002
        delta: float,
        size: int,
    ) -> None:
        self._delta, self._size = delta, size
        m = problem.num_objectives
        self.preferences = torch.empty(0, m, dtype=torch.float64)
        self._front = torch.empty(0, m, dtype=torch.float64)
        self._cursor = 0
        self._asked: list[int] = []  # which were worked for since the last returns

    def suggest(self, k: int) -> Setting:
        """The next `k` of the cycle."""
        if not len(self.preferences):
            self.preferences = grid(self.preferences.shape[1], self._size or max(20, k))
        which = torch.arange(self._cursor, self._cursor + k) % len(self.preferences)
        self._cursor = (self._cursor + k) % len(self.preferences)
        self._asked = sorted({*self._asked, *which.tolist()})
        return Setting(self.preferences[which])

    def observe(self, setting: Setting, candidates: Candidates, cost: int) -> None:  # noqa: ARG002
        """Take in returns, and move the preferences that were worked for."""
        rows = candidates.rows(~candidates.failed & (candidates.violation == 0))
        if not len(rows):
            return
        self._front = joined_front(self._front, rows.objectives)
        rows = rows.rows(torch.isfinite(rows.preferences).all(dim=1))
        if len(rows):
            moved = self.preferences.clone()
            for i in self._asked:
                moved[i] = moved_apart(moved[i], nearest_return(moved[i], rows), self._front, self._delta)
            self.preferences = moved
        self._asked = []

    def state_dict(self) -> dict[str, Any]:
        return {
            "preferences": self.preferences,
            "front": self._front,
            "cursor": self._cursor,
            "asked": self._asked,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.preferences, self._front = state["preferences"], state["front"]
        self._cursor, self._asked = state["cursor"], list(state["asked"])


def nearest_return(preference: Tensor, rows: Candidates) -> Tensor:
    """The mean return `[m]` of the rows whose preference is nearest to this one."""
    away = (rows.preferences - preference).square().sum(dim=1)
    return rows.objectives[away <= away.amin() + 1e-12].mean(dim=0)
