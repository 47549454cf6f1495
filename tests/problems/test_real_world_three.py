"""RE31 to RE37 and CRE21 to CRE25 against BoTorch, pymoo and the whole space of gear trains."""

import numpy as np
import pytest
import torch
from botorch.test_functions.multi_objective import DiscBrake, VehicleSafety
from botorch.test_functions.multi_objective import WeldedBeam as BotorchWeldedBeam
from pymoo.problems.multi import Truss2D, WeldedBeam

from moo.archive import Archive
from moo.base import Candidates
from moo.problems.real_world_three import CRE21, CRE22, CRE23, CRE25, RE31, RE33, RE34, RE36


def random_rows(problem, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return problem.space.from_unit(torch.rand(n, problem.space.dim, generator=generator, dtype=torch.float64))


def test_cre21_is_pymoos_truss():
    """pymoo's second objective is the larger of the stresses, of which ours limits both."""
    generator = torch.Generator().manual_seed(0)
    unit = torch.rand(500, 3, generator=generator, dtype=torch.float64)
    rows = torch.tensor([1e-5, 1e-5, 1.0]) + unit * torch.tensor([0.01, 0.01, 2.0])
    theirs = Truss2D().evaluate(rows.numpy(), return_as_dictionary=True)
    found = CRE21().evaluate(rows)
    np.testing.assert_allclose(found.objectives[:, 0], theirs["F"][:, 0], rtol=1e-13)
    np.testing.assert_allclose(found.constraints[:, 1:].amax(dim=1), theirs["G"][:, 0], rtol=1e-9, atol=1e-6)
    assert torch.equal(found.objectives[:, 1] - 1e5, found.constraints[:, 1])


def test_re31_is_feasible_only_where_it_is_small():
    assert (RE31().evaluate(random_rows(RE31(), 10_000))[:, 2] > 0).all()


def test_cre22_is_pymoos_and_botorchs_welded_beam_but_for_torsion_and_buckling():
    """They halve the weld's moment of inertia and divide the buckling load by sqrt(E / G)."""
    problem = CRE22()
    rows = random_rows(problem, 500)
    found = problem.evaluate(rows)
    limits = torch.tensor([13_600, 30_000, 5 - 0.125, 6000], dtype=torch.float64)
    theirs = WeldedBeam().evaluate(rows.numpy(), return_as_dictionary=True)
    botorch = BotorchWeldedBeam()
    for objectives, constraints in (
        (theirs["F"], theirs["G"]),
        (botorch._evaluate_true(rows), botorch._evaluate_slack_true(rows)),
    ):
        np.testing.assert_allclose(found.objectives, objectives, rtol=1e-13)
        ours, theirs = (found.constraints / limits).numpy(), np.asarray(constraints)
        np.testing.assert_allclose(ours[:, 1:3], theirs[:, 1:3], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(ours[:, 3] - 1, np.sqrt(2.5) * (theirs[:, 3] - 1), rtol=1e-5)
        assert (ours[:, 0] < theirs[:, 0]).all()


def test_cre23_is_botorchs_disc_brake():
    problem = CRE23()
    rows = random_rows(problem, 500)
    found, theirs = problem.evaluate(rows), DiscBrake()
    torch.testing.assert_close(found.objectives, theirs._evaluate_true(rows), rtol=1e-13, atol=0)
    torch.testing.assert_close(found.constraints, -theirs._evaluate_slack_true(rows), rtol=1e-11, atol=1e-11)


def test_re33_cannot_evaluate_a_ring_of_no_width():
    found = RE33().evaluate(torch.tensor([[78.0, 78.0, 2000.0, 15.0], [80.0, 75.0, 2000.0, 15.0]]))
    assert not torch.isfinite(found[0]).all()
    assert torch.isfinite(found[1]).all()
    assert found[1, 0] < 0
    assert found[1, 2] >= 25


def test_re34_is_botorchs_vehicle_safety():
    problem = RE34()
    rows = random_rows(problem, 500)
    torch.testing.assert_close(problem.evaluate(rows), VehicleSafety()._evaluate_true(rows), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("make", [RE36, CRE25])
def test_the_front_of_gear_trains_is_exact(make):
    """Of two designs with equal objectives each counts, so that pairs of gears in ascending order are all."""
    problem = make()
    teeth = torch.arange(12, 61, dtype=torch.float64)
    pairs = torch.combinations(teeth, with_replacement=True)
    archive = Archive((4,), problem.num_objectives)
    for pair in pairs:
        found = problem.evaluate(torch.cat([pair.expand(len(pairs), 2), pairs], dim=1))
        extras = {} if found.constraints is None else {"constraints": found.constraints}
        archive.add(Candidates.of(found.solutions, -found.objectives, **extras))
    exact, shipped = -archive.front.objectives, problem.reference_front
    order, by_size = exact.argsort(dim=0)[:, 1], shipped.argsort(dim=0)[:, 1]
    assert len(exact) == len(shipped)
    torch.testing.assert_close(exact[order], shipped[by_size], rtol=1e-12, atol=1e-12)
