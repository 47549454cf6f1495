"""The archive: the best of all that was evaluated, whatever the method kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moo.base import Candidates
from moo.checks import check_count
from moo.dominance import crowding_distance, non_dominated
from moo.indicators.filters import non_dominated_cloud

SPARSE = 2  # times as many rows wait to be joined as are kept, ...
ROOM = 200  # ... and so many more, before they are joined


class Archive:
    """The feasible non-dominated rows seen so far, every objective maximised; of equal vectors the first stays.

    The rows are joined to one record where `front` is read; until then they wait in the records in which they came.

    Args:
        solution_shape: Shape of one solution.
        num_objectives: Number of objectives.
        capacity: Most rows kept; beyond it the most crowded go.

    Attributes:
        least_violating: While nothing is feasible: the non-dominated ones among the rows that violate least.
    """

    def __init__(self, solution_shape: Sequence[int], num_objectives: int, capacity: int = 10_000) -> None:
        self.capacity = check_count("capacity", capacity)
        self._keep(Candidates.empty(solution_shape, num_objectives))
        self.least_violating = self.front

    def __len__(self) -> int:
        return len(self._values)

    @property
    def objectives(self) -> Tensor:
        """Of the rows kept, `[n, m]`."""
        return torch.from_numpy(self._values)

    @property
    def front(self) -> Candidates:
        """The rows kept, possibly none, those that entered first in front."""
        if len(self._parts) > 1 or len(self._parts[0]) > len(self):
            self._keep(Candidates.cat(self._parts).rows(torch.from_numpy(self._places)))
        return self._parts[0]

    def _keep(self, front: Candidates) -> None:
        self._parts = [front]
        self._places = np.arange(len(front))  # of the rows kept, in all parts together
        self._values = front.objectives.numpy()  # arrays: half the cost of tensors for so few rows

    def add(self, candidates: Candidates) -> Candidates:
        """Take in evaluated rows; failed and infeasible ones never enter.

        Returns:
            The rows that entered.
        """
        feasible = ~candidates.failed.numpy()
        if "constraints" in candidates.extras:
            feasible &= candidates.violation.numpy() == 0
        if not feasible.any():
            if not len(self) and not candidates.failed.all():
                self._keep_least_violating(candidates.rows(~candidates.failed))
            return candidates.rows(slice(0))
        if len(self.least_violating):
            self.least_violating = self.least_violating.rows(slice(0))
        return self._merge(candidates, np.flatnonzero(feasible))

    def _merge(self, candidates: Candidates, feasible: np.ndarray) -> Candidates:
        """Take in the rows of these numbers; those of them that entered."""
        old = len(self)
        together = np.concatenate([self._values, candidates.objectives.numpy()[feasible]])
        keep = non_dominated_cloud(together, keep_duplicates=False)
        if not keep[old:].any():
            return candidates.rows(slice(0))
        if np.count_nonzero(keep) > self.capacity:
            keep = _thin(together, keep, self.capacity)
        entered = candidates.rows(torch.from_numpy(feasible[keep[old:]]))
        end = sum(map(len, self._parts))
        self._parts.append(entered)
        self._places = np.concatenate([self._places[keep[:old]], np.arange(end, end + len(entered))])
        self._values = together[keep]
        if end + len(entered) > SPARSE * len(self) + ROOM:
            self._keep(self.front)
        return entered

    def _keep_least_violating(self, candidates: Candidates) -> None:
        both = Candidates.cat([self.least_violating, candidates])
        violation = both.violation
        least = both.rows(violation == violation.min())
        self.least_violating = least.rows(non_dominated(least.objectives))

    def state_dict(self) -> dict[str, Any]:
        """The rows kept."""
        return {"front": self.front.state_dict(), "least_violating": self.least_violating.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._keep(Candidates.from_state(state["front"]))
        self.least_violating = Candidates.from_state(state["least_violating"])


def _thin(objectives: np.ndarray, keep: np.ndarray, capacity: int) -> np.ndarray:
    """The mask `keep` without the most crowded rows, so that `capacity` are left."""
    numbers = np.flatnonzero(keep)
    crowding = crowding_distance(objectives[numbers])
    thinned = np.zeros_like(keep)
    thinned[numbers[torch.argsort(crowding, descending=True, stable=True)[:capacity].numpy()]] = True
    return thinned
