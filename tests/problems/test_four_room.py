"""Four rooms: step by step as in MO-Gymnasium, and the exact front against value iteration over all states."""

import numpy as np
import pytest
import torch

import moo
from moo.indicators import hypervolume
from moo.problems.four_room import FourRoom
from moo.rl.models import FiniteModel, pareto_values

LEFT, UP, RIGHT, DOWN = range(4)
SMALL = (
    ("1.2", "X.X", "_3G"),
    ("_1G2.", "..X3.", "....."),  # the straight way to the triangle leads through the goal
    ("3.1.2", ".XXX.", "_..1G", ".2X.."),  # things lie on the way to others
    ("G..1", "_XX.", "2..3"),
)


def of_maze(maze, **options):
    return type("SmallRoom", (FourRoom,), {"maze": tuple(maze)})(**options)


def walk(problem, actions):
    """Observations, rewards, terminated and truncated `[n, steps, ...]` of actions `[n, steps]`."""
    state, seen = problem.reset(len(actions)), []
    for column in actions.T:
        state, *outcome = problem.step(state, column)
        seen.append((problem.observe(state), *outcome))
    return [torch.stack(part, dim=1) for part in zip(*seen, strict=True)]


def every_step(problem):
    """All states (cell, things) in order, and where each action leads, what it gains, whether it ends."""
    things, cells = problem.observation_space.dim - 2, len(problem.maze) * len(problem.maze[0])
    bits = 2**things
    state = torch.cartesian_prod(torch.arange(cells), torch.arange(bits), torch.tensor([0]))
    moved = [problem.step(state, torch.full((len(state),), action)) for action in range(4)]
    successors = torch.stack([after[:, 0] * bits + after[:, 1] for after, *_ in moved], dim=1)
    rewards, ends = (torch.stack([step[i] for step in moved], dim=1) for i in (1, 2))
    start = problem.reset(1)[0]
    return successors, rewards, ends, int(start[0] * bits + start[1])


def by_value_iteration(problem, max_steps=200):
    successors, rewards, ends, start = every_step(problem)
    chances = torch.ones(*successors.shape, 1, dtype=torch.float64)
    model = FiniteModel(successors[..., None], chances, rewards[:, :, None], ends[..., None], start)
    return pareto_values(model, problem.gamma, max_steps)


def random_maze(seed, rows=4, columns=4, things="1233"):
    """Walls, things, start and goal anywhere, so that everything can be reached without going through the goal."""
    stream = np.random.default_rng(seed)
    while True:
        cells = np.where(stream.random(rows * columns) < 0.25, "X", ".")
        cells[stream.permutation(rows * columns)[: len(things) + 2]] = [*things, "_", "G"]
        grid = cells.reshape(rows, columns)
        reached, new = set(), {tuple(np.argwhere(grid == "_")[0])}
        while new:
            reached |= new
            inner = [cell for cell in new if grid[cell] != "G"]
            near = {(y + v, x + h) for y, x in inner for v, h in ((0, 1), (1, 0), (0, -1), (-1, 0))}
            new = {(y, x) for y, x in near if 0 <= y < rows and 0 <= x < columns and grid[y, x] != "X"} - reached
        if sum(grid[cell] in "123G" for cell in reached) == len(things) + 1:
            return ["".join(row) for row in grid]


def wanderers(n, steps):
    """Random actions: some at random, some with a drift to the goal, some with one to the other corner."""
    stream = torch.Generator().manual_seed(0)
    chances = torch.tensor([[1, 1, 1, 1], [1, 3, 3, 1], [1, 2, 4, 1], [1, 1, 3, 3]], dtype=torch.float64)
    return torch.multinomial(chances.repeat(n // 4, 1), steps, replacement=True, generator=stream)


def test_every_step_equals_the_original():
    mo_gymnasium = pytest.importorskip(
        "mo_gymnasium", reason="the originals come with pip install 'moo-suite[control]'"
    )
    env = mo_gymnasium.make("four-room-v0")
    problem = moo.get_problem("four-room")
    actions = wanderers(400, problem.max_steps)
    ours = [part.numpy() for part in walk(problem, actions)]
    ends = {"terminated": 0, "truncated": 0}
    for copy, row in enumerate(actions.tolist()):
        first, _ = env.reset()
        assert first.tolist() == problem.observe(problem.reset(1))[0].tolist()
        theirs = []
        for action in row:
            theirs.append(env.step(action)[:4])
            if any(theirs[-1][2:]):
                break
        for mine, original in zip(ours, zip(*theirs, strict=True), strict=True):
            np.testing.assert_array_equal(mine[copy, : len(theirs)], np.array(original))
        ends["terminated"] += theirs[-1][2]
        ends["truncated"] += theirs[-1][3]
    assert min(ends.values()) > 50, ends
    assert ours[0][:, :, 2:].any(axis=(0, 1)).all()  # everything has been collected by someone


def test_a_thing_counts_once_in_the_objective_of_its_kind():
    problem = of_maze(["_31G"])
    observations, rewards, _, _ = walk(problem, torch.tensor([[RIGHT, LEFT, RIGHT, RIGHT, LEFT]]))
    assert rewards[0].tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert observations[0].tolist() == [[0, 1, 1, 0], [0, 0, 1, 0], [0, 1, 1, 0], [0, 2, 1, 1], [0, 1, 1, 1]]


def test_walls_and_the_edge_stop_a_move():
    problem = of_maze(["X.G", "_X."])
    for action, place in ((LEFT, [1, 0]), (UP, [1, 0]), (RIGHT, [1, 0]), (DOWN, [1, 0])):
        observations, rewards, terminated, _ = walk(problem, torch.tensor([[action]]))
        assert observations[0, 0].tolist() == place
        assert not rewards.any()
        assert not terminated.any()


def test_the_goal_counts_in_all_objectives_and_ends():
    problem = of_maze(["_G"])
    _, rewards, terminated, truncated = walk(problem, torch.tensor([[LEFT, RIGHT], [RIGHT, LEFT]]))
    assert rewards[:, 0].tolist() == [[0, 0, 0], [1, 1, 1]]
    assert rewards[0, 1].tolist() == [1, 1, 1]
    assert terminated.tolist() == [[False, True], [True, False]]
    assert not truncated.any()


def test_things_are_numbered_column_by_column():
    problem = of_maze(["_21", "3G."])
    observations, _, _, _ = walk(problem, torch.tensor([[DOWN, UP, RIGHT, RIGHT]]))
    flags = observations[0, :, 2:].tolist()
    assert flags == [[1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_a_cut_comes_with_the_last_step():
    problem = moo.get_problem("four-room", max_steps=3)
    _, _, terminated, truncated = walk(problem, torch.full((2, 4), LEFT))
    assert truncated[0].tolist() == [False, False, True, True]
    assert not terminated.any()


def test_what_the_problem_says_of_itself():
    problem = moo.get_problem("four-room:gamma=0.9")
    assert (problem.spec, problem.kind, problem.unit) == ("four-room:gamma=0.9", "environment", "transitions")
    assert problem.objective_names == ("squares", "triangles", "circles")
    assert (problem.num_objectives, problem.directions) == (3, ("max",) * 3)
    assert (problem.max_steps, problem.stochastic) == (200, False)
    assert problem.action_space.columns[0].choices == ("left", "up", "right", "down")
    assert problem.observation_space.upper.tolist() == [12, 12, *[1] * 12]
    assert problem.action_mask(problem.reset(3)) is None
    assert ["".join(problem.maze).count(kind) for kind in "123_G"] == [4, 4, 4, 1, 1]


def test_types_and_what_can_be_observed():
    problem = moo.get_problem("four-room")
    observations, rewards, terminated, truncated = walk(problem, wanderers(8, 60))
    assert (observations.dtype, rewards.dtype) == (torch.float32, torch.float64)
    assert terminated.dtype == truncated.dtype == torch.bool
    rows = observations.reshape(-1, 14).double()
    assert torch.equal(problem.observation_space.canonical(rows), rows)
    state = problem.reset(5)
    assert (state.dtype, state.shape) == (torch.int64, (5, 3))
    before = state.clone()
    problem.step(state, torch.full((5,), UP))
    assert torch.equal(state, before)


# --- the exact front ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [1.0, 0.99, 0.7])
@pytest.mark.parametrize("maze", SMALL)
def test_the_front_is_that_of_value_iteration_over_sets(maze, gamma):
    problem = of_maze(maze, gamma=gamma)
    torch.testing.assert_close(problem.oracle.front, by_value_iteration(problem), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_the_front_of_a_random_maze_is_that_of_value_iteration_over_sets(seed):
    problem = of_maze(random_maze(seed), gamma=(0.95, 0.8)[seed % 2])
    torch.testing.assert_close(problem.oracle.front, by_value_iteration(problem), rtol=0, atol=1e-12)


@pytest.mark.parametrize("gamma", [1.0, 0.95])
@pytest.mark.parametrize("maze", SMALL)
def test_the_oracle_knows_when_the_cut_takes_a_policy_away(maze, gamma):
    known = [n for n in range(1, 40) if of_maze(maze, gamma=gamma, max_steps=n).oracle is not None]
    longest = known[0]
    assert known == list(range(longest, 40))
    problem = of_maze(maze, gamma=gamma)
    assert torch.equal(of_maze(maze, gamma=gamma, max_steps=longest).oracle.front, problem.oracle.front)
    torch.testing.assert_close(by_value_iteration(problem, longest), problem.oracle.front, rtol=0, atol=1e-12)
    cut = by_value_iteration(problem, longest - 1)
    assert cut.shape != problem.oracle.front.shape or (cut - problem.oracle.front).abs().max() > 1e-6


def test_no_policy_beats_the_front_for_a_linear_preference():
    """Plain value iteration over all 692,224 states, for two preferences at once."""
    problem = moo.get_problem("four-room")
    successors, rewards, ends, start = every_step(problem)
    preferences = torch.tensor([[0.6, 0.3, 0.1], [0.0, 0.25, 0.75]], dtype=torch.float64)
    gains = [rewards[:, action] @ preferences.T for action in range(4)]
    discounts = [problem.gamma * (~ends[:, action, None]).double() for action in range(4)]
    values = torch.zeros(len(successors), len(preferences), dtype=torch.float64)
    for _ in range(problem.max_steps):
        before = values[start].clone(), values
        values = gains[0] + discounts[0] * before[1][successors[:, 0]]
        for action in range(1, 4):
            torch.maximum(values, gains[action] + discounts[action] * before[1][successors[:, action]], out=values)
        if torch.equal(values, before[1]):
            break
    found = (problem.oracle.front @ preferences.T).max(dim=0).values
    torch.testing.assert_close(found, values[start], rtol=0, atol=1e-9)


def test_the_front_in_numbers():
    problem = moo.get_problem("four-room")
    front = problem.oracle.front
    assert (len(front), len(problem.oracle.coverage_set)) == (240, 48)
    assert (front > problem.reference_point).all()
    assert hypervolume(front, problem.reference_point) == pytest.approx(57.8028, abs=5e-5)
    assert problem.oracle.mixture_hypervolume(problem.reference_point) == pytest.approx(58.6126, abs=5e-5)


def test_without_a_discount_one_policy_has_everything():
    problem = moo.get_problem("four-room:gamma=1")
    assert problem.oracle.front.tolist() == [[5.0, 5.0, 5.0]]


@pytest.mark.parametrize(("gamma", "longest"), [(0.99, 94), (1.0, 68)])
def test_the_longest_policy_of_the_front(gamma, longest):
    assert moo.get_problem("four-room", gamma=gamma, max_steps=longest).oracle is not None
    assert moo.get_problem("four-room", gamma=gamma, max_steps=longest - 1).oracle is None


def test_every_policy_is_better_than_the_reference_point():
    problem = moo.get_problem("four-room")
    assert hypervolume(torch.zeros(1, 3), problem.reference_point) > 0


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"gamma": 0.0}, ValueError, r"`gamma` should be in \(0, 1\]\. Found 0\.0\."),
        ({"gamma": 1.01}, ValueError, r"`gamma` should be in \(0, 1\]\. Found 1\.01\."),
        ({"max_steps": 0}, ValueError, r"`max_steps` should be at least 1\. Found 0\."),
        ({"max_steps": 2.5}, TypeError, r"`max_steps` should be a whole number\. Found 2\.5\."),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        moo.get_problem("four-room", **options)


@pytest.mark.parametrize(("action", "found"), [(-1, r"\[-1, 0\]"), (4, r"\[0, 4\]")])
def test_an_action_that_does_not_exist(action, found):
    problem = moo.get_problem("four-room")
    with pytest.raises(ValueError, match=rf"`actions` of four-room should be from 0 to 3\. Found {found}\."):
        problem.step(problem.reset(2), torch.tensor([0, action]))
