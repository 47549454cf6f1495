"""Policies that learn from several rewards: where a weight that moves has an effect, and what it brings.

`python -m moo.benchmarks.perf.alignment` measures all of it. Bandits have exact gradients, as expectations are sums
over arms; n-grams are sampled.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch
from joblib import Parallel, cpu_count, delayed
from torch import Tensor

from moo.base import Setting
from moo.benchmarks.claims import Measurement
from moo.generators import GENERATORS
from moo.gradients import Descent, descend, min_norm
from moo.indicators.volume import hypervolume
from moo.metered import metered
from moo.options import resolve_options
from moo.problems import get_problem
from moo.registry import resolve
from moo.rl.estimators import ESTIMATORS
from moo.search import one_thread, pareto_search

SEEDS = tuple(range(1000, 1005))
INERT = ("grpo", "gdpo", "ppo")  # estimators that divide a factor of the rewards out again, as the docs say
TASKS = {"bandit": ("bandit", 50_000), "n-grams": ("ngrams", 20_000)}
SWEEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "pama": ("pama", {}),
    "fixed-weights": ("fixed-weights", {}),
    "pama as published": ("pama", {"follow": False}),
    "smooth-tchebycheff": ("smooth-tchebycheff", {}),
    "hypervolume-gradient": ("reward-weighting", {}),
    "influence": ("reward-weighting", {"guide": "influence"}),
}


# --------------------------------------------------------------------------------------------------- effect
def effect(*, quick: bool) -> Measurement:
    """How far the factor of the hypervolume moves final parameters from those of a factor of 1, by estimator."""
    seeds, steps = SEEDS[: 1 if quick else 3], 10 if quick else 30
    with one_thread():
        found = {name: [changes(name, steps, seed) for seed in seeds] for name in ESTIMATORS}
    least = min(run[place] for name, runs in found.items() for run in runs for place in run if acts(name, place))
    most = max(run[place] for name, runs in found.items() for run in runs for place in run if not acts(name, place))
    short = [] if least > 1e-3 else [f"least change where it acts {least:.2g}"]
    short += [] if most <= 1e-5 else [f"greatest change where it is inert {most:.2g}"]
    return Measurement(
        met=not short,
        median=f"where it acts at least {least:.2g}, where it is inert at most {most:.2g} (relative norm)",
        worst=f"{least:.2g}, {most:.2g}",
        seeds=list(seeds),
        shortfall="; ".join(short),
        details={"changes": found, "steps": steps},
    )


def acts(estimator: str, place: str) -> bool:
    """Whether the docs say that a factor at this place has an effect."""
    return place == "advantages" or estimator not in INERT


def changes(estimator: str, steps: int, seed: int) -> dict[str, float]:
    """Relative change of the final parameters by the factor at each place, on the bandit."""
    plain = parameters_after("fixed-weights", steps, seed, estimator=estimator)
    found = {}
    for place in ("advantages", "rewards"):
        said = {"estimator": estimator, "guide": "hypervolume-factor", "place": place}
        moved = parameters_after("reward-weighting", steps, seed, **said)
        found[place] = float((moved - plain).norm() / plain.norm())
    return found


def parameters_after(method: str, steps: int, seed: int, **options: Any) -> Tensor:
    """All parameters of three policies after so many steps on the bandit."""
    problem = get_problem("bandit")
    kind = resolve(GENERATORS, method, "method")
    said = resolve_options(kind.options, {"policies": 3, "copies": 16, **options}, method)
    learned = kind(metered(problem, 10**9, seed), budget=10**9, seed=seed, device="cpu", **said)
    preferences = (torch.eye(3, dtype=torch.float64) + 1) / 4
    for _ in range(steps):
        learned.step(Setting(preferences))
    return torch.cat([part.flatten() for part in learned.net.actor.state_dict().values()])


# --------------------------------------------------------------------------------------------------- influence
def influence_on_bandits(*, quick: bool) -> Measurement:
    """Hypervolume of all that a policy passes through, by influence and with equal weights, exact gradients."""
    seeds, steps = SEEDS[: 2 if quick else None], 4000
    bars = {0.001: 1.10, 0.01: 1.10, 0.1: 0.99, 1.0: 0.99}
    with one_thread():
        found, settled = ({mu: gained(seeds, rate, steps, mu) for mu in bars} for rate in (0.1, 1.0))
    means = {mu: statistics.mean(values) for mu, values in found.items()}
    short = [f"mu {mu:g}: {bars[mu] - mean:.3f}" for mu, mean in means.items() if mean < bars[mu]]
    return Measurement(
        met=not short,
        median="; ".join(f"mu {mu:g}: {mean:.3f}" for mu, mean in means.items())
        + "; at ten times the rate, where equal weights settle: "
        + "; ".join(f"{mu:g}: {statistics.mean(values):.3f}" for mu, values in settled.items()),
        worst="; ".join(f"mu {mu:g}: {min(values):.3f}" for mu, values in found.items()),
        seeds=list(seeds),
        shortfall="; ".join(short),
        details={"ratios": found, "ratios at rate 1": settled, "steps": steps, "rate": 0.1},
    )


def gained(layouts: Sequence[int], rate: float, steps: int, mu: float) -> list[float]:
    """The hypervolume that each layout's policy passes through by influence, over that with equal weights."""
    moved, fixed = (passed(layouts, rate, steps, one) for one in (mu, None))
    return [one / other for one, other in zip(moved, fixed, strict=True)]


def passed(layouts: Sequence[int], rate: float, steps: int, mu: float | None = None) -> list[float]:
    """Hypervolume of all values on the way of softmax policies that begin uniform; mu None: equal weights."""
    problems: list[Any] = [get_problem("bandit", layout=layout) for layout in layouts]
    rewards = torch.stack([problem.rewards for problem in problems])

    def values(logits: Tensor) -> Tensor:  # the layouts in turn, as often as gradients are taken at once
        each = rewards.repeat(len(logits) // len(rewards), 1, 1)
        return (logits.softmax(dim=1)[:, None] @ each).squeeze(1)

    path = -climb(values, torch.zeros(rewards.shape[:2]), rate, steps, mu).path
    return [hypervolume(path[:, row], problem.reference_point) for row, problem in enumerate(problems)]


def climb(objectives: Any, start: Tensor, rate: float, steps: int, mu: float | None) -> Descent:
    """Gradient ascent on objectives by influence or with equal weights."""
    start, m = start.to(torch.float64), objectives(start.to(torch.float64)).shape[1]
    preferences = torch.full((len(start), m), 1 / m, dtype=torch.float64)
    how: dict[str, Any] = {"steps": steps, "rate": rate}
    if mu is None:
        return descend(lambda points: -objectives(points), start, "linear", preferences, **how)
    return descend(
        lambda points: -objectives(points), start, "influence_weights", **how, options={"eta": rate, "mu": mu}
    )


# --------------------------------------------------------------------------------------------------- saturation
def saturation(*, quick: bool) -> Measurement:  # noqa: ARG001
    """Three two-armed choices, one of which is learned five times as fast: weights, and steps until all are learned."""
    with one_thread():
        fixed, _ = learned_at(0.0, None)
        moved, weight = learned_at(0.0, 0.3)
        others = {f"mu {mu:g}": dict(zip(("steps", "weight"), learned_at(0.0, mu), strict=True)) for mu in (0.1, 1.0)}
        rare = {"fixed": learned_at(-2.0, None)[0], "mu 0.3": learned_at(-2.0, 0.3)[0]}
    saved = 1 - moved / fixed
    short = [] if weight < 0.25 else [f"weight: {weight - 0.25:.3f}"]
    short += [] if saved >= 0.05 else [f"steps saved: {0.05 - saved:.3f}"]
    return Measurement(
        met=not short,
        median=f"weight {weight:.3f}, {moved} steps against {fixed} ({saved:.0%} fewer); from a start at which the "
        f"good arms are rare {rare['mu 0.3']} against {rare['fixed']}",
        worst=f"weight {weight:.3f}, {saved:.0%} fewer",
        seeds=[],
        shortfall="; ".join(short),
        details={"other mu": others, "rare start": rare},
    )


def learned_at(start: float, mu: float | None) -> tuple[int, float]:
    """Steps until all three choices are right with a chance of .95, and the weight of the fast one then.

    Args:
        start: Log-odds of the good arms at first.
        mu: None: equal weights.
    """
    speeds = torch.tensor([5.0, 1.0, 1.0], dtype=torch.float64).sqrt()  # of log-odds per parameter

    def chances(points: Tensor) -> Tensor:
        return torch.sigmoid(speeds * points)

    first = (start / speeds)[None]
    path = -climb(chances, first, 1.0, 400, mu).path[:, 0]
    steps = int(torch.nonzero((path >= 0.95).all(dim=1))[0])
    return steps, float(climb(chances, first, 1.0, steps, mu).weights[0, 0])


# --------------------------------------------------------------------------------------------------- fronts
def fronts(*, quick: bool) -> Measurement:
    """Hypervolume of what each method finds on bandits and n-grams at equal budget, as a share of the best possible."""
    seeds, share = SEEDS[: 1 if quick else None], 20 if quick else 1
    cells = [(task, sweep, seed) for task in TASKS for sweep in SWEEPS for seed in seeds]
    runs = Parallel(n_jobs=cpu_count())(delayed(swept)(*cell, share) for cell in cells)
    found: dict[str, dict[str, Any]] = {task: {sweep: [] for sweep in SWEEPS} for task in TASKS}
    for (task, sweep, _), run in zip(cells, runs, strict=True):
        found[task][sweep].append(run)
    shares = {task: {s: [run["front"] for run in rows] for s, rows in row.items()} for task, row in found.items()}

    def said(task: str, take: Any) -> str:
        return f"{task}: " + ", ".join(f"{sweep} {take(values):.3f}" for sweep, values in shares[task].items())

    return Measurement(
        met=True,
        median="; ".join(said(task, statistics.median) for task in TASKS),
        worst="; ".join(said(task, min) for task in TASKS),
        seeds=list(seeds),
        details={"runs": found},
    )


def swept(task: str, sweep: str, seed: int, share: int = 1) -> dict[str, float]:
    """Front and finals of one search, as shares of the best hypervolume: the exact front's, or that of its mixtures."""
    name, budget = TASKS[task]
    problem: Any = get_problem(name, layout=seed) if task == "bandit" else get_problem(name)
    method, options = SWEEPS[sweep]
    started = time.process_time()
    with one_thread():
        result = pareto_search(
            problem, method, budget=budget // share, options=options, seed=seed, device="cpu", progress=False
        )
    point, oracle = problem.reference_point, problem.oracle
    mixes = hasattr(oracle, "mixture_hypervolume")
    best = oracle.mixture_hypervolume(point) if mixes else hypervolume(oracle.front, point)
    return {
        "front": result.record["hypervolume"] / best,
        "finals": hypervolume(result.finals.objectives, point, warn=False) / best,
        "seconds": time.process_time() - started,
    }


# --------------------------------------------------------------------------------------------------- stationarity
def stationarity(*, quick: bool) -> Measurement:
    """The shortest combination of the objectives' exact gradients after PAMA by step, over that at the start."""
    seeds, steps = SEEDS[: 2 if quick else None], 1000 if quick else 5000
    with one_thread():
        runs = [stationary(seed, steps) for seed in seeds]
    ends, behind = [run["last"] / run["first"] for run in runs], [run["behind"] for run in runs]
    return Measurement(
        met=True,
        median=f"{statistics.median(ends):.2g} of the start; a mixture of arms is better by "
        f"{statistics.median(behind):.3f} in every objective, though no single arm is",
        worst=f"{max(ends):.2g} of the start; {max(behind):.3f}",
        seeds=list(seeds),
        details={"runs": runs, "steps": steps},
    )


def stationary(layout: int, steps: int) -> dict[str, float]:
    """Exact expected updates of PAMA by step on a softmax policy of the bandit that begins uniform."""
    problem: Any = get_problem("bandit", layout=layout)
    rewards = problem.rewards
    logits, lengths = torch.zeros(len(rewards), dtype=torch.float64), []
    for _ in range(steps):
        chances = logits.softmax(dim=0)
        values = chances @ rewards
        gradients = (chances[:, None] * (rewards - values)).T
        gram = gradients @ gradients.T
        weights = min_norm(gram)
        lengths.append(float(weights @ gram @ weights))
        gains = (rewards - values).clamp(min=0).amin(dim=1)  # the projection of 0 onto what is not negative
        logits = logits + chances * (gains - chances @ gains)
    return {"first": lengths[0], "last": lengths[-1], "behind": _behind(values, rewards), "liked": float(gains.max())}


def _behind(values: Tensor, rewards: Tensor) -> float:
    """By how much a mixture of arms can beat the values in every objective at once, by a linear program."""
    from scipy.optimize import linprog

    arms, m = rewards.shape
    less = torch.cat([-rewards.T, torch.ones(m, 1, dtype=torch.float64)], dim=1)
    found = linprog(
        [0.0] * arms + [-1.0],
        A_ub=less.numpy(),
        b_ub=-values.numpy(),
        A_eq=[[1.0] * arms + [0.0]],
        b_eq=[1.0],
        bounds=[(0, None)] * arms + [(None, None)],
    )
    return float(-found.fun)


if __name__ == "__main__":
    for measure in (effect, influence_on_bandits, saturation, stationarity, fronts):
        told = measure(quick=False)
        print(f"{measure.__name__}: {told.median}\n  worst {told.worst}; {told.verdict}", flush=True)
