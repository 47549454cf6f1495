"""R2: how far a set falls short of an ideal point, in the mean over preferences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from moo.checks import check_vector
from moo.indicators.inputs import inside, read_rows
from moo.indicators.utility import mean_best
from moo.preferences import check_preferences, tchebycheff


def r2(
    objectives: Any,
    preferences: Any,
    ideal_point: Any,
    directions: str | Sequence[str] | None = None,
) -> float:
    """Mean over preferences of the smallest Tchebycheff shortfall `max_i p_i |ideal_i - f_i|` that a row offers.

    With finitely many preferences it is only weakly Pareto-compliant: a set that weakly dominates another never scores
    worse, but a better one can score the same. It depends on the scale of each objective: normalise beforehand with a
    fixed ideal and nadir point, and state them with the preferences.

    A row that is better than the ideal point in any objective is an error. The absolute value of the definition would
    punish it; counting it as 0 would give a perfect score to a set whose directions were mistaken.

    Source: Hansen and Jaszkiewicz 1998 (IMM-REP-1998-7), in the unary form of Brockhoff, Wagner and Trautmann 2012
    (GECCO).

    Args:
        objectives: Tensor, array or nested list `[n, m]`, m >= 1. Order, duplicates and dominated rows do not matter.
        preferences: `[k, m]` with k >= 1, or one row `[m]`; rows on the simplex.
        ideal_point: `[m]`, in the directions of the objectives; at least as good as every row in every objective. The
            same for all sets that are compared.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.

    Returns:
        At least 0, smaller is better; 0 where a row equals the ideal point, infinity for an empty set.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, a value is NaN or infinite (the first such row is named), a preference does not
            lie on the simplex, or a row is better than the ideal point.
    """
    values = read_rows("objectives", objectives, like=ideal_point)
    chosen = check_preferences(preferences, values.shape[1])
    best = check_vector("ideal_point", ideal_point, values.shape[1])
    turned, ideal = inside(directions, values, best)
    better = turned > ideal
    if better.any():
        row, column = torch.nonzero(better)[0].tolist()
        raise ValueError(
            "`ideal_point` should be at least as good as every row of `objectives`. "
            f"Row {row} is better in objective {column}: {float(values[row, column])} against {float(best[column])}. "
            "Check `directions`, or take the best value of each objective over all the sets that you compare."
        )

    def utility(rows: Tensor, block: Tensor) -> Tensor:
        return tchebycheff(rows, block[:, None, :], ideal)

    return 0.0 - mean_best(utility, turned, chosen)  # a minus sign alone would make -0.0 of 0.0
