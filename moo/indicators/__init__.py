"""Indicators: pure functions from a set of objectives to a number, and the registry that says what each one needs.

The functions load where they are first used (`moo.indicators.hypervolume`), so that listing them imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from moo.registry import lazy

if TYPE_CHECKING:
    from moo.indicators.distance import additive_epsilon, gd, gd_plus, igd, igd_plus
    from moo.indicators.diversity import spacing
    from moo.indicators.r2_family import r2
    from moo.indicators.utility import expected_utility
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
    "r2": Indicator("moo.indicators.r2_family:r2", ("preferences", "ideal_point"), higher_is_better=False),
    "igd": Indicator("moo.indicators.distance:igd", ("reference_set",), higher_is_better=False),
    "igd_plus": Indicator("moo.indicators.distance:igd_plus", ("reference_set",), higher_is_better=False),
    "gd": Indicator("moo.indicators.distance:gd", ("reference_set",), higher_is_better=False),
    "gd_plus": Indicator("moo.indicators.distance:gd_plus", ("reference_set",), higher_is_better=False),
    "additive_epsilon": Indicator(
        "moo.indicators.distance:additive_epsilon", ("reference_set",), higher_is_better=False
    ),
    "expected_utility": Indicator("moo.indicators.utility:expected_utility", ("preferences",), higher_is_better=True),
    "spacing": Indicator("moo.indicators.diversity:spacing", (), higher_is_better=False),
}

__all__ = [
    "INDICATORS",
    "Indicator",
    "additive_epsilon",
    "expected_utility",
    "gd",
    "gd_plus",
    "hypervolume",
    "igd",
    "igd_plus",
    "r2",
    "spacing",
]


__getattr__ = lazy(__name__, {i.function.partition(":")[2]: i.function.partition(":")[0] for i in INDICATORS.values()})


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
