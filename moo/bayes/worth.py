"""What is maximised to find the next row."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Worth(Protocol):
    """Values `[n]` of rows of the unit cube `[n, d]`: rough ones, of the first `versions` of what is unknown alone."""

    def __call__(self, rows: Tensor, versions: int | None = None) -> Tensor: ...
