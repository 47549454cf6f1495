"""`moo report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moo.cli.speaking import plain_errors


def command(
    folder: Annotated[Path, typer.Argument(help="A suite's folder or one saved search.")],
    form: Annotated[str, typer.Option("--format", "-f", help="table, md or csv (one row per search).")] = "table",
    indicator: Annotated[
        list[str] | None, typer.Option("--indicator", "-i", help="Columns; default hypervolume and igd_plus.")
    ] = None,
    times: Annotated[bool, typer.Option("--times", help="With csv: the times too, which differ between runs.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file instead of the screen.")] = None,
) -> None:
    """Print medians and quartiles of indicators, with the references they were measured against.

    Example: `moo report runs/quickstart --format md -i hypervolume -i r2`
    """
    from moo.benchmarks.reporting import DEFAULT_INDICATORS, load, render
    from moo.storage import write_file

    with plain_errors():
        text = render(load(folder), tuple(indicator or DEFAULT_INDICATORS), form=form, times=times)
        if out is None:
            typer.echo(text, nl=False)
        else:
            write_file(out, lambda file: file.write(text.encode()))
