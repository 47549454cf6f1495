"""COCO's experiment with our methods: a suite of bbob-biobj, run under COCO's observer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moo.benchmarks.running.on_disk import cell_folder
from moo.benchmarks.running.one_cell import method_of
from moo.benchmarks.running.plans import claim
from moo.benchmarks.suites import Cell, Suite, cells, find_suite
from moo.problems import get_problem
from moo.problems.bbob_biobj import BBOBBiobj, CocoLog
from moo.search import pareto_search


def coco_experiment(
    suite: str | Suite,
    out: str | Path,
    exdata: str | Path,
    *,
    say: Callable[[str], object] = lambda _: None,
) -> list[Path]:
    """Run the cells of a suite of `bbob-biobj` under COCO's observer, one after the other.

    Beside COCO's folders, whose logs are exact to the evaluation, the cells are stored in a suite's folder as
    `moo bench` would have stored them. A log cannot go on where it stopped, so each cell is run from its start, without
    checkpoints.

    Args:
        suite: A name, the path of a YAML file, or a suite.
        out: The suite's folder; cells that are there are run again and replaced.
        exdata: Where COCO's folders go, one for each method, and for each seed where there are several.
        say: Called with a line for each cell.

    Returns:
        COCO's folders, for `python -m cocopp FOLDER...`.

    Raises:
        FileExistsError: One of COCO's folders is there already.
        ImportError: coco-experiment is not installed.
        KeyboardInterrupt: Ctrl-C; the log of the cell that it came in is of no use.
        ValueError: A problem is not of bbob-biobj, or as `moo.benchmarks.run`.
    """
    found, out = find_suite(suite), Path(out)
    groups = _by_log(found)
    folders = {name: Path(exdata) / name for name in groups}
    for folder in folders.values():
        if folder.exists():
            raise FileExistsError(17, "there is something already: choose another place", str(folder))
    claim(out, found, ())
    for name, members in groups.items():
        log = CocoLog(folders[name], about=members[0].method.replace(":", " "))
        for cell in members:
            _run(cell, log, out)
            say(f"done: {cell.label}")
    return list(folders.values())


def _by_log(suite: Suite) -> dict[str, list[Cell]]:
    """The cells of a suite by the name of their log, in the order of COCO's experiments."""
    groups: dict[str, list[tuple[int, Cell]]] = {}
    for cell in cells(suite):
        problem: Any = get_problem(cell.problem) if isinstance(cell.problem, str) else None
        if not isinstance(problem, BBOBBiobj):
            raise ValueError(f"COCO logs problems of bbob-biobj alone. Found {cell.problem}.")
        name = re.sub(r"[^A-Za-z0-9.+-]+", "-", cell.method).strip("-")  # what COCO, LaTeX and file systems take
        name += f"-seed{cell.seed}" if len(suite.seeds) > 1 else ""
        groups.setdefault(name, []).append((problem.index, cell))
    return {name: [cell for _, cell in sorted(pairs, key=lambda pair: pair[0])] for name, pairs in groups.items()}


def _run(cell: Cell, log: CocoLog, out: Path) -> None:
    name, options, preferences = method_of(cell)
    with log.observe(str(cell.problem)) as problem:
        result = pareto_search(
            problem,
            name,
            budget=cell.budget,
            seed=cell.seed,
            options=options,
            preferences=preferences,
            progress=False,
        )
    if result.record["interrupted"]:
        raise KeyboardInterrupt
    result.save(cell_folder(cell, out))
