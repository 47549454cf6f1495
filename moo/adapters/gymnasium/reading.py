"""What an environment of Gymnasium says of itself, as problems say it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from importlib import metadata
from typing import Any

from moo.adapters.gymnasium.flattening import Acts, observed_columns
from moo.adapters.gymnasium.simulators import Make, copied, made
from moo.space import Space, categorical, integer, real

PACKAGES = ("mo-gymnasium", "gymnasium", "mujoco", "box2d", "box2d-py")
MISSING = "MO-Gymnasium's environments need further packages: pip install 'moo-suite[control]'."


def is_environment(thing: Any) -> bool:
    """Whether it is an environment of Gymnasium, told by its classes' modules."""
    return any(kind.__module__ == "gymnasium.core" for kind in type(thing).__mro__)


def maker_of(environment: Any, options: dict[str, Any]) -> tuple[Make, Any]:
    """What makes a copy, and one of them."""
    if isinstance(environment, str):
        return _of_id(environment, options)
    if options:
        raise ValueError(f"Options such as {next(iter(options))!r} are for ids. Give them to the environment itself.")
    if is_environment(environment):
        make = functools.partial(copied, environment)
        try:
            return make, make()
        except Exception as error:
            raise ValueError(
                f"{type(environment).__name__} cannot be copied ({type(error).__name__}: {error}), and copies are "
                "stepped side by side: give a function that makes one, as in `lambda: MyEnvironment()`."
            ) from error
    if not callable(environment):
        raise TypeError(
            "`environment` should be an id, an environment of Gymnasium, or a function that makes one. "
            f"Found {type(environment).__name__}."
        )
    made_one = environment()
    if not is_environment(made_one):
        raise TypeError(
            "A function without arguments, given as a problem, should make an environment of Gymnasium. "
            f"Found {type(made_one).__name__}."
        )
    return environment, made_one


def _of_id(id: str, options: dict[str, Any]) -> tuple[Make, Any]:
    try:
        import gymnasium
        import mo_gymnasium  # noqa: F401
    except ImportError as error:
        raise ImportError(f"{MISSING} ({error})") from error
    make: Callable[[], Any] = functools.partial(made, id, options)
    try:
        return make, make()
    except gymnasium.error.DependencyNotInstalled as error:
        raise ImportError(f"{id}: {error} {MISSING}") from error
    except gymnasium.error.Error as error:
        ids = sorted(name for name in gymnasium.registry if name.startswith("mo-"))
        raise ValueError(f"There is no environment {id!r} to be had: {error} Known: {', '.join(ids)}.") from error
    except TypeError as error:
        own = "gamma, max_steps, workers, reference_point, objective_names, directions"
        raise ValueError(f"{id} takes no such options as {options}: {error} Those of the problem: {own}.") from error


def _spec(environment: Any, one: Any) -> Any:
    """How it is registered, or None; a copy may have forgotten it."""
    return getattr(environment, "spec", None) or getattr(one, "spec", None)


def id_of(environment: Any, one: Any) -> str:
    """Its id, or its class where it is not registered."""
    if isinstance(environment, str):
        return environment
    spec = _spec(environment, one)
    return type(one.unwrapped).__name__ if spec is None else str(spec.id)


def objectives_of(one: Any, name: str) -> int:
    """How many entries its rewards have.

    Raises:
        ValueError: It does not say, or they are numbers.
    """
    with contextlib.suppress(AttributeError):
        space = one.get_wrapper_attr("reward_space")
        if len(space.shape) == 1:
            return int(space.shape[0])
    raise ValueError(
        f"Rewards of {name!r} should be vectors: an environment says so by `reward_space`, a Box of shape [m]. "
        "Found none. MO-Gymnasium's environments have it."
    )


def limit_of(environment: Any, one: Any, id: str) -> int:
    """Its own longest episode.

    Raises:
        ValueError: It has none.
    """
    own = getattr(_spec(environment, one), "max_episode_steps", None) or -1
    if own <= 0 and isinstance(environment, str):  # made without it
        import gymnasium

        own = gymnasium.spec(environment).max_episode_steps or -1
    if own <= 0:
        raise ValueError(f"`max_steps` is missing: {id!r} has no longest episode of its own.")
    return int(own)


def observed_space(one: Any) -> Space:
    """The space of its observations."""
    columns = []
    for number, part in enumerate(observed_columns(one.observation_space), start=1):
        name = f"observation {number}"
        if part.kind == "categorical":
            columns.append(categorical(range(int(part.high) + 1), name))
        elif part.kind == "integer":
            columns.append(integer(int(part.low), int(part.high), name))
        else:
            columns.append(real(part.low, part.high, name))
    return Space(tuple(columns))


def action_space(acts: Acts) -> Space:
    """The space of actions."""
    if acts.choices:
        return Space((categorical(range(acts.choices), "action"),))
    bounds = zip(acts.low.tolist(), acts.high.tolist(), strict=True)
    return Space(tuple(real(low, high, f"action {i}") for i, (low, high) in enumerate(bounds, start=1)))


def versions() -> dict[str, str]:
    """Of what steps the environments."""
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
