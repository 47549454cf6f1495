"""`moo import` as a person meets it."""

import numpy as np
import pytest
from typer.testing import CliRunner

from moo.benchmarks import load
from moo.cli import app

FRONT = "f1,f2\n0.25,0.5\n0.5,0.25\n"


@pytest.fixture
def front(tmp_path):
    path = tmp_path / "front.csv"
    path.write_text(FRONT)
    return path


def call(*arguments):
    result = CliRunner().invoke(app, ["import", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_front_is_imported_and_reported(front, tmp_path):
    out = tmp_path / "out"
    result = call(front, "-p", "zdt1:dim=3", "-m", "theirs", "-s", 3, "-b", 50, "--into", out)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"Imported 1 run. Next: moo report {out}\n"
    assert "zdt1:dim=3 theirs seed 3 (budget 50): 2 rows, 2 in the front" in result.stderr
    assert load(out)[["method", "seed", "budget", "front_size"]].to_numpy().tolist() == [["theirs", 3, 50, 2]]
    report = CliRunner().invoke(app, ["report", str(out)])
    assert "theirs (imported)" in report.stdout
    plot = CliRunner().invoke(app, ["plot", "front", str(out), "-o", str(tmp_path / "front.svg")])
    assert plot.exit_code == 0, plot.output


def test_flags_reach_the_import(tmp_path):
    np.savez(tmp_path / "a.npz", F=[[1.0, -2]])
    np.savez(tmp_path / "b.npz", F=[[2.0, -3]])
    flags = ["-p", "bridge", "-m", "theirs", "-s", "3-4", "-b", 9, "--minimised", "--directions", "min,max"]
    flags += ["--objectives", "cost,gain", "--reference-point", "3,0", "--into", tmp_path / "out"]
    assert call(tmp_path / "a.npz", tmp_path / "b.npz", *flags).exit_code == 0
    table = load(tmp_path / "out")
    assert table[["seed", "hypervolume"]].to_numpy().tolist() == [[3, 4], [4, 3]]
    assert call(tmp_path / "a.npz", tmp_path / "b.npz", *flags).exit_code == 2
    assert call(tmp_path / "a.npz", tmp_path / "b.npz", *flags, "--force").exit_code == 0


def test_checking_can_be_turned_off_or_loosened(tmp_path):
    path = tmp_path / "front.csv"
    path.write_text("f1,f2,x1,x2\n0.5,0.2929,0.5,0.0\n")
    flags = ["-p", "zdt1:dim=2", "-m", "theirs", "-s", 0, "-b", 9, "--into", tmp_path / "out"]
    refused = call(path, *flags)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "f2 is 0.2929 there and 0.29289321881345" in refused.stderr
    assert call(path, *flags, "--tolerance", 1e-4).exit_code == 0
    assert call(path, *flags, "--no-check", "--force").exit_code == 0


def test_a_missing_file_is_named(tmp_path):
    result = call(tmp_path / "none.csv", "-p", "zdt1", "-m", "a", "-s", 0, "-b", 1, "--into", tmp_path / "out")
    assert result.exit_code == 1
    assert "none.csv: there is no such file or folder" in result.stderr
