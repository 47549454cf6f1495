"""`moo tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moo.cli.reading import WHOLE, parse_numbers
from moo.cli.speaking import INTERRUPTED, plain_errors, tell


def command(
    problem: Annotated[str, typer.Argument(help="A registered problem with options, or my_file.py:function.")],
    method: Annotated[str, typer.Option("--method", "-m", help="With the options that are to stay as they are.")],
    budget: Annotated[int, typer.Option("--budget", "-b", help="Of a full trial with one seed.", **WHOLE)],
    trials: Annotated[float, typer.Option("--trials", help="What the search may cost, in full trials.")] = 27,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Default: runs/tune-PROBLEM-METHOD.")] = None,
    workers: Annotated[int, typer.Option("--workers", "-w", help="Processes.")] = 1,
    seed: Annotated[int, typer.Option("--seed", "-s", help="Of the proposals.", **WHOLE)] = 0,
    seeds: Annotated[int, typer.Option("--seeds", help="Of each trial: 0..N-1.")] = 3,
    report_seeds: Annotated[int, typer.Option("--report-seeds", help="Of the report: 1000..1000+N-1.")] = 5,
    vary: Annotated[
        list[str] | None, typer.Option("--vary", help="An option: NAME, NAME=LOW:HIGH or NAME=A+B. Default: the usual.")
    ] = None,
    objective: Annotated[
        list[str] | None, typer.Option("--objective", help="hypervolume, area, seconds or an indicator; several.")
    ] = None,
    rungs: Annotated[int, typer.Option("--rungs", help="How many budgets a trial climbs.")] = 3,
    reduction: Annotated[int, typer.Option("--reduction", help="One in so many climbs on, with as much more.")] = 3,
    reference_point: Annotated[
        str, typer.Option("--reference-point", help="For the hypervolume: 1.1,1.1 (in the problem's directions).")
    ] = "",
    bounds: Annotated[str, typer.Option("--bounds", help="Of a function's columns: 0:1,0:5.")] = "",
    directions: Annotated[str, typer.Option("--directions", help="Of a function's objectives: min,max.")] = "",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed cells again.")] = False,
) -> None:
    """Find a method's best options over whole runs, few of them long. Running it again goes on where it stopped.

    Example: `moo tune zdt1:dim=6 -m nsga2 --budget 900 --trials 6 --vary population=8:100`
    """
    from moo.benchmarks.tuning.study import as_problem, folder_for, render
    from moo.benchmarks.tuning.study import tune as tune_method
    from moo.benchmarks.tuning.varying import parse_vary

    with plain_errors():
        found = tune_method(
            as_problem(problem, bounds=bounds, directions=directions),
            method,
            budget=budget,
            trials=trials,
            out=out or folder_for(problem, method),
            objectives=objective or ("hypervolume", "area"),
            seeds=seeds,
            report_seeds=report_seeds,
            rungs=rungs,
            reduction=reduction,
            vary=parse_vary(vary or []),
            reference_point=parse_numbers(reference_point, "--reference-point") if reference_point else None,
            workers=workers,
            seed=seed,
            retry_failed=retry_failed,
            say=tell,
        )
    if found.interrupted:
        raise typer.Exit(INTERRUPTED)
    typer.echo(render(found, problem, budget))
