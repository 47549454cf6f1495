"""Ax's loop for several objectives."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from torch import Tensor

from moo.benchmarks.peers import library
from moo.benchmarks.peers.asking import AskedPeer, finite_point, to_parameters, to_row
from moo.seeding import child_seed


class Ax(AskedPeer):  # type: ignore[misc]  # mypy sees no module of moo.benchmarks
    """Ax's client with the generation strategy that it recommends, and the reference point as objective thresholds.

    Source: Bakshy, Dworkin, Karrer, Kashin, Letham, Murthy and Singh 2018 (NeurIPS workshop on systems for machine
    learning). `Client` with its defaults (method "fast": BoTorch's qLogNEHVI up to four objectives, qLogNParEGO
    above). Two things are said otherwise: the first design is our Sobol points, without the centre of the space (which
    lies near DTLZ2's Pareto set), and values of a problem without noise are said to have none.

    The reference point is said where problem or caller give one, else Ax infers its own. Constraints are outcome
    constraints, failures are marked as failed trials.
    """

    requires: ClassVar[Mapping[str, str]] = {"ax": "ax-platform"}

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            library("ax.api.client", "ax")  # speaks when it is imported
            with super()._quietly():
                yield
        finally:
            logging.disable(before)

    def _open(self) -> None:
        problem = self.problem
        self._objectives = [f"objective{i + 1}" for i in range(problem.num_objectives)]
        self._limits = [f"constraint{i + 1}" for i in range(problem.num_constraints)]
        point = finite_point(problem)
        bounds = [] if point is None else [f"{n} >= {v!r}" for n, v in zip(self._objectives, point, strict=True)]
        bounds += [f"{name} <= 0" for name in self._limits]
        self._client = library("ax.api.client", "ax").Client()
        self._client.configure_experiment(parameters=self._parameters(), name="moo")
        self._client.configure_optimization(", ".join(self._objectives), outcome_constraints=bounds)
        self._client.configure_generation_strategy(
            initialization_budget=self._ledger.first,
            initialization_random_seed=child_seed(self._seed, "sobol") % 2**31,
            initialize_with_center=False,
            allow_exceeding_initialization_budget=True,
            torch_device=self._device,
        )

    def _parameters(self) -> list[Any]:
        """The columns of more than one value as Ax's parameters; a categorical one holds the places of its choices."""
        configs = library("ax.api.configs", "ax")
        made = []
        for column, name in zip(self.problem.space.columns, self.problem.space.names, strict=True):
            if column.low == column.high:
                continue
            if column.kind == "categorical":
                places = list(range(len(column.choices)))
                made.append(
                    configs.ChoiceParameterConfig(name=name, values=places, parameter_type="int", is_ordered=False)
                )
            else:
                kind = "float" if column.kind == "real" else "int"
                low, high = (column.low, column.high) if kind == "float" else (int(column.low), int(column.high))
                made.append(configs.RangeParameterConfig(name=name, bounds=(low, high), parameter_type=kind))
        return made

    def _place(self, row: Tensor) -> int:
        columns = zip(self.problem.space.names, self.problem.space.columns, strict=True)
        parameters = to_parameters(self.problem, row)
        varied = {name: parameters[name] for name, column in columns if column.low < column.high}
        index: int = self._client.attach_trial(varied)
        return index

    def _propose(self) -> tuple[int, Tensor] | None:
        for index, parameters in self._client.get_next_trials(max_trials=1).items():
            return index, to_row(self.problem, parameters)
        return None

    def _report(self, handle: int, objectives: list[float], constraints: list[float]) -> None:
        values = dict(zip([*self._objectives, *self._limits], [*objectives, *constraints], strict=True))
        exact = not self.problem.stochastic
        self._client.complete_trial(handle, {name: (v, 0.0) if exact else v for name, v in values.items()})

    def _fail(self, handle: int) -> None:
        self._client.mark_trial_failed(handle)
