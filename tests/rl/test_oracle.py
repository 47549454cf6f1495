"""What is known exactly about policies: their mixtures, and the values that are best for a linear preference."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.spatial import QhullError

import moo.rl.oracle
from moo.indicators import hypervolume
from moo.rl.oracle import PolicyOracle, mixture_hypervolume

moderate = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 2**31 - 1)


def tensor(rows):
    return torch.tensor(rows, dtype=torch.float64)


def drawn(seed, n, m, low=-1.0):
    return torch.from_numpy(np.random.default_rng(seed).uniform(low, 1, (n, m)))


# --- mixtures -------------------------------------------------------------------------------------------------------


def area(rows, reference, slices=40_001):
    """Two objectives: the best mixture's second value above the reference, integrated over the first."""
    xs = np.linspace(reference[0], max(rows[:, 0].max(), reference[0]), slices)
    heights = np.full(slices, reference[1])
    for a in rows:
        heights = np.maximum(heights, np.where(xs <= a[0], a[1], -np.inf))
        for b in rows[rows[:, 0] > a[0]]:
            between = (a[0] <= xs) & (xs <= b[0])
            line = a[1] + (xs - a[0]) * (b[1] - a[1]) / (b[0] - a[0])
            heights = np.maximum(heights, np.where(between, line, -np.inf))
    return np.trapezoid(heights - reference[1], xs)


def test_two_rows_by_hand():
    rows = tensor([[3.0, 1.0], [1.0, 2.0]])
    assert mixture_hypervolume(rows, tensor([0.0, 0.0])) == pytest.approx(2 + 2 * 1.5, rel=1e-12)
    assert mixture_hypervolume(rows, tensor([-1.0, -2.0])) == pytest.approx(2 * 4 + 2 * 3.5, rel=1e-12)


@moderate
@given(seeds, st.integers(1, 12))
def test_two_objectives_by_integration(seed, n):
    rows = drawn(seed, n, 2)
    for reference in ([-1.5, -1.1], [0.0, 0.0], [-0.3, 0.4]):
        assert mixture_hypervolume(rows, tensor(reference)) == pytest.approx(area(rows.numpy(), reference), abs=1e-3)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_one_row_spans_a_box(m):
    row = torch.arange(1.0, m + 1, dtype=torch.float64)[None]
    below = tensor([-0.5] * m)
    assert mixture_hypervolume(row, below) == pytest.approx(float(hypervolume(row, below)), rel=1e-12)


def test_rows_below_the_reference_count_through_their_mixtures():
    zero = tensor([0.0, 0.0])
    # The line from (10, -1) to (1, 1) meets 0 at 5.5.
    assert mixture_hypervolume(tensor([[10.0, -1.0], [1.0, 1.0]]), zero) == pytest.approx(1 + 4.5 / 2, rel=1e-12)
    assert mixture_hypervolume(tensor([[2.0, -1.0], [-1.0, 2.0]]), zero) == pytest.approx(0.5, rel=1e-12)


def test_where_no_mixture_is_better_than_the_reference_there_is_nothing():
    zero = tensor([0.0, 0.0])
    nothing = ([[1.0, -1.0]], [[1.0, -1.0], [-1.0, 1.0]], [[1.0, -2.0], [-2.0, 1.0]], [[5.0, 0.0]], [[0.0, 0.0]])
    for rows in nothing:
        assert mixture_hypervolume(tensor(rows), zero) == 0
    assert mixture_hypervolume(torch.empty(0, 2), zero) == 0


def test_three_objectives_by_hand():
    zero = tensor([0.0] * 3)
    assert mixture_hypervolume(torch.eye(3).double(), zero) == pytest.approx(1 / 6, rel=1e-12)
    assert mixture_hypervolume(1 - torch.eye(3).double(), zero) == pytest.approx(5 / 6, rel=1e-12)


def reached(point, rows):
    """Whether some mixture is at least as good as the point: a linear program for its weights."""
    n = len(rows)
    return linprog(np.zeros(n), A_ub=-rows.T, b_ub=-point, A_eq=np.ones((1, n)), b_eq=[1.0]).status == 0


@pytest.mark.parametrize("low", [-1.0, 0.0])
def test_three_objectives_by_monte_carlo(low):
    rows = drawn(7, 12, 3, low=low).numpy()
    top = rows.max(axis=0)
    points = np.random.default_rng(0).uniform(0, 1, (1000, 3)) * top
    share = np.mean([reached(point, rows) for point in points])
    assert 0.05 < share < 0.95
    found = mixture_hypervolume(torch.from_numpy(rows), torch.zeros(3)) / top.prod()
    assert found == pytest.approx(share, abs=4 * (share * (1 - share) / 1000) ** 0.5)


@moderate
@given(seeds, st.integers(2, 4))
def test_scale_dominated_rows_and_mixtures_do_not_matter(seed, m):
    rows, reference = drawn(seed, 8, m), tensor([-0.5] * m)
    whole = mixture_hypervolume(rows, reference)
    more = torch.cat([rows, rows - 0.1, rows.mean(dim=0, keepdim=True), rows])
    assert mixture_hypervolume(more, reference) == pytest.approx(whole, rel=1e-9)
    scale = torch.logspace(-3, 4, m, dtype=torch.float64)
    moved = mixture_hypervolume(rows * scale + 100, reference * scale + 100)
    assert moved == pytest.approx(whole * float(scale.prod()), rel=1e-6)
    assert whole >= float(hypervolume(rows, reference, warn=False)) - 1e-12


def test_an_oracle_knows_its_mixtures_and_its_coverage_set():
    front = tensor([[0.0, 4.0], [1.0, 1.0], [4.0, 0.0]])
    oracle = PolicyOracle(front)
    assert oracle.coverage_set.tolist() == [[0.0, 4.0], [4.0, 0.0]]
    assert oracle.mixture_hypervolume(tensor([0.0, 0.0])) == pytest.approx(8, rel=1e-12)


def test_more_than_qhull_can_do_is_said(monkeypatch):
    def give_up(rows):
        raise QhullError("QH6271 topology error\nmore lines")

    monkeypatch.setattr(moo.rl.oracle, "ConvexHull", give_up)
    with pytest.raises(ValueError, match=r"2 rows of 2 objectives .* Qhull gave up \(QH6271 topology error\)"):
        mixture_hypervolume(tensor([[0.0, 1.0], [1.0, 0.0]]), tensor([-1.0, -1.0]))
