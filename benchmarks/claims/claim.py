"""A claim that the project makes about itself, and what was measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        what: In a line.
        against: The paper's or the peer's figure, or what is compared with.
        required: The bar, verbatim.
        measure: `"module:function"`; called with `quick`, gives a `Measurement`.
        quick: What the smaller form requires; None: it has none.
    """

    what: str
    against: str
    required: str
    measure: str
    quick: str | None = None


@dataclass(frozen=True)
class Measurement:
    """What a claim's function found.

    Attributes:
        met: Whether the bar is met; None: not measured.
        median, worst: In words, with their unit.
        seeds: Which.
        shortfall: By how much it falls short, or why it was not measured; empty where met.
        details: Further figures, JSON values.
    """

    met: bool | None
    median: str
    worst: str
    seeds: list[int]
    shortfall: str = ""
    details: Mapping[str, Any] | None = None

    @property
    def verdict(self) -> str:
        """As people read it."""
        if self.met is None:
            return f"not measured ({self.shortfall})"
        return "met" if self.met else f"short by {self.shortfall}"
