"""The building: each step against a literal loop over zones and walls, its energy balance, its objectives."""

import math

import pytest
import torch

import moo
from moo.problems.building import CAPACITY, FLOORS, POWER, STEP, TARGET, Building

ZONES = 23


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def random_state(problem, n=6, seed=0):
    """States somewhere in a day, after a few random actions."""
    draw = stream(seed)
    state = problem.reset(n, draw)
    state[:, :ZONES] += 6 * torch.rand(n, ZONES, generator=draw, dtype=torch.float64) - 3
    state[:, ZONES : 2 * ZONES] = 2 * torch.rand(n, ZONES, generator=draw, dtype=torch.float64) - 1
    state[:, -1] = torch.randint(96, (n,), generator=draw)
    return state, 2 * torch.rand(n, ZONES, generator=draw, dtype=torch.float64) - 1


def zones():
    """Floor, and the rectangle that a zone covers of a floor of size 1 x 1."""
    return [
        (floor, x / wide, (x + 1) / wide, y / deep, (y + 1) / deep)
        for floor, (wide, deep) in enumerate(FLOORS)
        for y in range(deep)
        for x in range(wide)
    ]


def weather(mean, clearness, step):
    hour = step * 0.25 % 24
    outdoors = mean + 4 * math.cos(2 * math.pi * (hour - 15) / 24)
    sun = clearness * math.sin(math.pi * (hour - 8) / 8) if 8 < hour < 16 else 0.0
    people = 1.0 if 8 <= hour < 18 else 0.0
    price = 0.45 if 17 <= hour < 20 else 0.3 if 6 <= hour < 22 else 0.15
    return outdoors, sun, people, price


def flows(temperatures, outdoors, sun, people):
    """What every zone gains in kW, but for its own power; and what the whole gains from outside."""
    places, near = zones(), 1e-9
    gains, outside = [0.0] * ZONES, 0.0
    for i, (floor, left, right, low, high) in enumerate(places):
        walls = sum([left < near, right > 1 - near, low < near, high > 1 - near])
        through = 0.035 * walls + (0.03 if floor == 2 else 0.0)
        own = through * (outdoors - temperatures[i]) + (0.5 * sun if low < near else 0.0) + 0.3 * people
        own += 0.01 * (10 - temperatures[i]) if floor == 0 else 0.0
        outside += own
        gains[i] += own
        for j, (other, west, east, south, north) in enumerate(places):
            wide = min(right, east) - max(left, west)
            deep = min(high, north) - max(low, south)
            touching = (wide > near and abs(deep) < near) or (deep > near and abs(wide) < near)
            if floor == other and i != j and touching:
                gains[i] += 0.12 * (temperatures[j] - temperatures[i])
            if abs(floor - other) == 1 and wide > near and deep > near:
                gains[i] += 0.06 * (temperatures[j] - temperatures[i])
    return gains, outside


def literal_step(row, actions):
    """Temperatures after a step, and comfort, energy and ramping of each floor."""
    outdoors, sun, people, price = weather(row[-3], row[-2], row[-1])
    gains, _ = flows(row[:ZONES], outdoors, sun, people)
    after = [t + STEP / CAPACITY * (g + POWER * a) for t, g, a in zip(row, gains, actions, strict=False)]
    rewards = []
    for floor in range(3):
        own = [i for i, place in enumerate(zones()) if place[0] == floor]
        rewards += [
            -sum(abs(after[i] - TARGET) for i in own) / len(own) * STEP,
            -sum(price * POWER * abs(actions[i]) * STEP for i in own),
            -sum(abs(actions[i] - row[ZONES + i]) for i in own) / len(own) / 2,
        ]
    return after, rewards


def test_each_step_equals_a_literal_loop_over_zones_and_walls():
    problem = Building(9)
    state, actions = random_state(problem)
    moved, rewards, terminated, truncated = problem.step(state, actions)
    for n, row in enumerate(state.tolist()):
        after, expected = literal_step(row, actions[n].tolist())
        assert moved[n, :ZONES].tolist() == pytest.approx(after)
        assert rewards[n].tolist() == pytest.approx(expected)
    assert torch.equal(moved[:, ZONES : 2 * ZONES], actions)
    assert torch.equal(moved[:, -3:-1], state[:, -3:-1])
    assert torch.equal(moved[:, -1], state[:, -1] + 1)
    assert not terminated.any()
    assert torch.equal(truncated, state[:, -1] == 95)


def test_no_heat_is_lost_between_zones():
    """What all zones store is what came in from outside and by power."""
    problem = Building()
    state, actions = random_state(problem)
    moved, *_ = problem.step(state, actions)
    stored = CAPACITY * (moved[:, :ZONES] - state[:, :ZONES]).sum(dim=1)
    for n, row in enumerate(state.tolist()):
        _, outside = flows(row[:ZONES], *weather(row[-3], row[-2], row[-1])[:3])
        assert float(stored[n]) == pytest.approx(STEP * (outside + POWER * float(actions[n].sum())))


def test_a_step_is_linear_in_state_and_power():
    problem = Building()
    (one, first), (other, second) = random_state(problem, seed=1), random_state(problem, seed=2)
    other[:, -1] = one[:, -1]  # the same hour; so the day's mean is all that the weather depends on
    middle = (one + other) / 2
    found = problem.step(middle, (first + second) / 2)[0][:, :ZONES]
    ends = [problem.step(*part)[0][:, :ZONES] for part in ((one, first), (other, second))]
    assert torch.allclose(found, (ends[0] + ends[1]) / 2)


def test_left_alone_it_becomes_as_cold_as_its_surroundings_and_never_colder():
    problem = Building(max_steps=3000)
    state = problem.reset(1, stream())
    for _ in range(2000):
        state, *_ = problem.step(state, torch.zeros(1, ZONES))
        outdoors = float(state[0, -3]) - 4
        assert float(state[0, :ZONES].min()) > outdoors
    assert float(state[0, :ZONES].max()) < 25


def test_nine_objectives_are_the_three_of_each_floor():
    whole, parts = Building(3), Building(9)
    state, actions = random_state(whole)
    total, each = whole.step(state, actions)[1], parts.step(state, actions)[1].reshape(-1, 3, 3)
    sizes = torch.tensor([9.0, 7.0, 7.0], dtype=torch.float64)
    assert torch.allclose(total[:, 0], each[..., 0] @ sizes / 23)
    assert torch.allclose(total[:, 1], each[..., 1].sum(dim=1))
    assert torch.allclose(total[:, 2], each[..., 2] @ sizes / 23)
    assert whole.objective_names == ("comfort", "energy", "ramping")
    assert parts.objective_names[:4] == ("comfort 1", "energy 1", "ramping 1", "comfort 2")
    assert [wide * deep for wide, deep in FLOORS] == [9, 7, 7]


def returns_of(problem, law, n=64):
    """Mean returns of a law of actions, of state and time."""
    state, total, discount = problem.reset(n, stream()), 0.0, 1.0
    for time in range(problem.max_steps):
        state, rewards, _, _ = problem.step(state, law(state, time))
        total = total + discount * rewards
        discount *= problem.gamma
    return total.mean(dim=0)


def heating(gain):
    return lambda state, _: (gain * (TARGET - state[:, :ZONES])).clamp(-1, 1)


@pytest.mark.parametrize("num_objectives", [3, 9])
def test_comfort_and_energy_are_in_opposition(num_objectives):
    problem = Building(num_objectives)
    found = torch.stack([returns_of(problem, heating(gain)) for gain in (0.0, 0.1, 0.3, 1.0, 3.0)])
    assert (found[:, 0::3].diff(dim=0) > 0).all()
    assert (found[:, 1::3].diff(dim=0) < 0).all()
    assert (found[0, 1::3] == 0).all()
    assert (found[0, 2::3] == 0).all()


def test_ramping_is_apart_from_comfort_and_energy():
    """Flickering as much power makes hardly any difference but to ramping."""
    problem = Building()
    steady = returns_of(problem, lambda state, _: torch.full((len(state), ZONES), 0.5))
    flicker = returns_of(problem, lambda state, time: torch.full((len(state), ZONES), 1.0 * (time % 2 == 0)))
    assert flicker[1].item() == pytest.approx(steady[1].item(), rel=0.02)
    assert flicker[0].item() == pytest.approx(steady[0].item(), rel=0.05)
    assert flicker[2] < 20 * steady[2]


@pytest.mark.parametrize("num_objectives", [3, 9])
def test_the_reference_point_is_what_it_says_and_worse_than_any_plain_policy(num_objectives):
    problem = Building(num_objectives, gamma=0.9, max_steps=2)
    sizes = [23] if num_objectives == 3 else [9, 7, 7]
    expected = [part for size in sizes for part in (-1.9 * 2.5, -1.9 * size * 0.5 * 2 * 0.25 * 0.45, -1.9 * 0.5)]
    assert problem.reference_point.tolist() == pytest.approx(expected)
    problem = Building(num_objectives)
    draw = stream()
    anyhow = returns_of(problem, lambda state, _: 2 * torch.rand(len(state), ZONES, generator=draw).double() - 1)
    for found in (returns_of(problem, heating(0.0)), returns_of(problem, heating(1.0)), anyhow):
        assert (found > problem.reference_point).all()


def test_observations_lie_in_their_space_and_say_what_they_are_called():
    problem = Building()
    state, actions = random_state(problem)
    seen, space = problem.observe(state), problem.observation_space
    assert seen.shape == (6, 52)
    assert seen.dtype == torch.float32
    assert (seen >= space.lower).all()
    assert (seen <= space.upper).all()
    names = dict(zip(space.names, seen[0].tolist(), strict=True))
    row = state[0].tolist()
    outdoors, sun, people, price = weather(row[-3], row[-2], row[-1])
    expected = {"zone 5": row[4], "last action 5": row[27], "outdoors": outdoors, "sun": sun, "people": people}
    expected |= {"price": price, "sine": math.sin(2 * math.pi * row[-1] / 96)}
    for name, value in expected.items():
        assert names[name] == pytest.approx(value, abs=1e-5)
    again = Building().step(state, actions)
    assert all(torch.equal(a, b) for a, b in zip(again, problem.step(state, actions), strict=True))


def test_the_weather_is_drawn_in_its_ranges_from_the_stream():
    problem = Building()
    one, again, other = (problem.reset(2000, stream(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    for column, low, high in ((one[:, :ZONES], 19, 23), (one[:, -3], 0, 10), (one[:, -2], 0.2, 1.0)):
        assert low <= float(column.min()) < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < float(column.max()) <= high
    assert (one[:, ZONES : 2 * ZONES] == 0).all()
    assert (one[:, -1] == 0).all()


def test_actions_beyond_the_bounds_count_as_the_bounds():
    problem = Building()
    state, _ = random_state(problem)
    found = problem.step(state, torch.full((6, ZONES), 7.0))
    for a, b in zip(found, problem.step(state, torch.ones(6, ZONES)), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"num_objectives": 4}, ValueError, r"`num_objectives` of building should be 3 .* or 9 .* Found 4"),
        ({"gamma": 0.0}, ValueError, "`gamma` should be in"),
        ({"max_steps": 0}, ValueError, "`max_steps`"),
    ],
)
def test_what_makes_no_building_is_refused(options, error, words):
    with pytest.raises(error, match=words):
        moo.get_problem("building", **options)


def test_actions_of_another_shape_are_refused():
    problem = Building()
    with pytest.raises(ValueError, match=r"`actions` of building should have shape \[2, 23\]. Found \[2\]"):
        problem.step(problem.reset(2, stream()), torch.zeros(2))
