import os
import resource
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
import torch
from asserts import assert_same_results
from inputs import ToyConditional, ToyVector

import moo
from moo import checkpoint as checkpoint_module
from moo.checkpoint import Checkpoint
from moo.journal import Journal
from moo.storage import DamagedFileError, read_json, write_json

TESTS = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
BATCH = {"nsga2": {"population": 20}, "random": {"batch": 20}, "toy-conditional": {}}


def search(folder=None, method="random", problem=None, budget=100, **arguments):
    arguments = {"options": BATCH[method], "progress": False, **arguments}
    return moo.pareto_search(problem or ToyVector(), method, budget=budget, checkpoint=folder, **arguments)


def start(code, *arguments):
    """A fresh interpreter that runs `code`."""
    command = [sys.executable, "-u", "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ------------------------------------------------------------------------------------------------- killed
KILLED = """
    import os, random, signal, sys, time
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from inputs import TOY_GENERATORS, ToyVector
    import moo, moo.checkpoint, moo.search, moo.generators.evolutionary
    from moo.generators import GENERATORS
    from moo.journal import Journal

    GENERATORS.update(TOY_GENERATORS)
    method, folder, chance = sys.argv[1], Path(sys.argv[2]), random.Random(int(sys.argv[3]))
    options = {"nsga2": {"population": 20}, "random": {"batch": 20}}.get(method, {})

    class Logged(ToyVector):
        def evaluate(self, solutions, generator=None):
            objectives = super().evaluate(solutions, generator)
            with open(folder / "log", "a") as log:
                log.write(f"{len(solutions)} ")
            return objectives

    def rows_logged():
        return sum(map(int, (folder / "log").read_text().split())) if (folder / "log").exists() else 0

    def live():
        problem = Logged(fails="nan", reference=False, delay=0.004)
        moo.pareto_search(problem, method, budget=500, options=options, checkpoint=folder / "run", progress=False).save(
            folder / "out"
        )

    for life in range(200):
        before = rows_logged()
        moo.checkpoint.SOONEST = life % 2  # by turns with a state now and then, and with the journal alone
        child = os.fork()  # a process of its own, without importing everything again
        if not child:
            code = 1
            try:
                live()
                code = 0
            finally:
                os._exit(code)
        if life < 12:
            time.sleep(chance.uniform(0.005, 0.08))
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        journal = folder / "run" / "checkpoint" / "journal.npy"
        length = len(Journal(journal)) if journal.exists() else 0
        print(rows_logged() - before, length)
        if status == 0:
            break
        assert os.WIFSIGNALED(status), status
"""


@pytest.mark.parametrize("method", ["nsga2", "toy-conditional"])
def test_killed_at_random_moments_a_run_ends_as_if_it_had_not_been(method, tmp_path):
    done = start(KILLED, method, tmp_path, len(method))
    output, errors = done.communicate(timeout=60)
    assert done.returncode == 0, errors
    lives = [tuple(map(int, line.split())) for line in output.splitlines()]
    assert len(lives) > 3
    whole = search(None, method, ToyVector(fails="nan", reference=False), budget=500)
    assert_same_results(whole, moo.load_result(tmp_path / "out"))
    journaled = 0
    for evaluated, length in lives:
        lost = evaluated - (length - journaled)
        assert 0 <= lost <= 20, lives  # at most the batch that the kill met
        journaled = length
    assert journaled == 500
    assert lives[-1][0] == 500 - (lives[-2][1] if len(lives) > 1 else 0)


SLOW = """
    import sys
    from inputs import ToyVector
    import moo
    moo.pareto_search(ToyVector(delay=0.1), "random", budget=1000, options={"batch": 20}, checkpoint=sys.argv[1],
                      progress=False, callback=lambda result: print(result.record["used"]) and False)
"""


def test_two_processes_at_once_and_a_kill(tmp_path):
    """The second gets a clear error; when the first was killed it goes on from there."""
    first = start(SLOW, tmp_path)
    try:
        for _ in range(3):
            assert first.stdout.readline()
        before = files(tmp_path / "checkpoint" / "state")
        with pytest.raises(RuntimeError, match=r"Another run works in .*Wait for it, or choose another folder."):
            search(tmp_path, budget=1000)
        assert before.keys() == files(tmp_path / "checkpoint" / "state").keys()
    finally:
        first.kill()
        first.wait()
    known = len(Journal(tmp_path / "checkpoint" / "journal.npy"))
    assert 60 <= known < 1000
    problem = ToyVector()
    found = search(tmp_path, problem=problem, budget=1000)
    assert sum(problem.calls) == 1000 - known
    assert_same_results(search(budget=1000), found)


# ------------------------------------------------------------------------------------------------- whose folder it is
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "seed: 0 there, 1 now"),
        ({"options": {"batch": 10}}, r"options: \{'batch': 20, .*\} there, \{'batch': 10, .*\} now"),
        ({"method": "nsga2", "options": {"population": 20}}, "method: 'random' there, 'nsga2' now"),
        ({"problem": ToyVector(3)}, "objective_names: "),
        (
            {"problem": ToyVector(directions=("max", "min"))},
            r"directions: \['min', 'min'\] there, \['max', 'min'\] now",
        ),
        ({"problem": ToyVector(mixed=True)}, "space: "),
        ({"problem": "zdt1:dim=3"}, "problem: 'toy-vector' there, 'zdt1:dim=3' now"),
        ({"reference_point": [5, 5]}, r"reference_point: None there, \[5.0, 5.0\] now"),
        ({"initial": (torch.zeros(1, 3), torch.ones(1, 2))}, "initial: None there, "),
        ({"archive_capacity": 30}, "archive_capacity: None there, 30 now"),
        ({"archive_bound": "hypervolume"}, "archive_bound: None there, 'hypervolume' now"),
    ],
)
def test_another_runs_folder_is_refused_and_left_as_it_is(change, message, tmp_path):
    search(tmp_path)
    before = files(tmp_path)
    with pytest.raises(
        ValueError, match=f"holds another run .*{message}.*Choose another folder, or make the same call"
    ):
        search(tmp_path, **change)
    assert files(tmp_path) == before
    assert_same_results(search(tmp_path), search())  # nor is it locked


@pytest.mark.parametrize("inner", ["file", "file/run"])
def test_a_file_is_no_checkpoint(inner, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"`checkpoint` should be a folder."):
        search(tmp_path / inner)


def test_a_wrong_call_makes_no_folder(tmp_path):
    with pytest.raises(ValueError, match="`budget`"):
        search(tmp_path / "run", budget=0)
    assert not (tmp_path / "run").exists()


def test_files_of_something_else_are_refused(tmp_path):
    write_json(tmp_path / "cell.json", {"cells": 3})
    with pytest.raises(ValueError, match="holds another run"):
        search(tmp_path)


def test_a_damaged_description_is_named(tmp_path):
    search(tmp_path)
    (tmp_path / "cell.json").write_text("{")
    with pytest.raises(DamagedFileError, match=r"cell\.json is damaged"):
        search(tmp_path)


def test_the_folder_is_free_again_after_an_error(tmp_path):
    def fail(result):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        search(tmp_path, callback=fail)
    assert caught.value is not None  # kept alive, and with it all that its traceback holds
    assert_same_results(search(tmp_path), search())


def test_the_lock_holds_between_threads_too(tmp_path):
    with Checkpoint(tmp_path, {"budget": 1}):
        errors = []

        def second():
            try:
                search(tmp_path)
            except RuntimeError as error:
                errors.append(str(error))

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(errors) == 1
    assert "Another run works in" in errors[0]


def test_a_bounded_archives_folder_is_refused_to_a_call_that_does_not_say_so(tmp_path):
    search(tmp_path, archive_capacity=8, archive_bound="hypervolume")
    for other in ({}, {"archive_capacity": 8}, {"archive_capacity": 9, "archive_bound": "hypervolume"}):
        with pytest.raises(ValueError, match=r"holds another run .*archive_(capacity|bound): .* there, .* now"):
            search(tmp_path, **other)


def test_a_folder_from_before_the_archive_could_be_bounded_goes_on(tmp_path):
    search(tmp_path, budget=60)
    cell = read_json(tmp_path / "cell.json")
    del cell["archive_capacity"], cell["archive_bound"]
    write_json(tmp_path / "cell.json", cell)
    with pytest.raises(ValueError, match="archive_capacity: None there, 30 now"):
        search(tmp_path, archive_capacity=30)
    assert_same_results(search(tmp_path), search())


# ------------------------------------------------------------------------------------------------- going on
@pytest.mark.parametrize("bound", ["crowding", "hypervolume"])
@pytest.mark.parametrize("method", BATCH)
def test_a_bounded_archive_goes_on_bit_for_bit(method, bound, tmp_path):
    arguments = {"problem": ToyVector(3, reference=False), "archive_capacity": 9, "archive_bound": bound}
    for _ in range(12):
        part = search(tmp_path, method, **arguments, callback=lambda _: True)
        if "callback" not in part.record["ended"]:
            break
    assert "callback" not in part.record["ended"]
    assert len(part.front) == 9
    assert_same_results(part, search(None, method, **arguments))
    larger = search(tmp_path, method, **arguments, budget=170)
    assert_same_results(larger, search(None, method, **arguments, budget=170))


@pytest.mark.parametrize("method", BATCH)
def test_a_finished_run_is_not_paid_again(method, tmp_path):
    first, problem = search(tmp_path, method, budget=90), ToyVector()
    assert_same_results(first, search(tmp_path, method, problem, budget=90))
    assert problem.calls == []


@pytest.mark.parametrize("method", BATCH)
def test_a_larger_budget_pays_only_for_what_is_new(method, tmp_path):
    for budget, paid in [(50, 50), (90, 40), (200, 110)]:
        problem = ToyVector()
        found = search(tmp_path, method, problem, budget=budget)
        assert sum(problem.calls) == paid
        assert_same_results(found, search(None, method, budget=budget))


def test_a_larger_budget_goes_on_where_the_method_was_left_to_us(tmp_path):
    for budget in (600, 700):
        found = moo.pareto_search(ToyVector(), budget=budget, checkpoint=tmp_path, progress=False)
        assert found.record["used"] == budget


def test_a_budget_below_what_was_used_is_refused(tmp_path):
    search(tmp_path, budget=100)
    before = files(tmp_path)
    with pytest.raises(
        ValueError, match=r"holds a run that has used 100 evaluations. `budget` should be at least that .*Found 60."
    ):
        search(tmp_path, budget=60)
    assert files(tmp_path) == before


def test_where_the_budget_cut_the_last_batch_the_same_budget_and_a_larger_one_both_go_on(tmp_path):
    for budget in (90, 130, 90, 130, 150):
        assert_same_results(search(tmp_path, budget=budget), search(budget=budget))


def test_a_method_that_plans_by_its_budget_cannot_go_on_with_another(tmp_path, monkeypatch):
    monkeypatch.setattr(ToyConditional, "schedules_by_budget", True)
    first = search(tmp_path, "toy-conditional")
    message = "holds a run of budget 100. Method 'toy-conditional' plans by its budget, so it cannot go on with 200"
    with pytest.raises(ValueError, match=f"{message}. Choose another folder, or budget=100."):
        search(tmp_path, "toy-conditional", budget=200)
    assert_same_results(first, search(tmp_path, "toy-conditional"))


@pytest.mark.parametrize("lost", ["state", "journal.npy"])
def test_one_of_state_and_journal_is_enough(lost, tmp_path):
    search(tmp_path)
    path = tmp_path / "checkpoint" / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    problem = ToyVector()
    assert_same_results(search(tmp_path, problem=problem), search())
    assert problem.calls == []


@pytest.mark.parametrize("name", ["tree.json", "arrays.npz", "tensors.safetensors"])
def test_whoever_deletes_what_is_damaged_as_the_message_says_goes_on_and_pays_for_nothing_twice(name, tmp_path):
    search(tmp_path)
    (tmp_path / "checkpoint" / "state" / name).write_text("{")
    for _ in range(5):
        try:
            problem = ToyVector()
            found = search(tmp_path, problem=problem)
            break
        except DamagedFileError as error:
            damaged = Path(str(error).partition(" is damaged")[0])
            shutil.rmtree(damaged) if damaged.is_dir() else damaged.unlink()
    assert_same_results(found, search())
    assert problem.calls == []


def test_a_result_saved_into_its_checkpoints_folder_disturbs_nothing(tmp_path):
    search(tmp_path, budget=100).save(tmp_path)
    found = search(tmp_path, budget=200)
    assert_same_results(found, search(budget=200))
    found.save(tmp_path)
    assert_same_results(found, moo.load_result(tmp_path))


def test_the_description_holds_the_last_budget(tmp_path):
    for budget in (100, 200):
        search(tmp_path, budget=budget)
        assert read_json(tmp_path / "cell.json")["budget"] == budget


def test_it_costs_at_most_a_fiftieth_of_the_time_and_comes_every_five_seconds_at_most(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(checkpoint_module.time, "monotonic", lambda: clock[0])

    def slow(folder, state):
        clock[0] += 3.0

    monkeypatch.setattr(checkpoint_module, "write_state", slow)
    with Checkpoint(tmp_path, {"budget": 1}) as store:
        for seconds, due in [(4.9, False), (0.2, True)]:  # the first costs nothing so far
            clock[0] += seconds
            assert store.due == due
        store.save({}, trimmed=False)
        for seconds, due in [(0.0, False), (149.0, False), (2.0, True)]:
            clock[0] += seconds
            assert store.due == due


# ------------------------------------------------------------------------------------------------- a disk that is full
@pytest.mark.parametrize("size", [1500, 3000, 8000])
def test_on_a_full_disk_the_error_names_a_file_and_the_run_can_go_on(size, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    write_json(tmp_path / "cell.json", search().config)
    problem = ToyVector()
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            search(tmp_path, problem=problem, budget=1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.filename is not None
    assert str(tmp_path) in str(caught.value)
    paid = sum(problem.calls)
    again = ToyVector()
    assert_same_results(search(tmp_path, problem=again, budget=1000), search(budget=1000))  # caught is alive: no lock
    assert sum(again.calls) <= 1000 - paid + 20
