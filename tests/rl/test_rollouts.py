"""Whole episodes and windows of steps, against loops over one copy."""

import copy
import statistics
from dataclasses import fields

import numpy as np
import pytest
import torch
from inputs import ToyEnvironment

from moo.base import Candidates
from moo.metered import metered
from moo.rl.rollouts import Collector, Transitions, episode_returns, evaluate_policies


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


# --------------------------------------------------------------------------------------------------- policies
class Drawing:
    """Policies that go right with a chance of their own; notes what it drew."""

    def __init__(self):
        self.drawn, self.times = [], []

    def act(self, candidates, observations, mask, time, generator):
        chance = candidates.extras["parameters.right"]
        self.drawn.append((torch.rand(len(chance), generator=generator) < chance).long())
        self.times.append(time)
        return self.drawn[-1]


def drawing(chances):
    """One policy for each chance of going right, with ids and preferences of their own."""
    n = len(chances)
    nan = torch.full((n, 2), float("nan"), dtype=torch.float64)
    preferences = torch.linspace(0, 1, 2 * n, dtype=torch.float64).reshape(n, 2)
    return Candidates.of(
        torch.arange(5, 5 + n)[:, None], nan, preferences, **{"parameters.right": torch.tensor(chances)}
    )


def replayed(problem, actions):
    """The discounted return of one copy that takes these actions."""
    state, total, discount = problem.reset(1), [0.0, 0.0], 1.0
    for action in actions:
        state, rewards, terminated, truncated = problem.step(state, torch.tensor([action]))
        total = [value + discount * reward for value, reward in zip(total, rewards[0].tolist(), strict=True)]
        discount *= problem.gamma
        if terminated or truncated:
            break
    return total


def test_means_and_standard_errors_equal_a_literal_loop():
    chances, episodes = [0.2, 0.7, 0.95], 6
    method, meter = Drawing(), metered(ToyEnvironment(), 10_000, 0)
    policies = drawing(chances)
    found = evaluate_policies(meter, method, policies, episodes, torch.Generator().manual_seed(3))
    actions = torch.stack(method.drawn, dim=1).tolist()
    assert method.times == list(range(len(method.times)))
    for i in range(len(chances)):
        returns = [replayed(ToyEnvironment(), row) for row in actions[i * episodes : (i + 1) * episodes]]
        for j, column in enumerate(zip(*returns, strict=True)):
            assert found.objectives[i, j] == pytest.approx(statistics.fmean(column))
            assert found.extras["standard_error"][i, j] == pytest.approx(statistics.stdev(column) / episodes**0.5)
    assert found.extras["standard_error"].max() > 0
    assert torch.equal(found.solutions, policies.solutions)
    assert torch.equal(found.preferences, policies.preferences)
    assert torch.equal(found.extras["parameters.right"], policies.extras["parameters.right"])
    assert found.extras["episodes"].tolist() == [episodes] * 3
    assert found.extras["used"].tolist() == [meter.used] * 3
    assert not found.failed.any()
    assert found.extras["reason"].tolist() == [""] * 3


def test_one_episode_has_no_standard_error():
    found = evaluate_policies(metered(ToyEnvironment(), 100, 0), Drawing(), drawing([0.0, 1.0]), 1, torch.Generator())
    assert torch.equal(found.objectives[1], literal_return(ToyEnvironment(), 1, 100))
    assert found.extras["standard_error"].isnan().all()


def test_a_policy_one_of_whose_episodes_fails_has_failed():
    meter = metered(ToyEnvironment(nan_at=-1), 1000, 0)
    found = evaluate_policies(meter, Drawing(), drawing([0.0, 1.0, 0.8]), 8, torch.Generator().manual_seed(0))
    assert found.failed.tolist() == [True, False, True]
    assert found.extras["reason"].tolist() == ["a reward was not finite", "", "a reward was not finite"]
    assert found.objectives[[0, 2]].isnan().all()
    assert torch.allclose(found.objectives[1], literal_return(ToyEnvironment(), 1, 100))


def test_a_policy_cut_by_the_budget_has_failed_and_says_so():
    meter = metered(ToyEnvironment(), 7, 0)
    found = evaluate_policies(meter, Drawing(), drawing([0.0, 1.0]), 1, torch.Generator())
    assert (meter.used, meter.trimmed) == (7, True)
    assert found.failed.tolist() == [False, True]
    assert found.extras["reason"].tolist() == ["", "the budget ran out within its episodes"]
    assert torch.equal(found.objectives[0], literal_return(ToyEnvironment(), 0, 100))
    assert found.objectives[1].isnan().all()


def test_an_environment_that_raises_fails_with_its_own_words():
    class Crashing(ToyEnvironment):
        def step(self, state, actions, generator=None):
            if state[:, 1].max() == 3:
                raise ArithmeticError("the simulator crashed")
            return super().step(state, actions, generator)

    meter = metered(Crashing(), 1000, 0)
    found = evaluate_policies(meter, Drawing(), drawing([0.0, 1.0]), 2, torch.Generator())
    assert found.failed.tolist() == [False, True]  # the first has ended before
    assert found.extras["reason"].tolist() == ["", "ArithmeticError: the simulator crashed"]


# --------------------------------------------------------------------------------------------------- windows
class Wandering:
    """Draws actions from a stream of its own and notes which copies begin."""

    def __init__(self, seed=0):
        self.stream, self.begun = torch.Generator().manual_seed(seed), []

    def __call__(self, observations, mask, begins):
        assert mask.shape == (len(observations), 2)
        self.begun.append(begins.clone())
        luck = torch.rand(len(observations), generator=self.stream, dtype=torch.float64)
        return (luck < 0.6).long(), {"luck": luck}


def assert_same_windows(first, second):
    for field in fields(Transitions):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if field.name == "extras":
            assert set(a) == set(b) == {"luck"}
            a, b = a["luck"], b["luck"]
        assert torch.equal(a, b), field.name


def joined(windows):
    parts = {
        field.name: torch.cat([getattr(window, field.name) for window in windows])
        for field in fields(Transitions)
        if field.name != "extras"
    }
    return Transitions(**parts, extras={"luck": torch.cat([window.extras["luck"] for window in windows])})


@pytest.mark.parametrize("slip", [0.0, 0.3])
def test_windows_joined_are_one_long_window(slip):
    short, long = (Collector(metered(ToyEnvironment(slip=slip), 10_000, 0), 5) for _ in range(2))
    choose = Wandering()
    windows = [short.collect(steps, choose) for steps in (1, 7, 20, 12)]
    whole = long.collect(40, Wandering())
    assert_same_windows(joined(windows), whole)
    assert whole.observations.shape == (40, 5, 1)
    assert whole.rewards.shape == (40, 5, 2)
    assert short.problem.used == long.problem.used == 200
    assert whole.terminated.any()


def test_who_has_ended_begins_anew_and_the_others_go_on():
    choose = Wandering()
    window = Collector(metered(ToyEnvironment(), 10_000, 0), 6).collect(60, choose)
    ended = window.terminated | window.truncated
    begun = torch.stack(choose.begun)
    assert begun[0].all()
    assert torch.equal(begun[1:], ended[:-1])
    assert not window.observations[begun].any()  # at 0, where every episode begins
    assert torch.equal(window.observations[1:][~begun[1:]], window.following[:-1][~begun[1:]])
    assert window.following[window.terminated].abs().amin() >= 2
    assert window.truncated.any()  # or the wall of 12 steps was never met
    assert window.terminated.sum() > 10
    assert window.active.all()


def test_every_copy_walks_as_it_would_alone():
    choose = Wandering()
    window = Collector(metered(ToyEnvironment(), 10_000, 0), 3).collect(30, choose)
    for i in range(3):
        problem, state = ToyEnvironment(), ToyEnvironment().reset(1)
        for step in range(30):
            assert torch.equal(window.observations[step, i], problem.observe(state)[0])
            state, rewards, *ends = problem.step(state, window.actions[step, i : i + 1])
            assert torch.equal(window.rewards[step, i], rewards[0])
            assert [window.terminated[step, i], window.truncated[step, i]] == ends
            assert torch.equal(window.following[step, i], problem.observe(state)[0])
            if any(ends):
                state = problem.reset(1)


def test_the_end_of_the_budget_ends_a_window():
    meter = metered(ToyEnvironment(), 4 * 5 + 3, 0)
    window = Collector(meter, 5).collect(40, Wandering())
    assert (meter.used, meter.trimmed) == (23, True)
    assert window.active.shape == (5, 5)
    assert window.active[:4].all()
    assert window.active[4].tolist() == [True, True, True, False, False]
    assert not window.rewards[~window.active].any()
    exact = metered(ToyEnvironment(), 20, 0)
    assert Collector(exact, 5).collect(40, Wandering()).active.shape == (4, 5)
    assert not exact.trimmed


def test_failed_copies_are_paid_but_not_active_and_begin_anew():
    choose, meter = Wandering(), metered(ToyEnvironment(nan_at=-1), 10_000, 0)
    window = Collector(meter, 6).collect(25, choose)
    failed = ~window.active
    assert 0 < int(failed.sum()) < 6 * 25
    assert meter.used == 6 * 25
    assert (window.actions[failed] == 0).all()
    assert window.terminated[failed].all()
    assert torch.stack(choose.begun)[1:][failed[:-1]].all()
    assert torch.isfinite(window.rewards).all()
    assert not window.rewards[failed].any()
    assert (window.following >= 0).all()  # nobody has gone past the place that fails


def test_without_masks_a_window_has_none():
    meter = metered(ToyEnvironment(continuous=True), 1000, 0)
    window = Collector(meter, 3).collect(4, lambda seen, mask, begins: (torch.ones(3, 1), {}))
    assert window.masks is None
    assert window.actions.shape == (4, 3, 1)
    assert window.extras == {}


@pytest.mark.parametrize("steps", [0, 5, 17])
def test_a_collector_goes_on_identically(steps):
    first = Collector(metered(ToyEnvironment(slip=0.2), 10_000, 0), 4)
    if steps:
        first.collect(steps, Wandering())
    second = Collector(metered(ToyEnvironment(slip=0.2), 10_000, 0), 4)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    second.problem.load_state_dict(copy.deepcopy(first.problem.state_dict()))
    one, other = Wandering(7), Wandering(7)
    assert_same_windows(first.collect(20, one), second.collect(20, other))
    assert np.array_equal(torch.stack(one.begun), torch.stack(other.begun))
