import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moo.directions import check_directions, signs, turn

words = st.lists(st.sampled_from(["min", "max"]), min_size=1, max_size=5)


def test_one_word_stands_for_all_objectives():
    assert check_directions("min", 3) == ("min", "min", "min")
    assert check_directions(["max", "min"], 2) == ("max", "min")


def test_missing_directions_are_asked_for_with_an_example_of_the_right_length():
    with pytest.raises(ValueError, match=r"`directions` is missing: say .* as in directions=\['min', 'max', 'min'\]"):
        check_directions(None, 3)


@pytest.mark.parametrize(("given_words", "found"), [(["min", "MAX"], "MAX"), ("minimize", "minimize"), ([1, -1], "1")])
def test_other_words_are_refused(given_words, found):
    with pytest.raises(ValueError, match=f'`directions` should hold only "min" and "max". Found .*{found}'):
        check_directions(given_words, 2)


@pytest.mark.parametrize("given_words", [["min"], ["min"] * 3, []])
def test_another_number_of_words_is_refused(given_words):
    with pytest.raises(
        ValueError, match=rf"`directions` should name one per objective \(2\). Found {len(given_words)}"
    ):
        check_directions(given_words, 2)


@given(words, st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_turning_twice_changes_nothing_and_once_negates_what_is_minimised(directions, n, seed):
    objectives = torch.randn(n, len(directions), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    before = objectives.clone()
    turned = turn(objectives, directions)
    for column, word in enumerate(directions):
        expected = -before[:, column] if word == "min" else before[:, column]
        assert torch.equal(turned[:, column], expected)
    assert torch.equal(turn(turned, directions), before)
    array = objectives.numpy()
    assert np.array_equal(turn(array, directions), turned.numpy())
    assert torch.equal(objectives, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_type_follows_the_input(dtype):
    values = torch.ones(2, 3, 2, dtype=dtype)
    assert turn(values, ("min", "max")).dtype == dtype
    assert turn(values, ("min", "max"))[1, 2].tolist() == [-1, 1]
    assert signs(("min", "max"), values).dtype == dtype
    array = turn(values.numpy(), ("min", "max"))
    assert type(array) is np.ndarray
    assert array.dtype == values.numpy().dtype


def test_a_view_that_is_negated_only_when_read_is_turned():
    values = torch.tensor([[1 - 2j, 3 - 4j]]).conj().imag
    assert values.is_neg()
    assert turn(values, ("min", "max")).tolist() == [[-2.0, 4.0]]


def test_nan_and_infinities_survive():
    turned = turn(torch.tensor([float("nan"), float("inf")]), ("min", "min"))
    assert turned[0].isnan()
    assert turned[1] == -float("inf")
