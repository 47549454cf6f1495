"""What a suite survives: workers and programs that are killed, a full disk, damaged files.

`python -m moo.benchmarks.perf.faults` prints how each scenario went. After each, the same command runs again; the CSV
of the report has to be that of a run that nothing happened to, byte for byte.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from moo.benchmarks.claims import Measurement
from moo.benchmarks.reports.loading import load_report
from moo.benchmarks.reports.rendering import render
from moo.benchmarks.running.on_disk import cell_folder
from moo.benchmarks.suites import cells, find_suite
from moo.storage import DamagedFileError

WORKERS = 2
PATIENCE = 300.0  # seconds for something to happen
SUITE = """
name: faults
problems:
  - {{callable: "{file}:slow", bounds: "0:1,0:1", directions: "min,min", name: slow, vectorized: false}}
methods: ["random:batch=20", "nsga2:population=20"]
seeds: {seeds}
budget: 200
"""
FUNCTION = """
import time

def slow(x):
    time.sleep(0.002)
    return [x[0], 1 - x[0] + x[1]]
"""


class Place:
    """A folder with a suite, and calls of `moo bench` on it.

    Args:
        folder: An empty one.
        seeds: Of the suite, for each of its two methods.
    """

    def __init__(self, folder: Path, seeds: int) -> None:
        (folder / "functions.py").write_text(FUNCTION)
        self.file, self.folder = folder / "suite.yaml", folder
        self.file.write_text(SUITE.format(file=folder / "functions.py", seeds=seeds))
        self.cells = cells(find_suite(str(self.file)))

    def start(self, out: Path, *flags: str) -> subprocess.Popen[str]:
        """Call `moo bench` and do not wait for it."""
        command = [sys.executable, "-m", "moo.cli", "bench", str(self.file), "--out", str(out), *flags]
        # A group of its own, so that what it starts can be ended with it.
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def again(self, out: Path, *flags: str) -> tuple[int, str]:
        """Call it and wait: its exit code and what it said on standard error."""
        process = self.start(out, *flags)
        _, errors = process.communicate()
        return process.returncode, errors

    def report(self, out: Path) -> str:
        """The exact numbers of the report."""
        text: str = render(load_report(out), form="csv")
        return text


def wait(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for a condition.

    Raises:
        RuntimeError: The process ended before, or it took too long.
    """
    until = time.monotonic() + PATIENCE
    while not condition():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"nothing happened; exit code {process.poll()}")
        time.sleep(0.002)


def finished(out: Path) -> dict[str, int]:
    """When each finished cell was finished."""
    return {record.parent.name: record.stat().st_mtime_ns for record in out.glob("*/record.json")}


def some_are_done(out: Path) -> bool:
    """Whether two cells are done and another one runs."""
    return len(finished(out)) >= 2 and bool(running(out))


def running(out: Path) -> list[Path]:
    """The start markers of cells."""
    return list((out / ".running").glob("*.json"))


def killed(place: Place, out: Path, whom: Callable[[int, Path], int]) -> dict[str, Any]:
    """Kill a process when two cells are done; what was done has to stay, what was in flight to be named."""
    process = place.start(out, "--workers", str(WORKERS))
    wait(lambda: some_are_done(out), process)
    os.kill(whom(process.pid, out), signal.SIGKILL)
    _, first = process.communicate()
    before = finished(out)
    code, said = place.again(out, "--workers", str(WORKERS))
    named = said.count("cut short before")
    after = finished(out)
    return {
        "kept": all(after[name] == when for name, when in before.items()),
        "named": named <= WORKERS and (process.returncode == 0 or named > 0),
        "code": code,
        "first": process.returncode,
        "said": (first + said)[-500:],
    }


def a_worker(pid: int, out: Path) -> int:  # noqa: ARG001
    """A process that runs a cell, by its start marker."""
    for place in running(out):
        with contextlib.suppress(OSError):
            found = re.search(r'"pid": (\d+)', place.read_text())
            if found:
                return int(found[1])
    raise RuntimeError("no cell runs")


def the_program(pid: int, out: Path) -> int:  # noqa: ARG001
    """The process that was started."""
    return pid


def two_at_once(place: Place, out: Path) -> dict[str, Any]:
    """Two calls on one folder; one is killed when two cells are done, and no cell is run twice."""
    both = [place.start(out), place.start(out)]
    wait(lambda: some_are_done(out), both[0])
    before = finished(out)
    both[0].kill()
    said = [process.communicate()[1] for process in both]
    code, last = place.again(out)
    after = finished(out)
    return {"kept": all(after[name] == when for name, when in before.items()), "code": code, "said": said[1] + last}


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Callable[[str], object] | None]:
    """A file system of a few bytes in memory, and what gives it another size; None where it cannot be made."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        yield None
        return
    try:
        yield lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def full_disk(place: Place, out: Path) -> dict[str, Any]:
    """A disk that is full after two or three cells, and is given room."""
    out.mkdir()
    with small_disk(out, "160k") as resize:
        if resize is None:
            return {"impossible": "no file system can be mounted here"}
        code, said = place.again(out / "runs")
        lost = said.count("No space left on device")
        before = finished(out / "runs")
        resize("50m")
        again, _ = place.again(out / "runs", "--retry-failed")
        after = finished(out / "runs")
        kept = [name for name in before if after[name] == before[name]]
        return {
            "named": code == 1 and lost > 0,
            "kept": len(kept) > 0,
            "code": again,
            "report": place.report(out / "runs"),
            "said": said[-500:],
        }


def damaged(place: Place, out: Path) -> dict[str, Any]:
    """A torn record and a file whose bytes have changed: the first is noticed at once, the second by the report."""
    place.again(out)
    first, second = (cell_folder(cell, out) for cell in place.cells[:2])
    os.truncate(first / "record.json", 50)
    change(second / "front.npz", "objectives.npy")
    code, said = place.again(out)
    named = "record.json" in said and "is run again" in said
    try:
        place.report(out)
        named = False
    except DamagedFileError as error:
        named = named and "front.npz" in str(error)
    (second / "front.npz").unlink()  # as the message advises
    code, _ = place.again(out)
    return {"named": named, "kept": True, "code": code, "said": said[-500:]}


def change(archive: Path, member: str) -> None:
    """Change a byte of what an npz file holds under a name; its size stays."""
    with zipfile.ZipFile(archive) as file:
        about = file.getinfo(member)
    data = bytearray(archive.read_bytes())
    names = sum(
        int.from_bytes(data[about.header_offset + at : about.header_offset + at + 2], "little") for at in (26, 28)
    )
    data[about.header_offset + 30 + names + about.compress_size // 2] ^= 0xFF
    archive.write_bytes(data)


SCENARIOS: dict[str, Callable[[Place, Path], dict[str, Any]]] = {
    "a worker is killed": lambda place, out: killed(place, out, a_worker),
    "the program is killed": lambda place, out: killed(place, out, the_program),
    "one of two at once is killed": two_at_once,
    "the disk is full": full_disk,
    "files are damaged": damaged,
}


def survive(*, quick: bool) -> Measurement:
    """All scenarios; quick: on half as many cells."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), seeds=3 if quick else 6)
        place.again(Path(folder) / "whole")
        whole = place.report(Path(folder) / "whole")
        for number, (name, scenario) in enumerate(SCENARIOS.items()):
            out = Path(folder) / str(number)
            happened = scenario(place, out)
            if "impossible" not in happened:
                report = happened.pop("report", None) or place.report(out)
                happened["same"] = report == whole
            if "said" in happened:  # the last of it, from a whole line on, and not where it happened to lie
                happened["said"] = happened["said"].partition("\n")[2].replace(folder, "FOLDER")
            found[name] = happened
    wrong = [
        name
        for name, happened in found.items()
        if "impossible" not in happened
        and not (happened["same"] and happened["kept"] and happened.get("named", True) and happened["code"] == 0)
    ]
    out_of_reach = [f"{name}: {happened['impossible']}" for name, happened in found.items() if "impossible" in happened]
    fine = len(found) - len(wrong) - len(out_of_reach)
    said = f"{fine} of {len(found)} scenarios lose only what was in flight, and end with the same report"
    met = None if out_of_reach and not wrong else not wrong
    return Measurement(met, said, said, list(range(3 if quick else 6)), ", ".join([*wrong, *out_of_reach]), found)


if __name__ == "__main__":
    result = survive(quick="quick" in sys.argv)
    for name, happened in (result.details or {}).items():
        print(f"{name}: {happened}", flush=True)
    print(f"{result.median}: {result.verdict}")
