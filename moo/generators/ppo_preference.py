"""Proximal policy optimization of one network that is told the preference."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from moo.base import Candidates, Setting
from moo.metered import Metered, MeteredEnvironment
from moo.options import Option
from moo.preferences import grid
from moo.rl.policies import act_rows
from moo.rl.ppo import PPO_OPTIONS, Trainer, placed, towards
from moo.rl.rollouts import evaluate_policies
from moo.seeding import torch_generator


class PPOPreference:
    """One policy for all preferences: the network sees the preference beside the observation.

    Each copy of the environment plays its episodes by a preference of its own; the critic estimates the return of every
    objective, and the advantages are weighted by the preference that a sample was made for. Now and then the policies
    of an evenly spread lattice of preferences are evaluated by whole episodes, which are paid. A preference being
    constant during an episode, the policy for it is a plain network whose first biases hold it: that is what candidates
    store, and what `policies_for` makes for any preference.

    Source: conditioned networks go back to Abels, Roijers, Lenaerts, Nowe and Steckelmacher 2019 (1809.07803), there by
    Q-learning; the update is PPO's (1707.06347).
    """

    kinds: ClassVar[tuple[str, ...]] = ("environment",)
    columns: ClassVar[tuple[str, ...]] = ()
    actions: ClassVar[tuple[str, ...]] = ("real", "categorical")
    encodings: ClassVar[tuple[str, ...]] = ()
    max_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = False
    uses_preferences: ClassVar[bool] = True
    schedules_by_budget: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {
        "copies": Option(
            64,
            low=1,
            high=100_000,
            log=True,
            tuned=(16, 256),
            help="of the environment, each with a preference of its own",
        ),
        "interval": Option(10, low=1, high=10_000, help="updates between evaluations"),
        "evaluated": Option(20, low=1, high=10_000, help="preferences whose policies are evaluated, at least"),
        "episodes": Option(10, low=1, high=10_000, help="that evaluate a policy"),
        **PPO_OPTIONS,
    }
    wants_setting = True
    finished = ""

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
        self.problem, self._seed, self._device = cast(MeteredEnvironment, problem), seed, device
        self.preferences_per_round = said.copies
        stream = torch_generator(seed, "networks")
        m = problem.num_objectives
        self._trainer = Trainer(self.problem, 1, said.copies, said, stream, device, conditions=m)
        self._played = torch.full((said.copies, m), 1 / m, dtype=torch.float64, device=device)
        self._lattice = grid(m, said.evaluated)
        self._steps = self._made = 0
        self._length = 1.0  # of an episode, as last measured
        self._finals = Candidates.empty((1,), m, torch.int64)

    # ------------------------------------------------------------------------------------------ the contract
    def step(self, setting: Setting | None) -> Candidates:
        """One update; an evaluation where it is due."""
        assert setting is not None
        assert setting.preferences is not None
        stream = torch_generator(self._seed, "ppo-preference", self._steps)
        self._steps += 1
        wanted = setting.preferences.to(self._played)

        def condition(begins: Tensor) -> Tensor:
            self._played = torch.where(begins[:, None], wanted, self._played)
            return self._played

        batch = self._trainer.collect(stream, condition)
        assert batch.conditions is not None
        self._trainer.improve(batch, towards(batch, batch.conditions, self._said.clip), stream)
        if self._steps % self._said.interval:
            return self._finals.rows(slice(0))
        policies = self.policies_for(self._lattice)
        n = len(policies)
        if self.problem.remaining < n * self._said.episodes * self._length:
            return self._finals.rows(slice(0))  # cut short they would be worth nothing
        self._made, before = self._made + n, self.problem.used
        found = evaluate_policies(self.problem, self, policies, self._said.episodes, stream, self._device)
        self._length = (self.problem.used - before) / (n * self._said.episodes)
        self._finals = found
        return found

    def act(
        self,
        candidates: Candidates,
        observations: Tensor,
        mask: Tensor | None,
        time: int,  # noqa: ARG002
        generator: torch.Generator,
    ) -> Tensor:
        return placed(act_rows(candidates, observations, mask, self._trainer.observer, generator), self.problem)

    def finals(self) -> Candidates | None:
        return self._finals

    def policies_for(self, preferences: Tensor) -> Candidates:
        """The policies for `preferences [k, m]` as the network stands, not evaluated."""
        k, m = preferences.shape
        rows = self._trainer.net.rows(torch.zeros(k, dtype=torch.int64), actor_alone=True)
        first = rows["actor.weights.0"]
        seen = self._trainer.observer.inputs
        held = torch.bmm(preferences.to(first)[:, None], first[:, seen:])
        rows["actor.weights.0"], rows["actor.biases.0"] = first[:, :seen], rows["actor.biases.0"] + held
        return Candidates.of(
            torch.arange(self._made, self._made + k)[:, None],
            torch.full((k, m), float("nan"), dtype=torch.float64),
            preferences.to(torch.float64).cpu(),
            **{f"parameters.{name}": value.cpu().contiguous() for name, value in rows.items()},
        )

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {
            "trainer": self._trainer.state_dict(),
            "played": self._played,
            "counters": [self._steps, self._made, self._length],
            "finals": self._finals.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._trainer.load_state_dict(state["trainer"])
        self._played = state["played"].to(self._device)
        self._steps, self._made, self._length = state["counters"]
        self._finals = Candidates.from_state(state["finals"])
