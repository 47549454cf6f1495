"""`moo plot`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from moo.cli.speaking import plain_errors


class Plot(StrEnum):
    """What `moo plot` draws."""

    front = "front"
    convergence = "convergence"


def command(
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
