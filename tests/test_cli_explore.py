"""`moo explore` as a person meets it."""

import base64
import gzip
import json
import re

import pytest
from typer.testing import CliRunner

from moo.benchmarks import Suite, run
from moo.cli import app


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    run(Suite("s", ("zdt1:dim=3", "zdt2:dim=4"), ("nsga2:population=12", "random"), (0, 1), 60), folder, workers=1)
    return folder


def call(*arguments):
    return CliRunner().invoke(app, ["explore", *map(str, arguments)])


def written(path, *arguments):
    """What the page holds that was made by these arguments."""
    result = call(*arguments, "-o", path)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{path}\n"
    (coded,) = re.findall(r'id="data">([^<]*)<', path.read_text())
    return json.loads(gzip.decompress(base64.b64decode(coded)))


def names(page):
    return [group["name"] for group in page["groups"]]


def test_a_problem_of_a_suite_is_shown_with_all_its_searches(suite, tmp_path):
    page = written(tmp_path / "a.html", suite, "-p", "zdt2:dim=4")
    assert page["title"] == "zdt2:dim=4"
    assert names(page) == ["nsga2", "random"]
    assert set(page["rows"]["run"]) == {f"{method}, seed {seed}" for method in ("nsga2", "random") for seed in (0, 1)}
    assert [variable["name"] for variable in page["variables"]] == ["x1", "x2", "x3", "x4"]


def test_methods_and_seeds_can_be_chosen(suite, tmp_path):
    page = written(tmp_path / "a.html", suite, "-p", "zdt1:dim=3", "-m", "nsga2", "-s", "0", "-s", "1")
    assert names(page) == ["nsga2, seed 0", "nsga2, seed 1"]
    page = written(tmp_path / "a.html", suite, "-p", "zdt1:dim=3", "-m", "nsga2:population=12", "-s", "1")
    assert names(page) == ["nsga2"]


def test_one_saved_search_is_shown(suite, tmp_path):
    cell = next(folder for folder in sorted(suite.iterdir()) if (folder / "record.json").exists())
    assert len(names(written(tmp_path / "a.html", cell))) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "holds several problems: zdt1:dim=3, zdt2:dim=4. Choose one with -p."),
        (["-p", "zdt3"], "Unknown problem 'zdt3'"),
        (["-p", "zdt1:dim=3", "-m", "nsga3"], "Unknown method 'nsga3'. Did you mean 'nsga2'?"),
        (["-p", "zdt1:dim=3", "-s", "7"], "There is no seed 7. Known: 0, 1."),
    ],
)
def test_what_is_not_there_is_refused_in_a_line(suite, tmp_path, arguments, message):
    result = call(suite, *arguments, "-o", tmp_path / "a.html")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


def test_an_ending_other_than_html_is_refused(suite, tmp_path):
    result = call(suite, "-p", "zdt1:dim=3", "-o", tmp_path / "a.pdf")
    assert result.exit_code == 2
    assert "should end in .html" in result.stderr
