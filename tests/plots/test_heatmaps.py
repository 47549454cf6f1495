"""Heat maps: medians and shades against literal loops, the drawing by its artists."""

import numpy as np
import pandas as pd
import pytest

from moo.benchmarks.perf.plots import table
from moo.plots import draw_heatmap, heatmap_data, plot_heatmap
from moo.plots.style import COLUMN, PAGE

SCORES = table(["p", "q", "r"], ["b", "a", "c"], 5)


@pytest.mark.parametrize(("indicator", "sign"), [("hypervolume", 1), ("igd_plus", -1)])
def test_shades_go_from_the_worst_to_the_best_of_each_problem(indicator, sign):
    data = heatmap_data(SCORES, indicator)
    assert (data.methods, data.problems) == (("b", "a", "c"), ("p", "q", "r"))
    for j, problem in enumerate(data.problems):
        rows = SCORES[SCORES["problem"] == problem]
        medians = [np.median(rows.loc[rows["method"] == method, indicator]) for method in data.methods]
        assert data.medians[:, j].tolist() == medians
        worst, best = (min, max)[sign < 0](medians), (max, min)[sign < 0](medians)
        for i, value in enumerate(medians):
            assert data.quality[i, j] == pytest.approx((value - worst) / (best - worst))


def small(values):
    """A table of one run of methods a, b, ... on one problem."""
    return pd.DataFrame({"problem": "p", "method": list("abcd")[: len(values)], "seed": 0, "igd": values})


@pytest.mark.parametrize(
    ("values", "quality"),
    [
        ([1.0, 3.0, 2.0], [1, 0, 0.5]),
        ([1.0, np.inf, 3.0], [1, 0, 0]),
        ([2.0, 2.0], [1, 1]),
        ([np.inf, np.inf], [0, 0]),
        ([2.0], [1]),
    ],
    ids=["plain", "infinite", "equal", "all infinite", "one"],
)
def test_equal_medians_are_all_best_and_infinite_ones_worst(values, quality):
    assert heatmap_data(small(values), "igd").quality[:, 0].tolist() == quality


def test_where_there_was_no_run_there_is_a_dash_and_no_shade():
    scores = SCORES[(SCORES["problem"] != "q") | (SCORES["method"] != "a")]
    data = heatmap_data(scores)
    assert np.isnan(data.quality[1, 1])
    figure = plot_heatmap(scores)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[4] == "\N{EN DASH}"
    assert len(texts) == 9


def test_the_best_median_of_each_problem_is_bold():
    figure = plot_heatmap(SCORES)
    bold = [text.get_text() for text in figure.axes[0].texts if text.get_weight() == "bold"]
    assert len(bold) == 3
    assert bold == [f"{value:.3f}".rstrip("0") for value in heatmap_data(SCORES).medians.max(axis=0)]


def test_numbers_that_do_not_fit_are_left_out():
    wide = table([f"p{i}" for i in range(14)], ["a", "b"], 1)
    assert len(plot_heatmap(wide, width=3.25).axes[0].texts) == 0
    assert len(plot_heatmap(wide, width=9).axes[0].texts) == 28


def test_many_problems_take_the_page():
    assert plot_heatmap(SCORES).get_figwidth() == COLUMN
    assert plot_heatmap(table([f"p{i}" for i in range(5)], ["a", "b"], 1)).get_figwidth() == PAGE


def test_it_draws_on_axes_of_ones_own():
    from matplotlib.figure import Figure

    data = heatmap_data(SCORES)
    image = draw_heatmap(Figure().add_subplot(), data)
    np.testing.assert_array_equal(image.get_array(), data.quality)


def test_what_is_no_table_is_refused():
    with pytest.raises(TypeError, match="`scores` should be a table"):
        plot_heatmap(None)
