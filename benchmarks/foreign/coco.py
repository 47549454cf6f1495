"""Reading what COCO's bi-objective logger writes: the archives of non-dominated solutions, one for each problem."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from moo.benchmarks.foreign.rows import Rows, digest_of, numbered

SUITE = "bbob-biobj"
FILE = re.compile(r"(?P<suite>bbob-biobj[a-z-]*)_f(?P<function>\d+)_i(?P<instance>\d+)_d(?P<dim>\d+)_nondom_all\.adat")
ALGORITHM = re.compile(r"\balgorithm = '([^']*)'")
SPENT = re.compile(r"% evaluations = (\d+)")


def read_coco(folder: Path) -> list[Rows]:
    """The runs of a folder that COCO's experiment wrote: one for each `archive/*.adat`, wherever it lies in there.

    Its name says function, instance and dimension, its lines when a solution was found and what it is worth; the
    `.info` file beside `archive/` says what the algorithm is called.

    Source: Brockhoff, Tusar, Tusar, Wagner, Hansen and Auger 2016 (arXiv:1605.01746) on what is logged and why.

    Raises:
        ValueError: There is no archive, it is of another suite, or a line cannot be read.
    """
    paths = sorted(folder.rglob("*.adat"), key=lambda path: path.relative_to(folder).parts)
    if not paths:
        raise ValueError(
            f"{folder} should be a folder of COCO's, with archive/*.adat in it ({SUITE} logs them). Found none."
        )
    return [_archive(path, folder) for path in paths]


def _archive(path: Path, folder: Path) -> Rows:
    name = path.relative_to(folder.parent).as_posix()
    match = FILE.fullmatch(path.name)
    if match is None or match["suite"] != SUITE:
        raise ValueError(f"{name} should be an archive of {SUITE}, as in {SUITE}_f01_i01_d02_nondom_all.adat.")
    function, dim, instance = (int(match[key]) for key in ("function", "dim", "instance"))
    numbers, places, spent = [], [], None
    try:
        text = path.read_text(encoding="ascii")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is no archive of COCO: {error}.") from error
    for line, entry in enumerate(text.splitlines(), start=1):
        if entry.startswith("%"):
            said = SPENT.match(entry)
            spent = int(said[1]) if said else spent
        elif entry.strip():
            numbers.append(_entries(f"{name}, line {line}", entry, dim))
            places.append(f"line {line}")
    if not numbers:
        raise ValueError(f"{name} should hold at least one solution. Found none.")
    if len({len(row) for row in numbers}) > 1:
        raise ValueError(f"{name}: variables should be logged for all solutions or for none. Found some.")
    table = np.array(numbers)
    columns = {"evaluations": table[:, 0], **numbered("f", table[:, 1:3]), **numbered("x", table[:, 3:])}
    problem = f"{SUITE}:function={function},dim={dim},instance={instance}"
    return Rows(columns, places, name, digest_of(path), problem, _algorithm(path, folder), budget=spent)


def _entries(place: str, entry: str, dim: int) -> list[float]:
    """One line: the evaluation's number, two objectives, and all variables or none."""
    try:
        numbers = [float(text) for text in entry.split()]
    except ValueError:
        numbers = []
    if len(numbers) not in (3, 3 + dim):
        raise ValueError(f"{place}: 3 or {3 + dim} numbers should stand there. Found {entry.strip()!r}.")
    return numbers


def _algorithm(path: Path, folder: Path) -> str | None:
    """What the algorithm of an archive is called, by the `.info` files beside it; None where they do not say."""
    return next(_names(path.parent.parent), None) if path.parent != folder else None


def _names(place: Path) -> Iterator[str]:
    for info in sorted(place.glob("*.info")):
        yield from ALGORITHM.findall(info.read_text(encoding="utf-8", errors="replace"))
