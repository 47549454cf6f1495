"""What a suite's folder is for: `suite.json` holds every plan that was run there, so that no call hides a cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from filelock import FileLock

from moo.benchmarks.foreign.shelf import IMPORTED
from moo.benchmarks.running.on_disk import DAMAGED, RUNNING, Status, cell_folder
from moo.benchmarks.suites import Cell, Suite, cells
from moo.storage import DamagedFileError, read_mapping, write_json

WAIT = 60.0  # seconds for another process that writes its plan


def claim(out: Path, suite: Suite, refused: Iterable[Status]) -> None:
    """Mark `out` as a suite's folder: with what is to be run in it now, beside what was before.

    Raises:
        DamagedFileError: The mark cannot be read.
        ValueError: It is a file, or holds something that is no suite, another suite, or another problem of some name.
    """
    check_place(out, suite)
    (out / RUNNING).mkdir(parents=True, exist_ok=True)
    with FileLock(out / RUNNING / "suite.lock", timeout=WAIT):  # what two processes say at once is joined
        check_place(out, suite)  # once more: another process may have marked it since
        mark = out / "suite.json"
        plans = read_plans(out) if mark.exists() else []
        before = read_mapping(mark).get("not applicable", {}) if plans else {}
        joined = [plan.to_json() for plan in _joined(plans, suite)]
        refusals = {**before, **by_combination(refused)}
        write_json(mark, {"name": suite.name, "plans": joined, "not applicable": refusals})


def check_place(out: Path, suite: Suite) -> None:
    """Raise where a folder is not the place for a suite; nothing is written.

    Raises:
        DamagedFileError: The mark cannot be read.
        ValueError: It is a file, or holds something that is no suite, another suite, or another problem of some name.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"`out` should be a folder. {out} is a file.")
    alien = out.exists() and _alien(out, suite)
    marked = (out / "suite.json").exists()  # looked at last: another process may just have written it
    if alien and not marked:
        raise ValueError(f"{out} holds something else than a suite. Choose another folder, or empty it.")
    for plan in read_plans(out) if marked else ():
        _refuse_another(plan, suite, out)


def by_combination(refused: Iterable[Status]) -> dict[str, str]:
    """Why what does not apply does not, by problem and method: it is the same for all seeds."""
    return {f"{status.cell.problem} {status.cell.method}": status.reason for status in refused}


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
    """Whether a folder without a mark holds anything but a suite's cells, plots, imports and half-written mark."""
    own = {cell_folder(cell, out).name for cell in cells(suite)} | {"plots", RUNNING, IMPORTED}
    return any(
        path.name.removeprefix(DAMAGED) not in own and not path.match(".suite.json.*.tmp") for path in out.iterdir()
    )


def shard_of(plan: Sequence[Cell], shard: str) -> list[Cell]:
    """The cells of one of n shards, dealt out by their place in the plan, whatever is on disk.

    Args:
        plan: All cells.
        shard: `"2/5"`: the second of five.

    Raises:
        ValueError: It is written otherwise, or there is no such shard.
    """
    number, _, count = shard.partition("/")
    try:
        i, n = int(number), int(count)
    except ValueError:
        i, n = 0, 0
    if not 1 <= i <= n:
        raise ValueError(f"`shard` should be i/n with i from 1 to n, as in 2/5. Found {shard!r}.")
    return list(plan[i - 1 :: n])
