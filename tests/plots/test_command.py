"""`moo plot`: every kind from a folder, what it chooses, and what it refuses."""

import pytest
from typer.testing import CliRunner

import moo
from moo.benchmarks import Suite, run
from moo.cli import app
from moo.cli.plot import KINDS, Asked
from moo.plots import PLOTS

CHOICES = {
    "front": ["-p", "zdt1:dim=3"],
    "matrix": ["-p", "dtlz2:dim=4"],
    "parallel": ["-p", "dtlz2:dim=4"],
    "attainment": ["-p", "zdt1:dim=3"],
    "eaf-difference": ["-p", "zdt1:dim=3"],
    "convergence": ["-p", "zdt1:dim=3", "--against", "seconds"],
    "regret": ["-p", "dtlz2:dim=4"],
    "ecdf": ["-p", "dtlz2:dim=4"],
    "box": [],
    "violin": ["-i", "igd_plus"],
    "heatmap": ["-m", "random"],
    "critical-difference": ["--how", "nemenyi"],
    "runtime": [],
    "petal": ["-p", "dtlz2:dim=4", "-m", "random", "--row", "0", "--row", "2"],
    "ternary": ["-p", "dtlz2:dim=4", "-m", "random", "-s", "1"],
}


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    run(Suite("s", ("zdt1:dim=3", "dtlz2:dim=4"), ("nsga2:population=12", "random"), (0, 1), 60), folder, workers=1)
    return folder


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conditional") / "x"
    moo.pareto_search("hypergrid:height=4", "mogfn", budget=256, seed=0, progress=False).save(folder)
    return folder


def plot(*arguments):
    return CliRunner().invoke(app, ["plot", *map(str, arguments)])


def refused(*arguments):
    result = plot(*arguments)
    assert result.exit_code == 2
    return result.output


@pytest.mark.parametrize("kind", CHOICES)
def test_every_kind_is_drawn_from_a_folder(suite, tmp_path, kind):
    result = plot(kind, suite, *CHOICES[kind], "-o", tmp_path / "x.svg", "--style", "ieee")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'x.svg'}\n"
    assert (tmp_path / "x.svg").read_bytes().startswith(b"<?xml")


def test_a_conditional_method_answers_a_sweep(conditional, tmp_path):
    assert plot("sweep", conditional, "-o", tmp_path / "x.pdf").exit_code == 0
    found = KINDS["sweep"].gather(Asked(conditional, [], [], None, "hypervolume"))
    solutions = found["data"].sample([[0.5, 0.5], [1.0, 0.0]])
    objectives = moo.get_problem("hypergrid:height=4").evaluate(solutions)
    assert found["evaluate"](solutions).tolist() == getattr(objectives, "objectives", objectives).tolist()


def test_every_kind_is_wired():
    assert set(KINDS) == set(PLOTS) == {*CHOICES, "sweep"}


def test_methods_are_chosen_with_and_without_their_options(suite):
    def methods(*wanted):
        results = KINDS["eaf-difference"].gather(Asked(suite, ["zdt1:dim=3"], list(wanted), None, ""))["data"]
        return [result.config["method"] for result in results]

    assert methods() == ["nsga2"] * 2 + ["random"] * 2
    assert methods("nsga2") == methods("nsga2:population=12") == ["nsga2"] * 2


def test_the_best_hypervolume_is_that_of_the_known_front(suite):
    found = KINDS["regret"].gather(Asked(suite, ["zdt1:dim=3"], [], None, ""))
    assert 0.87 < found["best"] < 0.8767  # 2/3 + .21 and a sample of the front lacks a little
    assert set(KINDS["ecdf"].gather(Asked(suite, [], [], None, ""))["best"]) == {"zdt1:dim=3", "dtlz2:dim=4"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["surface"], "Unknown plot 'surface'"),
        (["front", "-p", "zdt1:dim=3", "--style", "icm"], "Unknown style 'icm'. Did you mean 'icml'?"),
        (["front", "-p", "zdt1:dim=3", "-i", "r2"], "`--indicator` is for box, violin, heatmap, critical-difference"),
        (["box", "--row", "1"], "`--row` is for petal. A plot of box takes none: leave it out."),
        (["box", "-s", "1"], "`--seed` is for front, matrix, parallel, petal, ternary, sweep."),
        (["front", "-p", "zdt1:dim=3", "-p", "dtlz2:dim=4"], "This plot is of one problem. Found zdt1:dim=3, dtlz2"),
        (["box", "-p", "zdt1:dim=4"], "Unknown problem 'zdt1:dim=4'. Did you mean 'zdt1:dim=3'?"),
        (["front", "-p", "zdt1:dim=3", "-m", "nsga"], "Unknown method 'nsga'. Did you mean 'nsga2'?"),
        (["petal", "-p", "dtlz2:dim=4"], "This plot is of one search. Found nsga2:population=12, random: choose one"),
        (["ternary", "-p", "zdt1:dim=3", "-m", "random"], "ternary maps is for 3 objectives. Found 2"),
        (["sweep", "-p", "zdt1:dim=3", "-m", "random"], "Found none: 'random' takes no preferences"),
        (["box", "-i", "hypervolum"], "Unknown indicator 'hypervolum'"),
        (["front", "-p", "zdt1:dim=3", "--width", "-1"], "`width` should be a positive number"),
    ],
)
def test_what_cannot_be_drawn_is_refused(suite, tmp_path, arguments, message):
    said = " ".join(refused(arguments[0], suite, *arguments[1:], "-o", tmp_path / "x.pdf").split())
    assert message in said
    assert not (tmp_path / "x.pdf").exists()
