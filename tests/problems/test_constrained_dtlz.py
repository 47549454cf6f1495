"""C-DTLZ against pymoo's values, closed forms, and fronts found by brute force."""

import math

import numpy as np
import pymoo.problems
import pytest
import torch
from botorch.test_functions import multi_objective

from moo.dominance import non_dominated
from moo.problems import get_problem
from moo.problems.constrained_dtlz import C1DTLZ1, C1DTLZ3, C2DTLZ2, C3DTLZ1, C3DTLZ4

CLASSES = [C1DTLZ1, C1DTLZ3, C2DTLZ2, C3DTLZ1, C3DTLZ4]

every = pytest.mark.parametrize("make", CLASSES, ids=lambda make: make.name)
sizes = pytest.mark.parametrize("m", [2, 3, 5])


def random_rows(problem, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return problem.space.from_unit(torch.rand(n, problem.space.dim, generator=generator, dtype=torch.float64))


def best_rows(problem, n, seed=0):
    """Rows at g = 0."""
    rows = random_rows(problem, n, seed)
    rows[:, problem.num_objectives - 1 :] = 0.5
    return rows


def rows_at(problem, first, distance):
    """Rows whose first columns `[n, m - 1]` and distance `1 + g [n]`, 1 but for the C3 problems, are given."""
    rows = best_rows(problem, len(first))
    m = problem.num_objectives
    rows[:, : m - 1] = first
    if problem.name == "c3-dtlz4":
        rows[:, m - 1 :] += ((distance - 1).clamp(min=0) / (problem.space.dim - m + 1)).sqrt()[:, None]
    elif problem.name == "c3-dtlz1":  # one column, on the first rise of g
        off = np.linspace(0, 0.05, 1_000_001)
        rise = 100 * (1 + off**2 - np.cos(20 * np.pi * off))
        rows[:, -1] += torch.from_numpy(np.interp(distance.numpy() - 1, rise, off))
    else:
        torch.testing.assert_close(distance, torch.ones_like(distance))
    return rows


def pymoo_problem(problem):
    options = {"n_var": problem.space.dim, "n_obj": problem.num_objectives}
    return pymoo.problems.get_problem(problem.name.replace("-", ""), **options)


# ------------------------------------------------------------------------------------------------------- values
@sizes
@every
def test_values_and_constraints_are_pymoos(make, m):
    problem = make(m)
    rows = torch.cat([random_rows(problem, 300), problem.space.lower[None]])
    expected = pymoo_problem(problem).evaluate(rows.numpy(), return_as_dictionary=True)
    found = problem.evaluate(rows)
    np.testing.assert_allclose(found.objectives.numpy(), expected["F"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.constraints.numpy(), expected["G"], rtol=1e-11, atol=1e-11)
    assert found.constraints.shape == (301, problem.num_constraints)
    assert problem.evaluate(problem.space.upper[None]).objectives.isfinite().all()


def test_botorchs_c2_dtlz2_has_a_larger_ball_in_the_middle():
    problem, theirs = C2DTLZ2(2, 6), multi_objective.C2DTLZ2(dim=6)
    rows = best_rows(problem, 2000)
    found = problem.evaluate(rows)
    torch.testing.assert_close(found.objectives, theirs(rows))
    middle = (found.objectives - math.sqrt(0.5)).square().sum(dim=1)
    larger = (found.constraints[:, 0] <= 0) | (middle <= 2 * problem.radius**2)
    assert torch.equal(theirs.is_feasible(rows), larger)
    assert larger.sum() > (found.constraints <= 0).sum()


@pytest.mark.parametrize(
    ("name", "point", "limits"),
    [
        ("c1-dtlz1", [0.25, 0.25], [0.25 / 0.6 + 0.5 - 1]),
        ("c1-dtlz1", [0.4, 0.3], [0.3 / 0.6 + 0.8 - 1]),
        ("c1-dtlz3", [0.6, 0.8], [-15 * 80]),
        ("c1-dtlz3", [3.0, 4.0], [9 * 56]),
        ("c2-dtlz2", [1.0, 0.1], [0.01 - 0.04]),
        ("c2-dtlz2", [0.8, 0.6], [(0.8 - math.sqrt(0.5)) ** 2 + (0.6 - math.sqrt(0.5)) ** 2 - 0.04]),
        ("c2-dtlz2", [1.0, 1.0], [2 * (1 - math.sqrt(0.5)) ** 2 - 0.04]),
        ("c3-dtlz1", [0.5, 0.5], [-0.5, -0.5]),
        ("c3-dtlz1", [0.5, 0.1], [-0.1, 0.3]),
        ("c3-dtlz4", [1.0, 1.0], [-0.25, -0.25]),
        ("c3-dtlz4", [1.0, 0.0], [0.75, 0.0]),
    ],
)
def test_constraints_by_hand(name, point, limits):
    """Of objectives; feasible where none is above 0."""
    found = get_problem(name, num_objectives=2)._limits(torch.tensor([point], dtype=torch.float64))
    torch.testing.assert_close(found, torch.tensor([limits], dtype=torch.float64), rtol=1e-12, atol=1e-12)


@every
def test_contract(make):
    problem = make(2)
    assert problem.name.replace("-", "") == make.__name__.lower()
    assert problem.num_constraints == (2 if make in (C3DTLZ1, C3DTLZ4) else 1)
    assert (problem.space.lower == 0).all()
    assert (problem.space.upper == 1).all()
    assert problem.oracle.front is problem.reference_front


def test_defaults():
    assert [make().space.dim for make in CLASSES] == [7, 12, 12, 7, 12]
    assert [C1DTLZ3(m).radius for m in (2, 3, 5, 8, 10, 15)] == [9, 9, 12.5, 12.5, 15, 15]
    assert [C2DTLZ2(m).radius for m in (2, 3, 5)] == [0.2, 0.4, 0.5]


# ------------------------------------------------------------------------------------------------------- fronts
@sizes
@every
def test_front_points_are_feasible_and_do_not_dominate_each_other(make, m):
    problem = make(m)
    front = problem.reference_front
    assert 500 <= len(front) <= 2100
    assert (problem._limits(front) <= 1e-9).all()
    assert non_dominated(-front).all()
    worst, best = front.amax(dim=0), front.amin(dim=0)
    torch.testing.assert_close(problem.reference_point, worst + 0.1 * (worst - best))


@sizes
@every
def test_nothing_feasible_dominates_the_front(make, m):
    """Among points of objective space that are attained: on random rays, from the least distance on."""
    problem = make(m)
    front = problem.reference_front[:, None]
    base = torch.cat([best_rows(problem, 300), best_rows(problem, 100, seed=1)])
    if problem.name == "c3-dtlz4":
        base[:, : m - 1] = base[:, : m - 1] ** 0.01
    for stretch in (1.0, 1.001, 1.05, 1.3):
        values = problem.evaluate(base).objectives * stretch * (2 if make is C3DTLZ4 else 1)
        values = values[(problem._limits(values) <= 0).all(dim=1)]
        margin = (front - values).amin(dim=-1)  # by how much a value is better in every objective
        assert margin.numel() == 0 or margin.max() < 1e-9


@sizes
@every
def test_front_points_are_attained(make, m):
    """Rows solved for a front point bring that point."""
    problem = make(m)
    front = problem.reference_front
    flat = make in (C1DTLZ1, C3DTLZ1)
    left = (front if flat else front**2).cumsum(dim=1)
    share = torch.where(left > 0, torch.cat([left[:, :1], left[:, :-1]], dim=1) / left, 1.0).flip(1)[:, : m - 1]
    first = share if flat else torch.acos(share.clamp(0, 1).sqrt()) / (math.pi / 2)
    first = first ** (1 / 100) if make is C3DTLZ4 else first
    rows = rows_at(problem, first, 2 * left[:, -1] if flat else left[:, -1].sqrt())
    assert (rows >= -1e-12).all()
    assert (rows <= 1 + 1e-9).all()
    found = problem.evaluate(problem.space.canonical(rows)).objectives
    torch.testing.assert_close(found, front, rtol=0, atol=2e-6)


@pytest.mark.parametrize("make", [C2DTLZ2, C3DTLZ1, C3DTLZ4], ids=lambda make: make.name)
def test_front_is_what_an_independent_lattice_leaves(make):
    """Along each ray of a lattice the least feasible point, by bisection, is dominated or lies at the front."""
    problem = make(3)
    axis = torch.linspace(0, math.pi / 2, 31, dtype=torch.float64)
    a, b = (grid.reshape(-1) for grid in torch.meshgrid(axis, axis, indexing="ij"))
    rays = torch.stack([a.sin() * b.cos(), a.sin() * b.sin(), a.cos()], dim=1).clamp(min=0)
    rays = rays / (2 * rays.sum(dim=1, keepdim=True)) if make is C3DTLZ1 else rays
    steps = torch.linspace(1, 2.05, 1051, dtype=torch.float64)
    points = rays[:, None] * steps[:, None]
    feasible = (problem._limits(points.reshape(-1, 3)) <= 0).all(dim=1).reshape(points.shape[:2])
    first = feasible.to(torch.int8).argmax(dim=1)
    least = points[torch.arange(len(rays)), first][feasible.any(dim=1)]
    gaps = torch.cdist(least, problem.reference_front).min(dim=1).values
    assert gaps.max() < 0.1  # the lattice's own spacing
    hidden = (problem.reference_front[:, None] - least).amin(dim=-1).max()
    assert hidden < 1e-9


def test_pymoos_fronts():
    """Of C3-DTLZ1's no point is feasible; the others agree."""
    front = torch.from_numpy(pymoo_problem(C3DTLZ1(3)).pareto_front())
    assert not (C3DTLZ1(3)._limits(front) <= 0).all(dim=1).any()
    for make in (C1DTLZ1, C1DTLZ3, C2DTLZ2, C3DTLZ4):
        front = torch.from_numpy(np.asarray(pymoo_problem(make(3)).pareto_front()))
        assert torch.cdist(front, make(3).reference_front).min(dim=1).values.max() < 0.06


# ------------------------------------------------------------------------------------------------------- bad input
def test_errors():
    with pytest.raises(ValueError, match=r"`num_objectives` should be at least 2\. Found 1\."):
        C1DTLZ1(1)
    with pytest.raises(ValueError, match=r"`dim` should be at least 3 for c1-dtlz1 with 3 objectives\. Found 2\."):
        C1DTLZ1(3, 2)
    with pytest.raises(ValueError, match=r"`dim` should be at least 6 for c3-dtlz4 with 3 objectives\. Found 5\."):
        C3DTLZ4(3, 5)
    with pytest.raises(ValueError, match=r"`radius` should be above 4, the norm at which the band begins\. Found 4\.0"):
        C1DTLZ3(radius=4)
    with pytest.raises(ValueError, match=r"`radius` should be at most 1\. Found 1\.5\."):
        C2DTLZ2(radius=1.5)
    with pytest.raises(ValueError, match=r"`radius` should be above 0 and finite"):
        C2DTLZ2(radius=0)
    with pytest.raises(ValueError, match=r"`alpha` should be above 0"):
        C3DTLZ4(alpha=0)
