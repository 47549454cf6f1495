"""Proximal policy optimization of stacked policies: collecting for all of them at once, and improving them.

Source: Schulman, Wolski, Dhariwal, Radford and Klimov 2017 (1707.06347).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from moo.metered import MeteredEnvironment
from moo.options import Option
from moo.rl.exploration import EXPLORATIONS, Exploration
from moo.rl.policies import ActorCritic, Law, Observer, clip_each
from moo.rl.returns import advantages, standardised
from moo.rl.rollouts import Collector, Transitions
from moo.space import Space

Objective = Callable[[Tensor, Tensor], Tensor]  # of the ratios [p, b] of samples `rows [b]`: what each policy raises
Condition = Callable[[Tensor], Tensor]  # of which copies begin an episode [n]: what networks see beside observations

PPO_OPTIONS: dict[str, Option] = {
    "steps": Option(0, low=0, high=100_000, help="of each copy between updates; 0: up to 64, four short episodes"),
    "learning_rate": Option(3e-3, low=1e-6, high=1.0, log=True, tuned=(3e-4, 3e-2), help="of Adam"),
    "epochs": Option(4, low=1, high=100, tuned=(1, 8), help="passes over a window"),
    "minibatches": Option(4, low=1, high=1000, help="parts of a pass, a gradient step each"),
    "clip": Option(0.2, low=1e-3, high=1.0, help="how far a chance may move in an update"),
    "decay": Option(0.95, low=0.0, high=1.0, help="lambda of the advantages"),
    "entropy": Option(0.01, low=0.0, high=1.0, log=True, tuned=(1e-3, 0.1), help="weight of the policies' entropy"),
    "longest": Option(0.5, low=1e-3, high=1e3, help="norm that a policy's gradient is cut to"),
    "hidden": Option(64, low=1, high=4096, help="units of a layer"),
    "layers": Option(2, low=1, high=8, help="hidden layers"),
    "exploration": Option("uniform", choices=EXPLORATIONS[:-1], help="which actions explore, if they are discrete"),
    "share": Option(0.2, low=0.0, high=0.9, tuned=(0.0, 0.5), help="of actions that explore; ratios correct for them"),
    "standardise": Option(
        "auto",
        choices=("auto", "always", "never"),
        help="observations by their running mean and spread; auto: where their range is unknown",
    ),
    "bonus": Option(0.0, low=0.0, high=1e3, help="reward b / sqrt(visits) for what was rarely done; small problems"),
}


@dataclass(frozen=True)
class Batch:
    """A window of p policies with c copies each, `b = T c` samples of every policy: tensors `[p, b, ...]`.

    Attributes:
        inputs: Of the networks.
        masks: Legal actions, or None.
        actions: Taken.
        before: Log-chances of the actions by the policies that took them.
        weights: Of samples: 0 where nothing took place, else the ratio of the policy's chance of the action to the
            chance it was drawn with.
        advantages: Of each objective (and of the bonus).
        targets: Of the critics.
        discounts: Gamma to the power of the steps taken in the episode.
        conditions: What networks see beside observations, or None.
        episodes: Begun by each policy in the window, at least 1, `[p]`.
    """

    inputs: Tensor
    masks: Tensor | None
    actions: Tensor
    before: Tensor
    weights: Tensor
    advantages: Tensor
    targets: Tensor
    discounts: Tensor
    conditions: Tensor | None
    episodes: Tensor

    @property
    def counted(self) -> Tensor:
        """How many samples of each policy took place, at least 1, `[p]`."""
        return (self.weights > 0).sum(dim=1).clamp(min=1)


class Trainer:
    """Stacked policies on their copies of an environment.

    Args:
        problem: The metered environment.
        policies: How many, p.
        copies: Of the environment for each, c.
        said: The values of `PPO_OPTIONS`.
        stream: Of the first weights.
        device: Where all is computed.
        conditions: Columns that networks see beside the observations.
    """

    def __init__(
        self,
        problem: MeteredEnvironment,
        policies: int,
        copies: int,
        said: SimpleNamespace,
        stream: torch.Generator,
        device: str | torch.device = "cpu",
        conditions: int = 0,
    ) -> None:
        self.problem, self.said, self.device = problem, said, torch.device(device)
        self.policies, self.copies = policies, copies
        self.observer = Observer(problem.observation_space)
        self.rewarded = problem.num_objectives + (said.bonus > 0)
        inputs = self.observer.inputs + conditions
        unknown = said.standardise == "auto" and self.observer.unscaled
        first = self.observer.inputs if unknown or said.standardise == "always" else 0
        shape = (policies, inputs, problem.action_space, self.rewarded, said.hidden, said.layers)
        self.net = ActorCritic(*shape, stream, standardised=first).to(self.device)
        self.adam = torch.optim.Adam(self.net.parameters(), lr=said.learning_rate, eps=1e-5)
        self._collector = Collector(problem, policies * copies, self.device)
        self._discrete = self.net.log_std is None
        actions = int(problem.action_space.size) if self._discrete else 1
        kind = said.exploration if self._discrete else "none"
        self._exploration = Exploration(kind, said.share, policies * copies, actions, self.device)
        self._times = torch.zeros(policies * copies, dtype=torch.int64, device=self.device)
        self._visits = _visits(problem, said.bonus, self.device)
        self._starts = torch.zeros(policies * copies, inputs, device=self.device)  # of the last episodes

    # ------------------------------------------------------------------------------------------ collecting
    def collect(self, stream: torch.Generator, condition: Condition | None = None) -> Batch:
        """A window of all copies, and what is to be learned from it."""

        def choose(seen: Tensor, mask: Tensor | None, begins: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            return self._choose(seen, mask, begins, stream, condition)

        window = self._collector.collect(self.said.steps or min(64, 4 * self.problem.max_steps), choose)
        extras, p, gamma = window.extras, self.policies, self.problem.gamma
        ratios = (extras["before"] - extras["behaviour"]).exp()
        found, targets = self._advantages(window, ratios)
        masks, conditions = window.masks, extras.get("conditions")
        return Batch(
            inputs=_by_policy(extras["inputs"], p),
            masks=None if masks is None else _by_policy(masks, p),
            actions=_by_policy(extras["taken"], p),
            before=_by_policy(extras["before"], p),
            weights=_by_policy(ratios * window.active, p),
            advantages=_by_policy(found, p),
            targets=_by_policy(targets, p),
            discounts=_by_policy(gamma ** extras["times"].to(torch.float64), p),
            conditions=None if conditions is None else _by_policy(conditions, p),
            episodes=extras["begins"].sum(dim=0).reshape(p, -1).sum(dim=1).clamp(min=1),
        )

    def see_start(self) -> None:
        """Look at the beginning of an episode of every copy, without stepping."""
        state = self.problem.reset(self.policies * self.copies, self.device)
        self._starts[:, : self.observer.inputs] = self.observer(self.problem.observe(state))

    def at_start(self) -> Tensor:
        """What the critics expect at the beginnings of the last episodes, means over copies, `[p, values]`."""
        with torch.no_grad():
            return self.net.values(self._starts.reshape(self.policies, self.copies, -1)).mean(dim=1)

    def _choose(
        self,
        seen: Tensor,
        mask: Tensor | None,
        begins: Tensor,
        stream: torch.Generator,
        condition: Condition | None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Actions of all copies for one step, and what learning has to know of it."""
        self._times = torch.where(begins, 0, self._times + 1)
        self._exploration.begin(begins, stream)
        extras = {"times": self._times, "begins": begins, "inputs": self.observer(seen)}
        if condition is not None:
            extras["conditions"] = condition(begins)
            extras["inputs"] = torch.cat([extras["inputs"], extras["conditions"].to(torch.float32)], dim=1)
        self._starts = torch.where(begins[:, None], extras["inputs"], self._starts)
        p, c = self.policies, self.copies
        with torch.no_grad():
            law = self.net.law(extras["inputs"].reshape(p, c, -1), None if mask is None else mask.reshape(p, c, -1))
            actions, extras["before"], extras["behaviour"] = self._draw(law, mask, stream)
        return placed(actions, self.problem), extras | {"taken": actions}

    def _draw(self, law: Law, mask: Tensor | None, stream: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Actions `[n]` or `[n, a]`, their log-chances by the policies, and by the law that they were drawn from."""
        if not self._discrete:
            actions = law.draw(stream)
            chance = law.log_chance(actions).flatten()
            return actions.flatten(0, 1), chance, chance
        logits = law.logits.flatten(0, 1).to(torch.float64)
        chances = self._exploration.mix(logits.exp(), mask)
        actions = torch.multinomial(chances.cpu(), 1, generator=stream).to(chances.device)
        self._exploration.last = actions.squeeze(1)
        before = logits.gather(1, actions).squeeze(1)
        exact = not self._exploration.share  # then rounding must not make a difference of the two
        return actions.squeeze(1), before, before if exact else chances.gather(1, actions).squeeze(1).log()

    def _advantages(self, window: Transitions, ratios: Tensor) -> tuple[Tensor, Tensor]:
        """Advantages, and targets of the critics, `[T, n, values]`."""
        extras, p, c = window.extras, self.policies, self.copies
        rewards = window.rewards
        if self.rewarded > self.problem.num_objectives:
            rewards = torch.cat([rewards, self._bonus(window.observations, extras["taken"], window.active)], dim=2)
        after = self.observer(window.following.flatten(0, 1)).reshape(*window.active.shape, -1)
        if "conditions" in extras:
            after = torch.cat([after, extras["conditions"].to(torch.float32)], dim=2)
        with torch.no_grad():
            values, following = (self.net.values(_by_policy(x, p)) for x in (extras["inputs"], after))
        values, following = (_by_time(x, p, c).to(torch.float64) for x in (values, following))
        ended = window.terminated | window.truncated | ~window.active
        goes_on = (self.problem.gamma, self.said.decay)
        return advantages(rewards, values, following, window.terminated, ended, *goes_on, ratios)

    def _bonus(self, observations: Tensor, actions: Tensor, active: Tensor) -> Tensor:
        """The rewards for what was rarely done, `[T, n, 1]`; what a window does is counted when it is over."""
        places = self.problem.observation_space.number(observations.flatten(0, 1)).reshape(actions.shape)
        pairs = places * int(self.problem.action_space.size) + actions
        self._visits.index_add_(0, pairs[active], torch.ones_like(pairs[active]))
        bonus: Tensor = self.said.bonus / self._visits[pairs].clamp(min=1).to(torch.float64).sqrt()
        return bonus[..., None]

    # ------------------------------------------------------------------------------------------ improving
    def improve(self, batch: Batch, objective: Objective | None, stream: torch.Generator) -> None:
        """Raise each policy's objective (None: leave the policies), and fit the critics, by passes over a batch."""
        said, net, weights = self.said, self.net, batch.weights
        active = (weights > 0).to(torch.float32)
        squares = (batch.targets.square() * active[..., None]).sum(dim=1) / batch.counted[:, None]
        net.rescale(torch.maximum(net.scale, squares.sqrt()[:, None].to(net.scale)))
        goals = batch.targets.to(net.scale) / net.scale
        parameters = list(net.parameters())
        for _ in range(said.epochs):
            order = torch.randperm(weights.shape[1], generator=stream).to(self.device)
            for rows in order.tensor_split(min(said.minibatches, len(order))):
                inputs, live = batch.inputs[:, rows], active[:, rows]
                count = live.sum(dim=1).clamp(min=1)
                misses = ((net.scaled_values(inputs) - goals[:, rows]).square().sum(dim=2) * live).sum(dim=1) / count
                loss = 0.5 * misses
                if objective is not None:
                    law = net.law(inputs, None if batch.masks is None else batch.masks[:, rows])
                    ratios = (law.log_chance(batch.actions[:, rows]) - batch.before[:, rows]).exp()
                    entropy = (law.entropy() * live).sum(dim=1) / count
                    loss = loss - objective(ratios, rows) - said.entropy * entropy
                self.adam.zero_grad()
                loss.sum().backward()  # type: ignore[no-untyped-call]
                clip_each(parameters, said.longest)
                self.adam.step()
        net.see(batch.inputs, active > 0)

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        """Networks, optimiser, and where the copies stand."""
        return {
            "net": dict(self.net.state_dict()),
            "adam": self.adam.state_dict(),
            "collector": self._collector.state_dict(),
            "exploration": self._exploration.state_dict(),
            "times": self._times,
            "visits": self._visits,
            "starts": self._starts,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.net.load_state_dict(state["net"])
        self.adam.load_state_dict(state["adam"])
        self._collector.load_state_dict(state["collector"])
        self._exploration.load_state_dict(state["exploration"])
        self._times, self._visits, self._starts = (
            state[name].to(self.device) for name in ("times", "visits", "starts")
        )


def clipped(ratios: Tensor, gains: Tensor, weights: Tensor, clip: float) -> Tensor:
    """The clipped surrogate of PPO, `[p]`: the mean over samples that took place.

    Args:
        ratios: Of the chances now to those before, `[p, b]`.
        gains: Advantages `[p, b]`.
        weights: Of samples, `[p, b]`; 0 where nothing took place.
        clip: Beyond `1 - clip` and `1 + clip` nothing is gained.
    """
    least = torch.minimum(ratios * gains, ratios.clamp(1 - clip, 1 + clip) * gains)
    return (weights * least).sum(dim=1) / (weights > 0).sum(dim=1).clamp(min=1)


def towards(batch: Batch, preferences: Tensor, clip: float) -> Objective:
    """The clipped surrogate of the returns weighted by preferences; a bonus counts as it is.

    Args:
        batch: What was collected.
        preferences: Of samples `[p, b, m]`, or of policies `[p, 1, m]`.
        clip: As in `clipped`.
    """
    m, found = preferences.shape[2], batch.advantages
    utility = (found[:, :, :m] * preferences.to(found)).sum(dim=2) + found[:, :, m:].sum(dim=2)
    gains = standardised(utility, batch.weights)

    def objective(ratios: Tensor, rows: Tensor) -> Tensor:
        return clipped(ratios, gains[:, rows], batch.weights[:, rows], clip)

    return objective


def placed(actions: Tensor, problem: MeteredEnvironment) -> Tensor:
    """Actions as the problem takes them: Gaussian ones `[..., a]`, whose range is [-1, 1], inside the bounds."""
    space: Space = problem.action_space
    if space.kinds == {"categorical"}:
        return actions
    low, high = space.lower.to(actions), space.upper.to(actions)
    return low + (actions.clamp(-1, 1) + 1) / 2 * (high - low)


def _visits(problem: MeteredEnvironment, bonus: float, device: torch.device) -> Tensor:
    """A count for every place and action, where there is a bonus.

    Raises:
        ValueError: There are too many to count.
    """
    if not bonus:
        return torch.zeros(0, dtype=torch.int64, device=device)
    size = problem.observation_space.size * problem.action_space.size
    if size > 10_000_000:
        raise ValueError(
            f"Option `bonus` counts observations and actions, of which there may be at most 10,000,000. "
            f"{problem.name!r} has {size:g}. Leave it at 0, or choose another exploration."
        )
    return torch.zeros(int(size), dtype=torch.int64, device=device)


def _by_policy(x: Tensor, policies: int) -> Tensor:
    """`[T, p c, ...]` as `[p, T c, ...]`."""
    t, n = x.shape[:2]
    return x.reshape(t, policies, n // policies, *x.shape[2:]).transpose(0, 1).flatten(1, 2)


def _by_time(x: Tensor, policies: int, copies: int) -> Tensor:
    """`[p, T c, ...]` as `[T, p c, ...]`."""
    return x.reshape(policies, -1, copies, *x.shape[2:]).transpose(0, 1).flatten(1, 2)
