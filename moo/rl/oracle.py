"""What is exactly known about the policies of an environment."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError
from torch import Tensor

from moo.base import Oracle
from moo.selection import ROUNDING, convex_coverage_set


@dataclass(frozen=True)
class PolicyOracle(Oracle):
    """Exact values of policies, discounted, in the problem's own directions (all maximised).

    Attributes:
        front: `[n, m]`: the Pareto front of all deterministic policies, which may go by time and by what has happened.
    """

    @cached_property
    def coverage_set(self) -> Tensor:
        """The rows of the front that are best for some linear preference."""
        return self.front[convex_coverage_set(self.front)]

    def mixture_hypervolume(self, reference_point: Tensor) -> float:
        """The hypervolume of what stochastic policies reach in expectation: mixtures of the rows of the front."""
        return mixture_hypervolume(self.front, reference_point)


def mixture_hypervolume(objectives: Tensor, reference_point: Tensor) -> float:
    """The hypervolume of all mixtures (convex combinations) of the rows.

    Rows that are worse than the reference point in some objective count as well: their mixtures may be better than it.

    Args:
        objectives: `[n, m]`, maximised, m >= 2.
        reference_point: `[m]`.

    Raises:
        ValueError: The hull of so many rows in so many objectives is more than Qhull can compute.
    """
    try:
        return _mixed(objectives, reference_point)
    except QhullError as error:
        n, m = objectives.shape
        raise ValueError(
            f"What mixtures of {n} rows of {m} objectives dominate could not be computed: Qhull gave up "
            f"({str(error).strip().splitlines()[0]})."
        ) from error


def _mixed(objectives: Tensor, reference_point: Tensor) -> float:
    """The same, or a QhullError."""
    rows = objectives.detach().cpu().numpy().astype(np.float64)
    reference = np.asarray(reference_point, dtype=np.float64)
    if not len(rows) or (rows.max(axis=0) <= reference).any():
        return 0.0
    size = rows.max(axis=0) - np.minimum(rows.min(axis=0), reference)
    normals, offsets = _facets((rows - reference) / size)
    m = len(reference)
    sides, limits = np.concatenate([normals, -np.eye(m)]), np.append(offsets, np.zeros(m))
    # The corners are looked for from the centre of the largest ball inside.
    lengths = np.linalg.norm(sides, axis=1)
    ball = linprog(
        np.append(np.zeros(m), -1.0),
        A_ub=np.column_stack([sides, lengths]),
        b_ub=limits,
        bounds=[(None, None)] * (m + 1),
    )
    if -ball.fun < ROUNDING:
        return 0.0
    corners = HalfspaceIntersection(np.column_stack([sides, -limits]), ball.x[:m]).intersections
    return float(ConvexHull(corners).volume * size.prod())


def _facets(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half-spaces `normals [k, m] @ y <= offsets [k]` whose intersection is what mixtures of the rows dominate.

    Seen from a point below all rows, that is the convex hull of the boxes that the rows span with the point. Its facets
    with no negative normal bound what is dominated; the others are sides of the boxes at the point.

    Args:
        rows: `[n, m]`, of about unit range.
    """
    low = rows.min(axis=0) - 1
    corners = [np.where(kept, rows, low) for kept in itertools.product([False, True], repeat=len(low))]
    equations = np.unique(ConvexHull(np.unique(np.concatenate(corners), axis=0)).equations, axis=0)
    equations = equations[(equations[:, :-1] > -ROUNDING).all(axis=1)]
    return equations[:, :-1].clip(min=0), -equations[:, -1]
