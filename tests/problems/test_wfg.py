"""WFG against pymoo's values, closed forms, and fronts found by brute force."""

import math

import moocore
import numpy as np
import pymoo.problems
import pytest
import torch

from moo.dominance import non_dominated
from moo.problems.wfg import WFG1, WFG2, WFG3, WFG4, WFG5, WFG6, WFG7, WFG8, WFG9, wfg2_pieces

CLASSES = [WFG1, WFG2, WFG3, WFG4, WFG5, WFG6, WFG7, WFG8, WFG9]
ELLIPTIC = CLASSES[3:]

every = pytest.mark.parametrize("make", CLASSES, ids=lambda make: make.name)
each_front = pytest.mark.parametrize(
    ("make", "m"),
    [(make, m) for make in CLASSES for m in (2, 3, 4, 7) if m == 2 or make is not WFG3],
    ids=lambda value: getattr(value, "name", value),
)


def random_rows(problem, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return problem.space.from_unit(torch.rand(n, problem.space.dim, generator=generator, dtype=torch.float64))


def best_rows(problem, n, seed=0):
    """Rows of distance 0, at random positions."""
    unit = random_rows(problem, n, seed) / problem.space.upper
    if problem.name == "wfg1":
        unit = unit**50  # so that the biased positions are spread evenly
    k, dim = problem.k, problem.space.dim
    unit[:, k:] = 0.35
    if problem.name == "wfg8":
        for i in range(k, dim):
            unit[:, i] = unbent(unit[:, :i].mean(dim=1))
    if problem.name == "wfg9":
        for i in range(dim - 2, k - 1, -1):
            unit[:, i] = unbent(unit[:, i + 1 :].mean(dim=1))
    return unit * problem.space.upper


def unbent(u, target=0.35):
    """What the bias by `u` turns into the target."""
    a = 0.98 / 49.98
    return target ** (1 / (0.02 + 49.98 * (a - (1 - 2 * u) * ((0.5 - u).floor() + a).abs())))


def pymoo_problem(problem):
    return pymoo.problems.get_problem(problem.name, n_var=problem.space.dim, n_obj=problem.num_objectives, k=problem.k)


def mixed(x):
    return 1 - x - np.cos(10 * np.pi * x + np.pi / 2) / (10 * np.pi)


def gain(x):
    return x * np.cos(5 * np.pi * x) ** 2


# ------------------------------------------------------------------------------------------------------- values
@pytest.mark.parametrize(("m", "k", "l"), [(2, None, 20), (2, 5, 2), (3, None, 10), (3, 6, 4), (5, 8, 6)])
@every
def test_values_are_pymoos(make, m, k, l):  # noqa: E741
    problem = make(m, k, l)
    rows = torch.cat([random_rows(problem, 200), problem.space.lower[None], problem.space.upper[None]])
    expected = pymoo_problem(problem).evaluate(rows.numpy())
    np.testing.assert_allclose(problem.evaluate(rows).numpy(), expected, rtol=0, atol=1e-10)


def test_values_by_hand():
    problem = WFG4(2, 1, 1)  # y = (1/2, 0.35): the middle between two of the 30 waves on either side of 0.35
    off = 0.15 / (2 * 0.65)
    y = (1 + math.cos(122 * math.pi * (0.5 - off)) + 40 * off**2) / 12
    expected = [2 * math.sin(math.pi / 2 * y), 4 * math.cos(math.pi / 2 * y)]
    np.testing.assert_allclose(problem.evaluate(torch.tensor([[1.0, 1.4]]).double())[0], expected, atol=1e-7)
    problem = WFG2(2, 1, 2)  # x = 1: f = (d + 2, d), the distance of (0, 1) being (1 + 1 + 0) / 3
    np.testing.assert_allclose(problem.evaluate(torch.tensor([[2.0, 0.0, 6.0]])), [[2 + 2 / 3, 2 / 3]], atol=1e-12)


@every
def test_contract(make):
    problem = make(4)
    assert (problem.kind, problem.name) == ("vector", make.__name__.lower())
    assert (problem.num_objectives, problem.directions) == (4, ("min",) * 4)
    assert problem.objective_names == ("f1", "f2", "f3", "f4")
    assert (problem.stochastic, problem.num_constraints, problem.unit) == (False, 0, "evaluations")
    assert (problem.k, problem.l, problem.space.dim) == (6, 20, 26)
    assert problem.space.upper.tolist() == [2 * (i + 1) for i in range(26)]
    assert problem.oracle is problem.oracle
    assert make(2).k == 4


# ------------------------------------------------------------------------------------------------------- fronts
def off_front(problem, values):
    """How far values `[n, m]` of distance 0 are from the front's equation."""
    shape = (values / (2 * torch.arange(1, problem.num_objectives + 1))).numpy()
    if problem.name == "wfg3":
        return shape.sum(axis=1) - 1
    if problem.name in ("wfg1", "wfg2"):
        return convex_off(shape) if problem.num_objectives == 2 else np.zeros(1)
    return (shape**2).sum(axis=1) - 1


def convex_off(shape):
    """How far `h_2` is from its shape at the `x_1` that `h_1 = 1 - cos(pi x_1 / 2)` says: of WFG1 or of WFG2."""
    x = np.arccos(1 - shape[:, 0]) / (np.pi / 2)
    return np.minimum(abs(shape[:, 1] - mixed(x)), abs(shape[:, 1] - 1 + gain(x)))


@each_front
def test_front_lies_on_its_formula_and_best_rows_reach_it(make, m):
    problem = make(m)
    assert abs(off_front(problem, problem.oracle.front)).max() < 1e-9
    reached = problem.evaluate(best_rows(problem, 200))
    assert abs(off_front(problem, reached)).max() < (1e-9 if make in (WFG1, WFG2, WFG3) else 1e-6)


@each_front
def test_front_points_do_not_dominate_each_other(make, m):
    problem = make(m)
    front = problem.oracle.front
    assert 790 <= len(front) <= 2000
    assert (front >= 0).all()
    assert non_dominated(-front).all()
    assert len(torch.unique(front, dim=0)) == len(front)
    assert problem.reference_front is front


@each_front
def test_reference_point_is_a_tenth_beyond_the_nadir(make, m):
    problem = make(m)
    best, worst = problem.oracle.front.amin(dim=0), problem.oracle.front.amax(dim=0)
    torch.testing.assert_close(problem.reference_point, worst + 0.1 * (worst - best), rtol=0, atol=1e-9)


@each_front
def test_nothing_dominates_the_front(make, m):
    problem = make(m)
    front = problem.oracle.front[:, None]
    near = best_rows(problem, 300, seed=1)
    near[:, -1] *= 1.001
    for rows in (random_rows(problem, 300), best_rows(problem, 300), near):
        values = problem.evaluate(rows)
        assert not ((values <= front).all(dim=-1) & (values < front - 1e-9).any(dim=-1)).any()


@pytest.mark.parametrize("make", [WFG1, WFG2, WFG3], ids=lambda make: make.name)
def test_places_on_the_shape_are_attained(make):
    """Where all columns of a position are alike, it is that number: those of the front bring its points."""
    problem = make(2)
    x = np.arccos(1 - problem.oracle.front[:, 0].numpy() / 2) / (np.pi / 2)
    x = problem.oracle.front[:, 0].numpy() / 2 if make is WFG3 else x
    rows = best_rows(problem, len(x))
    unit = torch.from_numpy(x**50 if make is WFG1 else x)
    rows[:, : problem.k] = unit[:, None] * problem.space.upper[: problem.k]
    torch.testing.assert_close(problem.evaluate(rows), problem.oracle.front, rtol=0, atol=1e-6)


@pytest.mark.parametrize("make", ELLIPTIC, ids=lambda make: make.name)
def test_best_rows_come_near_every_point_of_an_elliptic_front(make):
    problem = make(2, 1)
    rows = best_rows(problem, 20_000)
    if make in (WFG5, WFG9):  # the optimum of a deceptive column is narrow: half of the rows go there
        near = torch.linspace(0.349, 0.351, 10_000, dtype=torch.float64)
        bias = (rows[:10_000, 1:] / problem.space.upper[1:]).mean(dim=1)
        rows[:10_000, 0] = problem.space.upper[0] * (near if make is WFG5 else unbent(bias, near))
    values = problem.evaluate(rows)
    gaps = torch.cdist(problem.oracle.front, values).min(dim=1).values
    assert gaps.max() < 0.05  # of ranges 2 and 4
    assert gaps.median() < 0.005


def test_wfg2_pieces_by_brute_force():
    x = np.linspace(0, 1, 1_000_001)
    before = np.concatenate([[-np.inf], np.maximum.accumulate(gain(x))[:-1]])
    edges = np.flatnonzero(np.diff((gain(x) > before).astype(int)))
    np.testing.assert_allclose(np.ravel(wfg2_pieces()), np.concatenate([[0.0], x[edges], [1.0]]), rtol=0, atol=2e-6)


@pytest.mark.parametrize(("m", "steps"), [(2, 2001), (3, 141)])
def test_wfg2_front_by_brute_force(m, steps):
    """On a grid of the surface of distance 0, the points that no other dominates are those over the pieces."""
    axis = np.linspace(0, 1, steps)
    x = np.stack(np.meshgrid(*[axis] * (m - 1), indexing="ij"), axis=-1).reshape(-1, m - 1)
    c, s = 1 - np.cos(np.pi / 2 * x), 1 - np.sin(np.pi / 2 * x)
    shapes = [c[:, 0], 1 - gain(x[:, 0])] if m == 2 else [c[:, 0] * c[:, 1], c[:, 0] * s[:, 1], 1 - gain(x[:, 0])]
    kept = moocore.is_nondominated(np.column_stack(shapes), keep_weakly=True)

    def inside(margin):
        return np.any([(x[:, 0] > low - margin) & (x[:, 0] <= high + margin) for low, high in wfg2_pieces()], axis=0)

    step = 1 / (steps - 1)  # the grid cannot tell an end by less than a step
    assert not (kept & ~inside(step)).any()
    assert not (inside(-step) & ~kept).any()


def test_pymoos_random_fronts():
    """That of WFG2 lies on the surface, dominated points included; that of WFG1 is off, and ours is not."""
    theirs = torch.from_numpy(pymoo_problem(WFG2(2))._calc_pareto_front(n_iterations=20))
    assert abs(off_front(WFG2(2), theirs)).max() < 1e-9
    assert not non_dominated(-theirs, keep_duplicates=True).all()
    theirs = torch.from_numpy(pymoo_problem(WFG1(2))._calc_pareto_front(n_iterations=20))
    assert abs(theirs.amin(dim=0) - 0.0695).max() < 1e-3


def test_wfg3_is_not_degenerate():
    """A row off the published line, dominated by none of it: with d its distance, f = (1 + 2 d, 2 - d, d)."""
    problem = WFG3(3, 2, 2)
    assert problem.oracle is problem.reference_front is problem.reference_point is None
    row = torch.tensor([[2.0, 4.0, 0.0, 8.0]])
    values = problem.evaluate(row)
    d = 2 / 3
    torch.testing.assert_close(values, torch.tensor([[1 + 2 * d, 2 - d, d]], dtype=torch.float64))
    x = torch.linspace(0, 1, 10_001, dtype=torch.float64)
    line = torch.stack([x, 2 * x, 6 * (1 - x)], dim=1)
    on_line = torch.cat([x[:, None] * 2, torch.full((10_001, 1), 2.0), torch.full((10_001, 1), 2.1)], dim=1).double()
    on_line = torch.cat([on_line, torch.full((10_001, 1), 2.8, dtype=torch.float64)], dim=1)
    torch.testing.assert_close(problem.evaluate(on_line), line)
    assert (line - values).max(dim=1).values.min() > 0.3


# ------------------------------------------------------------------------------------------------------- bad input
def test_errors():
    with pytest.raises(ValueError, match=r"`num_objectives` should be at least 2\. Found 1\."):
        WFG1(1)
    message = r"`k`, the columns of position, should be a multiple of num_objectives - 1 \(2\)\. Found 3\."
    with pytest.raises(ValueError, match=message):
        WFG5(3, 3)
    for make in (WFG2, WFG3):
        with pytest.raises(ValueError, match=rf"columns of distance, should be even for {make.name}\. Found 3\."):
            make(2, l=3)
    assert WFG4(2, l=3).space.dim == 7
    with pytest.raises(ValueError, match=r"`l` should be at least 1\. Found 0\."):
        WFG4(l=0)
    with pytest.raises(ValueError, match=r"`noise` should be at least 0"):
        WFG4(noise=-1)
    with pytest.raises(ValueError, match=r"`solutions` should have shape \[n, 24\]\. Found \[1, 3\]"):
        WFG4().evaluate(torch.zeros(1, 3))
