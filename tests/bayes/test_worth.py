"""What a search maximises: both acquisition functions keep the promises of the protocol."""

import math

import pytest
import torch

from moo.bayes.columns import Columns
from moo.bayes.improvement import LogExpectedHypervolumeImprovement
from moo.bayes.maximise import SCREENING, best_rows
from moo.bayes.radial import RadialHypervolumeImprovement
from moo.space import Space, real

POINT = torch.zeros(2, dtype=torch.float64)


class Hills:
    """Two hills of known width; in version s the first one is `s / 10` higher."""

    num_outputs = 2

    def __init__(self, versions):
        self.versions = versions

    def moments(self, rows):
        ends = torch.tensor([[0.2, 0.2], [0.8, 0.6]], dtype=torch.float64)
        means = 1 - ((rows[:, None] - ends) ** 2).sum(2)
        shift = torch.zeros(len(self.versions), 1, 2, dtype=torch.float64)
        shift[:, 0, 0] = torch.tensor(self.versions, dtype=torch.float64) / 10
        return means + shift, 0.1 + 0.2 * rows

    def samples(self, rows, normal):
        raise NotImplementedError

    def conditioned(self, rows, values):
        raise NotImplementedError


def fronts(versions):
    """A front of two points for each version."""
    base = torch.tensor([[0.9, 0.5], [0.6, 0.9]], dtype=torch.float64)
    return torch.stack([base + 0.01 * version for version in versions])


def boxes(versions):
    return LogExpectedHypervolumeImprovement(Hills(versions), POINT, fronts(versions))


def rays(versions, directions=32):
    size = torch.full((2,), 3.0, dtype=torch.float64)  # more than any front's, so that all have the same rays
    return RadialHypervolumeImprovement(Hills(versions), POINT, fronts(versions), size=size, directions=directions)


def rows(n=9):
    return torch.rand(n, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("made", [boxes, rays])
def test_there_is_one_value_for_each_row_whatever_stands_beside_it(made):
    worth = made([0, 1, 2]).value
    values = worth(rows())
    assert values.shape == (9,)
    alone = torch.cat([worth(row[None]) for row in rows()])
    torch.testing.assert_close(values, alone, rtol=1e-10, atol=0)
    assert worth(rows(0)).shape == (0,)


@pytest.mark.parametrize("made", [boxes, rays])
@pytest.mark.parametrize("versions", [1, 2, 4, None])
def test_the_first_versions_count_alone_and_their_improvements_are_averaged(made, versions):
    whole, count = made([0, 1, 2, 3]), versions or 4
    single = torch.stack([made([version]).value(rows()).exp() for version in range(count)])
    torch.testing.assert_close(whole.value(rows(), versions).exp(), single.mean(dim=0), rtol=1e-9, atol=0)


@pytest.mark.parametrize("made", [boxes, rays])
def test_of_more_versions_than_there_are_all_count(made):
    worth = made([0, 1]).value
    assert torch.equal(worth(rows(), 100), worth(rows()))


def test_few_rays_are_a_rough_value():
    exact, many = boxes([0, 1]).value(rows()), rays([0, 1], directions=512)
    rough, fine = many.value(rows(), 2), many.value(rows())
    assert (fine - exact).abs().max() < (rough - exact).abs().max() < math.log(2)


@pytest.mark.parametrize(("made", "error"), [(boxes, 1e-6), (rays, 1e-2)])  # rays end elsewhere for other rows
def test_slopes_are_finite_differences(made, error):
    worth, at = made([0, 1]).value, rows(4).requires_grad_()
    (slopes,) = torch.autograd.grad(worth(at).sum(), at)
    step = 1e-5
    for column in range(2):
        shift = torch.zeros(2, dtype=torch.float64).index_fill_(0, torch.tensor(column), step)
        with torch.no_grad():
            found = (worth(at + shift) - worth(at - shift)) / (2 * step)
        torch.testing.assert_close(slopes[:, column], found, rtol=error, atol=1e-6)


@pytest.mark.parametrize("made", [boxes, rays])
def test_the_search_screens_roughly_and_finds_the_best_of_a_grid(made):
    asked, worth = [], made(list(range(10)))

    def watched(unit, versions=None):
        asked.append(versions)
        return worth.value(unit, versions)

    columns, stream = Columns(Space((real(0, 1), real(0, 1)))), torch.Generator().manual_seed(0)
    found = best_rows(watched, columns, rows(0), stream, raw=32, restarts=3, iterations=60)
    axis = torch.linspace(0, 1, 21, dtype=torch.float64)
    assert worth.value(found[:1]) >= worth.value(torch.cartesian_prod(axis, axis)).max() - 1e-9
    assert asked[0] == SCREENING
    assert set(asked[1:]) == {None}
