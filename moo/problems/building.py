"""Building control: zones are kept warm or cool at the price of energy, without changing the power all the time.

Source: the building of Yeh et al. 2023, "SustainGym: reinforcement learning environments for sustainable energy
systems", NeurIPS datasets track, as Liu et al. 2025 (C-MORL, 2410.02236) made objectives of it: comfort, energy and
ramping, of the whole or of each of three groups of floors with 9, 7 and 7 zones. Theirs take the walls and the weather
from files. Here both are synthetic, so published numbers do not apply.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from moo.base import EnvironmentProblem
from moo.checks import check_count
from moo.rl.finite import Tables, check_gamma, uniform
from moo.space import Space, real

FLOORS = ((3, 3), (7, 1), (7, 1))  # zones of each from west to east, and from south to north
TARGET = 21.0  # degrees Celsius
STEP = 0.25  # hours
POWER = 2.0  # kW of a zone's heating or cooling at most
CAPACITY = 1.2  # kWh to warm a zone by a degree
BETWEEN, ABOVE = 0.12, 0.06  # kW per degree between neighbours on a floor, and from floor to floor
OUTSIDE = 0.035  # kW per degree through one outer wall
GROUND, ROOF = 0.01, 0.03  # the same through the lowest floor's ground (10 degrees) and the highest's roof
GROUND_TEMPERATURE = 10.0
SUN, PEOPLE = 0.5, 0.3  # kW: full sun through a south wall; people in an occupied zone
HOURS = 24.0
BOUNDS = (-30.0, 60.0)  # of the temperatures that are observed: nothing leaves them
SHARES = ("comfort", "energy", "ramping")


class _Walls(NamedTuple):
    """The linear model: `C dT = M T + G W + P` in kW, with the weather W (outdoors, ground, sun, people).

    Attributes:
        exchange: M, `[z, z]`.
        gains: G, `[z, 4]`.
        floor: Of each zone, int64 `[z]`.
    """

    exchange: Tensor
    gains: Tensor
    floor: Tensor


class Building(EnvironmentProblem):
    """A building of 23 zones on three floors for one winter's day: comfort, energy and ramping, all at most 0.

    An action is the power of each zone, from -1 (cooling) to 1 (heating) times 2 kW, kept for a quarter of an hour. In
    a step

        T' = T + dt / C (M T + G W + P)

    a zone exchanges heat with its neighbours, the floors above and below and, by its outer walls, with the weather;
    the sun shines on southern walls and people are there from 8 to 18 o'clock. It is a step of Euler's method, linear
    in the state and the power. Each episode begins at midnight, at zone temperatures of 19 to 23 degrees, and draws its
    weather: a daily mean of 0 to 10 degrees, varying by 4 around it (warmest at 15 o'clock), and 20 to 100 % of a clear
    sky's sun.

    Of each step are counted, below 0: comfort, the mean distance of the zones' temperatures from 21 degrees, in kelvin
    hours; energy, what the power costs, at .15 a kWh at night (22 to 6 o'clock), .45 from 17 to 20, else .3; ramping,
    the mean change of the zones' actions, half its size. With `num_objectives=9` each of the three floors has its own:
    comfort 1, energy 1, ramping 1, comfort 2 and so on. The whole's comfort and ramping are the floors' means weighed
    by their zones (9, 7, 7), its energy is the sum.

    Observed are the 23 temperatures, the 23 last actions, outdoor temperature, sun, people, price, and sine and cosine
    of the hour: all that matters for what comes but for tomorrow's weather. A state is float64 `[n, 49]`: temperatures,
    last actions, the day's mean, its share of sun, the steps taken.

    The reference point is what it would be to lie 10 degrees off, to spend half of the power at the highest price and
    to change every action by half its range, all the time. No front is known.

    Args:
        num_objectives: 3 or 9.
        gamma: Discount, in (0, 1].
        max_steps: After which an episode is cut: 96 are a day.

    Raises:
        TypeError: `max_steps` is no whole number.
        ValueError: An argument is out of its range.
    """

    name = "building"
    stochastic = True

    def __init__(self, num_objectives: int = 3, gamma: float = 0.99, max_steps: int = 96) -> None:
        if num_objectives not in (3, 9):
            raise ValueError(
                f"`num_objectives` of building should be 3 (the whole) or 9 (each floor). Found {num_objectives}."
            )
        self.num_objectives = num_objectives
        self.directions = ("max",) * num_objectives
        self.objective_names = SHARES
        if num_objectives == 9:
            self.objective_names = tuple(f"{share} {floor}" for floor in (1, 2, 3) for share in SHARES)
        self.gamma, self.max_steps = check_gamma(gamma), check_count("max_steps", max_steps)
        walls = _walls()
        self.zones = zones = len(walls.floor)
        zone_names = [f"zone {i + 1}" for i in range(zones)]
        self.action_space = Space(tuple(real(-1, 1, name) for name in zone_names))
        self.observation_space = Space(
            (
                *(real(*BOUNDS, name, "C") for name in zone_names),
                *(real(-1, 1, f"last action {i + 1}") for i in range(zones)),
                real(*BOUNDS, "outdoors", "C"),
                *(real(0, 1, name) for name in ("sun", "people", "price")),
                *(real(-1, 1, name) for name in ("sine", "cosine")),
            )
        )
        groups = torch.zeros(zones, dtype=torch.int64) if num_objectives == 3 else walls.floor
        belongs = torch.nn.functional.one_hot(groups).T.to(torch.float64)  # [groups, zones]
        self._tables = Tables(walls.exchange, walls.gains, belongs)
        self.reference_point = self._worst(belongs.sum(dim=1))

    def _worst(self, sizes: Tensor) -> Tensor:
        """The reference point, for groups of so many zones."""
        discounts = float(sum(self.gamma**time for time in range(self.max_steps)))
        worst = torch.stack(
            [torch.full_like(sizes, 10 * STEP), sizes * 0.5 * POWER * STEP * 0.45, torch.full_like(sizes, 0.5)], dim=1
        )
        return -discounts * worst.flatten()

    def reset(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        drawn = uniform(n * (self.zones + 2), generator, torch.device("cpu")).reshape(n, -1)
        state = torch.zeros(n, 2 * self.zones + 3, dtype=torch.float64)
        state[:, : self.zones] = 19 + 4 * drawn[:, : self.zones]
        state[:, -3], state[:, -2] = 10 * drawn[:, -2], 0.2 + 0.8 * drawn[:, -1]
        return state

    def step(
        self,
        state: Tensor,
        actions: Tensor,
        generator: torch.Generator | None = None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        exchange, gains, belongs = self._tables.on(state.device)
        zones, n = self.zones, len(state)
        if actions.shape != (n, zones):
            raise ValueError(f"`actions` of building should have shape {[n, zones]}. Found {list(actions.shape)}.")
        actions = actions.to(state).clamp(-1, 1)
        temperatures, last, steps = state[:, :zones], state[:, zones : 2 * zones], state[:, -1] + 1
        outdoors, sun, people, price = self._weather(state)
        weather = torch.stack([outdoors, torch.full_like(outdoors, GROUND_TEMPERATURE), sun, people], dim=1)
        heat = temperatures @ exchange.T + weather @ gains.T + POWER * actions
        temperatures = temperatures + STEP / CAPACITY * heat
        sizes = belongs.sum(dim=1)
        comfort = ((temperatures - TARGET).abs() @ belongs.T) / sizes * STEP
        energy = price[:, None] * (actions.abs() @ belongs.T) * POWER * STEP
        ramping = ((actions - last).abs() @ belongs.T) / sizes / 2
        rewards = -torch.stack([comfort, energy, ramping], dim=2).flatten(1)
        state = torch.cat([temperatures, actions, state[:, -3:-1], steps[:, None]], dim=1)
        return state, rewards, torch.zeros_like(steps, dtype=torch.bool), steps >= self.max_steps

    def observe(self, state: Tensor) -> Tensor:
        outdoors, sun, people, price = self._weather(state)
        angle = 2 * math.pi * state[:, -1] * STEP / HOURS
        clock = torch.stack([outdoors, sun, people, price, angle.sin(), angle.cos()], dim=1)
        return torch.cat([state[:, : 2 * self.zones], clock], dim=1).to(torch.float32)

    def action_mask(self, state: Tensor) -> None:  # noqa: ARG002
        return None

    def _weather(self, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Outdoor temperature, sun and people (0 to 1) and the price of a kWh, each `[n]`, before a step."""
        mean, clearness = state[:, -3], state[:, -2]
        hour = (state[:, -1] * STEP).remainder(HOURS)
        outdoors = mean + 4 * (2 * math.pi * (hour - 15) / HOURS).cos()
        sun = clearness * (math.pi * (hour - 8) / 8).sin().clamp(min=0) * ((hour > 8) & (hour < 16))
        people = ((hour >= 8) & (hour < 18)).to(mean)
        price = torch.where((hour >= 6) & (hour < 22), 0.3, 0.15).to(mean)
        return outdoors, sun, people, torch.where((hour >= 17) & (hour < 20), 0.45, price)


def _walls() -> _Walls:
    """The linear model of the building."""
    places = [(floor, x, y) for floor, (wide, deep) in enumerate(FLOORS) for y in range(deep) for x in range(wide)]
    zones = len(places)
    exchange = torch.zeros(zones, zones, dtype=torch.float64)
    gains = torch.zeros(zones, 4, dtype=torch.float64)
    for i, (floor, x, y) in enumerate(places):
        wide, deep = FLOORS[floor]
        outer = (x == 0) + (x == wide - 1) + (y == 0) + (y == deep - 1)
        gains[i, 0] = outer * OUTSIDE + (ROOF if floor == len(FLOORS) - 1 else 0.0)
        gains[i, 1] = GROUND if floor == 0 else 0.0
        gains[i, 2], gains[i, 3] = SUN * (y == 0), PEOPLE
        for j, (other, u, v) in enumerate(places[:i]):
            beside = floor == other and abs(x - u) + abs(y - v) == 1
            above = floor == other + 1 and _over(FLOORS[floor], FLOORS[other], (x, y), (u, v))
            flow = BETWEEN * beside + ABOVE * above
            exchange[i, j] = exchange[j, i] = flow
    leaving = exchange.sum(dim=1) + gains[:, 0] + gains[:, 1]
    return _Walls(exchange - torch.diag(leaving), gains, torch.tensor([floor for floor, _, _ in places]))


def _over(upper: tuple[int, int], lower: tuple[int, int], above: tuple[int, int], below: tuple[int, int]) -> bool:
    """Whether two zones of neighbouring floors lie above each other, the floors being of one size."""
    spans = [
        ((place / size, (place + 1) / size), (under / low, (under + 1) / low))
        for place, size, under, low in zip(above, upper, below, lower, strict=True)
    ]
    return all(max(a[0], b[0]) < min(a[1], b[1]) - 1e-9 for a, b in spans)
