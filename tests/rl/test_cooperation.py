"""Neighbourhoods, turns and transfer by hand and against literal loops."""

import pytest
import torch

from moo.indicators import hypervolume
from moo.preferences import dirichlet, grid
from moo.rl.cooperation import best_of_neighbourhood, chances_of_turns, nearest_trained, neighbourhoods, pools

LINE = torch.tensor([[0.0, 1.0], [0.2, 0.8], [0.3, 0.7], [0.9, 0.1], [1.0, 0.0]], dtype=torch.float64)


def numbers(near):
    return [torch.nonzero(row).flatten().tolist() for row in near]


def test_neighbours_by_hand():
    assert numbers(neighbourhoods(LINE, 1)) == [[1], [2], [1], [4], [3]]
    assert numbers(neighbourhoods(LINE, 2)) == [[1, 2], [0, 2], [0, 1], [2, 4], [2, 3]]
    assert not neighbourhoods(LINE, 0).any()
    assert torch.equal(neighbourhoods(LINE, 99), ~torch.eye(5, dtype=torch.bool))


def test_neighbours_are_the_nearest_of_any_preferences():
    preferences = dirichlet(12, 4, torch.Generator().manual_seed(0))
    found = neighbourhoods(preferences, 3)
    for i, row in enumerate(preferences.tolist()):
        away = [sum((a - b) ** 2 for a, b in zip(row, other, strict=True)) for other in preferences.tolist()]
        expected = sorted((j for j in range(12) if j != i), key=lambda j: away[j])[:3]
        assert sorted(expected) == numbers(found)[i]


def test_of_those_equally_far_the_first_count():
    assert numbers(neighbourhoods(grid(2, 3), 1)) == [[2], [2], [0]]  # (0, 1), (1, 0), (.5, .5)


def test_pools_hold_ones_own_transitions_always():
    near = neighbourhoods(LINE, 1)
    assert numbers(pools(near, "none")) == [[0], [1], [2], [3], [4]]
    assert numbers(pools(near, "neighbours")) == [[0, 1], [1, 2], [1, 2], [3, 4], [3, 4]]
    assert pools(near, "all").all()


def test_chances_of_turns_follow_what_a_policy_adds():
    returns = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.4, 0.4]], dtype=torch.float64)
    low, span = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    found = chances_of_turns(returns, low, span)
    best = returns[:3]
    whole = hypervolume(best, [-0.1, -0.1])
    added = [float(whole - hypervolume(best[torch.arange(3) != i], [-0.1, -0.1])) for i in range(3)] + [0.0]
    expected = [(part / sum(added) + 0.25) / 2 for part in added]
    assert found.tolist() == pytest.approx(expected)
    assert expected[3] == 0.125
    scaled = chances_of_turns(100 * returns - 7, low - 7, 100 * span)
    assert scaled.tolist() == pytest.approx(expected)


def test_turns_of_unknown_returns_are_as_likely_as_others():
    low, span = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    unknown = torch.full((3, 2), float("nan"), dtype=torch.float64)
    assert chances_of_turns(unknown, low, span).tolist() == pytest.approx([1 / 3] * 3)
    unknown[1] = 1.0
    assert chances_of_turns(unknown, low, span).tolist() == pytest.approx([1 / 6, 4 / 6, 1 / 6])


def test_the_best_of_a_neighbourhood_is_taken_over_where_it_is_better():
    near = neighbourhoods(LINE, 1)  # 0: 1, 1: 2, 2: 1, 3: 4, 4: 3
    utilities = torch.zeros(5, 5)
    utilities[0, 1] = 1.0  # better: taken
    utilities[1, 3] = 9.0  # no neighbour
    utilities[2, 2] = 2.0
    utilities[2, 1] = 1.0  # worse
    utilities[3, 3] = float("nan")  # unknown itself
    utilities[4, 3] = float("nan")
    assert best_of_neighbourhood(utilities, near).tolist() == [1, 1, 2, 4, 4]


def test_the_nearest_neighbour_that_was_trained():
    near = neighbourhoods(LINE, 2)  # 0: 1 2, 1: 0 2, 2: 0 1, 3: 2 4, 4: 2 3
    trained = torch.tensor([True, False, False, False, True])
    assert nearest_trained(LINE, near, trained).tolist() == [0, 0, 0, 4, 4]
    assert nearest_trained(LINE, near, torch.zeros(5, dtype=torch.bool)).tolist() == [0, 1, 2, 3, 4]
