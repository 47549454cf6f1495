"""Text with a pre-trained character model: PAMA by step and equal weights, for sentiment and length.

`python -m moo.benchmarks.perf.text_alignment` measures the claim, `--tune` what stands in `TUNED`. It needs the offline
test bed: `python -m moo.text.fetch`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch
from joblib import Parallel, cpu_count, delayed
from torch import Tensor

from moo.benchmarks.claims import Measurement
from moo.problems import get_problem
from moo.rl.writers import texts_of, write
from moo.search import one_thread, pareto_search
from moo.seeding import torch_generator

PROBLEM = "text:objectives=sentiment+length"
SEEDS = tuple(range(1000, 1008))
TUNING_SEEDS = (0,)
COPIES, UPDATES, LENGTH = 128, 60, 40
EVALUATED = 1024  # fresh completions of the first and the last policy
FIXED: dict[str, Any] = {"policies": 1, "copies": COPIES, "length": LENGTH, "entropy": 0.0, "interval": UPDATES}
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "pama": ("pama", {"reading": "step"}),
    "equal weights": ("fixed-weights", {}),
}
TRIALS: dict[str, tuple[dict[str, Any], ...]] = {  # as many for both
    "pama": (
        {"learning_rate": 2e-3, "follow": False},  # as published: no preference
        {"learning_rate": 2e-3, "follow": False, "estimator": "grpo"},
        {"learning_rate": 2e-3, "follow": True},
        {"learning_rate": 2e-3, "follow": True, "estimator": "grpo"},
        {"learning_rate": 4e-3, "follow": True},
    ),
    "equal weights": (
        {"learning_rate": 1e-3},
        {"learning_rate": 2e-3},
        {"learning_rate": 2e-3, "estimator": "grpo"},
        {"learning_rate": 4e-3},
        {"learning_rate": 4e-3, "estimator": "grpo"},
    ),
}
TUNED: dict[str, dict[str, Any]] = {
    "pama": {"learning_rate": 4e-3, "follow": True},
    "equal weights": {"learning_rate": 2e-3, "estimator": "grpo"},
}


# --------------------------------------------------------------------------------------------------- a run
def trained(name: str, seed: int, options: dict[str, Any], updates: int = UPDATES) -> dict[str, Any]:
    """One policy trained by a method, and what it and the one it began as are worth on fresh completions."""
    method, own = METHODS[name]
    began = time.process_time()
    with one_thread():
        result = pareto_search(
            PROBLEM,
            method,
            budget=updates * options.get("copies", COPIES),
            preferences=[[0.5, 0.5]],
            options={**FIXED, **own, **options},
            seed=seed,
            device="cpu",
            progress=False,
            reevaluations=0,  # what is reported is measured below, at the start and at the end alike
        )
        net = result.generator.net
        found: dict[str, Any] = {"options": options, "seed": seed, "updates": updates}
        for which, weights in (("start", net.model.first(1)), ("end", dict(net.actor))):
            scores = worth(net.model, weights, seed)
            found[which] = scores.mean(dim=0).tolist()
            found[f"{which}_error"] = (scores.std(dim=0) / len(scores) ** 0.5).tolist()
    return {**found, "seconds": time.process_time() - began}


def worth(model: Any, weights: dict[str, Tensor], seed: int) -> Tensor:
    """Scores `[EVALUATED, 2]` of fresh completions by a policy."""
    stream = torch_generator(seed, "evaluation")
    texts = []
    for _ in range(EVALUATED // COPIES):
        actions, _, moves = write(model, weights, model.contexts([""])[None], COPIES, LENGTH, stream)
        texts += texts_of(model, actions, moves)
    problem: Any = get_problem(PROBLEM)
    scores: Tensor = problem.score([""] * len(texts), texts)
    return scores


def dominates(first: list[float], second: list[float]) -> bool:
    """Whether the first is at least as good in every objective, and better in one."""
    pairs = list(zip(first, second, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


# --------------------------------------------------------------------------------------------------- tuning
def tune() -> dict[str, list[dict[str, Any]]]:
    """Every trial of both methods, best first: by the hypervolume of the end above the start."""
    cells = [(name, seed, options) for name in METHODS for options in TRIALS[name] for seed in TUNING_SEEDS]
    runs = Parallel(n_jobs=cpu_count())(delayed(trained)(*cell) for cell in cells)
    found: dict[str, list[dict[str, Any]]] = {}
    for name in METHODS:
        for options in TRIALS[name]:
            own = [run for cell, run in zip(cells, runs, strict=True) if cell[0] == name and cell[2] == options]
            gain = statistics.mean(map(gained, own))
            found.setdefault(name, []).append({"options": options, "gain": gain, "runs": own})
    return {name: sorted(rows, key=lambda row: -row["gain"]) for name, rows in found.items()}


def gained(run: dict[str, Any]) -> float:
    """The area of the rectangle between start and end; 0 unless the end dominates."""
    area = 1.0
    for a, b in zip(run["start"], run["end"], strict=True):
        area *= max(b - a, 0.0)
    return area


# --------------------------------------------------------------------------------------------------- the claim
def dominance(*, quick: bool) -> Measurement:
    """How often PAMA by step dominates the start and equal weights, and is dominated by these, seed by seed."""
    seeds, updates = SEEDS[: 2 if quick else None], UPDATES // 3 if quick else UPDATES
    cells = [(name, seed, TUNED[name], updates) for seed in seeds for name in METHODS]
    runs = Parallel(n_jobs=cpu_count())(delayed(trained)(*cell) for cell in cells)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in METHODS}
    for cell, run in zip(cells, runs, strict=True):
        found[cell[0]].append(run)
    pairs = list(zip(found["pama"], found["equal weights"], strict=True))
    above = sum(dominates(run["end"], run["start"]) for run in found["pama"])
    won = sum(dominates(ours["end"], theirs["end"]) for ours, theirs in pairs)
    lost = sum(dominates(theirs["end"], ours["end"]) for ours, theirs in pairs)
    n = len(pairs)
    short = [] if above == n else [f"dominates the start in {above} of {n}"]
    short += [] if not lost else [f"dominated by equal weights in {lost} of {n}"]
    counts = {"win": won, "tie": n - won - lost, "loss": lost}
    return Measurement(
        met=not short,
        median=f"dominates the start in {above} of {n}; against equal weights "
        + ", ".join(f"{word} {count} {interval(count, n)}" for word, count in counts.items())
        + "; "
        + "; ".join(f"{name} {stands(rows)}" for name, rows in found.items())
        + f" from {stands(found['pama'], 'start')}",
        worst=f"greatest standard error {max(max(run['end_error']) for row in pairs for run in row):.4f}; "
        + "; ".join(f"{name}, least {least(rows)}" for name, rows in found.items()),
        seeds=list(seeds),
        shortfall="; ".join(short),
        details={"runs": found, "options": TUNED, "updates": updates, "copies": COPIES},
    )


def interval(count: int, n: int) -> str:
    """The exact 95 % interval of a share, as people read it (Clopper and Pearson 1934)."""
    from scipy.stats import binomtest

    found = binomtest(count, n).proportion_ci(0.95, "exact")
    return f"({found.low:.0%} to {found.high:.0%})"


def stands(rows: list[dict[str, Any]], which: str = "end") -> str:
    """The medians of sentiment and length."""
    return " / ".join(f"{statistics.median(row[which][i] for row in rows):.3f}" for i in range(2))


def least(rows: list[dict[str, Any]]) -> str:
    """The least of each at the end."""
    return " / ".join(f"{min(row['end'][i] for row in rows):.3f}" for i in range(2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--quick", action="store_true")
    said = parser.parse_args()
    torch.set_num_threads(1)
    if said.tune:
        for name, rows in tune().items():
            for row in rows:
                ends = ["/".join(f"{value:.4f}" for value in run["end"]) for run in row["runs"]]
                print(
                    f"{name} {row['options']}: {row['gain']:.5f}, {ends}, {row['runs'][0]['seconds']:.0f} s", flush=True
                )
    else:
        told = dominance(quick=said.quick)
        print(f"{told.median}\n  worst {told.worst}; {told.verdict}", flush=True)
