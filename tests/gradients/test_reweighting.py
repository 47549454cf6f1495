"""Weights that move: closed forms, and relative entropy by scipy."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from moo.gradients import (
    covariance_targets,
    covariances,
    exponentiated,
    influence,
    influence_weights,
    raised,
)


def rows(*values):
    return torch.tensor(values, dtype=torch.float64)


def random_simplex(k, n, seed=0):
    return torch.rand(k, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).pow(4).softmax(dim=-1)


# --------------------------------------------------------------------------------------------------------- influence
def test_influence_is_what_a_step_along_the_sum_gains():
    gradients = torch.randn(4, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = [sum(float(one @ other) for other in gradients) for one in gradients]
    torch.testing.assert_close(influence(gradients @ gradients.T), rows(*expected))


@pytest.mark.parametrize("n", [2, 5])
def test_weights_by_influence_are_the_closed_form(n):
    gradients = torch.randn(20, n, 7, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    gram, previous = gradients @ gradients.mT, random_simplex(20, n)
    found = influence_weights(gram, previous, eta=1e-6, mu=1e-5)
    for i in range(20):
        raw = [p * math.exp(0.1 * sum(g)) for p, g in zip(previous[i].tolist(), gram[i].tolist(), strict=True)]
        np.testing.assert_allclose(found[i], np.array(raw) / sum(raw), rtol=0, atol=1e-12)


def test_conflict_lowers_a_weight_and_a_zero_gradient_keeps_its_ratio():
    gradients = rows([3, 0], [-1, 0], [0, 0], [0, 0])
    found = influence_weights(gradients @ gradients.T, rows(0.25, 0.25, 0.25, 0.25), eta=1, mu=10)
    assert found[1] < 0.25 < found[0]
    assert found[2] == found[3]


def test_the_floor_is_kept_and_costs_least_entropy():
    for seed in range(20):
        previous = random_simplex(1, 5, seed)[0]
        gains = torch.randn(5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        free = exponentiated(previous, gains, 2.0)
        found = exponentiated(previous, gains, 2.0, floor=0.12)
        assert found.min() >= 0.12
        assert float(found.sum()) == pytest.approx(1, abs=1e-12)
        nearest = minimize(
            lambda w, q: (w * np.log(w / q)).sum(),
            np.full(5, 0.2),
            args=(free.numpy(),),
            bounds=[(0.12, 1)] * 5,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(found, nearest.x, atol=1e-5)


def test_a_floor_that_nobody_meets_changes_nothing():
    weights = random_simplex(8, 3)
    assert torch.equal(raised(weights, 1e-9), weights)
    assert torch.equal(raised(weights, 0.0), weights)
    torch.testing.assert_close(raised(weights, 1 / 3), torch.full_like(weights, 1 / 3))


def test_raising_one_to_the_floor_can_push_another_below_it():
    found = raised(rows(0.5, 0.32, 0.17, 0.01), 0.16)  # .17 shrinks below .16 as .01 is raised
    torch.testing.assert_close(found, rows(0.68 * 0.5 / 0.82, 0.68 * 0.32 / 0.82, 0.16, 0.16))
    assert found.min() >= 0.16


def test_a_weight_of_zero_stays_zero_but_for_a_floor():
    gains = rows(5.0, 0.0)
    assert exponentiated(rows(0, 1), gains, 1.0).tolist() == [0, 1]
    torch.testing.assert_close(exponentiated(rows(0, 1), gains, 1.0, floor=0.1), rows(0.1, 0.9))


def test_steps_out_of_range_are_refused():
    even = rows(0.5, 0.5)
    with pytest.raises(ValueError, match=r"`floor` should be at most 1 / 2, as 2 weights sum to 1\. Found 0\.6"):
        exponentiated(even, even, 1.0, floor=0.6)
    with pytest.raises(ValueError, match="`floor` should be at least 0"):
        exponentiated(even, even, 1.0, floor=-0.1)
    with pytest.raises(ValueError, match="`rate` should be at least 0"):
        exponentiated(even, even, -1.0)
    with pytest.raises(ValueError, match="`mu` should be above 0"):
        influence_weights(torch.eye(2), torch.full((2,), 0.5), mu=0.0)
    with pytest.raises(ValueError, match="`gains` should be finite"):
        exponentiated(even, rows(0, math.nan), 1.0)
    for wrong in (rows(0.5, 0.6), rows(-0.5, 1.5), rows(math.nan, 1)):
        with pytest.raises(ValueError, match="`previous` should be weights of at least 0 that sum to 1"):
            exponentiated(wrong, even, 1.0)


# -------------------------------------------------------------------------------------------------------- covariances
def test_covariances_are_numpys():
    rewards = torch.randn(50, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    scores = rewards @ rows(0.2, 0.5, -0.3)
    expected = [np.cov(rewards[:, i], scores, bias=True)[0, 1] for i in range(3)]
    np.testing.assert_allclose(covariances(rewards, scores), expected, atol=1e-14)
    with pytest.raises(ValueError, match=r"`rewards` should have shape \[b, n\], `scores` \[b\]"):
        covariances(rewards, scores[:-1])


def test_only_what_falls_short_of_its_target_grows():
    found = covariance_targets(rows(0.1, 0.3, -0.1), rows(0.2, 0.3, 0.5), rows(0.2, 0.2, 0.2), rate=2.0)
    raw = np.array([0.2 * math.exp(0.2), 0.3, 0.5 * math.exp(0.6)])
    np.testing.assert_allclose(found, raw / raw.sum(), atol=1e-14)
