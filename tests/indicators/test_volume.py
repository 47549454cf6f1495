"""Hypervolume and its kin against exact arithmetic, closed forms, finite differences and their named properties."""

import importlib.util
import itertools
import math
import subprocess
import sys
import time
import warnings
from fractions import Fraction

import moocore
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.indicators import (
    hypervolume,
    hypervolume_approx,
    hypervolume_contributions,
    non_dominated,
    predicted_seconds,
    relative_hypervolume,
    volume,
)
from moo.indicators.volume import LOOP_FROM, MAX_SECONDS, SWEEP_FROM, sphere_directions

moderate = settings(max_examples=60, deadline=None)
few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def sets(draw, rows=(1, 12), columns=(1, 6)):
    """Small integers above and below the reference point 0: ties, duplicates, dominated and outside points."""
    n, m = draw(st.integers(*rows)), draw(st.integers(*columns))
    rng = np.random.default_rng(draw(seeds))
    return torch.from_numpy(rng.integers(draw(st.integers(-2, 1)), 6, size=(n, m)).astype(float))


@st.composite
def batches(draw, rows=(1, 8), columns=(1, 7)):
    """Batches of such sets with a mask."""
    leading = draw(st.sampled_from([(1,), (3,), (2, 2)]))
    n, m = draw(st.integers(*rows)), draw(st.integers(*columns))
    rng = np.random.default_rng(draw(seeds))
    mask = rng.random((*leading, n)) < draw(st.sampled_from([0.0, 0.5, 0.9]))
    return torch.from_numpy(rng.integers(-2, 6, size=(*leading, n, m)).astype(float)), torch.from_numpy(mask)


def volume_of(objectives, **options):
    """Hypervolume above the origin, without the warning."""
    return hypervolume(objectives, torch.zeros(objectives.shape[-1]), warn=False, **options)


def contributions_of(objectives, **options):
    return hypervolume_contributions(objectives, torch.zeros(objectives.shape[-1]), **options)


def inclusion_exclusion(objectives, low=None):
    """Literal definition: volumes of all intersections of the boxes, with alternating signs, in rational arithmetic."""
    low = [0] * objectives.shape[1] if low is None else [Fraction(value) for value in low]
    rows = [[Fraction(value) - base for value, base in zip(row, low, strict=True)] for row in objectives.tolist()]
    boxes = [row for row in rows if min(row) > 0]
    return sum(
        (-1) ** (size + 1) * math.prod(map(min, zip(*chosen, strict=True)))
        for size in range(1, len(boxes) + 1)
        for chosen in itertools.combinations(boxes, size)
    )


def literal_contributions(objectives):
    """Volume of the non-dominated rows less that without one of them, row by row, in rational arithmetic."""
    kept = (objectives > 0).all(dim=1)
    kept[kept.clone()] = non_dominated(objectives[kept], keep_duplicates=True)
    whole, found = inclusion_exclusion(objectives[kept]), [Fraction(0)] * len(objectives)
    for row in torch.nonzero(kept).flatten().tolist():
        others = kept.clone()
        others[row] = False
        found[row] = whole - inclusion_exclusion(objectives[others])
    return found


def sphere(n, m, seed=0):
    """Mutually non-dominated rows at distance 1 from the origin, maximised."""
    points = np.abs(np.random.default_rng(seed).normal(size=(n, m)))
    return torch.from_numpy(points / np.linalg.norm(points, axis=1, keepdims=True))


def bowl(n, m, seed=0):
    """The front on which costs are measured: 1.1 less a sphere, above 0."""
    return 1.1 - sphere(n, m, seed)


def quickly(function, seconds=2.0):
    begun = time.perf_counter()
    function()
    assert time.perf_counter() - begun < seconds


@pytest.fixture
def without_numba(monkeypatch):
    """As where numba is not installed, the warning included."""
    volume._has_numba.cache_clear()
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "numba" else find(name, *rest))
    yield
    volume._has_numba.cache_clear()


@pytest.fixture(params=["numba", "moocore"])
def backend(request, monkeypatch):
    """Both code paths of many objectives."""
    if request.param == "numba":
        pytest.importorskip("numba")
    else:
        monkeypatch.setattr(volume, "_has_numba", lambda: False)
    return request.param


# --- values -----------------------------------------------------------------------------------------------------------


@moderate
@given(sets(rows=(1, 9), columns=(1, 8)))
def test_integers_give_the_exact_integer(objectives):
    assert volume_of(objectives) == inclusion_exclusion(objectives)


@few
@given(st.integers(1, 8), st.integers(1, 8), seeds)
def test_real_numbers_lose_only_rounding(n, m, seed):
    rng = np.random.default_rng(seed)
    objectives, low = torch.from_numpy(rng.uniform(-0.3, 1, (n, m))), rng.uniform(-0.5, 0.2, m)
    exact = float(inclusion_exclusion(objectives, low))
    assert hypervolume(objectives, low, warn=False) == pytest.approx(exact, rel=1e-13 * 2**m, abs=1e-300)


@pytest.mark.parametrize("n", [1, 2, 10, 100, SWEEP_FROM - 1, SWEEP_FROM, 5000])
def test_a_staircase_has_a_triangular_number_of_cells(n):
    first = torch.arange(1, n + 1)
    assert hypervolume(torch.stack([first, n + 1 - first], dim=1), [0, 0]) == n * (n + 1) / 2
    square = torch.stack([first, n + 1 - first], dim=1) - n - 1  # the same, seen from the other side of a square
    assert hypervolume(-square, [n + 1, n + 1], directions="min") == n * (n + 1) / 2


@pytest.mark.parametrize("m", range(1, 11))
def test_one_point_spans_a_box(m):
    sides = torch.arange(1, m + 1)
    assert hypervolume(sides[None] - 2, torch.full((m,), -2)) == math.factorial(m)


@pytest.mark.parametrize("m", range(2, 13))
def test_disjoint_gains_add_up(m):
    """Points that gain 1 over the unit cube, each along its own objective."""
    assert hypervolume(torch.ones(m, m) + torch.eye(m), [0.0] * m) == 1 + m


@pytest.mark.parametrize("m", [6, 8, 10])
def test_many_objectives_agree_with_moocore_where_boxes_are_cut_and_sliced(m):
    """More rows than fit into words of 64 bits, so that every branch of the compiled algorithm runs."""
    boxes = bowl(40 if m == 10 else 60, m)
    expected = moocore.hypervolume(boxes.numpy(), ref=[0.0] * m, maximise=True)
    assert volume_of(boxes) == pytest.approx(expected, rel=1e-11)


def test_one_objective_is_the_distance_to_the_reference_point():
    assert hypervolume([[1.0], [3.5], [2.0]], [1.0]) == 2.5


@pytest.mark.parametrize("kind", ["front", "ties", "outside", "dominated"])
@pytest.mark.parametrize("n", [SWEEP_FROM, 6000])
def test_the_sweep_over_many_points_equals_moocore(kind, n):
    rng = np.random.default_rng(n)
    angle = rng.uniform(0, math.pi / 2, n)
    points = {
        "front": np.stack([np.cos(angle), np.sin(angle)], axis=1) + 1,
        "ties": rng.integers(-5, 60, (n, 2)).astype(float),
        "outside": np.stack([np.linspace(-1, 1, n), np.linspace(1, -1, n) + 0.3], axis=1),
        "dominated": rng.uniform(-1, 1, (n, 2)),
    }[kind]
    assert volume_of(points) == pytest.approx(moocore.hypervolume(points, ref=[0, 0], maximise=True), rel=1e-12)


@few
@given(sets(columns=(6, 9)))
def test_it_is_the_same_without_numba(objectives):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(volume, "_has_numba", lambda: False)
        assert volume_of(objectives) == inclusion_exclusion(objectives)


# --- properties -------------------------------------------------------------------------------------------------------


@moderate
@given(sets(), seeds)
def test_duplicates_dominated_and_outside_points_change_nothing(objectives, seed):
    rng = np.random.default_rng(seed)
    chosen = objectives[rng.integers(len(objectives), size=3)]
    outside = torch.full((1, objectives.shape[1]), 9.0, dtype=torch.float64)
    outside[0, rng.integers(objectives.shape[1])] = 0.0  # on the boundary: not strictly better
    worse = chosen - torch.from_numpy(rng.integers(0, 3, chosen.shape))
    assert volume_of(torch.cat([worse, objectives, chosen, outside])) == volume_of(objectives)


@moderate
@given(sets(), seeds)
def test_adding_a_point_never_lowers_it_and_a_new_trade_off_raises_it(objectives, seed):
    m = objectives.shape[1]
    point = torch.from_numpy(np.random.default_rng(seed).integers(1, 8, size=m).astype(float))
    before, after = volume_of(objectives), volume_of(torch.cat([objectives, point[None]]))
    covered = bool((objectives >= point).all(dim=1).any())
    assert after == before if covered else after >= before + 1  # integers: by one cell


@moderate
@given(sets(rows=(2, 12)))
def test_what_a_point_adds_shrinks_as_the_set_grows(objectives):
    """Submodular: the greedy choice of subsets rests on it."""
    small, point = objectives[: len(objectives) // 2], objectives[-1:]
    gain_of_small = volume_of(torch.cat([small, point])) - volume_of(small)
    assert volume_of(objectives) - volume_of(objectives[:-1]) <= gain_of_small


@moderate
@given(sets(), seeds)
def test_moving_and_stretching_the_space(objectives, seed):
    rng = np.random.default_rng(seed)
    m = objectives.shape[1]
    shift, factors = torch.from_numpy(rng.uniform(-5, 5, m)), torch.from_numpy(rng.uniform(0.1, 10, m))
    found = hypervolume(objectives * factors + shift, shift, warn=False)
    assert found == pytest.approx(volume_of(objectives) * float(factors.prod()), rel=1e-9)


def test_directions_turn_the_reference_point_too():
    assert hypervolume([[1.0, 5.0]], [4.0, 3.0], directions=["min", "max"]) == 6.0
    assert hypervolume([[1.0, 1.0]], [3.0, 4.0], directions="min") == 6.0
    assert hypervolume([[3.0, 4.0]], [1.0, 1.0], directions="max") == hypervolume([[3.0, 4.0]], [1.0, 1.0]) == 6.0


# --- batches and masks ------------------------------------------------------------------------------------------------


@moderate
@given(batches())
def test_a_batch_is_a_loop_and_a_mask_removes_rows(given_batch):
    """Volumes and contributions, exact on integers whichever algorithm runs."""
    batch, mask = given_batch
    n, m = batch.shape[-2:]
    junk = torch.where(mask[..., None], batch, math.nan)
    found, gains = volume_of(junk, mask=mask), contributions_of(junk, mask=mask)
    assert found.shape == mask.shape[:-1]
    assert gains.shape == mask.shape
    for i, (rows, kept) in enumerate(zip(batch.reshape(-1, n, m), mask.reshape(-1, n), strict=True)):
        exact = inclusion_exclusion(rows[kept])
        assert found.reshape(-1)[i].item() == exact == volume_of(rows, mask=kept) == volume_of(rows[kept])
        mine = gains.reshape(-1, n)[i]
        assert mine[kept].tolist() == literal_contributions(rows[kept])
        assert (mine[~kept] == 0).all()
        assert torch.equal(mine, contributions_of(rows, mask=kept))
    assert torch.equal(
        volume_of(batch), torch.tensor([volume_of(one) for one in batch.reshape(-1, n, m)]).reshape(found.shape)
    )


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("n", "m"), [(50, 2), (400, 2), (60, 3), (LOOP_FROM[3] + 10, 3), (30, 4), (20, 5), (15, 7)])
def test_a_batch_of_larger_sets_is_a_loop(n, m, masked):
    batch = bowl(3 * n, m).reshape(3, n, m) - 0.05
    mask = torch.rand(3, n, generator=torch.Generator().manual_seed(0)) < 0.7 if masked else None
    found = volume_of(batch, mask=mask)
    gains = contributions_of(batch, mask=mask)
    for i in range(3):
        kept = slice(None) if mask is None else mask[i]
        assert found[i].item() == pytest.approx(volume_of(batch[i, kept]), rel=1e-12)
        torch.testing.assert_close(gains[i, kept], contributions_of(batch[i, kept]), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("m", range(1, 8))
@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0), (2, 0, 4), (0, 2, 5)])
def test_batches_of_nothing(m, shape):
    batch = torch.empty(*shape, m)
    assert volume_of(batch).shape == shape[:-1]
    assert (volume_of(batch) == 0).all()
    assert contributions_of(batch).shape == shape
    assert hypervolume_approx(batch, [0.0] * m, samples=8).error.shape == shape[:-1]
    assert (relative_hypervolume(batch, np.ones((1, m)), [0.0] * m) == 0).all()


@pytest.mark.parametrize("m", [1, 2, 3, 4, 6])
def test_the_layout_in_memory_does_not_matter(m):
    points = bowl(30, m).numpy()
    expected = volume_of(points)
    gains = contributions_of(points)
    folded = np.repeat(np.repeat(points, 2, axis=0), 2, axis=1)
    for same in (np.asfortranarray(points), folded[::2, ::2], torch.from_numpy(points.copy()).T.contiguous().T):
        assert volume_of(same) == expected
        assert torch.equal(contributions_of(same), gains)
        assert volume_of(np.stack([same, same]))[1] == pytest.approx(expected, rel=1e-14)
    spread = torch.from_numpy(points[:1].copy()).expand(30, m)
    assert volume_of(spread) == pytest.approx(float(np.prod(points[0])), rel=1e-14)


# --- gradients --------------------------------------------------------------------------------------------------------


def central_differences(function, objectives, step=1e-6):
    found = torch.zeros_like(objectives)
    for place in itertools.product(*map(range, objectives.shape)):
        ends = []
        for sign in (1, -1):
            moved = objectives.clone()
            moved[place] += sign * step
            ends.append(function(moved).sum() if torch.is_tensor(function(moved)) else function(moved))
        found[place] = (ends[0] - ends[1]) / (2 * step)
    return found


@pytest.mark.parametrize("leading", [(), (3,), (2, 2)])
@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_the_gradient_is_that_of_central_differences(m, leading):
    """With a mask, dominated rows, rows outside and a minimised objective."""
    rng = np.random.default_rng(m)
    values = torch.from_numpy(rng.uniform(-0.3, 1, (*leading, 9, m)))
    mask = torch.from_numpy(rng.random((*leading, 9)) < 0.8)
    values[..., 1, :] = values[..., 0, :] - 0.1
    values[..., 2, 0] = -2.0
    words = ["max", "min", "max", "max"][:m]
    values *= torch.tensor([1.0 if word == "max" else -1.0 for word in words])

    def function(objectives):
        return hypervolume(objectives, [0.0] * m, mask=mask, directions=words, warn=False)

    flowing = values.clone().requires_grad_()
    found = function(flowing)
    assert found.shape == leading
    found.sum().backward()
    torch.testing.assert_close(flowing.grad, central_differences(function, values), rtol=1e-6, atol=1e-8)
    assert (flowing.grad[~mask] == 0).all()
    assert (flowing.grad[..., 2, :] == 0).all()
    assert (flowing.grad[..., 1, :][mask[..., 0]].abs() < 1e-14).all()


@pytest.mark.parametrize("shape", [(5, 2), (3, 5, 3), (5, 4)])
def test_single_precision_gets_a_gradient_of_single_precision(shape):
    objectives = torch.rand(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = volume_of(objectives)
    assert found.dtype == torch.float64
    found.sum().backward()
    assert objectives.grad.dtype == torch.float32
    exact = objectives.detach().double().requires_grad_()
    volume_of(exact).sum().backward()
    torch.testing.assert_close(objectives.grad, exact.grad.float())


def test_the_value_is_the_same_with_a_gradient():
    for m in (1, 2, 3, 4):
        points = bowl(40, m)
        assert volume_of(points.clone().requires_grad_()).item() == pytest.approx(volume_of(points), rel=1e-12)


@pytest.mark.parametrize("shape", [(6, 5), (2, 6, 5), (6, 7)])
def test_there_is_no_gradient_from_five_objectives_on(shape):
    objectives = torch.rand(shape, requires_grad=True)
    with pytest.raises(
        ValueError, match=rf"has a gradient up to four objectives. Found {shape[-1]}: use `objectives.d"
    ):
        volume_of(objectives)
    assert volume_of(objectives.detach()) is not None
    with torch.no_grad():
        assert not torch.is_tensor(volume_of(objectives)) or not volume_of(objectives).requires_grad


def test_no_gradient_means_a_float():
    with torch.no_grad():
        assert type(volume_of(torch.ones(2, 3, requires_grad=True))) is float


@pytest.mark.parametrize("m", [1, 2])
def test_contributions_have_a_gradient_up_to_two_objectives(m):
    values = torch.tensor([[0.2, 0.9], [0.5, 0.6], [0.9, 0.1], [0.1, 0.1]], dtype=torch.float64)[:, :m]
    flowing = values.clone().requires_grad_()
    (contributions_of(flowing) * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0])
    expected = central_differences(lambda rows: (contributions_of(rows) * weights).sum(), values)
    torch.testing.assert_close(flowing.grad, expected, rtol=1e-6, atol=1e-8)


def test_the_approximation_has_a_gradient():
    values = bowl(6, 5)
    flowing = values.clone().requires_grad_()
    hypervolume_approx(flowing, [0.0] * 5, samples=64).value.backward()
    expected = central_differences(lambda rows: hypervolume_approx(rows, [0.0] * 5, samples=64).value, values)
    torch.testing.assert_close(flowing.grad, expected, rtol=1e-4, atol=1e-6)


# --- contributions ----------------------------------------------------------------------------------------------------


@few
@given(sets(rows=(0, 8), columns=(1, 7)))
def test_a_contribution_is_what_the_front_loses_without_the_row(objectives):
    exact = literal_contributions(objectives)
    assert contributions_of(objectives).tolist() == exact
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(volume, "_has_numba", lambda: False)
        assert contributions_of(objectives).tolist() == exact


@pytest.mark.parametrize("m", range(1, 8))
def test_duplicates_and_dominated_rows_add_nothing_and_take_nothing(m, backend):
    front = bowl(12, m)
    gains = contributions_of(front)
    worse = front - 0.01 * torch.rand(12, m, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    outside = front.clone()
    outside[:, 0] = -1.0
    longer = torch.cat([worse, front, outside])
    torch.testing.assert_close(contributions_of(longer)[12:24], gains, rtol=1e-9, atol=1e-15)
    assert (contributions_of(longer)[:12] == 0).all()
    assert (contributions_of(longer)[24:] == 0).all()
    assert (contributions_of(torch.cat([front, front])) == 0).all()
    twice = contributions_of(torch.cat([front, front[3:4]]))
    assert twice[3] == twice[12] == 0


@pytest.mark.parametrize("m", range(2, 8))
def test_contributions_are_never_negative_and_sum_to_no_more_than_the_volume(m, backend):
    """Also for rows that differ by rounding only."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        nearly_equal = 0.7 + rng.random((12, m)) * 10.0 ** -rng.integers(8, 17)
        for rows in (nearly_equal, bowl(20, m, seed)):
            gains = contributions_of(rows)
            assert (gains >= 0).all()
            assert float(gains.sum()) <= volume_of(rows) * (1 + 1e-12)


@pytest.mark.parametrize("m", [3, 4, 6])
def test_contributions_of_a_front_equal_the_differences(m, backend):
    front, low = sphere(25, m), [-0.1] * m
    whole = hypervolume(front, low)
    expected = [whole - hypervolume(torch.cat([front[:i], front[i + 1 :]]), low) for i in range(25)]
    np.testing.assert_allclose(hypervolume_contributions(front, low), expected, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("call", [lambda x: volume_of(x), lambda x: contributions_of(x), lambda x: volume_of(x[None])])
def test_it_is_said_once_that_numba_is_missing(call, without_numba):
    boxes = bowl(5, 6)
    with pytest.warns(UserWarning, match="numba is not installed: hypervolumes of six or more objectives") as caught:
        found = call(boxes)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = call(boxes)
        volume_of(bowl(5, 7))
        contributions_of(bowl(5, 4))
    assert torch.equal(torch.as_tensor(found), torch.as_tensor(again))


def test_nothing_is_said_where_numba_would_not_help(without_numba):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        volume_of(bowl(5, 5))
        contributions_of(bowl(5, 3))
        predicted_seconds(1000, 5)


# --- relative hypervolume ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", range(1, 8))
def test_the_reference_set_itself_scores_one(m):
    front = bowl(20, m)
    assert relative_hypervolume(front, front, [0.0] * m) == 1.0
    assert relative_hypervolume(1.1 - front, 1.1 - front, [1.1] * m, directions="min") == pytest.approx(1.0, rel=1e-12)
    batch = torch.stack([front, 2 * front, 0 * front])
    found = relative_hypervolume(batch, front, [0.0] * m)
    torch.testing.assert_close(found, torch.tensor([1.0, 2.0**m, 0.0], dtype=torch.float64), rtol=1e-12, atol=0)


def test_a_relative_volume_is_a_quotient():
    assert relative_hypervolume([[1.0, 2.0]], [[2.0, 2.0], [1.0, 4.0]], [0.0, 0.0]) == 2 / 6
    assert relative_hypervolume([], [[2.0, 2.0]], [0.0, 0.0]) == 0.0
    flowing = torch.tensor([[1.0, 2.0]], requires_grad=True)
    relative_hypervolume(flowing, [[2.0, 2.0]], [0.0, 0.0]).backward()
    assert flowing.grad.tolist() == [[0.5, 0.25]]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            [[1.0, 0.0], [-1.0, 5.0]],
            "`reference_set` should have a hypervolume above 0. None of its rows is better than",
        ),
        ([], "`reference_set` should have at least one row"),
        (np.empty((0, 2)), "`reference_set` should have at least one row"),
        ([[1.0, math.nan]], r"`reference_set` should be finite. Row 0 is \[1.0, nan\]"),
        ([[1.0, 1.0], [math.inf, 1.0]], r"`reference_set` should be finite. Row 1 is"),
        ([[1.0, 1.0, 1.0]], "the same number of columns, one per objective. Found 2 and 3"),
        ([1.0, 1.0], r"`reference_set` should have shape \[k, m\]. Found \[2\]"),
        (np.ones((2, 3, 2)), r"`reference_set` should have shape \[k, m\]. Found \[2, 3, 2\]"),
    ],
)
def test_a_reference_set_that_does_not_fit_is_an_error(reference, message):
    with pytest.raises(ValueError, match=message):
        relative_hypervolume([[1.0, 1.0]], reference, [0.0, 0.0])


def test_a_relative_volume_of_zero_is_no_reason_to_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert relative_hypervolume([[-1.0, 1.0]], [[1.0, 1.0]], [0.0, 0.0]) == 0.0


# --- approximation ----------------------------------------------------------------------------------------------------


def approximations(front, count, **options):
    low = [0.0] * front.shape[1]
    return np.array([hypervolume_approx(front, low, seed=seed, **options) for seed in range(count)])


@pytest.mark.parametrize(("m", "n"), [(3, 20), (4, 20), (5, 15), (6, 15), (7, 12), (8, 12)])
def test_the_truth_lies_within_four_errors_and_the_errors_are_honest(m, n):
    """Errors over the one that is stated follow Student's t of 7 degrees of freedom: 0.5 % lie beyond 4."""
    front = bowl(n, m, seed=m)
    found = approximations(front, 100, samples=256, replicates=8)
    truth = volume_of(front)
    scaled = (found[:, 0] - truth) / found[:, 1]
    assert (np.abs(scaled) < 4).mean() >= 0.97
    assert np.abs(scaled).max() < 8
    assert abs(scaled.mean()) < 0.4
    size = np.sqrt(((found[:, 0] - truth) ** 2).mean())
    assert 0.75 < size / np.sqrt((found[:, 1] ** 2).mean()) < 1.3


def test_two_replicates_are_enough_for_an_error():
    found = approximations(bowl(10, 4), 60, samples=64, replicates=2)
    scaled = np.abs(found[:, 0] - volume_of(bowl(10, 4))) / found[:, 1]
    assert 0.4 < np.median(scaled) < 2.2  # 1 for Cauchy's distribution


@pytest.mark.parametrize("m", [1, 2, 5])
def test_one_box_is_approximated_too(m):
    value, error = hypervolume_approx([[2.0] * m], [0.0] * m, samples=2**10)
    assert value == pytest.approx(2**m, abs=4 * error + 1e-12)


def test_the_error_shrinks_with_the_samples_and_faster_than_by_their_root():
    errors = [approximations(bowl(20, 5), 20, samples=samples)[:, 1].mean() for samples in (2**6, 2**8, 2**10, 2**12)]
    assert all(after < 0.55 * before for before, after in itertools.pairwise(errors))
    assert errors[-1] < errors[0] / 8


def test_it_is_the_same_for_the_same_seed_and_leaves_the_global_one_alone():
    front = bowl(10, 4)
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    first = hypervolume_approx(front, [0.0] * 4, seed=3, samples=64)
    assert hypervolume_approx(front, [0.0] * 4, seed=3, samples=64) == first
    assert hypervolume_approx(front, [0.0] * 4, seed=4, samples=64) != first
    assert torch.equal(torch.random.get_rng_state(), before)
    batch = hypervolume_approx(torch.stack([front, front]), [0.0] * 4, seed=3, samples=64)
    np.testing.assert_allclose(batch.value, first.value, rtol=1e-13)
    np.testing.assert_allclose(batch.error, first.error, rtol=1e-9)


@pytest.mark.parametrize("m", [1, 3, 6])
def test_nothing_has_no_volume_and_no_error(m):
    assert hypervolume_approx([], [0.0] * m) == (0.0, 0.0)
    assert hypervolume_approx(np.empty((0, m)), [0.0] * m) == (0.0, 0.0)
    assert hypervolume_approx(-np.ones((3, m)), [0.0] * m) == (0.0, 0.0)
    assert hypervolume_approx(np.ones((3, m)), [0.0] * m, mask=[False] * 3) == (0.0, 0.0)


def test_many_objectives_do_not_leave_the_range_of_floats():
    value, error = hypervolume_approx(torch.full((1, 400), 1e-3), [0.0] * 400, samples=4)
    assert value >= 0
    assert error >= 0
    huge = hypervolume_approx([[1e150, 1e150]], [0.0, 0.0])
    assert huge.value == pytest.approx(1e300, rel=4 * huge.error / 1e300)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "`samples` should be at least 1"),
        ({"replicates": 1}, "`replicates` should be at least 2"),
        ({"seed": -1}, "`seed` should be "),
        ({"seed": 2**70}, "`seed` should be "),
    ],
)
def test_a_count_that_is_too_small_is_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        hypervolume_approx([[1.0, 1.0]], [0.0, 0.0], **options)


@pytest.mark.parametrize("m", [1, 2, 9, 40])
def test_directions_lie_on_the_sphere_and_are_uniform(m):
    found = sphere_directions(m, 512, seed=0)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(512, dtype=torch.float64))
    assert (found >= 0).all()
    torch.testing.assert_close(found.square().mean(dim=0), torch.full((m,), 1 / m).double(), rtol=0.15, atol=0)


# --- the switch to the approximation ----------------------------------------------------------------------------------


def test_what_would_take_too_long_is_approximated_and_said():
    front = bowl(300, 12)
    assert predicted_seconds(300, 12) > MAX_SECONDS
    with pytest.warns(
        UserWarning, match=r"of 300 points of 12 objectives would take about \S+ s: .* error of"
    ) as caught:
        found = volume_of(front)
    assert caught[0].filename == __file__
    estimate = hypervolume_approx(front, [0.0] * 12, samples=2**14)
    assert found == estimate.value
    assert f"{estimate.error:.2g}. `max_seconds`" in str(caught[0].message)


def test_the_limit_is_the_users():
    front = bowl(14, 6)
    exact = volume_of(front, max_seconds=math.inf)
    assert volume_of(front) == exact
    with pytest.warns(UserWarning, match="this is an approximation"):
        found = volume_of(front, max_seconds=0.0)
    assert found == hypervolume_approx(front, [0.0] * 6, samples=2**14).value
    assert found != exact
    assert found == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("shape", [(0, 9, 12), (2, 0, 12), (0, 12)])
def test_nothing_is_exact_whatever_the_limit(shape):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = torch.as_tensor(volume_of(torch.empty(shape), max_seconds=0.0))
    assert found.shape == shape[:-2]
    assert (found == 0).all()


def test_infinite_seconds_are_always_exact(monkeypatch):
    front = bowl(14, 6)
    monkeypatch.setattr(volume, "predicted_seconds", lambda *_, **__: 1e300)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert volume_of(front, max_seconds=math.inf) == volume_of(front.numpy(), max_seconds=math.inf)


@pytest.mark.parametrize(("n", "m"), [(300, 5), (100, 8), (40, 12), (30, 15)])
def test_dominated_rows_do_not_count_as_work(n, m):
    """n rows of over 10,000 are left, whose exact volume is quick; without a filter all rows may take minutes."""
    rng = np.random.default_rng(0)
    front = bowl(n, m)
    cloud = front[rng.integers(n, size=10_000)] * torch.from_numpy(rng.uniform(0.8, 1, (10_000, m)))
    everything = torch.cat([cloud, front, -cloud[:1000], front])
    assert predicted_seconds(len(everything), m) > 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exact = volume_of(front)
        quickly(lambda: volume_of(everything, max_seconds=1.0), 3.0)
        assert volume_of(everything) == pytest.approx(exact, rel=1e-12)
        batch = torch.stack([everything, everything.flip(0)])
        assert volume_of(batch).tolist() == pytest.approx([exact] * 2, rel=1e-12)


def test_rows_outside_do_not_count_as_work():
    front = bowl(300, 12)
    front[10:, 0] = 2 - 3 * front[10:, 0].sign()  # still non-dominated among themselves
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert volume_of(front) == pytest.approx(volume_of(front[:10]), rel=1e-12)


def test_a_masked_front_is_quick_too():
    front = bowl(300, 12)
    mask = torch.arange(300) < 10
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert volume_of(front, mask=mask) == volume_of(front[:10])


def test_one_hard_set_of_a_batch_is_enough():
    batch = torch.stack([bowl(300, 12), -bowl(300, 12)])
    outside, approximation = "in 1 of 2 sets no point is better", "this is an approximation"
    with pytest.warns(UserWarning, match=outside), pytest.warns(UserWarning, match=approximation):
        assert hypervolume(batch, [0.0] * 12)[1] == 0


def test_a_relative_volume_is_approximated_and_said():
    front = bowl(300, 12)
    with pytest.warns(UserWarning, match="this is an approximation") as caught:
        assert relative_hypervolume(front, front, [0.0] * 12) == 1.0
    assert {one.filename for one in caught} == {__file__}


# --- input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [[], np.empty((0, 3)), torch.empty(0, 3), np.empty(0)])
def test_an_empty_set_has_none(empty):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hypervolume(empty, [0.0, 0.0, 0.0]) == 0.0
        assert hypervolume(empty, [0.0, 0.0, 0.0], directions="min") == 0.0
        assert hypervolume_contributions(empty, [0.0, 0.0, 0.0]).shape == (0,)


def test_lists_are_not_rounded_to_single_precision():
    assert hypervolume([[0.1, 0.3]], [0.0, 0.1]) == 0.1 * (0.3 - 0.1)


def test_large_integers_do_not_overflow():
    assert hypervolume(torch.tensor([[2**40, 2**40]]), torch.tensor([0, 0])) == 2.0**80


@pytest.mark.parametrize("n", [5, SWEEP_FROM])
@pytest.mark.parametrize("directions", [None, "min", ["max", "min"]])
def test_arguments_are_not_changed(n, directions):
    objectives = np.random.default_rng(0).normal(size=(n, 2))
    reference_point = np.array([0.3, -0.2])
    copies = objectives.copy(), reference_point.copy()
    hypervolume(objectives, reference_point, directions=directions, warn=False)
    hypervolume(torch.from_numpy(objectives), torch.from_numpy(reference_point), directions=directions, warn=False)
    np.testing.assert_array_equal(objectives, copies[0])
    np.testing.assert_array_equal(reference_point, copies[1])


def test_everything_but_the_set_and_the_point_is_named():
    with pytest.raises(TypeError, match="positional"):
        hypervolume([[1.0, 1.0]], [0.0, 0.0], "min")


def relative_to_a_box(objectives, low, directions=None, **options):
    corner = np.add(low, -1 if directions == "min" else 1)
    return relative_hypervolume(objectives, corner[None], low, directions=directions, **options)


FUNCTIONS = {
    "hypervolume": hypervolume,
    "hypervolume_contributions": hypervolume_contributions,
    "hypervolume_approx": hypervolume_approx,
    "relative_hypervolume": relative_to_a_box,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("m", range(1, 9))
@pytest.mark.parametrize("batch", [False, True])
def test_nan_raises_at_once(name, m, batch):
    objectives = torch.rand(200, m)
    objectives[7, m - 1] = math.nan
    objectives[9, 0] = math.nan

    def call():
        with pytest.raises(ValueError, match=r"^`objectives` should hold no NaN\. Row 7 .*is \["):
            FUNCTIONS[name](torch.stack([objectives] * 2) if batch else objectives, [-1.0] * m)

    quickly(call, 1.0)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 6])
def test_infinitely_good_is_an_error_and_infinitely_bad_counts_as_no_row(name, m):
    objectives = bowl(8, m)
    expected = FUNCTIONS[name](objectives[1:], [0.0] * m)
    objectives[0, m - 1] = -math.inf
    found = FUNCTIONS[name](objectives, [0.0] * m)
    np.testing.assert_allclose(found[1:] if name == "hypervolume_contributions" else found, expected, rtol=1e-9)
    assert FUNCTIONS[name](-objectives, [0.0] * m, directions="min") is not None
    with pytest.raises(ValueError, match=r"`objectives` should be finite where it is good\. Row 0 is \["):
        FUNCTIONS[name](-objectives, [0.0] * m)
    with pytest.raises(ValueError, match=r"`objectives` should be finite where it is good\. Row 0 is \["):
        FUNCTIONS[name](objectives, [0.0] * m, directions="min")


CRASHES = """
import sys, numpy as np, moo.indicators as i
call = getattr(i, sys.argv[1])
for m in range(1, 9):
    rest = (np.full((1, m), -1e308), [-1.5e308] * m) if sys.argv[1] == "relative_hypervolume" else ([-1.5e308] * m,)
    rest = (*rest, 2) if sys.argv[1] == "hypervolume_subset" else rest
    for rows in (np.full((5, m), 1e308), np.vstack([np.full((4, m), -1.5e308), np.full((1, m), 1e308)])):
        for shape in (rows.shape, (1, *rows.shape)):
            try:
                call(rows.reshape(shape), *rest)
            except ValueError as error:
                assert "leaves the range of float64" in str(error) or "one set" in str(error), error
            else:
                raise AssertionError(m)
"""


@pytest.mark.parametrize("name", [*FUNCTIONS, "hypervolume_subset"])
def test_sides_beyond_the_range_of_floats_are_an_error(name):
    """In a process of its own: moocore crashes on infinite sides of three and four objectives."""
    assert subprocess.run([sys.executable, "-W", "error", "-c", CRASHES, name], check=False).returncode == 0


@pytest.mark.parametrize("m", range(2, 9))
@pytest.mark.parametrize("leading", [(), (1,)])
def test_a_volume_beyond_the_range_of_floats_is_an_error(m, leading):
    objectives = 1e200 * bowl(6, m).reshape(*leading, 6, m)
    for call in (volume_of, contributions_of, lambda x: hypervolume_approx(x, [0.0] * m)):
        with pytest.raises(
            ValueError, match="The hypervolume leaves the range of float64: scale `objectives` and `ref"
        ):
            call(objectives)


def test_tiny_sides_are_harmless():
    for m in range(1, 8):
        assert volume_of(1e-300 * bowl(6, m)) >= 0
        assert (contributions_of(5e-324 * bowl(6, m).ceil()) >= 0).all()


def test_a_warning_counts_the_points_when_all_are_outside():
    with pytest.warns(
        UserWarning, match=r"none of the 3 points is better than the reference point \[1.0, 1.0\]"
    ) as caught:
        assert hypervolume([[0.0, 5.0], [1.0, 1.0], [5.0, 1.0]], [1.0, 1.0]) == 0.0
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=r"none of the 1 points .*\[1.0, 2.0\] in every objective. Check `directions`"):
        assert hypervolume([[5.0, 5.0]], [1.0, 2.0], directions="min") == 0.0  # the point as given, not as it is turned
    with pytest.warns(UserWarning, match=r"none of the 2 points"):
        hypervolume(np.zeros((3, 2)), torch.ones(2), mask=[True, False, True])


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 6])
def test_a_warning_counts_the_sets_of_a_batch(m):
    batch = torch.stack([torch.ones(4, m), -torch.ones(4, m), torch.zeros(4, m), torch.ones(4, m)])
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[2] = False  # empty: no reason to warn
    with pytest.warns(UserWarning, match=r"The hypervolume is 0: in 1 of 4 sets no point is better than") as caught:
        assert hypervolume(batch, [0.0] * m, mask=mask).tolist() == [1.0, 0.0, 0.0, 1.0]
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("objectives", "options"),
    [
        ([[0.0, 5.0], [2.0, 2.0]], {}),  # one is inside
        ([[1 + 1e-200, 1 + 1e-200], [1e-200, 2.0]], {"warn": False}),
        ([[0.0, 0.0]], {"warn": False}),
        ([[[0.0, 0.0]], [[0.0, 0.0]]], {"warn": False}),
        ([[0.0, 0.0]], {"mask": [False]}),
        ([[-math.inf, 0.0]], {}),  # counts as no row
        (np.empty((3, 0, 2)), {}),
    ],
)
def test_there_is_no_warning_otherwise(objectives, options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hypervolume(objectives, [1.0, 1.0], **options)


@pytest.mark.parametrize("m", [2, 3, 6])
def test_a_volume_that_underflows_is_not_taken_for_outside(m):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hypervolume([[1e-200] * m], [0.0] * m) == 0.0
        assert hypervolume([[[1e-200] * m]], [0.0] * m) == 0.0


def test_a_reference_point_that_does_not_fit_is_an_error():
    functions = {**FUNCTIONS, "relative_hypervolume": lambda x, low: relative_hypervolume(x, [[1.0, 1.0]], low)}
    for call in functions.values():
        with pytest.raises(ValueError, match=r"`reference_point` should be a list of 2 numbers. Found shape \[3\]"):
            call([[1.0, 1.0]], [0.0, 0.0, 0.0])
        with pytest.raises(ValueError, match=r"`reference_point` should be a list of 2 numbers. Found shape \[1\]"):
            call([[1.0, 1.0]], [0.0])
        with pytest.raises(ValueError, match=r"`reference_point` should be finite. Found \[0.0, nan\]"):
            call([[1.0, 1.0]], [0.0, math.nan])
        with pytest.raises(TypeError, match="`reference_point` should be a list of 2 numbers"):
            call([[1.0, 1.0]], ["a", "b"])


def test_a_wrong_shape_is_named():
    message = r"^`objectives` should have shape \[n, m\], or \[\.\.\., n, m\] for a batch of sets\. Found \[2\]\.$"
    for call in FUNCTIONS.values():
        with pytest.raises(ValueError, match=message):
            call([1.0, 1.0], [0.0, 0.0])


# --- cost -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", [True, False])
def test_predicted_seconds_grow_with_points_and_objectives(compiled):
    counts = [0, 1, 2, 5, 10, 19, 20, 21, 50, 100, 300, 1000, 2000, 10**4, 10**5, 10**7, 10**12]
    objectives = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 40, 200, 1000, 10**5]
    table = np.array([[predicted_seconds(n, m, compiled=compiled) for m in objectives] for n in counts])
    assert (table > 0).all()
    assert (table[1:] >= table[:-1]).all()
    assert (table[:, 1:] >= table[:, :-1]).all()
    assert predicted_seconds(10**7, 200, compiled=compiled) == math.inf
    assert math.isfinite(predicted_seconds(10**7, 5, compiled=compiled))


# CPU seconds of the machine on which the formulas were fitted, on fronts like `bowl`.
WITH_NUMBA = [
    *[(10, 6, 1.3e-5), (100, 6, 1.2e-3), (1000, 6, 0.051), (10_000, 6, 0.91), (30, 7, 2.1e-4), (300, 7, 0.051)],
    *[(2000, 7, 1.06), (20, 8, 1.1e-4), (150, 8, 0.060), (2000, 8, 10.2), (50, 9, 7.2e-3), (700, 9, 13.2)],
    *[(30, 10, 1.9e-3), (100, 10, 0.24), (500, 10, 25.8), (70, 11, 0.25), (200, 11, 12.4), (20, 12, 8.5e-4)],
    *[(50, 12, 0.09), (150, 12, 24.6), (50, 13, 0.29), (100, 13, 10.9), (15, 15, 6.3e-4), (70, 15, 19.3)],
    *[(13, 50, 2.2e-3), (20, 100, 0.46), (20, 200, 0.87), (5, 200, 4.1e-5)],
]
WITHOUT_NUMBA = [
    *[(10, 6, 1.2e-5), (100, 6, 4.1e-3), (1500, 6, 6.3), (30, 7, 6.5e-4), (300, 7, 4.3), (20, 8, 5.8e-4)],
    *[(150, 8, 6.7), (15, 9, 4.3e-4), (70, 9, 1.76), (40, 10, 0.41), (70, 10, 13.7), (20, 11, 0.017)],
    *[(40, 11, 1.96), (15, 12, 7.7e-3), (30, 12, 1.22), (10, 31, 2.2e-5)],
]
EITHER = [
    *[(100, 2, 8e-6), (10_000, 2, 5e-4), (100, 3, 1.2e-5), (10_000, 3, 2.9e-3), (1000, 4, 1.5e-3), (10_000, 4, 0.057)],
    *[(100, 5, 9.7e-5), (10_000, 5, 1.1)],
]


@pytest.mark.parametrize(
    ("n", "m", "compiled", "measured"),
    [
        *[(n, m, True, seconds) for n, m, seconds in WITH_NUMBA + EITHER],
        *[(n, m, False, seconds) for n, m, seconds in WITHOUT_NUMBA + EITHER],
    ],
)
def test_predicted_seconds_have_the_order_of_magnitude_of_measured_times(n, m, compiled, measured):
    assert 1 / 3 < predicted_seconds(n, m, compiled=compiled) / measured < 3


def test_predicted_seconds_are_those_of_what_is_installed(without_numba):
    for n, m in ((100, 5), (100, 6), (30, 12)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert predicted_seconds(n, m) == predicted_seconds(n, m, compiled=False)
            assert predicted_seconds(np.int64(n), np.int64(m)) == predicted_seconds(n, m)
    assert predicted_seconds(100, 5, compiled=True) == predicted_seconds(100, 5, compiled=False)
    assert predicted_seconds(100, 8, compiled=True) < predicted_seconds(100, 8, compiled=False)


def test_predicted_seconds_use_numba_where_it_is_installed():
    pytest.importorskip("numba")
    assert predicted_seconds(100, 8) == predicted_seconds(100, 8, compiled=True)
