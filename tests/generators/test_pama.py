"""PAMA: gains against rules written out, the degenerate reading by enumeration and sampling, fronts by preference."""

import math

import pytest
import torch

import moo
from moo.base import Setting
from moo.generators.pama import PAMA, soft_least
from moo.gradients import pama
from moo.metered import metered
from moo.options import resolve_options
from moo.rl.advantages import Advantages

PREFERENCES = torch.tensor([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]], dtype=torch.float64)
BANDIT = "bandit:arms=6,num_objectives=2"


def a_method(problem=BANDIT, **options):
    said = resolve_options(PAMA.options, {"policies": 3, "copies": 16, **options}, "pama")
    return PAMA(metered(moo.get_problem(problem), 10**6, 0), budget=10**6, seed=0, device="cpu", **said)


def gains_of(method, preferences=PREFERENCES):
    """Gains of one batch, the comparable advantages they were made of, and the episodes."""
    episodes, _ = method._sample(preferences)
    method.levels.see(episodes)
    values = torch.zeros_like(episodes.rewards) if method._said.estimator == "ppo" else None
    advantages = Advantages(episodes, method._said.estimator, values, 0.9)
    return method.gains(advantages, preferences), method.comparable(advantages), episodes


# --------------------------------------------------------------------------------------------------- the paper's
@pytest.mark.parametrize("estimator", ["rloo", "grpo", "ppo"])
@pytest.mark.parametrize("leak", [0.0, 0.3])
def test_as_published_the_gain_is_the_least_of_the_advantages_without_negative_ones(estimator, leak):
    gains, each, episodes = gains_of(a_method(follow=False, leak=leak, estimator=estimator))
    for p, c, t in torch.nonzero(episodes.live).tolist():
        row = [a if a >= 0 else leak * a for a in each[p, c, t].tolist()]
        low, high = min(row), max(row)
        assert float(gains[p, c, t]) == pytest.approx(0.0 if low <= 0 <= high else low if low > 0 else high, abs=1e-9)
    assert (gains > 0).any()


def test_with_negative_advantages_only_what_all_agree_on_counts():
    gains, each, _ = gains_of(a_method(follow=False, noon=False))
    agreed = (each > 0).all(dim=3) | (each < 0).all(dim=3)
    assert torch.equal(gains.abs() > 1e-12, agreed)
    assert (gains[agreed].sign() == each[..., 0][agreed].sign()).all()


@pytest.mark.parametrize("m", [2, 3, 5])
def test_signals_starve_with_the_number_of_objectives_and_a_leak_lets_only_common_dislike_be_heard(m):
    advantages = torch.randn(1, 1, 40_000, m, generator=torch.Generator().manual_seed(m), dtype=torch.float64)
    shares = {}
    for leak in (0.0, 0.2):
        kept = torch.where(advantages < 0, leak * advantages, advantages)
        gains = (pama(kept) * kept).sum(dim=3)
        shares[leak] = float((gains.abs() > 1e-12).double().mean())
    assert shares[0.0] == pytest.approx(2.0**-m, abs=0.01)
    assert shares[0.2] == pytest.approx(2.0 ** (1 - m), abs=0.01)  # all like it, or none does
    soft = soft_least(advantages, 0.1)
    assert float((soft != 0).double().mean()) == 1


# --------------------------------------------------------------------------------------------------- other readings
@pytest.mark.parametrize("follow", [False, True])
def test_the_batch_reading_gives_every_step_the_same_gain(follow):
    gains, each, episodes = gains_of(a_method("deep-sea-treasure", reading="batch", follow=follow))
    kept = each.clamp(min=0)
    for p in range(3):
        steps = gains[p][episodes.live[p]]
        assert (steps == steps[0]).all()
        means = kept[p][episodes.live[p]].mean(dim=0)
        if not follow:
            assert float(steps[0]) == pytest.approx(float(means.min()))
        assert means.min() - 1e-12 <= steps[0] <= means.max() + 1e-12
    assert (gains[~episodes.live] == 0).all()


def mean_gradient(reading, batches):
    """The mean policy gradient of a bandit's softmax policy over batches of 8 pulls, and its standard error, `[a]`."""
    rewards = moo.get_problem("bandit:arms=5,num_objectives=2").rewards
    chances = torch.linspace(-1, 1, 5, dtype=torch.float64).softmax(dim=0)
    arms = torch.multinomial(chances.expand(batches, -1), 8, True, generator=torch.Generator().manual_seed(5))
    values = rewards[arms] - chances @ rewards  # exact advantages, so that only the reading is tested
    kept = values.clamp(min=0)
    if reading == "batch":
        means = kept.mean(dim=1)
        gains = (pama(means) * means).sum(dim=1, keepdim=True).expand(arms.shape)
    else:
        gains = (pama(kept) * kept).sum(dim=2)
    scores = torch.nn.functional.one_hot(arms, 5) - chances
    found = (gains.detach()[..., None] * scores).mean(dim=1)
    return found, found.mean(dim=0), found.std(dim=0) / math.sqrt(batches)


def test_a_constant_gain_has_no_expected_gradient_but_the_least_advantage_of_each_step_has_one():
    rewards = moo.get_problem("bandit:arms=5,num_objectives=2").rewards
    chances = torch.linspace(-1, 1, 5, dtype=torch.float64).softmax(dim=0)
    constant = (chances[:, None] * (torch.eye(5, dtype=torch.float64) - chances)).sum(dim=0)
    assert constant.abs().max() < 1e-15  # the score's expectation, by enumeration
    _, mean, error = mean_gradient("step", 20_000)
    least = (rewards - chances @ rewards).clamp(min=0).amin(dim=1)
    exact = (chances * least)[:, None] * (torch.eye(5, dtype=torch.float64) - chances)
    assert ((mean - exact.sum(dim=0)).abs() < 4 * error).all()
    assert exact.sum(dim=0).abs().max() > 20 * error.max()


def test_the_batch_reading_has_no_expected_gradient_where_its_number_is_held():
    # the number itself depends on the batch: with that of an independent batch the expectation is exactly 0
    method = a_method("bandit:arms=5,num_objectives=2", reading="batch", follow=False, policies=1, copies=2000)
    preferences = PREFERENCES[:1]
    gains, _, _ = gains_of(method, preferences)
    number = float(gains[0, 0, 0])
    assert number > 0
    found = []
    for step in range(40):
        method._steps = step + 1
        episodes, _ = method._sample(preferences)
        law = method.law(episodes)
        scores = torch.nn.functional.one_hot(episodes.actions.flatten(1), 5) - law.logits.detach().exp()
        found.append(number * scores[0].double().mean(dim=0))
    rows = torch.stack(found)
    assert (rows.mean(dim=0).abs() < 3 * rows.std(dim=0) / math.sqrt(40)).all()


def test_the_gram_reading_takes_the_shortest_combination_of_rows():
    gains, each, _ = gains_of(a_method(reading="gram", follow=False, noon=False))
    for p in range(3):
        rows = each[p].flatten(0, 1).T
        shares = torch.linspace(0, 1, 100_001, dtype=torch.float64)
        (a, b), (_, d) = (rows @ rows.T).tolist()
        lengths = shares**2 * a + 2 * shares * (1 - shares) * b + (1 - shares) ** 2 * d
        best = shares[lengths.argmin()]
        assert torch.allclose(gains[p].flatten(), best * rows[0] + (1 - best) * rows[1], rtol=0, atol=1e-4)


# --------------------------------------------------------------------------------------------------- preferences
def test_preferences_and_shortfalls_are_those_of_the_rule():
    method = a_method()
    gains, each, episodes = gains_of(method)
    short = method.levels.shortfalls
    for p, c, t in torch.nonzero(episodes.live).tolist()[::5]:
        row = each[p, c, t].clamp(min=0)
        weights = pama(row, PREFERENCES[p], short[p])
        assert float(gains[p, c, t]) == pytest.approx(float((weights * row).sum()), abs=1e-9)


def test_a_soft_minimum_is_between_the_least_and_the_mean_and_equals_it_written_out():
    rows = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for softness in (0.01, 0.3, 100.0):
        for row, found in zip(rows.tolist(), soft_least(rows, softness).tolist(), strict=True):
            assert found == pytest.approx(-softness * math.log(sum(math.exp(-x / softness) for x in row) / 3))
            assert min(row) - 1e-9 <= found <= sum(row) / 3 + 1e-9
    assert torch.allclose(soft_least(rows, 1e-3), rows.amin(dim=1), atol=2e-3)
    assert torch.allclose(soft_least(rows, 1e3), rows.mean(dim=1), atol=2e-3)


def test_a_soft_minimum_hears_the_objective_that_is_behind():
    advantages = torch.tensor([0.4, -0.4], dtype=torch.float64)
    preferences = torch.tensor([0.5, 0.5], dtype=torch.float64)
    behind = [torch.tensor(short, dtype=torch.float64) for short in ([1.0, 0.0], [0.0, 1.0])]
    first, second = (float(soft_least(advantages, 0.01, preferences, short)) for short in behind)
    assert (first, second) == pytest.approx((0.2, -0.2), abs=0.01)  # the preference times the one that is behind


def test_a_sweep_of_preferences_gives_a_front_which_the_papers_method_cannot():
    preferences = torch.tensor([[x, 1 - x] for x in (0.1, 0.3, 0.5, 0.7, 0.9)], dtype=torch.float64)
    ranges, order = {}, {}
    for follow in (True, False):
        method = a_method("bandit:arms=12,num_objectives=2", policies=5, follow=follow, learning_rate=0.03, entropy=0.0)
        for _ in range(60):
            method.step(Setting(preferences))
        last = method.finals().objectives
        ranges[follow] = last.amax(dim=0) - last.amin(dim=0)
        order[follow] = last[:, 0].argsort().tolist()
    assert (ranges[True] > 0.25).all()
    assert (ranges[False] < 0.6 * ranges[True]).any()
    assert order[True] == sorted(order[True])


@pytest.mark.parametrize("reading", ["batch", "gram"])
def test_softness_is_for_single_steps(reading):
    with pytest.raises(ValueError, match=f"Option `softness` is for reading=step, .* Found reading={reading}"):
        a_method(reading=reading, softness=0.1)


def test_gdpo_is_no_estimator_of_single_objectives():
    with pytest.raises(ValueError, match="Option `estimator` should be one of"):
        a_method(estimator="gdpo")
