"""Resource gathering: gold and a gem are to be brought home past enemies, each of which may kill.

Source: Barrett and Narayanan 2008, "Learning all optimal policies with multiple criteria", ICML. The dynamics are those
of MO-Gymnasium's `resource-gathering-v0`.
"""

from __future__ import annotations

import itertools

import torch

from moo.rl.finite import FiniteEnvironment
from moo.rl.models import FiniteModel
from moo.space import Space, integer

MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
SIZE = 5
HOME, GOLD, GEM = (4, 2), (0, 2), (1, 4)
ENEMIES = ((0, 3), (1, 2))
KILLED = 0.1  # the chance each time a step ends at an enemy


class ResourceGathering(FiniteEnvironment):
    """Resource gathering: objectives enemy (-1 when killed), gold and gem (1 when brought home), all maximised.

    Actions: up, down, left, right on a map of 5 x 5; a move off the map stays where it is. A step that ends at one of
    the two enemies kills with chance .1. Being killed ends the episode, and so does every step that ends at home, also
    one that never left it. What is observed are row, column, and whether gold and gem are carried (0 or 1).

    The front is exact. At `gamma=.99` it is (0, 0, .99^9), (0, .99^11, 0) and (0, .99^17, .99^17), at 1 it is (0, 1, 1)
    alone: no enemy is worth its danger, and the policy that fetches both takes 18 steps. MO-Gymnasium's own
    `pareto_front` is wrong: it leaves that policy out, and each of its discounts has an exponent too high by one, the
    first reward being discounted too.

    The reference point is -1 for the enemy, which is certain death at once and thus the worst there is, and -.1 for the
    others, a tenth of a resource below none at all: with 0 the policies that leave one of them would count for nothing.

    Args:
        gamma: Discount, in (0, 1].
        max_steps: After which an episode is cut.

    Raises:
        TypeError: `max_steps` is no whole number.
        ValueError: An argument is out of its range.
    """

    def __init__(self, gamma: float = 0.99, max_steps: int = 100) -> None:
        last = SIZE - 1
        columns = (integer(0, last, "row"), integer(0, last, "column"), integer(0, 1, "gold"), integer(0, 1, "gem"))
        super().__init__(
            "resource-gathering",
            _model(),
            torch.tensor(_places()),
            Space(columns),
            tuple(MOVES),
            ("enemy", "gold", "gem"),
            gamma,
            max_steps,
            (-1.0, -0.1, -0.1),
        )


def _places() -> list[tuple[int, int, int, int]]:
    """Row, column, gold, gem: all combinations, also those that no episode gets to."""
    return list(itertools.product(range(SIZE), range(SIZE), (0, 1), (0, 1)))


def _model() -> FiniteModel:
    """The map as tables. The first outcome is to be killed where an enemy is, and what happens anyway elsewhere."""
    places = _places()
    number = {place: i for i, place in enumerate(places)}
    successors = torch.zeros(len(places), len(MOVES), 2, dtype=torch.int64)
    chances = torch.tensor([1.0, 0.0], dtype=torch.float64).repeat(len(places), len(MOVES), 1)
    rewards = torch.zeros(len(places), len(MOVES), 2, 3, dtype=torch.float64)
    ends = torch.zeros(len(places), len(MOVES), 2, dtype=torch.bool)
    for place, (row, column, gold, gem) in enumerate(places):
        for action, (down, right) in enumerate(MOVES.values()):
            cell = (min(max(row + down, 0), SIZE - 1), min(max(column + right, 0), SIZE - 1))
            gold_now, gem_now = max(gold, int(cell == GOLD)), max(gem, int(cell == GEM))
            successors[place, action] = number[*cell, gold_now, gem_now]
            if cell in ENEMIES:
                chances[place, action] = torch.tensor([KILLED, 1 - KILLED], dtype=torch.float64)
                rewards[place, action, 0, 0] = -1.0
                ends[place, action, 0] = True
            elif cell == HOME:
                rewards[place, action, :, 1:] = torch.tensor([gold, gem], dtype=torch.float64)
                ends[place, action] = True
    return FiniteModel(successors, chances, rewards, ends, number[*HOME, 0, 0])
