"""Boxes and violins: the data against the table, the drawing by its artists."""

import numpy as np
import pandas as pd
import pytest

from moo.benchmarks.perf.plots import table
from moo.plots import box_data, draw_box, plot_box, plot_violin
from moo.plots.style import COLUMN, PAGE

SCORES = table(["p", "q"], ["b", "a", "c"], 5)


def test_values_are_those_of_the_table():
    data = box_data(SCORES, "igd_plus")
    assert (data.methods, data.higher_is_better) == (("b", "a", "c"), False)
    assert [panel.problem for panel in data.panels] == ["p", "q"]
    for panel in data.panels:
        for method, values in zip(data.methods, panel.values, strict=True):
            rows = SCORES[(SCORES["problem"] == panel.problem) & (SCORES["method"] == method)]
            assert values.tolist() == rows["igd_plus"].tolist()


def test_infinite_values_are_left_out_and_counted():
    scores = SCORES.copy()
    scores.loc[[0, 3], "igd_plus"] = np.inf
    panel = box_data(scores, "igd_plus").panels[0]
    assert [len(values) for values in panel.values] == [3, 5, 5]
    assert panel.runs == (5, 5, 5)
    axes = plot_box(scores, indicator="igd_plus").axes[0]
    assert [text.get_text() for text in axes.texts] == ["2 of 5 infinite"]


def test_one_seed_is_refused():
    with pytest.raises(ValueError, match=r"A plot of spread over seeds needs at least two runs.*Found 1 of 'b'"):
        plot_box(table(["p"], ["b"], 1))


def test_what_is_no_table_is_refused():
    with pytest.raises(TypeError, match="`scores` should be a table"):
        plot_violin([1.0, 2.0])


def test_every_run_is_a_point_and_the_box_has_their_quartiles():
    figure = plot_box(SCORES)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a", "c"]
    values = box_data(SCORES).panels[0].values[0]
    box = axes.patches[0].get_path().vertices[:, 0]
    assert (box.min(), box.max()) == pytest.approx(tuple(np.quantile(values, (0.25, 0.75))))
    points = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert points[0].get_xdata().tolist() == values.tolist()
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first method on top


def test_a_violin_has_the_median():
    axes = plot_violin(SCORES).axes[0]
    lines = [collection for collection in axes.collections if len(collection.get_paths()) == 1]
    places = {
        round(float(path.vertices[0, 0]), 9) for one in lines for path in one.get_paths() if len(path.vertices) == 2
    }
    assert places == {round(float(np.median(values)), 9) for values in box_data(SCORES).panels[0].values}


def test_equal_values_and_a_missing_method_can_be_drawn():
    scores = pd.DataFrame(
        {"problem": list("ppppq"), "method": list("aabba"), "seed": [0, 1, 0, 1, 0], "hypervolume": 0.5}
    )
    for plot in (plot_box, plot_violin):
        assert len(plot(scores).axes) == 2


def test_one_problem_takes_a_column_and_several_the_page():
    assert plot_box(SCORES[SCORES["problem"] == "p"]).get_figwidth() == COLUMN
    assert plot_box(SCORES).get_figwidth() == PAGE
    assert plot_box(SCORES, width=5).get_figwidth() == 5


def test_it_draws_on_axes_of_ones_own():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    draw_box(axes, box_data(SCORES), 1)
    assert axes.get_title() == "q"
    assert axes.get_xlabel() == "hypervolume (higher is better)"
