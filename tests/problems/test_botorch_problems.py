"""The problems from BoTorch: against BoTorch, pymoo and the RE suite, and their fronts against fine grids."""

import inspect
import math
import pickle

import numpy as np
import pymoo.problems
import pytest
import torch
from botorch.test_functions import multi_objective

from moo.adapters.botorch import FromBotorch
from moo.dominance import non_dominated
from moo.problems import PROBLEMS, botorch_problems, get_problem
from moo.problems.botorch_problems import BNH, OSY, SRN, ConstrEx

NAMES = [name for name, target in PROBLEMS.items() if ":" in target and "botorch_problems" in target]
KNOWN = [BNH, ConstrEx, SRN, OSY]
SAME = {  # as BoTorch has them, values, bounds and reference point
    "branin-currin": "BraninCurrin",
    "constrained-branin-currin": "ConstrainedBraninCurrin",
    "vehicle-safety": "VehicleSafety",
    "car-side-impact": "CarSideImpact",
    "penicillin": "Penicillin",
    "gmm": "GMM",
    "disc-brake": "DiscBrake",
}

every = pytest.mark.parametrize("name", NAMES)
every_known = pytest.mark.parametrize("make", KNOWN, ids=lambda make: make.__name__)


def random_rows(problem, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return problem.space.from_unit(torch.rand(n, problem.space.dim, generator=generator, dtype=torch.float64))


def parts(problem, rows):
    """Objectives and constraints."""
    found = problem.evaluate(rows)
    return (found.objectives, found.constraints) if problem.num_constraints else (found, None)


# ------------------------------------------------------------------------------------------------------- values
def test_every_class_is_registered():
    classes = {
        name
        for name, made in inspect.getmembers(botorch_problems, inspect.isclass)
        if made.__module__ == botorch_problems.__name__ and not name.startswith("_")
    }
    assert classes == {PROBLEMS[name].partition(":")[2] for name in NAMES}
    assert len(NAMES) == 12


@pytest.mark.parametrize("name", SAME)
def test_values_are_botorchs(name):
    problem, theirs = get_problem(name), FromBotorch(getattr(multi_objective, SAME[name])())
    rows = random_rows(problem, 20)
    assert problem.space == theirs.space
    for ours, other in zip(parts(problem, rows), parts(theirs, rows), strict=True):
        assert ours is other is None or torch.equal(ours, other)
    assert torch.equal(problem.reference_point, theirs.reference_point)
    assert problem.reference_front is problem.oracle is None


@pytest.mark.parametrize("name", ["bnh", "srn", "osy", "welded-beam"])
def test_values_and_feasibility_are_pymoos(name):
    problem, theirs = get_problem(name), pymoo.problems.get_problem(name.replace("-", "_"))
    rows = random_rows(problem, 2000)
    expected = theirs.evaluate(rows.numpy(), return_as_dictionary=True)
    objectives, constraints = parts(problem, rows)
    np.testing.assert_allclose(objectives.numpy(), expected["F"], rtol=1e-12)
    scale = np.abs(expected["G"]).max(axis=0) / constraints.abs().amax(dim=0).numpy()  # pymoo divides some
    np.testing.assert_allclose(constraints.numpy() * scale, expected["G"], rtol=1e-9, atol=1e-9)
    assert np.array_equal(problem.space.lower.numpy(), theirs.xl * np.ones(problem.space.dim))
    assert np.array_equal(problem.space.upper.numpy(), theirs.xu * np.ones(problem.space.dim))


@pytest.mark.parametrize(
    ("name", "suite"), [("vehicle-safety", "re34"), ("car-side-impact", "re41"), ("disc-brake", "cre23")]
)
def test_values_are_those_of_the_real_world_suite(name, suite):
    problem, other = get_problem(name), get_problem(suite)
    rows = random_rows(problem, 200)
    for ours, theirs in zip(parts(problem, rows), parts(other, rows), strict=True):
        assert ours is theirs is None or torch.allclose(ours, theirs, rtol=1e-12, atol=1e-10)


def test_the_other_welded_beam_has_the_same_objectives_alone():
    problem, other = get_problem("welded-beam"), get_problem("cre22")
    rows = random_rows(problem, 200)
    torch.testing.assert_close(parts(problem, rows)[0], parts(other, rows)[0])
    assert not torch.allclose(parts(problem, rows)[1][:, 0] * 13_600, parts(other, rows)[1][:, 0])


@pytest.mark.parametrize(
    ("name", "feasible", "infeasible"),
    [
        ("constrained-branin-currin", [0.5, 0.5], [0.0, 0.0]),
        ("disc-brake", [60.0, 85.0, 2900.0, 12.0], [70.0, 75.0, 2900.0, 12.0]),
        ("welded-beam", [0.5, 5.0, 9.0, 1.0], [0.2, 0.5, 1.0, 0.2]),  # a stout one and a thin one
        ("bnh", [1.0, 1.0], [0.0, 3.0]),
        ("constr-ex", [0.8, 0.5], [0.2, 0.5]),
        ("srn", [-2.5, 10.0], [10.0, 0.0]),
        ("osy", [5.0, 1.0, 2.0, 0.0, 1.0, 0.0], [0.0, 0.0, 2.0, 0.0, 1.0, 0.0]),
    ],
)
def test_constraint_signs(name, feasible, infeasible):
    limits = get_problem(name).evaluate(torch.tensor([feasible, infeasible])).constraints
    assert (limits <= 0).all(dim=1).tolist() == [True, False]


def test_botorchs_welded_beam_has_the_wrong_sign():
    """If this fails, BoTorch has been put right: drop the turned sign."""
    row = torch.tensor([[0.5, 5.0, 9.0, 1.0]], dtype=torch.float64)
    assert not multi_objective.WeldedBeam().is_feasible(row)


def test_botorchs_srn_is_another_problem():
    row = torch.tensor([[-2.5, 10.0]], dtype=torch.float64)
    theirs = multi_objective.SRN()
    assert not theirs.is_feasible(row)
    assert float(theirs(row)[0, 0] - SRN().evaluate(row).objectives[0, 0]) == 64 - 81


@every
def test_shapes_and_contract(name):
    problem = get_problem(name)
    rows = random_rows(problem, 3)
    objectives, constraints = parts(problem, rows)
    m = problem.num_objectives
    assert (problem.kind, problem.name, problem.spec, problem.stochastic) == ("vector", name, name, False)
    assert (objectives.shape, objectives.dtype) == ((3, m), torch.float64)
    assert (problem.directions, len(problem.objective_names)) == (("min",) * m, m)
    assert constraints is None or constraints.shape == (3, problem.num_constraints)
    assert parts(problem, rows[:0])[0].shape == (0, m)
    torch.testing.assert_close(parts(problem, rows[1:2])[0], objectives[1:2], rtol=1e-12, atol=1e-12)
    assert problem.reference_point.shape == (m,)


@every
def test_made_and_made_again_from_the_name(name):
    problem = get_problem(name, noise=0.25)
    assert problem.spec == f"{name}:noise=0.25"
    again = get_problem(problem.spec)
    assert again.stochastic
    rows = random_rows(problem, 3)
    found = parts(get_problem(name), rows)[0]
    noisy = [each.evaluate(rows, torch.Generator().manual_seed(0)) for each in (problem, again)]
    values = [each.objectives if problem.num_constraints else each for each in noisy]
    assert torch.equal(*values)
    assert 0 < (values[0] - found).abs().max() < 2
    with pytest.raises(ValueError, match=rf"{name} with noise=0\.25 draws its noise from it"):
        problem.evaluate(rows)


@every
def test_pickled_it_is_the_same(name):
    problem = get_problem(name)
    copy = pickle.loads(pickle.dumps(problem))
    rows = random_rows(problem, 2)
    assert torch.equal(parts(copy, rows)[0], parts(problem, rows)[0])


def test_mixtures_of_up_to_four_objectives():
    assert get_problem("gmm:num_objectives=4").reference_point.shape == (4,)
    with pytest.raises(ValueError, match=r"`num_objectives` should be from 2 to 4\. Found 5\."):
        get_problem("gmm", num_objectives=5)
    with pytest.raises(ValueError, match=r"`noise` should be at least 0"):
        get_problem("bnh", noise=-1)


# ------------------------------------------------------------------------------------------------------- fronts
@every_known
def test_front_points_do_not_dominate_each_other(make):
    problem = make()
    front = problem.reference_front
    assert 950 <= len(front) <= 1001
    assert non_dominated(-front).all()
    worst, best = front.amax(dim=0), front.amin(dim=0)
    torch.testing.assert_close(problem.reference_point, worst + 0.1 * (worst - best))
    assert problem.oracle is None if make is OSY else problem.oracle.front is front


@pytest.mark.parametrize("make", [BNH, ConstrEx, SRN], ids=lambda make: make.__name__)
def test_front_by_brute_force(make):
    """On a grid of the two columns, nothing dominates the front and all that nothing dominates lies near it."""
    problem = make()
    axes = [
        torch.linspace(float(a), float(b), 701) for a, b in zip(problem.space.lower, problem.space.upper, strict=True)
    ]
    rows = torch.stack([grid.reshape(-1) for grid in torch.meshgrid(*axes, indexing="ij")], dim=1).double()
    found = problem.evaluate(problem.space.canonical(rows))
    values = found.objectives[(found.constraints <= 0).all(dim=1)]
    values = values[non_dominated(-values)]
    front = problem.reference_front
    span = front.amax(dim=0) - front.amin(dim=0)
    better = (front[:, None] - values[:: max(1, len(values) // 2000)]) / span
    assert better.amin(dim=-1).max() < 1e-9
    assert (-better).abs().amax(dim=-1).amin(dim=0).max() < 0.02


def test_pymoos_front_of_srn_lacks_both_ends():
    theirs = torch.from_numpy(pymoo.problems.get_problem("srn").pareto_front())
    front = SRN().reference_front
    assert torch.cdist(theirs, front).min(dim=1).values.max() < 0.3
    assert front[:, 0].min() < 10.2 < 24.4 < theirs[:, 0].min()
    assert front[:, 1].min() < -217.7 < -212.7 < theirs[:, 1].min()
    left, right = front[front[:, 0] < 24.4], front[front[:, 1] < -212.8]
    for end in (left, right):
        assert len(end) > 5
        assert not (theirs[:, None] <= end).all(dim=-1).any()


def test_constr_by_hand():
    front = ConstrEx().oracle.front
    f1 = front[:, 0]
    torch.testing.assert_close(front[:, 1], torch.where(f1 < 2 / 3, 7 / f1 - 9, 1 / f1))
    assert (front[0, 0], front[-1].tolist()) == (7 / 18, [1.0, 1.0])


def test_osy_is_not_beaten_by_rows_near_its_optimal_ones():
    problem = OSY()
    stream = torch.Generator().manual_seed(0)
    optimal = botorch_problems._osy_rows()
    chosen = optimal[torch.randint(len(optimal), (40_000,), generator=stream)]
    width = 10 ** (-4 * torch.rand(len(chosen), 1, generator=stream, dtype=torch.float64))
    moved = chosen + width * torch.randn(chosen.shape, generator=stream, dtype=torch.float64)
    found = problem.evaluate(problem.space.canonical(torch.cat([moved, random_rows(problem, 40_000)])))
    values = found.objectives[(found.constraints <= 0).all(dim=1)]
    assert len(values) > 4000
    values = values[non_dominated(-values)]
    assert (problem.reference_front[:, None] - values).amin(dim=-1).max() < 1e-9


def test_fronts_end_where_they_should():
    assert BNH().oracle.front[[0, -1]].tolist() == [[0, 50], [136, 4]]
    assert OSY().reference_front[[0, -1]].tolist() == [[-274, 76], [-42, 4]]
    left = SRN().oracle.front[0]
    torch.testing.assert_close(left, torch.tensor([2 + 81 / 10, 9 * 1.1 - 2.7**2], dtype=torch.float64))
    assert math.isclose(float(SRN().oracle.front.sum(dim=1).min()), -0.25, abs_tol=1e-9)
