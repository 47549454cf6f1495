"""MORL/D: a policy for each of some preferences, learned off-policy, that help each other."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from moo.base import Candidates, Setting
from moo.dominance import joined_front
from moo.metered import Metered, MeteredEnvironment
from moo.options import Option
from moo.preferences import dirichlet, moved_apart
from moo.rl import cooperation
from moo.rl.experience import Aims, Experience, Sight
from moo.rl.exploration import EXPLORATIONS
from moo.rl.off_policy import DoubleQ, Learner
from moo.rl.policies import act_rows
from moo.rl.ppo import placed
from moo.rl.rollouts import evaluate_policies
from moo.rl.soft import Soft
from moo.rl.utilities import SCALARISATIONS, in_units, slopes, utility
from moo.seeding import torch_generator

STARTS = 16  # beginnings of episodes from which expected returns are estimated


class MORLD:
    """Multi-objective reinforcement learning by decomposition, all policies as one batch.

    Each policy has a preference. In a step those whose turn it is act for a window; the transitions are kept with their
    vector rewards, and policies learn from their own, from those of neighbours or from all. Critics are vectors, so a
    transition or a network of one preference serves another. Now and then all policies are evaluated by whole episodes,
    which are paid and enter the archive; then preferences may move and policies may take over a neighbour's networks.

    Every axis of the taxonomy is an option: what a preference makes of returns (`scalarisation`), of their expectation
    or of each episode's (`criterion`), what becomes of the preferences (`adaptation`), who is near (`neighbours`), what
    is shared (`sharing`, `transfer`, `structure`), whose turn it is (`selection`), and how policies learn (`learner`).

    Source: Felten, Talbi and Danoy 2024, "Multi-objective reinforcement learning based on decomposition: a taxonomy and
    framework", JAIR 79 (2311.12495). There the policies take turns, one environment each; here they are stacked.
    """

    kinds: ClassVar[tuple[str, ...]] = ("environment",)
    columns: ClassVar[tuple[str, ...]] = ()
    actions: ClassVar[tuple[str, ...]] = ("real", "categorical")
    encodings: ClassVar[tuple[str, ...]] = ()
    max_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = False
    uses_preferences: ClassVar[bool] = True
    schedules_by_budget: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {
        "policies": Option(16, low=1, high=10_000, log=True, tuned=(8, 64), help="preferences, a policy for each"),
        "scalarisation": Option("weighted-sum", choices=SCALARISATIONS, help="what a preference makes of returns"),
        "criterion": Option(
            "ser", choices=("ser", "esr"), help="ser: utility of expected returns; esr: expected utility of returns"
        ),
        "normalise": Option(True, help="preferences weigh returns in units of their range, not as they are"),
        "adaptation": Option(
            "none", choices=("none", "psa", "random"), help="of preferences: Pareto simulated annealing, or drawn anew"
        ),
        "delta": Option(1.1, low=1.0, high=10.0, help="factor by which adaptation=psa moves an entry"),
        "neighbours": Option(2, low=0, high=10_000, help="nearest preferences whose policies cooperate; 0: none"),
        "sharing": Option(
            "all",
            choices=cooperation.SHARINGS,
            tuned=cooperation.SHARINGS,
            help="whose transitions a policy learns from",
        ),
        "transfer": Option(
            "none",
            choices=("none", "start", "best"),
            tuned=("none", "best"),
            help="networks taken over: of the nearest neighbour at first, or of the best neighbour at exchanges",
        ),
        "exchange": Option(1, low=1, high=10_000, help="evaluations between adaptations and transfers"),
        "structure": Option(
            "independent", choices=("independent", "conditioned"), help="a network each, or one that is told"
        ),
        "active": Option(0, low=0, high=10_000, help="policies that act at a time; 0: all"),
        "selection": Option(
            "round-robin", choices=("round-robin", "roulette"), help="whose turn it is, where not all are active"
        ),
        "turn": Option(10, low=1, high=100_000, help="steps of the search that a turn lasts"),
        "learner": Option("auto", choices=("auto", "q", "soft"), help="auto: q for discrete actions, soft for others"),
        "copies": Option(4, low=1, high=100_000, help="of the environment for each policy that acts"),
        "steps": Option(8, low=1, high=100_000, help="of each copy in a step of the search"),
        "backup": Option(1, low=1, high=1000, help="rewards summed before critics are asked, within a window"),
        "updates": Option(40, low=0, high=100_000, log=True, tuned=(10, 100), help="gradient steps after a window"),
        "batch": Option(64, low=1, high=100_000, help="transitions that each policy learns from in a gradient step"),
        "capacity": Option(200_000, low=1, high=10**9, help="transitions kept, of all policies together"),
        "evaluation": Option(0.2, low=0.0, high=0.9, help="share of what is used that evaluating policies may take"),
        "episodes": Option(10, low=1, high=10_000, help="that evaluate a policy, where there is chance"),
        "greedy": Option(True, help="with learner=soft: report the most likely actions instead of drawing"),
        "learning_rate": Option(1e-3, low=1e-6, high=1.0, log=True, tuned=(1e-4, 1e-2), help="of Adam"),
        "target_share": Option(0.01, low=1e-5, high=1.0, log=True, help="of the way that targets move in a step"),
        "longest": Option(1.0, low=1e-3, high=1e3, help="norm that a policy's gradient is cut to"),
        "hidden": Option(64, low=1, high=4096, help="units of a layer"),
        "layers": Option(2, low=1, high=8, help="hidden layers"),
        "spread": Option(0.1, low=0.0, high=1.0, help="with learner=soft: share of the actions that a policy keeps to"),
        "exploration": Option("sticky", choices=EXPLORATIONS[:-1], help="which actions explore, if they are discrete"),
        "share": Option(0.5, low=0.0, high=1.0, tuned=(0.1, 0.9), help="of actions that explore"),
    }
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
        self.problem, self._seed, self._device = cast(MeteredEnvironment, problem), seed, torch.device(device)
        check_options(said, problem)
        p, m = said.policies, problem.num_objectives
        self.preferences_per_round, self.wants_setting = p, True
        self._by_utility, told = said.criterion == "esr", said.structure == "conditioned"
        self._discrete = problem.action_space.kinds == {"categorical"}
        self._sight = Sight(self.problem, self._by_utility, told)
        self._playing = min(said.active or p, p)
        self._experience = Experience(self.problem, p, self._playing, said, self._by_utility, self._sight, self._device)
        self._learner = self._make_learner(1 if told else p, torch_generator(seed, "networks"))
        self._steps = self._made = self._evaluations = self._spent = self._cursor = 0
        self._length = 0.0  # of an episode, as last measured
        self._turn = torch.arange(self._playing, device=self._device)
        self._trained = torch.zeros(p, dtype=torch.bool, device=self._device)
        self._span = self._experience.span  # the units that the critics speak in
        self._preferences = torch.full((p, m), 1 / m, dtype=torch.float64, device=self._device)
        self._returns = torch.full((p, m), float("nan"), dtype=torch.float64)  # last evaluated
        self._front = torch.empty(0, m, dtype=torch.float64)
        self._finals = Candidates.empty((1,), m, torch.int64)

    def _make_learner(self, nets: int, stream: torch.Generator) -> Learner:
        said, space, m = self._said, self.problem.action_space, self.problem.num_objectives
        values, inputs = 1 if self._by_utility else m, self._sight.columns
        actions = int(space.size) if self._discrete else space.dim
        self._soft = said.learner == "soft" or (said.learner == "auto" and not self._discrete)
        if not self._soft:
            return DoubleQ(nets, inputs, actions, values, said, stream).to(self._device)
        beside = m if self._by_utility else 0
        return Soft(nets, inputs, beside, actions, self._discrete, values, said, stream).to(self._device)

    # ------------------------------------------------------------------------------------------ the contract
    @property
    def draws_actions(self) -> bool:
        """Whether the policies that are reported draw their actions."""
        return self._soft and not self._said.greedy

    def step(self, setting: Setting | None) -> Candidates:
        """A window of the policies whose turn it is, and gradient steps; now and then, an evaluation of all."""
        if self.wants_setting:
            assert setting is not None
            assert setting.preferences is not None
            self._preferences, self.wants_setting = setting.preferences.to(self._preferences), False
        stream = torch_generator(self._seed, "morl-d", self._steps)
        if self._steps % self._said.turn == 0:
            self._begin_turn(stream)
        self._steps += 1
        playing = None if self._playing == len(self._preferences) else self._turn
        self._experience.collect(playing, self._learner, self._aims(), stream)
        self._measure()
        self._learn(stream)
        return self._evaluate(stream)

    def act(
        self,
        candidates: Candidates,
        observations: Tensor,
        mask: Tensor | None,
        time: int,
        generator: torch.Generator,
    ) -> Tensor:
        if "parameters.clock" in candidates.extras:
            shown = self._sight.clock(torch.tensor([time]))
            biases = candidates.extras["parameters.actor.biases.0"]
            told = biases + shown @ candidates.extras["parameters.clock"]
            candidates = candidates.with_extras(**{"parameters.actor.biases.0": told})
        actions = act_rows(candidates, observations, mask, self._sight.observer, generator)
        return placed(actions if self._discrete else torch.tanh(actions), self.problem)

    def finals(self) -> Candidates | None:
        return self._finals

    def policies_for(self, preferences: Tensor) -> Candidates:
        """For each of `preferences [k, m]` the policy, of those last evaluated, whose returns have the most utility.

        Raises:
            ValueError: No policy has been evaluated yet.
        """
        if not len(self._finals):
            raise ValueError("`policies_for` needs a policy that has been evaluated. Found none: give a larger budget.")
        found = self._utilities(self._finals.objectives, preferences.to(torch.float64))
        return self._finals.rows(found.nan_to_num(-torch.inf).argmax(dim=1).cpu())

    # ------------------------------------------------------------------------------------------ learning
    def _aims(self) -> Aims:
        """What each policy is for, as its returns stand now."""
        experience, said = self._experience, self._said
        told = self._weighed(self._preferences)
        if self._by_utility:
            return Aims(self._preferences, told, torch.ones_like(told[:, :1]))
        if said.scalarisation == "weighted-sum":
            return Aims(self._preferences, told, told)
        p = len(told)
        state = self.problem.reset(STARTS, self._device)
        seen, legal = self.problem.observe(state).repeat(p, 1), self.problem.action_mask(state)
        starts = self._sight(seen, torch.zeros(len(seen)), self._preferences.repeat_interleave(STARTS, dim=0))
        legal = None if legal is None else legal.expand(p, -1, -1)
        expected = self._learner.expected(starts.reshape(p, STARTS, -1), legal, told).to(told)
        return Aims(self._preferences, told, slopes(expected, told, experience.ideal_point, said.scalarisation))

    def _weighed(self, preferences: Tensor) -> Tensor:
        """Preferences `[k, m]` of returns in units."""
        return preferences if self._said.normalise else in_units(preferences, self._experience.span.to(preferences))

    def _utilities(self, returns: Tensor, preferences: Tensor) -> Tensor:
        """What returns `[n, m]` are worth for each of `preferences [k, m]`: `[k, n]`."""
        span, ideal = (part.cpu() for part in (self._experience.span, self._experience.ideal_point))
        told = self._weighed(preferences).cpu()
        return utility(returns[None] / span, told[:, None], ideal, self._said.scalarisation)

    def _measure(self) -> None:
        """Let the critics speak in the units of the range as it is now."""
        span = self._experience.span
        if not self._by_utility and not torch.equal(span, self._span):
            self._learner.rescale(self._span / span)
        self._span = span

    def _learn(self, stream: torch.Generator) -> None:
        """Gradient steps of all policies that read what was just lived through."""
        said, experience = self._said, self._experience
        pools = cooperation.pools(self._near(), said.sharing)
        heard = pools[:, self._turn].any(dim=1) & ((pools * experience.replay.counts).sum(dim=1) >= said.batch)
        rows = None if heard.all() else torch.nonzero(heard).flatten()
        if rows is not None and not len(rows):
            return
        aims = self._aims()
        pools = pools if rows is None else pools[rows]
        for _ in range(said.updates):
            samples = experience.samples(rows, pools, aims, said.scalarisation, said.batch, stream)
            self._learner.improve(samples, stream)

    # ------------------------------------------------------------------------------------------ cooperation
    def _near(self) -> Tensor:
        return cooperation.neighbourhoods(self._preferences, self._said.neighbours)

    def _begin_turn(self, stream: torch.Generator) -> None:
        """Choose who acts next, and let those who never did begin as their nearest neighbour that has."""
        p, said = len(self._preferences), self._said
        if said.selection == "roulette" and self._playing < p:
            low, span = (part.cpu() for part in (self._experience.low, self._experience.span))
            chances = cooperation.chances_of_turns(self._returns, low, span)
            drawn = torch.multinomial(chances, self._playing, generator=stream)
            self._turn = drawn.sort().values.to(self._device)
        else:
            self._turn = torch.arange(self._cursor, self._cursor + self._playing, device=self._device) % p
            self._cursor = (self._cursor + self._playing) % p
        if said.transfer == "start":
            sources = cooperation.nearest_trained(self._preferences, self._near(), self._trained)
            new = torch.zeros_like(self._trained).index_fill(0, self._turn, True) & ~self._trained
            self._learner.take_over(torch.where(new, sources, torch.arange(p, device=self._device)))
        self._trained[self._turn] = True

    def _exchange(self, stream: torch.Generator) -> None:
        """Take over better neighbours' networks, and move the preferences."""
        said = self._said
        if said.transfer == "best":
            utilities = self._utilities(self._returns, self._preferences.cpu()).to(self._device)
            self._learner.take_over(cooperation.best_of_neighbourhood(utilities, self._near()))
        if said.adaptation == "random":
            drawn = dirichlet(len(self._preferences), self.problem.num_objectives, stream)
            self._preferences = drawn.to(self._preferences)
        if said.adaptation == "psa":
            sound = torch.isfinite(self._returns).all(dim=1).tolist()
            moved = [
                moved_apart(preference, reached, self._front, said.delta) if known else preference
                for preference, reached, known in zip(self._preferences.cpu(), self._returns, sound, strict=True)
            ]
            self._preferences = torch.stack(moved).to(self._preferences)

    # ------------------------------------------------------------------------------------------ policies
    def _evaluate(self, stream: torch.Generator) -> Candidates:
        """All policies by whole episodes, if evaluating has taken less than its share; and what follows from it."""
        said, problem, policies = self._said, self.problem, self._policies
        p = len(self._preferences)
        episodes = said.episodes if problem.stochastic or self.draws_actions else 1
        cost = p * episodes * (self._length or problem.max_steps)  # the most, until it is known
        too_much = self._spent + cost > said.evaluation * (problem.used + cost)
        if too_much or cost > problem.remaining:  # cut short they would be worth nothing
            return self._finals.rows(slice(0))
        before = problem.used
        found = evaluate_policies(problem, self, policies(), episodes, stream, self._device)
        self._made, self._evaluations = self._made + p, self._evaluations + 1
        self._spent += problem.used - before
        self._length = (problem.used - before) / (p * episodes)
        self._finals, self._returns = found, found.objectives
        sound = found.objectives[~found.failed]
        self._experience.note(sound)
        self._measure()
        self._front = joined_front(self._front, sound)
        if self._evaluations % said.exchange == 0:
            self._exchange(stream)
        return found

    def _policies(self) -> Candidates:
        """The policies as they are, not evaluated."""
        p, m = self._preferences.shape
        rows = self._sight.folded(self._learner.actors(self._aims().weights), self._preferences)
        greedy = torch.full((p,), not self.draws_actions)
        return Candidates.of(
            torch.arange(self._made, self._made + p)[:, None],
            torch.full((p, m), float("nan"), dtype=torch.float64),
            self._preferences.cpu(),
            **{f"parameters.{name}": value.detach().cpu().contiguous() for name, value in rows.items()},
            **{"parameters.greedy": greedy},
        )

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {
            "learner": self._learner.whole_state(),
            "experience": self._experience.state_dict(),
            "counters": [self._steps, self._made, self._evaluations, self._spent, self._cursor, self._length],
            "tensors": [self._turn, self._trained, self._span, self._preferences, self._returns, self._front],
            "wants_setting": self.wants_setting,
            "finals": self._finals.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._learner.load_whole_state(state["learner"])
        self._experience.load_state_dict(state["experience"])
        self._steps, self._made, self._evaluations, self._spent, self._cursor, self._length = state["counters"]
        self._turn, self._trained, self._span, self._preferences = (
            part.clone().to(self._device) for part in state["tensors"][:4]
        )
        self._returns, self._front = state["tensors"][4:]
        self.wants_setting, self._finals = state["wants_setting"], Candidates.from_state(state["finals"])


def check_options(said: SimpleNamespace, problem: Metered) -> None:
    """Whether the options go together, and with the problem.

    Raises:
        ValueError: They do not.
    """
    if said.learner == "q" and problem.action_space.kinds != {"categorical"}:
        raise ValueError(
            f"learner='q' is for discrete actions. {problem.name!r} has continuous ones: choose learner='soft'."
        )
    if said.structure == "conditioned" and said.transfer != "none":
        raise ValueError(
            f"transfer={said.transfer!r} is for policies with a network each. With structure='conditioned' they have "
            "one in common: leave `transfer` out."
        )
    for name in ("sharing", "transfer"):
        value = getattr(said, name)
        if value not in ("none", "all") and not said.neighbours:
            raise ValueError(f"{name}={value!r} needs neighbours. Found neighbours=0: give at least 1.")
