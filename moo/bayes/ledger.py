"""The rows of a Bayesian method: which are known, which are pending, and which come before any model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from moo.base import Candidates
from moo.bayes.columns import Columns
from moo.metered import Metered
from moo.seeding import child_seed

ENUMERABLE = 65_536  # rows of a space up to which what has not been tried yet is looked up
ALIKE = 1e-6  # rows of the unit cube nearer than this in every column are the same proposal
AT_ONCE = 20  # first rows that a step asks for, at most
USED_UP = "every row of the space has been tried"


class Ledger:
    """What was told and what was asked for.

    Args:
        problem: Its space and objectives.
        columns: Of the space.
        seed: Of the first rows, a scrambled Sobol sequence: the same for all methods that keep a ledger.
        first: How many of them, rows known beforehand included.
        initial: Rows known beforehand.
        allowed: Which rows of the unit cube `[n, d]` may be proposed, bool `[n]`; None: all.

    Attributes:
        known: What was told, in that order.
        first: How many first rows are asked for.
        asked: How many rows were asked for, which is the next one's id.
    """

    def __init__(
        self,
        problem: Metered,
        columns: Columns,
        *,
        seed: int,
        first: int,
        initial: Candidates | None,
        allowed: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._space, self._columns, self._seed, self._allowed = problem.space, columns, seed, allowed
        self._num_objectives = problem.num_objectives
        self.known = Candidates.empty((problem.space.dim,), problem.num_objectives) if initial is None else initial
        self.first = max(0, first - len(self.known))
        self.asked = 0
        self._pending: dict[int, list[float]] = {}  # id -> row asked for and not told yet

    @property
    def beginning(self) -> bool:
        """Whether the next row is one of the first."""
        return self.asked < self.first

    def due(self, batch: int) -> int:
        """How many rows a step asks for: of the first ones up to twenty, then a batch."""
        return min(self.first - self.asked, AT_ONCE) if self.beginning else batch

    # ------------------------------------------------------------------------------------------ entries
    def ask(self, row: Tensor, **why: float) -> Candidates:
        """Enter a row `[d]` as asked for: a record of it, with its `id` and numbers that say why it was chosen."""
        nan = torch.full((1, self._num_objectives), float("nan"), dtype=torch.float64)
        extras = {name: torch.tensor([value], dtype=torch.float64) for name, value in why.items()}
        record = Candidates.of(row[None], nan, id=torch.tensor([self.asked]), **extras)
        self._pending[self.asked] = row.tolist()
        self.asked += 1
        return record

    def nothing(self) -> Candidates:
        """A record of no rows that were asked for."""
        none = Candidates.empty((self._space.dim,), self._num_objectives)
        return none.with_extras(id=torch.empty(0, dtype=torch.int64))

    def tell(self, candidates: Candidates) -> None:
        """Enter evaluated rows: asked for by `id`, or points of one's own."""
        for number in candidates.extras.get("id", torch.empty(0)).tolist():
            self._pending.pop(int(number), None)
        self.known = Candidates.cat([self.known, candidates.without_parameters()])

    # ------------------------------------------------------------------------------------------ what stands there
    @property
    def ordered(self) -> Candidates:
        """What is known, in an order that does not depend on the order in which it was told."""
        ids = self.known.extras.get("id")
        return self.known if ids is None else self.known.rows(ids.argsort(stable=True))

    @property
    def waiting(self) -> Tensor:
        """The pending rows, `[k, d]`, by id."""
        rows = [self._pending[number] for number in sorted(self._pending)]
        return torch.tensor(rows, dtype=torch.float64).reshape(-1, self._space.dim)

    @property
    def tried(self) -> Tensor:
        """The rows known or pending, `[n, d]`."""
        return torch.cat([self.known.solutions, self.waiting])

    def untried(self, unit: Tensor) -> Tensor:
        """Which rows of the unit cube `[n, d]` are neither known nor pending, bool `[n]`."""
        taken = self._columns.unit(self.tried).to(unit)
        if not len(taken):
            return torch.ones(len(unit), dtype=torch.bool, device=unit.device)
        return torch.cdist(unit, taken, p=float("inf")).amin(dim=1) > ALIKE

    @property
    def small(self) -> bool:
        """Whether all rows of the space can be looked through."""
        return bool(self._space.size <= ENUMERABLE)

    @property
    def used_up(self) -> bool:
        """Whether all rows of a small space have been tried."""
        if not self.small or len(self.known) + len(self._pending) < len(self._every_row):
            return False
        number = self._space.number
        return bool(torch.isin(number(self._every_row), number(self.tried)).all())

    @cached_property
    def _every_row(self) -> Tensor:
        """All rows `[n, d]` of a small space that may be proposed."""
        rows = self._columns.every_row()
        return rows if self._allowed is None else rows[self._allowed(self._columns.unit(rows)).cpu()]

    def first_new(self, rows: Tensor) -> Tensor:
        """The first of canonical rows `[n, d]` that was not tried, or any such row of a small space; else the first."""
        if self.small:
            rows = torch.cat([rows, self._every_row])
        return rows[int(self.untried(self._columns.unit(rows).cpu()).to(torch.int8).argmax())]

    def even_rows(self, count: int) -> Tensor:
        """The next rows `[count, d]` of a Sobol sequence over the space."""
        if not count:
            return torch.empty(0, self._space.dim, dtype=torch.float64)
        engine: Any = SobolEngine  # torch leaves it untyped
        sobol = engine(self._space.dim, scramble=True, seed=child_seed(self._seed, "sobol"))
        sobol.fast_forward(self.asked)
        rows: Tensor = self._space.from_unit(sobol.draw(count, dtype=torch.float64))
        return rows

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        """All of it."""
        return {"known": self.known.state_dict(), "asked": self.asked, "pending": dict(self._pending)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.known = Candidates.from_state(state["known"])
        self.asked, self._pending = state["asked"], dict(state["pending"])
