import math

import numpy as np
import pytest
import torch

import moo
from moo.gflow.trajectories import follow, take_apart
from moo.indicators import hypervolume

FRONTS = {  # points and hypervolume over 0, from an independent enumeration
    "branin+currin": (36, 0.9821),
    "branin+shubert": (14, 0.8838),
    "branin+beale": (44, 0.8067),
    "currin+shubert": (32, 0.7349),
    "currin+beale": (8, 0.8979),
    "shubert+beale": (22, 0.6859),
    "branin+currin+shubert": (104, 0.6821),
    "branin+currin+beale": (229, 0.7632),
    "branin+shubert+beale": (147, 0.5475),
    "currin+shubert+beale": (127, 0.5326),
    "branin+currin+shubert+beale": (372, 0.4493),
}


def literal(name, x, y):
    """The five functions of a point in [-1, 1]^2, written out."""
    u, v = (x + 1) / 2, (y + 1) / 2
    if name == "branin":
        a, b = 15 * u - 5, 15 * v
        first = (b - 5.1 * a * a / (4 * math.pi**2) + 5 * a / math.pi - 6) ** 2
        return 1 - (first + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10) / 308.13
    if name == "currin":
        above = 2300 * u**3 + 1900 * u**2 + 2092 * u + 60
        return (1 - math.exp(-1 / (2 * v + 1e-10))) * above / (100 * u**3 + 500 * u**2 + 4 * u + 20) / 13.77
    if name == "shubert":
        product = 1.0
        for z in (-1.5 * x, -1.5 * y):
            product *= sum(j * math.cos((j + 1) * z + j) for j in range(1, 6))
        return (product + 186.8) / 397
    if name == "beale":
        return sum((c - x + x * y**k) ** 2 for c, k in ((1.5, 1), (2.25, 2), (2.625, 3))) / 38.8
    return (x * x + y * y) / 2


@pytest.mark.parametrize("name", ["branin", "currin", "shubert", "beale", "sphere"])
def test_objectives_at_every_cell(name):
    other = "sphere" if name != "sphere" else "beale"
    problem = moo.get_problem("hypergrid", objectives=(name, other), height=32)
    states = problem.oracle.draw(torch.arange(1023), torch.Generator())
    points = 2 * states[:, :2].double() / 31 - 1
    expected = [literal(name, x, y) for x, y in points.tolist()]
    np.testing.assert_allclose(problem.evaluate(states)[:, 0], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("objectives", FRONTS)
def test_the_exact_front(objectives):
    problem = moo.get_problem(f"hypergrid:objectives={objectives}")
    points, volume = FRONTS[objectives]
    assert len(problem.oracle.objectives) == 1023
    assert len(problem.oracle.front) == points
    assert hypervolume(problem.oracle.front, problem.reference_point) == pytest.approx(volume, abs=5e-5)


def everything(problem):
    """All finished states that some trajectory reaches, by breadth-first search."""
    state, found = problem.start(1), []
    while len(state):
        row, action = torch.nonzero(problem.action_mask(state), as_tuple=True)
        moved, done = problem.step(state[row], action)
        found.append(moved[done])
        state = moved[~done].unique(dim=0)
    return torch.cat(found).unique(dim=0)


@pytest.mark.parametrize(("height", "dim"), [(2, 2), (5, 2), (4, 3), (3, 4)])
def test_the_oracle_lists_exactly_the_objects_that_can_be_built(height, dim):
    problem = moo.get_problem("hypergrid", height=height, dim=dim)
    reached = everything(problem)
    assert torch.equal(reached, problem.oracle.draw(torch.arange(len(problem.oracle.objectives)), torch.Generator()))
    assert torch.equal(problem.oracle.index(reached), torch.arange(len(reached)))
    assert torch.equal(problem.encode(reached[:, :-1].tolist()), reached)


@pytest.mark.parametrize(("height", "dim"), [(5, 2), (4, 3)])
def test_undo_is_the_inverse_of_every_step_and_masks_agree(height, dim):
    problem = moo.get_problem("hypergrid", height=height, dim=dim)
    parents = {}
    state = problem.start(1)
    while len(state):
        row, action = torch.nonzero(problem.action_mask(state), as_tuple=True)
        moved, done = problem.step(state[row], action)
        assert torch.equal(problem.undo(moved, action), state[row])
        for to, a in zip(moved.tolist(), action.tolist(), strict=True):
            parents.setdefault(tuple(to), set()).add(a)
        state = moved[~done].unique(dim=0)
    for to, actions in parents.items():
        mask = problem.backward_mask(torch.tensor([to]))[0]
        assert set(torch.nonzero(mask).flatten().tolist()) == actions, to
    assert not problem.backward_mask(problem.start(1)).any()


def test_the_longest_trajectory_is_max_steps_long():
    problem = moo.get_problem("hypergrid", height=4, dim=3)
    drawn = follow(problem, 20_000, None, torch.Generator().manual_seed(0))
    assert drawn.lengths.max() == problem.max_steps == 7
    back = take_apart(problem, drawn.objects, torch.Generator().manual_seed(1))
    assert torch.equal(back.lengths, drawn.lengths)


def test_finished_states_stay_as_they_are():
    problem = moo.get_problem("hypergrid:height=4")
    states = problem.oracle.draw(torch.arange(15), torch.Generator())
    for action in range(3):
        moved, done = problem.step(states, torch.full((15,), action))
        assert torch.equal(moved, states)
        assert done.all()
    assert not problem.action_mask(states).any()


def test_a_grid_too_large_to_list_has_no_oracle():
    assert moo.get_problem("hypergrid", height=32, dim=5).oracle is None


def test_decode():
    problem = moo.get_problem("hypergrid")
    assert problem.decode(problem.encode([[3, 17], [31, 0]])) == ["(3, 17)", "(31, 0)"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objectives": ("branin",)}, r"`objectives` should be at least two different ones of .* Found \['branin'\]"),
        ({"objectives": ("branin", "branin")}, "at least two different"),
        ({"objectives": ("branin", "curin")}, "'curin'.*currin"),
        ({"objectives": "branin"}, "at least two different"),
        ({"height": 1}, "`height` should be .* Found 1"),
        ({"dim": 1}, "`dim` should be .* Found 1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        moo.get_problem("hypergrid", **options)


def test_cells_outside_the_grid_are_refused():
    problem = moo.get_problem("hypergrid:height=4")
    with pytest.raises(ValueError, match=r"coordinates from 0 to 3. Row 1 is \[4.0, 0.0, 1.0\]"):
        problem.evaluate(torch.tensor([[0, 0, 1], [4, 0, 1]]))
    with pytest.raises(ValueError, match="solutions"):
        problem.evaluate(torch.tensor([[0, 0]]))
