"""Runtime against quality: what a method's searches took, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from moo.plots.reading import check_scores, higher_is_better, in_words
from moo.plots.saving import paper_figure
from moo.plots.style import STYLE, look, panels, scaled
from moo.plots.words import literal, number_logarithm, shared_legend, wrapped

Array = NDArray[np.float64]

SECONDS = "wall_seconds"


@dataclass(frozen=True)
class RuntimePanel:
    """One problem.

    Attributes:
        problem: Its name with options.
        seconds: Lower quartile, median and upper quartile over seeds, `[methods, 3]`; NaN where there was no run.
        values: The same of the indicator.
    """

    problem: str
    seconds: Array
    values: Array


@dataclass(frozen=True)
class RuntimeData:
    """What a plot of runtime against quality draws.

    Attributes:
        indicator: Its name.
        higher_is_better: Whether larger values are better.
        methods: Their names.
        panels: One per problem.
    """

    indicator: str
    higher_is_better: bool
    methods: tuple[str, ...]
    panels: tuple[RuntimePanel, ...]


def runtime_data(scores: pd.DataFrame, indicator: str = "hypervolume") -> RuntimeData:
    """Median and quartiles over seeds of the seconds that searches took and of an indicator, by problem and method.

    Searches whose value is infinite (nothing was found) are left out.

    Args:
        scores: A row per search with the column `wall_seconds`, as `moo.benchmarks.score(..., times=True)` makes it.
        indicator: Its column.

    Raises:
        TypeError: `scores` is no table.
        ValueError: It lacks a column or rows, or no value is finite.
    """
    table = check_scores(scores, indicator)
    if SECONDS not in table:
        raise ValueError(
            f"`scores` should have the column {SECONDS}: make it with `score(..., times=True)`. Found none."
        )
    table = table[np.isfinite(table[indicator])]
    if not len(table):
        raise ValueError(f"A plot of runtime against quality needs a finite {in_words(indicator)}. Found none.")
    methods = tuple(dict.fromkeys(table["method"]))
    panels = []
    for problem, rows in table.groupby("problem", sort=False):
        groups = [rows[rows["method"] == method] for method in methods]
        seconds, values = (np.stack([_quartiles(group[name]) for group in groups]) for name in (SECONDS, indicator))
        panels.append(RuntimePanel(str(problem), seconds, values))
    return RuntimeData(indicator, higher_is_better(indicator), methods, tuple(panels))


def _quartiles(values: pd.Series) -> Array:
    if not len(values):
        return np.full(3, np.nan)
    return np.asarray(np.quantile(values.to_numpy(np.float64), (0.25, 0.5, 0.75)), dtype=np.float64)


def draw_runtime(axes: Axes, data: RuntimeData, panel: int = 0) -> None:
    """Draw one problem: a mark per method at its medians, with bars from quartile to quartile, seconds by logarithm."""
    one = data.panels[panel]
    for i in range(len(data.methods)):
        (x0, x, x1), (y0, y, y1) = one.seconds[i], one.values[i]
        if np.isnan(x):
            continue
        color, marker, _ = look(i)
        bars: dict[str, Any] = {"color": color, "linewidth": scaled(0.8), "zorder": 2}
        axes.plot([x0, x1], [y, y], **bars)
        axes.plot([x, x], [y0, y1], **bars)
        axes.plot(x, y, marker, color=color, markersize=scaled(4.5), markeredgewidth=0, zorder=3)
    axes.set_xscale("log")
    _widen(axes, one.seconds)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    better = "higher" if data.higher_is_better else "lower"
    axes.set(title=literal(one.problem), xlabel="seconds", ylabel=f"{in_words(data.indicator)} ({better} is better)")
    axes.grid(visible=True)


def _widen(axes: Axes, seconds: Array) -> None:
    """Limits that hold at least two numbers, however alike the times are."""
    low, high = float(np.nanmin(seconds)), float(np.nanmax(seconds))
    spare = max(1.25, (4 / (high / low)) ** 0.5)
    low, high = low / spare, high * spare
    axes.set_xlim(low, high)
    number_logarithm(axes.xaxis, low, high)


def plot_runtime(
    scores: pd.DataFrame,
    path: str | Path | None = None,
    *,
    indicator: str = "hypervolume",
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw what searches took against an indicator, medians and quartiles per method, a panel per problem.

    Args:
        scores: A row per search with `wall_seconds`, as `moo.benchmarks.score(..., times=True)` makes it.
        path: Where to write it; the ending is the format. None: only draw.
        indicator: A column of the table.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's column for one problem, else its page.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: `scores` is no table.
        ValueError: As `runtime_data`, or style, width or the path's ending are unknown.
        OSError: The file could not be written; the error names it.
    """
    data = runtime_data(scores, indicator)
    count = len(data.panels)
    down, across = panels(count)
    figure: Figure
    with paper_figure(path, style, width, 0.72 if count == 1 else 0.8 * down / across, page=count > 1) as figure:
        grid = figure.subplots(down, across, squeeze=False)
        for i, axes in enumerate(grid.flat):
            if i >= count:
                axes.remove()
                continue
            draw_runtime(axes, data, i)
            axes.set_title("\n".join(wrapped(data.panels[i].problem, 50 * figure.get_figwidth() / across, 8)))
            if count > 1:
                axes.set(xlabel="", ylabel="")
        if count > 1:
            better = "higher" if data.higher_is_better else "lower"
            figure.supxlabel("seconds", fontsize=scaled(8))
            figure.supylabel(f"{in_words(data.indicator)} ({better} is better)", fontsize=scaled(8))
        shared_legend(figure, _handles(data))
    return figure


def _handles(data: RuntimeData) -> list[Line2D]:
    looks = [look(i) for i in range(len(data.methods))]
    style: dict[str, Any] = {"linestyle": "none", "markersize": scaled(4.5), "markeredgewidth": 0}
    return [
        Line2D([], [], color=one.color, marker=one.marker, label=literal(name), **style)
        for one, name in zip(looks, data.methods, strict=True)
    ]
