"""`moo plot`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moo.cli.speaking import plain_errors
from moo.plots import PLOTS
from moo.registry import resolve

if TYPE_CHECKING:
    from moo.result import SearchResult


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line, apart from the plot and its file."""

    folder: Path
    problems: list[str]
    methods: list[str]
    seed: int | None
    indicator: str


def command(
    what: Annotated[str, typer.Argument(metavar="KIND", help=f"{', '.join(PLOTS)}.")],
    folder: Annotated[Path, typer.Argument(help="A suite's folder or one saved search.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The picture: .pdf, .svg, .png, or .pgf with TeX.")],
    problem: Annotated[
        list[str] | None,
        typer.Option("-p", "--problem", help="Which, where the folder holds several and the plot is of one."),
    ] = None,
    method: Annotated[list[str] | None, typer.Option("-m", "--method", help="Only these. Default: all.")] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", "-s", help="For plots of single searches: which. Default: the first.")
    ] = None,
    indicator: Annotated[
        str | None, typer.Option("--indicator", "-i", help="For plots of scores. Default: hypervolume.")
    ] = None,
    view: Annotated[str | None, typer.Option(help="front: auto, scatter, projections, 3d or parallel.")] = None,
    against: Annotated[str | None, typer.Option(help="convergence, regret: used or seconds.")] = None,
    how: Annotated[str | None, typer.Option(help="critical-difference: wilcoxon-holm or nemenyi.")] = None,
    source: Annotated[str | None, typer.Option(help="ternary: front or asked.")] = None,
    rows: Annotated[list[int] | None, typer.Option("--row", help="petal: rows of the front.")] = None,
    style: Annotated[str, typer.Option(help="icml, neurips, ieee, acm or slides.")] = "icml",
    width: Annotated[float | None, typer.Option(help="In inches. Default: the style's.")] = None,
) -> None:
    """Draw a figure for a paper. What each kind shows is listed under plots, and to be seen in docs/gallery.

    Example: `moo plot front runs/quickstart -p zdt1 -o front.pdf`
    """
    said: dict[str, Any] = {"seed": seed, "indicator": indicator, "view": view, "against": against, "how": how}
    said |= {"source": source, "rows": rows or None}
    with plain_errors():
        draw = resolve(PLOTS, what, "plot")
        options = _options_of(what, {name: value for name, value in said.items() if value is not None})
        found = KINDS[what].gather(Asked(folder, problem or [], method or [], seed, indicator or "hypervolume"))
        data = found.pop("data")
        draw(data, out, style=style, width=width, **found, **options)
    typer.echo(str(out))


def _options_of(what: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options that the drawing takes.

    Raises:
        ValueError: One is for other kinds of plots.
    """
    for name in said:
        if name not in (*KINDS[what].selects, *KINDS[what].passes):
            takers = [other for other, kind in KINDS.items() if name in (*kind.selects, *kind.passes)]
            flag = "row" if name == "rows" else name
            raise ValueError(f"`--{flag}` is for {', '.join(takers)}. A plot of {what} takes none: leave it out.")
    return {name: value for name, value in said.items() if name in KINDS[what].passes}


# --------------------------------------------------------------------------------------------------- what plots take
def _searches(asked: Asked, *, one_problem: bool = True) -> list[SearchResult]:
    """The finished searches that were asked for.

    Raises:
        ValueError: There are none, a problem or method is not there, or there are several problems where one is wanted.
    """
    from moo.benchmarks.reports.loading import by_problem, load_report, results_of
    from moo.benchmarks.reports.scores import method_label
    from moo.checks import unknown_name

    if one_problem and len(asked.problems) > 1:
        raise ValueError(f"This plot is of one problem. Found {', '.join(asked.problems)}: draw one for each.")
    if one_problem:
        results = results_of(asked.folder, next(iter(asked.problems), ""))
    else:
        groups = by_problem(load_report(asked.folder).results)
        if not groups:
            raise ValueError(f"{asked.folder} holds no finished search yet.")
        for name in asked.problems:
            if name not in groups:
                raise ValueError(unknown_name("problem", name, groups))
        results = [result for name in asked.problems or groups for result in groups[name]]
    labels = [method_label(result.config) for result in results]
    names = [result.config["method"] for result in results]
    for wanted in asked.methods:
        if wanted not in (*labels, *names):
            raise ValueError(unknown_name("method", wanted, {*labels, *names}))
    return [
        result
        for result, label, name in zip(results, labels, names, strict=True)
        if not asked.methods or label in asked.methods or name in asked.methods
    ]


def _of_one_seed(asked: Asked) -> list[SearchResult]:
    results = _searches(asked)
    wanted = results[0].config["seed"] if asked.seed is None else asked.seed
    chosen = [result for result in results if result.config["seed"] == wanted]
    if not chosen:
        known = sorted({result.config["seed"] for result in results})
        raise ValueError(f"There is no seed {wanted}. Known: {', '.join(map(str, known))}.")
    return chosen


def _fronts(asked: Asked) -> dict[str, Any]:
    from moo.benchmarks.reports.references import known_front

    results = _of_one_seed(asked)
    return {"data": results, "reference_front": known_front(results[0].config)}


def _all_fronts(asked: Asked) -> dict[str, Any]:
    from moo.benchmarks.reports.references import known_front

    results = _searches(asked)
    return {"data": results, "reference_front": known_front(results[0].config)}


def _all_runs(asked: Asked) -> dict[str, Any]:
    return {"data": _searches(asked)}


def _histories(asked: Asked) -> dict[str, Any]:
    from moo.benchmarks.reports.histories import measured_alike

    return {"data": measured_alike(_searches(asked))}


def _histories_and_best(asked: Asked) -> dict[str, Any]:
    data = _histories(asked)["data"]
    return {"data": data, "best": _best_hypervolume(data)}


def _histories_of_all_problems(asked: Asked) -> dict[str, Any]:
    from moo.benchmarks.reports.histories import measured_alike
    from moo.benchmarks.reports.loading import by_problem

    groups = by_problem(_searches(asked, one_problem=False))
    alike = {name: measured_alike(results) for name, results in groups.items()}
    best = {name: _best_hypervolume(results) for name, results in alike.items()}
    known = {name: value for name, value in best.items() if value is not None}
    return {"data": [result for results in alike.values() for result in results], "best": known}


def _best_hypervolume(results: Sequence[SearchResult]) -> float | None:
    """That of the known front, where there is one."""
    from moo.benchmarks.reports.references import known_front
    from moo.indicators import hypervolume

    front, point = known_front(results[0].config), results[0].record["reference_point"]
    if front is None or point is None:
        return None
    return float(hypervolume(front, point, directions=list(results[0].config["directions"]), warn=False))


def _scores(asked: Asked) -> dict[str, Any]:
    from moo.benchmarks.reports.scores import score

    return {"data": score(_searches(asked, one_problem=False), (asked.indicator,))}


def _timed_scores(asked: Asked) -> dict[str, Any]:
    from moo.benchmarks.reports.scores import score

    return {"data": score(_searches(asked, one_problem=False), (asked.indicator,), times=True)}


def _one_result(asked: Asked) -> dict[str, Any]:
    from moo.benchmarks.reports.scores import method_label

    results = _of_one_seed(asked)
    if len(results) > 1:
        names = dict.fromkeys(method_label(result.config) for result in results)
        raise ValueError(f"This plot is of one search. Found {', '.join(names)}: choose one with -m.")
    return {"data": results[0]}


def _one_result_and_its_problem(asked: Asked) -> dict[str, Any]:
    """A result and, where its method answers any preference, what says of the answers what they are worth."""
    from moo.problems import get_problem

    result = _one_result(asked)["data"]
    if not (result.config["conditional"] and result.config["registered"]):
        return {"data": result}
    problem: Any = get_problem(result.config["problem"])
    if problem.kind not in ("vector", "construction") or problem.stochastic:
        return {"data": result}

    def evaluate(solutions: Any) -> Any:
        found = problem.evaluate(solutions)
        return getattr(found, "objectives", found)

    return {"data": result, "evaluate": evaluate}


@dataclass(frozen=True)
class Kind:
    """How a plot is made of a folder.

    Attributes:
        gather: What the drawing takes: under `"data"`, and by the names of its further arguments.
        selects: Options that say what is gathered.
        passes: Options that the drawing takes.
    """

    gather: Callable[[Asked], dict[str, Any]]
    selects: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()


KINDS = {
    "front": Kind(_fronts, ("seed",), ("view",)),
    "matrix": Kind(_fronts, ("seed",)),
    "parallel": Kind(_fronts, ("seed",)),
    "attainment": Kind(_all_fronts),
    "eaf-difference": Kind(_all_runs),
    "convergence": Kind(_histories, (), ("against",)),
    "regret": Kind(_histories_and_best, (), ("against",)),
    "ecdf": Kind(_histories_of_all_problems),
    "box": Kind(_scores, (), ("indicator",)),
    "violin": Kind(_scores, (), ("indicator",)),
    "heatmap": Kind(_scores, (), ("indicator",)),
    "critical-difference": Kind(_scores, (), ("indicator", "how")),
    "runtime": Kind(_timed_scores, (), ("indicator",)),
    "petal": Kind(_one_result, ("seed",), ("rows",)),
    "ternary": Kind(_one_result, ("seed",), ("source",)),
    "sweep": Kind(_one_result_and_its_problem, ("seed",)),
}
