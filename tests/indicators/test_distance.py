"""Distances to a reference set against literal loops, moocore, pymoo and their named properties."""

import math
from unittest import mock

import moocore
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymoo.indicators.gd import GD
from pymoo.indicators.gd_plus import GDPlus
from pymoo.indicators.igd import IGD
from pymoo.indicators.igd_plus import IGDPlus

from moo.indicators import additive_epsilon, distance, gd, gd_plus, igd, igd_plus

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)
every = pytest.mark.parametrize("indicator", [igd, igd_plus, gd, gd_plus, additive_epsilon])


@st.composite
def pairs(draw, rows=(1, 10), columns=(1, 6)):
    """Two sets of small integers: ties, duplicates and dominated points."""
    m = draw(st.integers(*columns))
    rng = np.random.default_rng(draw(seeds))
    high = draw(st.integers(1, 8))
    return tuple(torch.from_numpy(rng.integers(0, high + 1, (draw(st.integers(*rows)), m)).astype(float)) for _ in "ab")


def length(differences):
    return math.sqrt(sum(value**2 for value in differences))


def lack(row, target):
    """What a row lacks against a target, all maximised."""
    return length(max(t - a, 0.0) for a, t in zip(row, target, strict=True))


def apart(row, target):
    return length(a - t for a, t in zip(row, target, strict=True))


def literal(indicator, objectives, reference_set):
    """The definitions, with two loops over Python numbers."""
    rows, targets = objectives.tolist(), reference_set.tolist()
    if indicator is additive_epsilon:
        return max(min(max(t - a for a, t in zip(a, t, strict=True)) for a in rows) for t in targets)
    between = apart if indicator in (igd, gd) else lack
    if indicator in (igd, igd_plus):
        return sum(min(between(a, t) for a in rows) for t in targets) / len(targets)
    return sum(min(between(a, t) for t in targets) for a in rows) / len(rows)


def cloud(n, m, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, m))


# --- values ---------------------------------------------------------------------------------------------------------


@every
@moderate
@given(pairs())
def test_it_equals_two_literal_loops(indicator, sets):
    assert indicator(*sets) == pytest.approx(literal(indicator, *sets), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("indicator", [igd, gd])
@moderate
@given(pairs())
def test_the_tree_equals_two_literal_loops(indicator, sets):
    with mock.patch.object(distance, "TREE_FROM", 0):
        assert indicator(*sets) == pytest.approx(literal(indicator, *sets), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("m", [1, 2, 3, 7, 40, 300])
@every
def test_few_and_many_objectives(indicator, m):
    sets = torch.from_numpy(cloud(9, m)), torch.from_numpy(cloud(7, m, seed=1))
    assert indicator(*sets) == pytest.approx(literal(indicator, *sets), rel=1e-12)


@pytest.mark.parametrize("m", [2, 3, 5])
@pytest.mark.parametrize(("n", "k"), [(30, 200), (600, 900)])  # on both sides of the switch to a tree
def test_it_equals_moocore(n, k, m):
    assert (n * k < distance.TREE_FROM) == (n == 30)
    points, reference = cloud(n, m), cloud(k, m, seed=1) + 0.2
    for mine, theirs in (
        (igd, moocore.igd),
        (igd_plus, moocore.igd_plus),
        (additive_epsilon, moocore.epsilon_additive),
    ):
        assert mine(points, reference) == pytest.approx(theirs(points, ref=reference, maximise=True), rel=1e-12)
        assert mine(points, reference, "min") == pytest.approx(theirs(points, ref=reference), rel=1e-12)


@pytest.mark.parametrize(("mine", "theirs"), [(igd, IGD), (igd_plus, IGDPlus), (gd, GD), (gd_plus, GDPlus)])
@pytest.mark.parametrize("m", [2, 3, 5])
@pytest.mark.parametrize("n", [30, 600])
def test_it_equals_pymoo(mine, theirs, m, n):
    points, reference = cloud(n, m), cloud(500, m, seed=1) - 0.2
    assert mine(points, reference, "min") == pytest.approx(theirs(reference)(points), rel=1e-12)
    assert mine(-points, -reference) == pytest.approx(theirs(reference)(points), rel=1e-12)


def test_the_example_of_ishibuchi():
    """Example 4 of the paper: the first set is better, and igd says that it is worse."""
    reference = [[10, 0], [6, 1], [2, 2], [1, 6], [0, 10]]
    better, worse = [[4, 2], [3, 3], [2, 4]], [[8, 2], [4, 4], [2, 8]]
    assert igd(better, reference, "min") == pytest.approx(3.707092031609239, rel=1e-12)
    assert igd(worse, reference, "min") == pytest.approx(2.59148346584763, rel=1e-12)
    assert igd_plus(better, reference, "min") == pytest.approx(1.482842712474619, rel=1e-12)
    assert igd_plus(worse, reference, "min") == pytest.approx(2.260112615949154, rel=1e-12)


def test_known_values():
    assert igd([[0.0, 0.0]], [[3.0, 4.0], [0.0, 0.0]]) == 2.5
    assert igd_plus([[0.0, 9.0]], [[3.0, 4.0], [0.0, 0.0]]) == 1.5
    assert gd([[3.0, 4.0], [0.0, 1.0]], [[0.0, 0.0]]) == 3.0
    assert gd_plus([[3.0, -4.0], [0.0, -1.0]], [[0.0, 0.0]]) == 2.5
    assert additive_epsilon([[1.0, 3.0], [3.0, 1.0]], [[2.0, 2.0]]) == 1.0
    assert additive_epsilon([[3.0, 4.0]], [[2.0, 2.0], [0.0, 3.0]]) == -1.0  # better than all: negative


@every
@pytest.mark.parametrize("n", [5, 600])
def test_a_reference_set_is_at_no_distance_from_itself(indicator, n):
    points = np.random.default_rng(0).integers(0, 1000, (n, 3))
    assert indicator(points, points) == 0.0
    assert indicator(points[: n // 2], points[n // 2 :], "min") > 0.0


def test_one_objective_far_from_zero_keeps_its_digits():
    """moocore expands the square where there is one objective, and finds 0 here."""
    assert moocore.igd([[1e8 + 1]], ref=[[1e8]]) == 0.0
    assert igd([[1e8 + 1]], [[1e8]]) == gd([[1e8 + 1]], [[1e8]]) == 1.0
    assert igd([[1e8 + 1] * 300], [[1e8] * 300]) == pytest.approx(math.sqrt(300), rel=1e-12)


# --- properties -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("indicator", [igd_plus, additive_epsilon])
@moderate
@given(pairs(), seeds)
def test_dominated_points_change_nothing(indicator, sets, seed):
    objectives, reference = sets
    rng = np.random.default_rng(seed)
    chosen = objectives[rng.integers(len(objectives), size=3)]
    longer = torch.cat([chosen - torch.from_numpy(rng.integers(0, 3, chosen.shape)), objectives])
    assert indicator(longer, reference) == indicator(objectives, reference)


def test_a_dominated_point_can_improve_igd():
    objectives, dominated, reference = [[4.0, 4.0]], [[3.0, 0.0]], [[5.0, 5.0], [4.0, 0.0]]
    assert igd([*objectives, *dominated], reference) < igd(objectives, reference)
    assert igd_plus([*objectives, *dominated], reference) == igd_plus(objectives, reference)


@pytest.mark.parametrize("indicator", [gd, gd_plus])
def test_a_dominated_point_changes_a_mean_over_the_points(indicator):
    objectives, dominated, reference = [[4.0, 4.0]], [[0.0, 0.0]], [[5.0, 5.0]]
    assert indicator([*objectives, *dominated], reference) > indicator(objectives, reference)
    assert indicator([[0.0, 2.0], [1.0, 1.9]], [[0.0, 2.0], [2.0, 2.0]]) > indicator([[0.0, 2.0]], [[0.0, 2.0]])


@pytest.mark.parametrize("indicator", [igd, igd_plus, additive_epsilon])
@moderate
@given(pairs(), seeds)
def test_adding_a_point_never_worsens_it(indicator, sets, seed):
    objectives, reference = sets
    point = torch.from_numpy(np.random.default_rng(seed).uniform(-1, 9, (1, objectives.shape[1])))
    assert indicator(torch.cat([objectives, point]), reference) <= indicator(objectives, reference) + 1e-12


@pytest.mark.parametrize("indicator", [igd_plus, gd_plus, additive_epsilon])
@moderate
@given(pairs(), seeds)
def test_a_better_set_never_scores_worse(indicator, sets, seed):
    objectives, reference = sets
    better = objectives + torch.from_numpy(np.random.default_rng(seed).uniform(0, 2, objectives.shape))
    assert indicator(better, reference) <= indicator(objectives, reference) + 1e-12


@moderate
@given(pairs())
def test_adding_epsilon_makes_the_set_weakly_dominate_the_reference_set(sets):
    objectives, reference = sets
    shifted = objectives + additive_epsilon(objectives, reference)  # integers: exact
    covered = (shifted[:, None] >= reference).all(dim=2)
    assert covered.any(dim=0).all()
    assert not ((shifted - 1)[:, None] >= reference).all(dim=2).any(dim=0).all()


@every
@moderate
@given(pairs(), seeds)
def test_moving_and_stretching_the_space(indicator, sets, seed):
    objectives, reference = sets
    rng = np.random.default_rng(seed)
    shift, factor = torch.from_numpy(rng.uniform(-5, 5, objectives.shape[1])), rng.uniform(0.1, 10)
    found = indicator(objectives * factor + shift, reference * factor + shift)
    assert found == pytest.approx(indicator(objectives, reference) * factor, rel=1e-9, abs=1e-12)


@moderate
@given(pairs())
def test_gd_is_igd_with_its_sets_exchanged(sets):
    objectives, reference = sets
    assert gd(objectives, reference) == igd(reference, objectives)
    assert gd_plus(objectives, reference) == igd_plus(reference, objectives, "min")


@every
@moderate
@given(pairs(), seeds)
def test_permuting_the_reference_set_changes_nothing(indicator, sets, seed):
    objectives, reference = sets
    order = np.random.default_rng(seed).permutation(len(reference))
    assert indicator(objectives, reference[order]) == pytest.approx(indicator(objectives, reference), rel=1e-12)


# --- input ----------------------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("empty", [[], np.empty((0, 2)), torch.empty(0, 2)])
def test_an_empty_reference_set_is_an_error(indicator, empty):
    for objectives in ([[1.0, 1.0]], [], np.empty((0, 2))):
        with pytest.raises(ValueError, match=r"`reference_set` should have at least one row: .* Found none"):
            indicator(objectives, empty)


@every
def test_a_reference_set_that_does_not_fit_is_an_error(indicator):
    with pytest.raises(ValueError, match=r"the same number of columns, one per objective. Found 2 and 3\."):
        indicator([[1.0, 1.0]], [[0.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match=r"the same number of columns, one per objective. Found 4 and 3\."):
        indicator(np.empty((0, 4)), [[0.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match=r"`reference_set` should have shape \[n, m\]. Found \[2\]"):
        indicator([[1.0, 1.0]], [0.0, 0.0])
    with pytest.raises(TypeError, match="`reference_set` should be an array of numbers"):
        indicator([[1.0, 1.0]], [["a", "b"]])


@every
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_reference_point_that_is_not_finite_is_named(indicator, bad):
    with pytest.raises(ValueError, match=r"`reference_set` should be finite. Row 1 is \[0.0, "):
        indicator([[1.0, 1.0]], [[0.0, 0.0], [0.0, bad], [bad, 0.0]])
