"""Exact hypervolume and exclusive hypervolumes of many objectives, compiled by numba (optional extra `fast`).

A row is a box from the origin to its point. What a set of boxes covers of a cell, a larger box, is found like this:

1. Boxes that cover the cell in all objectives but one are slabs: the cell shrinks by them, and what they cover of the
   other boxes goes with them (Chan 2013, Klee's measure problem made easy, FOCS).
2. A cell of many boxes is cut in two at the median face in the objective where most boxes end inside it (Chan 2013).
3. A cell of few boxes is sliced along its last objective: each box adds its height times the volume that it alone
   covers, in one objective less, of the boxes above it limited to it (While, Bradstreet and Barone 2012, A fast way of
   calculating exact hypervolumes, IEEE TEC 16(1)). Such a volume is again one of a cell, shrunk by slabs first.
4. Three objectives are swept along the third over a staircase of the first two.

For step 3 a box is one 64-bit word with a field per objective: the rank of its coordinate in the cell, and above it a
guard bit. `(a | guards) - b` then keeps the guard of each field where `a >= b`: one subtraction compares all
objectives. From ten objectives on the words are too narrow for many boxes, and step 3 starts on the numbers themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

PACKED = 1024  # most boxes that are packed into words; fewer where a field cannot hold so many ranks
CUT_UP_TO = 9  # objectives up to which a cell of more boxes is cut in two; with more objectives it is sliced

ZERO, ONE = np.uint64(0), np.uint64(1)
COVERED, UNCOVERED = np.bool_(False), np.bool_(True)


def compiled(function: F) -> F:
    """The function compiled at its first call and kept on disk.

    A function that calls itself must do so with exactly its own types, so with no literal: else numba compiles it twice
    and the copy on disk cannot be used (numba issue 6061).
    """
    return cast(F, numba.njit(cache=True, nogil=True, fastmath=False, boundscheck=False)(function))


def inlined(function: F) -> F:
    """The function put into the compiled functions that call it."""
    return cast(F, numba.njit(nogil=True, fastmath=False, boundscheck=False, inline="always")(function))


def volume(boxes: np.ndarray) -> float:
    """Volume of the union of boxes, each from the origin to one row: the hypervolume above the reference point 0.

    Args:
        boxes: `[n, m]` finite float64, m >= 1: maximised objectives minus the reference point. Order, duplicates and
            dominated rows do not matter; a row with an entry of 0 or below adds nothing.

    Returns:
        At least 0; 0 for an empty set.
    """
    inside = np.ascontiguousarray(boxes[(boxes > 0.0).all(axis=1)], dtype=np.float64)
    n, m = inside.shape
    if n == 0:
        return 0.0
    words, values = _buffers(n, m)
    return float(_cell(m, n, np.arange(n), inside, np.zeros(m), inside.max(axis=0), words, values, COVERED))


def exclusive_volumes(boxes: np.ndarray) -> np.ndarray:
    """Volume that is lost when one row alone is taken away, for each row: its hypervolume contribution.

    Args:
        boxes: `[n, m]` as for `volume`.

    Returns:
        `[n]`, at least 0 but for rounding: 0 for a dominated row, a duplicate and a row with an entry of 0 or below.
    """
    chosen = (boxes > 0.0).all(axis=1)
    volumes = np.zeros(len(boxes))
    if chosen.any():
        inside = np.ascontiguousarray(boxes[chosen], dtype=np.float64)
        volumes[chosen] = _exclusive(inside, np.ascontiguousarray(inside.T), *_buffers(*inside.shape))
    return volumes


def _buffers(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Words `[2 m + 2, limit + 2]`, two lists for each number of objectives, and coordinates by objective and rank."""
    limit = min(n, PACKED)
    return np.empty((2 * m + 2, limit + 2), dtype=np.uint64), np.empty((m + 1, limit + 2))


@compiled
def _exclusive(boxes: np.ndarray, columns: np.ndarray, words: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Exclusive volumes of all rows: what the other boxes leave uncovered of each box. `columns` are `boxes.T`."""
    n, m = boxes.shape
    volumes, low = np.zeros(n), np.empty(m)
    order, flags = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for i in range(n):
        high = boxes[i]
        flags[:] = 0  # in how many objectives the row ends inside the box
        for k in range(m):
            for j in range(n):
                flags[j] += columns[k, j] < high[k]
        flags[i] = 2
        low[:] = 0.0
        covered = False
        for j in range(n):
            if flags[j] == 0:
                covered = True
                break
            if flags[j] == 1:
                for k in range(m):
                    if boxes[j, k] < high[k]:
                        low[k] = max(low[k], boxes[j, k])
        if covered:
            continue
        flags[:] = 1  # whether the row reaches beyond the slabs
        for k in range(m):
            for j in range(n):
                flags[j] &= columns[k, j] > low[k]
        flags[i] = 0
        count = 0
        for j in range(n):
            order[count] = j
            count += flags[j]
        volumes[i] = _cell(m, count, order, boxes, low, high, words, values, UNCOVERED)
    return volumes


@compiled
def _cell(
    m: int,
    count: int,
    order: np.ndarray,
    boxes: np.ndarray,
    corner: np.ndarray,
    high: np.ndarray,
    words: np.ndarray,
    values: np.ndarray,
    uncovered: np.bool_,
) -> float:
    """Volume of the cell from `corner` to `high` that the boxes `order[:count]` cover, or that they leave uncovered.

    The first m objectives count. `order[:count]` is permuted. Covered volumes are added up and never a difference from
    the whole cell, so that a small volume in a large cell keeps its digits.
    """
    low = corner.copy()
    count = _without_slabs(m, count, order, boxes, low, high)
    whole, rest, slabs = 1.0, 1.0, 0.0
    for k in range(m):
        slabs = (low[k] - corner[k]) * whole + (high[k] - low[k]) * slabs
        whole *= high[k] - corner[k]
        rest *= high[k] - low[k]
    if count < 0:
        return 0.0 if uncovered else whole
    limit = min(words.shape[1] - 2, (1 << max(64 // m - 1, 0)) - 1)
    if count > limit:
        count = _without_dominated(m, count, order, boxes, low, high)
    if count > limit and m <= CUT_UP_TO:
        k, face, upper = _cut(m, count, order, boxes, high)
        middle = low.copy()
        middle[k] = face
        total = 0.0 if uncovered else slabs
        total += _cell(m, upper, order, boxes, middle, high, words, values, uncovered)
        middle = high.copy()
        middle[k] = face
        return total + _cell(m, count, order, boxes, low, middle, words, values, uncovered)
    inner = 0.0
    if count <= 2:
        inner = _one_or_two(m, count, order, boxes, low, high)
    elif count <= limit:
        inner = _packed(m, count, order, boxes, low, high, words, values)
    else:
        _sort_by_last(m, count, order, boxes)
        top, active = np.empty(m), min(count, 0)  # not a literal 0: see `compiled`
        for i in range(count):
            row = order[i]
            for k in range(m):
                top[k] = min(boxes[row, k], high[k])
            base = _cell(m - 1, active, order, boxes, low, top, words, values, UNCOVERED)
            inner += base * (top[m - 1] - low[m - 1])
            active = _undominated(m - 1, 0, active, order, boxes, row, high)
            order[i], order[active] = order[active], row
            active += 1
    return rest - inner if uncovered else slabs + inner


@compiled
def _without_slabs(m: int, count: int, order: np.ndarray, boxes: np.ndarray, low: np.ndarray, high: np.ndarray) -> int:
    """Raise `low` over the slabs, move the boxes that reach beyond it to the front: their number, -1 if one is all."""
    for j in range(count):
        row, ends, last = order[j], 0, 0
        for k in range(m):
            if boxes[row, k] < high[k]:
                ends += 1
                last = k
        if ends == 0:
            return -1
        if ends == 1:
            low[last] = max(low[last], boxes[row, last])
    kept = 0
    for j in range(count):
        row, reaches = order[j], True
        for k in range(m):
            if boxes[row, k] <= low[k]:
                reaches = False
                break
        if reaches:
            order[j], order[kept] = order[kept], row
            kept += 1
    return kept


@compiled
def _without_dominated(
    m: int, count: int, order: np.ndarray, boxes: np.ndarray, low: np.ndarray, high: np.ndarray
) -> int:
    """Move the boxes that the largest one does not cover inside the cell to the front, after it: their number."""
    largest, best = 0, -1.0
    for j in range(count):
        size = 1.0
        for k in range(m):
            size *= min(boxes[order[j], k], high[k]) - low[k]
        if size > best:
            largest, best = j, size
    order[0], order[largest] = order[largest], order[0]
    return _undominated(m, 1, count, order, boxes, order[0], high)


@compiled
def _undominated(
    m: int, first: int, count: int, order: np.ndarray, boxes: np.ndarray, by: int, high: np.ndarray
) -> int:
    """Move those of `order[first:count]` that row `by` does not cover below `high` to the front: where they end."""
    kept = first
    for j in range(first, count):
        row = order[j]
        for k in range(m):
            if boxes[row, k] > boxes[by, k] and boxes[by, k] < high[k]:
                order[j], order[kept] = order[kept], row
                kept += 1
                break
    return kept


@compiled
def _cut(m: int, count: int, order: np.ndarray, boxes: np.ndarray, high: np.ndarray) -> tuple[int, float, int]:
    """Objective and place of a cut, and how many boxes reach beyond it; these are moved to the front."""
    objective, most = 0, 0
    for k in range(m):
        ends = 0
        for j in range(count):
            ends += boxes[order[j], k] < high[k]
        if ends > most:
            objective, most = k, ends
    faces, ends = np.empty(most), 0
    for j in range(count):
        if boxes[order[j], objective] < high[objective]:
            faces[ends] = boxes[order[j], objective]
            ends += 1
    _sort(faces)
    face, upper = faces[most // 2], 0
    for j in range(count):
        row = order[j]
        if boxes[row, objective] > face:
            order[j], order[upper] = order[upper], row
            upper += 1
    return objective, face, upper


@compiled
def _sort_by_last(m: int, count: int, order: np.ndarray, boxes: np.ndarray) -> None:
    """Sort `order[:count]` by the last objective, largest first."""
    for j in range(1, count):
        row, place = order[j], j
        while place > 0 and boxes[order[place - 1], m - 1] < boxes[row, m - 1]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = row


@compiled
def _one_or_two(m: int, count: int, order: np.ndarray, boxes: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Volume that up to two boxes cover above `low`."""
    if count == 0:
        return 0.0
    first, second, both = 1.0, 1.0, 1.0
    for k in range(m):
        a, b = min(boxes[order[0], k], high[k]) - low[k], min(boxes[order[count - 1], k], high[k]) - low[k]
        first *= a
        second *= b
        both *= min(a, b)
    return first if count == 1 else first + (second - both)


@compiled
def _sort(numbers: np.ndarray) -> None:
    """Sort positive numbers in place: their bits as words, so that numba compiles one sort only."""
    numbers.view(np.uint64).sort()


@compiled
def _packed(
    m: int,
    count: int,
    order: np.ndarray,
    boxes: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    words: np.ndarray,
    values: np.ndarray,
) -> float:
    """Volume that the boxes cover of a cell without slabs, by words that are sorted by the last objective."""
    bits = np.uint64(64 // m)
    guards = ZERO
    rows, column = words[2 * m, :count], values[m, :count]
    rows[:] = ZERO
    for k in range(m):
        shift = np.uint64(k) * bits
        guards |= ONE << (shift + bits - ONE)
        for j in range(count):
            column[j] = min(boxes[order[j], k], high[k])
        values[k, 0] = low[k]
        for j in range(count):
            rank = 1  # counted: vector instructions make this faster than sorting
            for i in range(count):
                rank += column[i] < column[j]
            rows[j] |= np.uint64(rank) << shift
            values[k, rank] = column[j]
    _sort(rows)
    for j in range(count // 2):
        rows[j], rows[count - 1 - j] = rows[count - 1 - j], rows[j]
    return _volume(m, count, words, ZERO, bits, guards, values)


@compiled
def _volume(
    m: int, count: int, words: np.ndarray, low: np.uint64, bits: np.uint64, guards: np.uint64, values: np.ndarray
) -> float:
    """Volume above `low` of the boxes `words[2 * m, :count]`, sorted by their last objective, largest first."""
    if m == 3:
        return _volume_of_three(count, words, low, bits, values)
    rows, active, limited = words[2 * m], words[2 * m + 1], words[2 * m - 2]
    last = np.uint64(m - 1)
    shift = last * bits
    below = (ONE << shift) - ONE  # the fields of the other objectives
    guards &= below
    base = values[last, low >> shift]
    low &= below
    size, total = 0, 0.0  # of `active`: the boxes so far in the other objectives, as words in descending order
    for i in range(count):
        row = rows[i] & below
        corner, kept, place, covered = low, 0, 0, False
        while place < size and active[place] >= row:
            if ((active[place] | guards) - row) & guards == guards:
                covered = True
                break
            limited[kept], corner, ends = _limit(active[place], row, corner, guards, bits)
            kept += ends
            place += 1
        if covered:
            continue
        end = place
        for j in range(place, size):
            other = active[j]
            limited[kept], corner, ends = _limit(other, row, corner, guards, bits)
            kept += ends
            active[end] = other
            end += ((row | guards) - other) & guards != guards
        if corner != low:
            found, kept = kept, 0
            for j in range(found):
                other = limited[j]
                limited[kept] = other
                kept += ((corner | guards) - other) & guards == ZERO
        alone = _box(m - 1, row, corner, bits, values)
        if kept > 2:
            alone -= _volume(m - 1, kept, words, corner, bits, guards, values)
        elif kept > 0:
            alone -= _box(m - 1, limited[0], corner, bits, values)
            if kept == 2:
                both, _, _ = _limit(limited[0], limited[1], corner, guards, bits)
                alone -= _box(m - 1, limited[1], corner, bits, values) - _box(m - 1, both, corner, bits, values)
        total += alone * (values[last, rows[i] >> shift] - base)
        for j in range(end, place, -1):
            active[j] = active[j - 1]
        active[place] = row
        size = end + 1
    return total


@compiled
def _limit(
    row: np.uint64, to: np.uint64, corner: np.uint64, guards: np.uint64, bits: np.uint64
) -> tuple[np.uint64, np.uint64, bool]:
    """A row limited to another, the corner raised if it is a slab there, whether it ends in two or more objectives."""
    ends = (((row | guards) - to) & guards) ^ guards
    fields = ends - (ends >> (bits - ONE))
    several = ends & (ends - ONE) != ZERO
    slab = ZERO if several else fields
    slab = slab if row & slab > corner & slab else ZERO
    return (row & fields) | (to & ~fields), (corner & ~slab) | (row & slab), several


@inlined
def _box(m: int, row: np.uint64, corner: np.uint64, bits: np.uint64, values: np.ndarray) -> float:
    """Volume of the box between two words."""
    field, size = (ONE << (bits - ONE)) - ONE, 1.0
    for k in range(m):
        size *= values[np.uint64(k), row & field] - values[np.uint64(k), corner & field]
        row >>= bits
        corner >>= bits
    return size


@compiled
def _volume_of_three(count: int, words: np.ndarray, low: np.uint64, bits: np.uint64, values: np.ndarray) -> float:
    """As `_volume`: a sweep over a staircase of growing first and falling second objectives."""
    rows, firsts, seconds = words[6], words[2], words[3]
    field = (ONE << (bits - ONE)) - ONE
    base = values[np.uint64(2), low >> (bits + bits)]
    ground = values[np.uint64(1), (low >> bits) & field]
    size, total = 0, 0.0
    for i in range(count):
        first, second = rows[i] & field, (rows[i] >> bits) & field
        place, left = 0, low & field
        while place < size and seconds[place] >= second:
            left = firsts[place]
            place += 1
        if left >= first:
            continue
        x, y, area, end = values[np.uint64(0), left], values[np.uint64(1), second], 0.0, place
        while end < size and firsts[end] <= first:
            right = values[np.uint64(0), firsts[end]]
            area += (right - x) * (y - values[np.uint64(1), seconds[end]])
            x = right
            end += 1
        floor = values[np.uint64(1), seconds[end]] if end < size else ground
        area += (values[np.uint64(0), first] - x) * (y - floor)
        total += area * (values[np.uint64(2), rows[i] >> (bits + bits)] - base)
        if end == place:
            for j in range(size, place, -1):
                firsts[j], seconds[j] = firsts[j - 1], seconds[j - 1]
        else:
            for j in range(end, size):
                firsts[j - end + place + 1], seconds[j - end + place + 1] = firsts[j], seconds[j]
        firsts[place], seconds[place] = first, second
        size += 1 - (end - place)
    return total
