import pytest
import torch

import moo
from moo.dominance import non_dominated
from moo.gflow.rewards import SCALARISATIONS
from moo.preferences import das_dennis


@pytest.fixture(scope="module")
def problem():
    return moo.get_problem("hypergrid:objectives=currin+shubert,height=8")


def literal(problem, preference, beta):
    """The reward of every cell, by loops."""
    return [
        sum(p * f for p, f in zip(preference, row, strict=True)) ** beta for row in problem.oracle.objectives.tolist()
    ]


@pytest.mark.parametrize("beta", [0.0, 1.0, 7.5])
def test_law_and_log_z_equal_a_literal_sum(problem, beta):
    preferences = das_dennis(2, 3)
    law, log_z = problem.oracle.distribution(preferences, beta), problem.oracle.log_z(preferences, beta)
    assert law.shape == (4, 63)
    for row, preference in enumerate(preferences.tolist()):
        rewards = literal(problem, preference, beta)
        assert log_z[row].exp().item() == pytest.approx(sum(rewards), rel=1e-12)
        assert law[row].tolist() == pytest.approx([reward / sum(rewards) for reward in rewards], rel=1e-9)


def test_each_preference_may_have_its_own_beta(problem):
    preferences, beta = das_dennis(2, 2), torch.tensor([1.0, 4.0, 16.0])
    both = problem.oracle.distribution(preferences, beta)
    for row in range(3):
        assert torch.equal(both[row], problem.oracle.distribution(preferences[row], float(beta[row]))[0])


def test_bad_betas_are_refused(problem):
    for beta in (-1.0, torch.tensor([1.0, 2.0]), float("nan")):
        with pytest.raises(ValueError, match="`beta` should be one number or 3"):
            problem.oracle.distribution(das_dennis(2, 2), beta)


@pytest.mark.parametrize("scalarisation", SCALARISATIONS)
def test_the_perfect_sampler_follows_the_law(problem, scalarisation):
    preferences = das_dennis(2, 2)
    drawn = problem.oracle.perfect_sampler(preferences, 8.0, 20_000, seed=4, scalarisation=scalarisation)
    assert drawn.shape == (3, 20_000, 3)
    law = problem.oracle.distribution(preferences, 8.0, scalarisation)
    for row in range(3):
        counts = torch.bincount(problem.oracle.index(drawn[row]), minlength=63) / 20_000
        noise = (law[row] * (1 - law[row]) / 20_000).sqrt()
        assert ((counts - law[row]).abs() <= 5 * noise + 1e-4).all()


def test_the_perfect_sampler_is_seeded(problem):
    first, again, other = (problem.oracle.perfect_sampler(das_dennis(2, 2), 2.0, 5, seed=s) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_cells_index_and_front_belong_together(problem):
    oracle = problem.oracle
    states = oracle.draw(torch.arange(63), torch.Generator())
    assert torch.equal(oracle.index(states), torch.arange(63))
    assert torch.equal(problem.evaluate(states), oracle.objectives)
    best = oracle.objectives[non_dominated(oracle.objectives)].unique(dim=0)
    assert torch.equal(oracle.front, best)
