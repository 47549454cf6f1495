"""Environments of Gymnasium whose rewards are vectors, as environment problems."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from moo.adapters.gymnasium.flattening import Acts
from moo.adapters.gymnasium.known import KNOWN, Known
from moo.adapters.gymnasium.places import Places, key_after, key_of
from moo.adapters.gymnasium.reading import (
    action_space,
    id_of,
    limit_of,
    maker_of,
    objectives_of,
    observed_space,
    versions,
)
from moo.adapters.gymnasium.simulators import Here, Job, Outcome
from moo.adapters.gymnasium.workers import Workers
from moo.base import EnvironmentProblem
from moo.checks import check_count
from moo.directions import check_directions
from moo.rl.finite import check_gamma

SEED, STEPS, ENDED, KEY = 0, 1, 2, slice(3, 5)  # columns of a state; observation and actions follow
HEAD = 5


class FromGymnasium(EnvironmentProblem):
    """An environment of Gymnasium with vector rewards, any number of copies of it.

    The contract wants states that hold all there is and can be stepped from again; a simulator holds one state and
    moves on. So a state is what the simulator needs to get there: the seed of the episode and the actions taken, with
    the last observation. Simulators stand at the states that were reached last, and step on from there at once; from
    any other state, one begins the episode anew and takes its actions again. That costs time, counts nothing, and is
    exact where an environment depends on seed and actions alone, as MuJoCo's and Box2D's do. So a search that is
    stored in the middle of episodes goes on in the middle of them.

    A state is int32 `[n, 5 + o + max_steps a]`: seed, steps taken, whether the episode is over, a hash of all that in
    two parts, the observation and the actions (float32, bit by bit, rounded to it).

    Where an environment raises, the message has its traceback, name and seed.

    Args:
        environment: An id (`"mo-hopper-v5"`), an environment, or a function without arguments that makes one.
        gamma: Discount, in (0, 1].
        max_steps: Longest episode; else the environment's own limit.
        workers: Processes that share out the simulators; 0: none, all are stepped here.
        reference_point: `[m]`; else the known one, or None.
        objective_names, directions: Of the objectives; else the known ones, or none, and `"max"`.
        name: Else the id, or the class.
        options: Of the environment, where an id is given.

    Raises:
        ImportError: Gymnasium, or what the environment needs, is not installed.
        TypeError: `environment` is none of these.
        ValueError: There is no such id, its rewards are no vectors, its spaces are not taken, or it has no longest
            episode.
    """

    stochastic = True  # each episode begins with a seed of its own
    copies_at_once = 256  # in an evaluation: each is a simulator in memory

    def __init__(
        self,
        environment: Any,
        gamma: float = 0.99,
        max_steps: int | None = None,
        workers: int = 0,
        *,
        reference_point: Any = None,
        objective_names: tuple[str, ...] | None = None,
        directions: str | tuple[str, ...] = "max",
        name: str = "",
        **options: Any,
    ) -> None:
        self._make, one = maker_of(environment, options)
        id = id_of(environment, one)
        self.name = name or id
        self.num_objectives = objectives_of(one, self.name)
        known = KNOWN.get(id, Known(()))
        if len(known.objectives) != self.num_objectives:
            known = Known(())
        self.directions = check_directions(directions, self.num_objectives)
        self.objective_names = known.objectives if objective_names is None else tuple(objective_names)
        point = known.reference_point if reference_point is None else reference_point
        self.reference_point = None if point is None else torch.as_tensor(point, dtype=torch.float64)
        self.gamma = check_gamma(gamma)
        self.max_steps = check_count("max_steps", limit_of(environment, one, id) if max_steps is None else max_steps)
        self.workers = check_count("workers", workers, low=0)
        self.observation_space = observed_space(one)
        self._acts = Acts(one.action_space)
        self.action_space = action_space(self._acts)
        self.versions = versions()
        one.close()
        self._places = Places()
        self._engine: Here | Workers | None = None
        self._lost = ""

    # ------------------------------------------------------------------------------------------ the contract
    def reset(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """As in the contract. Nothing is simulated before somebody looks."""
        if generator is None:
            raise ValueError("`generator` should be a torch.Generator: this environment is random. Found None.")
        seeds = torch.randint(2**31 - 1, (n,), generator=generator).tolist()
        rows = np.zeros((n, self._width), dtype=np.int32)
        for row, seed in zip(rows, seeds, strict=True):
            row[SEED] = seed
            row[KEY] = np.frombuffer(key_of(seed), dtype=np.int32)
        return torch.from_numpy(rows)

    def step(
        self,
        state: Tensor,
        actions: Tensor,
        generator: torch.Generator | None = None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As in the contract. A copy that has ended stays where it is."""
        self._check_alive()
        rows, taken = state.cpu().numpy().copy(), self._taken(actions, len(state))
        n, running = len(rows), np.flatnonzero(rows[:, ENDED] == 0)
        rewards, ends = np.zeros((n, self.num_objectives)), np.zeros((2, n), dtype=bool)
        ends[1] = True
        if len(running):
            numbers = self._standing(rows, running)
            told = self._stepped(numbers, taken[running])
            rewards[running], ends[0, running] = told.rewards, told.terminated
            ends[1, running] = told.truncated | (rows[running, STEPS] + 1 >= self.max_steps)
            self._move(rows, running, numbers, taken, told.observations, ends[0] | ends[1])
        device = state.device
        moved, gained, terminated, truncated = (torch.from_numpy(part).to(device) for part in (rows, rewards, *ends))
        return moved, gained, terminated, truncated & ~terminated

    def observe(self, state: Tensor) -> Tensor:
        """As in the contract."""
        self._check_alive()
        seen: Tensor = state[:, HEAD : HEAD + self._observed].contiguous().view(torch.float32)
        fresh = torch.nonzero(state[:, STEPS] == 0).flatten().cpu()
        if len(fresh):
            first = self._first(state[fresh.to(state.device)].cpu().numpy())
            seen = seen.index_copy(0, fresh.to(seen.device), first.to(seen))
        return seen

    def action_mask(self, state: Tensor) -> None:  # noqa: ARG002
        return None

    # ------------------------------------------------------------------------------------------ simulators
    @property
    def _observed(self) -> int:
        return self.observation_space.dim

    @property
    def _width(self) -> int:
        return HEAD + self._observed + self.max_steps * self._acts.width

    @property
    def engine(self) -> Here | Workers:
        """What steps the simulators; it begins when it is first needed."""
        if self._engine is None:
            widths = (self._observed, self._acts.width, self.num_objectives)
            self._engine = (
                Workers(self._make, self.name, widths, self.workers)
                if self.workers
                else Here(self._make, self.name, self.num_objectives)
            )
        return self._engine

    def close(self) -> None:
        """End the processes and close the simulators; what comes later begins others."""
        if self._engine is not None:
            self._engine.close()
        self._engine, self._places, self._lost = None, Places(), ""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_engine": None, "_places": Places(), "_lost": ""}

    def _check_alive(self) -> None:
        """Say again what was lost: whoever caught it once must not go on without simulators."""
        if self._lost:
            raise RuntimeError(self._lost)

    def _told(self, error: RuntimeError) -> RuntimeError:
        """Note what a failure means for those that come later: lost processes stay lost until `close`."""
        if isinstance(self._engine, Workers) and not self._engine.pids:
            self._lost, self._engine = str(error), None
        return error

    def _taken(self, actions: Tensor, n: int) -> np.ndarray:
        """Actions as rows of float32 `[n, a]`."""
        wanted = [n] if self._acts.choices else [n, self._acts.width]
        if list(actions.shape) != wanted:
            raise ValueError(f"`actions` of {self.name} should have shape {wanted}. Found {list(actions.shape)}.")
        return actions.detach().cpu().reshape(n, -1).to(torch.float32).numpy()

    def _history(self, row: np.ndarray) -> np.ndarray:
        """The actions taken so far, float32 `[t, a]`."""
        width, begins = self._acts.width, HEAD + self._observed
        return row[begins : begins + int(row[STEPS]) * width].view(np.float32).reshape(-1, width)

    def _standing(self, rows: np.ndarray, running: np.ndarray) -> np.ndarray:
        """The number of a simulator that stands where each of those rows does, int64 `[k]`."""
        numbers = [self._places.take(rows[row, KEY].tobytes()) for row in running]
        absent = [place for place, number in enumerate(numbers) if number is None]
        for place in absent:
            numbers[place] = self._places.any()
        found = np.array(numbers, dtype=np.int64)
        if absent:
            self._begin([self._job(rows[running[place]], int(found[place])) for place in absent], found)
        return found

    def _first(self, rows: np.ndarray) -> Tensor:
        """The first observations of episodes, `[k, o]`."""
        keys = [row[KEY].tobytes() for row in rows]
        found = [self._places.seen(key) for key in keys]
        absent = [place for place, seen in enumerate(found) if seen is None]
        if absent:
            jobs = [self._job(rows[place], self._places.any()) for place in absent]
            numbers = np.array([job[0] for job in jobs])
            for place, number, seen in zip(absent, numbers.tolist(), self._begin(jobs, numbers), strict=True):
                found[place] = seen.astype(np.float32)
                self._places.put(keys[place], number, found[place])
        return torch.from_numpy(np.stack([seen for seen in found if seen is not None]))

    def _job(self, row: np.ndarray, number: int) -> Job:
        return number, int(row[SEED]), self._history(row)

    def _begin(self, jobs: list[Job], busy: np.ndarray) -> np.ndarray:
        try:
            return self.engine.begin(jobs)
        except RuntimeError as error:
            self._drop(busy)
            raise self._told(error) from error.__cause__

    def _stepped(self, numbers: np.ndarray, actions: np.ndarray) -> Outcome:
        try:
            return self.engine.step(numbers, actions.astype(np.float64))
        except RuntimeError as error:
            self._drop(numbers)
            raise self._told(error) from error.__cause__

    def _drop(self, numbers: np.ndarray) -> None:
        """Free simulators of which nobody knows where they stand."""
        for number in numbers.tolist():
            self._places.release(number)

    def _move(
        self,
        rows: np.ndarray,
        running: np.ndarray,
        numbers: np.ndarray,
        taken: np.ndarray,
        seen: np.ndarray,
        ended: np.ndarray,
    ) -> None:
        """Write into rows what a step has led to, and note where the simulators stand."""
        width, first = self._acts.width, HEAD + self._observed
        shown = seen.astype(np.float32).view(np.int32)
        acted = taken.view(np.int32)
        for row, number, look in zip(running.tolist(), numbers.tolist(), shown, strict=True):
            now = rows[row]
            key = key_after(now[KEY].tobytes(), acted[row].tobytes())
            begin = first + int(now[STEPS]) * width
            now[begin : begin + width] = acted[row]
            now[KEY] = np.frombuffer(key, dtype=np.int32)
            now[HEAD:first] = look
            now[STEPS] += 1
            now[ENDED] = ended[row]
            if ended[row]:
                self._places.release(number)
            else:
                self._places.put(key, number)
