"""ZDT against pymoo's values, closed forms, and fronts found by brute force."""

import math

import numpy as np
import pymoo.problems
import pytest
import torch

from moo.dominance import non_dominated
from moo.problems.zdt import ZDT1, ZDT2, ZDT3, ZDT4, ZDT5, ZDT6, zdt3_pieces, zdt6_lowest_f1

CLASSES = [ZDT1, ZDT2, ZDT3, ZDT4, ZDT5, ZDT6]
CONTINUOUS = [ZDT1, ZDT2, ZDT3, ZDT4, ZDT6]
LOWEST = 0.2807753188  # of ZDT6's f1, by scipy's bounded minimiser

FRONTS = {
    "zdt1": lambda f1: 1 - np.sqrt(f1),
    "zdt2": lambda f1: 1 - f1**2,
    "zdt3": lambda f1: 1 - np.sqrt(f1) - f1 * np.sin(10 * np.pi * f1),
    "zdt4": lambda f1: 1 - np.sqrt(f1),
    "zdt5": lambda f1: 10 / f1,
    "zdt6": lambda f1: 1 - f1**2,
}

every = pytest.mark.parametrize("make", CLASSES, ids=lambda make: make.name)


def random_rows(problem, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return problem.space.from_unit(torch.rand(n, problem.space.dim, generator=generator, dtype=torch.float64))


def best_rows(problem, n, seed=0):
    """Rows at the least g, and so on the front's curve."""
    rows = random_rows(problem, n, seed)
    first = 30 if problem.name == "zdt5" else 1
    rows[:, first:] = 1.0 if problem.name == "zdt5" else 0.0
    return rows


def pymoo_problem(problem):
    if problem.name == "zdt5":
        return pymoo.problems.get_problem("zdt5", m=problem.groups, normalize=False)
    return pymoo.problems.get_problem(problem.name, n_var=problem.space.dim)


def nearest(points, others):
    """The distance from each of `points` to the nearest of `others`."""
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cdist(torch.as_tensor(points), torch.as_tensor(others), compute_mode=exact).min(dim=1).values


# ------------------------------------------------------------------------------------------------------- values
@every
def test_values_are_pymoos(make):
    for problem in (make(), make(3)):
        rows = random_rows(problem, 300)
        expected = pymoo_problem(problem).evaluate(rows.numpy())
        np.testing.assert_allclose(problem.evaluate(rows).numpy(), expected, rtol=1e-12, atol=1e-12)


def test_values_by_hand():
    assert ZDT1(dim=2).evaluate(torch.tensor([[0.25, 1.0]])).tolist() == [[0.25, 10 * (1 - math.sqrt(0.025))]]
    row = torch.zeros(1, 80)
    row[0, :2] = 1  # f1 = 3; ten groups without a one: v = 2 each
    assert ZDT5().evaluate(row).tolist() == [[3.0, 20 / 3]]
    row[0, 30:35] = 1
    row[0, 35:39] = 1  # one group full: 1; one with four ones: 6
    assert ZDT5().evaluate(row).tolist() == [[3.0, (1 + 6 + 8 * 2) / 3]]


def test_spaces():
    assert [make().space.dim for make in CLASSES] == [30, 30, 30, 10, 80, 10]
    assert ZDT4().space.lower.tolist() == [0] + [-5] * 9
    assert ZDT4().space.upper.tolist() == [1] + [5] * 9
    assert ZDT5().space.kinds == {"integer"}
    assert ZDT5(groups=3).space.size == 2**40
    assert ZDT1(dim=4).space.dim == 4


# ------------------------------------------------------------------------------------------------------- fronts
@every
def test_front_lies_on_its_formula_and_best_rows_reach_it(make):
    problem = make()
    front = problem.oracle.front.numpy()
    formula = FRONTS[problem.name]
    np.testing.assert_allclose(front[:, 1], formula(front[:, 0]), rtol=0, atol=1e-14)
    reached = problem.evaluate(best_rows(problem, 200)).numpy()
    np.testing.assert_allclose(reached[:, 1], formula(reached[:, 0]), rtol=0, atol=1e-14)


@every
def test_no_front_point_dominates_another(make):
    front = make().oracle.front
    assert len(front) == 31 if make is ZDT5 else 990 <= len(front) <= 1010
    assert non_dominated(-front).all()


@every
def test_nothing_dominates_the_front(make):
    problem = make()
    front = problem.oracle.front[:, None]
    near = best_rows(problem, 1000, seed=1)
    near[:, -1] = near[:, -1] if make is ZDT5 else 1e-6
    for rows in (random_rows(problem, 1000), best_rows(problem, 1000), near):
        values = problem.evaluate(rows)
        assert not ((values <= front).all(dim=-1) & (values < front - 1e-12).any(dim=-1)).any()


@pytest.mark.parametrize("make", CONTINUOUS, ids=lambda make: make.name)
def test_every_front_point_is_attained(make):
    """Solve f1(x1) for x1, put g at its least, and the values are the front point's."""
    problem = make()
    front = problem.oracle.front
    rows = torch.zeros(len(front), problem.space.dim, dtype=torch.float64)
    rows[:, 0] = front[:, 0]
    if make is ZDT6:  # f1 falls from 1 at x1 = 0 to its least on the first peak: bisection
        low, high = torch.zeros(len(front)).double(), torch.full((len(front),), math.atan(9 * math.pi) / 6 / math.pi)
        high = high.double()
        for _ in range(60):
            rows[:, 0] = (low + high) / 2
            above = problem.evaluate(rows)[:, 0] > front[:, 0]
            low, high = torch.where(above, rows[:, 0], low), torch.where(above, high, rows[:, 0])
    torch.testing.assert_close(problem.evaluate(rows), front, rtol=0, atol=1e-12)


@pytest.mark.parametrize("make", CONTINUOUS, ids=lambda make: make.name)
def test_front_is_evenly_taken(make):
    gaps = make().oracle.front.diff(dim=0).norm(dim=1)
    typical = gaps.median()
    even = (gaps - typical).abs() < 0.05 * typical  # chords, shorter than the arc where ZDT3 turns sharply
    assert int((~even).sum()) == (4 if make is ZDT3 else 0)  # between five pieces


def test_zdt3_pieces_by_brute_force():
    f1 = np.linspace(0, 1, 1_000_001)
    f2 = FRONTS["zdt3"](f1)
    before = np.concatenate([[np.inf], np.minimum.accumulate(f2)[:-1]])
    on = f2 < before
    edges = np.flatnonzero(np.diff(on.astype(int)))
    found = np.concatenate([[0.0], f1[edges]]).reshape(-1, 2)
    np.testing.assert_allclose(np.array(zdt3_pieces()), found, rtol=0, atol=2e-6)
    front = ZDT3().oracle.front
    inside = [((front[:, 0] >= low) & (front[:, 0] <= high + 1e-15)) for low, high in zdt3_pieces()]
    assert torch.stack(inside).sum(dim=0).eq(1).all()
    for low, high in zdt3_pieces():  # the right ends are points, the left ends, but the first, are not
        assert (front[:, 0] - high).abs().min() < 1e-15
        assert bool((front[:, 0] - low).abs().min() < 1e-15) == (low == 0)


def test_zdt5_has_31_points():
    front = ZDT5().oracle.front
    assert front.shape == (31, 2)
    assert front[[0, 1, 30]].tolist() == [[1, 10], [2, 5], [31, 10 / 31]]
    assert ZDT5(groups=4).oracle.front[[0, 30]].tolist() == [[1, 3], [31, 3 / 31]]


def test_zdt6_lowest_f1_by_brute_force():
    x1 = torch.linspace(0, 1, 200_001, dtype=torch.float64)
    rows = torch.zeros(len(x1), 10, dtype=torch.float64)
    rows[:, 0] = x1
    lowest = float(ZDT6().evaluate(rows)[:, 0].min())
    assert 0 <= lowest - zdt6_lowest_f1() < 1e-8
    assert zdt6_lowest_f1() == pytest.approx(LOWEST, abs=1e-10)
    assert float(ZDT6().oracle.front[0, 0]) == zdt6_lowest_f1()


@pytest.mark.parametrize("make", CONTINUOUS, ids=lambda make: make.name)
def test_front_is_pymoos(make):
    theirs, ours = pymoo_problem(make()).pareto_front(), make().oracle.front
    assert nearest(theirs, ours).max() < 0.002  # half a gap of ours
    assert nearest(ours, theirs).max() < 0.06  # theirs has 100 points, even in f1: a wide gap where f2 is steep


def test_where_pymoos_zdt3_differs():
    """It writes 0.182228780 for the left end of the second piece, which is 0.1822287280."""
    theirs = pymoo_problem(ZDT3()).pareto_front(n_points=100)
    assert theirs[20, 0] == 0.182228780
    assert zdt3_pieces()[1][0] == pytest.approx(0.1822287280, abs=1e-10)


def test_where_pymoos_zdt5_differs():
    """Its front has 100 points of a hyperbola; f1 counts bits, so that only the four with a whole f1 exist."""
    theirs = torch.as_tensor(pymoo_problem(ZDT5()).pareto_front())
    exists = nearest(theirs, ZDT5().oracle.front) < 1e-9
    assert (len(theirs), int(exists.sum())) == (100, 4)


@pytest.mark.parametrize(
    ("problem", "ideal", "nadir"),
    [
        (ZDT1(), (0, 0), (1, 1)),
        (ZDT2(), (0, 0), (1, 1)),
        (ZDT3(), (0, -0.773369012327), (0.851832865436, 1)),
        (ZDT4(), (0, 0), (1, 1)),
        (ZDT5(), (1, 10 / 31), (31, 10)),
        (ZDT5(groups=2), (1, 1 / 31), (31, 1)),
        (ZDT6(), (LOWEST, 0), (1, 1 - LOWEST**2)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_reference_point_is_a_tenth_beyond_the_nadir(problem, ideal, nadir):
    ideal, nadir = np.array(ideal), np.array(nadir)
    np.testing.assert_allclose(problem.reference_point.numpy(), nadir + 0.1 * (nadir - ideal), rtol=0, atol=1e-9)
    np.testing.assert_allclose(problem.oracle.front.min(dim=0).values.numpy(), ideal, rtol=0, atol=1e-9)
    np.testing.assert_allclose(problem.oracle.front.max(dim=0).values.numpy(), nadir, rtol=0, atol=1e-9)


def test_zdt1_reference_point_exactly():
    assert ZDT1().reference_point.tolist() == [1.1, 1.1]


# ------------------------------------------------------------------------------------------------------- errors
@every
def test_errors(make):
    count = "groups" if make is ZDT5 else "dim"
    with pytest.raises(ValueError, match=rf"`{count}` should be at least 2\. Found 1"):
        make(1)
    with pytest.raises(TypeError, match=rf"`{count}` should be a whole number\. Found 2\.5"):
        make(2.5)
    with pytest.raises(ValueError, match=r"`noise` should be at least 0 and finite, a standard deviation\. Found -1"):
        make(noise=-1)
    with pytest.raises(ValueError, match=r"`noise` should be at least 0 and finite.*Found nan"):
        make(noise=math.nan)
    with pytest.raises(TypeError, match=r"`noise` should be a number.*Found 'loud'"):
        make(noise="loud")
    with pytest.raises(TypeError, match=r"`noise` should be a number.*Found True"):
        make(noise=True)
    with pytest.raises(ValueError, match=rf"`solutions` should have shape \[n, {make().space.dim}\]\. Found \[1, 7\]"):
        make().evaluate(torch.zeros(1, 7))
    noisy = make(noise=0.5)
    with pytest.raises(
        ValueError, match=rf"`generator` should be a torch\.Generator: {make.name} with noise=0\.5.*None"
    ):
        noisy.evaluate(random_rows(noisy, 2))
