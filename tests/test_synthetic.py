"""What synthetic problems share, and what every problem that is built on it promises."""

import math
import pickle

import pytest
import torch

from moo import synthetic
from moo.base import Evaluation
from moo.problems import PROBLEMS, get_problem
from moo.registry import resolve

NAMES = [name for name in PROBLEMS if issubclass(resolve(PROBLEMS, name, "problem"), synthetic.Synthetic)]

every = pytest.mark.parametrize("name", NAMES)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def random_rows(problem, n):
    generator = torch.Generator().manual_seed(0)
    return problem.space.from_unit(torch.rand(n, problem.space.dim, generator=generator, dtype=torch.float64))


def parts(found):
    """Objectives and constraints."""
    return (found.objectives, found.constraints) if isinstance(found, Evaluation) else (found, None)


# ------------------------------------------------------------------------------------------------------- equations
def test_products_by_hand():
    found = synthetic.products(tensor([[2, 3], [5, 7]]), tensor([[11, 13], [17, 19]]))
    assert found.tolist() == [[6, 26, 11], [35, 95, 17]]
    assert synthetic.products(torch.empty(0, 2), torch.empty(0, 2)).shape == (0, 3)


def test_sphere_has_norm_one():
    angles = math.pi / 2 * torch.rand(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(synthetic.sphere(angles).norm(dim=1), torch.ones(50, dtype=torch.float64))
    torch.testing.assert_close(synthetic.sphere(tensor([[0, math.pi / 2]])), tensor([[0, 1, 0]]))


def test_distances_by_hand():
    rows = tensor([[0.5, 0.5], [0.6, 0.5], [0.55, 0.0]])
    torch.testing.assert_close(synthetic.square_g(rows), tensor([[0], [0.01], [0.2525]]))
    torch.testing.assert_close(synthetic.rastrigin_g(rows), tensor([[0], [1], [225.25]]))


# ------------------------------------------------------------------------------------------------------- even points
@pytest.mark.parametrize(("m", "count"), [(2, 1001), (3, 1001), (3, 200), (8, 1001)])
def test_lattice(m, count):
    points = synthetic.lattice(m, count)
    assert count / 2 < len(points) <= (2 * count if m == 8 else count)  # with the inner copy
    torch.testing.assert_close(points.sum(dim=1), torch.ones(len(points), dtype=torch.float64))
    assert len(torch.unique(points, dim=0)) == len(points)
    assert (points > 0).all(dim=1).any()
    assert (points == 1).any(dim=0).all()


def test_plane_and_sphere():
    torch.testing.assert_close(synthetic.plane_front(3).sum(dim=1), torch.full((990,), 0.5, dtype=torch.float64))
    torch.testing.assert_close(synthetic.sphere_front(3).norm(dim=1), torch.ones(990, dtype=torch.float64))
    assert synthetic.onto_sphere(tensor([[3, 4], [0, 2]])).tolist() == [[0.6, 0.8], [0, 1]]


def test_grid():
    axis = tensor([0, 1, 2])
    assert synthetic.grid(axis, 1).tolist() == [[0], [1], [2]]
    assert len(torch.unique(synthetic.grid(axis, 3), dim=0)) == 27


def test_sobol_is_always_the_same():
    points = synthetic.sobol(5)
    assert points.shape == (1024, 5)
    assert torch.equal(points, synthetic.sobol(5))
    assert (points.mean(dim=0) - 0.5).abs().max() < 0.01


def test_evenly_along_a_curve():
    points = tensor([[0, 0], [3, 4], [3, 5], [3, 15]])
    along = torch.cat([torch.zeros(1), synthetic.chords(points).cumsum(dim=0)])
    assert along.tolist() == [0, 5, 6, 16]
    assert synthetic.evenly(along, 5).tolist() == [0, 1, 3, 3, 3]  # 0, 4, 8, 12, 16


def test_over_pieces():
    places = synthetic.over([(0.0, 1.0), (2.0, 2.5)], 30)
    torch.testing.assert_close(places, torch.cat([tensor(range(21)) / 20, 2 + tensor(range(1, 11)) / 20]))
    torch.testing.assert_close(synthetic.over([(0.0, 1.0), (2.0, 2.001)], 10)[-2:], tensor([2.0005, 2.001]))


# ------------------------------------------------------------------------------------------------------- known fronts
def test_a_front_is_computed_once():
    calls = []

    def front():
        calls.append(1)
        return tensor([[0, 3], [1, 1]])

    known = synthetic.KnownFront()
    known.know_front(front)
    assert not calls
    assert known.oracle.front is known.reference_front
    torch.testing.assert_close(known.reference_point, tensor([1.1, 3.2]))
    assert calls == [1]


def test_a_front_that_is_not_exact_or_not_known():
    known = synthetic.KnownFront()
    known.know_front(lambda: tensor([[0, 3], [1, 1]]), exact=False)
    assert known.oracle is None
    assert len(known.reference_front) == 2
    unknown = synthetic.KnownFront()
    assert unknown.oracle is unknown.reference_front is unknown.reference_point is None


def test_check_dim():
    assert synthetic.check_dim(4, 4, "mw4", 3) == 4
    with pytest.raises(ValueError, match=r"`dim` should be at least 4 for mw4 with 3 objectives\. Found 3\."):
        synthetic.check_dim(3, 4, "mw4", 3)


# ------------------------------------------------------------------------------------------------------- every problem
def test_the_families():
    assert len(NAMES) == 6 + 7 + 9 + 5 + 14 + 1  # Fonseca-Fleming stands alone


@every
def test_contract(name):
    problem = get_problem(name)
    m = problem.num_objectives
    assert (problem.kind, problem.name, problem.unit, problem.stochastic) == ("vector", name, "evaluations", False)
    assert (problem.directions, problem.objective_names) == (("min",) * m, tuple(f"f{i + 1}" for i in range(m)))
    assert problem.space.names[:2] == ("x1", "x2")
    assert problem.oracle is problem.oracle
    assert problem.oracle is None or problem.oracle.front is problem.reference_front


@every
def test_shapes(name):
    problem = get_problem(name)
    m, c = problem.num_objectives, problem.num_constraints
    rows = random_rows(problem, 5)
    whole, none = parts(problem.evaluate(rows)), parts(problem.evaluate(rows[:0]))
    for values, empty, width in zip(whole, none, (m, c), strict=True):
        if width:
            assert (values.shape, values.dtype, empty.shape) == ((5, width), torch.float64, (0, width))
        else:
            assert values is empty is None
    for i in range(5):
        one = parts(problem.evaluate(rows[i : i + 1]))[0]
        torch.testing.assert_close(one, whole[0][i : i + 1], rtol=1e-12, atol=1e-12)


@every
def test_made_again_from_its_name(name):
    option = {"zdt5": "groups=4"}.get(name, "l=6" if "wfg" in name else "dim=9")
    problem = get_problem(f"{name}:{option},noise=0.5")
    again = get_problem(problem.spec)
    assert (problem.spec, again.spec) == (f"{name}:{option},noise=0.5",) * 2
    assert (again.space, again.noise) == (problem.space, 0.5)


@every
def test_pickled_it_is_the_same(name):
    problem = get_problem(name)
    fresh = pickle.loads(pickle.dumps(problem))
    front = problem.reference_front
    rows = random_rows(problem, 4)
    for copy in (fresh, pickle.loads(pickle.dumps(problem))):
        assert torch.equal(parts(copy.evaluate(rows))[0], parts(problem.evaluate(rows))[0])
        assert front is copy.reference_front is None or torch.equal(copy.reference_front, front)


@every
def test_noise_statistics(name):
    quiet, noisy = get_problem(name), get_problem(name, noise=0.3)
    n = 40_000
    rows = random_rows(quiet, 1).expand(n, -1)
    found = parts(noisy.evaluate(rows, torch.Generator().manual_seed(1)))
    true = parts(quiet.evaluate(rows[:1]))
    noise = found[0] - true[0]
    assert noisy.stochastic
    assert noise.mean(dim=0).abs().max() < 4 * 0.3 / math.sqrt(n)
    assert (noise.std(dim=0) - 0.3).abs().max() < 4 * 0.3 / math.sqrt(2 * n)
    assert (torch.corrcoef(noise.T) - torch.eye(noise.shape[1])).abs().max() < 4 / math.sqrt(n)
    assert found[1] is true[1] is None or torch.allclose(found[1], true[1], rtol=1e-12, atol=1e-12)


@every
def test_noise_comes_from_the_generator_alone(name):
    quiet, noisy = get_problem(name), get_problem(name, noise=0.1)
    rows = random_rows(noisy, 6)
    first, again, other = (parts(noisy.evaluate(rows, torch.Generator().manual_seed(seed)))[0] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    for ours, theirs in (
        (noisy.reference_front, quiet.reference_front),
        (noisy.reference_point, quiet.reference_point),
    ):
        assert ours is theirs is None or torch.equal(ours, theirs)
    with pytest.raises(
        ValueError, match=rf"`generator` should be a torch\.Generator: {name} with noise=0\.1 draws its"
    ):
        noisy.evaluate(rows)
