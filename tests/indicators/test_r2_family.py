"""R2 with a set of preferences against literal loops, closed forms and its named properties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.indicators import r2
from moo.preferences import das_dennis, dirichlet

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def cases(draw, rows=(1, 10), columns=(1, 6)):
    """Small integers up to 6 with an ideal point of 6 or 7, and preferences some of whose entries are 0."""
    n, m = draw(st.integers(*rows)), draw(st.integers(*columns))
    rng = np.random.default_rng(draw(seeds))
    objectives = torch.from_numpy(rng.integers(0, 7, (n, m)).astype(float))
    preferences = rng.dirichlet(np.ones(m), draw(st.integers(1, 12))) * rng.integers(0, 2, m)
    preferences[:, rng.integers(m)] += 1e-3
    preferences /= preferences.sum(axis=1, keepdims=True)
    return objectives, torch.from_numpy(preferences), torch.from_numpy(rng.integers(6, 8, m).astype(float))


def literal(objectives, preferences, ideal_point):
    """The definition, with loops over Python numbers."""
    ideal = ideal_point.tolist()
    least = [
        min(max(p * abs(z - f) for p, z, f in zip(preference, ideal, row, strict=True)) for row in objectives.tolist())
        for preference in preferences.tolist()
    ]
    return sum(least) / len(least)


def dense(m, divisions):
    """Centres of the equal cells into which so many divisions cut the simplex of two or three objectives."""
    cells = [das_dennis(m, divisions - 1) * (divisions - 1) + 1 / m]
    if m == 3:  # between the triangles that stand upright there are others, upside down
        cells.append(das_dennis(m, divisions - 2) * (divisions - 2) + 2 / 3)
    return torch.cat(cells) / divisions


# --- values ---------------------------------------------------------------------------------------------------------


@moderate
@given(cases())
def test_it_equals_literal_loops(case):
    assert r2(*case) == pytest.approx(literal(*case), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    ("objectives", "expected"),
    [
        ([[0.0, 0.0]], 0.0),
        ([[1.0, 1.0]], 3 / 4),
        ([[1.0, 0.0]], 1 / 2),
        ([[1.0, 0.0], [0.0, 1.0]], 1 / 4),
        ([[1.0, 1.0, 1.0]], 11 / 18),
        ([[0.0, 0.0, 0.0]], 0.0),
    ],
)
def test_the_limit_of_many_preferences(objectives, expected):
    m = len(objectives[0])
    preferences = dense(m, {2: 3000, 3: 200}[m])
    assert r2(objectives, preferences, [0.0] * m, directions="min") == pytest.approx(expected, abs=1e-5)
    assert r2(-torch.tensor(objectives), preferences, [0.0] * m) == pytest.approx(expected, abs=1e-5)


def test_the_limit_of_many_points_on_a_line():
    line = [[t / 2000, 1 - t / 2000] for t in range(2001)]
    assert r2(line, dense(2, 500), [0.0, 0.0], directions="min") == pytest.approx(1 / 6, abs=2e-4)


def test_a_perfect_set_scores_a_zero_without_sign():
    assert math.copysign(1.0, r2([[1.0, 1.0]], [[0.5, 0.5]], [1.0, 1.0])) == 1.0


def test_one_preference_may_be_one_row():
    assert r2([[1.0, 3.0], [2.0, 2.0]], [0.25, 0.75], [4.0, 4.0]) == 0.75
    assert r2([[1.0, 3.0], [2.0, 2.0]], [[1.0, 0.0]], [4.0, 4.0]) == 2.0


def test_large_sets_are_computed_in_blocks():
    rng = np.random.default_rng(0)
    objectives, preferences = (
        torch.from_numpy(rng.uniform(0, 1, (700, 3))),
        torch.from_numpy(rng.dirichlet([1] * 3, 900)),
    )
    shortfall = (preferences.numpy()[:, None] * (1 - objectives.numpy())).max(axis=2).min(axis=1)
    assert r2(objectives, preferences, [1, 1, 1]) == pytest.approx(shortfall.mean(), rel=1e-12)


# --- properties -----------------------------------------------------------------------------------------------------


@moderate
@given(cases(), seeds)
def test_dominated_points_change_nothing(case, seed):
    objectives, *context = case
    rng = np.random.default_rng(seed)
    chosen = objectives[rng.integers(len(objectives), size=3)]
    worse = chosen - torch.from_numpy(rng.integers(0, 3, chosen.shape))
    assert r2(torch.cat([worse, objectives]), *context) == r2(objectives, *context)


@moderate
@given(cases(), seeds)
def test_adding_a_point_never_worsens_it(case, seed):
    objectives, *context = case
    point = torch.from_numpy(np.random.default_rng(seed).uniform(0, 6, (1, objectives.shape[1])))
    assert r2(torch.cat([objectives, point]), *context) <= r2(objectives, *context) + 1e-12


@moderate
@given(cases(), seeds)
def test_a_better_set_never_scores_worse(case, seed):
    objectives, preferences, ideal = case
    share = torch.from_numpy(np.random.default_rng(seed).uniform(0, 1, objectives.shape))
    assert r2(objectives + share * (ideal - objectives).floor(), preferences, ideal) <= r2(*case) + 1e-12


def test_a_better_set_can_score_the_same():
    """Only weakly Pareto-compliant: with these preferences nobody gains by the better point."""
    assert r2([[1.0, 1.0]], [[1.0, 0.0]], [2.0, 2.0]) == r2([[1.0, 0.0]], [[1.0, 0.0]], [2.0, 2.0])


@moderate
@given(cases(), seeds)
def test_permuting_preferences_changes_nothing(case, seed):
    objectives, preferences, ideal = case
    order = np.random.default_rng(seed).permutation(len(preferences))
    assert r2(objectives, preferences[order], ideal) == pytest.approx(r2(*case), rel=1e-12)


@moderate
@given(cases(), seeds)
def test_moving_and_stretching_the_space(case, seed):
    objectives, preferences, ideal = case
    rng = np.random.default_rng(seed)
    # Powers of 2 and whole steps: exact, so that no rounding lifts a row above the ideal point.
    shift, factor = torch.from_numpy(rng.integers(-5, 5, len(ideal))), 2.0 ** rng.integers(-3, 4)
    found = r2(objectives * factor + shift, preferences, ideal * factor + shift)
    assert found == pytest.approx(r2(*case) * factor, rel=1e-12)


# --- input ----------------------------------------------------------------------------------------------------------


def test_a_point_that_is_better_than_the_ideal_point_is_named():
    preferences = das_dennis(2, 4)
    message = r"`ideal_point` should be at least as good .* Row 1 is better in objective 0: 2.5 against 2.0. Check `dir"
    with pytest.raises(ValueError, match=message):
        r2([[1.0, 1.0], [2.5, 0.0], [3.0, 3.0]], preferences, [2.0, 2.0])
    message = r"Row 0 is better in objective 1: -1.0 against 0.0. .* the best value of each objective over all the sets"
    with pytest.raises(ValueError, match=message):
        r2(
            [[2.0, -1.0]], preferences, [0.0, 0.0], directions="min"
        )  # the values as they were given, not as they are turned


def test_mistaken_directions_are_no_perfect_score():
    minimised = dirichlet(20, 2, torch.Generator().manual_seed(0))
    assert r2(minimised, das_dennis(2, 4), [0.0, 0.0], directions="min") > 0
    with pytest.raises(ValueError, match="Row 0 is better in objective 0"):
        r2(minimised, das_dennis(2, 4), [0.0, 0.0])


def test_an_ideal_point_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match=r"`ideal_point` should be a list of 2 numbers. Found shape \[3\]"):
        r2([[1.0, 1.0]], [[0.5, 0.5]], [2.0, 2.0, 2.0])
    with pytest.raises(ValueError, match=r"`ideal_point` should be finite. Found \[2.0, inf\]"):
        r2([[1.0, 1.0]], [[0.5, 0.5]], [2.0, math.inf])
    with pytest.raises(TypeError, match="`ideal_point` should be a list of 2 numbers"):
        r2([[1.0, 1.0]], [[0.5, 0.5]], ["a", "b"])


def test_preferences_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match=r"`preferences` should have shape \[k, 2\] with k >= 1.* Found \[1, 3\]"):
        r2([[1.0, 1.0]], [[0.2, 0.3, 0.5]], [2.0, 2.0])
    with pytest.raises(ValueError, match=r"`preferences` should have shape \[k, 2\] with k >= 1.* Found \[0, 2\]"):
        r2([[1.0, 1.0]], torch.empty(0, 2), [2.0, 2.0])
    with pytest.raises(ValueError, match=r"Row 1 is .* Divide the row by its sum"):
        r2([[1.0, 1.0]], [[0.5, 0.5], [1.0, 1.0]], [2.0, 2.0])
