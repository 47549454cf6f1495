"""The front door: what is read, what is dropped, what is refused and how that is said."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd.forward_ad import dual_level, make_dual, unpack_dual

from moo.indicators import hypervolume, hypervolume_contributions
from moo.indicators.inputs import Sets, as_numbers, read_mask, read_point, read_point_array, read_sets, score

moderate = settings(max_examples=60, deadline=None)
shapes = st.lists(st.integers(0, 4), min_size=2, max_size=4).map(lambda shape: (*shape[:-1], shape[-1] + 1))


def maximised(values, words):
    signs = np.array([1.0 if word == "max" else -1.0 for word in words])
    return np.asarray(values) * signs


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        [[1, 2], [3, 4]],
        ((1.0, 2.0), (3.0, 4.0)),
        [np.array([1, 2]), np.array([3, 4])],
        [torch.tensor([1, 2]), torch.tensor([3, 4])],
        np.array([[1, 2], [3, 4]], dtype=np.uint8),
        np.array([[1, 2], [3, 4]], dtype=np.float16),
        np.array([[1, 2], [3, 4]], dtype=">f8"),
        np.array([[1, 3], [2, 4]]).T,
        np.array([[4, 3], [2, 1]])[::-1, ::-1],
        torch.tensor([[1, 2], [3, 4]], dtype=torch.bfloat16),
        torch.tensor([[1, 3], [2, 4]]).T,
        pd.DataFrame({"a": [1, 3], "b": [2, 4]}),
    ],
)
def test_whatever_holds_numbers_is_read_as_float64(value):
    read = read_sets(value).values
    assert read.dtype == torch.float64
    assert read.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("value", [np.ones((3, 2))[::-1, ::-1], np.broadcast_to(1.0, (3, 2)), np.ones((2, 3)).T])
def test_arrays_in_any_layout_are_read_without_a_warning(value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (read_sets(value).values == 1).all()


def test_a_writable_array_may_share_its_memory():
    value = np.ones((3, 2))
    assert read_sets(value).values.data_ptr() == value.ctypes.data


def test_truth_values_are_numbers():
    assert read_sets([[True, False]]).values.tolist() == [[1.0, 0.0]]


def test_a_list_does_not_pass_through_single_precision():
    assert read_sets([[0.1, 2**53 - 1]]).values.tolist() == [[0.1, 2**53 - 1]]


@pytest.mark.parametrize(
    "value",
    [
        [["a", "b"]],
        [[1.0, 2.0], [3.0]],
        [[1j, 2.0]],
        torch.ones(1, 2, dtype=torch.complex64),
        [[None, 1.0]],
        [[2**80, 1]],
        {"a": 1},
        object(),
        np.array([["2020-01-01"]], dtype="M8[D]"),
        "12",
    ],
)
def test_what_holds_no_numbers_is_refused(value):
    with pytest.raises(TypeError, match=r"`x` should be an array of numbers\. Found "):
        read_sets(value, name="x")


def test_a_tensor_is_not_copied_and_keeps_its_gradient():
    values = torch.rand(4, 2, dtype=torch.float64, requires_grad=True)
    assert as_numbers("x", values) is values
    single = torch.rand(4, 2, requires_grad=True)
    read_sets(single, directions="min").values.sum().backward()
    assert single.grad.dtype == torch.float32
    assert (single.grad == -1).all()


@pytest.mark.parametrize("shape", [(), (3,), (0, 3, 0), (2, 0)])
def test_a_wrong_shape_is_refused(shape):
    rule = "at least one column" if len(shape) > 1 else r"shape \[n, m\], or \[\.\.\., n, m\] for a batch of sets"
    with pytest.raises(ValueError, match=rf"`x` should have {rule}\. Found"):
        read_sets(torch.ones(shape), name="x")


@pytest.mark.parametrize("value", [[], (), np.empty(0), torch.empty(0)])
def test_a_bare_empty_set_has_the_columns_of_what_it_stands_beside(value):
    assert read_sets(value, like=[1.0, 2.0, 3.0]).values.shape == (0, 3)
    assert read_sets(value, like=np.ones((5, 4)), directions=["min"] * 4).values.shape == (0, 4)
    assert read_sets(value).values.shape == (0, 1)
    assert read_sets(value, like=3.0).values.shape == (0, 1)
    assert read_sets(value, like=[]).values.shape == (0, 1)


# --- directions -------------------------------------------------------------------------------------------------------


@moderate
@given(shapes, st.randoms(use_true_random=False))
def test_everything_is_turned_to_be_maximised(shape, random):
    values = np.random.default_rng(random.getrandbits(32)).normal(size=shape)
    words = random.choices(["min", "max"], k=shape[-1])
    assert np.array_equal(read_sets(values, directions=words).values, maximised(values, words))
    assert np.array_equal(read_sets(values, directions="min").values, -values)
    assert np.array_equal(read_sets(values, directions="max").values, values)
    assert np.array_equal(read_sets(values).values, values)


def test_a_point_is_turned_with_the_sets():
    sets = read_sets(torch.ones(1, 2))
    assert read_point("x", [3, 4], sets, ["min", "max"]).tolist() == [-3.0, 4.0]
    assert read_point("x", (3, 4), sets, None).tolist() == [3.0, 4.0]
    assert read_point("x", np.array([3.0, 4.0]), sets, "min").tolist() == [-3.0, -4.0]
    assert read_point_array("x", torch.tensor([3, 4]), sets, ["max", "min"]).tolist() == [3.0, -4.0]


@pytest.mark.parametrize("wrong", [[1.0], [[1.0, 2.0]], 1.0, []])
def test_a_point_of_another_shape_is_refused(wrong):
    with pytest.raises(ValueError, match="`x` should be a list of 2 numbers"):
        read_point("x", wrong, read_sets(torch.ones(1, 2)), None)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_point_is_finite(wrong):
    with pytest.raises(ValueError, match=r"`x` should be finite. Found \[1\.0, "):
        read_point("x", [1.0, wrong], read_sets(torch.ones(1, 2)), None)


# --- rows that do not count -------------------------------------------------------------------------------------------


@moderate
@given(shapes, st.randoms(use_true_random=False), st.booleans())
def test_each_row_counts_as_it_should(shape, random, drop):
    """Against the rules for one row at a time, with every kind of value in the rows that do not count."""
    rng = np.random.default_rng(random.getrandbits(32))
    kinds = [0.0, 1.5, -2.0, -math.inf] + ([math.nan] if drop else [])
    values = rng.choice(kinds, size=shape)
    mask = rng.random(shape[:-1]) < 0.7
    values[~mask] = rng.choice([1.0, math.nan, math.inf, -math.inf], size=values[~mask].shape)
    sets = read_sets(values, mask=mask, nan="drop" if drop else "raise")
    counted = mask & np.isfinite(values).all(axis=-1)
    assert np.array_equal(sets.mask, counted)
    assert np.array_equal(sets.values, np.where(counted[..., None], values, 0.0))
    assert np.array_equal(sets.counts(), counted.sum(axis=-1))
    bad = (mask & ~np.isnan(values).any(axis=-1) & (values == -math.inf).any(axis=-1)).any(axis=-1)
    assert np.array_equal(np.zeros(shape[:-2], dtype=bool) if sets.hopeless is None else sets.hopeless, bad)
    neutral = sets.neutral(7.0).numpy()
    assert (neutral[~counted] == 7.0).all()
    assert np.array_equal(neutral[counted], values[counted])
    if len(shape) == 2:
        assert np.array_equal(sets.rows(), values[counted])


def test_there_is_no_mask_where_every_row_counts():
    sets = read_sets([[1.0, 2.0]])
    assert sets.mask is None
    assert sets.hopeless is None
    assert sets.neutral(math.nan) is sets.values
    assert sets.rows() is sets.values
    assert sets.counts() == 1
    assert read_sets(torch.ones(2, 3, 4, 5)).counts().tolist() == [[4] * 3] * 2


def test_a_mask_may_be_anything_that_holds_truth_values():
    values = torch.ones(3, 2)
    for mask in (
        [True, False, True],
        (True, False, True),
        np.array([True, False, True]),
        torch.tensor([1, 0, 1]).bool(),
    ):
        assert read_sets(values, mask=mask).mask.tolist() == [True, False, True]
    for empty in ([], (), np.empty(0, dtype=bool), torch.empty(0, dtype=torch.bool)):
        assert read_sets([], like=[0.0, 0.0], mask=empty).mask.shape == (0,)
    readonly = np.ones(3, dtype=bool)
    readonly.flags.writeable = False
    assert read_mask(readonly[::-1], values).all()


@pytest.mark.parametrize("wrong", [[1, 0, 1], [1.0, 0.0, 1.0], ["yes"] * 3, [None] * 3, [[True], [True, False]], "no"])
def test_a_mask_of_something_else_is_refused(wrong):
    with pytest.raises(TypeError, match=r"`mask` should hold truth values\. Found "):
        read_sets(torch.ones(3, 2), mask=wrong)


@pytest.mark.parametrize("shape", [(2,), (3, 1), (1, 3), (3, 2), ()])
def test_a_mask_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"`mask` should have shape \[3\], one per row of the sets. Found \["):
        read_sets(torch.ones(3, 2), mask=torch.ones(shape, dtype=torch.bool))


def test_what_stands_in_rows_that_do_not_count_takes_no_part_in_a_gradient():
    values = torch.tensor([[1.0, 2.0], [math.nan, 3.0], [-math.inf, 4.0]], requires_grad=True)
    sets = read_sets(values, nan="drop", directions="min", mask=[True, True, False])
    sets.values.sum().backward()
    assert values.grad.tolist() == [[-1.0, -1.0], [0.0, 0.0], [0.0, 0.0]]


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("directions", [None, "min", ["min", "max"]])
def test_the_first_row_with_nan_is_named_as_it_was_given(directions):
    with pytest.raises(ValueError, match=r"^`x` should hold no NaN\. Row 1 is \[nan, 5\.0\]\. nan=\"drop\" leaves"):
        read_sets([[0.0, 1.0], [math.nan, 5.0], [math.nan, 1.0]], name="x", directions=directions)


def test_the_set_of_a_batch_is_named():
    values = torch.zeros(2, 3, 4, 2)
    values[1, 2, 3, 0] = math.nan
    with pytest.raises(ValueError, match=r"Row 3 of set \[1, 2\] is \[nan, 0\.0\]"):
        read_sets(values)
    with pytest.raises(ValueError, match=r"Row 3 of set 2 is \[nan, 0\.0\]"):
        read_sets(values[1])


def test_infinitely_good_is_an_error_in_the_direction_that_is_good():
    with pytest.raises(
        ValueError, match=r"`x` should be finite where it is good\. Row 0 is \[-inf, 1\.0\]\. Check `dir"
    ):
        read_sets([[-math.inf, 1.0]], name="x", directions=["min", "max"])
    assert read_sets([[math.inf, 1.0]], directions=["min", "max"]).counts() == 0
    with pytest.raises(ValueError, match="should be finite where it is good"):
        read_sets([[math.inf, -math.inf]])  # both: it is not clear what is meant


def test_nan_comes_first_where_a_row_is_both():
    with pytest.raises(ValueError, match="should hold no NaN"):
        read_sets([[math.inf, math.nan]])
    assert read_sets([[math.inf, math.nan]], nan="drop").counts() == 0


@pytest.mark.parametrize("word", ["ignore", None, True, "Drop"])
def test_a_wrong_word_for_nan_is_refused(word):
    with pytest.raises(ValueError, match=r'`nan` should be "raise" or "drop"\. Found '):
        read_sets([[1.0]], nan=word)


# --- what comes out ---------------------------------------------------------------------------------------------------


def test_a_score_is_a_float_for_one_set_and_a_tensor_where_a_gradient_flows():
    assert type(score(torch.tensor(1.5))) is float
    assert type(score(1.5)) is float
    assert score(torch.tensor([1.5])).tolist() == [1.5]
    flowing = torch.tensor(1.5, requires_grad=True)
    assert score(flowing) is flowing


@pytest.mark.parametrize("leading", [(), (3,), (2, 2), (0,), (2, 0)])
def test_a_loop_gives_each_set_its_own(leading):
    values = torch.from_numpy(np.random.default_rng(0).random((*leading, 5, 2)))
    mask = torch.from_numpy(np.random.default_rng(1).random((*leading, 5)) < 0.5)
    everything = Sets(values)
    assert torch.equal(everything.loop(lambda rows: rows[:, 0].max()), values[..., 0].amax(dim=-1))
    assert torch.equal(everything.loop(lambda rows: rows[:, 0], fill=9.0), values[..., 0])
    some = Sets(values, mask)
    assert torch.equal(some.loop(lambda rows: len(rows)), mask.sum(dim=-1).double())
    filled = some.loop(lambda rows: rows[:, 0], fill=9.0)
    assert torch.equal(filled, torch.where(mask, values[..., 0], 9.0))
    assert some.loop(lambda rows: np.zeros(len(rows), dtype=bool), fill=True).dtype == torch.bool


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")  # what torch does when it first looks forwards
def test_plain_is_what_a_library_takes():
    values = torch.ones(2, 2, dtype=torch.float64)
    assert Sets(values).plain
    assert not Sets(values[None]).plain
    assert not Sets(values.clone().requires_grad_()).plain
    with dual_level():
        assert not Sets(make_dual(values, values)).plain


# --- one set held as an array -----------------------------------------------------------------------------------------

LAYOUTS = {
    "array": lambda values: values,
    "read-only": lambda values: np.broadcast_to(values, values.shape),
    "reversed": lambda values: np.ascontiguousarray(values[::-1, ::-1])[::-1, ::-1],
    "by columns": np.asfortranarray,
    "strided": lambda values: np.repeat(np.repeat(values, 2, axis=0), 3, axis=1)[::2, ::3],
    "other bytes": lambda values: values.astype(">f8"),
    "float32": lambda values: values.astype(np.float32),
    "list": lambda values: values.tolist() or values,
    "tensor": torch.tensor,
    "tensor by columns": lambda values: torch.tensor(values.T.copy()).T,
    "tensor of float32": lambda values: torch.tensor(values, dtype=torch.float32),
    "negated view": lambda values: torch.complex(torch.tensor(values), -torch.tensor(values)).conj().imag,
    "gradient": lambda values: torch.tensor(values, requires_grad=True),
}


def outcome(function, *arguments, **options):
    """What a function returns, warns of and raises; an error speaks of a batch of one set as of that set."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = function(*arguments, **options)
        except (TypeError, ValueError) as error:
            return type(error), str(error).replace(" of set 0", "")
    return found, [str(warning.message).split(":")[0] for warning in caught]


def as_batch(value):
    """A set as a batch of one, which is never held as an array."""
    return value[None] if hasattr(value, "shape") else [value]


FAULTS = [math.nan, math.inf, -math.inf]


@st.composite
def sets_with_faults(draw, faults):
    """One set in some layout, its number of columns, options; a few of its values are faults."""
    n, m = draw(st.integers(0, 6)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.integers(-4, 5, size=(n, m)) / 4
    for fault in draw(st.lists(st.sampled_from(faults), max_size=3)) if n else []:
        values[rng.integers(n), rng.integers(m)] = fault
    layout = draw(st.sampled_from(sorted(LAYOUTS)))
    values = np.where(np.abs(values) == 1e308, values / 1e270, values) if "float32" in layout else values
    options = {
        "directions": draw(st.sampled_from([None, "min", "max", rng.choice(["min", "max"], m).tolist(), ["min"] * 5])),
        "nan": draw(st.sampled_from(["raise", "drop"])),
        "mask": draw(st.sampled_from([None, None, rng.random(n) < 0.7])),
    }
    return LAYOUTS[layout](values), m, options


@settings(max_examples=300, deadline=None)
@given(sets_with_faults([*FAULTS, 1e308, -1e308]))
def test_a_set_held_as_an_array_is_read_by_the_rules_for_tensors(case):
    value, _, options = case
    mask = options.pop("mask")
    found = outcome(read_sets, value, mask=mask, **options)
    expected = outcome(read_sets, as_batch(value), mask=None if mask is None else mask[None], **options)
    if not isinstance(found[0], Sets):
        assert found == expected
        return
    assert found[1] == expected[1] == []
    one, many = found[0], expected[0]
    assert not isinstance(many._held, np.ndarray)
    counted = torch.ones(one.shape[0], dtype=torch.bool) if one.mask is None else one.mask
    assert one.shape == many.shape[1:]
    assert one.plain == (not one.values.requires_grad)
    if one.plain:
        again = read_sets(value, mask=mask, **options)
        assert np.array_equal(again.array(), many.values[0][counted])
    assert torch.equal(one.values, many.values[0])
    assert (one.mask is None) == (many.mask is None)
    assert many.mask is None or torch.equal(one.mask, many.mask[0])
    assert (one.hopeless is None) == (many.hopeless is None)
    assert many.hopeless is None or one.hopeless == many.hopeless[0]


@settings(max_examples=300, deadline=None)
@given(sets_with_faults(FAULTS), st.sampled_from([0.0, -2.0, 5.0, math.nan]))
def test_the_hypervolume_of_a_set_is_that_of_a_batch_of_it(case, level):
    value, m, options = case
    mask = options.pop("mask")
    point = [level] * m
    found = outcome(hypervolume, value, point, mask=mask, **options)
    expected = outcome(hypervolume, as_batch(value), point, mask=None if mask is None else mask[None], **options)
    if isinstance(found[0], type):
        assert found == expected
        return
    volume = found[0].item() if torch.is_tensor(found[0]) else found[0]
    assert volume == pytest.approx(expected[0].item(), rel=1e-12)
    assert len(found[1]) == len(expected[1])


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, np.ndarray.tolist])
def test_finite_values_whose_sum_overflows_are_read_without_a_warning(kind):
    values = np.full((4, 3), 1.7e308)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(read_sets(kind(values)).array(), values)
        assert read_sets(as_batch(kind(values))).mask is None
        mixed = values * [[1], [-1], [1], [-1]]
        assert np.array_equal(read_sets(kind(mixed), directions="min").array(), -mixed)
        mixed[3, 2] = math.inf
        with pytest.raises(ValueError, match=r"Row 3 is \[-1\.7e\+308, -1\.7e\+308, inf\]"):
            read_sets(kind(mixed))


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_a_plain_set_shares_its_memory_and_becomes_a_tensor_where_one_is_asked_for(kind):
    values = np.ones((3, 2))
    sets = read_sets(kind(values))
    assert sets.array().ctypes.data == values.ctypes.data
    assert sets.values.data_ptr() == values.ctypes.data
    assert sets.values is sets.values
    assert sets.array().ctypes.data == values.ctypes.data


def test_the_array_of_a_set_has_the_rows_that_count():
    assert read_sets([[1.0], [2.0], [3.0]], mask=[True, False, True]).array().tolist() == [[1.0], [3.0]]
    assert read_sets([[1.0], [math.nan]], nan="drop").array().tolist() == [[1.0]]


def test_other_values_keep_the_rows_that_count():
    sets = read_sets([[1.0], [-math.inf]])
    other = sets._replace(values=sets.values + 1)
    assert other.values.tolist() == [[2.0], [1.0]]
    assert (other.mask is sets.mask, other.hopeless is sets.hopeless) == (True, True)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
def test_a_derivative_forwards_is_not_lost():
    values = torch.tensor([[1.0, 3.0], [2.0, 1.0]], dtype=torch.float64)
    with dual_level():
        moving = make_dual(values, torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64))
        found = unpack_dual(hypervolume_contributions(moving, [0.0, 0.0]))
        assert found.primal.tolist() == [2.0, 1.0]
        assert found.tangent.tolist() == [0.0, 6.0]
