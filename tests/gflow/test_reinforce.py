import math

import pytest
import torch
from inputs import ToyConstruction
from inputs import small_policy as policy

import moo
from moo.gflow.policies import score
from moo.gflow.reinforce import left_one_out, legal_actions, log_ratios
from moo.gflow.trajectories import follow


@pytest.mark.parametrize("problem", [moo.get_problem("hypergrid:height=5"), ToyConstruction(length=3)])
def test_legal_actions_are_counted_state_by_state(problem):
    ways = follow(problem, 16, None, torch.Generator().manual_seed(0))
    found = legal_actions(problem, ways)
    assert len(ways.lengths.unique()) > 1
    for row in range(16):
        for step in range(len(ways.actions)):
            here = problem.action_mask(ways.states[step, row][None])[0]
            assert found[step, row] == (int(here.sum()) if step < ways.lengths[row] else 1)


@pytest.mark.parametrize("epsilon", [0.0, 0.2, 1.0])
def test_ratios_are_those_of_the_policy_to_what_draws(epsilon):
    problem = ToyConstruction(length=3)
    net = policy(problem, flow=False, backward=False)
    ways = follow(problem, 30, None, torch.Generator().manual_seed(0))
    log_forward = score(net, problem, ways, torch.zeros(30, 3)).log_forward.detach().double()
    legal = legal_actions(problem, ways)
    found = log_ratios(log_forward, legal, epsilon)
    for row in range(30):
        expected = 1.0
        for step in range(int(ways.lengths[row])):
            alone = math.exp(log_forward[step, row])
            expected *= alone / ((1 - epsilon) * alone + epsilon / int(legal[step, row]))
        assert found[row].exp().item() == pytest.approx(expected, rel=1e-9)
    assert (epsilon > 0) == bool((found.abs() > 0.01).any())


def test_what_is_drawn_with_ratios_has_the_expectation_of_the_policy_alone():
    problem = moo.get_problem("hypergrid:height=4")
    net = policy(problem, flow=False, backward=False)
    with torch.no_grad():
        list(net.body.parameters())[-1][problem.dim] += 1.0  # a taste for stopping, which exploring hides
    encoded = torch.zeros(40_000, 3)

    def logits(state, rows):
        with torch.no_grad():
            return net.outputs(problem.features(state), net.condition(encoded[rows])).logits

    def drawn(epsilon):
        ways = follow(problem, 40_000, logits, torch.Generator().manual_seed(1), epsilon=epsilon)
        log_forward = score(net, problem, ways, encoded).log_forward.detach()
        return ways.lengths.double(), log_ratios(log_forward, legal_actions(problem, ways), epsilon).exp().double()

    alone, mixed, weights = drawn(0.0)[0].mean(), *drawn(0.5)
    assert abs(mixed.mean() - alone) > 0.1  # what the ratios have to mend
    assert abs((weights * mixed).mean() - alone) < 0.04
    assert weights.mean().item() == pytest.approx(1, abs=0.02)


def test_each_value_is_held_against_the_others_of_its_group():
    values = torch.tensor([1.0, 2.0, 6.0, 0.0, 0.0, 3.0])
    expected = [1 - 4, 2 - 3.5, 6 - 1.5, 0 - 1.5, 0 - 1.5, 3 - 0]
    assert left_one_out(values, 3).tolist() == pytest.approx(expected)
    pairs = left_one_out(values, 2)
    assert pairs.tolist() == [-1, 1, 6, -6, -3, 3]
