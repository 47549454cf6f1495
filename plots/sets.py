"""Sets of objectives as plots take them: the fronts of runs, beside a known front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from moo.plots.reading import Results, check_reference_front, check_results, run_labels, shared_objectives
from moo.plots.style import FAINT, GREY, Look, look, scaled
from moo.plots.words import literal, with_direction

Array = NDArray[np.float64]

LINE_FROM = 30  # points of a known front of two objectives, from which on it is drawn as a line


@dataclass(frozen=True)
class RunFront:
    """The front of one run.

    Attributes:
        label: The method, and what else tells it from other runs; seeds share a label.
        objectives: float64 `[n, m]`, in the problem's own directions, possibly no rows.
        feasible: Whether anything feasible was found; else `objectives` are those of the least violating rows.
    """

    label: str
    objectives: Array
    feasible: bool


@dataclass(frozen=True)
class FrontData:
    """What a plot of fronts draws, in the problem's own directions.

    Attributes:
        objective_names: `m` names.
        directions: `"min"` or `"max"` for each.
        fronts: One per result, in their order.
        reference_front: float64 `[k, m]`, or None.
    """

    objective_names: tuple[str, ...]
    directions: tuple[str, ...]
    fronts: tuple[RunFront, ...]
    reference_front: Array | None

    @property
    def labels(self) -> list[str]:
        """The objectives as axes say them."""
        return [with_direction(*pair) for pair in zip(self.objective_names, self.directions, strict=True)]

    @property
    def looks(self) -> list[Look]:
        """The look of each front: one per label, grey where nothing is feasible."""
        labels = list(dict.fromkeys(front.label for front in self.fronts))
        looks = [look(labels.index(front.label)) for front in self.fronts]
        return [
            one if front.feasible else one._replace(color=GREY) for one, front in zip(looks, self.fronts, strict=True)
        ]

    @property
    def everything(self) -> Array:
        """All rows that are drawn, `[n, m]`."""
        parts = [front.objectives for front in self.fronts]
        return np.concatenate(parts if self.reference_front is None else [*parts, self.reference_front])

    @property
    def marker_size(self) -> float:
        """In points: the more rows a front has, the smaller."""
        rows = max(len(front.objectives) for front in self.fronts)
        return float(scaled(3.2 if rows <= 60 else 2.4 if rows <= 300 else 1.6))

    @property
    def few_known(self) -> bool:
        """Whether there is a known front, of so few points that each is to be seen."""
        return self.reference_front is not None and len(self.reference_front) < LINE_FROM


def reference_marks(data: FrontData) -> dict[str, Any]:
    """How the points of a known front look that is no line: few as rings around what was found of it, many as dots."""
    if data.few_known:
        ring: dict[str, Any] = {"marker": "o", "fillstyle": "none", "markersize": scaled(5.5)}
        return {"color": FAINT, "linestyle": "none", "markeredgewidth": scaled(0.9), **ring}
    return {"color": FAINT, "linestyle": "none", "marker": ".", "markersize": scaled(1.5), "markeredgewidth": 0}


def front_data(results: Results, reference_front: Any = None) -> FrontData:
    """The fronts of one result or several, ready to be drawn.

    Args:
        results: A result, or several on the same objectives.
        reference_front: The known front `[k, m]` in the problem's directions, as `get_problem(...).reference_front`.

    Raises:
        TypeError: Something is not a `SearchResult`, or the known front holds no numbers.
        ValueError: The results differ in number, names or directions of their objectives, or the known front has
            another number of columns or a value that is not finite.
    """
    found = check_results(results)
    names, directions = shared_objectives(found)
    fronts = []
    for label, result in zip(run_labels(found), found, strict=True):
        rows = result.front if result.feasible else result.least_violating
        fronts.append(RunFront(label, rows.objectives.numpy().copy(), result.feasible))
    return FrontData(names, directions, tuple(fronts), check_reference_front(reference_front, len(names)))


def front_handles(data: FrontData, *, lines: bool, reference_line: bool) -> list[Line2D]:
    """What a legend of fronts shows: one entry per look, as a line or as a marker."""
    handles = {}
    for front, (color, marker, line) in zip(data.fronts, data.looks, strict=True):
        label = literal(front.label) + ("" if front.feasible else " (nothing feasible: least violating)")
        style: dict[str, Any] = {"linestyle": line} if lines else {"linestyle": "none", "marker": marker}
        handles[label] = Line2D([], [], color=color, label=label, **style)
    if data.reference_front is not None:
        dots = {"color": FAINT, "linestyle": "none", "marker": "."}  # larger than in the picture
        marks = reference_marks(data) if data.few_known else dots
        style = {"color": FAINT, "linestyle": "-"} if reference_line else marks
        handles["reference"] = Line2D([], [], label="reference front", **style)
    return list(handles.values())


def dense_reference(data: FrontData) -> bool:
    """Whether the known front of two objectives has enough points to be drawn as a line."""
    return data.reference_front is not None and len(data.reference_front) >= LINE_FROM
