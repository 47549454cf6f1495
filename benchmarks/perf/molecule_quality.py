"""What MOGFN samples of molecules, beside objects drawn without learning and NSGA-II at equal evaluations.

`python -m moo.benchmarks.perf.molecule_quality 100000` prints the figures of seed 0 with so many evaluations.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch
from joblib import Parallel, cpu_count, delayed
from torch import Tensor

from moo.benchmarks.claims import Measurement
from moo.benchmarks.suites import LEARN_MOLECULES
from moo.chemistry.molecules import fingerprint
from moo.gflow.rewards import log_reward
from moo.gflow.trajectories import uniform_objects
from moo.indicators.samples import mean_tanimoto_distance, top_k_diversity, top_k_reward
from moo.indicators.volume import hypervolume
from moo.preferences import das_dennis
from moo.problems import get_problem
from moo.registry import parse_options
from moo.search import pareto_search
from moo.seeding import torch_generator

PROBLEM = "fragments:objectives=sa+qed"
BUDGET = 1_280_000
QUICK = 50_000
PREFERENCES = 15
DRAWS = 128  # fresh molecules for each preference, as published
BAR = 0.79


def scores(problem: Any, drawn: Tensor, preferences: Tensor) -> dict[str, float]:
    """Scores of the objects `[p * 128, ...]` drawn for preferences `[p, m]`, 128 for each in turn.

    `pooled` is the hypervolume of all, `picked` that of the best by reward for each preference; `reward` and
    `diversity` (mean Tanimoto distance of Morgan fingerprints) are of the ten best for each preference; `mean` is the
    mean reward of all, `different` the share of different molecules among all.
    """
    p, m = preferences.shape
    objectives = problem.evaluate(drawn).objectives.reshape(p, -1, m)
    rewards = log_reward(objectives, preferences[:, None], "weighted-sum").exp()
    best = objectives[torch.arange(p), rewards.argmax(dim=1)]
    molecules = problem.decode(drawn)
    n = rewards.shape[1]
    named = [molecules[first : first + n] for first in range(0, p * n, n)]
    return {
        "pooled": hypervolume(objectives.flatten(0, 1), problem.reference_point),
        "picked": hypervolume(best, problem.reference_point),
        "reward": top_k_reward(rewards),
        "diversity": top_k_diversity(named, rewards, _distance),
        "mean": float(rewards.mean()),
        "different": len(set(molecules)) / len(molecules),
    }


def _distance(molecules: Sequence[str]) -> float:
    return mean_tanimoto_distance([fingerprint(molecule) for molecule in molecules])


def learned(seed: int, budget: int, options: str = LEARN_MOLECULES) -> dict[str, Any]:
    """The figures of one run, and those of objects drawn without learning."""
    torch.set_num_threads(1)
    problem: Any = get_problem(PROBLEM)
    started, cpu = time.perf_counter(), time.process_time()
    result = pareto_search(
        problem, "mogfn", budget=budget, seed=seed, options=parse_options(options), device="cpu", progress=False
    )
    took = {"minutes": (time.perf_counter() - started) / 60, "cpu_minutes": (time.process_time() - cpu) / 60}
    preferences = das_dennis(2, PREFERENCES - 1)
    asked = preferences.repeat_interleave(DRAWS, dim=0)
    blind = uniform_objects(problem, len(asked), torch_generator(seed, "blind"))
    return {
        "seed": seed,
        "budget": budget,
        **took,
        "archive": float(hypervolume(result.objectives, problem.reference_point)),
        "mogfn": scores(problem, result.generator.sample(asked, seed=seed), preferences),
        "uniform": scores(problem, blind, preferences),
    }


def evolved(seed: int, budget: int) -> float:
    """The hypervolume of all that NSGA-II has found at equal evaluations."""
    torch.set_num_threads(1)
    result = pareto_search(PROBLEM, "nsga2", budget=budget, seed=seed, device="cpu", progress=False)
    return float(hypervolume(result.objectives, get_problem(PROBLEM).reference_point))


def sampled_front(*, quick: bool) -> Measurement:
    """F1: the hypervolume of 15 x 128 fresh samples, pooled."""
    seeds, budget = ([1000], QUICK) if quick else ([1000, 1001, 1002], BUDGET)
    parallel = Parallel(n_jobs=min(cpu_count(), len(seeds)))
    runs: list[dict[str, Any]] = parallel(delayed(learned)(seed, budget) for seed in seeds)
    volumes: list[float] = parallel(delayed(evolved)(seed, budget) for seed in seeds)
    for run, volume in zip(runs, volumes, strict=True):
        run["nsga2_archive"] = volume
    pooled = [run["mogfn"]["pooled"] for run in runs]
    blind = statistics.median(run["uniform"]["pooled"] for run in runs)
    median = statistics.median(pooled)
    return Measurement(
        met=median >= BAR,
        median=f"hypervolume {median:.3f} (objects drawn without learning: {blind:.3f})",
        worst=f"hypervolume {min(pooled):.3f}",
        seeds=seeds,
        shortfall="" if median >= BAR else f"{BAR - median:.3f}",
        details={"runs": runs},
    )


if __name__ == "__main__":
    spent = int(sys.argv[1]) if len(sys.argv) > 1 else QUICK
    print(json.dumps({**learned(0, spent, *sys.argv[2:]), "nsga2_archive": evolved(0, spent)}, indent=1))
