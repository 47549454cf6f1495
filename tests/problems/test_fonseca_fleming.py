"""Fonseca and Fleming's problem against its equations, finite differences, and a grid."""

import math

import numpy as np
import pytest
import torch

from moo.dominance import non_dominated
from moo.problems import get_problem
from moo.problems.fonseca_fleming import FonsecaFleming


def by_hand(row):
    centre = 1 / math.sqrt(len(row))
    return [1 - math.exp(-sum((x - sign * centre) ** 2 for x in row)) for sign in (1, -1)]


@pytest.mark.parametrize("dim", [1, 2, 7])
def test_values_are_the_equations(dim):
    problem = FonsecaFleming(dim)
    rows = problem.space.from_unit(torch.rand(50, dim, generator=torch.Generator().manual_seed(dim)).double())
    np.testing.assert_allclose(problem.evaluate(rows), [by_hand(row) for row in rows.tolist()], rtol=0, atol=1e-15)
    assert problem.directions == ("min", "min")
    assert problem.space.lower.tolist() == [-4] * dim


@pytest.mark.parametrize("dim", [1, 3])
def test_the_front_is_reached_and_evenly_spread(dim):
    problem = FonsecaFleming(dim)
    front = problem.oracle.front
    places = 1 - (-torch.log1p(-front[:, 0])).sqrt()  # f1 = 1 - exp(-(u - 1)^2), u <= 1
    rows = (places / math.sqrt(dim))[:, None].expand(-1, dim)
    np.testing.assert_allclose(problem.evaluate(rows), front, atol=1e-14)
    assert non_dominated(-front).all()
    steps = front.diff(dim=0).norm(dim=1)
    assert steps.max() < 1.2 * steps.min()
    np.testing.assert_allclose(front[[0, -1]], [[1 - math.exp(-4), 0], [0, 1 - math.exp(-4)]], atol=1e-15)


def test_nothing_dominates_the_front():
    problem = get_problem("fonseca-fleming:dim=2")
    axis = torch.linspace(-1.5, 1.5, 121, dtype=torch.float64)
    values = problem.evaluate(torch.cartesian_prod(axis, axis))[:, None]
    front = problem.oracle.front[::10]
    assert not ((values <= front).all(dim=-1) & (values < front - 1e-12).any(dim=-1)).any()


def test_the_inside_of_the_front_is_above_the_chord():
    front = FonsecaFleming().oracle.front
    end = 1 - math.exp(-4)
    inside = front[10:-10]
    assert (inside.sum(dim=1) > end).all()  # so no weighted sum is least there


def test_objectives_have_gradients():
    problem = FonsecaFleming(3)
    rows = torch.rand(4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(problem.evaluate, rows)
    assert not problem.evaluate(rows.detach()).requires_grad


def test_noise_leaves_the_front_alone():
    noisy, rows = FonsecaFleming(noise=0.1), torch.zeros(3, 2)
    generator = torch.Generator().manual_seed(0)
    assert not torch.equal(noisy.evaluate(rows, generator), FonsecaFleming().evaluate(rows))
    assert torch.equal(noisy.oracle.front, FonsecaFleming().oracle.front)
    with pytest.raises(ValueError, match="`dim` should be at least 1"):
        FonsecaFleming(dim=0)
