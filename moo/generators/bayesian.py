"""Bayesian optimization with the expected improvement of the hypervolume in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, cast

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from moo.base import Candidates, Setting
from moo.bayes.beliefs import Beliefs
from moo.bayes.borrowed import BORROWED, CONSTRAINED, NEED_BOTORCH, best_of_borrowed, borrowed
from moo.bayes.columns import Columns
from moo.bayes.feasibility import SuccessModel
from moo.bayes.gaussian_processes import ITERATIONS, KERNELS
from moo.bayes.limits import Limits
from moo.bayes.maximise import best_rows
from moo.bayes.surrogates import FromModel
from moo.dominance import non_dominated
from moo.metered import Metered, step_by_asking
from moo.options import Option
from moo.seeding import child_seed, quiet_fork, torch_generator

ENUMERABLE = 65_536  # rows of a space up to which what has not been tried yet is looked up
ALIKE = 1e-6  # rows of the unit cube nearer than this in every column are the same proposal
DRAWS = 512  # of a proposal's values, for the standard deviation of its gain


class Bayesian:
    """Gaussian processes, and the point whose expected improvement of the hypervolume is largest.

    Sources: Emmerich, Giannakoglou and Naujoks 2006 (the criterion); Yang, Emmerich, Deutz and Back 2019 (its closed
    form over boxes); Ament, Daulton, Eriksson, Balandat and Bakshy 2023 (its logarithm); Daulton, Balandat and Bakshy
    2021 (averaging it over what noise leaves open). See docs/methods/bayesian.md.

    Where values are noisy, rows are pending or objectives missing, the improvement is averaged over joint draws of the
    true values there, each with its own front and its own processes conditioned on the draw.
    """

    kinds: ClassVar[tuple[str, ...]] = ("vector",)
    columns: ClassVar[tuple[str, ...]] = ("real", "integer", "categorical")
    encodings: ClassVar[tuple[str, ...]] = ()
    max_objectives: ClassVar[int | None] = 10
    constraints: ClassVar[bool] = True
    uses_preferences: ClassVar[bool] = False
    schedules_by_budget: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {
        "batch": Option(1, low=1, high=100, help="points of a proposal, chosen one after the other"),
        "initial_points": Option(0, low=0, high=10_000, help="Sobol points first; 0: max(2 (d + 1), 10)"),
        "centre": Option(False, help="begin with the centre of the space"),
        "limits": Option(None, help="rows a_1 ... a_d b: propose only where a_1 x_1 + ... + a_d x_d <= b"),
        "acquisition": Option("auto", choices=("auto", *BORROWED), help="auto: our own; else BoTorch's of that name"),
        "surrogate": Option("batched", help="batched, botorch, saas, or module:function(inputs, values)"),
        "kernel": Option("auto", choices=("auto", *KERNELS), help="auto: matern, or rbf where values are noisy"),
        "output_scale": Option(True, help="learn how far values stray, beside how fast"),
        "noise": Option("auto", choices=("auto", "learned", "none"), help="auto: learned where the problem is noisy"),
        "raw_samples": Option(512, low=16, high=100_000, help="points that the starts are chosen from"),
        "restarts": Option(4, low=1, high=1000, help="starts of the search for the best point"),
        "fantasies": Option(128, low=1, high=1024, help="draws of what is not known of rows evaluated or pending"),
    }
    own_points: ClassVar[bool] = True
    missing_objectives: ClassVar[bool] = True
    wants_setting = False
    preferences_per_round = 0
    finished = ""

    def __init__(
        self,
        problem: Metered,
        *,
        budget: int,  # noqa: ARG002
        seed: int,
        device: str,
        initial: Candidates | None = None,
        batch: int,
        initial_points: int,
        centre: bool,
        limits: Any,
        acquisition: str,
        surrogate: str,
        kernel: str,
        output_scale: bool,
        noise: str,
        raw_samples: int,
        restarts: int,
        fantasies: int,
    ) -> None:
        self.problem = problem
        self._seed, self._device = seed, device
        self._columns = Columns(problem.space, device)
        self._batch, self._centre = batch, centre
        self._first = initial_points or max(2 * (problem.space.dim + 1), 10)
        self._borrowed = "" if acquisition == "auto" else acquisition
        self._limits = None if limits is None else Limits(self._columns, limits)
        self._check_borrowed(surrogate)
        self._beliefs = Beliefs(
            problem,
            self._columns,
            seed=seed,
            surrogate=surrogate,
            kernel=kernel,
            scaled=output_scale,
            noise=noise,
            fantasies=fantasies,
        )
        self._raw, self._restarts = raw_samples, restarts
        self._known = Candidates.empty((problem.space.dim,), problem.num_objectives)
        if initial is not None:
            self._known = initial
            self._first = max(0, self._first - len(initial))
        self._asked = 0
        self._pending: dict[int, list[float]] = {}  # id -> row asked for and not told yet

    def _check_borrowed(self, surrogate: str) -> None:
        if not self._borrowed:
            return
        if self._limits is not None:
            raise ValueError(f"Acquisition {self._borrowed!r} takes no limits. Leave it at 'auto'.")
        if "categorical" in self.problem.space.kinds:
            raise ValueError(f"Acquisition {self._borrowed!r} takes no categorical columns. Leave it at 'auto'.")
        if self.problem.num_constraints and self._borrowed not in CONSTRAINED:
            raise ValueError(
                f"Acquisition {self._borrowed!r} takes no constraints. Those that do: {', '.join(CONSTRAINED)}."
            )
        if self._borrowed in NEED_BOTORCH and surrogate == "batched":
            raise ValueError(f"Acquisition {self._borrowed!r} needs models of BoTorch: add surrogate='botorch'.")

    def step(self, setting: Setting | None) -> Candidates:  # noqa: ARG002
        left = self._first - self._asked
        return step_by_asking(self, self.problem, min(left, 20) if left > 0 else self._batch)

    # ------------------------------------------------------------------------------------------ ask and tell
    def ask(self, n: int) -> Candidates:
        """The next `n` rows: Sobol points first, then the best given what is known and pending.

        Extra columns say why: `gain`, the expected improvement of the hypervolume, and `gain_std`, its standard
        deviation (NaN of rows that no model chose).
        """
        none = Candidates.empty((self.problem.space.dim,), self.problem.num_objectives)
        parts = [none.with_extras(id=torch.empty(0, dtype=torch.int64))]
        for _ in range(n):
            if self._used_up():
                self.finished = "every row of the space has been tried"
                break
            guided = self._asked >= self._first and self._enough()
            part = self._propose() if guided else self._sobol()
            parts.append(part)
            self._pending[self._asked] = part.solutions[0].tolist()
            self._asked += 1
        return Candidates.cat(parts)

    def _enough(self) -> bool:
        """Whether a model can be made: of two rows, every objective seen, and a reference point known."""
        seen = torch.isfinite(self._known.objectives[~self._known.failed])
        whole = not self._borrowed or int(seen.all(dim=1).sum()) >= 2
        return len(seen) >= 2 and whole and bool(seen.any(dim=0).all()) and self.problem.reference_point is not None

    def tell(self, candidates: Candidates) -> None:
        """Evaluated rows: asked for by `id`, or points of one's own; NaN where an objective was not observed."""
        for number in candidates.extras.get("id", torch.empty(0)).tolist():
            self._pending.pop(int(number), None)
        self._known = Candidates.cat([self._known, candidates.without_parameters()])

    def finals(self) -> Candidates | None:
        return None

    def _row(self, row: Tensor, gain: float = float("nan"), gain_std: float = float("nan")) -> Candidates:
        nan = torch.full((1, self.problem.num_objectives), float("nan"), dtype=torch.float64)
        why = {"gain": torch.tensor([gain]).double(), "gain_std": torch.tensor([gain_std]).double()}
        return Candidates.of(row[None], nan, id=torch.tensor([self._asked]), **why)

    def _sobol(self) -> Candidates:
        space = self.problem.space
        if self._centre and not self._asked:
            return self._row(space.from_unit(torch.full((1, space.dim), 0.5))[0])
        if self._limits is not None:
            row = self._columns.rows(self._limits.evenly(self._asked + 1, child_seed(self._seed, "sobol"))[-1:])
            return self._row(self._first_new(row) if space.size <= ENUMERABLE else row[0])
        engine: Any = SobolEngine  # torch leaves it untyped
        sobol = engine(space.dim, scramble=True, seed=child_seed(self._seed, "sobol"))
        sobol.fast_forward(self._asked)
        row = space.from_unit(sobol.draw(1, dtype=torch.float64))
        return self._row(self._first_new(row) if space.size <= ENUMERABLE else row[0])

    # ------------------------------------------------------------------------------------------ proposals
    def _propose(self) -> Candidates:
        """The row of the largest expected improvement that is not known or pending yet."""
        stream = torch_generator(self._seed, "proposal", self._asked)
        known = self._ordered()
        failed = known.failed
        told, tried = known.rows(~failed), self._columns.unit(known.solutions)
        if self._borrowed:
            return self._row(self._first_new(self._columns.rows(self._by_borrowed(told))))
        acquisition = self._beliefs.improvement(told, self._waiting(), stream)
        features = self._columns.features
        success = SuccessModel(features(tried), failed.to(tried.device)) if failed.any() else None

        def worth(rows: Tensor, versions: int | None = None) -> Tensor:
            inputs = features(rows)
            value = acquisition.value(inputs, versions)
            return value if success is None else value + success.log_probability(inputs)

        found = best_rows(
            worth,
            self._columns,
            self._columns.unit(self._best(told).solutions),
            stream,
            raw=self._raw,
            restarts=self._restarts,
            iterations=ITERATIONS,
            limits=self._limits,
        )
        row = self._first_new(self._columns.rows(found))
        inputs = features(self._columns.unit(row[None]))
        with torch.no_grad():
            means, sd = acquisition.surrogate.moments(inputs)
            gain = float(acquisition.value(inputs).exp())
        normal = torch.randn(DRAWS, means.shape[2], generator=stream, dtype=torch.float64).to(means.device)
        gained = acquisition.improvements(means[:, :1] + sd[0] * normal)
        return self._row(row, gain, float(gained.std()))

    def _by_borrowed(self, told: Candidates) -> Tensor:
        """What one of BoTorch's functions and its search propose, and random points should that be known: `[k, d]`."""
        told = told.rows(torch.isfinite(told.objectives).all(dim=1))
        rows, outputs, surrogate = self._beliefs.about(told)
        model: Any = surrogate.model if isinstance(surrogate, FromModel) else surrogate
        point, dim = cast(Tensor, self.problem.reference_point).to(outputs), self.problem.space.dim
        pending = self._columns.unit(self._waiting())
        seed = child_seed(self._seed, "borrowed", self._asked)
        with quiet_fork(seed):
            acquisition = borrowed(self._borrowed, model, rows, outputs, point, pending, seed)
            found = best_of_borrowed(acquisition, dim, raw=self._raw, restarts=self._restarts, like=rows)
            return torch.cat([found.cpu(), torch.rand(16, dim, dtype=torch.float64)])

    def _best(self, told: Candidates) -> Candidates:
        """Rows of the front so far; the least violating one where nothing is feasible."""
        complete = told.rows(torch.isfinite(told.objectives).all(dim=1))
        feasible = complete.violation == 0
        if len(complete) and not feasible.any():
            return complete.rows(complete.violation.argmin()[None])
        fine = complete.rows(feasible)
        return fine.rows(non_dominated(fine.objectives))

    def _first_new(self, rows: Tensor) -> Tensor:
        """The first of canonical rows that is neither known nor pending, or any such row of a small space."""
        taken = self._columns.unit(self._tried()).cpu()
        if not len(taken):
            return rows[0]
        if self.problem.space.size <= ENUMERABLE:
            rows = torch.cat([rows, self._every_row])
        apart = torch.cdist(self._columns.unit(rows).cpu(), taken, p=float("inf")).amin(dim=1) > ALIKE
        return rows[int(apart.to(torch.int8).argmax())]

    def _tried(self) -> Tensor:
        """The rows known or pending, `[n, d]`."""
        return torch.cat([self._known.solutions, self._waiting()])

    def _used_up(self) -> bool:
        """Whether all rows of a small space have been tried."""
        if self.problem.space.size > ENUMERABLE or len(self._known) + len(self._pending) < len(self._every_row):
            return False
        number = self.problem.space.number
        return bool(torch.isin(number(self._every_row), number(self._tried())).all())

    @cached_property
    def _every_row(self) -> Tensor:
        """All rows `[n, d]` of a small space that may be proposed."""
        rows = self._columns.every_row()
        return rows if self._limits is None else rows[self._limits.allowed(self._columns.unit(rows)).cpu()]

    # ------------------------------------------------------------------------------------------ rows
    def _ordered(self) -> Candidates:
        """What is known, in an order that does not depend on the order in which it was told."""
        ids = self._known.extras.get("id")
        return self._known if ids is None else self._known.rows(ids.argsort(stable=True))

    def _waiting(self) -> Tensor:
        """The pending rows, `[k, d]`."""
        rows = [self._pending[number] for number in sorted(self._pending)]
        return torch.tensor(rows, dtype=torch.float64).reshape(-1, self.problem.space.dim)

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        known, fit = self._known.state_dict(), self._beliefs.state_dict()
        return {"known": known, "asked": self._asked, "pending": dict(self._pending), "fit": fit}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._known = Candidates.from_state(state["known"])
        self._asked, self._pending = state["asked"], dict(state["pending"])
        self._beliefs.load_state_dict(state["fit"])
