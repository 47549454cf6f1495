"""Run lengths: the share of targets that a method's runs reached by a cost, over targets, runs and problems."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from moo.plots.reading import Results, check_results, check_same_point, run_labels
from moo.plots.saving import paper_figure
from moo.plots.style import STYLE, look
from moo.plots.words import label_lines, literal, number_logarithm
from moo.result import SearchResult
from moo.statistics import ecdf, used_to_target

Array = NDArray[np.float64]

TARGETS = tuple(np.logspace(math.log10(0.5), -3, 51).tolist())  # of the best hypervolume: what may lack
SHAPE, TALLEST = 0.72, 3.4  # height over width, and in inches at most


@dataclass(frozen=True)
class RunLengths:
    """The run lengths of one method.

    Attributes:
        label: The method, and what else tells it from the others.
        lengths: What was used when each target was first reached, one per problem, run and target, `[k]`, ascending;
            infinite where it was not.
        used: Where the curve rises, and where the longest run ended, ascending, `[j]`.
        share: Of the targets that were reached by then, `[j]`.
    """

    label: str
    lengths: Array
    used: Array
    share: Array


@dataclass(frozen=True)
class EcdfData:
    """What a plot of run lengths draws.

    Attributes:
        unit: Of costs.
        problems: Over which it goes.
        targets: What may lack of the best hypervolume of a problem, as a share of it.
        lines: One per method.
    """

    unit: str
    problems: tuple[str, ...]
    targets: tuple[float, ...]
    lines: tuple[RunLengths, ...]


def ecdf_data(
    results: Results, best: Mapping[str, float] | None = None, targets: Sequence[float] = TARGETS
) -> EcdfData:
    """When the runs of each method first reached each target, over all problems.

    A target is a hypervolume: the best of the problem, less a share of it.

    Source: Hansen, Auger, Ros, Mersmann, Tusar and Brockhoff 2021 (COCO, Optimization Methods and Software 36(1)).
    There targets lie at set differences from a reference value; here at shares of it, since units differ by problem.

    Args:
        results: Of one or several problems, those of a problem measured from the same reference point; each method on
            each problem.
        best: The hypervolume that can be reached, by problem. It is raised to the highest that a run here reached,
            which it also is by default.
        targets: Shares above 0 and below 1; by default 51 from one half to 1/1,000, evenly by logarithm.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: Units or, on a problem, reference points differ, a method lacks a problem, a problem has no
            hypervolume above 0, or a target is no such share.
    """
    found = check_results(results)
    shares = tuple(float(share) for share in targets)
    if not shares or not all(0 < share < 1 for share in shares):
        raise ValueError(f"`targets` should be shares above 0 and below 1. Found {list(targets)}.")
    problems = tuple(dict.fromkeys(result.config["problem"] for result in found))
    units = tuple(dict.fromkeys(result.config["unit"] for result in found))
    if len(units) > 1:
        raise ValueError(f"Run lengths in one plot should have the same unit. Found {', '.join(units)}.")
    heights = {problem: _best(found, problem, best or {}) for problem in problems}
    groups: dict[str, list[SearchResult]] = {}
    for label, result in zip(run_labels(found, problems=False), found, strict=True):
        groups.setdefault(label, []).append(result)
    for label, runs in groups.items():
        if lacks := [problem for problem in problems if all(run.config["problem"] != problem for run in runs)]:
            raise ValueError(
                f"A plot of run lengths compares methods on the same problems. Found no run of {label!r} on "
                f"{', '.join(lacks)}: run it there, or leave out the method or the problem."
            )
    lines = tuple(_lengths(label, runs, heights, shares) for label, runs in groups.items())
    return EcdfData(units[0], problems, shares, lines)


def _best(results: Sequence[SearchResult], problem: str, known: Mapping[str, float]) -> float:
    """The best hypervolume of a problem."""
    runs = [result for result in results if result.config["problem"] == problem]
    for run in runs[1:]:
        check_same_point(runs[0], run, "run-length")
    reached = [float(run.history["hypervolume"].max()) for run in runs]
    top = max([value for value in reached if not math.isnan(value)] + [known.get(problem, 0.0)])
    if top <= 0:
        raise ValueError(
            f"A plot of run lengths needs a hypervolume above 0. Found none on {problem}: nothing feasible is better "
            "than the reference point."
        )
    return top


def _lengths(
    label: str, runs: Sequence[SearchResult], heights: Mapping[str, float], shares: Sequence[float]
) -> RunLengths:
    found = []
    for run in runs:
        targets = heights[run.config["problem"]] * (1 - np.array(shares))
        found.append(used_to_target(run.history["used"], run.history["hypervolume"], targets))
    lengths = np.sort(np.concatenate(found))
    last = max(float(run.record["used"]) for run in runs)
    used = np.unique(np.append(lengths[np.isfinite(lengths)], last))
    return RunLengths(label, lengths, used, ecdf(lengths, used))


def draw_ecdf(axes: Axes, data: EcdfData) -> list[Line2D]:
    """Draw the share of targets reached against what was used, on a logarithmic axis.

    Returns:
        The lines, with their labels.
    """
    first = min(line.used[0] for line in data.lines)
    last = max(line.used[-1] for line in data.lines)
    handles = []
    for i, line in enumerate(data.lines):
        color, _, dashes = look(i)
        x = np.concatenate([[line.used[0]], line.used])
        y = np.concatenate([[0.0], line.share])
        style: dict[str, Any] = {"color": color, "linestyle": dashes, "label": literal(line.label)}
        handles += axes.plot(x, y, drawstyle="steps-post", **style)
    last = max(last, 1.1 * first)
    axes.set_xscale("log")
    axes.set(xlim=(first, last), ylim=(0, 1))
    number_logarithm(axes.xaxis, first, last)
    axes.set(xlabel=f"{data.unit} used", ylabel="share of targets reached")
    return handles


def plot_ecdf(
    results: Results,
    path: str | Path | None = None,
    *,
    best: Mapping[str, float] | None = None,
    targets: Sequence[float] = TARGETS,
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw the share of hypervolume targets that each method reached by a cost, over targets, runs and problems.

    Args:
        results: Of one or several problems; each method on each problem.
        path: Where to write it; the ending is the format. None: only draw.
        best: The hypervolume that can be reached, by problem; see `ecdf_data`.
        targets: What may lack of it, as shares; see `ecdf_data`.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's column.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: As `ecdf_data`, or style, width or the path's ending are unknown.
        OSError: The file could not be written; the error names it.
    """
    data = ecdf_data(results, best, targets)
    figure: Figure
    with paper_figure(path, style, width, SHAPE, at_most=TALLEST) as figure:
        axes = figure.add_subplot()
        label_lines(figure, axes, draw_ecdf(axes, data))
    return figure
