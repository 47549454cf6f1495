"""The one place that turns objectives between a problem's own directions and the inside, where all are maximised.

Behind `Metered` every objective is maximised; what a person touches is in the problem's own directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    Numbers = TypeVar("Numbers", torch.Tensor, NDArray[np.float64])

DIRECTIONS = ("min", "max")


def check_directions(directions: str | Sequence[str] | None, num_objectives: int) -> tuple[str, ...]:
    """Return one of `"min"` and `"max"` per objective; a single word stands for all of them.

    Raises:
        ValueError: None was given, a word is neither of the two, or their number differs from `num_objectives`.
    """
    if directions is None:
        raise ValueError(
            '`directions` is missing: say "min", "max" or one of them per objective, '
            f"as in directions={list(('min', 'max') * num_objectives)[:num_objectives]}."
        )
    words = (directions,) * num_objectives if isinstance(directions, str) else tuple(directions)
    if isinstance(directions, str) and directions in DIRECTIONS:
        return words
    wrong = [word for word in words if word not in DIRECTIONS]
    if wrong:
        raise ValueError(f'`directions` should hold only "min" and "max". Found {wrong[0]!r}.')
    if len(words) != num_objectives:
        raise ValueError(f"`directions` should name one per objective ({num_objectives}). Found {len(words)}: {words}.")
    return words


def signs(directions: Sequence[str], like: Numbers) -> Numbers:
    """`+1` for a maximised and `-1` for a minimised objective, `[m]`: as `like` an array or a tensor, on its device."""
    import numpy as np
    import torch

    numbers = [1.0 if word == "max" else -1.0 for word in directions]
    if isinstance(like, np.ndarray):
        return np.array(numbers, dtype=like.dtype)
    return torch.tensor(numbers, dtype=like.dtype, device=like.device)


def turn(objectives: Numbers, directions: Sequence[str]) -> Numbers:
    """Turn objectives `[..., m]` from the problem's directions to the inside, or back: it is its own inverse."""
    if "min" not in directions:
        return objectives
    return objectives * signs(directions, objectives) if "max" in directions else -objectives
