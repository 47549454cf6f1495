"""Indicators: pure functions from a set of objectives to a number, and the registry that says what each one needs.

The functions load where they are first used (`moo.indicators.hypervolume`), so that listing them imports nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from moo.indicators.volume import hypervolume


class Indicator(NamedTuple):
    """What is known about an indicator without loading it.

    Attributes:
        function: Where it is, `"package.module:attribute"`.
        context: What it takes beside the objectives, in order, each by this name: `reference_point`, `reference_set`,
            `preferences`, `ideal_point`.
        higher_is_better: Whether a better set scores higher.
    """

    function: str
    context: tuple[str, ...]
    higher_is_better: bool


INDICATORS: dict[str, Indicator] = {
    "hypervolume": Indicator("moo.indicators.volume:hypervolume", ("reference_point",), higher_is_better=True),
}

__all__ = ["INDICATORS", "Indicator", "hypervolume"]


def __getattr__(name: str) -> Any:
    """Load a public function when it is first asked for."""
    for indicator in INDICATORS.values():
        module, _, attribute = indicator.function.partition(":")
        if attribute == name:
            return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
