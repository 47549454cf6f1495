"""Which combination of options to try next: the surrogate of `bayesian`, with the rung as one more input."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from botorch.utils.sampling import draw_sobol_normal_samples
from torch import Tensor
from torch.quasirandom import SobolEngine

from moo.bayes.cells import joined_cells
from moo.bayes.columns import Columns
from moo.bayes.feasibility import SuccessModel
from moo.bayes.gaussian_processes import ITERATIONS, GaussianProcesses
from moo.bayes.improvement import log_improvement
from moo.bayes.maximise import best_rows
from moo.dominance import non_dominated
from moo.seeding import child_seed
from moo.space import Space

RAW = 512  # points that the starts of the search for the next row are chosen from
RESTARTS = 4
VERSIONS = 32  # draws of what trials would reach at the last rung
PLAUSIBLE = 64  # draws by which it is judged which trials may be on the front
SHUNNED = 10.0  # times the distance of the best value from the median below the best: worse counts as that bad


@dataclass(frozen=True)
class Told:
    """What runs of trials brought, one row for each trial and rung, or one for a trial that failed.

    Attributes:
        rows: Canonical rows of the space, `[n, d]`.
        rungs: Where each ran, 0 the lowest and 1 the last, `[n]`.
        values: Maximised, NaN where the trial failed, `[n, m]`.
    """

    rows: Tensor
    rungs: Tensor
    values: Tensor

    @property
    def failed(self) -> Tensor:
        """Bool `[n]`."""
        return (~torch.isfinite(self.values)).any(dim=1)


def even_rows(space: Space, start: int, count: int, seed: int) -> Tensor:
    """The rows number `start` to `start + count` of a scrambled Sobol sequence over a space, `[count, d]`."""
    engine = SobolEngine(space.dim, scramble=True, seed=child_seed(seed, "sobol"))  # type: ignore[no-untyped-call]
    engine.fast_forward(start)  # type: ignore[no-untyped-call]
    return space.from_unit(engine.draw(count, dtype=torch.float64))


def levelled(told: Told) -> Tensor:
    """What the runs promise for the last rung, `[n, m]`, so that processes need not learn how values grow with budget.

    From the highest rung down, each rung's values are multiplied by what the trials that went on gained on the whole,
    sum of their values there over sum of their values here; none promises more than the best that went on has reached.
    Where the sums have different signs or none went on, values stay as they are.
    """
    values, fine = told.values.clone(), ~told.failed
    rungs = sorted(set(told.rungs[fine].tolist()), reverse=True)
    for above, here in itertools.pairwise(rungs):
        up, down = fine & (told.rungs == above), fine & (told.rungs == here)
        went = (told.rows[down][:, None] == told.rows[up]).all(dim=2)  # which trial here is which above
        gained = values[up][went.any(dim=0)].sum(dim=0) / values[down][went.any(dim=1)].sum(dim=0)
        moved = torch.minimum(values[down] * gained, values[up].amax(dim=0))
        values[down] = torch.where(torch.isfinite(gained) & (gained > 0), moved, values[down])
    return values


class TrialBeliefs:
    """What trials would reach at the last rung, as Gaussian processes of the options and the rung believe.

    Low outliers are cut off: how bad a bad trial was tells nothing of where the good ones are.

    Args:
        space: Of the options.
        told: At least two rows that did not fail.
    """

    def __init__(self, space: Space, told: Told) -> None:
        self.columns = Columns(space)
        fine = ~told.failed
        values = levelled(told)[fine]
        best, middle = values.amax(dim=0), values.median(dim=0).values
        self._unit = self.columns.unit(told.rows)
        least = torch.where(best > middle, best - SHUNNED * (best - middle), -torch.inf)
        inputs = torch.cat([self.columns.features(self._unit), told.rungs[:, None]], dim=1)[fine]
        self.model = GaussianProcesses(inputs, torch.maximum(values, least))
        self._success = None if fine.all() else SuccessModel(self.columns.features(self._unit), ~fine)
        self.tried = torch.unique(self._unit[fine], dim=0)
        at_last = self.model.moments(self.at_last_rung(self.tried))[0][0]
        self.reference_point = at_last.amin(dim=0)

    def at_last_rung(self, unit: Tensor) -> Tensor:
        """What the processes are told of rows of the unit cube `[n, d]` run with the full budget."""
        return torch.cat([self.columns.features(unit), unit.new_ones(len(unit), 1)], dim=1)

    def next_rows(self, waiting: Tensor, stream: torch.Generator) -> Tensor:
        """Rows of the space `[k, d]`, the one of the largest expected improvement first.

        The improvement is that of the hypervolume (of the value itself, where there is one objective) over the front
        that the trials would reach at the last rung, averaged over joint draws of what they would.

        Args:
            waiting: Rows of this group that are chosen already, `[k, d]`.
            stream: Of what is drawn.
        """
        unit = torch.cat([self.tried, self.columns.unit(waiting)])
        good = unit[self._plausible(self.at_last_rung(unit), stream)]
        unsure = self.at_last_rung(good)
        drawn = self.model.samples(unsure, self._normal(VERSIONS, len(unsure), stream))
        model = self.model.conditioned(unsure, drawn)
        lower, upper, real = self._free(drawn)

        def worth(rows: Tensor, versions: int | None = None) -> Tensor:
            means, sd = model.moments(self.at_last_rung(rows))
            which = slice(versions)
            value = log_improvement(means[which], sd, lower[which], upper[which], real[which])
            if self._success is not None:
                value = value + self._success.log_probability(self.columns.features(rows))
            return value

        found = best_rows(worth, self.columns, good, stream, raw=RAW, restarts=RESTARTS, iterations=ITERATIONS)
        return self.columns.rows(found)

    def _free(self, drawn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes of what each version `[s, n, m]` of the front leaves free."""
        if drawn.shape[2] > 1:
            return joined_cells(drawn, self.reference_point)
        best = drawn.amax(dim=1, keepdim=True)
        return best, torch.full_like(best, torch.inf), torch.ones(best.shape[:2], dtype=torch.bool)

    def _plausible(self, rows: Tensor, stream: torch.Generator) -> Tensor:
        """Which rows are on the front in one of many draws, bool `[n]`."""
        drawn = self.model.samples(rows, self._normal(PLAUSIBLE, len(rows), stream))
        return torch.stack([non_dominated(values) for values in drawn]).any(dim=0)

    def _normal(self, count: int, rows: int, stream: torch.Generator) -> Tensor:
        """Standard normal numbers `[count, rows, m]`, evenly spread."""
        seed, m = int(torch.randint(2**31 - 1, (1,), generator=stream)), self.model.num_outputs
        drawn: Tensor = draw_sobol_normal_samples(rows * m, count, dtype=torch.float64, seed=seed)
        return drawn.reshape(count, rows, m)
