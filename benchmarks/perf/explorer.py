"""How soon a page of the explorer can be used, and how large it is.

`python -m moo.benchmarks.perf.explorer` prints both for 5,000 made-up points of 10 objectives and 10 variables with as
many dominated ones, and what a brush, a slide and the view in space take.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from moo.base import Candidates
from moo.benchmarks.claims import Measurement
from moo.benchmarks.perf.chromium import Chromium, Page, find_chromium
from moo.benchmarks.perf.plots import made, sphere
from moo.plots import explore
from moo.result import SearchResult
from moo.seeding import numpy_generator
from moo.space import Space, real

SEED = 0
POINTS, OBJECTIVES, VARIABLES = 5_000, 10, 10
OPENINGS = 9
MOST_SECONDS, MOST_BYTES = 2.0, 6_000_000
READY = "document.documentElement?.dataset.ready"
NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


def large_result(points: int = POINTS, m: int = OBJECTIVES, d: int = VARIABLES) -> SearchResult:
    """A front on a sphere with random solutions, and as many additions that it dominates."""
    result = made(sphere(points, m, SEED), problem="5,000 points")
    solutions = torch.from_numpy(numpy_generator(SEED, "solutions").random((points, d)))
    used = torch.arange(1, points + 1)
    space = Space(tuple(real(0, 1, name=f"x{i + 1}") for i in range(d)))
    large: SearchResult = replace(
        result,
        front=Candidates.of(solutions, result.objectives, None, used=used),
        additions=Candidates.of(solutions.flip(0), 1.1 * result.objectives, None, used=used),
        config={**result.config, "space": space.to_json(), "kind": "vector"},
    )
    return large


def seconds_of(page: Page, action: str) -> float:
    """From before an action in the page, statements of JavaScript, until its frame is done."""
    timed = f"const began = performance.now(); {action}; await {NEXT_FRAME}; return performance.now() - began;"
    return float(page.evaluate(f"(async () => {{ {timed} }})()")) / 1000


def actions(page: Page) -> dict[str, float]:
    """Seconds that a brush, a slide and the view in space take in a page that is open."""
    brush = 'change("ranges", () => view.ranges.set(0, [0.1, 0.3]))'
    slide = 'change("choice", () => (view.weights[0] = 90))'
    space = 'change("axes", () => setAxis("z", 2)); while (space.busy) await new Promise((done) => setTimeout(done, 5))'
    return {
        name: round(seconds_of(page, action), 3)
        for name, action in {"brush": brush, "slide": slide, "space": space}.items()
    }


def measure(*, quick: bool) -> Measurement:
    """The claim: so many points can be used in time, on a page that is small enough."""
    if find_chromium() is None:
        return Measurement(met=None, median="", worst="", seeds=[], shortfall="no Chromium is on the PATH")
    with tempfile.TemporaryDirectory() as folder, Chromium() as browser:
        path = explore(large_result(), Path(folder) / "front.html")
        size = path.stat().st_size
        times, complaints = [], []
        for _ in range(3 if quick else OPENINGS):
            page = browser.open(path)
            times.append(int(page.wait_for(READY)) / 1000)
            complaints += page.complaints + page.requests
            page.close()
        page = browser.open(path)
        page.wait_for(READY)
        took = actions(page)
    return verdict(times, size, complaints, took)


def verdict(times: list[float], size: int, complaints: list[str], took: dict[str, float]) -> Measurement:
    """Whether the median is in time, the page small enough, and nothing complained or asked the network."""
    median, worst = statistics.median(times), max(times)
    faults = [
        *([f"{median - MOST_SECONDS:.2f} s"] if median >= MOST_SECONDS else []),
        *([f"{size - MOST_BYTES:,} bytes"] if size > MOST_BYTES else []),
        *complaints,
    ]
    return Measurement(
        met=not faults,
        median=f"{median:.2f} s until it can be used, {size / 1e6:.2f} MB",
        worst=f"{worst:.2f} s",
        seeds=[SEED],
        shortfall="; ".join(faults),
        details={
            "seconds_until_ready": times,
            "fastest_seconds": min(times),
            "bytes": size,
            "seconds_of_actions": took,
            "load_average_on_cores": [round(os.getloadavg()[0], 1), os.cpu_count()],
        },
    )


if __name__ == "__main__":
    result = measure(quick=False)
    print(json.dumps(result.details, indent=1))
    print(f"{result.median}, worst {result.worst}: {result.verdict}")
