"""Fruit tree: at every fork left or right, and at the end a fruit of six nutrients, each tree having other fruits.

Source: Yang, Sun and Narasimhan 2019, "A generalized algorithm for multi-objective reinforcement learning and policy
adaptation", NeurIPS (1908.08342), whose fruits stand in `data/fruit_tree.npz`. The dynamics are those of MO-Gymnasium's
`fruit-tree-v0`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from moo.checks import check_count
from moo.real_world import DATA
from moo.rl.finite import FiniteEnvironment
from moo.rl.models import FiniteModel
from moo.space import Space, integer

DEPTHS = (5, 6, 7)
NUTRIENTS = ("protein", "carbs", "fats", "vitamins", "minerals", "water")


class FruitTree(FiniteEnvironment):
    """Fruit tree: six objectives, the nutrients of the fruit at the end, all maximised. Deterministic.

    Actions: left, right. An episode ends at a leaf, after `depth` steps, and is never cut; only its last step has a
    reward, from 0 to 10 each. What is observed are the level, 0 at the root, and the index of the node in its level.

    The front is exact: every leaf is on it, and each is the best for some linear preference, as all fruits are vectors
    of length 10. Hypervolumes at `gamma=.99` with the reference point (six times -1): 36815.955 at depth 5, 46034.802
    at 6, 56718.684 at 7.

    Args:
        depth: Of the tree: 5, 6 or 7, with 32, 64 or 128 leaves.
        gamma: Discount, in (0, 1].

    Raises:
        TypeError: `depth` is no whole number.
        ValueError: An argument is out of its range.
    """

    def __init__(self, depth: int = 6, gamma: float = 0.99) -> None:
        depth = check_count("depth", depth, low=min(DEPTHS), high=max(DEPTHS))
        levels = torch.repeat_interleave(2 ** torch.arange(depth + 1))
        nodes = torch.arange(len(levels))
        super().__init__(
            "fruit-tree",
            _model(depth, read_fruits(depth)),
            torch.stack([levels, nodes + 1 - 2**levels], dim=1),
            Space((integer(0, depth, "level"), integer(0, 2**depth - 1, "index"))),
            ("left", "right"),
            NUTRIENTS,
            gamma,
            depth,
            [-1.0] * len(NUTRIENTS),
        )

    def step(
        self, state: Tensor, actions: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        state, rewards, terminated, truncated = super().step(state, actions, generator)
        return state, rewards, terminated, truncated & ~terminated  # a leaf is an end, not a cut


def read_fruits(depth: int) -> Tensor:
    """The fruits of a tree from left to right, float64 `[2**depth, 6]`."""
    with (DATA / "fruit_tree.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return torch.from_numpy(arrays[f"depth_{depth}"])


def _model(depth: int, fruits: Tensor) -> FiniteModel:
    """The tree as tables: nodes are numbered level by level, so those below node i are 2 i + 1 and 2 i + 2."""
    forks = 2**depth - 1
    nodes = torch.arange(forks + len(fruits))
    below = 2 * nodes[:, None] + torch.tensor([1, 2])
    leaf = nodes >= forks
    successors = torch.where(leaf[:, None], nodes[:, None], below)[:, :, None]  # behind its end an episode stays there
    rewards = torch.zeros(*successors.shape, fruits.shape[1], dtype=torch.float64)
    rewards[~leaf] = torch.cat([fruits.new_zeros(forks, fruits.shape[1]), fruits])[successors[~leaf]]
    return FiniteModel(
        successors, torch.ones(successors.shape, dtype=torch.float64), rewards, leaf[successors], start=0
    )
