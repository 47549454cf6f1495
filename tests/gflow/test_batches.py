import pytest
import torch
from inputs import small_policy as policy

import moo
from moo.base import Candidates
from moo.gflow import losses
from moo.gflow.batches import LOSSES, Batch, flow_loss, in_turn, on_scale, whole_groups
from moo.gflow.policies import Conditions, score
from moo.gflow.rewards import RewardScale
from moo.gflow.trajectories import follow


@pytest.fixture
def parts():
    problem = moo.get_problem("hypergrid:height=5")
    trajectories = follow(problem, 12, None, torch.Generator().manual_seed(0))
    draw = torch.Generator().manual_seed(1)
    conditions = Conditions(torch.rand(12, 2, generator=draw), torch.rand(12, generator=draw))
    so_far = torch.rand(len(trajectories.actions), 12, 2, generator=draw)
    return problem, Batch(trajectories, conditions, problem.evaluate(trajectories.objects), so_far)


def test_rows_are_the_same_trajectories_without_the_longer_ones(parts):
    _, batch = parts
    which = torch.argsort(batch.trajectories.lengths)[:5]
    part = batch.rows(which)
    assert len(part) == 5
    assert len(part.trajectories.actions) == batch.trajectories.lengths[which].max()
    assert torch.equal(part.trajectories.objects, batch.trajectories.objects[which])
    assert torch.equal(part.objectives, batch.objectives[which])
    assert torch.equal(part.conditions.beta, batch.conditions.beta[which])
    assert torch.equal(part.so_far, batch.so_far[: part.so_far.shape[0], which])


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_of_a_batch_is_that_of_its_rows(parts, name):
    problem, batch = parts
    net = policy(problem, backward=False)
    draw = torch.Generator().manual_seed(2)
    encoded, reward = torch.rand(12, 3, generator=draw), torch.randn(12, generator=draw)
    ahead = torch.randn(batch.so_far.shape[:2], generator=draw) if name.startswith("fl-") else None
    whole = flow_loss(name, net, problem, batch, encoded, reward, ahead, group=4)
    assert whole.shape == (12,)
    for rows in (torch.arange(4), torch.arange(8, 12)):
        part = batch.rows(rows)
        near = None if ahead is None else ahead[: len(part.trajectories.actions), rows]
        found = flow_loss(name, net, problem, part, encoded[rows], reward[rows], near, group=4)
        assert torch.allclose(found, whole[rows], atol=1e-4)


def test_flows_begin_with_log_z_end_with_the_reward_and_hold_the_reward_so_far(parts):
    problem, batch = parts
    net = policy(problem, backward=False)
    encoded, reward = torch.rand(12, 3), torch.randn(12)
    ahead = torch.randn(batch.so_far.shape[:2])
    scores = score(net, problem, batch.trajectories, encoded)
    flow = torch.cat([scores.log_flow + ahead, reward[None]])
    for row in range(12):
        flow[int(batch.trajectories.lengths[row]) :, row] = reward[row]
    flow[0] = net.log_z(encoded)
    pair, lengths = (scores.log_forward, scores.log_backward), batch.trajectories.lengths
    for name, loss in (("fl-db", losses.detailed_balance), ("fl-subtb", losses.subtrajectory_balance)):
        found = flow_loss(name, net, problem, batch, encoded, reward, ahead)
        assert torch.allclose(found, loss(*pair, flow, lengths), rtol=1e-5)


def test_vargrad_moves_the_head_of_log_z_apart_from_the_policy(parts):
    problem, batch = parts
    net = policy(problem, flow=False, backward=False)
    encoded, reward = torch.rand(12, 3), torch.randn(12)
    flow_loss("vargrad", net, problem, batch, encoded, reward, None, group=4).sum().backward()
    scores = score(net, problem, batch.trajectories, encoded)
    alone = policy(problem, flow=False, backward=False)
    other = score(alone, problem, batch.trajectories, encoded)
    losses.log_variance(other.log_forward, other.log_backward, reward, 4).sum().backward()
    for (name, first), second in zip(net.named_parameters(), alone.parameters(), strict=True):
        if name.startswith("log_z_head"):
            assert first.grad.abs().sum() > 0
            assert second.grad is None
        else:
            assert torch.allclose(first.grad, second.grad, atol=1e-5), name
    assert torch.equal(scores.log_forward, other.log_forward)


def test_preferences_are_taken_in_turn_until_all_have_been():
    preferences = torch.arange(5.0)[:, None]
    cursor, seen = 0, []
    for _ in range(3):
        taken, cursor = in_turn(preferences, cursor, 2)
        seen.append((taken.flatten().tolist(), cursor))
    assert seen == [([0, 1], 2), ([2, 3], 4), ([4, 0], 0)]
    assert in_turn(preferences, 0, 12)[0].flatten().tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]


def test_groups_are_whole_in_number_and_in_success():
    failed = torch.tensor([0, 0, 0, 1, 0, 0, 0]).bool()
    assert whole_groups(failed, 2).tolist() == [0, 1, 4, 5]
    assert whole_groups(failed, 1).tolist() == [0, 1, 2, 4, 5, 6]
    assert whole_groups(failed, 4).tolist() == []
    assert whole_groups(failed, 8).tolist() == []


@pytest.mark.parametrize("point", [None, torch.tensor([0.0, -2.0]).double()])
def test_the_first_rows_fix_the_scale_once(point):
    told = Candidates.of(
        torch.zeros(4, 1), torch.tensor([[0, 9], [2, 0], [4, -1], [9, 9]]).double(), torch.ones(4, 2) / 2
    )
    scale = RewardScale(unit=False)
    found = on_scale(scale, told, torch.tensor([1, 2]), point)
    low = torch.tensor([1.8, -1.1]).double() if point is None else point  # .1 of the range below the two rows
    assert torch.allclose(found, ((told.objectives - low) / (torch.tensor([4.0, 0.0]) - low)).clamp(min=0))
    assert torch.equal(on_scale(scale, told, torch.tensor([0]), None), found)
