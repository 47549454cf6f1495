"""Dominance against literal loops, and the properties that every caller relies on."""

import math
import os

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance

from moo.dominance import crowding_distance, dominates, non_dominated, pareto_ranks, violation

DEVICE = os.environ.get("MOO_TEST_DEVICE", "cpu")
FILTERS = [non_dominated, pareto_ranks, crowding_distance]

moderate = settings(max_examples=80, deadline=None)


@st.composite
def sets(draw, rows=(0, 24), columns=(1, 5), distinct=False):
    """Objectives `[n, m]` out of few integers (many ties and duplicates) or, where distinct, without a tie."""
    n, m = draw(st.integers(*rows)), draw(st.integers(*columns))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if distinct:
        return torch.from_numpy(np.stack([rng.permutation(n) for _ in range(m)], axis=1).reshape(n, m) / 7.0)
    return torch.from_numpy(rng.integers(-2, draw(st.integers(-1, 4)), size=(n, m)).astype(float))


def beats(a, b):
    """Literal definition, on lists."""
    return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))


def loop_non_dominated(rows, keep_duplicates):
    return [
        not any(beats(other, row) for other in rows) and (keep_duplicates or row not in rows[:i])
        for i, row in enumerate(rows)
    ]


def loop_ranks(rows):
    found, rank = {}, 0
    while len(found) < len(rows):
        left = [i for i in range(len(rows)) if i not in found]
        front = [i for i in left if not any(beats(rows[j], rows[i]) for j in left)]
        found.update(dict.fromkeys(front, rank))
        rank += 1
    return [found[i] for i in range(len(rows))]


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


def test_dominates_broadcasts_and_ignores_nan():
    a = torch.tensor([[1.0, 1.0], [0.0, 1.0], [math.nan, 9.0]])
    assert dominates(a, torch.tensor([0.0, 1.0])).tolist() == [True, False, False]
    assert dominates(torch.tensor([0.0, 1.0]), a).tolist() == [False, False, False]
    assert dominates(a[:, None], a[None]).shape == (3, 3)


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


@pytest.mark.parametrize("function", FILTERS)
@pytest.mark.parametrize("m", [1, 2, 5])
def test_an_empty_set_gives_an_empty_result(function, m):
    assert function(torch.empty(0, m)).shape == (0,)


@pytest.mark.parametrize("function", FILTERS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("m", [1, 2, 4])
def test_a_value_that_is_not_finite_is_named(function, bad, m):
    objectives = torch.zeros(6, m)
    objectives[3, m - 1] = objectives[5, 0] = bad
    with pytest.raises(ValueError, match=r"`objectives` should be finite. Row 3 is \["):
        function(objectives)


@pytest.mark.parametrize("function", FILTERS)
def test_another_shape_is_an_error(function):
    with pytest.raises(ValueError, match=r"`objectives` should have shape \[n, m\]. Found \[3\]"):
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
