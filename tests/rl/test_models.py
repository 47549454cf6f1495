"""Finite models: sets of vectors are those of all policies."""

import itertools

import numpy as np
import pytest
import torch
from inputs import finite_model, random_finite_model

import moo
from moo.rl.models import best_rows, extend_sets, follow, pareto_values


def dominates(a, b):
    return (a >= b).all() and (a > b).any()


@pytest.mark.parametrize("m", [1, 2, 3])
def test_best_rows_are_the_non_dominated_ones_in_lexicographic_order(m):
    vectors = np.random.default_rng(m).integers(0, 6, (60, m)).astype(float)
    literal = {tuple(row) for row in vectors if not any(dominates(other, row) for other in vectors)}
    found = best_rows(vectors)
    assert [tuple(row) for row in vectors[found]] == sorted(literal)
    for row in found:  # of equal rows the first
        assert row == np.flatnonzero((vectors == vectors[row]).all(axis=1))[0]
    assert best_rows(np.zeros((0, m))).tolist() == []


def test_rounding_errors_make_no_row_better():
    vectors = np.array([[0.1 + 0.2, 0.0], [0.3, 1.0], [0.3, 1.0 + 1e-14], [0.0, 2.0]])
    assert vectors[0, 0] > 0.3
    assert best_rows(vectors).tolist() == [3, 1]


# --- values of policies ---------------------------------------------------------------------------------------------


def value(model, history, policy, gamma, left):
    """The expected return of a policy, a dict from the places seen so far to an action, with so many steps left."""
    if left == 0:
        return 0.0
    place, action = history[-1], policy[history]
    total = 0.0
    for chance, after, reward, ends in zip(
        model.chances[place, action].tolist(),
        model.successors[place, action].tolist(),
        model.rewards[place, action].numpy(),
        model.ends[place, action].tolist(),
        strict=True,
    ):
        later = 0.0 if ends or not chance else value(model, (*history, after), policy, gamma, left - 1)
        total = total + chance * (reward + gamma * later)
    return total


def all_policies(model, gamma, horizon):
    """The non-dominated values of all deterministic policies that go by all places seen, in lexicographic order."""
    places, actions, _ = model.successors.shape
    histories = [(model.start, *later) for n in range(horizon) for later in itertools.product(range(places), repeat=n)]
    found = []
    for choice in itertools.product(range(actions), repeat=len(histories)):
        policy = dict(zip(histories, choice, strict=True))
        found.append(value(model, (model.start,), policy, gamma, horizon))
    rows = np.unique(np.round(found, 9), axis=0)
    return np.array([row for row in rows if not any(dominates(other, row) for other in rows)])


CROSSROADS = finite_model(  # the first action of place 1 has an impossible outcome, and several end
    successors=[[[1, 2], [2, 1]], [[1, 2], [0, 1]], [[0, 2], [2, 0]]],
    chances=[[[0.5, 0.5], [0.9, 0.1]], [[1.0, 0.0], [0.25, 0.75]], [[0.5, 0.5], [0.2, 0.8]]],
    rewards=[
        [[[1, 0], [0, 1]], [[2, -1], [0, 3]]],
        [[[3, 0], [9, 9]], [[0, 2], [1, 1]]],
        [[[0, 2], [1, 0]], [[-1, 4], [2, 0]]],
    ],
    ends=[[[False, False], [False, True]], [[True, False], [False, False]], [[False, True], [False, False]]],
)


@pytest.mark.parametrize("gamma", [0.8, 1.0])
@pytest.mark.parametrize("horizon", [1, 2, 3])
def test_values_are_those_of_all_policies(gamma, horizon):
    literal = all_policies(CROSSROADS, gamma, horizon)
    np.testing.assert_allclose(pareto_values(CROSSROADS, gamma, horizon), literal, rtol=0, atol=1e-8)
    assert len(literal) > horizon


@pytest.mark.parametrize("seed", range(8))
def test_values_of_random_tables_are_those_of_all_policies(seed):
    model, gamma = random_finite_model(seed), (0.9, 1.0)[seed % 2]
    literal = all_policies(model, gamma, 3)
    np.testing.assert_allclose(pareto_values(model, gamma, 3), literal, rtol=0, atol=1e-8)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_without_a_discount_the_horizon_bounds_what_is_gained(steps):
    model = finite_model([[[0], [0]]], [[[1], [1]]], [[[[1.0, 0.0]], [[0.0, 1.0]]]], [[[False], [False]]])
    assert pareto_values(model, 1.0, steps).tolist() == [[i, steps - i] for i in range(steps + 1)]


def test_an_endless_sum_converges():
    model = finite_model([[[0]]], [[[1]]], [[[[1.0, -2.0]]]], [[[False]]])
    torch.testing.assert_close(
        pareto_values(model, 0.5, 10_000), torch.tensor([[2.0, -4.0]], dtype=torch.float64), rtol=0, atol=1e-9
    )


def test_equal_sums_in_another_order_are_one_value():
    # .1 and then .2 in the first objective, or .3 and 1 in the second at once: in float64 .1 + .2 > .3
    model = finite_model(
        [[[1], [0]], [[1], [1]]],
        np.ones((2, 2, 1)).tolist(),
        [[[[0.1, 0.0]], [[0.3, 1.0]]], [[[0.2, 0.0]], [[0.2, 0.0]]]],
        [[[False], [True]], [[True], [True]]],
    )
    assert pareto_values(model, 1.0, 5).tolist() == [[0.3, 1.0]]


def test_sets_go_on_from_where_they_stood():
    model, gamma, places = CROSSROADS, 0.7, set(range(3))
    zero = [np.zeros((1, 2))] * 3
    whole = extend_sets(model, zero, places, gamma, 3)
    parts = extend_sets(model, extend_sets(model, zero, places, gamma, 2), places, gamma, 1)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
    assert extend_sets(model, zero, set(), gamma, 9) == zero


def test_what_is_unknown_is_left_out():
    model = finite_model(  # the second action of place 0 has never been tried, nor anything at place 1
        [[[1], [0], [2]], [[0], [0], [0]], [[2], [2], [2]]],
        [[[1], [0], [1]], [[0], [0], [0]], [[1], [1], [0]]],
        [[[[5.0]], [[9.0]], [[1.0]]], [[[9.0]]] * 3, [[[2.0]], [[3.0]], [[9.0]]]],
        [[[False]] * 3, [[True]] * 3, [[True]] * 3],
    )
    sets = extend_sets(model, [np.zeros((0, 1))] * 3, {0, 1, 2}, 0.5, 10)
    assert [vectors.tolist() for vectors in sets] == [[[2.5]], [], [[3.0]]]


@pytest.mark.parametrize("variant", ["convex", "concave", "mirrored"])
def test_actions_that_are_followed_gain_the_vector(variant):
    problem = moo.get_problem("deep-sea-treasure", variant=variant)
    model, places = problem.model, len(problem.model.successors)
    sets = extend_sets(model, [np.zeros((0, 2))] * places, set(range(places)), problem.gamma, problem.max_steps)
    np.testing.assert_allclose(sets[model.start], problem.oracle.front, rtol=0, atol=1e-9)
    for vector in sets[model.start]:
        actions = follow(model, sets, model.start, vector, problem.gamma, problem.max_steps)
        state, total = problem.reset(1), np.zeros(2)
        for step, action in enumerate(actions):
            state, rewards, terminated, _ = problem.step(state, torch.tensor([action]))
            total += problem.gamma**step * rewards[0].numpy()
            assert terminated.item() == (step == len(actions) - 1)
        np.testing.assert_allclose(total, vector, rtol=0, atol=1e-9)
    assert len(follow(model, sets, model.start, sets[model.start][-1], problem.gamma, 4)) == 4


def test_following_does_not_go_in_circles_where_that_costs_nothing():
    model = finite_model([[[0], [0]]], [[[1], [1]]], [[[[0.0, 0.0]], [[1.0, 1.0]]]], [[[False], [True]]])
    sets = extend_sets(model, [np.zeros((0, 2))], {0}, 1.0, 20)
    assert follow(model, sets, 0, np.array([1.0, 1.0]), 1.0, 20) == [1]


def test_a_vector_that_nothing_ends_with():
    model = finite_model([[[0]]], [[[1]]], [[[[1.0, 0.0]]]], [[[False]]])
    with pytest.raises(ValueError, match=r"No policy that ends gains \[2\.0, 0\.0\] from place 0"):
        follow(model, [np.array([[2.0, 0.0]])], 0, np.array([2.0, 0.0]), 0.5, 20)
