import numpy as np
import pytest
import torch

from moo.indicators.inputs import inside, read_rows


@pytest.mark.parametrize("value", [[[1, 2]], np.array([[1, 2]]), torch.tensor([[1, 2]]), ((1.0, 2.0),)])
def test_lists_arrays_and_tensors_read_alike(value):
    assert read_rows("x", value).tolist() == [[1.0, 2.0]]
    assert read_rows("x", value).dtype == torch.float64


@pytest.mark.parametrize("value", [[], np.empty(0), torch.empty(0)])
def test_a_bare_empty_set_has_the_columns_of_what_it_stands_beside(value):
    assert read_rows("x", value, like=[[1.0, 2.0, 3.0]]).shape == (0, 3)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_the_first_row_that_is_not_finite_is_named(wrong):
    with pytest.raises(ValueError, match=r"`x` should be finite\. Row 1 is"):
        read_rows("x", [[0.0, 1.0], [wrong, 0.0], [wrong, wrong]])


def test_rows_without_columns_are_refused():
    with pytest.raises(ValueError, match="`x` should have at least one column"):
        read_rows("x", np.empty((3, 0)))


def test_directions_turn_every_tensor():
    first, second = inside(["min", "max"], torch.tensor([[1.0, 2.0]]), torch.tensor([3.0, 4.0]))
    assert first.tolist() == [[-1.0, 2.0]]
    assert second.tolist() == [-3.0, 4.0]
    assert inside(None, first)[0] is first
