"""Choosing from a front: knees, pseudo-weights, what is nearest to a preference or best by an aspiration.

Pure functions of objectives `[n, m]` in a problem's own directions; what they give are row numbers, or a number for
each row. They look at the rows that are handed over, and at nothing else: each objective is scaled by the best and the
worst value that it has there, an objective that is the same in all rows has no say, and of equal rows the first is
chosen. So another front of the same problem can give another choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from moo.checks import check_finite_rows, check_matrix, check_number, check_vector
from moo.directions import check_directions, turn
from moo.preferences import check_preferences
from moo.scalarisations import achievement

SINGULAR = 1e-9  # below this, extreme points span no hyperplane


# --------------------------------------------------------------------------------------------------- knees
def knee_distances(objectives: Any, directions: str | Sequence[str]) -> Tensor:
    """How far each row bulges from the hyperplane through the extreme rows towards the ideal point: `[n]`.

    Of two objectives that is the distance from the line through the two ends of the front; of more, from the hyperplane
    through m extreme rows, one for each objective: the row that falls short of the ideal least in all others (and, of
    these, least in its own). Positive on the ideal point's side, where compromises are good, negative beyond: on a
    front that bulges away from the ideal point no row is above 0.

    Where the extreme rows span no hyperplane that cuts all axes beyond the ideal point (two coincide, the front is a
    curve), it is the one through the worst value of each objective.

    Source: Das 1999 (Structural Optimization 18) for the distance from the hyperplane of the individual optima. The
    extreme rows and the way out of degenerate ones are those of NSGA-III (Deb and Jain 2014, IEEE TEC 18(4)): with
    three objectives or more the optimum of one alone is often attained on a whole edge of the front.

    Args:
        objectives: `[n, m]`, finite.
        directions: `"min"`, `"max"` or one of them per objective.

    Returns:
        float64 `[n]`, with objectives scaled to [0, 1].

    Raises:
        TypeError, ValueError: There are no rows, or no finite numbers, or directions do not fit.
    """
    shortfall = _shortfall(objectives, directions)
    moving = shortfall[:, shortfall.amax(dim=0) > 0]
    if moving.shape[1] < 2:  # all rows alike, or one of them best in everything
        return -moving.sum(dim=1)
    normal = _normal(moving)
    distances: Tensor = (1 - moving @ normal) / torch.linalg.vector_norm(normal)
    return distances


def knee(objectives: Any, directions: str | Sequence[str]) -> int:
    """The row that bulges most towards the ideal point: see `knee_distances`.

    Raises:
        TypeError, ValueError: As `knee_distances`.
    """
    return int(knee_distances(objectives, directions).argmax())


def _normal(shortfall: Tensor) -> Tensor:
    """The normal `a [m]` of the hyperplane `a . s = 1` through the extreme rows, or through the worst values."""
    m = shortfall.shape[1]
    extremes = torch.stack([shortfall[_extreme(shortfall, i)] for i in range(m)])
    if float(torch.linalg.svdvals(extremes)[-1]) > SINGULAR:
        normal: Tensor = torch.linalg.solve(extremes, torch.ones(m, dtype=torch.float64))
        if bool((normal > SINGULAR).all()):
            return normal
    return torch.ones(m, dtype=torch.float64)


def _extreme(shortfall: Tensor, objective: int) -> int:
    """The row that falls short least in all other objectives, of equal ones least in its own."""
    others = shortfall.index_fill(1, torch.tensor(objective), 0.0).amax(dim=1)
    return int(torch.where(others == others.amin(), shortfall[:, objective], torch.inf).argmin())


def trade_offs(objectives: Any, directions: str | Sequence[str]) -> Tensor:
    """What the cheapest move from each row to another costs in other objectives for each unit that it gains: `[n]`.

    Objectives are scaled to [0, 1]; loss and gain are summed over objectives. Large values are what one would not like
    to leave: any gain in one objective is dear in the others. Infinite where no other row gains anything; the extremes
    of a front often are large, too, as the last bit of an objective is dear.

    Source: Rachmawati and Srinivasan 2009 (IEEE TEC 13(4)). There, and in pymoo's `HighTradeoffPoints`, only rows
    nearby are looked at; here all are, so that there is no radius to be chosen.

    Args:
        objectives: `[n, m]`, finite.
        directions: `"min"`, `"max"` or one of them per objective.

    Returns:
        float64 `[n]`, at least 0; 0 for a row that another dominates.

    Raises:
        TypeError, ValueError: As `knee_distances`.
    """
    shortfall = _shortfall(objectives, directions)
    values = []
    for row in shortfall:  # row by row: a table of all pairs would not fit
        change = shortfall - row
        gain, loss = (-change).clamp(min=0).sum(dim=1), change.clamp(min=0).sum(dim=1)
        values.append(torch.where(gain > 0, loss / gain, torch.inf).amin())
    return torch.stack(values)


# --------------------------------------------------------------------------------------------------- preferences
def pseudo_weights(objectives: Any, directions: str | Sequence[str]) -> Tensor:
    """The preference that each row seems to follow: its distance from the worst value in each objective, summing to 1.

    Source: Deb 2001 (Multi-Objective Optimization Using Evolutionary Algorithms, Wiley, section 8.7).

    Args:
        objectives: `[n, m]`, finite.
        directions: `"min"`, `"max"` or one of them per objective.

    Returns:
        float64 `[n, m]` on the simplex. An objective that is the same in all rows has 0; a row that is worst in all
        others (so that nothing can be said of it) has the same in each of these, as all rows have where they are equal.

    Raises:
        TypeError, ValueError: As `knee_distances`.
    """
    shortfall = _shortfall(objectives, directions)
    moving = shortfall.amax(dim=0) > 0
    if not moving.any():
        return torch.full_like(shortfall, 1 / shortfall.shape[1])
    merit = torch.where(moving, 1 - shortfall, 0.0)
    merit = torch.where(merit.sum(dim=1, keepdim=True) > 0, merit, moving.to(torch.float64))
    return merit / merit.sum(dim=1, keepdim=True)


def nearest(objectives: Any, preference: Any, directions: str | Sequence[str]) -> int:
    """The row whose pseudo-weights are nearest to a preference, by the sum of absolute differences.

    Scalarisations choose otherwise: `SearchResult.sample` takes the row that is best for a preference by augmented
    Tchebycheff, `achieve` the one that is best by an aspiration.

    Args:
        objectives: `[n, m]`, finite.
        preference: `[m]` on the simplex.
        directions: `"min"`, `"max"` or one of them per objective.

    Raises:
        TypeError, ValueError: As `knee_distances`, or the preference lies off the simplex.
    """
    weights = pseudo_weights(objectives, directions)
    wanted = _one_preference(preference, weights.shape[1])
    return int((weights - wanted).abs().sum(dim=1).argmin())


def achieve(
    objectives: Any,
    aspiration: Any,
    directions: str | Sequence[str],
    *,
    preference: Any = None,
    augmentation: float = 0.05,
) -> int:
    """The row that surpasses, or misses least, what one aspires to in each objective.

    It has the largest `min_i p_i (f_i - a_i) / range_i`, plus `augmentation` times the sum of these terms (see
    `moo.scalarisations.achievement`). The aspiration need not be attainable, nor good: it is a point to be near to or
    beyond.

    Source: Wierzbicki 1980 (LNEMS 177, 468-486).

    Args:
        objectives: `[n, m]`, finite.
        aspiration: `[m]`, in the objectives' units and directions.
        directions: `"min"`, `"max"` or one of them per objective.
        preference: `[m]` on the simplex: how much missing the aspiration matters in each; by default the same.
        augmentation: Factor of the added sum, at least 0; above 0 no dominated row is chosen.

    Raises:
        TypeError, ValueError: As `knee_distances`, or the aspiration is not m finite numbers, the preference lies off
            the simplex, or the augmentation is negative.
    """
    rows, words = _read(objectives, directions)
    m = rows.shape[1]
    wanted = turn(check_vector("aspiration", aspiration, m), words)
    matters = torch.full((m,), 1 / m, dtype=torch.float64) if preference is None else _one_preference(preference, m)
    factor = check_number("augmentation", augmentation, "the factor of the added sum", zero=True)
    span = _span(rows)
    moving = span > 0
    if not moving.any():
        return 0
    span, rows, wanted, matters = span[moving], rows[:, moving], wanted[moving], matters[moving]
    return int(achievement(rows / span, matters, wanted / span, factor).argmax())


# --------------------------------------------------------------------------------------------------- reading
def _read(objectives: Any, directions: str | Sequence[str]) -> tuple[Tensor, tuple[str, ...]]:
    """Objectives `[n, m]`, maximised, and the directions as words."""
    rows = check_finite_rows("objectives", check_matrix("objectives", objectives))
    if not len(rows):
        raise ValueError("`objectives` should have at least one row to choose from. Found none.")
    words = check_directions(directions, rows.shape[1])
    return turn(rows, words), words


def _span(rows: Tensor) -> Tensor:
    """The range of each objective `[m]`."""
    return rows.amax(dim=0) - rows.amin(dim=0)


def _shortfall(objectives: Any, directions: str | Sequence[str]) -> Tensor:
    """What each row lacks of the best value of each objective `[n, m]`: 0 the best (or all alike), 1 the worst."""
    rows, _ = _read(objectives, directions)
    span = _span(rows)
    return (rows.amax(dim=0) - rows) / torch.where(span > 0, span, 1.0)


def _one_preference(preference: Any, num_objectives: int) -> Tensor:
    checked = check_preferences(preference, num_objectives)
    if len(checked) > 1:
        raise ValueError(f"`preference` should be one, [{num_objectives}]. Found {len(checked)}.")
    return checked[0]
