"""The command line: the only place that wires everything. Heavy things load inside each command."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="moo",
    help="Multi-objective optimization: searches, suites, reports and plots.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


class Listing(StrEnum):
    """What `moo list` can list."""

    problems = "problems"
    methods = "methods"
    tuners = "tuners"
    indicators = "indicators"
    plots = "plots"


def registries() -> dict[str, dict[str, str]]:
    """Every registry by what it lists: names to `module:attribute`."""
    from moo.generators import GENERATORS
    from moo.indicators import INDICATORS
    from moo.plots import PLOTS
    from moo.problems import PROBLEMS
    from moo.tuners import TUNERS

    return {
        "problems": PROBLEMS,
        "methods": GENERATORS,
        "tuners": TUNERS,
        "indicators": {name: indicator.function for name, indicator in INDICATORS.items()},
        "plots": PLOTS,
    }


def fail(error: Exception) -> typer.Exit:
    """Say what is wrong in one line, without a traceback."""
    typer.secho(f"Error: {error}", fg="red", err=True)
    return typer.Exit(2 if isinstance(error, ValueError | TypeError) else 1)


@app.command("list")
def list_(
    what: Annotated[Listing | None, typer.Argument(help="One of them; all where it is left out.")] = None,
) -> None:
    """List what there is, with one line each.

    Example: `moo list problems`
    """
    from rich.console import Console
    from rich.table import Table

    from moo.registry import summary

    console = Console()
    for title, registry in registries().items():
        if what not in (None, title):
            continue
        table = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 2, 0, 0))
        for name, target in registry.items():
            table.add_row(name, summary(target))
        console.print(table)


def parse_hyperparameters(pairs: list[str]) -> dict[str, Any]:
    """Read `-H key=value` options, each of which may hold several, separated by commas."""
    from moo.registry import parse_options

    return parse_options(",".join(pairs))


def parse_numbers(text: str, name: str) -> list[float]:
    """Read numbers separated by commas."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"`{name}` should be numbers separated by commas. Found {text!r}.") from None


def parse_preferences(text: str) -> Any:
    """A tuner's name with options, or preferences: rows separated by semicolons, numbers by commas."""
    if text[:1].isdigit() or text[:1] == ".":
        return [parse_numbers(row, "--preferences") for row in text.split(";")]
    return text


def run_name(config: Any) -> str:
    """A readable prefix and a short hash of all that makes a run what it is."""
    import hashlib
    import json
    import re

    identity = {key: value for key, value in config.items() if key not in ("versions", "choice", "device")}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    readable = f"{config['problem']}-{config['method']}-{config['seed']}"
    return f"{re.sub(r'[^A-Za-z0-9.+=_-]+', '_', readable)[:80]}-{digest}"


@app.command()
def search(
    problem: Annotated[str, typer.Argument(help="A registered problem, with options: dtlz2:dim=6,num_objectives=3")],
    method: Annotated[str, typer.Option("--method", "-m", help="A method, or auto.")] = "auto",
    budget: Annotated[int, typer.Option("--budget", "-b", help="What may be spent, in the problem's unit.")] = 10_000,
    seed: Annotated[int, typer.Option("--seed", "-s", help="Of everything random.")] = 0,
    preferences: Annotated[
        str, typer.Option("--preferences", help="A tuner (dirichlet:alpha=0.5), or rows: '0.2,0.8;0.5,0.5'.")
    ] = "auto",
    hyperparameter: Annotated[
        list[str] | None, typer.Option("--hyperparameter", "-H", help="An option of the method: key=value.")
    ] = None,
    reference_point: Annotated[
        str, typer.Option("--reference-point", help="For the hypervolume: 1.1,1.1 (in the problem's directions).")
    ] = "",
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, ...")] = "auto",
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="A folder to go on from; may be the one of --out.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where the result goes. Default: runs/NAME.")] = None,
) -> None:
    """Search for the Pareto front of one problem, and save and draw what was found.

    Example: `moo search zdt1 -m nsga2 --budget 5000 --seed 1`
    """
    from moo.search import pareto_search

    try:
        result = pareto_search(
            problem,
            method,
            budget=budget,
            seed=seed,
            preferences=parse_preferences(preferences),
            options=parse_hyperparameters(hyperparameter or []),
            reference_point=parse_numbers(reference_point, "--reference-point") if reference_point else None,
            device=device,
            checkpoint=checkpoint,
        )
        folder = result.save(out or Path("runs") / run_name(result.config))
        figure = folder / "front.pdf"
        result.plot(figure, reference_front=reference_front(problem))
    except (ValueError, TypeError, RuntimeError, OSError, ImportError) as error:
        raise fail(error) from None
    report(result, folder, figure)


def reference_front(problem: str) -> Any:
    """The known front of a registered problem, or None."""
    from moo.problems import get_problem

    return get_problem(problem).reference_front


def report(result: Any, folder: Path, figure: Path) -> None:
    """Say what was found, where it lies, and what to type next."""
    from rich.console import Console
    from rich.table import Table

    record, config = result.record, result.config
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("problem", f"{config['problem']} ({', '.join(config['directions'])})")
    table.add_row("method", f"{config['method']}, seed {config['seed']}")
    table.add_row("used", f"{record['used']:,} {config['unit']}: {record['ended']}")
    if result.feasible:
        table.add_row("front", f"{record['front_size']} points")
        point = ", ".join(f"{value:.4g}" for value in record["reference_point"])
        table.add_row("hypervolume", f"{record['hypervolume']:.6g} (reference point {point})")
    else:
        table.add_row("front", "nothing feasible was found; the rows that violate least are kept")
    if record["failures"]:
        table.add_row("failed", f"{record['failures']:,} evaluations: see {folder / 'failures.csv'}")
    table.add_row("time", f"{record['wall_seconds']:.1f} s")
    table.add_row("data", str(folder))
    table.add_row("plot", str(figure))
    console = Console()
    console.print(table, soft_wrap=True)
    console.print(
        f'Next: python -c "import moo; print(moo.load_result({str(folder)!r}).to_dataframe())"', soft_wrap=True
    )


if __name__ == "__main__":
    app()
