"""The archive: the best of all that was evaluated, whatever the method kept."""

from __future__ import annotations

import bisect
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import moocore
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moo.base import Candidates
from moo.checks import check_count
from moo.dominance import crowding_distance, non_dominated
from moo.indicators.filters import non_dominated_cloud
from moo.indicators.volume import predicted_seconds, volume_above

CAPACITY = 10_000
BOUNDS = ("crowding", "hypervolume")
MAX_SECONDS = 0.3  # predicted for one hypervolume of a full archive; weighing all its rows takes up to three times that
AT_ONCE = 1000  # rows over the capacity that are weighed by hypervolume, fewer where ...
AT_ONCE_SECONDS = 1.2  # ... this is predicted for one hypervolume; of more, the most crowded go beforehand
UNCOMPILED = 1500  # largest capacity without numba, of four objectives or more: so many are weighed in about a second
SPARSE = 2  # times as many rows wait to be joined as are kept, ...
ROOM = 200  # ... and so many more, before they are joined

Array = NDArray[np.float64]


class Archive:
    """The feasible non-dominated rows seen so far, every objective maximised; of equal vectors the first stays.

    The rows are joined to one record where `front` is read; until then they wait in the records in which they came.

    What goes beyond the capacity is decided after each `add`, from the rows at hand:

    - `"crowding"`: those of least crowding distance, all at once.
    - `"hypervolume"`: again and again the row that adds least hypervolume to the others, of equal ones the last, its
      neighbours weighed anew each time (as SMS-EMOA does: Beume, Naujoks and Emmerich 2007, EJOR 181(3)). The reference
      point is the nadir minus .1 of the range of the rows before the first goes; an objective's scale does not matter.
      Where there is room for them, the first best row of each objective stays. Of more rows than can be weighed in a
      second or two (1,000 over the capacity, fewer of many objectives) the most crowded go beforehand.

    Args:
        solution_shape: Shape of one solution.
        num_objectives: Number of objectives.
        capacity: Most rows kept, at least 1.
        bound: `"crowding"` or `"hypervolume"`: which rows go beyond it.

    Attributes:
        least_violating: While nothing is feasible: the non-dominated ones among the rows that violate least.

    Raises:
        TypeError, ValueError: As `check_bound`.
    """

    def __init__(
        self, solution_shape: Sequence[int], num_objectives: int, capacity: int = CAPACITY, bound: str = "crowding"
    ) -> None:
        self.capacity, self.bound = check_bound(capacity, bound, num_objectives)
        self._keep(Candidates.empty(solution_shape, num_objectives))
        self.least_violating = self.front

    def __len__(self) -> int:
        return len(self._values)

    @property
    def objectives(self) -> Tensor:
        """Of the rows kept, `[n, m]`."""
        return torch.from_numpy(self._values)

    @property
    def front(self) -> Candidates:
        """The rows kept, possibly none, those that entered first in front."""
        if len(self._parts) > 1 or len(self._parts[0]) > len(self):
            self._keep(Candidates.cat(self._parts).rows(torch.from_numpy(self._places)))
        return self._parts[0]

    def _keep(self, front: Candidates) -> None:
        self._parts = [front]
        self._places = np.arange(len(front))  # of the rows kept, in all parts together
        self._values = front.objectives.numpy()  # arrays: half the cost of tensors for so few rows

    def add(self, candidates: Candidates) -> Candidates:
        """Take in evaluated rows; failed and infeasible ones never enter.

        Returns:
            The rows that entered: not dominated when they came, those too that the bound dropped at once. So whoever
            adds them to another archive of this kind, in the same portions, gets the same front.
        """
        feasible = ~candidates.failed.numpy()
        if "constraints" in candidates.extras:
            feasible &= candidates.violation.numpy() == 0
        if not feasible.any():
            if not len(self) and not candidates.failed.all():
                self._keep_least_violating(candidates.rows(~candidates.failed))
            return candidates.rows(slice(0))
        if len(self.least_violating):
            self.least_violating = self.least_violating.rows(slice(0))
        return self._merge(candidates, np.flatnonzero(feasible))

    def _merge(self, candidates: Candidates, feasible: np.ndarray) -> Candidates:
        """Take in the rows of these numbers; those of them that entered."""
        old = len(self)
        together = np.concatenate([self._values, candidates.objectives.numpy()[feasible]])
        best = non_dominated_cloud(together, keep_duplicates=False)
        if not best[old:].any():
            return candidates.rows(slice(0))
        entered = candidates.rows(torch.from_numpy(feasible[best[old:]]))
        keep = best
        if np.count_nonzero(best) > self.capacity:
            thin = _thin_by_hypervolume if self.bound == "hypervolume" else _thin_by_crowding
            keep = np.zeros_like(best)
            numbers = np.flatnonzero(best)
            keep[numbers[thin(together[numbers], self.capacity)]] = True
        end = sum(map(len, self._parts))
        places = np.arange(end, end + len(entered))[keep[old:][best[old:]]]
        self._parts.append(entered)
        self._places = np.concatenate([self._places[keep[:old]], places])
        self._values = together[keep]
        if end + len(entered) > SPARSE * len(self) + ROOM:
            self._keep(self.front)
        return entered

    def _keep_least_violating(self, candidates: Candidates) -> None:
        both = Candidates.cat([self.least_violating, candidates])
        violation = both.violation
        least = both.rows(violation == violation.min())
        self.least_violating = least.rows(non_dominated(least.objectives))

    def state_dict(self) -> dict[str, Any]:
        """The rows kept."""
        return {"front": self.front.state_dict(), "least_violating": self.least_violating.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._keep(Candidates.from_state(state["front"]))
        self.least_violating = Candidates.from_state(state["least_violating"])


def check_bound(capacity: Any, bound: Any, num_objectives: int, *, prefix: str = "") -> tuple[int, str]:
    """Check an archive's capacity and what bounds it.

    Args:
        capacity: Most rows kept.
        bound: One of `BOUNDS`.
        num_objectives: Number of objectives.
        prefix: Before the names of the two in messages.

    Raises:
        TypeError: The capacity is no whole number.
        ValueError: It is below 1, the bound is unknown, or the hypervolumes of so many rows would take too long.
    """
    capacity = check_count(f"{prefix}capacity", capacity)
    if bound not in BOUNDS:
        raise ValueError(f'`{prefix}bound` should be "crowding" or "hypervolume". Found {bound!r}.')
    if bound == "crowding":
        return capacity, str(bound)
    compiled = _compiled(num_objectives)
    most = _most_rows(capacity if compiled else min(capacity, UNCOMPILED), num_objectives, MAX_SECONDS)
    if most < capacity:
        hint = "" if compiled else " Numba allows more: `pip install moo-suite[fast]`."
        raise ValueError(
            f'`{prefix}capacity` should be at most {most} with {prefix}bound="hypervolume" and {num_objectives} '
            f"objectives: weighing more rows takes too long. Found {capacity}. "
            f'{prefix}bound="crowding" takes any number.{hint}'
        )
    return capacity, str(bound)


def _compiled(num_objectives: int) -> bool:
    """Whether all contributions are computed by compiled code, our own or moocore's."""
    return num_objectives <= 3 or importlib.util.find_spec("numba") is not None


def _most_rows(rows: int, num_objectives: int, seconds: float) -> int:
    """The largest number up to `rows` whose hypervolume is predicted to be done in time."""
    fast = _compiled(num_objectives)
    return bisect.bisect(range(1, rows + 1), seconds, key=lambda n: predicted_seconds(n, num_objectives, compiled=fast))


def _thin_by_crowding(objectives: Array, capacity: int) -> NDArray[np.intp]:
    """The numbers of the least crowded rows."""
    crowding = crowding_distance(objectives)
    return torch.argsort(crowding, descending=True, stable=True)[:capacity].numpy()


def _thin_by_hypervolume(objectives: Array, capacity: int) -> NDArray[np.intp]:
    """The numbers of the rows that are left where the row that adds least goes, again and again."""
    numbers = np.arange(len(objectives))
    most = _most_rows(min(len(objectives), capacity + AT_ONCE), objectives.shape[1], AT_ONCE_SECONDS)
    if len(numbers) > most:
        numbers = np.sort(_thin_by_crowding(objectives, most))
    rows = objectives[numbers] / 32  # so that a range and ten of them cannot overflow
    low = rows.min(axis=0)
    span = rows.max(axis=0) - low
    boxes = np.where(span > 0, (rows - low) * 10 / np.where(span > 0, span, 1.0), 10.0) + 1  # in tenths of the range
    guarded = np.unique(rows.argmax(axis=0))
    leave = _leave_two if boxes.shape[1] == 2 else _leave_many
    return numbers[leave(boxes, len(numbers) - capacity, guarded if len(guarded) <= capacity else guarded[:0])]


def _last_least(volumes: Array) -> int:
    return len(volumes) - 1 - int(volumes[::-1].argmin())


def _leave_two(boxes: Array, excess: int, guarded: NDArray[np.intp]) -> NDArray[np.intp]:
    """Numbers of the boxes of two objectives that stay; when one goes, its two neighbours add more."""
    n = len(boxes)
    order = np.argsort(boxes[:, 0])
    before, after = np.full(n, -1), np.full(n, -1)
    before[order[1:]], after[order[:-1]] = order[:-1], order[1:]
    sides = np.concatenate([boxes, np.zeros((1, 2))])  # the last, also number -1, is the reference point

    def alone(i: Any) -> Any:
        return (sides[i, 0] - sides[before[i], 0]) * (sides[i, 1] - sides[after[i], 1])

    volumes = alone(np.arange(n))
    volumes[guarded] = np.inf
    gone = np.zeros(n, dtype=bool)
    shielded = np.isin(np.arange(n), guarded)
    for _ in range(excess):
        i = _last_least(volumes)
        gone[i], volumes[i] = True, np.inf
        left, right = before[i], after[i]
        if left >= 0:
            after[left] = right
        if right >= 0:
            before[right] = left
        for j in (left, right):
            if j >= 0 and not shielded[j]:
                volumes[j] = alone(j)
    return np.flatnonzero(~gone)


def _leave_many(boxes: Array, excess: int, guarded: NDArray[np.intp]) -> NDArray[np.intp]:
    """Numbers of the boxes that stay.

    What a box adds only grows as others go. So a volume that was computed earlier is a lower bound, and only that of
    the least one is computed anew.
    """
    stays = np.ones(len(boxes), dtype=bool)
    volumes = _all_alone(boxes)
    volumes[guarded] = np.inf
    known = np.zeros(len(boxes), dtype=np.int64)  # how many had gone when a volume was computed
    gone = 0
    while gone < excess:
        i = _last_least(volumes)
        if known[i] == gone:
            stays[i], volumes[i] = False, np.inf
            gone += 1
        else:
            volumes[i], known[i] = _alone(boxes, i, stays), gone
    return np.flatnonzero(stays)


def _all_alone(boxes: Array) -> Array:
    """What each box covers alone, three or more objectives."""
    m = boxes.shape[1]
    if m == 3:
        return np.asarray(moocore.hv_contributions(-boxes, ref=np.zeros(m)))
    if _compiled(m):
        from moo.indicators.compiled import exclusive_volumes

        return exclusive_volumes(boxes)
    everything = np.ones(len(boxes), dtype=bool)  # moocore's contributions of so many objectives cost far more
    return np.array([_alone(boxes, i, everything) for i in range(len(boxes))])


def _alone(boxes: Array, i: int, stays: NDArray[np.bool_]) -> float:
    """What a box covers alone of those that stay."""
    others = stays.copy()
    others[i] = False
    covered = volume_above(np.minimum(boxes[others], boxes[i]), np.zeros(boxes.shape[1]))
    return max(0.0, float(boxes[i].prod()) - covered)
