"""`moo list`: what there is, and what one of them is."""

from __future__ import annotations

import inspect
import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from moo.cli.speaking import in_columns, plain_errors

SHORT = 60  # characters up to which a suite's problems or methods are listed by their names


def registries() -> dict[str, dict[str, str]]:
    """Every registry by what it lists: names to `module:attribute`, or to what there is to say of them."""
    from moo.benchmarks.peers import PEERS
    from moo.benchmarks.suites import SUITES
    from moo.generators import GENERATORS
    from moo.indicators import INDICATORS
    from moo.plots import PLOTS
    from moo.problems import PROBLEMS
    from moo.tuners import TUNERS

    return {
        "problems": PROBLEMS,
        "methods": GENERATORS,
        "peers": PEERS,
        "suites": {name: in_short(suite) for name, suite in SUITES.items()},
        "tuners": TUNERS,
        "indicators": {name: indicator.function for name, indicator in INDICATORS.items()},
        "plots": PLOTS,
    }


def in_short(suite: Any) -> str:
    """A suite in one line: problems and methods by their names where these are few and short, else their number."""
    parts = []
    for what, entries in (("problems", suite.problems), ("methods", suite.methods)):
        text = ", ".join(map(str, entries))
        parts.append(text if len(text) <= SHORT else f"{len(entries)} {what}")
    seeds, budget = len(suite.seeds), suite.budget if isinstance(suite.budget, int) else "by method"
    return " x ".join((*parts, f"{seeds} seed{'s' * (seeds != 1)}", f"budget {budget}"))


def command(
    what: Annotated[
        str | None,
        typer.Argument(
            help="problems, methods, peers, suites, tuners, indicators or plots; all where it is left out. "
            "Or a name in them, for its options."
        ),
    ] = None,
) -> None:
    """List what there is, with one line each, or say what one of them is and takes.

    Example: `moo list problems`, or `moo list nsga2`
    """
    listings = registries()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None  # in a pipe, one line each
    with plain_errors():
        if what is not None and what not in listings:
            lines = list(one_of_them(what, listings, width))
        else:
            lines = [line for title in listings if what in (None, title) for line in listed(title, listings, width)]
    for line in lines:
        typer.echo(line)


def listed(title: str, listings: Mapping[str, Mapping[str, str]], width: int | None) -> Iterator[str]:
    """The lines of a listing: its title, then an entry each."""
    yield title
    yield from in_columns([(name, told(target)) for name, target in listings[title].items()], width)


def told(target: str) -> str:
    """What there is to say of an entry in one line."""
    from moo.registry import summary

    return summary(target) if target.startswith("moo.") else target


def one_of_them(name: str, listings: Mapping[str, Mapping[str, str]], width: int | None) -> Iterator[str]:
    """The lines of every entry of this name (`bayesian` is a method and a tuner), each with its options.

    Raises:
        ValueError: There is none; the nearest are suggested.
    """
    from moo.checks import nearest_names

    homes = [title for title, registry in listings.items() if name in registry]
    if not homes:
        near = nearest_names(name, sorted({*listings, *(one for registry in listings.values() for one in registry)}))
        suggestion = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(
            f"`moo list` takes {', '.join(listings)}, or a name in one of them. Found {name!r}.{suggestion}"
        )
    for title in homes:
        yield from in_columns([(f"{name} ({title[:-1]})", told(listings[title][name]))], width)
        rows = list(options_of(title, name, listings[title]))
        yield from in_columns([(f"  {option}", text) for option, text in rows], width)


def options_of(title: str, name: str, registry: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The options of a problem, method, peer or tuner: default (what is allowed): meaning. Of a suite what it runs."""
    from moo.benchmarks.suites import SUITES
    from moo.registry import resolve

    if title == "suites":
        suite = SUITES[name]
        yield "problems", ", ".join(map(str, suite.problems))
        yield "methods", ", ".join(suite.methods)
        if not isinstance(suite.budget, int):
            yield "budget", ", ".join(f"{method}: {number}" for method, number in suite.budget.items())
    elif title == "problems":
        for parameter in inspect.signature(resolve(registry, name, "problem")).parameters.values():
            yield parameter.name, "" if parameter.default is parameter.empty else shown(parameter.default)
    elif title in ("methods", "peers", "tuners"):
        kind = resolve(registry, name, title[:-1])
        if title != "tuners":
            yield "takes", taken(kind)
        for option, declared in kind.options.items():
            yield option, f"{shown(declared.default)}{allowed(declared)}: {declared.help}".removesuffix(": ")


def taken(method: Any) -> str:
    """The problems that a method takes, and whether it follows preferences."""
    most = "" if method.max_objectives is None else f" of at most {method.max_objectives} objectives"
    constrained = "with or without constraints" if method.constraints else "without constraints"
    preferences = "preferences" if method.uses_preferences else "no preferences"
    encoded = " or others encoded as one" if method.encodings else ""
    return f"{' and '.join(method.kinds)} problems{encoded}{most}, {constrained}; {preferences}"


def allowed(declared: Any) -> str:
    """The values that an option may have, in brackets."""
    low, high = declared.low, declared.high
    if declared.choices is not None:
        return f" ({', '.join(map(shown, declared.choices))})"
    if low is None and high is None:
        return ""
    return f" ({shown(low)} to {shown(high)})" if None not in (low, high) else f" (at {least_or_most(low, high)})"


def least_or_most(low: Any, high: Any) -> str:
    """A range that is open at one end."""
    return f"least {shown(low)}" if high is None else f"most {shown(high)}"


def shown(value: Any) -> str:
    """A value as one types it, as far as it can be typed."""
    from moo.registry import format_value

    try:
        return value if isinstance(value, str) else format_value(value)
    except ValueError:
        return repr(value)
