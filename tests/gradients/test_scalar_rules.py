"""Weights from values: against autograd of the scalarisations themselves."""

import pytest
import torch

from moo import scalarisations
from moo.gradients import linear, smooth_tchebycheff


@pytest.mark.parametrize("mu", [1e-3, 0.1, 5.0])
def test_smooth_tchebycheff_is_the_gradient_of_the_scalarisation(mu):
    generator = torch.Generator().manual_seed(0)
    losses = torch.rand(8, 3, generator=generator, dtype=torch.float64).requires_grad_()
    preferences = torch.rand(8, 3, generator=generator, dtype=torch.float64).softmax(dim=-1)
    value = -scalarisations.smooth_tchebycheff(-losses, preferences, torch.zeros(3).double(), mu)
    (expected,) = torch.autograd.grad(value.sum(), losses)
    torch.testing.assert_close(smooth_tchebycheff(losses, preferences, mu), expected, rtol=1e-12, atol=1e-14)


def test_a_small_mu_leaves_only_the_worst():
    found = smooth_tchebycheff(torch.tensor([0.9, 0.5]), torch.tensor([0.3, 0.7]), 1e-4)
    torch.testing.assert_close(found, torch.tensor([0.0, 0.7]))  # .27 < .35
    with pytest.raises(ValueError, match="`mu` should be above 0"):
        smooth_tchebycheff(torch.ones(2), torch.ones(2), 0.0)
    with pytest.raises(ValueError, match="`losses` should be finite"):
        smooth_tchebycheff(torch.tensor([torch.nan, 0.0]), torch.ones(2), 1.0)


def test_linear_is_the_preferences():
    preferences = torch.tensor([0.3, 0.7])
    found = linear(torch.zeros(4, 2), preferences)
    assert torch.equal(found, preferences.expand(4, 2))
    found[0] = 9
    assert preferences.tolist() == pytest.approx([0.3, 0.7])
