"""The sections `runs` and `summary`: every search; medians, quartiles and ranks, with signs against a control."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from moo.benchmarks.reports.material import Material, median, quantile
from moo.benchmarks.reports.scores import TIMES, UNRANKED, higher_is_better
from moo.benchmarks.reports.signs import compared, signs_in_words
from moo.benchmarks.reports.tables import MISSING, Entry, Table, counts, entries, number
from moo.benchmarks.reports.words import directions_of
from moo.statistics import oriented

SHARES = {"lower": 0.25, "median": 0.5, "upper": 0.75}


def runs_table(material: Material) -> list[Table]:
    """One row per search."""
    scores = material.scores
    numbers = [*material.wish.indicators, *(name for name in TIMES if name in scores)]
    rows = [
        entries(*(number(value) if name in numbers else value for name, value in zip(scores.columns, row, strict=True)))
        for row in scores.itertuples(index=False)
    ]
    notes = [*directions_of(material)]
    return [Table("runs", "Searches", tuple(scores.columns), rows, scores, notes, list(scores["problem"]))]


def summary_table(material: Material) -> list[Table]:
    """Medians and quartiles over runs, ranks within a problem, and signs against the control where there is one."""
    data = spreads(material)
    control = material.control
    if control:
        data = compared(material, data)
    indicators = material.wish.indicators
    several = data.groupby("problem", sort=False)["name"].nunique().max() > 1
    header = ["problem", "method", "budget", "seeds"]
    for indicator in indicators:
        header += [indicator, "rank"] if several else [indicator]
    rows, groups = [], []
    for _, of_row in data.groupby(["problem", "name"], sort=False):
        first = of_row.iloc[0]
        row = list(entries(first["problem"], first["method"], first["budget"], first["runs"]))
        for cell in of_row.to_dict("records"):
            row.append(Entry(_spread(cell), cell["best"], cell["sign"] if control else ""))
            row += entries(number(cell["rank"])) if several else ()
        rows.append(tuple(row))
        groups.append(str(first["problem"]))
    notes = [
        _what(data),
        *_ranked(several),
        *directions_of(material),
        *(signs_in_words(material, data) if control else []),
    ]
    shown = data.drop(columns=["name", "best"])
    return [Table("summary", "Medians over seeds", tuple(header), rows, shown, notes, groups)]


def spreads(material: Material) -> pd.DataFrame:
    """Quartiles and rank of each method by problem and indicator, one row each.

    The rank is that of the median among the methods of a problem, ties sharing the mean of theirs. The best median is
    marked unless it is infinite (nothing was found) or there is no other method.
    """
    rows = []
    for problem in material.problems:
        names = [name for name in material.names if len(material.rows(problem, name))]
        standings = {name: _standing(material, problem, names, name) for name in material.wish.indicators}
        for place, name in enumerate(names):
            said = material.rows(problem, name)
            about = {"problem": problem, "name": name, "method": said["method"].iloc[0]}
            about.update(budget=int(said["budget"].iloc[0]), runs=len(said))
            for indicator, standing in standings.items():
                runs = material.runs(problem, name, indicator)
                spread = {side: quantile(runs, share) for side, share in SHARES.items()}
                rows.append({**about, "indicator": indicator, **spread, **standing[place]})
    return pd.DataFrame(rows)


def _standing(material: Material, problem: str, names: list[str], indicator: str) -> list[dict[str, Any]]:
    """Rank of each method on a problem, and whether it is the best; NaN and false by what is never ranked on."""
    if indicator in UNRANKED:
        return [{"rank": math.nan, "best": False} for _ in names]
    medians = oriented([median(material.runs(problem, name, indicator)) for name in names], higher_is_better(indicator))
    best = (medians == medians.max()) & np.isfinite(medians) & (len(names) > 1)
    return [{"rank": float(rank), "best": bool(one)} for rank, one in zip(rankdata(-medians), best, strict=True)]


# --------------------------------------------------------------------------------------------------- words
def _spread(cell: Mapping[Hashable, Any]) -> str:
    """Median and quartiles; only the value of one run alone."""
    middle: str = number(cell["median"])
    if cell["runs"] == 1 or middle == MISSING:
        return middle
    return f"{middle} [{number(cell['lower'])}, {number(cell['upper'])}]"


def _what(data: pd.DataFrame) -> str:
    runs = counts(data["runs"].tolist())
    return f"Median [lower quartile, upper quartile] over the seeds of a method: {runs} of each."


def _ranked(several: bool) -> list[str]:
    said = "Rank: of the median among the methods of a problem, 1 is the best; equal medians share the mean of theirs."
    return [said] if several else []
