"""Replay: the newest objects of a run, from which a GFlowNet goes on learning without an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class Replay:
    """The newest finished objects with their objectives.

    Args:
        capacity: Objects kept.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._objects: Tensor | None = None
        self._objectives: Tensor | None = None

    def __len__(self) -> int:
        return 0 if self._objects is None else len(self._objects)

    def add(self, objects: Tensor, objectives: Tensor) -> None:
        """Take in finished states `[n, ...]` and objectives `[n, m]`; the oldest make room."""
        if self._objects is not None and self._objectives is not None:
            objects = torch.cat([self._objects, objects])
            objectives = torch.cat([self._objectives, objectives])
        self._objects, self._objectives = objects[-self.capacity :], objectives[-self.capacity :]

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`n` objects drawn with replacement, and their objectives.

        Raises:
            RuntimeError: Nothing is kept yet.
        """
        if self._objects is None or self._objectives is None:
            raise RuntimeError("Nothing can be replayed before something was added.")
        which = torch.randint(0, len(self._objects), (n,), generator=generator)
        return self._objects[which], self._objectives[which]

    def state_dict(self) -> dict[str, Any]:
        """All rows kept."""
        return {"objects": self._objects, "objectives": self._objectives}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with stored rows."""
        self._objects, self._objectives = state["objects"], state["objectives"]
