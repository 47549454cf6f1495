"""What peers share that are asked for solutions and told values: first rows, the numbering, and going on by replay."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor

from moo.base import Candidates, Setting
from moo.bayes.columns import Columns
from moo.bayes.ledger import Ledger
from moo.metered import Metered, step_by_asking
from moo.options import Option
from moo.seeding import child_seed, quiet_fork

FIRST = Option(0, low=0, high=10_000, help="Sobol points first; 0: 2 (d + 1)")


class AskedPeer(ABC):
    """A library that proposes one row at a time, behind our contract.

    The first rows are those with which our methods of that kind begin (the same scrambled Sobol sequence for a seed),
    told to the library as trials of somebody else; its own first design is left out.

    These libraries keep what they know in objects that cannot be stored whole. But they are deterministic: seeded alike
    and told the same values in the same order, they propose the same rows. So the state is what was asked and told, and
    loading it replays that without evaluating anything. It takes the proposals' own time again.

    Attributes:
        requires: The library's packages, by the names under which they are imported.
    """

    requires: ClassVar[Mapping[str, str]]
    kinds: ClassVar[tuple[str, ...]] = ("vector",)
    columns: ClassVar[tuple[str, ...]] = ("real", "integer", "categorical")
    encodings: ClassVar[tuple[str, ...]] = ()
    max_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = True
    uses_preferences: ClassVar[bool] = False
    schedules_by_budget: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {"initial_points": FIRST}
    wants_setting = False
    preferences_per_round = 0

    def __init__(
        self,
        problem: Metered,
        *,
        budget: int,  # noqa: ARG002
        seed: int,
        device: str,
        initial: Candidates | None = None,
        initial_points: int,
        **options: Any,
    ) -> None:
        self.problem = problem
        self.finished = ""
        self._seed, self._device, self._initial, self._options = seed, device, initial, options
        self._first = initial_points or 2 * (problem.space.dim + 1)
        self._begin()

    # ------------------------------------------------------------------------------------------ of each library
    @abstractmethod
    def _open(self) -> None:
        """Begin afresh: a study of which nothing is known."""

    @abstractmethod
    def _place(self, row: Tensor) -> Any:
        """Enter a row `[d]` that comes from elsewhere as a trial that has begun; the library's handle of it."""

    @abstractmethod
    def _propose(self) -> tuple[Any, Tensor] | None:
        """The library's next trial: its handle and row `[d]`; None where it has no further one."""

    @abstractmethod
    def _report(self, handle: Any, objectives: list[float], constraints: list[float]) -> None:
        """Tell the values of a trial, objectives maximised, constraints feasible where `<= 0`."""

    @abstractmethod
    def _fail(self, handle: Any) -> None:
        """Tell that a trial failed."""

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """The library's messages and warnings are not shown inside, and its global draws are seeded."""
        with quiet_fork(child_seed(self._seed, type(self).__name__, self._ledger.asked)):
            yield

    # ------------------------------------------------------------------------------------------ ask and tell
    def step(self, setting: Setting | None) -> Candidates:  # noqa: ARG002
        return step_by_asking(self, self.problem, self._ledger.due(1))

    def ask(self, n: int) -> Candidates:
        """The next `n` rows, one after the other: Sobol points first, then the library's; fewer where it has none."""
        parts = [self._ledger.nothing()]
        while sum(map(len, parts)) < n and not self.finished:
            parts.append(self._ask_one())
        return Candidates.cat(parts)

    def _ask_one(self) -> Candidates:
        """One row, or none where the library has no further one."""
        ledger = self._ledger
        with self._quietly():
            if ledger.beginning:
                row = ledger.even_rows(1)[0]
                handle = self._place(row)
            else:
                proposed = self._propose()
                if proposed is None:
                    self.finished = "the library has no further row to propose"
                    return ledger.nothing()
                handle, row = proposed
        row = self.problem.space.canonical(row[None])[0]
        self._handles[ledger.asked] = handle
        self._rows.append(row.tolist())
        return ledger.ask(row)

    def tell(self, candidates: Candidates) -> None:
        """Evaluated rows by the `id` that they were asked under.

        Raises:
            ValueError: An id is not outstanding: unknown, or told before.
        """
        ids = candidates.extras["id"].tolist()
        wrong = [number for number in ids if number not in self._handles]
        if wrong or len(set(ids)) < len(ids):
            raise ValueError(f"`id` should be of rows asked for and not yet told, each once. Found {wrong or ids}.")
        for row, number in enumerate(ids):
            self._tell_one(self._handles.pop(number), candidates.rows(slice(row, row + 1)))
        self._asked_then += [self._ledger.asked] * len(ids)
        self._ledger.tell(candidates)

    def _tell_one(self, handle: Any, told: Candidates) -> None:
        with self._quietly():
            if told.failed[0]:
                self._fail(handle)
            else:
                constraints = told.extras.get("constraints")
                limits = [] if constraints is None else constraints[0].tolist()
                self._report(handle, told.objectives[0].tolist(), limits)

    def finals(self) -> Candidates | None:
        return None

    # ------------------------------------------------------------------------------------------ state
    def _begin(self) -> None:
        """A fresh study that holds the rows known beforehand."""
        space = self.problem.space
        self._ledger = Ledger(
            self.problem, Columns(space, "cpu"), seed=self._seed, first=self._first, initial=self._initial
        )
        self._handles: dict[int, Any] = {}
        self._rows: list[list[float]] = []  # asked for, by id
        self._asked_then: list[int] = []  # of each row told, in order: how many had been asked for
        with self._quietly():
            self._open()
        for number in range(len(self._ledger.known)):
            known = self._ledger.known.rows(slice(number, number + 1))
            with self._quietly():
                handle = self._place(known.solutions[0])
            self._tell_one(handle, known)

    def state_dict(self) -> dict[str, Any]:
        return {"ledger": self._ledger.state_dict(), "rows": list(self._rows), "asked_then": list(self._asked_then)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replay what was asked and told.

        Raises:
            ValueError: The library proposes other rows than it did then.
        """
        self.finished = ""
        self._begin()
        told = Candidates.from_state(state["ledger"]["known"]).rows(slice(len(self._ledger.known), None))
        for number, asked in enumerate(state["asked_then"]):
            self._replay(asked, state["rows"])
            self.tell(told.rows(slice(number, number + 1)))
        self._replay(len(state["rows"]), state["rows"])

    def _replay(self, upto: int, rows: list[list[float]]) -> None:
        """Ask until so many rows have been asked for, and compare them with what was proposed then."""
        packages = " or ".join(self.requires.values())
        while self._ledger.asked < upto:
            number = self._ledger.asked
            if not len(self.ask(1)) or self._rows[number] != rows[number]:
                found = self._rows[number] if len(self._rows) > number else "none"
                raise ValueError(
                    f"{type(self).__name__} cannot go on: asked again, its row {number} is {found}, and was "
                    f"{rows[number]}. Another version of {packages}? Start anew in another folder."
                )


def finite_point(problem: Metered) -> list[float] | None:
    """The reference point `[m]`, maximised, where problem or caller give one; None where it is still to be inferred."""
    point = problem.reference_point
    return point.tolist() if problem.reference_frozen and point is not None else None


def to_row(problem: Metered, values: Mapping[str, Any]) -> Tensor:
    """A library's parameters as a row `[d]`; one that is not there has a single value."""
    columns = zip(problem.space.names, problem.space.columns, strict=True)
    return torch.tensor([float(values.get(name, column.low)) for name, column in columns], dtype=torch.float64)


def to_parameters(problem: Metered, row: Tensor) -> dict[str, Any]:
    """A row `[d]` as a library's parameters: whole numbers and places of choices as integers."""
    space = problem.space
    return {
        name: value if column.kind == "real" else round(value)
        for name, column, value in zip(space.names, space.columns, row.tolist(), strict=True)
    }
