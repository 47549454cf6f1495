"""Gram matrices against the gradients written side by side."""

import math

import pytest
import torch

from moo.gradients import full_gram, gram_of, layer_grams, min_norm, sample_gram, sketched_gram


def network(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).double()


def losses_of(model):
    inputs = torch.randn(20, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return model(inputs).square().mean(dim=0)


def jacobian(losses, parameters):
    rows = []
    for loss in losses:
        found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        rows.append(
            torch.cat(
                [torch.zeros(p.numel()) if g is None else g.flatten() for g, p in zip(found, parameters, strict=True)]
            )
        )
    return torch.stack(rows)


def test_the_full_matrix_is_that_of_the_jacobian():
    model = network()
    losses, parameters = losses_of(model), list(model.parameters())
    rows = jacobian(losses, parameters)
    torch.testing.assert_close(full_gram(losses, parameters), rows @ rows.T)
    torch.testing.assert_close(full_gram(list(losses), parameters), gram_of(rows))
    weights = min_norm(full_gram(losses, parameters))
    (weights @ losses).backward()  # the graph is still there
    combined = torch.cat([p.grad.flatten() for p in parameters])
    torch.testing.assert_close(combined, weights @ rows)


def test_gradients_by_parameter_are_the_same_as_side_by_side():
    rows = torch.randn(3, 10, generator=torch.Generator().manual_seed(0))
    parts = [[row[:4].reshape(2, 2), row[4:]] for row in rows]
    torch.testing.assert_close(gram_of(parts), rows @ rows.T)
    assert gram_of(rows.expand(2, 5, 3, 10)).shape == (2, 5, 3, 3)


def test_a_parameter_that_a_loss_does_not_know_adds_nothing():
    x, y = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0], requires_grad=True)
    losses = [x.square().sum(), (x[0] + y).sum()]
    assert full_gram(losses, [x, y]).tolist() == [[20, 2], [2, 2]]


def test_layers_sum_to_the_whole_and_chosen_ones_are_theirs():
    model = network()
    losses, parameters = losses_of(model), dict(model.named_parameters())
    whole = full_gram(losses, list(parameters.values()))
    single = layer_grams(losses, parameters)
    assert list(single) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    torch.testing.assert_close(sum(single.values()), whole)
    modules = layer_grams(losses, parameters, ["0", "2"])
    torch.testing.assert_close(modules["0"] + modules["2"], whole)
    chosen = layer_grams(losses, parameters, ["2.weight"])
    rows = jacobian(losses, [parameters["2.weight"]])
    torch.testing.assert_close(chosen["2.weight"], rows @ rows.T)
    with pytest.raises(ValueError, match=r"Unknown layer '2\.weigh'\. Did you mean '2\.weight'"):
        layer_grams(losses, parameters, ["2.weigh"])


def test_sketches_are_unbiased_and_as_exact_as_said():
    model = network()
    losses, parameters = losses_of(model), list(model.parameters())
    exact, size, count = full_gram(losses, parameters), 50, 400
    found = torch.stack([sketched_gram(losses, parameters, size, seed) for seed in range(count)])
    lengths = exact.diagonal().sqrt()
    errors = (found - exact) / (lengths[:, None] * lengths)
    assert errors.mean(dim=0).abs().max() < 4 * math.sqrt(2 / size / count)
    assert errors.square().mean(dim=0).sqrt().max() < 1.15 * math.sqrt(2 / size)
    assert torch.equal(found[3], sketched_gram(losses, parameters, size, 3))
    assert torch.linalg.eigvalsh(found[0]).min() > -1e-12


def test_signs_keep_entries_that_meet_from_adding_up():
    x = torch.ones(100, dtype=torch.float64, requires_grad=True)
    found = torch.stack([sketched_gram([x.sum()], [x], size=50, seed=seed) for seed in range(300)])
    assert float(found.mean()) == pytest.approx(100, abs=4 * 100 * math.sqrt(2 / 50 / 300))  # 298 without them


def test_a_long_gradient_is_hashed_in_blocks(monkeypatch):
    import moo.gradients.grams as grams

    x = torch.arange(1.0, 101.0, dtype=torch.float64, requires_grad=True)
    losses = [x.square().sum() / 2, x.sum()]
    monkeypatch.setattr(grams, "BLOCK", 7)
    found = sketched_gram(losses, [x], size=2000)
    torch.testing.assert_close(found, full_gram(losses, [x]), rtol=0.35, atol=0)
    assert not torch.equal(found, sketched_gram(losses, [x], size=2000, seed=1))


def test_policy_gradients_by_their_samples_are_those_of_the_policy():
    """A softmax policy over features: scores by its only layer."""
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(30, 4, generator=generator, dtype=torch.float64)
    layer = torch.randn(4, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    actions = torch.randint(5, (30,), generator=generator)
    advantages = torch.randn(30, 3, generator=generator, dtype=torch.float64)
    logs = (features @ layer).log_softmax(dim=1)[torch.arange(30), actions]
    exact = full_gram([(advantages[:, i] * logs).mean() for i in range(3)], [layer])
    scores = torch.stack([torch.autograd.grad(one, layer, retain_graph=True)[0].flatten() for one in logs])
    torch.testing.assert_close(sample_gram(advantages, scores), exact)
    torch.testing.assert_close(sample_gram(advantages), advantages.T @ advantages / 900)


def test_what_has_no_gradient_is_refused():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match=r"Each of `losses` should be a scalar tensor\. Number 0 is of shape \[2\]"):
        full_gram([x * 2], [x])
    with pytest.raises(ValueError, match=r"`losses` and `parameters` should not be empty\. Found 0 and 1"):
        full_gram([], [x])
    with pytest.raises(ValueError, match=r"as many tensors for each objective, at least 1\. Found \[1, 2\]"):
        gram_of([[x], [x, x]])
    with pytest.raises(ValueError, match=r"`gradients` should have shape \[\.\.\., n, d\]"):
        gram_of(x)
    with pytest.raises(ValueError, match=r"`scores` should have shape \[4, k\], a row per sample"):
        sample_gram(torch.ones(4, 2), torch.ones(3, 2))
    with pytest.raises(ValueError, match=r"`advantages` should have shape \[T, n\]"):
        sample_gram(torch.ones(4))
    with pytest.raises(ValueError, match="`size` should be at least 1"):
        sketched_gram([x.sum()], [x], size=0)
