"""The command line: the only place that wires everything. Heavy things load inside each command."""

from __future__ import annotations

from collections.abc import Mapping
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
    suites = "suites"
    tuners = "tuners"
    indicators = "indicators"
    plots = "plots"


def registries() -> dict[str, dict[str, str]]:
    """Every registry by what it lists: names to `module:attribute`, or to what there is to say of them."""
    from moo.benchmarks.suites import SUITES
    from moo.generators import GENERATORS
    from moo.indicators import INDICATORS
    from moo.plots import PLOTS
    from moo.problems import PROBLEMS
    from moo.tuners import TUNERS

    return {
        "problems": PROBLEMS,
        "methods": GENERATORS,
        "suites": {name: str(suite) for name, suite in SUITES.items()},
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
            table.add_row(name, summary(target) if target.startswith("moo.") else target)
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


def default_name(config: Mapping[str, Any]) -> str:
    """Where a search goes under `runs/` when nobody says."""
    from moo.storage import FREE, folder_name

    identity = {key: value for key, value in config.items() if key not in (*FREE, "choice", "device")}
    identity["budget"] = config["budget"]
    return folder_name(config["problem"], config["method"], config["seed"], identity)


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
        folder = result.save(out or Path("runs") / default_name(result.config))
        figure = folder / "front.pdf"
        result.plot(figure, reference_front=known_front(result.config))
    except (ValueError, TypeError, RuntimeError, OSError, ImportError) as error:
        raise fail(error) from None
    report(result, folder, figure)


def known_front(config: Mapping[str, Any]) -> Any:
    """The known front of a run's problem, or None."""
    from moo.problems import get_problem

    return get_problem(config["problem"]).reference_front if config["registered"] else None


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


@app.command()
def bench(
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
    from dataclasses import replace

    from moo.benchmarks import find_suite, run
    from moo.benchmarks.suites import seeds_of

    try:
        chosen = find_suite(suite)
        if seeds is not None:
            chosen = replace(chosen, seeds=seeds_of(seeds))
        chosen = replace(chosen, problems=tuple(problem or chosen.problems), methods=tuple(method or chosen.methods))
        folder = out or Path("runs") / chosen.name
        statuses = run(chosen, folder, workers=workers, retry_failed=retry_failed, say=typer.echo)
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise fail(error) from None
    interrupted = any(status.state == "interrupted" for status in statuses)
    if not interrupted and any(status.state in ("done", "kept") for status in statuses):
        draw_suite(folder)
    failed = [status for status in statuses if status.state == "failed"]
    for status in failed:
        typer.secho(f"failed: {status.cell.label}: {status.reason}", fg="red", err=True)
    if failed or interrupted:
        raise typer.Exit(130 if interrupted else 1)


def draw_suite(folder: Path) -> None:
    """Print the table of a suite, draw a front and a convergence plot per problem, and say what to type next."""
    from moo.benchmarks.reporting import by_problem, load, render
    from moo.plots import plot_convergence, plot_front

    report_ = load(folder)
    typer.echo("\n" + render(report_))
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    for spec, results in by_problem(report_.results).items():
        name = spec.replace(":", "-").replace(",", "-")
        first = [result for result in results if result.config["seed"] == results[0].config["seed"]]
        plot_front(first, plots / f"front-{name}.pdf", reference_front=known_front(first[0].config))
        plot_convergence(results, plots / f"convergence-{name}.pdf")
    typer.echo(f"Plots (PDF): {plots}/   data: {folder}/")
    typer.echo(f"Next: moo report {folder} --format md   or   moo plot front {folder} -o front.svg")


@app.command("report")
def report_command(
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

    try:
        text = render(load(folder), tuple(indicator or DEFAULT_INDICATORS), form=form, times=times)
        if out is None:
            typer.echo(text, nl=False)
        else:
            write_file(out, lambda file: file.write(text.encode()))
    except (ValueError, TypeError, OSError) as error:
        raise fail(error) from None


class Plot(StrEnum):
    """What `moo plot` draws."""

    front = "front"
    convergence = "convergence"


@app.command()
def plot(
    what: Annotated[Plot, typer.Argument(help="front or convergence.")],
    folder: Annotated[Path, typer.Argument(help="A suite's folder or one saved search.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The picture: .pdf, .svg or .png.")],
    problem: Annotated[str, typer.Option("-p", "--problem", help="Which, where the folder holds several.")] = "",
    seed: Annotated[
        int | None, typer.Option("--seed", "-s", help="For fronts: which seed. Default: the first.")
    ] = None,
) -> None:
    """Draw fronts, or hypervolume against cost, of one problem.

    Example: `moo plot front runs/quickstart -p zdt1 -o front.pdf`
    """
    from moo.plots import plot_convergence, plot_front

    try:
        results = results_of(folder, problem)
        if what is Plot.convergence:
            plot_convergence(results, out)
        else:
            wanted = results[0].config["seed"] if seed is None else seed
            chosen = [result for result in results if result.config["seed"] == wanted]
            if not chosen:
                known = sorted({result.config["seed"] for result in results})
                raise ValueError(f"There is no seed {wanted}. Known: {', '.join(map(str, known))}.")
            plot_front(chosen, out, reference_front=known_front(chosen[0].config))
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise fail(error) from None
    typer.echo(str(out))


def results_of(folder: Path, problem: str) -> list[Any]:
    """The finished searches of one problem of a folder; `problem` may be left out where there is one.

    Raises:
        ValueError: It is not there, or several are and none was named.
    """
    from moo.benchmarks.reporting import by_problem, load
    from moo.checks import unknown_name

    groups = by_problem(load(folder).results)
    if not groups:
        raise ValueError(f"{folder} holds no finished search yet.")
    if not problem and len(groups) > 1:
        raise ValueError(f"{folder} holds several problems: {', '.join(groups)}. Choose one with -p.")
    if problem and problem not in groups:
        raise ValueError(unknown_name("problem", problem, groups))
    return groups[problem] if problem else next(iter(groups.values()))


@app.command()
def reproduce(
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
    if quick and out is None:
        folder = Path("runs") / "reproduce-quick"  # a smaller form never stands among the results
    try:
        records = claims.reproduce(name, folder / f"{name}.json", quick=quick, say=typer.echo)
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise fail(error) from None
    typer.echo(f"Written to {folder / f'{name}.json'}")
    raise typer.Exit(claims.exit_code(records))


def results_folder() -> Path:
    """`benchmarks/results` of a checkout, else `runs/results`."""
    import moo.benchmarks

    here = Path(str(moo.benchmarks.__file__)).parent
    checkout = here.name == "benchmarks" and (here.parent / "pyproject.toml").exists()
    return here / "results" if checkout else Path("runs") / "results"


if __name__ == "__main__":
    app()
