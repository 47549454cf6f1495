"""Bandits with vector rewards: one choice among some arms, and that is the whole episode."""

from __future__ import annotations

import torch
from torch import Tensor

from moo.checks import check_count, check_number
from moo.rl.ensembles import joined
from moo.rl.finite import FiniteEnvironment
from moo.rl.judges import Samples
from moo.rl.models import FiniteModel
from moo.seeding import torch_generator
from moo.space import Space, categorical


class Bandit(FiniteEnvironment):
    """A bandit: an episode is one action, an arm, and its rewards are the objectives, all maximised.

    The rewards of the arms are points of the positive octant of the unit sphere, uniformly drawn. So each arm is on the
    front and the best for some linear preference. Nothing is observed.

    `oracle.front` holds the arms: the exact front of deterministic policies, as in every finite environment. Policies
    that draw their arm reach any mixture; `oracle.mixture_hypervolume` is what these dominate. As expectations are sums
    over `rewards`, so are gradients of a softmax policy: estimators can be held against exact ones.

    Source: the softmax bandit is the textbook's (Sutton and Barto 2018, section 2.8); vector rewards: Drugan and Nowe
    2013, "Designing multi-objective multi-armed bandits algorithms", IJCNN.

    Args:
        arms: How many, at least 2.
        num_objectives: At least 2.
        layout: Seed of the rewards, at least 0.
        noise: Standard deviation of Gaussian noise on each reward, at least 0.
        rules: Of judges, each of which about half of the arms keep; one arm at least keeps all. At least 0.
        members: Of an ensemble of proxies that stands in for the rewards; 0: none does. A proxy errs on each arm and
            objective by a fixed Gaussian error, whose standard deviation is drawn evenly from 0 to 2 `error`.
        error: At least 0.
        ensemble: How the proxies are joined (`moo.rl.ensembles.joined`): `"mean"`, `"worst"`, `"uncertainty"`.
        penalty: Of the proxies' variance, with `"uncertainty"`, at least 0.

    Attributes:
        rewards: Expected, float64 `[arms, m]`: what is paid out, so with proxies what they say.
        gold: What the rewards would be without proxies, `[arms, m]`.
        proxies: `[members, arms, m]`.
        kept: Which arm keeps which rule, bool `[arms, rules]`.
        judges: Those of the rules, by name; methods that know of no judges ignore them.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        arms: int = 40,
        num_objectives: int = 3,
        layout: int = 0,
        noise: float = 0.0,
        rules: int = 0,
        members: int = 0,
        error: float = 0.2,
        ensemble: str = "mean",
        penalty: float = 1.0,
    ) -> None:
        arms = check_count("arms", arms, low=2)
        m = check_count("num_objectives", num_objectives, low=2)
        layout = check_count("layout", layout, low=0)
        self.noise = check_number("noise", noise, "the standard deviation of the rewards", zero=True)
        normal = torch.randn(arms, m, generator=torch_generator(layout, "bandit"), dtype=torch.float64)
        self.gold = torch.nn.functional.normalize(normal.abs(), dim=1)
        error = check_number("error", error, "the mean standard deviation of a proxy's errors", zero=True)
        drawn = torch_generator(layout, "bandit's proxies")
        spread = 2 * error * torch.rand(arms, m, generator=drawn, dtype=torch.float64)
        shape = (check_count("members", members, low=0), arms, m)
        self.proxies = self.gold + spread * torch.randn(shape, generator=drawn, dtype=torch.float64)
        self.rewards = joined(self.proxies if members else self.gold[None], ensemble, penalty)
        stream = torch_generator(layout, "bandit's rules")
        self.kept = torch.rand(arms, check_count("rules", rules, low=0), generator=stream) < 0.5
        self.kept[torch.randint(arms, (1,), generator=stream)] = True
        self.judges = {f"rule {i + 1}": _Rule(column) for i, column in enumerate(self.kept.unbind(1))}
        super().__init__(
            "bandit",
            _model(self.rewards),
            torch.zeros(1, 1),
            Space((categorical(["bandit"], "place"),)),
            [f"arm {arm + 1}" for arm in range(arms)],
            [f"reward {i + 1}" for i in range(m)],
            1.0,
            1,
            [0.0] * m,
        )
        self.stochastic = self.noise > 0

    def step(
        self, state: Tensor, actions: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        state, rewards, terminated, truncated = super().step(state, actions, generator)
        if self.noise:
            if generator is None:
                raise ValueError("`generator` should be a torch.Generator: this bandit is noisy. Found None.")
            drawn = torch.randn(rewards.shape, generator=generator, dtype=torch.float64)
            rewards = rewards + self.noise * drawn.to(rewards.device)
        return state, rewards, terminated, truncated & ~terminated  # the choice is an end, not a cut


class _Rule:
    """A judge: satisfied where the arm is one that keeps the rule, `kept [arms]`."""

    def __init__(self, kept: Tensor) -> None:
        self._kept = kept

    def __call__(self, samples: Samples) -> Tensor:
        return self._kept[samples.actions[:, 0]]


def _model(rewards: Tensor) -> FiniteModel:
    """One place, from which every arm leads to the end."""
    shape = (1, len(rewards), 1)
    return FiniteModel(
        torch.zeros(shape, dtype=torch.int64),
        torch.ones(shape, dtype=torch.float64),
        rewards[None, :, None, :],
        torch.ones(shape, dtype=torch.bool),
        start=0,
    )
