"""Ternary maps: what each preference among three objectives gets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from moo.checks import unknown_name
from moo.plots.reading import check_objectives, check_something_feasible, upwards
from moo.plots.saving import paper_figure
from moo.plots.style import STYLE, scaled
from moo.plots.sweeps import followed
from moo.plots.words import axes_width, small, with_direction, wrapped
from moo.result import SearchResult
from moo.scalarisations import augmented_tchebycheff

Array = NDArray[np.float64]

DIVISIONS = 24  # of each side of the triangle
SOURCES = ("front", "asked")
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])  # where one objective has all the preference


@dataclass(frozen=True)
class TernaryData:
    """What a ternary map shows.

    Attributes:
        objective_names: Three names.
        directions: `"min"` or `"max"` for each.
        preferences: `[k, 3]`.
        objectives: What each preference gets, `[k, 3]`, in the problem's own directions.
        cells: The corners of the triangle around each preference, as preferences `[k, 3, 3]`: together they fill the
            map. None: the preferences are points.
    """

    objective_names: tuple[str, ...]
    directions: tuple[str, ...]
    preferences: Array
    objectives: Array
    cells: Array | None


def ternary_data(result: SearchResult, source: str = "front") -> TernaryData:
    """What each preference among three objectives gets.

    Args:
        result: Of three objectives.
        source: `"front"`: the member of the front that is best for a preference by augmented Tchebycheff, objectives
            scaled to the front's range, as `SearchResult.sample` chooses it, for preferences that fill the triangle.
            `"asked"`: the rows that the search evaluated while it followed a preference.

    Raises:
        TypeError: It is no `SearchResult`.
        ValueError: There are other than three objectives, nothing is feasible, the source is unknown, or the method
            followed no preferences.
    """
    if not isinstance(result, SearchResult):
        raise TypeError(f"A ternary map shows one SearchResult. Found {type(result).__name__}.")
    if source not in SOURCES:
        raise ValueError(unknown_name("source", source, SOURCES))
    names, directions = tuple(result.config["objective_names"]), tuple(result.config["directions"])
    check_objectives("ternary maps", len(names), 3, 3, "draw a sweep of preferences instead")
    check_something_feasible([result], "ternary maps")
    if source == "asked":
        rows = followed(result)
        return TernaryData(names, directions, rows.preferences.numpy(), rows.objectives.numpy(), None)
    cells = triangles(DIVISIONS)
    preferences = cells.mean(axis=1)
    chosen = best_for(result.objectives.numpy(), directions, preferences)
    return TernaryData(names, directions, preferences, result.objectives.numpy()[chosen], cells)


def best_for(objectives: Array, directions: tuple[str, ...], preferences: Array) -> Array:
    """The row `[n, m]` that is best for each preference `[k, m]` by augmented Tchebycheff, by number `[k]`."""
    better = upwards(objectives, directions)
    low, gap = better.min(axis=0), np.ptp(better, axis=0)
    scaled_rows = torch.from_numpy((better - low) / np.where(gap > 0, gap, 1.0))
    wanted = torch.from_numpy(preferences)[:, None, :]
    numbers: Array = (
        augmented_tchebycheff(scaled_rows, wanted, torch.ones(len(low), dtype=torch.float64)).argmax(1).numpy()
    )
    return numbers


def triangles(divisions: int) -> Array:
    """The corners `[divisions^2, 3, 3]` of equal triangles that fill the simplex of three preferences."""
    found = []
    for i in range(divisions):
        for j in range(divisions - i):
            k = divisions - i - j
            found.append([(i, j, k), (i + 1, j, k - 1), (i, j + 1, k - 1)])
            if k >= 2:
                found.append([(i + 1, j, k - 1), (i, j + 1, k - 1), (i + 1, j + 1, k - 2)])
    return np.array(found, dtype=np.float64) / divisions


def barycentric(preferences: Array) -> Array:
    """Where preferences `[..., 3]` lie in the triangle, `[..., 2]`."""
    return np.asarray(preferences @ CORNERS, dtype=np.float64)


def draw_ternary(axes: Axes, data: TernaryData, objective: int) -> Any:
    """Draw one objective over the triangle of preferences, the darker the better.

    Args:
        axes: To draw on.
        data: What `ternary_data` gave.
        objective: Which, by its place.

    Returns:
        What a colour bar is made of.
    """
    values = data.objectives[:, objective]
    limits = (float(values.min()), float(values.max()))
    shown: Any
    look: dict[str, Any] = {"cmap": "cividis_r" if data.directions[objective] == "max" else "cividis"}
    if data.cells is None:
        x, y = barycentric(data.preferences).T
        shown = axes.scatter(x, y, c=values, s=scaled(3.5) ** 2, linewidths=0, clip_on=False, zorder=3, **look)
    else:
        shown = axes.add_collection(PolyCollection(list(barycentric(data.cells)), array=values, **look))
        shown.set(edgecolor="face", linewidth=0.2)
    shown.set_clim(*limits)
    axes.plot(*np.vstack([CORNERS, CORNERS[:1]]).T, color="black", linewidth=scaled(0.6), clip_on=False)
    axes.set_axis_off()
    names = [wrapped(name, axes_width(axes) / 2) for name in data.objective_names]
    line = scaled(9) / axes_width(axes)  # the layout does not look at what stands outside of axes of equal units
    below, above = line * (max(map(len, names[:2])) + 0.5), line * (len(names[2]) + 0.5)
    axes.set(xlim=(-0.02, 1.02), ylim=(-below, CORNERS[2, 1] + above), aspect="equal")
    for name, corner, side, align in zip(names, CORNERS, (-1, -1, 1), ("left", "right", "center"), strict=True):
        placed: dict[str, Any] = {"ha": align, "va": "top" if side < 0 else "bottom", "fontsize": small()}
        axes.annotate("\n".join(name), corner, (0, scaled(2.5) * side), textcoords="offset points", **placed)
    return shown


def plot_ternary(
    result: SearchResult,
    path: str | Path | None = None,
    *,
    source: str = "front",
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw what each preference among three objectives gets: a triangle per objective, the darker the better.

    A corner of a triangle is the preference for that objective alone.

    Args:
        result: Of three objectives.
        path: Where to write it; the ending is the format. None: only draw.
        source: `"front"` or `"asked"`; see `ternary_data`.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's page.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: It is no `SearchResult`.
        ValueError: As `ternary_data`, or style, width or the path's ending are unknown.
        OSError: The file could not be written; the error names it.
    """
    data = ternary_data(result, source)
    figure: Figure
    with paper_figure(path, style, width, 0.38, page=True) as figure:
        for i, axes in enumerate(figure.subplots(1, 3)):
            shown = draw_ternary(axes, data, i)
            bar = figure.colorbar(shown, ax=axes, orientation="horizontal", shrink=0.8, aspect=18, pad=0.04)
            label = with_direction(data.objective_names[i], data.directions[i])
            bar.set_label("\n".join(wrapped(label, 13 * figure.get_figwidth(), 8)))
            bar.locator = MaxNLocator(4)
            bar.outline.set_visible(False)
            bar.update_ticks()
    return figure
