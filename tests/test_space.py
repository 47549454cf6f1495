import itertools
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moo.space import Column, Space, categorical, integer, real

MIXED = Space((real(-1, 2, "speed", "m/s"), integer(-3, 4, "count"), categorical(["a", None, 2.5], "kind"), real(0, 1)))
seeds = st.integers(0, 2**32 - 1)


def uniform(n, d, seed=0):
    return torch.rand(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ------------------------------------------------------------------------------------------------- columns
@pytest.mark.parametrize("make", [real, integer])
@pytest.mark.parametrize("bounds", [(math.nan, 1), (0, math.nan), (-math.inf, 1), (0, math.inf)])
def test_bounds_should_be_finite(make, bounds):
    with pytest.raises(ValueError, match=r"The bounds of 'c' should be finite. Found \["):
        make(*bounds, "c")


@pytest.mark.parametrize(("make", "bounds"), [(real, (1, 0)), (real, (1, 1)), (integer, (3, 2))])
def test_bounds_should_rise(make, bounds):
    with pytest.raises(ValueError, match=r"The bounds should be low < high. Found \[.*\]: swapped\?"):
        make(*bounds)


@pytest.mark.parametrize("bounds", [(0.5, 2), (0, 2.5)])
def test_bounds_of_integers_should_be_whole(bounds):
    with pytest.raises(ValueError, match=r"The bounds of 'c' of an integer should be whole. Found \["):
        integer(*bounds, "c")


def test_a_column_of_one_level_is_allowed_where_it_is_whole():
    space = Space((integer(3, 3), categorical(["only"])))
    assert space.size == 1
    assert space.from_unit(uniform(5, 2)).unique(dim=0).tolist() == [[3.0, 0.0]]


def test_a_column_needs_a_choice():
    with pytest.raises(ValueError, match=r"`choices` of column 'c' should hold at least one value. Found none."):
        categorical([], "c")


def test_kinds_of_column_are_known():
    with pytest.raises(ValueError, match=r"Unknown kind 'int' of column. Did you mean 'integer'"):
        Column("int", 0, 1)


# ------------------------------------------------------------------------------------------------- spaces
def test_a_space_has_columns():
    with pytest.raises(ValueError, match=r"A space should have at least one column. Found none."):
        Space(())
    with pytest.raises(ValueError, match="at least one column"):
        Space.of([])


def test_names_differ():
    with pytest.raises(ValueError, match=r"The columns of a space should have different names. 'x2' stands twice."):
        Space((real(0, 1, "x2"), real(0, 1)))


def test_unnamed_columns_are_numbered():
    assert MIXED.names == ("speed", "count", "kind", "x4")


def test_a_list_of_bounds_or_columns_is_a_space():
    space = Space.of([(0, 1), [2, 3], np.array([4, 5]), integer(0, 7)])
    assert space.lower.tolist() == [0, 2, 4, 0]
    assert space.upper.tolist() == [1, 3, 5, 7]
    assert space.names == ("x1", "x2", "x3", "x4")
    assert Space.of(space) is space


@pytest.mark.parametrize("entry", [(0,), (0, 1, 2), 3, "ab", None, (None, 1)])
def test_an_entry_that_is_no_pair_is_refused(entry):
    with pytest.raises(ValueError, match=r"`space` should be a Space or a list of \(low, high\) bounds. Entry 1 is "):
        Space.of([(0, 1), entry])


@pytest.mark.parametrize("entry", [(math.nan, 1), (0, math.inf), (1, 0), (2, 2)])
def test_wrong_bounds_name_their_column(entry):
    with pytest.raises(ValueError, match=r"The bounds of 'x2' should be "):
        Space.of([(0, 1), entry])


def test_size_counts_rows():
    assert Space((integer(-3, 4), categorical("abc"))).size == 24
    assert MIXED.size == math.inf


# ------------------------------------------------------------------------------------------------- canonical rows
@given(seeds, st.sampled_from([0.1, 1.0, 1e3, 1e300]))
def test_canonical_rows_are_inside_whole_where_they_should_be_and_stay_so(seed, scale):
    rows = scale * (uniform(20, 4, seed) - 0.5)
    found = MIXED.canonical(rows)
    assert found.dtype == torch.float64
    assert ((found >= MIXED.lower) & (found <= MIXED.upper)).all()
    assert torch.equal(found[:, 1:3], found[:, 1:3].round())
    assert torch.equal(MIXED.canonical(found), found)
    inside = (rows[:, 0] >= -1) & (rows[:, 0] <= 2)
    assert torch.equal(found[inside, 0], rows[inside, 0])


def test_canonical_rounds_to_the_nearest_and_leaves_its_input_alone():
    rows = torch.tensor([[0.5, 1.4, 1.6, 0.5], [9.0, -9.0, 9.0, -9.0]], dtype=torch.float64)
    before = rows.clone()
    assert MIXED.canonical(rows).tolist() == [[0.5, 1.0, 2.0, 0.5], [2.0, -3.0, 2.0, 0.0]]
    assert torch.equal(rows, before)


def test_infinities_become_bounds():
    assert MIXED.canonical([[math.inf, -math.inf, math.inf, -math.inf]]).tolist() == [[2.0, -3.0, 2.0, 0.0]]


def test_nan_is_refused():
    with pytest.raises(ValueError, match=r"`solutions` should hold no NaN. Row 1 is \[0.0, nan, 0.0, 0.0\]."):
        MIXED.canonical([[0, 0, 0, 0], [0, math.nan, 0, 0]])


def test_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"`points` should have shape \[n, 4\]. Found \[1, 3\]."):
        MIXED.canonical([[0, 0, 0]], name="points")
    with pytest.raises(TypeError, match="`solutions` should be an array of numbers"):
        MIXED.canonical([["a", 0, 0, 0]])


# ------------------------------------------------------------------------------------------------- the unit cube
def test_every_level_is_equally_likely():
    n = 8 * 3 * 1000
    even = ((torch.arange(n, dtype=torch.float64) + 0.5) / n)[:, None].expand(-1, 4)
    found = MIXED.from_unit(even)
    assert torch.bincount(found[:, 1].long() + 3).tolist() == [n // 8] * 8
    assert torch.bincount(found[:, 2].long()).tolist() == [n // 3] * 3
    assert torch.equal(found[:, 0], -1 + 3 * even[:, 0])


def test_the_corners_of_the_unit_cube_are_the_bounds():
    assert torch.equal(MIXED.from_unit(torch.zeros(1, 4)), MIXED.lower[None])
    assert torch.equal(MIXED.from_unit(torch.ones(1, 4)), MIXED.upper[None])


@given(st.integers(-(10**9), 10**9), st.integers(0, 1000), st.floats(0, 1), st.floats(-1e6, 1e6), st.floats(1e-9, 1e6))
def test_rows_from_the_unit_cube_are_canonical(low, levels, unit, start, width):
    space = Space((integer(low, low + levels), real(start, start + width)))
    rows = space.from_unit(torch.tensor([[unit, unit]]))
    assert torch.equal(space.canonical(rows), rows)


# ------------------------------------------------------------------------------------------------- numbers
WHOLE = Space((integer(-3, 1, "count"), categorical("abc", "kind"), integer(7, 7, "same"), integer(0, 3, "rest")))


def every_row(space):
    levels = [range(int(column.low), int(column.high) + 1) for column in space.columns]
    return torch.tensor(list(itertools.product(*levels)), dtype=torch.float64)


def test_rows_are_numbered_in_the_order_of_their_digits():
    rows = every_row(WHOLE)
    assert len(rows) == WHOLE.size == 60
    numbers = WHOLE.number(rows)
    assert numbers.dtype == torch.int64
    assert numbers.tolist() == list(range(60))


@given(seeds)
def test_a_number_does_not_depend_on_the_other_rows(seed):
    rows = WHOLE.from_unit(uniform(9, 4, seed))
    together = WHOLE.number(rows)
    assert together.tolist() == [int(WHOLE.number(row[None])) for row in rows]
    assert torch.equal(every_row(WHOLE)[together], rows)


def test_numbers_of_observations_in_single_precision_and_of_no_rows():
    assert WHOLE.number(every_row(WHOLE).float()).tolist() == list(range(60))
    assert WHOLE.number(torch.empty(0, 4)).shape == (0,)


def test_numbers_beyond_what_single_precision_can_tell_apart_are_exact():
    space = Space((integer(0, 9999), integer(-5000, 4999), integer(0, 9999)))
    rows = torch.tensor([[9999.0, 4999.0, 9999.0], [9999.0, 4999.0, 9998.0], [0.0, -5000.0, 0.0]])
    assert space.number(rows).tolist() == [10**12 - 1, 10**12 - 2, 0]


def test_rows_with_real_columns_have_no_numbers():
    with pytest.raises(ValueError, match=r"Rows of a space with real columns have no numbers\."):
        MIXED.number(MIXED.lower[None])


# ------------------------------------------------------------------------------------------------- for people
def test_a_row_is_described_by_names_whole_numbers_and_choices():
    row = torch.tensor([0.5, -2.0, 1.0, 0.25], dtype=torch.float64)
    found = MIXED.describe(row)
    assert found == {"speed": 0.5, "count": -2, "kind": None, "x4": 0.25}
    assert isinstance(found["count"], int)


def test_json_round_trip():
    columns = json.loads(json.dumps(MIXED.to_json()))
    again = Space.from_json(columns)
    assert again.to_json() == MIXED.to_json() == columns
    assert (again.names, again.kinds, again.size) == (MIXED.names, MIXED.kinds, MIXED.size)
    rows = MIXED.from_unit(uniform(9, 4))
    assert [again.describe(row) for row in rows] == [MIXED.describe(row) for row in rows]
    assert again.columns[0].unit == "m/s"


def test_spaces_cannot_be_changed():
    with pytest.raises(AttributeError):
        MIXED.columns = ()
