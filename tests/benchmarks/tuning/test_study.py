"""Tuning: what is counted, what is chosen, and what a folder keeps, with a method whose hypervolume is known."""

import json
import math
import sys
import types

import pytest
import torch
from filelock import FileLock

import moo
from moo.base import VectorProblem
from moo.benchmarks import tune
from moo.benchmarks.running import one_cell
from moo.benchmarks.running.on_disk import cell_folder
from moo.benchmarks.suites import Cell, parse_method
from moo.benchmarks.tuning.halving import Rungs
from moo.benchmarks.tuning.measuring import Measures
from moo.benchmarks.tuning.proposals import Told, TrialBeliefs, even_rows, levelled
from moo.benchmarks.tuning.study import what_varies
from moo.benchmarks.tuning.trials import Asked, Engine, Trial, Trials
from moo.generators import GENERATORS
from moo.metered import step_by_asking
from moo.options import Option
from moo.problems import PROBLEMS, get_problem
from moo.seeding import torch_generator
from moo.space import Space, real

BUDGET, NAN = 90, math.nan
NAMES = ("trials.csv", "report.csv", "tuning.json")


class Square(VectorProblem):
    """Objectives (x, x) from (0, 0): the best x found so far, squared, is the hypervolume."""

    kind, name, num_objectives, directions, reference_point = "vector", "square", 2, ("max", "max"), [0.0, 0.0]

    def __init__(self, point=True):
        self.space = Space((real(0, 1),))
        self.reference_point = [0.0, 0.0] if point else None

    def evaluate(self, solutions, generator=None):
        return solutions.repeat(1, 2)


def reached(rate, share, used):
    """What the toy method has reached: best at rate .01 and share .7, and the better the longer."""
    quality = 1 - (math.log10(rate) + 2) ** 2 / 8 - (share - 0.7) ** 2
    return max(quality, 0) * (0.5 + 0.5 * used / BUDGET)


class Known:
    """A method that proposes what its options say, nine rows a step."""

    kinds, columns, encodings, max_objectives = ("vector",), ("real",), (), None
    constraints, uses_preferences, schedules_by_budget = False, False, False
    wants_setting, preferences_per_round = False, 0
    options = {
        "rate": Option(0.1, low=1e-6, high=1.0, log=True, tuned=(1e-4, 1.0)),
        "share": Option(0.1, low=0.0, high=1.0, tuned=(0.0, 1.0)),
        "spread": Option(0.0, low=0.0, high=1.0, help="how much a seed matters"),
        "until": Option(1000, low=9, high=1000, help="how many rows it proposes"),
        "breaks": Option(2.0, low=0.0, high=2.0, help="the share from which it fails"),
    }

    def __init__(self, problem, *, budget, seed, device, initial=None, **said):
        if said["share"] >= said["breaks"]:
            raise ArithmeticError("it blew up")
        self.problem, self.said, self.luck = problem, said, said["spread"] * (seed % 7)
        self.asked = 0

    @property
    def finished(self):
        return "nothing is left" if self.asked >= self.said["until"] else ""

    def step(self, setting):
        return step_by_asking(self, self.problem, 9)

    def ask(self, n):
        from moo.base import Candidates

        rows = [[reached(self.said["rate"], self.said["share"], self.asked + i + 1) - self.luck] for i in range(n)]
        solutions = torch.tensor(rows, dtype=torch.float64).clamp(0, 1)
        asked = Candidates.of(solutions, torch.full((n, 2), math.nan).double())
        self.asked += n
        return asked.with_extras(id=torch.arange(self.asked - n, self.asked))

    def tell(self, candidates):
        pass

    def finals(self):
        return None

    def state_dict(self):
        return {"asked": self.asked}

    def load_state_dict(self, state):
        self.asked = state["asked"]


def register(patch):
    """Let the toys be named."""
    module = types.ModuleType("toys")
    module.Square, module.Known = Square, Known
    patch.setitem(sys.modules, "toys", module)
    patch.setitem(PROBLEMS, "square", "toys:Square")
    patch.setitem(GENERATORS, "known", "toys:Known")


@pytest.fixture(autouse=True)
def _toys(monkeypatch):
    register(monkeypatch)


def tuned(out, method="known", problem="square", **changed):
    said = {"budget": BUDGET, "trials": 3, "seeds": 1, "report_seeds": 2, **changed}
    return tune(problem, method, out=out, **said)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of two groups that nothing interrupted; tests copy it."""
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        out = tmp_path_factory.mktemp("whole") / "whole"
        tuned(out, trials=6)
    return out


def options_of(method):
    return {"rate": 0.1, "share": 0.1, **parse_method(method)[1]}


def read(out):
    return {name: (out / name).read_bytes() for name in NAMES}


def read_report(out):
    return (out / "report.csv").read_text().splitlines()[1:]


def counted(monkeypatch, at=None, error=KeyboardInterrupt):
    """Count the searches that are started; the one number `at` ends in an error."""
    started, search = [], one_cell.pareto_search

    def counting(problem, method, **arguments):
        started.append((method, arguments["budget"], arguments["seed"]))
        if len(started) == at:
            raise error
        return search(problem, method, **arguments)

    monkeypatch.setattr(one_cell, "pareto_search", counting)
    return started


# ------------------------------------------------------------------------------------------------- what is counted
def test_trials_budgets_and_costs_by_hand(tmp_path, monkeypatch):
    started = counted(monkeypatch)
    lines = []
    result = tuned(tmp_path, trials=6, seeds=2, say=lines.append)
    assert result.trials.groupby(["rung", "budget"]).size().to_dict() == {(1, 10): 18, (2, 30): 6, (3, 90): 2}
    assert result.spent == pytest.approx(6)
    searches = [budget for _, budget, seed in started if seed < 1000]
    assert [searches.count(budget) for budget in (10, 30, 90)] == [36, 12, 4]
    assert sum(searches) / (BUDGET * 2) == pytest.approx(result.spent)
    assert result.trials["by"][0] == "defaults"
    assert result.trials["method"][0] == "known"
    assert lines[0] == (
        "group 1 of 2, rung 1 of 3 (budget 10): 9 trials; best hypervolume there "
        f"{result.trials[(result.trials.rung == 1) & (result.trials.trial < 9)].hypervolume.max():.6g}; "
        "1.0 full trials spent"
    )
    assert lines[-1].startswith("report: ")


def test_a_trial_is_worth_the_mean_over_its_seeds_of_what_searches_give(tmp_path):
    result = tuned(tmp_path, "known:spread=0.01", seeds=[3, 5])
    for row in result.trials.itertuples():
        runs = [
            moo.pareto_search(
                "square", "known", budget=row.budget, seed=seed, options=parse_method(row.method)[1], progress=False
            )
            for seed in (3, 5)
        ]
        assert row.hypervolume == pytest.approx(sum(run.hypervolume for run in runs) / 2)
        areas = []
        for run in runs:  # the curve step by step, before the first step nothing
            steps = list(run.history.itertuples())
            ends = [step.used for step in steps[1:]] + [row.budget]
            areas.append(sum(step.hypervolume * (end - step.used) for step, end in zip(steps, ends, strict=True)))
        assert row.area == pytest.approx(sum(areas) / 2 / row.budget)


def test_the_best_third_of_all_that_wait_goes_on(tmp_path):
    table = tuned(tmp_path, trials=6, objectives="hypervolume").trials
    gone = {1: set(), 2: set()}
    for group in range(2):
        entered = table[(table.rung == 1) & (table.trial < 9 * (group + 1))]
        for rung, count in ((1, 3), (2, 1)):
            here = entered if rung == 1 else table[(table.rung == 2) & table.trial.isin(gone[1])]
            waiting = here[~here.trial.isin(gone[rung])]
            ordered = sorted(waiting.itertuples(), key=lambda row: (-row.hypervolume, row.trial))
            gone[rung] |= {row.trial for row in ordered[:count]}
    assert set(table[table.rung == 2].trial) == gone[1]
    assert set(table[table.rung == 3].trial) == gone[2]


def test_one_rung_means_full_trials_alone(tmp_path):
    result = tuned(tmp_path, rungs=1, trials=4)
    assert set(result.trials.budget) == {BUDGET}
    assert len(result.trials) == 4


# ------------------------------------------------------------------------------------------------- what is found
def test_the_model_finds_the_best_options_that_are_known(tmp_path):
    result = tuned(tmp_path, trials=6)
    found = options_of(result.best)
    assert reached(**found, used=BUDGET) > 0.97
    even = [reached(**options_of(m), used=BUDGET) for m in result.trials[result.trials.by == "sobol"].method]
    assert reached(**found, used=BUDGET) > max(even)
    assert set(result.trials[result.trials.trial > 8].by) == {"model"}


def test_what_is_best_with_little_budget_does_not_mislead():
    space = Space((real(0, 1),))
    x = torch.linspace(0, 1, 9, dtype=torch.float64)
    early, late = 1 - (x - 0.2).square(), 3 - 4 * (x - 0.8).square()
    told = Told(torch.cat([x, x])[:, None], torch.tensor([0.0] * 9 + [1.0] * 9), torch.cat([early, late])[:, None])
    told = Told(told.rows, told.rungs.double(), told.values)
    best = TrialBeliefs(space, told).next_rows(torch.empty(0, 1).double(), torch_generator(0, "x"))[0]
    assert float(best) == pytest.approx(0.8, abs=0.08)
    turned = Told(told.rows, 1 - told.rungs, told.values)
    best = TrialBeliefs(space, turned).next_rows(torch.empty(0, 1).double(), torch_generator(0, "x"))[0]
    assert float(best) == pytest.approx(0.2, abs=0.08)


def test_short_runs_are_told_by_what_they_promise():
    rows = torch.arange(4, dtype=torch.float64)[:, None]
    runs = [(0, 0.0, 1.0), (1, 0.0, 2.0), (2, 0.0, 4.0), (3, 0.0, NAN), (1, 0.5, 6.0), (2, 0.5, 9.0), (2, 1.0, 18.0)]
    told = Told(
        torch.stack([rows[row] for row, _, _ in runs]),
        torch.tensor([rung for _, rung, _ in runs], dtype=torch.float64),
        torch.tensor([[value, -value] for _, _, value in runs], dtype=torch.float64),
    )
    # from the middle to the last rung 9 became 18: 12 and 18; to these, 2 and 4 at the first make a factor of 5
    larger, smaller = levelled(told).T.tolist()
    assert larger == pytest.approx([5, 10, 18, NAN, 12, 18, 18], nan_ok=True)  # 20, but at most 18
    assert smaller == pytest.approx([-18, -18, -24, NAN, -18, -18, -18], nan_ok=True)  # six times, but at most -18
    signs = Told(told.rows, told.rungs, told.values + torch.where(told.rungs[:, None] > 0, 0.0, -10.0))
    assert levelled(signs)[0, 0] == -9


def test_proposals_of_a_group_keep_apart_and_away_from_failures():
    space = Space((real(0, 1), real(0, 1)))
    rows = even_rows(space, 0, 20, 0)
    values = 2 - (rows - 0.5).square().sum(dim=1, keepdim=True).repeat(1, 2)
    values[rows[:, 0] > 0.6] = math.nan
    beliefs = TrialBeliefs(space, Told(rows, torch.ones(20, dtype=torch.float64), values))
    waiting = torch.empty(0, 2, dtype=torch.float64)
    for number in range(4):
        waiting = torch.cat([waiting, beliefs.next_rows(waiting, torch_generator(number, "x"))[:1]])
    assert torch.pdist(waiting).min() > 1e-3
    assert (waiting[:, 0] < 0.7).all()


def test_the_report_holds_the_front_of_full_trials_and_the_defaults_on_fresh_seeds(tmp_path):
    result = tuned(tmp_path, "known:spread=0.01", rungs=2, trials=4, report_seeds=[20, 22, 27])
    full = result.trials[result.trials.rung == 2]
    report = result.report
    assert set(report.trial) <= {0, *full.trial}
    assert report.trial.iloc[0] == full.sort_values("hypervolume", ascending=False).trial.iloc[0]
    assert result.best == report.method.iloc[0]
    for row in report.itertuples():
        runs = [
            moo.pareto_search(
                "square", "known", budget=BUDGET, seed=seed, options=parse_method(row.method)[1], progress=False
            ).hypervolume
            for seed in (20, 22, 27)
        ]
        assert row.report_hypervolume == pytest.approx(sorted(runs)[1])
        assert row.report_worst == pytest.approx(min(runs))
    defaults = report[report.trial == 0]
    assert list(defaults.method) == ["known:spread=0.01"]


def test_the_best_are_the_front_of_full_trials_in_the_order_of_the_first_objective(tmp_path):
    measures = Measures(("hypervolume", "seconds"), (0.0, 0.0))
    asked = Asked("square", "known", Rungs(90, 2), measures, (0,), what_varies("known"), 0)
    run = Trials(asked, Engine(tmp_path))
    values = [{1: [1.0, 5.0]}, {1: [2.0, 7.0]}, {1: [1.5, 8.0]}, {0: [9.0, 1.0]}, {1: [NAN, NAN]}, {1: [0.5, 1.0]}]
    run.trials = [Trial(i, "sobol", f"known:share=0.{i}", None, found) for i, found in enumerate(values)]
    assert [trial.number for trial in run.best()] == [1, 0, 5]


def test_what_the_method_says_stays_as_it_is(tmp_path):
    result = tuned(tmp_path, "known:rate=0.02", vary={"share": (0.2, 0.4)})
    found = [parse_method(method)[1] for method in result.trials.method[1:]]
    assert all(options["rate"] == 0.02 and 0.2 <= options["share"] <= 0.4 for options in found)


def test_failed_trials_go_last_with_their_reason(tmp_path):
    lines = []
    result = tuned(tmp_path, "known:breaks=0.5", say=lines.append)
    table = result.trials
    failed = table[table.state == "failed"]
    assert len(failed)
    assert set(failed.rung) == {1}
    assert all("it blew up" in reason for reason in failed.reason)
    assert all(options_of(method)["share"] >= 0.5 for method in failed.method)
    assert failed.hypervolume.isna().all()
    assert any(line.startswith("trial ") and "it blew up" in line for line in lines)


def test_where_all_trials_fail_the_reason_is_said(tmp_path):
    with pytest.raises(RuntimeError, match=r"All of the first 9 trials failed. The first: ArithmeticError: it blew up"):
        tuned(tmp_path, "known:breaks=0")


def test_failed_cells_are_run_again_when_asked_for(tmp_path, monkeypatch):
    tuned(tmp_path, "known:breaks=0.5")
    started = counted(monkeypatch)
    tuned(tmp_path, "known:breaks=0.5")
    assert started == []
    tuned(tmp_path, "known:breaks=0.5", retry_failed=True)
    assert len(started) > 0


def test_a_small_space_ends_when_every_combination_was_tried(tmp_path):
    result = tuned(tmp_path, "known", vary={"share": [0.1, 0.3, 0.5]}, trials=30)
    assert sorted(options_of(method)["share"] for method in set(result.trials.method)) == [0.1, 0.3, 0.5]
    assert (result.trials.rung == 3).sum() == 3
    assert options_of(result.best)["share"] == 0.5
    assert result.spent == pytest.approx(3 * (1 / 9 + 1 / 3 + 1))


# ------------------------------------------------------------------------------------------------- the folder
def test_the_same_call_again_pays_nothing_and_gives_the_same_bytes(whole, monkeypatch):
    before = read(whole)
    started = counted(monkeypatch)
    monkeypatch.setattr("moo.benchmarks.tuning.trials.TrialBeliefs", None)  # nor is anything proposed again
    again = tuned(whole, trials=6)
    assert started == []
    assert read(whole) == before
    assert again.spent == pytest.approx(6)


class Killed(BaseException):
    """What a kill is to the code: nothing catches it."""


@pytest.mark.parametrize("at", [12, 20, 28])
def test_a_kill_at_any_time_changes_nothing(whole, tmp_path, monkeypatch, at):
    with monkeypatch.context() as patch:
        started = counted(patch, at, Killed)
        with pytest.raises(Killed):
            tuned(tmp_path, trials=6)
        assert len(started) == at
    started = counted(monkeypatch)
    tuned(tmp_path, trials=6)
    assert read(tmp_path) == read(whole)
    assert len(started) == 26 + 2 * len(read_report(whole)) - (at - 1)


def test_after_ctrl_c_it_says_how_to_go_on(tmp_path, monkeypatch):
    lines = []
    with monkeypatch.context() as patch:
        counted(patch, 11)
        result = tuned(tmp_path, say=lines.append)
    assert result.interrupted
    assert lines[-1] == "interrupted: run the same command to go on"
    assert len(result.trials) == 9
    with pytest.raises(ValueError, match=r"Tuning was interrupted before its end: make the same call again to go on."):
        _ = result.best
    assert not tuned(tmp_path).interrupted


def test_more_trials_go_on_from_fewer(whole, tmp_path):
    tuned(tmp_path, trials=3)
    assert read(tmp_path) != read(whole)
    tuned(tmp_path, trials=6)
    assert read(tmp_path) == read(whole)


def test_another_seed_proposes_something_else(tmp_path):
    assert set(tuned(tmp_path / "a").trials.method) != set(tuned(tmp_path / "b", seed=1).trials.method)


@pytest.mark.parametrize(
    ("changed", "what"),
    [({"budget": 900}, "budget: 90 there, 900 now"), ({"seeds": 2}, "seeds: "), ({"vary": ["rate"]}, "vary: ")],
)
def test_a_folder_belongs_to_one_question(tmp_path, changed, what):
    tuned(tmp_path)
    with pytest.raises(ValueError, match=f"holds another tuning run .{what}.*Choose another folder"):
        tuned(tmp_path, **changed)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ValueError, match=r"holds something else than a tuning run. Choose another folder"):
        tuned(tmp_path)
    with pytest.raises(ValueError, match=r"`out` should be a folder. .*mine.txt is a file."):
        tuned(tmp_path / "mine.txt")


def test_a_second_process_is_refused(tmp_path):
    tmp_path.mkdir(exist_ok=True)
    with (
        FileLock(tmp_path / "tuning.lock"),
        pytest.raises(RuntimeError, match=r"Another process tunes in .* Wait until it ends, or choose another folder."),
    ):
        tuned(tmp_path)
    tuned(tmp_path)


def test_a_torn_mark_is_named(tmp_path):
    tuned(tmp_path)
    (tmp_path / "tuning.json").write_text("{")
    with pytest.raises(ValueError, match=r"tuning\.json is damaged"):
        tuned(tmp_path)


def test_a_damaged_cell_is_run_again(tmp_path, monkeypatch):
    result = tuned(tmp_path)
    before, lines = read(tmp_path), []
    cell = Cell("square", result.trials.method[2], 0, 10)
    (cell_folder(cell, tmp_path) / "front.npz").write_bytes(b"torn")
    started = counted(monkeypatch)
    tuned(tmp_path, say=lines.append)
    assert len(started) == 1
    assert "is run again" in lines[0]
    assert read(tmp_path) == before


# ------------------------------------------------------------------------------------------------- objectives
def test_the_reference_point_of_the_caller_measures_all(tmp_path):
    problem = "square:point=false"
    with pytest.raises(ValueError, match=r"'square' has no reference point.*Give `reference_point`, 2 numbers"):
        tuned(tmp_path, problem=problem)
    moved = tuned(tmp_path, problem=problem, reference_point=[-1, -1]).trials
    for row in moved.itertuples():
        steps = [min(9 * (i + 1), row.budget) for i in range(math.ceil(row.budget / 9))]
        volumes = [(reached(**options_of(row.method), used=used) + 1) ** 2 for used in steps]
        assert row.hypervolume == pytest.approx(volumes[-1])
        widths = [end - used for used, end in zip(steps, [*steps[1:], row.budget], strict=True)]
        area = sum(volume * width for volume, width in zip(volumes, widths, strict=True))
        assert row.area == pytest.approx(area / row.budget)


def test_a_run_that_ends_early_keeps_what_it_reached_to_the_end_of_its_budget():
    measures = Measures.of("area", get_problem("square"), None)
    result = moo.pareto_search("square", "known", budget=BUDGET, options={"until": 18}, progress=False)
    assert result.record["used"] == 18
    first, last = (reached(0.1, 0.1, used) ** 2 for used in (9, 18))
    assert measures.of_result(result) == [pytest.approx((9 * first + 72 * last) / BUDGET)]


def test_seconds_and_distances_are_better_where_they_are_smaller(tmp_path):
    measures = Measures.of(("hypervolume", "seconds", "igd_plus"), get_problem("zdt1:dim=3"), None)
    assert measures.smaller_is_better == (False, True, True)
    assert measures.maximised([[1.0, 2.0, 3.0]]).tolist() == [[1.0, -2.0, -3.0]]
    result = moo.pareto_search("zdt1:dim=3", "random", budget=50, progress=False)
    found = measures.of_result(result)
    front = get_problem("zdt1:dim=3").reference_front
    low, high = front.amin(dim=0), front.amax(dim=0)
    scaled = [(values - low) / (high - low) for values in (result.objectives, front)]
    distance = moo.indicators.igd_plus(scaled[0], scaled[1], directions="min")
    assert found == pytest.approx([result.hypervolume, result.record["cpu_seconds"], float(distance)])


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"objectives": "hypervolum"}, "Unknown objective 'hypervolum'. Did you mean 'hypervolume'"),
        ({"objectives": "igd"}, "Objective 'igd' needs the problem's front, and 'square' knows none."),
        ({"objectives": ["area", "area"]}, "`objectives` should be different names, at least one"),
        ({"seeds": 2, "report_seeds": [1, 5]}, r"`report_seeds` should be apart from `seeds`.*In both: \[1\]"),
        ({"trials": 2}, "`trials` should be at least 3: what a group of 9 trials costs with 3 rungs. Found 2"),
        ({"workers": 0}, "`workers` should be at least 1"),
        ({"seed": -1}, "`seed` should be from 0 to"),
        ({"method": "known:speed=1"}, "Unknown option 'speed' of method 'known'"),
        ({"method": "random"}, "There is nothing to vary: method 'random' declares no ranges"),
        ({"method": "tabular"}, "Method 'tabular' cannot be tuned on 'square': it takes environment problems"),
        ({"reference_point": [1, 2, 3]}, "`reference_point` should be a list of 2 numbers"),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_anything_is_written(tmp_path, changed, why):
    with pytest.raises(ValueError, match=why):
        tuned(tmp_path / "out", **changed)
    assert not (tmp_path / "out").exists()


def test_several_processes_give_the_same_bytes(tmp_path):
    said = {"problem": "zdt1:dim=3", "method": "nsga2", "budget": 40, "trials": 2, "rungs": 2, "reduction": 2}
    for workers in (1, 2):
        tuned(tmp_path / str(workers), vary={"population": (4, 20)}, workers=workers, **said)
    assert read(tmp_path / "1") == read(tmp_path / "2")


def test_the_mark_says_what_was_asked(tmp_path):
    tuned(tmp_path)
    asked = json.loads((tmp_path / "tuning.json").read_text())["asked"]
    assert asked["vary"]["rate"] == {"low": 1e-4, "high": 1.0, "log": True}
    assert (asked["problem"], asked["method"], asked["objectives"]) == ("square", "known", ["hypervolume", "area"])
