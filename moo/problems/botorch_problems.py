"""Problems whose values come from BoTorch's test functions: the field's usual ones for Bayesian optimization.

All objectives are minimised and every constraint is feasible where `<= 0`; BoTorch's own are feasible where its slack
is `>= 0`. Where BoTorch 0.18.1 differs from what was published the class says so and puts it right. Reference points
are BoTorch's, or, where the front is known, its nadir plus a tenth of its range. With `noise=` above 0, gaussian noise
of that standard deviation is added to every objective; fronts and reference points stay the noise-free problem's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from botorch.test_functions import multi_objective
from botorch.test_functions.base import MultiObjectiveTestProblem
from torch import Tensor

from moo.adapters.botorch import FromBotorch
from moo.checks import check_count
from moo.dominance import non_dominated
from moo.noise import check_noise
from moo.synthetic import FRONT_POINTS, ROUNDING, KnownFront, chords, evenly


# --------------------------------------------------------------------------------------------------- unconstrained
class BraninCurrin(FromBotorch):
    """Branin's function against Currin's, on the unit square.

    Source: Belakaria, Deshwal and Doppa 2019 (MESMO, NeurIPS 32). Values and reference point (18, 6) as in BoTorch.

    Args:
        noise: Standard deviation of the noise added to each objective.
    """

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__(multi_objective.BraninCurrin(noise_std=check_noise(noise)), "branin-currin")
        self.objective_names = ("Branin", "Currin")


class VehicleSafety(FromBotorch):
    """The front of a car in a crash, by the thickness of five members: mass, acceleration and intrusion.

    The same problem as "re34". Source: Liao, Li, Yang, Zhang and Li 2008, Structural and Multidisciplinary Optimization
    35(6). Values as in BoTorch, whose reference point is 1.1 times the published nadir.

    Args:
        noise: Standard deviation of the noise added to each objective, whose ranges are about 40, 5 and 0.25.
    """

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__(multi_objective.VehicleSafety(noise_std=check_noise(noise)), "vehicle-safety")
        self.objective_names = ("mass (kg)", "acceleration", "toe board intrusion (m)")


class CarSideImpact(FromBotorch):
    """The side of a car in a crash, by seven thicknesses: weight, force, velocity, and the violation of ten limits.

    The same problem as "re41". Source: Jain and Deb 2014, IEEE TEVC 18(4); Tanabe and Ishibuchi 2020. Values as in
    BoTorch, whose reference point is the published nadir plus a tenth of the range.

    Args:
        noise: Standard deviation of the noise added to each objective.
    """

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__(multi_objective.CarSideImpact(noise_std=check_noise(noise)), "car-side-impact")
        self.objective_names = ("weight (kg)", "pubic force (kN)", "velocity (mm/ms)", "violation")


class Penicillin(FromBotorch):
    """A simulated fermentation of seven inputs: minus the yield of penicillin, the carbon dioxide, and the time.

    Source: Liang and Lai 2021 (NeurIPS workshop on AI for science). Values and reference point, inferred from a front
    found by NSGA-II, as in BoTorch. A row takes up to 2500 steps of the simulation; a batch takes them together.

    Args:
        noise: Standard deviation of the noise added to each objective.
    """

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__(multi_objective.Penicillin(noise_std=check_noise(noise)), "penicillin")
        self.objective_names = ("minus yield", "carbon dioxide", "time (h)")


class GMM(FromBotorch):
    """Mixtures of three Gaussian bumps on the unit square, one mixture per objective, each turned to be minimised.

    Source: Daulton et al. 2022 (robust multi-objective Bayesian optimization, ICML). Values (in single precision
    inside) and reference point as in BoTorch.

    Args:
        num_objectives: From 2 to 4.
        noise: Standard deviation of the noise added to each objective.
    """

    def __init__(self, num_objectives: int = 2, noise: float = 0.0) -> None:
        m = check_count("num_objectives", num_objectives, low=2, high=4)
        super().__init__(multi_objective.GMM(noise_std=check_noise(noise), num_objectives=m), "gmm")


# --------------------------------------------------------------------------------------------------- constrained
class ConstrainedBraninCurrin(FromBotorch):
    """Branin's function against Currin's where Branin's arguments lie in a disk.

    Source: the disk is that of Gelbart, Snoek and Adams 2014 (UAI). Values and reference point (80, 12) as in BoTorch.

    Args:
        noise: Standard deviation of the noise added to each objective; the constraint has none.
    """

    def __init__(self, noise: float = 0.0) -> None:
        problem = multi_objective.ConstrainedBraninCurrin(noise_std=check_noise(noise))
        super().__init__(problem, "constrained-branin-currin")
        self.objective_names = ("Branin", "Currin")


class DiscBrake(FromBotorch):
    """A disc brake under four constraints: its mass against the time it takes to stop.

    The same problem as "cre23". Source: Ray and Liew 2002, Engineering Optimization 34(2); Tanabe and Ishibuchi 2020.
    Values and reference point as in BoTorch.

    Args:
        noise: Standard deviation of the noise added to each objective.
    """

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__(multi_objective.DiscBrake(noise_std=check_noise(noise)), "disc-brake")
        self.objective_names = ("mass (kg)", "stopping time (s)")


class _RightedWeldedBeam(multi_objective.WeldedBeam):  # type: ignore[misc]
    """BoTorch's with a slack that is positive where a constraint holds: BoTorch gives its negative."""

    def _evaluate_slack_true(self, X: Tensor) -> Tensor:
        slack: Tensor = -super()._evaluate_slack_true(X)
        return slack


class WeldedBeam(FromBotorch):
    """A welded beam under four constraints: its cost against how far its end gives way.

    Source: Deb 2001, "Multi-objective optimization using evolutionary algorithms" (Wiley). Values as in pymoo and
    BoTorch, constraints as in pymoo: BoTorch's have the wrong sign. "cre22" has the same objectives and space, and
    other numbers in its shear stress and buckling load. Reference point as in BoTorch.

    Args:
        noise: Standard deviation of the noise added to each objective, whose ranges are about 40 and 0.015.
    """

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__(_RightedWeldedBeam(noise_std=check_noise(noise)), "welded-beam")
        self.objective_names = ("cost", "deflection (in)")


# --------------------------------------------------------------------------------------------------- with known fronts
class _Known(KnownFront, FromBotorch):  # type: ignore[override]
    """What those share whose Pareto-optimal rows are known in closed form."""

    def __init__(
        self, problem: MultiObjectiveTestProblem, name: str, optimal: Callable[[], Tensor], *, exact: bool = True
    ) -> None:
        super().__init__(problem, name)
        self.know_front(partial(_front_of, problem, optimal), exact=exact)


def _front_of(problem: MultiObjectiveTestProblem, optimal: Callable[[], Tensor]) -> Tensor:
    """The front of rows among which all optimal ones are, evenly along it, each objective seen over its range."""
    rows = optimal()
    with torch.no_grad():
        objectives = problem(rows, noise=False)
        feasible = (problem.evaluate_slack(rows, noise=False) >= -ROUNDING).all(dim=1)
    front = objectives[feasible]
    front = front[non_dominated(-front)]
    front = front[front[:, 0].argsort()]
    along = chords(front / (front.amax(dim=0) - front.amin(dim=0))).cumsum(dim=0)
    first = torch.zeros(1, dtype=torch.int64)
    thinned: Tensor = front[torch.unique(torch.cat([first, 1 + evenly(along, FRONT_POINTS - 1)]))]
    return thinned


def _steps(low: float, high: float) -> Tensor:
    return torch.linspace(low, high, 20_001, dtype=torch.float64)


def _rows(*columns: Tensor | float) -> Tensor:
    """Columns, numbers or `[n]`, side by side."""
    tensors = [torch.as_tensor(column, dtype=torch.float64) for column in columns]
    return torch.stack(torch.broadcast_tensors(*tensors), dim=1)  # type: ignore[no-untyped-call]


class BNH(_Known):
    """Squared distances to (0, 0), four times, and to (5, 5), within two circles: the problem of Binh and Korn.

    All of it is convex: the optimal rows are `x_1 = x_2` up to the bound of `x_2` at 3, and from there on that bound.

    Source: Binh and Korn 1997 (MOBES). Values as in BoTorch, whose reference point is a placeholder; front as in pymoo.

    Args:
        noise: Standard deviation of the noise added to each objective.
    """

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__(multi_objective.BNH(noise_std=check_noise(noise)), "bnh", _bnh_rows)


def _bnh_rows() -> Tensor:
    x = _steps(0, 5)
    return _rows(x, x.clamp(max=3))


class _PublishedConstr(multi_objective.CONSTR):  # type: ignore[misc]
    """BoTorch's within the published bounds."""

    _bounds = [(0.1, 1.0), (0.0, 5.0)]  # noqa: RUF012


class ConstrEx(_Known):
    """`x_1` against `(1 + x_2) / x_1` under two linear constraints: CONSTR, a front of two convex pieces.

    For a given `x_1` the least feasible `x_2` is best, `max(0, 6 - 9 x_1)`, from `x_1 = 7/18` on.

    Source: Deb, Pratap, Agarwal and Meyarivan 2002 (NSGA-II, IEEE TEC 6(2)). Values as in BoTorch, which lets
    `x_1` go to 10 instead of 1.

    Args:
        noise: Standard deviation of the noise added to each objective.
    """

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__(_PublishedConstr(noise_std=check_noise(noise)), "constr-ex", _constr_ex_rows)


def _constr_ex_rows() -> Tensor:
    x = _steps(7 / 18, 1)
    return _rows(x, (6 - 9 * x).clamp(min=0))


class _PublishedSRN(multi_objective.SRN):  # type: ignore[misc]
    """BoTorch's with the published first objective and first constraint."""

    def _evaluate_true(self, X: Tensor) -> Tensor:
        x, y = X.unbind(dim=-1)
        return torch.stack([2 + (x - 2) ** 2 + (y - 1) ** 2, 9 * x - (y - 1) ** 2], dim=-1)

    def _evaluate_slack_true(self, X: Tensor) -> Tensor:
        x, y = X.unbind(dim=-1)
        return torch.stack([225 - x**2 - y**2, -10 - x + 3 * y], dim=-1)


class SRN(_Known):
    """A distance against a saddle, within a circle and beside a line: the problem of Srinivas and Deb.

    As `f_1 + f_2 >= -1/4`, with equality at `x_1 = -2.5`, all feasible rows there are optimal. Besides, from where the
    line is nearest to (2, 1), so is the line up to them, and beyond them the circle as far as `f_2` falls: no row of a
    fine grid dominates any of these, and they dominate all others. pymoo's front lacks both.

    Source: Srinivas and Deb 1994 (NSGA), Evolutionary Computation 2(3); values as in pymoo. BoTorch has `(x_2 - 2)^2`
    in the first objective, which should be `(x_2 - 1)^2`, and fourth powers in the circle, which should be squares.

    Args:
        noise: Standard deviation of the noise added to each objective.
    """

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__(_PublishedSRN(noise_std=check_noise(noise)), "srn", _srn_rows)


def _srn_rows() -> Tensor:
    line, circle = _steps(2.5, 3.7), _steps(14, math.sqrt(225 - 2.5**2))
    middle = _rows(-2.5, _steps(2.5, math.sqrt(225 - 2.5**2)))
    return torch.cat([_rows(3 * line - 10, line), middle, _rows(-((225 - circle**2).sqrt()), circle)])


class OSY(_Known):
    """Six columns and six constraints: a front of five pieces, each on other constraints.

    The optimal rows are those that Deb 2001 gives: `x_4 = x_6 = 0`, and five lines in the other columns. That is not
    proved: 300,000 evaluations of NSGA-II found nothing that dominates any of them and nothing away from them. So there
    is a reference front and no oracle.

    Source: Osyczka and Kundu 1995, Structural Optimization 10. Values as in BoTorch, whose reference point (-75, 75)
    leaves out both ends of the front.

    Args:
        noise: Standard deviation of the noise added to each objective.
    """

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__(multi_objective.OSY(noise_std=check_noise(noise)), "osy", _osy_rows, exact=False)


def _osy_rows() -> Tensor:
    x1, x2, x3 = _steps(0, 1), _steps(0, 1), _steps(1, 5)
    return torch.cat(
        [
            _rows(5, 1, x3, 0, 5, 0),
            _rows(5, 1, x3, 0, 1, 0),
            _rows(2 + 3 * x2, x2, 1, 0, 1, 0),
            _rows(0, 2, x3, 0, 1, 0),
            _rows(x1, 2 - x1, 1, 0, 1, 0),
        ]
    )
