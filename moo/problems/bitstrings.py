"""Bit strings with a planted front: targets that agree on some bits and contest others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from moo.base import ConstructionProblem
from moo.checks import check_count, check_number
from moo.gflow.oracle import ConditionalOracle

MOST_CELLS = 1_000_000  # of the oracle


class BitStrings(ConstructionProblem):
    """A string written bit by bit: how much it resembles each of m targets is maximised, where targets contradict.

    Actions are the bits 0 and 1; the string ends by itself at `length`, so each is reached by one trajectory. Bit p,
    from 0, belongs to block `p mod (m + 1)`. Every target wants the bits of block 0 to be 1. Those of block i, from 1,
    are wanted to be 1 by target i and to be 0 by the target after it (after the last, the first), and do not matter to
    the others. Objective i is the share of the bits that matter to target i which are as it wants, to the power
    `exponent`: from 0 to 1, and each target can be met entirely.

    The front is all strings of which block 0 is 1, whatever the rest: a bit more for one target is a bit less for
    another. So its points lie on a plane where `exponent` is 1. Below 1 it is concave, bulging outwards, with every
    point the best for some weighted sum; above 1 it is convex, bulging inwards, and weighted sums find its corners
    alone. It has m - 1 dimensions, also for more than two objectives. (Three targets to which every bit matters could
    not do that: whatever they are, their front is three lines that meet in the string of majorities.)

    A state is int64 `[n, length]`, -1 where there is no bit yet. Features are the number of bits and, for each block,
    how many are 1: all that matters to what comes.

    `oracle` holds the exact law for any length. A cell is the number of ones in each block. It is None where that makes
    more than 1,000,000 cells.

    Args:
        length: Bits, at least m + 1: one for each block.
        num_objectives: m, at least 2.
        exponent: Above 0.

    Attributes:
        targets: int64 `[m, length]`; 2 where a bit does not matter.
        sizes: Bits of each block, int64 `[m + 1]`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of its range.
    """

    name = "bitstrings"
    num_actions = 2
    unit_objectives = True

    def __init__(self, length: int = 16, num_objectives: int = 2, exponent: float = 1.0) -> None:
        m = self.num_objectives = check_count("num_objectives", num_objectives, low=2)
        self.length = self.max_steps = check_count("length", length, low=m + 1)
        self.exponent = check_number("exponent", exponent, "the power of the share of bits")
        self.directions = ("max",) * m
        self.objective_names = tuple(f"target {i + 1}" for i in range(m))
        self.reference_point = torch.zeros(m, dtype=torch.float64)
        wanted = torch.full((m, m + 1), 2)  # by targets, of blocks
        wanted[:, 0] = 1
        for i in range(m):
            wanted[i, i + 1], wanted[(i + 1) % m, i + 1] = 1, 0
        block = torch.arange(self.length) % (m + 1)
        self.targets = wanted[:, block]
        self.sizes = block.bincount()
        self.feature_sizes = (self.length + 1, *(size + 1 for size in self.sizes.tolist()))
        self._matters = (self.targets < 2).sum(dim=1)
        self._blocks = torch.nn.functional.one_hot(block).to(torch.float32)  # [length, m + 1]

    # ------------------------------------------------------------------------------------------ moves
    def start(self, n: int) -> Tensor:
        return torch.full((n, self.length), -1, dtype=torch.int64)

    def step(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The next states and which are finished; finished states stay as they are."""
        place = _written(state)
        return torch.where(self._at(state, place), actions[:, None], state), place + 1 >= self.length

    def undo(self, state: Tensor, actions: Tensor) -> Tensor:  # noqa: ARG002
        return torch.where(self._at(state, _written(state) - 1), -1, state)

    def action_mask(self, state: Tensor) -> Tensor:
        """Both bits until the string is finished, bool `[n, 2]`."""
        return (state[:, -1:] < 0).expand(-1, 2)

    def backward_mask(self, state: Tensor) -> Tensor:
        """The last bit, bool `[n, 2]`; none at the start."""
        last = state.gather(1, (_written(state) - 1).clamp(min=0)[:, None])  # -1 at the start
        return last == torch.arange(2, device=state.device)

    def features(self, state: Tensor) -> Tensor:
        """Number of bits, and of ones in each block: whole numbers `[n, m + 2]`."""
        return torch.cat([_written(state)[:, None], self._ones(state)], dim=1)

    def _at(self, state: Tensor, place: Tensor) -> Tensor:
        return torch.arange(self.length, device=state.device) == place[:, None]

    def _ones(self, state: Tensor) -> Tensor:
        """Ones in each block, int64 `[n, m + 1]`."""
        ones = (state == 1).to(torch.float32) @ self._blocks.to(
            state.device
        )  # whole numbers cannot be multiplied on GPUs
        return ones.round().to(torch.int64)

    # ------------------------------------------------------------------------------------------ values
    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        """Objectives float64 `[n, m]` of finished states.

        Raises:
            ValueError: The shape is another, or a state is not finished.
        """
        return self.potential(self._finished(solutions))

    def potential(self, state: Tensor) -> Tensor:
        """The objectives float64 `[n, m]` that a string has already: bits still to come count as wrong."""
        right = torch.stack([(state == target).sum(dim=1) for target in self.targets.to(state.device)], dim=1)
        return self._objectives(right)

    def encode(self, strings: Sequence[str]) -> Tensor:
        """The finished states `[n, length]` of strings such as "0110".

        Raises:
            ValueError: A string is of another length, or has another character.
        """
        for number, string in enumerate(strings):
            if len(string) != self.length or not set(string) <= {"0", "1"}:
                raise ValueError(
                    f"`strings` should have {self.length} characters, each 0 or 1. String {number} is {string!r}, "
                    f"{len(string)} characters."
                )
        rows = [[int(bit) for bit in string] for string in strings]
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, self.length)

    def decode(self, solutions: Tensor) -> list[str]:
        return ["".join(str(bit) for bit in row if bit >= 0) for row in solutions.tolist()]

    def _objectives(self, right: Tensor) -> Tensor:
        """Of the numbers of bits `[..., m]` that are as the targets want."""
        return (right / self._matters.to(right.device).to(torch.float64)) ** self.exponent

    def _finished(self, solutions: Tensor) -> Tensor:
        if solutions.ndim != 2 or solutions.shape[1] != self.length:
            raise ValueError(f"`solutions` should have shape [n, {self.length}]. Found {list(solutions.shape)}.")
        unfinished = (solutions < 0).any(dim=1)
        if unfinished.any():
            row = int(torch.nonzero(unfinished)[0])
            raise ValueError(f"`solutions` should be finished strings. Row {row} is {solutions[row].tolist()}.")
        return solutions

    # ------------------------------------------------------------------------------------------ oracle
    @cached_property
    def oracle(self) -> ConditionalOracle | None:  # type: ignore[override]
        """The exact law over the ones of each block, where there are not too many cells."""
        if math.prod(size + 1 for size in self.sizes.tolist()) > MOST_CELLS:
            return None
        ones = torch.cartesian_prod(*[torch.arange(size + 1) for size in self.sizes.tolist()])
        wanted = self.targets[:, : self.num_objectives + 1]  # the first bit of every block
        right = torch.stack(
            [torch.where(of == 1, ones, (self.sizes - ones) * (of == 0)).sum(dim=1) for of in wanted], 1
        )
        objectives = self._objectives(right)
        best = right[ones[:, 0] == self.sizes[0]].unique(dim=0)  # type: ignore[no-untyped-call]
        log_factorials = [torch.lgamma(n.to(torch.float64) + 1) for n in (self.sizes, ones, self.sizes - ones)]
        logs = (log_factorials[0] - log_factorials[1] - log_factorials[2]).sum(dim=1)
        return ConditionalOracle(self._objectives(best), objectives, logs, self._index, self._draw)

    @property
    def reference_front(self) -> Tensor | None:  # type: ignore[override]
        """The exact front where it is known."""
        return None if self.oracle is None else self.oracle.front

    def _strides(self) -> Tensor:
        """What one more 1 of each block adds to a cell's number, `[m + 1]`."""
        return torch.tensor([math.prod((self.sizes[i + 1 :] + 1).tolist()) for i in range(len(self.sizes))])

    def _index(self, states: Tensor) -> Tensor:
        """The cells `[n]` of finished states, on their device."""
        return (self._ones(self._finished(states)) * self._strides().to(states.device)).sum(dim=1)

    def _draw(self, cells: Tensor, generator: torch.Generator) -> Tensor:
        """Finished states `[n, length]`, uniform within the cells `[n]`."""
        ones = cells.cpu()[:, None] // self._strides() % (self.sizes + 1)
        states = torch.empty(len(cells), self.length, dtype=torch.int64)
        for block, size in enumerate(self.sizes.tolist()):
            order = torch.rand(len(cells), size, dtype=torch.float64, generator=generator).argsort(dim=1)
            states[:, block :: len(self.sizes)] = (order < ones[:, block, None]).to(torch.int64)
        return states


def _written(state: Tensor) -> Tensor:
    """How many bits there are, `[n]`."""
    return (state >= 0).sum(dim=1)
