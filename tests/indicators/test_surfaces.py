"""Attainment functions and Vorob'ev statistics against literal counts on grids of small integers."""

import itertools
import math
import warnings

import moocore
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import moo.indicators
from moo.indicators import (
    attainment,
    attainment_difference,
    attainment_share,
    hypervolume,
    surfaces,
    vorobev_deviation,
    vorobev_expectation,
)
from moo.registry import summary

NAMES = ["attainment", "attainment_difference", "attainment_share", "vorobev_deviation", "vorobev_expectation"]
INF = math.inf
pytestmark = pytest.mark.filterwarnings("ignore:The average hypervolume is 0")
moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)
every = pytest.mark.parametrize("name", NAMES)
every_with_m = pytest.mark.parametrize(
    ("name", "m"), [(name, m) for name in NAMES for m in (2, 3) if (name, m) != ("attainment_difference", 3)]
)


@st.composite
def several(draw, m=None, least=0, runs=(1, 5)):
    """Runs of small integers, maximised: ties, duplicates, dominated rows, equal runs, runs without rows."""
    m = draw(st.integers(2, 3)) if m is None else m
    rng = np.random.default_rng(draw(seeds))
    top = draw(st.integers(1, 6))
    found = [rng.integers(least, top + 1, (rng.integers(0, 7), m)) for _ in range(draw(st.integers(*runs)))]
    return [torch.from_numpy(run).double() for run in found + found[: draw(st.integers(0, 1))]]


def example(seed=0, m=2, r=4, n=6):
    """A batch of runs of eighths, `[r, n, m]`."""
    return torch.from_numpy(np.random.default_rng(seed).integers(1, 8, (r, n, m)) / 8)


def in_order(rows):
    """Rows `[k, c]` sorted."""
    return rows[np.lexsort(rows.numpy().T[::-1])]


def call(name, runs, around=None, **options):
    """The function of these runs as one tensor; `around` holds its other arguments, here all maximised."""
    around = context() if around is None else around
    if name == "attainment_share":
        return attainment_share(around["points"], runs, **options)
    if name == "attainment_difference":
        if "mask" in options:
            options["left_mask"] = options.pop("mask")
        found = attainment_difference(runs, around["right"], **options)
        return in_order(torch.cat([found.best, found.worst, found.difference[:, None]], dim=1))
    if name == "attainment":
        found = attainment(runs, **options)
        return in_order(torch.cat([found.points, found.percentiles[:, None]], dim=1))
    if name == "vorobev_deviation":
        return torch.tensor(vorobev_deviation(runs, around["reference_point"], **options), dtype=torch.float64)
    found = vorobev_expectation(runs, around["reference_point"], **options)
    about = found.points.new_tensor([[found.threshold, found.average_hypervolume]])
    return torch.cat([found.points, about.expand(len(found.points), 2)], dim=1)


def context(m=2):
    rng = np.random.default_rng(9)
    return {
        "points": torch.from_numpy(rng.integers(0, 9, (12, m)) / 8),
        "right": torch.from_numpy(rng.integers(1, 8, (3, 5, m)) / 8),
        "reference_point": torch.full((m,), 0.1, dtype=torch.float64),
    }


def close(found, expected):
    torch.testing.assert_close(found.double(), expected.double(), rtol=1e-12, atol=1e-12)


def number_that_attain(point, runs):
    return sum(any(all(a >= z for a, z in zip(row, point, strict=True)) for row in run.tolist()) for run in runs)


def literal_surface(runs, least):
    """The best points of the grid of all values that so many runs attain."""
    rows = torch.cat(runs).tolist()
    grid = list(itertools.product(*(sorted(set(column)) for column in zip(*rows, strict=True))))
    attained = [point for point in grid if number_that_attain(point, runs) >= least]
    return {
        point
        for point in attained
        if not any(other != point and all(a >= b for a, b in zip(other, point, strict=True)) for other in attained)
    }


# --- attainment surfaces ----------------------------------------------------------------------------------------------


@moderate
@given(several())
def test_every_surface_is_the_literal_one(runs):
    found, r = attainment(runs), len(runs)
    assert found.asked.tolist() == [100 * k / r for k in range(1, r + 1)]
    for k, percentile in enumerate(found.asked.tolist(), start=1):
        surface = [tuple(point) for point in found.surface(percentile).tolist()]
        assert surface == sorted(set(surface))
        assert set(surface) == literal_surface(runs, k)


@moderate
@given(several(), st.lists(st.one_of(st.integers(1, 100), st.floats(0.001, 100)), min_size=1, max_size=4))
def test_a_percentile_is_attained_by_at_least_that_share(runs, percentiles):
    found = attainment(runs, percentiles)
    assert found.asked.tolist() == sorted(set(map(float, percentiles)))
    for percentile in found.asked.tolist():
        least = max(1, math.ceil(percentile * len(runs) / 100 - 1e-8))
        mine = found.points[found.percentiles == percentile]
        assert {tuple(point) for point in mine.tolist()} == literal_surface(runs, least)


def test_a_case_by_hand():
    runs = [[[1, 3], [2, 2]], [[3, 1]], [[2, 2]]]
    found = attainment(runs, directions="min")
    assert found.surface(100 / 3).tolist() == [[1, 3], [2, 2], [3, 1]]
    assert found.surface(200 / 3).tolist() == [[2, 2]]
    assert found.surface(100).tolist() == [[3, 2]]
    assert found.percentiles.tolist() == pytest.approx([100 / 3] * 3 + [200 / 3, 100])


def test_a_run_without_rows_counts_as_a_run():
    found = attainment([[[1.0, 1.0]], [], np.empty((0, 2)), [[2.0, 0.0]]])
    assert found.asked.tolist() == [25, 50, 75, 100]
    assert found.surface(25).tolist() == [[1, 1], [2, 0]]
    assert found.surface(50).tolist() == [[1, 0]]
    assert found.surface(75).shape == found.surface(100).shape == (0, 2)
    alone = attainment([np.empty((0, 3))] * 2, 50)
    assert alone.points.shape == (0, 3)
    assert alone.percentiles.shape == (0,)
    assert alone.asked.tolist() == [50]


@pytest.mark.parametrize("m", [2, 3])
def test_one_run_is_its_own_surface_at_any_percentile(m):
    run = example(3, m)[0]
    expected = run[moo.indicators.non_dominated(run)].tolist()
    assert sorted(attainment(run[None]).points.tolist()) == sorted(expected)
    assert sorted(attainment([run], 1).points.tolist()) == sorted(expected)


@pytest.mark.parametrize("r", [3, 7, 30, 49])
def test_percentiles_between_numbers_of_runs_are_rounded_up(r):
    runs = [[[float(i), float(i)]] for i in range(1, r + 1)]  # k of them attain r + 1 - k
    for k in range(1, r + 1):
        exact = 100 * k / r
        for percentile in (exact, exact * (1 - 1e-15), round(exact, 9), exact - 50 / r):
            assert attainment(runs, percentile).points.tolist() == [[r + 1 - k] * 2]
        if k < r:
            assert attainment(runs, exact + 1 / r).points.tolist() == [[r - k] * 2]


def test_percentiles_are_numbers_lists_arrays_or_tensors():
    runs = example()
    for given_as in (50, 50.0, [50], (50,), np.array([50]), torch.tensor(50), np.float32(50), [50, 50.0]):
        assert attainment(runs, given_as).asked.tolist() == [50]
    both = attainment(runs, [100, 25])
    assert both.asked.tolist() == [25, 100]
    assert torch.equal(both.surface(25), attainment(runs, 25).points)
    assert torch.equal(both.surface(100), attainment(runs, 100).points)


def test_only_what_is_asked_for_is_computed(monkeypatch):
    asked = []
    monkeypatch.setattr(
        surfaces.moocore,
        "eaf",
        lambda points, sets, percentiles: asked.append(percentiles) or np.empty((0, 3)),
    )
    attainment(example(r=10), [50, 41, 45])
    assert asked == [[50.0]]


def test_a_surface_that_was_not_asked_for_is_an_error():
    found = attainment(example(), [25, 50])
    with pytest.raises(ValueError, match=r"^`percentile` should be one of those asked for, \[25.0, 50.0\]. Found 75"):
        found.surface(75)
    assert torch.equal(attainment(example(r=3)).surface(33.333333), attainment(example(r=3), 100 / 3).points)


@pytest.mark.parametrize("m", [2, 3])
def test_large_runs_lie_on_their_surfaces(m):
    rng = np.random.default_rng(m)
    runs = torch.from_numpy(np.abs(rng.normal(size=(12, 40, m))))
    runs = runs / runs.norm(dim=-1, keepdim=True) * torch.from_numpy(rng.uniform(0.9, 1, (12, 40, 1)))
    found = attainment(runs)
    shares = attainment_share(found.points, runs)
    assert (shares >= found.percentiles / 100 - 1e-12).all()
    beyond = attainment_share(found.points + 1e-9, runs)
    assert (beyond < found.percentiles / 100 - 1e-12).all()


# --- the share at points ----------------------------------------------------------------------------------------------


@moderate
@given(st.integers(1, 4).flatmap(lambda m: several(m)), seeds)
def test_the_share_is_the_literal_count(runs, seed):
    m = runs[0].shape[1]
    points = torch.from_numpy(np.random.default_rng(seed).integers(-1, 8, (3, 4, m)) / 1.0)
    points[0, 0] = -INF
    points[0, 1] = INF
    points[0, 2, 0] = -INF
    found = attainment_share(points, runs)
    assert found.shape == (3, 4)
    assert found.dtype == torch.float64
    expected = [number_that_attain(point, runs) / len(runs) for point in points.reshape(-1, m).tolist()]
    assert found.flatten().tolist() == expected
    one = attainment_share(points[1, 1], runs)
    assert type(one) is float
    assert one == found[1, 1]


def test_many_points_and_runs_are_counted_alike():
    rng = np.random.default_rng(0)
    points, runs = rng.random((3000, 3)), rng.random((40, 30, 3))
    expected = sum((run >= points[:, None]).all(axis=2).any(axis=1).astype(int) for run in runs) / 40
    assert attainment_share(points, runs).tolist() == expected.tolist()


def test_neighbours_and_the_ends_of_the_range_are_told_apart():
    most = np.finfo(np.float64).max
    row = [1.0, -most]
    points = [row, [np.nextafter(1, 2), -most], [1, -INF], [1, np.nextafter(-most, 0)], [-INF, -INF], [most, -INF]]
    assert attainment_share(points, [[row], []]).tolist() == [0.5, 0, 0.5, 0, 0.5, 0]
    assert attainment_share([5e-324, 0], [[[0, 0]]]) == 0


def test_no_points_have_no_shares():
    assert attainment_share(np.empty((0, 2)), example()).shape == (0,)
    assert attainment_share(np.empty((2, 0, 2)), example()).shape == (2, 0)


def test_wrong_points_are_named():
    with pytest.raises(
        ValueError, match=r"^`points` should have shape \[..., 2\], a column per objective. Found \[3\]"
    ):
        attainment_share([1, 2, 3], example())
    with pytest.raises(ValueError, match=r"^`points` should have shape \[..., 2\], a column per objective. Found \[\]"):
        attainment_share(1.0, example())
    with pytest.raises(ValueError, match=r"^`points` should hold no NaN. Row 1 is \[nan, 2.0\]: leave it out"):
        attainment_share([[1, 2], [math.nan, 2]], example(), nan="drop")
    with pytest.raises(ValueError, match=r"^`points` should hold no NaN. It is \[nan, 2.0\]: leave it out"):
        attainment_share([math.nan, 2], example())
    with pytest.raises(TypeError, match=r"^`points` should be an array of numbers"):
        attainment_share("here", example())


# --- differences ------------------------------------------------------------------------------------------------------


def differences_at(points, found):
    """What the rectangles say at points, maximised: no point lies in two of them."""
    inside = (points[:, None] <= found.best).all(dim=-1) & (points[:, None] > found.worst).all(dim=-1)
    assert (inside.sum(dim=1) <= 1).all()
    return (inside * found.difference).sum(dim=1)


@moderate
@given(several(2), several(2))
def test_rectangles_say_how_the_shares_differ_everywhere(left, right):
    found = attainment_difference(left, right)
    steps = np.arange(-1, 8, 0.5)
    points = torch.from_numpy(np.array(list(itertools.product(steps, steps))))
    expected = attainment_share(points, left) - attainment_share(points, right)
    close(differences_at(points, found), expected)
    assert (found.best > found.worst).all()
    assert found.best.isfinite().all()
    assert (found.difference != 0).all()
    assert found.largest == pytest.approx(expected.abs().max().item(), abs=1e-12)
    other = attainment_difference(right, left)
    assert torch.equal(other.best, found.best)
    assert torch.equal(other.worst, found.worst)
    assert torch.equal(other.difference, -found.difference)


def test_a_difference_by_hand():
    found = attainment_difference([[[1, 3], [3, 1]]], [[[2, 2]], [[4, 4]]], directions="min")
    rows = torch.cat([found.best, found.worst, found.difference[:, None]], dim=1).tolist()
    assert sorted(rows) == [
        [1, 3, 2, INF, 1],
        [2, 2, 3, 3, -0.5],
        [2, 3, 3, INF, 0.5],
        [3, 1, INF, 2, 1],
        [3, 2, 4, INF, 0.5],
        [4, 2, INF, 4, 0.5],
    ]
    assert found.largest == 1


def test_equal_numbers_of_runs_agree_with_moocore():
    """The example in moocore's documentation, and runs of real numbers."""
    rng = np.random.default_rng(0)
    by_hand = (
        [[[3.0, 2], [2, 3]], [[2.5, 1], [1, 2]], [[1.0, 2]]],
        [[[4, 2.5], [3, 3], [2.5, 3.5]], [[3, 3], [2.5, 3.5]], [[2.0, 1]]],
    )
    for left, right in (by_hand, (rng.random((5, 8, 2)).tolist(), rng.random((5, 8, 2)).tolist())):
        found = attainment_difference(left, right, directions="min")
        tables = [
            np.vstack([np.column_stack([run, [i] * len(run)]) for i, run in enumerate(side)]) for side in (left, right)
        ]
        theirs = moocore.eafdiff(*tables, intervals=len(left), rectangles=True)
        points = torch.from_numpy(rng.random((500, 2)) * 5)
        inside = (points[:, None] >= torch.from_numpy(theirs[:, :2])) & (
            points[:, None] < torch.from_numpy(theirs[:, 2:4])
        )
        expected = (inside.all(dim=-1) * torch.from_numpy(theirs[:, 4])).sum(dim=1) / len(left)
        mine = surfaces.AttainmentDifference(-found.best, -found.worst, found.difference)
        close(differences_at(-points, mine), expected)


def test_the_same_runs_differ_nowhere():
    for left, right in ((example(), example()), ([[]], [[], []]), (np.empty((2, 0, 2)), [[]])):
        found = attainment_difference(left, right)
        assert found.best.shape == found.worst.shape == (0, 2)
        assert found.difference.shape == (0,)
        assert found.largest == 0.0
    twice = torch.cat([example(), example()])
    assert attainment_difference(example(), twice).largest == 0.0


def test_nothing_on_one_side_leaves_the_other_side():
    found = attainment_difference([[[1, 2]]], [[]])
    assert found.best.tolist() == [[1, 2]]
    assert found.worst.tolist() == [[-INF, -INF]]
    assert found.difference.tolist() == [1]


def test_differences_take_two_objectives_and_a_mask_for_each_side():
    for left, right, name in ((example(m=3), example(), "left"), (example(), example(m=3), "right")):
        with pytest.raises(
            ValueError, match=rf"^`{name}` should have two objectives. Found 3: subtract `attainment_share"
        ):
            attainment_difference(left, right)
    left, right, mask = example(1), example(2, r=3), torch.rand(3, 6) < 0.5
    kept = [run[counted] for run, counted in zip(right, mask, strict=True)]
    found, expected = attainment_difference(left, right, right_mask=mask), attainment_difference(left, kept)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    with pytest.raises(ValueError, match=r"^`right` should hold no NaN. Row 0 of set 1 is"):
        attainment_difference(left, [[[0, 0]], [[math.nan, 0]]])


# --- Vorob'ev ---------------------------------------------------------------------------------------------------------


def cells_of(rows, m, top=6):
    """The unit cells between 0 and the rows, by their upper corners."""
    corners = itertools.product(range(1, top + 1), repeat=m)
    return {corner for corner in corners if any(all(a >= z for a, z in zip(row, corner, strict=True)) for row in rows)}


def literal_expectation(cells):
    """Level, mean volume, cells and deviation of the sets of cells that runs attain."""
    mean = sum(map(len, cells)) / len(cells)
    counts = {corner: sum(corner in run for run in cells) for corner in set().union(*cells)}
    quantiles = {k: {corner for corner in counts if counts[corner] >= k} for k in range(1, len(cells) + 1)}
    level = max(k for k in quantiles if len(quantiles[k]) * len(cells) >= sum(map(len, cells)))
    return level, mean, quantiles[level], sum(len(quantiles[level] ^ run) for run in cells) / len(cells)


@moderate
@given(several(least=-2))
def test_the_expectation_and_the_deviation_are_the_literal_ones(runs):
    m = runs[0].shape[1]
    level, mean, attained, deviation = literal_expectation([cells_of(run.tolist(), m) for run in runs])
    found = vorobev_expectation(runs, [0] * m)
    assert found.threshold == pytest.approx(100 * level / len(runs))
    assert found.average_hypervolume == pytest.approx(mean, rel=1e-12)
    assert cells_of(found.points.tolist(), m) == attained
    assert (found.points > 0).all()
    assert len(found.points) == 0 or moo.indicators.non_dominated(found.points).all()
    assert vorobev_deviation(runs, [0] * m) == pytest.approx(deviation, rel=1e-12, abs=1e-12)


def test_an_expectation_by_hand():
    runs = [[[0, 0]], [[1, 1]], [[2, 2]]]  # volumes 9, 4 and 1: a mean of 14 / 3
    found = vorobev_expectation(runs, [3, 3], directions="min")
    assert found.points.tolist() == [[0, 0]]
    assert found.threshold == pytest.approx(100 / 3)
    assert found.average_hypervolume == pytest.approx(14 / 3)
    assert vorobev_deviation(runs, [3, 3], directions="min") == pytest.approx((0 + 5 + 8) / 3)


@pytest.mark.parametrize("m", [2, 3])
def test_the_expectation_is_the_last_surface_with_the_mean_volume(m):
    rng = np.random.default_rng(m)
    runs = torch.from_numpy(rng.random((25, 8, m)))
    low = [0.2] * m
    found, all_surfaces = vorobev_expectation(runs, low), attainment(runs)
    volumes = hypervolume(runs, low, warn=False)
    assert found.average_hypervolume == pytest.approx(volumes.mean().item(), rel=1e-12)
    level = round(found.threshold * 25 / 100)
    here = hypervolume(all_surfaces.surface(found.threshold), low)
    assert here == pytest.approx(hypervolume(found.points, low), rel=1e-12)
    assert here >= found.average_hypervolume > hypervolume(all_surfaces.surface(100 * (level + 1) / 25), low)


def test_one_good_run_among_many_is_not_lost():
    runs = [[[2, 2]]] + [[[-9, -9]]] * 9
    found = vorobev_expectation(runs, [0, 0])
    assert found.points.tolist() == [[2, 2]]
    assert found[1:] == (10, 0.4)
    assert vorobev_deviation(runs, [0, 0]) == pytest.approx(0.9 * 4)
    table = -np.vstack(runs)
    assert moocore.vorob_t(table, range(10), ref=[0, 0])["ve"].tolist() == [[9, 9]]  # should this fail, tell the docs


@pytest.mark.parametrize("m", [2, 3])
def test_equal_runs_are_their_own_expectation(m):
    run = torch.rand(20, m, dtype=torch.float64, generator=torch.Generator().manual_seed(m))
    found = vorobev_expectation([run] * 7, [0.1] * m)
    assert found.threshold == 100
    inside = run[(run > 0.1).all(dim=1)]
    assert sorted(found.points.tolist()) == sorted(inside[moo.indicators.non_dominated(inside)].tolist())
    assert found.average_hypervolume == pytest.approx(hypervolume(run, [0.1] * m), rel=1e-12)
    assert vorobev_deviation([run] * 7, [0.1] * m) == pytest.approx(0, abs=1e-12)


def test_a_row_on_the_reference_point_counts_as_none():
    runs = [[[0, 2], [1, 1]], [[1, 0]], [[1, 1], [5, -1]]]
    found = vorobev_expectation(runs, [0, 0])
    assert found.points.tolist() == [[1, 1]]
    assert found.threshold == pytest.approx(200 / 3)
    assert found.average_hypervolume == pytest.approx(2 / 3)


@pytest.mark.parametrize("function", [vorobev_expectation, vorobev_deviation])
def test_a_reference_point_out_of_reach_warns(function):
    message = (
        r"^The average hypervolume is 0: no row of any run is better than the reference point \[4.0, 4.0\] in every"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        found = function([[[5, 5]], [[4, 1]]], [4, 4], directions="min")
    assert caught[0].filename == __file__
    if function is vorobev_expectation:
        assert found.points.shape == (0, 2)
        assert found[1:] == (100, 0)
    else:
        assert found == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        function([[], []], [4, 4])
        function([[], [[5, 5]]], [4, 4])


# --- what does not matter ---------------------------------------------------------------------------------------------


@every
@moderate
@given(several(2), seeds)
def test_the_order_of_rows_and_of_runs_does_not_matter(name, runs, seed):
    rng = np.random.default_rng(seed)
    shuffled = [runs[i][rng.permutation(len(runs[i]))] for i in rng.permutation(len(runs))]
    close(call(name, shuffled), call(name, runs))


@pytest.mark.parametrize("name", ["attainment", "attainment_share"])
@moderate
@given(several(3), seeds)
def test_the_order_of_objectives_does_not_matter(name, runs, seed):
    order = np.random.default_rng(seed).permutation(3)
    around, permuted = context(3), context(3)
    permuted["points"] = around["points"][:, order]
    found = call(name, [run[:, order] for run in runs], permuted)
    if name == "attainment":
        found = in_order(found[:, [*np.argsort(order), 3]])
    close(found, call(name, runs, around))


@every
@moderate
@given(several(2), seeds)
def test_duplicates_and_dominated_rows_change_nothing(name, runs, seed):
    rng = np.random.default_rng(seed)
    longer = [torch.cat([run - torch.from_numpy(rng.integers(0, 3, run.shape)), run, run[:2]]) for run in runs]
    close(call(name, longer), call(name, runs))


@every_with_m
@pytest.mark.parametrize("words", ["min", "max", ["min", "max", "max"], ["max", "min", "min"]])
def test_turning_everything_with_its_directions_changes_nothing(name, m, words):
    words = words if isinstance(words, str) else words[:m]
    per_column = [words] * m if isinstance(words, str) else words
    signs = torch.tensor([1.0 if word == "max" else -1.0 for word in per_column], dtype=torch.float64)
    runs, around = example(4, m), context(m)
    turned = {key: value * signs for key, value in around.items()}
    found, expected = call(name, runs * signs, turned, directions=words), call(name, runs, around)
    if name in ("attainment", "attainment_difference", "vorobev_expectation"):
        back = torch.cat([signs] * (2 if name == "attainment_difference" else 1))
        found = in_order(found * torch.cat([back, torch.ones(found.shape[1] - len(back))]))
    close(found, expected)


def test_no_zero_comes_back_negative():
    found = attainment([[[0.0, 1.0], [1.0, 0.0]]], directions="min")
    assert not torch.signbit(found.points).any()
    for directions in (None, "min"):
        found = attainment_difference([[[0, 0]]], [[[1, 1]]], directions=directions)
        assert not torch.signbit(found.best).any()
        assert not (torch.signbit(found.worst) & (found.worst == 0)).any()
    assert not torch.signbit(vorobev_expectation([[[0.0, 1.0]]], [2, 2], directions="min").points).any()


@every_with_m
def test_masking_rows_is_removing_them_and_a_list_is_a_batch_with_a_mask(name, m):
    batch, around = example(2, m, r=5), context(m)
    mask = torch.from_numpy(np.random.default_rng(3).random((5, 6)) < 0.5)
    mask[3] = False
    kept = [run[counted] for run, counted in zip(batch, mask, strict=True)]
    junk = torch.where(mask[..., None], batch, math.nan)  # what is masked is not even looked at
    expected = call(name, kept, around)
    close(call(name, junk, around, mask=mask), expected)
    close(call(name, junk.tolist(), around, mask=mask.tolist()), expected)
    close(call(name, [run.numpy() for run in kept], around), expected)
    close(call(name, tuple(run.tolist() for run in kept), around), expected)


@every
def test_a_batch_masked_whole_is_empty_runs(name):
    found = call(name, torch.full((3, 6, 2), math.nan), mask=torch.zeros(3, 6, dtype=torch.bool))
    close(found, call(name, [[], [], np.empty((0, 2))]))


@every
def test_nan_raises_and_can_be_dropped(name):
    bad = example()
    bad[2, 4, 1] = bad[3, 1, 0] = math.nan
    parameter = "left" if name == "attainment_difference" else "runs"
    for given_as in (bad, list(bad)):
        with pytest.raises(ValueError, match=rf"^`{parameter}` should hold no NaN\. Row 4 of set 2 is \[.*nan\]"):
            call(name, given_as)
        close(call(name, given_as, nan="drop"), call(name, example(), mask=~bad.isnan().any(dim=-1)))
    with pytest.raises(ValueError, match="`nan` should be"):
        call(name, bad, nan="ignore")


@every
@pytest.mark.parametrize("sign", [1, -1])
def test_infinitely_good_raises(name, sign):
    bad = sign * example()
    bad[1, 2, 0] = sign * INF
    parameter = "left" if name == "attainment_difference" else "runs"
    with pytest.raises(ValueError, match=rf"^`{parameter}` should be finite where it is good\. Row 2 of set 1 is \["):
        call(name, bad, directions=None if sign == 1 else "min")


@every
def test_an_infinitely_bad_row_counts_as_none(name):
    bad = example()
    bad[1, 2, 0] = -INF
    bad[3] = -INF
    close(call(name, bad), call(name, example(), mask=bad.isfinite().all(dim=-1)))


# --- reading ----------------------------------------------------------------------------------------------------------


@every
def test_lists_arrays_integers_and_single_precision_are_read(name):
    whole = (8 * example()).to(torch.int64)
    expected = call(name, whole.double())
    backwards = np.ascontiguousarray(whole.numpy()[:, ::-1])[:, ::-1]
    backwards.flags.writeable = False
    for given_as in (whole, whole.tolist(), whole.numpy(), whole.numpy().astype(np.uint8), whole.float(), backwards):
        close(call(name, given_as), expected)
        close(call(name, list(given_as)), expected)
    assert call(name, whole.float()).dtype == torch.float64
    close(call(name, whole.double().requires_grad_()), expected)


@every
@pytest.mark.parametrize("directions", [None, "min", ["min", "max"]])
def test_arguments_are_not_changed(name, directions):
    runs, mask, around = example(), torch.ones(4, 6, dtype=torch.bool), context()
    mask[0, :3] = False
    around["reference_point"] = torch.tensor([0.5, 0.5])
    listed = [run.clone() for run in runs]
    copies = runs.clone(), mask.clone(), {key: value.clone() for key, value in around.items()}
    call(name, runs, around, mask=mask, directions=directions)
    call(name, runs.numpy(), {key: value.numpy() for key, value in around.items()}, directions=directions)
    call(name, listed, around, directions=directions)
    assert torch.equal(runs, copies[0])
    assert torch.equal(torch.stack(listed), copies[0])
    assert torch.equal(mask, copies[1])
    assert all(torch.equal(around[key], copies[2][key]) for key in around)


@every
def test_no_gradient_flows_and_results_share_no_memory(name):
    runs = example().requires_grad_()
    assert not call(name, runs).requires_grad
    alone = example()[:1]
    found = attainment(alone)
    found.points.fill_(-1)
    vorobev_expectation(alone, [0, 0]).points.fill_(-1)
    assert torch.equal(alone, example()[:1])


@every
def test_it_is_offered_and_documented(name):
    assert name in moo.indicators.__all__
    assert summary(f"moo.indicators.surfaces:{name}").endswith(".")
    assert "Source: " in getattr(moo.indicators, name).__doc__


# --- errors -----------------------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("nothing", [[], (), np.empty(0), torch.empty(0, 3, 2)])
def test_no_runs_at_all_is_an_error(name, nothing):
    functions = {
        "attainment": lambda: attainment(nothing),
        "attainment_share": lambda: attainment_share([1, 1], nothing),
        "attainment_difference": lambda: attainment_difference(nothing, example()),
        "vorobev_deviation": lambda: vorobev_deviation(nothing, [1, 1]),
        "vorobev_expectation": lambda: vorobev_expectation(nothing, [1, 1]),
    }
    with pytest.raises(ValueError, match=r"^`(runs|left)` should hold at least one run. Found none."):
        functions[name]()


@pytest.mark.parametrize("m", [1, 4])
@pytest.mark.parametrize(
    "function",
    [
        attainment,
        lambda runs: vorobev_expectation(runs, [0] * runs.shape[-1]),
        lambda runs: vorobev_deviation(runs, [0] * runs.shape[-1]),
    ],
)
def test_surfaces_take_two_or_three_objectives(function, m):
    with pytest.raises(
        ValueError, match=rf"^`runs` should have two or three objectives. Found {m}: choose .*attainment_share"
    ):
        function(example(m=m) + 1)


def test_shapes_that_are_wrong_are_named():
    with pytest.raises(ValueError, match=r"^`runs` should be a batch \[r, n, m\] or a list.*one run.*shape \[6, 2\]"):
        attainment(example()[0])
    with pytest.raises(ValueError, match=r"^`runs` should be a batch .*Found shape \[\]"):
        attainment(3.0)
    with pytest.raises(ValueError, match=r"^`runs\[0\]` should have shape \[n, 2\]. Found \[2\]"):
        attainment_share([1, 1], [[1, 2], [3, 4]])
    with pytest.raises(ValueError, match=r"^`runs\[1\]` should have shape \[n, 2\]. Found \[1, 3\]"):
        attainment([[[1, 2]], [[1, 2, 3]]])
    with pytest.raises(
        ValueError, match=r"^`runs` should say how many objectives there are: give an empty run the shape"
    ):
        attainment([[], []])
    with pytest.raises(ValueError, match=r"^`runs` should have at least one column"):
        attainment(np.empty((2, 3, 0)))
    with pytest.raises(TypeError, match=r"^`runs\[1\]` should be an array of numbers"):
        attainment([[[1, 2]], "two"])
    with pytest.raises(TypeError, match=r"^`runs` should be an array of numbers"):
        attainment({"first": [[1, 2]]})


def test_a_mask_goes_with_a_batch():
    ragged = [[[1, 2]], [[1, 2], [2, 1]]]
    with pytest.raises(ValueError, match=r"^A mask goes with a batch \[r, n, m\]: cut the runs of `runs` instead"):
        attainment(ragged, mask=[[True, False], [True, True]])
    with pytest.raises(ValueError, match=r"^A mask goes with a batch \[r, n, m\]: cut the runs of `right` instead"):
        attainment_difference(ragged, ragged, right_mask=[[True], [True, True]])
    with pytest.raises(ValueError, match=r"^`mask` should have shape \[4, 6\]"):
        attainment(example(), mask=torch.ones(6, dtype=torch.bool))


@pytest.mark.parametrize("percentiles", [0, -1, 100.1, [50, 0], math.nan, INF, [[50, 101]]])
def test_percentiles_out_of_range_are_named(percentiles):
    with pytest.raises(ValueError, match=r"^`percentiles` should be (above 0 and at most 100|a number or a list)"):
        attainment(example(), percentiles)


def test_percentiles_that_are_none_are_named():
    with pytest.raises(ValueError, match=r"^`percentiles` should be a number or a list of them. Found shape \[0\]"):
        attainment(example(), [])
    with pytest.raises(TypeError, match=r"^`percentiles` should be an array of numbers"):
        attainment(example(), "median")


def test_a_wrong_reference_point_or_direction_is_named():
    for function in (vorobev_expectation, vorobev_deviation):
        with pytest.raises(ValueError, match=r"^`reference_point` should be a list of 2 numbers"):
            function(example(), [0, 0, 0])
        with pytest.raises(ValueError, match=r"^`reference_point` should be finite"):
            function(example(), [0, math.nan])
        with pytest.raises(TypeError, match=r"^`reference_point` should be"):
            function(example(), "origin")
    for name in NAMES:
        with pytest.raises(ValueError, match=r"^`directions` should name one per objective"):
            call(name, example(), directions=["min"])
        with pytest.raises(ValueError, match=r'^`directions` should hold only "min" and "max"'):
            call(name, example(), directions="best")


def test_volumes_out_of_range_are_an_error():
    with pytest.raises(ValueError, match="leaves the range of float64"):
        vorobev_expectation([[[1e300, 1e300]]], [0, 0])
    assert attainment([[[1e308, -1e308]]]).points.tolist() == [[1e308, -1e308]]
