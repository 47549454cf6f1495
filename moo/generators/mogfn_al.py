"""MOGFN-AL: active learning in which a generative flow network proposes the objects to evaluate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor

from moo.base import Candidates, Setting
from moo.bayes.objects import ObjectBeliefs, ObjectLedger, Worth, new_objects
from moo.dominance import non_dominated
from moo.gflow.histories import Histories
from moo.gflow.losses import log_variance
from moo.gflow.policies import logits_for, parameter_groups, policy_for, score
from moo.gflow.trajectories import Trajectories, follow, take_apart, uniform_objects
from moo.metered import Metered, step_by_asking
from moo.networks import descend
from moo.options import Option
from moo.seeding import torch_generator

CHUNK = 10  # gradient steps of one step of the search: a second or two
BLOCKS = 16  # of sampled objects in which new ones are looked for
USED_UP = "no object was found that has not been tried"


class MOGFNAL:
    """Gaussian processes, and a GFlowNet that samples objects in proportion to a power of what they are worth.

    A round: processes are fitted to all that is known; the network learns, from objects that it samples and nobody
    evaluates, the law `p(x) = exp(-beta s(a* - a(x))) / Z`, where a is the logarithm of the expected improvement of
    the hypervolume, a* the largest one met, and s(d) = d up to `depth`, then `depth (1 + log(d / depth))`; of a pool of
    its objects the batch is chosen one after the other, each given those before. The network is conditioned on nothing:
    the improvement weighs the objectives itself, and the front that it is taken over changes with each choice.

    Source: Jain et al. 2023 (2210.12765), MOGFN-AL. Differences, and why: docs/methods/mogfn_al.md.
    """

    kinds: ClassVar[tuple[str, ...]] = ("construction",)
    columns: ClassVar[tuple[str, ...]] = ("real", "integer", "categorical")
    encodings: ClassVar[tuple[str, ...]] = ()
    max_objectives: ClassVar[int | None] = 5
    constraints: ClassVar[bool] = False
    uses_preferences: ClassVar[bool] = False
    schedules_by_budget: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {
        "batch": Option(64, low=1, high=10_000, log=True, tuned=(16, 128), help="objects of a round"),
        "initial_points": Option(64, low=2, high=100_000, help="objects known before the first model, drawn evenly"),
        "steps": Option(50, low=0, high=100_000, tuned=(20, 200), help="gradient steps of a round"),
        "trajectories": Option(64, low=2, high=100_000, help="of a gradient step"),
        "replay": Option(0.25, low=0.0, high=0.9, help="share of these that build objects of the front known so far"),
        "pool": Option(1024, low=1, high=100_000, help="sampled objects that a batch is chosen from"),
        "beta": Option(16.0, low=0.0, high=1e4, tuned=(4.0, 64.0), help="sharpness: the exponent of the improvement"),
        "depth": Option(
            10.0, low=0.1, high=1e4, help="nats below the best improvement beyond which rewards fall slower"
        ),
        "order": Option(2, low=0, high=4, help="the longest pieces of actions that the processes count"),
        "noise": Option("auto", choices=("auto", "learned", "none"), help="auto: learned where the problem is noisy"),
        "warm_start": Option(True, help="go on from the last round's network instead of a new one"),
        "hidden": Option(128, low=1, high=10_000, help="width of the network"),
        "layers": Option(2, low=1, high=20, help="hidden layers"),
        "learning_rate": Option(
            5e-3, low=1e-6, high=1.0, log=True, tuned=(1e-3, 2e-2), help="of Adam, falling to 0 in each round"
        ),
        "clip": Option(10.0, low=1e-3, high=1e6, log=True, help="largest norm of a gradient"),
        "epsilon": Option(0.01, low=0.0, high=1.0, help="probability of a uniform action while learning"),
    }
    own_points: ClassVar[bool] = True
    wants_setting = False
    preferences_per_round = 0

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
        self.problem, self.seed, self.device, self.finished = problem, seed, device, ""
        said = self._said = SimpleNamespace(**options)
        self._histories = Histories(problem)
        self._beliefs = ObjectBeliefs(problem, order=said.order, noise=said.noise, device=device)
        self._ledger = ObjectLedger(tuple(problem.start(0).shape[1:]), problem.num_objectives)
        self._round, self._steps = 0, 0  # how many were begun, and gradient steps made in the last one
        self._learned_from = 0  # objects known when it began
        self._best = -math.inf  # the largest improvement that it has met
        self._begin()
        self._worth: tuple[tuple[int, int], Worth] | None = None  # of so many objects known and asked for

    def _begin(self) -> None:
        """A network that has learned nothing, but for its optimiser."""
        said, stream = self._said, torch_generator(self.seed, "network", self._round)
        shape = {"hidden": said.hidden, "layers": said.layers, "flow": False, "backward": False}
        self.policy = policy_for(self._histories, 1, **shape, generator=stream).to(self.device)
        self._adam = torch.optim.Adam(parameter_groups(self.policy)[:1], lr=said.learning_rate, fused=True)

    # ------------------------------------------------------------------------------------------ a step
    def step(self, setting: Setting | None) -> Candidates:  # noqa: ARG002
        """Some gradient steps, which bring no rows; once the network has learned, a batch."""
        if self._guided and self._unlearned:
            self._learn(CHUNK)
            return self._ledger.ask(self._ledger.waiting[:0])
        return step_by_asking(self, self.problem, self._said.batch)

    @property
    def _missing(self) -> int:
        """How many objects have to be drawn evenly before the first model."""
        return max(0, int(self._said.initial_points) - len(self._ledger))

    @property
    def _guided(self) -> bool:
        """Whether a model can be made: of enough objects, two of which did not fail."""
        known = self._ledger.known
        enough = not self._missing and int((~known.failed).sum()) >= 2
        return enough and self.problem.reference_point is not None

    @property
    def _unlearned(self) -> bool:
        """Whether gradient steps are due: a batch has been told since the last round began, or that is not over."""
        return self._due or (self._round > 0 and self._steps < self._said.steps)

    @property
    def _due(self) -> bool:
        return not self._round or len(self._ledger.known) - self._learned_from >= self._said.batch

    # ------------------------------------------------------------------------------------------ ask and tell
    def ask(self, n: int) -> Candidates:
        """At most `n` new objects: drawn evenly first, then chosen by what they are worth; none twice.

        An extra column says why: `gain`, the expected improvement of the hypervolume given what is known, pending and
        chosen before it (NaN of objects that no model chose). The network learns first, where that is due.
        """
        even = min(n, self._missing) if self._missing else 0 if self._guided else n
        parts = [self._evenly(even)]
        if even < n and self._guided:
            while self._unlearned:
                self._learn(self._said.steps)
            parts.append(self._chosen(n - even))
        asked = Candidates.cat(parts)
        if not len(asked) and not len(self._ledger.waiting):
            self.finished = USED_UP
        return asked

    def tell(self, candidates: Candidates) -> None:
        """Evaluated objects: asked for by `id`, or one's own."""
        self._ledger.tell(candidates)

    def finals(self) -> Candidates | None:
        return None

    def _evenly(self, n: int) -> Candidates:
        """The next `n` objects of uniformly drawn actions."""
        found = new_objects(self._ledger, lambda block: self._uniform("evenly", block), n, BLOCKS)[:n]
        return self._ledger.ask(found, gain=torch.full((len(found),), math.nan, dtype=torch.float64))

    def _uniform(self, name: str, block: int) -> Tensor:
        """A block of objects of uniformly drawn actions."""
        return uniform_objects(self.problem, 1024, torch_generator(self.seed, name, block))

    def _chosen(self, n: int) -> Candidates:
        """The `n` objects of the pool that are worth most, one after the other."""
        pool, ledger = self._pool(), self._ledger
        if not len(pool):
            return ledger.ask(pool, gain=torch.empty(0, dtype=torch.float64))
        with torch.no_grad():
            which, values = self._worth_now().best_in_turn(self._beliefs.features(pool), n)
        return ledger.ask(pool[which], gain=values.exp())

    def _pool(self) -> Tensor:
        """Objects that the network samples and that were not tried; where it knows too few of these, uniform ones."""
        wanted = min(self._said.batch, self._said.pool)
        found = new_objects(self._ledger, self._sampled, wanted, BLOCKS)
        if len(found) < wanted:
            further = new_objects(self._ledger, lambda block: self._uniform("further", block), wanted, BLOCKS)
            found = self._ledger.new(torch.cat([found, further]))
        return found[: max(wanted, self._said.pool)]

    def _sampled(self, block: int) -> Tensor:
        """A block of objects of the network."""
        stream = torch_generator(self.seed, f"pool {block}", self._round, self.device)
        return self._histories.objects(self._follow(self._said.pool, stream, 0.0).objects).cpu()

    def _follow(self, n: int, stream: torch.Generator, epsilon: float) -> Trajectories:
        logits = logits_for(self.policy, self._histories, self._nothing(n))
        return follow(self._histories, n, logits, stream, epsilon=epsilon, device=self.device)

    def _nothing(self, n: int) -> Tensor:
        """What the network is conditioned on, `[n, 1]`: always the same."""
        return torch.ones(n, 1, device=self.device)

    # ------------------------------------------------------------------------------------------ learning
    def _worth_now(self) -> Worth:
        """What objects are worth, given what is known and pending now; made once for these."""
        ledger = self._ledger
        key = len(ledger.known), ledger.asked
        if self._worth is None or self._worth[0] != key:
            self._worth = key, self._beliefs.about(ledger.ordered, ledger.waiting)
        return self._worth[1]

    def _learn(self, steps: int) -> None:
        """At most so many of the gradient steps that a round still lacks; a new round where one is due."""
        said = self._said
        if self._due:
            self._round, self._steps, self._best = self._round + 1, 0, -math.inf
            self._learned_from = len(self._ledger.known)
            if not said.warm_start:
                self._begin()
        for _ in range(min(steps, said.steps - self._steps)):
            stream = torch_generator(self.seed, f"round {self._round}", self._steps, self.device)
            self._descend(stream)
            self._steps += 1

    def _descend(self, stream: torch.Generator) -> None:
        """One gradient step on the variance of what each trajectory takes log Z to be: sampled and replayed ones."""
        said, replayed = self._said, int(self._said.replay * self._said.trajectories)
        parts = [self._follow(said.trajectories - replayed, stream, said.epsilon)]
        if replayed:
            parts.append(self._replayed(replayed, stream))
        rewards = torch.cat([self._log_reward(part) for part in parts]).float()
        scores = [score(self.policy, self._histories, part, self._nothing(len(part.lengths))) for part in parts]
        forward, backward = (
            torch.cat([logs.sum(dim=0) for logs in both])[None]
            for both in zip(*[(part.log_forward, part.log_backward) for part in scores], strict=True)
        )
        loss = log_variance(forward, backward, rewards, len(rewards)).mean()
        descend(self._adam, loss, (said.learning_rate,), self._steps / said.steps, said.clip)

    def _replayed(self, n: int, stream: torch.Generator) -> Trajectories:
        """Ways of `n` objects drawn from the front of what is known: near these, others are worth something."""
        known = self._ledger.ordered
        fine = known.rows(~known.failed)
        front = fine.solutions[non_dominated(fine.objectives)].to(self.device)
        drawn = torch.randint(len(front), (n,), generator=stream, device=self.device)
        return self._histories.told(take_apart(self.problem, front[drawn], stream))

    @torch.no_grad()
    def _log_reward(self, sampled: Trajectories) -> Tensor:
        """Of the objects, `[n]`: minus beta times how far their improvement is below the best one met, in nats.

        Beyond `depth` nats the logarithm of that counts: once little is uncertain, most objects are thousands of nats
        below, and a network for which they are all alike never comes back to those that are not.
        """
        worth, said = self._worth_now(), self._said
        values = worth(self._beliefs.features(self._histories.objects(sampled.objects)))
        self._best = max(self._best, float(values.max()))
        short = self._best - values
        further = said.depth * (1 + (short / said.depth).clamp_min(1.0).log())
        reward: Tensor = -said.beta * torch.where(short < said.depth, short, further)
        return reward

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {
            "ledger": self._ledger.state_dict(),
            "fit": self._beliefs.state_dict(),
            "policy": self.policy.state_dict(),
            "adam": self._adam.state_dict(),
            "best": self._best,
            "counts": [self._round, self._steps, self._learned_from],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._ledger.load_state_dict(state["ledger"])
        self._beliefs.load_state_dict(state["fit"])
        self.policy.load_state_dict(state["policy"])
        self._adam.load_state_dict(state["adam"])
        self._best = state["best"]
        self._round, self._steps, self._learned_from = state["counts"]
        self._worth = None
