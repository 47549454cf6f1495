"""The columns of a space as Gaussian processes and the search for the next row see them."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from moo.space import Space

FINE = 16  # levels of an integer column above which it is searched like a real one, and rounded
LEAP = 0.1  # of the levels of an integer column: the larger of the two steps that are tried


class Columns:
    """A space on the unit cube, one column each, and what a model is told of it.

    A real or integer column is scaled to [0, 1]. A categorical one holds `index / (choices - 1)` there; a model gets
    one column per choice instead, 1 / sqrt(2) where it is chosen, so that two choices are one unit apart, none nearer
    than another, and each has a lengthscale of its own.

    Args:
        space: Which.
        device: Of what is made.

    Attributes:
        unit_span: What the unit cube's sides stand for, `[d]`.
    """

    def __init__(self, space: Space, device: str | torch.device = "cpu") -> None:
        self.space, self.device = space, device
        self.unit_span = torch.where(space.upper > space.lower, space.upper - space.lower, 1.0)
        self._levels = [int(c.high - c.low) + 1 if c.kind != "real" else 0 for c in space.columns]
        self._choices = [len(c.choices) if c.kind == "categorical" else 0 for c in space.columns]

    @cached_property
    def discrete(self) -> list[int]:
        """The numbers of the columns that are searched by steps: categorical ones, and integer ones of few levels."""
        return [j for j, n in enumerate(self._levels) if n and (self._choices[j] or n <= FINE)]

    @cached_property
    def smooth(self) -> list[int]:
        """The numbers of the columns that are searched along slopes."""
        return [j for j in range(self.space.dim) if j not in self.discrete]

    @property
    def whole(self) -> bool:
        """Whether some column is not real."""
        return any(self._levels)

    def unit(self, rows: Tensor) -> Tensor:
        """Canonical rows `[n, d]` on the unit cube, on the device."""
        unit: Tensor = ((rows - self.space.lower) / self.unit_span).to(self.device)
        return unit

    def rows(self, unit: Tensor) -> Tensor:
        """Canonical rows of rows of the unit cube `[n, d]`, whole numbers rounded."""
        rows: Tensor = self.space.canonical(self.space.lower + unit.cpu() * self.unit_span)
        return rows

    def snapped(self, unit: Tensor) -> Tensor:
        """The same rows with whole columns on their levels, those of few levels and categorical ones equally likely."""
        if not self.whole:
            return unit
        unit = unit.clone()
        for j, n in enumerate(self._levels):
            if n == 1:
                unit[:, j] = 0
            elif n and j in self.discrete:
                unit[:, j] = (unit[:, j] * n).floor().clamp(0, n - 1) / (n - 1)
            elif n:
                unit[:, j] = (unit[:, j] * (n - 1)).round() / (n - 1)
        return unit

    def features(self, unit: Tensor) -> Tensor:
        """What a model is told of rows of the unit cube `[..., d]`: `[..., f]`."""
        if not any(self._choices):
            return unit
        parts = []
        for j, n in enumerate(self._choices):
            column = unit[..., j : j + 1]
            if n:
                index = (column * max(n - 1, 1)).round().long()
                column = (index == torch.arange(n, device=unit.device)).to(unit) * math.sqrt(0.5)
            parts.append(column)
        return torch.cat(parts, dim=-1)

    def values(self, features: Tensor) -> Tensor:
        """Rows in the space's units `[n, d]` of what a model is told of them `[n, f]`; with slopes of real columns."""
        at, unit = 0, []
        for n in self._choices:
            part = features[:, at : at + max(n, 1)]
            unit.append(part.argmax(dim=1, keepdim=True).to(part) / max(n - 1, 1) if n else part)
            at += max(n, 1)
        rows: Tensor = self.space.lower.to(features) + torch.cat(unit, dim=1) * self.unit_span.to(features)
        return rows

    def every_row(self) -> Tensor:
        """All canonical rows `[n, d]` of a space without real columns."""
        levels = [torch.arange(n) + c.low for n, c in zip(self._levels, self.space.columns, strict=True)]
        return torch.cartesian_prod(*levels).reshape(-1, self.space.dim).to(torch.float64)

    def neighbours(self, unit: Tensor) -> Tensor:
        """Rows `[k, d]` that differ from one row `[d]` in one discrete column: another choice, or a step up or down."""
        found = []
        for j in self.discrete:
            n = self._levels[j]
            level = round(float(unit[j]) * max(n - 1, 1))
            steps = {1, max(1, round(LEAP * n))}
            near = {level + sign * step for step in steps for sign in (-1, 1)}
            for other in sorted(set(range(n)) - {level}) if self._choices[j] else sorted(near & set(range(n))):
                row = unit.clone()
                row[j] = other / (n - 1)
                found.append(row)
        return torch.stack(found) if found else unit.new_empty(0, len(unit))

    def stirred(self, unit: Tensor, stream: torch.Generator) -> Tensor:
        """Rows of the unit cube, each with about one discrete column drawn anew."""
        if not self.discrete:
            return unit
        shape = (len(unit), len(self.discrete))
        hit = (torch.rand(shape, generator=stream) < 1 / len(self.discrete)).to(unit.device)
        drawn = torch.rand(shape, generator=stream, dtype=torch.float64).to(unit)
        unit = unit.clone()
        unit[:, self.discrete] = torch.where(hit, drawn, unit[:, self.discrete])
        return unit
