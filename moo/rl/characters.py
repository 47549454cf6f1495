"""A character language model as stacked policies: LSTM layers, and attention over a window of what they have read.

The architecture is that of the textgenrnn package (Woolf 2017), whose weights `moo.text.fetch` makes readable; a
smaller one with random first weights serves where there is nothing to begin from. Every weight has the policies as its
first dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

WINDOW = 40  # places that attention reaches, and that a prompt is cut to
BLOCK = 10  # characters after which the layers begin anew with the last `WINDOW` ones
BLANK = 0  # what stands before the beginning, and for unknown characters; never written
NEVER = -1e9  # log-chance of what is never written
PRINTABLE = tuple(map(chr, range(32, 127)))

Weights = Mapping[str, Tensor]


class Alphabet:
    """Characters as numbers from 1 on; the next number is the mark that begins and ends a text.

    Args:
        characters: In the order of their numbers.

    Attributes:
        end: The number of the mark.
        size: How many numbers there are, `BLANK` included.
    """

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = tuple(characters)
        self.end, self.size = len(self.characters) + 1, len(self.characters) + 2
        self._numbers = {character: i + 1 for i, character in enumerate(self.characters)}

    def contexts(self, prompts: Sequence[str]) -> Tensor:
        """The mark and the prompt's characters, the last `WINDOW` of these numbers, `[n, WINDOW]`, blanks first."""
        rows = [[self.end, *self._numbered(prompt)][-WINDOW:] for prompt in prompts]
        return torch.tensor([[BLANK] * (WINDOW - len(row)) + row for row in rows], dtype=torch.int64)

    def actions(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """What would have written the texts, their ends included, `[n, T]`, and which of it counts, bool `[n, T]`."""
        rows = [[*self._numbered(text), self.end] for text in texts]
        longest = max(map(len, rows), default=0)
        lengths = torch.tensor([len(row) for row in rows])
        filled = [row + [self.end] * (longest - len(row)) for row in rows]
        return torch.tensor(filled, dtype=torch.int64), torch.arange(longest) < lengths[:, None]

    def text(self, numbers: Sequence[int]) -> str:
        """The characters of these numbers, without marks and blanks."""
        return "".join(self.characters[number - 1] for number in numbers if number not in (BLANK, self.end))

    def _numbered(self, text: str) -> list[int]:
        return [self._numbers.get(character, BLANK) for character in text]


class Places(NamedTuple):
    """What the layers make of numbers `[p, n, S]`, begun from nothing.

    Attributes:
        features: Of each place, `[p, n, S, f]`.
        scores: What attention gives each place, before it is normalised, `[p, n, S]`.
        hidden, cell: Of each layer after the last place, `[p, n, u]`.
    """

    features: Tensor
    scores: Tensor
    hidden: tuple[Tensor, ...]
    cell: tuple[Tensor, ...]


class Memory(NamedTuple):
    """What writing goes on from: all numbers so far `[p, c, WINDOW + t]`, and the places of the block under way."""

    numbers: Tensor
    places: Places


def random_weights(policies: int, size: int, hidden: int, layers: int, stream: torch.Generator) -> dict[str, Tensor]:
    """First weights of so many equal policies: `size` numbers, embedded in `hidden` columns, and `layers` layers.

    Uniform with variance 1 over the number of inputs (1/3 for embeddings and the output, so that at first all numbers
    are about equally likely); offsets 0.
    """
    features = hidden * (layers + 1)
    shapes = {"embedding": (size, hidden), "attention": (features, 1), "output": (features, size)}
    for layer in range(layers):
        shapes |= {f"kernel{layer}": (hidden, 4 * hidden), f"recurrent{layer}": (hidden, 4 * hidden)}
    bounds = {name: (3 / shape[0]) ** 0.5 for name, shape in shapes.items()} | {"embedding": 1.0}
    bounds["output"] = features**-0.5
    made = {name: (2 * torch.rand(shape, generator=stream) - 1) * bounds[name] for name, shape in shapes.items()}
    made |= {f"bias{layer}": torch.zeros(1, 4 * hidden) for layer in range(layers)} | {"offset": torch.zeros(1, size)}
    return {name: one.expand(policies, *one.shape).clone() for name, one in made.items()}


# --------------------------------------------------------------------------------------------------- reading
def read(weights: Weights, contexts: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """The laws from which completions were drawn, in one pass over all blocks at once.

    Args:
        weights: Of p policies.
        contexts: `[p, k, WINDOW]`, each for c / k completions that follow each other.
        actions: Completions `[p, c, T]`; nothing depends on the last column.

    Returns:
        Log-chances before each action, `[p, c, T, size]`, and the features they rest on, `[p, c, T, f]`.
    """
    p, c, length = actions.shape
    k, blocks = contexts.shape[1], -(-length // BLOCK)
    beyond = torch.nn.functional.pad(actions, (0, blocks * BLOCK - length))
    numbers = torch.cat([contexts.repeat_interleave(c // k, dim=1), beyond], dim=2)
    rows = numbers.unfold(2, WINDOW + BLOCK, BLOCK).transpose(1, 2)  # [p, blocks, c, WINDOW + BLOCK]
    leads = _begun(weights, torch.cat([contexts, rows[:, 1:, :, :WINDOW].flatten(1, 2)], dim=1))
    leads = _each(leads, lambda part: torch.cat([part[:, :k].repeat_interleave(c // k, dim=1), part[:, k:]], dim=1))
    places = _further(weights, leads, rows[..., WINDOW:-1].flatten(1, 2))
    place, first = torch.arange(WINDOW + BLOCK - 1), torch.arange(BLOCK)[:, None]
    reached = ((place >= first) & (place < first + WINDOW)).to(actions.device)
    heed = places.scores[:, :, None].masked_fill(~reached, -torch.inf).softmax(dim=3)
    seen = (heed.flatten(0, 1) @ places.features.flatten(0, 1)).reshape(p, blocks, c, BLOCK, -1)
    seen = seen.transpose(1, 2).flatten(2, 3)[:, :, :length]
    return _laws(weights, seen), seen


def begin(weights: Weights, contexts: Tensor, copies: int) -> tuple[Tensor, Memory]:
    """Read contexts `[p, k, WINDOW]`, each for so many completions.

    Returns:
        Log-chances of the first action, `[p, k copies, size]`, and what to go on from.
    """
    places = _each(_begun(weights, contexts), lambda part: part.repeat_interleave(copies, dim=1))
    return _last_law(weights, places), Memory(contexts.repeat_interleave(copies, dim=1), places)


def advance(weights: Weights, memory: Memory, actions: Tensor) -> tuple[Tensor, Memory]:
    """Read one action each, `[p, c]`. Returns log-chances of the next, `[p, c, size]`, and what to go on from."""
    numbers = torch.cat([memory.numbers, actions[..., None]], dim=2)
    if (numbers.shape[2] - WINDOW) % BLOCK:
        places = _further(weights, memory.places, actions[..., None])
    else:
        places = _begun(weights, numbers[..., -WINDOW:])
    return _last_law(weights, places), Memory(numbers, places)


def _each(places: Places, change: Callable[[Tensor], Tensor]) -> Places:
    """Every tensor of places, changed."""
    states = (tuple(map(change, places.hidden)), tuple(map(change, places.cell)))
    return Places(change(places.features), change(places.scores), *states)


def _begun(weights: Weights, numbers: Tensor) -> Places:
    """The layers begin with numbers `[p, n, S]`."""
    p, n, _ = numbers.shape
    layers = sum(name.startswith("kernel") for name in weights)
    units = [weights[f"recurrent{layer}"].shape[1] for layer in range(layers)]
    empty = weights["embedding"].new_zeros
    states = tuple(empty(p, n, unit) for unit in units)
    none = Places(empty(p, n, 0, weights["attention"].shape[1]), empty(p, n, 0), states, states)
    return _further(weights, none, numbers)


def _further(weights: Weights, places: Places, numbers: Tensor) -> Places:
    """The layers go on with numbers `[p, n, S]`."""
    p, n, length = numbers.shape
    policy = torch.arange(p, device=numbers.device)[:, None]
    column = weights["embedding"][policy, numbers.flatten(1)].reshape(p, n, length, -1)
    columns, hidden, cell = [column], [], []
    for layer, state in enumerate(zip(places.hidden, places.cell, strict=True)):
        column, *after = _layer(weights, layer, column, *state)
        columns.append(column)
        hidden.append(after[0])
        cell.append(after[1])
    features = torch.cat(columns, dim=3)
    scores = (features.flatten(1, 2) @ weights["attention"]).reshape(p, n, length)
    joined = torch.cat([places.features, features], dim=2), torch.cat([places.scores, scores], dim=2)
    return Places(*joined, tuple(hidden), tuple(cell))


def _layer(weights: Weights, layer: int, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """An LSTM layer's outputs `[p, n, S, u]` of inputs `[p, n, S, i]`, and its state after them.

    Source: Hochreiter and Schmidhuber 1997 (Neural Computation 9), with forget gates. Gates stand as input, forget,
    content, output.
    """
    p, n, length, _ = inputs.shape
    kernel, recurrent, bias = (weights[f"{kind}{layer}"] for kind in ("kernel", "recurrent", "bias"))
    given = torch.baddbmm(bias, inputs.flatten(1, 2), kernel).reshape(p, n, length, -1)
    outputs = []
    for step in given.unbind(2):
        let_in, keep, content, show = torch.baddbmm(step, hidden, recurrent).chunk(4, dim=2)
        cell = keep.sigmoid() * cell + let_in.sigmoid() * content.tanh()
        hidden = show.sigmoid() * cell.tanh()
        outputs.append(hidden)
    return torch.stack(outputs, dim=2), hidden, cell


def _last_law(weights: Weights, places: Places) -> Tensor:
    """Log-chances `[p, n, size]` from the last `WINDOW` places."""
    heed = places.scores[:, :, None, -WINDOW:].softmax(dim=3)
    return _laws(weights, heed @ places.features[:, :, -WINDOW:]).squeeze(2)


def _laws(weights: Weights, seen: Tensor) -> Tensor:
    """Log-chances `[p, n, T, size]` from features `[p, n, T, f]`; the blank is never written."""
    p, n, length, _ = seen.shape
    logits = torch.baddbmm(weights["offset"], seen.flatten(1, 2), weights["output"])
    never = torch.arange(logits.shape[2], device=logits.device) == BLANK
    return logits.masked_fill(never, NEVER).log_softmax(dim=2).reshape(p, n, length, -1)
