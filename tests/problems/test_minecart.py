"""Minecart: step by step as in MO-Gymnasium, the random one with the same draws, and the shipped lower bound.

The original keeps positions, speeds and contents in float64 and rounds to float32 only what it shows. Ours repeats its
operations in their order; roots may differ in the last bit. This shows where a cart turned by a wall comes back to it
exactly, or not quite: there one episode in some thousands goes another way. So single steps are compared strictly, each
from the original's own state, and of whole episodes one in a hundred may part.
"""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

import moo
from moo.dominance import non_dominated
from moo.indicators import hypervolume
from moo.problems import minecart
from moo.problems.minecart import (
    ACCELERATE,
    BASE,
    BRAKE,
    CAPACITY,
    LEFT,
    MINE,
    MINES,
    NONE,
    RIGHT,
    SPREAD,
    YIELDS,
    replay,
    stored_actions,
)
from moo.real_world import DATA

pytestmark = pytest.mark.filterwarnings("ignore:.*precision lowered")  # by gymnasium
CUTS = (slice(None, -1), slice(1, None))  # states before and after each step
FAMILY = {0.98: 81.806, 0.99: 110.0996, 1.0: 147.837}  # hypervolumes of the original's own, enumerated policies

LOWER_BOUND = {0.98: 103.2533, 0.99: 143.1192, 1.0: 198.8468}  # of what is shipped


def original(name):
    mo_gymnasium = pytest.importorskip(
        "mo_gymnasium", reason="the originals come with pip install 'moo-suite[control]'"
    )
    return mo_gymnasium.make(f"{name}-v0")


def walk(problem, actions, generator=None):
    """Observations, rewards, terminated and truncated `[n, steps, ...]` of actions `[n, steps]`."""
    state, seen = problem.reset(len(actions)), []
    for column in actions.T:
        state, *outcome = problem.step(state, column, generator)
        seen.append((problem.observe(state), *outcome))
    return [torch.stack(part, dim=1).numpy() for part in zip(*seen, strict=True)]


def carried(env, steps):
    """The original's state as ours: `[8]`."""
    cart = env.unwrapped.cart
    heading, phase = (cart.angle - 5) / 10 % 36, cart.departed + env.unwrapped.end
    return [*cart.pos, cart.speed, heading, *cart.content, phase, steps]


def play(env, row):
    """The original's states `[t + 1, 8]` and outcomes, `[t, ...]` each, until its episode ends or the actions do."""
    env.reset()
    states, outcomes = [carried(env, 0)], []
    for action in row:
        outcomes.append(env.step(action)[:4])
        states.append(carried(env, len(outcomes)))
        if any(outcomes[-1][2:]):
            break
    return np.array(states), [np.array(part, dtype=float) for part in zip(*outcomes, strict=True)]


def assert_same(ours, theirs):
    for mine, original in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(mine).astype(float), original, rtol=0, atol=1e-6)


def same(ours, theirs):
    pairs = zip(ours, theirs, strict=True)
    return all(np.allclose(mine[: len(part)].astype(float), part, rtol=0, atol=1e-6) for mine, part in pairs)


def some_actions(copies, steps, seed):
    """Random actions, of a quarter of the copies each: all alike, fast, seldom braking, standing and mining often."""
    chances = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 2, 2, 4, 1, 2], [0, 3, 3, 2, 0.1, 2], [4, 1, 1, 2, 3, 1]])
    stream = torch.Generator().manual_seed(seed)
    return torch.multinomial(chances.repeat(copies // 4, 1), steps, replacement=True, generator=stream)


def disturbed(copies, steps, seed):
    """Stored sequences that mine and come home, a tenth of whose actions are random, and random actions behind them."""
    stored, stream = stored_actions(), torch.Generator().manual_seed(seed)
    actions = torch.randint(6, (copies, steps), generator=stream)
    rows = torch.nn.functional.pad(stored[torch.arange(copies) % len(stored)], (0, steps - stored.shape[1]), value=-1)
    kept = (rows >= 0) & (torch.rand(copies, steps, generator=stream) < 0.9)
    return torch.where(kept, rows, actions)


def test_every_step_of_the_deterministic_one_equals_the_original():
    env, problem = original("minecart-deterministic"), moo.get_problem("minecart-deterministic")
    first, _ = env.reset()
    np.testing.assert_allclose(problem.observe(problem.reset(1))[0], first, atol=1e-7)
    actions = torch.cat([some_actions(400, 1000, 0), disturbed(200, 1000, 0), torch.full((1, 1000), NONE)])
    episodes = [play(env, row) for row in actions.tolist()]
    before, after = (torch.from_numpy(np.concatenate([states[cut] for states, _ in episodes])) for cut in CUTS)
    taken = torch.cat([row[: len(states) - 1] for row, (states, _) in zip(actions, episodes, strict=True)])
    theirs = [np.concatenate(part) for part in zip(*(outcomes for _, outcomes in episodes), strict=True)]
    state, *outcome = problem.step(before, taken)
    np.testing.assert_allclose(state, after, rtol=0, atol=1e-9)
    assert_same((problem.observe(state), *outcome), theirs)
    assert theirs[2].sum() > 500
    assert theirs[3].sum() > 0
    assert ((theirs[1][:, :2] > 0).sum(axis=0) > 50).all()
    ours = walk(problem, actions)
    whole = [same([part[copy] for part in ours], outcomes) for copy, (_, outcomes) in enumerate(episodes)]
    assert np.mean(whole) >= 0.99


def test_stored_episodes_equal_the_original():
    env, problem = original("minecart-deterministic"), moo.get_problem("minecart-deterministic")
    actions = stored_actions()
    ours = walk(problem, actions.clamp(min=0))
    for copy, row in enumerate(actions.tolist()):
        _, theirs = play(env, row[: sum(action >= 0 for action in row)])
        assert same([part[copy] for part in ours], theirs)
        assert theirs[2][-1]
    assert (ours[1][:, :, :2].sum(axis=1) > 0).all(axis=1).any()  # one brings both ores home


def test_ways_that_end_at_the_radius_of_the_base_to_the_last_bit():
    env, problem = original("minecart-deterministic"), moo.get_problem("minecart-deterministic")
    there = [[ACCELERATE, BRAKE, ACCELERATE], [ACCELERATE, NONE, BRAKE, ACCELERATE], [ACCELERATE, LEFT, ACCELERATE]]
    back = [LEFT, LEFT, LEFT, LEFT, ACCELERATE, NONE, NONE, NONE, NONE]
    sequences = [way + stop + back for way in there for stop in ([], [BRAKE])]
    exact = problem.reset(1)
    for action in there[0]:
        exact, *_ = problem.step(exact, torch.tensor([action]))
    assert float(exact[0, :2].norm()) == pytest.approx(BASE, abs=1e-15)
    for row in sequences:
        ours = [part[0] for part in walk(problem, torch.tensor([row]))]
        assert same(ours, play(env, row)[1])


class Fed:
    """Stands for a mine's normal distribution: what it draws are the next numbers of a stream."""

    def __init__(self, mean, spread, stream):
        self.mean, self.spread, self.stream = mean, spread, stream

    def rvs(self):
        return self.mean + self.spread * norm.ppf(next(self.stream))


def test_every_step_of_the_random_one_equals_the_original_fed_with_the_same_numbers(monkeypatch):
    problem, actions = moo.get_problem("minecart"), torch.cat([some_actions(100, 250, 1), disturbed(100, 250, 1)])
    copies = len(actions)
    drawn, stream = [], torch.Generator().manual_seed(0)
    uniform = minecart.uniform

    def recorded(*arguments):
        numbers = uniform(*arguments)
        drawn.extend(numbers.tolist())
        return numbers

    def taken():
        while True:
            yield drawn.pop(0)

    monkeypatch.setattr(minecart, "uniform", recorded)
    envs = [original("minecart") for _ in range(copies)]
    for env in envs:
        env.reset()
        for mine in env.unwrapped.mines:
            mine.distributions = [Fed(*distribution.args, taken()) for distribution in mine.distributions]
    running, used, brought = list(range(copies)), 0, np.zeros(2)
    for time, column in enumerate(actions.T):
        before = torch.tensor(np.array([carried(envs[copy], time) for copy in running]), dtype=torch.float64)
        state, *outcome = problem.step(before, column[running], stream)
        used += len(drawn)
        theirs = [envs[copy].step(int(column[copy]))[:4] for copy in running]
        assert_same((problem.observe(state), *outcome), [np.array(part) for part in zip(*theirs, strict=True)])
        assert not drawn  # the same copies have mined
        brought += sum(reward[:2] > 0 for _, reward, _, _ in theirs)
        running = [copy for copy, outcome in zip(running, theirs, strict=True) if not outcome[2]]
    assert used > 8 * 200
    assert (brought > 20).all()


def standing(mine, copies):
    """Copies at rest in the middle of a mine, with nothing loaded."""
    state = moo.get_problem("minecart").reset(copies)
    state[:, :2] = torch.tensor(MINES[mine], dtype=torch.float64)
    state[:, 6] = 1
    return state


@pytest.mark.parametrize("mine", [0, 1, 3, 4])
def test_yields_are_normal_and_cut_at_0(mine):
    copies = 40_000
    state, *_ = moo.get_problem("minecart").step(
        standing(mine, copies), torch.full((copies,), MINE), torch.Generator().manual_seed(mine)
    )
    found = state[:, 4:6].numpy()
    for ore, mean in enumerate(YIELDS[mine]):
        chance, density = norm.cdf(mean / SPREAD), norm.pdf(mean / SPREAD)
        first = mean * chance + SPREAD * density
        variance = (mean**2 + SPREAD**2) * chance + mean * SPREAD * density - first**2
        assert found[:, ore].mean() == pytest.approx(4 * first, abs=5 * math.sqrt(4 * variance / copies))
        assert found[:, ore].std() == pytest.approx(math.sqrt(4 * variance), rel=0.03)
        nothing = (1 - chance) ** 4
        assert (found[:, ore] == 0).mean() == pytest.approx(nothing, abs=5 * math.sqrt(nothing / copies) + 1e-9)
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.05


def test_every_episode_starts_alike_and_draws_nothing():
    stream = torch.Generator().manual_seed(0)
    before = stream.get_state()
    assert moo.get_problem("minecart").reset(3, stream).tolist() == [[0, 0, 0, 4, 0, 0, 0, 0]] * 3
    assert torch.equal(stream.get_state(), before)


def test_a_full_cart_takes_no_more_and_the_last_yield_is_cut_in_proportion():
    problem, state = moo.get_problem("minecart-deterministic"), standing(1, 1)
    state, *_ = problem.step(state, torch.tensor([MINE]))
    np.testing.assert_allclose(state[0, 4:6], [0.6, 0.4], atol=1e-12)
    for _ in range(2):
        state, *_ = problem.step(state, torch.tensor([MINE]))
        np.testing.assert_allclose(state[0, 4:6], [0.9, 0.6], atol=1e-12)
    state = standing(2, 1000)
    stream = torch.Generator().manual_seed(0)
    for _ in range(3):
        state, *_ = moo.get_problem("minecart").step(state, torch.full((1000,), MINE), stream)
    np.testing.assert_allclose(state[:, 4:6].sum(dim=1), CAPACITY, atol=1e-12)


def test_a_moving_cart_and_one_outside_the_mines_mine_nothing_but_pay():
    problem = moo.get_problem("minecart-deterministic")
    moving, outside = standing(0, 1), standing(0, 1)
    moving[0, 2], outside[0, 0] = 0.0075, 0.301
    for state in (moving, outside):
        after, rewards, _, _ = problem.step(state, torch.tensor([MINE]))
        assert not after[:, 4:6].any()
        np.testing.assert_allclose(rewards, [[0, 0, -0.22]], atol=1e-12)


def test_fuel_of_every_action():
    problem = moo.get_problem("minecart")
    _, rewards, _, _ = problem.step(problem.reset(6), torch.arange(6), torch.Generator())
    assert rewards.dtype == torch.float64
    np.testing.assert_allclose(rewards[:, 2], [-0.22, -0.02, -0.02, -0.12, -0.02, -0.02], atol=1e-12)


def test_four_frames_of_accelerating_and_braking():
    problem = moo.get_problem("minecart-deterministic")
    state, *_ = problem.step(problem.reset(1), torch.tensor([ACCELERATE]))
    side = 0.075 * math.sqrt(0.5)  # 1 + 2 + 3 + 4 times .0075, at 45 degrees
    np.testing.assert_allclose(state[0], [side, side, 0.03, 4, 0, 0, 0, 1], atol=1e-12)
    state, *_ = problem.step(state, torch.tensor([BRAKE]))
    np.testing.assert_allclose(state[0], [side, side, 0, 4, 0, 0, 0, 2], atol=1e-12)


def test_left_and_right_turn_by_forty_degrees():
    problem = moo.get_problem("minecart-deterministic")
    state = problem.reset(2)
    for turns in range(1, 10):
        state, *_ = problem.step(state, torch.tensor([LEFT, RIGHT]))
        angles = np.radians([45 - 40 * turns, 45 + 40 * turns])
        shown = problem.observe(state)[:, 3:5]
        np.testing.assert_allclose(shown, np.stack([np.sin(angles), np.cos(angles)], axis=1), atol=1e-6)


def test_coming_home_sells_everything_and_ends_but_staying_there_does_not():
    problem = moo.get_problem("minecart-deterministic")
    state = problem.reset(2)
    state[1] = torch.tensor([0.1, 0.1, 0, 4, 0.3, 0.2, 1, 7])
    after, rewards, terminated, _ = problem.step(state, torch.full((2,), NONE))
    assert terminated.tolist() == [False, True]
    np.testing.assert_allclose(rewards[:, :2], [[0, 0], [0.3, 0.2]])
    assert not after[:, 4:6].any()
    moved, rewards, terminated, _ = problem.step(after, torch.full((2,), ACCELERATE))
    assert (moved[:, :2] != after[:, :2]).all(dim=1).tolist() == [True, False]  # what has ended stands still
    assert terminated.tolist() == [False, True]
    assert not rewards[:, :2].any()


def test_a_wall_turns_the_cart_along_and_a_corner_stops_it():
    problem = moo.get_problem("minecart-deterministic")
    state = problem.reset(3)
    state[:, :2] = torch.tensor([[1.0, 0.5], [0.5, 1.0], [1.0, 1.0]])
    state[:, 2] = 0.03
    state, *_ = problem.step(state, torch.full((3,), NONE))
    assert state[:, 3].tolist() == [8, 0, 4]  # 85, 5 and still 45 degrees
    assert state[:2, :2].amax(dim=1).tolist() == [1, 1]
    way = 0.03 * np.cumprod(np.sin(np.radians([45, 55, 65, 75]))).sum()
    np.testing.assert_allclose(state[:2, :2].amin(dim=1), 0.5 + way, atol=1e-12)
    assert state[2, :3].tolist() == [1, 1, 0]


def test_an_episode_is_cut_at_max_steps():
    problem = moo.get_problem("minecart-deterministic", max_steps=3)
    assert walk(problem, torch.full((1, 3), NONE))[3].tolist() == [[False, False, True]]


@pytest.mark.parametrize("copies", [1, 5])
def test_a_step_leaves_the_state_it_is_given(copies):
    problem, state = moo.get_problem("minecart"), standing(0, copies)
    before = state.clone()
    for action in range(6):
        problem.step(state, torch.full((copies,), action), torch.Generator().manual_seed(0))
        assert torch.equal(state, before)


def test_the_leading_copies_of_a_batch_draw_the_same():
    problem = moo.get_problem("minecart")
    whole, _, _, _ = problem.step(standing(0, 50), torch.full((50,), MINE), torch.Generator().manual_seed(3))
    part, _, _, _ = problem.step(standing(0, 7), torch.full((7,), MINE), torch.Generator().manual_seed(3))
    assert torch.equal(whole[:7], part)
    assert len(whole[:, 4].unique()) == 50


def test_stored_returns_are_what_the_stored_actions_bring():
    problem = moo.get_problem("minecart-deterministic")
    with np.load(DATA / "minecart_deterministic.npz") as arrays:
        returns = torch.from_numpy(arrays["returns"])
    assert problem.gamma == 0.98
    found, ended = replay(problem, stored_actions())
    np.testing.assert_allclose(found, returns, rtol=0, atol=1e-12)
    assert ended.all()
    assert torch.equal(non_dominated(returns).sum(), torch.tensor(len(problem.reference_front)))


@pytest.mark.parametrize("gamma", FAMILY)
def test_the_lower_bound_is_far_above_the_policies_of_the_original(gamma):
    problem = moo.get_problem("minecart-deterministic", gamma=gamma)
    front = problem.reference_front
    assert non_dominated(front).all()
    volume = hypervolume(front, problem.reference_point)
    assert volume == pytest.approx(LOWER_BOUND[gamma], abs=1e-3)
    assert volume > 1.25 * FAMILY[gamma]
    mirrored = hypervolume(front[:, [1, 0, 2]], problem.reference_point)
    assert volume == pytest.approx(mirrored, rel=1e-6)  # so is the map
    theirs = torch.from_numpy(np.array(original("minecart-deterministic").unwrapped.pareto_front(gamma)))
    assert hypervolume(theirs, problem.reference_point) < FAMILY[gamma] + 1e-3


def test_the_lower_bound_counts_what_is_gained_before_the_cut():
    front = moo.get_problem("minecart-deterministic", gamma=1.0, max_steps=5).reference_front
    assert not front[:, :2].any()
    assert len(front) == 1


def test_nothing_is_known_of_the_random_one():
    problem = moo.get_problem("minecart")
    assert problem.reference_front is None
    assert problem.oracle is None
    assert moo.get_problem("minecart-deterministic").oracle is None
    assert (problem.stochastic, moo.get_problem("minecart-deterministic").stochastic) == (True, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"gamma": 0}, r"`gamma` should be in \(0, 1\]. Found 0"), ({"max_steps": 0}, "`max_steps` should be .* Found 0")],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        moo.get_problem("minecart", **options)


def test_actions_that_do_not_exist():
    problem = moo.get_problem("minecart-deterministic")
    with pytest.raises(ValueError, match=r"`actions` of minecart-deterministic should be from 0 to 5. Found \[-1, 6\]"):
        problem.step(problem.reset(2), torch.tensor([6, -1]))


def test_random_yields_need_a_generator():
    with pytest.raises(ValueError, match=r"`generator` should be a torch\.Generator: this environment is random"):
        moo.get_problem("minecart").step(standing(0, 1), torch.tensor([MINE]))
