"""BoTorch's qLogNEHVI, as its documentation does it: the Bayesian baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from moo.base import Candidates, Setting
from moo.bayes.columns import Columns
from moo.bayes.ledger import Ledger
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
        self._columns = Columns(problem.space, device)
        first = initial_points or 2 * (problem.space.dim + 1)
        self._ledger = Ledger(problem, self._columns, seed=seed, first=first, initial=initial)
        self._restarts, self._raw, self._samples = restarts, raw_samples, samples

    def step(self, setting: Setting | None) -> Candidates:  # noqa: ARG002
        return step_by_asking(self, self.problem, self._ledger.due(self._batch))

    def ask(self, n: int) -> Candidates:
        """The next `n` rows: Sobol points first, then the best by the acquisition function given what is pending."""
        ledger = self._ledger
        sobol = min(n, max(0, ledger.first - ledger.asked))
        enough = int((~ledger.known.failed).sum()) >= 2
        rows = [ledger.even_rows(sobol if enough else n)]
        if enough and n > sobol:
            rows.append(self._propose(n - sobol))
        return Candidates.cat([ledger.nothing(), *(ledger.ask(row) for row in torch.cat(rows))])

    def tell(self, candidates: Candidates) -> None:
        """Evaluated rows: asked for by `id`, or points of one's own."""
        self._ledger.tell(candidates)

    def finals(self) -> Candidates | None:
        return None

    # ------------------------------------------------------------------------------------------ proposals
    def _propose(self, n: int) -> Tensor:
        """Rows `[n, d]` that maximise the acquisition function one after the other."""
        with quiet_fork(child_seed(self._seed, "proposal", self._ledger.asked)):
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
        return self._columns.rows(unit)

    def _acquisition(self) -> Any:
        """The acquisition function over the unit cube, for all that is known and pending."""
        from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
        from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import ModelListGP, SingleTaskGP
        from botorch.models.transforms import Standardize
        from botorch.sampling.normal import SobolQMCNormalSampler
        from gpytorch.mlls import SumMarginalLogLikelihood

        known = self._ledger.ordered
        known = known.rows(~known.failed)
        m, c = self.problem.num_objectives, self.problem.num_constraints
        outputs = known.objectives if not c else torch.cat([known.objectives, known.extras["constraints"]], dim=1)
        inputs, outputs = self._columns.unit(known.solutions), outputs.to(self._device)
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
        waiting = self._ledger.waiting
        if len(waiting):
            acquisition.set_X_pending(self._columns.unit(waiting))
        return acquisition

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return self._ledger.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._ledger.load_state_dict(state)
