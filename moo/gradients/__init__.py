"""Several gradients, or advantages, made one: rules that give a weight for each, as pure functions of tensors.

Most take the Gram matrix `[..., n, n]` of the objectives' gradients, whatever the number of parameters. Where a rule
needs values it says which: losses are minimised, objectives and advantages are maximised. The step is along the
weighted sum of the gradients, down for losses and up for objectives. The functions load where they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moo.gradients.rules import WEIGHT_RULES, arguments, weights
from moo.registry import lazy

if TYPE_CHECKING:
    from moo.gradients.borrowed import aligned_mtl, cagrad, dualproj, imtl_g, nash_mtl, pcgrad, upgrad
    from moo.gradients.constraints import multiplier_step, multiplier_weights
    from moo.gradients.descent import Descent, descend
    from moo.gradients.grams import full_gram, gram_of, layer_grams, sample_gram, sketched_gram
    from moo.gradients.norms import min_norm
    from moo.gradients.projections import pama, pama_gram
    from moo.gradients.rays import epo, pareto_mtl, pmgda
    from moo.gradients.reweighting import (
        covariance_targets,
        covariances,
        exponentiated,
        influence,
        influence_weights,
        raised,
    )
    from moo.gradients.scalar_rules import linear, smooth_tchebycheff
    from moo.gradients.volumes import hypervolume_factor, hypervolume_gradient

# What is beside the rules: steps and measures that are no weights, providers of Gram matrices, descent.
FUNCTIONS: dict[str, str] = {
    "Descent": "moo.gradients.descent",
    "covariances": "moo.gradients.reweighting",
    "descend": "moo.gradients.descent",
    "exponentiated": "moo.gradients.reweighting",
    "full_gram": "moo.gradients.grams",
    "gram_of": "moo.gradients.grams",
    "hypervolume_factor": "moo.gradients.volumes",
    "influence": "moo.gradients.reweighting",
    "layer_grams": "moo.gradients.grams",
    "multiplier_step": "moo.gradients.constraints",
    "raised": "moo.gradients.reweighting",
    "sample_gram": "moo.gradients.grams",
    "sketched_gram": "moo.gradients.grams",
}

__all__ = [
    "WEIGHT_RULES",
    "Descent",
    "aligned_mtl",
    "arguments",
    "cagrad",
    "covariance_targets",
    "covariances",
    "descend",
    "dualproj",
    "epo",
    "exponentiated",
    "full_gram",
    "gram_of",
    "hypervolume_factor",
    "hypervolume_gradient",
    "imtl_g",
    "influence",
    "influence_weights",
    "layer_grams",
    "linear",
    "min_norm",
    "multiplier_step",
    "multiplier_weights",
    "nash_mtl",
    "pama",
    "pama_gram",
    "pareto_mtl",
    "pcgrad",
    "pmgda",
    "raised",
    "sample_gram",
    "sketched_gram",
    "smooth_tchebycheff",
    "upgrad",
    "weights",
]


_HOMES = {target.partition(":")[2]: target.partition(":")[0] for target in WEIGHT_RULES.values()} | FUNCTIONS
__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
