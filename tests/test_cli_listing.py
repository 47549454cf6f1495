"""`moo list NAME`: what one problem, method or tuner is and takes."""

import pytest
from typer.testing import CliRunner

from moo.benchmarks.peers import PEERS
from moo.benchmarks.suites import SUITES
from moo.cli import app
from moo.cli.listing import registries
from moo.generators import GENERATORS
from moo.registry import parse_value, resolve, summary
from moo.tuners import TUNERS


def listed(name):
    found = CliRunner().invoke(app, ["list", name])
    assert (found.exit_code, found.stderr) == (0, "")
    return found.stdout.splitlines()


@pytest.mark.parametrize(
    ("what", "registry"), [("method", GENERATORS), ("tuner", TUNERS), ("peer", PEERS)], ids=lambda it: str(it)[:6]
)
def test_every_option_stands_with_its_default_and_its_meaning(what, registry):
    for name in registry:
        if registry[name].startswith(("inputs:", "faults:")):  # of other tests
            continue
        lines = listed(name)
        assert any(line.startswith(f"{name} ({what})") and summary(registry[name]) in line for line in lines)
        for option, declared in resolve(registry, name, what).options.items():
            line = next(line for line in lines if line.split()[:1] == [option] and line.startswith("  "))
            default = line.split()[1].rstrip(":")
            assert (default if isinstance(declared.default, str) else parse_value(default)) == declared.default
            assert line.endswith(declared.help)
            assert all(str(choice).lower() in line.lower() for choice in declared.choices or ())


def test_what_a_method_takes_is_said():
    ours = "  takes       vector problems or others encoded as one, with or without constraints; no preferences"
    assert listed("nsga2")[1] == ours
    assert listed("moead")[1].endswith("vector problems or others encoded as one, without constraints; no preferences")
    assert listed("mogfn")[1].endswith(
        "construction problems or others encoded as one, without constraints; preferences"
    )
    assert "of at most 10 objectives" in listed("bayesian")[1]


def test_ranges_and_choices_are_in_brackets():
    assert "  population  100 (2 to 100000): rows of a generation" in listed("nsga2")
    assert any(line.split()[:3] == ["kernel", "auto", "(auto,"] for line in listed("bayesian"))


def test_a_name_of_two_things_shows_both():
    heads = [line.split("  ")[0] for line in listed("bayesian") if not line.startswith(" ")]
    assert heads == ["bayesian (method)", "bayesian (tuner)"]


def test_the_options_of_a_problem_are_its_constructors():
    assert [line.split() for line in listed("dtlz2")[1:]] == [
        ["num_objectives", "3"],
        ["dim", "none"],
        ["noise", "0.0"],
    ]


def test_a_suite_is_listed_in_a_line_and_shown_whole():
    lines = CliRunner().invoke(app, ["list", "suites"]).stdout.splitlines()
    assert max(map(len, lines)) < 200
    assert "zdt1, dtlz2 x random, nsga2 x 2 seeds x budget 300" in next(line for line in lines if "smoke" in line)
    assert "50 problems x random, nsga2, moead, sms-emoa x 1 seed x" in next(line for line in lines if "bbob" in line)
    for name, suite in SUITES.items():
        whole = "\n".join(listed(name))
        assert all(str(entry) in whole for entry in (*suite.problems, *suite.methods))
    assert "  budget    random: " in "\n".join(listed("quickstart"))


@pytest.mark.parametrize("name", ["hypervolume", "front"])
def test_what_has_no_options_has_its_line(name):
    (line,) = listed(name)
    assert line.startswith(f"{name} (")


@pytest.mark.parametrize(
    ("name", "near"), [("method", "'methods'"), ("nsga", "'nsga2' or 'nsga3'"), ("hypervolum", "'hypervolume'")]
)
def test_an_unknown_name_is_refused_and_the_nearest_suggested(name, near):
    found = CliRunner().invoke(app, ["list", name])
    assert found.exit_code == 2
    said = " ".join(found.stderr.split())
    assert said.startswith(
        "Error: `moo list` takes problems, methods, peers, suites, tuners, indicators, plots, or a name"
    )
    assert said.endswith(f"Found {name!r}. Did you mean {near}?")


def test_nothing_is_suggested_where_nothing_is_near():
    assert CliRunner().invoke(app, ["list", "xyzzy"]).stderr.strip().endswith("Found 'xyzzy'.")


def test_every_listing_is_named_in_the_help():
    said = " ".join(CliRunner().invoke(app, ["list", "--help"]).stdout.replace("\u2502", " ").split())
    assert all(title in said for title in registries())
