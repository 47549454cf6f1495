"""MO-Gymnasium's own environment of a problem, on which peers train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from moo.benchmarks.peers import library
from moo.metered import MeteredEnvironment
from moo.registry import parse_spec

TREASURES = {"convex": "", "concave": "-concave", "mirrored": "-mirrored"}
NATIVE = ("resource-gathering", "four-room", "minecart", "minecart-deterministic")  # whose id is the name


def original_id(problem: Any) -> tuple[str, dict[str, Any]]:
    """The id of MO-Gymnasium's environment of the same law, and its arguments.

    Raises:
        ValueError: There is none.
    """
    name, options = parse_spec(getattr(problem, "spec", problem.name))
    if name == "deep-sea-treasure":
        return f"{name}{TREASURES[options.get('variant', 'convex')]}-v0", {}
    if name == "fruit-tree":
        return f"{name}-v0", {"depth": problem.max_steps}
    if name in NATIVE:
        return f"{name}-v0", {}
    if name in library("gymnasium", "morl-baselines").registry:
        return name, {}
    raise ValueError(
        f"Peers of morl-baselines train on environments of MO-Gymnasium. {problem.name!r} is none: choose another "
        "problem, or a method of ours."
    )


def original(problem: MeteredEnvironment, seed: int) -> Any:
    """The environment, seeded, its rewards maximised; it calls its attribute `tick` before each step.

    Raises:
        ImportError: MO-Gymnasium is not installed.
        ValueError: There is none for this problem, or it shows something else than ours.
    """
    mo_gymnasium, gymnasium = library("mo_gymnasium", "morl-baselines"), library("gymnasium", "morl-baselines")
    name, arguments = original_id(problem)
    signs = np.array([1.0 if way == "max" else -1.0 for way in problem.directions])

    class Ticking(gymnasium.Wrapper):  # type: ignore[misc, name-defined]
        def __init__(self, env: Any) -> None:
            super().__init__(env)
            self.tick: Callable[[], object] = lambda: None

        def step(self, action: Any) -> Any:
            self.tick()
            seen, rewards, *rest = self.env.step(action)
            return seen, (signs * rewards).astype(np.float32), *rest

    env = Ticking(mo_gymnasium.make(name, max_episode_steps=problem.max_steps, **arguments))
    seen, _ = env.reset(seed=seed % 2**31)
    env.action_space.seed(seed % 2**31)
    if np.shape(seen) != (problem.observation_space.dim,):
        raise ValueError(
            f"{name} shows {list(np.shape(seen))} numbers, our {problem.name} {problem.observation_space.dim}: a "
            "policy of the one cannot act in the other."
        )
    return env
