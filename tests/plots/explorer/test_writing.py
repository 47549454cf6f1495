"""The page as a file: what it holds, and that nothing in it is taken for mark-up."""

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from moo.base import Candidates
from moo.benchmarks.perf.plots import made, sphere
from moo.plots import explore, explorer_data
from moo.plots.explorer import writing
from moo.plots.explorer.writing import SCRIPTS, explorer_page

EVIL = "</script><script>alert(1)</script>"


def packed(page, name):
    """What is compressed in an element of the page."""
    (coded,) = re.findall(rf'id="{name}">([^<]*)<', page)
    return gzip.decompress(base64.b64decode(coded)).decode() if coded else ""


class Tags(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def evil():
    result = made(sphere(3, 3, 0), EVIL, problem=EVIL, names=[EVIL, "a", "b"])
    front = Candidates.of(torch.zeros(3, 1), result.objectives, None, object=np.array([EVIL, "b", "c"]))
    return replace(result, front=front, config={**result.config, "kind": "construction"})


def test_numbers_reach_the_page_exactly():
    objectives = np.random.default_rng(0).normal(size=(50, 2)) * [1e-12, 1e12]
    read = json.loads(packed(explorer_page(explorer_data(made(objectives))), "data"))
    np.testing.assert_array_equal(np.array([column["values"] for column in read["objectives"]]).T[:50], objectives)


def test_what_is_not_known_is_null():
    result = made(sphere(2, 2, 0), preferences=np.array([[0.5, 0.5], [np.nan, np.nan]]))
    read = json.loads(packed(explorer_page(explorer_data(result)), "data"))
    assert read["preferences"] == [[0.5, None], [0.5, None]]
    assert read["rows"]["used"] == [None, None]


def test_no_name_becomes_mark_up():
    pytest.importorskip("plotly")
    page = explorer_page(explorer_data(evil()))
    assert "alert" not in page.replace("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;", "")
    plain = explorer_page(explorer_data(made(sphere(3, 3, 0))))
    assert [tag for tag, _ in Tags(page).found] == [tag for tag, _ in Tags(plain).found]
    assert json.loads(packed(page, "data"))["rows"]["name"] == [EVIL, "b", "c"]


def test_nothing_is_loaded_from_elsewhere():
    pytest.importorskip("plotly")
    tags = Tags(explorer_page(explorer_data(evil()))).found
    assert not [attrs for _, attrs in tags if {"src", "href", "srcset", "action", "data"} & set(attrs)]
    (policy,) = [attrs["content"] for tag, attrs in tags if tag == "meta" and "http-equiv" in attrs]
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy
    assert "unsafe-eval" not in policy
    style, script = writing._file("page.css"), "".join(writing._file(f"{name}.js") for name in SCRIPTS)
    assert re.findall(r"https?://[^\"')\s]*", style + script) == [
        "http://www.w3.org/2000/svg"
    ]  # a name, not an address
    assert "url(" not in style


def test_only_the_pages_own_scripts_may_run():
    pytest.importorskip("plotly")
    page = explorer_page(explorer_data(made(sphere(3, 3, 0))))
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    checksums = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, packed(page, "plotly"))
    ]
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert f"script-src 'sha256-{checksums[0]}' 'sha256-{checksums[1]}';" in policy
    assert "\r" not in script  # a browser would read it as a line feed, and the checksum would differ
    assert "</script" not in script


def test_the_same_results_give_the_same_bytes(tmp_path):
    first, second = (explore(made(sphere(9, 2, 0)), tmp_path / f"{i}.html") for i in range(2))
    assert first.read_bytes() == second.read_bytes()
    (coded,) = re.findall(r'id="data">([^<]*)<', first.read_text())
    assert base64.b64decode(coded)[4:8] == bytes(4)  # gzip's place for the time
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.html", "1.html"]


def test_two_objectives_need_no_plotly(monkeypatch):
    monkeypatch.setattr(writing, "find_spec", lambda name: None)
    assert packed(explorer_page(explorer_data(made(sphere(3, 2, 0)))), "plotly") == ""
    with pytest.raises(
        ImportError, match=r"Three objectives in space need plotly: pip install 'moo-suite\[explorer\]'"
    ):
        explorer_page(explorer_data(made(sphere(3, 3, 0))))


def test_a_result_writes_its_own_page(tmp_path):
    result = made(sphere(5, 2, 0))
    path = result.explore(tmp_path / "a.html")
    assert path.read_text() == explorer_page(explorer_data(result))


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"`path` should end in .html. Found '.*a.pdf'"):
        explore(made(sphere(3, 2, 0)), tmp_path / "a.pdf")


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OSError, match=r"could not be written: No such file or directory: '.*absent/a.html'"):
        explore(made(sphere(3, 2, 0)), tmp_path / "absent" / "a.html")


def test_every_script_of_the_folder_is_on_the_page():
    from importlib import resources

    files = {entry.name for entry in (resources.files("moo.plots.explorer") / "page").iterdir()}
    assert files == {"page.html", "page.css", *(f"{name}.js" for name in SCRIPTS)}
