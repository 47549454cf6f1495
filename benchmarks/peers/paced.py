"""Somebody else's loop, run a portion at a time: in a thread of its own that waits whenever its portion is done."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch


class StoppedError(Exception):
    """Raised inside of a loop that is not to go on."""


class Paced:
    """A function that calls `tick` before each transition, and pauses there once so many of them have been made.

    Only one of the two threads runs at a time, so that what is drawn from global streams keeps its order.

    Args:
        work: Takes `tick`.

    Attributes:
        ended: Whether it has returned.
    """

    def __init__(self, work: Callable[[Callable[[], None]], None]) -> None:
        self.ended = False
        self._work = work
        self._due, self._made = 0, 0
        self._stopping = False
        self._error: BaseException | None = None
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread: threading.Thread | None = None

    def advance(self, transitions: int) -> int:
        """Let it make so many transitions; how many it made, fewer where it ended.

        Raises:
            BaseException: What it raised.
        """
        if self.ended:
            return 0
        self._due, before = transitions, self._made
        self._resume()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return self._made - before

    def stop(self) -> None:
        """End it where it waits."""
        if self._thread is not None and not self.ended:
            self._stopping = True
            self._resume()
        self.ended = True

    def _resume(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._go.release()
        self._back.acquire()

    def _run(self) -> None:
        torch.set_num_threads(1)  # of this thread: the setting is not inherited
        self._go.acquire()
        try:
            self._work(self._tick)
        except StoppedError:
            pass
        except BaseException as error:  # it is raised where the loop is waited for
            self._error = error
        finally:
            self.ended = True
            self._back.release()

    def _tick(self) -> None:
        while self._due == 0:
            self._back.release()
            self._go.acquire()
            if self._stopping:
                raise StoppedError
        self._due -= 1
        self._made += 1
