"""Linear programs on the simplex, against all of their vertices."""

import itertools

import numpy as np
import pytest
import torch

from moo.gradients.norms import min_norm
from moo.gradients.programs import largest, smallest_maximum


def vertices(rows, bounds):
    """Every point of the simplex `[n]` where n - 1 of `rows @ w >= bounds` are tight and all hold."""
    n = rows.shape[1]
    for chosen in itertools.combinations(range(len(rows)), n - 1):
        system = np.vstack([rows[list(chosen)], np.ones(n)])
        if abs(np.linalg.det(system)) < 1e-9:
            continue
        point = np.linalg.solve(system, np.append(bounds[list(chosen)], 1.0))
        if (rows @ point >= bounds - 1e-9).all():
            yield point


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("seed", range(8))
def test_the_largest_gain_is_that_of_the_best_vertex(n, seed):
    generator = np.random.default_rng(seed)
    gradients = generator.normal(size=(n, n + 1))
    gram, gains = gradients @ gradients.T, generator.normal(size=n)
    least = np.where(generator.random(n) < 0.5, -np.inf, -0.1)
    weights = largest(*(torch.from_numpy(part) for part in (gains, gram, least))).numpy()
    bound = np.isfinite(least)
    rows, bounds = np.vstack([np.eye(n), gram[bound]]), np.concatenate([np.zeros(n), least[bound]])
    assert weights @ gains == pytest.approx(max(point @ gains for point in vertices(rows, bounds)), abs=1e-7)
    assert (rows @ weights >= bounds - 1e-7).all()


@pytest.mark.parametrize("seed", range(8))
def test_the_smallest_maximum_is_at_most_that_of_any_weights_that_fall_enough(seed):
    generator = np.random.default_rng(seed)
    rises, falls = generator.normal(size=(3, 3)), generator.random(3)
    least = 0.6 * falls.max()
    weights = smallest_maximum(torch.from_numpy(rises), torch.from_numpy(falls), least).numpy()
    assert weights @ falls >= least - 1e-9
    others = generator.dirichlet(np.full(3, 0.5), 20_000)
    others = others[others @ falls >= least]
    best = (others @ rises.T).max(axis=1).min()
    assert best - 0.05 <= (rises @ weights).max() <= best + 1e-9


def test_where_rounding_leaves_no_solution_the_shortest_combination_serves():
    gram = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).double()
    barely = torch.full((2,), 1e-12).double()  # no weights give more than 0 to both
    assert torch.equal(largest(torch.tensor([1.0, 0.0]).double(), gram, barely), min_norm(gram))


def test_a_program_without_a_solution_says_so():
    one = torch.ones(1, 2).double()
    with pytest.raises(RuntimeError, match="The linear program of 2 gradients has no solution"):
        smallest_maximum(one, one[0], 2.0)
