"""Runtime against quality: quartiles against numpy, the drawing by its artists."""

import numpy as np
import pytest

from moo.benchmarks.perf.plots import table
from moo.plots import draw_runtime, plot_runtime, runtime_data

SCORES = table(["p", "q"], ["b", "a"], 5)


def test_quartiles_are_those_of_each_method_and_problem():
    data = runtime_data(SCORES, "igd_plus")
    assert (data.methods, data.higher_is_better) == (("b", "a"), False)
    for panel in data.panels:
        for i, method in enumerate(data.methods):
            rows = SCORES[(SCORES["problem"] == panel.problem) & (SCORES["method"] == method)]
            assert panel.seconds[i].tolist() == np.percentile(rows["wall_seconds"], [25, 50, 75]).tolist()
            assert panel.values[i].tolist() == np.percentile(rows["igd_plus"], [25, 50, 75]).tolist()


def test_a_method_without_a_finite_value_has_no_mark():
    scores = SCORES.copy()
    scores.loc[(scores["problem"] == "q") & (scores["method"] == "a"), "igd_plus"] = np.inf
    assert np.isnan(runtime_data(scores, "igd_plus").panels[1].seconds[1]).all()
    figure = plot_runtime(scores, indicator="igd_plus")
    assert [len(axes.lines) for axes in figure.axes] == [6, 3]


def test_marks_stand_at_medians_by_logarithm_of_seconds():
    figure = plot_runtime(SCORES)
    panel = runtime_data(SCORES).panels[0]
    axes = figure.axes[0]
    marks = [line for line in axes.lines if line.get_marker() != "None"]
    assert [line.get_xydata()[0].tolist() for line in marks] == [
        [panel.seconds[i][1], panel.values[i][1]] for i in range(2)
    ]
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["b", "a"]


def test_alike_times_still_have_two_numbers():
    scores = SCORES.assign(wall_seconds=3.0)
    axes = plot_runtime(scores).axes[0]
    low, high = axes.get_xlim()
    assert high / low >= 4
    assert len([tick for tick in axes.get_xticks() if low <= tick <= high]) >= 2


def test_times_are_asked_for():
    with pytest.raises(ValueError, match=r"the column wall_seconds: make it with `score\(\.\.\., times=True\)`"):
        plot_runtime(SCORES.drop(columns="wall_seconds"))


def test_only_infinite_values_are_refused():
    with pytest.raises(ValueError, match=r"needs a finite IGD\+\. Found none"):
        plot_runtime(SCORES.assign(igd_plus=np.inf), indicator="igd_plus")


def test_it_draws_on_axes_of_ones_own():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    draw_runtime(axes, runtime_data(SCORES), 1)
    assert (axes.get_title(), axes.get_ylabel()) == ("q", "hypervolume (higher is better)")
