"""The benchmark of Bayesian optimization measures what it says, on small tasks and made-up figures."""

import math

import pytest
import torch
from torch.quasirandom import SobolEngine

import moo
from moo.base import Candidates
from moo.benchmarks.claims import CLAIMS
from moo.benchmarks.perf import bayes_quality
from moo.benchmarks.perf.bayes_quality import BARS, COLUMNS, ENGINEERING, PAREGO, PEER, TASKS, Task, figures
from moo.benchmarks.suites import parse_method
from moo.indicators.volume import hypervolume
from moo.problems import get_problem
from moo.registry import resolve

QUICK = "bayesian:raw_samples=64,restarts=2"
POINT = (200.0, 15.0)


class Laboratory:
    """An optimizer that asks for Sobol rows and writes down what it is told; asking takes 3 s a row, telling 1 s."""

    def __init__(self, problem, method, **arguments):
        self.space, self.arguments, self.method = get_problem(problem).space, arguments, method
        self.asked, self.told, self.clock = [], [], 0.0

    def process_time(self):
        return self.clock

    def ask(self, n):
        begun = sum(map(len, self.asked))
        unit = SobolEngine(self.space.dim).draw(begun + n, dtype=torch.float64)[begun:]
        self.asked.append(self.space.from_unit(unit))
        self.clock += 3.0 * n if begun else 1000.0
        return Candidates.of(self.asked[-1], torch.zeros(n, 2), id=torch.arange(begun, begun + n))

    def tell(self, ids, objectives, failed=None):
        self.told.append((ids, objectives, failed))
        self.clock += len(ids)


@pytest.fixture
def laboratory(monkeypatch):
    """A function of task and method that gives the figures, and the laboratory that they came from."""

    def run(task, method="bayesian", seed=3):
        made = []

        def optimizer(*arguments, **settings):
            made.append(Laboratory(*arguments, **settings))
            monkeypatch.setattr(bayes_quality, "time", made[0])
            return made[0]

        monkeypatch.setattr(bayes_quality, "optimizer", optimizer)
        monkeypatch.setitem(TASKS, "small", task)
        return figures("small", method, seed), made[0]

    return run


def truth(laboratory, problem="branin-currin"):
    return get_problem(problem).evaluate(torch.cat(laboratory.asked))


# --- one search -------------------------------------------------------------------------------------------------------


def test_figures_are_those_of_asking_and_telling(monkeypatch):
    monkeypatch.setitem(TASKS, "small", Task("branin-currin", 9, 6, reference_point=POINT))
    found, problem = figures("small", QUICK, 3), get_problem("branin-currin")
    options = {**parse_method(QUICK)[1], "initial_points": 6}
    opt = moo.optimizer("branin-currin", "bayesian", seed=3, options=options, device="cpu", reference_point=POINT)
    for n in (6, 1, 1, 1):
        rows = opt.ask(n)
        opt.tell(rows.extras["id"], problem.evaluate(rows.solutions))
    assert found["hypervolume"] == pytest.approx(opt.result().hypervolume)
    assert found["seed"] == 3
    assert 0 < found["seconds"] < 20


def test_a_task_says_what_is_asked_and_how(laboratory):
    found, seen = laboratory(Task("branin-currin", 17, 6, 4, reference_point=POINT), "bayesian:restarts=3", seed=5)
    assert [len(rows) for rows in seen.asked] == [6, 4, 4, 3]
    assert seen.method == "bayesian"
    assert seen.arguments["options"] == {"initial_points": 6, "restarts": 3}
    assert seen.arguments["seed"] == 5
    assert seen.arguments["reference_point"].tolist() == list(POINT)
    expected = hypervolume(truth(seen), torch.tensor(POINT).double(), directions="min")
    assert found["hypervolume"] == pytest.approx(float(expected))


def test_the_problems_own_reference_point_is_the_default(laboratory):
    _, seen = laboratory(Task("branin-currin", 80, 60))
    assert torch.equal(seen.arguments["reference_point"], torch.as_tensor(get_problem("branin-currin").reference_point))


@pytest.mark.parametrize("batch", [1, 3])
def test_seconds_are_those_of_a_proposal_without_the_first_two_calls(batch, laboratory):
    """Asking for the first rows takes 1000 s; each further row 3 s, and 1 s when it is told."""
    found, _ = laboratory(Task("branin-currin", 6 + 4 * batch, 6, batch, reference_point=POINT))
    assert found["seconds"] == pytest.approx(4.0)


def test_evaluating_takes_none_of_the_seconds(laboratory, monkeypatch):
    made = []
    evaluate = bayes_quality._objectives
    monkeypatch.setattr(bayes_quality, "_objectives", lambda given: (made.append(1), evaluate(given))[1])
    assert laboratory(Task("branin-currin", 9, 6, reference_point=POINT))[0]["seconds"] == pytest.approx(4.0)
    assert len(made) == 4


def test_noise_is_added_to_what_is_told_alone(laboratory):
    noise = (15.0, 0.5)
    found, seen = laboratory(Task("branin-currin", 200, 100, 50, noise, reference_point=POINT))
    told, true = torch.cat([values for _, values, _ in seen.told]), truth(seen)
    assert ((told - true).std(dim=0) / torch.tensor(noise)).tolist() == pytest.approx([1, 1], abs=0.15)
    assert (told - true).mean(dim=0).abs()[0] < 4
    expected = hypervolume(true, torch.tensor(POINT).double(), directions="min")
    assert found["hypervolume"] == pytest.approx(float(expected))
    again, other = (
        laboratory(Task("branin-currin", 200, 100, 50, noise, reference_point=POINT), seed=seed)[1].told
        for seed in (3, 4)
    )
    assert torch.equal(again[0][1], seen.told[0][1])
    assert not torch.equal(other[0][1], seen.told[0][1])


def test_without_noise_what_is_told_is_true(laboratory):
    _, seen = laboratory(Task("branin-currin", 12, 6, reference_point=POINT))
    assert torch.equal(torch.cat([values for _, values, _ in seen.told]), truth(seen))
    assert not torch.cat([failed for _, _, failed in seen.told]).any()


@pytest.mark.parametrize(("method", "expected"), [("bayesian", "learned"), (PEER, None)])
def test_only_our_method_is_told_to_learn_the_noise(method, expected, laboratory):
    _, seen = laboratory(Task("branin-currin", 8, 6, noise=(1.0, 1.0), reference_point=POINT), method)
    assert seen.arguments["options"].get("noise") == expected
    _, seen = laboratory(Task("branin-currin", 8, 6, reference_point=POINT), method)
    assert "noise" not in seen.arguments["options"]


def test_failing_rows_do_not_count_in_the_hypervolume(laboratory):
    found, seen = laboratory(Task("branin-currin", 200, 100, 50, failing=0.3, reference_point=POINT))
    failed = torch.cat([failed for _, _, failed in seen.told])
    assert 0.2 < failed.double().mean() < 0.4
    expected = hypervolume(truth(seen)[~failed], torch.tensor(POINT).double(), directions="min")
    assert found["hypervolume"] == pytest.approx(float(expected))
    assert expected < hypervolume(truth(seen), torch.tensor(POINT).double(), directions="min")


def test_problems_with_constraints_are_read_too():
    given = get_problem("constrained-branin-currin").evaluate(torch.rand(3, 2, dtype=torch.float64))
    assert torch.equal(bayes_quality._objectives(given), given.objectives)
    assert torch.equal(bayes_quality._objectives(given.objectives), given.objectives)


@pytest.mark.parametrize("noise", [(), (15.19, 0.63)], ids=["exact", "noisy"])
def test_both_methods_begin_with_the_same_sobol_points(noise, monkeypatch):
    monkeypatch.setitem(TASKS, "small", Task("branin-currin", 7, 5, noise=noise, reference_point=POINT))
    begun = []

    class Watched:
        def __init__(self, *arguments, **settings):
            self.opt = moo.optimizer(*arguments, **settings)

        def ask(self, n):
            rows = self.opt.ask(min(n, 5)) if n > 1 else Candidates.of(torch.rand(1, 2).double(), torch.zeros(1, 2))
            if n > 1:
                begun.append(rows.solutions)
            return rows if n > 1 else rows.with_extras(id=torch.tensor([9]))

        def tell(self, ids, objectives, failed=None):
            if len(ids) > 1:
                self.opt.tell(ids, objectives, failed=failed)

    monkeypatch.setattr(bayes_quality, "optimizer", Watched)
    for method in ("bayesian", PEER, "bayesian:acquisition=qlognparego,surrogate=botorch"):
        figures("small", method, 4)
    assert len(begun[0]) == 5
    assert torch.equal(begun[0], begun[1])
    assert torch.equal(begun[0], begun[2])


def test_every_seed_is_searched_in_order(monkeypatch):
    monkeypatch.setattr(bayes_quality, "cpu_count", lambda: 1)
    monkeypatch.setattr(bayes_quality, "figures", lambda name, method, seed: {"seed": seed, "of": (name, method)})
    found = bayes_quality.searched.__wrapped__("small", QUICK, (7, 5))
    assert found == [{"seed": 7, "of": ("small", QUICK)}, {"seed": 5, "of": ("small", QUICK)}]


# --- judgements -------------------------------------------------------------------------------------------------------

VOLUMES = {
    "branin-currin": 58.5,
    "dtlz2": 0.36,
    "vehicle-safety": 245.0,
    "noisy": 57.9,
    "failing": 240.0,
    "penicillin": 3e5,
    "car-side-impact": 400.0,
    "re33": 50.0,
    "re37": 1.2,
    "six objectives": 1.3,
}


@pytest.fixture
def made_up(monkeypatch):
    """Searches with made-up figures; seeds differ by a small, even spread. Answers with what was asked for."""

    def install(volumes=None, seconds=None):
        volumes, seconds, calls = volumes or {}, seconds or {}, []

        def searched(name, method, seeds):
            calls.append((name, method, seeds))
            kind = method.partition(":")[0] if method != PAREGO else PAREGO
            volume = volumes.get((name, kind), volumes.get(name, VOLUMES.get(name)))
            took = seconds.get((name, kind), seconds.get(kind, 0.1 if kind == "bayesian" else 2.0))
            middle = (len(seeds) - 1) / 2
            return [
                {"seed": seed, "hypervolume": volume * (1 + 1e-6 * (i - middle)), "seconds": took}
                for i, seed in enumerate(seeds)
            ]

        monkeypatch.setattr(bayes_quality, "searched", searched)
        return calls

    return install


@pytest.mark.parametrize(
    ("volumes", "words"),
    [
        ({}, ""),
        ({("branin-currin", "qlognehvi"): 58.55}, ""),  # .085 % below BoTorch's
        ({"branin-currin": 58.0}, "branin-currin: 0.1"),
        ({("dtlz2", "bayesian"): 0.345, ("dtlz2", "qlognehvi"): 0.354}, ""),
        ({("dtlz2", "qlognehvi"): 0.38}, "dtlz2: paired difference -0.02"),
        ({("vehicle-safety", "qlognehvi"): 246.0}, "vehicle-safety: paired difference -0.407 %"),
        (
            {("branin-currin", "bayesian"): 57.1, ("dtlz2", "bayesian"): 0.3, ("dtlz2", "qlognehvi"): 0.3},
            "branin-currin: 1; branin-currin: paired difference -2.39 %; dtlz2: 0.04",
        ),
    ],
)
def test_the_verdict_about_three_problems(volumes, words, made_up):
    calls = made_up(volumes)
    found = bayes_quality.volumes(quick=False)
    assert (found.met, found.shortfall) == (not words, words)
    assert found.seeds == list(range(1000, 1010))
    assert sorted({(name, method) for name, method, _ in calls}) == sorted(
        (name, method) for name in BARS for method in ("bayesian", PEER)
    )
    assert all(len(seeds) == 10 for _, _, seeds in calls)
    assert set(found.details["runs"]) == set(BARS)
    for name in BARS:
        assert f"{name} {found.details['runs'][name]['bayesian'][5]['hypervolume']:.4g}" in found.median


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ({}, ""),
        ({"qlognehvi": 1.0}, ""),
        ({("dtlz2", "qlognehvi"): 0.85}, "dtlz2: 8.5x"),
        ({"bayesian": 4.0}, "branin-currin: 0.5x; dtlz2: 0.5x; vehicle-safety: 0.5x"),
    ],
)
def test_the_verdict_about_cost(seconds, words, made_up):
    made_up(seconds=seconds)
    found = bayes_quality.cost(quick=True)
    assert (found.met, found.shortfall) == (not words, words)
    assert found.seeds == [1000]


@pytest.mark.parametrize(
    ("measure", "volumes", "words"),
    [
        ("noisy", {}, ""),
        ("noisy", {"noisy": 57.2}, "0.30"),
        ("failing", {}, ""),
        ("failing", {"failing": 0.9 * 245}, "0.070"),
        ("engineering", {}, ""),
        ("engineering", {("re33", "qlognehvi"): 53.0}, "re33: 3"),
        ("six_objectives", {}, ""),
        ("six_objectives", {("six objectives", PAREGO): 1.55}, "hypervolume: 0.25"),
    ],
)
def test_verdicts_about_volumes(measure, volumes, words, made_up):
    calls = made_up(volumes)
    found = getattr(bayes_quality, measure)(quick=False)
    assert (found.met, found.shortfall) == (not words, words)
    count = 3 if measure in ("engineering", "six_objectives") else 10
    assert all(seeds == tuple(range(1000, 1000 + count)) for _, _, seeds in calls)
    assert found.seeds == list(range(1000, 1000 + count))


@pytest.mark.parametrize(
    ("measure", "seconds", "words"),
    [
        ("engineering", {"bayesian": 0.5, "qlognehvi": 2.0}, "; ".join(f"{name}: 4.0x" for name in ENGINEERING)),
        ("engineering", {"bayesian": 0.4, "qlognehvi": 2.0}, ""),
        ("six_objectives", {"bayesian": 1.25}, "seconds: 0.25"),
        ("six_objectives", {"bayesian": 0.99}, ""),
    ],
)
def test_verdicts_about_seconds(measure, seconds, words, made_up):
    made_up(seconds=seconds)
    found = getattr(bayes_quality, measure)(quick=False)
    assert (found.met, found.shortfall) == (not words, words)


def most(name):
    from pymoo.problems import get_problem as pymoo_problem

    return float(hypervolume(torch.as_tensor(pymoo_problem(name).pareto_front()), (1.1, 1.1), directions="min"))


@pytest.mark.parametrize(
    ("further", "words"),
    [
        ({}, ""),
        ({"zdt1": 0.5}, "zdt1: 0.50"),
        ({"zdt2": 1.0, "zdt3": 0.2}, "zdt2: 1.00; zdt3: 0.20"),
        ({"zdt3": -math.inf}, ""),  # above the hundred points'
    ],
)
def test_the_verdict_about_twenty_columns(further, words, made_up):
    made_up({name: most(name) - math.exp(bar + further.get(name, -0.3)) + 1e-9 for name, bar in COLUMNS.items()})
    found = bayes_quality.twenty_columns(quick=True)
    assert (found.met, found.shortfall) == (not words, words)
    assert f"zdt3 {COLUMNS['zdt3'] + further.get('zdt3', -0.3):.2f}" in found.median


@pytest.mark.parametrize("measure", ["volumes", "cost", "noisy", "failing", "twenty_columns"])
def test_quick_is_one_seed(measure, made_up):
    calls = made_up(dict.fromkeys(COLUMNS, 0.5))
    assert getattr(bayes_quality, measure)(quick=True).seeds == [1000]
    assert {seeds for _, _, seeds in calls} == {(1000,)}


# --- claims -----------------------------------------------------------------------------------------------------------


def test_every_claim_names_a_function_that_there_is():
    for claim in CLAIMS["bayes"]:
        assert callable(resolve({claim.what: claim.measure}, claim.what, "claim"))


@pytest.mark.parametrize("name", TASKS)
def test_every_task_can_be_begun(name):
    task = TASKS[name]
    problem = get_problem(task.problem)
    assert task.first < task.evaluations
    assert len(task.noise) in (0, problem.num_objectives)
    opt = moo.optimizer(
        task.problem,
        "bayesian",
        options={"initial_points": task.first},
        reference_point=task.reference_point or problem.reference_point,
    )
    assert len(opt.ask(2)) == 2
