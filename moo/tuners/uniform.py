"""Preferences from an evenly spread grid, cycled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from moo.base import Candidates, Problem, Setting
from moo.options import Option
from moo.preferences import check_preferences, das_dennis, grid, spread


class Uniform:
    """Cycle an evenly spread Das-Dennis grid, corners first, or preferences that were given.

    The grid is ordered so that any leading part of it is spread over the simplex.

    Args:
        problem: The problem, for its number of objectives.
        budget, seed: Not used; part of the contract.
        hyperparameters: Left as they are.
        divisions: Of each edge of the simplex; 0: the fewest that give at least 100 preferences, and at least as many
            as are first asked for.
        preferences: `[k, m]` to cycle instead, in the order given.
    """

    options: ClassVar[Mapping[str, Option]] = {
        "divisions": Option(
            0, low=0, high=1000, help="of each edge of the simplex; 0: enough for 100 preferences and for a round"
        ),
    }

    def __init__(
        self,
        problem: Problem,
        *,
        budget: int,  # noqa: ARG002
        seed: int,  # noqa: ARG002
        hyperparameters: Mapping[str, Option],  # noqa: ARG002
        divisions: int,
        preferences: Any = None,
    ) -> None:
        self._num_objectives = m = problem.num_objectives
        self._at_least = 100
        self._fixed = preferences is not None or divisions > 0
        if preferences is not None:
            self.preferences = check_preferences(preferences, m)
        else:
            self.preferences = spread(das_dennis(m, divisions)) if divisions else grid(m, self._at_least)
        self._cursor = 0

    def suggest(self, k: int) -> Setting:
        """The next `k` of the cycle."""
        if not self._fixed and self._cursor == 0 and k > self._at_least:
            self._grow(k)
        which = torch.arange(self._cursor, self._cursor + k) % len(self.preferences)
        self._cursor = (self._cursor + k) % len(self.preferences)
        return Setting(self.preferences[which])

    def observe(self, setting: Setting, candidates: Candidates, cost: int) -> None:
        """Nothing is learned."""

    def _grow(self, at_least: int) -> None:
        self._at_least, self.preferences = at_least, grid(self._num_objectives, at_least)

    def state_dict(self) -> dict[str, Any]:
        return {"cursor": self._cursor, "at_least": self._at_least}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state["at_least"] != self._at_least:
            self._grow(state["at_least"])
        self._cursor = state["cursor"]
