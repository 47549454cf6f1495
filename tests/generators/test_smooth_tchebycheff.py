"""Smooth Tchebycheff: weights against finite differences, and points that no weighted sum finds."""

import math

import pytest
import torch

import moo
from moo.base import Setting
from moo.generators.smooth_tchebycheff import SmoothTchebycheff
from moo.metered import metered
from moo.options import resolve_options
from moo.rl.advantages import Advantages

PREFERENCES = torch.tensor([[0.3, 0.7], [0.5, 0.5], [0.9, 0.1]], dtype=torch.float64)


def a_method(problem, **options):
    said = resolve_options(SmoothTchebycheff.options, {"policies": 3, "copies": 16, **options}, "smooth-tchebycheff")
    return SmoothTchebycheff(metered(problem, 10**6, 0), budget=10**6, seed=0, device="cpu", **said)


@pytest.mark.parametrize("estimator", ["rloo", "gdpo"])
def test_gains_follow_the_derivative_of_the_scalarisation(estimator):
    method = a_method(moo.get_problem("deep-sea-treasure"), estimator=estimator, mu=0.1)
    episodes, _ = method._sample(PREFERENCES)
    method.levels.see(episodes)
    low, high = method.levels.low.tolist(), method.levels.high.tolist()

    def scalarised(means, preferences):
        shortfalls = [(h - x) / (h - b) for x, b, h in zip(means, low, high, strict=True)]
        return -0.1 * math.log(sum(math.exp(p * s / 0.1) for p, s in zip(preferences, shortfalls, strict=True)))

    weights = torch.zeros(3, 2, dtype=torch.float64)
    for p, preferences in enumerate(PREFERENCES.tolist()):
        means = method.levels.means[p].tolist()
        for i in range(2):
            step = 1e-5 * (high[i] - low[i])
            there, back = ([x + s * (j == i) for j, x in enumerate(means)] for s in (step, -step))
            slope = (scalarised(there, preferences) - scalarised(back, preferences)) / (2 * step)
            weights[p, i] = slope * (high[i] - low[i] if estimator == "gdpo" else 1)
    advantages = Advantages(episodes, estimator)
    assert torch.allclose(method.gains(advantages, PREFERENCES), advantages.weighted(weights), rtol=1e-5, atol=1e-6)


def test_policies_are_more_balanced_than_those_of_weighted_sums_on_a_concave_front():
    problem = "bitstrings:length=12,num_objectives=2,exponent=3"  # sums want its corners alone
    options = {"policies": 5, "copies": 32, "learning_rate": 0.03, "entropy": 0.0}
    preferences = torch.tensor([[x, 1 - x] for x in (0.4, 0.45, 0.5, 0.55, 0.6)], dtype=torch.float64)
    said = {"budget": 9600, "options": options, "preferences": preferences, "progress": False}
    linear, smooth = (
        moo.pareto_search(problem, method, **said).finals.objectives.reshape(5, 32, 2).mean(dim=1)
        for method in ("fixed-weights", "smooth-tchebycheff")
    )
    assert smooth.amin(dim=1).mean() > linear.amin(dim=1).mean() + 0.04
    assert smooth[2].amin() > 0.25  # the exact middle is (.3, .3)
    assert smooth[0, 0] < smooth[-1, 0]


def test_it_is_deterministic_and_its_policies_differ():
    runs = []
    for _ in range(2):
        method = a_method(moo.get_problem("bandit:arms=5,num_objectives=2"))
        for _ in range(5):
            told = method.step(Setting(PREFERENCES))
        runs.append(method.net.state_dict())
    assert all(torch.equal(part, runs[1][name]) for name, part in runs[0].items())
    assert len(told) == 0
