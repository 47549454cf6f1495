"""HTML pages: read back by Python's own parser; nothing that a name holds is taken for markup."""

import re
from html.parser import HTMLParser

import pytest
from searches import search, searches

from moo.benchmarks.reports.loading import Report
from moo.benchmarks.reports.rendering import render

NASTY = '<script>alert("x")</script> & </td>'
VOID = {"meta"}


class Reader(HTMLParser):
    """Open elements have to be closed in order; texts are kept by their innermost element."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.tables = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data + "*" * (self.open[-1] == "strong")


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


@pytest.fixture
def report():
    runs = searches({name: {"random": [10, 20, 30], "nsga2": [40, 50, 60]} for name in ("p", NASTY)})
    return Report([*runs, *(search("p", "moead", seed, None) for seed in range(3))], [f"failed: {NASTY}"])


def test_a_page_holds_what_the_plain_table_holds(report):
    indicators, options = ("hypervolume", "igd_plus"), {"control": "random"}
    (table,) = read(render(report, indicators, form="html", **options)).tables
    lines = render(report, indicators, **options).split("\n\n")[0].splitlines()
    assert table == [re.split(r" {2,}", line) for line in lines]


def test_names_stay_text(report):
    page = render(report, form="html", sections=["all", "runs"])
    reader = read(page)
    assert "script" not in reader.seen
    assert NASTY in {cell for table in reader.tables for row in table for cell in row}
    assert page.startswith("<!doctype html>")


def test_a_page_needs_nothing_beside_itself(report):
    page = render(report, form="html", sections=["all"])
    assert not re.search(r"https?:|url\(|@import|<link|<script|<img", page)


def test_a_page_of_nothing_finished_is_one_too():
    reader = read(page := render(Report([], [f"failed: {NASTY}"]), form="html"))
    assert reader.tables == []
    assert "Nothing finished yet." in page
    assert "&lt;script&gt;" in page
