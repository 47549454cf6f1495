"""The comparison of tuners measures what it says, on small tasks and by hand."""

import pytest
import torch

from moo.base import Candidates
from moo.benchmarks.claims import CLAIMS
from moo.benchmarks.perf import preference_tuning as tuning
from moo.generators import GENERATORS
from moo.options import resolve_options
from moo.problems import get_problem
from moo.registry import resolve
from moo.search import pareto_search
from moo.tuners import TUNERS

SMALL = {"interval": 1, "copies": 16, "episodes": 2}


def test_the_claim_is_measured_by_this_module():
    claims = {claim.what: claim for group in CLAIMS.values() for claim in group}
    assert claims["The weight tuner"].measure.endswith("preference_tuning:weights")


def test_the_area_is_that_of_the_steps_by_hand():
    rows = torch.tensor([[-1.0, 1.0], [-0.5, 1.0], [-2.0, 2.0]], dtype=torch.float64)  # the first one minimised
    rows[:, 0] = -rows[:, 0]
    used = torch.tensor([10, 40, 60])
    additions = Candidates.of(torch.zeros(3, 1), rows, used=used)
    # from (3, 0): 2 x 1 from 10 on, 2.5 x 1 from 40, and 1 x 1 more from 60 to 100
    expected = (2 * 30 + 2.5 * 20 + 3.5 * 40) / 100
    assert tuning.area(additions, ("min", "max"), [3.0, 0.0], 100) == pytest.approx(expected)


def test_the_area_is_that_of_the_history():
    task = tuning.Task("deep-sea-treasure", SMALL, 8000)
    result = pareto_search(
        task.problem,
        "ppo-preference",
        budget=task.budget,
        options=dict(task.options),
        device="cpu",
        progress=False,
        reevaluations=0,
    )
    problem = get_problem(task.problem)
    found = tuning.area(result.additions, problem.directions, problem.reference_point, task.budget)
    history = result.history.to_numpy()
    ends = [*history[1:, 0], task.budget]
    expected = sum(volume * (end - used) for (used, _, volume), end in zip(history, ends, strict=True)) / task.budget
    assert found == pytest.approx(expected, rel=0.03)  # rows of an evaluation enter at once there, one by one here
    assert found > 0


def test_figures_go_by_the_tuner_and_the_seed(monkeypatch):
    monkeypatch.setitem(tuning.TASKS, "small", tuning.Task("deep-sea-treasure", SMALL, 8000))
    found = [tuning.figures("small", *which) for which in (("bayesian", 0), ("bayesian", 0), ("uniform", 0))]
    for run in found:
        run.pop("seconds")
    assert found[0] == found[1]
    assert found[0]["area"] != found[2]["area"]
    assert found[0]["used"] == 8000
    assert 0 < found[0]["area"] < found[0]["observed"]
    assert found[0]["reevaluated"] > 0


def test_tasks_and_tuners_exist_and_budgets_are_equal():
    options = resolve(GENERATORS, "ppo-preference", "method").options
    for task in tuning.TASKS.values():
        assert get_problem(task.problem).kind == "environment"
        resolve_options(options, dict(task.options), "ppo-preference")
        assert task.budget == 200_000
    assert {tuning.OURS, *tuning.OTHERS, *tuning.FURTHER} <= set(TUNERS)


@pytest.mark.parametrize(
    ("ours", "met", "shortfall"),
    [
        ((1.0, 1.0, 0.98), True, ""),
        ((1.0, 0.99, 0.99), False, "at least as good as all on 1 of 2 problems"),
        ((1.0, 1.1, 0.9), False, "third: 0.080 of the best"),
        ((0.5, 0.99, 1.0), False, "at least as good as all on 1 of 2 problems; first: 0.480 of the best"),
    ],
)
def test_verdicts(ours, met, shortfall):
    runs = [
        {"task": task, "tuner": tuner, "seed": seed, "area": value, "reevaluated": 2.0, "seconds": 1.0}
        for task, mine in zip(("first", "second", "third"), ours, strict=True)
        for seed, luck in ((0, 0.5), (1, 1.5))
        for tuner, value in (
            ("bayesian", mine * luck),
            ("dirichlet", 1.0 * luck),
            ("uniform", 0.9),
            ("corner-weights", 0.8),
        )
    ]
    found = tuning.judged(runs)
    assert (found.met, found.shortfall) == (met, shortfall)
    assert found.seeds == [0, 1]
    assert found.details["ratios"]["first"] == pytest.approx(ours[0])
