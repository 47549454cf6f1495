import pytest
import torch

import moo
from moo.indicators import hypervolume


def test_it_draws_from_the_exact_law():
    problem = moo.get_problem("hypergrid:height=8")
    result = moo.pareto_search(
        problem, "perfect-sampler", budget=20_000, preferences=[[0.3, 0.7]], options={"beta": 4.0}, progress=False
    )
    drawn = result.generator.sample(torch.tensor([[0.3, 0.7]]).repeat(20_000, 1), seed=5)
    law = problem.oracle.distribution([[0.3, 0.7]], 4.0)[0]
    counts = torch.bincount(problem.oracle.index(drawn), minlength=len(law)) / 20_000
    assert (counts - law).abs().max() < 5 * (0.25 / 20_000) ** 0.5
    assert result.record["used"] == 20_000


def test_sharper_is_better_where_weighted_sums_reach():
    volumes = []
    for beta in (1.0, 64.0):
        result = moo.pareto_search(
            "hypergrid", "perfect-sampler", budget=200, options={"beta": beta}, seed=3, progress=False
        )
        volumes.append(hypervolume(result.objectives, [0.0, 0.0]))
    assert volumes[0] < volumes[1]


def test_a_problem_without_an_exact_law_is_refused():
    with pytest.raises(ValueError, match=r"needs a problem whose oracle knows the exact law. 'hypergrid' has none"):
        moo.pareto_search("hypergrid:dim=5", "perfect-sampler", budget=10, progress=False)
