"""Estimators against literal loops, and their gradients against exact ones on a bandit that can be enumerated."""

import math

import pytest
import torch

import moo
from moo.rl.estimators import (
    ESTIMATORS,
    PER_OBJECTIVE,
    combined,
    generalised,
    per_objective,
    standardised_steps,
    surrogate,
)

P, K, G, M = 2, 3, 5, 4


def some(seed=0):
    stream = torch.Generator().manual_seed(seed)
    values = 3 + 2 * torch.randn(P, K, G, M, generator=stream, dtype=torch.float64)
    sound = torch.rand(P, K, G, generator=stream) < 0.7
    sound[0, 0] = torch.tensor([True, False, False, False, False])  # alone in its group
    sound[0, 1] = False
    return values, sound


def by_hand(name, column):
    """Advantages of a list of values, one after the other."""
    n, mean = len(column), sum(column) / len(column)
    spread = math.sqrt(sum((x - mean) ** 2 for x in column) / n)
    if name == "reinforce-plain":
        return column
    if name in ("reinforce", "grpo-unscaled"):
        return [x - mean for x in column]
    if name == "rloo":
        return [x - (sum(column) - x) / (n - 1) if n > 1 else 0.0 for x in column]
    return [(x - mean) / spread if spread else 0.0 for x in column]


def loop(name, values, sound):
    """Of each objective alone, the groups one after the other."""
    found = torch.zeros_like(values)
    for p in range(P):
        for k in range(K):
            which = torch.nonzero(sound[p, k]).flatten()
            for m in range(M):
                column = values[p, k, which, m].tolist()
                if column:
                    found[p, k, which, m] = torch.tensor(by_hand(name, column), dtype=torch.float64)
    return found


@pytest.mark.parametrize("name", PER_OBJECTIVE)
def test_each_objective_alone_equals_a_literal_loop(name):
    values, sound = some()
    assert torch.allclose(per_objective(name, values, sound), loop(name, values, sound), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", PER_OBJECTIVE)
def test_weighted_objectives_equal_a_literal_loop(name):
    values, sound = some(1)
    weights = torch.tensor([[0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    expected = torch.zeros(P, K, G, dtype=torch.float64)
    for p in range(P):
        if name == "gdpo":
            sums = (loop(name, values, sound)[p] * weights[p]).sum(dim=2)
            which = sound[p]
            column = by_hand("grpo", sums[which].tolist())
            expected[p][which] = torch.tensor(column, dtype=torch.float64)
        else:
            sums = (values[p] * weights[p]).sum(dim=2)[None, :, :, None].expand(P, K, G, M)
            expected[p] = loop(name, sums, sound)[p, :, :, 0]
    assert torch.allclose(combined(name, values, sound, weights), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", PER_OBJECTIVE)
def test_what_is_not_sound_never_leaks(name):
    values, sound = some()
    spoiled = torch.where(sound[..., None], values, float("nan"))
    assert torch.equal(per_objective(name, spoiled, sound), per_objective(name, values, sound))
    assert (per_objective(name, spoiled, sound)[~sound] == 0).all()
    weights = torch.full((P, M), 0.25, dtype=torch.float64)
    assert torch.equal(combined(name, spoiled, sound, weights), combined(name, values, sound, weights))


def generalised_by_hand(rewards, values, gamma, decay):
    """Advantages of one episode: lists `[t][m]`."""
    found = []
    for m in range(len(rewards[0])):
        later, column = 0.0, []
        for t in reversed(range(len(rewards))):
            following = values[t + 1][m] if t + 1 < len(rewards) else 0.0
            later = rewards[t][m] + gamma * following - values[t][m] + gamma * decay * later
            column.append(later)
        found.append(column[::-1])
    return torch.tensor(found, dtype=torch.float64).T


def test_generalised_advantages_equal_a_literal_loop_and_padding_never_leaks():
    stream = torch.Generator().manual_seed(2)
    rewards, values = torch.randn(2, P, G, 6, M, generator=stream, dtype=torch.float64)
    lengths = torch.randint(1, 7, (P, G), generator=stream)
    live = torch.arange(6) < lengths[..., None]
    live[1, 2] = False  # not sound
    spoiled = [torch.where(live[..., None], part, float("nan")) for part in (rewards, values)]
    found, targets = generalised(*spoiled, live, 0.9, 0.8)
    for p in range(P):
        for c in range(G):
            t = int(live[p, c].sum())
            expected = torch.zeros(6, M, dtype=torch.float64)
            if t:
                expected[:t] = generalised_by_hand(rewards[p, c, :t].tolist(), values[p, c, :t].tolist(), 0.9, 0.8)
            assert torch.allclose(found[p, c], expected, rtol=0, atol=1e-12)
            assert torch.allclose(targets[p, c, :t], expected[:t] + values[p, c, :t], rtol=0, atol=1e-12)
            assert (targets[p, c, t:] == 0).all()


def test_standardised_steps_have_mean_0_and_deviation_1_over_live_steps_of_a_policy():
    stream = torch.Generator().manual_seed(3)
    found = torch.randn(P, G, 6, M, generator=stream, dtype=torch.float64) * 7 + 4
    live = torch.rand(P, G, 6, generator=stream) < 0.6
    scaled = standardised_steps(found, live)
    for p in range(P):
        rows = scaled[p][live[p]]
        assert torch.allclose(rows.mean(dim=0), torch.zeros(M, dtype=torch.float64), atol=1e-12)
        assert torch.allclose(rows.std(dim=0, correction=0), torch.ones(M, dtype=torch.float64), atol=1e-7)
    assert (scaled[~live] == 0).all()


def test_the_surrogate_equals_a_literal_loop():
    stream = torch.Generator().manual_seed(4)
    ratios = torch.rand(P, G, 6, generator=stream, dtype=torch.float64) * 2
    gains = torch.randn(P, G, 6, generator=stream, dtype=torch.float64)
    live = torch.rand(P, G, 6, generator=stream) < 0.5
    live[0, 0] = False
    found = surrogate(*(torch.where(live, part, float("nan")) for part in (ratios, gains)), live, 0.2)
    for p in range(P):
        total, episodes = 0.0, 0
        for c in range(G):
            episodes += bool(live[p, c].any())
            for t in torch.nonzero(live[p, c]).flatten().tolist():
                ratio, gain = float(ratios[p, c, t]), float(gains[p, c, t])
                total += min(ratio * gain, min(max(ratio, 0.8), 1.2) * gain)
        assert float(found[p]) == pytest.approx(total / episodes, abs=1e-12)


def test_gradients_flow_through_the_ratios_alone():
    ratios = torch.ones(1, 3, 2, requires_grad=True)
    gains = torch.full((1, 3, 2), 2.0, requires_grad=True)
    live = torch.tensor([[[True, True], [True, False], [False, False]]])
    surrogate(ratios, gains, live, 0.2).sum().backward()
    assert gains.grad is None
    assert torch.equal(ratios.grad, live * 2.0 / 2)  # two episodes have steps


# --------------------------------------------------------------------------------------------------- exact gradients
def sampled_gradients(name, logits, rewards, weights, group, batches, seed):
    """Policy gradients `[batches, arms]` of weighted rewards, each from a batch of `group` pulls."""
    stream = torch.Generator().manual_seed(seed)
    chances = logits.softmax(dim=0)
    arms = torch.multinomial(chances.expand(batches, -1), group, replacement=True, generator=stream)
    sound = torch.ones(batches, 1, group, dtype=torch.bool)
    gains = combined(name, rewards[arms][:, None], sound, weights.expand(batches, -1))[:, 0]
    scores = torch.nn.functional.one_hot(arms, len(logits)) - chances
    return (gains[..., None] * scores).mean(dim=1)


@pytest.mark.parametrize(
    ("name", "share"), [("reinforce-plain", 1), ("rloo", 1), ("reinforce", 3 / 4), ("grpo-unscaled", 3 / 4)]
)
def test_estimates_have_the_exact_gradient_as_their_expectation(name, share):
    rewards = moo.get_problem("bandit:arms=6").rewards
    weights = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    logits = torch.linspace(-1, 1, 6, dtype=torch.float64).requires_grad_()
    (logits.softmax(dim=0) @ rewards @ weights).backward()
    found = sampled_gradients(name, logits.detach(), rewards, weights, 4, 40_000, 7)
    error = found.std(dim=0) / math.sqrt(len(found))
    assert ((found.mean(dim=0) - share * logits.grad).abs() < 4 * error).all()
    assert (error < 0.1 * logits.grad.abs().max()).all()  # so that the test can fail


def test_leaving_one_out_is_exact_by_enumeration():
    rewards = torch.tensor([[1.0, 0.0], [0.2, 2.0], [0.5, 0.3]], dtype=torch.float64)
    weights, logits = torch.tensor([0.6, 0.4], dtype=torch.float64), torch.tensor([0.3, -0.5, 0.1], dtype=torch.float64)
    logits.requires_grad_()
    (logits.softmax(dim=0) @ rewards @ weights).backward()
    chances = logits.detach().softmax(dim=0)
    expected = torch.zeros(3, dtype=torch.float64)
    for first in range(3):
        for second in range(3):
            pulls = torch.tensor([first, second])
            gains = combined("rloo", rewards[pulls][None, None], torch.ones(1, 1, 2, dtype=torch.bool), weights[None])
            scores = torch.eye(3, dtype=torch.float64)[pulls] - chances
            expected += chances[first] * chances[second] * (gains[0, 0][:, None] * scores).mean(dim=0)
    assert torch.allclose(expected, logits.grad, rtol=0, atol=1e-12)


def test_a_constant_factor_of_the_values_is_felt_by_those_that_do_not_divide_by_a_deviation():
    values, sound = some()
    weights = torch.full((P, M), 0.25, dtype=torch.float64)
    for name in PER_OBJECTIVE:
        plainly, doubled = (combined(name, factor * values, sound, weights) for factor in (1.0, 2.0))
        inert = name in ("grpo", "gdpo")
        assert torch.allclose(doubled, plainly if inert else 2 * plainly, rtol=0, atol=1e-7), name


@pytest.mark.parametrize("name", ["grpo", "gdpo"])
def test_values_that_are_alike_have_no_advantage(name):
    values = torch.full((1, 1, 7, 1), 0.1, dtype=torch.float64) * 3
    sound = torch.ones(1, 1, 7, dtype=torch.bool)
    values[0, 0, 0] += 5e-17  # a rounding error
    assert (per_objective(name, values, sound) == 0).all()
    values[0, 0, 0] += 1e-6
    assert per_objective(name, values, sound)[0, 0, 0] == pytest.approx(6**0.5, rel=1e-3)


def test_an_unknown_estimator_is_refused():
    values, sound = some()
    with pytest.raises(ValueError, match=r"Unknown estimator 'rlo'. Did you mean 'rloo'. Known: gdpo, grpo,"):
        per_objective("rlo", values, sound)
    assert set(ESTIMATORS) == {*PER_OBJECTIVE, "ppo"}
