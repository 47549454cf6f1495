"""Distances between sets of objectives and a reference set, such as a sample of the true front.

Every function takes one set `[n, m]` or a batch of them `[..., n, m]` (tensor, array or nested list) and one
`reference_set` `[k, m]`, k >= 1, shared by all sets and in the directions of the objectives. Beside these:

- `directions`: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
- `mask`: bool `[..., n]`, the rows that count: for sets of different sizes in one batch.
- `nan`: `"raise"`, or `"drop"`: rows with NaN do not count.

One set gives a float, a batch a tensor `[...]` on the device of the objectives. Where these require a gradient, one
flows: 0 at distance 0, at ties that of any of the tied rows. Gradients of the reference set do not flow.

A ValueError names the first row that holds NaN, that is infinitely good or, in the reference set, not finite, and any
wrong shape; what cannot be read as numbers is a TypeError.

All indicators here are smaller where they are better and depend on the scale of each objective: normalise objectives
and reference set alike beforehand where the ranges differ, and say how. Only `epsilon_multiplicative` does not.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import moocore
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from torch import Tensor
from torch.nn.functional import pad

from moo.checks import check_finite_rows
from moo.directions import check_directions, turn
from moo.indicators.inputs import Directions, Sets, as_numbers, read_sets, row_in_words, score

Array = NDArray[np.float64]

TREE_FROM = 200_000  # pairs of rows from which a k-d tree is no slower than moocore (at 10^6 up to 3 times faster)
TREE_COLUMNS = range(1, 9)  # in more dimensions a tree looks at nearly all points
EPSILON_FROM = 10_000  # pairs in a set from which moocore, which leaves most out, is faster than all sets at once
MOOCORE_COLUMNS = range(2, 256)  # for others moocore expands the square, which cancels: 0 for 1e8 and 1e8 + 1
PAIRS_CPU, PAIRS_GPU = 1 << 16, 1 << 24  # compared at once: half of a core's cache, a share of a GPU's memory
WIDTH = 1 << 10  # of them along the queries, at most


def igd(
    objectives: Any, reference_set: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """Mean distance of a reference point from the nearest row (IGD). Maximised unless `directions` says otherwise.

    It is not Pareto-compliant: a dominated row that lies nearer to a reference point improves it, and a dominated set
    can score better than the one that dominates it. `igd_plus` mends that. A reference point that stands twice weighs
    twice; rows that stand twice or are infinitely bad change nothing.

    Source: Coello Coello and Reyes Sierra 2004 (MICAI), as the plain mean of Ishibuchi et al. 2015 (EMO).

    Returns:
        At least 0; 0 where every reference point is in the set, infinity for an empty set.
    """
    sets, reference = read_with_reference(objectives, reference_set, directions, mask, nan)
    return measure(
        sets,
        lambda: root(_from_reference(sets, reference, APART)).mean(dim=-1),
        lambda rows: _mean_nearest(reference.numpy(), rows),
        loop=_pairs(sets, reference) >= TREE_FROM,
    )


def igd_plus(
    objectives: Any, reference_set: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """Mean shortfall of the best row from a reference point (IGD+). Maximised unless `directions` says otherwise.

    The shortfall of a row is the Euclidean length of what it lacks in each objective. So a set that weakly dominates
    another never scores worse, and rows that are dominated, stand twice or are infinitely bad change nothing.

    Source: Ishibuchi, Masuda, Tanigaki and Nojima 2015 (EMO).

    Returns:
        At least 0; 0 where every reference point is weakly dominated, infinity for an empty set.
    """
    sets, reference = read_with_reference(objectives, reference_set, directions, mask, nan)
    return measure(
        sets,
        lambda: root(_from_reference(sets, reference, LACK)).mean(dim=-1),
        lambda rows: moocore.igd_plus(rows, ref=reference.numpy(), maximise=True),
    )


def gd(
    objectives: Any, reference_set: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """Mean distance of a row from the nearest reference point (GD). Maximised unless `directions` says otherwise.

    It says nothing about what the set misses: one row on the reference set scores 0. It is a mean over the rows, so
    that rows that stand twice or are dominated change it, and adding a good row can worsen it.

    Source: Van Veldhuizen and Lamont 1998, as the plain mean of Ishibuchi et al. 2015 (EMO). Van Veldhuizen divides the
    root of the sum of squares by n.

    Returns:
        At least 0; 0 where every row is in the reference set, infinity for an empty set and for one with a row that is
        infinitely bad.
    """
    sets, reference = read_with_reference(objectives, reference_set, directions, mask, nan)
    return measure(
        sets,
        lambda: _power_mean(root(_to_reference(sets, reference, APART)), sets.mask, 1.0),
        lambda rows: _mean_nearest(rows, reference.numpy()),
        loop=_pairs(sets, reference) >= TREE_FROM,
        every_row=True,
    )


def gd_plus(
    objectives: Any, reference_set: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """Mean shortfall of a row from the nearest reference point (GD+). Maximised unless `directions` says otherwise.

    Like `gd` it says nothing about what the set misses, and is a mean over the rows.

    Source: Ishibuchi, Masuda, Tanigaki and Nojima 2015 (EMO).

    Returns:
        At least 0; 0 where every row weakly dominates a reference point, infinity for an empty set and for one with a
        row that is infinitely bad.
    """
    sets, reference = read_with_reference(objectives, reference_set, directions, mask, nan)
    return measure(
        sets,
        lambda: _power_mean(root(_to_reference(sets, reference, LACK)), sets.mask, 1.0),
        # With the sets exchanged, what a row lacks is what it has too much where one minimises.
        lambda rows: moocore.igd_plus(reference.numpy(), ref=rows, maximise=False),
        every_row=True,
    )


def averaged_hausdorff(
    objectives: Any,
    reference_set: Any,
    *,
    p: float = 1.0,
    directions: Directions = None,
    mask: Any = None,
    nan: str = "raise",
) -> Any:
    """Averaged Hausdorff distance from the reference set. Maximised unless `directions` says otherwise.

    The larger of `gd` and `igd`, each with the power mean `(mean d^p)^(1/p)`, p >= 1, in place of the mean. The larger
    p, the more single outliers weigh; `math.inf` gives the Hausdorff distance itself. It is not Pareto-compliant.

    Source: Schuetze, Esquivel, Lara and Coello Coello 2012 (IEEE TEC 16(4)).

    Returns:
        At least 0; 0 where both are the same set, infinity for an empty set and for one with a row that is infinitely
        bad.

    Raises:
        ValueError: `p` is below 1, or as for the whole module.
    """
    if isinstance(p, bool) or not isinstance(p, int | float) or not p >= 1:
        raise ValueError(f"`p` should be a number of at least 1, the power of the mean. Found {p!r}.")
    sets, reference = read_with_reference(objectives, reference_set, directions, mask, nan)

    def own() -> Tensor:
        there = _power_mean(root(_to_reference(sets, reference, APART)), sets.mask, p)
        return torch.maximum(there, _power_mean(root(_from_reference(sets, reference, APART)), None, p))

    def library(rows: Array) -> float:
        targets = reference.numpy()
        return max(_mean_nearest(rows, targets), _mean_nearest(targets, rows))

    return measure(sets, own, library if p == 1 else None, loop=_pairs(sets, reference) >= TREE_FROM, every_row=True)


def epsilon_additive(
    objectives: Any, reference_set: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """Least gain in all values to dominate the reference set weakly. Maximised unless `directions` says otherwise.

    The largest over reference points of the smallest over rows of the largest over objectives of what the row lacks;
    a minimised objective gains where it falls. A set that weakly dominates another never scores worse, and rows that
    are dominated, stand twice or are infinitely bad change nothing.

    Source: Zitzler, Thiele, Laumanns, Fonseca and Grunert da Fonseca 2003 (IEEE TEC 7(2)).

    Returns:
        At most 0 where the set weakly dominates every reference point, below 0 where it is better than each of them in
        every objective, infinity for an empty set.
    """
    sets, reference = read_with_reference(objectives, reference_set, directions, mask, nan)
    return measure(
        sets,
        lambda: _from_reference(sets, reference, LARGEST).amax(dim=-1),
        lambda rows: moocore.epsilon_additive(rows, ref=reference.numpy(), maximise=True),
        loop=_pairs(sets, reference) >= EPSILON_FROM,
    )


def epsilon_multiplicative(
    objectives: Any, reference_set: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """Least factor on all values to dominate the reference set weakly. Maximised unless `directions` says otherwise.

    The largest over reference points z of the smallest over rows a of the largest over objectives i of the ratio
    `z_i / a_i` where objective i is maximised and `a_i / z_i` where it is minimised: the one is multiplied by the
    factor, the other divided, whichever the others are. The scale of an objective does not matter, its zero does. A set
    that weakly dominates another never scores worse, and rows that are dominated, stand twice or are infinitely bad
    change nothing.

    Source: Zitzler, Thiele, Laumanns, Fonseca and Grunert da Fonseca 2003 (IEEE TEC 7(2)).

    Returns:
        Above 0; at most 1 where the set weakly dominates every reference point, infinity for an empty set.

    Raises:
        ValueError: A value is not above 0 (the first such row is named), or as for the whole module.
    """
    sets, reference = read_with_reference(objectives, reference_set, directions, mask, nan)
    m = reference.shape[1]
    words = ("max",) * m if directions is None else check_directions(directions, m)
    values, targets = turn(sets.values, words), turn(reference, words)
    _check_positive("objectives", values, sets.mask)
    _check_positive("reference_set", targets, None)
    if sets.mask is not None:
        values = torch.where(sets.mask[..., None], values, 1.0)

    def own() -> Tensor:  # the logarithm turns factors into gains
        logs = sets._replace(values=turn(values.log(), words))
        return _from_reference(logs, turn(targets.log(), words), LARGEST).amax(dim=-1).exp()

    flags = [word == "max" for word in words]
    return measure(
        sets._replace(values=values),
        own,
        lambda rows: moocore.epsilon_mult(rows, ref=targets.numpy(), maximise=flags),
        loop=_pairs(sets, reference) >= EPSILON_FROM,
    )


def read_with_reference(
    objectives: Any, reference_set: Any, directions: Directions, mask: Any, nan: str
) -> tuple[Sets, Tensor]:
    """Read sets and the reference set `[k, m]` that they share: finite, maximised, on their device, no gradient."""
    reference = as_numbers("reference_set", reference_set).detach()
    if reference.ndim != 2 and reference.shape != (0,):
        raise ValueError(f"`reference_set` should have shape [k, m]. Found {list(reference.shape)}.")
    if len(reference) == 0:
        raise ValueError("`reference_set` should have at least one row: there is nothing to compare with. Found none.")
    sets = read_sets(objectives, like=reference, directions=directions, mask=mask, nan=nan)
    if sets.values.shape[-1] != reference.shape[1]:
        raise ValueError(
            "`objectives` and `reference_set` should have the same number of columns, one per objective. "
            f"Found {sets.values.shape[-1]} and {reference.shape[1]}."
        )
    if reference.device.type != "cpu" or not np.isfinite(reference.numpy()).all():
        check_finite_rows("reference_set", reference)
    if directions is not None:
        reference = turn(reference, check_directions(directions, reference.shape[1]))
    return sets, reference.to(sets.values.device)


class Gap(NamedTuple):
    """How far a row is from a query, as numbers that grow with it: a rule for differences `query - row`.

    Attributes:
        fold: Takes in the differences in one more objective, in place, beside what the earlier ones came to, if any.
        total: The same of differences `[..., m]` in all objectives at once, `[...]`; differentiable.
    """

    fold: Callable[[Tensor, Tensor | None], Tensor]
    total: Callable[[Tensor], Tensor]


def _add_square(difference: Tensor, earlier: Tensor | None) -> Tensor:
    return difference.mul_(difference) if earlier is None else earlier.addcmul_(difference, difference)


def _raise(difference: Tensor, earlier: Tensor | None) -> Tensor:
    return difference if earlier is None else torch.maximum(earlier, difference, out=earlier)


APART = Gap(_add_square, lambda differences: differences.square().sum(dim=-1))  # squared distance
LACK = Gap(lambda new, old: _add_square(new.relu_(), old), lambda differences: differences.relu().square().sum(dim=-1))
LARGEST = Gap(_raise, lambda differences: differences.amax(dim=-1))


@torch.no_grad()
def nearest(
    queries: Tensor, rows: Tensor, gap: Gap, *, places: bool = False, others: bool = False
) -> tuple[Tensor, Tensor | None]:
    """The least gap of each query to a row (one that differs, for `others`) and, if wanted, the first place of it.

    Pairs are compared in blocks of bounded memory, the queries along the fastest axis, one objective after the other.

    Args:
        queries: `[B, q, m]` or, for all sets, `[1, q, m]`; finite.
        rows: `[B, r, m]` or `[1, r, m]`; rows of minus infinity are never near.

    Returns:
        `[B, q]` each: gaps, infinite where there is no row, and places or None.
    """
    (_, q, m), r, sets = queries.shape, rows.shape[1], len(rows) if len(queries) == 1 else len(queries)
    least = queries.new_full((sets, q), torch.inf)
    found = torch.zeros_like(least, dtype=torch.int64) if places else None
    if least.numel() == 0 or r == 0:
        return least, found
    pairs = PAIRS_CPU if queries.device.type == "cpu" else PAIRS_GPU
    width = min(q, WIDTH)
    height = min(r, max(1, pairs // width))
    depth = min(sets, max(1, pairs // (width * height)))
    across, down = queries.movedim(-1, 0)[:, :, None].contiguous(), rows.movedim(-1, 0)[..., None].contiguous()
    first, other = _spaces(queries, depth, height, width)
    for s, i, j in itertools.product(range(0, sets, depth), range(0, q, width), range(0, r, height)):
        left, right = _cut(_cut(across, 1, s, depth), 3, i, width), _cut(_cut(down, 1, s, depth), 2, j, height)
        goal = _cut(_cut(least, 0, s, depth), 1, i, width)
        if (shape := (len(goal), right.shape[2], goal.shape[1])) != first.shape:  # what is left at an edge
            first, other = _spaces(queries, *shape)
        block = gap.fold(torch.sub(left[0], right[0], out=first), None)
        for objective in range(1, m):
            block = gap.fold(torch.sub(left[objective], right[objective], out=other), block)
        if others:
            block.masked_fill_(block == 0, torch.inf)
        if found is not None:
            values, where = block.min(dim=1)
            place = _cut(_cut(found, 0, s, depth), 1, i, width)
            place.copy_(torch.where(values < goal, where + j, place))
            torch.minimum(goal, values, out=goal)
        elif height == r:
            torch.amin(block, dim=1, out=goal)
        else:
            torch.minimum(goal, block.amin(dim=1), out=goal)
    return least, found


def _cut(tensor: Tensor, dim: int, start: int, size: int) -> Tensor:
    """At most so many entries along a dimension, from the start; all where there is one, for all sets."""
    whole = tensor.shape[dim]
    return tensor if whole in (1, size) else tensor.narrow(dim, start, min(size, whole - start))


def _spaces(like: Tensor, *shape: int) -> tuple[Tensor, Tensor]:
    """Two spaces for the entries of a block, their addresses half a page apart: else stores hold up loads."""
    size = math.prod(shape)
    second = -(-size // 512) * 512 + 256
    space = like.new_empty(second + size)
    return space[:size].view(shape), space[second:].view(shape)


def _from_reference(sets: Sets, reference: Tensor, gap: Gap) -> Tensor:
    """The gap of each reference point to the nearest row of each set, `[..., k]`, infinite for an empty set."""
    *batch, n, m = sets.values.shape
    rows = sets.values.reshape(math.prod(batch), n, m)
    flowing = rows.requires_grad and n > 0
    least, places = nearest(reference[None], sets.neutral(-torch.inf).reshape(rows.shape), gap, places=flowing)
    if places is not None:
        chosen = rows.gather(1, places[..., None].expand(-1, -1, m))
        least = torch.where(least == torch.inf, torch.inf, gap.total(reference - chosen))
    return least.reshape(*batch, len(reference))


def _to_reference(sets: Sets, reference: Tensor, gap: Gap) -> Tensor:
    """The gap of each row of each set to the nearest reference point, `[..., n]`: what the row lacks against it."""
    rows = sets.values.flatten(0, -2)
    least, places = nearest(-rows[None], -reference[None], gap, places=rows.requires_grad)
    if places is not None:
        least = gap.total(reference[places[0]] - rows)
    return least.reshape(sets.values.shape[:-1])


def root(squares: Tensor) -> Tensor:
    """The square root, with gradient 0 at 0."""
    if not squares.requires_grad:
        return squares.sqrt()
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, 1.0).sqrt(), 0.0)


def _power_mean(values: Tensor, mask: Tensor | None = None, p: float = 1.0) -> Tensor:
    """`(mean v^p)^(1/p)` of the values `[..., n]` that count: `[...]`, infinite where none does. No overflow."""
    counted = torch.ones_like(values, dtype=torch.bool) if mask is None else mask
    endless = (counted & (values == torch.inf)).any(dim=-1) | ~counted.any(dim=-1)
    kept = pad(torch.where(counted & (values < torch.inf), values, 0.0), (0, 1))  # an empty row has a largest, too
    mean = largest = kept.amax(dim=-1)
    if p < torch.inf:
        unit = torch.where(largest > 0, largest, 1.0).detach()
        moment = (kept / unit[..., None]).pow(p).sum(dim=-1) / counted.sum(dim=-1).clamp(min=1)
        mean = torch.where(moment > 0, torch.where(moment > 0, moment, 1.0).pow(1 / p) * unit, 0.0)
    return torch.where(endless, torch.inf, mean)


def _mean_nearest(rows: Array, targets: Array) -> float:
    """Mean over the rows of one set of the Euclidean distance to the nearest target."""
    m = rows.shape[1]
    if m in MOOCORE_COLUMNS and (m not in TREE_COLUMNS or len(rows) * len(targets) < TREE_FROM):
        return float(moocore.igd(targets, ref=rows))
    return float(np.mean(KDTree(targets).query(rows)[0]))


def _check_positive(name: str, values: Tensor, mask: Tensor | None = None) -> None:
    """Refuse a row `[..., m]` that counts and holds a value of 0 or less."""
    wrong = (values.detach() <= 0).any(dim=-1)
    wrong = wrong if mask is None else wrong & mask
    if wrong.any():
        place = torch.nonzero(wrong)[0].tolist()
        where = row_in_words(place)
        raise ValueError(
            f"`{name}` should be above 0 in every objective: ratios mean nothing else. "
            f"{where} is {values[tuple(place)].tolist()}. `epsilon_additive` takes any values."
        )


def measure(
    sets: Sets,
    own: Callable[[], Tensor],
    library: Callable[[Array], float] | None,
    *,
    loop: bool = False,
    every_row: bool = False,
) -> Any:
    """The score of each set, infinite for an empty one.

    Args:
        own: Computes that of all sets, on any device and with gradients.
        library: Computes that of one, from the rows that count, one at least: taken for one set on the CPU without a
            gradient.
        loop: Whether such sets are so large that the library is faster for batches, too.
        every_row: Whether one row that is infinitely bad makes the score infinite.
    """
    if library is not None and sets.plain:
        rows = sets.rows().numpy()
        return math.inf if len(rows) == 0 or (every_row and sets.hopeless is not None) else float(library(rows))
    if library is not None and loop and sets.values.device.type == "cpu" and not sets.values.requires_grad:
        found = sets.loop(lambda rows: library(rows) if len(rows) else math.inf)
    else:
        found = own()
    if every_row and sets.hopeless is not None:
        found = torch.where(sets.hopeless, torch.inf, found)
    return score(found)


def _pairs(sets: Sets, reference: Tensor) -> int:
    return sets.values.shape[-2] * len(reference)
