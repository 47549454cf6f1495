"""Q-learning of vectors: goals and losses against literal loops, rows, rescaling, and what is exported."""

from types import SimpleNamespace

import pytest
import torch

from moo.rl.off_policy import DoubleQ, Samples, among_legal, follow_slowly, misses, scale_outputs, through
from moo.rl.policies import StackedMLP, stacked

P, B, INPUTS, A, V = 3, 5, 4, 3, 2
SAID = SimpleNamespace(learning_rate=0.01, hidden=8, layers=2, longest=1.0, target_share=0.1)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def learner(nets=P, seed=0):
    made = DoubleQ(nets, INPUTS, A, V, SAID, stream(seed))
    for parameter in made.target.parameters():  # so that it matters which of the two is asked
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=stream(seed + 1))
    return made


def samples(k=P, rows=None, masked=False, seed=0):
    draw = stream(seed)
    legal = torch.rand(2, k, B, A, generator=draw) < 0.5
    legal[..., 1] = True
    weights = torch.rand(k, V, generator=draw)
    return Samples(
        rows=rows,
        inputs=torch.randn(k, B, INPUTS, generator=draw),
        following=torch.randn(k, B, INPUTS, generator=draw),
        beside=None,
        beside_following=None,
        legal=legal[0] if masked else None,
        legal_following=legal[1] if masked else None,
        actions=torch.randint(A, (k, B), generator=draw),
        rewards=torch.randn(k, B, V, generator=draw),
        ended=torch.rand(k, B, generator=draw) < 0.4,
        weights=weights / weights.sum(dim=1, keepdim=True),
        discounts=torch.rand(k, B, generator=draw),
    )


def literal_goals(made, given, nets):
    """The double Q target of each sample and return, in plain numbers; `nets` are those of the samples' policies."""
    goals = torch.zeros(given.rewards.shape)
    for k, net in enumerate(nets):
        for b in range(B):
            inputs = given.following[k, b].expand(1, 1, INPUTS)

            def returns(stack, net=net, inputs=inputs):
                weights, biases = ([part[net : net + 1] for part in parts] for parts in (stack.weights, stack.biases))
                return stacked(weights, biases, inputs).reshape(A, V)

            now, slow = returns(made.critic), returns(made.target)
            allowed = [a for a in range(A) if given.legal_following is None or given.legal_following[k, b, a]]
            best = max(allowed, key=lambda a: (now[a] @ given.weights[k]).item())
            for v in range(V):
                after = 0.0 if given.ended[k, b] else float(given.discounts[k, b]) * slow[best, v].item()
                goals[k, b, v] = float(given.rewards[k, b, v]) + after
    return goals


@pytest.mark.parametrize("masked", [False, True])
def test_goals_are_those_of_a_literal_loop(masked):
    made, given = learner(), samples(masked=masked)
    assert torch.allclose(made.goals(given), literal_goals(made, given, range(P)), atol=1e-5)


def test_goals_of_some_policies_and_of_one_network_for_all():
    made, given = learner(), samples(2, torch.tensor([2, 0]))
    assert torch.allclose(made.goals(given), literal_goals(made, given, [2, 0]), atol=1e-5)
    shared, given = learner(nets=1), samples(2, torch.tensor([2, 0]))
    assert torch.allclose(shared.goals(given), literal_goals(shared, given, [0, 0]), atol=1e-5)


def test_the_loss_by_hand():
    found = torch.tensor([[[1.0, 2.0], [0.0, 0.0]]])
    goals = torch.tensor([[[0.0, 0.0], [2.0, 1.0]]])
    assert misses(found, goals).tolist() == pytest.approx([0.5 * (1 + 4 + 4 + 1) / 2])


def test_a_step_lowers_the_loss_of_those_who_learn_alone():
    made, rows = learner(), torch.tensor([1])
    given = samples(1, rows)
    before = {name: part.clone() for name, part in made.state_dict().items()}

    def loss():
        returns = made.returns(made.critic, rows, given.inputs)
        found = returns.gather(2, given.actions[..., None, None].expand(-1, -1, -1, V)).squeeze(2)
        return misses(found, goals).item()

    goals = made.goals(given)
    first = loss()
    made.improve(given, stream())
    assert loss() < first
    for name, part in made.state_dict().items():
        assert torch.equal(part[[0, 2]], before[name][[0, 2]]), name
        assert not torch.equal(part[1], before[name][1]), name


def test_targets_follow_by_their_share():
    made, given = learner(), samples()
    slow = [part.clone() for part in made.target.parameters()]
    made.improve(given, stream())
    for old, new, source in zip(slow, made.target.parameters(), made.critic.parameters(), strict=True):
        assert torch.allclose(new, 0.9 * old + 0.1 * source, atol=1e-6)
    only = [part.clone() for part in made.target.parameters()]
    follow_slowly(made.target, made.critic, 0.5, torch.tensor([2]))
    for old, new, source in zip(only, made.target.parameters(), made.critic.parameters(), strict=True):
        assert torch.equal(new[:2], old[:2])
        assert torch.allclose(new[2], (old[2] + source[2]) / 2, atol=1e-6)


def test_other_units_say_the_same():
    made, given, factors = learner(), samples(), torch.tensor([4.0, 0.5])
    before = [made.returns(net, None, given.inputs) for net in (made.critic, made.target)]
    made.rescale(factors)
    after = [made.returns(net, None, given.inputs) for net in (made.critic, made.target)]
    for old, new in zip(before, after, strict=True):
        assert torch.allclose(new, old * factors, atol=1e-5)


def test_outputs_are_scaled_in_groups():
    net = StackedMLP(1, [2, 4], 1.0, stream())
    inputs = torch.ones(1, 3, 2)
    before = net(inputs)
    scale_outputs(net, torch.tensor([2.0, 3.0]))
    assert torch.allclose(net(inputs), before * torch.tensor([2.0, 3.0, 2.0, 3.0]), atol=1e-6)


@pytest.mark.parametrize("nets", [P, 1])
def test_exported_policies_take_the_actions_that_are_worth_most(nets):
    made, given = learner(nets), samples()
    rows = made.actors(given.weights)
    layers = SAID.layers + 1
    logits = stacked(
        [rows[f"actor.weights.{i}"] for i in range(layers)],
        [rows[f"actor.biases.{i}"] for i in range(layers)],
        given.inputs,
    )
    returns = made.returns(made.critic, None, given.inputs)
    assert torch.allclose(logits, (returns * given.weights[:, None, None]).sum(dim=3), atol=1e-5)
    chances = made.behaviour(None, given.inputs, None, given.weights, stream())
    assert torch.equal(chances.argmax(dim=2), logits.argmax(dim=2))
    assert torch.equal(chances.sum(dim=2), torch.ones(P, B, dtype=torch.float64))


def test_illegal_actions_are_never_taken():
    made, given = learner(), samples(masked=True)
    chances = made.behaviour(None, given.inputs, given.legal, given.weights, stream())
    assert (given.legal.gather(2, chances.argmax(dim=2, keepdim=True))).all()
    assert among_legal(torch.zeros(1, 1, 2), torch.tensor([[[True, False]]])).tolist() == [[[0.0, -torch.inf]]]


def test_expected_returns_are_those_of_the_action_taken():
    made, given = learner(), samples()
    returns = made.returns(made.critic, None, given.inputs)
    best = (returns * given.weights[:, None, None]).sum(dim=3).argmax(dim=2)
    expected = torch.stack([torch.stack([returns[k, b, best[k, b]] for b in range(B)]).mean(dim=0) for k in range(P)])
    assert torch.allclose(made.expected(given.inputs, None, given.weights), expected, atol=1e-6)


def test_networks_go_through_rows_as_alone():
    net, inputs = StackedMLP(P, [INPUTS, 8, 2], 1.0, stream()), torch.randn(2, B, INPUTS, generator=stream(1))
    found = through(net, torch.tensor([2, 0]), inputs)
    whole = net(torch.stack([inputs[1], inputs[0], inputs[0]]))
    assert torch.allclose(found, torch.stack([whole[2], whole[0]]), atol=1e-6)


def test_policies_take_over_networks_targets_and_moments():
    made, given = learner(), samples()
    made.improve(given, stream())
    made.take_over(torch.tensor([0, 0, 2]))
    for name, part in made.state_dict().items():
        assert torch.equal(part[0], part[1]), name
        assert not torch.equal(part[1], part[2]), name
    alike = Samples(*(part if part is None else part[[0, 0, 2]] for part in given))
    made.improve(alike, stream())
    for name, part in made.state_dict().items():
        torch.testing.assert_close(part[0], part[1], msg=name)


def test_a_stored_learner_goes_on():
    made, other, given = learner(), learner(seed=5), samples()
    made.improve(given, stream())
    other.load_whole_state(made.whole_state())
    for each in (made, other):
        each.improve(given, stream())
    for name, part in made.state_dict().items():
        assert torch.equal(part, other.state_dict()[name]), name
