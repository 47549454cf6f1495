"""Evolutionary baselines: pymoo's algorithms at full strength, through its ask and tell."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from pymoo.algorithms.moo import moead, nsga2, nsga3, sms, spea2
from pymoo.core.algorithm import Algorithm
from pymoo.core.individual import Individual
from pymoo.core.population import Population
from pymoo.core.repair import Repair
from pymoo.core.termination import NoTermination
from pymoo.operators.crossover.pntx import TwoPointCrossover
from pymoo.operators.mutation.bitflip import BitflipMutation
from pymoo.operators.sampling.rnd import BinaryRandomSampling
from pymoo.operators.selection.tournament import TournamentSelection
from torch import Tensor

from moo.adapters.pymoo import ToPymoo
from moo.adapters.pymoo_operators import (
    DistinctMOEAD,
    SamplingByColumn,
    act_by_column,
    least_violating,
    unordered_columns,
)
from moo.base import Candidates, Setting
from moo.dominance import crowding_distance, pareto_ranks
from moo.metered import Metered, step_by_asking
from moo.options import Option
from moo.preferences import lattice
from moo.space import Space


class RoundWholeColumns(Repair):  # type: ignore[misc]
    """Round integer columns before duplicates are looked for, so that a population holds what is evaluated."""

    def _do(self, problem: ToPymoo, x: np.ndarray, **_: Any) -> np.ndarray:
        rows: np.ndarray = problem.ours.space.canonical(x).numpy()
        return rows


def operators_for(space: Space) -> dict[str, Any]:
    """What pymoo is handed for the columns: nothing, rounding where some are whole, or its operators for bits.

    Categorical columns bring a sampling of their own, and `act_by_column` later their crossover and mutation.
    """
    if "categorical" in space.kinds:
        return {"sampling": SamplingByColumn(unordered_columns(space)), "repair": RoundWholeColumns()}
    if all(column.kind == "integer" and (column.low, column.high) == (0, 1) for column in space.columns):
        return {
            "sampling": BinaryRandomSampling(),
            "crossover": TwoPointCrossover(),
            "mutation": BitflipMutation(),
        }
    return {"repair": RoundWholeColumns()} if space.kinds != {"real"} else {}


class PymooMethod:
    """What the methods of pymoo share: a generation handed out row by row, told in any order, and restored by replay.

    pymoo's algorithms keep their state in objects that cannot be stored, but they are deterministic: with one seed,
    asking and telling the same objectives gives the same populations. So the state is what was told, and loading it
    replays the run without evaluating anything.

    A generation advances when all its rows are told. Failed rows are left out of it; a generation that failed whole is
    drawn again. (A method that cannot do without a row is told the worst seen so far in its place.) Points known from
    the start replace the first rows of the first population, the best of them where they are more.
    """

    kinds: ClassVar[tuple[str, ...]] = ("vector",)
    columns: ClassVar[tuple[str, ...]] = ("real", "integer", "categorical")
    encodings: ClassVar[tuple[str, ...]] = ("vector",)
    max_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = True
    uses_preferences: ClassVar[bool] = False
    schedules_by_budget: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {
        "population": Option(100, low=2, high=100_000, log=True, tuned=(16, 256), help="rows of a generation"),
    }
    wants_setting = False
    preferences_per_round = 0
    drops_failures: ClassVar[bool] = True
    silences: ClassVar[bool] = False  # pymoo's 0.6.2 does: all warnings of the program, for good
    _handed: int  # rows of the generation that were asked for

    def __init__(
        self,
        problem: Metered,
        *,
        budget: int,  # noqa: ARG002
        seed: int,
        device: str,  # noqa: ARG002
        initial: Candidates | None = None,
        **options: Any,
    ) -> None:
        self.problem = problem
        self.finished = ""
        self.population: int = options["population"]
        self._seed = seed
        self._options = options
        self._initial = initial
        self._log: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # objectives, constraints, failed; a generation
        self._begin()
        self._settle()

    def algorithm(self, **operators: Any) -> Algorithm:
        """A fresh algorithm of pymoo with the options in force."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------ ask and tell
    def step(self, setting: Setting | None) -> Candidates:  # noqa: ARG002
        """About a population's worth of rows: one generation, or many of a method that breeds one row at a time."""
        parts = [step_by_asking(self, self.problem, self.population)]
        while 0 < sum(map(len, parts)) < self.population and self.problem.remaining and len(self._solutions) == 1:
            parts.append(step_by_asking(self, self.problem, 1))
        return Candidates.cat(parts)

    def ask(self, n: int) -> Candidates:
        """The next rows of the generation, at most `n`; none while it waits for outstanding ones."""
        first, last = self._handed, min(self._handed + n, len(self._solutions))
        self._handed = last
        asked = self._solutions[first:last]
        nan = torch.full((len(asked), self.problem.num_objectives), float("nan"), dtype=torch.float64)
        return Candidates.of(asked, nan, id=torch.arange(self._first_id + first, self._first_id + last))

    def tell(self, candidates: Candidates) -> None:
        """Rows of the present generation, by `id`.

        Raises:
            ValueError: An id is not outstanding: unknown, of an earlier generation, or told twice.
        """
        rows = (candidates.extras["id"] - self._first_id).numpy()
        known = (rows >= 0) & (rows < self._handed)
        known[known] = ~self._told[rows[known]]
        if not known.all():
            wrong = candidates.extras["id"].numpy()[~known].tolist()
            raise ValueError(f"`id` should be of rows asked for and not yet told. Found {wrong}.")
        self._objectives[rows] = candidates.objectives.numpy()
        if self.problem.num_constraints:
            self._constraints[rows] = candidates.extras["constraints"].numpy()
        self._failed[rows] = candidates.failed.numpy()
        self._told[rows] = True
        self._settle()

    def finals(self) -> Candidates | None:
        """The feasible non-dominated rows of the last whole population, as pymoo's result gives them."""
        best = self._algorithm.opt
        if best is None or not np.any(best.get("FEAS")):
            return None
        extras = {"constraints": torch.from_numpy(best.get("G"))} if self.problem.num_constraints else {}
        solutions = self.problem.space.canonical(best.get("X").astype(np.float64))
        return Candidates.of(solutions, torch.from_numpy(-best.get("F")), **extras)

    # ------------------------------------------------------------------------------------------ generations
    def _begin(self) -> None:
        """A fresh algorithm with its first population drawn."""
        space = self.problem.space
        self._algorithm = act_by_column(self.algorithm(**operators_for(space)), space)
        self._algorithm.setup(ToPymoo(self.problem), termination=NoTermination(), seed=self._seed)
        self._worst = np.full(self.problem.num_objectives, np.nan)
        self._first_id = 0
        self._solutions = torch.empty(0, self.problem.space.dim, dtype=torch.float64)
        self._draw()

    def _settle(self) -> None:
        """Advance while the present generation is told whole (at the start it can be, by known points)."""
        while len(self._told) and self._told.all():
            self._advance()
            self._draw()

    def _draw(self) -> None:
        """Draw the next generation."""
        self._first_id += len(self._solutions)
        drawn = self._algorithm.ask()
        self._alone = isinstance(drawn, Individual)
        if self._alone:
            drawn = Population.create(drawn)
        if drawn is None or len(drawn) == 0:
            self.finished = "no new solution can be bred: the space is used up or the population has converged"
            drawn = Population.new(X=np.empty((0, self.problem.space.dim)))
        self._generation: Population = drawn
        n, m, c = len(drawn), self.problem.num_objectives, self.problem.num_constraints
        self._objectives = np.full((n, m), np.nan)
        self._constraints = np.full((n, c), np.nan)
        self._failed = np.zeros(n, dtype=bool)
        self._told = np.zeros(n, dtype=bool)
        self._handed = 0
        if self._initial is not None and not self._log:
            self._place_initial(self._initial)
        rows = np.array([individual.X for individual in drawn.tolist()], dtype=np.float64)  # a fifth of `get`'s cost
        self._solutions = self.problem.space.canonical(rows.reshape(n, self.problem.space.dim))

    def _place_initial(self, initial: Candidates) -> None:
        """Let known points take the first places of the first population; they count as told."""
        best = _best(initial, len(self._generation))
        k = len(best)
        dtype = self._generation.get("X").dtype
        self._generation[:k].set("X", best.solutions.numpy().astype(dtype))
        self._objectives[:k] = best.objectives.numpy()
        if self.problem.num_constraints:
            self._constraints[:k] = best.extras["constraints"].numpy()
        self._told[:k] = True
        self._handed = k

    def _advance(self) -> None:
        """Give the generation to pymoo, which minimises, without its failed rows."""
        self._log.append((self._objectives, self._constraints, self._failed))
        objectives, fine = self._objectives, ~self._failed
        if fine.any():
            self._worst = np.fmin(self._worst, objectives[fine].min(axis=0))
        if not self.drops_failures and not np.isnan(self._worst).any():
            objectives, fine = np.where(fine[:, None], objectives, self._worst), np.ones_like(fine)
        if not fine.any():
            return
        told = self._generation[fine]
        for individual, row in zip(told.tolist(), -objectives[fine], strict=True):  # a third of the cost of `set`
            individual.F = row.copy()
        if self.problem.num_constraints:
            told.set("G", self._constraints[fine])
        with warnings.catch_warnings() if self.silences else contextlib.nullcontext():
            self._algorithm.tell(infills=told[0] if self._alone else told)

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        parts = [*self._log, (self._objectives, self._constraints, self._failed)]
        objectives, constraints, failed = (np.concatenate(column) for column in zip(*parts, strict=True))
        return {
            "sizes": [len(part[0]) for part in parts],
            "objectives": objectives,
            "constraints": constraints,
            "failed": failed,
            "told": self._told.copy(),
            "handed": self._handed,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._log = []
        self.finished = ""
        self._begin()
        ends = np.cumsum(state["sizes"])
        for first, last in zip(ends - state["sizes"], ends, strict=True):
            self._objectives, self._constraints, self._failed = (
                state[name][first:last].copy() for name in ("objectives", "constraints", "failed")
            )
            if last < ends[-1]:
                self._advance()
                self._draw()
        self._told, self._handed = state["told"].copy(), state["handed"]


def _best(candidates: Candidates, k: int) -> Candidates:
    """At most `k` rows: the least violating first, then by rank, then the least crowded."""
    if len(candidates) <= k:
        return candidates
    rank = pareto_ranks(candidates.objectives)
    crowding: Tensor = torch.empty(len(rank), dtype=torch.float64)
    for front in range(int(rank.max()) + 1):
        crowding[rank == front] = crowding_distance(candidates.objectives[rank == front])
    order = np.lexsort((-crowding.numpy(), rank.numpy(), candidates.violation.numpy()))
    return candidates.rows(torch.from_numpy(order[:k].copy()))


class NSGA2(PymooMethod):
    """NSGA-II: elitist selection by non-dominated rank, then by crowding distance.

    Source: Deb, Pratap, Agarwal and Meyarivan 2002 (IEEE TEC 6(2)). pymoo's implementation with its defaults:
    simulated binary crossover (eta 15, probability .9), polynomial mutation (eta 20).
    """

    def algorithm(self, **operators: Any) -> Algorithm:
        return nsga2.NSGA2(pop_size=self.population, **operators)


class NSGA3(PymooMethod):
    """NSGA-III: selection by rank, then by closeness to evenly spread reference directions.

    Source: Deb and Jain 2014 (IEEE TEC 18(4)). pymoo's implementation with its defaults: simulated binary crossover
    (eta 30, probability 1), polynomial mutation (eta 20). As many directions as the population holds.
    Its tournament draws from the seeded stream everywhere; pymoo's own does not where two rows violate equally much.
    """

    silences = True

    def algorithm(self, **operators: Any) -> Algorithm:
        directions = lattice(self.problem.num_objectives, self.population).numpy()
        selection = TournamentSelection(func_comp=least_violating)
        size = max(self.population, len(directions))
        return nsga3.NSGA3(directions, pop_size=size, selection=selection, **operators)


class MOEAD(PymooMethod):
    """MOEA/D: one scalar problem per direction, each bred among its neighbours, one row at a time.

    Source: Zhang and Li 2007 (IEEE TEC 11(6)). pymoo's implementation with its defaults: 20 neighbours, mating among
    them with probability .9, Tchebycheff for two objectives and penalty boundary intersection above. The population is
    as large as a lattice of directions allows. A failed row cannot be left out: it is told as the worst seen so far.
    Whole columns: a child that equals a row of the population is bred again, which pymoo's own does not do.
    """

    constraints = False
    drops_failures = False

    def algorithm(self, **operators: Any) -> Algorithm:
        directions = lattice(self.problem.num_objectives, self.population).numpy()
        kind = moead.MOEAD if self.problem.space.kinds == {"real"} else DistinctMOEAD
        return kind(directions, n_neighbors=min(20, len(directions)), **operators)


class SMSEMOA(PymooMethod):
    """SMS-EMOA: of the last front, the rows that contribute least hypervolume go.

    Source: Beume, Naujoks and Emmerich 2007 (EJOR 181(3)). pymoo's implementation with its defaults, which replaces a
    whole population at a time. Up to five objectives: its exact contributions cost too much above.
    """

    max_objectives = 5

    def algorithm(self, **operators: Any) -> Algorithm:
        survival = sms.LeastHypervolumeContributionSurvival()
        return sms.SMSEMOA(pop_size=self.population, survival=survival, **operators)


class SPEA2(PymooMethod):
    """SPEA2: fitness from how many rows a row dominates, and from the distance to its neighbours.

    Source: Zitzler, Laumanns and Thiele 2001 (TIK report 103). pymoo's implementation with its defaults, but with a
    survival object of its own: pymoo's default one is shared by all runs of a process and carries the range of the
    objectives from one to the next, so that a second run differs from the first.
    """

    silences = True

    def algorithm(self, **operators: Any) -> Algorithm:
        survival = spea2.SPEA2Survival(normalize=True)
        return spea2.SPEA2(pop_size=self.population, survival=survival, **operators)
