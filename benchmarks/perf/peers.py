"""What peers find beside our methods, and what a proposal costs: small comparisons, one seed after the other.

`python -m moo.benchmarks.perf.peers vector` and `... environment` print the tables of `docs/peers.md`; names of methods
after these take the place of the default ones, `key=value` among them is another budget or list of seeds.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch

from moo.asking import optimizer
from moo.base import Evaluation
from moo.benchmarks.reports.scores import score
from moo.benchmarks.suites import parse_method
from moo.choosing import find_method
from moo.indicators.volume import hypervolume
from moo.problems import get_problem
from moo.registry import parse_options
from moo.search import one_thread, pareto_search

VECTOR = "branin-currin"
FIRST, PROPOSALS = 10, 20
SEEDS = (1000, 1001, 1002)
VECTOR_METHODS = (
    *("bayesian", "qlognehvi", "ax", "optuna-gp", "optuna-tpe", "optuna-tpe:multivariate=true"),
    *("optuna-nsga2:population=10", "nsga2:population=10", "random"),
)
ENVIRONMENT = "deep-sea-treasure:variant=concave"
TRANSITIONS = 20_000
ENVIRONMENT_SEEDS = (1000,)
SMALL = "hidden=64,layers=2"  # networks: the published 4 x 256 take hours
ENVIRONMENT_METHODS = (
    *("tabular", "tabular:learner=pareto", "c-morl", "ppo-preference"),
    *(f"gpi-ls:{SMALL},updates=1,episodes=1", f"envelope:{SMALL}", "random"),
)
MEASURES = ("hypervolume", "expected_utility", "maximum_utility_loss", "igd_plus", "sparsity")


def proposals(method: str, seed: int, *, first: int = FIRST, evaluations: int = FIRST + PROPOSALS) -> dict[str, Any]:
    """Ask and tell on branin-currin: the hypervolume of all rows, and CPU seconds of a proposal, the first left out.

    Args:
        method: With options.
        seed: Which.
        first: Rows that come before any model, where the method has such.
        evaluations: In all.
    """
    problem: Any = get_problem(VECTOR)
    name, options = parse_method(method)
    if "initial_points" in find_method(name).options:
        options = {"initial_points": first, **options}
    values, seconds = [], []
    with one_thread():
        asked = optimizer(VECTOR, name, seed=seed, options=options, device="cpu")
        for number in range(evaluations):
            began = time.process_time()
            rows = asked.ask(1)
            asking = time.process_time() - began
            told = problem.evaluate(rows.solutions)
            told = told.objectives if isinstance(told, Evaluation) else told
            values.append(told)
            began = time.process_time()
            asked.tell(rows.extras["id"], told)
            if number > first:
                seconds.append(asking + time.process_time() - began)
    volume = hypervolume(torch.cat(values), problem.reference_point, directions=problem.directions)
    return {"seed": seed, "hypervolume": float(volume), "seconds": statistics.mean(seconds)}


def policies(method: str, seed: int, budget: int = TRANSITIONS) -> dict[str, Any]:
    """Search deep-sea-treasure: the scores of the re-evaluated front, and CPU seconds in all."""
    name, options = parse_method(method)
    result = pareto_search(ENVIRONMENT, name, budget=budget, seed=seed, options=options, device="cpu", progress=False)
    row = score([result], MEASURES).iloc[0]
    took = {"used": result.record["used"], "seconds": result.record["cpu_seconds"]}
    return {"seed": seed, **took, "front": len(result.front), **{measure: float(row[measure]) for measure in MEASURES}}


def vector_table(methods: Sequence[str], seeds: Sequence[int]) -> None:
    """Print a line for each method as it is measured."""
    print("| method | hypervolume, median | worst | CPU seconds per proposal |\n| --- | --- | --- | --- |", flush=True)
    for method in methods:
        found = [proposals(method, seed) for seed in seeds]
        volumes = [run["hypervolume"] for run in found]
        seconds = statistics.median(run["seconds"] for run in found)
        print(f"| {method} | {statistics.median(volumes):.2f} | {min(volumes):.2f} | {seconds:.3f} |", flush=True)


def environment_table(methods: Sequence[str], seeds: Sequence[int], budget: int) -> None:
    """Print a line for each method and seed as it is measured."""
    head = ["method", "seed", "transitions", "points", *MEASURES, "CPU seconds"]
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}", flush=True)
    for method in methods:
        for seed in seeds:
            run = policies(method, seed, budget)
            scores = [f"{run[measure]:.4g}" for measure in MEASURES]
            cells = [method, str(seed), f"{run['used']:,}", str(run["front"]), *scores, f"{run['seconds']:.0f}"]
            print(f"| {' | '.join(cells)} |", flush=True)


def main(arguments: Sequence[str]) -> None:
    """Print one of the two tables."""
    kind, *rest = arguments
    said = parse_options(",".join(part for part in rest if "=" in part.partition(":")[0]))
    methods = [part for part in rest if "=" not in part.partition(":")[0]]
    seeds = said.get("seeds", SEEDS if kind == "vector" else ENVIRONMENT_SEEDS)
    seeds = seeds if isinstance(seeds, list | tuple) else [seeds]
    if kind == "vector":
        vector_table(methods or VECTOR_METHODS, seeds)
    else:
        environment_table(methods or ENVIRONMENT_METHODS, seeds, said.get("budget", TRANSITIONS))


if __name__ == "__main__":
    main(sys.argv[1:])
