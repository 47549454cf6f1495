"""The space of a vector problem: its columns, their bounds, and the canonical form of a row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moo.checks import check_matrix, unknown_name

KINDS = ("real", "integer", "categorical")


@dataclass(frozen=True)
class Column:
    """One column of a space; made by `real`, `integer` or `categorical`.

    A row of a space is a row of float64 numbers: a real value, a whole number, or the index of a choice.
    """

    kind: str
    low: float
    high: float
    choices: tuple[Any, ...] = ()
    name: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(unknown_name("kind of column", self.kind, KINDS))
        label = f" of {self.name!r}" if self.name else ""
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError(f"The bounds{label} should be finite. Found [{self.low}, {self.high}].")
        if self.low > self.high or (self.kind == "real" and self.low == self.high):
            raise ValueError(f"The bounds{label} should be low < high. Found [{self.low}, {self.high}]: swapped?")
        if self.kind == "integer" and (self.low != round(self.low) or self.high != round(self.high)):
            raise ValueError(f"The bounds{label} of an integer should be whole. Found [{self.low}, {self.high}].")


def real(low: float, high: float, name: str = "", unit: str = "") -> Column:
    """A real column in `[low, high]`."""
    return Column("real", float(low), float(high), name=name, unit=unit)


def integer(low: int, high: int, name: str = "", unit: str = "") -> Column:
    """A whole-number column from `low` to `high`, both included."""
    return Column("integer", float(low), float(high), name=name, unit=unit)


def categorical(choices: Sequence[Any], name: str = "", unit: str = "") -> Column:
    """An unordered column; a row holds the index of one of `choices` (JSON values)."""
    if len(choices) < 1:
        raise ValueError(f"`choices` of column {name!r} should hold at least one value. Found none.")
    return Column("categorical", 0.0, len(choices) - 1.0, tuple(choices), name, unit)


@dataclass(frozen=True)
class Space:
    """Columns of a vector problem.

    Attributes:
        columns: One `Column` each; unnamed ones are called x1, x2, ...
    """

    columns: tuple[Column, ...]
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("A space should have at least one column. Found none.")
        names = tuple(column.name or f"x{i + 1}" for i, column in enumerate(self.columns))
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"The columns of a space should have different names. {twice!r} stands twice.")
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "names", names)

    @classmethod
    def of(cls, space: Space | Iterable[Any]) -> Space:
        """Read a space, a list of columns, or a list of `(low, high)` bounds.

        Raises:
            ValueError: The list is empty, an entry is no pair, or its bounds are NaN, infinite or swapped.
        """
        if isinstance(space, Space):
            return space
        columns = []
        for number, entry in enumerate(space):
            if isinstance(entry, Column):
                columns.append(entry)
                continue
            try:
                low, high = (float(bound) for bound in entry)
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"`space` should be a Space or a list of (low, high) bounds. Entry {number} is {entry!r}."
                ) from error
            columns.append(real(low, high, name=f"x{number + 1}"))
        return cls(tuple(columns))

    @property
    def dim(self) -> int:
        """The number of columns."""
        return len(self.columns)

    @cached_property
    def lower(self) -> Tensor:
        """The lower bounds, `[d]`."""
        return torch.tensor([column.low for column in self.columns], dtype=torch.float64)

    @cached_property
    def upper(self) -> Tensor:
        """The upper bounds, `[d]`."""
        return torch.tensor([column.high for column in self.columns], dtype=torch.float64)

    @cached_property
    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.lower.numpy(), self.upper.numpy()

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of column that occur."""
        return frozenset(column.kind for column in self.columns)

    @cached_property
    def _whole(self) -> Tensor | None:
        whole = torch.tensor([column.kind != "real" for column in self.columns])
        return whole if bool(whole.any()) else None

    @cached_property
    def size(self) -> float:
        """The number of different rows; infinite where a column is real."""
        if "real" in self.kinds:
            return math.inf
        return float(math.prod(int(column.high - column.low) + 1 for column in self.columns))

    def number(self, rows: Tensor) -> Tensor:
        """The number of each canonical row `[n, d]` of a space without real columns: int64 `[n]`, from 0 below `size`.

        Rows are counted as digits are: the last column varies fastest.

        Raises:
            ValueError: A column is real.
        """
        if self.size == math.inf:
            raise ValueError("Rows of a space with real columns have no numbers.")
        levels = [int(column.high - column.low) + 1 for column in self.columns]
        radix = [math.prod(levels[i + 1 :]) for i in range(len(levels))]
        digits = rows.to(torch.int64) - self.lower.to(device=rows.device, dtype=torch.int64)
        numbers: Tensor = (digits * torch.tensor(radix, device=rows.device)).sum(dim=1)
        return numbers

    def canonical(self, solutions: Any, name: str = "solutions") -> Tensor:
        """Rows `[n, d]` inside the bounds, whole numbers rounded, float64 on the CPU: what is really evaluated.

        Raises:
            TypeError: They cannot be read as numbers.
            ValueError: The shape is wrong or a value is NaN.
        """
        given = check_matrix(name, solutions, columns=self.dim).numpy()  # arrays: half the cost of tensors here
        rows = given.clip(*self._bounds)  # NaN stays NaN, +-inf becomes a bound
        if np.isnan(rows).any():
            row = int(np.isnan(rows).any(axis=1).argmax())
            raise ValueError(f"`{name}` should hold no NaN. Row {row} is {rows[row].tolist()}.")
        tensor = torch.from_numpy(rows)
        return tensor if self._whole is None else torch.where(self._whole, tensor.round(), tensor)

    def from_unit(self, unit: Tensor) -> Tensor:
        """Map rows of the unit cube `[n, d]` to canonical rows, every whole number equally likely."""
        unit = unit.to(torch.float64)
        rows = self.lower + unit * (self.upper - self.lower)
        if self._whole is not None:
            levels = self.upper - self.lower + 1
            whole = self.lower + torch.minimum((unit * levels).floor(), levels - 1)
            rows = torch.where(self._whole, whole, rows)
        return self.canonical(rows)

    def describe(self, row: Tensor) -> dict[str, Any]:
        """One row `[d]` as a person reads it: names to numbers, whole numbers and choices."""
        readable: dict[str, Any] = {}
        for column, name, value in zip(self.columns, self.names, row.tolist(), strict=True):
            if column.kind == "categorical":
                readable[name] = column.choices[int(value)]
            else:
                readable[name] = int(value) if column.kind == "integer" else value
        return readable

    def to_json(self) -> list[dict[str, Any]]:
        """The columns as JSON values."""
        return [
            {"kind": c.kind, "low": c.low, "high": c.high, "choices": list(c.choices), "name": name, "unit": c.unit}
            for c, name in zip(self.columns, self.names, strict=True)
        ]

    @classmethod
    def from_json(cls, columns: Iterable[Mapping[str, Any]]) -> Space:
        """Read what `to_json` wrote."""
        return cls(tuple(Column(**{**column, "choices": tuple(column["choices"])}) for column in columns))
