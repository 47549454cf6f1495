"""Where evaluations succeed: failures of a region, at random, alone."""

import pytest
import torch

from moo.bayes.feasibility import SuccessModel


def uniform(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def probability(inputs, failed, rows):
    return SuccessModel(inputs, failed).log_probability(rows).exp()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("d", [1, 2])
def test_failures_of_one_side_keep_away_from_it_alone(d, seed):
    inputs, rows = uniform(40, d, seed=seed), uniform(200, d, seed=100)
    found = probability(inputs, inputs[:, 0] > 0.6, rows)
    assert found[rows[:, 0] < 0.45].min() > 0.6
    assert found[rows[:, 0] < 0.45].mean() > 0.97
    assert found[rows[:, 0] > 0.75].mean() < 0.1
    assert (found[rows[:, 0] > 0.75] < 0.3).double().mean() > 0.8


def at_random(n, d, seed):
    """Probabilities everywhere after a fifth of n rows failed for nothing."""
    failed = torch.zeros(n, dtype=torch.bool)
    failed[torch.randperm(n, generator=torch.Generator().manual_seed(seed))[: n // 5]] = True
    return probability(uniform(n, d, seed=seed + 10), failed, uniform(500, d, seed=100))


@pytest.mark.parametrize("seed", range(6))
def test_many_failures_at_random_are_near_as_likely_everywhere(seed):
    found = at_random(150, 2, seed)
    assert found.std() < 0.15
    assert (found < 0.5).double().mean() < 0.1
    assert found.mean().item() == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("n", "d"), [(30, 2), (60, 2), (60, 6)])
def test_few_failures_at_random_forbid_little(n, d, seed):
    """Where there are few, some are taken for a region: pockets around them are avoided."""
    found = at_random(n, d, seed)
    assert (found < 0.3).double().mean() < 0.15
    assert found.mean().item() == pytest.approx(0.77, abs=0.08)


@pytest.mark.parametrize("seed", range(6))
def test_one_failure_among_many_successes_forbids_little(seed):
    inputs, rows = uniform(31, 2, seed=seed), uniform(300, 2, seed=100)
    found = probability(inputs, torch.arange(31) == 7, rows)
    assert (found > 0.8).double().mean() > 0.85
    assert found.mean() > 0.9


@pytest.mark.parametrize("seed", range(4))
def test_one_success_among_many_failures_is_where_to_go(seed):
    inputs = uniform(31, 2, seed=seed)
    model = SuccessModel(inputs, torch.arange(31) != 7)
    assert model.log_probability(uniform(300, 2, seed=100)).exp().mean() < 0.2
    assert model.log_probability(inputs).argmax() == 7


def test_more_failures_at_a_place_make_it_less_likely():
    grid = torch.linspace(0, 1, 5).double()[:, None].repeat(8, 1)
    shares = torch.tensor([0, 2, 4, 6, 8]).repeat(8)
    failed = torch.arange(8).repeat_interleave(5) < shares
    beside = grid[:5] + torch.tensor([0.03, 0.03, 0.0, -0.03, -0.03]).double()[:, None]
    beside[2] = 0.5 + 0.03
    found = probability(grid, failed, beside)
    assert (found.diff() < -0.05).all()
    assert found[2].item() == pytest.approx(0.5, abs=0.05)


def test_the_probability_is_that_of_a_noisy_value_above_one_half():
    inputs, rows = uniform(30, 2), uniform(20, 2, seed=1)
    failed = (inputs[:, 0] + 0.3 * uniform(30, 1, seed=2)[:, 0]) > 0.7
    model = SuccessModel(inputs, failed)
    posterior = model._process.posterior(rows[:, None], observation_noise=True)
    law = torch.distributions.Normal(posterior.mean[:, 0, 0], posterior.variance[:, 0, 0].sqrt())
    expected = (1 - law.cdf(torch.tensor(0.5).double())).log()
    assert model._process.noise_variance > 1e-3
    away = torch.cdist(rows, inputs[failed]).amin(dim=1) > 0.05
    assert away.sum() > 10
    assert torch.allclose(model.log_probability(rows)[away], expected[away], rtol=1e-5)


def test_what_failed_is_not_tried_again_at_once():
    inputs = uniform(30, 2)
    failed = torch.arange(30) == 4
    steps = torch.tensor([[0.0, 0.0], [0.002, 0.0], [0.05, 0.0]]).double()
    there, near, apart = probability(inputs, failed, inputs[4] + steps)
    assert there < 1e-6
    assert near < 0.1
    assert apart > 0.8


@pytest.mark.parametrize("pattern", ["side", "random", "one"])
def test_logarithms_are_at_most_zero_with_finite_slopes_everywhere(pattern):
    inputs = uniform(40, 3)
    failed = {"side": inputs[:, 0] > 0.5, "random": uniform(40, seed=3) < 0.2, "one": torch.arange(40) == 3}[pattern]
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 0.5, 1.0]).double()] * 3)
    rows = torch.cat([inputs, corners, uniform(100, 3, seed=5)]).requires_grad_()
    value = SuccessModel(inputs, failed).log_probability(rows)
    (gradient,) = torch.autograd.grad(value.sum(), rows)
    assert value.shape == (len(rows),)
    assert torch.isfinite(value).all()
    assert (value <= 0).all()
    assert torch.isfinite(gradient).all()


def test_the_slope_is_that_of_the_value():
    inputs = uniform(25, 2)
    model = SuccessModel(inputs, inputs.sum(1) > 1)
    rows = uniform(5, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(model.log_probability, (rows,), atol=1e-4, rtol=1e-3)
