import pytest
import torch
from inputs import ToyVector

from moo.choosing import make_tuner
from moo.preferences import das_dennis
from moo.tuners.uniform import Uniform


def uniform(num_objectives=2, **options):
    return Uniform(ToyVector(num_objectives), budget=1, seed=0, hyperparameters={}, **{"divisions": 0, **options})


@pytest.mark.parametrize("num_objectives", [2, 3, 4, 5])
def test_the_corners_come_first(num_objectives):
    first = uniform(num_objectives).suggest(num_objectives).preferences
    assert torch.equal(first.sort(dim=0).values, torch.eye(num_objectives, dtype=torch.float64).sort(dim=0).values)


def test_one_cycle_is_the_lattice_whatever_the_size_of_the_rounds():
    tuner = uniform(3, divisions=4)
    rounds = torch.cat([tuner.suggest(k).preferences for k in (1, 6, 8)])  # 15 points
    lattice = das_dennis(3, 4)
    assert {tuple(row) for row in rounds.tolist()} == {tuple(row) for row in lattice.tolist()}
    assert torch.equal(tuner.suggest(15).preferences, rounds)


def test_given_preferences_are_cycled_in_their_order():
    given = [[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]]
    tuner = uniform(preferences=given)
    assert tuner.suggest(2).preferences.tolist() == given[:2]
    assert tuner.suggest(2).preferences.tolist() == [given[2], given[0]]


def test_the_cursor_is_state():
    tuner, other = uniform(), uniform()
    tuner.suggest(7)
    other.load_state_dict(tuner.state_dict())
    assert torch.equal(tuner.suggest(9).preferences, other.suggest(9).preferences)


def test_it_stands_for_a_tensor_of_preferences():
    tuner, name = make_tuner([[1.0, 0.0]], ToyVector(), "toy-conditional", budget=10, seed=0)
    assert name == "uniform"
    assert tuner.suggest(2).preferences.tolist() == [[1.0, 0.0]] * 2
