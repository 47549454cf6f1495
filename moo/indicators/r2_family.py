"""R2: how far a set falls short of an ideal point, in the mean over preferences, all of them or a finite set."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import moocore
import torch
from torch import Tensor
from torch.nn.functional import pad

from moo.checks import check_count
from moo.indicators.filters import by_device, descending, in_chunks, non_dominated_sets
from moo.indicators.inputs import Directions, Sets, read_point, read_sets, row_in_words, score
from moo.indicators.r2_integrals import r2_exact_2d, r2_exact_3d, r2_exact_4d
from moo.preferences import check_preferences, das_dennis

BLOCK_CPU, BLOCK_GPU = 2**15, 2**24  # numbers in a temporary tensor: a core's cache, a share of a GPU's memory
FEWEST = 16  # preferences at once: fewer would not fill the processor's vectors
INTEGRALS = {2: r2_exact_2d, 3: r2_exact_3d, 4: r2_exact_4d}  # by the number of objectives


def r2(
    objectives: Any,
    preferences: Any,
    ideal_point: Any,
    *,
    directions: Directions = None,
    mask: Any = None,
    nan: str = "raise",
) -> Any:
    """Mean over preferences of the smallest Tchebycheff shortfall `max_i p_i (ideal_i - f_i)` of maximised objectives.

    With finitely many preferences it is only weakly Pareto-compliant: a set that weakly dominates another never scores
    worse, but a better one can score the same; `r2_exact` mends that. It depends on the scale of each objective:
    normalise beforehand with a fixed ideal and nadir point, and state them with the preferences.

    A row that is better than the ideal point in any objective is an error. The absolute value of the definition would
    punish it; counting it as 0 would give a perfect score to a set whose directions were mistaken.

    Source: Hansen and Jaszkiewicz 1998 (IMM-REP-1998-7), in the unary form of Brockhoff, Wagner and Trautmann 2012
    (GECCO).

    Args:
        objectives: `[n, m]`, or a batch of sets `[..., n, m]`, m >= 1. Order, duplicates and dominated rows do not
            matter; an infinitely bad row counts as none.
        preferences: `[k, m]` with k >= 1, or one row `[m]`; rows on the simplex.
        ideal_point: `[m]`, in the directions of the objectives; at least as good as every row in every objective. The
            same for all sets that are compared.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows that count, bool `[..., n]`; None: all of them.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count.

    Returns:
        At least 0, smaller is better; 0 where a row equals the ideal point, infinity for an empty set. A float for one
        set, a tensor `[...]` for a batch; differentiable.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, a value is NaN (the first such row is named), a preference does not lie on the
            simplex, or a row is better than the ideal point.
    """
    sets, shortfalls = _read(objectives, ideal_point, directions, mask, nan)
    chosen = check_preferences(preferences, shortfalls.shape[-1]).to(shortfalls.device)
    return score(_smallest(sets, shortfalls, chosen).mean(dim=-1))


def r2_exact(
    objectives: Any, ideal_point: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """R2 of maximised objectives over all preferences at once: the mean of `r2` where they are uniform on the simplex.

    It is Pareto-compliant: a set that is better than another scores better. Exact for up to four objectives: a point
    becomes a box from 0 to one over its shortfalls, and the mean an integral over the space that no box covers, cell by
    cell. The cost is O(n log n) for two objectives, O(n^2) for three, O(n^3) for four.

    Source: Jaszkiewicz and Zielniewicz 2024 (arXiv 2407.01504) for two objectives, where moocore computes it for one
    set on the CPU; Guerreiro and others 2026 (arXiv 2606.30530) for the boxes.

    Args:
        objectives: `[n, m]`, or a batch of sets `[..., n, m]`, m from 1 to 4. Order, duplicates and dominated rows do
            not matter; an infinitely bad row counts as none.
        ideal_point: `[m]`, in the directions of the objectives; at least as good as every row in every objective.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows that count, bool `[..., n]`; None: all of them.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count.

    Returns:
        At least 0, smaller is better; 0 where a row equals the ideal point, infinity for an empty set. A float for one
        set, a tensor `[...]` for a batch.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, a value is NaN (the first such row is named), a row is better than the ideal
            point, or there are more than four objectives.
    """
    sets, shortfalls = _read(objectives, ideal_point, directions, mask, nan)
    return score(_exact(sets, shortfalls))


def r2_contributions(
    objectives: Any,
    ideal_point: Any,
    *,
    preferences: Any = None,
    directions: Directions = None,
    mask: Any = None,
    nan: str = "raise",
) -> Tensor:
    """How much R2 grows when one row alone is taken away, for each row of maximised objectives.

    With preferences it is the mean over them of what the second best row lacks more than the best, in O(n k). Without,
    it is the integral over what a row's box covers alone: for two objectives in O(n log n), for more by cutting all
    other rows down to the row, which leaves few of them. Dominated rows count where the row that dominates them goes.

    Args:
        objectives: `[n, m]`, or a batch of sets `[..., n, m]`.
        ideal_point: As for `r2`.
        preferences: As for `r2`; None: all, as for `r2_exact`.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows that count, bool `[..., n]`; None: all of them.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count.

    Returns:
        float64 `[..., n]`, at least 0; 0 for dominated rows, for rows of which there is another equal one, and for rows
        that do not count; infinity for the only row of a set.

    Raises:
        TypeError, ValueError: As `r2` and `r2_exact`.
    """
    sets, shortfalls = _read(objectives, ideal_point, directions, mask, nan)
    shortfalls = shortfalls.detach()
    n, m = shortfalls.shape[-2:]
    chosen = None if preferences is None else check_preferences(preferences, m).to(shortfalls.device)
    if chosen is None:
        _check_exact(m)
    if shortfalls.numel() == 0:
        return torch.zeros_like(shortfalls[..., 0])
    if chosen is not None:
        gains = _by_preference(_lead, sets, shortfalls, chosen).reshape(shortfalls.shape[:-1])
        gains = torch.where(sets.counts()[..., None] == 1, math.inf, gains)
    else:
        neutral = _neutral(sets, shortfalls, math.inf)
        gains = _alone_2d(neutral) if m == 2 else _alone(neutral.reshape(-1, n, m)).reshape(neutral.shape[:-1])
    return gains if sets.mask is None else torch.where(sets.mask, gains, 0.0)


def r2_mogfn(
    objectives: Any, *, bins: int = 10, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """The R2 that papers on multi-objective GFlowNets print, of maximised objectives in [0, 1] with the ideal point 1.

    The sum over a lattice of preferences of the smallest `max_i p_i |1 - f_i|`, divided by the Frobenius norm of the
    lattice. It grows like the square root of the number of preferences: a value without its `bins` has no meaning, and
    it cannot be compared with `r2`.

    Source: Jain et al. 2023 (arXiv 2210.12765), as its public code computes it.

    Args:
        objectives: `[n, m]`, or a batch of sets `[..., n, m]`.
        bins: Values per objective in the lattice, at least 2: its divisions are `bins - 1`.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised. The ideal point is
            1 in the given directions.
        mask: Rows that count, bool `[..., n]`; None: all of them.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count.

    Returns:
        At least 0, smaller is better; infinity for an empty set. A float for one set, a tensor `[...]` for a batch.

    Raises:
        TypeError, ValueError: As `r2`.
    """
    sets = read_sets(objectives, directions=directions, mask=mask, nan=nan)
    m = sets.values.shape[-1]
    ideal = read_point("ideal_point", torch.ones(m), sets, directions)
    lattice = das_dennis(m, check_count("bins", bins, low=2) - 1).to(sets.values.device)
    best = _smallest(sets, (ideal - sets.values).abs(), lattice)
    return score(best.sum(dim=-1) / torch.linalg.vector_norm(lattice))


# ------------------------------------------------------------------------------------------------------------- parts
def _read(objectives: Any, ideal_point: Any, directions: Directions, mask: Any, nan: str) -> tuple[Sets, Tensor]:
    """The sets and what each row lacks of the ideal point, `[..., n, m]`, at least 0; 0 in rows that do not count."""
    sets = read_sets(objectives, like=ideal_point, directions=directions, mask=mask, nan=nan)
    ideal = read_point("ideal_point", ideal_point, sets, directions)
    lacking = ideal - sets.values
    if sets.mask is not None:
        lacking = torch.where(sets.mask[..., None], lacking, 0.0)
    if lacking.numel() and lacking.detach().min().item() < 0:
        *place, column = torch.nonzero(lacking < 0)[0].tolist()
        row = row_in_words(place)
        own = -1.0 if directions is not None and _minimised(directions, column) else 1.0
        found, best = own * float(sets.values[*place, column]), own * float(ideal[column])
        raise ValueError(
            f"`ideal_point` should be at least as good as every row of `objectives`. {row} is better in objective "
            f"{column}: {found} against {best}. Check `directions`, or take the best value of each objective over all "
            "the sets that you compare."
        )
    return sets, lacking


def _minimised(directions: Any, column: int) -> bool:
    return (directions if isinstance(directions, str) else directions[column]) == "min"


def _neutral(sets: Sets, shortfalls: Tensor, fill: float) -> Tensor:
    """Shortfalls with rows that do not count full of `fill`."""
    return shortfalls if sets.mask is None else torch.where(sets.mask[..., None], shortfalls, fill)


# --------------------------------------------------------------------------------------------------- all preferences
def _check_exact(m: int) -> None:
    if m > max(INTEGRALS):
        raise ValueError(
            f"R2 over all preferences takes up to {max(INTEGRALS)} objectives. Found {m}: use `r2` with many "
            "preferences, such as those of `moo.preferences.sobol`."
        )


def _exact(sets: Sets, shortfalls: Tensor) -> Any:
    """The integral for each set, `[...]`, or a float."""
    _check_exact(shortfalls.shape[-1])
    if sets.plain and shortfalls.shape[-1] == 2:  # a tenth of the cost of an integral by tensors
        rows = shortfalls if sets.mask is None else shortfalls[sets.mask]
        return float(moocore.r2_exact(rows.numpy(), ref=(0.0, 0.0))) if len(rows) else math.inf
    return _integral(_neutral(sets, shortfalls, math.inf))


def _integral(neutral: Tensor) -> Tensor:
    """The same of shortfalls whose rows that do not count are infinite."""
    n, m = neutral.shape[-2:]
    if n == 0:
        return neutral.new_full(neutral.shape[:-2], math.inf)
    return neutral[..., 0].amin(dim=-1) if m == 1 else INTEGRALS[m](neutral)


def _alone_2d(neutral: Tensor) -> Tensor:
    """What each row adds, `[..., n]`: the integral over what its box covers alone, in strips.

    From the smallest first shortfall on, the row with the smallest second shortfall b so far is alone in a strip that
    ends at the next first shortfall c, down to the second smallest one d. A strip that begins at the first shortfall a
    adds half the second difference of `1 / (x + y)` between (1/c, 1/d) and (1/a, 1/b). It is written so that nothing
    overflows or cancels.
    """
    neutral = neutral.abs()  # zeros without sign
    order = descending(-neutral[..., 0])
    a, second = (column.gather(-1, order) for column in neutral.unbind(dim=-1))
    c = pad(a[..., 1:], (0, 1), value=math.inf)
    b, owner = second.cummin(dim=-1)
    d = torch.maximum(second, pad(b[..., :-1], (1, 0), value=math.inf)).cummin(dim=-1).values
    width, height = (torch.where(end < math.inf, (end - start) / end, 1.0) for start, end in ((a, c), (b, d)))
    means = 1 / (1 / c + 1 / d) + 1 / (1 / a + 1 / b)
    gains = torch.where((a < c) & (b < d), width / (1 + a / d) * (height / (1 + b / c)) * means / 2, 0.0)
    return torch.zeros_like(gains).scatter_add_(-1, order.gather(-1, owner), gains)


def _alone(neutral: Tensor) -> Tensor:
    """What each row of sets `[B, n, m]` adds, `[B, n]`: R2 of the others, cut down to the row, less that of the row."""
    n, m = neutral.shape[-2:]
    gains = neutral.new_zeros(neutral.shape[:-1])
    numbers = torch.nonzero(non_dominated_sets(-neutral, keep_duplicates=False).flatten()).flatten()
    size = max(1, by_device(neutral, BLOCK_CPU, BLOCK_GPU) // n)
    for start in range(0, len(numbers), size):
        part = numbers[start : start + size]
        own = neutral.reshape(-1, m)[part][:, None]
        others = torch.maximum(neutral[part // n], own)
        others.scatter_(1, (part % n)[:, None, None].expand(-1, 1, m), math.inf)
        covered = (others == own).all(dim=-1).any(dim=-1)
        stays = non_dominated_sets(-others, keep_duplicates=False)
        few = stays.to(torch.uint8).topk(int(stays.sum(dim=1).max()), dim=1).indices
        others = others.gather(1, few[..., None].expand(-1, -1, m))
        added = (_integral(others) - _integral(own)).clamp(min=0.0)
        gains.view(-1)[part] = torch.where(covered, 0.0, added)
    return gains


# -------------------------------------------------------------------------------------------- finitely many preferences
def _smallest(sets: Sets, shortfalls: Tensor, preferences: Tensor) -> Tensor:
    """The smallest `max_i p_i s_i` of each set for each preference, `[..., k]`; infinity for an empty set."""
    shape = (*shortfalls.shape[:-2], len(preferences))
    if shortfalls.numel() == 0:
        return shortfalls.new_full(shape, math.inf)
    best = _by_preference(_best, sets, shortfalls, preferences).reshape(shape)
    return best if sets.mask is None else torch.where(sets.counts()[..., None] > 0, best, math.inf)


def _by_preference(
    function: Callable[[Tensor, Tensor], Tensor], sets: Sets, shortfalls: Tensor, preferences: Tensor
) -> Tensor:
    """A function of rows `[B, n, m]` and preferences, a few sets at once; rows that do not count are as bad as can be.

    Their shortfalls are finite, so that a preference of 0 makes 0 of them, and still the largest of all.
    """
    *_, n, m = shortfalls.shape
    rows = _neutral(sets, shortfalls, torch.finfo(shortfalls.dtype).max).reshape(-1, n, m)
    size = by_device(rows, BLOCK_CPU, BLOCK_GPU) // (n * len(preferences))
    return in_chunks(lambda chunk: function(chunk, preferences), rows, size)


def _best(rows: Tensor, preferences: Tensor) -> Tensor:
    """The smallest of what the rows `[B, n, m]` offer, `[B, k]`."""
    return torch.cat([offers.amin(dim=1) for offers in _offers(rows, preferences)], dim=1)


def _lead(rows: Tensor, preferences: Tensor) -> Tensor:
    """By how much each row `[B, n, m]` is better than the second best, in the mean over the preferences, `[B, n]`."""
    total = torch.zeros_like(rows[..., 0])
    for offers in _offers(rows, preferences):
        best, owner = offers.min(dim=1, keepdim=True)
        second = offers.scatter_(1, owner, math.inf).amin(dim=1, keepdim=True)
        total.scatter_add_(1, owner[:, 0], (second - best)[:, 0])
    return total / len(preferences)


def _offers(rows: Tensor, preferences: Tensor) -> Iterator[Tensor]:
    """`max_i p_i s_i` of each row `[B, n, m]`, `[B, n, k']` for one block of k' preferences after another."""
    sets, n, m = rows.shape
    for block in torch.split(preferences, max(FEWEST, by_device(rows, BLOCK_CPU, BLOCK_GPU) // (sets * n))):
        weights = block.T.contiguous()
        offers = rows[..., :1] * weights[0]
        for objective in range(1, m):
            offers = torch.maximum(offers, rows[..., objective, None] * weights[objective])
        yield offers
