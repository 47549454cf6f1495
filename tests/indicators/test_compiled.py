"""Compiled volumes against moocore, exact rational oracles, closed forms and their named properties."""

import itertools
import math
import operator
import os
import subprocess
import sys
from fractions import Fraction

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from moo.indicators.compiled import CUT_UP_TO, PACKED, exclusive_volumes, volume

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def grids(draw):
    """Small integers, some of them 0 or below: ties, duplicates, dominated and outside rows."""
    n, m = draw(st.integers(1, 12)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(seeds))
    return rng.integers(draw(st.integers(-1, 1)), 5, size=(n, m)).astype(float)


@st.composite
def mixtures(draw):
    """Up to 60 rows: a front or a cloud, with ties, duplicates, dominated rows and rows with an entry of 0 or below."""
    n, m = draw(st.integers(1, 60)), draw(st.integers(2, 7))
    rng = np.random.default_rng(draw(seeds))
    rows = rng.random((n, m)) if draw(st.booleans()) else 1.1 - sphere(rng, n, m)
    if draw(st.booleans()):
        rows = np.round(rows * 8) / 8
    if draw(st.booleans()):
        rows[rng.integers(n, size=n // 4)] = rows[rng.integers(n, size=n // 4)]
    if draw(st.booleans()):
        rows[rng.integers(n, size=n // 4)] *= rng.random((n // 4, 1))
    if draw(st.booleans()):
        rows -= 0.1
    return rows


def sphere(rng, n, m):
    """Rows on the positive unit sphere."""
    rows = np.abs(rng.standard_normal((n, m)))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def covering(boxes):
    """Which row `[n, 1]` covers which unit cell `[1, cells]`, for boxes of integers."""
    cells = np.indices([max(1, int(boxes.max()))] * boxes.shape[1]).reshape(boxes.shape[1], -1)
    return (boxes[:, :, None] > cells).all(axis=1)


def rational(boxes):
    """Volume and exclusive volumes, exact for any floats: sums over the cells between the coordinates."""
    kept = [[Fraction(value) for value in row] if min(row) > 0 else [] for row in boxes.tolist()]
    axes = [sorted({Fraction(0), *(row[k] for row in kept if row)}) for k in range(boxes.shape[1])]
    total, alone = Fraction(0), [Fraction(0)] * len(kept)
    for cell in itertools.product(*(list(itertools.pairwise(axis)) for axis in axes)):
        tops = [top for _, top in cell]
        owners = [i for i, row in enumerate(kept) if row and all(map(operator.ge, row, tops))]
        size = math.prod(top - bottom for bottom, top in cell)
        total += size if owners else 0
        if len(owners) == 1:
            alone[owners[0]] += size
    return total, alone


def staircase(m, steps):
    """All rows of positive integers that sum up to steps + m - 1; their union has `comb(steps + m - 1, m)` cells."""
    rows = itertools.combinations(range(1, steps + m - 1), m - 1)
    return np.array([np.diff([0, *row, steps + m - 1]) for row in rows], dtype=float)


def by_moocore(boxes):
    """Hypervolume above the origin."""
    return moocore.hypervolume(np.ascontiguousarray(boxes), ref=np.zeros(boxes.shape[1]), maximise=True)


# --- values ---------------------------------------------------------------------------------------------------------


@moderate
@given(grids())
def test_integers_give_exact_numbers_of_cells(boxes):
    cells = covering(boxes)
    assert volume(boxes) == cells.any(axis=0).sum()
    np.testing.assert_array_equal(exclusive_volumes(boxes), (cells & (cells.sum(axis=0) == 1)).sum(axis=1))


@pytest.mark.parametrize("m", [2, 3, 4, 5])
def test_they_agree_with_rational_arithmetic(m):
    rng = np.random.default_rng(m)
    for n in (1, 2, 3, 5, 6):
        boxes = rng.random((n, m)) * 10.0 ** rng.integers(-3, 4, size=m) - (n == 6) * 1e-3
        total, alone = rational(boxes)
        assert abs(Fraction(volume(boxes)) - total) <= total * Fraction(1, 10**14)
        for found, exact in zip(exclusive_volumes(boxes), alone, strict=True):
            assert abs(Fraction(found) - exact) <= total * Fraction(1, 10**14)


@settings(max_examples=300, deadline=None)
@given(mixtures())
def test_the_volume_agrees_with_moocore(boxes):
    assert volume(boxes) == pytest.approx(by_moocore(boxes), rel=1e-12, abs=0)


@moderate
@given(mixtures())
def test_exclusive_volumes_are_differences_of_volumes(boxes):
    total = by_moocore(boxes)
    without = [by_moocore(np.delete(boxes, i, axis=0)) if len(boxes) > 1 else 0.0 for i in range(len(boxes))]
    np.testing.assert_allclose(exclusive_volumes(boxes), total - np.array(without), rtol=0, atol=1e-12 * total)


@pytest.mark.parametrize(("m", "n"), [(2, 3000), (3, 2500), (4, 2000), (5, 1500), (6, 600), (7, 150)])
@pytest.mark.parametrize("shape", ["sphere", "convex", "cloud"])
def test_large_sets_agree_with_moocore(m, n, shape):
    rng = np.random.default_rng(m)
    boxes = {"sphere": 1.1 - sphere(rng, n, m), "convex": 0.1 + sphere(rng, n, m), "cloud": rng.random((n, m))}[shape]
    assert volume(boxes) == pytest.approx(by_moocore(boxes), rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("m", "steps"),
    [(1, 7), (2, 1500), (3, 50), (4, 19), (5, 13), (6, 9), (7, 7), (8, 5), (9, 4), (10, 3), (11, 3), (13, 3), (20, 2)],
)
def test_a_staircase_has_a_known_number_of_cells(m, steps):
    boxes = staircase(m, steps)
    assert volume(boxes) == math.comb(steps + m - 1, m)
    np.testing.assert_array_equal(exclusive_volumes(boxes), np.ones(len(boxes)) if m > 1 else steps)


def test_the_staircases_need_cuts_and_slices():
    assert len(staircase(4, 19)) > PACKED
    assert CUT_UP_TO == 9
    assert len(staircase(9, 4)) > 2 ** (64 // 9 - 1)
    assert len(staircase(10, 3)) > 2 ** (64 // 10 - 1)


@pytest.mark.parametrize(("m", "n", "top"), [(5, 300, 4), (8, 200, 3), (9, 120, 2), (10, 120, 2), (12, 60, 2)])
def test_antichains_of_many_objectives_cover_exact_numbers_of_cells(m, n, top):
    rng = np.random.default_rng(m)
    boxes = rng.permuted(np.tile(np.arange(m) % top + 1.0, (n, 1)), axis=1)  # mutually non-dominated, many ties
    cells = covering(boxes)
    assert volume(boxes) == cells.any(axis=0).sum()
    np.testing.assert_array_equal(exclusive_volumes(boxes), (cells & (cells.sum(axis=0) == 1)).sum(axis=1))


@pytest.mark.parametrize("m", [8, 9, 11, 14, 24, 40, 70])
def test_few_rows_of_many_objectives_agree_with_rational_arithmetic(m):
    boxes = np.random.default_rng(m).random((5, m)) + 0.5
    chosen = [c for size in range(1, 6) for c in itertools.combinations(boxes.tolist(), size)]
    meets = [math.prod(Fraction(min(column)) for column in zip(*c, strict=True)) for c in chosen]
    total = sum((-1) ** (len(c) + 1) * meet for c, meet in zip(chosen, meets, strict=True))
    assert abs(Fraction(volume(boxes)) - total) <= total * Fraction(1, 10**13)


def test_a_small_volume_in_a_large_cell_keeps_its_digits():
    boxes = np.full((10, 10), 1e-3) + np.eye(10)
    exact = Fraction(1e-3) ** 10 + 10 * (Fraction(float(1.0 + 1e-3)) - Fraction(1e-3)) * Fraction(1e-3) ** 9
    assert abs(Fraction(volume(boxes)) - exact) <= exact * Fraction(1, 10**13)


@pytest.mark.parametrize("m", [1, 2, 3, 5, 9])
def test_an_empty_set_and_rows_outside_have_no_volume(m):
    assert volume(np.empty((0, m))) == 0.0
    assert exclusive_volumes(np.empty((0, m))).shape == (0,)
    outside = np.ones((4, m))
    outside[:, 0] = [0.0, -0.0, -1.0, -np.finfo(float).tiny]
    assert volume(outside) == 0.0
    np.testing.assert_array_equal(exclusive_volumes(outside), np.zeros(4))


@pytest.mark.parametrize("m", [1, 2, 3, 4, 7, 12])
def test_one_row_is_a_product(m):
    row = np.random.default_rng(m).random((1, m))
    assert volume(row) == pytest.approx(math.prod(row[0]), rel=1e-15 * m)
    np.testing.assert_allclose(exclusive_volumes(row), [math.prod(row[0])], rtol=1e-15 * m)
    np.testing.assert_array_equal(exclusive_volumes(np.repeat(row, 3, axis=0)), np.zeros(3))


# --- properties -----------------------------------------------------------------------------------------------------


@moderate
@given(mixtures(), seeds)
def test_order_of_rows_and_objectives_does_not_matter(boxes, seed):
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(boxes.shape[0]), rng.permutation(boxes.shape[1])
    total, alone = volume(boxes), exclusive_volumes(boxes)
    assert volume(boxes[rows][:, columns]) == pytest.approx(total, rel=1e-13, abs=0)
    np.testing.assert_allclose(exclusive_volumes(boxes[rows][:, columns]), alone[rows], rtol=0, atol=1e-13 * total)


@moderate
@given(mixtures())
def test_duplicates_and_dominated_rows_add_nothing(boxes):
    more = np.concatenate([boxes, boxes, 0.5 * boxes])
    assert volume(more) == pytest.approx(volume(boxes), rel=1e-13, abs=0)
    np.testing.assert_array_equal(exclusive_volumes(more), np.zeros(len(more)))


@moderate
@given(mixtures())
def test_powers_of_two_scale_exactly(boxes):
    scale = 2.0 ** np.arange(boxes.shape[1])
    assert volume(boxes * scale) == volume(boxes) * scale.prod()
    np.testing.assert_array_equal(exclusive_volumes(boxes * scale), exclusive_volumes(boxes) * scale.prod())


@pytest.mark.parametrize("m", [3, 5, 10])
def test_the_argument_stays_and_results_repeat(m):
    boxes = 1.1 - sphere(np.random.default_rng(m), 50, m)
    before = boxes.copy()
    total, alone = volume(boxes), exclusive_volumes(boxes)
    np.testing.assert_array_equal(boxes, before)
    boxes.setflags(write=False)
    for same in (boxes, np.asfortranarray(boxes), np.repeat(boxes, 2, axis=0)[::2]):
        assert volume(same) == total
        np.testing.assert_array_equal(exclusive_volumes(same), alone)


@pytest.mark.slow
def test_functions_from_disk_can_be_compiled_into_others(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    for call, value in (("volume", 7.0), ("exclusive_volumes", 6.0), ("exclusive_volumes", 6.0)):
        code = f"import numpy as np; from moo.indicators.compiled import {call} as f; print(np.sum(f(np.eye(6) + 1)))"
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert float(done.stdout) == value
