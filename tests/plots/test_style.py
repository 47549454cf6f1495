"""The paper style, labels of runs, words and numbers, and saving to the same bytes."""

import math
import subprocess
import sys

import matplotlib
import pandas as pd
import pytest
import torch
from matplotlib.lines import Line2D

import moo.plots
from moo.base import Candidates
from moo.plots import PLOTS, paper_style, plot_front, save_figure
from moo.plots.style import (
    COLORS,
    COLUMN,
    LINES,
    MARKERS,
    check_results,
    literal,
    look,
    names_below,
    new_figure,
    run_labels,
    shared_legend,
    tick_number,
)
from moo.registry import resolve, summary
from moo.result import SearchResult


def result(method="nsga2", seed=0, problem="toy", options=None, preferences="auto"):
    objectives = torch.tensor([[0.0, 1.0], [0.5, 0.4], [1.0, 0.0]], dtype=torch.float64)
    front = Candidates.of(torch.zeros(3, 1), objectives)
    none = front.rows(slice(0))
    config = {
        "method": method,
        "problem": problem,
        "seed": seed,
        "options": options or {},
        "preferences": preferences,
        "unit": "evaluations",
        "objective_names": ["cost", "mass"],
        "directions": ["min", "min"],
    }
    record = {"reference_point": [1.1, 1.1], "used": 100}
    history = pd.DataFrame({"used": [100], "front_size": [3], "hypervolume": [0.5]})
    return SearchResult(front, none, none, none, none, history, config, record, lambda: None)


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


# --------------------------------------------------------------------------------------------------- the package
def test_importing_the_package_loads_no_matplotlib():
    code = (
        "import sys, moo.plots; heavy = {'matplotlib', 'torch', 'pandas'} & set(sys.modules); print(sorted(heavy)); "
        "assert callable(moo.plots.plot_front); assert 'matplotlib.pyplot' not in sys.modules"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("name", PLOTS)
def test_a_registered_plot_loads_and_says_what_it_is(name):
    assert resolve(PLOTS, name, "plot") is getattr(moo.plots, PLOTS[name].partition(":")[2])
    assert summary(PLOTS[name]).startswith("Draw ")


def test_public_names_are_functions_even_after_their_modules_are_loaded():
    import moo.plots.fronts
    import moo.plots.histories
    import moo.plots.style

    for name in set(moo.plots.__all__) - {"PLOTS"}:
        assert callable(getattr(moo.plots, name))
    assert set(moo.plots.__all__) <= set(dir(moo.plots))


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'plot_fronts'"):
        _ = moo.plots.plot_fronts


# --------------------------------------------------------------------------------------------------- the style
def test_the_style_ends_with_its_context_and_ignores_the_users_settings():
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30}):
        with paper_style():
            assert matplotlib.rcParams["pdf.fonttype"] == 42
            assert matplotlib.rcParams["font.size"] == 8
            assert matplotlib.rcParams["axes.facecolor"] == "white"
        assert matplotlib.rcParams["font.size"] == 30
        assert matplotlib.rcParams["axes.facecolor"] == "black"


def test_looks_differ_in_colour_in_marker_and_in_line():
    looks = [look(i) for i in range(len(COLORS))]
    assert len({one.color for one in looks}) == len({one.marker for one in looks}) == len(COLORS)
    assert len({(one.color, one.marker) for one in map(look, range(56))}) == 56
    assert len({(one.color, str(one.line)) for one in map(look, range(28))}) == 28
    assert math.gcd(len(COLORS), len(MARKERS)) == math.gcd(len(COLORS), len(LINES)) == 1


def test_no_colour_is_too_light_for_paper():
    def luminance(color):
        red, green, blue = matplotlib.colors.to_rgb(color)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    assert max(map(luminance, COLORS)) < 0.75


@pytest.mark.parametrize("width", [0, -1.0, float("nan"), float("inf"), "wide", True])
def test_a_width_that_is_no_positive_number_is_refused(width):
    with pytest.raises(ValueError, match="`width` should be a positive number of inches"):
        new_figure(width, 1.0)


def test_a_figure_has_the_width_asked_for_and_a_bounded_height():
    assert new_figure(5.0, 0.5).get_size_inches().tolist() == [5.0, 2.5]
    assert new_figure(5.0, 0.5, at_most=2.0).get_size_inches().tolist() == [5.0, 2.0]


def test_a_legend_takes_as_many_columns_as_fit():
    with paper_style():
        figure = new_figure(COLUMN, 0.75)
        shared_legend(figure, [Line2D([], [], label=f"method {i}") for i in range(9)])
        assert 2 <= figure.legends[-1]._ncols <= 5
        assert len(figure.legends) == 1
        assert figure.legends[0].get_window_extent().width <= figure.bbox.width


# --------------------------------------------------------------------------------------------------- results
def test_one_result_or_several_are_taken():
    one = result()
    assert check_results(one) == (one,)
    assert check_results([one, one]) == check_results(iter([one, one])) == (one, one)


@pytest.mark.parametrize("wrong", [3, "zdt1", {"a": 1}, [1]])
def test_what_is_no_result_is_refused(wrong):
    with pytest.raises(TypeError, match="Plots take a SearchResult or a list of them"):
        check_results(wrong)


def test_no_result_at_all_is_refused():
    with pytest.raises(ValueError, match="Found none"):
        check_results([])


def test_seeds_share_a_label():
    assert run_labels([result(seed=0), result(seed=1), result("random")]) == ["nsga2", "nsga2", "random"]


def test_labels_say_where_runs_of_one_method_differ():
    runs = [result(options={"population_size": n, "eta": 15}) for n in (50, 100)]
    assert run_labels(runs) == ["nsga2 (population_size=50)", "nsga2 (population_size=100)"]
    assert run_labels([result(problem=p) for p in ("zdt1", "zdt2")]) == ["nsga2 on zdt1", "nsga2 on zdt2"]
    assert run_labels([result(preferences=p) for p in ("uniform", [[0.5, 0.5]])]) == [
        "nsga2 (preferences=uniform)",
        "nsga2 (preferences=given)",
    ]
    assert run_labels([result(options={"a": 1}), result("random", options={"b": 2})]) == ["nsga2", "random"]


# --------------------------------------------------------------------------------------------------- words, numbers
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mass", "mass"),
        ("$f_1$", "$f_1$"),
        ("price ($/kg)", r"price (\$/kg)"),
        ("$a_b_c$", r"\$a_b_c\$"),
    ],
)
def test_dollars_that_are_no_mathematics_are_escaped(text, said):
    assert literal(text) == said


@pytest.mark.parametrize(
    ("value", "gap", "said"),
    [
        (0.0, 0.0, "0"),
        (7.0, 0.0, "7"),
        (1.53e-7, 2.25, "0"),
        (-1.53e-7, 2.25, "0"),
        (2.0, 2.0, "2"),
        (-0.125, 1.0, "\N{MINUS SIGN}0.12"),
        (998.312, 1.69, "998.31"),
        (15123.0, 15123.0, "15100"),
        (100.0, 100.0, "100"),
        (1.9e-7, 1.9e-7, r"$1.9\times10^{-7}$"),
        (2.5e8, 1e8, r"$2.5\times10^{8}$"),
        (1e-12, 2e-7, "0"),
        (3.0e-9, 0.0, r"$3\times10^{-9}$"),
    ],
)
def test_ticks_have_three_digits_of_the_gap(value, gap, said):
    assert tick_number(value, gap) == said


def test_names_below_are_broken_at_blanks():
    labels, placed = names_below(["Young's modulus (GPa)", "mass", "$E$ (eV)"], ["max", "min", "max"], 2.4)
    assert labels == ["Young's\nmodulus (GPa)\n(max)", "mass (min)", "$E$ (eV)\n(max)"]
    assert "rotation" not in placed


def test_names_below_are_slanted_where_a_word_is_too_long():
    labels, placed = names_below(["electroluminescence", "mass"], ["max", "min"], 1.0)
    assert labels == ["electroluminescence (max)", "mass (min)"]
    assert placed["rotation"] == 30


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


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.pgf"])
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
