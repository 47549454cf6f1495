"""Arrays that several processes see: one file, mapped into the memory of each."""

from __future__ import annotations

import os
import tempfile
from typing import NamedTuple

import numpy as np

ROWS = 1024  # of a round; larger batches take several


class Board(NamedTuple):
    """What is handed to and fro, row by row.

    Attributes:
        numbers: Of the simulators, int32 `[ROWS]`; -1: an empty row.
        actions: float64 `[ROWS, a]`.
        observations: float64 `[ROWS, o]`.
        rewards: float64 `[ROWS, m]`.
        terminated, truncated: uint8 `[ROWS]`.
    """

    numbers: np.ndarray
    actions: np.ndarray
    observations: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


def board(path: str, observed: int, acted: int, objectives: int) -> Board:
    """The arrays in a file of the right size, for observations, actions and rewards of so many numbers."""
    shapes: list[tuple[tuple[int, ...], type]] = [
        ((ROWS, acted), np.float64),
        ((ROWS, observed), np.float64),
        ((ROWS, objectives), np.float64),
        ((ROWS,), np.int32),
        ((ROWS,), np.uint8),
        ((ROWS,), np.uint8),
    ]
    place, arrays = 0, []
    for shape, kind in shapes:
        arrays.append(np.memmap(path, dtype=kind, mode="r+", offset=place, shape=shape).view(np.ndarray))
        place += arrays[-1].nbytes
    actions, observations, rewards, numbers, terminated, truncated = arrays
    return Board(numbers, actions, observations, rewards, terminated, truncated)


def new_file(observed: int, acted: int, objectives: int) -> str:
    """The path of a fresh file that holds a board: in memory where the system has a folder for that."""
    memory = "/dev/shm"
    file, path = tempfile.mkstemp(prefix="moo-", dir=memory if os.path.isdir(memory) else None)
    os.ftruncate(file, ROWS * (8 * (observed + acted + objectives) + 4 + 2))
    os.close(file)
    return path
