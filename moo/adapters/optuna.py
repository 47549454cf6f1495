"""Optuna asks method `bayesian`: several objectives, with Optuna's storages and dashboard."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from moo.checks import check_count
from moo.seeding import child_seed
from moo.space import Column, Space, categorical, integer, real

try:
    from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
    from optuna.samplers import BaseSampler, RandomSampler
    from optuna.search_space import IntersectionSearchSpace
    from optuna.study import Study, StudyDirection
    from optuna.trial import FrozenTrial, TrialState
except ImportError as error:
    raise ImportError("`MooSampler` needs Optuna: pip install 'moo-suite[optuna]'.") from error

ENDED = (TrialState.COMPLETE, TrialState.FAIL)
SEEDS = 2**32  # what libraries below take


class MooSampler(BaseSampler):  # type: ignore[misc]
    """Proposes what has the largest expected improvement of the hypervolume, by method `bayesian`.

    Nothing is kept between calls: what is proposed follows from the seed and from the trials that the study holds, so
    that a study from a storage goes on as if it had never stopped. The first trial and parameters that not every trial
    has are drawn at random, the next ones from a Sobol sequence. Trials that failed keep proposals away from where they
    did. While other trials run, so many proposals are made as they are, and one more, which is taken.

    Args:
        seed: Of everything random.
        startup: Trials that no model proposes; None: `max(2 (d + 1), 10)`.
        reference_point: For the hypervolume, in the study's directions; None: inferred from the trials.
        constraints: Gives numbers of a finished trial, feasible where all are `<= 0`; as many for every trial.
        options: Those of method `bayesian`.

    Raises:
        TypeError, ValueError: `seed` or `startup` is no count.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        startup: int | None = None,
        reference_point: Sequence[float] | None = None,
        constraints: Callable[[FrozenTrial], Sequence[float]] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._seed = check_count("seed", seed, low=0)
        self._startup = None if startup is None else check_count("startup", startup)
        self._reference_point, self._constraints, self._options = reference_point, constraints, dict(options or {})

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002
        """The parameters that all trials have, less those of a single value.

        Raises:
            ValueError: The study has one objective.
        """
        if len(study.directions) < 2:
            raise ValueError(
                f"`MooSampler` is for studies of at least two objectives. Found {len(study.directions)}: with one "
                "there is no trade-off, take a sampler of Optuna's."
            )
        known = IntersectionSearchSpace().calculate(study)
        return {name: distribution for name, distribution in known.items() if not distribution.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The parameters of the next trial."""
        if not search_space:
            return {}
        names = list(search_space)
        space = Space(tuple(_column(name, search_space[name]) for name in names))
        told = [t for t in study.get_trials(deepcopy=False, states=ENDED) if set(names) <= set(t.params)]
        done = [t for t in told if t.state == TrialState.COMPLETE]
        startup = self._startup or max(2 * (space.dim + 1), 10)
        if len(told) < startup or len(done) < 2:
            engine = SobolEngine(space.dim, scramble=True, seed=child_seed(self._seed, "sobol"))  # type: ignore[no-untyped-call]
            engine.fast_forward(trial.number)  # type: ignore[no-untyped-call]
            row = space.from_unit(engine.draw(1, dtype=torch.float64))[0]
        else:
            failed = [t for t in told if t.state != TrialState.COMPLETE]
            row = self._propose(study, trial, search_space, space, done, failed)
        return {name: _value(search_space[name], place) for name, place in zip(names, row.tolist(), strict=True)}

    def _propose(
        self,
        study: Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
        space: Space,
        done: list[FrozenTrial],
        failed: list[FrozenTrial],
    ) -> Tensor:
        """The row `[d]` that method `bayesian` proposes."""
        from moo.asking import optimizer  # it stands above this module; Optuna stands above both

        def rows(trials: list[FrozenTrial]) -> list[list[float]]:
            return [[_place(search_space[name], t.params[name]) for name in space.names] for t in trials]

        limits = None if self._constraints is None else [list(self._constraints(t)) for t in done]
        known = (rows(done), [t.values for t in done])
        asked = optimizer(
            space,
            "bayesian",
            directions=["max" if way == StudyDirection.MAXIMIZE else "min" for way in study.directions],
            num_constraints=len(limits[0]) if limits else 0,
            reference_point=self._reference_point,
            initial=known if limits is None else (*known, limits),
            options={"initial_points": 1, **self._options},
            seed=child_seed(self._seed, "optuna", len(done) + len(failed)) % SEEDS,
        )
        if failed:
            nan = float("nan")
            asked.tell(
                solutions=rows(failed),
                objectives=[[nan] * len(study.directions)] * len(failed),
                constraints=None if limits is None else [[nan] * len(limits[0])] * len(failed),
                failed=[True] * len(failed),
            )
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        others = sum(t.number < trial.number for t in running)
        return asked.ask(others + 1).solutions[-1]

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A parameter drawn at random: of the first trial, or one that not every trial has."""
        seed = child_seed(self._seed, param_name, trial.number) % SEEDS
        return RandomSampler(seed).sample_independent(study, trial, param_name, param_distribution)


def _column(name: str, distribution: Any) -> Column:
    """A parameter as a column: a number, its logarithm, the number of a step, or that of a choice."""
    if isinstance(distribution, CategoricalDistribution):
        return categorical(range(len(distribution.choices)), name)
    low, high = distribution.low, distribution.high
    if distribution.log:
        return real(math.log(low), math.log(high), name)
    if distribution.step is not None:
        return integer(0, round((high - low) / distribution.step), name)
    return real(low, high, name)


def _place(distribution: Any, value: Any) -> float:
    """Where a parameter's value stands in its column."""
    if isinstance(distribution, CategoricalDistribution):
        return float(distribution.to_internal_repr(value))
    if distribution.log:
        return math.log(value)
    return float(value) if distribution.step is None else round((value - distribution.low) / distribution.step)


def _value(distribution: Any, place: float) -> Any:
    """The parameter's value at a place of its column."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(place)]
    number = math.exp(place) if distribution.log else place
    if not distribution.log and distribution.step is not None:
        number = distribution.low + place * distribution.step
    if isinstance(distribution, IntDistribution):
        number = round(number)
    return min(max(number, distribution.low), distribution.high)
