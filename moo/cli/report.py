"""`moo report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moo.cli.reading import parse_numbers
from moo.cli.speaking import plain_errors

ENDINGS = {  # of --out, where no format is given
    "": "table",
    ".txt": "table",
    ".md": "md",
    ".csv": "csv",
    ".tex": "latex",
    ".html": "html",
}


def command(
    folder: Annotated[Path, typer.Argument(help="A suite's folder or one saved search.")],
    form: Annotated[
        str, typer.Option("--format", "-f", help="table, md, csv, latex or html. Default: by the ending of --out.")
    ] = "",
    indicator: Annotated[
        list[str] | None,
        typer.Option(
            "--indicator",
            "-i",
            help="Columns; default hypervolume and igd_plus. area: how soon it is good. policies: the five for these.",
        ),
    ] = None,
    section: Annotated[
        list[str] | None,
        typer.Option("--section", "-s", help="summary (default), ranks, intervals, profile, targets, runs; all."),
    ] = None,
    control: Annotated[
        str, typer.Option("--control", help="A method, or best: the summary says who is + better, - worse than it.")
    ] = "",
    targets: Annotated[
        str,
        typer.Option("--targets", help="Shares of the reference hypervolume. Default: 0.5,0.8,0.9,0.95,0.99."),
    ] = "",
    alpha: Annotated[float, typer.Option("--alpha", help="Significance level of the tests.")] = 0.05,
    nemenyi: Annotated[
        bool, typer.Option("--nemenyi", help="With ranks: by Nemenyi's test, not pairs by signed ranks and Holm.")
    ] = False,
    times: Annotated[bool, typer.Option("--times", help="With runs: the times, which differ between runs.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file instead of the screen.")] = None,
) -> None:
    """Compare methods: medians, ranks and tests of indicators, with the references they were measured against.

    Example: `moo report runs/quickstart --control nsga2`, or `moo report runs/quickstart -s all -o report.html`
    """
    from moo.benchmarks.reports.loading import load_report
    from moo.benchmarks.reports.rendering import render
    from moo.benchmarks.reports.scores import DEFAULT_INDICATORS, spelt_out
    from moo.storage import write_file

    with plain_errors():
        text = render(
            load_report(folder),
            spelt_out(indicator or DEFAULT_INDICATORS),
            form=form or form_by(out),
            sections=section or (),
            control=control,
            targets=parse_numbers(targets, "--targets") if targets else (),
            alpha=alpha,
            how="nemenyi" if nemenyi else "",
            times=times,
        )
        if out is None:
            typer.echo(text, nl=False)
        else:
            write_file(out, lambda file: file.write(text.encode()))


def form_by(out: Path | None) -> str:
    """The format that a file's ending asks for; a table on the screen.

    Raises:
        ValueError: The ending is none of those known.
    """
    ending = "" if out is None else out.suffix.lower()
    if ending not in ENDINGS:
        known = ", ".join(filter(None, ENDINGS))
        raise ValueError(f"`--out` should end in {known}, or `--format` say the format. Found {str(out)!r}.")
    return ENDINGS[ending]
