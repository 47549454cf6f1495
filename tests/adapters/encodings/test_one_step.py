import pytest
import torch
from encoded_toys import COLOURS, Mixed, front_of, uniform_actions
from inputs import ToyVector

import moo
from moo.adapters.encodings import OneStepEnvironment, encode
from moo.base import Evaluation, VectorProblem
from moo.metered import metered
from moo.space import Space, categorical


def test_an_action_is_a_solution_and_its_reward_the_objectives():
    problem = Mixed()
    wrapped = encode(problem, "environment")
    actions = uniform_actions(wrapped, 200)
    state, rewards, terminated, truncated = wrapped.step(wrapped.reset(200), actions)
    rows = wrapped.original_solutions(actions)
    assert torch.equal(rows, problem.space.canonical(rows))
    expected = problem.evaluate(rows)
    assert torch.equal(rewards, expected.objectives)
    assert torch.equal(wrapped.constraints(state), expected.constraints)
    assert (terminated.all(), truncated.any(), wrapped.gamma, wrapped.max_steps) == (True, False, 1.0, 1)
    assert torch.equal(wrapped.evaluate(rows).objectives, rewards)


def test_columns_of_the_action_are_real_and_one_per_choice():
    space = encode(Mixed(), "environment").action_space
    assert space.names == ("x", "gears", "colour[0]", "colour[1]", "colour[2]")
    assert space.kinds == {"real"}
    assert (space.lower.tolist(), space.upper.tolist()) == ([-1.0] * 5, [1.0] * 5)


def test_uniform_actions_make_every_level_and_choice_equally_likely():
    wrapped = encode(Mixed(), "environment")
    rows = wrapped.original_solutions(uniform_actions(wrapped, 30_000))
    for column, low in ((1, 1), (2, 0)):
        counts = torch.bincount(rows[:, column].long() - low).tolist()
        assert counts == pytest.approx([10_000] * 3, abs=4 * (30_000 * 2 / 9) ** 0.5)
    assert rows[:, 0].quantile(torch.tensor([0.25, 0.5, 0.75]).double()).tolist() == pytest.approx([-1, 0, 1], abs=0.05)


def test_actions_beyond_their_bounds_are_clipped_and_the_highest_score_chooses():
    wrapped = encode(Mixed(), "environment")
    inf = float("inf")
    actions = torch.tensor(
        [[-9, -9, 1.5, 1.6, 0], [9, 9, 0, 0, 0], [-inf, inf, -3, -5, -2], [0, 0, -1, 1, 1]], dtype=torch.float32
    )
    assert wrapped.original_solutions(actions).tolist() == [[-2, 1, 1], [2, 3, 0], [-2, 3, 2], [0, 2, 1]]


def test_a_single_categorical_column_is_a_discrete_action():
    problem = Mixed()
    problem.space = Space((categorical(COLOURS, "colour"),))
    wrapped = OneStepEnvironment(problem)
    assert wrapped.action_space.columns == (categorical(COLOURS, "colour"),)
    assert wrapped.action_mask(wrapped.reset(3)) is None
    assert wrapped.original_solutions(torch.tensor([2, 0, 1])).tolist() == [[2], [0], [1]]


def test_nothing_is_observed():
    wrapped = encode(Mixed(), "environment")
    before = wrapped.reset(3)
    after = wrapped.step(before, uniform_actions(wrapped, 3))[0]
    for state in (before, after):
        assert torch.equal(wrapped.observe(state), torch.zeros(3, 1, dtype=torch.float64))
    assert wrapped.observation_space.dim == 1
    assert wrapped.constraints(before).tolist() == [[0.0]] * 3


def test_a_finished_copy_is_not_evaluated_again():
    problem = Mixed()
    wrapped = encode(problem, "environment")
    actions = uniform_actions(wrapped, 4)
    state = wrapped.step(wrapped.reset(4), actions)[0]
    state[1] = 0
    problem.rows.clear()
    again, rewards, terminated, _ = wrapped.step(state, actions)
    assert problem.rows == wrapped.original_solutions(actions[1:2]).tolist()
    assert (rewards[[0, 2, 3]] == 0).all()
    assert (rewards[1] != 0).all()
    assert terminated.all()
    assert torch.equal(again[[0, 2, 3]], state[[0, 2, 3]])
    assert len(wrapped.step(again, actions)[1]) == 4
    assert len(problem.rows) == 1


def test_stepping_leaves_the_state_before_as_it_was():
    wrapped = encode(Mixed(), "environment")
    before = wrapped.reset(2)
    wrapped.step(before, uniform_actions(wrapped, 2))
    assert torch.equal(before, wrapped.reset(2))


@pytest.mark.parametrize("fails", ["nan", "raise", "flag", "constraints"])
def test_a_failing_row_fails_its_copy_alone(fails):
    wrapped = encode(Mixed(fails), "environment")
    actions = uniform_actions(wrapped, 50)
    bad = actions[:, 0] < 0
    rewards = wrapped.step(wrapped.reset(50), actions)[1]
    assert torch.equal(rewards.isnan().any(dim=1), bad)
    assert torch.equal(rewards[~bad], encode(Mixed(), "environment").step(wrapped.reset(50), actions)[1][~bad])
    meter = metered(wrapped, 50, 0)
    _, turned, terminated, _, failed = meter.step(meter.reset(50), actions)
    assert torch.equal(failed, bad)
    assert terminated.all()
    assert torch.equal(turned[~bad], rewards[~bad] * torch.tensor([1.0, -1.0]))


def test_one_transition_is_one_evaluation():
    problem = Mixed()
    meter = metered(encode(problem, "environment"), 30, 0)
    actions = uniform_actions(meter, 20)
    meter.step(meter.reset(20), actions)
    assert (meter.used, len(problem.rows), meter.unit) == (20, 20, "simulations")
    truncated = meter.step(meter.reset(20), actions)[3]
    assert (meter.used, truncated.tolist()) == (30, [False] * 10 + [True] * 10)


def test_noise_is_drawn_from_the_generator():
    wrapped = encode(ToyVector(noise=0.5), "environment")
    actions = uniform_actions(wrapped, 5)
    first, again, other = (
        wrapped.step(wrapped.reset(5), actions, torch.Generator().manual_seed(seed))[1] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_an_action_is_a_number():
    wrapped = encode(Mixed(), "environment")
    actions = uniform_actions(wrapped, 3)
    actions[1, 3] = float("nan")
    with pytest.raises(ValueError, match=r"`actions` should hold no NaN. Row 1 is"):
        wrapped.original_solutions(actions)
    with pytest.raises(ValueError, match=r"`actions` should have shape \[n, 5\]. Found \[3, 4\]"):
        wrapped.original_solutions(actions[:, :4])


@pytest.mark.parametrize("broken", ["objectives", "constraints"])
def test_what_the_problem_returns_is_checked(broken):
    problem = Mixed()
    given = {"objectives": torch.zeros(3, 2), "constraints": torch.zeros(3, 1)}
    given[broken] = torch.zeros(3, 4)
    problem.evaluate = lambda solutions, generator=None: Evaluation(**given)
    wrapped = encode(problem, "environment")
    with pytest.raises(ValueError, match=rf"{broken} returned by problem mixed` should have shape .* Found \[3, 4\]"):
        wrapped.step(wrapped.reset(3), uniform_actions(wrapped, 3))


def test_random_policies_find_the_front_of_a_few_choices():
    """With one episode per policy, its mean return is one choice's objectives."""

    class Choices(VectorProblem):
        name, num_objectives, directions = "choices", 2, ("max", "min")
        space = Space((categorical(range(8), "choice"),))
        table = torch.tensor([[0, 0], [1, 1], [2, 1.5], [3, 4], [2.5, 4], [1, 2], [4, 9], [0, 3.0]])

        def evaluate(self, solutions, generator=None):
            return self.table[solutions[:, 0].long()]

    problem = Choices()
    result = moo.pareto_search(
        encode(problem, "environment"), "random", budget=200, options={"episodes": 1}, reevaluations=0, progress=False
    )
    assert result.record["used"] == 200
    assert sorted(result.objectives.tolist()) == front_of(problem, problem.table)


def test_random_policies_come_near_a_continuous_front():
    result = moo.pareto_search(
        encode(ToyVector(dim=2), "environment"),
        "random",
        budget=2000,
        options={"episodes": 1},
        reevaluations=0,
        progress=False,
    )
    f1, f2 = result.objectives.unbind(dim=1)  # the front: sqrt(f1) + sqrt(f2) = sqrt(2)
    assert ((f1.sqrt() + f2.sqrt()).median() - 2**0.5).abs() < 0.05
