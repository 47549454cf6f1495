"""MOReinforce: one policy, conditioned on preferences, that climbs the expected reward of what it builds."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor

from moo.base import Candidates, Setting
from moo.gflow.batches import in_turn, on_scale, whole_groups
from moo.gflow.exact import policy_law
from moo.gflow.policies import ENCODINGS, encode_shares, logits_for, parameter_groups, policy_for, score
from moo.gflow.reinforce import left_one_out, legal_actions, log_ratios
from moo.gflow.rewards import RewardScale, log_reward
from moo.gflow.trajectories import Trajectories, follow
from moo.metered import Metered
from moo.networks import descend
from moo.options import Option
from moo.preferences import check_preferences
from moo.seeding import torch_generator


class MOReinforce:
    """REINFORCE conditioned on preferences: for each it looks for the best object, where MOGFN samples all good ones.

    A step samples a batch of objects, each trajectory (or each `group` of them) for a preference of its own, has them
    evaluated and makes one gradient step towards `E[R + entropy (sum log P_B - sum log P_F)]`, with the reward
    `R(x | preference)^beta`. The second term, at most the entropy of what is built, falls to 0 over the first part of
    the run; then nothing keeps the policy from building a single object for each preference. Rewards are held against
    the others of their group or, where `group` is 1, against what a perceptron expects for the preference.

    Source: Lin, Yang and Zhang 2022 (2203.15386), as the baseline of Jain et al. 2023 (2210.12765); REINFORCE: Williams
    1992 (Machine Learning 8). Differences, and why: docs/methods/moreinforce.md.
    """

    kinds: ClassVar[tuple[str, ...]] = ("construction",)
    columns: ClassVar[tuple[str, ...]] = ("real", "integer", "categorical")
    encodings: ClassVar[tuple[str, ...]] = ("construction",)
    max_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = False
    uses_preferences: ClassVar[bool] = True
    schedules_by_budget: ClassVar[bool] = True  # learning rate and entropy
    options: ClassVar[Mapping[str, Option]] = {
        "scalarisation": Option(
            "weighted-sum", choices=("weighted-sum", "log-sum", "tchebycheff"), help="from objectives to a reward"
        ),
        "beta": Option(1.0, low=1e-2, high=1e3, log=True, help="exponent of the reward"),
        "entropy": Option(0.1, low=0.0, high=100.0, help="the reward that a nat of entropy is worth at first"),
        "entropy_fall": Option(0.5, low=0.0, high=1.0, help="share of the budget over which that falls to 0; 0: never"),
        "group": Option(1, low=1, high=1000, help="trajectories that share a preference; 1: the baseline is learned"),
        "batch": Option(64, low=1, high=100_000, help="trajectories of a step, which is one gradient step"),
        "round": Option(1024, low=1, high=1_000_000, help="preferences asked of the tuner at once"),
        "hidden": Option(128, low=1, high=10_000, help="width of the network"),
        "layers": Option(3, low=1, high=20, help="hidden layers"),
        "encoding": Option("scalar", choices=ENCODINGS, help="how the network reads preferences"),
        "bins": Option(50, low=2, high=1000, help="of the thermometer encoding"),
        "learning_rate": Option(3e-3, low=1e-6, high=1.0, log=True, help="of Adam, falling to 0 as a cosine"),
        "baseline_learning_rate": Option(5e-3, low=1e-6, high=1.0, log=True, help="the same for the learned baseline"),
        "clip": Option(10.0, low=1e-3, high=1e6, log=True, help="largest norm of a gradient"),
        "epsilon": Option(0.0, low=0.0, high=1.0, help="probability of a uniform action while learning"),
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
        if said.batch % said.group:
            raise ValueError(f"Option `group` should divide `batch`, {said.batch}. Found {said.group}.")
        self.preferences_per_round = said.round
        width = said.bins if said.encoding == "thermometer" else 1
        network, shape = torch_generator(seed, "network"), {"hidden": said.hidden, "layers": said.layers}
        policy = policy_for(
            problem, problem.num_objectives * width, **shape, flow=False, backward=False, generator=network
        )
        self.policy = policy.to(device)
        self._adam = torch.optim.Adam(parameter_groups(self.policy), lr=said.learning_rate, fused=True)
        self._scale = RewardScale(getattr(problem, "unit_objectives", False))
        self._steps = 0
        self._cursor = 0  # of the preferences in force

    @property
    def wants_setting(self) -> bool:
        """Whether the preferences in force are used up."""
        return self._cursor == 0

    # ------------------------------------------------------------------------------------------ a step
    def step(self, setting: Setting | None) -> Candidates:
        """Sample a batch of objects, have them evaluated and make one gradient step.

        One alone, because the gradient is that of the policy by which they were drawn.
        """
        assert setting is not None
        assert setting.preferences is not None
        said = self._said
        n = self.problem.affordable(said.batch)
        chosen, self._cursor = in_turn(setting.preferences, self._cursor, -(-n // said.group))
        preferences = chosen[torch.arange(n) // said.group]
        stream = torch_generator(self.seed, "trajectories", self._steps, self.device)
        sampled = self._draw(preferences, stream, said.epsilon)
        told = self.problem.evaluate(sampled.objects.cpu(), preferences=preferences)
        self._learn(sampled, preferences, told)
        self._steps += 1
        return told

    def _draw(self, preferences: Tensor, stream: torch.Generator, epsilon: float = 0.0) -> Trajectories:
        """One trajectory for each of the preferences `[n, m]`."""
        logits = logits_for(self.policy, self.problem, self._encode(preferences))
        return follow(self.problem, len(preferences), logits, stream, epsilon=epsilon, device=self.device)

    def _encode(self, preferences: Tensor) -> Tensor:
        return encode_shares(preferences.to(self.device), self._said.encoding, self._said.bins)

    # ------------------------------------------------------------------------------------------ learning
    def _learn(self, sampled: Trajectories, preferences: Tensor, told: Candidates) -> None:
        """One gradient step on the groups of which nothing failed."""
        said, fine = self._said, whole_groups(told.failed, self._said.group)
        if not len(fine):
            return
        objectives = on_scale(self._scale, told, fine, self.problem.reference_point)[fine]
        reward = said.beta * log_reward(objectives, preferences[fine], said.scalarisation)
        ways = sampled.rows(fine.to(self.device))
        loss = self._losses(ways, preferences[fine], reward.exp().float().to(self.device)).mean()
        rates = (said.learning_rate, said.baseline_learning_rate)
        descend(self._adam, loss, rates, self.problem.used / self.budget, said.clip)

    def _losses(self, ways: Trajectories, preferences: Tensor, rewards: Tensor) -> Tensor:
        """Of each trajectory `[n]`: the mean's gradient is, in expectation, minus that of what is climbed.

        With a learned baseline its squared error is added, which moves nothing else.
        """
        said, encoded = self._said, self._encode(preferences)
        scores = score(self.policy, self.problem, ways, encoded)
        told = scores.log_forward.detach()
        values = rewards + self._entropy() * (scores.log_backward - told).sum(dim=0)
        if said.group > 1:
            advantages, error = left_one_out(values, said.group), torch.zeros_like(values)
        else:
            expected = self.policy.log_z(encoded)
            advantages, error = values - expected.detach(), (expected - values) ** 2
        if said.epsilon:
            advantages = advantages * log_ratios(told, legal_actions(self.problem, ways), said.epsilon).exp()
        return error - advantages * scores.log_forward.sum(dim=0)

    def _entropy(self) -> float:
        """What a nat is worth now."""
        said = self._said
        gone = self.problem.used / (said.entropy_fall * self.budget) if said.entropy_fall else 0.0
        return float(said.entropy * max(0.0, 1.0 - gone))

    # ------------------------------------------------------------------------------------------ what was learned
    def sample(self, preferences: Tensor, seed: int = 0) -> Tensor:
        """One object for each of the preferences `[k, m]`: finished states `[k, ...]`; nothing is learned or paid."""
        asked = check_preferences(preferences, self.problem.num_objectives)
        return self._draw(asked, torch_generator(seed, "sample", 0, self.device)).objects.cpu()

    def exact_distribution(self, problem: Any, preferences: Tensor) -> Tensor:
        """The law of `sample`: float64 `[k, cells]`, in the order of the problem's oracle.

        Args:
            problem: The construction problem learned, whose oracle lists its objects.
            preferences: `[k, m]`.

        Raises:
            ValueError: The oracle does not list the objects, or there are more than 5,000,000 states.
        """
        asked = check_preferences(preferences, self.problem.num_objectives)
        return policy_law(self.policy, problem, self._encode(asked))

    def finals(self) -> Candidates | None:
        return None

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {
            "policy": self.policy.state_dict(),
            "adam": self._adam.state_dict(),
            "scale": self._scale.state_dict(),
            "steps": self._steps,
            "cursor": self._cursor,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.policy.load_state_dict(state["policy"])
        self._adam.load_state_dict(state["adam"])
        self._scale.load_state_dict(state["scale"])
        self._steps, self._cursor = state["steps"], state["cursor"]
