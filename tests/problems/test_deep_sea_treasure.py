"""Deep sea treasure: step by step as in MO-Gymnasium, and the exact front against a breadth-first search."""

import functools

import numpy as np
import pytest
import torch

import moo
from moo.indicators import hypervolume

UP, DOWN, LEFT, RIGHT = range(4)
ORIGINALS = {
    "convex": "deep-sea-treasure-v0",
    "concave": "deep-sea-treasure-concave-v0",
    "mirrored": "deep-sea-treasure-mirrored-v0",
}
HYPERVOLUMES = {  # of the front above the problem's own reference point (0, -50)
    ("convex", 0.98): 731.6139,
    ("convex", 0.99): 854.8504,
    ("convex", 1.0): 994.3,
    ("concave", 0.99): 3688.377,
    ("concave", 1.0): 4255.0,
    ("mirrored", 0.99): 3688.377,
    ("mirrored", 1.0): 4255.0,
}
get_problem = functools.cache(moo.get_problem)  # their fronts are kept
every_variant = pytest.mark.parametrize("variant", ORIGINALS)


def wanderers(n, steps):
    """Random actions, most copies with a drift to a side or down, so that some end at every treasure."""
    stream = torch.Generator().manual_seed(0)
    chances = torch.tensor(
        [[1, 1, 1, 1], [1, 2, 1, 4], [1, 1, 1, 8], [1, 4, 4, 1], [1, 1, 3, 3], [0, 1, 0, 3]], dtype=torch.float64
    )
    return torch.multinomial(chances.repeat(n // len(chances), 1), steps, replacement=True, generator=stream)


def walk(problem, actions):
    """Observations, rewards, terminated and truncated `[n, steps, ...]` of actions `[n, steps]`."""
    state, seen = problem.reset(len(actions)), []
    for column in actions.T:
        state, *outcome = problem.step(state, column)
        seen.append((problem.observe(state), *outcome))
    return [torch.stack(part, dim=1) for part in zip(*seen, strict=True)]


@pytest.mark.filterwarnings("ignore:.*precision lowered by casting")
@every_variant
def test_every_step_equals_the_original(variant):
    mo_gymnasium = pytest.importorskip(
        "mo_gymnasium", reason="the originals come with pip install 'moo-suite[control]'"
    )
    env = mo_gymnasium.make(ORIGINALS[variant])
    problem = moo.get_problem("deep-sea-treasure", variant=variant)
    actions = wanderers(360, problem.max_steps)
    ours = [part.numpy() for part in walk(problem, actions)]
    assert (ours[0].dtype, ours[1].dtype) == (np.float32, np.float64)
    treasures, cut = set(), 0
    for copy, row in enumerate(actions.tolist()):
        first, _ = env.reset()
        assert first.tolist() == problem.observe(problem.reset(1))[0].tolist()
        theirs = []
        for action in row:
            theirs.append(env.step(action)[:4])
            if any(theirs[-1][2:]):
                break
        for mine, original in zip(ours, zip(*theirs, strict=True), strict=True):
            mine = mine[copy, : len(theirs)]
            np.testing.assert_array_equal(mine.astype(np.float32) if mine.ndim > 1 else mine, np.array(original))
        treasures.add(theirs[-1][1][0])
        cut += theirs[-1][3]
    assert len(treasures - {0}) > 7
    assert cut > 10


def search(problem):
    """Breadth-first: the steps to, and the reward of, each cell where an episode ends."""
    state, seen, found, steps = problem.reset(1), set(), {}, 0
    while len(state):
        seen |= {tuple(row) for row in problem.observe(state).tolist()}
        moved, rewards, ends, _ = problem.step(
            state.repeat_interleave(4, dim=0), torch.tensor([UP, DOWN, LEFT, RIGHT]).repeat(len(state))
        )
        steps += 1
        for cell, reward, end in zip(problem.observe(moved).tolist(), rewards.tolist(), ends.tolist(), strict=True):
            if end:
                found.setdefault(tuple(cell), (steps, reward[0]))
        new = torch.tensor([tuple(cell) not in seen for cell in problem.observe(moved).tolist()])
        state = moved[new & ~ends].unique(dim=0)
    return found


@pytest.mark.parametrize("gamma", [0.9, 0.99, 1.0])
@every_variant
def test_the_front_is_that_of_a_breadth_first_search(variant, gamma):
    problem = get_problem("deep-sea-treasure", variant=variant, gamma=gamma)
    found = search(problem)
    assert len(found) == 10
    values = [
        (treasure * gamma ** (steps - 1), -sum(gamma**i for i in range(steps))) for steps, treasure in found.values()
    ]
    values = [a for a in values if not any(b[0] >= a[0] and b[1] >= a[1] and b != a for b in values)]
    np.testing.assert_allclose(problem.oracle.front, sorted(values), rtol=0, atol=1e-9)


@pytest.mark.filterwarnings("ignore:.*precision lowered by casting")
@every_variant
def test_the_front_is_that_of_the_original(variant):
    mo_gymnasium = pytest.importorskip(
        "mo_gymnasium", reason="the originals come with pip install 'moo-suite[control]'"
    )
    theirs = np.array(mo_gymnasium.make(ORIGINALS[variant]).unwrapped.pareto_front(gamma=0.99))
    ours = get_problem("deep-sea-treasure", variant=variant, gamma=0.99).oracle.front
    np.testing.assert_allclose(ours, theirs[theirs[:, 0].argsort()], rtol=0, atol=1e-9)


@pytest.mark.parametrize(("variant", "gamma"), HYPERVOLUMES)
def test_hypervolume_of_the_front(variant, gamma):
    problem = get_problem("deep-sea-treasure", variant=variant, gamma=gamma)
    assert problem.reference_point.tolist() == [0, -50]
    found = hypervolume(problem.oracle.front, problem.reference_point)
    assert found == pytest.approx(HYPERVOLUMES[variant, gamma], abs=5e-4)


@pytest.mark.parametrize("variant", ["concave", "mirrored"])
def test_linear_preferences_see_two_treasures_of_the_concave_map(variant):
    problem = get_problem("deep-sea-treasure", variant=variant, gamma=0.99)
    oracle = problem.oracle
    assert torch.equal(oracle.coverage_set, oracle.front[[0, -1]])
    assert hypervolume(oracle.coverage_set, problem.reference_point) == pytest.approx(3391.566, abs=5e-4)
    assert oracle.mixture_hypervolume(problem.reference_point) == pytest.approx(4231.036, abs=5e-4)


def test_linear_preferences_see_every_treasure_of_the_convex_map():
    problem = get_problem("deep-sea-treasure", variant="convex", gamma=0.99)
    assert torch.equal(problem.oracle.coverage_set, problem.oracle.front)
    assert problem.oracle.mixture_hypervolume(problem.reference_point) == pytest.approx(874.719, abs=5e-4)


def test_rocks_and_the_edge_stop_the_submarine_but_not_the_clock():
    problem = moo.get_problem("deep-sea-treasure")
    observations, rewards, terminated, _ = walk(problem, torch.tensor([[UP, LEFT, RIGHT, DOWN, LEFT, DOWN]]))
    assert observations[0].tolist() == [[0, 0], [0, 0], [0, 1], [1, 1], [1, 0], [1, 0]]
    assert rewards[0, :5].tolist() == [[0, -1]] * 4 + [[0.7, -1]]
    assert terminated[0, :5].tolist() == [False] * 4 + [True]
    beside, _, _, _ = walk(problem, torch.tensor([[*[RIGHT] * 6, *[DOWN] * 6, LEFT, LEFT]]))
    assert beside[0, -3:].tolist() == [[6, 6]] * 3


def test_a_cut_comes_with_the_last_step():
    problem = moo.get_problem("deep-sea-treasure", max_steps=3)
    _, _, terminated, truncated = walk(problem, torch.full((2, 3), UP))
    assert truncated[0].tolist() == [False, False, True]
    assert not terminated.any()


def test_a_short_episode_has_a_short_front():
    problem = moo.get_problem("deep-sea-treasure", max_steps=8, gamma=1)
    best = [[0.7, -1.0], [8.2, -3.0], [11.5, -5.0], [14.0, -7.0], [15.1, -8.0]]
    np.testing.assert_allclose(problem.oracle.front, best, rtol=0, atol=1e-12)


def test_what_the_problem_says_of_itself():
    problem = moo.get_problem("deep-sea-treasure:variant=mirrored,gamma=0.9")
    assert problem.spec == "deep-sea-treasure:variant=mirrored,gamma=0.9"
    assert (problem.objective_names, problem.directions) == (("treasure", "time"), ("max", "max"))
    assert (problem.max_steps, problem.stochastic, problem.kind) == (100, False, "environment")
    assert problem.action_space.columns[0].choices == ("up", "down", "left", "right")
    assert problem.observation_space.upper.tolist() == [10, 19]
    assert problem.observe(problem.reset(1)).tolist() == [[0, 10]]
    rows = walk(problem, wanderers(30, 100))[0].reshape(-1, 2).double()
    assert torch.equal(problem.observation_space.canonical(rows), rows)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"variant": "concav"},
            ValueError,
            r"Unknown variant 'concav' of deep-sea-treasure\. Did you mean 'concave'\?",
        ),
        ({"gamma": 0}, ValueError, r"`gamma` should be in \(0, 1\]\. Found 0\."),
        ({"max_steps": 0}, ValueError, r"`max_steps` should be at least 1\. Found 0\."),
        ({"max_steps": 1.5}, TypeError, r"`max_steps` should be a whole number\. Found 1\.5\."),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        moo.get_problem("deep-sea-treasure", **options)


def test_an_action_that_does_not_exist():
    problem = moo.get_problem("deep-sea-treasure")
    with pytest.raises(ValueError, match=r"`actions` of deep-sea-treasure should be from 0 to 3\. Found \[1, 4\]\."):
        problem.step(problem.reset(2), torch.tensor([4, 1]))
