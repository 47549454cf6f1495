import torch
from inputs import ToyConstruction

from moo.gflow.trajectories import uniform_objects
from moo.metered import metered


def draw(n, length=2, seed=0):
    problem = ToyConstruction(length=length)
    return problem, uniform_objects(metered(problem, 10, 0), n, torch.Generator().manual_seed(seed))


def test_every_object_is_finished_and_legal():
    problem, states = draw(500, length=4)
    assert all(word.endswith("$") and word.count("$") == 1 for word in problem.decode(states))


def test_frequencies_are_those_of_uniform_legal_actions():
    """Enumerated: an object's probability is the product of one over the number of legal actions along its path."""
    problem, states = draw(20_000)
    words = problem.decode(states)
    expected = {"$": 1 / 4}
    expected |= {f"{a}$": 1 / 16 for a in "abc"}
    expected |= {f"{a}{b}$": 1 / 16 for a in "abc" for b in "abc"}  # the end is the only legal action by then
    assert abs(sum(expected.values()) - 1) < 1e-12
    for word, chance in expected.items():
        assert abs(words.count(word) / len(words) - chance) < 4 * (chance / len(words)) ** 0.5


def test_drawing_pays_nothing():
    problem = ToyConstruction()
    meter = metered(problem, 10, 0)
    uniform_objects(meter, 100, torch.Generator().manual_seed(0))
    assert meter.used == 0
