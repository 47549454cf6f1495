"""`moo report` as a person meets it."""

import pytest
from typer.testing import CliRunner

from moo.benchmarks import Suite, load_report, run
from moo.benchmarks.reports.rendering import FORMATS, SECTIONS, render
from moo.cli import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("suite")
    run(Suite("s", ("zdt1:dim=3", "zdt2:dim=3"), ("random:batch=20", "nsga2:population=20"), (0, 1, 2, 3), 100), out)
    return out


def call(*arguments):
    result = CliRunner().invoke(app, ["report", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result


def good(*arguments):
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments):
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_comes_in_every_format(folder, form, section):
    expected = render(load_report(folder), form=form, sections=[section])
    assert good(folder, "-f", form, "-s", section) == expected


def test_flags_reach_the_report(folder):
    report = load_report(folder)
    assert good(folder, "--control", "nsga2", "--alpha", 0.2) == render(report, control="nsga2", alpha=0.2)
    assert good(folder, "-s", "ranks", "--nemenyi") == render(report, sections=["ranks"], how="nemenyi")
    assert good(folder, "-s", "targets", "--targets", "0.1,0.3") == render(
        report, sections=["targets"], targets=(0.1, 0.3)
    )
    assert good(folder, "-i", "area", "-s", "all") == render(report, ("area",), sections=["all"])


@pytest.mark.parametrize(
    ("name", "form"), [("r.md", "md"), ("r.csv", "csv"), ("r.tex", "latex"), ("r.html", "html"), ("r.txt", "table")]
)
def test_the_ending_of_the_file_is_its_format(folder, tmp_path, name, form):
    assert good(folder, "-o", tmp_path / name) == ""
    assert (tmp_path / name).read_text() == render(load_report(folder), form=form)
    assert good(folder, "-o", tmp_path / name, "-f", "md") == ""
    assert (tmp_path / name).read_text() == render(load_report(folder), form="md")


def test_the_default_is_short(folder):
    assert len(good(folder).split("\n\n")[0].splitlines()) == 5
    assert len(good(folder).splitlines()) < 16


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-s", "rank"], "Unknown section 'rank'. Did you mean 'ranks'?"),
        (["-f", "pdf"], "Unknown format 'pdf'."),
        (["--control", "nsga"], "Unknown control 'nsga'."),
        (["-s", "ranks", "--control", "nsga2"], "`control` is for the section summary. Found ranks"),
        (["--targets", "0.5"], "`targets` is for the section profile or targets. Found summary"),
        (["-s", "profile", "--targets", "half"], "`--targets` should be numbers separated by commas. Found 'half'."),
        (["-s", "profile", "--targets", "50"], "above 0 and at most 1, as in 0.5,0.9. Found [50.0]."),
        (["--times"], "`times` is for the section runs. Found summary"),
        (["-s", "all", "-f", "csv"], "`csv` holds one table: choose one section."),
    ],
)
def test_bad_input_is_refused_in_one_line(folder, arguments, said):
    message = refused(folder, *arguments)
    assert said in message
    assert len(message.splitlines()) == 1
