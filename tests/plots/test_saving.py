"""Saving: the same bytes, fonts, formats, errors."""

import os

import pytest

from moo.benchmarks.perf.plots import made
from moo.plots import paper_style, plot_front, save_figure
from moo.plots.saving import paper_figure
from moo.plots.style import COLUMN, new_figure
from moo.plots.words import shared_legend


def result():
    return made([[0.0, 1.0], [0.5, 0.4], [1.0, 0.0]])


def drawn():
    """A figure with a bit of everything: text, mathematics, markers, a band."""
    with paper_style():
        figure = new_figure(COLUMN, 0.75)
        axes = figure.add_subplot()
        axes.plot([0, 1, 2], [2, 1, 0], "o-", label="a")
        axes.fill_between([0, 1, 2], [1, 0, -1], [3, 2, 1], alpha=0.2)
        axes.set(xlabel="cost (min)", ylabel=r"$E_\mathrm{gap}$ (max)")
        shared_legend(figure, axes.lines)
    return figure


# --------------------------------------------------------------------------------------------------- saving
@pytest.mark.parametrize("ending", [".pdf", ".svg", ".png"])
def test_the_same_figure_gives_the_same_bytes(tmp_path, ending):
    figure = drawn()
    paths = [save_figure(figure, tmp_path / f"{i}{ending}") for i in range(3)] + [
        save_figure(drawn(), tmp_path / f"again{ending}")
    ]
    assert len({path.read_bytes() for path in paths}) == 1
    assert sorted(tmp_path.iterdir()) == sorted(paths)  # no temporary file stays


def test_saving_leaves_the_figure_as_it_was(tmp_path):
    figure = plot_front(result())
    (axes,) = figure.axes
    before = axes.get_position().bounds
    save_figure(figure, tmp_path / "a.pdf")
    assert axes.get_position().bounds == before
    assert axes.get_in_layout()


def test_fonts_in_a_pdf_are_truetype(tmp_path):
    content = save_figure(drawn(), tmp_path / "a.PDF").read_bytes()
    assert b"/Type3" not in content
    assert b"STIXGeneral" in content
    assert b"CreationDate" not in content


def test_svg_letters_are_outlines_and_bear_no_date(tmp_path):
    content = save_figure(drawn(), tmp_path / "a.svg").read_text()
    assert "<text" not in content
    assert "<dc:date>" not in content


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.pgf.txt"])
def test_another_ending_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"should end in \.pdf, \.svg, \.png.*Found .*" + name):
        save_figure(drawn(), tmp_path / name)


def test_an_error_while_writing_names_the_file_and_leaves_the_old_one(tmp_path):
    with pytest.raises(OSError, match=r"could not be written.*a\.pdf"):
        save_figure(drawn(), tmp_path / "missing" / "a.pdf")
    (tmp_path / "b.pdf").mkdir()
    with pytest.raises(OSError, match=r"could not be written.*b\.pdf"):
        save_figure(drawn(), tmp_path / "b.pdf")
    assert [path.name for path in tmp_path.iterdir()] == ["b.pdf"]


# --------------------------------------------------------------------------------------------------- PGF, styles
def test_pgf_without_a_tex_engine_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ValueError, match=r"needs a TeX engine \(xelatex, lualatex, pdflatex\).*Found none: install one"
    ):
        save_figure(drawn(), tmp_path / "a.pgf")
    assert list(tmp_path.iterdir()) == []


def test_a_tex_engine_that_fails_is_named(tmp_path, monkeypatch):
    engine = tmp_path / "bin" / "lualatex"
    engine.parent.mkdir()
    engine.write_text("#!/bin/sh\nexit 3\n")
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{engine.parent}{os.pathsep}/bin{os.pathsep}/usr/bin")
    with pytest.raises(RuntimeError, match="lualatex failed"):
        save_figure(drawn(), tmp_path / "a.pgf")
    assert not (tmp_path / "a.pgf").exists()


def test_a_figure_is_saved_in_its_own_style(tmp_path):
    with paper_figure(tmp_path / "a.pdf", "slides", None, 0.5) as figure:
        figure.add_subplot().set(xlabel=r"$E$ of it")
    assert figure.style == "slides"
    assert figure.get_size_inches().tolist() == [8.0, 4.0]
    content = (tmp_path / "a.pdf").read_bytes()
    assert b"DejaVuSans" in content
    assert b"STIX" not in content
    assert save_figure(figure, tmp_path / "b.pdf").read_bytes() == content


@pytest.mark.parametrize(
    ("style", "page", "width"), [("icml", True, 6.75), ("ieee", False, 3.5), ("neurips", True, 5.5)]
)
def test_a_figure_takes_the_column_or_the_page_of_its_style(style, page, width):
    with paper_figure(None, style, None, 0.5, page=page) as figure:
        assert figure.get_figwidth() == width
