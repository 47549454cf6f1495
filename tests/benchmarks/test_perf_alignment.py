"""The benchmarks of policies with several rewards measure what they say, on small tasks."""

import math

import pytest
import torch

import moo
from moo.benchmarks.perf import alignment
from moo.indicators import hypervolume


def climbed(rewards, steps, rate, mu):
    """Values on the way of a softmax policy from uniform, by loops over arms and objectives."""
    arms, m = rewards.shape
    logits, weights, path = [0.0] * arms, [1 / m] * m, []
    for _ in range(steps + 1):
        total = sum(math.exp(x) for x in logits)
        chances = [math.exp(x) / total for x in logits]
        values = [sum(c * float(rewards[a, i]) for a, c in enumerate(chances)) for i in range(m)]
        path.append(values)
        slopes = [[c * (float(rewards[a, i]) - values[i]) for a, c in enumerate(chances)] for i in range(m)]
        if mu is not None:
            gains = [sum(x * y for other in slopes for x, y in zip(slope, other, strict=True)) for slope in slopes]
            grown = [w * math.exp(rate / mu * gain) for w, gain in zip(weights, gains, strict=True)]
            weights = [w / sum(grown) for w in grown]
        logits = [x + rate * sum(w * s[a] for w, s in zip(weights, slopes, strict=True)) for a, x in enumerate(logits)]
    return torch.tensor(path, dtype=torch.float64)


@pytest.mark.parametrize("mu", [None, 0.01])
def test_what_a_policy_passes_through_is_that_of_a_literal_loop(mu):
    problems = [moo.get_problem(f"bandit:layout={layout}") for layout in (7, 8)]
    paths = [climbed(problem.rewards, 12, 3.0, mu) for problem in problems]
    expected = [hypervolume(path, problems[0].reference_point) for path in paths]
    assert alignment.passed((7, 8), 3.0, 12, mu) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("start", "fixed"), [(0.0, 74), (-2.0, 108)])
def test_steps_until_all_is_learned_are_those_of_a_literal_loop(start, fixed):
    odds, steps = [start] * 3, 0
    while any(x < math.log(19) for x in odds):  # a chance of .95
        slopes = [1 / (2 + math.exp(x) + math.exp(-x)) for x in odds]
        odds = [x + speed * slope / 3 for x, slope, speed in zip(odds, slopes, (5, 1, 1), strict=True)]
        steps += 1
    assert alignment.learned_at(start, None) == (steps, pytest.approx(1 / 3))
    assert steps == fixed


def test_how_far_behind_a_mixture_is_found_by_hand():
    rewards = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.2, 0.2]], dtype=torch.float64)
    assert alignment._behind(rewards[2], rewards) == pytest.approx(0.3)
    assert alignment._behind(rewards[0], rewards) == pytest.approx(0.0)


def test_pama_stops_where_no_arm_is_better_in_all_objectives():
    found = alignment.stationary(1000, 300)
    assert found["behind"] > 0.01
    assert found["last"] > 1e-3 * found["first"]


@pytest.mark.parametrize("task", ["bandit", "n-grams"])
def test_figures_are_shares_of_what_is_possible(task):
    found = alignment.swept(task, "fixed-weights", 1000, share=20)
    assert 0 < found["front"] < 1
    assert 0 <= found["finals"] < 1


def test_the_table_of_the_page_is_what_is_measured():
    found = alignment.changes("grpo", 4, 1000)
    for place, change in found.items():
        assert (change > 1e-3) == alignment.acts("grpo", place)
        assert change > 1e-3 or change <= 1e-5
