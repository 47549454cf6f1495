"""The contract: six nouns and what each promises. Read this file and `moo/search.py`, and you know the system.

A `Tuner` suggests a `Setting`; a `Generator` proposes solutions for it, has them evaluated by the metered `Problem`
and learns; the resulting `Candidates` enter the `Archive`, whose front an indicator measures. Behind `Metered` every
objective is maximised. These are protocols: a class fulfils one by its members; inheriting from it only takes over the
defaults of the optional ones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from moo.dominance import violation
from moo.space import KINDS, Space

if TYPE_CHECKING:
    from moo.options import Option

PROBLEM_KINDS = ("vector", "environment", "construction", "text")


# --------------------------------------------------------------------------------------------------- what flows
@dataclass(frozen=True)
class Evaluation:
    """What a problem says of `n` solutions, in its own directions.

    Attributes:
        objectives: `[n, m]`; NaN or infinite in a row means that the evaluation failed.
        constraints: `[n, c]`, feasible where `<= 0`, or None.
        std: Standard deviation of each objective's noise, `[n, m]`, or None.
        failed: Rows that could not be evaluated, bool `[n]`, or None.
        reasons: Why, by row number.
        solutions: What was really evaluated `[n, d]`, where it differs from what was asked.
    """

    objectives: Tensor
    constraints: Tensor | None = None
    std: Tensor | None = None
    failed: Tensor | None = None
    reasons: Mapping[int, str] = field(default_factory=dict)
    solutions: Tensor | None = None


_FILL: dict[str, Any] = {
    "f": float("nan"),
    "i": -1,
    "u": 0,
    "b": False,
    "U": "",
}  # what a row lacks, by numpy's kind of dtype


@dataclass(frozen=True)
class Candidates:
    """Evaluated solutions: the record that flows through the loop. Nothing changes one; `rows` and `cat` make others.

    Attributes:
        solutions: `[n, ...]`: canonical rows of a vector problem, finished states, or a policy's id `[n, 1]`.
        objectives: float64 `[n, m]` on the CPU; NaN where the evaluation failed.
        preferences: float64 `[n, m]`; NaN where a row followed none.
        extras: Further columns of `n` entries, tensors or arrays of text: `constraints`, `std`, `failed`, `reason`,
            `id`, `used` (the meter when the row was paid), `setting_row`, and a policy's weights `parameters.NAME`.
    """

    solutions: Tensor
    objectives: Tensor
    preferences: Tensor
    extras: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self)
        columns = {"objectives": self.objectives, "preferences": self.preferences, **self.extras}
        wrong = {name: column.shape[0] for name, column in columns.items() if column.shape[0] != n}
        if wrong:
            raise ValueError(f"Candidates should hold as many rows in every column as solutions ({n}). Found {wrong}.")

    def __len__(self) -> int:
        return self.solutions.shape[0]  # `len` of a tensor costs five times as much

    @classmethod
    def of(cls, solutions: Tensor, objectives: Tensor, preferences: Tensor | None = None, **extras: Any) -> Candidates:
        """Make a record; preferences are NaN where none are given."""
        if preferences is None:
            preferences = torch.full_like(objectives, float("nan"))
        return cls(solutions, objectives, preferences, extras)

    @classmethod
    def empty(
        cls, solution_shape: Sequence[int], num_objectives: int, dtype: torch.dtype = torch.float64
    ) -> Candidates:
        """A record of no rows, for solutions of the given shape."""
        none = torch.empty(0, num_objectives, dtype=torch.float64)
        return cls(torch.empty(0, *solution_shape, dtype=dtype), none, none)

    def rows(self, which: Tensor | slice) -> Candidates:
        """Those rows: a slice, a bool mask `[n]` or row numbers, in the order given."""
        if isinstance(which, Tensor) and which.dtype == torch.bool:
            which = torch.nonzero(which).flatten()

        def take(column: Any) -> Any:
            if isinstance(which, slice):
                return column[which]
            return column.index_select(0, which) if isinstance(column, Tensor) else column[which.numpy()]

        extras = {name: take(column) for name, column in self.extras.items()}
        return Candidates(take(self.solutions), take(self.objectives), take(self.preferences), extras)

    def with_extras(self, **extras: Any) -> Candidates:
        """The same rows with these further columns."""
        return Candidates(self.solutions, self.objectives, self.preferences, {**self.extras, **extras})

    def without_parameters(self) -> Candidates:
        """The same rows without the weights of policies (`parameters.*`)."""
        extras = {key: value for key, value in self.extras.items() if not key.startswith("parameters.")}
        return Candidates(self.solutions, self.objectives, self.preferences, extras)

    @staticmethod
    def cat(parts: Sequence[Candidates]) -> Candidates:
        """One record after the other; a column that a part lacks is filled: NaN, -1 (0 in bytes), False or ""."""
        full = [part for part in parts if len(part)] or list(parts[:1])
        if len(full) == 1:
            return full[0]
        keys = list(dict.fromkeys(key for part in full for key in part.extras))
        return Candidates(
            torch.cat([part.solutions for part in full]),
            torch.cat([part.objectives for part in full]),
            torch.cat([part.preferences for part in full]),
            {key: _join([part.extras.get(key) for part in full], [len(part) for part in full]) for key in keys},
        )

    @property
    def failed(self) -> Tensor:
        """Rows whose evaluation failed, bool `[n]`."""
        failed = self.extras.get("failed")
        return torch.zeros(len(self), dtype=torch.bool) if failed is None else failed

    @property
    def violation(self) -> Tensor:
        """The summed violation of the constraints `[n]`; 0 where feasible or unconstrained."""
        constraints = self.extras.get("constraints")
        return torch.zeros(len(self), dtype=torch.float64) if constraints is None else violation(constraints)

    def state_dict(self) -> dict[str, Any]:
        """The columns as a tree of tensors and arrays."""
        fixed = {"solutions": self.solutions, "objectives": self.objectives, "preferences": self.preferences}
        return {**fixed, "extras": dict(self.extras)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Candidates:
        """Read what `state_dict` wrote."""
        return cls(**state)


def _join(columns: Sequence[Any], lengths: Sequence[int]) -> Any:
    """Concatenate one extra column; a part that lacks it (None) is filled."""
    model = next(column for column in columns if column is not None)
    if isinstance(model, Tensor):
        fill = float("nan") if model.is_floating_point() else 0 if model.dtype in (torch.bool, torch.uint8) else -1
        shape = model.shape[1:]
        return torch.cat(
            [model.new_full((n, *shape), fill) if c is None else c for c, n in zip(columns, lengths, strict=True)]
        )
    return np.concatenate([np.full(n, "") if c is None else c for c, n in zip(columns, lengths, strict=True)])


@dataclass(frozen=True)
class Setting:
    """What a tuner hands to a generator: preferences `[k, m]` and values of the options that may change in a run."""

    preferences: Tensor | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Oracle:
    """Exact truths about a problem, in its own directions.

    Attributes:
        front: Points of the exact Pareto front, `[n, m]`: all of it where it is finite, else evenly taken.
    """

    front: Tensor


# --------------------------------------------------------------------------------------------------- problems
class Problem(Protocol):
    """A stateless multi-objective problem. It alone knows how a solution gets values; `Metered` does the counting."""

    kind: str
    name: str
    num_objectives: int
    directions: tuple[str, ...]
    objective_names: tuple[str, ...] = ()
    unit: str = "evaluations"
    stochastic: bool = False
    num_constraints: int = 0
    reference_point: Tensor | None = None  # [m], for hypervolume, in the problem's own directions
    reference_front: Tensor | None = None  # [n, m], may be approximate: the problem's docstring says so
    oracle: Oracle | None = None

    def __repr__(self) -> str:
        name = getattr(self, "spec", None) or getattr(self, "name", type(self).__name__)
        return f"{type(self).__name__}({name}: {self.kind}, {', '.join(getattr(self, 'directions', ()))})"


class VectorProblem(Problem, Protocol):
    """Solutions are rows of a space. Unit: evaluations."""

    kind: str = "vector"
    space: Space

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:
        """Objectives `[n, m]` of canonical rows `[n, d]`; `generator` is given where the problem is stochastic."""
        ...


class EnvironmentProblem(Problem, Protocol):
    """Batched sequential decisions; the objectives are a policy's expected discounted returns. Unit: transitions."""

    kind: str = "environment"
    unit: str = "transitions"
    observation_space: Space
    action_space: Space  # one categorical column: discrete actions; real columns: continuous ones
    gamma: float
    max_steps: int

    def reset(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """The state of `n` fresh copies, one tensor `[n, ...]`."""
        ...

    def step(
        self, state: Tensor, actions: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One action each `[n]` or `[n, a]`: state, rewards `[n, m]`, terminated `[n]`, truncated `[n]`. No reset."""
        ...

    def observe(self, state: Tensor) -> Tensor:
        """What a policy sees, `[n, o]`."""
        ...

    def action_mask(self, state: Tensor) -> Tensor | None:
        """Legal discrete actions, bool `[n, a]`; None: all are."""
        ...


class ConstructionProblem(Problem, Protocol):
    """Objects built action by action, deterministic and acyclic; only `evaluate` is counted. Unit: evaluations.

    All methods follow the device of the states they are given. A problem may also have `potential(state [n, ...])`, the
    objectives `[n, m]` of unfinished states, for losses that look at the reward so far.
    """

    kind: str = "construction"
    num_actions: int
    max_steps: int
    feature_sizes: tuple[int, ...]
    unit_objectives: bool = False  # every objective is maximised, from about 0 (worthless) to 1 (ideal)
    potential_costs: bool = False  # whether `potential`, where there is one, takes an evaluation of each state

    def start(self, n: int) -> Tensor:
        """The empty object, `n` times: integer state `[n, ...]`."""
        ...

    def step(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The next states and which are finished, bool `[n]`."""
        ...

    def undo(self, state: Tensor, actions: Tensor) -> Tensor:
        """The states from which `actions [n]` led here."""
        ...

    def action_mask(self, state: Tensor) -> Tensor:
        """Legal actions, bool `[n, num_actions]`."""
        ...

    def backward_mask(self, state: Tensor) -> Tensor:
        """Actions that can have been the last, bool `[n, num_actions]`; none at the start."""
        ...

    def features(self, state: Tensor) -> Tensor:
        """What a policy reads: whole numbers `[n, f]` from 0, those of column j below `feature_sizes[j]`.

        All that matters: states of equal features have the same legal actions, these lead to equal features, and
        finished states of equal features have equal objectives.
        """
        ...

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:
        """Objectives `[n, m]` of finished states."""
        ...

    def decode(self, solutions: Tensor) -> list[str]:
        """Finished states as a person reads them."""
        ...


class TextProblem(Problem, Protocol):
    """Completions of prompts, scored; the language model belongs to the generator. Unit: completions."""

    kind: str = "text"
    unit: str = "completions"

    def prompts(self, n: int, generator: torch.Generator) -> list[str]:
        """Draw `n` prompts."""
        ...

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> Tensor:
        """Objectives `[n, m]` of each completion."""
        ...


# --------------------------------------------------------------------------------------------------- methods
class Generator(Protocol):
    """A method: proposes, has evaluated, learns. Its constructor takes

    `(problem: Metered, *, budget: int, seed: int, device: str, initial: Candidates | None = None, **options)`,
    the options already complete (`resolve_options`). It decides from its own saved counters, never from a setting's
    identity. A batch that the budget cuts short is the leading part of the whole one: a larger budget can go on.
    """

    kinds: ClassVar[tuple[str, ...]]  # of problem
    columns: ClassVar[tuple[str, ...]] = ("real", "integer", "categorical")  # of a vector problem
    observations: ClassVar[tuple[str, ...]] = ("real", "integer", "categorical")  # of an environment
    actions: ClassVar[tuple[str, ...]] = ("real", "integer", "categorical")  # of an environment
    encodings: ClassVar[tuple[str, ...]] = ()  # it accepts
    max_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = False  # whether it takes constrained problems
    uses_preferences: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {}
    schedules_by_budget: ClassVar[bool] = False  # where False, a larger budget continues an old run

    wants_setting: bool = False  # the setting in force has run its course
    preferences_per_round: int = 0  # 0: this stage takes none
    finished: str = ""  # why nothing is left to do, such as a space used up

    def step(self, setting: Setting | None) -> Candidates:
        """A few seconds of work at most: the unit of history, checkpoint and Ctrl-C."""
        ...

    def finals(self) -> Candidates | None:
        """What the last population or policies gave; None where the method keeps none."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on: a tree of tensors, arrays and JSON values."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken."""
        ...


@runtime_checkable
class Conditional(Protocol):
    """A generator that answers any preference once trained."""

    def sample(self, preferences: Tensor, seed: int = 0) -> Tensor:
        """Solutions `[k, ...]` for preferences `[k, m]`; never learns, never evaluates."""
        ...


@runtime_checkable
class Acting(Protocol):
    """A generator whose candidates are policies: their weights stand in `parameters.*`.

    `draws_actions` (taken for True where it is missing) says whether `act` uses its generator. Where neither policies
    nor the environment draw anything, one episode says all, and nothing is evaluated anew.
    """

    def act(
        self,
        candidates: Candidates,
        observations: Tensor,
        mask: Tensor | None,
        time: int,
        generator: torch.Generator,
    ) -> Tensor:
        """One action of each policy, `[n]` or `[n, a]`: row i of `candidates` sees row i of `observations [n, o]`.

        `mask` are the legal actions, if not all are; `time` the steps taken since the episode began.
        """
        ...


@runtime_checkable
class AskTell(Protocol):
    """A generator that can be driven from outside, in inside directions.

    `own_points` (a class attribute, taken for False where it is missing) says whether `tell` also takes rows that were
    not asked for, with `id` -1; `missing_objectives`, likewise, whether it takes rows of which some objectives are NaN.
    """

    def ask(self, n: int) -> Candidates:
        """At most `n` rows with `id` and NaN objectives; none while it waits for outstanding ones."""
        ...

    def tell(self, candidates: Candidates) -> None:
        """Evaluated rows with the `id` they were asked under, any subset, in any order."""
        ...


class Tuner(Protocol):
    """Chooses the settings. Constructor: `(problem, *, budget, seed, hyperparameters, **options)`.

    `hyperparameters` are the generator's options that may change in a run.
    """

    options: ClassVar[Mapping[str, Option]] = {}

    def suggest(self, k: int) -> Setting:
        """A setting with `k` preferences."""
        ...

    def observe(self, setting: Setting, candidates: Candidates, cost: int) -> None:
        """What a setting brought, and what it cost (training included), in the problem's unit."""

    def state_dict(self) -> dict[str, Any]:
        """All that the next suggestion depends on."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken."""
        ...


def _aliens(what: str, taken: Sequence[str], alien: Sequence[str]) -> str:
    return f"it takes {', '.join(taken)} {what}, not {', '.join(alien)}"


def unsuitable(method: Any, problem: Problem) -> str:
    """Why a generator class does not take a problem, from what both declare; empty where it does."""
    kinds = method.kinds
    checks: list[tuple[bool, Callable[[], str]]] = [
        (problem.kind in kinds, lambda: f"it takes {' and '.join(kinds)} problems, this one is {problem.kind}"),
        (
            method.max_objectives is None or problem.num_objectives <= method.max_objectives,
            lambda: f"it takes at most {method.max_objectives} objectives, this problem has {problem.num_objectives}",
        ),
        (
            method.constraints or not problem.num_constraints,
            lambda: f"it takes no constraints, this problem has {problem.num_constraints}",
        ),
    ]
    spaces = {"columns": "space", "observations": "observation_space", "actions": "action_space"}
    for what, name in spaces.items():
        space, taken = getattr(problem, name, None), getattr(method, what, KINDS)
        alien = sorted(space.kinds - set(taken)) if space is not None else []
        checks.append((not alien, functools.partial(_aliens, what, taken, alien)))
    return next((message() for fine, message in checks if not fine), "")
