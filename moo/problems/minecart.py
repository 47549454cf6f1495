"""Minecart: a cart mines two ores and brings them home, at the price of fuel.

Source: Abels, Roijers, Lenaerts, Nowé and Steckelmacher 2019, "Dynamic weights in multi-objective deep reinforcement
learning", ICML (1809.07803). The dynamics are those of MO-Gymnasium's `minecart-v0` and `minecart-deterministic-v0`.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from moo.base import EnvironmentProblem
from moo.checks import check_count
from moo.dominance import non_dominated
from moo.real_world import DATA
from moo.rl.finite import Tables, check_gamma, uniform
from moo.space import Space, categorical, real

ACTIONS = ("mine", "left", "right", "accelerate", "brake", "none")
MINE, LEFT, RIGHT, ACCELERATE, BRAKE, NONE = range(6)
FRAMES = 4  # of one action
WHOLE = 36  # headings of a whole turn: number h is 5 + 10 h degrees from the x axis towards the y axis
START = 4  # the heading of 45 degrees
TURN = {LEFT: -1.0, RIGHT: 1.0}  # in headings, each frame
PUSH = {ACCELERATE: 0.0075, BRAKE: -1.0}  # change of speed, each frame
STANDING = 0.001  # speeds below count as none
IDLE, MINING, ACCELERATING = -0.005, -0.05, -0.025  # fuel of a frame: of every one, and what comes on top
BASE = 0.15  # radius of the home base around (0, 0)
RADIUS = 0.14  # of a mine
MINES = ((0.16, 0.84), (0.5, 0.84), (0.84, 0.84), (0.84, 0.5), (0.84, 0.16))
YIELDS = ((0.2, 0.0), (0.15, 0.1), (0.2, 0.2), (0.1, 0.15), (0.0, 0.2))  # means of the ores of a frame
SPREAD = 0.05  # their standard deviation
CAPACITY = 1.5
BEYOND = FRAMES  # so many headings below 0 and above 35 walls turn the cart in one action: the tables have them too


class Minecart(EnvironmentProblem):
    """Minecart: objectives ore1 and ore2 brought home, and fuel (below 0), all maximised. Random yields.

    Actions: mine, left, right, accelerate, brake, none; each lasts four frames. Left and right turn the cart by 10
    degrees a frame, also while it moves; accelerating adds .0075 to the speed; braking stops at once; walls slow the
    cart and turn it along. Mining works where the cart stands in one of five mines. There each frame yields
    `max(0, N(mean, .05))` of each ore, until the cart is full at 1.5; the last yield is cut in proportion. The ores
    count when the cart comes back to the base, which ends the episode. The mines lie where they always lie.

    Observations are x, y and speed, from 0 to 1, sine and cosine of the heading, and the two contents over the
    capacity. A state is float64 `[n, 8]`: x, y, speed, number of the heading (0 to 35), both contents, the phase (0 not
    departed, 1 departed, 2 back), and the steps taken.

    Args:
        gamma: Discount, in (0, 1].
        max_steps: After which an episode is cut.

    Raises:
        TypeError: `max_steps` is no whole number.
        ValueError: An argument is out of its range.
    """

    name = "minecart"
    num_objectives = 3
    objective_names = ("ore1", "ore2", "fuel")
    directions = ("max",) * 3
    stochastic = True
    observation_space = Space(
        (
            *(real(0, 1, name) for name in ("x", "y", "speed")),
            *(real(-1, 1, name) for name in ("sine", "cosine")),
            *(real(0, 1, name) for name in ("content1", "content2")),
        )
    )
    action_space = Space((categorical(list(ACTIONS), "action"),))

    def __init__(self, gamma: float = 0.98, max_steps: int = 1000) -> None:
        self.gamma, self.max_steps = check_gamma(gamma), check_count("max_steps", max_steps)
        self.reference_point = torch.tensor([0.0, 0.0, -200.0], dtype=torch.float64)
        self._tables = Tables(*_tables())

    def reset(self, n: int, generator: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        state = torch.zeros(n, 8, dtype=torch.float64)
        state[:, 3] = START
        return state

    def step(
        self, state: Tensor, actions: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        effects, cosines, sines, _, _ = self._tables.on(state.device)
        actions = actions.reshape(len(state))
        if len(actions) and not 0 <= int(actions.min()) <= int(actions.max()) < len(ACTIONS):
            raise ValueError(f"`actions` of {self.name} should be from 0 to 5. Found {sorted(set(actions.tolist()))}.")
        turn, push, fuel = effects[:, actions]
        columns = state.T.contiguous()  # each in one piece
        x, y, speed, heading, _, _, phase, steps = columns
        content = self._mined(x, y, speed, columns[4:6], actions, generator)
        departed, home, turns = phase > 0, phase > 1, turn != 0
        for _ in range(FRAMES):
            heading = torch.where(turns, (heading + turn).remainder(WHOLE), heading)
            speed = (speed + push).clamp_(0, 1)
            out = ~home
            turns, push = turns & out, push * out  # one frame more acts on a cart that is back, and does not move it
            moving = (speed >= STANDING) & out
            way = speed * moving
            numbers = (heading + BEYOND).long()
            x, y, turned, length = _moved(x, y, way * cosines[numbers], way * sines[numbers])
            heading = heading + turned
            speed = torch.where(moving, length, speed)
            inside = _length(x, y) < BASE
            home = home | (inside & departed)
            departed = departed | ~inside
        heading, steps = heading.remainder(WHOLE), steps + 1
        rewards = torch.stack([*(content * home), fuel])
        state = torch.stack([x, y, speed, heading, *(content * ~home), departed.to(x.dtype) + home, steps])
        return state.T.contiguous(), rewards.T.contiguous(), home, steps >= self.max_steps

    def _mined(
        self,
        x: Tensor,
        y: Tensor,
        speed: Tensor,
        content: Tensor,
        actions: Tensor,
        generator: torch.Generator | None,
    ) -> Tensor:
        """The contents `[2, n]` after the four frames, in which a cart that mines stays where it stands.

        Numbers are drawn for the carts that mine, row by row: eight each, two for every frame.
        """
        _, _, _, mines, yields = self._tables.on(x.device)
        rows = torch.nonzero((actions == MINE) & (speed < STANDING)).flatten()
        away = mines[:, None] - torch.stack([x[rows], y[rows]])[:, :, None]
        distance, which = _length(*away).min(dim=1)
        near = distance <= RADIUS
        rows = rows[near]
        mined = yields[which[near]][:, None].expand(-1, FRAMES, -1)
        if self.stochastic:
            drawn = uniform(mined.numel(), generator, torch.device("cpu"))
            noise = torch.special.ndtri(drawn).to(x.device).reshape(mined.shape)
            mined = (mined + SPREAD * noise).clamp(min=0)
        weights = mined.sum(dim=2)
        free = CAPACITY - content[:, rows].sum(dim=0)[:, None]
        loaded = weights.cumsum(dim=1).minimum(free.clamp(min=0))
        share = loaded.diff(dim=1, prepend=torch.zeros_like(free)) / weights.clamp(min=torch.finfo(x.dtype).tiny)
        return content.index_add(1, rows, (mined * share[:, :, None]).sum(dim=1).T)

    def observe(self, state: Tensor) -> Tensor:
        _, cosines, sines, _, _ = self._tables.on(state.device)
        heading = (state[:, 3] + BEYOND).long()
        directions = torch.stack([sines[heading], cosines[heading]], dim=1)
        return torch.cat([state[:, :3], directions, state[:, 4:6] / CAPACITY], dim=1).to(torch.float32)

    def action_mask(self, state: Tensor) -> None:  # noqa: ARG002
        return None


def _moved(x: Tensor, y: Tensor, right: Tensor, down: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Where a frame leads, by how many headings the walls turn the cart, and the length of the way.

    A cart that does not move is not turned: the sign is 0 there. One that moves and yet keeps a coordinate pushes
    against a wall: no heading is parallel to a wall.
    """
    to_x, to_y = (x + right).clamp_(0, 1), (y + down).clamp_(0, 1)
    over_x, over_y = to_x - x, to_y - y
    along_x = (over_x == 0) & (down.abs() > STANDING) & (y > 0) & (y < 1)  # slides along the wall at the left or right
    along_y = (over_y == 0) & (right.abs() > STANDING) & (x > 0) & (x < 1)
    turned = (right * down).sign() * (along_x.to(x.dtype) - along_y.to(x.dtype))
    return to_x, to_y, turned, _length(over_x, over_y)


def _length(x: Tensor, y: Tensor) -> Tensor:
    """Of vectors. One rounding less than the plain sum has, as in the original's dot product.

    The last bit matters: some ways are as long as the base is wide, others lead back to a wall exactly.
    """
    return torch.addcmul(x * x, y, y).sqrt_()


def _tables() -> tuple[Tensor, ...]:
    """Of actions: turn, push and fuel `[3, 6]`; of headings: cosines and sines; of mines: places `[2, 5]`, yields."""
    extra = {MINE: MINING, ACCELERATE: ACCELERATING}
    effects = [
        [TURN.get(action, 0.0), PUSH.get(action, 0.0), FRAMES * (IDLE + extra.get(action, 0.0))]
        for action in range(len(ACTIONS))
    ]
    angles = [(5 + 10 * heading) * math.pi / 180 for heading in range(-BEYOND, WHOLE + BEYOND)]
    lines = (
        list(zip(*effects, strict=True)),
        [math.cos(angle) for angle in angles],
        [math.sin(angle) for angle in angles],
        list(zip(*MINES, strict=True)),
        YIELDS,
    )
    return tuple(torch.tensor(line, dtype=torch.float64) for line in lines)


class MinecartDeterministic(Minecart):
    """Minecart with yields that are always their mean; else as `Minecart`.

    `reference_front` is a lower bound of the Pareto front, not the front: of what a hundred stored action sequences
    return at `gamma`, the non-dominated ones. `moo.benchmarks.minecart_front` has searched for those that are best at
    gamma from .98 to 1; below, the bound is looser. Hypervolumes over (0, 0, -200): 103.253 at .98, 143.119 at .99,
    198.847 at 1. MO-Gymnasium's own front, of a family of policies, has 81.806, 110.100 and 147.837.

    Args:
        gamma: Discount, in (0, 1].
        max_steps: After which an episode is cut.

    Raises:
        TypeError: `max_steps` is no whole number.
        ValueError: An argument is out of its range.
    """

    name = "minecart-deterministic"
    stochastic = False

    @cached_property
    def reference_front(self) -> Tensor | None:  # type: ignore[override]
        """A lower bound `[n, 3]` of the front, in lexicographic order."""
        returns, ended = replay(self, stored_actions())
        returns = returns[ended]
        front: Tensor = torch.unique(returns[non_dominated(returns)], dim=0)
        return front


def stored_actions() -> Tensor:
    """The stored action sequences of the deterministic minecart, int64 `[n, t]`, -1 behind their ends."""
    with (DATA / "minecart_deterministic.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return torch.from_numpy(arrays["actions"].astype(np.int64))


def replay(problem: Minecart, actions: Tensor) -> tuple[Tensor, Tensor]:
    """Discounted returns `[n, 3]` of action sequences `[n, t]`, -1 behind their ends, and whether episodes end too."""
    state = problem.reset(len(actions))
    running = torch.ones(len(actions), dtype=torch.bool)
    ended = torch.zeros_like(running)
    returns = torch.zeros(len(actions), problem.num_objectives, dtype=torch.float64)
    for time, chosen in enumerate(actions.T):
        running &= chosen >= 0
        state, rewards, terminated, truncated = problem.step(state, chosen.clamp(min=0))
        returns += torch.where(running[:, None], problem.gamma**time * rewards, 0.0)
        ended |= running & (terminated | truncated)
        running &= ~ended
    return returns, ended
