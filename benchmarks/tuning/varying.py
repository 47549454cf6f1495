"""What a tuning run varies: options of a method as the columns of a space, and combinations as its rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from moo.checks import unknown_name
from moo.options import Option, check_option
from moo.space import Column, Space, categorical, integer, real

DIGITS = 3  # significant ones of a number that is not whole: an option is read by people


@dataclass(frozen=True)
class Varied:
    """One option that is varied: a number from `low` to `high`, or one of `choices` where there are any.

    Attributes:
        name: Of the option.
        low, high: Of a number.
        log: Whether the number is varied on a logarithmic scale.
        whole: Whether it is whole.
        choices: Of anything else.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def column(self) -> Column:
        """As a column of a space: the logarithm of a number on a logarithmic scale, the number of a choice."""
        if self.choices:
            return categorical(self.choices, self.name)
        if self.log:
            return real(math.log(self.low), math.log(self.high), self.name)
        if self.whole:
            return integer(int(self.low), int(self.high), self.name)
        return real(self.low, self.high, self.name)

    def value(self, place: float) -> Any:
        """The option's value at a place of the column, as short as people write it."""
        if self.choices:
            return self.choices[int(place)]
        number = math.exp(place) if self.log else place
        if self.whole:
            return int(min(max(round(number), self.low), self.high))
        return float(f"{min(max(number, self.low), self.high):.{DIGITS}g}")

    def place(self, value: Any) -> float | None:
        """Where a value stands in the column; None where it is outside of what is varied."""
        if self.choices:
            return float(self.choices.index(value)) if value in self.choices else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return None
        return math.log(value) if self.log else float(value)

    def __str__(self) -> str:
        if self.choices:
            return f"{self.name}: {', '.join(map(str, self.choices))}"
        scale = ", on a logarithmic scale" if self.log else ""
        return f"{self.name}: {self.low:g} to {self.high:g}{scale}"

    def to_json(self) -> dict[str, Any]:
        """What is varied, as JSON values."""
        if self.choices:
            return {"choices": list(self.choices)}
        return {"low": self.low, "high": self.high, "log": self.log}


@dataclass(frozen=True)
class Combinations:
    """All that a tuning run can try: combinations of the options that are varied."""

    varied: tuple[Varied, ...]

    @cached_property
    def space(self) -> Space:
        """One column for each option."""
        return Space(tuple(option.column for option in self.varied))

    def options(self, row: Tensor) -> dict[str, Any]:
        """The options that a canonical row `[d]` of the space stands for."""
        return {option.name: option.value(place) for option, place in zip(self.varied, row.tolist(), strict=True)}

    def row(self, options: Mapping[str, Any]) -> Tensor | None:
        """The canonical row `[d]` of a combination; None where an option lies outside of what is varied."""
        places = [option.place(options[option.name]) for option in self.varied]
        if any(place is None for place in places):
            return None
        return self.space.canonical([places])[0]

    def stacked(self, rows: Sequence[Tensor]) -> Tensor:
        """Rows `[d]` as one tensor `[n, d]`, of none too."""
        return torch.stack(list(rows)) if rows else torch.empty(0, self.space.dim, dtype=torch.float64)


def combinations(
    declared: Mapping[str, Option], vary: Mapping[str, Any] | Sequence[str] | None, fixed: Mapping[str, Any], of: str
) -> Combinations:
    """What is varied: what the options declare, or what the caller says.

    Args:
        declared: The method's options.
        vary: Options by name, with a pair (low, high), a list of choices, or None for what the option declares; names
            alone; None: all that declare it.
        fixed: The options that the caller set, which stay as they are.
        of: Whose options they are, for messages.

    Raises:
        TypeError, ValueError: An option is unknown, set and varied at once, or varied outside its range; or nothing is
            left to vary.
    """
    if vary is None:
        wanted: dict[str, Any] = {n: None for n, option in declared.items() if option.tuned is not None}
        wanted = {name: None for name in wanted if name not in fixed}
    else:
        wanted = dict(vary) if isinstance(vary, Mapping) else dict.fromkeys(vary)
    for name in wanted:
        if name not in declared:
            raise ValueError(unknown_name(f"option of {of}", name, declared))
        if name in fixed:
            raise ValueError(f"Option `{name}` is both set and varied. Leave it out of the method or of `vary`.")
    if not wanted:
        raise ValueError(
            f"There is nothing to vary: {of} declares no ranges beside the options that are set. "
            f"Say some with `vary`. Known options: {', '.join(declared)}."
        )
    return Combinations(tuple(_varied(name, declared[name], said) for name, said in wanted.items()))


def _varied(name: str, option: Option, said: Any) -> Varied:
    """One option, varied as said.

    Raises:
        TypeError, ValueError: The option declares nothing and nothing was said, or a value breaks a rule.
    """
    said = option.tuned if said is None else said
    if said is None:
        raise ValueError(f"Option `{name}` declares no range to vary it in. Say one, as in {name}=1:10 or {name}=1+10.")
    values = list(said) if isinstance(said, list | tuple) else [said]
    if not is_range(option, said):
        choices = tuple(check_option(name, option, value) for value in values)
        if not choices or any(choices.count(choice) > 1 for choice in choices):
            raise ValueError(f"The choices of `{name}` should be different values. Found {values}.")
        return Varied(name, choices=choices)
    low, high = (check_option(name, option, value) for value in values)
    if not low < high:
        raise ValueError(f"The range of `{name}` should be low < high. Found {low} to {high}: swapped?")
    if option.log and low <= 0:
        raise ValueError(f"The range of `{name}` should be above 0, its scale being logarithmic. Found {low}.")
    return Varied(name, float(low), float(high), log=option.log, whole=isinstance(low, int))


def is_range(option: Option, said: Any) -> bool:
    """Whether what is said of an option is a pair (low, high) rather than choices."""
    numeric = option.choices is None and not isinstance(option.default, bool | str)
    numbers = isinstance(said, tuple) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in said)
    return numeric and numbers and len(said) == 2


def parse_vary(texts: Sequence[str]) -> dict[str, Any] | None:
    """Read `--vary`: `rate=1e-4:1e-2`, a range; `solver=a+b`, choices; `rate`, what the option declares.

    Returns:
        What `combinations` takes; None of no text.

    Raises:
        ValueError: An option stands twice, a name is missing or a range is not two numbers.
    """
    from moo.registry import parse_value

    found: dict[str, Any] = {}
    for text in texts:
        name, equals, said = (part.strip() for part in text.partition("="))
        if not name.isidentifier() or (equals and not said) or name in found:
            raise ValueError(f"`--vary` should read NAME, NAME=LOW:HIGH or NAME=A+B, each once. Found {text!r}.")
        low, colon, high = said.partition(":")
        ends = [parse_value(end.strip()) for end in (low, high)]
        if colon and not all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends):
            raise ValueError(f"The range in `--vary {text}` should be two numbers, LOW:HIGH.")
        choices = parse_value(said) if said else None
        found[name] = tuple(ends) if colon else choices if isinstance(choices, list) or choices is None else [choices]
    return found or None
