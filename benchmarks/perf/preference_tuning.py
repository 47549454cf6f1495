"""Whether choosing preferences by a model finds a front sooner: tuners of one method at equal training.

`python -m moo.benchmarks.perf.preference_tuning fruit-tree minecart` prints the figures of all tuners on these
tasks for seeds 0, 1 and 2; `TASKS` has the names.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from joblib import Parallel, cpu_count, delayed

from moo.archive import Archive
from moo.base import Candidates
from moo.benchmarks.claims import Measurement
from moo.directions import turn
from moo.indicators.volume import hypervolume
from moo.problems import get_problem
from moo.search import pareto_search

OURS = "bayesian"
OTHERS = ("dirichlet", "uniform", "corner-weights")
FURTHER = ("adaptive",)  # measured beside them, no part of the bar
EACH = 5  # seeds
NEAR = 0.98  # of the best, which the area may fall to on no problem
WON = 2  # problems on which it is at least as good as all others


class Task(NamedTuple):
    """What is learned, and how: the same for all tuners.

    Attributes:
        problem: By name, with options.
        options: Of `ppo-preference`, beside the defaults. Evaluations are more frequent than by default and of more
            preferences in fewer episodes, so that the curve has points and a tuner something to learn from. The
            minecart's, and its short episodes, are those of some tried under which the best of the other tuners learned
            most on seed 0; with few changes of the defaults none learned anything in so few transitions.
        budget: Transitions.
    """

    problem: str
    options: Mapping[str, Any]
    budget: int = 200_000


TASKS = {
    "deep-sea-treasure": Task("deep-sea-treasure:variant=concave", {"interval": 2, "evaluated": 50, "episodes": 4}),
    "fruit-tree": Task("fruit-tree", {"interval": 4, "evaluated": 50, "episodes": 4}),
    "minecart": Task(
        "minecart:max_steps=60",
        {"copies": 128, "steps": 16, "epochs": 8, "decay": 0.99, "entropy": 0.02, "exploration": "sticky", "share": 0.5}
        | {"interval": 8, "evaluated": 10, "episodes": 2},
    ),
}


def area(additions: Candidates, directions: Sequence[str], reference_point: Any, budget: int) -> float:
    """The mean over the budget of the hypervolume of all that was found by then, a step function of what was used.

    Args:
        additions: What entered the archive, with `used`, in the problem's own directions and in order.
        directions: The problem's.
        reference_point: `[m]`, in the problem's own directions.
        budget: Up to which.
    """
    used, objectives = additions.extras["used"], turn(additions.objectives, directions)
    point = turn(torch.as_tensor(reference_point, dtype=torch.float64), directions)
    archive = Archive(additions.solutions.shape[1:], objectives.shape[1])
    total, since, volume = 0.0, 0, 0.0
    for mark in used.unique().tolist():
        total += volume * (mark - since)
        rows = torch.nonzero(used == mark).flatten()
        archive.add(Candidates.of(additions.solutions[rows], objectives[rows]))
        since, volume = mark, float(hypervolume(archive.objectives, point, warn=False))
    return (total + volume * (budget - since)) / budget


def figures(name: str, tuner: str, seed: int) -> dict[str, Any]:
    """Learn a task with a tuner: the area, the observed and the re-evaluated hypervolume at the end, CPU seconds."""
    torch.set_num_threads(1)
    task, started = TASKS[name], time.process_time()
    result = pareto_search(
        task.problem,
        "ppo-preference",
        budget=task.budget,
        preferences=tuner,
        options=dict(task.options),
        seed=seed,
        device="cpu",
        progress=False,
    )
    problem: Any = get_problem(task.problem)
    point = problem.reference_point
    observed = result.additions.objectives
    return {
        "task": name,
        "tuner": tuner,
        "seed": seed,
        "area": area(result.additions, problem.directions, point, task.budget),
        "observed": hypervolume(observed, point, directions=problem.directions, warn=False) if len(observed) else 0.0,
        "reevaluated": result.record["hypervolume"],
        "used": result.record["used"],
        "used_apart": result.record["used_apart"],
        "seconds": time.process_time() - started,
    }


def compared(names: Sequence[str], tuners: Sequence[str], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """The figures of every task, tuner and seed; runs side by side, one core each."""
    found: list[dict[str, Any]] = Parallel(n_jobs=cpu_count())(
        delayed(figures)(name, tuner, seed) for name in names for tuner in tuners for seed in seeds
    )
    return found


def means(runs: Sequence[Mapping[str, Any]], what: str) -> dict[str, dict[str, float]]:
    """The mean over seeds of a figure, of each task and tuner."""
    found: dict[str, dict[str, float]] = {}
    for run in runs:
        here = [other[what] for other in runs if (other["task"], other["tuner"]) == (run["task"], run["tuner"])]
        found.setdefault(run["task"], {})[run["tuner"]] = float(np.mean(here))
    return found


def judged(runs: Sequence[Mapping[str, Any]]) -> Measurement:
    """The verdict: as good as all others on two tasks, near the best on each."""
    areas, ends = means(runs, "area"), means(runs, "reevaluated")
    best = {task: max(row[other] for other in OTHERS) for task, row in areas.items()}
    ratios = {task: row[OURS] / best[task] if best[task] else 1.0 for task, row in areas.items()}  # 0: nothing to beat
    won = sum(ratio >= 1 for ratio in ratios.values())
    worst = min(ratios, key=lambda task: ratios[task])
    short = [] if won >= WON else [f"at least as good as all on {won} of {WON} problems"]
    short += [f"{task}: {NEAR - ratio:.3f} of the best" for task, ratio in ratios.items() if ratio < NEAR]
    words = []
    for task, row in areas.items():
        each = ", ".join(f"{tuner} {row[tuner]:.5g} (end {ends[task][tuner]:.5g})" for tuner in row)
        words.append(f"{task}: {each}")
    seconds = statistics.median(run["seconds"] for run in runs)
    return Measurement(
        met=not short,
        median=f"mean area of {OURS} over the best of the others: "
        + ", ".join(f"{task} {ratio:.3f}" for task, ratio in ratios.items())
        + f"; mean areas and re-evaluated hypervolumes at the end: {'; '.join(words)}; {seconds:.0f} CPU seconds a run",
        worst=f"{worst}: {ratios[worst]:.3f} of the best",
        seeds=sorted({run["seed"] for run in runs}),
        shortfall="; ".join(short),
        details={"runs": list(runs), "ratios": ratios},
    )


def weights(*, quick: bool) -> Measurement:
    """The area under the curve of the hypervolume, of every tuner at equal training transitions."""
    seeds = range(1000, 1000 + (1 if quick else EACH))
    return judged(compared(tuple(TASKS), (OURS, *OTHERS, *FURTHER), seeds))


if __name__ == "__main__":
    for run in compared(sys.argv[1:] or tuple(TASKS), (OURS, *OTHERS, *FURTHER), (0, 1, 2)):
        print(json.dumps(run))
