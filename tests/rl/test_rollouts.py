import pytest
import torch
from inputs import ToyEnvironment

from moo.metered import metered
from moo.rl.rollouts import episode_returns


def always(action):
    return lambda observations, *_: torch.full((len(observations),), action)


def literal_return(problem, action, steps):
    """One copy, one loop, no batch."""
    state, total, discount = problem.reset(1), torch.zeros(problem.num_objectives, dtype=torch.float64), 1.0
    for _ in range(steps):
        state, rewards, terminated, truncated = problem.step(state, torch.tensor([action]))
        total += discount * rewards[0]
        discount *= problem.gamma
        if terminated or truncated:
            break
    return total


@pytest.mark.parametrize(("action", "steps"), [(0, 2), (1, 6)])
def test_returns_equal_a_literal_loop_and_only_running_copies_are_paid(action, steps):
    meter = metered(ToyEnvironment(), 10_000, 0)
    returns, failed, cut = episode_returns(meter, always(action), 5)
    assert torch.equal(returns, literal_return(ToyEnvironment(), action, 100).expand(5, -1))
    assert meter.used == 5 * steps
    assert not failed.any()
    assert not cut.any()


def test_copies_of_different_length_are_all_followed_to_their_end():
    def policy(observations, mask, time):  # copy 0 goes left, the others right
        return torch.cat([torch.zeros(1), torch.ones(len(observations) - 1)]).long()

    meter = metered(ToyEnvironment(), 10_000, 0)
    returns, _, _ = episode_returns(meter, policy, 3)
    assert meter.used == 2 + 6 + 6
    assert torch.equal(returns[0], literal_return(ToyEnvironment(), 0, 100))
    assert torch.equal(returns[2], literal_return(ToyEnvironment(), 1, 100))


def test_an_unbiased_mean_where_lengths_vary():
    """A window of steps would favour short episodes; whole episodes do not."""
    meter = metered(ToyEnvironment(slip=0.3), 10**7, 0)
    returns, _, _ = episode_returns(meter, always(1), 4000)
    literal = []
    problem, stream = ToyEnvironment(slip=0.3), torch.Generator().manual_seed(0)
    state, total, discount = problem.reset(4000), torch.zeros(4000, 2, dtype=torch.float64), 1.0
    running = torch.ones(4000, dtype=torch.bool)
    for _ in range(problem.max_steps):
        state, rewards, terminated, truncated = problem.step(state, torch.ones(4000), stream)
        total += discount * rewards * running[:, None]
        discount *= problem.gamma
        running &= ~terminated & ~truncated
    literal = total.mean(dim=0)
    assert torch.allclose(returns.mean(dim=0), literal, atol=0.15)


def test_a_reward_that_is_not_finite_fails_its_copy_alone():
    meter = metered(ToyEnvironment(nan_at=-1), 1000, 0)
    actions = torch.tensor([0, 1])
    returns, failed, _ = episode_returns(meter, lambda observations, *_: actions, 2)
    assert failed.tolist() == [True, False]
    assert torch.isfinite(returns).all()


def test_a_budget_that_ends_within_an_episode_cuts_it():
    meter = metered(ToyEnvironment(), 7, 0)
    _, failed, cut = episode_returns(meter, always(1), 2)
    assert meter.used == 7
    assert meter.trimmed
    assert cut.any()
    assert not failed.any()
