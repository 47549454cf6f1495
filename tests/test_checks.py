import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moo.checks import (
    check_count,
    check_finite_rows,
    check_matrix,
    check_number,
    check_vector,
    check_vector_array,
    unknown_name,
)


# ------------------------------------------------------------------------------------------------- names
def test_the_nearest_name_is_suggested_and_all_are_listed_in_order():
    message = unknown_name("method", "nsga", ["random", "nsga2", "bayesian"])
    assert message == "Unknown method 'nsga'. Did you mean 'nsga2'? Known: bayesian, nsga2, random."


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("nsga", ["nsga3", "spea2", "nsga2"], "'nsga2' or 'nsga3'"),
        ("zdt9", [f"zdt{i}" for i in range(1, 7)], "'zdt1', 'zdt2' or 'zdt3'"),
        ("zdt1", ["dtlz2:dim=12,num_objectives=3", "zdt1:dim=30,noise=0.1"], "'zdt1:dim=30,noise=0.1'"),
        ("NSGA2", ["nsga2", "nsga3"], "'nsga2'"),
    ],
)
def test_names_that_are_as_near_are_all_suggested_and_else_those_that_begin_so(name, known, near):
    assert f"Unknown thing {name!r}. Did you mean {near}? Known: " in unknown_name("thing", name, known)


def test_a_name_stands_before_whose_it_is():
    said = unknown_name("option of method 'nsga2'", "popul", ["population"])
    assert said == "Unknown option 'popul' of method 'nsga2'. Did you mean 'population'? Known: population."


@pytest.mark.parametrize(
    ("known", "end"), [(["alpha", "beta"], "'zzz'. Known: alpha, beta."), ([], "'zzz'. Known: none.")]
)
def test_nothing_is_suggested_where_nothing_is_near(known, end):
    assert unknown_name("thing", "zzz", known) == f"Unknown thing {end}"


def test_a_name_of_any_type_is_quoted():
    assert "Unknown thing 3." in unknown_name("thing", 3, ["a"])


# ------------------------------------------------------------------------------------------------- counts
@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), np.float64(3), np.uint8(3), torch.tensor(3)])
def test_whole_numbers_of_any_type_are_counts(value):
    found = check_count("n", value)
    assert (type(found), found) == (int, 3)


@pytest.mark.parametrize(
    "value",
    [
        True,
        np.True_,
        1.5,
        float("nan"),
        float("inf"),
        "3",
        None,
        [3],
        1 + 0j,
        pytest.param(torch.tensor(1.5), id="tensor 1.5"),
        pytest.param(np.array(1.5), id="array 1.5"),
        pytest.param(np.array([1, 2]), id="array of two"),
    ],
)
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(TypeError, match=r"`n` should be a whole number. Found "):
        check_count("n", value)


def test_counts_outside_the_range_are_refused():
    with pytest.raises(ValueError, match=r"`n` should be at least 1. Found 0."):
        check_count("n", 0)
    with pytest.raises(ValueError, match=r"`n` should be from 0 to 5. Found 6."):
        check_count("n", 6, low=0, high=5)
    assert [check_count("n", edge, low=0, high=5) for edge in (0, 5)] == [0, 5]


@given(st.integers(min_value=1))
def test_counts_have_no_upper_end_of_their_own(value):
    assert check_count("n", value) == value


# ------------------------------------------------------------------------------------------------- numbers
@pytest.mark.parametrize("value", [True, "1", None])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match=r"`sd` should be a number, a spread. Found "):
        check_number("sd", value, "a spread")


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), -float("inf")])
def test_numbers_should_be_above_zero_and_finite(value):
    with pytest.raises(ValueError, match=r"`sd` should be above 0 and finite, a spread. Found "):
        check_number("sd", value, "a spread")


def test_zero_is_allowed_where_it_says_so():
    assert check_number("sd", 0, "a spread", zero=True) == 0.0
    with pytest.raises(ValueError, match="`sd` should be at least 0 and finite"):
        check_number("sd", -1e-300, "a spread", zero=True)


# ------------------------------------------------------------------------------------------------- arrays
@pytest.mark.parametrize(
    "value",
    [
        [[1, 2], [3, 4]],
        [[1.0, 2], [3, 4.0]],
        np.array([[1, 2], [3, 4]], dtype=np.float32),
        np.array([[3, 4], [1, 2]])[::-1],
        torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True),
    ],
    ids=["list", "mixed list", "float32", "reversed view", "needs gradient"],
)
def test_matrices_become_float64_on_the_cpu(value):
    found = check_matrix("x", value, columns=2, rows=2)
    assert found.dtype == torch.float64
    assert not found.requires_grad
    assert found.tolist() == [[1, 2], [3, 4]]


def test_a_list_keeps_its_float64_digits():
    assert check_matrix("x", [[0.1]]).item() == 0.1
    assert check_vector("x", [0.1], 1).item() == 0.1


@pytest.mark.parametrize(
    "value",
    [
        [1, 2],
        (1.0, 2.0),
        np.array([2.0, 1.0])[::-1],
        np.broadcast_to(np.arange(1, 3), 2),
        np.array([1, 2], dtype=">f4"),
        torch.tensor([1, 2]),
        torch.tensor([1.0, 2.0], requires_grad=True),
        torch.tensor([1.0, 2.0], dtype=torch.bfloat16),
        torch.tensor([1 - 1j, 1 - 2j]).conj().imag,
    ],
    ids=[
        "list",
        "tuple",
        "reversed",
        "read-only",
        "other bytes",
        "int64",
        "needs gradient",
        "bfloat16",
        "negated view",
    ],
)
def test_vectors_become_float64_tensors_or_arrays(value):
    found, array = check_vector("x", value, 2), check_vector_array("x", value, 2)
    assert (type(found), type(array), found.dtype, array.dtype) == (torch.Tensor, np.ndarray, torch.float64, np.float64)
    assert not found.requires_grad
    assert found.tolist() == array.tolist() == [1.0, 2.0]


def test_the_matrix_of_an_array_is_a_copy():
    array = np.zeros((1, 1))
    check_matrix("x", array)[0, 0] = 1
    assert array[0, 0] == 0


@pytest.mark.parametrize(
    "value",
    ["abc", [["a"]], [[1], [1, 2]], None, {"a": 1}, np.array([[1j]]), torch.tensor([[1j]])],
    ids=["text", "text list", "ragged", "None", "dict", "complex array", "complex tensor"],
)
@pytest.mark.filterwarnings("ignore:Casting complex")
def test_what_cannot_be_read_as_numbers_is_refused(value):
    with pytest.raises(TypeError, match=r"`x` should be an array of numbers. Found "):
        check_matrix("x", value)
    with pytest.raises(TypeError, match=r"`x` should be a list of 1 numbers. Found "):
        check_vector("x", value, 1)


@pytest.mark.parametrize(
    ("value", "sizes", "message"),
    [
        ([1, 2], {}, r"`x` should have shape \[n, m\]. Found \[2\]."),
        ([[1, 2]], {"columns": 3}, r"`x` should have shape \[n, 3\]. Found \[1, 2\]."),
        ([[1, 2]], {"rows": 2, "columns": 2}, r"`x` should have shape \[2, 2\]. Found \[1, 2\]."),
        (3.0, {}, r"`x` should have shape \[n, m\]. Found \[\]."),
        (np.zeros((0, 2)), {"columns": 0}, r"`x` should have shape \[n, 0\]. Found \[0, 2\]."),
    ],
)
def test_matrices_of_another_shape_are_refused(value, sizes, message):
    with pytest.raises(ValueError, match=message):
        check_matrix("x", value, **sizes)


def test_no_rows_are_a_matrix():
    assert check_matrix("x", np.zeros((0, 2)), rows=0, columns=2).shape == (0, 2)


@pytest.mark.parametrize("value", [[1.0], [1.0, 2.0, 3.0], [[1.0, 2.0]], 1.0])
def test_vectors_of_another_length_are_refused(value):
    with pytest.raises(ValueError, match=r"`point` should be a list of 2 numbers. Found shape "):
        check_vector("point", value, 2)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match=r"`point` should be finite. Found \[1.0, "):
        check_vector("point", [1.0, bad], 2)
    with pytest.raises(ValueError, match=r"`rows` should be finite. Row 1 is \["):
        check_finite_rows("rows", torch.tensor([[0.0, 0.0], [0.0, bad], [bad, 0.0]]))


def test_finite_rows_come_back_unchanged():
    rows = torch.rand(3, 2)
    assert check_finite_rows("rows", rows) is rows
    assert len(check_finite_rows("rows", rows[:0])) == 0
