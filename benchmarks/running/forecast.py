"""What a call of `moo bench` would do, and what that may take, from what is on disk."""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from moo.benchmarks.running.conduct import Conduct
from moo.benchmarks.running.on_disk import cell_folder, read_record
from moo.benchmarks.running.plans import check_place, read_plans, shard_of
from moo.benchmarks.running.runner import look, not_applicable
from moo.benchmarks.suites import Cell, Suite, cells, find_suite
from moo.storage import DamagedFileError

Kind = tuple[str, str, int]  # problem, method, budget

COLUMNS = ("problem", "method", "budget", "cells", "on_disk", "to_run", "seconds_per_cell", "seconds")


def forecast(
    suite: str | Suite, out: str | Path, conduct: Conduct | None = None, shard: str | None = None
) -> pd.DataFrame:
    """What `run` would do with the same arguments. Nothing is written.

    Returns:
        A row for each problem, method and budget. `seconds_per_cell` is the median of the finished ones in the folder,
        `seconds` what the cells to run take one after the other; both are NaN where nothing has finished yet.

    Raises:
        TypeError, ValueError: The suite names something unknown, or `out` holds something else.
    """
    found, out, conduct = find_suite(suite), Path(out), conduct or Conduct()
    plan = cells(found) if shard is None else shard_of(cells(found), shard)
    refused = not_applicable(plan)
    check_place(out, found)
    _, todo = look(plan, out, conduct, refused)
    waiting, took = {task.cell for task in todo}, _times(plan, out)
    groups: dict[Kind, list[Cell]] = {}
    for cell in plan:
        if cell not in refused:
            groups.setdefault(_kind(cell), []).append(cell)
    rows = []
    for kind, group in groups.items():
        left = sum(cell in waiting for cell in group)
        each = statistics.median(took[kind]) if kind in took else float("nan")
        rows.append((*kind, len(group), len(group) - left, left, each, each * left))
    return pd.DataFrame(rows, columns=COLUMNS)


def _kind(cell: Cell) -> Kind:
    """What cells share that take about as long."""
    return str(cell.problem), cell.method, cell.budget


def _times(plan: Iterable[Cell], out: Path) -> dict[Kind, list[float]]:
    """The seconds that finished cells took, those of other plans of the folder too."""
    plans = read_plans(out) if (out / "suite.json").exists() else []
    took: dict[Kind, list[float]] = {}
    for cell in dict.fromkeys([*plan, *(cell for suite in plans for cell in cells(suite))]):
        with contextlib.suppress(DamagedFileError):
            record = read_record(cell_folder(cell, out))
            if record is not None and "wall_seconds" in record:
                took.setdefault(_kind(cell), []).append(float(record["wall_seconds"]))
    return took


def lines(table: pd.DataFrame, workers: int | None = None) -> list[str]:
    """A forecast as people read it, with its sums."""
    rows = [["problem", "method", "budget", "cells", "on disk", "to run", "time"]]
    for row in table.to_dict("records"):
        cost = "unknown" if math.isnan(row["seconds"]) else duration(row["seconds"])
        counts = [str(row[name]) for name in ("cells", "on_disk", "to_run")]
        rows.append([row["problem"], row["method"], f"{row['budget']:,}", *counts, cost if row["to_run"] else ""])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    said = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*said, "", _sums(table, workers or 1)]


def _sums(table: pd.DataFrame, workers: int) -> str:
    known, unknown = table["seconds"].dropna().sum(), int(table.loc[table["seconds"].isna(), "to_run"].sum())
    left = int(table["to_run"].sum())
    said = f"{int(table['cells'].sum())} cells: {left} to run, {int(table['on_disk'].sum())} on disk"
    if left - unknown:
        said += f"; about {duration(known / workers)} with {workers} worker{'s' if workers > 1 else ''}"
    if unknown:
        said += f"{' and' if left - unknown else ';'} unknown for {unknown}, of whose kind none has finished"
    return said + ". Nothing was run."


def duration(seconds: float) -> str:
    """A length of time, two figures of it."""
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.2g} s"
