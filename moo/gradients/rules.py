"""The weight rules by name: a registry of strings that are resolved when a rule is used."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moo.checks import unknown_name
from moo.registry import resolve

if TYPE_CHECKING:
    from torch import Tensor

WEIGHT_RULES: dict[str, str] = {
    "linear": "moo.gradients.scalar_rules:linear",
    "smooth_tchebycheff": "moo.gradients.scalar_rules:smooth_tchebycheff",
    "min_norm": "moo.gradients.norms:min_norm",
    "epo": "moo.gradients.rays:epo",
    "pareto_mtl": "moo.gradients.rays:pareto_mtl",
    "pmgda": "moo.gradients.rays:pmgda",
    "hypervolume_gradient": "moo.gradients.volumes:hypervolume_gradient",
    "pama": "moo.gradients.projections:pama",
    "pama_gram": "moo.gradients.projections:pama_gram",
    "influence_weights": "moo.gradients.reweighting:influence_weights",
    "covariance_targets": "moo.gradients.reweighting:covariance_targets",
    "multiplier_weights": "moo.gradients.constraints:multiplier_weights",
    "pcgrad": "moo.gradients.borrowed:pcgrad",
    "cagrad": "moo.gradients.borrowed:cagrad",
    "imtl_g": "moo.gradients.borrowed:imtl_g",
    "nash_mtl": "moo.gradients.borrowed:nash_mtl",
    "upgrad": "moo.gradients.borrowed:upgrad",
    "aligned_mtl": "moo.gradients.borrowed:aligned_mtl",
    "dualproj": "moo.gradients.borrowed:dualproj",
}


def weights(name: str, gram: Tensor | None = None, **context: Any) -> Tensor:
    """The weights of the rule called `name`.

    Args:
        name: A key of `WEIGHT_RULES`.
        gram: `[..., n, n]`, for the rules that take one.
        context: What else the rule takes, by the names of its arguments: `losses`, `preferences`, `advantages` ...

    Returns:
        What the rule says, `[..., n]` where its docstring does not say otherwise.

    Raises:
        ValueError: The rule is unknown (the known ones are listed), or it takes something else.
    """
    given = context if gram is None else {"gram": gram, **context}
    function: Callable[..., Tensor] = resolve(WEIGHT_RULES, name, "weight rule")
    known, needed = arguments(name)
    for argument in given:
        if argument not in known:
            raise ValueError(unknown_name(f"argument of {name}", argument, known))
    missing = [argument for argument in needed if argument not in given]
    if missing:
        raise ValueError(f"The rule {name!r} needs {', '.join(f'`{one}`' for one in missing)}. Pass them by name.")
    return function(**given)


@functools.cache
def arguments(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of all arguments of the rule called `name`, and of those that have no default."""
    found = inspect.signature(resolve(WEIGHT_RULES, name, "weight rule")).parameters
    return tuple(found), tuple(key for key, one in found.items() if one.default is inspect.Parameter.empty)
