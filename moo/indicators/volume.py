"""Hypervolume: how much of the space above a reference point a set of objectives dominates."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import moocore
import numpy as np

from moo.checks import check_vector
from moo.indicators.inputs import inside, read_rows

SWEEP_FROM = 2000  # rows from which our own sweep over two objectives is faster than moocore (twice as fast at 10,000)


def hypervolume(
    objectives: Any,
    reference_point: Any,
    directions: str | Sequence[str] | None = None,
    *,
    warn: bool = True,
) -> float:
    """Exact volume of the space that a set dominates and that itself dominates the reference point.

    Source: Zitzler and Thiele 1998 (PPSN V). Computed in float64 by moocore (Guerreiro and Fonseca 2018 up to four
    objectives, a recursion on them above), for two objectives and many rows by a sweep of our own. Its cost grows fast
    from six objectives on: see `predicted_seconds`.

    Args:
        objectives: Tensor, array or nested list `[n, m]`, m >= 1. Order, duplicates and dominated rows do not matter.
            A row that is not strictly better than the reference point in every objective adds nothing.
        reference_point: `[m]`, in the directions of the objectives.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        warn: Warn when there are rows and none of them is better than the reference point.

    Returns:
        At least 0, larger is better; 0 for an empty set.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong or a value is NaN or infinite (the first such row is named).
    """
    values = read_rows("objectives", objectives, like=reference_point)  # moocore never returns on NaN from m = 4 on
    m = values.shape[1]
    reference = check_vector("reference_point", reference_point, m)
    array, low = (tensor.numpy() for tensor in inside(directions, values, reference))
    if len(array) == 0:
        return 0.0
    sweeps = m == 2 and len(array) >= SWEEP_FROM
    volume = _sweep(array, low) if sweeps else float(moocore.hypervolume(array, ref=low, maximise=True))
    if warn and volume == 0.0 and not (array > low).all(axis=1).any():
        warnings.warn(
            f"The hypervolume is 0: none of the {len(array)} points is better than the reference point "
            f"{reference.tolist()} in every objective. "
            "Check `directions` or choose a worse reference point.",
            UserWarning,
            stacklevel=2,
        )
    return volume


def _sweep(array: np.ndarray, low: np.ndarray) -> float:
    """Hypervolume of two maximised objectives: strips of the first, as high as the best second so far."""
    first, second = array[:, 0] - low[0], array[:, 1] - low[1]
    order = np.argsort(-first)
    width, height = np.maximum(first[order], 0.0), np.maximum(second[order], 0.0)
    np.maximum.accumulate(height, out=height)
    width[:-1] -= width[1:]
    return float(width @ height)


def predicted_seconds(n: int, m: int) -> float:
    """Roughly how long `hypervolume` takes for n mutually non-dominated rows of m objectives.

    A sum of terms fitted to measured times of moocore 0.3.2 on one core: `n log n` up to three objectives, `n^2` for
    the fourth and the fifth, and `1.8e-5 * 3.2^(j - 5) * (n / 20)^(j - 3.4)` for each objective j from the sixth on.
    For n from 15 to 10,000 it was within a factor of 2.5 up to ten objectives and above them up to 10 times too long.
    Rows that are dominated cost much less, and so do up to ten rows of many objectives.

    Args:
        n: Number of rows, 0 or more.
        m: Number of objectives, 1 or more.

    Returns:
        Seconds; it grows with n and with m and is infinite where it leaves the range of a float.
    """
    seconds = 1e-5 + 7e-9 * n * math.log2(n + 1)
    seconds += 1.3e-8 * n * math.log2(n + 1) if m >= 3 else 0.0
    seconds += 6e-10 * n**2 if m >= 4 else 0.0
    seconds += 1.2e-8 * n**2 if m >= 5 else 0.0
    for j in range(6, m + 1 if n else 0):
        exponent = math.log(1.8e-5) + (j - 5) * math.log(3.2) + (j - 3.4) * math.log(n / 20)
        seconds += math.exp(exponent) if exponent < 700 else math.inf
    return seconds
