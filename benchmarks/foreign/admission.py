"""Admitting results of other programs: files, and what Python holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from moo.benchmarks.foreign.cells import as_result
from moo.benchmarks.foreign.files import all_rows
from moo.benchmarks.foreign.meaning import Meaning, meaning_of
from moo.benchmarks.foreign.objects import array, is_pymoo, rows_of, rows_of_pymoo
from moo.benchmarks.foreign.rows import Rows, Stated
from moo.benchmarks.foreign.runs import read_run
from moo.benchmarks.foreign.shelf import check_place, label, put
from moo.checks import check_count, check_number
from moo.generators import GENERATORS
from moo.result import SearchResult

MOST_SEED = 2**32 - 1


def import_files(
    files: Iterable[str | Path],
    into: str | Path,
    *,
    problem: str | None = None,
    method: str | None = None,
    seeds: int | Sequence[int] | None = None,
    budget: int | None = None,
    directions: Sequence[str] = (),
    objectives: Sequence[str] = (),
    reference_point: Sequence[float] | None = None,
    minimised: bool = False,
    check: bool = True,
    tolerance: float = 1e-6,
    force: bool = False,
    say: Callable[[str], object] = lambda _: None,
) -> list[SearchResult]:
    """Read files of other programs and keep their runs as cells of a folder, all of them or none.

    Args:
        files: CSV with a header, npz, or folders of COCO; see `docs/foreign.md` for their columns and keys.
        into: A suite's folder, or one for imported cells alone, made where it is not there.
        problem: Of all runs, where the files do not say: a registered one, a function of the folder's suite, or any
            other name, with `directions`.
        method: What it is called in tables and plots, whatever the files say: not a name of ours.
        seeds: Of all runs, or one for each file, where the files do not say.
        budget: What each run has spent, where the files do not say; by default the largest of its `evaluations`.
        directions: `"min"` or `"max"` for each objective of a problem that is not known here.
        objectives: Names of its objectives, by default f1, f2, ...
        reference_point: For its hypervolume, `[m]`; by default inferred from all fronts.
        minimised: All objectives stand there minimised, as pymoo has them: those to be maximised are negated.
        check: Compute values again from the solutions, where both are known, and refuse what differs.
        tolerance: How far they may be apart, as a share of one plus the value's size.
        force: Replace cells that are there.
        say: Called with a line for each cell.

    Returns:
        The results as they were stored.

    Raises:
        FileNotFoundError: A file is not there.
        OSError: A cell could not be written.
        TypeError, ValueError: Something is missing, unknown, said twice or wrong; the message says where, and nothing
            was imported.
    """
    paths, listed = [Path(file) for file in files], _seeds(seeds)
    if len(listed) > 1 and len(listed) != len(paths):
        raise ValueError(f"`seeds` should be one, or one for each of {len(paths)} files. Found {len(listed)}.")
    stated = Stated(
        problem,
        method,
        listed,
        budget,
        tuple(directions),
        tuple(objectives),
        None if reference_point is None else tuple(reference_point),
        minimised,
        check,
        check_number("tolerance", tolerance, "a share of one plus the value's size", zero=True),
    )
    pairs = []
    for number, rows in all_rows(paths):
        pairs.append((rows, replace(stated, seeds=listed if len(listed) < 2 else listed[number : number + 1])))
    return _admit(pairs, Path(into), force, say)


def admit(
    result: Any,
    into: str | Path,
    *,
    problem: str,
    method: str,
    seed: int = 0,
    budget: int | None = None,
    solutions: Any = None,
    constraints: Any = None,
    evaluations: Any = None,
    directions: Sequence[str] = (),
    objective_names: Sequence[str] = (),
    reference_point: Sequence[float] | None = None,
    check: bool = True,
    tolerance: float = 1e-6,
    force: bool = False,
) -> SearchResult:
    """Keep a result that Python holds as a cell of a folder: a pymoo `Result`, or the arrays of any other program.

    Of a pymoo `Result` the front `F` and `X` are taken, its count of evaluations and, where it was run with
    `save_history=True`, the best of every generation; all is minimised there, so maximised objectives are turned.
    Trials of Optuna, Ax or BoTorch are arrays: objectives, solutions, and `evaluations=range(1, n + 1)`, their order.

    Args:
        result: A pymoo `Result`, or objectives `[n, m]` in the problem's own directions.
        into: A suite's folder, or one for imported cells alone, made where it is not there.
        problem: A registered one, a function of the folder's suite, or any other name, with `directions`.
        method: What it is called in tables and plots: not a name of ours.
        seed: Of the run.
        budget: What the run has spent; by default what the result says, or the largest of `evaluations`.
        solutions: `[n, d]`, beside objectives.
        constraints: `[n, c]`, feasible where `<= 0`.
        evaluations: What had been spent when each row was found, `[n]`: makes its history known.
        directions, objective_names, reference_point: Of a problem that is not known here.
        check, tolerance, force: As in `import_files`.

    Returns:
        The result as it was stored.

    Raises:
        OSError: It could not be written.
        TypeError, ValueError: As `import_files`.
    """
    stated = Stated(
        problem,
        method,
        _seeds(seed),
        budget,
        tuple(directions),
        tuple(objective_names),
        None if reference_point is None else tuple(reference_point),
        checked=check,
        tolerance=check_number("tolerance", tolerance, "a share of one plus the value's size", zero=True),
    )
    given = {"solutions": solutions, "constraints": constraints, "evaluations": evaluations}
    given = {name: value for name, value in given.items() if value is not None}
    if is_pymoo(result):
        if given:
            raise ValueError(f"`{next(iter(given))}` is for arrays. A pymoo Result knows its own: leave it out.")
        rows, spent = rows_of_pymoo(result)
        stated = replace(stated, minimised=True, budget=spent if budget is None else budget)
    else:
        rows = rows_of(
            "the arrays", {"objectives": array("result", result)} | {k: array(k, v) for k, v in given.items()}
        )
    return _admit([(rows, stated)], Path(into), force, lambda _: None)[0]


# ---------------------------------------------------------------------------------------------- from rows to cells
@dataclass(frozen=True)
class _Said:
    """Of one run: what it is."""

    problem: str
    method: str
    seed: int
    budget: int


def _admit(
    pairs: Sequence[tuple[Rows, Stated]], into: Path, force: bool, say: Callable[[str], object]
) -> list[SearchResult]:
    if not pairs:
        raise ValueError("`files` should name at least one file. Found none.")
    check_place(into)
    meanings: dict[str, Meaning] = {}
    results = []
    for rows, stated in pairs:
        said = _settle(rows, stated)
        if said.problem not in meanings:
            meanings[said.problem] = meaning_of(said.problem, stated, into)
        meaning = meanings[said.problem]
        run = read_run(rows, meaning, stated)
        results.append(as_result(run, rows, meaning, method=said.method, seed=said.seed, budget=said.budget))
    for result, place in zip(results, put(results, into, force=force), strict=True):
        origin, size = result.record["imported_from"], result.record["front_size"]
        say(f"{label(result.config)}: {origin['rows']} rows, {size} in the front; {origin['values']} ({place})")
    return results


def _settle(rows: Rows, stated: Stated) -> _Said:
    """What a run is; problem, seed and budget are said once, by its source or by the caller.

    Raises:
        ValueError: One is missing, said twice, or a method is one of ours.
    """
    problem = _once(rows, "problem", rows.problem, stated.problem)
    method = _check_method(stated.method or _once(rows, "method", rows.method, None))  # COCO's names can be changed
    said = stated.seeds[0] if stated.seeds else None
    seed = check_count("seed", _once(rows, "seed", rows.seed, said), low=0, high=MOST_SEED)
    spent = rows.columns.get("evaluations")
    most = None if spent is None or not len(spent) else float(np.max(spent))
    if rows.budget is not None and stated.budget is not None:
        raise ValueError(
            f"{rows.source} says its `budget`, {rows.budget}, and so do you, {stated.budget}: say it once."
        )
    given = rows.budget if stated.budget is None else stated.budget
    if given is None and most is None:
        raise ValueError(
            f"{rows.source}: what has the run spent? Say `budget`, or have a column `evaluations`: methods are "
            "compared by it."
        )
    budget = check_count("budget", most if given is None else given)
    if most is not None and most > budget:
        raise ValueError(
            f"{rows.source}: `budget` should be at least its largest `evaluations`, {most:g}. Found {budget}."
        )
    return _Said(problem, method, seed, budget)


def _once(rows: Rows, name: str, own: Any, stated: Any) -> Any:
    if own is not None and stated is not None:
        raise ValueError(f"{rows.source} says its `{name}`, {own!r}, and so do you, {stated!r}: say it once.")
    if own is None and stated is None:
        raise ValueError(
            f"{rows.source} does not say its `{name}`, so you have to (--{name}), or a column of that name."
        )
    return stated if own is None else own


def _check_method(name: str) -> str:
    """A name for a foreign method.

    Raises:
        ValueError: It is empty, has a line break, or is one of our methods.
    """
    if not name.strip() or not name.isprintable():
        raise ValueError(f"`method` should be a printable name. Found {name!r}.")
    own = name.partition(":")[0].strip()
    if own in GENERATORS:
        raise ValueError(
            "`method` should not be the name of one of our own methods: two programs under one name would be taken "
            f"for one method. Found {name!r}: call it as in 'pymoo-{own}'."
        )
    return name.strip()


def _seeds(seeds: int | Sequence[int] | None) -> tuple[int, ...]:
    if seeds is None:
        return ()
    listed = seeds if isinstance(seeds, Sequence) else [seeds]
    return tuple(check_count("seed", seed, low=0, high=MOST_SEED) for seed in listed)
