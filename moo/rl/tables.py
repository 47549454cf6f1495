"""What tabular learners know of an environment whose places (observations) and actions are numbered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moo.rl.models import FiniteModel, extend_sets, follow
from moo.rl.rollouts import Transitions

BLOCK = 4096  # rows at once


class Memory:
    """What each action was seen to lead to, and how often. A place gets a row when it is first seen.

    Args:
        places: How many there are.
        actions: How many.
        num_objectives: m.
        device: Of the tables.

    Attributes:
        row: Of each place, -1 where it was never seen, `[places]`.
        outcomes: How many different ones each action had, `[rows, a]`.
        counts: Of each outcome, `[rows, a, k]`.
        following: The row that it leads to.
        ends: Whether it ends the episode.
        gained: The sum of its rewards, `[rows, a, k, m]`.
    """

    def __init__(self, places: int, actions: int, num_objectives: int, device: torch.device) -> None:
        self.row = torch.full((places,), -1, device=device)
        self.outcomes = torch.zeros(0, actions, dtype=torch.int64, device=device)
        self.counts = torch.zeros(0, actions, 1, dtype=torch.int64, device=device)
        self.following = torch.zeros(0, actions, 1, dtype=torch.int64, device=device)
        self.ends = torch.zeros(0, actions, 1, dtype=torch.bool, device=device)
        self.gained = torch.zeros(0, actions, 1, num_objectives, dtype=torch.float64, device=device)

    def rows(self, places: Tensor) -> Tensor:
        """The rows of places `[...]`, made where they are new."""
        new = torch.unique(places[self.row[places] < 0])
        if len(new):
            first = len(self.outcomes)
            self.row[new] = torch.arange(first, first + len(new), device=new.device)
            for name in ("outcomes", "counts", "following", "ends", "gained"):
                table = getattr(self, name)
                setattr(self, name, torch.cat([table, table.new_zeros(len(new), *table.shape[1:])]))
        return self.row[places]

    def record(self, window: Transitions, rows: Tensor, following: Tensor) -> Tensor:
        """Note a window `[T, n]` of transitions; return the rows of actions with an outcome never seen before."""
        live = window.active
        pairs = rows[live] * self.outcomes.shape[1] + window.actions[live]
        seen = torch.stack([pairs, following[live], window.terminated[live].long()], dim=1)
        different, which = torch.unique(seen, dim=0, return_inverse=True)
        pair, after, end = different.unbind(dim=1)
        match = (self.following.flatten(0, 1)[pair] == after[:, None]) & (
            self.ends.flatten(0, 1)[pair] == (end > 0)[:, None]
        )
        match &= torch.arange(match.shape[1], device=pair.device) < self.outcomes.flatten()[pair][:, None]
        slot, new = match.long().argmax(dim=1), ~match.any(dim=1)
        for number in torch.nonzero(new).flatten().tolist():
            slot[number] = self._open(*different[number].tolist())
        places = pair * self.counts.shape[2] + slot
        self.counts.view(-1).index_add_(0, places[which], torch.ones_like(which))
        self.gained.view(-1, self.gained.shape[-1]).index_add_(0, places[which], window.rewards[live])
        changed: Tensor = torch.unique(pair[new] // self.outcomes.shape[1])
        return changed

    def _open(self, pair: int, after: int, end: int) -> int:
        """A slot for a new outcome."""
        slot = int(self.outcomes.view(-1)[pair])
        if slot == self.counts.shape[2]:
            for name in ("counts", "following", "ends", "gained"):
                table = getattr(self, name)
                setattr(self, name, torch.cat([table, torch.zeros_like(table)], dim=2))
        self.following.flatten(0, 1)[pair, slot] = after
        self.ends.flatten(0, 1)[pair, slot] = bool(end)
        self.outcomes.view(-1)[pair] += 1
        return slot

    def chances(self, rows: Tensor) -> Tensor:
        """The shares of outcomes at `rows [n]`, `[n, a, k]`; 0 where an action was never tried."""
        counts = self.counts[rows].to(torch.float64)
        return counts / counts.sum(dim=2, keepdim=True).clamp(min=1)

    def rewards(self, rows: Tensor) -> Tensor:
        """The mean rewards of outcomes at `rows [n]`, `[n, a, k, m]`."""
        return self.gained[rows] / self.counts[rows].clamp(min=1)[..., None]

    def model(self) -> FiniteModel:
        """All as tables on the CPU, places being rows."""
        rows = torch.arange(len(self.outcomes), device=self.row.device)
        parts = (self.following, self.chances(rows), self.rewards(rows), self.ends)
        successors, chances, rewards, ends = (part.cpu() for part in parts)
        return FiniteModel(successors, chances, rewards, ends, start=-1)

    def state_dict(self) -> dict[str, Any]:
        """The tables."""
        return dict(vars(self))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        device = self.row.device
        for name, table in state.items():
            setattr(self, name, table.to(device))


class LinearTables:
    """Vector values of every place and action, a table for each preference, all learned from every transition.

    A value is the mean, over the outcomes seen so far, of reward and discounted value of the next place, there by the
    action that is best for the preference among those tried.

    Args:
        memory: What was seen.
        preferences: `[p, m]`.
        gamma: Discount.

    Attributes:
        best: Of each row and preference the value of the best action tried, `[rows, p, m]`; 0 where none was.
    """

    def __init__(self, memory: Memory, preferences: Tensor, gamma: float) -> None:
        self.memory, self._gamma = memory, gamma
        self.preferences = preferences.to(memory.row.device)
        self.best = torch.zeros(0, *preferences.shape, dtype=torch.float64, device=memory.row.device)
        self._greedy = torch.zeros(0, len(preferences), dtype=torch.int64, device=memory.row.device)

    def learn(self, window: Transitions, places: Tensor, following: Tensor) -> None:
        """Note a window `[T, n]` and bring the values of its actions up to date, the last first."""
        memory = self.memory
        rows, after = memory.rows(places), memory.rows(following)
        memory.record(window, rows, after)
        self._grow()
        for time in range(len(rows) - 1, -1, -1):
            live = window.active[time]
            self._back_up(torch.unique(rows[time][live]))

    def sweep(self, times: int) -> None:
        """Bring all values up to date, so many times."""
        tried = torch.nonzero((self.memory.outcomes > 0).any(dim=1)).flatten()
        for _ in range(times):
            for rows in torch.split(tried, BLOCK):
                self._back_up(rows)

    def _back_up(self, rows: Tensor) -> None:
        """The values of all actions at `rows [n]`, from those of the places they lead to, and the best of them.

        At each of the rows some action was tried: elsewhere nothing is known, and the value stays 0.
        """
        memory = self.memory
        after = self.best[memory.following[rows]] * ~memory.ends[rows][..., None, None]
        targets = memory.rewards(rows)[..., None, :] + self._gamma * after
        if memory.counts.shape[2] == 1:
            values = targets.squeeze(2)
        else:
            values = (memory.chances(rows)[..., None, None] * targets).sum(dim=2)
        utility = (values * self.preferences).sum(dim=3)
        untried = memory.outcomes[rows] == 0
        action = utility.masked_fill(untried[:, :, None], -torch.inf).argmax(dim=1)
        index = action[:, None, :, None].expand(-1, 1, -1, values.shape[-1])
        self.best[rows], self._greedy[rows] = values.gather(1, index).squeeze(1), action

    def greedy(self, places: Tensor, followed: Tensor, legal: Tensor) -> Tensor:
        """Chances of actions `[n, a]`: the greedy one for preference `followed [n]`; `legal` where none was tried."""
        rows = self.memory.rows(places)
        self._grow()
        action = self._greedy[rows].gather(1, followed[:, None]).squeeze(1)
        chosen = torch.nn.functional.one_hot(action, legal.shape[1]).to(legal)
        return torch.where((self.memory.outcomes[rows] > 0).any(dim=1)[:, None], chosen, legal)

    def policies(self, which: Tensor) -> Tensor:
        """The greedy policies of preferences `which [k]`: an action for every place, uint8 `[k, places]`."""
        memory = self.memory
        table = torch.zeros(len(which), len(memory.row), dtype=torch.uint8, device=memory.row.device)
        places = torch.nonzero(memory.row >= 0).flatten()
        table[:, places] = self._greedy[memory.row[places]][:, which].T.to(torch.uint8)
        return table

    def _grow(self) -> None:
        """Make room for rows that are new in the memory."""
        missing = len(self.memory.outcomes) - len(self.best)
        if missing:
            for name in ("best", "_greedy"):
                table = getattr(self, name)
                setattr(self, name, torch.cat([table, table.new_zeros(missing, *table.shape[1:])]))

    def state_dict(self) -> dict[str, Any]:
        """The values; the memory apart."""
        return {"best": self.best, "greedy": self._greedy, "preferences": self.preferences}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        device = self.memory.row.device
        self.best, self._greedy, self.preferences = (
            state[name].to(device) for name in ("best", "greedy", "preferences")
        )


class SetTables:
    """Each place's set of the vectors of Pareto-optimal policies that end.

    Args:
        memory: What was seen.
        gamma: Discount.
        max_steps: Longest episode.
    """

    def __init__(self, memory: Memory, gamma: float, max_steps: int) -> None:
        self.memory, self._gamma, self._max_steps = memory, gamma, max_steps
        self._sets: list[np.ndarray] = []
        self._stale: set[int] = set()

    def learn(self, window: Transitions, places: Tensor, following: Tensor) -> None:
        """Note a window `[T, n]`.

        Raises:
            ValueError: An action led to something else before.
        """
        memory = self.memory
        rows, after = memory.rows(places), memory.rows(following)
        self._stale |= set(memory.record(window, rows, after).tolist())
        live, actions = window.active, window.actions
        mean = memory.rewards(rows[live])[torch.arange(int(live.sum())), actions[live], 0]
        if memory.counts.shape[2] > 1 or not torch.allclose(mean, window.rewards[live]):
            raise ValueError(
                "learner='pareto' needs an environment in which what is observed and done decides what comes. An "
                "action led to different outcomes from the same observation. Use learner='linear'."
            )

    def front(self, place: int) -> np.ndarray:
        """The set of a place, `[n, m]`, brought up to date."""
        model = self.memory.model()
        none = np.zeros((0, model.rewards.shape[-1]))
        self._sets += [none] * (len(model.successors) - len(self._sets))
        self._sets = extend_sets(model, self._sets, self._stale, self._gamma, self._max_steps)
        self._stale = set()
        return self._sets[int(self.memory.row[place])]

    def policies(self, place: int, vectors: np.ndarray) -> Tensor:
        """The actions that gain vectors of a place's set, one after the other: uint8 `[n, max_steps]`."""
        model, row = self.memory.model(), int(self.memory.row[place])
        table = torch.zeros(len(vectors), self._max_steps, dtype=torch.uint8)
        for line, vector in zip(table, vectors, strict=True):
            actions = follow(model, self._sets, row, vector, self._gamma, self._max_steps)
            line[: len(actions)] = torch.tensor(actions, dtype=torch.uint8)
        return table

    def state_dict(self) -> dict[str, Any]:
        """The sets, joined, and their lengths; the memory apart."""
        lengths = np.array([len(vectors) for vectors in self._sets], dtype=np.int64)
        joined = np.concatenate(self._sets) if self._sets else np.zeros((0, 0))
        return {"sets": joined, "lengths": lengths, "stale": sorted(self._stale)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        ends = state["lengths"].cumsum()
        self._sets = [state["sets"][end - n : end] for n, end in zip(state["lengths"], ends, strict=True)]
        self._stale = set(state["stale"])
