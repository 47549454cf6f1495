"""What is exactly known about the policies of an environment."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.spatial import ConvexHull
from torch import Tensor

from moo.base import Oracle
from moo.selection import convex_coverage_set


@dataclass(frozen=True)
class PolicyOracle(Oracle):
    """Exact values of policies, discounted, in the problem's own directions (all maximised).

    Attributes:
        front: `[n, m]`: the Pareto front of all deterministic policies; where `linear`, only those that are best for
            some linear preference.
        linear: Whether `front` holds the convex coverage set alone.
    """

    linear: bool = False

    @cached_property
    def coverage_set(self) -> Tensor:
        """The rows of the front that are best for some linear preference."""
        return self.front[convex_coverage_set(self.front)]

    def mixture_hypervolume(self, reference_point: Tensor) -> float:
        """The hypervolume of what stochastic policies reach in expectation: mixtures of the rows of the front."""
        return mixture_hypervolume(self.front, reference_point)


def mixture_hypervolume(objectives: Tensor, reference_point: Tensor) -> float:
    """The hypervolume of all mixtures (convex combinations) of the rows.

    What mixtures dominate above the reference point is the convex hull of the boxes that the rows span with it.

    Args:
        objectives: `[n, m]`, maximised, m >= 2.
        reference_point: `[m]`.
    """
    reference = torch.as_tensor(reference_point, dtype=torch.float64)
    better = objectives[(objectives > reference).all(dim=1)]
    if len(better) == 0:
        return 0.0
    m = len(reference)
    corners = [
        torch.where(torch.tensor(kept), better, reference) for kept in itertools.product([False, True], repeat=m)
    ]
    return float(ConvexHull(np.unique(torch.cat(corners).numpy(), axis=0)).volume)
