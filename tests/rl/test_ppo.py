"""Stacked policies learn as separate ones would; what is collected is checked against copies played one by one."""

import copy
import math
from dataclasses import fields, replace
from types import SimpleNamespace

import pytest
import torch
from inputs import ToyEnvironment, finite_model

from moo.metered import metered
from moo.options import resolve_options
from moo.rl.finite import FiniteEnvironment
from moo.rl.ppo import PPO_OPTIONS, Batch, Trainer, clipped, placed
from moo.rl.returns import advantages, standardised
from moo.seeding import torch_generator
from moo.space import Space, integer, real
from moo.storage import read_state, write_state

SMALL = {"steps": 12, "hidden": 16, "layers": 1, "epochs": 2}


def said(**options):
    return SimpleNamespace(**resolve_options(PPO_OPTIONS, {**SMALL, **options}, "ppo"))


def a_trainer(problem=None, policies=3, copies=4, seed=0, conditions=0, budget=10**6, **options):
    meter = metered(problem or ToyEnvironment(), budget, seed)
    return Trainer(meter, policies, copies, said(**options), torch_generator(seed, "networks"), "cpu", conditions)


def stream(seed=0):
    return torch_generator(seed, "ppo")


def bandit(rewards):
    """One step, one place, and rewards `[a, m]` of the actions."""
    actions, m = len(rewards), len(rewards[0])
    model = finite_model([[[0]] * actions], [[[1.0]] * actions], [[[row] for row in rewards]], [[[True]] * actions])
    return FiniteEnvironment(
        "bandit",
        model,
        torch.zeros(1, 1),
        Space((integer(0, 1),)),
        [str(action) for action in range(actions)],
        [f"r{i}" for i in range(m)],
        0.9,
        1,
        [0.0] * m,
    )


def towards(batch, preferences, clip=0.2):
    """PPO's surrogate of each policy's weighted sum of returns."""
    weights = torch.ones(len(preferences), batch.advantages.shape[2], dtype=torch.float64)
    weights[:, : preferences.shape[1]] = preferences
    gains = standardised((batch.advantages * weights[:, None]).sum(dim=2), batch.weights)
    return lambda ratios, rows: clipped(ratios, gains[:, rows], batch.weights[:, rows], clip)


def part_of(batch, which):
    """What a batch holds of some policies."""
    parts = {field.name: getattr(batch, field.name) for field in fields(Batch)}
    return Batch(**{name: None if part is None else part[which] for name, part in parts.items()})


def parameters_of(trainer):
    return {name: part.clone() for name, part in trainer.net.rows().items()}


def assert_same_parameters(first, second, atol=0.0):
    for name, part in first.items():
        assert torch.allclose(part, second[name], rtol=0, atol=atol), name


# --------------------------------------------------------------------------------------------------- together or apart
@pytest.mark.parametrize(
    ("problem", "options"),
    [
        pytest.param(ToyEnvironment(), {}, id="discrete"),
        pytest.param(ToyEnvironment(), {"bonus": 0.5, "exploration": "sticky"}, id="with a bonus"),
        pytest.param(ToyEnvironment(continuous=True), {}, id="continuous"),
    ],
)
def test_policies_trained_together_equal_policies_trained_apart(problem, options):
    together = a_trainer(problem, **options)
    apart = [a_trainer(problem, policies=1, seed=10 + i, **options) for i in range(3)]
    for i, trainer in enumerate(apart):
        trainer.net.load_rows(together.net.rows(torch.tensor([i])))
    first, preferences = parameters_of(together), torch.tensor([[1.0, 0], [0.3, 0.7], [0, 1]])
    for update in range(4):
        batch = together.collect(stream(update))
        together.improve(batch, towards(batch, preferences), stream(100 + update))
        for i, trainer in enumerate(apart):
            which = slice(i, i + 1)
            own = part_of(batch, which)
            trainer.improve(own, towards(own, preferences[which]), stream(100 + update))
    learned = parameters_of(together)
    for i, trainer in enumerate(apart):
        assert_same_parameters(parameters_of(trainer), {name: part[i : i + 1] for name, part in learned.items()}, 5e-5)
        for name in ("actor.weights.0", "critic.weights.0"):
            assert (learned[name][i] - first[name][i]).abs().max() > 1e-2


def test_policies_for_other_goals_become_other_policies():
    trainer = a_trainer(bandit([[1.0, 0.0], [0.0, 1.0]]), policies=2)
    trainer.net.load_rows(trainer.net.rows(torch.tensor([0, 0])))
    batch = trainer.collect(stream())
    trainer.improve(batch, towards(batch, torch.eye(2)), stream(1))
    rows = trainer.net.rows()
    assert not torch.equal(*rows["actor.weights.0"])


# --------------------------------------------------------------------------------------------------- what is collected
def replayed(actions):
    """Positions before and after each step, rewards, ends and times of one copy that takes these actions."""
    problem, seen = ToyEnvironment(), []
    state, time = problem.reset(1), 0
    for action in actions:
        before = problem.observe(state)
        state, rewards, terminated, truncated = problem.step(state, action.reshape(1))
        seen.append((before[0], problem.observe(state)[0], rewards[0], terminated, truncated, time))
        time += 1
        if terminated or truncated:
            state, time = problem.reset(1), 0
    return [torch.stack([torch.as_tensor(part) for part in column]) for column in zip(*seen, strict=True)]


def test_a_batch_is_what_each_copy_went_through():
    trainer = a_trainer(steps=30, decay=0.8)
    batch = trainer.collect(stream())
    net, p, c, steps = trainer.net, 3, 4, 30
    assert batch.inputs.shape == (p, steps * c, 25)
    laws = net.law(batch.inputs, batch.masks)
    assert torch.allclose(batch.before, laws.log_chance(batch.actions).double(), rtol=0, atol=1e-6)
    ended = 0
    for i in range(p):
        rows = {name: getattr(batch, name)[i].reshape(steps, c, -1) for name in ("inputs", "advantages", "targets")}
        flat = {name: getattr(batch, name)[i].reshape(steps, c) for name in ("actions", "weights", "discounts")}
        begun = 0
        for j in range(c):
            before, after, rewards, terminated, truncated, times = replayed(flat["actions"][:, j])
            assert torch.equal(rows["inputs"][:, j], trainer.observer(before))
            assert torch.allclose(flat["discounts"][:, j], 0.9 ** times.double(), rtol=1e-12)
            with torch.no_grad():
                values, following = (
                    net.values(trainer.observer(x).expand(p, -1, -1))[i, :, None].double() for x in (before, after)
                )
            ends = terminated | truncated
            found = advantages(
                rewards[:, None], values, following, terminated, ends, 0.9, 0.8, flat["weights"][:, j : j + 1]
            )
            for ours, name in zip(found, ("advantages", "targets"), strict=True):
                assert torch.allclose(ours[:, 0], rows[name][:, j], rtol=0, atol=1e-5)
            begun += int((times == 0).sum())
            ended += int(ends.sum())
        assert int(batch.episodes[i]) == begun
    assert ended > 10
    assert trainer.problem.used == p * c * steps


def test_copies_go_on_where_the_last_window_ended():
    short, long = (a_trainer(steps=steps, share=0.0) for steps in (10, 20))
    parts, whole = [short.collect(stream()) for _ in range(2)], long.collect(stream())
    first = parts[0].inputs.reshape(3, 10, 4, -1)
    assert torch.equal(first, whole.inputs.reshape(3, 20, 4, -1)[:, :10])
    positions = [part.inputs.reshape(3, 10, 4, -1).argmax(dim=3) for part in parts]
    moved = (positions[1][:, 0] - positions[0][:, -1]).abs()
    begun = parts[1].discounts.reshape(3, 10, 4)[:, 0] == 1
    assert torch.equal(moved[~begun], torch.ones_like(moved[~begun]))
    assert (positions[1][:, 0][begun] == 12).all()


def test_without_exploration_ratios_are_exactly_1():
    for options in ({"share": 0.0}, {"exploration": "none"}):
        trainer = a_trainer(**options)
        for _ in range(3):
            batch = trainer.collect(stream())
            assert (batch.weights == 1).all()
            trainer.improve(batch, towards(batch, torch.eye(3)[:, :2] + 0.1), stream())
    assert (a_trainer(ToyEnvironment(continuous=True)).collect(stream()).weights == 1).all()


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_with_exploration_ratios_are_chances_over_the_mixed_ones(share):
    trainer = a_trainer(share=share, learning_rate=0.03)
    for update in range(3):
        batch = trainer.collect(stream(update))
        trainer.improve(batch, towards(batch, torch.eye(3)[:, :2] + 0.1), stream(update))
    batch = trainer.collect(stream(3))
    chances = batch.before.exp()
    assert chances.min() < 0.4
    assert torch.allclose(batch.weights, chances / ((1 - share) * chances + share / 2), rtol=1e-9)
    assert batch.weights.max() <= 1 / (1 - share)
    taken = batch.weights.mean()  # their mean is 1, as the chances of all actions sum to 1
    assert taken == pytest.approx(1, abs=4.5 * float(batch.weights.std()) / batch.weights.numel() ** 0.5)


def test_a_window_is_as_long_as_said_or_four_short_episodes():
    for problem, options, steps in (
        (ToyEnvironment(), {"steps": 7}, 7),
        (ToyEnvironment(), {"steps": 0}, 48),
        (bandit([[1.0, 0.0], [0.0, 1.0]]), {"steps": 0}, 4),
    ):
        assert a_trainer(problem, **options).collect(stream()).weights.shape == (3, 4 * steps)
    long = ToyEnvironment()
    long.max_steps = 100
    assert a_trainer(long, steps=0).collect(stream()).weights.shape == (3, 4 * 64)


def test_conditions_are_seen_beside_observations():
    trainer = a_trainer(policies=1, copies=5, conditions=2, share=0.0)
    asked = []

    def condition(begins):
        asked.append(begins.clone())
        return torch.arange(10, dtype=torch.float64).reshape(5, 2) / 10

    batch = trainer.collect(stream(), condition)
    assert batch.conditions.shape == (1, 12 * 5, 2)
    rows = batch.conditions.reshape(12, 5, 2)
    assert torch.equal(rows, condition(asked[0]).expand(12, -1, -1))
    assert torch.equal(batch.inputs[..., 25:], batch.conditions.float())
    assert asked[0].all()
    assert len(asked) == 13
    values = trainer.net.values(batch.inputs)[0].reshape(12, 5, 2).double()
    deltas = batch.targets[0].reshape(12, 5, 2) - values
    last = deltas[-1] - batch.advantages[0].reshape(12, 5, 2)[-1]
    assert torch.allclose(last, torch.zeros_like(last), rtol=0, atol=1e-6)


def test_the_budgets_end_leaves_samples_without_weight():
    trainer = a_trainer(policies=2, copies=3, budget=6 * 4 + 4)
    batch = trainer.collect(stream())
    active = batch.weights.reshape(2, 5, 3) > 0
    assert active[:, :4].all()
    assert active[:, 4].tolist() == [[True, True, True], [True, False, False]]
    assert batch.counted.tolist() == [15, 13]
    nothing = replace(batch, weights=torch.zeros_like(batch.weights))
    assert nothing.counted.tolist() == [1, 1]


def test_critics_are_asked_where_episodes_begin():
    trainer = a_trainer()
    trainer.see_start()
    start = trainer.observer(torch.zeros(1, 1)).expand(3, 1, -1)
    assert torch.allclose(trainer.at_start(), trainer.net.values(start)[:, 0], rtol=0, atol=1e-6)
    used = trainer.problem.used
    assert used == 0
    trainer.collect(stream())
    assert torch.allclose(trainer.at_start(), trainer.net.values(start)[:, 0], rtol=0, atol=1e-6)


# --------------------------------------------------------------------------------------------------- the bonus
def test_a_bonus_is_paid_by_how_often_an_action_was_taken_at_a_place():
    trainer = a_trainer(bonus=0.5, share=0.0, decay=0.0)
    counts = torch.zeros(25, 2)
    for update in range(2):
        with torch.no_grad():
            for parameter in trainer.net.critic.parameters():
                parameter.zero_()  # so that targets are rewards
        batch = trainer.collect(stream(update))
        assert batch.targets.shape == (3, 48, 3)
        places = batch.inputs.argmax(dim=2)
        for place, action in zip(places.flatten(), batch.actions.flatten(), strict=True):
            counts[place, action] += 1
        expected = 0.5 / counts[places, batch.actions].sqrt()
        assert torch.allclose(batch.targets[..., 2], expected.double(), rtol=0, atol=1e-6)
    assert counts.max() > 20
    assert counts.sum() == 2 * 3 * 48


def test_steps_that_did_not_take_place_are_not_counted():
    trainer = a_trainer(policies=1, copies=3, budget=8, bonus=1.0)
    trainer.collect(stream())
    assert int(trainer.state_dict()["visits"].sum()) == 8


@pytest.mark.parametrize(
    ("problem", "found"),
    [
        pytest.param(ToyEnvironment(continuous=True), "inf", id="continuous"),
        pytest.param(
            SimpleNamespace(name="huge", observation_space=Space((integer(0, 9_999_999),) * 2)), "2e.14", id="huge"
        ),
    ],
)
def test_a_bonus_needs_places_that_can_be_counted(problem, found):
    full = ToyEnvironment()
    full.observation_space, full.name = problem.observation_space, problem.name
    full.action_space = getattr(problem, "action_space", full.action_space)
    with pytest.raises(ValueError, match=rf"`bonus` counts .* at most 10,000,000. '{problem.name}' has {found}"):
        a_trainer(full, bonus=0.1)


# --------------------------------------------------------------------------------------------------- improving
def test_the_clipped_surrogate_equals_a_literal_loop():
    generator = torch.Generator().manual_seed(0)
    ratios, gains = (torch.randn(2, 3, 40, generator=generator, dtype=torch.float64)).unbind()
    ratios = (0.4 * ratios).exp()
    weights = torch.rand(3, 40, generator=generator, dtype=torch.float64)
    weights[:, :9] = 0
    weights[2] = 0
    for i, found in enumerate(clipped(ratios, gains, weights, 0.2).tolist()):
        total, count = 0.0, 0
        for ratio, gain, weight in zip(ratios[i].tolist(), gains[i].tolist(), weights[i].tolist(), strict=True):
            bounded = min(max(ratio, 0.8), 1.2)
            total += weight * min(ratio * gain, bounded * gain)
            count += weight > 0
        assert found == pytest.approx(total / max(count, 1), abs=1e-12)


def test_beyond_the_clip_nothing_is_gained_and_anything_lost():
    gains, weights = torch.tensor([[1.0, -1.0]]), torch.ones(1, 2)
    slopes = {}
    for ratio in (0.7, 1.0, 1.3):
        ratios = torch.full((1, 2), ratio, requires_grad=True)
        clipped(ratios, gains, weights, 0.2).sum().backward()
        slopes[ratio] = (2 * ratios.grad[0]).tolist()
    assert slopes == {0.7: [1, 0], 1.0: [1, -1], 1.3: [0, -1]}


@pytest.mark.parametrize("problem", [ToyEnvironment(), ToyEnvironment(continuous=True)])
def test_samples_that_did_not_take_place_change_nothing(problem):
    trainer = a_trainer(problem)
    batch = trainer.collect(stream())
    live = torch.rand(3, 48, generator=torch.Generator().manual_seed(0)) < 0.7
    batch = replace(batch, weights=batch.weights * live)
    junk = {
        name: torch.where(live.reshape(3, 48, *[1] * (getattr(batch, name).ndim - 2)), getattr(batch, name), value)
        for name, value in {"advantages": 1e5, "targets": -1e5, "inputs": 3.0, "before": -2.0}.items()
    }
    first, learned = copy.deepcopy(trainer.state_dict()), []
    for one in (batch, replace(batch, **junk)):
        trainer.load_state_dict(copy.deepcopy(first))
        trainer.improve(one, towards(one, torch.eye(3)[:, :2]), stream())
        learned.append(parameters_of(trainer))
    assert_same_parameters(*learned, 1e-5)
    with pytest.raises(AssertionError):
        assert_same_parameters(learned[0], first["net"], 1e-3)


def test_the_objective_is_raised_and_critics_learn_what_actions_bring():
    rewards = [[1.0, 0.0], [0.0, 1.0], [0.8, 0.8], [-3.0, 0.5]]
    trainer = a_trainer(bandit(rewards), policies=3, copies=8, learning_rate=0.02)
    preferences = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    for update in range(40):
        batch = trainer.collect(stream(update))
        trainer.improve(batch, towards(batch, preferences), stream(1000 + update))
    chances = trainer.net.law(batch.inputs[:, :1], None).logits[:, 0].exp()
    assert chances.argmax(dim=1).tolist() == [0, 2, 1]
    assert chances.amax(dim=1).min() > 0.9
    returns = (chances.double()[:, :, None] * torch.tensor(rewards, dtype=torch.float64)).sum(dim=1)
    assert torch.allclose(trainer.at_start().double(), returns, rtol=0, atol=0.15)


def test_exploration_alone_does_not_change_what_is_learned():
    """Actions are drawn half at random; the critic learns what the policy brings, not the mixture."""
    trainer = a_trainer(bandit([[1.0, 0.0], [0.0, 1.0]]), policies=1, copies=200, share=0.5, learning_rate=0.02)
    with torch.no_grad():
        trainer.net.actor.biases[-1][0, 0] = torch.tensor([3.0, 0.0])
    for update in range(30):
        batch = trainer.collect(stream(update))
        trainer.improve(batch, None, stream(1000 + update))
    chance = 1 / (1 + math.exp(-3))  # the last layer's weights are small; the mixture has .726
    assert trainer.at_start()[0].tolist() == pytest.approx([chance, 1 - chance], abs=0.03)


def test_without_an_objective_policies_stay_as_they_are():
    trainer = a_trainer()
    first = parameters_of(trainer)
    for update in range(3):
        trainer.improve(trainer.collect(stream(update)), None, stream(update))
    for name, part in parameters_of(trainer).items():
        assert torch.equal(part, first[name]) == name.startswith("actor"), name


@pytest.mark.parametrize(("weight", "rises"), [(0.0, False), (0.5, True)])
def test_entropy_rises_by_its_weight(weight, rises):
    trainer = a_trainer(bandit([[1.0, 0.0], [0.0, 1.0]]), entropy=weight, learning_rate=0.02)
    with torch.no_grad():
        trainer.net.actor.biases[-1][:, 0] = torch.tensor([2.0, 0.0])
    entropies = []
    for update in range(10):
        batch = trainer.collect(stream(update))
        entropies.append(trainer.net.law(batch.inputs[:, :1], None).entropy().detach())
        trainer.improve(batch, lambda ratios, rows: 0 * ratios.sum(dim=1), stream(100 + update))
    assert ((entropies[-1] > entropies[0] + 0.1) == rises).all()
    assert rises or torch.equal(entropies[-1], entropies[0])


# --------------------------------------------------------------------------------------------------- actions, state
def test_gaussian_actions_are_placed_inside_the_bounds():
    meter = metered(ToyEnvironment(continuous=True), 10, 0)
    assert placed(torch.tensor([[-3.0], [-0.5], [0.0], [1.0], [7.0]]), meter)[:, 0].tolist() == [-1, -0.5, 0, 1, 1]
    wide = SimpleNamespace(action_space=Space((integer(0, 10), integer(-4, 4))))
    assert placed(torch.tensor([[0.0, 0.5], [-9.0, 9.0]]), wide).tolist() == [[5, 2], [0, 4]]
    discrete = torch.tensor([0, 1, 1])
    assert placed(discrete, metered(ToyEnvironment(), 10, 0)) is discrete


@pytest.mark.parametrize(
    ("problem", "options"),
    [
        (ToyEnvironment(slip=0.2), {"exploration": "sticky", "bonus": 0.1}),
        (ToyEnvironment(slip=0.2), {"exploration": "laws"}),
        (ToyEnvironment(continuous=True), {}),
    ],
)
def test_a_stored_trainer_goes_on_identically(problem, options, tmp_path):
    def advance(trainer, updates):
        for update in updates:
            batch = trainer.collect(stream(update))
            trainer.improve(batch, towards(batch, torch.eye(3)[:, :2] + 0.1), stream(100 + update))

    first = a_trainer(problem, **options)
    advance(first, range(2))
    write_state(tmp_path / "state", [first.state_dict(), first.problem.state_dict()])
    advance(first, range(2, 4))
    second = a_trainer(problem, seed=0, **options)
    state, meter = read_state(tmp_path / "state")
    second.load_state_dict(state)
    second.problem.load_state_dict(meter)
    advance(second, range(2, 4))
    assert_same_parameters(parameters_of(first), parameters_of(second))
    one, other = first.state_dict(), second.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in ("times", "visits", "starts"))
    assert first.problem.used == second.problem.used


class Unranged(ToyEnvironment):
    """The corridor, shown without bounds to speak of."""

    def __init__(self):
        super().__init__(continuous=True)
        self.observation_space = Space((real(-1e6, 1e6, "position"),))


@pytest.mark.parametrize(
    ("problem", "standardise", "columns"),
    [
        (Unranged(), "auto", 1),
        (Unranged(), "never", None),
        (ToyEnvironment(), "auto", None),
        (ToyEnvironment(continuous=True), "always", 25),
    ],
)
def test_observations_are_standardised_where_their_range_is_unknown(problem, standardise, columns):
    centre = a_trainer(problem, standardise=standardise).net.centre
    assert (None if centre is None else centre.shape[2]) == columns


def test_standardising_moves_between_an_update_and_the_next_window():
    trainer = a_trainer(Unranged(), conditions=2)
    told = torch.full((12, 2), 0.5)
    for windows in (1, 2):
        batch = trainer.collect(stream(windows), lambda begins: told)
        with torch.no_grad():
            law = trainer.net.law(batch.inputs, None)
        assert torch.allclose(law.log_chance(batch.actions), batch.before, atol=1e-5)  # the policy that collected
        trainer.improve(batch, towards(batch, torch.full((3, 2), 0.5)), stream(windows))
        assert trainer.net.count.flatten().tolist() == [48.0 * windows] * 3
        assert trainer.net.centre.shape == (3, 1, 1)  # conditions are shown as they are
    seen = batch.inputs[:, :, 0].double().mean(dim=1)
    assert (trainer.net.centre.flatten() != 0).all()
    assert ((trainer.net.centre.flatten() - seen).abs() < 3).all()
