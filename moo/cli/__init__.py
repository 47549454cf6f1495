"""The command line: the only place that wires everything. One command, one file; heavy things load inside each."""

from __future__ import annotations

from typing import Annotated

import typer

from moo.cli import bench, explore, import_, listing, plot, report, reproduce, search, tune
from moo.cli.speaking import plain_warnings

app = typer.Typer(
    name="moo",
    help="Multi-objective optimization: searches, suites, reports and plots.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for name, module in {
    "list": listing,
    "search": search,
    "bench": bench,
    "import": import_,
    "tune": tune,
    "report": report,
    "plot": plot,
    "explore": explore,
    "reproduce": reproduce,
}.items():
    app.command(name)(module.command)


def show_version(wanted: bool) -> None:
    """Print the installed version and end."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"moo {version('moo-suite')}")
        raise typer.Exit


@app.callback()
def prepare(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Show warnings in one line each while a command runs."""
    context.with_resource(plain_warnings())
