"""OP-GFN: a generative flow network that learns only which objects dominate which, and samples the Pareto set."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor

from moo.archive import Archive
from moo.base import Candidates, Setting
from moo.dominance import non_dominated
from moo.gflow.exact import policy_law
from moo.gflow.losses import ordering
from moo.gflow.policies import logits_for, policy_for, score
from moo.gflow.trajectories import Trajectories, follow, take_apart
from moo.metered import Metered
from moo.networks import descend
from moo.options import Option
from moo.seeding import torch_generator


class OrderPreserving:
    """A GFlowNet whose reward is learned: equal for all non-dominated objects, and next to nothing for the others.

    It takes no preferences: it samples the whole Pareto set, evenly. In a batch, the objects that nothing dominates
    share the label 1; the loss is the cross-entropy between labels and the shares of the reward that the policy
    implies, `log R(x) = sum log P_F - sum log P_B`. With `labels="batch"`, as published, an object is held against its
    batch alone; with `"archive"`, ours, against all that was evaluated, and each batch gets objects of the front. A
    `temperature` above 1 goes on pressing down rewards that are small already: of many dominated objects even these
    add up.

    Source: Chen and Mauch 2024 (2310.00386). Differences, and why: docs/methods/order_preserving.md.
    """

    kinds: ClassVar[tuple[str, ...]] = ("construction",)
    columns: ClassVar[tuple[str, ...]] = ("real", "integer", "categorical")
    encodings: ClassVar[tuple[str, ...]] = ("construction",)
    max_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = False
    uses_preferences: ClassVar[bool] = False
    schedules_by_budget: ClassVar[bool] = True  # the learning rate
    options: ClassVar[Mapping[str, Option]] = {
        "labels": Option("archive", choices=("archive", "batch"), help="against what an object is held"),
        "front_share": Option(
            0.5, low=0.0, high=10.0, tuned=(0.0, 1.0), help="objects of the front in a batch for each new one"
        ),
        "temperature": Option(
            4.0, low=0.01, high=1e3, log=True, tuned=(0.5, 32.0), help="what log rewards are divided by in the loss"
        ),
        "batch": Option(128, low=2, high=100_000, log=True, tuned=(32, 512), help="new objects of a gradient step"),
        "batches": Option(4, low=1, high=1000, help="gradient steps on what one step of the search samples"),
        "hidden": Option(128, low=1, high=10_000, help="width of the network"),
        "layers": Option(3, low=1, high=20, help="hidden layers"),
        "learning_rate": Option(
            5e-3, low=1e-6, high=1.0, log=True, tuned=(5e-4, 5e-2), help="of Adam, falling to 0 as a cosine"
        ),
        "clip": Option(10.0, low=1e-3, high=1e6, log=True, help="largest norm of a gradient"),
        "epsilon": Option(
            0.05, low=0.0, high=1.0, tuned=(0.0, 0.2), help="probability of a uniform action while learning"
        ),
    }
    wants_setting = False
    preferences_per_round = 0
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
        network, shape = torch_generator(seed, "network"), {"hidden": said.hidden, "layers": said.layers}
        self.policy = policy_for(problem, 1, **shape, flow=False, backward=False, generator=network).to(device)
        self._adam = torch.optim.Adam(self.policy.parameters(), lr=said.learning_rate, fused=True)
        self._archive = Archive(tuple(problem.start(0).shape[1:]), problem.num_objectives)
        self._steps = 0

    def step(self, setting: Setting | None) -> Candidates:  # noqa: ARG002
        """Sample some batches of objects, have them evaluated and learn from them, one gradient step per batch."""
        said = self._said
        n = self.problem.affordable(said.batch * said.batches)
        stream = torch_generator(self.seed, "trajectories", self._steps, self.device)
        sampled = self._draw(n, stream, said.epsilon)
        told = self.problem.evaluate(sampled.objects.cpu())
        self._archive.add(told)
        fine = torch.nonzero(~told.failed).flatten()
        for number, rows in enumerate(torch.split(fine, said.batch)):
            self._descend(sampled.rows(rows.to(self.device)), told.objectives[rows], number)
        self._steps += 1
        return told

    def _nothing(self, n: int) -> Tensor:
        """The condition of `n` objects: always the same."""
        return torch.zeros(n, 1, device=self.device)

    def _draw(self, n: int, stream: torch.Generator, epsilon: float = 0.0) -> Trajectories:
        logits = logits_for(self.policy, self.problem, self._nothing(n))
        return follow(self.problem, n, logits, stream, epsilon=epsilon, device=self.device)

    # ------------------------------------------------------------------------------------------ learning
    def _descend(self, trajectories: Trajectories, objectives: Tensor, number: int) -> None:
        """One gradient step, on new objects and some of the front."""
        said = self._said
        implied = [self._log_reward(trajectories)]
        if said.labels == "archive" and said.front_share:
            stream = torch_generator(self.seed, f"front {number}", self._steps)
            front = self._archive.front
            which = torch.randint(0, len(front), (max(1, round(said.front_share * len(objectives))),), generator=stream)
            ways = take_apart(self.problem, front.solutions[which], stream)
            implied.append(self._log_reward(Trajectories(*(part.to(self.device) for part in ways))))
            objectives = torch.cat([objectives, front.objectives[which]])
        loss = ordering(torch.cat(implied) / said.temperature, self._best(objectives).to(self.device))
        if loss is None:
            return
        descend(self._adam, loss, (said.learning_rate,), self.problem.used / self.budget, said.clip)

    def _log_reward(self, trajectories: Trajectories) -> Tensor:
        """What the policy takes the log rewards of objects to be, but for a constant, `[n]`."""
        scores = score(self.policy, self.problem, trajectories, self._nothing(len(trajectories.lengths)))
        return (scores.log_forward - scores.log_backward).sum(dim=0)

    def _best(self, objectives: Tensor) -> Tensor:
        """Which rows nothing dominates: of these rows, or of all that were evaluated; bool `[n]`."""
        if self._said.labels == "batch":
            return non_dominated(objectives)
        both = torch.cat([objectives, self._archive.objectives])
        return non_dominated(both)[: len(objectives)]

    # ------------------------------------------------------------------------------------------ what was learned
    def draw(self, n: int, seed: int = 0) -> Tensor:
        """`n` objects: finished states `[n, ...]`; nothing is learned or paid."""
        stream = torch_generator(seed, "draw", 0, self.device)
        return self._draw(n, stream).objects.cpu()

    def exact_distribution(self, problem: Any) -> Tensor:
        """The law of `draw`: float64 `[cells]`, in the order of the problem's oracle.

        Raises:
            ValueError: The oracle does not list the objects, or there are more than 5,000,000 states.
        """
        return policy_law(self.policy, problem, self._nothing(1))[0]

    def finals(self) -> Candidates | None:
        return None

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {
            "policy": self.policy.state_dict(),
            "adam": self._adam.state_dict(),
            "archive": self._archive.state_dict(),
            "steps": self._steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.policy.load_state_dict(state["policy"])
        self._adam.load_state_dict(state["adam"])
        self._archive.load_state_dict(state["archive"])
        self._steps = state["steps"]
