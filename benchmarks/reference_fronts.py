"""Make the reference fronts that ship with the real-world problems: long runs, joined, thinned to well-spread points.

    python -m moo.benchmarks.reference_fronts re21 re22 --evaluations 200000 --seeds 0 1 2 --folder moo/problems/data

A finite space of up to ten million rows is evaluated whole, so that its front is exact. Elsewhere, per seed: NSGA-II by
the library's own loop, pymoo's NSGA-III where there are three objectives or more, a local search from 1500 random rows,
and NSGA-II again from the best of all that; and random search. The best 1500 of what these find are pushed on by the
local search and thinned to 500, which are evaluated once more and written. Nobody else's points are used.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import moocore
import numpy as np
import torch
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.optimize import minimize
from pymoo.util.ref_dirs import get_reference_directions
from torch import Tensor

from moo.adapters.pymoo import ToPymoo
from moo.archive import Archive
from moo.base import Candidates, Evaluation
from moo.directions import turn
from moo.dominance import non_dominated, violation
from moo.generators.evolutionary import RoundWholeColumns
from moo.indicators.volume import predicted_seconds
from moo.problems import get_problem
from moo.search import pareto_search

FINITE = 10_000_000  # rows of a space that are still all evaluated
POINTS = 500
BOUNDED = {"re33": (2, 25.0)}  # the violation grows without bound where the radii meet: above 25 it is left out
FEW = 2000  # rows that are few enough to thin with care
HYPERVOLUME_SECONDS = 60.0  # above this, it is approximated


# --------------------------------------------------------------------------------------------------- finding points
class Recorded:
    """A problem that keeps the best of all that it is asked to evaluate, so that no method's archive is needed."""

    def __init__(self, problem: Any) -> None:
        self.problem = problem
        self.archive = Archive((problem.space.dim,), problem.num_objectives)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.problem, name)

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Evaluation:
        """Evaluate rows, keep the best and hand all of them on."""
        given = self.problem.evaluate(solutions, generator)
        given = given if isinstance(given, Evaluation) else Evaluation(given)
        extras = {"failed": ~torch.isfinite(given.objectives).all(dim=1)}
        if given.constraints is not None:
            extras["constraints"] = given.constraints
        rows = solutions if given.solutions is None else given.solutions
        self.archive.add(Candidates.of(rows, turn(given.objectives, self.problem.directions), **extras))
        return given

    @property
    def best(self) -> Candidates:
        """The feasible non-dominated rows so far, in the problem's own directions."""
        front = self.archive.front
        return Candidates.of(front.solutions, turn(front.objectives, self.problem.directions))


def join(problem: Any, parts: Sequence[Candidates]) -> Candidates:
    """The non-dominated rows of several fronts."""
    both = Candidates.cat([Candidates.of(part.solutions, part.objectives) for part in parts])
    return both.rows(non_dominated(turn(both.objectives, problem.directions)))


def search(name: str, evaluations: int, seeds: Sequence[int]) -> Candidates:
    """All that long runs find; each of them spends `evaluations`."""
    problem: Any = get_problem(name)
    if problem.space.size <= FINITE:
        return whole_space(problem)
    parts = [pareto_search(problem, "random", budget=evaluations, options={"batch": 5000}, progress=False).front]
    for seed in seeds:
        options = {"population": 200}
        parts.append(
            pareto_search(problem, "nsga2", budget=evaluations, options=options, seed=seed, progress=False).front
        )
        if problem.num_objectives >= 3:
            parts.append(nsga3(problem, evaluations, seed))
    parts = [join(problem, parts)]
    parts += [scatter(problem, parts[0], seed=seed) for seed in seeds]
    for seed in seeds:
        parts = [join(problem, parts)]
        parts.append(further(problem, parts[0], evaluations, seed))
    front = bounded(name, join(problem, parts))
    return bounded(name, polish(problem, front.rows(thin(turn(front.objectives, problem.directions), 3 * POINTS))))


def bounded(name: str, front: Candidates) -> Candidates:
    """Leave out what lies above the bound of an objective that has none."""
    if name not in BOUNDED:
        return front
    number, bound = BOUNDED[name]
    return front.rows(front.objectives[:, number] <= bound)


def whole_space(problem: Any) -> Candidates:
    """The exact front of a finite space."""
    recorded = Recorded(problem)
    columns = [torch.arange(column.low, column.high + 1, dtype=torch.float64) for column in problem.space.columns]
    for first in columns[0]:
        recorded.evaluate(torch.cartesian_prod(first[None], *columns[1:]))
    return recorded.best


def nsga3(problem: Any, evaluations: int, seed: int) -> Candidates:
    """The best of all that pymoo's NSGA-III evaluates, with about 200 reference directions."""
    recorded = Recorded(problem)
    directions = get_reference_directions("energy", problem.num_objectives, 200, seed=seed)
    algorithm = NSGA3(directions, pop_size=200, repair=RoundWholeColumns())
    minimize(ToPymoo(recorded), algorithm, ("n_eval", evaluations), seed=seed)
    return recorded.best


def further(problem: Any, front: Candidates, evaluations: int, seed: int) -> Candidates:
    """NSGA-II from well-spread points of a front."""
    kept = front.rows(thin(turn(front.objectives, problem.directions), POINTS))
    given = problem.evaluate(kept.solutions)
    initial = (kept.solutions, kept.objectives)
    if isinstance(given, Evaluation) and given.constraints is not None:
        initial = (*initial, given.constraints)  # type: ignore[assignment]
    options = {"population": POINTS}
    return pareto_search(
        problem, "nsga2", budget=evaluations, initial=initial, options=options, seed=seed, progress=False
    ).front


# --------------------------------------------------------------------------------------------------- local search
def descend(
    problem: Any,
    solutions: Tensor,
    origin: Tensor,
    span: Tensor,
    weights: Tensor,
    *,
    rounds: int = 400,
    tries: int = 24,
    seed: int = 0,
) -> Tensor:
    """Take every row down in a scalarisation of its own, all of them at once: a (1 + `tries`) evolution strategy each.

    The scalarisation is `max_i weight_i (f_i - origin_i) / span_i` over the positive weights and a thousandth of the
    mean of all; where a row is infeasible, its violation comes first. Step sizes grow by half with success and shrink
    by a fifth without.

    Args:
        problem: A vector problem.
        solutions: Where to begin `[n, d]`.
        origin: Minimised objectives `[n, m]`.
        span: Positive `[m]`.
        weights: At least 0, `[n, m]`.
        rounds: Steps of each row.
        tries: Rows tried in each step.
        seed: Of the steps.

    Returns:
        Canonical rows `[n, d]`.
    """
    low, width = problem.space.lower, problem.space.upper - problem.space.lower
    shape = (len(solutions), tries, problem.space.dim)
    generator = torch.Generator().manual_seed(seed)

    def score(places: Tensor) -> Tensor:
        """Of places `[n, k, d]` in the unit cube: `[n, k]`."""
        values, violated = _minimised(problem, problem.space.canonical(low + width * places.reshape(-1, shape[2])))
        gain = (values.reshape(*places.shape[:2], -1) - origin[:, None]) / span
        most = torch.where(weights[:, None] > 0, weights[:, None] * gain, -torch.inf).amax(dim=2)
        total = (most + 1e-3 * gain.mean(dim=2)).nan_to_num(torch.inf, torch.inf)
        violated = violated.reshape(total.shape)
        return torch.where(violated > 0, 1e9 + violated, total)

    place = (solutions - low) / width
    found = score(place[:, None])[:, 0]
    step = torch.full((len(solutions), 1, 1), 0.05, dtype=torch.float64)
    for _ in range(rounds):
        change = step * torch.randn(shape, generator=generator, dtype=torch.float64)
        change = change * (torch.rand(shape, generator=generator) < 0.6)
        tried = (place[:, None] + change).clamp(0, 1)
        least, which = score(tried).min(dim=1)
        better = least < found
        place[better] = tried[torch.arange(len(place)), which][better]
        found = torch.where(better, least, found)
        step = torch.where(better[:, None, None], 1.5 * step, 0.8 * step).clamp(1e-7, 0.3)
    reached: Tensor = problem.space.canonical(low + width * place)
    return reached


def _minimised(problem: Any, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Minimised objectives `[n, m]` and violations `[n]` of rows."""
    given = problem.evaluate(rows)
    given = given if isinstance(given, Evaluation) else Evaluation(given)
    violated = torch.zeros(len(rows), dtype=torch.float64)
    if given.constraints is not None:
        violated = violation(given.constraints)
    return -turn(given.objectives, problem.directions), violated


def scatter(problem: Any, front: Candidates, *, starts: int = 1500, seed: int = 0) -> Candidates:
    """Descend from random rows and from the corners of the space, with random weights: finds pieces that were missed.

    A third of the weights are a single objective, the others Dirichlet(1/2) distributed; the origin is the ideal point.
    """
    turned = -turn(front.objectives, problem.directions)
    ideal, span = _box(turned)
    rng = np.random.default_rng(seed)
    d = problem.space.dim
    rows = problem.space.from_unit(torch.from_numpy(rng.random((starts, d))))
    if 2**d <= starts:
        corners = torch.cartesian_prod(*torch.stack([problem.space.lower, problem.space.upper], dim=1)).reshape(-1, d)
        rows = torch.cat([rows, corners.repeat(max(1, starts // 2 // len(corners)), 1)])
    m = problem.num_objectives
    weights = rng.dirichlet(np.full(m, 0.5), size=len(rows))
    alone = rng.random(len(rows)) < 1 / 3
    weights[alone] = np.eye(m)[rng.integers(m, size=alone.sum())]
    recorded = Recorded(problem)
    recorded.evaluate(descend(problem, rows, ideal.expand(len(rows), -1), span, torch.from_numpy(weights), seed=seed))
    return recorded.best


def polish(problem: Any, front: Candidates, *, seed: int = 0) -> Candidates:
    """Push every row of a front on to rows that dominate it, and the best five of each objective on in that alone."""
    turned = -turn(front.objectives, problem.directions)
    m = problem.num_objectives
    best = torch.cat([turned[:, i].argsort()[:5] for i in range(m)])
    rows = torch.cat([torch.arange(len(front)), best])
    alone = torch.eye(m, dtype=torch.float64).repeat_interleave(len(best) // m, dim=0)
    weights = torch.cat([torch.ones(len(front), m, dtype=torch.float64), alone])
    recorded = Recorded(problem)
    recorded.evaluate(descend(problem, front.solutions[rows], turned[rows], _box(turned)[1], weights, seed=seed))
    recorded.evaluate(front.solutions)
    return recorded.best


def _box(objectives: Tensor) -> tuple[Tensor, Tensor]:
    """The least value and the range of each minimised objective, `[m]`; a range of 0 counts 1."""
    low, high = objectives.amin(dim=0), objectives.amax(dim=0)
    return low, torch.where(high > low, high - low, 1.0)


# --------------------------------------------------------------------------------------------------- thinning
def scaled(objectives: Tensor, like: Tensor) -> np.ndarray:
    """Maximised objectives as minimised ones, scaled so that `like` runs from 0 to 1."""
    low, high = like.amin(dim=0), like.amax(dim=0)
    values: np.ndarray = ((high - objectives) / torch.where(high > low, high - low, 1.0)).numpy()
    return values


def thin(objectives: Tensor, points: int) -> Tensor:
    """Which rows to keep, bool `[n]`, of a maximised front: well-spread ones, and the best and worst of each objective.

    Up to three objectives, the rows that add least hypervolume are dropped again and again. From four on, the row
    farthest from those kept is added again and again; where there are few enough rows (2000), up to half of `points`,
    and then the row that adds most hypervolume, as a sample shows it. All in the front scaled to a unit cube.
    """
    values = scaled(objectives, objectives)
    keep = np.ones(len(values), dtype=bool)
    if len(values) <= points:
        return torch.from_numpy(keep)
    extremes = np.unique(np.concatenate([values.argmin(axis=0), values.argmax(axis=0)]))
    if values.shape[1] > 3:
        if len(values) > FEW:
            return torch.from_numpy(_farthest(values, extremes, points))
        return torch.from_numpy(_covering(values, _farthest(values, extremes, points // 2), points))
    reference = np.full(values.shape[1], 1.1)
    while keep.sum() > points:
        numbers = np.flatnonzero(keep)
        added = moocore.hv_contributions(values[numbers], ref=reference)
        added[np.isin(numbers, extremes)] = np.inf
        batch = max(1, (len(numbers) - points) // 50)
        keep[numbers[np.argsort(added, kind="stable")[:batch]]] = False
    return torch.from_numpy(keep)


def _farthest(values: np.ndarray, first: np.ndarray, points: int) -> np.ndarray:
    keep = np.zeros(len(values), dtype=bool)
    distance = np.full(len(values), np.inf)
    for number in first:
        keep[number] = True
        distance = np.minimum(distance, np.square(values - values[number]).sum(axis=1))
    while keep.sum() < points:
        number = int(distance.argmax())
        keep[number] = True
        distance = np.minimum(distance, np.square(values - values[number]).sum(axis=1))
    return keep


def _covering(values: np.ndarray, keep: np.ndarray, points: int, samples: int = 200_000) -> np.ndarray:
    """Add the row that dominates most of the sampled places that no row kept dominates; the farthest once all are."""
    places = 1.1 * np.random.default_rng(0).random((samples, values.shape[1]))
    for row in values[keep]:
        places = places[~(row <= places).all(axis=1)]
    numbers = np.flatnonzero(~keep)
    below = np.stack([(row <= places).all(axis=1) for row in values[numbers]])
    keep = keep.copy()
    while keep.sum() < points:
        counts = below.sum(axis=1)
        best = int(counts.argmax())
        if counts[best] == 0:
            return _farthest(values, np.flatnonzero(keep), points)
        keep[numbers[best]] = True
        below = below[:, ~below[best]]
    return keep


# --------------------------------------------------------------------------------------------------- writing
def write(path: Path, problem: Any, front: Candidates, note: str) -> Tensor:
    """Thin a front, evaluate it once more and write it; returns the objectives written."""
    kept = front.rows(thin(turn(front.objectives, problem.directions), POINTS))
    order = np.lexsort(kept.objectives.numpy().T[::-1])
    solutions = kept.solutions[torch.from_numpy(order)]
    given = problem.evaluate(solutions)
    objectives = given.objectives if isinstance(given, Evaluation) else given
    np.savez_compressed(path, objectives=objectives.numpy(), solutions=solutions.numpy(), note=np.array(note))
    return objectives


# --------------------------------------------------------------------------------------------------- comparing
def compare(ours: Tensor, theirs: Tensor, directions: Sequence[str]) -> dict[str, float]:
    """Two fronts of one problem: hypervolumes, distances to the best of both, and by how much one dominates the other.

    Scaled by `ours`, with 1.1 as the reference point.

    Returns:
        `hypervolume` of both as shares of that of the best of both; `igd_plus` of both against the best of both;
        `dominated`: the most by which a row of the other front is better than one of ours in *every* objective.
    """
    a, b = (scaled(turn(front, directions), turn(ours, directions)) for front in (ours, theirs))
    best = moocore.filter_dominated(np.concatenate([a, b]))
    whole = volume(best)
    margins = [float((row - b).min(axis=1).max()) for row in a]
    return {
        "hypervolume": volume(a) / whole,
        "hypervolume_theirs": volume(b) / whole,
        "igd_plus": moocore.igd_plus(a, ref=best),
        "igd_plus_theirs": moocore.igd_plus(b, ref=best),
        "dominated": max(0.0, *margins),
    }


def volume(values: np.ndarray) -> float:
    """Hypervolume of minimised values against 1.1, approximated where the exact one would take minutes."""
    reference = np.full(values.shape[1], 1.1)
    if predicted_seconds(*values.shape, compiled=False) <= HYPERVOLUME_SECONDS:
        return float(moocore.hypervolume(values, ref=reference))
    return float(moocore.hv_approx(values, ref=reference))


def main() -> None:
    """Make fronts, or compare those that ship with others."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("problems", nargs="+")
    parser.add_argument("--evaluations", type=int, default=200_000, help="of each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, default=Path("."), help="where NAME.npz goes")
    parser.add_argument("--against", type=Path, help="a folder of front_NAME.dat: compare with these, make nothing")
    arguments = parser.parse_args()
    for name in arguments.problems:
        problem: Any = get_problem(name)
        begun = time.perf_counter()
        if arguments.against is not None:
            theirs = torch.from_numpy(np.loadtxt(arguments.against / f"front_{name}.dat", ndmin=2))
            found = compare(problem.reference_front, theirs, problem.directions)
            print(name, *(f"{key}={value:.6g}" for key, value in found.items()), flush=True)
            continue
        front = search(name, arguments.evaluations, arguments.seeds)
        note = f"moo.benchmarks.reference_fronts, evaluations={arguments.evaluations}, seeds={arguments.seeds}"
        written = write(arguments.folder / f"{name}.npz", problem, front, note)
        seconds = time.perf_counter() - begun
        print(f"{name}: {len(written)} of {len(front)} points in {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
