import pickle

import numpy as np
import pymoo.problems
import pytest
import torch
from inputs import ToyVector
from pymoo.core.problem import ElementwiseProblem, Problem
from pymoo.core.variable import Binary, Choice, Integer, Real, Variable
from pymoo.util.remote import Remote

import moo
from moo.adapters.pymoo import FromPymoo, ToPymoo
from moo.metered import metered


@pytest.mark.parametrize("name", ["zdt1", "zdt4", "dtlz2", "dtlz7:num_objectives=4"])
def test_values_are_ours_minimised(name):
    problem = moo.get_problem(name)
    x = np.random.default_rng(0).random((7, problem.space.dim))
    x = problem.space.lower.numpy() + x * (problem.space.upper - problem.space.lower).numpy()
    assert np.array_equal(ToPymoo(problem).evaluate(x), problem.evaluate(torch.from_numpy(x)).numpy())


def test_maximised_objectives_change_sign_and_constraints_do_not():
    plain, turned = ToyVector(constrained=True), ToyVector(constrained=True, directions=("max", "min"))
    x = np.random.default_rng(0).random((5, 3))
    for problem in (plain, turned):
        values = ToPymoo(problem).evaluate(x, return_as_dictionary=True)
        assert np.allclose(values["F"], plain.evaluate(torch.from_numpy(x)).objectives.numpy())
        assert np.array_equal(values["G"], plain.evaluate(torch.from_numpy(x)).constraints.numpy())
    assert (ToPymoo(plain).n_ieq_constr, ToPymoo(plain).n_var, ToPymoo(plain).n_obj) == (2, 3, 2)


def test_whole_columns_are_rounded_inside():
    wrapped = ToPymoo(ToyVector(mixed=True))
    assert np.array_equal(wrapped.evaluate(np.array([[0.1, 0.2, 1.6]])), wrapped.evaluate(np.array([[0.1, 0.2, 2.0]])))


# ------------------------------------------------------------------------------------------------------- FromPymoo
class Elementwise(ElementwiseProblem):
    """Two inequality constraints and one equation, row by row."""

    def __init__(self, **options):
        super().__init__(
            n_var=2, n_obj=2, n_ieq_constr=2, n_eq_constr=1, xl=np.zeros(2), xu=np.array([1.0, 2.0]), **options
        )

    def _evaluate(self, x, out, *args, **kwargs):
        if x[0] > 0.9:
            raise ArithmeticError("the simulator crashed")
        out["F"] = [x[0], np.nan if x[0] < 0.1 else x[1]]
        out["G"] = [x[0] - 0.5, x[1] - 1.5]
        out["H"] = [x[0] - 0.25]


class Whole(Problem):
    """Remembers what type of rows it was given, and writes into them."""

    def __init__(self, vtype):
        super().__init__(n_var=3, n_obj=2, xl=-2, xu=5, vtype=vtype)

    def _evaluate(self, x, out, *args, **kwargs):
        self.seen = x.copy()
        out["F"] = np.column_stack([x.sum(axis=1), (~x if x.dtype == bool else -x).sum(axis=1)])
        x[:] = 0


class Mixed(ElementwiseProblem):
    def __init__(self, **variables):
        self.seen = []
        variables = variables or {
            "length": Real(bounds=(0.5, 2.0)),
            "bolts": Integer(bounds=(-1, 3)),
            "welded": Binary(),
            "material": Choice(options=["steel", "brass", np.int64(7)]),
        }
        super().__init__(vars=variables, n_obj=2)

    def _evaluate(self, x, out, *args, **kwargs):
        self.seen.append(x)
        out["F"] = [x["length"] * x["bolts"], float(x["welded"]) + len(str(x["material"]))]


def test_pymoo_vectorised_values_and_constraints():
    theirs = pymoo.problems.get_problem("bnh")
    problem = FromPymoo(theirs)
    assert (problem.kind, problem.name, problem.num_objectives, problem.num_constraints) == ("vector", "bnh", 2, 2)
    assert (problem.directions, problem.objective_names) == (("min", "min"), ("f1", "f2"))
    assert (problem.stochastic, problem.reference_point, problem.oracle) == (False, None, None)
    assert problem.space.to_json()[1] == {"kind": "real", "low": 0, "high": 3, "choices": [], "name": "x2", "unit": ""}
    rows = problem.space.from_unit(torch.rand(50, 2, dtype=torch.float64))
    found, expected = problem.evaluate(rows), theirs.evaluate(rows.numpy(), return_as_dictionary=True)
    assert np.array_equal(found.objectives.numpy(), expected["F"])
    assert np.array_equal(found.constraints.numpy(), expected["G"])
    limits = problem.evaluate(torch.tensor([[1.0, 1.0], [0.0, 3.0]])).constraints
    assert (limits <= 0).all(dim=1).tolist() == [True, False]  # (0, 3) lies outside the circle around (5, 0)


@pytest.mark.parametrize("name", ["zdt4", "dtlz7", "osy", "mw14", "c1dtlz3", "truss2d"])
def test_there_and_back_again(name):
    theirs = pymoo.problems.get_problem(name)
    back = ToPymoo(FromPymoo(theirs))
    x = theirs.xl + np.random.default_rng(0).random((20, theirs.n_var)) * (theirs.xu - theirs.xl)
    found = back.evaluate(x, return_as_dictionary=True)
    expected = theirs.evaluate(x, return_as_dictionary=True)
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert np.array_equal(found[key], values)


def test_pymoo_elementwise_rows_equations_and_failures():
    problem = FromPymoo(Elementwise())
    assert problem.num_constraints == 3
    found = problem.evaluate(torch.tensor([[0.25, 1.0], [0.5, 2.0], [0.05, 1.0]]))
    expected = [[-0.25, -0.5, -1e-4], [0.0, 0.5, 0.25 - 1e-4], [-0.45, -0.5, 0.2 - 1e-4]]
    np.testing.assert_allclose(found.constraints, expected, atol=1e-15)
    assert found.objectives.isnan().tolist() == [[False, False], [False, False], [False, True]]
    meter = metered(problem, 10, 0)
    told = meter.evaluate(torch.tensor([[0.25, 1.0], [0.95, 1.0], [0.05, 1.0]]))
    assert told.failed.tolist() == [False, True, True]
    assert "the simulator crashed" in told.extras["reason"][1]


@pytest.mark.parametrize("problem", [Elementwise(), Whole(int), Mixed(), pymoo.problems.get_problem("mw8")])
def test_pymoo_no_rows(problem):
    ours = FromPymoo(problem)
    found = ours.evaluate(torch.empty(0, ours.space.dim))
    assert (found.objectives if ours.num_constraints else found).shape == (0, ours.num_objectives)
    if ours.num_constraints:
        assert found.constraints.shape == (0, ours.num_constraints)


def test_pymoo_whole_and_boolean_columns():
    rows = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.4]])
    for vtype, low, high, dtype in ((int, -2, 5, np.int64), (np.int32, -2, 5, np.int64), (bool, 0, 1, bool)):
        theirs = Whole(vtype)
        problem = FromPymoo(theirs)
        assert problem.space.kinds == {"integer"}
        assert (problem.space.lower.tolist(), problem.space.upper.tolist()) == ([low] * 3, [high] * 3)
        given = rows.clone()
        problem.evaluate(given)
        assert theirs.seen.dtype == dtype
        assert theirs.seen.tolist() == [[0, 1, 1], [1, 0, 0]]
        assert torch.equal(given, rows)
    assert FromPymoo(Whole(None)).space.kinds == {"real"}


def test_pymoo_mixed_variables():
    theirs = Mixed()
    problem = FromPymoo(theirs)
    assert problem.space.names == ("length", "bolts", "welded", "material")
    assert [column.kind for column in problem.space.columns] == ["real", "integer", "integer", "categorical"]
    assert problem.space.columns[3].choices == ("steel", "brass", 7)
    found = problem.evaluate(torch.tensor([[1.5, 2, 1, 0], [0.5, -1, 0, 2]]))
    assert found.tolist() == [[3.0, 6.0], [-0.5, 1.0]]
    assert theirs.seen == [
        {"length": 1.5, "bolts": 2, "welded": True, "material": "steel"},
        {"length": 0.5, "bolts": -1, "welded": False, "material": 7},
    ]
    assert [type(value) for value in theirs.seen[0].values()] == [float, int, bool, str]
    for method in ("random", "nsga2"):
        result = moo.pareto_search(problem, method, budget=30, reevaluations=0, progress=False)
        assert len(result.front)


def test_pymoo_fronts():
    curve = FromPymoo(pymoo.problems.get_problem("zdt1")).reference_front
    torch.testing.assert_close(curve[:, 1], 1 - curve[:, 0].sqrt())
    assert FromPymoo(Elementwise()).reference_front is None
    assert FromPymoo(pymoo.problems.get_problem("wfg1", n_var=6, n_obj=2)).reference_front is None  # drawn at random


@pytest.mark.parametrize("name", ["mw5", "tnk", "osy", "dtlz7", "ctp1", "kursawe"])
def test_pymoo_fronts_are_never_downloaded(name, monkeypatch):
    def reached(*_, **__):
        raise AssertionError("the network was reached")

    monkeypatch.setattr("urllib.request.urlretrieve", reached)
    load = Remote.load
    assert FromPymoo(pymoo.problems.get_problem(name)).reference_front is None
    assert Remote.load is load


def test_a_front_that_cannot_be_had_is_none():
    class Broken(Elementwise):
        def _calc_pareto_front(self):
            raise OSError("no such file")

    class Wide(Elementwise):
        def _calc_pareto_front(self):
            return np.ones((4, 3))

    class Dominated(Elementwise):
        def _calc_pareto_front(self):
            return np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])

    assert FromPymoo(Broken()).reference_front is None
    assert FromPymoo(Wide()).reference_front is None
    assert FromPymoo(Dominated()).reference_front.tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_from_pymoo_pickled_it_is_the_same():
    problem = FromPymoo(pymoo.problems.get_problem("mw7"))
    copy = pickle.loads(pickle.dumps(problem))
    rows = torch.rand(4, 15, dtype=torch.float64)
    assert torch.equal(copy.evaluate(rows).objectives, problem.evaluate(rows).objectives)


def test_from_pymoo_errors():
    with pytest.raises(TypeError, match=r"`problem` should be a pymoo Problem, made, not its class\. Found str\."):
        FromPymoo("zdt1")
    with pytest.raises(TypeError, match=r"not its class\. Found the class Elementwise\."):
        FromPymoo(Elementwise)
    message = r"a finite bound for each of its 3 variables: set `xl` and `xu` of Problem\. Found "
    with pytest.raises(ValueError, match=message + "xl = None"):
        FromPymoo(Problem(n_var=3, n_obj=2))
    with pytest.raises(ValueError, match=message + r"xu = \[1\.0, inf, 1\.0\]"):
        FromPymoo(Problem(n_var=3, n_obj=2, xl=0, xu=np.array([1, np.inf, 1])))
    with pytest.raises(ValueError, match=message + r"xu = \[1\.0, 1\.0\]"):
        FromPymoo(Problem(n_var=3, n_obj=2, xl=0, xu=np.ones(2)))
    with pytest.raises(ValueError, match=r"variable 'a' of a pymoo problem should have finite bounds: set `bounds=`"):
        FromPymoo(Mixed(a=Real()))
    with pytest.raises(
        TypeError, match=r"'a' of a pymoo problem should be Real, Integer, Binary or Choice\. Found Var"
    ):
        FromPymoo(Mixed(a=Variable()))
    with pytest.raises(ValueError, match=r"`solutions` should have shape \[n, 2\]\. Found \[1, 3\]"):
        FromPymoo(Elementwise()).evaluate(torch.zeros(1, 3))
