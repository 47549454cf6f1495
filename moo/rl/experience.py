"""What policies with preferences of their own have lived through: collecting it, and making samples of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from moo.metered import MeteredEnvironment
from moo.rl.exploration import Exploration
from moo.rl.off_policy import Learner, Samples
from moo.rl.policies import Observer
from moo.rl.ppo import placed
from moo.rl.replay import Replay
from moo.rl.rollouts import Collector, Transitions
from moo.rl.utilities import span_of, utility
from moo.rl.windows import gained_so_far, looked_ahead, of_step

CLOCK = 2  # columns that show the time


class Aims(NamedTuple):
    """What p policies are for.

    Attributes:
        preferences: As they were given, `[p, m]`: what networks are told.
        in_units: For returns in units of the range, `[p, m]`.
        weights: How much each of v estimated returns counts for a policy, `[p, v]`.
    """

    preferences: Tensor
    in_units: Tensor
    weights: Tensor

    def of(self, rows: Tensor | None) -> Aims:
        """Those of policies `rows [k]`; None: all."""
        return self if rows is None else Aims(*(part[rows] for part in self))


class Sight:
    """What networks see: the observation, the time if they are `timed`, the preference if they are `told` it.

    Attributes:
        observer: Of observations.
        columns: In all.
    """

    def __init__(self, problem: MeteredEnvironment, timed: bool, told: bool) -> None:
        self.observer, self.timed, self.told = Observer(problem.observation_space), timed, told
        self._gamma, self._max_steps = problem.gamma, problem.max_steps
        self.columns = self.observer.inputs + CLOCK * timed + problem.num_objectives * told

    def __call__(self, observations: Tensor, times: Tensor, preferences: Tensor) -> Tensor:
        """Inputs `[n, columns]` for observations `[n, o]`, steps taken `[n]` and preferences `[n, m]`."""
        parts = [self.observer(observations)]
        if self.timed:
            parts.append(self.clock(times))
        if self.told:
            parts.append(preferences.to(parts[0]))
        return torch.cat(parts, dim=1)

    def clock(self, times: Tensor) -> Tensor:
        """The discount and the share of the longest episode that is over, `[n, 2]`, after so many steps."""
        elapsed = times.to(torch.float32)
        return torch.stack([self._gamma**elapsed, elapsed / self._max_steps], dim=1)

    def folded(self, rows: Mapping[str, Tensor], preferences: Tensor) -> dict[str, Tensor]:
        """Actors `[p, ...]` that see the observation alone.

        A preference does not change within an episode, so the first biases hold it. What the time adds to them is kept
        apart as `clock [p, 2, h]`.
        """
        first, seen = rows["actor.weights.0"], self.observer.inputs
        plain = {**rows, "actor.weights.0": first[:, :seen].clone()}
        if self.timed:
            plain["clock"] = first[:, seen : seen + CLOCK].clone()
        if self.told:
            told = torch.bmm(preferences.to(first)[:, None], first[:, first.shape[1] - preferences.shape[1] :])
            plain["actor.biases.0"] = rows["actor.biases.0"] + told
        return plain


class Experience:
    """Copies of an environment in which some policies act at a time, the transitions of all, and the range of returns.

    Args:
        problem: The metered environment.
        policies: p.
        playing: How many of them act at a time.
        said: `copies` of each that acts, `steps` of a window, `backup`, `capacity`, `exploration`, `share`.
        by_utility: Whether what is learned is the utility of each episode's return (ESR) instead of its parts.
        sight: What networks see.
        device: Where all is kept.

    Attributes:
        low, high: The least and the highest returns of finished episodes, `[m]`.
    """

    def __init__(
        self,
        problem: MeteredEnvironment,
        policies: int,
        playing: int,
        said: SimpleNamespace,
        by_utility: bool,
        sight: Sight,
        device: str | torch.device = "cpu",
    ) -> None:
        self.problem, self.said, self.by_utility, self.sight = problem, said, by_utility, sight
        self.device = torch.device(device)
        n, m = playing * said.copies, problem.num_objectives
        self._discrete = problem.action_space.kinds == {"categorical"}
        actions = int(problem.action_space.size) if self._discrete else problem.action_space.dim
        self._masked = problem.action_mask(problem.reset(1, self.device)) is not None
        self._collector = Collector(problem, n, self.device)
        kind = said.exploration if self._discrete else "none"
        self._exploration = Exploration(kind, 1.0, n, actions if self._discrete else 1, self.device)
        shares = spread_shares(said.share, said.copies) if self._exploration.share else torch.zeros(said.copies)
        self._shares = shares.repeat(playing)[:, None].to(self.device)
        self._times = torch.zeros(n, dtype=torch.int64, device=self.device)
        self._accrued = torch.zeros(n, m, dtype=torch.float64, device=self.device)
        self.low = torch.full((m,), torch.inf, dtype=torch.float64, device=self.device)
        self.high = -self.low
        self.replay = Replay(policies, max(said.capacity // policies, 1), self._columns(actions), self.device)

    def _columns(self, actions: int) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        seen, m = self.problem.observation_space.dim, self.problem.num_objectives
        columns: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
            "observations": ((seen,), torch.float32),
            "following": ((seen,), torch.float32),
            "actions": ((), torch.int16) if self._discrete else ((actions,), torch.float32),
            "rewards": ((m,), torch.float32),
            "ended": ((), torch.bool),
            "counts": ((), torch.int16),
        }
        if self._masked:
            columns |= dict.fromkeys(("legal", "legal_following"), ((actions,), torch.bool))
        if self.by_utility:
            columns |= {"times": ((), torch.int32), "accrued": ((m,), torch.float32)}
        return columns

    @property
    def known(self) -> bool:
        """Whether an episode has been finished."""
        return bool(torch.isfinite(self.low).all())

    @property
    def span(self) -> Tensor:
        """The unit of returns, `[m]`: 1 until an episode has been finished."""
        return span_of(self.low, self.high) if self.known else torch.ones_like(self.low)

    @property
    def ideal_point(self) -> Tensor:
        """The best returns seen, in units, `[m]`."""
        return self.high / self.span if self.known else torch.ones_like(self.high)

    def note(self, returns: Tensor) -> None:
        """Widen the range to hold returns `[n, m]`."""
        if len(returns):
            returns = returns.to(self.low)
            self.low = torch.minimum(self.low, returns.amin(dim=0))
            self.high = torch.maximum(self.high, returns.amax(dim=0))

    # ------------------------------------------------------------------------------------------ collecting
    def collect(self, playing: Tensor | None, learner: Learner, aims: Aims, stream: torch.Generator) -> None:
        """A window of steps of the policies numbered `playing [s]`; None: of all."""
        copies, told = self.said.copies, aims.of(playing)
        owners = torch.arange(len(aims.weights), device=self.device) if playing is None else playing
        owners = owners.repeat_interleave(copies)

        def choose(seen: Tensor, mask: Tensor | None, begins: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            self._times = torch.where(begins, 0, self._times + 1)
            self._exploration.begin(begins, stream)
            inputs = self.sight(seen, self._times, told.preferences.repeat_interleave(copies, dim=0))
            legal = None if mask is None else mask.reshape(-1, copies, mask.shape[1])
            inputs = inputs.reshape(-1, copies, inputs.shape[1])
            acted = learner.behaviour(playing, inputs, legal, told.weights, stream).flatten(0, 1)
            if self._discrete:
                chances = (1 - self._shares) * acted + self._shares * self._exploration.mix(acted, mask)
                acted = torch.multinomial(chances.cpu(), 1, generator=stream).squeeze(1).to(self.device)
                self._exploration.last = acted
            return placed(acted, self.problem), {"times": self._times, "taken": acted}

        window = self._collector.collect(self.said.steps, choose)
        self._keep(window, owners)

    def _keep(self, window: Transitions, owners: Tensor) -> None:
        """Store a window, and note the returns of its episodes."""
        ended = window.terminated | window.truncated
        times = window.extras["times"]
        accrued = torch.where((times[0] > 0)[:, None], self._accrued, 0.0)
        before, after = gained_so_far(window.rewards, ended, accrued, times, self.problem.gamma)
        self._accrued, whole = after[-1], window.active
        self.note(after[ended & whole])
        last, summed = looked_ahead(window.rewards, ended, whole, self.problem.gamma, self.said.backup)
        columns = {
            "observations": window.observations,
            "following": of_step(window.following, last),
            "actions": window.extras["taken"],
            "rewards": summed,
            "ended": of_step(ended if self.by_utility else window.terminated, last),
            "counts": last - torch.arange(len(last), device=self.device)[:, None] + 1,
            "times": times,
            "accrued": before,
        }
        if window.masks is not None:
            behind = self.problem.action_mask(self._collector.state_dict()["state"])
            assert behind is not None
            following = torch.cat([window.masks[1:], behind[None]])
            columns |= {"legal": window.masks, "legal_following": of_step(following, last)}
            whole = whole & ~of_step(window.truncated, last)  # nobody saw what would have been legal behind a cut
        for policy in sorted(set(owners.tolist())):
            own = whole & (owners == policy)
            self.replay.add(policy, {name: column[own] for name, column in columns.items()})

    # ------------------------------------------------------------------------------------------ learning
    def samples(
        self,
        rows: Tensor | None,
        pools: Tensor,
        aims: Aims,
        scalarisation: str,
        batch: int,
        stream: torch.Generator,
    ) -> Samples:
        """Transitions for policies `rows [k]` (None: all) to learn from.

        Args:
            rows: Who learns.
            pools: From whom, bool `[k, p]`.
            aims: Of all policies.
            scalarisation: Of the utility, where that is learned.
            batch: b, for each.
            stream: Of the draws.
        """
        drawn, aims = self.replay.sample(pools, batch, stream), aims.of(rows)
        rewards, times, counts = drawn["rewards"] / self.span, drawn.get("times"), drawn["counts"].long()
        beside = beside_following = None
        if self.by_utility:
            assert times is not None
            beside = drawn["accrued"] / self.span
            discounts = self.problem.gamma ** times.to(rewards)
            beside_following = beside + discounts[..., None] * rewards
            worth = [
                utility(gained, aims.in_units[:, None], self.ideal_point, scalarisation)
                for gained in (beside, beside_following)
            ]
            rewards = (worth[1] - worth[0])[..., None]
            beside, beside_following = (part.to(torch.float32) for part in (beside, beside_following))
        return Samples(
            rows=rows,
            inputs=self._seen(drawn["observations"], times, aims.preferences),
            following=self._seen(drawn["following"], None if times is None else times + counts, aims.preferences),
            beside=beside,
            beside_following=beside_following,
            legal=drawn.get("legal"),
            legal_following=drawn.get("legal_following"),
            actions=drawn["actions"].long() if self._discrete else drawn["actions"],
            rewards=rewards.to(torch.float32),
            ended=drawn["ended"],
            weights=aims.weights,
            discounts=torch.ones(rewards.shape[:2], device=self.device)
            if self.by_utility
            else self.problem.gamma ** counts.to(torch.float32),
        )

    def _seen(self, observations: Tensor, times: Tensor | None, preferences: Tensor) -> Tensor:
        """Inputs `[k, b, i]` for observations `[k, b, o]`."""
        k, b, _ = observations.shape
        times = torch.zeros(k * b, device=self.device) if times is None else times.flatten()
        told = preferences[:, None].expand(k, b, -1).flatten(0, 1)
        return self.sight(observations.flatten(0, 1), times, told).reshape(k, b, -1)

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        """Where the copies stand, and all transitions."""
        return {
            "collector": self._collector.state_dict(),
            "exploration": self._exploration.state_dict(),
            "replay": self.replay.state_dict(),
            "tensors": [self._times, self._accrued, self.low, self.high],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._collector.load_state_dict(state["collector"])
        self._exploration.load_state_dict(state["exploration"])
        self.replay.load_state_dict(state["replay"])
        self._times, self._accrued, self.low, self.high = (part.to(self.device) for part in state["tensors"])


def spread_shares(share: float, copies: int) -> Tensor:
    """Shares of actions that explore, one for each copy, evenly spread as widely as a mean of `share` allows.

    Copies that seldom explore come far along the way that is known, others leave it soon.

    Source: the fixed rates of many actors in Horgan et al. 2018 (1803.00933), there spread geometrically.
    """
    half = min(share, 1 - share)
    return share + half * (2 * (torch.arange(copies, dtype=torch.float64) + 0.5) / copies - 1)
