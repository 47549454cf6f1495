"""Deep sea treasure: a submarine trades the value of a treasure for the time it takes to get there.

Source: Vamplew, Dazeley, Berry, Issabekov and Dekker 2011, "Empirical evaluation methods for multiobjective
reinforcement learning algorithms", Machine Learning 84 (the concave treasures); Yang, Sun and Narasimhan 2019
(1908.08342), the convex ones; Felten et al. 2022, the mirrored map. The dynamics are those of MO-Gymnasium's
`deep-sea-treasure-v0`, `-concave-v0` and `-mirrored-v0`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from moo.checks import unknown_name
from moo.rl.finite import FiniteEnvironment
from moo.rl.models import FiniteModel
from moo.space import Space, integer

MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


class Sea(NamedTuple):
    """A map. Every column is open water down to its depth, then a treasure or a rock, then rocks.

    Attributes:
        depths: Of each column, in rows.
        treasures: By column: what lies at its depth.
        height: Rows.
        start: Where the submarine begins, row and column.
    """

    depths: tuple[int, ...]
    treasures: dict[int, float]
    height: int
    start: tuple[int, int]


DEPTHS = (1, 2, 3, 4, 4, 4, 7, 7, 9, 10)
CONCAVE = (1.0, 2.0, 3.0, 5.0, 8.0, 16.0, 24.0, 50.0, 74.0, 124.0)
CONVEX = (0.7, 8.2, 11.5, 14.0, 15.1, 16.1, 19.6, 20.3, 22.4, 23.7)
SEAS = {
    "convex": Sea((*DEPTHS, 11), dict(enumerate(CONVEX)), 11, (0, 0)),
    "concave": Sea((*DEPTHS, 11), dict(enumerate(CONCAVE)), 11, (0, 0)),
    "mirrored": Sea(
        (11, 10, 8, 8, 5, 5, 5, 4, 3, 2, *DEPTHS), dict(zip(range(10, 20), CONCAVE, strict=True)), 11, (0, 10)
    ),
}


class DeepSeaTreasure(FiniteEnvironment):
    """Deep sea treasure: objectives treasure and time (-1 each step), both maximised. Deterministic.

    Actions: up, down, left, right; a move off the map or into a rock does nothing but takes its time. A treasure ends
    the episode. What is observed are row and column.

    Args:
        variant: Of the map: `"convex"`, all of whose treasures are best for some linear preference; `"concave"`, where
            only the nearest and the farthest are; `"mirrored"`, the concave one on a wide map whose left half is empty.
        gamma: Discount, in (0, 1].
        max_steps: After which an episode is cut.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(self, variant: str = "convex", gamma: float = 0.99, max_steps: int = 100) -> None:
        if variant not in SEAS:
            raise ValueError(unknown_name("variant of deep-sea-treasure", variant, SEAS))
        sea = SEAS[variant]
        width = len(sea.depths)
        cells = torch.cartesian_prod(torch.arange(sea.height), torch.arange(width))
        super().__init__(
            "deep-sea-treasure",
            _model(sea),
            cells,
            Space((integer(0, sea.height - 1, "row"), integer(0, width - 1, "column"))),
            tuple(MOVES),
            ("treasure", "time"),
            gamma,
            max_steps,
            (0.0, -50.0),
        )


def _model(sea: Sea) -> FiniteModel:
    """The map as tables; cells are numbered row by row."""
    width = len(sea.depths)
    successors = torch.zeros(sea.height * width, len(MOVES), 1, dtype=torch.int64)
    treasure = torch.zeros(sea.height * width, dtype=torch.float64)
    for column, value in sea.treasures.items():
        treasure[sea.depths[column] * width + column] = value

    def open_water(row: int, column: int) -> bool:
        if not (0 <= row < sea.height and 0 <= column < width):
            return False
        return row < sea.depths[column] or (row == sea.depths[column] and column in sea.treasures)

    for row in range(sea.height):
        for column in range(width):
            for action, (down, right) in enumerate(MOVES.values()):
                moved = (row + down, column + right)
                to = moved if open_water(*moved) else (row, column)
                successors[row * width + column, action] = to[0] * width + to[1]
    gained = treasure[successors]
    return FiniteModel(
        successors,
        torch.ones_like(gained),
        torch.stack([gained, -torch.ones_like(gained)], dim=-1),
        gained > 0,
        sea.start[0] * width + sea.start[1],
    )
