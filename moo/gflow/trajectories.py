"""Trajectories: objects of a construction problem built action by action, or taken apart again, many at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

Logits = Callable[[Tensor, Tensor], Tensor]  # states [n, ...] and numbers of their rows [n] -> logits [n, actions]
NEVER = torch.tensor(-math.inf)


class Trajectories(NamedTuple):
    """The ways from the empty object to n finished ones, of at most T steps.

    Attributes:
        states: `[T + 1, n, ...]`; a finished one is repeated.
        actions: int64 `[T, n]`; whatever stands behind the end of a trajectory means nothing.
        lengths: Steps of each, int64 `[n]`.
    """

    states: Tensor
    actions: Tensor
    lengths: Tensor

    @property
    def objects(self) -> Tensor:
        """The finished states `[n, ...]`."""
        return self.states[-1]

    @property
    def moves(self) -> Tensor:
        """Which of the steps were taken, bool `[T, n]`."""
        steps = torch.arange(len(self.actions), device=self.lengths.device)
        return steps[:, None] < self.lengths

    def rows(self, which: Tensor) -> Trajectories:
        """Those trajectories, without the steps that only longer ones take."""
        lengths = self.lengths[which]
        longest = int(lengths.max())
        return Trajectories(self.states[: longest + 1, which], self.actions[:longest, which], lengths)


def follow(
    problem: Any,
    n: int,
    logits: Logits | None,
    generator: torch.Generator,
    *,
    epsilon: float = 0.0,
    device: str | torch.device = "cpu",
) -> Trajectories:
    """Build `n` objects by a policy.

    It runs in torch's inference mode: what `logits` and the problem keep from a call must not enter a gradient later.

    Args:
        problem: A construction problem, metered or not; nothing is evaluated, so nothing is paid.
        n: Objects.
        logits: The policy, asked for unfinished objects alone; None: every legal action has the same probability.
        generator: Of the draws, on `device`.
        epsilon: Probability of a step that is drawn from all legal actions alike.
        device: Of the states.
    """
    reached, taken, who = [], [], []  # step by step, of the objects that were unfinished
    with torch.inference_mode():
        start = state = problem.start(n).to(device)
        rows, left = torch.arange(n, device=device), n
        for _ in range(problem.max_steps):
            mask = problem.action_mask(state)
            values = torch.zeros_like(mask, dtype=torch.float32) if logits is None else logits(state, rows)
            action = draw(values, mask, generator, epsilon)
            state, finished = problem.step(state, action)
            reached.append(state)
            taken.append(action)
            who.append(rows)
            going = torch.nonzero(~finished).squeeze(1)
            before, left = left, len(going)
            if not left:
                break
            if left < before:
                state, rows = state.index_select(0, going), rows.index_select(0, going)
    return _laid_out(start, reached, taken, who)


def _laid_out(start: Tensor, reached: list[Tensor], taken: list[Tensor], who: list[Tensor]) -> Trajectories:
    """Trajectories from what was recorded of the rows `who` of each step; copies, so that gradients may use them."""
    steps, n, row = len(who), len(start), torch.cat(who).cpu().numpy()
    step = np.repeat(np.arange(1, steps + 1), [len(rows) for rows in who])
    record = np.zeros((steps + 1, n), dtype=np.int64)  # of a step and a row; number n + i is the i-th move of all
    record[0] = np.arange(n)
    record[step, row] = np.arange(n, n + len(row))
    places = torch.from_numpy(np.maximum.accumulate(record)).to(start.device)  # behind the end: the last one again
    states = torch.cat([start, *reached]).index_select(0, places.flatten())
    actions = torch.cat(taken).index_select(0, places[1:].flatten() - n)
    lengths = torch.from_numpy(np.bincount(row, minlength=n)).to(start.device)
    return Trajectories(states.reshape(steps + 1, *start.shape), actions.reshape(steps, n), lengths)


def draw(logits: Tensor, mask: Tensor, generator: torch.Generator, epsilon: float = 0.0) -> Tensor:
    """One legal action for each row of `logits [n, a]` and `mask [n, a]`, by a softmax; 0 where none is legal.

    The largest of logits with Gumbel noise, which is minus the logarithm of exponential noise: a third of the time of
    `torch.multinomial`. With probability `epsilon` a row's legal actions are equally likely.
    """
    if epsilon:
        lost = torch.rand(len(logits), 1, generator=generator, device=logits.device) < epsilon
        logits = logits.masked_fill(lost, 0.0)
    noise = torch.empty_like(logits).exponential_(generator=generator).log_()
    return torch.where(mask, logits - noise, NEVER).argmax(dim=1)


def legal_chances(logits: Tensor, mask: Tensor) -> Tensor:
    """Probabilities `[n, a]` of actions: a softmax over the legal ones; zeros where none is."""
    return logits.masked_fill(~mask, torch.finfo(logits.dtype).min).softmax(dim=1) * mask


def take_apart(problem: Any, objects: Tensor, generator: torch.Generator) -> Trajectories:
    """Ways by which finished `objects [n, ...]` can have been built, all last actions being equally likely."""
    state = objects
    lengths = torch.zeros(len(objects), dtype=torch.int64, device=objects.device)
    states, actions = [state], []
    for _ in range(problem.max_steps):
        mask = problem.backward_mask(state)
        running = mask.any(dim=1)
        if not running.any():
            break
        action = draw(torch.zeros_like(mask, dtype=torch.float32), mask, generator)
        before = problem.undo(state, action)
        state = torch.where(running.reshape(-1, *[1] * (state.ndim - 1)), before, state)
        lengths += running
        states.append(state)
        actions.append(action)
    return _forwards(torch.stack(states), torch.stack(actions), lengths)


def _forwards(states: Tensor, actions: Tensor, lengths: Tensor) -> Trajectories:
    """Trajectories whose records run from the end to the start, turned round."""
    steps = torch.arange(len(states), device=lengths.device)[:, None]
    back = (lengths - steps).clamp(min=0)  # the record of step t of a trajectory of length l is number l - t
    rows = torch.arange(states.shape[1], device=lengths.device)
    return Trajectories(states[back, rows], actions[(back[:-1] - 1).clamp(min=0), rows], lengths)


def uniform_objects(problem: Any, n: int, generator: torch.Generator) -> Tensor:
    """Finished states `[n, ...]` of `n` trajectories that take every legal action with equal probability.

    Nothing is evaluated, so nothing is paid. States are not uniform: those that more trajectories reach are likelier.
    """
    return follow(problem, n, None, generator).objects
