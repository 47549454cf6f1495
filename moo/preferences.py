"""Preferences: points `[k, m]` on the simplex that say how much each objective matters.

Checks, lattices, energy sets and random draws of preferences; `moo/scalarisations.py` has what reads them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from moo.checks import check_count, check_number
from moo.seeding import child_seed, torch_generator

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


def layered(num_objectives: int, divisions: Sequence[int]) -> Tensor:
    """Das-Dennis lattices inside each other: the first as it is, each next one half as large about the centre.

    A row x of the layer numbered i, from 0, becomes `2^-i x + (1 - 2^-i) / m`. Layers of as many divisions as
    objectives or more have inner points, which can coincide with those of another layer; none is left out.

    Source: Deb and Jain 2014 (NSGA-III, IEEE TEC 18(4)): two layers from eight objectives on.

    Args:
        num_objectives: m, at least 1.
        divisions: Of each layer from the outermost, each at least 1; at least one layer.

    Returns:
        float64 `[k, m]`, the layers one after the other, each as `das_dennis` orders it.

    Raises:
        ValueError: A count is below 1, or there is no layer.
    """
    m = check_count("num_objectives", num_objectives)
    if len(divisions) == 0:
        raise ValueError("`divisions` should name at least one layer. Found none.")
    layers = [das_dennis(m, count) for count in divisions]
    for i in range(len(layers)):
        for _ in range(i):
            layers[i] = (layers[i] + 1 / m) / 2
    return torch.cat(layers)


def lattice(num_objectives: int, at_most: int) -> Tensor:
    """The largest lattice of at most so many rows: one layer, or two where that one has no inner point.

    The second layer has at most as many divisions as the first. The m unit vectors are always among the rows.

    Source: Deb and Jain 2014 (NSGA-III, IEEE TEC 18(4)), which leaves the choice of the divisions to the user.

    Args:
        num_objectives: m, at least 1.
        at_most: Largest number of rows, at least 1.

    Returns:
        float64 `[k, m]` with m <= k <= max(m, `at_most`), in the order of `layered`. One row `[[1.]]` for m = 1.

    Raises:
        ValueError: A count is below 1.
    """
    m = check_count("num_objectives", num_objectives)
    at_most = check_count("at_most", at_most)
    outer = max(1, _most_divisions(m, at_most))
    inner = 0 if outer >= m else min(outer, _most_divisions(m, at_most - math.comb(outer + m - 1, m - 1)))
    return layered(m, [outer, inner] if inner else [outer])


def _most_divisions(m: int, rows: int) -> int:
    """Of a Das-Dennis lattice of at most so many rows; 0 where none is that small. Always 1 for m = 1."""
    divisions = 0
    while (m > 1 or divisions == 0) and math.comb(divisions + m, m - 1) <= rows:
        divisions += 1
    return divisions


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
    order = _farthest_first(array, np.flatnonzero(is_corner).tolist(), len(array))
    return points[order.to(points.device)]


def _farthest_first(points: np.ndarray, first: Sequence[int], count: int) -> Tensor:
    """Indices `[count]`: the first ones as given, then always the point farthest from all before it."""
    order: list[int] = []
    nearest = np.full(len(points), math.inf)
    while len(order) < count:
        chosen = first[len(order)] if len(order) < len(first) else int(nearest.argmax())
        squared = ((points - points[chosen]) ** 2).sum(axis=1)
        # A lattice is full of ties; rounding keeps the last bit of a sum from deciding them.
        np.minimum(nearest, squared.round(12), out=nearest)
        nearest[chosen] = -math.inf
        order.append(chosen)
    return torch.as_tensor(order, dtype=torch.int64)


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


def sobol(num_objectives: int, k: int, seed: int = 0) -> Tensor:
    """The first points of a scrambled Sobol sequence, mapped uniformly to the simplex.

    More even than `dirichlet` with `alpha` 1, of the same distribution, and better still where k is a power of two. A
    smaller k gives the leading rows of a larger one.

    The map breaks a stick: entry i, from 1, takes the share `1 - u_i^(1 / (m - i))` of what the ones before it have
    left. It is one to one and keeps equal volumes equal; sorted spacings fold (m - 1)! parts of the cube together, and
    normalised exponentials need one coordinate more. Its discrepancy was the least of the three (docs/preferences.md).

    Source: Sobol 1967, scrambled as in torch; the map: Fang and Wang 1994 (Number-theoretic Methods in Statistics).

    Args:
        num_objectives: m, at least 1.
        k: Number of rows, at least 1.
        seed: Of the scrambling, at least 0.

    Returns:
        float64 `[k, m]`, rows at least 0 that sum to 1 up to rounding.

    Raises:
        ValueError: An argument is too small.
    """
    m, k = check_count("num_objectives", num_objectives), check_count("k", k)
    seed = check_count("seed", seed, low=0)
    rest = torch.ones(k, 1, dtype=torch.float64)
    if m == 1:
        return rest
    engine = SobolEngine(m - 1, scramble=True, seed=child_seed(seed, "sobol"))  # type: ignore[no-untyped-call]
    kept = engine.draw(k, dtype=torch.float64) ** (1 / torch.arange(m - 1, 0, -1, dtype=torch.float64))
    left = torch.cat([rest, kept.cumprod(dim=1)], dim=1)
    return torch.cat([left[:, :-1] * (1 - kept), left[:, -1:]], dim=1)


def riesz(num_objectives: int, k: int, seed: int = 0, *, exponent: float | None = None, starts: int = 6) -> Tensor:
    """So many well-spaced preferences: a (local) minimum of the Riesz energy, the sum of `distance^-exponent`.

    The unit vectors are fixed. The others start at a Das-Dennis lattice, at two layers of it or at the corners alone,
    in turn, filled up with the farthest of random points and shaken, and are moved by L-BFGS; the best of the starts is
    returned. Entries are squares over their sum, so that nothing leaves the simplex.

    Source: Blank, Deb, Dhebar, Bandaru and Seada 2021 (IEEE TEC 25(1)); the exponent is pymoo's. There the descent is
    Adam with projections, from one start: no energy here was higher wherever they were compared (docs/preferences.md).

    Args:
        num_objectives: m, at least 1.
        k: Number of rows, at least 1.
        seed: At least 0. The same seed gives the same rows, however many threads there are.
        exponent: Above 0; None: 2 m.
        starts: How many, at least 1. The cost is O(k^2 m) for each step of each: in all about a second for 100 rows.

    Returns:
        float64 `[k, m]`, ordered by `spread`, the m unit vectors first. For k <= m the first k of them, for m = 1 ones.

    Raises:
        ValueError: An argument is out of its range.
    """
    m, k = check_count("num_objectives", num_objectives), check_count("k", k)
    seed, starts = check_count("seed", seed, low=0), check_count("starts", starts)
    power = 2.0 * m if exponent is None else check_number("exponent", exponent, "the power of the distance")
    corners = torch.eye(m, dtype=torch.float64)
    if m == 1 or k <= m:
        return corners[:k] if m > 1 else corners.expand(k, 1).clone()
    frames = (das_dennis(m, _most_divisions(m, k)), lattice(m, k), corners)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in one order: a rounding error can lead to another minimum
    try:
        best, least = corners, math.inf
        for i in range(starts):
            found, energy = _descend(_riesz_start(frames[i % 3], k, torch_generator(seed, "riesz", i)), power)
            if energy < least - 1e-9:  # equal minima: the first, whatever the rounding
                best, least = found, energy
    finally:
        torch.set_num_threads(threads)
    return spread(best)


def _riesz_start(frame: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """A start `[k - m, m]` inside the simplex: the frame but for its corners, then the farthest random points."""
    m = frame.shape[1]
    corners, inner = torch.eye(m, dtype=torch.float64), frame[frame.amax(dim=1) < 1]
    pool = torch.cat([corners, inner, dirichlet(1000 + 10 * k, m, generator)])
    chosen = pool[_farthest_first(pool.numpy(), range(m + len(inner)), k)[m:]]
    return 0.98 * chosen + 0.02 * dirichlet(k - m, m, generator)


def _descend(start: Tensor, power: float) -> tuple[Tensor, float]:
    """Minimise the energy of the corners with free points `[n, m]`: all of them `[m + n, m]`, and its logarithm."""
    corners = torch.eye(start.shape[1], dtype=torch.float64)
    roots = start.sqrt().requires_grad_()
    # scipy's descent is as good, but its threads wait for each other where cores are shared: seconds instead of tenths
    optimiser = torch.optim.LBFGS([roots], max_iter=1000, history_size=20, line_search_fn="strong_wolfe")

    def points() -> Tensor:
        squares = roots**2
        return torch.cat([corners, squares / squares.sum(dim=1, keepdim=True)])

    def log_energy(rows: Tensor) -> Tensor:
        return torch.logsumexp(-power * torch.pdist(rows).log(), dim=0)

    def closure() -> Tensor:
        optimiser.zero_grad()
        energy = log_energy(points())
        energy.backward()  # type: ignore[no-untyped-call]
        return energy

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    found = points().detach()
    found = torch.where(found < 1e-6, 0.0, found)  # on a face, but for what the descent left
    found = found / found.sum(dim=1, keepdim=True)
    return found, log_energy(found).item()


def moved_apart(preference: Tensor, reached: Tensor, front: Tensor, delta: float) -> Tensor:
    """A preference moved towards what its return has more of than the nearest on a front.

    The neighbour is the nearest row of the front that is neither equal nor better in everything, each objective in
    units of the front's range. Entries of objectives in which the return is better are multiplied by `delta`, where it
    is worse divided; then the row is divided by its sum. An entry of 0 stays 0.

    Source: Czyzzak and Jaszkiewicz 1998 (Pareto simulated annealing, J. Multi-Criteria Decision Analysis 7).

    Args:
        preference: `[m]`.
        reached: The return that it brought, `[m]`, maximised.
        front: `[n, m]`.
        delta: At least 1.

    Returns:
        `[m]`; the preference itself where there is no neighbour.
    """
    others = front[(front < reached).any(dim=1)]
    if not len(others):
        return preference
    span = front.amax(dim=0) - front.amin(dim=0)
    away = ((others - reached) / torch.where(span > 0, span, 1.0)).square().sum(dim=1)
    moved = preference * delta ** torch.sign(reached - others[away.argmin()])
    return moved / moved.sum()
