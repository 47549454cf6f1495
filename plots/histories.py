"""Histories: hypervolume, or what it lacks of the best, against what was spent, with quartiles over several seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from moo.checks import check_number, unknown_name
from moo.plots.reading import Results, by_label, check_results, check_same_problem
from moo.plots.saving import paper_figure
from moo.plots.style import STYLE, look
from moo.plots.words import label_lines, literal, say
from moo.result import SearchResult

Array = NDArray[np.float64]

AGAINST = ("used", "seconds")
SHAPE, TALLEST = 0.72, 3.4  # height over width, and in inches at most


@dataclass(frozen=True)
class Convergence:
    """The runs of one method, which differ in their seed only.

    Attributes:
        label: The method, and what else tells it from the others.
        runs: How many there are.
        used: What was spent, ascending, float64 `[k]`; none where the runs have no point in common.
        median: Of the runs' hypervolumes, or regrets, `[k]`.
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
        spent: What the axis of costs says, as "evaluations used".
        reference_point: Of the hypervolumes, in the problem's own directions; None where there was none.
        lines: One per method, in the order in which they first stand among the results.
        best: The hypervolume from which regrets are counted; None where the lines are hypervolumes.
    """

    problem: str
    spent: str
    reference_point: tuple[float, ...] | None
    lines: tuple[Convergence, ...]
    best: float | None = None


def convergence_data(results: Results, against: str = "used") -> ConvergenceData:
    """Hypervolume against what was spent, with median and quartiles over the runs of a method.

    Between two steps of its history a run keeps the last value known (the hypervolume is left out of a history, as NaN,
    where it was too costly). A method's line stands at every point where one of its runs changed, from where all runs
    have a value to where the first of them ended: beyond, a median would compare different runs.

    Args:
        results: A result, or several of the same problem, measured from the same reference point.
        against: `"used"`, in the problem's unit, or `"seconds"`. A history holds no times, so that it is the same on
            every machine: seconds are what was used at the run's mean pace, and the axis says so.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: The problems or the reference points differ, or `against` is unknown.
    """
    found = check_results(results)
    if against not in AGAINST:
        raise ValueError(unknown_name("cost", against, AGAINST))
    check_same_problem(found, "convergence")
    config, point = found[0].config, found[0].record["reference_point"]
    return ConvergenceData(
        config["problem"],
        f"{config['unit']} used" if against == "used" else "seconds (at each run's mean pace)",
        None if point is None else tuple(point),
        tuple(_summary(label, runs, against) for label, runs in by_label(found).items()),
    )


def regret_data(results: Results, best: float | None = None, against: str = "used") -> ConvergenceData:
    """What the hypervolume lacks of the best one, against what was spent, with median and quartiles.

    Args:
        results: A result, or several of the same problem, measured from the same reference point.
        best: The hypervolume that can be reached, as that of the known front. It is raised to the highest that a run
            here reached, which it also is by default: then the best run's regret ends at 0, where no logarithm is.
        against: As for `convergence_data`.

    Raises:
        TypeError: Something is not a `SearchResult`, or `best` is no number.
        ValueError: The problems or the reference points differ, `best` is below 0, or `against` is unknown.
    """
    data = convergence_data(results, against)
    if best is not None:
        check_number("best", best, "the hypervolume that can be reached", zero=True)
    reached = [result.history["hypervolume"].max() for result in check_results(results)]
    top = max([value for value in reached if not math.isnan(value)] + ([] if best is None else [best]), default=0.0)
    lines = [replace(line, median=top - line.median, low=top - line.high, high=top - line.low) for line in data.lines]
    return replace(data, lines=tuple(lines), best=float(top))


def _summary(label: str, runs: Sequence[SearchResult], against: str) -> Convergence:
    """Median and quartiles of runs at the union of their points."""
    known = [run.history[["used", "hypervolume"]].dropna().to_numpy(np.float64) for run in runs]
    known = [history[np.append(np.diff(history[:, 0]) > 0, True)] if len(history) else history for history in known]
    paces = [1.0 if against == "used" else pace(run) for run in runs]
    known = [history * [rate, 1.0] for history, rate in zip(known, paces, strict=True)]
    ends = [float(run.record["used"]) * rate for run, rate in zip(runs, paces, strict=True)]
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


def pace(run: SearchResult) -> float:
    """Seconds that a unit of cost took in a run, on average."""
    return float(run.record["wall_seconds"]) / max(float(run.record["used"]), 1.0)


# --------------------------------------------------------------------------------------------------- drawing
def draw_convergence(axes: Axes, data: ConvergenceData) -> list[Line2D]:
    """Draw hypervolumes, or regrets on a logarithmic axis: a step line per method, and its quartiles as a band.

    Returns:
        The lines, with their labels; no line where a method has nothing to compare.
    """
    what = "hypervolume" if data.best is None else "hypervolume regret"
    axes.set(xlabel=data.spent, ylabel=what)
    drawn = [(i, line) for i, line in enumerate(data.lines) if len(line.used)]
    if data.best is not None:
        drawn = [(i, line) for i, line in drawn if (line.median > 0).any()]
    if not drawn:
        axes.set(xticks=[], yticks=[])
        say(axes, f"no {what} to compare")
        return []
    if data.best is not None:
        axes.set_yscale("log")
    handles = [_draw_line(axes, line, i, floor=None if data.best is None else _floor(data)) for i, line in drawn]
    axes.set_xlim(0, max(line.used[-1] for _, line in drawn))
    return handles


def _floor(data: ConvergenceData) -> float:
    """The least regret above 0 of a median or an upper quartile: a band that reaches 0 ends there."""
    values = np.concatenate([np.concatenate([line.median, line.high]) for line in data.lines])
    return float(values[values > 0].min())


def _draw_line(axes: Axes, line: Convergence, number: int, floor: float | None) -> Line2D:
    """One method: the median as a step line, the quartiles as a band."""
    color, _, style = look(number)
    median, low, high = line.median, line.low, line.high
    if floor is not None:
        median, low, high = np.where(median > 0, median, np.nan), np.maximum(low, floor), np.maximum(high, floor)
    if line.runs > 1:
        axes.fill_between(line.used, low, high, step="post", color=color, alpha=0.18, linewidth=0)
    options: dict[str, Any] = {"color": color, "linestyle": style, "label": literal(line.label)}
    drawn: Line2D = axes.plot(line.used, median, drawstyle="steps-post", **options)[0]
    return drawn


def plot_convergence(
    results: Results,
    path: str | Path | None = None,
    *,
    against: str = "used",
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw hypervolume against what was spent: a line per method, its median and quartiles over several seeds.

    Up to six lines bear their labels at their ends, more (or long labels) get a legend.

    Args:
        results: A result, or several of the same problem, measured from the same reference point.
        path: Where to write it; the ending (.pdf, .svg, .png, .pgf) is the format. None: only draw.
        against: `"used"` or `"seconds"`, see `convergence_data`.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's column.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: The problems or the reference points differ, or `against`, style, width or the path's ending are
            unknown.
        OSError: The file could not be written; the error names it.
    """
    return _plot(convergence_data(results, against), path, style, width)


def plot_regret(
    results: Results,
    path: str | Path | None = None,
    *,
    best: float | None = None,
    against: str = "used",
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw what the hypervolume lacks of the best one, on a logarithmic axis: medians and quartiles over seeds.

    Args:
        results: A result, or several of the same problem, measured from the same reference point.
        path: Where to write it; the ending is the format. None: only draw.
        best: The hypervolume that can be reached; see `regret_data`.
        against: `"used"` or `"seconds"`, see `convergence_data`.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's column.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: Something is not a `SearchResult`, or `best` is no number.
        ValueError: As `plot_convergence`, or `best` is below 0.
        OSError: The file could not be written; the error names it.
    """
    return _plot(regret_data(results, best, against), path, style, width)


def _plot(data: ConvergenceData, path: str | Path | None, style: str, width: float | None) -> Figure:
    figure: Figure
    with paper_figure(path, style, width, SHAPE, at_most=TALLEST) as figure:
        axes = figure.add_subplot()
        label_lines(figure, axes, draw_convergence(axes, data))
    return figure
