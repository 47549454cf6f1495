"""Hypervolume: how much of the space above a reference point a set of objectives dominates."""

from __future__ import annotations

import importlib.util
import math
import sys
import warnings
from functools import cache
from typing import Any, NamedTuple, TypeVar

import moocore
import numpy as np
import torch
from torch import Tensor

from moo.checks import check_count
from moo.dominance import non_dominated
from moo.indicators.distance import read_with_reference
from moo.indicators.filters import non_dominated_cloud
from moo.indicators.inputs import Directions, Sets, read_point, read_point_array, read_sets, score
from moo.indicators.sweeps import (
    exclusive_volumes_2d,
    exclusive_volumes_3d,
    volume_2d,
    volume_2d_large,
    volume_3d,
    volume_4d,
)

SWEEP_FROM = 300  # rows from which our own sweep over two objectives is faster than moocore
COMPILED_FROM = 6  # objectives from which our own compiled algorithm is faster than moocore; contributions from 4 on
FILTER_FROM = 50  # rows from which, with as many objectives, leaving out dominated ones costs 5% at most
FIVE_FROM = 400  # rows from which it is so with five objectives
SWEEPS = {2: volume_2d, 3: volume_3d, 4: volume_4d}
LOOP_FROM = {3: 120, 4: 0}  # rows per set from which a loop over sets is faster than our own sweep on a CPU
MAX_SECONDS = 60.0  # of predicted time, above which the hypervolume is approximated
Numbers = TypeVar("Numbers", float, Tensor)
_OUT_OF_RANGE = "The hypervolume leaves the range of float64: scale `objectives` and `reference_point` down."


def hypervolume(
    objectives: Any,
    reference_point: Any,
    *,
    directions: Directions = None,
    mask: Any = None,
    nan: str = "raise",
    max_seconds: float = MAX_SECONDS,
    warn: bool = True,
) -> Any:
    """Exact volume of the space that maximised objectives dominate and that itself dominates the reference point.

    Source: Zitzler and Thiele 1998 (PPSN V). In float64: by moocore up to five objectives (Guerreiro and Fonseca 2018
    up to four), above them by the algorithm of While, Bradstreet and Barone 2012, compiled, where numba is installed.
    Batches and gradients of two and three objectives (four on a GPU and for gradients) by sweeps of our own.

    Args:
        objectives: `[n, m]`, or a batch of sets `[..., n, m]`, m >= 1. Order, duplicates and dominated rows do not
            matter. A row that is not strictly better than the reference point in every objective adds nothing.
        reference_point: `[m]`, in the directions of the objectives.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows that count, bool `[..., n]`; None: all of them.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count.
        max_seconds: Where `predicted_seconds` of one set is larger, `hypervolume_approx` gives the value, and a warning
            says so, with its error. Infinity: always exact.
        warn: Warn when a set has rows and none of them is better than the reference point.

    Returns:
        At least 0, larger is better; 0 for an empty set. A float for one set, a tensor `[...]` for a batch;
        differentiable up to four objectives.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, a value is NaN (the first such row is named) or infinitely good, the volume leaves
            the range of float64, or a gradient of five or more objectives is asked for.
    """
    sets = read_sets(objectives, like=reference_point, directions=directions, mask=mask, nan=nan)
    low = read_point_array("reference_point", reference_point, sets, directions)
    volumes = _volumes(sets, low, max_seconds)
    if warn and (volumes == 0.0 if isinstance(volumes, float) else bool((volumes == 0).any())):
        _warn_of_outsiders(sets, sets.beside(low), reference_point)
    return score(volumes)


def hypervolume_contributions(
    objectives: Any,
    reference_point: Any,
    *,
    directions: Directions = None,
    mask: Any = None,
    nan: str = "raise",
) -> Tensor:
    """How much hypervolume each row of maximised objectives adds to the others (its exclusive contribution).

    Dominated rows are left out beforehand: they add nothing, and nothing is taken from the rows that dominate them.

    Source: Emmerich, Beume and Naujoks 2005 (EMO). Two objectives by a sweep of our own, three by moocore (Guerreiro
    and Fonseca 2018), more by the algorithm of While, Bradstreet and Barone 2012, compiled, where numba is installed.

    Args:
        objectives: `[n, m]`, or a batch of sets `[..., n, m]`, m >= 1.
        reference_point: `[m]`, in the directions of the objectives.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows that count, bool `[..., n]`; None: all of them.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count.

    Returns:
        float64 `[..., n]`, at least 0; 0 for dominated rows, for rows of which there is another equal one, and for rows
        that do not count. Differentiable for one and two objectives.

    Raises:
        TypeError, ValueError: As `hypervolume`.
    """
    sets = read_sets(objectives, like=reference_point, directions=directions, mask=mask, nan=nan)
    low = read_point("reference_point", reference_point, sets, directions)
    boxes = boxes_above(sets, low)
    return in_range(boxes[..., 0] if boxes.numel() == 0 else _exclusive(boxes))


def relative_hypervolume(
    objectives: Any,
    reference_set: Any,
    reference_point: Any,
    *,
    directions: Directions = None,
    mask: Any = None,
    nan: str = "raise",
) -> Any:
    """Hypervolume of maximised objectives divided by that of a reference set, such as a sample of the true front.

    Source: Van Veldhuizen 1999 (doctoral thesis, AFIT), there the hyperarea ratio.

    Args:
        objectives: `[n, m]`, or a batch of sets `[..., n, m]`.
        reference_set: `[k, m]`, in the directions of the objectives.
        reference_point: `[m]`, in the directions of the objectives.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows that count, bool `[..., n]`; None: all of them.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count.

    Returns:
        At least 0, larger is better; 0 for an empty set, above 1 where the set covers more than the reference set. A
        float for one set, a tensor `[...]` for a batch; differentiable as `hypervolume` is.

    Raises:
        TypeError, ValueError: As `hypervolume`; also where no row of the reference set is better than the reference
            point.
    """
    sets, reference = read_with_reference(objectives, reference_set, directions, mask, nan)
    low = read_point_array("reference_point", reference_point, sets, directions)
    whole = float(_volumes(Sets(reference), low, MAX_SECONDS))
    if not whole > 0:
        raise ValueError(
            "`reference_set` should have a hypervolume above 0. None of its rows is better than the reference point in "
            "every objective: check `directions`."
        )
    return score(_volumes(sets, low, MAX_SECONDS) / whole)


class Estimate(NamedTuple):
    """A value and its standard error: floats for one set, tensors `[...]` for a batch."""

    value: Any
    error: Any


def hypervolume_approx(
    objectives: Any,
    reference_point: Any,
    *,
    samples: int = 2**12,
    replicates: int = 8,
    seed: int = 0,
    directions: Directions = None,
    mask: Any = None,
    nan: str = "raise",
) -> Estimate:
    """Hypervolume of maximised objectives by quasi-Monte Carlo over directions, with a standard error.

    A ray from the reference point leaves the dominated space at `max_a min_i (a_i - r_i) / u_i`; the volume is a mean
    over directions u of the m-th power of that. The directions are scrambled Sobol points, drawn anew for each
    replicate; the error is the standard error of the mean over the replicates.

    Source: Deng and Zhang 2019 (IEEE TEC 23(5)) for the integral; Owen 1997 for the replicates.

    Args:
        objectives: `[n, m]`, or a batch of sets `[..., n, m]`.
        reference_point: `[m]`, in the directions of the objectives.
        samples: Directions of each replicate, best a power of 2.
        replicates: At least 2.
        seed: Of the directions, at least 0; the same for all sets.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows that count, bool `[..., n]`; None: all of them.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count.

    Returns:
        Value and standard error: floats for one set, tensors `[...]` for a batch; (0, 0) for an empty set.

    Raises:
        TypeError, ValueError: As `hypervolume`; also where a count is out of range.
    """
    sets = read_sets(objectives, like=reference_point, directions=directions, mask=mask, nan=nan)
    low = read_point("reference_point", reference_point, sets, directions)
    found = _approximate(
        sets,
        low,
        samples=check_count("samples", samples),
        replicates=check_count("replicates", replicates, low=2),
        seed=check_count("seed", seed, low=0, high=2**62),
    )
    return Estimate(score(found.value), score(found.error))


# -------------------------------------------------------------------------------------------------------- the volume
def boxes_above(sets: Sets, low: Tensor) -> Tensor:
    """How far rows lie above the reference point, `[..., n, m]`: 0 where they do not, and in rows that do not count."""
    boxes = (sets.neutral(-math.inf) - low).clamp(min=0.0)
    in_range(boxes)  # moocore crashes on infinite sides
    return boxes


def in_range(volumes: Numbers) -> Numbers:
    """The numbers, if none of them left the range of float64."""
    if not (math.isfinite(volumes) if isinstance(volumes, float) else bool(volumes.isfinite().all())):
        raise ValueError(_OUT_OF_RANGE)
    return volumes


def _volumes(sets: Sets, low: np.ndarray, max_seconds: float) -> Any:
    """Of each set: a float for one on the CPU, otherwise a tensor `[...]`."""
    rows, m = sets.shape[-2:]
    if predicted_seconds(rows, m) > max_seconds:
        hard = _most_non_dominated(sets, sets.beside(low))
        seconds = predicted_seconds(hard, m)
        if hard and seconds > max_seconds:
            estimate = _approximate(sets, sets.beside(low), samples=2**14, replicates=8, seed=0)
            warnings.warn(
                f"The exact hypervolume of {hard} points of {m} objectives would take about {seconds:.2g} s: this is "
                f"an approximation, with a standard error of {float(estimate.error.max()):.2g}. `max_seconds` sets the "
                "limit.",
                UserWarning,
                stacklevel=3,
            )
            return estimate.value
    if sets.plain:
        return in_range(volume_above(sets.array(), low))
    return in_range(_of_batch(sets, low))


def volume_above(rows: np.ndarray, low: np.ndarray) -> float:
    """Volume between finite maximised rows `[n, m]` and the point `[m]`, one set on the CPU."""
    n, m = rows.shape
    if n == 0:
        return 0.0
    if m == 2 and n >= SWEEP_FROM:
        return volume_2d_large(_sides(rows, low))
    if m >= COMPILED_FROM and n >= FILTER_FROM:
        rows = rows[non_dominated_cloud(rows, keep_duplicates=False)]
    worthwhile = m == 5 and n >= FIVE_FROM and importlib.util.find_spec("numba") is not None
    if worthwhile or (m >= COMPILED_FROM and _has_numba()):
        from moo.indicators.compiled import volume

        return volume(_sides(rows, low))
    return float(moocore.hypervolume(-rows, ref=-low))  # as minimised: half the overhead of `maximise`


def _sides(rows: np.ndarray, low: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # the volume is then found to be out of range
        sides: np.ndarray = rows - low
    return sides


def _of_batch(sets: Sets, low: np.ndarray) -> Tensor:
    """Of each set, `[...]`."""
    boxes = sets.neutral(-math.inf) - sets.beside(low)
    n, m = boxes.shape[-2:]
    if n == 0:
        return boxes.sum(dim=(-2, -1))
    if m == 1:
        return boxes.clamp(min=0.0)[..., 0].amax(dim=-1)
    if m in SWEEPS and (boxes.requires_grad or boxes.device.type != "cpu" or n < LOOP_FROM.get(m, math.inf)):
        return SWEEPS[m](boxes)
    if boxes.requires_grad:
        raise ValueError(f"The hypervolume has a gradient up to four objectives. Found {m}: use `objectives.detach()`.")
    return sets.loop(lambda rows: volume_above(rows, low))


def _warn_of_outsiders(sets: Sets, low: Tensor, reference_point: Any) -> None:
    """Warn where sets have rows, none of which is better than the reference point."""
    inside = (sets.neutral(-math.inf) > low).all(dim=-1).any(dim=-1)
    counts = sets.counts()
    outside = (counts > 0) & ~inside
    if not bool(outside.any()):
        return
    count = int(outside.sum())
    whose = f"none of the {int(counts)} points" if sets.single else f"in {count} of {outside.numel()} sets no point"
    point = [float(value) for value in reference_point]
    warnings.warn(
        f"The hypervolume is 0: {whose} is better than the reference point {point} in every objective. "
        "Check `directions` or choose a worse reference point.",
        UserWarning,
        stacklevel=3,
    )


# ----------------------------------------------------------------------------------------------------- contributions
def _exclusive(boxes: Tensor) -> Tensor:
    """Exclusive volumes `[..., n]` of sets of boxes `[..., n, m]`, at least one."""
    *leading, n, m = boxes.shape
    if m == 1:
        best = boxes[..., 0] == boxes[..., 0].amax(dim=-1, keepdim=True)
        return torch.where(best & (best.sum(dim=-1, keepdim=True) == 1), boxes[..., 0], 0.0)
    if m == 2:
        return exclusive_volumes_2d(boxes)
    if m == 3 and leading and (n < 30 or boxes.device.type != "cpu"):
        return exclusive_volumes_3d(boxes)
    return Sets(boxes).loop(_exclusive_of_one, fill=0.0)


def _exclusive_of_one(boxes: np.ndarray) -> np.ndarray:
    """Exclusive volumes `[n]` of one set of boxes `[n, m]`, three or more objectives."""
    fine = boxes.min(axis=1) > 0
    fine[fine] = non_dominated(torch.from_numpy(boxes[fine]), keep_duplicates=True).numpy()
    found = np.zeros(len(boxes))
    if not fine.any():
        return found
    if boxes.shape[1] > 3 and _has_numba():
        from moo.indicators.compiled import exclusive_volumes

        found[fine] = exclusive_volumes(boxes[fine])
    else:
        found[fine] = moocore.hv_contributions(-boxes[fine], ref=np.zeros(boxes.shape[1]))
    return found.clip(min=0.0)  # rounding


# ------------------------------------------------------------------------------------------------------ approximation
def _approximate(sets: Sets, low: Tensor, *, samples: int, replicates: int, seed: int) -> Estimate:
    """Mean and standard error over replicates, `[...]` each."""
    boxes = boxes_above(sets, low)
    m = boxes.shape[-1]
    if boxes.numel() == 0:
        none = boxes.sum(dim=(-2, -1))
        return Estimate(none, none)
    ball = math.exp((m / 2 * math.log(math.pi) - math.lgamma(m / 2 + 1)) / m) / 2  # m-th root of its positive part
    means = torch.stack(
        [
            _mean_power(boxes * ball, sphere_directions(m, samples, seed + 7919 * number).to(boxes.device))
            for number in range(replicates)
        ]
    )
    return Estimate(in_range(means.mean(dim=0)), means.std(dim=0) / math.sqrt(replicates))


def sphere_directions(num_objectives: int, count: int, seed: int) -> Tensor:
    """Scrambled Sobol points on the positive part of the unit sphere, float64 `[count, m]`."""
    engine = torch.quasirandom.SobolEngine(num_objectives, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    uniform = engine.draw(count, dtype=torch.float64).clamp(1e-12, 1 - 1e-12)
    normal = torch.special.ndtri(0.5 + 0.5 * uniform).clamp(min=1e-300)
    directions: Tensor = normal / torch.linalg.vector_norm(normal, dim=-1, keepdim=True)
    return directions


def _mean_power(boxes: Tensor, directions: Tensor) -> Tensor:
    """Mean over directions of the m-th power of where a ray leaves the union of the boxes `[..., n, m]`: `[...]`."""
    m = boxes.shape[-1]
    total = boxes.new_zeros(boxes.shape[:-2])
    for block in torch.split(directions.reciprocal(), max(1, 2**17 // max(1, boxes[..., 0].numel()))):
        reach = boxes[..., None, :, 0] * block[:, :1]
        for objective in range(1, m):
            reach = torch.minimum(reach, boxes[..., None, :, objective] * block[:, objective, None])
        total = total + reach.amax(dim=-1).pow(m).sum(dim=-1)
    return total / len(directions)


# --------------------------------------------------------------------------------------------------------------- cost
@cache
def _has_numba() -> bool:
    """Whether our own compiled algorithm can be used; says once that it cannot."""
    if importlib.util.find_spec("numba") is not None:
        return True
    frame, depth = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "moo":
        frame, depth = frame.f_back, depth + 1
    warnings.warn(
        "numba is not installed: hypervolumes of six or more objectives and contributions of four or more are computed "
        "by moocore, several times slower. `pip install moo-suite[fast]` brings it.",
        UserWarning,
        stacklevel=depth,
    )
    return False


def _most_non_dominated(sets: Sets, low: Tensor) -> int:
    """The largest number of rows of a set that are non-dominated and above the reference point."""
    *leading, n, m = sets.values.shape
    values = sets.neutral(-math.inf).detach().reshape(math.prod(leading), n, m)
    inside = (values > low).all(dim=-1)
    return max((int(non_dominated(rows[above]).sum()) for rows, above in zip(values, inside, strict=True)), default=0)


def predicted_seconds(n: int, m: int, *, compiled: bool | None = None) -> float:
    """Roughly how long `hypervolume` takes for n mutually non-dominated rows of m objectives.

    Fitted to measured times on one core, on fronts cut out of a sphere: `n log n` up to three objectives, `n^2` more
    for the fourth and the fifth, and from the sixth on

    - with numba `n^3 / (1 + n / 90)^2 (1 + n / 8.5)^((m - 6) / 2)` or `m 2^n`, if that is less, times 5 ns;
    - without it `n^3 / (1 + n / 3700)^2 (1 + n / 8.9)^(1.08 (m - 6))` times 4 ns, but nothing for up to ten rows.

    Within a factor of 2.5 of what was measured with up to 15 objectives (without numba: 12); with more objectives up to
    ten times too long. Rows that are dominated cost much less.

    Args:
        n: Number of rows, 0 or more.
        m: Number of objectives, 1 or more.
        compiled: For six or more objectives, whether numba is installed; None: whether it is here.

    Returns:
        Seconds; it grows with n and with m and is infinite where it leaves the range of a float.
    """
    seconds = 1e-5 + 7e-9 * n * math.log2(n + 1)
    seconds += 1.3e-8 * n * math.log2(n + 1) if m >= 3 else 0.0
    seconds += 6e-10 * n**2 if m >= 4 else 0.0
    seconds += 1.2e-8 * n**2 if m >= 5 else 0.0
    if m < COMPILED_FROM or n == 0:
        return seconds
    if _has_numba() if compiled is None else compiled:
        rest = math.log(5e-9) + 3 * math.log(n) - 2 * math.log1p(n / 90) + (m - 6) / 2 * math.log1p(n / 8.5)
        rest = min(rest, math.log(5e-9 * m) + n * math.log(2))
    elif n > 10:
        rest = math.log(4e-9) + 3 * math.log(n) - 2 * math.log1p(n / 3700) + 1.08 * (m - 6) * math.log1p(n / 8.9)
    else:
        return seconds
    return seconds + (math.exp(rest) if rest < 700 else math.inf)
