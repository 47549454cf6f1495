"""Reports: any indicator of any stored front, against references that are the same for all methods of a problem."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from moo.base import Candidates
from moo.benchmarks.runner import applicable, cell_folder
from moo.benchmarks.suites import Suite, cells, seeds_of
from moo.checks import unknown_name
from moo.directions import turn
from moo.dominance import non_dominated
from moo.indicators import INDICATORS
from moo.metered import infer_reference_point
from moo.preferences import grid
from moo.problems import get_problem
from moo.registry import format_spec, resolve
from moo.result import SearchResult
from moo.search import load_result
from moo.storage import read_json

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
    mark = read_json(folder / "suite.json")
    suite = Suite(
        mark["name"], tuple(mark["problems"]), tuple(mark["methods"]), seeds_of(mark["seeds"]), mark["budget"]
    )
    results, unfinished = [], []
    for cell in cells(suite):
        record = cell_folder(cell, folder) / "record.json"
        if why := applicable(cell):
            unfinished.append(f"not applicable: {cell.label}: {why}")
        elif not record.exists():
            unfinished.append(f"not run yet: {cell.label}")
        elif (stored := read_json(record))["status"] == "failed":
            unfinished.append(f"failed: {cell.label}: {stored['reason']}")
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
        source: Where point and set come from.
    """

    reference_point: Tensor
    reference_set: Tensor
    ideal: Tensor
    nadir: Tensor
    source: str

    def scale(self, objectives: Tensor) -> Tensor:
        """Objectives `[n, m]` such that the reference set spans [0, 1]."""
        return (objectives - self.nadir) / torch.where(self.ideal > self.nadir, self.ideal - self.nadir, 1.0)


def references(results: Sequence[SearchResult]) -> References:
    """The references of one problem's results: the problem's own where it has them, else made of all fronts here."""
    directions = results[0].config["directions"]
    fronts = torch.cat([turn(result.objectives, directions) for result in results])
    union = fronts[non_dominated(fronts)]
    problem = get_problem(results[0].config["problem"]) if results[0].config["registered"] else None
    own_front = None if problem is None else problem.reference_front
    best = union if own_front is None else turn(torch.as_tensor(own_front), directions)
    own_point = None if problem is None else problem.reference_point
    if own_point is not None:
        point = turn(torch.as_tensor(own_point, dtype=torch.float64), directions)
    elif len(best):
        point = infer_reference_point(Candidates.of(torch.zeros(len(best), 1), best))
    else:
        point = torch.zeros(len(directions), dtype=torch.float64)
    source = f"reference point {'of the problem' if own_point is not None else 'from the reference set'}, "
    source += f"reference set {'of the problem' if own_front is not None else 'of all fronts here together'}"
    if not len(best):
        best = point[None]
    ideal, nadir = best.amax(dim=0), best.amin(dim=0)
    made = References(point, best, ideal, nadir, source)
    return References(point, made.scale(best), ideal, nadir, source)


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
    return pd.DataFrame(rows)


def by_problem(results: Sequence[SearchResult]) -> dict[str, list[SearchResult]]:
    """Results by their problem, in the order of appearance."""
    groups: dict[str, list[SearchResult]] = {}
    for result in results:
        groups.setdefault(result.config["problem"], []).append(result)
    return groups


def method_label(config: Mapping[str, Any]) -> str:
    """The method with the options that differ from its defaults."""
    from moo.generators import GENERATORS

    declared = resolve(GENERATORS, config["method"], "method").options
    changed = {key: value for key, value in config["options"].items() if value != declared[key].default}
    if config["preferences"] != "auto":
        changed["preferences"] = config["preferences"]
    return format_spec(config["method"], changed)


def _value(name: str, front: Tensor, context: References) -> float:
    indicator = INDICATORS[name]
    function = resolve({name: indicator.function}, name, "indicator")
    if name == "hypervolume":
        return float(function(front, context.reference_point, warn=False))
    given = {
        "reference_set": context.reference_set,
        "reference_point": context.scale(context.reference_point[None])[0],
        "preferences": grid(front.shape[1]),
        "ideal_point": torch.ones(front.shape[1], dtype=torch.float64),
    }
    return float(function(context.scale(front), *(given[part] for part in indicator.context)))


def summarize(scores: pd.DataFrame, indicators: Sequence[str]) -> pd.DataFrame:
    """Median and quartiles over seeds, by problem and method; the best median of each problem is marked with a star."""
    rows = []
    for problem, of_problem in scores.groupby("problem", sort=False):
        medians = of_problem.groupby("method", sort=False)[list(indicators)].median()
        best = {
            name: medians[name].max() if INDICATORS[name].higher_is_better else medians[name].min()
            for name in indicators
        }
        for method, group in of_problem.groupby("method", sort=False):
            row = {"problem": problem, "method": method, "budget": int(group["budget"].iloc[0]), "seeds": len(group)}
            for name in indicators:
                low, median, high = group[name].quantile([0.25, 0.5, 0.75])
                star = "*" if median == best[name] and len(medians) > 1 else ""
                row[name] = f"{median:.4g} [{low:.4g}, {high:.4g}]{star}"
            rows.append(row)
    return pd.DataFrame(rows)


def notes(results: Sequence[SearchResult]) -> list[str]:
    """What every table has to say: reference points, normalisation, where they come from."""
    lines = ["Median [quartiles] over seeds; * best median. Hypervolume: higher is better, in the objectives' units."]
    lines.append("All other indicators: on objectives scaled so that the reference set spans [0, 1] in each.")
    for problem, group in by_problem(results).items():
        context, directions = references(group), group[0].config["directions"]
        point, ideal, nadir = (
            "(" + ", ".join(f"{value:.4g}" for value in turn(vector, directions).tolist()) + ")"
            for vector in (context.reference_point, context.ideal, context.nadir)
        )
        lines.append(f"{problem}: reference point {point}, scaled by ideal {ideal}, nadir {nadir} ({context.source}).")
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
