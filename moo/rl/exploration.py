"""Exploration: what copies of an environment do beside following their policies.

Exploring changes the law of the actions, not the policies that are learned: learners divide by the chances that
`Exploration.mix` returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

EXPLORATIONS = ("none", "uniform", "sticky", "laws", "counts")


class Exploration:
    """With some probability at each step, an action that does not come from the policy.

    - `"uniform"`: a uniform one;
    - `"sticky"`: the last action again, with a probability that is drawn for each episode, uniformly from 0 to 1; else
      a uniform one. Long straight walks reach what a random walk never does;
    - `"laws"`: drawn from a law that is drawn for each episode, uniformly among all laws (Dirichlet);
    - `"counts"`: one of those tried least here so far;
    - `"none"`.

    Args:
        kind: One of the above.
        share: The probability, from 0 to 1.
        copies: n.
        actions: How many there are.
        device: Of the copies.

    Attributes:
        last: The last action of each copy, -1 at the beginning of an episode.
    """

    def __init__(self, kind: str, share: float, copies: int, actions: int, device: str | torch.device = "cpu") -> None:
        self.kind, self.share = kind, share if kind != "none" else 0.0
        self.last = torch.full((copies,), -1, device=device)
        self._stickiness = torch.zeros(copies, dtype=torch.float64, device=device)
        self._laws = torch.full((copies, actions), 1 / actions, dtype=torch.float64, device=device)

    def begin(self, which: Tensor, generator: torch.Generator) -> None:
        """Draw anew what holds for an episode, for copies `which` (bool `[n]`) whose episode begins."""
        n, device = len(self.last), self.last.device
        self.last = torch.where(which, -1, self.last)
        if self.kind == "sticky":
            drawn = torch.rand(n, generator=generator, dtype=torch.float64).to(device)
            self._stickiness = torch.where(which, drawn, self._stickiness)
        if self.kind == "laws":
            drawn = -torch.rand(self._laws.shape, generator=generator, dtype=torch.float64).clamp(min=1e-300).log()
            drawn = (drawn / drawn.sum(dim=1, keepdim=True)).to(device)
            self._laws = torch.where(which[:, None], drawn, self._laws)

    def mix(self, chances: Tensor, mask: Tensor | None, visits: Tensor | None = None) -> Tensor:
        """The chances of actions as they are drawn, `[n, a]`.

        Args:
            chances: By the policies, `[n, a]`.
            mask: Legal actions, or None.
            visits: How often each was tried here, `[n, a]`; for `"counts"`.
        """
        if not self.share:
            return chances
        legal = torch.ones_like(chances) if mask is None else mask.to(chances)
        return (1 - self.share) * chances + self.share * self._exploring(legal, visits)

    def _exploring(self, legal: Tensor, visits: Tensor | None) -> Tensor:
        """The chances of actions that explore, `[n, a]`."""
        uniform = legal / legal.sum(dim=1, keepdim=True)
        if self.kind == "uniform":
            return uniform
        if self.kind == "sticky":
            again = torch.nn.functional.one_hot(self.last.clamp(min=0), legal.shape[1]).to(legal) * legal
            possible = again.sum(dim=1, keepdim=True) * (self.last >= 0)[:, None]
            stickiness = self._stickiness[:, None].to(legal) * possible
            return stickiness * again + (1 - stickiness) * uniform
        if self.kind == "laws":
            law = self._laws.to(legal) * legal + 1e-12 * uniform
            return law / law.sum(dim=1, keepdim=True)
        if visits is None:
            raise ValueError("Exploration by counts needs `visits`. Found None.")
        tried = visits.to(legal).masked_fill(legal == 0, torch.inf)
        least = (tried == tried.amin(dim=1, keepdim=True)).to(legal)
        return least / least.sum(dim=1, keepdim=True)

    def state_dict(self) -> dict[str, Any]:
        """What the copies are in the middle of."""
        return {"last": self.last, "stickiness": self._stickiness, "laws": self._laws}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        device = self.last.device
        self.last, self._stickiness, self._laws = (state[name].to(device) for name in ("last", "stickiness", "laws"))
