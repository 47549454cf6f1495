"""Fixed weights: the gain of an action is the advantage of the preferred sum, and a sweep finds the front's parts."""

import pytest
import torch

import moo
from moo.base import Setting
from moo.generators.fixed_weights import FixedWeights
from moo.indicators import hypervolume
from moo.metered import metered
from moo.options import resolve_options

PREFERENCES = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)


def a_method(problem, **options):
    said = resolve_options(FixedWeights.options, {"policies": 3, **options}, "fixed-weights")
    return FixedWeights(metered(problem, 10**6, 0), budget=10**6, seed=0, device="cpu", **said)


def test_what_is_reinforced_is_the_preferred_sum_of_returns():
    method = a_method(moo.get_problem("bandit:arms=5,num_objectives=2"), copies=8, estimator="reinforce-plain")
    seen = []
    method.gains = lambda advantages, preferences: (
        seen.append((advantages.episodes, FixedWeights.gains(method, advantages, preferences))) or seen[-1][1]
    )
    method.step(Setting(PREFERENCES))
    episodes, gains = seen[0]
    for p in range(3):
        for c in range(8):
            expected = sum(w * r for w, r in zip(PREFERENCES[p].tolist(), episodes.returns[p, c].tolist(), strict=True))
            assert float(gains[p, c, 0]) == pytest.approx(expected)


@pytest.mark.parametrize("problem", ["bandit:arms=6,num_objectives=2", "ngrams:ngrams=A+V,length=6,alphabet=AVC"])
def test_a_search_comes_near_the_front(problem):
    found = moo.pareto_search(
        problem, "fixed-weights", budget=6000, options={"copies": 16, "learning_rate": 0.03}, progress=False
    )
    made = moo.get_problem(problem)
    best = hypervolume(made.oracle.front, made.reference_point)
    assert found.record["hypervolume"] > 0.93 * best
    assert len(found.finals)


def test_objects_carry_the_preference_of_the_policy_that_built_them():
    method = a_method(moo.get_problem("ngrams:ngrams=A+V,length=4"), copies=5)
    told = method.step(Setting(PREFERENCES))
    assert torch.equal(told.preferences, PREFERENCES.repeat_interleave(5, dim=0))
    assert len(told) == 15
