"""MW against pymoo's values, closed forms, and fronts found by brute force."""

import math

import numpy as np
import pymoo.problems
import pytest
import torch
from botorch.test_functions import multi_objective

from moo.dominance import non_dominated
from moo.problems import get_problem, mw
from moo.problems.mw import MW1, MW4, MW5, MW7, MW8, MW11, MW12, MW14

CLASSES = [getattr(mw, f"MW{i}") for i in range(1, 15)]
MANY = [MW4, MW8, MW14]
TWO = [make for make in CLASSES if make not in MANY]
APPROXIMATE = ["mw5", "mw7"]

every = pytest.mark.parametrize("make", CLASSES, ids=lambda make: make.name)
every_size = pytest.mark.parametrize(
    ("make", "m"),
    [(make, m) for make in CLASSES for m in ((2, 3, 5) if make in MANY else (2,))],
    ids=lambda value: getattr(value, "name", value),
)


def made(make, m=2, **options):
    return make(m, **options) if make in MANY else make(**options)


def random_rows(problem, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return problem.space.from_unit(torch.rand(n, problem.space.dim, generator=generator, dtype=torch.float64))


def best_rows(problem, n, seed=0):
    """Rows at g = 1."""
    rows = random_rows(problem, n, seed)
    m, d = problem.num_objectives, problem.space.dim
    places = torch.arange(m - 1, d, dtype=torch.float64)
    kind = type(problem).distance
    if kind is mw._g1:
        rows[:, m - 1 :] = (0.5 + places / (2 * d)) ** (1 / (d - m))
    elif kind is mw._g2:
        rows[:, m - 1 :] = places / d
    else:
        follow(rows, m)
    return rows


def follow(rows, m):
    """Set the columns of a `g` that chains them to their best, each by the one before."""
    for i in range(m - 1, rows.shape[1]):
        rows[:, i] = 1 - (rows[:, i - 1] - 0.5) ** 2


def rows_at(problem, first, distance):
    """Rows whose first columns `[n, m - 1]` and distance `g [n]` are given.

    All other columns are at their best but for the last, found by bisection on the first rise of the distance.
    """
    m = problem.num_objectives
    rows = best_rows(problem, len(first))
    rows[:, : m - 1] = first
    if type(problem).distance is mw._g3:
        follow(rows, m)
    best = rows[:, -1:].clone()
    low, high = torch.zeros_like(best), torch.ones_like(best)  # of the way from the best value to `end`
    end = 0.4 if type(problem).distance is mw._g2 and problem.name != "mw2" else 0.0
    for _ in range(60):
        middle = (low + high) / 2
        rows[:, -1:] = best + middle * (end - best)
        beyond = problem.distance(rows, m) > distance[:, None]
        low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
    rows[:, -1:] = best + low * (end - best)
    return rows


def pymoo_problem(problem):
    options = {"n_obj": problem.num_objectives} if type(problem) in MANY else {}
    return pymoo.problems.get_problem(problem.name, n_var=problem.space.dim, **options)


# ------------------------------------------------------------------------------------------------------- values
@every_size
def test_values_and_constraints_are_pymoos(make, m):
    problem = made(make, m)
    rows = torch.cat([random_rows(problem, 300), problem.space.lower[None]])
    expected = pymoo_problem(problem).evaluate(rows.numpy(), return_as_dictionary=True)
    found = problem.evaluate(rows)
    np.testing.assert_allclose(found.objectives.numpy(), expected["F"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.constraints.numpy(), expected["G"], rtol=1e-11, atol=1e-11)
    assert found.constraints.shape == (301, problem.num_constraints)
    assert problem.evaluate(problem.space.upper[None]).objectives.isfinite().all()


def test_pymoos_mw11_is_nan_at_its_bound_and_ours_is_not():
    problem = MW11()
    rows = random_rows(problem, 200)
    rows[:, 0] = problem.space.upper[0]
    assert np.isnan(pymoo_problem(problem).evaluate(rows.numpy(), return_as_dictionary=True)["F"]).any()
    assert problem.evaluate(rows).objectives.isfinite().all()


def test_mw7_is_botorchs():
    problem, theirs = MW7(4), multi_objective.MW7(dim=4)
    rows = random_rows(problem, 100)
    torch.testing.assert_close(problem.evaluate(rows).objectives, theirs(rows))
    torch.testing.assert_close(problem.evaluate(rows).constraints, -theirs.evaluate_slack(rows))


@pytest.mark.parametrize(
    ("name", "point", "limits"),
    [
        ("mw2", [0.5, 0.6], [0.1 - 0.5 * math.sin(3 * math.pi * math.sqrt(2) * 0.1) ** 8]),
        ("mw10", [0.5, 0.9], [-(2 - 1 - 0.9) * (2 - 2 - 0.9), (2 - 0.5 - 0.9) * (2 - 4 - 0.9), -0.15 * 0.0]),
        ("mw14", [0.0, 5.2], [0.1]),
    ],
)
def test_constraints_by_hand(name, point, limits):
    """Of objectives; feasible where none is above 0."""
    found = get_problem(name, **({"num_objectives": 2} if name == "mw14" else {}))._limits(
        torch.tensor([point], dtype=torch.float64)
    )
    torch.testing.assert_close(found, torch.tensor([limits], dtype=torch.float64), rtol=1e-12, atol=1e-12)


@every
def test_contract(make):
    problem = made(make)
    assert problem.name == make.__name__.lower()
    assert (problem.space.lower == 0).all()
    assert problem.reference_front is problem.reference_front
    if problem.name in APPROXIMATE:
        assert problem.oracle is None
    else:
        assert problem.oracle.front is problem.reference_front


def test_default_dims():
    assert [make().space.dim for make in TWO] == [15] * 11
    assert [make(5).space.dim for make in MANY] == [17] * 3


# ------------------------------------------------------------------------------------------------------- fronts
@every_size
def test_front_points_are_feasible_and_do_not_dominate_each_other(make, m):
    problem = made(make, m)
    front = problem.reference_front
    assert 500 <= len(front) <= 2100
    assert (problem._limits(front) <= 1e-9).all()
    assert non_dominated(-front).all()
    worst, best = front.amax(dim=0), front.amin(dim=0)
    torch.testing.assert_close(problem.reference_point, worst + 0.1 * (worst - best))


@every_size
def test_nothing_feasible_dominates_the_front(make, m):
    """Among points of objective space that are attained: on random rays, from the least distance on."""
    problem = made(make, m)
    front = problem.reference_front[:, None]
    base = torch.cat([best_rows(problem, 300), best_rows(problem, 100, seed=1)])
    first = base[:, : m - 1]
    for stretch in (1.0, 1.001, 1.05, 1.3):
        values = problem._shape(first, torch.full((len(first), 1), stretch, dtype=torch.float64))
        values = values[(problem._limits(values) <= 0).all(dim=1)]
        margin = (front - values).amin(dim=-1)  # by how much a value is better in every objective
        assert margin.numel() == 0 or margin.max() < (2e-5 if problem.name in APPROXIMATE else 1e-9)


@every_size
def test_front_points_are_attained(make, m):
    """Rows solved for a front point bring that point."""
    problem = made(make, m)
    front = problem.reference_front
    rows = rows_at(problem, *solved(problem, front))
    assert (rows >= -1e-12).all()
    assert (rows <= problem.space.upper + 1e-9).all()
    found = problem.evaluate(problem.space.canonical(rows)).objectives
    torch.testing.assert_close(found, front, rtol=0, atol=2e-6)


def solved(problem, front):
    """The first columns and the distance `g` of points of an MW problem."""
    m = problem.num_objectives
    if problem.name in ("mw1", "mw2", "mw3"):
        return front[:, :1], front[:, 1] + (0.85 if problem.name == "mw1" else 1.0) * front[:, 0]
    if problem.name in ("mw4", "mw8", "mw14"):
        if problem.name == "mw14":
            return front[:, :-1], torch.ones(len(front), dtype=torch.float64)
        parts = front if problem.name == "mw4" else front**2
        left = parts.cumsum(dim=1)
        share = torch.where(left > 0, torch.cat([left[:, :1], left[:, :-1]], dim=1) / left, 1.0).flip(1)[:, : m - 1]
        first = 1 - share if problem.name == "mw4" else torch.acos(share.clamp(0, 1).sqrt()) / (math.pi / 2)
        return first, left[:, -1] if problem.name == "mw4" else left[:, -1].sqrt()
    low = torch.zeros(len(front), 1, dtype=torch.float64)
    high = torch.full_like(low, problem.top)
    one = torch.ones_like(low)
    for _ in range(100):  # f_1 / (f_1 + f_2) grows with x_1
        middle = (low + high) / 2
        ray = problem._shape(middle, one)
        beyond = (ray[:, :1] * front[:, 1:] > ray[:, 1:] * front[:, :1]) | (ray[:, 1:] < 0)
        low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
    ray = problem._shape(low, one)
    return low, front.sum(dim=1) / ray.sum(dim=1)


@pytest.mark.parametrize("make", TWO, ids=lambda make: make.name)
def test_front_by_brute_force(make):
    """On a fine grid of rays and distances, what no other point dominates lies at the front, and nowhere else."""
    problem = made(make)
    x = torch.linspace(0, problem.top ** (problem.space.dim if make.name == "mw10" else 1), 1501, dtype=torch.float64)
    x = x ** (1 / problem.space.dim) if make.name == "mw10" else x
    g = torch.linspace(1, 1.75, 376, dtype=torch.float64)
    first, distance = (grid.reshape(-1, 1) for grid in torch.meshgrid(x, g, indexing="ij"))
    values = problem._shape(first, distance)
    values = values[(problem._limits(values) <= 0).all(dim=1)]
    kept = values[non_dominated(-values)]
    front = problem.reference_front
    if make is MW11:  # the grid misses (1, 1), which dominates the middle region
        kept = kept[~((kept >= 1).all(dim=1))]
    gaps = torch.cdist(kept, front).min(dim=1).values
    steps = 0.03 if make is MW5 else 0.01  # of the grid, where the edge of the feasible region is steep
    assert gaps.quantile(0.99) < steps
    assert gaps.max() < (0.41 if make.name == "mw12" else 5 * steps)  # a wedge at f_1 = 0 falls between the rays
    assert (front[:, None] - kept).amin(dim=-1).max() < (2e-5 if make.name in APPROXIMATE else 1e-9)


def test_mw11_has_one_feasible_point_on_its_circle():
    problem = MW11()
    point = torch.ones(1, 2, dtype=torch.float64)
    assert (problem._limits(point) <= 0).all()
    angle = torch.linspace(0, math.pi / 2, 100_001, dtype=torch.float64)
    circle = math.sqrt(2) * torch.stack([angle.cos(), angle.sin()], dim=1)
    feasible = circle[(problem._limits(circle) <= 1e-12).all(dim=1)]
    assert (feasible - 1).abs().max() < 1e-6
    assert (problem.reference_front == 1).all(dim=1).sum() == 1


def test_mw5_has_fourteen_single_points():
    front = MW5().reference_front
    angle = torch.atan2(front[:, 1], front[:, 0])
    single = front[(angle > 0.02) & (angle < math.pi / 2 - 0.02)]
    assert len(single) == 14
    torch.testing.assert_close(single.norm(dim=1), torch.ones(14, dtype=torch.float64))


def test_mw8_front_is_what_an_independent_lattice_leaves():
    """Along each ray of a lattice the least feasible point, by bisection, is dominated or lies at the front."""
    problem = MW8(3)
    axis = torch.linspace(0, math.pi / 2, 31, dtype=torch.float64)
    a, b = (grid.reshape(-1) for grid in torch.meshgrid(axis, axis, indexing="ij"))
    rays = torch.stack([a.sin() * b.cos(), a.sin() * b.sin(), a.cos()], dim=1).clamp(min=0)
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
    """Of MW12's one point is infeasible; others agree."""
    front = torch.from_numpy(pymoo_problem(MW12()).pareto_front())
    assert (MW12()._limits(front) > 1e-6).any(dim=1).sum() == 1
    for problem in (MW1(), MW4(3), MW8(3)):
        front = torch.from_numpy(np.asarray(pymoo_problem(problem).pareto_front()))
        assert torch.cdist(front, problem.reference_front).min(dim=1).values.max() < 0.06


# ------------------------------------------------------------------------------------------------------- bad input
def test_errors():
    with pytest.raises(ValueError, match=r"`dim` should be at least 3 for mw1 with 2 objectives\. Found 2\."):
        MW1(2)
    with pytest.raises(ValueError, match=r"`dim` should be at least 4 for mw4 with 3 objectives\. Found 3\."):
        MW4(3, 3)
    with pytest.raises(ValueError, match=r"`noise` should be at least 0"):
        MW5(noise=-1)
    with pytest.raises(ValueError, match=r"`solutions` should have shape \[n, 15\]\. Found \[1, 3\]"):
        MW5().evaluate(torch.zeros(1, 3))
