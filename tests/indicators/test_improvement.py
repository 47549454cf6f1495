"""A set beside other rows: against definitions in exact arithmetic, moocore and finite differences."""

import itertools
import math
from fractions import Fraction
from unittest import mock

import moocore
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.indicators import coverage, hypervolume, hypervolume_contributions, hypervolume_improvement, improvement

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)
every = pytest.mark.parametrize("m", range(1, 7))


def integers(rng, *shape):
    """Above and below the reference point 0, with ties, duplicates and dominated rows."""
    return torch.from_numpy(rng.integers(-1, 6, size=shape).astype(float))


def exact(rows):
    """Volume above 0 of few rows of small integers: unit cells whose upper corner some row dominates weakly."""
    rows = [row for row in rows.tolist() if min(row) > 0]
    m = len(rows[0]) if rows else 0
    cells = itertools.product(*(range(1, 1 + int(max(row[i] for row in rows))) for i in range(m))) if rows else ()
    return sum(any(all(a >= c for a, c in zip(row, cell, strict=True)) for row in rows) for cell in cells)


def above_zero(new, objectives, **options):
    return hypervolume_improvement(new, objectives, [0.0] * new.shape[-1], **options)


def assert_close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def front(n, m, seed=0):
    points = np.abs(np.random.default_rng(seed).normal(size=(n, m))) + 1e-3
    return torch.from_numpy(points / np.linalg.norm(points, axis=1, keepdims=True))


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [1, 2, 3, 4])
@moderate
@given(seeds, st.integers(0, 7), st.integers(1, 4))
def test_it_is_the_volume_with_the_row_less_that_without(m, seed, n, k):
    rng = np.random.default_rng(seed)
    objectives, new = integers(rng, n, m), integers(rng, k, m)
    expected = [exact(torch.cat([objectives, row[None]])) - exact(objectives) for row in new]
    assert above_zero(new, objectives).tolist() == expected
    assert above_zero(new[None], objectives[None]).tolist() == [expected]
    assert above_zero(new[None].expand(70, k, m), objectives.expand(70, n, m)).tolist() == [expected] * 70


@every
@moderate
@given(seeds, st.sampled_from([1, 9, 40, 150]))
def test_it_agrees_with_moocore(m, seed, n):
    rng = np.random.default_rng(seed)
    objectives, new = rng.uniform(size=(n, m)), rng.uniform(0.3, 1.3, size=(4, m))
    low = np.full(m, 0.1)

    def volume(rows):
        return moocore.hypervolume(rows, ref=low, maximise=True)

    found = hypervolume_improvement(new, objectives, low).tolist()
    for row, value in zip(new, found, strict=True):
        whole = volume(np.concatenate([objectives, row[None]]))
        assert value == pytest.approx(whole - volume(objectives), rel=1e-9, abs=1e-12)


def test_the_exact_value_of_fractions():
    new, objectives = [[0.75, 0.5], [0.5, 0.75]], [[0.25, 1.0], [1.0, 0.25]]
    assert hypervolume_improvement(new, objectives, [0.0, 0.0]).tolist() == [
        float(Fraction(1, 2) * Fraction(1, 4)),
        float(Fraction(1, 4) * Fraction(1, 2)),
    ]


@every
def test_a_dominated_equal_or_outside_row_adds_exactly_nothing(m):
    objectives = front(60, m)
    rng = np.random.default_rng(1)
    worse = objectives * torch.from_numpy(rng.uniform(0.5, 1.0, size=objectives.shape))
    outside = 2.0 * torch.ones(3, m, dtype=torch.float64)
    outside[0, 0], outside[1, -1], outside[2] = 0.0, -1.0, -3.0
    for rows in (objectives, worse, outside):
        assert (above_zero(rows, objectives) == 0).all()
        assert (above_zero(rows.expand(70, -1, -1), objectives.expand(70, -1, -1)) == 0).all()
    assert (above_zero(outside, objectives[:0]) == 0).all()


@every
def test_over_an_empty_set_it_is_the_box(m):
    new = front(5, m)
    for empty in (new[:0], np.empty((0, m)), [], new.new_full((3, m), -1.0)):
        assert torch.allclose(above_zero(new, empty), new.prod(dim=1), rtol=1e-14)
    assert torch.allclose(above_zero(new, new, mask=[False] * 5), new.prod(dim=1), rtol=1e-14)
    assert above_zero(new[:0], new).shape == (0,)
    assert above_zero(new[None, :0], new[None]).shape == (1, 0)
    assert above_zero(new.expand(0, 5, m), new.expand(0, 5, m)).shape == (0, 5)


@every
def test_added_one_by_one_they_make_up_the_hypervolume(m):
    rows, total = front(40, m), 0.0
    for i, row in enumerate(rows):
        total += float(above_zero(row[None], rows[:i]))
    assert total == pytest.approx(hypervolume(rows, [0.0] * m), rel=1e-12)


@every
def test_what_a_row_adds_to_the_others_is_its_contribution(m):
    rows = front(30, m)
    others = torch.stack([torch.cat([rows[:i], rows[i + 1 :]]) for i in range(30)])
    expected = hypervolume_contributions(rows, [0.0] * m)
    torch.testing.assert_close(above_zero(rows[:, None], others)[:, 0], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("m", [2, 3, 5])
def test_more_rows_in_the_set_leave_less_to_add(m):
    new, rows = front(20, m, 1) * 1.1, front(60, m)
    steps = torch.stack([above_zero(new, rows[:n]) for n in (0, 5, 20, 60)])
    assert (steps[1:] <= steps[:-1] + 1e-12).all()


# --- batches, masks, shapes -------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("leading", [(4,), (2, 3), (1, 1)])
@pytest.mark.parametrize("entries", [1, 50, improvement.ENTRIES_CPU])
def test_a_batch_with_a_mask_gives_what_its_sets_give(m, leading, entries):
    rng = np.random.default_rng(m)
    batch, new = integers(rng, *leading, 9, m) + 0.1, integers(rng, *leading, 5, m) + 0.2
    mask = torch.from_numpy(rng.random((*leading, 9)) < 0.6)
    batch[~mask] = math.nan  # what is masked is not even looked at
    first, one = (0,) * len(leading), new.reshape(-1, 5, m)[0]
    with mock.patch.object(improvement, "ENTRIES_CPU", entries):
        found = above_zero(new, batch, mask=mask)
        one_set = above_zero(new, batch[first], mask=mask[first])
        one_new = above_zero(one, batch, mask=mask)
    assert found.shape == one_set.shape == one_new.shape == (*leading, 5)
    assert found.dtype == torch.float64
    for place in itertools.product(*map(range, leading)):
        alone = batch[place][mask[place]]
        assert_close(found[place], above_zero(new[place], alone))
        assert_close(one_new[place], above_zero(one, alone))
        assert_close(one_set[place], above_zero(new[place], batch[first][mask[first]]))


@every
def test_directions_turn_everything(m):
    words = ["min" if i % 2 else "max" for i in range(m)]
    signs = torch.tensor([-1.0 if word == "min" else 1.0 for word in words])
    new, objectives, low = front(6, m, 1) * 1.2, front(9, m), torch.full((m,), 0.1).double()
    expected = hypervolume_improvement(new, objectives, low)
    assert torch.equal(
        hypervolume_improvement(new * signs, objectives * signs, low * signs, directions=words), expected
    )
    assert torch.equal(hypervolume_improvement(-new, -objectives, -low, directions="min"), expected)


def test_lists_arrays_integers_and_single_precision_are_read():
    new, objectives = [[3, 3], [1, 4]], [[2, 4], [4, 2]]
    for read_as in (list, np.array, torch.tensor, lambda rows: torch.tensor(rows).float()):
        found = hypervolume_improvement(read_as(new), read_as(objectives), read_as([0, 0]))
        assert found.dtype == torch.float64
        assert found.tolist() == [1.0, 0.0]


def test_arguments_are_not_changed():
    new, objectives = front(6, 3, 1), front(9, 3)
    copies = new.clone(), objectives.clone()
    above_zero(new, objectives)
    above_zero(new[None], objectives[None])
    assert torch.equal(new, copies[0])
    assert torch.equal(objectives, copies[1])


# --- gradients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_gradients_are_those_of_finite_differences(m):
    draws = torch.Generator().manual_seed(m)
    objectives = torch.rand(2, 5, m, generator=draws, dtype=torch.float64).requires_grad_()
    new = (torch.rand(2, 3, m, generator=draws, dtype=torch.float64) + 0.3).requires_grad_()
    assert torch.autograd.gradcheck(above_zero, (new, objectives))
    assert torch.autograd.gradcheck(above_zero, (new[0], objectives[0]))
    assert above_zero(new.detach(), objectives).requires_grad


@pytest.mark.parametrize("m", [2, 3, 4])
def test_gradients_are_finite_and_zero_where_nothing_is_added(m):
    new = torch.ones(1, 4, m, dtype=torch.float64)
    new[0, 0], new[0, 1], new[0, 2, 0] = 0.5, -1.0, 0.0  # dominated, outside, on the edge; the last is equal to a row
    new.requires_grad_()
    objectives = torch.ones(1, 3, m, dtype=torch.float64)
    above_zero(new, objectives).sum().backward()
    assert torch.equal(new.grad, torch.zeros_like(new))


def test_a_gradient_comes_back_in_single_precision():
    new = torch.tensor([[3.0, 3.0]], requires_grad=True)
    above_zero(new, torch.tensor([[2.0, 4.0], [4.0, 2.0]])).sum().backward()
    assert new.grad.dtype == torch.float32
    assert new.grad.tolist() == [[1.0, 1.0]]


def test_a_gradient_of_five_objectives_is_refused():
    with pytest.raises(ValueError, match=r"gradient up to four objectives. Found 5: use `new.detach\(\)`"):
        above_zero(front(3, 5).requires_grad_(), front(4, 5))


# --- input ------------------------------------------------------------------------------------------------------------


def test_nan_and_infinite_rows():
    new, objectives = front(6, 3, 1) * 1.2, front(9, 3)
    expected = above_zero(new, objectives[1:])
    objectives[0, 1] = -math.inf  # infinitely bad: as if it were not there
    new[2, 0] = -math.inf
    expected[2] = 0.0
    assert torch.equal(above_zero(new, objectives), expected)
    objectives[0, 1] = new[2, 0] = math.nan
    with pytest.raises(ValueError, match=r"^`new` should hold no NaN\. Row 2 is \["):
        above_zero(new, objectives[1:])
    with pytest.raises(ValueError, match=r"^`objectives` should hold no NaN\. Row 0 is \["):
        above_zero(new[:2], objectives)
    assert torch.equal(above_zero(new, objectives, nan="drop"), expected)
    objectives[0, 1] = new[2, 0] = math.inf
    with pytest.raises(ValueError, match=r"^`new` should be finite where it is good\. Row 2 is \["):
        above_zero(new, objectives)
    with pytest.raises(ValueError, match=r"^`objectives` should be finite where it is good\. Row 0 is \["):
        above_zero(new[:2], objectives)


@pytest.mark.parametrize(
    ("new", "objectives", "low", "error", "message"),
    [
        ([1.0, 2.0], [[1.0, 2.0]], [0, 0], ValueError, r"^`new` should have shape \[n, m\], or .* Found \[2\]"),
        ([[1.0, 2.0]], [1.0, 2.0], [0, 0], ValueError, r"^`objectives` should have shape \[n, m\].* Found \[2\]"),
        ([[1.0]], [[1.0, 2.0]], [0, 0], ValueError, r"^`new` and `objectives` .* number of columns.* Found 1 and 2\."),
        (
            np.ones((2, 1, 2)),
            np.ones((3, 1, 2)),
            [0, 0],
            ValueError,
            r"^`new` and `objectives` should have the same leading .* Found shapes \[2, 1, 2\] and \[3, 1, 2\]",
        ),
        ([[1.0, 2.0]], [[1.0, 2.0]], [0], ValueError, "^`reference_point` should be a list of 2 numbers"),
        ([[1.0, 2.0]], [[1.0, 2.0]], [0, math.nan], ValueError, "^`reference_point` should be finite"),
        ([["a"]], [[1.0]], [0], TypeError, "^`new` should be an array of numbers"),
        ([[1e308, 1e308]], [[1.0, 2.0]], [0, 0], ValueError, "leaves the range of float64"),
        ([[1e200, 1e200]], [[1e200, 1.0]], [0, 0], ValueError, "leaves the range of float64"),
    ],
)
def test_what_does_not_fit_is_an_error(new, objectives, low, error, message):
    with pytest.raises(error, match=message):
        hypervolume_improvement(new, objectives, low)


# --- coverage ---------------------------------------------------------------------------------------------------------


def literal_coverage(objectives, reference):
    rows = objectives.tolist()
    covered = [
        any(all(a >= b for a, b in zip(row, point, strict=True)) for row in rows) for point in reference.tolist()
    ]
    return sum(covered) / len(covered)


@every
@moderate
@given(seeds, st.integers(0, 8), st.integers(1, 9))
def test_coverage_is_the_share_that_some_row_weakly_dominates(m, seed, n, k):
    rng = np.random.default_rng(seed)
    batch, reference = integers(rng, 3, n, m), integers(rng, k, m)
    mask = torch.from_numpy(rng.random((3, n)) < 0.7)
    expected = [literal_coverage(rows[kept], reference) for rows, kept in zip(batch, mask, strict=True)]
    assert coverage(batch, reference, mask=mask).tolist() == expected
    found = coverage(batch[0], reference)
    assert type(found) is float
    assert found == literal_coverage(batch[0], reference)
    assert coverage(-batch[0], -reference, directions="min") == found


def test_coverage_by_hand():
    front_, worse = [[0.0, 3.0], [2.0, 2.0], [3.0, 0.0]], [[0.0, 3.0], [1.0, 1.0], [4.0, 0.0], [2.0, 2.5]]
    assert coverage(front_, front_) == 1.0  # equal rows are weakly dominated
    assert coverage(front_, worse) == 0.5
    assert coverage(worse, front_) == 1.0  # and not one minus the other
    assert coverage([], front_) == 0.0
    assert coverage([[5.0, -np.inf], [2.0, 2.0]], front_) == 1 / 3


def test_coverage_has_no_gradient():
    assert type(coverage(front(5, 3).requires_grad_(), front(5, 3))) is float
    assert not coverage(front(5, 3)[None].requires_grad_(), front(5, 3)).requires_grad
