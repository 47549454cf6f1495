"""Spaces on the unit cube: to and fro, levels, what a model is told, and steps from a row."""

import math

import pytest
import torch

from moo.bayes.columns import FINE, Columns
from moo.space import Space, categorical, integer, real

MIXED = Space(
    (
        real(-3, 5),
        integer(-2, 3),
        categorical("abc"),
        integer(0, 200),
        real(1e6, 1e6 + 1),
        integer(7, 7),
        categorical(["only"]),
        categorical([1, 2]),
    )
)
REAL = Space.of([(0, 2), (-1, 1)])


def uniform(n, space=MIXED, seed=0):
    return torch.rand(n, space.dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("space", [MIXED, REAL])
def test_canonical_rows_come_back(space):
    columns, rows = Columns(space), space.from_unit(uniform(500, space))
    unit = columns.unit(rows)
    assert ((unit >= 0) & (unit <= 1)).all()
    assert torch.allclose(columns.rows(unit), rows, rtol=1e-15, atol=1e-9)
    whole = [j for j, column in enumerate(space.columns) if column.kind != "real"]
    assert torch.equal(columns.rows(unit)[:, whole], rows[:, whole])


def test_the_ends_of_a_space_are_those_of_the_unit_cube():
    unit = Columns(MIXED).unit(torch.stack([MIXED.lower, MIXED.upper]))
    assert unit.tolist() == [[0.0] * 8, [1, 1, 1, 1, 1, 0, 0, 1]]
    assert Columns(MIXED).unit_span.tolist() == [8, 5, 2, 200, 1, 1, 1, 1]


def test_rows_are_within_the_bounds_and_whole_numbers_rounded():
    rows = Columns(MIXED).rows(torch.tensor([[1.5, 0.49, 0.26, 0.1234, -0.5, 0.9, 0.4, 0.6]], dtype=torch.float64))
    assert rows.tolist() == [[5, 0, 1, 25, 1e6, 7, 0, 1]]


def test_categorical_columns_and_short_integer_ones_are_searched_by_steps():
    assert Columns(MIXED).discrete == [1, 2, 5, 6, 7]
    assert Columns(MIXED).smooth == [0, 3, 4]
    assert Columns(MIXED).whole
    assert (Columns(REAL).discrete, Columns(REAL).smooth, Columns(REAL).whole) == ([], [0, 1], False)


@pytest.mark.parametrize("low", [0, -5])
def test_integer_columns_of_more_levels_are_searched_along_slopes(low):
    space = Space((integer(low, low + FINE - 1), integer(low, low + FINE), categorical(range(FINE + 9))))
    assert (Columns(space).discrete, Columns(space).smooth) == ([0, 2], [1])
    assert Columns(Space((integer(0, 99),))).whole


# --- levels -----------------------------------------------------------------------------------------------------------


def test_rows_on_their_levels_stay_and_are_canonical():
    columns, unit = Columns(MIXED), uniform(300)
    snapped = columns.snapped(unit)
    assert torch.equal(columns.snapped(snapped), snapped)
    assert torch.allclose(columns.unit(columns.rows(snapped)), snapped, atol=1e-9)
    whole = [j for j, column in enumerate(MIXED.columns) if column.kind != "real"]
    levels = snapped[:, whole] * columns.unit_span[whole]
    assert torch.allclose(levels, levels.round(), atol=1e-9)
    assert torch.equal(snapped[:, [0, 4]], unit[:, [0, 4]])
    assert not torch.equal(unit, snapped)
    assert torch.equal(unit, uniform(300))  # what was handed in is left alone


@pytest.mark.parametrize("n", range(1, FINE + 1))
def test_a_row_on_a_level_of_any_number_of_levels_stays(n):
    columns = Columns(Space((integer(0, n - 1), categorical(range(n)))))
    unit = columns.unit(torch.arange(n, dtype=torch.float64)[:, None].expand(n, 2))
    assert torch.equal(columns.snapped(unit), unit)


@pytest.mark.parametrize("column", [integer(-2, 3), categorical(range(6))])
def test_few_levels_are_equally_likely(column):
    columns = Columns(Space((column,)))
    even = torch.linspace(0, 1, 6001, dtype=torch.float64)[:-1, None] + 1e-5
    rows = columns.rows(columns.snapped(even))
    assert torch.bincount((rows[:, 0] - rows.min()).long()).tolist() == [1000] * 6


def test_many_levels_are_rounded_to_the_nearest():
    columns = Columns(Space((integer(0, 100),)))
    unit = torch.tensor([[0.0], [0.1249], [0.1251], [0.996], [1.0]], dtype=torch.float64)
    assert (columns.snapped(unit)[:, 0] * 100).round(decimals=9).tolist() == [0, 12, 13, 100, 100]


def test_both_ends_of_the_cube_are_levels():
    ends = torch.stack([torch.zeros(8), torch.ones(8)]).double()
    assert Columns(MIXED).snapped(ends).tolist() == [[0.0] * 8, [1, 1, 1, 1, 1, 0, 0, 1]]


def test_real_rows_are_left_as_they_are():
    unit = uniform(5, REAL)
    columns = Columns(REAL)
    assert torch.equal(columns.snapped(unit), unit)
    assert torch.equal(columns.features(unit), unit)
    assert torch.equal(columns.stirred(unit, torch.Generator()), unit)


# --- what a model is told ---------------------------------------------------------------------------------------------


def test_each_choice_has_a_feature_and_other_columns_are_told_as_they_are():
    columns, unit = Columns(MIXED), Columns(MIXED).snapped(uniform(50))
    features = columns.features(unit)
    assert features.shape == (50, 5 + 3 + 1 + 2)
    assert torch.equal(features[:, [0, 1, 5, 6, 7]], unit[:, [0, 1, 3, 4, 5]])
    rows = columns.rows(unit)
    for place, column, n in ((2, 2, 3), (8, 6, 1), (9, 7, 2)):
        expected = torch.nn.functional.one_hot(rows[:, column].long(), n).double() * math.sqrt(0.5)
        assert torch.allclose(features[:, place : place + n], expected, rtol=1e-15)


@pytest.mark.parametrize("n", [2, 3, 7, 40])
def test_two_choices_are_one_unit_apart(n):
    columns = Columns(Space((categorical(range(n)),)))
    features = columns.features(columns.unit(torch.arange(n, dtype=torch.float64)[:, None]))
    assert torch.allclose(torch.pdist(features), torch.ones(n * (n - 1) // 2, dtype=torch.float64))


def test_features_of_many_rows_are_those_of_each():
    columns, unit = Columns(MIXED), Columns(MIXED).snapped(uniform(12))
    assert torch.equal(columns.features(unit.reshape(3, 4, 8)), columns.features(unit).reshape(3, 4, 11))


def test_features_pass_slopes_of_columns_that_are_not_categorical():
    unit = Columns(MIXED).snapped(uniform(4)).requires_grad_(True)
    weights = torch.arange(1.0, 12, dtype=torch.float64)
    (slopes,) = torch.autograd.grad((Columns(MIXED).features(unit) * weights).sum(), unit)
    assert slopes.tolist() == [[1, 2, 0, 6, 7, 8, 0, 0]] * 4


# --- steps from a row -------------------------------------------------------------------------------------------------


def test_neighbours_are_other_choices_and_steps_up_and_down():
    columns = Columns(MIXED)
    row = torch.tensor([0.5, -1, 1, 77, 1e6 + 0.25, 7, 0, 1], dtype=torch.float64)
    near = columns.rows(columns.neighbours(columns.unit(row[None])[0]))
    changed = [[(j, new) for j, (old, new) in enumerate(zip(row, other, strict=True)) if old != new] for other in near]
    assert changed == [[(1, -2)], [(1, 0)], [(2, 0)], [(2, 2)], [(7, 0)]]


@pytest.mark.parametrize(
    ("n", "level", "expected"),
    [
        (2, 0, {1}),
        (5, 0, {1}),
        (5, 4, {3}),
        (FINE, 0, {1, 2}),
        (FINE, 1, {0, 2, 3}),
        (FINE, 8, {6, 7, 9, 10}),
        (FINE, FINE - 1, {FINE - 2, FINE - 3}),
    ],
)
def test_integers_of_many_levels_leap_too(n, level, expected):
    columns = Columns(Space((integer(10, 9 + n),)))
    near = columns.neighbours(torch.tensor([level / (n - 1)], dtype=torch.float64))
    assert {round(float(row)) for row in columns.rows(near) - 10} == expected
    assert len(near) == len(expected)


def test_no_row_is_its_own_neighbour():
    """Whatever the rounding of a level that is divided and multiplied again."""
    columns = Columns(Space((categorical(range(50)),)))
    for level in range(50):
        near = columns.rows(columns.neighbours(torch.tensor([level / 49], dtype=torch.float64)))
        assert near[:, 0].tolist() == [other for other in range(50) if other != level]


@pytest.mark.parametrize("space", [REAL, Space((integer(0, FINE),)), Space((integer(4, 4), categorical("a")))])
def test_without_another_level_there_are_no_neighbours(space):
    assert Columns(space).neighbours(torch.zeros(space.dim, dtype=torch.float64)).shape == (0, space.dim)


def test_stirring_changes_about_one_discrete_column_of_a_row():
    columns, unit = Columns(MIXED), uniform(4000)
    stirred = columns.stirred(unit, torch.Generator().manual_seed(0))
    changed = stirred != unit
    assert not changed[:, columns.smooth].any()
    assert torch.allclose(changed[:, columns.discrete].double().mean(dim=0), torch.full((5,), 0.2).double(), atol=0.03)
    assert torch.equal(unit, uniform(4000))
    drawn = stirred[changed]
    assert ((drawn >= 0) & (drawn < 1)).all()
    assert torch.histc(drawn, 10, 0, 1).min() > 0.08 * len(drawn)
    assert torch.equal(stirred, columns.stirred(unit, torch.Generator().manual_seed(0)))
    assert not torch.equal(stirred, columns.stirred(unit, torch.Generator().manual_seed(1)))


def test_a_single_discrete_column_is_always_drawn_anew():
    columns = Columns(Space((real(0, 1), categorical("abc"))))
    unit = uniform(50, columns.space)
    stirred = columns.stirred(unit, torch.Generator().manual_seed(5))
    assert torch.equal(stirred[:, 0], unit[:, 0])
    assert (stirred[:, 1] != unit[:, 1]).all()
