"""The benchmarks of constrained policies and soups hold methods against what is best, and measure what they say."""

import itertools

import pytest
import torch

import moo
from moo.benchmarks.perf import constrained

ROWS = torch.tensor([[1.0, 0.0], [0.4, 0.8], [0.0, 1.0]], dtype=torch.float64)


def test_the_best_feasible_mixture_is_that_of_all_pairs_of_arms():
    # one threshold: two arms suffice
    preference, asked = torch.tensor([0.9, 0.1], dtype=torch.float64), 0.5
    found = []
    for first, second in itertools.combinations_with_replacement(range(3), 2):
        for share in torch.linspace(0, 1, 10_001, dtype=torch.float64):
            value = share * ROWS[first] + (1 - share) * ROWS[second]
            if value[1] >= asked - 1e-12:
                found.append(float(value @ preference))
    assert constrained.best_feasible(ROWS, preference, [None, asked]) == pytest.approx(max(found), abs=1e-4)


def test_thresholds_that_no_mixture_meets_are_refused():
    with pytest.raises(ValueError, match=r"No mixture of arms meets the thresholds \[0.9, 0.9\]"):
        constrained.best_feasible(ROWS, ROWS[0], [0.9, 0.9])


def test_what_is_missed_is_a_share_of_the_threshold():
    values = torch.tensor([[0.0, 0.4, 0.6], [0.0, 0.9, 0.5]], dtype=torch.float64)
    assert constrained._missed(values) == pytest.approx([0.2, 0.0])


def test_figures_of_judged_policies_are_exact_shares(monkeypatch):
    monkeypatch.setitem(constrained.JUDGED, "crraft", (*constrained.JUDGED["crraft"][:2], 3))
    found = constrained.judged("crraft", 1000)
    assert all(0 < rate < 1 for rate in found["feasible"])
    assert all(0 < reward < 2 for reward in found["reward"])


def test_values_of_averages_are_those_of_the_policies_themselves():
    problem = moo.get_problem("bandit:num_objectives=2,layout=1000")
    experts = constrained.made(problem, "reward-soup", 1000, {"rest": 10_000})
    for _ in range(3):
        experts.step(None)
    rows = experts.policies_for(torch.eye(2, dtype=torch.float64)).extras
    torch.testing.assert_close(constrained.values_of(problem, rows), constrained.chances(experts) @ problem.rewards)


def test_a_soup_that_has_learned_nothing_has_neither_gap_nor_barrier():
    found = constrained.soup(1000, 0.003, 0)
    assert found["gap"] == pytest.approx(0.0, abs=0.02)  # the networks begin near uniform, each by itself
    assert found["barrier"] == pytest.approx(0.0, abs=1e-6)
