import pytest
import torch

from moo.adapters.encodings import encode
from moo.benchmarks.claims import CLAIMS
from moo.benchmarks.perf import active_learning as measured
from moo.dominance import non_dominated
from moo.problems import get_problem


@pytest.fixture(scope="module")
def problem():
    return get_problem(measured.TASK)


def begun(problem, seed=0):
    known = measured.starting_pool(problem, seed)
    return known, problem.evaluate(known)


def test_the_task_is_the_published_one(problem):
    assert problem.ngrams == ("AV", "VC", "CA")
    assert (problem.min_length, problem.length, len(problem.alphabet)) == (32, 36, 20)
    assert (measured.START, measured.ROUNDS, measured.BATCH) == (512, 16, 64)


def test_half_of_the_starting_pool_has_some_ngram(problem):
    known, values = begun(problem)
    assert len(known) == len(set(problem.decode(known))) == 512
    assert (values > 0).any(dim=1).tolist() == [True] * 256 + [False] * 256
    assert not torch.equal(measured.starting_pool(problem, 1), known)
    assert torch.equal(measured.starting_pool(problem, 0), known)


def test_mutants_are_new_and_near_the_best(problem):
    known, values = begun(problem)
    method = measured.Mutation(problem, known, values, 0)
    parents = method._parents()
    first = method.ask(64)
    method.tell(problem.evaluate(first))
    second = method.ask(64)
    assert len(set(problem.decode(torch.cat([known, first, second])))) == 640
    front = values[non_dominated(values)]
    reached = problem.evaluate(encode(problem, "vector").original_solutions(parents))
    assert (reached[:, None] == front).all(dim=2).any(dim=1).all()
    rows = encode(problem, "vector").encoded_solutions(first)
    apart = (rows[:, None] != parents).sum(dim=2).amin(dim=1).double()
    assert apart.min() >= 1
    assert 1.2 < apart.mean() < 4  # a stop in the middle is another letter where it is not legal


def test_mutation_goes_on_from_what_it_was_told(problem):
    method = measured.Mutation(problem, *begun(problem), 0)
    method.ask(64)
    good = torch.zeros(64, 3, dtype=torch.float64)
    good[7] = 1.0
    method.tell(good)
    assert torch.equal(method._parents()[0], method._asked[7])


def test_nsga2_begins_with_the_best_of_the_pool(problem):
    known, values = begun(problem)
    method = measured.nsga2(problem, known, values, 0)
    told = method._method._generator._algorithm.pop.get("F")
    assert len(told) == measured.POPULATION
    best = -values[non_dominated(values)]
    assert all((torch.from_numpy(told) == row).all(dim=1).any() for row in best)


@pytest.mark.parametrize("name", ["nsga2", "mutation"])
def test_figures_count_every_evaluation_and_never_fall(name):
    run = measured.figures(name, 0, rounds=3)
    assert run["evaluations"] == 512 + 3 * 64
    assert len(run["volumes"]) == len(run["seconds"]) == 4
    assert run["volumes"] == sorted(run["volumes"])
    assert run["relative"] > 1
    front = measured.volume(get_problem(measured.TASK).oracle.front, torch.zeros(3, dtype=torch.float64))
    assert run["of_front"] == run["volumes"][-1] / front


def test_the_relative_hypervolume_is_from_below_the_pool(problem, monkeypatch):
    seen = []
    monkeypatch.setattr(measured, "volume", lambda values, point: seen.append((len(values), point.tolist())) or 1.0)
    measured.figures("mutation", 2, rounds=1)
    values = begun(problem, 2)[1]
    best = values[non_dominated(values)]
    below = best.amin(dim=0) - 0.1 * (best.amax(dim=0) - best.amin(dim=0))
    assert (512, below.tolist()) in seen
    assert (576, below.tolist()) in seen


@pytest.mark.slow
def test_one_round_of_active_learning_is_already_ahead():
    mine, *others = (measured.figures(name, 0, rounds=1) for name in measured.METHODS)
    assert mine["evaluations"] == mine["different"] == 576
    assert mine["relative"] > 5 * max(run["relative"] for run in others)


def run(method, seed, relative, minutes=1.0):
    return {"method": method, "seed": seed, "relative": relative, "of_front": 0.5, "seconds": [0.0, 60 * minutes]}


def runs(mine, other=10.0, minutes=1.0):
    return [
        run(method, seed, value, minutes)
        for seed, first in enumerate(mine)
        for method, value in (("mogfn-al", first), ("nsga2", other), ("mutation", 5.0))
    ]


def test_it_is_met_where_every_seed_is_ahead():
    found = measured.verdict(runs([20.0, 30.0]))
    assert found.met
    assert found.median.startswith("relative hypervolume 25, 2.5 times the best other's")
    assert found.worst.startswith("relative hypervolume 20, 2.0 times")
    assert found.seeds == [0, 1]


@pytest.mark.parametrize("mine", [[20.0, 9.0], [20.0, 10.0]])
def test_it_is_short_where_one_seed_is_not(mine):
    found = measured.verdict(runs(mine))
    assert not found.met
    assert found.verdict == f"short by relative hypervolume: {1 - mine[1] / 10:.3f} of the best other's"


def test_it_is_short_where_a_seed_takes_too_long():
    found = measured.verdict(runs([20.0], minutes=10.5))
    assert found.verdict == "short by CPU minutes: 0.5"


def test_the_claim_is_listed():
    measures = [claim.measure for claim in CLAIMS["gflownet"]]
    assert "moo.benchmarks.perf.active_learning:strings" in measures
