"""Cells in processes of this machine: a worker that is killed costs its own cell alone."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from killing import ONE, contents, of_problem, suite_of

from moo.benchmarks import run
from moo.benchmarks.engines.loky import Loky
from moo.benchmarks.running.on_disk import Task, read_record
from moo.benchmarks.running.one_cell import Job
from moo.benchmarks.running.slots import Slots
from moo.benchmarks.suites import Cell


def states(statuses):
    return [status.state for status in statuses]


def test_a_cell_that_kills_its_worker_is_quarantined_and_all_others_are_as_in_one_process(tmp_path):
    suite, fine = suite_of(tmp_path, "poison", **ONE), suite_of(tmp_path, **ONE)
    run(fine, tmp_path / "serial")
    statuses = run(suite, tmp_path / "loky", workers=2)
    assert states(statuses) == ["done", "crashed"]
    (folder,) = of_problem(suite, "poison", tmp_path / "loky")
    assert read_record(folder)["status"] == "crashed"
    assert re.search("its worker died in each of 2 starts.*SIGKILL", read_record(folder)["reason"])
    assert not list((tmp_path / "loky" / ".running").glob("*.json"))
    again = run(suite, tmp_path / "loky", workers=2)
    assert states(again) == ["kept", "crashed"]
    found, wanted = contents(tmp_path / "loky"), contents(tmp_path / "serial")
    assert {name: found[name] for name in wanted} == wanted


def test_one_worker_is_a_process_of_its_own(tmp_path):
    suite = suite_of(tmp_path, "poison", **ONE, plain=False)
    (status,) = run(suite, tmp_path / "out", backend="loky", workers=1)
    assert status.state == "crashed"  # and this process lives


@pytest.mark.parametrize("dies", [True, False])
def test_a_process_ends_with_the_one_that_it_watches(tmp_path, dies):
    code = (
        "import os, sys, time; from moo.benchmarks.engines.loky import watch\n"
        "watch(int(sys.argv[1])); print('watching', flush=True); time.sleep(30)"
    )
    parent = (
        "import os, subprocess, sys, time\n"
        "inner = subprocess.Popen([sys.executable, '-c', sys.argv[1], str(os.getpid())])\n"
        "print(inner.pid, flush=True); time.sleep(30)"
    )
    outer = subprocess.Popen([sys.executable, "-c", parent, code], stdout=subprocess.PIPE, text=True)
    lines = sorted(outer.stdout.readline().strip() for _ in range(2))
    assert lines[1] == "watching"
    inner = int(lines[0])
    if dies:
        outer.kill()
        outer.wait()
        for _ in range(100):
            if not alive(inner):
                return
            time.sleep(0.05)
        pytest.fail("it outlives its parent")
    time.sleep(0.5)
    assert alive(inner)
    os.kill(inner, signal.SIGKILL)
    outer.kill()
    outer.wait()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_cells_that_need_a_gpu_are_a_pool_of_their_own():
    tasks = [Task(Cell("zdt1", "random", seed, 10), gpu=seed % 2 == 1) for seed in range(6)]
    pools = Loky(4)._pools(tasks, Job(Path("out"), "a life", slots=Slots(gpus=1, per_gpu=2)))
    assert [([task.cell.seed for task in pool], workers) for pool, workers in pools] == [([1, 3, 5], 2), ([0, 2, 4], 4)]
