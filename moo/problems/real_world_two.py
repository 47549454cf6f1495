"""The real-world problems RE21 to RE25: two objectives, of which the second is mostly the violation of constraints.

Source: Tanabe and Ishibuchi 2020, "An easy-to-use real-world multi-objective optimization problem suite", Applied Soft
Computing 89, 106078 (arXiv 2009.12867). What all of the suite share is in `moo/real_world.py`.
"""

from __future__ import annotations

import math
from types import MappingProxyType

import torch
from torch import Tensor

from moo.base import Evaluation
from moo.real_world import RealWorld, with_violation
from moo.space import integer, real

ROOT2 = math.sqrt(2)
# fmt: off
AREAS = (  # of reinforcement, in^2
    0.20, 0.31, 0.40, 0.44, 0.60, 0.62, 0.79, 0.80, 0.88, 0.93, 1.00, 1.20, 1.24, 1.32, 1.40, 1.55, 1.58, 1.60,
    1.76, 1.80, 1.86, 2.00, 2.17, 2.20, 2.37, 2.40, 2.48, 2.60, 2.64, 2.79, 2.80, 3.00, 3.08, 3.10, 3.16, 3.41,
    3.52, 3.60, 3.72, 3.95, 3.96, 4.00, 4.03, 4.20, 4.34, 4.40, 4.65, 4.74, 4.80, 4.84, 5.00, 5.28, 5.40, 5.53,
    5.72, 6.00, 6.16, 6.32, 6.60, 7.11, 7.20, 7.80, 7.90, 8.00, 8.40, 8.69, 9.00, 9.48, 10.27, 11.00, 11.06,
    11.85, 12.00, 13.00, 14.00, 15.00,
)
WIRES = (  # their diameters, in
    0.009, 0.0095, 0.0104, 0.0118, 0.0128, 0.0132, 0.014, 0.015, 0.0162, 0.0173, 0.018, 0.020, 0.023, 0.025,
    0.028, 0.032, 0.035, 0.041, 0.047, 0.054, 0.063, 0.072, 0.080, 0.092, 0.105, 0.120, 0.135, 0.148, 0.162,
    0.177, 0.192, 0.207, 0.225, 0.244, 0.263, 0.283, 0.307, 0.331, 0.362, 0.394, 0.4375, 0.500,
)
# fmt: on


class RE21(RealWorld):
    """A truss of four bars: the volume of its bars against how far its joint gives way.

    Areas of the bars' cross-sections, the first and last in [1, 3] cm^2, the others in [sqrt(2), 3] cm^2. Objectives:
    volume (cm^3) and displacement of the joint (cm), under a load F = 10 kN, with E = 2e5 kN/cm^2 and L = 200 cm.

    Source: Cheng and Li 1999, Engineering Optimization 31(5); RE2-4-1 of Tanabe and Ishibuchi 2020. The volume has the
    square root of x3, as printed there, though only sqrt(2) x3 would be a volume.
    """

    name = "re21"
    columns = (
        real(1, 3, "area of bar 1", "cm^2"),
        real(ROOT2, 3, "area of bar 2", "cm^2"),
        real(ROOT2, 3, "area of bar 3", "cm^2"),
        real(1, 3, "area of bar 4", "cm^2"),
    )
    objective_names = ("volume (cm^3)", "displacement (cm)")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        x1, x2, x3, x4 = rows.unbind(dim=1)
        load, modulus, length = 10.0, 2e5, 200.0
        volume = length * (2 * x1 + ROOT2 * x2 + x3.sqrt() + x4)
        displacement = load * length / modulus * (2 / x1 + 2 * ROOT2 / x2 - 2 * ROOT2 / x3 + 2 / x4)
        return self.evaluation(rows, torch.stack([volume, displacement], dim=1))


class RE22(RealWorld):
    """A beam of reinforced concrete: its cost against the violation of two constraints.

    The area of reinforcement is one of 76 standard values (what combinations of reinforcing bars give), to the nearest
    of which a row is rounded; width and depth are real. Objectives: cost of concrete and steel (dollars), and the
    summed violation of strength and of a depth of at most four widths. A width of 0 cannot be evaluated.

    Source: Amir and Hasegawa 1989, Journal of Structural Engineering 115(3); RE2-3-2 of Tanabe and Ishibuchi 2020. The
    strength has 7.735, as the values do; elsewhere in the literature it is 7.375, with which the best known beam, 6.32
    in^2 by 8.5 in by 34 in for 359.2080 dollars, is feasible (here it violates its strength by 1.47). Copies of the
    suite in which the area 3.10 is torn into 3 and 10 are in use: here it is 3.10, and there is no 10.
    """

    name = "re22"
    columns = (
        real(0.2, 15, "area of reinforcement", "in^2"),
        real(0, 20, "width", "in"),
        real(0, 40, "depth", "in"),
    )
    allowed = MappingProxyType({0: AREAS})
    objective_names = ("cost (dollars)", "violation")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        area, width, depth = rows.unbind(dim=1)
        cost = 29.4 * area + 0.6 * width * depth
        strength = 180 - area * depth + 7.735 * area * area / width
        shape = depth / width - 4
        return self.evaluation(rows, with_violation(cost[:, None], torch.stack([strength, shape], dim=1)))


class RE23(RealWorld):
    """A cylinder with two hemispherical heads that holds pressure: its cost against the violation of constraints.

    Both thicknesses are whole sixteenths of an inch. Objectives: cost of material, forming and welding (dollars), and
    the summed violation of three constraints: the thickness of shell and head, and a volume of 1,296,000 in^3.

    Source: Kannan and Kramer 1994, Journal of Mechanical Design 116(2); RE2-4-3 of Tanabe and Ishibuchi 2020. The
    columns count sixteenths, from 1 to 100, as the published values do; jMetalPy takes the same range for inches.
    Constraints as in pymoo's PressureVessel, which divides them by 3, 3 and 1,296,000.
    """

    name = "re23"
    columns = (
        integer(1, 100, "thickness of shell", "in/16"),
        integer(1, 100, "thickness of head", "in/16"),
        real(10, 200, "inner radius", "in"),
        real(10, 240, "length of cylinder", "in"),
    )
    objective_names = ("cost (dollars)", "violation")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        shell, head, radius, length = rows.unbind(dim=1)
        shell, head = 0.0625 * shell, 0.0625 * head
        square = radius * radius
        cost = shell * radius * (0.6224 * length + 19.84 * shell) + 1.7781 * head * square
        cost = cost + 3.1661 * shell * shell * length
        constraints = [
            0.0193 * radius - shell,
            0.00954 * radius - head,
            1_296_000 - math.pi * square * (length + 4 / 3 * radius),
        ]
        return self.evaluation(rows, with_violation(cost[:, None], torch.stack(constraints, dim=1)))


class RE24(RealWorld):
    """A hatch cover: its weight against the violation of constraints.

    Objectives: weight of the cover, and the summed violation of four constraints, each a share of its limit: bending
    stress (700 kg/cm^2), shear stress (450 kg/cm^2), deflection (1.5 cm) and buckling stress of the flange.

    Source: Amir and Hasegawa 1989, Journal of Structural Engineering 115(3); RE2-2-4 of Tanabe and Ishibuchi 2020. The
    suite's first supplement lets the beam height begin at 4 cm; its values and its correction at 0.5 cm, as here.
    """

    name = "re24"
    columns = (real(0.5, 4, "thickness of flange", "cm"), real(0.5, 50, "height of beam", "cm"))
    objective_names = ("weight (kg)", "violation")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        x1, x2 = rows.unbind(dim=1)
        modulus = 700_000.0
        bending = 4500 / (x1 * x2)
        shear = 1800 / x2
        deflection = 56.2e4 / (modulus * x1 * x2 * x2)
        buckling = modulus * x1 * x1 / 100
        ratios = torch.stack([bending / 700, shear / 450, deflection / 1.5, bending / buckling], dim=1)
        return self.evaluation(rows, with_violation((x1 + 120 * x2)[:, None], ratios - 1))


class RE25(RealWorld):
    """A coil spring under pressure: the volume of its wire against the violation of constraints.

    A whole number of coils, the diameter of the spring, and one of 42 standard diameters of wire, to the nearest of
    which a row is rounded; those within the bounds are 0.092 to 0.5 in. Objectives: volume of wire (in^3), and the
    summed violation of six constraints, in the units of each: shear stress, free length, ratio of the diameters, and
    deflection under the preload and between the two loads.

    Source: Lampinen and Zelinka 1999, "Mixed variable non-linear optimization by differential evolution", after
    Sandgren 1990; RE2-3-5 of Tanabe and Ishibuchi 2020. The fifth constraint is 0 but for rounding, as
    `(1000 - 300)/K + 300/K` is `1000/K`: its violation is what rounding leaves. A deflection of 1.25 in between the
    loads is the most that the values allow; the sources ask for at least that much.
    """

    name = "re25"
    columns = (
        integer(1, 70, "coils"),
        real(0.6, 3, "diameter of spring", "in"),
        real(0.09, 0.5, "diameter of wire", "in"),
    )
    allowed = MappingProxyType({2: WIRES})
    objective_names = ("volume (in^3)", "violation")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        coils, spring, wire = rows.unbind(dim=1)
        load, preload = 1000.0, 300.0  # lb
        ratio = spring / wire
        correction = (4 * ratio - 1) / (4 * ratio - 4) + 0.615 / ratio
        stiffness = 11.5e6 * (wire * wire) ** 2 / (8 * coils * spring**3)
        solid = 1.05 * (coils + 2) * wire
        free = load / stiffness + solid
        constraints = [
            8 * correction * load * spring / (math.pi * wire**3) - 189_000,
            free - 14,
            3 - ratio,
            preload / stiffness - 6,
            preload / stiffness + (load - preload) / stiffness + solid - free,
            (load - preload) / stiffness - 1.25,
        ]
        volume = math.pi**2 / 4 * spring * wire * wire * (coils + 2)
        return self.evaluation(rows, with_violation(volume[:, None], torch.stack(constraints, dim=1)))
