"""Preferences lie on the simplex, lattices are complete and spread out, scalarisations agree with dominance."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.dominance import non_dominated
from moo.preferences import (
    augmented_tchebycheff,
    check_preferences,
    das_dennis,
    dirichlet,
    grid,
    spread,
    tchebycheff,
    weighted_sum,
)

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# --- checks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given_as", [list, np.array, torch.tensor, lambda rows: torch.tensor(rows, dtype=torch.float32)]
)
def test_preferences_are_read_as_float64(given_as):
    found = check_preferences(given_as([[0.25, 0.75], [1.0, 0.0]]), 2)
    assert found.dtype == torch.float64
    assert found.tolist() == [[0.25, 0.75], [1.0, 0.0]]


def test_lists_are_not_rounded_to_single_precision():
    assert check_preferences([[0.1, 0.2, 0.7]], 3).tolist() == [[0.1, 0.2, 0.7]]


def test_reversed_and_read_only_arrays_are_read():
    rows = np.array([[1.0, 0.0], [0.25, 0.75]])[::-1]
    rows.flags.writeable = False
    assert check_preferences(rows, 2).tolist() == [[0.25, 0.75], [1.0, 0.0]]


def test_one_row_of_preferences_becomes_a_matrix():
    assert check_preferences([0.5, 0.25, 0.25], 3).tolist() == [[0.5, 0.25, 0.25]]
    assert check_preferences([1], 1).tolist() == [[1.0]]


@moderate
@given(st.integers(1, 8), seeds)
def test_preferences_are_renormalised_once_and_for_all(m, seed):
    rows = dirichlet(20, m, generator(seed)) * (1 + 1e-6 * (torch.rand(20, 1, generator=generator(seed)) - 0.5))
    once = check_preferences(rows, m)
    torch.testing.assert_close(once.sum(dim=1), torch.ones(20, dtype=torch.float64), rtol=0, atol=m * 2.3e-16)
    torch.testing.assert_close(once, rows, rtol=1e-6, atol=0)
    assert torch.equal(check_preferences(once, m), once)


def test_checked_preferences_share_no_memory_with_the_argument():
    rows = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    found = check_preferences(rows, 2)
    found[0, 0] = 9.0
    assert rows.tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0.5, 0.5], [0.5, 0.6]], r"Row 1 is \[0.5, 0.6\] \(sum 1.1\). Divide the row by its sum."),
        ([[2.0, 3.0]], r"Row 0 is \[2.0, 3.0\] \(sum 5\). Divide the row by its sum."),
        ([[1.5, -0.5]], r"Row 0 is \[1.5, -0.5\] \(sum 1\). Negative entries .* `directions`"),
        ([[0.5, 0.5], [math.nan, 1.0]], r"Row 1 is \[nan, 1.0\] \(sum nan\). Replace what is not finite."),
        ([[math.inf, 0.0]], r"Row 0 is \[inf, 0.0\] \(sum inf\). Replace what is not finite."),
        ([[0.0, 0.0]], r"Row 0 is \[0.0, 0.0\] \(sum 0\). Give at least one objective a positive entry."),
    ],
)
def test_a_row_off_the_simplex_is_named(rows, message):
    with pytest.raises(ValueError, match=message):
        check_preferences(rows, 2)


@pytest.mark.parametrize(
    ("rows", "found"),
    [([0.5, 0.25, 0.25], r"\[3\]"), ([[1.0]], r"\[1, 1\]"), ([], r"\[0\]"), ([[[1.0, 0.0]]], r"1, 1, 2")],
)
def test_preferences_of_another_shape_are_an_error(rows, found):
    with pytest.raises(ValueError, match=r"`preferences` should have shape \[k, 2\] with k >= 1.*Found .*" + found):
        check_preferences(rows, 2)


def test_preferences_that_are_no_numbers_are_an_error():
    with pytest.raises(TypeError, match=r"`preferences` should be an array of numbers. Found 'uniform'"):
        check_preferences("uniform", 2)
    with pytest.raises(TypeError, match=r"`preferences` should be an array of numbers"):
        check_preferences([[0.5, 0.5], [1.0]], 2)


# --- lattices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "divisions"), [*itertools.product([1, 2, 3, 4, 6], [1, 2, 5, 7])])
def test_das_dennis_is_every_composition_in_lexicographic_order(m, divisions):
    rows = das_dennis(m, divisions)
    expected = [c for c in itertools.product(range(divisions + 1), repeat=m) if sum(c) == divisions]
    assert rows.dtype == torch.float64
    assert (rows * divisions).round().long().tolist() == [list(c) for c in expected]
    assert len(rows) == math.comb(divisions + m - 1, m - 1)
    torch.testing.assert_close(rows.sum(dim=1), torch.ones(len(rows), dtype=torch.float64))


@pytest.mark.parametrize(("m", "divisions"), [(2, 3), (3, 7), (5, 3)])
def test_das_dennis_holds_the_corners_exactly(m, divisions):
    rows = das_dennis(m, divisions).tolist()
    assert all(corner in rows for corner in torch.eye(m).tolist())


def literal_spread(lattice):
    """Farthest-first on integers, where distances and ties are exact."""
    size = sum(lattice[0])
    order = [i for i, row in enumerate(lattice) if max(row) == size] or [0]
    while len(order) < len(lattice):
        left = [i for i in range(len(lattice)) if i not in order]
        near = {i: min(math.dist(lattice[i], lattice[j]) for j in order) for i in left}
        largest = max(near.values())
        order.append(next(i for i in left if near[i] > largest - 1e-9))
    return order


@pytest.mark.parametrize(("m", "divisions"), [(1, 4), (2, 1), (2, 9), (3, 6), (4, 4), (6, 2)])
def test_spread_takes_the_corners_and_then_always_the_farthest(m, divisions):
    lattice = das_dennis(m, divisions)
    integers = (lattice * divisions).round().long().tolist()
    assert torch.equal(spread(lattice), lattice[literal_spread(integers)])


@moderate
@given(st.integers(0, 15), st.integers(1, 4), seeds)
def test_spread_only_reorders(k, m, seed):
    points = dirichlet(k, m, generator(seed))
    before = points.clone()
    assert sorted(spread(points).tolist()) == sorted(points.tolist())
    assert torch.equal(points, before)


def test_spread_keeps_duplicates_for_the_end_and_dtype():
    points = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.0, 1.0], [1.0, 0.0]], dtype=torch.float32)
    assert spread(points).tolist() == [[0.0, 1.0], [1.0, 0.0], [0.5, 0.5], [0.5, 0.5]]
    assert spread(points).dtype == torch.float32


def test_every_prefix_of_a_grid_covers_the_simplex():
    rows = grid(3, 100)
    gaps = torch.cdist(rows, rows)
    radius = [float(gaps[:, :k].amin(dim=1).max()) for k in range(3, len(rows) + 1)]
    separation = [float((gaps[:k, :k] + 9 * torch.eye(k)).min()) for k in range(4, len(rows) + 1)]
    # Gonzalez 1985: farthest-first covers within the distance between any two of its points, for each prefix
    assert all(r <= s + 1e-12 for r, s in zip(radius[1:], separation, strict=True))


@pytest.mark.parametrize(("m", "at_least"), [*itertools.product([2, 3, 4, 6], [1, 10, 100])])
def test_grid_is_the_smallest_lattice_with_enough_rows(m, at_least):
    rows = grid(m, at_least)
    sizes = [math.comb(d + m - 1, m - 1) for d in range(1, 101)]
    assert len(rows) == next(size for size in sizes if size >= at_least)
    assert sorted(rows[:m].tolist()) == sorted(torch.eye(m).tolist())
    assert torch.equal(check_preferences(rows, m), rows)


def test_grid_of_one_objective_is_one_row():
    assert grid(1).tolist() == [[1.0]]


def test_lattice_sizes_below_one_are_errors():
    with pytest.raises(ValueError, match=r"`divisions` should be at least 1. Found 0"):
        das_dennis(3, 0)
    with pytest.raises(ValueError, match=r"`num_objectives` should be at least 1. Found 0"):
        das_dennis(0, 3)
    with pytest.raises(ValueError, match=r"`num_objectives` should be at least 1. Found 0"):
        grid(0)
    with pytest.raises(ValueError, match=r"`at_least` should be at least 1. Found 0"):
        grid(2, at_least=0)


# --- random draws ---------------------------------------------------------------------------------------------------


@moderate
@given(st.integers(0, 20), st.integers(1, 8), st.sampled_from([1e-320, 1e-10, 0.01, 0.5, 1.0, 3.0, 1e4, 1e12]), seeds)
def test_dirichlet_draws_lie_on_the_simplex_for_any_alpha(k, m, alpha, seed):
    rows = dirichlet(k, m, generator(seed), alpha)
    assert rows.shape == (k, m)
    assert rows.dtype == torch.float64
    assert (rows >= 0).all()
    torch.testing.assert_close(rows.sum(dim=1), torch.ones(k, dtype=torch.float64), rtol=0, atol=1e-15)
    assert k == 0 or torch.equal(check_preferences(rows, m), rows)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 4.0])
def test_dirichlet_has_the_mean_and_variance_of_the_distribution(alpha):
    k, m = 40_000, 3
    rows = dirichlet(k, m, generator(1), alpha)
    variance = (m - 1) / (m**2 * (m * alpha + 1))
    assert (rows.mean(dim=0) - 1 / m).abs().max() < 5 * math.sqrt(variance / k)
    assert (rows.var(dim=0) / variance - 1).abs().max() < 0.05


def test_dirichlet_depends_on_its_generator_alone():
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    source = generator(7)
    first, second = dirichlet(5, 3, source), dirichlet(5, 3, source)
    assert torch.equal(dirichlet(5, 3, generator(7)), first)
    assert not torch.equal(first, second)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("alpha", [0.0, -1.0, math.nan, math.inf])
def test_dirichlet_needs_a_positive_alpha(alpha):
    with pytest.raises(ValueError, match=f"`alpha` should be a positive finite number. Found {alpha!r}"):
        dirichlet(2, 2, generator(), alpha)


def test_dirichlet_needs_sensible_counts():
    with pytest.raises(ValueError, match=r"`k` should be at least 0. Found -1"):
        dirichlet(-1, 2, generator())
    with pytest.raises(ValueError, match=r"`num_objectives` should be at least 1. Found 0"):
        dirichlet(1, 0, generator())


# --- scalarisations -------------------------------------------------------------------------------------------------

F = torch.tensor([1.0, 3.0])
P = torch.tensor([0.75, 0.25])
IDEAL = torch.tensor([2.0, 5.0])


def test_scalarisations_of_known_values():
    assert weighted_sum(F, P).item() == 1.5
    assert tchebycheff(F, P, IDEAL).item() == -0.75  # shortfalls 0.75 * 1 and 0.25 * 2
    assert augmented_tchebycheff(F, P, IDEAL, augmentation=0.5).item() == -0.75 - 0.5 * 1.25
    assert augmented_tchebycheff(F, P, IDEAL).item() == pytest.approx(-0.75 - 0.05 * 1.25)
    assert augmented_tchebycheff(F, P, IDEAL, augmentation=0.0).item() == tchebycheff(F, P, IDEAL).item()


def scalarise(name, objectives, preferences, ideal):
    calls = {
        "weighted sum": lambda: weighted_sum(objectives, preferences),
        "tchebycheff": lambda: tchebycheff(objectives, preferences, ideal),
        "augmented": lambda: augmented_tchebycheff(objectives, preferences, ideal),
    }
    return calls[name]()


@pytest.mark.parametrize("name", ["weighted sum", "tchebycheff", "augmented"])
def test_scalarisations_broadcast_and_follow_the_dtype(name):
    objectives, preferences = torch.rand(5, 1, 2), torch.rand(1, 4, 2)
    found = scalarise(name, objectives, preferences, IDEAL)
    assert found.shape == (5, 4)
    assert found.dtype == torch.float32
    one = scalarise(name, objectives[2, 0], preferences[0, 3], IDEAL)
    torch.testing.assert_close(found[2, 3], one)


@pytest.mark.parametrize("name", ["weighted sum", "tchebycheff", "augmented"])
def test_scalarisations_pass_nan_on(name):
    assert scalarise(name, torch.tensor([math.nan, 0.0]), P, IDEAL).isnan()


@moderate
@given(st.integers(1, 5), seeds)
def test_a_better_point_never_scores_lower(m, seed):
    rng = np.random.default_rng(seed)
    worse = torch.from_numpy(rng.integers(-3, 4, (10, m)).astype(float))
    better = worse + torch.from_numpy(rng.integers(0, 3, (10, m)))
    better[:, rng.integers(m)] += 1.0
    preferences = dirichlet(10, m, generator(seed % 2**31)) + 1e-3
    ideal = torch.full((m,), 7.0, dtype=torch.float64)
    assert (weighted_sum(better, preferences) > weighted_sum(worse, preferences)).all()
    assert (tchebycheff(better, preferences, ideal) >= tchebycheff(worse, preferences, ideal)).all()
    assert (augmented_tchebycheff(better, preferences, ideal) > augmented_tchebycheff(worse, preferences, ideal)).all()


@moderate
@given(st.integers(2, 4), seeds)
def test_tchebycheff_reaches_every_non_dominated_point(m, seed):
    objectives = torch.from_numpy(np.random.default_rng(seed).integers(0, 6, (12, m)).astype(float))
    ideal = torch.full((m,), 6.0, dtype=torch.float64)
    for point in objectives[non_dominated(objectives)]:
        preference = 1 / (ideal - point)  # the level set of this preference has its corner at the point
        scores = tchebycheff(objectives, preference / preference.sum(), ideal)
        best = objectives[scores >= scores.max() - 1e-12]
        assert (best == point).all(dim=1).any()
