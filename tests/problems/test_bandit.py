"""Bandits: rewards on the sphere's octant, one action an episode, the exact front and what mixtures dominate."""

import itertools
import math

import pytest
import torch

import moo
from moo.generators import GENERATORS
from moo.rl.oracle import mixture_hypervolume


def pull(problem, arms, generator=None):
    return problem.step(problem.reset(len(arms)), torch.as_tensor(arms), generator)


@pytest.mark.parametrize(("arms", "m"), [(2, 2), (40, 3), (17, 5)])
def test_rewards_are_on_the_positive_octant_of_the_unit_sphere(arms, m):
    rewards = moo.get_problem("bandit", arms=arms, num_objectives=m).rewards
    assert (rewards.shape, rewards.dtype) == ((arms, m), torch.float64)
    assert (rewards > 0).all()
    assert torch.allclose(rewards.norm(dim=1), torch.ones(arms, dtype=torch.float64), rtol=0, atol=1e-12)


def test_directions_of_arms_are_uniform_on_the_octant():
    rewards = moo.get_problem("bandit:arms=4000,num_objectives=3").rewards
    # Archimedes: a coordinate of a uniform point of the sphere is uniform
    for column in rewards.T:
        assert (column.sort().values - torch.linspace(0, 1, 4000)).abs().max() < 0.04


def test_an_episode_is_one_action_with_the_arms_reward():
    problem = moo.get_problem("bandit")
    state, rewards, terminated, truncated = pull(problem, range(40))
    assert torch.equal(rewards, problem.rewards)
    assert terminated.all()
    assert not truncated.any()
    assert problem.observe(state).shape == (40, 1)


def test_the_layout_decides_the_rewards():
    first, again, other = (moo.get_problem(f"bandit:layout={layout}").rewards for layout in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_noise_has_its_standard_deviation_and_comes_from_the_generator():
    problem = moo.get_problem("bandit:noise=0.5")
    assert problem.stochastic
    arms = torch.zeros(20_000, dtype=torch.int64)
    first, again = (pull(problem, arms, torch.Generator().manual_seed(3))[1] for _ in range(2))
    assert torch.equal(first, again)
    away = first - problem.rewards[0]
    assert away.mean(dim=0).abs().max() < 5 * 0.5 / math.sqrt(20_000)
    assert (away.std(dim=0) - 0.5).abs().max() < 0.015
    with pytest.raises(ValueError, match=r"`generator` should be a torch.Generator: this bandit is noisy"):
        pull(problem, [0])


def test_the_front_is_every_arm_and_mixtures_dominate_more():
    problem = moo.get_problem("bandit")
    front = problem.oracle.front
    assert torch.equal(front[front[:, 0].argsort()], problem.rewards[problem.rewards[:, 0].argsort()])
    inside = problem.oracle.mixture_hypervolume(problem.reference_point)
    assert moo.indicators.hypervolume(front, problem.reference_point) < inside < math.pi / 6


def test_mixtures_of_two_arms_dominate_a_trapezium():
    problem = moo.get_problem("bandit:arms=2,num_objectives=2")
    (a, b), (c, d) = problem.rewards[problem.rewards[:, 0].argsort()].tolist()
    area = a * b + (c - a) * (b + d) / 2
    assert mixture_hypervolume(problem.rewards, torch.zeros(2)) == pytest.approx(area, abs=1e-9)


def test_every_arm_is_the_best_for_some_linear_preference():
    problem = moo.get_problem("bandit:num_objectives=4")
    best = (problem.rewards @ problem.rewards.T).argmax(dim=1)  # its own direction
    assert best.tolist() == list(range(40))
    assert len(problem.oracle.coverage_set) == 40


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"arms": 1}, ValueError, "`arms` should be at least 2. Found 1."),
        ({"num_objectives": 1}, ValueError, "`num_objectives` should be at least 2. Found 1."),
        ({"layout": -1}, ValueError, "`layout` should be at least 0. Found -1."),
        ({"noise": -0.1}, ValueError, "`noise` should be at least 0 and finite, the standard deviation"),
        ({"arms": "many"}, TypeError, "`arms` should be a whole number"),
    ],
)
def test_wrong_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        moo.get_problem("bandit", **options)


def test_an_unknown_arm_is_refused():
    with pytest.raises(ValueError, match=r"`actions` of bandit should be from 0 to 39. Found"):
        pull(moo.get_problem("bandit"), [40])


@pytest.mark.parametrize("method", ["tabular", "fixed-weights", "random"])
def test_methods_for_environments_take_it(method):
    assert method in GENERATORS
    result = moo.pareto_search("bandit:arms=6", method, budget=3000, progress=False, reevaluations=2)
    assert 0 < result.record["hypervolume"] < math.pi / 6
    known = moo.get_problem("bandit:arms=6").rewards
    hull = known.amax(dim=0)
    assert (result.objectives <= hull + 1e-9).all()


def test_preferences_have_their_own_best_arm():
    problem = moo.get_problem("bandit:num_objectives=2")
    wanted = torch.tensor(list(itertools.pairwise([0.1, 0.9, 0.1])), dtype=torch.float64)
    arms = (wanted @ problem.rewards.T).argmax(dim=1)
    assert problem.rewards[arms[0], 1] > problem.rewards[arms[0], 0]
    assert problem.rewards[arms[1], 0] > problem.rewards[arms[1], 1]
