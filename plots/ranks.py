"""Critical-difference diagrams: average ranks of methods over problems, and which of them do not differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from moo.plots.reading import check_scores, higher_is_better, in_words, median_table
from moo.plots.saving import paper_figure
from moo.plots.style import COLUMN, STYLE, scaled
from moo.plots.words import literal, small, wrapped
from moo.statistics import CriticalDifference, critical_difference

ROW, BAR, RULER, FRAME = 0.16, 0.09, 0.2, 0.42  # inches of a name, a group, the ruler and the rest, for letters of 8

RANK = 16  # points that a step of rank should take at least


@dataclass(frozen=True)
class RankData:
    """What a critical-difference diagram draws.

    Attributes:
        indicator: Whose medians were ranked.
        comparison: The average ranks, and the groups that do not differ.
    """

    indicator: str
    comparison: CriticalDifference


def rank_data(
    scores: pd.DataFrame, indicator: str = "hypervolume", *, alpha: float = 0.05, how: str = "wilcoxon-holm"
) -> RankData:
    """Rank methods over problems by their medians over seeds, and find which of them do not differ.

    Source: Demsar 2006 (JMLR 7); see `moo.statistics.critical_difference`.

    Args:
        scores: A row per search, as `moo.benchmarks.score` makes it: each method on each problem.
        indicator: Its column.
        alpha: Significance level.
        how: `"wilcoxon-holm"` or `"nemenyi"`.

    Raises:
        TypeError: `scores` is no table.
        ValueError: It lacks a column or rows, there are fewer than two methods or two problems, a method lacks a
            problem, or `alpha` or `how` is none.
    """
    medians = median_table(check_scores(scores, indicator), indicator)
    for what, found in (("methods", list(medians.columns)), ("problems", list(medians.index))):
        if len(found) < 2:
            raise ValueError(
                f"A plot of critical differences needs at least two {what}. Found {', '.join(found)} alone."
            )
    check_complete(medians, "critical differences")
    names = [str(name) for name in medians.columns]
    values = medians.to_numpy(np.float64)
    higher = higher_is_better(indicator)
    return RankData(indicator, critical_difference(values, names, higher_is_better=higher, alpha=alpha, how=how))


def check_complete(medians: pd.DataFrame, plot: str) -> None:
    """Check that each method has a value on each problem.

    Raises:
        ValueError: One lacks a problem; it is named.
    """
    for method in medians.columns:
        lacks = medians.index[medians[method].isna()]
        if len(lacks):
            raise ValueError(
                f"A plot of {plot} compares methods on the same problems. Found no value of {method!r} on "
                f"{', '.join(map(str, lacks))}: run it there, or leave out the method or the problem."
            )


def draw_ranks(axes: Axes, data: RankData) -> None:
    """Draw an axis of ranks, the best at the left, a name per method, and a bar per group that does not differ.

    Dots on a bar are its members: with pairwise tests a method between two of them may differ from them.
    """
    found = data.comparison
    count, bars = len(found.names), len(found.groups)
    thin, dot = scaled(0.7), scaled(3)
    left = math.ceil(count / 2)
    step = BAR / ROW
    lowest = -(bars + 0.6) * step - left - (0.2 if found.difference is None else RULER / ROW)
    axes.set(xlim=(1, count), ylim=(lowest, 0.05))
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.spines["top"].set_visible(True)
    axes.set(yticks=[], xticks=range(1, count + 1))
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(axis_label(data))
    place = dict(zip(found.names, found.ranks, strict=True))
    for i, group in enumerate(found.groups):
        members = [place[name] for name in group]
        height = -(i + 0.8) * step
        axes.plot([min(members), max(members)], [height] * 2, color="black", linewidth=scaled(2), clip_on=False)
        axes.plot(members, [height] * len(members), "o", color="black", markersize=dot, clip_on=False)
    for i, (name, rank) in enumerate(place.items()):
        row = i if i < left else count - 1 - i
        height = -(bars + 0.6) * step - row - 0.5
        end, align, away = (1, "right", -2) if i < left else (count, "left", 2)
        axes.plot([rank, rank, end], [0, height, height], color="0.4", linewidth=thin, clip_on=False)
        placed: dict[str, Any] = {"textcoords": "offset points", "ha": align, "va": "center", "annotation_clip": False}
        axes.annotate(f"{literal(name)} {rank:.2f}", (end, height), (scaled(away), 0), **placed)
    if found.difference is not None:
        _draw_ruler(axes, found.difference, lowest + 0.5)


def axis_label(data: RankData) -> str:
    """What the axis shows."""
    return f"average rank by {in_words(data.indicator)} over {data.comparison.problems} problems (1 is best)"


def _draw_ruler(axes: Axes, difference: float, height: float) -> None:
    """The critical difference to scale, below the names."""
    axes.plot([1, 1 + difference], [height] * 2, "|-", color="black", markersize=scaled(4), clip_on=False)
    placed: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": small()}
    text = f"critical difference {difference:.2f}"
    axes.annotate(text, (1 + difference, height), (scaled(5), 0), annotation_clip=False, **placed)


def _crowded(found: CriticalDifference) -> bool:
    """Whether names and ranks would not fit into a column."""
    left = math.ceil(len(found.names) / 2)
    letters = sum(max(map(len, names), default=0) + 5 for names in (found.names[:left], found.names[left:]))
    return bool(4 * letters + RANK * len(found.names) > COLUMN * 72)  # a letter is about 4 points wide


def plot_ranks(
    scores: pd.DataFrame,
    path: str | Path | None = None,
    *,
    indicator: str = "hypervolume",
    alpha: float = 0.05,
    how: str = "wilcoxon-holm",
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw a critical-difference diagram: average ranks over problems, a bar per group of methods that do not differ.

    Args:
        scores: A row per search, as `moo.benchmarks.score` makes it: each method on each problem.
        path: Where to write it; the ending is the format. None: only draw.
        indicator: A column of the table.
        alpha: Significance level.
        how: `"wilcoxon-holm"`, or `"nemenyi"`, which also shows the critical difference to scale.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's column, its page where names and ranks would not fit into that.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: `scores` is no table.
        ValueError: As `rank_data`, or style, width or the path's ending are unknown.
        OSError: The file could not be written; the error names it.
    """
    data = rank_data(scores, indicator, alpha=alpha, how=how)
    found = data.comparison
    tall = FRAME + ROW * math.ceil(len(found.names) / 2) + BAR * (len(found.groups) + 1)
    tall += RULER if found.difference is not None else 0
    figure: Figure
    with paper_figure(path, style, width, math.inf, at_most=tall, page=_crowded(found)) as figure:
        axes = figure.add_subplot()
        draw_ranks(axes, data)
        axes.set_xlabel("")
        figure.suptitle("\n".join(wrapped(axis_label(data), 0.97 * 72 * figure.get_figwidth(), 8)), fontsize=scaled(8))
    return figure
