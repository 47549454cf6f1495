"""The history of a run: front size and hypervolume of the archive after every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from moo.archive import Archive
from moo.base import Candidates
from moo.indicators.volume import MAX_SECONDS, hypervolume, predicted_seconds, volume_above

SECONDS_PER_UNIT = 2e-5  # of hypervolume that each unit of cost earns: a bound on its share, the same on every machine
SECONDS_AT_END = 10.0


class History:
    """One row per step: `used`, `front_size`, `hypervolume`.

    The exact hypervolume of a large front of many objectives can cost more than the search. So it is computed only
    where its predicted cost has been earned by the evaluations since it was last computed; elsewhere it stands as NaN.
    The rule counts evaluations, not seconds, and predicts as if numba were installed, so that the same run gives the
    same history everywhere.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, float]] = []
        self._earned = 0.0
        self._value: float | None = None  # of the front as it is; None: not known

    def record(self, used: int, front: Tensor, reference_point: Tensor | None, *, changed: bool) -> None:
        """Note a front `[n, m]`, maximised, after a step that used the budget up to `used`."""
        self._earned += (used - self.used) * SECONDS_PER_UNIT
        if changed:
            self._value = None
        if not len(front):
            self._value = 0.0
        if self._value is None and reference_point is not None:
            cost = predicted_seconds(*front.shape, compiled=True)
            if cost <= self._earned:
                self._earned -= cost
                self._value = _volume(front, reference_point)
        self._rows.append((used, len(front), float("nan") if self._value is None else self._value))

    def close(self, front: Tensor, reference_point: Tensor | None) -> None:
        """Fill in the last hypervolume, unless it is predicted to take over ten seconds."""
        if not self._rows or self._value is not None or reference_point is None:
            return
        if predicted_seconds(*front.shape, compiled=True) <= SECONDS_AT_END:
            self._value = _volume(front, reference_point)
            used, size, _ = self._rows[-1]
            self._rows[-1] = (used, size, self._value)

    def recompute(self, additions: Sequence[Candidates], archive: Archive, reference_point: Tensor | None) -> None:
        """Measure all steps again against a new reference point, replaying `additions` into the empty `archive`."""
        marks = [used for used, _, _ in self._rows]
        rows = Candidates.cat(additions) if additions else archive.front
        paid = rows.extras["used"] if len(rows) else None
        self._rows, self._earned, self._value = [], 0.0, None
        seen = 0 if paid is None else int((paid == 0).sum())
        archive.add(rows.rows(slice(seen)))  # known points: they came apart from the first step
        for mark in marks:
            upto = seen if paid is None else int((paid <= mark).sum())
            changed = upto > seen and len(archive.add(rows.rows(slice(seen, upto)))) > 0
            self.record(mark, archive.objectives, reference_point, changed=changed)
            seen = upto

    @property
    def used(self) -> int:
        """Where the last row stands."""
        return self._rows[-1][0] if self._rows else 0

    @property
    def hypervolume(self) -> float:
        """The last value recorded; NaN where it was not computed."""
        return self._rows[-1][2] if self._rows else float("nan")

    def frame(self) -> pd.DataFrame:
        """The history as a table."""
        return pd.DataFrame(self._rows, columns=["used", "front_size", "hypervolume"])

    def state_dict(self) -> dict[str, Any]:
        """All rows and what was earned."""
        return {
            "rows": np.array(self._rows, dtype=np.float64).reshape(-1, 3),
            "earned": self._earned,
            "value": self._value,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._rows = [(int(used), int(size), value) for used, size, value in state["rows"].tolist()]
        self._earned, self._value = state["earned"], state["value"]


def _volume(front: Tensor, reference_point: Tensor) -> float:
    """Hypervolume of an archive's rows, without the checks of `hypervolume`: these cost more than a small set."""
    if predicted_seconds(*front.shape) > MAX_SECONDS:  # without numba: approximated, which is announced
        return float(hypervolume(front, reference_point, warn=False))
    return volume_above(front.numpy(), reference_point.numpy())
