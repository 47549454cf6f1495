"""Divergences against scipy, sums written out, and finite differences."""

import math

import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from moo.rl.divergences import DIVERGENCES, divergence

LAWS = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64).log_softmax(dim=2)


def test_they_equal_scipys():
    law, reference = LAWS
    p, q = law.exp().numpy(), reference.exp().numpy()
    assert torch.allclose(divergence("reverse", law, reference), torch.from_numpy(entropy(p, q, axis=1)))
    assert torch.allclose(divergence("forward", law, reference), torch.from_numpy(entropy(q, p, axis=1)))
    found = divergence("jensen-shannon", law, reference)
    assert torch.allclose(found, torch.from_numpy(jensenshannon(p, q, axis=1) ** 2))


@pytest.mark.parametrize("name", DIVERGENCES)
def test_it_is_zero_for_equal_laws_alone(name):
    law, reference = LAWS
    assert divergence(name, law, law).abs().max() < 1e-12
    assert (divergence(name, law, reference) > 0.01).all()


def test_jensen_shannon_is_symmetric_and_at_most_log_two():
    law, reference = LAWS
    there, back = divergence("jensen-shannon", law, reference), divergence("jensen-shannon", reference, law)
    assert torch.allclose(there, back)
    apart = torch.tensor([[0.0, -1e9], [-1e9, 0.0]], dtype=torch.float64)
    assert float(divergence("jensen-shannon", apart[0], apart[1])) == pytest.approx(math.log(2))


@pytest.mark.parametrize("name", DIVERGENCES)
def test_illegal_actions_add_nothing(name):
    law, reference = LAWS[:, :, :5].log_softmax(dim=2)
    wall = torch.full((5, 2), -1e9, dtype=torch.float64)
    walled = divergence(name, torch.cat([law, wall], dim=1), torch.cat([reference, wall], dim=1))
    assert torch.allclose(walled, divergence(name, law, reference))


@pytest.mark.parametrize("name", DIVERGENCES)
def test_gradients_equal_finite_differences(name):
    law, reference = (part[:2].clone().requires_grad_() for part in LAWS)
    assert torch.autograd.gradcheck(lambda a, b: divergence(name, a.log_softmax(1), b.log_softmax(1)), (law, reference))


def test_an_unknown_divergence_is_refused():
    with pytest.raises(ValueError, match=r"Unknown divergence 'revers'. Did you mean 'reverse'"):
        divergence("revers", *LAWS)
