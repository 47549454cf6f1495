"""Spacing against two literal loops and its named properties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.indicators import spacing

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def sets(draw, rows=(1, 12), columns=(1, 6)):
    """Small integers: ties and duplicates."""
    n, m = draw(st.integers(*rows)), draw(st.integers(*columns))
    return np.random.default_rng(draw(seeds)).integers(0, draw(st.integers(1, 9)), (n, m)).astype(float)


def literal(points):
    """The definition, with loops over the distinct points."""
    rows = sorted(set(map(tuple, points.tolist())))
    nearest = [
        min(sum(abs(a - b) for a, b in zip(row, other, strict=True)) for j, other in enumerate(rows) if j != i)
        for i, row in enumerate(rows)
    ]
    mean = sum(nearest) / len(nearest)
    return math.sqrt(sum((value - mean) ** 2 for value in nearest) / (len(nearest) - 1))


@moderate
@given(sets())
def test_it_equals_two_literal_loops(points):
    expected = literal(points) if len(np.unique(points, axis=0)) > 1 else math.inf
    assert spacing(points) == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_many_points_equal_two_literal_loops():
    points = np.random.default_rng(0).normal(size=(300, 3))
    assert spacing(points) == pytest.approx(literal(points), rel=1e-11)


def test_known_values():
    assert spacing([[0.0, 6.0], [1.0, 5.0], [3.0, 3.0]]) == pytest.approx(math.sqrt(4 / 3), rel=1e-12)  # of 2, 2 and 4
    assert spacing([[0.0, 1.0], [1.0, 0.0]]) == 0.0
    assert spacing([[t, 10.0 - t] for t in range(11)]) == 0.0


def test_it_is_no_quality_on_its_own():
    """Two tight pairs far apart are as even as it gets, and so are points that are bad throughout."""
    assert spacing([[0.0, 100.0], [1.0, 99.0], [99.0, 1.0], [100.0, 0.0]]) == 0.0
    assert spacing([[0.0, 0.0], [-1.0, -1.0], [-2.0, -2.0]]) == 0.0


@pytest.mark.parametrize("points", [[], [[1.0, 2.0]], [[1.0, 2.0]] * 5, [[0.0, -0.0], [-0.0, 0.0]], torch.empty(0, 2)])
def test_fewer_than_two_distinct_points_have_no_spacing(points):
    assert spacing(points) == math.inf
    assert spacing(points, ["min", "max"]) == math.inf


@moderate
@given(sets(), seeds)
def test_duplicates_change_nothing(points, seed):
    chosen = points[np.random.default_rng(seed).integers(len(points), size=3)]
    assert spacing(np.concatenate([chosen, points, chosen])) == spacing(points)


@moderate
@given(sets(rows=(3, 12)), seeds)
def test_moving_and_stretching_the_space(points, seed):
    rng = np.random.default_rng(seed)
    shift, factor = rng.integers(-5, 5, points.shape[1]), rng.uniform(0.1, 10)
    assert spacing((points + shift) * factor) == pytest.approx(spacing(points) * factor, rel=1e-9, abs=1e-12)


def test_dominated_points_count():
    front, dominated = [[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]], [[0.5, 0.5]]
    assert spacing(front) == 0.0
    assert spacing([*front, *dominated]) > 0.0


def test_directions_are_checked_though_distances_do_not_depend_on_them():
    points = [[0.0, 6.0], [1.0, 5.0], [3.0, 3.0]]
    assert spacing(points, "min") == spacing(points, ["min", "max"]) == spacing(points)
    with pytest.raises(ValueError, match="`directions` should hold only"):
        spacing(points, "down")
    with pytest.raises(ValueError, match="`directions` should hold only"):
        spacing([], "down")
