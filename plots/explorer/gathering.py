"""What the explorer shows: rows of fronts, what dominated them, and how each reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from moo.base import Candidates
from moo.dominance import dominates
from moo.plots.explorer.pictures import MOST_PICTURES, picture_for
from moo.plots.reading import (
    Results,
    check_objectives,
    check_results,
    check_something_feasible,
    run_labels,
    shared_objectives,
    upwards,
)
from moo.plots.style import COLORS
from moo.result import SearchResult

Array = NDArray[np.float64]

SHAPES = ("circle", "square", "diamond", "cross")  # beside seven colours: 28 pairs before one comes again
MOST_ROWS = 20_000  # of fronts on a page
MOST_DOMINATED = 5_000  # additions looked at, evenly taken over those of a page
MOST_VARIABLES = 40  # columns of solutions
CHUNK = 200  # rows compared with a front at once


@dataclass(frozen=True)
class Variable:
    """A column of solutions.

    Attributes:
        name: As the space has it.
        kind: `"real"`, `"integer"` or `"categorical"`.
        low, high: Its bounds; None where nothing says them.
        choices: Of a categorical column, as text: its values are their numbers.
    """

    name: str
    kind: str = "real"
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Rows of one look: of one method, or of one seed where there is one method.

    Attributes:
        name: As the legend says it.
        color, shape: How its rows are drawn.
    """

    name: str
    color: str
    shape: str


@dataclass(frozen=True)
class Row:
    """What is known of a row beside its numbers.

    Attributes:
        name: The solution as a person reads it, where it is no row of numbers.
        group: Its number.
        run: The search it is of.
        used: When it was paid; None where that is not known.
        dominated: Whether it is none of a front.
    """

    name: str
    group: int
    run: str
    used: int | None
    dominated: bool


@dataclass(frozen=True)
class ExplorerData:
    """All that a page shows, in the problem's own directions.

    Attributes:
        title: The problem.
        objective_names, directions: `m` of each.
        variables: `d` columns of solutions.
        groups: In the order of the legend.
        rows: `n`; those of fronts come first.
        objectives: float64 `[n, m]`, finite.
        solutions: float64 `[n, d]`; NaN where a value is not known.
        preferences: float64 `[n, m]`, NaN where a row followed none; None where none did.
        pictures: SVG by the name of a solution.
        notes: What was left out, and why.
    """

    title: str
    objective_names: tuple[str, ...]
    directions: tuple[str, ...]
    variables: tuple[Variable, ...]
    groups: tuple[Group, ...]
    rows: tuple[Row, ...]
    objectives: Array
    solutions: Array
    preferences: Array | None
    pictures: Mapping[str, str]
    notes: tuple[str, ...]


def explorer_data(results: Results, *, picture: Callable[[str], str] | None = None) -> ExplorerData:
    """The fronts of one result or several with what they dominate, ready to be shown.

    Rows with an objective that is not finite are left out. Of the additions at most 5,000, evenly taken, are looked at
    for rows that their run's front dominates.

    Args:
        results: A result, or several on the same objectives and variables.
        picture: Draws the name of a solution as SVG; None: what `PICTURES` has for the problem.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: The results differ in objectives or variables, nothing is feasible or finite, there are more than
            20,000 rows, or `picture` gave no SVG.
    """
    found = check_results(results)
    names, directions = shared_objectives(found)
    check_objectives("the explorer", len(names), 2)
    check_something_feasible(found, "the explorer")
    variables = _shared_variables(found)
    labels, runs, notes = run_labels(found), _run_names(found), _infeasible(found)
    legend = runs if len(set(labels)) == 1 else labels
    groups = list(dict.fromkeys(legend))
    parts: list[tuple[int, bool, Candidates]] = []
    for number, result in enumerate(found):
        parts.append((number, False, _finite(result.front, f"the front of {runs[number]}", notes)))
    _check_size(sum(len(rows) for _, _, rows in parts), notes)
    most = max(1, MOST_DOMINATED // len(found))
    for number, result in enumerate(found):
        parts.append((number, True, _dominated(result, most, runs[number], notes)))
    rows = [
        Row(name, groups.index(legend[number]), runs[number], used, dominated)
        for number, dominated, part in parts
        for name, used in zip(_names(found[number], part), _used(part), strict=True)
    ]
    if len(variables) > MOST_VARIABLES:
        notes.append(f"The first {MOST_VARIABLES} of {len(variables)} variables are shown.")
    preferences = np.concatenate([part.preferences.numpy() for _, _, part in parts])
    return ExplorerData(
        title=", ".join(dict.fromkeys(str(result.config["problem"]) for result in found)),
        objective_names=names,
        directions=directions,
        variables=variables[:MOST_VARIABLES],
        groups=tuple(Group(name, COLORS[i % len(COLORS)], SHAPES[i % len(SHAPES)]) for i, name in enumerate(groups)),
        rows=tuple(rows),
        objectives=np.concatenate([part.objectives.numpy() for _, _, part in parts]),
        solutions=np.concatenate([_numbers(part, len(variables)) for _, _, part in parts])[:, :MOST_VARIABLES],
        preferences=None if np.isnan(preferences).all() else preferences,
        pictures=_pictures(found, [part for _, dominated, part in parts if not dominated], picture, notes),
        notes=tuple(notes),
    )


# --------------------------------------------------------------------------------------------------- which rows
def _infeasible(results: Sequence[SearchResult]) -> list[str]:
    runs = _run_names(results)
    return [f"{run} found nothing feasible." for run, result in zip(runs, results, strict=True) if not result.feasible]


def _finite(rows: Candidates, where: str, notes: list[str]) -> Candidates:
    """The rows whose objectives are finite; how many are not is noted."""
    fine = torch.isfinite(rows.objectives).all(dim=1)
    if left_out := int((~fine).sum()):
        notes.append(f"{left_out} rows of {where} are left out: an objective is not finite.")
    return rows.rows(fine)


def _check_size(count: int, notes: Sequence[str]) -> None:
    if count == 0:
        raise ValueError(f"The explorer needs a row whose objectives are finite. Found none: {' '.join(notes)}")
    if count > MOST_ROWS:
        raise ValueError(f"The explorer shows up to {MOST_ROWS:,} rows of fronts. Found {count:,}: give it fewer runs.")


def _dominated(result: SearchResult, most: int, run: str, notes: list[str]) -> Candidates:
    """Rows that entered the archive and that the front dominates, from at most so many additions."""
    additions, front = result.additions, result.front
    if len(additions) > most:
        notes.append(f"{most:,} of the {len(additions):,} additions of {run} are looked at for dominated rows.")
        additions = additions.rows(torch.linspace(0, len(additions) - 1, most, dtype=torch.float64).round().long())
    inner, better = (
        torch.from_numpy(upwards(rows.objectives.numpy(), result.config["directions"])) for rows in (additions, front)
    )
    parts = [inner[start : start + CHUNK] for start in range(0, len(inner), CHUNK)]
    beaten = [dominates(better[None], part[:, None]).any(dim=1) for part in parts]
    mask = torch.cat(beaten) if beaten else torch.zeros(0, dtype=torch.bool)
    return additions.rows(mask & torch.isfinite(inner).all(dim=1))


# --------------------------------------------------------------------------------------------------- how rows read
def _run_names(results: Sequence[SearchResult]) -> list[str]:
    """The label of each run, with its seed where several share it."""
    labels = run_labels(results)
    return [
        f"{label}, seed {result.config['seed']}" if labels.count(label) > 1 else label
        for label, result in zip(labels, results, strict=True)
    ]


def _shared_variables(results: Sequence[SearchResult]) -> tuple[Variable, ...]:
    first, *others = [_variables(result) for result in results]
    for other in others:
        if other != first:
            raise ValueError(
                "Results on one page should have the same variables. Found "
                f"{', '.join(v.name for v in first) or 'none'} and {', '.join(v.name for v in other) or 'none'}, "
                "or others of these names: make a page for each problem."
            )
    return first


def _variables(result: SearchResult) -> tuple[Variable, ...]:
    """The columns of a result's solutions; none where these are policies or were constructed."""
    if (space := result.config.get("space")) is not None:
        return tuple(Variable(c["name"], c["kind"], c["low"], c["high"], tuple(map(str, c["choices"]))) for c in space)
    if _are_policies(result) or "object" in result.front.extras:
        return ()
    return tuple(Variable(f"solution{i + 1}") for i in range(result.solutions.flatten(1).shape[1]))


def _are_policies(result: SearchResult) -> bool:
    return result.config.get("kind") in ("environment", "text")


def _names(result: SearchResult, rows: Candidates) -> list[str]:
    """What was constructed as a person reads it, policies by their number, else nothing."""
    if "object" in rows.extras:
        return [str(name) for name in rows.extras["object"]]
    if _are_policies(result):
        return [f"policy {int(number)}" for number in rows.solutions.flatten(1)[:, 0]]
    return [""] * len(rows)


def _used(rows: Candidates) -> list[int | None]:
    used = rows.extras.get("used")
    return [None] * len(rows) if used is None else [int(value) for value in used]


def _numbers(rows: Candidates, columns: int) -> Array:
    """Solutions as numbers `[n, columns]`, NaN where a value is not finite."""
    if not columns:
        return np.empty((len(rows), 0))
    flat = rows.solutions.flatten(1).to(torch.float64)
    numbers: Array = torch.where(torch.isfinite(flat), flat, torch.nan).numpy()
    return numbers


def _pictures(
    results: Sequence[SearchResult],
    fronts: Sequence[Candidates],
    picture: Callable[[str], str] | None,
    notes: list[str],
) -> dict[str, str]:
    """Drawings of the solutions of small fronts, by name."""
    drawn: dict[str, str] = {}
    for result, front in zip(results, fronts, strict=True):
        draw, why_not = (picture, "") if picture else picture_for(result.config)
        if why_not and why_not not in notes:
            notes.append(why_not)
        if draw is None:
            continue
        if len(front) > MOST_PICTURES:
            notes.append(f"Solutions are drawn for fronts of at most {MOST_PICTURES}; this one has {len(front):,}.")
            continue
        for name in dict.fromkeys(_names(result, front)):
            if name and name not in drawn:
                drawn[name] = _svg(draw(name))
    return drawn


def _svg(text: Any) -> str:
    if not isinstance(text, str) or "<svg" not in text:
        raise ValueError(f"`picture` should give SVG as text. Found {str(text)[:40]!r}.")
    return text
