"""The command line: the only place that wires everything. Heavy things load inside each command."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import sys
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

INTERRUPTED = 130  # the exit code after Ctrl-C, as shells have it

app = typer.Typer(
    name="moo",
    help="Multi-objective optimization: searches, suites, reports and plots.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


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


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Warnings inside read like the rest of what the command line says, without a line of source."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        tell(f"Warning: {one_line(str(message))}", "yellow")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def plain_errors(bad_input: int = 2) -> Iterator[None]:
    """What goes wrong inside is said in one line, without a traceback; exit code 1, or that of bad input."""
    try:
        yield
    except (ValueError, TypeError, RuntimeError, OSError, ImportError) as error:
        text = str(error)
        if isinstance(error, OSError) and error.filename:
            text = f"{error.filename}: {error.strerror}"  # without [Errno 2]
        tell(f"Error: {one_line(text)}", "red")
        raise typer.Exit(bad_input if isinstance(error, ValueError | TypeError) else 1) from None


def tell(text: str, color: str | None = None) -> None:
    """Say how things go: on standard error, so that standard output holds results alone."""
    typer.secho(text, fg=color, err=True)


def one_line(text: str) -> str:
    """Text of several lines in one."""
    return " ".join(line.strip() for line in text.splitlines())


def in_columns(rows: Iterable[tuple[str, str]], width: int | None = None) -> Iterator[str]:
    """Two columns as lines: one for each row, or folded where a width is given."""
    rows = list(rows)
    indent = max((len(name) for name, _ in rows), default=0) + 2
    for name, text in rows:
        line = f"{name:<{indent}}{text}".rstrip()
        yield line if width is None else textwrap.fill(line, width, subsequent_indent=" " * indent)


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


@app.command("list")
def list_(
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


def parse_method(method: str, pairs: list[str]) -> tuple[str, dict[str, Any]]:
    """A method's name, and its options from `-m METHOD:key=value` and from every `-H key=value`."""
    from moo.registry import parse_options

    name, _, options = method.partition(":")
    return name.strip(), parse_options(",".join([options, *pairs]))


def parse_numbers(text: str, name: str) -> list[float]:
    """Read numbers separated by commas."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"`{name}` should be numbers separated by commas. Found {text!r}.") from None


def parse_preferences(text: str) -> Any:
    """A tuner's name with options, or preferences: rows separated by semicolons, numbers by commas."""
    if text.strip()[:1].isalpha():
        return text.strip()
    return [parse_numbers(row, "--preferences") for row in text.split(";")]


def named_problem(problem: str, **said: Any) -> Any:
    """The function of `my_file.py:function` as a problem of that name; a registered problem's name as it is.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file has no such function, or an argument of functions is missing, wrong or superfluous.
    """
    from moo.adapters.file_functions import CallableSpec, names_function

    if names_function(problem):
        return CallableSpec.read({"callable": problem, **said}, flag="--").problem()
    for name in said:
        raise ValueError(f"`--{name}` is for functions (my_file.py:function). {problem!r} is none: leave it out.")
    return problem


def default_name(config: Mapping[str, Any]) -> str:
    """Where a search goes under `runs/` when nobody says."""
    from moo.storage import FREE, folder_name

    identity = {key: value for key, value in config.items() if key not in (*FREE, "choice", "device")}
    identity["budget"] = config["budget"]
    return folder_name(config["problem"], config["method"], config["seed"], identity)


@app.command()
def search(
    problem: Annotated[
        str, typer.Argument(help="A registered problem (dtlz2:dim=6,num_objectives=3), or my_file.py:function.")
    ],
    method: Annotated[str, typer.Option("--method", "-m", help="A method (nsga2:population=50), or auto.")] = "auto",
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
    bounds: Annotated[str, typer.Option("--bounds", help="Of a function's columns: 0:1,0:5.")] = "",
    directions: Annotated[str, typer.Option("--directions", help="Of a function's objectives: min,max.")] = "",
    workers: Annotated[int, typer.Option("--workers", "-w", help="Processes that share a function's rows.")] = 1,
    archive_capacity: Annotated[
        int, typer.Option("--archive-capacity", help="Most rows that the archive keeps.")
    ] = 10_000,
    archive_bound: Annotated[
        str, typer.Option("--archive-bound", help="Which rows go beyond it: crowding or hypervolume.")
    ] = "crowding",
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, ...")] = "auto",
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="A folder to go on from; may be the one of --out.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where the result goes. Default: runs/NAME.")] = None,
) -> None:
    """Search for the Pareto front of one problem, and save and draw what was found.

    Example: `moo search zdt1 -m nsga2 --budget 5000 --seed 1`, or
    `moo search my_file.py:function --bounds 0:1,0:5 --directions min,max`
    """
    from moo.benchmarks.reporting import known_front
    from moo.choosing import find_problem, set_up
    from moo.search import pareto_search

    with plain_errors():
        name, options = parse_method(method, hyperparameter or [])
        own = {"bounds": bounds, "directions": directions, "workers": workers}
        found = find_problem(named_problem(problem, **{key: said for key, said in own.items() if said not in ("", 1)}))
        arguments: dict[str, Any] = {
            "budget": budget,
            "seed": seed,
            "preferences": parse_preferences(preferences),
            "options": options,
            "reference_point": parse_numbers(reference_point, "--reference-point") if reference_point else None,
            "archive_capacity": archive_capacity,
            "archive_bound": archive_bound,
            "device": device,
        }
        config = set_up(found, name, initial=None, reevaluations=0, **arguments).config
        folder = out or Path("runs") / default_name(config)
        claim(folder, config)
        result = pareto_search(found, name, checkpoint=checkpoint, **arguments)
        result.save(folder)
        figure = folder / "front.pdf"
        result.plot(figure, reference_front=known_front(result.config))
    report(result, folder, figure)
    if result.record["interrupted"]:
        raise typer.Exit(INTERRUPTED)


def claim(folder: Path, config: Mapping[str, Any]) -> None:
    """Make a search's folder before anything is spent.

    Raises:
        ValueError: It is a file, or holds a suite or another run.
        OSError: It cannot be made.
    """
    from moo.storage import refuse_other_run

    if (folder / "suite.json").exists():
        raise ValueError(f"{folder} holds a suite. Choose another folder.")
    refuse_other_run(folder, config)
    folder.mkdir(parents=True, exist_ok=True)


def report(result: Any, folder: Path, figure: Path) -> None:
    """Say what was found, where it lies, and what to type next."""
    record, config = result.record, result.config
    rows = [
        ("problem", f"{config['problem']} ({', '.join(config['directions'])})"),
        ("method", f"{config['method']}, seed {config['seed']}"),
        ("used", f"{record['used']:,} {config['unit']}: {record['ended']}"),
    ]
    if result.feasible:
        point = ", ".join(f"{value:.4g}" for value in record["reference_point"])
        rows += [
            ("front", f"{record['front_size']} points"),
            ("hypervolume", f"{record['hypervolume']:.6g} (reference point {point})"),
        ]
    else:
        rows.append(("front", "nothing feasible was found; the rows that violate least are kept"))
    if record["failures"]:
        rows.append(("failed", f"{record['failures']:,} evaluations: see {folder / 'failures.csv'}"))
    rows += [("time", f"{record['wall_seconds']:.1f} s"), ("data", str(folder)), ("plot", str(figure))]
    for line in in_columns(rows):
        typer.echo(line)
    typer.echo(f'Next: python -c "import moo; print(moo.load_result({str(folder)!r}).to_dataframe())"')


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


@app.command()
def tune(
    problem: Annotated[str, typer.Argument(help="A registered problem with options, or my_file.py:function.")],
    method: Annotated[str, typer.Option("--method", "-m", help="With the options that are to stay as they are.")],
    budget: Annotated[int, typer.Option("--budget", "-b", help="Of a full trial with one seed.")],
    trials: Annotated[float, typer.Option("--trials", help="What the search may cost, in full trials.")] = 27,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Default: runs/tune-PROBLEM-METHOD.")] = None,
    workers: Annotated[int, typer.Option("--workers", "-w", help="Processes.")] = 1,
    seed: Annotated[int, typer.Option("--seed", "-s", help="Of the proposals.")] = 0,
    seeds: Annotated[int, typer.Option("--seeds", help="Of each trial: 0..N-1.")] = 3,
    report_seeds: Annotated[int, typer.Option("--report-seeds", help="Of the report: 1000..1000+N-1.")] = 5,
    vary: Annotated[
        list[str] | None, typer.Option("--vary", help="An option: NAME, NAME=LOW:HIGH or NAME=A+B. Default: the usual.")
    ] = None,
    objective: Annotated[
        list[str] | None, typer.Option("--objective", help="hypervolume, area, seconds or an indicator; several.")
    ] = None,
    rungs: Annotated[int, typer.Option("--rungs", help="How many budgets a trial climbs.")] = 3,
    reduction: Annotated[int, typer.Option("--reduction", help="One in so many climbs on, with as much more.")] = 3,
    reference_point: Annotated[
        str, typer.Option("--reference-point", help="For the hypervolume: 1.1,1.1 (in the problem's directions).")
    ] = "",
    bounds: Annotated[str, typer.Option("--bounds", help="Of a function's columns: 0:1,0:5.")] = "",
    directions: Annotated[str, typer.Option("--directions", help="Of a function's objectives: min,max.")] = "",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed cells again.")] = False,
) -> None:
    """Find a method's best options over whole runs, few of them long. Running it again goes on where it stopped.

    Example: `moo tune zdt1:dim=6 -m nsga2 --budget 900 --trials 6 --vary population=8:100`
    """
    from moo.benchmarks.tuning.study import as_problem, folder_for, render
    from moo.benchmarks.tuning.study import tune as tune_method
    from moo.benchmarks.tuning.varying import parse_vary

    with plain_errors():
        found = tune_method(
            as_problem(problem, bounds=bounds, directions=directions),
            method,
            budget=budget,
            trials=trials,
            out=out or folder_for(problem, method),
            objectives=objective or ("hypervolume", "area"),
            seeds=seeds,
            report_seeds=report_seeds,
            rungs=rungs,
            reduction=reduction,
            vary=parse_vary(vary or []),
            reference_point=parse_numbers(reference_point, "--reference-point") if reference_point else None,
            workers=workers,
            seed=seed,
            retry_failed=retry_failed,
            say=tell,
        )
    if found.interrupted:
        raise typer.Exit(INTERRUPTED)
    typer.echo(render(found, problem, budget))


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

    with plain_errors():
        text = render(load(folder), tuple(indicator or DEFAULT_INDICATORS), form=form, times=times)
        if out is None:
            typer.echo(text, nl=False)
        else:
            write_file(out, lambda file: file.write(text.encode()))


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
    from moo.benchmarks.reporting import known_front, measured_alike, results_of
    from moo.plots import plot_convergence, plot_front

    with plain_errors():
        results = results_of(folder, problem)
        if what is Plot.convergence:
            plot_convergence(measured_alike(results), out)
        else:
            wanted = results[0].config["seed"] if seed is None else seed
            chosen = [result for result in results if result.config["seed"] == wanted]
            if not chosen:
                known = sorted({result.config["seed"] for result in results})
                raise ValueError(f"There is no seed {wanted}. Known: {', '.join(map(str, known))}.")
            plot_front(chosen, out, reference_front=known_front(chosen[0].config))
    typer.echo(str(out))


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


if __name__ == "__main__":
    app()
