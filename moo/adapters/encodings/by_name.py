"""The encodings by name, and which one makes a method fit a problem."""

from __future__ import annotations

from typing import Any

from moo.adapters.encodings.action_columns import ActionColumns
from moo.adapters.encodings.encoded import Encoded
from moo.adapters.encodings.lattice import LatticeConstruction
from moo.adapters.encodings.one_step import OneStepEnvironment
from moo.base import unsuitable
from moo.checks import unknown_name
from moo.options import resolve_options

ENCODINGS: dict[str, type[Encoded]] = {
    "environment": OneStepEnvironment,
    "construction": LatticeConstruction,
    "vector": ActionColumns,
}


def encode(problem: Any, encoding: str, **options: Any) -> Any:
    """A problem as one of another kind.

    Args:
        problem: A vector problem for `"environment"` and `"construction"`, a construction problem for `"vector"`.
        encoding: A key of `ENCODINGS`: the kind that the problem becomes.
        options: `levels` (32) of `"construction"`: values of a real column.

    Returns:
        The encoded problem. Its `encoded` is the problem inside, `original_solutions` turns actions, finished states or
        rows back into solutions of that.

    Raises:
        TypeError: `problem` is none, or an option is of another type.
        ValueError: The encoding or an option is unknown, or it does not take such a problem.
    """
    if encoding not in ENCODINGS:
        raise ValueError(unknown_name("encoding", encoding, ENCODINGS))
    kind = ENCODINGS[encoding]
    return kind(problem, **resolve_options(kind.options, options, f"encoding {encoding!r}"))


def encoding_for(problem: Any, method: Any) -> str:
    """The first of a generator class's `encodings` through which it takes a problem.

    Empty where it takes the problem as it is, and where no encoding helps: `misfit` tells these apart.
    """
    tried = _attempts(problem, method)
    return next((encoding for encoding, reason in tried.items() if not reason), "")


def misfit(problem: Any, method: Any) -> str:
    """Why a generator class takes a problem neither as it is nor through its `encodings`; empty where it does.

    Where an encoding applies, the reason is that of the last one: the nearest that the two came.
    """
    tried = _attempts(problem, method)
    return "" if "" in tried.values() else list(tried.values())[-1]


def _attempts(problem: Any, method: Any) -> dict[str, str]:
    """The encodings that apply, "" being none, and why each does not make the method fit; none where none is needed."""
    tried = {"": unsuitable(method, problem)}
    if not tried[""]:
        return tried
    for encoding in method.encodings:
        if encoding not in ENCODINGS:
            raise ValueError(unknown_name("encoding", encoding, ENCODINGS))
        if ENCODINGS[encoding].takes == problem.kind:
            try:
                reason = unsuitable(method, encode(problem, encoding))
            except ValueError as error:
                reason = str(error)
            tried[encoding] = reason and f"as a {encoding} problem: {reason}"
    return tried
