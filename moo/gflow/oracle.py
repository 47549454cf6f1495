"""Exact truths of a construction problem: what a GFlowNet that has learned perfectly would sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from moo.base import Oracle
from moo.checks import check_count
from moo.gflow.rewards import log_reward
from moo.preferences import check_preferences
from moo.seeding import torch_generator


@dataclass(frozen=True, repr=False)
class ConditionalOracle(Oracle):
    """The exact front, and the exact law `p(x | preference, beta)` over cells of objects that share their objectives.

    A cell is one object where the space can be enumerated, else a class of objects whose number is known.

    Attributes:
        objectives: Of each cell, float64 `[cells, m]`.
        log_counts: Logarithm of the number of objects in each cell, float64 `[cells]`.
        index: The cells `[n]` of finished states `[n, ...]`.
        draw: Finished states `[n, ...]`, uniform within the cells `[n]` asked for, from a torch generator.
    """

    objectives: Tensor
    log_counts: Tensor
    index: Callable[[Tensor], Tensor]
    draw: Callable[[Tensor, torch.Generator], Tensor]

    def log_z(
        self, preferences: Tensor, beta: float | Tensor, scalarisation: str = "weighted-sum", floor: float = 1e-30
    ) -> Tensor:
        """`log sum_x R(x | preference)^beta`, `[k]`, for preferences `[k, m]` and one beta or one for each."""
        return self._log_mass(preferences, beta, scalarisation, floor).logsumexp(dim=1)

    def distribution(
        self, preferences: Tensor, beta: float | Tensor, scalarisation: str = "weighted-sum", floor: float = 1e-30
    ) -> Tensor:
        """The probability of each cell, float64 `[k, cells]`, for preferences `[k, m]` and one beta or one for each.

        Args:
            preferences: `[k, m]`.
            beta: At least 0: how sharp; 0 makes all objects equally likely.
            scalarisation: One of `moo.gflow.rewards.SCALARISATIONS`.
            floor: The least reward.
        """
        return self._log_mass(preferences, beta, scalarisation, floor).softmax(dim=1)

    def perfect_sampler(
        self,
        preferences: Tensor,
        beta: float | Tensor,
        n: int,
        *,
        seed: int = 0,
        scalarisation: str = "weighted-sum",
        floor: float = 1e-30,
    ) -> Tensor:
        """`n` objects drawn from the exact law for each preference: finished states `[k, n, ...]`."""
        n = check_count("n", n)
        law = self.distribution(preferences, beta, scalarisation, floor)
        stream = torch_generator(seed, "perfect sampler")
        cells = torch.multinomial(law, n, replacement=True, generator=stream)
        objects = self.draw(cells.flatten(), stream)
        return objects.reshape(*cells.shape, *objects.shape[1:])

    def _log_mass(self, preferences: Tensor, beta: float | Tensor, scalarisation: str, floor: float) -> Tensor:
        """Unnormalised, `[k, cells]`."""
        preferences = check_preferences(preferences, self.objectives.shape[1])
        values = log_reward(self.objectives, preferences[:, None, :], scalarisation, floor=floor)
        betas = torch.as_tensor(beta, dtype=torch.float64).reshape(-1, 1)
        if len(betas) not in (1, len(preferences)) or not bool((betas >= 0).all()):
            raise ValueError(
                f"`beta` should be one number or {len(preferences)}, each at least 0. Found {betas.flatten().tolist()}."
            )
        return betas * values + self.log_counts


def enumerated(
    objectives: Tensor, states: Tensor, index: Callable[[Tensor], Tensor], front: Tensor
) -> ConditionalOracle:
    """The oracle of a space whose finished states `[cells, ...]` are all at hand, each a cell of its own."""
    one_each = torch.zeros(len(states), dtype=torch.float64)
    return ConditionalOracle(front, objectives, one_each, index, lambda cells, _: states[cells])
