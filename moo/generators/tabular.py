"""Tabular learning of many policies at once, for small environments."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor

from moo.base import Candidates, Setting
from moo.metered import Metered, MeteredEnvironment
from moo.options import Option
from moo.rl.exploration import EXPLORATIONS, Exploration
from moo.rl.rollouts import Collector, evaluate_policies
from moo.rl.tables import LinearTables, Memory, SetTables
from moo.seeding import torch_generator

MOST_PLACES = 1_000_000  # different observations: a policy has an action for each
ALIKE = 1e-6  # predicted returns that differ by less are of one policy; with chance, by so much of their size:
ALIKE_WITH_CHANCE = 1e-3
SHARE = 0.2  # of what is learned from: what evaluating policies may cost


class Tabular:
    """Learns exact values of discrete observations, for all preferences from every transition.

    - `learner="linear"`: vector values, one table per preference, backed up from all outcomes seen so far. Each
      transition, whatever policy made it, teaches the tables of all preferences; there is no learning rate. The
      policies are greedy and find the convex coverage set, no more.
    - `learner="pareto"`: remembers what each action leads to and keeps, for each place, the set of vectors of all
      Pareto-optimal policies that end, by rounds of set-valued value iteration. The policies are sequences of actions.
      For environments without chance; it finds points that no linear preference does.

    Policies whose predicted return is new are evaluated by whole episodes, which are paid and enter the archive.
    `finals` are the policies at the last evaluation.

    Source: Q-learning for several objectives as surveyed by Roijers, Vamplew, Whiteson and Dazeley 2013 (JAIR 48); the
    sets are those of Van Moffaert and Nowe 2014, "Multi-objective reinforcement learning using sets of Pareto
    dominating policies", JMLR 15. They update a set when its action is taken and learn immediate rewards apart; here
    what an action leads to is remembered, so that one visit to each place suffices.
    """

    kinds: ClassVar[tuple[str, ...]] = ("environment",)
    columns: ClassVar[tuple[str, ...]] = ()
    observations: ClassVar[tuple[str, ...]] = ("integer", "categorical")
    actions: ClassVar[tuple[str, ...]] = ("categorical",)
    encodings: ClassVar[tuple[str, ...]] = ()
    max_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = False
    uses_preferences: ClassVar[bool] = True
    schedules_by_budget: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {
        "learner": Option(
            "linear", choices=("linear", "pareto"), tuned=("linear", "pareto"), help="values for preferences, or sets"
        ),
        "policies": Option(
            200, low=1, high=100_000, log=True, tuned=(50, 400), help="preferences that learner=linear learns for"
        ),
        "copies": Option(32, low=1, high=100_000, help="of the environment, stepped together"),
        "steps": Option(32, low=1, high=100_000, help="of each copy in a step of the search"),
        "interval": Option(4096, low=1, high=10**9, help="most transitions between cheap evaluations of policies"),
        "episodes": Option(20, low=1, high=10_000, help="that evaluate a policy, where there is chance"),
        "exploration": Option("sticky", choices=EXPLORATIONS, help="which actions explore"),
        "share": Option(
            0.5,
            low=0.0,
            high=1.0,
            tuned=(0.1, 1.0),
            help="of actions that explore; with learner=linear others are greedy",
        ),
        "sweeps": Option(
            20, low=0, high=10_000, tuned=(5, 40), help="over all places before an evaluation, with learner=linear"
        ),
    }
    finished = ""
    draws_actions = False

    def __init__(
        self,
        problem: Metered,
        *,
        budget: int,  # noqa: ARG002
        seed: int,
        device: str,
        initial: Candidates | None = None,  # noqa: ARG002
        **options: Any,
    ) -> None:
        said = self._said = SimpleNamespace(**options)
        self.problem, self._seed, self._device = cast(MeteredEnvironment, problem), seed, torch.device(device)
        _check(problem, said.learner)
        self._linear = said.learner == "linear"
        self.wants_setting, self.preferences_per_round = self._linear, said.policies if self._linear else 0
        self._places, self._actions = int(problem.observation_space.size), int(problem.action_space.size)
        self._collector = Collector(self.problem, said.copies, self._device)
        self._exploration = Exploration(said.exploration, said.share, said.copies, self._actions, self._device)
        self._visits = torch.zeros(self._places * self._actions, dtype=torch.int64, device=self._device)
        self._starts = torch.zeros(self._places, dtype=torch.float64, device=self._device)
        self._followed = torch.zeros(said.copies, dtype=torch.int64, device=self._device)  # preference of an episode
        self._memory = Memory(self._places, self._actions, problem.num_objectives, self._device)
        sets = None if self._linear else SetTables(self._memory, problem.gamma, problem.max_steps)
        self._tables: LinearTables | SetTables | None = sets
        self._steps = self._made = self._since = self._cost = 0
        self._finals = Candidates.empty((1,), problem.num_objectives, torch.int64)
        self._predicted = np.zeros((0, problem.num_objectives))  # of the finals

    # ------------------------------------------------------------------------------------------ the contract
    def step(self, setting: Setting | None) -> Candidates:
        """A window of steps of all copies to learn from; now and then, an evaluation of policies."""
        if self._tables is None:
            assert setting is not None
            assert setting.preferences is not None
            self._tables = LinearTables(self._memory, setting.preferences, self.problem.gamma)
        self.wants_setting = False
        self._stream = torch_generator(self._seed, "tabular", self._steps)
        self._steps += 1
        window = self._collector.collect(self._said.steps, self._choose)
        self._tables.learn(window, self._numbers(window.observations), self._numbers(window.following))
        self._since += int(window.active.sum())
        if self._since < max(min(self._said.interval, self.problem.used // 4), self._cost / SHARE):
            return self._finals.rows(slice(0))
        before, self._since = self.problem.used, 0
        found = self._evaluate()
        self._cost = self.problem.used - before
        return found

    def act(
        self,
        candidates: Candidates,
        observations: Tensor,
        mask: Tensor | None,
        time: int,
        generator: torch.Generator,  # noqa: ARG002
    ) -> Tensor:
        table = candidates.extras["parameters.actions"].to(observations.device)
        column = self._numbers(observations) if self._linear else torch.full((len(table),), time, device=table.device)
        actions = table.gather(1, column[:, None]).to(torch.int64)
        if mask is not None:  # the table says nothing of places never seen, and its 0 may be illegal there
            actions = torch.where(mask.gather(1, actions), actions, mask.long().argmax(dim=1, keepdim=True))
        chosen: Tensor = actions.squeeze(1)
        return chosen

    def finals(self) -> Candidates | None:
        return self._finals

    # ------------------------------------------------------------------------------------------ acting
    def _numbers(self, observations: Tensor) -> Tensor:
        numbers: Tensor = self.problem.observation_space.number(observations.flatten(0, -2))
        return numbers.reshape(observations.shape[:-1])

    def _choose(self, observations: Tensor, mask: Tensor | None, begins: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Actions of the copies: exploring, or greedy for a preference that each copy draws for an episode."""
        places, stream = self._numbers(observations), self._stream
        self._starts.index_add_(0, places, begins.to(torch.float64))
        self._exploration.begin(begins, stream)
        chances = torch.ones(len(places), self._actions, dtype=torch.float64, device=places.device)
        chances = chances if mask is None else mask.to(chances)
        if isinstance(self._tables, LinearTables) and self._exploration.share < 1:
            drawn = torch.randint(self.preferences_per_round, begins.shape, generator=stream).to(places.device)
            self._followed = torch.where(begins, drawn, self._followed)
            chances = self._tables.greedy(places, self._followed, chances)
        chances = chances / chances.sum(dim=1, keepdim=True)
        pairs = places[:, None] * self._actions + torch.arange(self._actions, device=places.device)
        chances = self._exploration.mix(chances, mask, self._visits[pairs])
        actions = torch.multinomial(chances.cpu(), 1, generator=stream).squeeze(1).to(places.device)
        self._exploration.last = actions
        self._visits.index_add_(0, places * self._actions + actions, torch.ones_like(actions))
        return actions, {}

    # ------------------------------------------------------------------------------------------ evaluating
    def _evaluate(self) -> Candidates:
        """Evaluate the policies whose predicted return is new (with chance: all), as many as can surely be paid."""
        predicted, which = self._predictions()
        known = np.zeros(len(predicted), dtype=bool)
        old = np.zeros(len(predicted), dtype=np.int64)
        if len(self._predicted) and not self.problem.stochastic:
            gaps = np.abs(predicted[:, None] - self._predicted[None]).max(axis=2)
            known, old = gaps.min(axis=1) < ALIKE, gaps.argmin(axis=1)
        episodes = self._said.episodes if self.problem.stochastic else 1
        new = np.flatnonzero(~known)
        fitting = self.problem.remaining // (episodes * self.problem.max_steps)
        if len(new) > fitting:  # the finals stay those of the last whole evaluation
            self.problem.trimmed = True
            return self._evaluated(predicted[new[:fitting]], which[new[:fitting]], episodes)
        fresh = self._evaluated(predicted[new], which[new], episodes)
        kept = self._finals.rows(torch.from_numpy(old[known]))
        self._finals = Candidates.cat([kept, fresh])
        self._predicted = np.concatenate([self._predicted[old[known]], predicted[new]])
        return fresh

    def _predictions(self) -> tuple[np.ndarray, np.ndarray]:
        """The different returns `[k, m]` that the policies predict, and a preference's number for each."""
        if isinstance(self._tables, SetTables):
            start = torch.nonzero(self._starts).flatten()
            if len(start) > 1:
                raise ValueError("learner='pareto' needs an environment with one start. Use learner='linear'.")
            front = self._tables.front(int(start[0]))
            return front, np.full(len(front), -1)
        assert self._tables is not None
        starts = torch.nonzero(self._starts).flatten()
        self._tables.sweep(self._said.sweeps)
        values = self._tables.best[self._memory.row[starts]]
        weights = self._starts[starts] / self._starts.sum()
        predicted = torch.einsum("s,spm->pm", weights, values).cpu().numpy()
        size = np.abs(predicted).max(axis=0).clip(min=1e-12) * ALIKE_WITH_CHANCE if self.problem.stochastic else ALIKE
        _, first = np.unique(np.round(predicted / size), axis=0, return_index=True)
        first = np.sort(first)
        return predicted[first], first

    def _evaluated(self, predicted: np.ndarray, which: np.ndarray, episodes: int) -> Candidates:
        """Candidates for policies, by whole episodes."""
        n, m = len(which), self.problem.num_objectives
        if not n:
            return Candidates.empty((1,), m, torch.int64)
        preferences = torch.full((n, m), float("nan"), dtype=torch.float64)
        if isinstance(self._tables, SetTables):
            start = int(torch.nonzero(self._starts)[0])
            table = self._tables.policies(start, predicted)
        else:
            assert self._tables is not None
            numbers = torch.from_numpy(which)
            preferences = self._tables.preferences.cpu()[numbers]
            table = self._tables.policies(numbers).cpu()
        first, self._made = self._made, self._made + n
        policies = Candidates.of(
            torch.arange(first, first + n)[:, None],
            torch.full((n, m), float("nan"), dtype=torch.float64),
            preferences,
            **{"parameters.actions": table},
        )
        return evaluate_policies(self.problem, self, policies, episodes, self._stream)

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {
            "collector": self._collector.state_dict(),
            "exploration": self._exploration.state_dict(),
            "visits": self._visits,
            "starts": self._starts,
            "followed": self._followed,
            "memory": self._memory.state_dict(),
            "tables": None if self._tables is None else self._tables.state_dict(),
            "counters": [self._steps, self._made, self._since, self._cost],
            "finals": self._finals.state_dict(),
            "predicted": self._predicted,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._collector.load_state_dict(state["collector"])
        self._exploration.load_state_dict(state["exploration"])
        self._visits, self._starts, self._followed = (
            state[name].to(self._device) for name in ("visits", "starts", "followed")
        )
        self._memory.load_state_dict(state["memory"])
        if state["tables"] is not None:
            if self._tables is None:
                self._tables = LinearTables(self._memory, state["tables"]["preferences"], self.problem.gamma)
            self._tables.load_state_dict(state["tables"])
            self.wants_setting = False
        self._steps, self._made, self._since, self._cost = state["counters"]
        self._finals, self._predicted = Candidates.from_state(state["finals"]), state["predicted"]


def _check(problem: Metered, learner: str) -> None:
    """Whether a problem can be learned in tables.

    Raises:
        ValueError: It cannot, or not by this learner.
    """
    actions, observed = problem.action_space, problem.observation_space
    if actions.size > 256 or actions.dim > 1:
        raise ValueError(
            f"Method 'tabular' needs one action of at most 256 choices. {problem.name!r} has {actions.dim} columns of "
            f"actions, {actions.size:g} in all."
        )
    if observed.size > MOST_PLACES:
        raise ValueError(
            f"Method 'tabular' needs at most {MOST_PLACES:,} different observations. {problem.name!r} has "
            f"{observed.size:g}. Choose a method with networks."
        )
    if learner == "pareto" and problem.stochastic:
        raise ValueError(f"learner='pareto' is for environments without chance. {problem.name!r} has some.")
