import pytest
import torch
from inputs import ToyVector

from moo.base import Candidates, Setting
from moo.choosing import make_tuner
from moo.preferences import grid

NAN = float("nan")


def adaptive(num_objectives=2, spec="adaptive"):
    return make_tuner(spec, ToyVector(num_objectives), "toy-conditional", budget=10, seed=0)[0]


def told(objectives, preferences, **extras):
    rows = torch.as_tensor(objectives, dtype=torch.float64)
    return Candidates.of(torch.zeros(len(rows), 1), rows, torch.as_tensor(preferences, dtype=torch.float64), **extras)


def by_a_literal_loop(preference, reached, front, delta):
    """The rule for one preference, in plain numbers."""
    m = len(preference)
    span = [max(row[j] for row in front) - min(row[j] for row in front) or 1.0 for j in range(m)]
    others = [row for row in front if any(row[j] < reached[j] for j in range(m))]
    if not others:
        return preference
    nearest = min(others, key=lambda row: sum(((row[j] - reached[j]) / span[j]) ** 2 for j in range(m)))
    moved = []
    for j in range(m):
        if reached[j] > nearest[j]:
            moved.append(preference[j] * delta)
        elif reached[j] < nearest[j]:
            moved.append(preference[j] / delta)
        else:
            moved.append(preference[j])
    return [entry / sum(moved) for entry in moved]


def test_it_begins_as_a_lattice_of_at_least_a_round():
    assert torch.equal(adaptive(3).suggest(21).preferences, grid(3, 21)[:21])
    assert torch.equal(adaptive(3).suggest(3).preferences, torch.eye(3, dtype=torch.float64).flip(0))
    assert len(adaptive(3).suggest(50).preferences.unique(dim=0)) == 50
    few = adaptive(2, "adaptive:size=4")
    assert torch.equal(few.suggest(8).preferences, grid(2, 4).repeat(2, 1))


def test_a_preference_moves_by_hand():
    tuner = adaptive(2, "adaptive:delta=2,size=3")  # (0, 1), (1, 0), (.5, .5)
    asked = tuner.suggest(3)
    assert asked.preferences[2].tolist() == [0.5, 0.5]
    # the nearest in units of the range (10, 1): of (6, .4) it is (5, .5), better in the first, worse in the second
    tuner.observe(
        asked, told([[0.0, 1.0], [10.0, 0.0], [6.0, 0.4], [5.0, 0.5]], [*asked.preferences.tolist(), [NAN, NAN]]), 1
    )
    found = tuner.suggest(3).preferences
    assert torch.allclose(found[2], torch.tensor([0.8, 0.2]).double())  # 1 : .25
    assert torch.equal(found[:2], asked.preferences[:2])


@pytest.mark.parametrize("num_objectives", [2, 3, 4, 5])
def test_every_preference_moves_as_a_literal_loop_says(num_objectives):
    m, stream = num_objectives, torch.Generator().manual_seed(3)
    tuner = adaptive(m)
    front = []
    for _ in range(3):
        asked = tuner.suggest(len(grid(m, 20)))
        returns = torch.rand(len(asked.preferences), m, dtype=torch.float64, generator=stream).round(decimals=1)
        front += returns.tolist()
        front = [
            row
            for row in front
            if not any(all(b >= a for a, b in zip(row, o, strict=True)) and o != row for o in front)
        ]
        expected = [
            by_a_literal_loop(p, r, front, 1.1)
            for p, r in zip(asked.preferences.tolist(), returns.tolist(), strict=True)
        ]
        tuner.observe(asked, told(returns, asked.preferences), 1)
        assert torch.allclose(tuner.preferences, torch.tensor(expected, dtype=torch.float64))
    assert not torch.allclose(tuner.preferences, grid(m, 20))


def test_only_what_was_worked_for_moves():
    tuner = adaptive(2, "adaptive:size=5")
    tuner.suggest(2)
    asked = tuner.suggest(1)
    before = tuner.preferences.clone()
    tuner.observe(asked, told([[6.0, 0.4], [5.0, 0.5]], [asked.preferences[0].tolist(), [1.0, 0.0]]), 1)
    moved = (tuner.preferences != before).any(dim=1)
    assert moved.tolist() == [False, False, True, False, False]
    after = tuner.preferences.clone()
    tuner.observe(asked, told([[7.0, 0.3]], asked.preferences), 1)  # nothing was asked for since
    assert torch.equal(tuner.preferences, after)


def test_a_return_is_that_of_the_nearest_preference_that_was_evaluated():
    tuner = adaptive(2, "adaptive:size=11,delta=2")  # tenths
    asked = tuner.suggest(11)
    returns = [[1.0, 0.0], [0.75, 0.35], [0.5, 0.7], [0.7, 0.1], [0.0, 1.0]]
    rows = told(returns, [[1.0, 0.0], [0.9, 0.1], [0.5, 0.5], [0.5, 0.5], [0.0, 1.0]])
    tuner.observe(asked, rows, 1)
    front = [[1.0, 0.0], [0.75, 0.35], [0.5, 0.7], [0.0, 1.0]]
    row = asked.preferences[:, 0].sub(0.6).abs().argmin()
    expected = by_a_literal_loop(asked.preferences[row].tolist(), [0.6, 0.4], front, 2.0)  # the mean of the two
    assert torch.allclose(tuner.preferences[row], torch.tensor(expected, dtype=torch.float64))
    assert expected[0] != pytest.approx(0.6)


def test_failed_infeasible_and_unasked_rows_move_nothing():
    tuner = adaptive(2, "adaptive:size=3")
    asked = tuner.suggest(3)
    tuner.observe(asked, told([[NAN, NAN]] * 3, asked.preferences, failed=torch.ones(3, dtype=torch.bool)), 1)
    tuner.observe(asked, told(torch.rand(3, 2), asked.preferences, constraints=torch.ones(3, 1)), 1)
    tuner.observe(asked, told(torch.rand(3, 2), [[NAN, NAN]] * 3), 1)
    tuner.observe(asked, Candidates.empty((1,), 2), 1)
    assert torch.equal(tuner.preferences, grid(2, 3))


def test_state_goes_on():
    tuner, other = adaptive(3), adaptive(3)
    asked = tuner.suggest(7)
    tuner.observe(asked, told(torch.rand(7, 3, generator=torch.Generator().manual_seed(0)), asked.preferences), 1)
    tuner.suggest(5)
    other.load_state_dict(tuner.state_dict())
    for each in (tuner, other):
        each.observe(Setting(), told([[0.3, 0.9, 0.2]], [[0.2, 0.2, 0.6]]), 1)
    assert torch.equal(tuner.suggest(40).preferences, other.suggest(40).preferences)
