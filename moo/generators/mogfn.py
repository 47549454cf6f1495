"""MOGFN: one generative flow network that samples diverse objects for any preference and any sharpness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor

from moo.base import Candidates, Setting
from moo.checks import check_number
from moo.gflow.batches import LOSSES, Batch, flow_loss, in_turn, on_scale, whole_groups
from moo.gflow.exact import policy_law
from moo.gflow.policies import ENCODINGS, Conditions, encode_conditions, logits_for, parameter_groups, policy_for
from moo.gflow.replay import Replay
from moo.gflow.rewards import FOCUS, SCALARISATIONS, RewardScale, cosine, log_reward
from moo.gflow.trajectories import Trajectories, follow, take_apart
from moo.metered import Metered
from moo.networks import descend
from moo.options import Option
from moo.preferences import check_preferences, dirichlet
from moo.seeding import torch_generator


class MOGFN:
    """A GFlowNet conditioned on preferences: samples objects x in proportion to `R(x | preference)^beta`.

    Each trajectory draws a preference (from the tuner) and, unless `beta` is given, a beta of its own, log-uniform in
    [`beta_low`, `beta_high`]. A step samples some batches of trajectories, has their objects evaluated and makes one
    gradient step per batch. `sample` then answers any preference without an evaluation, `exact_distribution` says what
    it samples, cell by cell, where the problem's oracle lists its objects, and `log_z` what it takes log Z to be.

    Source: Jain et al. 2023 (2210.12765), MOGFN-PC; goals and hindsight: Roy et al. 2023 (2306.04620); forward-looking
    flows: Pan et al. 2023 (2302.01687). Differences, and why: docs/methods/mogfn.md.
    """

    kinds: ClassVar[tuple[str, ...]] = ("construction",)
    columns: ClassVar[tuple[str, ...]] = ("real", "integer", "categorical")
    encodings: ClassVar[tuple[str, ...]] = ("construction",)
    max_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = False
    uses_preferences: ClassVar[bool] = True
    schedules_by_budget: ClassVar[bool] = True  # learning rate and the rise of beta
    options: ClassVar[Mapping[str, Option]] = {
        "loss": Option("tb", choices=LOSSES, help="what is minimised; fl-: flows hold the reward so far"),
        "subtb_discount": Option(1.0, low=0.01, high=1.0, help="weight of a part one step longer, for subtb"),
        "scalarisation": Option("weighted-sum", choices=SCALARISATIONS, help="from objectives to a reward"),
        "floor": Option(1e-4, low=1e-30, high=0.5, log=True, help="the least reward while learning"),
        "beta": Option(None, low=0.0, high=1e4, help="sharpness; none: every trajectory draws its own"),
        "beta_low": Option(0.5, low=1e-3, high=1e4, log=True, help="the least beta drawn"),
        "beta_high": Option(32.0, low=1e-3, high=1e4, log=True, tuned=(8.0, 128.0), help="the highest beta drawn"),
        "beta_rise": Option(0.0, low=0.0, high=1.0, help="share of the budget over which beta rises from 0"),
        "batch": Option(32, low=1, high=100_000, log=True, tuned=(8, 128), help="trajectories of a gradient step"),
        "batches": Option(32, low=1, high=1000, help="gradient steps on what one step of the search samples"),
        "group": Option(1, low=1, high=1000, help="trajectories that share a condition; at least 2 for vargrad"),
        "round": Option(1024, low=1, high=1_000_000, help="preferences asked of the tuner at once"),
        "hidden": Option(128, low=1, high=10_000, help="width of the network"),
        "layers": Option(3, low=1, high=20, help="hidden layers"),
        "encoding": Option("scalar", choices=ENCODINGS, help="how the network reads preferences and beta"),
        "bins": Option(50, low=2, high=1000, help="of the thermometer encoding"),
        "learning_rate": Option(
            3e-3, low=1e-6, high=1.0, log=True, tuned=(3e-4, 3e-2), help="of Adam, falling to 0 as a cosine"
        ),
        "log_z_learning_rate": Option(5e-3, low=1e-6, high=1.0, log=True, tuned=(1e-3, 0.1), help="the same for log Z"),
        "clip": Option(10.0, low=1e-3, high=1e6, log=True, help="largest norm of a gradient"),
        "epsilon": Option(
            0.01, low=0.0, high=1.0, tuned=(0.0, 0.2), help="probability of a uniform action while learning"
        ),
        "backward": Option("uniform", choices=("uniform", "learned"), help="the law of last actions"),
        "relabel": Option(0, low=0, high=100, help="further preferences that each trajectory is learned from for"),
        "replay": Option(0.0, low=0.0, high=10.0, help="replayed objects for each new one"),
        "capacity": Option(10_000, low=1, high=10_000_000, help="objects kept for replay, the newest"),
        "hindsight": Option(0.3, low=0.0, high=1.0, help="share of missed goals relabelled by what was reached"),
    }
    finished = ""

    def __init__(
        self,
        problem: Metered,
        *,
        budget: int,
        seed: int,
        device: str,
        initial: Candidates | None = None,  # noqa: ARG002
        **options: Any,
    ) -> None:
        self.problem, self.budget, self.seed, self.device = problem, budget, seed, device
        said = self._said = SimpleNamespace(**options)
        self._check()
        self.preferences_per_round = said.round
        self._highest = said.beta_high if said.beta is None else max(said.beta, 1e-3)
        self.policy = policy_for(
            problem,
            (problem.num_objectives + 2) * (said.bins if said.encoding == "thermometer" else 1),
            hidden=said.hidden,
            layers=said.layers,
            flow=said.loss not in ("tb", "vargrad"),
            backward=said.backward == "learned",
            generator=torch_generator(seed, "network"),
        ).to(device)
        self._adam = torch.optim.Adam(parameter_groups(self.policy), lr=said.learning_rate, fused=True)
        self._scale = RewardScale(getattr(problem, "unit_objectives", False))
        self._replay = Replay(said.capacity)
        self._steps = 0
        self._cursor = 0  # of the preferences in force

    def _check(self) -> None:
        """Whether the options go together, and with the problem.

        Raises:
            ValueError: They do not; the message says which.
        """
        said, problem = self._said, self.problem
        if said.beta is None and said.beta_low > said.beta_high:
            raise ValueError(
                f"Option `beta_low` should be at most `beta_high`, {said.beta_high}. Found {said.beta_low}."
            )
        if said.loss == "vargrad" and said.group < 2:
            raise ValueError("Option `group` should be at least 2 for loss 'vargrad'. Found 1: try group=8.")
        if said.batch % said.group:
            raise ValueError(f"Option `group` should divide `batch`, {said.batch}. Found {said.group}.")
        if said.loss == "vargrad" and said.scalarisation == "goal" and said.hindsight:
            raise ValueError("Option `hindsight` should be 0 for loss 'vargrad', whose groups share one goal.")
        if self._looks_ahead and not problem.has_potential:
            raise ValueError(
                f"Option `loss` {said.loss!r} needs a problem with a `potential`. {problem.name!r} has none: "
                f"choose {said.loss.removeprefix('fl-')!r}."
            )
        if self._ahead_costs and said.replay:
            raise ValueError(f"Option `replay` should be 0 for loss {said.loss!r} where looking ahead is paid.")

    @property
    def _looks_ahead(self) -> bool:
        return str(self._said.loss).startswith("fl-")

    @property
    def _ahead_costs(self) -> bool:
        return self._looks_ahead and getattr(self.problem, "potential_costs", False)

    @property
    def wants_setting(self) -> bool:
        """Whether the preferences in force are used up."""
        return self._cursor == 0

    # ------------------------------------------------------------------------------------------ a step
    def step(self, setting: Setting | None) -> Candidates:
        """Sample some batches of objects, have them evaluated and learn from them, one gradient step per batch."""
        assert setting is not None
        assert setting.preferences is not None
        said = self._said
        n = self._affordable()
        preferences, self._cursor = in_turn(setting.preferences, self._cursor, -(-n // said.group))
        conditions = self._conditions(preferences, n, torch_generator(self.seed, "beta", self._steps))
        encoded = self._encode(conditions)
        stream = torch_generator(self.seed, "trajectories", self._steps, self.device)
        logits = logits_for(self.policy, self.problem, encoded)
        sampled = follow(self.problem, n, logits, stream, epsilon=said.epsilon, device=self.device)
        told = self.problem.evaluate(sampled.objects.cpu(), preferences=conditions.preferences.cpu())
        self._learn(sampled, conditions, told)
        self._steps += 1
        return told

    def _affordable(self) -> int:
        """How many trajectories the budget still pays for, with the states on their way where these cost."""
        each = 1 + self.problem.max_steps if self._ahead_costs else 1
        return self.problem.affordable(self._said.batch * self._said.batches, each)

    def _conditions(self, preferences: Tensor, n: int, stream: torch.Generator) -> Conditions:
        """Conditions for `n` trajectories, `group` of them for each of the preferences; beta comes from the stream."""
        said, k = self._said, len(preferences)
        if said.beta is None:
            drawn = torch.rand(k, generator=stream, dtype=torch.float64)
            beta = said.beta_low * (said.beta_high / said.beta_low) ** drawn
        else:
            beta = torch.full((k,), said.beta, dtype=torch.float64)
        if said.beta_rise:
            beta = beta * min(1.0, self.problem.used / (said.beta_rise * self.budget))
        both = Conditions(preferences.to(self.device), beta.to(self.device))
        return both.rows(torch.arange(n, device=self.device) // said.group)

    def _encode(self, conditions: Conditions) -> Tensor:
        return encode_conditions(conditions, self._highest, self._said.encoding, self._said.bins)

    # ------------------------------------------------------------------------------------------ learning
    def _learn(self, sampled: Trajectories, conditions: Conditions, told: Candidates) -> None:
        said = self._said
        fine = whole_groups(told.failed, said.group)
        dear = self._ahead_costs and int(sampled.moves.sum()) > self.problem.remaining
        if dear or not len(fine):
            return
        objectives = on_scale(self._scale, told, fine, self.problem.reference_point).to(self.device)
        whole = Batch(sampled, conditions, objectives, self._so_far(sampled)).rows(fine.to(self.device))
        for number, rows in enumerate(torch.split(torch.arange(len(whole), device=self.device), said.batch)):
            self._descend(whole.rows(rows), number)
        if said.replay:
            self._replay.add(whole.trajectories.objects.cpu(), whole.objectives.cpu())

    def _so_far(self, trajectories: Trajectories) -> Tensor | None:
        """Objectives, on the scale of rewards, of the states on the way `[T, n, m]`, where the loss looks at them."""
        if not self._looks_ahead:
            return None
        moves = trajectories.moves
        values = self._scale(self.problem.potential(trajectories.states[:-1][moves])).to(self.device)
        return values.new_zeros(*moves.shape, values.shape[1]).masked_scatter(moves[..., None], values)

    def _descend(self, batch: Batch, number: int) -> None:
        """One gradient step, on a batch and what is made of it."""
        said = self._said
        stream = torch_generator(self.seed, f"learning {number}", self._steps)
        parts = [self._with_hindsight(batch, stream), *(self._relabelled(batch, stream) for _ in range(said.relabel))]
        if said.replay and len(self._replay):
            parts.append(self._replayed(batch, stream))
        each = torch.cat([self._loss(part) for part in parts])
        rates = (said.learning_rate, said.log_z_learning_rate)
        descend(self._adam, each.mean(), rates, self.problem.used / self.budget, said.clip)

    def _loss(self, batch: Batch) -> Tensor:
        """Of each trajectory `[n]`."""
        said, (preferences, beta) = self._said, batch.conditions
        form = {"scalarisation": said.scalarisation, "floor": said.floor}
        reward = beta * log_reward(batch.objectives, preferences, **form)
        so_far = None if batch.so_far is None else beta * log_reward(batch.so_far, preferences, **form)
        return flow_loss(
            said.loss,
            self.policy,
            self.problem,
            batch,
            self._encode(batch.conditions),
            reward.float(),
            None if so_far is None else so_far.float(),
            group=said.group,
            discount=said.subtb_discount,
        )

    def _drawn(self, n: int, stream: torch.Generator) -> Conditions:
        """Fresh conditions for `n` trajectories."""
        groups = -(-n // self._said.group)
        return self._conditions(dirichlet(groups, self.problem.num_objectives, stream), n, stream)

    def _relabelled(self, batch: Batch, stream: torch.Generator) -> Batch:
        """The same trajectories for fresh conditions: what was built is known, so this costs no evaluation."""
        return replace(batch, conditions=self._drawn(len(batch), stream))

    def _replayed(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Objects of earlier steps, on ways drawn anew, for fresh conditions."""
        n = max(1, round(self._said.replay * len(batch) / self._said.group)) * self._said.group
        objects, objectives = self._replay.draw(n, stream)
        ways = take_apart(self.problem, objects, stream)
        ways = Trajectories(*(part.to(self.device) for part in ways))
        return Batch(ways, self._drawn(n, stream), objectives.to(self.device), self._so_far(ways))

    def _with_hindsight(self, batch: Batch, stream: torch.Generator) -> Batch:
        """With goals: some of those who missed theirs learn for the direction in which they went."""
        said, (preferences, beta) = self._said, batch.conditions
        if said.scalarisation != "goal" or not said.hindsight:
            return batch
        sums = batch.objectives.sum(dim=1, keepdim=True)
        lucky = torch.rand(len(batch), generator=stream) < said.hindsight
        missed = (cosine(batch.objectives, preferences) < FOCUS) & lucky.to(self.device) & (sums[:, 0] > 0)
        preferences = torch.where(missed[:, None], batch.objectives / sums, preferences)
        return replace(batch, conditions=Conditions(preferences, beta))

    # ------------------------------------------------------------------------------------------ what was learned
    def sample(self, preferences: Tensor, seed: int = 0, *, beta: float | None = None) -> Tensor:
        """One object for each of the preferences `[k, m]`: finished states `[k, ...]`; nothing is learned or paid.

        Args:
            preferences: `[k, m]`.
            seed: Of the draws.
            beta: How sharply to follow them; None: as sharply as was learned.
        """
        encoded = self._encode(self._asked(preferences, beta))
        stream = torch_generator(seed, "sample", 0, self.device)
        logits = logits_for(self.policy, self.problem, encoded)
        return follow(self.problem, len(encoded), logits, stream, device=self.device).objects.cpu()

    def exact_distribution(self, problem: Any, preferences: Tensor, beta: float | None = None) -> Tensor:
        """The law of `sample`, without exploration: float64 `[k, cells]`, in the order of the problem's oracle.

        Args:
            problem: The construction problem learned, whose oracle lists its objects.
            preferences: `[k, m]`.
            beta: As for `sample`.

        Raises:
            ValueError: The oracle does not list the objects, or there are more than 5,000,000 states.
        """
        return policy_law(self.policy, problem, self._encode(self._asked(preferences, beta)))

    @torch.no_grad()
    def log_z(self, preferences: Tensor, beta: float | None = None) -> Tensor:
        """What the method takes log Z to be, float64 `[k]`, for preferences `[k, m]`, on the scale of its rewards."""
        return self.policy.log_z(self._encode(self._asked(preferences, beta))).cpu().double()

    def _asked(self, preferences: Tensor, beta: float | None) -> Conditions:
        rows = check_preferences(preferences, self.problem.num_objectives)
        value = self._highest if beta is None else check_number("beta", beta, "how sharp", zero=True)
        both = Conditions(rows, torch.full((len(rows),), value, dtype=torch.float64))
        return Conditions(*(part.to(self.device) for part in both))

    def finals(self) -> Candidates | None:
        return None

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {
            "policy": self.policy.state_dict(),
            "adam": self._adam.state_dict(),
            "scale": self._scale.state_dict(),
            "replay": self._replay.state_dict(),
            "steps": self._steps,
            "cursor": self._cursor,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.policy.load_state_dict(state["policy"])
        self._adam.load_state_dict(state["adam"])
        self._scale.load_state_dict(state["scale"])
        self._replay.load_state_dict(state["replay"])
        self._steps, self._cursor = state["steps"], state["cursor"]
