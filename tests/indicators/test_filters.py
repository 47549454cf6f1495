"""Dominance in many sets at once against its literal definition and moocore."""

import moocore
import numpy as np
import pytest
import torch

from moo.indicators import filters
from moo.indicators.filters import CLOUD_FROM, non_dominated_cloud, non_dominated_sets, ranks_sets


def mixed_sets(sets, n, m, seed=0):
    """Generic rows, coarse steps with many ties, and fronts; with duplicates."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, size=(sets, n, m))
    values[1::3] = np.round(values[1::3] * 2)
    values[2::3] = np.abs(values[2::3]) / np.linalg.norm(values[2::3], axis=-1, keepdims=True)
    values[:, n // 2 :: 3] = values[:, : 1 + (n - 1 - n // 2) // 3] if n > 1 else values[:, n // 2 :: 3]
    return torch.from_numpy(values)


def literal(rows, keep_duplicates):
    """The definition, row by row."""
    return [
        not any(
            (other >= row).all() and ((other > row).any() or (not keep_duplicates and k < i))
            for k, other in enumerate(rows)
            if k != i
        )
        for i, row in enumerate(rows)
    ]


def peeled(rows):
    """Ranks by taking one front away after the other."""
    ranks, level = np.full(len(rows), -1), 0
    while (ranks < 0).any():
        left = np.flatnonzero(ranks < 0)
        ranks[left[literal(rows[left], True)]] = level
        level += 1
    return ranks


# --- many sets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [1, 2, 3, 5])
@pytest.mark.parametrize("keep_duplicates", [False, True])
def test_the_filter_is_its_definition(m, keep_duplicates):
    for n in (1, 2, 9):
        sets = mixed_sets(30, n, m, seed=n)
        right = [literal(rows, keep_duplicates) for rows in sets.numpy()]
        assert non_dominated_sets(sets, keep_duplicates).tolist() == right


@pytest.mark.parametrize("m", [2, 3, 5])
@pytest.mark.parametrize("keep_duplicates", [False, True])
@pytest.mark.parametrize(("number", "n"), [(200, 30), (3, 400), (1, 1000)])
def test_the_filter_agrees_with_moocore(m, keep_duplicates, number, n):
    sets = mixed_sets(number, n, m)
    right = [moocore.is_nondominated(rows, maximise=True, keep_weakly=keep_duplicates) for rows in sets.numpy()]
    np.testing.assert_array_equal(non_dominated_sets(sets, keep_duplicates), right)


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_ranks_are_peeled_fronts(m):
    for n in (1, 2, 9):
        sets = mixed_sets(20, n, m, seed=n)
        found = ranks_sets(sets)
        assert found.dtype == torch.int64
        np.testing.assert_array_equal(found, [peeled(rows) for rows in sets.numpy()])


@pytest.mark.parametrize("m", [2, 3, 5])
def test_ranks_agree_with_moocore(m):
    for number, n in ((150, 30), (2, 300)):
        sets = mixed_sets(number, n, m)
        right = [moocore.pareto_rank(rows, maximise=True) for rows in sets.numpy()]
        np.testing.assert_array_equal(ranks_sets(sets), right)


@pytest.mark.parametrize("m", [1, 2, 3, 5])
@pytest.mark.parametrize("keep_duplicates", [False, True])
def test_neutral_rows_change_no_other(m, keep_duplicates):
    sets = mixed_sets(40, 9, m)
    neutral = torch.full((40, 3, m), -torch.inf, dtype=torch.float64)
    padded = torch.cat([neutral[:, :1], sets, neutral[:, 1:]], dim=1)
    assert torch.equal(non_dominated_sets(padded, keep_duplicates)[:, 1:10], non_dominated_sets(sets, keep_duplicates))
    assert torch.equal(ranks_sets(padded)[:, 1:10], ranks_sets(sets))


@pytest.mark.parametrize("m", [1, 2, 3])
def test_layouts_pieces_and_types(m, monkeypatch):
    sets = mixed_sets(12, 10, m)
    before, kept, ranks = sets.clone(), non_dominated_sets(sets, False), ranks_sets(sets)
    assert torch.equal(sets, before)
    assert torch.equal(non_dominated_sets(sets.reshape(2, 3, 2, 10, m), False), kept.reshape(2, 3, 2, 10))
    assert torch.equal(ranks_sets(sets.reshape(2, 3, 2, 10, m)), ranks.reshape(2, 3, 2, 10))
    assert torch.equal(non_dominated_sets(sets[4], False), kept[4])
    assert torch.equal(ranks_sets(sets[4]), ranks[4])
    assert torch.equal(non_dominated_sets(sets.requires_grad_(), False), kept)
    coarse = torch.round(4 * sets.detach())
    assert torch.equal(non_dominated_sets(coarse.float(), True), non_dominated_sets(coarse, True))
    assert torch.equal(ranks_sets(coarse.float()), ranks_sets(coarse))
    for pairs in (1, 40, 250):
        monkeypatch.setattr(filters, "PAIRS_CPU", pairs)
        monkeypatch.setattr(filters, "ROWS_CPU", pairs)
        assert torch.equal(non_dominated_sets(sets, False), kept)
        assert torch.equal(ranks_sets(sets), ranks)


@pytest.mark.parametrize("shape", [(0,), (4, 0), (0, 5), (2, 0, 5)])
@pytest.mark.parametrize("m", [2, 3])
def test_empty_sets(shape, m):
    assert non_dominated_sets(torch.zeros(*shape, m), True).shape == shape
    assert ranks_sets(torch.zeros(*shape, m)).shape == shape


@pytest.mark.parametrize("m", [2, 3])
def test_lexicographic_order_keeps_equal_rows_as_they_come(m):
    sets = mixed_sets(12, 10, m)
    right = [sorted(range(10), key=lambda i, rows=rows: [-value for value in rows[i].tolist()]) for rows in sets]
    for part, order in ((sets, right), (sets[::3], right[::3])):  # with and without ties
        assert filters.lexicographic(part).tolist() == order


# --- one large cloud --------------------------------------------------------------------------------------------------


def clouds(n, m):
    rng = np.random.default_rng(m)
    uniform = rng.random((n, m))
    sphere = np.abs(rng.standard_normal((n, m)))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    yield "uniform", uniform
    yield "normal", rng.standard_normal((n, m))
    yield "doubled", np.concatenate([uniform[: n // 2], uniform[: n - n // 2]])
    yield "front", sphere
    yield "front with rows below it", np.where(rng.random((n, 1)) < 0.6, 0.5, 1.0) * sphere
    yield "steps", rng.integers(0, 12, size=(n, m)).astype(float)
    yield "few steps", rng.integers(0, 3, size=(n, m)).astype(float)
    yield "one value", np.ones((n, m))
    yield "one objective without range", np.concatenate([uniform[:, :-1], np.zeros((n, 1))], axis=1)
    yield "scales", uniform * 10.0 ** np.linspace(-300, 300, m)
    yield "out of range", np.where(rng.random((n, m)) < 0.001, -1e308, 1e308 * uniform)


@pytest.mark.parametrize("m", [1, 2, 3, 5])
@pytest.mark.parametrize("n", [0, 1, 100, CLOUD_FROM - 1, CLOUD_FROM, 9000])
def test_a_cloud_agrees_with_moocore(m, n):
    for name, cloud in clouds(n, m):
        before = cloud.copy()
        for keep_duplicates in (False, True):
            right = moocore.is_nondominated(cloud, maximise=True, keep_weakly=keep_duplicates)
            np.testing.assert_array_equal(non_dominated_cloud(cloud, keep_duplicates), right, err_msg=name)
        np.testing.assert_array_equal(cloud, before)


@pytest.mark.parametrize("m", [2, 3, 5])
def test_pivots_leave_few_rows_of_a_cloud_and_none_are_sought_in_a_front(m):
    found = dict(clouds(20_000, m))
    assert len(filters._undecided(found["uniform"])) < 4000
    assert filters._undecided(found["front"]) is None
