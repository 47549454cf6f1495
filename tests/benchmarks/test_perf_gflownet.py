import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from moo.benchmarks.perf import gflownet
from moo.benchmarks.perf.gflownet import Case, Compared, OpenGrid, Ours, Peer, check_same, states_of, verdict
from moo.benchmarks.perf.gflownet_peer import rate
from moo.gflow.policies import ConditionalPolicy, logits_for
from moo.problems.hypergrid import HyperGrid

SMALL = Case(2, 6, 64, lowered=1.0)


@pytest.fixture
def ours():
    return Ours(SMALL)


def another(case=SMALL, seed=1):
    """The same side with other draws."""
    side = Ours(case)
    side.stream.manual_seed(seed)
    return side


# ----------------------------------------------------------------------------------------------------------- the grid
def test_both_ways_of_counting_transitions_agree(ours):
    objects, transitions = ours.drawn(5)
    assert objects.shape == (5 * 64, 2)
    assert torch.equal(objects.sum(dim=1) + 1, transitions)
    ours.stream.manual_seed(3)
    counted = sum(ours.sample() for _ in range(5))
    ours.stream.manual_seed(3)
    assert counted == ours.drawn(5)[1].sum()


def test_the_open_grid_has_torchgfns_rules():
    problem = OpenGrid(height=4, dim=2)
    corner = torch.tensor([[3, 3, 0], [3, 1, 0], [0, 0, 0]])
    assert problem.action_mask(corner).tolist() == [[False, False, True], [False, True, True], [True, True, True]]
    moved, finished = problem.step(corner, torch.tensor([2, 1, 0]))
    assert moved.tolist() == [[3, 3, 1], [3, 2, 0], [1, 0, 0]]
    assert finished.tolist() == [True, False, False]
    assert problem.backward_mask(moved).tolist() == [[False, False, True], [True, True, False], [True, False, False]]


def test_every_cell_is_reached_and_every_step_can_be_the_last_of_its_state():
    ours = Ours(Case(2, 4, 2000, lowered=1.0))
    found = ours.trajectories()
    assert len(found.objects.unique(dim=0)) == 16
    moves = found.moves
    back = ours.problem.backward_mask(found.states[1:][moves])
    assert back.gather(1, found.actions[moves][:, None]).all()


# ---------------------------------------------------------------------------------------------------------- the network
def test_the_weights_handed_over_make_the_same_network(ours):
    weights = ours.weights()
    states = states_of(SMALL)
    one_hot = torch.nn.functional.one_hot(states, SMALL.height).flatten(1).float()
    hidden = one_hot @ weights["table"] + weights["bias"]
    for layer in range(3):
        hidden = torch.nn.functional.leaky_relu(hidden) @ weights[f"weight{layer}"].T + weights[f"bias{layer}"]
    expected = ours.logits(states)
    legal = torch.isfinite(expected)
    assert torch.allclose(hidden[legal], expected[legal], atol=1e-5)
    assert (~legal).sum() == 2 * SMALL.height


@pytest.mark.parametrize(("flow", "backward"), [(False, False), (True, False), (True, True)])
def test_the_policy_for_sampling_says_what_the_network_says(flow, backward):
    problem = HyperGrid(height=5, dim=3)
    stream = torch.Generator().manual_seed(0)
    heads = {"flow": flow, "backward": backward}
    policy = ConditionalPolicy(problem.feature_sizes, 4, 3, hidden=16, layers=2, generator=stream, **heads)
    encoded, rows = torch.rand(40, 3, generator=stream), torch.arange(0, 40, 3)
    state = torch.randint(0, 5, (len(rows), 4), generator=stream)
    logits = logits_for(policy, problem, encoded)
    for _ in range(2):
        expected = policy.outputs(problem.features(state), policy.condition(encoded)[rows]).logits
        found = logits(state, rows)
        assert torch.allclose(found, expected, atol=1e-6)
        assert not found.requires_grad
        with torch.no_grad():  # as an optimiser does: the weights are the policy's own
            policy.features.table.mul_(1.5)


def test_learning_leaves_the_policy_as_it_is(ours):
    before = ours.weights()
    assert ours.train() >= 64
    assert all(parameter.grad is not None for parameter in ours.policy.parameters())
    assert all(torch.equal(values, before[name]) for name, values in ours.weights().items())


# ----------------------------------------------------------------------------------------------------------- the checks
def test_equal_sides_pass(ours):
    check_same(SMALL, ours, another())


def test_states_are_all_of_them_or_some_with_all_corners():
    assert len(states_of(SMALL)) == 36
    some = states_of(Case(4, 32, 512))
    assert some.shape == (20_000, 4)
    assert some.max() == 31
    assert ((some[:16] == 0) | (some[:16] == 31)).all()


def test_another_network_is_noticed(ours):
    other = another()
    with torch.no_grad():
        other.policy.features.table[3] += 0.1
    with pytest.raises(RuntimeError, match=r"2D H=6, batch 64, long: the two networks differ by"):
        check_same(SMALL, ours, other)


def test_other_legal_actions_are_noticed(ours):
    other = another()
    other.problem = HyperGrid(height=6, dim=2)
    with pytest.raises(RuntimeError, match="networks differ"):
        check_same(SMALL, ours, other)


def test_other_objects_are_noticed(ours):
    other, biased = another(), another(Case(2, 6, 64, lowered=1.2))
    other.drawn = biased.drawn
    with pytest.raises(RuntimeError, match=r"the means of what is sampled differ by \d"):
        check_same(SMALL, ours, other)


def test_another_way_of_counting_is_noticed(ours):
    other = another()
    drawn = other.drawn
    other.drawn = lambda batches: (drawn(batches)[0], drawn(batches)[1])
    with pytest.raises(RuntimeError, match="not its transitions"):
        check_same(SMALL, ours, other)


# ---------------------------------------------------------------------------------------------------- figures, verdicts
def test_a_rate_is_transitions_over_time():
    clock = iter(range(100))
    fake = SimpleNamespace(process_time=lambda: next(clock), perf_counter=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moo.benchmarks.perf.gflownet_peer.time", fake)
        assert rate(lambda: 7, 5.0, "cpu") == 7


@pytest.mark.parametrize(("ratio", "said"), [(4.5, "met"), (3.9, "short by 3.90x of 4x")])
def test_the_first_figure_decides(ratio, said):
    one = Compared("2D", "sample", ours=2.0, peer=1.0, ratio=ratio, worst_ratio=3.0, module="one-hot", device="cpu")
    other = Compared("2D", "train", ours=2.0, peer=1.0, ratio=1.0, worst_ratio=1.0, module="one-hot", device="cpu")
    found = verdict([one, other])
    assert found.verdict == said
    assert len(found.details["cases"]) == 2


def test_an_interpreter_without_torchgfn_is_an_error(ours):
    with pytest.raises(RuntimeError, match=r"(?s)torchgfn's process ended.*No module named 'gfn'"):
        Peer(Path(sys.executable), SMALL, "cpu", ours.weights())


def test_what_cannot_be_installed_is_not_measured(monkeypatch, tmp_path):
    failed = SimpleNamespace(returncode=1, stderr="no such version")
    monkeypatch.setattr(gflownet.subprocess, "run", lambda *_, **__: failed)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = gflownet.throughput(quick=True)
    assert found.verdict == "not measured (torchgfn could not be installed: no such version)"
