"""Knees stand where a front bends, pseudo weights are pymoo's, preferences find their rows, linear ones the corners."""

import math
import warnings

import numpy as np
import pytest
import torch
from front_results import result
from hypothesis import given, settings
from hypothesis import strategies as st
from pymoo.mcdm.pseudo_weights import PseudoWeights
from scipy.spatial import ConvexHull

from moo.dominance import non_dominated
from moo.preferences import das_dennis, dirichlet, grid
from moo.selection import (
    closest_to_aspiration,
    closest_to_preferences,
    convex_coverage_set,
    knee_points,
    pseudo_weights,
    trade_offs,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # pymoo's, of scipy's names
    from pymoo.core.decision_making import find_outliers_upper_tail
    from pymoo.decomposition.asf import ASF
    from pymoo.mcdm.high_tradeoff import HighTradeoffPoints

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


# --- trade-offs -----------------------------------------------------------------------------------------------------


def convex(n, m, seed=0):
    """Minimised points on a front that bulges towards the ideal point."""
    points = np.abs(np.random.default_rng(seed).normal(size=(n, m)))
    return 1 - points / np.linalg.norm(points, axis=1, keepdims=True)


def test_trade_offs_are_what_a_loop_over_pairs_gives():
    costs = convex(15, 3)
    scaled = (costs - costs.min(axis=0)) / (costs.max(axis=0) - costs.min(axis=0))
    expected = []
    for a in scaled:
        ratios = [
            sum(max(0, y - x) for x, y in zip(a, b, strict=True))
            / sum(max(0, x - y) for x, y in zip(a, b, strict=True))
            for b in scaled
            if (b < a).any()
        ]
        expected.append(min(ratios))
    assert trade_offs(costs, directions="min").tolist() == pytest.approx(expected)


@pytest.mark.parametrize("m", [2, 3])
def test_trade_offs_agree_with_pymoo_where_all_rows_are_neighbours(m):
    costs = convex(40, m)
    costs = (costs - costs.min(axis=0)) / (costs.max(axis=0) - costs.min(axis=0)) * 0.05  # all within its radius
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = HighTradeoffPoints()(costs)
    assert find_outliers_upper_tail(trade_offs(costs, directions="min").numpy()).tolist() == theirs.tolist()


def test_trade_offs_do_not_depend_on_units_and_directions():
    costs = convex(20, 3)
    found = trade_offs(costs, directions="min")
    assert torch.equal(trade_offs(-costs), found)
    assert torch.allclose(trade_offs(costs * [1e-6, -1, 1e9] + 5, directions=["min", "max", "min"]), found, atol=1e-5)
    assert torch.equal(trade_offs(np.insert(costs, 1, 4.2, axis=1), directions="min"), found)


def test_a_dominated_row_costs_nothing_to_leave_and_the_only_one_cannot_be_left():
    assert trade_offs([[0.0, 1], [1, 0], [1, 1]], directions="min").tolist()[2] == 0
    assert trade_offs([[1.0, 2]]).tolist() == [math.inf]
    found = trade_offs([[1.0, 2], [-math.inf, 9], [2, 1]])
    assert found[1].isnan()
    assert found[[0, 2]].tolist() == [1, 1]


# --- aspirations ----------------------------------------------------------------------------------------------------

ELBOW = [[0.0, 10.0], [1.0, 4.0], [2.0, 2.0], [6.0, 1.0], [10.0, 0.0]]


@pytest.mark.parametrize("m", [2, 3])
def test_achievement_is_that_of_pymoo(m):
    costs = convex(50, m) * np.arange(1, m + 1)
    span = costs.max(axis=0) - costs.min(axis=0)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        aspiration, preference = rng.random(m) * np.arange(1, m + 1), rng.dirichlet(np.ones(m))
        for theirs, ours in ((1 / preference, preference), (np.ones(m), None)):
            values = ASF().do((costs - aspiration) / span, theirs, utopian_point=np.zeros(m))
            found = closest_to_aspiration(costs, aspiration, directions="min", preference=ours, augmentation=0)
            assert found == int(values.argmin())


def test_aspirations_lead_to_the_row_that_has_them():
    for row, point in enumerate(ELBOW):
        assert closest_to_aspiration(ELBOW, point, directions="min") == row
    assert closest_to_aspiration(ELBOW, [-1.0, 10], directions="min") == 0  # not to be had in the first: the best there
    assert closest_to_aspiration(ELBOW, [5.0, 5], directions="min") == 2  # surpassed by several: by this one most
    turned = np.array(ELBOW) * [1, -1]
    assert closest_to_aspiration(turned, [5.0, -5], directions=["min", "max"]) == 2
    constant = np.insert(ELBOW, 1, 4.2, axis=1)
    assert closest_to_aspiration(constant, [5.0, 9, 5], directions="min") == 2
    assert closest_to_aspiration([[-math.inf, 5], *ELBOW], [0.0, 10.0]) == 1  # of the finite rows, numbered among all
    assert closest_to_aspiration([[1.0, 2], [1, 2]], [0.0, 0]) == 0


def test_augmentation_keeps_dominated_rows_from_being_chosen():
    rows = [[0.5, 0.9], [0.5, 0.2], [0.0, 5.0], [1.0, 0.0]]
    assert closest_to_aspiration(rows, [0.0, 1.0], directions="min", augmentation=0) == 0  # a tie with its better
    assert closest_to_aspiration(rows, [0.0, 1.0], directions="min") == 1


def test_wrong_aspirations_are_refused():
    with pytest.raises(ValueError, match="`aspiration` should be a list of 2 numbers"):
        closest_to_aspiration(ELBOW, [1.0])
    with pytest.raises(ValueError, match="`aspiration` should be finite"):
        closest_to_aspiration(ELBOW, [1.0, math.inf])
    with pytest.raises(ValueError, match="`augmentation` should be at least 0"):
        closest_to_aspiration(ELBOW, [1.0, 1], augmentation=-1.0)
    with pytest.raises(ValueError, match="sum to 1"):
        closest_to_aspiration(ELBOW, [1.0, 1], preference=[1, 1])
    with pytest.raises(ValueError, match=r"`preference` should be one, \[2\]. Found 2"):
        closest_to_aspiration(ELBOW, [1.0, 1], preference=[[0.5, 0.5], [0, 1]])
    with pytest.raises(ValueError, match="nothing to choose from"):
        closest_to_aspiration(np.empty((0, 2)), [1.0, 1])


# --- a result's own -------------------------------------------------------------------------------------------------


def test_a_result_chooses_from_its_front():
    words = ["min", "max"]
    one = result(np.array(ELBOW) * [1, -1], directions=words)
    assert one.knees().tolist() == [2]
    assert one.knees(2).tolist() == knee_points(one.objectives, directions=words, count=2).tolist()
    assert torch.equal(one.trade_offs(), trade_offs(one.objectives, directions=words))
    assert torch.equal(one.pseudo_weights(), pseudo_weights(one.objectives, directions=words))
    assert one.nearest([[0.9, 0.1], [0.1, 0.9]]).tolist() == [0, 4]
    assert one.achieve([6.0, -1.0]) == 3
    wish = {"preference": [0.9, 0.1], "augmentation": 0.0}
    assert one.achieve([6.0, 0.0], **wish) == closest_to_aspiration(ELBOW, [6.0, 0.0], directions="min", **wish)


def test_a_result_without_a_front_has_nothing_to_choose_from():
    none = result(np.empty((0, 2)), violating=[[0.5, 0.5]])
    for choose in (none.knees, none.trade_offs, none.pseudo_weights):
        with pytest.raises(ValueError, match="Nothing feasible was found, so there is nothing to choose from"):
            choose()
    for choose in (none.nearest, none.achieve):
        with pytest.raises(ValueError, match="nothing to choose from"):
            choose([0.5, 0.5])
