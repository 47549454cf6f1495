"""Random streams: one seed in, and a child for every name and step, so that no two parts share a stream.

Children come from `numpy.random.SeedSequence([seed, crc32(name), step])`: the same on every platform and in every
process, whatever else was drawn. Nothing in the library draws from a global generator.
"""

from __future__ import annotations

import contextlib
import random
import warnings
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def _child(seed: int, name: str, step: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([seed, zlib.crc32(name.encode()), step])


def child_seed(seed: int, name: str, step: int = 0) -> int:
    """A seed below 2**63 for the part called `name` at its `step`."""
    return int(_child(seed, name, step).generate_state(1, np.uint64)[0] >> np.uint64(1))


def numpy_generator(seed: int, name: str, step: int = 0) -> np.random.Generator:
    """A numpy generator of its own for the part called `name` at its `step`."""
    return np.random.default_rng(_child(seed, name, step))


def torch_generator(seed: int, name: str, step: int = 0, device: str = "cpu") -> torch.Generator:
    """A torch generator of its own, on `device`, for the part called `name` at its `step`."""
    import torch

    return torch.Generator(device=device).manual_seed(child_seed(seed, name, step))


@contextlib.contextmanager
def quiet_fork(seed: int) -> Iterator[None]:
    """Global random streams seeded for library code that draws from them, and restored; its warnings are not shown."""
    import torch

    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(), warnings.catch_warnings():
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
