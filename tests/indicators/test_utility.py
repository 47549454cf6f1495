"""Expected utility against literal loops and its named properties; the mean over preferences in blocks."""

import math
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.indicators import expected_utility, utility
from moo.preferences import das_dennis

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def cases(draw, rows=(1, 10), columns=(1, 6)):
    """Small integers and preferences."""
    n, m = draw(st.integers(*rows)), draw(st.integers(*columns))
    rng = np.random.default_rng(draw(seeds))
    objectives = torch.from_numpy(rng.integers(-4, 5, (n, m)).astype(float))
    return objectives, torch.from_numpy(rng.dirichlet(np.full(m, 0.5), draw(st.integers(1, 12))))


def literal(objectives, preferences):
    """The definition, with loops over Python numbers."""
    best = [
        max(sum(p * f for p, f in zip(preference, row, strict=True)) for row in objectives.tolist())
        for preference in preferences.tolist()
    ]
    return sum(best) / len(best)


# --- values ---------------------------------------------------------------------------------------------------------


@moderate
@given(cases())
def test_it_equals_literal_loops(case):
    assert expected_utility(*case) == pytest.approx(literal(*case), rel=1e-12, abs=1e-13)


def test_known_values():
    corners = das_dennis(2, 2)  # [0, 1], [.5, .5], [1, 0]
    assert expected_utility([[4.0, 0.0], [0.0, 2.0]], corners) == (2 + 2 + 4) / 3
    assert expected_utility([[4.0, 0.0], [0.0, 2.0]], corners, "min") == (0 - 1 + 0) / 3
    assert expected_utility([[4.0, 1.0]], corners, ["max", "min"]) == (-1 + 1.5 + 4) / 3
    assert expected_utility([[4.0, 1.0], [2.0, 9.0]], [0.5, 0.5]) == 5.5  # one preference as one row


@pytest.mark.parametrize(("m", "expected"), [(1, 1), (2, 3 / 4), (3, 11 / 18)])
def test_unit_vectors_in_the_limit_of_many_preferences(m, expected):
    """The best of them is worth the largest preference."""
    assert expected_utility(torch.eye(m), das_dennis(m, 400)) == pytest.approx(expected, abs=3e-3)


# --- properties -----------------------------------------------------------------------------------------------------


@moderate
@given(cases(), seeds)
def test_dominated_points_and_points_below_the_hull_change_nothing(case, seed):
    objectives, preferences = case
    rng = np.random.default_rng(seed)
    mixed = torch.from_numpy(rng.dirichlet(np.ones(len(objectives)), 3)) @ objectives
    worse = mixed - torch.from_numpy(rng.uniform(0, 2, mixed.shape))
    found = expected_utility(torch.cat([worse, mixed, objectives]), preferences)
    assert found == pytest.approx(expected_utility(*case), rel=1e-12, abs=1e-13)


@moderate
@given(cases(), seeds)
def test_adding_a_point_never_worsens_it(case, seed):
    objectives, preferences = case
    point = torch.from_numpy(np.random.default_rng(seed).uniform(-5, 5, (1, objectives.shape[1])))
    assert expected_utility(torch.cat([objectives, point]), preferences) >= expected_utility(*case) - 1e-12


@moderate
@given(cases(), seeds)
def test_a_better_set_never_scores_worse(case, seed):
    objectives, preferences = case
    better = objectives + torch.from_numpy(np.random.default_rng(seed).uniform(0, 2, objectives.shape))
    assert expected_utility(better, preferences) >= expected_utility(*case) - 1e-12


@moderate
@given(cases(), seeds)
def test_moving_and_stretching_the_space(case, seed):
    objectives, preferences = case
    rng = np.random.default_rng(seed)
    shift, factor = rng.uniform(-5, 5), rng.uniform(0.1, 10)
    found = expected_utility(objectives * factor + shift, preferences)
    assert found == pytest.approx(expected_utility(*case) * factor + shift, rel=1e-9, abs=1e-11)


@moderate
@given(cases(), st.integers(0, 40))
def test_blocks_change_nothing_and_stay_small(case, block):
    objectives, preferences = case
    seen = []

    def scalarise(rows, some):
        seen.append(len(some))
        return some @ rows.T

    with mock.patch.object(utility, "BLOCK", block):
        found = utility.mean_best(scalarise, objectives, preferences)
    assert found == pytest.approx(literal(*case), rel=1e-12, abs=1e-13)
    assert sum(seen) == len(preferences)
    assert all(rows == 1 or rows * objectives.numel() <= block for rows in seen)


# --- input ----------------------------------------------------------------------------------------------------------


def test_an_empty_set_has_the_least_utility():
    assert expected_utility([], das_dennis(3, 2)) == -math.inf
    assert expected_utility(np.empty((0, 3)), [0.2, 0.3, 0.5], "min") == -math.inf
    assert expected_utility([[-1e300, -1e300]], [0.5, 0.5]) > expected_utility([], [0.5, 0.5])


def test_preferences_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match=r"`preferences` should have shape \[k, 2\] with k >= 1.* Found \[1, 3\]"):
        expected_utility([[1.0, 1.0]], [[0.2, 0.3, 0.5]])
    for objectives in ([[1.0, 1.0]], []):
        with pytest.raises(ValueError, match=r"`preferences` should have shape \[k, 2\] with k >= 1.* Found \[0, 2\]"):
            expected_utility(objectives, torch.empty(0, 2))
    with pytest.raises(ValueError, match=r"`preferences` should have shape \[k, 1\] with k >= 1.* Found \[0\]"):
        expected_utility([], [])
    with pytest.raises(ValueError, match=r"Row 0 is .* Negative entries mean nothing here"):
        expected_utility([[1.0, 1.0]], [[1.5, -0.5]])
    with pytest.raises(TypeError, match="`preferences` should be an array of numbers"):
        expected_utility([[1.0, 1.0]], "uniform")
