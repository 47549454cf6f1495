"""A sweep's policies learn as each would alone, from sound steps only, and nothing but the policies moves."""

from dataclasses import fields, replace

import pytest
import torch
from inputs import ToyConstruction, ToyEnvironment

import moo
from moo.base import Setting
from moo.metered import metered
from moo.options import resolve_options
from moo.rl.episodes import Episodes
from moo.rl.estimators import ESTIMATORS
from moo.rl.sweep import SWEEP_OPTIONS, PolicySweep

SMALL = {"policies": 3, "copies": 6, "hidden": 8, "layers": 1, "interval": 1}
PREFERENCES = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)


class Sweep(PolicySweep):
    def gains(self, advantages, preferences):
        return advantages.weighted(preferences)


def a_sweep(problem=None, seed=0, budget=10**6, **options):
    meter = metered(problem or ToyEnvironment(), budget, seed)
    said = resolve_options(SWEEP_OPTIONS, {**SMALL, **options}, "sweep")
    return Sweep(meter, budget=budget, seed=seed, device="cpu", **said)


def sampled(sweep, preferences=PREFERENCES):
    episodes, _ = sweep._sample(preferences)
    sweep.levels.see(episodes)
    return episodes


def part_of(episodes, which):
    parts = {field.name: getattr(episodes, field.name) for field in fields(Episodes)}
    chosen = {name: part[which] for name, part in parts.items() if isinstance(part, torch.Tensor)}
    return Episodes(**{**parts, **chosen})


def moved(sweep):
    return {name: part.clone() for name, part in sweep.net.state_dict().items()}


def assert_close(first, second, atol=1e-6):
    for name, part in first.items():
        assert torch.allclose(part, second[name], rtol=0, atol=atol), name


# --------------------------------------------------------------------------------------------------- learning
@pytest.mark.parametrize("estimator", ["rloo", "gdpo", "ppo"])
@pytest.mark.parametrize("problem", [ToyEnvironment, ToyConstruction])
def test_policies_trained_together_equal_policies_trained_apart(problem, estimator):
    together = a_sweep(problem(), estimator=estimator, divergence_weight=0.1)
    episodes, before = sampled(together), together.net.rows()
    firsts = together._first
    together._learn(episodes, PREFERENCES)
    for i in range(3):
        apart = a_sweep(problem(), estimator=estimator, policies=1, divergence_weight=0.1)
        apart.net.load_rows({name: part[i : i + 1] for name, part in before.items()})
        apart._first = {name: part[i : i + 1] for name, part in firsts.items()}
        apart._learn(part_of(episodes, slice(i, i + 1)), PREFERENCES[i : i + 1])
        assert_close(apart.net.rows(), together.net.rows(torch.tensor([i])), atol=1e-5)


@pytest.mark.parametrize("estimator", ["rloo", "ppo"])
def test_steps_that_do_not_count_never_leak(estimator):
    spoiled, clean = a_sweep(estimator=estimator), a_sweep(estimator=estimator)
    episodes = sampled(clean)
    sampled(spoiled)
    dead = ~episodes.moves
    assert dead.any()
    noise = torch.Generator().manual_seed(9)
    other = replace(
        episodes,
        inputs=torch.where(dead[..., None], torch.randn(episodes.inputs.shape, generator=noise), episodes.inputs),
        masks=torch.where(dead[..., None], True, episodes.masks),
        actions=torch.where(dead, 1 - episodes.actions, episodes.actions),
        before=torch.where(dead, float("nan"), episodes.before),
    )
    clean._learn(episodes, PREFERENCES)
    spoiled._learn(other, PREFERENCES)
    assert_close(moved(clean), moved(spoiled))


def test_an_episode_that_failed_is_as_if_it_had_not_been():
    whole, without = a_sweep(), a_sweep()
    episodes = sampled(whole)
    sampled(without)
    failed = torch.zeros_like(episodes.failed)
    failed[:, 4:] = True
    fewer = part_of(episodes, (slice(None), slice(0, 4)))
    whole._learn(replace(episodes, failed=failed), PREFERENCES)
    without._learn(fewer, PREFERENCES)
    assert_close(moved(whole), moved(without))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_only_what_learns_moves(estimator):
    sweep = a_sweep(estimator=estimator)
    before, firsts = moved(sweep), {name: part.clone() for name, part in sweep._first.items()}
    sweep._learn(sampled(sweep), PREFERENCES)
    after = moved(sweep)
    assert any(not torch.equal(part, after[name]) for name, part in before.items() if name.startswith("actor"))
    critics = [name for name in before if name.startswith("critic")]
    assert any(not torch.equal(before[name], after[name]) for name in critics) == (estimator == "ppo")
    assert all(torch.equal(part, sweep._first[name]) for name, part in firsts.items())


def test_without_gains_policies_go_where_entropy_and_divergence_pull():
    class Idle(Sweep):
        def gains(self, advantages, preferences):
            return torch.zeros_like(advantages.episodes.before)

    def distances(**options):
        said = resolve_options(SWEEP_OPTIONS, {**SMALL, **options}, "sweep")
        sweep = Idle(metered(ToyEnvironment(), 10**6, 0), budget=1, seed=0, device="cpu", **said)
        with torch.no_grad():
            sweep.net.actor.biases[-1][..., 0] += 2.0
        episodes = sampled(sweep)
        told = []
        for _ in range(60):
            sweep._learn(episodes, PREFERENCES)
            law = sweep.law(episodes)
            live = episodes.live.flatten(1)
            away = sweep._first_law(episodes).divergence(law)
            told.append([float(part.detach()[live].mean()) for part in (law.entropy(), away)])
        return told

    uniform = distances(entropy=1.0, learning_rate=0.05)
    assert uniform[0][0] < 0.5
    assert uniform[-1][0] > 0.68  # log 2 is .693
    for name in ("reverse", "forward", "jensen-shannon"):
        back = distances(entropy=0.0, divergence_weight=1.0, divergence=name, learning_rate=0.05)
        assert back[-1][1] < 0.1 * back[0][1]


def test_several_passes_move_on_and_respect_the_clip():
    once, often = a_sweep(), a_sweep(epochs=4)
    episodes = sampled(once)
    sampled(often)
    once._learn(episodes, PREFERENCES)
    often._learn(episodes, PREFERENCES)
    away = [float((s.ratios(s.law(episodes), episodes).detach() - 1).abs().mean()) for s in (once, often)]
    assert away[1] > 1.5 * away[0]


# --------------------------------------------------------------------------------------------------- what is reported
def test_reported_are_the_policies_that_played_with_their_mean_returns():
    sweep = a_sweep(interval=2)
    before = sweep.net.rows(actor_alone=True)
    first = sweep.step(Setting(PREFERENCES))
    for name, part in before.items():
        assert torch.equal(first.extras[f"parameters.{name}"], part)
    assert first.solutions.flatten().tolist() == [0, 1, 2]
    assert torch.equal(first.preferences, PREFERENCES)
    assert first.extras["episodes"].tolist() == [6, 6, 6]
    assert len(sweep.step(Setting(PREFERENCES))) == 0
    third = sweep.step(Setting(PREFERENCES))
    assert third.solutions.flatten().tolist() == [3, 4, 5]
    assert torch.equal(sweep.finals().objectives, third.objectives)


def test_dropped_episodes_are_counted_and_a_policy_of_none_has_failed():
    sweep = a_sweep(ToyEnvironment(nan_at=2.0), copies=40)
    told = sweep.step(Setting(PREFERENCES))
    assert (told.extras["dropped"] > 0).all()
    assert (told.extras["dropped"] + told.extras["episodes"]).tolist() == [40] * 3
    assert torch.isfinite(told.objectives).all()
    assert not told.failed.any()
    lost = a_sweep(ToyEnvironment(nan_at=-1.0), copies=2, policies=2)
    with torch.no_grad():
        lost.net.actor.biases[-1][0] = torch.tensor([[50.0, -50.0]])  # the first always to the left
        lost.net.actor.biases[-1][1] = torch.tensor([[-50.0, 50.0]])
    told = lost.step(Setting(PREFERENCES[:2]))
    assert told.failed.tolist() == [True, False]
    assert told.extras["reason"].tolist() == ["a reward was not finite", ""]
    assert told.objectives[0].isnan().all()
    assert all(torch.isfinite(part).all() for part in moved(lost).values())


def test_what_the_budget_cuts_is_neither_learned_from_nor_reported():
    sweep = a_sweep(budget=30)
    before = moved(sweep)
    assert len(sweep.step(Setting(PREFERENCES))) == 0
    assert sweep.problem.remaining == 0
    assert all(torch.equal(part, before[name]) for name, part in moved(sweep).items())


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_policies_find_what_their_preference_wants(estimator):
    problem = moo.get_problem("bandit:arms=5,num_objectives=2")
    sweep = a_sweep(problem, estimator=estimator, copies=32, learning_rate=0.03, entropy=0.0)
    for _ in range(60):
        sweep.step(Setting(PREFERENCES))
    best = (PREFERENCES @ problem.rewards.T).amax(dim=1)
    found = (PREFERENCES * sweep.finals().objectives).sum(dim=1)
    assert (found > best - 0.03).all()
