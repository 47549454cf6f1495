"""Every kind of plot on axes of one's own, in one way: `draw(kind, results, ax=axes)`."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from moo.checks import check_count, unknown_name
from moo.registry import resolve


@dataclass(frozen=True)
class Drawing:
    """How a kind of plot is drawn on axes.

    Attributes:
        data: The function that makes plain arrays of results or scores.
        draw: The one that draws these.
        axes: What sort of axes it needs: `"plain"`, `"polar"`, `"grid"` (many), or `"space"`: those of
            `add_subplot(projection="3d")` for three objectives, plain ones for two.
        fixed: Arguments of `draw` that make this kind what it is.
        part: The argument of `draw` that says which of several parts is drawn, the first by default.
    """

    data: str
    draw: str
    axes: str = "plain"
    fixed: tuple[tuple[str, Any], ...] = ()
    part: str = ""


DRAWINGS: dict[str, Drawing] = {
    "front": Drawing("moo.plots.sets:front_data", "moo.plots.fronts:draw_front", "space"),
    "matrix": Drawing("moo.plots.sets:front_data", "moo.plots.pairs:draw_matrix", "grid"),
    "parallel": Drawing("moo.plots.sets:front_data", "moo.plots.parallel:draw_parallel"),
    "attainment": Drawing("moo.plots.attainment:attainment_data", "moo.plots.attainment:draw_attainment", "space"),
    "eaf-difference": Drawing(
        "moo.plots.differences:difference_data", "moo.plots.differences:draw_difference", part="side"
    ),
    "convergence": Drawing("moo.plots.histories:convergence_data", "moo.plots.histories:draw_convergence"),
    "regret": Drawing("moo.plots.histories:regret_data", "moo.plots.histories:draw_convergence"),
    "ecdf": Drawing("moo.plots.run_lengths:ecdf_data", "moo.plots.run_lengths:draw_ecdf"),
    "box": Drawing("moo.plots.boxes:box_data", "moo.plots.boxes:draw_box", part="panel"),
    "violin": Drawing("moo.plots.boxes:box_data", "moo.plots.boxes:draw_box", "plain", (("violin", True),), "panel"),
    "heatmap": Drawing("moo.plots.heatmaps:heatmap_data", "moo.plots.heatmaps:draw_heatmap"),
    "critical-difference": Drawing("moo.plots.ranks:rank_data", "moo.plots.ranks:draw_ranks"),
    "runtime": Drawing("moo.plots.runtimes:runtime_data", "moo.plots.runtimes:draw_runtime", part="panel"),
    "petal": Drawing("moo.plots.petals:petal_data", "moo.plots.petals:draw_petal", "polar", part="flower"),
    "ternary": Drawing("moo.plots.ternary:ternary_data", "moo.plots.ternary:draw_ternary", part="objective"),
    "sweep": Drawing("moo.plots.sweeps:sweep_data", "moo.plots.sweeps:draw_sweep", part="objective"),
}


def draw(kind: str, what: Any, ax: Any = None, **options: Any) -> Any:
    """Draw a kind of plot on axes.

    Nothing else than the axes is touched: no legend, no size, no style. `moo.plots.paper_style` is a style to draw in,
    `plot_KIND` makes a whole figure.

    Args:
        kind: A name in `PLOTS`.
        what: What `plot_KIND` takes: a result, results, or a table of scores.
        ax: Matplotlib axes; of a matrix a grid of them, `[m - 1, m - 1]`; of a petal polar ones; for fronts and
            attainment of three objectives those of `add_subplot(projection="3d")`. None: those of a new figure.
        **options: Of the data, such as `reference_front`, `against`, `best`, `indicator`, `rows`, `source`; and which
            part of a plot of several: `panel` (a problem), `side` (a method), `flower`, `objective`, from 0.

    Returns:
        The axes.

    Raises:
        TypeError: It is no result or no table.
        ValueError: Kind or option is unknown, results do not fit together, there is no such part, or the axes are of
            another sort than needed.
    """
    if kind not in DRAWINGS:
        raise ValueError(unknown_name("plot", kind, DRAWINGS))
    drawing = DRAWINGS[kind]
    make, paint = (resolve({kind: target}, kind, "plot") for target in (drawing.data, drawing.draw))
    of_data = _names(make, 1)
    of_drawing = [drawing.part] if drawing.part else []
    for name in options:
        if name not in (*of_data, *of_drawing):
            raise ValueError(unknown_name(f"option of {kind}", name, [*of_data, *of_drawing]))
    data = make(what, **{name: value for name, value in options.items() if name in of_data})
    ax = _fitting(kind, drawing, data, ax)
    part = check_count(drawing.part, options.get(drawing.part, 0), low=0)
    said = {drawing.part: part} if drawing.part else {}
    try:
        paint(ax, data, **said, **dict(drawing.fixed))
    except IndexError as error:
        raise ValueError(f"A plot of {kind} has no {drawing.part} {part}: {error}.") from error
    return ax


def front(results: Any, ax: Any = None, **options: Any) -> Any:
    """Draw the fronts of a result or several on axes: `draw("front", ...)`.

    Raises:
        TypeError, ValueError: As `draw`.
    """
    return draw("front", results, ax, **options)


def _names(function: Any, skipped: int) -> list[str]:
    return list(inspect.signature(function).parameters)[skipped:]


def _fitting(kind: str, drawing: Drawing, data: Any, ax: Any) -> Any:
    """The axes, or new ones of the sort that a kind needs.

    Raises:
        ValueError: They are of another sort, or no axes show so many objectives.
    """
    m = len(getattr(data, "objective_names", ()))
    if drawing.axes == "grid":
        return _grid(kind, m, ax)
    if drawing.axes == "space" and m > 3:
        raise ValueError(f"A plot of {kind} is for 2 to 3 objectives. Found {m}: draw 'parallel'.")
    wanted = "polar" if drawing.axes == "polar" else "3d" if drawing.axes == "space" and m == 3 else "rectilinear"
    if ax is None:
        return Figure().add_subplot(projection=wanted)
    found = getattr(ax, "name", type(ax).__name__)
    if found != wanted:
        how = "plain" if wanted == "rectilinear" else f'those of add_subplot(projection="{wanted}")'
        raise ValueError(f"`ax` should be {how} axes for a plot of {kind} of these results. Found {found}.")
    return ax


def _grid(kind: str, m: int, ax: Any) -> Any:
    side = m - 1
    if m < 3:
        raise ValueError(f"A plot of {kind} is for at least 3 objectives. Found {m}: draw 'front'.")
    if ax is None:
        return Figure().subplots(side, side, squeeze=False)
    if np.shape(ax) != (side, side):
        raise ValueError(
            f"`ax` should be a grid of axes [{side}, {side}], as figure.subplots makes it. Found {list(np.shape(ax))}."
        )
    return ax
