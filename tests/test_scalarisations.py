"""Scalarisations agree with loops written out, have their closed values, limits and gradients, and follow dominance."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymoo.decomposition.pbi import PBI

from moo.dominance import non_dominated
from moo.preferences import dirichlet
from moo.scalarisations import (
    achievement,
    augmented_tchebycheff,
    log_sum,
    penalty_boundary_intersection,
    smooth_tchebycheff,
    tchebycheff,
    weighted_sum,
)

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**31 - 1)

F = torch.tensor([1.0, 3.0])
P = torch.tensor([0.75, 0.25])
IDEAL = torch.tensor([2.0, 5.0])

CALLS = {  # of objectives, preferences and an ideal point
    "weighted_sum": lambda f, p, z: weighted_sum(f, p),
    "log_sum": lambda f, p, z: log_sum(f, p),
    "tchebycheff": tchebycheff,
    "augmented": augmented_tchebycheff,
    "smooth": lambda f, p, z: smooth_tchebycheff(f, p, z, 0.3),
    "pbi": penalty_boundary_intersection,
    "achievement": lambda f, p, z: achievement(f, p, z - 1.5, 0.02),
}
each = pytest.mark.parametrize("name", CALLS)


def literal_pbi(f, p, z, theta):
    norm = math.sqrt(sum(x * x for x in p))
    along = sum((b - a) * w for a, w, b in zip(f, p, z, strict=True)) / norm
    apart = math.sqrt(sum((b - a - along * w / norm) ** 2 for a, w, b in zip(f, p, z, strict=True)))
    return -(along + theta * apart)


def literal_log_sum(f, p):
    total = 0.0
    for a, w in zip(f, p, strict=True):
        if w > 0:
            total += w * math.log(a) if a > 0 else -math.inf
    return total


LITERAL = {
    "weighted_sum": lambda f, p, z: sum(a * w for a, w in zip(f, p, strict=True)),
    "log_sum": lambda f, p, z: literal_log_sum(f, p),
    "tchebycheff": lambda f, p, z: -max(w * (b - a) for a, w, b in zip(f, p, z, strict=True)),
    "augmented": lambda f, p, z: (
        -max(w * (b - a) for a, w, b in zip(f, p, z, strict=True))
        - 0.05 * sum(w * (b - a) for a, w, b in zip(f, p, z, strict=True))
    ),
    "smooth": lambda f, p, z: (
        -0.3 * math.log(sum(math.exp(w * (b - a) / 0.3) for a, w, b in zip(f, p, z, strict=True)))
    ),
    "pbi": lambda f, p, z: literal_pbi(f, p, z, 5.0),
    "achievement": lambda f, p, z: (
        min(w * (a - b + 1.5) for a, w, b in zip(f, p, z, strict=True))
        + 0.02 * sum(w * (a - b + 1.5) for a, w, b in zip(f, p, z, strict=True))
    ),
}


def drawn(m, seed, n=6):
    """Objectives with some zeros, preferences with some zeros, and a point that is at least as good."""
    rng = np.random.default_rng(seed)
    objectives = rng.uniform(0.0, 3.0, (n, m)) * (rng.random((n, m)) < 0.9)
    preferences = rng.dirichlet([0.7] * m, n) * (rng.random((n, m)) < 0.8)
    preferences[:, rng.integers(m)] += 0.1
    preferences /= preferences.sum(axis=1, keepdims=True)
    return *map(torch.from_numpy, (objectives, preferences)), torch.from_numpy(rng.uniform(3.0, 4.0, m))


# --- values ---------------------------------------------------------------------------------------------------------


@each
@moderate
@given(m=st.integers(1, 6), seed=seeds)
def test_values_are_those_of_a_loop_written_out(name, m, seed):
    objectives, preferences, ideal = drawn(m, seed)
    expected = [
        LITERAL[name](f, p, ideal.tolist()) for f, p in zip(objectives.tolist(), preferences.tolist(), strict=True)
    ]
    found = CALLS[name](objectives, preferences, ideal)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12)


def test_values_at_a_known_point():
    assert weighted_sum(F, P).item() == 1.5
    assert log_sum(F, P).item() == pytest.approx(0.25 * math.log(3))
    assert tchebycheff(F, P, IDEAL).item() == -0.75  # shortfalls 0.75 * 1 and 0.25 * 2
    assert augmented_tchebycheff(F, P, IDEAL, augmentation=0.5).item() == -0.75 - 0.5 * 1.25
    assert augmented_tchebycheff(F, P, IDEAL).item() == pytest.approx(-0.75 - 0.05 * 1.25)
    assert augmented_tchebycheff(F, P, IDEAL, augmentation=0.0).item() == tchebycheff(F, P, IDEAL).item()
    assert smooth_tchebycheff(F, P, IDEAL, 1.0).item() == pytest.approx(-math.log(math.exp(0.75) + math.exp(0.5)))
    assert achievement(F, P, torch.tensor([0.0, 1.0]), 0.5).item() == 0.5 + 0.5 * 1.25  # min(0.75 * 1, 0.25 * 2)
    along, norm = (0.75 * 1 + 0.25 * 2) / math.sqrt(0.625), math.sqrt(0.625)
    apart = math.hypot(1 - along * 0.75 / norm, 2 - along * 0.25 / norm)
    assert penalty_boundary_intersection(F, P, IDEAL).item() == pytest.approx(-(along + 5 * apart))


def test_an_objective_without_preference_has_no_say():
    objectives = torch.tensor([[0.0, 4.0], [3.0, 4.0]], dtype=torch.float64)
    preference, ideal = torch.tensor([0.0, 1.0], dtype=torch.float64), torch.tensor([5.0, 5.0], dtype=torch.float64)
    for name in ("weighted_sum", "log_sum", "tchebycheff", "augmented", "smooth", "achievement"):
        first, second = CALLS[name](objectives, preference, ideal)
        assert first == second, name
    first, second = penalty_boundary_intersection(objectives, preference, ideal)  # here 0 means: fall short by nothing
    assert first < second


def test_log_sum_at_zero():
    objectives = torch.tensor([[0.0, 2.0], [2.0, 0.0], [-0.0, 0.0]], dtype=torch.float64)
    preference = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert log_sum(objectives, preference).tolist() == [math.log(2), -math.inf, -math.inf]
    assert log_sum(objectives[0], torch.tensor([0.1, 0.9])).item() == -math.inf
    at = objectives[0].clone().requires_grad_()
    (slope,) = torch.autograd.grad(log_sum(at, preference), at)
    assert slope.tolist() == [0.0, 0.5]


def test_log_sum_refuses_negative_rewards():
    with pytest.raises(ValueError, match=r"`objectives` should be at least 0 for a sum of.* Found -0.5. Shift them"):
        log_sum(torch.tensor([[1.0, 2.0], [-0.5, 1.0]]), torch.tensor([0.0, 1.0]))


@moderate
@given(st.integers(1, 5), seeds)
def test_log_sum_orders_as_the_weighted_product(m, seed):
    objectives, preferences, _ = drawn(m, seed, n=10)
    product = (objectives.clamp(min=0.01) ** preferences).prod(dim=1)
    torch.testing.assert_close(log_sum(objectives.clamp(min=0.01), preferences).exp(), product)


@moderate
@given(st.integers(1, 6), seeds)
def test_penalty_boundary_intersection_is_that_of_pymoo(m, seed):
    objectives, preferences, ideal = drawn(m, seed)
    theirs = PBI().do(-objectives.numpy(), preferences.numpy(), ideal_point=-ideal.numpy(), _type="many_to_many")
    found = penalty_boundary_intersection(objectives[:, None, :], preferences, ideal)
    np.testing.assert_allclose(found.numpy(), -theirs, rtol=1e-10, atol=1e-10)


def test_penalty_boundary_intersection_splits_a_shortfall_in_two():
    objectives, preferences, ideal = drawn(4, 3)
    call = penalty_boundary_intersection
    torch.testing.assert_close(call(objectives, 7.0 * preferences, ideal), call(objectives, preferences, ideal))
    along = -call(objectives, preferences, ideal, theta=0.0)
    apart = -call(objectives, preferences, ideal, theta=1.0) - along
    torch.testing.assert_close(along**2 + apart**2, ((ideal - objectives) ** 2).sum(dim=1))
    on_the_ray = ideal - 2.0 * preferences
    expected = -2.0 * torch.linalg.vector_norm(preferences, dim=1)
    torch.testing.assert_close(call(on_the_ray, preferences, ideal, theta=50.0), expected)


# --- shapes, types and what is passed on ------------------------------------------------------------------------------


@each
def test_leading_dimensions_broadcast_and_dtype_is_kept(name):
    objectives, preferences = torch.rand(5, 1, 2), torch.rand(1, 4, 2)
    found = CALLS[name](objectives, preferences, IDEAL)
    assert found.shape == (5, 4)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[2, 3], CALLS[name](objectives[2, 0], preferences[0, 3], IDEAL))
    assert CALLS[name](objectives[0, 0], preferences[0, 0], IDEAL).shape == ()
    assert CALLS[name](torch.empty(0, 2), preferences[0, :1], IDEAL).shape == (0,)


@each
def test_nan_is_passed_on(name):
    rows = torch.tensor([[math.nan, 1.0], [1.0, 1.0], [1.0, math.nan]])
    for preference in (P, torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])):
        assert CALLS[name](rows, preference, IDEAL).isnan().tolist() == [True, False, True]


@each
@pytest.mark.parametrize("m", [1, 2, 5])
def test_gradients_at_generic_points(name, m):
    rng = np.random.default_rng(m)
    objectives = torch.from_numpy(rng.uniform(0.5, 2.0, (4, m))).requires_grad_()
    preferences = torch.from_numpy(rng.dirichlet([1.0] * m, 4)).requires_grad_()
    ideal = torch.from_numpy(rng.uniform(2.5, 3.0, m)).requires_grad_()
    if name == "pbi" and m == 1:  # nothing is ever apart from the direction
        (slope,) = torch.autograd.grad(CALLS[name](objectives, preferences, ideal).sum(), objectives)
        assert slope.tolist() == [[1.0]] * 4
    else:
        assert torch.autograd.gradcheck(CALLS[name], (objectives, preferences, ideal))


def test_gradients_are_finite_where_something_is_zero():
    ideal = torch.tensor([2.0, 2.0], dtype=torch.float64)
    preference = torch.tensor([0.5, 0.5], dtype=torch.float64)
    for name in ("tchebycheff", "augmented", "smooth", "pbi", "achievement"):
        for point in (ideal, ideal - preference):  # the ideal point itself, and on the ray
            at = point.clone().requires_grad_()
            (slope,) = torch.autograd.grad(CALLS[name](at, preference, ideal), at)
            assert torch.isfinite(slope).all(), name


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x: smooth_tchebycheff(F, P, IDEAL, x), "mu"),
        (lambda x: penalty_boundary_intersection(F, P, IDEAL, x), "theta"),
        (lambda x: augmented_tchebycheff(F, P, IDEAL, x), "augmentation"),
        (lambda x: achievement(F, P, IDEAL, x), "augmentation"),
    ],
)
def test_factors_out_of_range_are_errors(call, name):
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"`{name}` should be"):
            call(wrong)
    if name == "mu":
        with pytest.raises(ValueError, match="`mu` should be above 0"):
            call(0.0)
    else:
        assert torch.isfinite(call(0.0))


# --- limits ---------------------------------------------------------------------------------------------------------


@moderate
@given(st.integers(1, 6), seeds, st.sampled_from([1e-300, 1e-12, 1e-3, 0.1, 1.0, 100.0]))
def test_smooth_tchebycheff_lies_below_tchebycheff_by_at_most_mu_log_m(m, seed, mu):
    objectives, preferences, ideal = drawn(m, seed)
    exact, smooth = tchebycheff(objectives, preferences, ideal), smooth_tchebycheff(objectives, preferences, ideal, mu)
    assert (smooth <= exact + 1e-12).all()
    assert (smooth >= exact - mu * math.log(m) - 1e-12).all()


def test_smooth_tchebycheff_does_not_overflow():
    found = smooth_tchebycheff(torch.tensor([-1e6, 0.0]), P, torch.tensor([1e6, 0.0]), 1e-3)
    assert found.item() == pytest.approx(-1.5e6)
    at = torch.tensor([-1e6, 0.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(smooth_tchebycheff(at, P.double(), IDEAL.double(), 1e-6), at)
    assert slope.tolist() == [0.75, 0.0]


@moderate
@given(st.integers(1, 6), seeds)
def test_achievement_of_the_ideal_point_is_augmented_tchebycheff(m, seed):
    objectives, preferences, ideal = drawn(m, seed)
    found = achievement(objectives, preferences, ideal)
    assert torch.equal(found, augmented_tchebycheff(objectives, preferences, ideal))
    shifted = achievement(objectives - 0.7, preferences, ideal - 0.7)
    torch.testing.assert_close(shifted, found)


def test_achievement_is_positive_where_all_aspirations_are_surpassed():
    reference = torch.tensor([1.0, 1.0])
    points = torch.tensor([[1.5, 1.2], [1.0, 1.0], [3.0, 0.9], [0.5, 0.5]])
    found = achievement(points, torch.tensor([0.5, 0.5]), reference, augmentation=0.0)
    assert found.sign().tolist() == [1.0, 0.0, -1.0, -1.0]


# --- dominance ------------------------------------------------------------------------------------------------------


@moderate
@given(st.integers(1, 5), seeds)
def test_a_better_point_never_scores_lower(m, seed):
    rng = np.random.default_rng(seed)
    worse = torch.from_numpy(rng.integers(0, 4, (10, m)).astype(float))
    better = worse + torch.from_numpy(rng.integers(0, 3, (10, m)))
    better[:, rng.integers(m)] += 1.0
    ideal = torch.full((m,), 7.0, dtype=torch.float64)
    preferences = dirichlet(10, m, torch.Generator().manual_seed(seed))
    sparse = preferences * torch.from_numpy(rng.random((10, m)) < 0.5)
    for name in ("weighted_sum", "tchebycheff", "augmented", "smooth", "achievement"):
        assert (CALLS[name](better, sparse, ideal) >= CALLS[name](worse, sparse, ideal) - 1e-12).all(), name
        if name != "tchebycheff":  # the maximum alone ties
            positive = preferences + 1e-3
            assert (CALLS[name](better, positive, ideal) > CALLS[name](worse, positive, ideal)).all(), name
    assert (log_sum(better, sparse) >= log_sum(worse, sparse)).all()
    assert (log_sum(better + 1, preferences + 1e-3) > log_sum(worse + 1, preferences + 1e-3)).all()


@moderate
@given(st.integers(2, 4), seeds)
def test_penalty_boundary_intersection_follows_dominance_up_to_a_bound(m, seed):
    rng = np.random.default_rng(seed)
    worse = torch.from_numpy(rng.uniform(0, 4, (20, m)))
    better = worse + torch.from_numpy(rng.uniform(0, 2, (20, m)) * (rng.random((20, m)) < 0.5))
    preference = torch.from_numpy(rng.dirichlet([1.0] * m))
    unit = preference / torch.linalg.vector_norm(preference)
    bound = float((unit / (1 - unit**2).sqrt()).min())
    ideal = torch.full((m,), 7.0, dtype=torch.float64)
    low, high = (penalty_boundary_intersection(f, preference, ideal, 0.999 * bound) for f in (worse, better))
    assert (high >= low - 1e-12).all()


def test_penalty_boundary_intersection_can_prefer_a_dominated_point():
    points = torch.tensor([[-1.0, -1.0], [-1.0, 0.0]])  # the second is better, but off the direction
    worse, better = penalty_boundary_intersection(points, torch.tensor([0.5, 0.5]), torch.zeros(2))
    assert worse > better


@moderate
@given(st.integers(2, 4), seeds)
def test_tchebycheff_reaches_every_non_dominated_point(m, seed):
    objectives = torch.from_numpy(np.random.default_rng(seed).integers(0, 6, (12, m)).astype(float))
    ideal = torch.full((m,), 6.0, dtype=torch.float64)
    for point in objectives[non_dominated(objectives)]:
        preference = 1 / (ideal - point)  # the level set of this preference has its corner at the point
        for name in ("tchebycheff", "augmented", "smooth", "pbi"):
            if name == "pbi":  # here the preference is the direction itself
                scores = penalty_boundary_intersection(objectives, ideal - point, ideal, theta=1e4)
            elif name == "smooth":
                scores = smooth_tchebycheff(objectives, preference / preference.sum(), ideal, 1e-4)
            elif name == "augmented":
                scores = augmented_tchebycheff(objectives, preference / preference.sum(), ideal, 1e-4)
            else:
                scores = tchebycheff(objectives, preference / preference.sum(), ideal)
            best = objectives[scores >= scores.max() - 1e-12]
            assert (best == point).all(dim=1).any(), name
