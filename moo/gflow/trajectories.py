"""Trajectories: objects of a construction problem built action by action, many at once."""

from __future__ import annotations

import torch
from torch import Tensor

from moo.metered import Metered


def uniform_objects(problem: Metered, n: int, generator: torch.Generator) -> Tensor:
    """Finished states `[n, ...]` of `n` trajectories that take every legal action with equal probability.

    Nothing is evaluated, so nothing is paid. States are not uniform: those that more trajectories reach are likelier.
    """
    state: Tensor = problem.start(n)
    done = torch.zeros(n, dtype=torch.bool)
    for _ in range(problem.max_steps):
        mask = problem.action_mask(state)
        legal = torch.where(done[:, None], torch.ones_like(mask), mask)  # a finished row draws too, and is not moved
        actions = torch.multinomial(legal.to(torch.float64), 1, generator=generator).squeeze(1)
        moved, finished = problem.step(state, torch.where(done, mask.int().argmax(dim=1), actions))
        running = ~done
        state = torch.where(running.reshape(-1, *[1] * (state.ndim - 1)), moved, state)
        done = done | (finished & running)
        if done.all():
            break
    return state
