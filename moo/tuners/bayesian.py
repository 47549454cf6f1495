"""Preferences where a model of the returns expects the front to grow most."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from moo.base import Candidates, Problem, Setting
from moo.bayes.gaussian_processes import ITERATIONS, GaussianProcesses
from moo.bayes.improvement import LogExpectedHypervolumeImprovement
from moo.bayes.radial import RadialHypervolumeImprovement
from moo.directions import turn
from moo.dominance import joined_front
from moo.metered import infer_reference_point
from moo.options import Option
from moo.preferences import dirichlet, sobol
from moo.seeding import child_seed, torch_generator

BOXES = 3  # objectives up to which what the front leaves free is cut into boxes; beyond, rays
POOL = 256  # preferences among which is chosen
RAYS = 64  # of the improvement of many objectives: its order over the pool matters, not its last digits
ENOUGH = 5  # distinct preferences observed, beyond the number of objectives, from which on the model is asked
WARM_ITERATIONS = 10  # of a fit that begins with the last one
MORE = 1.05  # so many times the rows of the last fit make a new one
AT_ONCE = 8  # preferences up to which each is chosen in the light of those before it


class Bayesian:
    """Model the return of each preference as it grows with the budget, and prefer where the front should gain most.

    One Gaussian process per objective goes over the square roots of the preference's entries and the logarithm of the
    budget used; noise is learned. Its prediction for a little later, when `ahead` of what has been used will have been
    used again, and the front of what was observed give each of a pool of preferences (a Sobol sequence and the unit
    vectors) its expected hypervolume improvement. Returns are modelled and not gains: the gain of a preference falls to
    nothing when it has been worked for, a return does not.

    Up to 8 preferences are chosen one after the other, the best of the pool each time, as if those before had brought
    what is predicted for them. More, for methods that learn many at once, are drawn from the pool with probabilities in
    proportion to `gain ** (1 / temperature)`. A share `guard` is drawn uniformly from the simplex whatever the model
    says, and so are all until enough has been observed.

    Source: the expected improvement is that of `moo.bayes.improvement` and `moo.bayes.radial`. That a model of the
    returns over preferences chooses these by the predicted hypervolume is in Xu, Tian, Ma, Rus, Sueda and Matusik 2020
    (PGMORL, ICML), with a hyperbola for each policy in place of the processes.

    Args:
        problem: Its objectives, directions and reference point. Without one it is taken from the returns, by the same
            rule as in a search: nadir minus .1 of the range of the non-dominated ones.
        budget: In the problem's unit: the end of the axis of budgets.
        seed: Of all draws.
        hyperparameters: Left as they are.
        guard: Share of the preferences drawn uniformly.
        ahead: How far the prediction looks beyond what has been used, as a share of it.
        temperature: 1: in proportion to the gain; above: more evenly; below: more greedily.
        rows: Latest returns that the model is told, at most.
    """

    options: ClassVar[Mapping[str, Option]] = {
        "guard": Option(0.25, low=0.0, high=1.0, help="share of the preferences drawn uniformly"),
        "ahead": Option(0.1, low=0.0, high=10.0, help="how far to look beyond the budget used, as a share of it"),
        "temperature": Option(1.0, low=0.01, high=100.0, log=True, help="1: in proportion to the gain; above: evener"),
        "rows": Option(200, low=10, high=2000, help="latest returns that the model is told"),
    }

    def __init__(
        self,
        problem: Problem,
        *,
        budget: int,
        seed: int,
        hyperparameters: Mapping[str, Option],  # noqa: ARG002
        guard: float,
        ahead: float,
        temperature: float,
        rows: int,
    ) -> None:
        m = self._num_objectives = problem.num_objectives
        point = getattr(problem, "reference_point", None)
        self._point = None if point is None else turn(torch.as_tensor(point, dtype=torch.float64), problem.directions)
        self._budget, self._seed = budget, seed
        self._guard, self._ahead, self._temperature, self._most = guard, ahead, temperature, rows
        self._told = torch.empty(0, 2 * m + 1, dtype=torch.float64)  # preference, budget used, return
        self._front = torch.empty(0, m, dtype=torch.float64)
        self._fitted: Tensor | None = None  # hyperparameters of the processes
        self._round = self._used = 0
        self._seen = self._fitted_at = 0  # rows ever told, and as the last fit was made
        self._model: GaussianProcesses | None = None  # the processes of `_fitted`, made when needed
        self._gains: tuple[Tensor, Tensor] | None = None  # the pool and its gains, likewise

    # ------------------------------------------------------------------------------------------ the contract
    def suggest(self, k: int) -> Setting:
        """Preferences where the front should gain most, and some drawn uniformly; in no order."""
        stream = torch_generator(self._seed, "bayesian", self._round)
        self._round += 1
        blind = dirichlet(k, self._num_objectives, stream)
        chance = torch.rand((), dtype=torch.float64, generator=stream).item()
        n = k - min(k, math.floor(self._guard * k + chance))  # so that the share is exact in the mean
        if self._fitted is None or not n:
            return Setting(blind)
        chosen = self._one_by_one(n) if k <= AT_ONCE else self._in_proportion(n, stream)
        return Setting(torch.cat([chosen, blind[n:]]))

    def observe(self, setting: Setting, candidates: Candidates, cost: int) -> None:  # noqa: ARG002
        """Take in returns; a row that followed no preference counts for the front alone."""
        self._used += cost
        rows = candidates.rows(~candidates.failed & (candidates.violation == 0))
        if not len(rows):
            return
        self._front = joined_front(self._front, rows.objectives)
        rows = rows.rows(torch.isfinite(rows.preferences).all(dim=1))
        used = torch.full((len(rows), 1), float(self._used), dtype=torch.float64)
        told = torch.cat([self._told, torch.cat([rows.preferences, used, rows.objectives], dim=1)])
        self._told = told[-self._most :]
        self._seen += len(rows)
        self._model = self._gains = None
        if self._seen >= MORE * self._fitted_at:
            self._fit()

    # ------------------------------------------------------------------------------------------ the model
    def _inputs(self, preferences: Tensor, used: Tensor) -> Tensor:
        """Rows of the unit cube `[n, m + 1]`: roots of preferences, and the logarithm of the budget used `[n]`."""
        time = torch.log1p(used) / math.log1p(self._budget)
        return torch.cat([preferences.sqrt(), time[:, None].clamp(max=1.0)], dim=1)

    def _fit(self) -> None:
        """Learn the processes' hyperparameters, once enough different preferences have been observed."""
        m = self._num_objectives
        if len(torch.unique(self._told[:, :m], dim=0)) < m + ENOUGH:
            return
        starts, iterations = (None, ITERATIONS) if self._fitted is None else (self._fitted[None], WARM_ITERATIONS)
        self._model = self._processes(starts, iterations)
        self._fitted, self._fitted_at = self._model.hyperparameters, self._seen

    def _processes(self, starts: Tensor | None, iterations: int) -> GaussianProcesses:
        m = self._num_objectives
        inputs = self._inputs(self._told[:, :m], self._told[:, m])
        return GaussianProcesses(inputs, self._told[:, m + 1 :], starts=starts, iterations=iterations)

    def _believed(self) -> GaussianProcesses:
        if self._model is None:  # told more, or a state was loaded
            assert self._fitted is not None
            self._model = self._processes(self._fitted[None], 0)
        return self._model

    def _reference_point(self) -> Tensor:
        if self._point is not None:
            return self._point
        m = self._num_objectives
        observed = torch.cat([self._front, self._told[:, m + 1 :]])
        return infer_reference_point(Candidates.of(observed[:, :0], observed))

    def _log_gains(self, model: GaussianProcesses, front: Tensor, rows: Tensor) -> Tensor:
        """The logarithm of the expected hypervolume improvement `[n]` of inputs `[n, m + 1]`."""
        point = self._reference_point()
        if self._num_objectives <= BOXES:
            return LogExpectedHypervolumeImprovement(model, point, front).value(rows)
        return RadialHypervolumeImprovement(model, point, front, size=model.spread, directions=RAYS).value(rows)

    def _pool(self) -> tuple[Tensor, Tensor]:
        """The pool of preferences `[n, m]`, and its inputs a little later."""
        m = self._num_objectives
        seed = child_seed(self._seed, "pool", self._seen) % 2**32
        pool = torch.cat([torch.eye(m, dtype=torch.float64), sobol(m, POOL - m, seed)])
        later = torch.full((POOL,), self._told[-1, m].item() * (1 + self._ahead), dtype=torch.float64)
        return pool, self._inputs(pool, later)

    # ------------------------------------------------------------------------------------------ choosing
    def _in_proportion(self, n: int, stream: torch.Generator) -> Tensor:
        """Draw from the pool in proportion to the gains."""
        if self._gains is None:
            pool, rows = self._pool()
            self._gains = pool, self._log_gains(self._believed(), self._front, rows)
        pool, logs = self._gains
        chances = torch.softmax(logs / self._temperature, dim=0)
        return pool[torch.multinomial(chances, n, replacement=True, generator=stream)]

    def _one_by_one(self, n: int) -> Tensor:
        """The best of the pool, each time as if those before had brought what is predicted for them."""
        pool, rows = self._pool()
        model, front = self._believed(), self._front
        chosen: list[int] = []
        for _ in range(n):
            gains = self._log_gains(model, front, rows)
            gains[chosen] = -torch.inf
            best = int(gains.argmax())
            predicted = model.moments(rows[best : best + 1])[0]
            model, front = model.conditioned(rows[best : best + 1], predicted), torch.cat([front, predicted[0]])
            chosen.append(best)
        return pool[chosen]

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {
            "told": self._told,
            "front": self._front,
            "fitted": self._fitted,
            "counters": [self._round, self._used, self._seen, self._fitted_at],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._told, self._front, self._fitted = state["told"], state["front"], state["fitted"]
        self._round, self._used, self._seen, self._fitted_at = state["counters"]
        self._model = self._gains = None
