"""Tables as LaTeX that needs booktabs alone, to be included as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from moo.benchmarks.reports.tables import MISSING, Entry, Table

ROWS = 40  # of one float: more do not fit on a page
HEAD = "% \\usepackage{booktabs}\n"
ESCAPES = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    "[": "{[}",  # at the start of a row the end of the row before would take it for an option
    "]": "{]}",
    "*": "{*}",
    '"': "''",
    "\n": " ",
    "\r": " ",
    "\t": " ",
}
NUMBERS = re.compile(r"(?<![\w.:=+-])([+-]?\d+(?:\.\d+)?)e([+-]\d+)(?!\w)|(?<![\w.:=+-])(-?)inf(?!\w)")


def latex(tables: Sequence[Table], closing: Sequence[str]) -> str:
    """One float per table, in several parts where it is longer than a page; the notes below each."""
    return HEAD + "\n".join(_float(table, closing) for table in tables)


def _float(table: Table, closing: Sequence[str]) -> str:
    notes = (["Bold: the best."] if table.has_best else []) + table.notes + list(closing)
    if not table.rows:
        return _framed([_sentences(notes)], table.title)
    parts = _parts(table)
    floats = []
    for number, part in enumerate(parts, start=1):
        title = table.title if len(parts) == 1 else f"{table.title}, part {number} of {len(parts)}"
        floats.append(_framed([_tabular(table, part), _sentences(notes)], title))
    return "\n".join(floats)


def _framed(body: Sequence[str], title: str) -> str:
    lines = ["\\begin{table}", "\\centering", f"\\caption{{{escaped(title)}.}}", *body, "\\end{table}", ""]
    return "\n".join(lines)


def _sentences(notes: Sequence[str]) -> str:
    paragraphs = "\n\n".join(map(escaped, notes))
    return f"\\par\\medskip\\begin{{minipage}}{{\\linewidth}}\\footnotesize\n{paragraphs}\n\\end{{minipage}}"


def _parts(table: Table) -> list[range]:
    """Rows of each float: cut where a block begins, unless the block alone is longer than a page."""
    groups = table.groups or [""] * len(table.rows)
    starts = [0]
    for row in range(1, len(groups)):
        if row - starts[-1] >= ROWS:
            block = next(i for i in range(row, -1, -1) if i == 0 or groups[i] != groups[i - 1])
            starts.append(block if block > starts[-1] else row)
    return [range(start, end) for start, end in zip(starts, [*starts[1:], len(groups)], strict=True)]


def _tabular(table: Table, part: range) -> str:
    columns = "".join("r" if numeric else "l" for numeric in table.numeric)
    lines = [
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        _row([escaped(name) for name in table.header]),
        "\\midrule",
    ]
    for row in part:
        if table.groups and row > part.start and table.groups[row] != table.groups[row - 1]:
            lines.append("\\addlinespace")
        lines.append(_row([_entry(entry) for entry in table.rows[row]]))
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"])


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + " \\\\"


def _entry(entry: Entry) -> str:
    text = _numbers(entry.text)
    marked = f"\\textbf{{{text}}}" if entry.best else text
    return f"{marked} ${entry.sign}$" if entry.sign else marked


def _numbers(text: str) -> str:
    """Text with its numbers as one prints them, and a dash where there is none."""
    if text == MISSING or text.startswith(f"{MISSING} "):
        return "--" + escaped(text[1:])
    pieces, last = [], 0
    for found in NUMBERS.finditer(text):
        mantissa, exponent, minus = found.groups()
        printed = f"${minus or ''}\\infty$" if mantissa is None else f"${mantissa} \\times 10^{{{int(exponent)}}}$"
        pieces += [escaped(text[last : found.start()]), printed]
        last = found.end()
    return "".join([*pieces, escaped(text[last:])])


def escaped(text: str) -> str:
    """Text that LaTeX prints as it is; a letter that its standard fonts lack as its number."""
    return "".join(ESCAPES.get(sign, sign if _printable(sign) else f"U+{ord(sign):04X}") for sign in text)


def _printable(sign: str) -> bool:
    """Whether every LaTeX of this decade prints a sign without further packages: ASCII and the letters of Latin-1."""
    return " " <= sign <= "~" or ("\xc0" <= sign <= "\xff" and sign.isalpha())
