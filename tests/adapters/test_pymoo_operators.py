import numpy as np
import pytest
import torch
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.termination import NoTermination
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.sampling.rnd import FloatRandomSampling
from scipy.stats import binomtest, chisquare

from moo.adapters.pymoo import ToPymoo
from moo.adapters.pymoo_operators import (
    CrossoverByColumn,
    DistinctMOEAD,
    MutationByColumn,
    SamplingByColumn,
    act_by_column,
    unordered_columns,
)
from moo.base import VectorProblem
from moo.preferences import lattice
from moo.space import Space, categorical, integer, real

# a category of six, a real column with negative bounds, a bit, a constant, a category of two, an integer
SPACE = Space(
    (
        categorical("abcdef", "six"),
        real(-3, -1, "length"),
        integer(0, 1, "bit"),
        categorical(["only"], "constant"),
        categorical([True, False], "two"),
        integer(-2, 9, "count"),
    )
)
UNORDERED = np.array([0, 2, 3, 4])
ORDERED = np.array([1, 5])
PROBABLE = 1e-3  # a fixed seed: below it a test would fail for one seed in a thousand, all the same each time


def bounds(space=SPACE):
    return Problem(n_var=space.dim, xl=space.lower.numpy(), xu=space.upper.numpy())


def drawn(n, seed=0):
    """Rows `[n, 6]` of the space, uniform."""
    unit = torch.rand(n, SPACE.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return SPACE.from_unit(unit).numpy()


def seeded(seed=0):
    return np.random.default_rng(seed)


def uniform(counts):
    return chisquare(counts).pvalue > PROBABLE


def likely(hits, n, probability):
    return binomtest(int(hits), n, probability).pvalue > PROBABLE


def test_unordered_columns():
    assert unordered_columns(SPACE).tolist() == UNORDERED.tolist()
    assert unordered_columns(Space((real(0, 1), integer(0, 1), integer(0, 4)))).tolist() == []
    assert unordered_columns(Space((integer(0, 1), integer(0, 1)))).tolist() == []
    assert unordered_columns(Space((categorical("ab"), integer(0, 2)))).tolist() == [0]


# ------------------------------------------------------------------------------------------------------- sampling
def test_every_category_is_drawn_equally_often_and_numbers_as_before():
    n, problem = 60_000, bounds()
    rows = SamplingByColumn(UNORDERED)._do(problem, n, random_state=seeded())
    for column, k in ((0, 6), (2, 2), (4, 2)):
        assert uniform(np.bincount(rows[:, column].astype(int), minlength=k))
        assert set(rows[:, column]) == set(range(k))
    assert set(rows[:, 3]) == {0}
    plain = FloatRandomSampling()._do(problem, n, random_state=seeded())
    assert np.array_equal(rows[:, ORDERED], plain[:, ORDERED])


# ------------------------------------------------------------------------------------------------------- crossover
def crossed(n, seed=0):
    """Parents and children `[2, n, d]`, the crossover of numbers having been pymoo's with probability 1."""
    parents = np.stack([drawn(n, 1), drawn(n, 2)])
    children = CrossoverByColumn(SBX(eta=15), UNORDERED)._do(bounds(), parents, random_state=seeded(seed))
    return parents, children


def test_categories_are_exchanged_and_never_mixed():
    parents, children = crossed(500)
    assert np.array_equal(np.sort(parents[:, :, UNORDERED], axis=0), np.sort(children[:, :, UNORDERED], axis=0))


def test_a_category_is_swapped_with_probability_a_half_whatever_the_others_do():
    parents, children = crossed(40_000)
    swapped = {}
    for column in (0, 2, 4):
        differ = parents[0, :, column] != parents[1, :, column]
        swapped[column] = np.where(differ, children[0, :, column] == parents[1, :, column], False)
        assert likely(swapped[column].sum(), int(differ.sum()), 0.5)
    differ = (parents[0][:, [0, 2, 4]] != parents[1][:, [0, 2, 4]]).all(axis=1)
    together = sum(weight * swapped[column][differ] for column, weight in ((0, 1), (2, 2), (4, 4)))
    assert uniform(np.bincount(together, minlength=8))


def test_numbers_are_crossed_by_pymoos_operator_bit_for_bit():
    parents, children = crossed(200, seed=3)
    plain = SBX(eta=15)._do(bounds(), parents, random_state=seeded(3))
    assert np.array_equal(children[:, :, ORDERED], plain[:, :, ORDERED])
    assert not np.array_equal(children[:, :, ORDERED], parents[:, :, ORDERED])


def test_whole_pairs_are_crossed_with_the_probability_of_the_crossover_of_numbers():
    n = 4000
    pairs = np.zeros((n, 2, 40))
    pairs[:, 1] = 1  # 40 columns in which the parents differ: uncrossed pairs can be told
    problem = Problem(n_var=40, xl=np.zeros(40), xu=np.ones(40))
    population = [Population.new("X", pair) for pair in pairs]
    for probability in (0.9, 1.0):
        operator = CrossoverByColumn(SBX(prob=probability), np.arange(40))
        children = operator(problem, population, random_state=seeded()).get("X").reshape(2, n, 40)
        crossed_pairs = (children[0].min(axis=1) != children[0].max(axis=1)).sum()
        assert crossed_pairs == n if probability == 1 else likely(crossed_pairs, n, probability)


# ------------------------------------------------------------------------------------------------------- mutation
def test_categories_change_with_probability_1_over_d_to_any_other_alike():
    n = 60_000
    before = drawn(n)
    after = MutationByColumn(PM(eta=20), UNORDERED)._do(bounds(), before, random_state=seeded())
    for column, k in ((0, 6), (2, 2), (4, 2)):
        old, new = before[:, column].astype(int), after[:, column].astype(int)
        moved = new != old
        assert likely(moved.sum(), n, 1 / SPACE.dim)
        table = np.zeros((k, k), dtype=int)
        np.add.at(table, (old[moved], new[moved]), 1)
        assert table.trace() == 0
        for value in range(k):
            assert likely((moved & (old == value)).sum(), int((old == value).sum()), 1 / SPACE.dim)
            assert k == 2 or uniform(np.delete(table[value], value))
    moved = (after != before)[:, [0, 2, 4]]
    assert likely(moved.all(axis=1).sum(), n, 1 / SPACE.dim**3)  # independently of each other
    assert (after[:, 3] == 0).all()


def test_a_single_category_changes_half_the_time():
    problem = Problem(n_var=1, xl=np.zeros(1), xu=np.array([4.0]))
    before = np.zeros((10_000, 1))
    after = MutationByColumn(PM(), np.array([0]))._do(problem, before, random_state=seeded())
    assert likely((after != 0).sum(), 10_000, 0.5)
    assert uniform(np.bincount(after[after != 0].astype(int))[1:])


def test_numbers_are_mutated_by_pymoos_operator_and_in_nine_rows_of_ten():
    n = 20_000
    before = drawn(n)
    operator, plain = PM(eta=20), PM(eta=20)
    after = MutationByColumn(operator, UNORDERED)._do(bounds(), before, random_state=seeded(5))[:, ORDERED]
    theirs = plain._do(bounds(), before, random_state=seeded(5))[:, ORDERED]
    mutated = (theirs != before[:, ORDERED]).any(axis=1)
    kept = (after == theirs).all(axis=1)
    assert (kept | (after == before[:, ORDERED]).all(axis=1)).all()
    assert likely((mutated & kept).sum(), int(mutated.sum()), 0.9)


# ------------------------------------------------------------------------------------------------------- algorithms
def test_an_algorithm_keeps_its_own_operators_for_numbers():
    algorithm = NSGA3(lattice(2, 10).numpy())
    crossover, mutation = algorithm.mating.crossover, algorithm.mating.mutation
    assert act_by_column(algorithm, SPACE) is algorithm
    assert algorithm.mating.crossover.ordered is crossover
    assert algorithm.mating.mutation.ordered is mutation
    assert algorithm.mating.crossover.prob.get() == crossover.prob.get() == 1.0
    assert act_by_column(NSGA2(), SPACE).mating.crossover.prob.get() == 0.9


@pytest.mark.parametrize("columns", [(real(0, 1),), (real(0, 1), integer(0, 1)), (integer(0, 1),), (integer(0, 4),)])
def test_without_categories_nothing_is_touched(columns):
    algorithm = NSGA2()
    before = dict(vars(algorithm.mating))
    act_by_column(algorithm, Space(columns))
    assert vars(algorithm.mating) == before


class Parts(VectorProblem):
    """Six parts of four makes each: cost and mass, drawn once."""

    name, num_objectives, directions = "parts", 2, ("min", "min")

    def __init__(self):
        self.space = Space(tuple(categorical("abcd", f"part{i}") for i in range(6)))
        self.table = torch.rand(6, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def evaluate(self, solutions, generator=None):
        return sum(self.table[part][solutions[:, part].long()] for part in range(6))


def test_moead_never_asks_for_a_row_of_its_population():
    problem = ToPymoo(Parts())
    algorithm = DistinctMOEAD(lattice(2, 20).numpy(), n_neighbors=5, sampling=SamplingByColumn(np.arange(6)))
    algorithm = act_by_column(algorithm, problem.ours.space).setup(problem, termination=NoTermination(), seed=0)
    first = algorithm.ask()
    algorithm.evaluator.eval(problem, first)
    algorithm.tell(infills=first)
    for _ in range(400):
        rows, child = algorithm.pop.get("X").copy(), algorithm.ask()
        assert not (rows == child.X).all(axis=1).any()
        algorithm.evaluator.eval(problem, Population.create(child))
        algorithm.tell(infills=child)
    assert (algorithm.pop.get("F").min(axis=0) >= algorithm.ideal).all()


@pytest.mark.parametrize("makes", ["a", "abc"])
def test_moead_asks_for_nothing_once_every_row_was_told(makes):
    problem = Parts()
    problem.space = Space((categorical(makes),))
    problem.evaluate = lambda rows: torch.cat([rows, -rows], dim=1)
    theirs = ToPymoo(problem)
    algorithm = DistinctMOEAD(lattice(2, 2).numpy(), n_neighbors=2, sampling=np.zeros((2, 1)))
    act_by_column(algorithm, problem.space).setup(theirs, termination=NoTermination(), seed=0)
    told = set()
    while (rows := algorithm.ask()) is not None:
        rows = rows if isinstance(rows, Population) else Population.create(rows)
        algorithm.evaluator.eval(theirs, rows)
        told |= set(rows.get("X")[:, 0])
        algorithm.tell(infills=rows if len(rows) > 1 else rows[0])
    assert told == set(range(len(makes)))
