"""Where policies stand: running means of their returns, on the scale of all returns seen so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from moo.rl.episodes import Episodes


class Levels:
    """Running means of the returns of p policies, and the least and the highest return of any episode.

    The highest stand in for the ideal point. Where returns are noisy they are above it.

    Args:
        memory: Share of the old mean that a new one keeps, from 0 to below 1.
        device: Where returns are.

    Attributes:
        means: `[p, m]`, None before the first episodes.
        low, high: `[m]`, likewise.
    """

    def __init__(self, memory: float, device: str | torch.device = "cpu") -> None:
        self.memory, self.device = memory, device
        self.means: Tensor | None = None
        self.low: Tensor | None = None
        self.high: Tensor | None = None

    def see(self, episodes: Episodes) -> None:
        """Take in the returns of sound episodes; a policy that has none keeps its mean."""
        returns, means = episodes.returns[episodes.sound], episodes.means
        if not len(returns):
            return
        low, high = returns.amin(dim=0), returns.amax(dim=0)
        self.low = low if self.low is None else torch.minimum(self.low, low)
        self.high = high if self.high is None else torch.maximum(self.high, high)
        if self.means is None:
            self.means = torch.full_like(means, float("nan"))
        mixed = torch.where(self.means.isnan(), means, self.memory * self.means + (1 - self.memory) * means)
        self.means = torch.where(means.isnan(), self.means, mixed)

    @property
    def span(self) -> Tensor:
        """The range of all returns, `[m]`; 1 where all are alike."""
        assert self.low is not None
        assert self.high is not None
        return torch.where(self.high > self.low, self.high - self.low, 1.0)

    def on_scale(self, values: Tensor) -> Tensor:
        """Values `[..., m]` on the scale on which the highest return is 1 and the least 0 (1 where all are alike)."""
        assert self.high is not None
        return 1 - (self.high - values) / self.span

    @property
    def shares(self) -> Tensor:
        """The means on the scale, `[p, m]`; 0 for a policy without any sound episode so far."""
        assert self.means is not None
        return self.on_scale(self.means).nan_to_num(0.0)

    @property
    def shortfalls(self) -> Tensor:
        """How far the means are below the highest return, in ranges, `[p, m]`, at least 0."""
        return (1 - self.shares).clamp(min=0)

    def state_dict(self) -> dict[str, Any]:
        """Means and range."""
        return {"means": self.means, "low": self.low, "high": self.high}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.means, self.low, self.high = (
            None if state[name] is None else state[name].to(self.device) for name in ("means", "low", "high")
        )
