"""Parallel coordinates: an axis per objective, a line per solution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from moo.plots.pairs import legend_of_fronts
from moo.plots.reading import Results, upwards
from moo.plots.saving import paper_figure
from moo.plots.sets import FrontData, front_data
from moo.plots.style import FAINT, STYLE, scaled
from moo.plots.words import axes_width, names_below, small, tick_number

Array = NDArray[np.float64]

OPAQUE_LINES = 200  # above this many, lines are shaded
REFERENCE_LINES = 200  # so many rows of a known front are drawn
WIDE_FROM = 7  # objectives, from which on the page's width is taken
UNLAID = 0.775  # share of a figure's width that axes take before they are laid out
SHAPE, TALLEST = 0.72, 2.6  # height over width, and in inches at most


def draw_parallel(axes: Axes, data: FrontData) -> None:
    """Draw fronts on parallel axes: each spans what is drawn, and better is up."""
    m, everything = len(data.objective_names), upwards(data.everything, data.directions)
    axes.set(xlim=(-0.15, m - 0.85), ylim=(0, 1), yticks=[], ylabel="better \N{RIGHTWARDS ARROW}")
    labels, placed = names_below(data.objective_names, data.directions, axes_width(axes) / 72 / UNLAID)
    axes.set_xticks(range(m), labels, **placed)
    axes.tick_params(axis="x", length=0, pad=scaled(12))
    axes.spines[:].set_visible(False)
    axes.vlines(range(m), 0, 1, color="black", linewidth=scaled(0.6), zorder=3)
    if not len(everything):
        return
    low, gap = everything.min(axis=0), np.ptp(everything, axis=0)
    _number_ends(axes, upwards(low, data.directions), upwards(low + gap, data.directions), gap)

    def lines(objectives: Array, **style: Any) -> None:
        heights = np.where(gap > 0, (upwards(objectives, data.directions) - low) / np.where(gap > 0, gap, 1.0), 0.5)
        places = np.broadcast_to(np.arange(m), heights.shape)
        axes.add_collection(LineCollection(list(np.stack([places, heights], axis=-1)), **style), autolim=False)

    if data.reference_front is not None:
        every = max(1, -(-len(data.reference_front) // REFERENCE_LINES))
        lines(data.reference_front[::every], color=FAINT, linewidth=scaled(0.4), zorder=1)
    count = sum(len(front.objectives) for front in data.fronts)
    alpha = 0.7 if count <= OPAQUE_LINES else max(0.04, 0.45 * OPAQUE_LINES / count)
    for front, (color, _, style) in zip(data.fronts, data.looks, strict=True):
        lines(front.objectives, color=color, linestyle=style, linewidth=scaled(0.6), alpha=alpha, label=front.label)


def _number_ends(axes: Axes, worst: Array, best: Array, gap: Array) -> None:
    """The worst and the best value below and above each of parallel axes; one number where they are equal."""
    for i in range(len(gap)):
        for value, place, offset, align in ((worst[i], 0, -3, "top"), (best[i], 1, 3, "bottom")):
            text = tick_number(float(value), float(gap[i])) if gap[i] > 0 or place else ""
            placed: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": align}
            axes.annotate(text, (i, place), (0, scaled(offset)), fontsize=small(), **placed)


def plot_parallel(
    results: Results,
    path: str | Path | None = None,
    *,
    reference_front: Any = None,
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw fronts of any number of objectives on parallel axes, each of which spans what is drawn; better is up.

    Args:
        results: A result, or several on the same objectives.
        path: Where to write it; the ending is the format. None: only draw.
        reference_front: The known front `[k, m]` in the problem's directions, drawn beneath.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's column, its page for more than six objectives.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: The results do not fit together (see `front_data`), or style, width or the path's ending are
            unknown.
        OSError: The file could not be written; the error names it.
    """
    data = front_data(results, reference_front)
    page = len(data.objective_names) >= WIDE_FROM
    figure: Figure
    with paper_figure(path, style, width, SHAPE, at_most=TALLEST, page=page) as figure:
        draw_parallel(figure.add_subplot(), data)
        legend_of_fronts(figure, data, lines=True, reference_line=True)
    return figure
