"""What a report of ten thousand cells costs, and whether LaTeX takes its tables.

`python -m moo.benchmarks.perf.reports FOLDER` makes such a folder, which `moo report FOLDER` then shows.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from moo.base import Candidates
from moo.benchmarks.claims import Measurement
from moo.benchmarks.reports.loading import load_report
from moo.benchmarks.reports.rendering import render
from moo.benchmarks.running.on_disk import cell_folder
from moo.benchmarks.running.runner import run
from moo.benchmarks.suites import Cell, Suite, cells, parse_method
from moo.problems import get_problem
from moo.seeding import numpy_generator
from moo.storage import read_mapping, write_candidates, write_json

SECONDS, GIGABYTES = 20.0, 1.0
QUICK_SECONDS = 8.0
FRONT = 100  # rows
REPEATS = 3
DOCUMENT = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n%s\\end{document}\n"
COMMANDS = {  # all that may stand in a table: of LaTeX's kernel, but for booktabs' rules
    *(
        "begin",
        "end",
        "caption",
        "centering",
        "par",
        "medskip",
        "footnotesize",
        "linewidth",
        "textbf",
        "times",
        "infty",
    ),
    *("toprule", "midrule", "bottomrule", "addlinespace"),
    *("textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar"),
}


# ------------------------------------------------------------------------------------------------ ten thousand cells
def many(seeds: int) -> Suite:
    """25 problems of two objectives, 20 methods, so many seeds."""
    problems = tuple(f"zdt{number}:dim={dim}" for number in (1, 2, 3, 4, 6) for dim in (3, 4, 5, 6, 7))
    methods = tuple(f"nsga2:population={10 * size}" for size in range(2, 22))
    return Suite("many", problems, methods, tuple(range(seeds)), 1000)


def make_folder(out: Path, suite: Suite) -> None:
    """Write a suite's folder: one real cell under all names, each with a front of 100 rows near the exact one."""
    with tempfile.TemporaryDirectory() as place:
        example = Suite("example", suite.problems[:1], suite.methods[:1], (0,), suite.budget)
        run(example, place)
        real = cell_folder(cells(example)[0], Path(place))
        out.mkdir(parents=True, exist_ok=True)
        kept = out / "plots"  # the one folder beside cells that a suite's folder may hold
        shutil.copytree(real, kept)
    write_json(out / "suite.json", {"name": suite.name, "plans": [suite.to_json()], "not applicable": {}})
    config, record = read_mapping(kept / "cell.json"), read_mapping(kept / "record.json")
    for cell in cells(suite):
        _make_cell(cell, kept, cell_folder(cell, out), config, record)


def _make_cell(cell: Cell, real: Path, folder: Path, config: dict[str, object], record: dict[str, object]) -> None:
    """One cell: a front of its own; the files that no report reads are links to those of the real one."""
    (folder / "state").mkdir(parents=True)
    for path in real.rglob("*"):
        if path.is_file() and path.name not in ("cell.json", "record.json", "front.npz"):
            os.link(path, folder / path.relative_to(real))
    options = {**dict(config["options"]), **parse_method(cell.method)[1]}  # type: ignore[call-overload]
    said = {"problem": cell.problem, "seed": cell.seed, "options": options, "budget": cell.budget}
    write_candidates(folder / "front.npz", Candidates.of(torch.zeros(FRONT, 3), torch.from_numpy(_front(cell))))
    write_json(folder / "cell.json", {**config, **said})
    write_json(folder / "record.json", {**record, "front_size": FRONT})


def _front(cell: Cell) -> np.ndarray:
    """Rows of the exact front, each a little worse, `[100, 2]`."""
    rows = _exact_rows(str(cell.problem))
    noise = numpy_generator(cell.seed, f"{cell.problem} {cell.method}").random(rows.shape)
    return np.asarray(rows + 0.05 * noise, dtype=np.float64)


@functools.cache
def _exact_rows(problem: str) -> np.ndarray:
    exact = get_problem(problem).reference_front
    assert exact is not None
    return np.asarray(exact.numpy()[np.linspace(0, len(exact) - 1, FRONT).astype(int)])


def cost_of(folder: Path, *arguments: str) -> dict[str, float]:
    """Seconds, CPU seconds and gigabytes of one fresh `moo report`.

    Raises:
        RuntimeError: It failed.
    """
    code = (
        "import resource, sys\nfrom moo.cli import app\n"
        "try: app()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(used.ru_maxrss / 2**20, used.ru_utime + used.ru_stime, file=sys.stderr)\n"
    )
    began = time.perf_counter()
    command = [sys.executable, "-c", code, "report", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(done.stderr)
    gigabytes, cpu = map(float, done.stderr.splitlines()[-1].split())
    return {"seconds": seconds, "cpu_seconds": cpu, "gigabytes": gigabytes, "lines": len(done.stdout.splitlines())}


def large_report(*, quick: bool) -> Measurement:
    """The claim: the median of three runs after a first one that fills the file cache; quick: a tenth of the cells."""
    suite, limit = many(2 if quick else 20), QUICK_SECONDS if quick else SECONDS
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "many"
        make_folder(folder, suite)
        cost_of(folder)
        runs = [cost_of(folder) for _ in range(REPEATS)]
    names = ("seconds", "cpu_seconds", "gigabytes")
    seconds, cpu, gigabytes = (statistics.median(one[name] for one in runs) for name in names)
    short = [f"{seconds - limit:.1f} s"] * (seconds > limit) + [f"{gigabytes - GIGABYTES:.2f} GB"] * (
        gigabytes > GIGABYTES
    )
    worst = max(one["seconds"] for one in runs)
    return Measurement(
        met=not short,
        median=f"{len(cells(suite)):,} cells: {seconds:.1f} s ({cpu:.1f} s CPU), {gigabytes:.2f} GB",
        worst=f"{worst:.1f} s",
        seeds=list(suite.seeds),
        shortfall=", ".join(short),
        details={"runs": runs},
    )


# ------------------------------------------------------------------------------------------------ LaTeX
def latex_faults(text: str) -> list[str]:
    """Why LaTeX with booktabs alone would not take a text, or would print it wrongly; nothing where it would.

    It checks braces, environments, mathematics, commands, the signs that have a meaning, and the columns of every row.
    """
    body = re.sub(r"^%.*$", "", text, flags=re.MULTILINE)
    faults = [f"command {name}" for name in sorted(set(re.findall(r"\\([A-Za-z]+)", body)) - COMMANDS)]
    plain = re.sub(r"\\[^A-Za-z]", "", body)  # without escaped signs and ends of rows
    depth = lowest = 0
    for sign in plain:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        lowest = min(lowest, depth)
    faults += ["braces"] * (depth != 0 or lowest < 0)
    faults += ["mathematics left open"] * (plain.count("$") % 2)
    rows = re.sub(r"\\begin\{tabular\}.*?\\end\{tabular\}", "", body, flags=re.DOTALL)
    outside = re.sub(r"\$[^$]*\$", "", plain)
    faults += [f"sign {sign}" for sign in sorted(set(re.findall(r"[#^_~<>|%\t]", outside)))]
    faults += ["& outside of a table"] * ("&" in re.sub(r"\\&", "", rows))
    faults += [f"letter {sign!r}" for sign in sorted(set(plain)) if not _printed(sign)]
    return [*faults, *_environments(body), *_rows(body)]


def _printed(sign: str) -> bool:
    return sign == "\n" or " " <= sign <= "~" or ("\xc0" <= sign <= "\xff" and sign.isalpha())


def _environments(body: str) -> Iterator[str]:
    """Environments that are not closed in order."""
    stack: list[str] = []
    for word, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        if word == "begin":
            stack.append(name)
        elif not stack or stack.pop() != name:
            yield f"\\end{{{name}}}"
    yield from (f"\\begin{{{name}}}" for name in stack)


def _rows(body: str) -> Iterator[str]:
    """Rows with too many or too few columns, or whose start the row before would take for an option."""
    for columns, inner in re.findall(r"\\begin\{tabular\}\{(\w+)\}\n(.*?)\\end\{tabular\}", body, flags=re.DOTALL):
        for line in inner.splitlines():
            if line in ("\\toprule", "\\midrule", "\\bottomrule", "\\addlinespace"):
                continue
            cells_of = re.split(r"(?<!\\)&", line)
            if not line.endswith("\\\\") or len(cells_of) != len(columns) or re.match(r"\s*[\[*]", line):
                yield f"row {line}"


def latex_errors(text: str) -> str:
    """What pdflatex says against a text in the smallest document that loads booktabs; nothing where it compiles."""
    with tempfile.TemporaryDirectory() as place:
        Path(place, "t.tex").write_text(DOCUMENT % text, encoding="utf-8")
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("!") or "Missing character" in line]
    return "\n".join(lines) or ("" if done.returncode == 0 else done.stdout[-1000:])


def latex_tables(*, quick: bool) -> Measurement:
    """The claim: every section of a small suite, by pdflatex where it is installed and by a parser everywhere."""
    del quick  # the same
    suite = Suite("small", ("zdt1:dim=3", "zdt2:dim=3"), ("random", "nsga2:population=20"), (0, 1, 2, 3), 200)
    with tempfile.TemporaryDirectory() as place:
        run(suite, place)
        report, indicators = load_report(place), ("hypervolume", "igd_plus", "area", "epsilon_additive")
        text = render(report, indicators, form="latex", sections=["all", "runs"], control="random")
    faults = latex_faults(text)
    by = "a parser"
    if shutil.which("pdflatex"):
        faults += [error] if (error := latex_errors(text)) else []
        by = "pdflatex and a parser"
    tables = text.count("\\begin{tabular}")
    return Measurement(
        met=not faults,
        median=f"{tables} tables pass {by}",
        worst=f"{len(faults)} faults",
        seeds=list(suite.seeds),
        shortfall=f"{len(faults)} faults: {'; '.join(faults)[:500]}",
        details={"faults": faults, "by": by},
    )


if __name__ == "__main__":
    make_folder(Path(sys.argv[1]), many(20))
