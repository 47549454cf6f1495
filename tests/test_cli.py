"""The command line as a person meets it: what it prints where, what it writes, and how it refuses."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import types
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from asserts import assert_same_results
from inputs import ToyVector
from typer.testing import CliRunner

import moo
from moo.benchmarks import load_report, run
from moo.benchmarks.peers import PEERS
from moo.benchmarks.reports.rendering import render
from moo.benchmarks.suites import SUITES
from moo.cli import app
from moo.generators import GENERATORS
from moo.indicators import INDICATORS
from moo.plots import PLOTS
from moo.problems import PROBLEMS
from moo.registry import summary
from moo.tuners import TUNERS

SEARCH = ("search", "zdt1:dim=3", "-m", "nsga2", "-H", "population=20", "-b", "60")
BENCH = ("bench", "smoke", "--seeds", "2", "-p", "zdt1:dim=3", "-m", "random:batch=50", "-m", "nsga2:population=50")
MAGIC = {".pdf": b"%PDF-", ".png": b"\x89PNG", ".svg": b"<?xml"}
COMMANDS = typer.main.get_command(app).commands


class Counting(ToyVector):
    """Counts the rows of all instances; presses Ctrl-C in call number `at`."""

    rows, seen, at = 0, 0, 0

    def evaluate(self, solutions, generator=None):
        Counting.rows += len(solutions)
        Counting.seen += 1
        if Counting.seen == Counting.at:
            signal.raise_signal(signal.SIGINT)
        return super().evaluate(solutions, generator)


@pytest.fixture(autouse=True)
def _scratch(monkeypatch, tmp_path):
    """An empty working folder, and toy problems that the command line can name."""
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("faults")
    module.Counting = Counting
    monkeypatch.setitem(sys.modules, "faults", module)
    monkeypatch.setitem(PROBLEMS, "toy", "inputs:ToyVector")
    monkeypatch.setitem(PROBLEMS, "counting", "faults:Counting")
    for name in ("rows", "seen", "at"):
        monkeypatch.setattr(Counting, name, 0)


def call(*arguments):
    """Run a command in this process; anything but an exit is a traceback in the user's face."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    assert "\x1b[" not in result.output  # no colours in a pipe
    return result


def good(*arguments):
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result


def refused(*arguments, code=2):
    """Run a command that should fail; the one line that it says."""
    result = call(*arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if "was chosen for" not in line]
    assert len(lines) == 1, lines
    assert lines[0].startswith("Error: ")
    return lines[0]


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """A finished suite of one problem, two methods and two seeds: the cells of `BENCH`. Only to be read."""
    out = tmp_path_factory.mktemp("finished") / "suite"
    methods = ("random:batch=50", "nsga2:population=50")
    run(replace(SUITES["smoke"], problems=("zdt1:dim=3",), methods=methods, seeds=(0, 1)), out)
    return out


@pytest.fixture
def suite_copy(suite, tmp_path):
    """The same, to be damaged."""
    shutil.copytree(suite, tmp_path / "suite")
    return tmp_path / "suite"


# --------------------------------------------------------------------------------------------------- starting up
START = """
import resource, sys
sys.argv = ["moo", *sys.argv[1:]]
from moo.cli import app
try:
    app()
except SystemExit as done:
    code = done.code
usage = resource.getrusage(resource.RUSAGE_SELF)
heavy = [name for name in ("torch", "matplotlib", "pandas", "scipy", "pymoo", "botorch") if name in sys.modules]
print(code, usage.ru_utime + usage.ru_stime, *heavy, file=sys.stderr)
"""


LOOKING = [["--help"], ["--version"], ["list"], ["list", "problems"], ["list", "suites"], ["search", "--help"]]


@pytest.mark.parametrize("arguments", LOOKING, ids=" ".join)
def test_looking_around_is_quick_and_loads_nothing_heavy(arguments):
    seconds = []
    for _ in range(4):
        found = subprocess.run([sys.executable, "-c", START, *arguments], capture_output=True, text=True, check=True)
        code, used, *heavy = found.stderr.split()
        assert (code, heavy) == ("0", [])
        seconds.append(float(used))
        if seconds[-1] <= 0.4:
            break  # one quick run shows that it can be
    assert min(seconds) <= 0.4


def test_the_installed_command_starts():
    command = os.path.join(os.path.dirname(sys.executable), "moo")
    found = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert all(name in found.stdout for name in ("list", "search", "bench", "report", "plot"))
    assert found.stderr == ""


def test_the_version_is_the_installed_one():
    result = good("--version")
    assert result.stdout == f"moo {version('moo-suite')}\n"
    assert result.stdout == f"moo {moo.__version__}\n"


def test_no_arguments_show_the_help():
    result = call()
    assert "Usage:" in result.output
    assert "search" in result.output


# --------------------------------------------------------------------------------------------------- help
def examples(name):
    """The examples in a command's help, without the backticks."""
    return re.findall(r"`(moo [^`]+)`", COMMANDS[name].help)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example_that_parses(name):
    shown = " ".join(good(name, "--help").stdout.split())
    assert "Example: moo" in shown
    assert examples(name)
    for example in examples(name):
        words = shlex.split(example)
        assert words[1] == name
        COMMANDS[name].make_context(name, words[2:])  # raises where it is no valid call


def test_an_unknown_command_suggests_nothing_wrong():
    result = call("serach", "zdt1")
    assert result.exit_code == 2
    assert "serach" in result.stderr


@pytest.mark.parametrize("arguments", [["search"], ["bench"], ["report"], ["plot", "front"], ["plot", "front", "x"]])
def test_a_missing_argument_is_a_usage_error(arguments):
    result = call(*arguments)
    assert result.exit_code == 2
    assert "Missing" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["search", "zdt1", "--budget", "many"], "--budget"),
        (["search", "zdt1", "--budget", "1.5"], "Found '1.5'"),
        (["bench", "smoke", "--budget", "1,000"], "Found '1,000'"),
        (["tune", "zdt1", "-m", "nsga2", "--budget", "few"], "Found 'few'"),
        (["import", "x.csv", "--budget", "nan"], "Found 'nan'"),
        (["search", "zdt1", "--seed", "1.5"], "--seed"),
        (["search", "zdt1", "--nonsense"], "--nonsense"),
        (["list", "everything"], "problems"),
        (["plot", "surface", "x", "-o", "x.pdf"], "convergence"),
        (["bench", "smoke", "--workers", "two"], "--workers"),
    ],
)
def test_options_of_another_type_are_usage_errors(arguments, word):
    result = call(*arguments)
    assert result.exit_code == 2
    assert word in result.stderr


# --------------------------------------------------------------------------------------------------- list
REGISTRIES = {
    "problems": PROBLEMS,
    "methods": GENERATORS,
    "peers": PEERS,
    "suites": SUITES,
    "tuners": TUNERS,
    "indicators": INDICATORS,
    "plots": PLOTS,
}


@pytest.mark.parametrize("what", REGISTRIES)
def test_listing_shows_every_name_with_a_description(what):
    lines = good("list", what).stdout.splitlines()
    for name in REGISTRIES[what]:
        line = next(line for line in lines if line.split()[:1] == [name])
        if not str(REGISTRIES[what][name]).startswith(("inputs:", "faults:")):  # those of the tests have no docstring
            assert len(line.split()) > 2, line


def test_listing_everything_is_all_lists():
    whole = good("list").stdout
    for what, registry in REGISTRIES.items():
        assert what in whole
        assert all(name in whole for name in registry)


@pytest.mark.parametrize("what", ["problems", "methods", "tuners", "indicators", "plots"])
def test_listing_loses_no_word_of_a_description(what):
    # Brackets such as those of a shape, [n, m], are not markup.
    words = good("list", what).stdout.split()
    for entry in REGISTRIES[what].values():
        target = getattr(entry, "function", entry)
        assert not target.startswith("moo.") or set(summary(target).split()) <= set(words)


@pytest.mark.parametrize("what", REGISTRIES)
def test_in_a_pipe_a_listing_has_one_line_for_each(what):
    # "with one line each", says its help; and `moo list problems | grep ...` should find whole entries.
    lines = good("list", what).stdout.splitlines()
    assert len(lines) == 1 + len(REGISTRIES[what])


# --------------------------------------------------------------------------------------------------- search
def test_a_search_is_saved_and_drawn(tmp_path):
    result = good(*SEARCH, "-s", "3", "--out", "mine")
    direct = moo.pareto_search("zdt1:dim=3", "nsga2", budget=60, seed=3, options={"population": 20}, progress=False)
    assert_same_results(moo.load_result(tmp_path / "mine"), direct)
    assert (tmp_path / "mine" / "front.pdf").read_bytes().startswith(b"%PDF-")
    assert result.stderr == ""
    for said in ("zdt1:dim=3 (min, min)", "nsga2, seed 3", "60 evaluations: the budget is spent", "mine/front.pdf"):
        assert said in result.stdout
    assert f"{len(direct.front)} points" in result.stdout
    assert f"{direct.hypervolume:.6g} (reference point 1.1, 1.1)" in result.stdout


def test_the_default_folder_bears_problem_method_seed_and_a_hash(tmp_path):
    good(*SEARCH, "-s", "3")
    good(*SEARCH, "-s", "4")
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert [re.fullmatch(r"zdt1_dim=3-nsga2-(\d)-[0-9a-f]{8}", name).group(1) for name in names] == ["3", "4"]
    good(*SEARCH, "-s", "3")
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_what_to_type_next_works(tmp_path, capsys):
    said = good(*SEARCH, "-o", tmp_path / "my results").stdout
    command = said[said.index("Next: ") + 6 :].splitlines()[0]
    python, flag, code = shlex.split(command)
    assert (python, flag) == ("python", "-c")
    exec(code, {})
    assert "f1" in capsys.readouterr().out


def test_out_and_checkpoint_may_be_one_folder_and_a_rerun_pays_nothing(tmp_path):
    command = ("search", "counting", "-m", "random", "-H", "batch=20", "-b", "60", "-o", "x", "--checkpoint", "x")
    good(*command)
    assert Counting.rows == 60
    front = (tmp_path / "x" / "front.npz").read_bytes()
    good(*command)
    assert Counting.rows == 60
    assert (tmp_path / "x" / "front.npz").read_bytes() == front
    good(*command[:7], "100", *command[8:])  # a larger budget goes on
    assert Counting.rows == 100
    assert_same_results(
        moo.load_result(tmp_path / "x"),
        moo.pareto_search("counting", "random", budget=100, options={"batch": 20}, progress=False),
    )


def test_a_larger_budget_goes_on_where_the_method_was_chosen_for_us(tmp_path):
    for budget in (600, 700):
        good("search", "zdt1:dim=3", "-b", budget, "--checkpoint", "x", "-o", "x")
    assert moo.load_result(tmp_path / "x").record["used"] == 700


def test_ctrl_c_saves_what_was_found_and_the_same_call_goes_on(tmp_path, monkeypatch):
    command = ("search", "counting", "-m", "random", "-H", "batch=20", "-b", "100", "-o", "x", "--checkpoint", "x")
    monkeypatch.setattr(Counting, "at", 2)
    stopped = call(*command)
    assert stopped.exit_code == 130
    assert "interrupted by Ctrl-C" in stopped.stdout
    assert "Next: " in stopped.stdout
    assert "To go on: run the same command again." in stopped.stdout
    assert moo.load_result(tmp_path / "x").record["used"] == 40
    assert "go on" not in good(*command).stdout
    assert Counting.rows == 100
    assert moo.load_result(tmp_path / "x").record["used"] == 100


def test_ctrl_c_without_a_checkpoint_says_that_nothing_can_go_on(monkeypatch):
    monkeypatch.setattr(Counting, "at", 2)
    stopped = call("search", "counting", "-m", "random", "-H", "batch=20", "-b", "100", "-o", "x")
    assert stopped.exit_code == 130
    assert "This search cannot go on: only one that was begun with --checkpoint FOLDER can." in stopped.stdout


@pytest.mark.parametrize(
    "flags",
    [
        ["-m", "toy-conditional", "-H", "tries=4", "-H", "width=0.1"],
        ["-m", "toy-conditional", "-H", "tries=4,width=0.1"],
        ["-m", "toy-conditional:tries=4,width=0.1"],
        ["-m", "toy-conditional:tries=4", "-H", "width=0.1"],
    ],
)
def test_options_of_the_method_can_be_said_in_each_way(tmp_path, flags):
    good("search", "toy", *flags, "-b", "40", "-o", "x")
    options = moo.load_result(tmp_path / "x").config["options"]
    assert (options["tries"], options["width"]) == (4, 0.1)


@pytest.mark.parametrize(
    ("said", "tuner", "rows"),
    [
        ("0.2,0.8;0.5,0.5", "uniform", [[0.2, 0.8], [0.5, 0.5]]),
        ("1,0", "uniform", [[1.0, 0.0]]),
        (".25,.75", "uniform", [[0.25, 0.75]]),
        ("dirichlet:alpha=0.5", "dirichlet", None),
        ("uniform:divisions=3", "uniform", None),
        ("auto", "dirichlet", None),
    ],
)
def test_preferences_are_rows_or_a_tuner(tmp_path, said, tuner, rows):
    good("search", "toy", "-m", "toy-conditional", "--preferences", said, "-b", "60", "-o", "x")
    result = moo.load_result(tmp_path / "x")
    assert result.config["tuner"] == tuner
    assert result.config["preferences"] == (said if rows is None else rows)
    if rows is not None:
        assert {tuple(row) for row in result.additions.preferences.tolist()} <= set(map(tuple, rows))


@pytest.mark.parametrize("said", ["-3,3", "-.5,1e1", "-4, 4"])
def test_a_reference_point_is_said_in_the_problems_directions(tmp_path, said):
    good("search", "toy:directions=max+min", "-m", "random", "-b", "60", "--reference-point", said, "-o", "x")
    assert moo.load_result(tmp_path / "x").record["reference_point"] == [float(part) for part in said.split(",")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "ztd1"], "Unknown problem 'ztd1'. Did you mean 'zdt1'? Known: "),
        (["search", "ZDT1"], "Did you mean 'zdt1'?"),
        (["search", "zdt1:dims=3"], "Unknown option 'dims' of zdt1. Did you mean 'dim'?"),
        (["search", "zdt1:dim=1"], "`dim` should be at least 2. Found 1."),
        (["search", "zdt1:dim"], "key=value"),
        (["search", "zdt1", "-m", "nsgaii"], "Unknown method 'nsgaii'. Did you mean 'nsga"),
        (
            ["search", "zdt1", "-m", "nsga2", "-H", "popul=9"],
            "'popul' of method 'nsga2'. Did you mean 'population'? Known: population",
        ),
        (["search", "zdt1", "-m", "nsga2", "-H", "population=1"], "`population` should be from 2 to 100000. Found 1."),
        (["search", "zdt1", "-m", "nsga2", "-H", "population=ten"], "`population` should be a whole number"),
        (["search", "zdt1", "-m", "nsga2", "-H", "population"], "key=value"),
        (["search", "zdt1", "-m", "nsga2", "-H", "population=9", "-H", "population=8"], "stands twice"),
        (["search", "zdt1", "-m", "toy-writer"], "Method 'toy-writer' does not fit 'zdt1'"),
        (["search", "zdt1", "-m", "nsga2", "--preferences", "uniform"], "takes no preferences"),
        (["search", "toy", "-m", "toy-conditional", "--preferences", "unifrom"], "Did you mean 'uniform'?"),
        (["search", "toy", "-m", "toy-conditional", "--preferences", "0.2,0.2"], "sum to 1"),
        (["search", "toy", "-m", "toy-conditional", "--preferences", "1"], "one column per objective"),
        (["search", "toy", "-m", "toy-conditional", "--preferences", "0.5,0.5;1"], "preferences"),
        (["search", "toy", "-m", "toy-conditional", "--preferences", "0.5,x"], "`--preferences` should be numbers"),
        (["search", "toy", "-m", "toy-conditional", "--preferences=-0.5,1.5"], "at least 0 and sum to 1"),
        (["search", "zdt1", "--reference-point", "1"], "should be a list of 2 numbers"),
        (["search", "zdt1", "--reference-point", "1,2,3"], "should be a list of 2 numbers"),
        (["search", "zdt1", "--reference-point", "1;2"], "should be numbers separated by commas. Found '1;2'"),
        (["search", "zdt1", "--reference-point", "1,nan"], "should be finite"),
        (["search", "zdt1", "--budget", "0"], "`budget` should be at least 1. Found 0."),
        (["search", "zdt1", "--budget", "-5"], "`budget` should be at least 1. Found -5."),
        (["search", "zdt1", "--seed", "-1"], "`seed` should be from 0"),
        (["search", "zdt1", "--device", "tpu9"], "Found 'tpu9'"),
        (["bench", "smoek"], "Unknown suite 'smoek'. Did you mean 'smoke'?"),
        (["bench", "smoke", "-p", "ztd1"], "Unknown problem 'ztd1'. Did you mean 'zdt1'?"),
        (["bench", "smoke", "-m", "nsgaii"], "Unknown method 'nsgaii'"),
        (["bench", "smoke", "-m", "nsga2:popul=9"], "'popul' of method 'nsga2'. Did you mean 'population'?"),
        (["bench", "smoke", "--seeds", "0"], "`seeds` should be at least 1. Found 0."),
        (["bench", "smoke", "--workers", "0"], "`workers` should be at least 1. Found 0."),
    ],
)
def test_bad_input_is_one_clear_line_and_writes_nothing(tmp_path, arguments, message):
    assert message in refused(*arguments)
    assert not (tmp_path / "runs").exists()


def test_a_folder_of_another_run_is_refused_before_anything_is_spent(tmp_path):
    good(*SEARCH, "-o", "x")
    before = (tmp_path / "x" / "front.npz").read_bytes()
    message = refused("search", "counting", "-m", "random", "-b", "60", "-o", "x")
    assert re.search(r"x holds another run .*problem: .* Choose another folder", message)
    assert Counting.rows == 0
    assert (tmp_path / "x" / "front.npz").read_bytes() == before


def test_a_file_or_a_suite_in_the_way_is_refused_before_anything_is_spent(tmp_path, suite_copy):
    (tmp_path / "file").write_text("")
    assert "file is a file" in refused("search", "counting", "-m", "random", "-b", "60", "-o", "file")
    assert "suite" in refused("search", "counting", "-m", "random", "-b", "60", "-o", suite_copy)
    assert Counting.rows == 0
    assert not (suite_copy / "cell.json").exists()


def test_a_folder_that_cannot_be_made_is_named():
    assert "/proc/nowhere" in refused("search", "toy", "-m", "random", "-b", "20", "-o", "/proc/nowhere/x", code=1)


def test_a_problem_that_always_fails_quotes_the_first_reason(tmp_path):
    message = refused("search", "toy:fails=raise,fails_below=2", "-m", "random", "-b", "40", "-o", "x", code=1)
    assert "Every evaluation of 'toy-vector' fails" in message
    assert "the simulator crashed" in message
    assert not (tmp_path / "x" / "record.json").exists()


def test_failed_rows_are_counted_and_their_file_is_named(tmp_path):
    said = good("search", "toy:fails=flag,fails_below=0.4", "-m", "random", "-b", "60", "-o", "x").stdout
    failures = len(moo.load_result(tmp_path / "x").failures)
    assert f"{failures} evaluations: see x/failures.csv" in said
    assert len((tmp_path / "x" / "failures.csv").read_text().splitlines()) == failures + 1


def test_a_budget_that_learning_uses_up_is_said():
    said = good("search", "deep-sea-treasure", "-m", "ppo-preference", "-b", "500", "-o", "x").stdout
    assert "nothing was evaluated: the whole budget went into learning. Give a larger one" in said
    assert "feasible" not in said


def test_one_point_is_said_as_one():
    assert re.search(
        r"front +1 point$", good("search", "toy", "-m", "random", "-b", "1", "-o", "x").stdout, re.MULTILINE
    )


def test_nothing_feasible_is_said():
    said = good("search", "toy:infeasible=true", "-m", "random", "-b", "60", "-o", "x").stdout
    assert "nothing feasible was found" in said


def test_a_warning_reads_like_the_rest():
    # In a process of its own, because pytest collects warnings.
    arguments = [*SEARCH, "--reference-point", "0.001,0.001", "-o", "x"]
    said = subprocess.run([sys.executable, "-m", "moo.cli", *arguments], capture_output=True, text=True, check=True)
    assert "no point of the front is better than the reference point" in said.stderr
    assert ".py" not in said.stderr  # not as Python prints it, with a line of our source
    assert "result = " not in said.stderr


def test_brackets_in_a_path_are_printed_as_they_are():
    said = good(*SEARCH, "-o", "runs [bold]a[b]").stdout
    assert said.count("runs [bold]a[b]") == 3  # data, plot, what to type next


def test_no_line_ends_in_blanks():
    for arguments in (SEARCH, ("list",)):
        assert not [line for line in good(*arguments).stdout.splitlines() if line != line.rstrip()]


def test_long_paths_are_printed_whole(tmp_path):
    folder = tmp_path / "a_folder_with_a_rather_long_name" / "and_another_one_inside_of_it" / "x"
    said = good(*SEARCH, "-o", folder).stdout
    assert f"{folder}\n" in said
    assert f"{folder / 'front.pdf'}\n" in said


def test_a_noisy_problem_announces_its_re_evaluations(tmp_path):
    result = good("search", "zdt1:dim=3,noise=0.1", "-m", "random", "-b", "60", "-o", "x")
    assert "The problem is noisy" in result.stderr
    assert "noisy" not in result.stdout


def test_the_choice_of_a_method_is_printed_and_stored(tmp_path):
    result = good("search", "zdt1:dim=3", "-b", "600", "-o", "x")
    assert result.stderr.startswith("nsga2 was chosen for a vector problem of 2 objectives and 600 evaluations")
    assert moo.load_result(tmp_path / "x").config["choice"] in result.stderr


PROGRESS = """
import os, pty, subprocess, sys
master, slave = pty.openpty()
command = [sys.executable, "-m", "moo.cli", *sys.argv[1:]]
found = subprocess.run(command, stdout=subprocess.PIPE, stderr=slave, text=True)
os.close(slave)
seen = b""
try:
    while part := os.read(master, 65536):
        seen += part
except OSError:
    pass
print(found.stdout, "=====", seen.decode(), sep="")
sys.exit(found.returncode)
"""


def test_progress_goes_to_the_terminal_and_never_to_standard_output(tmp_path):
    arguments = ["search", "zdt1:dim=3", "-m", "nsga2", "-b", "2000", "-o", "x"]
    found = subprocess.run([sys.executable, "-c", PROGRESS, *arguments], capture_output=True, text=True, check=True)
    output, seen = found.stdout.split("=====")
    assert "2,000/2,000 evaluations" in seen
    assert "hypervolume" in seen
    assert "front" in seen
    assert "\x1b" not in output
    assert output.splitlines()[0].startswith("problem ")
    assert output.splitlines()[-1].startswith("Next: ")


# --------------------------------------------------------------------------------------------------- bench
def test_a_suite_ends_with_a_table_plots_and_what_to_type_next(tmp_path):
    result = good(*BENCH, "-o", "x")
    assert result.stderr.startswith("4 cells: 4 to run, 0 on disk, 0 not applicable\n[1/4] done: ")
    table = result.stdout
    assert table.startswith("problem  ")
    assert "hypervolume" in table.splitlines()[0]
    assert "igd_plus" in table.splitlines()[0]
    for name in ("front", "convergence"):
        assert (tmp_path / "x" / "plots" / f"{name}-zdt1-dim=3.pdf").read_bytes().startswith(b"%PDF-")
    assert "Plots (PDF): x/plots/" in result.stdout
    again = good(*BENCH, "-o", "x")
    assert "4 cells: 0 to run, 4 on disk, 0 not applicable" in again.stderr
    assert again.stdout == table


def test_standard_output_of_a_suite_holds_the_report_and_what_to_type_next():
    # So `moo bench ... > table.txt` holds the table; how things go is said on standard error.
    said = good(*BENCH, "-o", "x").stdout
    assert said.startswith(good("report", "x").stdout)
    rest = said.removeprefix(good("report", "x").stdout).split("\n")
    assert [line.split(":")[0] for line in rest if line] == ["Plots (PDF)", "Next"]


@pytest.mark.parametrize("problems", [["zdt1:dim=3"], ["zdt1:dim=3", "zdt2:dim=3"]], ids=len)
def test_what_a_suite_says_to_type_next_works(problems):
    flags = [flag for problem in problems for flag in ("-p", problem)]
    said = good("bench", "smoke", "--seeds", "1", "-m", "random", *flags, "-o", "x").stdout
    commands = re.findall(r"moo (?:report|plot) .*?(?=   or   |$)", said[said.index("Next: ") :], re.MULTILINE)
    assert len(commands) >= 2
    for command in commands:
        good(*shlex.split(command)[1:])


def test_a_suite_of_ones_own(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        'problems: ["zdt1:dim=3"]\nmethods: ["toy-conditional:preferences=uniform"]\nseeds: [4]\nbudget: 40\n'
    )
    said = good("bench", "mine.yaml").stdout
    assert "toy-conditional:preferences=uniform" in said.split("\n\n")[0]
    assert (tmp_path / "runs" / "mine" / "suite.json").exists()


def test_lists_of_the_suite_can_be_replaced(tmp_path):
    good("bench", "smoke", "--seeds", "1", "-p", "zdt1:dim=3", "-p", "zdt2:dim=3", "-m", "random", "-o", "x")
    (plan,) = json.loads((tmp_path / "x" / "suite.json").read_text())["plans"]
    assert (plan["problems"], plan["methods"]) == (["zdt1:dim=3", "zdt2:dim=3"], ["random"])
    assert plan["seeds"] == [0]


def test_a_call_with_shorter_lists_hides_nothing_in_the_report(suite_copy):
    whole = good("report", suite_copy).stdout
    said = good("bench", "smoke", "--seeds", "1", "-p", "zdt1:dim=3", "-m", "nsga2:population=50", "-o", suite_copy)
    assert "1 cells: 0 to run, 1 on disk" in said.stderr
    assert said.stdout.startswith(whole)
    assert good("report", suite_copy).stdout == whole


def test_a_failed_cell_gives_exit_code_1_and_the_last_lines_say_which(tmp_path):
    flags = ("-p", "toy:fails=raise,fails_below=2", "-p", "zdt1:dim=3", "-m", "random", "-o", "x")
    result = call("bench", "smoke", "--seeds", "2", *flags)
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-3:]
    for seed, line in enumerate(last[:2]):
        assert re.match(rf"failed: toy:\S+ random seed {seed}: RuntimeError: .*the simulator crashed", line)
    assert last[2] == "2 of 4 cells failed. The same command with --retry-failed runs them again."
    assert "zdt1:dim=3" in result.stdout
    again = call("bench", "smoke", "--seeds", "2", *flags)
    assert again.exit_code == 1
    assert "record.json" in again.stderr
    assert "--retry-failed" in again.stderr  # how to go on


def test_a_suite_whose_every_cell_fails(tmp_path):
    flags = ("-p", "toy:fails=raise,fails_below=2", "-m", "random", "-o", "x")
    assert call("bench", "smoke", "--seeds", "1", *flags).exit_code == 1
    assert good("report", "x").stdout.startswith("Nothing finished yet.")
    assert "holds no finished search yet" in refused("plot", "front", "x", "-o", "x.pdf")


def test_failed_cells_are_run_again_when_asked(monkeypatch):
    flags = ("bench", "smoke", "--seeds", "1", "-p", "toy:fails=raise,fails_below=2", "-m", "random", "-o", "x")
    assert call(*flags).exit_code == 1
    monkeypatch.setattr(ToyVector, "evaluate", lambda self, solutions, generator=None: solutions[:, :2])
    assert call(*flags).exit_code == 1
    assert good(*flags, "--retry-failed").exit_code == 0


def test_what_does_not_apply_is_no_failure():
    said = good("bench", "smoke", "--seeds", "1", "-p", "zdt1:dim=3", "-m", "random", "-m", "toy-writer", "-o", "x")
    assert "not applicable: zdt1:dim=3 toy-writer seed 0: it takes text problems" in said.stdout


def test_problems_without_a_reference_point_of_their_own_are_reported_and_drawn(tmp_path):
    # Suites use one joint point per problem, fixed at report time.
    result = good(
        "bench", "smoke", "--seeds", "2", "-p", "toy:reference=false", "-m", "random", "-m", "nsga2", "-o", "x"
    )
    assert "reference point from the reference set" in result.stdout
    assert len(list((tmp_path / "x" / "plots").iterdir())) == 2
    good("plot", "convergence", "x", "-o", "x.pdf")


def test_a_suite_without_anything_feasible_is_reported_and_drawn(tmp_path):
    result = good("bench", "smoke", "--seeds", "2", "-p", "toy:infeasible=true", "-m", "random", "-o", "x")
    assert "toy:infeasible=true" in result.stdout
    assert len(list((tmp_path / "x" / "plots").iterdir())) == 2


def test_an_interrupted_suite_ends_with_130(monkeypatch):
    command = ("bench", "smoke", "--seeds", "2", "-p", "counting", "-m", "random", "-o", "x")
    monkeypatch.setattr(Counting, "at", 4)  # in the second cell
    result = call(*command)
    assert result.exit_code == 130
    assert "run the same command to go on" in result.stderr
    assert result.stdout == ""
    good(*command)


def test_a_folder_with_other_data_is_refused(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "notes.txt").write_text("mine")
    assert "holds something else than a suite. Choose another folder" in refused(*BENCH, "-o", "x")
    good(*BENCH, "-o", "y")
    (tmp_path / "z.yaml").write_text("name: other\nproblems: zdt1\nmethods: random\nseeds: 1\nbudget: 10\n")
    assert "holds the suite 'smoke', not 'other'" in refused("bench", "z.yaml", "-o", "y")


def test_a_missing_yaml_file_is_named_without_error_numbers():
    message = refused("bench", "nowhere.yaml", code=1)
    assert "nowhere.yaml" in message
    assert "Errno" not in message


def test_a_damaged_cell_is_named_and_run_again(suite_copy):
    cell = next(suite_copy.glob("*nsga2*-0-*"))
    os.truncate(cell / "front.npz", 100)
    assert "front.npz is damaged" in refused("report", suite_copy)
    result = good(*BENCH, "-o", suite_copy)
    assert re.search(r"is run again: \S+front.npz is damaged \(.*\) \(set aside as damaged-", result.stderr)
    assert "Delete it" not in result.stderr
    assert "4 cells: 1 to run, 3 on disk" in result.stderr


# --------------------------------------------------------------------------------------------------- report
def test_reports_in_every_form(suite, tmp_path):
    for form in ("table", "md", "csv"):
        text = render(load_report(suite), form=form)
        assert good("report", suite, "--format", form).stdout == text
        assert good("report", suite, "-f", form, "-o", tmp_path / f"r.{form}").stdout == ""
        assert (tmp_path / f"r.{form}").read_text() == text
    for name in ("r", "r.txt", "r.TXT"):
        good("report", suite, "-o", tmp_path / name)
        assert (tmp_path / name).read_text() == render(load_report(suite), form="table")


def test_a_report_of_chosen_indicators(suite):
    header = good("report", suite, "-f", "csv", "-i", "igd", "-i", "spacing").stdout.splitlines()[0]
    assert header.split(",")[-2:] == ["igd", "spacing"]
    timed = good("report", suite, "-f", "csv", "--times").stdout.splitlines()[0]
    assert timed.split(",")[-2:] == ["wall_seconds", "cpu_seconds"]


def test_every_indicator_can_be_reported(suite):
    flags = [flag for name in INDICATORS for flag in ("-i", name)]
    assert set(INDICATORS) <= set(good("report", suite, *flags).stdout.splitlines()[0].split())


def test_a_report_of_one_saved_search():
    good(*SEARCH, "-o", "x")
    said = good("report", "x").stdout
    assert "zdt1:dim=3" in said
    assert "nsga2:population=20" in said


@pytest.mark.parametrize("said", ["dirichlet:alpha=0.5", "0.2,0.8;0.5,0.5"])
def test_a_search_that_followed_given_preferences_is_reported_and_drawn(said):
    good("search", "toy", "-m", "toy-conditional", "--preferences", said, "-b", "60", "-o", "x")
    for form in ("table", "md", "csv"):
        assert "toy-conditional:preferences=" in good("report", "x", "-f", form).stdout
    good("plot", "convergence", "x", "-o", "x.pdf")


def test_bad_reports_are_refused(suite, tmp_path):
    assert "Unknown format 'doc'. Known: csv, html, latex, md, table" in refused("report", suite, "-f", "doc")
    assert "Did you mean 'igd_plus'?" in refused("report", suite, "-i", "igdplus")
    assert "nowhere holds neither a suite nor a finished search" in refused("report", "nowhere", code=1)
    assert "`--out` should end in .txt, .md, .csv, .tex, .html, or `--format` say" in refused(
        "report", suite, "-o", "r.doc"
    )
    assert not Path("r.doc").exists()
    message = refused("report", suite, "-o", tmp_path / "no" / "r.md", code=1)
    assert str(tmp_path / "no" / "r.md") in message
    assert "Errno" not in message


# --------------------------------------------------------------------------------------------------- plot
@pytest.mark.parametrize("ending", MAGIC)
@pytest.mark.parametrize("what", ["front", "convergence"])
def test_plots_are_drawn_in_every_format(suite, tmp_path, what, ending):
    out = tmp_path / f"{what}{ending}"
    assert str(out) in good("plot", what, suite, "-o", out).stdout
    assert out.read_bytes().startswith(MAGIC[ending])
    before = out.read_bytes()
    good("plot", what, suite, "-o", out)
    assert out.read_bytes() == before


@pytest.mark.parametrize("what", ["front", "convergence"])
def test_one_saved_search_can_be_plotted(tmp_path, what):
    good(*SEARCH, "-o", "x")
    good("plot", what, "x", "-o", "x.svg")
    assert (tmp_path / "x.svg").exists()


def test_another_ending_is_refused_and_leaves_nothing(suite, tmp_path):
    for name in ("front.jpg", "front", "front.pdf.gz"):
        assert "should end in .pdf, .svg, .png" in refused("plot", "front", suite, "-o", tmp_path / name)
        assert not (tmp_path / name).exists()
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]


def test_a_plot_of_several_problems_asks_which(tmp_path):
    good("bench", "smoke", "--seeds", "1", "-m", "random", "-p", "zdt1:dim=3", "-p", "zdt2:dim=3", "-o", "x")
    message = refused("plot", "front", "x", "-o", "f.pdf")
    assert re.search(r"x holds several problems: zdt1:dim=3, zdt2:dim=3. Choose one with -p.", message)
    good("plot", "front", "x", "-p", "zdt2:dim=3", "-o", "f.pdf")
    assert "Did you mean 'zdt1:dim=3'?" in refused("plot", "front", "x", "-p", "zdt1:dim=4", "-o", "f.pdf")


def test_seeds_of_a_front_plot(suite, tmp_path):
    for seed in (0, 1):
        good("plot", "front", suite, "-s", seed, "-o", f"{seed}.svg")
    assert (tmp_path / "0.svg").read_bytes() != (tmp_path / "1.svg").read_bytes()
    assert "There is no seed 9. Known: 0, 1." in refused("plot", "front", suite, "-s", "9", "-o", "x.svg")


def test_plots_that_cannot_be_written_or_read_are_refused(suite, tmp_path):
    assert "nowhere" in refused("plot", "front", "nowhere", "-o", "x.pdf", code=1)
    assert "no/x.pdf" in refused("plot", "front", suite, "-o", "no/x.pdf", code=1)
