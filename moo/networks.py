"""Networks whose first weights come from a stream that is handed in, never from torch's global one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


def linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer initialised as torch does: uniform within 1 / sqrt(inputs)."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")  # draws nothing
    bound = 1 / math.sqrt(inputs)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return layer


def mlp(sizes: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """A perceptron with layers of these sizes, leaky rectifiers between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [linear(inputs, outputs, generator), nn.LeakyReLU()]
    return nn.Sequential(*layers[:-1])


class SummedEmbeddings(nn.Module):
    """A first layer for whole numbers: every column has a table of vectors, and those picked are added up.

    The same as a linear layer on all columns one-hot encoded, without the zeros.

    Args:
        sizes: How many values each column has.
        width: Of the vectors.
        generator: Of the first values: uniform as in a linear layer with as many inputs as are ever 1.
        joint: Where there are at most so many combinations of values, each has a vector of its own as well.
    """

    def __init__(self, sizes: Sequence[int], width: int, generator: torch.Generator, joint: int = 0) -> None:
        super().__init__()
        self.radix: Tensor | None
        together = len(sizes) > 1 and math.prod(sizes) <= joint
        radix = torch.tensor([math.prod(sizes[:i]) for i in range(len(sizes))]) if together else None  # else too large
        self.register_buffer("radix", radix, persistent=False)
        if together:
            sizes = (*sizes, math.prod(sizes))
        first = torch.tensor([0, *sizes]).cumsum(0)
        self.offsets: Tensor
        self.register_buffer("offsets", first[:-1], persistent=False)
        bound = 1 / math.sqrt(len(sizes))
        table = torch.empty(int(first[-1]), width).uniform_(-bound, bound, generator=generator)
        self.table = nn.Parameter(table)

    def forward(self, columns: Tensor) -> Tensor:
        """Vectors `[n, width]` for rows `[n, columns]` of whole numbers from 0."""
        if self.radix is not None:
            columns = torch.cat([columns, (columns * self.radix).sum(dim=1, keepdim=True)], dim=1)
        return nn.functional.embedding_bag(columns + self.offsets, self.table, mode="sum")


def descend(adam: torch.optim.Optimizer, loss: Tensor, rates: Sequence[float], done: float, clip: float) -> None:
    """One gradient step at learning rates that fall to 0 along a cosine.

    Args:
        adam: An optimiser with one parameter group for each rate.
        loss: A number.
        rates: Learning rates at the beginning.
        done: The share of the run that is over; 1 and above: the rates are 0.
        clip: The largest norm of the whole gradient; a longer one is scaled down.
    """
    adam.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_([parameter for group in adam.param_groups for parameter in group["params"]], clip)
    for group, rate in zip(adam.param_groups, rates, strict=True):
        group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    adam.step()
