"""Causal language models of the transformers library as policies: whole copies of a model, or LoRA adapters of one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from moo.seeding import child_seed, quiet_fork

BLANK = -1  # in a context: nothing stands there yet

Weights = Mapping[str, Tensor]


def load(what: str, name: str, kind: str) -> tuple[Any, Any]:
    """The tokenizer and the model called `name`, in float32.

    Args:
        what: The argument that `name` was given as, for messages.
        name: A path, or the id of one that the hub has.
        kind: A class of transformers, such as `"AutoModelForCausalLM"`.

    Raises:
        ImportError: transformers is missing.
        ValueError: There is no such model, or it cannot be reached.
    """
    try:
        import transformers
    except ImportError as error:
        raise ImportError(
            f"`{what}={name}` needs the transformers library. Install it: pip install 'moo-suite[text]'."
        ) from error
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
        model = getattr(transformers, kind).from_pretrained(name, dtype=torch.float32)
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"`{what}` should be the folder of a model, or the id of one that the hub has and that can be reached. "
            f"{name!r} could not be loaded: {reason} Without a network download it elsewhere and give its folder."
        ) from error
    return tokenizer, model


class HubModel:
    """A causal language model, of which policies are copies or adapters.

    Only one copy of what is not trained is in memory: policies are taken one after the other, their weights being put
    in its place. Nothing is dropped out, so that ratios of chances mean what they say.

    Args:
        name: A path, or the id of one that the hub has.
        lora: Rank of the adapters; 0: all weights are trained, and each policy is a whole copy.
        seed: Of the adapters' first weights.
        device: Where it computes.

    Attributes:
        end: The number of the mark that ends a text.
        features: Width of what value heads read: the last hidden layer.
        longest: The most tokens of prompt and completion that it reads.

    Raises:
        ImportError: transformers or peft is missing.
        ValueError: It cannot be loaded, has no mark for the end of a text, or takes no adapters.
    """

    def __init__(self, name: str, lora: int = 0, seed: int = 0, device: str | torch.device = "cpu") -> None:
        self.tokenizer, model = load("model", name, "AutoModelForCausalLM")
        if self.tokenizer.eos_token_id is None:
            raise ValueError(f"Model {name!r} should have a tokenizer with a mark for the end of a text. It has none.")
        self.name, self.lora, self.end = name, lora, int(self.tokenizer.eos_token_id)
        self.features = int(model.config.get_text_config().hidden_size)
        self.longest = int(getattr(model.config, "max_position_embeddings", None) or 10**9)
        self._takes_places = "position_ids" in inspect.signature(model.forward).parameters
        self.model = (_adapted(model, name, lora, seed) if lora else model).to(device).eval()

    # ------------------------------------------------------------------------------------------ numbers and texts
    def first(self, policies: int) -> dict[str, Tensor]:
        """The weights that are trained, of so many equal policies, by name with `/` for each dot."""
        trained = ((n, w.detach()) for n, w in self.model.named_parameters() if w.requires_grad)
        return {name.replace(".", "/"): one.expand(policies, *one.shape).clone() for name, one in trained}

    def contexts(self, prompts: Sequence[str]) -> Tensor:
        """Prompts as numbers `[k, P]`, `BLANK` before them; an empty one is the mark that begins a text."""
        begin = self.tokenizer.bos_token_id
        begin = self.end if begin is None else int(begin)
        rows = [self.tokenizer(prompt)["input_ids"] or [begin] for prompt in prompts]
        longest = max(map(len, rows))
        return torch.tensor([[BLANK] * (longest - len(row)) + row for row in rows], dtype=torch.int64)

    def text(self, numbers: Sequence[int]) -> str:
        """What the numbers stand for, without marks."""
        decoded: str = self.tokenizer.decode(list(numbers), skip_special_tokens=True)
        return decoded

    # ------------------------------------------------------------------------------------------ reading
    def read(self, weights: Weights, contexts: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The laws from which completions were drawn, in one pass for each policy.

        Args:
            weights: Of p policies.
            contexts: `[p, k, P]`, each for c / k completions that follow each other.
            actions: Completions `[p, c, T]`; nothing depends on the last column.

        Returns:
            Log-chances before each action, `[p, c, T, size]`, and the last hidden layer there, `[p, c, T, f]`.
        """
        copies, start = actions.shape[1] // contexts.shape[1], contexts.shape[2] - 1
        laws, seen = [], []
        for policy in range(len(contexts)):
            numbers = torch.cat([contexts[policy].repeat_interleave(copies, dim=0), actions[policy, :, :-1]], dim=1)
            told = self._call(weights, policy, numbers, numbers >= 0, use_cache=False, output_hidden_states=True)
            laws.append(told.logits[:, start:].float().log_softmax(dim=2))
            seen.append(told.hidden_states[-1][:, start:])
        return torch.stack(laws), torch.stack(seen)

    def begin(self, weights: Weights, contexts: Tensor, copies: int) -> tuple[Tensor, Any]:
        """Read contexts `[p, k, P]`, each for so many completions.

        Returns:
            Log-chances of the first action, `[p, k copies, size]`, and what to go on from: a cache of keys and values
            and what was read, for each policy.
        """
        numbers = contexts.repeat_interleave(copies, dim=1)
        return self._on(weights, [(None, rows >= 0) for rows in numbers], numbers)

    def advance(self, weights: Weights, memory: Any, actions: Tensor) -> tuple[Tensor, Any]:
        """Read one action each, `[p, c]`. Returns log-chances of the next, and what to go on from."""
        grown = [(cache, torch.cat([real, real.new_ones(len(real), 1)], dim=1)) for cache, real in memory]
        return self._on(weights, grown, actions[..., None])

    def _on(self, weights: Weights, memory: list[Any], numbers: Tensor) -> tuple[Tensor, Any]:
        """Log-chances behind the numbers `[p, c, S]`, and the memory after them."""
        laws, after = [], []
        for policy, (cache, real) in enumerate(memory):
            told = self._call(weights, policy, numbers[policy], real, use_cache=True, past_key_values=cache)
            laws.append(told.logits[:, -1].float().log_softmax(dim=1))
            after.append((told.past_key_values, real))
        return torch.stack(laws), after

    def _call(self, weights: Weights, policy: int, numbers: Tensor, real: Tensor, **how: Any) -> Any:
        """The model with a policy's weights, on numbers `[n, S]`; `real [n, all]` says what of all so far is one."""
        own = {name.replace("/", "."): part[policy] for name, part in weights.items()}
        if self._takes_places:
            places = (real.long().cumsum(dim=1) - 1).clamp(min=0)
            how["position_ids"] = places[:, -numbers.shape[1] :]
        given = {"input_ids": numbers.clamp(min=0), "attention_mask": real.long(), "return_dict": True, **how}
        return functional_call(self.model, own, (), given)

    # ------------------------------------------------------------------------------------------ disk
    def save(self, weights: Weights, folder: str | Path) -> None:
        """Write a policy, whose weights have no dimension of policies, as transformers and peft read it."""
        before = {name: part[0] for name, part in self.first(1).items()}
        try:
            self._put(weights)
            self.model.save_pretrained(folder)
        finally:
            self._put(before)
        self.tokenizer.save_pretrained(folder)

    @torch.no_grad()
    def _put(self, weights: Weights) -> None:
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(weights[name.replace(".", "/")])


def _adapted(model: Any, name: str, rank: int, seed: int) -> Any:
    """The model with adapters of this rank where peft's defaults put them, the only weights that are trained."""
    try:
        import peft
    except ImportError as error:
        raise ImportError("Option `lora` needs peft. Install it: pip install 'moo-suite[text]'.") from error
    how = peft.LoraConfig(task_type="CAUSAL_LM", r=rank, lora_alpha=2 * rank)
    try:
        with quiet_fork(child_seed(seed, "adapters")):
            return peft.get_peft_model(model, how)
    except ValueError as error:
        raise ValueError(f"peft does not know where {name!r} takes adapters: {error} Leave `lora` at 0.") from error
