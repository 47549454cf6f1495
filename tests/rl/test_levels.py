"""Running means and the scale of returns, against numbers worked out by hand."""

import torch

from moo.rl.episodes import Episodes
from moo.rl.levels import Levels


def episodes(returns, failed=None):
    """Episodes of one step with these returns `[p][c][m]`."""
    rewards = torch.tensor(returns, dtype=torch.float64)[:, :, None]
    shape = rewards.shape[:3]
    none = torch.zeros(shape[:2], dtype=torch.bool)
    failed = none if failed is None else torch.tensor(failed)
    moves, actions = torch.ones(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.int64)
    return Episodes(torch.zeros(*shape, 1), None, actions, torch.zeros(shape), moves, rewards, failed, none)


def test_means_are_running_and_the_scale_is_that_of_all_episodes():
    levels = Levels(0.75)
    levels.see(episodes([[[0.0, 10.0], [2.0, 30.0]], [[4.0, 20.0], [4.0, 20.0]]]))
    assert levels.means.tolist() == [[1, 20], [4, 20]]
    assert levels.shares.tolist() == [[0.25, 0.5], [1, 0.5]]
    levels.see(episodes([[[8.0, 20.0], [2.0, 20.0]], [[4.0, 20.0], [4.0, 20.0]]]))
    assert levels.means.tolist() == [[2, 20], [4, 20]]  # 3/4 of 1 and 1/4 of 5
    assert levels.span.tolist() == [8, 20]
    assert levels.shares.tolist() == [[0.25, 0.5], [0.5, 0.5]]
    assert levels.shortfalls.tolist() == [[0.75, 0.5], [0.5, 0.5]]


def test_failed_episodes_are_left_out_and_a_policy_of_none_keeps_its_mean():
    levels = Levels(0.5)
    levels.see(episodes([[[9.0], [1.0]], [[3.0], [3.0]]], [[True, False], [True, True]]))
    assert levels.means.isnan().tolist() == [[False], [True]]
    assert (levels.low.tolist(), levels.high.tolist()) == ([1], [1])
    levels.see(episodes([[[9.0], [3.0]], [[5.0], [5.0]]], [[True, True], [False, False]]))
    assert levels.means.tolist() == [[1], [5]]
    levels.see(episodes([[[9.0], [9.0]], [[9.0], [9.0]]], [[True, True], [True, True]]))
    assert levels.means.tolist() == [[1], [5]]


def test_a_policy_without_any_return_stands_at_the_least_and_alike_returns_at_the_best():
    levels = Levels(0.0)
    levels.see(episodes([[[2.0, 5.0]], [[4.0, 5.0]], [[0.0, 0.0]]], [[False], [False], [True]]))
    assert levels.shares.tolist() == [[0, 1], [1, 1], [0, 0]]


def test_a_stored_state_goes_on():
    first, second = Levels(0.5), Levels(0.5)
    first.see(episodes([[[1.0], [3.0]]]))
    second.load_state_dict(first.state_dict())
    for levels in (first, second):
        levels.see(episodes([[[7.0], [9.0]]]))
    assert first.means.tolist() == second.means.tolist() == [[5.0]]
    assert (second.low.tolist(), second.high.tolist()) == ([1], [9])
