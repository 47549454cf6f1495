"""The benchmark of weights inside TRL measures what it says, on runs of a few steps."""

import os

import pytest
import torch

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
pytest.importorskip("trl", reason="trl is not installed (extra `trl`)")

from moo.adapters.trl import HypervolumeFactor
from moo.benchmarks.perf import trl_weights


def test_the_factor_of_rewards_is_that_of_advantages_in_another_place():
    rewards = torch.rand(5, 8, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours, theirs = HypervolumeFactor(), trl_weights.FactorOfRewards()
    for rule in (ours, theirs):
        rule.start(2)
    for batch in rewards:
        ours.see(batch)
        theirs.see(batch)
        assert theirs.factor == 1.0
        assert theirs.weights.tolist() == pytest.approx([ours.factor / 2] * 2)
    assert ours.factor != 1.0


def test_a_factor_acts_behind_the_normalisation_alone():
    found = trl_weights.factor([0], 4)
    assert found["none, rewards"] == pytest.approx(found["none, advantages"], rel=0.05)
    for name in trl_weights.CONFIGURATIONS:
        assert found[f"{name}, advantages"][0] > 1e-3
        assert name == "none" or found[f"{name}, rewards"][0] < 0.1 * found[f"{name}, advantages"][0]


def test_sweeps_and_costs_are_measured():
    found = trl_weights.fronts([0], 1, [[0.5, 0.5]])
    assert set(found) == set(trl_weights.SWEEPS)
    for figures in found.values():
        ((mean_a, mean_b),) = figures["means"][0]
        assert figures["hypervolumes"] == [pytest.approx(mean_a * mean_b)]
        assert 0 < figures["largest standard error"] < 0.1
    assert all(seconds > 0 for seconds in trl_weights.cost(1, 1).values())
