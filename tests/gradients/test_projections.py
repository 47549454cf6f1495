"""PAMA's weights against a quadratic program, loops, and closed forms."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from moo.gradients import min_norm, pama, pama_gram, projections

COUNTS = [2, 3, 5, 8, 16]


@pytest.fixture(params=["compiled", "torch"])
def way(request, monkeypatch):
    """Both ways of computing what is the same."""
    if request.param == "compiled":
        pytest.importorskip("numba", reason="numba is not installed (extra `fast`)")
    else:
        monkeypatch.setattr(projections, "_has_numba", lambda: False)


def random_rows(k, n, seed=0, shift=0.0):
    return torch.randn(k, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def projection(row):
    """Of 0 onto the range of a row."""
    return min(max(0.0, min(row)), max(row))


def squared_by_program(row):
    """min (c . a)^2 over the simplex, by scipy."""
    a = np.asarray(row)
    found = minimize(
        lambda c: (c @ a) ** 2,
        np.full(len(a), 1 / len(a)),
        jac=lambda c: 2 * (c @ a) * a,
        bounds=[(0, 1)] * len(a),
        constraints={"type": "eq", "fun": lambda c: c.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-18, "maxiter": 300},
    )
    return found.fun


# ------------------------------------------------------------------------------------------------------------- PAMA
@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("shift", [0.0, 3.0, -3.0])
def test_the_weighted_sum_is_the_projection_of_zero(way, n, shift):
    rows = random_rows(500, n, shift=shift)
    weights = pama(rows)
    assert (weights >= 0).all()
    assert (weights.sum(dim=-1) - 1).abs().max() <= 1e-12
    expected = torch.tensor([projection(row) for row in rows.tolist()], dtype=torch.float64)
    assert ((weights * rows).sum(dim=-1) - expected).abs().max() <= 1e-12


@pytest.mark.parametrize("n", COUNTS)
def test_no_combination_is_closer_to_zero(n):
    for row in torch.cat([random_rows(4, n, 1), random_rows(4, n, 2, 2.5), random_rows(4, n, 3, -2.5)]):
        squared = float((pama(row) @ row) ** 2)
        assert squared == pytest.approx(squared_by_program(row), abs=1e-12)


def test_of_positive_advantages_it_is_the_least():
    rows = random_rows(200, 4).clamp(min=0)  # the paper's: no negative ones
    torch.testing.assert_close((pama(rows) * rows).sum(dim=-1), rows.amin(dim=-1), rtol=0, atol=1e-15)


def test_by_hand(way):
    rows = torch.tensor([[3.0, 1.0, 2.0], [-3.0, -1.0, -2.0], [-1.0, 3.0, 0.0], [0.0, 5.0, 7.0]], dtype=torch.float64)
    assert pama(rows).tolist() == [[0, 1, 0], [0, 1, 0], [0.75, 0.25, 0], [1, 0, 0]]


def test_ties_share(way):
    rows = torch.tensor([[2.0, 1.0, 1.0], [-1.0, -1.0, -2.0], [-1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [4.0, 4.0, 4.0]])
    third = 1 / 3
    expected = torch.tensor([[0, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0.25, 0.25], [third] * 3, [third] * 3])
    torch.testing.assert_close(pama(rows), expected)


@pytest.mark.parametrize("n", COUNTS)
def test_the_order_of_objectives_does_not_matter(way, n):
    rows = random_rows(100, n).round(decimals=0)  # with many ties
    order = torch.randperm(n, generator=torch.Generator().manual_seed(n))
    assert torch.equal(pama(rows[:, order]), pama(rows)[:, order])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_both_ways_agree_bit_for_bit(monkeypatch, dtype):
    pytest.importorskip("numba", reason="numba is not installed (extra `fast`)")
    rows = torch.cat([random_rows(300, 6), random_rows(300, 6).round(decimals=0), random_rows(300, 6, shift=2)]).to(
        dtype
    )
    compiled = pama(rows)
    monkeypatch.setattr(projections, "_has_numba", lambda: False)
    assert torch.equal(compiled, pama(rows))


def test_a_batch_of_tokens_is_a_loop(way):
    rows = random_rows(60, 4).reshape(3, 20, 4)
    weights = pama(rows)
    for i, j in itertools.product(range(3), range(20)):
        assert torch.equal(weights[i, j], pama(rows[i, j]))
    assert torch.equal(pama(rows.mT.contiguous().mT), weights)  # whatever the layout in memory
    assert pama(torch.empty(0, 3)).shape == (0, 3)
    assert pama(torch.tensor([-2.0])).tolist() == [1.0]


def test_half_precision_stays_half():
    rows = torch.tensor([[1.0, 2.0], [-1.0, 1.0]], dtype=torch.bfloat16)
    assert pama(rows).dtype == torch.bfloat16
    assert pama(rows).tolist() == [[1, 0], [0.5, 0.5]]


def test_advantages_that_are_not_finite_are_refused(way):
    for wrong in (float("nan"), float("inf"), float("-inf")):
        for place in range(3):
            rows = torch.zeros(4, 3)
            rows[2, place] = wrong
            with pytest.raises(ValueError, match="`advantages` should be finite"):
                pama(rows)
            with pytest.raises(ValueError, match="`advantages` should be finite"):
                pama(rows, torch.ones(3))


# ------------------------------------------------------------------------------------------------------- preferences
def test_equal_preferences_change_nothing():
    rows = random_rows(100, 3)
    torch.testing.assert_close(pama(rows, torch.full((3,), 1 / 3).double()), pama(rows), rtol=1e-12, atol=1e-15)


def test_what_is_gained_is_divided_by_the_preferences():
    rows = torch.tensor([[3.0, 2.0], [2.0, 3.0]])
    assert pama(rows, torch.tensor([0.8, 0.2])).tolist() == [[1, 0], [1, 0]]  # 3.75 < 10, 2.5 < 15
    assert pama(rows, torch.tensor([0.2, 0.8])).tolist() == [[0, 1], [0, 1]]
    weights = pama(torch.tensor([1.0, -1.0]), torch.tensor([0.75, 0.25]))
    torch.testing.assert_close(weights, torch.tensor([0.5, 0.5]))  # opposed: they cancel, whatever the preferences


def test_an_objective_of_preference_zero_has_no_say():
    rows = random_rows(50, 4)
    preferences = torch.tensor([0.3, 0.0, 0.5, 0.2]).double()
    heard = [0, 2, 3]
    for shortfalls in (None, random_rows(50, 4, 9).abs()):
        weights = pama(rows, preferences, shortfalls)
        assert (weights[:, 1] == 0).all()
        rest = pama(rows[:, heard], preferences[heard], None if shortfalls is None else shortfalls[:, heard])
        torch.testing.assert_close(weights[:, heard], rest)


def plane_points(row, preferences, shortfalls):
    scaled = row / preferences
    levels = preferences * shortfalls
    return torch.stack([scaled, scaled.abs().max() * (1 - levels / levels.max()).clamp(min=0).sqrt()], dim=1)


@pytest.mark.parametrize("n", [2, 3, 6])
def test_levels_make_it_the_nearest_point_of_a_plane(n):
    rows, preferences, shortfalls = random_rows(60, n), random_rows(60, n, 1).abs(), random_rows(60, n, 2).abs()
    weights = pama(rows, preferences, shortfalls)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(60).double())
    for i in range(60):
        points = plane_points(rows[i], preferences[i], shortfalls[i])
        shares = weights[i] * preferences[i]
        shares = shares / shares.sum()
        best = min_norm(points @ points.T)
        assert (shares @ points).norm() == pytest.approx(float((best @ points).norm()), rel=1e-9, abs=1e-12)


def test_the_worst_level_is_helped_and_equal_levels_are_left_to_the_advantages():
    advantages, preferences = torch.tensor([1.0, -1.0]), torch.tensor([0.5, 0.5])
    behind = pama(advantages, preferences, torch.tensor([0.9, 0.1]))  # the first is behind: this sample helps it
    assert behind @ advantages > 0
    assert pama(advantages, preferences, torch.tensor([0.1, 0.9])) @ advantages < 0
    assert pama(advantages, preferences, torch.tensor([0.4, 0.4])).tolist() == [0.5, 0.5]
    assert pama(advantages, preferences, torch.tensor([0.0, 0.0])).tolist() == [0.5, 0.5]  # nothing falls short
    towards_second = pama(advantages, torch.tensor([0.2, 0.8]), torch.tensor([0.4, 0.4]))
    assert towards_second @ advantages < 0  # at equal shortfalls the preferred one is behind


def test_levels_in_another_unit_are_the_same():
    rows, shortfalls = random_rows(30, 3), random_rows(30, 3, 1).abs()
    torch.testing.assert_close(pama(100 * rows, None, 7 * shortfalls), pama(rows, None, shortfalls))


def test_shortfalls_below_zero_are_refused():
    for call in (pama, lambda row, *rest: pama_gram(row[:, None] * row, *rest)):
        with pytest.raises(ValueError, match=r"`shortfalls` should be at least 0: ideal minus value\. Found -1"):
            call(torch.ones(2), None, torch.tensor([1.0, -1.0]))
        with pytest.raises(ValueError, match="`shortfalls` should be finite"):
            call(torch.ones(2), None, torch.tensor([1.0, torch.nan]))
        with pytest.raises(ValueError, match=r"`preferences` should have shape \[..., 2\]"):
            call(torch.ones(2), torch.ones(3))
        for wrong in ([1.0, -1.0], [1.0, float("nan")], [0.0, 0.0], [1.0, float("inf")]):
            with pytest.raises(
                ValueError, match="Each row of `preferences` should be finite, at least 0 and not all 0"
            ):
                call(torch.ones(2), torch.tensor(wrong))


# -------------------------------------------------------------------------------------------------------- Gram form
def test_the_gram_form_is_the_shortest_combination_of_the_rows():
    advantages = random_rows(5, 300)
    assert torch.equal(pama_gram(advantages @ advantages.T), min_norm(advantages @ advantages.T))


@pytest.mark.parametrize("n", [2, 4])
def test_of_one_token_the_gram_form_is_as_short_as_pama(n):
    for row in torch.cat([random_rows(10, n), random_rows(10, n, shift=2.0)]):
        assert abs(pama_gram(row[:, None] * row) @ row) == pytest.approx(float(abs(pama(row) @ row)), abs=1e-7)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_preferences_divide_the_rows_of_the_gram_form(n):
    rows, preferences = random_rows(n, 40, 1), random_rows(1, n, 2)[0].abs()
    shares = min_norm((rows / preferences[:, None]) @ (rows / preferences[:, None]).T) / preferences
    torch.testing.assert_close(pama_gram(rows @ rows.T, preferences), shares / shares.sum(), rtol=1e-8, atol=1e-10)
    combined = pama_gram(rows @ rows.T, preferences) @ rows
    gains = (rows @ combined) / preferences  # a step gains in proportion to the preferences, or more
    assert gains.min() >= 0 or float(combined.norm()) < 1e-8
    assert gains.max() >= gains.min()


def test_levels_are_one_more_coordinate_of_the_gram_form():
    rows, preferences, shortfalls = (
        random_rows(3, 10, 1),
        torch.tensor([0.2, 0.3, 0.5]).double(),
        torch.rand(3).double(),
    )
    scaled = rows / preferences[:, None]
    levels = preferences * shortfalls
    more = (1 - levels / levels.max()).sqrt() * scaled.norm(dim=1).max()
    extended = torch.cat([scaled, more[:, None]], dim=1)
    shares = min_norm(extended @ extended.T) / preferences
    found = pama_gram(rows @ rows.T, preferences, shortfalls)
    torch.testing.assert_close(found, shares / shares.sum(), rtol=1e-8, atol=1e-10)


def test_the_gram_form_leaves_out_who_has_no_preference():
    rows = random_rows(4, 10)
    preferences = torch.tensor([[0.3, 0.0, 0.5, 0.2], [0.1, 0.2, 0.3, 0.4]]).double()
    for shortfalls in (None, random_rows(2, 4, 5).abs()):
        grams = (rows @ rows.T).expand(2, 4, 4)
        found = pama_gram(grams, preferences, shortfalls)
        heard = [0, 2, 3]
        own = None if shortfalls is None else shortfalls[0, heard]
        assert found[0, 1] == 0
        torch.testing.assert_close(found[0, heard], pama_gram(grams[0][heard][:, heard], preferences[0, heard], own))
        torch.testing.assert_close(
            found[1], pama_gram(grams[1], preferences[1], None if shortfalls is None else shortfalls[1])
        )
