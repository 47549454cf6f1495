"""`moo search my_file.py:function`: a plain Python function from the command line."""

import pytest
from typer.testing import CliRunner

import moo
from moo.cli import app, parse_bounds

SOURCE = """
def cost(x):
    with open("calls", "a") as file:
        file.write("x" * (1 if x.ndim == 1 else len(x)))
    return [x[0] ** 2 + x[1], -((x[0] - 1) ** 2) - x[1]]

def crash(x):
    raise ArithmeticError("the simulator crashed")

number = 3
"""
OF_COST = ("my_file.py:cost", "--bounds", "-1:1,0:5", "--directions", "min,max")
FLAGS = ("-m", "random", "-H", "batch=10", "-b", "30", "-o", "x")


@pytest.fixture(autouse=True)
def _scratch(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_file.py").write_text(SOURCE)
    (tmp_path / "broken.py").write_text("import no_such_module")


def call(*arguments):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_function_is_searched_saved_and_drawn(tmp_path):
    result = call("search", *OF_COST, *FLAGS)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "my_file.py:cost (min, max)" in result.stdout
    assert len((tmp_path / "calls").read_text()) == 30  # setting up is free
    found = moo.load_result(tmp_path / "x")
    assert found.config["problem"] == "my_file.py:cost"
    assert found.solutions.amin() >= -1
    x1, x2 = found.solutions.T
    assert found.objectives[:, 0].tolist() == (x1**2 + x2).tolist()
    assert (tmp_path / "x" / "front.pdf").read_bytes().startswith(b"%PDF-")


def test_two_functions_have_two_folders(tmp_path):
    (tmp_path / "other.py").write_text(SOURCE)
    for problem in ("my_file.py:cost", "other.py:cost", "other.py:cost"):
        assert call("search", problem, *OF_COST[1:], *FLAGS[:-2]).exit_code == 0
    names = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "runs").iterdir())
    assert names == ["my_file.py_cost-random-0", "other.py_cost-random-0"]
    refused = call("search", "other.py:cost", *OF_COST[1:], *FLAGS[:-2], "-o", next((tmp_path / "runs").glob("my*")))
    assert (refused.exit_code, "holds another run" in refused.stderr) == (2, True)


def test_a_search_goes_on_and_pays_nothing_twice(tmp_path):
    for _ in range(2):
        assert call("search", *OF_COST, *FLAGS, "--checkpoint", "x").exit_code == 0
    assert len((tmp_path / "calls").read_text()) == 30


def test_a_saved_search_of_a_function_is_reported_and_plotted(tmp_path):
    call("search", *OF_COST, *FLAGS)
    assert "my_file.py:cost" in call("report", "x").stdout
    for what in ("front", "convergence"):
        assert call("plot", what, "x", "-o", f"{what}.svg").exit_code == 0


def test_rows_are_shared_by_processes(tmp_path):
    result = call("search", *OF_COST, "--workers", "2", *FLAGS)
    assert result.exit_code == 0, result.output
    assert len(moo.load_result(tmp_path / "x").failures) == 0


@pytest.mark.parametrize("text", ["-1:1,0:5", " -1 : 1 , 0:5", "-1e0:+1,.0:5."])
def test_bounds_are_pairs(text):
    assert parse_bounds(text) == [(-1.0, 1.0), (0.0, 5.0)]


@pytest.mark.parametrize("text", ["", "0", "0:1,", "0:1,0:1:2", "0-1", "a:b", "0:1;0:5"])
def test_other_bounds_are_refused(text):
    with pytest.raises(ValueError, match=r"`--bounds` should be low:high pairs separated by commas, as in 0:1,0:5"):
        parse_bounds(text)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["my_file.py"], 2, "my_file.py:function"),
        (["my_file.py:cost"], 2, "`--bounds` is missing"),
        ([*OF_COST[:3]], 2, "`--directions` is missing"),
        (["my_file.py:cots", *OF_COST[1:]], 2, "my_file.py has no function 'cots'"),
        (["my_file.py:number", *OF_COST[1:]], 2, "my_file.py has no function 'number'"),
        (["nowhere.py:cost", *OF_COST[1:]], 1, "There is no file 'nowhere.py'"),
        (["broken.py:cost", *OF_COST[1:]], 2, "broken.py cannot be imported: ModuleNotFoundError"),
        ([*OF_COST[:2], "1:0", *OF_COST[3:]], 2, "swapped?"),
        ([*OF_COST[:2], "0:nan", *OF_COST[3:]], 2, "should be finite"),
        ([*OF_COST[:4], "min,mox"], 2, "Found 'mox'"),
        ([*OF_COST[:4], "min"], 2, "At least 2 are needed"),
        ([*OF_COST, "--workers", "0"], 2, "`workers` should be at least 1. Found 0."),
        (["my_file.py:crash", *OF_COST[1:]], 1, "the simulator crashed"),
        ([*OF_COST, "--directions", "min,max,max"], 1, "3 objectives were declared"),
        (["zdt1", "--bounds", "0:1"], 2, "`--bounds` is for functions"),
        (["zdt1", "--directions", "min,max"], 2, "`--directions` is for functions"),
        (["zdt1", "--workers", "2"], 2, "`--workers` is for functions"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path, arguments, code, message):
    result = call("search", *arguments, *FLAGS)
    assert (result.exit_code, result.stdout) == (code, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert not (tmp_path / "x" / "record.json").exists()
