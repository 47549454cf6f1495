"""Moving weights inside TRL's `GRPOTrainer`: where a factor acts, what influence costs, fronts of tiny models.

`python -m moo.benchmarks.perf.trl_weights` prints the figures of docs/trl.md, as lines of JSON. Needs the extra `trl`.
A language model of two layers and ten tokens is made here and trained from scratch; nothing is downloaded.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from moo.adapters.trl import (
    PAMA,
    Fixed,
    HypervolumeFactor,
    HypervolumeGradient,
    Influence,
    MultiObjectiveGRPOTrainer,
    SmoothTchebycheff,
    Weighting,
    train_sweep,
)
from moo.indicators import hypervolume
from moo.search import one_thread

LETTERS = "abcdefgh "
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "group": {},
    "batch": {"scale_rewards": "batch"},
    "normalize_then_sum": {"multi_objective_aggregation": "normalize_then_sum"},
    "none": {"scale_rewards": "none"},
}
SWEEPS: dict[str, Callable[[list[float], Tensor], Weighting]] = {
    "Fixed": lambda preference, _: Fixed(preference),
    "SmoothTchebycheff": lambda preference, _: SmoothTchebycheff(preference),
    "HypervolumeGradient": lambda preference, others: HypervolumeGradient(preference, others=others),
    "PAMA": lambda preference, _: PAMA(preference, leak=0.1),
    "Influence": lambda preference, _: Influence(preference, relative=True),
}


class FactorOfRewards(HypervolumeFactor):
    """The factor where it was published: it multiplies the rewards, here their weights."""

    def start(self, num_objectives: int) -> None:
        super().start(num_objectives)
        self._last = 1.0

    def see(self, rewards: Tensor) -> None:
        self.factor = self._last
        super().see(rewards)
        self._last, self.factor = self.factor, 1.0
        self.weights = self.preferences * self._last


def share_of_a(completions: Sequence[str], **_: Any) -> list[float]:
    """How much of a completion of eight letters is an a."""
    return [text.count("a") / 8 for text in completions]


def share_of_b(completions: Sequence[str], **_: Any) -> list[float]:
    """How much of it is a b."""
    return [text.count("b") / 8 for text in completions]


def brevity(completions: Sequence[str], **_: Any) -> list[float]:
    """How short it is."""
    return [-len(text) / 8 for text in completions]


def many_a(completions: Sequence[str], **_: Any) -> list[float]:
    """The square of the share of a, so that half of each is worth less than one of the two."""
    return [(text.count("a") / 8) ** 2 for text in completions]


def many_b(completions: Sequence[str], **_: Any) -> list[float]:
    """The square of the share of b."""
    return [(text.count("b") / 8) ** 2 for text in completions]


def trainer(folder: str, weighting: Weighting, rewards: Sequence[Any], **said: Any) -> MultiObjectiveGRPOTrainer:
    """One of a tiny model from scratch, the same each time."""
    from datasets import Dataset
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
    from trl import GRPOConfig

    words = {letter: i for i, letter in enumerate(LETTERS)} | {"<end>": len(LETTERS)}
    made = Tokenizer(models.WordLevel(words, unk_token="<end>"))
    made.pre_tokenizer, made.decoder = pre_tokenizers.Split("", "isolated"), decoders.Fuse()
    ends = {"eos_token": "<end>", "pad_token": "<end>", "padding_side": "left"}
    size = {"vocab_size": 10, "n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 2}
    drops = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GPT2LMHeadModel(GPT2Config(**size, **drops, bos_token_id=9, eos_token_id=9))
    config: dict[str, Any] = {
        "max_completion_length": 8,
        "num_generations": 4,
        "logging_strategy": "no",
        "save_strategy": "no",
    }
    config |= {"report_to": [], "bf16": False, "use_cpu": True, "disable_tqdm": True, "gradient_checkpointing": False}
    prompts = Dataset.from_dict({"prompt": ["ab", "cd", "ef", "gh"] * 8})
    return MultiObjectiveGRPOTrainer(
        weighting=weighting,
        model=model,
        reward_funcs=list(rewards),
        args=GRPOConfig(output_dir=folder, **(config | said)),
        train_dataset=prompts,
        eval_dataset=prompts.select(range(4)),
        processing_class=PreTrainedTokenizerFast(tokenizer_object=made, **ends),
    )


def factor(seeds: Sequence[int], steps: int) -> dict[str, Any]:
    """How far the factor moves final parameters from those of a factor of 1, in relative norm, by configuration."""

    def ended(weighting: Weighting, seed: int, said: Mapping[str, Any]) -> Tensor:
        options = {"per_device_train_batch_size": 8, "learning_rate": 1e-2, "max_steps": steps, "seed": seed, **said}
        with tempfile.TemporaryDirectory() as folder:
            made = trainer(folder, weighting, [share_of_a, share_of_b, brevity], **options)
            made.train()
        return torch.cat([one.detach().flatten() for one in made.model.parameters()])

    found: dict[str, Any] = {}
    for name, said in CONFIGURATIONS.items():
        still = [ended(Fixed([1 / 3] * 3), seed, said) for seed in seeds]
        for place, rule in (("advantages", HypervolumeFactor), ("rewards", FactorOfRewards)):
            moved = [ended(rule(), seed, said) for seed in seeds]
            found[f"{name}, {place}"] = [
                float((after - before).norm() / before.norm()) for after, before in zip(moved, still, strict=True)
            ]
    return found


def cost(rounds: int, steps: int) -> dict[str, float]:
    """CPU seconds of a step of training with three rewards: the least of several rounds."""
    spent: dict[str, list[float]] = {"Fixed": [], "Influence": [], "PAMA": []}
    rules: dict[str, Callable[[], Weighting]] = {"Fixed": Fixed, "Influence": Influence, "PAMA": PAMA}
    for _ in range(rounds):
        for name, rule in rules.items():
            with tempfile.TemporaryDirectory() as folder:
                said = {"per_device_train_batch_size": 16, "max_steps": steps}
                made = trainer(folder, rule(), [share_of_a, share_of_b, brevity], **said)
                start = time.process_time()
                made.train()
                spent[name].append((time.process_time() - start) / steps)
    return {name: min(times) for name, times in spent.items()}


def fronts(seeds: Sequence[int], steps: int, preferences: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Hypervolume above (0, 0) of sweeps over two rewards that are worth most alone, and the models' mean rewards."""
    found: dict[str, Any] = {}
    for name, rule in SWEEPS.items():
        runs = []
        for seed in seeds:
            said: dict[str, Any] = {"multi_objective_aggregation": "normalize_then_sum", "seed": seed}
            said |= {"per_device_train_batch_size": 16, "num_generations": 8, "learning_rate": 3e-3}
            said |= {"per_device_eval_batch_size": 32, "num_generations_eval": 32, "max_steps": steps}
            with tempfile.TemporaryDirectory() as folder:

                def make(preference: list[float], others: Tensor) -> MultiObjectiveGRPOTrainer:
                    return trainer(folder, rule(preference, others), [many_a, many_b], **said)  # noqa: B023

                front, swept = train_sweep(make, preferences)
            volume = float(hypervolume(front.objectives, [0, 0], directions="max"))
            runs.append((volume, swept.objectives.tolist(), float(swept.extras["std"].max())))
        found[name] = {
            "median hypervolume": statistics.median(volume for volume, _, _ in runs),
            "hypervolumes": [volume for volume, _, _ in runs],
            "means": [means for _, means, _ in runs],
            "largest standard error": max(error for _, _, error in runs),
        }
    return found


def main() -> None:
    """Measure all of it."""
    lattice = [[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]]
    with one_thread():
        for name, figures in (
            ("factor", factor((0, 1, 2), 20)),
            ("cost", cost(5, 20)),
            ("fronts", fronts((0, 1), 100, lattice)),
        ):
            print(json.dumps({name: figures}), flush=True)


if __name__ == "__main__":
    main()
