"""Suites with functions that kill their process, for the tests of engines, and what runs of them should leave."""

import json

from moo.benchmarks import Suite
from moo.benchmarks.running.on_disk import cell_folder
from moo.benchmarks.suites import cells

FUNCTIONS = """
import os, signal, time

def plain(x):
    return [x[0], 1 - x[0] + x[1]]

def poison(x):
    os.kill(os.getpid(), signal.SIGKILL)

def once(x):  # dies in the middle of its first search
    if x[0] > 0.5 and not os.path.exists({flag!r}):
        open({flag!r}, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(x)

def slow(x):
    with open({calls!r}, "a") as file:
        file.write("x")
    time.sleep(0.01)
    return plain(x)
"""
ONE = {"methods": ("nsga2:population=20",), "seeds": (0,)}  # one cell of each problem: workers take seconds to start
OF_A_RUN = ("wall_seconds", "cpu_seconds", "machine")


def suite_of(
    folder, *functions, methods=("random:batch=20", "nsga2:population=20"), seeds=(0, 1), budget=60, plain=True
):
    """A suite of functions of a file in a folder, beside a registered problem; a copy of it is the same suite."""
    file, flag, calls = folder / "functions.py", folder / "flag", folder / "calls"
    file.write_text(FUNCTIONS.format(flag=str(flag), calls=str(calls)))
    own = [
        {"callable": f"{file}:{name}", "bounds": "0:1,0:1", "directions": "min,min", "name": name, "vectorized": False}
        for name in functions
    ]
    return Suite("killing", (*(["zdt1:dim=3"] if plain else []), *own), methods, seeds, budget)


def contents(folder):
    """Every file of the cells below a folder by its path, records without what two runs do not share."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and path.suffix != ".tmp" and not name.startswith((".running", "suite.json")):
            found[name] = path.read_bytes()
            if path.name == "record.json":
                found[name] = {key: value for key, value in json.loads(found[name]).items() if key not in OF_A_RUN}
    return found


def of_problem(suite, problem, out):
    """The folders of a problem's cells."""
    return [cell_folder(cell, out) for cell in cells(suite) if str(cell.problem) == problem]
