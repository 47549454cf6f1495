"""Hearing Ctrl-C, whoever handles it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def listening() -> Iterator[Callable[[], bool]]:
    """Tell whether Ctrl-C has been pressed since, whoever handled it: a search in its last step ends as planned.

    What is heard inside another one is passed on to it at the end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # signals reach the main thread alone
        return
    ear, mouth = socket.socketpair()
    with ear, mouth:
        ear.setblocking(False)
        mouth.setblocking(False)
        before = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
        heard: set[int] = set()

        def pressed() -> bool:
            with contextlib.suppress(BlockingIOError):
                heard.update(ear.recv(4096))
            return signal.SIGINT in heard

        try:
            yield pressed
        finally:
            signal.set_wakeup_fd(before, warn_on_full_buffer=False)
            if pressed() and before != -1:
                with contextlib.suppress(OSError):
                    os.write(before, bytes([signal.SIGINT]))
