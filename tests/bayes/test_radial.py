"""The expected improvement along rays against boxes, closed forms, samples and the exact hypervolume."""

import itertools
import math

import pytest
import torch
from botorch.optim import optimize_acqf
from scipy.stats import norm

from moo.bayes.gaussian_processes import GaussianProcesses
from moo.bayes.improvement import LogExpectedHypervolumeImprovement, log_gain
from moo.bayes.radial import SCREENED, RadialHypervolumeImprovement
from moo.indicators.volume import hypervolume


class Believed:
    """A surrogate whose rows hold the means and standard deviations of all outputs, shifted in each version."""

    def __init__(self, outputs, shifts=None):
        self.num_outputs = outputs
        self.shifts = torch.zeros(1, outputs, dtype=torch.float64) if shifts is None else shifts

    def moments(self, rows):
        return rows[None, :, : self.num_outputs] + self.shifts[:, None], rows[:, self.num_outputs :]

    def samples(self, rows, normal):
        raise NotImplementedError

    def conditioned(self, rows, values):
        raise NotImplementedError


def case(m, seed=0, rows=30, points=12, spread=0.3):
    """Beliefs about rows around a front above a reference point."""
    stream = torch.Generator().manual_seed(seed)
    front = torch.nn.functional.normalize(0.05 + torch.rand(points, m, generator=stream, dtype=torch.float64), dim=1)
    means = 1.4 * torch.rand(rows, m, generator=stream, dtype=torch.float64) - 0.2
    sd = spread * (0.5 + torch.rand(rows, m, generator=stream, dtype=torch.float64))
    return torch.cat([means, sd], dim=1), torch.linspace(-0.3, 0.1, m, dtype=torch.float64), front


def boxes(rows, reference, front):
    return LogExpectedHypervolumeImprovement(Believed(len(reference)), reference, front).value(rows)


def radial(rows, reference, front, **arguments):
    return RadialHypervolumeImprovement(Believed(len(reference)), reference, front, **arguments).value(rows)


# --- the value --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [2, 3, 4])
@pytest.mark.parametrize(
    ("directions", "spread", "error"),
    [(256, 1, 0.2), (256, 0.2, 0.6), (256, 0.03, 1), (4096, 1, 0.04), (4096, 0.2, 0.06), (4096, 0.03, 0.2)],
)
def test_it_agrees_with_boxes(m, directions, spread, error):
    rows, reference, front = case(m, seed=m, rows=40, spread=spread)
    exact = boxes(rows, reference, front)
    found = radial(rows, reference, front, directions=directions)
    good = exact > exact.max() - 5
    assert good.sum() > 3
    assert (found - exact)[good].abs().max() < error


@pytest.mark.parametrize("m", [2, 3, 4])
def test_many_rays_leave_no_bias(m):
    """Nor do the ends of the rays and the eight nodes."""
    rows, reference, front = case(m, rows=60, spread=1)
    differences = radial(rows, reference, front, directions=8192) - boxes(rows, reference, front)
    assert abs(differences.mean().item()) < 2e-3


@pytest.mark.parametrize("points", [0, 12])
def test_far_above_the_front_it_is_almost_the_volume_that_is_gained(points):
    rows, reference, front = case(3, rows=5, points=points, spread=0.02)
    rows[:, :3] += 3
    exact = boxes(rows, reference, front)
    assert torch.allclose(exact, radial(rows, reference, front, directions=4096), rtol=0, atol=0.05)


@pytest.mark.parametrize("m", [2, 3, 4])
@pytest.mark.parametrize("spread", [0.03, 0.3])
def test_without_a_front_it_is_the_gain_over_the_reference_point(m, spread):
    rows, reference, front = case(m, rows=40, points=0, spread=spread)
    rows[:, :m] = rows[:, :m].abs() + reference + 0.1
    found = radial(rows, reference, front, directions=4096)
    assert torch.allclose(found, boxes(rows, reference, front), rtol=0, atol=0.35 if spread < 0.1 else 0.06)


@pytest.mark.parametrize("m", [2, 3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_where_little_is_open_the_best_of_many_rows_is_as_good_as_the_best_by_boxes(m, seed):
    rows, reference, front = case(m, seed=seed, rows=200, spread=0.03)
    exact, found = boxes(rows, reference, front), radial(rows, reference, front)
    ranks = torch.stack([exact.argsort().argsort(), found.argsort().argsort()]).double()
    assert torch.corrcoef(ranks)[0, 1] > 0.99
    assert exact[found.argmax()] > exact.max() - 0.02


def half(z, sd):
    """E(sd (Z + z))+ by the closed form."""
    return sd * torch.from_numpy(norm.pdf(z.numpy()) + z.numpy() * norm.cdf(z.numpy()))


@pytest.mark.parametrize("m", [1, 5, 6, 8])
def test_it_equals_inclusion_and_exclusion(m):
    rows, reference, front = case(m, seed=m, rows=20, points=6, spread=0.4)
    rows[:, :m] += 0.2
    means, sd = rows.split(m, dim=1)
    expected = 0
    for size in range(len(front) + 1):
        for chosen in itertools.combinations(range(len(front)), size):
            gained = half((means - reference) / sd, sd)
            if chosen:
                gained = gained - half((means - front[list(chosen)].amin(dim=0).maximum(reference)) / sd, sd)
            expected = expected + (-1) ** size * gained.prod(dim=1)
    found = radial(rows, reference, front, directions=8192)
    assert torch.allclose(found, expected.log(), rtol=0, atol=0.08)
    assert abs((found - expected.log()).mean().item()) < 0.02


@pytest.mark.parametrize("m", [5, 6])
def test_it_is_the_mean_of_what_draws_add_to_the_hypervolume(m):
    rows, reference, front = case(m, seed=m, rows=1, points=8, spread=0.2)
    rows[:, :m] += 0.3
    normal = torch.randn(1500, m, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn = rows[:, :m] + rows[:, m:] * normal
    sets = torch.cat([front.expand(1500, -1, -1), drawn[:, None]], dim=1)
    gains = hypervolume(sets, reference) - hypervolume(front, reference)
    error = gains.std() / math.sqrt(1500)
    assert error < 0.05 * gains.mean()
    found = radial(rows, reference, front, directions=16_384).exp()
    assert (found - gains.mean()).abs() < 3.5 * error + 0.02 * found


def test_an_objective_in_other_units_adds_the_logarithm_of_the_factor():
    """Whose rays follow: the same directions serve."""
    rows, reference, front = case(5)
    factor = torch.tensor([1.0, 1e4, 1e-3, 7.0, 1e9], dtype=torch.float64)
    scaled = radial(rows * factor.repeat(2), reference * factor, front * factor)
    assert torch.allclose(scaled - radial(rows, reference, front), factor.log().sum(), atol=1e-9)


def in_versions(m, constraints=0):
    """Beliefs in three versions, each with its own front, all of the same extent; and these versions alone."""
    rows, reference, front = case(m, points=5)
    extremes = 0.15 + torch.eye(m, dtype=torch.float64)
    fronts = torch.stack([torch.cat([extremes, part]) for part in (front, 0.8 * front, front.flip(1))])
    shifts = torch.linspace(-0.3, 0.3, 3 * (m + constraints), dtype=torch.float64).reshape(3, -1)
    limited = torch.linspace(-1, 1, len(rows) * constraints, dtype=torch.float64).reshape(len(rows), -1)
    rows = torch.cat([rows[:, :m], limited, rows[:, m:], 0.3 + 0 * limited], dim=1)
    whole = RadialHypervolumeImprovement(Believed(m + constraints, shifts), reference, fronts)
    alone = [
        RadialHypervolumeImprovement(Believed(m + constraints, shifts[i, None]), reference, fronts[i, None])
        for i in range(3)
    ]
    return whole, alone, rows


def test_several_versions_give_the_logarithm_of_the_mean():
    whole, alone, rows = in_versions(4)
    single = torch.stack([part.value(rows) for part in alone])
    assert torch.allclose(whole.value(rows), single.logsumexp(dim=0) - math.log(3), rtol=1e-12)
    assert (single[0] - single[2]).abs().min() > 0.01


def test_the_first_versions_and_few_rays_can_be_taken_alone():
    whole, alone, rows = in_versions(4)
    few = [part.value(rows, 5) for part in alone]  # more than there are: all of them, along few rays
    assert torch.allclose(whole.value(rows, 2), torch.stack(few[:2]).logsumexp(dim=0) - math.log(2), rtol=1e-12)
    alone[0].rays, alone[0].exits = alone[0].rays[:SCREENED], alone[0].exits[:, :SCREENED]
    alone[0].limits = alone[0].limits[:SCREENED]
    assert torch.equal(alone[0].value(rows), few[0])
    assert 1e-3 < (whole.value(rows, 3) - whole.value(rows)).abs().mean() < 0.5


def test_rows_of_a_front_that_are_minus_infinity_or_below_the_reference_point_do_nothing():
    rows, reference, front = case(5)
    nothing = torch.stack(
        [torch.full((5,), -torch.inf).double(), reference, torch.tensor([9.0, 9, 9, 9, -0.5]).double()]
    )
    assert torch.equal(radial(rows, reference, torch.cat([front, nothing])), radial(rows, reference, front))
    assert torch.equal(radial(rows, reference, nothing), radial(rows, reference, front[:0]))


def test_the_seed_decides():
    rows, reference, front = case(5)
    first, again, other = (radial(rows, reference, front, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not (first == other).any()


def test_the_reference_point_may_be_of_another_precision():
    rows, reference, front = case(3)
    found = radial(rows, reference.float(), front)
    assert found.dtype == torch.float64
    assert torch.allclose(found, radial(rows, reference, front), atol=1e-5)


# --- slopes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [2, 5])
@pytest.mark.parametrize(("spread", "error"), [(0.5, 0.005), (0.05, 0.1)])
def test_slopes_are_nearly_finite_differences(m, spread, error):
    """Of the integral: that its nodes are held fixed costs a little."""
    rows, reference, front = case(m, rows=20, spread=spread)
    rows.requires_grad_(True)
    (slopes,) = torch.autograd.grad(radial(rows, reference, front).sum(), rows)
    steps = 1e-5 * torch.eye(2 * m, dtype=torch.float64)
    with torch.no_grad():
        differences = [radial(rows + s, reference, front) - radial(rows - s, reference, front) for s in steps]
    expected = torch.stack(differences, dim=1) / 2e-5
    assert ((slopes - expected).norm(dim=1) < error * expected.norm(dim=1)).all()


@pytest.mark.parametrize("m", [2, 6])
@pytest.mark.parametrize("distance", [50, 1e4])
def test_far_below_the_reference_point_values_still_differ_and_slopes_lead_upwards(m, distance):
    _, reference, front = case(m)
    away = distance * torch.tensor([1.0, 1.01, 1.02, 1.5], dtype=torch.float64)
    rows = torch.cat([reference - away[:, None], torch.ones(4, m, dtype=torch.float64)], dim=1).requires_grad_(True)
    values = radial(rows, reference, front)
    (slopes,) = torch.autograd.grad(values.sum(), rows)
    assert torch.isfinite(values).all()
    assert (values.diff() < -1).all()
    assert torch.isfinite(slopes).all()
    assert (slopes > 0.9 * distance).all()
    assert torch.allclose(values, -0.5 * m * away.square(), rtol=0.1)


@pytest.mark.parametrize("distance", [5, 50, 1e4])
def test_far_below_the_reference_point_the_gain_is_that_of_each_objective(distance):
    """Rays end where the conditional gain does, however small."""
    away = torch.linspace(1, 1.2, 4, dtype=torch.float64) * -distance
    rows, none = torch.cat([away, torch.ones(4, dtype=torch.float64)])[None], torch.zeros(0, 4, dtype=torch.float64)
    found = radial(rows, torch.zeros(4, dtype=torch.float64), none, directions=4096)
    assert (found - log_gain(away).sum()).abs() < 0.15


def test_far_below_the_front_values_still_differ_and_slopes_lead_upwards():
    _, reference, front = case(5)
    means = reference + torch.tensor([[0.1], [0.2], [0.3]], dtype=torch.float64)
    rows = torch.cat([means, torch.full((3, 5), 0.005, dtype=torch.float64)], dim=1).requires_grad_(True)
    values = radial(rows, reference, front + 1)
    (slopes,) = torch.autograd.grad(values.sum(), rows)
    assert torch.isfinite(values).all()
    assert values.max() < -1000
    assert (values.diff() > 10).all()
    assert (slopes[:, :5].sum(dim=1) > 0).all()
    assert torch.isfinite(slopes).all()


# --- constraints, and what points add ---------------------------------------------------------------------------------


def test_with_constraints_each_versions_improvement_is_weighed_by_its_chance_to_be_feasible():
    m = 3
    whole, alone, rows = in_versions(m, constraints=2)
    expected = 0
    for part in alone:
        means, sd = part.surrogate.moments(rows)
        chances = norm.cdf((-means[0, :, m:] / sd[:, m:]).numpy()).prod(axis=1)
        free = RadialHypervolumeImprovement(Believed(m), part.point, 0.15 + torch.eye(m, dtype=torch.float64))
        free.exits = part.exits
        gain = free.value(torch.cat([means[0, :, :m], sd[:, :m]], dim=1)).exp()
        expected = expected + gain * torch.from_numpy(chances) / 3
    assert torch.allclose(whole.value(rows).exp(), expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("kind", [LogExpectedHypervolumeImprovement, RadialHypervolumeImprovement])
def test_constraints_add_the_logarithm_of_the_chance_to_be_feasible(kind):
    rows, reference, front = case(3)
    means, sd = torch.tensor([[-1.0, 40]]).double().expand(30, 2), torch.tensor([[0.5, 1]]).double().expand(30, 2)
    limited = torch.cat([rows[:, :3], means, rows[:, 3:], sd], dim=1)
    found = kind(Believed(5), reference, front).value(limited) - kind(Believed(3), reference, front).value(rows)
    assert torch.allclose(found, torch.full((30,), norm.logcdf(2) + norm.logcdf(-40), dtype=torch.float64), rtol=1e-9)


@pytest.mark.parametrize("m", [2, 4, 6])
def test_points_add_about_the_differences_of_hypervolumes_where_they_are_feasible(m):
    _, reference, front = case(m)
    stream = torch.Generator().manual_seed(0)
    fronts = torch.stack([front, front.flip(1)])
    function = RadialHypervolumeImprovement(Believed(m + 2), reference, fronts, directions=4096)
    values = fronts.amax(dim=1, keepdim=True) + 0.2 - torch.rand(2, 25, m, generator=stream, dtype=torch.float64)
    constraints = torch.randint(-3, 2, (2, 25, 2), generator=stream).double()  # 0 holds still
    found = function.improvements(torch.cat([values, constraints], dim=2))
    assert found.shape == (2, 25)
    for version, one in enumerate(fronts):
        after = torch.stack([torch.cat([one, point[None]]) for point in values[version]])
        gains = hypervolume(after, reference) - hypervolume(one, reference)
        feasible = (constraints[version] <= 0).all(dim=1)
        assert torch.allclose(found[version], gains * feasible, rtol=0.1, atol=0.05 * gains.mean().item())
        assert (found[version][(gains < 1e-12) | ~feasible] == 0).all()
        assert (found[version] > 0).sum() > 3
    dominated = torch.cat([0.9 * fronts - 0.1, torch.zeros(2, len(front), 2)], dim=2)
    assert (function.improvements(dominated) == 0).all()


# --- as an acquisition function ---------------------------------------------------------------------------------------


def test_botorchs_optimiser_finds_a_maximum_for_six_objectives():
    stream = torch.Generator().manual_seed(1)
    rows = torch.rand(12, 2, generator=stream, dtype=torch.float64)
    centres = torch.rand(6, 1, 2, generator=stream, dtype=torch.float64)
    values = 2 - (rows - centres).square().sum(dim=2).T
    function = RadialHypervolumeImprovement(
        GaussianProcesses(rows, values), values.amin(dim=0) - 0.1, values, directions=128
    )
    torch.manual_seed(0)
    point, value = optimize_acqf(function, torch.tensor([[0.0, 0.0], [1.0, 1.0]]).double(), 1, 2, 32)
    grid = torch.cartesian_prod(*[torch.linspace(0, 1, 15, dtype=torch.float64)] * 2)
    with torch.no_grad():
        assert torch.equal(function(grid[:, None]), function.value(grid))
        assert value.item() >= function.value(grid).max().item()
    assert point.shape == (1, 2)


def test_without_a_front_units_do_not_matter_to_rays():
    class Believed:
        num_outputs = 5

        def moments(self, rows):
            return rows[None, :, :5], rows[:, 5:]

        def samples(self, rows, normal): ...

        def conditioned(self, rows, values): ...

    stream = torch.Generator().manual_seed(0)
    rows = 0.2 + torch.rand(50, 10, generator=stream, dtype=torch.float64)
    reference, empty = torch.zeros(5, dtype=torch.float64), torch.zeros(0, 5, dtype=torch.float64)
    factor = torch.tensor([1, 100, 0.01, 7, 1], dtype=torch.float64)
    scaled = RadialHypervolumeImprovement(Believed(), reference, empty, size=factor).value(rows * factor.repeat(2))
    plain = RadialHypervolumeImprovement(Believed(), reference, empty, size=factor / factor).value(rows)
    assert torch.allclose(scaled - factor.log().sum(), plain, atol=0.5)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_rays_end_where_objectives_do_as_boxes_do(m):
    rows, reference, front = case(m, seed=m, rows=40)
    ends = torch.full((m,), torch.inf, dtype=torch.float64)
    ends[0] = front[:, 0].max()
    boxed = LogExpectedHypervolumeImprovement(Believed(m), reference, front, ends)
    along = RadialHypervolumeImprovement(Believed(m), reference, front, ends=ends, directions=4096)
    # of what is close to no improvement a few rays alone see anything
    worth = boxed.value(rows) > boxed.value(rows).max() - 4
    assert torch.allclose(along.value(rows)[worth], boxed.value(rows)[worth], atol=0.15)
    assert (along.value(rows) < radial(rows, reference, front, directions=4096)).any()
    drawn = rows[None, :, :m]
    assert torch.allclose(along.improvements(drawn), boxed.improvements(drawn), rtol=0.1, atol=2e-3)
