"""Resource gathering: step by step as MO-Gymnasium with the same luck, and the exact front found in two other ways."""

import functools
import itertools

import numpy as np
import pytest
import torch

import moo
from moo.preferences import dirichlet
from moo.rl.finite import uniform

MAP = ["..gE.", "..E.D", ".....", ".....", "..H.."]  # gold, enemies, the gem (a diamond), home
UP, DOWN, LEFT, RIGHT = range(4)
STEPS = {UP: (-1, 0), DOWN: (1, 0), LEFT: (0, -1), RIGHT: (0, 1)}
TO_GEM = [RIGHT, RIGHT, UP, UP, UP]
TO_GOLD_SAFELY = [UP, UP, LEFT, UP, UP, RIGHT]
BACK_SAFELY = [LEFT, DOWN, DOWN, DOWN, DOWN, RIGHT]
BOTH_SAFELY = [*TO_GEM, DOWN, LEFT, LEFT, LEFT, UP, UP, RIGHT, *BACK_SAFELY]


class Luck:
    """Stands for the original's random numbers: gives the one number that was drawn for this step."""

    number = None

    def random(self):
        return self.number


def episodes(copies, steps, seed):
    """Random actions `[copies, steps]`: each copy has its own taste, and half of them begin with a whole good path."""
    random = np.random.default_rng(seed)
    tastes = random.dirichlet(np.full(4, 0.4), copies)
    actions = np.stack([random.choice(4, steps, p=taste) for taste in tastes])
    path = np.array(BOTH_SAFELY)
    for row in actions[::2]:
        wrong = random.random(len(path)) < 0.08
        row[: len(path)] = np.where(wrong, random.integers(0, 4, len(path)), path)
    return torch.from_numpy(actions)


@pytest.mark.filterwarnings("ignore:.*precision lowered by casting")
def test_every_step_equals_the_original():
    mo_gymnasium = pytest.importorskip(
        "mo_gymnasium", reason="the originals come with pip install 'moo-suite[control]'"
    )
    env = mo_gymnasium.make("resource-gathering-v0")
    env.unwrapped.np_random = luck = Luck()
    problem = moo.get_problem("resource-gathering")
    actions = episodes(600, 100, seed=0)
    generator, same = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    state = problem.reset(len(actions), generator)
    seen, draws = [], []
    for step in range(100):
        draws.append(uniform(len(actions), same, torch.device("cpu")))
        state, *outcome = problem.step(state, actions[:, step], generator)
        seen.append((problem.observe(state), *outcome))
    ends = []
    for copy in range(len(actions)):
        first, _ = env.reset()
        assert problem.observe(problem.reset(1))[0].tolist() == first.tolist()
        for step in range(100):
            luck.number = draws[step][copy].item()
            observation, reward, terminated, truncated, _ = env.step(int(actions[copy, step]))
            ours = [column[copy].tolist() for column in seen[step]]
            assert ours == [observation.tolist(), reward.tolist(), terminated, truncated]
            if terminated or truncated:
                break
        ends.append((*reward.tolist(), truncated))
    met = set(ends)  # killed; home with nothing, one or both of the two; cut
    assert {(-1, 0, 0, 0), (0, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 1, 1, 0), (0, 0, 0, 1)} <= met


def test_rewards_are_float64_and_observations_float32():
    problem = moo.get_problem("resource-gathering")
    state, rewards, terminated, truncated = problem.step(
        problem.reset(3), torch.tensor([UP, LEFT, DOWN]), torch.Generator()
    )
    assert (problem.observe(state).dtype, rewards.dtype) == (torch.float32, torch.float64)
    assert (rewards.shape, terminated.dtype, truncated.dtype) == ((3, 3), torch.bool, torch.bool)


def walk(problem, actions, copies=1, seed=0):
    """Observations, rewards, terminated and truncated of each step, `[steps, copies, ...]`."""
    generator = torch.Generator().manual_seed(seed)
    state, seen = problem.reset(copies, generator), []
    for action in actions:
        state, *outcome = problem.step(state, torch.full((copies,), action), generator)
        seen.append((problem.observe(state), *outcome))
    return [torch.stack(column) for column in zip(*seen, strict=True)]


def test_a_step_against_the_wall_at_home_ends_the_episode_with_nothing():
    observations, rewards, terminated, _ = walk(moo.get_problem("resource-gathering"), [DOWN])
    assert observations.tolist() == [[[4, 2, 0, 0]]]
    assert terminated.item()
    assert not rewards.any()


def test_a_wall_stops_the_agent():
    observations, _, terminated, _ = walk(moo.get_problem("resource-gathering"), [LEFT, DOWN, LEFT, LEFT])
    assert observations[:, 0].tolist() == [[4, 1, 0, 0], [4, 1, 0, 0], [4, 0, 0, 0], [4, 0, 0, 0]]
    assert not terminated.any()


def test_an_enemy_kills_one_in_ten_and_where_it_stands():
    observations, rewards, terminated, _ = walk(moo.get_problem("resource-gathering"), [UP, UP, UP], 20_000)
    assert not terminated[:2].any()
    killed = terminated[2]
    assert killed.double().mean().item() == pytest.approx(0.1, abs=0.01)  # 4.7 standard errors
    assert (observations[2] == torch.tensor([1.0, 2.0, 0.0, 0.0])).all()
    assert torch.equal(rewards[2], torch.where(killed[:, None], torch.tensor([-1.0, 0.0, 0.0]), 0.0).double())


def test_a_step_against_the_wall_beside_an_enemy_is_as_dangerous_as_the_first():
    _, _, terminated, _ = walk(moo.get_problem("resource-gathering"), [*TO_GEM, UP, LEFT, UP], 20_000)
    first, again = terminated[6:8].double()
    assert first.mean().item() == pytest.approx(0.1, abs=0.01)
    assert again[first == 0].mean().item() == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("path", [[*TO_GEM, DOWN, DOWN, DOWN, LEFT, LEFT], TO_GOLD_SAFELY + BACK_SAFELY, BOTH_SAFELY])
def test_the_safe_paths_reach_the_vectors_of_the_front(path):
    problem = moo.get_problem("resource-gathering")
    _, rewards, terminated, _ = walk(problem, path, 100)
    assert terminated[-1].all()
    assert not terminated[:-1].any()
    returns = (0.99 ** torch.arange(len(path)).double()[:, None, None] * rewards).sum(dim=0)
    assert (returns == returns[0]).all()
    assert (problem.oracle.front - returns[0]).abs().amax(dim=1).min() < 1e-12


def test_an_episode_is_cut_at_max_steps():
    problem = moo.get_problem("resource-gathering", max_steps=5)
    _, _, terminated, truncated = walk(problem, TO_GEM)
    assert truncated[:, 0].tolist() == [False] * 4 + [True]
    assert not terminated.any()


def test_the_front_knows_where_episodes_are_cut():
    def front(max_steps):
        return moo.get_problem("resource-gathering", gamma=1.0, max_steps=max_steps).oracle.front

    assert front(7).tolist() == [[0, 0, 0]]
    assert not front(9)[:, 2].any()
    assert (0, 0, 1) in set(map(tuple, front(10).tolist()))
    assert (0, 1, 1) not in set(map(tuple, front(17).tolist()))
    assert front(18).tolist() == [[0, 1, 1]]


# --------------------------------------------------------------------------------------------------- the front
def test_the_front_at_the_usual_discount():
    oracle = moo.get_problem("resource-gathering").oracle
    expected = torch.tensor([[0, 0, 0.91352], [0, 0.84294, 0.84294], [0, 0.89534, 0]], dtype=torch.float64)
    torch.testing.assert_close(oracle.coverage_set, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(oracle.front, expected, rtol=0, atol=1e-5)


def test_the_front_without_discount_is_one_vector():
    assert moo.get_problem("resource-gathering", gamma=1.0).oracle.front.tolist() == [[0.0, 1.0, 1.0]]


def test_every_vector_of_the_front_counts():
    problem = moo.get_problem("resource-gathering")
    assert problem.reference_point.tolist() == [-1.0, -0.1, -0.1]
    assert (problem.oracle.front > problem.reference_point).all()


def literal_model():
    """For each place and action the outcomes (chance, where to or None, rewards), written down from the map."""
    model = {}
    for row, column, gold, gem in itertools.product(range(5), range(5), (False, True), (False, True)):
        for action, (down, right) in STEPS.items():
            inside = 0 <= row + down < 5 and 0 <= column + right < 5
            r, c = (row + down, column + right) if inside else (row, column)
            there = MAP[r][c]
            following = (r, c, gold or there == "g", gem or there == "D")
            if there == "E":
                outcomes = [(0.1, None, (-1, 0, 0)), (0.9, following, (0, 0, 0))]
            elif there == "H":
                outcomes = [(1.0, None, (0, int(gold), int(gem)))]
            else:
                outcomes = [(1.0, following, (0, 0, 0))]
            model[(row, column, gold, gem), action] = outcomes
    return model


def best_values(preferences, gamma, max_steps):
    """The best expected scalarised return for each preference `[k]`, by value iteration."""
    model = literal_model()
    places = {place for place, _ in model}
    values = dict.fromkeys(places, np.zeros(len(preferences)))
    values[None] = np.zeros(len(preferences))
    for _ in range(max_steps):
        values = {None: values[None]} | {
            place: np.max(
                [
                    sum(chance * (preferences @ np.array(r) + gamma * values[to]) for chance, to, r in model[place, a])
                    for a in STEPS
                ],
                axis=0,
            )
            for place in places
        }
    return values[4, 2, False, False]


@pytest.mark.parametrize(("gamma", "max_steps", "rows"), [(0.99, 100, 3), (0.8, 40, 3), (0.5, 40, 4), (0.9, 13, 3)])
def test_the_front_holds_the_best_for_every_preference_and_nothing_better(gamma, max_steps, rows):
    problem = moo.get_problem("resource-gathering", gamma=gamma, max_steps=max_steps)
    preferences = dirichlet(30, 3, torch.Generator().manual_seed(2)).numpy()
    preferences = np.concatenate([preferences, preferences * [0.05, 1, 1], np.eye(3)])  # also those who fear little
    scalarised = preferences @ problem.oracle.front.numpy().T
    np.testing.assert_allclose(scalarised.max(axis=1), best_values(preferences, gamma, max_steps), atol=1e-9)
    assert len(np.unique(scalarised.argmax(axis=1))) >= rows


def literal_front(gamma, max_steps):
    """All non-dominated vectors of policies that may go by what has happened: sets of tuples, place by place."""
    model = literal_model()

    @functools.cache
    def vectors(place, steps):
        if place is None or steps == 0:
            return {(0.0, 0.0, 0.0)}
        found = set()
        for action in STEPS:
            outcomes = model[place, action]
            for choice in itertools.product(*(vectors(to, steps - 1) for _, to, _ in outcomes)):
                pairs = list(zip(outcomes, choice, strict=True))
                value = (sum(p * (r[i] + gamma * after[i]) for (p, _, r), after in pairs) for i in range(3))
                found.add(tuple(round(number, 13) for number in value))
        return {a for a in found if not any(b != a and all(map(float.__ge__, b, a)) for b in found)}

    return sorted(vectors((4, 2, False, False), max_steps))


@pytest.mark.parametrize(("gamma", "max_steps", "rows"), [(0.5, 22, 13), (0.8, 16, 11), (0.99, 24, 3), (1.0, 14, 3)])
def test_the_front_equals_one_found_by_literal_recursion(gamma, max_steps, rows):
    front = moo.get_problem("resource-gathering", gamma=gamma, max_steps=max_steps).oracle.front
    expected = literal_front(gamma, max_steps)
    assert len(expected) == rows
    np.testing.assert_allclose(sorted(front.tolist()), expected, rtol=0, atol=1e-9)


# --------------------------------------------------------------------------------------------------- words
def test_what_the_problem_says_of_itself():
    problem = moo.get_problem("resource-gathering")
    assert problem.objective_names == ("enemy", "gold", "gem")
    assert problem.directions == ("max",) * 3
    assert (problem.gamma, problem.max_steps, problem.stochastic) == (0.99, 100, True)
    assert problem.observation_space.names == ("row", "column", "gold", "gem")
    assert problem.observation_space.upper.tolist() == [4, 4, 1, 1]
    assert problem.action_space.columns[0].choices == ("up", "down", "left", "right")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"gamma": 0}, ValueError, r"`gamma` should be in \(0, 1\]\. Found 0\."),
        ({"gamma": 1.5}, ValueError, r"`gamma` should be in \(0, 1\]\. Found 1\.5\."),
        ({"max_steps": 0}, ValueError, r"`max_steps` should be at least 1\. Found 0\."),
        ({"max_steps": 9.5}, TypeError, r"`max_steps` should be a whole number\. Found 9\.5\."),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        moo.get_problem("resource-gathering", **options)


def test_an_unknown_action_and_a_missing_generator():
    problem = moo.get_problem("resource-gathering")
    with pytest.raises(ValueError, match=r"`actions` of resource-gathering should be from 0 to 3\. Found \[-1, 2\]\."):
        problem.step(problem.reset(2), torch.tensor([2, -1]), torch.Generator())
    with pytest.raises(ValueError, match=r"`generator` should be a torch\.Generator: this environment is random"):
        problem.step(problem.reset(1), torch.tensor([2]))
