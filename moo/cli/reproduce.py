"""`moo reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moo.cli.speaking import plain_errors


def command(
    name: Annotated[str, typer.Argument(help="Which claims.")] = "foundation",
    quick: Annotated[bool, typer.Option("--quick", help="A smaller form, within two minutes.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A folder. Default: benchmarks/results of a checkout.")
    ] = None,
) -> None:
    """Measure the claims that the project makes about itself. Exit code 0: all met; 2: some are not; 1: an error.

    Example: `moo reproduce foundation --quick`
    """
    from moo.benchmarks import claims

    folder = out or results_folder()
    if quick and folder.resolve() == results_folder().resolve():
        folder = Path("runs") / "reproduce-quick"  # a smaller form never stands among the results
    with plain_errors(bad_input=1):  # 2 says that a claim is not met
        records = claims.reproduce(name, folder / f"{name}.json", quick=quick, say=typer.echo)
    typer.echo(f"Written to {folder / f'{name}.json'}")
    raise typer.Exit(claims.exit_code(records))


def results_folder() -> Path:
    """`benchmarks/results` of a checkout, else `runs/results`."""
    import moo.benchmarks

    here = Path(str(moo.benchmarks.__file__)).parent
    checkout = here.name == "benchmarks" and (here.parent / "pyproject.toml").exists()
    return here / "results" if checkout else Path("runs") / "results"
