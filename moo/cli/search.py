"""`moo search`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from moo.cli.reading import WHOLE, named_problem, parse_method, parse_numbers, parse_preferences
from moo.cli.speaking import INTERRUPTED, in_columns, plain_errors

NO_GOING_ON = "This search cannot go on: only one that was begun with --checkpoint FOLDER can."


def command(
    problem: Annotated[
        str, typer.Argument(help="A registered problem (dtlz2:dim=6,num_objectives=3), or my_file.py:function.")
    ],
    method: Annotated[str, typer.Option("--method", "-m", help="A method (nsga2:population=50), or auto.")] = "auto",
    budget: Annotated[
        int,
        typer.Option("--budget", "-b", help="What may be spent, in the problem's unit.", **WHOLE),
    ] = 10_000,
    seed: Annotated[int, typer.Option("--seed", "-s", help="Of everything random.", **WHOLE)] = 0,
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
    objectives: Annotated[str, typer.Option("--objectives", help="Names of these: cost,weight. Default: f1,f2.")] = "",
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
    from moo.benchmarks.reports.references import known_front
    from moo.choosing import find_problem, set_up
    from moo.search import pareto_search

    with plain_errors():
        name, options = parse_method(method, hyperparameter or [])
        own = {"bounds": bounds, "directions": directions, "objectives": objectives, "workers": workers}
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
    tell_result(result, folder, figure)
    if result.record["interrupted"]:
        typer.echo(NO_GOING_ON if checkpoint is None else "To go on: run the same command again.")
        raise typer.Exit(INTERRUPTED)


def default_name(config: Mapping[str, Any]) -> str:
    """Where a search goes under `runs/` when nobody says."""
    from moo.storage import FREE, folder_name

    identity = {key: value for key, value in config.items() if key not in (*FREE, "choice", "device")}
    identity["budget"] = config["budget"]
    return folder_name(config["problem"], config["method"], config["seed"], identity)


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


def tell_result(result: Any, folder: Path, figure: Path) -> None:
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
            ("front", f"{record['front_size']:,} point{'s' * (record['front_size'] != 1)}"),
            ("hypervolume", f"{record['hypervolume']:.6g} (reference point {point})"),
        ]
    elif result.evaluated:
        rows.append(("front", "nothing feasible was found; the rows that violate least are kept"))
    else:
        rows.append(("front", "nothing was evaluated: the whole budget went into learning. Give a larger one"))
    if record["failures"]:
        rows.append(("failed", f"{record['failures']:,} evaluations: see {folder / 'failures.csv'}"))
    rows += [("time", f"{record['wall_seconds']:.1f} s"), ("data", str(folder)), ("plot", str(figure))]
    for line in in_columns(rows):
        typer.echo(line)
    typer.echo(f'Next: python -c "import moo; print(moo.load_result({str(folder)!r}).to_dataframe())"')
