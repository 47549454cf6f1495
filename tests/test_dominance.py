"""Dominance against literal loops, and the properties that every caller relies on."""

import math
import os
from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance

from moo import dominance
from moo.directions import turn
from moo.dominance import (
    constrained_dominates,
    constrained_ranks,
    crowding_distance,
    dominates,
    epsilon_dominates,
    epsilon_non_dominated,
    joined_front,
    non_dominated,
    pareto_ranks,
    violation,
)

DEVICE = os.environ.get("MOO_TEST_DEVICE", "cpu")


def unconstrained_ranks(objectives, **options):
    return constrained_ranks(objectives, torch.zeros(*objectives.shape[:-1], 1), **options)


def thinned(objectives, **options):
    return epsilon_non_dominated(objectives, 0.25, **options)


FILTERS = [non_dominated, pareto_ranks, crowding_distance, unconstrained_ranks, thinned]

moderate = settings(max_examples=80, deadline=None)


@st.composite
def sets(draw, rows=(0, 24), columns=(1, 5), distinct=False):
    """Objectives `[n, m]` out of few integers (many ties and duplicates) or, where distinct, without a tie."""
    n, m = draw(st.integers(*rows)), draw(st.integers(*columns))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if distinct:
        return torch.from_numpy(np.stack([rng.permutation(n) for _ in range(m)], axis=1).reshape(n, m) / 7.0)
    return torch.from_numpy(rng.integers(-2, draw(st.integers(-1, 4)), size=(n, m)).astype(float))


@st.composite
def batches(draw, rows=(0, 14), columns=(1, 4)):
    """A batch of such sets `[B, n, m]` and a mask of its rows."""
    b, n, m = draw(st.integers(0, 4)), draw(st.integers(*rows)), draw(st.integers(*columns))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    objectives = rng.integers(-2, draw(st.integers(-1, 4)), size=(b, n, m)).astype(float)
    return torch.from_numpy(objectives), torch.from_numpy(rng.random((b, n)) < draw(st.sampled_from([0.0, 0.5, 1.0])))


def paths():
    """The loop of moocore over sets, and our own comparison of all sets at once."""
    for loop_from in (0, 10**9):
        with mock.patch.multiple(dominance, LOOP_FROM=loop_from, LOOP_BELOW=0):
            yield


def each(function, objectives, mask, fill):
    """What a function of one set gives for the rows that count of each set; `fill` for the others."""
    found = torch.full(mask.shape, fill, dtype=torch.float64 if isinstance(fill, float) else None)
    for one, rows, kept in zip(found, objectives, mask, strict=True):
        one[kept] = torch.as_tensor(function(rows[kept]), dtype=found.dtype)
    return found


def beats(a, b):
    """Literal definition, on lists."""
    return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))


def loop_non_dominated(rows, keep_duplicates):
    return [
        not any(beats(other, row) for other in rows) and (keep_duplicates or row not in rows[:i])
        for i, row in enumerate(rows)
    ]


def loop_ranks(rows, beats=beats):
    found, rank = {}, 0
    while len(found) < len(rows):
        left = [i for i in range(len(rows)) if i not in found]
        front = [i for i in left if not any(beats(rows[j], rows[i]) for j in left)]
        found.update(dict.fromkeys(front, rank))
        rank += 1
    return [found[i] for i in range(len(rows))]


# --- filter and ranks -----------------------------------------------------------------------------------------------


@moderate
@given(sets(), st.booleans())
def test_non_dominated_equals_the_literal_loop(objectives, keep_duplicates):
    mask = non_dominated(objectives, keep_duplicates=keep_duplicates)
    assert mask.dtype == torch.bool
    assert mask.tolist() == loop_non_dominated(objectives.tolist(), keep_duplicates)


@pytest.mark.parametrize("m", [2, 3, 4, 6])
def test_non_dominated_equals_the_pairwise_comparison_on_a_large_set(m):
    objectives = torch.from_numpy(np.random.default_rng(m).integers(0, 12, size=(700, m)).astype(float))
    dominated = dominates(objectives[:, None], objectives[None]).any(dim=0)
    assert torch.equal(non_dominated(objectives, keep_duplicates=True), ~dominated)
    assert torch.equal(pareto_ranks(objectives) == 0, ~dominated)
    kept = objectives[non_dominated(objectives)]
    assert len(kept.unique(dim=0)) == len(kept) == len(objectives[~dominated].unique(dim=0))


@moderate
@given(sets())
def test_ranks_equal_literal_peeling(objectives):
    found = pareto_ranks(objectives)
    assert found.dtype == torch.int64
    assert found.tolist() == loop_ranks(objectives.tolist())


@moderate
@given(batches(), st.booleans())
def test_the_filter_of_a_batch_is_that_of_its_sets_on_both_paths(batch, keep_duplicates):
    expected = each(lambda rows: loop_non_dominated(rows.tolist(), keep_duplicates), *batch, fill=False)
    for _ in paths():
        assert torch.equal(non_dominated(batch[0], keep_duplicates=keep_duplicates, mask=batch[1]), expected)


@moderate
@given(batches())
def test_the_ranks_of_a_batch_are_those_of_its_sets_on_both_paths(batch):
    expected = each(lambda rows: loop_ranks(rows.tolist()), *batch, fill=-1)
    for _ in paths():
        assert torch.equal(pareto_ranks(batch[0], mask=batch[1]), expected)


@pytest.mark.parametrize("m", [1, 2, 3, 5])
@pytest.mark.parametrize("n", [dominance.LOOP_FROM - 1, dominance.LOOP_FROM, 150])
def test_both_paths_agree_where_one_takes_over_from_the_other(n, m):
    rng = np.random.default_rng(n)
    objectives = torch.from_numpy(rng.integers(0, 30, (dominance.LOOP_BELOW + 1, n, m)) / 7)
    mask = torch.from_numpy(rng.random(objectives.shape[:-1]) < 0.8)
    for counted in (None, mask):
        everything = torch.ones_like(mask) if counted is None else counted
        ranks = each(pareto_ranks, objectives, everything, fill=-1)
        front = each(non_dominated, objectives, everything, fill=False)
        for _ in (None, *paths()):
            assert torch.equal(pareto_ranks(objectives, mask=counted), ranks)
            assert torch.equal(non_dominated(objectives, mask=counted), front)
            assert torch.equal(non_dominated(objectives, mask=counted, keep_duplicates=True), ranks == 0)


def test_many_objectives():
    objectives = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (60, 40)).astype(float)).cummax(dim=0).values
    for _ in paths():
        assert non_dominated(objectives).tolist() == loop_non_dominated(objectives.tolist(), False)
        assert pareto_ranks(objectives[None])[0].tolist() == loop_ranks(objectives.tolist())


@pytest.mark.parametrize("function", FILTERS)
def test_directions_turn_the_objectives(function):
    objectives = torch.from_numpy(np.random.default_rng(1).integers(-3, 4, (2, 30, 3)).astype(float))
    for words in (("min", "max", "min"), ("max",) * 3, ("min",) * 3):
        assert torch.equal(function(objectives, directions=words), function(turn(objectives, words)))
    assert torch.equal(function(objectives, directions="min"), function(-objectives))


@moderate
@given(sets(), st.integers(0, 2**32 - 1))
def test_permuting_rows_permutes_ranks_and_keeps_the_front(objectives, seed):
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(objectives)))
    shuffled = objectives[order]
    assert torch.equal(pareto_ranks(shuffled), pareto_ranks(objectives)[order])
    front, again = objectives[non_dominated(objectives)], shuffled[non_dominated(shuffled)]
    assert sorted(front.tolist()) == sorted(again.tolist())


@moderate
@given(sets(rows=(1, 20)), st.integers(0, 2**32 - 1))
def test_a_dominated_row_changes_nothing(objectives, seed):
    rng = np.random.default_rng(seed)
    worse = objectives[rng.integers(len(objectives))] - torch.from_numpy(rng.integers(0, 3, objectives.shape[1])) - 1
    longer = torch.cat([objectives, worse[None]])
    assert non_dominated(longer).tolist() == [*non_dominated(objectives).tolist(), False]


@moderate
@given(sets(rows=(1, 20)))
def test_filtering_twice_is_filtering_once(objectives):
    front = objectives[non_dominated(objectives)]
    assert len(front) >= 1
    assert non_dominated(front).all()


@moderate
@given(sets(rows=(3, 12)))
def test_dominance_is_a_strict_partial_order(objectives):
    over = dominates(objectives[:, None], objectives[None])
    assert not over.diagonal().any()
    assert not (over & over.T).any()
    assert not ((over.double() @ over.double() > 0) & ~over).any()  # transitive


def test_of_equal_rows_only_the_first_is_kept():
    objectives = torch.tensor([[0.0, 0.0], [1.0, 2.0], [1.0, 2.0], [2.0, 1.0], [1.0, 2.0]])
    assert non_dominated(objectives).tolist() == [False, True, False, True, False]
    assert non_dominated(objectives, keep_duplicates=True).tolist() == [False, True, True, True, True]
    assert pareto_ranks(objectives).tolist() == [1, 0, 0, 0, 0]


def test_one_objective_keeps_its_first_maximum():
    objectives = torch.tensor([[1.0], [3.0], [3.0], [2.0]])
    assert non_dominated(objectives).tolist() == [False, True, False, False]
    assert pareto_ranks(objectives).tolist() == [2, 0, 0, 1]


def test_negative_zero_equals_zero():
    objectives = torch.tensor([[0.0, 1.0], [-0.0, 1.0]])
    assert non_dominated(objectives).tolist() == [True, False]
    for m in (2, 3, 4):
        longer = torch.cat([objectives, torch.zeros(2, m - 2)], dim=1)
        for _ in paths():
            assert pareto_ranks(longer[None]).tolist() == [[0, 0]]
            assert non_dominated(longer[None]).tolist() == [[True, False]]


def test_dominates_broadcasts_and_ignores_nan():
    a = torch.tensor([[1.0, 1.0], [0.0, 1.0], [math.nan, 9.0]])
    assert dominates(a, torch.tensor([0.0, 1.0])).tolist() == [True, False, False]
    assert dominates(torch.tensor([0.0, 1.0]), a).tolist() == [False, False, False]
    assert dominates(a[:, None], a[None]).shape == (3, 3)


# --- constraints ----------------------------------------------------------------------------------------------------


def beats_under_constraints(a, b):
    """Literal definition; each is a row and its violation."""
    (row_a, violation_a), (row_b, violation_b) = a, b
    if violation_a == 0 and violation_b == 0:
        return beats(row_a, row_b)
    return violation_a < violation_b


def constraints_of(shape, seed):
    """Constraints out of few integers, many of them feasible."""
    return torch.from_numpy(np.random.default_rng(seed).integers(-4, 3, (*shape, 2)).astype(float))


@moderate
@given(sets(rows=(0, 12)), st.integers(0, 2**32 - 1))
def test_constrained_dominance_is_a_strict_partial_order(objectives, seed):
    amounts = np.random.default_rng(seed).choice([0.0, 0.0, 1.0, 2.0, math.inf, math.nan], len(objectives))
    amounts = torch.from_numpy(amounts)
    over = constrained_dominates(objectives[:, None], objectives[None], amounts[:, None], amounts[None])
    assert not over.diagonal().any()
    assert not (over & over.T).any()
    assert not ((over.double() @ over.double() > 0) & ~over).any()  # transitive
    assert not (over | over.T)[amounts.isnan()].any()
    rows = list(zip(objectives.tolist(), amounts.tolist(), strict=True))
    assert over.tolist() == [[beats_under_constraints(a, b) for b in rows] for a in rows]


@moderate
@given(sets(), st.integers(0, 2**32 - 1))
def test_constrained_ranks_equal_literal_peeling(objectives, seed):
    constraints = constraints_of(objectives.shape[:-1], seed)
    amounts = [sum(max(value, 0.0) for value in row) for row in constraints.tolist()]
    rows = list(zip(objectives.tolist(), amounts, strict=True))
    found = constrained_ranks(objectives, constraints)
    assert found.dtype == torch.int64
    assert found.tolist() == loop_ranks(rows, beats_under_constraints)


@moderate
@given(batches(), st.integers(0, 2**32 - 1))
def test_constrained_ranks_of_a_batch_are_those_of_its_sets(batch, seed):
    objectives, mask = batch
    constraints = constraints_of(mask.shape, seed)
    together = torch.cat([objectives, constraints], dim=-1)
    expected = each(lambda rows: constrained_ranks(rows[:, :-2], rows[:, -2:]), together, mask, fill=-1)
    junk = torch.where(mask[..., None], constraints, math.nan)
    assert torch.equal(constrained_ranks(objectives, junk, mask=mask), expected)
    assert torch.equal(constrained_ranks(-objectives, junk, mask=mask, directions="min"), expected)


@moderate
@given(sets())
def test_without_violation_constrained_ranks_are_ranks(objectives):
    for constraints in (torch.empty(len(objectives), 0), -torch.ones(len(objectives), 2)):
        assert torch.equal(constrained_ranks(objectives, constraints), pareto_ranks(objectives))


def test_constrained_ranks_of_a_known_set():
    objectives = [[0.0, 0.0], [9.0, 9.0], [1.0, 2.0], [2.0, 1.0], [9.0, 9.0], [9.0, 9.0]]
    constraints = [[-1.0, 0.0], [0.5, 0.5], [0.0, 0.0], [-3.0, -3.0], [0.1, -9.0], [1.0, -1.0]]
    assert constrained_ranks(objectives, constraints).tolist() == [1, 3, 0, 0, 2, 3]
    assert constrained_ranks(objectives[1:2] * 2, [[math.inf], [1.0]]).tolist() == [1, 0]


def test_constrained_ranks_leave_out_infinitely_bad_rows():
    objectives = [[-math.inf, 9.0], [1.0, 1.0], [0.0, 0.0], [-math.inf, 9.0], [5.0, 5.0]]
    constraints = [[0.0], [0.0], [0.0], [0.5], [1.0]]
    assert constrained_ranks(objectives, constraints).tolist() == [-1, 0, 1, -1, 2]


def test_constraints_with_nan_are_named_or_dropped():
    objectives, constraints = torch.zeros(2, 3, 2), torch.zeros(2, 3, 1)
    constraints[1, 2] = math.nan
    with pytest.raises(ValueError, match=r"`constraints` should hold no NaN. Row 2 is \[nan\]"):
        constrained_ranks(objectives[1], constraints[1])
    with pytest.raises(ValueError, match=r"`constraints` should hold no NaN. Row 2 of set 1 is \[nan\]"):
        constrained_ranks(objectives, constraints)
    assert constrained_ranks(objectives, constraints, nan="drop").tolist() == [[0, 0, 0], [0, 0, -1]]


@pytest.mark.parametrize("shape", [(3,), (2, 1), (3, 1, 1), (1, 3, 1)])
def test_constraints_of_another_shape_are_an_error(shape):
    with pytest.raises(ValueError, match=r"should have shapes \[n, m\] and \[n, c\].* Found \[3, 2\] and "):
        constrained_ranks(torch.zeros(3, 2), torch.zeros(shape))


# --- epsilon-dominance ----------------------------------------------------------------------------------------------


@st.composite
def boxed(draw, rows=(0, 24)):
    """Objectives and sides of boxes that are eighths and halves: their quotients are exact."""
    n, m = draw(st.integers(*rows)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sides = torch.from_numpy(rng.choice([0.25, 0.5, 2.0, 4.0], m))
    return torch.from_numpy(rng.integers(-16, 17, (n, m)) / 8.0), sides


def loop_epsilon(rows, sides):
    """Literal definition in fractions."""
    scaled = [[Fraction(value) / Fraction(side) for value, side in zip(row, sides, strict=True)] for row in rows]
    boxes = [[math.ceil(value) - 1 for value in row] for row in scaled]
    far = [sum((b + 1 - v) ** 2 for b, v in zip(box, row, strict=True)) for box, row in zip(boxes, scaled, strict=True)]
    best = {}
    for i, box in enumerate(map(tuple, boxes)):
        if box not in best or far[i] < far[best[box]]:
            best[box] = i
    kept = {i for box, i in best.items() if not any(beats(other, box) for other in best)}
    return [i in kept for i in range(len(rows))]


@moderate
@given(boxed())
def test_epsilon_non_dominated_equals_the_literal_loop(case):
    objectives, sides = case
    found = epsilon_non_dominated(objectives, sides)
    assert found.dtype == torch.bool
    assert found.tolist() == loop_epsilon(objectives.tolist(), sides.tolist())


@moderate
@given(boxed(rows=(1, 24)))
def test_every_row_is_epsilon_dominated_by_one_that_stays(case):
    objectives, sides = case
    stays = objectives[epsilon_non_dominated(objectives, sides)]
    assert epsilon_dominates(stays[:, None], objectives, sides).any(dim=0).all()


@moderate
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_that_holds_for_any_numbers_but_for_rounding(seed, m):
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.integers(-9, 9, m)
    objectives = torch.from_numpy(rng.standard_normal((60, m)) * scale)
    sides = torch.from_numpy(10.0 ** rng.uniform(-2, 1, m) * scale)
    marked = epsilon_non_dominated(objectives, sides)
    stays = objectives[marked]
    assert epsilon_dominates(stays[:, None], objectives, sides * (1 + 1e-9)).any(dim=0).all()
    assert not (marked & ~non_dominated(objectives)).any()
    assert epsilon_non_dominated(stays, sides).all()


@moderate
@given(boxed())
def test_at_most_one_row_stays_in_each_box_and_no_box_dominates_another(case):
    objectives, sides = case
    boxes = (objectives[epsilon_non_dominated(objectives, sides)] / sides).ceil()
    assert non_dominated(boxes).all()  # equal ones would be marked once only


@moderate
@given(boxed())
def test_no_row_that_stays_is_dominated_and_thinning_twice_is_thinning_once(case):
    objectives, sides = case
    marked = epsilon_non_dominated(objectives, sides)
    assert not (marked & ~non_dominated(objectives)).any()
    assert epsilon_non_dominated(objectives[marked], sides).all()


@moderate
@given(boxed(), st.integers(-5, 5))
def test_moving_by_multiples_of_epsilon_changes_nothing(case, steps):
    objectives, sides = case
    assert torch.equal(
        epsilon_non_dominated(objectives + steps * sides, sides), epsilon_non_dominated(objectives, sides)
    )


@moderate
@given(batches(), st.sampled_from([0.5, 1.0, 3.0]))
def test_epsilon_non_dominated_of_a_batch_is_that_of_its_sets(batch, epsilon):
    expected = each(lambda rows: epsilon_non_dominated(rows, epsilon), *batch, fill=False)
    assert torch.equal(epsilon_non_dominated(batch[0], epsilon, mask=batch[1]), expected)


def test_epsilon_boxes_of_a_known_set():
    objectives = torch.tensor([[1.0, 1.0], [0.9, 1.0], [1.25, 0.5], [2.5, -0.5], [2.75, -0.25], [2.0, -0.5]])
    # boxes of side 1 end at (1, 1), (1, 1), (2, 1), (3, 0), (3, 0) and (2, 0); the third dominates the first two
    assert epsilon_non_dominated(objectives, 1.0).tolist() == [False, False, True, False, True, False]
    # with sides of 8 and 1 they end at (8, 1) and (8, 0); of the first three the first is nearest
    assert epsilon_non_dominated(objectives, [8.0, 1.0]).tolist() == [True, False, False, False, False, False]


def test_the_row_nearest_to_the_best_corner_of_its_box_stays():
    assert epsilon_non_dominated([[1.0, 0.2], [0.5, 0.5]], 1.0).tolist() == [False, True]  # 0.8 and 0.71 from it
    assert epsilon_non_dominated([[0.5, 0.75], [0.75, 0.5]], 1.0).tolist() == [True, False]  # the first of equals


def test_a_small_epsilon_leaves_the_front_and_a_large_one_a_row():
    objectives = torch.from_numpy(np.random.default_rng(0).random((200, 3)))
    assert torch.equal(epsilon_non_dominated(objectives, 1e-9), non_dominated(objectives))
    assert epsilon_non_dominated(objectives, 10.0).sum() == 1


@moderate
@given(sets(rows=(2, 8)), st.sampled_from([0.0, 1.0, 2.0]))
def test_epsilon_dominance_is_its_definition(objectives, epsilon):
    found = epsilon_dominates(objectives[:, None], objectives[None], epsilon)
    rows = objectives.tolist()
    assert found.tolist() == [[all(x + epsilon >= y for x, y in zip(a, b, strict=True)) for b in rows] for a in rows]
    sides = torch.full((objectives.shape[1],), epsilon)
    assert torch.equal(epsilon_dominates(objectives[:, None], objectives[None], sides), found)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf, [1.0, 0.0], [1.0, 1.0, 1.0], [[1.0, 1.0]]])
def test_a_wrong_epsilon_is_an_error(epsilon):
    with pytest.raises(ValueError, match=r"`epsilon` should be above 0 and finite, one number or 2 of them. Found "):
        epsilon_non_dominated(torch.zeros(3, 2), epsilon)


def test_an_epsilon_that_is_no_number_or_too_small_is_an_error():
    with pytest.raises(TypeError, match="`epsilon` should be an array of numbers"):
        epsilon_non_dominated(torch.zeros(3, 2), "small")
    with pytest.raises(ValueError, match="`epsilon` is too small"):
        epsilon_non_dominated(torch.full((3, 2), 1e300, dtype=torch.float64), 1e-10)


# --- crowding -------------------------------------------------------------------------------------------------------


@moderate
@given(sets(rows=(0, 24)))
def test_crowding_distance_equals_pymoo(objectives):
    assume(len(objectives) > 0)
    expected = calc_crowding_distance(objectives.numpy().copy())
    np.testing.assert_allclose(crowding_distance(objectives).numpy(), expected, rtol=1e-12)


@moderate
@given(sets(rows=(2, 20), distinct=True), st.integers(0, 2**32 - 1))
def test_crowding_distance_without_ties_ignores_order_scale_and_sign(objectives, seed):
    rng = np.random.default_rng(seed)
    order = torch.from_numpy(rng.permutation(len(objectives)))
    m = objectives.shape[1]
    factors = torch.from_numpy(rng.uniform(0.1, 10, m) * rng.choice([-1, 1], m))
    distance = crowding_distance(objectives)
    torch.testing.assert_close(crowding_distance(objectives[order]), distance[order])
    torch.testing.assert_close(crowding_distance(objectives * factors + 3), distance)


def test_crowding_distance_of_a_known_front():
    objectives = torch.tensor([[4.0, 0.0], [0.0, 4.0], [1.0, 3.0], [3.0, 1.0]])
    # (1, 3): (3 - 0) / 4 in both objectives; (3, 1): (4 - 1) / 4 in both
    assert crowding_distance(objectives).tolist() == [math.inf, math.inf, 0.75, 0.75]


def test_crowding_distance_counts_an_objective_of_zero_range_as_zero():
    objectives = torch.tensor([[0.0, 5.0], [1.0, 5.0], [4.0, 5.0]])
    assert crowding_distance(objectives).tolist() == [math.inf, 0.5, math.inf]
    assert crowding_distance(torch.ones(3, 2)).tolist() == [0.0, 0.0, 0.0]
    assert crowding_distance(torch.ones(1, 2)).tolist() == [0.0]


def test_crowding_distance_of_duplicates_follows_their_order():
    objectives = torch.tensor([[0.0], [0.0], [1.0], [2.0], [2.0]])
    assert crowding_distance(objectives).tolist() == [math.inf, 0.5, 1.0, 0.5, math.inf]


@moderate
@given(batches())
def test_crowding_distance_of_a_batch_is_that_of_its_sets(batch):
    expected = each(lambda rows: calc_crowding_distance(rows.numpy().copy()) if len(rows) else [], *batch, fill=0.0)
    torch.testing.assert_close(crowding_distance(batch[0], mask=batch[1]), expected, rtol=1e-12, atol=0)


# --- violation ------------------------------------------------------------------------------------------------------


def test_violation_sums_the_positive_parts():
    constraints = torch.tensor([[-1.0, 0.0], [2.0, -5.0], [0.5, 0.25]])
    assert violation(constraints).tolist() == [0.0, 2.0, 0.75]


def test_violation_without_constraints_is_zero():
    assert violation(torch.empty(3, 0)).tolist() == [0.0, 0.0, 0.0]
    assert violation(torch.empty(0, 2)).shape == (0,)


def test_violation_keeps_floats_and_promotes_integers():
    assert violation(torch.ones(2, 1, dtype=torch.float32)).dtype == torch.float32
    assert violation(torch.ones(2, 1, dtype=torch.int32)).dtype == torch.float64


def test_violation_of_nan_is_not_feasible():
    found = violation(torch.tensor([[math.nan, -1.0], [-1.0, -1.0]]))
    assert (found <= 0).tolist() == [False, True]


# --- input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", FILTERS)
@pytest.mark.parametrize("m", [1, 2, 5])
def test_an_empty_set_gives_an_empty_result(function, m):
    assert function(torch.empty(0, m)).shape == (0,)


@pytest.mark.parametrize("function", FILTERS)
@pytest.mark.parametrize(
    ("bad", "rule"), [(math.nan, "should hold no NaN"), (math.inf, "should be finite where it is good")]
)
@pytest.mark.parametrize("m", [1, 2, 4])
def test_a_value_that_is_nan_or_infinitely_good_is_named(function, bad, rule, m):
    objectives = torch.zeros(6, m)
    objectives[3, m - 1] = objectives[5, 0] = bad
    with pytest.raises(ValueError, match=rf"`objectives` {rule}. Row 3 is \["):
        function(objectives)
    with pytest.raises(ValueError, match=rf"`objectives` {rule}. Row 3 of set 1 is \["):
        function(torch.stack([torch.zeros(6, m), objectives]))


@pytest.mark.parametrize(
    ("function", "fill"),
    [(non_dominated, False), (pareto_ranks, -1), (crowding_distance, 0.0), (unconstrained_ranks, -1), (thinned, False)],
)
@pytest.mark.parametrize("m", [1, 2, 4])
@pytest.mark.parametrize("n", [6, 120])
def test_an_infinitely_bad_row_counts_as_dominated(function, fill, m, n):
    objectives = torch.from_numpy(np.random.default_rng(n).random((n, m)))
    objectives[3, m - 1] = objectives[5, 0] = -math.inf
    kept = torch.ones(n, dtype=torch.bool)
    kept[[3, 5]] = False
    for found in (function(objectives), function(objectives[None])[0], function(-objectives, directions="min")):
        assert found[~kept].tolist() == [fill, fill]
        assert torch.equal(found[kept], function(objectives[kept]))


@pytest.mark.parametrize("function", FILTERS)
def test_none_is_kept_of_infinitely_bad_rows_alone(function):
    found = function(torch.full((3, 2), -math.inf))
    assert torch.equal(found, torch.full_like(found, -1 if found.dtype == torch.int64 else 0))


@pytest.mark.parametrize("function", FILTERS)
def test_another_shape_is_an_error(function):
    with pytest.raises(ValueError, match=r"`objectives` should have shape \[n, m\], or .*. Found \[3\]"):
        function(torch.zeros(3))
    with pytest.raises(ValueError, match=r"at least one column. Found shape \[3, 0\]"):
        function(torch.zeros(3, 0))


@pytest.mark.parametrize("function", FILTERS)
def test_arguments_are_not_changed_and_memory_layout_does_not_matter(function):
    objectives = torch.randn(30, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    before = objectives.clone()
    expected = function(objectives)
    assert torch.equal(objectives, before)
    assert torch.equal(function(objectives.T.contiguous().T), expected)
    assert torch.equal(function(objectives.repeat(2, 2)[:30, :3]), expected)
    assert torch.equal(function(objectives.clone().requires_grad_()), expected)


@pytest.mark.parametrize("function", FILTERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_other_dtypes_give_the_same_result(function, dtype):
    objectives = torch.randint(0, 9, (40, 3), generator=torch.Generator().manual_seed(1))
    assert torch.equal(function(objectives.to(dtype)), function(objectives.double()))


@pytest.mark.parametrize("function", [*FILTERS, violation])
def test_the_result_is_on_the_device_of_the_input(function):
    assert function(torch.rand(5, 2, device=DEVICE)).device.type == torch.device(DEVICE).type


def test_a_joined_front_has_each_non_dominated_row_once():
    front = torch.tensor([[0.0, 3.0], [2.0, 1.0]], dtype=torch.float64)
    more = torch.tensor([[2.0, 1.0], [1.0, 3.0], [3.0, 0.0], [0.5, 0.5]], dtype=torch.float64)
    assert joined_front(front, more).tolist() == [[1.0, 3.0], [2.0, 1.0], [3.0, 0.0]]
    assert joined_front(front[:0], more[:0]).shape == (0, 2)
