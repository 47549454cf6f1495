"""Moving weights inside TRL's `GRPOTrainer`: real training runs of a tiny language model that is made here."""

import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
pytest.importorskip("trl", reason="trl is not installed (extra `trl`)")

from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

from moo.adapters.trl import (
    PAMA,
    CovarianceTargets,
    Fixed,
    HypervolumeFactor,
    HypervolumeGradient,
    Influence,
    MultiObjectiveGRPOTrainer,
    Multipliers,
    SmoothTchebycheff,
    train_sweep,
    weights_history,
)
from moo.adapters.trl.parts import own_advantages
from moo.gradients import (
    hypervolume_factor,
    hypervolume_gradient,
    influence_weights,
    multiplier_weights,
    pama,
    smooth_tchebycheff,
)

LETTERS = "abcdefgh "
PROMPTS = Dataset.from_dict({"prompt": ["ab", "cd", "ef", "gh"] * 8})
NAN = math.nan


def share_of_a(completions, **_):
    return [text.count("a") / 8 for text in completions]


def share_of_b(completions, **_):
    return [text.count("b") / 8 for text in completions]


def brevity(completions, **_):
    return [-len(text) / 8 for text in completions]


def a_of_some(prompts, completions, **_):
    """No value for one prompt of the four, nor for completions with an h."""
    pairs = zip(prompts, completions, strict=True)
    return [None if prompt == "cd" or "h" in text else text.count("a") / 8 for prompt, text in pairs]


REWARDS = [share_of_a, share_of_b, brevity]


def tokenizer():
    words = {letter: i for i, letter in enumerate(LETTERS)} | {"<end>": len(LETTERS)}
    made = Tokenizer(models.WordLevel(words, unk_token="<end>"))
    made.pre_tokenizer, made.decoder = pre_tokenizers.Split("", "isolated"), decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<end>", pad_token="<end>", padding_side="left")


def network(dropout=0.1):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        size = {"vocab_size": 10, "n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 2}
        drops = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), dropout)
        return GPT2LMHeadModel(GPT2Config(**size, **drops, bos_token_id=9, eos_token_id=9))


def trainer(folder, weighting=None, rewards=REWARDS, dropout=0.1, **said):
    config = {"max_steps": 4, "per_device_train_batch_size": 8, "num_generations": 4, "max_completion_length": 8}
    config |= {"learning_rate": 1e-2, "logging_steps": 1, "save_strategy": "no", "report_to": [], "seed": 0}
    config |= {"bf16": False, "use_cpu": True, "disable_tqdm": True, "gradient_checkpointing": False, **said}
    make = GRPOTrainer if weighting is None else MultiObjectiveGRPOTrainer
    return make(
        model=network(dropout),
        reward_funcs=list(rewards),
        args=GRPOConfig(output_dir=str(folder), **config),
        train_dataset=PROMPTS,
        eval_dataset=PROMPTS.select(range(4)),
        processing_class=tokenizer(),
        **({} if weighting is None else {"weighting": weighting}),
    )


def parameters(trained):
    return torch.cat([one.detach().flatten() for one in trained.model.parameters()])


def run(folder, weighting=None, **said):
    """A trained model's trainer, and for each generation batch the weights in force, the rewards, the weights after."""
    made, seen = trainer(folder, weighting, **said), []
    if weighting is not None:
        see = weighting.see

        def noted(rewards):
            before = seen[-1][2] if seen else first
            see(rewards)
            seen.append((before, rewards.clone(), weighting.weights.clone()))

        first, weighting.see = weighting.weights.clone(), noted
    made.train()
    return made, seen


def tensor(rows):
    return torch.tensor(rows, dtype=torch.float64)


def plain_weights(trained):
    """Of each logged step, in the order of the reward functions."""
    return weights_history(trained.state.log_history)[[one.__name__ for one in trained.reward_funcs]].to_numpy()


RULES = {
    "pama": lambda: PAMA(),
    "pama with preferences": lambda: PAMA([0.2, 0.3, 0.5], leak=0.1),
    "influence": lambda: Influence(),
    "held out": lambda: Influence(held_out=True, relative=True, layers=["transformer.h.1"]),
    "covariance": lambda: CovarianceTargets([0.1, 0.1, 0.1], rate=5.0),
    "multipliers": lambda: Multipliers([None, 0.3, None], rate=5.0),
    "smooth Tchebycheff": lambda: SmoothTchebycheff([0.2, 0.3, 0.5]),
    "hypervolume gradient": lambda: HypervolumeGradient(others=[[0.3, 0.0, -0.5]]),
    "hypervolume factor": lambda: HypervolumeFactor(),
}


# ------------------------------------------------------------------------------------------------ what TRL does is kept
@pytest.mark.parametrize(
    "said",
    [
        {},
        {"multi_objective_aggregation": "normalize_then_sum", "num_iterations": 2, "steps_per_generation": 2},
        {"scale_rewards": "none", "gradient_accumulation_steps": 2},
    ],
)
def test_fixed_weights_are_trls_own_bit_for_bit(tmp_path, said):
    theirs, _ = run(tmp_path / "a", reward_weights=[0.5, 2.0, 1.0], **said)
    ours, _ = run(tmp_path / "b", Fixed([0.5, 2.0, 1.0]), **said)
    assert torch.equal(parameters(ours), parameters(theirs))
    for mine, other in zip(ours.state.log_history[:-1], theirs.state.log_history[:-1], strict=True):
        assert {key: mine[key] for key in other if key != "step_time"} == {
            key: value for key, value in other.items() if key != "step_time"
        }


def test_measuring_gradients_changes_nothing_else(tmp_path):
    still, _ = run(tmp_path, Influence(rate=0.0))
    third, _ = run(tmp_path, Fixed([1 / 3] * 3))
    assert still.extra_backwards == 3 * 4
    assert torch.equal(parameters(still), parameters(third))


@pytest.mark.parametrize("rule", RULES)
def test_a_run_goes_on_from_its_checkpoint_as_if_it_had_never_stopped(tmp_path, rule):
    said = {"save_strategy": "steps", "save_steps": 2}
    whole, _ = run(tmp_path / "a", RULES[rule](), **said)
    again = trainer(tmp_path / "b", RULES[rule](), **said)
    again.train(resume_from_checkpoint=str(tmp_path / "a" / "checkpoint-2"))
    assert torch.equal(parameters(again), parameters(whole))
    assert again.weighting.state_dict() == whole.weighting.state_dict()
    assert (plain_weights(again) == plain_weights(whole)).all()
    assert (weights_history(tmp_path / "b" / "checkpoint-4") == weights_history(whole.state.log_history)).all(axis=None)
    static, _ = run(tmp_path / "c", Fixed([1 / 3] * 3))
    assert (parameters(static) - parameters(whole)).norm() > 1e-3 * parameters(static).norm()
    if rule != "hypervolume factor":
        assert len({tuple(row) for row in plain_weights(whole).tolist()}) > 2


def test_the_last_checkpoint_of_the_folder_is_found(tmp_path):
    said = {"save_strategy": "steps", "save_steps": 2, "max_steps": 2}
    first, _ = run(tmp_path, SmoothTchebycheff(), **said)
    again = trainer(tmp_path, SmoothTchebycheff(), **{**said, "max_steps": 3})
    again.train(resume_from_checkpoint=True)
    assert (plain_weights(again)[:2] == plain_weights(first)).all()
    assert not (plain_weights(again)[2] == 1 / 3).any()


def test_weights_stay_for_all_steps_on_a_generation_batch(tmp_path):
    said = {"max_steps": 8, "steps_per_generation": 2, "num_iterations": 2, "gradient_accumulation_steps": 1}
    made, seen = run(tmp_path, SmoothTchebycheff(), **said)
    assert len(seen) == 2
    assert [len(rewards) for _, rewards, _ in seen] == [16, 16]
    history = weights_history(made.state.log_history)
    assert history["step"].tolist() == [1, 5]
    torch.testing.assert_close(tensor(plain_weights(made)[1].tolist()), seen[0][2])
    assert torch.equal(made.reward_weights, seen[1][2].float())


@pytest.mark.parametrize("rule", ["pama with preferences", "influence", "hypervolume factor"])
def test_evaluation_leaves_the_weights_alone(tmp_path, rule):
    made, seen = run(tmp_path, RULES[rule](), eval_strategy="steps", eval_steps=1, per_device_eval_batch_size=8)
    assert sum("eval_loss" in entry for entry in made.state.log_history) == 4
    assert len(seen) == 4
    before, backwards = made.weighting.state_dict(), made.extra_backwards
    made.evaluate()
    assert made.weighting.state_dict() == before
    assert made.extra_backwards == backwards


# ------------------------------------------------------------------------------------------------ each rule by hand
def test_advantages_of_one_reward_are_those_of_a_literal_loop():
    rewards = torch.rand(12, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rewards[0, 0] = rewards[5, 1] = rewards[6, 1] = NAN
    rewards[8:, 2] = 0.3
    expected = torch.zeros(12, 3, dtype=torch.float64)
    for start in range(0, 12, 4):
        for i in range(3):
            rows = [row for row in range(start, start + 4) if not math.isnan(rewards[row, i])]
            values = rewards[rows, i]
            if values.std(unbiased=False) > 1e-9:
                expected[rows, i] = (values - values.mean()) / values.std(unbiased=False)
    torch.testing.assert_close(own_advantages(rewards, 4), expected)


def test_pama_reinforces_each_completion_by_the_least_advantage(tmp_path):
    said = {"max_steps": 1, "gradient_accumulation_steps": 4}
    made, seen = run(tmp_path, PAMA(), rewards=[share_of_a, brevity], **said)
    _, rewards, _ = seen[0]
    each = own_advantages(rewards, 4)
    least = each.clamp(min=0).amin(dim=1)
    assert (least > 0).any()
    assert list(made._logs["advantages"]) == pytest.approx(least.tolist())
    used = torch.cat([batch["advantages"] for batch in made._buffered_inputs])  # in TRL's shuffled order
    torch.testing.assert_close(used.sort().values, least.float().sort().values)
    torch.testing.assert_close(tensor(plain_weights(made)[0].tolist()), pama(each.clamp(min=0)).mean(dim=0))


def test_pama_with_preferences_follows_its_rule_and_the_running_means(tmp_path):
    said = [0.2, 0.3, 0.5]
    made, seen = run(tmp_path, PAMA(said, leak=0.1, memory=0.5), max_steps=3)
    means, low, high = None, torch.full((3,), math.inf).double(), torch.full((3,), -math.inf).double()
    for step, (_, rewards, _) in enumerate(seen):
        each = own_advantages(rewards, 4)
        each = torch.where(each < 0, 0.1 * each, each)
        shortfalls = None if means is None else ((high - means) / (high - low)).clamp(min=0)
        expected = pama(each, tensor(said), shortfalls)
        torch.testing.assert_close(tensor(plain_weights(made)[step].tolist()), expected.mean(dim=0))
        low, high = torch.minimum(low, rewards.amin(dim=0)), torch.maximum(high, rewards.amax(dim=0))
        means = rewards.mean(dim=0) if means is None else 0.5 * means + 0.5 * rewards.mean(dim=0)
    assert list(made._logs["advantages"]) == pytest.approx((expected * each).sum(dim=1).tolist())


def test_covariance_targets_move_the_weights_that_fall_short():
    rule = CovarianceTargets([0.5, 0.0], [0.5, 0.5], rate=2.0, floor=0.1, memory=0.8)
    rule.start(2)
    batches = [[[1.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [NAN, 0.0]]]
    rule.see(tensor(batches[0]))
    first = 0.25 * 0.5  # covariance of (1, 0) with half of itself
    odds = math.exp(2.0 * (0.5 - first))
    assert rule.weights.tolist() == pytest.approx([odds / (1 + odds), 1 / (1 + odds)])
    before = rule.weights.tolist()
    rule.see(tensor(batches[1]))  # the first function has one value: a covariance of 0
    odds = before[0] / before[1] * math.exp(2.0 * (0.5 - 0.8 * first))
    assert rule.weights.tolist() == pytest.approx([0.9, 0.1] if odds > 9 else [odds / (1 + odds), 1 / (1 + odds)])


def test_multipliers_grow_below_their_threshold_and_fall_above(tmp_path):
    rule = Multipliers([None, 0.3, None, -0.9], [0.5, 0.0, 0.25, 0.25], rate=2.0)
    rewards = [share_of_a, share_of_b, brevity, lambda completions, **_: [-0.5] * len(completions)]
    rewards[3].__name__ = "constant"
    _, seen = run(tmp_path, rule, rewards=rewards)
    held = torch.zeros(2, dtype=torch.float64)
    for before, batch, after in seen:
        held += 2.0 * (tensor([0.3, -0.9]) - batch.mean(dim=0)[[1, 3]])
        weights = multiplier_weights(held)
        expected = torch.stack([weights[0] * 2 / 3, weights[1], weights[0] / 3, weights[2]])
        torch.testing.assert_close(after, expected)
        assert after[1] > before[1]
        assert after[3] < before[3]


def test_smooth_tchebycheff_follows_the_shortfalls(tmp_path):
    _, seen = run(tmp_path, SmoothTchebycheff([0.2, 0.3, 0.5], mu=0.2, memory=0.0))
    rewards = torch.cat([batch for _, batch, _ in seen])
    low, high = rewards.amin(dim=0), rewards.amax(dim=0)
    shortfalls = (high - seen[-1][1].mean(dim=0)) / (high - low)
    weights = smooth_tchebycheff(shortfalls, tensor([0.2, 0.3, 0.5]), 0.2)
    torch.testing.assert_close(seen[-1][2], weights / weights.sum())


def test_the_hypervolume_gradient_is_that_beside_the_other_models(tmp_path):
    others = tensor([[0.3, 0.0, -0.5], [0.1, 0.2, -0.7]])
    _, seen = run(tmp_path, HypervolumeGradient(others=others, floor=0.01, memory=0.0))
    rewards = torch.cat([batch for _, batch, _ in seen])
    low, high = rewards.amin(dim=0), rewards.amax(dim=0)
    points = (torch.cat([seen[-1][1].mean(dim=0, keepdim=True), others]) - low) / (high - low)
    slopes = hypervolume_gradient(points, torch.full((3,), -0.1).double(), by_rank=True)[0]
    expected = slopes / slopes.sum()
    assert (expected > 0.01).all()
    torch.testing.assert_close(seen[-1][2], expected)


def test_the_hypervolume_of_one_model_asks_for_what_lags():
    rule = HypervolumeGradient(floor=0.0, memory=0.0)
    rule.start(2)
    rule.see(tensor([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [1.0, 0.0]]))  # means .75 and .25 of their ranges
    assert rule.weights.tolist() == pytest.approx([0.35 / 1.2, 0.85 / 1.2])


def test_the_hypervolume_factor_is_of_what_a_batch_adds():
    rule = HypervolumeFactor([0.5, 0.5])
    rule.start(2)
    edges = [[0.0, 0.0], [1.0, 1.0]]  # the scale

    def of(gain):
        return pytest.approx(0.5 + 1.5 * math.tanh(gain))

    rule.see(tensor([*edges, [0.1, 0.1], [0.4, 0.4]]))
    start = 1.5 / 4
    assert rule.factor == 1.0
    rule.see(tensor([*edges, [1.0, 0.6], [0.8, 0.8]]))  # means .7, .6
    assert rule.factor == of((0.7 - start) * (0.6 - start))
    rule.see(tensor([*edges, [1.0, 0.6], [0.8, 0.4]]))  # .7, .5: nothing new
    assert rule.factor == 0.5
    rule.see(tensor([*edges, [0.6, 1.0], [0.4, 1.0]]))  # .5, .75
    assert rule.factor == of((0.5 - start) * (0.75 - 0.6))
    rule.see(tensor([[NAN, 0.0], [NAN, 1.0]]))
    assert rule.factor == of((0.5 - start) * (0.75 - 0.6))
    points = tensor([[0.7, 0.6], [0.5, 0.75], [0.9, 0.4]])
    rule.see(tensor([*edges, [1.0, 0.2], [1.6, 0.4]]))  # .9, .4, and 1.6 is the new highest: the scale moves
    scale = tensor([1.6, 1.0])
    expected = hypervolume_factor(points[2] / scale, points[:2] / scale, tensor([start, start]) / scale)
    assert rule.factor == pytest.approx(float(expected))


def test_the_factor_multiplies_advantages_of_the_next_batch(tmp_path):
    rule = HypervolumeFactor()
    made, _ = run(tmp_path, rule, max_steps=3)
    factors = weights_history(made.state.log_history)["factor"].tolist()
    assert factors[:2] == [1.0, 1.0]
    assert factors[2] != 1.0
    used = made._buffered_inputs[0]["advantages"].double().sort().values
    theirs = tensor(list(made._logs["advantages"])).sort().values
    torch.testing.assert_close(used, factors[2] * theirs)


# ------------------------------------------------------------------------------------------------ influence
def gradients_by_hand(net, chosen, output, each, rows, tokens):
    """Of the sum over rows and tokens of advantage times log-chance, for each reward, `[n, d]`: a literal loop."""
    ids = torch.cat([output["prompt_ids"], output["completion_ids"]], dim=1)
    attended = torch.cat([output["prompt_mask"], output["completion_mask"]], dim=1)
    chances = net(input_ids=ids, attention_mask=attended).logits.log_softmax(dim=-1)
    t, length = output["prompt_ids"].shape[1], output["completion_ids"].shape[1]
    found = []
    for i in range(each.shape[1]):
        aim = sum(
            each[row, i] * chances[row, t + k - 1, ids[row, t + k]]
            for row in rows
            for k in range(length)
            if output["completion_mask"][row, k]
        )
        slopes = torch.autograd.grad(aim / tokens, chosen, retain_graph=True)
        found.append(torch.cat([one.flatten() for one in slopes]))
    return torch.stack(found)


def catch_gram(monkeypatch):
    """What the Gram matrix is made from, and the matrix, of the last generation batch."""
    found, inner = {}, MultiObjectiveGRPOTrainer._objective_gram

    def caught(self, weighting, output):
        found["output"] = {key: value.clone() for key, value in output.items()}
        found["gram"] = inner(self, weighting, output)
        return found["gram"]

    monkeypatch.setattr(MultiObjectiveGRPOTrainer, "_objective_gram", caught)
    return found


@pytest.mark.parametrize(
    ("held_out", "layers"), [(False, None), (True, None), (False, ["transformer.h.1", "transformer.ln_f.bias"])]
)
def test_gram_matrices_are_those_of_gradients_taken_by_hand(tmp_path, monkeypatch, held_out, layers):
    rule, found = Influence(held_out=held_out, layers=layers), catch_gram(monkeypatch)
    said = {"max_steps": 1, "gradient_accumulation_steps": 3, "gradient_checkpointing": True}  # TRL's default
    made, seen = run(tmp_path, rule, dropout=0.0, **said)
    net, output, each = network(0.0), found["output"], own_advantages(seen[0][1], 4)
    chosen = [
        one
        for name, one in net.named_parameters()
        if layers is None or name.startswith("transformer.h.1.") or name == "transformer.ln_f.bias"
    ]
    even = [row for row in range(24) if row // 4 % 2 == 0]
    halves = [even, [row for row in range(24) if row not in even]] if held_out else [range(24)]
    tokens = int(output["completion_mask"].sum()) / len(halves)
    sums = [gradients_by_hand(net, chosen, output, each, rows, tokens) for rows in halves]
    torch.testing.assert_close(found["gram"], (sums[0] @ sums[-1].T).double(), rtol=1e-3, atol=1e-5)
    expected = influence_weights(found["gram"], torch.full((3,), 1 / 3).double(), 0.1, 1.0, 0.05)
    torch.testing.assert_close(rule.weights, expected)
    assert made.extra_backwards == (3 * 4 if held_out else 3 * 3)  # a half of 12 rows takes two passes of 8


@pytest.mark.slow
def test_all_processes_have_the_same_weights_which_are_those_of_all_completions(tmp_path):
    child = (
        "import importlib.util, pytest, torch\n"
        f"spec = importlib.util.spec_from_file_location('tests_of_trl', {str(Path(__file__))!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "found = module.catch_gram(pytest.MonkeyPatch())\n"
        "made, seen = module.run('out', module.Influence(), dropout=0.0, max_steps=1, ddp_backend='gloo')\n"
        "state = {'seen': seen, 'parameters': module.parameters(made), 'found': found}\n"
        "torch.save(state, f'{made.accelerator.process_index}.pt')\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    settings = [{**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": "1"} for rank in "01"]
    children = [subprocess.Popen([sys.executable, "-c", child], cwd=tmp_path, env=one) for one in settings]
    assert [one.wait(timeout=300) for one in children] == [0, 0]
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in "01"]
    (_, rewards, after), (_, theirs, again) = (one["seen"][0] for one in ranks)
    assert rewards.shape == (16, 3)
    assert torch.equal(rewards, theirs)
    assert torch.equal(after, again)
    assert torch.equal(ranks[0]["parameters"], ranks[1]["parameters"])
    outputs = [one["found"]["output"] for one in ranks]
    assert not torch.equal(outputs[0]["completion_ids"], outputs[1]["completion_ids"])
    net, each = network(0.0), own_advantages(rewards, 4)
    tokens = sum(int(output["completion_mask"].sum()) for output in outputs)
    slopes = sum(
        gradients_by_hand(net, list(net.parameters()), output, each[8 * i : 8 * i + 8], range(8), tokens)
        for i, output in enumerate(outputs)
    )
    torch.testing.assert_close(ranks[0]["found"]["gram"], (slopes @ slopes.T).double(), rtol=1e-3, atol=1e-5)


def test_influence_goes_on_from_the_weights_before():
    rule = Influence([0.5, 0.5], rate=0.2)
    rule.start(2)
    rule.see_gram(tensor([[4.0, -1.0], [-1.0, 1.0]]))  # influences 3 and 0
    rule.see_gram(tensor([[1.0, 0.0], [0.0, 3.0]]))  # 1 and 3
    assert rule.weights[0] / rule.weights[1] == pytest.approx(math.exp(0.2 * (3 - 0 + 1 - 3)))


def test_relative_influence_does_not_depend_on_the_size_of_gradients():
    gram = tensor([[4.0, -1.0], [-1.0, 1.0]])
    weights = []
    for scale in (1.0, 100.0):
        rule = Influence(rate=0.5, relative=True)
        rule.start(2)
        rule.see_gram(scale * gram)
        weights.append(rule.weights.tolist())
    assert weights[0] == pytest.approx(weights[1])
    assert weights[0][0] / weights[0][1] == pytest.approx(math.exp(0.5 * (3.0 - 0.0) / 2.5))
    rule.see_gram(torch.zeros(2, 2, dtype=torch.float64))
    assert rule.weights.tolist() == pytest.approx(weights[0])


# ------------------------------------------------------------------------------------------------ missing rewards
@pytest.mark.parametrize("rule", RULES)
def test_rewards_may_be_missing(tmp_path, rule):
    rewards = [a_of_some, share_of_b, brevity]
    made, seen = run(tmp_path, RULES[rule](), rewards=rewards, max_steps=2, gradient_accumulation_steps=2)
    counts = [entry["rewards/missing/a_of_some"] for entry in made.state.log_history if "rewards/factor" in entry]
    assert counts == [float(rewards[:, 0].isnan().sum()) for _, rewards, _ in seen]
    assert sum(counts) > 0
    assert made.weighting.weights.isfinite().all()
    assert parameters(made).isfinite().all()
    json.dumps(made.weighting.state_dict(), allow_nan=False)


def test_a_reward_without_a_value_has_no_say_in_a_completion():
    rule = PAMA()
    rule.start(2)
    rewards = tensor([[1.0, 0.0], [0.0, NAN], [1.0, NAN], [NAN, NAN]])
    each = own_advantages(rewards, 4)
    found = rule.advantages(rewards, 4)
    assert found.tolist() == pytest.approx([0.0, 0.0, float(each[2, 0]), 0.0])
    assert each[2, 0] > 0


def test_nothing_with_a_say_means_nothing_to_learn():
    rule = PAMA([1.0, 0.0])
    rule.start(2)
    found = rule.advantages(tensor([[NAN, 0.0], [NAN, 1.0]]), 2)
    assert found.tolist() == [0.0, 0.0]
    assert rule.weights.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("rule", ["covariance", "multipliers", "smooth Tchebycheff", "hypervolume gradient"])
def test_a_function_that_never_applies_stops_nothing_and_is_stored(rule):
    made = RULES[rule]()
    made.start(3)
    rewards = torch.rand(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rewards[:, 1] = NAN
    for _ in range(3):
        made.see(rewards)
    assert made.weights.isfinite().all()
    again = RULES[rule]()
    again.start(3)
    again.load_state_dict(json.loads(json.dumps(made.state_dict(), allow_nan=False)))
    rewards[:, 1] = 0.5
    made.see(rewards)
    again.see(rewards)
    assert torch.equal(made.weights, again.weights)


# ------------------------------------------------------------------------------------------------ where scale is inert
@pytest.mark.parametrize(
    ("said", "inert"),
    [
        ({}, True),
        ({"scale_rewards": "batch"}, True),
        ({"multi_objective_aggregation": "normalize_then_sum"}, True),
        ({"scale_rewards": "none"}, False),
    ],
)
def test_the_size_of_weights_acts_only_where_nothing_is_divided_by_deviations(tmp_path, said, inert):
    small, _ = run(tmp_path, Fixed([1.0, 1.0, 1.0]), max_steps=1, **said)
    large, _ = run(tmp_path, Fixed([10.0, 10.0, 10.0]), max_steps=1, **said)
    one, ten = (made._buffered_inputs[0]["advantages"] for made in (small, large))
    torch.testing.assert_close(ten, one if inert else 10 * one, rtol=5e-3, atol=1e-6)


# ------------------------------------------------------------------------------------------------ fronts
def test_means_are_over_prompts_and_errors_are_theirs(tmp_path):
    made = trainer(tmp_path, Fixed(), rewards=[a_of_some, brevity], num_generations_eval=2)
    means, errors = made.measure()
    rewards = torch.stack([tensor(list(made._logs["rewards"][name])) for name in ("a_of_some", "brevity")], dim=1)
    assert rewards.shape == (8, 2)
    for i in range(2):
        of_prompts = []
        for start in range(0, 8, 2):
            values = [x for x in rewards[start : start + 2, i].tolist() if not math.isnan(x)]
            of_prompts += [sum(values) / len(values)] if values else []
        k = len(of_prompts)
        assert k == 4 if i else 2 <= k < 4
        mean = sum(of_prompts) / k
        deviation = math.sqrt(sum((x - mean) ** 2 for x in of_prompts) / (k - 1))
        assert means[i].item() == pytest.approx(mean)
        assert errors[i].item() == pytest.approx(deviation / math.sqrt(k))
    assert made.state.log_history[-1]["eval_rewards/brevity/mean"] == pytest.approx(means[1].item())
    with pytest.raises(ValueError, match="`eval_dataset` should have at least two prompts"):
        made.measure(PROMPTS.select([0]))


def test_a_sweep_of_preferences_gives_the_front_of_its_models(tmp_path):
    told = []

    def make(preference, others):
        told.append((preference, others.tolist()))
        return trainer(tmp_path, Fixed(preference), rewards=REWARDS[1:], max_steps=2)

    front, runs = train_sweep(make, [[1.0, 0.0], [0.0, 1.0]])
    assert [preference for preference, _ in told] == [[1.0, 0.0], [0.0, 1.0]] == runs.preferences.tolist()
    assert [others for _, others in told] == [[], runs.objectives[:1].tolist()]
    assert (runs.extras["std"] > 0).all()
    assert runs.solutions.tolist() == [[0.0], [1.0]]
    best = [i for i in (0, 1) if not (runs.objectives[1 - i] > runs.objectives[i]).all()]
    assert front.front.solutions.flatten().tolist() == best
    alone, _ = run(tmp_path, Fixed([1.0, 0.0]), rewards=REWARDS[1:], max_steps=2)
    means, errors = alone.measure()
    assert torch.equal(means, runs.objectives[0])
    assert torch.equal(errors, runs.extras["std"][0])
    with pytest.raises(TypeError, match=r"`make` should return a MultiObjectiveGRPOTrainer. Found GRPOTrainer"):
        train_sweep(lambda *_: trainer(tmp_path), [[1.0, 0.0]])


# ------------------------------------------------------------------------------------------------ errors
@pytest.mark.parametrize(
    ("weighting", "said", "message"),
    [
        (
            Fixed(),
            {"reward_weights": [1.0, 2.0, 3.0]},
            r"`reward_weights` should be left.*Fixed\(\[1.0, 2.0, 3.0\]",
        ),
        (Fixed([1.0, 2.0]), {}, "`reward_weights` should be a list of 3 numbers"),
        (PAMA([0.5, 0.5]), {}, r"`preferences` should"),
        (Influence(floor=0.5), {}, "`floor` should be at most 1 / 3"),
        (Influence(layers=["transformer.h.9"]), {}, "Unknown layer 'transformer.h.9'"),
        (Influence(held_out=True), {"per_device_train_batch_size": 4}, "`held_out` needs at least two prompts"),
        (Influence(), {"gradient_checkpointing_kwargs": {"use_reentrant": True}}, "should leave out `use_reentrant`"),
        (CovarianceTargets([0.1]), {}, "`targets` should be a list of 3 numbers"),
        (Multipliers([None, 0.1]), {}, "`thresholds` should have an entry for each of 3 reward functions"),
        (Multipliers([None] * 3), {}, "at least one of either"),
        (Multipliers([0.1] * 3), {}, "at least one of either"),
        (Multipliers([None, 0.1, 0.1], [0.0, 0.5, 0.5]), {}, "`preferences` should be above 0 for a reward function"),
        (HypervolumeGradient(others=[[1.0]]), {}, r"`others` should have shape \[n, 3\]"),
        (Fixed(), {"rewards": [brevity, brevity]}, "Reward functions should have different names"),
    ],
)
def test_what_does_not_fit_the_reward_functions_is_refused(tmp_path, weighting, said, message):
    with pytest.raises(ValueError, match=message):
        trainer(tmp_path, weighting, **said)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PAMA(leak=2.0), "`leak` should be from 0 to 1"),
        (lambda: PAMA(memory=1.0), "`memory` should be from 0 to below 1"),
        (lambda: CovarianceTargets([0.1], memory=-0.1), "`memory` should be at least 0"),
        (lambda: SmoothTchebycheff(mu=0.0), "`mu` should be above 0"),
        (lambda: Influence(rate=-1.0), "`rate` should be at least 0"),
        (lambda: CovarianceTargets([0.1], rate=-1.0), "`rate` should be at least 0"),
        (lambda: Multipliers([None, 0.1], rate=-1.0), "`rate` should be at least 0"),
        (lambda: Multipliers([None, 0.1], squash="relu"), "Unknown form 'relu' of multipliers"),
    ],
)
def test_options_out_of_their_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_weighting_has_to_be_one(tmp_path):
    with pytest.raises(TypeError, match=r"`weighting` should be one of moo.adapters.trl's.*Found 'pama'"):
        trainer(tmp_path, "pama")


def test_a_state_has_to_fit():
    rule = PAMA()
    rule.start(3)
    other = Influence()
    other.start(3)
    with pytest.raises(ValueError, match=r"The state should be that of PAMA. Found Influence"):
        rule.load_state_dict(other.state_dict())
    more = PAMA()
    more.start(4)
    with pytest.raises(ValueError, match=r"The state should be that of 3 reward functions. Found 4"):
        rule.load_state_dict(more.state_dict())


def test_a_checkpoint_without_the_weights_is_refused(tmp_path):
    run(tmp_path, save_strategy="steps", save_steps=1, max_steps=1)
    with pytest.raises(FileNotFoundError, match=r"checkpoint-1/reward_weighting.json' should exist"):
        trainer(tmp_path, PAMA()).train(resume_from_checkpoint=True)
    with pytest.raises(ValueError, match="`log` should hold weights"):
        weights_history(tmp_path / "checkpoint-1")


def test_without_trl_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "trl", None)
    monkeypatch.delitem(sys.modules, "moo.adapters.trl.trainer", raising=False)
    with pytest.raises(ImportError, match=r"needs TRL: pip install 'moo-suite\[trl\]'"):
        __import__("moo.adapters.trl.trainer")


def test_an_untested_version_of_trl_is_refused(monkeypatch):
    monkeypatch.setattr("trl.__version__", "1.17.0")
    monkeypatch.delitem(sys.modules, "moo.adapters.trl.trainer", raising=False)
    with pytest.raises(ImportError, match=r"is tested with TRL 1.16, inside which it reaches. Found 1.17.0"):
        __import__("moo.adapters.trl.trainer")
