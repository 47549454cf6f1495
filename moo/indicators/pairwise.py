"""Diversity from the distances between all pairs of rows of a set. None of these says how good the rows are.

What `moo/indicators/diversity.py` says of sets, batches, masks, scales, dominated rows and errors holds here, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from moo.checks import check_number
from moo.indicators.diversity import distinct, pairs_at_once, read_alone
from moo.indicators.inputs import Directions, Sets, score

RIDGE = 1e-13  # first added to a matrix that rounding has made singular; its results change by about as much


def mean_pairwise_distance(
    objectives: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """Mean Euclidean distance between two rows of a set. Maximised unless `directions` says otherwise.

    The mean over all pairs of different rows; rows that stand twice count twice. Two clumps far apart score best: read
    it beside an indicator of evenness.

    Source: the diversity of the best candidates in Jain et al. 2023 (ICML, Multi-Objective GFlowNets), between their
    objectives.

    Returns:
        At least 0, larger is more diverse; 0 for fewer than two rows.
    """
    sets = read_alone(objectives, directions, mask, nan)
    counts = sets.counts()
    (total,) = _over_pairs(sets, lambda distances: distances)
    return score(total / (counts * (counts - 1)).clamp(min=1))


def riesz_energy(
    objectives: Any, *, s: float | None = None, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """Sum over ordered pairs of rows of their Euclidean distance to the power of -s (Riesz s-energy).

    What is evenly spread over a front has little energy. Every further row adds some: compare sets of equal size only.

    Source: Hardin and Saff 2005 (Advances in Mathematics 193(1)): points of least energy on a surface of d dimensions
    spread evenly where s >= d, and a front has at most m - 1. As an indicator: Falcon-Cardona, Uribe and Rosas 2024
    (IEEE TEC 29(4)).

    Args:
        objectives: As for the whole module, and so are the others.
        s: Above 0; the larger, the more the nearest pairs weigh. None: m - 1, at least 1.
        directions: Of the objectives.
        mask: Rows that count.
        nan: What to do about NaN.

    Returns:
        Above 0, smaller is more even; infinity for rows that stand twice and for fewer than two rows.

    Raises:
        TypeError, ValueError: `s` is no number above 0, or as for the whole module.
    """
    power = None if s is None else check_number("s", s, "how much near pairs weigh")
    sets = read_alone(objectives, directions, mask, nan)
    power = max(1.0, sets.shape[-1] - 1.0) if power is None else power
    counts = sets.counts()
    total, zeros = _over_pairs(
        sets,
        lambda distances: torch.where(distances > 0, distances, torch.inf).pow(-power),
        lambda distances: (distances == 0).to(torch.float64),  # each row from itself, and from its equals
    )
    return score(torch.where((counts < 2) | (zeros > counts), torch.inf, total))


def solow_polasky(
    objectives: Any, *, theta: float = 10.0, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """How many different rows a set amounts to: the sum of the inverse of `exp(-theta d)`, d their Euclidean distances.

    Rows that lie apart count one each, rows that lie together one in all: nearly n where `theta d` is large, nearly 1
    where it is small. A further row never lowers it, and rows that stand twice change nothing. O(n^3), and n^2 numbers
    at once for a set.

    Source: Solow and Polasky 1994 (Environmental and Ecological Statistics 1(2)). They leave theta to the user: with
    10, rows of objectives scaled to [0, 1] that lie a tenth apart are alike by exp(-1) = 37 %.

    Args:
        objectives: As for the whole module, and so are the others.
        theta: Above 0, in units of one over a distance: how fast likeness falls.
        directions: Of the objectives.
        mask: Rows that count.
        nan: What to do about NaN.

    Returns:
        At least 1, larger is more diverse; 0 for an empty set.

    Raises:
        TypeError, ValueError: `theta` is no number above 0, or as for the whole module.
    """
    rate = check_number("theta", theta, "how fast likeness falls with distance")
    sets = read_alone(objectives, directions, mask, nan)
    *batch, n, m = sets.values.shape
    rows = sets.values.reshape(math.prod(batch), n, m)
    counted = distinct(sets)
    unit = torch.eye(n, dtype=torch.float64, device=rows.device)
    found = []
    depth = max(1, pairs_at_once(rows) // max(1, n * n))
    for some, which in zip(torch.split(rows, depth), torch.split(counted, depth), strict=True):
        alike = torch.exp(-rate * _distances(some, some))
        alike = torch.where(which[:, :, None] & which[:, None, :], alike, unit)
        factor, failed = torch.linalg.cholesky_ex(alike)
        ridge = RIDGE
        while bool((failed > 0).any()):  # rows so near to each other that rounding makes them equal
            alike = alike + torch.where(failed > 0, ridge, 0.0)[:, None, None] * unit
            factor, failed = torch.linalg.cholesky_ex(alike)
            ridge *= 100
        ones = which.to(torch.float64)
        found.append((torch.cholesky_solve(ones[..., None], factor).squeeze(-1) * ones).sum(dim=1))
    return score(torch.cat(found).reshape(batch))


def _distances(left: Tensor, right: Tensor) -> Tensor:
    return torch.cdist(left, right, compute_mode="donot_use_mm_for_euclid_dist")


def _over_pairs(sets: Sets, *functions: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """For each function of distances, its sum over ordered pairs of rows that count, each with itself too: `[...]`."""
    *batch, n, m = sets.values.shape
    size = math.prod(batch)
    rows = sets.values.reshape(size, n, m)
    weights = rows.new_ones(size, n) if sets.mask is None else sets.mask.reshape(size, n).to(torch.float64)
    height = max(1, min(n, pairs_at_once(rows) // max(1, n)))
    depth = max(1, pairs_at_once(rows) // max(1, height * n))
    totals = []
    for some, weight in zip(torch.split(rows, depth), torch.split(weights, depth), strict=True):
        total = [rows.new_zeros(len(some)) for _ in functions]
        for start in range(0, n, height):
            part = slice(start, start + height)
            distances = _distances(some[:, part], some)
            for i, function in enumerate(functions):
                by_row = (function(distances) @ weight[..., None]).squeeze(-1)
                total[i] = total[i] + (by_row * weight[:, part]).sum(dim=1)
        totals.append(total)
    return [torch.cat(parts).reshape(batch) for parts in zip(*totals, strict=True)]
