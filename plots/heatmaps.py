"""Methods by problems: medians of an indicator as numbers, shaded from the worst to the best of each problem."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from moo.plots.reading import check_scores, higher_is_better, in_words, median_table
from moo.plots.saving import paper_figure
from moo.plots.style import STYLE, scaled
from moo.plots.words import axes_width, literal, names_below, small, text_width, tick_number

Array = NDArray[np.float64]

WIDE_FROM = 5  # problems, from which on the page's width is taken
ROW, FRAME = 0.2, 0.6  # inches that a method takes, and all the rest, for letters of 8 points
NEITHER = 0.55  # shade from which on letters are white


@dataclass(frozen=True)
class HeatmapData:
    """What a heat map draws.

    Attributes:
        indicator: Its name.
        higher_is_better: Whether larger values are better.
        methods, problems: Names of rows and columns.
        medians: Over seeds, `[methods, problems]`; NaN where there was no run.
        quality: 0 for the worst and 1 for the best median of each problem, in between by value; NaN as above.
    """

    indicator: str
    higher_is_better: bool
    methods: tuple[str, ...]
    problems: tuple[str, ...]
    medians: Array
    quality: Array


def heatmap_data(scores: pd.DataFrame, indicator: str = "hypervolume") -> HeatmapData:
    """Medians of an indicator over seeds, by method and problem, and how good they are among those of a problem.

    An infinitely bad median is the worst, whatever the others are.

    Args:
        scores: A row per search, as `moo.benchmarks.score` makes it.
        indicator: Its column.

    Raises:
        TypeError: `scores` is no table.
        ValueError: It lacks a column or rows.
    """
    medians = median_table(check_scores(scores, indicator), indicator)
    higher = higher_is_better(indicator)
    values = medians.to_numpy(np.float64).T
    finite = np.where(np.isfinite(values), values if higher else -values, np.nan)
    quality = np.full(values.shape, np.nan)
    for j, column in enumerate(finite.T):
        known = column[~np.isnan(column)]
        gap = np.ptp(known) if len(known) else 0.0
        quality[:, j] = (column - known.min()) / gap if gap > 0 else np.where(np.isnan(column), np.nan, 1.0)
    quality[np.isinf(values)] = 0.0
    methods, problems = tuple(map(str, medians.columns)), tuple(map(str, medians.index))
    return HeatmapData(indicator, higher, methods, problems, values, quality)


def draw_heatmap(axes: Axes, data: HeatmapData) -> Any:
    """Draw the shades: a row per method, a column per problem, the darker the better; white where there was no run.

    Returns:
        The image, for a colour bar.
    """
    image = axes.imshow(data.quality, cmap="Blues", vmin=0, vmax=1.15, aspect="auto", interpolation="none")
    axes.set_yticks(range(len(data.methods)), [literal(name) for name in data.methods])
    labels, placed = names_below(data.problems, None, axes_width(axes) / 72)
    axes.set_xticks(range(len(data.problems)), labels, **placed)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    lines: dict[str, Any] = {"color": "white", "linewidth": scaled(1)}
    axes.vlines(np.arange(1, len(data.problems)) - 0.5, -0.5, len(data.methods) - 0.5, **lines)
    axes.hlines(np.arange(1, len(data.methods)) - 0.5, -0.5, len(data.problems) - 0.5, **lines)
    return image


def write_medians(axes: Axes, data: HeatmapData) -> bool:
    """Write the medians into the shades, the best of each problem in bold, if the axes as laid out have room for all.

    Returns:
        Whether they had.
    """
    texts = [[_number(data, i, j) for j in range(len(data.problems))] for i in range(len(data.methods))]
    room = axes_width(axes) / len(data.problems)
    if max(text_width(text, 7) for row in texts for text in row) + scaled(4) > room:
        return False
    for i, row in enumerate(texts):
        for j, text in enumerate(row):
            shade = data.quality[i, j]
            weight = "bold" if shade == 1 and len(data.methods) > 1 else "normal"
            color = "white" if shade > NEITHER else "black"
            axes.text(j, i, text, ha="center", va="center", color=color, weight=weight, fontsize=small())
    return True


def _number(data: HeatmapData, i: int, j: int) -> str:
    value, column = data.medians[i, j], data.medians[:, j]
    if not math.isfinite(value):
        return "\N{EN DASH}" if math.isnan(value) else "\N{INFINITY}" if value > 0 else "\N{MINUS SIGN}\N{INFINITY}"
    gap = float(np.ptp(column[np.isfinite(column)]))
    text: str = tick_number(float(value), max(gap, abs(float(value)) * 1e-2))
    return text


def plot_heatmap(
    scores: pd.DataFrame,
    path: str | Path | None = None,
    *,
    indicator: str = "hypervolume",
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw medians of an indicator, a row per method and a column per problem, shaded from worst to best.

    Args:
        scores: A row per search, as `moo.benchmarks.score` makes it.
        path: Where to write it; the ending is the format. None: only draw.
        indicator: A column of the table.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's column, its page from five problems on.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: `scores` is no table.
        ValueError: As `heatmap_data`, or style, width or the path's ending are unknown.
        OSError: The file could not be written; the error names it.
    """
    data = heatmap_data(scores, indicator)
    tall = FRAME + ROW * len(data.methods)
    page = len(data.problems) >= WIDE_FROM
    figure: Figure
    with paper_figure(path, style, width, math.inf, at_most=tall, page=page) as figure:
        axes = figure.add_subplot()
        bar = figure.colorbar(draw_heatmap(axes, data), ax=axes, boundaries=np.linspace(0, 1, 101), pad=0.02)
        bar.set_ticks([0, 1], labels=["worst", "best"])
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0)
        better = "higher" if data.higher_is_better else "lower"
        axes.set_title(f"median {in_words(data.indicator)} ({better} is better)")
        figure.draw_without_rendering()  # so that the width of the axes is known
        write_medians(axes, data)
    return figure
