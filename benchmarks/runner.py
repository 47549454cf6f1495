"""Running a suite: one directory per cell is the truth, so that running again is going on."""

from __future__ import annotations

import contextlib
import csv
import shutil
import signal
import socket
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import Timeout

from moo.adapters.encodings import misfit
from moo.benchmarks.suites import Cell, Suite, cells, find_suite, parse_method
from moo.checks import check_count
from moo.choosing import find_problem, make_tuner
from moo.generators import GENERATORS
from moo.options import resolve_options
from moo.registry import resolve
from moo.result import SearchResult
from moo.search import load_result, pareto_search
from moo.storage import DamagedFileError, folder_name, read_mapping, read_state, write_json

FILES = (  # of a finished cell, beside record.json
    "cell.json",
    *(f"{name}.npz" for name in ("front", "finals", "additions", "failures", "least_violating")),
    *(f"{name}.csv" for name in ("front", "failures", "history")),
    *(f"state/{name}" for name in ("tree.json", "arrays.npz", "tensors.safetensors")),
)
DAMAGED = "damaged-"  # before the name of a folder that was set aside
GO_ON = "run the same command to go on"


@dataclass(frozen=True)
class Status:
    """How a cell stands.

    Attributes:
        cell: Which one.
        state: `"done"` (now), `"kept"` (it was on disk), `"failed"`, `"interrupted"`, `"not applicable"`, or `"busy"`:
            another process runs it.
        reason: Why it stands so, where there is something to say.
    """

    cell: Cell
    state: str
    reason: str = ""


def cell_folder(cell: Cell, out: Path) -> Path:
    """Where a cell lies."""
    return out / folder_name(str(cell.problem), cell.method, cell.seed, cell.to_json())


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
    kind = resolve(GENERATORS, name, "method")
    resolve_options(kind.options, options, f"method {name!r}")
    why_not = misfit(problem, kind)
    if not why_not:
        make_tuner(preferences, problem, name, budget=cell.budget, seed=cell.seed)  # for its checks
    return why_not


def run_cell(cell: Cell, out: Path, pressed: Callable[[], bool] = lambda: False) -> Status:
    """Run one cell and store it; a cell that fails is stored with its traceback, and nothing is raised.

    Where a checkpoint cannot be read, the folder is set aside and the cell run from its start. An error after Ctrl-C
    (`pressed`) is no failure: libraries that are interrupted in an import turn that into errors of their own.

    Raises:
        OSError: Not even the failure could be written down.
    """
    folder = cell_folder(cell, out)
    said = ""
    try:
        try:
            result = _search(cell, folder)
        except DamagedFileError as error:
            said = f"run from its start, since {error} (set aside as {_set_aside(folder).name})"
            result = _search(cell, folder)
        if result.record["ended"].startswith("interrupted"):
            return Status(cell, "interrupted", GO_ON)
        result.save(folder)
        shutil.rmtree(folder / "checkpoint", ignore_errors=True)  # a finished cell needs none
    except Exception as error:
        if isinstance(error.__cause__, Timeout):  # of the checkpoint's lock
            return Status(cell, "busy", str(error))
        if pressed():
            return Status(cell, "interrupted", GO_ON)
        reason = f"{type(error).__name__}: {error}"
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "record.json", {"status": "failed", "reason": reason, "traceback": traceback.format_exc()})
        return Status(cell, "failed", reason)
    return Status(cell, "done", said)


def _search(cell: Cell, folder: Path) -> SearchResult:
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
        options=options,
        preferences=preferences,
        checkpoint=folder,
        progress=False,
    )


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of a cell that has finished or failed; None of one that has done neither.

    Raises:
        DamagedFileError: It, or the configuration beside it, cannot be read.
    """
    if not (folder / "record.json").exists():
        return None
    record = read_mapping(folder / "record.json", "status")
    if record["status"] == "failed":
        return read_mapping(folder / "record.json", "status", "reason")
    read_mapping(folder / "cell.json", "format", "problem", "method", "seed", "budget")
    return read_mapping(folder / "record.json", "status", "format", "used", "ended", "front_size")


def stored(cell: Cell, out: Path) -> Status | None:
    """How a cell stands on disk; None where it has to be run.

    Raises:
        DamagedFileError: One of its files is missing or cannot be read.
    """
    folder = cell_folder(cell, out)
    record = read_record(folder)
    if record is None:
        return None
    if record["status"] == "failed":
        return Status(cell, "failed", f"{record['reason']} (see {folder / 'record.json'})")
    _check_whole(folder)
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)  # a kill came before this was cleared up
    return Status(cell, "kept")


def _check_whole(folder: Path) -> None:
    """Read back every file of a finished cell.

    Raises:
        DamagedFileError: One is missing or cannot be read.
    """
    for name in FILES:
        if not (folder / name).exists():
            raise DamagedFileError.of(folder / name, FileNotFoundError("it is missing"))
    result = load_result(folder)
    read_state(folder / "state")
    rows = {"front": len(result.front), "failures": len(result.failures), "history": len(result.history)}
    for name, count in rows.items():
        _check_csv(folder / f"{name}.csv", count)


def _check_csv(path: Path, rows: int) -> None:
    """Raise DamagedFileError unless a CSV file holds a header and so many rows, the last line ended."""
    try:
        text = path.read_bytes().decode(errors="surrogateescape")
        header, *body = csv.reader(text.splitlines(keepends=True))
        if len(body) != rows or any(len(row) != len(header) for row in body) or not text.endswith("\n"):
            raise ValueError(f"it should hold {rows} whole rows")
    except (ValueError, csv.Error) as error:
        raise DamagedFileError.of(path, error) from error


def run(
    suite: str | Suite,
    out: str | Path,
    *,
    workers: int = 1,
    retry_failed: bool = False,
    say: Callable[[str], object] = lambda _: None,
) -> list[Status]:
    """Run the cells of a suite that are not on disk yet.

    Args:
        suite: A name, the path of a YAML file, or a suite.
        out: Where the cells' directories lie.
        workers: Processes.
        retry_failed: Run cells again that failed before.
        say: Called with a line for people.

    Returns:
        How every cell stands, in the suite's order; after Ctrl-C those that were not reached are left out.

    Raises:
        FileNotFoundError: The file of a function is not there.
        TypeError, ValueError: The suite names something unknown, or `out` holds something else.
    """
    found = find_suite(suite)
    out = Path(out)
    check_count("workers", workers)
    plan = cells(found)
    refused = {cell: Status(cell, "not applicable", why) for cell in plan if (why := applicable(cell))}
    for problem in found.problems:
        if not isinstance(problem, str):
            problem.problem()  # its function can be loaded: else nothing is written
    _claim(out, found, refused.values())
    statuses = dict(refused)
    for cell in plan:
        if cell not in statuses and (status := on_disk(cell, out, retry_failed, say)) is not None:
            statuses[cell] = status
    todo = [cell for cell in plan if cell not in statuses]
    say(
        f"{len(plan)} cells: {len(todo)} to run, {len(plan) - len(todo) - len(refused)} on disk, "
        f"{len(refused)} not applicable"
    )
    for label, why in _by_combination(refused.values()).items():
        say(f"not applicable: {label}: {why}")
    statuses.update(run_cells(todo, out, workers, say))
    return [statuses[cell] for cell in plan if cell in statuses]


def run_cells(todo: Sequence[Cell], out: Path, workers: int, say: Callable[[str], object]) -> dict[Cell, Status]:
    """Run cells and say how each ended, until Ctrl-C, which ends in the cell where one has to go on."""
    statuses: dict[Cell, Status] = {}
    stopped = False
    try:
        with _listening() as pressed:
            for number, status in enumerate(_execute(todo, out, workers, pressed), start=1):
                stopped = status.state == "interrupted" or pressed()
                if status.state != "interrupted":
                    statuses[status.cell] = status
                    reason = status.reason and f": {status.reason}"
                    say(f"[{number}/{len(todo)}] {status.state}: {status.cell.label}{reason}")
                if stopped:
                    break
    except KeyboardInterrupt:  # between two searches, a second one, or with several processes
        stopped = True
    left = [cell for cell in todo if cell not in statuses]
    if stopped and left:
        statuses[left[0]] = Status(left[0], "interrupted", GO_ON)
        say(f"interrupted in {left[0].label}: {GO_ON}")
    return statuses


@contextlib.contextmanager
def _listening() -> Iterator[Callable[[], bool]]:
    """Tell whether Ctrl-C has been pressed since, whoever handled it: a search in its last step ends as planned."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # signals reach the main thread alone
        return
    ear, mouth = socket.socketpair()
    with ear, mouth:
        ear.setblocking(False)
        mouth.setblocking(False)
        before = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)

        heard: set[int] = set()

        def pressed() -> bool:
            with contextlib.suppress(BlockingIOError):
                heard.update(ear.recv(4096))
            return signal.SIGINT in heard

        try:
            yield pressed
        finally:
            signal.set_wakeup_fd(before)


def _by_combination(refused: Iterable[Status]) -> dict[str, str]:
    """Why what does not apply does not, by problem and method: it is the same for all seeds."""
    return {f"{status.cell.problem} {status.cell.method}": status.reason for status in refused}


def _claim(out: Path, suite: Suite, refused: Iterable[Status]) -> None:
    """Mark `out` as a suite's folder: with what is to be run in it now, beside what was before.

    Raises:
        DamagedFileError: The mark cannot be read.
        ValueError: It is a file, or holds something that is no suite, another suite, or another problem of some name.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"`out` should be a folder. {out} is a file.")
    mark = out / "suite.json"
    if not mark.exists() and out.exists() and _alien(out, suite):
        raise ValueError(f"{out} holds something else than a suite. Choose another folder, or empty it.")
    out.mkdir(parents=True, exist_ok=True)
    plans = read_plans(out) if mark.exists() else []
    for plan in plans:
        _refuse_another(plan, suite, out)
    before = read_mapping(mark).get("not applicable", {}) if plans else {}
    joined = [plan.to_json() for plan in _joined(plans, suite)]
    refusals = {**before, **_by_combination(refused)}
    write_json(mark, {"name": suite.name, "plans": joined, "not applicable": refusals})


def _refuse_another(plan: Suite, suite: Suite, out: Path) -> None:
    """Raise where a folder with the cells of a plan is not the place for those of a suite.

    Raises:
        ValueError: The suite has another name, or one of its problems means something else there.
    """
    if plan.name != suite.name:
        raise ValueError(f"{out} holds the suite {plan.name!r}, not {suite.name!r}. Choose another folder with --out.")
    there = {str(problem): problem for problem in plan.problems}
    for problem in suite.problems:
        if there.get(str(problem), problem) != problem:
            raise ValueError(
                f"{out} holds a problem {str(problem)!r} with other bounds, directions or options. "
                "Give this one another `name`, or choose another folder with --out."
            )


def read_plans(out: Path) -> list[Suite]:
    """What was to be run in a suite's folder: one suite, or several of the same name with other lists or budgets.

    Raises:
        DamagedFileError: The mark cannot be read.
    """
    path = out / "suite.json"
    mark = read_mapping(path, "name")
    try:
        plans = mark.get("plans", [mark])  # a single one, in folders of earlier versions
        return [Suite.from_json(mark["name"], plan) for plan in plans]
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError.of(path, error) from error


def _joined(plans: Sequence[Suite], suite: Suite) -> list[Suite]:
    """Plans and another one; of two where one holds all cells of the other, the larger."""
    new = set(cells(suite))
    if any(new <= set(cells(plan)) for plan in plans):
        return list(plans)
    return [*(plan for plan in plans if not set(cells(plan)) <= new), suite]


def _alien(out: Path, suite: Suite) -> bool:
    """Whether a folder without a mark holds anything but a suite's cells, plots and half-written mark."""
    own = {cell_folder(cell, out).name for cell in cells(suite)} | {"plots"}
    return any(
        path.name.removeprefix(DAMAGED) not in own and not path.match(".suite.json.*.tmp") for path in out.iterdir()
    )


def on_disk(cell: Cell, out: Path, retry_failed: bool, say: Callable[[str], object]) -> Status | None:
    """How a cell stands on disk; a damaged one is named and set aside, to be run again."""
    try:
        status = stored(cell, out)
    except DamagedFileError as error:
        say(f"{cell.label} is run again: {error} (set aside as {_set_aside(cell_folder(cell, out)).name})")
        return None
    if status is not None and status.state == "failed" and retry_failed:
        shutil.rmtree(cell_folder(cell, out))
        return None
    return status


def _set_aside(folder: Path) -> Path:
    """Give a damaged cell's folder another name, in place of one that was set aside before."""
    aside = folder.with_name(DAMAGED + folder.name)
    shutil.rmtree(aside, ignore_errors=True)
    return folder.rename(aside)


def _execute(todo: Sequence[Cell], out: Path, workers: int, pressed: Callable[[], bool]) -> Iterator[Status]:
    """Run cells and yield how they ended, as they end."""
    if workers == 1 or len(todo) < 2:
        yield from (run_cell(cell, out, pressed) for cell in todo)
        return
    import joblib

    place = out.absolute()  # joblib's processes serve again, and keep the working directory that they began in
    parallel: Any = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*tasks", UserWarning)  # after Ctrl-C: of the tasks that joblib drops
        yield from parallel(joblib.delayed(_run_in_worker)(cell, place) for cell in todo)


def _run_in_worker(cell: Cell, out: Path) -> Status:
    """Run one cell in a process that hears Ctrl-C itself, as those of a terminal's group do."""
    with _listening() as pressed:
        return run_cell(cell, out, pressed)
