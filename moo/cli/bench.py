"""`moo bench`."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from moo.cli.reading import WHOLE
from moo.cli.speaking import INTERRUPTED, one_line, plain_errors, tell

BAD = ("failed", "crashed", "timed out", "busy")  # of a cell without a result


def command(
    suite: Annotated[str, typer.Argument(help="A suite (see moo list suites) or a YAML file.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The suite's folder. Default: runs/SUITE.")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", "-w", help="Processes. Default: 1; with --backend all there is.")
    ] = None,
    backend: Annotated[
        str, typer.Option("--backend", "-b", help="serial, loky, dask, ray, slurm; options as in dask:address=URL.")
    ] = "auto",
    seeds: Annotated[str | None, typer.Option("--seeds", help="Instead of the suite's: 3, 0-9 or 3,5,8.")] = None,
    problem: Annotated[list[str] | None, typer.Option("-p", "--problem", help="Instead of the suite's.")] = None,
    method: Annotated[list[str] | None, typer.Option("-m", "--method", help="Instead of the suite's.")] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", help="Instead of the suite's, for every method.", **WHOLE)
    ] = None,
    shard: Annotated[str | None, typer.Option("--shard", help="i/n: the i-th of n parts, for a job array.")] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds for each cell; more of them go on from there.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run cells again that failed or crashed.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Run cells again that are done, from their start.")] = False,
    device: Annotated[
        list[str] | None, typer.Option("--device", help="auto, cpu or cuda; of a method: mogfn=cuda.")
    ] = None,
    gpus: Annotated[int | None, typer.Option("--gpus", help="GPUs of this machine to use. Default: all.")] = None,
    per_gpu: Annotated[int, typer.Option("--per-gpu", help="Cells on each GPU at once.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be run, and what that may take.")] = False,
) -> None:
    """Run a suite: problems x methods x seeds. Running it again goes on where it stopped.

    Example: `moo bench quickstart`, or `moo bench zdt --seeds 3 -m nsga2 -m random --budget 2000`
    """
    from moo.benchmarks import find_suite, run
    from moo.benchmarks.suites import narrowed

    with plain_errors():
        lists: dict[str, Any] = {"problems": problem or (), "methods": method or (), "seeds": read_seeds(seeds)}
        chosen = narrowed(find_suite(suite), **lists, budget=budget)
        folder = out or Path("runs") / chosen.name
        conduct: dict[str, Any] = {
            "backend": backend,
            "workers": workers,
            "retry_failed": retry_failed,
            "force": force,
            "timeout": timeout,
            "device": read_devices(device or ()),
            "gpus": gpus,
            "per_gpu": per_gpu,
        }
        if dry_run:
            say_forecast(chosen, folder, conduct, shard)
            return
        statuses = run(chosen, folder, shard=shard, say=tell, live=True, **conduct)
        states = Counter(status.state for status in statuses)
        if not states["interrupted"] and (states["done"] or states["kept"]):
            draw_suite(folder)
    for status in statuses:
        if status.state in BAD:
            tell(f"{status.state}: {status.cell.label}: {one_line(status.reason)}", "red")
    for state in ("failed", "crashed"):
        if states[state]:
            count = f"{states[state]} of {len(statuses)}"
            tell(f"{count} cells {state}. The same command with --retry-failed runs them again.")
    if states["interrupted"]:
        raise typer.Exit(INTERRUPTED)
    if any(states[state] for state in BAD):
        raise typer.Exit(1)


def read_seeds(text: str | None) -> Any:
    """Seeds as `seeds_of` takes them: a count, or the list that `0-9` or `3,5,8-10` stands for.

    Raises:
        ValueError: It is written otherwise.
    """
    if text is None or re.fullmatch(r"-?\d+", text):
        return text if text is None else int(text)
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise ValueError(f"`seeds` should be a count, a range as in 0-9, or a list as in 3,5,8. Found {text!r}.")
        seeds += range(int(match[1]), int(match[2] or match[1]) + 1)
    return seeds


def read_devices(said: Sequence[str]) -> str | dict[str, str]:
    """One device for all cells, or by method's name; where only some are named, the others compute on the CPU.

    Raises:
        ValueError: Two stand there for all.
    """
    devices: dict[str, str] = {}
    for text in said:
        name, _, device = text.rpartition("=")
        if (name or "*") in devices:
            raise ValueError(
                f"`device` should be said once for all methods and once for each. Found {', '.join(said)}."
            )
        devices[name or "*"] = device
    return {"*": "cpu", **devices} if devices else "auto"


def say_forecast(suite: Any, folder: Path, conduct: dict[str, Any], shard: str | None) -> None:
    """Print what would be run."""
    from moo.benchmarks.running.conduct import Conduct
    from moo.benchmarks.running.forecast import forecast, lines

    for line in lines(forecast(suite, folder, Conduct(**conduct), shard), conduct["workers"]):
        typer.echo(line)


def draw_suite(folder: Path) -> None:
    """Print the table of a suite, draw a front and a convergence plot per problem, and say what to type next."""
    from moo.benchmarks.reports.histories import measured_alike
    from moo.benchmarks.reports.loading import by_problem, load_report
    from moo.benchmarks.reports.references import known_front
    from moo.benchmarks.reports.rendering import render
    from moo.plots import plot_convergence, plot_front

    report = load_report(folder)
    tell("")
    typer.echo(render(report))
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    groups = by_problem(report.results)
    for spec, results in groups.items():
        name = re.sub(r"[^A-Za-z0-9.+=_-]+", "-", spec)  # that of a function may hold a path
        first = [result for result in results if result.config["seed"] == results[0].config["seed"]]
        plot_front(first, plots / f"front-{name}.pdf", reference_front=known_front(first[0].config))
        plot_convergence(measured_alike(results), plots / f"convergence-{name}.pdf")
    typer.echo(f"Plots (PDF): {plots}/   data: {folder}/")
    where = shlex.quote(str(folder))
    which = f" -p {shlex.quote(next(iter(groups)))}" if len(groups) > 1 else ""
    typer.echo(f"Next: moo report {where} --format md   or   moo plot front {where}{which} -o front.svg")
