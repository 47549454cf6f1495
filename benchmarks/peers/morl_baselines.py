"""morl-baselines' methods that train one network for all preferences, on MO-Gymnasium's own environments."""

from __future__ import annotations

import contextlib
import functools
import io
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from moo.base import Candidates, Setting
from moo.benchmarks.peers import library
from moo.benchmarks.peers.originals import original
from moo.benchmarks.peers.paced import Paced
from moo.metered import MeteredEnvironment
from moo.options import Option
from moo.preferences import grid
from moo.rl.rollouts import evaluate_policies
from moo.seeding import child_seed, quiet_fork, torch_generator

PORTION = 500  # transitions of a step
DECAY = 50_000  # transitions over which random actions become fewer, at most half of the budget
EPISODES = 5  # of each policy when training is over; re-evaluation for the report comes on top
LAYERS = Option(4, low=1, high=8, help="hidden layers")
HIDDEN = Option(256, low=8, high=1024, help="units of each")
EVALUATED = Option(50, low=2, high=10_000, help="preferences whose policies are reported, at least")
UPDATES = Option(1, low=1, high=100, help="gradient updates a transition")

Tick = Callable[[], None]


class MorlPeer(ABC):
    """A method of morl-baselines, run by its own `train` with its defaults, in portions.

    Source: Felten, Alegre, Nowe, Bazzan, Talbi, Danoy and da Silva 2023 (NeurIPS, datasets and benchmarks).

    It trains on MO-Gymnasium's environment, one copy, each transition of which is paid: also those of evaluations that
    steer it, which morl-baselines does not count. When the budget is spent, training is stopped where it is, and the
    policies for a lattice of preferences are reported: evaluated by us, apart, on our environment of the same law.

    Its state (a replay buffer, a loop half-way through) cannot be stored. But it is deterministic on one thread, so
    that going on means training again up to where it was, without paying. That takes the time again.

    Attributes:
        requires: The packages, by the names under which they are imported.
    """

    requires: ClassVar[Mapping[str, str]] = {"morl_baselines": "morl-baselines", "mo_gymnasium": "mo-gymnasium"}
    kinds: ClassVar[tuple[str, ...]] = ("environment",)
    columns: ClassVar[tuple[str, ...]] = ()
    actions: ClassVar[tuple[str, ...]] = ("categorical",)
    encodings: ClassVar[tuple[str, ...]] = ()
    max_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = False
    uses_preferences: ClassVar[bool] = False
    schedules_by_budget: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Option]] = {}
    wants_setting = False
    preferences_per_round = 0
    _paced: Paced

    def __init__(
        self,
        problem: MeteredEnvironment,
        *,
        budget: int,
        seed: int,
        device: str,
        initial: Candidates | None = None,  # noqa: ARG002
        **options: Any,
    ) -> None:
        self.problem = problem
        self.finished = ""
        self._budget, self._seed, self._device, self._options = budget, seed, device, options
        self._reported: Candidates | None = None
        self._begin()

    # ------------------------------------------------------------------------------------------ of each method
    @abstractmethod
    def _agent_of(self, env: Any) -> Any:
        """A fresh agent of morl-baselines on an environment."""

    @abstractmethod
    def _training(self, agent: Any, env: Any) -> Callable[[], None]:
        """What trains an agent to its end; `env` is for evaluations that steer it. It must not hold on to this."""

    @abstractmethod
    def _greedy(self, observations: Tensor, preferences: Tensor) -> Tensor:
        """What the agent's `eval` gives for each row, `[n]` or `[n, a]`: that takes one row at a time."""

    @property
    def _common(self) -> dict[str, Any]:
        """Arguments that all agents take."""
        hidden = [self._options["hidden"]] * self._options["layers"]
        chosen = {"net_arch": hidden, "gradient_updates": self._options["updates"]}
        fixed = {"log": False, "seed": child_seed(self._seed, "agent") % 2**31, "device": torch.device(self._device)}
        return {"gamma": self.problem.gamma, "buffer_size": min(self._budget, 10**6), **chosen, **fixed}

    @property
    def _exploring(self) -> dict[str, Any]:
        """From all actions at random to a twentieth, as in morl-baselines' examples."""
        decay = min(DECAY, self._budget // 2)
        return {"initial_epsilon": 1.0, "final_epsilon": 0.05, "epsilon_decay_steps": max(1, decay)}

    # ------------------------------------------------------------------------------------------ steps
    def step(self, setting: Setting | None) -> Candidates:  # noqa: ARG002
        """A portion of training; the policies with the last."""
        made = self._advance(min(PORTION, self.problem.remaining))
        self.problem.count(made)
        if not self._paced.ended and self.problem.remaining:
            return Candidates.empty((1,), self.problem.num_objectives)
        self._paced.stop()
        if self.problem.remaining:
            self.finished = "its training has come to its end"
        self._reported = self._policies()
        return self._reported

    def finals(self) -> Candidates | None:
        """The reported policies, once training is over."""
        return self._reported

    def act(
        self,
        candidates: Candidates,
        observations: Tensor,
        mask: Tensor | None,  # noqa: ARG002
        time: int,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
    ) -> Tensor:
        """The agent's greedy action for each observation and preference; asked once for those that are alike."""
        seen = observations.cpu().to(torch.float32)
        rows, where = torch.unique(
            torch.cat([seen, candidates.preferences.to(torch.float32)], dim=1), dim=0, return_inverse=True
        )
        rows = rows.to(self._device)
        with torch.no_grad():
            chosen = self._greedy(rows[:, : seen.shape[1]], rows[:, seen.shape[1] :])
        return chosen.cpu()[where].to(observations.device)

    def _policies(self) -> Candidates:
        """The policies for a lattice of preferences with their mean returns, paid for apart."""
        preferences = grid(self.problem.num_objectives, self._options["evaluated"])
        ids = torch.arange(len(preferences))[:, None]
        nan = torch.full_like(preferences, float("nan"))
        stream = torch_generator(self._seed, "actions of reported policies")
        with self.problem.apart():
            told = evaluate_policies(self.problem, self, Candidates.of(ids, nan, preferences), EPISODES, stream)
        return told.with_extras(used=torch.full((len(told),), self.problem.used))

    # ------------------------------------------------------------------------------------------ training
    def _begin(self) -> None:
        """A fresh agent that has made no transition."""
        self._reported = None
        self._portions: list[int] = []
        with quiet_fork(child_seed(self._seed, "networks")):
            env, steering = (original(self.problem, child_seed(self._seed, name)) for name in ("train", "steer"))
            self._agent = self._agent_of(env)
            train = self._training(self._agent, steering)
        self._paced = Paced(functools.partial(_train, train, (env, steering)))
        weakref.finalize(self, self._paced.stop)

    def _advance(self, transitions: int) -> int:
        """Train for so many transitions, fewer where it ends; nothing is paid."""
        seed = child_seed(self._seed, "training", len(self._portions))
        with quiet_fork(seed), contextlib.redirect_stdout(io.StringIO()):  # it prints its weights
            made: int = self._paced.advance(transitions)
        self._portions.append(transitions)
        return made

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        reported = None if self._reported is None else self._reported.state_dict()
        return {"portions": list(self._portions), "reported": reported, "finished": self.finished}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Train again up to there, without paying."""
        self._paced.stop()
        self._begin()
        for transitions in state["portions"]:
            self._advance(transitions)
        self.finished = state["finished"]
        if state["reported"] is not None:
            self._paced.stop()
            self._reported = Candidates.from_state(state["reported"])


def _train(train: Callable[[], None], envs: tuple[Any, ...], tick: Tick) -> None:
    """Train with environments that tick."""
    for env in envs:
        env.tick = tick
    train()


# ------------------------------------------------------------------------------------------------ the methods
class GPILS(MorlPeer):
    """GPI-LS: corner weights by their possible improvement, and generalised policy improvement over those learnt.

    Source: Alegre, Bazzan, Roijers, Nowe and da Silva 2023 (AAMAS, 2301.07784), in morl-baselines. An iteration takes
    10,000 transitions as there, at most a tenth of the budget, without the evaluations after each; the published 20
    gradient updates a transition are the option's default.
    """

    options: ClassVar[Mapping[str, Option]] = {
        "evaluated": EVALUATED,
        "layers": LAYERS,
        "hidden": HIDDEN,
        "updates": Option(20, low=1, high=100, help="gradient updates a transition"),
        "episodes": Option(5, low=1, high=1000, help="of each evaluation that steers the choice of weights"),
    }

    def _agent_of(self, env: Any) -> Any:
        module = library("morl_baselines.multi_policy.gpi_pd.gpi_pd", "gpi-ls")
        return module.GPILS(env, **self._exploring, **self._common)

    def _training(self, agent: Any, env: Any) -> Callable[[], None]:
        return functools.partial(
            agent.train,
            total_timesteps=self._budget,
            eval_env=env,
            ref_point=np.zeros(self.problem.num_objectives),  # for its own log, which is off
            num_eval_episodes_for_front=self._options["episodes"],
            timesteps_per_iter=max(1, min(10_000, self._budget // 10)),
            checkpoints=False,
        )

    def _greedy(self, observations: Tensor, preferences: Tensor) -> Tensor:
        network = self._agent.q_nets[0].eval()
        support = torch.stack(self._agent.weight_support)
        n, k = len(observations), len(support)
        values = network(observations.repeat_interleave(k, dim=0), support.repeat(n, 1)).reshape(n, -1, len(support[0]))
        network.train()
        utilities = torch.einsum("nbm,nm->nb", values, preferences).reshape(n, k, -1)
        return utilities.amax(dim=1).argmax(dim=1)


class Envelope(MorlPeer):
    """Envelope Q-learning: a network told the preference, learning from the best action for any of some preferences.

    Source: Yang, Sun and Narasimhan 2019 (NeurIPS, 1908.08342), in morl-baselines. The homotopy goes from 0 to 1 as
    random actions become fewer.
    """

    options: ClassVar[Mapping[str, Option]] = {
        "evaluated": EVALUATED,
        "layers": LAYERS,
        "hidden": HIDDEN,
        "updates": UPDATES,
    }

    def _agent_of(self, env: Any) -> Any:
        module = library("morl_baselines.multi_policy.envelope.envelope", "envelope")
        exploring = self._exploring
        return module.Envelope(env, homotopy_decay_steps=exploring["epsilon_decay_steps"], **exploring, **self._common)

    def _training(self, agent: Any, env: Any) -> Callable[[], None]:  # noqa: ARG002
        return functools.partial(agent.train, total_timesteps=self._budget)

    def _greedy(self, observations: Tensor, preferences: Tensor) -> Tensor:
        values = self._agent.q_net(observations, preferences)
        return torch.einsum("nam,nm->na", values, preferences).argmax(dim=1)


class CAPQL(MorlPeer):
    """CAPQL: soft actor-critic told the preference, for continuous actions; a concave term makes its front stationary.

    Source: Lu, Herman and Yu 2023 (ICLR), in morl-baselines.
    """

    actions = ("real",)
    options: ClassVar[Mapping[str, Option]] = {
        "evaluated": EVALUATED,
        "layers": Option(2, low=1, high=8, help="hidden layers"),
        "hidden": HIDDEN,
        "updates": UPDATES,
    }

    def _agent_of(self, env: Any) -> Any:
        return library("morl_baselines.multi_policy.capql.capql", "capql").CAPQL(env, **self._common)

    def _training(self, agent: Any, env: Any) -> Callable[[], None]:
        point = np.zeros(self.problem.num_objectives)  # for its own log, which is off
        return functools.partial(agent.train, total_timesteps=self._budget, eval_env=env, ref_point=point)

    def _greedy(self, observations: Tensor, preferences: Tensor) -> Tensor:
        actions: Tensor = self._agent.policy.get_action(observations, preferences)
        return actions
