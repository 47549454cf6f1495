"""What Python holds of other programs as rows: a pymoo `Result`, and plain arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from moo.benchmarks.foreign.files import columns_of
from moo.benchmarks.foreign.rows import Rows

PYMOO = "a pymoo Result"


def is_pymoo(result: Any) -> bool:
    """Whether something is a pymoo `Result`, by what it has."""
    return hasattr(result, "F") and hasattr(result, "algorithm")


def rows_of_pymoo(result: Any) -> tuple[Rows, int | None]:
    """The rows of a pymoo `Result`, and what it has spent: its front, or with a history the best of each generation.

    Raises:
        ValueError: It found nothing feasible.
    """
    if result.F is None or not np.size(result.F):
        raise ValueError("The pymoo Result holds no feasible solution (`F` is None): there is no front to import.")
    states = [state for state in (result.history or []) if _feasible(state)]
    spent = getattr(getattr(result.algorithm, "evaluator", None), "n_eval", None)
    if not states:
        return rows_of(PYMOO, {"F": np.atleast_2d(result.F), **_numeric_x(np.atleast_2d(result.X))}), spent
    fronts = [np.atleast_2d(state.opt.get("F")) for state in states]
    arrays = {"F": np.concatenate(fronts), **_numeric_x(np.concatenate([state.opt.get("X") for state in states]))}
    counts = [int(state.evaluator.n_eval) for state in states]
    arrays["evaluations"] = np.repeat(counts, [len(front) for front in fronts])
    return rows_of(PYMOO, arrays), spent


def _feasible(state: Any) -> bool:
    return state.opt is not None and len(state.opt) > 0 and bool(np.all(state.opt.get("feas")))


def _numeric_x(solutions: Any) -> dict[str, Any]:
    """Solutions where they are numbers; mixed variables, which are dictionaries, are left out."""
    return {} if np.asarray(solutions).dtype == object else {"X": np.asarray(solutions, dtype=np.float64)}


def array(name: str, value: Any) -> Any:
    """An array of numbers, also of a tensor.

    Raises:
        TypeError: It is none.
    """
    found = value.detach().cpu() if hasattr(value, "detach") else value
    try:
        return np.asarray(list(found) if isinstance(found, range) else found, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"`{name}` should be an array of numbers" + (" or a pymoo Result" if name == "result" else "") + ". "
            f"Found {type(value).__name__}: {error}"
        ) from error


def rows_of(source: str, arrays: Mapping[str, Any]) -> Rows:
    """Rows of arrays by name, as `columns_of` takes them."""
    columns = columns_of(source, arrays)
    digest = hashlib.sha256()
    for name, column in columns.items():
        digest.update(name.encode() + np.ascontiguousarray(column).tobytes())
    count = len(next(iter(columns.values())))
    return Rows(columns, [f"row {i}" for i in range(count)], source, digest.hexdigest())
