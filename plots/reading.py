"""What plots are made of: results of searches, and tables with one row per search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from moo.checks import check_finite_rows, check_matrix, unknown_name
from moo.directions import turn
from moo.dominance import non_dominated
from moo.indicators import INDICATORS
from moo.result import SearchResult

Array = NDArray[np.float64]
Results = SearchResult | Sequence[SearchResult]

KEYS = ("problem", "method", "seed")


# --------------------------------------------------------------------------------------------------- results
def check_results(results: Any) -> tuple[SearchResult, ...]:
    """One result or several, as a tuple.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: There is none.
    """
    several = (results,) if isinstance(results, SearchResult) else results
    found = tuple(several) if isinstance(several, Sequence | Iterator) else (several,)
    for result in found:
        if not isinstance(result, SearchResult):
            raise TypeError(f"Plots take a SearchResult or a list of them. Found {type(result).__name__}.")
    if not found:
        raise ValueError("Plots take a SearchResult or a list of them. Found none.")
    return found


def run_labels(results: Sequence[SearchResult], *, problems: bool = True) -> list[str]:
    """One label per result: the method, then what else tells it from the others, seeds apart.

    Runs of one label differ in their seed only, so that they may share a colour and a median. Options, preferences and
    the problem stand in a label only where runs of the same method differ in them; the problem never where `problems`
    is False, for a plot over all of them.
    """
    settings = [_settings(result.config) for result in results]
    if not problems:
        settings = [{key: value for key, value in mine.items() if key != "problem"} for mine in settings]
    methods = [result.config["method"] for result in results]
    labels = []
    for mine, method in zip(settings, methods, strict=True):
        others = [other for other, name in zip(settings, methods, strict=True) if name == method]
        differing = [key for key in mine if any(other.get(key) != mine[key] for other in others)]
        options = ", ".join(f"{key}={mine[key]}" for key in differing if key != "problem")
        problem = f" on {mine['problem']}" if "problem" in differing else ""
        labels.append(f"{method}{problem}" + (f" ({options})" if options else ""))
    return labels


def _settings(config: Mapping[str, Any]) -> dict[str, str]:
    """What can tell two runs of one method apart, as text."""
    preferences = config.get("preferences", "auto")
    return {
        "problem": str(config["problem"]),
        "preferences": preferences if isinstance(preferences, str) else "given",
        **{key: str(value) for key, value in config.get("options", {}).items()},
    }


def by_label(results: Sequence[SearchResult]) -> dict[str, list[SearchResult]]:
    """Results by their label, in the order of appearance: those of a label differ in their seed only."""
    groups: dict[str, list[SearchResult]] = {}
    for label, result in zip(run_labels(results), results, strict=True):
        groups.setdefault(label, []).append(result)
    return groups


def shared_objectives(results: Sequence[SearchResult]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and directions of the objectives, which all results have to share.

    Raises:
        ValueError: They differ in number, names or directions.
    """
    names, directions = (tuple(results[0].config[key]) for key in ("objective_names", "directions"))
    for other in results[1:]:
        _check_same("number of objectives", len(names), len(other.config["objective_names"]))
        _check_same("objective names", list(names), list(other.config["objective_names"]))
        _check_same("directions", list(directions), list(other.config["directions"]))
    return names, directions


def _check_same(what: str, first: object, other: object) -> None:
    if first != other:
        raise ValueError(f"Results in one plot should have the same {what}. Found {first} and {other}.")


def check_objectives(plot: str, found: int, low: int, high: int | None = None, instead: str = "") -> None:
    """Check the number of objectives that a plot is for.

    Raises:
        ValueError: There are fewer than `low` or more than `high`.
    """
    if found < low or (high is not None and found > high):
        wanted = f"{low}" if low == high else f"{low} to {high}" if high else f"at least {low}"
        raise ValueError(
            f"A plot of {plot} is for {wanted} objectives. Found {found}{': ' if instead else ''}{instead}."
        )


def check_reference_front(reference_front: Any, num_objectives: int) -> Array | None:
    """The known front `[k, m]` as an array, or None where there is none.

    Raises:
        TypeError: It holds no numbers.
        ValueError: It has another number of columns or a value that is not finite.
    """
    if reference_front is None:
        return None
    points = check_matrix("reference_front", reference_front, columns=num_objectives)
    checked: Array = check_finite_rows("reference_front", points).numpy()
    return checked


def check_something_feasible(results: Sequence[SearchResult], plot: str) -> None:
    """Check that there is something to draw.

    Raises:
        ValueError: No run found anything feasible.
    """
    if not any(result.feasible for result in results):
        raise ValueError(
            f"A plot of {plot} needs a feasible solution. Found none in {len(results)} "
            f"run{'s' * (len(results) > 1)}: `moo plot front` shows the least violating ones."
        )


def check_same_problem(results: Sequence[SearchResult], plot: str) -> None:
    """Check that hypervolumes can be compared: one problem, measured from one reference point.

    Raises:
        ValueError: The problems or the reference points differ.
    """
    for other in results[1:]:
        problems = [result.config["problem"] for result in (results[0], other)]
        if problems[0] != problems[1]:
            raise ValueError(
                f"Results in one {plot} plot should be of the same problem: hypervolumes of different ones are not "
                f"comparable. Found {problems[0]!r} and {problems[1]!r}. Draw one plot for each."
            )
        check_same_point(results[0], other, plot)


def check_same_point(first: SearchResult, other: SearchResult, plot: str) -> None:
    """Check that the hypervolumes of two results of a problem are measured from the same reference point.

    Raises:
        ValueError: They are not.
    """
    points = [result.record["reference_point"] for result in (first, other)]
    if points[0] != points[1]:
        raise ValueError(
            f"Results in one {plot} plot should have the same reference point: hypervolumes measured from "
            f"different ones are not comparable. Found {points[0]} and {points[1]}. Run the searches with the same "
            "`reference_point=`."
        )


def upwards(objectives: Array, directions: Sequence[str]) -> Array:
    """Objectives `[..., m]` turned so that more is better, or back."""
    turned: Array = turn(torch.from_numpy(np.ascontiguousarray(objectives)), directions).numpy()
    return turned


def best_rows(objectives: Array, directions: Sequence[str]) -> Array:
    """The rows `[n, m]` that no other dominates."""
    keep: Array = objectives[non_dominated(torch.from_numpy(upwards(objectives, directions))).numpy()]
    return keep


# --------------------------------------------------------------------------------------------------- tables
def check_scores(scores: Any, indicator: str) -> pd.DataFrame:
    """A table with one row per search as plots take it: `problem`, `method`, `seed`, and the indicator.

    The same search said twice counts once. Where a method has several budgets, its name says which.

    Args:
        scores: As `moo.benchmarks.score` makes it.
        indicator: One of its columns.

    Raises:
        TypeError: It is no table.
        ValueError: It has no rows, or a column is missing.
    """
    if not isinstance(scores, pd.DataFrame):
        raise TypeError(
            f"`scores` should be a table, as `moo.benchmarks.score` makes it. Found {type(scores).__name__}."
        )
    if missing := [name for name in KEYS if name not in scores]:
        raise ValueError(f"`scores` should have the columns {', '.join(KEYS)}. Found none called {', '.join(missing)}.")
    if indicator not in scores:
        raise ValueError(unknown_name("indicator", indicator, [str(name) for name in scores if name in INDICATORS]))
    if not len(scores):
        raise ValueError("`scores` should have a row per search. Found none.")
    table = scores.drop_duplicates([*KEYS, "budget"] if "budget" in scores else list(KEYS)).reset_index(drop=True)
    if "budget" in table:
        several = table.groupby("method")["budget"].transform("nunique") > 1
        if (table[several].groupby(["method", "problem"])["budget"].nunique() > 1).any():
            table.loc[several, "method"] += " (" + table.loc[several, "budget"].astype(str) + ")"
    return table


def higher_is_better(indicator: str) -> bool:
    """Whether a larger value of an indicator is better; so it is of the mean hypervolume over a budget, `area`."""
    return indicator == "area" or (indicator in INDICATORS and bool(INDICATORS[indicator].higher_is_better))


def in_words(indicator: str) -> str:
    """An indicator's name as a figure says it."""
    words = {"igd": "IGD", "igd_plus": "IGD+", "gd": "GD", "gd_plus": "GD+", "r2": "R2", "area": "mean hypervolume"}
    return words.get(indicator, indicator.replace("_", " "))


def median_table(scores: pd.DataFrame, indicator: str) -> pd.DataFrame:
    """Medians over seeds, a row per problem and a column per method, both in the order of appearance; NaN where none.

    The median of values some of which are infinite is one of them, never NaN.
    """
    medians = scores.groupby(["problem", "method"], sort=False)[indicator].agg(_median).unstack("method")
    problems, methods = (list(dict.fromkeys(scores[key])) for key in ("problem", "method"))
    return medians.reindex(index=problems, columns=methods)


def _median(values: pd.Series) -> float:
    low, high = (float(np.quantile(values, 0.5, method=side)) for side in ("lower", "higher"))
    return high if np.isinf(low) or np.isinf(high) else (low + high) / 2


def check_seeds(counts: Mapping[str, int], plot: str) -> None:
    """Check that there are several runs of each method.

    Raises:
        ValueError: A method has one run.
    """
    for label, count in counts.items():
        if count < 2:
            raise ValueError(
                f"A plot of {plot} needs at least two runs of each method, of different seeds. Found {count} of "
                f"{label!r}: run it with --seeds 2 or more."
            )
