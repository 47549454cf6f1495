"""How near MOGFN comes to the exact conditional law, and to what a perfect sampler scores.

`python -m moo.benchmarks.perf.gflownet_quality branin-currin "two bigrams"` prints the figures of these tasks for seeds
0 and 1, which run side by side, one core each; `TASKS` has the names.
"""

from __future__ import annotations

import functools
import json
import math
import statistics
import sys
import time
from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch
from joblib import Parallel, cpu_count, delayed
from torch import Tensor

from moo.benchmarks.claims import Measurement
from moo.benchmarks.suites import LEARN_STRINGS
from moo.gflow.rewards import log_reward
from moo.indicators.r2_family import r2_mogfn
from moo.indicators.samples import edit_distances, top_k, top_k_reward
from moo.indicators.volume import hypervolume
from moo.preferences import das_dennis
from moo.problems import get_problem
from moo.registry import parse_options
from moo.search import pareto_search

BETAS = (1, 2, 4, 8, 16)
DRAWS = 128  # objects for each preference, as published
REPEATS = 20  # of a score that draws objects
STRINGS = parse_options(LEARN_STRINGS)


class Task(NamedTuple):
    """What is learned and how.

    Attributes:
        problem: By name, with options.
        budget: Objects evaluated, while learning.
        options: Beside the defaults.
        divisions: Of the preferences that are tested.
    """

    problem: str
    budget: int
    options: Mapping[str, Any]
    divisions: int


TASKS = {
    "branin-currin": Task("hypergrid", 640_000, {}, 10),
    "currin-shubert": Task("hypergrid:objectives=currin+shubert", 640_000, {}, 10),
    "shubert-beale": Task("hypergrid:objectives=shubert+beale", 640_000, {}, 10),
    "tchebycheff": Task("hypergrid:objectives=currin+shubert", 640_000, {"scalarisation": "tchebycheff"}, 10),
    "two bigrams": Task("ngrams:ngrams=AV+VC", 640_000, STRINGS, 9),
    "three bigrams": Task("ngrams:ngrams=AV+VC+CA", 1_280_000, STRINGS, 9),
    "two letters": Task("ngrams:ngrams=A+V,length=18,min_length=17", 640_000, STRINGS, 9),
    "three letters": Task("ngrams:ngrams=A+V+C,length=18,min_length=17", 640_000, STRINGS, 9),
}


# --------------------------------------------------------------------------------------------------- one run
@functools.cache
def learned(name: str, seeds: tuple[int, ...]) -> list[dict[str, Any]]:
    """The figures of each seed; seeds run side by side, one core each."""
    found: list[dict[str, Any]] = Parallel(n_jobs=min(cpu_count(), len(seeds)))(
        delayed(figures)(name, seed) for seed in seeds
    )
    return found


def figures(name: str, seed: int) -> dict[str, Any]:
    """Learn a task; how far the law, log Z and the scores are from the truth."""
    torch.set_num_threads(1)
    task, started = TASKS[name], time.process_time()
    result = pareto_search(
        task.problem, "mogfn", budget=task.budget, seed=seed, options=dict(task.options), device="cpu", progress=False
    )
    seconds = time.process_time() - started
    problem: Any = get_problem(task.problem)
    preferences = das_dennis(problem.num_objectives, task.divisions)
    form = task.options.get("scalarisation", "weighted-sum")
    betas = (float(task.options["beta"]),) if "beta" in task.options else BETAS
    laws = {}
    for beta in betas:
        truth = problem.oracle.distribution(preferences, beta, form)
        law = result.generator.exact_distribution(problem, preferences, beta)
        away = (law - truth).abs().sum(dim=1)
        log_z = result.generator.log_z(preferences, beta) - problem.oracle.log_z(preferences, beta, form)
        laws[str(beta)] = {
            "l1": float(away.mean()),
            "l1_worst": float(away.max()),
            "log_z": float(log_z.abs().max()),
        }
    sharpest = max(betas) if "beta" in task.options else 4 if form == "weighted-sum" else 32
    found = {"seed": seed, "seconds": seconds, "laws": laws}
    for who in ("method", "perfect"):
        repeats = 1 if who == "perfect" and seed > 1000 else REPEATS
        found[who] = scores(result.generator, problem, preferences, sharpest, form, who, repeats, task.divisions + 1)
    return found


def scores(
    generator: Any, problem: Any, preferences: Tensor, beta: float, form: str, who: str, repeats: int, bins: int
) -> dict[str, float]:
    """Scores of 128 objects for each preference by the published protocol: means over repeats.

    `hypervolume` and `r2` are of the best object by reward for each preference, `pooled` is the hypervolume of all
    objects; `reward` and `edit` are of the ten best for each preference.

    Args:
        generator: The method.
        problem: What it has learned.
        preferences: `[p, m]`.
        beta: At which objects are drawn.
        form: The scalarisation.
        who: `"method"` or `"perfect"`: whose objects.
        repeats: How often.
        bins: Of the published R2.
    """
    p, m = preferences.shape
    rows = []
    for repeat in range(repeats):
        if who == "perfect":
            drawn = problem.oracle.perfect_sampler(preferences, beta, DRAWS, seed=repeat, scalarisation=form).flatten(
                0, 1
            )
        else:
            drawn = generator.sample(preferences.repeat_interleave(DRAWS, dim=0), seed=repeat, beta=beta)
        objectives = problem.evaluate(drawn).reshape(p, DRAWS, m)
        rewards = log_reward(objectives, preferences[:, None], form).exp()
        best = objectives[torch.arange(p), rewards.argmax(dim=1)]
        row = {
            "hypervolume": hypervolume(best, problem.reference_point),
            "r2": r2_mogfn(best.clamp(max=1), bins=bins),
            "pooled": hypervolume(objectives.flatten(0, 1), problem.reference_point),
            "reward": top_k_reward(rewards),
        }
        if problem.name == "ngrams":
            chosen = top_k(rewards, 10)
            words = np.array(problem.decode(drawn)).reshape(p, DRAWS)
            first, second = np.triu_indices(10, k=1)
            ten = np.take_along_axis(words, chosen, axis=1)
            row["edit"] = float(edit_distances(ten[:, first].ravel().tolist(), ten[:, second].ravel().tolist()).mean())
        rows.append(row)
    return {key: statistics.fmean(row[key] for row in rows) for key in rows[0]}


# --------------------------------------------------------------------------------------------------- claims
def _seeds(count: int) -> tuple[int, ...]:
    return tuple(range(1000, 1000 + count))


def _judge(checks: Mapping[str, tuple[list[float], float, bool]], seeds: tuple[int, ...], details: Any) -> Measurement:
    """A verdict on medians over seeds.

    Args:
        checks: By name: the values of all seeds, the bar, and whether it is a lower bound.
        seeds: Which.
        details: To be stored.
    """
    medians, worsts, short = [], [], []
    for name, (values, bar, at_least) in checks.items():
        median, worst = statistics.median(values), (min if at_least else max)(values)
        medians.append(f"{name} {median:.3f}")
        worsts.append(f"{name} {worst:.3f}")
        if (median < bar) if at_least else (median > bar):
            short.append(f"{name}: {abs(median - bar):.3f}")
    return Measurement(
        met=not short,
        median=", ".join(medians),
        worst=", ".join(worsts),
        seeds=list(seeds),
        shortfall="; ".join(short),
        details={"runs": details},
    )


def _law(runs: list[dict[str, Any]], bars: Mapping[int, float]) -> dict[str, tuple[list[float], float, bool]]:
    return {f"L1 at beta {b}": ([run["laws"][str(b)]["l1"] for run in runs], bar, False) for b, bar in bars.items()}


def grid_law(*, quick: bool) -> Measurement:
    """G1: the conditional law on branin-currin, one model for all beta."""
    seeds = _seeds(1 if quick else 5)
    runs = learned("branin-currin", seeds)
    return _judge(_law(runs, {1: 0.06, 2: 0.06, 4: 0.06, 8: 0.08, 16: 0.1}), seeds, runs)


def grid_log_z(*, quick: bool) -> Measurement:
    """G2: log Z of the same model, and its time."""
    seeds = _seeds(1 if quick else 5)
    runs = learned("branin-currin", seeds)
    worst = [max(law["log_z"] for law in run["laws"].values()) for run in runs]
    checks = {
        "log Z error (nat)": (worst, 0.1, False),
        "CPU minutes": ([run["seconds"] / 60 for run in runs], 5.0, False),
    }
    return _judge(checks, seeds, [])


def grid_concave(*, quick: bool) -> Measurement:
    """G3: two pairs with concave fronts."""
    seeds = _seeds(1 if quick else 5)
    checks: dict[str, tuple[list[float], float, bool]] = {}
    details = {}
    for name in ("currin-shubert", "shubert-beale"):
        runs = learned(name, seeds)
        problem: Any = get_problem(TASKS[name].problem)
        whole = hypervolume(problem.oracle.front, problem.reference_point)
        law = _law(runs, {1: 0.06, 2: 0.06, 4: 0.1})
        checks |= {f"{name}: {what}": check for what, check in law.items()}
        pooled = [run["method"]["pooled"] / whole for run in runs]
        checks[f"{name}: share of the true hypervolume"] = (pooled, 0.995, True)
        details[name] = runs
    return _judge(checks, seeds, details)


def grid_tchebycheff(*, quick: bool) -> Measurement:
    """G5: one pick for each preference on a concave front."""
    seeds = _seeds(1 if quick else 5)
    runs = learned("tchebycheff", seeds)
    checks = {
        "hypervolume": ([run["method"]["hypervolume"] for run in runs], 0.71, True),
        "R2": ([run["method"]["r2"] for run in runs], 0.47, False),
    }
    return _judge(checks, seeds, runs)


def string_law(*, quick: bool) -> Measurement:
    """N4: the law of the count vectors, exact, and log Z."""
    seeds = _seeds(1 if quick else 3)
    checks: dict[str, tuple[list[float], float, bool]] = {}
    details = {}
    free = float("inf")  # printed alone
    bars = {  # mean, worst preference, log Z
        "two bigrams": (0.1, 0.15, 1.0),
        "three bigrams": (0.15, free, 1.0),
        "two letters": (free, free, free),
        "three letters": (free, free, free),
    }
    for name, (mean, worst, log_z) in bars.items():
        runs = learned(name, seeds)
        laws = [run["laws"]["96.0"] for run in runs]
        details[name] = runs
        checks[f"{name}: mean"] = ([law["l1"] / 2 for law in laws], mean, False)
        checks[f"{name}: worst preference"] = ([law["l1_worst"] / 2 for law in laws], worst, False)
        checks[f"{name}: log Z error (nat)"] = ([law["log_z"] for law in laws], log_z, False)
    return _judge(checks, seeds, details)


def string_scores(name: str, edit: float, quick: bool) -> Measurement:
    """Scores beside those of the perfect sampler."""
    seeds = _seeds(1 if quick else 3)
    runs = learned(name, seeds)
    perfect = runs[0]["perfect"]
    checks = {}
    for what in ("hypervolume", "r2", "reward"):
        values = [abs(run["method"][what] / perfect[what] - 1) for run in runs]
        checks[f"{what} {runs[0]['method'][what]:.3f} of {perfect[what]:.3f}, off by"] = (values, 0.05, False)
    checks["edit distance"] = ([run["method"]["edit"] for run in runs], edit, True)
    return _judge(checks, seeds, runs)


def front_figures(pair: str, method: str, seed: int) -> dict[str, float]:
    """What a method samples after 128,000 objects of a grid: the mass on Pareto cells, and how evenly.

    Both are exact. PC-entropy goes by each cell's nearest point of the front, as a share of its maximum. mogfn is
    asked for 11 preferences at the highest beta that it has learned, and the mean of its laws is taken.
    """
    torch.set_num_threads(1)
    problem: Any = get_problem(f"hypergrid:objectives={pair}")
    generator = pareto_search(problem, method, budget=128_000, seed=seed, device="cpu", progress=False).generator
    if method == "mogfn":
        law = generator.exact_distribution(problem, das_dennis(2, 10)).mean(dim=0)
    else:
        law = generator.exact_distribution(problem)
    objectives, front = problem.oracle.objectives, problem.oracle.front
    optimal = (objectives[:, None] == front).all(dim=2).any(dim=1)
    shares = law.new_zeros(len(front)).index_add(0, torch.cdist(objectives, front).argmin(dim=1), law)
    entropy = torch.special.entr(shares).sum() / math.log(len(front))
    return {"mass": float(law[optimal].sum()), "entropy": float(entropy)}


def pareto_cells(*, quick: bool) -> Measurement:
    """O1: order-preserving on the six pairs, beside mogfn at the same budget."""
    seeds = _seeds(1 if quick else 5)
    pairs = ["+".join(pair) for pair in combinations(("branin", "currin", "shubert", "beale"), 2)]
    cells = [(pair, method, seed) for pair in pairs for method in ("order-preserving", "mogfn") for seed in seeds]
    found = Parallel(n_jobs=cpu_count())(delayed(front_figures)(*cell) for cell in cells)
    table = dict(zip(cells, found, strict=True))
    checks: dict[str, tuple[list[float], float, bool]] = {}
    for pair in pairs:
        ours, theirs = ([table[pair, method, seed] for seed in seeds] for method in ("order-preserving", "mogfn"))
        for what, bar in (("mass", 0.75), ("entropy", 0.95)):
            beaten = statistics.median(row[what] for row in theirs)
            checks[f"{pair} {what} (mogfn {beaten:.3f})"] = ([row[what] for row in ours], max(bar, beaten), True)
    details = [{"pair": pair, "method": method, "seed": seed, **row} for (pair, method, seed), row in table.items()]
    return _judge(checks, seeds, details)


def three_bigrams(*, quick: bool) -> Measurement:
    """N1."""
    return string_scores("three bigrams", 9.0, quick)


def two_bigrams(*, quick: bool) -> Measurement:
    """N2."""
    return string_scores("two bigrams", 9.5, quick)


if __name__ == "__main__":
    for task_name in sys.argv[1:] or TASKS:
        for run in learned(task_name, (0, 1)):
            print(task_name, json.dumps(run))
