"""Reports: any indicator of any stored front, against references that are the same for all methods of a problem."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from moo.archive import CAPACITY, Archive
from moo.base import Candidates
from moo.benchmarks.runner import applicable, cell_folder, read_plans, read_record
from moo.benchmarks.suites import cells, format_tuner
from moo.checks import unknown_name
from moo.directions import turn
from moo.dominance import non_dominated
from moo.history import History
from moo.indicators import INDICATORS
from moo.metered import infer_reference_point
from moo.preferences import grid
from moo.problems import get_problem
from moo.registry import format_value, resolve
from moo.result import SearchResult
from moo.search import load_result

DEFAULT_INDICATORS = ("hypervolume", "igd_plus")
FORMATS = ("table", "md", "csv")


@dataclass(frozen=True)
class Report:
    """What a folder holds.

    Attributes:
        results: The finished searches.
        unfinished: Of the others, what they are and why: failed, not applicable, not run yet.
    """

    results: list[SearchResult]
    unfinished: list[str]


def load(folder: str | Path) -> Report:
    """Read a suite's folder, or one saved search.

    Raises:
        FileNotFoundError: The folder holds neither.
        DamagedFileError: A file cannot be read; it is named.
    """
    folder = Path(folder)
    if not (folder / "suite.json").exists():
        if not (folder / "record.json").exists():
            raise FileNotFoundError(f"{folder} holds neither a suite nor a finished search: run `moo bench` first.")
        return Report([load_result(folder)], [])
    results, unfinished = [], []
    for cell in dict.fromkeys(cell for plan in read_plans(folder) for cell in cells(plan)):
        record = read_record(cell_folder(cell, folder))
        if why := applicable(cell):
            unfinished.append(f"not applicable: {cell.label}: {why}")
        elif record is None:
            unfinished.append(f"not run yet: {cell.label}")
        elif record["status"] == "failed":
            unfinished.append(f"failed: {cell.label}: {record['reason']}")
        else:
            results.append(load_result(cell_folder(cell, folder)))
    return Report(results, unfinished)


@dataclass(frozen=True)
class References:
    """What the indicators of one problem are measured against, maximised, the same for all methods.

    Attributes:
        reference_point: `[m]`, in the objectives' units.
        reference_set: `[k, m]`, scaled to [0, 1] by its own ideal and nadir.
        ideal, nadir: Of the reference set, in the objectives' units.
        best: `[m]`, the best value of each objective in the reference set and in all fronts, in the objectives' units:
            the ideal, unless a front is better than an approximate reference set. What R2 is measured from.
        source: Where point and set come from.
    """

    reference_point: Tensor
    reference_set: Tensor
    ideal: Tensor
    nadir: Tensor
    best: Tensor
    source: str

    def scale(self, objectives: Tensor) -> Tensor:
        """Objectives `[n, m]` such that the reference set spans [0, 1]."""
        return (objectives - self.nadir) / torch.where(self.ideal > self.nadir, self.ideal - self.nadir, 1.0)


def references(results: Sequence[SearchResult]) -> References:
    """The references of one problem's results.

    The reference point is the caller's where all results have the same one, else the problem's own, else inferred from
    the reference set; the reference set is the problem's own front, else the best of all fronts here together.
    """
    config = results[0].config
    directions = config["directions"]
    fronts = torch.cat([turn(result.objectives, directions) for result in results])
    problem = get_problem(config["problem"]) if config["registered"] else None
    own_front = None if problem is None else problem.reference_front
    rows = fronts[non_dominated(fronts)] if own_front is None else turn(torch.as_tensor(own_front), directions)
    given = config["reference_point"]
    if any(result.config["reference_point"] != given for result in results):
        given = None
    own_point = None if problem is None else problem.reference_point
    if given is not None or own_point is not None:
        point = turn(torch.as_tensor(own_point if given is None else given, dtype=torch.float64), directions)
        whose = "of the problem" if given is None else "of the caller"
    else:
        whose = "from the reference set"
        point = torch.zeros(len(directions), dtype=torch.float64)
        if len(rows):
            point = infer_reference_point(Candidates.of(torch.zeros(len(rows), 1), rows))
    source = f"reference point {whose}, "
    source += f"reference set {'of the problem' if own_front is not None else 'of all fronts here together'}"
    if not len(rows):
        rows = point[None]
    ideal, nadir = rows.amax(dim=0), rows.amin(dim=0)
    made = References(point, rows, ideal, nadir, torch.cat([rows, fronts]).amax(dim=0), source)
    return replace(made, reference_set=made.scale(rows))


def measured_alike(results: Sequence[SearchResult]) -> list[SearchResult]:
    """Results of one problem with histories measured from one reference point.

    Where they were not (each run inferred its own), it is the joint one of their report.
    """
    if all(result.record["reference_point"] == results[0].record["reference_point"] for result in results):
        return list(results)
    point, directions = references(results).reference_point, results[0].config["directions"]
    measured = []
    for result in results:
        rows = replace(result.additions, objectives=turn(result.additions.objectives, directions))
        bounds = (result.config.get("archive_capacity") or CAPACITY, result.config.get("archive_bound") or "crowding")
        archive, history = Archive(rows.solutions.shape[1:], len(directions), *bounds), History()
        history.load_state_dict({"rows": result.history.to_numpy(np.float64), "earned": 0.0, "value": None})
        history.recompute([rows], archive, point)
        history.close(archive.objectives, point)
        record = {**result.record, "reference_point": turn(point, directions).tolist()}
        measured.append(replace(result, history=history.frame(), record=record))
    return measured


def score(
    results: Sequence[SearchResult], indicators: Sequence[str] = DEFAULT_INDICATORS, *, times: bool = False
) -> pd.DataFrame:
    """One row per search, a column per indicator.

    The hypervolume is in the objectives' units against the reference point; all other indicators are computed on
    objectives scaled so that the reference set spans [0, 1] in each.

    Args:
        results: Of any problems.
        indicators: Names in `INDICATORS`.
        times: Add `wall_seconds` and `cpu_seconds`, which differ from run to run.

    Raises:
        ValueError: An indicator is unknown.
    """
    for name in indicators:
        if name not in INDICATORS:
            raise ValueError(unknown_name("indicator", name, INDICATORS))
    columns = ["problem", "method", "seed", "budget", "used", "front_size", "failures", *dict.fromkeys(indicators)]
    columns += ["wall_seconds", "cpu_seconds"] if times else []
    rows = []
    for group in by_problem(results).values():
        context = references(group)
        for result in group:
            config, record = result.config, result.record
            row = {
                "problem": config["problem"],
                "method": method_label(config),
                "seed": config["seed"],
                "budget": config["budget"],
                "used": record["used"],
                "front_size": record["front_size"],
                "failures": record["failures"],
            }
            front = turn(result.objectives, config["directions"])
            row.update({name: _value(name, front, context) for name in indicators})
            if times:
                row.update({name: record[name] for name in ("wall_seconds", "cpu_seconds")})
            rows.append(row)
    return pd.DataFrame(rows, columns=columns)


def by_problem(results: Sequence[SearchResult]) -> dict[str, list[SearchResult]]:
    """Results by their problem, in the order of appearance."""
    groups: dict[str, list[SearchResult]] = {}
    for result in results:
        groups.setdefault(result.config["problem"], []).append(result)
    return groups


def results_of(folder: str | Path, problem: str = "") -> list[SearchResult]:
    """The finished searches of one problem of a folder; `problem` may be left out where there is one.

    Raises:
        FileNotFoundError: The folder holds neither a suite nor a search.
        ValueError: The problem is not there, or several are and none was named.
    """
    groups = by_problem(load(folder).results)
    if not groups:
        raise ValueError(f"{folder} holds no finished search yet.")
    if not problem and len(groups) > 1:
        raise ValueError(f"{folder} holds several problems: {', '.join(groups)}. Choose one with -p.")
    if problem and problem not in groups:
        raise ValueError(unknown_name("problem", problem, groups))
    return groups[problem] if problem else next(iter(groups.values()))


def known_front(config: Mapping[str, Any]) -> Tensor | None:
    """The known front of a search's problem, by the search's configuration, or None."""
    return get_problem(config["problem"]).reference_front if config["registered"] else None


def method_label(config: Mapping[str, Any]) -> str:
    """The method with the options that differ from its defaults, and its preferences where some were chosen."""
    from moo.generators import GENERATORS

    declared = resolve(GENERATORS, config["method"], "method").options
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


def _value(name: str, front: Tensor, context: References) -> float:
    indicator = INDICATORS[name]
    if indicator.max_objectives is not None and front.shape[1] > indicator.max_objectives:
        return math.nan
    function = resolve({name: indicator.function}, name, "indicator")
    if name == "hypervolume":
        return float(function(front, context.reference_point, warn=False))
    point = context.scale(context.reference_point[None])[0]
    if name == "relative_hypervolume" and not bool((context.reference_set > point).all(dim=1).any()):
        return math.nan  # nothing to be relative to
    given = {
        "reference_set": context.reference_set,
        "reference_point": point,
        "preferences": grid(front.shape[1]),
        "ideal_point": context.scale(context.best[None])[0],
    }
    return float(function(context.scale(front), *(given[part] for part in indicator.context)))


def summarize(scores: pd.DataFrame, indicators: Sequence[str]) -> pd.DataFrame:
    """Median and quartiles over seeds, by problem, method and budget.

    The best median of each problem is marked with a star, unless it is infinite: nothing was found. The same search
    said in two ways (`"nsga2"` and `"nsga2:population=100"`) is one row, each of its seeds counting once.
    """
    distinct = scores.drop_duplicates(["problem", "method", "budget", "seed"])
    rows = []
    for problem, of_problem in distinct.groupby("problem", sort=False):
        groups = list(of_problem.groupby(["method", "budget"], sort=False))
        spreads = {name: [_quartiles(group[name]) for _, group in groups] for name in indicators}
        best = {
            name: (max if INDICATORS[name].higher_is_better else min)(median for _, median, _ in spreads[name])
            for name in indicators
        }
        for i, ((method, _), group) in enumerate(groups):
            row = {"problem": problem, "method": method, "budget": int(group["budget"].iloc[0]), "seeds": len(group)}
            for name in indicators:
                low, median, high = spreads[name][i]
                star = "*" if median == best[name] and np.isfinite(median) and len(groups) > 1 else ""
                row[name] = f"{median:.4g} [{low:.4g}, {high:.4g}]{star}"
            rows.append(row)
    return pd.DataFrame(rows)


def _quartiles(values: pd.Series) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile; between a finite value and an infinite one, the infinite one."""

    def at(share: float) -> float:
        below, above = (float(np.quantile(values, share, method=side)) for side in ("lower", "higher"))
        if below == above or np.isinf(below):
            return below
        return above if np.isinf(above) else float(np.quantile(values, share))

    return at(0.25), at(0.5), at(0.75)


def notes(results: Sequence[SearchResult]) -> list[str]:
    """What every table has to say: reference points, normalisation, where they come from."""
    lines = ["Median [quartiles] over seeds; * best median. Hypervolume: higher is better, in the objectives' units."]
    lines.append("All other indicators: on objectives scaled so that the reference set spans [0, 1] in each.")
    for problem, group in by_problem(results).items():
        context, directions = references(group), group[0].config["directions"]
        point, ideal, nadir, best = (
            "(" + ", ".join(f"{value:.4g}" for value in turn(vector, directions).tolist()) + ")"
            for vector in (context.reference_point, context.ideal, context.nadir, context.best)
        )
        better = f"; fronts reach {best}, from where R2 is measured" if (context.best > context.ideal).any() else ""
        lines.append(
            f"{problem}: reference point {point}, scaled by ideal {ideal}, nadir {nadir}{better} ({context.source})."
        )
    return lines


def render(
    report: Report, indicators: Sequence[str] = DEFAULT_INDICATORS, *, form: str = "table", times: bool = False
) -> str:
    """The report as text.

    Args:
        report: What `load` gave.
        indicators: Columns.
        form: `"table"` and `"md"`: medians and quartiles with notes; `"csv"`: one row per search.
        times: With `"csv"`, the times too.

    Raises:
        ValueError: The form or an indicator is unknown.
    """
    if form not in FORMATS:
        raise ValueError(unknown_name("format", form, FORMATS))
    indicators = tuple(dict.fromkeys(indicators))
    scores = score(report.results, indicators, times=times)
    if form == "csv":
        return _csv(scores)
    if not len(scores):
        return "\n".join(["Nothing finished yet.", *report.unfinished]) + "\n"
    table = summarize(scores, indicators)
    lines = _markdown(table) if form == "md" else _plain(table)
    return "\n".join([*lines, "", *notes(report.results), *report.unfinished]) + "\n"


def _csv(scores: pd.DataFrame) -> str:
    text = io.StringIO()
    scores.to_csv(text, index=False, lineterminator="\n")
    return text.getvalue()


def _cells(table: pd.DataFrame) -> list[list[str]]:
    return [list(table.columns), *([str(value) for value in row] for row in table.itertuples(index=False))]


def _plain(table: pd.DataFrame) -> list[str]:
    rows = _cells(table)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _markdown(table: pd.DataFrame) -> list[str]:
    header, *body = ["| " + " | ".join(row) + " |" for row in _cells(table)]
    return [header, "|" + " --- |" * len(table.columns), *body]
