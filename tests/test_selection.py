"""Knees stand where a front bends, pseudo weights are pymoo's, preferences find their rows, linear ones the corners."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymoo.mcdm.pseudo_weights import PseudoWeights
from scipy.spatial import ConvexHull

from moo.dominance import non_dominated
from moo.preferences import das_dennis, dirichlet, grid
from moo.selection import closest_to_preferences, convex_coverage_set, knee_points, pseudo_weights

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**31 - 1)
BENT = [[0.0, 10.0], [1.0, 9.8], [7.0, 9.0], [8.0, 8.0], [8.5, 2.0], [9.0, 0.0]]


def drawn(seed, n=30, m=3):
    return np.random.default_rng(seed).uniform(-5, 5, (n, m))


# --- knees ----------------------------------------------------------------------------------------------------------


def test_the_knee_of_a_bent_front():
    assert knee_points(BENT).tolist() == [3]
    assert knee_points(BENT, count=9).tolist() == [3, 2, 4, 1]
    costs = -torch.tensor(BENT)
    assert knee_points(costs, directions="min").tolist() == [3]


def test_the_knee_of_two_objectives_lies_farthest_from_the_line_through_the_ends():
    rows = torch.tensor([[0.0, 4.0], [1.0, 3.75], [2.0, 3.0], [3.0, 1.75], [4.0, 0.0]])  # 4 - x^2 / 4
    assert knee_points(rows).tolist() == [2]
    assert knee_points(rows, count=2).tolist() == [2, 1]  # 3.75 + 1 against 3 + 1.75: a tie, the first


@pytest.mark.parametrize("m", [2, 3, 4])
@pytest.mark.parametrize("directions", ["max", "min"])
def test_a_straight_front_has_no_knee(m, directions):
    assert knee_points(das_dennis(m, 6), directions=directions, count=5).tolist() == []
    assert knee_points(3.0 - das_dennis(m, 6) * torch.arange(1, m + 1), directions=directions).tolist() == []


@pytest.mark.parametrize("m", [2, 3, 5])
def test_a_sphere_has_its_knee_in_the_middle_and_none_from_behind(m):
    directions = torch.cat([das_dennis(m, 6), torch.full((1, m), 1 / m, dtype=torch.float64)])
    sphere = directions / torch.linalg.vector_norm(directions, dim=1, keepdim=True)
    assert knee_points(sphere).tolist() == [directions.std(dim=1).argmin().item()]
    assert knee_points(sphere, directions="min").tolist() == []


def literal_distances(costs):
    """Signed, from the plane through the rows best in each objective, all scaled to 0 ... 1."""
    scaled = (costs - costs.min(axis=0)) / (costs.max(axis=0) - costs.min(axis=0))
    m = costs.shape[1]
    rows = np.array([scaled[costs[:, i].argmin()] for i in range(m)])
    normal = np.ones(m)
    if np.linalg.matrix_rank(rows) == m and (np.linalg.inv(rows) @ np.ones(m) > 1e-9).all():
        normal = np.linalg.inv(rows) @ np.ones(m)
    return (1 - scaled @ normal) / np.linalg.norm(normal)


@moderate
@given(seeds, st.integers(2, 5), st.integers(1, 40))
def test_knees_are_those_written_out(seed, m, count):
    costs = drawn(seed, 40, m)
    front = np.flatnonzero(non_dominated(torch.from_numpy(-costs)))
    if len(front) >= 2:
        scores = literal_distances(costs[front])
        order = [front[i] for i in np.argsort(-scores, kind="stable") if scores[i] > 1e-9]
        assert knee_points(costs, directions="min", count=count).tolist() == order[:count]


@moderate
@given(seed=seeds, m=st.integers(2, 4))
def test_scale_dominated_rows_and_duplicates_do_not_matter(seed, m):
    values = drawn(seed, 15, m)
    found = knee_points(values, count=3)
    assert torch.equal(knee_points(values * np.logspace(-3, 4, m) + 100, count=3), found)
    assert torch.equal(knee_points(np.concatenate([values, values, values - 1]), count=3), found)
    assert torch.equal(knee_points(np.concatenate([values, np.ones((15, 1))], axis=1), count=3), found)
    turned = values * np.array([-1.0, *[1.0] * (m - 1)])
    assert torch.equal(knee_points(turned, count=3, directions=["min", *["max"] * (m - 1)]), found)


def test_sets_without_a_knee():
    for rows in ([], [[1.0, 2.0]], [[1.0, 2.0]] * 3, [[3.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]], torch.empty(0, 3)):
        found = knee_points(rows)
        assert found.dtype == torch.int64
        assert found.tolist() == []


def test_infinitely_bad_rows_are_left_out():
    assert knee_points([[-math.inf, 11.0], *BENT]).tolist() == [4]
    assert knee_points([[-math.inf, 1.0]]).tolist() == []


# --- pseudo weights -------------------------------------------------------------------------------------------------


@moderate
@given(seeds, st.integers(2, 25), st.integers(1, 6))
def test_pseudo_weights_are_those_of_pymoo(seed, n, m):
    costs = drawn(seed, n, m)
    ideal = np.full(m, 1 / m)
    with np.errstate(invalid="ignore"):
        _, theirs = PseudoWeights(ideal).do(costs, return_pseudo_weights=True)
    theirs[np.isnan(theirs)] = 1 / m  # worst in everything: 0 / 0
    found = pseudo_weights(costs, directions="min")
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), theirs, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(pseudo_weights(-costs), found)


def test_pseudo_weights_of_known_rows():
    found = pseudo_weights([[4.0, 0.0, 7.0], [0.0, 2.0, 7.0], [3.0, 0.5, 7.0]])
    assert found.tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.75, 0.25, 0.0]]


def test_pseudo_weights_where_nothing_varies():
    assert pseudo_weights([[4.0, 0.0]]).tolist() == [[0.5, 0.5]]
    assert pseudo_weights([[4.0, 0.0]] * 2).tolist() == [[0.5, 0.5]] * 2
    assert pseudo_weights([[1.0, 1.0], [0.0, 0.0]]).tolist() == [[0.5, 0.5]] * 2  # the second is worst in all
    assert pseudo_weights(torch.empty(0, 3)).shape == (0, 3)


def test_pseudo_weights_pass_gradients_and_mark_infinitely_bad_rows():
    rows = torch.tensor([[2.0, 0.0], [0.0, 2.0], [1.0, 1.5], [-math.inf, 9.0]], dtype=torch.float64, requires_grad=True)
    found = pseudo_weights(rows)
    assert found[3].isnan().all()
    torch.testing.assert_close(found[:3], pseudo_weights(rows[:3]))
    (slope,) = torch.autograd.grad(found[2, 0], rows)
    torch.testing.assert_close(slope[2], torch.tensor([0.24, -0.16], dtype=torch.float64))
    assert torch.isfinite(slope[:3]).all()
    assert pseudo_weights([[-math.inf, 9.0]]).isnan().all()


# --- rows for preferences -------------------------------------------------------------------------------------------


@moderate
@given(seeds, st.integers(2, 25), st.integers(2, 5))
def test_the_row_for_a_preference_is_that_of_pymoo(seed, n, m):
    costs = drawn(seed, n, m)
    costs = costs[non_dominated(torch.from_numpy(-costs)).numpy()]
    if len(costs) >= 2:
        wanted = grid(m, 20)
        found = closest_to_preferences(costs, wanted, directions="min")
        assert found.dtype == torch.int64
        assert found.tolist() == [PseudoWeights(row).do(costs) for row in wanted.numpy()]


def test_corners_find_the_best_of_each_objective_and_ties_the_first():
    rows = [[0.0, 5.0], [3.0, 3.0], [3.0, 3.0], [5.0, 0.0]]
    assert closest_to_preferences(rows, [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]).tolist() == [3, 0, 1]
    assert closest_to_preferences(rows, [0.5, 0.5]).tolist() == [1]
    assert closest_to_preferences([[math.inf, 0.0], [1.0, 1.0]], [1.0, 0.0], directions="min").tolist() == [1]


# --- the convex coverage set ----------------------------------------------------------------------------------------


def corners_of_the_hull(rows):
    """Rows that are vertices of the convex hull of all rows and all that they dominate down to a low point."""
    n, m = rows.shape
    low = np.where(np.arange(2**m)[:, None] >> np.arange(m) & 1, np.nan, rows.min(axis=0) - 1)
    boxes = [np.where(np.isnan(kept), rows, kept) for kept in low[::-1]]  # the rows themselves come first
    return {int(corner) for corner in ConvexHull(np.concatenate(boxes)).vertices if corner < n}


@moderate
@given(seeds, st.integers(2, 4), st.integers(3, 40))
def test_the_coverage_set_are_the_corners_of_the_hull(seed, m, n):
    values = drawn(seed, n, m)
    for rows in (values, abs(values) / np.linalg.norm(values, axis=1, keepdims=True)):
        found = convex_coverage_set(rows)
        assert (found.dtype, found.shape) == (torch.bool, (n,))
        assert set(np.flatnonzero(found)) == corners_of_the_hull(rows)


@moderate
@given(seeds, st.integers(2, 4), st.integers(1, 40))
def test_the_coverage_set_holds_the_best_for_every_linear_preference(seed, m, n):
    rows = torch.from_numpy(np.random.default_rng(seed).integers(0, 5, (n, m)).astype(float))  # ties and duplicates
    kept = rows[convex_coverage_set(rows)]
    preferences = torch.cat([grid(m, 50), dirichlet(500, m, torch.Generator().manual_seed(seed))])
    worth = preferences @ kept.T
    torch.testing.assert_close(worth.max(dim=1).values, (preferences @ rows.T).max(dim=1).values)
    assert convex_coverage_set(kept).all()


def test_the_coverage_set_of_a_bent_front():
    rows = [[0.0, 4.0], [1.0, 3.0], [2.0, 2.0], [2.5, 2.0], [4.0, 0.0], [2.0, 1.9]]  # the second lies on a line
    assert convex_coverage_set(rows).tolist() == [True, False, False, True, True, False]
    inside = [[0.0, 4.0], [1.9, 1.9], [4.0, 0.0]]  # non-dominated, but best for no preference
    assert convex_coverage_set(inside).tolist() == [True, False, True]
    assert convex_coverage_set(inside, directions="min").tolist() == [True, True, True]
    assert convex_coverage_set([[0.0, 4.0], [2.1, 2.1], [4.0, 0.0]], directions=["max", "max"]).tolist() == [True] * 3


def test_the_coverage_set_of_three_objectives():
    corners = np.eye(3)
    rows = np.concatenate([corners, [[0.36] * 3, [1 / 3] * 3, [0.3] * 3, [0.5, 0.5, 0.0], [0.6, 0.45, 0.0]]])
    assert convex_coverage_set(rows).tolist() == [True, True, True, True, False, False, False, True]
    assert convex_coverage_set(np.concatenate([corners, [[1 / 3] * 3]])).tolist() == [True, True, True, False]


@moderate
@given(seed=seeds, m=st.integers(2, 4))
def test_what_does_not_change_a_coverage_set(seed, m):
    values = drawn(seed, 12, m)
    found = convex_coverage_set(values)
    more = np.concatenate([values, values, values - 1, values.mean(axis=0, keepdims=True)])
    assert torch.equal(convex_coverage_set(more), torch.cat([found, torch.zeros(25, dtype=torch.bool)]))
    assert torch.equal(convex_coverage_set(values * np.logspace(-6, 6, m) + 100), found)
    turned = values * np.array([-1.0, *[1.0] * (m - 1)])
    assert torch.equal(convex_coverage_set(turned, directions=["min", *["max"] * (m - 1)]), found)
    assert torch.equal(convex_coverage_set(-values, directions="min"), found)


def test_of_rows_that_differ_by_rounding_one_stays():
    little = 1e-13
    rows = np.array([[1.0, 0.0], [0.9, 0.9], [0.9 + little, 0.9 - little], [0.9 - little, 0.9 + little], [0.0, 1.0]])
    assert non_dominated(rows).all()
    assert convex_coverage_set(rows).tolist() == [True, True, False, False, True]


def test_small_coverage_sets():
    assert convex_coverage_set([[1.0, 2.0]]).tolist() == [True]
    assert convex_coverage_set([[1.0, 2.0]] * 3).tolist() == [True, False, False]
    assert convex_coverage_set([[1.0], [3.0], [2.0]]).tolist() == [False, True, False]
    assert convex_coverage_set([[1.0, 5.0], [2.0, 5.0]]).tolist() == [False, True]
    assert convex_coverage_set([[-math.inf, 9.0], [2.0, 5.0], [1.0, 6.0]]).tolist() == [False, True, True]
    for nothing in ([[-math.inf, 1.0]], torch.empty(0, 3)):
        found = convex_coverage_set(nothing)
        assert found.dtype == torch.bool
        assert not found.any()


# --- arguments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        knee_points,
        pseudo_weights,
        convex_coverage_set,
        lambda rows, **words: closest_to_preferences(rows, [0.5, 0.5], **words),
    ],
)
def test_arguments_that_cannot_be_read(call):
    with pytest.raises(ValueError, match=r"`objectives` should hold no NaN. Row 1 is"):
        call([[1.0, 2.0], [math.nan, 0.0]])
    with pytest.raises(ValueError, match=r"`objectives` should be finite where it is good. Row 0 is"):
        call([[1.0, math.inf]])
    with pytest.raises(ValueError, match=r"`objectives` should be one set \[n, m\]. Found shape \[2, 3, 2\]"):
        call(torch.zeros(2, 3, 2))
    with pytest.raises(ValueError, match=r'`directions` should hold only "min" and "max". Found \'up\''):
        call([[1.0, 2.0]], directions="up")
    with pytest.raises(TypeError, match="`objectives` should be an array of numbers"):
        call("front")
    rows = torch.tensor(BENT, dtype=torch.float64)
    before = rows.clone()
    call(rows, directions=["min", "max"])
    assert torch.equal(rows, before)


def test_options_out_of_range():
    with pytest.raises(ValueError, match="`count` should be at least 1"):
        knee_points(BENT, count=0)
    with pytest.raises(ValueError, match="Divide the row by its sum"):
        closest_to_preferences(BENT, [2.0, 3.0])
    for nothing in (torch.empty(0, 2), [[-math.inf, 0.0]]):
        with pytest.raises(ValueError, match="`objectives` should have at least one row that is finite"):
            closest_to_preferences(nothing, [0.5, 0.5])
