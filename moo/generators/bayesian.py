"""Bayesian optimization with the expected improvement of the hypervolume in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from moo.base import Candidates, Setting
from moo.bayes.beliefs import Beliefs
from moo.bayes.borrowed import BORROWED, CONSTRAINED, NEED_BOTORCH, best_of_borrowed, borrowed
from moo.bayes.columns import Columns
from moo.bayes.feasibility import SuccessModel
from moo.bayes.gaussian_processes import ITERATIONS, KERNELS
from moo.bayes.known import KnownObjectives
from moo.bayes.ledger import USED_UP, Ledger
from moo.bayes.limits import Limits
from moo.bayes.maximise import best_rows
from moo.bayes.regions import Region, TrustRegion, standing
from moo.bayes.set_learner import SetCandidates
from moo.bayes.surrogates import FromModel
from moo.dominance import non_dominated
from moo.metered import Metered, step_by_asking
from moo.options import Option
from moo.seeding import child_seed, quiet_fork, torch_generator

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
        "known": Option(None, help="objective@module:function of torch, or several: not learned but computed"),
        "acquisition": Option("auto", choices=("auto", *BORROWED), help="auto: our own; else BoTorch's of that name"),
        "surrogate": Option("batched", help="batched, botorch, saas, or module:function(inputs, values)"),
        "kernel": Option(
            "auto",
            choices=("auto", *KERNELS),
            tuned=("auto", *KERNELS),
            help="auto: matern, or rbf where values are noisy",
        ),
        "output_scale": Option(True, tuned=(True, False), help="learn how far values stray, beside how fast"),
        "noise": Option("auto", choices=("auto", "learned", "none"), help="auto: learned where the problem is noisy"),
        "raw_samples": Option(512, low=16, high=100_000, help="points that the starts are chosen from"),
        "restarts": Option(4, low=1, high=1000, help="starts of the search for the best point"),
        "trust_region": Option(False, help="every other proposal near the best rows alone: for many columns"),
        "set_candidates": Option(0, low=0, high=100_000, help="rows of a learned Pareto set among them; 0: none"),
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
        known: Any,
        acquisition: str,
        surrogate: str,
        kernel: str,
        output_scale: bool,
        noise: str,
        raw_samples: int,
        restarts: int,
        trust_region: bool,
        set_candidates: int,
        fantasies: int,
    ) -> None:
        self.problem = problem
        self._seed, self._device = seed, device
        self._columns = Columns(problem.space, device)
        self._batch, self._centre = batch, centre
        self._borrowed = "" if acquisition == "auto" else acquisition
        self._limits = None if limits is None else Limits(self._columns, limits)
        if trust_region and limits is not None:
            raise ValueError("`trust_region` takes no `limits`. Leave one of the two out.")
        self._region = TrustRegion(problem.space.dim) if trust_region else None
        further = {"limits": limits, "known": known, "set_candidates": set_candidates, "trust_region": trust_region}
        self._check_borrowed(surrogate, [name for name, value in further.items() if value])
        self._beliefs = Beliefs(
            problem,
            self._columns,
            seed=seed,
            surrogate=surrogate,
            kernel=kernel,
            scaled=output_scale,
            noise=noise,
            fantasies=fantasies,
            known=None if known is None else KnownObjectives(problem, self._columns, known),
        )
        self._raw, self._restarts = raw_samples, restarts
        self._set = SetCandidates(problem, self._columns, set_candidates, seed) if set_candidates else None
        self._ledger = Ledger(
            problem,
            self._columns,
            seed=seed,
            first=initial_points or max(2 * (problem.space.dim + 1), 10),
            initial=initial,
            allowed=None if self._limits is None else self._limits.allowed,
        )

    def _check_borrowed(self, surrogate: str, further: Sequence[str]) -> None:
        if not self._borrowed:
            return
        if further:
            raise ValueError(f"Acquisition {self._borrowed!r} takes no `{further[0]}`. Leave it at 'auto'.")
        if "categorical" in self.problem.space.kinds:
            raise ValueError(f"Acquisition {self._borrowed!r} takes no categorical columns. Leave it at 'auto'.")
        if self.problem.num_constraints and self._borrowed not in CONSTRAINED:
            raise ValueError(
                f"Acquisition {self._borrowed!r} takes no constraints. Those that do: {', '.join(CONSTRAINED)}."
            )
        if self._borrowed in NEED_BOTORCH and surrogate == "batched":
            raise ValueError(f"Acquisition {self._borrowed!r} needs models of BoTorch: add surrogate='botorch'.")

    def step(self, setting: Setting | None) -> Candidates:  # noqa: ARG002
        return step_by_asking(self, self.problem, self._ledger.due(self._batch))

    # ------------------------------------------------------------------------------------------ ask and tell
    def ask(self, n: int) -> Candidates:
        """The next `n` rows: Sobol points first, then the best given what is known and pending.

        Extra columns say why: `gain`, the expected improvement of the hypervolume, and `gain_std`, its standard
        deviation (NaN of rows that no model chose).
        """
        parts = [self._ledger.nothing()]
        for _ in range(n):
            if self._ledger.used_up:
                self.finished = USED_UP
                break
            guided = not self._ledger.beginning and self._enough()
            row, gain, gain_std = self._propose() if guided else (self._evenly(), math.nan, math.nan)
            parts.append(self._ledger.ask(row, gain=gain, gain_std=gain_std))
        return Candidates.cat(parts)

    def _enough(self) -> bool:
        """Whether a model can be made: of two rows, every objective seen, and a reference point known."""
        known = self._ledger.known
        seen = torch.isfinite(known.objectives[~known.failed])
        whole = not self._borrowed or int(seen.all(dim=1).sum()) >= 2
        return len(seen) >= 2 and whole and bool(seen.any(dim=0).all()) and self.problem.reference_point is not None

    def tell(self, candidates: Candidates) -> None:
        """Evaluated rows: asked for by `id`, or points of one's own; NaN where an objective was not observed."""
        self._ledger.tell(candidates)

    def finals(self) -> Candidates | None:
        return None

    def _evenly(self) -> Tensor:
        """A row `[d]` that no model chose."""
        space, ledger = self.problem.space, self._ledger
        if self._centre and not ledger.asked:
            return cast(Tensor, space.from_unit(torch.full((1, space.dim), 0.5))[0])
        if self._limits is None:
            rows = ledger.even_rows(1)
        else:
            rows = self._columns.rows(self._limits.evenly(ledger.asked + 1, child_seed(self._seed, "sobol"))[-1:])
        return ledger.first_new(rows) if ledger.small else rows[0]

    # ------------------------------------------------------------------------------------------ proposals
    def _propose(self) -> tuple[Tensor, float, float]:
        """The row `[d]` of the largest expected improvement that is not known or pending yet; that, and its deviation.

        What a function of BoTorch chose has NaN for both.
        """
        ledger = self._ledger
        stream = torch_generator(self._seed, "proposal", ledger.asked)
        known = ledger.ordered
        failed = known.failed
        told, tried = known.rows(~failed), self._columns.unit(known.solutions)
        if self._borrowed:
            return ledger.first_new(self._columns.rows(self._by_borrowed(told))), math.nan, math.nan
        acquisition = self._beliefs.improvement(told, ledger.waiting, stream)
        features = self._columns.features
        success = SuccessModel(features(tried), failed.to(tried.device)) if failed.any() else None

        def worth(rows: Tensor, versions: int | None = None) -> Tensor:
            inputs = features(rows)
            value = acquisition.value(inputs, versions)
            return value if success is None else value + success.log_probability(inputs)

        best = self._best(told)
        found = best_rows(
            worth,
            self._columns,
            self._columns.unit(best.solutions),
            stream,
            raw=self._raw,
            restarts=self._restarts,
            iterations=ITERATIONS,
            limits=self._limits,
            further=None if self._set is None else self._set.rows(acquisition.surrogate, told, ledger.asked),
            region=self._near(best, told),
        )
        row = ledger.first_new(self._columns.rows(found))
        inputs = features(self._columns.unit(row[None]))
        with torch.no_grad():
            means, sd = acquisition.surrogate.moments(inputs)
            gain = float(acquisition.value(inputs).exp())
        normal = torch.randn(DRAWS, means.shape[2], generator=stream, dtype=torch.float64).to(means.device)
        gained = acquisition.improvements(means[:, :1] + sd[0] * normal)
        return row, gain, float(gained.std())

    def _near(self, best: Candidates, told: Candidates) -> Region | None:
        """The trust region, where it is its turn."""
        if self._region is None or not len(best):
            return None
        seen = torch.where(torch.isfinite(told.objectives), told.objectives, torch.nan)
        size = (seen - seen.nanmean(dim=0)).square().nanmean(dim=0).sqrt()
        point = cast(Tensor, self.problem.reference_point)
        reached, centre = standing(best.objectives, point, torch.where(size > 0, size, 1.0))
        self._region.update(len(told), reached)
        return self._region.around(self._columns.unit(best.solutions)[centre]) if self._ledger.asked % 2 else None

    def _by_borrowed(self, told: Candidates) -> Tensor:
        """What one of BoTorch's functions and its search propose, and random points should that be known: `[k, d]`."""
        told = told.rows(torch.isfinite(told.objectives).all(dim=1))
        rows, outputs, surrogate = self._beliefs.about(told)
        model: Any = surrogate.model if isinstance(surrogate, FromModel) else surrogate
        point, dim = cast(Tensor, self.problem.reference_point).to(outputs), self.problem.space.dim
        pending = self._columns.unit(self._ledger.waiting)
        seed = child_seed(self._seed, "borrowed", self._ledger.asked)
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

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        parts = {"set": self._set, "region": self._region}
        stored = {name: None if part is None else part.state_dict() for name, part in parts.items()}
        return {**self._ledger.state_dict(), "fit": self._beliefs.state_dict(), **stored}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._ledger.load_state_dict(state)
        self._beliefs.load_state_dict(state["fit"])
        for name, part in {"set": self._set, "region": self._region}.items():
            if part is not None:
                part.load_state_dict(state[name])
