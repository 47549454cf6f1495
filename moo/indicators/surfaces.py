"""Several runs of one method seen together: attainment surfaces, their differences, and Vorob'ev's mean and spread.

A run attains a point where one of its rows is at least as good in every objective. The empirical attainment function of
a point is the share of runs that attain it; a surface bounds what a given share attains.

Every function takes `runs`, a batch `[r, n, m]` (tensor, array or nested list) or a list of r arrays `[n_i, m]` of
different lengths, r >= 1. It takes `directions`, `mask` (bool `[r, n]`, for a batch) and `nan` as described in
`moo/indicators/distance.py`. Rows that are dominated, stand twice or are infinitely bad change nothing; a run without
rows attains nothing and counts as a run. Results are in the caller's directions, on the device of the runs; no gradient
flows.

A ValueError names the first row that holds NaN or is infinitely good (set i is run i) and any wrong shape; what cannot
be read as numbers is a TypeError.
"""

from __future__ import annotations

import math
import reprlib
import warnings
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

import moocore
import numpy as np
import torch
from torch import Tensor

from moo.directions import check_directions, turn
from moo.dominance import non_dominated
from moo.indicators.distance import LARGEST, nearest
from moo.indicators.inputs import Directions, Sets, as_numbers, read_point, read_sets, row_in_words, score
from moo.indicators.volume import hypervolume

ROUNDING = 1e-8  # in runs, as in moocore: 33.3333334 % of three runs is one of them, not two


class Attainment(NamedTuple):
    """Attainment surfaces.

    Attributes:
        points: The non-dominated points of every surface, float64 `[k, m]`: surface by surface, each sorted by columns.
        percentiles: That of each point's surface, `[k]`.
        asked: Every percentile once, ascending, `[q]`: a surface may be empty.
    """

    points: Tensor
    percentiles: Tensor
    asked: Tensor

    def surface(self, percentile: float) -> Tensor:
        """The points of one surface, `[j, m]`: none where too many runs are empty.

        Raises:
            ValueError: This percentile was not asked for.
        """
        near = torch.nonzero((self.asked - percentile).abs() < 1e-6).flatten()
        if len(near) == 0:
            known = reprlib.repr(self.asked.tolist())
            raise ValueError(f"`percentile` should be one of those asked for, {known}. Found {percentile!r}.")
        return self.points[self.percentiles == self.asked[near[0]]]


class AttainmentDifference(NamedTuple):
    """Rectangles that do not overlap and cover where two attainment functions of two objectives differ.

    Attributes:
        best: Their best corners, float64 `[k, 2]`, which belong to them.
        worst: Their worst corners, `[k, 2]`, which do not; infinitely bad where a rectangle does not end.
        difference: Left share minus right share in each, `[k]`, from -1 to 1 and never 0.
    """

    best: Tensor
    worst: Tensor
    difference: Tensor

    @property
    def largest(self) -> float:
        """The largest absolute difference at any point; 0 where the functions are the same."""
        return float(self.difference.abs().max()) if len(self.difference) else 0.0


class Expectation(NamedTuple):
    """Vorob'ev's mean of runs.

    Attributes:
        points: Its non-dominated points, float64 `[k, m]`, better than the reference point, sorted by columns.
        threshold: Percentage of runs that attain all of it, above 0 and up to 100.
        average_hypervolume: Mean of the runs' hypervolumes; that of the points is no smaller.
    """

    points: Tensor
    threshold: float
    average_hypervolume: float


def attainment(
    runs: Any, percentiles: Any = None, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Attainment:
    """Surfaces of the empirical attainment function of two or three objectives. Maximised unless `directions` says so.

    The surface of percentile p bounds what at least p % of the runs attain, a number of runs rounded up: that of 50 is
    the median one, of 100 what every run attains, of `100 / r` and below what any run attains.

    Source: Grunert da Fonseca, Fonseca and Hall 2001 (EMO). By moocore (Fonseca, Guerreiro, Lopez-Ibanez and Paquete
    2011, EMO), which keeps some memory of each call for good: ask only for the percentiles that you need.

    Args:
        runs: `[r, n, m]` or r arrays `[n_i, m]`, m = 2 or 3.
        percentiles: A number above 0 and up to 100, or several; None: `100 k / r` for every k.
        directions, mask, nan: As for the whole module.

    Raises:
        ValueError: A percentile is out of range or m is neither 2 nor 3, or as for the whole module.
    """
    sets = _read_runs("runs", runs, directions, mask, nan)
    rows = _rows(sets)
    asked, levels = _read_percentiles(percentiles, len(rows))
    surfaces = _surfaces(rows, sorted(set(levels)))
    points = torch.cat([_sorted(_turned(surfaces[level], directions)) for level in levels])
    sizes = torch.tensor([len(surfaces[level]) for level in levels])
    device = sets.values.device
    return Attainment(points.to(device), asked.repeat_interleave(sizes).to(device), asked.to(device))


def attainment_share(
    points: Any, runs: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """Share of runs that attain each point: the empirical attainment function, for any number of objectives.

    Times 100 it is the percentile of a point. Maximised unless `directions` says otherwise.

    Source: Grunert da Fonseca, Fonseca and Hall 2001 (EMO).

    Args:
        points: `[..., m]`, in the directions of the runs; may be infinite.
        runs: `[r, n, m]` or r arrays `[n_i, m]`, m >= 1.
        directions, mask, nan: As for the whole module; the last two are about the runs.

    Returns:
        From 0 to 1: a float for one point `[m]`, otherwise a tensor `[...]`.

    Raises:
        ValueError: A point holds NaN or has other than m columns, or as for the whole module.
    """
    goals = as_numbers("points", points).detach()
    sets = _read_runs("runs", runs, directions, mask, nan, columns=goals.shape[-1] if goals.ndim else None)
    m = sets.values.shape[-1]
    if goals.ndim == 0 or goals.shape[-1] != m:
        raise ValueError(f"`points` should have shape [..., {m}], a column per objective. Found {list(goals.shape)}.")
    if goals.isnan().any():
        place = torch.nonzero(goals.isnan().any(dim=-1))[0].tolist()
        where = row_in_words(place) if place else "It"
        raise ValueError(f"`points` should hold no NaN. {where} is {goals[tuple(place)].tolist()}: leave it out.")
    flat = _turned(goals.to(sets.values.device), directions).reshape(-1, m)
    flat = flat.clamp(min=torch.finfo(torch.float64).min)  # what does not count is worse even than the infinitely bad
    lacks, _ = nearest(flat[None], sets.neutral(-math.inf), LARGEST)
    return score((lacks <= 0).double().mean(dim=0).reshape(goals.shape[:-1]))


def attainment_difference(
    left: Any,
    right: Any,
    *,
    directions: Directions = None,
    left_mask: Any = None,
    right_mask: Any = None,
    nan: str = "raise",
) -> AttainmentDifference:
    """Where the attainment functions of two methods differ, as rectangles, for two objectives.

    Maximised unless `directions` says otherwise. The numbers of runs may differ; moocore's `eafdiff` takes either side
    for half of the runs, so it is not used. Here, for each value of the first objective, the runs are sorted by how far
    they reach in the second: O(r^2 n log r) for r runs of n rows in all. For more objectives, subtract
    `attainment_share` at points of your choice.

    Source: Lopez-Ibanez, Paquete and Stuetzle 2010 (Experimental Methods for the Analysis of Optimization Algorithms).

    Args:
        left: Runs of one method, `[r, n, 2]` or r arrays `[n_i, 2]`.
        right: Runs of the other.
        directions, nan: As for the whole module.
        left_mask: Rows of the left batch that count, bool `[r, n]`.
        right_mask: The same of the right one.

    Raises:
        ValueError: There are other than two objectives, or as for the whole module.
    """
    sides: list[Tensor] = []
    for name, runs, mask in (("left", left, left_mask), ("right", right, right_mask)):
        sets = _read_runs(name, runs, directions, mask, nan, columns=2)
        if (m := sets.values.shape[-1]) != 2:
            raise ValueError(
                f"`{name}` should have two objectives. Found {m}: subtract `attainment_share` of both at points of "
                "your choice."
            )
        sides.append(-sets.neutral(-math.inf).to((sides or [sets.values])[0].device))  # as costs
    p, q = map(len, sides)
    first = torch.cat([costs[..., 0].flatten() for costs in sides])
    first = torch.cat([torch.unique(first[first < math.inf]), first.new_tensor([math.inf])])
    # A row per value of the first objective, a column per number of runs: from `reach` to `until` so many attain.
    reach, order = torch.cat([_reach(costs, first[:-1]) for costs in sides], dim=1).sort(dim=1)
    until = torch.cat([reach[:, 1:], torch.full_like(reach[:, :1], math.inf)], dim=1)
    lefts = (order < p).cumsum(dim=1)
    rights = torch.arange(1, p + q + 1, device=order.device) - lefts
    starts = torch.ones_like(order, dtype=torch.bool)  # where a rectangle is not the one of the row before
    starts[1:] = (reach[1:] != reach[:-1]) | (until[1:] != until[:-1])
    row, column = torch.nonzero(starts & (reach < until) & (lefts * q != rights * p), as_tuple=True)
    best = torch.stack([first[row], reach[row, column]], dim=1)
    worst = torch.stack([first[_next(starts)[row, column]], until[row, column]], dim=1)
    difference = lefts[row, column].double() / p - rights[row, column].double() / q
    return AttainmentDifference(_turned(0.0 - best, directions), _turned(0.0 - worst, directions), difference)


def vorobev_expectation(
    runs: Any, reference_point: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Expectation:
    """Vorob'ev's mean of runs: the largest share's attainment surface with at least the runs' mean hypervolume.

    Maximised unless `directions` says otherwise. moocore's `vorob_t` stops where two steps of its search find the same
    volume: at a surface above or below the mean, even at one of no volume. So only the surfaces are moocore's.

    Source: Binois, Ginsbourger and Roustant 2015 (European Journal of Operational Research 243(2)).

    Args:
        runs: `[r, n, m]` or r arrays `[n_i, m]`, m = 2 or 3.
        reference_point: `[m]`, in the directions of the runs. A row that is not strictly better in every objective
            counts as none. If there are only such rows, a warning says so: no point is left, the threshold is 100.
        directions, mask, nan: As for the whole module.

    Raises:
        ValueError: m is neither 2 nor 3, a volume leaves the range of float64, or as for the whole module.
    """
    sets, low = _read_with_point(runs, reference_point, directions, mask, nan)
    found, _ = _expect(_rows(sets, low), low)
    return found._replace(points=_sorted(_turned(found.points, directions)).to(sets.values.device))


def vorobev_deviation(
    runs: Any, reference_point: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> float:
    """Mean hypervolume of what only one of a run and the runs' Vorob'ev expectation attains: the spread of the runs.

    Source: Binois, Ginsbourger and Roustant 2015 (European Journal of Operational Research 243(2)).

    Args:
        runs, reference_point, directions, mask, nan: As for `vorobev_expectation`.

    Returns:
        At least 0, smaller is more alike; 0 where all runs attain the same.

    Raises:
        ValueError: As `vorobev_expectation`.
    """
    sets, low = _read_with_point(runs, reference_point, directions, mask, nan)
    rows = _rows(sets, low)
    found, volumes = _expect(rows, low)
    own = hypervolume(found.points, low, warn=False)
    both = [hypervolume(torch.cat([run, found.points]), low, warn=False) for run in rows]
    return math.fsum(max(0.0, 2 * b - own - volume) for b, volume in zip(both, volumes, strict=True)) / len(rows)


# ------------------------------------------------------------------------------------------------------------- reading
def _read_runs(name: str, runs: Any, directions: Directions, mask: Any, nan: str, columns: int | None = None) -> Sets:
    """Read runs as sets `[r, n, m]`, r >= 1, without a gradient; `columns` is m where no run tells it."""
    if isinstance(runs, list | tuple) and len(runs):
        runs, counted = _side_by_side(name, runs, columns)
        if mask is None:
            mask = counted
        elif not counted.all():
            raise ValueError(
                f"A mask goes with a batch [r, n, m]: cut the runs of `{name}` instead. Found lengths that differ."
            )
    values = as_numbers(name, runs).detach()
    if values.ndim and len(values) == 0:
        raise ValueError(f"`{name}` should hold at least one run. Found none.")
    if values.ndim != 3:
        raise ValueError(
            f"`{name}` should be a batch [r, n, m] or a list of arrays [n, m]; one run is a list of one. Found shape "
            f"{list(values.shape)}."
        )
    return read_sets(values, name=name, directions=directions, mask=mask, nan=nan)


def _side_by_side(name: str, runs: Sequence[Any], columns: int | None) -> tuple[Tensor, Tensor]:
    """Runs as a batch `[r, n, m]` and which rows are no padding, bool `[r, n]`."""
    read = [as_numbers(f"{name}[{i}]", run).detach() for i, run in enumerate(runs)]
    m = next((run.shape[1] for run in read if run.ndim == 2), columns)
    if m is None:
        raise ValueError(f"`{name}` should say how many objectives there are: give an empty run the shape [0, m].")
    read = [run.reshape(0, m) if run.shape == (0,) else run for run in read]
    for i, run in enumerate(read):
        if run.ndim != 2 or run.shape[1] != m:
            raise ValueError(f"`{name}[{i}]` should have shape [n, {m}]. Found {list(run.shape)}.")
    batch = read[0].new_zeros(len(read), max(map(len, read)), m)
    counted = torch.zeros(batch.shape[:2], dtype=torch.bool, device=batch.device)
    for i, run in enumerate(read):
        batch[i, : len(run)], counted[i, : len(run)] = run, True
    return batch, counted


def _read_with_point(
    runs: Any, reference_point: Any, directions: Directions, mask: Any, nan: str
) -> tuple[Sets, Tensor]:
    """Read runs and their reference point, maximised and on the CPU."""
    columns = as_numbers("reference_point", reference_point).numel()
    sets = _read_runs("runs", runs, directions, mask, nan, columns=columns)
    low = read_point("reference_point", reference_point, sets, directions)
    if bool((sets.counts() > 0).any()) and not bool((sets.neutral(-math.inf) > low).all(dim=-1).any()):
        point = as_numbers("reference_point", reference_point).tolist()
        warnings.warn(
            f"The average hypervolume is 0: no row of any run is better than the reference point {point} in every "
            "objective. Check `directions` or choose a worse reference point.",
            UserWarning,
            stacklevel=3,
        )
    return sets, low.cpu()


def _read_percentiles(percentiles: Any, r: int) -> tuple[Tensor, list[int]]:
    """Percentiles `[q]`, each once and ascending, and how many of r runs each stands for."""
    if percentiles is None:
        levels = list(range(1, r + 1))
        return torch.tensor([100.0 * level / r for level in levels], dtype=torch.float64), levels
    asked = as_numbers("percentiles", percentiles).detach().cpu()
    if asked.ndim > 1 or asked.numel() == 0:
        raise ValueError(f"`percentiles` should be a number or a list of them. Found shape {list(asked.shape)}.")
    wrong = asked[~((asked > 0) & (asked <= 100))]
    if wrong.numel():
        raise ValueError(f"`percentiles` should be above 0 and at most 100. Found {float(wrong.flatten()[0])}.")
    asked = torch.unique(asked)
    return asked, [max(1, math.ceil(percentile * r / 100 - ROUNDING)) for percentile in asked.tolist()]


# ----------------------------------------------------------------------------------------------------------- computing
def _turned(points: Tensor, directions: Directions) -> Tensor:
    """From the caller's directions to all maximised, or back."""
    return points if directions is None else turn(points, check_directions(directions, points.shape[-1])) + 0.0  # no -0


def _sorted(points: Tensor) -> Tensor:
    """Points on the CPU, ascending by the first column, equal ones by the next."""
    return points[np.lexsort(points.numpy().T[::-1])]


def _rows(sets: Sets, low: Tensor | None = None) -> list[Tensor]:
    """Of each run, the non-dominated rows `[n_i, m]` above `low` in every objective, on the CPU, m = 2 or 3."""
    if (m := sets.values.shape[-1]) not in (2, 3):
        raise ValueError(
            f"`runs` should have two or three objectives. Found {m}: choose two or three of them; `attainment_share` "
            "takes any number."
        )
    values, kept = sets.values.cpu(), non_dominated(sets.values, mask=sets.mask).cpu()
    if low is not None:
        kept = kept & (values > low).all(dim=-1)
    return [run[marks] for run, marks in zip(values, kept, strict=True)]


def _surfaces(rows: list[Tensor], levels: Sequence[int]) -> dict[int, Tensor]:
    """For each number of runs, ascending, the points `[k, m]` of the surface that so many attain."""
    table = torch.cat(rows)
    surfaces = dict.fromkeys(levels, table[:0])
    numbers = np.repeat(np.arange(len(rows)), list(map(len, rows)))
    filled = len(np.unique(numbers))  # moocore does not count a run without rows
    wanted = [level for level in levels if level <= filled]
    if wanted:
        shares = [100.0 * level / filled for level in wanted]
        found = moocore.eaf(-table.numpy(), numbers, percentiles=shares)
        ends = np.searchsorted(found[:, -1], shares, side="right").tolist()
        for level, start, end in zip(wanted, [0, *ends], ends, strict=False):
            surfaces[level] = torch.from_numpy(0.0 - found[start:end, :-1])
    return surfaces


def _reach(costs: Tensor, first: Tensor) -> Tensor:
    """The least second cost of each run `[r, n, 2]` for each limit of the first `[c]`: `[c, r]`, infinite for none."""
    ordered, order = costs[..., 0].sort(dim=1)
    least = torch.cat([costs.new_full((len(costs), 1), math.inf), costs[..., 1].gather(1, order)], dim=1)
    places = torch.searchsorted(ordered, first.expand(len(costs), -1).contiguous(), right=True)
    return least.cummin(dim=1).values.gather(1, places).T


def _next(marked: Tensor) -> Tensor:
    """For each entry of a column, the number of the next row that is marked, or that of all rows."""
    places = torch.arange(len(marked), device=marked.device)[:, None].where(marked, len(marked))
    later = torch.cat([places[1:], places.new_full((1, marked.shape[1]), len(marked))])
    return later.flip(0).cummin(dim=0).values.flip(0)


def _expect(rows: list[Tensor], low: Tensor) -> tuple[Expectation, list[float]]:
    """Vorob'ev's mean of runs of rows above a point, maximised, and the hypervolume of each run."""
    volumes = [hypervolume(run, low, warn=False) for run in rows]
    mean = math.fsum(volumes) / len(volumes)
    levels = range(1, len(rows) + 1)
    surfaces = _surfaces(rows, levels)
    enough = mean * (1 - 1e-12)  # equal runs have their mean volume, whatever the rounding
    small = bisect_left(levels, True, key=lambda level: hypervolume(surfaces[level], low, warn=False) < enough)
    level = max(1, small)
    return Expectation(surfaces[level], 100.0 * level / len(rows), mean), volumes
