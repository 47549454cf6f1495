"""Ask and tell: the methods without the loop, for people with a laboratory or a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moo.adapters.callables import check_names
from moo.base import AskTell, Candidates, VectorProblem
from moo.checks import check_count, check_finite_rows, check_matrix
from moo.choosing import find_problem, fitting_methods, set_up
from moo.directions import check_directions, turn
from moo.generators import GENERATORS
from moo.registry import resolve
from moo.result import SearchResult
from moo.run import Run
from moo.search import one_thread
from moo.space import Space
from moo.storage import read_state, write_state

UNLIMITED = 10**12  # evaluations: whoever asks decides when to stop


class Laboratory(VectorProblem):
    """A vector problem whose solutions are evaluated somewhere else."""

    name = "laboratory"
    stochastic = True  # measurements repeat themselves only roughly, unless somebody knows better

    def __init__(
        self, space: Any, directions: tuple[str, ...], num_constraints: int, names: Sequence[str] | None = None
    ) -> None:
        self.space = Space.of(space)
        self.num_objectives = len(directions)
        self.directions = directions
        self.objective_names = check_names(names, self.num_objectives, self.space.names)
        self.num_constraints = num_constraints

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        raise RuntimeError("This problem is evaluated outside: tell what came of the rows that were asked for.")


def optimizer(
    problem_or_space: Any,
    method: str = "auto",
    *,
    num_objectives: int | None = None,
    directions: str | Sequence[str] | None = None,
    objective_names: Sequence[str] | None = None,
    num_constraints: int = 0,
    reference_point: Any = None,
    initial: Any = None,
    options: Mapping[str, Any] | None = None,
    budget: int | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Optimizer:
    """A method that is asked for solutions and told what came of them.

    Args:
        problem_or_space: A registered problem or problem object, or a space: a `Space` or a list of columns or bounds.
        method: One that can be asked, or `"auto"`.
        num_objectives: With a space, where `directions` is a single word.
        directions: With a space: `"min"`, `"max"` or one per objective.
        objective_names: With a space: what tables, axes and files call the objectives; by default f1, f2, ...
        num_constraints: With a space: how many constraints will be told, feasible where `<= 0`.
        reference_point: `[m]` in the problem's directions; else the problem's own; else inferred from the first rows.
        initial: Points already known: `(solutions, objectives[, constraints])`.
        options: The method's own options.
        budget: How many evaluations are planned: `"auto"` chooses by it. None: unknown.
        seed: Of everything random.
        device: Where the method computes.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument breaks a rule, or the method cannot be asked.
    """
    if isinstance(problem_or_space, str) or hasattr(problem_or_space, "kind"):
        own = {"directions": directions, "num_objectives": num_objectives, "objective_names": objective_names}
        problem = find_problem(problem_or_space, **own)
        if num_constraints:
            raise ValueError(f"`num_constraints` is for spaces. {problem.name!r} knows its own: leave it out.")
    else:
        if num_objectives is None and (directions is None or isinstance(directions, str)):
            raise ValueError(
                '`directions` should name one direction per objective, as in directions=["min", "max"], or be a single '
                "word together with `num_objectives`."
            )
        count = len(directions or ()) if num_objectives is None else check_count("num_objectives", num_objectives)
        problem = find_problem(
            Laboratory(
                problem_or_space,
                check_directions(directions, count),
                check_count("num_constraints", num_constraints, low=0),
                objective_names,
            )
        )
    run = set_up(
        problem,
        method,
        budget=UNLIMITED if budget is None else budget,
        reference_point=reference_point,
        initial=initial,
        preferences="auto",
        options=options,
        reevaluations=0,
        seed=seed,
        device=device,
        encodings=False,
    )
    if not isinstance(run.generator, AskTell):
        able = [name for name in fitting_methods(problem) if hasattr(resolve(GENERATORS, name, "method"), "ask")]
        raise ValueError(f"Method {run.config['method']!r} cannot be asked. Methods that can: {', '.join(able)}.")
    return Optimizer(run)


class Optimizer:
    """What `moo.optimizer` makes: `ask`, evaluate, `tell`, in the problem's own directions.

    A population method advances when all rows of a generation are told; until then `ask` may give fewer rows than
    wanted, or none.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._run.watched = False
        self._generator: Any = run.generator
        self._pending: dict[int, Tensor] = {}

    def __repr__(self) -> str:
        config, told = self._run.config, self._run.problem.used
        return f"Optimizer({config['method']} on {config['problem']}: {told:,} told, {len(self._pending):,} pending)"

    def ask(self, n: int = 1) -> Candidates:
        """At most `n` rows to evaluate: `solutions [k, d]` and `extras["id"] [k]`, objectives NaN.

        Raises:
            TypeError, ValueError: `n` is no positive whole number.
        """
        count = check_count("n", n)
        with one_thread():
            asked: Candidates = self._generator.ask(count)
        self._pending.update(zip(asked.extras["id"].tolist(), asked.solutions, strict=True))
        return asked

    def pending(self) -> Candidates:
        """Rows asked for and not told yet, by `id`."""
        ids = sorted(self._pending)
        none = self._run.archive.front.rows(slice(0)).solutions
        solutions = torch.stack([self._pending[i] for i in ids]) if ids else none
        nan = torch.full((len(ids), self._run.problem.num_objectives), float("nan"), dtype=torch.float64)
        return Candidates.of(solutions, nan, id=torch.tensor(ids, dtype=torch.int64))

    def tell(
        self,
        ids: Any = None,
        objectives: Any = None,
        *,
        solutions: Any = None,
        constraints: Any = None,
        std: Any = None,
        failed: Any = None,
    ) -> None:
        """What came of rows, in any order and any subset.

        Args:
            ids: Of rows that were asked for, `[k]`; None together with `solutions`: points of one's own, which enter
                the archive (and the surrogates of methods that have any), not a population already drawn.
            objectives: `[k, m]` in the problem's directions; rows that failed may hold NaN. To methods that take rows
                whose objectives were not all observed, NaN says which were not; such rows enter no archive.
            solutions: Own points `[k, d]`, or what was really evaluated for `ids`.
            constraints: `[k, c]`, feasible where `<= 0`; required where the problem has any.
            std: Standard deviations of the objectives' noise `[k, m]`.
            failed: Which rows could not be evaluated, `[k]`.

        Raises:
            TypeError: An argument cannot be read.
            ValueError: A shape is wrong, an id is not pending, a value of a row that did not fail is not finite, or
                constraints are missing.
        """
        told = self._read(ids, objectives, solutions, constraints, std, failed)
        run = self._run
        run.problem.count(len(told))
        told = told.with_extras(used=torch.arange(run.problem.used - len(told) + 1, run.problem.used + 1))
        for number in told.extras["id"].tolist():
            self._pending.pop(number, None)
        if ids is not None or getattr(self._generator, "own_points", False):
            with one_thread():
                self._generator.tell(told)
        run.take(told.rows(told.failed | torch.isfinite(told.objectives).all(dim=1)))

    def _read(self, ids: Any, objectives: Any, solutions: Any, constraints: Any, std: Any, failed: Any) -> Candidates:
        """The arguments of `tell` as a record, every objective maximised."""
        problem = self._run.problem
        if objectives is None or (ids is None and solutions is None):
            raise ValueError("`tell` needs `objectives`, and `ids` of rows asked for or `solutions` of one's own.")
        numbers = [] if ids is None else [check_count("ids", number, low=0) for number in torch.as_tensor(ids).tolist()]
        unknown = [number for number in numbers if number not in self._pending]
        if unknown or len(set(numbers)) < len(numbers):
            raise ValueError(f"`ids` should be different ones of pending rows. Found {unknown or numbers}.")
        if solutions is None:
            rows = torch.stack([self._pending[number] for number in numbers]) if numbers else torch.empty(0)
        else:
            rows = problem.space.canonical(solutions) if problem.kind == "vector" else torch.as_tensor(solutions)
        k = len(rows) if ids is None else len(numbers)
        if len(rows) != k:
            raise ValueError(f"`solutions` should have as many rows as `ids` ({k}). Found {len(rows)}.")
        values = check_matrix("objectives", objectives, rows=k, columns=problem.num_objectives)
        lost = torch.zeros(k, dtype=torch.bool) if failed is None else torch.as_tensor(failed, dtype=torch.bool)
        if lost.shape != (k,):
            raise ValueError(f"`failed` should have one entry per row ({k}). Found shape {list(lost.shape)}.")
        seen = values[~lost]
        if getattr(self._generator, "missing_objectives", False):
            missing = torch.isnan(seen) & ~torch.isnan(seen).all(dim=1, keepdim=True)
            seen = torch.where(missing, 0.0, seen)
        check_finite_rows("objectives of rows that did not fail", seen)
        extras: dict[str, Any] = {
            "id": torch.tensor(numbers if ids is not None else [-1] * k, dtype=torch.int64),
            "failed": lost,
        }
        if problem.num_constraints and constraints is None:
            raise ValueError(f"`constraints` are missing: the problem has {problem.num_constraints}.")
        for name, given, width in (
            ("constraints", constraints, problem.num_constraints),
            ("std", std, problem.num_objectives),
        ):
            if given is not None:
                extras[name] = check_matrix(name, given, rows=k, columns=width)
                check_finite_rows(f"{name} of rows that did not fail", extras[name][~lost])
        if lost.any():
            values = torch.where(lost[:, None], float("nan"), values)
            extras["reason"] = np.where(lost.numpy(), "told as failed", "")
        return Candidates.of(rows, turn(values, problem.directions), **extras)

    def result(self) -> SearchResult:
        """What was found so far, as `pareto_search` gives it."""
        return self._run.result()

    def state_dict(self) -> dict[str, Any]:
        """All that the next `ask` depends on; `moo.storage.write_state` puts it on disk, `save` does both."""
        return {"run": self._run.state_dict(), "pending": dict(self._pending), "config": self._run.config}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, in this process or another.

        Raises:
            ValueError: It is the state of another optimizer.
        """
        free = ("versions", "budget")
        for key, value in self._run.config.items():
            if key not in free and state["config"].get(key) != value:
                other = state["config"].get(key)
                raise ValueError(f"This is the state of another optimizer: {key} is {other!r} there, {value!r} here.")
        self._run.load_state_dict(state["run"])
        self._pending = {int(number): row for number, row in state["pending"].items()}

    def save(self, folder: str | Path) -> None:
        """Write the state as a folder, replacing an older one whole."""
        write_state(Path(folder), self.state_dict())

    def load(self, folder: str | Path) -> None:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: There is none.
        """
        state = read_state(Path(folder))
        if state is None:
            raise FileNotFoundError(f"{folder} holds no optimizer.")
        self.load_state_dict(state)
