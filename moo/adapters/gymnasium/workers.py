"""Simulators in worker processes: steps go over shared memory, the word to take them over a pipe to each process."""

from __future__ import annotations

import contextlib
import os
import pickle
import selectors
import subprocess
import sys
import weakref
from collections.abc import Sequence
from typing import Any

import cloudpickle
import numpy as np

from moo.adapters.gymnasium.shared import ROWS, Board, board, new_file
from moo.adapters.gymnasium.simulators import Job, Make, Outcome

START = "from moo.adapters.gymnasium.worker import main; main()"


class Workers:
    """Processes that share out simulators by their numbers.

    Each is a fresh Python interpreter (nothing is forked, and the caller's script is not run again); what makes an
    environment is handed over by cloudpickle, so that functions of a script or notebook will do. A process ends when
    this one does, however it does.

    Args:
        make: Gives an environment.
        label: What to call it in messages.
        widths: Numbers of an observation, an action and a reward.
        count: Processes.

    Raises:
        RuntimeError: A process cannot begin; or later, an environment raised, or a process died.
        TypeError: `make` cannot be handed to another process.
    """

    def __init__(self, make: Make, label: str, widths: tuple[int, int, int], count: int) -> None:
        try:
            packed = cloudpickle.dumps(make)
        except Exception as error:
            raise TypeError(
                f"What makes {label} cannot be handed to worker processes: {type(error).__name__}: {error}. "
                "Give a function that makes it there, or workers=0."
            ) from error
        self._label, self._widths = label, widths
        file = new_file(*widths)
        self._board: Board = board(file, *widths)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._end = weakref.finalize(self, _end, self._processes)
        try:
            for number in range(count):
                process = subprocess.Popen([sys.executable, "-c", START], stdin=-1, stdout=-1, env=_environment())
                self._processes.append(process)
                hello = {"path": sys.path, "make": packed, "label": label, "file": file, "widths": widths}
                self._send(number, hello | {"number": number, "of": count})
                self._send(number, "greet")
            for number in range(count):
                self._receive(number, "began")
        except BaseException:
            self.close()
            raise
        finally:
            os.unlink(file)  # the processes have it open: it goes with the last of them, even if all are killed

    @property
    def pids(self) -> list[int]:
        """Of the processes."""
        return [process.pid for process in self._processes]

    def begin(self, jobs: Sequence[Job]) -> np.ndarray:
        """Observations `[k, o]` where k simulators stand after their jobs."""
        count = len(self._processes)
        shares = [[place for place, job in enumerate(jobs) if job[0] % count == number] for number in range(count)]
        seen = np.empty((len(jobs), self._widths[0]))
        told = self._round([[jobs[place] for place in share] or None for share in shares], "began episodes")
        for share, rows in zip(shares, told, strict=True):
            if share:
                seen[share] = rows
        return seen

    def step(self, numbers: np.ndarray, actions: np.ndarray) -> Outcome:
        """A step of each of those simulators, with actions `[k, a]`."""
        parts = []
        for start in range(0, len(numbers), ROWS):
            part = slice(start, start + ROWS)
            parts.append(self._step(numbers[part], actions[part]))
        return (
            parts[0] if len(parts) == 1 else Outcome(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        )

    def _step(self, numbers: np.ndarray, actions: np.ndarray) -> Outcome:
        k, on = len(numbers), self._board
        on.numbers[:] = -1
        on.numbers[:k], on.actions[:k] = numbers, actions
        busy = set((numbers % len(self._processes)).tolist())
        self._round(["step" if number in busy else None for number in range(len(self._processes))], "stepped")
        return Outcome(
            on.observations[:k].copy(),
            on.rewards[:k].copy(),
            on.terminated[:k].astype(bool),
            on.truncated[:k].astype(bool),
        )

    # ------------------------------------------------------------------------------------------ talking
    def _round(self, orders: Sequence[Any], what: str) -> list[Any]:
        """Give each process its order (None: nothing to do) and gather the replies of all before judging any.

        Raises:
            RuntimeError: An environment raised, or a process died: then all are ended.
        """
        try:
            for number, order in enumerate(orders):
                if order is not None:
                    self._send(number, None if order == "step" else order)
            replies = self._replies([number for number, order in enumerate(orders) if order is not None], what)
        except BaseException:  # somebody died, or Ctrl-C: replies may be outstanding, nothing more can be understood
            self.close()
            raise
        for said, value in replies.values():
            if said == "raised":
                raise RuntimeError(value)
        return [replies[number][1] if number in replies else None for number in range(len(orders))]

    def _replies(self, asked: list[int], what: str) -> dict[int, tuple[str, Any]]:
        """What those processes answer, in the order in which they do: the death of one ends the wait for all."""
        replies: dict[int, tuple[str, Any]] = {}
        with selectors.DefaultSelector() as waiting:
            for number in asked:
                waiting.register(self._processes[number].stdout, selectors.EVENT_READ, number)  # type: ignore[arg-type]
            while len(replies) < len(asked):
                for key, _ in waiting.select():
                    replies[key.data] = self._reply(key.data, what)
                    waiting.unregister(key.fileobj)
        return replies

    def _send(self, number: int, order: Any) -> None:
        process = self._processes[number]
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the reply will be missing, and that is told
            pickle.dump(order, process.stdin)
            process.stdin.flush()

    def _reply(self, number: int, what: str) -> tuple[str, Any]:
        process = self._processes[number]
        assert process.stdout is not None
        try:
            reply: tuple[str, Any] = pickle.load(process.stdout)
        except (EOFError, pickle.UnpicklingError) as error:
            raise RuntimeError(self._lost(number, what)) from error
        return reply

    def _receive(self, number: int, what: str) -> Any:
        reply = self._reply(number, what)
        if reply[0] == "raised":
            raise RuntimeError(f"A worker process of {self._label} cannot begin: {reply[1]}")
        return reply[1]

    def _lost(self, number: int, what: str) -> str:
        """What is known of a process that does not answer."""
        process = self._processes[number]
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
        code = process.returncode
        how = (
            "closed its pipe" if code is None else f"was killed by signal {-code}" if code < 0 else f"left with {code}"
        )
        return (
            f"Worker process {number + 1} of {len(self._processes)} (pid {process.pid}) of environment {self._label} "
            f"{how} while it {what}. A crash of the simulator or too little memory does that: try fewer workers, or "
            "workers=0 to see it happen here. Nothing is lost of a search with a checkpoint: call it again."
        )

    def close(self) -> None:
        """End all processes."""
        self._end()


def _environment() -> dict[str, str]:
    """Of a worker: one thread for whatever computes there, since there are several of them."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    path = os.pathsep.join(part for part in sys.path if part)
    return {**os.environ, **threads, "PYTHONPATH": path, "PYGAME_HIDE_SUPPORT_PROMPT": "1"}


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """End processes: they leave when their pipe is closed; who does not is killed."""
    for process in processes:
        with contextlib.suppress(OSError):
            assert process.stdin is not None
            process.stdin.close()
    for process in processes:
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
    processes.clear()
