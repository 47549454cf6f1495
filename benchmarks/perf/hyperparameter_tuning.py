"""What tuning finds at a third of the budget of random search: 27 full trials' worth against 81.

`python -m moo.benchmarks.perf.hyperparameter_tuning hypergrid 0 1` prints the figures of this task for seeds 0 and 1;
`TASKS` has the names. Both draw from the same combinations, run the same cells and are judged alike: the trial that is
best on the search seeds, by the median hypervolume of runs on fresh ones.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, cpu_count, delayed, parallel_config

from moo.benchmarks.claims import Measurement
from moo.benchmarks.suites import Cell, format_method, parse_method
from moo.benchmarks.tuning.measuring import Measures
from moo.benchmarks.tuning.proposals import even_rows
from moo.benchmarks.tuning.study import tune, what_varies
from moo.benchmarks.tuning.trials import Engine
from moo.problems import get_problem

OURS, RANDOM = 27, 81  # full trials
SEARCHED, FRESH = 2, 10  # seeds of a trial, and of its judgement


class Task(NamedTuple):
    """What is tuned.

    Attributes:
        problem, method: By name, with options.
        budget: Of a run of a full trial.
    """

    problem: str
    method: str
    budget: int


TASKS = {
    "fruit-tree": Task("fruit-tree", "c-morl", 60_000),
    "hypergrid": Task("hypergrid:objectives=branin+currin+shubert+beale", "mogfn", 3_000),
}


def seeds_for(seed: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The search seeds and the fresh ones of one repetition: no two repetitions share any."""
    return tuple(100 * seed + i for i in range(SEARCHED)), tuple(100 * seed + 50 + i for i in range(FRESH))


def tuned(task: Task, seed: int, folder: Path, trials: int = OURS) -> dict[str, Any]:
    """`tune` once: the best trial's hypervolume on search seeds and on fresh ones."""
    began = time.process_time()
    searched, fresh = seeds_for(seed)
    budget, out = task.budget, folder / "tuned"
    found = tune(*task[:2], budget=budget, out=out, trials=trials, seeds=searched, report_seeds=fresh, seed=seed)
    best = found.report.iloc[0]
    defaults = found.report[found.report["trial"] == 0].iloc[0]
    return {
        "searched": float(best["hypervolume"]),
        "fresh": float(best["report_hypervolume"]),
        "defaults": float(defaults["report_hypervolume"]),
        "spent": found.spent,
        "seconds": time.process_time() - began,
        "method": str(best["method"]),
    }


def drawn(task: Task, seed: int, folder: Path, trials: int = RANDOM) -> dict[str, Any]:
    """Random search once, every trial a full one: the same of the best of Sobol's combinations."""
    began = time.process_time()
    searched, fresh = seeds_for(seed)
    vary, (name, fixed) = what_varies(task.method), parse_method(task.method)
    measures = Measures.of("hypervolume", get_problem(task.problem), None)
    engine = Engine(folder / "drawn")
    rows = even_rows(vary.space, 0, trials, seed)
    methods = [format_method(name, {**fixed, **vary.options(row)}) for row in rows]
    cells = [Cell(task.problem, method, run, task.budget) for method in methods for run in searched]
    values = np.array([value for value, _ in engine.run(cells, measures)]).reshape(trials, SEARCHED).mean(axis=1)
    best = int(np.nanargmax(values))
    again = engine.run([Cell(task.problem, methods[best], run, task.budget) for run in fresh], measures)
    return {
        "searched": float(values[best]),
        "fresh": float(np.median([value for value, _ in again])),
        "spent": float(trials),
        "seconds": time.process_time() - began,
        "method": methods[best],
    }


def both(name: str, seed: int, shares: int = 1) -> dict[str, Any]:
    """One repetition: tuning and random search, at a share of their costs."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            "seed": seed,
            "tuned": tuned(TASKS[name], seed, Path(folder), OURS // shares),
            "random": drawn(TASKS[name], seed, Path(folder), RANDOM // shares),
        }


def repeated(name: str, seeds: tuple[int, ...], shares: int = 1) -> list[dict[str, Any]]:
    """Repetitions side by side, one core and one thread each."""
    with parallel_config(backend="loky", inner_max_num_threads=1):
        found: list[dict[str, Any]] = Parallel(n_jobs=min(cpu_count(), len(seeds)))(
            delayed(both)(name, seed, shares) for seed in seeds
        )
    return found


def hyperparameters(*, quick: bool) -> Measurement:
    """The median hypervolume on fresh seeds of what both find, on each task; quick: a ninth of the cost, one seed."""
    seeds, shares = (tuple(range(1000, 1001)), 9) if quick else (tuple(range(1000, 1005)), 1)
    middle, worst, short, runs = [], [], [], {}
    for name in TASKS:
        runs[name] = repeated(name, seeds, shares)
        ours, theirs = ([run[who]["fresh"] for run in runs[name]] for who in ("tuned", "random"))
        before, luck = ([run[who]["searched"] for run in runs[name]] for who in ("tuned", "random"))
        defaults = statistics.median(run["tuned"]["defaults"] for run in runs[name])
        median, peer = statistics.median(ours), statistics.median(theirs)
        middle.append(
            f"{name} {median:.5g} (random search {peer:.5g}; on the search seeds {statistics.median(before):.5g} and "
            f"{statistics.median(luck):.5g}; the defaults {defaults:.5g})"
        )
        worst.append(f"{name} {min(ours):.5g} (random search {min(theirs):.5g})")
        short += [f"{name}: {100 * (peer - median) / peer:.2g} %"] * (median < peer)
    return Measurement(not short, "; ".join(middle), "; ".join(worst), list(seeds), "; ".join(short), {"runs": runs})


if __name__ == "__main__":
    for number in sys.argv[2:]:
        print(json.dumps(both(sys.argv[1], int(number))), flush=True)
