"""Trust regions: a search kept near the best rows, for spaces of many columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from moo.bayes.columns import Columns
from moo.indicators.volume import hypervolume, hypervolume_contributions

FIRST, LONGEST, SHORTEST = 0.8, 1.6, 2.0**-6  # sides of the box, in sides of the unit cube
SUCCESSES = 3  # in a row, after which the sides double
PROGRESS = 1e-3  # of what was reached before: less counts as failure
MOVED = 20  # columns that a point of the region moves away from its centre, about


class Region(NamedTuple):
    """A box of the unit cube.

    Attributes:
        centre: `[d]`.
        lower, upper: Its ends, `[d]`.
    """

    centre: Tensor
    lower: Tensor
    upper: Tensor

    def points(self, columns: Columns, count: int, stream: torch.Generator) -> Tensor:
        """Rows `[count, d]` of the box, evenly spread (Sobol) in about twenty columns each, in the others the centre's.

        Discrete columns keep the centre's values but for about one of them.
        """
        d = len(self.centre)
        seed = int(torch.randint(2**31 - 1, (1,), generator=stream))
        engine: Any = SobolEngine  # torch leaves it untyped
        even = self.lower + (self.upper - self.lower) * engine(d, scramble=True, seed=seed).draw(
            count, dtype=torch.float64
        ).to(self.lower)
        moved = torch.rand(count, d, generator=stream) < MOVED / d
        moved[:, columns.discrete] = False
        return columns.stirred(torch.where(moved.to(even.device), even, self.centre), stream)


class TrustRegion:
    """A box around the row of the front that adds most hypervolume: wider after success, narrower after failure.

    Source: Eriksson, Pearce, Gardner, Turner and Poloczek 2019 (1910.01739) for one objective; Daulton, Eriksson,
    Balandat and Bakshy 2022 (2109.10964) for several. There the model is local too, and several regions search at once;
    here there is one, in turn with the search of the whole space, and the model knows all rows.

    Args:
        dim: Columns. So many proposals without progress, divided by four and at least five, halve the sides.
    """

    def __init__(self, dim: int) -> None:
        self.side = FIRST
        self._patience = max(5, dim // 4)
        self._reached: float | None = None  # when the last proposal was made ...
        self._told = 0  # ... and how many rows had been told
        self._successes = self._failures = 0

    def update(self, told: int, reached: float) -> None:
        """Note what has been reached by so many rows told; nothing new told is no failure."""
        if self._reached is not None and told > self._told:
            better = reached > self._reached + PROGRESS * abs(self._reached)
            self._successes = self._successes + 1 if better else 0
            self._failures = 0 if better else self._failures + 1
        if self._successes >= SUCCESSES:
            self.side, self._successes = min(LONGEST, 2 * self.side), 0
        if self._failures >= self._patience:
            self.side, self._failures = self.side / 2, 0
        if self.side < SHORTEST:
            self.side = FIRST
        self._reached, self._told = reached, told

    def around(self, centre: Tensor) -> Region:
        """The region around a row `[d]` of the unit cube."""
        return Region(centre, (centre - self.side / 2).clamp_min(0), (centre + self.side / 2).clamp_max(1))

    def state_dict(self) -> dict[str, Any]:
        """All that the next region depends on, beside the front."""
        counts = [self._told, self._successes, self._failures]
        return {"side": self.side, "reached": self._reached, "counts": counts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.side, self._reached = state["side"], state["reached"]
        self._told, self._successes, self._failures = state["counts"]


def standing(objectives: Tensor, reference_point: Tensor, size: Tensor) -> tuple[float, int]:
    """What a front has reached, and which of its rows to search around.

    Args:
        objectives: Of the front, `[n, m]`, maximised.
        reference_point: `[m]`.
        size: How large differences of each objective usually are, `[m]`, positive.

    Returns:
        The hypervolume and the row that adds most to it. While nothing is better than the reference point: minus what
        the best row lacks, the largest (r - y) / size over the objectives, and that row; more is better throughout.
    """
    lacking = ((reference_point - objectives) / size).amax(dim=1)
    if not (lacking < 0).any():
        return -float(lacking.amin()), int(lacking.argmin())
    adding = hypervolume_contributions(objectives, reference_point)
    return float(hypervolume(objectives, reference_point, warn=False)), int(adding.argmax())
