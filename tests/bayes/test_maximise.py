"""Where the search for the best point begins, and what it finds."""

import math

import pytest
import torch

from moo.bayes.maximise import NEAR, choose_starts, maximise, raw_points


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
