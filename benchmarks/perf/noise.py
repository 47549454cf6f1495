"""How near the reported hypervolume of a noisy front comes to what the front is really worth.

`python -m moo.benchmarks.perf.noise` prints observed, reported and true values.
"""

from __future__ import annotations

import statistics

from moo.benchmarks.claims import Measurement
from moo.indicators.volume import hypervolume
from moo.problems import get_problem
from moo.search import pareto_search


def values(seed: int, evaluations: int, reevaluations: int) -> dict[str, float]:
    """Hypervolume of the archive as observed, of the front as reported, and of the same front without noise."""
    result = pareto_search(
        "zdt1:noise=0.3", "nsga2", budget=evaluations, seed=seed, reevaluations=reevaluations, progress=False
    )
    problem = get_problem("zdt1")
    true = hypervolume(problem.evaluate(result.solutions), problem.reference_point, directions="min", warn=False)  # type: ignore[attr-defined]
    return {
        "observed": float(result.history["hypervolume"].iloc[-1]),
        "reported": result.hypervolume,
        "true": true,
        "used_apart": result.record["used_apart"],
    }


def measure(*, quick: bool) -> Measurement:
    """The claim, at the default number of re-evaluations."""
    seeds = list(range(1000, 1003 if quick else 1010))
    found = [values(seed, 20_000, 20) for seed in seeds]
    errors = [abs(row["reported"] / row["true"] - 1) for row in found]
    median, worst = statistics.median(errors), max(errors)
    return Measurement(
        met=worst <= 0.05,
        median=f"{median:.1%} off the true value",
        worst=f"{worst:.1%}",
        seeds=seeds,
        shortfall=f"{worst - 0.05:.1%} (median {max(median - 0.05, 0):.1%})",
        details={"runs": found},
    )


if __name__ == "__main__":
    result = measure(quick=False)
    for row in (result.details or {})["runs"]:
        print("observed {observed:.4f}   reported {reported:.4f}   true {true:.4f}".format(**row))
    print(f"median {result.median}, worst {result.worst}: {result.verdict}")
