"""Borders: the staircase against what is attained, bands against a literal count, and limits."""

import itertools

import numpy as np
import pytest

from moo.plots.borders import between, broken_line, limits, staircase, worst_corner


def random_front(n, seed=0):
    points = np.abs(np.random.default_rng(seed).normal(size=(n, 2)))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def attained(border, points, signs):
    """Whether the middle of every edge of the border is attained, and nothing just beyond it is."""
    for a, b in itertools.pairwise(border):
        middle = (a + b) / 2
        weakly = (points * signs >= middle * signs - 1e-12).all(axis=1)
        strictly = (points * signs > middle * signs + 1e-12).all(axis=1)
        assert weakly.any()
        assert not strictly.any()


@pytest.mark.parametrize("directions", [("min", "min"), ("min", "max"), ("max", "min"), ("max", "max")])
def test_the_staircase_is_the_border_of_what_is_attained(directions):
    signs = np.array([1.0 if word == "max" else -1.0 for word in directions])
    points = -random_front(12) * -signs  # a front, whatever the directions
    worst = np.where(signs > 0, points.min(axis=0) - 0.1, points.max(axis=0) + 0.1)
    border = staircase(points, directions, worst)
    assert border.shape == (25, 2)
    assert border[0, 1] == worst[1]
    assert border[-1, 0] == worst[0]
    assert all((a == b).any() for a, b in itertools.pairwise(border))  # along one axis at a time
    attained(border, points, signs)


def test_the_staircase_leaves_out_dominated_rows():
    border = staircase(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), ("min", "min"), (2.0, 2.0))
    assert border.tolist() == [[0, 2], [0, 1], [1, 1], [1, 0], [2, 0]]


def test_the_staircase_of_nothing_is_the_worst_point():
    assert staircase(np.empty((0, 2)), ("min", "max"), (2.0, -1.0)).tolist() == [[2.0, -1.0]]


def inside(outline, points):
    """Whether points lie in an outline, by counting how often a ray to the right crosses it."""
    crossings = np.zeros(len(points), dtype=int)
    for (x0, y0), (x1, y1) in itertools.pairwise([*outline, outline[0]]):
        if y0 != y1:
            across = (np.minimum(y0, y1) <= points[:, 1]) & (points[:, 1] < np.maximum(y0, y1))
            crossings += across & (points[:, 0] < x0 + (points[:, 1] - y0) / (y1 - y0) * (x1 - x0))
    return crossings % 2 == 1


@pytest.mark.parametrize("directions", [("min", "min"), ("max", "min"), ("max", "max")])
def test_the_area_between_two_sets_is_what_the_better_alone_attains(directions):
    signs = np.array([1.0 if word == "max" else -1.0 for word in directions])
    worse = signs * -random_front(8)
    better = worse + 0.2 * signs
    worst = np.where(signs > 0, -1.5, 1.5)
    outline = between(better, worse, directions, worst)
    places = np.random.default_rng(1).uniform(-1.4, 1.4, size=(600, 2))

    def reach(rows):
        return (rows[None] * signs >= places[:, None] * signs).all(axis=2).any(axis=1)

    wanted = reach(better) & ~reach(worse)
    assert wanted.sum() > 10
    np.testing.assert_array_equal(inside(outline, places), wanted)


def test_a_line_breaks_where_a_step_is_longer_than_its_neighbours():
    x = np.concatenate([np.linspace(0, 0.2, 20), np.linspace(0.8, 1, 20)])
    drawn = broken_line(np.stack([x, 1 - x], axis=1), ("min", "min"))
    assert np.flatnonzero(np.isnan(drawn[:, 0])).tolist() == [20]


def test_limits_leave_a_margin_even_around_one_value():
    assert limits(np.array([0.0, 1.0])) == (-0.05, 1.05)
    assert limits(np.array([2.0])) == (1.9, 2.1)
    assert limits(np.array([0.0])) == (-0.05, 0.05)


def test_the_worst_corner_is_where_each_objective_is_worst():
    assert worst_corner([(0.0, 1.0), (2.0, 3.0)], ("min", "max")) == [1.0, 2.0]
