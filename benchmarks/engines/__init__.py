"""Engines: what runs the cells of a suite. One engine, one file; their libraries are loaded when one is made.

An engine takes tasks and a job, gives every task to the job in some process, and yields statuses as they come. What
counts is on disk: a status that is lost on its way is read from there.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from moo.benchmarks.running.on_disk import Task
from moo.benchmarks.running.one_cell import Job, Status
from moo.checks import check_count, unknown_name
from moo.registry import parse_spec, resolve

ENGINES: dict[str, str] = {
    "serial": "moo.benchmarks.engines.serial:Serial",
    "loky": "moo.benchmarks.engines.loky:Loky",
    "dask": "moo.benchmarks.engines.dask:Dask",
    "ray": "moo.benchmarks.engines.ray:Ray",
    "slurm": "moo.benchmarks.engines.slurm:Slurm",
}


class Engine(Protocol):
    """Runs tasks.

    Its constructor takes `(workers: int | None, **options)`: None is what the engine takes for all there is, options
    go by the names that it declares.
    """

    needs: ClassVar[tuple[str, ...]] = ()  # modules of the extra that bears the engine's name
    options: ClassVar[Mapping[str, str]] = {}  # what each is for

    def run(self, tasks: Sequence[Task], job: Job) -> Iterator[Status]:
        """Give each task to the job; statuses as they come, in any order.

        Closing the iterator ends what is under way. A worker that dies costs its own cell alone; a cell whose worker
        died twice is `crashed`.

        Raises:
            RuntimeError: No worker comes to life.
        """
        ...


def make_engine(backend: str = "auto", workers: int | None = None) -> Engine:
    """The engine that a name with options stands for.

    Args:
        backend: `"dask:address=tcp://10.0.0.1:8786"`; `"auto"`: `"serial"` for one worker, else `"loky"`.
        workers: Processes, or jobs of a batch system; None: one with `"auto"`, else what the engine takes for all.

    Raises:
        TypeError, ValueError: A name is unknown, or `workers` is no count.
        ImportError: The engine's extra is not installed.
    """
    if workers is not None:
        workers = check_count("workers", workers)
    if backend == "auto":
        backend = "serial" if workers in (None, 1) else "loky"
    name, options = parse_spec(backend)
    if name not in ENGINES:
        raise ValueError(unknown_name("backend", name, ENGINES))
    kind: Any = resolve(ENGINES, name, "backend")
    for option in options:
        if option not in kind.options:
            raise ValueError(unknown_name(f"option of backend {name!r}", option, kind.options))
    missing = [module for module in kind.needs if importlib.util.find_spec(module) is None]
    if missing:
        raise ImportError(f'Backend {name!r} needs {missing[0]}: pip install "moo-suite[{name}]".')
    engine: Engine = kind(workers, **options)
    return engine
