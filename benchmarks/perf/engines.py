"""What the engines cost and what they survive, and how long a folder of many finished cells takes to look through.

`python -m moo.benchmarks.perf.engines` prints the figures of all three; `... engines cells`, `poison` or `scan` of one.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from moo.benchmarks.claims import Measurement
from moo.benchmarks.running.conduct import Conduct
from moo.benchmarks.running.on_disk import Status, Task, cell_folder
from moo.benchmarks.running.one_cell import Job
from moo.benchmarks.running.runner import run, run_cells
from moo.benchmarks.suites import Cell, Suite, cells
from moo.storage import write_json

LIMITS = {"loky": 5.8, "dask": 6.5, "ray": 6.5}  # seconds
SECONDS = 0.05  # of a cell
WORKERS = 2
SCAN_SECONDS, SCAN_BYTES = 5.0, 1e9
POISON = """
import os, signal, time

def fine(x):
    return [x[0], 1 - x[0] + x[1]]

def poison(x):
    os.kill(os.getpid(), signal.SIGKILL)
"""


# ------------------------------------------------------------------------------------------------ short cells
class Sleeping(Job):  # type: ignore[misc]  # mypy does not see benchmarks/
    """A job whose cells sleep in place of searching; lock, start marker and record are as they are."""

    def run(self, cell: Cell, folder: Path, pressed: Callable[[], bool]) -> Status:  # noqa: ARG002
        """Sleep, and leave what a cell leaves."""
        time.sleep(SECONDS)
        folder.mkdir(parents=True)
        write_json(folder / "cell.json", {"format": 1, **cell.to_json()})
        record = {"format": 1, "status": "ok", "used": 0, "ended": "", "front_size": 0}
        write_json(folder / "record.json", {**record, "machine": {"run": self.life}})
        return Status(cell, "done")


@contextlib.contextmanager
def started(engine: str) -> Iterator[str]:
    """A cluster of two workers for an engine; what the engine is called then."""
    if engine == "dask":
        import distributed

        library: Any = distributed
        size = {"n_workers": WORKERS, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": None}
        with library.LocalCluster(**size, silence_logs=50) as cluster:
            yield f"dask:address={cluster.scheduler_address}"
    elif engine == "ray":
        import ray

        ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level=50)
        try:
            yield "ray"
        finally:
            ray.shutdown()
    else:
        yield engine


def seconds_of(engine: str, count: int, rounds: int) -> list[float]:
    """Wall seconds of so many sleeping cells on two workers that are awake, some times over."""
    with tempfile.TemporaryDirectory() as folder, started(engine) as backend:
        took = []
        for number in range(rounds + 1):
            out = Path(folder) / str(number)
            job = Sleeping(out, f"round {number}")
            tasks = [Task(Cell("zdt1", "random", seed, 1)) for seed in range(count if number else 4 * WORKERS)]
            began = time.perf_counter()
            ended = list(run_cells(tasks, job, backend, WORKERS))
            took.append(time.perf_counter() - began)
            if Counter(status.state for status in ended) != {"done": len(tasks)}:
                raise RuntimeError(f"{engine}: {Counter(status.state for status in ended)}")
        return took[1:]  # in the first round they woke up


def short_cells(*, quick: bool) -> Measurement:
    """200 cells of 50 ms; quick: 40 of them, at the same cost for each."""
    count, rounds = (40, 3) if quick else (200, 5)
    found = {engine: sorted(seconds_of(engine, count, rounds)) for engine in LIMITS}
    medians = {engine: times[len(times) // 2] for engine, times in found.items()}
    over = {engine: medians[engine] - LIMITS[engine] * count / 200 for engine in LIMITS}
    return Measurement(
        met=all(value <= 0 for value in over.values()),
        median=", ".join(f"{engine} {value:.2f} s" for engine, value in medians.items()),
        worst=", ".join(f"{engine} {times[-1]:.2f} s" for engine, times in found.items()),
        seeds=[],
        shortfall=", ".join(f"{engine} {value:.2f} s" for engine, value in over.items() if value > 0),
        details={"seconds": found, "load": os.getloadavg()},
    )


# ------------------------------------------------------------------------------------------------ a cell that kills
def poisoned(engine: str, count: int, folder: Path) -> Counter[str]:
    """How the cells of a suite end of which one always kills its worker; its record has to say why."""
    folder.mkdir(parents=True)
    (folder / "functions.py").write_text(POISON)
    box = {"bounds": "0:1,0:1", "directions": "min,min"}
    fine, poison = ({"callable": str(folder / f"functions.py:{name}"), **box} for name in ("fine", "poison"))
    with started(engine) as backend:
        # The poison is in the middle: the cells of its problem are fewer, and run between two halves of the others.
        whole = Suite("poison", (fine,), ("random:batch=20",), tuple(range(count // 2)), 40)
        states: Counter[str] = Counter()
        mixed = Suite("poison", (poison, fine), ("random:batch=20",), tuple(range(count // 2, count)), 40)
        plan = [*cells(whole), *[cell for cell in cells(mixed) if "fine" in str(cell.problem)]][: count - 1]
        plan.insert(count // 2, cells(mixed)[0])
        job = Conduct().job(folder / "out")
        for status in run_cells([Task(cell) for cell in plan], job, backend, WORKERS):
            states[status.state] += 1
            if status.state == "crashed" and (
                status.cell != plan[count // 2] or "died in each of" not in status.reason
            ):
                raise RuntimeError(f"{engine}: {status}")
    return states


def poison(*, quick: bool) -> Measurement:
    """One poison cell among 40, on three engines; quick: among 10, on one."""
    count, engines = (10, ["loky"]) if quick else (40, list(LIMITS))
    with tempfile.TemporaryDirectory() as folder:
        found = {engine: poisoned(engine, count, Path(folder) / engine) for engine in engines}
    wrong = [engine for engine in engines if found[engine] != {"done": count - 1, "crashed": 1}]
    said = ", ".join(
        f"{engine} {found[engine]['done']} done and {found[engine]['crashed']} quarantined" for engine in engines
    )
    states = {engine: dict(counts) for engine, counts in found.items()}
    return Measurement(not wrong, said, said, [], ", ".join(wrong), {"states": states})


# ------------------------------------------------------------------------------------------------ many finished cells
def copies(count: int, folder: Path) -> Suite:
    """A suite of so many finished cells: one that has run, under the names of all others."""
    suite = Suite("many", ("zdt1:dim=5",), ("nsga2",), tuple(range(count)), 1000)
    out = folder / "out"
    run(Suite("many", suite.problems, suite.methods, (0,), 1000), out)
    first, *others = (cell_folder(cell, out) for cell in cells(suite))
    files = [path.relative_to(first) for path in first.rglob("*") if path.is_file()]
    for other in others:
        (other / "state").mkdir(parents=True)
        for name in files:
            os.link(first / name, other / name)
    return suite


def look_through(count: int, folder: Path) -> dict[str, float]:
    """Seconds and bytes of memory of a call that finds all cells finished, in a process of its own."""
    suite = copies(count, folder)
    code = f"from moo.benchmarks.perf import engines; engines.tell_scan({count}, {str(folder / 'out')!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, peak, kept = done.stdout.split()
    if int(kept) != len(suite.seeds):
        raise RuntimeError(f"{kept} of {count} cells were taken for finished")
    return {"seconds": float(seconds), "bytes": float(peak)}


def tell_scan(count: int, out: str) -> None:
    """Print seconds, peak memory and the cells that were kept, of a second call."""
    suite = Suite("many", ("zdt1:dim=5",), ("nsga2",), tuple(range(count)), 1000)
    began = time.perf_counter()
    statuses = run(suite, out)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(seconds, peak, sum(status.state == "kept" for status in statuses))


def scan(*, quick: bool) -> Measurement:
    """10,000 finished cells; quick: 1,000, in a tenth of the time."""
    count = 1000 if quick else 10_000
    with tempfile.TemporaryDirectory() as folder:
        found = look_through(count, Path(folder))
    late = found["seconds"] - SCAN_SECONDS * count / 10_000
    much = found["bytes"] - SCAN_BYTES
    said = f"{found['seconds']:.2f} s, {found['bytes'] / 1e9:.2f} GB"
    short = [f"{late:.2f} s"] * (late > 0) + [f"{much / 1e9:.2f} GB"] * (much > 0)
    return Measurement(not short, said, said, [], ", ".join(short), found)


if __name__ == "__main__":
    parts = {"cells": short_cells, "poison": poison, "scan": scan}
    for name in sys.argv[1:] or parts:
        result = parts[name](quick=False)
        print(f"{name}: median {result.median}, worst {result.worst}: {result.verdict}", flush=True)
