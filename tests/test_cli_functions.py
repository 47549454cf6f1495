"""`moo search my_file.py:function`, and such functions in suites: plain Python functions from the command line."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import moo
from moo.adapters.file_functions import CallableSpec, parse_bounds
from moo.cli import app

SOURCE = """
import pathlib

def cost(x):
    with pathlib.Path(__file__).with_name("calls").open("a") as file:  # wherever the process works
        file.write("x" * (1 if x.ndim == 1 else len(x)))
    return [x[0] ** 2 + x[1], -((x[0] - 1) ** 2) - x[1]]

def crash(x):
    raise ArithmeticError("the simulator crashed")

def slow(x):
    import time
    time.sleep(0.02)
    return cost(x)

number = 3
"""
OF_COST = ("my_file.py:cost", "--bounds", "-1:1,0:5", "--directions", "min,max")
FLAGS = ("-m", "random", "-H", "batch=10", "-b", "30", "-o", "x")


@pytest.fixture(autouse=True)
def _scratch(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_file.py").write_text(SOURCE)
    (tmp_path / "broken.py").write_text("import no_such_module")
    (tmp_path / "leaver.py").write_text("import sys\nsys.exit(0)")


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


def test_objectives_bear_the_names_that_they_were_given(tmp_path):
    assert call("search", *OF_COST, *FLAGS, "--objectives", "cost, weight (kg)").exit_code == 0
    assert (tmp_path / "x" / "front.csv").read_text().startswith("x1,x2,cost,weight (kg),")
    refused = call("search", *OF_COST, *FLAGS, "--objectives", "cost")
    assert refused.exit_code == 2
    assert "`--objectives` should name each of the 2 objectives. Found ['cost']." in refused.stderr


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


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_in_a_terminal_saves_what_was_found_prints_it_and_ends_with_130(tmp_path, workers):
    # A terminal sends it to all processes, those that share the rows included.
    command = ["search", "my_file.py:slow", *OF_COST[1:], "-m", "random:batch=10", "-b", "1000", "-w", workers]
    command = [sys.executable, "-m", "moo.cli", *command, "-o", "x", "--checkpoint", "x"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until = time.monotonic() + 60
    while not (tmp_path / "calls").exists() or (tmp_path / "calls").stat().st_size < 30:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert "interrupted by Ctrl-C" in output
    assert "Next: " in output
    found = moo.load_result(tmp_path / "x")
    assert len(found.failures) == 0
    assert 20 <= found.record["used"] == len((tmp_path / "calls").read_text()) < 1000


SUITE = """
problems:
  - {callable: "lib/my_file.py:cost", bounds: "-1:1,0:5", directions: "min,max"}
  - {callable: "lib/my_file.py:cost", bounds: "0:1,0:5", directions: "min,max", name: "half, of it"}
methods: [{method: random, batch: 10}]
seeds: 2
budget: 30
"""


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "my_file.py").write_text(SOURCE)
    (tmp_path / "mine.yaml").write_text(SUITE)


@pytest.mark.usefixtures("suite")
def test_functions_of_a_suite_are_run_reported_and_drawn(tmp_path):
    result = call("bench", "mine.yaml", "--workers", "2")
    assert result.exit_code == 0, result.output
    assert "[4/4] done: " in result.stderr
    names = sorted(path.name for path in (tmp_path / "runs" / "mine" / "plots").iterdir())
    assert names == [
        f"{what}-{name}.pdf" for what in ("convergence", "front") for name in ("half-of-it", "lib-my_file.py-cost")
    ]
    assert result.stdout.startswith(call("report", "runs/mine").stdout)
    for name in ("lib/my_file.py:cost", "half, of it"):
        assert name in result.stdout
        assert call("plot", "convergence", "runs/mine", "-p", name, "-o", "x.svg").exit_code == 0
    again = call("bench", "mine.yaml")
    assert "4 cells: 0 to run, 4 on disk" in again.stderr
    assert again.stdout == result.stdout


@pytest.mark.usefixtures("suite")
def test_a_function_of_a_suite_goes_by_its_name(tmp_path):
    result = call("bench", "mine.yaml", "-p", "half, of it", "--seeds", "1")
    assert result.exit_code == 0
    assert "1 cells: 1 to run" in result.stderr
    assert "lib/my_file.py:cost" not in result.stdout
    refused = call("bench", "mine.yaml", "-p", "my_file.py:crash")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "'my_file.py:crash' is a function and needs its bounds and directions" in refused.stderr


def test_the_suite_of_the_docs_page_runs(tmp_path):
    page = (Path(__file__).parent.parent / "docs" / "suites.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "beams.yaml").write_text(text.replace("budget: 1000 ", "budget: 60 "))
    (tmp_path / "my_file.py").write_text(code)
    result = call("bench", "beams.yaml", "--seeds", "1")
    assert result.exit_code == 0
    assert result.stdout.count("\nbeam  ") == 2
    assert "nsga2:population=50  60" in result.stdout
    for key in (field.name for field in dataclasses.fields(CallableSpec) if field.name != "folder"):
        assert f"| `{key}` |" in page


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        (
            "bounds",
            "bound",
            2,
            "mine.yaml: `problems`, entry 1: Unknown key 'bound' of a function. Did you mean 'bounds'?",
        ),
        ('bounds: "-1:1,0:5", ', "", 2, "mine.yaml: `problems`, entry 1: `bounds` is missing: a function needs its"),
        ("-1:1", "1:-1", 2, "mine.yaml: `problems`, entry 1: The bounds of 'x1' should be low < high"),
        (
            "-1:1",
            "-1",
            2,
            'mine.yaml: `problems`, entry 1: `bounds` should be low:high pairs separated by commas, as in "0:1',
        ),
        (
            "my_file.py:cost",
            "my_file.py:cots",
            2,
            "Unknown function 'cots' of lib/my_file.py. Did you mean 'cost'? Known:",
        ),
        ("lib/my_file.py", "lib/file.py", 1, "There is no file 'lib/file.py' in "),
    ],
)
def test_a_faulty_function_in_a_suite_is_one_clear_line(tmp_path, old, new, code, message):
    (tmp_path / "mine.yaml").write_text(SUITE.replace(old, new))
    result = call("bench", "mine.yaml")
    assert (result.exit_code, result.stdout) == (code, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: {message}")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("text", ["-1:1,0:5", " -1 : 1 , 0:5", "-1e0:+1,.0:5."])
def test_bounds_are_pairs(text):
    assert parse_bounds(text) == ((-1.0, 1.0), (0.0, 5.0))


@pytest.mark.parametrize("text", ["", "0", "0:1,", "0:1,0:1:2", "0-1", "a:b", "0:1;0:5"])
def test_other_bounds_are_refused(text):
    with pytest.raises(ValueError, match=r'`--bounds` should be low:high pairs separated by commas, as in "0:1,0:5"'):
        parse_bounds(text, "--bounds")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["my_file.py"], 2, "my_file.py:function"),
        (["my_file.py:cost"], 2, "`--bounds` is missing"),
        ([*OF_COST[:3]], 2, "`--directions` is missing"),
        (["my_file.py:cots", *OF_COST[1:]], 2, "Unknown function 'cots' of my_file.py. Did you mean 'cost'?"),
        (["my_file.py:number", *OF_COST[1:]], 2, "Unknown function 'number' of my_file.py. Known: cost, crash, slow."),
        (["my_file.py:", *OF_COST[1:]], 2, "should be written my_file.py:function. Found 'my_file.py:'"),
        (["nowhere.py:cost", *OF_COST[1:]], 1, "There is no file 'nowhere.py'"),
        (["broken.py:cost", *OF_COST[1:]], 2, "broken.py cannot be imported: ModuleNotFoundError"),
        ([*OF_COST[:2], "1:0", *OF_COST[3:]], 2, "swapped?"),
        ([*OF_COST[:2], "0:nan", *OF_COST[3:]], 2, "should be finite"),
        ([*OF_COST[:4], "min,mox"], 2, "Found 'mox'"),
        ([*OF_COST[:4], "min"], 2, "`--directions` should be min or max for each objective, of which at least 2"),
        (["leaver.py:cost", *OF_COST[1:]], 2, "leaver.py cannot be imported: it calls sys.exit."),
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
