"""Whether every kind of plot opens, embeds its fonts as type 42, repeats its bytes and keeps its texts apart.

`python -m moo.benchmarks.perf.plots` prints, for every example in every style, what is wrong, and the seconds it took.
The examples are made up, plain ones and ones that are hard to lay out: long names, many methods, tiny and huge numbers.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from moo.base import Candidates
from moo.benchmarks.claims import Measurement
from moo.plots import PLOTS, text_faults
from moo.plots.style import STYLES
from moo.registry import resolve
from moo.result import SearchResult
from moo.seeding import numpy_generator

SEED = 0
LONG = ("Young's modulus of the beam (GPa)", r"$E_\mathrm{gap}$ (eV)", "cost of transport ($/kg)", "mass")
METHODS = ("nsga2", "moead", "bayesian", "random", "sms-emoa", "mogfn", "c-morl", "pareto-set-learning", "svh-psl")
STARTS = {".pdf": b"%PDF-", ".svg": b"<?xml", ".png": b"\x89PNG"}


class Example(NamedTuple):
    """A plot that is to be drawn.

    Attributes:
        kind: A name in `PLOTS`.
        data: Results or a table of scores.
        options: Of the plot.
    """

    kind: str
    data: Any
    options: Mapping[str, Any]


# --------------------------------------------------------------------------------------------------- made-up results
def made(
    objectives: NDArray[np.float64],
    method: str = "nsga2",
    seed: int = 0,
    *,
    problem: str = "toy",
    names: Sequence[str] | None = None,
    directions: Sequence[str] | None = None,
    preferences: NDArray[np.float64] | None = None,
    history: Sequence[tuple[int, float]] = ((10, 0.1), (20, 0.2)),
) -> SearchResult:
    """A result with this front, and with these preferences and this history of hypervolumes."""
    rows = torch.as_tensor(objectives, dtype=torch.float64)
    m = rows.shape[1]
    wanted = None if preferences is None else torch.as_tensor(preferences, dtype=torch.float64)
    front = Candidates.of(torch.arange(len(rows), dtype=torch.float64)[:, None], rows, wanted)
    none = front.rows(slice(0))
    used, values = zip(*history, strict=True)
    config = {
        "method": method,
        "problem": problem,
        "seed": seed,
        "options": {},
        "preferences": "auto",
        "unit": "evaluations",
        "objective_names": list(names or [f"f{i + 1}" for i in range(m)]),
        "directions": list(directions or ["min"] * m),
        "conditional": False,
    }
    record = {"reference_point": [1.1] * m, "used": used[-1], "wall_seconds": 0.02 * used[-1]}
    table = pd.DataFrame({"used": used, "front_size": len(rows), "hypervolume": np.array(values, dtype=np.float64)})
    return SearchResult(front, none, front, none, none, table, config, record, lambda: None)


def sphere(n: int, m: int, seed: int, radius: float = 1.0) -> NDArray[np.float64]:
    """Points on the positive part of a sphere: none dominates another."""
    points = np.abs(numpy_generator(seed, "sphere", n).normal(size=(n, m))) + 1e-3
    return np.asarray(radius * points / np.linalg.norm(points, axis=1, keepdims=True), dtype=np.float64)


def curve(seed: int, speed: float, steps: int = 30) -> list[tuple[int, float]]:
    """A hypervolume that nears .9."""
    wobble = numpy_generator(seed, "curve").uniform(0.7, 1.3)
    return [(50 * i, 0.9 * (1 - float(np.exp(-speed * wobble * i / steps)))) for i in range(1, steps + 1)]


def searches(
    m: int, methods: int, seeds: int, *, names: Sequence[str] | None = None, scales: Sequence[float] = (1.0,)
) -> list[SearchResult]:
    """Results of several methods and seeds, the later methods the worse."""
    factors = np.resize(np.array(scales), m)
    found = []
    for i, method in enumerate(METHODS[:methods]):
        for seed in range(seeds):
            points = sphere(40, m, 100 * i + seed, radius=1 + 0.15 * i + 0.05 * seed) * factors
            found.append(made(points, method, seed, names=names, history=curve(seed, 6 / (1 + i))))
    return found


def table(problems: Sequence[str], methods: Sequence[str], seeds: int, scale: float = 1.0) -> pd.DataFrame:
    """Scores with times, as `moo.benchmarks.score` makes them."""
    stream = numpy_generator(SEED, "table")
    rows = [
        {
            "problem": problem,
            "method": method,
            "seed": seed,
            "hypervolume": scale * (0.9 - 0.1 * i + 0.02 * stream.normal()),
            "igd_plus": (0.05 + 0.03 * i + 0.01 * abs(stream.normal())) / scale,
            "wall_seconds": 2.0**i * (1 + 0.1 * abs(stream.normal())),
        }
        for problem in problems
        for i, method in enumerate(methods)
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


# --------------------------------------------------------------------------------------------------- the examples
def examples() -> dict[str, Example]:
    """Every kind of plot, plain and hard, by a name of its own."""
    return {**_sets(), **_runs(), **_tables(), **_single()}


def _sets() -> dict[str, Example]:
    two, three, five = (searches(m, 3, 1) for m in (2, 3, 5))
    long: dict[str, Any] = {"names": LONG, "scales": (1e-7, 1.0, 3e6, 100.0)}
    return {
        "front": Example("front", two, {"reference_front": sphere(100, 2, SEED, 0.9)}),
        "front: projections": Example("front", three, {"reference_front": sphere(100, 3, SEED, 0.9)}),
        "front: 3d": Example("front", three, {"view": "3d"}),
        "front: hard": Example("front", searches(2, 9, 1, names=LONG[:2], scales=(1e-7, 3e6)), {}),
        "matrix": Example("matrix", five, {}),
        "matrix: hard": Example("matrix", searches(4, 9, 1, **long), {}),
        "parallel": Example("parallel", five, {"reference_front": sphere(100, 5, SEED, 0.9)}),
        "parallel: hard": Example("parallel", searches(4, 9, 1, **long), {}),
        "attainment": Example("attainment", searches(2, 3, 5), {"reference_front": sphere(100, 2, SEED, 0.9)}),
        "attainment: 3d": Example("attainment", searches(3, 2, 3), {}),
        "eaf-difference": Example("eaf-difference", searches(2, 2, 5), {}),
        "eaf-difference: hard": Example("eaf-difference", searches(2, 2, 3, names=LONG[:2], scales=(1e-7, 3e6)), {}),
    }


def _runs() -> dict[str, Example]:
    few, many = searches(2, 4, 5), searches(2, 9, 3)
    return {
        "convergence": Example("convergence", few, {}),
        "convergence: hard": Example("convergence", many, {"against": "seconds"}),
        "regret": Example("regret", few, {"best": 0.95}),
        "regret: hard": Example("regret", many, {}),
        "ecdf": Example("ecdf", few, {}),
        "ecdf: hard": Example("ecdf", many, {}),
    }


def _tables() -> dict[str, Example]:
    problems = [f"zdt{i}" for i in (1, 2, 3, 4, 6)]
    plain = table(problems, METHODS[:4], 7)
    specs = [f"dtlz{i}:num_objectives=5,num_columns=12" for i in range(1, 8)]
    hard = table(specs, [*METHODS, "nsga2:population=40,eta=15"], 3, scale=1.2345e5)
    one = table(["zdt1"], METHODS[:5], 7)
    found = {f"{kind}: one problem": Example(kind, one, {}) for kind in ("box", "violin", "runtime", "heatmap")}
    for kind in ("box", "violin", "heatmap", "critical-difference", "runtime"):
        found |= {kind: Example(kind, plain, {}), f"{kind}: hard": Example(kind, hard, {"indicator": "igd_plus"})}
    found["critical-difference: nemenyi"] = Example("critical-difference", plain, {"how": "nemenyi"})
    return found


def _single() -> dict[str, Example]:
    found = {}
    for m in (2, 3, 5):
        wanted = numpy_generator(SEED, "preferences", m).dirichlet(np.ones(m), 80)
        points = 1 - wanted + 0.1 * numpy_generator(SEED, "noise", m).normal(size=(80, m))
        found[m] = made(points, "mogfn", preferences=wanted)
    hard = made(sphere(60, 4, SEED) * [1e-7, 1.0, 3e6, 100.0], names=LONG, preferences=sphere(60, 4, 1) ** 2)
    of_three = made(sphere(60, 3, SEED) * [1e-7, 1.0, 3e6], names=LONG[:3], directions=["min", "max", "min"])
    return {
        "petal": Example("petal", found[3], {}),
        "petal: five": Example("petal", found[5], {}),
        "petal: hard": Example("petal", hard, {"rows": list(range(8))}),
        "ternary": Example("ternary", found[3], {}),
        "ternary: asked": Example("ternary", found[3], {"source": "asked"}),
        "ternary: hard": Example("ternary", of_three, {}),
        "sweep": Example("sweep", found[2], {}),
        "sweep: five": Example("sweep", found[5], {}),
        "sweep: hard": Example("sweep", hard, {}),
    }


# --------------------------------------------------------------------------------------------------- measuring
def draw(example: Example, style: str, path: Path | None = None) -> Any:
    """The figure of an example."""
    return resolve(PLOTS, example.kind, "plot")(example.data, path, style=style, **example.options)


def faults(example: Example, style: str, folder: Path) -> Iterator[str]:
    """What is wrong with an example in a style."""
    for ending, start in STARTS.items():
        paths = [folder / f"{i}{ending}" for i in range(2)]
        figures = [draw(example, style, path) for path in paths]
        first, second = (path.read_bytes() for path in paths)
        if not first.startswith(start):
            yield f"{ending} does not open"
        if first != second:
            yield f"{ending} differs the second time"
        if ending == ".pdf":
            if b"/Type3" in first or b"/FontFile2" not in first:
                yield "a font is not embedded as type 42"
            yield from text_faults(figures[0])


def measure(*, quick: bool) -> Measurement:
    """The claim: nothing is wrong with any example in any style."""
    chosen = list(STYLES)[:1] if quick else list(STYLES)
    found: dict[str, list[str]] = {}
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for name, example in examples().items():
            for style in chosen:
                began = time.process_time()
                found[f"{name} ({style})"] = list(faults(example, style, Path(folder)))
                slowest = max(slowest, time.process_time() - began)
    wrong = {name: said for name, said in found.items() if said}
    kinds = len({example.kind for example in examples().values()})
    return Measurement(
        met=not wrong and kinds == len(PLOTS),
        median=f"{len(found) - len(wrong)} of {len(found)} pictures without a fault, {kinds} of {len(PLOTS)} kinds",
        worst=f"{max(map(len, found.values()))} faults in a picture",
        seeds=[SEED],
        shortfall=f"{len(wrong)} pictures: {', '.join(wrong)}",
        details={"faults": wrong, "cpu_seconds_of_the_slowest_picture_drawn_six_times": round(slowest, 2)},
    )


if __name__ == "__main__":
    result = measure(quick=False)
    for picture, said in (result.details or {})["faults"].items():
        print(f"{picture}: {'; '.join(said)}")
    print(f"{result.median}, worst {result.worst}: {result.verdict}")
