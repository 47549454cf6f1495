"""The real-world problems RE41, RE42, RE61 and RE91, and CRE31, CRE32 and CRE51: three of the designs, constrained.

RE41, RE42 and RE61 have the summed violation of their constraints as a last objective; the CRE problem beside each
keeps the constraints apart.

Source: Tanabe and Ishibuchi 2020, "An easy-to-use real-world multi-objective optimization problem suite", Applied Soft
Computing 89, 106078 (arXiv 2009.12867). What all of the suite share is in `moo/real_world.py`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from moo.base import Evaluation
from moo.real_world import RealWorld, with_violation
from moo.space import real

CAR_SIDE = (
    real(0.5, 1.5, "thickness of B-pillar inner", "mm"),
    real(0.45, 1.35, "thickness of B-pillar reinforcement", "mm"),
    real(0.5, 1.5, "thickness of floor side inner", "mm"),
    real(0.5, 1.5, "thickness of cross members", "mm"),
    real(0.875, 2.625, "thickness of door beam", "mm"),
    real(0.4, 1.2, "thickness of door beltline reinforcement", "mm"),
    real(0.4, 1.2, "thickness of roof rail", "mm"),
)


# --------------------------------------------------------------------------------------------------- car side impact
def _car_side_impact(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Weight, force and velocity `[n, 3]`; what ten measures of a dummy and a door exceed their limits by `[n, 10]`."""
    x1, x2, x3, x4, x5, x6, x7 = rows.unbind(dim=1)
    weight = 1.98 + 4.9 * x1 + 6.67 * x2 + 6.98 * x3 + 4.01 * x4 + 1.78 * x5 + 1e-5 * x6 + 2.73 * x7
    force = 4.72 - 0.5 * x4 - 0.19 * x2 * x3
    pillar = 10.58 - 0.674 * x1 * x2 - 0.67275 * x2
    door = 16.45 - 0.489 * x3 * x7 - 0.843 * x5 * x6
    abdomen = 1.16 - 0.3717 * x2 * x4 - 0.0092928 * x3
    viscous_upper = 0.261 - x1 * (0.06486 + 0.0159 * x2) - 0.019 * x2 * x7 + 0.0144 * x3 * x5 + 0.0154464 * x6
    viscous_middle = 0.214 + x5 * (0.00817 - 0.00364 * x6) - 0.0587118 * x1 + 0.030408 * x3
    viscous_middle = viscous_middle + x2 * (0.03099 * x6 - 0.018 * x7 - 0.018 * x2)
    viscous_lower = 0.74 - x2 * (0.61 - 0.227 * x2) - 0.031296 * x3 - 0.031872 * x7
    rib_upper = 28.98 + 3.818 * x3 - 4.2 * x1 * x2 + 1.27296 * x6 - 2.68065 * x7
    rib_middle = 33.86 + 1.45728 + 2.95 * x3 - x2 * (3.795 + 5.057 * x1) - 3.4431 * x7
    rib_lower = 46.36 - 9.9 * x2 - 4.4505 * x1
    measures = [abdomen - 1, viscous_upper - 0.32, viscous_middle - 0.32, viscous_lower - 0.32]
    measures += [rib_upper - 32, rib_middle - 32, rib_lower - 32, force - 4, pillar - 9.9, door - 15.7]
    return torch.stack([weight, force, (pillar + door) / 2], dim=1), torch.stack(measures, dim=1)


class RE41(RealWorld):
    """The side of a car in an impact: weight, force on the pelvis, velocity of the pillar, and violated limits.

    Thicknesses of seven parts. Objectives, from response surfaces of crash simulations: weight (kg), force on the pubic
    symphysis (kN), mean velocity of the B-pillar and front door (mm/ms), and the summed violation of ten limits, in the
    units of each: abdomen load (1 kN), viscous criteria (0.32 m/s), rib deflections (32 mm), force (4 kN), velocities
    of pillar (9.9 mm/ms) and door (15.7 mm/ms).

    Source: Jain and Deb 2014, IEEE Transactions on Evolutionary Computation 18(4); RE4-7-1 of Tanabe and Ishibuchi
    2020. Values as in BoTorch's CarSideImpact. jMetalPy rounds the thicknesses to whole numbers, the suite does not.
    """

    name = "re41"
    columns = CAR_SIDE
    objective_names = ("weight (kg)", "pubic force (kN)", "velocity (mm/ms)", "violation")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, with_violation(*_car_side_impact(rows)))


class CRE31(RealWorld):
    """RE41's car side impact with its ten constraints kept apart.

    Source: C3-7-1 of Tanabe and Ishibuchi 2020. Values and constraints as in pymoo's CSI; pymoo's Carside divides the
    constraints by their limits and has unrounded coefficients.
    """

    name = "cre31"
    columns = CAR_SIDE
    objective_names = RE41.objective_names[:3]
    num_constraints = 10

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, *_car_side_impact(rows))


# --------------------------------------------------------------------------------------------------- bulk carrier
SHIP = (
    real(150, 274.32, "length", "m"),
    real(20, 32.31, "beam", "m"),
    real(13, 25, "depth", "m"),
    real(10, 11.71, "draft", "m"),
    real(14, 18, "speed", "knots"),
    real(0.63, 0.75, "block coefficient"),
)


def _ship(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Cost of transport, weight and lost cargo `[n, 3]`; proportions, freeboard, deadweight, stability `[n, 9]`."""
    length, beam, depth, draft, speed, block = rows.unbind(dim=1)
    displacement = 1.025 * length * beam * draft * block
    froude = 0.5144 * speed / (9.8065 * length).sqrt()
    a = 4977.06 * block * block - 8105.61 * block + 4456.51
    b = -10847.2 * block * block + 12817 * block - 6960.32
    power = displacement ** (2 / 3) * speed**3 / (a + b * froude)
    steel = 0.034 * length**1.7 * beam**0.7 * depth**0.4 * block.sqrt()
    outfit = length**0.8 * beam**0.6 * depth**0.3 * block**0.1
    light_ship = steel + outfit + 0.17 * power**0.9
    deadweight = displacement - light_ship

    capital = 0.2 * 1.3 * (2000 * steel**0.85 + 3500 * outfit + 2400 * power**0.8)
    running = 40_000 * deadweight**0.3
    sea_days = 5000 / 24 * speed
    fuel_a_day = 0.19 * power * 24 / 1000 + 0.2
    fuel_cost = 1.05 * fuel_a_day * sea_days * 100
    port_cost = 6.3 * deadweight**0.8
    cargo = deadweight - fuel_a_day * (sea_days + 5) - 2 * deadweight.sqrt()
    trips = 350 / (sea_days + 2 * (cargo / 8000 + 0.5))
    annual_cargo = cargo * trips
    annual_cost = capital + running + (fuel_cost + port_cost) * trips

    stability = 0.53 * draft + (0.085 * block - 0.002) * beam * beam / (draft * block) - (1 + 0.52 * depth)
    constraints = [
        6 - length / beam,
        length / depth - 15,
        length / draft - 19,
        draft - 0.45 * deadweight**0.31,
        draft - 0.7 * depth - 0.7,
        deadweight - 500_000,
        3000 - deadweight,
        froude - 0.32,
        0.07 * beam - stability,
    ]
    objectives = torch.stack([annual_cost / annual_cargo, light_ship, -annual_cargo], dim=1)
    return objectives, torch.stack(constraints, dim=1)


class RE42(RealWorld):
    """A bulk carrier in its first sketch: cost of transport, weight of the ship, cargo lost, and violated constraints.

    Objectives: annual cost by annual cargo (pounds per tonne), weight of the light ship (t), minus the annual cargo
    (t), and the summed violation of nine constraints, in the units of each: proportions of the hull, draft, freeboard,
    deadweight of 3,000 to 500,000 t, Froude number and stability.

    Source: Parsons and Scott 2004, Journal of Ship Research 48(1), after Sen and Yang 1998; RE4-6-2 of Tanabe and
    Ishibuchi 2020. Days at sea are 5000/24 *times* the speed, as in the suite's values; a duration would be divided by
    it. So the fuel carried exceeds the deadweight: cargo, and with it the first objective, is negative, and the third
    positive. Early copies of the suite limit the deadweight to 50,000 t; its correction of 2021 is followed.
    """

    name = "re42"
    columns = SHIP
    objective_names = ("transport cost (pounds/t)", "light ship weight (t)", "minus annual cargo (t)", "violation")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, with_violation(*_ship(rows)))


class CRE32(RealWorld):
    """RE42's bulk carrier with its nine constraints kept apart.

    Source: C3-6-2 of Tanabe and Ishibuchi 2020.
    """

    name = "cre32"
    columns = SHIP
    objective_names = RE42.objective_names[:3]
    num_constraints = 9

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, *_ship(rows))


# --------------------------------------------------------------------------------------------------- storm drainage
DRAINAGE = (
    real(0.01, 0.45, "detention storage", "basin in"),
    real(0.01, 0.1, "maximum treatment rate", "basin in/h"),
    real(0.01, 0.1, "maximum overflow rate", "basin in/h"),
)


def _storm_drainage(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Five costs `[n, 5]`; seven measures of water quality `[n, 7]`."""
    storage, treatment, overflow = rows.unbind(dim=1)
    product = storage * treatment
    costs = [
        106_780.37 * (treatment + overflow) + 61_704.67,
        3000 * storage,
        305_700 * 2289 / (0.06 * 2289) ** 0.65 * treatment,
        250 * 2289 * (-39.75 * treatment + 9.9 * overflow + 2.74).exp(),
        25 * (1.39 / product + 4940 * overflow - 80),
    ]
    quality = [
        0.00139 / product + 4.94 * overflow - 0.08 - 1,
        0.000306 / product + 1.082 * overflow - 0.0986 - 1,
        12.307 / product + 49_408.24 * overflow + 4051.02 - 50_000,
        2.098 / product + 8046.33 * overflow - 696.71 - 16_000,
        2.138 / product + 7883.39 * overflow - 705.04 - 10_000,
        0.417 * product + 1721.26 * overflow - 136.54 - 2000,
        0.164 / product + 631.13 * overflow - 54.48 - 550,
    ]
    return torch.stack(costs, dim=1), torch.stack(quality, dim=1)


class RE61(RealWorld):
    """Storm drainage of a city: five costs and violated limits of water quality.

    Objectives (costs): drainage network, storage facility, treatment facility, expected flood damage, expected economic
    loss by floods; and the summed violation of seven limits, in the units of each. More overflow makes nothing better:
    the front lies at its lower bound.

    Source: Musselman and Talavage 1980, and Ray, Tai and Seow 2001, Engineering Optimization 33(4); RE6-3-1 of Tanabe
    and Ishibuchi 2020. The sixth limit has 0.417 *times* x1 x2, where the others divide, and the seventh 54.48: so the
    values on the suite's published front are met. pymoo's WRM divides in the sixth and has 54.58 in the seventh.
    """

    name = "re61"
    columns = DRAINAGE
    objective_names = ("network", "storage", "treatment", "flood damage", "economic loss", "violation")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, with_violation(*_storm_drainage(rows)))


class CRE51(RealWorld):
    """RE61's storm drainage with its seven constraints kept apart.

    Source: C5-3-1 of Tanabe and Ishibuchi 2020.
    """

    name = "cre51"
    columns = DRAINAGE
    objective_names = RE61.objective_names[:5]
    num_constraints = 7

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, *_storm_drainage(rows))


# --------------------------------------------------------------------------------------------------- car cab
class RE91(RealWorld):
    """The cab of a car in a side impact: weight and eight measures of a dummy and a door, as shares of their limits.

    Thicknesses of seven parts; four more quantities are not in the designer's hands: yield stress of two parts (GPa),
    height and position of the barrier (mm). Objectives: weight (kg); abdomen load, three viscous criteria, mean rib
    deflection, pubic force, and velocities of pillar and door, each divided by its limit and at least 0.

    Source: Deb and Jain 2014, IEEE Transactions on Evolutionary Computation 18(4); RE9-7-1 of Tanabe and Ishibuchi
    2020. The four quantities are gaussian there, drawn anew at each evaluation. The suite's values seed numpy's
    generator with 0 before every draw, so that all rows see the same four numbers: the problem is deterministic, and so
    it is here. Its published front was made with draws that differ from point to point, and is out of reach. The third
    objective has 0.87570001 x5 x10, as the values do; a coefficient a thousand times smaller would fit its neighbours.
    jMetal draws anew at each evaluation and bounds x5 by 2.265.
    """

    name = "re91"
    columns = CAR_SIDE
    objective_names = (
        "weight (kg)",
        "abdomen load",
        "upper viscous criterion",
        "middle viscous criterion",
        "lower viscous criterion",
        "rib deflection",
        "pubic force",
        "velocity of pillar",
        "velocity of door",
    )

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        x1, x2, x3, x4, x5, x6, x7 = rows.unbind(dim=1)
        x8, x9, x10, x11 = _uncontrolled()
        weight = 1.98 + 4.9 * x1 + 6.67 * x2 + 6.98 * x3 + 4.01 * x4 + 1.75 * x5 + 1e-5 * x6 + 2.73 * x7
        abdomen = 1.16 - x2 * (0.3717 * x4 + 0.00931 * x10) - 0.484 * x9 * x3 + 0.01343 * x10 * x6
        upper = 0.261 - x1 * (0.0159 * x2 + 0.188 * x8) - 0.019 * x2 * x7 + x5 * (0.0144 * x3 + 0.87570001 * x10)
        upper = upper + 0.08045 * x9 * x6 + 0.00139 * x8 * x11 + 0.00001575 * x10 * x11
        middle = 0.214 + x5 * (0.00817 - 0.00364 * x6 + 0.0007715 * x10) - x1 * (0.131 * x8 + 0.0704 * x9)
        middle = middle + x2 * (0.03099 * x6 - 0.018 * x7 - 0.018 * x2) + x3 * (0.0208 * x8 + 0.121 * x9)
        middle = middle - 0.0005354 * x10 * x6 + 0.00121 * x8 * x11 + 0.00184 * x9 * x10
        lower = 0.74 - x2 * (0.61 - 0.227 * x2) - x3 * (0.163 * x8 - 0.001232 * x10) - 0.166 * x9 * x7
        rib_upper = 28.98 + 3.818 * x3 - 4.2 * x1 * x2 + 0.0207 * x10 * x5 + 6.63 * x9 * x6 - 7.77 * x8 * x7
        rib_upper = rib_upper + 0.32 * x9 * x10
        rib_middle = 33.86 + 2.95 * x3 + 0.1792 * x10 - x2 * (5.057 * x1 + 11 * x8) - 0.0215 * x10 * x5
        rib_middle = rib_middle - 9.98 * x8 * x7 + 22 * x8 * x9
        rib_lower = 46.36 - 9.9 * x2 - 12.9 * x8 * x1 + 0.1107 * x10 * x3
        force = 4.72 - x4 * (0.5 + 0.0122 * x10) - 0.19 * x2 * x3 + 0.009325 * x10 * x6 + 0.000191 * x11 * x11
        pillar = 10.58 - x2 * (0.674 * x1 + 1.95 * x8) + x10 * (0.02054 * x3 - 0.0198 * x4 + 0.028 * x6)
        door = 16.45 - 0.489 * x3 * x7 - 0.843 * x5 * x6 + x9 * (0.0432 * x10 - 0.0556 * x11) - 0.000786 * x11 * x11
        shares = [abdomen, upper / 0.32, middle / 0.32, lower / 0.32, (rib_upper + rib_middle + rib_lower) / 3 / 32]
        shares += [force / 4, pillar / 9.9, door / 15.7]
        return self.evaluation(rows, torch.stack([weight, *(share.clamp(min=0) for share in shares)], dim=1))


def _uncontrolled() -> tuple[float, float, float, float]:
    """The four quantities of RE91: yield stresses (GPa), height and position of the barrier (mm)."""
    draws = np.random.RandomState(0).normal(size=4).tolist()  # the legacy generator, as in the suite
    return 0.345 + 0.006 * draws[0], 0.192 + 0.006 * draws[1], 10 * draws[2], 10 * draws[3]
