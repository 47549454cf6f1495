"""Preferences lie on the simplex, lattices are complete, sets spread out, draws follow their distribution."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymoo.util.ref_dirs import get_reference_directions
from scipy.optimize import minimize_scalar

from moo.preferences import (
    check_preferences,
    das_dennis,
    dirichlet,
    grid,
    lattice,
    layered,
    riesz,
    sobol,
    spread,
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


# --- layered lattices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "divisions"), [(2, [3, 2]), (3, [4]), (3, [2, 1]), (5, [3, 2, 2]), (8, [3, 2])])
def test_each_layer_is_half_as_large_as_the_one_around_it(m, divisions):
    rows = layered(m, divisions)
    expected = []
    for i, count in enumerate(divisions):
        for row in das_dennis(m, count).tolist():
            expected.append([1 / m + 0.5**i * (x - 1 / m) for x in row])  # noqa: PERF401
    assert rows.dtype == torch.float64
    torch.testing.assert_close(rows, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-15)
    assert torch.equal(check_preferences(rows, m), rows)


def test_two_layers_are_those_of_nsga3_bit_for_bit():
    rows = layered(8, (3, 2))
    assert torch.equal(rows, torch.cat([das_dennis(8, 3), (das_dennis(8, 2) + 1 / 8) / 2]))
    theirs = get_reference_directions(
        "multi-layer",
        get_reference_directions("das-dennis", 8, n_partitions=3, scaling=1.0),
        get_reference_directions("das-dennis", 8, n_partitions=2, scaling=0.5),
    )
    assert len(rows) == len(theirs) == 156
    np.testing.assert_allclose(sorted(rows.tolist()), sorted(theirs.tolist()), atol=1e-15)


def test_layers_of_one_objective_and_impossible_ones():
    assert layered(1, [4, 2]).tolist() == [[1.0], [1.0]]
    with pytest.raises(ValueError, match=r"`divisions` should name at least one layer. Found none"):
        layered(3, [])
    with pytest.raises(ValueError, match=r"`divisions` should be at least 1. Found 0"):
        layered(3, [2, 0])


def literal_lattice(m, at_most):
    outer = max((h for h in range(1, at_most + 1) if math.comb(h + m - 1, m - 1) <= at_most), default=1)
    rows = das_dennis(m, outer)
    if outer < m:
        fitting = [h for h in range(1, outer + 1) if len(rows) + math.comb(h + m - 1, m - 1) <= at_most]
        if fitting:
            rows = torch.cat([rows, (das_dennis(m, fitting[-1]) + 1 / m) / 2])
    return rows


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 8, 10, 15])
def test_lattice_is_the_largest_of_one_or_two_layers(m):
    for at_most in [1, 2, 3, 4, 7, 10, 20, 45, 91, 92, 100, 120, 156, 275]:
        rows = lattice(m, at_most)
        assert torch.equal(rows, literal_lattice(m, at_most))
        assert m <= len(rows) <= max(m, at_most) or m == len(rows) == 1
        assert torch.equal(check_preferences(rows, m), rows)
        assert all(corner in rows.tolist() for corner in torch.eye(m).tolist())


@pytest.mark.parametrize(("m", "at_most", "size"), [(3, 92, 91), (5, 212, 210), (8, 156, 156), (10, 275, 275)])
def test_lattice_has_the_published_sizes(m, at_most, size):
    assert len(lattice(m, at_most)) == size


def test_lattice_of_many_rows_is_found_at_once():
    assert len(lattice(1, 10**9)) == 1
    assert len(lattice(20, 10**4)) == 8855 + 210  # 4 and 2 divisions


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


# --- low-discrepancy draws ------------------------------------------------------------------------------------------


@moderate
@given(st.integers(1, 200), st.integers(1, 12), seeds)
def test_sobol_points_lie_on_the_simplex_and_continue(k, m, seed):
    rows = sobol(m, k, seed)
    assert rows.shape == (k, m)
    assert rows.dtype == torch.float64
    assert (rows >= 0).all()
    assert torch.equal(check_preferences(rows, m), rows)
    assert torch.equal(sobol(m, k + 9, seed)[:k], rows)


def test_sobol_of_one_objective_is_ones():
    assert sobol(1, 3).tolist() == [[1.0]] * 3


@pytest.mark.parametrize("m", [2, 3, 5, 8])
def test_sobol_points_are_uniform_on_the_simplex(m):
    k = 2**14
    rows = sobol(m, k, seed=5)
    for i in range(m):
        column = rows[:, i].sort().values
        distance = (1 - (1 - column) ** (m - 1) - torch.arange(1, k + 1) / k).abs().max()  # Beta(1, m - 1)
        assert distance < 0.75 / math.sqrt(k)  # random points: 0.87 in the mean
    second = rows.T @ rows / k  # E x_i x_j = (1 + [i = j]) / (m (m + 1))
    exact = (torch.ones(m, m, dtype=torch.float64) + torch.eye(m)) / (m * (m + 1))
    torch.testing.assert_close(second, exact, rtol=0.01, atol=0)
    third = (rows[:, 0] ** 2 * rows[:, -1]).mean().item()
    assert third == pytest.approx(2 / (m * (m + 1) * (m + 2)), rel=0.03)


@pytest.mark.parametrize("m", [2, 3, 5, 8])
@pytest.mark.parametrize("seed", range(5))
def test_equal_volumes_of_the_simplex_hold_equally_many_sobol_points(m, seed):
    rows = sobol(m, 256, seed)
    edges = 1 - (1 - torch.arange(17, dtype=torch.float64) / 16) ** (1 / (m - 1))  # of 16 slices of equal volume
    assert np.histogram(rows[:, 0], edges)[0].tolist() == [16] * 16


def test_sobol_points_are_more_even_than_random_ones():
    errors = []
    for draw in (lambda s: sobol(4, 128, s), lambda s: dirichlet(128, 4, generator(s))):
        box = [((draw(s) >= 0.15).all(dim=1).double().mean() - 0.4**3).abs() for s in range(20)]
        mean = [(draw(s).mean(dim=0) - 0.25).abs().max() for s in range(20)]
        errors.append(torch.tensor([sum(box), sum(mean)]))
    assert (errors[0] < 0.5 * errors[1]).all()


def test_sobol_depends_on_its_seed_alone():
    state = torch.random.get_rng_state()
    assert torch.equal(sobol(3, 8, 4), sobol(3, 8, 4))
    assert not torch.equal(sobol(3, 8, 4), sobol(3, 8, 5))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("draw", [sobol, riesz])
@pytest.mark.parametrize(("arguments", "name"), [((0, 3), "num_objectives"), ((3, 0), "k"), ((3, 3, -1), "seed")])
def test_sets_need_sensible_counts(draw, arguments, name):
    with pytest.raises(ValueError, match=f"`{name}` should be at least"):
        draw(*arguments)


# --- energy sets ----------------------------------------------------------------------------------------------------


def literal_energy(rows, exponent):
    """Logarithm of the sum over pairs."""
    rows = np.asarray(rows)
    return math.log(sum(math.dist(a, b) ** -exponent for a, b in itertools.combinations(rows, 2)))


@pytest.mark.parametrize(("m", "k"), [(2, 7), (3, 4), (3, 10), (4, 9), (5, 30), (8, 12)])
def test_energy_sets_hold_the_corners_first_and_lie_on_the_simplex(m, k):
    rows = riesz(m, k, starts=2)
    assert rows.shape == (k, m)
    assert rows.dtype == torch.float64
    assert torch.equal(rows[:m], torch.eye(m, dtype=torch.float64))
    assert torch.equal(check_preferences(rows, m), rows)
    assert torch.equal(spread(rows), rows)
    assert torch.pdist(rows).min() > 0.5 * k ** (-1 / (m - 1))


def test_energy_sets_of_few_rows_are_corners():
    assert riesz(1, 3).tolist() == [[1.0]] * 3
    assert riesz(4, 2).tolist() == torch.eye(4)[:2].tolist()
    assert riesz(4, 4).tolist() == torch.eye(4).tolist()


def test_energy_sets_of_known_positions():
    torch.testing.assert_close(riesz(2, 3)[2], torch.tensor([0.5, 0.5], dtype=torch.float64), rtol=0, atol=1e-5)
    torch.testing.assert_close(riesz(4, 5)[4], torch.full((4,), 0.25, dtype=torch.float64), rtol=0, atol=1e-5)
    inner = minimize_scalar(
        lambda x: literal_energy([[1, 0], [1 - x, x], [x, 1 - x], [0, 1]], 4), bounds=(0.2, 0.45), method="bounded"
    ).x
    assert sorted(riesz(2, 4)[:, 0].tolist()) == pytest.approx([0, inner, 1 - inner, 1], abs=1e-4)


def test_a_steep_energy_spaces_evenly_and_a_flat_one_crowds_the_edge():
    steep, flat = (riesz(2, 9, exponent=s)[:, 0].sort().values.diff() for s in (80.0, 0.5))
    assert (steep - 1 / 8).abs().max() < 2e-3
    assert flat[0] < 0.9 / 8 < 1.05 / 8 < flat[4]
    with pytest.raises(ValueError, match="`exponent` should be above 0"):
        riesz(2, 9, exponent=0.0)


@pytest.mark.parametrize(("m", "k"), [(3, 15), (5, 20)])
def test_energy_is_at_most_that_of_pymoo(m, k):
    theirs = get_reference_directions("energy", m, k, seed=1)
    assert literal_energy(riesz(m, k), 2 * m) <= literal_energy(theirs, 2 * m) + 1e-6


def test_energy_sets_are_local_minima():
    rows, rng = riesz(3, 14), np.random.default_rng(0)
    least = literal_energy(rows, 6)
    for _ in range(200):  # towards other points of the simplex
        moved = rows.numpy().copy()
        which = rng.integers(3, 14)
        moved[which] += 1e-3 * (rng.dirichlet([0.3] * 3) - moved[which])
        assert literal_energy(moved, 6) > least - 1e-7


def test_more_starts_never_give_a_higher_energy():
    energies = [literal_energy(riesz(3, 25, 7, starts=s), 6) for s in (1, 3, 6)]
    assert energies[0] + 1e-9 >= energies[1] >= energies[2] - 1e-9
    with pytest.raises(ValueError, match="`starts` should be at least 1"):
        riesz(3, 25, starts=0)


def test_energy_sets_depend_on_their_seed_alone():
    torch.manual_seed(3)
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    first = riesz(4, 20, 1, starts=2)
    try:
        torch.set_num_threads(2)
        with torch.no_grad():
            assert torch.equal(riesz(4, 20, 1, starts=2), first)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert not torch.equal(riesz(4, 20, 2, starts=2), first)
    assert torch.equal(torch.random.get_rng_state(), state)
