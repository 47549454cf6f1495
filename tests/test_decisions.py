"""Choosing from a front, against hand cases, literal loops and pymoo."""

import warnings

import numpy as np
import pytest
import torch
from front_results import result

from moo import decisions
from moo.decisions import achieve, knee, knee_distances, nearest, pseudo_weights, trade_offs

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # pymoo's, of scipy's names
    from pymoo.core.decision_making import find_outliers_upper_tail
    from pymoo.decomposition.asf import ASF
    from pymoo.mcdm.high_tradeoff import HighTradeoffPoints
    from pymoo.mcdm.pseudo_weights import PseudoWeights

ELBOW = [[0.0, 10.0], [1.0, 4.0], [2.0, 2.0], [6.0, 1.0], [10.0, 0.0]]
TABLES = [knee_distances, trade_offs, pseudo_weights]


def sphere(n, m, seed=0):
    points = np.abs(np.random.default_rng(seed).normal(size=(n, m)))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def convex(n, m, seed=0):
    """Minimised points on a front that bulges towards the ideal point."""
    return 1 - sphere(n, m, seed)


# ----------------------------------------------------------------------------------------------- knees
def test_a_knee_is_farthest_from_the_line_through_the_ends():
    assert knee(ELBOW, "min") == 2
    expected = [(10 - x - y) / 10 / np.sqrt(2) for x, y in ELBOW]
    assert knee_distances(ELBOW, "min").tolist() == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_two_objectives_have_the_distance_from_a_line(seed):
    F = convex(30, 2, seed) * [3.0, 700.0] + [5, -2]
    low, high = F.min(axis=0), F.max(axis=0)
    S = (F - low) / (high - low)
    a, b = S[F[:, 0].argmin()], S[F[:, 1].argmin()]
    cross = (b[0] - a[0]) * (a[1] - S[:, 1]) - (a[0] - S[:, 0]) * (b[1] - a[1])
    assert np.allclose(knee_distances(F, "min").abs().numpy(), np.abs(cross) / np.linalg.norm(b - a))


@pytest.mark.parametrize("m", [3, 4])
def test_more_objectives_have_the_distance_from_the_plane_of_the_extremes(m):
    corners = np.eye(m) * np.arange(1, m + 1)  # minimised: each is best in all objectives but one
    inner = np.full((1, m), 0.1)
    rest = convex(20, m) * 0.5 + 0.2
    F = np.concatenate([corners, inner, rest])
    span = F.max(axis=0) - F.min(axis=0)
    S, E = (F - F.min(axis=0)) / span, (corners - F.min(axis=0)) / span
    base, edges = E[0], E[1:] - E[0]
    normal = np.linalg.svd(edges)[2][-1]  # orthogonal to all edges
    expected = np.abs((S - base) @ normal)
    found = knee_distances(F, "min").numpy()
    assert np.allclose(np.abs(found), expected)
    assert knee(F, "min") == m
    assert found[m] > 0
    assert np.allclose(found[:m], 0)


def test_no_row_of_a_front_that_bulges_away_is_a_knee():
    F = sphere(40, 2)
    distances = knee_distances(F, "min")
    assert float(distances.max()) == pytest.approx(0, abs=1e-12)
    assert knee(F, "min") in (F[:, 0].argmin(), F[:, 1].argmin())


def test_extremes_that_coincide_give_way_to_the_worst_values():
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    curve = torch.stack([t, t, 1 - t], dim=1)  # two objectives that never conflict
    expected = (1 - (2 * t + 1 - t)) / np.sqrt(3)
    assert knee_distances(curve, "min").tolist() == pytest.approx(expected.tolist())


def test_extreme_rows_lack_least_in_all_objectives_but_one():
    ends = [[0.7, 0.1, 0.1], [0.1, 0.7, 0.1], [0.1, 0.1, 0.7]]  # on the plane x + y + z = 0.9
    beyond = [[1.0, 0.0, 0.3], [0.3, 1.0, 0.0], [0.0, 0.3, 1.0]]  # best in one objective, and worst in another
    rows = torch.tensor([*ends, *beyond, [0.2, 0.2, 0.2]], dtype=torch.float64)
    expected = (0.9 - rows.sum(dim=1)) / np.sqrt(3)
    assert knee_distances(rows, "min").tolist() == pytest.approx(expected.tolist())


def test_a_plane_that_misses_an_axis_gives_way_to_the_worst_values():
    rows = np.array([[7.0, 3, 6], [1, 9, 0], [2, 6, 0], [4, 1, 9]])
    scaled = (rows - rows.min(axis=0)) / (rows.max(axis=0) - rows.min(axis=0))
    assert np.linalg.solve(scaled[[2, 1, 3]], np.ones(3)).min() < 0  # through its extreme rows
    assert knee_distances(rows, "min").tolist() == pytest.approx(list((1 - scaled.sum(axis=1)) / np.sqrt(3)))


# ----------------------------------------------------------------------------------------------- trade-offs
def test_trade_offs_are_what_a_loop_over_pairs_gives():
    F = convex(15, 3)
    S = (F - F.min(axis=0)) / (F.max(axis=0) - F.min(axis=0))
    expected = []
    for a in S:
        ratios = [
            sum(max(0, y - x) for x, y in zip(a, b, strict=True))
            / sum(max(0, x - y) for x, y in zip(a, b, strict=True))
            for b in S
            if (b < a).any()
        ]
        expected.append(min(ratios))
    assert trade_offs(F, "min").tolist() == pytest.approx(expected)


@pytest.mark.parametrize("m", [2, 3])
def test_trade_offs_agree_with_pymoo_where_all_rows_are_neighbours(m):
    F = convex(40, m)
    F = (F - F.min(axis=0)) / (F.max(axis=0) - F.min(axis=0)) * 0.05  # all within its radius
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = HighTradeoffPoints()(F)
    assert find_outliers_upper_tail(trade_offs(F, "min").numpy()).tolist() == theirs.tolist()


def test_a_dominated_row_costs_nothing_to_leave():
    assert trade_offs([[0.0, 1], [1, 0], [1, 1]], "min").tolist()[2] == 0


def test_nothing_leads_away_from_the_only_row():
    assert trade_offs([[1.0, 2]], "min").tolist() == [np.inf]


# ----------------------------------------------------------------------------------------------- pseudo-weights
@pytest.mark.parametrize("m", [2, 3, 5])
def test_pseudo_weights_are_those_of_pymoo(m):
    F = convex(30, m) * np.arange(1, m + 1)
    for seed in range(5):
        wanted = np.random.default_rng(seed).dirichlet(np.ones(m))
        row, weights = PseudoWeights(wanted).do(F, return_pseudo_weights=True)
        assert np.allclose(pseudo_weights(F, "min"), weights)
        assert nearest(F, wanted, "min") == row


def test_pseudo_weights_lie_on_the_simplex_even_where_a_row_is_worst_in_all():
    weights = pseudo_weights([[0.0, 1, 7], [1, 0, 7], [1, 1, 7]], "min")
    assert weights.tolist() == [[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0]]


# ----------------------------------------------------------------------------------------------- aspirations
@pytest.mark.parametrize("m", [2, 3])
def test_achievement_is_that_of_pymoo(m):
    F = convex(50, m) * np.arange(1, m + 1)
    span = F.max(axis=0) - F.min(axis=0)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        aspiration, preference = rng.random(m) * np.arange(1, m + 1), rng.dirichlet(np.ones(m))
        theirs = ASF().do((F - aspiration) / span, 1 / preference, utopian_point=np.zeros(m))
        assert achieve(F, aspiration, "min", preference=preference, augmentation=0) == int(theirs.argmin())
        equal = ASF().do((F - aspiration) / span, np.ones(m), utopian_point=np.zeros(m))
        assert achieve(F, aspiration, "min", augmentation=0) == int(equal.argmin())


def test_aspirations_lead_to_the_row_that_has_them():
    for row, point in enumerate(ELBOW):
        assert achieve(ELBOW, point, "min") == row
    assert achieve(ELBOW, [-1.0, 10], "min") == 0  # not to be had in the first: the best there
    assert achieve(ELBOW, [5.0, 5], "min") == 2  # surpassed by several: by this one most


def test_augmentation_keeps_dominated_rows_from_being_chosen():
    rows = [[0.5, 0.9], [0.5, 0.2], [0.0, 5.0], [1.0, 0.0]]
    assert achieve(rows, [0.0, 1.0], "min", augmentation=0) == 0  # ties with the row that dominates it
    assert achieve(rows, [0.0, 1.0], "min") == 1


# ----------------------------------------------------------------------------------------------- for all of them
@pytest.mark.parametrize("table", TABLES)
def test_directions_are_the_problems_own(table):
    F = convex(20, 3)
    expected = table(F, "min")
    assert torch.equal(table(-F, "max"), expected)
    assert torch.equal(table(F * [1, -1, 1], ["min", "max", "min"]), expected)


def test_choices_follow_directions():
    F = convex(20, 2)
    turned, words = F * [1, -1], ["min", "max"]
    assert knee(turned, words) == knee(F, "min")
    assert nearest(turned, [0.3, 0.7], words) == nearest(F, [0.3, 0.7], "min")
    assert achieve(turned, [0.3, -0.2], words) == achieve(F, [0.3, 0.2], "min")


@pytest.mark.parametrize("table", TABLES)
def test_units_do_not_matter(table):
    F = convex(20, 3)
    assert torch.allclose(table(F * [1e-6, 1, 1e9] + [0, 5, -1e9], "min"), table(F, "min"), atol=1e-5)


@pytest.mark.parametrize("table", TABLES)
def test_an_objective_that_is_always_the_same_has_no_say(table):
    F = convex(20, 2)
    constant = np.insert(F, 1, 4.2, axis=1)
    found = table(constant, "min")
    if found.ndim == 2:
        assert (found[:, 1] == 0).all()
        found = found[:, [0, 2]]
    assert torch.equal(found, table(F, "min"))
    assert achieve(constant, [0.4, 9.0, 0.4], "min") == achieve(F, [0.4, 0.4], "min")


@pytest.mark.parametrize("rows", [[[1.0, 2]], [[1.0, 2], [1, 2], [1, 2]]])
def test_one_row_or_equal_rows_are_no_choice(rows):
    assert knee(rows, "min") == 0
    assert knee_distances(rows, "min").tolist() == [0] * len(rows)
    assert pseudo_weights(rows, "min").tolist() == [[0.5, 0.5]] * len(rows)
    assert nearest(rows, [1.0, 0], "min") == achieve(rows, [0.0, 0], "min") == 0


def test_of_equal_rows_the_first_is_chosen():
    twice = [*ELBOW, *ELBOW]
    assert knee(twice, "min") == 2
    assert nearest(twice, [0.5, 0.5], "min") == nearest(ELBOW, [0.5, 0.5], "min")
    assert torch.equal(knee_distances(twice, "min")[:5], knee_distances(ELBOW, "min"))


@pytest.mark.parametrize("table", TABLES)
def test_wrong_objectives_are_refused(table):
    with pytest.raises(ValueError, match=r"should be finite. Row 1"):
        table([[0.0, 1], [float("nan"), 0]], "min")
    with pytest.raises(ValueError, match="at least one row"):
        table(np.empty((0, 2)), "min")
    with pytest.raises(ValueError, match="`directions` should name one per objective"):
        table(ELBOW, ["min"])
    with pytest.raises(TypeError, match="should be an array of numbers"):
        table("text", "min")


def test_wrong_wishes_are_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        nearest(ELBOW, [0.5, 0.6], "min")
    with pytest.raises(ValueError, match=r"`preference` should be one, \[2\]. Found 2"):
        nearest(ELBOW, [[0.5, 0.5], [0, 1]], "min")
    with pytest.raises(ValueError, match="`aspiration` should be a list of 2 numbers"):
        achieve(ELBOW, [1.0], "min")
    with pytest.raises(ValueError, match="`aspiration` should be finite"):
        achieve(ELBOW, [1.0, float("inf")], "min")
    with pytest.raises(ValueError, match="`augmentation` should be at least 0"):
        achieve(ELBOW, [1.0, 1], "min", augmentation=-1.0)
    with pytest.raises(ValueError, match="sum to 1"):
        achieve(ELBOW, [1.0, 1], "min", preference=[1, 1])


def test_a_result_chooses_from_its_front():
    one = result(np.array(ELBOW) * [1, -1], directions=["min", "max"])
    words = ["min", "max"]
    assert one.knee() == 2
    assert torch.equal(one.trade_offs(), decisions.trade_offs(one.objectives, words))
    assert torch.equal(one.pseudo_weights(), decisions.pseudo_weights(one.objectives, words))
    assert one.nearest([0.9, 0.1]) == decisions.nearest(one.objectives, [0.9, 0.1], words) == 0
    assert one.achieve([6.0, -1.0]) == 3
    wish = {"preference": [0.9, 0.1], "augmentation": 0.0}
    assert one.achieve([6.0, 0.0], **wish) == decisions.achieve(one.objectives, [6.0, 0.0], words, **wish)


def test_a_result_without_a_front_has_nothing_to_choose():
    none = result(np.empty((0, 2)), violating=[[0.5, 0.5]])
    for choose in (none.knee, none.trade_offs, none.pseudo_weights):
        with pytest.raises(ValueError, match="Nothing feasible was found, so there is nothing to choose from"):
            choose()
    with pytest.raises(ValueError, match="nothing to choose from"):
        none.nearest([0.5, 0.5])
    with pytest.raises(ValueError, match="nothing to choose from"):
        none.achieve([0.5, 0.5])
