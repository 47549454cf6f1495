"""Attainment surfaces: what at least a quarter, half and three quarters of a method's runs attain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from moo.indicators.surfaces import attainment
from moo.plots.borders import between, broken_line, limits, staircase, worst_corner
from moo.plots.reading import (
    Results,
    by_label,
    check_objectives,
    check_reference_front,
    check_results,
    check_seeds,
    check_something_feasible,
    shared_objectives,
)
from moo.plots.saving import paper_figure
from moo.plots.space import lay_out_space
from moo.plots.style import FAINT, STYLE, look, scaled
from moo.plots.words import fold_names, literal, shared_legend, with_direction

Array = NDArray[np.float64]

TALLEST = 3.4  # inches that a figure is tall at most, for letters of 8 points
IN_SPACE = 250  # points of a median surface in space: it has thousands
SHARES = (25.0, 50.0, 75.0)  # percent of the runs


@dataclass(frozen=True)
class Surfaces:
    """The attainment surfaces of one method, in the problem's own directions, possibly of no rows.

    Attributes:
        label: The method, and what else tells it from the others.
        runs: How many there are; one that found nothing feasible attains nothing.
        best: What at least a quarter of the runs attains, `[k, m]`.
        median: What at least half of them attains, `[k, m]`.
        worst: What at least three quarters of them attain, `[k, m]`.
    """

    label: str
    runs: int
    best: Array
    median: Array
    worst: Array


@dataclass(frozen=True)
class AttainmentData:
    """What a plot of attainment surfaces draws.

    Attributes:
        objective_names: `m` names.
        directions: `"min"` or `"max"` for each.
        methods: One per method, in the order in which they first stand among the results.
        reference_front: float64 `[k, m]`, or None.
    """

    objective_names: tuple[str, ...]
    directions: tuple[str, ...]
    methods: tuple[Surfaces, ...]
    reference_front: Array | None

    @property
    def everything(self) -> Array:
        """All points that are drawn, `[n, m]`."""
        parts = [part for one in self.methods for part in (one.best, one.median, one.worst)]
        return np.concatenate(parts if self.reference_front is None else [*parts, self.reference_front])


def attainment_data(results: Results, reference_front: Any = None) -> AttainmentData:
    """The attainment surfaces of each method's runs, for two or three objectives.

    Source: Grunert da Fonseca, Fonseca and Hall 2001 (EMO); see `moo.indicators.attainment`.

    Args:
        results: Results of one or several methods with at least two seeds each, on the same objectives.
        reference_front: The known front `[k, m]` in the problem's directions.

    Raises:
        TypeError: Something is not a `SearchResult`, or the known front holds no numbers.
        ValueError: The results differ in their objectives, these are neither two nor three, a method has one run,
            nothing is feasible, or the known front does not fit.
    """
    found = check_results(results)
    names, directions = shared_objectives(found)
    check_objectives("attainment surfaces", len(names), 2, 3)
    groups = by_label(found)
    check_seeds({label: len(runs) for label, runs in groups.items()}, "attainment surfaces")
    check_something_feasible(found, "attainment surfaces")
    methods = []
    for label, runs in groups.items():
        surfaces = attainment([run.objectives for run in runs], SHARES, directions=list(directions))
        methods.append(Surfaces(label, len(runs), *(surfaces.surface(share).numpy() for share in SHARES)))
    return AttainmentData(names, directions, tuple(methods), check_reference_front(reference_front, len(names)))


def draw_attainment(axes: Axes, data: AttainmentData) -> list[Line2D]:
    """Draw surfaces of two objectives as a median line in a band of quartiles, of three as points of the median.

    Args:
        axes: For three objectives those of `add_subplot(projection="3d")`.
        data: What `attainment_data` gave.

    Returns:
        What a legend shows.
    """
    draw = _draw_in_space if len(data.objective_names) == 3 else _draw_in_plane
    return draw(axes, data)


def _draw_in_plane(axes: Axes, data: AttainmentData) -> list[Line2D]:
    everything = data.everything
    bounds = [limits(everything[:, i]) for i in range(2)]
    labels = [with_direction(*pair) for pair in zip(data.objective_names, data.directions, strict=True)]
    axes.set(xlim=bounds[0], ylim=bounds[1], xlabel=labels[0], ylabel=labels[1])
    worst = worst_corner(bounds, data.directions)
    handles = []
    for i, method in enumerate(data.methods):
        color, _, line = look(i)
        band = between(method.best, method.worst, data.directions, worst)
        axes.add_patch(Polygon(band, facecolor=color, alpha=0.22, linewidth=0))
        border = staircase(method.median, data.directions, worst)
        handles += axes.plot(*border.T, color=color, linestyle=line, label=_label(method))
    if data.reference_front is not None:
        style: dict[str, Any] = {"color": "black", "linewidth": scaled(0.7), "label": "reference front"}
        handles += axes.plot(*broken_line(data.reference_front, data.directions).T, zorder=3, **style)
    return handles


def _draw_in_space(axes: Any, data: AttainmentData) -> list[Line2D]:
    labels = [with_direction(*pair) for pair in zip(data.objective_names, data.directions, strict=True)]
    lay_out_space(axes, labels)
    handles = []
    for i, method in enumerate(data.methods):
        color, marker, _ = look(i)
        points: dict[str, Any] = {"color": color, "linestyle": "none", "marker": marker, "markeredgewidth": 0}
        every = max(1, -(-len(method.median) // IN_SPACE))
        axes.plot(*method.median[::every].T, markersize=scaled(2), **points)
        handles.append(Line2D([], [], label=_label(method), **points))
    if data.reference_front is not None:
        points = {"color": FAINT, "linestyle": "none", "marker": "."}
        axes.plot(*data.reference_front.T, markersize=scaled(1.2), markeredgewidth=0, zorder=1, **points)
        handles.append(Line2D([], [], label="reference front", **points))
    return handles


def _label(method: Surfaces) -> str:
    return f"{literal(method.label)} ({method.runs} runs)"


def plot_attainment(
    results: Results,
    path: str | Path | None = None,
    *,
    reference_front: Any = None,
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw what half of each method's runs attain, in a band from a quarter to three quarters of them.

    Of three objectives the points of the median surface are drawn in space, without a band.

    Args:
        results: Results of one or several methods with at least two seeds each, on the same two or three objectives.
        path: Where to write it; the ending is the format. None: only draw.
        reference_front: The known front `[k, m]` in the problem's directions, drawn as a thin line.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's column.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: As `attainment_data`, or style, width or the path's ending are unknown.
        OSError: The file could not be written; the error names it.
    """
    data = attainment_data(results, reference_front)
    flat = len(data.objective_names) == 2
    figure: Figure
    with paper_figure(path, style, width, 0.78 if flat else 0.84, at_most=TALLEST) as figure:
        axes = figure.add_subplot(projection=None if flat else "3d")
        shared_legend(figure, draw_attainment(axes, data))
        fold_names(figure)
    return figure
