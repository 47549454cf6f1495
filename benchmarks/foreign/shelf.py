"""Where imported cells lie: `imported/` in a suite's folder, or in one of their own; a directory each, as any cell.

A cell appears there whole, by a rename, so that a directory listing is all that there is to know. `.lock` is held while
cells are put there; a name with a dot in front is not, or no longer, a cell.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from filelock import FileLock

from moo.result import SearchResult
from moo.storage import folder_name

IMPORTED = "imported"
WAIT = 60.0  # seconds for another process that puts cells there
OLD = ".old-"  # before the name of a cell that is being replaced


def shelved(folder: Path) -> list[Path]:
    """The imported cells of a folder, by name."""
    place = folder / IMPORTED
    if not place.is_dir():
        return []
    return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))


def check_place(into: Path) -> None:
    """Raise where a folder is not the place for imported cells.

    Raises:
        ValueError: It is a file, or holds something else than a suite or imported cells.
    """
    if into.exists() and not into.is_dir():
        raise ValueError(f"`into` should be a folder. {into} is a file.")
    if not into.exists() or (into / "suite.json").exists() or (into / IMPORTED).is_dir():
        return
    if any(into.iterdir()):
        raise ValueError(
            f"{into} holds something else than a suite or imported results. Choose the folder of a suite, or a new one."
        )


def put(results: Sequence[SearchResult], into: Path, *, force: bool) -> list[Path]:
    """Store imported results as cells: all of them, or none.

    Args:
        results: With `imported` in their configuration.
        into: A suite's folder, or one for imported cells alone; made where it is not there.
        force: Replace cells that are there.

    Returns:
        Where each lies.

    Raises:
        OSError: Something could not be written; nothing has changed then.
        ValueError: A cell is there already, or two of the results are the same cell.
    """
    place = into / IMPORTED
    names = [cell_name(result.config) for result in results]
    _check_different(results, names)
    place.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=place))
    try:
        for result, name in zip(results, names, strict=True):
            result.save(temporary / name)
        with FileLock(place / ".lock", timeout=WAIT):
            _recover(place)
            _refuse_there(results, place, names, force=force)
            for name in names:
                _move(temporary / name, place / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return [place / name for name in names]


def cell_name(config: Mapping[str, object]) -> str:
    """The name of an imported cell's folder: its problem, method, seed and budget are what it is."""
    identity = {key: config[key] for key in ("problem", "method", "seed", "budget")}
    return folder_name(str(config["problem"]), str(config["method"]), int(str(config["seed"])), identity)


def label(config: Mapping[str, object]) -> str:
    """A cell as people read it."""
    return f"{config['problem']} {config['method']} seed {config['seed']} (budget {config['budget']})"


def _check_different(results: Sequence[SearchResult], names: Sequence[str]) -> None:
    first: dict[str, SearchResult] = {}
    for result, name in zip(results, names, strict=True):
        if name in first:
            files = " and ".join(str(one.record["imported_from"]["file"]) for one in (first[name], result))
            raise ValueError(
                f"Two runs are the same cell, {label(result.config)}: {files}. Give each a seed of its own, as in "
                "--seed 0-9, or a column `seed`."
            )
        first[name] = result


def _refuse_there(results: Sequence[SearchResult], place: Path, names: Sequence[str], *, force: bool) -> None:
    there = [label(one.config) for one, name in zip(results, names, strict=True) if (place / name).exists()]
    if there and not force:
        more = f" and {len(there) - 3} more" if len(there) > 3 else ""
        raise ValueError(
            f"{place} holds {', '.join(there[:3])}{more} already; nothing was imported. --force replaces what is there."
        )


def _move(new: Path, cell: Path) -> None:
    """Put a cell where it belongs, in place of an older one."""
    old = cell.with_name(OLD + cell.name)
    with contextlib.suppress(FileNotFoundError):
        cell.rename(old)
    new.rename(cell)
    shutil.rmtree(old, ignore_errors=True)


def _recover(place: Path) -> None:
    """Finish what a kill cut short: an older cell comes back where its successor did not arrive."""
    for old in _olds(place):
        cell = place / old.name.removeprefix(OLD)
        if cell.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(cell)


def _olds(place: Path) -> Iterator[Path]:
    yield from [path for path in place.iterdir() if path.name.startswith(OLD)]
