"""Words and numbers: breaking, escaping, ticks; labels at the ends of lines."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.lines import Line2D
from matplotlib.text import Text

from moo.plots import paper_style
from moo.plots.style import COLUMN, new_figure
from moo.plots.words import (
    DIRECT_LABELS,
    fold_names,
    label_lines,
    literal,
    names_below,
    number_logarithm,
    shared_legend,
    spread,
    text_width,
    tick_number,
    within,
    wrapped,
)


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
    with paper_style():
        labels, placed = names_below(["Young's modulus (GPa)", "mass", "$E$ (eV)"], ["max", "min", "max"], 2.4)
        lines = [line for label in labels for line in label.split("\n")]
        assert max(text_width(line, 7) for line in lines) <= 2.4 * 72 / 3
    assert labels == ["Young's modulus\n(GPa) (max)", "mass (min)", "$E$ (eV) (max)"]
    assert "rotation" not in placed


def test_names_below_are_slanted_where_a_word_is_too_long():
    with paper_style():
        labels, placed = names_below(["electroluminescence", "mass"], ["max", "min"], 1.0)
    assert labels == ["electroluminescence (max)", "mass (min)"]
    assert placed["rotation"] == 30


def test_names_without_directions_are_broken_too():
    with paper_style():
        labels, _ = names_below(["zdt1:dim=30", "zdt2"], None, 0.9)
    assert labels == ["zdt1:\ndim=30", "zdt2"]


def test_mathematics_is_never_broken():
    with paper_style():
        assert wrapped("energy $E = m c^2$ of it", 10) == ["energy", "$E = m c^2$", "of", "it"]
        assert wrapped("one two", 500) == ["one two"]
        assert wrapped("a $ b", 500) == [r"a \$ b"]


def test_text_is_wider_in_larger_letters():
    with paper_style():
        small, large = text_width("hypervolume", 7), text_width("hypervolume", 14)
    with paper_style("slides"):
        assert text_width("hypervolume", 7) > 1.9 * small
    assert large == pytest.approx(2 * small, rel=0.05)
    assert 30 < small < 50


# --------------------------------------------------------------------------------------------------- drawing
def test_a_legend_takes_as_many_columns_as_fit():
    with paper_style():
        figure = new_figure(COLUMN, 0.75)
        shared_legend(figure, [Line2D([], [], label=f"method {i}") for i in range(9)])
        assert 2 <= figure.legends[-1]._ncols <= 5
        assert len(figure.legends) == 1
        assert figure.legends[0].get_window_extent().width <= figure.bbox.width


def lines_to(ends, labels=None):
    """Axes in a column with a line from 0 to each end `(x, y)`."""
    figure = new_figure(COLUMN, 0.7)
    axes = figure.add_subplot(xlim=(0, 1), ylim=(0, 1))
    names = labels or [f"m{i}" for i in range(len(ends))]
    handles = [axes.plot([0, x], [0, y], label=name)[0] for (x, y), name in zip(ends, names, strict=True)]
    return figure, axes, handles


def test_lines_that_end_at_the_right_bear_their_labels_there():
    with paper_style():
        figure, axes, handles = lines_to([(1, 0.2), (0.99, 0.8)])
        label_lines(figure, axes, handles)
    assert [text.get_text() for text in axes.texts] == ["m0", "m1"]
    assert not figure.legends
    assert axes.get_xlim() == (0, 1)


@pytest.mark.parametrize(
    ("ends", "labels"),
    [([(1, 0.2), (0.5, 0.8)], None), ([(1, 0.1 * i) for i in range(DIRECT_LABELS + 1)], None), ([(1, 1)], ["m" * 30])],
    ids=["ends early", "many", "long"],
)
def test_other_lines_have_a_legend(ends, labels):
    with paper_style():
        figure, axes, handles = lines_to(ends, labels)
        label_lines(figure, axes, handles)
    assert not axes.texts
    assert len(figure.legends[0].get_texts()) == len(ends)


def test_labels_stay_within_the_height_of_the_axes():
    with paper_style():
        figure, axes, handles = lines_to([(1, 0.0)] * DIRECT_LABELS)
        label_lines(figure, axes, handles)
        figure.draw_without_rendering()
        low = axes.get_window_extent().y0
        boxes = sorted(Text.get_window_extent(text).y0 for text in axes.texts)  # without the leader
    assert boxes[0] >= low - 2
    assert all(b - a > 8 for a, b in itertools.pairwise(boxes))


@pytest.mark.parametrize(("low", "high"), [(100, 1000), (1, 3), (0.01, 1e5), (1e-9, 1e-2)])
def test_a_logarithmic_axis_has_a_few_numbers(low, high):
    with paper_style():
        figure = new_figure(COLUMN, 0.7)
        axes = figure.add_subplot(xscale="log", xlim=(low, high))
        number_logarithm(axes.xaxis, low, high)
        figure.draw_without_rendering()
        shown = [label for label in axes.get_xticklabels(which="both") if label.get_text()]
    inside = [label for label in shown if low <= label.get_position()[0] <= high]
    assert 2 <= len(inside) <= 8


def test_names_of_axes_are_folded_to_leave_room():
    with paper_style():
        figure = new_figure(COLUMN, 0.7)
        axes = figure.add_subplot(xlabel="a name of an axis that is far too long for its column, really", ylabel="b")
        fold_names(figure)
        lines = axes.get_xlabel().split("\n")
        assert len(lines) == 2
        assert max(text_width(line, 8) for line in lines) < 0.62 * 72 * COLUMN
    assert axes.get_ylabel() == "b"


# --------------------------------------------------------------------------------------------------- labels apart
@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=8), st.floats(0.1, 30))
def test_spread_keeps_order_and_gap_and_moves_nothing_that_is_free(places, gap):
    before = np.array(places)
    after = spread(before, gap)
    order = np.argsort(before, kind="stable")
    assert (np.diff(after[order]) >= gap - 1e-9).all()
    assert after.mean() == pytest.approx(before.mean(), abs=1e-9)
    if (np.diff(before[order]) >= gap).all():
        np.testing.assert_allclose(after, before, atol=1e-9)


def test_spread_centres_a_block_on_its_members():
    assert spread(np.array([0.0, 0.0, 100.0]), 10).tolist() == [-5, 5, 100]


def test_places_are_pushed_within_and_stay_apart():
    assert within(np.array([-5.0, 5.0, 100.0]), 10, 0, 90).tolist() == [0, 10, 90]
    assert within(np.array([95.0, 105.0]), 10, 0, 100).tolist() == [90, 100]
    assert within(np.array([50.0, 60.0]), 10, 0, 100).tolist() == [50, 60]
    assert within(np.array([0.0, 10.0, 20.0]), 10, 0, 5).tolist() == [0, 10, 20]  # no room: above the floor
