"""The knapsack problem by hand, against enumeration, and its instances."""

import itertools
import pickle

import pytest
import torch

from moo.dominance import non_dominated
from moo.problems import get_problem
from moo.problems.knapsack import MOKP, exact_front


def every_row(items):
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=items)), dtype=torch.float64)


def test_values_by_hand():
    problem = MOKP(3)
    problem.profits = torch.tensor([[10, 20], [30, 15], [50, 99]], dtype=torch.float64)
    problem.weights = torch.tensor([[10, 40], [20, 30], [30, 10]], dtype=torch.float64)
    problem.capacities = torch.tensor([30, 40], dtype=torch.float64)
    found = problem.evaluate(torch.tensor([[1, 0, 1], [0, 0, 1], [0, 0, 0]]))
    assert found.objectives.tolist() == [[60, 119], [50, 99], [0, 0]]
    assert found.constraints.tolist() == [[10, 10], [0, -30], [-30, -40]]
    assert (found.constraints <= 0).all(dim=1).tolist() == [False, True, True]


@pytest.mark.parametrize(("items", "m"), [(2, 2), (9, 2), (12, 2), (10, 3), (8, 5)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_front_is_that_of_enumeration(items, m, seed):
    problem = MOKP(items, m, seed)
    found = problem.evaluate(every_row(items))
    profits = found.objectives[(found.constraints <= 0).all(dim=1)]
    best = profits[non_dominated(profits)]
    assert {tuple(row) for row in best.tolist()} == {tuple(row) for row in problem.oracle.front.tolist()}
    assert len(problem.oracle.front) == len(best)


def test_a_front_of_thirty_items():
    problem = MOKP(30)
    front = problem.oracle.front
    assert non_dominated(front).all()
    assert (front.diff(dim=0)[:, 0] > 0).all()
    stream = torch.Generator().manual_seed(0)
    found = problem.evaluate((torch.rand(20_000, 30, generator=stream) < 0.5).double())
    profits = found.objectives[(found.constraints <= 0).all(dim=1)]
    assert len(profits) > 1000
    assert not ((profits[:, None] >= front).all(dim=-1) & (profits[:, None] > front).any(dim=-1)).any()


def test_exact_front_of_a_knapsack_that_holds_nothing():
    none = exact_front(torch.ones(3, 2), torch.full((3, 2), 5.0), torch.full((2,), 4.0))
    assert none.tolist() == [[0, 0]]


def test_instances():
    problem = MOKP()
    assert (problem.kind, problem.name, problem.unit, problem.stochastic) == ("vector", "mokp", "evaluations", False)
    assert (problem.space.dim, problem.space.kinds, problem.num_constraints) == (250, {"integer"}, 2)
    assert (problem.directions, problem.objective_names) == (("max", "max"), ("profit 1", "profit 2"))
    for drawn in (problem.profits, problem.weights):
        assert drawn.shape == (250, 2)
        assert torch.equal(drawn, drawn.round())
        assert (drawn.min(), drawn.max()) == (10, 100)
        assert abs(float(drawn.mean()) - 55) < 5
    assert torch.equal(problem.capacities, problem.weights.sum(dim=0) / 2)
    assert torch.equal(MOKP(250, 2, 0).profits, problem.profits)
    assert not torch.equal(MOKP(250, 2, 1).profits, problem.profits)
    assert MOKP(4).profits.tolist() == [[76, 31], [35, 80], [57, 15], [17, 50]]  # the same on every machine


def test_reference_points():
    small = MOKP(12)
    front = small.oracle.front
    assert small.reference_front is front
    expected = front.amin(dim=0) - 0.1 * (front.amax(dim=0) - front.amin(dim=0))
    torch.testing.assert_close(small.reference_point, expected)
    assert (small.reference_point < front).all()
    large = MOKP(31)
    assert large.oracle is large.reference_front is None
    assert large.reference_point.tolist() == [0, 0]
    assert [MOKP(21, 3).oracle, MOKP(16, 4).oracle] == [None, None]
    single = MOKP(2)
    assert (single.reference_point < single.oracle.front).all()


def test_shapes():
    problem = MOKP(6, 3)
    rows = every_row(6)[:5]
    found = problem.evaluate(rows)
    assert (found.objectives.shape, found.constraints.shape) == ((5, 3), (5, 3))
    none = problem.evaluate(rows[:0])
    assert (none.objectives.shape, none.constraints.shape) == ((0, 3), (0, 3))
    for i in range(5):
        assert torch.equal(problem.evaluate(rows[i : i + 1]).objectives, found.objectives[i : i + 1])


def test_made_and_made_again_from_the_name():
    problem = get_problem("mokp:items=40,num_objectives=3,seed=7")
    again = get_problem(problem.spec)
    assert problem.spec == "mokp:items=40,num_objectives=3,seed=7"
    assert torch.equal(again.weights, problem.weights)


def test_pickled_it_is_the_same():
    problem = MOKP(10)
    copy = pickle.loads(pickle.dumps(problem))
    assert torch.equal(copy.oracle.front, problem.oracle.front)
    assert torch.equal(copy.evaluate(every_row(10)).constraints, problem.evaluate(every_row(10)).constraints)


def test_errors():
    with pytest.raises(ValueError, match=r"`items` should be at least 2\. Found 1\."):
        MOKP(1)
    with pytest.raises(ValueError, match=r"`num_objectives` should be at least 2\. Found 1\."):
        MOKP(5, 1)
    with pytest.raises(ValueError, match=r"`seed` should be at least 0\. Found -1\."):
        MOKP(5, 2, -1)
    with pytest.raises(TypeError, match=r"`items` should be a whole number\. Found 'many'\."):
        MOKP("many")
    with pytest.raises(ValueError, match=r"`solutions` should have shape \[n, 5\]\. Found \[1, 4\]"):
        MOKP(5).evaluate(torch.zeros(1, 4))
