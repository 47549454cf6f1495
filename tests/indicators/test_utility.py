"""Expected utility and the maximum utility loss against literal loops and their named properties."""

import functools
import math
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.indicators import utility
from moo.indicators.utility import expected_utility, maximum_utility_loss
from moo.preferences import das_dennis

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)
SMALL, USUAL = {"BLOCK_CPU": 7}, {"BLOCK_CPU": utility.BLOCK_CPU}


@st.composite
def cases(draw, rows=(1, 10), columns=(1, 6)):
    """Small integers, preferences and other small integers."""
    n, m = draw(st.integers(*rows)), draw(st.integers(*columns))
    rng = np.random.default_rng(draw(seeds))
    objectives = torch.from_numpy(rng.integers(-4, 5, (n, m)).astype(float))
    preferences = torch.from_numpy(rng.dirichlet(np.full(m, 0.5), draw(st.integers(1, 12))))
    return objectives, preferences, torch.from_numpy(rng.integers(-4, 5, (draw(st.integers(*rows)), m)).astype(float))


def best(objectives, preference):
    """The best utility, with loops over Python numbers."""
    return max(sum(p * f for p, f in zip(preference, row, strict=True)) for row in objectives.tolist())


def eum(objectives, preferences, reference_set, **options):
    return expected_utility(objectives, preferences, **options)


def mul(objectives, preferences, reference_set, **options):
    return maximum_utility_loss(objectives, reference_set, preferences, **options)


def literal(indicator, objectives, preferences, reference_set):
    """The definitions, with loops over Python numbers."""
    if indicator is eum:
        return sum(best(objectives, p) for p in preferences.tolist()) / len(preferences)
    return max(best(reference_set, p) - best(objectives, p) for p in preferences.tolist())


def worst(indicator):
    return -math.inf if indicator is eum else math.inf


def better(indicator, found, other):
    """Whether it is at least as good, up to rounding."""
    return found >= other - 1e-12 if indicator is eum else found <= other + 1e-12


def close(found, expected, tolerance=1e-12):
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=tolerance, atol=tolerance)


both = pytest.mark.parametrize("indicator", [eum, mul])

# --- values ---------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("blocks", [SMALL, USUAL])
@moderate
@given(cases())
def test_it_equals_literal_loops(indicator, blocks, case):
    with mock.patch.multiple(utility, **blocks):
        close(indicator(*case), literal(indicator, *case))
        close(
            indicator(torch.stack([case[0], case[2][:1].expand_as(case[0])]), *case[1:])[0], literal(indicator, *case)
        )


def test_known_values():
    corners = das_dennis(2, 2)  # [0, 1], [.5, .5], [1, 0]
    assert expected_utility([[4.0, 0.0], [0.0, 2.0]], corners) == (2 + 2 + 4) / 3
    assert expected_utility([[4.0, 0.0], [0.0, 2.0]], corners, directions="min") == (0 - 1 + 0) / 3
    assert expected_utility([[4.0, 1.0]], corners, directions=["max", "min"]) == (-1 + 1.5 + 4) / 3
    assert expected_utility([[4.0, 1.0], [2.0, 9.0]], [0.5, 0.5]) == 5.5  # one preference as one row
    assert maximum_utility_loss([[4.0, 0.0]], [[4.0, 0.0], [0.0, 2.0]], corners) == 2.0
    assert maximum_utility_loss([[4.0, 0.0]], [[3.0, -2.0], [-9.0, -1.0]], corners) == -1.0  # better for each of them
    assert maximum_utility_loss([[4.0, 0.0]], [[5.0, 0.0]], corners, directions="min") == 0.0


@pytest.mark.parametrize(("m", "expected"), [(1, 1), (2, 3 / 4), (3, 11 / 18)])
def test_unit_vectors_in_the_limit_of_many_preferences(m, expected):
    """The best of them is worth the largest preference."""
    assert expected_utility(torch.eye(m), das_dennis(m, 400)) == pytest.approx(expected, abs=3e-3)


@moderate
@given(cases())
def test_a_set_loses_nothing_against_itself(case):
    objectives, preferences, _ = case
    close(maximum_utility_loss(objectives, objectives, preferences), 0.0)


@moderate
@given(cases())
def test_the_loss_is_at_least_the_mean_loss(case):
    objectives, preferences, reference = case
    mean = expected_utility(reference, preferences) - expected_utility(objectives, preferences)
    assert maximum_utility_loss(objectives, reference, preferences) >= mean - 1e-12


# --- properties -----------------------------------------------------------------------------------------------------


@both
@moderate
@given(cases(), seeds)
def test_points_below_the_hull_duplicates_and_the_order_change_nothing(indicator, case, seed):
    objectives, *around = case
    rng = np.random.default_rng(seed)
    mixed = torch.from_numpy(rng.dirichlet(np.ones(len(objectives)), 3)) @ objectives
    below = mixed - torch.from_numpy(rng.uniform(0, 2, mixed.shape))
    longer = torch.cat([below, mixed, objectives, objectives[:2]])
    close(indicator(longer[rng.permutation(len(longer))], *around), indicator(*case))


@both
@moderate
@given(cases(), seeds)
def test_more_and_better_points_never_score_worse(indicator, case, seed):
    objectives, *around = case
    rng = np.random.default_rng(seed)
    point = torch.from_numpy(rng.uniform(-5, 5, (1, objectives.shape[1])))
    assert better(indicator, indicator(torch.cat([objectives, point]), *around), indicator(*case))
    raised = objectives + torch.from_numpy(rng.uniform(0, 2, objectives.shape))
    assert better(indicator, indicator(raised, *around), indicator(*case))


@both
@moderate
@given(cases(), seeds)
def test_moving_and_stretching_the_space(indicator, case, seed):
    objectives, preferences, reference = case
    rng = np.random.default_rng(seed)
    shift, factor = rng.uniform(-5, 5), rng.uniform(0.1, 10)
    found = indicator(objectives * factor + shift, preferences, reference * factor + shift)
    expected = indicator(*case) * factor + (shift if indicator is eum else 0.0)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-11)


@both
@moderate
@given(cases(), seeds)
def test_directions_turn_the_objectives(indicator, case, seed):
    objectives, preferences, reference = case
    words = np.random.default_rng(seed).choice(["min", "max"], objectives.shape[1])
    signs = torch.from_numpy(np.where(words == "min", -1.0, 1.0))
    close(indicator(objectives * signs, preferences, reference * signs, directions=words.tolist()), indicator(*case))


# --- batches, masks, gradients --------------------------------------------------------------------------------------


def around(m, seed=1):
    return das_dennis(m, 4), torch.from_numpy(np.random.default_rng(seed).normal(size=(7, m)))


def normal(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


@both
@pytest.mark.parametrize("leading", [(4,), (2, 3), (0,), (1, 1, 2)])
@pytest.mark.parametrize("blocks", [SMALL, USUAL])
def test_a_batch_with_a_mask_gives_what_its_sets_give(indicator, leading, blocks):
    batch, words = normal(*leading, 11, 3), ["max", "min", "max"]
    mask = torch.from_numpy(np.random.default_rng(2).random((*leading, 11)) < 0.5)
    if leading[0]:
        mask[(0,) * len(leading)] = False
    batch[~mask] = math.nan  # what is masked is not even looked at
    sets = zip(batch.reshape(-1, 11, 3), mask.reshape(-1, 11), strict=True)
    expected = [indicator(one[kept], *around(3), directions=words) for one, kept in sets]
    with mock.patch.multiple(utility, **blocks):
        found = indicator(batch, *around(3), directions=words, mask=mask)
        flowing = indicator(batch.nan_to_num(1.0).requires_grad_(), *around(3), directions=words, mask=mask)
    assert found.shape == leading
    close(found.flatten(), expected)
    close(flowing.detach().flatten(), expected)
    if leading[0]:
        assert found.flatten()[0] == worst(indicator)


@both
def test_blocks_stay_small(indicator):
    seen = []
    whole = torch.Tensor.amax

    def amax(tensor, *args, **kwargs):
        seen.append(tensor.numel() if tensor.ndim == 3 else 0)
        return whole(tensor, *args, **kwargs)

    with mock.patch.multiple(utility, BLOCK_CPU=100), mock.patch.object(torch.Tensor, "amax", amax):
        indicator(normal(30, 40, 2), *around(2))
    assert 0 < max(seen) <= 100


@both
def test_gradients_are_those_of_finite_differences(indicator):
    batch = normal(2, 5, 3).requires_grad_()
    mask = torch.tensor([[True, True, True, True, True], [True, False, True, True, False]])
    for options in ({}, {"mask": mask}, {"directions": ["min", "max", "max"]}):
        assert torch.autograd.gradcheck(
            functools.partial(lambda x, **o: indicator(x, *around(3), **o), **options), batch
        )
    single = indicator(batch[0], *around(3))
    assert single.shape == ()
    assert single.requires_grad
    learned = [value.requires_grad_() for value in around(3)]
    assert type(indicator(batch.detach()[0], *learned)) is float


@both
def test_gradients_are_finite_where_there_is_no_row(indicator):
    batch = normal(2, 5, 3).requires_grad_()
    found = indicator(batch, *around(3), mask=torch.tensor([[True] * 5, [False] * 5]))
    found.clamp(-10, 10).sum().backward()
    assert torch.isfinite(batch.grad).all()
    assert (batch.grad[1] == 0).all()
    assert (batch.grad[0] != 0).any()


# --- input ----------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("empty", [[], np.empty((0, 3)), torch.empty(0, 3)])
def test_an_empty_set_has_the_least_utility(indicator, empty):
    assert indicator(empty, *around(3)) == worst(indicator)
    assert indicator(empty, [0.2, 0.3, 0.5], around(3)[1], directions="min") == worst(indicator)
    assert indicator([[1.0] * 3], *around(3), mask=[False]) == worst(indicator)
    assert indicator(np.empty((2, 0, 3)), *around(3)).tolist() == [worst(indicator)] * 2
    assert indicator([[-1e300] * 3], *around(3)) != worst(indicator)


@both
@pytest.mark.parametrize("words", ["max", "min"])
def test_nan_and_infinite_rows(indicator, words):
    good = math.inf if words == "max" else -math.inf
    objectives, kept = normal(9, 3), torch.arange(9) != 4
    expected = indicator(objectives[kept], *around(3), directions=words)
    objectives[4, 1] = -good  # infinitely bad: as if it were not there
    assert indicator(objectives, *around(3), directions=words) == expected
    close(indicator(objectives[None], *around(3), directions=words), [expected])
    objectives[4, 1] = math.nan
    with pytest.raises(ValueError, match=r"`objectives` should hold no NaN\. Row 4 is \["):
        indicator(objectives, *around(3), directions=words)
    assert indicator(objectives, *around(3), directions=words, nan="drop") == expected
    objectives[2, 0] = good
    with pytest.raises(ValueError, match=r"`objectives` should be finite where it is good\. Row 2 is \["):
        indicator(objectives, *around(3), directions=words, nan="drop")


@both
def test_numbers_of_all_kinds_are_read_and_none_is_changed(indicator):
    integers = torch.tensor([[1, 4, 2], [3, 2, 5]])
    preferences, reference = around(3)
    expected = indicator(integers.double(), preferences, reference)
    frozen = integers.double().numpy()
    frozen.flags.writeable = False
    for objectives in (integers.clone(), integers.tolist(), integers.numpy(), integers.float(), frozen):
        assert indicator(objectives, preferences.tolist(), reference.numpy(), directions="max") == expected
        assert np.array_equal(np.asarray(objectives), integers)
    objectives = normal(9, 3)
    close(indicator(objectives.float(), preferences, reference), indicator(objectives, preferences, reference), 1e-6)


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


def test_a_reference_set_that_does_not_fit_is_an_error():
    for wrong, message in (([], "at least one row"), ([[1.0]], "same number of columns"), ([1.0, 2.0], "have shape")):
        with pytest.raises(ValueError, match=f"`reference_set` should .*{message}"):
            maximum_utility_loss([[1.0, 1.0]], wrong, [0.5, 0.5])
    with pytest.raises(ValueError, match=r"`reference_set` should be finite\. Row 0"):
        maximum_utility_loss([[1.0, 1.0]], [[math.nan, 1.0]], [0.5, 0.5])
