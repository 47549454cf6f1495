"""What it costs to get somewhere: the first hit of a target, expected running time, its distribution, anytime areas.

Costs are in a problem's own unit (evaluations, transitions); infinite means never reached.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def used_to_target(used: Any, values: Any, targets: Any) -> NDArray[np.float64]:
    """What a run had used when its value first reached each target; infinite where it never did.

    Args:
        used: `[n]`, rising: the rows of a history.
        values: `[n]`, larger is better; NaN where it was not computed.
        targets: `[t]`.

    Returns:
        `[t]`.

    Raises:
        ValueError: `used` and `values` differ in length.
    """
    costs, heights = _curve(used, values)
    best = np.maximum.accumulate(heights) if len(heights) else heights
    first = np.searchsorted(best, np.array(targets, dtype=np.float64), side="left")
    return np.append(costs, math.inf)[first]


def expected_running_time(used_to_target: Any, budgets: Any) -> float:
    """What all runs together spent before the target, per run that reached it: the expected cost of restarts.

    A run that never reached it spent its budget. Infinite where none reached it.

    Source: Hansen, Auger, Ros, Mersmann, Tusar and Brockhoff 2021 (COCO, Optimization Methods and Software 36(1),
    arXiv 1603.08785); Price 1997.

    Args:
        used_to_target: `[runs]`; infinite or NaN where a run did not reach it.
        budgets: `[runs]`, or one number for all.

    Raises:
        ValueError: There is no run, or the lengths differ.
    """
    costs = np.array(used_to_target, dtype=np.float64)
    if costs.ndim != 1 or not len(costs):
        raise ValueError(f"`used_to_target` should be a list with one cost per run. Found shape {list(costs.shape)}.")
    try:
        spent = np.broadcast_to(np.array(budgets, dtype=np.float64), costs.shape)
    except ValueError as error:
        raise ValueError(f"`budgets` should be one number, or one for each of {len(costs)} runs.") from error
    reached = np.isfinite(costs)
    if not reached.any():
        return math.inf
    return float(np.where(reached, costs, spent).sum() / reached.sum())


def ecdf(values: Any, at: Any) -> NDArray[np.float64]:
    """The share of values that are at most each of some numbers: of costs, the share of targets reached by then.

    Args:
        values: Of any shape, at least one; infinite or NaN never counts.
        at: `[k]`.

    Returns:
        `[k]`, from 0 to 1.

    Raises:
        ValueError: There is no value.
    """
    known = np.array(values, dtype=np.float64).ravel()
    if not len(known):
        raise ValueError("`values` should hold at least one number. Found none.")
    reached = np.sort(known[np.isfinite(known)])
    counts: NDArray[np.float64] = np.searchsorted(reached, np.array(at, dtype=np.float64), side="right") / len(known)
    return counts


def area_under_curve(used: Any, values: Any, budget: float) -> float:
    """The mean over the budget of a value that stands still between two rows of a history, and is 0 before the first.

    That is the area under the step curve divided by the budget, in the units of the value: high where a search is good
    soon. The last value holds until the budget's end.

    Args:
        used: `[n]`, rising, at most the budget.
        values: `[n]`; NaN where it was not computed: the value before holds on.
        budget: Above 0.

    Raises:
        ValueError: `used` and `values` differ in length, or the budget is not above 0 or below what was used.
    """
    costs, heights = _curve(used, values)
    if not budget > 0 or (len(costs) and costs[-1] > budget):
        raise ValueError(f"`budget` should be above 0 and not below what was used. Found {budget}.")
    return float((heights * np.diff(np.append(costs, budget))).sum() / budget)


def _curve(used: Any, values: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The known points of a history."""
    costs, heights = np.array(used, dtype=np.float64), np.array(values, dtype=np.float64)
    if costs.shape != heights.shape or costs.ndim != 1:
        raise ValueError(
            f"`used` and `values` should be lists of one length. Found {list(costs.shape)} and {list(heights.shape)}."
        )
    known = ~np.isnan(heights)
    return costs[known], heights[known]
