"""A sweep: policies side by side, one for each preference, that learn by sampled policy gradients.

What methods differ in is how the advantages of several objectives become one gain for each step: `PolicySweep.gains`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor

from moo.base import Candidates, Setting
from moo.metered import Metered, MeteredEnvironment, MeteredText
from moo.options import Option
from moo.rl.advantages import Advantages
from moo.rl.divergences import DIVERGENCES, divergence
from moo.rl.episodes import Episodes, build, play, spaces_of
from moo.rl.estimators import ESTIMATORS, surrogate
from moo.rl.language import load_model
from moo.rl.levels import Levels
from moo.rl.policies import ActorCritic, Law, Observer, act_rows, clip_each, law_of, stacked
from moo.rl.writers import Writers
from moo.seeding import torch_generator

SWEEP_OPTIONS: dict[str, Option] = {
    "policies": Option(11, low=1, high=10_000, log=True, tuned=(5, 50), help="one for each preference, side by side"),
    "copies": Option(32, low=2, high=100_000, log=True, tuned=(8, 128), help="episodes of each policy in a step"),
    "estimator": Option("rloo", choices=ESTIMATORS, help="what episodes are held against; ppo has value heads"),
    "learning_rate": Option(1e-2, low=1e-6, high=1.0, log=True, tuned=(1e-3, 5e-2), help="of Adam"),
    "epochs": Option(1, low=1, high=100, help="gradient steps on the episodes of a step"),
    "clip": Option(0.2, low=1e-3, high=1.0, help="how far a chance may move in them"),
    "decay": Option(0.95, low=0.0, high=1.0, help="lambda of the advantages, with estimator=ppo"),
    "entropy": Option(0.01, low=0.0, high=100.0, tuned=(1e-3, 0.1), help="weight of the policies' entropy per step"),
    "divergence_weight": Option(0.0, low=0.0, high=100.0, help="of the divergence from the first policies per step"),
    "divergence": Option("reverse", choices=DIVERGENCES, help="which one"),
    "longest": Option(10.0, low=1e-3, high=1e6, log=True, help="norm that a policy's gradient is cut to"),
    "hidden": Option(64, low=1, high=4096, help="units of a layer"),
    "layers": Option(2, low=0, high=8, help="hidden layers"),
    "interval": Option(5, low=1, high=10_000, help="steps between reports of an environment's or a text's policies"),
    "model": Option("textgenrnn", help="of texts: textgenrnn, characters, or the folder or hub id of a language model"),
    "lora": Option(0, low=0, high=1024, help="of texts: rank of a hub model's adapters; 0: whole copies learn"),
    "length": Option(40, low=1, high=100_000, help="of texts: most tokens of a completion"),
    "prompts": Option(1, low=1, high=100_000, help="of texts: prompts that a step's copies are shared among"),
}

WITH_TEXT = ("environment", "construction", "text")

LEVEL_OPTIONS: dict[str, Option] = {  # of methods that go by where policies stand
    "memory": Option(0.8, low=0.0, high=0.999, help="share of an old mean return that a new one keeps"),
}

STANDARDISED = ("grpo", "gdpo", "ppo")


class PolicySweep:
    """Policies that learn side by side; a method is a subclass with its `gains`.

    A step samples `copies` episodes of every policy, combines the advantages of their objectives to one gain for each
    action, and makes `epochs` gradient steps on PPO's surrogate of these gains, plus `entropy`, minus the divergence
    from the first policies. The first setting's preferences hold for the whole run. On a text problem policies are
    copies or adapters of a language model, an episode is a completion and a step a token.

    On a construction problem what is evaluated are objects, and these are the candidates. Else candidates are policies,
    reported every `interval` steps with the mean returns of the episodes they have just played, which cost nothing
    beside: a rollout from which one learns tells what the policy was worth. Episodes with a reward that is not finite
    are dropped and counted (`dropped`); a policy all of whose episodes are dropped has failed. What the budget cuts
    short is neither learned from nor reported.
    """

    kinds: ClassVar[tuple[str, ...]] = ("environment", "construction")
    columns: ClassVar[tuple[str, ...]] = ("real", "integer", "categorical")
    actions: ClassVar[tuple[str, ...]] = ("categorical",)
    encodings: ClassVar[tuple[str, ...]] = ("construction",)
    max_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = False
    uses_preferences: ClassVar[bool] = True
    schedules_by_budget: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = SWEEP_OPTIONS
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
        self.problem, self._seed, self._device = problem, seed, torch.device(device)
        self.preferences_per_round, self.wants_setting = said.policies, True
        self.net = (self._writers() if problem.kind == "text" else self._networks(said.policies)).to(self._device)
        self._first = self.net.rows(actor_alone=True)
        self._adam = torch.optim.Adam(self.net.parameters(), lr=said.learning_rate, eps=1e-5)
        self.levels = Levels(options.get("memory", 0.0), self._device)
        self._steps = self._made = 0
        self._finals = Candidates.empty((1,), problem.num_objectives, torch.int64)

    def _networks(self, policies: int) -> ActorCritic:
        said, (read, done) = self._said, spaces_of(self.problem)
        self.observer = Observer(read)
        shape = (policies, self.observer.inputs, done, self.problem.num_objectives, said.hidden, said.layers)
        return ActorCritic(*shape, torch_generator(self._seed, "networks"))

    def _writers(self) -> Writers:
        said = self._said
        if said.copies % said.prompts:
            raise ValueError(
                f"Option `copies` should be a multiple of `prompts`, which share them evenly. Found {said.copies} and "
                f"{said.prompts}."
            )
        sizes = {"hidden": said.hidden, "layers": said.layers}
        model = load_model(said.model, lora=said.lora, **sizes, seed=self._seed, device=self._device)
        heads = torch_generator(self._seed, "networks")
        return Writers(model, said.policies, self.problem.num_objectives, heads)

    # ------------------------------------------------------------------------------------------ what a method says
    def gains(self, advantages: Advantages, preferences: Tensor) -> Tensor:
        """How much each action is to become likelier, `[p, c, T]`, by `preferences [p, m]` of the policies."""
        raise NotImplementedError

    def per_range(self, weights: Tensor) -> Tensor:
        """Weights `[p, m]` of objectives in units of the ranges of their returns, as `Advantages.weighted` takes them.

        GDPO standardises every objective before it weighs: there the weights mean this already.
        """
        return weights if self._said.estimator == "gdpo" else weights / self.levels.span.to(weights)

    def comparable(self, advantages: Advantages) -> Tensor:
        """Advantages of every objective alone, `[p, c, T, m]`, in one unit: ranges, or standard deviations."""
        each = advantages.each()
        return each if self._said.estimator in STANDARDISED else each / self.levels.span.to(each)

    # ------------------------------------------------------------------------------------------ the contract
    def step(self, setting: Setting | None) -> Candidates:
        """Episodes of every policy, and what is learned from them."""
        assert setting is not None
        assert setting.preferences is not None
        self.wants_setting = False
        preferences = setting.preferences.to(self._device)
        episodes, told = self._sample(preferences)
        if told is None:
            told = self._policies(episodes, setting.preferences)
        self._steps += 1
        if len(told) and not episodes.cut.any():
            self._finals = told
        if not episodes.cut.any() and episodes.sound.any():
            self.levels.see(episodes)
            self._learn(episodes, preferences)
        return told

    def act(
        self,
        candidates: Candidates,
        observations: Tensor,
        mask: Tensor | None,
        time: int,  # noqa: ARG002
        generator: torch.Generator,
    ) -> Tensor:
        return act_rows(candidates, observations, mask, self.observer, generator)

    @property
    def copies_at_once(self) -> int:
        """How many texts a step writes at once."""
        many: int = self._said.policies * self._said.copies
        return many

    def complete(self, candidates: Candidates, prompts: Sequence[str], seed: int = 0) -> list[str]:
        """One completion of each prompt by the policy of the same row of a front or finals, on a text problem."""
        stream = torch_generator(seed, "completions")
        return cast(Writers, self.net).complete(candidates, prompts, self._said.length, stream)

    def save_policy(self, candidates: Candidates, row: int, folder: str | Path) -> None:
        """Write a row's language model (its adapters, where there are) as its library reads it, in safetensors."""
        cast(Writers, self.net).save(candidates, row, folder)

    def finals(self) -> Candidates | None:
        return self._finals

    # ------------------------------------------------------------------------------------------ episodes
    def _sample(self, preferences: Tensor) -> tuple[Episodes, Candidates | None]:
        """Episodes of every policy, and the objects they built, if that is what they do."""
        said, stream = self._said, torch_generator(self._seed, "episodes", self._steps)
        if isinstance(self.net, Writers):
            metered = cast(MeteredText, self.problem)
            return self.net.compose(metered, said.prompts, said.copies, said.length, stream), None
        how = (self.net, self.observer, said.copies, stream)
        if self.problem.kind == "construction":
            return build(self.problem, *how, preferences, self._device)
        return play(cast(MeteredEnvironment, self.problem), *how, self._device), None

    def _policies(self, episodes: Episodes, preferences: Tensor) -> Candidates:
        """The policies as they played, where that is due."""
        m = self.problem.num_objectives
        if self._steps % self._said.interval or episodes.cut.any():
            return Candidates.empty((1,), m, torch.int64)
        n, dropped = self.net.policies, episodes.failed.sum(dim=1).cpu()
        lost = ~episodes.sound.any(dim=1).cpu()
        ids = torch.arange(self._made, self._made + n)[:, None]
        self._made += n
        text = self.problem.kind == "text"
        failure = "a score was not finite" if text else cast(MeteredEnvironment, self.problem).failure
        return Candidates.of(
            ids,
            episodes.means.cpu(),
            preferences.to(torch.float64).cpu(),
            **{f"parameters.{name}": part.cpu() for name, part in self.net.rows(actor_alone=True).items()},
            failed=lost,
            reason=np.where(lost.numpy(), failure, ""),
            used=torch.full((n,), self.problem.used),
            standard_error=episodes.standard_errors.cpu(),
            episodes=episodes.sound.sum(dim=1).cpu(),
            dropped=dropped,
        )

    # ------------------------------------------------------------------------------------------ learning
    def _learn(self, episodes: Episodes, preferences: Tensor) -> None:
        """Gradient steps on what was sampled."""
        said, values, seen = self._said, None, None
        if said.estimator == "ppo":
            seen = self.net.seen(episodes) if isinstance(self.net, Writers) else episodes.inputs.flatten(1, 2)
            with torch.no_grad():
                values = self.net.values(seen).reshape(episodes.rewards.shape)
        advantages = Advantages(episodes, said.estimator, values, said.decay)
        gains = self.gains(advantages, preferences)
        goals = self._goals(advantages)
        parameters = list(self.net.parameters())
        for _ in range(said.epochs):
            self._adam.zero_grad()
            for which in self._portions:
                part = episodes if which == slice(None) else episodes.of(which)
                law = self.law(part, which)
                aim = surrogate(self.ratios(law, part), gains[which].to(law.logits), part.live, said.clip)
                (-aim - self._held(law, part, which)).sum().backward()  # type: ignore[no-untyped-call]
            if goals is not None:
                self._misses(cast(Tensor, seen), episodes, goals).sum().backward()  # type: ignore[no-untyped-call]
            clip_each(parameters, said.longest)
            self._adam.step()

    @property
    def _portions(self) -> list[slice]:
        """Policies that learn at a time."""
        return self.net.portions if isinstance(self.net, Writers) else [slice(None)]

    def law(self, episodes: Episodes, which: slice = slice(None)) -> Law:
        """The laws of policies, as they are now, at all steps of their episodes: `[p, c T, a]`."""
        if isinstance(self.net, Writers):
            return self.net.law_at(episodes, self.net.weights(which))
        masks = None if episodes.masks is None else episodes.masks.flatten(1, 2)
        return self.net.law(episodes.inputs.flatten(1, 2), masks)

    @staticmethod
    def ratios(law: Law, episodes: Episodes) -> Tensor:
        """Chances of the actions now, over those when they were taken, `[p, c, T]`; 1 at steps not learned from."""
        now = law.log_chance(episodes.actions.flatten(1)).reshape(episodes.moves.shape)
        return torch.where(episodes.live, now - episodes.before, 0.0).exp()

    def _held(self, law: Law, episodes: Episodes, which: slice = slice(None)) -> Tensor:
        """Entropy, less divergence from the first policies, each with its weight, means over steps, `[p]`."""
        said, live = self._said, episodes.live.flatten(1)
        held, count = torch.zeros(len(live), device=live.device), live.sum(dim=1).clamp(min=1)
        if said.entropy:
            held = held + said.entropy * (law.entropy() * live).sum(dim=1) / count
        if said.divergence_weight:
            away = divergence(said.divergence, law.logits, self._first_law(episodes, which).logits)
            held = held - said.divergence_weight * (away * live).sum(dim=1) / count
        return held

    @torch.no_grad()
    def _first_law(self, episodes: Episodes, which: slice = slice(None)) -> Law:
        """The laws of the first policies at all steps, `[p, c T, a]`."""
        if isinstance(self.net, Writers):
            first = {name.removeprefix("actor."): part[which] for name, part in self._first.items()}
            return self.net.law_at(episodes, first)
        layers = range(self._said.layers + 1)
        weights, biases = ([self._first[f"actor.{kind}.{i}"] for i in layers] for kind in ("weights", "biases"))
        masks = None if episodes.masks is None else episodes.masks.flatten(1, 2)
        return law_of(stacked(weights, biases, episodes.inputs.flatten(1, 2)), masks, None)

    def _goals(self, advantages: Advantages) -> Tensor | None:
        """What the value heads' outputs should be, in their unit, which grows with what it measures."""
        if advantages.targets is None:
            return None
        net, live = self.net, advantages.episodes.live
        targets = advantages.targets.to(net.scale)
        squares = targets.square().sum(dim=(1, 2)) / live.sum(dim=(1, 2)).clamp(min=1)[:, None]
        net.rescale(torch.maximum(net.scale, squares.sqrt()[:, None]))
        goals: Tensor = targets.flatten(1, 2) / net.scale
        return goals

    def _misses(self, seen: Tensor, episodes: Episodes, goals: Tensor) -> Tensor:
        """Half the mean squared error of the value heads, `[p]`."""
        live = episodes.live.flatten(1)
        squares = (self.net.critic(seen) - goals).square().sum(dim=2)
        misses: Tensor = 0.5 * (squares * live).sum(dim=1) / live.sum(dim=1).clamp(min=1)
        return misses

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {
            "net": dict(self.net.state_dict()),
            "adam": self._adam.state_dict(),
            "levels": self.levels.state_dict(),
            "counters": [self._steps, self._made],
            "wants_setting": self.wants_setting,
            "finals": self._finals.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self._adam.load_state_dict(state["adam"])
        self.levels.load_state_dict(state["levels"])
        self._steps, self._made = state["counters"]
        self.wants_setting = state["wants_setting"]
        self._finals = Candidates.from_state(state["finals"])
