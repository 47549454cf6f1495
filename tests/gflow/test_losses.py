import pytest
import torch
from exact_policy import exact_policy, skewed

import moo
from moo.gflow import losses
from moo.gflow.trajectories import follow
from moo.preferences import das_dennis


def along(trajectories, flow, forward, backward):
    """Log flow `[T + 1, n]`, log P_F and log P_B `[T, n]`, literally, one state at a time."""
    states, actions, lengths = trajectories
    steps, n = actions.shape
    log_flow = torch.zeros(steps + 1, n, dtype=torch.float64)
    log_forward, log_backward = torch.zeros(2, steps, n, dtype=torch.float64)
    for i in range(n):
        for t in range(steps + 1):
            log_flow[t, i] = flow(states[min(t, int(lengths[i])), i][None])[0]
        for t in range(int(lengths[i])):
            log_forward[t, i] = forward(states[t, i][None])[0, actions[t, i]]
            log_backward[t, i] = backward(states[t + 1, i][None])[0, actions[t, i]]
    return log_flow, log_forward, log_backward


@pytest.fixture(scope="module", params=["uniform", "skewed"])
def balanced(request):
    """Trajectories of the 5 x 5 grid, drawn uniformly, with what the exact policy says along them."""
    problem = moo.get_problem("hypergrid:height=5")
    preference = das_dennis(2, 4)[1:2]
    log_reward = 3 * problem.oracle.objectives.matmul(preference[0]).log()
    parts = exact_policy(problem, log_reward, None if request.param == "uniform" else skewed)
    trajectories = follow(problem, 24, None, torch.Generator().manual_seed(0))
    return trajectories, *along(trajectories, *parts), problem.oracle.log_z(preference, 3.0)


def all_losses(flow, forward, backward, lengths, group=4):
    log_reward = flow[-1]
    return {
        "tb": losses.trajectory_balance(flow[0], forward, backward, log_reward),
        "vargrad": losses.log_variance(forward, backward, log_reward, group),
        "db": losses.detailed_balance(forward, backward, flow, lengths),
        "subtb": losses.subtrajectory_balance(forward, backward, flow, lengths),
        "subtb .7": losses.subtrajectory_balance(forward, backward, flow, lengths, 0.7),
    }


def test_every_loss_of_the_exact_policy_is_zero_whatever_the_backward_policy(balanced):
    trajectories, flow, forward, backward, log_z = balanced
    assert flow[0, 0].item() == pytest.approx(log_z.item(), abs=1e-12)
    for name, loss in all_losses(flow, forward, backward, trajectories.lengths).items():
        assert loss.shape == (24,), name
        assert loss.abs().max() < 1e-20, name


def literal(name, flow, forward, backward, length, log_z):
    """The definition for one trajectory, by loops."""
    reward = flow[length]
    gains = [(backward[t] - forward[t]).item() for t in range(length)]
    if name == "tb":
        return (log_z - reward - sum(gains)) ** 2
    if name == "db":
        return sum((flow[t] - gains[t] - flow[t + 1]) ** 2 for t in range(length)) / length
    discount = 0.7 if "7" in name else 1.0
    total = weight = 0.0
    for i in range(length + 1):
        for j in range(i + 1, length + 1):
            total += discount ** (j - i) * (flow[i] - sum(gains[i:j]) - flow[j]) ** 2
            weight += discount ** (j - i)
    return total / weight


def test_losses_equal_their_literal_definitions():
    trajectories = follow(moo.get_problem("hypergrid:height=6"), 12, None, torch.Generator().manual_seed(3))
    lengths, steps = trajectories.lengths, len(trajectories.actions)
    assert len(lengths.unique()) > 3  # ragged
    draw = torch.Generator().manual_seed(1)
    flow = torch.randn(steps + 1, 12, generator=draw, dtype=torch.float64)
    flow = torch.where(torch.arange(steps + 1)[:, None] < lengths, flow, torch.randn(12, generator=draw).double())
    forward, backward = -torch.rand(2, steps, 12, generator=draw, dtype=torch.float64) * trajectories.moves
    found = all_losses(flow, forward, backward, lengths)
    for name in ("tb", "db", "subtb", "subtb .7"):
        for i in range(12):
            expected = literal(name, flow[:, i], forward[:, i], backward[:, i], int(lengths[i]), flow[0, i])
            assert found[name][i].item() == pytest.approx(float(expected), rel=1e-12), (name, i)
    estimates = flow[-1] + (backward - forward).sum(dim=0)
    for i in range(12):
        mates = estimates[i // 4 * 4 : i // 4 * 4 + 4]
        assert found["vargrad"][i].item() == pytest.approx(((estimates[i] - mates.mean()) ** 2).item(), rel=1e-12)


def test_subtb_without_pairs_equals_subtb_with_pairs():
    draw = torch.Generator().manual_seed(5)
    lengths = torch.tensor([1, 4, 7])
    moves = torch.arange(7)[:, None] < lengths
    flow = torch.randn(8, 3, generator=draw, dtype=torch.float64)
    forward, backward = torch.randn(2, 7, 3, generator=draw, dtype=torch.float64) * moves
    fast = losses.subtrajectory_balance(forward, backward, flow, lengths, 1.0)
    slow = losses.subtrajectory_balance(forward, backward, flow, lengths, 1 - 1e-12)
    assert torch.allclose(fast, slow, rtol=1e-9)


def test_what_stands_behind_the_end_does_not_count():
    lengths = torch.tensor([2, 3])
    draw = torch.Generator().manual_seed(0)
    flow = torch.randn(5, 2, generator=draw, dtype=torch.float64)
    forward, backward = torch.randn(2, 4, 2, generator=draw, dtype=torch.float64)
    behind = torch.arange(4)[:, None] >= lengths
    first = [losses.detailed_balance, losses.subtrajectory_balance]
    for loss in first:
        spoilt = loss(forward.masked_fill(behind, 9.0), backward.masked_fill(behind, -4.0), flow, lengths)
        assert torch.equal(spoilt, loss(forward, backward, flow, lengths))
