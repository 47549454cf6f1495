"""Re-evaluation: what a noisy front is really worth.

On a noisy problem the archive of observed values keeps what was lucky. So a pool is evaluated again on fresh seeds and
the front chosen by those means; then the chosen rows are evaluated on further fresh seeds, and these means are what is
reported. Choosing and reporting on the same values would be luck again.

Unbiased means are not enough for the hypervolume: that of noisy means is larger than that of their expectations. So the
chosen rows are evaluated until its standard error is small, the rows that matter most for it most often.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from moo.base import Acting, Candidates
from moo.dominance import non_dominated, violation
from moo.indicators.volume import hypervolume, predicted_seconds
from moo.metered import Metered, MeteredEnvironment, MeteredText
from moo.rl.completions import Writing, completion_scores
from moo.rl.rollouts import episode_returns
from moo.seeding import child_seed, torch_generator

PRECISION = 0.015  # of the reported hypervolume: standard error over value, at which reporting ends
BLOCK = 1024  # evaluations at once, unless the problem says how many
SECONDS = 5.0  # of computing hypervolumes per round, predicted, above which reporting ends with the first round


def needs_reevaluation(problem: Metered, generator: Any) -> bool:
    """Whether observed objectives are noisy and can be observed again: noise, or policies that draw their actions.

    A method says by `draws_actions` that its policies do not; then an environment without chance gives the same return
    in every episode. Completions are always drawn.
    """
    if problem.kind == "text":
        return isinstance(generator, Writing)
    if problem.kind == "environment":
        chance = bool(problem.stochastic) or getattr(generator, "draws_actions", True)
        return chance and isinstance(generator, Acting)
    return bool(problem.stochastic) and problem.kind in ("vector", "construction")


def honest_front(problem: Metered, generator: Any, pool: Candidates, episodes: int, *, precise: bool) -> Candidates:
    """The front of a pool, chosen and reported on separate fresh evaluations, counted apart.

    Args:
        problem: The metered problem.
        generator: The method; its `act` plays policies, its `complete` writes with them.
        pool: Distinct rows to choose from, failed ones left out.
        episodes: Evaluations of each row (episodes, completions), for choosing and again, at least, for reporting.
        precise: Go on reporting until the standard error of the hypervolume is 1.5 % of it, or reporting has cost as
            much as the search. Needs a reference point, and at least two episodes.

    Returns:
        The chosen rows. Their objectives are means over the evaluations that report; extras `standard_error [n, m]` and
        `episodes [n]`, and `dropped [n]` where rows have it. Reported means need not be mutually non-dominated.
    """
    if not len(pool):
        return pool
    with problem.apart():
        choice = Sample(problem, generator, pool)
        choice.observe(torch.full((len(pool),), episodes))
        chosen = choice.means()
        report = Sample(problem, generator, chosen.rows(non_dominated(chosen.objectives)))
        report.observe(torch.full((len(report.rows),), episodes))
        if precise and episodes > 1 and problem.reference_point is not None:
            _refine(report, problem.reference_point, problem.used)
        return report.means()


def distinct(parts: list[Candidates]) -> Candidates:
    """The rows of several records that did not fail, each solution once, the first of equals staying."""
    together = Candidates.cat(parts)
    together = together.rows(~together.failed)
    seen: set[tuple[Any, ...]] = set()
    keep = []
    for number, row in enumerate(together.solutions.flatten(1).tolist()):
        key = tuple(row)
        if key not in seen:
            seen.add(key)
            keep.append(number)
    return together.rows(torch.tensor(keep, dtype=torch.int64))


class Sample:
    """Fresh evaluations of some rows: their number, means and spread, row by row.

    Attributes:
        rows: What is evaluated.
        tried: Evaluations of each row, int64 `[n]`.
        count: Evaluations of each row that succeeded, int64 `[n]`.
        mean: Of the objectives, `[n, m]`.
        cost: What the evaluations cost so far, in the problem's unit.
    """

    def __init__(self, problem: Metered, generator: Any, rows: Candidates) -> None:
        self.rows, self.cost = rows, 0
        self._problem, self._generator = problem, generator
        n, m = len(rows), problem.num_objectives
        self.tried = torch.zeros(n, dtype=torch.int64)
        self.count = torch.zeros(n, dtype=torch.int64)
        self.mean = torch.zeros(n, m, dtype=torch.float64)
        self._squares = torch.zeros(n, m, dtype=torch.float64)  # summed squared deviations from the mean
        self._constrained = torch.zeros(n, dtype=torch.int64)
        self._constraints = torch.zeros(n, problem.num_constraints, dtype=torch.float64)

    @property
    def standard_error(self) -> Tensor:
        """Of the means `[n, m]`; NaN below two evaluations."""
        spread = self._squares / (self.count - 1).clamp(min=1)[:, None]
        return torch.where(self.count[:, None] > 1, (spread / self.count[:, None]).sqrt(), float("nan"))

    def observe(self, times: Tensor) -> None:
        """Evaluate row i `times[i]` more times."""
        before = self._problem.used_apart
        block = getattr(self._problem, "copies_at_once", BLOCK)
        for numbers in torch.split(torch.arange(len(self.rows)).repeat_interleave(times), block):
            if len(numbers):
                self._take(numbers, *self._values(numbers))
        self.cost += self._problem.used_apart - before

    def _values(self, numbers: Tensor) -> tuple[Tensor, Tensor | None]:
        """Objectives `[k, m]` and constraints `[k, c]` of one evaluation of each of these rows; NaN where it failed."""
        problem, generator = self._problem, self._generator
        if problem.kind == "text":
            seed = child_seed(problem.seed, "completions apart", problem.used_apart)
            return completion_scores(cast(MeteredText, problem), generator, self.rows, numbers, seed), None
        if problem.kind != "environment":
            told = problem.evaluate(self.rows.solutions[numbers])
            return told.objectives, told.extras.get("constraints")
        copies = self.rows.rows(numbers)
        stream = torch_generator(problem.seed, "actions apart", problem.used_apart)
        returns, failed, _ = episode_returns(
            cast(MeteredEnvironment, problem),
            lambda *seen: generator.act(copies, *seen, stream),
            len(copies),
        )
        return torch.where(failed[:, None], float("nan"), returns).cpu(), None

    def _take(self, numbers: Tensor, objectives: Tensor, constraints: Tensor | None) -> None:
        """Merge evaluations into the running means (Chan, Golub and LeVeque 1983)."""
        self.tried += torch.bincount(numbers, minlength=len(self.tried))
        fine = ~objectives.isnan().any(dim=1)
        which, values = numbers[fine], objectives[fine]
        added = torch.bincount(which, minlength=len(self.count))
        total = self.count + added
        mean = torch.zeros_like(self.mean).index_add_(0, which, values) / added.clamp(min=1)[:, None]
        squares = torch.zeros_like(self.mean).index_add_(0, which, (values - mean[which]).square())
        gap = torch.where(added[:, None] > 0, mean - self.mean, 0.0)
        share = (added / total.clamp(min=1))[:, None]
        self._squares += squares + gap.square() * share * self.count[:, None]
        self.mean = self.mean + gap * share
        self.count = total
        if constraints is not None:
            known = ~constraints.isnan().any(dim=1)
            self._constrained += torch.bincount(numbers[known], minlength=len(self.count))
            self._constraints.index_add_(0, numbers[known], constraints[known])

    @property
    def sound(self) -> Tensor:
        """Rows that succeeded at least once and are feasible on average, bool `[n]`."""
        constraints = self._constraints / self._constrained[:, None]
        return (self.count > 0) & ((violation(constraints) == 0) if self._problem.num_constraints else True)

    def means(self) -> Candidates:
        """The sound rows with means as their values."""
        extras = {key: value for key, value in self.rows.extras.items() if key not in ("constraints", "std", "reason")}
        extras["standard_error"] = self.standard_error
        extras["episodes"] = self.count
        if "dropped" in extras:
            extras["dropped"] = self.tried - self.count
        if self._problem.num_constraints:
            extras["constraints"] = self._constraints / self._constrained[:, None]
        return Candidates(self.rows.solutions, self.mean, self.rows.preferences, extras).rows(self.sound)


def _refine(report: Sample, reference_point: Tensor, affordable: int) -> None:
    """Evaluate rows until their hypervolume is known to `PRECISION`, or as much as `affordable` was spent.

    Each round doubles the evaluations and shares them by Neyman's rule: in proportion to what one evaluation's noise in
    a row does to the hypervolume. Where computing that would take too long, nothing is refined.
    """
    n, m = report.mean.shape
    if 2 * n * m * predicted_seconds(n, m, compiled=True) > SECONDS:
        return
    spent = 0
    while spent < report.cost < affordable:
        spent = report.cost
        sound = report.sound
        effects = torch.zeros(n, dtype=torch.float64)
        effects[sound] = hypervolume_effects(report.mean[sound], report.standard_error[sound], reference_point)
        value = hypervolume(report.mean[sound], reference_point, warn=False)
        if value == 0 or float(torch.linalg.vector_norm(effects)) <= PRECISION * value:
            return
        done = int(report.count.sum())
        total = min(2 * done, done * affordable // spent)
        if total <= done:
            return
        weights = effects * report.count.sqrt()
        wanted = ((weights / weights.sum() * total).ceil() - report.count).clamp(min=0)
        report.observe((wanted * ((total - done) / wanted.sum())).to(torch.int64))


def hypervolume_effects(objectives: Tensor, standard_error: Tensor, reference_point: Tensor) -> Tensor:
    """What the standard errors of a row do to the hypervolume, `[n]`: the norm of these is its standard error.

    A quarter of the difference between a value moved up and moved down by twice its standard error, the norm over a
    row's objectives. With steps of once a standard error, a row that lies behind the front by bad luck has no effect,
    would not be looked at again, and the hypervolume would come out too small.

    Args:
        objectives: `[n, m]`, maximised.
        standard_error: `[n, m]`; an unknown one (NaN) counts as the mean of the others.
        reference_point: `[m]`, maximised.
    """
    n, m = objectives.shape
    steps = torch.where(standard_error.isnan(), standard_error.nanmean().nan_to_num(0.0), standard_error)
    effects: Tensor = torch.zeros(n, m, dtype=torch.float64)
    for row in range(n):
        for column in range(m):
            ends = []
            for sign in (1.0, -1.0):
                moved = objectives.clone()
                moved[row, column] += sign * 2 * steps[row, column]
                ends.append(hypervolume(moved, reference_point, warn=False))
            effects[row, column] = (ends[0] - ends[1]) / 4
    norms: Tensor = torch.linalg.vector_norm(effects, dim=1)
    return norms
