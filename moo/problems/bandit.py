"""Bandits with vector rewards: one choice among some arms, and that is the whole episode."""

from __future__ import annotations

import torch
from torch import Tensor

from moo.checks import check_count, check_number
from moo.rl.finite import FiniteEnvironment
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

    Attributes:
        rewards: Expected, float64 `[arms, m]`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of its range.
    """

    def __init__(self, arms: int = 40, num_objectives: int = 3, layout: int = 0, noise: float = 0.0) -> None:
        arms = check_count("arms", arms, low=2)
        m = check_count("num_objectives", num_objectives, low=2)
        layout = check_count("layout", layout, low=0)
        self.noise = check_number("noise", noise, "the standard deviation of the rewards", zero=True)
        normal = torch.randn(arms, m, generator=torch_generator(layout, "bandit"), dtype=torch.float64)
        self.rewards = torch.nn.functional.normalize(normal.abs(), dim=1)
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
