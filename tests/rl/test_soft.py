"""Soft actor-critic: laws, goals and losses against literal loops, numerical integrals and finite differences."""

import math
from types import SimpleNamespace

import pytest
import torch

from moo.rl.off_policy import Samples
from moo.rl.policies import Law, stacked
from moo.rl.soft import Soft, squashed

P, B, INPUTS, E, A, V = 2, 4, 3, 2, 3, 2
SAID = SimpleNamespace(learning_rate=0.01, hidden=8, layers=1, longest=10.0, target_share=0.1, spread=0.2)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def learner(discrete, nets=P, beside=E, seed=0):
    made = Soft(nets, INPUTS, beside, A, discrete, V, SAID, stream(seed)).to(torch.float64)
    for parameter in made.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=stream(seed + 1), dtype=torch.float64)
    return made


def samples(discrete, k=P, masked=False, beside=True, seed=0):
    draw, kind = stream(seed), {"dtype": torch.float64}
    legal = torch.rand(2, k, B, A, generator=draw) < 0.6
    legal[..., 0] = True
    weights = torch.rand(k, V, generator=draw, **kind)
    actions = torch.randint(A, (k, B), generator=draw)
    return Samples(
        rows=None,
        inputs=torch.randn(k, B, INPUTS, generator=draw, **kind),
        following=torch.randn(k, B, INPUTS, generator=draw, **kind),
        beside=torch.randn(k, B, E, generator=draw, **kind) if beside else None,
        beside_following=torch.randn(k, B, E, generator=draw, **kind) if beside else None,
        legal=legal[0] if masked else None,
        legal_following=legal[1] if masked else None,
        actions=actions if discrete else 2 * torch.rand(k, B, A, generator=draw, **kind) - 1,
        rewards=torch.randn(k, B, V, generator=draw, **kind),
        ended=torch.rand(k, B, generator=draw) < 0.4,
        weights=weights / weights.sum(dim=1, keepdim=True),
        discounts=torch.rand(k, B, generator=draw, **kind),
    )


def outputs(net, policy, inputs):
    """One network at one row."""
    return stacked(
        [part[policy : policy + 1] for part in net.weights],
        [part[policy : policy + 1] for part in net.biases],
        inputs[None, None],
    )[0, 0]


def lower_critic(critics, policy, seen, both):
    """Returns and entropy `[a, v + 1]` of the critic that says less, action by action."""
    one, other = (outputs(critic, policy, seen).reshape(-1, V + 1) for critic in critics)
    return torch.stack([a if a @ both <= b @ both else b for a, b in zip(one, other, strict=True)])


@pytest.mark.parametrize("masked", [False, True])
def test_discrete_goals_are_those_of_a_literal_loop(masked):
    made, given = learner(True), samples(True, masked=masked)
    temperature = torch.tensor([[0.3], [0.7]], dtype=torch.float64)
    found = made.goals(given, temperature, stream())
    for k in range(P):
        both = torch.cat([given.weights[k], temperature[k]])
        for b in range(B):
            logits = outputs(made.actor, k, given.following[k, b])
            allowed = [a for a in range(A) if not masked or given.legal_following[k, b, a]]
            chances = [math.exp(logits[a]) / sum(math.exp(logits[c]) for c in allowed) for a in allowed]
            seen = torch.cat([given.following[k, b], given.beside_following[k, b]])
            returns = lower_critic(made.targets, k, seen, both)
            value = sum(chance * returns[a] for chance, a in zip(chances, allowed, strict=True))
            value[V] += -sum(chance * math.log(chance) for chance in chances)
            rewards = torch.cat([given.rewards[k, b], torch.zeros(1, dtype=torch.float64)])
            expected = rewards + (0.0 if given.ended[k, b] else given.discounts[k, b]) * value
            assert torch.allclose(found[k, b], expected, atol=1e-8)


def test_continuous_goals_are_those_of_a_literal_loop():
    made, given = learner(False), samples(False)
    temperature = torch.tensor([[0.3], [0.7]], dtype=torch.float64)
    found = made.goals(given, temperature, stream(3))
    drawn = squashed(made.law(None, given.following, None), stream(3))
    for k in range(P):
        both = torch.cat([given.weights[k], temperature[k]])
        for b in range(B):
            seen = torch.cat([given.following[k, b], given.beside_following[k, b], drawn.actions[k, b]])
            value = lower_critic(made.targets, k, seen, both)[0].clone()
            value[V] -= drawn.log_chance[k, b]
            rewards = torch.cat([given.rewards[k, b], torch.zeros(1, dtype=torch.float64)])
            expected = rewards + (0.0 if given.ended[k, b] else given.discounts[k, b]) * value
            assert torch.allclose(found[k, b], expected, atol=1e-8)


def test_the_density_of_squashed_actions_integrates_to_one():
    grid = torch.linspace(-1 + 1e-6, 1 - 1e-6, 200_001, dtype=torch.float64)
    law = Law(torch.tensor([[[0.4]]], dtype=torch.float64), torch.tensor([[[-0.3]]], dtype=torch.float64))
    drawn = squashed(Law(law.logits.expand(1, 50_000, 1), law.log_std), stream())
    raw = torch.atanh(grid)
    density = (law.log_chance(raw[None, :, None])[0] - (1 - grid.square()).log()).exp()
    assert float(torch.trapezoid(density, grid)) == pytest.approx(1.0, abs=1e-4)
    found = law.log_chance(torch.atanh(drawn.actions))[0] - (1 - drawn.actions[0, :, 0].square()).log()
    assert torch.allclose(drawn.log_chance[0], found, atol=1e-6)
    mean = float(torch.trapezoid(density * grid, grid))
    assert float(drawn.actions.mean()) == pytest.approx(mean, abs=0.01)


def test_far_actions_keep_a_finite_density():
    drawn = squashed(Law(torch.full((1, 1, 2), 60.0), torch.zeros(1, 1, 2)), stream())
    assert torch.isfinite(drawn.log_chance).all()


def test_discrete_worth_is_the_expectation_over_actions_and_its_slope_that_of_differences():
    made, given = learner(True), samples(True, masked=True)
    temperature = torch.tensor([[0.3], [0.7]], dtype=torch.float64)

    def literal():
        total = []
        for k in range(P):
            both, parts = torch.cat([given.weights[k], temperature[k]]), []
            for b in range(B):
                allowed = [a for a in range(A) if given.legal[k, b, a]]
                chances = outputs(made.actor, k, given.inputs[k, b])[allowed].softmax(dim=0)
                seen = torch.cat([given.inputs[k, b], given.beside[k, b]])
                returns = lower_critic(made.critics, k, seen, both)[allowed] @ both
                parts.append((chances * returns).sum() - temperature[k, 0] * (chances * chances.log()).sum())
            total.append(sum(parts) / B)
        return torch.stack(total)

    def ours():
        worth, entropy, _ = made.worth(given, temperature, stream())
        return worth + temperature.flatten() * entropy

    assert torch.allclose(ours(), literal(), atol=1e-8)
    parameter = made.actor.weights[0]
    (slope,) = torch.autograd.grad(ours().sum(), parameter)
    with torch.no_grad():
        for place in ((0, 0, 0), (1, 2, 5), (1, 1, 3)):
            old = parameter[place].item()
            values = []
            for step in (1e-6, -1e-6):
                parameter[place] = old + step
                values.append(float(literal().sum()))
            parameter[place] = old
            assert float(slope[place]) == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-6)


def test_continuous_worth_goes_through_the_actions():
    made, given = learner(False), samples(False)
    temperature = torch.full((P, 1), 0.2, dtype=torch.float64)

    def ours():
        worth, entropy, _ = made.worth(given, temperature, stream(4))
        return worth + temperature.flatten() * entropy

    for parameter, places in ((made.actor.weights[0], ((0, 0, 0), (1, 2, 5))), (made.log_std, ((0, 0, 1), (1, 0, 2)))):
        (slope,) = torch.autograd.grad(ours().sum(), parameter)
        for place in places:
            with torch.no_grad():
                old, values = parameter[place].item(), []
                for step in (1e-6, -1e-6):
                    parameter[place] = old + step
                    values.append(float(ours().sum()))
                parameter[place] = old
            assert float(slope[place]) == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-5)


def test_the_entropy_that_is_wanted():
    _, _, wanted = learner(True).worth(samples(True), torch.full((P, 1), 0.1), stream())
    assert wanted.tolist() == pytest.approx([math.log(1.4)] * P)  # an even choice among 1 + .2 (3 - 1)
    given = samples(True, masked=True)
    _, _, wanted = learner(True).worth(given, torch.full((P, 1), 0.1), stream())
    counts = given.legal.sum(dim=2).double()
    assert torch.allclose(wanted, (1 + 0.2 * (counts - 1)).log().mean(dim=1).to(wanted))
    _, _, wanted = learner(False).worth(samples(False), torch.full((P, 1), 0.1), stream())
    assert wanted.tolist() == pytest.approx([A * math.log(0.4)] * P)  # evenly over .2 of the range of each


@pytest.mark.parametrize("discrete", [True, False])
def test_the_temperature_rises_where_there_is_too_little_entropy(discrete):
    made = learner(discrete)
    given = samples(discrete)
    if discrete:
        made.actor.biases[-1].data[0] += torch.tensor([50.0, 0.0, 0.0])  # the first always does the same
        made.actor.weights[-1].data[:] *= 1e-3
    else:
        made.log_std.data[0], made.log_std.data[1] = -3.9, 0.0
    before = made.log_temperature.detach().clone()
    made.improve(given, stream())
    assert made.log_temperature[0] > before[0]
    assert made.log_temperature[1] < before[1]


@pytest.mark.parametrize("discrete", [True, False])
def test_actors_and_critics_learn_and_targets_follow(discrete):
    made, given = learner(discrete), samples(discrete)
    before = {name: part.clone() for name, part in made.state_dict().items()}
    slow = [part.clone() for part in made.targets.parameters()]
    made.improve(given, stream())
    for name, part in made.state_dict().items():
        assert not torch.equal(part, before[name]), name
    for old, new, source in zip(slow, made.targets.parameters(), made.critics.parameters(), strict=True):
        assert torch.allclose(new, 0.9 * old + 0.1 * source)


@pytest.mark.parametrize("discrete", [True, False])
def test_a_bandit_is_learned(discrete):
    """One step; policy 0 wants the first action's reward, policy 1 the last's; continuous: +1 and -1."""
    made = Soft(2, 1, 0, 3 if discrete else 1, discrete, 2, SimpleNamespace(**{**vars(SAID), "spread": 0.05}), stream())
    weights = torch.eye(2)
    for step in range(300):
        draw = stream(step)
        inputs = torch.ones(2, 32, 1)
        if discrete:
            actions = torch.randint(3, (2, 32), generator=draw)
            rewards = torch.stack([(actions == 0).float(), (actions == 2).float()], dim=2)
        else:
            actions = 2 * torch.rand(2, 32, 1, generator=draw) - 1
            rewards = torch.cat([actions, -actions], dim=2)
        ended, ones = torch.ones(2, 32, dtype=torch.bool), torch.ones(2, 32)
        parts = (inputs, inputs, None, None, None, None, actions, rewards, ended, weights, ones)
        made.improve(Samples(None, *parts), draw)
    law = made.law(None, torch.ones(2, 1, 1), None)
    if discrete:
        assert law.mode().flatten().tolist() == [0, 2]
        assert float(law.logits.exp().amax(dim=2).min()) > 0.8
    else:
        assert torch.tanh(law.logits).flatten().tolist() == pytest.approx([1.0, -1.0], abs=0.3)
    expected = made.expected(torch.ones(2, 1, 1), None, weights)
    assert expected.diagonal().tolist() == pytest.approx([1.0, 1.0], abs=0.3)


@pytest.mark.parametrize("discrete", [True, False])
def test_other_units_say_the_same(discrete):
    made, given = learner(discrete, beside=0), samples(discrete, beside=False)
    factors = torch.tensor([4.0, 0.5], dtype=torch.float64)
    seen = given.inputs if discrete else torch.cat([given.inputs, given.actions], dim=2)
    before = [critic(seen) for critic in made.critics]
    made.rescale(factors)
    each = torch.cat([factors, torch.ones(1, dtype=torch.float64)]).repeat(A if discrete else 1)
    for old, critic in zip(before, made.critics, strict=True):
        assert torch.allclose(critic(seen), old * each)


def test_expected_returns_are_means_over_the_policys_actions():
    made, given = learner(True, beside=0), samples(True, beside=False)
    both = torch.cat([given.weights, made.log_temperature.exp()], dim=1)
    for k in range(P):
        total = torch.zeros(V, dtype=torch.float64)
        for b in range(B):
            chances = outputs(made.actor, k, given.inputs[k, b]).softmax(dim=0)
            total += (chances @ lower_critic(made.critics, k, given.inputs[k, b], both[k]))[:V] / B
        assert torch.allclose(made.expected(given.inputs, None, given.weights)[k], total)


@pytest.mark.parametrize("nets", [P, 1])
def test_exported_policies_are_the_actors(nets):
    made, given = learner(False, nets), samples(False)
    rows = made.actors(given.weights)
    assert {part.shape[0] for part in rows.values()} == {P}
    found = stacked(
        [rows["actor.weights.0"], rows["actor.weights.1"]],
        [rows["actor.biases.0"], rows["actor.biases.1"]],
        given.inputs,
    )
    law = made.law(None, given.inputs, None)
    assert torch.allclose(found, law.logits)
    assert torch.equal(rows["log_std"], law.log_std.expand(P, -1, -1))
