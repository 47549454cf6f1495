import pytest
import torch
from inputs import ToyConstruction

import moo
from moo.gflow.histories import Histories, action_rows
from moo.gflow.policies import policy_for, score
from moo.gflow.trajectories import follow, take_apart, uniform_objects

PROBLEMS = {
    "toy": ToyConstruction,
    "ngrams": lambda: moo.get_problem("ngrams:length=6,min_length=4"),
    "grid": lambda: moo.get_problem("hypergrid:height=5"),
    "bits": lambda: moo.get_problem("bitstrings:length=5"),
}


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(params=PROBLEMS)
def problem(request):
    return PROBLEMS[request.param]()


def walked(problem, n=50):
    histories = Histories(problem)
    return histories, follow(histories, n, None, stream())


def test_states_are_those_of_the_problem_and_the_actions_that_led_there(problem):
    histories, ways = walked(problem)
    for row in range(5):
        state = problem.start(1)
        for t in range(int(ways.lengths[row])):
            here = ways.states[t, row][None]
            assert torch.equal(histories.objects(here), state)
            assert histories.actions(here)[0, :t].tolist() == ways.actions[:t, row].tolist()
            assert (histories.actions(here)[0, t:] == -1).all()
            assert torch.equal(histories.action_mask(here), problem.action_mask(state))
            assert torch.equal(histories.backward_mask(here), problem.backward_mask(state))
            state, _ = problem.step(state, ways.actions[t, row][None])
        assert torch.equal(histories.objects(ways.objects[row][None]), state)


def test_a_policy_reads_the_actions_and_nothing_else(problem):
    histories, ways = walked(problem)
    states = ways.states.flatten(0, 1)
    found, a = histories.features(states), problem.num_actions
    assert (found >= 0).all()
    assert (found < torch.tensor(histories.feature_sizes)).all()
    for actions, row in zip(histories.actions(states).tolist(), found.tolist(), strict=True):
        done = [action for action in actions if action >= 0]
        last = [0, 0, *(action + 1 for action in done)][:-3:-1]
        expected = [len(done), *last, *(action + 1 for action in actions), *(done.count(k) for k in range(a))]
        assert row == expected


def test_what_a_problem_says_of_its_objectives_is_not_read():
    problem = PROBLEMS["ngrams"]()
    problem.features = lambda state: pytest.fail("asked for its features")
    histories, ways = walked(problem)
    policy = policy_for(histories, 1, hidden=8, layers=1, flow=False, backward=False, generator=stream())
    score(policy, histories, ways, torch.ones(len(ways.lengths), 1))


def test_ways_of_the_problem_become_ways_with_histories(problem):
    histories, ways = walked(problem)
    retold = histories.told(take_apart(problem, histories.objects(ways.objects), stream(1)))
    for row in range(5):
        state = histories.start(1)
        for t in range(int(retold.lengths[row])):
            assert torch.equal(retold.states[t, row][None], state)
            state, finished = histories.step(state, retold.actions[t, row][None])
        assert finished.all()
        assert torch.equal(retold.objects[row][None], state)


def test_action_rows_build_the_objects_again(problem):
    objects = uniform_objects(problem, 50, stream())
    for row, target in zip(action_rows(problem, objects), objects, strict=True):
        state, finished = problem.start(1), False
        taken = row[row >= 0]
        assert (row[len(taken) :] == -1).all()
        for action in taken:
            state, finished = problem.step(state, action[None])
        assert finished
        assert torch.equal(state[0], target)


def test_equal_objects_have_equal_action_rows():
    problem = PROBLEMS["grid"]()
    histories, ways = walked(problem, 400)
    objects = histories.objects(ways.objects)
    rows = action_rows(problem, objects)
    together = torch.cat([objects, rows], dim=1)
    assert len(together.unique(dim=0)) == len(objects.unique(dim=0))
    assert len(histories.actions(ways.objects).unique(dim=0)) > len(objects.unique(dim=0))


def test_of_one_way_alone_the_action_row_is_the_history():
    histories, ways = walked(PROBLEMS["ngrams"]())
    assert torch.equal(action_rows(histories.problem, histories.objects(ways.objects)), histories.actions(ways.objects))
