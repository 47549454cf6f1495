"""The package's registry, and the styles of venues."""

import math
import subprocess
import sys

import matplotlib
import pytest

import moo.plots
from moo.plots import PLOTS, STYLES, paper_style
from moo.plots.style import COLORS, LINES, MARKERS, PaperFigure, look, new_figure, panels, scaled
from moo.registry import resolve, summary


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

    for name in set(moo.plots.__all__) - {"PLOTS", "STYLES"}:
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
    with paper_style():
        assert new_figure(5.0, 0.5).get_size_inches().tolist() == [5.0, 2.5]
        assert new_figure(5.0, 0.5, at_most=2.0).get_size_inches().tolist() == [5.0, 2.0]
    with paper_style("slides"):  # letters of twice the size
        assert new_figure(8.0, 0.9, at_most=2.0).get_size_inches().tolist() == [8.0, 4.0]


@pytest.mark.parametrize(
    ("style", "column", "page"), [("icml", 3.25, 6.75), ("neurips", 5.5, 5.5), ("ieee", 3.5, 7.16)]
)
def test_widths_are_those_of_the_venue(style, column, page):
    assert (STYLES[style].column, STYLES[style].page) == (column, page)
    assert new_figure(STYLES[style].column, 1.0).get_figwidth() == column


def test_slides_have_larger_letters_without_serifs():
    with paper_style("slides"):
        assert matplotlib.rcParams["font.family"] == ["DejaVu Sans"]
        assert matplotlib.rcParams["mathtext.fontset"] == "dejavusans"
        assert matplotlib.rcParams["font.size"] == 16
        assert matplotlib.rcParams["lines.linewidth"] == pytest.approx(2.2)
        assert matplotlib.rcParams["pdf.fonttype"] == 42
        assert scaled(3) == 6
    with paper_style("acm"):
        assert matplotlib.rcParams["font.family"][0] == "STIXGeneral"
        assert scaled(3) == 3


def test_an_unknown_style_is_refused():
    with (
        pytest.raises(ValueError, match=r"Unknown style 'icm'\. Did you mean 'icml'\? Known: acm, icml, ieee"),
        paper_style("icm"),
    ):
        pass


def test_a_figure_knows_its_style():
    assert PaperFigure().style == "icml"


@pytest.mark.parametrize(
    ("count", "grid"), [(1, (1, 1)), (2, (1, 2)), (3, (1, 3)), (4, (2, 2)), (5, (2, 3)), (7, (3, 3))]
)
def test_panels_stand_in_a_grid(count, grid):
    assert panels(count) == grid
