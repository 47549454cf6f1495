"""Reading a folder of finished searches: the little that tables need at once, the rest when it is asked for."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from moo.base import Candidates
from moo.benchmarks.foreign.shelf import IMPORTED, shelved
from moo.benchmarks.running.on_disk import cell_folder, read_record
from moo.benchmarks.running.one_cell import applicable
from moo.benchmarks.running.plans import read_plans
from moo.benchmarks.suites import Cell, cells
from moo.checks import unknown_name
from moo.result import SearchResult
from moo.search import load_result
from moo.storage import FORMAT, DamagedFileError, read_candidates, read_mapping

HISTORY = ["used", "front_size", "hypervolume"]


class Searched(Protocol):
    """What a table needs of a search; `Finished` and `SearchResult` have it."""

    @property
    def config(self) -> Mapping[str, Any]:
        """All it took to run."""

    @property
    def record(self) -> Mapping[str, Any]:
        """How it went."""

    @property
    def objectives(self) -> Tensor:
        """Of the front `[n, m]`, in the problem's own directions."""

    @property
    def history(self) -> pd.DataFrame:
        """One row per step: `used`, `front_size`, `hypervolume`."""

    @property
    def additions(self) -> Candidates:
        """Every row that entered the archive, in order."""


@dataclass(frozen=True)
class Finished:
    """A finished search on disk. Ten thousand of them fit into memory, as ten thousand results would not.

    Attributes:
        folder: Where it lies.
        config: All it took to run.
        record: How it went.
        objectives: Of the front `[n, m]`, in the problem's own directions.
    """

    folder: Path
    config: Mapping[str, Any]
    record: Mapping[str, Any]
    objectives: Tensor

    @classmethod
    def read(cls, folder: Path, record: Mapping[str, Any] | None = None) -> Finished:
        """Read configuration, record (unless it is given) and the front's objectives.

        Raises:
            DamagedFileError: One of the files cannot be read, or does not fit the others; it is named.
            ValueError: It was written by a newer version.
        """
        config = read_mapping(folder / "cell.json", "format", "problem", "method", "seed", "budget", "directions")
        record = record or read_mapping(folder / "record.json", "format", "used", "front_size")
        newer = max(config["format"], record["format"])
        if newer > FORMAT:
            raise ValueError(f"{folder} was written in format {newer}, this version reads up to {FORMAT}. Update moo.")
        path, wanted = folder / "front.npz", (record["front_size"], len(config["directions"]))
        objectives = _read_objectives(path)
        if tuple(objectives.shape) != wanted:
            error = ValueError(f"objectives {list(objectives.shape)}, by record and configuration {list(wanted)}")
            raise DamagedFileError.of(path, error)
        return cls(folder, config, record, objectives)

    @property
    def history(self) -> pd.DataFrame:
        """One row per step: `used`, `front_size`, `hypervolume`; read each time.

        Raises:
            DamagedFileError: It cannot be read.
        """
        path = self.folder / "history.csv"
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = [[float(row[name]) for name in HISTORY] for row in csv.DictReader(file)]
        except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
            raise DamagedFileError.of(path, error) from error
        return pd.DataFrame(rows, columns=HISTORY)

    @property
    def additions(self) -> Candidates:
        """Every row that entered the archive, in order; read each time.

        Raises:
            DamagedFileError: They cannot be read.
        """
        return read_candidates(self.folder / "additions.npz")

    def result(self) -> SearchResult:
        """All of it."""
        return load_result(self.folder)


def _read_objectives(path: Path) -> Tensor:
    """The objectives of stored rows. The other columns are compared with their checksums, but not made arrays.

    Raises:
        DamagedFileError: The file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as file:
            columns = {name: file.read(name) for name in file.namelist()}
        array = np.lib.format.read_array(io.BytesIO(columns["objectives.npy"]), allow_pickle=False)
        return torch.from_numpy(array)
    except Exception as error:  # zip, zlib, header and key errors alike
        raise DamagedFileError.of(path, error) from error


@dataclass(frozen=True)
class Report:
    """What a folder holds.

    Attributes:
        searches: The finished ones.
        unfinished: Of the others, what they are and why: failed, not applicable, not run yet.
    """

    searches: list[Finished]
    unfinished: list[str]

    @cached_property
    def results(self) -> list[SearchResult]:
        """The finished searches with all that is stored of them, read when first asked for."""
        return [search.result() for search in self.searches]


def load_report(folder: str | Path) -> Report:
    """Read a suite's folder with what was imported there, imported results alone, or one saved search.

    Raises:
        FileNotFoundError: The folder holds none of these.
        DamagedFileError: A file cannot be read; it is named.
    """
    folder = Path(folder)
    if not (folder / "suite.json").exists():
        if (folder / IMPORTED).is_dir():
            return Report([Finished.read(cell) for cell in shelved(folder)], [])
        if not (folder / "record.json").exists():
            raise FileNotFoundError(f"{folder} holds neither a suite nor a finished search: {_instead_of(folder)}.")
        return Report([Finished.read(folder)], [])
    searches: list[Finished] = []
    unfinished: list[str] = []
    refusals: dict[tuple[Any, str], str] = {}  # the same for all seeds, and not quick to find out
    for cell in dict.fromkeys(cell for plan in read_plans(folder) for cell in cells(plan)):
        combination = (cell.problem, cell.method)
        if combination not in refusals:
            refusals[combination] = applicable(cell)
        _sort(cell, folder, refusals[combination], searches, unfinished)
    searches += [Finished.read(cell) for cell in shelved(folder)]
    return Report(searches, unfinished)


def _sort(cell: Cell, folder: Path, refusal: str, searches: list[Finished], unfinished: list[str]) -> None:
    """Add a cell to the finished searches, or to what is not finished."""
    where = cell_folder(cell, folder)
    if refusal:
        unfinished.append(f"not applicable: {cell.label}: {refusal}")
        return
    record = read_record(where)
    if record is None:
        unfinished.append(f"not run yet: {cell.label}")
    elif "reason" in record:
        unfinished.append(f"{record['status']}: {cell.label}: {record['reason']}")
    else:
        searches.append(Finished.read(where, record))


Search = TypeVar("Search", bound=Searched)


def _instead_of(folder: Path) -> str:
    """What to do about a folder without a suite or search: name one of those in it, or make one."""
    inside = sorted(file.parent.name for name in ("suite.json", "record.json") for file in folder.glob(f"*/{name}"))
    more = ", and others" if len(inside) > 5 else ""
    return f"choose one of the folders in it: {', '.join(inside[:5])}{more}" if inside else "run `moo bench` first"


def by_problem(searches: Sequence[Search]) -> dict[str, list[Search]]:
    """Searches by their problem, in the order of appearance."""
    groups: dict[str, list[Search]] = {}
    for search in searches:
        groups.setdefault(search.config["problem"], []).append(search)
    return groups


def results_of(folder: str | Path, problem: str = "") -> list[SearchResult]:
    """The finished searches of one problem of a folder; `problem` may be left out where there is one.

    Raises:
        FileNotFoundError: The folder holds neither a suite nor a search.
        ValueError: The problem is not there, or several are and none was named.
    """
    groups = by_problem(load_report(folder).searches)
    if not groups:
        raise ValueError(f"{folder} holds no finished search yet.")
    if not problem and len(groups) > 1:
        raise ValueError(f"{folder} holds several problems: {', '.join(groups)}. Choose one with -p.")
    if problem and problem not in groups:
        raise ValueError(unknown_name("problem", problem, groups))
    chosen = groups[problem] if problem else next(iter(groups.values()))
    return [search.result() for search in chosen]
