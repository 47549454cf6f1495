"""Finite environments: steps are look-ups, chances are kept, and sets of vectors are those of all policies."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

import moo
from moo.rl.finite import (
    FiniteEnvironment,
    FiniteModel,
    Tables,
    best_rows,
    check_actions,
    check_gamma,
    extend_sets,
    follow,
    pareto_values,
    uniform,
)
from moo.space import Space, integer

CPU = torch.device("cpu")


def model_of(successors, chances, rewards, ends, start=0):
    """Nested lists `[s, a, k]` as a model."""
    float64 = {"dtype": torch.float64}
    return FiniteModel(
        torch.tensor(successors),
        torch.tensor(chances, **float64),
        torch.tensor(rewards, **float64),
        torch.tensor(ends),
        start,
    )


def random_model(seed, places=3, actions=2, outcomes=2, m=2):
    """Tables at random; outcomes of an action lead to different places, some of them are impossible."""
    stream = np.random.default_rng(seed)
    shape = (places, actions, outcomes)
    successors = stream.permuted(np.broadcast_to(np.arange(places), (*shape[:2], places)), axis=2)[:, :, :outcomes]
    chances = stream.integers(0, 4, shape) + np.eye(outcomes, dtype=int)[0]
    chances = chances / chances.sum(axis=2, keepdims=True)
    rewards = stream.integers(-3, 4, (*shape, m)).astype(float)
    ends = stream.random(shape) < 0.25
    return FiniteModel(*(torch.from_numpy(table.copy()) for table in (successors, chances, rewards, ends)), start=0)


def environment(model, **options):
    places, actions, _ = model.successors.shape
    m = model.rewards.shape[-1]
    settings = {"gamma": 0.9, "max_steps": 20, "reference_point": [-10.0] * m, **options}
    return FiniteEnvironment(
        "tables",
        model,
        torch.arange(places)[:, None],
        Space((integer(0, places - 1, "place"),)),
        [f"a{i}" for i in range(actions)],
        [f"f{i}" for i in range(m)],
        **settings,
    )


# --- stepping -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcomes", [1, 3])
def test_steps_equal_a_literal_loop_over_the_tables(outcomes):
    model = random_model(outcomes, places=5, actions=3, outcomes=outcomes)
    problem = environment(model)
    assert problem.stochastic == (outcomes > 1)
    generator, same = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    state = problem.reset(200)
    assert state.tolist() == [[0, 0]] * 200
    for step in range(25):
        actions = torch.randint(0, 3, (200,), generator=torch.Generator().manual_seed(step))
        drawn = uniform(200, same, CPU).tolist() if outcomes > 1 else [0.0] * 200
        moved, rewards, terminated, truncated = problem.step(state, actions, generator)
        assert (rewards.dtype, terminated.dtype, truncated.dtype) == (torch.float64, torch.bool, torch.bool)
        for copy, (place, action) in enumerate(zip(state[:, 0].tolist(), actions.tolist(), strict=True)):
            chances = model.chances[place, action].tolist()
            k = next(k for k in range(outcomes) if drawn[copy] < sum(chances[: k + 1]) or k == outcomes - 1)
            assert chances[k] > 0
            assert moved[copy].tolist() == [model.successors[place, action, k], step + 1]
            assert torch.equal(rewards[copy], model.rewards[place, action, k])
            assert terminated[copy] == model.ends[place, action, k]
            assert truncated[copy] == (step + 1 >= 20)
        state = moved
        assert torch.equal(problem.observe(state), state[:, :1].float())


def test_chances_are_kept():
    chances = [0.5, 0.2, 0.0, 0.3]
    model = model_of([[[0, 1, 2, 3]]] * 4, [[chances]] * 4, [[[[0.0]] * 4]] * 4, [[[False] * 4]] * 4)
    problem = environment(model)
    state, _, _, _ = problem.step(problem.reset(40_000), torch.zeros(40_000).long(), torch.Generator().manual_seed(3))
    counts = torch.bincount(state[:, 0], minlength=4)
    assert counts[2] == 0
    assert chisquare(counts[[0, 1, 3]], 40_000 * np.array([0.5, 0.2, 0.3])).pvalue > 0.001


def test_the_cut_is_apart_from_the_end():
    model = model_of([[[0], [0]]], [[[1], [1]]], [[[[1.0]], [[1.0]]]], [[[False], [True]]])
    problem = environment(model, max_steps=2)
    state, _, terminated, truncated = problem.step(problem.reset(2), torch.tensor([0, 1]))
    assert (terminated.tolist(), truncated.tolist()) == ([False, True], [False, False])
    _, _, terminated, truncated = problem.step(state, torch.tensor([0, 1]))
    assert (terminated.tolist(), truncated.tolist()) == ([False, True], [True, True])


def test_actions_may_be_one_column_and_copies_none():
    problem = environment(random_model(0))
    generator, same = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    column = problem.step(problem.reset(4), torch.tensor([[0], [1], [1], [0]]), generator)
    row = problem.step(problem.reset(4), torch.tensor([0, 1, 1, 0]), same)
    assert all(torch.equal(a, b) for a, b in zip(column, row, strict=True))
    state, rewards, *_ = problem.step(problem.reset(0), torch.zeros(0).long(), generator)
    assert (state.shape, rewards.shape) == ((0, 2), (0, 2))
    assert problem.action_mask(problem.reset(4)) is None


@pytest.mark.parametrize(("actions", "found"), [([0, 2, 2], r"\[0, 2\]"), ([-1, 0, 1], r"\[-1, 0, 1\]")])
def test_an_action_that_does_not_exist(actions, found):
    problem = environment(random_model(0))
    message = rf"`actions` of tables should be from 0 to 1\. Found {found}\."
    with pytest.raises(ValueError, match=message):
        problem.step(problem.reset(3), torch.tensor(actions), torch.Generator())
    with pytest.raises(ValueError, match=message):
        check_actions(problem, torch.tensor(actions), 3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"gamma": 0}, ValueError, r"`gamma` should be in \(0, 1\]\. Found 0\."),
        ({"max_steps": 0}, ValueError, r"`max_steps` should be at least 1\. Found 0\."),
        ({"max_steps": "many"}, TypeError, r"`max_steps` should be a whole number\. Found 'many'\."),
        (
            {"reference_point": [0.0]},
            ValueError,
            r"`reference_point` should be a list of 2 numbers\. Found shape \[1\]",
        ),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        environment(random_model(0), **options)


# --- parts ----------------------------------------------------------------------------------------------------------


def test_random_numbers_are_those_of_the_generator():
    drawn = uniform(1000, torch.Generator().manual_seed(5), CPU)
    assert torch.equal(drawn, torch.rand(1000, generator=torch.Generator().manual_seed(5), dtype=torch.float64))
    assert drawn.dtype == torch.float64
    message = r"`generator` should be a torch\.Generator: this environment is random\. Found None\."
    with pytest.raises(ValueError, match=message):
        uniform(3, None, CPU)
    problem = environment(random_model(0))
    with pytest.raises(ValueError, match=message):
        problem.step(problem.reset(2), torch.zeros(2).long())


def test_tables_are_copied_to_a_device_once():
    numbers = torch.arange(3)
    tables = Tables(numbers, numbers * 2)
    assert tables.on(CPU)[0] is numbers
    elsewhere = tables.on(torch.device("meta"))
    assert [(t.device.type, t.shape) for t in elsewhere] == [("meta", (3,))] * 2
    assert tables.on(torch.device("meta")) is elsewhere


def test_a_discount_is_above_0_and_at_most_1():
    assert [check_gamma(gamma) for gamma in (1, 0.5)] == [1.0, 0.5]
    assert isinstance(check_gamma(1), float)
    for gamma in (0, -0.5, 1.0001, float("nan")):
        with pytest.raises(ValueError, match=rf"`gamma` should be in \(0, 1\]\. Found {gamma}\."):
            check_gamma(gamma)


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


CROSSROADS = model_of(  # the first action of place 1 has an impossible outcome, and several end
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
    model, gamma = random_model(seed), (0.9, 1.0)[seed % 2]
    literal = all_policies(model, gamma, 3)
    np.testing.assert_allclose(pareto_values(model, gamma, 3), literal, rtol=0, atol=1e-8)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_without_a_discount_the_horizon_bounds_what_is_gained(steps):
    model = model_of([[[0], [0]]], [[[1], [1]]], [[[[1.0, 0.0]], [[0.0, 1.0]]]], [[[False], [False]]])
    assert pareto_values(model, 1.0, steps).tolist() == [[i, steps - i] for i in range(steps + 1)]
    assert torch.equal(environment(model, gamma=1.0, max_steps=steps).oracle.front, pareto_values(model, 1.0, steps))


def test_an_endless_sum_converges():
    model = model_of([[[0]]], [[[1]]], [[[[1.0, -2.0]]]], [[[False]]])
    torch.testing.assert_close(
        pareto_values(model, 0.5, 10_000), torch.tensor([[2.0, -4.0]], dtype=torch.float64), rtol=0, atol=1e-9
    )


def test_equal_sums_in_another_order_are_one_value():
    # .1 and then .2 in the first objective, or .3 and 1 in the second at once: in float64 .1 + .2 > .3
    model = model_of(
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
    model = model_of(  # the second action of place 0 has never been tried, nor anything at place 1
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
