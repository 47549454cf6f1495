"""What stands in arguments: options, numbers, preferences, functions of files."""

from __future__ import annotations

from typing import Any

import typer


def whole_number(text: Any) -> int:
    """The whole number of an option, for typer: what Python takes for a count, so that 1e4 is one, too."""
    from moo.checks import check_count
    from moo.registry import parse_value

    try:
        return check_count("it", parse_value(str(text)), low=-(10**18))
    except (TypeError, ValueError):
        raise typer.BadParameter(f"should be a whole number, as in 5000 or 5e3. Found {text!r}.") from None


WHOLE: Any = {"parser": whole_number, "metavar": "<int>"}  # arguments of typer.Option


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
