"""`moo import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moo.cli.bench import read_seeds
from moo.cli.reading import WHOLE, parse_numbers
from moo.cli.speaking import plain_errors, tell


def command(
    files: Annotated[list[Path], typer.Argument(help="CSV with a header, npz, or folders of COCO.")],
    problem: Annotated[
        str | None, typer.Option("-p", "--problem", help="Which, where the files do not say: known, or any other name.")
    ] = None,
    method: Annotated[str | None, typer.Option("-m", "--method", help="What it is called in tables.")] = None,
    seed: Annotated[str | None, typer.Option("-s", "--seed", help="Of all files, or one for each: 0-9 or 3,5.")] = None,
    budget: Annotated[
        int | None,
        typer.Option("-b", "--budget", help="What each run has spent. Default: its last evaluation.", **WHOLE),
    ] = None,
    into: Annotated[Path, typer.Option("--into", help="A suite's folder, or one for imports.")] = Path("runs/imported"),
    directions: Annotated[str, typer.Option("--directions", help="Of a problem not known here: min,max.")] = "",
    objectives: Annotated[str, typer.Option("--objectives", help="Names of its objectives: cost,weight.")] = "",
    reference_point: Annotated[str, typer.Option("--reference-point", help="For its hypervolume: 1.1,1.1.")] = "",
    minimised: Annotated[
        bool, typer.Option("--minimised", help="All objectives stand there minimised, as pymoo has them.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Compute values again from the solutions, where both are known.")
    ] = True,
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="How far they may be apart, relative to one plus the value.")
    ] = 1e-6,
    force: Annotated[bool, typer.Option("--force", help="Replace cells that are there.")] = False,
) -> None:
    """Take results of other programs into a folder, where reports and plots show them beside our own.

    Example: `moo import front.csv -p zdt1 -m jmetal-nsga2 -s 0 -b 25000 --into runs/zdt`
    """
    from moo.benchmarks.foreign.admission import import_files

    with plain_errors():
        said = read_seeds(seed)
        stored = import_files(
            files,
            into,
            problem=problem,
            method=method,
            seeds=said,
            budget=budget,
            directions=words(directions),
            objectives=words(objectives),
            reference_point=parse_numbers(reference_point, "--reference-point") if reference_point else None,
            minimised=minimised,
            check=check,
            tolerance=tolerance,
            force=force,
            say=tell,
        )
    typer.echo(f"Imported {len(stored)} run{'s' * (len(stored) != 1)}. Next: moo report {into}")


def words(text: str) -> list[str]:
    """Words separated by commas; none of an empty text."""
    return [word.strip() for word in text.split(",")] if text else []
