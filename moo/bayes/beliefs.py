"""What is believed of a problem, given rows that were evaluated: from candidates to an acquisition function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from botorch.utils.sampling import draw_sobol_normal_samples
from torch import Tensor
from torch.quasirandom import SobolEngine

from moo.base import Candidates
from moo.bayes.columns import Columns
from moo.bayes.gaussian_processes import ITERATIONS, GaussianProcesses, first_guess
from moo.bayes.improvement import LogExpectedHypervolumeImprovement
from moo.bayes.known import KnownObjectives, WithKnown
from moo.bayes.radial import DIRECTIONS, RadialHypervolumeImprovement
from moo.bayes.surrogates import FromModel, Surrogate, surrogate_maker
from moo.dominance import non_dominated
from moo.metered import Metered
from moo.seeding import child_seed, quiet_fork

BOXES = 4  # objectives up to which the free part of their space is cut into boxes, for one front; beyond, rays
FEW = 16  # fantasies of so many objectives and more, at most: each costs rays or many boxes
EVERY_FIT = 200  # rows up to which every proposal fits anew; beyond, when there are 2.5 % more
COLD_FITS = 5  # how often a fit begins from the prior too, not only from the last one
FAR = 3.0  # times the median size of a constraint beyond which its values are taken for equal
SEVERAL = 3  # rows of exactly the best value of an objective, by which it is taken to end there
STEPS = 1000  # between the least and the largest of values that are counted; finer ones are rounded numbers
PARTS = 12  # of the least gap between them, which may be one to four steps
PLAUSIBLE = 64  # draws by which it is judged which rows may be on the front

Improvement = LogExpectedHypervolumeImprovement | RadialHypervolumeImprovement


class Beliefs:
    """Surrogates fitted to what is known, and the expected improvement that they give.

    Args:
        problem: Its objectives, constraints, reference point and whether it is noisy.
        columns: Of its space.
        seed: Of the surrogates that draw.
        surrogate: A name, or `"module:function"`.
        kernel: Of our own processes; `"auto"`: Matern's, or RBF where values are noisy.
        scaled: Whether our own learn an output scale.
        noise: `"learned"`, `"none"`, or `"auto"`.
        fantasies: Draws of what is not known of rows evaluated or pending.
        known: The objectives that are known functions, where there are any.
    """

    def __init__(
        self,
        problem: Metered,
        columns: Columns,
        *,
        seed: int,
        surrogate: str,
        kernel: str,
        scaled: bool,
        noise: str,
        fantasies: int,
        known: KnownObjectives | None = None,
    ) -> None:
        self._problem, self._columns, self._seed = problem, columns, seed
        self._make = None if surrogate == "batched" else surrogate_maker(surrogate)
        self._kernel, self._scaled, self._noise, self._fantasies = kernel, scaled, noise, fantasies
        self._known = known
        self._fitted: Tensor | None = None  # hyperparameters [m + c, f + 3] of the last fit ...
        self._rows, self._fits = 0, 0  # ... to how many rows, and the how-manieth it was

    def about(self, told: Candidates) -> tuple[Tensor, Tensor, Surrogate]:
        """What a model is told of rows that did not fail, inputs `[n, f]` and outputs `[n, m + c]`, and the model."""
        rows, outputs = self._columns.features(self._columns.unit(told.solutions)), self._outputs(told)
        return rows, outputs, self._surrogate(rows, outputs, told.extras.get("std"), self._noisy(told))

    def improvement(self, told: Candidates, waiting: Tensor, stream: torch.Generator) -> Improvement:
        """The expected improvement of the hypervolume, as an acquisition function of BoTorch.

        Args:
            told: Rows that did not fail.
            waiting: Those asked for and not told yet, `[k, d]`.
            stream: Of what is drawn.
        """
        point = self._problem.reference_point
        assert point is not None  # there are successful rows
        m = self._problem.num_objectives
        rows, outputs, model = self.about(told)
        complete = torch.isfinite(outputs).all(dim=1)
        pending = self._columns.features(self._columns.unit(waiting))
        exact, unsure = outputs[complete], torch.cat([rows[~complete], pending])
        if self._noisy(told):
            exact, unsure = exact[:0], torch.cat([rows, pending])
            unsure = unsure[self._plausible(model, unsure, stream)]
        fronts = exact[(exact[:, m:] <= 0).all(dim=1), :m]
        if len(unsure):
            count = self._fantasies if m < BOXES else min(self._fantasies, FEW)
            drawn = model.samples(unsure, self._normal(count, len(unsure), stream))
            model = model.conditioned(unsure, drawn)
            fronts = torch.cat([fronts.expand(count, -1, -1), self._reached(drawn)], dim=1)
        ends = _ends(exact[:, :m].cpu(), point)
        if m < BOXES or (m == BOXES and fronts.ndim == 2):
            return LogExpectedHypervolumeImprovement(model, point, fronts, ends)
        seed = int(torch.randint(2**31 - 1, (1,), generator=stream))
        seen = told.objectives.to(outputs)
        size = torch.stack([column[torch.isfinite(column)].std(correction=0) for column in seen.T])
        rays = DIRECTIONS if fronts.ndim == 2 else DIRECTIONS // 4
        return RadialHypervolumeImprovement(model, point, fronts, size=size, ends=ends, directions=rays, seed=seed)

    def _reached(self, drawn: Tensor) -> Tensor:
        """Objectives `[s, n, m]` of drawn outputs, minus infinity where a constraint does not hold."""
        m = self._problem.num_objectives
        return torch.where((drawn[..., m:] <= 0).all(dim=-1, keepdim=True), drawn[..., :m], -torch.inf)

    def _outputs(self, told: Candidates) -> Tensor:
        """What the model is told: objectives, and constraints in units of their usual size, `[n, m + c]`.

        Beyond three such units a constraint is cut off: where the border lies is learned from rows near it.
        """
        objectives = told.objectives.to(self._columns.device)
        if self._known is not None:
            objectives = self._known.filled(self._columns.features(self._columns.unit(told.solutions)), objectives)
        if not self._problem.num_constraints:
            return objectives
        limits = told.extras["constraints"].to(objectives)
        usual = limits.abs().nanmedian(dim=0).values
        return torch.cat([objectives, (limits / torch.where(usual > 0, usual, 1.0)).clamp(-FAR, FAR)], dim=1)

    def _plausible(self, model: Surrogate, rows: Tensor, stream: torch.Generator) -> Tensor:
        """Which rows are feasible and on the front in at least one of many draws of their true values, bool `[n]`."""
        reached = self._reached(model.samples(rows, self._normal(PLAUSIBLE, len(rows), stream))).cpu()
        best = torch.stack([non_dominated(values) & torch.isfinite(values[:, 0]) for values in reached]).any(dim=0)
        if not best.any():  # nothing feasible in sight: go by what was observed last
            best[-1] = True
        return best.to(rows.device)

    def _normal(self, count: int, rows: int, stream: torch.Generator) -> Tensor:
        """Standard normal numbers `[count, rows, m + c]`, evenly spread (Sobol) where they are not too many."""
        outputs = self._problem.num_objectives + self._problem.num_constraints
        seed = int(torch.randint(2**31 - 1, (1,), generator=stream))
        if rows * outputs > SobolEngine.MAXDIM:
            flat = torch.randn(count, rows * outputs, generator=stream, dtype=torch.float64)
        else:
            flat = draw_sobol_normal_samples(rows * outputs, count, dtype=torch.float64, seed=seed)
        return flat.reshape(count, rows, outputs).to(self._columns.device)

    def _surrogate(self, rows: Tensor, outputs: Tensor, std: Tensor | None, noisy: bool) -> Surrogate:
        """The surrogate of these rows, known objectives put in."""
        if self._known is None:
            return self._learned(rows, outputs, std, noisy)
        numbers = self._known.numbers
        others = [j for j in range(outputs.shape[1]) if j not in numbers]
        if std is not None:
            std = std[:, [j for j in others if j < std.shape[1]]]
        size = self._known.values(rows).std(dim=0, correction=0)
        return WithKnown(
            self._learned(rows, outputs[:, others], std, noisy), self._known, torch.where(size > 0, size, 1.0)
        )

    def _learned(self, rows: Tensor, outputs: Tensor, std: Tensor | None, noisy: bool) -> Surrogate:
        """The surrogate of these outputs; our own is fitted where enough is new."""
        if self._make is not None:
            with quiet_fork(child_seed(self._seed, "surrogate", len(rows))):
                return FromModel(self._make(rows, outputs))
        n = len(rows)
        starts = self._fitted
        due = starts is None or (n != self._rows if n <= EVERY_FIT else n >= 1.025 * self._rows)
        cold = first_guess(outputs.shape[1], rows.shape[1], rows)
        if starts is None:
            begin = cold[None]
        else:
            often = due and self._fits % COLD_FITS == 0
            begin = torch.stack([starts.to(rows), cold]) if often else starts.to(rows)[None]
        if std is not None:  # nothing is known of the constraints' noise
            std = torch.cat([std.to(rows), torch.full_like(outputs[:, std.shape[1] :], torch.nan)], dim=1)
        model = GaussianProcesses(
            rows,
            outputs,
            std=std,
            kernel=("rbf" if noisy else "matern") if self._kernel == "auto" else self._kernel,
            scaled=self._scaled,
            noisy=noisy,
            starts=begin,
            iterations=ITERATIONS if due else 0,
        )
        if due:
            self._fitted, self._rows, self._fits = model.hyperparameters.cpu(), n, self._fits + 1
        return model

    def _noisy(self, told: Candidates) -> bool:
        """Whether values are not what is true: as the problem or the option says, or because deviations were told."""
        by_problem = self._noise == "auto" and bool(self._problem.stochastic)
        return by_problem or self._noise == "learned" or "std" in told.extras

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        """The last fit, which the next one begins with."""
        return {"parameters": self._fitted, "rows": self._rows, "count": self._fits}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._fitted, self._rows, self._fits = state["parameters"], state["rows"], state["count"]


def _ends(objectives: Tensor, reference_point: Tensor) -> Tensor:
    """Where objectives `[n, m]` known exactly end: at the best value, where several reach it; else at infinity `[m]`.

    A summed violation that is often 0 cannot be less; a smooth model does not know, and would look there for more. It
    is no end where most of the other rows share their values too, where values are counted in steps, where all are the
    same, or where nothing is better than the reference point `[m]`. A few shared values are no objection: in a corner
    of the space that is proposed again and again an objective may well be the same.
    """
    ends = torch.full_like(reference_point, torch.inf)
    for j, column in enumerate(objectives.T):
        values, times = column.unique(return_counts=True)
        if len(values) < 2 or times[-1] < SEVERAL or _stepped(values):
            continue
        if 2 * (times[:-1] == 1).sum() >= times[:-1].sum() and values[-1] > reference_point[j]:
            ends[j] = values[-1]
    return ends


def _stepped(values: Tensor) -> bool:
    """Whether different values, ascending, are whole multiples of a step apart: the least gap, its half, third, ..."""
    parts = (values - values[0]) / values.diff().min() * PARTS
    return bool(parts[-1] <= PARTS * STEPS) and bool(((parts - parts.round()).abs() < 1e-3).all())
