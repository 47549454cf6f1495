"""COCO's bi-objective suite: 55 pairs of the single-objective BBOB functions, through COCO's own code."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moo.base import VectorProblem
from moo.checks import check_count, check_matrix
from moo.registry import format_spec, parse_spec
from moo.space import Space, real

FUNCTIONS = 55
DIMS = (2, 3, 5, 10, 20, 40)
INSTANCES = 15
EXACT = "log_decision_variables: all precision_x: 17 precision_f: 17"  # so that a log can be computed again

_watching = threading.Lock()  # COCO's observer is one for the whole program


class BBOBBiobj(VectorProblem):
    """A problem of COCO's suite bbob-biobj: two functions of BBOB at once, minimised, in [-100, 100]^dim.

    Every value is that of a call of COCO's own problem (extra `coco`). The Pareto fronts are not known; the ideal point
    is given by the two single optima, and the nadir point by what each optimum is worth in the other objective.

    `reference_point` is the nadir point, as in COCO's performance assessment: there objectives are shifted and scaled
    so that the ideal point is (0, 0) and the nadir point (1, 1), and the hypervolume of all non-dominated solutions is
    measured from (1, 1). So ours is COCO's times the area between the two points. Where no solution is better than the
    nadir point in both objectives, COCO goes on with a distance to it, and ours is 0.

    Source: Brockhoff, Auger, Hansen and Tusar 2022 (Evolutionary Computation 30(2), arXiv:1604.00359) for the problems;
    Brockhoff, Tusar, Tusar, Wagner, Hansen and Auger 2016 (arXiv:1605.01746) for the hypervolume.

    Args:
        function: 1 to 55.
        dim: 2, 3, 5, 10, 20 or 40 variables.
        instance: 1 to 15: shifts and rotations. COCO takes instances for the repetitions of an experiment.

    Raises:
        ImportError: coco-experiment is not installed.
        TypeError, ValueError: There is no such function, dimension or instance.
    """

    spec: str
    _theirs: Any = None  # what is called instead of COCO's unobserved problem

    def __init__(self, function: int = 1, dim: int = 2, instance: int = 1) -> None:
        self.function = check_count("function", function, high=FUNCTIONS)
        self.dim = check_count("dim", dim)
        self.instance = check_count("instance", instance, high=INSTANCES)
        if self.dim not in DIMS:
            raise ValueError(f"`dim` should be one of {', '.join(map(str, DIMS))}. Found {dim}.")
        self.name = "bbob-biobj"
        self.num_objectives = 2
        self.directions = ("min", "min")
        self.objective_names = ("f1", "f2")
        theirs = _problem(self.function, self.dim, self.instance)
        bounds = zip(theirs.lower_bounds.tolist(), theirs.upper_bounds.tolist(), strict=True)
        self.space = Space(tuple(real(low, high, name=f"x{i + 1}") for i, (low, high) in enumerate(bounds)))
        self.reference_point = torch.tensor(theirs.largest_fvalues_of_interest, dtype=torch.float64)

    @property
    def index(self) -> int:
        """Its place in COCO's suite, which is the order of its experiments."""
        return int(_problem(self.function, self.dim, self.instance).index)

    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        rows = check_matrix("solutions", solutions, columns=self.dim)
        theirs = self._theirs or _problem(self.function, self.dim, self.instance)
        found = torch.empty(len(rows), 2, dtype=torch.float64)
        for number, row in enumerate(rows.numpy()):
            found[number] = torch.from_numpy(theirs(row))
        return found


def cocoex() -> Any:
    """The package that COCO's experiments run with.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import cocoex as package
    except ImportError as error:
        raise ImportError("Problem 'bbob-biobj' needs coco-experiment: pip install 'moo-suite[coco]'.") from error
    return package


@functools.cache  # of each process: COCO's problems are pointers, which no other process can read
def _suite(function: int, dim: int, instance: int) -> Any:
    """COCO's suite with one problem alone: the whole takes seconds to make."""
    chosen = f"dimensions: {dim} function_indices: {function} instance_indices: {instance}"
    return cocoex().Suite("bbob-biobj", "", chosen)


@functools.cache
def _problem(function: int, dim: int, instance: int) -> Any:
    """COCO's problem, not observed."""
    return _suite(function, dim, instance).get_problem(0)


# --------------------------------------------------------------------------------------------------- logging
class CocoLog:
    """COCO's observer: writes what is evaluated as a folder that `python -m cocopp FOLDER` makes tables and plots of.

    One problem after the other is searched inside `observe`. COCO takes instances, not seeds, for repetitions: a folder
    holds one search of each problem.

    Args:
        folder: A new folder; its name is what COCO calls the algorithm.
        about: What COCO notes of the algorithm.

    Raises:
        FileExistsError: It is there already: COCO would write beside it.
        ImportError: coco-experiment is not installed.
        ValueError: Path or text hold quotes or colons, which COCO's options cannot hold.
    """

    def __init__(self, folder: str | Path, about: str = "") -> None:
        self.folder = Path(folder).resolve()
        self._done: set[tuple[int, int, int]] = set()
        package = cocoex()
        for name, text in {"folder": str(self.folder), "about": about}.items():
            if set(text) & set('":\n'):
                raise ValueError(f"`{name}` should hold no colons, quotes or line breaks. Found {text!r}.")
        if self.folder.exists():
            raise FileExistsError(17, "there is something already: choose another place", str(self.folder))
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        options = {"outer_folder": self.folder.parent, "result_folder": self.folder.name}
        options |= {"algorithm_name": self.folder.name, "algorithm_info": about or "-"}
        text = " ".join(f'{key}: "{value}"' for key, value in options.items())
        before = package.log_level("warning")  # not a line on standard output for each folder
        try:
            self._observer = package.Observer("bbob-biobj", f"{text} {EXACT}")
        finally:
            package.log_level(before)

    @contextlib.contextmanager
    def observe(self, problem: str | BBOBBiobj) -> Iterator[BBOBBiobj]:
        """A problem whose evaluations are logged until the end of the block: hand it to `pareto_search`.

        Args:
            problem: One of `bbob-biobj`, or how it is written.

        Raises:
            RuntimeError: Another one is observed at the moment.
            ValueError: It has been observed before, or is no problem of bbob-biobj.
        """
        known = _of_spec(problem)
        triple = (known.function, known.dim, known.instance)
        if triple in self._done:
            raise ValueError(f"{self.folder} holds {known.spec} already. Take another folder for another seed.")
        if _watching.locked():
            raise RuntimeError("COCO logs one problem at a time. End the `observe` block of the other one first.")
        with _watching:
            self._done.add(triple)
            theirs = _suite(*triple).get_problem(0, self._observer)
            try:
                yield _Observed(known, theirs)
            finally:
                theirs.free()  # writes the rest; COCO ends the whole program where this is forgotten


class _Observed(BBOBBiobj):
    """A problem whose evaluations are COCO's observed one's."""

    def __init__(self, known: BBOBBiobj, theirs: Any) -> None:
        super().__init__(known.function, known.dim, known.instance)
        self.spec = known.spec  # so that a result is of the registered problem
        self._theirs = theirs


def _of_spec(problem: str | BBOBBiobj) -> BBOBBiobj:
    """The problem, with its `spec`."""
    if isinstance(problem, str):
        name, options = parse_spec(problem)
        if name == "bbob-biobj":
            problem = BBOBBiobj(**options)
            problem.spec = format_spec(name, options)
    if not isinstance(problem, BBOBBiobj) or not hasattr(problem, "spec"):
        raise ValueError(
            f"Only problems of bbob-biobj are observed, as in 'bbob-biobj:function=1,dim=2'. Found {problem!r}."
        )
    return problem
