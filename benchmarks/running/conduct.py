"""How the cells of a suite are run, as a person says it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from moo.benchmarks.running.machine import git_state
from moo.benchmarks.running.on_disk import Task
from moo.benchmarks.running.one_cell import Job, device_of
from moo.benchmarks.running.slots import Slots
from moo.benchmarks.suites import Cell
from moo.checks import check_count, check_number, unknown_name


@dataclass(frozen=True)
class Conduct:
    """How cells are run.

    Attributes:
        backend: The engine with its options: `"auto"` (`"serial"` for one worker, else `"loky"`), `"ray:address=auto"`.
        workers: Processes, or jobs of a batch system; None: one with `"auto"`, else as many as there are cores.
        retry_failed: Whether cells are run again that failed or crashed before.
        force: Whether cells are run again that are done, from their start.
        timeout: Seconds that a cell may take, over all of its starts; it is stopped at the end of the step in which
            they are up, and keeps its checkpoint. None: as long as it wants.
        device: Where cells compute: `"auto"`, `"cpu"`, `"cuda"`, or by method's name, `"*"` being all others. Those on
            `"cuda"` are a pool of their own.
        gpus: Of this machine, for these cells; None: all.
        per_gpu: Cells on each GPU at once.

    Raises:
        TypeError, ValueError: One of them breaks a rule.
    """

    backend: str = "auto"
    workers: int | None = None
    retry_failed: bool = False
    force: bool = False
    timeout: float | None = None
    device: str | Mapping[str, str] = "auto"
    gpus: int | None = None
    per_gpu: int = 1

    def __post_init__(self) -> None:
        if self.workers is not None:
            check_count("workers", self.workers)
        if self.timeout is not None:
            check_number("timeout", self.timeout, "in seconds")
        if self.gpus is not None:
            check_count("gpus", self.gpus)
        check_count("per_gpu", self.per_gpu)
        for device in self.devices.values():
            if device not in ("auto", "cpu", "cuda"):
                raise ValueError(unknown_name("device", device, ("auto", "cpu", "cuda")))

    @property
    def devices(self) -> Mapping[str, str]:
        """By method."""
        return {"*": self.device} if isinstance(self.device, str) else self.device

    def task(self, cell: Cell, replaces: int | None, why: str = "") -> Task:
        """A cell that is to be run."""
        return Task(cell, replaces, why, gpu=device_of(cell, self.devices) == "cuda")

    def job(self, out: Path) -> Job:
        """What a worker does with a cell of a suite's folder."""
        gpus = torch.cuda.device_count() if self.gpus is None else self.gpus
        slots = Slots(gpus if "cuda" in self.devices.values() else 0, self.per_gpu)
        place = out.absolute()  # processes serve again, and keep the working directory that they began in
        return Job(place, uuid.uuid4().hex[:12], self.timeout, dict(self.devices), slots, git_state())
