"""Language models as policies, by name: what the option `model` stands for."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor

from moo.rl import characters
from moo.rl.characters import PRINTABLE, Alphabet, random_weights
from moo.rl.hub import HubModel
from moo.seeding import torch_generator

OURS = ("textgenrnn", "characters")

Weights = Mapping[str, Tensor]


class LanguageModel(Protocol):
    """What writes texts: an architecture, whose weights `[p, ...]` are handed in.

    Attributes:
        end: The number that ends a text.
        features: Width of what value heads read.
        longest: The most tokens of prompt and completion that it reads.
    """

    end: int
    features: int
    longest: int

    def first(self, policies: int) -> dict[str, Tensor]:
        """The weights that are trained, of so many equal policies."""
        ...

    def contexts(self, prompts: Sequence[str]) -> Tensor:
        """Prompts as numbers `[k, P]`."""
        ...

    def text(self, numbers: Sequence[int]) -> str:
        """What the numbers stand for, without marks."""
        ...

    def read(self, weights: Weights, contexts: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Log-chances `[p, c, T, size]` and features `[p, c, T, f]` before each action, in one pass."""
        ...

    def begin(self, weights: Weights, contexts: Tensor, copies: int) -> tuple[Tensor, Any]:
        """Log-chances `[p, k copies, size]` of the first action after contexts `[p, k, P]`, and a memory."""
        ...

    def advance(self, weights: Weights, memory: Any, actions: Tensor) -> tuple[Tensor, Any]:
        """Log-chances `[p, c, size]` of the next action after `actions [p, c]`, and a memory."""
        ...

    def save(self, weights: Weights, folder: str | Path) -> None:
        """Write one policy, whose weights have no dimension of policies."""
        ...


class CharacterModel:
    """A character language model (`moo/rl/characters.py`).

    Args:
        alphabet: Its characters.
        weights: Of one policy, `[1, ...]`, at first.
    """

    longest = sys.maxsize

    def __init__(self, alphabet: Alphabet, weights: Weights) -> None:
        self.alphabet, self._first, self.end = alphabet, weights, alphabet.end
        self.features = weights["attention"].shape[1]
        self.contexts, self.text = alphabet.contexts, alphabet.text
        self.read, self.begin, self.advance = characters.read, characters.begin, characters.advance

    def first(self, policies: int) -> dict[str, Tensor]:
        """Its weights, so many times."""
        return {name: part.expand(policies, *part.shape[1:]).clone() for name, part in self._first.items()}

    def save(self, weights: Weights, folder: str | Path) -> None:
        """Write `weights.safetensors` and `characters.json`, as the cache of `moo.text.fetch` has them."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "characters.json").write_text(json.dumps(self.alphabet.characters), encoding="utf-8")
        save_file({name: part.contiguous() for name, part in weights.items()}, folder / "weights.safetensors")


def load_model(
    name: str, *, lora: int = 0, hidden: int = 64, layers: int = 2, seed: int = 0, device: str | torch.device = "cpu"
) -> LanguageModel:
    """The language model that a name stands for.

    Args:
        name: `"textgenrnn"`, the pre-trained character model that `python -m moo.text.fetch` fetches; `"characters"`, a
            small one of printable characters with random weights; else the folder of a model of the transformers
            library, or the id of one that the hub has.
        lora: Rank of adapters of the latter; 0: all weights are trained.
        hidden, layers: Of `"characters"`, at least 1 each.
        seed: Of weights that are random at first.
        device: Where it computes.

    Raises:
        FileNotFoundError: It was not fetched; the message says how.
        ImportError: transformers or peft is missing.
        ValueError: It cannot be loaded, or it is a character model and takes no adapters.
    """
    if name not in OURS:
        return HubModel(name, lora, seed, device)
    if lora:
        raise ValueError(
            f"Option `lora` is for models of the transformers library. Found {lora} with {name!r}: leave it."
        )
    if name == "textgenrnn":
        from moo.text.named import pretrained

        alphabet, weights = pretrained()
    else:
        alphabet = Alphabet(PRINTABLE)
        stream = torch_generator(seed, "characters")
        weights = random_weights(1, alphabet.size, hidden, max(layers, 1), stream)
    return CharacterModel(alphabet, {key: part.to(device) for key, part in weights.items()})
