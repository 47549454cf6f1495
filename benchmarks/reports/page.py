"""Tables as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from moo.benchmarks.reports.tables import Entry, Table

TITLE = "Report"
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 90rem; margin: 2rem auto;
  padding: 0 1.5rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .6rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid;
  font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; text-align: left; white-space: nowrap; }
thead th { border-bottom: 1px solid; }
td.number { text-align: right; } th.number { text-align: right; }
tr.block td { border-top: 1px solid #bbb; }
tbody tr:hover { background: #f2f5f9; }
ul { color: #444; font-size: .87rem; margin: .7rem 0; padding-left: 1.2rem; }
""".strip()


def page(tables: Sequence[Table], closing: Sequence[str]) -> str:
    """One page: a heading, the tables with their notes, and what holds for all of them."""
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{TITLE}</title>",
        f"<style>\n{STYLE}\n</style></head>",
        "<body>",
        f"<h1>{TITLE}</h1>",
        *(_section(table) for table in tables),
        "<h2>References and searches</h2>" if closing else "",
        _list(closing),
        "</body>",
        "</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _section(table: Table) -> str:
    notes = _list((["Bold: the best."] if table.has_best else []) + table.notes)
    if not table.rows:
        return f"<h2>{escape(table.title)}</h2>\n{notes}"
    numeric = table.numeric
    head = "".join(_place("th", escape(name), right) for name, right in zip(table.header, numeric, strict=True))
    body = "\n".join(_row(table, number, numeric) for number in range(len(table.rows)))
    return (
        f'<h2>{escape(table.title)}</h2>\n<div class="table"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>\n{notes}"
    )


def _row(table: Table, number: int, numeric: Sequence[bool]) -> str:
    begins = table.groups and number > 0 and table.groups[number] != table.groups[number - 1]
    places = zip(table.rows[number], numeric, strict=True)
    cells = "".join(_place("td", _entry(entry), right) for entry, right in places)
    return f'<tr class="block">{cells}</tr>' if begins else f"<tr>{cells}</tr>"


def _place(tag: str, content: str, right: bool) -> str:
    return f'<{tag} class="number">{content}</{tag}>' if right else f"<{tag}>{content}</{tag}>"


def _entry(entry: Entry) -> str:
    text = escape(entry.text)
    marked = f"<strong>{text}</strong>" if entry.best else text
    return f"{marked} {escape(entry.sign)}" if entry.sign else marked


def _list(lines: Iterable[str]) -> str:
    items = "\n".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>\n{items}\n</ul>" if items else ""
