"""Running a suite: one directory per cell is the truth, so that running again is going on."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moo.base import unsuitable
from moo.benchmarks.suites import Cell, Suite, cells, find_suite
from moo.checks import check_count
from moo.generators import GENERATORS
from moo.problems import get_problem
from moo.registry import parse_spec, resolve
from moo.search import load_result, pareto_search
from moo.storage import DamagedFileError, folder_name, read_json, write_json


@dataclass(frozen=True)
class Status:
    """How a cell stands.

    Attributes:
        cell: Which one.
        state: `"done"` (now), `"kept"` (it was on disk), `"failed"`, `"interrupted"` or `"not applicable"`.
        reason: Why it failed or does not apply.
    """

    cell: Cell
    state: str
    reason: str = ""


def cell_folder(cell: Cell, out: Path) -> Path:
    """Where a cell lies."""
    return out / folder_name(cell.problem, cell.method, cell.seed, cell.to_json())


def applicable(cell: Cell) -> str:
    """Why a cell cannot be run, from what method and problem declare; empty where it can.

    Raises:
        ValueError: The problem, the method or an option is unknown.
    """
    return unsuitable(resolve(GENERATORS, parse_spec(cell.method)[0], "method"), get_problem(cell.problem))


def run_cell(cell: Cell, out: Path) -> Status:
    """Run one cell and store it; never raises: a cell that fails is stored with its traceback."""
    folder = cell_folder(cell, out)
    method, options = parse_spec(cell.method)
    preferences = options.pop("preferences", "auto")
    try:
        result = pareto_search(
            cell.problem,
            method,
            budget=cell.budget,
            seed=cell.seed,
            options=options,
            preferences=preferences,
            checkpoint=folder,
            progress=False,
        )
        if result.record["ended"].startswith("interrupted"):
            return Status(cell, "interrupted", "run the same command to go on")
        result.save(folder)
        shutil.rmtree(folder / "checkpoint")  # a finished cell needs none
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "record.json", {"status": "failed", "reason": reason, "traceback": traceback.format_exc()})
        return Status(cell, "failed", reason)
    return Status(cell, "done")


def stored(cell: Cell, out: Path) -> Status | None:
    """How a cell stands on disk; None where it has to be run.

    Raises:
        DamagedFileError: One of its files cannot be read.
    """
    folder = cell_folder(cell, out)
    if not (folder / "record.json").exists():
        return None
    record = read_json(folder / "record.json")
    if record.get("status") == "failed":
        return Status(cell, "failed", f"{record['reason']} (see {folder / 'record.json'})")
    load_result(folder)
    return Status(cell, "kept")


def run(
    suite: str | Suite,
    out: str | Path,
    *,
    workers: int = 1,
    retry_failed: bool = False,
    say: Callable[[str], object] = lambda _: None,
) -> list[Status]:
    """Run the cells of a suite that are not on disk yet.

    Args:
        suite: A name, the path of a YAML file, or a suite.
        out: Where the cells' directories lie.
        workers: Processes.
        retry_failed: Run cells again that failed before.
        say: Called with a line for people.

    Returns:
        How every cell stands, in the suite's order; after Ctrl-C those that were not reached are left out.

    Raises:
        ValueError: The suite names something unknown, or `out` holds something else.
    """
    found = find_suite(suite)
    out = Path(out)
    check_count("workers", workers)
    plan = cells(found)
    refused = {cell: Status(cell, "not applicable", why) for cell in plan if (why := applicable(cell))}
    _claim(out, found)
    statuses = dict(refused)
    for cell in plan:
        if cell not in statuses and (status := _on_disk(cell, out, retry_failed, say)) is not None:
            statuses[cell] = status
    todo = [cell for cell in plan if cell not in statuses]
    say(
        f"{len(plan)} cells: {len(todo)} to run, {len(plan) - len(todo) - len(refused)} on disk, "
        f"{len(refused)} not applicable"
    )
    for number, status in enumerate(_execute(todo, out, workers), start=1):
        statuses[status.cell] = status
        if status.state == "interrupted":
            say(f"interrupted in {status.cell.label}: {status.reason}")
            break
        say(f"[{number}/{len(todo)}] {status.state}: {status.cell.label}{status.reason and ': '}{status.reason}")
    return [statuses[cell] for cell in plan if cell in statuses]


def _claim(out: Path, suite: Suite) -> None:
    """Mark `out` as a suite's folder.

    Raises:
        ValueError: It is a file, or holds something that is no suite.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"`out` should be a folder. {out} is a file.")
    mark = out / "suite.json"
    if not mark.exists() and out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} holds something else than a suite. Choose another folder, or empty it.")
    out.mkdir(parents=True, exist_ok=True)
    if mark.exists() and (name := read_json(mark)["name"]) != suite.name:
        raise ValueError(f"{out} holds the suite {name!r}, not {suite.name!r}. Choose another folder with --out.")
    budget = suite.budget if isinstance(suite.budget, int) else dict(suite.budget)
    write_json(
        mark,
        {
            "name": suite.name,
            "problems": list(suite.problems),
            "methods": list(suite.methods),
            "seeds": list(suite.seeds),
            "budget": budget,
        },
    )


def _on_disk(cell: Cell, out: Path, retry_failed: bool, say: Callable[[str], object]) -> Status | None:
    """How a cell stands on disk; a damaged one is named and set aside, to be run again."""
    try:
        status = stored(cell, out)
    except DamagedFileError as error:
        folder = cell_folder(cell, out)
        aside = folder.with_name(f"damaged-{folder.name}")
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        say(f"{cell.label} is run again: {error} (set aside as {aside.name})")
        return None
    if status is not None and status.state == "failed" and retry_failed:
        shutil.rmtree(cell_folder(cell, out))
        return None
    return status


def _execute(todo: Sequence[Cell], out: Path, workers: int) -> Iterator[Status]:
    """Run cells and yield how they ended, as they end."""
    if workers == 1 or len(todo) < 2:
        yield from (run_cell(cell, out) for cell in todo)
        return
    import joblib

    parallel: Any = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)
    yield from parallel(joblib.delayed(run_cell)(cell, out) for cell in todo)
