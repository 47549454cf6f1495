"""The network of a Pareto set, its gradients, the bound it is trained on, and what is chosen from it."""

import itertools
import math

import pytest
import torch
from segment import Segment, on_segment

from moo.bayes.gaussian_processes import GaussianProcesses
from moo.bayes.pareto_sets import (
    AUGMENTATION,
    FLOOR,
    OptimisticBound,
    SetModel,
    kernel_sums,
    most_gained,
    plain_descent,
    stein_descent,
    train,
    worst_values,
)
from moo.indicators.volume import hypervolume
from moo.preferences import dirichlet, grid

DESCENTS = {"plain": plain_descent, "stein": stein_descent("local", 1e-3, 1.0)}


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=stream(seed), dtype=torch.float64)


def literal(model, preferences):
    """The same network, written with torch's own layers: it and its parameters."""
    layers = []
    for matrix, biases in model.layers():
        layer = torch.nn.Linear(matrix.shape[1], matrix.shape[0], dtype=torch.float64)
        layer.weight.data, layer.bias.data = matrix.clone(), biases.clone()
        layers += [layer, torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1], torch.nn.Sigmoid())
    return net(preferences + FLOOR), list(net.parameters())


def flat_gradient(value, parameters):
    gradients = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    return torch.cat(
        [(torch.zeros_like(p) if g is None else g).flatten() for g, p in zip(gradients, parameters, strict=True)]
    )


def processes(n=12, d=3, m=2, seed=3):
    rows = torch.rand(n, d, generator=stream(seed), dtype=torch.float64)
    values = torch.stack([-((rows - j / m) ** 2).sum(1) * 10**j for j in range(m)], dim=1)
    return GaussianProcesses(rows, values, noisy=False)


def bound_of(surrogate, m=2):
    scale = torch.arange(1, m + 1).double()
    return OptimisticBound(surrogate, 0.7, centre=torch.linspace(-1, 1, m).double(), scale=scale)


# --- the network ------------------------------------------------------------------------------------------------------
def test_the_network_is_a_perceptron_with_a_sigmoid_at_the_end():
    model, preferences = SetModel(3, 4, stream()), dirichlet(5, 3, stream(1))
    expected, parameters = literal(model, preferences)
    assert torch.allclose(model.rows(preferences), expected, rtol=0, atol=1e-14)
    assert len(model.parameters) == sum(p.numel() for p in parameters) == 3 * 256 + 256**2 + 256 * 4 + 256 + 256 + 4
    assert ((expected > 0) & (expected < 1)).all()


def test_first_parameters_follow_from_the_stream():
    first, again, other = (SetModel(2, 3, stream(seed)).parameters for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not (first == other).any()


def test_summed_gradients_are_those_of_autograd():
    model, preferences, slopes = SetModel(2, 3, stream()), dirichlet(6, 2, stream(1)), normal(6, 3)
    rows, parameters = literal(model, preferences)
    found = model.summed(model.signals(preferences), slopes)
    assert torch.allclose(found, flat_gradient((rows * slopes).sum(), parameters), rtol=1e-10, atol=1e-12)


def test_normalised_gradients_are_those_of_a_loop_over_the_preferences():
    model, preferences, slopes = SetModel(2, 3, stream()), dirichlet(6, 2, stream(1)), normal(6, 3)
    shares = torch.arange(1, 7).double()
    rows, parameters = literal(model, preferences)
    each = torch.stack([flat_gradient((rows[k] * slopes[k]).sum(), parameters) for k in range(6)])
    expected = (torch.nn.functional.normalize(each, dim=0) * shares[:, None]).sum(0)
    assert torch.allclose(model.normalised(model.signals(preferences), slopes, shares), expected, rtol=1e-7, atol=1e-9)


# --- the bound --------------------------------------------------------------------------------------------------------
def test_the_bound_is_the_mean_and_so_many_deviations_of_the_posterior():
    surrogate, rows = processes(), torch.rand(5, 3, generator=stream(7), dtype=torch.float64)
    posterior = surrogate.posterior(rows[:, None])
    centre, scale = torch.tensor([-1.0, 1.0]).double(), torch.tensor([1.0, 2.0]).double()
    mean, sd = (posterior.mean[:, 0] - centre) / scale, posterior.variance[:, 0].sqrt() / scale
    found = OptimisticBound(surrogate, 0.7, centre=centre, scale=scale)
    assert torch.allclose(found.values(rows), mean + 0.7 * sd, atol=1e-5)
    squared = OptimisticBound(surrogate, 0.7, variance=True, centre=centre, scale=scale)
    assert torch.allclose(squared.values(rows), mean + 0.7 * sd**2, atol=1e-5)
    assert not torch.allclose(sd, sd**2, atol=1e-3)


def test_of_several_versions_the_mean_counts():
    surrogate, rows = processes(), torch.rand(4, 3, generator=stream(7), dtype=torch.float64)
    told = normal(3, 2, 2)
    versions = surrogate.conditioned(rows[:2], told)
    bound = OptimisticBound(versions, 0.0, centre=torch.zeros(2).double(), scale=torch.ones(2).double())
    assert torch.allclose(bound.values(rows[:2]), told.mean(0), atol=1e-2)


@pytest.mark.parametrize("m", [2, 3])
def test_slopes_of_the_bound_are_finite_differences(m):
    bound, rows = bound_of(processes(m=m), m), torch.rand(4, 3, generator=stream(5), dtype=torch.float64)
    values, slopes = bound.slopes(rows)
    assert torch.allclose(values, bound.values(rows), rtol=1e-12)
    assert slopes.shape == (4, m, 3)
    step = 1e-6
    for j in range(3):
        moved = step * torch.eye(3, dtype=torch.float64)[j]
        expected = (bound.values(rows + moved) - bound.values(rows - moved)) / (2 * step)
        assert torch.allclose(slopes[:, :, j], expected, rtol=1e-4, atol=1e-5)


def test_gradients_are_taken_also_where_they_are_switched_off():
    with torch.no_grad():
        assert bound_of(processes()).slopes(torch.rand(2, 3, dtype=torch.float64))[1].abs().amax() > 0


# --- kernels ----------------------------------------------------------------------------------------------------------
def literal_kernel(values, decisive, width):
    """All entries by two loops; the width is a constant."""
    n = len(values)
    rows = []
    frozen = values.detach()
    for k in range(n):
        row = []
        for other in range(n):
            if decisive is None:
                squared = [(frozen[a] - frozen[b]).square().sum().item() for a in range(n) for b in range(n)]
                distance = (values[k] - values[other]).square().sum()
                narrow = width * 1e-6
            else:
                j = int(decisive[other])
                squared = [(frozen[a, j] - frozen[b, j]).square().item() for a in range(n) for b in range(n)]
                distance = (values[k, j] - values[other, j]).square()
                narrow = 5e-6
            middle = sorted(squared)
            middle = (middle[(n * n - 1) // 2] + middle[n * n // 2]) / 2
            row.append(torch.exp(-distance / (width * middle**2 / math.log(n) if middle > 0 else narrow)))
        rows.append(torch.stack(row))
    return torch.stack(rows)


@pytest.mark.parametrize("n", [4, 5])
@pytest.mark.parametrize("local", [True, False])
def test_kernel_sums_are_those_of_two_loops(n, local):
    values = normal(n, 3).requires_grad_()
    decisive = torch.tensor([0, 2, 1, 0, 2])[:n] if local else None
    entries = literal_kernel(values, decisive, 1.7)
    (gradient,) = torch.autograd.grad(entries.sum(), values)
    found, pull = kernel_sums(values.detach(), decisive, 1.7)
    assert torch.allclose(found, entries.sum(0))
    assert torch.allclose(pull, gradient, atol=1e-12)


def test_two_particles_by_hand():
    values = torch.tensor([[0.0, 0.0], [2.0, 9.0]], dtype=torch.float64)
    h = (0 + 4) / 2  # the median of 0, 0, 4, 4
    alike = math.exp(-4 / (h**2 / math.log(2)))  # = 2^-1
    sums, _ = kernel_sums(values, torch.tensor([0, 0]), 1.0)
    assert alike == pytest.approx(0.5)
    assert sums.tolist() == pytest.approx([1.5, 1.5])
    middle = (0 + 85) / 2
    sums, _ = kernel_sums(values, None, 1.0)
    assert sums.tolist() == pytest.approx([1 + math.exp(-85 / (middle**2 / math.log(2)))] * 2)


@pytest.mark.parametrize("local", [True, False])
def test_where_half_of_the_particles_are_in_one_place_the_kernel_is_narrow(local):
    values = torch.zeros(4, 2, dtype=torch.float64)
    values[3] += 1e-3
    decisive = torch.zeros(4, dtype=torch.int64) if local else None
    sums, pull = kernel_sums(values, decisive, 1.0)
    assert torch.allclose(sums, literal_kernel(values, decisive, 1.0).sum(0))
    assert torch.isfinite(pull).all()


# --- directions of training -------------------------------------------------------------------------------------------
def situation(m, k=5, d=3):
    """A model, preferences, what a set of literal values falls short of, its slopes, and all with autograd."""
    model, preferences = SetModel(m, d, stream(2)), dirichlet(k, m, stream(1))
    mix, ideal = normal(d, m, seed=9), torch.full((m,), 4.0, dtype=torch.float64)
    rows, parameters = literal(model, preferences)
    values = torch.sin(2 * rows @ mix)  # any smooth function
    signals = model.signals(preferences)
    slopes = torch.autograd.functional.jacobian(lambda x: torch.sin(2 * x @ mix), signals[-1])
    slopes = torch.stack([slopes[i, :, i] for i in range(k)])
    return model, signals, preferences, ideal - values, slopes, rows, parameters


@pytest.mark.parametrize("m", [2, 3])
@pytest.mark.parametrize("kernel", ["local", "global"])
def test_stein_directions_are_those_of_the_literal_double_loop(m, kernel):
    model, signals, preferences, shortfall, slopes, _, parameters = situation(m)
    losses = (preferences + FLOOR) * shortfall
    decisive = losses.argmax(1)
    each = torch.stack([flat_gradient(losses[k].max(), parameters) for k in range(5)])
    each = torch.nn.functional.normalize(each, dim=0)
    entries = literal_kernel(shortfall, decisive if kernel == "local" else None, 1.3)
    expected = torch.zeros(len(each[0]), dtype=torch.float64)
    for k in range(5):
        for other in range(5):
            expected += entries[k, other].detach() * each[other] / 5
        expected += 0.2 * flat_gradient(entries[k].sum(), parameters) / 5
    found = stein_descent(kernel, 0.2, 1.3)(model, signals, preferences, shortfall.detach(), slopes)
    assert torch.allclose(found, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("m", [2, 3])
def test_plain_directions_are_those_of_a_loop_by_the_published_formula(m):
    model, signals, preferences, shortfall, slopes, rows, parameters = situation(m)
    expected = torch.zeros(len(model.parameters), dtype=torch.float64)
    for k in range(5):
        inverse = 1 / (preferences[k] + FLOOR)
        published = inverse / inverse.sum()  # what the authors call the preference
        loss = (shortfall[k] / published).max() + AUGMENTATION * shortfall[k].sum()
        (pull,) = torch.autograd.grad(loss, rows, retain_graph=True)
        expected += flat_gradient((rows[k] * pull[k] / pull[k].norm()).sum(), parameters)
    found = plain_descent(model, signals, preferences, shortfall.detach(), slopes)
    assert torch.allclose(found, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", DESCENTS)
def test_a_trained_set_gives_the_known_solution_of_each_preference(name):
    model, even = SetModel(2, 2, stream()), grid(2, 50)
    bound = OptimisticBound(Segment(), 0.1, centre=torch.zeros(2).double(), scale=torch.ones(2).double())
    ideal, point = torch.zeros(2, dtype=torch.float64), torch.full((2,), -0.6, dtype=torch.float64)
    with torch.no_grad():
        train(
            model,
            bound,
            DESCENTS[name],
            ideal,
            lambda model: float(hypervolume(bound.values(model.rows(even)), point)),
            stream(1),
            steps=600,
            count=10,
            rate=1e-3,
            every=5,
        )
    wanted = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]], dtype=torch.float64)
    assert (model.rows(wanted) - on_segment(wanted)).abs().amax() < 0.04


def test_training_keeps_the_parameters_of_the_best_score_and_of_equal_ones_the_last():
    scores, seen = iter([1.0, 5.0, 5.0, 2.0]), []
    model = SetModel(2, 2, stream())
    bound = OptimisticBound(Segment(), 0.1, centre=torch.zeros(2).double(), scale=torch.ones(2).double())

    def score(model):
        seen.append(model.parameters.detach().clone())
        return next(scores)

    with torch.no_grad():
        options = {"steps": 7, "count": 4, "rate": 1e-3, "every": 2}
        train(model, bound, plain_descent, torch.zeros(2).double(), score, stream(), **options)
    assert len(seen) == 4  # after 2, 4, 6 steps and the last
    assert torch.equal(model.parameters, seen[2])
    assert not torch.equal(seen[1], seen[2])


# --- choice -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("m", [2, 3])
@pytest.mark.parametrize("fixed", [True, False])
def test_the_chosen_candidate_is_that_of_all_volumes_written_out(m, fixed):
    candidates, front = normal(12, m), normal(4, m, seed=1)
    point = torch.full((m,), -1.5, dtype=torch.float64) if fixed else None
    low = point if fixed else torch.cat([candidates, front]).amin(0)
    volumes = [float(hypervolume(torch.cat([front, row[None]]), low)) for row in candidates]
    order = sorted(range(12), key=lambda k: -volumes[k])
    untried = torch.ones(12, dtype=torch.bool)
    for best in itertools.islice(order, 3):
        assert volumes[most_gained(candidates, front, point, untried)] == pytest.approx(volumes[best])
        untried[most_gained(candidates, front, point, untried)] = False


def test_where_nothing_gains_the_first_that_may_be_chosen_is():
    front, candidates = torch.ones(1, 2, dtype=torch.float64), torch.zeros(3, 2, dtype=torch.float64)
    assert most_gained(candidates, front, torch.full((2,), -1.0).double(), torch.tensor([False, True, True])) == 1


def test_worst_values_are_those_of_all_sets():
    first, second = torch.tensor([[1.0, 5.0], [3.0, 2.0]]), torch.tensor([[2.0, 0.0]])
    assert worst_values(first, second).tolist() == [1.0, 0.0]
