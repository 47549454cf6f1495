"""Histories: hypervolume against what was spent, a median and its quartiles where a method ran with several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from moo.plots.style import (
    COLUMN,
    check_results,
    literal,
    look,
    new_figure,
    paper_style,
    run_labels,
    save_figure,
    shared_legend,
)
from moo.result import SearchResult

Array = NDArray[np.float64]

DIRECT_LABELS = 6  # up to so many lines bear their label at the end; more get a legend
LONGEST_LABEL = 16  # letters; a longer label at a line's end would take too much of a column's width
LINE_HEIGHT = 8.5  # points between two labels


@dataclass(frozen=True)
class Convergence:
    """The runs of one method, which differ in their seed only.

    Attributes:
        label: The method, and what else tells it from the others.
        runs: How many there are.
        used: What was spent, ascending, float64 `[k]`; none where the runs have no point in common.
        median: Of the runs' hypervolumes, `[k]`.
        low: Their lower quartile, `[k]`.
        high: Their upper quartile, `[k]`.
    """

    label: str
    runs: int
    used: Array
    median: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class ConvergenceData:
    """What a convergence plot draws.

    Attributes:
        problem: Its name with options.
        unit: Of what was spent.
        reference_point: Of the hypervolumes, in the problem's own directions; None where there was none.
        lines: One per method, in the order in which they first stand among the results.
    """

    problem: str
    unit: str
    reference_point: tuple[float, ...] | None
    lines: tuple[Convergence, ...]


def convergence_data(results: SearchResult | Sequence[SearchResult]) -> ConvergenceData:
    """Hypervolume against what was spent, with median and quartiles over the runs of a method.

    Between two steps of its history a run keeps the last value known (the hypervolume is left out of a history, as NaN,
    where it was too costly). A method's line stands at every point where one of its runs changed, from where all runs
    have a value to where the first of them ended: beyond, a median would compare different runs.

    Args:
        results: A result, or several of the same problem, measured from the same reference point.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: The problems or the reference points differ.
    """
    found = check_results(results)
    first = found[0]
    for other in found[1:]:
        _check_comparable(first, other)
    groups: dict[str, list[SearchResult]] = {}
    for label, result in zip(run_labels(found), found, strict=True):
        groups.setdefault(label, []).append(result)
    point = first.record["reference_point"]
    return ConvergenceData(
        first.config["problem"],
        first.config["unit"],
        None if point is None else tuple(point),
        tuple(_summary(label, runs) for label, runs in groups.items()),
    )


def _check_comparable(first: SearchResult, other: SearchResult) -> None:
    problems = [result.config["problem"] for result in (first, other)]
    if problems[0] != problems[1]:
        raise ValueError(
            "Results in one convergence plot should be of the same problem: hypervolumes of different ones are not "
            f"comparable. Found {problems[0]!r} and {problems[1]!r}. Draw one plot for each."
        )
    points = [result.record["reference_point"] for result in (first, other)]
    if points[0] != points[1]:
        raise ValueError(
            "Results in one convergence plot should have the same reference point: hypervolumes measured from "
            f"different ones are not comparable. Found {points[0]} and {points[1]}. Run the searches with the same "
            "`reference_point=`."
        )


def _summary(label: str, runs: Sequence[SearchResult]) -> Convergence:
    """Median and quartiles of runs at the union of their points."""
    known = [run.history[["used", "hypervolume"]].dropna().to_numpy(np.float64) for run in runs]
    known = [history[np.append(np.diff(history[:, 0]) > 0, True)] if len(history) else history for history in known]
    ends = [float(run.record["used"]) for run in runs]
    if not all(map(len, known)):
        points = np.empty(0)
    else:
        begin, end = max(history[0, 0] for history in known), min(ends)
        points = np.unique(np.concatenate([[end], *(history[:, 0] for history in known)]))
        points = points[(points >= begin) & (points <= end)]
    if not len(points):
        return Convergence(label, len(runs), points, points, points, points)
    values = [history[np.searchsorted(history[:, 0], points, side="right") - 1, 1] for history in known]
    low, median, high = np.quantile(np.stack(values), (0.25, 0.5, 0.75), axis=0)
    return Convergence(label, len(runs), points, median, low, high)


# --------------------------------------------------------------------------------------------------- drawing
def plot_convergence(
    results: SearchResult | Sequence[SearchResult],
    path: str | Path | None = None,
    *,
    width: float = COLUMN,
) -> Figure:
    """Draw hypervolume against what was spent: a line per method, its median and quartiles over several seeds.

    Up to six lines bear their labels at their ends, more (or long labels) get a legend.

    Args:
        results: A result, or several of the same problem, measured from the same reference point.
        path: Where to write it; the ending (.pdf, .svg, .png) is the format. None: only draw.
        width: In inches; 3.25 is one column of a two-column paper, 6.75 both.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: The problems or the reference points differ, the width is not positive, or the path has another
            ending.
        OSError: The file could not be written; the error names it.
    """
    data = convergence_data(results)
    with paper_style():
        figure: Figure = new_figure(width, 0.72, at_most=3.4)
        axes = figure.add_subplot()
        axes.set(xlabel=f"{data.unit} used", ylabel="hypervolume")
        drawn = [line for line in data.lines if len(line.used)]
        handles = [_draw_line(axes, line, i) for i, line in enumerate(drawn)]
        if drawn:
            axes.set_xlim(0, max(line.used[-1] for line in drawn))
        else:
            axes.set(xticks=[], yticks=[])
            text = "no hypervolume to compare"
            axes.annotate(text, (0.5, 0.5), xycoords="axes fraction", ha="center", color="0.4")
        if 0 < len(drawn) <= DIRECT_LABELS and all(len(line.label) <= LONGEST_LABEL for line in drawn):
            _label_ends(figure, axes, drawn, handles)
        elif drawn:
            shared_legend(figure, handles)
        if path is not None:
            save_figure(figure, path)
    return figure


def _draw_line(axes: Axes, line: Convergence, number: int) -> Line2D:
    """One method: the median as a step line, the quartiles as a band."""
    color, _, style = look(number)
    if line.runs > 1:
        axes.fill_between(line.used, line.low, line.high, step="post", color=color, alpha=0.18, linewidth=0)
    options: dict[str, Any] = {"color": color, "linestyle": style, "label": literal(line.label)}
    drawn: Line2D = axes.plot(line.used, line.median, drawstyle="steps-post", **options)[0]
    return drawn


def _label_ends(figure: Figure, axes: Axes, lines: Sequence[Convergence], handles: Sequence[Line2D]) -> None:
    """Each line's label at the right of its end, moved apart where two would overlap."""
    figure.draw_without_rendering()  # so that the height of the axes is known
    low, high = axes.get_ylim()
    height = axes.get_window_extent().height / figure.dpi * 72 / (high - low)  # points per unit
    ends = np.array([line.median[-1] for line in lines])
    places = spread((ends - low) * height, LINE_HEIGHT) / height + low
    for line, handle, end, place in zip(lines, handles, ends, places, strict=True):
        moved = abs(place - end) * height > 1
        leader = {"arrowstyle": "-", "color": handle.get_color(), "linewidth": 0.4, "relpos": (0, 0.5), "shrinkB": 0}
        axes.annotate(
            str(handle.get_label()),
            (line.used[-1], end),
            xytext=(12 if moved else 4, (place - end) * height),
            textcoords="offset points",
            color=handle.get_color(),
            va="center",
            fontsize=7.5,
            arrowprops={**leader, "shrinkA": 1} if moved else None,
        )
    axes.set_ylim(low, high)


def spread(places: Array, gap: float) -> Array:
    """The places `[n]`, moved as little as need be so that any two lie at least `gap` apart, their order kept.

    Least in the sum of squares: neighbours that are too near form a block around their mean.
    """
    order = np.argsort(places, kind="stable")
    blocks: list[list[float]] = []  # of each: the mean of its places less their offsets, and its size
    for rank, place in enumerate(places[order]):
        blocks.append([float(place) - rank * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean, size = blocks.pop()
            total = blocks[-1][1] + size
            blocks[-1] = [(blocks[-1][0] * blocks[-1][1] + mean * size) / total, total]
    levels = np.concatenate([np.full(int(size), mean) for mean, size in blocks])
    apart = np.empty(len(places))
    apart[order] = levels + np.arange(len(places)) * gap
    return apart
