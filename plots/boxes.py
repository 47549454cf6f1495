"""Spread over seeds: an indicator's boxes or violins, a panel per problem and a row per method."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from moo.plots.reading import check_scores, check_seeds, higher_is_better, in_words
from moo.plots.saving import paper_figure
from moo.plots.style import STYLE, look, panels, scaled
from moo.plots.words import literal, text_width, wrapped

Array = NDArray[np.float64]

ROW = 0.19  # inches that a method takes, for letters of 8 points
FRAME = 0.55  # inches that a panel's title, numbers and name take


@dataclass(frozen=True)
class BoxPanel:
    """One problem.

    Attributes:
        problem: Its name with options.
        values: Of the indicator, an array `[n]` of the finite ones per method, in the order of the methods.
        runs: How many searches each method has; those above `len(values)` gave nothing finite.
    """

    problem: str
    values: tuple[Array, ...]
    runs: tuple[int, ...]


@dataclass(frozen=True)
class BoxData:
    """What boxes and violins draw.

    Attributes:
        indicator: Its name.
        higher_is_better: Whether larger values are better.
        methods: Their names, a row each.
        panels: One per problem.
    """

    indicator: str
    higher_is_better: bool
    methods: tuple[str, ...]
    panels: tuple[BoxPanel, ...]


def box_data(scores: pd.DataFrame, indicator: str = "hypervolume") -> BoxData:
    """The values of an indicator over seeds, by problem and method.

    Args:
        scores: A row per search with the columns `problem`, `method`, `seed` and the indicator, as
            `moo.benchmarks.score` makes it.
        indicator: Its column.

    Raises:
        TypeError: `scores` is no table.
        ValueError: It lacks a column or rows, or no method has two runs on a problem.
    """
    table = check_scores(scores, indicator)
    methods = tuple(dict.fromkeys(table["method"]))
    panels = []
    for problem, rows in table.groupby("problem", sort=False):
        found = [rows.loc[rows["method"] == method, indicator].to_numpy(np.float64) for method in methods]
        finite = tuple(values[np.isfinite(values)] for values in found)
        panels.append(BoxPanel(str(problem), finite, tuple(map(len, found))))
    most = {method: max(panel.runs[i] for panel in panels) for i, method in enumerate(methods)}
    check_seeds(most, "spread over seeds")
    return BoxData(indicator, higher_is_better(indicator), methods, tuple(panels))


def draw_box(axes: Axes, data: BoxData, panel: int = 0, *, violin: bool = False) -> None:
    """Draw one problem: a row per method, each run a point, beneath them a box or a violin.

    A box has the median, the quartiles, and whiskers to the last run within 1.5 times their span.

    Args:
        axes: To draw on.
        data: What `box_data` gave.
        panel: Which problem, by its place.
        violin: Whether the distribution is drawn (by a kernel, Scott's rule) instead of a box.
    """
    one = data.panels[panel]
    for i, values in enumerate(one.values):
        color, marker, _ = look(i)
        if len(values) > 1:
            (_draw_violin if violin else _draw_box)(axes, values, i, color)
        style: dict[str, Any] = {"markersize": scaled(2.4), "markeredgewidth": 0, "alpha": 0.75, "zorder": 3}
        axes.plot(values, np.full(len(values), i), marker, color=color, **style)
        if missing := one.runs[i] - len(values):
            text = f"{missing} of {one.runs[i]} infinite"
            axes.annotate(text, (1, i), (0, 0), ("axes fraction", "data"), "offset points", ha="right", va="center")
    axes.set_yticks(range(len(data.methods)), [literal(name) for name in data.methods])
    axes.set(ylim=(len(data.methods) - 0.4, -0.6))
    better = "higher" if data.higher_is_better else "lower"
    axes.set(title=literal(one.problem), xlabel=f"{in_words(data.indicator)} ({better} is better)")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def _draw_box(axes: Axes, values: Array, place: int, color: str) -> None:
    line = {"color": color, "linewidth": scaled(0.8)}
    axes.boxplot(
        [values],
        positions=[place],
        orientation="horizontal",
        widths=0.55,
        patch_artist=True,
        showfliers=False,  # every run is a point
        manage_ticks=False,
        boxprops={"facecolor": _pale(color), "edgecolor": color, "linewidth": scaled(0.8)},
        medianprops={"color": color, "linewidth": scaled(1.8)},
        whiskerprops=line,
        capprops=line,
    )


def _draw_violin(axes: Axes, values: Array, place: int, color: str) -> None:
    parts: dict[str, Any] = axes.violinplot(
        [values], positions=[place], orientation="horizontal", widths=0.8, showextrema=False, showmedians=True
    )
    for body in parts["bodies"]:
        body.set(facecolor=_pale(color), edgecolor=color, alpha=1.0, linewidth=scaled(0.6))
    parts["cmedians"].set(color=color, linewidth=scaled(1.8))


def _pale(color: str) -> Any:
    """The colour, mixed with white."""
    return tuple(0.75 + 0.25 * part for part in to_rgb(color))


def plot_box(
    scores: pd.DataFrame,
    path: str | Path | None = None,
    *,
    indicator: str = "hypervolume",
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw an indicator's spread over seeds as boxes, a panel per problem.

    Args:
        scores: A row per search, as `moo.benchmarks.score` makes it.
        path: Where to write it; the ending is the format. None: only draw.
        indicator: A column of the table.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's column for one problem, else its page.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: `scores` is no table.
        ValueError: As `box_data`, or style, width or the path's ending are unknown.
        OSError: The file could not be written; the error names it.
    """
    return _plot(box_data(scores, indicator), path, style, width, violin=False)


def plot_violin(
    scores: pd.DataFrame,
    path: str | Path | None = None,
    *,
    indicator: str = "hypervolume",
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw an indicator's spread over seeds as violins, a panel per problem.

    Args:
        scores, path, indicator, style, width: As for `plot_box`.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError, ValueError, OSError: As `plot_box`.
    """
    return _plot(box_data(scores, indicator), path, style, width, violin=True)


def _plot(data: BoxData, path: str | Path | None, style: str, width: float | None, *, violin: bool) -> Figure:
    count = len(data.panels)
    down, across = panels(count)
    tall = down * (FRAME + ROW * len(data.methods))
    figure: Figure
    with paper_figure(path, style, width, math.inf, at_most=tall, page=count > 1) as figure:
        names = max(text_width(literal(name), 7) for name in data.methods)
        room = 0.95 * (72 * figure.get_figwidth() - names) / across
        grid = figure.subplots(down, across, squeeze=False, sharey=True)
        for i, axes in enumerate(grid.flat):
            if i >= count:
                axes.remove()
                continue
            draw_box(axes, data, i, violin=violin)
            axes.set_title("\n".join(wrapped(data.panels[i].problem, room, 8)))
            axes.set_xlabel("")
        figure.supxlabel(grid_label(data), fontsize=scaled(8))
    return figure


def grid_label(data: BoxData) -> str:
    """What all panels' axes say."""
    return f"{in_words(data.indicator)} ({'higher' if data.higher_is_better else 'lower'} is better)"
