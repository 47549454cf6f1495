"""TRL's `GRPOTrainer` with weights of reward functions that move: a thin subclass, and the record of the weights."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from moo.adapters.trl.parts import own_advantages
from moo.adapters.trl.weightings import Influence, Weighting
from moo.checks import unknown_name
from moo.gradients import gram_of

try:
    import trl
    from accelerate.utils import broadcast
    from transformers import TrainerCallback
    from transformers.trainer_utils import get_last_checkpoint
    from trl import GRPOTrainer
except ImportError as error:
    raise ImportError("`MultiObjectiveGRPOTrainer` needs TRL: pip install 'moo-suite[trl]'.") from error

TESTED = "1.16"  # two private methods of GRPOTrainer are overridden, and three more are called or read
if trl.__version__.split(".")[:2] != TESTED.split("."):
    raise ImportError(
        f"`MultiObjectiveGRPOTrainer` is tested with TRL {TESTED}, inside which it reaches. Found {trl.__version__}. "
        "Install that version: pip install 'moo-suite[trl]'."
    )

STATE = "reward_weighting.json"  # in the folder of a checkpoint
COLUMN = "rewards/weights/"  # before the names of reward functions in the log


class MultiObjectiveGRPOTrainer(GRPOTrainer):  # type: ignore[misc]
    """`GRPOTrainer` whose reward functions are weighed by a `Weighting`, which moves after each generation batch.

    TRL computes everything but what the weighting says: `reward_weights` are set before a generation batch is drawn
    and stay for all steps on it. Rewards are gathered from all processes first, so all have the same weights. The
    weights of every generation batch are logged as `rewards/weights/NAME`, the factor as `rewards/factor`, how many
    completions a function gave no value for as `rewards/missing/NAME`. Checkpoints hold the weighting's state in
    `reward_weighting.json`, and `train(resume_from_checkpoint=...)` goes on from it.

    Args:
        args: As of `GRPOTrainer`, by position or by name.
        weighting: One of the classes of `moo.adapters.trl`. It belongs to one trainer at a time.
        kwargs: Likewise. `reward_weights` of the configuration have to be left out.

    Attributes:
        extra_backwards: Passes backward so far that only the weighting needed.

    Raises:
        TypeError: `weighting` is none.
        ValueError: `reward_weights` are said as well, two reward functions have one name, what the weighting was told
            does not fit their number, or `Influence` cannot be had: a layer is unknown, parameters are sharded,
            checkpointing is reentrant, or held-out prompts are wanted where a generation batch has but one.
    """

    def __init__(self, *args: Any, weighting: Weighting, **kwargs: Any) -> None:
        if not isinstance(weighting, Weighting):
            raise TypeError(
                f"`weighting` should be one of moo.adapters.trl's, as in weighting=PAMA(). Found {weighting!r}."
            )
        super().__init__(*args, **kwargs)
        if self.args.reward_weights is not None:
            raise ValueError(
                "`reward_weights` should be left out: the weighting says them, as in "
                f"weighting=Fixed({list(self.args.reward_weights)})."
            )
        if len(set(self.reward_func_names)) < len(self.reward_func_names):
            raise ValueError(
                "Reward functions should have different names, by which their weights are logged. "
                f"Found {self.reward_func_names}: set `__name__`."
            )
        self.weighting = weighting
        self.extra_backwards = 0
        self._measured: list[Tensor] | None = None
        weighting.start(len(self.reward_funcs))
        self._take_over()
        if isinstance(weighting, Influence):
            self._check_influence(weighting)
        self.add_callback(_Keeper(weighting))

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs: Any) -> Any:
        """As `GRPOTrainer.train`; on resuming, weights go on from the checkpoint.

        Raises:
            FileNotFoundError: The checkpoint has no `reward_weighting.json`.
            ValueError: That is the state of another weighting, or of another number of reward functions.
        """
        folder = resume_from_checkpoint
        if folder is True:
            folder = get_last_checkpoint(self.args.output_dir)
        if folder:
            file = Path(str(folder)) / STATE
            if not file.exists():
                raise FileNotFoundError(
                    f"{str(file)!r} should exist: the checkpoint was saved by another trainer, or saving it was cut "
                    "short. Resume from an earlier one."
                )
            self.weighting.load_state_dict(json.loads(file.read_text()))
            self._take_over()
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def measure(self, eval_dataset: Any = None) -> tuple[Tensor, Tensor]:
        """Mean rewards `[n]` of the model on a dataset and their standard errors `[n]`, by an evaluation.

        Each prompt's mean counts once, and standard errors are those of the mean over prompts.

        Args:
            eval_dataset: As of `evaluate`: None for the trainer's own.

        Raises:
            ValueError: It has one prompt alone.
        """
        self._measured = []
        try:
            self.evaluate(eval_dataset)
            rewards = torch.cat(self._measured)
        finally:
            self._measured = None
        prompts = rewards.reshape(-1, self.num_generations_eval, rewards.shape[1]).nanmean(dim=1)
        if len(prompts) < 2:
            raise ValueError("`eval_dataset` should have at least two prompts: standard errors are those over prompts.")
        known = ~prompts.isnan()
        means, count = prompts.nanmean(dim=0), known.sum(dim=0)
        squares = torch.where(known, prompts - means, 0.0).square().sum(dim=0)
        return means, (squares / (count - 1).clamp(min=1) / count).sqrt()

    # ------------------------------------------------------------------------------------------ inside TRL
    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> Tensor:
        """TRL's rewards of all processes, `[b, n]`, kept for the weighting."""
        found: Tensor = super()._calculate_rewards(*args, **kwargs)
        self._rewards = found.detach().to("cpu", torch.float64)
        if self._measured is not None:
            self._measured.append(self._rewards)
        return found

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        """TRL's generation batch, with the weighting's advantages; then the weights move."""
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        if not self.model.training:
            return output
        own = self.weighting.advantages(self._rewards, self.num_generations)
        if own is not None:
            output["advantages"] = own[self._own_rows(len(inputs))].to(output["advantages"])
            self._logs["advantages"].extend(own.tolist())  # as long as a batch: TRL's go
        if self.weighting.factor != 1:
            output["advantages"] = output["advantages"] * self.weighting.factor
        self._note()
        if isinstance(self.weighting, Influence):
            self.weighting.see_gram(self._objective_gram(self.weighting, output))
        self.weighting.see(self._rewards)
        self._take_over()
        return output

    def _own_rows(self, count: int) -> slice:
        """The rows of what is gathered that are of this process."""
        first = self.accelerator.process_index * count
        return slice(first, first + count)

    def _take_over(self) -> None:
        self.reward_weights = self.weighting.weights.to(torch.float32)

    def _note(self) -> None:
        """Log what weighed this generation batch, beside TRL's own figures."""
        metrics = self._metrics["train"]
        for i, name in enumerate(self.reward_func_names):
            metrics[f"{COLUMN}{name}"].append(float(self.weighting.weights[i]))
            metrics[f"rewards/missing/{name}"].append(float(self._rewards[:, i].isnan().sum()))
        metrics["rewards/factor"].append(self.weighting.factor)

    # ------------------------------------------------------------------------------------------ influence
    def _check_influence(self, weighting: Influence) -> None:
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            raise ValueError(
                "`weighting` should need no gradients where parameters are sharded (FSDP, DeepSpeed). Found Influence. "
                "Take another one."
            )
        if (self.args.gradient_checkpointing_kwargs or {}).get("use_reentrant"):
            raise ValueError(
                "`gradient_checkpointing_kwargs` should leave out `use_reentrant`, inside which PyTorch takes no "
                f"gradients apart. Found {self.args.gradient_checkpointing_kwargs}."
            )
        if weighting.held_out and self.args.generation_batch_size < 2 * self.num_generations:
            raise ValueError(
                "`held_out` needs at least two prompts in a generation batch: raise `generation_batch_size` to "
                f"{2 * self.num_generations} or more. Found {self.args.generation_batch_size}."
            )
        self._parameters(weighting)

    def _parameters(self, weighting: Influence) -> list[Tensor]:
        """The parameters by which gradients are taken."""
        trained = {name: one for name, one in self.model.named_parameters() if one.requires_grad}
        chosen: dict[str, Tensor] = trained if weighting.layers is None else {}
        for layer in weighting.layers or ():
            members = {name: one for name, one in trained.items() if name == layer or name.startswith(f"{layer}.")}
            if not members:
                raise ValueError(unknown_name("layer", layer, trained))
            chosen.update(members)
        return list(chosen.values())

    def _objective_gram(self, weighting: Influence, output: Mapping[str, Any]) -> Tensor:
        """Inner products `[n, n]` of the rewards' policy gradients on a generation batch, over all processes.

        The gradient of reward i is that of `sum of advantage times log-chance of each token / number of tokens`, with
        advantages by reward i alone: what `loss_type="dapo"` raises where nothing is clipped.
        """
        if "num_images" in output:
            raise ValueError("`weighting` should need no gradients where prompts hold images. Take another one.")
        own = self._own_rows(len(output["completion_ids"]))
        each = own_advantages(self._rewards, self.num_generations)[own].to(output["advantages"])
        prompts = torch.arange(len(self._rewards))[own] // self.num_generations
        parts = 2 if weighting.held_out else 1
        halves = [torch.nonzero(prompts % parts == part).flatten() for part in range(parts)]
        rows = torch.cat([self._gradients(weighting, output, each, half) for half in halves])
        n = each.shape[1]
        gram = gram_of(self.accelerator.reduce(rows * parts, reduction="sum"))
        crossed = gram[:n, -n:].contiguous()  # of the one half with the other, or of all with itself
        same: Tensor = broadcast(crossed)
        return same.to("cpu", torch.float64)

    def _gradients(self, weighting: Influence, output: Mapping[str, Any], each: Tensor, rows: Tensor) -> Tensor:
        """Gradients `[n, d]` of the rewards' aims on this process's `rows`, a step's batch at a time."""
        parameters = self._parameters(weighting)
        found = torch.zeros(each.shape[1], sum(one.numel() for one in parameters), device=each.device)
        for part in torch.split(rows, self.args.per_device_train_batch_size):
            with torch.random.fork_rng(self._devices()), self.compute_loss_context_manager():
                aims = list(self._aims(output, each, part.to(each.device)))
            for i, aim in enumerate(aims):
                more = torch.autograd.grad(aim, parameters, retain_graph=i + 1 < len(aims), materialize_grads=True)
                found[i] += torch.cat([one.flatten() for one in more]).to(found)
                self.extra_backwards += 1
        return found

    def _devices(self) -> list[torch.device]:
        """Where dropout draws, beside the CPU."""
        return [self.accelerator.device] if self.accelerator.device.type == "cuda" else []

    def _aims(self, output: Mapping[str, Any], each: Tensor, rows: Tensor) -> Iterator[Tensor]:
        """What a step along the gradient of each reward raises, of some completions."""
        ids = torch.cat([output["prompt_ids"], output["completion_ids"]], dim=1)[rows]
        attended = torch.cat([output["prompt_mask"], output["completion_mask"]], dim=1)[rows]
        kept = output["completion_mask"] * output.get("tool_mask", 1)
        chances, _, _ = self._get_per_token_logps_and_entropies(
            self.model, ids, attended, output["completion_ids"].shape[1]
        )
        per_row = (chances * kept[rows]).sum(dim=1) / output["num_items_in_batch"].clamp(min=1)
        for i in range(each.shape[1]):
            yield (per_row * each[rows, i]).sum()


class _Keeper(TrainerCallback):  # type: ignore[misc]
    """Writes the weighting's state into each checkpoint, under a temporary name first."""

    def __init__(self, weighting: Weighting) -> None:
        self._weighting = weighting

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        if state.is_world_process_zero:
            file = Path(args.output_dir) / f"checkpoint-{state.global_step}" / STATE
            unfinished = file.with_suffix(".tmp")
            unfinished.write_text(json.dumps(self._weighting.state_dict(), indent=1, allow_nan=False))
            unfinished.replace(file)


def weights_history(log: Sequence[Mapping[str, Any]] | str | os.PathLike[str]) -> pd.DataFrame:
    """The weights that were in force, a row per logged step: `step`, `factor`, then the functions by name.

    Args:
        log: `trainer.state.log_history`, or the folder of a checkpoint. With `logging_steps` above 1 a row is the mean
            over the generation batches since the one before.

    Raises:
        FileNotFoundError: The folder has no `trainer_state.json`.
        ValueError: The log holds no weights.
    """
    entries: Any = log
    if isinstance(log, str | os.PathLike):
        entries = json.loads((Path(log) / "trainer_state.json").read_text())["log_history"]
    rows = [
        {
            "step": entry["step"],
            "factor": entry["rewards/factor"],
            **{key.removeprefix(COLUMN): entry[key] for key in sorted(entry) if key.startswith(COLUMN)},
        }
        for entry in entries
        if "rewards/factor" in entry
    ]
    if not rows:
        raise ValueError(
            "`log` should hold weights: that of a MultiObjectiveGRPOTrainer which has trained. Found none."
        )
    return pd.DataFrame(rows)
