import math
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from asserts import assert_same_candidates, assert_same_results
from inputs import ToyConstruction, ToyEnvironment, ToyText, ToyVector
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.callback import Callback
from pymoo.optimize import minimize
from typer.testing import CliRunner

import moo
from moo.adapters.pymoo import ToPymoo
from moo.archive import BOUNDS, Archive
from moo.cli import app
from moo.directions import turn
from moo.dominance import non_dominated
from moo.generators import GENERATORS, evolutionary
from moo.indicators.volume import hypervolume
from moo.journal import Journal
from moo.storage import DamagedFileError, read_json, write_json

TESTS = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
OPTIONS = {"nsga2": {"population": 20}, "random": {"batch": 20}, "toy-conditional": {}}
NAN = float("nan")


def search(problem=None, method="random", budget=100, **arguments):
    arguments = {"options": OPTIONS.get(method), "progress": False, **arguments}
    return moo.pareto_search(ToyVector() if problem is None else problem, method, budget=budget, **arguments)


def zeros(*shape):
    return torch.zeros(shape, dtype=torch.float64)


# ------------------------------------------------------------------------------------------------- wrong calls
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"budget": 0}, ValueError, "`budget` should be at least 1. Found 0."),
        ({"budget": 2.5}, TypeError, "`budget` should be a whole number. Found 2.5."),
        ({"budget": None}, TypeError, "`budget` should be a whole number. Found None."),
        ({"method": "randm"}, ValueError, "Unknown method 'randm'. Did you mean 'random'\\? Known: .*nsga2"),
        ({"problem": "zdt11"}, ValueError, "Unknown problem 'zdt11'. Did you mean 'zdt1'\\? Known: .*dtlz2"),
        ({"problem": "zdt1:dmi=3"}, ValueError, "Unknown option 'dmi' of zdt1. Did you mean 'dim'\\?"),
        ({"problem": 42}, TypeError, "`problem` should be a registered name .* or a problem object .* Found int"),
        ({"problem": ToyVector}, TypeError, "`problem` should be .*instance"),  # a class
        ({"problem": ToyVector(1)}, ValueError, "Problem 'toy-vector' has 1 objective. At least 2 are needed"),
        ({"options": {"bach": 5}}, ValueError, "Unknown option 'bach' of method 'random'. Did you mean 'batch'\\?"),
        ({"callback": 3}, TypeError, "`callback` should be a function that takes a result, or None. Found 3."),
        (
            {"options": ["batch"]},
            TypeError,
            "The options of method 'random' should be a mapping, .* Found \\['batch'\\]",
        ),
        ({"options": {"batch": 0}}, ValueError, "Option `batch` should be from 1 to 1000000. Found 0."),
        ({"options": {"batch": "5"}}, TypeError, "Option `batch` should be a whole number. Found '5'."),
        (
            {"problem": ToyText(), "method": "nsga2"},
            ValueError,
            "Method 'nsga2' does not fit 'toy-text': it takes vector problems, this one is text. "
            "Methods that do: .*toy-writer",
        ),
        (
            {"preferences": [[0.5, 0.5]]},
            ValueError,
            "Method 'random' takes no preferences: .* Leave `preferences` out, .* follows them: .*mogfn",
        ),
        ({"preferences": "uniform"}, ValueError, "Method 'random' takes no preferences"),
        (
            {"preferences": [[0.5, 0.6]], "method": "toy-conditional"},
            ValueError,
            "Each row of `preferences` should be finite, at least 0 and sum to 1. Row 0",
        ),
        (
            {"preferences": [[1, 0], [0.5, NAN]], "method": "toy-conditional"},
            ValueError,
            "Each row of `preferences` .* Row 1",
        ),
        (
            {"preferences": [[1, 0, 0]], "method": "toy-conditional"},
            ValueError,
            r"`preferences` should have shape \[k, 2\] .*Found \[1, 3\]",
        ),
        (
            {"preferences": "unifrom", "method": "toy-conditional"},
            ValueError,
            "Unknown tuner 'unifrom'. Did you mean 'uniform'\\?",
        ),
        (
            {"preferences": "dirichlet:alpha=0", "method": "toy-conditional"},
            ValueError,
            "Option `alpha` should be from 0.001 to 1000.0. Found 0.",
        ),
        (
            {"preferences": "dirichlet:beta=1", "method": "toy-conditional"},
            ValueError,
            "Unknown option 'beta' of tuner 'dirichlet'",
        ),
        (
            {"reference_point": [1.0]},
            ValueError,
            r"`reference_point` should be a list of 2 numbers. Found shape \[1\].",
        ),
        ({"reference_point": [1.0, NAN]}, ValueError, "`reference_point` should be finite. Found "),
        ({"reference_point": "far"}, TypeError, "`reference_point` should be a list of 2 numbers. Found 'far'."),
        ({"seed": -1}, ValueError, "`seed` should be from 0 to 4294967295. Found -1."),
        ({"seed": 2**32}, ValueError, "`seed` should be from 0 to 4294967295. Found 4294967296."),
        ({"seed": 1.5}, TypeError, "`seed` should be a whole number. Found 1.5."),
        ({"archive_capacity": 0}, ValueError, "`archive_capacity` should be at least 1. Found 0."),
        ({"archive_capacity": 2.5}, TypeError, "`archive_capacity` should be a whole number. Found 2.5."),
        (
            {"archive_bound": "volume"},
            ValueError,
            '`archive_bound` should be "crowding" or "hypervolume". Found \'volume\'.',
        ),
        (
            {"archive_bound": "hypervolume", "problem": ToyVector(8, 9)},
            ValueError,
            '`archive_capacity` should be at most [0-9]+ with archive_bound="hypervolume" and 8 objectives: .* '
            'Found 10000. archive_bound="crowding" takes any number.',
        ),
        ({"device": "gpu9"}, ValueError, '`device` should be "auto", "cpu" or one that is here. Found \'gpu9\': '),
    ],
)
def test_wrong_arguments_say_which_and_what_to_do(arguments, error, message):
    with pytest.raises(error, match=message):
        search(**arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one here")
def test_a_device_that_is_not_here_is_refused():
    with pytest.raises(ValueError, match=r"`device` should be .* Found 'cuda': "):
        search(device="cuda")


TWO = (zeros(2, 3), zeros(2, 2))


@pytest.mark.parametrize(
    ("initial", "constrained", "error", "message"),
    [
        (zeros(2, 3), False, TypeError, r"`initial` should be \(solutions, objectives\). Found Tensor."),
        ((zeros(2, 3),), False, TypeError, r"`initial` should be \(solutions, objectives\). Found 1 parts."),
        ((*TWO, zeros(2, 2)), False, TypeError, r"`initial` should be \(solutions, objectives\). Found 3 parts."),
        (TWO, True, TypeError, r"`initial` should be \(solutions, objectives, constraints\). Found 2 parts."),
        ((zeros(2, 4), zeros(2, 2)), False, ValueError, r"`initial solutions` .* \[n, 3\]. Found \[2, 4\]."),
        ((zeros(3), zeros(2)), False, ValueError, r"`initial solutions` .* \[n, 3\]. Found \[3\]."),
        ((zeros(2, 3), zeros(3, 2)), False, ValueError, r"`initial objectives` .* \[2, 2\]. Found \[3, 2\]."),
        ((zeros(2, 3), zeros(2, 3)), False, ValueError, r"`initial objectives` .* \[2, 2\]. Found \[2, 3\]."),
        ((*TWO, zeros(2, 1)), True, ValueError, r"`initial constraints` .* \[2, 2\]. Found \[2, 1\]."),
        ((zeros(2, 3) + NAN, zeros(2, 2)), False, ValueError, "`initial solutions` should hold no NaN. Row 0"),
        ((zeros(2, 3), [[0, 0], [0, NAN]]), False, ValueError, "`initial objectives` should be finite. Row 1"),
        ((zeros(2, 3), [[math.inf, 0]] * 2), False, ValueError, "`initial objectives` should be finite. Row 0"),
        ((*TWO, zeros(2, 2) + NAN), True, ValueError, "`initial constraints` should be finite. Row 0"),
        ((["ab"], zeros(1, 2)), False, TypeError, "`initial solutions` should be an array of numbers"),
    ],
)
def test_wrong_known_points_are_refused(initial, constrained, error, message):
    with pytest.raises(error, match=message):
        search(ToyVector(constrained=constrained), initial=initial)


@pytest.mark.parametrize("problem", [ToyConstruction(), ToyEnvironment()])
def test_known_points_are_for_vector_problems(problem):
    with pytest.raises(
        ValueError, match=f"`initial` is for vector problems. '{problem.name}' is a {problem.kind} prob"
    ):
        search(problem, initial=TWO)


# ------------------------------------------------------------------------------------------------- nothing found
@pytest.mark.parametrize("method", ["random", "nsga2"])
@pytest.mark.parametrize("reference", [True, False])
@pytest.mark.parametrize("budget", [1, 30, 200])
@pytest.mark.parametrize(
    ("fails", "reason"), [("nan", r"returned \[nan, nan\]"), ("raise", "ArithmeticError: the simulator crashed")]
)
def test_where_every_evaluation_fails_the_first_reason_is_quoted(method, reference, budget, fails, reason):
    problem = ToyVector(fails=fails, fails_below=2.0, reference=reference)
    count = min(budget, 60)
    with pytest.raises(
        RuntimeError, match=rf"Every evaluation of 'toy-vector' fails \({count} so far\). The first: {reason}"
    ):
        search(problem, method, budget)


@pytest.mark.parametrize("first", [1, 2, 3, 10])
def test_a_few_failures_at_the_start_are_survived_without_a_reference_point(first):
    class Warming(ToyVector):
        def evaluate(self, solutions, generator=None):
            objectives = super().evaluate(solutions)
            return objectives if len(self.calls) > first else objectives + NAN

    result = search(Warming(reference=False), "random", 40, options={"batch": 1})
    assert result.failures.extras["used"].tolist() == list(range(1, first + 1))
    assert result.hypervolume > 0


@pytest.mark.parametrize("method", OPTIONS)
@pytest.mark.parametrize("reference", [True, False])
def test_where_nothing_is_feasible_the_least_violating_rows_are_told(method, reference, tmp_path):
    result = search(ToyVector(infeasible=True, reference=reference), method)
    assert (result.feasible, result.record["feasible"], result.record["front_size"]) == (False, False, 0)
    assert (len(result.front), len(result.additions), len(result.failures)) == (0, 0, 0)
    assert result.objectives.shape == (0, 2)
    assert len(result.least_violating) > 0
    violation = result.least_violating.violation
    assert (violation > 0).all()
    assert torch.equal(violation, violation.min().expand(len(violation)))
    assert (result.history["hypervolume"] == 0).all()
    result.save(tmp_path)
    assert_same_results(moo.load_result(tmp_path, ToyVector(infeasible=True)), result)
    if method != "toy-conditional":
        with pytest.raises(ValueError, match=r"Nothing feasible was found, .*: see `least_violating`"):
            result.sample([0.5, 0.5])


def test_a_budget_that_learning_uses_up_is_no_missing_feasibility(tmp_path, capsys):
    result = moo.pareto_search("deep-sea-treasure", "ppo-preference", budget=500)
    assert (result.feasible, result.evaluated, len(result.least_violating)) == (False, False, 0)
    assert "evaluated 20 times anew" not in capsys.readouterr().err
    for choose in (result.sample, result.nearest, result.achieve):
        with pytest.raises(
            ValueError,
            match=r"Nothing was evaluated, so .*: 'ppo-preference' learned from all 500 trans.* larger budget",
        ):
            choose([0.5, 0.5])
    assert search().evaluated
    assert search(ToyVector(infeasible=True)).evaluated


def test_a_result_is_shown_in_one_line():
    result = search("zdt1:dim=4", "nsga2", budget=1200)
    assert repr(result) == str(result)
    start = (
        f"SearchResult(nsga2 on zdt1:dim=4, seed 0: 1,200 evaluations, {len(result.front)} in the front, hypervolume "
    )
    assert repr(result) == f"{start}{result.hypervolume:.6g})"
    assert result == result
    assert result != search("zdt1:dim=4", "nsga2", budget=1200)
    assert {result: 1}[result] == 1


# ------------------------------------------------------------------------------------------------- Ctrl-C
INTERRUPTED = """
    import signal, sys
    from inputs import ToyVector
    import moo

    class Slow(ToyVector):
        def evaluate(self, solutions, generator=None):
            self.delay = 0.05 if len(self.calls) != int(sys.argv[3]) else 60
            if self.delay == 60:
                print("slow")
            return super().evaluate(solutions)

    result = moo.pareto_search(Slow(), "random", budget=100000, options={"batch": 20}, checkpoint=sys.argv[1],
                               progress=False, callback=lambda result: print("step"))
    result.save(sys.argv[2])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""


def interrupted(tmp_path, slow_call):
    command = [sys.executable, "-u", "-c", textwrap.dedent(INTERRUPTED), tmp_path / "run", tmp_path / "out", slow_call]
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )


def assert_goes_on_from(folder):
    used = len(Journal(folder / "checkpoint" / "journal.npy"))
    problem = ToyVector()
    found = search(problem, budget=used + 40, checkpoint=folder)
    assert sum(problem.calls) == 40
    assert_same_results(found, search(budget=used + 40))


def test_ctrl_c_returns_what_was_found_and_leaves_a_checkpoint(tmp_path):
    process = interrupted(tmp_path, -1)
    for _ in range(3):
        assert process.stdout.readline() == "step\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    found = moo.load_result(tmp_path / "out")
    assert found.record["ended"] == "interrupted by Ctrl-C"
    used = found.record["used"]
    assert 60 <= used < 100000
    assert_same_results(found, search(budget=used))
    assert_goes_on_from(tmp_path / "run")


def test_a_second_ctrl_c_stops_at_once_and_leaves_a_checkpoint(tmp_path):
    process = interrupted(tmp_path, 2)
    for expected in ("step\n", "step\n", "slow\n"):
        assert process.stdout.readline() == expected
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):  # the step under way goes on
        process.wait(timeout=0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert not (tmp_path / "out").exists()
    assert_goes_on_from(tmp_path / "run")


def test_handlers_are_restored(monkeypatch):
    def mine(number, frame):
        raise AssertionError("not while searching")

    before = signal.signal(signal.SIGINT, mine)
    try:
        result = search(callback=lambda _: signal.raise_signal(signal.SIGINT))
        assert result.record["used"] == 20
        assert signal.getsignal(signal.SIGINT) is mine
        with pytest.raises(KeyboardInterrupt):
            search(callback=lambda _: [signal.raise_signal(signal.SIGINT) for _ in range(2)])
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_search_runs_in_a_thread_too():
    found = []
    thread = threading.Thread(target=lambda: found.append(search()))
    thread.start()
    thread.join()
    assert_same_results(found[0], search())


# ------------------------------------------------------------------------------------------------- around the search
def test_torch_threads_are_one_inside_and_restored_also_after_an_error():
    before, inside = torch.get_num_threads(), []

    def fail(result):
        raise ZeroDivisionError

    try:
        torch.set_num_threads(2)
        search(callback=lambda _: inside.append(torch.get_num_threads()))
        assert set(inside) == {1}
        assert torch.get_num_threads() == 2
        with pytest.raises(ZeroDivisionError):
            search(callback=fail)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("method", OPTIONS)
def test_global_generators_are_neither_used_nor_changed(method):
    def states():
        return random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()

    results = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        before = states()
        results.append(search(ToyVector(noise=0.1, fails="raise"), method, seed=7, reevaluations=2))
        assert states() == before
    assert_same_results(*results)


def test_the_callback_sees_the_result_so_far_and_can_stop():
    seen = []

    def callback(result):
        seen.append((result.record["used"], result.record["ended"], len(result.front)))
        return len(seen) == 3

    result = search(callback=callback)
    assert [used for used, _, _ in seen] == [20, 40, 60]
    assert {ended for _, ended, _ in seen} == {"under way"}
    assert seen[-1][2] == len(result.front)
    assert (result.record["used"], result.record["ended"]) == (60, "the callback stopped it")
    assert_same_candidates(result.front, search(budget=60).front)


def test_a_method_that_neither_spends_nor_finishes_is_an_error(monkeypatch):
    class Stuck(evolutionary.NSGA2):
        def step(self, setting):
            return self.ask(0)

    monkeypatch.setitem(sys.modules, "stuck_method", types.SimpleNamespace(Stuck=Stuck))
    monkeypatch.setitem(GENERATORS, "stuck", "stuck_method:Stuck")
    with pytest.raises(RuntimeError, match="Method 'stuck' neither spent budget nor finished in 1000 steps in a row"):
        search(method="stuck")


def test_nothing_is_printed_but_the_choice_that_was_left_to_us(capfd):
    search(progress=True)
    assert capfd.readouterr() == ("", "")
    moo.pareto_search(ToyVector(), budget=600, progress=True)
    output, errors = capfd.readouterr()
    assert output == ""
    assert "was chosen for a vector problem of 2 objectives and 600 evaluations" in errors
    moo.pareto_search(ToyVector(), budget=600, progress=False)
    assert capfd.readouterr() == ("", "")


# ------------------------------------------------------------------------------------------------- known points
def corners(k):
    """Solutions at and near the two ends of the front, and their exact objectives."""
    solutions = zeros(k, 3)
    solutions[:, 0] = torch.linspace(0, 1, k, dtype=torch.float64)
    solutions[:, 1] = 1 - solutions[:, 0]
    return solutions, ToyVector().evaluate(solutions)


@pytest.mark.parametrize("method", OPTIONS)
@pytest.mark.parametrize("k", [2, 20, 50])  # fewer than a population, just as many, more
def test_known_points_stand_at_zero_are_not_counted_and_enter_the_archive(method, k):
    problem = ToyVector()
    initial = corners(k)
    result = search(problem, method, initial=initial)
    assert (result.record["used"], sum(problem.calls)) == (100, 100)
    at_zero = result.additions.rows(result.additions.extras["used"] == 0)
    assert torch.equal(at_zero.solutions, initial[0])
    assert torch.equal(at_zero.objectives, initial[1])
    assert (result.additions.extras["used"][k:] > 0).all()
    assert result.history["used"].iloc[0] > 0
    assert torch.equal(result.objectives[: len(at_zero)][0], initial[1][0])


@pytest.mark.parametrize("k", [2, 20, 50])
def test_known_points_join_the_first_population(k):
    initial = corners(k)
    finals = search(method="nsga2", initial=initial).finals  # the best of all, so that selection keeps them
    for end in initial[0][[0, -1]]:
        assert (end == finals.solutions).all(dim=1).any()


def test_known_points_are_in_the_problems_own_directions():
    solutions, objectives = corners(5)
    problem = ToyVector(directions=("max", "min"))
    result = search(problem, "nsga2", initial=(solutions, problem.turn(objectives)))
    plain = search(method="nsga2", initial=(solutions, objectives))
    assert torch.equal(result.objectives, problem.turn(plain.objectives))


def test_no_known_points_are_like_none():
    assert_same_results(search(initial=(zeros(0, 3), zeros(0, 2))), search())


def test_known_points_come_first_in_an_inferred_reference_point():
    initial = (corners(20)[0], torch.linspace(100, 120, 40, dtype=torch.float64).reshape(20, 2))
    result = search(ToyVector(reference=False), initial=initial, reevaluations=0)
    worst, best = initial[1].amax(dim=0), initial[1].amin(dim=0)
    assert result.record["reference_point"] == pytest.approx((worst + 0.1 * (worst - best)).tolist())


@pytest.mark.parametrize("method", OPTIONS)
def test_infeasible_known_points_are_the_least_violating_until_better_comes(method):
    initial = (zeros(1, 3), zeros(1, 2), torch.tensor([[0.2, -0.9]], dtype=torch.float64))
    result = search(ToyVector(infeasible=True), method, initial=initial)
    assert torch.equal(result.least_violating.solutions, initial[0])
    assert result.least_violating.extras["used"].tolist() == [0]


# ------------------------------------------------------------------------------------------------- directions
@pytest.mark.parametrize("method", OPTIONS)
@pytest.mark.parametrize("directions", [("max", "max"), ("max", "min")])
def test_maximising_the_negative_is_minimising(method, directions):
    options = {"reference": False, "constrained": True, "fails": "nan"}
    plain, turned = search(ToyVector(**options), method), search(ToyVector(directions=directions, **options), method)
    sign = torch.tensor([-1.0 if word == "max" else 1.0 for word in directions], dtype=torch.float64)
    for name in ("front", "finals", "additions"):
        assert torch.equal(getattr(turned, name).objectives, sign * getattr(plain, name).objectives), name
        assert torch.equal(getattr(turned, name).solutions, getattr(plain, name).solutions), name
    assert turned.history.equals(plain.history)
    point, other = (torch.tensor(result.record["reference_point"]) for result in (plain, turned))
    assert torch.equal(other, sign * point)


# ------------------------------------------------------------------------------------------------- history
@pytest.mark.parametrize("method", OPTIONS)
@pytest.mark.parametrize(
    "options", [{}, {"reference": False}, {"reference": False, "fails": "nan", "constrained": True}]
)
def test_the_history_can_be_computed_from_the_additions(method, options):
    problem = ToyVector(3, 4, directions=("min", "max", "min"), **options)
    result = search(problem, method, 190)
    point = result.record["reference_point"]
    used = result.additions.extras["used"]
    assert result.history["used"].iloc[-1] == 190
    assert (result.history["used"].diff().dropna() > 0).all()
    for row in result.history.itertuples():
        archive = Archive((4,), 3)
        rows = result.additions.rows(used <= row.used)
        archive.add(moo.Candidates.of(rows.solutions, turn(rows.objectives, problem.directions)))
        assert len(archive.front) == row.front_size
        own = turn(archive.front.objectives, problem.directions)
        volume = hypervolume(own, point, directions=problem.directions, warn=False)
        assert volume == pytest.approx(row.hypervolume, rel=1e-12)
    assert result.hypervolume == result.history["hypervolume"].iloc[-1] > 0


@pytest.mark.parametrize("reference_point", [None, [4.0, 4.0]])
def test_known_points_count_in_the_history_from_the_first_step_on(reference_point):
    """Also where no step adds anything to them."""
    known = (zeros(2, 3), torch.tensor([[-5.0, -6.0], [-6.0, -5.0]]))
    result = search(ToyVector(reference=False), initial=known, reference_point=reference_point)
    expected = hypervolume(known[1], result.record["reference_point"], directions="min")
    assert result.history["hypervolume"].tolist() == [expected] * len(result.history)


# ------------------------------------------------------------------------------------------------- a bounded archive
@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("known", [0, 12])
@pytest.mark.parametrize("options", [{}, {"reference": False}, {"reference": False, "constrained": True}])
def test_the_history_of_a_bounded_archive_is_that_of_its_fronts(bound, options, known):
    """Also where the reference point is only known later and the steps until then are measured again."""
    problem = ToyVector(5, 6, directions=("min", "max", "min", "max", "min"), **options)
    if known and problem.num_constraints:
        return
    for seed in range(8):
        seen = []

        def note(result, seen=seen):
            seen.append((result.record["used"], result.objectives))

        draws = torch.rand(known, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        given = {"initial": (draws, problem.evaluate(draws))} if known else {}
        bounded = {"archive_capacity": 4, "archive_bound": bound, "options": {"batch": 4}, "seed": seed}
        result = search(problem, "random", 50, callback=note, **given, **bounded)
        assert len(seen) == len(result.history)
        for (used, front), row in zip(seen, result.history.itertuples(), strict=True):
            assert (used, len(front)) == (row.used, row.front_size)
            volume = hypervolume(front, result.record["reference_point"], directions=problem.directions, warn=False)
            assert volume == pytest.approx(row.hypervolume, rel=1e-12)
        assert result.record["front_size"] == len(result.front) <= 4


def test_the_archive_is_bounded_from_the_command_line(tmp_path):
    call = ["search", "zdt1:dim=3", "-m", "random", "-b", "300", "--archive-capacity", "5", "-o", str(tmp_path / "x")]
    said = CliRunner().invoke(app, [*call, "--archive-bound", "hypervolume"])
    assert said.exit_code == 0, said.output
    result = moo.load_result(tmp_path / "x")
    assert len(result.front) == 5
    assert (result.config["archive_capacity"], result.config["archive_bound"]) == (5, "hypervolume")
    refused = CliRunner().invoke(app, [*call, "--archive-bound", "volume"])
    assert refused.exit_code == 2
    assert '`archive_bound` should be "crowding" or "hypervolume"' in refused.output


def test_the_two_bounds_keep_different_rows_and_the_result_says_which(tmp_path):
    kept = {}
    for bound in BOUNDS:
        result = search(ToyVector(3, 4), budget=200, archive_capacity=20, archive_bound=bound)
        result.save(tmp_path / bound)
        config = moo.load_result(tmp_path / bound).config
        assert config["archive_capacity"] == result.config["archive_capacity"] == 20
        assert config["archive_bound"] == result.config["archive_bound"] == (None if bound == "crowding" else bound)
        kept[bound] = result
    assert not torch.equal(kept["crowding"].objectives, kept["hypervolume"].objectives)
    assert kept["hypervolume"].hypervolume > kept["crowding"].hypervolume
    whole = search(ToyVector(3, 4), budget=200)
    assert whole.config["archive_capacity"] is whole.config["archive_bound"] is None
    assert_same_results(whole, search(ToyVector(3, 4), budget=200, archive_capacity=10_000, archive_bound="crowding"))
    with pytest.raises(ValueError, match=r"holds another run .*archive_bound: 'hypervolume' there, None now"):
        search(ToyVector(3, 4), budget=200, archive_capacity=20).save(tmp_path / "hypervolume")


@pytest.mark.parametrize("directions", [("min", "min"), ("max", "min")])
def test_a_reference_point_that_nothing_beats_is_warned_of(directions):
    problem = ToyVector(directions=directions)
    point = problem.turn(torch.tensor([-1.0, -1.0])).tolist()
    with pytest.warns(UserWarning, match="The hypervolume is 0: no point of the front is better than") as caught:
        result = search(problem, reference_point=point)
    message = str(caught[0].message)
    assert str(point) in message
    assert ", ".join(directions) in message
    assert "worse `reference_point`" in message
    assert Path(caught[0].filename) == Path(__file__)
    assert result.hypervolume == 0.0


# ------------------------------------------------------------------------------------------------- disk
def saved(tmp_path, method="random", problem=None, **arguments):
    result = search(problem, method, **arguments)
    result.save(tmp_path / "out")
    return result


@pytest.mark.parametrize("method", OPTIONS)
@pytest.mark.parametrize("options", [{}, {"fails": "raise", "reference": False, "constrained": True}])
def test_a_saved_result_reads_back_equal(method, options, tmp_path):
    result = saved(tmp_path, method, ToyVector(**options), budget=90)
    loaded = moo.load_result(tmp_path / "out")
    assert_same_results(loaded, result)
    assert loaded.history.dtypes.equals(result.history.dtypes)
    assert {**result.config, "format": 1} == {**loaded.config, "format": 1}
    assert {**result.record, "format": 1} == {**loaded.record, "format": 1}
    assert loaded.feasible == result.feasible
    assert loaded.hypervolume == result.hypervolume
    preferences = [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    again = moo.load_result(tmp_path / "out", ToyVector(**options))
    assert torch.equal(again.sample(preferences, seed=3), result.sample(preferences, seed=3))
    again.save(tmp_path / "copy")
    assert_same_results(moo.load_result(tmp_path / "copy"), result)


@pytest.mark.parametrize("method", ["random", "nsga2"])
def test_the_generator_of_a_loaded_result_goes_on_identically(method, tmp_path):
    result = saved(tmp_path, method, budget=90)
    loaded = moo.load_result(tmp_path / "out", problem=ToyVector())
    for _ in range(3):
        first, second = result.generator.ask(15), loaded.generator.ask(15)
        assert_same_candidates(first, second)
        for generator, asked in ((result.generator, first), (loaded.generator, second)):
            objectives = -ToyVector().evaluate(asked.solutions)
            generator.tell(moo.Candidates.of(asked.solutions, objectives, **asked.extras))


def test_the_meter_of_a_loaded_generator_stands_where_the_run_ended(tmp_path):
    """What a method asks of it afterwards has fresh noise, and it knows the reference point."""
    result = saved(tmp_path, "toy-conditional", ToyVector(noise=0.1, reference=False), reevaluations=0)
    meter = moo.load_result(tmp_path / "out", ToyVector(noise=0.1, reference=False)).generator.problem
    assert (meter.used, meter.remaining) == (100, 0)
    assert torch.equal(meter.reference_point, result.generator.problem.reference_point)


def test_a_registered_problem_need_not_be_given(tmp_path):
    result = saved(tmp_path, "nsga2", "zdt1:dim=3")
    loaded = moo.load_result(tmp_path / "out")
    assert_same_candidates(loaded.generator.ask(5), result.generator.ask(5))


def test_a_problem_that_is_not_registered_is_asked_for_when_it_is_needed(tmp_path):
    saved(tmp_path)
    loaded = moo.load_result(tmp_path / "out")
    with pytest.raises(
        ValueError, match=r"'toy-vector' is not a registered problem, .* load_result\(folder, problem=...\)"
    ):
        loaded.generator  # noqa: B018
    other = moo.load_result(tmp_path / "out", problem="zdt1:dim=3")
    with pytest.raises(
        ValueError, match=r"`problem` should be the one of the saved run, 'toy-vector'. Found 'zdt1:dim=3'"
    ):
        other.generator  # noqa: B018


@pytest.mark.parametrize("missing", ["cell.json", "record.json", "everything"])
def test_a_folder_without_a_finished_run_is_refused(missing, tmp_path):
    saved(tmp_path)
    if missing != "everything":
        (tmp_path / "out" / missing).unlink()
    folder = tmp_path / ("none" if missing == "everything" else "out")
    name = "cell.json" if missing == "everything" else missing
    with pytest.raises(FileNotFoundError, match=f"holds no finished run: {name} is missing. Run the search first."):
        moo.load_result(folder)


@pytest.mark.parametrize(
    "name", ["cell.json", "record.json", "front.npz", "finals.npz", "additions.npz", "failures.npz", "history.csv"]
)
def test_a_damaged_file_is_named(name, tmp_path):
    saved(tmp_path)
    path = tmp_path / "out" / name
    path.write_bytes(b"\x00\xff" + path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DamagedFileError, match=rf"{name} is damaged"):
        moo.load_result(tmp_path / "out")


def test_a_result_whose_state_is_gone_says_so_when_its_generator_is_needed(tmp_path):
    saved(tmp_path)
    for path in (tmp_path / "out" / "state").iterdir():
        path.unlink()
    (tmp_path / "out" / "state").rmdir()
    loaded = moo.load_result(tmp_path / "out", problem=ToyVector())
    with pytest.raises((FileNotFoundError, DamagedFileError), match="state"):
        loaded.generator  # noqa: B018


@pytest.mark.parametrize("name", ["cell.json", "record.json"])
def test_a_newer_format_is_refused(name, tmp_path):
    saved(tmp_path)
    write_json(tmp_path / "out" / name, {**read_json(tmp_path / "out" / name), "format": 99})
    with pytest.raises(ValueError, match=r"was written in format 99, this version reads up to 1. Update moo."):
        moo.load_result(tmp_path / "out")


def test_another_runs_result_is_not_overwritten(tmp_path):
    first = saved(tmp_path)
    with pytest.raises(ValueError, match=r"holds another run .*seed: 0 there, 1 now"):
        search(seed=1).save(tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"A folder is needed for the run's data. .*file is a file."):
        first.save(tmp_path / "file")
    first.save(tmp_path / "out")
    assert_same_results(moo.load_result(tmp_path / "out"), first)


@pytest.mark.parametrize("text", ['é, "quoted"\nand broken', "from a broken console: \udcff", "nul \0 within", " "])
def test_a_reason_of_any_text_can_be_saved(text, tmp_path):
    class Talking(ToyVector):
        def evaluate(self, solutions, generator=None):
            if (solutions[:, 0] < 0.2).any():
                raise RuntimeError(text)
            return super().evaluate(solutions)

    result = saved(tmp_path, problem=Talking())
    for reason in result.failures.extras["reason"]:
        assert text in reason if text.replace("\n", " ").isprintable() else reason.startswith("RuntimeError: ")
    assert_same_results(moo.load_result(tmp_path / "out"), result)


# ------------------------------------------------------------------------------------------------- against pymoo
class Everything(Callback):
    """All objectives and solutions of a direct run of pymoo, in the order of evaluation."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def notify(self, algorithm):
        self.rows += [(*individual.F, *individual.X) for individual in algorithm.off]


@pytest.mark.parametrize(
    ("problem", "evaluations"), [("zdt1", 2000), ("dtlz2", 600), (ToyVector(3, 4, mixed=True, constrained=True), 600)]
)
def test_with_default_options_it_is_pymoos_nsga2_bit_for_bit(problem, evaluations):
    problem = moo.get_problem(problem) if isinstance(problem, str) else problem
    ours = moo.pareto_search(problem, "nsga2", budget=evaluations, seed=5, progress=False)
    algorithm = NSGA2(pop_size=100, **evolutionary.operators_for(problem.space))
    everything = Everything()
    theirs = minimize(ToPymoo(problem), algorithm, ("n_eval", evaluations), seed=5, callback=everything)
    order = np.lexsort(np.hstack([theirs.X, theirs.F]).T)
    mine = np.hstack([ours.finals.solutions.numpy(), ours.finals.objectives.numpy()])
    assert np.array_equal(mine[np.lexsort(mine.T)], np.hstack([theirs.X, theirs.F])[order])
    if problem.num_constraints:
        return
    rows = torch.tensor(everything.rows, dtype=torch.float64)
    best = rows[non_dominated(-rows[:, : problem.num_objectives])]
    assert len(rows) == evaluations
    assert torch.equal(torch.cat([ours.objectives, ours.solutions], dim=1), best)


def test_known_points_outside_the_space_are_refused():
    with pytest.raises(ValueError, match=r"`initial` solutions should lie in the space.*Row 1 is \[5.0, 0.5, 0.5\]"):
        search(initial=([[0.5, 0.5, 0.5], [5.0, 0.5, 0.5]], [[1.0, 1.0], [2.0, 2.0]]))


def test_a_construction_of_other_limits_is_another_run(tmp_path):
    moo.pareto_search(ToyConstruction(length=4), "random", budget=20, checkpoint=tmp_path, progress=False)
    with pytest.raises(ValueError, match="holds another run"):
        moo.pareto_search(ToyConstruction(length=6), "random", budget=20, checkpoint=tmp_path, progress=False)


def test_what_was_constructed_is_shown_as_a_person_reads_it(tmp_path):
    problem = ToyConstruction()
    for method in ("random", "nsga2"):  # as it is, and through an encoding
        result = moo.pareto_search(problem, method, budget=60, progress=False)
        table = result.to_dataframe()
        assert table.columns[0] == "object"
        assert table["object"].tolist() == problem.decode(result.solutions)
        result.save(tmp_path / method)
        loaded = moo.load_result(tmp_path / method, problem=problem)
        assert loaded.to_dataframe().equals(table)
        assert "object" in result.to_dataframe("finals")
