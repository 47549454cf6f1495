import pytest
import torch
from inputs import ToyConstruction

from moo.gflow.trajectories import draw as draw_actions
from moo.gflow.trajectories import follow, take_apart, uniform_objects
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


@pytest.mark.parametrize("epsilon", [0.0, 0.3])
def test_actions_follow_the_softmax_mixed_with_equal_chances(epsilon):
    logits = torch.tensor([2.0, 0.0, -1.0, 5.0])
    mask = torch.tensor([True, True, True, False])
    n = 100_000
    found = draw_actions(logits.expand(n, -1), mask.expand(n, -1), torch.Generator().manual_seed(0), epsilon)
    legal = logits[:3].softmax(dim=0) * (1 - epsilon) + epsilon / 3
    counts = torch.bincount(found, minlength=4) / n
    assert counts[3] == 0
    assert ((counts[:3] - legal).abs() < 5 * (legal * (1 - legal) / n).sqrt()).all()


def test_the_policy_is_asked_for_unfinished_objects_alone_and_told_which():
    problem = ToyConstruction(length=4)
    asked = []

    def logits(state, rows):
        asked.append((state.clone(), rows.clone()))
        return torch.zeros(len(state), 4)

    drawn = follow(problem, 50, logits, torch.Generator().manual_seed(0))
    for step, (state, rows) in enumerate(asked):
        assert torch.equal(state, drawn.states[step, rows])
        assert torch.equal(rows, torch.nonzero(drawn.lengths > step).flatten())
    assert len(asked) == drawn.lengths.max()


def test_records_hold_every_step_and_repeat_the_last_state():
    problem = ToyConstruction(length=4)
    drawn = follow(problem, 50, None, torch.Generator().manual_seed(2))
    for row in range(50):
        state = problem.start(1)
        for step in range(len(drawn.actions)):
            assert torch.equal(drawn.states[step, row], state[0])
            if step < drawn.lengths[row]:
                state, done = problem.step(state, drawn.actions[step, row][None])
                assert bool(done) == (step + 1 == drawn.lengths[row])
        assert torch.equal(drawn.objects[row], state[0])
    part = drawn.rows(torch.tensor([3, 1]))
    assert torch.equal(part.objects, drawn.objects[[3, 1]])
    assert len(part.actions) == part.lengths.max()


def test_objects_taken_apart_are_built_again():
    problem = ToyConstruction(length=4)
    objects = uniform_objects(problem, 200, torch.Generator().manual_seed(1))
    ways = take_apart(problem, objects, torch.Generator().manual_seed(5))
    assert torch.equal(ways.states[0], problem.start(200))
    assert torch.equal(ways.objects, objects)
    for row in range(0, 200, 20):
        state = problem.start(1)
        for step in range(int(ways.lengths[row])):
            state, _ = problem.step(state, ways.actions[step, row][None])
        assert torch.equal(state[0], objects[row])
