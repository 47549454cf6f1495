"""DTLZ against pymoo's values, closed forms, and fronts found by brute force."""

import math

import moocore
import numpy as np
import pymoo.problems
import pytest
import torch

from moo.dominance import non_dominated
from moo.problems.dtlz import DTLZ1, DTLZ2, DTLZ3, DTLZ4, DTLZ5, DTLZ6, DTLZ7, dtlz7_pieces

CLASSES = [DTLZ1, DTLZ2, DTLZ3, DTLZ4, DTLZ5, DTLZ6, DTLZ7]
PUBLISHED_K = [5, 10, 10, 10, 10, 10, 20]

every = pytest.mark.parametrize("make", CLASSES, ids=lambda make: make.name)
each_front = pytest.mark.parametrize(
    ("make", "m"),
    [(make, m) for make in CLASSES for m in (2, 3, 4, 7) if m <= 3 or make not in (DTLZ5, DTLZ6)],
    ids=lambda value: getattr(value, "name", value),
)


def random_rows(problem, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, problem.space.dim, generator=generator, dtype=torch.float64)


def best_rows(problem, n, seed=0):
    """Rows at the least g."""
    rows = random_rows(problem, n, seed)
    rows[:, problem.num_objectives - 1 :] = 0.0 if problem.name in ("dtlz6", "dtlz7") else 0.5
    return rows


def pymoo_problem(problem, **options):
    return pymoo.problems.get_problem(problem.name, n_var=problem.space.dim, n_obj=problem.num_objectives, **options)


def nearest(points, others):
    """The distance from each of `points` to the nearest of `others`."""
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cdist(torch.as_tensor(points), torch.as_tensor(others), compute_mode=exact).min(dim=1).values


def gain(f):
    return f * (1 + np.sin(3 * np.pi * f))


# ------------------------------------------------------------------------------------------------------- values
@pytest.mark.parametrize("m", [2, 3, 5])
@every
def test_values_are_pymoos(make, m):
    for problem in (make(m), make(m, m), make(m, m + 2)):
        rows = random_rows(problem, 200)
        expected = pymoo_problem(problem).evaluate(rows.numpy())
        np.testing.assert_allclose(problem.evaluate(rows).numpy(), expected, rtol=1e-12, atol=1e-12)


def test_dtlz4_takes_its_power():
    problem = DTLZ4(3, alpha=7.5)
    rows = random_rows(problem, 200)
    expected = pymoo_problem(problem, alpha=7.5).evaluate(rows.numpy())
    np.testing.assert_allclose(problem.evaluate(rows).numpy(), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(DTLZ4(3, alpha=1).evaluate(rows), DTLZ2(3).evaluate(rows), rtol=0, atol=0)


def test_values_by_hand():
    row = torch.full((1, 7), 0.5)
    row[0, :2] = torch.tensor([0.25, 0.5])
    assert DTLZ1().evaluate(row).tolist() == [[0.0625, 0.0625, 0.375]]
    row = torch.zeros(1, 22)  # g = 1, h = 3
    assert DTLZ7().evaluate(row).tolist() == [[0, 0, 6]]


@every
def test_contract(make):
    problem = make(4)
    assert problem.kind == "vector"
    assert problem.name == make.__name__.lower()
    assert (problem.num_objectives, problem.directions) == (4, ("min",) * 4)
    assert problem.objective_names == ("f1", "f2", "f3", "f4")
    assert (problem.stochastic, problem.num_constraints, problem.unit) == (False, 0, "evaluations")
    assert problem.space.names[:2] == ("x1", "x2")
    assert (problem.space.lower == 0).all()
    assert (problem.space.upper == 1).all()
    assert problem.oracle is problem.oracle


def test_default_dims_follow_the_published_k():
    for m in (2, 3, 6):
        assert [make(m).space.dim for make in CLASSES] == [m + k - 1 for k in PUBLISHED_K]
    assert DTLZ1(3, 3).space.dim == 3


# ------------------------------------------------------------------------------------------------------- fronts
def off_front(problem, values):
    """How far values `[n, m]` at the least g are from the front's equation."""
    m = problem.num_objectives
    if problem.name == "dtlz1":
        return values.sum(dim=1) - 0.5
    if problem.name == "dtlz7":
        return values[:, -1] + torch.as_tensor(gain(values[:, :-1].numpy())).sum(dim=1) - 2 * m
    off = (values**2).sum(dim=1) - 1
    return off.abs() + (values[:, 0] - values[:, 1]).abs() if problem.name in ("dtlz5", "dtlz6") and m == 3 else off


@each_front
def test_front_lies_on_its_formula_and_best_rows_reach_it(make, m):
    problem = make(m)
    assert off_front(problem, problem.oracle.front).abs().max() < 1e-14 * m
    assert off_front(problem, problem.evaluate(best_rows(problem, 200))).abs().max() < 1e-14 * m


@each_front
def test_front_points_do_not_dominate_each_other(make, m):
    problem = make(m)
    front = problem.oracle.front
    assert 790 <= len(front) <= 2000
    assert (front >= 0).all()
    assert non_dominated(-front).all()
    assert problem.reference_front is front


@each_front
def test_nothing_dominates_the_front(make, m):
    problem = make(m)
    front = problem.oracle.front[:, None]
    near = best_rows(problem, 500, seed=1)
    near[:, -1] += 1e-6
    for rows in (random_rows(problem, 500), best_rows(problem, 500), near):
        values = problem.evaluate(rows)
        assert not ((values <= front).all(dim=-1) & (values < front - 1e-12).any(dim=-1)).any()


@pytest.mark.parametrize("m", [2, 3, 5])
def test_front_points_are_attained(m):
    """Columns along the front, solved for a front point in closed form, bring that point."""
    for make in (DTLZ1, DTLZ2, DTLZ3, DTLZ4, DTLZ7):
        problem = make(m)
        front = problem.oracle.front
        rows = best_rows(problem, len(front))
        if make is DTLZ7:
            rows[:, : m - 1] = front[:, : m - 1]
        else:  # x_i from the parts of the front's sum (or sum of squares) that the objectives share out
            parts = 2 * front if make is DTLZ1 else front**2
            left = parts.cumsum(dim=1)  # of f_1, ..., f_j
            share = torch.where(left > 0, torch.cat([left[:, :1], left[:, :-1]], dim=1) / left, 1.0).flip(1)[:, : m - 1]
            along = share if make is DTLZ1 else torch.acos(share.clamp(0, 1).sqrt()) / (math.pi / 2)
            rows[:, : m - 1] = along ** (1 / 100) if make is DTLZ4 else along
        torch.testing.assert_close(problem.evaluate(rows), front, rtol=0, atol=1e-7)  # acos(1 - 1e-16) is 1e-8


@pytest.mark.parametrize("m", [2, 3])
def test_curve_points_are_attained(m):
    for make in (DTLZ5, DTLZ6):
        problem = make(m)
        front = problem.oracle.front
        rows = best_rows(problem, len(front))
        rows[:, 0] = torch.linspace(0, 1, len(front))
        torch.testing.assert_close(problem.evaluate(rows), front, rtol=0, atol=1e-7)  # float32 places


def test_lattice_reaches_corners_and_inside():
    for m in (2, 3, 6, 8, 12):
        front = DTLZ1(m).oracle.front
        corners = 0.5 * torch.eye(m, dtype=torch.float64)
        assert nearest(corners, front).max() == 0
        assert (front > 0).all(dim=1).sum() >= m  # from m = 7 on these are the inner copy
        assert len(torch.unique(front, dim=0)) == len(front)


@pytest.mark.parametrize("make", [DTLZ5, DTLZ6], ids=lambda make: make.name)
def test_curve_is_the_whole_front_for_three_objectives(make):
    """Whatever lies off the curve is dominated by one of its points: the docstring's inequality on random rows."""
    problem = make(3, 4)
    rows = torch.cat([random_rows(problem, 20_000), random_rows(problem, 20_000) * torch.tensor([1.0, 1.0, 1.0, 0])])
    rows[:10_000, 2:] = 0.5 + 0.1 * (rows[:10_000, 2:] - 0.5)
    values = problem.evaluate(rows)
    assert (2 * values[:, :2].min(dim=1).values ** 2 + values[:, 2] ** 2 >= 1 - 1e-12).all()


@pytest.mark.parametrize("make", [DTLZ5, DTLZ6], ids=lambda make: make.name)
def test_for_four_objectives_the_curve_is_not_the_front(make):
    """pymoo calls it the front for any number of objectives; this solution with g = 1 is dominated by none of it."""
    problem = make(4)
    assert problem.oracle is problem.reference_front is problem.reference_point is None
    row = torch.zeros(1, 13, dtype=torch.float64)
    row[0, 1] = 1.0
    if make is DTLZ5:
        row[0, 3:] = 0.5
        row[0, 3:7] = 1.0  # g = 4 / 4
    else:
        row[0, 3] = 1.0
    values = problem.evaluate(row)
    torch.testing.assert_close((values**2).sum(), torch.tensor(4.0, dtype=torch.float64))  # (1 + g)^2
    curve = torch.as_tensor(pymoo_problem(problem).pareto_front(n_points=10_000))
    assert off_curve_margin(curve, values) > 0.1


def off_curve_margin(curve, values):
    """By how much every point of the curve is worse than `values` in some objective."""
    return float((curve - values).max(dim=1).values.min())


def test_dtlz7_pieces_by_brute_force():
    f = np.linspace(0, 1, 1_000_001)
    before = np.concatenate([[-np.inf], np.maximum.accumulate(gain(f))[:-1]])
    edges = np.flatnonzero(np.diff((gain(f) > before).astype(int)))
    np.testing.assert_allclose(np.ravel(dtlz7_pieces()), np.concatenate([[0.0], f[edges]]), rtol=0, atol=2e-6)


@pytest.mark.parametrize(("m", "steps"), [(2, 2001), (3, 201), (4, 41)])
def test_dtlz7_front_by_brute_force(m, steps):
    """On a grid of the surface g = 1, the points that no other dominates are those of the product of pieces."""
    axis = np.linspace(0, 1, steps)
    f = np.stack(np.meshgrid(*[axis] * (m - 1), indexing="ij"), axis=-1).reshape(-1, m - 1)
    surface = np.column_stack([f, 2 * m - gain(f).sum(axis=1)])
    kept = surface[moocore.is_nondominated(surface)]
    (low, first), (passes, second) = dtlz7_pieces()

    def inside(margin):
        f = surface[:, :-1]
        return (((f >= low) & (f <= first + margin)) | ((f > passes - margin) & (f <= second + margin))).all(axis=1)

    step = 1.0 / (steps - 1)  # the grid cannot tell an end by less than a step
    assert inside(-step).sum() <= len(kept) <= inside(step).sum()
    assert nearest(kept, surface[inside(step)]).max() == 0
    assert nearest(surface[inside(-step)], kept).max() == 0
    front = DTLZ7(m).oracle.front.numpy()
    better = (surface[:, None, :] <= front[None, ::7]).all(axis=-1) & (surface[:, None, :] < front[None, ::7]).any(
        axis=-1
    )
    assert not better.any()


@pytest.mark.parametrize("make", [DTLZ1, DTLZ2, DTLZ3, DTLZ4, DTLZ5, DTLZ6], ids=lambda make: make.name)
def test_two_objective_front_is_pymoos(make):
    theirs, ours = pymoo_problem(make(2)).pareto_front(), make(2).oracle.front
    assert nearest(theirs, ours).max() < 0.0011  # half of our widest gap
    assert nearest(ours, theirs).max() < 0.012


@pytest.mark.parametrize("make", [DTLZ1, DTLZ2, DTLZ3, DTLZ4], ids=lambda make: make.name)
def test_three_objective_front_is_pymoos(make):
    theirs, ours = pymoo_problem(make(3)).pareto_front(), make(3).oracle.front
    assert nearest(theirs, ours).max() < 0.04  # the lattices do not nest
    assert nearest(ours, theirs).max() < 0.09


@pytest.mark.parametrize("m", [2, 4])
def test_where_pymoos_dtlz7_differs(m):
    """Its front takes the first objectives at random in [0, 1]: on the surface g = 1, but most points dominated."""
    theirs = pymoo_problem(DTLZ7(m)).pareto_front(n_points=100)
    np.testing.assert_allclose(theirs[:, -1] + gain(theirs[:, :-1]).sum(axis=1), 2 * m, rtol=0, atol=1e-12)
    kept = moocore.is_nondominated(theirs)
    assert kept.mean() < 0.6
    if m == 2:
        assert nearest(theirs[kept], DTLZ7(2).oracle.front).max() < 0.01
        assert nearest(DTLZ7(2).oracle.front, theirs[kept]).max() < 0.02


def nadir_and_ideal(make, m):
    if make is DTLZ7:
        high = 0.859400856645
        return [high] * (m - 1) + [2 * m], [0] * (m - 1) + [2 * m - (m - 1) * 1.692995634498]
    if make in (DTLZ5, DTLZ6) and m == 3:
        return [math.sqrt(0.5), math.sqrt(0.5), 1], [0, 0, 0]
    return [0.5 if make is DTLZ1 else 1] * m, [0] * m


@each_front
def test_reference_point_is_a_tenth_beyond_the_nadir(make, m):
    nadir, ideal = (np.array(point) for point in nadir_and_ideal(make, m))
    problem = make(m)
    np.testing.assert_allclose(problem.reference_point.numpy(), nadir + 0.1 * (nadir - ideal), rtol=0, atol=1e-10)
    if make is not DTLZ7 or m <= 4:  # beyond that its front is a sample without all corners
        np.testing.assert_allclose(problem.oracle.front.max(dim=0).values.numpy(), nadir, rtol=0, atol=1e-10)
        np.testing.assert_allclose(problem.oracle.front.min(dim=0).values.numpy(), ideal, rtol=0, atol=1e-10)


# ------------------------------------------------------------------------------------------------------- errors
@every
def test_errors(make):
    with pytest.raises(ValueError, match=r"`num_objectives` should be at least 2\. Found 1"):
        make(1)
    with pytest.raises(TypeError, match=r"`num_objectives` should be a whole number\. Found 'three'"):
        make("three")
    with pytest.raises(ValueError, match=r"`dim` should be at least num_objectives \(4\): 3 columns along.*Found 3\."):
        make(4, 3)
    with pytest.raises(TypeError, match=r"`dim` should be a whole number\. Found 7\.5"):
        make(3, 7.5)
    with pytest.raises(
        ValueError, match=r"`noise` should be at least 0 and finite, a standard deviation\. Found -0\.1"
    ):
        make(noise=-0.1)
    with pytest.raises(ValueError, match=r"`noise` should be at least 0 and finite.*Found inf"):
        make(noise=math.inf)
    with pytest.raises(TypeError, match=r"`noise` should be a number, a standard deviation\. Found None"):
        make(noise=None)
    with pytest.raises(ValueError, match=rf"`solutions` should have shape \[n, {make().space.dim}\]\. Found \[2, 3\]"):
        make().evaluate(torch.zeros(2, 3))
    noisy = make(noise=0.5)
    with pytest.raises(
        ValueError, match=rf"`generator` should be a torch\.Generator: {make.name} with noise=0\.5.*None"
    ):
        noisy.evaluate(random_rows(noisy, 2))


def test_power_of_dtlz4_is_checked():
    with pytest.raises(ValueError, match=r"`alpha` should be above 0 and finite, a power\. Found 0"):
        DTLZ4(alpha=0)
    with pytest.raises(TypeError, match=r"`alpha` should be a number, a power\. Found 'big'"):
        DTLZ4(alpha="big")
