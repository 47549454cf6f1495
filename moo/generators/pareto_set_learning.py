"""Pareto set learning: a network from preferences to solutions, trained on Gaussian processes."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

from moo.base import Candidates
from moo.bayes.pareto_sets import plain_descent
from moo.bayes.set_search import SEARCHING, SetSearch
from moo.metered import Metered
from moo.options import Option


class ParetoSetLearning(SetSearch):
    """A network gives a solution for every preference; the solutions evaluated next are those that gain most.

    Source: Lin, Yang, Zhang and Zhang 2022 (NeurIPS, 2210.08495). Differences: see docs/methods/pareto_set_learning.md.
    """

    options: ClassVar[Mapping[str, Option]] = SEARCHING

    def __init__(
        self,
        problem: Metered,
        *,
        budget: int,  # noqa: ARG002
        seed: int,
        device: str,
        initial: Candidates | None = None,
        **options: Any,
    ) -> None:
        said = SimpleNamespace(**options)
        super().__init__(problem, plain_descent, said, seed=seed, device=device, initial=initial)
