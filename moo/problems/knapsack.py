"""The multi-objective 0/1 knapsack problem: which items to pack into m knapsacks, each with profits of its own.

Source: Zitzler and Thiele 1999, "Multiobjective evolutionary algorithms: a comparative case study and the strength
Pareto approach", IEEE TEVC 3(4).
"""

from __future__ import annotations

from functools import cached_property

import moocore
import numpy as np
import torch
from torch import Tensor

from moo.base import Evaluation, Oracle, VectorProblem
from moo.checks import check_count, check_matrix
from moo.dominance import non_dominated
from moo.seeding import numpy_generator
from moo.space import Space, integer

EXACT_ITEMS = {2: 30, 3: 20}  # by objectives: up to which the front is found by dynamic programming
EXACT_ITEMS_ABOVE = 15


class MOKP(VectorProblem):
    """A knapsack problem of n items and m knapsacks: the profit of each knapsack is maximised, within its capacity.

    An item is packed into all knapsacks or none. Profits and weights are whole numbers drawn evenly from 10 to 100,
    independently; each knapsack holds half the weight of all items. Constraint i is the weight above its capacity,
    feasible where `<= 0`: the source repairs overfull knapsacks by taking items out, here they are infeasible. Its own
    instances (250, 500 and 750 items) are not these: they are drawn anew from `seed`, the same on every machine.

    Up to 30 items for two knapsacks, 20 for three and 15 for more, `oracle.front` holds the exact front. The reference
    point is its nadir minus a tenth of its range; with more items it is the profit of packing nothing, 0.

    Source: Zitzler and Thiele 1999, section IV-A. (pymoo's `MultiObjectiveKnapsack` is another problem: one knapsack,
    profit against the number of items.)

    Args:
        items: n, at least 2.
        num_objectives: m knapsacks, at least 2.
        seed: Of the instance.

    Attributes:
        profits: `[n, m]`.
        weights: `[n, m]`.
        capacities: `[m]`.
    """

    name = "mokp"

    def __init__(self, items: int = 250, num_objectives: int = 2, seed: int = 0) -> None:
        n = self.items = check_count("items", items, low=2)
        m = self.num_objectives = check_count("num_objectives", num_objectives, low=2)
        stream = numpy_generator(check_count("seed", seed, low=0), "knapsack")
        drawn = torch.from_numpy(stream.integers(10, 101, size=(2, n, m)).astype(np.float64))
        self.profits, self.weights = drawn.unbind()
        self.capacities = 0.5 * self.weights.sum(dim=0)
        self.space = Space(tuple(integer(0, 1) for _ in range(n)))
        self.directions = ("max",) * m
        self.objective_names = tuple(f"profit {i + 1}" for i in range(m))
        self.num_constraints = m

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Evaluation:  # noqa: ARG002
        rows = check_matrix("solutions", solutions, columns=self.space.dim)
        return Evaluation(rows @ self.profits, rows @ self.weights - self.capacities)

    @cached_property
    def oracle(self) -> Oracle | None:  # type: ignore[override]
        """The exact front where there are few items."""
        if self.items > EXACT_ITEMS.get(self.num_objectives, EXACT_ITEMS_ABOVE):
            return None
        return Oracle(exact_front(self.profits, self.weights, self.capacities))

    @cached_property
    def reference_front(self) -> Tensor | None:  # type: ignore[override]
        """The exact front where it is known."""
        return None if self.oracle is None else self.oracle.front

    @cached_property
    def reference_point(self) -> Tensor:  # type: ignore[override]
        """What a front is measured from, `[m]`."""
        front = self.reference_front
        if front is None:
            return torch.zeros(self.num_objectives, dtype=torch.float64)
        worst, best = front.amin(dim=0), front.amax(dim=0)
        return worst - 0.1 * torch.where(best > worst, best - worst, worst.clamp(min=1))


def exact_front(profits: Tensor, weights: Tensor, capacities: Tensor) -> Tensor:
    """All Pareto-optimal profits of packing items into knapsacks at once, by dynamic programming.

    Item by item, each partial packing that still fits is kept unless another weighs no more in every knapsack and
    brings at least as much in every one: whatever completes the one completes the other.

    Source: Nemhauser and Ullmann 1969, "Discrete dynamic programming and capital allocation", Management Science 15(9),
    here with several weights and profits.

    Args:
        profits: `[n, m]`.
        weights: `[n, m]`.
        capacities: `[m]`.

    Returns:
        Profits `[k, m]`, maximised, different and ascending in the first.
    """
    m = profits.shape[1]
    states = np.zeros((1, 2 * m))  # weights, then minus the profits: the less the better
    room = capacities.numpy()
    for item in torch.cat([weights, -profits], dim=1).numpy():
        packed = states + item
        states = np.concatenate([states, packed[(packed[:, :m] <= room).all(axis=1)]])
        states = states[moocore.is_nondominated(states)]
    found = torch.from_numpy(-states[:, m:])
    front = found[non_dominated(found)]
    return front[front[:, 0].argsort()]
