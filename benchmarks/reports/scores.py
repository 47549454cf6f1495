"""Scores: any indicator of any stored front, one row per search."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from moo.benchmarks.reports.histories import area
from moo.benchmarks.reports.loading import Searched, by_problem, load_report
from moo.benchmarks.reports.references import References, references
from moo.benchmarks.suites import format_tuner
from moo.checks import unknown_name
from moo.choosing import find_method
from moo.directions import turn
from moo.indicators import INDICATORS
from moo.preferences import grid
from moo.registry import format_value, resolve

DEFAULT_INDICATORS = ("hypervolume", "igd_plus")
AREA = "area"  # the one score that is not of the final front alone
MEASURES = (AREA, *INDICATORS)
POLICIES = ("hypervolume", "expected_utility", "maximum_utility_loss", "igd_plus", "sparsity")  # what `policies` means
UNRANKED = ("sparsity",)  # reported, never ranked on: a front of few bad points can be as dense as one likes
IN_UNITS = (AREA, "hypervolume")  # in the objectives' units; the others are on scaled objectives
TIMES = ("wall_seconds", "cpu_seconds")


def higher_is_better(name: str) -> bool:
    """Whether larger values of a measure are better."""
    return name == AREA or INDICATORS[name].higher_is_better


def spelt_out(names: Sequence[str]) -> tuple[str, ...]:
    """The names with `policies` replaced by what policies are usually reported by."""
    return tuple(one for name in names for one in (POLICIES if name == "policies" else (name,)))


def check_measures(names: Sequence[str]) -> tuple[str, ...]:
    """The names without repetitions.

    Raises:
        ValueError: One is unknown.
    """
    for name in names:
        if name not in MEASURES:
            raise ValueError(unknown_name("indicator", name, MEASURES))
    return tuple(dict.fromkeys(names))


def load(folder: str | Path, indicators: Sequence[str] = DEFAULT_INDICATORS, *, times: bool = False) -> pd.DataFrame:
    """The scores of a folder's finished searches: one row per search, as in `score`.

    Args:
        folder: A suite's folder, or one saved search.
        indicators: Names in `INDICATORS`, or `"area"`.
        times: Add `wall_seconds` and `cpu_seconds`, which differ from run to run.

    Raises:
        FileNotFoundError: The folder holds neither.
        DamagedFileError: A file cannot be read; it is named.
        ValueError: An indicator is unknown.
    """
    check_measures(indicators)
    return score(load_report(folder).searches, indicators, times=times)


def score(
    results: Sequence[Searched], indicators: Sequence[str] = DEFAULT_INDICATORS, *, times: bool = False
) -> pd.DataFrame:
    """One row per search, a column per indicator.

    The hypervolume, and `area`, its mean over the budget, are in the objectives' units against the reference point; all
    other indicators are computed on objectives scaled so that the reference set spans [0, 1] in each.

    Args:
        results: Of any problems.
        indicators: Names in `INDICATORS`, or `"area"`.
        times: Add `wall_seconds` and `cpu_seconds`, which differ from run to run.

    Raises:
        ValueError: An indicator is unknown.
    """
    groups = by_problem(results)
    return score_against({name: references(group) for name, group in groups.items()}, groups, indicators, times=times)


def score_against(
    contexts: Mapping[str, References],
    groups: Mapping[str, Sequence[Searched]],
    indicators: Sequence[str],
    *,
    times: bool = False,
) -> pd.DataFrame:
    """`score`, with the references of each problem and its results given."""
    names = check_measures(indicators)
    columns = ["problem", "method", "seed", "budget", "used", "front_size", "failures", *names, *TIMES * times]
    rows = []
    for problem, group in groups.items():
        functions = {name: _measure(name, contexts[problem], group[0]) for name in names}
        for result in group:
            config, record = result.config, result.record
            row = {
                "problem": problem,
                "method": method_label(config),
                "seed": config["seed"],
                "budget": config["budget"],
                "used": record["used"],
                "front_size": record["front_size"],
                "failures": record["failures"],
            }
            front = turn(result.objectives, config["directions"])
            row.update({name: function(result, front) for name, function in functions.items()})
            row.update({name: record[name] for name in TIMES * times})
            rows.append(row)
    return pd.DataFrame(rows, columns=columns)


def _measure(name: str, context: References, example: Searched) -> Callable[[Searched, Tensor], float]:
    """What a measure gives for a search of one problem and its front `[n, m]`, maximised."""
    if name == AREA:
        return lambda result, _: area(result, context.reference_point)
    indicator, objectives = INDICATORS[name], len(example.config["directions"])
    if indicator.max_objectives is not None and objectives > indicator.max_objectives:
        return lambda *_: math.nan
    function = resolve({name: indicator.function}, name, "indicator")
    if name == "hypervolume":
        return lambda _, front: float(function(front, context.reference_point, warn=False))
    if name == "relative_hypervolume" and not context.hypervolume:
        return lambda *_: math.nan  # nothing to be relative to
    known: dict[str, Callable[[], Tensor]] = {
        "reference_set": lambda: context.reference_set,
        "reference_point": lambda: context.scaled_point,
        "preferences": lambda: grid(objectives),
        "ideal_point": lambda: context.scale(context.best[None])[0],
    }
    given = [known[part]() for part in indicator.context]
    return lambda _, front: float(function(context.scale(front), *given))


# --------------------------------------------------------------------------------------------------- names
def method_label(config: Mapping[str, Any]) -> str:
    """The method with the options that differ from its defaults, and its preferences where some were chosen."""
    if config.get("imported"):
        return str(config["method"])
    declared = find_method(config["method"]).options
    changed = {key: value for key, value in config["options"].items() if value != declared[key].default}
    preferences = config["preferences"]
    if preferences != "auto":
        changed["preferences"] = format_tuner(preferences) if isinstance(preferences, str) else preferences
    body = ",".join(f"{key}={_text(value)}" for key, value in changed.items())
    return f"{config['method']}:{body}" if body else str(config["method"])


def _text(value: Any) -> str:
    """An option's value as one writes it in a suite, or as Python does where that cannot be written there."""
    try:
        return format_value(value)
    except ValueError:
        return str(value)
