"""How a method's options, their defaults and ranges are declared, and the one place that checks them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from moo.checks import unknown_name


@dataclass(frozen=True)
class Option:
    """One option of a generator or tuner.

    Attributes:
        default: Its value where none is given; its type is the option's type (None: any).
        low, high: The range of a number, both ends allowed.
        choices: The values allowed, where they are few.
        log: Whether a tuner should vary it on a logarithmic scale.
        tuned: What `moo tune` varies unless it is told otherwise: (low, high) of a number, or the choices of anything
            else; None: it is left alone. The default is among them.
        changes: Whether it may change while a run goes on.
        help: One line for people.
    """

    default: Any
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] | None = None
    log: bool = False
    tuned: tuple[Any, ...] | None = None
    changes: bool = False
    help: str = ""


def check_option(name: str, option: Option, value: Any) -> Any:
    """Return `value` in the option's type.

    Raises:
        TypeError: It is of another type.
        ValueError: It is not among the choices or outside the range.
    """
    if option.choices is not None:
        if value not in option.choices:
            raise ValueError(f"Option `{name}` should be one of {list(option.choices)}. Found {value!r}.")
        return value
    if value is None and option.default is None:
        return value
    kind = type(option.default)
    if option.low is not None or option.high is not None or kind in (int, float):
        whole = kind is int or (option.default is None and isinstance(option.low, int))
        number = isinstance(value, Real) and not isinstance(value, bool)
        lost = number and value != value  # NaN; asked like this, because math.isnan refuses huge whole numbers
        if not number or (whole and (lost or abs(value) == math.inf or value != int(value))):
            raise TypeError(f"Option `{name}` should be a {'whole ' if whole else ''}number. Found {value!r}.")
        low, high = option.low, option.high
        if lost and low is None and high is None:
            raise ValueError(f"Option `{name}` should be a number. Found {value}.")
        if lost or (low is not None and value < low) or (high is not None and value > high):
            limits = (
                f"from {low} to {high}" if None not in (low, high) else f"at {'least' if high is None else 'most'} "
            )
            limits += "" if None not in (low, high) else f"{low if high is None else high}"
            raise ValueError(f"Option `{name}` should be {limits}. Found {value}.")
        return int(value) if whole else float(value)
    if kind in (bool, str) and not isinstance(value, kind):
        raise TypeError(f"Option `{name}` should be {'true or false' if kind is bool else 'text'}. Found {value!r}.")
    return value


def resolve_options(declared: Mapping[str, Option], given: Mapping[str, Any] | None, of: str) -> dict[str, Any]:
    """All declared options: the given values, checked, and the defaults of the others.

    Args:
        declared: What the method declares.
        given: What the caller set.
        of: Whose options they are, for the message.

    Raises:
        ValueError: An option is unknown (the known ones are listed) or outside its range.
        TypeError: A value is of another type, or the options are no mapping.
    """
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise TypeError(f"The options of {of} should be a mapping, as in {{name: value}}. Found {given!r}.")
    for name in given:
        if name not in declared:
            raise ValueError(unknown_name(f"option of {of}", name, declared))
    return {
        name: check_option(name, option, given[name]) if name in given else option.default
        for name, option in declared.items()
    }
