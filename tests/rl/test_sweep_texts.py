"""A sweep of language models: what counts alone is learned from, prompt by prompt, and checkpoints write again."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from inputs import ToyText

import moo
from moo.base import Setting
from moo.metered import metered
from moo.options import resolve_options
from moo.problems.text import Text
from moo.rl.advantages import Advantages
from moo.rl.divergences import divergence
from moo.rl.sweep import SWEEP_OPTIONS, PolicySweep

SMALL = {"policies": 2, "copies": 8, "hidden": 6, "layers": 1, "interval": 1, "model": "characters", "length": 12}
PREFERENCES = torch.tensor([[0.8, 0.2], [0.3, 0.7]], dtype=torch.float64)
LETTERS = tuple("aehxz ")


class Sweep(PolicySweep):
    kinds = ("text",)

    def gains(self, advantages, preferences):
        return advantages.weighted(preferences)


def a_sweep(problem=None, seed=0, **options):
    said = resolve_options(SWEEP_OPTIONS, {**SMALL, **options}, "sweep")
    return Sweep(metered(problem or ToyText(), 10**6, seed), budget=10**6, seed=seed, device="cpu", **said)


def sampled(sweep, preferences=PREFERENCES):
    episodes, _ = sweep._sample(preferences)
    sweep.levels.see(episodes)
    return episodes


def short(problem=None, **options):
    """A sweep whose completions end early, so that much stands behind their ends."""
    sweep = a_sweep(problem, **options)
    with torch.no_grad():
        sweep.net.actor["offset"][..., sweep.net.model.end] += 3.0
    return sweep


def after(sweep, episodes, preferences=PREFERENCES):
    sweep._learn(episodes, preferences)
    return {name: part.clone() for name, part in sweep.net.state_dict().items()}


def assert_close(first, second, atol=1e-6):
    for name, part in first.items():
        assert torch.allclose(part, second[name], rtol=0, atol=atol), name


# --------------------------------------------------------------------------------------------------- what counts
@pytest.mark.parametrize("estimator", ["rloo", "ppo"])
def test_what_stands_behind_an_end_never_leaks(estimator):
    how = {"estimator": estimator, "divergence_weight": 0.2}
    clean, spoiled = short(**how), short(**how)
    episodes = sampled(clean)
    sampled(spoiled)
    dead = ~episodes.moves
    assert dead.float().mean() > 0.2
    noise = torch.randint(1, 90, dead.shape, generator=torch.Generator().manual_seed(9))
    other = replace(
        episodes,
        actions=torch.where(dead, noise, episodes.actions),
        before=torch.where(dead, -3.0, episodes.before),
    )
    assert_close(after(clean, episodes), after(spoiled, other))


def test_a_completion_that_failed_never_leaks():
    clean, spoiled = short(), short()
    episodes = sampled(clean)
    sampled(spoiled)
    failed = torch.zeros_like(episodes.failed)
    failed[:, 2] = True
    first = replace(episodes, failed=failed)
    noise = torch.randint(1, 90, episodes.actions.shape, generator=torch.Generator().manual_seed(9))
    actions = torch.where(failed[..., None], noise, episodes.actions)
    rewards = torch.where(failed[..., None, None], 7.0, episodes.rewards)
    assert_close(after(clean, first), after(spoiled, replace(first, actions=actions, rewards=rewards)))


def test_policies_trained_together_equal_policies_trained_apart():
    how = {"estimator": "ppo", "divergence_weight": 0.1}
    together = short(**how)
    episodes, before = sampled(together), together.net.rows()
    found = after(together, episodes)
    for i in range(2):
        part = slice(i, i + 1)
        apart = short(policies=1, **how)
        apart.net.load_state_dict({name: row[part] for name, row in before.items()})
        apart._first = {name: row[part] for name, row in together._first.items()}
        assert_close(
            after(apart, episodes.of(part), PREFERENCES[part]), {n: row[part] for n, row in found.items()}, 1e-5
        )


def test_the_gradient_is_that_of_gains_times_log_chances_and_of_the_divergence():
    sweep = a_sweep(policies=1, entropy=0.0, divergence_weight=0.3, longest=1e6)
    with torch.no_grad():
        sweep.net.actor["output"] += 0.1  # away from the first policy
    episodes = sampled(sweep, PREFERENCES[:1])
    gains = Advantages(episodes, "rloo").weighted(PREFERENCES[:1])
    weights = {name: part.detach().clone().requires_grad_() for name, part in sweep.net.actor.items()}
    laws, _ = sweep.net.model.read(weights, episodes.inputs, episodes.actions)
    first, _ = sweep.net.model.read(sweep.net.model.first(1), episodes.inputs, episodes.actions)
    total, away = 0.0, []
    for c, t in torch.nonzero(episodes.live[0]).tolist():
        total = total + gains[0, c, t] * laws[0, c, t, episodes.actions[0, c, t]] / 8
        away.append(divergence("reverse", laws[0, c, t], first[0, c, t].detach()))
    (total - 0.3 * torch.stack(away).mean()).backward()
    sweep._learn(episodes, PREFERENCES[:1])
    for name, part in sweep.net.actor.items():
        assert torch.allclose(-part.grad, weights[name].grad.to(part.grad), rtol=1e-3, atol=1e-5), name


def test_completions_are_held_against_those_of_their_own_prompt():
    sweep = a_sweep(prompts=2)
    episodes = sampled(sweep)
    shifted = episodes.rewards.clone()
    last = episodes.moves & (episodes.moves.cumsum(dim=2) == episodes.moves.sum(dim=2, keepdim=True))
    shifted[:, :4] += 5.0 * last[:, :4, :, None]  # all completions of the first prompt
    plain, moved = (Advantages(part, "rloo").each() for part in (episodes, replace(episodes, rewards=shifted)))
    assert torch.allclose(plain, moved, rtol=0, atol=1e-12)
    by_hand = episodes.returns[0, 5] - (episodes.returns[0, 4:].sum(dim=0) - episodes.returns[0, 5]) / 3
    assert torch.allclose(plain[0, 5, 0], by_hand, rtol=0, atol=1e-12)


# --------------------------------------------------------------------------------------------------- learning
def share(letters):
    return lambda prompts, completions: [sum(c in letters for c in text) / 5 for text in completions]


@pytest.mark.parametrize("estimator", ["rloo", "ppo"])
def test_preferences_are_learned(estimator):
    problem = Text({"low": share("abcdefghijklm"), "high": share("nopqrstuvwxyz")})
    how = {"copies": 48, "length": 5, "learning_rate": 0.03, "entropy": 0.0, "estimator": estimator, "decay": 1.0}
    sweep = a_sweep(problem, **how)
    ends = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    told = [sweep.step(Setting(ends)) for _ in range(30)]
    first, last = told[0].objectives, told[-1].objectives
    assert (last.diagonal() > first.diagonal() + 0.25).all()
    assert (last.diagonal() > last.fliplr().diagonal() + 0.3).all()


def test_a_divergence_holds_policies_back():
    def moved(weight):
        sweep = a_sweep(policies=1, length=5, learning_rate=0.01, divergence_weight=weight, entropy=0.0)
        for _ in range(8):
            sweep.step(Setting(PREFERENCES[:1]))
        episodes = sampled(sweep, PREFERENCES[:1])
        away = divergence("reverse", sweep.law(episodes).logits, sweep._first_law(episodes).logits)
        return float(away[episodes.live.flatten(1)].detach().mean())

    free, held = moved(0.0), moved(10.0)
    assert free > 1e-3
    assert held < free / 3


def test_value_heads_do_not_move_the_model():
    sweep = a_sweep(estimator="ppo", policies=1)
    episodes = sampled(sweep, PREFERENCES[:1])
    sweep.gains = lambda advantages, preferences: torch.zeros(episodes.moves.shape)
    sweep._said.entropy = 0.0
    before = sweep.net.rows()
    sweep._learn(episodes, PREFERENCES[:1])
    for name, part in sweep.net.state_dict().items():
        assert torch.equal(part, before[name]) == (not name.startswith("critic.")), name


class SometimesNothing(ToyText):
    def score(self, prompts, completions):
        scores = super().score(prompts, completions)
        bad = torch.tensor([len(text) % 2 == 1 for text in completions])
        return torch.where(bad[:, None], float("nan"), scores)


def test_completions_without_a_number_are_dropped_and_counted():
    sweep = short(SometimesNothing())
    told = sweep.step(Setting(PREFERENCES))
    again = short(SometimesNothing())
    episodes = sampled(again)
    odd = torch.tensor([len(text) % 2 == 1 for text in episodes.texts]).reshape(2, 8)
    assert 0 < odd.sum() < 16
    assert torch.equal(told.extras["dropped"], odd.sum(dim=1))
    assert torch.equal(told.extras["episodes"], 8 - odd.sum(dim=1))
    kept = ToyText().score(episodes.prompts, episodes.texts).reshape(2, 8, 2)
    for p in range(2):
        rows = kept[p][~odd[p]]
        assert torch.allclose(told.objectives[p], rows.mean(dim=0), rtol=0, atol=1e-12)
        assert torch.allclose(told.extras["standard_error"][p], rows.std(dim=0) / len(rows) ** 0.5, atol=1e-12)
    with pytest.raises(RuntimeError, match=r"fails.* The first: a score was not finite"):
        moo.pareto_search(ToyText(fails=True), "fixed-weights", budget=200, options=SMALL, progress=False)


# --------------------------------------------------------------------------------------------------- a search
def search(method="pama", **options):
    return moo.pareto_search(
        ToyText(), method, budget=96, options={**SMALL, **options}, progress=False, device="cpu", seed=3
    )


def test_a_search_keeps_an_archive_of_checkpoints_apart_from_the_last_policies():
    result = search(interval=2)
    assert set(result.front.preferences.isnan().flatten().tolist()) == {False}
    assert (result.front.extras["standard_error"] >= 0).all()
    assert len(result.finals) == 2
    assert set(result.finals.extras["used"].tolist()) == {80}
    assert any(name.startswith("parameters.actor.") for name in result.front.extras)
    again = search(interval=2)
    assert torch.equal(result.objectives, again.objectives)


def test_a_checkpoint_writes_what_its_policy_wrote(tmp_path):
    result = search(interval=1)
    generator = result.generator
    texts = generator.complete(result.finals, ["", ""], seed=5)
    result.save(tmp_path / "run")
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[2]); import moo; from inputs import ToyText\n"
        "found = moo.load_result(sys.argv[1], problem=ToyText())\n"
        "print(json.dumps(found.generator.complete(found.finals, ['', ''], seed=5)))"
    )
    tests = str(Path(__file__).parent.parent)
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run"), tests], capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout) == texts
    assert texts != generator.complete(result.finals, ["", ""], seed=6)


@pytest.mark.parametrize(("lora", "spread", "rate"), [(0, 4.0, 0.01), (2, 8.0, 0.05)])
def test_a_model_of_the_library_learns_and_stores_what_is_trained_alone(lora, spread, rate, tmp_path):
    pytest.importorskip("peft")
    from tiny_hub import a_model

    folder = a_model(tmp_path / "gpt2", spread=spread)
    how = {"model": folder, "lora": lora, "length": 5, "copies": 32, "learning_rate": rate, "prompts": 2}
    method = a_sweep(Text({"a": share("abcde"), "f": share("fghij")}, ["ab", "c", ""]), entropy=0.0, **how)
    told = [method.step(Setting(torch.eye(2, dtype=torch.float64))) for _ in range(15)]
    first, last = told[0].objectives, told[-1].objectives
    assert (last.diagonal() > first.diagonal() + 0.1).all()
    stored = method.state_dict()["net"]
    assert all(("lora" in name) == bool(lora) for name in stored if name.startswith("actor."))
    method.save_policy(told[-1], 0, tmp_path / "saved")
    assert (tmp_path / "saved" / f"{'adapter_' if lora else ''}model.safetensors").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": 3}, "Option `copies` should be a multiple of `prompts`, .* Found 8 and 3"),
        ({"model": "nowhere/at all"}, "`model` should be the folder of a model, or the id of one"),
        ({"lora": 2}, "`lora` is for models of the transformers library"),
    ],
)
def test_wrong_options_are_refused(options, message, monkeypatch):
    if "model" in options:
        pytest.importorskip("transformers")
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match=message):
        a_sweep(**options)


def test_all_estimators_and_guides_run_on_texts():
    for method, options in (
        ("pama", {"reading": "gram"}),
        ("pama", {"reading": "batch", "follow": False}),
        ("reward-weighting", {"guide": "influence", "held_out": True}),
        ("reward-weighting", {"guide": "hypervolume-factor"}),
        ("smooth-tchebycheff", {"estimator": "gdpo"}),
    ):
        result = search(method, length=4, **options)
        assert np.isfinite(result.objectives.numpy()).all()
        assert result.record["used"] == 96
