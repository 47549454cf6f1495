"""The whole of a report: sections of tables from a folder's searches, in the format that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from moo.benchmarks.reports.comparing import intervals_table, ranks_tables
from moo.benchmarks.reports.latex import latex
from moo.benchmarks.reports.loading import Report
from moo.benchmarks.reports.material import HOW, TARGETS, Material, Wish
from moo.benchmarks.reports.page import page
from moo.benchmarks.reports.reaching import profile_table, targets_table
from moo.benchmarks.reports.references import describe
from moo.benchmarks.reports.scores import DEFAULT_INDICATORS
from moo.benchmarks.reports.summary import runs_table, summary_table
from moo.benchmarks.reports.tables import Table, listed
from moo.benchmarks.reports.text import csv, markdown, plain
from moo.checks import unknown_name

SECTIONS: dict[str, Callable[[Material], list[Table]]] = {
    "summary": summary_table,
    "ranks": ranks_tables,
    "intervals": intervals_table,
    "profile": profile_table,
    "targets": targets_table,
    "runs": runs_table,
}
WRITERS: dict[str, Callable[[Sequence[Table], Sequence[str]], str]] = {
    "table": plain,
    "md": markdown,
    "latex": latex,
    "html": page,
}
FORMATS = (*WRITERS, "csv")
ALL = "all"  # sections but `runs`
HEEDED_BY = {"control": ("summary",), "targets": ("profile", "targets"), "how": ("ranks",), "times": ("runs",)}
UNFINISHED = 20  # lines of each kind, before the rest is counted


def render(
    report: Report,
    indicators: Sequence[str] = DEFAULT_INDICATORS,
    *,
    form: str = "table",
    sections: Sequence[str] = (),
    control: str = "",
    targets: Sequence[float] = (),
    alpha: float = 0.05,
    how: str = "",
    times: bool = False,
) -> str:
    """The report as text.

    Args:
        report: What `load_report` gave.
        indicators: Columns: names in `INDICATORS`, or `"area"`.
        form: `"table"`, `"md"`, `"latex"` and `"html"` are for people, with notes; `"csv"` holds the exact numbers of
            one section.
        sections: `"summary"` (by default), `"ranks"`, `"intervals"`, `"profile"`, `"targets"`, `"runs"` (by default
            with csv), or `"all"` but the last.
        control: The method that the others are compared with in the summary: a name, or `"best"`, the best average rank
            by the first indicator.
        targets: Shares of the reference hypervolume for `"profile"` and `"targets"`; none: .5, .8, .9, .95, .99.
        alpha: Significance level of the tests.
        how: How `"ranks"` compares pairs over problems: `"wilcoxon-holm"` (the default) or `"nemenyi"`.
        times: With `"runs"`, the times too, which differ from run to run.

    Raises:
        ValueError: A form, section, indicator or control is unknown, a number outside of its range, an option is for
            sections that were not asked for, or csv is asked for several sections.
    """
    if form not in FORMATS:
        raise ValueError(unknown_name("format", form, FORMATS))
    wanted = _sections(sections, form)
    _refuse_idle(wanted, control=control, targets=tuple(targets), how=how, times=times)
    wish = Wish(tuple(dict.fromkeys(indicators)), control, tuple(targets) or TARGETS, alpha, how or HOW)
    material = Material.of(report.searches, wish, times=times)
    if form == "csv":
        (section,) = wanted
        text: str = csv(_csv_data(section, material))
        return text
    closing = _closing(report, material)
    if not report.searches:
        tables = [Table("nothing", "Report", (), [], material.scores, ["Nothing finished yet."])]
    else:
        tables = [table for section in wanted for table in SECTIONS[section](material)]
    return WRITERS[form](tables, closing)


def _sections(sections: Sequence[str], form: str) -> list[str]:
    """The sections wanted, each once.

    Raises:
        ValueError: One is unknown, or csv is asked for several.
    """
    wanted: list[str] = []
    for name in sections or (("runs",) if form == "csv" else ("summary",)):
        if name not in (*SECTIONS, ALL):
            raise ValueError(unknown_name("section", name, (*SECTIONS, ALL)))
        wanted += [other for other in SECTIONS if other != "runs"] if name == ALL else [name]
    wanted = list(dict.fromkeys(wanted))
    if form == "csv" and len(wanted) > 1:
        raise ValueError(f"`csv` holds one table: choose one section. Found {', '.join(wanted)}.")
    return wanted


def _refuse_idle(wanted: Sequence[str], **options: object) -> None:
    """Raise where an option was given that none of the wanted sections heeds.

    Raises:
        ValueError: One was.
    """
    for name, value in options.items():
        if value and not set(HEEDED_BY[name]) & set(wanted):
            where = " or ".join(HEEDED_BY[name])
            raise ValueError(
                f"`{name}` is for the section {where}. Found {', '.join(wanted)}: add that one, or leave it out."
            )


def _csv_data(section: str, material: Material) -> pd.DataFrame:
    """The numbers of one section.

    Raises:
        ValueError: It has none; the message says why.
    """
    if not material.groups:
        nothing: pd.DataFrame = material.scores
        return nothing
    tables = SECTIONS[section](material)
    data: pd.DataFrame = pd.concat([table.data for table in tables], ignore_index=True)
    if not len(data):
        raise ValueError(f"Section {section!r} has nothing for csv: {' '.join(tables[0].notes)}")
    return data


def _closing(report: Report, material: Material) -> list[str]:
    """What holds for all tables: references, what differs between searches, what is not finished."""
    directions = {problem: group[0].config["directions"] for problem, group in material.groups.items()}
    lines = [describe(problem, context, directions[problem]) for problem, context in material.contexts.items()]
    return [*lines, *_imports(report), *_mixed_versions(report), *_shortened(report.unfinished)]


def _imports(report: Report) -> list[str]:
    """Which methods were imported, how far their values were checked, and what is not known of them."""
    origins: dict[str, list[dict[str, Any]]] = {}
    for search in report.searches:
        if "imported_from" in search.record:
            origins.setdefault(search.config["method"], []).append(search.record["imported_from"])
    lines = []
    for method, known in origins.items():
        checked = listed(dict.fromkeys(origin["values"] for origin in known), 3)
        line = f"Imported, not run here: {method} (runs: {len(known)}). Budget stated, not counted; values {checked}."
        late = sum(not origin["anytime"] for origin in known)
        if late:
            line += f" Only the final front is known of {late}: no area, and targets count as reached at the end."
        lines.append(line)
    return lines


def _mixed_versions(report: Report) -> list[str]:
    """Which libraries the searches were not all run with the same version of."""
    found: dict[str, dict[str, None]] = {}
    for search in report.searches:
        for library, version in search.config.get("versions", {}).items():
            found.setdefault(library, {})[str(version)] = None
    mixed = [f"{library} {' and '.join(sorted(versions))}" for library, versions in found.items() if len(versions) > 1]
    return [f"Versions differ between searches: {listed(mixed)}."] if mixed else []


def _shortened(unfinished: Sequence[str]) -> list[str]:
    """The first lines of each kind, and how many more there are."""
    lines = []
    for kind, of_kind in groupby(sorted(unfinished, key=_kind), _kind):
        said = list(of_kind)
        more = len(said) - UNFINISHED
        lines += said[:UNFINISHED] + ([f"{kind}: {more:,} more"] if more > 0 else [])
    return lines


def _kind(line: str) -> str:
    return line.partition(": ")[0]
