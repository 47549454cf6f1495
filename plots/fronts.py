"""Fronts: a scatter for two objectives, projections or a scatter in space for three, parallel axes above."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from moo.checks import unknown_name
from moo.plots import pairs, parallel
from moo.plots.borders import limits, staircase, worst_corner
from moo.plots.reading import Results
from moo.plots.saving import paper_figure
from moo.plots.sets import FrontData, dense_reference, front_data, reference_marks
from moo.plots.space import lay_out_space
from moo.plots.style import STYLE, scaled
from moo.plots.words import fold_names

VIEWS = {"auto": (2, None), "scatter": (2, 2), "projections": (3, 3), "3d": (3, 3), "parallel": (2, None)}
SHAPES = {"scatter": 0.78, "projections": 0.34, "3d": 0.84}  # height over width
TALLEST = 3.4  # inches at most, for letters of 8 points


def draw_front(axes: Axes, data: FrontData) -> None:
    """Draw fronts of two objectives as points with the border of what they attain, or of three on axes in space.

    Args:
        axes: For three objectives those of `add_subplot(projection="3d")`.
        data: What `front_data` gave.
    """
    if axes.name == "3d":
        _draw_in_space(axes, data)
        return
    pairs.draw_pair(axes, data, 0, 1, reference_line=dense_reference(data))
    everything = data.everything
    if len(everything):
        worst = worst_corner([limits(everything[:, i]) for i in range(2)], data.directions)
        for front, (color, _, _) in zip(data.fronts, data.looks, strict=True):
            if front.feasible:
                corners = staircase(front.objectives, data.directions, worst)
                axes.plot(*corners.T, color=color, linewidth=scaled(0.6), alpha=0.5, zorder=1.5)


def _draw_in_space(axes: Any, data: FrontData) -> None:
    lay_out_space(axes, data.labels)
    points: dict[str, Any] = {"markeredgewidth": 0}
    if data.reference_front is not None:
        axes.plot(*data.reference_front.T, zorder=1, **reference_marks(data))
    for front, (color, marker, _) in zip(data.fronts, data.looks, strict=True):
        axes.plot(*front.objectives.T, marker, color=color, markersize=data.marker_size, label=front.label, **points)


def plot_front(
    results: Results,
    path: str | Path | None = None,
    *,
    reference_front: Any = None,
    view: str = "auto",
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw the fronts of one result or several: a scatter, projections, or parallel coordinates.

    Runs that differ in their seed only share a look and a line of the legend. Where nothing feasible was found, the
    least violating rows are drawn in grey, and the legend says so.

    Args:
        results: A result, or several on the same objectives.
        path: Where to write it; the ending (.pdf, .svg, .png, .pgf) is the format. None: only draw.
        reference_front: The known front `[k, m]` in the problem's directions, drawn beneath.
        view: `"scatter"` (two objectives, with the border of what is attained), `"projections"` (three: every pair),
            `"3d"` (three), `"parallel"` (any number: each axis spans what is drawn, better is up), or `"auto"`: the
            first of them that fits, `"parallel"` from four on.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's column, its page for projections and more than six objectives.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: The results do not fit together (see `front_data`), the view is unknown or does not fit the number
            of objectives, or style, width or the path's ending are unknown.
        OSError: The file could not be written; the error names it.
    """
    data = front_data(results, reference_front)
    view = _choose_view(view, len(data.objective_names))
    figure: Figure
    if view == "parallel":
        figure = parallel.plot_parallel(results, path, reference_front=reference_front, style=style, width=width)
        return figure
    with paper_figure(path, style, width, SHAPES[view], at_most=TALLEST, page=view == "projections") as figure:
        if view == "projections":
            pairs.draw_projections(figure, data)
        else:
            draw_front(figure.add_subplot(projection="3d" if view == "3d" else None), data)
            fold_names(figure)
        pairs.legend_of_fronts(figure, data, reference_line=view == "scatter" and dense_reference(data))
    return figure


def _choose_view(view: str, m: int) -> str:
    if view not in VIEWS:
        raise ValueError(unknown_name("view", view, VIEWS))
    if view == "auto":
        return {2: "scatter", 3: "projections"}.get(m, "parallel")
    low, high = VIEWS[view]
    if m < low or (high is not None and m > high):
        fitting = [name for name, (a, b) in VIEWS.items() if m >= a and (b is None or m <= b)]
        raise ValueError(f"`view` {view!r} is for {low} objectives. Found {m}, which fit {', '.join(fitting)}.")
    return view
