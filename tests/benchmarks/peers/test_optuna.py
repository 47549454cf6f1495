"""Optuna's samplers as peers: the rows are those of Optuna used by hand, in the problem's own directions."""

import pytest
import torch
from asserts import assert_same_results
from inputs import ToyVector
from torch.quasirandom import SobolEngine

import moo
import moo.benchmarks.peers
from moo.base import VectorProblem
from moo.seeding import child_seed
from moo.space import Space, categorical, integer, real

optuna = pytest.importorskip("optuna")
optuna.logging.set_verbosity(optuna.logging.ERROR)
SAMPLERS = ("optuna-tpe", "optuna-gp", "optuna-nsga2")


class Mixed(VectorProblem):
    """One minimised and one maximised objective of a real, a whole and a categorical column, and one of one value."""

    name, num_objectives, directions, reference_point = "mixed", 2, ("min", "max"), [3.0, -3.0]
    space = Space((real(0, 1, "a b"), integer(0, 4, "n,m"), categorical(["u", "v", "w"], "c:c"), integer(2, 2, "one")))

    def evaluate(self, rows, generator=None):
        near = (rows[:, 0] - 0.3) ** 2 + rows[:, 1] / 4 + (rows[:, 2] == 1)
        far = (rows[:, 0] - 0.8) ** 2 + 1 - rows[:, 1] / 4 + (rows[:, 2] == 2)
        return torch.stack([near, -far], dim=1)


def search(problem, method, budget, **arguments):
    return moo.pareto_search(problem, method, budget=budget, seed=7, progress=False, **arguments)


def by_hand(sampler, problem, first, budget):
    """Optuna alone: minimising, its own `optimize`, begun with the same Sobol rows."""
    study = optuna.create_study(directions=["minimize"] * problem.num_objectives, sampler=sampler)
    sobol = SobolEngine(problem.space.dim, scramble=True, seed=child_seed(7, "sobol"))
    for row in sobol.draw(first, dtype=torch.float64).tolist():
        study.enqueue_trial({f"x{i + 1}": value for i, value in enumerate(row)})

    def objective(trial):
        row = [trial.suggest_float(f"x{i + 1}", 0, 1) for i in range(problem.space.dim)]
        told = problem.evaluate(torch.tensor([row], dtype=torch.float64))
        if problem.num_constraints:
            for i, value in enumerate(told.constraints[0].tolist()):
                trial.set_constraint(f"limit {i}", value)
            told = told.objectives
        return told[0].tolist()

    study.optimize(objective, n_trials=budget)
    return torch.tensor([list(trial.params.values()) for trial in study.trials], dtype=torch.float64)


def every_row(problem, method, budget, **arguments):
    """All rows that a search evaluated, in order."""
    rows = []
    evaluate = problem.evaluate
    problem.evaluate = lambda asked, generator=None: rows.append(asked) or evaluate(asked, generator)
    search(problem, method, budget, **arguments)
    return torch.cat(rows)


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("method", ["optuna-tpe", "optuna-nsga2"])
def test_the_rows_are_those_of_optuna_used_by_hand(method, constrained):
    if constrained and not hasattr(optuna.trial.Trial, "set_constraint"):
        pytest.skip("this Optuna has no `set_constraint`")
    seed = child_seed(7, "sampler") % 2**32
    sampler = {
        "optuna-tpe": lambda: optuna.samplers.TPESampler(n_startup_trials=8, seed=seed, multivariate=False),
        "optuna-nsga2": lambda: optuna.samplers.NSGAIISampler(population_size=10, seed=seed),
    }[method]()
    options = {"population": 10} if method == "optuna-nsga2" else {}
    found = every_row(ToyVector(constrained=constrained), method, 26, options=options)
    assert torch.equal(found, by_hand(sampler, ToyVector(constrained=constrained), 8, 26))


def test_the_processes_of_optuna_propose_the_same_as_by_hand():
    pytest.importorskip("scipy")
    sampler = optuna.samplers.GPSampler(
        n_startup_trials=8, seed=child_seed(7, "sampler") % 2**32, deterministic_objective=True
    )
    found = every_row(ToyVector(), "optuna-gp", 10)
    assert torch.allclose(found, by_hand(sampler, ToyVector(), 8, 10), atol=1e-3)  # signs change roundings


@pytest.mark.parametrize("method", SAMPLERS)
def test_columns_of_all_kinds_are_taken(method):
    budget = 30 if method != "optuna-gp" else 12
    result = search(Mixed(), method, budget)
    assert result.record["used"] == budget
    rows = result.additions.solutions
    assert torch.equal(rows, Mixed.space.canonical(rows))
    assert torch.equal(Mixed().evaluate(rows), result.additions.objectives)


@pytest.mark.parametrize("method", ["optuna-tpe", "optuna-nsga2"])
@pytest.mark.parametrize("fails", ["nan", "raise"])
def test_failed_rows_are_told_as_failed_trials(method, fails):
    result = search(ToyVector(fails=fails), method, 20)
    study = result.generator._study
    states = [trial.state.name for trial in study.trials]
    assert states.count("FAIL") == result.record["failures"] > 0
    assert states.count("COMPLETE") == 20 - result.record["failures"]


@pytest.mark.parametrize("method", ["optuna-tpe", "optuna-nsga2"])
def test_a_run_goes_on_to_what_it_would_have_found_at_once(method, tmp_path):
    whole = search(ToyVector(constrained=True), method, 30)
    search(ToyVector(constrained=True), method, 17, checkpoint=tmp_path)
    assert_same_results(whole, search(ToyVector(constrained=True), method, 30, checkpoint=tmp_path))


def test_seeds_and_options_matter():
    plain = every_row(ToyVector(), "optuna-tpe", 20)
    joint = every_row(ToyVector(), "optuna-tpe", 20, options={"multivariate": True})
    more = every_row(ToyVector(), "optuna-tpe", 20, options={"initial_points": 12})
    assert torch.equal(plain[:8], joint[:8])
    assert not torch.equal(plain, joint)
    assert torch.equal(more[:8], plain[:8])
    assert not torch.equal(more[8:12], plain[8:12])
    other = moo.pareto_search(ToyVector(), "optuna-tpe", budget=20, seed=8, progress=False)
    assert not torch.equal(other.additions.solutions[0], plain[0])


def test_a_population_of_fifty_spends_a_budget_of_fifty_at_random():
    # Its trials are exactly those of the random sampler after the same first rows.
    seed = child_seed(7, "sampler") % 2**32
    found = every_row(ToyVector(), "optuna-nsga2", 50)
    random = by_hand(optuna.samplers.NSGAIISampler(population_size=10_000, seed=seed), ToyVector(), 8, 50)
    assert torch.equal(found, random)


def test_optunas_messages_are_left_as_they_were():
    optuna.logging.set_verbosity(optuna.logging.INFO)
    try:
        search(ToyVector(), "optuna-tpe", 10)
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
    finally:
        optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_stored_results_say_which_optuna():
    assert search(ToyVector(), "optuna-tpe", 3).config["versions"]["optuna"] == optuna.__version__
