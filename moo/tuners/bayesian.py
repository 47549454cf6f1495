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
from moo.bayes.surrogates import Surrogate
from moo.corners import MAX_OBJECTIVES, corner_preferences
from moo.directions import turn
from moo.dominance import joined_front
from moo.metered import infer_reference_point
from moo.options import Option
from moo.preferences import grid, sobol
from moo.seeding import child_seed, torch_generator

BOXES = 3  # objectives up to which what the front leaves free is cut into boxes; beyond, rays
LATTICE = 100  # preferences of the lattice, at least
POOL = 256  # preferences among which few are chosen
RAYS = 64  # of the improvement of many objectives: its order over the pool matters, not its last digits
ENOUGH = 5  # distinct preferences observed, beyond the number of objectives, from which on the model is asked
WARM_ITERATIONS = 10  # of a fit that begins with the last one
MORE = 1.05  # so many times the rows of the last fit make a new one
AT_ONCE = 8  # preferences up to which each is chosen in the light of those before it
ROUNDING = 1e-12  # relative differences of improvements that count as none


class Bayesian:
    """Model the return of each preference, and prefer where more training should make the front grow most.

    One Gaussian process per objective goes over the square roots of the preference's entries and the logarithm of the
    budget used; noise is learned. It predicts returns for a little later, when `ahead` of what has been used will have
    been used again. Returns are modelled and not gains: the gain of a preference falls to nothing when it has been
    worked for, a return does not.

    Up to 8 preferences are chosen one after the other from a pool (a Sobol sequence and the unit vectors): each time
    the one of the largest expected hypervolume improvement, as if those before had brought what is predicted for them.
    A share `guard` of them cycles an even lattice whatever the model says.

    More, for methods that learn many at once, cycle the corners of the convex coverage set of the front, if there are
    no more of them than preferences are asked for, else the lattice. Of these, the ones whose predicted gain is below
    the median are passed over, but for a share `guard + (1 - guard) gain / median`. Unit vectors never are: the model
    knows nothing of returns beyond the largest it was told. The gain is how much larger the expected improvement gets
    where training for the preference w raises its returns: objective j by `s_j^2 w_j / |s w|`, s being the spreads of
    the returns observed. That is the step which raises the weighted sum most among all whose length, in units of these
    spreads, is 1.

    Before anything has been observed many are unit vectors; until enough has been observed all cycle the lattice.

    Source: the expected improvement is that of `moo.bayes.improvement` and `moo.bayes.radial`. That a model of the
    returns over preferences chooses these by the predicted hypervolume is in Xu, Tian, Ma, Rus, Sueda and Matusik 2020
    (PGMORL, ICML), with a hyperbola for each policy in place of the processes. Corners are those of optimistic linear
    support (Roijers, Whiteson and Oliehoek 2015, JAIR 52).

    Args:
        problem: Its objectives, directions and reference point. Without one it is taken from the returns, by the same
            rule as in a search: nadir minus .1 of the range of the non-dominated ones.
        budget: In the problem's unit: the end of the axis of budgets.
        seed: Of all draws.
        hyperparameters: Left as they are.
        guard: Share of the cycle that remains, whatever the model says.
        ahead: How far the prediction looks beyond what has been used, as a share of it.
        rows: Latest returns that the model is told, at most.
    """

    options: ClassVar[Mapping[str, Option]] = {
        "guard": Option(0.5, low=0.0, high=1.0, help="share of the cycle that remains, whatever is predicted"),
        "ahead": Option(0.1, low=0.0, high=10.0, help="how far to look beyond the budget used, as a share of it"),
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
        rows: int,
    ) -> None:
        m = self._num_objectives = problem.num_objectives
        point = getattr(problem, "reference_point", None)
        self._point = None if point is None else turn(torch.as_tensor(point, dtype=torch.float64), problem.directions)
        self._budget, self._seed = budget, seed
        self._guard, self._ahead, self._most = guard, ahead, rows
        self._told = torch.empty(0, 2 * m + 1, dtype=torch.float64)  # preference, budget used, return
        self._front = torch.empty(0, m, dtype=torch.float64)
        self._fitted: Tensor | None = None  # hyperparameters of the processes
        self._lattice = grid(m, LATTICE)
        self._corners: Tensor | None = None  # of the front, found when needed
        self._round = self._used = self._cursor = 0
        self._seen = self._fitted_at = 0  # rows ever told, and as the last fit was made
        self._model: GaussianProcesses | None = None  # the processes of `_fitted`, made when needed
        self._kept: tuple[Tensor, Tensor] | None = None  # what is cycled, and the chance that each is not passed over

    # ------------------------------------------------------------------------------------------ the contract
    def suggest(self, k: int) -> Setting:
        """Preferences where the front should gain most; few in no order, many in that of the cycle."""
        stream = torch_generator(self._seed, "bayesian", self._round)
        self._round += 1
        if self._fitted is None:
            return Setting(self._cycled(self._lattice if self._seen else self._eligible(k), k))
        if k > AT_ONCE:
            return Setting(self._thinned(self._eligible(k), k, stream))
        chance = torch.rand((), dtype=torch.float64, generator=stream).item()
        n = k - min(k, math.floor(self._guard * k + chance))  # so that the share is exact in the mean
        return Setting(torch.cat([self._one_by_one(n), self._cycled(self._lattice, k - n)]))

    def observe(self, setting: Setting, candidates: Candidates, cost: int) -> None:  # noqa: ARG002
        """Take in returns; a row that followed no preference counts for the front alone."""
        self._used += cost
        rows = candidates.rows(~candidates.failed & (candidates.violation == 0))
        if not len(rows):
            return
        self._front, self._corners = joined_front(self._front, rows.objectives), None
        rows = rows.rows(torch.isfinite(rows.preferences).all(dim=1))
        used = torch.full((len(rows), 1), float(self._used), dtype=torch.float64)
        told = torch.cat([self._told, torch.cat([rows.preferences, used, rows.objectives], dim=1)])
        self._told = told[-self._most :]
        self._seen += len(rows)
        self._model = self._kept = None
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

    def _log_gains(self, model: Surrogate, size: Tensor, front: Tensor, rows: Tensor) -> Tensor:
        """The logarithm of the expected hypervolume improvement `[n]` of inputs `[n, m + 1]`."""
        point = self._reference_point()
        if self._num_objectives <= BOXES:
            return LogExpectedHypervolumeImprovement(model, point, front).value(rows)
        return RadialHypervolumeImprovement(model, point, front, size=size, directions=RAYS).value(rows)

    def _log_gains_of_training(self, preferences: Tensor) -> Tensor:
        """The logarithm `[n]` of what the improvement gains by a step of the returns of preferences `[n, m]`."""
        model, rows = self._believed(), self._later(preferences)
        size = model.spread
        pull = size * preferences
        step = size * pull / pull.norm(dim=1, keepdim=True)
        before = self._log_gains(model, size, self._front, rows)
        after = self._log_gains(Raised(model, step), size, self._front, rows)
        return after + torch.log(-torch.expm1((before - after).clamp_max(-ROUNDING)))

    def _later(self, preferences: Tensor) -> Tensor:
        """The inputs of preferences `[n, m]` a little later."""
        later = self._told[-1, self._num_objectives].item() * (1 + self._ahead)
        return self._inputs(preferences, torch.full((len(preferences),), later, dtype=torch.float64))

    # ------------------------------------------------------------------------------------------ choosing
    def _eligible(self, k: int) -> Tensor:
        """What k at once cycle: the corners if there are no more of them, else the lattice."""
        m = self._num_objectives
        if k <= AT_ONCE or m > MAX_OBJECTIVES:
            return self._lattice
        if self._corners is None:
            known = len(self._front) > 0
            self._corners = corner_preferences(self._front) if known else torch.eye(m, dtype=torch.float64)
        return self._corners if len(self._corners) <= k else self._lattice

    def _cycled(self, preferences: Tensor, n: int) -> Tensor:
        which = torch.arange(self._cursor, self._cursor + n) % len(preferences)
        self._cursor += n
        return preferences[which]

    def _thinned(self, preferences: Tensor, n: int, stream: torch.Generator) -> Tensor:
        """The next n of the cycle that are not passed over."""
        if self._kept is None or self._kept[0] is not preferences:
            gains = self._log_gains_of_training(preferences)
            shares = (gains - gains.median()).exp().clamp_max(1.0).nan_to_num(1.0)  # none where no gain is in sight
            shares = torch.where(preferences.amax(dim=1) == 1, 1.0, shares)  # no model knows what lies beyond the best
            self._kept = preferences, self._guard + (1 - self._guard) * shares
        chances = self._kept[1].tolist()
        chosen: list[int] = []
        while len(chosen) < n:
            which = self._cursor % len(preferences)
            self._cursor += 1
            if torch.rand((), dtype=torch.float64, generator=stream).item() < chances[which]:
                chosen.append(which)
        return preferences[chosen]

    def _one_by_one(self, n: int) -> Tensor:
        """The best of the pool, each time as if those before had brought what is predicted for them."""
        m, seed = self._num_objectives, child_seed(self._seed, "pool", self._seen) % 2**32
        pool = torch.cat([torch.eye(m, dtype=torch.float64), sobol(m, POOL - m, seed)])
        rows = self._later(pool)
        model, front = self._believed(), self._front
        chosen: list[int] = []
        for _ in range(n):
            gains = self._log_gains(model, model.spread, front, rows)
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
            "counters": [self._round, self._used, self._cursor, self._seen, self._fitted_at],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._told, self._front, self._fitted = state["told"], state["front"], state["fitted"]
        self._round, self._used, self._cursor, self._seen, self._fitted_at = state["counters"]
        self._model = self._kept = self._corners = None


class Raised:
    """A belief whose means stand higher by steps `[n, m]`, at the n rows that these were made for."""

    def __init__(self, model: Surrogate, steps: Tensor) -> None:
        self._model, self._steps = model, steps
        self.num_outputs = model.num_outputs

    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        means, sd = self._model.moments(rows)
        return means + self._steps, sd

    def samples(self, rows: Tensor, normal: Tensor) -> Tensor:
        return self._model.samples(rows, normal) + self._steps

    def conditioned(self, rows: Tensor, values: Tensor) -> Raised:
        return Raised(self._model.conditioned(rows, values), self._steps)
