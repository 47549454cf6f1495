"""RE41, RE42, RE61, RE91 and CRE31, CRE32, CRE51 against BoTorch and pymoo, and by hand."""

import numpy as np
import torch
from botorch.test_functions.multi_objective import CarSideImpact
from pymoo.problems.multi.carside import Carside
from pymoo.problems.multi.csi import CSI
from pymoo.problems.multi.wrm import WRM

from moo.problems.real_world_many import CRE31, CRE32, CRE51, RE41, RE42, RE91


def random_rows(problem, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return problem.space.from_unit(torch.rand(n, problem.space.dim, generator=generator, dtype=torch.float64))


def test_re41_is_botorchs_car_side_impact():
    problem = RE41()
    rows = random_rows(problem, 500)
    torch.testing.assert_close(problem.evaluate(rows), CarSideImpact()._evaluate_true(rows), rtol=1e-12, atol=1e-12)


def test_cre31_is_pymoos_csi():
    problem = CRE31()
    rows = random_rows(problem, 500)
    found = problem.evaluate(rows)
    theirs = CSI().evaluate(rows.numpy(), return_as_dictionary=True)
    np.testing.assert_allclose(found.objectives, theirs["F"], rtol=1e-13)
    np.testing.assert_allclose(found.constraints, theirs["G"], rtol=1e-11, atol=1e-12)


def test_cre31_is_nearly_pymoos_carside():
    """Its constraints are divided by their limits, and its coefficients are not rounded."""
    rows = random_rows(CRE31(), 500)
    theirs = Carside().evaluate(rows.numpy(), return_as_dictionary=True)
    limits = torch.tensor([1, 0.32, 0.32, 0.32, 32, 32, 32, 4, 9.9, 15.7], dtype=torch.float64)
    found = CRE31().evaluate(rows)
    np.testing.assert_allclose(found.objectives, theirs["F"], rtol=1e-6)
    np.testing.assert_allclose(found.constraints / limits, theirs["G"], atol=1e-3)


def test_a_bulk_carrier_by_hand():
    """The cargo is negative, for the days at sea grow with the speed."""
    row = torch.tensor([[200.0, 30.0, 16.0, 10.0, 15.0, 0.7]], dtype=torch.float64)
    found = CRE32().evaluate(row)
    displacement = 1.025 * 200 * 30 * 10 * 0.7
    froude = 0.5144 * 15 / np.sqrt(9.8065 * 200)
    a = 4977.06 * 0.49 - 8105.61 * 0.7 + 4456.51
    b = -10847.2 * 0.49 + 12817 * 0.7 - 6960.32
    power = displacement ** (2 / 3) * 15**3 / (a + b * froude)
    steel = 0.034 * 200**1.7 * 30**0.7 * 16**0.4 * 0.7**0.5
    outfit = 200**0.8 * 30**0.6 * 16**0.3 * 0.7**0.1
    light_ship = steel + outfit + 0.17 * power**0.9
    deadweight = displacement - light_ship
    assert abs(float(found.objectives[0, 1]) - light_ship) < 1e-9 * light_ship
    assert found.objectives[0, 2] > 0 > found.objectives[0, 0]
    stability = 5.3 + (0.085 * 0.7 - 0.002) * 900 / 7 - 1 - 0.52 * 16
    expected = [
        6 - 200 / 30,
        200 / 16 - 15,
        200 / 10 - 19,
        10 - 0.45 * deadweight**0.31,
        10 - 0.7 * 16 - 0.7,
        deadweight - 5e5,
        3000 - deadweight,
        froude - 0.32,
        0.07 * 30 - stability,
    ]
    np.testing.assert_allclose(found.constraints[0], expected, rtol=1e-9)


def test_every_ship_can_be_evaluated():
    assert torch.isfinite(RE42().evaluate(random_rows(RE42(), 50_000))).all()


def test_cre51_is_pymoos_wrm_but_for_two_limits():
    problem = CRE51()
    rows = random_rows(problem, 500)
    found = problem.evaluate(rows)
    theirs = WRM().evaluate(rows.numpy(), return_as_dictionary=True)
    np.testing.assert_allclose(found.objectives, theirs["F"], rtol=1e-12)
    np.testing.assert_allclose(found.constraints[:, :5], theirs["G"][:, :5], rtol=1e-9, atol=1e-9)
    product = (rows[:, 0] * rows[:, 1]).numpy()
    np.testing.assert_allclose(found.constraints[:, 5], theirs["G"][:, 5] + 0.417 * (product - 1 / product), rtol=1e-9)
    np.testing.assert_allclose(found.constraints[:, 6], theirs["G"][:, 6] + 0.1, rtol=1e-9, atol=1e-9)


def test_re91_sees_the_same_four_draws_and_leaves_numpys_generator_alone():
    problem = RE91()
    np.random.seed(3)
    before = np.random.get_state()[1].tolist()
    rows = random_rows(problem, 6)
    found = problem.evaluate(rows)
    assert np.random.get_state()[1].tolist() == before
    assert torch.equal(problem.evaluate(rows.flip(0)).flip(0), found)
    np.random.seed(0)
    draws = np.random.normal(size=4)
    x2, x3 = rows[:, 1].numpy(), rows[:, 2].numpy()
    x8, x9, x10 = 0.345 + 0.006 * draws[0], 0.192 + 0.006 * draws[1], 10 * draws[2]
    lower = 0.74 - 0.61 * x2 - 0.163 * x3 * x8 + 0.001232 * x3 * x10 - 0.166 * rows[:, 6].numpy() * x9 + 0.227 * x2**2
    np.testing.assert_allclose(found[:, 4], np.maximum(lower / 0.32, 0), rtol=1e-12)
    assert (found >= 0).all()
