"""The archive: the best of all that was evaluated, whatever the method kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from moo.base import Candidates
from moo.checks import check_count
from moo.dominance import crowding_distance, non_dominated


class Archive:
    """The feasible non-dominated rows seen so far, every objective maximised; of equal vectors the first stays.

    Args:
        solution_shape: Shape of one solution.
        num_objectives: Number of objectives.
        capacity: Most rows kept; beyond it the most crowded go.

    Attributes:
        front: The rows kept, possibly none.
        least_violating: While nothing is feasible: the non-dominated ones among the rows that violate least.
    """

    def __init__(self, solution_shape: Sequence[int], num_objectives: int, capacity: int = 10_000) -> None:
        self.capacity = check_count("capacity", capacity)
        self.front = Candidates.empty(solution_shape, num_objectives)
        self.least_violating = self.front

    def add(self, candidates: Candidates) -> Tensor:
        """Take in evaluated rows; failed and infeasible ones never enter.

        Returns:
            Which rows entered, bool `[n]`.
        """
        violation = candidates.violation
        fine = ~candidates.failed
        feasible = fine & (violation == 0)
        added = torch.zeros(len(candidates), dtype=torch.bool)
        if feasible.any():
            added = self._merge(candidates, torch.nonzero(feasible).flatten())
        elif not len(self.front) and fine.any():
            self._keep_least_violating(candidates.rows(fine))
        if len(self.front) and len(self.least_violating):
            self.least_violating = self.least_violating.rows(slice(0))
        return added

    def _merge(self, candidates: Candidates, numbers: Tensor) -> Tensor:
        old = len(self.front)
        together = torch.cat([self.front.objectives, candidates.objectives[numbers]])
        keep = non_dominated(together)
        added = torch.zeros(len(candidates), dtype=torch.bool)
        if not keep[old:].any():
            return added
        if int(keep.sum()) > self.capacity:
            keep = _thin(together, keep, self.capacity)
        numbers = numbers[keep[old:]]
        added[numbers] = True
        self.front = Candidates.cat([self.front.rows(keep[:old]), candidates.rows(numbers)])
        return added

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
        self.front = Candidates.from_state(state["front"])
        self.least_violating = Candidates.from_state(state["least_violating"])


def _thin(objectives: Tensor, keep: Tensor, capacity: int) -> Tensor:
    """The mask `keep` without the most crowded rows, so that `capacity` are left."""
    numbers = torch.nonzero(keep).flatten()
    least_crowded = torch.argsort(crowding_distance(objectives[numbers]), descending=True, stable=True)[:capacity]
    thinned = torch.zeros_like(keep)
    thinned[numbers[least_crowded]] = True
    return thinned
