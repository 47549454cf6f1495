"""Running one cell, in whatever process: it never raises, and all that it leaves is on disk."""

from __future__ import annotations

import os
import shutil
import socket
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import Timeout

from moo.adapters.encodings import misfit
from moo.benchmarks.peers import lacking
from moo.benchmarks.running.listening import listening
from moo.benchmarks.running.machine import this_machine
from moo.benchmarks.running.on_disk import (
    GO_ON,
    UNFINISHED,
    Status,
    Task,
    alone,
    cell_folder,
    clear,
    marker,
    read_record,
    record_time,
    set_aside,
)
from moo.benchmarks.running.slots import NONE, Slots
from moo.benchmarks.suites import Cell, parse_method
from moo.choosing import find_method, find_problem, make_tuner
from moo.options import resolve_options
from moo.result import SearchResult
from moo.search import pareto_search
from moo.storage import DamagedFileError, read_mapping, write_json

MOST_STARTS = 2  # of a cell whose worker dies
STOPPED = "the callback stopped it"


def method_of(cell: Cell) -> tuple[str, dict[str, Any], Any]:
    """The method's name, its options, and the preferences that stood among them."""
    name, options = parse_method(cell.method)
    return name, options, options.pop("preferences", "auto")


def applicable(cell: Cell) -> str:
    """Why a cell cannot be run, from what method and problem declare; empty where it can. No function is loaded.

    Raises:
        TypeError, ValueError: Problem, method, tuner or an option is unknown or breaks a rule.
    """
    name, options, preferences = method_of(cell)
    problem = find_problem(cell.problem if isinstance(cell.problem, str) else cell.problem.problem(loaded=False))
    kind = find_method(name)
    resolve_options(kind.options, options, f"method {name!r}")
    why_not = misfit(problem, kind)
    if not why_not:
        make_tuner(preferences, problem, name, budget=cell.budget, seed=cell.seed)  # for its checks
    return why_not


def not_installed(cell: Cell) -> str:
    """Which package a cell's method needs and this machine lacks, and how to install it; empty where none."""
    missing: str = lacking(find_method(method_of(cell)[0]))
    return missing


def device_of(cell: Cell, devices: Mapping[str, str]) -> str:
    """Where a cell computes, by its method's name; `"*"` is for those that are not there, else the CPU."""
    return devices.get(method_of(cell)[0], devices.get("*", "cpu"))


@dataclass(frozen=True)
class Job:
    """What a worker does with a task. It is sent to processes and to other machines.

    Attributes:
        out: The suite's folder, an absolute path that every worker reaches.
        life: Names this run of the suite: starts of cells are counted within it.
        timeout: Seconds that a cell may take, over all of its starts; None: as long as it wants.
        devices: Where methods compute, by name; `"*"` is for all others.
        slots: The GPUs that cells share.
        git: The state of the repository that the user works in.
    """

    out: Path
    life: str
    timeout: float | None = None
    devices: Mapping[str, str] = field(default_factory=lambda: {"*": "auto"})
    slots: Slots = NONE
    git: Mapping[str, Any] | None = None

    def __call__(self, task: Task) -> Status:
        """Run a cell and store it; nothing is raised, but by a second Ctrl-C."""
        with listening() as pressed:
            try:
                with alone(task.cell, self.out) as held:
                    if not held:
                        return Status(task.cell, "busy", "another process runs it")
                    return self.ended(task) or self._start(task, pressed)
            except Exception as error:  # the disk is full: not even the failure can be written down
                if pressed():
                    return Status(task.cell, "interrupted", GO_ON)
                return Status(task.cell, "failed", f"{type(error).__name__}: {error} (nothing could be written down)")

    # ------------------------------------------------------------------------------------------ what has happened
    def ended(self, task: Task) -> Status | None:
        """How a task has ended, be it in another process; None where it has not.

        Raises:
            DamagedFileError: Its record cannot be read.
        """
        folder = cell_folder(task.cell, self.out)
        if record_time(folder) in (None, task.replaces):
            return None
        record = read_record(folder)
        if record is None:  # another process has taken it away again
            return None
        if record["status"] in UNFINISHED:
            return Status(task.cell, record["status"], record["reason"])
        own = record.get("machine", {}).get("run") == self.life
        return Status(task.cell, "done") if own else Status(task.cell, "kept", "another process has run it meanwhile")

    def starts(self, task: Task) -> int:
        """How often this run of the suite has started a cell without coming to its end."""
        try:
            said = read_mapping(marker(task.cell, self.out), "life", "starts")
        except (OSError, DamagedFileError):
            return 0
        return int(said["starts"]) if said["life"] == self.life else 0

    def quarantine(self, task: Task, died: str = "") -> Status:
        """Write down that a cell kills its worker, and what the engine says of it."""
        count = self.starts(task)
        reason = f"its worker died in each of {count} starts: killed, out of memory, or a crash in compiled code"
        reason += f" ({died})" if died else ""
        folder = cell_folder(task.cell, self.out)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(
            folder / "record.json",
            {"status": "crashed", "reason": reason, "machine": self._machine(device_of(task.cell, self.devices))},
        )
        marker(task.cell, self.out).unlink(missing_ok=True)
        return Status(task.cell, "crashed", reason)

    # ------------------------------------------------------------------------------------------ the search
    def _start(self, task: Task, pressed: Callable[[], bool]) -> Status:
        """One start of a cell, under its lock."""
        starts, place = self.starts(task), marker(task.cell, self.out)
        if starts >= MOST_STARTS:
            return self.quarantine(task)
        folder = cell_folder(task.cell, self.out)
        if record_time(folder) is not None:
            clear(task, folder)
        about = {"label": task.cell.label, "host": socket.gethostname(), "pid": os.getpid(), "since": time.time()}
        write_json(place, {**about, "life": self.life, "starts": starts + 1})
        try:
            with self.slots.held(task.gpu):
                return self.run(task.cell, folder, pressed)
        finally:
            place.unlink(missing_ok=True)

    def run(self, cell: Cell, folder: Path, pressed: Callable[[], bool]) -> Status:
        """Search and store; a cell that fails is stored with its traceback.

        Where a checkpoint cannot be read, the folder is set aside and the cell run from its start. An error after
        Ctrl-C (`pressed`) is no failure: libraries that are interrupted in an import turn that into one of their own.

        Raises:
            OSError: Not even the failure could be written down.
        """
        said = ""
        try:
            try:
                result = search(cell, folder, device_of(cell, self.devices), self.timeout)
            except DamagedFileError as error:
                said = f"run from its start, since {error.what} (set aside as {set_aside(folder)})"
                result = search(cell, folder, device_of(cell, self.devices), self.timeout)
            if result.record["ended"].startswith("interrupted"):
                return Status(cell, "interrupted", GO_ON)
            if result.record["ended"] == STOPPED:
                return self._timed_out(cell, folder, result.record)
            machine = self._machine(result.config["device"])
            replace(result, record={**result.record, "machine": machine}).save(folder)
            shutil.rmtree(folder / "checkpoint", ignore_errors=True)  # a finished cell needs none
        except Exception as error:
            if isinstance(error.__cause__, Timeout):  # of the checkpoint's lock
                return Status(cell, "busy", str(error))
            if pressed():
                return Status(cell, "interrupted", GO_ON)
            return self._unfinished(cell, folder, "failed", f"{type(error).__name__}: {error}", traceback=_trace())
        return Status(cell, "done", said)

    def _timed_out(self, cell: Cell, folder: Path, record: Mapping[str, Any]) -> Status:
        reason = (
            f"stopped after {record['wall_seconds']:.1f} s, being given {self.timeout:g} s: {record['used']:,} of "
            f"{cell.budget:,} are spent. The same command with a longer --timeout goes on from there"
        )
        return self._unfinished(cell, folder, "timed out", reason, timeout=self.timeout, used=record["used"])

    def _unfinished(self, cell: Cell, folder: Path, state: str, reason: str, **further: Any) -> Status:
        """Write down why a cell has no result."""
        folder.mkdir(parents=True, exist_ok=True)
        record = {"status": state, "reason": reason, **further, "machine": self._machine(device_of(cell, self.devices))}
        write_json(folder / "record.json", record)
        return Status(cell, state, reason)

    def _machine(self, device: str) -> dict[str, Any]:
        return {**this_machine(device), "git": self.git, "run": self.life}


def _trace() -> str:
    return traceback.format_exc()


def search(cell: Cell, folder: Path, device: str, timeout: float | None) -> SearchResult:
    """One search; it goes on from the folder's checkpoint and stops after the step in which its time is up."""
    name, options, preferences = method_of(cell)
    problem: Any = cell.problem
    point = None
    if not isinstance(problem, str):  # a function
        problem, point = problem.problem(), list(problem.reference_point) or None
    return pareto_search(
        problem,
        name,
        budget=cell.budget,
        reference_point=point,
        seed=cell.seed,
        device=device,
        options=options,
        preferences=preferences,
        checkpoint=folder,
        progress=False,
        callback=None if timeout is None else lambda result: result.record["wall_seconds"] > timeout,
    )
