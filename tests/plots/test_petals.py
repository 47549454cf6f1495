"""Petals: which rows and how long, against literal loops."""

import numpy as np
import pytest

from moo.benchmarks.perf.plots import made, searches, sphere
from moo.plots import draw_petal, petal_data, plot_petal

DIRECTIONS = ("min", "max", "min")


def front(m=3, seed=0):
    signs = np.array([1.0 if word == "max" else -1.0 for word in DIRECTIONS[:m]])
    return made(signs * -sphere(30, m, seed), directions=DIRECTIONS[:m])


def test_petals_span_the_front_from_worst_to_best():
    result = front()
    data = petal_data(result, rows=range(8))
    rows = result.objectives.numpy()
    for k in range(8):
        for i, word in enumerate(DIRECTIONS):
            low, high = rows[:, i].min(), rows[:, i].max()
            share = (rows[k, i] - low) / (high - low)
            assert data.quality[k, i] == pytest.approx(share if word == "max" else 1 - share)
    assert data.titles == tuple(f"row {k}" for k in range(8))


def test_by_default_the_best_in_each_objective_and_the_balanced_row_are_shown():
    result = front()
    data = petal_data(result)
    rows = result.objectives.numpy()
    best = [int(rows[:, i].argmax() if word == "max" else rows[:, i].argmin()) for i, word in enumerate(DIRECTIONS)]
    assert list(data.rows[:3]) == best
    assert data.titles == ("best f1", "best f2", "best f3", "balanced")
    quality = petal_data(result, rows=None).quality[3]
    worth = []
    for row in rows:
        lacks = []
        for i, word in enumerate(DIRECTIONS):
            low, high = rows[:, i].min(), rows[:, i].max()
            share = (row[i] - low) / (high - low)
            lacks.append((1 - share if word == "max" else share) / 3)
        worth.append(-max(lacks) - 0.05 * sum(lacks))
    assert data.rows[3] == int(np.argmax(worth))
    assert quality.tolist() == data.quality[3].tolist()


def test_a_row_that_is_best_twice_is_one_flower():
    result = made([[0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    assert petal_data(result).titles == ("best f1, f2, balanced", "best f3")


def test_an_objective_that_is_always_the_same_is_a_full_petal():
    assert petal_data(made([[0.0, 1.0, 5.0], [1.0, 0.0, 5.0]])).quality[:, 2].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("result", "options", "error", "message"),
    [
        (made(np.empty((0, 3))), {}, ValueError, "petals needs a feasible solution. Found none in 1 run:"),
        (made(sphere(5, 2, 0)), {}, ValueError, "petals is for 3 to 8 objectives. Found 2"),
        (made(sphere(5, 9, 0)), {}, ValueError, "petals is for 3 to 8 objectives. Found 9"),
        (front(), {"rows": []}, ValueError, "`rows` should be 1 to 8 rows of the front. Found 0"),
        (front(), {"rows": range(9)}, ValueError, "`rows` should be 1 to 8 rows of the front. Found 9"),
        (front(), {"rows": [30]}, ValueError, "`rows` should be from 0 to 29. Found 30"),
        (front(), {"rows": ["a"]}, TypeError, "`rows` should be a whole number"),
        (searches(3, 1, 1), {}, TypeError, "Petals show one SearchResult. Found list"),
    ],
)
def test_what_is_no_flower_is_refused(result, options, error, message):
    with pytest.raises(error, match=message):
        plot_petal(result, **options)


def test_a_flower_has_a_numbered_petal_per_objective():
    figure = plot_petal(front())
    assert len(figure.axes) == 4
    for axes, quality in zip(figure.axes, petal_data(front()).quality, strict=True):
        assert [patch.get_height() for patch in axes.patches] == quality.tolist()
        assert [text.get_text() for text in axes.texts] == ["1", "2", "3"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["1 f1 (min)", "2 f2 (max)", "3 f3 (min)"]


def test_it_draws_on_axes_of_ones_own():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot(projection="polar")
    draw_petal(axes, petal_data(front()), 1)
    assert len(axes.patches) == 3
