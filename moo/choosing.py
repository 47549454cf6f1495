"""From what a caller says to the parts of a run: the problem, the method, the tuner."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import platform
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from moo.adapters.callables import CallableProblem
from moo.adapters.encodings import encode, encoding_for, misfit
from moo.archive import CAPACITY, Archive, check_bound
from moo.base import PROBLEM_KINDS, Candidates, Generator, Problem, Tuner, unsuitable
from moo.checks import check_count, check_finite_rows, check_matrix, check_vector
from moo.directions import turn
from moo.generators import ENROLLED, GENERATORS
from moo.metered import metered
from moo.options import resolve_options
from moo.preferences import check_preferences
from moo.problems import get_problem
from moo.registry import parse_spec, resolve
from moo.run import Run
from moo.tuners import TUNERS

SMALL_BUDGET = 500  # evaluations up to which a surrogate pays
PREFERRED = {"construction": ("mogfn",), "environment": ("c-morl",), "text": ("pama",)}


def find_problem(problem: Any, **of_a_function: Any) -> Problem:
    """A registered name with options, a problem object, a function with its space and directions, or an environment.

    Environments are Gymnasium's: an id with options, an object, or a function without arguments that makes one.

    Args:
        problem: Which.
        of_a_function: Arguments of `CallableProblem`; those of anything else are known and must not be given.

    Raises:
        TypeError: It is none of these.
        ValueError: The name or an option is unknown, the problem has a single objective, or an argument of functions
            was given with something else.
    """
    if isinstance(problem, type):
        raise TypeError(f"`problem` should be an instance. {problem.__name__} is a class: make one of it first.")
    found: Any = get_problem(problem) if isinstance(problem, str) else adopt(problem)
    if not hasattr(found, "kind") and callable(found) and makes_environments(found):
        from moo.adapters.gymnasium import FromGymnasium

        found = FromGymnasium(found)
    if not hasattr(found, "kind") and callable(found):
        given = {name: value for name, value in of_a_function.items() if value is not None}
        found = CallableProblem(found, given.pop("space", None), given.pop("directions", None), **given)
    else:
        defaults = {"vectorized": "auto", "workers": 1}
        extra = [name for name, value in of_a_function.items() if value is not None and value != defaults.get(name)]
        if extra and getattr(found, "kind", None) in PROBLEM_KINDS:
            raise ValueError(
                f"`{extra[0]}` is for functions. {found.name!r} is a problem that knows its own: leave it out."
            )
    if getattr(found, "kind", None) not in PROBLEM_KINDS:
        raise TypeError(
            "`problem` should be a registered name (see `moo list problems`), a function, or a problem object whose "
            f"`kind` is one of {', '.join(PROBLEM_KINDS)}. Found {type(problem).__name__}."
        )
    if found.num_objectives < 2:
        raise ValueError(
            f"Problem {found.name!r} has {found.num_objectives} objective. At least 2 are needed: "
            "with one there is no trade-off, use a single-objective optimizer."
        )
    result: Problem = found
    return result


def adopt(problem: Any) -> Any:
    """A problem of pymoo, BoTorch or Gymnasium as ours, told by its classes' modules; anything else as it is."""
    homes = [kind.__module__ for kind in type(problem).__mro__]
    if "pymoo.core.problem" in homes:
        from moo.adapters.pymoo import FromPymoo

        return FromPymoo(problem)
    if any(home.startswith("botorch.test_functions") for home in homes):
        from moo.adapters.botorch import FromBotorch

        return FromBotorch(problem)
    if "gymnasium.core" in homes:
        from moo.adapters.gymnasium import FromGymnasium

        return FromGymnasium(problem)
    return problem


def makes_environments(function: Callable[..., Any]) -> bool:
    """Whether a function takes no arguments, so that it can only be one that makes environments."""
    try:
        return not inspect.signature(function).parameters
    except (TypeError, ValueError):  # some functions of C do not say
        return False


def find_method(name: str) -> Any:
    """The class of a method: a registered one, or a peer that `moo.benchmarks.peers` has enrolled.

    Raises:
        ValueError: The name is unknown; the registered ones are listed.
    """
    return resolve(ENROLLED if name in ENROLLED else GENERATORS, name, "method")


def fitting_methods(problem: Problem, fits: Callable[[Any, Problem], str] = unsuitable) -> list[str]:
    """The names of the registered methods that take a problem, by a function that says why one does not."""
    return [name for name in GENERATORS if not fits(resolve(GENERATORS, name, "method"), problem)]


def through(problem: Problem, method: str) -> Problem:
    """The problem as a method takes it: itself, or through the first of the method's encodings that makes it fit.

    Raises:
        ValueError: Neither; the message says why, and which methods take the problem.
    """
    kind = find_method(method)
    why_not = misfit(problem, kind)
    if why_not:
        fits = ", ".join(fitting_methods(problem, lambda other, it: misfit(it, other))) or "none so far"
        raise ValueError(f"Method {method!r} does not fit {problem.name!r}: {why_not}. Methods that do: {fits}.")
    encoding = encoding_for(problem, kind)
    met: Problem = encode(problem, encoding) if encoding else problem
    return met


def choose_method(method: str, problem: Problem, budget: int) -> tuple[str, str]:
    """The method's name and, where it was left to us, why this one: of those that need no encoding.

    Raises:
        ValueError: It is unknown, or none takes the problem.
    """
    if method != "auto":
        find_method(method)
        return method, ""
    wanted: tuple[str, ...] = PREFERRED.get(problem.kind, ())
    if problem.kind == "vector":
        small = budget <= SMALL_BUDGET and problem.num_objectives <= 4
        surrogates = ("bayesian", "qlognehvi") if small else ()
        wanted = (*surrogates, "nsga2" if problem.num_objectives <= 3 else "nsga3")
    for name in (*wanted, "random"):
        if name in GENERATORS and not unsuitable(resolve(GENERATORS, name, "method"), problem):
            sort = f"a {problem.kind} problem of {problem.num_objectives} objectives and {budget} {problem.unit}"
            passed = wanted[: wanted.index(name)] if name in wanted else wanted
            instead = f" ({', '.join(passed)} not at hand or not fitting)" if passed else ""
            return name, f"{name} was chosen for {sort}{instead}"
    raise ValueError(f"No method fits {problem.name!r}, a {problem.kind} problem. Known: {', '.join(GENERATORS)}.")


def make_tuner(preferences: Any, problem: Problem, method: str, *, budget: int, seed: int) -> tuple[Tuner, str]:
    """The tuner that the argument `preferences` stands for, and its name.

    Raises:
        ValueError: The method takes no preferences and some were given, the name is unknown, or a row lies off the
            simplex.
    """
    kind = find_method(method)
    automatic = isinstance(preferences, str) and preferences == "auto"
    if not kind.uses_preferences and not automatic:
        fitting = fitting_methods(problem, lambda other, it: misfit(it, other))
        able = [other for other in fitting if find_method(other).uses_preferences]
        raise ValueError(
            f"Method {method!r} takes no preferences: it finds the whole front at once. Leave `preferences` out, or "
            f"choose a method that follows them: {', '.join(able) or 'none fits this problem'}."
        )
    name = "dirichlet" if automatic and hasattr(kind, "sample") else "uniform"
    options: dict[str, Any] = {}
    given: dict[str, Any] = {}
    if not isinstance(preferences, str):
        given = {"preferences": preferences}
    elif not automatic:
        name, options = parse_spec(preferences)
    tuner = resolve(TUNERS, name, "tuner")
    changeable = {key: option for key, option in kind.options.items() if option.changes}
    checked = resolve_options(tuner.options, options, f"tuner {name!r}")
    made: Tuner = tuner(problem, budget=budget, seed=seed, hyperparameters=changeable, **checked, **given)
    return made, name


def known_points(initial: Any, problem: Any) -> Candidates | None:
    """`initial=(solutions, objectives[, constraints])` as a record, every objective maximised, at `used` 0.

    Raises:
        TypeError: It is no such pair or triple.
        ValueError: Shapes are wrong, a value is not finite, the problem is no vector problem, or constraints are
            missing or superfluous.
    """
    if initial is None:
        return None
    if problem.kind != "vector":
        raise ValueError(f"`initial` is for vector problems. {problem.name!r} is a {problem.kind} problem.")
    c = problem.num_constraints
    wanted = "(solutions, objectives, constraints)" if c else "(solutions, objectives)"
    if not isinstance(initial, list | tuple) or len(initial) != (3 if c else 2):
        found = f"{len(initial)} parts" if isinstance(initial, list | tuple) else type(initial).__name__
        raise TypeError(f"`initial` should be {wanted}. Found {found}.")
    solutions = problem.space.canonical(initial[0], name="initial solutions")
    n = len(solutions)
    moved = (check_matrix("initial solutions", initial[0]) - solutions).abs() > 1e-9 * (1 + solutions.abs())
    if moved.any():
        row = int(torch.nonzero(moved.any(dim=1))[0])
        raise ValueError(
            f"`initial` solutions should lie in the space, whole numbers being whole. Row {row} is "
            f"{torch.as_tensor(initial[0][row]).tolist()}; the nearest in the space is {solutions[row].tolist()}."
        )
    objectives = check_matrix("initial objectives", initial[1], rows=n, columns=problem.num_objectives)
    check_finite_rows("initial objectives", objectives)
    extras: dict[str, Any] = {"used": torch.zeros(n, dtype=torch.int64), "failed": torch.zeros(n, dtype=torch.bool)}
    if c:
        extras["constraints"] = check_matrix("initial constraints", initial[2], rows=n, columns=c)
        check_finite_rows("initial constraints", extras["constraints"])
    return Candidates.of(solutions, turn(objectives, problem.directions), **extras)


def set_up(
    found: Problem,
    method: str,
    *,
    budget: int,
    reference_point: Any,
    initial: Any,
    preferences: Any,
    options: Mapping[str, Any] | None,
    reevaluations: int,
    seed: int,
    device: str,
    archive_capacity: int = CAPACITY,
    archive_bound: str = "crowding",
    encodings: bool = True,
) -> Run:
    """Check the arguments of `pareto_search`, each where its rule lives, and make the parts of a run.

    Where a method takes the problem only through an encoding, it meets the encoded problem; tuner, archive and
    configuration stay with the original one, and known points enter the archive alone.
    """
    budget = check_count("budget", budget)
    capacity, bound = check_bound(archive_capacity, archive_bound, found.num_objectives, prefix="archive_")
    seed = check_count("seed", seed, high=2**32 - 1, low=0)  # what every library below takes
    m, space = found.num_objectives, getattr(found, "space", None)
    name, choice = choose_method(method, found, budget)
    kind = find_method(name)
    checked = resolve_options(kind.options, options, f"method {name!r}")
    device = choose_device(device)
    tuner, tuner_name = make_tuner(preferences, found, name, budget=budget, seed=seed)
    known = known_points(initial, found)
    met = through(found, name)
    encoded = met is not found
    if encoded and not encodings:
        raise ValueError(f"Method {name!r} takes {found.name!r} only encoded. It cannot be asked for solutions of it.")
    meter = metered(met, budget, seed, reference_point=reference_point)
    generator = kind(meter, budget=budget, seed=seed, device=device, initial=None if encoded else known, **checked)
    config = {
        "problem": getattr(found, "spec", found.name),
        "registered": hasattr(found, "spec"),
        "kind": found.kind,
        "unit": found.unit,
        "objective_names": found.objective_names or [f"f{i + 1}" for i in range(found.num_objectives)],
        "directions": found.directions,
        "space": space.to_json() if space is not None else None,
        "limits": {
            name: getattr(found, name) for name in ("num_actions", "max_steps", "gamma") if hasattr(found, name)
        },
        "method": name,
        "choice": choice,
        "options": checked,
        "encoding": met.kind if encoded else "",
        "conditional": hasattr(kind, "sample"),
        "tuner": tuner_name if kind.uses_preferences else None,
        "preferences": preferences if isinstance(preferences, str) else check_preferences(preferences, m).tolist(),
        "reference_point": None
        if reference_point is None
        else check_vector("reference_point", reference_point, m).tolist(),
        "initial": None if known is None else [_plain(part) for part in initial],
        "budget": budget,
        "reevaluations": check_count("reevaluations", reevaluations, low=0),
        "archive_capacity": None if capacity == CAPACITY else capacity,  # None: as in runs before it could be said
        "archive_bound": None if bound == "crowding" else bound,
        "seed": seed,
        "device": device,
        "versions": versions(*getattr(kind, "requires", {}).values()) | getattr(found, "versions", {}),
    }
    plain: dict[str, Any] = json.loads(json.dumps(config))  # as it will be read back, tuples being lists
    archive = Archive(solution_shape(found), found.num_objectives, capacity, bound)
    original = metered(found, budget, seed, reference_point=reference_point) if encoded else None
    return Run(meter, generator, tuner, archive, plain, known, original=original)


def solution_shape(problem: Any) -> tuple[int, ...]:
    """The shape of one solution: a row of the space, a finished state, or a policy's id."""
    if problem.kind == "vector":
        return (problem.space.dim,)
    return tuple(problem.start(0).shape[1:]) if problem.kind == "construction" else (1,)


def rebuild_generator(folder: Path, config: Mapping[str, Any], state: Any, problem: Any = None) -> Generator:
    """The method of a saved result as it stood at the end.

    Raises:
        ValueError: The problem is not a registered one and was not given, or another one was given.
    """
    if problem is None and not config["registered"]:
        raise ValueError(
            f"{config['problem']!r} is not a registered problem, so its method cannot be rebuilt from {folder} alone. "
            "Load it with load_result(folder, problem=...)."
        )
    found = find_problem(config["problem"] if problem is None else problem)
    name = getattr(found, "spec", found.name)
    if (name, list(found.directions)) != (config["problem"], config["directions"]):
        raise ValueError(f"`problem` should be the one of the saved run, {config['problem']!r}. Found {name!r}.")
    met = through(found, config["method"])
    meter = metered(met, config["budget"], config["seed"], reference_point=config["reference_point"])
    known = known_points(config["initial"], found)
    kind = find_method(config["method"])
    fixed = {"budget": config["budget"], "seed": config["seed"], "device": choose_device("auto")}
    fixed["initial"] = known if met is found else None
    generator: Generator = kind(meter, **fixed, **config["options"])
    meter.load_state_dict(state["problem"])
    generator.load_state_dict(state["generator"])
    return generator


def choose_device(device: str) -> str:
    """The device that `"auto"` or a name stands for.

    Raises:
        ValueError: There is no such device here.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f'`device` should be "auto", "cpu" or one that is here. Found {device!r}: {reason}') from error
    return device


@functools.cache
def versions(*further: str) -> dict[str, str]:
    """Of everything that a result can depend on, and of further packages."""
    packages = ("moo-suite", "torch", "numpy", "scipy", "pymoo", "moocore", "botorch", *further)
    found = {"python": platform.python_version()}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _plain(values: Any) -> list[Any]:
    """An array as JSON values."""
    listed: list[Any] = torch.as_tensor(values, dtype=torch.float64).tolist()
    return listed
