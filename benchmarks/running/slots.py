"""GPUs that the cells of one machine share: each has some slots, and a slot is a lock that frees itself on death."""

from __future__ import annotations

import contextlib
import getpass
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock, Timeout

SECONDS = 0.1  # between two looks for a free slot


@dataclass(frozen=True)
class Slots:
    """How many cells may compute on GPUs at once.

    Attributes:
        gpus: Of this machine; 0: whoever starts the process has seen to it.
        per_gpu: Cells on each of them.
    """

    gpus: int = 0
    per_gpu: int = 1

    @property
    def count(self) -> int:
        """Of all slots."""
        return self.gpus * self.per_gpu

    @contextlib.contextmanager
    def held(self, wanted: bool) -> Iterator[int | None]:
        """Wait for a slot and hold it, also against other programs of ours; torch's "cuda" is its GPU inside.

        Gives:
            The GPU's number; None where none is wanted or there is nothing to share.
        """
        if not wanted or not self.count:
            yield None
            return
        while True:
            for number in range(self.count):
                gpu = number % self.gpus  # one cell on each, before a second one joins any
                lock = FileLock(slot_file(gpu, number // self.gpus), timeout=0)
                with contextlib.suppress(Timeout):
                    lock.acquire()
                    break
            else:
                time.sleep(SECONDS)
                continue
            break
        try:
            if torch.cuda.is_available():
                torch.cuda.set_device(gpu)
            yield gpu
        finally:
            lock.release()


NONE = Slots()  # to deal out


def slot_file(gpu: int, number: int) -> Path:
    """The lock of a slot, by the name that a GPU has for all processes of the machine."""
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    name = visible[gpu] if gpu < len(visible) else str(gpu)
    return Path(tempfile.gettempdir()) / f"moo-gpu-{getpass.getuser()}-{name}-{number}.lock"
