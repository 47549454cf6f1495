from types import SimpleNamespace

import pytest
import torch
from inputs import ToyVector

from moo.base import Candidates, Setting
from moo.choosing import make_tuner
from moo.corners import corner_preferences, optimistic_values
from moo.preferences import grid
from moo.search import pareto_search
from moo.seeding import torch_generator
from moo.tuners.corner_weights import CornerWeights

NAN = float("nan")


def corner_weights(num_objectives=2):
    return make_tuner("corner-weights", ToyVector(num_objectives), "toy-conditional", budget=10, seed=0)[0]


def told(objectives, preferences=None, **extras):
    rows = torch.tensor(objectives, dtype=torch.float64)
    followed = None if preferences is None else torch.tensor(preferences, dtype=torch.float64)
    return Candidates.of(torch.zeros(len(rows), 1), rows, followed, **extras)


def observe(tuner, *arguments, **extras):
    tuner.observe(Setting(), told(*arguments, **extras), 1)


@pytest.mark.parametrize("num_objectives", [2, 3, 4, 5])
def test_unit_vectors_come_first(num_objectives):
    tuner = corner_weights(num_objectives)
    eye = torch.eye(num_objectives, dtype=torch.float64)
    assert torch.equal(tuner.suggest(1).preferences, eye[:1])
    assert torch.equal(tuner.suggest(num_objectives).preferences, eye[[*range(1, num_objectives), 0]])


def test_optimistic_linear_support_by_hand():
    tuner = corner_weights()
    observe(tuner, [[4.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
    # 4 w = 1 - w: at the corner (.2, .8) a return is worth .8 now, and at the most .2 * 4 + .8 * 1
    assert torch.allclose(tuner.suggest(1).preferences, torch.tensor([[0.2, 0.8]]).double())
    observe(tuner, [[3.0, 0.9]], [[0.2, 0.8]])
    # 3 w + .9 (1 - w) = 4 w at 9 / 19, = 1 - w at 1 / 31; the larger chord is the left one's
    left, right = torch.tensor([[9 / 19, 10 / 19], [1 / 31, 30 / 31]]).double()
    found = tuner.suggest(5).preferences
    assert torch.allclose(found[:2], torch.stack([left, right]))
    assert {tuple(row) for row in found[2:].tolist()} == {(1.0, 0.0), (0.0, 1.0)} | {tuple(found[0].tolist())}


def test_priorities_are_the_optimistic_gain():
    m, stream = 3, torch_generator(0, "returns")
    values = torch.rand(6, m, dtype=torch.float64, generator=stream)
    worked_for = grid(m, 10)
    tuner = corner_weights(m)
    observe(tuner, values.tolist())
    observe(tuner, values[torch.arange(10) % 6].tolist(), worked_for.tolist())
    corners = corner_preferences(values)
    found = tuner.suggest(len(corners)).preferences
    assert {tuple(row) for row in found.tolist()} == {tuple(row) for row in corners.tolist()}
    best = (worked_for @ values.T).amax(dim=1)
    gains = optimistic_values(found, worked_for, best) - (found @ values.T).amax(dim=1)
    assert gains[0] > 0.01
    assert (gains.diff() <= 1e-9).all()


def test_what_was_not_worked_for_is_unbounded_and_first():
    tuner = corner_weights()
    observe(tuner, [[4.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [NAN, NAN]])
    found = tuner.suggest(3).preferences
    assert found[2].tolist() == [1.0, 0.0]
    assert found[0].tolist() == [0.0, 1.0]


def test_more_than_there_are_corners_are_cycled_and_the_cycle_goes_on():
    tuner = corner_weights()
    observe(tuner, [[4.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
    first = tuner.suggest(7).preferences
    assert torch.equal(first[:3], first[3:6])
    assert torch.equal(tuner.suggest(2).preferences, first[1:3])


def test_failed_and_infeasible_rows_count_for_nothing():
    tuner, other = corner_weights(), corner_weights()
    good = [[4.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]
    observe(tuner, *good)
    observe(other, [*good[0], [NAN, NAN]], [*good[1], [0.2, 0.8]], failed=torch.tensor([False, False, True]))
    observe(other, [[9.0, 9.0]], [[0.5, 0.5]], constraints=torch.tensor([[1.0]]))
    observe(other, [[NAN, NAN]], [[0.5, 0.5]], failed=torch.tensor([True]))
    other.observe(Setting(), Candidates.empty((1,), 2), 5)
    assert torch.equal(tuner.suggest(4).preferences, other.suggest(4).preferences)


def test_returns_come_maximised_whatever_the_directions(monkeypatch):
    """On a minimised problem, whose values are positive, the loop hands over negative ones."""
    seen, observe_it = [], CornerWeights.observe

    def note(self, setting, candidates, cost):
        seen.append(candidates.objectives)
        observe_it(self, setting, candidates, cost)

    monkeypatch.setattr(CornerWeights, "observe", note)
    pareto_search(ToyVector(2), "toy-conditional", budget=40, preferences="corner-weights", progress=False)
    assert (torch.cat(seen) < 0).any()
    assert (torch.cat(seen) <= 0).all()


def test_many_corners_are_thinned_to_those_unlike_what_was_worked_for():
    tuner = corner_weights(5)
    values = torch.nn.functional.normalize(torch.rand(60, 5, generator=torch_generator(0, "many")).double(), dim=1)
    observe(tuner, values.tolist())
    observe(tuner, [[0.1] * 5] * 5, torch.eye(5).tolist())
    assert len(corner_preferences(values)) > 100
    assert len(tuner.suggest(1000).preferences.unique(dim=0)) == 64


def test_state_goes_on():
    tuner, other = corner_weights(3), corner_weights(3)
    observe(tuner, [[4.0, 0.0, 1.0], [0.0, 1.0, 2.0]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    tuner.suggest(2)
    other.load_state_dict(tuner.state_dict())
    assert torch.equal(tuner.suggest(4).preferences, other.suggest(4).preferences)
    for each in (tuner, other):
        observe(each, [[3.0, 3.0, 0.0]], [[0.5, 0.5, 0.0]])
    assert torch.equal(tuner.suggest(9).preferences, other.suggest(9).preferences)


def test_too_many_objectives_are_refused():
    with pytest.raises(ValueError, match=r"at most 6 objectives.*'many' has 7"):
        make_tuner("corner-weights", SimpleNamespace(num_objectives=7, name="many"), "mogfn", budget=1, seed=0)
