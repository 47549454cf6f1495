"""Attainment differences against a literal count, the drawing by its artists."""

import matplotlib
import numpy as np
import pytest

from moo.benchmarks.perf.plots import made, searches, sphere
from moo.plots import difference_data, draw_difference, plot_difference
from moo.plots.differences import LEVELS, shading


def runs_of(directions=("min", "min"), left=4, right=3):
    signs = np.array([1.0 if word == "max" else -1.0 for word in directions])
    fronts = {
        method: [signs * -sphere(8, 2, 10 * k + i, radius=1 + 0.1 * i + 0.15 * k) for i in range(count)]
        for k, (method, count) in enumerate({"a": left, "b": right}.items())
    }
    results = [
        made(front, method, i, directions=directions) for method, rows in fronts.items() for i, front in enumerate(rows)
    ]
    return results, fronts, signs


@pytest.mark.parametrize("directions", [("min", "min"), ("max", "min"), ("max", "max")])
def test_rectangles_hold_the_difference_of_the_counted_shares(directions):
    results, fronts, signs = runs_of(directions)
    data = difference_data(results)
    assert (data.labels, data.runs) == (("a", "b"), (4, 3))
    for place in np.random.default_rng(0).uniform(-1.8, 1.8, size=(400, 2)):
        shares = [
            np.mean([(front * signs >= place * signs).all(axis=1).any() for front in fronts[name]]) for name in "ab"
        ]
        inside = (data.best * signs >= place * signs).all(axis=1) & (data.worst * signs < place * signs).all(axis=1)
        assert inside.sum() <= 1
        assert data.difference[inside].sum() == pytest.approx(shares[0] - shares[1], abs=1e-12)


def test_outer_lines_are_what_any_run_and_what_all_attain():
    results, fronts, _ = runs_of()
    data = difference_data(results)
    everyone = [front for rows in fronts.values() for front in rows]
    for place in np.random.default_rng(1).uniform(0, 2, size=(300, 2)):
        hits = [(front <= place).all(axis=1).any() for front in everyone]
        assert (data.anyone <= place).all(axis=1).any() == any(hits)
        assert (data.everyone <= place).all(axis=1).any() == all(hits)


def test_each_side_shows_where_its_method_is_better_the_darker_the_more():
    results, _, _ = runs_of()
    data = difference_data(results)
    figure = plot_difference(results)
    assert [axes.get_title() for axes in figure.axes] == ["a better (4 runs)", "b better (3 runs)"]
    for side, axes in enumerate(figure.axes):
        amounts = data.difference if side == 0 else -data.difference
        assert len(axes.patches) == (amounts > 0).sum()
        level = np.ceil(np.round(amounts[amounts > 0] * LEVELS, 9)).astype(int) - 1
        wanted = [matplotlib.colors.to_rgba(shading()[i]) for i in level]
        assert [patch.get_facecolor() for patch in axes.patches] == wanted
    light = [sum(color) for color in shading()]
    assert light == sorted(light, reverse=True)


def test_it_draws_on_axes_of_ones_own():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    draw_difference(axes, difference_data(runs_of()[0]), 1)
    assert axes.get_title() == "b better (3 runs)"


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (searches(2, 3, 2), r"is for two methods\. Found 3: nsga2, moead, bayesian\. Choose two, .* with -m"),
        (searches(2, 1, 2), "is for two methods. Found 1: nsga2"),
        (searches(2, 2, 1), "at least two runs of each method"),
        (searches(3, 2, 2), "attainment differences is for 2 objectives. Found 3"),
        ([made(np.empty((0, 2)), m, i) for m in "ab" for i in range(2)], "needs a feasible solution. Found none in 4"),
    ],
    ids=["three methods", "one method", "one seed", "three objectives", "infeasible"],
)
def test_what_cannot_be_compared_is_refused(results, message):
    with pytest.raises(ValueError, match=message):
        plot_difference(results)


def test_equal_methods_leave_both_sides_empty():
    results = [made(sphere(8, 2, i), method, i) for method in "ab" for i in range(2)]
    assert [len(axes.patches) for axes in plot_difference(results).axes] == [0, 0]
