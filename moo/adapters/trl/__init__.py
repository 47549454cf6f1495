"""Weights of reward functions that move while TRL's `GRPOTrainer` trains, and fronts of models trained with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moo.registry import lazy

if TYPE_CHECKING:
    from moo.adapters.trl.by_levels import PAMA, HypervolumeFactor, HypervolumeGradient, SmoothTchebycheff
    from moo.adapters.trl.fronts import Sweep, train_sweep
    from moo.adapters.trl.trainer import MultiObjectiveGRPOTrainer, weights_history
    from moo.adapters.trl.weightings import CovarianceTargets, Fixed, Influence, Multipliers, Weighting

_HOMES: dict[str, str] = {
    "CovarianceTargets": "moo.adapters.trl.weightings",
    "Fixed": "moo.adapters.trl.weightings",
    "HypervolumeFactor": "moo.adapters.trl.by_levels",
    "HypervolumeGradient": "moo.adapters.trl.by_levels",
    "Influence": "moo.adapters.trl.weightings",
    "MultiObjectiveGRPOTrainer": "moo.adapters.trl.trainer",
    "Multipliers": "moo.adapters.trl.weightings",
    "PAMA": "moo.adapters.trl.by_levels",
    "SmoothTchebycheff": "moo.adapters.trl.by_levels",
    "Sweep": "moo.adapters.trl.fronts",
    "Weighting": "moo.adapters.trl.weightings",
    "train_sweep": "moo.adapters.trl.fronts",
    "weights_history": "moo.adapters.trl.trainer",
}

__all__ = [
    "PAMA",
    "CovarianceTargets",
    "Fixed",
    "HypervolumeFactor",
    "HypervolumeGradient",
    "Influence",
    "MultiObjectiveGRPOTrainer",
    "Multipliers",
    "SmoothTchebycheff",
    "Sweep",
    "Weighting",
    "train_sweep",
    "weights_history",
]

__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
