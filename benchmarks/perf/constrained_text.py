"""Text under constraints: sentiment by a character model whose completions are to be short and harmless.

`python -m moo.benchmarks.perf.constrained_text` measures the claim. It needs the offline test bed:
`python -m moo.text.fetch`.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from joblib import Parallel, cpu_count, delayed
from torch import Tensor

from moo.base import Setting
from moo.benchmarks.claims import Measurement
from moo.benchmarks.perf.constrained import LATE, made
from moo.problems import get_problem
from moo.rl.judges import Samples, ScoreJudge
from moo.rl.writers import texts_of, write
from moo.search import one_thread
from moo.seeding import torch_generator
from moo.text.named import REWARDS
from moo.text.rewards import Reward

PROBLEM = "text:objectives=sentiment"
LOOKED_AT = "text:objectives=sentiment+sentiment-gold"  # the latter knows other reviews
SHORT, HARMLESS = 30, 0.9  # most characters of a completion, of 40; the classifier's least chance that it is harmless
RATE = 0.98  # of completions that multipliers are to satisfy each judge with
SEEDS = (1000, 1001, 1002)
COPIES, UPDATES, LENGTH = 128, 60, 40
EVALUATED = 1024  # fresh completions of the last policy
FIXED: dict[str, Any] = {"policies": 1, "copies": COPIES, "length": LENGTH, "entropy": 0.0, "learning_rate": 4e-3}
JUDGES = [f"moo.benchmarks.perf.constrained_text:{name}" for name in ("short", "harmless")]
JUDGED: dict[str, Any] = {"judges": JUDGES, "divergence_weight": 0.0}
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "crpg": ("constrained", {**JUDGED, "optimiser": "crpg", "sharpness": 12.0}),
    "crraft": ("constrained", {**JUDGED, "optimiser": "crraft"}),
    "multipliers": ("constrained", {**JUDGED, "rate": RATE, "estimator": "grpo", "proportional": 1.0}),
    "unconstrained": ("fixed-weights", {}),
}


# --------------------------------------------------------------------------------------------------- judges
def short(samples: Samples) -> list[bool]:
    """A rule: whether completions have at most `SHORT` characters."""
    return [len(text) <= SHORT for text in samples.completions or ()]


def harmless(samples: Samples) -> Tensor:
    """A model: whether the classifier gives completions a chance of at least `HARMLESS` to be harmless."""
    return ScoreJudge(lambda told: _classifier()([], told.completions or []), HARMLESS)(samples)


@functools.cache
def _classifier() -> Reward:
    return REWARDS["harmlessness"](LENGTH)


# --------------------------------------------------------------------------------------------------- a run
def trained(name: str, seed: int, updates: int = UPDATES) -> dict[str, Any]:
    """One policy trained by a method, and what fresh completions of it are worth.

    `feasible` is the share that both judges accept, `shares` that of each, `missed` the largest share of `RATE` by
    which one is below it. `moved` is by how much multipliers' weights differ between the halves of the last tenth of
    the updates, `weights` what they are on average there: of the reward, and of each judge.
    """
    method, options = METHODS[name]
    began, weights = time.process_time(), []
    late = max(2, round(LATE * updates))
    with one_thread():
        learned = made(get_problem(PROBLEM), method, seed, {**FIXED, **options})
        for step in range(updates):
            learned.step(Setting(torch.ones(1, 1, dtype=torch.float64)))
            if name == "multipliers" and step >= updates - late:
                weights.append(learned.multipliers.weights(torch.zeros_like(learned.multipliers.raw))[0])
        texts = written(learned.net, seed)
        found = {**judged(texts), "seed": seed, "updates": updates, "some": texts[:4]}
    if weights:
        held = torch.stack(weights)
        first, second = held[: late // 2].mean(dim=0), held[late // 2 :].mean(dim=0)
        found |= {"moved": float((first - second).abs().max()), "weights": held.mean(dim=0).tolist()}
    return {**found, "seconds": time.process_time() - began}


def written(net: Any, seed: int) -> list[str]:
    """Fresh completions of the empty prompt by a policy as it is."""
    stream, weights = torch_generator(seed, "evaluation"), dict(net.actor)
    texts: list[str] = []
    while len(texts) < EVALUATED:
        actions, _, moves = write(net.model, weights, net.model.contexts([""])[None], COPIES, LENGTH, stream)
        texts += texts_of(net.model, actions, moves)
    return texts[:EVALUATED]


def judged(texts: list[str]) -> dict[str, Any]:
    """What completions are worth, and which of them the judges accept."""
    problem: Any = get_problem(LOOKED_AT)
    scores = problem.score([""] * len(texts), texts)
    samples = Samples(scores, torch.empty(len(texts), 0, dtype=torch.int64), completions=texts)
    accepted = torch.stack([torch.as_tensor(judge(samples)) for judge in (short, harmless)], dim=1)
    shares = accepted.double().mean(dim=0)
    return {
        "sentiment": float(scores[:, 0].mean()),
        "error": float(scores[:, 0].std() / len(texts) ** 0.5),
        "gold": float(scores[:, 1].mean()),
        "characters": sum(map(len, texts)) / len(texts),
        "different": len(set(texts)) / len(texts),
        "feasible": float(accepted.all(dim=1).double().mean()),
        "shares": shares.tolist(),
        "missed": float(((RATE - shares) / RATE).clamp(min=0).max()),
    }


# --------------------------------------------------------------------------------------------------- the claim
def text(*, quick: bool) -> Measurement:
    """Feasible rates, sentiment over that of the unconstrained run of the same seed, and whether multipliers settle."""
    seeds, updates = SEEDS[: 1 if quick else None], UPDATES // 3 if quick else UPDATES
    cells = [(name, seed, updates) for name in METHODS for seed in seeds]
    runs = Parallel(n_jobs=cpu_count())(delayed(trained)(*cell) for cell in cells)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in METHODS}
    for (name, *_), run in zip(cells, runs, strict=True):
        found[name].append(run)
    for rows in found.values():
        for run, free in zip(rows, found["unconstrained"], strict=True):
            run["kept"] = run["sentiment"] / free["sentiment"]
    bound = [run for name, rows in found.items() if name != "unconstrained" for run in rows]
    missed, moved = (max(run[key] for run in found["multipliers"]) for key in ("missed", "moved"))
    lacking = [line for name, rows in found.items() if name != "unconstrained" for line in _lacking(name, rows)]
    lacking += [f"thresholds missed by {missed:.3f}"] if missed > 0.02 else []
    lacking += [f"multipliers' weights move by {moved:.3f}"] if moved > 0.05 else []
    return Measurement(
        met=not lacking,
        median=f"feasible rate and share of the unconstrained sentiment: {_said(found, statistics.median)}; a share of "
        f"{RATE} of each judge missed by at most {missed:.3f}, multipliers' weights move by at most {moved:.3f}",
        worst=f"{_said(found, min)}; greatest standard error of the sentiment "
        f"{max(run['error'] for run in (*bound, *found['unconstrained'])):.4f}",
        seeds=list(seeds),
        shortfall="; ".join(lacking),
        details={"runs": found, "options": {**FIXED, **JUDGED}, "characters": SHORT, "harmless": HARMLESS},
    )


def _lacking(name: str, rows: list[dict[str, Any]]) -> list[str]:
    """What a method's worst run falls short by, in words."""
    rate, kept = (min(run[key] for run in rows) for key in ("feasible", "kept"))
    lines = [f"{name}: feasible rate {rate:.3f}"] if rate <= 0.95 else []
    return lines + ([f"{name}: {kept:.3f} of the unconstrained sentiment"] if kept < 0.95 else [])


def _said(found: dict[str, list[dict[str, Any]]], take: Callable[[list[float]], float]) -> str:
    """Feasible rate and share of the sentiment of each method."""
    words = []
    for name, rows in found.items():
        rate, kept = (take([run[key] for run in rows]) for key in ("feasible", "kept"))
        words.append(f"{name} {rate:.3f} and {kept:.3f}")
    return ", ".join(words)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    told = text(quick=parser.parse_args().quick)
    print(f"{told.median}\n  worst {told.worst}; {told.verdict}", flush=True)
