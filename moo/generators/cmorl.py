"""C-MORL: policies for some preferences, then extensions of the front by constrained updates."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from moo.base import Candidates, Setting
from moo.dominance import crowding_distance, non_dominated
from moo.metered import Metered, MeteredEnvironment
from moo.options import Option
from moo.rl.constrained import Task, interior_point, trust_region
from moo.rl.policies import LEARNING, act_rows
from moo.rl.ppo import PPO_OPTIONS, Batch, Trainer, placed, towards
from moo.rl.rollouts import evaluate_policies
from moo.rl.utilities import along_rays
from moo.seeding import torch_generator


class CMORL:
    """Constrained multi-objective reinforcement learning, all policies of a stage as one batch.

    Stage 1 trains a policy for each preference of one setting by proximal policy optimization with vector critics. What
    it raises is the weighted sum of the returns, or, with `scalarisation="tchebycheff"`, which is ours, the least of
    `(G_i - r_i) / w_i`, with the reference point r and the preference w: that leads to where the ray from r along w
    meets the front, also on its flat and concave parts.

    Stage 2 goes in rounds: of the non-dominated policies found so far, the least crowded that were not yet extended are
    selected, and copies of each are trained further, one for each objective l: raise return l, while every other return
    i stays above `G_i - (1 - beta) max(|G_i|, floor * range_i)`. G are the returns of the selected policy, the range is
    that of all returns evaluated so far. All that is evaluated enters the archive.

    `solver="interior-point"` adds `log(slack) / barrier` of each constraint to the surrogate, slack in units of the
    range; an infeasible policy raises the returns that are too low instead. `solver="trust-region"` takes the step that
    is best within a Kullback-Leibler ball and the linearised constraints.

    Policies draw their actions, so what they return in expectation may lie above every deterministic policy's front.

    Source: Liu et al. 2025, "C-MORL: Multi-objective reinforcement learning through efficient discovery of Pareto
    front", ICLR (2410.02236).
    """

    kinds: ClassVar[tuple[str, ...]] = ("environment",)
    columns: ClassVar[tuple[str, ...]] = ()
    actions: ClassVar[tuple[str, ...]] = ("real", "categorical")
    encodings: ClassVar[tuple[str, ...]] = ()
    max_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = False
    uses_preferences: ClassVar[bool] = True
    schedules_by_budget: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Option]] = {
        "policies": Option(24, low=1, high=10_000, log=True, tuned=(8, 64), help="preferences of the first stage"),
        "selected": Option(6, low=1, high=10_000, help="policies that a round of the second stage extends"),
        "copies": Option(8, low=1, high=100_000, help="of the environment for each policy"),
        "first_stage": Option(0.3, low=0.0, high=1.0, tuned=(0.1, 0.9), help="share of the budget for the first stage"),
        "scalarisation": Option(
            "weighted-sum",
            choices=("weighted-sum", "tchebycheff"),
            help="of the first stage; tchebycheff: along rays from the reference point",
        ),
        "unit": Option(1.0, low=1e-6, high=1e6, log=True, help="of the critics at first; it grows with the returns"),
        "evaluation": Option(0.2, low=0.0, high=0.9, help="share for evaluating; a round's last always takes place"),
        "updates": Option(
            10, low=1, high=10_000, log=True, tuned=(3, 30), help="of each policy in a round of the second stage"
        ),
        "episodes": Option(10, low=1, high=10_000, help="that evaluate a policy"),
        "greedy": Option(False, help="evaluate and report the policies that always take their most likely action"),
        "beta": Option(0.9, low=0.0, high=1.0, help="share of the other returns that an extension keeps"),
        "floor": Option(0.1, low=0.0, high=1.0, help="share of the range that a return counts as, at least"),
        "solver": Option(
            "interior-point", choices=("interior-point", "trust-region"), help="of the constrained updates"
        ),
        "barrier": Option(20.0, low=1e-3, high=1e6, log=True, help="t of the logarithmic barrier"),
        "radius": Option(0.03, low=1e-6, high=1.0, log=True, help="divergence of a step, with solver=trust-region"),
        "capacity": Option(200, low=1, high=100_000, help="policies kept to be extended"),
        **PPO_OPTIONS,
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
        said = self._said = SimpleNamespace(**options)
        if said.scalarisation == "tchebycheff" and problem.reference_point is None:
            raise ValueError(
                f"Option `scalarisation=tchebycheff` of c-morl needs a reference point that is known from the start. "
                f"{problem.name!r} has none: give `reference_point`, or take scalarisation=weighted-sum."
            )
        self.problem, self._seed, self._device = cast(MeteredEnvironment, problem), seed, device
        self.preferences_per_round, self.wants_setting = said.policies, True
        self._first_stage = int(said.first_stage * budget)
        self._trainer = self._make_trainer(said.policies)
        self._steps = self._made = 0
        self._length, self._spent = 0.0, 0  # steps of an episode, as last measured; all that evaluating has cost
        self._round: dict[str, Tensor] | None = None  # what the extensions under way are to do
        self._updates = 0
        m = problem.num_objectives
        self._range = torch.empty(0, m, dtype=torch.float64)  # the least and the highest of all returns so far
        self._buffer = Candidates.empty((1,), m, torch.int64)

    # ------------------------------------------------------------------------------------------ the contract
    @property
    def draws_actions(self) -> bool:
        """Whether the policies that are reported draw their actions."""
        return not self._said.greedy

    def step(self, setting: Setting | None) -> Candidates:
        """One update of all policies of the stage; their evaluation where it is due."""
        self._stream = torch_generator(self._seed, "c-morl", self._steps)
        self._steps += 1
        if self.preferences_per_round:
            assert setting is not None
            assert setting.preferences is not None
            return self._first(setting.preferences)
        return self._second()

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
        return _actors(self._buffer)

    def policies_for(self, preferences: Tensor) -> Candidates:
        """For each of `preferences [k, m]` the policy found whose evaluated return is best for it.

        Raises:
            ValueError: No policy has been evaluated yet.
        """
        if not len(self._buffer):
            raise ValueError("`policies_for` needs a policy that has been evaluated. Found none: give a larger budget.")
        best = (preferences.to(torch.float64) @ self._buffer.objectives.T).argmax(dim=1)
        return _actors(self._buffer).rows(best)

    # ------------------------------------------------------------------------------------------ the two stages
    def _first(self, preferences: Tensor) -> Candidates:
        """Each policy towards its preference."""
        self.wants_setting = False
        batch = self._trainer.collect(self._stream)
        weights = preferences
        if self._said.scalarisation == "tchebycheff":
            point = self.problem.reference_point
            assert point is not None  # as the constructor has seen
            weights = along_rays(self._expected(), preferences, point)
        self._trainer.improve(batch, towards(batch, weights[:, None], self._said.clip), self._stream)
        over = self.problem.used >= self._first_stage
        found = self._evaluate(preferences, due=over)
        if over and len(self._buffer):
            self.preferences_per_round, self.wants_setting = 0, True
        return found

    def _second(self) -> Candidates:
        """One objective up, the others held."""
        self.wants_setting = False
        if self._round is None:
            self._begin_round()
        assert self._round is not None
        self._update(self._trainer.collect(self._stream), self._round)
        self._updates += 1
        over = self._updates == self._said.updates
        found = self._evaluate(None, due=over)
        if len(found):
            sound = ~found.failed[:, None]
            self._round["returns"] = torch.where(sound, found.objectives, self._round["returns"])
            self._round["expected"] = torch.where(sound, self._expected(), self._round["expected"])
        if over:
            self._round = None
        return found

    def _begin_round(self) -> None:
        """Select the least crowded policies and make one copy of each for every objective."""
        front, extended = self._buffer.objectives, self._buffer.extras["extended"]
        m = front.shape[1]
        order = crowding_distance(front).argsort(descending=True, stable=True)
        order = order[extended[order].to(torch.int64).argsort(stable=True)]  # those extended before come last
        chosen = order[: self._said.selected]
        self._buffer = self._buffer.with_extras(extended=extended.index_fill(0, chosen, True))
        each = chosen.repeat_interleave(m)
        self._trainer = self._make_trainer(len(each))
        names = self._trainer.net.rows()
        self._trainer.net.load_rows({name: self._buffer.extras[f"parameters.{name}"][each] for name in names})
        self._trainer.see_start()
        span, returns = unit(self._range), front[each]
        self._round = {
            "goals": torch.arange(m).repeat(len(chosen)),
            "least": returns - (1 - self._said.beta) * torch.maximum(returns.abs(), self._said.floor * span),
            "span": span,
            "returns": returns,  # as last evaluated
            "expected": self._expected(),  # by the critics at that time
        }
        self._updates = 0

    def _update(self, batch: Batch, now: Mapping[str, Tensor]) -> None:
        """One constrained update of all extensions."""
        said, trainer = self._said, self._trainer
        returns = now["returns"] + self._expected() - now["expected"]  # as evaluated, and what has changed since
        task = Task(now["goals"], now["least"], returns, now["span"])
        if said.solver == "interior-point":
            trainer.improve(batch, interior_point(batch, task, said.barrier, said.clip), self._stream)
        else:
            trust_region(trainer.net, batch, task, said.radius)
            trainer.improve(batch, None, self._stream)

    def _expected(self) -> Tensor:
        """What the critics expect at an episode's beginning, `[p, m]`, of the objectives."""
        expected: Tensor = self._trainer.at_start().cpu().to(torch.float64)[:, : self.problem.num_objectives]
        return expected

    # ------------------------------------------------------------------------------------------ policies
    def _make_trainer(self, policies: int) -> Trainer:
        stream = torch_generator(self._seed, "networks", policies)
        trainer = Trainer(self.problem, policies, self._said.copies, self._said, stream, self._device)
        trainer.net.scale.fill_(self._said.unit)
        return trainer

    def _evaluate(self, preferences: Tensor | None, *, due: bool) -> Candidates:
        """The policies as they are, by whole episodes, if that is `due` or evaluating has taken less than its share."""
        n, m, said = self._trainer.policies, self.problem.num_objectives, self._said
        episodes = said.episodes if self.problem.stochastic or self.draws_actions else 1  # else all are the same
        cost = n * episodes * (self._length or self.problem.max_steps)  # the most, until it is known
        too_much = self._spent + cost > said.evaluation * (self.problem.used + cost)
        in_vain = self._length > 0 and cost > self.problem.remaining  # cut short they would be worth nothing
        if in_vain or (too_much and not due):
            return _actors(self._buffer.rows(slice(0)))
        policies = Candidates.of(
            torch.arange(self._made, self._made + n)[:, None],
            torch.full((n, m), float("nan"), dtype=torch.float64),
            preferences,
            **{f"parameters.{name}": value.cpu() for name, value in self._trainer.net.rows().items()},
            **({"parameters.greedy": torch.ones(n, dtype=torch.bool)} if said.greedy else {}),
            extended=torch.zeros(n, dtype=torch.bool),
        )
        self._made, before = self._made + n, self.problem.used
        found = evaluate_policies(self.problem, self, policies, episodes, self._stream, self._device)
        self._spent += self.problem.used - before
        self._length = (self.problem.used - before) / (n * episodes)
        self._keep(found.rows(~found.failed))
        return _actors(found)

    def _keep(self, found: Candidates) -> None:
        """Take over into the buffer what is non-dominated, and of that the least crowded."""
        returns = torch.cat([self._range, found.objectives])
        if len(returns):
            self._range = torch.stack([returns.amin(dim=0), returns.amax(dim=0)])
        pool = Candidates.cat([self._buffer, found])
        pool = pool.rows(non_dominated(pool.objectives))
        kept = crowding_distance(pool.objectives).argsort(descending=True, stable=True)[: self._said.capacity]
        self._buffer = pool.rows(kept.sort().values)

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {
            "trainer": self._trainer.state_dict(),
            "policies": self._trainer.policies,
            "counters": [self._steps, self._made, self._updates, self._length, self._spent, self.preferences_per_round],
            "wants_setting": self.wants_setting,
            "round": self._round,
            "range": self._range,
            "buffer": self._buffer.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._trainer = self._make_trainer(state["policies"])
        self._trainer.load_state_dict(state["trainer"])
        self._steps, self._made, self._updates, self._length, self._spent, self.preferences_per_round = state[
            "counters"
        ]
        self.wants_setting, self._round = state["wants_setting"], state["round"]
        self._range, self._buffer = state["range"], Candidates.from_state(state["buffer"])


def _actors(candidates: Candidates) -> Candidates:
    """Policies without what only learning needs."""
    dropped = (*(f"parameters.{name}" for name in LEARNING), "extended")
    extras = {name: column for name, column in candidates.extras.items() if not name.startswith(dropped)}
    return Candidates(candidates.solutions, candidates.objectives, candidates.preferences, extras)


def unit(returns: Tensor) -> Tensor:
    """The range `[m]` of each column of `[n, m]`; where there is none, its size, or 1."""
    span, size = returns.amax(dim=0) - returns.amin(dim=0), returns.abs().amax(dim=0)
    return torch.where(span > 0, span, torch.where(size > 0, size, 1.0))
