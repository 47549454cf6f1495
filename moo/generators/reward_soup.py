"""Reward soups: one expert for each objective, and the weights between them for every preference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from moo.base import Candidates, Setting
from moo.metered import Metered, MeteredEnvironment, MeteredText
from moo.options import Option
from moo.preferences import grid
from moo.rl.advantages import Advantages
from moo.rl.completions import evaluate_writers
from moo.rl.episodes import build
from moo.rl.rollouts import evaluate_policies
from moo.rl.sweep import SWEEP_OPTIONS, WITH_TEXT, PolicySweep
from moo.seeding import child_seed, torch_generator


class RewardSoup(PolicySweep):
    """Policies whose weights are the experts' weights, averaged by a preference: `theta(p) = sum_i p_i theta_i`.

    The experts, one for each objective, begin as one and the same policy, and each climbs its own objective alone. What
    averages of them are worth is not learned but measured: every `rest` steps the averages for an evenly spread
    lattice of preferences, the experts among them, play whole episodes (build objects, write completions), which are
    paid. Any other preference has its policy for nothing (`policies_for`). Of a language model what is averaged are the
    weights that are trained: all of them, or each matrix of its adapters.

    Source: Rame et al. 2023 (rewarded soups, 2306.04488, NeurIPS). What differs, and how far averages are behind
    policies that are trained for their preference: docs/methods/reward_soup.md.
    """

    kinds: ClassVar[tuple[str, ...]] = WITH_TEXT
    uses_preferences: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {
        "rest": Option(50, low=1, high=10_000, help="steps of the experts between evaluations of their averages"),
        "evaluated": Option(11, low=1, high=10_000, help="averages that are evaluated, at least"),
        "episodes": Option(32, low=1, high=100_000, help="episodes, objects or completions that evaluate an average"),
        **{name: option for name, option in SWEEP_OPTIONS.items() if name != "policies"},
    }

    def __init__(self, problem: Metered, *, initial: Candidates | None = None, **options: Any) -> None:
        m = problem.num_objectives
        super().__init__(problem, initial=initial, **{**options, "policies": m})
        self.net.load_state_dict({name: part[:1].expand_as(part) for name, part in self.net.rows().items()})
        self._first = self.net.rows(actor_alone=True)
        self.preferences_per_round, self.wants_setting = 0, False
        self._alone = Setting(torch.eye(m, dtype=torch.float64))
        self._lattice = grid(m, self._said.evaluated)
        self._averages = self._finals

    # ------------------------------------------------------------------------------------------ the contract
    def gains(self, advantages: Advantages, preferences: Tensor) -> Tensor:
        return advantages.weighted(preferences)

    def step(self, setting: Setting | None) -> Candidates:  # noqa: ARG002
        """What the experts learn in a step; where it is due, what their averages are worth."""
        told = super().step(self._alone)
        found = self._evaluated() if self._steps % self._said.rest == 0 else told.rows(slice(0))
        return Candidates.cat([told, found]) if len(found) else told

    def finals(self) -> Candidates | None:
        """The averages as they were evaluated last; before, the experts."""
        return self._averages if len(self._averages) else self._finals

    def _evaluated(self) -> Candidates:
        """What the averages of the lattice are worth; nothing where that cannot be paid in full."""
        problem, episodes = self.problem, self._said.episodes
        if problem.kind == "construction":
            return self._built()
        policies = self.policies_for(self._lattice)
        needed = len(policies) * episodes
        if problem.affordable(needed, problem.max_steps if problem.kind == "environment" else 1) < needed:
            return policies.rows(slice(0))  # cut short they would be worth nothing
        self._made += len(policies)
        if problem.kind == "text":
            seed = child_seed(self._seed, "averages", self._steps)
            self._averages = evaluate_writers(cast(MeteredText, problem), self, policies, episodes, seed)
        else:
            paid, stream = cast(MeteredEnvironment, problem), torch_generator(self._seed, "averages", self._steps)
            self._averages = evaluate_policies(paid, self, policies, episodes, stream, self._device)
        return self._averages

    def _built(self) -> Candidates:
        """Objects of the averages of the lattice, each worth what it is worth; the first of them, if budget lacks."""
        net = self._networks(len(self._lattice)).to(self._device)
        net.load_rows({**net.rows(), **self._averaged(self._lattice)})
        stream = torch_generator(self._seed, "averages", self._steps)
        how = (self.observer, self._said.episodes, stream, self._lattice, self._device)
        episodes, told = build(self.problem, net, *how)
        if not episodes.cut.any():
            self._averages = told
        return told

    def _averaged(self, preferences: Tensor) -> dict[str, Tensor]:
        """The experts' weights by name, averaged by each of the preferences `[k, m]`."""
        shares = preferences.to(self._device)
        experts = self.net.rows(actor_alone=True)
        return {name: torch.einsum("km,m...->k...", shares.to(part), part) for name, part in experts.items()}

    def policies_for(self, preferences: Tensor) -> Candidates:
        """The averages for `preferences [k, m]` as the experts stand, not evaluated."""
        k, m = preferences.shape
        return Candidates.of(
            torch.arange(self._made, self._made + k)[:, None],
            torch.full((k, m), float("nan"), dtype=torch.float64),
            preferences.to(torch.float64).cpu(),
            **{f"parameters.{name}": part.cpu() for name, part in self._averaged(preferences).items()},
        )

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "averages": self._averages.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._averages = Candidates.from_state(state["averages"])
