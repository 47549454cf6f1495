"""Advantages of every step against those of whole episodes, and where a factor of the rewards is felt."""

import numpy as np
import pytest
import torch

from moo.rl.advantages import Advantages
from moo.rl.episodes import Episodes
from moo.rl.estimators import ESTIMATORS, combined, generalised, per_objective

PREFERENCES = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)


def some():
    """Episodes of 3 policies, up to 5 steps, one of which has failed."""
    stream = torch.Generator().manual_seed(1)
    moves = torch.arange(5) < torch.randint(1, 6, (3, 6, 1), generator=stream)
    rewards = torch.randn(3, 6, 5, 2, generator=stream, dtype=torch.float64) * moves[..., None]
    none = torch.zeros(3, 6, dtype=torch.bool)
    failed = none.clone()
    failed[0, 2] = True
    blank = torch.zeros(3, 6, 5)
    return Episodes(blank[..., None], None, blank.long(), blank, moves, rewards, failed, none, 0.9)


@pytest.mark.parametrize("estimator", [name for name in ESTIMATORS if name != "ppo"])
def test_every_step_has_its_episodes_advantage(estimator):
    episodes = some()
    found = Advantages(episodes, estimator)
    weights = torch.tensor([[0.2, 0.8]] * 3, dtype=torch.float64)
    each = per_objective(estimator, episodes.returns[:, None], episodes.sound[:, None])[:, 0]
    sums = combined(estimator, episodes.returns[:, None], episodes.sound[:, None], weights)[:, 0]
    for t in range(episodes.moves.shape[2]):
        live = episodes.live[:, :, t]
        assert torch.equal(found.each()[:, :, t], each * live[..., None])
        assert torch.equal(found.weighted(weights)[:, :, t], sums * live)


def test_value_heads_give_every_step_its_own_advantage():
    episodes = some()
    values = torch.randn(episodes.rewards.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = Advantages(episodes, "ppo", values, 0.9)
    steps, targets = generalised(episodes.rewards, values, episodes.live, 0.9, 0.9)
    assert torch.equal(found.targets, targets)
    weighted = found.weighted(torch.tensor([[1.0, 0.0]] * 3, dtype=torch.float64))
    for p in range(3):
        for gains in (found.each()[p, ..., 0], weighted[p]):
            rows, given = gains[episodes.live[p]], steps[p, ..., 0][episodes.live[p]]
            assert rows.mean().abs() < 1e-9
            assert np.corrcoef(rows, given)[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_factor_of_the_rewards_is_felt_unless_a_deviation_divides_it_out(estimator):
    episodes = some()
    values = torch.zeros_like(episodes.rewards)
    found = Advantages(episodes, estimator, values)
    weights, factors = PREFERENCES, torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    plain, scaled = found.weighted(weights), found.weighted(weights, factors)
    inert = estimator in ("grpo", "gdpo", "ppo")
    expected = plain if inert else plain * factors[:, None, None]
    assert torch.allclose(scaled, expected, rtol=0, atol=1e-6)
