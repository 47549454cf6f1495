"""N-grams: strings in which given short strings should occur often.

Source: Jain et al. 2023, "Multi-objective GFlowNets", ICML (2210.12765), after Stanton et al. 2022, "Accelerating
Bayesian optimization for biological sequence design with denoising autoencoders", ICML (2203.12742).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from moo.base import ConstructionProblem
from moo.checks import check_count, check_number
from moo.dominance import non_dominated
from moo.gflow.oracle import ConditionalOracle

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
MOST_NODES = 2_000_000  # of the dynamic program behind the oracle: two seconds


class NGrams(ConstructionProblem):
    """A string written letter by letter: how often each n-gram occurs in it, overlaps included, is maximised.

    Action a appends letter a of the alphabet, the last action stops, which is legal from `min_length` letters on. At
    `length` letters the string ends by itself. So each string is reached by one trajectory. Objective i is the number
    of places at which n-gram i stands, divided by `scale`.

    A state is int64 `[n, length + 2 + m]`. Its first `length` columns are the letters, -1 where there is none yet; a
    string that was stopped has `len(alphabet)` after its last letter. The others, `features`, follow from them:

    - the number of letters, or `length` once the string is finished;
    - which is the longest end of the string that begins an n-gram without being all of it: all that matters to what
      comes; the last number stands for a finished string;
    - how often each n-gram occurs.

    They are kept because a sampler asks for them at every step. `evaluate` counts anew from the letters.

    `oracle` holds the exact law, however many strings there are: they are counted by their counts of n-grams, letter by
    letter. A cell is a vector of counts. It is None where that takes more than 2,000,000 nodes.

    Args:
        ngrams: At least two different strings of the alphabet's letters; as one text, joined by "+".
        length: The most letters, at least as many as in the longest n-gram.
        min_length: The fewest letters; None: `length - 3`, 33 for 36 as published.
        alphabet: Different letters; by default those of the 20 amino acids.
        scale: What counts are divided by; None: for each n-gram the most that `length` letters can hold, so that every
            objective reaches 1. That is the published 18 for bigrams of two letters at length 36, and for single
            letters at length 18.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of its range, or an n-gram stands twice or has a letter outside the alphabet.
    """

    name = "ngrams"
    unit_objectives = True

    def __init__(
        self,
        ngrams: str | Sequence[str] = ("AV", "VC"),
        length: int = 36,
        min_length: int | None = None,
        alphabet: str = AMINO_ACIDS,
        scale: float | None = None,
    ) -> None:
        self.alphabet = _check_alphabet(alphabet)
        self.ngrams = _check_ngrams(ngrams, self.alphabet)
        self.length = check_count("length", length, low=max(map(len, self.ngrams)))
        known = max(self.length - 3, 0) if min_length is None else min_length
        self.min_length = check_count("min_length", known, low=0, high=self.length)
        m = self.num_objectives = len(self.ngrams)
        self.directions = ("max",) * m
        self.objective_names = self.ngrams
        self.reference_point = torch.zeros(m, dtype=torch.float64)
        self.stop = len(self.alphabet)
        self.num_actions, self.max_steps = self.stop + 1, self.length
        most = [_most(ngram, self.length) for ngram in self.ngrams]
        fixed = None if scale is None else check_number("scale", scale, "what counts are divided by")
        self.scale = torch.tensor([fixed or count for count in most], dtype=torch.float64)
        self._codes = [[self.alphabet.index(letter) for letter in ngram] for ngram in self.ngrams]
        self._moves, self._gains = _automaton(self.ngrams, self.alphabet)
        self._ended = len(self._moves) - 1
        self.feature_sizes = (self.length + 1, self._ended + 1, *(count + 1 for count in most))
        self._tables: dict[torch.device, tuple[Tensor, Tensor]] = {}

    # ------------------------------------------------------------------------------------------ moves
    def start(self, n: int) -> Tensor:
        state = torch.full((n, self.length + 2 + self.num_objectives), -1, dtype=torch.int64)
        state[:, self.length :] = 0
        return state

    def step(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The next states and which are finished; finished states stay as they are."""
        steps, _ = self._on(state.device)
        place, context = state[:, self.length], state[:, self.length + 1]
        row = ((place >= self.length - 1) * len(self._moves) + context) * self.num_actions + actions
        gained = steps[row]
        moved = state.scatter(1, place[:, None], actions[:, None])  # of a finished row: into the column set next
        ended = gained[:, 0] == self._ended
        moved[:, self.length] = torch.where(ended, self.length, place + 1)
        moved[:, self.length + 1] = gained[:, 0]
        moved[:, self.length + 2 :] += gained[:, 1:]
        return moved, ended

    def undo(self, state: Tensor, actions: Tensor) -> Tensor:  # noqa: ARG002
        letters = state[:, : self.length]
        return self._completed(letters.scatter(1, self._last(letters)[:, None], -1))

    def action_mask(self, state: Tensor) -> Tensor:
        """Letters until the string is finished, stopping from `min_length` on, bool `[n, num_actions]`."""
        return self._on(state.device)[1][state[:, self.length]]

    def backward_mask(self, state: Tensor) -> Tensor:
        """The last letter or the stop, bool `[n, num_actions]`; none at the start."""
        letters = state[:, : self.length]
        last = letters.gather(1, self._last(letters)[:, None])  # -1 at the start
        return last == torch.arange(self.num_actions, device=state.device)

    def features(self, state: Tensor) -> Tensor:
        """Number of letters, what may become an n-gram, counts: whole numbers `[n, 2 + m]`."""
        return state[:, self.length :]

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Per device: context and counts gained, by (last place or not, context, action); legal actions, by place."""
        if device not in self._tables:
            moves = torch.stack([self._moves, torch.full_like(self._moves, self._ended)])
            steps = torch.cat([moves[..., None], self._gains.expand(2, -1, -1, -1)], dim=3)
            masks = torch.ones(self.length + 1, self.num_actions, dtype=torch.bool)
            masks[: self.min_length, self.stop] = False
            masks[self.length] = False
            self._tables[device] = steps.flatten(0, 2).to(device), masks.to(device)
        return self._tables[device]

    @staticmethod
    def _last(letters: Tensor) -> Tensor:
        """The column that was filled last, `[n]`; 0 at the start."""
        return ((letters >= 0).sum(dim=1) - 1).clamp(min=0)

    def _completed(self, letters: Tensor) -> Tensor:
        """The states of letters `[n, length]`, with what follows from them."""
        filled = (letters >= 0).sum(dim=1)
        moves, context = self._moves.to(letters.device), torch.zeros_like(filled)
        for back in range(max(map(len, self.ngrams)) - 1, 0, -1):  # no earlier letter matters
            letter = letters.gather(1, (filled - back).clamp(min=0)[:, None]).squeeze(1)
            context = torch.where(filled >= back, moves[context, letter.clamp(min=0)], context)
        ended = (filled == self.length) | (letters == self.stop).any(dim=1)
        place = torch.where(ended, self.length, filled)
        context = torch.where(ended, self._ended, context)
        return torch.cat([letters, place[:, None], context[:, None], self._counts(letters)], dim=1)

    # ------------------------------------------------------------------------------------------ values
    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        """Objectives float64 `[n, m]` of finished states.

        Raises:
            ValueError: The shape is another, or a state is not finished.
        """
        return self._counts(self._finished(solutions)) / self.scale.to(solutions.device)

    def potential(self, state: Tensor) -> Tensor:
        """Counts so far over `scale`, float64 `[n, m]`: what an unfinished string is worth already."""
        return state[:, self.length + 2 :] / self.scale.to(state.device)

    def encode(self, strings: Sequence[str]) -> Tensor:
        """The finished states `[n, length + 2 + m]` of strings.

        Raises:
            ValueError: A string is too short or too long, or has a letter outside the alphabet.
        """
        rows = []
        for number, string in enumerate(strings):
            if not self.min_length <= len(string) <= self.length or not set(string) <= set(self.alphabet):
                raise ValueError(
                    f"`strings` should have {self.min_length} to {self.length} letters, all of {self.alphabet!r}. "
                    f"String {number} is {string!r}, {len(string)} letters."
                )
            row = [self.alphabet.index(letter) for letter in string] + [self.stop]
            rows.append((row + [-1] * self.length)[: self.length])
        return self._completed(torch.tensor(rows, dtype=torch.int64).reshape(-1, self.length))

    def decode(self, solutions: Tensor) -> list[str]:
        marks = [*self.alphabet, "", ""]  # the stop; nothing yet, as -1
        return ["".join(marks[letter] for letter in row) for row in solutions[:, : self.length].tolist()]

    def _finished(self, solutions: Tensor) -> Tensor:
        """The letters `[n, length]` of finished states."""
        width = self.length + 2 + self.num_objectives
        if solutions.ndim != 2 or solutions.shape[1] != width:
            raise ValueError(f"`solutions` should have shape [n, {width}]. Found {list(solutions.shape)}.")
        unfinished = solutions[:, self.length + 1] != self._ended
        if unfinished.any():
            row = int(torch.nonzero(unfinished)[0])
            string = self.decode(solutions[row : row + 1])[0]
            raise ValueError(f"`solutions` should be finished strings. Row {row} is not: {string!r}.")
        return solutions[:, : self.length]

    def _counts(self, letters: Tensor) -> Tensor:
        """How often each n-gram stands in letters `[n, length]`: int64 `[n, m]`."""
        found = []
        for codes in self._codes:
            places = self.length - len(codes) + 1
            here = letters[:, :places] == codes[0]
            for shift, code in enumerate(codes[1:], start=1):
                here = here & (letters[:, shift : shift + places] == code)
            found.append(here.sum(dim=1))
        return torch.stack(found, dim=1)

    @cached_property
    def oracle(self) -> ConditionalOracle | None:  # type: ignore[override]
        """The exact law over vectors of counts, where it can be computed."""
        counted = _Strings.counted(self)
        if counted is None:
            return None
        objectives = counted.counts / self.scale
        front = objectives[non_dominated(objectives)]
        return ConditionalOracle(front, objectives, counted.logs, counted.index, counted.draw)

    @property
    def reference_front(self) -> Tensor | None:  # type: ignore[override]
        """The exact front where it is known."""
        return None if self.oracle is None else self.oracle.front


# --------------------------------------------------------------------------------------------------- arguments
def _check_alphabet(alphabet: Any) -> str:
    if not isinstance(alphabet, str):
        raise TypeError(f"`alphabet` should be a text of letters, such as {AMINO_ACIDS!r}. Found {alphabet!r}.")
    if len(alphabet) < 2 or len(set(alphabet)) < len(alphabet):
        raise ValueError(f"`alphabet` should be at least two different letters. Found {alphabet!r}.")
    return alphabet


def _check_ngrams(ngrams: Any, alphabet: str) -> tuple[str, ...]:
    given = tuple(ngrams.split("+") if isinstance(ngrams, str) else ngrams if hasattr(ngrams, "__iter__") else [ngrams])
    for ngram in given:
        if not isinstance(ngram, str):
            raise TypeError(f"`ngrams` should be strings, such as ['AV', 'VC']. Found {ngram!r}.")
        alien = [letter for letter in ngram if letter not in alphabet]
        if alien or not ngram:
            fault = f"{alien[0]!r} of {ngram!r} is none of them" if alien else "one is empty"
            raise ValueError(f"`ngrams` should be made of the letters of `alphabet`, {alphabet!r}. Here {fault}.")
    if len(given) < 2 or len(set(given)) < len(given):
        raise ValueError(f"`ngrams` should be at least two different strings. Found {', '.join(given) or 'none'}.")
    return given


def _most(ngram: str, length: int) -> int:
    """How often an n-gram can stand in a string: as often as it fits, each time moved by its shortest period."""
    n = len(ngram)
    period = next(shift for shift in range(1, n + 1) if ngram.startswith(ngram[shift:]))
    return (length - n) // period + 1


def _automaton(ngrams: Sequence[str], alphabet: str) -> tuple[Tensor, Tensor]:
    """What each action does to the longest end of a string that begins an n-gram without being all of it.

    Source: Aho and Corasick 1975, "Efficient string matching", CACM 18(6).

    Returns:
        The next such end, int64 `[c + 1, a + 1]`, and which n-grams are completed, `[c + 1, a + 1, m]`. The last action
        stops; number c stands for a finished string, which stays as it is.
    """
    ends = sorted({ngram[:k] for ngram in ngrams for k in range(len(ngram))}, key=lambda end: (len(end), end))
    moves = torch.full((len(ends) + 1, len(alphabet) + 1), len(ends))
    gains = torch.zeros(*moves.shape, len(ngrams), dtype=torch.int64)
    for c, end in enumerate(ends):
        for a, letter in enumerate(alphabet):
            string = end + letter
            moves[c, a] = next(ends.index(string[k:]) for k in range(len(string) + 1) if string[k:] in ends)
            gains[c, a] = torch.tensor([string.endswith(ngram) for ngram in ngrams])
    return moves, gains


# --------------------------------------------------------------------------------------------------- oracle
class _Arrivals(NamedTuple):
    """The ways that lead to each of some nodes, sorted by it, to draw one in proportion to its weight."""

    ways: Tensor  # their numbers
    upper: Tensor  # node + share of the ways to it so far
    first: Tensor  # of each node, and the end of the last

    @classmethod
    def at(cls, nodes: np.ndarray, logs: np.ndarray, count: int) -> tuple[_Arrivals, np.ndarray]:
        """Of ways to `nodes [w]` with logarithms of weights `[w]`; also the logarithm of each node's whole weight."""
        ways = nodes.argsort(kind="stable")
        nodes, logs = nodes[ways], logs[ways]
        first = np.searchsorted(nodes, np.arange(count + 1))
        whole = np.logaddexp.reduceat(logs, first[:-1])
        shares = np.exp(logs - whole[nodes])
        before = np.concatenate([[0.0], shares.cumsum()])
        upper = nodes + before[1:] - before[first[:-1]][nodes]
        return cls(torch.from_numpy(ways), torch.from_numpy(upper), torch.from_numpy(first)), whole

    def draw(self, nodes: Tensor, generator: torch.Generator) -> Tensor:
        uniform = torch.rand(len(nodes), dtype=torch.float64, generator=generator)
        place = torch.searchsorted(self.upper, nodes + uniform, right=True)
        return self.ways[place.clamp(self.first[nodes], self.first[nodes + 1] - 1)]  # whatever was rounded


@dataclass(frozen=True, eq=False)
class _Strings:
    """All strings of a problem, counted by their vectors of counts.

    After t letters a node is (end that may become an n-gram, counts); letters that do the same everywhere are one
    class. Strings are drawn backwards: a length and a node in proportion to the strings behind it, then a way to it.
    """

    problem: NGrams
    counts: Tensor  # [cells, m]
    logs: Tensor  # [cells]
    strides: Tensor  # [m]: a vector of counts as one number
    numbers: Tensor  # of the cells, ascending
    finals: _Arrivals
    bounds: Tensor  # where the nodes of each final length begin among those of all
    layers: list[_Arrivals]
    letters: Tensor  # [classes, most]: padded
    sizes: Tensor  # [classes]

    @classmethod
    def counted(cls, problem: NGrams) -> _Strings | None:
        """Count; None where there would be too many nodes."""
        radix = problem.feature_sizes[2:]
        vectors, strides = math.prod(radix), [math.prod(radix[:i]) for i in range(len(radix))]
        if vectors * len(problem._moves) >= 2**62:
            return None
        moves = problem._moves.numpy()[:-1, :-1]
        jumps = moves * vectors + problem._gains.numpy()[:-1, :-1] @ strides
        jumps, which, sizes = np.unique(jumps, axis=1, return_inverse=True, return_counts=True)
        nodes, logs, total = np.zeros(1, dtype=np.int64), np.zeros(1), 0
        layers, ends, end_logs = [], [], []
        for t in range(problem.length + 1):
            if t >= problem.min_length:
                ends.append(nodes % vectors)
                end_logs.append(logs)
            if t == problem.length:
                break
            context, vector = np.divmod(nodes, vectors)
            reached = (jumps[context] + vector[:, None]).ravel()
            nodes, node = np.unique(reached, return_inverse=True)
            total += len(nodes)
            if total > MOST_NODES:
                return None
            arrivals, logs = _Arrivals.at(node, (logs[:, None] + np.log(sizes)).ravel(), len(nodes))
            layers.append(arrivals)
        numbers, cell = np.unique(np.concatenate(ends), return_inverse=True)
        finals, cell_logs = _Arrivals.at(cell, np.concatenate(end_logs), len(numbers))
        members = [torch.from_numpy(np.flatnonzero(which == k)) for k in range(len(sizes))]
        return cls(
            problem=problem,
            counts=torch.from_numpy(numbers)[:, None] // torch.tensor(strides) % torch.tensor(radix),
            logs=torch.from_numpy(cell_logs),
            strides=torch.tensor(strides),
            numbers=torch.from_numpy(numbers),
            finals=finals,
            bounds=torch.from_numpy(np.cumsum([0, *map(len, ends)])),
            layers=layers,
            letters=torch.nn.utils.rnn.pad_sequence(members, batch_first=True),
            sizes=torch.from_numpy(sizes),
        )

    def index(self, states: Tensor) -> Tensor:
        """The cells `[n]` of finished states, on their device."""
        counts = self.problem._counts(self.problem._finished(states))
        numbers = self.numbers.to(states.device)
        return torch.searchsorted(numbers, (counts * self.strides.to(states.device)).sum(dim=1))

    def draw(self, cells: Tensor, generator: torch.Generator) -> Tensor:
        """Finished states `[n, ...]`, uniform within the cells `[n]`."""
        problem, n = self.problem, len(cells)
        final = self.finals.draw(cells.cpu(), generator)
        layer = torch.searchsorted(self.bounds, final, right=True) - 1
        node, length = final - self.bounds[layer], problem.min_length + layer
        letters = torch.full((n, problem.length), -1, dtype=torch.int64)
        short = torch.nonzero(length < problem.length).flatten()
        letters[short, length[short]] = problem.stop
        for t in range(problem.length, 0, -1):
            rows = torch.nonzero(length >= t).flatten()
            way = self.layers[t - 1].draw(node[rows], generator)
            node[rows], letter_class = way // len(self.sizes), way % len(self.sizes)
            size = self.sizes[letter_class]
            pick = (torch.rand(len(rows), dtype=torch.float64, generator=generator) * size).long()
            letters[rows, t - 1] = self.letters[letter_class, pick.clamp(max=size - 1)]
        return problem._completed(letters)
