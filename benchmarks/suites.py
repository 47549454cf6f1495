"""Suites as data: problems x methods x seeds x budget, ours by name and a user's own from a YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moo.checks import check_count, unknown_name
from moo.registry import format_spec, parse_spec, parse_value

KEYS = ("name", "problems", "methods", "seeds", "budget")


@dataclass(frozen=True)
class Suite:
    """What a benchmark runs.

    Attributes:
        name: Of the suite.
        problems: Registered problems with options.
        methods: Methods with options (`"nsga2:population=50"`); `preferences=NAME` among them names a tuner.
        seeds: Each a seed of `pareto_search`, the same for all methods, so that runs pair.
        budget: Of every cell, in its problem's unit, or by method's name.

    Raises:
        ValueError: A problem or a method stands twice, or its options are not written as key=value.
    """

    name: str
    problems: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    budget: int | Mapping[str, int]

    def __post_init__(self) -> None:
        for key in ("problems", "methods"):
            object.__setattr__(self, key, _tidy(key, getattr(self, key)))

    def __str__(self) -> str:
        budget = self.budget if isinstance(self.budget, int) else "by method"
        parts = (", ".join(self.problems), ", ".join(self.methods), f"{len(self.seeds)} seeds", f"budget {budget}")
        return " x ".join(parts)

    def budget_of(self, method: str) -> int:
        """The budget of a method, options stripped.

        Raises:
            ValueError: Budgets go by method and this one has none.
        """
        if isinstance(self.budget, int):
            return self.budget
        name = parse_spec(method)[0]
        if name not in self.budget:
            raise ValueError(f"Suite {self.name!r} gives budgets by method, and none for {name!r}.")
        return self.budget[name]


@dataclass(frozen=True)
class Cell:
    """One search of a suite."""

    problem: str
    method: str
    seed: int
    budget: int

    @property
    def label(self) -> str:
        """As people read it."""
        return f"{self.problem} {self.method} seed {self.seed}"

    def to_json(self) -> dict[str, Any]:
        """What makes the cell what it is."""
        return {"problem": self.problem, "method": self.method, "seed": self.seed, "budget": self.budget}


def _tidy(key: str, specs: Sequence[str]) -> tuple[str, ...]:
    """Specs in their one spelling, each different: a cell that stood twice would count twice in every median."""
    tidied = tuple(format_spec(*parse_spec(spec)) for spec in specs)
    for spec in tidied:
        if tidied.count(spec) > 1:
            raise ValueError(f"`{key}` should be different from each other. {spec!r} stands there twice.")
    return tidied


def cells(suite: Suite) -> list[Cell]:
    """Every combination, seeds innermost."""
    return [
        Cell(problem, method, seed, suite.budget_of(method))
        for problem in suite.problems
        for method in suite.methods
        for seed in suite.seeds
    ]


DTLZ = tuple(f"dtlz{i}" for i in range(1, 8))
ZDT = tuple(f"zdt{i}" for i in range(1, 7))

RE = tuple(f"re{number}" for number in (21, 22, 23, 24, 25, 31, 32, 33, 34, 35, 36, 37, 41, 42, 61, 91))
CRE = tuple(f"cre{number}" for number in (21, 22, 23, 24, 25, 31, 32, 51))
BASELINES = ("random", "nsga2", "nsga3", "moead", "sms-emoa", "spea2")

SUITES: dict[str, Suite] = {
    "quickstart": Suite(
        "quickstart",
        ("re21", "re24", "zdt1:dim=6"),
        ("random", "nsga2", "qlognehvi"),
        (0, 1, 2),
        {"random": 2000, "nsga2": 2000, "qlognehvi": 20},
    ),
    "smoke": Suite("smoke", ("zdt1", "dtlz2"), ("random", "nsga2"), (0, 1), 300),
    "zdt": Suite("zdt", ZDT, BASELINES, tuple(range(10)), 25_000),
    "dtlz": Suite("dtlz", DTLZ, BASELINES, tuple(range(10)), 25_000),
    "re": Suite("re", RE, BASELINES, tuple(range(10)), 10_000),
    "cre": Suite("cre", CRE, BASELINES, tuple(range(10)), 10_000),
}


def find_suite(suite: str | Suite) -> Suite:
    """A registered suite's name, the path of a YAML file, or a suite.

    Raises:
        ValueError: The name is unknown, or the file breaks a rule (which one is said).
        FileNotFoundError: There is no such file.
    """
    if isinstance(suite, Suite):
        return suite
    if suite in SUITES:
        return SUITES[suite]
    if Path(suite).suffix in (".yaml", ".yml"):
        return read_suite(Path(suite))
    raise ValueError(f"{unknown_name('suite', suite, SUITES)} Your own is a YAML file: moo bench my_suite.yaml.")


def read_suite(path: Path) -> Suite:
    """Read a user's suite from YAML, with the keys name, problems, methods, seeds, budget.

    Raises:
        ValueError: It is no YAML, a key is unknown or missing, or a value breaks a rule; the message names the file.
        FileNotFoundError: There is no such file.
    """
    import yaml

    try:
        return _suite(yaml.safe_load(path.read_text(encoding="utf-8")), path.stem)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _suite(data: Any, name: str) -> Suite:
    """The suite that a YAML file's content describes, under `name` where it has none of its own."""
    if not isinstance(data, dict):
        raise ValueError(f"A suite should hold the keys {', '.join(KEYS)}. Found {type(data).__name__}.")
    for key in data:
        if key not in KEYS:
            raise ValueError(unknown_name("key", key, KEYS))
    missing = [key for key in KEYS if key not in data and key != "name"]
    if missing:
        raise ValueError(f"It lacks {', '.join(missing)}. A suite has the keys {', '.join(KEYS)}.")
    return Suite(
        name=str(data.get("name") or name),
        problems=_names("problems", data["problems"]),
        methods=_names("methods", data["methods"]),
        seeds=seeds_of(data["seeds"]),
        budget=_budget(data["budget"]),
    )


def seeds_of(seeds: Any) -> tuple[int, ...]:
    """A count N means 0..N-1; a list is taken as it is.

    Raises:
        TypeError, ValueError: It is neither, or a seed is negative or stands twice.
    """
    if not isinstance(seeds, list | tuple):
        return tuple(range(check_count("seeds", seeds)))
    listed = tuple(check_count("seeds", seed, low=0) for seed in seeds)
    if not listed or len(set(listed)) < len(listed):
        raise ValueError(f"`seeds` should be a count or a list of different seeds. Found {list(seeds)}.")
    return listed


def _names(key: str, value: Any) -> tuple[str, ...]:
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, str) for entry in entries):
        raise ValueError(f"`{key}` should be a list of names with options. Found {value!r}.")
    return tuple(entries)


def _budget(value: Any) -> int | dict[str, int]:
    if isinstance(value, dict):
        return {str(name): _count(f"budget of {name}", number) for name, number in value.items()}
    return _count("budget", value)


def _count(name: str, value: Any) -> int:
    """A count; YAML takes 1e4 for text, so text is read as an option's value."""
    return check_count(name, parse_value(value) if isinstance(value, str) else value)
