"""Active learning of strings: MOGFN-AL beside NSGA-II and random mutation, at equal evaluations.

`python -m moo.benchmarks.perf.active_learning 0 1` prints the figures of seeds 0 and 1, which run side by side;
`python -m moo.benchmarks.perf.active_learning 0 1 nsga2 mutation` those of these methods alone.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from joblib import Parallel, cpu_count, delayed
from torch import Tensor

from moo.adapters.encodings import encode
from moo.asking import Optimizer, optimizer
from moo.base import Candidates
from moo.benchmarks.claims import Measurement
from moo.dominance import crowding_distance, pareto_ranks
from moo.gflow.trajectories import uniform_objects
from moo.indicators.volume import hypervolume
from moo.metered import infer_reference_point
from moo.problems import get_problem
from moo.search import one_thread
from moo.seeding import torch_generator

TASK = "ngrams:ngrams=AV+VC+CA,length=36,min_length=32"
START, ROUNDS, BATCH = 512, 16, 64
POPULATION = 32  # of NSGA-II, best of 8, 16, 24, 32, 48 and 64 on seeds 0 to 4
PARENTS = 4  # of random mutation, best of 1, 2, 3, 4, 6, 8, 16, 32, 64 and 128 on the same


def starting_pool(problem: Any, seed: int, n: int = START) -> Tensor:
    """`n` random strings, half of them with some n-gram and half with none, as published.

    Source: Stanton et al. 2022 (2203.12742), regex task.
    """
    stream = torch_generator(seed, "starting pool")
    halves: list[Tensor] = [problem.start(0), problem.start(0)]
    while min(map(len, halves)) < n // 2:
        drawn = uniform_objects(problem, n, stream)
        some = (problem.evaluate(drawn) > 0).any(dim=1)
        halves = [torch.cat([half, drawn[which]]) for half, which in zip(halves, (some, ~some), strict=True)]
    return torch.cat([half[: n // 2] for half in halves])


# --------------------------------------------------------------------------------------------------- methods
class Asked:
    """A method that is asked and told.

    Args:
        method: What `moo.optimizer` made.
        objects: From what it is asked for to objects.
    """

    def __init__(self, method: Optimizer, objects: Callable[[Tensor], Tensor]) -> None:
        self._method, self._objects = method, objects
        self._ids = torch.empty(0, dtype=torch.int64)

    def ask(self, n: int) -> Tensor:
        """At most `n` objects."""
        rows = self._method.ask(n)
        self._ids = rows.extras["id"]
        return self._objects(rows.solutions)

    def tell(self, values: Tensor) -> None:
        """What came of the objects last asked for."""
        self._method.tell(self._ids, values)


def mogfn_al(problem: Any, known: Tensor, values: Tensor, seed: int) -> Asked:
    """MOGFN-AL with its defaults, told the starting pool."""
    method = optimizer(problem, "mogfn-al", seed=seed, device="cpu", options={"batch": BATCH})
    method.tell(solutions=known, objectives=values)
    return Asked(method, lambda solutions: solutions)


def nsga2(problem: Any, known: Tensor, values: Tensor, seed: int) -> Asked:
    """NSGA-II on one integer column for each letter; the best of the starting pool are its first population."""
    encoded = encode(problem, "vector")
    initial = (encoded.encoded_solutions(known), values)
    options = {"population": POPULATION}
    method = optimizer(encoded, "nsga2", seed=seed, device="cpu", initial=initial, options=options)
    return Asked(method, encoded.original_solutions)


class Mutation:
    """Random mutation of the best: parents by rank, then by crowding; a letter changes with chance 1 / length.

    At least one letter changes, and nothing is evaluated twice.
    """

    def __init__(self, problem: Any, known: Tensor, values: Tensor, seed: int) -> None:
        self._encoded, self._seed = encode(problem, "vector"), seed
        self._rows, self._values = self._encoded.encoded_solutions(known), values
        self._tried = {tuple(row) for row in self._rows.tolist()}
        self._asked = self._rows[:0]

    def _parents(self) -> Tensor:
        ranks = pareto_ranks(self._values)
        crowding = torch.zeros(len(ranks), dtype=torch.float64)
        for rank in range(int(ranks.max()) + 1):
            crowding[ranks == rank] = crowding_distance(self._values[ranks == rank])
        order = crowding.argsort(descending=True, stable=True)
        best: Tensor = self._rows[order[ranks[order].argsort(stable=True)]]
        return best[:PARENTS]

    def _mutants(self, n: int, stream: torch.Generator) -> Tensor:
        best = self._parents()
        rows = best[torch.arange(n) % len(best)]
        hit = torch.rand(rows.shape, generator=stream) < 1 / rows.shape[1]
        hit[torch.arange(n), torch.randint(rows.shape[1], (n,), generator=stream)] = True
        letters = torch.randint(self._encoded.encoded.num_actions, rows.shape, generator=stream).to(rows)
        changed = self._encoded.original_solutions(torch.where(hit, letters, rows))
        mutants: Tensor = self._encoded.encoded_solutions(changed)
        return mutants

    def ask(self, n: int) -> Tensor:
        """`n` objects."""
        stream = torch_generator(self._seed, "mutation", len(self._rows))
        found: list[Tensor] = []
        while len(found) < n:
            for row in self._mutants(n, stream):
                key = tuple(row.tolist())
                if key not in self._tried and len(found) < n:
                    self._tried.add(key)
                    found.append(row)
        self._asked = torch.stack(found)
        objects: Tensor = self._encoded.original_solutions(self._asked)
        return objects

    def tell(self, values: Tensor) -> None:
        """What came of the objects last asked for."""
        self._rows, self._values = torch.cat([self._rows, self._asked]), torch.cat([self._values, values])


METHODS: dict[str, Callable[[Any, Tensor, Tensor, int], Asked | Mutation]] = {
    "mogfn-al": mogfn_al,
    "nsga2": nsga2,
    "mutation": Mutation,
}


# --------------------------------------------------------------------------------------------------- one run
def figures(name: str, seed: int, rounds: int = ROUNDS) -> dict[str, Any]:
    """Hypervolumes of all that was evaluated and CPU seconds, at the start and after each round.

    `relative` is over that of the starting pool, from a point inferred from the pool as published (its nadir less a
    tenth of its range: few pools have all three n-grams in one string). The others are from the problem's own point, 0.
    """
    problem: Any = get_problem(TASK)
    known = starting_pool(problem, seed)
    values = problem.evaluate(known)
    below = infer_reference_point(Candidates.of(known, values))
    at_first = volume(values, below)
    volumes, seconds = [volume(values, problem.reference_point)], [0.0]
    begun, strings = time.process_time(), set(problem.decode(known))
    with one_thread():
        method = METHODS[name](problem, known, values, seed)
        for _ in range(rounds):
            left = BATCH
            while left:
                objects = method.ask(left)
                told = problem.evaluate(objects)
                method.tell(told)
                values, left = torch.cat([values, told]), left - len(objects)
                strings.update(problem.decode(objects))
            volumes.append(volume(values, problem.reference_point))
            seconds.append(time.process_time() - begun)
    return {
        "method": name,
        "seed": seed,
        "evaluations": len(values),
        "different": len(strings),
        "relative": volume(values, below) / at_first,
        "of_front": volumes[-1] / volume(problem.oracle.front, problem.reference_point),
        "volumes": volumes,
        "seconds": seconds,
    }


def volume(values: Tensor, point: Tensor) -> float:
    """The hypervolume of objectives `[n, m]`; 0 where none is better than the point `[m]`."""
    return float(hypervolume(values, point, warn=False))


# --------------------------------------------------------------------------------------------------- the claim
def learned(seeds: tuple[int, ...], rounds: int, methods: tuple[str, ...] = tuple(METHODS)) -> list[dict[str, Any]]:
    """The figures of each method and seed; these run side by side, one core each."""
    cells = [(method, seed, rounds) for seed in seeds for method in methods]
    found: list[dict[str, Any]] = Parallel(n_jobs=min(cpu_count(), len(cells)))(delayed(figures)(*c) for c in cells)
    return found


def strings(*, quick: bool) -> Measurement:
    """A1: relative hypervolume of each seed, and CPU minutes."""
    seeds = (1000,) if quick else tuple(range(1000, 1005))
    return verdict(learned(seeds, 2 if quick else ROUNDS))


def verdict(runs: list[dict[str, Any]]) -> Measurement:
    """Whether MOGFN-AL is above both others on every seed, each within ten CPU minutes."""
    by = {(run["method"], run["seed"]): run for run in runs}
    seeds = sorted({run["seed"] for run in runs})
    mine = [by["mogfn-al", seed] for seed in seeds]
    others = [max(by[name, seed]["relative"] for name in ("nsga2", "mutation")) for seed in seeds]
    ahead = [run["relative"] / other for run, other in zip(mine, others, strict=True)]
    minutes = [run["seconds"][-1] / 60 for run in mine]
    short = [f"relative hypervolume: {1 - min(ahead):.3f} of the best other's"] if min(ahead) <= 1 else []
    short += [f"CPU minutes: {max(minutes) - 10:.1f}"] if max(minutes) > 10 else []
    shares = [run["of_front"] for run in mine]

    def words(pick: Callable[[list[float]], float], slowest: Callable[[list[float]], float]) -> str:
        return (
            f"relative hypervolume {pick([run['relative'] for run in mine]):.0f}, {pick(ahead):.1f} times the best "
            f"other's, {pick(shares):.3f} of the true front's; CPU minutes {slowest(minutes):.1f}"
        )

    return Measurement(
        met=not short,
        median=words(statistics.median, statistics.median),
        worst=words(min, max),
        seeds=seeds,
        shortfall="; ".join(short),
        details={"runs": runs},
    )


if __name__ == "__main__":
    chosen = tuple(word for word in sys.argv[1:] if word in METHODS) or tuple(METHODS)
    numbers = tuple(int(word) for word in sys.argv[1:] if word not in METHODS) or (0, 1)
    for run in learned(numbers, ROUNDS, chosen):
        print(json.dumps(run))
