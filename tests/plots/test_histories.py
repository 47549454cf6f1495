"""Histories: medians and quartiles against hand-made histories, the drawing by its artists."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text

from moo.base import Candidates
from moo.plots import convergence_data, draw_convergence, plot_convergence, plot_regret, regret_data
from moo.plots.style import COLORS, COLUMN
from moo.plots.words import DIRECT_LABELS
from moo.result import SearchResult

NAN = float("nan")


def result(used, hypervolume, method="nsga2", problem="toy", point=(1.1, 1.1), end=None, seconds=1.0):
    """A result with this history."""
    none = Candidates.empty((1,), 2, torch.float64)
    config = {
        "method": method,
        "problem": problem,
        "options": {},
        "preferences": "auto",
        "unit": "transitions",
        "objective_names": ["f1", "f2"],
        "directions": ["min", "min"],
    }
    record = {"reference_point": None if point is None else list(point), "used": used[-1] if end is None else end}
    record["wall_seconds"] = seconds
    history = pd.DataFrame({"used": used, "front_size": 1, "hypervolume": np.array(hypervolume, dtype=float)})
    return SearchResult(none, none, none, none, none, history, config, record, lambda: None)


def legend_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


# --------------------------------------------------------------------------------------------------- data
def test_one_result_is_its_own_history():
    data = convergence_data(result([10, 20, 30], [0.1, 0.2, 0.4]))
    assert (data.problem, data.spent, data.reference_point) == ("toy", "transitions used", (1.1, 1.1))
    (line,) = data.lines
    assert (line.label, line.runs) == ("nsga2", 1)
    assert line.used.tolist() == [10, 20, 30]
    for values in (line.median, line.low, line.high):
        assert values.tolist() == [0.1, 0.2, 0.4]


def test_steps_without_a_hypervolume_are_left_out_and_the_last_value_holds():
    (line,) = convergence_data(result([10, 20, 30, 40], [0.1, NAN, 0.4, NAN])).lines
    assert line.used.tolist() == [10, 30, 40]
    assert line.median.tolist() == [0.1, 0.4, 0.4]


def test_of_several_steps_at_one_point_the_last_counts():
    (line,) = convergence_data(result([10, 10, 20], [0.1, 0.3, 0.4])).lines
    assert line.used.tolist() == [10, 20]
    assert line.median.tolist() == [0.3, 0.4]


def test_median_and_quartiles_stand_at_the_union_of_the_points():
    runs = [
        result([10, 20, 40], [0.0, 0.2, 0.4]),
        result([5, 20, 30, 40], [0.1, 0.3, 0.6, 0.6]),
        result([10, 40], [0.2, 0.8]),
    ]
    (line,) = convergence_data(runs).lines
    assert line.runs == 3
    assert line.used.tolist() == [10, 20, 30, 40]  # from where all three have a value
    values = np.array([[0.0, 0.2, 0.2, 0.4], [0.1, 0.3, 0.6, 0.6], [0.2, 0.2, 0.2, 0.8]])
    np.testing.assert_allclose(line.median, np.median(values, axis=0))
    np.testing.assert_allclose(line.low, np.quantile(values, 0.25, axis=0))
    np.testing.assert_allclose(line.high, np.quantile(values, 0.75, axis=0))


def test_a_line_ends_where_the_first_of_its_runs_ends():
    runs = [result([10, 20], [0.1, 0.2]), result([10, 40], [0.3, 0.4], end=35)]
    (line,) = convergence_data(runs).lines
    assert line.used.tolist() == [10, 20]
    np.testing.assert_allclose(line.median, [0.2, 0.25])


def test_methods_are_lines_in_the_order_in_which_they_stand():
    runs = [result([10], [0.1], "b"), result([10], [0.2], "a"), result([10], [0.3], "b")]
    lines = convergence_data(runs).lines
    assert [(line.label, line.runs) for line in lines] == [("b", 2), ("a", 1)]


@pytest.mark.parametrize(
    "runs",
    [
        [result([10, 20], [NAN, NAN])],
        [result([10], [NAN]), result([10], [0.3])],
        [result([10, 20], [0.1, 0.2]), result([30, 40], [0.1, 0.2])],
        [result([10], [NAN], point=None)],
    ],
    ids=["never computed", "not in every run", "runs that do not overlap", "no reference point"],
)
def test_where_nothing_can_be_compared_the_line_is_empty_and_the_figure_says_so(runs):
    (line,) = convergence_data(runs).lines
    assert len(line.used) == len(line.median) == 0
    (axes,) = plot_convergence(runs).axes
    assert [text.get_text() for text in axes.texts] == ["no hypervolume to compare"]
    assert not axes.lines


def test_different_problems_are_refused():
    with pytest.raises(ValueError, match=r"same problem: hypervolumes .* not comparable\. Found 'zdt1' and 'zdt2'"):
        plot_convergence([result([10], [0.1], problem=name) for name in ("zdt1", "zdt2")])


@pytest.mark.parametrize("other", [(1.1, 1.2), None])
def test_different_reference_points_are_refused(other):
    with pytest.raises(ValueError, match=r"same reference point: .*Found \[1\.1, 1\.1\] and .*`reference_point=`"):
        plot_convergence([result([10], [0.1], point=point) for point in ((1.1, 1.1), other)])


def test_what_is_no_result_is_refused():
    with pytest.raises(TypeError, match="Found DataFrame"):
        plot_convergence(pd.DataFrame())
    with pytest.raises(ValueError, match="Found none"):
        plot_convergence([])


# --------------------------------------------------------------------------------------------------- drawing
def test_one_run_is_a_step_line_without_a_band():
    figure = plot_convergence(result([10, 20, 30], [0.1, 0.2, 0.4]))
    (axes,) = figure.axes
    (line,) = axes.lines
    assert line.get_drawstyle() == "steps-post"
    assert line.get_xydata().tolist() == [[10, 0.1], [20, 0.2], [30, 0.4]]
    assert not axes.collections
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("transitions used", "hypervolume")
    assert axes.get_xlim() == (0, 30)
    assert [text.get_text() for text in axes.texts] == ["nsga2"]
    assert figure.get_figwidth() == COLUMN
    assert plot_convergence(result([10], [0.1]), width=6.75).get_figwidth() == 6.75


def test_several_seeds_have_a_band():
    runs = [result([10, 20], [0.1 * i, 0.2 * i], method) for method in "ab" for i in range(3)]
    (axes,) = plot_convergence(runs).axes
    assert len(axes.lines) == len(axes.collections) == 2
    assert [line.get_color() for line in axes.lines] == list(COLORS[:2])
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()


def boxes(figure, texts):
    figure.draw_without_rendering()
    return [Text.get_window_extent(text) for text in texts]  # without the leader, which an annotation's own includes


def test_direct_labels_do_not_overlap_and_lie_inside_the_figure():
    runs = [result([10, 20], [0.1, 0.5 + i / 1000], f"method {i}") for i in range(DIRECT_LABELS)]
    figure = plot_convergence(runs)
    texts = figure.axes[0].texts
    assert [text.get_text() for text in texts] == [f"method {i}" for i in range(DIRECT_LABELS)]
    assert not figure.legends
    areas = sorted((box.y0, box.y1) for box in boxes(figure, texts))
    assert all(upper[0] >= lower[1] - 2 for lower, upper in itertools.pairwise(areas))
    assert all(box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 for box in boxes(figure, texts))


def test_more_lines_or_long_labels_get_a_legend():
    many = [result([10, 20], [0.1, 0.1 * i], f"m{i}") for i in range(DIRECT_LABELS + 1)]
    assert legend_of(plot_convergence(many)) == [f"m{i}" for i in range(DIRECT_LABELS + 1)]
    long = plot_convergence([result([10], [0.1], "a method with a long name"), result([10], [0.1], "b")])
    assert len(legend_of(long)) == 2
    assert not long.axes[0].texts


@pytest.mark.parametrize("ending", ["pdf", "svg"])
def test_the_same_data_give_the_same_bytes(tmp_path, ending):
    paths = [tmp_path / f"{i}.{ending}" for i in range(2)]
    for path in paths:
        plot_convergence([result([10, 20], [0.1, 0.2 * i]) for i in range(3)], path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert b"/Type3" not in first


# --------------------------------------------------------------------------------------------------- regret, seconds
def test_regret_is_what_each_value_lacks_of_the_best():
    runs = [result([10, 20, 30], values) for values in ([0.1, 0.2, 0.4], [0.3, 0.3, 0.5], [0.0, 0.5, 0.7])]
    data = regret_data(runs, best=0.9)
    (line,) = data.lines
    assert data.best == 0.9
    values = 0.9 - np.array([[0.1, 0.2, 0.4], [0.3, 0.3, 0.5], [0.0, 0.5, 0.7]])
    np.testing.assert_allclose(line.median, np.median(values, axis=0))
    np.testing.assert_allclose(line.low, np.quantile(values, 0.25, axis=0))
    np.testing.assert_allclose(line.high, np.quantile(values, 0.75, axis=0))


@pytest.mark.parametrize(("best", "top"), [(None, 0.7), (0.2, 0.7), (0.8, 0.8)])
def test_the_best_is_never_below_what_a_run_reached(best, top):
    runs = [result([10, 20], [0.1, 0.7]), result([10, 20], [0.1, NAN], "b")]
    assert regret_data(runs, best=best).best == top


@pytest.mark.parametrize("best", ["high", True])
def test_a_best_that_is_no_number_is_refused(best):
    with pytest.raises(TypeError, match="`best` should be a number"):
        regret_data(result([10], [0.1]), best=best)


def test_regret_is_drawn_by_logarithm_and_ends_where_it_is_nothing():
    figure = plot_regret([result([10, 20, 30], [0.1, 0.4, 0.4], "a"), result([10, 20, 30], [0.1, 0.2, 0.3], "b")])
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.3, NAN, NAN])
    np.testing.assert_allclose(axes.lines[1].get_ydata(), [0.3, 0.2, 0.1])
    assert axes.get_ylabel() == "hypervolume regret"


def test_a_band_of_regrets_that_reaches_nothing_ends_at_the_least_of_them():
    runs = [result([10, 20], values) for values in ([0.1, 0.5], [0.2, 0.9], [0.2, 0.9])]
    (axes,) = plot_regret(runs).axes
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.min() > 0
    assert np.isfinite(heights).all()


def test_where_no_run_lacks_anything_the_figure_says_so():
    (axes,) = plot_regret(result([10, 20], [0.3, 0.3])).axes
    assert [text.get_text() for text in axes.texts] == ["no hypervolume regret to compare"]


def test_seconds_are_what_was_used_at_the_mean_pace():
    runs = [result([10, 20], [0.1, 0.2], seconds=4.0), result([10, 20], [0.3, 0.4], seconds=8.0)]
    data = convergence_data(runs, "seconds")
    assert data.spent == "seconds (at each run's mean pace)"
    (line,) = data.lines
    assert line.used.tolist() == [4.0]  # the second run has a value from 4 seconds on, where the first has ended
    assert line.median.tolist() == [pytest.approx(0.25)]


def test_an_unknown_cost_is_refused():
    with pytest.raises(ValueError, match=r"Unknown cost 'minutes'\. .*Known: seconds, used"):
        plot_convergence(result([10], [0.1]), against="minutes")


def test_it_draws_on_axes_of_ones_own():
    axes = Figure().add_subplot()
    handles = draw_convergence(axes, convergence_data([result([10, 20], [0.1, 0.2], "a"), result([10], [0.1], "b")]))
    assert [line.get_label() for line in handles] == ["a", "b"]
