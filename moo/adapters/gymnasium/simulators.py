"""Simulators of one environment, each in the middle of an episode; plain numpy, in whatever process."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from moo.adapters.gymnasium.flattening import Acts, flat

Make = Callable[[], Any]  # a fresh environment
Job = tuple[int, int, np.ndarray]  # a simulator, the seed that its episode begins with, and actions `[t, a]` to take


class Outcome(NamedTuple):
    """What a step of k simulators gave: observations `[k, o]`, rewards `[k, m]`, and two of bool `[k]`."""

    observations: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


def made(id: str, options: dict[str, Any]) -> Any:
    """The registered environment of that id, without the wrapper that ends its episodes; who steps it counts."""
    import gymnasium
    import mo_gymnasium  # registers its environments  # noqa: F401

    return gymnasium.make(id, disable_env_checker=True, max_episode_steps=-1, **options)


def copied(environment: Any) -> Any:
    """A copy of an environment."""
    return copy.deepcopy(environment)


class Simulators:
    """Environments by number, made when they are first needed.

    Args:
        make: Gives one.
        label: What to call it in messages.
        objectives: Entries of a reward.
    """

    def __init__(self, make: Make, label: str, objectives: int) -> None:
        self._make, self._label, self._objectives = make, label, objectives
        self._all: dict[int, Any] = {}
        self._seeds: dict[int, int] = {}
        self._acts: Acts | None = None

    def begin(self, job: Job) -> np.ndarray:
        """Begin an episode and take some actions of it; the observation `[o]` that this leads to.

        Raises:
            RuntimeError: The environment raised, or ended before the actions did.
        """
        number, seed, actions = job
        try:
            if number not in self._all:
                self._all[number] = self._make()
            env = self._all[number]
            self._seeds[number] = seed
            seen, _ = env.reset(seed=seed)
            self._acts = self._acts or Acts(env.action_space)
            for row in actions:
                seen, *_ = env.step(self._acts.of(row))
            return flat(env.observation_space, seen)
        except Exception as error:
            raise self._told("began", number) from error

    def step(self, number: int, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool, bool]:
        """One step: observation `[o]`, reward `[m]`, terminated, truncated.

        Raises:
            RuntimeError: The environment raised, or a reward has another length.
        """
        try:
            env = self._all[number]
            assert self._acts is not None
            seen, reward, terminated, truncated, _ = env.step(self._acts.of(action))
            rewards = np.ravel(np.asarray(reward, dtype=np.float64))
            if len(rewards) != self._objectives:
                raise ValueError(f"A reward should have {self._objectives} entries. Found {reward!r}.")
            return flat(env.observation_space, seen), rewards, bool(terminated), bool(truncated)
        except Exception as error:
            raise self._told("stepped", number) from error

    def _told(self, what: str, number: int) -> RuntimeError:
        seed = self._seeds.get(number)
        return RuntimeError(
            f"Environment {self._label} raised when it {what} the episode with seed {seed}:\n{traceback.format_exc()}"
        )

    def close(self) -> None:
        """Close all environments."""
        for env in self._all.values():
            env.close()
        self._all.clear()


class Here:
    """Simulators in this process, one after the other."""

    def __init__(self, make: Make, label: str, objectives: int) -> None:
        self._simulators = Simulators(make, label, objectives)

    def begin(self, jobs: Sequence[Job]) -> np.ndarray:
        """Observations `[k, o]` where k simulators stand after their jobs."""
        return np.stack([self._simulators.begin(job) for job in jobs])

    def step(self, numbers: np.ndarray, actions: np.ndarray) -> Outcome:
        """A step of each of those simulators, with actions `[k, a]`."""
        told = [self._simulators.step(number, row) for number, row in zip(numbers.tolist(), actions, strict=True)]
        seen, rewards, terminated, truncated = zip(*told, strict=True)
        return Outcome(np.stack(seen), np.stack(rewards), np.array(terminated), np.array(truncated))

    def close(self) -> None:
        """Close all environments."""
        self._simulators.close()
