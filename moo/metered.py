"""The meter: the only place that counts cost, turns directions and catches failed rows.

Generators see a problem only through `Metered`. Outside it, objectives are in the problem's own directions; behind it
every one is maximised.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moo.base import AskTell, Candidates, Evaluation, Problem
from moo.checks import check_count, check_finite_rows, check_matrix, check_vector
from moo.directions import turn
from moo.dominance import non_dominated
from moo.journal import Journal, join_evaluations
from moo.seeding import torch_generator

PROBES = 3  # rows that are evaluated both ways to find out whether a function takes whole batches


class Metered:
    """A problem with a budget.

    Args:
        problem: What is wrapped; its static attributes (`kind`, `name`, `space`, `gamma`, ...) are read through.
        budget: What may be spent, in the problem's unit.
        seed: Noise is drawn from streams made of it and of what was used before.
        reference_point: The caller's `[m]`, in the problem's own directions; else the problem's own; else it is
            inferred from the first rows.

    Attributes:
        used: What was spent.
        used_apart: What was spent inside `apart()`: re-evaluations for reports only.
        trimmed: Whether a batch or rollout has been cut short by the budget; what follows depends on the budget.
    """

    def __init__(
        self,
        problem: Problem,
        budget: int,
        seed: int,
        *,
        reference_point: Any = None,
    ) -> None:
        self._problem: Any = problem
        self.budget = check_count("budget", budget)
        self.seed = seed
        self.used = 0
        self.used_apart = 0
        self.trimmed = False
        self._resets = 0
        self._apart = False
        self._journal: Journal | None = None
        own = problem.reference_point if reference_point is None else reference_point
        self._reference: Tensor | None = None
        if own is not None:
            self._reference = turn(check_vector("reference_point", own, problem.num_objectives), problem.directions)
        self._seen: list[Candidates] = []  # the successful rows that the reference point is inferred from

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._problem, name)

    # ------------------------------------------------------------------------------------------ what is left
    @property
    def remaining(self) -> int:
        """What may still be spent; inside `apart()` there is no end to it."""
        return sys.maxsize if self._apart else max(self.budget - self.used, 0)

    def affordable(self, rows: int, steps: int = 1) -> int:
        """How many of `rows`, each of up to `steps` units, still fit; at least one while anything remains.

        A last rollout longer than what remains is cut short by `step`.
        """
        fitting = max(self.remaining // max(steps, 1), min(self.remaining, 1))
        self.trimmed |= fitting < rows
        return min(rows, fitting)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Count evaluations inside separately: they serve a report and steer nothing."""
        before, self._apart = self._apart, True
        try:
            yield
        finally:
            self._apart = before

    def _noise(self, name: str, place: int) -> torch.Generator | None:
        """A stream for this call alone; None where the problem has no noise."""
        return self._stream(name, place) if self._problem.stochastic else None

    def _stream(self, name: str, place: int) -> torch.Generator:
        """A stream for this call alone, another one inside `apart()`."""
        return torch_generator(self.seed, f"{name} apart" if self._apart else name, place)

    def count(self, cost: int) -> None:
        """Note what was spent elsewhere: evaluations that somebody made and told."""
        self._pay(cost)

    def _spent(self) -> int:
        return self.used_apart if self._apart else self.used

    def _pay(self, cost: int) -> None:
        if self._apart:
            self.used_apart += cost
            return
        if cost > self.remaining:
            raise RuntimeError(f"A method asked for {cost} {self.unit}, {self.remaining} remain: see `affordable`.")
        self.used += cost

    def use_journal(self, journal: Journal) -> None:
        """Serve rows already paid for from `journal`, and append new ones to it."""
        self._journal = journal

    # ------------------------------------------------------------------------------------------ vector, construction
    def evaluate(
        self, solutions: Tensor, *, preferences: Tensor | None = None, extras: Mapping[str, Any] | None = None
    ) -> Candidates:
        """Evaluate rows `[n, ...]`, paying one unit each; failed rows come back flagged, with their reason.

        Args:
            solutions: Rows of the space (made canonical), or finished states.
            preferences: `[n, m]` that the rows follow, if any.
            extras: Further columns to carry along.

        Returns:
            Candidates with objectives maximised and the extras `used`, `failed`, and where there are any `reason`,
            `constraints` and `std`.

        Raises:
            RuntimeError: More rows than remain.
            ValueError: The problem returned another number of rows or columns.
        """
        problem = self._problem
        rows = problem.space.canonical(solutions) if problem.kind == "vector" else solutions.detach().cpu()
        n, start = len(rows), self._spent()
        self._pay(n)
        journal = None if self._apart else self._journal
        served = journal.serve(start, rows) if journal is not None else None
        known = 0 if served is None else len(served.objectives)
        parts = [] if served is None else [served]
        if known < n or n == 0:
            fresh = self._evaluate(rows[known:], start + known)
            if journal is not None:
                journal.append(rows[known:], fresh, start + known)
            parts.append(fresh)
        return self._candidates(rows, join_evaluations(parts), start, preferences, extras)

    @property
    def has_potential(self) -> bool:
        """Whether a construction problem says what unfinished states are worth."""
        return hasattr(self._problem, "potential")

    def potential(self, states: Tensor) -> Tensor:
        """What a construction problem says of unfinished states `[n, ...]`: objectives `[n, m]`, maximised, on the CPU.

        One unit each is paid where the problem needs true objectives for it (`potential_costs`).

        Raises:
            ValueError: The shape is wrong or a value is not finite.
        """
        if getattr(self._problem, "potential_costs", False):
            self._pay(len(states))
        values = self._column("potential", self._problem.potential(states), len(states), self._problem.num_objectives)
        check_finite_rows(f"potential of problem {self._problem.name}", values)
        return turn(values, self._problem.directions)

    def probe(self) -> Candidates:
        """Let a function's adapter find out whether it takes whole batches, paying for rows evaluated both ways."""
        n = min(PROBES, self.remaining // 2)
        stream = torch_generator(self.seed, "probe")
        rows = self._problem.space.from_unit(torch.rand(n, self._problem.space.dim, generator=stream))
        evaluation = self._checked(self._problem.probe(rows), rows)
        start = self.used
        self._pay(2 * n)
        if self._journal is not None and not len(self._journal):
            self._journal.append(torch.cat([rows, rows]), join_evaluations([evaluation, evaluation]), start)
        return self._candidates(rows, evaluation, start, None, None)

    def _evaluate(self, rows: Tensor, start: int) -> Evaluation:
        """Ask the problem; where a whole batch raises, each row alone, so that only the faulty ones fail."""
        try:
            result = self._problem.evaluate(rows.clone(), self._noise("noise", start))
        except Exception as error:  # a user's function may raise anything
            if len(rows) == 1:
                lost = torch.full((1, self._problem.num_objectives), float("nan"), dtype=torch.float64)
                return self._checked(Evaluation(lost, reasons={0: f"{type(error).__name__}: {error}"}), rows)
            singles = [rows[i : i + 1] for i in range(len(rows))]
            alone = [self._evaluate(row, start + i) for i, row in enumerate(singles)]
            if any(one.solutions is not None for one in alone):
                alone = [
                    replace(one, solutions=row if one.solutions is None else one.solutions)
                    for one, row in zip(alone, singles, strict=True)
                ]
            return join_evaluations(alone)
        return self._checked(result if isinstance(result, Evaluation) else Evaluation(result), rows)

    def _checked(self, given: Evaluation, rows: Tensor) -> Evaluation:
        """The same evaluation of `rows` in float64 on the CPU, its failed rows marked, each with a reason."""
        problem, n = self._problem, len(rows)
        m, c = problem.num_objectives, problem.num_constraints
        objectives = self._column("objectives", given.objectives, n, m)
        std = None if given.std is None else self._column("std", given.std, n, m)
        failed = torch.from_numpy(~np.isfinite(objectives.numpy()).all(axis=1))  # cheaper than on tensors
        flagged = None
        if given.failed is not None:
            flagged = torch.as_tensor(given.failed).detach().cpu().to(torch.bool)
            if flagged.shape != (n,):
                raise ValueError(
                    f"`failed` returned by problem {problem.name} should have shape [{n}]. Found {list(flagged.shape)}."
                )
            failed = failed | flagged
        constraints = None
        if given.constraints is not None:
            constraints = self._column("constraints", given.constraints, n, c)
            failed = failed | ~torch.isfinite(constraints).all(dim=1)
        elif c and not failed.all():
            raise ValueError(f"Problem {problem.name!r} should return {c} constraints. Found none.")
        elif c:
            constraints = torch.full((n, c), float("nan"), dtype=torch.float64)
        solutions = given.solutions
        if solutions is not None and solutions.shape != rows.shape:
            raise ValueError(
                f"`solutions` returned by problem {problem.name} should have shape {list(rows.shape)}. "
                f"Found {list(solutions.shape)}."
            )
        reasons: dict[int, str] = {}
        if failed.numpy().any():
            for row in torch.nonzero(failed).flatten().tolist():
                reasons[row] = _printable(given.reasons.get(row)) or _why(row, flagged, objectives, constraints)
            objectives = torch.where(failed[:, None], float("nan"), objectives)
        return Evaluation(objectives, constraints, std, failed, reasons, solutions)

    def _column(self, what: str, values: Any, n: int, width: int) -> Tensor:
        return check_matrix(f"{what} returned by problem {self._problem.name}", values, rows=n, columns=width)

    def _candidates(
        self,
        rows: Tensor,
        evaluation: Evaluation,
        start: int,
        preferences: Tensor | None,
        extras: Mapping[str, Any] | None,
    ) -> Candidates:
        """The evaluation as the loop's record, every objective maximised."""
        failed = evaluation.failed
        columns = dict(extras or {})
        columns["used"] = torch.arange(start + 1, start + len(rows) + 1)
        columns["failed"] = failed
        for name in ("constraints", "std"):
            if getattr(evaluation, name) is not None:
                columns[name] = getattr(evaluation, name)
        if evaluation.reasons:
            columns["reason"] = np.array([evaluation.reasons.get(row, "") for row in range(len(rows))])
        objectives = turn(evaluation.objectives, self._problem.directions)
        solutions = rows if evaluation.solutions is None else evaluation.solutions
        return Candidates.of(solutions, objectives, preferences, **columns)

    # ------------------------------------------------------------------------------------------ reference point
    @property
    def rows_for_reference(self) -> int:
        """How many successful feasible rows an inferred reference point rests on: 2 (d + 1), at least 20."""
        space = getattr(getattr(self._problem, "encoded", self._problem), "space", None)
        return 20 if space is None else max(20, 2 * (space.dim + 1))

    @property
    def reference_frozen(self) -> bool:
        """Whether the reference point is final."""
        return self._reference is not None

    @property
    def reference_point(self) -> Tensor | None:
        """The reference point `[m]`, maximised: provisional until frozen, None before the first successful row."""
        if self._reference is not None or not self._seen:
            return self._reference
        return infer_reference_point(Candidates.cat(self._seen))

    def watch(self, candidates: Candidates) -> bool:
        """Take rows into account for an inferred reference point; true when this froze it."""
        if self._reference is not None:
            return False
        fine = candidates.without_parameters().rows(~candidates.failed)
        feasible = fine.violation == 0
        for kind, which in ((True, feasible), (False, ~feasible)):
            rows = fine.rows(which).rows(slice(self.rows_for_reference - self._count_seen(kind)))
            if len(rows):
                self._seen.append(rows)
        return self._count_seen(True) >= self.rows_for_reference and self.freeze_reference()

    def _count_seen(self, feasible: bool) -> int:
        return sum(int(((part.violation == 0) == feasible).sum()) for part in self._seen)

    def freeze_reference(self) -> bool:
        """Make the provisional reference point final; true where there was one to freeze."""
        if self._reference is None and self._seen:
            self._reference = self.reference_point
            return True
        return False

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        """Counters and reference point."""
        return {
            "used": self.used,
            "used_apart": self.used_apart,
            "trimmed": self.trimmed,
            "resets": self._resets,
            "reference": self._reference,
            "seen": [part.state_dict() for part in self._seen] if self._reference is None else [],
            "vectorized": getattr(self._problem, "vectorized", None),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on counting where `state_dict` was taken."""
        self.used, self.used_apart = state["used"], state["used_apart"]
        self.trimmed, self._resets = state["trimmed"], state["resets"]
        self._reference = state["reference"]
        self._seen = [Candidates.from_state(part) for part in state["seen"]]
        if state["vectorized"] is not None:
            self._problem.vectorized = state["vectorized"]


class MeteredEnvironment(Metered):
    """A metered environment: every transition of a running copy is paid.

    Attributes:
        failure: Why copies failed in the last step in which any did.
    """

    failure = "a reward was not finite"

    def reset(self, n: int, device: str | torch.device = "cpu") -> Tensor:
        """The state of `n` fresh copies, on `device`."""
        self._resets += 1
        state: Tensor = self._problem.reset(n, self._noise("reset", self._resets))
        return state.to(device)

    def step(
        self, state: Tensor, actions: Tensor, active: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """One transition of every active copy, paying one unit each.

        Args:
            state: `[n, ...]`.
            actions: `[n]` or `[n, a]`.
            active: Copies still running, bool `[n]`; None: all. The others keep their state and get no reward.

        Returns:
            state, rewards `[n, m]` (maximised), terminated `[n]`, truncated `[n]` (also where the budget ran out),
            failed `[n]`: a reward that is not finite counts as zero and ends its copy.
        """
        problem = self._problem
        active = torch.ones(len(state), dtype=torch.bool, device=state.device) if active is None else active
        running = active
        if not self._apart and int(active.sum()) > self.remaining:
            running = active & (active.cumsum(0) <= self.remaining)
            self.trimmed = True
        place = self._spent()
        self._pay(int(running.sum()))
        self.failure = "a reward was not finite"
        try:
            moved, rewards, terminated, truncated = problem.step(state, actions, self._noise("step", place))
        except Exception as error:  # a user's environment may raise anything: the copies it stepped have failed
            self.failure = f"{type(error).__name__}: {error}"
            rewards = torch.full((len(state), problem.num_objectives), float("nan"), device=state.device)
            moved, terminated, truncated = state, torch.zeros_like(active), torch.zeros_like(active)
        self._column("rewards", rewards, len(state), problem.num_objectives)
        failed = running & ~torch.isfinite(rewards).all(dim=1)
        counted = (running & ~failed)[:, None]
        rewards = torch.where(counted, turn(rewards.to(torch.float64), problem.directions), 0.0)
        state = torch.where((running & ~failed).reshape(-1, *[1] * (state.ndim - 1)), moved, state)
        return state, rewards, (terminated & running) | failed, (truncated & running) | (active & ~running), failed


class MeteredText(Metered):
    """A metered text problem: every completion is paid."""

    def prompts(self, n: int) -> list[str]:
        """Draw `n` prompts."""
        self._resets += 1
        drawn: list[str] = self._problem.prompts(n, self._stream("prompts", self._resets))
        return drawn

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Objectives `[n, m]` (maximised) of completions, paying one unit each, and which of them failed `[n]`."""
        n = len(completions)
        self._pay(n)
        objectives = self._column("scores", self._scores(prompts, completions), n, self._problem.num_objectives)
        failed = ~torch.isfinite(objectives).all(dim=1)
        return turn(objectives, self._problem.directions), failed

    def _scores(self, prompts: Sequence[str], completions: Sequence[str]) -> Tensor:
        """Scores `[n, m]`; where a whole batch raises, each completion alone, NaN where that raises too."""
        try:
            scored: Tensor = self._problem.score(prompts, completions)
        except Exception:  # a user's scorer may raise anything
            if len(completions) == 1:
                return torch.full((1, self._problem.num_objectives), float("nan"), dtype=torch.float64)
            alone = [self._scores([prompt], [text]) for prompt, text in zip(prompts, completions, strict=True)]
            return torch.cat([part.to(torch.float64) for part in alone])
        return scored


def _printable(reason: Any) -> str:
    """A reason as arrays of text can hold it: without zero characters at its end."""
    return "" if reason is None else str(reason).rstrip("\0")


def _why(row: int, flagged: Tensor | None, objectives: Tensor, constraints: Tensor | None) -> str:
    """Why a row failed, where the problem did not say."""
    if not torch.isfinite(objectives[row]).all():
        return f"returned {objectives[row].tolist()}"
    if constraints is not None and not torch.isfinite(constraints[row]).all():
        return f"returned constraints {constraints[row].tolist()}"
    return "flagged as failed, without a reason" if flagged is not None and flagged[row] else "failed"


def metered(problem: Problem, budget: int, seed: int, *, reference_point: Any = None) -> Metered:
    """The meter for a problem's kind."""
    kinds = {"environment": MeteredEnvironment, "text": MeteredText}
    return kinds.get(problem.kind, Metered)(problem, budget, seed, reference_point=reference_point)


def step_by_asking(generator: AskTell, problem: Metered, rows: int) -> Candidates:
    """The `step` of every ask-and-tell generator: ask for what the budget affords, evaluate, tell."""
    asked = generator.ask(problem.affordable(rows))
    if not len(asked):
        return asked
    told = problem.evaluate(asked.solutions, preferences=asked.preferences, extras=asked.extras)
    generator.tell(told)
    return told


def infer_reference_point(candidates: Candidates) -> Tensor:
    """A reference point `[m]` from evaluated rows (maximised): nadir minus .1 of the range of the non-dominated ones.

    Feasible rows are taken where there are any, and all of these where fewer than two are non-dominated. An objective
    without any range gets .1 of its size, so that the points still count.
    """
    feasible = candidates.violation == 0
    objectives = candidates.objectives[feasible] if feasible.any() else candidates.objectives
    best = objectives[non_dominated(objectives)]
    if len(best) > 1:
        objectives = best
    low, high = objectives.amin(dim=0), objectives.amax(dim=0)
    span = torch.where(high > low, high - low, low.abs().clamp(min=1.0))
    return low - 0.1 * span
