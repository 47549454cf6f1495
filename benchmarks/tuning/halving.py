"""Successive halving with several objectives: which trials go on to the next rung, and what the rungs cost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from moo.checks import check_count
from moo.dominance import pareto_ranks
from moo.indicators.volume import hypervolume_contributions

MARGIN = 0.1  # of the range of all values: how far below the worst ones contributions are measured from


@dataclass(frozen=True)
class Rungs:
    """The budgets that trials are run with, smallest first, and how many trials get as far.

    Source: Jamieson and Talwalkar 2016 (1502.07943), successive halving; a group of trials enters at the bottom, and of
    each group one share of `reduction` goes on, so that every rung of a group costs the same.

    Attributes:
        budget: Of a full trial, in the problem's unit.
        count: How many rungs.
        reduction: How many times as many trials enter a rung as leave it, and as much more budget the next one takes.

    Raises:
        TypeError, ValueError: A number is not whole or too small, or the lowest rung's budget would be below 1.
    """

    budget: int
    count: int = 3
    reduction: int = 3

    def __post_init__(self) -> None:
        check_count("budget", self.budget)
        check_count("rungs", self.count)
        check_count("reduction", self.reduction, low=2)
        if self.budget < self.reduction ** (self.count - 1):
            raise ValueError(
                f"`budget` should be at least {self.reduction ** (self.count - 1)} with {self.count} rungs and a "
                f"reduction of {self.reduction}. Found {self.budget}: take fewer rungs."
            )

    @property
    def budgets(self) -> tuple[int, ...]:
        """Of each rung, the last that of a full trial; the others rounded down, or groups would cost too much."""
        return tuple(self.budget // self.reduction**i for i in reversed(range(self.count)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many trials of a group run at each rung; at the last, one."""
        return tuple(self.reduction**i for i in reversed(range(self.count)))

    def cost(self, rung: int) -> float:
        """Of one run at a rung, in full trials."""
        return self.budgets[rung] / self.budget

    @property
    def group_cost(self) -> float:
        """Of a whole group, in full trials: about one for each rung."""
        return sum(size * self.cost(rung) for rung, size in enumerate(self.sizes))


def best_first(values: Tensor) -> list[int]:
    """Row numbers, the best first: by non-dominated rank, then by what a row adds to its rank's hypervolume, then age.

    The hypervolume is measured from a tenth of the range below the worst value of each objective. Rows with NaN, of
    trials that failed, come last. One objective is ordered by its value.

    Args:
        values: Maximised, in the order of age, `[n, m]`.
    """
    fine = torch.isfinite(values).all(dim=1)
    order = [(1, 0, 0.0, row) for row in range(len(values))]
    if fine.any():
        ranks = pareto_ranks(torch.where(fine[:, None], values, -torch.inf))
        kept = values[fine]
        low, high = kept.amin(dim=0), kept.amax(dim=0)
        span = torch.where(high > low, high - low, 1.0)
        scaled = (values - low) / span + MARGIN
        for rank in sorted(set(ranks[fine].tolist())):
            rows = torch.nonzero(fine & (ranks == rank)).flatten()
            adds = hypervolume_contributions(scaled[rows], torch.zeros_like(low))
            for row, added in zip(rows.tolist(), adds.tolist(), strict=True):
                order[row] = (0, rank, -added, row)
    return [row for *_, row in sorted(order)]


def going_on(values: Tensor, gone: Collection[int], count: int) -> list[int]:
    """The next trials to leave a rung: the best that ran there, less those that have left it and those that failed.

    Args:
        values: Of all trials that ran at the rung, maximised, oldest first, NaN of failed ones, `[n, m]`.
        gone: Row numbers of those that have left it.
        count: How many, at most.
    """
    failed = (~torch.isfinite(values)).any(dim=1).tolist()
    return [row for row in best_first(values) if row not in gone and not failed[row]][:count]
