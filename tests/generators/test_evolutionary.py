import numpy as np
import pytest
import torch
from inputs import ToyVector
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.callback import Callback
from pymoo.optimize import minimize

import moo
from moo.adapters.pymoo import ToPymoo
from moo.base import Candidates
from moo.dominance import non_dominated
from moo.generators import evolutionary
from moo.metered import metered


class Everything(Callback):
    """Keeps all objectives of a direct pymoo run, in the order of evaluation."""

    def __init__(self):
        super().__init__()
        self.parts = []

    def notify(self, algorithm):
        self.parts.append((algorithm.off.get("F").copy(), algorithm.off.get("G").copy()))


def direct(problem, evaluations, seed, population=20):
    everything = Everything()
    operators = evolutionary.operators_for(problem.space)
    result = minimize(
        ToPymoo(problem),
        NSGA2(pop_size=population, **operators),
        ("n_eval", evaluations),
        seed=seed,
        callback=everything,
    )
    objectives, constraints = (torch.from_numpy(np.concatenate(part)) for part in zip(*everything.parts, strict=True))
    feasible = (constraints <= 0).all(dim=1)
    return result, objectives[feasible]


def sorted_rows(values):
    return sorted(map(tuple, np.asarray(values, dtype=float).tolist()))


CASES = {
    "zdt1": lambda: moo.get_problem("zdt1"),
    "zdt3": lambda: moo.get_problem("zdt3"),
    "dtlz2": lambda: moo.get_problem("dtlz2"),
    "zdt5": lambda: moo.get_problem("zdt5"),
    "constrained": lambda: ToyVector(3, 4, constrained=True),
    "mixed": lambda: ToyVector(mixed=True),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_finals_equal_a_direct_run_of_pymoo_bit_for_bit(case, seed):
    problem = CASES[case]()
    theirs, everything = direct(problem, 600, seed)
    ours = moo.pareto_search(problem, "nsga2", budget=600, seed=seed, options={"population": 20}, progress=False)
    assert sorted_rows(ours.finals.objectives) == sorted_rows(theirs.F)
    assert sorted_rows(ours.finals.solutions) == sorted_rows(theirs.X)
    best = everything[non_dominated(-everything)]
    assert sorted_rows(ours.objectives) == sorted_rows(best)


def nsga2(problem, population=10, initial=None, budget=1000):
    meter = metered(problem, budget, 0)
    return evolutionary.NSGA2(meter, budget=budget, seed=0, device="cpu", initial=initial, population=population), meter


def told(meter, asked):
    return meter.evaluate(asked.solutions, extras=asked.extras)


def test_it_waits_for_outstanding_rows_and_then_breeds():
    generator, meter = nsga2(ToyVector())
    first, second = generator.ask(6), generator.ask(6)
    assert (len(first), len(second), len(generator.ask(1))) == (6, 4, 0)
    generator.tell(told(meter, second))
    assert len(generator.ask(1)) == 0
    generator.tell(told(meter, first))
    assert len(generator.ask(99)) == 10


@pytest.mark.parametrize("wrong", [-1, 4, 99])
def test_only_outstanding_rows_can_be_told(wrong):
    generator, meter = nsga2(ToyVector())
    asked = generator.ask(4)
    asked.extras["id"][0] = wrong
    with pytest.raises(ValueError, match="`id` should be of rows asked for and not yet told"):
        generator.tell(told(meter, asked))


def test_nothing_can_be_told_twice():
    generator, meter = nsga2(ToyVector())
    rows = told(meter, generator.ask(4))
    generator.tell(rows)
    with pytest.raises(ValueError, match=r"not yet told. Found \[0, 1, 2, 3\]"):
        generator.tell(rows)


def test_a_generation_that_failed_whole_is_drawn_again():
    generator, meter = nsga2(ToyVector(fails="nan", fails_below=2.0))
    first = generator.ask(10)
    generator.tell(told(meter, first))
    second = generator.ask(10)
    assert len(second) == 10
    assert not torch.equal(first.solutions, second.solutions)
    assert generator.finals() is None


def test_failed_rows_never_enter_the_population():
    result = moo.pareto_search(ToyVector(fails="nan"), "nsga2", budget=400, options={"population": 20}, progress=False)
    assert (result.finals.solutions[:, 0] >= 0.5).all()


def known(problem, n):
    solutions = torch.rand(n, problem.space.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    meter = metered(problem, n, 0)
    return meter.evaluate(solutions)


@pytest.mark.parametrize("constrained", [False, True])
def test_known_points_join_the_first_population_without_evaluation(constrained):
    problem = ToyVector(constrained=constrained)
    initial = known(problem, 4)
    generator, meter = nsga2(problem, initial=initial)
    asked = generator.ask(99)
    assert len(asked) == 6
    assert not any((row == initial.solutions).all(dim=1).any() for row in asked.solutions)
    generator.tell(told(meter, asked))
    population = generator._algorithm.pop.get("X")
    assert all((row.numpy() == population).all(axis=1).any() for row in initial.solutions)


def test_of_more_known_points_than_places_the_best_are_taken():
    problem = ToyVector()
    initial = known(problem, 30)
    generator, _ = nsga2(problem, initial=initial)
    population = torch.from_numpy(generator._algorithm.pop.get("X"))
    best = initial.solutions[non_dominated(initial.objectives)]
    kept = [bool((row == population).all(dim=1).any()) for row in best]
    assert all(kept) if len(best) <= 10 else sum(kept) == 10
    assert len(generator.ask(99)) == 10  # the population is whole: its first offspring


def test_a_space_that_is_used_up_finishes_the_run():
    class Tiny(ToyVector):
        def __init__(self):
            super().__init__()
            self.space = moo.Space((moo.integer(0, 1, "a"), moo.integer(0, 2, "b"), moo.integer(0, 1, "c")))

    result = moo.pareto_search(Tiny(), "nsga2", budget=5000, options={"population": 12}, progress=False)
    assert "used up" in result.record["ended"]
    assert result.record["used"] < 5000


def test_finals_of_an_infeasible_population_are_none():
    problem = ToyVector(infeasible=True)
    generator, meter = nsga2(problem)
    generator.tell(told(meter, generator.ask(10)))
    assert generator.finals() is None


def test_rows_carry_ids_and_no_objectives():
    asked = nsga2(ToyVector())[0].ask(3)
    assert isinstance(asked, Candidates)
    assert asked.extras["id"].tolist() == [0, 1, 2]
    assert asked.objectives.isnan().all()
