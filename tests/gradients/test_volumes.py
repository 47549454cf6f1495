"""The hypervolume's gradient and the factor for what a point adds, by moocore's hypervolume."""

import math

import moocore
import numpy as np
import pytest
import torch

from moo.gradients import hypervolume_factor, hypervolume_gradient
from moo.gradients.volumes import _by_autograd, _by_faces


def cloud(k, m, seed=0):
    return torch.rand(k, m, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def volume(rows, low):
    return moocore.hypervolume(-rows.numpy(), ref=-np.asarray(low))


def differences(rows, low, eps=1e-6):
    found = torch.zeros_like(rows)
    for i in range(len(rows)):
        for j in range(rows.shape[1]):
            shift = torch.zeros_like(rows)
            shift[i, j] = eps
            found[i, j] = (volume(rows + shift, low) - volume(rows - shift, low)) / (2 * eps)
    return found


@pytest.mark.parametrize("m", [2, 3, 4, 5, 6])
def test_it_is_the_difference_quotient(m):
    rows, low = cloud(7, m, m), [0.1] * m  # some dominated, some outside
    torch.testing.assert_close(hypervolume_gradient(rows, low), differences(rows, low), atol=1e-7, rtol=0)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_both_ways_agree(m):
    rows = cloud(9, m, 1)
    torch.testing.assert_close(_by_faces(rows, [0.05] * m), _by_autograd(rows, [0.05] * m), atol=1e-12, rtol=0)


@pytest.mark.parametrize("m", [2, 5])
def test_points_that_are_dominated_or_outside_do_not_move(m):
    rows = torch.stack([torch.full((m,), 0.8), torch.full((m,), 0.5), torch.full((m,), 0.9)]).double()
    rows[2, 0] = -0.1
    found = hypervolume_gradient(rows, [0.0] * m)
    assert (found[1:] == 0).all()
    torch.testing.assert_close(found[0], torch.full((m,), 0.8 ** (m - 1)).double())


def test_by_rank_each_front_is_taken_alone():
    rows = torch.tensor([[0.9, 0.2], [0.2, 0.9], [0.5, 0.1], [0.1, 0.5], [0.05, 0.05]]).double()
    found = hypervolume_gradient(rows, [0.0, 0.0], by_rank=True)
    for members in ([0, 1], [2, 3], [4]):
        torch.testing.assert_close(found[members], hypervolume_gradient(rows[members], [0.0, 0.0]))
    assert (found > 0).all()


def test_type_and_refusals():
    assert hypervolume_gradient(cloud(3, 2).float(), [0.0, 0.0]).dtype == torch.float32
    assert not hypervolume_gradient(cloud(3, 2).requires_grad_(), [0.0, 0.0]).requires_grad
    assert hypervolume_gradient(torch.empty(0, 3), [0.0] * 3).shape == (0, 3)
    with pytest.raises(ValueError, match=r"`objectives` should have shape \[k, m\], a row per point"):
        hypervolume_gradient(torch.ones(3), [0.0] * 3)
    with pytest.raises(ValueError, match="`objectives` should be finite"):
        hypervolume_gradient(torch.tensor([[1.0, torch.nan]]), [0.0] * 2)


# -------------------------------------------------------------------------------------------------- the factor
@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_factor_follows_moocores_gain_also_below_the_reference(n):
    generator = torch.Generator().manual_seed(n)
    inside = 0
    for _ in range(60):
        points = 2 * torch.rand(5, n, generator=generator, dtype=torch.float64) - 0.5  # some below 0
        new = 2 * torch.rand(n, generator=generator, dtype=torch.float64) - 0.5

        def volume(some):
            return moocore.hypervolume(-np.minimum(np.asarray(some), 1e9), ref=np.zeros(n))

        gain = volume(torch.cat([points, new[None]])) - volume(points)
        inside += gain > 0
        found = float(hypervolume_factor(new, points, [0.0] * n))
        assert found == pytest.approx(0.5 + 1.5 * math.tanh(max(gain, 0.0)), abs=1e-12)
        assert 0.5 <= found < 2
    assert 5 < inside < 60


def test_a_point_below_the_reference_in_one_objective_gains_nothing():
    new = torch.tensor([[0.9, -0.1], [0.5, 0.5], [0.2, 0.2]]).double()
    found = hypervolume_factor(new, torch.tensor([[0.3, 0.3]]).double(), [0.0, 0.0])
    torch.testing.assert_close(found, torch.tensor([0.5, 0.5 + 1.5 * math.tanh(0.16), 0.5], dtype=torch.float64))
