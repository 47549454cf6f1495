"""Rules that follow a preference's ray: literal forms on the gradients themselves, scipy, finite differences."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from moo.gradients import descend, epo, min_norm, pareto_mtl, pmgda
from moo.gradients.rays import _off_ray, _rays


def setting(n, seed, d=6):
    """Gradients, their Gram matrix, losses and preferences."""
    generator = torch.Generator().manual_seed(seed)
    gradients = torch.randn(n, d, generator=generator, dtype=torch.float64)
    losses, preferences = torch.rand(2, n, generator=generator, dtype=torch.float64) + 0.05
    return gradients, gradients @ gradients.T, losses, preferences


def program_of(gradients, losses, preferences, tolerance=1e-3):
    """EPO's linear program, written out: gains, matrix and right-hand side."""
    n = len(losses)
    shares = (preferences * losses).tolist()
    shares = [share / sum(shares) for share in shares]
    distance = sum(share * np.log(n * share) for share in shares)
    pull = [float(preferences[j]) * (np.log(n * shares[j]) - distance) for j in range(n)]
    towards = [sum(pull[i] * float(gradients[i] @ gradients[j]) for i in range(n)) for j in range(n)]
    balance = distance > tolerance
    agreed = balance and any(value > 0 for value in towards)
    gains = towards if agreed else [sum(float(g @ gradients[j]) for g in gradients) for j in range(n)]
    least = []
    for j in range(n):
        if shares[j] == max(shares):
            least.append(0.0)
        elif balance and towards[j] > 0:
            least.append(-np.inf)
        else:
            least.append(towards[j] if agreed else 0.0)
    return np.array(gains), np.array(least)


def grid(n, divisions):
    from moo.preferences import das_dennis

    return das_dennis(n, divisions).numpy()


@pytest.mark.parametrize(("n", "divisions"), [(2, 4000), (3, 120), (4, 30)])
def test_epo_solves_its_program(n, divisions):
    near = [torch.ones(n).double(), torch.ones(n).double() / n]
    for seed in range(30):
        gradients, gram, losses, preferences = setting(n, seed)
        if seed % 3 == 0:  # on the ray
            losses, preferences = near
        gains, least = program_of(gradients, losses, preferences)
        weights = epo(gram, losses, preferences).numpy()
        assert weights.min() >= 0
        assert weights.sum() == pytest.approx(1, abs=1e-12)
        assert (gram.numpy() @ weights >= least - 1e-6 * gram.diagonal().max().item()).all()
        candidates = grid(n, divisions)
        feasible = (candidates @ gram.numpy() >= least).all(axis=1)
        best = (candidates[feasible] @ gains).max(initial=-np.inf)
        assert weights @ gains >= best - 1e-6 * np.abs(gains).max()


def test_epo_of_two_is_that_of_highs():
    from moo.gradients.programs import _on_simplex, largest

    for seed in range(60):
        gradients, gram, losses, preferences = setting(2, seed, d=2)
        gains, least = (torch.from_numpy(part) for part in program_of(gradients, losses, preferences))
        torch.testing.assert_close(largest(gains, gram, least), _on_simplex(gains, gram, least), atol=1e-6, rtol=0)


def test_epo_never_lets_the_worst_loss_rise():
    for n in (2, 3, 5):
        for seed in range(20):
            _, gram, losses, preferences = setting(n, seed, d=3)
            weights = epo(gram, losses, preferences)
            assert (gram @ weights)[(losses * preferences).argmax()] >= -1e-6


def test_epo_passes_the_point_where_one_loss_is_least():
    """Beyond a centre both losses fall together, and on the way to the ray lies the centre, where one gradient is 0."""
    start, preferences = torch.tensor([[1.2, 0.0]]).double(), torch.tensor([0.2, 0.8]).double()
    found = descend(two_bowls, start, "epo", preferences, steps=300, rate=lambda t: 0.1 * 0.05**t)
    weighted = found.losses[0] * preferences
    assert float(weighted[0]) == pytest.approx(float(weighted[1]), rel=0.1)


def test_a_batch_is_a_loop():
    rows = [setting(3, seed) for seed in range(4)]
    grams, losses, preferences = (torch.stack([row[i] for row in rows]) for i in (1, 2, 3))
    others = torch.eye(3).double() + 0.1
    for rule in (epo, pmgda, lambda *given: pareto_mtl(*given, others)):
        found = rule(grams, losses, preferences)
        torch.testing.assert_close(found, torch.stack([rule(*row[1:]) for row in rows]))
        torch.testing.assert_close(rule(grams, losses[0], preferences[0])[2], rule(grams[2], losses[0], preferences[0]))
        assert rule(grams.float(), losses.float(), preferences.float()).dtype == torch.float32
        assert rule(grams[:0], losses[:0], preferences[:0]).shape == (0, 3)


# -------------------------------------------------------------------------------------------------------- Pareto MTL
OTHERS = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]]).double()


def test_rays_are_in_inverse_proportion():
    rays = _rays(torch.tensor([[0.8, 0.2], [1.0, 0.0]]).double())
    torch.testing.assert_close(rays[0] / rays[0, 0], torch.tensor([1.0, 4.0]).double())
    torch.testing.assert_close(rays[1], torch.tensor([0.0, 1.0]).double(), atol=1e-8, rtol=0)


def test_inside_its_cone_pareto_mtl_is_the_shortest_combination():
    _, gram, _, _ = setting(2, 1)
    found = pareto_mtl(gram, torch.tensor([0.5, 0.5]).double(), OTHERS[1], OTHERS)
    torch.testing.assert_close(found, min_norm(gram))


def test_outside_its_cone_pareto_mtl_steps_into_it():
    for seed in range(20):
        gradients, gram, _, _ = setting(2, seed)
        losses = torch.tensor([0.9, 0.1]).double()  # in the cone of the preference (.1, .9)
        rays = _rays(OTHERS)
        step = pareto_mtl(gram, losses, OTHERS[0], OTHERS) @ gradients
        for other in (1, 2):
            violated = rays[other] - rays[0]
            assert violated @ losses > 0
            assert (violated @ gradients) @ step >= -1e-10  # a step down lowers the violation


def test_on_an_edge_pareto_mtl_heeds_the_constraint():
    gradients, gram, _, _ = setting(2, 3)
    rays = _rays(OTHERS)
    normal = rays[0] - rays[1]
    losses = torch.stack([-normal[1], normal[0]]).abs()  # normal . losses = 0
    found = pareto_mtl(gram, losses, OTHERS[1], OTHERS, tolerance=1e-6)
    hull = torch.cat([gradients, (normal @ gradients)[None]])
    best = minimize(
        lambda w: float(((torch.from_numpy(w) @ hull) ** 2).sum()),
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14},
    )
    assert float((found @ gradients).square().sum()) == pytest.approx(best.fun, abs=1e-6)


# ------------------------------------------------------------------------------------------------------------- PMGDA
def test_the_slope_of_the_distance_is_that_of_differences():
    for seed in range(5):
        _, _, losses, preferences = setting(4, seed)
        ray, eps = _rays(preferences), 1e-6
        distance, slope = _off_ray(losses, ray)
        cosine = float(losses @ ray / losses.norm())
        assert float(distance) == pytest.approx(1 - cosine**2, abs=1e-12)
        for i in range(4):
            shift = eps * torch.eye(4).double()[i]
            difference = (_off_ray(losses + shift, ray)[0] - _off_ray(losses - shift, ray)[0]) / (2 * eps)
            assert float(slope[i]) == pytest.approx(float(difference), abs=1e-7)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_off_the_ray_pmgda_nears_it_and_no_other_weights_raise_the_losses_less(n):
    for seed in range(10):
        gradients, gram, losses, preferences = setting(n, seed)
        _, slope = _off_ray(losses, _rays(preferences))
        towards = slope @ gradients
        units = torch.cat([gradients, towards[None]])
        units = units / units.norm(dim=1, keepdim=True)
        step = pmgda(gram, losses, preferences) @ gradients
        assert towards @ step >= (0.5 - 1e-7) * towards.norm()
        rise = float((-gradients @ step).max())
        tries = torch.rand(4000, n + 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) ** 4
        steps = tries / tries.sum(dim=1, keepdim=True) @ units
        allowed = steps @ towards >= 0.5 * towards.norm()
        assert ((-steps[allowed] @ gradients.T).amax(dim=1) >= rise - 1e-6).all()
        assert allowed.any()


@pytest.mark.parametrize("n", [2, 3, 5])
def test_on_the_ray_pmgda_steps_along_it(n):
    for seed in range(10):
        gradients, gram, losses, preferences = setting(n, seed)
        _, slope = _off_ray(losses, _rays(preferences))
        towards = slope @ gradients
        step = pmgda(gram, losses, preferences, tolerance=2.0) @ gradients
        assert abs(towards @ step) <= 1e-9 * towards.norm() * (1 + step.norm())
        tangent = gradients - (gradients @ towards)[:, None] * towards / towards.square().sum()
        assert float(step.norm()) == pytest.approx(float((min_norm(tangent @ tangent.T) @ tangent).norm()), abs=1e-7)


# ---------------------------------------------------------------------------------------------------- where they lead
def two_bowls(points):
    """Squared distances from two centres: convex, the front between them."""
    centre = torch.tensor([1.0, 0.0]).to(points)
    return torch.stack([(points - centre).square().sum(dim=1), (points + centre).square().sum(dim=1)], dim=1)


@pytest.mark.parametrize("rule", ["epo", "pmgda"])
def test_epo_and_pmgda_end_where_the_ray_meets_the_front(rule):
    preferences = torch.tensor([[0.8, 0.2], [0.5, 0.5], [0.3, 0.7]]).double()
    start, rate = torch.tensor([[0.3, 0.8], [-0.5, 0.4], [0.6, -0.9]]).double(), lambda t: 0.1 * 0.05**t
    found = descend(two_bowls, start, rule, preferences, steps=300, rate=rate, options={"tolerance": 1e-5})
    weighted = found.losses * preferences
    torch.testing.assert_close(weighted[:, 0], weighted[:, 1], rtol=0.05, atol=0)
    assert found.solutions[:, 1].abs().max() < 0.02


def test_pareto_mtl_ends_in_its_own_cone():
    start = torch.tensor([[-0.8, 0.8], [0.9, 0.4], [0.6, -0.9]]).double()
    found = descend(two_bowls, start, "pareto_mtl", OTHERS, steps=300, rate=0.05, options={"others": OTHERS})
    assert (_rays(OTHERS) @ found.losses.T).argmax(dim=0).tolist() == [0, 1, 2]
    assert found.solutions[:, 1].abs().max() < 0.02


def test_what_the_rules_cannot_take_is_refused():
    gram, even = torch.eye(2), torch.full((2,), 0.5)
    for rule in (epo, pmgda, lambda *given, **said: pareto_mtl(*given, torch.eye(2), **said)):
        with pytest.raises(ValueError, match="`losses` should be at least 0: measured from their ideal"):
            rule(gram, torch.tensor([0.1, -0.1]), even)
        with pytest.raises(ValueError, match="`losses` should be finite"):
            rule(gram, torch.tensor([0.1, torch.nan]), even)
        with pytest.raises(ValueError, match="`gram` should be finite"):
            rule(gram * torch.nan, even, even)
        with pytest.raises(ValueError, match="`tolerance` should be at least 0"):
            rule(gram, even, even, tolerance=-1.0)
    with pytest.raises(ValueError, match="`correction` should be at most 1"):
        pmgda(gram, even, even, correction=1.5)


def test_at_the_ideal_and_without_gradients_the_rules_stay_finite():
    zero, even = torch.zeros(3).double(), torch.full((3,), 1 / 3).double()
    for losses in (zero, torch.tensor([0.5, 0.0, 0.0]).double(), torch.tensor([0.9, 0.1, 0.1]).double()):
        for gram in (torch.zeros(3, 3).double(), torch.eye(3).double(), torch.ones(3, 3).double()):
            for found in (
                epo(gram, losses, even),
                pmgda(gram, losses, even),
                pareto_mtl(gram, losses, even, even[None]),
            ):
                assert found.isfinite().all()
