"""Tables as people read them, whatever format they are then written in."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

MISSING = "-"
NUMERIC = re.compile(r"-?(\d|inf)|-( |$)|$")


class Entry(NamedTuple):
    """What stands in a place of a table.

    Attributes:
        text: A value, or words.
        best: Whether it is marked as the best.
        sign: What stands behind it: `+`, `-`, `=` or `?`.
    """

    text: str
    best: bool = False
    sign: str = ""


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        name: Of the section that it belongs to.
        title: One line.
        header: Of the columns.
        rows: One entry per column, in every row; possibly no rows, where `notes` say why.
        data: The same as exact numbers, one row per row or finer.
        notes: How it came about: runs, normalisation, ties, tests.
        groups: Of each row, a text: where it changes, a new block of rows begins.
    """

    name: str
    title: str
    header: tuple[str, ...]
    rows: list[tuple[Entry, ...]]
    data: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    @property
    def has_best(self) -> bool:
        """Whether an entry is marked."""
        return any(entry.best for row in self.rows for entry in row)

    @property
    def numeric(self) -> list[bool]:
        """Of each column, whether it holds numbers (or begins with them) alone."""
        columns = range(len(self.header))
        return [all(NUMERIC.match(row[column].text) for row in self.rows) for column in columns]


def entries(*texts: object) -> tuple[Entry, ...]:
    """A row, or a part of one, without marks."""
    return tuple(Entry(str(text)) for text in texts)


def number(value: float) -> str:
    """Four digits; a dash where there is no number."""
    return MISSING if math.isnan(value) else f"{value:.4g}"


def probability(value: float) -> str:
    """Two digits, without a show of precision for the smallest."""
    return "p < .0001" if value < 1e-4 else f"p = {value:.2g}"


def listed(words: Iterable[object], most: int = 8) -> str:
    """Words with commas, the last of many left out and counted."""
    texts = [str(word) for word in words]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def counts(numbers: Sequence[int]) -> str:
    """A count, or the range of several."""
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"
