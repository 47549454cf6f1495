"""Attainment surfaces against a literal count of runs, the drawing by its artists."""

import numpy as np
import pytest

from moo.benchmarks.perf.plots import made, searches, sphere
from moo.plots import attainment_data, plot_attainment
from moo.plots.attainment import IN_SPACE, SHARES
from moo.plots.style import COLORS


def attained(points, rows, signs):
    """Whether a set of rows attains each point."""
    return (rows[None] * signs >= points[:, None] * signs - 1e-12).all(axis=2).any(axis=1)


@pytest.mark.parametrize("directions", [("min", "min"), ("max", "min"), ("max", "max", "min")])
def test_surfaces_bound_what_that_share_of_the_runs_attains(directions):
    signs = np.array([1.0 if word == "max" else -1.0 for word in directions])
    m = len(directions)
    fronts = [signs * -sphere(12, m, seed, radius=1 + 0.1 * seed) for seed in range(5)]
    data = attainment_data([made(front, seed=i, directions=directions) for i, front in enumerate(fronts)])
    (method,) = data.methods
    assert (method.label, method.runs) == ("nsga2", 5)
    places = np.random.default_rng(0).uniform(-2, 2, size=(500, m))
    count = sum(attained(places, front, signs).astype(int) for front in fronts)
    for share, surface in zip(SHARES, (method.best, method.median, method.worst), strict=True):
        wanted = count >= np.ceil(share / 100 * 5)
        assert 0 < wanted.sum() < 500
        np.testing.assert_array_equal(attained(places, surface, signs), wanted)


def test_a_run_that_found_nothing_attains_nothing():
    fronts = [sphere(9, 2, 0), sphere(9, 2, 0), np.empty((0, 2)), np.empty((0, 2))]
    data = attainment_data([made(front, seed=i) for i, front in enumerate(fronts)])
    assert len(data.methods[0].median) == 9
    assert len(data.methods[0].worst) == 0
    plot_attainment([made(front, seed=i) for i, front in enumerate(fronts)])


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (searches(2, 2, 1), r"A plot of attainment surfaces needs at least two runs.*Found 1 of 'nsga2'"),
        (searches(4, 1, 2), "attainment surfaces is for 2 to 3 objectives. Found 4"),
        ([made(np.empty((0, 2)), seed=i) for i in range(2)], r"needs a feasible solution\. Found none in 2 runs"),
        ([], "Found none"),
    ],
    ids=["one seed", "four objectives", "infeasible", "none"],
)
def test_what_has_no_surface_is_refused(results, message):
    with pytest.raises(ValueError, match=message):
        plot_attainment(results)


def test_a_reference_front_has_to_fit():
    with pytest.raises(ValueError, match=r"`reference_front` should have shape \[n, 2\]"):
        plot_attainment(searches(2, 1, 2), reference_front=[[1.0, 2.0, 3.0]])


def test_a_median_line_a_band_and_the_known_front_are_drawn():
    figure = plot_attainment(searches(2, 2, 3), reference_front=sphere(50, 2, 0, 0.9))
    (axes,) = figure.axes
    assert len(axes.patches) == 2
    assert [line.get_color() for line in axes.lines] == [*COLORS[:2], "black"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(labels) == ["moead (3 runs)", "nsga2 (3 runs)", "reference front"]


def test_of_three_objectives_points_of_the_median_stand_in_space():
    runs = [made(sphere(60, 3, seed), seed=seed) for seed in range(3)]
    (axes,) = plot_attainment(runs).axes
    median = attainment_data(runs).methods[0].median
    assert len(median) > IN_SPACE
    drawn = np.stack(axes.lines[0].get_data_3d(), axis=1)
    assert IN_SPACE / 2 < len(drawn) <= IN_SPACE
    assert {tuple(row) for row in drawn} <= {tuple(row) for row in median}
