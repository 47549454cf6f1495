"""Indicators: pure functions from sets of objectives to numbers, and the registry that says what each one needs.

The functions load where they are first used (`moo.indicators.hypervolume`), so that listing them imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from moo.registry import lazy

if TYPE_CHECKING:
    from moo.dominance import crowding_distance, non_dominated, pareto_ranks
    from moo.indicators.distance import (
        averaged_hausdorff,
        epsilon_additive,
        epsilon_multiplicative,
        gd,
        gd_plus,
        igd,
        igd_plus,
    )
    from moo.indicators.diversity import maximum_spread, pc_entropy, spacing, sparsity
    from moo.indicators.improvement import coverage, hypervolume_improvement
    from moo.indicators.pairwise import mean_pairwise_distance, riesz_energy, solow_polasky
    from moo.indicators.r2_family import r2, r2_contributions, r2_exact, r2_mogfn
    from moo.indicators.samples import (
        direction_correlation,
        mean_edit_distance,
        mean_tanimoto_distance,
        top_k_diversity,
        top_k_reward,
    )
    from moo.indicators.subsets import hypervolume_subset
    from moo.indicators.surfaces import (
        attainment,
        attainment_difference,
        attainment_share,
        vorobev_deviation,
        vorobev_expectation,
    )
    from moo.indicators.utility import expected_utility, maximum_utility_loss
    from moo.indicators.volume import (
        hypervolume,
        hypervolume_approx,
        hypervolume_contributions,
        predicted_seconds,
        relative_hypervolume,
    )


class Indicator(NamedTuple):
    """What is known about an indicator without loading it.

    Attributes:
        function: Where it is, `"package.module:attribute"`.
        context: What it takes beside the objectives, in order, each by this name: `reference_point`, `reference_set`,
            `preferences`, `ideal_point`.
        higher_is_better: Whether a better set scores higher.
        max_objectives: Most objectives it takes; None: any number.
    """

    function: str
    context: tuple[str, ...]
    higher_is_better: bool
    max_objectives: int | None = None


def _of(module: str, name: str, *context: str, higher: bool = False, most: int | None = None) -> Indicator:
    return Indicator(f"moo.indicators.{module}:{name}", context, higher, most)


INDICATORS: dict[str, Indicator] = {
    "hypervolume": _of("volume", "hypervolume", "reference_point", higher=True),
    "relative_hypervolume": _of("volume", "relative_hypervolume", "reference_set", "reference_point", higher=True),
    "r2": _of("r2_family", "r2", "preferences", "ideal_point"),
    "r2_exact": _of("r2_family", "r2_exact", "ideal_point", most=4),
    "igd": _of("distance", "igd", "reference_set"),
    "igd_plus": _of("distance", "igd_plus", "reference_set"),
    "gd": _of("distance", "gd", "reference_set"),
    "gd_plus": _of("distance", "gd_plus", "reference_set"),
    "averaged_hausdorff": _of("distance", "averaged_hausdorff", "reference_set"),
    "epsilon_additive": _of("distance", "epsilon_additive", "reference_set"),
    "coverage": _of("improvement", "coverage", "reference_set", higher=True),
    "expected_utility": _of("utility", "expected_utility", "preferences", higher=True),
    "maximum_utility_loss": _of("utility", "maximum_utility_loss", "reference_set", "preferences"),
    "spacing": _of("diversity", "spacing"),
    "sparsity": _of("diversity", "sparsity"),
    "pc_entropy": _of("diversity", "pc_entropy", "reference_set", higher=True),
    "maximum_spread": _of("diversity", "maximum_spread", higher=True),
    "mean_pairwise_distance": _of("pairwise", "mean_pairwise_distance", higher=True),
    "solow_polasky": _of("pairwise", "solow_polasky", higher=True),
}

# Further functions of sets: they give rows or a value per row, or ask for what a registry cannot supply.
FUNCTIONS: dict[str, str] = {
    "attainment": "moo.indicators.surfaces",
    "attainment_difference": "moo.indicators.surfaces",
    "attainment_share": "moo.indicators.surfaces",
    "vorobev_deviation": "moo.indicators.surfaces",
    "vorobev_expectation": "moo.indicators.surfaces",
    "epsilon_multiplicative": "moo.indicators.distance",
    "hypervolume_approx": "moo.indicators.volume",
    "hypervolume_contributions": "moo.indicators.volume",
    "hypervolume_improvement": "moo.indicators.improvement",
    "hypervolume_subset": "moo.indicators.subsets",
    "predicted_seconds": "moo.indicators.volume",
    "r2_contributions": "moo.indicators.r2_family",
    "r2_mogfn": "moo.indicators.r2_family",
    "riesz_energy": "moo.indicators.pairwise",  # grows with every row: reports compare sets of any size
    "direction_correlation": "moo.indicators.samples",
    "mean_edit_distance": "moo.indicators.samples",
    "mean_tanimoto_distance": "moo.indicators.samples",
    "top_k_diversity": "moo.indicators.samples",
    "top_k_reward": "moo.indicators.samples",
    "non_dominated": "moo.dominance",
    "pareto_ranks": "moo.dominance",
    "crowding_distance": "moo.dominance",
}

__all__ = [
    "INDICATORS",
    "Indicator",
    "attainment",
    "attainment_difference",
    "attainment_share",
    "averaged_hausdorff",
    "coverage",
    "crowding_distance",
    "direction_correlation",
    "epsilon_additive",
    "epsilon_multiplicative",
    "expected_utility",
    "gd",
    "gd_plus",
    "hypervolume",
    "hypervolume_approx",
    "hypervolume_contributions",
    "hypervolume_improvement",
    "hypervolume_subset",
    "igd",
    "igd_plus",
    "maximum_spread",
    "maximum_utility_loss",
    "mean_edit_distance",
    "mean_pairwise_distance",
    "mean_tanimoto_distance",
    "non_dominated",
    "pareto_ranks",
    "pc_entropy",
    "predicted_seconds",
    "r2",
    "r2_contributions",
    "r2_exact",
    "r2_mogfn",
    "relative_hypervolume",
    "riesz_energy",
    "solow_polasky",
    "spacing",
    "sparsity",
    "top_k_diversity",
    "top_k_reward",
    "vorobev_deviation",
    "vorobev_expectation",
]


__getattr__ = lazy(
    __name__,
    {**{i.function.partition(":")[2]: i.function.partition(":")[0] for i in INDICATORS.values()}, **FUNCTIONS},
)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
