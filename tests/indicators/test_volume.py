"""Hypervolume against inclusion and exclusion, closed forms and its named properties."""

import importlib
import inspect
import itertools
import math
import os
import subprocess
import sys
import warnings

import moocore
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import moo.indicators
from moo.indicators import INDICATORS, hypervolume
from moo.indicators.volume import SWEEP_FROM, predicted_seconds

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def sets(draw, rows=(1, 12), columns=(1, 6)):
    """Small integers above and below the reference point 0: ties, duplicates, dominated and outside points."""
    n, m = draw(st.integers(*rows)), draw(st.integers(*columns))
    rng = np.random.default_rng(draw(seeds))
    return torch.from_numpy(rng.integers(draw(st.integers(-2, 1)), 6, size=(n, m)).astype(float))


def volume(objectives, **options):
    """Hypervolume above the origin, without the warning."""
    return hypervolume(objectives, torch.zeros(objectives.shape[1]), warn=False, **options)


def inclusion_exclusion(objectives):
    """Literal definition above the origin: volumes of all intersections of the boxes, with alternating signs."""
    boxes = [[max(value, 0.0) for value in row] for row in objectives.tolist()]
    return sum(
        (-1) ** (size + 1) * math.prod(map(min, zip(*chosen, strict=True)))
        for size in range(1, len(boxes) + 1)
        for chosen in itertools.combinations(boxes, size)
    )


# --- values ---------------------------------------------------------------------------------------------------------


@moderate
@given(sets(rows=(1, 8), columns=(1, 7)))
def test_it_equals_inclusion_and_exclusion(objectives):
    assert volume(objectives) == pytest.approx(inclusion_exclusion(objectives), rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 10, 100, SWEEP_FROM - 1, SWEEP_FROM, 5000])
def test_a_staircase_has_a_triangular_number_of_cells(n):
    first = torch.arange(1, n + 1)
    assert hypervolume(torch.stack([first, n + 1 - first], dim=1), [0, 0]) == n * (n + 1) / 2
    square = torch.stack([first, n + 1 - first], dim=1) - n - 1  # the same, seen from the other side of a square
    assert hypervolume(-square, [n + 1, n + 1], directions="min") == n * (n + 1) / 2


@pytest.mark.parametrize("m", range(1, 9))
def test_one_point_spans_a_box(m):
    sides = torch.arange(1, m + 1)
    assert hypervolume(sides[None] - 2, torch.full((m,), -2)) == math.factorial(m)


@pytest.mark.parametrize("m", range(2, 8))
def test_disjoint_gains_add_up(m):
    """Points that gain 1 over the unit cube, each along its own objective."""
    assert hypervolume(torch.ones(m, m) + torch.eye(m), [0.0] * m) == 1 + m


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
    assert volume(points) == pytest.approx(moocore.hypervolume(points, ref=[0, 0], maximise=True), rel=1e-12)


# --- properties -----------------------------------------------------------------------------------------------------


@moderate
@given(sets(), seeds)
def test_permuting_points_changes_nothing(objectives, seed):
    order = np.random.default_rng(seed).permutation(len(objectives))
    assert volume(objectives[order]) == pytest.approx(volume(objectives), rel=1e-12)


@moderate
@given(sets(), seeds)
def test_permuting_objectives_changes_nothing(objectives, seed):
    order = np.random.default_rng(seed).permutation(objectives.shape[1])
    assert volume(objectives[:, order]) == pytest.approx(volume(objectives), rel=1e-12)


@moderate
@given(sets(), seeds)
def test_duplicates_dominated_and_outside_points_change_nothing(objectives, seed):
    rng = np.random.default_rng(seed)
    chosen = objectives[rng.integers(len(objectives), size=3)]
    outside = torch.full((1, objectives.shape[1]), 9.0, dtype=torch.float64)
    outside[0, rng.integers(objectives.shape[1])] = 0.0  # on the boundary: not strictly better
    worse = chosen - torch.from_numpy(rng.uniform(0, 2, chosen.shape))
    longer = torch.cat([worse, objectives, chosen, outside])
    assert volume(longer) == pytest.approx(volume(objectives), rel=1e-12)


@moderate
@given(sets(), seeds)
def test_adding_a_point_never_lowers_it_and_a_new_trade_off_raises_it(objectives, seed):
    m = objectives.shape[1]
    point = torch.from_numpy(np.random.default_rng(seed).integers(1, 8, size=m).astype(float))
    before, after = volume(objectives), volume(torch.cat([objectives, point[None]]))
    covered = bool((objectives >= point).all(dim=1).any())
    assert after == pytest.approx(before, rel=1e-12) if covered else after > before + 0.5  # integers: by one cell


@moderate
@given(sets(), seeds)
def test_moving_and_stretching_the_space(objectives, seed):
    rng = np.random.default_rng(seed)
    m = objectives.shape[1]
    shift, factors = torch.from_numpy(rng.uniform(-5, 5, m)), torch.from_numpy(rng.uniform(0.1, 10, m))
    found = hypervolume(objectives * factors + shift, shift, warn=False)
    assert found == pytest.approx(volume(objectives) * float(factors.prod()), rel=1e-9)


@moderate
@given(sets(), seeds)
def test_turning_objectives_with_their_directions_changes_nothing(objectives, seed):
    words = np.random.default_rng(seed).choice(["min", "max"], objectives.shape[1]).tolist()
    turned = objectives * torch.tensor([1.0 if word == "max" else -1.0 for word in words])
    assert volume(turned, directions=words) == volume(objectives)
    assert volume(-objectives, directions="min") == volume(objectives)


def test_directions_turn_the_reference_point_too():
    assert hypervolume([[1.0, 5.0]], [4.0, 3.0], directions=["min", "max"]) == 6.0
    assert hypervolume([[1.0, 1.0]], [3.0, 4.0], directions="min") == 6.0
    assert hypervolume([[3.0, 4.0]], [1.0, 1.0], directions="max") == hypervolume([[3.0, 4.0]], [1.0, 1.0]) == 6.0


# --- input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [[], np.empty((0, 3)), torch.empty(0, 3), np.empty(0)])
def test_an_empty_set_has_none(empty):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hypervolume(empty, [0.0, 0.0, 0.0]) == 0.0
        assert hypervolume(empty, [0.0, 0.0, 0.0], directions="min") == 0.0


@pytest.mark.parametrize(
    "given_as",
    [
        list,
        np.array,
        torch.tensor,
        lambda rows: np.array(rows, dtype=np.int32),
        lambda rows: torch.tensor(rows).float(),
    ],
)
def test_lists_arrays_and_integers_are_read_alike(given_as):
    found = hypervolume(given_as([[1, 3], [2, 2], [3, 1]]), given_as([0, 0]))
    assert isinstance(found, float)
    assert found == 6.0


def test_lists_are_not_rounded_to_single_precision():
    assert hypervolume([[0.1, 0.3]], [0.0, 0.1]) == 0.1 * (0.3 - 0.1)


def test_reversed_and_read_only_arrays_are_read():
    points = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])[::-1, ::-1]
    points.flags.writeable = False
    assert hypervolume(points, np.broadcast_to(0.0, 2)) == 6.0


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


def test_points_that_require_a_gradient_are_read():
    assert hypervolume(torch.ones(1, 2, requires_grad=True), [0.0, 0.0]) == 1.0


def test_a_warning_counts_the_points_when_all_are_outside():
    with pytest.warns(UserWarning, match=r"none of the 3 points is better than the reference point \[1.0, 1.0\]"):
        assert hypervolume([[0.0, 5.0], [1.0, 1.0], [5.0, 1.0]], [1.0, 1.0]) == 0.0
    with pytest.warns(UserWarning, match=r"none of the 1 points .*\[1.0, 2.0\] in every objective. Check `directions`"):
        assert (
            hypervolume([[5.0, 5.0]], [1.0, 2.0], directions="min") == 0.0
        )  # the point as it was given, not as it is turned


@pytest.mark.parametrize(
    ("objectives", "options"),
    [
        ([[0.0, 5.0], [2.0, 2.0]], {}),  # one is inside
        ([[1 + 1e-200, 1 + 1e-200], [1e-200, 2.0]], {"warn": False}),
        ([[0.0, 0.0]], {"warn": False}),
    ],
)
def test_there_is_no_warning_otherwise(objectives, options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hypervolume(objectives, [1.0, 1.0], **options)


def test_a_volume_that_underflows_is_not_taken_for_outside():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hypervolume([[1e-200, 1e-200]], [0.0, 0.0]) == 0.0


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_named(m, bad):
    objectives = torch.rand(30, m)
    objectives[7, m - 1] = bad
    with pytest.raises(ValueError, match=r"`objectives` should be finite. Row 7 is \["):
        hypervolume(objectives, [-1.0] * m)


def test_a_reference_point_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match=r"`reference_point` should be a list of 2 numbers. Found shape \[3\]"):
        hypervolume([[1.0, 1.0]], [0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"`reference_point` should be a list of 2 numbers. Found shape \[1\]"):
        hypervolume([[1.0, 1.0]], [0.0])
    with pytest.raises(ValueError, match=r"`reference_point` should be finite. Found \[0.0, nan\]"):
        hypervolume([[1.0, 1.0]], [0.0, math.nan])


def test_objectives_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match=r"`objectives` should have shape \[n, m\]. Found \[2\]"):
        hypervolume([1.0, 1.0], [0.0, 0.0])
    with pytest.raises(ValueError, match=r"`objectives` should have at least one column. Found shape \[2, 0\]"):
        hypervolume(torch.empty(2, 0), [])
    with pytest.raises(TypeError, match="`objectives` should be an array of numbers"):
        hypervolume([["a", "b"]], [0.0, 0.0])


def test_directions_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match=r"`directions` should hold only .* Found 'minimise'"):
        hypervolume([[1.0, 1.0]], [0.0, 0.0], directions="minimise")
    with pytest.raises(ValueError, match=r"`directions` should name one per objective \(2\). Found 3"):
        hypervolume([[1.0, 1.0]], [0.0, 0.0], directions=["min", "min", "max"])


# --- cost and registry ----------------------------------------------------------------------------------------------


def test_predicted_seconds_grow_with_points_and_objectives():
    counts, objectives = [0, 1, 2, 5, 10, 19, 20, 21, 100, 1000, 10**5, 10**7], [1, 2, 3, 4, 5, 6, 7, 10, 20, 200]
    table = np.array([[predicted_seconds(n, m) for m in objectives] for n in counts])
    assert (table > 0).all()
    assert (table[1:] >= table[:-1]).all()
    assert (table[:, 1:] >= table[:, :-1]).all()
    assert predicted_seconds(10**7, 200) == math.inf


@pytest.mark.parametrize(
    ("n", "m", "measured"),
    [
        *[(100, 2, 8e-6), (10_000, 2, 5e-4), (100, 3, 1.2e-5), (10_000, 3, 2.9e-3), (1000, 4, 1.5e-3)],
        *[(10_000, 4, 0.057), (100, 5, 9.7e-5), (10_000, 5, 1.276), (100, 6, 3.1e-3), (1000, 6, 2.0)],
        *[(200, 7, 0.51), (100, 8, 0.64), (150, 8, 4.1), (70, 9, 1.3), (50, 10, 1.27), (25, 12, 0.26)],
    ],
)
def test_predicted_seconds_have_the_order_of_magnitude_of_measured_times(n, m, measured):
    assert 1 / 3 < predicted_seconds(n, m) / measured < 3


@pytest.mark.parametrize("name", sorted(INDICATORS))
def test_an_indicator_resolves_and_takes_the_context_that_it_says(name):
    indicator = INDICATORS[name]
    module, _, attribute = indicator.function.partition(":")
    function = getattr(importlib.import_module(module), attribute)
    assert getattr(moo.indicators, attribute) is function
    assert attribute in moo.indicators.__all__
    assert attribute in dir(moo.indicators)
    parameters = list(inspect.signature(function).parameters)
    assert parameters[: 1 + len(indicator.context)] == ["objectives", *indicator.context]
    assert set(indicator.context) <= {"reference_point", "reference_set", "preferences", "ideal_point"}
    assert not importlib.util.find_spec(f"moo.indicators.{attribute}")  # a module would hide the function


def test_an_unknown_indicator_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'moo.indicators' has no attribute 'hyper'"):
        moo.indicators.hyper  # noqa: B018


def test_listing_the_indicators_loads_nothing_heavy():
    code = "import sys, moo.indicators as i; dir(i); sys.exit(bool({'torch', 'moocore', 'numpy'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
