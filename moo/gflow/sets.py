"""A first layer for states that hold a set of alike parts, such as the fragments of a molecule."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class RowEmbeddings(nn.Module):
    """Parts of a state are read by shared weights and added up, so that what is learned of one holds for the others.

    Features are some columns of the whole state and then rows, one for each part, all of the same columns; a row of
    zeros is no part. A row's vector is the sum of one vector for each of its columns' values and one for its place,
    rectified; the rows' sum goes through a matrix and is added to the vectors of the whole state's columns.

    Source: Zaheer et al. 2017, "Deep Sets" (1703.06114), of parts that say what they are bound to.

    Args:
        sizes: How many values each column of the features has.
        rows: How many rows there are: the last columns, in equal shares of equal sizes.
        shared: Columns of the whole state, the first ones, at least one.
        width: Of the vectors.
        generator: Of the first values.

    Raises:
        ValueError: There is no shared column, or the others are not `rows` times the same sizes.
    """

    def __init__(self, sizes: Sequence[int], rows: int, shared: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        per_row = (len(sizes) - shared) // rows
        row = tuple(sizes[shared : shared + per_row])
        if shared < 1 or per_row < 1 or tuple(sizes[shared:]) != row * rows:
            raise ValueError(
                f"`feature_rows` should divide the columns after the first {shared}, at least one, into {rows} rows of "
                f"the same sizes. Found {tuple(sizes)}."
            )
        self.shape = (rows, per_row)
        self.shared = shared
        self.whole_offsets: Tensor
        self.row_offsets: Tensor
        self.places: Tensor
        whole_first = torch.tensor([0, *sizes[:shared]]).cumsum(0)
        row_first = torch.tensor([0, *row, rows]).cumsum(0)
        self.register_buffer("whole_offsets", whole_first[:-1], persistent=False)
        self.register_buffer("row_offsets", row_first[:-1], persistent=False)
        self.register_buffer("places", torch.arange(rows), persistent=False)
        self.whole = _uniform(int(whole_first[-1]), width, shared, generator)
        self.rows = _uniform(int(row_first[-1]), width, per_row + 1, generator)
        self.mixing = _uniform(width, width, width, generator)

    def forward(self, columns: Tensor) -> Tensor:
        """Vectors `[n, width]` for features `[n, columns]`, whole numbers from 0."""
        n, (rows, per_row) = len(columns), self.shape
        parts = columns[:, self.shared :].reshape(n, rows, per_row)
        state, place = torch.nonzero(parts.any(dim=2), as_tuple=True)
        read = torch.cat([parts[state, place], self.places[place][:, None]], dim=1) + self.row_offsets
        vectors = functional.leaky_relu(functional.embedding_bag(read, self.rows, mode="sum"))
        added = vectors.new_zeros(n, vectors.shape[1]).index_add(0, state, vectors)
        whole = functional.embedding_bag(columns[:, : self.shared] + self.whole_offsets, self.whole, mode="sum")
        return whole + added @ self.mixing


def _uniform(rows: int, width: int, inputs: int, generator: torch.Generator) -> nn.Parameter:
    """A table initialised as torch does linear layers: uniform within 1 / sqrt(inputs)."""
    bound = 1 / math.sqrt(inputs)
    return nn.Parameter(torch.empty(rows, width).uniform_(-bound, bound, generator=generator))
