"""Plain text, Markdown and CSV of tables."""

import re

import pandas as pd
from searches import searches

from moo.benchmarks.reports.loading import Report
from moo.benchmarks.reports.rendering import render
from moo.benchmarks.reports.tables import Entry, Table, counts, entries, listed, number, probability
from moo.benchmarks.reports.text import csv, markdown, plain

NASTY = "a|b*c\\d<e>\nf"


def table_of(*rows, header=("name", "value"), title="A table"):
    return Table("t", title, header, list(rows), pd.DataFrame(), ["A note."])


def test_the_plain_table_is_aligned_and_has_no_trailing_blanks():
    rows = [
        (Entry("a"), Entry("1.25", True, "+")),
        (Entry("longer"), Entry("2")),
        (Entry("b"), Entry("100", False, "-")),
    ]
    lines = plain([table_of(*rows)], []).splitlines()
    assert lines == ["name    value", "a       1.25* +", "longer  2", "b       100 -", "", "* the best.", "A note."]


def test_one_table_needs_no_title_and_several_do():
    one, two = table_of(entries("a", 1)), table_of(entries("b", 2), title="Another")
    assert plain([one], ["End."]) == "name  value\na     1\n\nA note.\n\nEnd.\n"
    assert plain([one, two], []).count("table\n\nname") == 1
    assert "Another" in plain([one, two], [])
    assert "## Another" in markdown([one, two], [])
    assert "##" not in markdown([one], [])


def test_a_table_without_rows_is_its_notes():
    nothing = Table("t", "A table", (), [], pd.DataFrame(), ["Why not."])
    assert plain([nothing], []) == "Why not.\n"
    assert markdown([nothing], ["End."]) == "- Why not.\n\n- End.\n"


def test_markdown_shows_every_sign_and_keeps_its_columns():
    lines = markdown([table_of((Entry(NASTY), Entry("1", True, "-")))], [NASTY]).splitlines()
    assert lines[:3] == ["| name | value |", "| --- | --- |", r"| a\|b\*c\\d&lt;e> f | **1** - |"]
    assert lines[-1] == r"- a\|b\*c\\d&lt;e> f"
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 3 for line in lines[:3])


def test_a_line_break_in_a_name_does_not_break_the_plain_table():
    assert plain([table_of(entries(NASTY, 1))], []).splitlines()[1] == r"a|b*c\d<e> f  1"


def test_csv_is_exact_and_quotes_commas():
    value = 0.1 + 0.2
    assert csv(pd.DataFrame({"a": ["x,y"], "b": [value]})) == f'a,b\n"x,y",{value!r}\n'


def test_numbers_in_words():
    assert [number(value) for value in (float("nan"), float("inf"), 12345.678, 0.5)] == ["-", "inf", "1.235e+04", "0.5"]
    assert [probability(value) for value in (0.5, 0.0123, 1e-9)] == ["p = 0.5", "p = 0.012", "p < .0001"]
    assert listed("abcdefghij", 8) == "a, b, c, d, e, f, g, h and 2 more"
    assert (counts([3, 3]), counts([3, 1, 2])) == ("3", "1 to 3")


def test_the_formats_agree():
    report = Report(searches({"p": {"random": [1, 2, 3], "nsga2": [4, 5, 6]}}), [])
    lines = render(report).split("\n\n")[0].splitlines()
    header, _, *rows = render(report, form="md").split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (header, *rows)]
    bold = [[re.sub(r"^\*\*(.*)\*\*", r"\1*", cell) for cell in row] for row in cells]
    assert bold == [re.split(r" {2,}", line) for line in lines]
