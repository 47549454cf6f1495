"""The exact law of a policy's objects, by carrying probability through the graph of all states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from moo.gflow.policies import ConditionalPolicy
from moo.gflow.trajectories import legal_chances

LARGEST = 5_000_000  # states that a graph may have
KEPT = 500_000  # states up to which a graph is kept for the next call: up to about 300 MB
ROWS = 200_000  # states times conditions that the network sees at once


class Layer(NamedTuple):
    """The states that take the same number of steps to reach, and what leads on from them.

    Attributes:
        features: `[s, f]`.
        mask: Legal actions, bool `[s, a]`.
        parent, action, child: Steps `[e]` to states of the next layer: from which state, by which action, to which.
        last_parent, last_action, cell: Steps `[g]` that finish an object, and the oracle's cell of it.
    """

    features: Tensor
    mask: Tensor
    parent: Tensor
    action: Tensor
    child: Tensor
    last_parent: Tensor
    last_action: Tensor
    cell: Tensor


_graphs: WeakKeyDictionary[Any, list[Layer]] = WeakKeyDictionary()  # of problems in use, for as long as they are


def state_graph(problem: Any) -> list[Layer]:
    """All states of a construction problem with an enumerable oracle, layer by layer; equal features count once.

    The graph of a problem object is found once and kept as long as the object is, unless it is large: finding it costs
    as much as the law of several conditions. By object, as problems are stateless and not all have a name that says
    everything.

    Raises:
        ValueError: The problem has no such oracle, or more than 5,000,000 states.
    """
    layers = _graphs.get(problem)
    if layers is None:
        layers = _found_graph(problem)
        if sum(len(layer.features) for layer in layers) <= KEPT:
            _graphs[problem] = layers
    return layers


def _found_graph(problem: Any) -> list[Layer]:
    index = getattr(problem.oracle, "index", None)
    if index is None:
        raise ValueError(f"The exact law needs a problem whose oracle lists its objects. {problem.name!r} has none.")
    state, layers, seen = problem.start(1), [], 0
    while len(state):
        seen += len(state)
        if seen > LARGEST:
            raise ValueError(f"{problem.name!r} has more than {LARGEST:,} states: too many for the exact law.")
        mask = problem.action_mask(state)
        parent, action = torch.nonzero(mask, as_tuple=True)
        moved, finished = problem.step(state[parent], action)
        on = ~finished
        distinct, child = problem.features(moved[on]).unique(dim=0, return_inverse=True)
        first = torch.full((len(distinct),), len(child)).scatter_reduce(0, child, torch.arange(len(child)), "amin")
        ends = (parent[finished], action[finished], index(moved[finished]))
        layers.append(Layer(problem.features(state), mask, parent[on], action[on], child, *ends))
        state = moved[on][first]
    return layers


def carried(layers: list[Layer], chances: Callable[[Tensor, Tensor], Tensor], k: int, cells: int) -> Tensor:
    """The probability of every cell, float64 `[k, cells]`.

    Args:
        layers: All states.
        chances: From features `[s, f]` and mask `[s, a]` to probabilities of actions `[k, s, a]`.
        k: Conditions.
        cells: Of the oracle.
    """
    law = torch.zeros(k, cells, dtype=torch.float64)
    mass = torch.ones(k, 1, dtype=torch.float64)
    for layer in layers:
        flow = mass[:, :, None] * chances(layer.features, layer.mask).to(torch.float64)
        law.index_add_(1, layer.cell, flow[:, layer.last_parent, layer.last_action])
        states = int(layer.child.max()) + 1 if len(layer.child) else 0
        mass = torch.zeros(k, states, dtype=torch.float64)
        mass.index_add_(1, layer.child, flow[:, layer.parent, layer.action])
    return law


@torch.no_grad()
def policy_law(policy: ConditionalPolicy, problem: Any, encoded: Tensor) -> Tensor:
    """The exact law of what a policy samples for encoded conditions `[k, c]`: float64 `[k, cells]` on the CPU.

    Args:
        policy: The network.
        problem: A construction problem whose oracle lists its objects.
        encoded: `[k, c]`, on the policy's device.
    """
    embedded = policy.condition(encoded)

    def chances(features: Tensor, mask: Tensor) -> Tensor:
        k, rows = len(embedded), max(1, ROWS // len(embedded))
        parts = []
        for some, legal in zip(torch.split(features, rows), torch.split(mask, rows), strict=True):
            first = policy.features(some.to(encoded.device)) + embedded[:, None]
            logits = policy.split(policy.body(first)).logits
            flat = legal_chances(logits.flatten(0, 1), legal.to(encoded.device).repeat(k, 1))
            parts.append(flat.reshape(k, len(some), -1).cpu())
        return torch.cat(parts, dim=1)

    return carried(state_graph(problem), chances, len(encoded), len(problem.oracle.objectives))
