import pytest
import torch
from inputs import ToyConstruction, ToyEnvironment, ToyVector

import moo
from moo.generators.random_search import RandomSearch
from moo.metered import metered, step_by_asking


def random_search(problem, batch=16, episodes=2, budget=10_000, seed=0):
    meter = metered(problem, budget, seed)
    return RandomSearch(meter, budget=budget, seed=seed, device="cpu", batch=batch, episodes=episodes), meter


def test_a_vector_space_is_covered_evenly():
    """A scrambled Sobol sequence: of the first 2^k points each half of each column holds exactly half."""
    generator, _ = random_search(ToyVector(dim=5))
    solutions = generator.ask(64).solutions
    assert ((solutions < 0.5).sum(dim=0) == 32).all()
    assert ((solutions < 0.25).sum(dim=0) == 16).all()


@pytest.mark.parametrize("problem", [ToyVector(), ToyConstruction()], ids=["vector", "construction"])
def test_how_the_sequence_is_cut_does_not_matter(problem):
    whole = random_search(problem)[0].ask(40).solutions
    generator, _ = random_search(problem)
    assert torch.equal(whole, torch.cat([generator.ask(n).solutions for n in (1, 16, 20, 3)]))


def test_whole_columns_get_every_level_equally_often():
    generator, _ = random_search(ToyVector(mixed=True))
    levels = generator.ask(1000).solutions[:, -1]
    assert torch.bincount(levels.long()).tolist() == pytest.approx([200] * 5, abs=10)


@pytest.mark.parametrize("continuous", [False, True])
def test_policies_are_scored_by_whole_episodes(continuous):
    generator, meter = random_search(ToyEnvironment(continuous=continuous))
    candidates = generator.step(None)
    assert len(candidates) == 16
    assert candidates.extras["parameters.linear"].shape == (16, 2, 1 if continuous else 2)
    assert candidates.solutions.flatten().tolist() == list(range(16))
    assert 16 * 2 * 2 <= meter.used <= 16 * 2 * 12
    assert candidates.extras["used"].unique().tolist() == [meter.used]


def test_a_policy_acts_again_as_it_did():
    problem = ToyEnvironment()
    result = moo.pareto_search(problem, "random", budget=5000, options={"batch": 50}, progress=False)
    observations = problem.observe(problem.reset(len(result.front)))
    first, again = (
        result.generator.act(result.front, observations, None, 0, torch.Generator().manual_seed(1)) for _ in range(2)
    )
    assert torch.equal(first, again)
    assert first.shape == (len(result.front),)


def test_policies_cut_by_the_budget_are_no_estimate():
    generator, meter = random_search(ToyEnvironment(), budget=9, batch=1, episodes=4)
    candidates = step = generator.step(None)
    assert meter.remaining == 0
    assert step.failed.all()
    assert "budget ran out" in candidates.extras["reason"][0]


def test_nothing_is_learned_from_what_is_told():
    told, untold = random_search(ToyVector())[0], random_search(ToyVector())[0]
    step_by_asking(told, told.problem, 8)
    untold.ask(8)
    assert torch.equal(told.ask(8).solutions, untold.ask(8).solutions)
