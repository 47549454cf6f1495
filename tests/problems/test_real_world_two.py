"""RE21 to RE25 against pymoo, and by hand."""

import math

import numpy as np
import torch
from pymoo.problems.single.pressure_vessel import PressureVessel

from moo.problems.real_world_two import AREAS, RE21, RE22, RE23, RE24, RE25, WIRES


def random_rows(problem, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return problem.space.from_unit(torch.rand(n, problem.space.dim, generator=generator, dtype=torch.float64))


def test_re21_by_hand():
    row = torch.tensor([[1.0, 2.0, 2.25, 3.0]])
    volume = 200 * (2 + 2 * math.sqrt(2) + 1.5 + 3)
    displacement = 0.01 * (2 + math.sqrt(2) - 2 * math.sqrt(2) / 2.25 + 2 / 3)
    np.testing.assert_allclose(RE21().evaluate(row), [[volume, displacement]], rtol=1e-14)


def test_re22_by_hand():
    found = RE22().evaluate(torch.tensor([[6.3, 8.5, 34.0], [3.09, 10.0, 41.0]]))
    assert found.solutions[:, 0].tolist() == [6.32, 3.08]  # 3.09 lies between 3.08 and 3.10: the lower one
    strength = 180 - 6.32 * 34 + 7.735 * 6.32**2 / 8.5
    np.testing.assert_allclose(found.objectives[0], [359.208, strength], rtol=1e-13)
    assert abs(strength - 1.467584) < 1e-6
    violation = (180 - 3.08 * 41 + 7.735 * 3.08**2 / 10) + (4.1 - 4)
    np.testing.assert_allclose(found.objectives[1], [29.4 * 3.08 + 246, violation], rtol=1e-13)


def test_re22_cannot_evaluate_a_beam_of_no_width():
    assert not torch.isfinite(RE22().evaluate(torch.tensor([[1.0, 0.0, 20.0]])).objectives).all()


def test_allowed_values_ascend():
    for values, number in ((AREAS, 76), (WIRES, 42)):
        assert len(values) == number
        assert list(values) == sorted(set(values))
    assert 3.10 in AREAS
    assert 10.0 not in AREAS


def test_re23_is_pymoos_pressure_vessel():
    problem = RE23()
    rows = random_rows(problem, 500)
    theirs = PressureVessel().evaluate(rows.numpy(), return_as_dictionary=True)
    found = problem.evaluate(rows).objectives.numpy()
    np.testing.assert_allclose(found[:, 0], theirs["F"][:, 0], rtol=1e-13)
    violation = np.maximum(theirs["G"][:, :3] * [3, 3, 1_296_000], 0).sum(axis=1)
    np.testing.assert_allclose(found[:, 1], violation, rtol=1e-9, atol=1e-6)


def test_re24_by_hand():
    found = RE24().evaluate(torch.tensor([[0.5, 0.5], [1.0, 40.0]]))
    bending, shear, deflection, buckling = 4500 / 0.25, 1800 / 0.5, 56.2e4 / (7e5 * 0.125), 7e5 * 0.25 / 100
    violation = bending / 700 + shear / 450 + deflection / 1.5 + bending / buckling - 4
    np.testing.assert_allclose(found, [[60.5, violation], [4801, 0]], rtol=1e-14)


def test_re25_at_sandgrens_spring():
    """The best spring of the sources, 9 coils of 0.283 in: only the 1.25 in between the loads are exceeded here."""
    found = RE25().evaluate(torch.tensor([[9.0, 1.223041, 0.283]])).objectives[0]
    assert abs(float(found[0]) - 2.65856) < 1e-4
    stiffness = 11.5e6 * 0.283**4 / (8 * 9 * 1.223041**3)
    np.testing.assert_allclose(found[1], max(700 / stiffness - 1.25, 0), atol=1e-3)
