"""Diversity from the distances of all pairs: named properties, edges and parameters.

That they equal literal loops, and batches, masks, gradients and input, is tested in test_diversity.py.
"""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.indicators import mean_pairwise_distance, riesz_energy, solow_polasky

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def line(*places):
    """Rows on a line of two objectives, that many apart."""
    return np.array([[place / math.sqrt(2), -place / math.sqrt(2)] for place in places])


def points(seed, n=8, m=3, scale=1.0):
    return scale * np.random.default_rng(seed).normal(size=(n, m))


# --- mean distance ----------------------------------------------------------------------------------------------------


def test_two_clumps_have_the_largest_mean_distance():
    assert mean_pairwise_distance(line(0, 0, 1, 1)) > mean_pairwise_distance(line(0, 1 / 3, 2 / 3, 1))


# --- energy -----------------------------------------------------------------------------------------------------------


def test_energies_by_hand():
    assert riesz_energy(line(0, 2)) == pytest.approx(2 / 2, rel=1e-14)  # two ordered pairs
    assert riesz_energy(line(0, 1, 3)) == pytest.approx(2 * (1 + 1 / 2 + 1 / 3), rel=1e-14)
    assert riesz_energy(line(0, 1, 3), s=2) == pytest.approx(2 * (1 + 1 / 4 + 1 / 9), rel=1e-14)
    square = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    assert riesz_energy(square) == pytest.approx(2 / 2, rel=1e-14)  # s = 2 of three objectives
    assert riesz_energy([[1.0], [3.0]]) == 1.0  # s = 1 of one


def test_the_default_power_is_that_of_a_front():
    for m in range(1, 6):
        rows = points(m, m=m)
        assert riesz_energy(rows) == riesz_energy(rows, s=max(1, m - 1))


def test_even_rows_have_the_least_energy():
    even = riesz_energy(line(*range(11)), s=4)
    rng = np.random.default_rng(0)
    for _ in range(20):
        moved = np.arange(11.0)
        moved[1:-1] += rng.uniform(-0.4, 0.4, 9)
        assert riesz_energy(line(*moved), s=4) > even
    assert riesz_energy(line(*range(10)), s=4) < even  # a row less: sets of different sizes cannot be compared


@moderate
@given(seeds, st.floats(0.1, 8), st.floats(0.1, 10))
def test_stretching_divides_the_energy(seed, s, factor):
    rows = points(seed)
    assert riesz_energy(rows * factor, s=s) == pytest.approx(riesz_energy(rows, s=s) / factor**s, rel=1e-9)


def test_equal_rows_have_endless_energy_however_far_the_others_lie():
    rows = points(0)
    rows[5] = rows[2]
    assert riesz_energy(rows) == math.inf
    batch = torch.from_numpy(np.stack([rows, points(1)])).requires_grad_()
    found = riesz_energy(batch)
    assert found[0] == math.inf
    assert found[1] == riesz_energy(batch[1].detach())
    assert riesz_energy(rows, mask=np.arange(8) != 5) == riesz_energy(np.delete(rows, 5, axis=0))
    found[1].backward()
    assert torch.isfinite(batch.grad).all()


def test_rows_too_near_for_a_power_have_endless_energy():
    assert riesz_energy([[0.0, 0.0], [1e-200, 0.0]]) == math.inf  # the square of the distance is 0
    assert riesz_energy([[0.0, 0.0], [1e-150, 0.0]], s=3) == math.inf


@pytest.mark.parametrize("s", [0, -1.0, math.inf, math.nan])
def test_a_power_that_is_not_above_zero_is_an_error(s):
    with pytest.raises(ValueError, match=r"^`s` should be above 0 and finite, how much near pairs weigh\. Found "):
        riesz_energy(points(0), s=s)


def test_a_power_that_is_no_number_is_an_error():
    with pytest.raises(TypeError, match=r"^`s` should be a number, how much near pairs weigh\. Found '2'"):
        riesz_energy(points(0), s="2")


# --- number of different rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [0.001, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("theta", [0.5, 10.0])
def test_rows_on_a_line_have_a_closed_form(gap, theta):
    """Leinster and Willerton 2013: 1 plus the hyperbolic tangents of half the scaled gaps."""
    places = np.cumsum([0.0, gap, 2 * gap, 0.5 * gap])
    expected = 1 + sum(math.tanh(theta * step / 2) for step in np.diff(places))
    assert solow_polasky(line(*places), theta=theta) == pytest.approx(expected, rel=1e-9)


@moderate
@given(seeds, st.sampled_from([0.001, 0.03, 0.1, 1.0]))
def test_it_is_a_number_of_rows_that_grows_with_each(seed, scale):
    rows = points(seed, scale=scale)
    steps = [solow_polasky(rows[:n]) for n in range(9)]
    assert steps[0] == 0.0
    assert steps[1] == 1.0
    assert all(more >= less - 1e-9 for less, more in pairwise(steps))
    assert steps[8] <= 8 + 1e-9


@moderate
@given(seeds)
def test_theta_and_the_scale_are_one(seed):
    rows = points(seed, scale=0.1)
    assert solow_polasky(rows, theta=3.0) == pytest.approx(solow_polasky(rows * 3, theta=1.0), rel=1e-9)
    assert solow_polasky(rows, theta=1e6) == pytest.approx(8, rel=1e-9)
    assert solow_polasky(rows, theta=1e-9) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("apart", [0.0, 1e-300, 1e-18, 1e-16, 1e-14, 1e-12, 1e-9])
def test_equal_and_nearly_equal_rows_count_once(apart):
    rows = points(0, n=40, m=2, scale=0.1)
    twins = np.concatenate([rows, rows + apart, rows - apart])
    expected = solow_polasky(rows)
    assert solow_polasky(twins) == pytest.approx(expected, rel=1e-6 if apart < 1e-9 else 1e-5)
    assert solow_polasky(twins[None]).item() == pytest.approx(expected, rel=1e-6 if apart < 1e-9 else 1e-5)


def test_a_clump_of_very_many_rows_is_no_fault():
    rows = points(0, n=1500, m=2, scale=1e-13)
    assert solow_polasky(rows) == pytest.approx(1, abs=1e-6)
    batch = torch.from_numpy(np.stack([rows[:200], points(1, n=200, m=2)]))
    found = solow_polasky(batch)
    assert found[0] == pytest.approx(1, abs=1e-6)
    assert found[1] == pytest.approx(solow_polasky(batch[1]), rel=1e-12)


def test_a_gradient_flows_where_equal_rows_were_merged():
    rows = torch.from_numpy(points(0, n=6, scale=0.1))
    rows[4] = rows[1]
    rows.requires_grad_()
    solow_polasky(rows).backward()
    assert torch.isfinite(rows.grad).all()
    assert (rows.grad[4] == 0).all()  # the first of equal rows stands for them
    assert (rows.grad[:4] != 0).any(dim=1).all()


@pytest.mark.parametrize("theta", [0, -2.0, math.inf, math.nan])
def test_a_theta_that_is_not_above_zero_is_an_error(theta):
    with pytest.raises(ValueError, match=r"^`theta` should be above 0 and finite, how fast likeness falls .* Found "):
        solow_polasky(points(0), theta=theta)


def test_a_theta_that_is_no_number_is_an_error():
    with pytest.raises(TypeError, match=r"^`theta` should be a number, .*\. Found None"):
        solow_polasky(points(0), theta=None)
