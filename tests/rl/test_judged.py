"""CGPO's optimisers: each against its loss or its words, by literal loops and automatic differentiation."""

import math

import pytest
import torch

from moo.rl.estimators import surrogate
from moo.rl.judged import calibrated, codpo, crpg, crraft

SHAPE = (2, 3, 5)


def drawn(seed=0, chance=0.6):
    """Rewards, feasible, away, sound; one group without a feasible sample, one all of which are."""
    stream = torch.Generator().manual_seed(seed)
    rewards = torch.rand(SHAPE, generator=stream, dtype=torch.float64)
    feasible = torch.rand(SHAPE, generator=stream) < chance
    feasible[0, 0], feasible[1, 2] = False, True
    away = 2 * torch.randn(SHAPE, generator=stream, dtype=torch.float64)
    sound = torch.rand(SHAPE, generator=stream) < 0.85
    sound[1, 2] = True
    return rewards, feasible, away, sound


def rows(*tensors):
    """Of each policy and group the samples that are sound, with their places."""
    for p in range(SHAPE[0]):
        for k in range(SHAPE[1]):
            yield p, k, [g for g in range(SHAPE[2]) if tensors[-1][p, k, g]]


def test_calibrated_rewards_are_chances():
    found = calibrated(torch.tensor([1.0, 0.0, -5.0]), torch.tensor(0.0), 2.0)
    assert found.tolist() == pytest.approx([1 / (1 + math.exp(-2)), 0.5, 1 / (1 + math.exp(10))], abs=1e-6)
    assert (found > 0).all()


def test_crpg_is_the_literal_loop():
    rewards, feasible, away, sound = drawn()
    found = crpg(rewards, feasible, away, sound, 3.0)
    for p in range(2):
        kept = {}
        for _, k, group in (row for row in rows(sound) if row[0] == p):
            for g in group:
                left = max(0.0, 1 - float(away[p, k, g]) / 3.0)
                kept[k, g] = float(rewards[p, k, g]) * left if feasible[p, k, g] else 0.0
        mean = sum(kept.values()) / len(kept)
        for k in range(3):
            for g in range(5):
                expected = kept[k, g] - mean if (k, g) in kept else 0.0
                assert float(found[p, k, g]) == pytest.approx(expected, abs=1e-12)


def chosen(rewards, feasible, sound, p, k):
    """CODPO's pair, or None."""
    group = [g for g in range(5) if sound[p, k, g]]
    fine = [g for g in group if feasible[p, k, g]]
    bad = [g for g in group if not feasible[p, k, g]]
    if not fine:
        return None
    best = max(fine, key=lambda g: float(rewards[p, k, g]))
    worst = min(bad or fine, key=lambda g: float(rewards[p, k, g]))
    return None if best == worst else (best, worst)


def gradient_of_surrogate(now, before, gains, sound):
    """The gradient of what is raised, by the log-chances now, with samples of one step."""
    ratios = (now - before).exp().reshape(2, -1, 1)
    live = sound.reshape(2, -1, 1)
    raised = surrogate(ratios, gains.reshape(2, -1, 1), live, 0.2).sum()
    return torch.autograd.grad(raised, now)[0]


@pytest.mark.parametrize("imitation", [0.0, 0.3])
def test_codpos_gains_have_the_gradient_of_its_loss(imitation):
    rewards, feasible, away, sound = drawn(3)
    lengths = torch.randint(1, 6, SHAPE, generator=torch.Generator().manual_seed(1)).double()
    before = torch.randn(SHAPE, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    now = before.clone().requires_grad_()
    loss = 0.0
    for p in range(2):
        pairs = [(k, chosen(rewards, feasible, sound, p, k)) for k in range(3)]
        pairs = [(k, pair) for k, pair in pairs if pair]
        for k, (best, worst) in pairs:
            away_now = away[p, k] + now[p, k] - before[p, k]
            one = -torch.nn.functional.logsigmoid(0.7 * (away_now[best] - away_now[worst]))
            one = one - imitation / lengths[p, k, best] * now[p, k, best]
            loss = loss + one / len(pairs)
    expected = -torch.autograd.grad(loss, now)[0]
    gains = codpo(rewards, feasible, away, lengths, sound, 0.7, imitation)
    torch.testing.assert_close(gradient_of_surrogate(now, before, gains, sound), expected, rtol=0, atol=1e-12)
    assert (expected[0, 0] == 0).all()  # nothing feasible: no pair


def test_crraft_imitates_the_best_by_its_reward():
    rewards, feasible, away, sound = drawn(5)
    before = torch.zeros(SHAPE, dtype=torch.float64)
    now = before.clone().requires_grad_()
    loss = 0.0
    for p in range(2):
        kept = []
        for k in range(3):
            fine = [g for g in range(5) if sound[p, k, g] and feasible[p, k, g] and away[p, k, g] <= 1.0]
            if fine:
                kept.append((k, max(fine, key=lambda g: float(rewards[p, k, g]))))
        for k, best in kept:
            loss = loss - rewards[p, k, best] * now[p, k, best] / len(kept)
    expected = -torch.autograd.grad(loss, now)[0]
    gains = crraft(rewards, feasible, away, sound, 1.0)
    torch.testing.assert_close(gradient_of_surrogate(now, before, gains, sound), expected, rtol=0, atol=1e-12)
    assert (gains >= 0).all()


def test_without_anything_feasible_nothing_is_learned():
    rewards, _, away, sound = drawn()
    never = torch.zeros(SHAPE, dtype=torch.bool)
    for gains in (
        crpg(rewards, never, away, sound, 3.0),
        codpo(rewards, never, away, torch.ones_like(rewards), sound, 0.1, 0.1),
        crraft(rewards, never, away, sound, 3.0),
    ):
        assert (gains == 0).all()


def test_samples_that_are_not_sound_change_nothing():
    rewards, feasible, away, sound = drawn(7)
    lengths = torch.ones_like(rewards)
    spoiled = [torch.where(sound, part, other) for part, other in ((rewards, 9.0), (feasible, True), (away, -9.0))]
    for rule, extra in ((crpg, (3.0,)), (crraft, (3.0,))):
        assert torch.equal(rule(rewards, feasible, away, sound, *extra), rule(*spoiled, sound, *extra))
    clean, other = (codpo(*part, lengths, sound, 0.1, 0.1) for part in ((rewards, feasible, away), spoiled))
    assert torch.equal(clean, other)


@pytest.mark.parametrize("rule", ["crpg", "codpo", "crraft"])
def test_of_two_arms_the_feasible_one_gains_though_it_is_worse(rule):
    # arm 0 is worth .2 and feasible, arm 1 .8 and not; the policy is the reference, two samples of each
    rewards = torch.tensor([[[0.2, 0.8, 0.2, 0.8]]], dtype=torch.float64)
    feasible = torch.tensor([[[True, False, True, False]]])
    nothing, sound = torch.zeros_like(rewards), torch.ones_like(feasible)
    gains = {
        "crpg": lambda: crpg(rewards, feasible, nothing, sound, 10.0),
        "codpo": lambda: codpo(rewards, feasible, nothing, nothing + 1, sound, 0.1, 0.0),
        "crraft": lambda: crraft(rewards, feasible, nothing, sound, 10.0),
    }[rule]()
    expected = {"crpg": [0.1, -0.1, 0.1, -0.1], "codpo": [0.2, -0.2, 0.0, 0.0], "crraft": [0.8, 0.0, 0.0, 0.0]}[rule]
    assert gains.flatten().tolist() == pytest.approx(expected, abs=1e-12)
