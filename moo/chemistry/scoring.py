"""What a dear function says of texts: each is asked once, here or in several processes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch

from moo.base import Evaluation
from moo.checks import check_count
from moo.chemistry.outcomes import Function, Outcome, leave_ctrl_c, outcomes_of

CAPACITY = 500_000  # texts remembered: some 200 MB
CHUNK = 32  # texts that a process is handed at once


class Scorer:
    """A function of one text as an evaluation of many, with a memory.

    Neither memory nor processes change a value. What the function raises makes a text's row a failed one, and so does
    the death of the process that was at it; a text that was lost so is asked again when it comes back.

    Args:
        function: Gives `num_objectives` numbers for a text. It must be found by name in another process.
        num_objectives: m.
        workers: Processes; 1: this one.
        capacity: Texts remembered; the oldest are forgotten.

    Raises:
        TypeError: `workers` is no whole number.
        ValueError: `workers` is below 1.
    """

    def __init__(self, function: Function, num_objectives: int, *, workers: int = 1, capacity: int = CAPACITY) -> None:
        self.function, self.num_objectives, self.capacity = function, num_objectives, capacity
        self.workers = check_count("workers", workers)
        self._known: dict[str, Outcome] = {}
        self._pool: Any = None

    def __call__(self, texts: Sequence[str]) -> Evaluation:
        """Objectives `[n, m]` of `n` texts, the failed ones flagged."""
        found = {text: self._known.get(text) for text in texts}
        new = [text for text, outcome in found.items() if outcome is None]
        for text, outcome in zip(new, self._asked(new), strict=True):
            found[text] = "the process that evaluated it died" if outcome is None else outcome
            if outcome is not None:
                self._known[text] = outcome
        for text in list(islice(self._known, max(0, len(self._known) - self.capacity))):
            del self._known[text]
        return self._evaluation([found[text] for text in texts])

    def _evaluation(self, outcomes: Sequence[Outcome | None]) -> Evaluation:
        reasons = {row: outcome for row, outcome in enumerate(outcomes) if isinstance(outcome, str)}
        lost = (float("nan"),) * self.num_objectives
        rows = [lost if row in reasons else outcome for row, outcome in enumerate(outcomes)]
        failed = torch.zeros(len(rows), dtype=torch.bool)
        failed[list(reasons)] = True
        objectives = torch.tensor(rows, dtype=torch.float64).reshape(-1, self.num_objectives)
        return Evaluation(objectives, failed=failed, reasons=reasons)

    # ------------------------------------------------------------------------------------------ asking
    def _asked(self, texts: list[str]) -> list[Outcome | None]:
        """What the function says of each text; None where its process died."""
        if self.workers == 1 or not texts:
            return list(outcomes_of(self.function, self.num_objectives, texts))
        if self._pool is None:
            self._pool = _pool_of(self.workers)
        chunks = [texts[first : first + CHUNK] for first in range(0, len(texts), CHUNK)]
        try:
            outcomes = self._shared(self._pool, chunks)
        except KeyboardInterrupt:  # a second Ctrl-C does not wait for what the processes are at
            self._end_pool()
            raise
        lost = [row for row, outcome in enumerate(outcomes) if outcome is None]
        if lost:
            self._end_pool()
            for row, outcome in zip(lost, self._apart([texts[row] for row in lost]), strict=True):
                outcomes[row] = outcome
        return outcomes

    def _apart(self, texts: list[str]) -> list[Outcome | None]:
        """The same in one process of their own; where it dies, in one for each half, until the fatal text is alone."""
        with _pool_of(1) as pool:
            outcomes = self._shared(pool, [texts])
        if len(texts) == 1 or None not in outcomes:
            return outcomes
        half = len(texts) // 2
        return self._apart(texts[:half]) + self._apart(texts[half:])

    def _shared(self, pool: Any, chunks: list[list[str]]) -> list[Outcome | None]:
        futures = [pool.submit(outcomes_of, self.function, self.num_objectives, chunk) for chunk in chunks]
        outcomes: list[Outcome | None] = []
        for future, chunk in zip(futures, chunks, strict=True):
            try:
                outcomes += future.result()
            except Exception:  # the pool is broken: what was not done yet is lost
                outcomes += [None] * len(chunk)
        return outcomes

    def _end_pool(self) -> None:
        pool, self._pool = self._pool, None
        pool.shutdown(kill_workers=True)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None, "_known": {}}  # a copy in another process begins anew


def _pool_of(workers: int) -> Any:
    """Processes; idle ones end after a minute."""
    from joblib.externals.loky import ProcessPoolExecutor  # a pool of our own: the reusable one is joblib's

    return ProcessPoolExecutor(max_workers=workers, timeout=60, initializer=leave_ctrl_c)
