"""Borders of what sets of two objectives attain, as lines and areas, and the limits of axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from moo.plots.reading import best_rows

Array = NDArray[np.float64]

GAP = 4.0  # a step this many times as long as both its neighbours is a gap in a front


def staircase(objectives: Array, directions: Sequence[str], worst: Sequence[float]) -> Array:
    """The border of what a front of two objectives attains, as the corners of a line.

    Args:
        objectives: `[n, 2]`; dominated rows are left out.
        directions: `"min"` or `"max"` for each of the two.
        worst: Where the border ends, `[2]`, no better than any row.

    Returns:
        Corners `[2 k + 1, 2]` for k non-dominated rows, from the worst end of one objective to that of the other; the
        worst point alone where there are no rows.
    """
    points = best_rows(objectives, directions)
    points = points[np.argsort(points[:, 0] if directions[0] == "min" else -points[:, 0])]  # best first objective first
    down = np.concatenate([[worst[1]], points[:, 1]])  # the second objective before and after each point
    across = np.concatenate([points[:, 0], [worst[0]]])
    corners = np.empty((2 * len(points) + 1, 2))
    corners[0::2, 0], corners[1::2, 0] = across, across[:-1]
    corners[0::2, 1], corners[1::2, 1] = down, down[1:]
    return corners


def between(better: Array, worse: Array, directions: Sequence[str], worst: Sequence[float]) -> Array:
    """The outline `[k, 2]` of what the one set of two objectives attains and the other does not."""
    return np.concatenate([staircase(better, directions, worst), staircase(worse, directions, worst)[::-1]])


def broken_line(front: Array, directions: Sequence[str]) -> Array:
    """A front of two objectives in order, with a row of NaN where it is disconnected."""
    points = np.unique(best_rows(front, directions), axis=0)
    span = np.ptp(points, axis=0)
    steps = np.linalg.norm(np.diff(points, axis=0) / np.where(span > 0, span, 1.0), axis=1)
    before, after = np.concatenate([[0.0], steps[:-1]]), np.concatenate([steps[1:], [0.0]])
    around = np.maximum(before, after) if len(steps) > 1 else np.inf
    return np.insert(points, np.flatnonzero(steps > GAP * around) + 1, np.nan, axis=0)


def limits(values: Array) -> tuple[float, float]:
    """The limits of an axis that shows all values, with a margin."""
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    return low - margin, high + margin


def worst_corner(bounds: Sequence[tuple[float, float]], directions: Sequence[str]) -> list[float]:
    """The worst corner of axes with these limits."""
    return [pair[1 if word == "min" else 0] for pair, word in zip(bounds, directions, strict=True)]
