"""Each pymoo-backed method against a direct run of pymoo, bit for bit.

`python -m moo.benchmarks.perf.parity` prints, per method and problem, whether finals and archive are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pymoo.algorithms.moo.moead import MOEAD
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.algorithms.moo.sms import SMSEMOA, LeastHypervolumeContributionSurvival
from pymoo.algorithms.moo.spea2 import SPEA2, SPEA2Survival
from pymoo.optimize import minimize

from moo.adapters.pymoo import ToPymoo
from moo.base import Problem
from moo.benchmarks.claims import Measurement
from moo.dominance import non_dominated
from moo.generators.evolutionary import operators_for
from moo.preferences import lattice
from moo.problems import get_problem
from moo.search import pareto_search

PROBLEMS = ("zdt1", "zdt3", "dtlz2", "re21")
POPULATION = 100
SEED = 1000


def algorithms(problem: Any, population: int) -> dict[str, Callable[[], Any]]:
    """pymoo's algorithms, set up by hand as its documentation does. Survival objects are made anew for each run,
    because pymoo's default ones are shared by all runs of a process and keep what they saw.
    """
    operators = operators_for(problem.space)
    directions = lattice(problem.num_objectives, population).numpy()
    return {
        "nsga2": lambda: NSGA2(pop_size=population, **operators),
        "nsga3": lambda: NSGA3(directions, pop_size=population, **operators),
        "moead": lambda: MOEAD(directions),
        "sms-emoa": lambda: SMSEMOA(pop_size=population, survival=LeastHypervolumeContributionSurvival(), **operators),
        "spea2": lambda: SPEA2(pop_size=population, survival=SPEA2Survival(normalize=True), **operators),
    }


class Recording(ToPymoo):
    """Keeps all objectives, in the order of evaluation."""

    def __init__(self, problem: Any) -> None:
        super().__init__(problem)
        self.seen: list[np.ndarray] = []

    def _evaluate(self, x: np.ndarray, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        super()._evaluate(x, out, *args, **kwargs)
        self.seen.append(out["F"])


def rows(values: Any) -> list[tuple[float, ...]]:
    """Rows in a fixed order."""
    return sorted(map(tuple, np.asarray(values, dtype=float).tolist()))


def compare(problem: Problem, method: str, evaluations: int, population: int, seed: int) -> tuple[bool, bool]:
    """Whether finals and archive equal the direct run's."""
    recording = Recording(problem)
    theirs = minimize(recording, algorithms(problem, population)[method](), ("n_eval", evaluations), seed=seed)
    everything = torch.from_numpy(np.concatenate(recording.seen))
    ours = pareto_search(
        problem, method, budget=len(everything), seed=seed, options={"population": population}, progress=False
    )
    same = rows(ours.finals.objectives) == rows(theirs.F) and rows(ours.finals.solutions) == rows(theirs.X)
    return same, rows(ours.objectives) == rows(everything[non_dominated(-everything)])


def measure(*, quick: bool) -> Measurement:
    """The claim: every method on every problem."""
    evaluations, population = (1000, 20) if quick else (10_000, POPULATION)
    outcomes: dict[str, tuple[bool, bool]] = {}
    for name in PROBLEMS:
        problem = get_problem(name)
        for method in algorithms(problem, population):
            outcomes[f"{method} on {name}"] = compare(problem, method, evaluations, population, SEED)
    wrong = [pair for pair, same in outcomes.items() if not all(same)]
    count = f"{len(outcomes) - len(wrong)} of {len(outcomes)} pairs the same bit for bit"
    return Measurement(
        met=not wrong,
        median=count,
        worst=count,
        seeds=[SEED],
        shortfall=", ".join(wrong),
        details={"evaluations": evaluations, "population": population, "same": outcomes},
    )


if __name__ == "__main__":
    found = measure(quick=False)
    for pair, (finals, archive) in (found.details or {})["same"].items():
        print(f"{pair}: finals {'same' if finals else 'DIFFER'}, archive {'same' if archive else 'DIFFER'}")
    print(found.median, "->", found.verdict)
