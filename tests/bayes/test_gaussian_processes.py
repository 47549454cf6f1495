"""Gaussian processes against GPyTorch, literal definitions, finite differences and random search."""

import math
import warnings

import pytest
import torch
from botorch.models import SingleTaskGP
from botorch.models.transforms import Standardize
from gpytorch.constraints import Positive
from gpytorch.kernels import MaternKernel, RBFKernel, ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.priors import LogNormalPrior

from moo.bayes.gaussian_processes import (
    JITTER,
    NOISE_FLOOR,
    Data,
    GaussianProcesses,
    covariance,
    first_guess,
    fit,
    log_density,
)

KERNELS = ["matern", "rbf"]
NAN = float("nan")


def uniform(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def smooth(inputs, m=2):
    """Values in units far from standardised ones."""
    phase = torch.arange(m, dtype=torch.float64)
    return 40 + 9 * torch.sin(3 * inputs.sum(1, keepdim=True) + phase) + 4 * inputs[:, :1] * phase


def random_parameters(b, d, seed=0):
    """Log lengthscales, log noise, log scale and mean, as a fit may meet them."""
    low = torch.tensor([-1.5] * d + [-6.0, -1.5, -1.0], dtype=torch.float64)
    high = torch.tensor([0.7] * d + [-2.0, 1.5, 1.0], dtype=torch.float64)
    return low + (high - low) * uniform(b, d + 3, seed=seed)


def data_of(n, d, m, *, known=False, holes=False, seed=0):
    """Standardised data; `known`: noise of some values is known; `holes`: some values are missing."""
    observed = uniform(m, n, seed=seed + 1) > (0.3 if holes else -1.0)
    told = (uniform(m, n, seed=seed + 2) < 0.5) & known
    noise = torch.where(told, 0.3 * uniform(m, n, seed=seed + 3), 0.0)
    values = torch.where(observed, normal(m, n, seed=seed + 4), 0.0)
    return Data(uniform(n, d, seed=seed), values, observed, noise, observed & ~told)


def twin(inputs, values, parameters, kernel="matern", standardise=True, known=None):
    """BoTorch's process of one objective `[n]` at given hyperparameters; `known` variances replace the noise."""
    d = inputs.shape[1]
    inner = MaternKernel(2.5, ard_num_dims=d) if kernel == "matern" else RBFKernel(ard_num_dims=d)
    likelihood = GaussianLikelihood(noise_constraint=Positive()) if known is None else None
    with warnings.catch_warnings():  # that the values are not standardised
        warnings.simplefilter("ignore")
        model = SingleTaskGP(
            inputs,
            values[:, None],
            None if known is None else known[:, None],
            likelihood=likelihood,
            covar_module=ScaleKernel(inner),
            outcome_transform=Standardize(1) if standardise else None,
        )
    model.covar_module.base_kernel.lengthscale = parameters[:d].exp()
    if known is None:
        model.likelihood.noise = parameters[d].exp() + JITTER
    model.covar_module.outputscale = parameters[d + 1].exp()
    model.mean_module.constant = parameters[d + 2].item()
    return model


def likelihood_of(model):
    """The log likelihood, constant included."""
    model.train()
    return model.likelihood(model(model.train_inputs[0])).log_prob(model.train_targets).item()


def log_prior(parameters):
    """Of hyperparameters `[d + 3]`: log normal densities of lengthscales and noise, a normal one of the log scale."""
    d = len(parameters) - 3
    lengths = LogNormalPrior(math.sqrt(2) + math.log(d) / 2, math.sqrt(3)).log_prob(parameters[:d].exp()).sum()
    noise = LogNormalPrior(-4.0, 1.0).log_prob(parameters[d].exp())
    return (lengths + noise + torch.distributions.Normal(0.0, 1.0).log_prob(parameters[d + 1])).item()


def density_of(data, kernel, parameters, which=0):
    rows = parameters.reshape(-1, parameters.shape[-1])
    return log_density(data, kernel, rows, torch.full((len(rows),), which))[0]


# --- covariance -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS)
def test_covariance_equals_a_literal_loop(kernel):
    first, second, lengthscales = uniform(2, 3, 4), uniform(2, 5, 4, seed=1), 0.1 + uniform(3, 4, seed=2)
    found = covariance(kernel, first, second, lengthscales)
    assert found.shape == (2, 3, 3, 5)
    for t, j, a, b in torch.cartesian_prod(*map(torch.arange, found.shape)).tolist():
        distance = math.dist(first[t, a] / lengthscales[j], second[t, b] / lengthscales[j])
        r = math.sqrt(5) * distance
        expected = (1 + r + r * r / 3) * math.exp(-r) if kernel == "matern" else math.exp(-0.5 * distance**2)
        assert found[t, j, a, b].item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("d", [1, 6])
def test_covariance_equals_gpytorchs(kernel, d):
    first, second, lengthscales = uniform(2, 2, 3, d), uniform(4, d, seed=1), 0.05 + uniform(2, d, seed=2)
    found = covariance(kernel, first, second, lengthscales)
    assert found.shape == (2, 2, 2, 3, 4)
    for j in range(2):
        theirs = MaternKernel(2.5, ard_num_dims=d) if kernel == "matern" else RBFKernel(ard_num_dims=d)
        theirs.double().lengthscale = lengthscales[j]
        expected = theirs(first, second.expand(2, 2, 4, d)).to_dense()
        assert torch.allclose(found[:, :, j], expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_equal_rows_have_covariance_one_at_any_lengthscale(kernel):
    rows, lengthscales = uniform(50, 6), torch.tensor([[0.025], [1.0], [1e3]], dtype=torch.float64).expand(3, 6)
    found = covariance(kernel, rows, rows, lengthscales)
    assert torch.allclose(found.diagonal(dim1=-2, dim2=-1), torch.ones(3, 50).double(), atol=1e-10)
    assert found.max() <= 1 + 1e-12


# --- density ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("d", [1, 2, 6])
def test_density_is_gpytorchs_likelihood_times_the_priors(kernel, d):
    data, parameters = data_of(15, d, 2), random_parameters(5, d, seed=d)
    for j in range(2):
        found = density_of(data, kernel, parameters, j)
        expected = torch.tensor(
            [
                likelihood_of(twin(data.inputs, data.values[j], row, kernel, standardise=False)) + log_prior(row)
                for row in parameters
            ],
            dtype=torch.float64,
        )
        assert torch.allclose(found - found[0], expected - expected[0], rtol=1e-6, atol=1e-6)
        assert (expected - expected[0])[1:].abs().min() > 0.01


def test_known_noise_replaces_what_is_learned():
    data, parameters = data_of(15, 2, 1, known=True), random_parameters(4, 2)
    for row in parameters:
        row[2] = parameters[0, 2]  # the prior of the noise stays
    variances = data.noise[0] + row[2].exp() * data.learned[0] + JITTER
    found = density_of(data, "matern", parameters)
    expected = torch.tensor(
        [
            likelihood_of(twin(data.inputs, data.values[0], row, standardise=False, known=variances)) + log_prior(row)
            for row in parameters
        ]
    ).double()
    assert data.learned.any()
    assert not data.learned.all()
    assert torch.allclose(found - found[0], expected - expected[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_missing_observations_count_for_nothing(kernel):
    data, parameters = data_of(20, 3, 2, known=True, holes=True), random_parameters(4, 3)
    for j in range(2):
        seen = data.observed[j]
        assert 5 < seen.sum() < 18
        parts = (table[j : j + 1, seen] for table in (data.values, data.observed, data.noise, data.learned))
        alone = log_density(Data(data.inputs[seen], *parts), kernel, parameters, torch.zeros(4, dtype=int))
        together = log_density(data, kernel, parameters, torch.full((4,), j))
        assert torch.allclose(alone[0].diff(), together[0].diff(), rtol=1e-9, atol=1e-9)
        assert torch.allclose(alone[1], together[1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("d", [1, 2, 6])
@pytest.mark.parametrize("known", [False, True])
def test_gradients_equal_central_differences(kernel, d, known):
    data, parameters = data_of(14, d, 2, known=known, holes=known, seed=d), random_parameters(4, d, seed=1)
    which, step = torch.tensor([0, 1, 1, 0]), 1e-5
    gradient = log_density(data, kernel, parameters, which)[1]
    for p in range(d + 3):
        shift = torch.zeros(d + 3).double()
        shift[p] = step
        above, below = (log_density(data, kernel, parameters + sign * shift, which)[0] for sign in (1, -1))
        assert torch.allclose(gradient[:, p], (above - below) / (2 * step), rtol=1e-5, atol=1e-5), p


ABSURD = [*((place, NAN) for place in range(5)), (1, -1e5), (2, 1e5), (3, 1e5), (4, 1e200)]


@pytest.mark.parametrize(("place", "number"), ABSURD)
def test_absurd_hyperparameters_have_density_zero_and_spoil_no_others(place, number):
    data, parameters = data_of(10, 2, 2), random_parameters(2, 2)
    alone = log_density(data, "matern", parameters[1:], torch.tensor([1]))
    parameters[0, place] = number
    value, gradient = log_density(data, "matern", parameters, torch.tensor([0, 1]))
    assert torch.isneginf(value[0])
    assert (gradient[0] == 0).all()
    assert torch.allclose(value[1:], alone[0])
    assert torch.allclose(gradient[1:], alone[1])


def test_a_matrix_that_cannot_be_factorised_has_density_zero():
    data = data_of(10, 2, 1)
    negative = Data(data.inputs, data.values, data.observed, data.noise - 5.0, data.learned)
    value, gradient = log_density(negative, "rbf", random_parameters(1, 2), torch.tensor([0]))
    assert torch.isneginf(value).all()
    assert (gradient == 0).all()


# --- fit --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_fit_beats_its_starts_and_a_random_search(kernel):
    inputs = uniform(20, 2)
    values = smooth(inputs)
    data = GaussianProcesses(inputs, values, iterations=0).data
    starts = torch.stack([first_guess(2, 2, inputs), random_parameters(2, 2)])
    found, density = fit(data, kernel, starts)
    for j in range(2):
        best = density_of(data, kernel, found[j], j)[0]
        assert density[j].item() == pytest.approx(best.item(), abs=1e-9)
        near = found[j] + 0.3 * normal(150, 5)
        near[:, 2].clamp_(min=math.log(NOISE_FLOOR))
        others = torch.cat([starts[:, j], near, random_parameters(150, 2, seed=1)])
        assert best >= density_of(data, kernel, others, j).max() - 1e-3
        assert best > density_of(data, kernel, starts[:, j], j).max() + 1


def test_objectives_fitted_together_equal_objectives_fitted_alone():
    inputs = uniform(18, 2)
    values = smooth(inputs, 3) + normal(18, 3)
    values[::4, 1] = NAN
    together = GaussianProcesses(inputs, values)
    for j in range(3):
        alone = GaussianProcesses(inputs, values[:, j : j + 1])
        assert torch.allclose(alone.density[0], together.density[j], atol=1e-6)
        assert torch.allclose(alone.hyperparameters[0], together.hyperparameters[j], atol=1e-3)


def test_several_starts_are_never_worse_than_one_and_each_objective_takes_its_best():
    inputs = uniform(10, 1)
    data = GaussianProcesses(inputs, torch.sin(20 * inputs) + normal(10, 3), iterations=0).data
    starts = torch.cat([random_parameters(9, 1, seed=5).reshape(3, 3, 4), first_guess(3, 1, inputs)[None]])
    starts[0, :, 0], starts[0, :, 1] = -3.0, -8.0
    starts[1, :, 0], starts[1, :, 1] = 2.0, 0.0
    alone = torch.stack([fit(data, "matern", start[None])[1] for start in starts])
    found, density = fit(data, "matern", starts)
    assert (alone.amax(0) - alone.amin(0)).max() > 0.1
    assert torch.allclose(density, alone.amax(0), atol=1e-9)
    for j in range(3):
        assert density[j].item() == pytest.approx(density_of(data, "matern", found[j], j).item(), abs=1e-9)


def test_a_fixed_scale_stays_one():
    inputs = uniform(12, 2)
    values = smooth(inputs) ** 2
    free, fixed = GaussianProcesses(inputs, values), GaussianProcesses(inputs, values, scaled=False)
    assert (fixed.hyperparameters[:, 3] == 0).all()
    assert (free.hyperparameters[:, 3].abs() > 0.1).all()
    assert (free.density > fixed.density).all()


# --- moments ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("d", [1, 3])
def test_predictions_equal_gpytorchs_in_the_units_of_the_values(kernel, d):
    inputs, rows, parameters = uniform(14, d), uniform(2, 3, 4, d, seed=1), random_parameters(2, d)
    values = smooth(inputs)
    values[1:5, 1] = NAN
    model = GaussianProcesses(inputs, values, kernel=kernel, starts=parameters[None], iterations=0)
    means, covariances = model.joint(rows)
    assert means.shape == (2, 3, 2, 4)
    posterior, noisy = model.posterior(rows), model.posterior(rows, observation_noise=True)
    ours, sd = model.moments(rows.reshape(-1, d))
    assert ours.shape == (1, 24, 2)
    for j in range(2):
        seen = ~values[:, j].isnan()
        reference = twin(inputs[seen], values[seen, j], parameters[j], kernel)
        theirs = reference.posterior(rows)
        variance = theirs.variance.squeeze(-1)
        close = {"rtol": 1e-5, "atol": 1e-6 * variance.max().item()}
        assert torch.allclose(means[:, :, j], theirs.mean.squeeze(-1), rtol=1e-6)
        expected = theirs.distribution.covariance_matrix
        assert torch.allclose(covariances[:, :, j], expected, **close)
        assert torch.allclose(ours[0, :, j], theirs.mean.flatten(), rtol=1e-6)
        assert torch.allclose(sd[:, j].square(), variance.flatten(), **close)
        assert torch.allclose(posterior.mean[..., j], theirs.mean.squeeze(-1), rtol=1e-6)
        assert torch.allclose(posterior.variance[..., j], variance, **close)
        with_noise = reference.posterior(rows, observation_noise=True).variance.squeeze(-1)
        assert torch.allclose(noisy.variance[..., j], with_noise, **close)
        assert ((with_noise - variance) > 1e-4 * variance.max()).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_slopes_of_predictions_are_those_of_the_values_also_at_the_data(kernel):
    inputs, parameters, step = uniform(10, 2), random_parameters(2, 2), 1e-5
    model = GaussianProcesses(inputs, smooth(inputs), kernel=kernel, starts=parameters[None], iterations=0)
    rows = torch.cat([inputs, uniform(4, 2, seed=1)]).requires_grad_()
    means, sd = model.moments(rows)
    for value, number in ((means, 0), (sd, 1)):
        (slope,) = torch.autograd.grad(value.sum(), rows, retain_graph=True)
        for p in range(2):
            shift = step * torch.eye(2).double()[p]
            above, below = (model.moments(rows.detach() + sign * shift)[number] for sign in (1, -1))
            expected = (above - below).reshape(14, 2).sum(1) / (2 * step)
            assert torch.allclose(slope[:, p], expected, rtol=1e-4, atol=1e-3), (number, p)


def test_a_change_of_units_changes_predictions_alike():
    inputs, rows, parameters = uniform(12, 2), uniform(7, 2, seed=1), random_parameters(2, 2)[None]
    values, factor, shift = smooth(inputs), torch.tensor([1e-7, 300.0]).double(), torch.tensor([5e-7, -1e4]).double()
    before = GaussianProcesses(inputs, values, starts=parameters, iterations=0)
    after = GaussianProcesses(inputs, factor * values + shift, starts=parameters, iterations=0)
    assert torch.allclose(after.moments(rows)[0], factor * before.moments(rows)[0] + shift, rtol=1e-8)
    assert torch.allclose(after.moments(rows)[1], factor * before.moments(rows)[1], rtol=1e-8)
    assert torch.allclose(after.joint(rows)[0], factor[:, None] * before.joint(rows)[0] + shift[:, None], rtol=1e-8)


@pytest.mark.parametrize("kernel", KERNELS)
def test_exact_values_are_interpolated(kernel):
    inputs = uniform(25, 2)
    values = smooth(inputs)
    model = GaussianProcesses(inputs, values, kernel=kernel, noisy=False)
    means, sd = model.moments(inputs)
    assert (model.noise_variance == 0).all()
    assert torch.allclose(means[0], values, atol=0.05)
    assert (sd < 2e-3 * values.std(dim=0)).all()
    others = uniform(50, 2, seed=9)
    means, sd = model.moments(others)
    assert (means[0] - smooth(others)).abs().mean() < 0.3
    assert (((means[0] - smooth(others)) / sd).abs() < 5).all()


def test_known_noise_of_each_point_is_gpytorchs_and_the_rest_is_learned():
    inputs, rows, parameters = uniform(12, 2), uniform(6, 2, seed=1), random_parameters(1, 2)
    values, std = smooth(inputs, 1), 0.5 + 5 * uniform(12, 1, seed=2)
    spread = values.std()
    variances = std[:, 0].square() + JITTER * spread.square()
    std[::3] = NAN
    variances[::3] = (parameters[0, 2].exp() + JITTER) * spread.square()
    model = GaussianProcesses(inputs, values, std=std, starts=parameters[None], iterations=0)
    theirs = twin(inputs, values[:, 0], parameters[0], known=variances).posterior(rows)
    means, sd = model.moments(rows)
    assert torch.allclose(means[0], theirs.mean, rtol=1e-6)
    assert torch.allclose(sd.square(), theirs.variance, rtol=1e-5)


def test_where_noise_is_not_learned_unknown_values_are_exact_and_known_noise_stays():
    inputs = torch.linspace(0, 1, 6).double()[:, None]
    values, std = torch.tensor([[0.0], [5.0], [0.0], [0.0], [5.0], [0.0]]).double(), torch.full((6, 1), NAN).double()
    std[1] = 3.0
    model = GaussianProcesses(inputs, values, std=std, noisy=False)
    means, sd = model.moments(inputs)
    assert torch.allclose(model.data.noise[0, :2], torch.tensor([NOISE_FLOOR, 9 / values.var()]).double(), rtol=1e-9)
    assert torch.allclose(means[0, [0, 2, 3, 4, 5]], values[[0, 2, 3, 4, 5]], atol=0.01)
    assert means[0, 1, 0] < 4.5
    assert sd[1, 0] > 100 * sd[4, 0]


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e6])
@pytest.mark.parametrize("noisy", [False, True])
def test_a_constant_objective_is_predicted_as_such(constant, noisy):
    inputs = uniform(7, 2)
    values = torch.cat([torch.full((7, 1), constant, dtype=torch.float64), smooth(inputs, 1)], dim=1)
    model = GaussianProcesses(inputs, values, noisy=noisy)
    means, sd = model.moments(uniform(9, 2, seed=1))
    assert model.spread[0] == 1
    assert torch.allclose(means[0, :, 0], torch.tensor(constant, dtype=torch.float64), rtol=1e-9, atol=1e-9)
    assert torch.isfinite(sd).all()
    assert (sd > 0).all()


@pytest.mark.parametrize("noisy", [False, True])
def test_two_values_at_one_row_are_averaged(noisy):
    inputs = torch.tensor([[0.2, 0.2], [0.2, 0.2], [0.9, 0.4]]).double()
    values = torch.tensor([[1.0], [3.0], [2.0]]).double()
    means, sd = GaussianProcesses(inputs, values, noisy=noisy).moments(inputs)
    assert torch.allclose(means[0, :2], torch.tensor(2.0).double(), atol=1e-4)
    assert torch.isfinite(sd).all()


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("noisy", [False, True])
def test_one_or_two_observations_suffice(n, noisy):
    inputs = torch.tensor([[0.1, 0.9], [0.8, 0.3], [0.5, 0.5]]).double()
    values = torch.tensor([[5.0, NAN], [NAN, 7.0], [9.0 if n == 2 else NAN, NAN]]).double()
    for rows in (inputs[:1], inputs) if n == 1 else (inputs,):
        model = GaussianProcesses(rows, values[: len(rows), : 1 if len(rows) == 1 else 2], noisy=noisy)
        means, sd = model.moments(inputs)
        assert torch.isfinite(means).all()
        assert (sd > 0).all()
        assert means[0, 0, 0].item() == pytest.approx(5, abs=1e-3 if not noisy or n == 1 else 2.5)
        assert torch.isfinite(model.hyperparameters).all()


def test_no_iterations_keep_the_hyperparameters():
    inputs, parameters = uniform(8, 2), random_parameters(2, 2)
    model = GaussianProcesses(inputs, smooth(inputs), starts=parameters[None], iterations=0)
    assert torch.equal(model.hyperparameters, parameters)
    assert torch.equal(model.density, log_density(model.data, "matern", parameters, torch.arange(2))[0])
    assert torch.allclose(model.noise_variance, parameters[:, 2].exp())


def test_the_same_data_give_the_same_bits():
    inputs, rows = uniform(15, 3), uniform(5, 3, seed=1)
    first, second = (GaussianProcesses(inputs, smooth(inputs)) for _ in range(2))
    assert torch.equal(first.hyperparameters, second.hyperparameters)
    assert all(map(torch.equal, first.moments(rows), second.moments(rows)))


# --- errors -----------------------------------------------------------------------------------------------------------

ERRORS = {
    "kernel": (uniform(4, 2), uniform(4, 2), "Unknown kernel 'mattern'.* Did you mean 'matern'.* Known: matern, rbf"),
    "rows": (uniform(4, 2), uniform(3, 2), r"`values` should have shape \[4, m\]. Found \[3, 2\]"),
    "vector": (uniform(4, 2), uniform(4), r"`values` should have shape \[4, m\]. Found \[4\]"),
    "nan": (torch.tensor([[0.1], [NAN]]), uniform(2, 1), "`inputs` should be finite. Some are not"),
    "infinite": (torch.tensor([[0.1], [math.inf]]), uniform(2, 1), "`inputs` should be finite. Some are not"),
    "unobserved": (uniform(2, 1), torch.tensor([[0.1, NAN], [1, math.inf]]), "at least one number of each objective"),
    "empty": (uniform(0, 1), uniform(0, 2), "at least one number of each objective"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_cannot_be_fitted_is_refused(case):
    inputs, values, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        GaussianProcesses(inputs, values, kernel="mattern" if case == "kernel" else "matern")
