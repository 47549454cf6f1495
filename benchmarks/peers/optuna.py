"""Optuna's samplers for several objectives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from torch import Tensor

from moo.benchmarks.peers import library
from moo.benchmarks.peers.asking import FIRST, AskedPeer, to_parameters, to_row
from moo.options import Option
from moo.seeding import child_seed

LIMITS = "constraints"  # the attribute of a trial that holds them


class OptunaPeer(AskedPeer):  # type: ignore[misc]  # mypy sees no module of moo.benchmarks
    """A study in memory that is asked and told, in the directions of the meter: all objectives are maximised.

    Source: Akiba, Sano, Yanase, Ohta and Koyama 2019 (1907.10902). Optuna as its documentation does it, with
    `study.ask` and `study.tell`. Rows that come from elsewhere are enqueued. Constraints are set on each trial (before
    version 5 the sampler's `constraints_func` reads them), failures are told as trials that failed. Its samplers
    cannot be told a reference point.
    """

    requires: ClassVar[Mapping[str, str]] = {"optuna": "optuna"}

    def _sampler(self, samplers: Any, **common: Any) -> Any:
        """The sampler; `common` are its seed and its constraints."""
        raise NotImplementedError

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        logging = library("optuna.logging", "optuna")
        before = logging.get_verbosity()
        logging.set_verbosity(logging.ERROR)
        try:
            with super()._quietly():
                yield
        finally:
            logging.set_verbosity(before)

    def _open(self) -> None:
        optuna = library("optuna", "optuna")
        common: dict[str, Any] = {"seed": child_seed(self._seed, "sampler") % 2**32}
        self._named_limits = hasattr(optuna.trial.Trial, "set_constraint")  # from version 5
        if self.problem.num_constraints and not self._named_limits:
            common["constraints_func"] = lambda trial: trial.user_attrs[LIMITS]
        sampler = self._sampler(optuna.samplers, **common)
        self._study = optuna.create_study(directions=["maximize"] * self.problem.num_objectives, sampler=sampler)
        self._failed = optuna.trial.TrialState.FAIL
        self._distributions = {}
        for column, name in zip(self.problem.space.columns, self.problem.space.names, strict=True):
            kinds = optuna.distributions
            if column.kind == "real":
                made = kinds.FloatDistribution(column.low, column.high)
            elif column.kind == "integer":
                made = kinds.IntDistribution(int(column.low), int(column.high))
            else:
                made = kinds.CategoricalDistribution(range(len(column.choices)))
            self._distributions[name] = made

    def _place(self, row: Tensor) -> Any:
        self._study.enqueue_trial(to_parameters(self.problem, row))
        return self._study.ask(self._distributions)

    def _propose(self) -> tuple[Any, Tensor]:
        trial = self._study.ask(self._distributions)
        return trial, to_row(self.problem, trial.params)

    def _report(self, handle: Any, objectives: list[float], constraints: list[float]) -> None:
        if self._named_limits:
            for number, value in enumerate(constraints):
                handle.set_constraint(f"{LIMITS} {number}", value)
        else:
            handle.set_user_attr(LIMITS, constraints)
        self._study.tell(handle, objectives)

    def _fail(self, handle: Any) -> None:
        self._study.tell(handle, state=self._failed)


class OptunaTPE(OptunaPeer):
    """Optuna's tree-structured Parzen estimator: ratios of densities of better and worse trials.

    Source: Ozaki, Tanigaki, Watanabe and Onishi 2020 (GECCO), for several objectives. Optuna's defaults, but its
    random first trials are our Sobol points.
    """

    options: ClassVar[Mapping[str, Option]] = {
        "initial_points": FIRST,
        "multivariate": Option(False, help="one density of all columns, not one of each"),
    }

    def _sampler(self, samplers: Any, **common: Any) -> Any:
        return samplers.TPESampler(n_startup_trials=self._first, multivariate=self._options["multivariate"], **common)


class OptunaGP(OptunaPeer):
    """Optuna's Gaussian processes with the logarithm of the expected hypervolume improvement.

    Source: Optuna's GPSampler, several objectives since 4.4. Its defaults, but its random first trials are our Sobol
    points; a problem without noise is said to be so (`deterministic_objective`).
    """

    def _sampler(self, samplers: Any, **common: Any) -> Any:
        exact = not self.problem.stochastic
        return samplers.GPSampler(n_startup_trials=self._first, deterministic_objective=exact, **common)


class OptunaNSGA2(OptunaPeer):
    """Optuna's NSGA-II, one row at a time.

    Source: Deb, Pratap, Agarwal and Meyarivan 2002 (IEEE TEC 6(2)), as Optuna has it: uniform crossover, resampling as
    mutation. Until a whole population has been told, rows are drawn at random: with the default population of 50, a
    budget of 50 is spent at random.
    """

    options: ClassVar[Mapping[str, Option]] = {
        "initial_points": FIRST,
        "population": Option(50, low=2, high=100_000, log=True, help="rows of a generation"),
    }

    def _sampler(self, samplers: Any, **common: Any) -> Any:
        return samplers.NSGAIISampler(population_size=self._options["population"], **common)
