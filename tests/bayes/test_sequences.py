"""Processes on sequences against literal loops, dense algebra, torch's normal distribution and draws."""

import itertools
import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from moo.bayes.gaussian_processes import JITTER, NOISE_FLOOR
from moo.bayes.sequences import SequenceFeatures, SequenceProcesses, first_guess, log_density

TINY = NOISE_FLOOR + JITTER
READ = SequenceFeatures(5, 3, 2)


def sequences(n, length=5, actions=3, seed=0, shortest=2):
    """Random actions `[n, length]`, -1 behind ends at random."""
    stream = torch.Generator().manual_seed(seed)
    rows = torch.randint(actions, (n, length), generator=stream)
    ends = torch.randint(shortest, length + 1, (n, 1), generator=stream)
    return torch.where(torch.arange(length) < ends, rows, -1)


def told(n=12, m=2, seed=0):
    inputs = READ(sequences(n, seed=seed, shortest=4))
    stream = torch.Generator().manual_seed(seed)
    return inputs, 5 + 3 * torch.randn(n, m, generator=stream, dtype=torch.float64)


def parameters(m=2, seed=0):
    stream = torch.Generator().manual_seed(seed)
    guess = first_guess(m, 3, torch.empty(0, dtype=torch.float64))
    return guess + 0.5 * torch.randn(guess.shape, generator=stream, dtype=torch.float64)


def given(n=12, m=2, **arguments):
    """Processes whose hyperparameters are handed to them."""
    inputs, values = told(n, m)
    return SequenceProcesses(inputs, READ.sizes, values, starts=parameters(m), iterations=0, **arguments)


def kernel(x, y, theta):
    """The covariance of two rows, term by term."""
    first, second = x.split(READ.sizes), y.split(READ.sizes)
    linear = sum(math.exp(t) * float(a @ b) for t, a, b in zip(theta, first, second, strict=False))
    apart = sum(math.exp(t) * float((a - b) @ (a - b)) for t, a, b in zip(theta, first, second, strict=False))
    return linear + math.exp(theta[3]) * math.exp(-0.5 * math.exp(theta[4]) * apart)


def gram(first, second, theta):
    return torch.tensor([[kernel(x, y, theta.tolist()) for y in second] for x in first], dtype=torch.float64)


# --- features ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_features_are_places_and_counts_of_pieces(order):
    read, rows = SequenceFeatures(5, 3, order), sequences(20)
    for row, found in zip(rows.tolist(), read(rows) * 5**0.5, strict=True):
        expected = [float(row[place] == action) for place in range(5) for action in range(3)]
        for k in range(1, order + 1):
            pieces = [tuple(row[i : i + k]) for i in range(5 - k + 1)]
            expected += [pieces.count(piece) for piece in itertools.product(range(3), repeat=k)]
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_columns_of_groups_add_up_to_the_features():
    assert READ.sizes == (15, 3, 9)
    assert READ(sequences(4)).shape == (4, 27)


def test_pieces_longer_than_the_sequences_never_occur():
    read = SequenceFeatures(2, 2, 3)
    assert not read(torch.tensor([[0, 1], [1, -1]]))[:, -8:].any()


def test_too_many_columns_are_refused():
    with pytest.raises(ValueError, match="Option `order` should be lower: pieces of up to 4 of 21 actions make 204,"):
        SequenceFeatures(36, 21, 4)


# --- predictions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noisy", [False, True])
def test_predictions_are_those_of_dense_algebra(noisy):
    process, (inputs, values), rows = given(noisy=noisy), told(), READ(sequences(7, seed=5))
    means, sd = process.moments(rows)
    for j, theta in enumerate(process.hyperparameters):
        centre, spread = values[:, j].mean(), values[:, j].std(correction=0)
        noise = TINY + (float(theta[-1].exp()) if noisy else 0.0)
        among = gram(inputs, inputs, theta) + noise * torch.eye(len(inputs))
        cross = gram(rows, inputs, theta)
        mean = centre + spread * cross @ torch.linalg.solve(among, (values[:, j] - centre) / spread)
        left = gram(rows, rows, theta) - cross @ torch.linalg.solve(among, cross.T)
        torch.testing.assert_close(means[0, :, j], mean)
        torch.testing.assert_close(sd[:, j], left.diagonal().sqrt() * spread)
        joint_means, joint = process.joint(rows)
        torch.testing.assert_close(joint_means[j], mean)
        torch.testing.assert_close(joint[j], left * spread**2)


def test_what_was_told_is_believed():
    process, (inputs, values) = given(), told()
    means, sd = process.moments(inputs)
    torch.testing.assert_close(means[0], values, rtol=0, atol=0.05)
    assert sd.max() < 0.02


def test_draws_have_the_joint_law():
    process, rows = given(), READ(sequences(3, seed=5))
    normal = torch.randn(40_000, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn, (means, covariances) = process.samples(rows, normal), process.joint(rows)
    torch.testing.assert_close(drawn.mean(dim=0), means.T, rtol=0, atol=0.06)
    for j in range(2):
        torch.testing.assert_close(torch.cov(drawn[:, :, j].T), covariances[j], rtol=0.05, atol=0.15)


def test_told_more_is_the_law_given_more():
    process, rows, more = given(), READ(sequences(4, seed=5)), READ(sequences(3, seed=9))
    versions = torch.randn(2, 3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    means, sd = process.conditioned(more, versions).moments(rows)
    prior, covariances = process.joint(torch.cat([rows, more]))
    for j in range(2):
        floor = TINY * told()[1][:, j].var(correction=0)
        gains = torch.linalg.solve(covariances[j, 4:, 4:] + floor * torch.eye(3), covariances[j, 4:, :4]).T
        left = covariances[j, :4, :4] - gains @ covariances[j, 4:, :4]
        torch.testing.assert_close(sd[:, j], left.diagonal().sqrt())
        for version in range(2):
            expected = prior[j, :4] + gains @ (versions[version, :, j] - prior[j, 4:])
            torch.testing.assert_close(means[version, :, j], expected)


def test_noise_is_learned_of_what_is_evaluated_and_not_of_what_is_assumed():
    process, more = given(noisy=True), READ(sequences(1, seed=9))
    sd = process.conditioned(more, process.moments(more)[0]).moments(more)[1]
    assert (sd < 0.1 * process.moments(more)[1]).all()


def test_an_objective_that_never_changes_is_predicted():
    inputs, values = told()
    values[:, 1] = 7.0
    means, _ = SequenceProcesses(inputs, READ.sizes, values).moments(inputs)
    torch.testing.assert_close(means[0, :, 1], values[:, 1])


# --- fits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noisy", [False, True])
def test_the_density_is_that_of_the_normal_law_times_the_priors(noisy):
    inputs, values = told(m=3)
    standard, theta = ((values - values.mean(0)) / values.std(0)).T, parameters(3)
    grams = torch.stack([part @ part.T for part in inputs.split(READ.sizes, dim=1)])
    found = log_density(grams, standard, theta, noisy)
    for j in range(3):
        noise = TINY + (float(theta[j, -1].exp()) if noisy else 0.0)
        law = MultivariateNormal(torch.zeros(12).double(), gram(inputs, inputs, theta[j]) + noise * torch.eye(12))
        prior = -0.5 * (((theta[j, :4] + 1) / 2) ** 2).sum() - 0.5 * (theta[j, 4] / 2) ** 2
        prior = prior - (0.5 * (theta[j, 5] + 4) ** 2 if noisy else 0.0)
        constant = 0.5 * 12 * math.log(2 * math.pi)
        torch.testing.assert_close(found[j], law.log_prob(standard[j]) + constant + prior)


@pytest.mark.parametrize(("group", "feature"), [(0, 4), (1, 1), (2, 5)])
def test_a_fit_finds_out_what_matters(group, feature):
    read = SequenceFeatures(8, 4, 2)
    inputs = read(sequences(150, 8, 4, shortest=6))
    value = 10 * inputs.split(read.sizes, dim=1)[group][:, feature : feature + 1]
    process = SequenceProcesses(inputs[:100], read.sizes, value[:100])
    assert process.hyperparameters[0, :3].argmax() == group
    means, _ = process.moments(inputs[100:])
    assert (means[0] - value[100:]).square().mean() < 0.02 * value.var()


def test_a_fit_begins_where_it_is_told_to():
    inputs, values = told(40)
    fitted = SequenceProcesses(inputs, READ.sizes, values)
    again = SequenceProcesses(inputs, READ.sizes, values, starts=fitted.hyperparameters, iterations=0)
    assert torch.equal(again.hyperparameters, fitted.hyperparameters)
    rows = READ(sequences(4, seed=5))
    assert torch.equal(again.moments(rows)[0], fitted.moments(rows)[0])
    inputs, values = told(40, seed=1)
    grams = torch.stack([part @ part.T for part in inputs.split(READ.sizes, dim=1)])
    standard = ((values - values.mean(0)) / values.std(0, correction=0)).T
    begun, better = first_guess(2, 3, inputs), SequenceProcesses(inputs, READ.sizes, values).hyperparameters
    assert (log_density(grams, standard, better, False) > log_density(grams, standard, begun, False)).all()


def test_learned_noise_is_about_that_of_the_values():
    read = SequenceFeatures(8, 4, 1)
    inputs = read(sequences(300, 8, 4, shortest=6))
    stream = torch.Generator().manual_seed(3)
    clean = 10 * inputs[:, 32:33]
    values = clean + 0.5 * clean.std() * torch.randn(300, 1, generator=stream, dtype=torch.float64)
    process = SequenceProcesses(inputs, read.sizes, values, noisy=True)
    assert 0.1 < process.hyperparameters[0, -1].exp() < 0.3  # .25 of 1.25 times the clean variance
