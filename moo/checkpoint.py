"""Checkpoints: a folder that holds what a run needs to go on, for one process at a time.

Two states are kept. `state/` is the last one that does not depend on the budget: from it a larger budget goes on. Once
the budget has cut a batch or rollout short, what follows depends on it and goes to `tail/`, for the same budget alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from moo.journal import Journal
from moo.storage import FORMAT, read_json, read_state, refuse_other_run, write_json, write_state

COST_SHARE = 50  # a checkpoint is due when the last one is older than this many times its cost
SOONEST = 5.0  # seconds; the journal keeps what was paid, so a kill loses some computing, no evaluation


class Checkpoint:
    """The folder `checkpoint/` of a run: `state/`, `tail/` and `journal.npy`, beside the run's `cell.json`.

    Args:
        folder: The run's folder; made where it is missing.
        config: What the run is. Everything but the budget and the settings of the report has to be as it was.

    Attributes:
        budget: Of the run that the folder held; None where it held none.
        state: Where that run stood; None where it was stored nowhere.
        journal: Its evaluated rows.

    Raises:
        ValueError: The folder holds another run's data, or files of something else.
        RuntimeError: Another process works in it.
    """

    def __init__(self, folder: str | Path, config: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self._inner = self.folder / "checkpoint"
        try:
            self._inner.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ValueError(f"`checkpoint` should be a folder. {self.folder} is a file.") from error
        self._lock = FileLock(self._inner / ".lock", timeout=0)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise RuntimeError(f"Another run works in {self.folder}. Wait for it, or choose another folder.") from error
        try:
            refuse_other_run(self.folder, config)
            self.state = self._newest(config["budget"])
            self.journal = Journal(self._inner / "journal.npy")
        except BaseException:
            self._lock.release()
            raise
        cell = self.folder / "cell.json"
        self.budget: int | None = read_json(cell)["budget"] if cell.exists() else None
        self._config = config
        self._saved = time.monotonic()
        self._cost = 0.0

    def _newest(self, budget: int) -> Any:
        tail = read_state(self._inner / "tail")
        return tail["run"] if tail is not None and tail["budget"] == budget else read_state(self._inner / "state")

    def begin(self) -> None:
        """Write down what the run is, its budget now included."""
        write_json(self.folder / "cell.json", {"format": FORMAT, **self._config})

    @property
    def due(self) -> bool:
        """Whether the last one is old enough for the next to cost less than a fiftieth of the time."""
        return time.monotonic() - self._saved > max(SOONEST, COST_SHARE * self._cost)

    def save(self, state: Mapping[str, Any], *, trimmed: bool) -> None:
        """Replace the stored state.

        Args:
            state: Of the run.
            trimmed: Whether it depends on the budget.

        Raises:
            OSError: It could not be written; the old one stays whole.
        """
        start = time.monotonic()
        if trimmed:
            write_state(self._inner / "tail", {"budget": self._config["budget"], "run": state})
        else:
            write_state(self._inner / "state", state)
        self._saved = time.monotonic()
        self._cost = self._saved - start

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.journal.close()
        self._lock.release()
