"""The expected improvement of the hypervolume against integrals, inclusion and exclusion, samples and BoTorch."""

import itertools
import math

import pytest
import torch
from botorch.acquisition.multi_objective.analytic import ExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.logei import qLogExpectedHypervolumeImprovement
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.optim import optimize_acqf
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.multi_objective.box_decompositions.non_dominated import FastNondominatedPartitioning
from scipy.integrate import quad
from scipy.stats import norm

from moo.bayes.cells import joined_cells
from moo.bayes.gaussian_processes import GaussianProcesses
from moo.bayes.improvement import (
    FAR,
    LogExpectedHypervolumeImprovement,
    log_feasibility,
    log_gain,
    log_improvement,
    log_mean,
)
from moo.indicators.volume import hypervolume

ROOT = math.log(2 * math.pi) / 2


def exact_gain(z):
    """The logarithm of E(Z + z)+ and its slope, by integrals without cancellation."""
    if z > 0:
        below, slope = exact_gain(-z)
        gain = z + math.exp(below)
        return math.log(gain), (1 - slope * math.exp(below)) / gain
    if z == 0:
        return -ROOT, math.sqrt(math.pi / 2)
    end = 40 * min(1, -z)  # beyond, nothing is left
    shares = [
        quad(lambda u, k=k: u**k * math.exp(-u - (u / z) ** 2 / 2), 0, end, epsabs=0, epsrel=1e-13, limit=200)[0]
        for k in (0, 1)
    ]
    return -(z**2) / 2 - ROOT - 2 * math.log(-z) + math.log(shares[1]), -z * shares[0] / shares[1]


@pytest.mark.parametrize(
    "z", [-1e5, -1234.5, -301, FAR - 1e-3, FAR, FAR + 1e-3, -299, -37.6, -5, -1, -1e-3, 0, 1e-3, 0.7, 3, 9, 37.6, 50]
)
def test_the_logarithm_of_the_gain_and_its_slope_equal_integrals(z):
    value, slope = exact_gain(z)
    at = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    found = log_gain(at)
    found.backward()
    assert found.item() == pytest.approx(value, rel=4e-16, abs=3e-9 if z < -50 else 1e-12)
    assert at.grad.item() == pytest.approx(slope, rel=1e-9)


def test_the_logarithm_of_the_gain_rises_and_its_slope_falls_everywhere():
    z = torch.cat([-torch.logspace(5, -6, 3000, dtype=torch.float64), torch.linspace(0, 60, 3000).double()])
    z.requires_grad_(True)
    values = log_gain(z)
    (slopes,) = torch.autograd.grad(values.sum(), z)
    assert (values.diff() > 0).all()
    assert (slopes.diff() < 1e-9 * slopes[:-1]).all()
    assert (slopes > 0).all()


@pytest.mark.parametrize("place", [FAR, 0.0])
def test_there_is_no_step_where_formulas_meet(place):
    z = torch.tensor([place - 1e-10, place, place + 1e-10], dtype=torch.float64, requires_grad=True)
    values = log_gain(z)
    (slopes,) = torch.autograd.grad(values.sum(), z)
    assert (values - values[1]).abs().max() < 5e-8
    assert (slopes - slopes[1]).abs().max() < 5e-7


def test_finite_differences_give_the_slope_of_the_gain():
    z = torch.tensor([-30.0, -3, -0.2, 0.3, 4, 20], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(log_gain, z)


def test_the_gain_is_finite_as_far_as_squares_are():
    z = torch.tensor([-1e150, -1e100, -1e20, 1e20, 1e150], dtype=torch.float64, requires_grad=True)
    values = log_gain(z)
    (slopes,) = torch.autograd.grad(values.sum(), z)
    assert torch.allclose(values[:3], -0.5 * z[:3].square())
    assert torch.allclose(values[3:], z[3:].log())
    assert torch.allclose(slopes, torch.tensor([1e150, 1e100, 1e20, 1e-20, 1e-150], dtype=torch.float64))


# --- the improvement --------------------------------------------------------------------------------------------------


def case(m, seed=0, rows=6, points=5):
    """A front above the reference point, and beliefs about rows around it."""
    stream = torch.Generator().manual_seed(seed)
    front = torch.nn.functional.normalize(torch.rand(points, m, generator=stream, dtype=torch.float64), dim=1)
    means = 1.4 * torch.rand(rows, m, generator=stream, dtype=torch.float64) - 0.2
    sd = 0.05 + 0.4 * torch.rand(rows, m, generator=stream, dtype=torch.float64)
    return front, torch.linspace(-0.3, 0.1, m, dtype=torch.float64), means, sd


def improvement(front, reference, means, sd):
    return log_improvement(means[None], sd, *joined_cells(front[None], reference))


def subsets(front):
    """The least corner of every subset of a front, infinity for the empty one, and its sign."""
    for size in range(len(front) + 1):
        for chosen in itertools.combinations(range(len(front)), size):
            corner = front[list(chosen)].amin(dim=0) if chosen else torch.full_like(front[0], torch.inf)
            yield corner, (-1) ** size


@pytest.mark.parametrize("m", [2, 3, 4])
def test_it_equals_inclusion_and_exclusion(m):
    """Of closed forms, so that there is no noise; without boxes."""
    front, reference, means, sd = case(m)

    def half(at):
        z = ((means - at) / sd).numpy()
        return sd * torch.from_numpy(norm.pdf(z) + z * norm.cdf(z))

    expected = 0
    for corner, sign in subsets(front):
        corner = corner.maximum(reference)
        limit = torch.where(torch.isfinite(corner), half(corner.nan_to_num(posinf=1e3)), 0.0)
        expected = expected + sign * (half(reference) - limit).prod(dim=1)
    assert torch.allclose(improvement(front, reference, means, sd).exp(), expected, rtol=1e-9)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_it_is_the_mean_of_a_million_samples(m):
    front, reference, means, sd = case(m, seed=1, rows=1, points=4)
    drawn = means + sd * torch.randn(10**6, m, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gains = sum(
        sign * (torch.minimum(drawn, corner) - reference).clamp_min(0).prod(dim=1) for corner, sign in subsets(front)
    )
    found = improvement(front, reference, means, sd).exp().item()
    assert abs(gains.mean().item() - found) < 3.5 * gains.std().item() / 1000
    assert gains.std().item() / 1000 < 0.01 * found


def test_values_spread_so_little_as_to_be_certain_improve_by_the_difference_of_hypervolumes():
    front, reference, means, _ = case(3, rows=40)
    before = hypervolume(front, reference)
    after = torch.tensor([hypervolume(torch.cat([front, row[None]]), reference) for row in means], dtype=torch.float64)
    found = improvement(front, reference, means, torch.full_like(means, 1e-6)).exp()
    better = after > before
    assert better.sum() > 5
    assert torch.allclose(found[better], after[better] - before, rtol=1e-4)
    assert (found[~better] < 1e-10).all()
    assert (~better).any()


@pytest.mark.parametrize("m", [2, 3, 4])
def test_gradients_equal_finite_differences(m):
    front, reference, means, sd = case(m)
    cells = joined_cells(front[None], reference)
    arguments = (means[None].requires_grad_(True), sd.requires_grad_(True))
    assert torch.autograd.gradcheck(lambda *moments: log_improvement(*moments, *cells), arguments)


def test_narrow_boxes_lose_nothing():
    """A thousand points: a box is a thousandth of a standard deviation wide, and what it gains as small a share."""
    angle = torch.linspace(0.01, 1.56, 1000, dtype=torch.float64)
    front, reference = torch.stack([angle.cos(), angle.sin()], dim=1), torch.zeros(2, dtype=torch.float64)
    means, sd = torch.tensor([[0.6, 0.7], [3.0, 2.0]], dtype=torch.float64), torch.ones(2, 2, dtype=torch.float64)
    lower, upper, _ = joined_cells(front[None], reference)

    def half(at):
        z = means[:, None] - at
        return torch.from_numpy(z.numpy() * norm.cdf(z.numpy()) + norm.pdf(z.numpy()))

    width = half(lower)[..., 0] - torch.where(upper[..., 0].isinf(), 0.0, half(upper.clamp(max=99))[..., 0])
    expected = (width * half(lower)[..., 1]).sum(dim=1)
    assert torch.allclose(improvement(front, reference, means, sd).exp(), expected, rtol=1e-9)


def test_an_objective_in_other_units_adds_the_logarithm_of_the_factor():
    front, reference, means, sd = case(3)
    factor = torch.tensor([1.0, 1e4, 1e-3], dtype=torch.float64)
    scaled = improvement(*(part * factor for part in (front, reference, means, sd)))
    assert torch.allclose(scaled - improvement(front, reference, means, sd), factor.log().sum(), atol=1e-9)


def test_several_versions_give_the_logarithm_of_the_mean():
    cases = [case(3, seed, points=3 + seed) for seed in range(3)]
    sd, reference = cases[0][3], cases[0][1]
    single = torch.stack([improvement(front, reference, means, sd) for front, _, means, _ in cases])
    fronts = torch.stack([front[[*range(len(front)), *[0] * (5 - len(front))]] for front, *_ in cases])
    lower, upper, real = joined_cells(fronts, reference)
    assert not real.all()
    found = log_improvement(torch.stack([means for _, _, means, _ in cases]), sd, lower, upper, real)
    assert torch.allclose(found, single.logsumexp(dim=0) - math.log(3), rtol=1e-12)


def test_boxes_that_are_not_real_do_not_count():
    front, reference, means, sd = case(2)
    lower, upper, real = joined_cells(front[None], reference)
    real[0, 2:] = False
    kept = log_improvement(means[None], sd, lower[:, :2], upper[:, :2])
    assert torch.equal(log_improvement(means[None], sd, lower, upper, real), kept)


@pytest.mark.parametrize("distance", [50, 1e4])
def test_far_below_the_reference_point_values_still_differ_and_slopes_lead_upwards(distance):
    front = torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    means = (-distance * torch.ones(4, 2, dtype=torch.float64) * torch.tensor([[1.0], [1.01], [1.02], [1.5]])).double()
    means.requires_grad_(True)
    values = improvement(front, torch.zeros(2, dtype=torch.float64), means, torch.ones(4, 2, dtype=torch.float64))
    (slopes,) = torch.autograd.grad(values.sum(), means)
    assert torch.isfinite(values).all()
    assert (values.diff() < -1).all()
    assert (slopes > 0.9 * distance).all()
    assert torch.isfinite(slopes).all()


# --- as an acquisition function ---------------------------------------------------------------------------------------


def told(m, n=14, d=2):
    stream = torch.Generator().manual_seed(m)
    rows = torch.rand(n, d, generator=stream, dtype=torch.float64)
    centres = torch.rand(m, 1, d, generator=stream, dtype=torch.float64)
    values = 2 - (rows - centres).square().sum(dim=2).T
    return rows, values, values.amin(dim=0) - 0.1


def model_of(kind, rows, values):
    if kind == "single":
        return SingleTaskGP(rows, values, outcome_transform=Standardize(values.shape[1]))
    parts = [SingleTaskGP(rows, column[:, None], outcome_transform=Standardize(1)) for column in values.T]
    return ModelListGP(*parts)


@pytest.mark.parametrize("kind", ["single", "list"])
@pytest.mark.parametrize("m", [2, 3, 4])
def test_it_is_the_logarithm_of_botorchs_closed_form(m, kind):
    rows, values, reference = told(m)
    model = model_of(kind, rows, values)
    theirs = ExpectedHypervolumeImprovement(model, reference, FastNondominatedPartitioning(reference, values))
    points = torch.rand(20, 1, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        ours, theirs = LogExpectedHypervolumeImprovement(model, reference, values)(points).exp(), theirs(points)
    assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-12)
    assert (theirs > 1e-4).sum() > 5


@pytest.mark.parametrize("m", [2, 3])
def test_botorchs_samples_agree(m):
    rows, values, reference = told(m)
    model = model_of("list", rows, values)
    cells = FastNondominatedPartitioning(reference, values)
    sampler = SobolQMCNormalSampler(torch.Size([4096]), seed=0)
    theirs = qLogExpectedHypervolumeImprovement(model, reference, cells, sampler)
    points = torch.rand(20, 1, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        ours, theirs = LogExpectedHypervolumeImprovement(model, reference, values)(points), theirs(points)
    within = ours > -9  # elsewhere samples do not reach
    assert within.sum() > 5
    assert torch.allclose(ours[within], theirs[within], rtol=0, atol=0.05)


@pytest.mark.parametrize("kind", ["own", "list"])
def test_gradients_by_rows_equal_finite_differences(kind):
    rows, values, reference = told(2)
    model = GaussianProcesses(rows, values) if kind == "own" else model_of(kind, rows, values)
    function = LogExpectedHypervolumeImprovement(model, reference, values)
    points = torch.tensor([[[0.21, 0.83]], [[0.55, 0.4]]], dtype=torch.float64, requires_grad=True)
    (slopes,) = torch.autograd.grad(function(points).sum(), points)
    for i, step in enumerate(1e-5 * torch.eye(2, dtype=torch.float64)):
        with torch.no_grad():
            expected = (function(points + step) - function(points - step)) / 2e-5
        assert torch.allclose(slopes[:, 0, i], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["own", "list"])
def test_botorchs_optimiser_finds_the_maximum(kind):
    rows, values, reference = told(2)
    model = GaussianProcesses(rows, values) if kind == "own" else model_of(kind, rows, values)
    function = LogExpectedHypervolumeImprovement(model, reference, values)
    torch.manual_seed(0)
    point, value = optimize_acqf(function, torch.tensor([[0.0, 0.0], [1.0, 1.0]]).double(), 1, 3, 64)
    grid = torch.cartesian_prod(*[torch.linspace(0, 1, 41, dtype=torch.float64)] * 2)
    with torch.no_grad():
        assert value.item() >= function.value(grid).max().item()
    assert point.shape == (1, 2)


@pytest.mark.parametrize("told_as", ["own", "list"])
def test_the_first_versions_can_be_taken_alone(told_as):
    rows, values, reference = told(2)
    normal = torch.randn(6, 1, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first = LogExpectedHypervolumeImprovement(model_of("list", rows, values), reference, values).surrogate
    surrogate = GaussianProcesses(rows, values) if told_as == "own" else first
    pending = torch.tensor([[0.3, 0.7]], dtype=torch.float64)
    drawn = surrogate.samples(pending, normal).detach()
    fronts = torch.cat([values.expand(6, -1, -1), drawn], dim=1)
    parts = [surrogate.conditioned(pending, drawn[:k]) for k in (6, 2)]
    whole, two = (
        LogExpectedHypervolumeImprovement(p, reference, fronts[:k]) for p, k in zip(parts, (6, 2), strict=True)
    )
    points = torch.rand(5, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.allclose(whole.value(points, 2), two.value(points), rtol=1e-9)
    assert torch.equal(whole.value(points), whole(points[:, None]))
    assert not torch.allclose(whole.value(points), two.value(points))


# --- constraints, and what points add ---------------------------------------------------------------------------------


def with_constraints(m, versions=3, points=4):
    """An acquisition function over objectives and two constraints; its model is told further rows in versions."""
    stream = torch.Generator().manual_seed(m)
    rows, objectives, reference = told(m)
    constraints = rows - torch.tensor([0.6, 0.3])
    model = GaussianProcesses(rows, torch.cat([objectives, constraints], dim=1))
    pending = torch.rand(points, 2, generator=stream, dtype=torch.float64)
    drawn = model.samples(pending, torch.randn(versions, points, m + 2, generator=stream, dtype=torch.float64))
    fronts = torch.cat([objectives.expand(versions, -1, -1), drawn[..., :m]], dim=1)
    return LogExpectedHypervolumeImprovement(model.conditioned(pending, drawn), reference, fronts), fronts, reference


@pytest.mark.parametrize("m", [2, 3])
def test_with_constraints_each_versions_improvement_is_weighed_by_its_chance_to_be_feasible(m):
    function, *_ = with_constraints(m)
    rows = torch.rand(30, 2, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    means, sd = function.surrogate.moments(rows)
    expected = 0
    for version in range(3):
        cells = (function.lower[version, None], function.upper[version, None], function.real[version, None])
        gain = log_improvement(means[version, None, :, :m], sd[:, :m], *cells).exp()
        chances = norm.cdf((-means[version, :, m:] / sd[:, m:]).numpy()).prod(axis=1)
        expected = expected + gain * torch.from_numpy(chances) / 3
    assert torch.allclose(function.value(rows).exp(), expected, rtol=1e-9, atol=0)
    assert len(set((expected > 1e-9).tolist())) == 2


def test_rows_that_are_surely_infeasible_still_differ():
    means, sd = torch.tensor([[[40.0], [41.0], [-40.0]]], dtype=torch.float64), torch.ones(3, 1, dtype=torch.float64)
    infeasible, more, feasible = log_feasibility(means, sd)[0].tolist()
    assert infeasible == pytest.approx(norm.logsf(40))
    assert more < infeasible - 30
    assert feasible == 0


def test_without_the_mean_there_is_a_value_of_each_version():
    cases = [case(3, seed) for seed in range(3)]
    sd, reference = cases[0][3], cases[0][1]
    cells = joined_cells(torch.stack([front for front, *_ in cases]), reference)
    single = torch.stack([improvement(front, reference, means, sd) for front, _, means, _ in cases])
    found = log_improvement(torch.stack([means for _, _, means, _ in cases]), sd, *cells, mean=False)
    assert torch.allclose(found, single, rtol=1e-12)
    assert torch.allclose(log_mean(found), single.logsumexp(dim=0) - math.log(3))


@pytest.mark.parametrize("m", [2, 3, 4])
def test_points_add_differences_of_hypervolumes_where_they_are_feasible(m):
    function, fronts, reference = with_constraints(m)
    stream = torch.Generator().manual_seed(0)
    values = fronts.amax(dim=1, keepdim=True) + 0.1 - 0.6 * torch.rand(3, 30, m, generator=stream, dtype=torch.float64)
    constraints = torch.randint(-2, 2, (3, 30, 2), generator=stream).double()  # 0 holds still
    found = function.improvements(torch.cat([values, constraints], dim=2))
    assert found.shape == (3, 30)
    for version, front in enumerate(fronts):
        before = hypervolume(front, reference)
        for point, slack, gain in zip(values[version], constraints[version], found[version], strict=True):
            after = hypervolume(torch.cat([front, point[None]]), reference)
            assert gain.item() == pytest.approx((after - before) * bool((slack <= 0).all()), abs=1e-12)
    assert ((found > 0).sum(dim=1) > 1).all()
    assert not function.real.all()


def test_without_constraints_the_mean_of_what_draws_add_is_the_value():
    rows, values, reference = told(2)
    function = LogExpectedHypervolumeImprovement(GaussianProcesses(rows, values), reference, values)
    points = torch.rand(60, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    points = points[function.value(points).topk(4).indices]
    means, sd = function.surrogate.moments(points)
    for i in range(4):
        drawn = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(i), dtype=torch.float64)
        added = function.improvements(means[:, i, None] + sd[i] * drawn)
        error = added.std().item() / math.sqrt(200_000)
        assert abs(added.mean().item() - function.value(points[i : i + 1]).exp().item()) < 4 * error


class Fixed:
    """A surrogate that believes the same of every row."""

    def __init__(self, means, sd):
        self.means, self.sd, self.num_outputs = means, sd, means.shape[1]

    def moments(self, rows):
        return self.means[None], self.sd

    def samples(self, rows, normal):
        raise NotImplementedError

    def conditioned(self, rows, values):
        raise NotImplementedError


@pytest.mark.parametrize("m", [2, 3, 4])
def test_nothing_is_expected_beyond_where_an_objective_ends(m):
    stream = torch.Generator().manual_seed(m)
    front = torch.rand(6, m, generator=stream, dtype=torch.float64)
    front[:3, 0] = 1.0
    point = torch.full((m,), -0.2, dtype=torch.float64)
    ends = torch.full((m,), torch.inf, dtype=torch.float64)
    ends[0] = 1.0
    means = torch.full((1, m), 0.9, dtype=torch.float64)
    sd = torch.full((1, m), 0.3, dtype=torch.float64)
    function = LogExpectedHypervolumeImprovement(Fixed(means, sd), point, front, ends)
    drawn = means + sd * torch.randn(4000, m, generator=stream, dtype=torch.float64)
    capped = torch.minimum(drawn, ends)
    before = float(hypervolume(front, point, directions="max"))
    gains = torch.tensor(
        [float(hypervolume(torch.cat([front, one[None]]), point, directions="max")) - before for one in capped]
    )
    expected = function.value(torch.zeros(1, m, dtype=torch.float64)).exp().item()
    assert expected == pytest.approx(gains.mean().item(), abs=4 * gains.std().item() / 4000**0.5)
    free = LogExpectedHypervolumeImprovement(Fixed(means, sd), point, front)
    assert expected < 0.9 * free.value(torch.zeros(1, m, dtype=torch.float64)).exp().item()
    assert torch.allclose(function.improvements(drawn[None])[0], gains.double(), atol=1e-9)


def test_an_end_where_the_front_already_is_leaves_what_the_other_objectives_give():
    front, point = torch.tensor([[1.0, 0.5]], dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    means = torch.tensor([[5.0, 0.7]], dtype=torch.float64, requires_grad=True)
    sd = torch.full((1, 2), 1e-3, dtype=torch.float64)
    ends = torch.tensor([1.0, torch.inf], dtype=torch.float64)
    value = LogExpectedHypervolumeImprovement(Fixed(means, sd), point, front, ends).value(torch.zeros(1, 2).double())
    assert value.exp().item() == pytest.approx(0.2, rel=1e-6)
    value.sum().backward()
    assert torch.isfinite(means.grad).all()


def test_ends_that_a_front_reaches_altogether_are_not_believed():
    front, point = torch.tensor([[1.0, 1.0]], dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    believed = Fixed(torch.ones(1, 2, dtype=torch.float64), torch.ones(1, 2, dtype=torch.float64))
    ended = LogExpectedHypervolumeImprovement(believed, point, front, torch.ones(2, dtype=torch.float64))
    at = torch.zeros(1, 2, dtype=torch.float64)
    assert torch.equal(ended.value(at), LogExpectedHypervolumeImprovement(believed, point, front).value(at))
