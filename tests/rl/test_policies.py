"""Stacked policies against separate networks of torch, their laws against torch's distributions."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Categorical, Independent, Normal, kl_divergence

from moo.base import Candidates
from moo.rl.policies import ActorCritic, Law, Observer, StackedMLP, act_rows, clip_each, law_of
from moo.seeding import torch_generator
from moo.space import Space, categorical, integer, real

POLICIES, ROWS, INPUTS, ACTIONS = 3, 7, 5, 4
DISCRETE = Space((categorical(["a", "b", "c", "d"]),))
CONTINUOUS = Space((real(-1, 1), real(0, 5)))


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def a_mask(*shape, seed=0):
    """Legal actions: about half of them, always the last."""
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    mask[..., -1] = True
    return mask


def separate(mlp):
    """The same perceptrons as Sequentials of torch's own layers."""
    nets = []
    for i in range(len(mlp.weights[0])):
        layers = []
        for weight, bias in zip(mlp.weights, mlp.biases, strict=True):
            linear = nn.Linear(*weight[i].shape)
            with torch.no_grad():
                linear.weight.copy_(weight[i].T)
                linear.bias.copy_(bias[i, 0])
            layers += [linear, nn.Tanh()]
        nets.append(nn.Sequential(*layers[:-1]))
    return nets


def a_stack(seed=0, sizes=(INPUTS, 8, 6, ACTIONS)):
    """A stack whose biases are not 0."""
    mlp = StackedMLP(POLICIES, sizes, 0.5, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for number, bias in enumerate(mlp.biases):
            bias.copy_(normal(*bias.shape, seed=seed + number))
    return mlp


# --------------------------------------------------------------------------------------------------- observations
def test_categories_and_whole_numbers_of_few_levels_are_one_hot():
    observer = Observer(Space((integer(-1, 2), categorical(["x", "y"]), integer(5, 6))))
    assert observer.inputs == 4 + 2 + 2
    shown = observer(torch.tensor([[-1.0, 0, 6], [2, 1, 5]]))
    assert shown.tolist() == [[1, 0, 0, 0, 1, 0, 0, 1], [0, 0, 0, 1, 0, 1, 1, 0]]
    assert shown.dtype == torch.float32


def test_real_columns_and_whole_numbers_of_many_levels_are_scaled_to_minus_one_and_one():
    observer = Observer(Space((real(10, 20), integer(0, 64))))
    assert observer.inputs == 2
    shown = observer(torch.tensor([[10.0, 0], [15, 32], [20, 64]], dtype=torch.float64))
    assert shown.tolist() == [[-1, -1], [0, 0], [1, 1]]
    assert shown.dtype == torch.float32


def test_real_columns_without_a_range_to_speak_of_are_shown_as_they_are():
    observer = Observer(Space((real(-1e6, 1e6, "a"), real(0, 4, "b"), real(0, 1e6, "c"))))
    assert observer.unscaled
    assert not Observer(Space((real(-10, 10, "a"), integer(0, 200_000, "b")))).unscaled
    shown = observer(torch.tensor([[-7.5, 1.0, 3.0]]))
    assert shown[0].tolist() == pytest.approx([-7.5, -0.5, 3.0])


def test_64_levels_are_one_hot_and_any_number_of_categories():
    assert Observer(Space((integer(1, 64),))).inputs == 64
    assert Observer(Space((categorical(range(100)),))).inputs == 100


def test_mixed_columns_stand_one_hot_first():
    observer = Observer(Space((real(0, 1), integer(3, 5), real(-2, 2), categorical(["x", "y"]))))
    assert observer.inputs == 3 + 2 + 2
    assert observer(torch.tensor([[0.25, 4.0, 1.0, 1.0]])).tolist() == [[0, 1, 0, 0, 1, -0.5, 0.5]]


def test_a_column_of_one_level_is_shown_as_a_constant():
    shown = Observer(Space((integer(3, 3), categorical(["x"]), real(0, 1))))(torch.tensor([[3.0, 0, 1]]))
    assert shown.tolist() == [[1, 1, 1]]


def test_every_place_is_shown_differently():
    space = Space((integer(-2, 2), integer(0, 100), categorical(["x", "y", "z"])))
    rows = torch.cartesian_prod(torch.arange(-2, 3), torch.arange(101), torch.arange(3)).float()
    shown = Observer(space)(rows)
    assert len(shown.unique(dim=0)) == len(rows)
    assert shown.min() == -1
    assert shown.max() == 1


# --------------------------------------------------------------------------------------------------- networks
def test_a_stack_equals_separate_networks():
    mlp, inputs = a_stack(), normal(POLICIES, ROWS, INPUTS)
    together = mlp(inputs)
    assert together.shape == (POLICIES, ROWS, ACTIONS)
    for i, net in enumerate(separate(mlp)):
        assert torch.allclose(together[i], net(inputs[i]), rtol=0, atol=1e-6)


def test_gradients_of_a_sum_over_policies_are_those_of_each_alone():
    mlp, inputs = a_stack(), normal(POLICIES, ROWS, INPUTS)
    mlp(inputs).square().mean(dim=(1, 2)).sum().backward()
    for i, net in enumerate(separate(mlp)):
        net(inputs[i]).square().mean().backward()
        for layer, (weight, bias) in enumerate(zip(mlp.weights, mlp.biases, strict=True)):
            assert torch.allclose(weight.grad[i], net[2 * layer].weight.grad.T, rtol=0, atol=1e-6)
            assert torch.allclose(bias.grad[i, 0], net[2 * layer].bias.grad, rtol=0, atol=1e-6)


def test_first_weights_are_orthogonal_with_their_gain_and_first_biases_0():
    mlp = StackedMLP(POLICIES, (8, 8, 6, 4), 0.01, torch.Generator().manual_seed(0))
    for layer, gain in enumerate((2**0.5, 2**0.5, 0.01)):
        for weight in mlp.weights[layer]:
            product = weight.T @ weight / gain**2
            assert torch.allclose(product, torch.eye(len(product)), rtol=0, atol=1e-5)
        assert not mlp.biases[layer].any()


def test_first_weights_come_from_the_stream_and_differ_between_policies():
    first, again, other = (
        StackedMLP(2, (4, 4, 2), 1.0, torch_generator(seed, "networks")).weights for seed in (0, 0, 1)
    )
    for a, b, c in zip(first, again, other, strict=True):
        assert torch.equal(a, b)
        assert not torch.isclose(a, c).any()
        assert not torch.isclose(a[0], a[1]).any()


# --------------------------------------------------------------------------------------------------- laws
def discrete_law(seed=0, masked=True):
    logits = normal(POLICIES, ROWS, ACTIONS, seed=seed)
    mask = a_mask(POLICIES, ROWS, ACTIONS) if masked else None
    theirs = logits if mask is None else logits.masked_fill(~mask, -torch.inf)
    return law_of(logits, mask, None), Categorical(logits=theirs), mask


def gaussian_law(seed=0):
    means, log_std = normal(POLICIES, ROWS, ACTIONS, seed=seed), normal(POLICIES, 1, ACTIONS, seed=seed + 50)
    theirs = Independent(Normal(means, log_std.exp().expand_as(means)), 1)
    return law_of(means, None, log_std), theirs


@pytest.mark.parametrize("masked", [False, True])
def test_log_chances_and_entropies_of_discrete_laws_equal_torchs(masked):
    ours, theirs, _ = discrete_law(masked=masked)
    actions = theirs.sample()
    assert torch.allclose(ours.log_chance(actions), theirs.log_prob(actions), rtol=0, atol=1e-6)
    assert torch.allclose(ours.entropy(), theirs.entropy(), rtol=0, atol=1e-6)
    assert torch.allclose(ours.logits.exp(), theirs.probs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("masked", [False, True])
def test_divergences_of_discrete_laws_equal_torchs(masked):
    (first, theirs, _), (second, other, _) = (discrete_law(seed, masked) for seed in (0, 1))
    expected = (theirs.probs * (theirs.logits - other.logits).nan_to_num(0.0)).sum(
        dim=-1
    )  # -inf - -inf at illegal ones
    assert torch.allclose(first.divergence(second), expected, rtol=0, atol=1e-6)
    assert (first.divergence(second) > 0).sum() > ROWS
    assert torch.equal(first.divergence(first), torch.zeros(POLICIES, ROWS))


def test_gaussian_laws_equal_torchs():
    (ours, theirs), (other, their_other) = gaussian_law(), gaussian_law(seed=1)
    actions = theirs.sample()
    assert torch.allclose(ours.log_chance(actions), theirs.log_prob(actions), rtol=0, atol=1e-4)
    assert torch.allclose(ours.entropy(), theirs.entropy(), rtol=0, atol=1e-5)
    assert torch.allclose(ours.divergence(other), kl_divergence(theirs, their_other), rtol=1e-5, atol=1e-4)
    assert torch.allclose(ours.divergence(ours), torch.zeros(POLICIES, ROWS), rtol=0, atol=1e-6)


def test_gradients_pass_illegal_actions_by():
    logits, mask = normal(1, ROWS, ACTIONS).requires_grad_(), a_mask(1, ROWS, ACTIONS)
    law = law_of(logits, mask, None)
    (law.entropy().sum() + law.divergence(law_of(2 * logits, mask, None)).sum()).backward()
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[~mask].any()
    assert logits.grad[mask].any()


def test_discrete_draws_follow_the_law_and_the_mask():
    ours, theirs, mask = discrete_law()
    n = 4000
    many = Law(ours.logits.repeat(1, n, 1), None)
    drawn = many.draw(torch.Generator().manual_seed(0)).reshape(POLICIES, n, ROWS)
    shares = nn.functional.one_hot(drawn, ACTIONS).double().mean(dim=1)
    assert not shares[~mask].any()
    error = (theirs.probs * (1 - theirs.probs) / n).sqrt()
    assert ((shares - theirs.probs).abs() <= 4.5 * error + 1e-9).all()


def test_gaussian_draws_follow_the_law():
    ours, theirs = gaussian_law()
    n = 4000
    drawn = Law(ours.logits.repeat(1, n, 1), ours.log_std).draw(torch.Generator().manual_seed(0))
    drawn = drawn.reshape(POLICIES, n, ROWS, ACTIONS)
    std = theirs.stddev
    assert ((drawn.mean(dim=1) - theirs.mean).abs() <= 4.5 * std / n**0.5).all()
    assert ((drawn.std(dim=1) / std - 1).abs() <= 4.5 / (2 * n) ** 0.5).all()


@pytest.mark.parametrize("law", [discrete_law()[0], gaussian_law()[0]])
def test_the_same_stream_draws_the_same_actions(law):
    first, again, other = (law.draw(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert first.shape[:2] == (POLICIES, ROWS)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_mode_is_the_most_likely_action():
    ours, theirs, mask = discrete_law()
    assert torch.equal(ours.mode(), theirs.probs.argmax(dim=2))
    assert mask.gather(2, ours.mode()[..., None]).all()
    gaussian = gaussian_law()[0]
    assert torch.equal(gaussian.mode(), gaussian.logits)


# --------------------------------------------------------------------------------------------------- actor and critic
def a_net(space=DISCRETE, policies=POLICIES, seed=0, values=2):
    """Networks none of whose parameters is 0."""
    net = ActorCritic(policies, INPUTS, space, values, 8, 2, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for number, parameter in enumerate(net.parameters()):
            parameter.add_(0.3 * normal(*parameter.shape, seed=seed + number + 1))
    return net


def test_first_policies_are_almost_uniform():
    net = ActorCritic(POLICIES, INPUTS, DISCRETE, 2, 8, 2, torch.Generator().manual_seed(0))
    law = net.law(normal(POLICIES, ROWS, INPUTS), None)
    assert torch.allclose(law.entropy(), torch.tensor(math.log(ACTIONS)), rtol=0, atol=1e-3)
    gaussian = ActorCritic(POLICIES, INPUTS, CONTINUOUS, 2, 8, 2, torch.Generator().manual_seed(0))
    law = gaussian.law(normal(POLICIES, ROWS, INPUTS), None)
    assert law.logits.shape == (POLICIES, ROWS, 2)
    assert law.logits.abs().max() < 0.1
    assert not law.log_std.any()


def test_rescaling_changes_the_unit_and_no_estimate():
    net, inputs = a_net(), normal(POLICIES, ROWS, INPUTS)
    before, raw = net.values(inputs), net.critic(inputs)
    scale = torch.tensor([3.0, 0.1]) * torch.arange(1, POLICIES + 1)[:, None, None]
    for _ in range(2):  # from 1, and from another scale
        net.rescale(scale)
        assert torch.equal(net.scale, scale)
        assert torch.allclose(net.values(inputs), before, rtol=1e-5, atol=1e-6)
        assert torch.allclose(net.critic(inputs) * scale, raw, rtol=1e-5, atol=1e-6)
        scale = 2 * scale.flip(2)


@pytest.mark.parametrize("space", [DISCRETE, CONTINUOUS])
def test_rows_carry_policies_from_one_net_to_another(space):
    net, which = a_net(space), torch.tensor([2, 0, 2, 1])
    net.rescale(1 + torch.arange(2 * POLICIES).reshape(POLICIES, 1, 2))
    other = a_net(space, policies=4, seed=100)
    other.load_rows(net.rows(which))
    inputs = normal(4, ROWS, INPUTS)
    stretched = torch.zeros(POLICIES, 4 * ROWS, INPUTS) + inputs.flatten(0, 1)
    first, second = net.law(stretched, None), other.law(inputs, None)
    for i, source in enumerate(which):
        rows = slice(i * ROWS, (i + 1) * ROWS)
        assert torch.allclose(first.logits[source, rows], second.logits[i], rtol=0, atol=1e-6)
        assert torch.allclose(net.values(stretched)[source, rows], other.values(inputs)[i], rtol=1e-5, atol=1e-5)
        if space is CONTINUOUS:
            assert torch.equal(first.log_std[source], second.log_std[i])


def test_rows_are_copies():
    net = a_net()
    rows, before = net.rows(), {name: part.clone() for name, part in net.rows().items()}
    for part in rows.values():
        part.zero_()
    assert all(torch.equal(part, before[name]) for name, part in net.rows().items())
    assert set(net.rows()) == set(dict(net.named_parameters())) | {"scale"}


def test_the_actor_alone_has_nothing_of_the_critic():
    discrete, continuous = a_net().rows(actor_alone=True), a_net(CONTINUOUS).rows(actor_alone=True)
    assert {name.split(".")[0] for name in discrete} == {"actor"}
    assert {name.split(".")[0] for name in continuous} == {"actor", "log_std"}


# --------------------------------------------------------------------------------------------------- candidates act
OBSERVED = Space((integer(0, 2), real(-1, 1), real(-1, 1)))  # five inputs


def stored(net, order, **extras):
    """Policies of a net as candidates, in an order with repeats; their ids are their numbers."""
    rows = {f"parameters.{name}": part for name, part in net.rows(torch.tensor(order), actor_alone=True).items()}
    objectives = torch.zeros(len(order), 2, dtype=torch.float64)
    return Candidates.of(torch.tensor(order)[:, None], objectives, **rows, **extras)


def observed(n):
    levels = torch.arange(n) % 3
    return torch.cat([levels[:, None], normal(n, 2).clamp(-1, 1)], dim=1)


@pytest.mark.parametrize("space", [DISCRETE, CONTINUOUS])
@pytest.mark.parametrize(
    "order",
    [
        pytest.param([0, 1, 2], id="one each"),
        pytest.param([1, 1, 0, 0, 2, 2], id="equal groups"),
        pytest.param([0, 0, 0, 1, 2, 2], id="unequal groups"),
        pytest.param([2, 0, 2, 0], id="apart"),
        pytest.param([1, 1, 1], id="one policy"),
    ],
)
def test_candidates_act_as_each_network_alone(space, order):
    net, observations = a_net(space), observed(len(order))
    mask = a_mask(len(order), ACTIONS) if space is DISCRETE else None
    observer, nets = Observer(OBSERVED), separate(net.actor)
    with torch.no_grad():
        outputs = torch.stack([nets[i](x) for i, x in zip(order, observer(observations), strict=True)])[None]
    log_std = None if space is DISCRETE else net.log_std.detach()[order].transpose(0, 1)
    law = law_of(outputs, None if mask is None else mask[None], log_std)
    found = act_rows(stored(net, order), observations, mask, observer, torch.Generator().manual_seed(3))
    if space is DISCRETE:
        expected = law.draw(torch.Generator().manual_seed(3))[0]
        assert torch.equal(found, expected)
        assert mask.gather(1, found[:, None]).all()
    else:
        noise = torch.randn(len(order), 2, generator=torch.Generator().manual_seed(3))
        shape = (len(set(order)), -1, 2) if order in ([0, 1, 2], [1, 1, 0, 0, 2, 2], [1, 1, 1]) else (len(order), 1, 2)
        assert noise.reshape(shape).shape[2] == 2
        assert torch.allclose(found, law.logits[0] + noise * law.log_std[0].exp(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("space", [DISCRETE, CONTINUOUS])
def test_candidates_marked_greedy_take_their_most_likely_action(space):
    net, order = a_net(space), [0, 0, 1, 1, 2, 2]
    greedy = torch.tensor([True, True, False, False, True, True])
    candidates, observations = stored(net, order, **{"parameters.greedy": greedy}), observed(6)
    with torch.no_grad():
        outputs = net.actor(Observer(OBSERVED)(observations)[None].expand(POLICIES, -1, -1))[order, range(6)]
    best = outputs.argmax(dim=1) if space is DISCRETE else outputs
    streams = [torch.Generator().manual_seed(seed) for seed in range(20)]
    drawn = torch.stack([act_rows(candidates, observations, None, Observer(OBSERVED), stream) for stream in streams])
    assert torch.allclose(drawn[:, greedy].double(), best[greedy].double().expand_as(drawn[:, greedy]), atol=1e-6)
    assert (drawn[:, ~greedy] != drawn[0, ~greedy]).any()


# --------------------------------------------------------------------------------------------------- gradients
def test_each_policys_gradient_is_clipped_as_torch_would_its_own():
    mlp, inputs = a_stack(), normal(POLICIES, ROWS, INPUTS)
    sizes = torch.tensor([10.0, 1.0, 1e-3])  # far above, above and below the norm
    nets = separate(mlp)
    ((mlp(inputs).square().mean(dim=(1, 2))) * sizes).sum().backward()
    clip_each(list(mlp.parameters()), 0.5)
    cut = 0
    for i, net in enumerate(nets):
        (net(inputs[i]).square().mean() * sizes[i]).backward()
        cut += float(nn.utils.clip_grad_norm_(net.parameters(), 0.5)) > 0.5
        for layer, (weight, bias) in enumerate(zip(mlp.weights, mlp.biases, strict=True)):
            assert torch.allclose(weight.grad[i], net[2 * layer].weight.grad.T, rtol=0, atol=1e-6)
            assert torch.allclose(bias.grad[i, 0], net[2 * layer].bias.grad, rtol=0, atol=1e-6)
    assert cut == 2


def test_parameters_without_a_gradient_are_passed_over_when_clipping():
    used, unused = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(2, 3))
    used.grad = torch.tensor([[3.0, 0, 4], [0.3, 0, 0.4]])
    clip_each([unused, used], 1.0)
    assert unused.grad is None
    assert torch.allclose(used.grad, torch.tensor([[0.6, 0, 0.8], [0.3, 0, 0.4]]), rtol=0, atol=1e-6)


# ------------------------------------------------------------------------------------------ standardised inputs
def a_standardised(seed=0):
    return ActorCritic(POLICIES, INPUTS, CONTINUOUS, 2, 8, 1, torch_generator(seed, "nets"), standardised=3)


def test_what_was_seen_in_parts_is_what_was_seen_at_once():
    net, parts = a_standardised(), [5 + 3 * normal(POLICIES, rows, INPUTS, seed=rows) for rows in (4, 9, 1)]
    lives = [torch.rand(part.shape[:2], generator=torch.Generator().manual_seed(3)) < 0.7 for part in parts]
    lives[2][:] = False
    for part, live in zip(parts, lives, strict=True):
        net.see(part, live)
    for policy in range(POLICIES):
        kept = torch.cat([part[policy][live[policy]] for part, live in zip(parts, lives, strict=True)])[:, :3].double()
        torch.testing.assert_close(net.centre[policy, 0], kept.mean(dim=0))
        torch.testing.assert_close(net.variance[policy, 0], kept.var(dim=0, correction=0))
        assert net.count[policy].item() == len(kept)


def test_networks_see_the_first_columns_by_mean_and_spread_cut_to_ten():
    net, inputs = a_standardised(), normal(POLICIES, 6, INPUTS)
    plain = ActorCritic(POLICIES, INPUTS, CONTINUOUS, 2, 8, 1, torch_generator(0, "nets"))
    torch.testing.assert_close(net.law(inputs, None).logits, plain.law(inputs, None).logits)  # nothing seen so far
    net.see(4 + 2 * normal(POLICIES, 200, INPUTS, seed=1), torch.ones(POLICIES, 200))
    inputs[0, 0, 1] = 1e6
    shown = inputs.clone()
    shown[..., :3] = ((inputs[..., :3] - net.centre) / net.variance.sqrt()).clamp(-10, 10)
    assert shown[0, 0, 1] == 10
    torch.testing.assert_close(net.law(inputs, None).logits, plain.law(shown, None).logits)
    torch.testing.assert_close(net.values(inputs), plain.values(shown))


def test_candidates_act_by_what_their_policy_has_seen():
    net = ActorCritic(POLICIES, 3, CONTINUOUS, 2, 8, 1, torch_generator(0, "nets"), standardised=3)
    net.see(torch.arange(POLICIES)[:, None, None] + normal(POLICIES, 50, 3), torch.ones(POLICIES, 50))
    observer = Observer(Space(tuple(real(-1e6, 1e6, name) for name in "abc")))
    rows = {f"parameters.{name}": part for name, part in net.rows(actor_alone=True).items()}
    assert not [name for name in rows if "critic" in name or "count" in name or "scale" in name]
    nan = torch.full((POLICIES, 2), float("nan"), dtype=torch.float64)
    greedy = {"parameters.greedy": torch.ones(POLICIES, dtype=torch.bool)}
    candidates = Candidates.of(torch.arange(POLICIES)[:, None], nan, None, **rows, **greedy)
    seen = normal(POLICIES, 3, seed=2)
    acted = act_rows(candidates, seen, None, observer, torch.Generator().manual_seed(0))
    torch.testing.assert_close(acted, net.law(seen[:, None], None).logits[:, 0], atol=1e-5, rtol=0)


def test_rows_carry_what_was_seen():
    net, other = a_standardised(), a_standardised(seed=1)
    net.see(normal(POLICIES, 20, INPUTS) * 3, torch.ones(POLICIES, 20))
    other.load_rows(net.rows())
    inputs = normal(POLICIES, 4, INPUTS, seed=5)
    assert torch.equal(other.law(inputs, None).logits, net.law(inputs, None).logits)
    assert torch.equal(other.count, net.count)
