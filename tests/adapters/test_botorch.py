"""BoTorch's test problems as ours: values, directions, constraint signs, noise and columns."""

import pickle

import pytest
import torch
from botorch.test_functions import multi_objective
from botorch.test_functions.base import ConstrainedBaseTestProblem, MultiObjectiveTestProblem
from botorch.test_functions.synthetic import Branin

import moo
from moo.adapters.botorch import FromBotorch

EVERY = {
    "branincurrin": multi_objective.BraninCurrin(),
    "dtlz7": multi_objective.DTLZ7(dim=5, num_objectives=3),
    "gmm": multi_objective.GMM(num_objectives=4),
    "toyrobust": multi_objective.ToyRobust(),
    "vehiclesafety": multi_objective.VehicleSafety(negate=True),
    "bnh": multi_objective.BNH(),
    "constr": multi_objective.CONSTR(),
    "constrainedbranincurrin": multi_objective.ConstrainedBraninCurrin(),
    "c2dtlz2": multi_objective.C2DTLZ2(dim=4, num_objectives=3),
    "discbrake": multi_objective.DiscBrake(negate=True),
    "mw7": multi_objective.MW7(dim=3),
    "osy": multi_objective.OSY(),
}


class Columns(MultiObjectiveTestProblem, ConstrainedBaseTestProblem):
    """A real, a whole and two categorical columns, the choices of the last being 2, 3 and 4."""

    dim = 4
    num_objectives = 2
    num_constraints = 1
    continuous_inds = [0]
    discrete_inds = [1]
    categorical_inds = [2, 3]
    _bounds = [(-1.0, 1.0), (-2.0, 2.0), (0.0, 1.0), (2.0, 4.0)]
    _ref_point = [5.0, 6.0]

    def __init__(self, deviation=None, limit_deviation=None, **options):
        super().__init__(noise_std=deviation, **options)
        self.constraint_noise_std = limit_deviation

    def _evaluate_true(self, X):
        self.seen = X
        return torch.stack([X[:, 0] + X[:, 1], X[:, 3]], dim=1)

    def _evaluate_slack_true(self, X):
        return X[:, :1]


def rows_of(problem, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return problem.space.from_unit(torch.rand(n, problem.space.dim, generator=generator, dtype=torch.float64))


@pytest.mark.parametrize("name", EVERY)
def test_values_are_theirs(name):
    theirs = EVERY[name]
    problem = FromBotorch(theirs)
    assert (problem.kind, problem.name, problem.num_objectives) == ("vector", name, theirs.num_objectives)
    assert problem.directions == ("max" if theirs.negate else "min",) * problem.num_objectives
    assert (problem.stochastic, problem.oracle, problem.reference_front) == (False, None, None)
    rows = rows_of(problem, 30)
    found = problem.evaluate(rows)
    if problem.num_constraints:
        assert torch.equal(found.constraints, -theirs.evaluate_slack(rows, noise=False))
        assert torch.equal((found.constraints <= 0).all(dim=1), theirs.is_feasible(rows))
        found = found.objectives
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, theirs(rows), rtol=0, atol=0, check_dtype=False)
    sign = -1 if theirs.negate else 1
    torch.testing.assert_close(found, sign * theirs.evaluate_true(rows), rtol=0, atol=0, check_dtype=False)


@pytest.mark.parametrize("name", EVERY)
def test_no_rows(name):
    problem = FromBotorch(EVERY[name])
    found = problem.evaluate(torch.empty(0, problem.space.dim))
    assert (found.objectives if problem.num_constraints else found).shape == (0, problem.num_objectives)
    if problem.num_constraints:
        assert found.constraints.shape == (0, problem.num_constraints)


def test_directions_and_reference_point_turn_together():
    plain = FromBotorch(multi_objective.BraninCurrin())
    turned = FromBotorch(multi_objective.BraninCurrin(negate=True))
    assert (plain.directions, turned.directions) == (("min", "min"), ("max", "max"))
    assert (plain.reference_point.tolist(), turned.reference_point.tolist()) == ([18, 6], [-18, -6])
    rows = rows_of(plain, 9)
    assert torch.equal(plain.evaluate(rows), -turned.evaluate(rows))


def test_placeholders_are_no_reference_points():
    assert FromBotorch(multi_objective.BNH()).reference_point is None
    assert FromBotorch(multi_objective.SRN()).reference_point is None


def test_columns_of_every_kind():
    theirs = Columns()
    problem = FromBotorch(theirs)
    assert [column.kind for column in problem.space.columns] == ["real", "integer", "categorical", "categorical"]
    assert [column.choices for column in problem.space.columns] == [(), (), (0, 1), (2, 3, 4)]
    assert problem.space.names == ("x1", "x2", "x3", "x4")
    found = problem.evaluate(torch.tensor([[0.5, -2, 1, 0], [-0.5, 2, 0, 2]]))
    assert theirs.seen.tolist() == [[0.5, -2, 1, 2], [-0.5, 2, 0, 4]]
    assert found.objectives.tolist() == [[-1.5, 2], [1.5, 4]]
    assert found.constraints.tolist() == [[-0.5], [0.5]]  # a slack of 0.5 is feasible


def test_noise_comes_from_the_generator_alone():
    quiet = FromBotorch(Columns())
    noisy = FromBotorch(Columns(0.5, 0.25))
    rows = rows_of(quiet, 4000)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first, again = (noisy.evaluate(rows, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert noisy.stochastic
    assert torch.equal(first.objectives, again.objectives)
    assert torch.equal(first.constraints, again.constraints)
    true = quiet.evaluate(rows)
    errors = first.objectives - true.objectives
    assert (errors.std(dim=0) - 0.5).abs().max() < 0.03
    assert abs(float((first.constraints - true.constraints).std()) - 0.25) < 0.02
    assert errors.mean(dim=0).abs().max() < 0.05


def test_each_objective_can_have_its_own_noise():
    quiet, noisy = FromBotorch(Columns(negate=True)), FromBotorch(Columns([0.5, 0.0], negate=True))
    rows = rows_of(quiet, 4000)
    found = noisy.evaluate(rows, torch.Generator().manual_seed(0))
    errors = found.objectives - quiet.evaluate(rows).objectives
    assert abs(float(errors[:, 0].std()) - 0.5) < 0.03
    assert (errors[:, 1] == 0).all()
    assert torch.equal(found.constraints, quiet.evaluate(rows).constraints)
    assert not FromBotorch(Columns([0.0, 0.0])).stochastic


def test_single_precision_problems():
    problem = FromBotorch(multi_objective.VehicleSafety(dtype=torch.float32))
    assert problem.space.lower.dtype == problem.evaluate(rows_of(problem, 2)).dtype == torch.float64


def test_pickled_it_is_the_same():
    problem = FromBotorch(EVERY["discbrake"])
    copy = pickle.loads(pickle.dumps(problem))
    rows = rows_of(problem, 4)
    assert torch.equal(copy.evaluate(rows).objectives, problem.evaluate(rows).objectives)


def test_a_search_runs_on_it():
    problem = FromBotorch(Columns(0.1))
    result = moo.pareto_search(problem, "random", budget=40, reevaluations=0, progress=False)
    assert result.feasible
    assert set(result.solutions[:, 3].tolist()) <= {0.0, 1.0, 2.0}


def test_errors():
    with pytest.raises(
        TypeError, match=r"`problem` should be a BoTorch MultiObjectiveTestProblem, made\. Found Branin\."
    ):
        FromBotorch(Branin())
    with pytest.raises(TypeError, match=r"Found the class BraninCurrin\."):
        FromBotorch(multi_objective.BraninCurrin)
    with pytest.raises(
        ValueError, match=r"`noise_std` of a BoTorch problem should be at least 0 and finite\. Found -1"
    ):
        FromBotorch(multi_objective.BraninCurrin(noise_std=-1.0))
    with pytest.raises(ValueError, match=r"`constraint_noise_std` of a BoTorch problem .* Found nan"):
        FromBotorch(Columns(limit_deviation=float("nan")))
    with pytest.raises(ValueError, match=r"`generator` should be a torch\.Generator: columns with noise=0\.5 draws"):
        FromBotorch(Columns(0.5)).evaluate(torch.tensor([[0.0, 0.0, 0.0, 0.0]]))
    with pytest.raises(ValueError, match=r"`solutions` should have shape \[n, 2\]"):
        FromBotorch(EVERY["bnh"]).evaluate(torch.zeros(1, 3))
