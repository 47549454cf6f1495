"""Utilities by hand, and their slopes against finite differences of the smoothed Tchebycheff value."""

import pytest
import torch

from moo.rl.utilities import AUGMENTATION, SMOOTHING, WIDTH, along_rays, in_units, slopes, span_of, utility
from moo.scalarisations import smooth_tchebycheff


def case(p=5, m=3, seed=0):
    stream = torch.Generator().manual_seed(seed)
    expected, preferences = (torch.rand(p, m, generator=stream, dtype=torch.float64) for _ in range(2))
    return expected, preferences / preferences.sum(dim=1, keepdim=True), expected.amax(dim=0) + 0.1


def test_slopes_of_a_weighted_sum_are_the_preferences():
    expected, preferences, ideal = case()
    assert torch.equal(slopes(expected, preferences, ideal, "weighted-sum"), preferences)


def test_slopes_of_tchebycheff_are_those_of_the_smoothed_utility():
    expected, preferences, ideal = case()

    def smoothed(returns):
        shortfall = preferences * (ideal - returns)
        return smooth_tchebycheff(returns, preferences, ideal, SMOOTHING) - AUGMENTATION * shortfall.sum(dim=1)

    found = slopes(expected, preferences, ideal, "tchebycheff")
    exact = torch.stack(
        [
            (smoothed(expected + step) - smoothed(expected - step)) / 2e-6
            for step in 1e-6 * torch.eye(3, dtype=torch.float64)
        ],
        dim=1,
    )
    assert torch.allclose(found, exact / exact.sum(dim=1, keepdim=True), atol=1e-6)
    assert torch.allclose(found.sum(dim=1), torch.ones(5, dtype=torch.float64))
    assert (found >= 0).all()


def test_slopes_of_tchebycheff_are_steepest_where_most_is_missing():
    preferences, ideal = torch.tensor([[0.5, 0.5]]), torch.ones(2)
    found = slopes(torch.tensor([[0.1, 0.9], [0.9, 0.1], [0.5, 0.5]]), preferences, ideal, "tchebycheff")
    assert found[0, 0] > 0.9
    assert found[1, 1] > 0.9
    assert found[2].tolist() == pytest.approx([0.5, 0.5])


def test_utilities_by_hand():
    returns, preference, ideal = torch.tensor([0.5, 0.2]), torch.tensor([0.25, 0.75]), torch.tensor([1.0, 0.4])
    assert float(utility(returns, preference, ideal, "weighted-sum")) == pytest.approx(0.275)
    expected = -0.15 - AUGMENTATION * (0.125 + 0.15)  # shortfalls .25 * .5 and .75 * .2
    assert float(utility(returns, preference, ideal, "tchebycheff")) == pytest.approx(expected)


def test_preferences_in_units_rank_returns_as_the_preferences_do():
    returns, preferences, _ = case(p=20)
    span = torch.tensor([100.0, 1.0, 0.01], dtype=torch.float64)
    raw = returns * span
    for preference in preferences:
        one = (raw * preference).sum(dim=1).argsort()
        other = (raw / span * in_units(preference, span)).sum(dim=1).argsort()
        assert torch.equal(one, other)
    assert torch.allclose(in_units(preferences, span).sum(dim=1), torch.ones(20, dtype=torch.float64))


def test_the_unit_is_the_range_or_the_size_or_one():
    low, high = torch.tensor([-3.0, -2.0, 0.0]), torch.tensor([1.0, -2.0, 0.0])
    assert span_of(low, high).tolist() == [4.0, 2.0, 1.0]


def test_along_a_ray_the_smoothed_least_rises_fastest():
    returns, preferences, _ = case()
    point = torch.tensor([-0.5, 0.0, -2.0], dtype=torch.float64)
    width = WIDTH * (returns - point).sum(dim=1, keepdim=True)
    moved = returns.clone().requires_grad_()
    least = -width * (-(moved - point) / preferences / width).logsumexp(dim=1, keepdim=True)
    least.sum().backward()
    assert torch.allclose(along_rays(returns, preferences, point), moved.grad / moved.grad.sum(dim=1, keepdim=True))
    far = point + 7 * (returns - point)
    assert torch.allclose(along_rays(far, preferences, point), along_rays(returns, preferences, point))


def test_on_the_ray_returns_count_by_how_fast_they_must_rise_and_beside_it_the_low_one_alone():
    preferences = torch.tensor([[0.8, 0.2], [0.8, 0.2], [0.8, 0.2]], dtype=torch.float64)
    returns = torch.tensor([[1.6, 0.4], [0.4, 0.4], [1.6, 0.1]], dtype=torch.float64)
    found = along_rays(returns, preferences, torch.zeros(2, dtype=torch.float64))
    assert found[0].tolist() == pytest.approx([0.2, 0.8])
    assert found[1].tolist() == pytest.approx([1, 0], abs=1e-3)
    assert found[2].tolist() == pytest.approx([0, 1], abs=1e-3)


def test_what_is_not_preferred_does_not_count_along_a_ray():
    preferences = torch.tensor([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]], dtype=torch.float64)
    point = torch.tensor([0.0, -9.0, 0.0], dtype=torch.float64)
    low, high = (torch.tensor([[1.0, side, 1.0]] * 2, dtype=torch.float64) for side in (-9.0, 50.0))
    for returns in (low, high):
        assert along_rays(returns, preferences, point).tolist() == [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]
    assert along_rays(point[None], preferences[:1], point).isfinite().all()  # where nothing has been reached yet
