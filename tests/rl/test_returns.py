"""Advantages and targets of several objectives, against the definitions written out, and against exact expectations."""

import itertools

import pytest
import torch

from moo.rl.returns import advantages, standardised

GAMMA, DECAY = 0.9, 0.8
STEPS, COPIES = 14, 5


def window(num_objectives=3, ends=True, seed=0):
    """Random rewards, values, next values, ends, cuts and ratios of a window."""
    stream = torch.Generator().manual_seed(seed)
    shape = (STEPS, COPIES, num_objectives)
    rewards, values, following = (torch.randn(shape, generator=stream, dtype=torch.float64) for _ in range(3))
    drawn = torch.rand(2, STEPS, COPIES, generator=stream)
    terminated, truncated = (drawn < 0.15) & ends
    ratios = 2 * torch.rand(STEPS, COPIES, generator=stream, dtype=torch.float64)
    return rewards, values, following, terminated, terminated | truncated, ratios


def literal(rewards, values, following, terminated, ended, gamma, decay, ratios):
    """Every advantage and target as its own sum of temporal differences until the episode or the window ends."""
    found, targets = torch.zeros_like(values), torch.zeros_like(values)

    def delta(time, copy):
        after = 0 if terminated[time, copy] else following[time, copy]
        return rewards[time, copy] + gamma * after - values[time, copy]

    for start, copy in itertools.product(range(len(rewards)), range(rewards.shape[1])):
        targets[start, copy] = values[start, copy]
        for what in (found, targets):
            weight = 1.0
            for time in range(start, len(rewards)):
                own = 1.0 if what is found and time == start else float(ratios[time, copy])
                what[start, copy] += weight * own * delta(time, copy)
                weight *= gamma * decay * min(own, 1.0)
                if ended[time, copy]:
                    break
    return found, targets


def test_advantages_and_targets_equal_a_literal_loop_with_ends_and_cuts():
    *parts, _ = window()
    _, _, _, terminated, ended, _ = window()
    assert terminated[:-1].any()
    assert (ended & ~terminated)[:-1].any()
    assert not ended[-1].all()  # so that some copies' last step is bootstrapped
    found = advantages(*parts, GAMMA, DECAY)
    expected = literal(*parts, GAMMA, DECAY, torch.ones(STEPS, COPIES))
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)
    assert torch.allclose(found[1], parts[1] + found[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("decay", [0.0, 0.8, 1.0])
def test_ratios_weigh_as_in_a_literal_loop(decay):
    *parts, ratios = window(seed=1)
    found = advantages(*parts, GAMMA, decay, ratios)
    expected = literal(*parts, GAMMA, decay, ratios)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)


def test_ratios_of_one_change_nothing():
    *parts, _ = window()
    with_ratios = advantages(*parts, GAMMA, DECAY, torch.ones(STEPS, COPIES))
    for one, other in zip(with_ratios, advantages(*parts, GAMMA, DECAY), strict=True):
        assert torch.equal(one, other)


def test_without_decay_targets_are_one_step_ahead():
    rewards, values, following, terminated, ended, _ = window()
    _, targets = advantages(rewards, values, following, terminated, ended, GAMMA, 0.0)
    expected = rewards + GAMMA * following * ~terminated[..., None]
    assert torch.allclose(targets, expected, rtol=0, atol=1e-12)


def test_decay_one_without_ends_gives_discounted_sums():
    rewards, values, following, terminated, ended, _ = window(ends=False)
    following[:-1] = values[1:]
    _, targets = advantages(rewards, values, following, terminated, ended, GAMMA, 1.0)
    sums = following[-1]
    for time in reversed(range(STEPS)):
        sums = rewards[time] + GAMMA * sums
        assert torch.allclose(targets[time], sums, rtol=0, atol=1e-12)


def test_what_follows_an_end_says_nothing_about_what_came_before():
    rewards, values, following, terminated, ended, _ = window(ends=False)
    terminated[6], ended[6] = True, True
    first, _ = advantages(rewards, values, following, terminated, ended, GAMMA, DECAY)
    rewards[7:], values[7:], following[6:] = 100.0, -100.0, 50.0
    second, _ = advantages(rewards, values, following, terminated, ended, GAMMA, DECAY)
    assert torch.equal(first[:7], second[:7])
    assert not torch.isclose(first[7:], second[7:]).any()


def test_one_objective_at_a_time_equals_all_together():
    *parts, ratios = window()
    rewards, values, following, *ends = parts
    together = advantages(*parts, GAMMA, DECAY, ratios)
    for i in range(rewards.shape[2]):
        one = [part[..., i : i + 1] for part in (rewards, values, following)]
        for alone, all_of_them in zip(advantages(*one, *ends, GAMMA, DECAY, ratios), together, strict=True):
            assert torch.equal(alone[..., 0], all_of_them[..., i])


# --------------------------------------------------------------------------------------------------- other laws
POLICY = torch.tensor([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]], dtype=torch.float64)  # of the actions at three places
BEHAVIOUR = torch.tensor([[0.5, 0.5], [0.6, 0.4], [0.2, 0.8]], dtype=torch.float64)
FIRST = torch.tensor([[1.0, 0.0], [-2.0, 3.0]], dtype=torch.float64)  # rewards of the actions at place 0
SECOND = torch.tensor([[[4.0, 1.0], [0.0, -3.0]], [[2.0, 2.0], [-5.0, 7.0]]], dtype=torch.float64)  # at 1 and 2


def every_walk(values):
    """All four walks of two steps, from place 0 by action a to place 1 + a: rows, chances by the behaviour, places."""
    walks = list(itertools.product(range(2), range(2)))
    places = torch.tensor([[0] * 4, [1 + a for a, _ in walks]])
    actions = torch.tensor([[a for a, _ in walks], [b for _, b in walks]])
    rewards = torch.stack([FIRST[actions[0]], SECOND[actions[0], actions[1]]])
    following = torch.stack([values[places[1]], torch.full((4, 2), 99.0, dtype=torch.float64)])
    terminated = torch.tensor([[False] * 4, [True] * 4])
    chances = BEHAVIOUR[places, actions]
    ratios = POLICY[places, actions] / chances
    return (rewards, values[places], following, terminated, terminated), ratios, chances.prod(dim=0), places, actions


def true_values():
    second = (POLICY[1:, :, None] * SECOND).sum(dim=1)
    first = (POLICY[0][:, None] * (FIRST + GAMMA * second)).sum(dim=0, keepdim=True)
    return torch.cat([first, second])


def expected_targets(values, decay):
    """Mean targets at each place when actions are drawn from the behaviour."""
    parts, ratios, chances, places, _ = every_walk(values)
    _, targets = advantages(*parts, GAMMA, decay, ratios)
    weights = chances.expand(2, -1)
    means = [
        (weights[places == place][:, None] * targets[places == place]).sum(dim=0) / weights[places == place].sum()
        for place in range(3)
    ]
    return torch.stack(means)


@pytest.mark.parametrize("decay", [0.0, 0.8, 1.0])
def test_on_average_the_targets_of_other_actions_are_the_policys_values(decay):
    assert torch.allclose(expected_targets(true_values(), decay), true_values(), rtol=0, atol=1e-12)
    values = torch.zeros(3, 2, dtype=torch.float64)
    for _ in range(2):  # as many rounds as there are steps
        values = expected_targets(values, decay)
    assert torch.allclose(values, true_values(), rtol=0, atol=1e-12)


def test_without_ratios_they_would_be_those_of_the_other_law():
    values = true_values()
    parts, _, chances, _, _ = every_walk(values)
    _, targets = advantages(*parts, GAMMA, DECAY)
    assert not torch.isclose((chances[:, None] * targets[0]).sum(dim=0), values[0], atol=0.1).any()


@pytest.mark.parametrize("decay", [0.0, 0.8, 1.0])
def test_on_average_the_advantages_of_other_actions_are_the_policys(decay):
    values = true_values()
    parts, ratios, chances, _, actions = every_walk(values)
    found, _ = advantages(*parts, GAMMA, decay, ratios)
    for action in range(2):
        taken = actions[0] == action
        mean = (chances[taken][:, None] * found[0, taken]).sum(dim=0) / chances[taken].sum()
        exact = FIRST[action] + GAMMA * values[1 + action] - values[0]
        assert torch.allclose(mean, exact, rtol=0, atol=1e-12)


# --------------------------------------------------------------------------------------------------- standardised
def test_standardised_advantages_have_mean_0_and_deviation_1_where_something_took_place():
    stream = torch.Generator().manual_seed(0)
    gains = 5 + 3 * torch.randn(4, 50, generator=stream, dtype=torch.float64)
    weights = torch.rand(4, 50, generator=stream, dtype=torch.float64) * (torch.rand(4, 50, generator=stream) < 0.7)
    found = standardised(gains, weights)
    for row, live in zip(found, weights > 0, strict=True):
        assert 0 < live.sum() < 50
        assert row[live].mean() == pytest.approx(0, abs=1e-12)
        assert row[live].std(correction=0) == pytest.approx(1, abs=1e-7)
    elsewhere = torch.where(weights > 0, gains, 1e6)
    live = weights > 0
    assert torch.allclose(standardised(elsewhere, weights)[live], found[live], rtol=0, atol=1e-12)
    assert torch.allclose(standardised(7 * gains - 3, weights)[live], found[live], rtol=0, atol=1e-6)


def test_advantages_without_spread_or_samples_become_0():
    gains = torch.tensor([[2.0, 2.0, 2.0], [1.0, 5.0, 9.0]], dtype=torch.float64)
    weights = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    assert standardised(gains, weights)[0].tolist() == [0, 0, 0]
    assert torch.isfinite(standardised(gains, weights)).all()
