"""Comparisons that several tests make."""

import numpy as np
import torch


def assert_same_candidates(first, second):
    """Bit for bit, every column; NaN equals NaN."""
    assert len(first) == len(second)
    assert set(first.extras) == set(second.extras)
    for name in ("solutions", "objectives", "preferences"):
        assert torch.equal(
            torch.nan_to_num(getattr(first, name).double(), nan=-777.0),
            torch.nan_to_num(getattr(second, name).double(), nan=-777.0),
        ), name
    for name, column in first.extras.items():
        np.testing.assert_array_equal(np.asarray(column), np.asarray(second.extras[name]), err_msg=name)


def assert_same_results(first, second):
    """Everything that a seed determines: all rows and the history."""
    for name in ("front", "finals", "additions", "failures", "least_violating"):
        assert_same_candidates(getattr(first, name), getattr(second, name))
    assert first.history.equals(second.history)
