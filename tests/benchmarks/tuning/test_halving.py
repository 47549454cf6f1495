"""The rung rule, against a literal sort: peeled fronts, volumes counted cell by cell, age."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.benchmarks.tuning.halving import Rungs, best_first, going_on

NAN = math.nan


def dominates(a, b):
    return all(x >= y for x, y in zip(a, b, strict=True)) and a != b


def volume(points, low):
    """Of the union of boxes between `low` and the points, by the cells between all coordinates."""
    axes = [sorted({low[j], *(point[j] for point in points)}) for j in range(len(low))]
    total = 0.0
    for ends in itertools.product(*(itertools.pairwise(axis) for axis in axes)):
        if any(all(point[j] >= high for j, (_, high) in enumerate(ends)) for point in points):
            total += math.prod(high - low_end for low_end, high in ends)
    return total


def literally(rows):
    """The same order by definition."""
    m = len(rows[0])
    left = [i for i, row in enumerate(rows) if not any(map(math.isnan, row))]
    fine, order = [rows[i] for i in left], []
    worst = [min(row[j] for row in fine) for j in range(m)] if fine else []
    span = [(max(row[j] for row in fine) - worst[j]) or 1.0 for j in range(m)] if fine else []
    low = [w - s / 10 for w, s in zip(worst, span, strict=True)]
    while left:
        front = [i for i in left if not any(dominates(rows[k], rows[i]) for k in left)]
        whole = volume([rows[i] for i in front], low)
        adds = {i: whole - volume([rows[k] for k in front if k != i], low) for i in front}
        adds = {i: round(added / math.prod(span), 9) for i, added in adds.items()}
        order += sorted(front, key=lambda i: (-adds[i], i))
        left = [i for i in left if i not in front]
    return order + [i for i, row in enumerate(rows) if any(map(math.isnan, row))]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3), st.integers(0, 10**6), st.integers(1, 9))
def test_the_order_is_the_literal_one(m, seed, n):
    stream = torch.Generator().manual_seed(seed)
    values = torch.randint(0, 50, (n, m), generator=stream).double()  # so many that few contributions are equal
    values[torch.rand(n, generator=stream) < 0.2] = NAN
    found, wanted = best_first(values), literally(values.tolist())
    assert sorted(found) == list(range(n))
    assert found == wanted


def test_a_rank_goes_before_the_next_whatever_it_adds():
    assert best_first(torch.tensor([[0.0, 9.0], [5.0, 5.0], [5.1, 5.1], [9.0, 0.0]])).index(1) == 3


def test_what_adds_most_goes_first_within_a_rank():
    crowded = torch.tensor([[1.0, 9.0], [5.0, 5.0], [5.05, 4.95], [9.0, 1.0]])
    assert set(best_first(crowded)[:2]) == {0, 3}


def test_units_do_not_matter():
    values = torch.rand(12, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert best_first(values * torch.tensor([1e6, 1e-3]) - 5) == best_first(values)


def test_one_objective_is_ordered_by_value_and_equal_ones_by_age():
    assert best_first(torch.tensor([[1.0], [3.0], [NAN], [3.0], [2.0]])) == [1, 3, 4, 0, 2]


def test_without_trials_or_without_one_that_succeeded_the_order_is_age():
    assert best_first(torch.empty(0, 2)) == []
    assert best_first(torch.full((3, 2), NAN)) == [0, 1, 2]


def test_the_best_that_wait_go_on_and_failed_ones_never():
    values = torch.tensor([[5.0], [4.0], [NAN], [3.0], [2.0]])
    assert going_on(values, {0}, 2) == [1, 3]
    assert going_on(values, {0, 1}, 9) == [3, 4]
    assert going_on(values, set(), 0) == []


def test_budgets_sizes_and_costs_by_hand():
    rungs = Rungs(900)
    assert (rungs.budgets, rungs.sizes) == ((100, 300, 900), (9, 3, 1))
    assert rungs.group_cost == pytest.approx(9 / 9 + 3 / 3 + 1)
    assert rungs.cost(1) == pytest.approx(1 / 3)
    odd = Rungs(1000, 2, 4)
    assert (odd.budgets, odd.sizes) == ((250, 1000), (4, 1))
    rounded = Rungs(100)
    assert rounded.budgets == (11, 33, 100)
    assert rounded.group_cost == pytest.approx((9 * 11 + 3 * 33 + 100) / 100)
    assert Rungs(60_000).budgets == (6_666, 20_000, 60_000)
    assert Rungs(60_000).group_cost <= 3  # or nine groups would cost more than 27 trials
    assert (Rungs(7, 1).budgets, Rungs(7, 1).group_cost) == ((7,), 1.0)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((8,), "`budget` should be at least 9 with 3 rungs and a reduction of 3. Found 8: take fewer rungs."),
        ((100, 0), "`rungs` should be at least 1"),
        ((100, 3, 1), "`reduction` should be at least 2"),
    ],
)
def test_rungs_that_cannot_be_are_refused(arguments, why):
    with pytest.raises(ValueError, match=why):
        Rungs(*arguments)
