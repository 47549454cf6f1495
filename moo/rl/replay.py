"""Replay: transitions of several policies, kept to be learned from again, each policy's in a ring of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class Replay:
    """The last transitions of each policy, from which any policy may draw.

    Rings of their own let a policy draw from its own transitions, from those of a neighbourhood or from all: who draws
    from whom is said when drawing. What is stored are vector rewards, so each reader weighs them by its own preference.

    Source: the buffer of Lin 1992 (Machine Learning 8); shared among policies as in Felten, Talbi and Danoy 2024
    (2311.12495).

    Args:
        policies: How many, p.
        capacity: Transitions kept of each.
        columns: What a transition consists of: its names, shapes and types.
        device: Where they are kept.

    Attributes:
        counts: Transitions that each policy has, int64 `[p]`.
    """

    def __init__(
        self,
        policies: int,
        capacity: int,
        columns: Mapping[str, tuple[tuple[int, ...], torch.dtype]],
        device: str | torch.device = "cpu",
    ) -> None:
        self.capacity, self.device = capacity, torch.device(device)
        self._data = {
            name: torch.zeros(policies, capacity, *shape, dtype=dtype, device=device)
            for name, (shape, dtype) in columns.items()
        }
        self.counts = torch.zeros(policies, dtype=torch.int64, device=device)
        self._added = torch.zeros(policies, dtype=torch.int64, device=device)  # in all: where the next one goes

    def add(self, policy: int, rows: Mapping[str, Tensor]) -> None:
        """Keep the transitions `[n, ...]` of a policy, instead of its oldest where there is no room."""
        n = len(next(iter(rows.values())))
        first = int(self._added[policy])
        places = torch.arange(first, first + n, device=self.device)[-self.capacity :] % self.capacity
        for name, kept in self._data.items():
            kept[policy, places] = rows[name][-self.capacity :].to(kept)
        self._added[policy] += n
        self.counts[policy] = min(first + n, self.capacity)

    def sample(self, pools: Tensor, batch: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw transitions with replacement, each of a reader's pool equally likely.

        Args:
            pools: Whose transitions each of k readers may draw, bool `[k, p]`, of which some have any.
            batch: How many for each.
            generator: On the CPU.

        Returns:
            The columns, `[k, batch, ...]`.
        """
        chances = (pools * self.counts).to(torch.float64).cpu()
        owners = torch.multinomial(chances, batch, replacement=True, generator=generator).to(self.device)
        drawn = torch.rand(owners.shape, dtype=torch.float64, generator=generator).to(self.device)
        places = owners * self.capacity + (drawn * self.counts[owners]).long()
        return {name: kept.flatten(0, 1)[places] for name, kept in self._data.items()}

    def state_dict(self) -> dict[str, Any]:
        """The places that are filled, and where the next transitions go."""
        filled = int(self.counts.max())
        data = {name: kept[:, :filled].clone() for name, kept in self._data.items()}
        return {"data": data, "counts": self.counts.clone(), "added": self._added.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        for name, kept in self._data.items():
            kept[:, : state["data"][name].shape[1]] = state["data"][name].to(self.device)
        self.counts, self._added = (state[name].clone().to(self.device) for name in ("counts", "added"))
