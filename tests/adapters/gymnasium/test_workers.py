"""Worker processes: the same steps as here, errors that say what happened, nobody left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

pytest.importorskip("gymnasium", reason="pip install 'moo-suite[control]'")

from simulated import drift

from moo.adapters.gymnasium.shared import ROWS
from moo.adapters.gymnasium.simulators import Here
from moo.adapters.gymnasium.workers import Workers

WIDTHS = (2, 1, 2)
NO_ACTIONS = np.zeros((0, 1), np.float32)


@pytest.fixture
def crew():
    """Makes workers that are ended after the test."""
    made = []

    def make(count=2, **options):
        made.append(Workers(drift(**options), "drift", WIDTHS, count))
        return made[-1]

    yield make
    for workers in made:
        workers.close()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids, seconds=10):
    end = time.time() + seconds
    while time.time() < end and any(alive(pid) for pid in pids):
        time.sleep(0.05)
    return not any(alive(pid) for pid in pids)


def test_workers_step_as_this_process_does(crew):
    workers, here = crew(count=2), Here(drift(), "drift", 2)
    draw = np.random.default_rng(0)
    jobs = [(number, 100 + number, draw.uniform(-1, 1, (number, 1)).astype(np.float32)) for number in range(5)]
    np.testing.assert_array_equal(workers.begin(jobs), here.begin(jobs))
    for numbers in ([0, 1, 2, 3, 4], [4, 1], [3]):
        actions = draw.uniform(-1, 1, (len(numbers), 1))
        for ours, theirs in zip(
            workers.step(np.array(numbers), actions), here.step(np.array(numbers), actions), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype


def test_more_simulators_than_the_shared_arrays_hold_are_stepped_in_rounds(crew):
    workers, here = crew(count=1), Here(drift(), "drift", 2)
    jobs = [(number, number, NO_ACTIONS) for number in range(ROWS + 3)]
    for engine in (workers, here):
        engine.begin(jobs)
    numbers, actions = np.arange(ROWS + 3), np.linspace(-1, 1, ROWS + 3)[:, None]
    for ours, theirs in zip(workers.step(numbers, actions), here.step(numbers, actions), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_an_environment_raises_is_shown_with_its_seed_and_the_others_go_on(crew):
    workers = crew(what="raise", at=1)
    workers.begin([(0, 77, NO_ACTIONS), (1, 78, NO_ACTIONS)])
    with pytest.raises(
        RuntimeError, match=r"drift raised when it stepped the episode with seed 77:(?s:.*)Zero"
    ) as told:
        workers.step(np.array([0]), np.zeros((1, 1)))
    assert "ZeroDivisionError: nothing to divide by" in str(told.value)
    assert "simulated.py" in str(told.value)  # the traceback
    assert workers.begin([(0, 5, NO_ACTIONS)]).shape == (1, 2)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_killed_is_an_error_not_a_wait(crew, victim):
    workers = crew(what="hang", at=1)
    workers.begin([(0, 1, NO_ACTIONS), (1, 2, NO_ACTIONS)])
    pids = workers.pids
    threading.Timer(0.5, os.kill, (pids[victim], signal.SIGKILL)).start()
    begin = time.time()
    with pytest.raises(
        RuntimeError, match=rf"\(pid {pids[victim]}\) of environment drift was killed by signal 9 while it st"
    ):
        workers.step(np.array([0, 1]), np.zeros((2, 1)))
    assert time.time() - begin < 10
    assert workers.pids == []
    assert gone(pids)


def test_a_process_that_kills_itself_is_an_error(crew):
    workers = crew(what="kill", at=2)
    workers.begin([(0, 1, NO_ACTIONS), (1, 2, NO_ACTIONS)])
    workers.step(np.array([0, 1]), np.zeros((2, 1)))
    with pytest.raises(RuntimeError, match=r"killed by signal 9.*too little memory.*workers=0"):
        workers.step(np.array([0, 1]), np.zeros((2, 1)))


def test_closing_ends_the_processes_and_leaves_no_file(crew):
    before = set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()
    workers = crew()
    pids = workers.pids
    assert all(alive(pid) for pid in pids)
    workers.close()
    assert gone(pids)
    if before:
        assert not [name for name in set(os.listdir("/dev/shm")) - before if name.startswith("moo-")]


def test_what_cannot_be_handed_over_is_refused():
    lock = threading.Lock()
    with pytest.raises(TypeError, match=r"cannot be handed to worker processes.*workers=0"):
        Workers(lambda: lock, "locked", WIDTHS, 1)


def test_a_process_that_cannot_make_its_environment_says_so(crew):
    workers = crew(nonsense=1)
    with pytest.raises(RuntimeError, match=r"drift raised when it began(?s:.*)unexpected keyword argument 'nonsense'"):
        workers.begin([(0, 1, NO_ACTIONS)])


@pytest.mark.parametrize("hanging", [False, True])
def test_no_process_outlives_the_one_that_started_it(hanging):
    script = textwrap.dedent(
        f"""
        import sys, numpy as np
        sys.path[:0] = {sys.path!r}
        from simulated import drift
        from moo.adapters.gymnasium.workers import Workers
        workers = Workers(drift(what="hang", at=1), "drift", {WIDTHS}, 2)
        workers.begin([(0, 1, np.zeros((0, 1))), (1, 2, np.zeros((0, 1)))])
        print(*workers.pids, flush=True)
        if {hanging}:
            workers.step(np.array([0, 1]), np.zeros((2, 1)))
        sys.stdin.read()
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1, text=True)
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    assert all(alive(pid) for pid in pids)
    time.sleep(0.3)
    parent.kill()
    parent.wait()
    assert gone(pids)
    parent.stdin.close()
    parent.stdout.close()
