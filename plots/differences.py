"""Where the attainment functions of two methods differ, side by side: where the one is better, and where the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from moo.indicators.surfaces import attainment, attainment_difference
from moo.plots.borders import limits, staircase, worst_corner
from moo.plots.reading import (
    Results,
    by_label,
    check_objectives,
    check_results,
    check_seeds,
    check_something_feasible,
    shared_objectives,
)
from moo.plots.saving import paper_figure
from moo.plots.style import COLORS, STYLE, scaled
from moo.plots.words import fold_names, literal, shared_legend, with_direction

Array = NDArray[np.float64]

LEVELS = 5  # of shading, each a fifth of the runs


@dataclass(frozen=True)
class DifferenceData:
    """What a plot of attainment differences draws, in the problem's own directions.

    Attributes:
        objective_names, directions: Of the two objectives.
        labels: The two methods.
        runs: How many runs each has.
        best, worst: Corners `[k, 2]` of rectangles that do not overlap; infinitely bad where one does not end.
        difference: In each, the first method's share of runs that attain it minus the second's, `[k]`, never 0.
        medians: What half of the runs of each method attain, `[j, 2]` each.
        anyone, everyone: What some run of either method attains, and what all of them do, `[j, 2]`.
    """

    objective_names: tuple[str, ...]
    directions: tuple[str, ...]
    labels: tuple[str, str]
    runs: tuple[int, int]
    best: Array
    worst: Array
    difference: Array
    medians: tuple[Array, Array]
    anyone: Array
    everyone: Array

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """The limits of both axes: they show every corner that is finite."""
        points = np.concatenate([self.best, self.worst, *self.medians, self.anyone, self.everyone])
        return [limits(points[np.isfinite(points[:, i]), i]) for i in range(2)]


def difference_data(results: Results) -> DifferenceData:
    """Where the attainment functions of two methods differ, for two objectives.

    Source: Lopez-Ibanez, Paquete and Stuetzle 2010; see `moo.indicators.attainment_difference`.

    Args:
        results: Results of two methods with at least two seeds each, on the same two objectives.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: The results differ in their objectives, these are not two, there are other than two methods, a
            method has one run, or nothing is feasible.
    """
    found = check_results(results)
    names, directions = shared_objectives(found)
    check_objectives("attainment differences", len(names), 2, 2)
    groups = by_label(found)
    if len(groups) != 2:
        raise ValueError(
            f"A plot of attainment differences is for two methods. Found {len(groups)}: {', '.join(groups)}. Choose "
            "two, on the command line with -m."
        )
    check_seeds({label: len(runs) for label, runs in groups.items()}, "attainment differences")
    check_something_feasible(found, "attainment differences")
    words = list(directions)
    left, right = ([run.objectives for run in runs] for runs in groups.values())
    apart = attainment_difference(left, right, directions=words)
    medians = [attainment(runs, 50, directions=words).surface(50).numpy() for runs in (left, right)]
    least = 100.0 / (len(left) + len(right))
    both = attainment(left + right, [least, 100], directions=words)
    first, second = groups
    return DifferenceData(
        names,
        directions,
        (first, second),
        (len(left), len(right)),
        apart.best.numpy(),
        apart.worst.numpy(),
        apart.difference.numpy(),
        (medians[0], medians[1]),
        both.surface(least).numpy(),
        both.surface(100).numpy(),
    )


def draw_difference(axes: Axes, data: DifferenceData, side: int) -> None:
    """Draw where one of the two methods is better, the darker the larger the difference of the shares of runs.

    Grey lines bound what any run attains and what all attain; the dashed line is the method's own median surface.

    Args:
        axes: To draw on.
        data: What `difference_data` gave.
        side: 0 for the first method, 1 for the second.
    """
    labels = [with_direction(*pair) for pair in zip(data.objective_names, data.directions, strict=True)]
    bounds = data.bounds
    corner = np.array(worst_corner(bounds, data.directions))
    axes.set(xlim=bounds[0], ylim=bounds[1], xlabel=labels[0], ylabel=labels[1])
    axes.set_title(f"{literal(data.labels[side])} better ({data.runs[side]} runs)")
    signed = data.difference if side == 0 else -data.difference
    shades = shading()
    for best, worst, amount in zip(data.best, data.worst, signed, strict=True):
        if amount > 0:
            far = np.where(np.isfinite(worst), worst, corner)
            level = min(LEVELS - 1, math.ceil(round(amount * LEVELS, 9)) - 1)
            style: dict[str, Any] = {"facecolor": shades[level], "edgecolor": shades[level], "linewidth": 0.1}
            axes.add_patch(Rectangle(tuple(np.minimum(best, far)), *np.abs(far - best), zorder=1, **style))
    for surface in (data.anyone, data.everyone):
        axes.plot(*staircase(surface, data.directions, corner).T, color="0.45", linewidth=scaled(0.7))
    median = staircase(data.medians[side], data.directions, corner)
    axes.plot(*median.T, color="black", linestyle=(0, (4, 1.5)), linewidth=scaled(0.9))


def shading() -> list[Any]:
    """The colours of the levels, from light to dark."""
    dark, white = np.array(matplotlib.colors.to_rgb(COLORS[0])), np.ones(3)
    return [tuple(white + (dark - white) * share) for share in np.linspace(0.15, 1.0, LEVELS)]


def plot_difference(
    results: Results,
    path: str | Path | None = None,
    *,
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw where each of two methods attains more often than the other, side by side.

    Args:
        results: Results of two methods with at least two seeds each, on the same two objectives.
        path: Where to write it; the ending is the format. None: only draw.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's page.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: As `difference_data`, or style, width or the path's ending are unknown.
        OSError: The file could not be written; the error names it.
    """
    data = difference_data(results)
    figure: Figure
    with paper_figure(path, style, width, 0.44, page=True) as figure:
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        draw_difference(left, data, 0)
        draw_difference(right, data, 1)
        right.set_ylabel("")
        fold_names(figure, 2)
        shared_legend(figure, _handles())
    return figure


def _handles() -> list[Any]:
    ends = [f"{share:.1f}".lstrip("0") if share < 1 else "1" for share in np.linspace(0, 1, LEVELS + 1)]
    ends[0] = "0"
    patches = [
        Patch(facecolor=shade, label=f"{low} to {high}")
        for shade, low, high in zip(shading(), ends, ends[1:], strict=False)
    ]
    patches[0].set_label(f"share of runs: {patches[0].get_label()}")
    median = Line2D([], [], color="black", linestyle=(0, (4, 1.5)), label="median")
    return [*patches, median, Line2D([], [], color="0.45", label="any run, all runs")]
