"""`moo tune` as a person meets it."""

import shlex

import pytest
from typer.testing import CliRunner

from moo.benchmarks.running import one_cell
from moo.cli import app

TUNE = ("tune", "zdt1:dim=3", "-m", "nsga2", "--budget", 40, "--trials", 2, "--rungs", 2, "--reduction", 2)
SMALL = (*TUNE, "--seeds", 1, "--report-seeds", 2, "--vary", "population=4:20")


@pytest.fixture(autouse=True)
def _scratch(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def call(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result


def test_it_says_how_it_goes_and_prints_a_report_with_what_to_type_next(tmp_path):
    result = call(*SMALL)
    assert result.exit_code == 0, result.output
    assert [line.partition(" (")[0] for line in result.stderr.splitlines()[:2]] == [
        "group 1 of 1, rung 1 of 2",
        "group 1 of 1, rung 2 of 2",
    ]
    header, *rows = result.stdout.splitlines()
    columns = ["trial", "by", "hypervolume", "area", "report_hypervolume", "report_area", "report_worst", "method"]
    assert header.split() == columns
    best = rows[0].split()[-1]
    assert best.startswith("nsga2")
    assert rows[-1] == f"Next: moo search zdt1:dim=3 -m {shlex.quote(best)} --budget 40"
    assert rows[-2].startswith("2.0 full trials spent on 2 trials")
    assert (tmp_path / "runs" / "tune-zdt1_dim=3-nsga2" / "trials.csv").exists()
    assert call(*shlex.split(rows[-1].removeprefix("Next: moo "))).exit_code == 0


def test_again_in_the_same_folder_prints_the_same(monkeypatch):
    first = call(*SMALL)
    monkeypatch.setattr(one_cell, "pareto_search", None)
    assert call(*SMALL).stdout == first.stdout


def test_ctrl_c_says_how_to_go_on(monkeypatch):
    def pressed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(one_cell, "pareto_search", pressed)
        result = call(*SMALL)
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == "interrupted: run the same command to go on"
    assert call(*SMALL).exit_code == 0


def test_functions_of_a_file_and_objectives_of_ones_own(tmp_path):
    (tmp_path / "mine.py").write_text("def f(x):\n    return x[0], 1 - x[0] + x[1]\n")
    function = ("tune", "mine.py:f", *SMALL[2:], "--bounds", "0:1,0:1", "--directions", "min,min")
    refused = call(*function)
    assert refused.exit_code == 2
    assert "has no reference point of its own" in refused.stderr
    result = call(*function, "--reference-point", "2,2", "--objective", "hypervolume", "--objective", "seconds")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0].split()[2:4] == ["hypervolume", "seconds"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--vary", "population"), "`--vary` should read NAME, NAME=LOW:HIGH or NAME=A+B, each once"),
        (("--bounds", "0:1"), "`--bounds` is for functions (my_file.py:function). 'zdt1:dim=3' is none: leave it out."),
        (("--objective", "speed"), "Unknown objective 'speed'."),
        (("--out", "here"), "here holds something else than a tuning run."),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, more, why):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "notes.txt").write_text("mine")
    result = call(*SMALL, *more)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert why in result.stderr
    assert result.stderr.count("\n") == 1
