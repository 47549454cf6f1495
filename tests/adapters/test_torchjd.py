"""Our rules inside TorchJD's aggregators, engine and backward."""

import sys

import pytest
import torch

torchjd = pytest.importorskip("torchjd", reason="torchjd is not installed (extra `gradients`)")

from moo.adapters.torchjd import RuleAggregator, RuleWeighting  # noqa: E402
from moo.gradients import epo, min_norm, weights  # noqa: E402


def jacobian(n=4, d=20):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("rule", ["min_norm", "pama_gram", "upgrad"])
def test_the_aggregate_is_the_sum_by_hand(rule):
    rows = jacobian()
    torch.testing.assert_close(RuleAggregator(rule)(rows), weights(rule, rows @ rows.T) @ rows)
    torch.testing.assert_close(RuleWeighting(rule)(rows @ rows.T), weights(rule, rows @ rows.T))


def test_what_a_rule_takes_beside_the_matrix_can_change():
    rows, even = jacobian(3), torch.full((3,), 1 / 3).double()
    aggregator = RuleAggregator("epo", losses=torch.tensor([0.9, 0.1, 0.1]).double(), preferences=even)
    first = aggregator(rows)
    aggregator.gramian_weighting.context["losses"] = torch.tensor([0.1, 0.1, 0.9]).double()
    torch.testing.assert_close(
        aggregator(rows), epo(rows @ rows.T, torch.tensor([0.1, 0.1, 0.9]).double(), even) @ rows
    )
    assert not torch.allclose(first, aggregator(rows))


def test_it_serves_torchjds_descent_of_a_network():
    from torchjd.autojac import backward, jac_to_grad

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torch.nn.Linear(4, 3)
    losses = model(torch.ones(2, 4)).square().mean(dim=0)
    rows = torch.stack(
        [
            torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)])
            for loss in losses
        ]
    )
    backward(losses)
    jac_to_grad(list(model.parameters()), RuleAggregator("min_norm"))
    found = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    torch.testing.assert_close(found, min_norm(rows @ rows.T) @ rows)


def test_a_rule_without_a_matrix_is_refused():
    with pytest.raises(ValueError, match=r"`rule` should take a Gram matrix\. 'linear' takes losses, preferences"):
        RuleWeighting("linear")
    with pytest.raises(ValueError, match="Unknown weight rule 'mgda'"):
        RuleWeighting("mgda")


def test_without_torchjd_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchjd.aggregation", None)
    monkeypatch.delitem(sys.modules, "moo.adapters.torchjd", raising=False)
    with pytest.raises(ImportError, match=r"`RuleWeighting` needs TorchJD: pip install 'moo-suite\[gradients\]'"):
        __import__("moo.adapters.torchjd")
