"""The shortest combination of gradients against supports tried one by one, scipy, and optimality conditions."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from moo.gradients import min_norm

COUNTS = [2, 3, 4, 6, 9, 16]


def random_gradients(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def value(gram, weights):
    return float(weights @ gram @ weights)


def best_of_supports(gram):
    """The least value over all sets of gradients that are combined affinely, where no weight is negative."""
    gram, best = gram.numpy(), np.inf
    for size in range(1, len(gram) + 1):
        for support in itertools.combinations(range(len(gram)), size):
            block = gram[np.ix_(support, support)]
            system = np.block([[block, np.ones((size, 1))], [np.ones((1, size)), np.zeros((1, 1))]])
            weights = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)[0][:size]
            if abs(weights.sum() - 1) < 1e-9 and weights.min() > -1e-12:
                best = min(best, float(weights @ block @ weights))
    return best


def assert_optimal(gram, weights, tolerance=1e-12):
    """On the simplex, and no gradient has a smaller product with the combination than the combination itself."""
    assert (weights >= 0).all()
    assert abs(float(weights.sum()) - 1) <= 1e-12
    scale = float((weights * gram.diagonal().sqrt()).sum())  # of what is added up
    short = value(gram, weights)
    for product, length in zip((gram @ weights).tolist(), gram.diagonal().sqrt().tolist(), strict=True):
        assert product >= short - tolerance * scale * max(scale, length)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("dimensions", [1, 3, 40])
def test_no_gradient_could_shorten_the_combination(n, dimensions):
    for seed in range(40):
        rows = random_gradients(n, dimensions, seed)
        assert_optimal(rows @ rows.T, min_norm(rows @ rows.T))


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_it_is_the_best_of_all_supports(n):
    for seed in range(20):
        rows = random_gradients(n, [2, n - 1, n, 30][seed % 4], seed) + 0.5 * (seed % 3)
        gram = rows @ rows.T
        assert value(gram, min_norm(gram)) == pytest.approx(best_of_supports(gram), rel=1e-10, abs=1e-13)


def test_scipy_finds_nothing_shorter():
    for seed, n in itertools.product(range(3), (3, 8, 16)):
        rows = random_gradients(n, 12, seed) + 0.4
        gram = rows @ rows.T
        found = minimize(
            lambda w, g: w @ g @ w,
            np.full(n, 1 / n),
            args=(gram.numpy(),),
            jac=lambda w, g: 2 * g @ w,
            bounds=[(0, 1)] * n,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 500},
        )
        assert value(gram, min_norm(gram)) <= found.fun + 1e-12
        assert value(gram, min_norm(gram)) == pytest.approx(found.fun, rel=1e-5, abs=1e-7)


def test_two_by_hand():
    rows = torch.tensor([[[2.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [3.0, 1.0]], [[3.0, 1.0], [1.0, 0.0]]]).double()
    expected = torch.tensor([[0.2, 0.8], [1.0, 0.0], [0.0, 1.0]]).double()
    torch.testing.assert_close(min_norm(rows @ rows.mT), expected)


@pytest.mark.parametrize("n", [2, 3, 7])
def test_a_gradient_of_zero_has_all_the_weight(n):
    rows = random_gradients(n, 5)
    rows[1:] *= torch.cat([torch.zeros(1), torch.ones(n - 2)])[:, None]
    assert min_norm(rows @ rows.T).tolist() == [0.0, 1.0] + [0.0] * (n - 2)
    assert min_norm(torch.zeros(n, n)).sum() == 1


@pytest.mark.parametrize("n", [2, 3, 5])
def test_equal_gradients_are_combined_in_any_way(n):
    gram = 3 * torch.ones(n, n, dtype=torch.float64)
    assert_optimal(gram, min_norm(gram))
    assert value(gram, min_norm(gram)) == pytest.approx(3)


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_lengths_of_very_different_size_do_no_harm(n):
    for seed in range(20):
        rows = random_gradients(n, n + 2, seed) * torch.logspace(-8, 8, n, dtype=torch.float64)[:, None]
        gram = rows @ rows.T
        weights = min_norm(gram)
        assert_optimal(gram, weights)
        shortest = float(gram.diagonal().min())
        assert 0 < value(gram, weights) <= shortest * (1 + 1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e12, 1e300])
def test_the_unit_does_not_matter(scale):
    rows = random_gradients(5, 8)
    gram = rows @ rows.T
    torch.testing.assert_close(min_norm(gram * scale), min_norm(gram), rtol=1e-9, atol=1e-12)


def test_nearly_equal_gradients_give_the_best_value_that_their_matrix_tells():
    for seed in range(30):
        rows = random_gradients(1, 6, seed) + 1e-7 * random_gradients(6, 6, seed + 100)
        gram = rows @ rows.T
        assert value(gram, min_norm(gram)) <= best_of_supports(gram) * (1 + 1e-12)


@pytest.mark.parametrize("n", [2, 4, 8])
def test_the_order_of_gradients_does_not_matter(n):
    rows = random_gradients(n, 20, 3)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(1))
    weights = min_norm(rows @ rows.T)
    torch.testing.assert_close(min_norm(rows[order] @ rows[order].T), weights[order], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_batch_is_a_loop_and_keeps_its_type(n):
    rows = torch.stack([random_gradients(n, 4, seed) for seed in range(6)]).reshape(2, 3, n, 4).float()
    grams = rows @ rows.mT
    found = min_norm(grams)
    assert found.shape == (2, 3, n)
    assert found.dtype == torch.float32
    for i, j in itertools.product(range(2), range(3)):
        assert torch.equal(found[i, j], min_norm(grams[i, j]))
    assert min_norm(torch.empty(0, n, n)).shape == (0, n)


def test_no_gradient_flows_and_nothing_is_changed():
    gram = torch.eye(3, dtype=torch.float64, requires_grad=True)
    assert not min_norm(gram).requires_grad
    assert torch.equal(gram, torch.eye(3).double())


@pytest.mark.parametrize("n", [2, 3])
def test_what_is_no_gram_matrix_is_refused(n):
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="`gram` should be finite and positive semi-definite"):
            min_norm(torch.full((n, n), wrong))
    with pytest.raises(ValueError, match="no negative entry on its diagonal"):
        min_norm(-torch.eye(n))
    with pytest.raises(ValueError, match=r"`gram` should be square, \[..., n, n\] with n >= 1. Found shape \[2, 3\]"):
        min_norm(torch.zeros(2, 3))
    with pytest.raises(TypeError, match=r"`gram` should be a tensor of floating-point numbers\. Found list"):
        min_norm([[1.0]])
    with pytest.raises(TypeError, match=r"Found dtype torch\.int64"):
        min_norm(torch.eye(n, dtype=torch.int64))
