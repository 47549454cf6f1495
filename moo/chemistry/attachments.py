"""What can be bound to what, as tables: a piece is a fragment together with how it is put into a tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from moo.chemistry.molecules import Fragment


def pieces_of(vocabulary: Sequence[Fragment]) -> list[tuple[int, int]]:
    """The pieces: every fragment as a root, then every fragment by each of its entries."""
    roots = [(number, -1) for number in range(len(vocabulary))]
    return roots + [(number, entry) for number, fragment in enumerate(vocabulary) for entry in fragment.entries]


class Rules(NamedTuple):
    """What goes with what, for q pieces of f fragments with up to k points.

    Attributes:
        fragment: Of each piece, int64 `[q]`.
        open: Points that a piece leaves, bool `[q, k]`.
        hetero_points: Whether the atom of a point is none of carbon, bool `[q, k]`.
        before: The point that has to be used before, -1 where there is none, int64 `[q, k]`.
        allowed: By root + 1 (0: there is none yet) and whether the waiting atom is none of carbon: pieces that can be
            put, bool `[f + 1, 2, q]`.
        partner: Whether there is any such piece, bool `[f + 1, 2]`.
    """

    fragment: Tensor
    open: Tensor
    hetero_points: Tensor
    before: Tensor
    allowed: Tensor
    partner: Tensor

    @classmethod
    def of(cls, vocabulary: Sequence[Fragment], kinds: Sequence[tuple[int, int]]) -> Rules:
        """The rules of a vocabulary and its pieces."""
        k = max(fragment.points for fragment in vocabulary)
        opened, hetero = torch.zeros(2, len(kinds), k, dtype=torch.bool)
        before = torch.full((len(kinds), k), -1)
        for piece, (number, entry) in enumerate(kinds):
            fragment = vocabulary[number]
            for point in range(fragment.points):
                opened[piece, point] = point != entry
                hetero[piece, point] = fragment.hetero[point]
                before[piece, point] = -1 if fragment.before[point] == entry else fragment.before[point]
        fragments, entries = torch.tensor(kinds).T
        by_hetero = torch.tensor([vocabulary[number].hetero[entry] and entry >= 0 for number, entry in kinds])
        roots = torch.arange(-1, len(vocabulary))[:, None, None]
        bound = (entries >= 0) & (fragments >= roots) & ~(torch.tensor([[False], [True]]) & by_hetero)
        allowed = torch.where(roots < 0, entries < 0, bound)
        return cls(fragments, opened, hetero, before, allowed, allowed.any(dim=2))
