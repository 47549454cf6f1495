import pytest
import torch
from inputs import ToyVector

from moo.choosing import make_tuner
from moo.preferences import das_dennis, grid
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


@pytest.mark.parametrize(("num_objectives", "k"), [(2, 150), (3, 200), (6, 500)])
def test_the_lattice_grows_with_the_round(num_objectives, k):
    """A method that learns many preferences at once meets all of them different."""
    tuner = uniform(num_objectives)
    assert len(tuner.preferences) < k
    found = tuner.suggest(k).preferences
    assert len(found) == k == len(found.unique(dim=0))
    assert torch.equal(tuner.preferences, grid(num_objectives, k))
    assert torch.equal(found[:num_objectives].sum(dim=0), torch.ones(num_objectives, dtype=torch.float64))


def test_the_lattice_stays_where_a_round_fits():
    tuner = uniform(3)
    lattice = tuner.preferences.clone()
    tuner.suggest(100)
    assert torch.equal(tuner.preferences, lattice)


def test_in_the_middle_of_a_cycle_the_lattice_stays():
    tuner, other = uniform(), uniform()
    tuner.suggest(7)
    other.suggest(7)
    assert torch.equal(tuner.suggest(500).preferences, torch.cat([other.suggest(50).preferences for _ in range(10)]))


@pytest.mark.parametrize("options", [{"divisions": 4}, {"preferences": [[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]]}])
def test_what_was_said_never_grows(options):
    tuner = uniform(**options)
    said = tuner.preferences.clone()
    found = tuner.suggest(500).preferences
    assert torch.equal(tuner.preferences, said)
    assert torch.equal(found, said[torch.arange(500) % len(said)])


@pytest.mark.parametrize("k", [7, 200])
def test_the_size_of_the_lattice_is_state(k):
    tuner, other = uniform(3), uniform(3)
    tuner.suggest(k)
    tuner.suggest(3)
    other.load_state_dict(tuner.state_dict())
    assert torch.equal(tuner.preferences, other.preferences)
    assert torch.equal(tuner.suggest(9).preferences, other.suggest(9).preferences)


def test_it_stands_for_a_tensor_of_preferences():
    tuner, name = make_tuner([[1.0, 0.0]], ToyVector(), "toy-conditional", budget=10, seed=0)
    assert name == "uniform"
    assert tuner.suggest(2).preferences.tolist() == [[1.0, 0.0]] * 2
