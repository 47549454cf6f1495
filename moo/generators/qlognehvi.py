"""BoTorch's qLogNEHVI, as its documentation does it: the Bayesian baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from moo.base import Candidates, Setting
from moo.metered import Metered, step_by_asking
from moo.options import Option
from moo.seeding import child_seed, quiet_fork


class QLogNEHVI:
    """Gaussian processes and the noisy expected hypervolume improvement, in the logarithm, optimised by BoTorch.

    Source: Daulton, Balandat and Bakshy 2021 (2105.08195); Ament, Daulton, Eriksson, Balandat and Bakshy 2023
    (2310.20708). `initial` scrambled Sobol points, then batches: one Matern-5/2 process per objective (and per
    constraint) with BoTorch's default priors on the unit cube, standardised values, 128 Monte Carlo samples, the
    batch optimised point after point. Failed rows are left out. Up to four objectives: a proposal for a problem of
    seven columns and four objectives takes 12-23 s.

    Whole columns are relaxed in the acquisition function and rounded. The reference point is the problem's, as the
    meter knows it at the time.
    """

    kinds: ClassVar[tuple[str, ...]] = ("vector",)
    columns: ClassVar[tuple[str, ...]] = ("real", "integer")
    encodings: ClassVar[tuple[str, ...]] = ()
    max_objectives: ClassVar[int | None] = 4
    constraints: ClassVar[bool] = True
    uses_preferences: ClassVar[bool] = False
    schedules_by_budget: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {
        "batch": Option(1, low=1, high=100, help="points of a proposal"),
        "initial_points": Option(0, low=0, high=10_000, help="Sobol points first; 0: 2 (d + 1)"),
        "restarts": Option(10, low=1, high=1000, help="starts of the acquisition function's optimiser"),
        "raw_samples": Option(512, low=1, high=100_000, help="points that the starts are chosen from"),
        "samples": Option(128, low=1, high=4096, help="Monte Carlo samples of the posterior"),
    }
    own_points: ClassVar[bool] = True
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
        restarts: int,
        raw_samples: int,
        samples: int,
    ) -> None:
        self.problem = problem
        self._seed, self._device = seed, device
        self._batch = batch
        self._first = initial_points or 2 * (problem.space.dim + 1)
        self._restarts, self._raw, self._samples = restarts, raw_samples, samples
        self._known = Candidates.empty((problem.space.dim,), problem.num_objectives)
        if initial is not None:
            self._known = initial
            self._first = max(0, self._first - len(initial))
        self._asked = 0
        self._pending: dict[int, list[float]] = {}  # id -> row asked for and not told yet

    def step(self, setting: Setting | None) -> Candidates:  # noqa: ARG002
        left = self._first - self._asked
        return step_by_asking(self, self.problem, min(left, 20) if left > 0 else self._batch)

    def ask(self, n: int) -> Candidates:
        """The next `n` rows: Sobol points first, then the best by the acquisition function given what is pending."""
        sobol = min(n, max(0, self._first - self._asked))
        parts = [self._sobol(sobol)] if sobol else []
        if n > sobol:
            enough = int((~self._known.failed).sum()) >= 2
            parts.append(self._propose(n - sobol) if enough else self._sobol(n - sobol, offset=sobol))
        solutions = torch.cat(parts) if parts else torch.empty(0, self.problem.space.dim, dtype=torch.float64)
        ids = torch.arange(self._asked, self._asked + n)
        self._asked += n
        self._pending.update(zip(ids.tolist(), solutions.tolist(), strict=True))
        nan = torch.full((n, self.problem.num_objectives), float("nan"), dtype=torch.float64)
        return Candidates.of(solutions, nan, id=ids)

    def tell(self, candidates: Candidates) -> None:
        """Evaluated rows: asked for by `id`, or points of one's own."""
        for number in candidates.extras.get("id", torch.empty(0)).tolist():
            self._pending.pop(int(number), None)
        self._known = Candidates.cat([self._known, candidates.without_parameters()])

    def finals(self) -> Candidates | None:
        return None

    # ------------------------------------------------------------------------------------------ proposals
    def _sobol(self, n: int, offset: int = 0) -> Tensor:
        engine: Any = SobolEngine  # torch leaves it untyped
        sobol = engine(self.problem.space.dim, scramble=True, seed=child_seed(self._seed, "sobol"))
        sobol.fast_forward(self._asked + offset)
        rows: Tensor = self.problem.space.from_unit(sobol.draw(n, dtype=torch.float64))
        return rows

    def _propose(self, n: int) -> Tensor:
        """Rows `[n, d]` that maximise the acquisition function one after the other."""
        with quiet_fork(child_seed(self._seed, "proposal", self._asked)):
            from botorch.optim import optimize_acqf

            unit, _ = optimize_acqf(
                self._acquisition(),
                bounds=torch.stack([torch.zeros(self.problem.space.dim), torch.ones(self.problem.space.dim)]).to(
                    self._device, torch.float64
                ),
                q=n,
                num_restarts=self._restarts,
                raw_samples=self._raw,
                options={"batch_limit": 5, "maxiter": 200},
                sequential=True,
            )
        space = self.problem.space
        rows: Tensor = space.canonical(space.lower + unit.cpu() * (space.upper - space.lower))
        return rows

    def _acquisition(self) -> Any:
        """The acquisition function over the unit cube, for all that is known and pending."""
        from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
        from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import ModelListGP, SingleTaskGP
        from botorch.models.transforms import Standardize
        from botorch.sampling.normal import SobolQMCNormalSampler
        from gpytorch.mlls import SumMarginalLogLikelihood

        known = self._known.rows(~self._known.failed)
        if "id" in known.extras:  # so that the order in which rows were told changes nothing
            known = known.rows(known.extras["id"].argsort(stable=True))
        m, c = self.problem.num_objectives, self.problem.num_constraints
        outputs = known.objectives if not c else torch.cat([known.objectives, known.extras["constraints"]], dim=1)
        inputs, outputs = self._unit(known.solutions), outputs.to(self._device)
        model = ModelListGP(
            *[SingleTaskGP(inputs, outputs[:, i : i + 1], outcome_transform=Standardize(1)) for i in range(m + c)]
        )
        fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
        sampler = SobolQMCNormalSampler(torch.Size([self._samples]), seed=child_seed(self._seed, "samples") % 2**31)
        acquisition = qLogNoisyExpectedHypervolumeImprovement(
            model=model,
            ref_point=cast(Tensor, self.problem.reference_point).tolist(),  # there are successful rows by now
            X_baseline=inputs,
            sampler=sampler,
            prune_baseline=True,
            objective=IdentityMCMultiOutputObjective(outcomes=list(range(m))),
            constraints=[lambda values, column=m + i: values[..., column] for i in range(c)] or None,
        )
        if self._pending:
            rows = torch.tensor(list(self._pending.values()), dtype=torch.float64)
            acquisition.set_X_pending(self._unit(rows))
        return acquisition

    def _unit(self, rows: Tensor) -> Tensor:
        space = self.problem.space
        span = torch.where(space.upper > space.lower, space.upper - space.lower, 1.0)
        unit: Tensor = ((rows - space.lower) / span).to(self._device)
        return unit

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {"known": self._known.state_dict(), "asked": self._asked, "pending": dict(self._pending)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._known = Candidates.from_state(state["known"])
        self._asked, self._pending = state["asked"], dict(state["pending"])
