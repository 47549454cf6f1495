"""The real-world problems RE31 to RE37, of three objectives, and CRE21 to CRE25: five of the designs, constrained.

RE31, RE32, RE33, RE35 and RE36 have the summed violation of their constraints as a third objective; the CRE problem
beside each keeps the constraints apart.

Source: Tanabe and Ishibuchi 2020, "An easy-to-use real-world multi-objective optimization problem suite", Applied Soft
Computing 89, 106078 (arXiv 2009.12867). What all of the suite share is in `moo/real_world.py`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from moo.base import Evaluation
from moo.real_world import RealWorld, with_violation
from moo.space import integer, real

ROOT2 = math.sqrt(2)


# --------------------------------------------------------------------------------------------------- two-bar truss
TRUSS = (
    real(1e-5, 100, "area of bar AC", "m^2"),
    real(1e-5, 100, "area of bar BC", "m^2"),
    real(1, 3, "height", "m"),
)


def _two_bar_truss(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Volume and stress of bar AC `[n, 2]`; a volume of 0.1 m^3, both stresses at 1e5 kPa `[n, 3]`."""
    x1, x2, y = rows.unbind(dim=1)
    long, short = (16 + y * y).sqrt(), (1 + y * y).sqrt()
    volume = x1 * long + x2 * short
    stress_ac, stress_bc = 20 * long / (x1 * y), 80 * short / (x2 * y)
    return torch.stack([volume, stress_ac], 1), torch.stack([volume - 0.1, stress_ac - 1e5, stress_bc - 1e5], dim=1)


class RE31(RealWorld):
    """A truss of two bars: the volume of its bars, the stress in one of them, and the violation of constraints.

    Cross-sections of both bars and the height of their joint. Objectives: volume (m^3), stress in bar AC (kPa), and
    the summed violation of three constraints: a volume of at most 0.1 m^3 and stresses of at most 1e5 kPa in both bars.

    Source: Coello Coello and Pulido 2005, Structural and Multidisciplinary Optimization 30(5); RE3-3-1 of Tanabe and
    Ishibuchi 2020. pymoo's Truss2D has the larger of both stresses for an objective and other bounds.
    """

    name = "re31"
    columns = TRUSS
    objective_names = ("volume (m^3)", "stress of bar AC (kPa)", "violation")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, with_violation(*_two_bar_truss(rows)))


class CRE21(RealWorld):
    """RE31's truss of two bars with its three constraints kept apart.

    Source: C2-3-1 of Tanabe and Ishibuchi 2020.
    """

    name = "cre21"
    columns = TRUSS
    objective_names = RE31.objective_names[:2]
    num_constraints = 3

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, *_two_bar_truss(rows))


# --------------------------------------------------------------------------------------------------- welded beam
BEAM = (
    real(0.125, 5, "thickness of weld", "in"),
    real(0.1, 10, "length of weld", "in"),
    real(0.1, 10, "height of beam", "in"),
    real(0.125, 5, "width of beam", "in"),
)


def _welded_beam(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Cost and deflection `[n, 2]`; shear stress, bending stress, weld within the beam, buckling load `[n, 4]`."""
    weld, length, height, width = rows.unbind(dim=1)
    load, overhang, modulus, shear_modulus = 6000.0, 14.0, 30e6, 12e6
    cost = 1.10471 * weld * weld * length + 0.04811 * height * width * (overhang + length)
    deflection = 4 * load * overhang**3 / (modulus * width * height**3)

    middle = ((weld + height) / 2) ** 2
    radius = (length * length / 4 + middle).sqrt()
    inertia = 2 * ROOT2 * weld * length * (length * length / 12 + middle)
    direct = load / (ROOT2 * weld * length)
    torsion = load * (overhang + length / 2) * radius / inertia
    shear = (direct**2 + direct * torsion * length / radius + torsion**2).sqrt()
    bending = 6 * load * overhang / (width * height * height)
    slender = 1 - height / (2 * overhang) * math.sqrt(modulus / (4 * shear_modulus))
    buckling = 4.013 * modulus / overhang**2 * height * width**3 / 6 * slender
    constraints = torch.stack([shear - 13_600, bending - 30_000, weld - width, load - buckling], dim=1)
    return torch.stack([cost, deflection], dim=1), constraints


class RE32(RealWorld):
    """A beam welded to a wall: its cost, how far its end bends, and the violation of constraints.

    Objectives: cost of weld and beam (dollars), deflection of the end (in), and the summed violation of four
    constraints, in the units of each: shear stress in the weld (13,600 psi), bending stress in the beam (30,000 psi), a
    weld no thicker than the beam (in), and a buckling load of 6,000 lb.

    Source: Ray and Liew 2002, Engineering Optimization 34(2); RE3-4-2 of Tanabe and Ishibuchi 2020. The weld's moment
    of inertia has 2 sqrt(2), as the values do, and the buckling load E; pymoo and BoTorch have 2 sqrt(1/2), which
    doubles the torsion, and sqrt(E G), which divides the buckling load by 1.58. They divide the constraints by their
    limits.
    """

    name = "re32"
    columns = BEAM
    objective_names = ("cost (dollars)", "deflection (in)", "violation")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, with_violation(*_welded_beam(rows)))


class CRE22(RealWorld):
    """RE32's welded beam with its four constraints kept apart.

    Source: C2-4-2 of Tanabe and Ishibuchi 2020.
    """

    name = "cre22"
    columns = BEAM
    objective_names = RE32.objective_names[:2]
    num_constraints = 4

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, *_welded_beam(rows))


# --------------------------------------------------------------------------------------------------- disc brake
BRAKE = (
    real(55, 80, "inner radius", "mm"),
    real(75, 110, "outer radius", "mm"),
    real(1000, 3000, "engaging force", "N"),
    real(11, 20, "friction surfaces"),
)


def _disc_brake(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mass and stopping time `[n, 2]`; width of the ring, pressure, temperature, torque `[n, 4]`."""
    inner, outer, force, surfaces = rows.unbind(dim=1)
    squares, cubes = outer**2 - inner**2, outer**3 - inner**3
    mass = 4.9e-5 * squares * (surfaces - 1)
    time = 9.82e6 * squares / (force * surfaces * cubes)
    constraints = [
        20 - (outer - inner),
        force / (3.14 * squares) - 0.4,
        2.22e-3 * force * cubes / squares**2 - 1,
        900 - 2.66e-2 * force * surfaces * cubes / squares,
    ]
    return torch.stack([mass, time], dim=1), torch.stack(constraints, dim=1)


class RE33(RealWorld):
    """A disc brake: its mass, the time it takes to stop, and the violation of constraints.

    The number of friction surfaces is real, as in the suite. Objectives: mass (kg), stopping time (s), and the summed
    violation of four constraints, in the units of each: a ring of at least 20 mm, pressure, temperature, and a torque
    of at least 900. The outer radius may be smaller than the inner one: the mass is then negative and the ring violates
    its constraint; where both are equal the row cannot be evaluated, and just above that the violation grows without
    bound on the front. The reference front leaves out what violates by more than 25, the published nadir.

    Source: Ray and Liew 2002, Engineering Optimization 34(2); RE3-4-3 of Tanabe and Ishibuchi 2020. 11 to 20 friction
    surfaces are what the suite and its values have; its authors have since said that 2 to 11 was meant. 3.14 stands for
    pi, as in the suite and in BoTorch's DiscBrake; jMetalPy has pi.
    """

    name = "re33"
    columns = BRAKE
    objective_names = ("mass (kg)", "stopping time (s)", "violation")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, with_violation(*_disc_brake(rows)))


class CRE23(RealWorld):
    """RE33's disc brake with its four constraints kept apart.

    Source: C2-4-3 of Tanabe and Ishibuchi 2020. Values as in BoTorch's DiscBrake, whose constraints are the negatives.
    """

    name = "cre23"
    columns = BRAKE
    objective_names = RE33.objective_names[:2]
    num_constraints = 4

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, *_disc_brake(rows))


# --------------------------------------------------------------------------------------------------- crash safety
class RE34(RealWorld):
    """The front of a car in a crash: its mass, the passengers' acceleration, and how far the toe board is pushed in.

    Thicknesses of five reinforced members around the front. Objectives, from response surfaces of crash simulations:
    mass (kg), integrated acceleration in the full frontal crash, and intrusion of the toe board in the offset one (m).

    Source: Liao, Li, Yang, Zhang and Li 2008, Structural and Multidisciplinary Optimization 35(6); RE3-5-4 of Tanabe
    and Ishibuchi 2020. Values as in BoTorch's VehicleSafety.
    """

    name = "re34"
    columns = tuple(real(1, 3, f"thickness of member {i}", "mm") for i in range(1, 6))
    objective_names = ("mass (kg)", "acceleration", "toe board intrusion (m)")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        x1, x2, x3, x4, x5 = rows.unbind(dim=1)
        mass = 1640.2823 + 2.3573285 * x1 + 2.3220035 * x2 + 4.5688768 * x3 + 7.7213633 * x4 + 4.4559504 * x5
        acceleration = 6.5856 + x1 * (1.15 - 0.1106 * x1 - 0.3695 * x4 + 0.0861 * x5)
        acceleration = acceleration + x2 * (0.3628 * x4 - 1.0427)
        acceleration = acceleration + x3 * (0.9738 - 0.3437 * x3) + x4 * (0.8364 + 0.1764 * x4)
        intrusion = -0.0551 + 0.0181 * x1 + x2 * (0.1024 - 0.0073 * x1 - 0.0241 * x2 + 0.024 * x3 - 0.0118 * x4)
        intrusion = intrusion + x3 * (0.0421 - 0.0204 * x4 - 0.008 * x5) + 0.0109 * x4 * x4
        return self.evaluation(rows, torch.stack([mass, acceleration, intrusion], dim=1))


# --------------------------------------------------------------------------------------------------- speed reducer
REDUCER = (
    real(2.6, 3.6, "width of gear face", "cm"),
    real(0.7, 0.8, "module of teeth", "cm"),
    integer(17, 28, "teeth of pinion"),
    real(7.3, 8.3, "length of shaft 1", "cm"),
    real(7.3, 8.3, "length of shaft 2", "cm"),
    real(2.9, 3.9, "diameter of shaft 1", "cm"),
    real(5.0, 5.5, "diameter of shaft 2", "cm"),
)


def _speed_reducer(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Volume and stress of shaft 1 `[n, 2]`; bending, contact, deflections, geometry, stresses `[n, 11]`."""
    face, module, teeth, length1, length2, shaft1, shaft2 = rows.unbind(dim=1)
    size = module * teeth
    volume = 0.7854 * face * module * module * (10 / 3 * teeth * teeth + 14.933 * teeth - 43.0934)
    volume = volume - 1.508 * face * (shaft1**2 + shaft2**2) + 7.477 * (shaft1**3 + shaft2**3)
    volume = volume + 0.7854 * (length1 * shaft1**2 + length2 * shaft2**2)
    stress1 = ((745 * length1 / size) ** 2 + 1.69e7).sqrt() / (0.1 * shaft1**3)
    stress2 = ((745 * length2 / size) ** 2 + 1.575e8).sqrt() / (0.1 * shaft2**3)
    constraints = [
        1 / (face * module * size) - 1 / 27,
        1 / (face * size * size) - 1 / 397.5,
        length1**3 / (size * (shaft1 * shaft1) ** 2) - 1 / 1.93,
        length2**3 / (size * (shaft2 * shaft2) ** 2) - 1 / 1.93,
        size - 40,
        face / module - 12,
        5 - face / module,
        1.9 - length1 + 1.5 * shaft1,
        1.9 - length2 + 1.1 * shaft2,
        stress1 - 1300,
        stress2 - 1100,
    ]
    return torch.stack([volume, stress1], dim=1), torch.stack(constraints, dim=1)


class RE35(RealWorld):
    """A speed reducer: its volume, the stress in one of its shafts, and the violation of constraints.

    The pinion has a whole number of teeth. Objectives: volume (cm^3), stress in shaft 1, and the summed violation of
    eleven constraints, in the units of each: bending and contact stress of the teeth, deflection of both shafts, four
    on the geometry, and the stress in both shafts (1300 and 1100).

    Source: Farhang-Mehr and Azarm 2002, Proceedings of the 2002 Congress on Evolutionary Computation; RE3-7-5 of Tanabe
    and Ishibuchi 2020.
    """

    name = "re35"
    columns = REDUCER
    objective_names = ("volume (cm^3)", "stress of shaft 1", "violation")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, with_violation(*_speed_reducer(rows)))


class CRE24(RealWorld):
    """RE35's speed reducer with its eleven constraints kept apart.

    Source: C2-7-4 of Tanabe and Ishibuchi 2020.
    """

    name = "cre24"
    columns = REDUCER
    objective_names = RE35.objective_names[:2]
    num_constraints = 11

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, *_speed_reducer(rows))


# --------------------------------------------------------------------------------------------------- gear train
GEARS = tuple(integer(12, 60, f"teeth of gear {i}") for i in range(1, 5))


def _gear_train(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Error of the ratio and largest gear `[n, 2]`; the error at half the wanted ratio `[n, 1]`."""
    x1, x2, x3, x4 = rows.unbind(dim=1)
    error = (6.931 - x3 / x1 * (x4 / x2)).abs()
    return torch.stack([error, rows.amax(dim=1)], dim=1), (error / 6.931 - 0.5)[:, None]


class RE36(RealWorld):
    """A train of four gears: how far it misses a ratio of 6.931, its largest gear, and the violation of a constraint.

    Whole numbers of teeth, 5,764,801 designs in all. Objectives: error of the ratio, teeth of the largest gear, and by
    how much the error exceeds half of the wanted ratio, as a share of that ratio.

    Source: Deb and Srinivasan 2006, Proceedings of GECCO; RE3-4-6 of Tanabe and Ishibuchi 2020.
    """

    name = "re36"
    columns = GEARS
    objective_names = ("error of ratio", "largest gear (teeth)", "violation")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, with_violation(*_gear_train(rows)))


class CRE25(RealWorld):
    """RE36's train of four gears with its constraint kept apart.

    Source: C2-4-5 of Tanabe and Ishibuchi 2020.
    """

    name = "cre25"
    columns = GEARS
    objective_names = RE36.objective_names[:2]
    num_constraints = 1

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        return self.evaluation(rows, *_gear_train(rows))


# --------------------------------------------------------------------------------------------------- rocket injector
class RE37(RealWorld):
    """The injector of a rocket engine: the temperature of its face, the length of the flame, that of the post tip.

    Four shape variables and three objectives, all scaled to the range of the simulations behind the response surfaces:
    largest temperature of the injector face, distance from the inlet to complete combustion, largest temperature of the
    tip of the oxidizer post.

    Source: Vaidyanathan, Tucker, Papila and Shyy 2003, AIAA 2003-296; RE3-4-7 of Tanabe and Ishibuchi 2020.
    """

    name = "re37"
    columns = (
        real(0, 1, "hydrogen flow angle"),
        real(0, 1, "change of hydrogen flow area"),
        real(0, 1, "change of oxygen flow area"),
        real(0, 1, "thickness of oxidizer post tip"),
    )
    objective_names = ("temperature of face", "combustion length", "temperature of post tip")

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor | Evaluation:  # noqa: ARG002
        rows = self.rows(solutions)
        a, h, o, t = rows.unbind(dim=1)  # in the order of the columns
        face = 0.692 + a * (0.477 - 0.167 * a) - h * (0.687 + 0.0129 * a - 0.0796 * h)
        face = face - o * (0.08 + 0.0634 * a + 0.0257 * h - 0.0877 * o)
        face = face - t * (0.065 + 0.0521 * a - 0.00156 * h - 0.00198 * o - 0.0184 * t)
        length = 0.153 - a * (0.322 - 0.175 * a) + h * (0.396 + 0.0185 * a - 0.0701 * h)
        length = length + o * (0.424 - 0.251 * a + 0.179 * h + 0.015 * o)
        length = length + t * (0.0226 + 0.0134 * a + 0.0296 * h + 0.0752 * o + 0.0192 * t)
        tip = 0.37 - a * (0.205 + 0.135 * a) + h * (0.0307 + 0.0141 * a + 0.0998 * h)
        tip = tip + o * (0.108 + 0.208 * a - 0.0301 * h - 0.226 * o)
        tip = tip + t * (1.019 + 0.353 * a - 0.0497 * o - 0.423 * t - 0.184 * a * t)
        tip = tip + a * h * (0.202 * a - 0.342 * h - 0.281 * o) - 0.281 * a * a * o
        tip = tip + h * o * (0.281 * o - 0.245 * h)
        return self.evaluation(rows, torch.stack([face, length, tip], dim=1))
