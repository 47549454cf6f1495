import numpy as np
import pytest
import torch
from inputs import ToyVector
from pymoo.algorithms.moo.moead import MOEAD
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.algorithms.moo.sms import SMSEMOA
from pymoo.algorithms.moo.spea2 import SPEA2, SPEA2Survival
from pymoo.optimize import minimize

import moo
from moo.adapters.pymoo import ToPymoo
from moo.base import Candidates, unsuitable
from moo.dominance import non_dominated
from moo.generators import GENERATORS, evolutionary
from moo.metered import metered
from moo.registry import resolve


class Recording(ToPymoo):
    """Keeps all objectives and constraints, in the order of evaluation."""

    def __init__(self, problem):
        super().__init__(problem)
        self.seen = []

    def _evaluate(self, x, out, *args, **kwargs):
        super()._evaluate(x, out, *args, **kwargs)
        constraints = out["G"] if self.n_ieq_constr else np.empty((len(x), 0))
        self.seen.append((out["F"], constraints))


def direct(problem, method, evaluations, seed, population=20):
    """pymoo's own `minimize`, set up by hand as its documentation does."""
    recording = Recording(problem)
    operators = evolutionary.operators_for(problem.space)
    directions = evolutionary.reference_directions(problem.num_objectives, population)
    algorithm = {
        "nsga2": lambda: NSGA2(pop_size=population, **operators),
        "nsga3": lambda: NSGA3(directions, pop_size=population, **operators),
        "moead": lambda: MOEAD(directions),
        "sms-emoa": lambda: SMSEMOA(pop_size=population, **operators),
        "spea2": lambda: SPEA2(pop_size=population, survival=SPEA2Survival(normalize=True), **operators),
    }[method]()
    result = minimize(recording, algorithm, ("n_eval", evaluations), seed=seed)
    objectives, constraints = (torch.from_numpy(np.concatenate(part)) for part in zip(*recording.seen, strict=True))
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
@pytest.mark.parametrize("method", ["nsga2", "nsga3", "moead", "sms-emoa", "spea2"])
def test_finals_equal_a_direct_run_of_pymoo_bit_for_bit(case, method):
    problem = CASES[case]()
    if unsuitable(resolve(GENERATORS, method, "method"), problem):
        pytest.skip("does not take the problem")
    size = len(evolutionary.reference_directions(problem.num_objectives, 20)) if method == "moead" else 20
    theirs, everything = direct(problem, method, 30 * size, seed=7)
    ours = moo.pareto_search(problem, method, budget=30 * size, seed=7, options={"population": 20}, progress=False)
    assert sorted_rows(ours.finals.objectives) == sorted_rows(theirs.F)
    assert sorted_rows(ours.finals.solutions) == sorted_rows(theirs.X)
    best = everything[non_dominated(-everything)]
    assert sorted_rows(ours.objectives) == sorted_rows(best)


@pytest.mark.parametrize("num_objectives", range(2, 11))
@pytest.mark.parametrize("at_most", [20, 100, 300])
def test_reference_directions_fill_the_population_and_lie_on_the_simplex(num_objectives, at_most):
    directions = evolutionary.reference_directions(num_objectives, at_most)
    assert num_objectives <= len(directions) <= at_most
    assert np.allclose(directions.sum(axis=1), 1)
    assert (directions >= 0).all()
    assert len(np.unique(directions.round(9), axis=0)) == len(directions)


def test_published_numbers_of_directions():
    assert len(evolutionary.reference_directions(3, 92)) == 91
    assert len(evolutionary.reference_directions(8, 156)) == 156  # two layers: 120 and 36


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


def test_moead_is_told_the_worst_seen_in_place_of_a_failed_row():
    problem = ToyVector(fails="nan")
    result = moo.pareto_search(problem, "moead", budget=300, options={"population": 20}, progress=False)
    assert result.record["used"] == 300
    assert len(result.failures) > 0
    assert (result.solutions[:, 0] >= 0.5).all()


def test_moead_breeds_one_row_at_a_time_and_a_step_holds_about_a_population():
    result = moo.pareto_search(ToyVector(), "moead", budget=200, options={"population": 20}, progress=False)
    assert result.history["used"].diff().dropna().max() <= 20
    assert len(result.history) <= 12
