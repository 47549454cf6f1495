"""Running a suite: one directory per cell is the truth, so that running again is going on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from moo.benchmarks.engines import make_engine
from moo.benchmarks.running.conduct import Conduct
from moo.benchmarks.running.listening import listening
from moo.benchmarks.running.on_disk import (
    GO_ON,
    Status,
    Task,
    alone,
    aside_of,
    cell_folder,
    marker,
    record_time,
    stored,
)
from moo.benchmarks.running.one_cell import Job, applicable, not_installed
from moo.benchmarks.running.plans import by_combination, claim, shard_of
from moo.benchmarks.running.view import View
from moo.benchmarks.suites import Cell, Suite, cells, find_suite
from moo.storage import DamagedFileError, read_mapping


def run(
    suite: str | Suite,
    out: str | Path,
    *,
    backend: str = "auto",
    workers: int | None = None,
    retry_failed: bool = False,
    force: bool = False,
    timeout: float | None = None,
    shard: str | None = None,
    device: str | Mapping[str, str] = "auto",
    gpus: int | None = None,
    per_gpu: int = 1,
    say: Callable[[str], object] = lambda _: None,
    live: bool = False,
) -> list[Status]:
    """Run the cells of a suite that are not on disk yet.

    Args:
        suite: A name, the path of a YAML file, or a suite.
        out: Where the cells' directories lie.
        backend, workers, retry_failed, force, timeout, device, gpus, per_gpu: See `Conduct`.
        shard: `"2/5"`: only the second of five parts, dealt out by the cells' places in the suite.
        say: Called with a line for people.
        live: On a terminal, show a bar and what runs in place of a line for each cell that is done.

    Returns:
        How every cell stands, in the suite's order; after Ctrl-C those that were not reached are left out.

    Raises:
        FileNotFoundError: The file of a function is not there.
        ImportError: The engine's extra is not installed.
        RuntimeError: The engine's workers do not come to life.
        TypeError, ValueError: The suite names something unknown, an argument breaks a rule, or `out` holds something
            else.
    """
    found, out = find_suite(suite), Path(out)
    conduct = Conduct(backend, workers, retry_failed, force, timeout, device, gpus, per_gpu)
    make_engine(backend, workers)  # for its checks
    plan = cells(found) if shard is None else shard_of(cells(found), shard)
    refused = not_applicable(plan)
    for problem in found.problems:
        if not isinstance(problem, str):
            problem.problem()  # its function can be loaded: else nothing is written
    claim(out, found, refused.values())
    statuses, todo = look(plan, out, conduct, refused, say)
    kept = len(plan) - len(todo) - len(refused)
    say(f"{len(plan)} cells: {len(todo)} to run, {kept} on disk, {len(refused)} not applicable")
    for label, why in by_combination(refused.values()).items():
        say(f"not applicable: {label}: {why}")
    job = conduct.job(out)
    for line in cut_short(todo, job.out):
        say(line)
    with View(job.out, len(todo), say, live=live) as view:
        statuses.update(go_through(todo, job, conduct, view.ended))
    return [statuses[cell] for cell in plan if cell in statuses]


def not_applicable(plan: Iterable[Cell]) -> dict[Cell, Status]:
    """The cells that cannot be run here, and why; looked up once for all seeds.

    Raises:
        TypeError, ValueError: Problem, method, tuner or an option is unknown or breaks a rule.
    """
    known: dict[Any, str] = {}
    refused = {}
    for cell in plan:
        what = (cell.problem, cell.method)
        if what not in known:
            known[what] = applicable(cell) or not_installed(cell)
        if known[what]:
            refused[cell] = Status(cell, "not applicable", known[what])
    return refused


def finish(
    plan: Sequence[Cell], out: Path, conduct: Conduct, say: Callable[[str], object] = lambda _: None
) -> dict[Cell, Status]:
    """Run those of some cells that are not on disk; how each stands, those that Ctrl-C left out excepted."""
    statuses, todo = look(plan, out, conduct, {}, say)
    return {**statuses, **go_through(todo, conduct.job(out), conduct, lambda _: None)}


# ------------------------------------------------------------------------------------------------ what is to be done
def look(
    plan: Iterable[Cell],
    out: Path,
    conduct: Conduct,
    refused: Mapping[Cell, Status],
    say: Callable[[str], object] = lambda _: None,
) -> tuple[dict[Cell, Status], list[Task]]:
    """How cells stand on disk, and what is to be run; a damaged one is named. Nothing is changed."""
    statuses, todo = dict(refused), []
    for cell in dict.fromkeys(plan):
        if cell in refused:
            continue
        found = _standing(cell, out, conduct, say)
        if isinstance(found, Status):
            statuses[cell] = found
        else:
            todo.append(found)
    return statuses, todo


def _standing(cell: Cell, out: Path, conduct: Conduct, say: Callable[[str], object]) -> Status | Task:
    """How one cell stands, or that it is to be run."""
    folder = cell_folder(cell, out)
    replaces = record_time(folder)
    try:
        status = stored(cell, out, conduct.timeout)
    except DamagedFileError as error:
        say(f"{cell.label} is run again: {error.what} (set aside as {aside_of(folder).name})")
        return conduct.task(cell, replaces, "damaged")
    if status is None:
        return conduct.task(cell, replaces, "longer" if replaces else "")
    again = conduct.force or (conduct.retry_failed and status.state in ("failed", "crashed"))
    return conduct.task(cell, replaces, "again") if again else status


def cut_short(todo: Sequence[Task], out: Path) -> Iterator[str]:
    """Of the cells that are to be run, those in which a process was killed, in lines for people."""
    for task in todo:
        place = marker(task.cell, out)
        if not place.exists():
            continue
        with alone(task.cell, out) as held, contextlib.suppress(OSError, DamagedFileError):
            if held:
                said = read_mapping(place, "label", "host", "pid")
                yield f"cut short before, and goes on: {said['label']} (process {said['pid']} on {said['host']})"


# ------------------------------------------------------------------------------------------------ doing it
def run_cells(
    tasks: Sequence[Task], job: Job, backend: str = "auto", workers: int | None = None
) -> Generator[Status, None, None]:
    """Run cells and yield how they ended, as they end, in any engine; closing it ends what is under way.

    Args:
        tasks: The cells.
        job: What a worker does with each.
        backend: The engine with its options.
        workers: Processes.
    """
    if tasks:
        yield from make_engine(backend, workers).run(tasks, job)


def go_through(
    todo: Sequence[Task], job: Job, conduct: Conduct, ended: Callable[[Status], object]
) -> dict[Cell, Status]:
    """Run cells and tell how each ended, until Ctrl-C, which ends in the cells where one has to go on."""
    statuses: dict[Cell, Status] = {}
    stopped = False
    try:
        running = run_cells(todo, job, conduct.backend, conduct.workers)
        with listening() as pressed, contextlib.closing(running):
            for status in running:
                stopped = status.state == "interrupted" or pressed()
                if status.state != "interrupted":
                    statuses[status.cell] = status
                    ended(status)
                if stopped:
                    break
    except KeyboardInterrupt:  # between two searches, a second one, or with several processes
        stopped = True
    left = [task.cell for task in todo if task.cell not in statuses]
    if stopped and left:
        statuses[left[0]] = Status(left[0], "interrupted", GO_ON)
        ended(statuses[left[0]])
    return statuses
