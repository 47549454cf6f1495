"""Bayesian optimization with the expected improvement of the hypervolume in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from botorch.utils.sampling import draw_sobol_normal_samples
from torch import Tensor
from torch.quasirandom import SobolEngine

from moo.base import Candidates, Setting
from moo.bayes.feasibility import SuccessModel
from moo.bayes.gaussian_processes import ITERATIONS, KERNELS, GaussianProcesses, first_guess
from moo.bayes.improvement import LogExpectedHypervolumeImprovement, improvement_sd, log_improvement
from moo.bayes.maximise import choose_starts, maximise, raw_points
from moo.bayes.surrogates import FromModel, Surrogate, surrogate_maker
from moo.dominance import non_dominated
from moo.metered import Metered, step_by_asking
from moo.options import Option
from moo.seeding import child_seed, quiet_fork, torch_generator

ALIKE = 1e-6  # rows of the unit cube nearer than this in every column are the same proposal
EVERY_FIT = 200  # rows up to which every proposal fits anew; beyond, when there are 2.5 % more
COLD_FITS = 5  # how often a fit begins from the prior too, not only from the last one
SCREENING = 8  # fantasies that the starts are chosen by
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
    columns: ClassVar[tuple[str, ...]] = ("real", "integer")
    encodings: ClassVar[tuple[str, ...]] = ()
    max_objectives: ClassVar[int | None] = 4
    constraints: ClassVar[bool] = False
    uses_preferences: ClassVar[bool] = False
    schedules_by_budget: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {
        "batch": Option(1, low=1, high=100, help="points of a proposal, chosen one after the other"),
        "initial_points": Option(0, low=0, high=10_000, help="Sobol points first; 0: max(2 (d + 1), 10)"),
        "centre": Option(False, help="begin with the centre of the space"),
        "surrogate": Option("batched", help="batched, botorch, or module:function(inputs, values) -> a BoTorch model"),
        "kernel": Option("auto", choices=("auto", *KERNELS), help="auto: matern, or rbf where values are noisy"),
        "output_scale": Option(True, help="learn how far values stray, beside how fast"),
        "noise": Option("auto", choices=("auto", "learned", "none"), help="auto: learned where the problem is noisy"),
        "raw_samples": Option(512, low=16, high=100_000, help="points that the starts are chosen from"),
        "restarts": Option(4, low=1, high=1000, help="starts of the search for the best point"),
        "fantasies": Option(32, low=1, high=1024, help="draws of what is not known of rows evaluated or pending"),
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
        self._batch, self._centre = batch, centre
        self._first = initial_points or max(2 * (problem.space.dim + 1), 10)
        self._make = None if surrogate == "batched" else surrogate_maker(surrogate)
        self._kernel, self._scaled, self._noise = kernel, output_scale, noise
        self._raw, self._restarts, self._fantasies = raw_samples, restarts, fantasies
        self._known = Candidates.empty((problem.space.dim,), problem.num_objectives)
        if initial is not None:
            self._known = initial
            self._first = max(0, self._first - len(initial))
        self._asked = 0
        self._pending: dict[int, list[float]] = {}  # id -> row asked for and not told yet
        self._fit = Fit()

    def step(self, setting: Setting | None) -> Candidates:  # noqa: ARG002
        left = self._first - self._asked
        return step_by_asking(self, self.problem, min(left, 20) if left > 0 else self._batch)

    # ------------------------------------------------------------------------------------------ ask and tell
    def ask(self, n: int) -> Candidates:
        """The next `n` rows: Sobol points first, then the best given what is known and pending.

        Extra columns say why: `gain`, the expected improvement of the hypervolume, and `gain_std`, its standard
        deviation (NaN of rows that no model chose).
        """
        parts = []
        for _ in range(n):
            guided = self._asked >= self._first and int((~self._known.failed).sum()) >= 2
            part = self._propose() if guided else self._sobol()
            parts.append(part)
            self._pending[self._asked] = part.solutions[0].tolist()
            self._asked += 1
        return Candidates.cat(parts)

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
        engine: Any = SobolEngine  # torch leaves it untyped
        sobol = engine(space.dim, scramble=True, seed=child_seed(self._seed, "sobol"))
        sobol.fast_forward(self._asked)
        return self._row(space.from_unit(sobol.draw(1, dtype=torch.float64))[0])

    # ------------------------------------------------------------------------------------------ proposals
    def _propose(self) -> Candidates:
        """The row of the largest expected improvement that is not known or pending yet."""
        stream = torch_generator(self._seed, "proposal", self._asked)
        known = self._ordered()
        failed = known.failed
        told, tried = known.rows(~failed), self._unit(known.solutions)
        acquisition = self._acquisition(told, stream)
        success = SuccessModel(tried, failed.to(tried.device)) if failed.any() else None

        def worth(rows: Tensor, versions: int | None = None) -> Tensor:
            value = acquisition.value(rows, versions)
            return value if success is None else value + success.log_probability(rows)

        complete = torch.isfinite(told.objectives).all(dim=1)
        best = told.rows(complete)
        good = self._unit(best.rows(non_dominated(best.objectives)).solutions).cpu()
        raw = raw_points(good, self.problem.space.dim, self._raw, stream).to(tried)
        with torch.no_grad():
            values = worth(raw, SCREENING)
        starts = raw[choose_starts(values.cpu(), self._restarts, stream).to(raw.device)]
        found, _ = maximise(worth, starts, iterations=ITERATIONS)
        rest = raw[values.argsort(descending=True, stable=True)].cpu()
        row = self._first_new(torch.cat([found.cpu(), rest]), tried.cpu())
        means, sd = acquisition.surrogate.moments(self._unit(row[None]))
        cells = (acquisition.lower, acquisition.upper, acquisition.real)
        normal = torch.randn(DRAWS, means.shape[2], generator=stream, dtype=torch.float64).to(means.device)
        gain = float(log_improvement(means, sd, *cells).exp())
        return self._row(row, gain, float(improvement_sd(means[:, 0], sd[0], *cells, normal)))

    def _first_new(self, unit: Tensor, tried: Tensor) -> Tensor:
        """The first row that is neither known nor pending, canonical; the first where all are."""
        rows = self._canonical(unit)
        taken = tried if not self._pending else torch.cat([tried, self._unit(self._waiting()).cpu()])
        apart = torch.cdist(self._unit(rows).cpu(), taken, p=float("inf")).amin(dim=1) > ALIKE
        return rows[int(apart.to(torch.int8).argmax())]

    def _acquisition(self, told: Candidates, stream: torch.Generator) -> LogExpectedHypervolumeImprovement:
        """The expected improvement, given rows that did not fail and those that are pending."""
        point = self.problem.reference_point  # there are successful rows by now
        assert point is not None
        objectives = told.objectives.to(self._device)
        rows = self._unit(told.solutions)
        noisy = self._noisy(told)
        model = self._model(rows, objectives, told.extras.get("std"), noisy)
        complete = torch.isfinite(objectives).all(dim=1)
        waiting = self._unit(self._waiting()) if self._pending else rows[:0]
        exact, unsure = objectives[complete], torch.cat([rows[~complete], waiting])
        if noisy:
            exact, unsure = exact[:0], torch.cat([rows, waiting])
            unsure = unsure[self._plausible(model, unsure, stream)]
        if not len(unsure):
            return LogExpectedHypervolumeImprovement(model, point, exact)
        drawn = model.samples(unsure, self._normal(self._fantasies, len(unsure), stream))
        fronts = torch.cat([exact.expand(self._fantasies, -1, -1), drawn], dim=1)
        return LogExpectedHypervolumeImprovement(model.conditioned(unsure, drawn), point, fronts)

    def _plausible(self, model: Surrogate, rows: Tensor, stream: torch.Generator) -> Tensor:
        """Which rows are on the front in at least one of many draws of their true values, bool `[n]`."""
        drawn = model.samples(rows, self._normal(64, len(rows), stream))
        return torch.stack([non_dominated(values.cpu()) for values in drawn]).any(dim=0).to(rows.device)

    def _normal(self, count: int, rows: int, stream: torch.Generator) -> Tensor:
        """Standard normal numbers `[count, rows, m]`, evenly spread (Sobol) where they are not too many."""
        m, seed = self.problem.num_objectives, int(torch.randint(2**31 - 1, (1,), generator=stream))
        if rows * m > SobolEngine.MAXDIM:
            flat = torch.randn(count, rows * m, generator=stream, dtype=torch.float64)
        else:
            flat = draw_sobol_normal_samples(rows * m, count, dtype=torch.float64, seed=seed)
        return flat.reshape(count, rows, m).to(self._device)

    def _model(self, rows: Tensor, objectives: Tensor, std: Tensor | None, noisy: bool) -> Surrogate:
        """The surrogate of these rows; our own is fitted where enough is new."""
        if self._make is not None:
            with quiet_fork(child_seed(self._seed, "surrogate", len(rows))):
                return FromModel(self._make(rows, objectives))
        n, m, d = len(rows), self.problem.num_objectives, self.problem.space.dim
        starts = self._fit.parameters
        due = starts is None or (n != self._fit.rows if n <= EVERY_FIT else n >= 1.025 * self._fit.rows)
        cold = first_guess(m, d, rows)
        if starts is None:
            begin = cold[None]
        else:
            often = due and self._fit.count % COLD_FITS == 0
            begin = torch.stack([starts.to(rows), cold]) if often else starts.to(rows)[None]
        model = GaussianProcesses(
            rows,
            objectives,
            std=None if std is None else std.to(rows),
            kernel=("rbf" if noisy else "matern") if self._kernel == "auto" else self._kernel,
            scaled=self._scaled,
            noisy=noisy,
            starts=begin,
            iterations=ITERATIONS if due else 0,
        )
        if due:
            self._fit = Fit(model.hyperparameters.cpu(), n, self._fit.count + 1)
        return model

    def _noisy(self, told: Candidates) -> bool:
        if self._noise == "auto":
            return bool(self.problem.stochastic) or "std" in told.extras
        return self._noise == "learned"

    # ------------------------------------------------------------------------------------------ rows
    def _ordered(self) -> Candidates:
        """What is known, in an order that does not depend on the order in which it was told."""
        ids = self._known.extras.get("id")
        return self._known if ids is None else self._known.rows(ids.argsort(stable=True))

    def _waiting(self) -> Tensor:
        """The pending rows, `[k, d]`."""
        return torch.tensor([self._pending[number] for number in sorted(self._pending)], dtype=torch.float64)

    def _unit(self, rows: Tensor) -> Tensor:
        """Canonical rows on the unit cube, on the device."""
        space = self.problem.space
        span = torch.where(space.upper > space.lower, space.upper - space.lower, 1.0)
        unit: Tensor = ((rows - space.lower) / span).to(self._device)
        return unit

    def _canonical(self, unit: Tensor) -> Tensor:
        """Rows of the unit cube as canonical ones, whole numbers rounded."""
        space = self.problem.space
        rows: Tensor = space.canonical(space.lower + unit.cpu() * (space.upper - space.lower))
        return rows

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        fit = {"parameters": self._fit.parameters, "rows": self._fit.rows, "count": self._fit.count}
        return {"known": self._known.state_dict(), "asked": self._asked, "pending": dict(self._pending), "fit": fit}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._known = Candidates.from_state(state["known"])
        self._asked, self._pending = state["asked"], dict(state["pending"])
        self._fit = Fit(**state["fit"])


@dataclass(frozen=True)
class Fit:
    """The hyperparameters last fitted `[m, d + 3]`, to how many rows, and the how-manieth time."""

    parameters: Tensor | None = None
    rows: int = 0
    count: int = 0
