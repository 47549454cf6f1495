"""What policies are found on environments whose exact fronts are known, at a stated number of transitions.

`python -m moo.benchmarks.perf.morl_quality deep-sea-treasure minecart` prints the figures of these tasks for seeds 0
and 1; `TASKS` has the names. `--seeds 1000 --folder runs` measures other seeds and keeps checkpoints, so that the same
call goes on where it was stopped, and prints how far it has come. Fronts of methods whose policies draw their actions
are those of the final re-evaluation.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from joblib import Parallel, cpu_count, delayed

from moo.benchmarks.claims import Measurement
from moo.indicators.utility import expected_utility, maximum_utility_loss
from moo.indicators.volume import hypervolume
from moo.preferences import grid
from moo.problems import get_problem
from moo.result import SearchResult
from moo.search import pareto_search

EACH = 5  # seeds
HOPPER = "mo-hopper-2obj-v5:max_steps=500"  # gamma .99 and reference point (-100, -100) are the problem's own
CONTROL = {"copies": 16, "steps": 128, "epochs": 10, "minibatches": 8, "learning_rate": 5e-4, "entropy": 0.0}
SHOWN = 20  # lines about a run that is under way


class Task(NamedTuple):
    """What is learned and how.

    Attributes:
        problem: By name, with options.
        method: Whose.
        budget: Transitions, at most.
        options: Beside the defaults.
        preferences: Beside the default; None.
    """

    problem: str
    method: str
    budget: int
    options: Mapping[str, Any] = {}
    preferences: tuple[tuple[float, ...], ...] | None = None


TASKS = {
    "deep-sea-treasure": Task("deep-sea-treasure", "tabular", 100_000),
    "concave, linear": Task("deep-sea-treasure:variant=concave", "tabular", 100_000),
    "concave, sets": Task("deep-sea-treasure:variant=concave", "tabular", 200_000, {"learner": "pareto"}),
    "concave, c-morl": Task("deep-sea-treasure:variant=concave", "c-morl", 600_000),
    "fruit-tree 5": Task("fruit-tree:depth=5", "tabular", 300_000, {"learner": "pareto"}),
    "fruit-tree 6": Task("fruit-tree:depth=6", "tabular", 300_000, {"learner": "pareto"}),
    "fruit-tree 7": Task("fruit-tree:depth=7", "tabular", 300_000, {"learner": "pareto"}),
    "fruit-tree 6, c-morl": Task("fruit-tree:depth=6", "c-morl", 500_000),
    "resource-gathering": Task("resource-gathering", "tabular", 300_000),
    "minecart": Task(
        "minecart-deterministic",
        "c-morl",
        1_000_000,
        {"scalarisation": "tchebycheff", "policies": 3, "first_stage": 0.7, "copies": 32, "steps": 32, "decay": 0.98}
        | {"unit": 1e-3, "evaluation": 0.1, "selected": 3, "updates": 20, "beta": 0.7},
        ((0.65, 0.35, 0.0), (0.5, 0.5, 0.0), (0.35, 0.65, 0.0)),
    ),
    "deep-sea-treasure, morl-d": Task("deep-sea-treasure", "morl-d", 200_000),
    "concave, morl-d": Task(
        "deep-sea-treasure:variant=concave", "morl-d", 200_000, {"criterion": "esr", "scalarisation": "tchebycheff"}
    ),
    "fruit-tree 6, morl-d": Task("fruit-tree:depth=6", "morl-d", 200_000),
    "minecart, morl-d": Task(
        "minecart-deterministic",
        "morl-d",
        200_000,
        {"learner": "soft", "greedy": False, "policies": 6, "copies": 8, "steps": 16, "updates": 32, "backup": 8}
        | {"exploration": "uniform", "share": 0.1, "episodes": 5},
        ((0.5, 0.5, 0.0), (0.8, 0.2, 0.0), (0.2, 0.8, 0.0), (0.65, 0.35, 0.0), (0.35, 0.65, 0.0), (0.4, 0.4, 0.2)),
    ),
    "hopper": Task(
        HOPPER,
        "c-morl",
        1_500_000,
        {**CONTROL, "policies": 1, "first_stage": 0.5, "selected": 3, "updates": 20, "beta": 0.7, "episodes": 5}
        | {"evaluation": 0.1},
        ((0.5, 0.5),),
    ),
    "hopper, ppo-preference": Task(
        HOPPER, "ppo-preference", 1_500_000, {**CONTROL, "interval": 40, "evaluated": 11, "episodes": 3}
    ),
    "building, morl-d": Task("building", "morl-d", 60_000, {"policies": 6, "copies": 2, "updates": 8}),
    "building, c-morl": Task("building", "c-morl", 60_000, {"policies": 6, "selected": 3}),
    "building, ppo-preference": Task(
        "building", "ppo-preference", 60_000, {"interval": 3, "evaluated": 6, "episodes": 5}
    ),
}


def learned(name: str, seeds: tuple[int, ...], folder: Path | None = None) -> list[dict[str, Any]]:
    """The figures of each seed; seeds run side by side, one core each."""
    found: list[dict[str, Any]] = Parallel(n_jobs=min(cpu_count(), len(seeds)))(
        delayed(figures)(name, seed, folder) for seed in seeds
    )
    return found


def figures(name: str, seed: int, folder: Path | None = None) -> dict[str, Any]:
    """Learn a task: hypervolume and utility of the front and of the finals, transitions and CPU seconds.

    With a folder the run is kept there and goes on where it stopped; the seconds are then those since. It says now and
    then how far it has come, by hypervolumes as observed, luck included.
    """
    torch.set_num_threads(1)
    task, started = TASKS[name], time.process_time()
    preferences: Any = "auto" if task.preferences is None else torch.tensor(task.preferences)
    result = pareto_search(
        task.problem,
        task.method,
        budget=task.budget,
        seed=seed,
        preferences=preferences,
        options=dict(task.options),
        device="cpu",
        progress=False,
        checkpoint=None if folder is None else folder / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}",
        callback=None if folder is None else _shown(task.budget, started),
    )
    seconds = time.process_time() - started
    problem: Any = get_problem(task.problem)
    point, tested = problem.reference_point, grid(problem.num_objectives)
    found: dict[str, Any] = {"seed": seed, "seconds": seconds, "used": result.record["used"]}
    found["used_apart"] = result.record["used_apart"]
    for what, rows in (("front", result.front), ("finals", result.finals)):
        found[what] = {
            "rows": len(rows),
            "hypervolume": hypervolume(rows.objectives, point),
            "expected_utility": expected_utility(rows.objectives, tested),
        }
        if problem.oracle is not None:
            away = torch.cdist(problem.oracle.front, rows.objectives, p=float("inf")).amin(dim=1)
            found[what]["farthest"] = float(away.max())  # of the exact points, from what was found
            loss = maximum_utility_loss(rows.objectives, problem.oracle.front, tested)
            found[what]["maximum_utility_loss"] = loss
    history = result.history[["used", "hypervolume"]].dropna().to_numpy()
    best = history[history[:, 1] >= (1 - 1e-6) * history[:, 1].max()]
    found["reached_at"] = int(best[0, 0])
    return found


def _shown(budget: int, started: float) -> Callable[[SearchResult], None]:
    """Prints how far a run has come, now and then."""
    last = 0

    def show(result: SearchResult) -> None:
        nonlocal last
        used = result.record["used"]
        if used - last >= budget / SHOWN:
            last = used
            volume, seconds = result.record["hypervolume"], time.process_time() - started
            print(f"{used} transitions, hypervolume {volume:.6g}, {seconds:.0f} CPU seconds", flush=True)

    return show


# --------------------------------------------------------------------------------------------------- claims
def _seeds(quick: bool) -> tuple[int, ...]:
    return tuple(range(1000, 1000 + (1 if quick else EACH)))


def _judge(
    runs: list[dict[str, Any]], where: str, what: str, low: float, high: float, *, seconds: float | None = None
) -> Measurement:
    """A verdict on the median over seeds: between low and high, in at most so many CPU seconds."""
    values = [run[where][what] for run in runs]
    median = statistics.median(values)
    worst = min(values) if high == float("inf") else max(values, key=lambda v: abs(v - (low + high) / 2))
    times = [run["seconds"] for run in runs]
    short = [] if low <= median <= high else [f"{what}: {min(abs(median - low), abs(median - high)):.4g}"]
    if seconds is not None and statistics.median(times) > seconds:
        short.append(f"CPU seconds: {statistics.median(times) - seconds:.1f}")
    apart = statistics.median(run["used_apart"] for run in runs)
    return Measurement(
        met=not short,
        median=f"{what} {median:.7g} ({statistics.median(run['used'] for run in runs):.0f} transitions, "
        f"{apart:.0f} apart; at its height after {statistics.median(run['reached_at'] for run in runs):.0f}; "
        f"{statistics.median(times):.1f} CPU seconds)",
        worst=f"{what} {worst:.7g}, {max(times):.1f} CPU seconds",
        seeds=[run["seed"] for run in runs],
        shortfall="; ".join(short),
        details={"runs": runs},
    )


def convex(*, quick: bool) -> Measurement:
    """All of the convex front, with linear preferences."""
    runs = learned("deep-sea-treasure", _seeds(quick))
    return _judge(runs, "finals", "hypervolume", 854.8, 854.9, seconds=15)


def concave_linear(*, quick: bool) -> Measurement:
    """No more than linear preferences can find."""
    runs = learned("concave, linear", _seeds(quick))
    return _judge(runs, "finals", "hypervolume", 0.999 * 3391.566, 3391.567)


def concave_sets(*, quick: bool) -> Measurement:
    """All of the concave front, by deterministic policies."""
    return _judge(learned("concave, sets", _seeds(quick)), "finals", "hypervolume", 3688.277, 3688.378, seconds=30)


def concave_constrained(*, quick: bool) -> Measurement:
    """Expected returns of stochastic policies, which mix."""
    return _judge(learned("concave, c-morl", _seeds(quick)), "front", "hypervolume", 4100, float("inf"))


def fruits(*, quick: bool) -> Measurement:
    """Every leaf of three trees."""
    parts, runs = [], {}
    for depth, volume in ((5, 36815.955), (6, 46034.802), (7, 56718.684)):
        problem: Any = get_problem(f"fruit-tree:depth={depth}")
        exact = hypervolume(problem.oracle.front, problem.reference_point)
        assert abs(exact - volume) < 1e-2
        runs[depth] = learned(f"fruit-tree {depth}", _seeds(quick))
        parts.append(_judge(runs[depth], "finals", "hypervolume", (1 - 1e-6) * exact, (1 + 1e-6) * exact))
    return Measurement(
        met=all(part.met for part in parts),
        median="; ".join(part.median for part in parts),
        worst="; ".join(part.worst for part in parts),
        seeds=parts[0].seeds,
        shortfall="; ".join(part.shortfall for part in parts if part.shortfall),
        details={"runs": {str(depth): found for depth, found in runs.items()}},
    )


def fruits_constrained(*, quick: bool) -> Measurement:
    """The tree of depth 6 by networks."""
    return _judge(learned("fruit-tree 6, c-morl", _seeds(quick)), "front", "hypervolume", 4.2e4, float("inf"))


def gathering(*, quick: bool) -> Measurement:
    """The three true vectors, each within .02."""
    return _judge(learned("resource-gathering", _seeds(quick)), "finals", "farthest", 0.0, 0.02)


def minecart(*, quick: bool) -> Measurement:
    """The deterministic minecart by networks."""
    return _judge(learned("minecart", _seeds(quick)), "front", "hypervolume", 77.7, float("inf"))


def hopper(*, quick: bool) -> Measurement:
    """The hopper of MuJoCo with two objectives, episodes of 500 steps."""
    missing = [package for package in ("mo_gymnasium", "mujoco") if importlib.util.find_spec(package) is None]
    if missing:
        return Measurement(None, "", "", [], f"{' and '.join(missing)} not installed: pip install 'moo-suite[control]'")
    return _judge(learned("hopper", _seeds(quick)), "front", "hypervolume", 1.2e5, float("inf"))


def main() -> None:
    """Print the figures of the tasks named on the command line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("tasks", nargs="*", choices=[*TASKS, []], help="which; else all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--folder", type=Path, help="where runs are kept, to go on with")
    said = parser.parse_args()
    for name in said.tasks or TASKS:
        for run in learned(name, tuple(said.seeds), said.folder):
            print(name, json.dumps(run))


if __name__ == "__main__":
    main()
