"""`moo explore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moo.cli.speaking import plain_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moo.result import SearchResult


def command(
    folder: Annotated[Path, typer.Argument(help="A suite's folder or one saved search.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page: .html.")],
    problem: Annotated[str, typer.Option("-p", "--problem", help="Which, where the folder holds several.")] = "",
    method: Annotated[list[str] | None, typer.Option("-m", "--method", help="Only these. Default: all.")] = None,
    seed: Annotated[list[int] | None, typer.Option("--seed", "-s", help="Only these. Default: all.")] = None,
) -> None:
    """Write an interactive page of fronts: one file, which opens in a browser without a network.

    Example: `moo explore runs/quickstart -p zdt1 -o front.html`
    """
    from moo.benchmarks.reports.loading import results_of
    from moo.plots import explore

    with plain_errors():
        explore(chosen(results_of(folder, problem), method or [], seed or []), out)
    typer.echo(str(out))


def chosen(results: Sequence[SearchResult], methods: Sequence[str], seeds: Sequence[int]) -> list[SearchResult]:
    """The searches by these methods (a name, or a name with options) and of these seeds; of all where none is named.

    Raises:
        ValueError: A method or a seed is not there.
    """
    from moo.benchmarks.reports.scores import method_label
    from moo.checks import unknown_name

    names = [{method_label(result.config), result.config["method"]} for result in results]
    for method in methods:
        if not any(method in both for both in names):
            raise ValueError(unknown_name("method", method, set().union(*names)))
    kept = [r for r, both in zip(results, names, strict=True) if not methods or both & set(methods)]
    known = sorted({result.config["seed"] for result in kept})
    for seed in seeds:
        if seed not in known:
            raise ValueError(f"There is no seed {seed}. Known: {', '.join(map(str, known))}.")
    return [result for result in kept if not seeds or result.config["seed"] in seeds]
