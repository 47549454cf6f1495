"""A headless Chromium, driven over its DevTools protocol through a pipe: that needs no further package."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # a container's root cannot have one
    "--disable-gpu",
    "--enable-unsafe-swiftshader",  # WebGL without a graphics card
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-pipe",
)
LAUNCH = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for number, end in zip((3, 4), ends):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""  # puts the two ends where the protocol wants them; a shell may know no numbers of two digits
PATIENCE = 60.0  # seconds for an answer


def find_chromium() -> str | None:
    """The path of a Chromium on this machine, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Chromium:
    """A browser process; use it as a context. All it writes lies in a temporary folder.

    Raises:
        FileNotFoundError: There is no Chromium on the PATH.
        RuntimeError: It ended, or did not answer in time.
    """

    def __init__(self) -> None:
        path = find_chromium()
        if path is None:
            raise FileNotFoundError(f"A browser is needed. Found none of {', '.join(NAMES)} on the PATH.")
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        there, self._out = os.pipe()  # what it reads
        self._in, back = os.pipe()  # what it writes
        flags = (*FLAGS, f"--user-data-dir={self._profile.name}")
        command = [sys.executable, "-S", "-E", "-c", LAUNCH, str(there), str(back), path, *flags, "about:blank"]
        self._process = subprocess.Popen(
            command,
            pass_fds=(there, back),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(there)
        os.close(back)
        self._buffer = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self.call("Browser.close")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # its own session: nothing else is in it
        self._process.wait()
        os.close(self._out)
        os.close(self._in)
        self._profile.cleanup()

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; events that come in between are noted in `events`.

        Raises:
            RuntimeError: The command failed, or no answer came.
        """
        number = self._send(method, session, parameters)
        for answer in self._messages():
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                found: dict[str, Any] = answer["result"]
                return found
            if "method" in answer:
                self._note(answer)
        raise RuntimeError(f"Chromium ended before it answered {method}.")

    def _send(self, method: str, session: str, parameters: Mapping[str, Any]) -> int:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        os.write(self._out, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        return self._number

    def _note(self, event: dict[str, Any]) -> None:
        """Note an event, and close a window of `alert` and the like: the page would wait for that."""
        self.events.append(event)
        if event["method"] == "Page.javascriptDialogOpening":
            self._send("Page.handleJavaScriptDialog", event["sessionId"], {"accept": True})

    def _messages(self) -> Iterator[dict[str, Any]]:
        """What it says, until it ends or is silent for too long."""
        while True:
            while b"\0" in self._buffer:
                line, _, self._buffer = self._buffer.partition(b"\0")
                yield json.loads(line)
            if not select.select([self._in], [], [], PATIENCE)[0]:
                raise RuntimeError(f"Chromium was silent for {PATIENCE:.0f} s.")
            chunk = os.read(self._in, 1 << 20)
            if not chunk:
                return
            self._buffer += chunk

    def open(self, path: Path, width: int = 1280, height: int = 800) -> Page:
        """A page of a file, offline, in a window of that size."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, target, session, path, width, height)


class Page:
    """A page in a tab, without any network."""

    def __init__(self, browser: Chromium, target: str, session: str, path: Path, width: int, height: int) -> None:
        self._browser, self._target, self._session = browser, target, session
        self._expected: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
        self.resize(width, height)
        self.call("Page.navigate", url=path.resolve().as_uri())

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command to the page."""
        return self._browser.call(method, self._session, **parameters)

    def close(self) -> None:
        """Close the tab; what it said stays known."""
        self._browser.call("Target.closeTarget", targetId=self._target)

    def resize(self, width: int, height: int) -> None:
        """Give the window a size, in pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def evaluate(self, expression: str) -> Any:
        """The JSON value of an expression of JavaScript; promises are awaited.

        Raises:
            RuntimeError: It threw.
        """
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            about = found["exceptionDetails"]
            raise RuntimeError(about.get("exception", {}).get("description", about["text"]))
        return found["result"].get("value")

    def wait_for(self, expression: str, seconds: float = PATIENCE) -> Any:
        """The value of an expression as soon as it is true.

        Raises:
            RuntimeError: It was not in time.
        """
        end = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            if time.monotonic() > end:
                raise RuntimeError(f"{expression} was not true within {seconds:.0f} s.")
            time.sleep(0.02)
        return value

    def press(self, key: str, code: int, **more: Any) -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more)

    def drag(self, *places: tuple[float, float]) -> None:
        """Press the mouse at the first place, move it over the others, release it at the last; of one place: click."""
        self.move(*places[0])
        self._mouse("mousePressed", places[0])
        for place in places[1:]:
            self._mouse("mouseMoved", place)
        self._mouse("mouseReleased", places[-1])

    def move(self, x: float, y: float) -> None:
        """Move the mouse without a button."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def _mouse(self, kind: str, place: tuple[float, float]) -> None:
        x, y = place
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def screenshot(self, path: Path) -> None:
        """Write what is seen as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    @property
    def complaints(self) -> list[str]:
        """Exceptions and errors of the console, in order."""
        said = []
        for event in self._events():
            about = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                details = about["exceptionDetails"]
                said.append(details.get("exception", {}).get("description", details["text"]))
            elif event["method"] == "Runtime.consoleAPICalled" and about["type"] in ("error", "assert"):
                said.append(" ".join(str(part.get("value", part.get("description"))) for part in about["args"]))
            elif event["method"] == "Log.entryAdded" and about["entry"]["level"] == "error":
                said.append(about["entry"]["text"])
        return [line for line in said if not any(part in line for part in self._expected)]

    def expect_complaints(self, part: str) -> None:
        """Leave out complaints that hold this text."""
        self._expected.append(part)

    @property
    def dialogs(self) -> list[str]:
        """What windows of `alert` and the like have said."""
        return [e["params"]["message"] for e in self._events() if e["method"] == "Page.javascriptDialogOpening"]

    @property
    def requests(self) -> list[str]:
        """Addresses that the page asked for, its own and what it carries inside aside."""
        found = [e["params"]["request"]["url"] for e in self._events() if e["method"] == "Network.requestWillBeSent"]
        return [url for url in found[1:] if not url.startswith(("data:", "blob:"))]

    def _events(self) -> list[dict[str, Any]]:
        self.call("Runtime.evaluate", expression="0")  # so that what was said until now has come
        return [event for event in self._browser.events if event.get("sessionId") == self._session]
