"""Policies under constraints and reward soups, against the best that bandits have to offer, found exactly.

`python -m moo.benchmarks.perf.constrained` measures it all. Expectations on a bandit are sums over its arms.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch
from joblib import Parallel, cpu_count, delayed
from scipy.optimize import linprog
from torch import Tensor

from moo.base import Setting
from moo.benchmarks.claims import Measurement
from moo.generators import GENERATORS
from moo.metered import metered
from moo.options import resolve_options
from moo.problems import get_problem
from moo.registry import resolve
from moo.search import one_thread

SEEDS = tuple(range(1000, 1005))
PREFERENCES = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], dtype=torch.float64)
THRESHOLDS = [None, 0.5, 0.5]
LATE = 0.1  # share of the steps, the last ones, over which policies and multipliers are averaged
QUICK_TO_LEARN = {"learning_rate": 0.01}
JUDGED: dict[str, tuple[str, dict[str, Any], int]] = {  # method, options, steps
    **{name: ("constrained", {"optimiser": name, **QUICK_TO_LEARN}, 300) for name in ("crpg", "codpo", "crraft")},
    "multipliers": ("constrained", {"ascent": 0.03, "rate": 0.99}, 600),
    "fixed-weights": ("fixed-weights", QUICK_TO_LEARN, 300),
}


def bandits(*, quick: bool) -> Measurement:
    """Feasible rates and rewards with judges, and rewards, thresholds and multipliers with Lagrange multipliers."""
    seeds = SEEDS[: 1 if quick else None]
    cells = [(name, seed) for name in (*JUDGED, "thresholds") for seed in seeds]
    runs = Parallel(n_jobs=cpu_count())(delayed(measured)(*cell) for cell in cells)
    found: dict[str, list[dict[str, Any]]] = {}
    for (name, _), run in zip(cells, runs, strict=True):
        found.setdefault(name, []).append(run)
    short = []
    for name in ("crpg", "codpo", "crraft", "multipliers"):
        rate, reward = (least(found[name], key) for key in ("feasible", "reward"))
        short += [f"{name}: feasible rate {rate:.3f}"] if rate <= 0.95 else []
        short += [f"{name}: reward {reward:.3f} of the best"] if reward < 0.95 else []
    missed, moved = (max(max(run[key]) for run in found["thresholds"]) for key in ("missed", "moved"))
    reward = least(found["thresholds"], "reward")
    short += [f"thresholds missed by {missed:.3f}"] if missed > 0.02 else []
    short += [f"reward {reward:.3f} of the best under thresholds"] if reward < 0.95 else []
    short += [f"multipliers' weights move by {moved:.3f}"] if moved > 0.05 else []

    def said(take: Any) -> str:
        judged = ", ".join(
            f"{name} {take(found[name], 'feasible'):.3f} and {take(found[name], 'reward'):.3f}" for name in JUDGED
        )
        bounded = take(found["thresholds"], "reward")
        return f"feasible rate and share of the best reward: {judged}; under thresholds {bounded:.3f}"

    return Measurement(
        met=not short,
        median=said(middle) + f", missed by at most {missed:.3f}, multipliers' weights move by at most {moved:.3f}",
        worst=said(least),
        seeds=list(seeds),
        shortfall="; ".join(short),
        details={"runs": found},
    )


def least(runs: list[dict[str, Any]], key: str) -> float:
    """The least figure of all policies of all seeds."""
    return float(min(min(run[key]) for run in runs))


def middle(runs: list[dict[str, Any]], key: str) -> float:
    """The median figure of all policies of all seeds."""
    return float(statistics.median(value for run in runs for value in run[key]))


def measured(name: str, seed: int) -> dict[str, Any]:
    """One run of three policies on the bandit of that layout."""
    started = time.process_time()
    with one_thread():
        found = under_thresholds(seed, 1500) if name == "thresholds" else judged(name, seed)
    return {**found, "seconds": time.process_time() - started}


def judged(name: str, seed: int) -> dict[str, list[float]]:
    """Exact chance that policies keep both rules, and their reward over that of the best arm that does.

    Both of the mean policy of the last steps; `final` is the chance of the last policy alone.
    """
    problem: Any = get_problem("bandit", layout=seed, rules=2)
    method, options, steps = JUDGED[name]
    learned, laws = made(problem, method, seed, options), []
    for step in range(steps):
        learned.step(Setting(PREFERENCES))
        if step >= steps - max(1, LATE * steps):
            laws.append(chances(learned))
    law, kept = torch.stack(laws).mean(dim=0), problem.kept.all(dim=1)
    rewards = problem.rewards @ PREFERENCES.T
    return {
        "feasible": law[:, kept].sum(dim=1).tolist(),
        "reward": ((law @ rewards).diagonal() / rewards[kept].amax(dim=0)).tolist(),
        "final": laws[-1][:, kept].sum(dim=1).tolist(),
    }


def under_thresholds(seed: int, steps: int) -> dict[str, list[float]]:
    """Of the mean policy of the last steps: reward over the best feasible, what is missed of thresholds, as shares.

    `moved` is by how much the weights of reward and constraints differ between the halves of these steps; `final` what
    the last policy alone misses.
    """
    problem: Any = get_problem("bandit", layout=seed)
    learned = made(problem, "constrained", seed, {"thresholds": THRESHOLDS, "copies": 64, "ascent": 0.03})
    late, laws, weights = max(2, int(LATE * steps)), [], []
    for step in range(steps):
        learned.step(Setting(PREFERENCES))
        if step >= steps - late:
            laws.append(chances(learned))
            weights.append(learned.multipliers.weights(torch.zeros_like(learned.multipliers.raw)))
    law, half = torch.stack(laws).mean(dim=0), late // 2
    held = torch.stack(weights)
    best = torch.tensor([best_feasible(problem.rewards, row, THRESHOLDS) for row in PREFERENCES])
    return {
        "reward": (((law @ problem.rewards) * PREFERENCES).sum(dim=1) / best).tolist(),
        "missed": _missed(law @ problem.rewards),
        "final": _missed(laws[-1] @ problem.rewards),
        "moved": (held[:half].mean(dim=0) - held[half:].mean(dim=0)).abs().amax(dim=1).tolist(),
    }


def _missed(values: Tensor) -> list[float]:
    """The largest share of a threshold by which values `[p, m]` are below it, at least 0."""
    asked = torch.tensor([float("nan") if one is None else one for one in THRESHOLDS], dtype=torch.float64)
    return ((asked - values) / asked).nan_to_num(0.0).clamp(min=0).amax(dim=1).tolist()


def best_feasible(rewards: Tensor, preference: Tensor, thresholds: list[float | None]) -> float:
    """The highest expected weighted reward of a mixture of arms `[arms, m]` that meets the thresholds.

    Raises:
        ValueError: None does.
    """
    held = [i for i, one in enumerate(thresholds) if one is not None]
    found = linprog(
        (-rewards @ preference).numpy(),
        A_ub=-rewards[:, held].T.numpy(),
        b_ub=[-float(thresholds[i] or 0.0) for i in held],
        A_eq=[[1.0] * len(rewards)],
        b_eq=[1.0],
        bounds=(0, None),
    )
    if found.status:
        raise ValueError(f"No mixture of arms meets the thresholds {thresholds}.")
    return float(-found.fun)


def made(problem: Any, method: str, seed: int, options: dict[str, Any]) -> Any:
    """A method on a problem, with a budget that does not end."""
    kind = resolve(GENERATORS, method, "method")
    own = {"policies": len(PREFERENCES)} if "policies" in kind.options else {}
    said = resolve_options(kind.options, {**own, **options}, method)
    return kind(metered(problem, 10**9, seed), budget=10**9, seed=seed, device="cpu", **said)


def chances(learned: Any) -> Tensor:
    """What the policies do on a bandit, `[p, arms]`."""
    with torch.no_grad():
        law = learned.net.law(torch.ones(learned.net.policies, 1, learned.observer.inputs), None)
    found: Tensor = law.logits[:, 0].to(torch.float64).exp()
    return found


# --------------------------------------------------------------------------------------------------- soups
def soups(*, quick: bool) -> Measurement:
    """How far averages of experts are behind policies trained for the preference, and the barrier between experts."""
    seeds, steps = SEEDS[: 1 if quick else None], 30 if quick else 300
    with one_thread():
        runs = {rate: [soup(seed, rate, steps) for seed in seeds] for rate in (0.003, 0.01)}

    def said(take: Any) -> str:
        return "; ".join(
            f"rate {rate:g}: gap {take(run['gap'] for run in found):.3f}, "
            f"barrier {take(run['barrier'] for run in found):.3f}"
            for rate, found in runs.items()
        )

    return Measurement(
        met=True,
        median=said(statistics.median),
        worst=said(max),
        seeds=list(seeds),
        details={"runs": {f"rate {rate:g}": found for rate, found in runs.items()}, "steps": steps},
    )


def soup(seed: int, rate: float, steps: int) -> dict[str, float]:
    """On the bandit of that layout, of exact values, at eleven preferences between two experts.

    `gap`: the mean of the trained policy's weighted reward less the average's, over the former. `barrier`: the most by
    which a preference's weighted reward of the average is below the line between its experts' values, over the latter.
    """
    problem: Any = get_problem("bandit", layout=seed, num_objectives=2)
    line = torch.linspace(0, 1, 11, dtype=torch.float64)
    preferences = torch.stack([1 - line, line], dim=1)
    experts = made(problem, "reward-soup", seed, {"learning_rate": rate, "rest": 10_000})
    trained = made(problem, "fixed-weights", seed, {"learning_rate": rate, "policies": 11})
    for _ in range(steps):
        experts.step(None)
        trained.step(Setting(preferences))
    rows = experts.policies_for(preferences).extras
    values, own = values_of(problem, rows), chances(trained) @ problem.rewards
    got, best = (values * preferences).sum(dim=1), (own * preferences).sum(dim=1)
    between = (preferences @ torch.stack([values[0], values[-1]]) * preferences).sum(dim=1)
    return {
        "gap": float(((best - got) / best).mean()),
        "barrier": float(((between - got) / between).max()),
    }


def values_of(problem: Any, rows: Any) -> Tensor:
    """Exact values `[k, m]` on a bandit of the policies whose weights stand in `parameters.*`."""
    inputs = torch.ones(len(rows["parameters.actor.weights.0"]), 1, 1)
    layers = sum(name.startswith("parameters.actor.weights") for name in rows)
    for layer in range(layers):
        weights, biases = (rows[f"parameters.actor.{kind}.{layer}"] for kind in ("weights", "biases"))
        inputs = (torch.tanh(inputs) if layer else inputs) @ weights + biases
    values: Tensor = inputs[:, 0].softmax(dim=1).to(torch.float64) @ problem.rewards
    return values


if __name__ == "__main__":
    for measure in (bandits, soups):
        told = measure(quick=False)
        print(f"{measure.__name__}: {told.median}\n  worst {told.worst}; {told.verdict}", flush=True)
