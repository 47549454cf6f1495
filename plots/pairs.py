"""Pairs of objectives: every two of three beside each other, or of up to six as the lower half of a matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from moo.plots.borders import broken_line, limits
from moo.plots.reading import Results, check_objectives
from moo.plots.saving import paper_figure
from moo.plots.sets import FrontData, front_data, front_handles, reference_marks
from moo.plots.style import FAINT, STYLE, scaled
from moo.plots.words import fold_names, say, shared_legend

MOST = 6  # objectives of a matrix: more would be stamps


def draw_pair(axes: Axes, data: FrontData, i: int, j: int, *, reference_line: bool = False) -> None:
    """Draw objective j against objective i: the known front beneath, points above."""
    everything = data.everything
    labels = data.labels
    axes.set(xlabel=labels[i], ylabel=labels[j])
    if not len(everything):
        axes.set(xticks=[], yticks=[])
        return
    axes.set(xlim=limits(everything[:, i]), ylim=limits(everything[:, j]))
    reference = data.reference_front
    if reference is not None and reference_line:
        line = broken_line(reference[:, [i, j]], [data.directions[i], data.directions[j]])
        axes.plot(*line.T, color=FAINT, linewidth=scaled(1.6), zorder=1)
    elif reference is not None:
        axes.plot(reference[:, i], reference[:, j], zorder=1, **reference_marks(data))
    for front, (color, marker, _) in zip(data.fronts, data.looks, strict=True):
        style: dict[str, Any] = {"color": color, "markersize": data.marker_size, "markeredgewidth": 0}
        axes.plot(front.objectives[:, i], front.objectives[:, j], marker, label=front.label, **style)


def draw_matrix(grid: Any, data: FrontData) -> None:
    """Draw every pair of m objectives on the lower half of a grid of axes `[m - 1, m - 1]`, and hide the upper one.

    Column i shows objective i, row j objective j + 1; numbers and names stand at the left and below alone.
    """
    last = len(data.objective_names) - 2
    for row, line in enumerate(grid):
        for column, axes in enumerate(line):
            if column > row:
                axes.remove()
                continue
            draw_pair(axes, data, column, row + 1)
            for axis, outer in ((axes.xaxis, row == last), (axes.yaxis, column == 0)):
                if len(data.everything):
                    axis.set_major_locator(MaxNLocator(3))
                axis.set_tick_params(labelleft=outer, labelbottom=outer)
                axis.label.set_visible(outer)


def plot_matrix(
    results: Results,
    path: str | Path | None = None,
    *,
    reference_front: Any = None,
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw fronts of three to six objectives as the lower half of a matrix: each pair of objectives is a scatter.

    Args:
        results: A result, or several on the same objectives.
        path: Where to write it; the ending is the format. None: only draw.
        reference_front: The known front `[k, m]` in the problem's directions, drawn beneath.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's page.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: The results do not fit together (see `front_data`), there are other than three to six objectives,
            or style, width or the path's ending are unknown.
        OSError: The file could not be written; the error names it.
    """
    data = front_data(results, reference_front)
    m = len(data.objective_names)
    check_objectives("pairs", m, 3, MOST, "draw them on parallel axes" if m > MOST else "draw a front")
    figure: Figure
    with paper_figure(path, style, width, 0.75, page=True) as figure:
        grid = figure.subplots(m - 1, m - 1, squeeze=False)
        draw_matrix(grid, data)
        fold_names(figure, m - 1, m - 1)
        figure.align_labels()
        legend_of_fronts(figure, data)
    return figure


def draw_projections(figure: Figure, data: FrontData) -> None:
    """Draw the three pairs of three objectives beside each other on a figure."""
    for axes, (i, j) in zip(figure.subplots(1, 3), ((0, 1), (0, 2), (1, 2)), strict=True):
        draw_pair(axes, data, i, j)
    fold_names(figure, 3)


def legend_of_fronts(figure: Figure, data: FrontData, *, lines: bool = False, reference_line: bool = False) -> None:
    """A legend above, where several things are drawn or nothing is feasible, which it says."""
    if not any(len(front.objectives) for front in data.fronts):
        say(figure.axes[len(figure.axes) // 2], "nothing feasible")
        return
    handles = front_handles(data, lines=lines, reference_line=reference_line)
    if len(handles) > 1 or not data.fronts[0].feasible:
        shared_legend(figure, handles)
