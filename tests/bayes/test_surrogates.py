"""What surrogates promise: our own against literal conditioning, BoTorch's models against their own posteriors."""

import pytest
import torch
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.monte_carlo import qExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import WeightedMCMultiOutputObjective
from botorch.acquisition.objective import ScalarizedPosteriorTransform
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.sampling import SobolQMCNormalSampler
from botorch.utils.multi_objective.box_decompositions import FastNondominatedPartitioning
from gpytorch.constraints import Positive
from gpytorch.kernels import MaternKernel, ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood

from moo.bayes import surrogates
from moo.bayes.gaussian_processes import JITTER, NOISE_FLOOR, GaussianProcesses, covariance, draws
from moo.bayes.improvement import LogExpectedHypervolumeImprovement
from moo.bayes.surrogates import FromModel, Surrogate, botorch_processes, surrogate_maker

NAN = float("nan")


def uniform(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def trade_off(inputs):
    """Two objectives in different units that disagree."""
    return torch.stack(
        [40 + 9 * torch.sin(4 * inputs[:, 0]) + inputs[:, 1], 2e-3 * (inputs[:, 1] - 2 * inputs[:, 0]).cos()], dim=1
    )


def processes(n=12, *, noise=-6.0, holes=False, **options):
    """Two processes of fixed, different hyperparameters."""
    inputs = uniform(n, 2)
    values = trade_off(inputs) + normal(n, 2, seed=1) * torch.tensor([0.2, 3e-5]).double()
    if holes:
        values[::3, 1] = NAN
    parameters = torch.tensor([[-1.0, -0.5, noise, 0.3, 0.2], [-0.6, -1.2, noise + 1, -0.4, -0.3]]).double()
    return GaussianProcesses(inputs, values, starts=parameters[None], iterations=0, **options), inputs, values


def twins(model, inputs, values):
    """BoTorch's processes with the hyperparameters of ours."""
    parts = []
    for j, row in enumerate(model.hyperparameters):
        part = SingleTaskGP(
            inputs,
            values[:, j : j + 1],
            likelihood=GaussianLikelihood(noise_constraint=Positive()),
            covar_module=ScaleKernel(MaternKernel(2.5, ard_num_dims=2)),
            outcome_transform=Standardize(1),
        )
        part.covar_module.base_kernel.lengthscale, part.covar_module.outputscale = row[:2].exp(), row[3].exp()
        part.likelihood.noise = row[2].exp() + JITTER
        part.mean_module.constant = row[4].item()
        parts.append(part)
    return ModelListGP(*parts)


def conditioned_literally(model, told_rows, told_values, rows):
    """Means `[s, n, m]` and deviations `[n, m]` by one inverse per objective and version, rows that count alone."""
    means, sd = torch.empty(len(told_values), len(rows), 2).double(), torch.empty(len(rows), 2).double()
    for j, row in enumerate(model.hyperparameters):
        seen = model.data.observed[j]
        inputs = torch.cat([model.data.inputs[seen], told_rows])
        known = [model.data.noise[j, seen] + row[2].exp() * model.data.learned[j, seen] + JITTER]
        known.append(torch.full((len(told_rows),), NOISE_FLOOR + JITTER, dtype=torch.float64))

        def prior(a, b, row=row):
            return row[3].exp() * covariance(model.kernel, a, b, row[None, :2].exp())[0]

        inverse = torch.linalg.inv(prior(inputs, inputs) + torch.diag(torch.cat(known)))
        for s, version in enumerate(told_values):
            told = (version[:, j] - model.centre[j]) / model.spread[j]
            residual = torch.cat([model.data.values[j, seen], told]) - row[4]
            standardised = row[4] + prior(rows, inputs) @ inverse @ residual
            means[s, :, j] = model.centre[j] + model.spread[j] * standardised
        variance = row[3].exp() - (prior(rows, inputs) @ inverse * prior(rows, inputs)).sum(1)
        sd[:, j] = variance.sqrt() * model.spread[j]
    return means, sd


# --- our own ----------------------------------------------------------------------------------------------------------


def test_both_are_surrogates():
    model = processes()[0]
    assert isinstance(model, Surrogate)
    assert isinstance(FromModel(model), Surrogate)
    assert not isinstance(torch.nn.Linear(1, 1), Surrogate)
    assert model.num_outputs == FromModel(model).num_outputs == 2


def test_samples_have_the_mean_and_covariance_of_the_joint():
    model, k = processes(5)[0], 40_000
    rows = uniform(4, 2, seed=8)
    means, covariances = model.joint(rows)
    drawn = model.samples(rows, normal(k, 4, 2))
    assert drawn.shape == (k, 4, 2)
    for j in range(2):
        variances = covariances[j].diagonal()
        away = (drawn[:, :, j].mean(0) - means[j]) / (variances / k).sqrt()
        error = ((variances[:, None] * variances + covariances[j].square()) / k).sqrt()
        assert away.abs().max() < 4.5
        assert ((drawn[:, :, j].T.cov() - covariances[j]) / error).abs().max() < 4.5
        assert (covariances[j] - torch.diag(variances)).abs().max() > 20 * error.max()
    between = torch.corrcoef(torch.cat([drawn[:, :, 0], drawn[:, :, 1]], dim=1).T)[:4, 4:]
    assert between.abs().max() < 4.5 / k**0.5


@pytest.mark.parametrize("kernel", ["matern", "rbf"])
@pytest.mark.parametrize("options", [{}, {"holes": True}, {"noisy": False}], ids=str)
def test_told_values_count_as_exact_data_in_every_version(kernel, options):
    model, _, values = processes(kernel=kernel, **options)
    told_rows, rows = uniform(3, 2, seed=2), uniform(9, 2, seed=3)
    told = values[:4, None, :1].nan_to_num() * torch.tensor([1.0, 5e-5]).double() * (1 + 0.2 * normal(4, 3, 2, seed=4))
    means, sd = model.conditioned(told_rows, told).moments(rows)
    expected, expected_sd = conditioned_literally(model, told_rows, told, rows)
    assert means.shape == (4, 9, 2)
    spread = model.spread
    assert torch.allclose(means / spread, expected / spread, atol=1e-6)
    assert torch.allclose(sd / spread, expected_sd / spread, atol=1e-6)
    at_told = model.conditioned(told_rows, told).moments(told_rows)
    assert ((at_told[0] - told) / spread).abs().max() < 5e-3
    assert (at_told[1] / spread).max() < 2e-3


def test_joint_and_samples_of_what_was_told_follow_the_first_version():
    model = processes()[0]
    told_rows, rows = uniform(2, 2, seed=2), uniform(5, 2, seed=3)
    told = torch.tensor([45.0, 1e-3]).double() + normal(3, 2, 2) * torch.tensor([3.0, 1e-3]).double()
    other = model.conditioned(told_rows, told)
    means, sd = other.moments(rows)
    joint, covariances = other.joint(rows)
    assert torch.allclose(joint.T, means[0], rtol=1e-9)
    assert torch.allclose(covariances.diagonal(dim1=-2, dim2=-1).sqrt().T, sd, rtol=1e-6)
    assert torch.equal(other.samples(rows, normal(6, 5, 2)), draws(joint, covariances, normal(6, 5, 2)))


def test_what_was_predicted_teaches_certainty_alone():
    model = processes()[0]
    told_rows, rows = uniform(3, 2, seed=2), uniform(20, 2, seed=3)
    before, sd_before = model.moments(rows)
    means, sd = model.conditioned(told_rows, model.moments(told_rows)[0]).moments(rows)
    assert torch.allclose(means, before, rtol=1e-9)
    assert (sd < sd_before).all()
    assert (sd < 0.8 * sd_before).any()


def test_conditioning_leaves_the_processes_as_they_were():
    model = processes()[0]
    rows = uniform(6, 2, seed=3)
    before = model.moments(rows)
    other = model.conditioned(rows, 50 + normal(2, 6, 2))
    assert all(map(torch.equal, before, model.moments(rows)))
    assert torch.equal(other.hyperparameters, model.hyperparameters)
    assert torch.equal(other.noise_variance, model.noise_variance)
    assert other.num_outputs == 2
    assert other.data is model.data


# --- draws ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e-20, 1.0, 1e20])
def test_nearly_singular_covariances_are_drawn_from(size):
    rows = torch.linspace(0, 1, 60).double()[:, None]
    smooth = size * covariance("rbf", rows, rows, torch.full((2, 1), 2.0).double())
    smooth[1] *= 1e-6
    assert torch.linalg.eigvalsh(smooth)[0, 0] < 1e-14 * size
    drawn = draws(torch.zeros(2, 60).double(), smooth, normal(3000, 60, 2))
    for j in range(2):
        scale = smooth[j, 0, 0]
        assert ((drawn[:, :, j].T.cov() - smooth[j]) / scale).abs().max() < 0.15
        assert (drawn[:, :, j].diff(dim=1) / scale.sqrt()).abs().max() < 0.2  # neighbours are nearly equal


@pytest.mark.parametrize("below", [1e-12, 1e-6])
def test_rounding_below_zero_is_forgiven(below):
    vector = 1 + uniform(5, 1)
    covariances = (vector @ vector.T - below * torch.eye(5))[None]
    drawn = draws(torch.ones(1, 5).double(), covariances, normal(50, 5, 1))
    assert torch.allclose(drawn[:, :, 0], 1 + (drawn[:, :1, 0] - 1) * (vector / vector[0]).T, atol=0.1)


def test_certain_values_are_drawn_as_they_are():
    means = normal(2, 3)
    assert torch.allclose(draws(means, torch.zeros(2, 3, 3).double(), normal(4, 3, 2)), means.T, atol=1e-12)


@pytest.mark.parametrize("matrix", [-torch.eye(3), torch.tensor([[1.0, 2, 0], [2, 1, 0], [0, 0, 1]])])
def test_a_covariance_that_is_none_is_refused(matrix):
    both = torch.stack([torch.eye(3), matrix]).double()
    with pytest.raises(RuntimeError, match="The covariance of a posterior is not positive"):
        draws(torch.zeros(2, 3).double(), both, normal(4, 3, 2))


# --- models of BoTorch ------------------------------------------------------------------------------------------------


def test_our_processes_as_a_model_equal_themselves():
    model = processes(6)[0]
    wrapped, rows, told_rows = FromModel(model), uniform(9, 2, seed=3), uniform(2, 2, seed=5)
    spread = model.spread
    for ours, theirs in zip(model.moments(rows), wrapped.moments(rows), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5)
    drawn, told = (m.samples(rows[:4], normal(5, 4, 2)) for m in (model, wrapped)), normal(3, 2, 2)
    assert torch.allclose(*(values / spread for values in drawn), rtol=1e-5)
    told = model.moments(told_rows)[0] + spread * told
    ours, theirs = (m.conditioned(told_rows, told).moments(rows) for m in (model, wrapped))
    assert ours[0].shape == theirs[0].shape == (3, 9, 2)
    # told values have the floor of the noise in one, next to none in the other
    assert torch.allclose(ours[0] / spread, theirs[0] / spread, atol=5e-4)
    assert torch.allclose(ours[1], theirs[1], rtol=1e-4)
    assert (ours[1] < 0.9 * model.moments(rows)[1]).any()


@pytest.mark.parametrize("kind", ["list", "single"])
def test_moments_are_those_of_the_posterior_and_told_values_count_as_exact(kind):
    model, inputs, values = processes()
    theirs = twins(model, inputs, values)
    if kind == "single":  # one model of two outputs, which share what is learned
        theirs = SingleTaskGP(inputs, values, outcome_transform=Standardize(2))
    surrogate, rows, told_rows = FromModel(theirs), uniform(7, 2, seed=3), uniform(2, 2, seed=5)
    means, sd = surrogate.moments(rows)
    posterior = theirs.posterior(rows)
    assert surrogate.num_outputs == 2
    assert means.shape == (1, 7, 2)
    assert torch.allclose(means[0], posterior.mean, rtol=1e-6)
    assert torch.allclose(sd.square(), posterior.variance, rtol=1e-5)
    told = posterior.mean[:2] * (1 + 0.1 * normal(3, 2, 2))
    versions, left = surrogate.conditioned(told_rows, told).moments(rows)
    law = theirs.posterior(torch.cat([rows, told_rows])).distribution
    for j in range(2):
        which = slice(j, None, 2) if law._interleaved else slice(9 * j, 9 * j + 9)
        joint, mean = law.covariance_matrix[which, which], law.mean[:, j]
        gain = joint[:7, 7:] @ joint[7:, 7:].inverse()
        assert torch.allclose(versions[:, :, j], mean[:7] + (told[:, :, j] - mean[7:]) @ gain.T, rtol=1e-5)
        expected = (joint[:7, :7] - gain @ joint[7:, :7]).diagonal()
        assert torch.allclose(left[:, j].square(), expected, rtol=1e-4)


def test_rows_told_twice_count_once():
    model = FromModel(twins(*processes()))
    rows, told = uniform(2, 2, seed=5), torch.tensor([45.0, 1e-3]).double().expand(1, 2, 2)
    once, twice = model.conditioned(rows, told), model.conditioned(rows.repeat(2, 1), told.repeat(1, 2, 1))
    points = uniform(7, 2, seed=3)
    for first, second in zip(once.moments(points), twice.moments(points), strict=True):
        assert torch.allclose(first, second, rtol=1e-4)


def test_botorch_samples_our_processes_as_its_own():
    model, inputs, values = processes()
    theirs, points = twins(model, inputs, values), uniform(6, 2, 2, seed=4)
    reference = values.amin(0) - 0.1 * (values.amax(0) - values.amin(0))
    scale = WeightedMCMultiOutputObjective(1 / model.spread)  # the second objective's gains are tiny otherwise
    found = {}
    for name, each in {"ours": model, "theirs": theirs}.items():
        sampler = SobolQMCNormalSampler(torch.Size([64]), seed=0)
        cells = FastNondominatedPartitioning(reference / model.spread, values / model.spread)
        plain = qExpectedHypervolumeImprovement(each, reference / model.spread, cells, sampler, objective=scale)
        noisy = qLogNoisyExpectedHypervolumeImprovement(
            each,
            reference / model.spread,
            inputs,
            SobolQMCNormalSampler(torch.Size([64]), seed=0),
            objective=scale,
            cache_root=False,
        )
        found[name] = plain(points), noisy(points)
    for ours, expected in zip(found["ours"], found["theirs"], strict=True):
        assert torch.allclose(ours, expected, rtol=1e-3, atol=1e-4)
        assert expected.std() > 0.01


def test_samples_of_botorch_average_to_the_closed_form():
    model, _, values = processes(noise=-9.0)
    reference = values.amin(0) - 0.1 * (values.amax(0) - values.amin(0))
    cells = FastNondominatedPartitioning(reference, values)
    sampled = qExpectedHypervolumeImprovement(
        model, reference, cells, SobolQMCNormalSampler(torch.Size([4096]), seed=0)
    )
    points = uniform(30, 1, 2, seed=4)
    closed = LogExpectedHypervolumeImprovement(model, reference, values)(points).exp()
    assert torch.allclose(sampled(points), closed, rtol=0.02, atol=0.005 * closed.max().item())


def test_a_posterior_gives_the_outputs_asked_for_and_transforms_them():
    model, rows = processes()[0], uniform(3, 4, 2, seed=3)
    whole = model.posterior(rows)
    added = whole.variance - model.joint(rows)[1].diagonal(dim1=-2, dim2=-1).mT
    assert torch.allclose(added, (JITTER * model.spread**2).expand_as(added), rtol=1e-4)  # so that it can be factorised
    assert torch.allclose(model.posterior(rows, output_indices=[1]).mean, whole.mean[..., 1:])
    assert torch.allclose(model.posterior(rows, output_indices=[1, 0]).variance, whole.variance.flip(-1))
    weights = torch.tensor([2.0, -1.0]).double()
    scalar = model.posterior(rows, posterior_transform=ScalarizedPosteriorTransform(weights))
    assert torch.allclose(scalar.mean, (whole.mean * weights).sum(-1, keepdim=True))
    assert torch.allclose(scalar.variance, (whole.variance * weights**2).sum(-1, keepdim=True))


# --- makers -----------------------------------------------------------------------------------------------------------


def test_makers_are_found_by_name_and_by_place():
    assert surrogate_maker("botorch") is botorch_processes
    assert surrogate_maker("moo.bayes.surrogates:botorch_processes") is botorch_processes
    assert surrogate_maker("torch:zeros") is torch.zeros
    assert next(iter(surrogates.SURROGATES)) == "batched"


def test_unknown_makers_are_refused():
    with pytest.raises(ValueError, match=r"Unknown surrogate 'botroch'.* Did you mean 'botorch'"):
        surrogate_maker("botroch")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        surrogate_maker("no_such_module:function")
    with pytest.raises(AttributeError, match="no_such_function"):
        surrogate_maker("moo.bayes.surrogates:no_such_function")


def test_botorchs_processes_skip_what_was_not_observed_and_are_fitted():
    inputs = uniform(20, 2)
    values = trade_off(inputs)
    values[:5, 0], values[10:, 1] = NAN, NAN
    model, rows = botorch_processes(inputs, values), uniform(30, 2, seed=3)
    assert [len(part.train_targets) for part in model.models] == [15, 10]
    assert torch.equal(model.models[1].train_inputs[0], inputs[:10])
    lengthscales = model.models[0].covar_module.lengthscale[0]
    assert lengthscales[1] > 2 * lengthscales[0]  # the first objective hardly depends on the second column
    means, sd = FromModel(model).moments(rows)
    spread = trade_off(rows).std(dim=0)
    assert ((means[0] - trade_off(rows)).abs().mean(0) < 0.3 * spread).all()
    assert (sd.mean(0) < 0.5 * spread).all()
    assert torch.allclose(FromModel(model).moments(inputs[5:10])[0][0], values[5:10], rtol=0.05, atol=1e-4)
