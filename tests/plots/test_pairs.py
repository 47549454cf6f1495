"""Pairs of objectives: the matrix and its projections by their artists."""

import numpy as np
import pytest

from moo.benchmarks.perf.plots import made, searches, sphere
from moo.plots import plot_matrix
from moo.plots.pairs import MOST
from moo.plots.style import PAGE


@pytest.mark.parametrize("m", [3, 4, MOST])
def test_every_pair_stands_once_in_the_lower_half(m):
    objectives = sphere(12, m, 0)
    figure = plot_matrix(made(objectives))
    assert figure.get_figwidth() == PAGE
    shown = [axes.lines[0].get_xydata() for axes in figure.axes]
    pairs = [(column, row) for row in range(1, m) for column in range(row)]
    assert len(shown) == len(pairs)
    for points, (i, j) in zip(shown, pairs, strict=True):
        np.testing.assert_array_equal(points, objectives[:, [i, j]])


def test_names_stand_at_the_left_and_below_alone():
    figure = plot_matrix(made(sphere(12, 4, 0)))
    names = [
        (
            axes.xaxis.label.get_text() * axes.xaxis.label.get_visible(),
            axes.yaxis.label.get_text() * axes.yaxis.label.get_visible(),
        )
        for axes in figure.axes
    ]
    left, none = "f{} (min)", ""
    assert names == [
        (none, left.format(2)),
        (none, left.format(3)),
        (none, none),
        (left.format(1), left.format(4)),
        (left.format(2), none),
        (left.format(3), none),
    ]


def test_the_known_front_lies_beneath_and_stands_in_the_legend():
    figure = plot_matrix(searches(3, 2, 1), reference_front=sphere(20, 3, 1))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["nsga2", "moead", "reference front"]
    assert all(axes.lines[0].get_zorder() < axes.lines[1].get_zorder() for axes in figure.axes)


@pytest.mark.parametrize(("m", "advice"), [(2, "draw a front"), (7, "draw them on parallel axes")])
def test_too_few_or_too_many_objectives_are_refused(m, advice):
    with pytest.raises(ValueError, match=rf"A plot of pairs is for 3 to 6 objectives\. Found {m}: {advice}"):
        plot_matrix(made(sphere(5, m, 0)))


def test_nothing_feasible_is_a_figure_that_says_so():
    figure = plot_matrix(made(np.empty((0, 4))))
    assert [text.get_text() for axes in figure.axes for text in axes.texts] == ["nothing feasible"]
