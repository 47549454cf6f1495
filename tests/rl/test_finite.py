"""Finite environments: steps are look-ups, chances are kept, and the oracle is that of the model."""

import numpy as np
import pytest
import torch
from inputs import finite_model, random_finite_model
from scipy.stats import chisquare

from moo.rl.finite import FiniteEnvironment, Tables, check_actions, check_gamma, uniform
from moo.rl.models import pareto_values
from moo.space import Space, integer

CPU = torch.device("cpu")


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
    model = random_finite_model(outcomes, places=5, actions=3, outcomes=outcomes)
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
    model = finite_model([[[0, 1, 2, 3]]] * 4, [[chances]] * 4, [[[[0.0]] * 4]] * 4, [[[False] * 4]] * 4)
    problem = environment(model)
    state, _, _, _ = problem.step(problem.reset(40_000), torch.zeros(40_000).long(), torch.Generator().manual_seed(3))
    counts = torch.bincount(state[:, 0], minlength=4)
    assert counts[2] == 0
    assert chisquare(counts[[0, 1, 3]], 40_000 * np.array([0.5, 0.2, 0.3])).pvalue > 0.001


def test_the_cut_is_apart_from_the_end():
    model = finite_model([[[0], [0]]], [[[1], [1]]], [[[[1.0]], [[1.0]]]], [[[False], [True]]])
    problem = environment(model, max_steps=2)
    state, _, terminated, truncated = problem.step(problem.reset(2), torch.tensor([0, 1]))
    assert (terminated.tolist(), truncated.tolist()) == ([False, True], [False, False])
    _, _, terminated, truncated = problem.step(state, torch.tensor([0, 1]))
    assert (terminated.tolist(), truncated.tolist()) == ([False, True], [True, True])


def test_actions_may_be_one_column_and_copies_none():
    problem = environment(random_finite_model(0))
    generator, same = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    column = problem.step(problem.reset(4), torch.tensor([[0], [1], [1], [0]]), generator)
    row = problem.step(problem.reset(4), torch.tensor([0, 1, 1, 0]), same)
    assert all(torch.equal(a, b) for a, b in zip(column, row, strict=True))
    state, rewards, *_ = problem.step(problem.reset(0), torch.zeros(0).long(), generator)
    assert (state.shape, rewards.shape) == ((0, 2), (0, 2))
    assert problem.action_mask(problem.reset(4)) is None


@pytest.mark.parametrize(("actions", "found"), [([0, 2, 2], r"\[0, 2\]"), ([-1, 0, 1], r"\[-1, 0, 1\]")])
def test_an_action_that_does_not_exist(actions, found):
    problem = environment(random_finite_model(0))
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
        environment(random_finite_model(0), **options)


# --- parts ----------------------------------------------------------------------------------------------------------


def test_random_numbers_are_those_of_the_generator():
    drawn = uniform(1000, torch.Generator().manual_seed(5), CPU)
    assert torch.equal(drawn, torch.rand(1000, generator=torch.Generator().manual_seed(5), dtype=torch.float64))
    assert drawn.dtype == torch.float64
    message = r"`generator` should be a torch\.Generator: this environment is random\. Found None\."
    with pytest.raises(ValueError, match=message):
        uniform(3, None, CPU)
    problem = environment(random_finite_model(0))
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


def test_the_oracle_is_that_of_the_model():
    model = random_finite_model(0)
    front = environment(model, gamma=0.9, max_steps=4).oracle.front
    assert torch.equal(front, pareto_values(model, 0.9, 4))
