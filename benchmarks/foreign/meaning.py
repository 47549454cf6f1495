"""What the problem of a foreign run is: a registered one, one of the folder's, or one that is known by name alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moo.benchmarks.foreign.rows import Stated
from moo.benchmarks.foreign.shelf import shelved
from moo.benchmarks.running.plans import read_plans
from moo.checks import check_vector, unknown_name
from moo.choosing import find_problem
from moo.directions import check_directions
from moo.problems import PROBLEMS
from moo.storage import read_mapping

SAME = ("directions", "objective_names")  # what all cells of a problem have to share


@dataclass(frozen=True)
class Meaning:
    """A problem as foreign rows are read.

    Attributes:
        name: As tables and folders say it.
        objective_names: `m` names.
        directions: `"min"` or `"max"` for each.
        problem: The problem itself, where it is known here: it can compute values again.
        registered: Whether it is found by its name alone.
        reference_point: The caller's `[m]`, or None: the problem's own, or inferred.
    """

    name: str
    objective_names: tuple[str, ...]
    directions: tuple[str, ...]
    problem: Any = None
    registered: bool = False
    reference_point: tuple[float, ...] | None = None

    @property
    def solution_names(self) -> tuple[str, ...]:
        """Names of the columns of its space; none where it has none."""
        space = getattr(self.problem, "space", None) if getattr(self.problem, "kind", "") == "vector" else None
        return () if space is None else tuple(space.names)


def meaning_of(name: str, stated: Stated, into: Path) -> Meaning:
    """What a problem's name means for a folder.

    Args:
        name: Registered, or of a function in one of the folder's plans, or any other, with `stated.directions`.
        stated: What the caller says.
        into: The folder.

    Raises:
        TypeError, ValueError: It is unknown and has no directions, or is known and is given some; an option of it is
            unknown; or the folder holds another problem of that name.
    """
    meaning = _planned(name, into) or _registered(name) or _named(name, stated)
    told = {"directions": stated.directions, "objectives": stated.objectives, "reference_point": stated.reference_point}
    if meaning.problem is not None:
        for flag, value in told.items():
            if value:
                raise ValueError(f"`{flag}` is for problems that are not known here. {name!r} is: leave it out.")
    _check_same(meaning, into)
    return meaning


def _planned(name: str, into: Path) -> Meaning | None:
    """The function of that name in the plans of a suite's folder; None where there is none."""
    plans = read_plans(into) if (into / "suite.json").exists() else []
    for entry in (entry for plan in plans for entry in plan.problems):
        if not isinstance(entry, str) and str(entry) == name:
            point = tuple(entry.reference_point) or None
            return _known(find_problem(entry.problem()), registered=False, reference_point=point)
    return None


def _registered(name: str) -> Meaning | None:
    """The registered problem of that name; None where there is none."""
    if name.partition(":")[0].strip() not in PROBLEMS:
        return None
    return _known(find_problem(name), registered=True)


def _known(problem: Any, *, registered: bool, reference_point: tuple[float, ...] | None = None) -> Meaning:
    names = tuple(problem.objective_names) or tuple(f"f{i + 1}" for i in range(problem.num_objectives))
    name = getattr(problem, "spec", problem.name)
    return Meaning(name, names, tuple(problem.directions), problem, registered, reference_point)


def _named(name: str, stated: Stated) -> Meaning:
    """A problem that is known by name alone."""
    if not stated.directions:
        raise ValueError(
            f"{unknown_name('problem', name, PROBLEMS)} A problem that is not known here needs `directions`, as in "
            "min,max, and may have names of its `objectives`."
        )
    m = max(len(stated.directions), len(stated.objectives))
    directions = stated.directions if len(stated.directions) > 1 or m < 2 else stated.directions[0]
    words = check_directions(directions, m)
    if m < 2:
        raise ValueError(f"`directions` should name one per objective, at least two. Found {', '.join(words)}.")
    names = tuple(stated.objectives) or tuple(f"f{i + 1}" for i in range(m))
    if len(names) != m or len(set(names)) < m:
        raise ValueError(f"`objectives` should be {m} different names, one per direction. Found {', '.join(names)}.")
    point = None
    if stated.reference_point is not None:
        point = tuple(check_vector("reference_point", list(stated.reference_point), m).tolist())
    return Meaning(name, names, words, reference_point=point)


def _check_same(meaning: Meaning, into: Path) -> None:
    """Raise where the folder holds imported cells of a problem of that name that is another one.

    Raises:
        ValueError: It does.
    """
    for folder in shelved(into):
        config = read_mapping(folder / "cell.json", "problem", *SAME)
        if config["problem"] == meaning.name:
            _refuse_another(meaning, config, folder)


def _refuse_another(meaning: Meaning, config: Mapping[str, Any], folder: Path) -> None:
    for key in SAME:
        there: Sequence[str] = config[key]
        if tuple(there) != getattr(meaning, key):
            raise ValueError(
                f"{folder} holds a problem {meaning.name!r} with {key.replace('_', ' ')} {', '.join(there)}. Found "
                f"{', '.join(getattr(meaning, key))}: give this one another name."
            )
