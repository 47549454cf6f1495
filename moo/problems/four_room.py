"""Four rooms: things of three kinds lie in a maze, and what is collected later counts for less.

Source: Barreto et al. 2017, "Successor features for transfer in reinforcement learning", NeurIPS (1606.05312), the four
rooms; the map with things of three kinds and the dynamics are those of MO-Gymnasium's `four-room-v0`.
"""

from __future__ import annotations

import functools
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from moo.base import EnvironmentProblem
from moo.checks import check_count
from moo.rl.finite import Tables, check_actions, check_gamma
from moo.rl.models import best_rows
from moo.rl.oracle import PolicyOracle
from moo.space import Space, categorical, integer

MOVES = {"left": (0, -1), "up": (-1, 0), "right": (0, 1), "down": (1, 0)}
KINDS = ("squares", "triangles", "circles")  # 1, 2 and 3 on a map
WALL, START, GOAL = "X", "_", "G"


class FourRoom(EnvironmentProblem):
    """Four rooms: objectives squares, triangles and circles, all maximised. Deterministic.

    Actions: left, up, right, down on a map of 13 x 13; a move off the map or into a wall does nothing. Four things of
    each kind lie there; each counts 1 in its objective when it is collected, once. The goal, in the corner opposite
    the start, counts 1 in all three and ends the episode. What is observed are row, column, and for each thing
    whether it has been collected (0 or 1), numbered column by column. A state is int64 `[n, 3]`: the cell, the
    collected things as bits, the steps taken.

    The front is exact and whole, from a search over orders of collecting (.3 s). At `gamma=.99` it has 240 points, 48
    of them best for some linear preference, and its policies take at most 94 steps; at 1 one policy gets all, (5, 5,
    5), in 68.

    The reference point is -.1 in each objective, a tenth of a thing below none at all: with 0 the policies that leave
    one kind and the goal would count for nothing.

    Args:
        gamma: Discount, in (0, 1].
        max_steps: After which an episode is cut.

    Raises:
        TypeError: `max_steps` is no whole number.
        ValueError: An argument is out of its range.
    """

    maze: ClassVar[tuple[str, ...]] = (  # "." is a free cell
        "1....2X.....G",
        "......X......",
        "......1......",
        ".............",
        "......X......",
        "2....3X......",
        "XX3.XXXXX.1XX",
        "......X2....3",
        "......X......",
        ".............",
        "......2......",
        "......X......",
        "_.....X3....1",
    )

    def __init__(self, gamma: float = 0.99, max_steps: int = 200) -> None:
        self.name = "four-room"
        self.gamma, self.max_steps = check_gamma(gamma), check_count("max_steps", max_steps)
        self.objective_names, self.num_objectives = KINDS, len(KINDS)
        self.directions = ("max",) * self.num_objectives
        self.reference_point = torch.full((self.num_objectives,), -0.1, dtype=torch.float64)
        self._layout = layout = _read(self.maze)
        flags = (integer(0, 1, f"thing {i + 1}") for i in range(len(layout.things)))
        corner = (integer(0, len(self.maze) - 1, "row"), integer(0, layout.width - 1, "column"))
        self.observation_space = Space((*corner, *flags))
        self.action_space = Space((categorical(list(MOVES), "action"),))
        bits = torch.zeros(len(layout.successors), dtype=torch.int64)
        bits[layout.things] = 2 ** torch.arange(len(layout.things))
        rewards = torch.zeros(len(bits), self.num_objectives, dtype=torch.float64)
        rewards[layout.things, layout.kinds] = 1.0
        rewards[layout.goal] = 1.0
        self._tables = Tables(torch.from_numpy(layout.successors), bits, rewards, torch.arange(len(layout.things)))

    def reset(self, n: int, generator: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        state = torch.zeros(n, 3, dtype=torch.int64)
        state[:, 0] = self._layout.start
        return state

    def step(
        self,
        state: Tensor,
        actions: Tensor,
        generator: torch.Generator | None = None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        successors, bits, rewards, _ = self._tables.on(state.device)
        cell = successors[state[:, 0], check_actions(self, actions, len(state))]
        had, steps = state[:, 1], state[:, 2] + 1
        terminated = cell == self._layout.goal
        counts = terminated | (bits[cell] & ~had > 0)
        state = torch.stack([cell, had | bits[cell], steps], dim=1)
        return state, rewards[cell] * counts[:, None], terminated, steps >= self.max_steps

    def observe(self, state: Tensor) -> Tensor:
        numbers = self._tables.on(state.device)[3]
        cell, width = state[:, :1], self._layout.width
        return torch.cat([cell // width, cell % width, state[:, 1:2] >> numbers & 1], dim=1).to(torch.float32)

    def action_mask(self, state: Tensor) -> None:  # noqa: ARG002
        return None

    @functools.cached_property
    def oracle(self) -> PolicyOracle | None:  # type: ignore[override]
        """The exact front of deterministic policies; None where `max_steps` is too few for one of them."""
        values, steps = _front(self._layout, self.gamma)
        # What the cut forbids can only take policies away. Where none on the front is cut, it stays the front.
        return PolicyOracle(torch.from_numpy(values)) if steps <= self.max_steps else None


class _Layout(NamedTuple):
    """A map as tables; cells are numbered row by row, things column by column, as in MO-Gymnasium.

    Attributes:
        successors: Where an action leads, int64 `[cells, 4]`.
        things: Their cells.
        kinds: Of the things: 0, 1 or 2.
        start: The cell where an episode begins.
        goal: The cell where it ends.
        width: Of the map, in columns.
    """

    successors: np.ndarray
    things: list[int]
    kinds: list[int]
    start: int
    goal: int
    width: int


def _read(maze: tuple[str, ...]) -> _Layout:
    """Read a map with one start and one goal."""
    height, width = len(maze), len(maze[0])
    successors = np.empty((height * width, len(MOVES)), dtype=np.int64)
    for row in range(height):
        for column in range(width):
            for action, (down, right) in enumerate(MOVES.values()):
                y, x = row + down, column + right
                free = 0 <= y < height and 0 <= x < width and maze[y][x] != WALL
                successors[row * width + column, action] = y * width + x if free else row * width + column
    text = "".join(maze)
    things = [y * width + x for x in range(width) for y in range(height) if maze[y][x] in "123"]
    return _Layout(
        successors, things, [int(text[cell]) - 1 for cell in things], text.index(START), text.index(GOAL), width
    )


def _front(layout: _Layout, gamma: float) -> tuple[np.ndarray, int]:
    """The values `[n, m]` of all Pareto-optimal policies that have time enough, and the steps of the longest of these.

    A search over orders of collecting. An order's value counts each of its things, and at last the goal, at the time
    when shortest paths from one to the next that avoid the goal would reach it; what lies on the way is not counted
    before its turn. The best of these values are those of the policies:

    - No policy beats the order of what it collects. It reaches nothing sooner than shortest paths do, and whether it
      goes on to the goal or not, the order's goal adds nothing bad.
    - No order beats the policy that walks its shortest paths. That collects everything at the order's time or sooner,
      and perhaps more.

    So each value of one kind is dominated by, or equal to, one of the other, and both have the same front. By going
    backwards, what can still be had depends on what is collected and where one stands, but for the discount.
    """
    count = len(layout.things)
    gains = np.eye(len(KINDS))[layout.kinds]
    steps_from = [_distances(layout, cell) for cell in (*layout.things, layout.start)]
    between = np.array([[steps[cell] for cell in layout.things] for steps in steps_from])
    home = [steps[layout.goal] for steps in steps_from]

    @functools.cache
    def still(collected: int, last: int) -> np.ndarray:
        """The best values, with a further column for the steps that they take (of equal values the fewest)."""
        rest = [thing for thing in range(count) if not collected >> thing & 1]
        options = [np.array([[*[gamma ** (home[last] - 1)] * len(KINDS), home[last]]])]
        for thing in rest:
            steps = between[last, thing]
            if any(between[last, other] + between[other, thing] == steps for other in rest if other != thing):
                continue  # another lies on the way: an order that takes it first is at least as good
            after = still(collected | 1 << thing, thing)
            values = gamma ** (steps - 1) * (gains[thing] + gamma * after[:, :-1])
            options.append(np.column_stack([values, steps + after[:, -1]]))
        every = np.concatenate(options)
        every = every[every[:, -1].argsort(kind="stable")]
        found: np.ndarray = every[best_rows(every[:, :-1])]
        return found

    found = still(0, count)
    return found[:, :-1], int(found[:, -1].max())


def _distances(layout: _Layout, source: int) -> dict[int, int]:
    """Steps from a cell to every other on shortest paths that do not go through the goal."""
    steps = {source: 0}
    front = [source]
    while front:
        front = [cell for place in front if place != layout.goal for cell in set(layout.successors[place].tolist())]
        front = [cell for cell in dict.fromkeys(front) if cell not in steps]
        steps |= dict.fromkeys(front, max(steps.values()) + 1)
    return steps
