"""Checks of a user's input, shared by every layer, so that one fault has one wording everywhere.

Each message names the parameter, the rule, what was found and, where it is not obvious, what to do.
"""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


def unknown_name(what: str, name: object, known: Iterable[str]) -> str:
    """The message for a name that is not among the known ones, with the nearest suggested.

    Args:
        what: What the name should be of: "method", or "option of method 'nsga2'".
        name: What was found.
        known: What there is.
    """
    names = sorted(known)
    near = [repr(one) for one in nearest_names(str(name), names)]
    suggestion = f" Did you mean {' or '.join(filter(None, (', '.join(near[:-1]), near[-1])))}?" if near else ""
    kind, of, whose = what.partition(" of ")
    return f"Unknown {kind} {name!r}{of}{whose}.{suggestion} Known: {', '.join(names) or 'none'}."


def nearest_names(name: str, names: list[str], limit: int = 3) -> list[str]:
    """The known names most like a name, in any case: the best one, those as good, and else what begins with it."""
    lower = {known_name.lower(): known_name for known_name in names}
    wanted = name.lower()
    likeness = {one: difflib.SequenceMatcher(None, one, wanted).ratio() for one in lower}  # as get_close_matches has it
    best = max(likeness.values(), default=0.0)
    near = [one for one in lower if likeness[one] == best >= 0.6]
    if not near and wanted:
        near = [one for one in lower if one.startswith(wanted)]
    return [lower[one] for one in near[:limit]]


def check_count(name: str, value: Any, *, low: int = 1, high: int | None = None) -> int:
    """Return `value` as an int of at least `low` (and at most `high`).

    Raises:
        TypeError: It is no whole number (booleans are not counts; `1e4` is accepted).
        ValueError: It lies outside the range.
    """
    try:
        whole = isinstance(value, float) and value.is_integer()
        number = int(value) if whole else operator.index(value)
        if isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool"):
            raise TypeError("a truth value is no count")
    except TypeError as error:
        raise TypeError(f"`{name}` should be a whole number. Found {value!r}.") from error
    if number < low or (high is not None and number > high):
        limits = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"`{name}` should be {limits}. Found {number}.")
    return number


def check_number(name: str, value: object, meaning: str, *, zero: bool = False) -> float:
    """Return `value` as a finite float above 0, or of at least 0 where `zero` is allowed.

    Raises:
        TypeError: It is no number.
        ValueError: It lies outside the range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"`{name}` should be a number, {meaning}. Found {value!r}.")
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        rule = "at least 0" if zero else "above 0"
        raise ValueError(f"`{name}` should be {rule} and finite, {meaning}. Found {value}.")
    return float(value)


def _numbers(value: Any) -> NDArray[np.float64]:
    """Read `value` as a float64 array that can be a tensor; a list never passes through torch's float32 default."""
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        if value.is_complex():
            raise TypeError("its numbers are complex")
        return value.to(device="cpu", dtype=torch.float64).numpy(force=True)
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"its type is {array.dtype}")
    return array.astype(np.float64)  # a copy: reversed and read-only arrays cannot be tensors


def check_matrix(name: str, value: Any, *, columns: int | None = None, rows: int | None = None) -> torch.Tensor:
    """Return `value` as a float64 tensor `[n, columns]` on the CPU.

    Accepts tensors, numpy arrays and nested lists; booleans and integers are promoted. Values are not checked.

    Raises:
        TypeError: It cannot be read as numbers.
        ValueError: It is not two-dimensional or has another number of rows or columns.
    """
    import torch

    try:
        tensor = torch.from_numpy(_numbers(value))
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"`{name}` should be an array of numbers. Found {type(value).__name__}: {error}") from error
    wanted = f"[{'n' if rows is None else rows}, {'m' if columns is None else columns}]"
    wrong = tensor.ndim != 2 or (columns not in (None, tensor.shape[1])) or (rows not in (None, tensor.shape[0]))
    if wrong:
        raise ValueError(f"`{name}` should have shape {wanted}. Found {list(tensor.shape)}.")
    return tensor


def check_vector(name: str, value: Any, length: int) -> torch.Tensor:
    """Return `value` as a finite float64 tensor `[length]` on the CPU.

    Raises:
        TypeError: It cannot be read as numbers.
        ValueError: It has another shape, or a value that is not finite.
    """
    import torch

    return torch.from_numpy(check_vector_array(name, value, length))


def check_vector_array(name: str, value: Any, length: int) -> NDArray[np.float64]:
    """`check_vector` with an array as its result."""
    try:
        array = _numbers(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"`{name}` should be a list of {length} numbers. Found {value!r}.") from error
    if array.shape != (length,):
        raise ValueError(f"`{name}` should be a list of {length} numbers. Found shape {list(array.shape)}.")
    if not all(map(math.isfinite, array.tolist())):
        raise ValueError(f"`{name}` should be finite. Found {array.tolist()}.")
    return array


def check_finite_rows(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return `tensor [n, m]` unchanged where every value is finite.

    Raises:
        ValueError: It names the first row that holds NaN or an infinity.
    """
    import torch

    wrong = ~torch.isfinite(tensor).all(dim=-1)
    if wrong.any():
        row = int(torch.nonzero(wrong)[0])
        raise ValueError(f"`{name}` should be finite. Row {row} is {tensor[row].tolist()}.")
    return tensor
