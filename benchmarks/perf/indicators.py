"""How fast the indicators are beside their peers: CPU time on one thread, in pairs, equal results checked first.

`python -m moo.benchmarks.perf.indicators` prints ours, the peer's and the ratio of every case. The peers pygmo, optuna
and paretoset come with the extra `peers`; a case whose peer is absent is not measured.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import moocore
import numpy as np
import torch
from torch import Tensor

from moo.benchmarks.claims import Measurement
from moo.dominance import non_dominated
from moo.indicators.r2_family import r2_exact
from moo.indicators.volume import hypervolume, hypervolume_contributions
from moo.search import one_thread

WINDOW = 0.12  # seconds of CPU time per measurement: the clock ticks at up to 4 ms
ROUNDS = 5
SEED = 1000


@dataclass(frozen=True)
class Timed:
    """One case: milliseconds per call, medians over rounds; `ratio` is the peer's time over ours, round by round."""

    case: str
    peer: str
    ours_ms: float
    peer_ms: float
    ratio: float
    worst_ratio: float
    required: str
    met: bool | None

    @property
    def over(self) -> str:
        """By how many microseconds a call costs more than the peer's, where it is the checks that count."""
        return f" ({1e3 * (self.ours_ms - self.peer_ms):+.0f} us)" if " us" in self.required else ""


def cpu_ms(run: Callable[[], object]) -> float:
    """CPU milliseconds of one call on one thread, over a window of calls."""
    with one_thread():
        calls = 1
        while True:  # the clock is read once per window: reading it costs as much as a small set
            start = time.process_time()
            for _ in range(calls):
                run()
            elapsed = time.process_time() - start
            if elapsed >= WINDOW:
                return 1e3 * elapsed / calls
            calls = max(2 * calls, int(1.2 * calls * WINDOW / max(elapsed, WINDOW / 50)))


def timed(
    case: str,
    ours: Callable[[], Any],
    peer_name: str,
    peer: Callable[[], Any] | None,
    *,
    faster: float = 1.0,
    checks_us: float = 0.0,
    same: Callable[[Any, Any], bool] | None = None,
) -> Timed:
    """Time both in turn; met where ours is `faster` times as fast, `checks_us` microseconds of checks left out.

    Raises:
        RuntimeError: The two disagree.
    """
    required = f">= {faster:g}x {peer_name}" + (f" + {checks_us:g} us" if checks_us else "")
    if peer is None:
        return Timed(case, peer_name, cpu_ms(ours), float("nan"), float("nan"), float("nan"), required, None)
    first, second = ours(), peer()  # also the warm-up
    if not (same or close)(first, second):
        raise RuntimeError(f"{case}: ours and {peer_name} disagree.")
    pairs = [(cpu_ms(ours), cpu_ms(peer)) for _ in range(ROUNDS)]
    ratios = [other / own for own, other in pairs]
    beyond = statistics.median(own - other / faster - checks_us / 1e3 for own, other in pairs)
    return Timed(
        case,
        peer_name,
        statistics.median(own for own, _ in pairs),
        statistics.median(other for _, other in pairs),
        statistics.median(ratios),
        min(ratios),
        required,
        beyond <= 0,
    )


def close(first: Any, second: Any) -> bool:
    """Equal to a relative 1e-10."""
    return np.allclose(np.asarray(first, dtype=float), np.asarray(second, dtype=float), rtol=1e-10, atol=1e-14)


def claim(cases: Sequence[Timed], *, seeds: Sequence[int] = (SEED,)) -> Measurement:
    """The verdict over cases: met where all are, not measured where one is not."""
    missing = [case for case in cases if case.met is None]
    short = [case for case in cases if case.met is False]
    lines = [f"{case.case}: {case.ratio:.2f}x {case.peer} (wanted {case.required})" for case in short]
    lines += [f"{case.case}: {case.peer} is not installed" for case in missing]
    return Measurement(
        met=False if short else None if missing else True,
        median="; ".join(f"{case.case} {case.ratio:.2f}x {case.peer}{case.over}" for case in cases),
        worst="; ".join(f"{case.worst_ratio:.2f}x" for case in cases),
        seeds=list(seeds),
        shortfall="; ".join(lines),
        details={"cases": [asdict(case) for case in cases]},
    )


# ---------------------------------------------------------------------------------------------------------- the inputs
def sphere(n: int, m: int, sets: int | None = None) -> np.ndarray:
    """Mutually non-dominated points of a concave front, minimised, `[n, m]` or `[sets, n, m]`."""
    rng = np.random.default_rng(SEED)
    points: np.ndarray = np.abs(rng.standard_normal((n, m) if sets is None else (sets, n, m)))
    points /= np.linalg.norm(points, axis=-1, keepdims=True)
    return points


def cloud(n: int, m: int, sets: int | None = None) -> np.ndarray:
    """Uniform points of the unit cube."""
    found: np.ndarray = np.random.default_rng(SEED).random((n, m) if sets is None else (sets, n, m))
    return found


def over_sets(function: Callable[..., Any], sets: np.ndarray, **options: Any) -> Callable[[], Any]:
    """A loop over sets, as a user of a library for single ones writes it."""
    return lambda: [function(one, **options) for one in sets]


def optional(name: str) -> Any:
    """A peer's module, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


# ------------------------------------------------------------------------------------------------------------ the bars
def hypervolume_2d_batched(*, quick: bool) -> Measurement:
    """Many sets of two objectives."""
    from botorch.utils.multi_objective.box_decompositions.dominated import DominatedPartitioning

    cases = []
    for sets, n, bar in [(1000, 50, 3.0), (10_000, 20, 4.0)][: 1 if quick else 2]:
        points = sphere(n, 2, sets)
        tensor, ref = torch.from_numpy(points), np.full(2, 1.1)
        ours = _volume_of(tensor, ref)
        cases.append(
            timed(f"{sets:,} x {n}", ours, "moocore loop", over_sets(moocore.hypervolume, points, ref=ref), faster=bar)
        )
        best, low = -tensor, torch.tensor(-ref)

        def botorch(best: Tensor = best, low: Tensor = low) -> Tensor:
            found: Tensor = DominatedPartitioning(ref_point=low, Y=best).compute_hypervolume()
            return found

        cases.append(timed(f"{sets:,} x {n}", ours, "BoTorch batched", botorch, faster=25.0))
    return claim(cases)


def hypervolume_2d_single(*, quick: bool) -> Measurement:
    """One large front of two objectives."""
    del quick
    points, ref = sphere(10_000, 2), np.full(2, 1.1)
    optuna = optional("optuna._hypervolume")
    ordered = points[np.argsort(points[:, 0])]
    peers = {
        "moocore": lambda: moocore.hypervolume(points, ref=ref),
        "optuna": None if optuna is None else lambda: optuna.compute_hypervolume(ordered, ref, assume_pareto=False),
    }
    ours = _volume_of(points, ref)
    return claim([timed("n = 10,000", ours, name, peer) for name, peer in peers.items()])


def hypervolume_3d_batched(*, quick: bool) -> Measurement:
    """Many sets of three objectives."""
    cases = []
    for n, bar in [(20, 2.0), (50, 0.9)][: 1 if quick else 2]:
        points, ref = sphere(n, 3, 1000), np.full(3, 1.1)
        loop = over_sets(moocore.hypervolume, points, ref=ref)
        cases.append(timed(f"1,000 x {n}", _volume_of(torch.from_numpy(points), ref), "moocore loop", loop, faster=bar))
    return claim(cases)


def hypervolume_single(*, quick: bool) -> Measurement:
    """One set of three to five objectives: delegated, so the bar is what our checks cost."""
    cases = []
    for m in (3, 4, 5):
        for n in (100, 1000)[: 1 if quick else 2]:
            points, ref = sphere(n, m), np.full(m, 1.1)
            peer = _moocore_of(points, ref)
            ours = _volume_of(points, ref)
            cases.append(timed(f"m = {m}, n = {n:,}", ours, "moocore", peer, faster=1 / 1.05, checks_us=30.0))
    return claim(cases)


def hypervolume_many(*, quick: bool) -> Measurement:
    """Six and eight objectives: compiled."""
    cases = []
    for m, n, bar in [(8, 100, 4.0), (6, 1000, 5.0)][: 1 if quick else 2]:
        points, ref = sphere(n, m), np.full(m, 1.1)
        ours = _volume_of(points, ref)
        cases.append(timed(f"m = {m}, n = {n:,}", ours, "moocore", _moocore_of(points, ref), faster=bar))
    return claim(cases)


def contributions_many(*, quick: bool) -> Measurement:
    """Exclusive contributions of four and five objectives: compiled."""
    del quick
    cases = []
    pygmo = optional("pygmo")
    for m in (4, 5):
        points, ref = sphere(1000, m), np.full(m, 1.1)

        def peer(points: np.ndarray = points, ref: np.ndarray = ref) -> Any:
            return pygmo.hypervolume(points).contributions(ref)

        ours = _contributions_of(points, ref)
        cases.append(timed(f"m = {m}, n = 1,000", ours, "pygmo", None if pygmo is None else peer))
    return claim(cases)


def filter_cloud(*, quick: bool) -> Measurement:
    """The non-dominated rows of a large cloud."""
    cases = []
    for m in (2, 3, 5):
        points = cloud(20_000 if quick else 100_000, m)

        def peer(points: np.ndarray = points) -> Any:
            return moocore.is_nondominated(points, keep_weakly=True)

        cases.append(timed(f"n = {len(points):,}, m = {m}", _front_of(points), "moocore", peer, faster=1.7))
    return claim(cases)


def filter_batched(*, quick: bool) -> Measurement:
    """The non-dominated rows of many sets."""
    cases = []
    for m in (2, 3, 5):
        points = cloud(20, m, 1000 if quick else 10_000)
        loop = over_sets(moocore.is_nondominated, points, keep_weakly=True)
        ours = _front_of(torch.from_numpy(points))
        cases.append(timed(f"{len(points):,} x 20, m = {m}", ours, "moocore loop", loop, faster=1.7))
    return claim(cases)


def two_objectives_batched(*, quick: bool) -> Measurement:
    """Contributions and exact R2 of many sets of two objectives."""
    del quick
    points, ref = sphere(50, 2, 1000), np.full(2, 1.1)
    tensor, ideal = torch.from_numpy(points), np.zeros(2)
    contributions = over_sets(moocore.hv_contributions, points, ref=ref)
    integrals = over_sets(moocore.r2_exact, points, ref=ideal)
    return claim(
        [
            timed("contributions", _contributions_of(tensor, ref), "moocore loop", contributions, faster=3.0),
            timed("exact R2", lambda: r2_exact(tensor, ideal, directions="min"), "moocore loop", integrals, faster=2.5),
        ]
    )


def r2_three_objectives(*, quick: bool) -> Measurement:
    """Exact R2 of three objectives: time, closed value, error against exact rational arithmetic."""
    points = sphere(100, 3)
    milliseconds = [cpu_ms(lambda: r2_exact(points, np.zeros(3), directions="min")) for _ in range(ROUNDS)]
    closed = abs(r2_exact(-torch.ones(1, 3), torch.zeros(3)) * 18 / 11 - 1)
    seeds = list(range(SEED, SEED + (2 if quick else 10)))
    errors = []
    for seed in seeds:
        some = np.round(np.random.default_rng(seed).random((12 if quick else 25, 3)) * 64 + 1) / 64
        errors.append(abs(r2_exact(some, np.zeros(3), directions="min") / float(rational_r2(some)) - 1))
    median, worst = statistics.median(milliseconds), max([closed, *errors])
    return Measurement(
        met=median <= 1.0 and worst <= 1e-12,
        median=f"{median:.2f} ms",
        worst=f"{max(milliseconds):.2f} ms, relative error {worst:.1e}",
        seeds=seeds,
        shortfall=f"{median:.2f} ms of 1 ms, relative error {worst:.1e} of 1e-12",
        details={"milliseconds": milliseconds, "errors": errors, "error_of_11_18": closed},
    )


def rational_r2(points: np.ndarray) -> Any:
    """Exact R2 of three minimised objectives above the ideal point 0, in rational arithmetic, cell by cell.

    In reciprocal space a point is a box from 0; the integral of 2 (x + y + z)^-4 over what no box covers, over 3!,
    summed over the cells of the grid of all sides.
    """
    from fractions import Fraction

    boxes = [[1 / Fraction(float(value)) for value in row] for row in points]
    xs, ys = (sorted({Fraction(0), *(box[i] for box in boxes)}) for i in (0, 1))

    def above(x: Fraction | None, y: Fraction | None, z: Fraction) -> Fraction:
        return Fraction(0) if x is None or y is None else 1 / (x + y + z)

    total = Fraction(0)
    for low_x, high_x in zip(xs, [*xs[1:], None], strict=True):
        for low_y, high_y in zip(ys, [*ys[1:], None], strict=True):
            height = max((z for x, y, z in boxes if x > low_x and y > low_y), default=Fraction(0))
            corner = low_x + low_y + height
            if corner == 0:
                continue  # no box at all
            total += above(low_x, low_y, height) - above(high_x, low_y, height)
            total += above(high_x, high_y, height) - above(low_x, high_y, height)
    return total / 3


def agreement(*, quick: bool) -> Measurement:
    """Hypervolume and contributions against moocore and, where installed, pygmo, on random sets with ties."""
    pygmo = optional("pygmo")
    sets, worst, seeds = (50 if quick else 1000), 0.0, list(range(SEED, SEED + 6))
    for m, seed in enumerate(seeds, 1):
        rng = np.random.default_rng(seed)
        for _ in range(sets):
            points = tied(rng, int(rng.integers(1, 40)), m)
            ref = np.full(m, 0.9)
            expected = [moocore.hypervolume(points, ref=ref)]
            inside = points[(points < ref).all(axis=1)]
            if pygmo is not None and m > 1 and len(inside):
                expected.append(pygmo.hypervolume(inside).compute(ref))
            found = hypervolume(points, ref, directions="min", warn=False)
            worst = max(worst, *(abs(found - value) / max(value, 1e-300) for value in expected))
            gains = hypervolume_contributions(points, ref, directions="min").numpy()
            worst = max(worst, float(np.abs(gains - losses(points, ref)).max()) / max(found, 1e-300))
    return Measurement(
        met=worst <= 1e-12 if pygmo is not None or worst > 1e-12 else None,
        median=f"{sets:,} sets for each m = 1 to 6",
        worst=f"relative error {worst:.1e}",
        seeds=seeds,
        shortfall=f"relative error {worst:.1e}" if worst > 1e-12 else "pygmo is not installed",
        details={"sets": sets, "worst": worst},
    )


def losses(points: np.ndarray, ref: np.ndarray) -> np.ndarray:
    """What moocore's hypervolume loses without each row; 0 for dominated ones, which are left out beforehand.

    Its own contributions are 0 below 1.5e-8 from four objectives on, in whatever unit.
    """
    kept = np.flatnonzero(moocore.is_nondominated(points, keep_weakly=True))
    front, found = points[kept], np.zeros(len(points))
    whole = moocore.hypervolume(front, ref=ref)
    found[kept] = [whole - moocore.hypervolume(np.delete(front, row, axis=0), ref=ref) for row in range(len(front))]
    return found


def tied(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    """Random points of which some are duplicates, some share values, some lie outside."""
    points: np.ndarray = rng.random((n, m))
    coarse = rng.random(n) < 0.3
    points[coarse] = np.round(points[coarse] * 4) / 4
    points[rng.integers(n, size=n // 4)] = points[rng.integers(n)]
    return points


def on_gpu(*, quick: bool) -> Measurement:
    """Many sets on a GPU beside a moocore loop on all cores."""
    if not torch.cuda.is_available():
        return Measurement(None, "", "", [], shortfall="no GPU at hand")
    from joblib import Parallel, delayed

    cases = []
    for m, bar in [(2, 20.0), (3, 10.0), (4, 3.0)]:
        points, ref = sphere(100, m, 1000 if quick else 10_000), np.full(m, 1.1)
        tensor = torch.from_numpy(points).cuda()
        with Parallel(n_jobs=-1) as workers:

            def loop(points: np.ndarray = points, ref: np.ndarray = ref, workers: Any = workers) -> Any:
                chunks = np.array_split(points, 64)
                return np.concatenate(workers(delayed(_loop)(chunk, ref) for chunk in chunks))

            expected = loop()
            found = hypervolume(tensor, ref, directions="min")
            if not close(found.cpu(), expected):
                raise RuntimeError(f"m = {m}: ours and moocore disagree.")
            times = []
            for _ in range(ROUNDS):
                start = time.perf_counter()
                loop()
                middle = time.perf_counter()
                for _ in range(10):
                    hypervolume(tensor, ref, directions="min")
                torch.cuda.synchronize()
                times.append(((time.perf_counter() - middle) / 10, middle - start))
        ratios = [other / own for own, other in times]
        own, other = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
        ratio = statistics.median(ratios)
        cases.append(
            Timed(f"m = {m}", "moocore on all cores", own, other, ratio, min(ratios), f">= {bar:g}x", ratio >= bar)
        )
    return claim(cases)


def _loop(points: np.ndarray, ref: np.ndarray) -> list[float]:
    return [moocore.hypervolume(one, ref=ref) for one in points]


def _volume_of(points: Any, ref: np.ndarray) -> Callable[[], Any]:
    return lambda: hypervolume(points, ref, directions="min")


def _moocore_of(points: np.ndarray, ref: np.ndarray) -> Callable[[], Any]:
    return lambda: moocore.hypervolume(points, ref=ref)


def _contributions_of(points: Any, ref: np.ndarray) -> Callable[[], Any]:
    return lambda: hypervolume_contributions(points, ref, directions="min")


def _front_of(points: Any) -> Callable[[], Any]:
    return lambda: non_dominated(points, keep_duplicates=True, directions="min")


CASES = (
    hypervolume_2d_batched,
    hypervolume_2d_single,
    hypervolume_3d_batched,
    hypervolume_single,
    hypervolume_many,
    contributions_many,
    filter_cloud,
    filter_batched,
    two_objectives_batched,
    r2_three_objectives,
    agreement,
    on_gpu,
)

if __name__ == "__main__":
    for measure in CASES:
        result = measure(quick=False)
        print(f"\n{(measure.__doc__ or '').splitlines()[0]} {result.verdict}")
        for row in (result.details or {}).get("cases", []):
            print(
                f"  {row['case']:<26} ours {row['ours_ms']:9.3f} ms   {row['peer']:<16} {row['peer_ms']:9.3f} ms   "
                f"ratio {row['ratio']:7.2f}   wanted {row['required']}"
            )
        if not (result.details or {}).get("cases"):
            print(f"  {result.median}   worst {result.worst}")
