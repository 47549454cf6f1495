"""Reward weighting: weights against closed forms, and where a factor of the rewards has any effect."""

import math

import pytest
import torch

import moo
from moo.base import Setting
from moo.generators.fixed_weights import FixedWeights
from moo.generators.reward_weighting import BELOW, GUIDES, RewardWeighting
from moo.indicators import hypervolume
from moo.metered import metered
from moo.options import resolve_options
from moo.rl.advantages import Advantages
from moo.rl.estimators import ESTIMATORS
from moo.storage import read_state, write_state

PREFERENCES = torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]], dtype=torch.float64)
BANDIT = "bandit:arms=6"
INERT = ("grpo", "gdpo", "ppo")  # those that divide by a standard deviation after weighing


def a_method(problem=BANDIT, method=RewardWeighting, seed=0, **options):
    said = resolve_options(method.options, {"policies": 3, "copies": 16, "hidden": 8, **options}, "reward-weighting")
    return method(metered(moo.get_problem(problem), 10**6, seed), budget=10**6, seed=seed, device="cpu", **said)


def sampled(method):
    episodes, _ = method._sample(PREFERENCES)
    method.levels.see(episodes)
    return Advantages(episodes, method._said.estimator)


# --------------------------------------------------------------------------------------------------- influence
def gradients_by_hand(method, advantages, which):
    """Of the objectives, by the biases of policies that are softmaxes of them alone, `[p, m, a]`."""
    episodes = advantages.episodes
    arms, each = episodes.actions[:, which, 0], method.comparable(advantages)[:, which, 0]
    chances = method.law(episodes).logits[:, :1].exp().detach().to(torch.float64)
    scores = torch.nn.functional.one_hot(arms, 6) - chances
    return torch.einsum("pcm,pca->pma", each, scores) / arms.shape[1]


@pytest.mark.parametrize("held_out", [False, True])
def test_weights_by_influence_equal_the_closed_form(held_out):
    method = a_method(guide="influence", layers=0, held_out=held_out, floor=0.0, mu=0.01, learning_rate=0.1)
    weights = PREFERENCES
    for _ in range(3):
        advantages = sampled(method)
        gains = method.gains(advantages, PREFERENCES)
        halves = (slice(0, None, 2), slice(1, None, 2)) if held_out else (slice(None), slice(None))
        first, second = (gradients_by_hand(method, advantages, half) for half in halves)
        # the only input is 1, so each bias and the weight beside it have the same derivative
        moved = 2 * torch.einsum("pia,pja->pi", first, second)
        weights = weights * (moved * 0.1 / 0.01).exp()
        weights = weights / weights.sum(dim=1, keepdim=True)
        assert torch.allclose(method.weights, weights, rtol=0, atol=1e-5)
        expected = advantages.weighted(method.weights / method.levels.span)
        assert torch.equal(gains, expected)
        method._learn(advantages.episodes, PREFERENCES)
        weights = method.weights


def test_no_weight_falls_below_the_floor_and_first_weights_are_the_preferences():
    method = a_method(guide="influence", mu=1e-6, floor=0.1)
    method.gains(sampled(method), PREFERENCES)
    assert method.weights.amin() == pytest.approx(0.1)
    assert torch.allclose(method.weights.sum(dim=1), torch.ones(3, dtype=torch.float64))
    held = a_method(guide="influence", mu=1e6)
    held.gains(sampled(held), PREFERENCES)
    assert torch.allclose(held.weights, PREFERENCES, atol=1e-6)
    assert a_method(floor=0.5)._floor == pytest.approx(1 / 3)


# --------------------------------------------------------------------------------------------------- hypervolume
def test_weights_by_hypervolume_are_in_proportion_to_its_derivatives():
    method = a_method(floor=0.0, guide="hypervolume-gradient")
    advantages = sampled(method)
    gains = method.gains(advantages, PREFERENCES)
    shares, point = method.levels.shares, [-BELOW] * 3
    weights = torch.zeros(3, 3, dtype=torch.float64)
    for p in range(3):
        for i in range(3):
            volumes = []
            for sign in (1, -1):
                there = shares.clone()
                there[p, i] += sign * 1e-6
                volumes.append(hypervolume(there, point))
            weights[p, i] = volumes[0] - volumes[1]
    assert (weights.sum(dim=1) > 0).all()
    weights = weights / weights.sum(dim=1, keepdim=True)
    assert torch.allclose(gains, advantages.weighted(weights / method.levels.span), rtol=0, atol=1e-6)


def test_a_policy_that_adds_nothing_at_all_follows_its_preference():
    method = a_method(floor=0.0)
    sampled(method)
    method.levels.means = method.levels.means.clone()
    method.levels.means[1] = method.levels.low - method.levels.span  # far outside the reference point
    assert torch.equal(method._by_hypervolume(PREFERENCES)[1], PREFERENCES[1])


def test_factors_equal_the_formula_and_remember_what_added():
    method = a_method(guide="hypervolume-factor")
    advantages = sampled(method)
    assert torch.equal(method._factors(advantages.episodes.means), torch.full((3,), 0.5, dtype=torch.float64))
    low, span = method.levels.low, method.levels.span
    first = advantages.episodes.means
    points = [[row.tolist()] for row in (first - low) / span]
    moves = torch.tensor([[0.1, 0.2, 0.3], [0.2, 0.1, -0.1], [0.3, 0.3, 0.3]], dtype=torch.float64)
    for step in range(3):
        new = first + span * moves * (step + 1) / 3
        found = method._factors(new)
        for p in range(3):
            told = ((new[p] - low) / span).tolist()
            # above where it began, which is the reference point
            before = hypervolume(torch.tensor(points[p], dtype=torch.float64), points[p][0], warn=False)
            after = hypervolume(torch.tensor([*points[p], told], dtype=torch.float64), points[p][0], warn=False)
            assert float(found[p]) == pytest.approx(0.5 + 1.5 * math.tanh(after - before), abs=1e-9)
            points[p].append(told)
    assert (found > 0.5).tolist() == [True, False, True]


def test_a_policy_without_returns_has_a_factor_of_one():
    method = a_method(guide="hypervolume-factor")
    advantages = sampled(method)
    means = advantages.episodes.means.clone()
    means[2] = float("nan")
    assert method._factors(means).tolist() == [0.5, 0.5, 1.0]


def parameters_after(method, steps=10, **options):
    learned = a_method(method=method, seed=1, **options)
    for _ in range(steps):
        learned.step(Setting(PREFERENCES))
    return torch.cat([part.flatten() for part in learned.net.actor.state_dict().values()])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_factor_acts_behind_the_normalisation_and_at_the_published_place_where_there_is_none(estimator):
    plain = parameters_after(FixedWeights, estimator=estimator)
    change = {}
    for place in ("advantages", "rewards"):
        said = {"estimator": estimator, "guide": "hypervolume-factor", "place": place}
        change[place] = float((parameters_after(RewardWeighting, **said) - plain).norm() / plain.norm())
    assert change["advantages"] > 1e-3
    assert change["rewards"] <= 1e-5 if estimator in INERT else change["rewards"] > 1e-3


# --------------------------------------------------------------------------------------------------- all guides
@pytest.mark.parametrize("guide", GUIDES)
def test_a_stored_state_goes_on_identically(guide, tmp_path):
    said = {"guide": guide, "interval": 1}
    first, second = a_method(**said), a_method(**said)
    for _ in range(3):
        first.step(Setting(PREFERENCES))
    write_state(tmp_path / "state", [first.state_dict(), first.problem.state_dict()])
    state, meter = read_state(tmp_path / "state")
    second.load_state_dict(state)
    second.problem.load_state_dict(meter)
    for _ in range(3):
        told = [method.step(Setting(PREFERENCES)) for method in (first, second)]
        assert torch.equal(told[0].objectives, told[1].objectives)
    assert all(torch.equal(part, second.net.state_dict()[name]) for name, part in first.net.state_dict().items())


@pytest.mark.parametrize("guide", GUIDES)
def test_policies_get_better(guide):
    problem = moo.get_problem("bandit:arms=8,num_objectives=3")
    method = a_method("bandit:arms=8,num_objectives=3", guide=guide, copies=32, learning_rate=0.03, interval=1)
    told = [method.step(Setting(PREFERENCES)) for _ in range(50)]
    volumes = [hypervolume(rows.objectives, problem.reference_point) for rows in (told[0], told[-1])]
    assert volumes[-1] > 1.15 * volumes[0]
