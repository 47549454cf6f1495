"""Boxes of what a front leaves free, against the literal definition of dominance and exact hypervolumes."""

import pytest
import torch
from botorch.utils.multi_objective.box_decompositions.non_dominated import FastNondominatedPartitioning

from moo.bayes.cells import free_cells, joined_cells
from moo.dominance import non_dominated
from moo.indicators.volume import hypervolume

FRONTS = ["real", "whole", "sphere", "copies", "outside", "one", "none", "equals"]


def random_front(kind, m, seed):
    """Points around the reference point 0, up to 1: dominated ones, ties and outsiders among them."""
    stream = torch.Generator().manual_seed(seed)
    n = int(torch.randint(2, 14, (1,), generator=stream))
    real = 1.4 * torch.rand(n, m, generator=stream, dtype=torch.float64) - 0.4
    sphere = torch.nn.functional.normalize(real.abs(), dim=1)
    last = torch.cat([sphere[:, :-1], torch.full((n, 1), 0.5, dtype=torch.float64)], dim=1)
    return {
        "real": real,
        "whole": torch.randint(-1, 5, (n, m), generator=stream).double() / 4,
        "sphere": sphere,
        "copies": sphere[torch.randint(n, (3 * n,), generator=stream)],
        "outside": -real.abs(),
        "one": real[:1].abs(),
        "none": real[:0],
        "equals": last,  # all alike in the last objective
    }[kind]


def points_around(m, count, seed):
    return 1.8 * torch.rand(count, m, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.4


def gains(points, lower, upper):
    """Hypervolume that each point adds, through the boxes."""
    return (torch.minimum(points[:, None], upper) - lower).clamp_min(0).prod(dim=2).sum(dim=1)


@pytest.mark.parametrize("m", [2, 3, 4])
@pytest.mark.parametrize("kind", FRONTS)
def test_a_point_lies_in_one_box_if_it_is_free_and_in_none_if_not(kind, m):
    for seed in range(12):
        front, points = random_front(kind, m, seed), points_around(m, 300, seed)
        lower, upper = free_cells(front, torch.zeros(m, dtype=torch.float64))
        inside = ((points[:, None] > lower) & (points[:, None] < upper)).all(dim=2).sum(dim=1)
        dominated = (front[None] >= points[:, None]).all(dim=2).any(dim=1)
        free = (points > 0).all(dim=1) & ~dominated
        assert free.any()
        assert torch.equal(inside, free.long()), seed


@pytest.mark.parametrize("m", [2, 3, 4])
@pytest.mark.parametrize("kind", FRONTS)
def test_boxes_do_not_overlap_and_none_is_empty(kind, m):
    for seed in range(12):
        lower, upper = free_cells(random_front(kind, m, seed), torch.zeros(m, dtype=torch.float64))
        assert (lower < upper).all()
        apart = (torch.minimum(upper[:, None], upper) <= torch.maximum(lower[:, None], lower)).any(dim=2)
        assert (apart | torch.eye(len(lower), dtype=torch.bool)).all()


@pytest.mark.parametrize("m", [2, 3, 4])
@pytest.mark.parametrize("kind", FRONTS)
def test_what_a_point_adds_is_the_difference_of_hypervolumes(kind, m):
    reference = torch.linspace(-0.2, 0.1, m, dtype=torch.float64)
    for seed in range(6):
        front, points = random_front(kind, m, seed), points_around(m, 25, seed)
        before = hypervolume(front, reference, warn=False)
        after = [hypervolume(torch.cat([front, point[None]]), reference, warn=False) for point in points]
        found = gains(points, *free_cells(front, reference))
        assert torch.allclose(found, torch.tensor(after, dtype=torch.float64) - before, rtol=0, atol=1e-10)
        assert (found > 1e-3).any()


@pytest.mark.parametrize("kind", FRONTS)
def test_there_are_few_boxes(kind):
    for m, seed in [(m, seed) for m in (2, 3) for seed in range(20)]:
        front = random_front(kind, m, seed)
        inside = front[(front > 0).all(dim=1)]
        n = len(torch.unique(inside[non_dominated(inside)], dim=0)) if len(inside) else 0
        count = len(free_cells(front, torch.zeros(m, dtype=torch.float64))[0])
        assert count == n + 1 if m == 2 else count <= 2 * n + 1


def test_a_large_front_of_three_objectives_is_cut_as_botorchs_algorithm_cuts_it():
    stream = torch.Generator().manual_seed(0)
    front = torch.nn.functional.normalize(torch.rand(150, 3, generator=stream, dtype=torch.float64), dim=1)
    reference = torch.full((3,), 0.05, dtype=torch.float64)
    theirs = FastNondominatedPartitioning(reference, front).get_hypercell_bounds()
    points, ours = points_around(3, 500, 1), free_cells(front, reference)
    assert torch.allclose(gains(points, *ours), gains(points, *theirs), rtol=0, atol=1e-12)
    inside = int((front > reference).all(dim=1).sum())
    assert inside < len(ours[0]) <= 2 * inside + 1


def test_a_point_on_the_edge_of_the_reference_point_cuts_nothing():
    front = torch.tensor([[0.0, 0.9, 0.9], [0.5, 0.5, 0.5]], dtype=torch.float64)
    for columns in ([0, 1], [0, 1, 2]):
        both, single = (free_cells(rows[:, columns], torch.zeros(len(columns)).double()) for rows in (front, front[1:]))
        assert all(torch.equal(first, second) for first, second in zip(both, single, strict=True))


@pytest.mark.parametrize("m", [2, 3, 4])
def test_boxes_of_several_fronts_are_those_of_each_and_filled_up_without_effect(m):
    fronts = torch.stack([random_front("sphere", m, 3)[[0] * 6], *(points_around(m, 6, seed) for seed in range(4))])
    reference = torch.zeros(m, dtype=torch.float64)
    lower, upper, real = joined_cells(fronts, reference)
    counts = [len(free_cells(front, reference)[0]) for front in fronts]
    assert real.sum(dim=1).tolist() == counts
    assert lower.shape == upper.shape == (5, max(counts), m)
    assert lower.dtype == upper.dtype == torch.float64
    assert len(set(counts)) > 1
    assert torch.isfinite(lower).all()
    assert (upper > lower).all()  # what is filled up must not spoil logarithms either
    for i, front in enumerate(fronts):
        expected = free_cells(front, reference)
        assert torch.equal(lower[i, real[i]], expected[0])
        assert torch.equal(upper[i, real[i]], expected[1])


def test_no_front_at_all_leaves_one_box_to_each_version():
    reference = torch.tensor([0.5, -1.0], dtype=torch.float64)
    lower, upper, real = joined_cells(torch.empty(3, 0, 2, dtype=torch.float64), reference)
    assert torch.equal(lower, reference.expand(3, 1, 2))
    assert torch.isinf(upper).all()
    assert real.all()


def test_fronts_that_carry_gradients_give_boxes_that_carry_none():
    front = torch.rand(4, 2, dtype=torch.float64, requires_grad=True)
    lower, upper, _ = joined_cells(front[None], torch.zeros(2, dtype=torch.float64))
    assert not lower.requires_grad
    assert not upper.requires_grad
