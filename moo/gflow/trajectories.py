"""Trajectories: objects of a construction problem built action by action, or taken apart again, many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

Logits = Callable[[Tensor, Tensor], Tensor]  # states [n, ...] and numbers of their rows [n] -> logits [n, actions]


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

    Args:
        problem: A construction problem, metered or not; nothing is evaluated, so nothing is paid.
        n: Objects.
        logits: The policy; None: every legal action has the same probability.
        generator: Of the draws, on `device`.
        epsilon: Probability of a step that is drawn from all legal actions alike.
        device: Of the states.
    """
    state = problem.start(n).to(device)
    rows = torch.arange(n, device=device)
    done = torch.zeros(n, dtype=torch.bool, device=device)
    lengths = torch.zeros(n, dtype=torch.int64, device=device)
    states, actions = [state], []
    for _ in range(problem.max_steps):
        mask = problem.action_mask(state)
        if logits is None:
            chances = mask.to(torch.float32)
        else:
            chances = legal_chances(logits(state, rows), mask, epsilon)
        action = draw(chances, generator)
        moved, finished = problem.step(state, action)
        state = torch.where(done.reshape(-1, *[1] * (state.ndim - 1)), state, moved)
        lengths += ~done
        done = done | finished
        states.append(state)
        actions.append(action)
        if done.all():
            break
    return Trajectories(torch.stack(states), torch.stack(actions), lengths)


def draw(chances: Tensor, generator: torch.Generator) -> Tensor:
    """One number for each row of non-negative `chances [n, a]`, in proportion to them; 0 for a row of zeros.

    The smallest of independent exponential times with these rates: a third of the time of `torch.multinomial`.
    """
    waits = torch.empty_like(chances).exponential_(generator=generator)
    return (chances / waits).argmax(dim=1)


def legal_chances(logits: Tensor, mask: Tensor, epsilon: float = 0.0) -> Tensor:
    """Probabilities `[n, a]` of actions: a softmax over the legal ones, mixed with equal ones; zeros where none is."""
    chances = logits.masked_fill(~mask, torch.finfo(logits.dtype).min).softmax(dim=1)
    if epsilon:
        chances = (1 - epsilon) * chances + epsilon / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return chances * mask


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
        action = draw(mask.to(torch.float32), generator)
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
