"""A construction problem whose states remember how they were built, so that a policy reads actions and nothing else."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from moo.gflow.trajectories import Trajectories


class Histories:
    """The same problem with states that hold the actions so far; what a policy reads is made of these alone.

    The `features` of a problem may say what its objectives hang on (how often each n-gram stands in a string so far).
    A method that is to learn that by evaluations must not read it.

    Last actions stay those of the problem inside. So where an object can be built in several ways, a law over ways,
    `R(x) P_B(way | x)` with P_B uniform over last actions, is learned, and objects come in proportion to R.

    A state is `[n, w + T]`: that of the problem inside, flattened, and its actions, -1 where there is none yet.

    Args:
        problem: A construction problem, metered or not.
    """

    def __init__(self, problem: Any) -> None:
        self.problem = problem
        self.name, self.num_actions, self.max_steps = problem.name, problem.num_actions, problem.max_steps
        self._shape = problem.start(0).shape[1:]
        self._width = math.prod(self._shape)
        a, steps = self.num_actions + 1, self.max_steps
        self.feature_sizes = (steps + 1, a, a, *[a] * steps, *[steps + 1] * self.num_actions)

    # ------------------------------------------------------------------------------------------ the parts of a state
    def objects(self, state: Tensor) -> Tensor:
        """The states of the problem inside `[n, ...]`."""
        return state[:, : self._width].reshape(-1, *self._shape)

    def actions(self, state: Tensor) -> Tensor:
        """What was done so far, int64 `[n, T]`, -1 behind the end."""
        return state[:, self._width :]

    def _joined(self, inner: Tensor, actions: Tensor) -> Tensor:
        return torch.cat([inner.reshape(*actions.shape[:-1], self._width), actions], dim=-1)

    # ------------------------------------------------------------------------------------------ moves
    def start(self, n: int) -> Tensor:
        """The empty object, `n` times."""
        return self._joined(self.problem.start(n), torch.full((n, self.max_steps), -1))

    def step(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The next states and which are finished."""
        moved, finished = self.problem.step(self.objects(state), actions)
        done = self.actions(state)
        place = (done >= 0).sum(dim=1, keepdim=True)
        return self._joined(moved, done.scatter(1, place, actions[:, None])), finished

    def action_mask(self, state: Tensor) -> Tensor:
        """Legal actions, bool `[n, num_actions]`."""
        mask: Tensor = self.problem.action_mask(self.objects(state))
        return mask

    def backward_mask(self, state: Tensor) -> Tensor:
        """Actions that can have been the last, of the problem inside, bool `[n, num_actions]`."""
        mask: Tensor = self.problem.backward_mask(self.objects(state))
        return mask

    def features(self, state: Tensor) -> Tensor:
        """Steps taken, the last action and the one before, the action of each step, how often each was taken."""
        done = self.actions(state)
        steps = (done >= 0).sum(dim=1, keepdim=True)
        last = [torch.where(steps >= back, done.gather(1, (steps - back).clamp(min=0)) + 1, 0) for back in (1, 2)]
        counts = done.new_zeros(len(done), self.num_actions + 1).scatter_add(1, done + 1, torch.ones_like(done))
        return torch.cat([steps, *last, done + 1, counts[:, 1:]], dim=1)

    # ------------------------------------------------------------------------------------------ trajectories
    def told(self, ways: Trajectories) -> Trajectories:
        """Trajectories of the problem inside as those of this one."""
        steps = torch.arange(len(ways.states), device=ways.actions.device)
        done = torch.where(ways.moves, ways.actions, -1).T  # [n, T]
        before = torch.arange(done.shape[1], device=done.device) < steps[:, None, None]
        history = torch.where(before, done, -1)  # [T + 1, n, T]
        missing = history.new_full((*history.shape[:2], self.max_steps - history.shape[2]), -1)
        return Trajectories(self._joined(ways.states, torch.cat([history, missing], dim=2)), ways.actions, ways.lengths)


def action_rows(problem: Any, objects: Tensor) -> Tensor:
    """The actions that build finished `objects [n, ...]`, int64 `[n, T]`, -1 behind the end: one way of each.

    Where there are several, the one that, followed backwards, always takes back the legal action of highest number.
    """
    state, back = objects, []
    for _ in range(problem.max_steps):
        mask = problem.backward_mask(state)
        running = mask.any(dim=1)
        if not running.any():
            break
        action = mask.shape[1] - 1 - mask.flip(1).int().argmax(dim=1)
        back.append(torch.where(running, action, -1))
        before = problem.undo(state, action)
        state = torch.where(running.reshape(-1, *[1] * (state.ndim - 1)), before, state)
    rows = torch.full((len(objects), problem.max_steps), -1)
    if back:
        taken = torch.stack(back, dim=1)  # the last action first
        place = (taken >= 0).sum(dim=1, keepdim=True) - 1 - torch.arange(taken.shape[1])
        rows[:, : taken.shape[1]] = torch.where(place >= 0, taken.gather(1, place.clamp(min=0)), -1)
    return rows
