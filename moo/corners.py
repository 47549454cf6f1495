"""Corner preferences: where a convex coverage set may still be improved, and by how much.

The best value `V(w) = max_i w . V_i` of a set of return vectors is convex in the preference w, with flat pieces. The
preferences where pieces meet are its corners; an improvement of V is largest at one of them (Roijers, Whiteson and
Oliehoek 2015, "Computing convex coverage sets for faster multi-objective coordination", JAIR 52).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError
from torch import Tensor

MAX_OBJECTIVES = 6
SAME = 1e-7  # differences of preferences that are rounding


def corner_preferences(values: Tensor) -> Tensor:
    """The vertices of `{(w, v): v >= w . V_i for all i, w on the simplex}`, without v: the corner preferences.

    Args:
        values: V, finite return vectors `[n, m]`, maximised; n >= 1, 2 <= m <= 6.

    Returns:
        float64 `[c, m]` on the simplex: the m unit vectors first, then the others in lexicographic order.

    Raises:
        ValueError: There is no row, a value is not finite, or m is outside 2..6.
    """
    rows = _checked(values)
    m = rows.shape[1]
    span = np.ptp(rows, axis=0).max()
    scaled = np.unique((rows - rows.min(axis=0)) / (span if span > 0 else 1.0), axis=0)  # moves v, not the vertices
    inner = _vertices(_outermost(scaled))
    inner = inner[(inner.max(axis=1) < 1 - SAME)]
    return torch.from_numpy(np.concatenate([np.eye(m), inner]))


def _checked(values: Tensor) -> np.ndarray:
    n, m = values.shape
    if n == 0:
        raise ValueError("`values` should hold at least one return vector. Found none.")
    if not 2 <= m <= MAX_OBJECTIVES:
        raise ValueError(f"`values` should have 2 to {MAX_OBJECTIVES} columns, one per objective. Found {m}.")
    rows: np.ndarray = values.detach().to(device="cpu", dtype=torch.float64).numpy()
    if not np.isfinite(rows).all():
        raise ValueError("`values` should be finite. Leave failed rows out.")
    return rows


def _outermost(rows: np.ndarray) -> np.ndarray:
    """Those of many rows that can be the best of all: the vertices of their hull; all where it is flat."""
    n, m = rows.shape
    if n <= 2 * m:
        return rows
    try:
        vertices: np.ndarray = np.sort(ConvexHull(rows).vertices)
    except QhullError:
        return rows
    chosen: np.ndarray = rows[vertices]
    return chosen


def _vertices(rows: np.ndarray) -> np.ndarray:
    """The preferences `[c, m]` of all vertices, in lexicographic order, each once."""
    n, m = rows.shape
    # in coordinates (w_1, ..., w_{m-1}, v), the last entry of w being what is left
    pieces = np.column_stack([rows[:, :-1] - rows[:, -1:], -np.ones(n), rows[:, -1]])  # w . V_i - v <= 0
    walls = np.column_stack([-np.eye(m - 1), np.zeros(m - 1), np.zeros(m - 1)])  # w_j >= 0
    rest = np.array([[1.0] * (m - 1) + [0.0, -1.0]])  # w_m >= 0
    ceiling = np.array([[0.0] * (m - 1) + [1.0, -3.0]])  # v <= 3: a lid, all values being in 0..1
    inside = np.array([1 / m] * (m - 1) + [2.0])
    found = HalfspaceIntersection(np.concatenate([pieces, walls, rest, ceiling]), inside).intersections
    found = found[np.isfinite(found).all(axis=1) & (found[:, -1] < 2.5)]
    last = 1 - found[:, :-1].sum(axis=1, keepdims=True)
    preferences = np.concatenate([found[:, :-1], last], axis=1)
    preferences = np.where(np.abs(preferences) < SAME, 0.0, preferences).clip(min=0)
    _, first = np.unique(preferences.round(7), axis=0, return_index=True)
    chosen: np.ndarray = preferences[first] / preferences[first].sum(axis=1, keepdims=True)
    return chosen


def optimistic_values(preferences: Tensor, worked_for: Tensor, reached: Tensor) -> Tensor:
    """The most that a return vector could be worth, if each preference worked for has been given its best.

    The linear programme `max w . v, subject to u . v <= reached(u)` for all u worked for, by its dual: w written as a
    non-negative combination of the preferences worked for, at the least cost.

    Args:
        preferences: w, `[c, m]`.
        worked_for: u, `[p, m]`.
        reached: The best value of a known return vector at each of these, `[p]`.

    Returns:
        float64 `[c]`; infinite where nothing bounds it.
    """
    columns, cost = worked_for.numpy().T, reached.numpy()
    found = torch.full((len(preferences),), torch.inf, dtype=torch.float64)
    if not len(cost):
        return found
    for i, preference in enumerate(preferences.numpy()):
        answer = linprog(cost, A_eq=columns, b_eq=preference, bounds=(0, None), method="highs")
        if answer.status == 0:
            found[i] = float(answer.fun)
    return found
