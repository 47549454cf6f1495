"""Ternary maps: the triangle, and what each preference gets, against literal loops."""

import numpy as np
import pytest
import torch

from moo.benchmarks.perf.plots import made, searches, sphere
from moo.plots import draw_ternary, plot_ternary, ternary_data
from moo.plots.ternary import CORNERS, DIVISIONS, barycentric, triangles

DIRECTIONS = ("min", "max", "min")


def front(n=25, preferences=None):
    return made(sphere(n, 3, 0) * [1.0, -1.0, 1.0], directions=DIRECTIONS, preferences=preferences)


def area(corners):
    (ax, ay), (bx, by), (cx, cy) = corners
    return abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2


@pytest.mark.parametrize("divisions", [1, 2, 5, 24])
def test_triangles_of_equal_size_fill_the_simplex(divisions):
    cells = triangles(divisions)
    assert cells.shape == (divisions**2, 3, 3)
    np.testing.assert_allclose(cells.sum(axis=2), 1)
    assert (cells >= 0).all()
    areas = [area(corners) for corners in barycentric(cells)]
    np.testing.assert_allclose(areas, np.sqrt(3) / 4 / divisions**2)
    centres = cells.mean(axis=1)
    assert len({tuple(np.round(centre, 9)) for centre in centres}) == divisions**2


def test_a_corner_is_the_preference_for_one_objective_and_sides_are_equal():
    np.testing.assert_array_equal(barycentric(np.eye(3)), CORNERS)
    np.testing.assert_allclose(barycentric(np.full(3, 1 / 3)), CORNERS.mean(axis=0))
    sides = [np.linalg.norm(CORNERS[i] - CORNERS[(i + 1) % 3]) for i in range(3)]
    np.testing.assert_allclose(sides, 1)


def test_each_preference_gets_the_row_that_the_result_would_choose():
    result = front()
    data = ternary_data(result)
    assert len(data.preferences) == DIVISIONS**2
    rows = result.objectives.numpy()
    low, high = rows.min(axis=0), rows.max(axis=0)
    quality = np.where(
        [word == "max" for word in DIRECTIONS], (rows - low) / (high - low), (high - rows) / (high - low)
    )
    for preference, came in list(zip(data.preferences, data.objectives, strict=True))[::7]:
        lacks = preference * (1 - quality)
        chosen = int(np.argmax(-lacks.max(axis=1) - 0.05 * lacks.sum(axis=1)))
        assert came.tolist() == rows[chosen].tolist()
    sampled = result.sample(torch.from_numpy(data.preferences))[:, 0].long()
    np.testing.assert_array_equal(rows[sampled], data.objectives)


def test_asked_are_the_rows_that_followed_a_preference():
    wanted = np.random.default_rng(0).dirichlet(np.ones(3), 25)
    wanted[3] = np.nan
    data = ternary_data(front(preferences=wanted), "asked")
    assert data.cells is None
    np.testing.assert_array_equal(data.preferences, np.delete(wanted, 3, axis=0))
    assert len(data.objectives) == 24


@pytest.mark.parametrize(
    ("result", "options", "error", "message"),
    [
        (made(sphere(5, 4, 0)), {}, ValueError, "ternary maps is for 3 objectives. Found 4: draw a sweep"),
        (made(sphere(5, 2, 0)), {}, ValueError, "ternary maps is for 3 objectives. Found 2"),
        (made(np.empty((0, 3))), {}, ValueError, "ternary maps needs a feasible solution"),
        (front(), {"source": "asked"}, ValueError, "needs rows that followed one. Found none: 'nsga2' takes no pref"),
        (front(), {"source": "fronts"}, ValueError, r"Unknown source 'fronts'\. Did you mean 'front'"),
        (searches(3, 1, 1), {}, TypeError, "A ternary map shows one SearchResult. Found list"),
    ],
)
def test_what_is_no_map_is_refused(result, options, error, message):
    with pytest.raises(error, match=message):
        plot_ternary(result, **options)


def test_a_triangle_per_objective_is_darker_where_better():
    result = front()
    data = ternary_data(result)
    figure = plot_ternary(result)
    for i, word in enumerate(DIRECTIONS):
        (cells,) = figure.axes[i].collections
        np.testing.assert_array_equal(cells.get_array(), data.objectives[:, i])
        values = data.objectives[:, i]
        best, worst = (values.max(), values.min())[:: 1 if word == "max" else -1]
        light = [sum(cells.cmap(cells.norm(value))[:3]) for value in (best, worst)]
        assert light[0] < light[1]


def test_it_draws_on_axes_of_ones_own():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    shown = draw_ternary(axes, ternary_data(front()), 2)
    assert len(shown.get_paths()) == DIVISIONS**2
