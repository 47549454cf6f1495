"""Preferences drawn at random from the simplex."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from moo.base import Candidates, Problem, Setting
from moo.options import Option
from moo.preferences import dirichlet
from moo.seeding import torch_generator


class Dirichlet:
    """Draw every preference independently from a symmetric Dirichlet distribution.

    Args:
        problem: The problem, for its number of objectives.
        budget: Not used; part of the contract.
        seed: Of the draws.
        hyperparameters: Left as they are.
        alpha: 1: uniform over the simplex; below: towards its corners; above: towards its centre.
    """

    options: ClassVar[Mapping[str, Option]] = {
        "alpha": Option(1.0, low=1e-3, high=1e3, log=True, help="1: uniform; below: corners; above: centre"),
    }

    def __init__(
        self,
        problem: Problem,
        *,
        budget: int,  # noqa: ARG002
        seed: int,
        hyperparameters: Mapping[str, Option],  # noqa: ARG002
        alpha: float,
    ) -> None:
        self._num_objectives = problem.num_objectives
        self._seed = seed
        self._alpha = alpha
        self._round = 0

    def suggest(self, k: int) -> Setting:
        """Draw `k` preferences."""
        stream = torch_generator(self._seed, "dirichlet", self._round)
        self._round += 1
        return Setting(dirichlet(k, self._num_objectives, stream, alpha=self._alpha))

    def observe(self, setting: Setting, candidates: Candidates, cost: int) -> None:
        """Nothing is learned."""

    def state_dict(self) -> dict[str, Any]:
        return {"round": self._round}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._round = state["round"]
