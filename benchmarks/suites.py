"""Suites as data: problems x methods x seeds x budget, ours by name and a user's own from a YAML file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moo.checks import check_count, unknown_name
from moo.registry import format_spec, parse_options, parse_spec, parse_value

if TYPE_CHECKING:
    from moo.adapters.file_functions import CallableSpec

KEYS = ("name", "problems", "methods", "seeds", "budget")
OF_A_TUNER = re.compile(r"(\bpreferences\s*=[^,()]*)\(([^()]*)\)")


@dataclass(frozen=True)
class Suite:
    """What a benchmark runs.

    Attributes:
        name: Of the suite.
        problems: Registered problems with options, and functions of files (as mappings they are read as in YAML).
        methods: Methods with options (`"nsga2:population=50"`); `preferences=NAME` among them names a tuner, its own
            options in parentheses.
        seeds: Each a seed of `pareto_search`, the same for all methods, so that runs pair.
        budget: Of every cell, in its problem's unit, or by method's name.

    Raises:
        TypeError, ValueError: A problem or a method stands twice, or is not written as it should be.
    """

    name: str
    problems: tuple[str | CallableSpec, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    budget: int | Mapping[str, int]

    def __post_init__(self) -> None:
        problems = tuple(read_problem(problem) for problem in self.problems)
        methods = tuple(format_method(*parse_method(method)) for method in self.methods)
        object.__setattr__(self, "problems", _different("problems", problems))
        object.__setattr__(self, "methods", _different("methods", methods))

    def __str__(self) -> str:
        budget = self.budget if isinstance(self.budget, int) else "by method"
        problems = ", ".join(map(str, self.problems))
        return " x ".join((problems, ", ".join(self.methods), f"{len(self.seeds)} seeds", f"budget {budget}"))

    def budget_of(self, method: str) -> int:
        """The budget of a method, options stripped.

        Raises:
            ValueError: Budgets go by method and this one has none.
        """
        if isinstance(self.budget, int):
            return self.budget
        name = parse_method(method)[0]
        if name not in self.budget:
            raise ValueError(f"Suite {self.name!r} gives budgets by method, and none for {name!r}.")
        return self.budget[name]

    def to_json(self) -> dict[str, Any]:
        """What it runs: all but its name."""
        return {
            "problems": [problem if isinstance(problem, str) else problem.to_json() for problem in self.problems],
            "methods": list(self.methods),
            "seeds": list(self.seeds),
            "budget": self.budget if isinstance(self.budget, int) else dict(self.budget),
        }

    @classmethod
    def from_json(cls, name: str, said: Mapping[str, Any]) -> Suite:
        """Read what `to_json` wrote."""
        problems, methods = tuple(said["problems"]), tuple(said["methods"])
        return cls(name, problems, methods, seeds_of(said["seeds"]), said["budget"])


@dataclass(frozen=True)
class Cell:
    """One search of a suite."""

    problem: str | CallableSpec
    method: str
    seed: int
    budget: int

    @property
    def label(self) -> str:
        """As people read it."""
        return f"{self.problem} {self.method} seed {self.seed}"

    def to_json(self) -> dict[str, Any]:
        """What makes the cell what it is."""
        problem = self.problem if isinstance(self.problem, str) else self.problem.identity()
        return {"problem": problem, "method": self.method, "seed": self.seed, "budget": self.budget}


def _different(key: str, entries: tuple[Any, ...]) -> tuple[Any, ...]:
    """Entries of different names: a cell that stood twice would count twice in every median."""
    names = [str(entry) for entry in entries]
    for name, entry in zip(names, entries, strict=True):
        if names.count(name) > 1:
            advice = "" if isinstance(entry, str) else " Give each function a `name` of its own."
            raise ValueError(f"`{key}` should be different from each other. {name!r} stands there twice.{advice}")
    return entries


# --------------------------------------------------------------------------------------------- problems and methods
def read_problem(said: Any, folder: str | Path = "") -> str | CallableSpec:
    """A registered problem with options in its one spelling, or the function of a file that a mapping describes.

    Args:
        said: Which.
        folder: What the path of such a file is relative to.

    Raises:
        TypeError, ValueError: It is not written as it should be.
    """
    if isinstance(said, str) and (said.endswith(".py") or ".py:" in said):
        raise ValueError(
            f"{said!r} is a function and needs its bounds and directions: "
            f'write {{callable: "{said}", bounds: "0:1,0:5", directions: "min,max"}} in a YAML file.'
        )
    if isinstance(said, str):
        return format_spec(*parse_spec(said))
    from moo.adapters.file_functions import CallableSpec  # with torch, which listing suites does not need

    if isinstance(said, CallableSpec):
        return said
    if isinstance(said, Mapping):
        return CallableSpec.read(said, folder)
    raise TypeError(f"A problem should be a name with options, or a mapping that describes a function. Found {said!r}.")


def parse_method(text: str) -> tuple[str, dict[str, Any]]:
    """Split a method into name and options; a tuner among these, `preferences=dirichlet(alpha=0.5)`, stays a text.

    Returns:
        The name, and the options with `preferences` as `pareto_search` takes it: `"dirichlet:alpha=0.5"`.

    Raises:
        ValueError: The options are not written as key=value, or one stands twice.
    """
    of_tuner = [found[1] for found in OF_A_TUNER.findall(text)]
    name, options = parse_spec(OF_A_TUNER.sub(r"\1", text))
    if of_tuner:
        options["preferences"] = format_spec(str(options["preferences"]), parse_options(of_tuner[0]))
    return name, options


def format_method(name: str, options: Mapping[str, Any]) -> str:
    """Write a method as `parse_method` reads it.

    Raises:
        ValueError: An option's value cannot be written.
    """
    parts = []
    for key, value in options.items():
        if key == "preferences" and isinstance(value, str):
            parts.append(f"preferences={format_tuner(value)}")
        else:
            parts.append(format_spec(name, {key: value}).partition(":")[2])
    return f"{name}:{','.join(parts)}" if parts else name


def format_tuner(preferences: str) -> str:
    """Write `dirichlet:alpha=0.5` as it stands among a method's options: `dirichlet(alpha=0.5)`."""
    name, _, options = format_spec(*parse_spec(preferences)).partition(":")
    return f"{name}({options})" if options else name


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
GRID_OBJECTIVES = ("branin", "currin", "shubert", "beale")
NGRAM_TASKS = ("AV+VC", "AV+VC+CA", "A+V,length=18,min_length=17", "A+V+C,length=18,min_length=17")
VECTOR_PEERS = ("ax", "optuna-gp", "optuna-tpe", "optuna-nsga2:population=10", "qlognehvi", "nsga2:population=10")
MOBO = (
    *("branin-currin", "dtlz2:dim=6,num_objectives=2", "vehicle-safety", "car-side-impact", "penicillin"),
    *("zdt1:dim=20", "zdt2:dim=20", "zdt3:dim=20", "re33", "re37"),
    *("branin-currin:noise=0.6", "constrained-branin-currin", "welded-beam"),
)
DISCRETE_CONTROL = (
    *("deep-sea-treasure:variant=concave", "deep-sea-treasure:variant=mirrored", "fruit-tree:depth=6"),
    *("resource-gathering", "four-room", "minecart-deterministic", "minecart"),
)
TUNERS = ("uniform", "dirichlet", "corner-weights", "adaptive", "bayesian")
BBOB_FUNCTIONS = (1, 28, 41, 46, 55)  # a BBOB function with itself: sphere, Rosenbrock, powers, Rastrigin, Gallagher
OFTEN = "interval=2,evaluated=50,episodes=4"  # evaluations, so that a tuner has something to learn from
LEARN_STRINGS = (  # one sharpness, reached in the middle; log Z has a variance of its own for each preference
    "beta=96,beta_rise=0.5,loss=vargrad,group=16,floor=0.05,layers=2,batch=128,batches=8,learning_rate=0.005,"
    "log_z_learning_rate=0.05"
)
LEARN_MOLECULES = (  # so sharp that the many large molecules do not outweigh the good ones
    "beta=128,loss=vargrad,group=16,floor=0.05,relabel=1,hidden=256,layers=2,batch=64,batches=16,learning_rate=0.002,"
    "log_z_learning_rate=0.05"
)

CONTROL = "copies=16,steps=128,epochs=10,minibatches=8,learning_rate=0.0005,entropy=0.0"  # of simulated bodies
FEW_POLICIES = "policies=1,first_stage=0.5,selected=3,updates=20,beta=0.7,episodes=5,evaluation=0.1"
TEXT_TASKS = (
    "sentiment+length",
    "sentiment+length+harmlessness",
    "sentiment+length+harmlessness+fluency+readability",
)
LEARN_TEXTS = "policies=5,copies=32,learning_rate=0.002,entropy=0.0,interval=10"

SUITES: dict[str, Suite] = {
    "quickstart": Suite(
        "quickstart",
        ("re21", "re24", "zdt1:dim=6"),
        ("random", "nsga2", "bayesian"),
        (0, 1, 2),
        {"random": 2000, "nsga2": 2000, "bayesian": 50},
    ),
    "smoke": Suite("smoke", ("zdt1", "dtlz2"), ("random", "nsga2"), (0, 1), 300),
    "zdt": Suite("zdt", ZDT, BASELINES, tuple(range(10)), 25_000),
    "dtlz": Suite("dtlz", DTLZ, BASELINES, tuple(range(10)), 25_000),
    "re": Suite("re", RE, BASELINES, tuple(range(10)), 10_000),
    "mobo": Suite(
        "mobo",
        MOBO,
        ("random", "nsga2:population=10", "bayesian", "qlognehvi"),
        tuple(range(10)),
        80,
    ),
    "mobo-peers": Suite(  # by the extra `peers`; a peer that is not installed is left out, and said to be
        "mobo-peers", MOBO, ("random", "bayesian", *VECTOR_PEERS), tuple(range(10)), 80
    ),
    "mogfn-hypergrid": Suite(
        "mogfn-hypergrid",
        tuple(f"hypergrid:objectives={'+'.join(pair)}" for pair in combinations(GRID_OBJECTIVES, 2)),
        (
            *("random", "nsga2", "mogfn", "mogfn:scalarisation=tchebycheff"),
            *("moreinforce", "moreinforce:scalarisation=tchebycheff", "order-preserving", "perfect-sampler"),
        ),
        tuple(range(5)),
        50_000,
    ),
    "mogfn-ngrams": Suite(
        "mogfn-ngrams",
        tuple(f"ngrams:ngrams={task}" for task in NGRAM_TASKS),
        ("random", "nsga2", f"mogfn:{LEARN_STRINGS}", "moreinforce", "order-preserving", "perfect-sampler:beta=96"),
        tuple(range(3)),
        320_000,
    ),
    "mogfn-fragments": Suite(
        "mogfn-fragments",
        ("fragments:objectives=sa+qed", "fragments:objectives=sa+qed+mw"),
        ("random", "nsga2", f"mogfn:{LEARN_MOLECULES}", "moreinforce", "order-preserving"),
        tuple(range(3)),
        20_000,
    ),
    "morl-exact": Suite(
        "morl-exact",
        (
            *(f"deep-sea-treasure:variant={variant}" for variant in ("convex", "concave", "mirrored")),
            "fruit-tree:depth=5",
        ),
        ("random", "tabular", "tabular:learner=pareto", "ppo-preference", "c-morl", "morl-d"),
        tuple(range(5)),
        100_000,
    ),
    "morl-building": Suite(
        "morl-building",
        ("building", "building:num_objectives=9"),
        (
            *("random", "ppo-preference:interval=3,evaluated=10,episodes=5"),
            *("c-morl:policies=9,greedy=true", "morl-d:policies=9,copies=2,updates=8"),
        ),
        tuple(range(3)),
        200_000,
    ),
    "cmorl-discrete": Suite(
        "cmorl-discrete",
        DISCRETE_CONTROL,
        ("random", "ppo-preference", "c-morl", "c-morl:greedy=true"),
        tuple(range(5)),
        500_000,
    ),
    "cmorl-peers": Suite(  # slow: the peers update large networks at every transition, hours of one core for each cell
        "cmorl-peers",
        DISCRETE_CONTROL,
        ("random", "ppo-preference", "c-morl", "c-morl:greedy=true", "gpi-ls", "envelope"),
        tuple(range(5)),
        100_000,
    ),
    "cmorl-continuous": Suite(  # slow: up to hours of one core for each cell, by the extra `control`
        "cmorl-continuous",
        tuple(
            f"{name}:max_steps=500"
            for name in ("mo-hopper-2obj-v5", "mo-hopper-v5", "mo-ant-2obj-v5", "mo-ant-v5", "mo-humanoid-v5")
        ),
        (
            *("random", f"ppo-preference:{CONTROL},interval=40,evaluated=11,episodes=3"),
            *(f"c-morl:{CONTROL},{FEW_POLICIES}", "morl-d:policies=6,copies=2,updates=16,hidden=64"),
        ),
        tuple(range(3)),
        1_500_000,
    ),
    "weights": Suite(
        "weights",
        (
            *("deep-sea-treasure:variant=concave", "fruit-tree:depth=5"),
            *("hypergrid:objectives=branin+currin", "hypergrid:objectives=branin+currin+shubert"),
        ),
        tuple(
            f"{method}preferences={tuner}"
            for method in (f"ppo-preference:{OFTEN},", "c-morl:", "mogfn:")
            for tuner in TUNERS
        ),
        tuple(range(5)),
        {"ppo-preference": 200_000, "c-morl": 200_000, "mogfn": 20_000},
    ),
    "alignment-bandits": Suite(
        "alignment-bandits",
        (
            "bandit:num_objectives=2",
            "bandit:num_objectives=3",
            "bandit:num_objectives=5",
            "ngrams",
            "fruit-tree:depth=5",
        ),
        (
            *("fixed-weights", "smooth-tchebycheff", "pama", "pama:follow=false", "reward-weighting"),
            *("reward-weighting:guide=hypervolume-factor", "reward-weighting:guide=influence"),
        ),
        tuple(range(5)),
        50_000,
    ),
    "alignment-constrained": Suite(  # fixed weights know of no judges: beside, for what rules cost
        "alignment-constrained",
        ("bandit:num_objectives=2,rules=2", "bandit:num_objectives=3,rules=2", "bandit:num_objectives=3,members=5"),
        (
            *("fixed-weights", "reward-soup", "constrained"),
            *(f"constrained:optimiser={name}" for name in ("crpg", "codpo", "crraft")),
        ),
        tuple(range(5)),
        50_000,
    ),
    "alignment-text": Suite(
        "alignment-text",
        tuple(f"text:objectives={rewards}" for rewards in TEXT_TASKS),
        (
            *(f"{method}{LEARN_TEXTS}" for method in ("fixed-weights:", "smooth-tchebycheff:", "pama:")),
            *(f"{method}{LEARN_TEXTS}" for method in ("pama:follow=false,", "reward-weighting:")),
            f"reward-soup:rest=20,{LEARN_TEXTS.removeprefix('policies=5,')}",  # as many experts as rewards
        ),
        tuple(range(3)),
        8_000,
    ),
    "bbob-biobj": Suite(
        "bbob-biobj",
        tuple(
            f"bbob-biobj:function={function},dim={dim},instance={instance}"
            for function in BBOB_FUNCTIONS
            for dim in (2, 5)
            for instance in range(1, 6)
        ),
        ("random", "nsga2", "moead", "sms-emoa"),
        (0,),
        5000,
    ),
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


def narrowed(
    suite: Suite, *, problems: Sequence[str], methods: Sequence[str], seeds: Any, budget: int | None = None
) -> Suite:
    """A suite with other lists or another budget, where some are given. A function of the suite goes by its name.

    Raises:
        TypeError, ValueError: One of them is not written as it should be.
    """
    own = {str(problem): problem for problem in suite.problems}
    return replace(
        suite,
        problems=tuple(own.get(name, name) for name in problems) or suite.problems,
        methods=tuple(methods) or suite.methods,
        seeds=suite.seeds if seeds is None else seeds_of(seeds),
        budget=suite.budget if budget is None else check_count("budget", budget),
    )


def read_suite(path: Path) -> Suite:
    """Read a user's suite from YAML, with the keys name, problems, methods, seeds, budget.

    Raises:
        ValueError: It is no YAML, a key is unknown or missing, or a value breaks a rule; the message names the file.
        FileNotFoundError: There is no such file.
    """
    import yaml

    try:
        return _suite(yaml.safe_load(path.read_text(encoding="utf-8")), path)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _suite(data: Any, path: Path) -> Suite:
    """The suite that a YAML file's content describes, under the file's name where it has none of its own."""
    if not isinstance(data, dict):
        found = "nothing" if data is None else type(data).__name__
        raise ValueError(f"A suite should hold the keys {', '.join(KEYS)}. Found {found}.")
    for key in data:
        if key not in KEYS:
            raise ValueError(unknown_name("key", key, KEYS))
    missing = [key for key in KEYS if key not in data and key != "name"]
    if missing:
        raise ValueError(f"It lacks {', '.join(missing)}. A suite has the keys {', '.join(KEYS)}.")
    return Suite(
        name=str(data.get("name") or path.stem),
        problems=_entries("problems", data["problems"], lambda problem: read_problem(problem, path.parent)),
        methods=_entries("methods", data["methods"], _read_method),
        seeds=seeds_of(data["seeds"]),
        budget=_budget(data["budget"]),
    )


def _entries(key: str, value: Any, read: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The entries of one of the two lists, each read; a single one needs no list."""
    entries = [value] if isinstance(value, str | dict) else value
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, str | dict) for entry in entries):
        raise ValueError(
            f"`{key}` should be a list of names with options, or of mappings, at least one. Found {value!r}."
        )
    found = []
    for number, entry in enumerate(entries, start=1):
        try:
            found.append(read(entry))
        except (TypeError, ValueError) as error:
            raise ValueError(f"`{key}`, entry {number}: {error}") from error
    return tuple(found)


def _read_method(said: str | dict[str, Any]) -> str:
    """A method as text, or as a mapping with the key `method` and one for each option, `preferences` among them."""
    if isinstance(said, str):
        return format_method(*parse_method(said))
    options = {str(key): value for key, value in said.items()}
    name = options.pop("method", None)
    if not isinstance(name, str) or ":" in name:
        example = '{method: "nsga2", population: 50}'
        raise ValueError(f"`method` should name a method, as in {example}, every option being a key. Found {said!r}.")
    preferences = options.get("preferences", "auto")
    if not isinstance(preferences, str):
        raise ValueError(f'`preferences` should be a tuner, as in "dirichlet:alpha=0.5". Found {preferences!r}.')
    read = {key: parse_value(value) if isinstance(value, str) else value for key, value in options.items()}
    return format_method(name.strip(), read if "preferences" not in options else {**read, "preferences": preferences})


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


def _budget(value: Any) -> int | dict[str, int]:
    if isinstance(value, dict):
        return {str(name): _count(f"budget of {name}", number) for name, number in value.items()}
    return _count("budget", value)


def _count(name: str, value: Any) -> int:
    """A count; YAML takes 1e4 for text, so text is read as an option's value."""
    return check_count(name, parse_value(value) if isinstance(value, str) else value)
