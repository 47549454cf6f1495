"""What pymoo's algorithms lack on whole columns: operators for those without order, a MOEA/D that does not repeat."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from pymoo.algorithms.moo.moead import MOEAD
from pymoo.core.algorithm import Algorithm
from pymoo.core.crossover import Crossover
from pymoo.core.individual import Individual
from pymoo.core.mutation import Mutation
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.sampling import Sampling
from pymoo.core.variable import get

from moo.space import Space


def unordered_columns(space: Space) -> np.ndarray:
    """The numbers `[u]` of the columns that are swapped and redrawn: categorical ones and, next to them, 0/1 integers.

    Two values have no order worth the name, and polynomial mutation hardly ever takes the one to the other: of its
    draws one in four million reaches across the middle. pymoo treats `Binary` variables alike. Empty where no column is
    categorical: such spaces have operators of their own.
    """
    if "categorical" not in space.kinds:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(
        [
            column.kind == "categorical" or (column.kind == "integer" and (column.low, column.high) == (0, 1))
            for column in space.columns
        ]
    )


class SamplingByColumn(Sampling):  # type: ignore[misc]
    """A first population: unordered columns uniform over their values, the others uniform between their bounds.

    Args:
        unordered: The numbers of the columns without order, `[u]`; their values are 0, 1, ...
    """

    def __init__(self, unordered: np.ndarray) -> None:
        super().__init__()
        self.unordered = unordered

    def _do(
        self, problem: Problem, n_samples: int, *_: Any, random_state: np.random.Generator, **__: Any
    ) -> np.ndarray:
        unit = random_state.random((n_samples, problem.n_var))
        rows: np.ndarray = problem.xl + (problem.xu - problem.xl) * unit
        rows[:, self.unordered] = np.floor(unit[:, self.unordered] * (problem.xu[self.unordered] + 1))
        return rows


class CrossoverByColumn(Crossover):  # type: ignore[misc]
    """Two parents, two children: a crossover of numbers in the ordered columns, uniform crossover in the others.

    Uniform crossover (Syswerda 1989, ICGA 3) swaps each column with probability .5, independently. Whether a pair is
    crossed at all is decided once for all columns, with the probability that the crossover of numbers has.

    Args:
        ordered: The crossover of numbers.
        unordered: The numbers of the columns without order, `[u]`.
    """

    def __init__(self, ordered: Crossover, unordered: np.ndarray) -> None:
        super().__init__(ordered.n_parents, ordered.n_offsprings, prob=get(ordered.prob))
        self.ordered = ordered
        self.unordered = unordered

    def _do(self, problem: Problem, x: np.ndarray, *_: Any, random_state: np.random.Generator, **__: Any) -> np.ndarray:
        """Children `[2, n, d]` of parents `[2, n, d]`."""
        children: np.ndarray = self.ordered._do(problem, x, random_state=random_state)
        theirs = x[:, :, self.unordered]
        swapped = random_state.random(theirs.shape[1:]) < 0.5
        children[:, :, self.unordered] = np.where(swapped, theirs[::-1], theirs)
        return children


class MutationByColumn(Mutation):  # type: ignore[misc]
    """A mutation of numbers in the ordered columns; in the others another value, each of these equally likely.

    An unordered column changes with the probability that a column has in the mutation of numbers: `1 / d`, at most .5.
    The share of rows that the mutation of numbers leaves alone concerns numbers only.

    Args:
        ordered: The mutation of numbers.
        unordered: The numbers of the columns without order, `[u]`; their values are 0, 1, ...
    """

    def __init__(self, ordered: Mutation, unordered: np.ndarray) -> None:
        super().__init__(prob=1.0)
        self.ordered = ordered
        self.unordered = unordered

    def _do(self, problem: Problem, x: np.ndarray, *_: Any, random_state: np.random.Generator, **__: Any) -> np.ndarray:
        """Mutated rows `[n, d]` of rows `[n, d]`."""
        n = len(x)
        mutated: np.ndarray = self.ordered._do(problem, x, random_state=random_state)
        spared = random_state.random(n) > get(self.ordered.prob, size=n)
        mutated[spared] = x[spared]
        old, others = x[:, self.unordered], problem.xu[self.unordered]  # others: how many other values there are
        changed = random_state.random(old.shape) < self.ordered.get_prob_var(problem, size=(n, 1))
        step = 1 + np.floor(random_state.random(old.shape) * others)  # where there is no other: 1, which leads back
        mutated[:, self.unordered] = np.where(changed, (old + step) % (others + 1), old)
        return mutated


def act_by_column(algorithm: Algorithm, space: Space) -> Algorithm:
    """Let an algorithm of pymoo keep its own crossover and mutation for the ordered columns alone.

    One for a space without categorical columns stays as it is.
    """
    unordered = unordered_columns(space)
    if len(unordered):
        mating = algorithm.mating
        mating.crossover = CrossoverByColumn(mating.crossover, unordered)
        mating.mutation = MutationByColumn(mating.mutation, unordered)
    return algorithm


def least_violating(pop: Population, pairs: np.ndarray, random_state: np.random.Generator, **_: Any) -> np.ndarray:
    """NSGA-III's tournament `[p, 2] -> [p, 1]`: the less violating of two rows wins, a random one of two equal ones.

    Where both rows violate equally much, pymoo 0.6.2 draws from a stream that no seed determines, so that two runs of
    one seed differ; elsewhere it draws as here.
    """
    violation = pop.get("CV")[:, 0]
    return np.array(
        [
            [a if violation[a] < violation[b] else b if violation[b] < violation[a] else random_state.choice([a, b])]
            for a, b in pairs
        ]
    )


class DistinctMOEAD(MOEAD):  # type: ignore[misc]
    """pymoo's MOEA/D, but a child that equals a row of the present population is bred again, parents and all.

    Its own does not look for duplicates: among real columns there are none, among whole ones they are paid again (a
    tenth to nine tenths of all evaluations where it was tried). Where 100 attempts, as in pymoo's other methods, give
    nothing new, the next direction has its turn. `ask` returns None where no direction brings anything, and once every
    row of a finite space was told. Its problem is a `ToPymoo`.
    """

    attempts = 100
    ideal: np.ndarray  # the least value seen of each objective, `[m]`

    def _setup(self, problem: Problem, **kwargs: Any) -> None:
        super()._setup(problem, **kwargs)
        self.size: float = problem.ours.space.size
        self.told: set[tuple[float, ...]] = set()  # the different rows, of a finite space

    def _initialize_advance(self, infills: Population, **kwargs: Any) -> None:
        super()._initialize_advance(infills, **kwargs)
        self._note(infills.get("X"))

    def _next(self) -> Generator[Individual, Individual, None]:
        """One pass over the directions in random order: hands out a child, is sent it evaluated."""
        for direction in self.random_state.permutation(len(self.pop)):
            child = self._new_child(direction)
            if child is not None:
                told = yield child
                self._note(told.X[None])
                self.ideal = np.minimum(self.ideal, told.F)
                self._replace(direction, told)

    def _note(self, rows: np.ndarray) -> None:
        """Remember which rows `[n, d]` of a finite space were told."""
        if np.isfinite(self.size):
            self.told.update(map(tuple, rows.tolist()))

    def _new_child(self, direction: int) -> Individual | None:
        """A child of parents near a direction that is not in the population; None where none was found."""
        drawn: dict[str, Any] = {"random_state": self.random_state}
        near, rows = [self.neighbors[direction]], self.pop.get("X")
        for _ in range(self.attempts if len(self.told) < self.size else 0):
            parents = self.selection.do(self.problem, self.pop, 1, 2, neighbors=near, **drawn)
            child = self.mating.do(self.problem, self.pop, 1, parents=parents, n_max_iterations=1, **drawn)[0]
            if not (rows == child.X).all(axis=1).any():
                return child
        return None
