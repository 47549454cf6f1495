"""How every indicator reads its arguments: finite float64 tensors, turned to where all objectives are maximised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moo.checks import check_finite_rows, check_matrix
from moo.directions import check_directions, turn


def read_rows(name: str, value: Any, like: Any = None) -> Tensor:
    """Return rows of objectives as a finite float64 tensor `[n, m]` on the CPU, m >= 1.

    It may share memory with `value`: nothing here may write to it.

    Args:
        name: The parameter, for the messages.
        value: Tensor, array or nested list `[n, m]`. A bare empty list or array `[0]` is a set of no rows.
        like: What says how many columns such a bare one has: the length of its last dimension.

    Raises:
        TypeError: It cannot be read as numbers.
        ValueError: The shape is wrong or a value is NaN or infinite (the first such row is named).
    """
    if _is_bare(value):
        shape = np.shape(like)
        value = torch.empty(0, max(1, shape[-1]) if shape else 1)
    rows = check_matrix(name, value)
    if rows.shape[1] == 0:
        raise ValueError(f"`{name}` should have at least one column. Found shape {list(rows.shape)}.")
    if not np.isfinite(rows.numpy()).all():  # numpy first: a third of the cost of torch's check on a small set
        check_finite_rows(name, rows)
    return rows


def _is_bare(value: Any) -> bool:
    """Whether this is empty and does not say how many columns it has."""
    return tuple(value.shape) == (0,) if hasattr(value, "shape") else isinstance(value, (list, tuple)) and not value


def inside(directions: str | Sequence[str] | None, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Turn tensors `[..., m]` from the caller's directions to the inside; None means that all are maximised already.

    Raises:
        ValueError: A direction is unknown, or their number is not m.
    """
    if directions is None:
        return tensors
    words = check_directions(directions, tensors[0].shape[-1])
    return tuple(turn(tensor, words) for tensor in tensors)
