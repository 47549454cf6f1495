"""Spaces of Gymnasium as rows of numbers: what is observed, and what is done."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

UNBOUNDED = 1e6  # stands for infinity in the bounds of a column; observations are cut to it
MOST_COLUMNS = 10_000
MOST_JOINT = 4096  # combinations of several discrete actions
EXACT = 2**24  # whole numbers beyond this are not exact in float32


class Part(NamedTuple):
    """One column of a space: its kind (`real`, `integer` or `categorical`) and bounds."""

    kind: str
    low: float
    high: float


def observed_columns(space: Any) -> list[Part]:
    """The columns that observations of a space become.

    Raises:
        ValueError: They cannot be rows of numbers, or would be too many columns.
    """
    parts = _parts(space)
    if not 0 < len(parts) <= MOST_COLUMNS:
        raise ValueError(
            f"Observations should be 1 to {MOST_COLUMNS} numbers, not images. {space} has {len(parts)}: "
            "wrap the environment so that it shows less."
        )
    return parts


def _parts(space: Any) -> list[Part]:
    name = type(space).__name__
    if name == "Box":
        whole = np.issubdtype(space.dtype, np.integer) or np.issubdtype(space.dtype, np.bool_)
        return [_column(low, high, whole) for low, high in zip(_bounds(space.low), _bounds(space.high), strict=True)]
    if name == "Discrete":
        return [Part("categorical", 0.0, float(space.n) - 1)]
    if name == "MultiDiscrete":
        return [Part("categorical", 0.0, float(n) - 1) for n in np.ravel(space.nvec)]
    if name == "MultiBinary":
        return [Part("integer", 0.0, 1.0)] * int(np.prod(space.shape))
    if name in ("Dict", "Tuple"):
        return [part for inner in _inner(space) for part in _parts(inner)]
    raise ValueError(
        f"Observations should be of Box, Discrete, MultiDiscrete or MultiBinary spaces, or Dict or Tuple of these. "
        f"Found {name}: wrap the environment so that it shows numbers."
    )


def _bounds(values: Any) -> list[float]:
    listed: list[float] = np.clip(np.ravel(values).astype(np.float64), -UNBOUNDED, UNBOUNDED).tolist()
    return listed


def _column(low: float, high: float, whole: bool) -> Part:
    if whole and max(abs(low), abs(high)) < UNBOUNDED:
        return Part("integer", low, high)
    return Part("real", low, high if high > low else low + 1.0)


def _inner(space: Any) -> list[Any]:
    """The spaces that a Dict or Tuple consists of, in its order."""
    return list(space.spaces.values()) if type(space).__name__ == "Dict" else list(space.spaces)


def flat(space: Any, value: Any) -> np.ndarray:
    """An observation as a row of float64, each choice by its number from 0.

    Raises:
        ValueError: A number is not finite but NaN.
    """
    row = np.concatenate(_flat(space, value))
    if np.isnan(row).any():
        raise ValueError(f"An observation should hold no NaN. Found {value!r}.")
    cut: np.ndarray = np.clip(row, -UNBOUNDED, UNBOUNDED)
    return cut


def _flat(space: Any, value: Any) -> list[np.ndarray]:
    name = type(space).__name__
    if name in ("Dict", "Tuple"):
        values = [value[key] for key in space.spaces] if name == "Dict" else list(value)
        return [row for inner, part in zip(_inner(space), values, strict=True) for row in _flat(inner, part)]
    row = np.ravel(np.asarray(value, dtype=np.float64))
    return [row - np.ravel(space.start) if name in ("Discrete", "MultiDiscrete") else row]


class Acts:
    """The actions of a space.

    One choice is one; several at once (MultiDiscrete, MultiBinary) are numbered by their combinations, the last varying
    fastest; a box is a row of real numbers.

    Args:
        space: Of Gymnasium.

    Attributes:
        choices: How many there are; 0: they are continuous.
        low, high: Bounds of continuous ones, `[a]`.
        width: Numbers of an action.

    Raises:
        ValueError: It is of another kind, has no bounds, or too many combinations.
    """

    def __init__(self, space: Any) -> None:
        self._space, self._name = space, type(space).__name__
        self.choices, self.width = 0, 1
        self.low = self.high = np.zeros(0)
        if self._name == "Discrete":
            self.choices = int(space.n)
        elif self._name in ("MultiDiscrete", "MultiBinary"):
            self._levels = np.ravel(space.nvec) if self._name == "MultiDiscrete" else np.full(np.prod(space.shape), 2)
            self.choices = int(np.prod(self._levels.astype(np.float64)))
        elif self._name == "Box" and np.issubdtype(space.dtype, np.floating):
            self.low, self.high = (np.ravel(bound).astype(np.float64) for bound in (space.low, space.high))
            self.width = len(self.low)
        else:
            raise ValueError(
                "Actions should be of a Discrete, MultiDiscrete or MultiBinary space or of a Box of real numbers. "
                f"Found {space}: wrap the environment."
            )
        if self.choices > MOST_JOINT:
            raise ValueError(
                f"Actions should have at most {MOST_JOINT} combinations. {space} has {self.choices}: "
                "wrap the environment so that there are fewer."
            )
        if not self.choices and not (np.isfinite(self.low).all() and np.isfinite(self.high).all()):
            raise ValueError(f"Continuous actions should have finite bounds. Found {space}: wrap the environment.")

    def of(self, row: np.ndarray) -> Any:
        """What the environment is handed for a row `[width]`."""
        if not self.choices:
            return np.clip(row, self.low, self.high).astype(self._space.dtype).reshape(self._space.shape)
        number = int(row[0])
        if self._name == "Discrete":
            return np.int64(number + self._space.start)
        digits = np.array(np.unravel_index(number, self._levels))
        start = np.ravel(self._space.start) if self._name == "MultiDiscrete" else 0
        return (digits + start).astype(self._space.dtype).reshape(self._space.shape)
