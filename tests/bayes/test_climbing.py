"""Batched climbs against maxima that are known."""

import math

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from moo.bayes.climbing import climb

PEAK = torch.tensor([0.3, -2.0, 1.7], dtype=torch.float64)
WEIGHTS = torch.tensor([1.0, 5.0, 30.0], dtype=torch.float64)


def box(p, low=-1.0, high=1.0):
    return torch.tensor([[low] * p, [high] * p], dtype=torch.float64)


def uniform(k, p, low=-1.0, high=1.0, seed=0):
    drawn = torch.rand(k, p, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return low + (high - low) * drawn


def quadratic(rows, which):
    away = rows - PEAK.to(rows)
    return 7 - (WEIGHTS.to(rows) * away.square()).sum(1), -2 * WEIGHTS.to(rows) * away


def rosenbrock(rows, which):
    x, y = rows.unbind(1)
    gradient = torch.stack([2 * (1 - x) + 400 * x * (y - x * x), -200 * (y - x * x)], dim=1)
    return -((1 - x).square()) - 100 * (y - x * x).square(), gradient


def test_a_quadratic_ends_at_its_peak_moved_into_the_bounds():
    rows, values = climb(quadratic, uniform(6, 3), box(3), iterations=100)
    expected = PEAK.clamp(-1, 1)
    assert torch.allclose(rows, expected.expand(6, 3), atol=1e-5)
    assert (rows[:, 1] == -1).all()
    assert (rows[:, 2] == 1).all()
    assert torch.allclose(values, quadratic(expected[None], None)[0].expand(6), rtol=1e-8)


def test_values_are_those_of_the_rows():
    rows, values = climb(rosenbrock, uniform(5, 2), box(2, -2, 2), iterations=3)
    assert torch.equal(values, rosenbrock(rows, None)[0])


def test_rosenbrocks_valley_is_followed_to_its_end():
    rows, values = climb(rosenbrock, uniform(8, 2, -2, 2), box(2, -2, 2), iterations=300)
    assert torch.allclose(rows, torch.ones_like(rows), atol=0.02)
    assert (values > -1e-4).all()


def test_rosenbrock_with_its_peak_outside_ends_on_the_bound():
    rows, _ = climb(rosenbrock, uniform(4, 2, -2, 0.5), box(2, -2, 0.5), iterations=300)
    x = rows[0, 0]  # on the parabola as nearly as the bound on y allows
    assert (rows[:, 0] <= 0.5).all()
    assert torch.allclose(rows, torch.stack([x, x * x]).expand(4, 2), atol=0.02)
    assert x > 0.48


@pytest.mark.parametrize("function", [quadratic, rosenbrock])
def test_a_batch_equals_its_members_alone(function):
    p = 3 if function is quadratic else 2
    starts = uniform(7, p, seed=3)
    rows, values = climb(function, starts, box(p), iterations=25)
    for i in range(7):
        row, value = climb(function, starts[i : i + 1], box(p), iterations=25)
        assert torch.equal(row[0], rows[i])
        assert torch.equal(value[0], values[i])


def test_which_names_the_starts_also_after_some_have_ended():
    peaks = torch.linspace(-0.8, 0.8, 9, dtype=torch.float64)
    sharpness = 10.0 ** torch.arange(-4, 5).double()  # so that they end at different times
    sizes = []

    def function(rows, which):
        assert which.shape == (len(rows),)
        sizes.append(len(rows))
        away = rows - peaks[which, None]
        slow = sharpness[which, None]
        return -(slow * away.square() + away**4).sum(1), -2 * slow * away - 4 * away**3

    rows, _ = climb(function, uniform(9, 1, seed=4), box(1), iterations=100)
    assert torch.allclose(rows[2:, 0], peaks[2:], atol=1e-3)
    assert min(sizes) < 9


@pytest.mark.parametrize("spoilt", ["value nan", "value inf", "value -inf", "gradient nan", "gradient inf"])
def test_steps_into_what_is_not_finite_are_taken_back(spoilt):
    """A function that gives numbers only below .5, steep enough for the first step to fall beyond."""
    part, number = spoilt.split()
    met = []

    def function(rows, which):
        away = rows - 0.3
        values, gradients = -100 * away.square().sum(1), -200 * away
        beyond = (rows > 0.5).any(dim=1)
        met.append(bool(beyond.any()))
        if part == "value":
            return torch.where(beyond, float(number), values), gradients
        gradients[beyond, 0] = float(number)
        return torch.where(beyond, 1e6, values), gradients

    rows, values = climb(function, uniform(5, 2, -1, 0, seed=1), box(2, -1, 40), iterations=100)
    assert any(met)
    assert torch.allclose(rows, torch.full_like(rows, 0.3), atol=1e-3)
    assert torch.allclose(values, torch.zeros_like(values), atol=1e-4)


def test_a_start_that_is_not_finite_stays_and_is_worst():
    def function(rows, which):
        values, gradients = quadratic(rows, which)
        return torch.where(which == 1, torch.nan, values), gradients

    starts = uniform(3, 3)
    rows, values = climb(function, starts, box(3), iterations=50)
    assert torch.equal(rows[1], starts[1])
    assert values.argmin() == 1
    assert values[1] < -1e9
    assert torch.allclose(rows[[0, 2]], PEAK.clamp(-1, 1).expand(2, 3), atol=1e-5)


def test_more_iterations_go_further():
    starts = torch.tensor([[-1.2, 1.0]], dtype=torch.float64)
    reached = [climb(rosenbrock, starts, box(2, -2, 2), iterations=n)[1].item() for n in (1, 3, 10, 30)]
    assert reached == sorted(reached)
    assert len(set(reached)) == 4
    assert reached[0] > rosenbrock(starts, None)[0].item()


def test_iterations_bound_what_is_asked_of_the_function():
    calls = []

    def function(rows, which):
        calls.append(len(rows))
        return rosenbrock(rows, which)

    climb(function, torch.tensor([[-1.2, 1.0]], dtype=torch.float64), box(2, -2, 2), iterations=5)
    assert 5 < len(calls) <= 5 * 21 + 1  # a step tries 20 points at most


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_are_asked_and_answered_within_the_bounds_in_the_same_precision(dtype):
    bounds = torch.tensor([[0.1, -1 / 3, -7.0], [0.2, math.pi / 10, 0.7]], dtype=torch.float64)

    def function(rows, which):
        assert rows.dtype == dtype
        assert (rows >= bounds[0].to(dtype)).all()
        assert (rows <= bounds[1].to(dtype)).all()
        return quadratic(rows, which)

    starts = uniform(5, 3, -3, 3).to(dtype)  # some outside
    rows, values = climb(function, starts, bounds, iterations=50)
    assert rows.dtype == values.dtype == dtype
    assert (rows >= bounds[0].to(dtype)).all()
    assert (rows <= bounds[1].to(dtype)).all()
    assert torch.allclose(rows.double(), torch.tensor([0.2, -1 / 3, 0.7], dtype=torch.float64), atol=1e-6)


def test_starts_are_left_as_they_were_and_may_want_gradients():
    starts = uniform(3, 3, -3, 3).requires_grad_()
    before = starts.detach().clone()
    rows, _ = climb(quadratic, starts, box(3), iterations=20)
    assert torch.equal(starts.detach(), before)
    assert not rows.requires_grad


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_linear_algebra_has_one_thread_within_and_its_setting_back_afterwards():
    within = []

    def function(rows, which):
        within.append(blas_threads())
        return quadratic(rows, which)

    def breaks(rows, which):
        raise RuntimeError("stop")

    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        climb(function, uniform(2, 3), box(3), iterations=5)
        assert blas_threads() == before
        with pytest.raises(RuntimeError, match="stop"):
            climb(breaks, uniform(2, 3), box(3), iterations=5)
        assert blas_threads() == before
    assert 2 in before
    assert all(set(threads) == {1} for threads in within)


def test_the_same_climb_gives_the_same_bits():
    first, second = (climb(rosenbrock, uniform(6, 2, -2, 2), box(2, -2, 2), iterations=40) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
