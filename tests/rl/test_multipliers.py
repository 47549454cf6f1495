"""Multipliers against literal loops and a two-armed closed form; the simplex search against scipy's."""

import math

import numpy as np
import pytest
import scipy.optimize
import torch

from moo.rl.multipliers import Multipliers, NelderMead, read_thresholds


def rows(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("form", ["projected", "sigmoid", "tanh"])
def test_multipliers_and_weights_are_those_of_a_literal_loop(form):
    held = Multipliers(1, 2, form, rate=0.3, momentum=0.5, proportional=2.0, most=1.0)
    raw, speed = [0.0, 0.0], [0.0, 0.0]
    stream = np.random.default_rng(0)
    for _ in range(30):
        values, asked = stream.normal(size=2), stream.normal(size=2)
        held.move(rows(values.tolist()), rows(asked.tolist()))
        for i in range(2):
            speed[i] = 0.5 * speed[i] + asked[i] - values[i]
            raw[i] = min(max(raw[i] + 0.3 * speed[i], 0.0 if form == "projected" else -1.0), 1.0)
        assert held.raw.flatten().tolist() == pytest.approx(raw, abs=1e-12)
        lacking = [0.2, -0.4]
        counted = [one + 2.0 * lack for one, lack in zip(raw, lacking, strict=True)]
        if form == "projected":
            prices = [max(one, 0.0) for one in counted]
            expected = [1 / (1 + sum(prices)), *(one / (1 + sum(prices)) for one in prices)]
        else:
            squash = math.tanh if form == "tanh" else lambda x: 1 / (1 + math.exp(-x))
            prices = [squash(one) for one in counted]
            expected = [2 - sum(prices), *prices]
        assert held.weights(rows(lacking)).flatten().tolist() == pytest.approx(expected, abs=1e-12)


def test_projected_multipliers_are_never_negative_and_come_back_at_once():
    held = Multipliers(1, 1, rate=0.5)
    for _ in range(50):
        held.move(rows([2.0]), rows([1.0]))
        assert float(held.raw) == 0.0
    assert held.weights(rows([-9.0])).tolist() == [[1.0, 0.0]]
    held.move(rows([0.0]), rows([1.0]))
    assert float(held.raw) == 0.5


def test_where_nothing_is_known_nothing_moves():
    held = Multipliers(2, 1, rate=0.5, momentum=0.9)
    held.move(rows([0.0], [0.0]), rows([1.0], [1.0]))
    held.move(rows([float("nan")], [0.0]), rows([1.0], [1.0]))
    assert held.raw.flatten().tolist() == pytest.approx([0.5, 0.5 + 0.5 * 1.9])
    assert torch.isfinite(held.weights(rows([float("nan")], [1.0]))).all()


def test_multipliers_find_the_price_of_two_arms():
    # arms (1, 0) and (0, 1), the second objective at least .3: reward 1 - x, price 1 + entropy's slope at x = .3
    entropy, x = 0.2, 0.9
    held = Multipliers(1, 1, rate=0.2)
    for _ in range(4000):
        held.move(rows([x]), rows([0.3]))
        price = float(held.raw)
        slope = -1 + price + entropy * math.log((1 - x) / x)
        x += 0.05 * x * (1 - x) * slope
    assert x == pytest.approx(0.3, abs=1e-6)
    assert float(held.raw) == pytest.approx(1 - entropy * math.log(0.7 / 0.3), abs=1e-5)
    assert float(held.weights(rows([0.0]))[0, 1]) == pytest.approx(price / (1 + price), abs=1e-6)


def test_of_two_published_multipliers_one_alone_never_costs_more_than_the_reward_and_a_projected_one_does():
    published, ours = (Multipliers(1, 2, form, rate=1.0) for form in ("sigmoid", "projected"))
    for _ in range(60):
        for held in (published, ours):
            held.move(rows([0.0, 1.0]), rows([1.0, 0.0]))  # the first is missed, the second kept
    prices = [
        float(held.weights(rows([0.0, 0.0]))[0, 1] / held.weights(rows([0.0, 0.0]))[0, 0]) for held in (published, ours)
    ]
    assert prices == pytest.approx([1.0, 60.0])


def test_squashed_multipliers_push_back_by_no_more_than_the_reward_grows():
    # so a reward that is one with the constrained objective is never outweighed
    held = Multipliers(1, 1, "tanh", rate=1.0)
    for _ in range(99):
        held.move(rows([1.0]), rows([0.0]))
    assert held.weights(rows([0.0])).flatten().tolist() == pytest.approx([2.0, -1.0])


def test_a_state_goes_on_exactly():
    first, other = (Multipliers(1, 1, "sigmoid", rate=0.1, momentum=0.9) for _ in range(2))
    first.move(rows([0.0]), rows([1.0]))
    other.load_state_dict(first.state_dict())
    for held in (first, other):
        held.move(rows([0.3]), rows([1.0]))
    assert torch.equal(first.raw, other.raw)


# --------------------------------------------------------------------------------------------------- thresholds
def test_thresholds_are_turned_and_may_be_missing():
    assert read_thresholds([0.5, None, -2], ("max", "max", "min")).nan_to_num(9.0).tolist() == [0.5, 9.0, 2.0]
    assert read_thresholds(None, ("max", "min")).isnan().all()


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        (0.5, TypeError, r"`thresholds` should be 2 numbers, one for each objective, none where .* Found 0.5"),
        ("none", TypeError, r"`thresholds` should be 2 numbers"),
        ([0.5], ValueError, r"`thresholds` should have shape \[1, 2\]. Found \[1, 1\]"),
        ([0.5, "x"], TypeError, r"`thresholds` should be an array of numbers"),
        ([0.5, math.inf], ValueError, r"`thresholds` should be finite"),
    ],
)
def test_other_thresholds_are_refused(said, error, message):
    with pytest.raises(error, match=message):
        read_thresholds(said, ("max", "max"))


# --------------------------------------------------------------------------------------------------- the search
def rosenbrock(x):
    return float((1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2)


def cliff(x):  # shrinks the simplex
    return float(np.sin(7 * x[0]) + np.cos(9 * x[1]) + abs(x[0] * x[1]))


@pytest.mark.parametrize("function", [rosenbrock, cliff])
@pytest.mark.parametrize("start", [[-1.2, 1.0], [0.3, 0.4]])
def test_the_search_asks_for_the_points_that_scipys_does(function, start):
    step, asked = 0.2, []
    simplex = [start, [start[0] + step, start[1]], [start[0], start[1] + step]]
    scipy.optimize.minimize(
        lambda x: asked.append(x.copy()) or function(x),
        start,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "maxfev": 120, "xatol": 0, "fatol": 0},
    )
    search = NelderMead(torch.tensor(start, dtype=torch.float64), torch.full((2,), step, dtype=torch.float64))
    values = []
    for number, point in enumerate(asked):
        assert search.point.tolist() == pytest.approx(point.tolist(), abs=1e-9), number
        values.append(function(search.point.numpy()))
        search.tell(values[-1])
        if number == 60:
            other = NelderMead(torch.zeros(1), torch.ones(1))
            other.load_state_dict(search.state_dict())
            search = other
    assert function(search.best.numpy()) == min(values)


def test_a_point_inside_that_is_worse_than_the_worst_corner_shrinks_the_simplex():
    search = NelderMead(rows(0.0), rows(1.0))
    told = [(0.0, 0.0), (1.0, 1.0), (-1.0, 5.0), (0.5, 2.0)]  # two corners, the reflection, the point inside
    for point, value in told:
        assert search.point.tolist() == [point]
        search.tell(value)
    assert search.point.tolist() == [0.5]  # halfway from the worst corner to the best; not reflected


def test_before_anything_is_told_the_best_is_the_start():
    search = NelderMead(rows(3.0), rows(1.0))
    assert search.best.tolist() == search.point.tolist() == [3.0]
