"""Petals: a few solutions of a front, each a flower with a petal per objective."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from moo.checks import check_count
from moo.plots.reading import check_something_feasible, upwards
from moo.plots.saving import paper_figure
from moo.plots.style import COLORS, STYLE, scaled
from moo.plots.words import shared_legend, small, with_direction, wrapped
from moo.result import SearchResult
from moo.scalarisations import augmented_tchebycheff

Array = NDArray[np.float64]

MOST = 8  # flowers, and petals of each: more would be stamps
SHARE = 0.84  # of its width that a flower's height is
FRAME, LEGEND = 0.38, 0.28  # inches above a flower, and of the legend, for letters of 8 points
ACROSS = 6  # flowers beside each other


@dataclass(frozen=True)
class PetalData:
    """What flowers show.

    Attributes:
        objective_names: `m` names.
        directions: `"min"` or `"max"` for each.
        rows: Of the front, one per flower.
        titles: What each flower is.
        objectives: Of these rows, `[k, m]`, in the problem's own directions.
        quality: From 0, the front's worst value of an objective, to 1, its best, `[k, m]`; 1 where all are equal.
    """

    objective_names: tuple[str, ...]
    directions: tuple[str, ...]
    rows: tuple[int, ...]
    titles: tuple[str, ...]
    objectives: Array
    quality: Array


def petal_data(result: SearchResult, rows: Sequence[int] | None = None) -> PetalData:
    """A few rows of a front, scaled to its range.

    Args:
        result: With a front.
        rows: Numbers of rows of the front, at most eight; by default the best in each objective, and the balanced one
            (best by augmented Tchebycheff for equal preferences), each once.

    Raises:
        TypeError: It is no `SearchResult`, or a row is no whole number.
        ValueError: Nothing is feasible, there are fewer than three objectives or more than eight, or rows are too
            many or not there.
    """
    if not isinstance(result, SearchResult):
        raise TypeError(f"Petals show one SearchResult. Found {type(result).__name__}.")
    check_something_feasible([result], "petals")
    names, directions = tuple(result.config["objective_names"]), tuple(result.config["directions"])
    if not 3 <= len(names) <= MOST:
        raise ValueError(f"A plot of petals is for 3 to {MOST} objectives. Found {len(names)}.")
    objectives = result.objectives.numpy()
    better = upwards(objectives, directions)
    low, gap = better.min(axis=0), np.ptp(better, axis=0)
    quality = np.where(gap > 0, (better - low) / np.where(gap > 0, gap, 1.0), 1.0)
    chosen = _typical(quality, names) if rows is None else _asked(rows, len(quality))
    places = list(chosen)
    return PetalData(names, directions, tuple(places), tuple(chosen.values()), objectives[places], quality[places])


def _asked(rows: Sequence[int], count: int) -> dict[int, str]:
    if not 1 <= len(rows) <= MOST:
        raise ValueError(f"`rows` should be 1 to {MOST} rows of the front. Found {len(rows)}.")
    numbers = [check_count("rows", row, low=0, high=count - 1) for row in rows]
    return {number: f"row {number}" for number in numbers}


def _typical(quality: Array, names: Sequence[str]) -> dict[int, str]:
    """Rows `[n, m]` that are best in an objective (of several, the best on the average) or balanced, with titles."""
    titles: dict[int, list[str]] = {}
    for i, name in enumerate(names[: MOST - 1]):
        best = np.flatnonzero(quality[:, i] == quality[:, i].max())
        row = int(best[quality[best].mean(axis=1).argmax()])
        titles.setdefault(row, []).append(name)
    m = quality.shape[1]
    equal = torch.full((m,), 1 / m, dtype=torch.float64)
    values = augmented_tchebycheff(torch.from_numpy(quality), equal, torch.ones(m, dtype=torch.float64))
    balanced = int(values.argmax())
    said = {row: f"best {', '.join(found)}" for row, found in titles.items()}
    return said | {balanced: f"{said[balanced]}, balanced" if balanced in said else "balanced"}


def draw_petal(axes: Any, data: PetalData, flower: int = 0) -> None:
    """Draw one flower: petal i, numbered from the top clockwise, is objective i; a full one is the front's best.

    Args:
        axes: Those of `add_subplot(projection="polar")`.
        data: What `petal_data` gave.
        flower: Which, by its place.
    """
    m = len(data.objective_names)
    angles = np.arange(m) * 2 * math.pi / m
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    for i, height in enumerate(data.quality[flower]):
        axes.bar(angles[i], height, width=2 * math.pi / m * 0.92, **petal_look(i), linewidth=scaled(0.6))
        placed: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": small(), "annotation_clip": False}
        away = scaled(7) * np.array([math.sin(angles[i]), math.cos(angles[i])])
        axes.annotate(str(i + 1), (angles[i], 1), tuple(away), textcoords="offset points", **placed)
    axes.set(ylim=(0, 1), yticks=[0.5, 1.0], yticklabels=[], xticks=[])
    axes.spines["polar"].set(linewidth=scaled(0.4), color="0.6")
    axes.grid(visible=True)
    axes.set_axisbelow(True)


def petal_look(number: int) -> dict[str, Any]:
    """Colours of a petal; its number says which it is in grey print."""
    color = COLORS[number % len(COLORS)]
    return {"facecolor": color, "edgecolor": "white", "hatch": "////" if number >= len(COLORS) else None}


def plot_petal(
    result: SearchResult,
    path: str | Path | None = None,
    *,
    rows: Sequence[int] | None = None,
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw a few solutions of a front as flowers: a petal per objective, the longer the better.

    Args:
        result: With a front of three to eight objectives.
        path: Where to write it; the ending is the format. None: only draw.
        rows: Numbers of rows of the front; by default the best in each objective and the balanced one.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's column for up to three flowers, else its page.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: It is no `SearchResult`, or a row is no whole number.
        ValueError: As `petal_data`, or style, width or the path's ending are unknown.
        OSError: The file could not be written; the error names it.
    """
    data = petal_data(result, rows)
    count = len(data.rows)
    across = count if count <= ACROSS else -(-count // 2)
    down = -(-count // across)
    figure: Figure
    with paper_figure(path, style, width, down / across, page=count > 3) as figure:
        tall = down * figure.get_figwidth() / across * SHARE + scaled(down * FRAME + LEGEND)
        figure.set_figheight(tall)
        engine: Any = figure.get_layout_engine()
        engine.set(wspace=0.12)
        for i in range(count):
            axes = figure.add_subplot(down, across, i + 1, projection="polar")
            draw_petal(axes, data, i)
            title = "\n".join(wrapped(data.titles[i], 66 * figure.get_figwidth() / across, 8))
            axes.set_title(title, pad=scaled(13))
        names = zip(data.objective_names, data.directions, strict=True)
        labels = [f"{i + 1} {with_direction(*pair)}" for i, pair in enumerate(names)]
        shared_legend(figure, [Patch(**petal_look(i), label=label) for i, label in enumerate(labels)])
    return figure
