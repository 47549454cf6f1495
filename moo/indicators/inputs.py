"""How every indicator reads its arguments: float64, every objective maximised, checked, on the device of the input."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

from moo.checks import check_vector_array
from moo.directions import check_directions, turn

Array = NDArray[np.float64]
Directions = str | Sequence[str] | None


class Sets:
    """Sets of objectives, every one maximised.

    A plain set can be held as an array until somebody asks for `values`: compiled libraries take arrays, and beside a
    small set a few calls of torch cost more than all the rest.

    Attributes:
        mask: Rows that count, bool `[..., n]`; None: all of them.
        hopeless: Whether a set held rows that are infinitely bad in an objective, bool `[...]`; None: none did. They do
            not count: such a row is dominated by whatever there is.
    """

    __slots__ = ("_held", "hopeless", "mask")

    def __init__(self, values: Tensor | Array, mask: Tensor | None = None, hopeless: Tensor | None = None) -> None:
        self._held = values
        self.mask = mask
        self.hopeless = hopeless

    @property
    def values(self) -> Tensor:
        """float64 `[..., n, m]`, finite; rows that do not count hold zeros."""
        if isinstance(self._held, np.ndarray):
            self._held = torch.from_numpy(self._held)
        return self._held

    @property
    def shape(self) -> tuple[int, ...]:
        """`(..., n, m)`."""
        return self._held.shape

    @property
    def single(self) -> bool:
        """Whether this is one set, `[n, m]`."""
        return self._held.ndim == 2

    @property
    def plain(self) -> bool:
        """Whether this is one set on the CPU through which no gradient flows: what compiled libraries take."""
        return isinstance(self._held, np.ndarray) or _is_plain(self._held)

    def array(self) -> Array:
        """The rows of a plain set that count, `[k, m]`; nothing may write to them."""
        if self.mask is None and isinstance(self._held, np.ndarray):
            return self._held
        return self.rows().numpy(force=True)

    def beside(self, point: Array) -> Tensor:
        """A point `[m]` as a tensor on the device of the sets."""
        return torch.from_numpy(point).to(self.values.device)

    def _replace(self, values: Tensor) -> Sets:
        """The same sets with other values."""
        return Sets(values, self.mask, self.hopeless)

    def neutral(self, fill: float) -> Tensor:
        """The values, with rows that do not count full of `fill`."""
        return self.values if self.mask is None else torch.where(self.mask[..., None], self.values, fill)

    def rows(self) -> Tensor:
        """The rows of one set that count, `[k, m]`."""
        return self.values if self.mask is None else self.values[self.mask]

    def counts(self) -> Tensor:
        """How many rows of each set count, int64 `[...]`."""
        if self.mask is None:
            return torch.full(self.values.shape[:-2], self.values.shape[-2], device=self.values.device)
        return self.mask.sum(dim=-1)

    def loop(self, function: Callable[[np.ndarray], Any], fill: Any = None) -> Tensor:
        """What a function of one array `[k, m]` on the CPU gives for each set, `[...]`.

        Where it gives a value per row, `fill` is the value of rows that do not count, and the result is `[..., n]`.
        """
        *leading, n, m = self.values.shape
        values = self.values.numpy(force=True).reshape(-1, n, m)
        masks = None if self.mask is None else self.mask.cpu().reshape(len(values), n).numpy()
        found = [function(rows if masks is None else rows[masks[i]]) for i, rows in enumerate(values)]
        if fill is None:
            return torch.tensor(found, dtype=torch.float64, device=self.values.device).reshape(leading)
        per_row = np.full((len(values), n), fill)
        for i, of_rows in enumerate(found):
            per_row[i, slice(None) if masks is None else masks[i]] = of_rows
        return torch.from_numpy(per_row).to(self.values.device).reshape(*leading, n)


def read_sets(
    objectives: Any,
    *,
    name: str = "objectives",
    like: Any = None,
    directions: Directions = None,
    mask: Any = None,
    nan: str = "raise",
) -> Sets:
    """Read one set of objectives `[n, m]` or a batch of them `[..., n, m]`, m >= 1.

    The result may share memory with the argument: nothing may write to it.

    Args:
        objectives: Tensor, array or nested list. Integers and float32 are promoted to float64; a tensor keeps its
            device and its gradient. A bare empty list or array `[0]` is a set of no rows.
        name: The parameter, for the messages.
        like: What says how many columns such a bare one has: the length of its last dimension.
        directions: `"max"`, `"min"` or one of them per objective; None means that all are maximised.
        mask: Rows that count, bool `[..., n]`; the others are not even looked at. None: all of them.
        nan: `"raise"`, or `"drop"`: rows with NaN do not count.

    Raises:
        TypeError: It cannot be read as numbers, or the mask not as truth values.
        ValueError: A shape or a word is wrong, or a value of a row that counts is NaN or infinitely good (the first
            such row is named).
    """
    if nan not in ("raise", "drop"):
        raise ValueError(f'`nan` should be "raise" or "drop". Found {nan!r}.')
    if _is_bare(objectives):
        shape = np.shape(like)
        objectives = torch.empty(0, max(1, shape[-1]) if shape else 1)
    values: Any = _as_array_if_plain(name, objectives)
    if values.ndim < 2:
        raise ValueError(
            f"`{name}` should have shape [n, m], or [..., n, m] for a batch of sets. Found {list(values.shape)}."
        )
    if values.shape[-1] == 0:
        raise ValueError(f"`{name}` should have at least one column. Found shape {list(values.shape)}.")
    words = None if directions is None else check_directions(directions, values.shape[-1])
    finite = _all_finite(values)
    if words is not None:
        values = turn(values, words)
    if finite and mask is None:
        return Sets(values)
    values = torch.from_numpy(values) if isinstance(values, np.ndarray) else values
    counted = None if mask is None else read_mask(mask, values)
    if finite and counted is not None:
        return Sets(values.where(counted[..., None], 0.0), counted)
    return _sort_out(name, values, words, counted, drop=nan == "drop")


def as_numbers(name: str, value: Any) -> Tensor:
    """A tensor, array or nested list as float64, with the device and the gradient of a tensor.

    Raises:
        TypeError: It cannot be read as real numbers.
    """
    if isinstance(value, Tensor):
        if value.is_complex():
            raise TypeError(f"`{name}` should be an array of numbers. Found complex ones.")
        return value if value.dtype == torch.float64 else value.to(torch.float64)
    return torch.from_numpy(_as_array(name, value))


def _as_array(name: str, value: Any) -> Array:
    """An array or nested list as a float64 array that can be a tensor."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"`{name}` should be an array of numbers. Found {type(value).__name__}: {error}") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"`{name}` should be an array of numbers. Found {type(value).__name__} of {array.dtype}.")
    if array.dtype != np.float64 or not array.flags.carray:
        array = array.astype(np.float64, order="C")  # a copy: reversed and read-only arrays cannot be tensors
    return array


def _as_array_if_plain(name: str, value: Any) -> Tensor | Array:
    """`as_numbers`, but an array where that is plain."""
    if isinstance(value, Tensor):
        tensor = as_numbers(name, value)
        return tensor.numpy(force=True) if _is_plain(tensor) else tensor
    array = _as_array(name, value)
    return array if array.ndim == 2 else torch.from_numpy(array)


def _is_plain(values: Tensor) -> bool:
    """Whether this is one set on the CPU through which no gradient flows, backwards or forwards."""
    if values.ndim != 2 or not values.is_cpu or values.requires_grad:
        return False
    return unpack_dual(values).tangent is None  # type: ignore[no-untyped-call]


def read_mask(mask: Any, values: Tensor) -> Tensor:
    """A mask of the rows of sets `[..., n, m]`, bool `[..., n]` on their device.

    Raises:
        TypeError: It does not hold truth values.
        ValueError: Its shape is another.
    """
    if not isinstance(mask, Tensor):
        try:
            array = np.array(mask)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(f"`mask` should hold truth values. Found {type(mask).__name__}: {error}") from error
        if array.dtype != bool and array.size:
            raise TypeError(f"`mask` should hold truth values. Found {type(mask).__name__} of {array.dtype}.")
        mask = torch.from_numpy(array.astype(bool, copy=False))
    if mask.dtype != torch.bool:
        raise TypeError(f"`mask` should hold truth values. Found {mask.dtype}.")
    if mask.shape != values.shape[:-1]:
        raise ValueError(
            f"`mask` should have shape {list(values.shape[:-1])}, one per row of the sets. Found {list(mask.shape)}."
        )
    read: Tensor = mask.to(values.device)
    return read


def read_point(name: str, value: Any, sets: Sets, directions: Directions) -> Tensor:
    """A point `[m]`, given in the caller's directions: finite, maximised, on the device of the sets."""
    return sets.beside(read_point_array(name, value, sets, directions))


def read_point_array(name: str, value: Any, sets: Sets, directions: Directions) -> Array:
    """`read_point` with an array as its result."""
    m = sets.shape[-1]
    point = check_vector_array(name, value, m)
    return point if directions is None else turn(point, check_directions(directions, m))


def row_in_words(place: Sequence[int]) -> str:
    """Which row a place `[..., row]` in a batch means: `Row 4`, `Row 4 of set 1`, `Row 4 of set [1, 0]`."""
    *sets, row = place
    return f"Row {row}" + (f" of set {sets[0] if len(sets) == 1 else sets}" if sets else "")


def score(values: Tensor | float) -> Any:
    """What an indicator returns: a float for one set, a tensor `[...]` for a batch or where a gradient flows."""
    return values if isinstance(values, float) or values.ndim or values.requires_grad else float(values)


def _all_finite(values: Tensor | Array) -> bool:
    if isinstance(values, np.ndarray):
        return bool(np.isfinite(values).all())
    total = float(values.detach().sum())  # the quickest look at all of them; a sum of finite ones may overflow
    return math.isfinite(total) or bool(torch.isfinite(values).all())


def _sort_out(name: str, values: Tensor, words: Sequence[str] | None, mask: Tensor | None, *, drop: bool) -> Sets:
    """Drop what may be dropped of maximised values that are not all finite, and refuse the rest."""
    plain = values.detach()
    counted = torch.ones(values.shape[:-1], dtype=torch.bool, device=values.device) if mask is None else mask
    nan = plain.isnan().any(dim=-1)
    if drop:
        counted = counted & ~nan
    wrong = counted & (nan | (plain == torch.inf).any(dim=-1))
    if wrong.any():
        place = torch.nonzero(wrong)[0].tolist()
        row = plain[tuple(place)]
        if nan[tuple(place)]:
            advice = "should hold no NaN"
            remedy = ' nan="drop" leaves such rows out.'
        else:
            advice, remedy = "should be finite where it is good", " Check `directions`."
        where = row_in_words(place)
        found = (row if words is None else turn(row, words)).tolist()
        raise ValueError(f"`{name}` {advice}. {where} is {found}.{remedy}")
    bad = counted & (plain == -torch.inf).any(dim=-1)
    counted = counted & ~bad
    hopeless = bad.any(dim=-1) if bool(bad.any()) else None
    return Sets(values.where(counted[..., None], 0.0), counted, hopeless)


def _is_bare(value: Any) -> bool:
    """Whether this is empty and does not say how many columns it has."""
    return tuple(value.shape) == (0,) if hasattr(value, "shape") else isinstance(value, (list, tuple)) and not value
