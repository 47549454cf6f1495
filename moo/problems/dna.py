"""DNA: strands that fold upon themselves.

Source of the task: Jain et al. 2023, "Multi-objective GFlowNets", ICML (2210.12765), whose oracle is NUPACK; energies:
Mathews et al. 2004, PNAS 101; folding: Lorenz et al. 2011, "ViennaRNA Package 2.0", Algorithms for Molecular Biology 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from moo.base import ConstructionProblem, Evaluation
from moo.checks import check_count, unknown_name
from moo.chemistry.folding import OBJECTIVES, fold_values, vienna
from moo.chemistry.scoring import Scorer
from moo.dominance import non_dominated
from moo.gflow.oracle import ConditionalOracle, enumerated

ENUMERABLE = 400_000  # strands up to which the oracle lists them all, those of nine letters: 10 s of folding
LETTERS = "ACGT"
SHORTEST = 5  # a pair around a loop of three letters


class DNA(ConstructionProblem):
    """A strand written letter by letter: how firmly it folds, and into how many hairpins and pairs, is maximised.

    Actions append A, C, G or T; the last one stops, which is legal from `min_length` letters on. At `length` letters
    the strand ends by itself. So each strand is reached by one trajectory.

    Of the fold of least free energy at 37 degrees, `"energy"` is the free energy that it sets free in kcal/mol for each
    letter, `"pins"` its hairpin loops over the most that fit (one for every five letters) and `"pairs"` its pairs over
    the most that fit. The published task has NUPACK's energies over 60, pins over 8 and pairs over 16; NUPACK may not
    be passed on, so figures of the two cannot be compared.

    A state is int64 `[n, length]`: the letters' numbers, 4 for the stop, -1 where there is nothing yet. `features` are
    the same from 0: all letters matter. `oracle` lists all strands where there are at most 400,000: up to nine letters.
    None of fewer letters folds, so that all values are 0 there.

    Args:
        objectives: Two or three of energy, pins, pairs.
        length: The most letters, at least 5.
        min_length: The fewest letters, at least 5; None: `length`.
        workers: Processes that share the strands of a batch; one that dies is a failed row.

    Raises:
        ImportError: ViennaRNA is not installed.
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of its range.
    """

    name = "dna"
    unit_objectives = True
    num_actions = len(LETTERS) + 1

    def __init__(
        self,
        objectives: str | Sequence[str] = ("energy", "pins", "pairs"),
        length: int = 30,
        min_length: int | None = None,
        workers: int = 1,
    ) -> None:
        vienna()
        self.objective_names = _check_objectives(objectives)
        self.num_objectives = len(self.objective_names)
        self.directions = ("max",) * self.num_objectives
        self.reference_point = torch.zeros(self.num_objectives, dtype=torch.float64)
        self.length = self.max_steps = check_count("length", length, low=SHORTEST)
        fewest = self.length if min_length is None else min_length
        self.min_length = check_count("min_length", fewest, low=SHORTEST, high=self.length)
        self.stop = len(LETTERS)
        self.feature_sizes = (self.num_actions + 1,) * self.length
        self._score = Scorer(partial(fold_values, self.objective_names), self.num_objectives, workers=workers)

    # ------------------------------------------------------------------------------------------ moves
    def start(self, n: int) -> Tensor:
        return torch.full((n, self.length), -1, dtype=torch.int64)

    def step(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The next states and which are finished; finished states stay as they are."""
        here = self._at(state, _written(state)) & ~self._ended(state)[:, None]
        moved = torch.where(here, actions[:, None], state)
        return moved, self._ended(moved)

    def undo(self, state: Tensor, actions: Tensor) -> Tensor:  # noqa: ARG002
        return torch.where(self._at(state, _written(state) - 1), -1, state)

    def action_mask(self, state: Tensor) -> Tensor:
        """Letters until the strand is finished, stopping from `min_length` on, bool `[n, 5]`."""
        going = ~self._ended(state)
        stops = going & (_written(state) >= self.min_length)
        return torch.cat([going[:, None].expand(-1, self.stop), stops[:, None]], dim=1)

    def backward_mask(self, state: Tensor) -> Tensor:
        """The last letter or the stop, bool `[n, 5]`; none at the start."""
        last = state.gather(1, (_written(state) - 1).clamp(min=0)[:, None])  # -1 at the start
        return last == torch.arange(self.num_actions, device=state.device)

    def features(self, state: Tensor) -> Tensor:
        """The letters, from 1, or 0 where there is none yet: `[n, length]`."""
        return state + 1

    def _ended(self, state: Tensor) -> Tensor:
        return (state[:, -1] >= 0) | (state == self.stop).any(dim=1)

    def _at(self, state: Tensor, place: Tensor) -> Tensor:
        return torch.arange(self.length, device=state.device) == place[:, None]

    # ------------------------------------------------------------------------------------------ values
    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Evaluation:  # noqa: ARG002
        """Objectives float64 `[n, m]` of finished states.

        Raises:
            ValueError: The shape is another, or a state is not finished.
        """
        if solutions.ndim != 2 or solutions.shape[1] != self.length:
            raise ValueError(f"`solutions` should have shape [n, {self.length}]. Found {list(solutions.shape)}.")
        unfinished = ~self._ended(solutions)
        if unfinished.any():
            row = int(torch.nonzero(unfinished)[0])
            strand = self.decode(solutions[row : row + 1])[0]
            raise ValueError(f"`solutions` should be finished strands. Row {row} is not: {strand!r}.")
        return self._score(self.decode(solutions))

    def encode(self, strands: Sequence[str]) -> Tensor:
        """The finished states `[n, length]` of strands.

        Raises:
            ValueError: A strand is too short or too long, or has another letter.
        """
        rows = []
        for number, strand in enumerate(strands):
            if not self.min_length <= len(strand) <= self.length or not set(strand) <= set(LETTERS):
                raise ValueError(
                    f"`strands` should have {self.min_length} to {self.length} letters, all of {LETTERS!r}. "
                    f"Strand {number} is {strand!r}, {len(strand)} letters."
                )
            row = [LETTERS.index(letter) for letter in strand] + [self.stop]
            rows.append((row + [-1] * self.length)[: self.length])
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, self.length)

    def decode(self, solutions: Tensor) -> list[str]:
        marks = [*LETTERS, "", ""]  # the stop; nothing yet, as -1
        return ["".join(marks[letter] for letter in row) for row in solutions.tolist()]

    # ------------------------------------------------------------------------------------------ oracle
    @cached_property
    def oracle(self) -> ConditionalOracle | None:  # type: ignore[override]
        """The exact law over all strands, where there are at most 400,000 and none fails."""
        counts = [len(LETTERS) ** letters for letters in range(self.min_length, self.length + 1)]
        if sum(counts) > ENUMERABLE:
            return None
        states = self._all_strands()
        evaluation = self.evaluate(states)
        if evaluation.reasons:
            return None
        objectives, shorter = evaluation.objectives, torch.tensor([0, *counts]).cumsum(0)
        values = torch.unique(objectives, dim=0)  # few: most strands do not fold

        def index(found: Tensor) -> Tensor:
            """The place of strands: after all shorter ones, in the order of the alphabet."""
            letters, place = (found >= 0) & (found < self.stop), torch.zeros(len(found), dtype=torch.int64)
            for column, there in zip(found.T, letters.T, strict=True):
                place = torch.where(there, place * len(LETTERS) + column, place)
            return place + shorter[letters.sum(dim=1) - self.min_length]

        return enumerated(objectives, states, index, values[non_dominated(values)])

    def _all_strands(self) -> Tensor:
        """All finished states, short strands first."""
        parts = []
        for count in range(self.min_length, self.length + 1):
            letters = torch.cartesian_prod(*[torch.arange(len(LETTERS))] * count)
            rest = torch.full((len(letters), self.length + 1 - count), -1)
            rest[:, 0] = self.stop
            parts.append(torch.cat([letters, rest], dim=1)[:, : self.length])
        return torch.cat(parts)


def _written(state: Tensor) -> Tensor:
    """How many columns are filled, `[n]`."""
    return (state >= 0).sum(dim=1)


def _check_objectives(objectives: Any) -> tuple[str, ...]:
    if not isinstance(objectives, str) and not hasattr(objectives, "__iter__"):
        raise TypeError(f"`objectives` should be names, such as ['energy', 'pins']. Found {objectives!r}.")
    names = tuple(objectives.split("+") if isinstance(objectives, str) else objectives)
    for name in names:
        if name not in OBJECTIVES:
            raise ValueError(unknown_name("objective of dna", name, OBJECTIVES))
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"`objectives` should be at least two different ones. Found {', '.join(names) or 'none'}.")
    return names
