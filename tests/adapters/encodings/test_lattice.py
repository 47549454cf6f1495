import itertools

import pytest
import torch
from encoded_toys import Grid, Mixed, enumerate_objects, evaluated, front_of, lattice
from inputs import ToyConstruction, ToyVector

import moo
from moo.adapters.encodings import encode
from moo.base import Evaluation, Oracle
from moo.gflow.trajectories import uniform_objects
from moo.metered import metered
from moo.space import Space, integer, real


def test_every_lattice_point_is_reached_exactly_once():
    wrapped = lattice()
    objects = enumerate_objects(wrapped)
    assert set(objects.values()) == {1}
    assert set(objects) == set(itertools.product(range(5), range(3), range(3)))
    assert wrapped.size == 45
    rows = wrapped.original_solutions(torch.tensor(list(objects)))
    expected = itertools.product([-2.0, -1.0, 0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [0.0, 1.0, 2.0])
    assert sorted(rows.tolist()) == [list(row) for row in expected]


def test_values_are_those_of_the_decoded_rows():
    problem = Mixed()
    wrapped = lattice(problem, levels=7)
    states = uniform_objects(metered(wrapped, 1, 0), 100, torch.Generator().manual_seed(0))
    assert evaluated(wrapped, states) == evaluated(problem, wrapped.original_solutions(states))


def test_moves_and_masks():
    wrapped = lattice()
    state = torch.tensor([[-1, -1, -1], [4, -1, -1], [0, 2, -1], [3, 1, 0]])
    five, three, none = [True] * 5, [True] * 3 + [False] * 2, [False] * 5
    assert wrapped.action_mask(state).tolist() == [five, three, three, none]
    back = wrapped.backward_mask(state)
    assert (back.sum(dim=1).tolist(), back.int().argmax(dim=1).tolist()) == ([0, 1, 1, 1], [0, 4, 2, 0])
    actions = torch.tensor([2, 1, 2, 4])
    moved, done = wrapped.step(state, actions)
    assert moved.tolist() == [[2, -1, -1], [4, 1, -1], [0, 2, 2], [3, 1, 0]]
    assert done.tolist() == [False, False, True, True]
    assert torch.equal(wrapped.undo(moved, actions)[:3], state[:3])
    assert torch.equal(wrapped.start(2), torch.full((2, 3), -1))


def test_step_and_undo_are_each_others_inverse_and_every_step_adds_one_column():
    wrapped = lattice()
    state = wrapped.start(45)
    for place in range(3):
        mask = wrapped.action_mask(state)
        actions = torch.multinomial(mask.double(), 1, generator=torch.Generator().manual_seed(place)).squeeze(1)
        moved, done = wrapped.step(state, actions)
        assert ((moved >= 0).sum(dim=1) == place + 1).all()  # acyclic: the number of chosen columns grows
        assert wrapped.backward_mask(moved).gather(1, actions[:, None]).all()
        assert (wrapped.backward_mask(moved).sum(dim=1) == 1).all()
        assert torch.equal(wrapped.undo(moved, actions), state)
        assert (done == (place == 2)).all()
        state = moved


def check_features(problem):
    """Over all states: below their sizes, every size used up, and equal only for equal states."""
    layers = [problem.start(1)]
    while len(layers[-1]):
        state = layers[-1]
        rows, actions = torch.nonzero(problem.action_mask(state), as_tuple=True)
        moved, done = problem.step(state[rows], actions)
        layers[-1] = torch.cat([state, moved[done]])
        layers.append(moved[~done].unique(dim=0))
    states = torch.cat(layers).unique(dim=0)
    features = problem.features(states)
    assert features.dtype == torch.int64
    assert features.amin(dim=0).tolist() == [0] * features.shape[1]
    assert features.amax(dim=0).tolist() == [size - 1 for size in problem.feature_sizes]
    assert len(features.unique(dim=0)) == len(states)


def test_features_of_a_lattice():
    wrapped = lattice()
    check_features(wrapped)
    assert wrapped.feature_sizes == (6, 4, 4)
    assert wrapped.features(torch.tensor([[4, 0, -1]])).tolist() == [[5, 1, 0]]


def test_features_of_the_toys():
    check_features(Grid())
    check_features(ToyConstruction(length=1))
    assert ToyConstruction(length=4).feature_sizes == (5,) * 5


def test_bounds_are_levels_exactly():
    problem = ToyVector(dim=2)
    problem.space = Space((real(0.1, 0.7), real(-1e-3, 1e9)))
    rows = lattice(problem, 32).original_solutions(torch.tensor([[0, 0], [31, 31]]))
    assert rows.tolist() == [[0.1, -1e-3], [0.7, 1e9]]


def test_a_real_column_of_allowed_values_has_these_as_levels():
    problem = Mixed()
    problem.allowed = {0: (-2.0, -0.3, 0.1, 1.7)}
    wrapped = lattice(problem, levels=9)
    assert wrapped.levels.tolist() == [4, 3, 3]
    assert wrapped.original_solutions(torch.tensor([[1, 0, 0], [3, 2, 2]])).tolist() == [[-0.3, 1, 0], [1.7, 3, 2]]


def test_the_default_number_of_levels():
    assert encode(Mixed(), "construction").levels.tolist() == [32, 3, 3]


def test_a_state_as_a_person_reads_it():
    assert lattice().decode(torch.tensor([[0, 2, 1], [3, 0, 2]])) == [
        "x=-2.0, gears=3, colour=green",
        "x=1.0, gears=1, colour=blue",
    ]


def test_a_column_of_too_many_levels_is_refused():
    problem = ToyVector()
    problem.space = Space((integer(0, 2**30, "huge"), real(0, 1)))
    with pytest.raises(ValueError, match=r"at most 65536 levels. The integer column 'huge' has 1073741825: make it a"):
        encode(problem, "construction")


def test_an_unfinished_state_has_no_values():
    wrapped = lattice()
    with pytest.raises(ValueError, match=r"finished states of 'mixed-as-construction'.*Row 1 is \[1, 1, -1\]"):
        wrapped.evaluate(torch.tensor([[1, 1, 1], [1, 1, -1]]))
    with pytest.raises(ValueError, match=r"levels \[5, 3, 3\] less 1. Row 0 is \[1, 3, 1\]"):
        wrapped.decode(torch.tensor([[1, 3, 1]]))
    with pytest.raises(ValueError, match=r"`solutions` should have shape \[n, 3\]"):
        wrapped.original_solutions(torch.zeros(2, 4))


def test_what_was_really_evaluated_is_no_state():
    problem = Mixed()
    problem.evaluate = lambda solutions, generator=None: Evaluation(
        torch.zeros(len(solutions), 2), torch.zeros(len(solutions), 1), solutions=solutions.round()
    )
    assert lattice(problem).evaluate(torch.zeros(2, 3, dtype=torch.int64)).solutions is None


def test_the_lattice_front_is_exact():
    """Feasible rows only, in the problem's own directions, found by looking at all 45."""
    problem = Mixed()
    wrapped = lattice(problem)
    rows = wrapped.original_solutions(torch.tensor(list(enumerate_objects(wrapped))))
    given = problem.evaluate(rows)
    feasible = (given.constraints <= 0).all(dim=1)
    assert not feasible.all()
    assert sorted(wrapped.oracle.front.tolist()) == front_of(problem, given.objectives[feasible])
    assert wrapped.oracle is wrapped.oracle


@pytest.mark.parametrize("fails", ["nan", "raise", "flag", "constraints"])
def test_the_lattice_front_leaves_failed_rows_out(fails):
    problem = Mixed()
    wrapped = lattice(problem)
    rows = wrapped.original_solutions(torch.tensor(list(enumerate_objects(wrapped))))
    rows = rows[(rows[:, 0] >= 0) & (rows[:, 0] <= 1.5)]
    found = lattice(Mixed(fails)).oracle.front
    assert sorted(found.tolist()) == front_of(problem, problem.evaluate(rows).objectives)


def test_a_lattice_front_is_gathered_chunk_by_chunk(monkeypatch):
    whole = lattice(ToyVector(3, dim=3), 7).oracle.front
    monkeypatch.setattr("moo.adapters.encodings.lattice.CHUNK", 10)
    problem = ToyVector(3, dim=3)
    parts = lattice(problem, 7).oracle.front
    assert sorted(whole.tolist()) == sorted(parts.tolist())
    assert (max(problem.calls), sum(problem.calls)) == (10, 7**3)


def test_no_lattice_front_where_it_is_too_large_or_noisy():
    assert lattice(ToyVector(dim=5), 16).oracle is None  # 1,048,576 rows
    assert lattice(ToyVector(noise=0.1)).oracle is None


def test_a_finite_space_takes_the_front_that_its_problem_knows():
    problem = ToyVector(dim=30)
    problem.space = Space(tuple(integer(0, 1) for _ in range(30)))
    assert lattice(problem).oracle is None
    problem.oracle = Oracle(torch.tensor([[1.0, 2.0]]))
    assert lattice(problem).oracle is problem.oracle
    assert not problem.calls


def test_nothing_feasible_is_an_empty_front():
    assert lattice(ToyVector(infeasible=True)).oracle.front.shape == (0, 2)


@pytest.mark.parametrize("directions", [("min", "min"), ("max", "min")])
def test_random_search_finds_the_lattice_front(directions):
    problem = ToyVector(dim=2, directions=directions)
    wrapped = lattice(problem)
    result = moo.pareto_search(wrapped, "random", budget=400, progress=False)
    assert sorted(result.objectives.tolist()) == sorted(wrapped.oracle.front.tolist())
    assert torch.equal(problem.evaluate(wrapped.original_solutions(result.solutions)), result.objectives)
    assert result.solutions.dtype == torch.int64


@pytest.mark.parametrize("fails", ["", "nan", "raise", "flag"])
def test_constraints_and_failures_pass_through_a_search(fails):
    problem = Mixed(fails)
    wrapped = lattice(problem)
    result = moo.pareto_search(wrapped, "random", budget=300, progress=False)
    assert sorted(result.objectives.tolist()) == sorted(wrapped.oracle.front.tolist())
    assert (result.front.extras["constraints"] <= 0).all()
    assert (len(result.failures) > 0) == bool(fails)
    assert all(result.failures.extras["reason"]) if fails else True
    assert (wrapped.original_solutions(result.failures.solutions)[:, 0] < 0).all()
