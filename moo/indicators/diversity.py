"""Diversity: how evenly and how widely the rows of a set are spread. None of these says how good the rows are.

Every function takes one set `[n, m]` or a batch of them `[..., n, m]`, and `directions`, `mask` and `nan` as in
`moo/indicators/distance.py`; distances do not depend on the directions, but they say which infinite rows are bad: such
rows count as none. One set gives a float, a batch a tensor `[...]` on the device of the objectives.

Dominated rows count: pass fronts. All depend on the scale of each objective: normalise beforehand where the ranges
differ, and say how. A ValueError names the first row that holds NaN or is infinitely good, and any wrong shape; what
cannot be read as numbers is a TypeError.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from moo.indicators.distance import (
    APART,
    PAIRS_CPU,
    PAIRS_GPU,
    TREE_FROM,
    Array,
    Gap,
    measure,
    nearest,
    read_with_reference,
    root,
)
from moo.indicators.inputs import Directions, Sets, read_sets, score


def spacing(objectives: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise") -> Any:
    """Standard deviation of distances to the nearest neighbour. Maximised unless `directions` says otherwise.

    Distances are sums of absolute differences. No quality on its own: it says neither how good the points are nor how
    far they reach. Any two points score 0, and so do pairs of equal width however far apart.

    Source: Schott 1995 (master's thesis, MIT), with n - 1 in the denominator. Schott says nothing about equal points;
    here they count once, since a set that has collapsed into few points would otherwise look perfectly even.

    Returns:
        At least 0, smaller is more even; infinity for fewer than two distinct points, which have no spacing.
    """
    sets = read_alone(objectives, directions, mask, nan)
    return measure(sets, lambda: _spacing(sets), _spacing_of_one, loop=sets.values.shape[-2] ** 2 >= TREE_FROM)


def sparsity(
    objectives: Any,
    *,
    reference_set: Any = None,
    directions: Directions = None,
    mask: Any = None,
    nan: str = "raise",
) -> Any:
    """Sum of squared gaps in each sorted objective, over n - 1. Maximised unless `directions` says otherwise.

    Do not choose by it: points that clump score well, one row scores best, and it does not look at dominance.
    morl-baselines removed it from its logs for that. Report it, if at all, beside an indicator of quality. Rows that
    stand twice count twice.

    Source: Xu, Tian, Ma, Rus, Sueda and Matusik 2020 (ICML, PGMORL), as in morl-baselines.

    Args:
        objectives: As for the whole module, and so are the others.
        reference_set: `[k, m]`; each objective is divided by the range of its values there. None: as it is.
        directions: Of the objectives.
        mask: Rows that count.
        nan: What to do about NaN.

    Returns:
        At least 0, smaller is said to be better; 0 for one row, infinity for an empty set (there morl-baselines has 0).

    Raises:
        ValueError: The reference set is constant in an objective, or as for the whole module.
    """
    if reference_set is None:
        sets = read_alone(objectives, directions, mask, nan)
        values = sets.values
    else:
        sets, reference = read_with_reference(objectives, reference_set, directions, mask, nan)
        values = sets.values / _ranges(reference)
    counts = sets.counts()
    ends = torch.arange(1, max(1, values.shape[-2]), device=values.device) < counts[..., None]  # gaps that count
    ordered = sets._replace(values=values).neutral(torch.inf).sort(dim=-2).values
    gaps = torch.where(ends[..., None], ordered[..., 1:, :] - ordered[..., :-1, :], 0.0)
    total = gaps.square().sum(dim=(-2, -1)) / (counts - 1).clamp(min=1)
    return score(torch.where(counts > 0, total, torch.inf))


def pc_entropy(
    objectives: Any, reference_set: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """Entropy of how rows are shared out among reference points. Maximised unless `directions` says otherwise.

    Each row goes to the nearest reference point (the first of equally near ones); the entropy, in nats, is that of the
    shares. It says how evenly the rows cover the reference set, not how near they come. Rows that stand twice count
    twice. No gradient.

    Source: Roy, Bacon, Pal and Bengio 2023 (arXiv 2306.04620, PC-ent).

    Args:
        objectives: As for the whole module, and so are the others.
        reference_set: `[k, m]`, such as a sample of the true front.
        directions: Of the objectives.
        mask: Rows that count.
        nan: What to do about NaN.

    Returns:
        From 0 to `log(min(k, n))`, larger is more even; 0 for an empty set.
    """
    sets, reference = read_with_reference(objectives, reference_set, directions, mask, nan)
    *batch, n, m = sets.values.shape
    size, k = math.prod(batch), len(reference)
    _, places = nearest(sets.values.detach().reshape(1, size * n, m), reference[None], APART, places=True)
    assert places is not None
    places = places.reshape(size, n)
    weights = reference.new_ones(size, n) if sets.mask is None else sets.mask.reshape(size, n).to(torch.float64)
    depth = max(1, pairs_at_once(reference) // k)
    found = []
    for part, some in zip(torch.split(places, depth), torch.split(weights, depth), strict=True):
        shares = reference.new_zeros(len(part), k).scatter_add_(1, part, some)
        shares /= some.sum(dim=1, keepdim=True).clamp(min=1)
        found.append(torch.special.entr(shares).sum(dim=1))
    return score(torch.cat(found).reshape(batch))


def maximum_spread(
    objectives: Any,
    *,
    reference_set: Any = None,
    directions: Directions = None,
    mask: Any = None,
    nan: str = "raise",
) -> Any:
    """Length of the diagonal of the box that encloses a set. Maximised unless `directions` says otherwise.

    How far the extremes lie apart, not what lies between them; one bad row far away widens it. Rows that stand twice
    change nothing.

    Source: Zitzler 1999 (doctoral thesis, ETH Zurich), M3, with the ranges squared under the root; Deb 2001
    (Multi-Objective Optimization using Evolutionary Algorithms) for the form with a reference set.

    Args:
        objectives: As for the whole module, and so are the others.
        reference_set: `[k, m]`; each range is divided by that of the reference set, and the root is that of their mean
            square: 1 for a set that is as wide. None: as it is.
        directions: Of the objectives.
        mask: Rows that count.
        nan: What to do about NaN.

    Returns:
        At least 0, larger is wider; 0 for one row and for an empty set.

    Raises:
        ValueError: The reference set is constant in an objective, or as for the whole module.
    """
    ranges: Tensor | float = 1.0
    parts = 1
    if reference_set is None:
        sets = read_alone(objectives, directions, mask, nan)
    else:
        sets, reference = read_with_reference(objectives, reference_set, directions, mask, nan)
        ranges, parts = _ranges(reference), reference.shape[1]
    if sets.shape[-2] == 0:
        return score(sets.values.sum(dim=(-2, -1)))
    extent = sets.neutral(-torch.inf).amax(dim=-2) - sets.neutral(torch.inf).amin(dim=-2)
    extent = torch.where(sets.counts()[..., None] > 0, extent, 0.0) / ranges
    return score(root(extent.square().sum(dim=-1) / parts))


def read_alone(objectives: Any, directions: Directions, mask: Any, nan: str) -> Sets:
    """Read sets that stand alone; a bare empty one has as many columns as there are directions."""
    like = None if isinstance(directions, str) else directions
    return read_sets(objectives, like=like, directions=directions, mask=mask, nan=nan)


def pairs_at_once(like: Tensor) -> int:
    """How many pairs of rows to compare at once on the device of a tensor."""
    return PAIRS_CPU if like.device.type == "cpu" else PAIRS_GPU


def _ranges(reference: Tensor) -> Tensor:
    """The range of each objective of a reference set `[k, m]`: `[m]`, above 0."""
    extent = reference.amax(dim=0) - reference.amin(dim=0)
    if not (extent > 0).all():
        constant = int(torch.nonzero(extent <= 0)[0])
        raise ValueError(f"`reference_set` should vary in every objective. Objective {constant} does not.")
    return extent


def _add_length(difference: Tensor, earlier: Tensor | None) -> Tensor:
    return difference.abs_() if earlier is None else earlier.add_(difference.abs_())


STEPS = Gap(_add_length, lambda differences: differences.abs().sum(dim=-1))


def distinct(sets: Sets) -> Tensor:
    """Which rows of each set count where equal ones count once, the first of them: bool `[B, n]`."""
    *batch, n, m = sets.values.shape
    rows = sets.values.reshape(math.prod(batch), n, m)
    _, firsts = nearest(rows, sets.neutral(-torch.inf).reshape(rows.shape), STEPS, places=True)
    assert firsts is not None
    counted = firsts == torch.arange(n, device=rows.device)
    return counted if sets.mask is None else counted & sets.mask.reshape(counted.shape)


def _spacing(sets: Sets) -> Tensor:
    """The spacing of each set, `[...]`."""
    *batch, n, m = sets.values.shape
    rows = sets.values.reshape(math.prod(batch), n, m)
    present = sets.neutral(-torch.inf).reshape(rows.shape)  # what is absent is nobody's neighbour
    least, places = nearest(rows, present, STEPS, places=rows.requires_grad, others=True)
    counted = distinct(sets)
    if places is not None and n > 0:
        neighbours = rows.gather(1, places[..., None].expand(-1, -1, m))
        least = STEPS.total(rows - neighbours)
    number = counted.sum(dim=1)
    kept = torch.where(counted & (number >= 2)[:, None], least, 0.0)
    centred = torch.where(counted, kept - kept.sum(dim=1, keepdim=True) / number.clamp(min=1)[:, None], 0.0)
    deviation = root(centred.square().sum(dim=1) / (number - 1).clamp(min=1))
    return torch.where(number >= 2, deviation, torch.inf).reshape(batch)


def _spacing_of_one(rows: Array) -> float:
    """The spacing of one set, by a k-d tree."""
    points = np.unique(rows, axis=0)
    if len(points) < 2:
        return math.inf
    neighbours, _ = KDTree(points).query(points, k=[2], p=1)  # the second only: the first of a point is itself
    return float(np.std(neighbours, ddof=1))
