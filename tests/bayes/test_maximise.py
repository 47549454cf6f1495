"""Where the search for the best point begins, and what it finds."""

import itertools
import math

import pytest
import torch

from moo.bayes.columns import Columns
from moo.bayes.limits import Limits
from moo.bayes.maximise import NEAR, SCREENING, best_rows, choose_starts, maximise, raw_points
from moo.space import Space, categorical, integer, real


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


GOOD = torch.tensor([[0.02, 0.5, 0.98], [0.4, 0.4, 0.4]], dtype=torch.float64)


def test_raw_points_are_in_the_cube_and_a_quarter_more_lie_near_good_ones():
    raw = raw_points(GOOD, 3, 400, stream())
    assert raw.shape == (500, 3)
    assert raw.dtype == torch.float64
    assert ((raw >= 0) & (raw <= 1)).all()
    nearest, which = torch.cdist(raw[400:], GOOD, p=float("inf")).min(dim=1)
    assert (nearest < 5 * NEAR).all()
    assert 0.5 * NEAR < nearest.median() < 2 * NEAR
    assert set(which.tolist()) == {0, 1}
    assert len(torch.unique(raw, dim=0)) == 500


def test_raw_points_are_spread_evenly():
    raw = raw_points(GOOD[:0], 2, 256, stream())
    counts = torch.histogramdd(raw, bins=[16, 16], range=[0.0, 1.0, 0.0, 1.0]).hist
    assert (counts == 1).all()  # one in each cell: a net, where independent points leave a third of the cells empty


def test_without_good_points_all_are_spread():
    assert torch.equal(raw_points(GOOD[:0], 3, 64, stream()), raw_points(GOOD, 3, 64, stream())[:64])


def test_raw_points_follow_from_the_stream():
    first, again, other = (raw_points(GOOD, 3, 64, stream(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not (first == other).any()


def test_global_random_streams_are_left_alone():
    before = torch.get_rng_state()
    raw_points(GOOD, 3, 64, stream())
    choose_starts(torch.arange(9.0), 4, stream())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "values",
    [
        torch.arange(30.0).roll(11),
        -torch.arange(30.0).exp(),
        torch.full((30,), 3.5),
        torch.where(torch.arange(30) % 3 == 1, torch.arange(30.0), -torch.inf),
        torch.where(torch.arange(30) == 7, 2.0, -torch.inf),
        1e-300 * torch.arange(30.0),
    ],
    ids=["steps", "steep", "equal", "some minus infinity", "all but one minus infinity", "tiny"],
)
def test_the_best_is_the_first_start_and_none_is_chosen_twice(values):
    for seed in range(20):
        chosen = choose_starts(values.double(), 5, stream(seed)).tolist()
        assert values[chosen[0]] == values.max()
        assert len(set(chosen)) == len(chosen) == 5


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (3, 3), (8, 4)])
def test_there_are_as_many_starts_as_wanted_or_as_there_are_values(count, expected):
    chosen = choose_starts(torch.tensor([1.0, 4.0, 2.0, 3.0]), count, stream())
    assert chosen[0] == 1
    assert sorted(chosen.tolist()) == sorted(set(chosen.tolist()))
    assert len(chosen) == expected


def test_other_starts_are_drawn_by_the_exponential_of_standardised_values():
    values = torch.tensor([5.0, 0.0, 1.0, 2.0, 3.0], dtype=torch.float64)
    drawn = torch.tensor([choose_starts(100 * values - 7, 2, stream(seed))[1] for seed in range(3000)])
    weights = torch.exp(2 * values[1:] / values.std())
    shares = torch.bincount(drawn, minlength=5)[1:] / 3000
    assert torch.allclose(shares.double(), weights / weights.sum(), atol=0.03)


def bump(rows):
    """Two hills; the higher one, of height 1, around (0.7, 0.3)."""
    peaks = torch.tensor([[0.7, 0.3], [0.2, 0.8]], dtype=rows.dtype)
    return (torch.tensor([1.0, 0.6]) * torch.exp(-30 * torch.cdist(rows, peaks).square())).sum(dim=1)


def test_hills_are_climbed_and_the_highest_stands_first():
    starts = torch.tensor([[0.1, 0.9], [0.9, 0.1], [0.25, 0.7], [0.6, 0.5]], dtype=torch.float64)
    found, values = maximise(bump, starts, [0, 1], iterations=100)
    assert torch.allclose(found[0], torch.tensor([0.7, 0.3]).double(), atol=2e-3)
    assert torch.equal(values, values.sort(descending=True).values)
    assert torch.allclose(values, bump(found), atol=1e-12)
    assert ((values > 0.99).sum(), (values < 0.7).sum()) == (2, 2)  # each start climbs its own hill


def test_the_maximum_of_a_steep_valley_is_found_exactly():
    def valley(rows):
        return -100 * (rows[:, 1] - rows[:, 0] ** 2) ** 2 - (0.8 - rows[:, 0]) ** 2

    found, _ = maximise(valley, torch.rand(5, 2, generator=stream(), dtype=torch.float64), [0, 1], iterations=200)
    assert torch.allclose(found[0], torch.tensor([0.8, 0.64], dtype=torch.float64), atol=1e-4)


def test_it_stays_in_the_cube():
    start = torch.full((1, 2), 0.5, dtype=torch.float64)
    found, values = maximise(lambda rows: 2 * rows[:, 0] - rows[:, 1], start, [0, 1], iterations=50)
    assert found.tolist() == [[1.0, 0.0]]
    assert values.item() == 2


def test_points_without_a_value_are_avoided():
    """A climb that steps to where there is none takes the step back."""

    def cut(rows):
        return torch.where(rows[:, 0] < 0.6, -((rows[:, 0] - 0.5) ** 2), math.nan)

    found, values = maximise(cut, torch.tensor([[0.05], [0.2]], dtype=torch.float64), [0], iterations=100)
    assert torch.isfinite(values).all()
    assert torch.allclose(found, torch.full((2, 1), 0.5).double(), atol=1e-3)


def test_more_iterations_end_no_lower():
    start = torch.tensor([[0.9, 0.1]], dtype=torch.float64)
    heights = [maximise(bump, start, [0, 1], iterations=count)[1].item() for count in (1, 4, 100)]
    assert heights[0] < heights[2]
    assert heights == sorted(heights)


def test_columns_that_are_not_free_stay():
    starts = torch.tensor([[0.9, 0.4], [0.5, 0.2]], dtype=torch.float64)
    found, values = maximise(bump, starts, [0], iterations=100)
    assert set(found[:, 1].tolist()) == {0.4, 0.2}
    assert torch.allclose(found[:, 0], torch.full((2,), 0.7, dtype=torch.float64), atol=1e-3)
    assert torch.allclose(values, bump(found), atol=1e-12)


# --- rows of any space ------------------------------------------------------------------------------------------------

MIXED = Space((real(-1, 1), integer(0, 15), categorical("abcdef"), integer(-2, 2), categorical("uvwxyz")))
LEVELS = list(itertools.product(*(range(n) for n in (16, 6, 5, 6))))


def places(levels):
    """Where the real column is best, given the levels `[n, 4]` of the others."""
    return 0.1 + 0.05 * levels[:, 1] + 0.02 * levels[:, 0] + 0.03 * levels[:, 2]


def heights(levels):
    """What levels `[n, 4]` are worth: one hill of integers, and choices in no order."""
    steps, letters, short, others = levels.T
    letter = torch.tensor([0.1, 0.5, 0.3, 1.0, 0.2, 0.6], dtype=torch.float64)[letters.long()]
    other = torch.tensor([0.4, 0.1, 0.2, 0.3, 0.0, 0.9], dtype=torch.float64)[others.long()]
    return letter + other - ((steps - 11) / 5) ** 2 - ((short - 1) / 2) ** 2


def levels_of(unit):
    return (unit[:, 1:] * torch.tensor([15, 5, 4, 5])).round()


def mixed(unit, versions=None):
    levels = levels_of(unit)
    return heights(levels) - 3 * (unit[:, 0] - places(levels)) ** 2


def found_by(worth, columns, seed=0, good=None, **arguments):
    arguments = {"raw": 64, "restarts": 2, "iterations": 50, **arguments}
    good = torch.zeros(0, columns.space.dim, dtype=torch.float64) if good is None else good
    return best_rows(worth, columns, good, stream(seed), **arguments)


@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_thousands_of_mixed_rows_is_found(seed):
    columns = Columns(MIXED)
    levels = torch.tensor(LEVELS, dtype=torch.float64)
    best = levels[heights(levels).argmax()]
    found = found_by(mixed, columns, seed)
    assert levels_of(found[:1])[0].tolist() == best.tolist() == [11, 3, 1, 5]
    assert found[0, 0].item() == pytest.approx(places(best[None]).item(), abs=1e-4)
    assert mixed(found[:1]).item() == pytest.approx(heights(levels).max().item(), abs=1e-6)


@pytest.mark.parametrize("limited", [False, True])
def test_rows_are_different_ones_on_their_levels_of_the_cube(limited):
    columns = Columns(MIXED)
    limits = Limits(columns, [[0, 1, 0, 0, 0, 12]]) if limited else None
    found = found_by(mixed, columns, limits=limits)
    assert torch.equal(columns.snapped(found), found)
    assert ((found >= 0) & (found <= 1)).all()
    assert len(torch.unique(found, dim=0)) > 40  # should the first be known already


@pytest.mark.parametrize("seed", range(4))
def test_the_best_mixed_row_within_limits_is_found(seed):
    columns = Columns(MIXED)
    limits = Limits(columns, [[1, 0, 0, 0, 0, -0.4], [0, 1, 0, 0, 0, 8.5]])
    found = found_by(mixed, columns, seed, limits=limits)
    assert limits.allowed(found).all()
    levels = torch.tensor(LEVELS, dtype=torch.float64)
    at = places(levels).clamp(max=0.3)  # of the real column, on the unit cube
    values = torch.where(levels[:, 0] <= 8.5, heights(levels) - 3 * (at - places(levels)) ** 2, -99)
    best = values.argmax()
    assert at[best] < places(levels)[best]
    assert levels_of(found[:1])[0].tolist() == levels[best].tolist()
    assert mixed(found[:1]).item() == pytest.approx(values[best].item(), abs=1e-4)


def test_after_a_step_of_a_choice_the_real_columns_climb_again():
    """The better choice is worth more at once, but most elsewhere."""

    def worth(unit, versions=None):
        second = unit[:, 1] > 0.5
        return torch.where(second, 1.0 - (unit[:, 0] - 0.9) ** 2, -((unit[:, 0] - 0.2) ** 2) - 0.1)

    columns = Columns(Space((real(0, 1), categorical("ab"))))
    for seed in range(5):
        found = found_by(worth, columns, seed, raw=16, restarts=1)
        assert torch.allclose(found[0], torch.tensor([0.9, 1.0], dtype=torch.float64), atol=1e-3)


@pytest.mark.parametrize("space", [Space((integer(0, 9), integer(0, 9), categorical("abcde")))])
def test_a_space_without_slopes_is_searched_by_steps(space):
    def worth(unit, versions=None):
        rows = unit * torch.tensor([9, 9, 4])
        return -((rows[:, 0] - 8) ** 2) - (rows[:, 1] - 2) ** 2 + 5.0 * (rows[:, 2] == 3)

    for seed in range(5):
        found = found_by(worth, Columns(space), seed, raw=16, restarts=1)
        assert Columns(space).rows(found[:1]).tolist() == [[8, 2, 3]]


def test_integers_of_many_levels_are_climbed_and_rounded():
    columns = Columns(Space((integer(0, 1000), integer(-500, 500))))
    found = found_by(lambda unit, versions=None: -((unit - 0.4321) ** 2).sum(dim=1), columns)
    assert columns.rows(found[:1]).tolist() == [[432, -68]]
    assert columns.unit(columns.rows(found[:1])).tolist() == found[:1].tolist()


@pytest.mark.parametrize("most", [300.5, 301.5, 302.5, 303.5])
def test_climbed_integers_that_rounding_moves_beyond_a_limit_are_left_out(most):
    columns = Columns(Space((integer(0, 100), integer(0, 100))))
    limits = Limits(columns, [[3, 7, most]])
    found = found_by(lambda unit, versions=None: -((unit - 0.7) ** 2).sum(dim=1), columns, limits=limits)
    assert (columns.rows(found) @ torch.tensor([3.0, 7.0], dtype=torch.float64) <= most).all()
    assert len(found) >= 16


def test_starts_near_good_rows_find_a_hidden_peak():
    def needle(unit, versions=None):
        return torch.exp(-200 * (unit - torch.tensor([0.31, 0.77, 0.52, 0.66])).square().sum(dim=1))

    columns, good = Columns(Space.of([(0, 1)] * 4)), torch.tensor([[0.3, 0.8, 0.5, 0.7]], dtype=torch.float64)
    assert needle(found_by(needle, columns, good=good)[:1]).item() > 0.999


def test_near_good_rows_discrete_columns_are_drawn_anew_here_and_there():
    screened = []

    def worth(unit, versions=None):
        screened.append(unit.clone())
        return mixed(unit)

    good = torch.tensor([[0.5, 8 / 15, 0.4, 0.5, 0.6]], dtype=torch.float64)
    found_by(worth, Columns(MIXED), good=good, raw=400)
    near = screened[0][400:]
    assert near.shape == (100, 5)
    assert (near[:, 0] - 0.5).abs().max() < 5 * NEAR
    away = (levels_of(near) - levels_of(good)).abs() > 2
    assert (away[:, 0]).double().mean() > 0.08  # of 16 levels; a quarter is drawn anew
    assert (away[:, [1, 3]].any(dim=1)).double().mean() > 0.04
    assert (away.any(dim=1)).double().mean() < 0.5


def test_starts_are_chosen_by_few_versions_and_the_search_by_all():
    asked = []

    def worth(unit, versions=None):
        asked.append((len(unit), versions, unit.requires_grad))
        return mixed(unit)

    columns = Columns(MIXED)
    found_by(worth, columns, good=columns.unit(torch.zeros(2, 5, dtype=torch.float64)))
    assert asked[0] == (64 + 16, SCREENING, False)
    assert all(versions is None for _, versions, _ in asked[1:])
    assert any(slope for *_, slope in asked[1:])
    asked.clear()
    found_by(worth, columns, limits=Limits(columns, [[1, 0, 0, 0, 0, 1]]))
    assert asked[0] == (64 + 16, SCREENING, False)


@pytest.mark.parametrize("limited", [False, True])
def test_the_stream_decides_what_is_found(limited):
    columns = Columns(MIXED)
    limits = Limits(columns, [[1, 1, 0, 0, 0, 9]]) if limited else None
    first, again, other = (found_by(mixed, columns, seed, limits=limits) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first[-9:], other[-9:])


def test_within_a_small_corner_there_are_starts_enough():
    columns = Columns(Space.of([(0, 1)] * 4))
    limits = Limits(columns, [[1, 1, 1, 1, 0.2]])
    goal = torch.tensor([0.5, 0.1, 0.0, 0.3], dtype=torch.float64)
    found = found_by(lambda unit, versions=None: -(unit - goal).square().sum(dim=1), columns, limits=limits)
    assert len(found) >= 16
    assert limits.allowed(found).all()
    assert torch.allclose(found[0], torch.tensor([0.2, 0, 0, 0], dtype=torch.float64), atol=2e-3)


def test_the_first_row_is_the_best_of_all():
    columns = Columns(Space((real(0, 1), integer(0, 9), categorical("abcde"), categorical("uvwxyz"))))
    table = torch.rand(10, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def worth(rows, versions=None):
        k, a, b = ((rows[:, j] * n).round().long() for j, n in ((1, 9), (2, 4), (3, 5)))
        return table[k, a, b] - (rows[:, 0] - k / 9) ** 2

    for seed in range(40):
        found = best_rows(
            worth,
            columns,
            torch.zeros(0, 4, dtype=torch.float64),
            torch.Generator().manual_seed(seed),
            raw=64,
            restarts=3,
            iterations=30,
        )
        assert worth(found).argmax() == 0 or worth(found).max() - worth(found[:1]) < 1e-9, seed
