"""Distances to a reference set against literal loops, moocore, pymoo and their named properties."""

import functools
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

from moo.indicators import distance
from moo.indicators.distance import (
    averaged_hausdorff,
    epsilon_additive,
    epsilon_multiplicative,
    gd,
    gd_plus,
    igd,
    igd_plus,
)

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)
LENGTHS = [igd, igd_plus, gd, gd_plus, averaged_hausdorff, epsilon_additive]  # in the unit of the objectives
COMPLIANT = [igd_plus, epsilon_additive, epsilon_multiplicative]
MEANS_OVER_ROWS = [gd, gd_plus, averaged_hausdorff]
every = pytest.mark.parametrize("indicator", [*LENGTHS, epsilon_multiplicative])
lengths = pytest.mark.parametrize("indicator", LENGTHS)
compliant = pytest.mark.parametrize("indicator", COMPLIANT)
over_rows = pytest.mark.parametrize("indicator", MEANS_OVER_ROWS)
of_the_best = pytest.mark.parametrize("indicator", [igd, *COMPLIANT])
WAYS = {
    "blocks": {"PAIRS_CPU": distance.PAIRS_CPU},
    "small blocks": {"PAIRS_CPU": 7, "WIDTH": 3},
    "loop": {"TREE_FROM": 0, "EPSILON_FROM": 0},
}


@st.composite
def pairs(draw, rows=(1, 10), columns=(1, 6)):
    """Two sets of small positive integers: ties, duplicates and dominated points."""
    m = draw(st.integers(*columns))
    rng = np.random.default_rng(draw(seeds))
    high = draw(st.integers(1, 8))
    return tuple(torch.from_numpy(rng.integers(1, high + 2, (draw(st.integers(*rows)), m)).astype(float)) for _ in "ab")


def length(differences):
    return math.sqrt(sum(value**2 for value in differences))


def lack(row, target):
    """What a row lacks against a target, all maximised."""
    return length(max(t - a, 0.0) for a, t in zip(row, target, strict=True))


def apart(row, target):
    return length(a - t for a, t in zip(row, target, strict=True))


def literal(indicator, objectives, reference_set, p=1.0):
    """The definitions for maximised objectives, with two loops over Python numbers."""
    rows, targets = objectives.tolist(), reference_set.tolist()
    if indicator is epsilon_additive:
        return max(min(max(t - a for a, t in zip(a, t, strict=True)) for a in rows) for t in targets)
    if indicator is epsilon_multiplicative:
        return max(min(max(t / a for a, t in zip(a, t, strict=True)) for a in rows) for t in targets)
    between = lack if indicator in (igd_plus, gd_plus) else apart
    to = [min(between(a, t) for t in targets) for a in rows]
    back = [min(between(a, t) for a in rows) for t in targets]
    mean_to, mean_back = (max(d) if p == math.inf else (sum(v**p for v in d) / len(d)) ** (1 / p) for d in (to, back))
    if indicator is averaged_hausdorff:
        return max(mean_to, mean_back)
    return mean_back if indicator in (igd, igd_plus) else mean_to


def cloud(n, m, seed=0, shift=0.0):
    return torch.from_numpy(np.random.default_rng(seed).uniform(0.5, 2.5, (n, m))) + shift


def backwards(tensor):
    """A read-only array with negative strides."""
    array = np.ascontiguousarray(tensor.numpy()[..., ::-1, ::-1])[..., ::-1, ::-1]
    array.flags.writeable = False
    return array


def close(found, expected, tolerance=1e-12):
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=tolerance, atol=tolerance)


# --- values ---------------------------------------------------------------------------------------------------------


@every
@moderate
@given(pairs())
def test_it_equals_two_literal_loops(indicator, sets):
    expected = pytest.approx(literal(indicator, *sets), rel=1e-12, abs=1e-14)
    assert indicator(*sets) == expected
    assert indicator(sets[0][None], sets[1]).tolist() == [expected]
    with mock.patch.multiple(distance, **WAYS["small blocks"]):
        assert indicator(sets[0][None], sets[1]).tolist() == [expected]


@pytest.mark.parametrize("indicator", [igd, gd, averaged_hausdorff])
@moderate
@given(pairs())
def test_the_tree_equals_two_literal_loops(indicator, sets):
    expected = pytest.approx(literal(indicator, *sets), rel=1e-12, abs=1e-14)
    with mock.patch.object(distance, "TREE_FROM", 0):
        assert indicator(*sets) == expected
        assert indicator(torch.stack([sets[0]] * 2), sets[1]).tolist() == [expected] * 2


@pytest.mark.parametrize("p", [1, 1.5, 2, 3.0, 40, math.inf])
@moderate
@given(pairs())
def test_powers_of_the_hausdorff_distance(p, sets):
    expected = pytest.approx(literal(averaged_hausdorff, *sets, p=p), rel=1e-12, abs=1e-14)
    assert averaged_hausdorff(*sets, p=p) == expected
    assert averaged_hausdorff(sets[0][None], sets[1], p=p).tolist() == [expected]


def test_a_large_power_does_not_overflow():
    assert averaged_hausdorff([[0.0, 3000.0]], [[4000.0, 0.0]], p=500) == pytest.approx(5000, rel=1e-12)
    assert averaged_hausdorff([[0.0, 3e-9]], [[4e-9, 0.0]], p=500) == pytest.approx(5e-9, rel=1e-12)


@pytest.mark.parametrize("p", [0.5, 0, -1, math.nan, True, "2", None])
def test_a_power_below_one_is_an_error(p):
    with pytest.raises(ValueError, match="`p` should be a number of at least 1"):
        averaged_hausdorff([[1.0, 2.0]], [[1.0, 2.0]], p=p)


@pytest.mark.parametrize("m", [1, 2, 3, 7, 40, 300])
@every
def test_few_and_many_objectives(indicator, m):
    sets = cloud(9, m), cloud(7, m, seed=1)
    assert indicator(*sets) == pytest.approx(literal(indicator, *sets), rel=1e-12)
    assert indicator(sets[0][None], sets[1]).tolist() == [pytest.approx(literal(indicator, *sets), rel=1e-12)]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("m", [2, 3, 5, 9])
@pytest.mark.parametrize(("n", "k"), [(30, 200), (600, 900)])  # on both sides of the switch to a tree
def test_it_equals_moocore(n, k, m, ties):
    assert (n * k < distance.TREE_FROM) == (n == 30)
    batch, reference = cloud(3 * n, m).reshape(3, n, m), cloud(k, m, seed=1, shift=0.2)
    if ties:
        batch, reference = (8 * batch).round() / 8, (8 * reference).round() / 8
    mixed = ["max", "min"] * m
    for mine, theirs in (
        (igd, moocore.igd),
        (igd_plus, moocore.igd_plus),
        (averaged_hausdorff, moocore.avg_hausdorff_dist),
        (functools.partial(averaged_hausdorff, p=2), functools.partial(moocore.avg_hausdorff_dist, p=2)),
        (epsilon_additive, moocore.epsilon_additive),
        (epsilon_multiplicative, moocore.epsilon_mult),
    ):
        for words in ("max", "min", mixed[:m]):
            flags = [word == "max" for word in ([words] * m if isinstance(words, str) else words)]
            expected = [theirs(one.numpy(), ref=reference.numpy(), maximise=flags) for one in batch]
            close([mine(one, reference, directions=words) for one in batch], expected)
            close(mine(batch, reference, directions=words), expected)


@pytest.mark.parametrize(("mine", "theirs"), [(igd, IGD), (igd_plus, IGDPlus), (gd, GD), (gd_plus, GDPlus)])
@pytest.mark.parametrize("m", [2, 3, 5])
@pytest.mark.parametrize("n", [30, 600])
def test_it_equals_pymoo(mine, theirs, m, n):
    points, reference = cloud(n, m).numpy(), cloud(500, m, seed=1, shift=-0.2).numpy()
    assert mine(points, reference, directions="min") == pytest.approx(theirs(reference)(points), rel=1e-12)
    assert mine(-points, -reference) == pytest.approx(theirs(reference)(points), rel=1e-12)


def test_the_example_of_ishibuchi():
    """Example 4 of the paper: the first set is better, and igd says that it is worse."""
    reference = [[10, 0], [6, 1], [2, 2], [1, 6], [0, 10]]
    both = [[[4, 2], [3, 3], [2, 4]], [[8, 2], [4, 4], [2, 8]]]
    close(igd(both, reference, directions="min"), [3.707092031609239, 2.59148346584763])
    close(igd_plus(both, reference, directions="min"), [1.482842712474619, 2.260112615949154])


def test_known_values():
    assert igd([[0.0, 0.0]], [[3.0, 4.0], [0.0, 0.0]]) == 2.5
    assert igd_plus([[0.0, 9.0]], [[3.0, 4.0], [0.0, 0.0]]) == 1.5
    assert gd([[3.0, 4.0], [0.0, 1.0]], [[0.0, 0.0]]) == 3.0
    assert gd_plus([[3.0, -4.0], [0.0, -1.0]], [[0.0, 0.0]]) == 2.5
    assert averaged_hausdorff([[3.0, 4.0], [0.0, 1.0]], [[0.0, 0.0]]) == 3.0
    assert averaged_hausdorff([[3.0, 4.0], [0.0, 1.0]], [[0.0, 0.0]], p=math.inf) == 5.0
    assert epsilon_additive([[1.0, 3.0], [3.0, 1.0]], [[2.0, 2.0]]) == 1.0
    assert epsilon_additive([[3.0, 4.0]], [[2.0, 2.0], [0.0, 3.0]]) == -1.0  # better than all: negative


def test_factors_follow_the_direction_of_each_objective():
    """One is multiplied where it is maximised, divided where it is minimised, whichever the others are."""
    row, target = [[2.0, 8.0]], [[6.0, 4.0]]
    assert epsilon_multiplicative(row, target) == 3.0
    assert epsilon_multiplicative(row, target, directions="min") == 2.0
    assert epsilon_multiplicative(row, target, directions=["max", "min"]) == 3.0
    assert epsilon_multiplicative(row, target, directions=["min", "max"]) == 0.5  # better in both
    for words in ("max", "min", ["max", "min"], ["min", "max"]):
        single = epsilon_multiplicative(row, target, directions=words)
        close(epsilon_multiplicative([row], target, directions=words), [single])


@every
@pytest.mark.parametrize("n", [5, 600])
def test_a_reference_set_is_at_no_distance_from_itself(indicator, n):
    nothing = 1.0 if indicator is epsilon_multiplicative else 0.0
    points = np.random.default_rng(0).integers(1, 1000, (n, 3))
    assert indicator(points, points) == nothing
    assert indicator(points[None], points).tolist() == [nothing]
    assert indicator(points[: n // 2], points[n // 2 :], directions="min") > nothing


def test_one_objective_far_from_zero_keeps_its_digits():
    """moocore expands the square where there is one objective, and finds 0 here."""
    assert moocore.igd([[1e8 + 1]], ref=[[1e8]]) == 0.0
    for indicator in (igd, gd, averaged_hausdorff):
        assert indicator([[1e8 + 1]], [[1e8]]) == 1.0
        assert indicator([[[1e8 + 1]]], [[1e8]]).tolist() == [1.0]
        assert indicator([[1e8 + 1] * 300], [[1e8] * 300]) == pytest.approx(math.sqrt(300), rel=1e-12)


# --- properties -----------------------------------------------------------------------------------------------------


@compliant
@moderate
@given(pairs(), seeds)
def test_dominated_points_change_nothing(indicator, sets, seed):
    objectives, reference = sets
    rng = np.random.default_rng(seed)
    chosen = objectives[rng.integers(len(objectives), size=3)]
    longer = torch.cat([(chosen - torch.from_numpy(rng.integers(0, 3, chosen.shape))).clamp(min=0.25), objectives])
    assert indicator(longer, reference) == indicator(objectives, reference)
    close(indicator(longer[None], reference), [indicator(objectives, reference)])


@of_the_best
@moderate
@given(pairs(), seeds)
def test_duplicates_change_nothing(indicator, sets, seed):
    objectives, reference = sets
    longer = objectives[np.random.default_rng(seed).permutation(2 * len(objectives)) % len(objectives)]
    close(indicator(longer, reference), indicator(objectives, reference))


def test_a_dominated_point_can_improve_igd():
    objectives, dominated, reference = [[4.0, 4.0]], [[3.0, 0.0]], [[5.0, 5.0], [4.0, 0.0]]
    assert igd([*objectives, *dominated], reference) < igd(objectives, reference)
    assert igd_plus([*objectives, *dominated], reference) == igd_plus(objectives, reference)


@over_rows
def test_a_dominated_point_changes_a_mean_over_the_points(indicator):
    objectives, dominated, reference = [[4.0, 4.0]], [[0.0, 0.0]], [[5.0, 5.0]]
    assert indicator([*objectives, *dominated], reference) > indicator(objectives, reference)


@pytest.mark.parametrize("indicator", [gd, gd_plus])
def test_a_good_point_can_worsen_a_mean_over_the_points(indicator):
    assert indicator([[0.0, 2.0], [1.0, 1.9]], [[0.0, 2.0], [2.0, 2.0]]) > indicator([[0.0, 2.0]], [[0.0, 2.0]])


@of_the_best
@moderate
@given(pairs(), seeds)
def test_adding_a_point_never_worsens_it(indicator, sets, seed):
    objectives, reference = sets
    point = torch.from_numpy(np.random.default_rng(seed).uniform(0.1, 9, (1, objectives.shape[1])))
    assert indicator(torch.cat([objectives, point]), reference) <= indicator(objectives, reference) + 1e-12


@pytest.mark.parametrize("indicator", [*COMPLIANT, gd_plus])
@moderate
@given(pairs(), seeds)
def test_a_better_set_never_scores_worse(indicator, sets, seed):
    objectives, reference = sets
    better = objectives + torch.from_numpy(np.random.default_rng(seed).uniform(0, 2, objectives.shape))
    assert indicator(better, reference) <= indicator(objectives, reference) + 1e-12


@moderate
@given(pairs())
def test_epsilon_is_the_least_that_makes_the_set_weakly_dominate_the_reference_set(sets):
    objectives, reference = sets
    shifted = objectives + epsilon_additive(objectives, reference)  # integers: exact
    stretched = objectives * epsilon_multiplicative(objectives, reference)
    for reached, slack in ((shifted, 1e-12), (stretched, 1e-12)):
        assert (reached[:, None] >= reference - slack).all(dim=2).any(dim=0).all()
        assert not (reached[:, None] >= reference + slack).all(dim=2).any(dim=0).all()


@lengths
@moderate
@given(pairs(), seeds)
def test_moving_and_stretching_the_space(indicator, sets, seed):
    objectives, reference = sets
    rng = np.random.default_rng(seed)
    shift, factor = torch.from_numpy(rng.uniform(-5, 5, objectives.shape[1])), rng.uniform(0.1, 10)
    found = indicator(objectives * factor + shift, reference * factor + shift)
    assert found == pytest.approx(indicator(objectives, reference) * factor, rel=1e-9, abs=1e-12)


@moderate
@given(pairs(), seeds)
def test_factors_do_not_depend_on_the_scale_of_an_objective(sets, seed):
    objectives, reference = sets
    factors = torch.from_numpy(np.random.default_rng(seed).uniform(0.1, 10, objectives.shape[1]))
    found = epsilon_multiplicative(objectives * factors, reference * factors)
    assert found == pytest.approx(epsilon_multiplicative(objectives, reference), rel=1e-12)
    logarithms = epsilon_additive(objectives.log(), reference.log())
    assert found == pytest.approx(math.exp(logarithms), rel=1e-12)


@moderate
@given(pairs())
def test_exchanging_the_sets(sets):
    objectives, reference = sets
    assert gd(objectives, reference) == igd(reference, objectives)
    assert gd_plus(objectives, reference) == igd_plus(reference, objectives, directions="min")
    for p in (1, 2, math.inf):
        close(averaged_hausdorff(objectives, reference, p=p), averaged_hausdorff(reference, objectives, p=p))


@every
@moderate
@given(pairs(), seeds)
def test_permuting_either_set_changes_nothing(indicator, sets, seed):
    objectives, reference = sets
    rng = np.random.default_rng(seed)
    shuffled = objectives[rng.permutation(len(objectives))], reference[rng.permutation(len(reference))]
    close(indicator(*shuffled), indicator(objectives, reference))


@every
@moderate
@given(pairs(), seeds)
def test_directions_turn_the_objectives(indicator, sets, seed):
    objectives, reference = sets
    words = np.random.default_rng(seed).choice(["min", "max"], objectives.shape[1])
    flipped = torch.from_numpy(words == "min")
    if indicator is epsilon_multiplicative:
        turned = tuple(torch.where(flipped, 1 / value, value) for value in sets)
    else:
        turned = tuple(torch.where(flipped, -value, value) for value in sets)
    close(indicator(*turned, directions=words.tolist()), indicator(objectives, reference))


# --- batches, masks, gradients --------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("leading", [(4,), (2, 3), (0,), (1, 1, 2)])
@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_batch_with_a_mask_gives_what_its_sets_give(indicator, leading, way):
    batch, reference = cloud(math.prod(leading) * 11, 3).reshape(*leading, 11, 3), cloud(13, 3, seed=1)
    mask = torch.from_numpy(np.random.default_rng(2).random((*leading, 11)) < 0.5)
    if leading[0]:
        mask[(0,) * len(leading)] = False
    batch[~mask] = math.nan  # what is masked is not even looked at
    words = ["max", "min", "max"]
    expected = [
        indicator(one[kept], reference, directions=words)
        for one, kept in zip(batch.reshape(-1, 11, 3), mask.reshape(-1, 11), strict=True)
    ]
    with mock.patch.multiple(distance, **WAYS[way]):
        found = indicator(batch, reference, directions=words, mask=mask)
    assert found.shape == leading
    assert found.dtype == torch.float64
    close(found.flatten(), expected)
    if leading[0]:
        assert found.flatten()[0] == math.inf
        wholly = indicator(batch.nan_to_num(1.0).requires_grad_(), reference, directions=words, mask=mask)
        close(wholly.detach().flatten(), expected)


@every
def test_blocks_stay_small(indicator):
    largest = []

    def spaces(like, *shape):
        largest.append(math.prod(shape))
        return like.new_empty(shape), like.new_empty(shape)

    with mock.patch.object(distance, "_spaces", spaces), mock.patch.multiple(distance, PAIRS_CPU=100, WIDTH=10):
        indicator(cloud(30 * 40, 2).reshape(30, 40, 2), cloud(50, 2))
    assert 0 < max(largest) <= 100


@every
@pytest.mark.parametrize("words", ["max", ["min", "max", "max"]])
def test_gradients_are_those_of_finite_differences(indicator, words):
    batch, reference = cloud(2 * 5, 3).reshape(2, 5, 3).requires_grad_(), cloud(7, 3, seed=1, shift=0.1)
    mask = torch.tensor([[True, True, True, True, True], [True, False, True, True, False]])
    for options in ({}, {"mask": mask}):
        function = functools.partial(indicator, reference_set=reference, directions=words, **options)
        assert torch.autograd.gradcheck(function, (batch,))
    single = indicator(batch[0], reference, directions=words)
    assert single.shape == ()
    assert single.requires_grad


@pytest.mark.parametrize("p", [1, 2, 3.5, math.inf])
def test_gradients_of_powers(p):
    objectives = cloud(5, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: averaged_hausdorff(x, cloud(7, 3, seed=1), p=p), (objectives,))


@every
def test_gradients_are_finite_where_there_is_no_distance_or_no_row(indicator):
    points = cloud(4, 3)
    batch = torch.stack([points, points, points]).requires_grad_()
    mask = torch.tensor([[True] * 4, [True, True, False, False], [False] * 4])
    found = indicator(batch, points, mask=mask)
    assert found[2] == math.inf
    found[:2].sum().backward()
    assert torch.isfinite(batch.grad).all()
    assert (batch.grad[2] == 0).all()
    assert (batch.grad[1, 2:] == 0).all()
    if indicator in (igd, igd_plus, gd, gd_plus, averaged_hausdorff):
        assert (batch.grad[0] == 0).all()
    again = batch.detach().requires_grad_()
    indicator(again, points, mask=mask).clamp(max=10).sum().backward()  # through the empty set, too
    assert torch.isfinite(again.grad).all()


def test_no_gradient_flows_to_the_reference_set():
    reference = cloud(4, 2).requires_grad_()
    assert type(igd(cloud(3, 2), reference)) is float


# --- input ----------------------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("empty", [[], np.empty((0, 2)), torch.empty(0, 2)])
def test_an_empty_set_is_infinitely_bad(indicator, empty):
    reference = [[1.0, 2.0], [2.0, 1.0]]
    assert indicator(empty, reference) == math.inf
    assert indicator([[1.0, 1.0]], reference, mask=[False]) == math.inf
    assert indicator(np.empty((3, 0, 2)), reference).tolist() == [math.inf] * 3
    assert indicator(torch.empty(0, 2, requires_grad=True), reference) == math.inf


@every
def test_nan_raises_or_is_dropped(indicator):
    bad, reference = cloud(9, 3), cloud(5, 3, seed=1)
    bad[4, 1] = bad[6, 0] = math.nan
    with pytest.raises(ValueError, match=r"`objectives` should hold no NaN\. Row 4 is \["):
        indicator(bad, reference)
    with pytest.raises(ValueError, match=r"`objectives` should hold no NaN\. Row 4 of set 1 is \["):
        indicator(torch.stack([cloud(9, 3), bad]), reference)
    kept = bad[[0, 1, 2, 3, 5, 7, 8]]
    assert indicator(bad, reference, nan="drop") == indicator(kept, reference)
    close(indicator(bad[None], reference, nan="drop"), [indicator(kept, reference)])


@every
@pytest.mark.parametrize("words", ["max", "min"])
def test_infinite_rows(indicator, words):
    objectives, reference = cloud(9, 3), cloud(5, 3, seed=1)
    good = math.inf if words == "max" else -math.inf
    bad = objectives.clone()
    bad[4, 1] = -good
    kept = indicator(objectives[torch.arange(9) != 4], reference, directions=words)
    expected = math.inf if indicator in MEANS_OVER_ROWS else kept
    assert indicator(bad, reference, directions=words) == expected
    close(indicator(torch.stack([objectives, bad]), reference, directions=words)[1], expected)
    assert indicator(bad, reference, directions=words, mask=torch.arange(9) != 4) == kept
    bad[2, 0] = good
    with pytest.raises(ValueError, match=r"`objectives` should be finite where it is good\. Row 2 is \["):
        indicator(bad, reference, directions=words)


@every
@pytest.mark.parametrize(
    "read_as", [torch.clone, torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.float, backwards]
)
def test_numbers_of_all_kinds_are_read_and_none_is_changed(indicator, read_as):
    integers, around = torch.tensor([[1, 4, 2], [3, 2, 5]]), torch.tensor([[2, 5, 3], [4, 1, 2], [3, 3, 3]])
    words = ["max", "min", "max"]
    expected = pytest.approx(indicator(integers.double(), around.double(), directions=words), rel=1e-14)
    objectives, reference = read_as(integers), read_as(around)
    assert indicator(objectives, reference, directions=words) == expected
    assert indicator(read_as(integers[None]), reference, directions=words).tolist() == [expected]
    assert np.array_equal(np.asarray(objectives), integers.numpy())
    assert np.array_equal(np.asarray(reference), around.numpy())


@every
def test_single_precision_is_close_to_double(indicator):
    objectives, reference = cloud(9, 3), cloud(5, 3, seed=1)
    found = indicator(objectives.float()[None], reference.float())
    assert found.dtype == torch.float64
    close(found, [indicator(objectives, reference)], 1e-6)


@every
@pytest.mark.parametrize("empty", [[], np.empty((0, 2)), torch.empty(0, 2)])
def test_an_empty_reference_set_is_an_error(indicator, empty):
    for objectives in ([[1.0, 1.0]], [], np.empty((0, 2))):
        with pytest.raises(ValueError, match=r"`reference_set` should have at least one row: .* Found none"):
            indicator(objectives, empty)


@every
def test_a_reference_set_that_does_not_fit_is_an_error(indicator):
    with pytest.raises(ValueError, match=r"the same number of columns, one per objective. Found 2 and 3\."):
        indicator([[1.0, 1.0]], [[1.0, 1.0, 1.0]])
    with pytest.raises(ValueError, match=r"the same number of columns, one per objective. Found 4 and 3\."):
        indicator(np.empty((0, 4)), [[1.0, 1.0, 1.0]])
    for wrong in ([1.0, 1.0], [[[1.0, 1.0]]], 1.0):
        with pytest.raises(ValueError, match=r"`reference_set` should have shape \[k, m\]. Found \["):
            indicator([[1.0, 1.0]], wrong)
    with pytest.raises(TypeError, match="`reference_set` should be an array of numbers"):
        indicator([[1.0, 1.0]], [["a", "b"]])


@every
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_reference_point_that_is_not_finite_is_named(indicator, bad):
    with pytest.raises(ValueError, match=r"`reference_set` should be finite. Row 1 is \[1.0, "):
        indicator([[1.0, 1.0]], [[1.0, 1.0], [1.0, bad], [bad, 1.0]], nan="drop")


@pytest.mark.parametrize("bad", [0.0, -2.0, -0.0])
@pytest.mark.parametrize("words", ["max", "min"])
def test_ratios_need_positive_values(bad, words):
    good = [[1.0, 2.0], [2.0, 1.0], [3.0, 1.0]]
    wrong = [[1.0, 2.0], [2.0, bad], [bad, 1.0]]
    with pytest.raises(ValueError, match=r"`objectives` should be above 0 .* Row 1 is \[2.0, .* `epsilon_additive`"):
        epsilon_multiplicative(wrong, good, directions=words)
    with pytest.raises(ValueError, match=r"`objectives` should be above 0 .* Row 1 of set 1 is \[2.0, "):
        epsilon_multiplicative([good, wrong], good, directions=words)
    with pytest.raises(ValueError, match=r"`reference_set` should be above 0 .* Row 1 is \[2.0, "):
        epsilon_multiplicative(good, wrong, directions=words)
    kept = epsilon_multiplicative(wrong, good, directions=words, mask=[True, False, False])
    assert kept == epsilon_multiplicative(wrong[:1], good, directions=words)
