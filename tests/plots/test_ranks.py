"""Critical differences: ranks against scipy, the drawing by its artists."""

import numpy as np
import pytest
from scipy.stats import rankdata

from moo.benchmarks.perf.plots import table
from moo.plots import draw_ranks, plot_ranks, rank_data
from moo.plots.style import COLUMN, PAGE

SCORES = table([f"p{i}" for i in range(6)], ["b", "a", "c"], 3)


@pytest.mark.parametrize(("indicator", "sign"), [("hypervolume", -1), ("igd_plus", 1)])
def test_ranks_are_means_over_problems(indicator, sign):
    found = rank_data(SCORES, indicator).comparison
    medians = SCORES.groupby(["problem", "method"])[indicator].median().unstack()
    wanted = dict(zip(medians.columns, rankdata(sign * medians.to_numpy(), axis=1).mean(axis=0), strict=True))
    assert dict(zip(found.names, found.ranks, strict=True)) == pytest.approx(wanted)
    assert found.problems == 6


def test_names_stand_best_first_half_at_each_side_with_their_ranks():
    figure = plot_ranks(SCORES)
    (axes,) = figure.axes
    found = rank_data(SCORES).comparison
    assert [text.get_text() for text in axes.texts] == [
        f"{name} {rank:.2f}" for name, rank in zip(found.names, found.ranks, strict=True)
    ]
    assert [text.get_ha() for text in axes.texts] == ["right", "right", "left"]
    assert "average rank by hypervolume over 6 problems" in figure.get_suptitle()


def test_a_bar_per_group_joins_its_members():
    found = rank_data(SCORES).comparison
    (axes,) = plot_ranks(SCORES).axes
    place = dict(zip(found.names, found.ranks, strict=True))
    dots = [sorted(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"]
    assert dots == [sorted(place[name] for name in group) for group in found.groups]
    assert found.groups
    bars = [
        sorted(line.get_xdata()) for line in axes.lines if line.get_color() == "black" and line.get_marker() == "None"
    ]
    assert bars == [[members[0], members[-1]] for members in dots]


def test_nemenyis_difference_is_drawn_to_scale():
    found = rank_data(SCORES, how="nemenyi").comparison
    (axes,) = plot_ranks(SCORES, how="nemenyi").axes
    (ruler,) = [line for line in axes.lines if line.get_marker() == "|"]
    assert np.ptp(ruler.get_xdata()) == pytest.approx(found.difference)
    assert axes.texts[-1].get_text() == f"critical difference {found.difference:.2f}"


def test_many_or_long_names_take_the_page():
    assert plot_ranks(SCORES).get_figwidth() == COLUMN
    assert plot_ranks(table(["p", "q"], [f"a method number {i}" for i in range(8)], 1)).get_figwidth() == PAGE


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (table(["p", "q"], ["a"], 2), r"at least two methods\. Found a alone"),
        (table(["p"], ["a", "b"], 2), r"at least two problems\. Found p alone"),
        (SCORES[(SCORES["problem"] != "p2") | (SCORES["method"] != "a")], r"Found no value of 'a' on p2: run it there"),
    ],
    ids=["one method", "one problem", "unequal problems"],
)
def test_what_cannot_be_ranked_is_refused(scores, message):
    with pytest.raises(ValueError, match=message):
        plot_ranks(scores)


def test_an_unknown_way_to_compare_is_refused():
    with pytest.raises(ValueError, match=r"`how`.*'t-test'.*nemenyi"):
        plot_ranks(SCORES, how="t-test")


def test_it_draws_on_axes_of_ones_own():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    draw_ranks(axes, rank_data(SCORES))
    assert axes.get_xlim() == (1, 3)
    assert "average rank" in axes.get_xlabel()
