"""Tables as plain text, Markdown and CSV."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import pandas as pd

from moo.benchmarks.reports.tables import Entry, Table


def plain(tables: Sequence[Table], closing: Sequence[str]) -> str:
    """Aligned columns, the best with a star; titles only where there are several tables."""
    parts = []
    for table in tables:
        body = _columns([[Entry(name) for name in table.header], *table.rows]) if table.rows else []
        notes = (["* the best."] if table.has_best else []) + table.notes
        title = [table.title, ""] if len(tables) > 1 else []
        parts.append("\n".join([*title, *body, *([""] if body else []), *notes]))
    return "\n\n".join([*parts, "\n".join(closing)]).rstrip("\n") + "\n"


def _columns(rows: Sequence[Sequence[Entry]]) -> list[str]:
    texts = [[_one_line(entry.text) + "*" * entry.best + _behind(entry) for entry in row] for row in rows]
    widths = [max(len(row[i]) for row in texts) for i in range(len(texts[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in texts]


def markdown(tables: Sequence[Table], closing: Sequence[str]) -> str:
    """Pipe tables, the best in bold; notes as lists."""
    parts = []
    for table in tables:
        header = [_cell(Entry(name)) for name in table.header]
        rows = [_row(header), "|" + " --- |" * len(header), *(_row(map(_cell, row)) for row in table.rows)]
        notes = ["Bold: the best."] * table.has_best + table.notes
        title = [f"## {_escaped(table.title)}", ""] if len(tables) > 1 else []
        body = [*rows, ""] if table.rows else []
        parts.append("\n".join([*title, *body, *(f"- {_escaped(note)}" for note in notes)]))
    return "\n\n".join([*parts, "\n".join(f"- {_escaped(line)}" for line in closing)]).rstrip("\n") + "\n"


def _cell(entry: Entry) -> str:
    text = _escaped(entry.text)
    return (f"**{text}**" if entry.best else text) + _behind(entry)


def _behind(entry: Entry) -> str:
    return f" {entry.sign}" if entry.sign else ""


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, inside of a table too."""
    for sign, shown in (("\\", "\\\\"), ("|", "\\|"), ("*", "\\*"), ("<", "&lt;")):
        text = text.replace(sign, shown)
    return _one_line(text)


def _one_line(text: str) -> str:
    return " ".join(text.split("\n"))


def csv(data: pd.DataFrame) -> str:
    """The exact numbers of a table, without its notes: the same scores give the same bytes."""
    text = io.StringIO()
    data.to_csv(text, index=False, lineterminator="\n")
    return text.getvalue()
