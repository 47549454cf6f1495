"""Our weight rules inside TorchJD: wherever it takes a weighting of a Gram matrix."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from moo.gradients.rules import arguments, weights

try:
    from torchjd.aggregation import GramianWeightedAggregator, Weighting
except ImportError as error:
    raise ImportError("`RuleWeighting` needs TorchJD: pip install 'moo-suite[gradients]'.") from error


class RuleWeighting(Weighting):  # type: ignore[misc]
    """A rule of `moo.gradients` as TorchJD's `Weighting` of a Gram matrix.

    `torchjd.autogram.Engine` gives such matrices, `RuleAggregator` makes an aggregator of Jacobians of it.

    Args:
        rule: A key of `moo.gradients.WEIGHT_RULES` that takes a Gram matrix.
        context: What else the rule takes, by name: set `context["losses"]` anew before each step for rules by values.

    Raises:
        ValueError: The rule is unknown or takes no Gram matrix.
    """

    def __init__(self, rule: str, **context: Any) -> None:
        super().__init__()
        if "gram" not in arguments(rule)[0]:
            raise ValueError(f"`rule` should take a Gram matrix. {rule!r} takes {', '.join(arguments(rule)[0])}.")
        self.rule, self.context = rule, context

    def forward(self, stat: Tensor, /) -> Tensor:
        """The weights `[n]` of a Gram matrix `[n, n]`."""
        return weights(self.rule, stat, **self.context)


class RuleAggregator(GramianWeightedAggregator):  # type: ignore[misc]
    """A rule of `moo.gradients` as TorchJD's `Aggregator` of a Jacobian.

    Args:
        rule: A key of `moo.gradients.WEIGHT_RULES` that takes a Gram matrix.
        context: What else the rule takes, by name; it stands in `self.gramian_weighting.context`.

    Raises:
        ValueError: The rule is unknown or takes no Gram matrix.
    """

    def __init__(self, rule: str, **context: Any) -> None:
        super().__init__(RuleWeighting(rule, **context))
