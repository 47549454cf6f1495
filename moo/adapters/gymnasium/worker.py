"""A worker process: it steps its simulators when told so, and ends with whoever told it."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from typing import Any

import numpy as np


def main() -> None:
    """Serve the process at the other end of standard input and output until that end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that collects the steps
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what an environment prints must not be taken for a reply
    _end_with(os.getppid())
    orders = sys.stdin.buffer
    hello = pickle.load(orders)
    sys.path[:] = hello["path"]
    serve = None
    while True:
        try:
            order = pickle.load(orders)
        except EOFError:  # nobody is there any more
            os._exit(0)
        try:
            if serve is None:
                serve = _Server(hello)
            reply: tuple[str, Any] = ("done", serve.obey(order))
        except Exception as error:
            reply = ("raised", str(error) if isinstance(error, RuntimeError) else f"{type(error).__name__}: {error}")
        pickle.dump(reply, replies)
        replies.flush()


def _end_with(parent: int) -> None:
    """End when the parent has ended, also where a step never does."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Server:
    """The simulators whose numbers leave the remainder `number` when divided by `of`."""

    def __init__(self, hello: dict[str, Any]) -> None:
        from moo.adapters.gymnasium.shared import board
        from moo.adapters.gymnasium.simulators import Simulators

        make = pickle.loads(hello["make"])
        self._simulators = Simulators(make, hello["label"], hello["widths"][2])
        self._board = board(hello["file"], *hello["widths"])
        self._number, self._of = hello["number"], hello["of"]

    def obey(self, order: Any) -> Any:
        """Greet, begin episodes (a list of jobs), or step the rows of the board that are ours (None)."""
        if order == "greet":
            return os.getpid()
        if order is not None:
            return [self._simulators.begin(job) for job in order]
        on = self._board
        for row in np.flatnonzero((on.numbers >= 0) & (on.numbers % self._of == self._number)).tolist():
            told = self._simulators.step(int(on.numbers[row]), on.actions[row].copy())
            on.observations[row], on.rewards[row], on.terminated[row], on.truncated[row] = told
        return None
