"""What the loop costs over a direct run of pymoo: CPU time of NSGA-II on ZDT1, in pairs.

`python -m moo.benchmarks.perf.loop_overhead` prints ours, pymoo's and the ratio.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable

from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.optimize import minimize
from pymoo.problems import get_problem

from moo.benchmarks.claims import Measurement
from moo.search import one_thread, pareto_search

PAIRS = 9


def ours(evaluations: int, seed: int) -> None:
    """The whole loop: archive, history, checkpoint and journal included."""
    with tempfile.TemporaryDirectory() as folder:
        pareto_search("zdt1", "nsga2", budget=evaluations, seed=seed, checkpoint=folder, progress=False)


def direct(evaluations: int, seed: int) -> None:
    """pymoo's own loop on its own ZDT1: no archive, no history, nothing stored."""
    minimize(get_problem("zdt1"), NSGA2(pop_size=100), ("n_eval", evaluations), seed=seed)


def cpu_seconds(run: Callable[[int, int], None], evaluations: int, seed: int) -> float:
    """CPU time of this process for one run."""
    start = time.process_time()
    run(evaluations, seed)
    return time.process_time() - start


def pairs(evaluations: int, seeds: list[int]) -> list[tuple[float, float]]:
    """CPU seconds of ours and of pymoo's, one pair per seed in alternating order, after a warm-up of both."""
    for run in (ours, direct):
        cpu_seconds(run, 500, 0)
    found = []
    with one_thread():
        for seed in seeds:
            order = (ours, direct) if seed % 2 else (direct, ours)
            times = {run: cpu_seconds(run, evaluations, seed) for run in order}
            found.append((times[ours], times[direct]))
    return found


def measure(*, quick: bool) -> Measurement:
    """The claim: the median of the pairs' ratios."""
    evaluations, limit = (10_000, 0.3) if quick else (25_000, 0.2)
    seeds = list(range(1000, 1000 + PAIRS))
    found = pairs(evaluations, seeds)
    extra = [a / b - 1 for a, b in found]
    median, worst = statistics.median(extra), max(extra)
    return Measurement(
        met=median <= limit,
        median=f"{median:+.1%} CPU",
        worst=f"{worst:+.1%}",
        seeds=seeds,
        shortfall=f"{median - limit:.1%} of pymoo's CPU time",
        details={"evaluations": evaluations, "cpu_seconds": [list(pair) for pair in found]},
    )


if __name__ == "__main__":
    result = measure(quick=False)
    for first, second in (result.details or {})["cpu_seconds"]:
        print(f"ours {first:.2f} s   pymoo {second:.2f} s   ratio {first / second:.3f}")
    print(f"median {result.median}, worst {result.worst}: {result.verdict}")
