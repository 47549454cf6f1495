"""Fronts: a scatter for two objectives, three projections or a 3-D scatter for three, parallel coordinates above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from moo.checks import check_finite_rows, check_matrix, unknown_name
from moo.directions import turn
from moo.dominance import non_dominated
from moo.plots.style import (
    COLUMN,
    FAINT,
    GREY,
    PAGE,
    Look,
    check_results,
    literal,
    look,
    names_below,
    new_figure,
    paper_style,
    run_labels,
    save_figure,
    shared_legend,
    tick_number,
    with_direction,
)
from moo.result import SearchResult

Array = NDArray[np.float64]

VIEWS = {"auto": (2, None), "scatter": (2, 2), "projections": (3, 3), "3d": (3, 3), "parallel": (2, None)}
OPAQUE_LINES = 200  # parallel coordinates: above this many, lines are shaded
REFERENCE_LINES = 200  # parallel coordinates: so many rows of a reference front are drawn
LINE_FROM = 30  # points of a reference front of two objectives, from which on it is drawn as a line
GAP = 4.0  # a step this many times as long as both its neighbours is a gap in that line


# --------------------------------------------------------------------------------------------------- data
@dataclass(frozen=True)
class RunFront:
    """The front of one run.

    Attributes:
        label: The method, and what else tells it from other runs; seeds share a label.
        objectives: float64 `[n, m]`, in the problem's own directions, possibly no rows.
        feasible: Whether anything feasible was found; else `objectives` are those of the least violating rows.
    """

    label: str
    objectives: Array
    feasible: bool


@dataclass(frozen=True)
class FrontData:
    """What a front plot draws, in the problem's own directions.

    Attributes:
        objective_names: `m` names.
        directions: `"min"` or `"max"` for each.
        fronts: One per result, in their order.
        reference_front: float64 `[k, m]`, or None.
    """

    objective_names: tuple[str, ...]
    directions: tuple[str, ...]
    fronts: tuple[RunFront, ...]
    reference_front: Array | None


def front_data(result: SearchResult | Sequence[SearchResult], reference_front: Any = None) -> FrontData:
    """The fronts of one result or several, ready to be drawn.

    Args:
        result: A result, or several on the same objectives.
        reference_front: The known front `[k, m]` in the problem's directions, as `get_problem(...).reference_front`.

    Raises:
        TypeError: Something is not a `SearchResult`, or the reference front holds no numbers.
        ValueError: The results differ in number, names or directions of their objectives, or the reference front has
            another number of columns or a value that is not finite.
    """
    results = check_results(result)
    names, directions = (tuple(results[0].config[key]) for key in ("objective_names", "directions"))
    for other in results[1:]:
        _check_same("number of objectives", len(names), len(other.config["objective_names"]))
        _check_same("objective names", list(names), list(other.config["objective_names"]))
        _check_same("directions", list(directions), list(other.config["directions"]))
    reference = None
    if reference_front is not None:
        points = check_matrix("reference_front", reference_front, columns=len(names))
        reference = check_finite_rows("reference_front", points).numpy()
    fronts = []
    for label, found in zip(run_labels(results), results, strict=True):
        rows = found.front if found.feasible else found.least_violating
        fronts.append(RunFront(label, rows.objectives.numpy().copy(), found.feasible))
    return FrontData(names, directions, tuple(fronts), reference)


def _check_same(what: str, first: object, other: object) -> None:
    if first != other:
        raise ValueError(f"Results in one plot should have the same {what}. Found {first} and {other}.")


def staircase(objectives: Array, directions: Sequence[str], worst: Sequence[float]) -> Array:
    """The border of what a front of two objectives attains, as the corners of a line.

    Args:
        objectives: `[n, 2]`, n >= 1; dominated rows are left out.
        directions: `"min"` or `"max"` for each of the two.
        worst: Where the border ends, `[2]`, no better than any row.

    Returns:
        Corners `[2 k + 1, 2]` for k non-dominated rows, from the worst end of one objective to that of the other.
    """
    points = _best(objectives, directions)
    points = points[np.argsort(points[:, 0] if directions[0] == "min" else -points[:, 0])]  # best first objective first
    down = np.concatenate([[worst[1]], points[:, 1]])  # the second objective before and after each point
    across = np.concatenate([points[:, 0], [worst[0]]])
    corners = np.empty((2 * len(points) + 1, 2))
    corners[0::2, 0], corners[1::2, 0] = across, across[:-1]
    corners[0::2, 1], corners[1::2, 1] = down, down[1:]
    return corners


def _best(objectives: Array, directions: Sequence[str]) -> Array:
    """The rows that no other dominates."""
    keep: Array = objectives[non_dominated(turn(torch.from_numpy(objectives), directions)).numpy()]
    return keep


# --------------------------------------------------------------------------------------------------- drawing
def plot_front(
    result: SearchResult | Sequence[SearchResult],
    path: str | Path | None = None,
    *,
    reference_front: Any = None,
    view: str = "auto",
    width: float | None = None,
) -> Figure:
    """Draw the fronts of one result or several: a scatter, projections, or parallel coordinates.

    Runs that differ in their seed only share a look and a line of the legend. Where nothing feasible was found, the
    least violating rows are drawn in grey, and the legend says so.

    Args:
        result: A result, or several on the same objectives.
        path: Where to write it; the ending (.pdf, .svg, .png) is the format. None: only draw.
        reference_front: The known front `[k, m]` in the problem's directions, drawn beneath.
        view: `"scatter"` (two objectives, with the border of what is attained), `"projections"` (three: every pair),
            `"3d"` (three), `"parallel"` (any number: each axis spans what is drawn, better is up), or `"auto"`: the
            first of them that fits, `"parallel"` from four on.
        width: In inches; by default one column (3.25), for projections and more than six objectives two (6.75).

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: The results do not fit together (see `front_data`), the view is unknown or does not fit the number
            of objectives, the width is not positive, or the path has another ending.
        OSError: The file could not be written; the error names it.
    """
    data = front_data(result, reference_front)
    m = len(data.objective_names)
    view = _choose_view(view, m)
    default = PAGE if view == "projections" or m > 6 else COLUMN
    with paper_style():
        figure = _DRAW[view](data, default if width is None else width)
        handles = _handles(data, view)
        if not any(len(front.objectives) for front in data.fronts):
            note: dict[str, Any] = {"ha": "center", "color": "0.4", "backgroundcolor": "white"}
            figure.axes[len(figure.axes) // 2].annotate(
                "nothing feasible", (0.5, 0.5), xycoords="axes fraction", **note
            )
        elif len(handles) > 1 or not data.fronts[0].feasible:
            shared_legend(figure, handles)
        if path is not None:
            save_figure(figure, path)
    return figure


def _choose_view(view: str, m: int) -> str:
    if view not in VIEWS:
        raise ValueError(unknown_name("view", view, VIEWS))
    if view == "auto":
        return {2: "scatter", 3: "projections"}.get(m, "parallel")
    low, high = VIEWS[view]
    if m < low or (high is not None and m > high):
        fitting = [name for name, (a, b) in VIEWS.items() if m >= a and (b is None or m <= b)]
        raise ValueError(f"`view` {view!r} is for {low} objectives. Found {m}, which fit {', '.join(fitting)}.")
    return view


def _handles(data: FrontData, view: str) -> list[Line2D]:
    """What the legend shows: one entry per look, as a line or a marker as the view has it."""
    handles = {}
    for front, (color, marker, line) in zip(data.fronts, _looks(data), strict=True):
        label = literal(front.label) + ("" if front.feasible else " (nothing feasible: least violating)")
        style: dict[str, Any] = {"linestyle": line} if view == "parallel" else {"linestyle": "none", "marker": marker}
        handles[label] = Line2D([], [], color=color, label=label, **style)
    if data.reference_front is not None:
        style = {"linestyle": "-"} if _reference_line(data, view) else {"linestyle": "none", "marker": "."}
        handles["reference"] = Line2D([], [], color=FAINT, label="reference front", **style)
    return list(handles.values())


def _reference_line(data: FrontData, view: str) -> bool:
    """Whether the reference front is drawn as lines, not as points."""
    reference = data.reference_front
    return view == "parallel" or (view == "scatter" and reference is not None and len(reference) >= LINE_FROM)


def _looks(data: FrontData) -> list[Look]:
    """The look of each front: one per label, grey where nothing is feasible."""
    labels = list(dict.fromkeys(front.label for front in data.fronts))
    looks = [look(labels.index(front.label)) for front in data.fronts]
    return [one if front.feasible else one._replace(color=GREY) for one, front in zip(looks, data.fronts, strict=True)]


def _labels(data: FrontData) -> list[str]:
    return [with_direction(*pair) for pair in zip(data.objective_names, data.directions, strict=True)]


def _everything(data: FrontData) -> Array:
    """All rows that are drawn, `[n, m]`."""
    parts = [front.objectives for front in data.fronts]
    return np.concatenate(parts if data.reference_front is None else [*parts, data.reference_front])


def _marker_size(data: FrontData) -> float:
    rows = max(len(front.objectives) for front in data.fronts)
    return 3.2 if rows <= 60 else 2.4 if rows <= 300 else 1.6


def _limits(values: Array) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    return low - margin, high + margin


def _draw_scatter(data: FrontData, width: float) -> Figure:
    figure: Figure = new_figure(width, 0.78)
    axes = figure.add_subplot()
    everything = _everything(data)
    _draw_pair(axes, data, 0, 1, reference_line=_reference_line(data, "scatter"))
    if len(everything):
        limits = [_limits(everything[:, i]) for i in range(2)]
        worst = [limits[i][1 if data.directions[i] == "min" else 0] for i in range(2)]
        for front, (color, _, _) in zip(data.fronts, _looks(data), strict=True):
            if front.feasible:
                corners = staircase(front.objectives, data.directions, worst)
                axes.plot(*corners.T, color=color, linewidth=0.6, alpha=0.5, zorder=1.5)
    return figure


def _draw_projections(data: FrontData, width: float) -> Figure:
    figure: Figure = new_figure(width, 0.34)
    for axes, (i, j) in zip(figure.subplots(1, 3), ((0, 1), (0, 2), (1, 2)), strict=True):
        _draw_pair(axes, data, i, j, reference_line=False)
    return figure


def _draw_pair(axes: Axes, data: FrontData, i: int, j: int, *, reference_line: bool) -> None:
    """Two objectives: the reference front beneath, points above."""
    everything = _everything(data)
    labels = _labels(data)
    axes.set(xlabel=labels[i], ylabel=labels[j])
    if not len(everything):
        axes.set(xticks=[], yticks=[])
        return
    axes.set(xlim=_limits(everything[:, i]), ylim=_limits(everything[:, j]))
    reference = data.reference_front
    if reference is not None and reference_line:
        axes.plot(*_broken_line(reference, data.directions).T, color=FAINT, linewidth=1.6, zorder=1)
    elif reference is not None:
        axes.plot(reference[:, i], reference[:, j], ".", color=FAINT, markersize=1.5, markeredgewidth=0, zorder=1)
    size = _marker_size(data)
    for front, (color, marker, _) in zip(data.fronts, _looks(data), strict=True):
        x, y = front.objectives[:, i], front.objectives[:, j]
        axes.plot(x, y, marker, color=color, markersize=size, markeredgewidth=0, label=front.label)


def _broken_line(reference: Array, directions: Sequence[str]) -> Array:
    """A front of two objectives in order, with a row of NaN where it is disconnected."""
    points = np.unique(_best(reference, directions), axis=0)
    span = np.ptp(points, axis=0)
    steps = np.linalg.norm(np.diff(points, axis=0) / np.where(span > 0, span, 1.0), axis=1)
    before, after = np.concatenate([[0.0], steps[:-1]]), np.concatenate([steps[1:], [0.0]])
    around = np.maximum(before, after) if len(steps) > 1 else np.inf
    return np.insert(points, np.flatnonzero(steps > GAP * around) + 1, np.nan, axis=0)


def _draw_3d(data: FrontData, width: float) -> Figure:
    figure: Figure = new_figure(width, 0.84)
    axes: Any = figure.add_subplot(projection="3d", elev=24, azim=40)
    axes.set_box_aspect(None, zoom=0.9)  # room for the labels, of which the layout knows nothing
    axes.tick_params(pad=-2, labelsize=6.5)
    for axis, label in zip((axes.xaxis, axes.yaxis, axes.zaxis), _labels(data), strict=True):
        axis.set_label_text(label)
        axis.labelpad = -4
        axis.set_pane_color("white")
        axis.set_major_locator(MaxNLocator(5))
    if data.reference_front is not None:
        axes.plot(*data.reference_front.T, ".", color=FAINT, markersize=1.2, markeredgewidth=0, zorder=1)
    size = _marker_size(data)
    for front, (color, marker, _) in zip(data.fronts, _looks(data), strict=True):
        axes.plot(*front.objectives.T, marker, color=color, markersize=size, markeredgewidth=0, label=front.label)
    return figure


def _draw_parallel(data: FrontData, width: float) -> Figure:
    figure: Figure = new_figure(width, 0.72, at_most=2.6)
    axes = figure.add_subplot()
    m, everything = len(data.objective_names), _upwards(_everything(data), data)
    axes.set(xlim=(-0.15, m - 0.85), ylim=(0, 1), yticks=[], ylabel="better \N{RIGHTWARDS ARROW}")
    labels, placed = names_below(data.objective_names, data.directions, width)
    axes.set_xticks(range(m), labels, **placed)
    axes.tick_params(axis="x", length=0, pad=12)
    axes.spines[:].set_visible(False)
    axes.vlines(range(m), 0, 1, color="black", linewidth=0.6, zorder=3)
    if not len(everything):
        return figure
    low, gap = everything.min(axis=0), np.ptp(everything, axis=0)
    _number_ends(axes, _upwards(low, data), _upwards(low + gap, data), gap)

    def lines(objectives: Array, **style: Any) -> None:
        heights = np.where(gap > 0, (_upwards(objectives, data) - low) / np.where(gap > 0, gap, 1.0), 0.5)
        places = np.broadcast_to(np.arange(m), heights.shape)
        axes.add_collection(LineCollection(list(np.stack([places, heights], axis=-1)), **style), autolim=False)

    if data.reference_front is not None:
        every = max(1, -(-len(data.reference_front) // REFERENCE_LINES))
        lines(data.reference_front[::every], color=FAINT, linewidth=0.4, zorder=1)
    count = sum(len(front.objectives) for front in data.fronts)
    alpha = 0.7 if count <= OPAQUE_LINES else max(0.04, 0.45 * OPAQUE_LINES / count)
    for front, (color, _, style) in zip(data.fronts, _looks(data), strict=True):
        lines(front.objectives, color=color, linestyle=style, linewidth=0.6, alpha=alpha, label=front.label)
    return figure


def _upwards(objectives: Array, data: FrontData) -> Array:
    """Objectives `[..., m]` turned so that more is better, or back."""
    upwards: Array = turn(torch.from_numpy(objectives), data.directions).numpy()
    return upwards


def _number_ends(axes: Axes, worst: Array, best: Array, gap: Array) -> None:
    """The worst and the best value below and above each of parallel axes; one number where they are equal."""
    for i in range(len(gap)):
        for value, place, offset, align in ((worst[i], 0, -3, "top"), (best[i], 1, 3, "bottom")):
            text = tick_number(float(value), float(gap[i])) if gap[i] > 0 or place else ""
            axes.annotate(text, (i, place), (0, offset), textcoords="offset points", ha="center", va=align, fontsize=7)


_DRAW = {
    "scatter": _draw_scatter,
    "projections": _draw_projections,
    "3d": _draw_3d,
    "parallel": _draw_parallel,
}
