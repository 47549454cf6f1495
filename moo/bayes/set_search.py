"""What Pareto set learning methods share: a set learned anew when something was told, and rows chosen from it."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from moo.base import Candidates, Setting
from moo.bayes.beliefs import Beliefs
from moo.bayes.columns import Columns
from moo.bayes.gaussian_processes import ITERATIONS
from moo.bayes.ledger import USED_UP, Ledger
from moo.bayes.maximise import SCREENING, choose_starts, maximise
from moo.bayes.pareto_sets import Descent, most_gained
from moo.bayes.set_learner import LEARNING, SetLearner
from moo.bayes.surrogates import Surrogate
from moo.dominance import non_dominated
from moo.metered import Metered, step_by_asking
from moo.options import Option
from moo.preferences import check_preferences, dirichlet
from moo.seeding import torch_generator

SELECTIONS = ("hypervolume", "improvement")
FANTASIES = 128  # draws of what is pending or noisy, for the expected improvement
CLIMBS = 4  # starts from which the expected improvement is climbed

SEARCHING = {
    "batch": Option(5, low=1, high=100, help="points of a proposal, chosen one after the other"),
    "initial_points": Option(0, low=0, high=10_000, help="Sobol points first; 0: max(2 (d + 1), 10)"),
    **LEARNING,
    "candidates": Option(1000, low=2, high=100_000, help="points of the learned set that proposals are chosen from"),
    "selection": Option("hypervolume", choices=SELECTIONS, help="by what the bound gains, or what is expected to be"),
    "noise": Option("auto", choices=("auto", "learned", "none"), help="auto: learned where the problem is noisy"),
}


class SetSearch:
    """All of a Pareto set learning method but its options and the direction of a training step.

    Sobol points first, then points of the set.

    The set is learned when a point is due and something was told since. Of the set's rows for evenly drawn preferences
    each proposal is the one that gains most beside what is known and pending, so that a batch is chosen greedily and
    may be cut anywhere.

    Args:
        problem: Real and integer columns, no constraints.
        descent: The direction of a training step.
        said: The values of the options `SEARCHING` and of `selection`: `"hypervolume"`, of the bound, or
            `"improvement"`, the expected one, climbed from the best rows of the set.
        seed: Of all that is drawn.
        device: Of models and network.
        initial: Rows known beforehand.
    """

    kinds: ClassVar[tuple[str, ...]] = ("vector",)
    columns: ClassVar[tuple[str, ...]] = ("real", "integer")
    encodings: ClassVar[tuple[str, ...]] = ()
    max_objectives: ClassVar[int | None] = 5
    constraints: ClassVar[bool] = False
    uses_preferences: ClassVar[bool] = False  # it draws its own
    schedules_by_budget: ClassVar[bool] = False
    own_points: ClassVar[bool] = True
    wants_setting = False
    preferences_per_round = 0
    finished = ""

    def __init__(
        self,
        problem: Metered,
        descent: Descent,
        said: SimpleNamespace,
        *,
        seed: int,
        device: str,
        initial: Candidates | None,
    ) -> None:
        self.problem, self._said, self._seed = problem, said, seed
        self._columns = Columns(problem.space, device)
        self._beliefs = Beliefs(
            problem,
            self._columns,
            seed=seed,
            surrogate="batched",
            kernel="auto",
            scaled=True,
            noise=said.noise,
            fantasies=FANTASIES,
        )
        self._learner = SetLearner(problem.num_objectives, self._columns, descent, said, seed)
        first = said.initial_points or max(2 * (problem.space.dim + 1), 10)
        self._ledger = Ledger(problem, self._columns, seed=seed, first=first, initial=initial)
        self._learned_from = -1  # rows known when the set was learned

    def step(self, setting: Setting | None) -> Candidates:  # noqa: ARG002
        return step_by_asking(self, self.problem, self._ledger.due(self._said.batch))

    def ask(self, n: int) -> Candidates:
        """The next `n` rows: Sobol points first, then points of the learned set."""
        ledger = self._ledger
        parts = [ledger.nothing()]
        for _ in range(n):
            if ledger.used_up:
                self.finished = USED_UP
                break
            parts.append(ledger.ask(self._evenly() if ledger.beginning or not self._enough() else self._propose()))
        return Candidates.cat(parts)

    def tell(self, candidates: Candidates) -> None:
        """Evaluated rows: asked for by `id`, or points of one's own."""
        self._ledger.tell(candidates)

    def finals(self) -> Candidates | None:
        return None

    def sample(self, preferences: Tensor, seed: int = 0) -> Tensor:
        """Canonical rows `[k, d]` for preferences `[k, m]`: those of the last learned set, whatever the seed.

        Before anything is learned they are those of a new network, drawn by the seed.
        """
        checked = check_preferences(preferences, self.problem.num_objectives)
        return self._columns.rows(self._learner.rows(checked, seed))

    # ------------------------------------------------------------------------------------------ proposals
    def _enough(self) -> bool:
        """Whether a model can be made."""
        return int((~self._ledger.known.failed).sum()) >= 2 and self.problem.reference_point is not None

    def _evenly(self) -> Tensor:
        """A row `[d]` that no set gave."""
        row = self._ledger.even_rows(1)
        return self._ledger.first_new(row) if self._ledger.small else row[0]

    def _propose(self) -> Tensor:
        """One row of the set: what gains most beside all that is known and pending."""
        known = self._ledger.ordered
        told = known.rows(~known.failed)
        _, _, surrogate = self._beliefs.about(told)
        objectives = self._reached(told, surrogate)
        bound = self._learner.bound(surrogate, objectives)
        point = cast(Tensor, self.problem.reference_point)
        if self._learned_from != len(self._ledger.known):
            self._learner.learn(bound, objectives, point)
            self._learned_from = len(self._ledger.known)
        stream = torch_generator(self._seed, "candidates", self._learner.rounds)
        drawn = dirichlet(self._said.candidates, self.problem.num_objectives, stream)
        with torch.no_grad():
            rows = self._columns.snapped(self._learner.rows(drawn))
            untried = self._ledger.untried(rows)
            if not untried.any():
                return self._evenly()
            if self._said.selection == "hypervolume":
                waiting = bound.values(self._columns.unit(self._ledger.waiting))
                front = bound.scaled(objectives)
                front = front[non_dominated(front)]
                fixed = self._learner.reference(bound, front, point)
                best = most_gained(bound.values(rows), torch.cat([front, waiting]), fixed, untried)
                return self._columns.rows(rows[best][None])[0]
        return self._improved(told, rows)

    def _improved(self, told: Candidates, rows: Tensor) -> Tensor:
        """The row of the largest expected improvement, climbed from the best rows of the set."""
        stream = torch_generator(self._seed, "proposal", self._ledger.asked)
        acquisition = self._beliefs.improvement(told, self._ledger.waiting, stream)
        with torch.no_grad():
            values = acquisition.value(rows, SCREENING)
        starts = rows[choose_starts(values.cpu(), CLIMBS, stream).to(rows.device)]
        if self._columns.smooth:
            starts = maximise(acquisition.value, starts, self._columns.smooth, iterations=ITERATIONS)[0]
        found = torch.cat([self._columns.snapped(starts), rows[values.argsort(descending=True, stable=True)]])
        best = int(self._ledger.untried(found).to(torch.int8).argmax())
        return self._columns.rows(found[best][None])[0]

    def _reached(self, told: Candidates, surrogate: Surrogate) -> Tensor:
        """Objectives `[n, m]` of what was told: as observed, or where values are noisy what is believed of them."""
        if self._said.noise == "none" or not (
            self._said.noise == "learned" or self.problem.stochastic or "std" in told.extras
        ):
            return told.objectives.to(self._columns.device)
        means, _ = surrogate.moments(self._columns.unit(told.solutions))
        return means.mean(dim=0)

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        """All that the next proposal depends on."""
        parts = {"fit": self._beliefs.state_dict(), "set": self._learner.state_dict()}
        return {**self._ledger.state_dict(), "learned_from": self._learned_from, **parts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken."""
        self._ledger.load_state_dict(state)
        self._learned_from = state["learned_from"]
        self._beliefs.load_state_dict(state["fit"])
        self._learner.load_state_dict(state["set"])
