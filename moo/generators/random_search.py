"""Random search: the baseline that every other method has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from moo.base import Candidates, Setting
from moo.gflow.trajectories import uniform_objects
from moo.metered import Metered, MeteredEnvironment, step_by_asking
from moo.options import Option
from moo.rl.rollouts import evaluate_policies
from moo.seeding import child_seed, torch_generator


class RandomSearch:
    """Solutions drawn without looking at what came before.

    A vector problem: a scrambled Sobol sequence (Owen 1998, torch's engine), so that the space is covered evenly. A
    construction problem: trajectories of uniformly drawn legal actions. An environment: policies that are linear in
    the observation (and a constant), with independent standard normal weights, a softmax or a Gaussian over the
    actions; each is evaluated by whole episodes. Text is not taken: there is no uniform completion worth the name.
    """

    kinds: ClassVar[tuple[str, ...]] = ("vector", "construction", "environment")
    columns: ClassVar[tuple[str, ...]] = ("real", "integer", "categorical")
    encodings: ClassVar[tuple[str, ...]] = ()
    max_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = True
    uses_preferences: ClassVar[bool] = False
    schedules_by_budget: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {
        "batch": Option(100, low=1, high=1_000_000, help="solutions, objects or policies of a step"),
        "episodes": Option(4, low=1, high=10_000, help="whole episodes that each policy is evaluated by"),
    }
    wants_setting = False
    preferences_per_round = 0
    finished = ""

    def __init__(
        self,
        problem: Metered,
        *,
        budget: int,  # noqa: ARG002
        seed: int,
        device: str,  # noqa: ARG002
        initial: Candidates | None = None,  # noqa: ARG002
        batch: int,
        episodes: int,
    ) -> None:
        self.problem = problem
        self.batch = batch
        self.episodes = episodes
        self._seed = seed
        self._drawn = 0
        self._sobol: Any = None

    def step(self, setting: Setting | None) -> Candidates:  # noqa: ARG002
        if self.problem.kind == "environment":
            return self._evaluate_policies()
        return step_by_asking(self, self.problem, self.batch)

    def ask(self, n: int) -> Candidates:
        """`n` more rows, whatever is outstanding."""
        problem = self.problem
        solutions = self._next_of_sobol(n) if problem.kind == "vector" else self._next_objects(n)
        nan = torch.full((n, problem.num_objectives), float("nan"), dtype=torch.float64)
        asked = Candidates.of(solutions, nan, id=torch.arange(self._drawn, self._drawn + n))
        self._drawn += n
        return asked

    def tell(self, candidates: Candidates) -> None:
        """Nothing is learned."""

    def finals(self) -> Candidates | None:
        return None

    def act(
        self,
        candidates: Candidates,
        observations: Tensor,
        mask: Tensor | None,
        time: int,  # noqa: ARG002
        generator: torch.Generator,
    ) -> Tensor:
        return _act(candidates.extras["parameters.linear"], observations, mask, self._discrete, generator)

    # ------------------------------------------------------------------------------------------ vector
    def _next_of_sobol(self, n: int) -> Tensor:
        if self._sobol is None:
            engine: Any = SobolEngine  # torch leaves it untyped
            self._sobol = engine(self.problem.space.dim, scramble=True, seed=child_seed(self._seed, "sobol"))
            self._sobol.fast_forward(self._drawn)
        rows: Tensor = self.problem.space.from_unit(self._sobol.draw(n, dtype=torch.float64))
        return rows

    # ------------------------------------------------------------------------------------------ construction
    def _next_objects(self, n: int) -> Tensor:
        """The next `n` of one endless sequence, which is drawn in blocks, so that how it is cut does not matter."""
        first, last = self._drawn // self.batch, (self._drawn + n - 1) // self.batch
        streams = (torch_generator(self._seed, "objects", block) for block in range(first, last + 1))
        objects = torch.cat([uniform_objects(self.problem, self.batch, stream) for stream in streams])
        return objects[self._drawn - first * self.batch :][:n]

    # ------------------------------------------------------------------------------------------ environment
    @property
    def _discrete(self) -> bool:
        return "categorical" in self.problem.action_space.kinds

    def _evaluate_policies(self) -> Candidates:
        problem, each = cast(MeteredEnvironment, self.problem), self.episodes
        n = problem.affordable(self.batch, problem.max_steps * each)
        stream = torch_generator(self._seed, "policies", self._drawn)
        inputs = problem.observation_space.dim + 1
        outputs = int(problem.action_space.size) if self._discrete else problem.action_space.dim
        linear = torch.randn(self.batch, inputs, outputs, generator=stream, dtype=torch.float64)[:n]
        first, self._drawn = self._drawn, self._drawn + n
        policies = Candidates.of(
            torch.arange(first, first + n)[:, None],
            torch.full((n, problem.num_objectives), float("nan"), dtype=torch.float64),
            **{"parameters.linear": linear},
        )
        return evaluate_policies(problem, self, policies, each, stream)

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {"drawn": self._drawn}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._drawn = state["drawn"]
        self._sobol = None


def _act(
    weights: Tensor, observations: Tensor, mask: Tensor | None, discrete: bool, generator: torch.Generator
) -> Tensor:
    """Draw one action of each linear policy: an index `[n]`, or values `[n, a]` with standard deviation 1."""
    constant = observations.new_ones(len(observations), 1)
    inputs = torch.cat([observations, constant], dim=1).to(weights)
    outputs = torch.einsum("ni,nio->no", inputs, weights)
    if not discrete:
        return outputs + torch.randn(outputs.shape, generator=generator, dtype=outputs.dtype)
    if mask is not None:
        outputs = outputs.masked_fill(~mask, float("-inf"))
    return torch.multinomial(outputs.softmax(dim=1), 1, generator=generator).squeeze(1)
