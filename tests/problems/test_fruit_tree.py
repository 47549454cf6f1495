"""Fruit tree: every path step by step as in MO-Gymnasium, and the exact front against all paths."""

import itertools

import numpy as np
import pytest
import torch

import moo
from moo.indicators import hypervolume
from moo.problems.fruit_tree import read_fruits

DEPTHS = [5, 6, 7]
HYPERVOLUMES = {  # depth, gamma, each number of the reference point
    (5, 0.99, -1.0): 36815.955,
    (6, 0.99, -1.0): 46034.802,
    (7, 0.99, -1.0): 56718.684,
    (5, 1.0, -1.0): 44346.885,
    (6, 1.0, -1.0): 58271.258,
    (7, 1.0, -1.0): 75470.678,
    (5, 0.99, 0.0): 6920.582,
    (6, 0.99, 0.0): 9302.378,
    (7, 0.99, 0.0): 12302.338,
    (5, 1.0, 0.0): 8808.419,
    (6, 1.0, 0.0): 12575.873,
    (7, 1.0, 0.0): 17665.284,
}


def every_path(depth):
    return torch.tensor(list(itertools.product((0, 1), repeat=depth)))


def walk(problem, paths):
    """Observations, rewards, terminated and truncated of each step, `[steps, n, ...]`."""
    state, seen = problem.reset(len(paths)), []
    for actions in paths.T:
        state, *outcome = problem.step(state, actions)
        seen.append((problem.observe(state), *outcome))
    return [torch.stack(column) for column in zip(*seen, strict=True)]


def in_order(rows):
    return np.unique(rows.numpy(), axis=0)


@pytest.mark.parametrize("depth", DEPTHS)
def test_every_path_equals_the_original(depth):
    mo_gymnasium = pytest.importorskip(
        "mo_gymnasium", reason="the originals come with pip install 'moo-suite[control]'"
    )
    env = mo_gymnasium.make("fruit-tree-v0", depth=depth)
    problem = moo.get_problem("fruit-tree", depth=depth)
    observations, rewards, terminated, truncated = walk(problem, every_path(depth))
    assert (rewards.dtype, observations.dtype) == (torch.float64, torch.float32)
    for path, actions in enumerate(every_path(depth).tolist()):
        first, _ = env.reset()
        assert problem.observe(problem.reset(1))[0].tolist() == first.tolist()
        for step, action in enumerate(actions):
            observation, reward, *ends, _ = env.step(action)
            assert observations[step, path].tolist() == observation.tolist()
            assert rewards[step, path].numpy().astype(np.float32).tolist() == reward.tolist()
            assert [terminated[step, path].item(), truncated[step, path].item()] == ends
        assert ends == [True, False]


@pytest.mark.parametrize("depth", DEPTHS)
def test_an_episode_ends_at_a_leaf_and_is_never_cut(depth):
    problem = moo.get_problem("fruit-tree", depth=depth)
    observations, rewards, terminated, truncated = walk(problem, every_path(depth))
    assert problem.max_steps == depth
    assert torch.equal(terminated, torch.arange(1, depth + 1)[:, None].expand_as(terminated) == depth)
    assert not truncated.any()
    assert not rewards[:-1].any()
    assert torch.equal(rewards[-1], read_fruits(depth))
    assert observations[-1].tolist() == [[depth, leaf] for leaf in range(2**depth)]


def test_the_first_and_the_last_fruit():
    _, rewards, _, _ = walk(moo.get_problem("fruit-tree"), torch.tensor([[0] * 6, [1] * 6]))
    assert rewards[-1].tolist() == [
        [0.26745039, 3.54435815, 4.39088762, 0.5898826, 7.7984232, 2.63110921],
        [4.72502594, 5.38532887, 5.40386645, 1.57883722, 0.24912224, 4.11288237],
    ]


@pytest.mark.parametrize("depth", DEPTHS)
def test_fruits_are_vectors_of_length_ten(depth):
    fruits = read_fruits(depth)
    assert fruits.shape == (2**depth, 6)
    assert (fruits > 0).all()
    torch.testing.assert_close(
        fruits.norm(dim=1), torch.full((2**depth,), 10.0, dtype=torch.float64), rtol=0, atol=1e-8
    )


def test_behind_a_leaf_nothing_happens():
    problem = moo.get_problem("fruit-tree")
    state = problem.reset(1)
    for _ in range(6):
        state, _, _, _ = problem.step(state, torch.tensor([1]))
    for action in (0, 1):
        after, rewards, terminated, truncated = problem.step(state, torch.tensor([action]))
        assert problem.observe(after).tolist() == [[6.0, 63.0]]
        assert not rewards.any()
        assert (terminated.item(), truncated.item()) == (True, False)


@pytest.mark.parametrize("gamma", [0.5, 0.99, 1.0])
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_front_is_what_the_paths_return(depth, gamma):
    problem = moo.get_problem("fruit-tree", depth=depth, gamma=gamma)
    _, rewards, _, _ = walk(problem, every_path(depth))
    discounts = gamma ** torch.arange(depth, dtype=torch.float64)
    returns = (discounts[:, None, None] * rewards).sum(dim=0)
    assert problem.oracle.front.shape == (2**depth, 6)
    np.testing.assert_allclose(in_order(problem.oracle.front), in_order(returns), rtol=1e-12)


def test_every_leaf_is_best_for_a_linear_preference():
    oracle = moo.get_problem("fruit-tree", depth=5).oracle
    assert torch.equal(oracle.coverage_set, oracle.front)


@pytest.mark.parametrize(("depth", "gamma", "reference"), HYPERVOLUMES)
def test_hypervolume_of_the_front(depth, gamma, reference):
    problem = moo.get_problem("fruit-tree", depth=depth, gamma=gamma)
    assert problem.reference_point.tolist() == [-1.0] * 6
    found = hypervolume(problem.oracle.front, problem.reference_point + 1 + reference)
    assert found == pytest.approx(HYPERVOLUMES[depth, gamma, reference], abs=6e-4)


def test_what_a_tree_says_of_itself():
    problem = moo.get_problem("fruit-tree:depth=6", gamma=0.99)
    assert problem.objective_names == ("protein", "carbs", "fats", "vitamins", "minerals", "water")
    assert problem.directions == ("max",) * 6
    assert (problem.num_objectives, problem.stochastic, problem.action_space.size) == (6, False, 2)
    assert problem.observation_space.upper.tolist() == [6, 63]
    assert (problem.spec, moo.get_problem("fruit-tree").max_steps) == ("fruit-tree:depth=6,gamma=0.99", 6)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"depth": 4}, ValueError, r"`depth` should be from 5 to 7\. Found 4\."),
        ({"depth": 8}, ValueError, r"`depth` should be from 5 to 7\. Found 8\."),
        ({"depth": 5.5}, TypeError, r"`depth` should be a whole number\. Found 5\.5\."),
        ({"gamma": 0.0}, ValueError, r"`gamma` should be in \(0, 1\]\. Found 0\.0\."),
        ({"gamma": 1.01}, ValueError, r"`gamma` should be in \(0, 1\]\. Found 1\.01\."),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        moo.get_problem("fruit-tree", **options)


def test_an_action_that_no_fork_has():
    problem = moo.get_problem("fruit-tree")
    with pytest.raises(ValueError, match=r"`actions` of fruit-tree should be from 0 to 1\. Found \[1, 2\]\."):
        problem.step(problem.reset(2), torch.tensor([1, 2]))
