"""The rules of `moo.gradients` measured: exactness, cost on one thread, and where they lead on a concave front.

`python -m moo.benchmarks.perf.gradients` prints ours, the peer's and the ratio of every case. TorchJD comes with the
extra `gradients`; without it what is compared with it is not measured.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import moocore
import numpy as np
import torch
from scipy.optimize import minimize
from scipy.stats import spearmanr
from torch import Tensor

from moo.benchmarks.claims import Measurement
from moo.benchmarks.perf.indicators import ROUNDS, SEED, cpu_ms, optional
from moo.gradients import descend, hypervolume_factor, influence_weights, min_norm, pama, pama_gram
from moo.problems.fonseca_fleming import FonsecaFleming
from moo.search import one_thread

COUNTS = tuple(range(2, 17))
TOKENS = 8192
SEEDS = tuple(range(SEED, SEED + 5))
PARAMETERS = (10**4, 10**8)


def normal(*shape: int, seed: int = SEED) -> Tensor:
    """Standard normal float64 numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def verdict(
    found: Mapping[str, Any], shortfalls: Sequence[str], *, seeds: Sequence[int] = (SEED,), worst: str = ""
) -> Measurement:
    """Met where nothing falls short; what was found in words and in full."""
    return Measurement(
        met=not shortfalls,
        median="; ".join(f"{name} {value:.3g}" for name, value in found.items() if isinstance(value, int | float)),
        worst=worst,
        seeds=list(seeds),
        shortfall="; ".join(shortfalls),
        details=dict(found),
    )


def beyond(found: Mapping[str, float], limits: Mapping[str, float]) -> list[str]:
    """Which figures are above their limits, in words."""
    return [f"{name} {found[name]:.3g} (at most {most:g})" for name, most in limits.items() if not found[name] <= most]


# ------------------------------------------------------------------------------------------------------------ exactness
def pama_exact(*, quick: bool) -> Measurement:
    """PAMA's weights are those of the quadratic program."""
    found = dict.fromkeys(("off the simplex", "c.A off s*", "s*^2 off the program's", "off by permutation"), 0.0)
    for n in COUNTS:
        rows = torch.cat([normal(2000, n, seed=SEED + n) + shift for shift in (0.0, 3.0, -3.0)])
        weights = pama(rows)
        low, high = rows.amin(dim=1), rows.amax(dim=1)
        projection = torch.where(low > 0, low, torch.where(high < 0, high, 0.0))
        order = torch.randperm(n, generator=torch.Generator().manual_seed(n))
        chosen = slice(None, None, 600 if quick else 60)
        squares = (weights * rows).sum(dim=1)[chosen].square().tolist()
        gaps = [abs(one - _program(row.numpy())) for one, row in zip(squares, rows[chosen], strict=True)]
        new = (
            max(float((weights.sum(dim=1) - 1).abs().max()), float((-weights).max())),
            float(((weights * rows).sum(dim=1) - projection).abs().max()),
            max(gaps),
            float((pama(rows[:, order]) - weights[:, order]).abs().max()),
        )
        found = {name: max(old, value) for (name, old), value in zip(found.items(), new, strict=True)}
    return verdict(found, beyond(found, dict.fromkeys(found, 1e-12)))


def _program(row: np.ndarray) -> float:
    """min (c . a)^2 over the simplex, by scipy."""
    solved = minimize(
        lambda c: (c @ row) ** 2,
        np.full(len(row), 1 / len(row)),
        jac=lambda c: 2 * (c @ row) * row,
        bounds=[(0, 1)] * len(row),
        constraints={"type": "eq", "fun": lambda c: c.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-18, "maxiter": 300},
    )
    return float(solved.fun)


def influence_exact(*, quick: bool) -> Measurement:
    """Influence weights are the closed form, and none is below its floor."""
    gap, below, off = 0.0, 0.0, 0.0
    for n in (2, 16) if quick else COUNTS:
        rows = normal(200, n, 12, seed=SEED + n)
        gram, previous = rows @ rows.mT, normal(200, n, seed=n).softmax(dim=-1)
        raw = previous.numpy() * np.exp(0.1 * gram.numpy().sum(axis=-1))
        expected = raw / raw.sum(axis=-1, keepdims=True)
        gap = max(gap, float(np.abs(influence_weights(gram, previous, 1e-6, 1e-5).numpy() - expected).max()))
        floored = influence_weights(gram, previous, 1e-6, 1e-5, floor=0.5 / n)
        below = max(below, float((0.5 / n - floored).max()))
        off = max(off, float((floored.sum(dim=-1) - 1).abs().max()))
    found = {"off the closed form": gap, "below the floor": below, "sum off 1": off}
    return verdict(found, beyond(found, {"off the closed form": 1e-12, "below the floor": 0.0, "sum off 1": 1e-12}))


def factor_exact(*, quick: bool) -> Measurement:
    """The hypervolume-guided factor follows moocore's hypervolume, points below the reference included."""
    rng, gaps, outside = np.random.default_rng(SEED), [], 0
    for n in (2, 3, 4):
        for _ in range(100 if quick else 1000):
            points, new = rng.uniform(-0.5, 1.5, (6, n)), rng.uniform(-0.5, 1.5, n)
            before = moocore.hypervolume(-points, ref=np.zeros(n))
            gain = moocore.hypervolume(-np.vstack([points, new]), ref=np.zeros(n)) - before
            factor = float(hypervolume_factor(torch.from_numpy(new), torch.from_numpy(points), [0.0] * n))
            gaps.append(abs(factor - (0.5 + 1.5 * math.tanh(max(gain, 0.0)))))
            outside += bool((new < 0).any())
    found = {"off moocore's": max(gaps), "cases": len(gaps), "new points below the reference": outside}
    return verdict(found, beyond(found, {"off moocore's": 1e-12}))


# ----------------------------------------------------------------------------------------------------------------- cost
def pama_cost(*, quick: bool) -> Measurement:
    """What PAMA's weights cost, whatever the number of parameters."""
    counts = (2, 16) if quick else COUNTS
    vectors, batches = [normal(n) for n in counts], [normal(TOKENS, n) for n in counts]
    grams = [batch.T @ batch for batch in batches]
    found = {
        "one vector, ms": max(_ms(partial(pama, one)) for one in vectors),
        f"{TOKENS} tokens, ms": max(_ms(partial(pama, rows)) for rows in batches),
        "PAMA-G, ms": max(_ms(partial(pama_gram, gram)) for gram in grams),
    }
    policies = [torch.empty(count) for count in PARAMETERS]  # nothing below is given them
    times = [[_ms(lambda: pama_gram(batches[0].T @ batches[0])) for _ in policies] for _ in range(ROUNDS)]
    found |= {
        f"with {len(policy):.0e} parameters, ms": min(row[i] for row in times) for i, policy in enumerate(policies)
    }
    found["apart by"] = abs(min(row[1] for row in times) / min(row[0] for row in times) - 1)
    limits = {"one vector, ms": 0.02, f"{TOKENS} tokens, ms": 0.3, "PAMA-G, ms": 0.15, "apart by": 0.1}
    return verdict(found, beyond(found, limits))


def _ms(run: Callable[[], object]) -> float:
    """Median CPU milliseconds of a call over rounds."""
    run()  # also the warm-up: the first call may compile
    return float(statistics.median(cpu_ms(run) for _ in range(3)))


def shortest(*, quick: bool) -> Measurement:
    """The shortest combination on a given Gram matrix, beside TorchJD's."""
    peer = optional("torchjd.aggregation")
    if peer is None:
        return Measurement(None, "-", "-", [SEED], "torchjd is not installed")
    weighting = peer.MGDAWeighting()
    cases: list[dict[str, Any]] = []
    shortfalls: list[str] = []
    for n in (2, 3, 16) if quick else COUNTS:
        rows = [normal(n, 100, seed=SEED + seed) for seed in range(3)]
        grams = [one @ one.T for one in rows]
        pairs = [(_ms(partial(min_norm, g)), _ms(partial(weighting, g))) for g in grams]
        ratio = statistics.median(other / own for own, other in pairs)
        gap = max(_gap(g, min_norm(g)) for g in grams)
        shortfalls += [f"{n} gradients: {ratio:.2f}x (at least 3)"] if ratio < 3 else []
        shortfalls += [f"{n} gradients: gap {gap:.1e} (at most 1e-12)"] if gap > 1e-12 else []
        case = {
            "case": f"{n} gradients",
            "ours_ms": statistics.median(own for own, _ in pairs),
            "peer_ms": statistics.median(other for _, other in pairs),
            "ratio": ratio,
            "gap": gap,
            "peer_gap": max(_gap(g, weighting(g)) for g in grams),
        }
        cases.append(case)
    return Measurement(
        met=not shortfalls,
        median="; ".join(f"{case['case']} {case['ratio']:.1f}x" for case in cases),
        worst=f"ratio {min(case['ratio'] for case in cases):.2f}x, gap {max(case['gap'] for case in cases):.1e} "
        f"(TorchJD's {max(case['peer_gap'] for case in cases):.1e})",
        seeds=[SEED],
        shortfall="; ".join(shortfalls),
        details={"cases": cases},
    )


def _gap(gram: Tensor, weights: Tensor) -> float:
    """By how much the squared length can at most be too large, relative to it: no solver is needed to tell."""
    products = gram @ weights
    value = weights @ products
    return float((value - products.min()) / value)


# ---------------------------------------------------------------------------------------------------- a concave front
SHARES = torch.linspace(0.05, 0.95, 11, dtype=torch.float64)
RUNS: dict[str, tuple[str, bool, Any, dict[str, Any]]] = {  # rule, whether told preferences, rate, options
    "smooth Tchebycheff": ("smooth_tchebycheff", True, lambda t: 0.1**t, {"mu": lambda t: 0.1 * 0.01**t}),
    "EPO": ("epo", True, lambda t: 0.1 * 0.05**t, {"tolerance": 1e-4}),
    "hypervolume gradient": (
        "hypervolume_gradient",
        False,
        0.1,
        {"reference_point": torch.tensor([-1.0, -1.0]), "by_rank": True},
    ),
    "PAMA by preference": ("pama_gram", True, 0.05, {}),
    "linear": ("linear", True, 0.3, {}),
    "DRW by influence": ("influence_weights", False, 0.05, {"eta": 0.05, "mu": 1.0}),
    "PAMA-G without levels": ("pama_gram", True, 0.05, {"shortfalls": None}),
}
STAY = ("linear", "DRW by influence")
REACH = ("smooth Tchebycheff", "EPO", "hypervolume gradient", "PAMA by preference")


def concave_front(*, quick: bool) -> Measurement:
    """Where each rule leads on Fonseca and Fleming's concave front, from 11 random starts."""
    found = {run: [final(run, seed) for seed in (SEEDS[:1] if quick else SEEDS)] for run in RUNS}
    shortfalls = [f"{run}: {fault}" for run in REACH for one in found[run] for fault in _faults(run, one)]
    for run in STAY:
        shortfalls += [f"{run} ends inside, which it cannot"] if any(one["inside"] for one in found[run]) else []
    known, blind = ([one["rank correlation"] for one in found[run]] for run in (REACH[-1], "PAMA-G without levels"))
    if max(blind) > 0.9:
        shortfalls.append("PAMA-G without levels follows its preferences, which it cannot")
    lines = {
        run: f"{run} {statistics.median(one['inside'] for one in rows):g}/11 inside, hypervolume "
        f"{statistics.median(one['hypervolume'] for one in rows):.3f}, correlation "
        f"{statistics.median(one['rank correlation'] for one in rows):+.2f}"
        for run, rows in found.items()
    }
    return Measurement(
        met=not shortfalls,
        median="; ".join(lines.values()),
        worst=f"hypervolume {min(one['hypervolume'] for run in REACH for one in found[run]):.3f}, "
        f"{max(one['seconds'] for run in REACH for one in found[run]):.1f} s, correlation {min(known):.2f}",
        seeds=list(SEEDS[:1] if quick else SEEDS),
        shortfall="; ".join(shortfalls),
        details=found,
    )


def final(run: str, seed: int, steps: int = 4000) -> dict[str, float]:
    """The figures of the last points of one descent: hypervolumes are shares of the front's, reference point (1, 1)."""
    rule, told, rate, options = RUNS[run]
    preferences = torch.stack([SHARES, 1 - SHARES], dim=1) if told else None
    start = 2 * torch.rand(11, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1
    begun = time.process_time()
    with one_thread():
        end = descend(
            FonsecaFleming(2).evaluate,
            start,
            rule,
            preferences,
            steps=steps,
            rate=rate,
            options=options,
        )
    seconds = time.process_time() - begun
    front = curve()
    whole = moocore.hypervolume(front.numpy(), ref=[1.0, 1.0])
    distance = torch.cdist(end.losses, front).amin(dim=1)
    inside = (distance <= 1e-3) & (torch.cdist(end.losses, front[[0, -1]]).amin(dim=1) >= 0.02)
    return {
        "inside": float(inside.sum()),
        "distance": float(distance.max()),
        "hypervolume": moocore.hypervolume(end.losses.numpy(), ref=[1.0, 1.0]) / whole,
        "archive hypervolume": moocore.hypervolume(end.path.flatten(0, 1).numpy(), ref=[1.0, 1.0]) / whole,
        "rank correlation": float(spearmanr(SHARES, -end.losses[:, 0]).statistic),
        "seconds": seconds,
    }


def curve(points: int = 50_001) -> Tensor:
    """The whole front, densely: f = 1 - exp(-(u -+ 1)^2) for u from -1 to 1."""
    places = torch.linspace(-1, 1, points, dtype=torch.float64)
    return -torch.expm1(-torch.stack([(places - 1).square(), (places + 1).square()], dim=1))


def _faults(run: str, one: Mapping[str, float]) -> list[str]:
    """What a rule that should reach the inside fell short of."""
    checks = {
        f"{one['inside']:g} of 11 inside (at least 10)": one["inside"] >= 10,
        f"hypervolume {one['hypervolume']:.3f} (at least .86)": one["hypervolume"] >= 0.86,
        f"{one['seconds']:.1f} s (at most 5)": one["seconds"] <= 5,
        f"correlation {one['rank correlation']:.2f} (at least .95)": one["rank correlation"] >= 0.95
        or run == "hypervolume gradient",
    }
    return [fault for fault, fine in checks.items() if not fine]


CASES = (pama_exact, pama_cost, shortest, influence_exact, concave_front, factor_exact)

if __name__ == "__main__":
    for measure in CASES:
        result = measure(quick=False)
        print(f"\n{(measure.__doc__ or '').splitlines()[0]} {result.verdict}")
        for row in (result.details or {}).get("cases", []) if measure is shortest else []:
            print(
                f"  {row['case']:<14} ours {row['ours_ms']:7.4f} ms   TorchJD {row['peer_ms']:7.4f} ms   "
                f"ratio {row['ratio']:6.1f}   gap {row['gap']:.1e} (TorchJD's {row['peer_gap']:.1e})"
            )
        for name, rows in (result.details or {}).items() if measure is concave_front else []:
            median = {key: statistics.median(one[key] for one in rows) for key in rows[0]}
            print(f"  {name:<22} " + "   ".join(f"{key} {value:.3g}" for key, value in median.items()))
        print(f"  {result.median}   worst {result.worst}")
