"""How the cells of a suite stand on disk: one directory per cell, and `.running/` for what runs at the moment.

`.running/NAME.json` is the start marker of a cell and `.running/NAME.lock` its lock, held while it runs. A marker whose
lock is free belongs to a process that was killed.
"""

from __future__ import annotations

import contextlib
import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from moo.benchmarks.suites import Cell
from moo.result import FILES
from moo.search import load_result
from moo.storage import DamagedFileError, file_sizes, folder_name, read_mapping, read_state

UNFINISHED = ("failed", "crashed", "timed out")  # what a record can say of a cell that has no result
DAMAGED = "damaged-"  # before the name of a folder that was set aside
RUNNING = ".running"
GO_ON = "run the same command to go on"


@dataclass(frozen=True)
class Status:
    """How a cell stands.

    Attributes:
        cell: Which one.
        state: `"done"` (now), `"kept"` (it was on disk), `"failed"`, `"crashed"` (its worker died in two starts),
            `"timed out"`, `"interrupted"`, `"not applicable"`, or `"busy"`: another process runs it.
        reason: Why it stands so, where there is something to say.
    """

    cell: Cell
    state: str
    reason: str = ""


@dataclass(frozen=True)
class Task:
    """A cell that is to be run.

    Attributes:
        cell: Which one.
        replaces: The time of the record that its run replaces, in ns; None where there was none. Another time under
            the cell's lock says that another process has run it since.
        why: Why a record is replaced: `"damaged"`, `"again"` (from the start), or `"longer"` (it goes on).
        gpu: Whether it computes on a GPU.
    """

    cell: Cell
    replaces: int | None = None
    why: str = ""
    gpu: bool = False


def cell_folder(cell: Cell, out: Path) -> Path:
    """Where a cell lies."""
    return out / folder_name(str(cell.problem), cell.method, cell.seed, cell.to_json())


# ------------------------------------------------------------------------------------------------ records
def record_time(folder: Path) -> int | None:
    """When the record of a cell was written, in ns; None where there is none."""
    try:
        return (folder / "record.json").stat().st_mtime_ns
    except FileNotFoundError:
        return None


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of a cell that has finished or failed; None of one that has done neither.

    Raises:
        DamagedFileError: It, or the configuration beside it, cannot be read.
    """
    record = _record(folder)
    if record is not None and record["status"] not in UNFINISHED:
        read_mapping(folder / "cell.json", "format", "problem", "method", "seed", "budget")
    return record


def _record(folder: Path) -> dict[str, Any] | None:
    """`read_record`, without a look at the configuration."""
    path = folder / "record.json"
    if not path.exists():
        return None
    record = read_mapping(path, "status")
    needed = ("reason",) if record["status"] in UNFINISHED else ("format", "used", "ended", "front_size")
    if not set(needed) <= set(record):
        raise DamagedFileError.of(path, ValueError(f"it should hold a mapping with {', '.join(needed)}"))
    return record


def stored(cell: Cell, out: Path, timeout: float | None = None) -> Status | None:
    """How a cell stands on disk; None where it has to be run, also because it is given more time than before.

    A finished cell is looked at from outside: each of its files is there and as large as its record says. Cells from
    before sizes were recorded are read back whole.

    Raises:
        DamagedFileError: One of its files is missing, torn or cannot be read.
    """
    folder = cell_folder(cell, out)
    record = _record(folder)
    if record is None:
        return None
    state = record["status"]
    if state == "timed out" and (timeout is None or timeout > record.get("timeout", 0)):
        return None
    if state in UNFINISHED:
        return Status(cell, state, f"{record['reason']} (see {folder / 'record.json'})")
    sizes = file_sizes(folder)
    if "files" in record:
        _check_sizes(folder, record["files"], sizes)
    else:
        _check_whole(folder)
    if "checkpoint" in sizes:  # a kill came before this was cleared up
        shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    return Status(cell, "kept")


def _check_sizes(folder: Path, recorded: Any, sizes: dict[str, int]) -> None:
    """Raise where a file is missing or has another size than it was written with.

    Raises:
        DamagedFileError: One does; it is named.
    """
    if not isinstance(recorded, dict) or not set(FILES) <= set(recorded):
        raise DamagedFileError.of(folder / "record.json", ValueError("it should hold the size of every file"))
    for name in FILES:
        if name not in sizes:
            raise DamagedFileError.of(folder / name, FileNotFoundError("it is missing"))
        if sizes[name] != recorded[name]:
            error = ValueError(f"it has {sizes[name]:,} bytes, {recorded[name]:,} were written")
            raise DamagedFileError.of(folder / name, error)


def _check_whole(folder: Path) -> None:
    """Read back every file of a finished cell.

    Raises:
        DamagedFileError: One is missing or cannot be read.
    """
    for name in FILES:
        if not (folder / name).exists():
            raise DamagedFileError.of(folder / name, FileNotFoundError("it is missing"))
    result = load_result(folder)
    read_state(folder / "state")
    rows = {"front": len(result.front), "failures": len(result.failures), "history": len(result.history)}
    for name, count in rows.items():
        _check_csv(folder / f"{name}.csv", count)


def _check_csv(path: Path, rows: int) -> None:
    """Raise DamagedFileError unless a CSV file holds a header and so many rows, the last line ended."""
    try:
        text = path.read_bytes().decode(errors="surrogateescape")
        header, *body = csv.reader(text.splitlines(keepends=True))
        if len(body) != rows or any(len(row) != len(header) for row in body) or not text.endswith("\n"):
            raise ValueError(f"it should hold {rows} whole rows")
    except (ValueError, csv.Error) as error:
        raise DamagedFileError.of(path, error) from error


# ------------------------------------------------------------------------------------------------ clearing
def set_aside(folder: Path) -> str:
    """Give a damaged cell's folder another name, in place of one that was set aside before; what it is called now."""
    aside = aside_of(folder)
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    return aside.name


def aside_of(folder: Path) -> Path:
    """Where `set_aside` puts a folder."""
    return folder.with_name(DAMAGED + folder.name)


def clear(task: Task, folder: Path) -> None:
    """Take away what the run of a task replaces, under the cell's lock."""
    if task.why == "damaged":
        set_aside(folder)
    elif task.why == "again":
        shutil.rmtree(folder)
    elif task.why == "longer":
        (folder / "record.json").unlink()


# ------------------------------------------------------------------------------------------------ what runs now
def marker(cell: Cell, out: Path) -> Path:
    """The start marker of a cell."""
    return out / RUNNING / f"{cell_folder(cell, out).name}.json"


@contextlib.contextmanager
def alone(cell: Cell, out: Path) -> Iterator[bool]:
    """Hold the lock of a cell; false where another process does. Its file goes when the cell has a record."""
    place = marker(cell, out).with_suffix(".lock")
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        if record_time(cell_folder(cell, out)) is not None:  # who waits for the old file finds the record
            place.unlink(missing_ok=True)
        lock.release()
