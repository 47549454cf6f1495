"""Which simulator stands where: simulators are a memory of where episodes have come, no more."""

from __future__ import annotations

import hashlib

import numpy as np

MOST = 512  # simulators, unless a batch needs more


def key_of(seed: int) -> bytes:
    """What stands for the beginning of an episode."""
    return hashlib.blake2b(seed.to_bytes(8, "little"), digest_size=8).digest()


def key_after(key: bytes, action: bytes) -> bytes:
    """What stands for where an action leads: two episodes have the same key where seed and actions are the same."""
    return hashlib.blake2b(key + action, digest_size=8).digest()


class Places:
    """Simulators by the key of the place where each of them stands.

    A simulator whose episode is over is free. One that was left in the middle of an episode stays where it is until
    there are `most`: then the one that has stood still longest is taken.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most, self._count = most, 0
        self._at: dict[bytes, tuple[int, np.ndarray | None]] = {}  # in the order of their last step
        self._free: list[int] = []

    def __len__(self) -> int:
        return self._count

    def seen(self, key: bytes) -> np.ndarray | None:
        """The observation noted when a simulator came there, or None."""
        return self._at.get(key, (0, None))[1]

    def take(self, key: bytes) -> int | None:
        """The simulator that stands there, which then stands nowhere; None: there is none."""
        found = self._at.pop(key, None)
        return None if found is None else found[0]

    def any(self) -> int:
        """A simulator that nobody needs."""
        if self._free:
            return self._free.pop()
        if self._count < self._most or not self._at:
            self._count += 1
            return self._count - 1
        return self._at.pop(next(iter(self._at)))[0]

    def put(self, key: bytes, number: int, seen: np.ndarray | None = None) -> None:
        """Note that a simulator stands there."""
        twin = self.take(key)
        if twin is not None:
            self.release(twin)
        self._at[key] = (number, seen)

    def release(self, number: int) -> None:
        """Note that nobody needs a simulator."""
        self._free.append(number)
