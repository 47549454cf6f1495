"""Preferences: points `[k, m]` on the simplex that say how much each objective matters.

Checks, lattices and random draws of preferences, and the scalarisations that read them. All objectives are maximised
and every scalarisation is larger where it is better.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moo.checks import check_count

SUM_TOLERANCE = 1e-6


def check_preferences(preferences: Any, num_objectives: int) -> Tensor:
    """Return preferences as a float64 tensor `[k, m]` on the CPU whose rows lie on the simplex.

    Rows that sum to 1 within 1e-6 are divided by their sum. A row whose sum is 1 but for rounding is left as it is, so
    that checking twice changes nothing.

    Args:
        preferences: Tensor, array or nested list `[k, m]` with k >= 1, or one row `[m]`.
        num_objectives: m.

    Raises:
        TypeError: They cannot be read as numbers.
        ValueError: The shape is wrong, or a row is not finite, has a negative entry or does not sum to 1.
    """
    try:  # numpy reads lists in float64, torch would in float32
        read = preferences if isinstance(preferences, Tensor) else torch.from_numpy(np.array(preferences, np.float64))
    except (TypeError, ValueError) as error:
        raise TypeError(f"`preferences` should be an array of numbers. Found {preferences!r}: {error}") from error
    tensor = read.detach().to(device="cpu", dtype=torch.float64)
    rows = tensor.unsqueeze(0) if tensor.ndim == 1 else tensor
    if rows.ndim != 2 or rows.shape[1] != num_objectives or len(rows) == 0:
        raise ValueError(
            f"`preferences` should have shape [k, {num_objectives}] with k >= 1, one column per objective. "
            f"Found {list(tensor.shape)}."
        )
    sums = rows.sum(dim=1)
    wrong = ~((sums - 1).abs() <= SUM_TOLERANCE) | (rows < 0).any(dim=1)  # NaN fails the comparison, too
    if wrong.any():
        row = int(torch.nonzero(wrong)[0])
        raise ValueError(
            "Each row of `preferences` should be finite, at least 0 and sum to 1. "
            f"Row {row} is {rows[row].tolist()} (sum {float(sums[row]):.6g}). {_remedy(rows[row])}"
        )
    rounding = num_objectives * torch.finfo(torch.float64).eps
    return torch.where(((sums - 1).abs() > rounding)[:, None], rows / sums[:, None], rows)


def _remedy(row: Tensor) -> str:
    """What to do about a row that is no preference."""
    if not torch.isfinite(row).all():
        return "Replace what is not finite."
    if (row < 0).any():
        return "Negative entries mean nothing here: a minimised objective is said in `directions`."
    if float(row.sum()) == 0:
        return "Give at least one objective a positive entry."
    return "Divide the row by its sum."


def das_dennis(num_objectives: int, divisions: int) -> Tensor:
    """All preferences whose entries are multiples of `1 / divisions`, in lexicographic order.

    Source: Das and Dennis 1998 (normal-boundary intersection, SIAM J. Optim. 8(3)).

    Args:
        num_objectives: m, at least 1.
        divisions: At least 1.

    Returns:
        float64 `[comb(divisions + m - 1, m - 1), m]`; the unit vectors are among the rows, exactly.

    Raises:
        ValueError: A count is below 1.
    """
    m = check_count("num_objectives", num_objectives)
    divisions = check_count("divisions", divisions)
    slots = divisions + m - 1  # stars and bars: the gaps between m - 1 bars are the entries
    count = math.comb(slots, m - 1)
    flat = itertools.chain.from_iterable(itertools.combinations(range(slots), m - 1))
    bars = np.fromiter(flat, dtype=np.int64, count=count * (m - 1)).reshape(count, m - 1)
    gaps = np.diff(bars, axis=1, prepend=-1, append=slots) - 1
    return torch.from_numpy(gaps / divisions)


def spread(points: Tensor) -> Tensor:
    """Reorder points so that every prefix covers them well: the corners first, then always the farthest.

    The unit vectors come first, in the order in which they stand; each next row is the one with the largest Euclidean
    distance to its nearest predecessor, ties (to 1e-12) going to the earliest.

    Args:
        points: `[k, m]`, finite.

    Returns:
        `[k, m]`: the same rows in another order. The cost is O(k^2 m).
    """
    array = points.detach().to(device="cpu", dtype=torch.float64).numpy()
    is_corner = (np.count_nonzero(array, axis=1) == 1) & (array.max(axis=1, initial=-math.inf) == 1)
    corners = np.flatnonzero(is_corner).tolist()
    order: list[int] = []
    nearest = np.full(len(array), math.inf)
    while len(order) < len(array):
        chosen = corners[len(order)] if len(order) < len(corners) else int(nearest.argmax())
        squared = ((array - array[chosen]) ** 2).sum(axis=1)
        # A lattice is full of ties; rounding keeps the last bit of a sum from deciding them.
        np.minimum(nearest, squared.round(12), out=nearest)
        nearest[chosen] = -math.inf
        order.append(chosen)
    return points[torch.as_tensor(order, dtype=torch.int64, device=points.device)]


def grid(num_objectives: int, at_least: int = 100) -> Tensor:
    """The smallest Das-Dennis lattice of at least so many rows, ordered by `spread`.

    Args:
        num_objectives: m, at least 1.
        at_least: Smallest number of rows, at least 1.

    Returns:
        float64 `[k, m]` with k >= `at_least`, the m unit vectors first. One row `[[1.]]` for m = 1.

    Raises:
        ValueError: A count is below 1.
    """
    m = check_count("num_objectives", num_objectives)
    at_least = check_count("at_least", at_least)
    divisions = 1
    while m > 1 and math.comb(divisions + m - 1, m - 1) < at_least:
        divisions += 1
    return spread(das_dennis(m, divisions))


def dirichlet(k: int, num_objectives: int, generator: torch.Generator, alpha: float = 1.0) -> Tensor:
    """Draw independent preferences from the symmetric Dirichlet distribution.

    Args:
        k: Number of rows, 0 or more.
        num_objectives: m, at least 1.
        generator: Where all randomness comes from; the result is on its device.
        alpha: Concentration, above 0: 1 is uniform on the simplex, below 1 favours the corners, above 1 the centre.

    Returns:
        float64 `[k, m]`, rows at least 0 that sum to 1 up to rounding.

    Raises:
        ValueError: `alpha` is not a positive finite number, or a count is too small.
    """
    shape = (check_count("k", k, low=0), check_count("num_objectives", num_objectives))
    if not (alpha > 0 and math.isfinite(alpha)):
        raise ValueError(f"`alpha` should be a positive finite number. Found {alpha!r}.")
    uniform = torch.rand(shape, dtype=torch.float64, device=generator.device, generator=generator)
    concentration = torch.full(shape, alpha + 1.0, dtype=torch.float64, device=generator.device)
    gamma = torch._standard_gamma(concentration, generator=generator)
    # Gamma(a) is Gamma(a + 1) U^(1/a). Below a = 0.01 or so all of a row would underflow to 0: hence logarithms,
    # multiplied by a until the largest is taken off. `1 - uniform` is never 0.
    logs = alpha * gamma.log() + (1 - uniform).log()
    draws = ((logs - logs.amax(dim=1, keepdim=True)) / alpha).exp()
    return draws / draws.sum(dim=1, keepdim=True)


def weighted_sum(objectives: Tensor, preferences: Tensor) -> Tensor:
    """The sum of the objectives, each times its preference: larger is better.

    Args:
        objectives: `[..., m]`, maximised.
        preferences: `[..., m]`; the leading dimensions broadcast.

    Returns:
        `[...]`; NaN where an objective is NaN. Only points on the convex hull of a front are ever best.
    """
    return (objectives * preferences).sum(dim=-1)


def tchebycheff(objectives: Tensor, preferences: Tensor, ideal_point: Tensor) -> Tensor:
    """Minus the largest weighted shortfall, `-max_i p_i (ideal_i - f_i)`: larger is better.

    Source: Bowman 1976; Steuer and Choo 1983 (Math. Programming 26).

    Args:
        objectives: `[..., m]`, maximised.
        preferences: `[..., m]`; the leading dimensions broadcast.
        ideal_point: `[..., m]`, at least as good as every row of the objectives in each objective.

    Returns:
        `[...]`, at most 0 for such an ideal point; NaN where an objective is NaN.
    """
    return -(preferences * (ideal_point - objectives)).amax(dim=-1)


def augmented_tchebycheff(
    objectives: Tensor, preferences: Tensor, ideal_point: Tensor, augmentation: float = 0.05
) -> Tensor:
    """`tchebycheff` minus `augmentation * sum_i p_i (ideal_i - f_i)`: larger is better.

    The added term lets a dominated point lose against the point that dominates it where the maximum alone ties.

    Source: Steuer and Choo 1983 (Math. Programming 26). There the added term is not multiplied by the preferences; here
    it is, as in ParEGO (Knowles 2006, IEEE TEC 10(1)), which also uses 0.05: an objective of preference 0 then has no
    say.

    Args:
        objectives: `[..., m]`, maximised.
        preferences: `[..., m]`; the leading dimensions broadcast.
        ideal_point: `[..., m]`, at least as good as every row of the objectives in each objective.
        augmentation: Factor of the added term, at least 0.

    Returns:
        `[...]`, at most 0 for such an ideal point; NaN where an objective is NaN.
    """
    shortfall = preferences * (ideal_point - objectives)
    return -shortfall.amax(dim=-1) - augmentation * shortfall.sum(dim=-1)
