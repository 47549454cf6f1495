"""Volumes of many sets at once against moocore, closed forms and finite differences."""

import moocore
import numpy as np
import pytest
import torch

from moo.indicators import sweeps
from moo.indicators.sweeps import (
    exclusive_volumes_2d,
    exclusive_volumes_3d,
    volume_2d,
    volume_2d_large,
    volume_3d,
    volume_4d,
)

VOLUMES = [(2, volume_2d), (3, volume_3d), (4, volume_4d)]
EXCLUSIVES = [(2, exclusive_volumes_2d), (3, exclusive_volumes_3d)]
ALL = VOLUMES + EXCLUSIVES


def mixed_sets(sets, n, m, seed=0):
    """A third each of generic rows, coarse steps and fronts; with duplicates, dominated rows and rows outside."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(-0.2, 1, size=(sets, n, m))
    values[1::3] = np.round(values[1::3] * 4) / 4
    values[2::3] = np.abs(values[2::3]) / np.linalg.norm(values[2::3], axis=-1, keepdims=True)
    if n > 3:
        values[:, 1], values[:, 2], values[::2, 3, 0] = values[:, 0], 0.9 * values[:, 3], values[::2, 0, 0]
    return torch.from_numpy(values)


def expected(boxes, what=moocore.hypervolume):
    """What moocore says of each set, one by one, above the origin."""
    return np.array([what(rows, ref=np.zeros(rows.shape[1]), maximise=True) for rows in boxes.numpy()])


def reference(m, function, boxes):
    return expected(boxes, moocore.hv_contributions if (m, function) in EXCLUSIVES else moocore.hypervolume)


def generic(sets, n, m, seed=0):
    """Rows on a sphere and some within it: no ties, so the gradient exists."""
    rows = torch.rand(sets, n, m, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.05
    rows = rows / rows.norm(dim=-1, keepdim=True)
    rows[:, ::4] *= 0.8
    return rows.requires_grad_()


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "function"), ALL)
@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_they_agree_with_moocore(m, function, n):
    boxes = mixed_sets(150, n, m, seed=n)
    found, right = function(boxes).numpy(), reference(m, function, boxes)
    np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-15 if (m, function) in EXCLUSIVES else 0)


@pytest.mark.parametrize(("m", "function"), VOLUMES)
def test_closed_values(m, function):
    def value(rows):
        return function(torch.tensor(rows, dtype=torch.float64)).item()

    assert value([list(range(1, m + 1))]) == [2, 6, 24][m - 2]
    assert value((torch.ones(m, m) + torch.eye(m)).tolist()) == 1 + m
    assert value([[2.0] * m, [1.0] * m, [3.0] * (m - 1) + [0.0], [-1.0] + [9.0] * (m - 1)]) == 2**m


def test_exclusive_volumes_ignore_dominated_rows():
    boxes = torch.tensor([[1.0, 5], [5, 1], [4, 4], [3, 3], [4, 4], [2, 4.5]])
    assert exclusive_volumes_2d(boxes).tolist() == [0.5, 1, 0, 0, 0, 0.5]
    boxes = torch.tensor([[2.0, 2, 2], [1, 1, 1], [3, 1, 1], [3, 1, 1], [1, 3, 1]])
    assert exclusive_volumes_3d(boxes).tolist() == [5, 0, 0, 0, 1]


@pytest.mark.parametrize("n", [0, 1, 1000, 10000])
def test_one_large_front(n):
    boxes = mixed_sets(3, n, 2, seed=n)
    for rows in boxes:
        before = rows.clone()
        right = moocore.hypervolume(rows.numpy(), ref=[0, 0], maximise=True) if n else 0.0
        assert volume_2d_large(rows.numpy()) == pytest.approx(right, rel=1e-12)
        assert torch.equal(rows, before)


def test_a_large_set_in_a_batch():
    boxes = mixed_sets(3, 700, 3)
    np.testing.assert_allclose(volume_3d(boxes), expected(boxes), rtol=1e-12)


# --- how sets are laid out --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "function"), ALL)
def test_a_batch_is_its_sets_one_by_one(m, function):
    boxes = mixed_sets(12, 9, m)
    whole = function(boxes)
    torch.testing.assert_close(whole, torch.stack([function(rows) for rows in boxes]), rtol=1e-14, atol=1e-16)
    folded = function(boxes.reshape(2, 3, 2, 9, m))
    assert torch.equal(folded, whole.reshape(2, 3, 2, *whole.shape[1:]))
    turned = boxes.transpose(0, 1).contiguous().transpose(0, 1)
    assert torch.equal(function(turned), whole)


@pytest.mark.parametrize(("m", "function"), ALL)
@pytest.mark.parametrize("shape", [(0,), (4, 0), (0, 5), (2, 0, 5), (0, 0)])
def test_empty_sets(m, function, shape):
    boxes = torch.zeros(*shape, m, dtype=torch.float64, requires_grad=True)
    found = function(boxes)
    assert found.shape == (shape if (m, function) in EXCLUSIVES else shape[:-1])
    assert (found == 0).all()


@pytest.mark.parametrize(("m", "function"), ALL)
def test_neutral_rows_change_nothing(m, function):
    boxes = mixed_sets(30, 8, m)
    rng = np.random.default_rng(1)
    neutral = torch.from_numpy(rng.uniform(-1, 1, size=(30, 5, m)))
    neutral[:, torch.arange(5), torch.from_numpy(rng.integers(0, m, 5))] = boxes.new_tensor(
        [0.0, -1, 0, -torch.inf, -0.5]
    )
    found, right = function(torch.cat([neutral[:, :2], boxes, neutral[:, 2:]], dim=1)), function(boxes)
    if (m, function) in EXCLUSIVES:
        assert (found[:, :2] == 0).all()
        assert (found[:, 10:] == 0).all()
        found = found[:, 2:10]
    torch.testing.assert_close(found, right, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize(("m", "function"), ALL)
def test_the_order_of_rows_and_objectives_does_not_matter(m, function):
    boxes = mixed_sets(30, 10, m)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    moved, right = function(boxes[:, order].flip(-1)), function(boxes)
    right = right[:, order] if (m, function) in EXCLUSIVES else right
    torch.testing.assert_close(moved, right, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("m", "function"), ALL)
def test_the_argument_stays_and_the_type_too(m, function):
    boxes = mixed_sets(20, 10, m)
    before = boxes.clone()
    right = function(boxes)
    assert torch.equal(boxes, before)
    found = function(boxes.float())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), right, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("m", "function"), [*VOLUMES[1:], EXCLUSIVES[1]])
def test_pieces_of_a_batch_make_the_whole(m, function, monkeypatch):
    boxes = mixed_sets(20, 10, m)
    whole = function(boxes)
    monkeypatch.setattr(sweeps, "CELLS_CPU", 35)
    torch.testing.assert_close(function(boxes), whole, rtol=1e-14, atol=1e-16)


def test_rows_and_scans_raise_the_same_heights(monkeypatch):
    """The scans serve GPUs; here they run on the CPU, whole and in pieces."""
    boxes = mixed_sets(20, 12, 3).clamp(min=0)
    for levels in ((0,), (1,), (2,)):
        sweep = sweeps._sweep(boxes, levels)
        arguments = (sweep.widths, sweep.height, *sweep.ranks)
        rows = sweeps._by_rows(*sweeps._sets_last(*arguments))
        torch.testing.assert_close(sweeps._by_scans(*arguments), rows, rtol=1e-14, atol=1e-16)
        with monkeypatch.context() as patch:
            patch.setattr(sweeps, "CELLS_CPU", 400)
            torch.testing.assert_close(sweeps._by_scans(*arguments), rows, rtol=1e-14, atol=1e-16)


# --- gradients ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "function"), [*VOLUMES, EXCLUSIVES[0]])
@pytest.mark.parametrize("n", [1, 6, 11])
def test_gradients_are_those_of_finite_differences(m, function, n):
    assert torch.autograd.gradcheck(function, (generic(2, n, m, seed=n),), eps=1e-6, atol=1e-7)


def test_areas_have_second_derivatives():
    assert torch.autograd.gradgradcheck(volume_2d, (generic(2, 5, 2),))
    assert torch.autograd.gradgradcheck(exclusive_volumes_2d, (generic(2, 5, 2),))


@pytest.mark.parametrize(("m", "function"), VOLUMES)
def test_a_volume_is_homogeneous(m, function):
    """Euler: the sides times their derivatives add up to m times the volume, with ties and duplicates too."""
    boxes = mixed_sets(60, 9, m).requires_grad_()
    volume = function(boxes)
    volume.sum().backward()
    assert (boxes.grad >= 0).all()
    torch.testing.assert_close((boxes.grad * boxes.clamp(min=0)).sum(dim=(1, 2)).detach(), m * volume.detach())
    assert (boxes.grad[(boxes < 0).any(dim=-1)] < 1e-15).all()


@pytest.mark.parametrize(("m", "function"), VOLUMES)
def test_dominated_rows_have_no_gradient(m, function):
    boxes = generic(5, 6, m).detach()
    boxes[:, 1] = 0.9 * boxes[:, 2]
    boxes.requires_grad_()
    function(boxes).sum().backward()
    assert boxes.grad[:, 1].max() < 1e-15
    assert (boxes.grad >= 0).all()
