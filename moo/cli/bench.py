"""`moo bench`."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from moo.cli.speaking import INTERRUPTED, one_line, plain_errors, tell


def command(
    suite: Annotated[str, typer.Argument(help="A suite (see moo list suites) or a YAML file.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The suite's folder. Default: runs/SUITE.")] = None,
    workers: Annotated[int, typer.Option("--workers", "-w", help="Processes.")] = 1,
    seeds: Annotated[int | None, typer.Option("--seeds", help="Seeds 0..N-1 instead of the suite's.")] = None,
    problem: Annotated[list[str] | None, typer.Option("-p", "--problem", help="Instead of the suite's.")] = None,
    method: Annotated[list[str] | None, typer.Option("-m", "--method", help="Instead of the suite's.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed cells again.")] = False,
) -> None:
    """Run a suite: problems x methods x seeds. Running it again goes on where it stopped.

    Example: `moo bench quickstart`, or `moo bench zdt --seeds 3 -m nsga2 -m random`
    """
    from moo.benchmarks import find_suite, run
    from moo.benchmarks.suites import narrowed

    with plain_errors():
        chosen = narrowed(find_suite(suite), problems=problem or (), methods=method or (), seeds=seeds)
        folder = out or Path("runs") / chosen.name
        statuses = run(chosen, folder, workers=workers, retry_failed=retry_failed, say=tell)
        states = Counter(status.state for status in statuses)
        if not states["interrupted"] and (states["done"] or states["kept"]):
            draw_suite(folder)
    for status in statuses:
        if status.state in ("failed", "busy"):
            tell(f"{status.state}: {status.cell.label}: {one_line(status.reason)}", "red")
    if states["failed"]:
        count = f"{states['failed']} of {len(statuses)}"
        tell(f"{count} cells failed. The same command with --retry-failed runs them again.")
    if states["interrupted"]:
        raise typer.Exit(INTERRUPTED)
    if states["failed"] or states["busy"]:
        raise typer.Exit(1)


def draw_suite(folder: Path) -> None:
    """Print the table of a suite, draw a front and a convergence plot per problem, and say what to type next."""
    from moo.benchmarks.reporting import by_problem, known_front, load, measured_alike, render
    from moo.plots import plot_convergence, plot_front

    report_ = load(folder)
    tell("")
    typer.echo(render(report_))
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    groups = by_problem(report_.results)
    for spec, results in groups.items():
        name = re.sub(r"[^A-Za-z0-9.+=_-]+", "-", spec)  # that of a function may hold a path
        first = [result for result in results if result.config["seed"] == results[0].config["seed"]]
        plot_front(first, plots / f"front-{name}.pdf", reference_front=known_front(first[0].config))
        plot_convergence(measured_alike(results), plots / f"convergence-{name}.pdf")
    typer.echo(f"Plots (PDF): {plots}/   data: {folder}/")
    where = shlex.quote(str(folder))
    which = f" -p {shlex.quote(next(iter(groups)))}" if len(groups) > 1 else ""
    typer.echo(f"Next: moo report {where} --format md   or   moo plot front {where}{which} -o front.svg")
