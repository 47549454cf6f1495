"""Problems to be encoded, and what tests of the encodings ask of them."""

import torch

from moo.adapters.encodings import LatticeConstruction
from moo.base import ConstructionProblem, Evaluation, VectorProblem
from moo.dominance import non_dominated
from moo.space import Space, categorical, integer, real

COLOURS = ["red", "green", "blue"]


class Mixed(VectorProblem):
    """One column of each kind; the first objective is maximised. The colour decides, so that order would show."""

    name = "mixed"
    num_objectives = 2
    objective_names = ("gain", "cost")
    directions = ("max", "min")
    unit = "simulations"
    reference_point = (-10.0, 10.0)
    num_constraints = 1
    space = Space((real(-2, 2, "x"), integer(1, 3, "gears"), categorical(COLOURS, "colour")))

    def __init__(self, fails=""):
        self.fails = fails
        self.rows = []

    @property
    def reference_front(self):
        return torch.tensor([[3.0, 0.0]])

    def evaluate(self, solutions, generator=None):
        self.rows += solutions.tolist()
        x, gears, colour = solutions.unbind(dim=1)
        bad = (x < 0) & (self.fails != "")
        if self.fails == "raise" and bad.any():
            raise ArithmeticError("the simulator crashed")
        objectives = torch.stack([gears - x**2, colour * gears + x], dim=1)
        if self.fails == "nan":
            objectives[bad] = float("nan")
        constraints = (x - 1.5)[:, None]
        if self.fails == "constraints":
            constraints[bad] = float("nan")
        return Evaluation(objectives, constraints, failed=bad if self.fails == "flag" else None)


class Grid(ConstructionProblem):
    """Steps to the right, upwards, or the end, in any order: a cell is reached by many trajectories."""

    name = "grid"
    num_objectives = 2
    directions = ("max", "min")
    num_actions = 3

    def __init__(self, side=4, fails=False):
        self.side, self.fails, self.max_steps = side, fails, 2 * (side - 1) + 1
        self.feature_sizes = (side, side, 2)

    def start(self, n):
        return torch.zeros(1, 3, dtype=torch.int64).expand(n, -1)  # x, y, ended

    def step(self, state, actions):
        return state + torch.nn.functional.one_hot(actions, 3), actions == 2

    def undo(self, state, actions):
        return state - torch.nn.functional.one_hot(actions, 3)

    def action_mask(self, state):
        return torch.cat([state[:, :2] < self.side - 1, state[:, 2:] == 0], dim=1) & (state[:, 2:] == 0)

    def backward_mask(self, state):
        ended = state[:, 2:] > 0
        return torch.cat([(state[:, :2] > 0) & ~ended, ended], dim=1)

    def features(self, state):
        return state

    def evaluate(self, solutions, generator=None):
        place = solutions[:, :2].double()
        objectives = torch.stack([place.sum(dim=1), place[:, 0] ** 2], dim=1)
        failed = (solutions[:, 0] == 3) & self.fails
        return Evaluation(objectives, failed=failed, reasons={0: "off the map"} if failed[0] else {})

    def decode(self, solutions):
        return [f"({x}, {y})" for x, y, _ in solutions.tolist()]


def evaluated(problem, solutions):
    """Objectives (None where a row failed) and constraints of each row, as lists, so that equal is equal."""
    given = problem.evaluate(solutions)
    given = given if isinstance(given, Evaluation) else Evaluation(given)
    columns = given.objectives
    if given.failed is not None:
        columns = torch.where(given.failed[:, None], float("nan"), columns)
    if given.constraints is not None:
        columns = torch.cat([columns, given.constraints], dim=1)
    return [[None if value != value else value for value in row] for row in columns.tolist()]


def uniform_actions(problem, n, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(n, problem.action_space.dim, generator=stream, dtype=torch.float64) - 1


def random_rows(problem, n, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return problem.space.from_unit(torch.rand(n, problem.space.dim, generator=stream, dtype=torch.float64))


def enumerate_objects(problem):
    """Every state by its number of steps, each with how many trajectories reach it, by following all legal actions."""
    layer, finished = {tuple(problem.start(1)[0].tolist()): 1}, {}
    for _ in range(problem.max_steps):
        state = torch.tensor(list(layer))
        counts, layer = list(layer.values()), {}
        rows, actions = torch.nonzero(problem.action_mask(state), as_tuple=True)
        moved, done = problem.step(state[rows], actions)
        for row, after, end in zip(rows.tolist(), moved.tolist(), done.tolist(), strict=True):
            into = finished if end else layer
            into[tuple(after)] = into.get(tuple(after), 0) + counts[row]
        if not layer:
            break
    assert not layer
    return finished


def front_of(problem, objectives):
    """The non-dominated points of objectives in the problem's own directions, as a sorted list."""
    sign = torch.tensor([1.0 if word == "max" else -1.0 for word in problem.directions])
    return sorted(objectives[non_dominated(objectives * sign)].tolist())


def lattice(problem=None, levels=5):
    return LatticeConstruction(problem or Mixed(), levels=levels)
