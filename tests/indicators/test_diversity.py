"""Diversity against literal loops and its named properties."""

import functools
import math
from collections import Counter
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.indicators import distance, diversity
from moo.indicators.diversity import maximum_spread, pc_entropy, spacing, sparsity
from moo.indicators.pairwise import mean_pairwise_distance, riesz_energy, solow_polasky

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)
REFERENCE = [[0.0, 8.0, 3.0], [2.0, 7.0, 1.0], [5.0, 5.0, 0.0], [9.0, 1.0, 4.0]]
scaled = functools.partial(sparsity, reference_set=REFERENCE)
entropy = functools.partial(pc_entropy, reference_set=REFERENCE)
spread = functools.partial(maximum_spread, reference_set=REFERENCE)
EVERY = {
    "spacing": spacing,
    "sparsity": sparsity,
    "scaled": scaled,
    "entropy": entropy,
    "mean": mean_pairwise_distance,
    "energy": riesz_energy,
    "species": solow_polasky,
    "diagonal": maximum_spread,
    "spread": spread,
}
NONE = {
    "spacing": math.inf,
    "sparsity": math.inf,
    "scaled": math.inf,
    "entropy": 0.0,
    "mean": 0.0,
    "energy": math.inf,
    "species": 0.0,
    "diagonal": 0.0,
    "spread": 0.0,
}
ONE = {**NONE, "sparsity": 0.0, "scaled": 0.0, "species": 1.0}
REFERRING = ("scaled", "entropy", "spread")
WAYS = {
    "blocks": {"PAIRS_CPU": distance.PAIRS_CPU, "TREE_FROM": distance.TREE_FROM},
    "small blocks": {"PAIRS_CPU": 7, "TREE_FROM": distance.TREE_FROM},
    "loop": {"PAIRS_CPU": distance.PAIRS_CPU, "TREE_FROM": 0},
}
every = pytest.mark.parametrize("name", EVERY)


@st.composite
def sets(draw, rows=(1, 12), columns=(3, 3)):
    """Small integers: ties and duplicates."""
    n, m = draw(st.integers(*rows)), draw(st.integers(*columns))
    return np.random.default_rng(draw(seeds)).integers(0, draw(st.integers(1, 9)), (n, m)).astype(float)


def literal(name, points):
    """The definitions, with loops over Python numbers."""
    rows, n = points.tolist(), len(points)
    if name == "spacing":
        rows = sorted(set(map(tuple, rows)))
        if len(rows) < 2:
            return math.inf
        steps = [[sum(abs(a - b) for a, b in zip(x, y, strict=True)) for y in rows if y != x] for x in rows]
        return np.std([min(some) for some in steps], ddof=1)
    if name == "entropy":
        nearest = Counter(int(np.argmin([math.dist(row, target) for target in REFERENCE])) for row in rows)
        return -sum(count / n * math.log(count / n) for count in nearest.values())
    if name == "mean":
        apart = [math.dist(rows[i], rows[j]) for i in range(n) for j in range(i)]
        return sum(apart) / len(apart) if apart else 0.0
    if name == "energy":
        apart = [math.dist(rows[i], rows[j]) for i in range(n) for j in range(n) if i != j]
        power = max(1, points.shape[1] - 1)
        return sum(value**-power for value in apart) if apart and min(apart) > 0 else math.inf
    if name == "species":
        rows = sorted(set(map(tuple, rows)))
        alike = [[math.exp(-10 * math.dist(x, y)) for y in rows] for x in rows]
        return np.linalg.inv(alike).sum()
    if name in ("diagonal", "spread"):
        extents = [max(column) - min(column) for column in zip(*rows, strict=True)]
        if name == "diagonal":
            return math.hypot(*extents)
        ranges = [max(column) - min(column) for column in zip(*REFERENCE, strict=True)]
        return math.sqrt(np.mean([(e / r) ** 2 for e, r in zip(extents, ranges, strict=True)]))
    columns = [sorted(column) for column in zip(*rows, strict=True)]
    ranges = [max(c) - min(c) for c in zip(*REFERENCE, strict=True)] if name == "scaled" else [1.0] * len(columns)
    gaps = [(b - a) / r for c, r in zip(columns, ranges, strict=True) for a, b in pairwise(c)]
    return sum(gap**2 for gap in gaps) / max(1, n - 1)


def close(found, expected, tolerance=1e-12):
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=tolerance, atol=1e-13)


def blocks_of(way):
    """Blocks of another size in both modules, or a loop over the sets."""
    return mock.patch.multiple(diversity, **WAYS[way]), mock.patch.object(distance, "PAIRS_CPU", WAYS[way]["PAIRS_CPU"])


# --- values ---------------------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("way", WAYS)
@moderate
@given(sets())
def test_it_equals_literal_loops(name, way, points):
    expected = literal(name, points)
    close(EVERY[name](points), expected)
    in_diversity, in_distance = blocks_of(way)
    with in_diversity, in_distance:
        close(EVERY[name](np.stack([points, points])), [expected] * 2)


@pytest.mark.parametrize("m", [1, 2, 7])
@pytest.mark.parametrize("name", ["spacing", "sparsity", "mean", "energy", "species", "diagonal"])
def test_few_and_many_objectives_and_many_rows(name, m):
    points = np.random.default_rng(0).normal(size=(300, m))
    close(EVERY[name](points), literal(name, points), 1e-11)
    close(EVERY[name](points[None]), [literal(name, points)], 1e-11)


def test_known_values():
    assert spacing([[0.0, 6.0], [1.0, 5.0], [3.0, 3.0]]) == pytest.approx(math.sqrt(4 / 3), rel=1e-12)  # of 2, 2 and 4
    assert spacing([[0.0, 1.0], [1.0, 0.0]]) == 0.0
    assert spacing([[t, 10.0 - t] for t in range(11)]) == 0.0
    assert sparsity([[0.0, 6.0], [1.0, 5.0], [3.0, 3.0]]) == (1 + 4 + 1 + 4) / 2
    assert sparsity([[0.0, 6.0], [3.0, 3.0]], reference_set=[[0.0, 0.0], [6.0, 3.0]]) == 0.25 + 1.0
    assert pc_entropy([[0.0, 9.0], [0.0, 8.0], [9.0, 0.0], [8.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]) == math.log(2)
    assert mean_pairwise_distance([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]]) == pytest.approx(10 / 3, rel=1e-15)
    assert maximum_spread([[0.0, 4.0], [1.0, 1.0], [3.0, 0.0]]) == 5.0
    assert maximum_spread([[0.0, 4.0], [3.0, 0.0]], reference_set=[[9.0, 9.0], [6.0, 5.0]]) == 1.0
    assert maximum_spread([[0.0, 4.0], [3.0, 0.0]], reference_set=[[9.0, 9.0], [6.0, 1.0]]) == math.sqrt(5 / 8)


def test_the_largest_entropy_is_that_of_equal_shares():
    reference = np.random.default_rng(0).normal(size=(50, 3))
    assert pc_entropy(reference, reference) == pytest.approx(math.log(50), rel=1e-12)
    assert pc_entropy(reference[:7], reference) == pytest.approx(math.log(7), rel=1e-12)
    assert pc_entropy(np.repeat(reference[:1], 9, axis=0), reference) == 0.0


def test_equally_near_reference_points_share_nothing():
    """The first of them takes the row."""
    assert pc_entropy([[0.5, 0.5]] * 3, [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]) == 0.0
    assert pc_entropy([[[0.5, 0.5], [0.9, 0.9]]], [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]).tolist() == [math.log(2)]


# --- what they do not say ---------------------------------------------------------------------------------------------


def test_spacing_is_no_quality_on_its_own():
    """Two tight pairs far apart are as even as it gets, and so are points that are bad throughout."""
    assert spacing([[0.0, 100.0], [1.0, 99.0], [99.0, 1.0], [100.0, 0.0]]) == 0.0
    assert spacing([[0.0, 0.0], [-1.0, -1.0], [-2.0, -2.0]]) == 0.0


def test_clumps_have_a_good_sparsity():
    even = [[t, 10.0 - t] for t in range(11)]
    clump = [[5 + t / 100, 5 - t / 100] for t in range(11)]
    assert sparsity(clump) < sparsity(even)
    assert sparsity(even[:1]) == 0.0  # and one row the best


def test_what_lies_between_the_extremes_does_not_count_for_the_spread():
    assert maximum_spread([[0.0, 3.0], [4.0, 0.0]]) == maximum_spread([[0.0, 3.0], [0.1, 2.9], [0.2, 2.8], [4.0, 0.0]])
    assert maximum_spread([[0.0, 3.0], [4.0, 0.0], [-10.0, -10.0]]) > 15  # a bad row widens it


def test_dominated_points_count():
    front, dominated = [[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]], [[0.5, 0.5]]
    assert spacing(front) == 0.0
    assert spacing([*front, *dominated]) > 0.0


# --- properties -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("indicator", [spacing, solow_polasky, maximum_spread])
@moderate
@given(sets(columns=(1, 6)), seeds)
def test_duplicates_change_nothing_where_different_rows_are_counted(indicator, points, seed):
    chosen = points[np.random.default_rng(seed).integers(len(points), size=3)]
    longer = np.concatenate([chosen, points, chosen])
    close(indicator(longer), indicator(points))
    close(indicator(longer[None]), [indicator(points)])


@pytest.mark.parametrize("name", ["sparsity", "scaled", "mean"])
def test_duplicates_count_where_rows_are_counted(name):
    points = np.array([[0.0, 6.0, 1.0], [1.0, 5.0, 1.0], [3.0, 3.0, 0.0]])
    assert EVERY[name](np.concatenate([points, points])) < EVERY[name](points)


@every
@moderate
@given(sets(rows=(2, 12)), seeds)
def test_the_order_of_rows_changes_nothing(name, points, seed):
    close(EVERY[name](np.random.default_rng(seed).permutation(points)), EVERY[name](points))


@pytest.mark.parametrize(("name", "power"), [("spacing", 1), ("sparsity", 2), ("mean", 1), ("diagonal", 1)])
@moderate
@given(sets(rows=(3, 12), columns=(1, 6)), seeds)
def test_moving_and_stretching_the_space(name, power, points, seed):
    rng = np.random.default_rng(seed)
    shift, factor = rng.integers(-5, 5, points.shape[1]), rng.uniform(0.1, 10)
    found = EVERY[name]((points + shift) * factor)
    assert found == pytest.approx(EVERY[name](points) * factor**power, rel=1e-9, abs=1e-12)


@moderate
@given(sets(rows=(3, 12)), seeds)
def test_with_a_reference_set_the_scale_changes_nothing(points, seed):
    rng = np.random.default_rng(seed)
    shift, factors = rng.integers(-5, 5, 3), rng.uniform(0.1, 10, 3)
    reference = np.array(REFERENCE)
    moved = (points + shift) * factors, (reference + shift) * factors
    assert sparsity(moved[0], reference_set=moved[1]) == pytest.approx(scaled(points), rel=1e-9, abs=1e-12)
    assert maximum_spread(moved[0], reference_set=moved[1]) == pytest.approx(spread(points), rel=1e-9, abs=1e-12)
    moved = (points + shift) * factors[0], (reference + shift) * factors[0]
    center = points + 0.01 * rng.normal(size=points.shape)  # no ties
    moved = (center + shift) * factors[0], (reference + shift) * factors[0]
    assert pc_entropy(*moved) == pytest.approx(entropy(center), rel=1e-9, abs=1e-12)


@every
def test_directions_are_checked_though_distances_do_not_depend_on_them(name):
    points = np.random.default_rng(0).normal(size=(6, 3))
    reference = {"reference_set": -np.array(REFERENCE)} if name in REFERRING else {}
    assert EVERY[name](-points, directions="min", **reference) == EVERY[name](points)
    for objectives in (points, []):
        with pytest.raises(ValueError, match="`directions` should hold only"):
            EVERY[name](objectives, directions="down")
    with pytest.raises(ValueError, match=r"`directions` should name one per objective \(3\). Found 2"):
        EVERY[name](points, directions=["min", "max"])


# --- batches, masks, gradients --------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("leading", [(4,), (2, 3), (0,), (1, 1, 2)])
@pytest.mark.parametrize("way", WAYS)
def test_a_batch_with_a_mask_gives_what_its_sets_give(name, leading, way):
    rng = np.random.default_rng(2)
    batch = torch.from_numpy(rng.integers(0, 4, (*leading, 11, 3)) + 0.1)
    mask = torch.from_numpy(rng.random((*leading, 11)) < 0.5)
    if leading[0]:
        mask[(0,) * len(leading)] = False
    batch[~mask] = math.nan  # what is masked is not even looked at
    sets_of = zip(batch.reshape(-1, 11, 3), mask.reshape(-1, 11), strict=True)
    expected = [EVERY[name](one[kept]) for one, kept in sets_of]
    in_diversity, in_distance = blocks_of(way)
    with in_diversity, in_distance:
        found = EVERY[name](batch, mask=mask)
        flowing = EVERY[name](batch.nan_to_num(1.0).requires_grad_(), mask=mask)
    assert found.shape == leading
    assert found.dtype == torch.float64
    close(found.flatten(), expected)
    close(flowing.detach().flatten(), expected)
    if leading[0]:
        assert found.flatten()[0] == NONE[name]


@pytest.mark.parametrize("name", sorted(set(EVERY) - {"entropy"}))
def test_gradients_are_those_of_finite_differences(name):
    batch = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 5, 3))).requires_grad_()
    mask = torch.tensor([[True, True, True, True, True], [True, False, True, True, False]])
    for options in ({}, {"mask": mask}, {"directions": ["min", "max", "max"]}):
        assert torch.autograd.gradcheck(functools.partial(EVERY[name], **options), (batch,))
    assert EVERY[name](batch[0]).requires_grad


@pytest.mark.parametrize("name", sorted(set(EVERY) - {"entropy"}))
def test_gradients_are_finite_where_rows_are_equal_or_absent(name):
    batch = torch.tensor([[[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]] * 3).requires_grad_()
    mask = torch.tensor([[True] * 3, [True, False, False], [False] * 3])
    EVERY[name](batch, mask=mask).clamp(max=10).sum().backward()
    assert torch.isfinite(batch.grad).all()
    assert (batch.grad[1:] == 0).all()


def test_shares_have_no_gradient():
    assert type(entropy(torch.rand(4, 3, requires_grad=True))) is float


# --- input ----------------------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("empty", [[], np.empty((0, 3)), torch.empty(0, 3)])
def test_too_few_rows_never_score_well(name, empty):
    indicator = EVERY[name]
    assert indicator(empty) == NONE[name]
    assert indicator(empty, directions=["min", "max", "max"]) == NONE[name]
    assert indicator(np.empty((2, 0, 3))).tolist() == [NONE[name]] * 2
    assert indicator([[1.0, 2.0, 3.0]], mask=[False]) == NONE[name]
    assert indicator([[1.0, 2.0, 3.0]]) == ONE[name]
    assert indicator([[1.0, 2.0, 3.0]] * 5) == ONE[name]
    assert indicator([[[1.0, 0.0, -0.0]] * 5]).tolist() == [ONE[name]]


@every
def test_nan_and_infinite_rows(name):
    indicator, kept = EVERY[name], torch.arange(9) != 4
    objectives = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 3)))
    expected = indicator(objectives[kept])
    objectives[4, 1] = -math.inf  # infinitely bad: as if it were not there
    close(indicator(objectives), expected)
    close(indicator(objectives[None]), [expected])
    reference = {"reference_set": -np.array(REFERENCE)} if name in REFERRING else {}
    close(indicator(-objectives, directions="min", **reference), expected)
    objectives[4, 1] = math.nan
    with pytest.raises(ValueError, match=r"`objectives` should hold no NaN\. Row 4 is \["):
        indicator(objectives)
    close(indicator(objectives, nan="drop"), expected)
    objectives[2, 0] = math.inf
    with pytest.raises(ValueError, match=r"`objectives` should be finite where it is good\. Row 2 is \["):
        indicator(objectives, nan="drop")


@every
def test_numbers_of_all_kinds_are_read_and_none_is_changed(name):
    integers = torch.tensor([[1, 4, 2], [3, 2, 5], [3, 3, 3]])
    expected = EVERY[name](integers.double())
    frozen = integers.double().numpy()
    frozen.flags.writeable = False
    for objectives in (integers.clone(), integers.tolist(), integers.numpy(), integers.float(), frozen):
        assert EVERY[name](objectives) == expected
        assert np.array_equal(np.asarray(objectives), integers)
    objectives = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 3)))
    close(EVERY[name](objectives.float()[None]), [EVERY[name](objectives)], 1e-5)


@every
def test_wrong_shapes_are_an_error(name):
    with pytest.raises(ValueError, match=r"`objectives` should have shape \[n, m\]"):
        EVERY[name]([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"`mask` should have shape \[1\]"):
        EVERY[name]([[1.0, 2.0, 3.0]], mask=[True, True])
    with pytest.raises(TypeError, match="`objectives` should be an array of numbers"):
        EVERY[name]([["a", "b", "c"]])


@pytest.mark.parametrize(
    "indicator",
    [
        pc_entropy,
        lambda x, reference: sparsity(x, reference_set=reference),
        lambda x, reference: maximum_spread(x, reference_set=reference),
    ],
)
def test_a_reference_set_that_does_not_fit_is_an_error(indicator):
    for wrong, message in (([], "at least one row"), ([[1.0]], "same number of columns"), ([1.0, 2.0], "have shape")):
        with pytest.raises(ValueError, match=rf"`reference_set` should .*{message}"):
            indicator([[1.0, 1.0]], wrong)
    with pytest.raises(ValueError, match=r"`reference_set` should be finite\. Row 0"):
        indicator([[1.0, 1.0]], [[math.nan, 1.0]])


@pytest.mark.parametrize("indicator", [sparsity, maximum_spread])
def test_a_reference_set_without_a_range_cannot_scale(indicator):
    with pytest.raises(ValueError, match=r"`reference_set` should vary in every objective. Objective 1 does not\."):
        indicator([[1.0, 1.0]], reference_set=[[1.0, 2.0], [3.0, 2.0]])
