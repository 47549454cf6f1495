"""Checks of what the rules are given: Gram matrices, rows of values beside them, preferences."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def read_gram(gram: Any, name: str = "gram") -> Tensor:
    """Return a Gram matrix `[..., n, n]`, cut off from the graph; whether it is finite is for the solver to see.

    Raises:
        TypeError: It is no tensor of floating-point numbers.
        ValueError: It is not square.
    """
    if not isinstance(gram, Tensor) or not gram.is_floating_point():
        raise TypeError(f"`{name}` should be a tensor of floating-point numbers. Found {_found(gram)}.")
    if gram.ndim < 2 or gram.shape[-1] != gram.shape[-2] or gram.shape[-1] == 0:
        raise ValueError(f"`{name}` should be square, [..., n, n] with n >= 1. Found shape {list(gram.shape)}.")
    return gram.detach()


def read_rows(name: str, rows: Any, n: int | None = None) -> Tensor:
    """Return values `[..., n]`, one per objective, cut off from the graph.

    Raises:
        TypeError: They are no tensor of floating-point numbers.
        ValueError: Their last dimension is not n, or empty.
    """
    if not isinstance(rows, Tensor) or not rows.is_floating_point():
        raise TypeError(f"`{name}` should be a tensor of floating-point numbers. Found {_found(rows)}.")
    if rows.ndim == 0 or rows.shape[-1] == 0 or n not in (None, rows.shape[-1]):
        wanted = "n" if n is None else n
        raise ValueError(
            f"`{name}` should have shape [..., {wanted}], a column per objective. Found {list(rows.shape)}."
        )
    return rows.detach()


def read_preferences(preferences: Any, n: int, like: Tensor) -> Tensor:
    """Return preferences `[..., n]` in the dtype and on the device of `like`; only their ratios matter to the rules.

    Raises:
        TypeError: They are no tensor of floating-point numbers.
        ValueError: A row has another length, is not finite, has a negative entry or is all 0.
    """
    rows = read_rows("preferences", preferences, n).to(like)
    wrong = (~(rows >= 0) | rows.isinf()).any(dim=-1) | (rows == 0).all(dim=-1)  # NaN fails the comparison, too
    if bool(wrong.any()):
        found = rows[wrong][0].tolist()
        raise ValueError(f"Each row of `preferences` should be finite, at least 0 and not all 0. Found {found}.")
    return rows


def check_finite(name: str, rows: Tensor) -> Tensor:
    """Return `rows` where every value is finite.

    Raises:
        ValueError: One is not.
    """
    if not bool(rows.isfinite().all()):
        raise ValueError(f"`{name}` should be finite. Found {rows[~rows.isfinite()][0].item()}.")
    return rows


def _found(value: Any) -> str:
    return f"dtype {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
