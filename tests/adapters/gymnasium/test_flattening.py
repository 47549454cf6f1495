"""Spaces of Gymnasium as rows of numbers."""

import itertools

import numpy as np
import pytest

spaces = pytest.importorskip("gymnasium", reason="pip install 'moo-suite[control]'").spaces

from moo.adapters.gymnasium.flattening import UNBOUNDED, Acts, flat, observed_columns  # noqa: E402

NUMBERS = spaces.Dict({"b": spaces.Box(-1, 2, (2, 3)), "a": spaces.Tuple((spaces.Box(0, np.inf, (2,)),))})


def test_boxes_within_anything_are_flattened_as_gymnasium_does():
    NUMBERS.seed(0)
    for _ in range(5):
        value = NUMBERS.sample()
        np.testing.assert_array_equal(flat(NUMBERS, value), spaces.flatten(NUMBERS, value).astype(np.float64))
    bounds = spaces.flatten_space(NUMBERS)
    assert [part.low for part in observed_columns(NUMBERS)] == bounds.low.tolist()
    assert [part.high for part in observed_columns(NUMBERS)] == np.minimum(bounds.high, UNBOUNDED).tolist()
    assert {part.kind for part in observed_columns(NUMBERS)} == {"real"}


@pytest.mark.parametrize(
    ("space", "value", "columns", "row"),
    [
        (spaces.Discrete(4, start=2), 3, [("categorical", 0, 3)], [1]),
        (
            spaces.MultiDiscrete([2, 3], start=[1, 5]),
            np.array([2, 5]),
            [("categorical", 0, 1), ("categorical", 0, 2)],
            [1, 0],
        ),
        (spaces.MultiBinary(2), np.array([1, 0], np.int8), [("integer", 0, 1)] * 2, [1, 0]),
        (spaces.Box(0, 10, (1,), np.int32), np.array([7], np.int32), [("integer", 0, 10)], [7]),
        (spaces.Box(3, 3, (1,)), np.array([3.0]), [("real", 3, 4)], [3]),
        (spaces.Box(-np.inf, np.inf, (1,)), np.array([-np.inf]), [("real", -UNBOUNDED, UNBOUNDED)], [-UNBOUNDED]),
    ],
)
def test_other_observations_are_columns_of_their_kind(space, value, columns, row):
    assert [tuple(part) for part in observed_columns(space)] == columns
    assert flat(space, value).tolist() == row


def test_observations_that_are_no_rows_of_numbers_are_refused():
    with pytest.raises(ValueError, match="Found Text: wrap the environment"):
        observed_columns(spaces.Dict({"a": spaces.Text(5)}))
    with pytest.raises(ValueError, match=r"1 to 10000 numbers, not images\..*has 30000"):
        observed_columns(spaces.Box(0, 255, (100, 100, 3), np.uint8))
    with pytest.raises(ValueError, match="no NaN"):
        flat(spaces.Box(0, 1, (1,)), np.array([np.nan]))


@pytest.mark.parametrize(
    ("space", "combinations"),
    [
        (spaces.Discrete(3, start=-1), [-1, 0, 1]),
        (spaces.MultiDiscrete([2, 3], start=[0, 4]), list(itertools.product([0, 1], [4, 5, 6]))),
        (spaces.MultiBinary(2), list(itertools.product([0, 1], [0, 1]))),
    ],
)
def test_every_combination_of_discrete_actions_has_a_number(space, combinations):
    acts = Acts(space)
    assert (acts.choices, acts.width) == (len(combinations), 1)
    for number, expected in enumerate(combinations):
        action = acts.of(np.array([number], np.float64))
        assert space.contains(action)
        assert np.array_equal(action, expected)


def test_continuous_actions_are_put_inside_their_bounds_and_shape():
    acts = Acts(spaces.Box(np.array([[-1, 0]], np.float32), np.array([[1, 5]], np.float32)))
    assert (acts.choices, acts.width) == (0, 2)
    action = acts.of(np.array([-3.0, 2.5]))
    assert action.dtype == np.float32
    assert action.tolist() == [[-1.0, 2.5]]


def test_actions_that_no_method_takes_are_refused():
    with pytest.raises(ValueError, match="Found Dict"):
        Acts(spaces.Dict({"a": spaces.Discrete(2)}))
    with pytest.raises(ValueError, match="Box of real numbers"):
        Acts(spaces.Box(0, 5, (2,), np.int32))
    with pytest.raises(ValueError, match="at most 4096 combinations"):
        Acts(spaces.MultiDiscrete([100, 100]))
    with pytest.raises(ValueError, match="finite bounds"):
        Acts(spaces.Box(-np.inf, 1, (1,)))
