"""What a file of another program says, before it is known what its problem means: named columns of numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """The rows of one run of another program.

    Attributes:
        columns: Numbers `[n]` by name: objectives, and where they are known solutions, constraints, evaluations.
        places: Where each row stands, in words for people: `"line 3"`, `"row 0"`.
        source: The file's name, or what was handed over in Python.
        digest: SHA-256 of the file, or of the arrays.
        problem, method, seed, budget: What the source says of itself; None where it does not.
    """

    columns: Mapping[str, Array]
    places: Sequence[str]
    source: str
    digest: str
    problem: str | None = None
    method: str | None = None
    seed: int | None = None
    budget: int | None = None

    def __len__(self) -> int:
        return len(self.places)

    def at(self, row: int) -> str:
        """Where a row stands."""
        return f"{self.source}, {self.places[row]}"


@dataclass(frozen=True)
class Stated:
    """What the caller says of all runs, where their source does not.

    Attributes:
        problem: A registered one, one of the folder's, or any other name, with `directions`.
        method: What it is called in tables and plots.
        seeds: One for all sources, or one for each.
        budget: What each run has spent.
        directions: Of the objectives of a problem that is not known here.
        objectives: Their names, in their order.
        reference_point: `[m]` of such a problem, for the hypervolume.
        minimised: Whether all objectives stand there minimised, as pymoo has them: maximised ones negated.
        checked: Whether values are computed again from solutions and compared.
        tolerance: How far they may be apart, as a share of one plus the value's size.
    """

    problem: str | None = None
    method: str | None = None
    seeds: Sequence[int] = ()
    budget: int | None = None
    directions: Sequence[str] = ()
    objectives: Sequence[str] = ()
    reference_point: Sequence[float] | None = None
    minimised: bool = False
    checked: bool = True
    tolerance: float = 1e-6


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def numbered(name: str, matrix: Any) -> dict[str, Array]:
    """The columns of a matrix `[n, k]` by name and number: f1, f2, ..."""
    return {f"{name}{i + 1}": matrix[:, i] for i in range(matrix.shape[1])}
