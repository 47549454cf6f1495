import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from asserts import assert_same_candidates, assert_same_results
from inputs import ToyVector
from pymoo.algorithms.moo.moead import MOEAD
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.algorithms.moo.sms import SMSEMOA
from pymoo.algorithms.moo.spea2 import SPEA2, SPEA2Survival
from pymoo.operators.selection.tournament import TournamentSelection
from pymoo.optimize import minimize

import moo
from moo.adapters.pymoo import ToPymoo
from moo.adapters.pymoo_operators import DistinctMOEAD, act_by_column, least_violating
from moo.base import Candidates, VectorProblem, unsuitable
from moo.dominance import non_dominated
from moo.generators import GENERATORS, evolutionary
from moo.metered import metered
from moo.preferences import lattice
from moo.registry import resolve
from moo.space import Space, categorical, integer, real
from moo.storage import read_state, write_state

METHODS = ["nsga2", "nsga3", "moead", "sms-emoa", "spea2"]


class Suited(VectorProblem):
    """Six materials without order, and a treatment that suits each: the front is `f2 = 1 - sqrt(f1)`, exactly.

    Each material holds a sixth of the front, the treatments' penalties are 0, .2, ..., 1 in another order for each; two
    real columns add to `f2` where they are not 0. `as_integers` numbers materials and treatments instead.
    """

    name, num_objectives, directions = "suited", 2, ("min", "min")
    reference_point = [1.1, 1.1]
    exact = 0.1 + 2 / 3 + 0.11  # the hypervolume of the front

    def __init__(self, as_integers=False):
        names = ["steel", "brass", "oak", "glass", "nylon", "cork"]
        whole = [integer(0, 5, n) if as_integers else categorical(names, n) for n in ("material", "treatment")]
        self.space = Space((*whole, real(0, 1, "place"), real(0, 1, "y"), real(0, 1, "z")))
        random = np.random.default_rng(0)
        self.penalties = torch.tensor(np.stack([random.permutation(6) / 5 for _ in range(6)]))
        self.order = torch.tensor([3.0, 0, 5, 1, 4, 2], dtype=torch.float64)

    def evaluate(self, solutions, generator=None):
        material, treatment = solutions[:, :2].long().T
        first = (self.order[material] + solutions[:, 2]) / 6
        wrong = self.penalties[material, treatment] + solutions[:, 3:].sum(dim=1)
        return torch.stack([first, 1 - first.sqrt() + wrong], dim=1)


class AllKinds(VectorProblem):
    """Columns of every kind, 0/1 integers and a single choice among them; optionally constrained."""

    name, num_objectives, directions = "all-kinds", 2, ("min", "min")

    def __init__(self, constrained=False):
        first = (categorical("abcd", "letter"), real(-2, -1, "r"), integer(-3, 4, "count"))
        self.space = Space((*first, integer(0, 1, "bit"), categorical(["x"], "only"), categorical("yn", "two")))
        self.num_constraints = int(constrained)

    def evaluate(self, solutions, generator=None):
        x = (solutions - self.space.lower) / (self.space.upper - self.space.lower).clamp(min=1)
        penalty = torch.tensor([0.3, 0.0, 0.5, 0.1], dtype=torch.float64)[solutions[:, 0].long()]
        values = torch.stack([penalty + (x[:, 1:] ** 2).sum(dim=1), penalty + ((1 - x[:, 1:]) ** 2).sum(dim=1)], dim=1)
        return moo.Evaluation(values, 0.3 - x[:, 2:3]) if self.num_constraints else values


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
    directions = lattice(problem.num_objectives, population).numpy()
    seeded = {"selection": TournamentSelection(func_comp=least_violating)} if problem.num_constraints else {}
    algorithm = {
        "nsga2": lambda: NSGA2(pop_size=population, **operators),
        "nsga3": lambda: NSGA3(directions, pop_size=population, **seeded, **operators),
        "moead": lambda: (MOEAD if problem.space.kinds == {"real"} else DistinctMOEAD)(directions, **operators),
        "sms-emoa": lambda: SMSEMOA(pop_size=population, **operators),
        "spea2": lambda: SPEA2(pop_size=population, survival=SPEA2Survival(normalize=True), **operators),
    }[method]()
    algorithm = act_by_column(algorithm, problem.space)
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
    "all-kinds": AllKinds,
    "all-kinds, constrained": lambda: AllKinds(constrained=True),
    "categories": Suited,
}


def test_equally_infeasible_rows_do_not_make_two_runs_of_one_seed_differ():
    """pymoo's own NSGA-III draws between such rows from a stream that no seed determines."""
    arguments = {"budget": 400, "options": {"population": 20}, "seed": 2, "progress": False}
    first = moo.pareto_search(AllKinds(constrained=True), "nsga3", **arguments)
    for _ in range(4):
        assert_same_results(moo.pareto_search(AllKinds(constrained=True), "nsga3", **arguments), first)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", METHODS)
def test_finals_equal_a_direct_run_of_pymoo_bit_for_bit(case, method):
    problem = CASES[case]()
    if unsuitable(resolve(GENERATORS, method, "method"), problem):
        pytest.skip("does not take the problem")
    size = len(lattice(problem.num_objectives, 20)) if method == "moead" else 20
    theirs, everything = direct(problem, method, 30 * size, seed=7)
    ours = moo.pareto_search(problem, method, budget=30 * size, seed=7, options={"population": 20}, progress=False)
    assert sorted_rows(ours.finals.objectives) == sorted_rows(theirs.F)
    assert sorted_rows(ours.finals.solutions) == sorted_rows(theirs.X)
    best = everything[non_dominated(-everything)]
    assert sorted_rows(ours.objectives) == sorted_rows(best)


def test_published_numbers_of_directions():
    assert len(lattice(3, 92)) == 91
    assert len(lattice(8, 156)) == 156  # two layers: 120 and 36


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


# ------------------------------------------------------------------------------------------------------- categories
def made(method, problem, budget=1000, population=12):
    meter = metered(problem, budget, 3)
    kind = resolve(GENERATORS, method, "method")
    return kind(meter, budget=budget, seed=3, device="cpu", population=population), meter


@pytest.mark.parametrize("method", METHODS)
def test_all_take_columns_of_every_kind(method):
    problem = AllKinds()
    assert not unsuitable(resolve(GENERATORS, method, "method"), problem)
    generator, _ = made(method, problem)
    for _ in range(8):
        rows = generator.step(None).solutions
        assert torch.equal(rows, problem.space.canonical(rows))


@pytest.mark.parametrize("method", METHODS)
def test_every_category_is_as_likely_in_the_first_population(method):
    first = made(method, Suited(), population=3000)[0].ask(3000).solutions
    counts = first[:, 0].long().bincount(minlength=6)
    assert (counts - 500).abs().max() < 100  # 5 standard deviations; rounded numbers would give the ends 300 each


RESTORED = """
import sys
import torch
from pathlib import Path
from test_evolutionary import METHODS, AllKinds, made
from moo.storage import read_state, write_state

folder = Path(sys.argv[1])
for method in METHODS:
    generator, _ = made(method, AllKinds())
    generator.load_state_dict(read_state(folder / method))
    write_state(folder / f"{method}-next", generator.ask(99).state_dict())
"""


def test_a_stored_state_goes_on_identically_in_another_process(tmp_path):
    expected = {}
    for method in METHODS:
        generator, meter = made(method, AllKinds())
        for size in (12, 12, 5):
            rows = generator.ask(size)
            generator.tell(told(meter, rows.rows(torch.arange(len(rows)).flip(0))))
        write_state(tmp_path / method, generator.state_dict())
        expected[method] = generator.ask(99)
    here = Path(__file__).parent
    path = [str(here), str(here.parent), *sys.path]
    script = f"import sys; sys.path[:0] = {path!r}" + RESTORED
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    for method in METHODS:
        assert len(expected[method])
        assert_same_candidates(Candidates.from_state(read_state(tmp_path / f"{method}-next")), expected[method])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["categories", "integers"])
def test_a_space_smaller_than_the_population_ends_the_run(method, kind):
    class Tiny(ToyVector):
        def __init__(self):
            super().__init__()
            column = integer if kind == "integers" else lambda low, high, name: categorical(["no", "yes"], name)
            self.space = Space(tuple(column(0, 1, name) for name in "abc"))

    result = moo.pareto_search(Tiny(), method, budget=5000, options={"population": 30}, progress=False)
    assert "used up" in result.record["ended"]
    assert result.record["used"] == 8 if method != "moead" else result.record["used"] < 60
    assert len(result.additions.solutions.unique(dim=0)) <= 8


def test_known_points_of_categories_join_the_first_population():
    problem = AllKinds()
    initial = metered(problem, 4, 0).evaluate(problem.space.from_unit(torch.rand(4, 6, dtype=torch.float64)))
    generator, _ = nsga2(problem, initial=initial)
    population = generator._generation.get("X")
    assert all((row.numpy() == population).all(axis=1).any() for row in initial.solutions)
    assert len(generator.ask(99)) == 6


def test_moead_evaluates_hardly_a_row_twice():
    class Words(ToyVector):
        def __init__(self):
            super().__init__(dim=5)
            self.space = Space(tuple(categorical("abcdef", name) for name in "vwxyz"))

    generator, _ = made("moead", Words(), population=50)
    rows = torch.cat([generator.step(None).solutions for _ in range(10)])
    assert len(rows.unique(dim=0)) > 0.6 * len(rows)


def searched(problem, method, seed, budget=5000):
    return moo.pareto_search(problem, method, budget=budget, seed=seed, progress=False)


def materials(result):
    """How many materials hold a part of the front, with the treatment that suits them."""
    first, second = result.finals.objectives.T
    near = second - (1 - first.sqrt()) < 0.05
    return len(result.finals.solutions[near, 0].unique())


def test_categories_are_searched_to_the_exact_front_where_numbers_for_them_get_stuck():
    right, numbered = [], []
    for seed in range(5):
        result = searched(Suited(), "nsga2", seed)
        assert materials(result) == 6
        assert 0.99 * Suited.exact < result.record["hypervolume"] < Suited.exact
        right.append(result.record["hypervolume"])
        assert searched(Suited(), "random", seed).record["hypervolume"] < 0.9 * Suited.exact
        numbered.append(materials(searched(Suited(as_integers=True), "nsga2", seed)))
    assert min(numbered) < 6
    assert sum(numbered) < 30


@pytest.mark.parametrize("method", ["nsga3", "moead", "sms-emoa", "spea2"])
def test_the_others_come_close_to_it_too(method):
    result = searched(Suited(), method, 0, budget=3000)
    assert materials(result) >= 5
    assert 0.96 * Suited.exact < result.record["hypervolume"] < Suited.exact


@pytest.mark.parametrize("method", METHODS)
def test_the_warnings_of_the_program_are_not_silenced(method):
    options = {"population": 12}
    moo.pareto_search("dtlz2:dim=4", method, budget=60, options=options, progress=False)
    silent = [rule for rule in warnings.filters if rule[0] == "ignore" and rule[2] in (Warning, UserWarning)]
    assert not [rule for rule in silent if rule[1] is None and rule[3] is None]
