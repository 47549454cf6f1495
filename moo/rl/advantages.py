"""The advantages of a batch of episodes: of every objective alone, and of objectives weighted."""

from __future__ import annotations

from torch import Tensor

from moo.rl.episodes import Episodes
from moo.rl.estimators import combined, generalised, per_objective, standardised_steps


class Advantages:
    """What a batch of episodes says of each step: pure functions of the episodes and of what was expected.

    Args:
        episodes: Of p policies.
        estimator: One of `ESTIMATORS`.
        values: What the value heads expect before each step, `[p, c, T, m]`; needed for `"ppo"` alone.
        decay: Lambda of the advantages, for `"ppo"`.

    Attributes:
        targets: Of the value heads `[p, c, T, m]`; None but for `"ppo"`.
    """

    def __init__(self, episodes: Episodes, estimator: str, values: Tensor | None = None, decay: float = 1.0) -> None:
        self.episodes, self.estimator = episodes, estimator
        self.targets: Tensor | None = None
        self._steps: Tensor | None = None
        if estimator == "ppo":
            assert values is not None
            goes_on = (episodes.live, episodes.gamma, decay)
            self._steps, self.targets = generalised(episodes.rewards, values, *goes_on)

    def each(self) -> Tensor:
        """Of every objective alone, `[p, c, T, m]`; those of `"ppo"` are standardised over the steps of a policy."""
        episodes = self.episodes
        if self._steps is not None:
            return standardised_steps(self._steps, episodes.live)
        returns, sound = episodes.grouped(episodes.returns), episodes.grouped(episodes.sound)
        whole = per_objective(self.estimator, returns, sound).flatten(1, 2)
        return whole[:, :, None] * episodes.live[..., None]

    def weighted(self, weights: Tensor, factors: Tensor | None = None) -> Tensor:
        """Of the objectives weighted by `weights [p, m]`, `[p, c, T]`; rewards times `factors [p]`, where given."""
        episodes = self.episodes
        scale = 1.0 if factors is None else factors[:, None, None].to(episodes.rewards)
        if self._steps is not None:
            sums = (self._steps * weights[:, None, None].to(self._steps)).sum(dim=3) * scale
            return standardised_steps(sums[..., None], episodes.live).squeeze(3)
        returns, sound = episodes.grouped(episodes.returns * scale), episodes.grouped(episodes.sound)
        whole = combined(self.estimator, returns, sound, weights).flatten(1, 2)
        return whole[:, :, None] * episodes.live
