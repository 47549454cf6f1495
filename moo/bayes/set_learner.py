"""A Pareto set that is learned again whenever more is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from moo.base import Candidates
from moo.bayes.columns import Columns
from moo.bayes.pareto_sets import Descent, OptimisticBound, SetModel, plain_descent, train, worst_values
from moo.bayes.surrogates import Surrogate
from moo.dominance import non_dominated
from moo.indicators.volume import hypervolume
from moo.metered import Metered
from moo.options import Option
from moo.preferences import dirichlet, grid
from moo.seeding import torch_generator

REFERENCES = ("front", "worst")
SCORED = 100  # even preferences per objective by which a set is scored
STEPS = 200  # of training before a proposal of another method
MARGIN = 0.1  # by which the ideal point is better than the best values seen

LEARNING = {
    "steps": Option(1000, low=1, high=1_000_000, help="of training, whenever something was told"),
    "step_preferences": Option(10, low=2, high=10_000, help="preferences of a training step"),
    "rate": Option(1e-3, low=1e-8, high=1.0, help="of training, by Adam"),
    "optimism": Option(1.0, low=0.0, high=100.0, help="deviations added to the mean of what is believed"),
    "deviation": Option("std", choices=("std", "variance"), help="that is added; the source's code adds the variance"),
    "units": Option("standard", choices=("standard", "own"), help="values are standardised, or the problem's own"),
    "reference": Option("front", choices=REFERENCES, help="of hypervolumes: worst of front and its point, or of all"),
    "score_every": Option(10, low=1, high=1_000_000, help="steps between two scores of the set; the best one is kept"),
    "warm_start": Option(False, help="go on from the last set instead of a new one"),
}


class SetLearner:
    """A Pareto set that is learned again and again.

    Args:
        num_objectives: m.
        columns: Of the space.
        descent: The direction of a training step.
        said: The values of the options `LEARNING`.
        seed: Of its draws.
    """

    def __init__(self, num_objectives: int, columns: Columns, descent: Descent, said: Any, seed: int) -> None:
        self._m, self._columns, self._descent, self._said, self._seed = num_objectives, columns, descent, said, seed
        self._even = grid(num_objectives, SCORED * num_objectives)
        self._parameters: Tensor | None = None
        self._rounds = 0

    @property
    def device(self) -> str | torch.device:
        """Where it is learned."""
        return self._columns.device

    @property
    def rounds(self) -> int:
        """How often it has learned."""
        return self._rounds

    def bound(self, surrogate: Surrogate, objectives: Tensor) -> OptimisticBound:
        """The bound that it learns by, given all objectives told `[n, m]`."""
        said, centre, scale = self._said, torch.zeros_like(objectives[0]), torch.ones_like(objectives[0])
        if said.units == "standard":
            stray = objectives.std(dim=0, correction=0)
            centre, scale = objectives.mean(dim=0), torch.where(stray > 0, stray, 1.0)
        variance = said.deviation == "variance"
        return OptimisticBound(surrogate, said.optimism, variance=variance, centre=centre, scale=scale)

    def reference(self, bound: OptimisticBound, front: Tensor, reference_point: Tensor) -> Tensor | None:
        """The point `[m]` of hypervolumes, in the bound's units: early fronts lie outside the problem's own box.

        Args:
            bound: Of the objectives.
            front: What is known, in the bound's units, `[k, m]`.
            reference_point: The problem's `[m]`.
        """
        if self._said.reference == "worst":
            return None
        return worst_values(front, bound.scaled(reference_point.to(front))[None])

    def learn(self, bound: OptimisticBound, objectives: Tensor, reference_point: Tensor) -> None:
        """Learn the set of what is believed now.

        Args:
            bound: Of the objectives.
            objectives: All that were told, `[n, m]`.
            reference_point: `[m]`.
        """
        said, known = self._said, bound.scaled(objectives)
        stream = torch_generator(self._seed, "set", self._rounds)
        model = self._fresh(stream) if self._parameters is None or not said.warm_start else self._model()
        front, even = known[non_dominated(known)], self._even.to(known)
        fixed = self.reference(bound, front, reference_point)

        def score(model: SetModel) -> float:
            values = bound.values(model.rows(even))
            point = worst_values(front, values) if fixed is None else fixed
            return float(hypervolume(values, point, max_seconds=math.inf, warn=False))

        best = known.amax(dim=0) + MARGIN
        with torch.no_grad():
            train(
                model,
                bound,
                self._descent,
                best.clamp_min(0) if said.units == "own" else best,
                score,
                stream,
                steps=said.steps,
                count=said.step_preferences,
                rate=said.rate,
                every=said.score_every,
            )
        self._parameters, self._rounds = model.parameters.cpu(), self._rounds + 1

    def rows(self, preferences: Tensor, seed: int = 0) -> Tensor:
        """Rows of the unit cube `[k, d]` for `preferences [k, m]`; before anything was learned, those of a new network.

        Args:
            preferences: Which.
            seed: Of the new network; what was learned has no need of it.
        """
        fresh = self._parameters is None
        model = self._fresh(torch_generator(seed, "unlearned set")) if fresh else self._model()
        rows: Tensor = model.rows(preferences.to(model.parameters))
        return rows

    def _fresh(self, stream: torch.Generator) -> SetModel:
        model = SetModel(self._m, self._columns.space.dim, stream)
        model.parameters = model.parameters.to(self._columns.device)
        return model

    def _model(self) -> SetModel:
        """The network as it was learned."""
        assert self._parameters is not None
        model = self._fresh(torch.Generator())
        model.parameters = self._parameters.to(model.parameters)
        return model

    def state_dict(self) -> dict[str, Any]:
        """The network and how often it has learned."""
        return {"parameters": self._parameters, "rounds": self._rounds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._parameters, self._rounds = state["parameters"], state["rounds"]


class SetCandidates:
    """Rows of a learned Pareto set for the search of another method, learned by plain training and gone on with.

    Args:
        problem: Its objectives and reference point.
        columns: Of its space.
        count: Rows.
        seed: Of its draws.

    Raises:
        ValueError: A column is categorical: it has no slope to learn by.
    """

    def __init__(self, problem: Metered, columns: Columns, count: int, seed: int) -> None:
        if "categorical" in problem.space.kinds:
            raise ValueError("`set_candidates` should be 0 where columns are categorical. Found some of these.")
        said = SimpleNamespace(**{name: option.default for name, option in LEARNING.items()})
        said.warm_start, said.steps = True, STEPS
        self._problem, self._count, self._seed = problem, count, seed
        self._learner = SetLearner(problem.num_objectives, columns, plain_descent, said, seed)

    def rows(self, surrogate: Surrogate, told: Candidates, asked: int) -> Tensor | None:
        """Rows of the unit cube `[count, d]`; None while no row told has all objectives.

        Args:
            surrogate: Of what was told.
            told: Rows that did not fail.
            asked: The number of the proposal.
        """
        objectives = told.objectives[torch.isfinite(told.objectives).all(dim=1)].to(self._learner.device)
        point = self._problem.reference_point
        if point is None or not len(objectives):
            return None
        self._learner.learn(self._learner.bound(surrogate, objectives), objectives, point)
        drawn = dirichlet(self._count, len(point), torch_generator(self._seed, "set candidates", asked))
        return self._learner.rows(drawn)

    def state_dict(self) -> dict[str, Any]:
        """The set."""
        return self._learner.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._learner.load_state_dict(state)
