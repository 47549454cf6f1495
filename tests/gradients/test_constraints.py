"""Multipliers by hand."""

import math

import numpy as np
import pytest
import torch

from moo.gradients import multiplier_step, multiplier_weights


def rows(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_multipliers_grow_below_their_thresholds():
    found = multiplier_step(rows(0.0, 1.0), values=rows(0.2, 0.9), thresholds=rows(0.5, 0.5), rate=0.1)
    torch.testing.assert_close(found, rows(0.03, 0.96))


def test_multipliers_are_squashed_and_the_reward_has_the_rest():
    raw = rows(-1.0, 2.0)
    for squash, expected in [
        ("sigmoid", [1 / (1 + math.e), 1 / (1 + math.exp(-2))]),
        ("tanh", [math.tanh(-1), math.tanh(2)]),
        ("identity", [0.0, 2.0]),
    ]:
        np.testing.assert_allclose(multiplier_weights(raw, squash), [2 - sum(expected), *expected], atol=1e-14)
    with pytest.raises(ValueError, match=r"Unknown form 'tan' of multipliers\. Did you mean 'tanh'\?"):
        multiplier_weights(raw, "tan")
