"""Sweeps of preferences: what was asked of a conditional method, and what came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.stats import rankdata

from moo.base import Candidates
from moo.checks import check_count, check_matrix
from moo.plots.reading import check_objectives, upwards
from moo.plots.saving import paper_figure
from moo.plots.style import COLORS, STYLE, panels, scaled
from moo.plots.words import fold_names, literal, say, with_direction
from moo.preferences import grid
from moo.result import SearchResult

Array = NDArray[np.float64]

MOST = 6  # objectives
BINS = 12  # of preferences, each with its median


@dataclass(frozen=True)
class SweepData:
    """What was asked, and what came.

    Attributes:
        objective_names: `m` names.
        directions: `"min"` or `"max"` for each.
        preferences: That were asked for, `[k, m]`.
        objectives: That came, `[k, m]`, in the problem's own directions.
        correlations: By ranks (Spearman's), of the preference for each objective with how good it came, `[m]`; NaN
            where one of them is always the same.
    """

    objective_names: tuple[str, ...]
    directions: tuple[str, ...]
    preferences: Array
    objectives: Array
    correlations: Array


def sweep_data(
    result: SearchResult, evaluate: Callable[[torch.Tensor], Any] | None = None, count: int = 100, seed: int = 0
) -> SweepData:
    """What came for each preference that was asked for.

    Args:
        result: Of a method that follows preferences.
        evaluate: Objectives `[k, m]` of solutions, as `problem.evaluate`: then a conditional method is asked for an
            even grid of preferences. None: the rows that the search itself evaluated while it followed a preference.
        count: Least size of that grid.
        seed: Of what is sampled for it.

    Raises:
        TypeError: It is no `SearchResult`, or what `evaluate` gave are no numbers.
        ValueError: There are more than six objectives, the method followed no preferences, it is not conditional and
            `evaluate` is given, or that gave another shape.
    """
    if not isinstance(result, SearchResult):
        raise TypeError(f"A sweep shows one SearchResult. Found {type(result).__name__}.")
    names, directions = tuple(result.config["objective_names"]), tuple(result.config["directions"])
    check_objectives("preference sweeps", len(names), 2, MOST)
    if evaluate is None:
        rows = followed(result)
        wanted, objectives = rows.preferences.numpy(), rows.objectives.numpy()
    else:
        if not result.config["conditional"]:
            raise ValueError(
                f"`evaluate` is for conditional methods, which answer any preference. {result.config['method']!r} is "
                "none: leave it out."
            )
        asked = grid(len(names), check_count("count", count, low=2))
        came = check_matrix("evaluate", evaluate(result.sample(asked, seed=seed)), rows=len(asked), columns=len(names))
        wanted, objectives = asked.numpy(), came.numpy()
    finite = np.isfinite(objectives).all(axis=1)
    wanted, objectives = wanted[finite], objectives[finite]
    better = upwards(objectives, directions)
    correlations = np.array([rank_correlation(wanted[:, i], better[:, i]) for i in range(len(names))])
    return SweepData(names, directions, wanted, objectives, correlations)


def followed(result: SearchResult) -> Candidates:
    """The rows of a search that followed a preference: its finals, where these did, else what entered the archive.

    Raises:
        ValueError: None did.
    """
    for rows in (result.finals, result.additions, result.front):
        kept = ~rows.preferences.isnan().any(dim=1)
        if kept.any():
            return rows.rows(kept)
    raise ValueError(
        f"A plot of preferences needs rows that followed one. Found none: {result.config['method']!r} takes no "
        "preferences, or the search ended before it used them."
    )


def rank_correlation(first: Array, second: Array) -> float:
    """Spearman's rank correlation of two lists `[k]`, ties sharing mean ranks; NaN where one is constant."""
    if len(first) < 2 or not np.ptp(first) or not np.ptp(second):
        return float("nan")
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def draw_sweep(axes: Axes, data: SweepData, objective: int = 0) -> None:
    """Draw one objective against the preference for it: a point per row, and a line of medians."""
    wanted, came = data.preferences[:, objective], data.objectives[:, objective]
    color = COLORS[0]
    few = len(wanted) <= 150
    points: dict[str, Any] = {"markersize": scaled(2.4 if few else 1.6), "alpha": 0.5 if few else 0.25}
    axes.plot(wanted, came, "o", color=color, markeredgewidth=0, **points)
    axes.plot(*medians(wanted, came).T, color=COLORS[1], linewidth=scaled(1.1))
    name = data.objective_names[objective]
    axes.set(xlim=(-0.03, 1.03), xlabel=f"preference for {literal(name)}")
    axes.set_ylabel(with_direction(name, data.directions[objective]))
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.yaxis.set_major_locator(MaxNLocator(4))
    correlation = data.correlations[objective]
    said = "\N{EN DASH}" if np.isnan(correlation) else f"{correlation:.2f}".replace("-", "\N{MINUS SIGN}")
    axes.set_title(f"rank correlation {said}")


def medians(wanted: Array, came: Array) -> Array:
    """The median of what came in each bin of preferences that holds a row, at the bin's mean `[b, 2]`."""
    bins = np.minimum((wanted * BINS).astype(int), BINS - 1)
    rows = [(wanted[bins == b].mean(), np.median(came[bins == b])) for b in np.unique(bins)]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def plot_sweep(
    result: SearchResult,
    path: str | Path | None = None,
    *,
    evaluate: Callable[[torch.Tensor], Any] | None = None,
    count: int = 100,
    seed: int = 0,
    style: str = STYLE,
    width: float | None = None,
) -> Figure:
    """Draw each objective against the preference for it: whether a conditional method gives what it is asked for.

    The rank correlation above is 1 where more preference always brought more of an objective.

    Args:
        result: Of a method that follows preferences.
        path: Where to write it; the ending is the format. None: only draw.
        evaluate, count, seed: As for `sweep_data`.
        style: A venue, a name in `STYLES`.
        width: In inches; by default the style's column for two objectives, else its page.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: It is no `SearchResult`.
        ValueError: As `sweep_data`, or style, width or the path's ending are unknown.
        OSError: The file could not be written; the error names it.
    """
    data = sweep_data(result, evaluate, count, seed)
    m = len(data.objective_names)
    down, across = panels(m)
    shape = (0.62 if m == 4 else 0.9) * down / across
    figure: Figure
    with paper_figure(path, style, width, shape, page=m > 2) as figure:
        for i, axes in enumerate(figure.subplots(down, across, squeeze=False).flat):
            if i >= m:
                axes.remove()
            elif len(data.preferences):
                draw_sweep(axes, data, i)
            else:
                say(axes, "nothing came")
        fold_names(figure, across, down)
    return figure
