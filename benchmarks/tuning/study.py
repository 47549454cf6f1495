"""Tuning: the options of a method over whole runs, for several objectives, with small budgets before large ones."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from moo.benchmarks.running.one_cell import applicable
from moo.benchmarks.suites import Cell, format_method, parse_method, read_problem, seeds_of
from moo.benchmarks.tuning.halving import Rungs
from moo.benchmarks.tuning.measuring import Measures
from moo.benchmarks.tuning.trials import ROUNDING, Asked, Choice, Engine, InterruptedRunError, Trial, Trials
from moo.benchmarks.tuning.varying import Combinations, combinations
from moo.checks import check_count, check_number
from moo.choosing import find_problem
from moo.generators import GENERATORS
from moo.options import resolve_options
from moo.registry import resolve
from moo.storage import read_mapping, write_file, write_json

MARK, LOCK, TRIALS, REPORT = "tuning.json", "tuning.lock", "trials.csv", "report.csv"
REPORT_FROM = 1000  # the first report seed, where their number is given


@dataclass(frozen=True)
class TuningResult:
    """What tuning found.

    Attributes:
        trials: One row for each trial and rung: `trial`, `by`, `rung`, `budget`, `state`, the objectives (mean over the
            search seeds), `reason`, `method`.
        report: One row for each trial that is best with the full budget, the best by the first objective first, and
            one for the defaults: `trial`, `by`, the objectives on the search seeds, `report_NAME` of each (the median
            over the report seeds), `report_worst` (of the first objective), `method`.
        spent: What the search cost, in full trials; the report is paid apart.
        interrupted: Whether Ctrl-C ended it.
        folder: Where all of it lies.
    """

    trials: pd.DataFrame
    report: pd.DataFrame
    spent: float
    interrupted: bool
    folder: Path

    @property
    def best(self) -> str:
        """The method with the options that are best by the first objective, on the search seeds.

        Raises:
            ValueError: Tuning was interrupted before its report.
        """
        if not len(self.report):
            raise ValueError("Tuning was interrupted before its end: make the same call again to go on.")
        return str(self.report["method"].iloc[0])


def tune(
    problem: Any,
    method: str,
    *,
    budget: int,
    out: str | Path,
    trials: float = 27,
    objectives: str | Sequence[str] = ("hypervolume", "area"),
    seeds: int | Sequence[int] = 3,
    report_seeds: int | Sequence[int] = 5,
    rungs: int = 3,
    reduction: int = 3,
    vary: Mapping[str, Any] | Sequence[str] | None = None,
    reference_point: Any = None,
    workers: int = 1,
    seed: int = 0,
    retry_failed: bool = False,
    say: Callable[[str], object] = lambda _: None,
) -> TuningResult:
    """Find the options with which a method does best on a problem, over whole runs: docs/tuning.md.

    The same call with the same folder goes on where it stopped, and so does one with more `trials`.

    Args:
        problem: A registered one with options, or the function of a file: a `CallableSpec` or the mapping of one.
        method: With the options that are to stay as they are.
        budget: Of a full trial with one seed, in the problem's unit.
        out: A folder.
        trials: What the search may cost, in full trials: budgets spent, over `budget` times the number of seeds.
        objectives: What trials are judged by: `"hypervolume"`, `"area"`, `"seconds"`, or indicators.
        seeds: Of each trial; a count N means 0..N-1.
        report_seeds: Of the report, others than `seeds`; a count N means 1000..1000+N-1.
        rungs: How many budgets; with 1, every trial is a full one.
        reduction: How many times as many trials enter a rung as leave it, and as much more budget the next one takes.
        vary: Options with a pair (low, high), a list of choices, or None for what the option declares; names alone;
            None: all options that declare what tuning varies.
        reference_point: `[m]` in the problem's directions; else the problem's own.
        workers: Processes.
        seed: Of the proposals.
        retry_failed: Run cells again that failed before.
        say: Called with a line for people.

    Raises:
        TypeError, ValueError: An argument breaks a rule, or `out` holds something else.
        RuntimeError: Another process tunes in `out`, or all of the first trials fail.
    """
    spec = read_problem(problem)
    found = find_problem(spec if isinstance(spec, str) else spec.problem())
    own_point = None if isinstance(spec, str) else list(spec.reference_point) or None
    searched, fresh = _seeds(seeds, report_seeds)
    asked = Asked(
        problem=spec,
        method=format_method(*parse_method(method)),
        rungs=Rungs(budget, rungs, reduction),
        measures=Measures.of(objectives, found, own_point if reference_point is None else reference_point),
        seeds=searched,
        vary=what_varies(method, vary),
        seed=check_count("seed", seed, low=0, high=2**32 - 1),
    )
    _check_cost(asked, check_number("trials", trials, "in full trials"))
    if why := applicable(Cell(spec, asked.method, 0, budget)):
        raise ValueError(f"Method {asked.method!r} cannot be tuned on {found.name!r}: {why}.")
    engine = Engine(Path(out), check_count("workers", workers), retry_failed, say)
    with _alone(engine.out):
        run = _begin(asked, engine)
        try:
            run.search(trials)
            report = _report(run, engine, fresh)
        except (InterruptedRunError, KeyboardInterrupt):
            say("interrupted: run the same command to go on")
            return TuningResult(trials_table(run), _table([], asked, REPORT), run.spent, True, engine.out)
    return TuningResult(trials_table(run), report, run.spent, False, engine.out)


# --------------------------------------------------------------------------------------------- what was said
def _seeds(search: Any, report: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Search seeds and report seeds.

    Raises:
        TypeError, ValueError: They are no seeds, or one stands in both.
    """
    searched, fresh = seeds_of(search), seeds_of(report)
    if not isinstance(report, list | tuple):
        fresh = tuple(REPORT_FROM + seed for seed in fresh)
    both = sorted(set(searched) & set(fresh))
    if both:
        raise ValueError(f"`report_seeds` should be apart from `seeds`: else luck is reported. In both: {both}.")
    return searched, fresh


def what_varies(method: str, vary: Mapping[str, Any] | Sequence[str] | None = None) -> Combinations:
    """What is varied of a method with the options that stay as they are.

    Raises:
        TypeError, ValueError: The method or an option is unknown or breaks a rule.
    """
    name, fixed = parse_method(method)
    declared = resolve(GENERATORS, name, "method").options
    fixed.pop("preferences", None)
    resolve_options(declared, fixed, f"method {name!r}")
    return combinations(declared, vary, fixed, f"method {name!r}")


def _check_cost(asked: Asked, trials: float) -> None:
    """Raise ValueError where not even one group can be paid."""
    rungs = asked.rungs
    if trials < rungs.group_cost - ROUNDING:
        raise ValueError(
            f"`trials` should be at least {rungs.group_cost:.3g}: what a group of {rungs.sizes[0]} trials costs with "
            f"{rungs.count} rungs. Found {trials:g}: take fewer rungs or more trials."
        )


# --------------------------------------------------------------------------------------------- the folder
@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep a second process out of a folder.

    Raises:
        ValueError: It is a file, or holds something else than a tuning run.
        RuntimeError: Another process tunes in it.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"`out` should be a folder. {out} is a file.")
    if out.exists() and not (out / MARK).exists() and any(_alien(path) for path in out.iterdir()):
        raise ValueError(f"{out} holds something else than a tuning run. Choose another folder, or empty it.")
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RuntimeError(f"Another process tunes in {out}. Wait until it ends, or choose another folder.") from error
    try:
        yield
    finally:
        lock.release()


def _alien(path: Path) -> bool:
    """Whether a file is none that a tuning run leaves where it is killed before its mark is written."""
    return path.name != LOCK and not path.match(f".{MARK}.*.tmp")


def _begin(asked: Asked, engine: Engine) -> Trials:
    """A run in its folder, which is marked with what was asked and with every choice before it is run.

    Raises:
        DamagedFileError: The mark cannot be read.
        ValueError: Something else was asked there before.
    """
    mark, now = engine.out / MARK, asked.to_json()
    groups: list[list[Choice]] = []
    if mark.exists():
        said = read_mapping(mark, "asked", "groups")
        different = [f"{key}: {said['asked'].get(key)!r} there, {now[key]!r} now" for key in now]
        different = [text for key, text in zip(now, different, strict=True) if said["asked"].get(key) != now[key]]
        if different:
            raise ValueError(
                f"{engine.out} holds another tuning run ({'; '.join(different)}). "
                "Choose another folder, or make the same call as before to go on with it."
            )
        groups = [[(by, options) for by, options in group] for group in said["groups"]]

    def note(chosen: list[list[Choice]]) -> None:
        write_json(mark, {"asked": now, "groups": chosen})

    def done(run: Trials) -> None:
        _write(engine.out / TRIALS, trials_table(run))

    if not groups:
        note(groups)
    return Trials(asked, engine, groups, note, done)


# --------------------------------------------------------------------------------------------- tables
def trials_table(run: Trials) -> pd.DataFrame:
    """One row for each trial and rung, by age."""
    rows = []
    for trial in run.trials:
        for rung, values in sorted(trial.values.items()):
            failed = not np.isfinite(values).all()
            row = [trial.number, trial.by, rung + 1, run.asked.rungs.budgets[rung], "failed" if failed else "done"]
            rows.append([*row, *values, trial.reason if failed else "", trial.method])
    return _table(rows, run.asked, TRIALS)


def _report(run: Trials, engine: Engine, seeds: Sequence[int]) -> pd.DataFrame:
    """Run the best trials and the defaults on fresh seeds with the full budget."""
    best, asked = run.best(), run.asked
    chosen: list[Trial] = [*best, *([] if run.trials[0] in best else run.trials[:1])]
    engine.say(f"report: {len(chosen)} method{'s' * (len(chosen) != 1)} on {len(seeds)} fresh seeds")
    cells = [Cell(asked.problem, trial.method, seed, asked.rungs.budget) for trial in chosen for seed in seeds]
    found = [values for values, _ in engine.run(cells, asked.measures)]
    rows, none = [], [float("nan")] * len(asked.measures.names)
    for place, trial in enumerate(chosen):
        runs = np.array(found[place * len(seeds) : (place + 1) * len(seeds)])
        worst = runs[:, 0].max() if asked.measures.smaller_is_better[0] else runs[:, 0].min()
        before = trial.values.get(asked.rungs.count - 1, none)
        rows.append([trial.number, trial.by, *before, *np.median(runs, axis=0).tolist(), float(worst), trial.method])
    report = _table(rows, asked, REPORT)
    _write(engine.out / REPORT, report)
    return report


def _table(rows: list[list[Any]], asked: Asked, which: str) -> pd.DataFrame:
    names = asked.measures.names
    if which == TRIALS:
        return pd.DataFrame(rows, columns=["trial", "by", "rung", "budget", "state", *names, "reason", "method"])
    fresh = [f"report_{name}" for name in names]
    return pd.DataFrame(rows, columns=["trial", "by", *names, *fresh, "report_worst", "method"])


def _write(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV with exact numbers."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.astype(object).itertuples(index=False, name=None))
    write_file(path, lambda file: file.write(text.getvalue().encode(errors="backslashreplace")))


# --------------------------------------------------------------------------------------------- the command line
def as_problem(text: str, **said: str) -> Any:
    """What a person calls a problem: a registered one, or a function of a file with its bounds and directions.

    Raises:
        TypeError, ValueError: It is not written as it should be, or what is for functions was said of another problem.
    """
    from moo.adapters.file_functions import CallableSpec, names_function

    given = {name: value for name, value in said.items() if value}
    if names_function(text):
        return CallableSpec.read({"callable": text, **given}, flag="--")
    for name in given:
        raise ValueError(f"`--{name}` is for functions (my_file.py:function). {text!r} is none: leave it out.")
    return text


def folder_for(problem: str, method: str) -> Path:
    """Where tuning goes when nobody says."""
    return Path("runs") / re.sub(r"[^A-Za-z0-9.+=_-]+", "_", f"tune-{problem}-{method}")


def render(result: TuningResult, problem: str, budget: int) -> str:
    """The report as people read it, and what to type next."""
    table = result.report
    numbers = [name for name in table.columns if name not in ("trial", "by", "method")]
    shown = table.assign(**{name: table[name].map(lambda value: f"{value:.6g}") for name in numbers})
    spent = f"{result.spent:.1f} full trials spent on {result.trials['trial'].nunique()} trials"
    search = f"moo search {shlex.quote(problem)} -m {shlex.quote(result.best)} --budget {budget}"
    return f"{shown.to_string(index=False)}\n{spent}   data: {result.folder}/\nNext: {search}"
