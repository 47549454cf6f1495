"""`moo list`."""

from __future__ import annotations

import shutil
import sys
from enum import StrEnum
from typing import Annotated

import typer

from moo.cli.speaking import in_columns


class Listing(StrEnum):
    """What `moo list` can list."""

    problems = "problems"
    methods = "methods"
    peers = "peers"
    suites = "suites"
    tuners = "tuners"
    indicators = "indicators"
    plots = "plots"


def registries() -> dict[str, dict[str, str]]:
    """Every registry by what it lists: names to `module:attribute`, or to what there is to say of them."""
    from moo.benchmarks.peers import PEERS
    from moo.benchmarks.suites import SUITES
    from moo.generators import GENERATORS
    from moo.indicators import INDICATORS
    from moo.plots import PLOTS
    from moo.problems import PROBLEMS
    from moo.tuners import TUNERS

    return {
        "problems": PROBLEMS,
        "methods": GENERATORS,
        "peers": PEERS,
        "suites": {name: str(suite) for name, suite in SUITES.items()},
        "tuners": TUNERS,
        "indicators": {name: indicator.function for name, indicator in INDICATORS.items()},
        "plots": PLOTS,
    }


def command(
    what: Annotated[Listing | None, typer.Argument(help="One of them; all where it is left out.")] = None,
) -> None:
    """List what there is, with one line each.

    Example: `moo list problems`
    """
    from moo.registry import summary

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None  # in a pipe, one line each
    for title, registry in registries().items():
        if what not in (None, title):
            continue
        typer.echo(title)
        rows = [(name, summary(told) if told.startswith("moo.") else told) for name, told in registry.items()]
        for line in in_columns(rows, width):
            typer.echo(line)
