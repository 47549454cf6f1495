"""Exact R2 against rational arithmetic by another route, quasi-random weights, moocore and closed values."""

import itertools
from fractions import Fraction

import moocore
import numpy as np
import pytest
import torch
from scipy.stats import qmc

from moo.indicators import r2_integrals
from moo.indicators.r2_integrals import r2_exact_2d, r2_exact_3d, r2_exact_4d

FUNCTIONS = [(2, r2_exact_2d), (3, r2_exact_3d), (4, r2_exact_4d)]


def largest(row):
    """E max_i w_i s_i for weights uniform on the simplex: E min over I is 1 / (m sum over I of 1/s)."""
    sides = [1 / value for value in row if value]
    parts = itertools.chain.from_iterable(itertools.combinations(sides, size) for size in range(1, len(sides) + 1))
    return sum(((-1) ** (len(part) + 1) / (len(row) * sum(part)) for part in parts), Fraction(0))


def rational(rows):
    """R2 without rounding: the smallest over rows is an alternating sum of largest values over subsets of rows."""
    rows = [[Fraction(value) for value in row] for row in rows]
    subsets = itertools.chain.from_iterable(itertools.combinations(rows, size) for size in range(1, len(rows) + 1))
    return sum((-1) ** (len(chosen) + 1) * largest([max(c) for c in zip(*chosen, strict=True)]) for chosen in subsets)


def assert_exact(function, rows, tolerance=2e-15):
    right = rational(rows.tolist())
    found = Fraction(function(rows).item())
    assert abs(found - right) <= Fraction(tolerance) * right, (float(found), float(right))


def fronts(sets, n, m, seed=0):
    """Shortfalls of concave fronts, with some dominated rows and duplicates."""
    rows = np.abs(np.random.default_rng(seed).standard_normal((sets, n, m)))
    rows = 1 - rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    rows[:, ::5] *= 1.1
    rows[:, 1 : n // 4] = rows[:, n // 2 : n // 2 + n // 4 - 1]
    return torch.from_numpy(rows)


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "function"), FUNCTIONS)
def test_closed_values(m, function):
    def value(rows):
        return function(torch.as_tensor(rows, dtype=torch.float64)).item()

    assert value([[0.0] * m]) == 0
    assert value([[0.0] * m, [1.0] * m]) == 0
    assert value([[1.0] * m]) == pytest.approx([3 / 4, 11 / 18, 25 / 48][m - 2], rel=1e-15)
    assert value(torch.eye(m)) == pytest.approx(1 / m**2, rel=1e-15)
    assert value(torch.eye(m)[:1]) == pytest.approx(1 / m, rel=1e-15)
    assert value([[1.0] * m, [2.0] * m]) == pytest.approx(value([[1.0] * m]), rel=1e-15)


def test_a_dense_linear_front_tends_to_a_sixth():
    first = torch.linspace(0, 1, 10001, dtype=torch.float64)
    assert r2_exact_2d(torch.stack([first, 1 - first], dim=1)).item() == pytest.approx(1 / 6, rel=1e-4)


@pytest.mark.parametrize(("m", "function"), FUNCTIONS)
def test_they_equal_rational_arithmetic(m, function):
    rng = np.random.default_rng(m)
    for case in range(40):
        rows = rng.random((rng.integers(1, 8), m))
        rows = [rows, np.round(3 * rows), rows * 10.0 ** rng.integers(-9, 9, rows.shape), 1 + 1e-9 * rows][case % 4]
        assert_exact(function, torch.from_numpy(rows))


@pytest.mark.parametrize(("m", "function"), FUNCTIONS)
def test_extreme_shortfalls_neither_overflow_nor_cancel(m, function):
    rng = np.random.default_rng(m)
    for _ in range(10):
        assert_exact(function, torch.from_numpy(rng.random((5, m)) * 10.0 ** rng.integers(-150, 150, (5, m))))
    rows = torch.from_numpy(rng.random((5, m)))
    for power in (-1000, 1000):
        torch.testing.assert_close(function(rows * 2.0**power), function(rows) * 2.0**power, rtol=1e-14, atol=0)


def test_two_objectives_agree_with_moocore():
    for n in (1, 2, 5, 40):
        rows = fronts(100, n, 2, seed=n)
        right = [moocore.r2_exact(one, ref=[0, 0]) for one in rows.numpy()]
        np.testing.assert_allclose(r2_exact_2d(rows), right, rtol=1e-12)
    rows = fronts(1, 10_000, 2)[0]
    assert r2_exact_2d(rows).item() == pytest.approx(moocore.r2_exact(rows.numpy(), ref=[0, 0]), rel=1e-12)


@pytest.mark.parametrize(("m", "function"), FUNCTIONS)
def test_they_agree_with_quasi_random_weights(m, function):
    rows = fronts(1, 30, m, seed=3)[0]
    cuts = np.sort(qmc.Sobol(m - 1, seed=0).random_base2(17), axis=1)
    weights = torch.from_numpy(np.diff(cuts, axis=1, prepend=0, append=1))
    utility = torch.stack([(weights * row).amax(dim=1) for row in rows]).amin(dim=0).mean()
    assert function(rows).item() == pytest.approx(utility.item(), rel=5e-5)


# --- how sets are laid out --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "function"), FUNCTIONS)
def test_neutral_rows_and_empty_sets(m, function):
    rows = fronts(7, 6, m)
    padded = torch.cat([torch.full((7, 2, m), torch.inf, dtype=torch.float64), rows], dim=1)
    torch.testing.assert_close(function(padded), function(rows), rtol=1e-14, atol=0)
    assert function(torch.full((3, m), torch.inf)).item() == torch.inf
    assert function(torch.zeros(0, m)).item() == torch.inf
    assert torch.equal(function(torch.zeros(2, 3, 0, m)), torch.full((2, 3), torch.inf))
    assert function(torch.zeros(0, 4, m)).shape == (0,)
    mixed = torch.stack([rows[0], torch.zeros(6, m), torch.full((6, m), torch.inf)])
    assert function(mixed).tolist() == [function(rows[0]).item(), 0, torch.inf]


@pytest.mark.parametrize(("m", "function"), FUNCTIONS)
def test_a_batch_is_its_sets_in_any_order(m, function, monkeypatch):
    rows = fronts(12, 20, m)
    before, whole = rows.clone(), function(rows)
    assert torch.equal(rows, before)
    torch.testing.assert_close(whole, torch.stack([function(one) for one in rows]), rtol=1e-14, atol=0)
    assert torch.equal(function(rows.reshape(2, 3, 2, 20, m)), whole.reshape(2, 3, 2))
    moved = rows[:, torch.randperm(20, generator=torch.Generator().manual_seed(0))].flip(-1)
    torch.testing.assert_close(function(moved), whole, rtol=1e-14, atol=0)
    monkeypatch.setattr(r2_integrals, "CELLS_CPU", 50)
    torch.testing.assert_close(function(rows), whole, rtol=1e-14, atol=0)


@pytest.mark.parametrize(("m", "function"), FUNCTIONS)
def test_float32_is_near(m, function):
    rows = fronts(20, 15, m)
    found = function(rows.float())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), function(rows), rtol=2e-6, atol=0)


@pytest.mark.parametrize(("m", "function"), FUNCTIONS)
def test_gradients(m, function):
    rows = torch.rand(2, 5, m, generator=torch.Generator().manual_seed(m), dtype=torch.float64) + 0.1
    assert torch.autograd.gradcheck(function, (rows.requires_grad_(),))
    rows = torch.eye(m, dtype=torch.float64).requires_grad_()
    value = function(rows)
    value.backward()
    assert (rows.grad * rows).sum().item() == pytest.approx(value.item())  # homogeneous of degree one
    assert torch.equal(rows.grad[rows == 0], torch.zeros(m * m - m, dtype=torch.float64))
