"""Reading files of other programs: CSV, npz, and COCO's folders."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moo.benchmarks.foreign.coco import read_coco
from moo.benchmarks.foreign.rows import Array, Rows, digest_of, numbered

WORDS = ("problem", "method")  # columns of text
OF_A_RUN = (*WORDS, "seed", "budget")  # the same in all rows of a run
NPZ = {"objectives": "f", "F": "f", "solutions": "x", "X": "x", "constraints": "g", "G": "g"}  # key: column's letter


def read_file(path: Path) -> list[Rows]:
    """The runs that a file, or a folder of COCO, holds.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is of another kind, or holds something else than it should; the message says where.
    """
    if path.is_dir():
        runs: list[Rows] = read_coco(path)
        return runs
    if not path.exists():
        raise FileNotFoundError(2, "there is no such file or folder", str(path))
    ending = path.suffix.lower()
    if ending not in (".csv", ".npz"):
        raise ValueError(f"A file should be .csv, .npz or a folder of COCO. Found {path}.")
    return read_csv(path) if ending == ".csv" else read_npz(path)


# ----------------------------------------------------------------------------------------------------------- CSV
def read_csv(path: Path) -> list[Rows]:
    """The runs of a CSV file: rows of one problem, method, seed and budget are a run, wherever they stand.

    Raises:
        ValueError: It is no text, has no header or no rows, a row has another length, or an entry is no number.
    """
    header, lines = _table(path)
    words = [header.index(name) for name in OF_A_RUN if name in header]
    groups: dict[tuple[str, ...], list[tuple[int, list[str]]]] = {}
    for number, line in lines:
        groups.setdefault(tuple(line[i].strip() for i in words), []).append((number, line))
    digest = digest_of(path)
    return [_run(path, digest, header, members) for members in groups.values()]


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and rows of a CSV file, each row with the number of its line."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no CSV file in UTF-8: {error}.") from error
    reader = csv.reader(io.StringIO(text), skipinitialspace=True)
    try:
        lines = [(reader.line_num, line) for line in reader if line]
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV file: {error}.") from error
    if not lines:
        raise ValueError(f"{path} is empty. Its first line should name the columns, as in f1,f2.")
    header = [name.strip() for name in lines.pop(0)[1]]
    _check_header(path, header)
    if not lines:
        raise ValueError(f"{path} should hold at least one row below its header. Found none.")
    for number, line in lines:
        if len(line) != len(header):
            raise ValueError(f"{path}, line {number}: {len(header)} entries are named. Found {len(line)}.")
    return header, lines


def _check_header(path: Path, header: Sequence[str]) -> None:
    if any(_is_number(name) for name in header):
        raise ValueError(f"{path}: the first line should name the columns, as in f1,f2. Found {','.join(header)!r}.")
    if len(header) == 1 and any(sign in header[0] for sign in ";\t"):
        raise ValueError(f"{path}: columns should be separated by commas. Found {header[0]!r}.")
    for name in header:
        if not name or header.count(name) > 1:
            what = f"{name!r} stands twice" if name else "one has no name"
            raise ValueError(f"{path}: columns should have different names. In its first line, {what}.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _run(path: Path, digest: str, header: Sequence[str], members: Sequence[tuple[int, list[str]]]) -> Rows:
    """One run of a CSV file."""
    own = dict(zip(header, members[0][1], strict=True))
    columns: dict[str, Array] = {}
    for i, name in enumerate(header):
        if name not in OF_A_RUN:
            columns[name] = np.array([_number(path, line[i], name, number) for number, line in members])
    places = [f"line {number}" for number, _ in members]
    return Rows(columns, places, path.name, digest, **_said(path, own, places[0]))


def _number(path: Path, text: str, name: str, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{path}, line {line}: `{name}` should be a number. Found {text!r}.") from None


def _said(path: Path, own: Mapping[str, Any], place: str) -> dict[str, Any]:
    """What a source says of a run: its problem, method, seed and budget."""
    said: dict[str, Any] = {}
    for name in OF_A_RUN:
        if name not in own:
            continue
        text = str(own[name]).strip()
        if name in WORDS:
            if not text:
                raise ValueError(f"{path}, {place}: `{name}` should not be empty.")
            said[name] = text
            continue
        if not _is_number(text) or not float(text).is_integer():
            raise ValueError(f"{path}, {place}: `{name}` should be a whole number. Found {text!r}.")
        said[name] = int(float(text))
    return said


# ----------------------------------------------------------------------------------------------------------- npz
def read_npz(path: Path) -> list[Rows]:
    """The run of an npz file: `objectives` (or `F`), and if they are known `solutions` (`X`), `constraints` (`G`).

    `evaluations` is `[n]` or one number for all rows; `problem`, `method`, `seed` and `budget` are single values.

    Raises:
        ValueError: It cannot be read, a key is unknown or missing, or an array has another shape.
    """
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no npz file of plain arrays: {error}.") from error
    own = {name: arrays.pop(name) for name in OF_A_RUN if name in arrays}
    for name, value in own.items():
        if value.ndim:
            raise ValueError(f"{path}: `{name}` should be a single value. Found shape {list(value.shape)}.")
    columns = columns_of(str(path), arrays)
    count = len(next(iter(columns.values())))
    places = [f"row {i}" for i in range(count)]
    return [Rows(columns, places, path.name, digest_of(path), **_said(path, own, "top"))]


def columns_of(source: str, arrays: Mapping[str, Any]) -> dict[str, Array]:
    """Columns by name from arrays of rows: `objectives` or `F` and so on, `evaluations`.

    Raises:
        ValueError: A key is unknown, stands there in both spellings or is missing, or an array has another shape.
    """
    known = (*NPZ, "evaluations")
    for name in arrays:
        if name not in known:
            raise ValueError(f"{source}: the keys are {', '.join((*known, *OF_A_RUN))}. Found {name!r}.")
    matrices: dict[str, Array] = {}
    for name, letter in NPZ.items():
        if name in arrays:
            if letter in matrices:
                raise ValueError(f"{source}: {name!r} stands there in both spellings. Say it once.")
            matrices[letter] = _matrix(source, name, arrays[name])
    if "f" not in matrices:
        raise ValueError(f"{source} should hold `objectives` (or `F`). Found {', '.join(arrays) or 'nothing'}.")
    n = len(matrices["f"])
    wrong = [f"{letter} {len(matrix)}" for letter, matrix in matrices.items() if len(matrix) != n]
    if wrong or not n:
        raise ValueError(f"{source}: all arrays should have as many rows as the objectives. Found {n}, {wrong}.")
    columns = {key: column for letter, matrix in matrices.items() for key, column in numbered(letter, matrix).items()}
    if "evaluations" in arrays:
        spent = np.asarray(arrays["evaluations"], dtype=np.float64)
        if spent.shape not in ((), (n,)):
            raise ValueError(f"{source}: `evaluations` should have shape [{n}] or []. Found {list(spent.shape)}.")
        columns["evaluations"] = np.broadcast_to(spent, (n,)).copy()
    return columns


def _matrix(source: str, name: str, value: Any) -> Array:
    try:
        matrix = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source}: `{name}` should hold numbers: {error}.") from error
    if matrix.ndim != 2:
        raise ValueError(f"{source}: `{name}` should have shape [n, columns]. Found {list(matrix.shape)}.")
    return matrix


def all_rows(paths: Sequence[Path]) -> Iterator[tuple[int, Rows]]:
    """The runs of several files, each with its file's place in the list."""
    for number, path in enumerate(paths):
        for rows in read_file(path):
            yield number, rows
