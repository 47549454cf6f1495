import pytest
import torch
from inputs import small_policy as policy

import moo
from moo.gflow.policies import (
    Conditions,
    encode_conditions,
    encode_shares,
    parameter_groups,
    picked,
    score,
    thermometer,
)
from moo.gflow.trajectories import follow


def test_a_thermometer_fills_its_bins_one_after_the_other():
    filled = thermometer(torch.tensor([0.0, 0.3, 0.5, 1.0]), 4)
    assert filled.tolist() == [[0, 0, 0, 0], [1, pytest.approx(0.2), 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]]
    assert torch.allclose(filled.sum(dim=1) / 4, torch.tensor([0.0, 0.3, 0.5, 1.0]))


@pytest.mark.parametrize(("encoding", "columns"), [("scalar", 4), ("thermometer", 20)])
def test_conditions_are_told_apart(encoding, columns):
    asked = Conditions(torch.tensor([[0.2, 0.8], [0.3, 0.7], [0.2, 0.8]]).double(), torch.tensor([1.0, 1.0, 9.0]))
    encoded = encode_conditions(asked, 32.0, encoding, 5)
    assert encoded.shape == (3, columns)
    assert encoded.dtype == torch.float32
    assert ((encoded >= 0) & (encoded <= 1)).all()
    assert len(encoded.unique(dim=0)) == 3


def test_shares_are_read_as_they_are_or_by_thermometers():
    shares = torch.tensor([[0.25, 0.75]], dtype=torch.float64)
    assert encode_shares(shares, "scalar", 2).tolist() == [[0.25, 0.75]]
    assert encode_shares(shares, "thermometer", 2).tolist() == [[0.5, 0.0, 1.0, 0.5]]
    assert encode_shares(shares, "scalar", 2).dtype == torch.float32


def test_every_parameter_is_in_one_of_two_groups():
    net = policy(moo.get_problem("hypergrid:height=5"))
    body, head = (set(group["params"]) for group in parameter_groups(net))
    assert head == set(net.log_z_head.parameters())
    assert body | head == set(net.parameters())
    assert not body & head


def test_picked_is_the_log_softmax_over_legal_actions():
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1, 1, 0, 1]] * 4 + [[0, 0, 1, 0]]).bool()
    actions = torch.tensor([0, 1, 3, 0, 2])
    for row in range(5):
        legal = torch.nonzero(mask[row]).flatten()
        expected = logits[row, actions[row]].exp() / logits[row, legal].exp().sum()
        assert picked(logits, mask, actions)[row].exp().item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("backward", [False, True])
def test_scores_equal_a_literal_walk(backward):
    problem = moo.get_problem("hypergrid:height=5")
    net = policy(problem, backward=backward)
    trajectories = follow(problem, 10, None, torch.Generator().manual_seed(0))
    encoded = torch.rand(10, 3, generator=torch.Generator().manual_seed(1))
    found = score(net, problem, trajectories, encoded)
    states, actions, lengths = trajectories
    for i in range(10):
        for t in range(len(actions)):
            if t >= lengths[i]:
                assert found.log_forward[t, i] == found.log_backward[t, i] == found.log_flow[t, i] == 0
                continue
            here, there = states[t, i][None], states[t + 1, i][None]
            said = net.outputs(problem.features(here), net.condition(encoded[i : i + 1]))
            after = net.outputs(problem.features(there), net.condition(encoded[i : i + 1]))
            forward = said.logits[0].masked_fill(~problem.action_mask(here)[0], -torch.inf).log_softmax(dim=0)
            last = after.backward_logits[0] if backward else torch.zeros(problem.num_actions)
            last = last.masked_fill(~problem.backward_mask(there)[0], -torch.inf).log_softmax(dim=0)
            assert found.log_forward[t, i].item() == pytest.approx(forward[actions[t, i]].item(), abs=1e-5)
            assert found.log_backward[t, i].item() == pytest.approx(last[actions[t, i]].item(), abs=1e-5)
            assert found.log_flow[t, i].item() == pytest.approx(said.log_flow[0].item(), abs=1e-5)


def test_without_flow_and_learned_backward_there_are_fewer_outputs():
    problem = moo.get_problem("hypergrid:height=5")
    outputs = policy(problem, flow=False, backward=False).outputs(torch.zeros(2, 2).long(), torch.zeros(2, 16))
    assert outputs.logits.shape == (2, 3)
    assert outputs.backward_logits is None
    assert outputs.log_flow is None


def test_first_weights_are_seeded():
    problem = moo.get_problem("hypergrid:height=5")
    first, again, other = (policy(problem, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)
