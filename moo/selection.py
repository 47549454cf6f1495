"""Choosing from a front: knees, trade-offs, and the rows that fit a preference or an aspiration best.

Functions of one set of objectives; nothing is drawn at random, so the same set gives the same rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from moo.checks import check_count, check_number, check_vector
from moo.dominance import non_dominated
from moo.indicators.inputs import Directions, Sets, read_sets
from moo.preferences import check_preferences
from moo.scalarisations import achievement

ROUNDING = 1e-9  # a knee stands out by more
NOTHING = "`objectives` should have at least one row that is finite: there is nothing to choose from."


def knee_points(objectives: Any, *, directions: Directions = None, count: int = 1) -> Tensor:
    """Rows where a front bends most: to leave them costs much in one objective for little in another.

    Those farthest from the hyperplane through the extreme rows, on the side of the ideal point. Only non-dominated rows
    take part, of equal ones the first, each objective scaled to their range; the extreme rows are the best in each
    objective, of several the one with the largest sum. Where they span no plane whose normal points to the ideal point
    in every objective, the plane meets each axis at the worst value instead, as in NSGA-III.

    Source: Das 1999 (Structural Optimization 18), the plane of the individual optima of Das and Dennis 1998; the way
    out: Deb and Jain 2014 (IEEE TEC 18(4)).

    Args:
        objectives: Tensor, array or nested list `[n, m]`.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        count: At most so many rows, at least 1. Those next to a knee may well follow it.

    Returns:
        int64 `[j]`, j <= `count`: indices of rows, the farthest first, ties in the order of the rows. None that is not
        beyond the plane: nothing for a front that is straight or hollow, or of fewer than two distinct rows.

    Raises:
        TypeError: The objectives cannot be read as numbers.
        ValueError: A shape or a word is wrong, `count` is below 1, or a value is NaN or infinitely good.
    """
    count = check_count("count", count)
    sets = _single(objectives, directions)
    values = sets.values.detach()
    places = torch.arange(len(values), device=values.device)
    if sets.mask is not None:
        places = places[sets.mask]
    places = places[non_dominated(values[places])]
    if len(places) < 2:
        return places[:0]
    front = values[places]
    best, worst = front.amax(dim=0), front.amin(dim=0)
    distances = _beyond_the_plane(((best - front) / (best - worst))[:, best > worst])
    order = distances.sort(descending=True, stable=True).indices[:count]
    return places[order[distances[order] > ROUNDING]]


def pseudo_weights(objectives: Any, *, directions: Directions = None) -> Tensor:
    """The balance between the objectives that each row stands for: how far it is from the worst in each, over the sum.

    `w_i = d_i / sum_j d_j` with `d_i = (f_i - worst_i) / (best_i - worst_i)`, worst and best over the rows given.

    Source: Deb 2001 (Multi-Objective Optimization using Evolutionary Algorithms).

    Args:
        objectives: Tensor, array or nested list `[n, m]`, as a rule a front.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.

    Returns:
        float64 `[n, m]` on the simplex, on the device of the objectives. An objective in which all rows are equal gets
        0; a row that is worst in all the others, and a single row, gets 1 / m for each. A row that is infinitely bad in
        an objective gets NaN and has no part in worst and best.

    Raises:
        TypeError: The objectives cannot be read as numbers.
        ValueError: A shape or a word is wrong, or a value is NaN or infinitely good.
    """
    sets = _single(objectives, directions)
    n, m = sets.values.shape
    if n == 0 or (sets.mask is not None and not sets.mask.any()):
        return torch.full_like(sets.values, torch.nan)
    best, worst = sets.neutral(-torch.inf).amax(dim=0), sets.neutral(torch.inf).amin(dim=0)
    span = best - worst
    above = (sets.values - worst) / torch.where(span > 0, span, 1.0)
    total = above.sum(dim=1, keepdim=True)
    weights = torch.where(total > 0, above / torch.where(total > 0, total, 1.0), 1 / m)
    return weights if sets.mask is None else weights.where(sets.mask[:, None], torch.nan)


def closest_to_preferences(objectives: Any, preferences: Any, *, directions: Directions = None) -> Tensor:
    """For each preference the row whose pseudo weights are nearest to it, by the sum of absolute differences.

    Args:
        objectives: Tensor, array or nested list `[n, m]` with n >= 1, as a rule a front.
        preferences: `[k, m]` or one row `[m]`, on the simplex.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.

    Returns:
        int64 `[k]`: indices of rows, the first of equally near ones.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape or a word is wrong, a value is NaN or infinitely good, a preference lies off the simplex, or
            there is no row to choose.
    """
    weights = pseudo_weights(objectives, directions=directions).detach()
    wanted = check_preferences(preferences, weights.shape[1]).to(weights.device)
    apart = torch.cdist(wanted, weights, p=1).nan_to_num(nan=torch.inf)
    if not len(weights) or bool(apart[0].isinf().all()):
        raise ValueError(NOTHING)
    return apart.argmin(dim=1)


def trade_offs(objectives: Any, *, directions: Directions = None) -> Tensor:
    """What the cheapest move from each row to another costs in other objectives for each unit that it gains.

    Each objective is scaled to the range of the rows given; loss and gain are summed over objectives. Large values are
    what one would not like to leave: any gain in one objective is dear in the others. The extremes of a front often are
    large, too, as the last bit of an objective is dear.

    Source: Rachmawati and Srinivasan 2009 (IEEE TEC 13(4)). There, and in pymoo's `HighTradeoffPoints`, only rows
    nearby are looked at; here all are, so that there is no radius to be chosen.

    Args:
        objectives: Tensor, array or nested list `[n, m]`, as a rule a front.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.

    Returns:
        float64 `[n]`, at least 0: 0 for a row that another dominates, infinite where no other row gains anything, NaN
        for a row that is infinitely bad in an objective.

    Raises:
        TypeError: The objectives cannot be read as numbers.
        ValueError: A shape or a word is wrong, or a value is NaN or infinitely good.
    """
    sets = _single(objectives, directions)
    everything = torch.ones(len(sets.values), dtype=torch.bool, device=sets.values.device)
    possible = everything if sets.mask is None else sets.mask
    rows = sets.values.detach()[possible]
    found = torch.full((len(everything),), torch.nan, dtype=rows.dtype, device=rows.device)
    if len(rows):
        span = rows.amax(dim=0) - rows.amin(dim=0)
        rows = rows / torch.where(span > 0, span, 1.0)
    costs = []
    for row in rows:  # row by row: a table of all pairs would not fit
        change = rows - row
        gain, loss = change.clamp(min=0).sum(dim=1), (-change).clamp(min=0).sum(dim=1)
        costs.append(torch.where(gain > 0, loss / gain, torch.inf).amin())
    if costs:
        found[possible] = torch.stack(costs)
    return found


def closest_to_aspiration(
    objectives: Any,
    aspiration: Any,
    *,
    directions: Directions = None,
    preference: Any = None,
    augmentation: float = 0.05,
) -> int:
    """The row that surpasses, or misses least, what one aspires to in each objective.

    It has the largest `min_i p_i (f_i - a_i) / range_i`, plus `augmentation` times the sum of these terms (see
    `moo.scalarisations.achievement`). The aspiration need not be attainable, nor good: it is a point to be near to or
    beyond.

    Source: Wierzbicki 1980 (LNEMS 177, 468-486).

    Args:
        objectives: Tensor, array or nested list `[n, m]` with n >= 1, as a rule a front.
        aspiration: `[m]`, in the objectives' units and directions.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        preference: `[m]` on the simplex: how much missing the aspiration matters in each; by default the same.
        augmentation: Factor of the added sum, at least 0; above 0 no dominated row is chosen.

    Returns:
        The index of a row, of equally good ones the first.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape or a word is wrong, a value is NaN or infinitely good, the aspiration is not m finite
            numbers, the preference lies off the simplex, the augmentation is negative, or there is no row to choose.
    """
    sets = _single(objectives, directions)
    rows = sets.values.detach()
    m = rows.shape[1]
    wanted = _single([check_vector("aspiration", aspiration, m).tolist()], directions).values[0].to(rows.device)
    matters = check_preferences([1 / m] * m if preference is None else preference, m).to(rows.device)
    if len(matters) > 1:
        raise ValueError(f"`preference` should be one, [{m}]. Found {len(matters)}.")
    factor = check_number("augmentation", augmentation, "the factor of the added sum", zero=True)
    places = torch.arange(len(rows), device=rows.device)
    places = places if sets.mask is None else places[sets.mask]
    if not len(places):
        raise ValueError(NOTHING)
    rows = rows[places]
    span = rows.amax(dim=0) - rows.amin(dim=0)
    moving = span > 0
    if not moving.any():
        return int(places[0])
    scaled, sought = rows[:, moving] / span[moving], wanted[moving] / span[moving]
    return int(places[achievement(scaled, matters[0, moving], sought, factor).argmax()])


def convex_coverage_set(objectives: Any, *, directions: Directions = None) -> Tensor:
    """Rows that are the best of all for some linear preference, the others strictly worse.

    For each row a linear program looks for the preference by which it leads the most, each objective scaled to its
    range; a lead of 1e-9 counts. Of rows that are closer to each other the first stays.

    Source: Roijers, Vamplew, Whiteson and Dazeley 2013, "A survey of multi-objective sequential decision-making", JAIR
    48.

    Args:
        objectives: Tensor, array or nested list `[n, m]`.
        directions: As above.

    Returns:
        Bool `[n]`.

    Raises:
        TypeError: The objectives cannot be read as numbers.
        ValueError: A shape or a word is wrong, or a value is NaN or infinitely good.
    """
    sets = _single(objectives, directions)
    values = sets.values.detach().cpu().numpy()
    kept = np.zeros(len(values), dtype=bool)
    possible = np.ones(len(values), dtype=bool) if sets.mask is None else sets.mask.cpu().numpy()
    places = np.flatnonzero(possible)
    places = places[non_dominated(values[places]).numpy()]
    kept[places] = True
    if len(places) <= 1:
        return torch.from_numpy(kept)
    rows = values[places]
    span = rows.max(axis=0) - rows.min(axis=0)
    rows = rows / np.where(span > 0, span, 1.0)  # a stretched objective is as one of another weight
    m = rows.shape[1]
    for place, row in zip(places[::-1], rows[::-1], strict=True):
        others = rows[kept[places] & (places != place)]  # those left out no longer stand in the way of the like
        if not len(others):
            break
        found = linprog(
            np.append(np.zeros(m), -1.0),
            A_ub=np.column_stack([others - row, np.ones(len(others))]),
            b_ub=np.zeros(len(others)),
            A_eq=[np.append(np.ones(m), 0.0)],
            b_eq=[1.0],
            bounds=[(0, 1)] * m + [(None, None)],
        )
        kept[place] = -found.fun > ROUNDING
    return torch.from_numpy(kept)


def _single(objectives: Any, directions: Directions) -> Sets:
    """Read one set.

    Raises:
        ValueError: It is a batch.
    """
    sets = read_sets(objectives, directions=directions)
    if not sets.single:
        raise ValueError(f"`objectives` should be one set [n, m]. Found shape {list(sets.values.shape)}.")
    return sets


def _beyond_the_plane(shortfalls: Tensor) -> Tensor:
    """Signed distances `[n]` from the plane through the extreme rows, above 0 towards the ideal point.

    Args:
        shortfalls: `[n, m]`, m >= 2, of a front, 0 where best and 1 where worst.
    """
    totals = shortfalls.sum(dim=1, keepdim=True)
    extremes = shortfalls[torch.where(shortfalls == 0, totals, torch.inf).argmin(dim=0)]
    normal = shortfalls.new_ones(shortfalls.shape[1])
    if torch.linalg.matrix_rank(extremes) == len(normal):
        solved = torch.linalg.solve(extremes, normal)
        if (solved > ROUNDING).all():
            normal = solved
    length: Tensor = torch.linalg.vector_norm(normal)
    return (1 - shortfalls @ normal) / length
