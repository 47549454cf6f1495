"""A plain Python function as a problem: whole batches or single rows, in this process or in several."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moo.base import Evaluation, VectorProblem
from moo.checks import check_count
from moo.directions import check_directions
from moo.space import Space

IN_TABLES = ("used", "failed", "id", "reason", "std", "object")  # columns beside those of solutions and objectives


class CallableProblem(VectorProblem):
    """A function of one row `[d]` or of rows `[n, d]` (numpy arrays) as a vector problem.

    Args:
        function: Gives `[m]` or `[n, m]` numbers. What it raises for a row makes that row a failed one.
        space: A `Space`, or a list of columns or `(low, high)` bounds.
        directions: `"min"`, `"max"` or one per objective.
        num_objectives: m, where `directions` is a single word.
        objective_names: What tables, axes and files call the objectives, one each; by default f1, f2, ...
        constraints: A function that gives `[c]` or `[n, c]`, feasible where `<= 0`. It is called on the middle of the
            space once, to learn c.
        vectorized: Whether it takes rows `[n, d]`; `"auto"`: found out by `probe`.
        workers: Processes that share the rows of a batch, one row each; a process that dies is a failed row.
        stochastic: Whether calling it twice can give two values.

    Raises:
        TypeError: `function` cannot be called, or `vectorized` is neither a truth value nor `"auto"`.
        ValueError: `space`, `directions` or `num_objectives` are missing or contradict each other, objectives share a
            name, or several workers were asked to share a function of whole batches.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        space: Any,
        directions: str | Sequence[str] | None,
        *,
        num_objectives: int | None = None,
        objective_names: Sequence[str] | None = None,
        constraints: Callable[..., Any] | None = None,
        vectorized: bool | str = "auto",
        workers: int = 1,
        stochastic: bool = False,
        name: str = "",
    ) -> None:
        if not callable(function):
            raise TypeError(f"`problem` should be a function here. Found {type(function).__name__}.")
        if space is None:
            raise ValueError("`space` is missing: a function needs its bounds, as in space=[(0, 1), (0, 5)].")
        self.space = Space.of(space)
        if num_objectives is None:
            if directions is None or isinstance(directions, str):
                raise ValueError(
                    "`directions` should name one direction per objective of a function, as in "
                    'directions=["min", "max"], or be a single word together with `num_objectives`.'
                )
            num_objectives = len(directions)
        self.num_objectives = check_count("num_objectives", num_objectives)
        self.directions = check_directions(directions, self.num_objectives)
        self.objective_names = check_names(objective_names, self.num_objectives, self.space.names)
        if vectorized not in (True, False, "auto"):
            raise TypeError(f'`vectorized` should be True, False or "auto". Found {vectorized!r}.')
        self.workers = check_count("workers", workers)
        if self.workers > 1 and vectorized is True:
            raise ValueError("`workers` share out single rows: leave `vectorized` out, or use one worker.")
        self.vectorized: bool | str = False if self.workers > 1 else vectorized
        self.stochastic = stochastic
        self.name = name or getattr(function, "__qualname__", type(function).__name__)
        self._function = function
        self._pool: Any = None
        self._constraints = constraints
        self.num_constraints = 0 if constraints is None else len(_row(constraints, self._middle(), "constraints"))

    def _middle(self) -> np.ndarray:
        middle: np.ndarray = self.space.canonical(((self.space.lower + self.space.upper) / 2)[None]).numpy()[0]
        return middle

    def probe(self, rows: Tensor) -> Evaluation:
        """Evaluate rows both ways, settle `vectorized` by what comes back, and keep the values.

        A function takes batches where a batch gives one row of objectives for each of its rows, and these equal the
        ones that single rows give, or single rows cannot be had. (On a stochastic function the values are not
        compared.) What gives as many numbers for a row as there are rows here takes none: its batch only looks right,
        turned over, and the rows are left to say that another number of objectives was declared.
        """
        self.vectorized = False
        single = self.evaluate(rows)
        self.vectorized = True
        try:
            batch = self.evaluate(rows)
        except Exception:  # a function of one row may do anything with a batch
            self.vectorized = False
            return single
        turned_over = all(reason == _miscounted(len(rows), self.num_objectives) for reason in single.reasons.values())
        alone = single.failed is not None and bool(single.failed.all()) and not turned_over
        same = torch.allclose(batch.objectives, single.objectives, rtol=1e-9, equal_nan=True)
        self.vectorized = alone or same or self.stochastic
        return batch if self.vectorized else single

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Evaluation:  # noqa: ARG002
        """Objectives `[n, m]` of rows `[n, d]`; see the class for how they are called."""
        rows = solutions.numpy()
        constraints = self._constrain(rows)
        if self.vectorized is True:
            values = np.asarray(_numbers(self._function(rows)), dtype=np.float64)
            if values.shape != (len(rows), self.num_objectives):
                raise ValueError(
                    f"{self.name} should give [{len(rows)}, {self.num_objectives}] numbers for {len(rows)} rows. "
                    f"Found shape {list(values.shape)}."
                )
            return Evaluation(torch.from_numpy(values), constraints)
        outcomes = self._in_turn(rows) if self.workers == 1 else self._in_processes(rows)
        objectives = np.full((len(rows), self.num_objectives), np.nan)
        reasons = {}
        for number, outcome in enumerate(outcomes):
            if isinstance(outcome, str):
                reasons[number] = outcome
            else:
                objectives[number] = outcome
        failed = torch.zeros(len(rows), dtype=torch.bool)
        failed[list(reasons)] = True
        return Evaluation(torch.from_numpy(objectives), constraints, failed=failed, reasons=reasons)

    def _constrain(self, rows: np.ndarray) -> Tensor | None:
        if self._constraints is None:
            return None
        values = [_row(self._constraints, row, "constraints") for row in rows]
        return torch.from_numpy(np.array(values, dtype=np.float64).reshape(len(rows), self.num_constraints))

    def _in_turn(self, rows: np.ndarray) -> list[np.ndarray | str]:
        return [_outcome(self._function, row, self.num_objectives) for row in rows]

    def _in_processes(self, rows: np.ndarray) -> list[np.ndarray | str]:
        """Each row in one of several processes. Where a process dies, the rows it left are tried again one by one."""
        if self._pool is None:
            self._pool = _pool_of(self.workers)
        try:
            outcomes = _share(self._pool, self._function, rows, self.num_objectives)
        except KeyboardInterrupt:  # a second Ctrl-C does not wait for what the processes are at
            self._end_pool()
            raise
        if any(outcome is None for outcome in outcomes):
            self._end_pool()
        for number, outcome in enumerate(outcomes):
            if outcome is None:
                with _pool_of(1) as alone:
                    (outcomes[number],) = _share(alone, self._function, rows[number : number + 1], self.num_objectives)
        return ["the process that evaluated it died" if outcome is None else outcome for outcome in outcomes]

    def _end_pool(self) -> None:
        """End the processes, whatever they are at; the next batch gets others."""
        pool, self._pool = self._pool, None
        pool.shutdown(kill_workers=True)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None}  # a copy in another process makes a pool of its own


def check_names(
    names: Any, num_objectives: int, columns: Sequence[str], what: str = "objective_names"
) -> tuple[str, ...]:
    """Names of objectives, beside those of a space's columns, with which they share tables; None gives none.

    Raises:
        TypeError: They are no list of texts; `what` stands in the message.
        ValueError: Their number is another one, one is empty, stands twice, or means something else in tables.
    """
    if names is None:
        return ()
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"`{what}` should be a list of texts, as in ['cost', 'weight']. Found {names!r}.")
    found = tuple(name.strip() for name in names)
    if len(found) != num_objectives:
        raise ValueError(f"`{what}` should name each of the {num_objectives} objectives. Found {list(found)}.")
    for number, name in enumerate(found):
        if not name or name in (*columns, *IN_TABLES, *found[:number]):
            raise ValueError(
                f"`{what}` should differ from each other, from the columns of the space and from "
                f"{', '.join(IN_TABLES)}, because tables hold them all. Found {name!r}."
            )
    return found


def _pool_of(workers: int) -> Any:
    """Processes that can be handed functions of a script or a notebook; idle ones end after a minute."""
    from joblib.externals.loky import ProcessPoolExecutor  # a pool of our own: the reusable one is joblib's

    return ProcessPoolExecutor(max_workers=workers, timeout=60, initializer=_leave_ctrl_c)


def _leave_ctrl_c() -> None:
    """Leave Ctrl-C, which a terminal sends to all processes, to the one that collects the rows."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _share(
    pool: Any, function: Callable[..., Any], rows: np.ndarray, num_objectives: int
) -> list[np.ndarray | str | None]:
    """What each row gave; None where its process, or another one of the pool, died before it was done."""
    futures = [pool.submit(_outcome, function, row, num_objectives) for row in rows]
    outcomes: list[np.ndarray | str | None] = []
    for future in futures:
        try:
            outcomes.append(future.result())
        except Exception:  # the pool is broken: what was not done yet is lost
            outcomes.append(None)
    return outcomes


def _outcome(function: Callable[..., Any], row: np.ndarray, num_objectives: int) -> np.ndarray | str:
    """A row's objectives `[m]`, or why there are none."""
    try:
        values = _row(function, row, "objectives")
    except Exception as error:  # a user's function may raise anything
        return f"{type(error).__name__}: {error}"
    return values if len(values) == num_objectives else _miscounted(len(values), num_objectives)


def _miscounted(count: int, num_objectives: int) -> str:
    """What is said of a row for which a function gives another number of objectives than were declared."""
    return f"gave {count} number{'s' * (count != 1)} for one row, {num_objectives} objectives were declared"


def _row(function: Callable[..., Any], row: np.ndarray, what: str) -> np.ndarray:
    """What a function gives for one row `[d]` (or for `[1, d]`, where it takes only batches), as numbers `[k]`."""
    try:
        values = _read(function(row.copy()), what)
    except (IndexError, TypeError, ValueError):
        if what == "objectives":
            raise
        values = _read(function(row[None].copy()), what)
    if values.ndim > 1 and values.size != values.shape[-1]:
        raise ValueError(f"{what} of one row should be a list of numbers. Found shape {list(values.shape)}.")
    return values.reshape(-1)


def _read(given: Any, what: str) -> np.ndarray:
    """What a function gave, as an array of numbers."""
    if given is None:
        raise TypeError(f"{what} of one row should be a list of numbers. Found None: is its `return` missing?")
    return np.asarray(_numbers(given), dtype=np.float64)


def _numbers(values: Any) -> Any:
    """Tensors anywhere become arrays."""
    if isinstance(values, Tensor):
        return values.detach().cpu().numpy()
    if isinstance(values, list | tuple):
        return [_numbers(value) for value in values]
    return values
