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
from moo.rl.returns import advantages
from moo.rl.rollouts import Collector

Objective = Callable[[Tensor, Tensor], Tensor]  # of the ratios [p, b] of samples `rows [b]`: what each policy raises
Condition = Callable[[Tensor], Tensor]  # of which copies begin an episode [n]: what networks see beside observations

PPO_OPTIONS: dict[str, Option] = {
    "steps": Option(0, low=0, high=100_000, help="of each copy between updates; 0: up to 64, four short episodes"),
    "learning_rate": Option(3e-3, low=1e-6, high=1.0, log=True, help="of Adam"),
    "epochs": Option(4, low=1, high=100, help="passes over a window"),
    "minibatches": Option(4, low=1, high=1000, help="parts of a pass, a gradient step each"),
    "clip": Option(0.2, low=1e-3, high=1.0, help="how far a chance may move in an update"),
    "decay": Option(0.95, low=0.0, high=1.0, help="lambda of the advantages"),
    "entropy": Option(0.01, low=0.0, high=1.0, help="weight of the policies' entropy"),
    "longest": Option(0.5, low=1e-3, high=1e3, help="norm that a policy's gradient is cut to"),
    "hidden": Option(64, low=1, high=4096, help="units of a layer"),
    "layers": Option(2, low=1, high=8, help="hidden layers"),
    "exploration": Option("uniform", choices=EXPLORATIONS[:-1], help="which actions explore, if they are discrete"),
    "share": Option(0.2, low=0.0, high=0.9, help="of actions that explore; corrected for by their ratios"),
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
        shape = (said.hidden, said.layers)
        self.net = ActorCritic(policies, inputs, problem.action_space, self.rewarded, *shape, stream).to(self.device)
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
        p, c, problem = self.policies, self.copies, self.problem

        def choose(seen: Tensor, mask: Tensor | None, begins: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            self._times = torch.where(begins, 0, self._times + 1)
            self._exploration.begin(begins, stream)
            extras = {"times": self._times, "begins": begins, "inputs": self.observer(seen)}
            if condition is not None:
                extras["conditions"] = condition(begins)
                extras["inputs"] = torch.cat([extras["inputs"], extras["conditions"].to(torch.float32)], dim=1)
            self._starts = torch.where(begins[:, None], extras["inputs"], self._starts)
            with torch.no_grad():
                law = self.net.law(
                    extras["inputs"].unflatten(0, (p, c)), None if mask is None else mask.unflatten(0, (p, c))
                )
            actions, extras["before"], extras["behaviour"] = self._draw(law, mask, stream)
            return self._placed(actions), extras | {"taken": actions}

        window = self._collector.collect(self.said.steps or min(64, 4 * problem.max_steps), choose)
        extras, m = window.extras, problem.num_objectives
        rewards = window.rewards
        if self.rewarded > m:
            rewards = torch.cat([rewards, self._bonus(window.observations, extras["taken"], window.active)], dim=2)
        after = self.observer(window.following.flatten(0, 1)).unflatten(0, window.active.shape)
        if condition is not None:
            after = torch.cat([after, extras["conditions"].to(torch.float32)], dim=2)
        with torch.no_grad():
            values, following = (self.net.values(_by_policy(x, p)) for x in (extras["inputs"], after))
        values, following = (_by_time(x, p, c).to(torch.float64) for x in (values, following))
        ratios = (extras["before"] - extras["behaviour"]).exp()
        ended = window.terminated | window.truncated | ~window.active
        found, targets = advantages(
            rewards, values, following, window.terminated, ended, problem.gamma, self.said.decay, ratios
        )
        episodes = extras["begins"].sum(dim=0).reshape(p, c).sum(dim=1).clamp(min=1)
        each = {
            "inputs": extras["inputs"],
            "masks": window.masks,
            "actions": extras["taken"],
            "before": extras["before"],
            "weights": ratios * window.active,
            "advantages": found,
            "targets": targets,
            "discounts": problem.gamma ** extras["times"].to(torch.float64),
            "conditions": extras.get("conditions"),
        }
        return Batch(**{name: None if x is None else _by_policy(x, p) for name, x in each.items()}, episodes=episodes)

    def see_start(self) -> None:
        """Look at the beginning of an episode of every copy, without stepping."""
        state = self.problem.reset(self.policies * self.copies, self.device)
        self._starts[:, : self.observer.inputs] = self.observer(self.problem.observe(state))

    def at_start(self) -> Tensor:
        """What the critics expect at the beginnings of the last episodes, means over copies, `[p, values]`."""
        with torch.no_grad():
            return self.net.values(self._starts.unflatten(0, (self.policies, self.copies))).mean(dim=1)

    def _draw(self, law: Law, mask: Tensor | None, stream: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Actions `[n]` or `[n, a]`, their log-chances by the policies, and by the law that they were drawn from."""
        if not self._discrete:
            actions = law.draw(stream)
            chance = law.log_chance(actions).flatten()
            return actions.flatten(0, 1), chance, chance
        chances = self._exploration.mix(law.logits.flatten(0, 1).exp().to(torch.float64), mask)
        actions = torch.multinomial(chances.cpu(), 1, generator=stream).to(chances.device)
        self._exploration.last = actions.squeeze(1)
        before = law.logits.flatten(0, 1).gather(1, actions).squeeze(1).to(torch.float64)
        return actions.squeeze(1), before, chances.gather(1, actions).squeeze(1).log()

    def _placed(self, actions: Tensor) -> Tensor:
        return actions if self._discrete else placed(actions, self.problem)

    def _bonus(self, observations: Tensor, actions: Tensor, active: Tensor) -> Tensor:
        """The rewards for what was rarely done, `[T, n, 1]`; what a window does is counted when it is over."""
        places = self.problem.observation_space.number(observations.flatten(0, 1)).reshape(actions.shape)
        pairs = places * int(self.problem.action_space.size) + actions
        self._visits.index_add_(0, pairs[active], torch.ones_like(pairs[active]))
        return (self.said.bonus / self._visits[pairs].clamp(min=1).to(torch.float64).sqrt())[..., None]

    # ------------------------------------------------------------------------------------------ improving
    def improve(self, batch: Batch, objective: Objective | None, stream: torch.Generator) -> None:
        """Raise each policy's objective (None: leave the policies), and fit the critics, by passes over a batch."""
        said, net, weights = self.said, self.net, batch.weights
        size = batch.targets.square().mean(dim=(0, 1)).sqrt().to(net.scale)
        net.rescale(torch.maximum(net.scale, size))
        goals = batch.targets.to(net.scale) / net.scale
        active = (weights > 0).to(torch.float32)
        parameters = list(net.parameters())
        for _ in range(said.epochs):
            order = torch.randperm(weights.shape[1], generator=stream).to(self.device)
            for rows in order.tensor_split(min(said.minibatches, len(order))):
                inputs, live = batch.inputs[:, rows], active[:, rows]
                count = live.sum(dim=1).clamp(min=1)
                misses = ((net.critic(inputs) - goals[:, rows]).square().sum(dim=2) * live).sum(dim=1) / count
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


def standardised(gains: Tensor, weights: Tensor) -> Tensor:
    """Advantages `[p, b]` of each policy with mean 0 and standard deviation 1 over samples that took place."""
    live = (weights > 0).to(gains)
    count = live.sum(dim=1, keepdim=True).clamp(min=1)
    centred = gains - (gains * live).sum(dim=1, keepdim=True) / count
    spread = ((centred.square() * live).sum(dim=1, keepdim=True) / count).sqrt()
    return centred / (spread + 1e-8)


def placed(actions: Tensor, problem: MeteredEnvironment) -> Tensor:
    """Gaussian actions `[..., a]`, whose range is [-1, 1], inside the bounds of an action space."""
    low, high = (bound.to(actions) for bound in (problem.action_space.lower, problem.action_space.upper))
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
