"""Policies of GFlowNets that read a condition: a preference, and how sharply it is to be followed."""

from __future__ import annotations

import copy
import math
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from moo.gflow.trajectories import Logits, Trajectories
from moo.networks import SummedEmbeddings, linear, mlp

ENCODINGS = ("scalar", "thermometer")
JOINT = 10_000  # states up to which each has a vector of its own, beside those of its features

Module = TypeVar("Module", bound=nn.Module)


class Conditions(NamedTuple):
    """What trajectories are asked for.

    Attributes:
        preferences: `[k, m]`.
        beta: The exponent of the reward, `[k]`.
    """

    preferences: Tensor
    beta: Tensor

    def rows(self, which: Any) -> Conditions:
        """Those of these numbers."""
        return Conditions(self.preferences[which], self.beta[which])


def thermometer(values: Tensor, bins: int) -> Tensor:
    """How far values `[...]` in [0, 1] fill each of equal bins, `[..., bins]`, each from 0 to 1.

    Source: Jain et al. 2023 (2210.12765), appendix; here the last bin is filled by 1, there it never is.
    """
    edges = torch.arange(bins, dtype=values.dtype, device=values.device)
    return (values[..., None] * bins - edges).clamp(0, 1)


def encode_conditions(conditions: Conditions, highest: float, encoding: str, bins: int) -> Tensor:
    """Conditions as a network reads them, `[k, c]` in float32.

    Args:
        conditions: Which.
        highest: The highest beta.
        encoding: `"scalar"`: preferences, the share of the highest beta, and the same of `log(1 + beta)`;
            `"thermometer"`: each of these by `bins` values.
        bins: Of the thermometers.
    """
    beta = conditions.beta[:, None]
    shares = torch.cat([conditions.preferences, beta / highest, beta.log1p() / math.log1p(highest)], dim=1)
    return encode_shares(shares, encoding, bins)


def encode_shares(shares: Tensor, encoding: str, bins: int) -> Tensor:
    """Values `[k, s]` in [0, 1], `[k, c]` in float32: as they are (`"scalar"`), or each by a thermometer of `bins`."""
    shares = shares.to(torch.float32)
    return shares if encoding == "scalar" else thermometer(shares, bins).flatten(1)


class Outputs(NamedTuple):
    """What a policy says of states: unmasked logits `[n, actions]`, those of last actions or None, log flow or None."""

    logits: Tensor
    backward_logits: Tensor | None
    log_flow: Tensor | None


class ConditionalPolicy(nn.Module):
    """A perceptron over the features of a state and a condition, and one over the condition alone for log Z.

    The first layer adds a vector for each feature's value and one for the condition, so that the latter is computed
    once for a trajectory.

    Args:
        feature_sizes: Of the construction problem.
        num_actions: Of the construction problem.
        condition_size: Columns of an encoded condition.
        hidden: Width of the layers.
        layers: Hidden layers, at least 1.
        flow: Whether states get a log flow.
        backward: Whether last actions get logits.
        generator: Of the first weights.
    """

    def __init__(
        self,
        feature_sizes: tuple[int, ...],
        num_actions: int,
        condition_size: int,
        *,
        hidden: int,
        layers: int,
        flow: bool,
        backward: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.num_actions, self.flow, self.backward = num_actions, flow, backward
        self.features = SummedEmbeddings(feature_sizes, hidden, generator, joint=JOINT)
        self.condition = linear(condition_size, hidden, generator)
        outputs = num_actions * (1 + backward) + flow
        self.body = nn.Sequential(nn.LeakyReLU(), mlp([hidden] * layers + [outputs], generator))
        self.log_z_head = mlp([condition_size, hidden, hidden, 1], generator)

    def outputs(self, features: Tensor, embedded: Tensor) -> Outputs:
        """For features `[n, f]` and the embedded conditions `[n, hidden]` of the rows."""
        return self.split(self.body(self.features(features) + embedded))

    def split(self, values: Tensor) -> Outputs:
        """The columns of the last layer, by what they are."""
        a = self.num_actions
        backward = values[..., a : 2 * a] if self.backward else None
        return Outputs(values[..., :a], backward, values[..., -1] if self.flow else None)

    def log_z(self, encoded: Tensor) -> Tensor:
        """Log Z of encoded conditions `[k, c]`, `[k]`."""
        value: Tensor = self.log_z_head(encoded).squeeze(1)
        return value


def parameter_groups(policy: ConditionalPolicy) -> list[dict[str, Any]]:
    """Parameters as an optimiser takes them, in two groups: what builds objects, and the perceptron of log Z."""
    head = set(policy.log_z_head.parameters())
    body = [parameter for parameter in policy.parameters() if parameter not in head]
    return [{"params": body}, {"params": list(policy.log_z_head.parameters())}]


def policy_for(problem: Any, condition_size: int, **shape: Any) -> ConditionalPolicy:
    """A policy for a construction problem, on the CPU; the further arguments are those of `ConditionalPolicy`.

    Raises:
        ValueError: The problem does not say what a policy reads of a state.
    """
    if not hasattr(problem, "features") or not hasattr(problem, "feature_sizes"):
        raise ValueError(
            "A policy needs a construction problem with `features` and `feature_sizes`, what it reads of a state. "
            f"{problem.name!r} lacks them."
        )
    return ConditionalPolicy(tuple(problem.feature_sizes), problem.num_actions, condition_size, **shape)


def logits_for(policy: ConditionalPolicy, problem: Any, encoded: Tensor) -> Logits:
    """The policy for objects with the encoded conditions `[n, c]`, as `follow` asks for it, without gradients.

    Of a few rows, finding parameters and calling modules costs as much as the arithmetic: so both are done with once.
    The weights are shared, so that it follows the policy as that learns, but for how it reads its conditions.
    """
    read, first, actions = problem.features, _bare(policy.features).forward, policy.num_actions
    linear = [layer for layer in policy.body.modules() if isinstance(layer, nn.Linear)]
    layers = [(layer.bias.detach(), layer.weight.detach().t()) for layer in linear]
    layers[-1] = (layers[-1][0][:actions], layers[-1][1][:, :actions])
    with torch.no_grad():
        embedded = policy.condition(encoded)

    def logits(state: Tensor, rows: Tensor) -> Tensor:
        hidden = first(read(state)).add_(embedded.index_select(0, rows))
        for bias, weight in layers:
            hidden = torch.addmm(bias, functional.leaky_relu_(hidden), weight)
        return hidden

    return logits


def _bare(module: Module) -> Module:
    """A module that shares the weights of another, as plain attributes that need no gradients."""
    found = copy.copy(module)
    weights = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    vars(found).update({name: values.detach() for name, values in weights})
    return found


class Scores(NamedTuple):
    """What a policy says along trajectories, as `moo/gflow/losses.py` takes it.

    Attributes:
        log_forward: `[T, n]`, 0 behind the end.
        log_backward: `[T, n]`, 0 behind the end.
        log_flow: `[T, n]` of the states that were left, 0 behind the end; None where the policy has none.
    """

    log_forward: Tensor
    log_backward: Tensor
    log_flow: Tensor | None


def score(policy: ConditionalPolicy, problem: Any, trajectories: Trajectories, encoded: Tensor) -> Scores:
    """Log probabilities and flows along trajectories, in one pass of the network over all their steps.

    Args:
        policy: The network.
        problem: The construction problem, for masks and features.
        trajectories: Of n objects.
        encoded: Their conditions, `[n, c]`.
    """
    moves = trajectories.moves
    step, row = torch.nonzero(moves, as_tuple=True)
    state, action = trajectories.states[step, row], trajectories.actions[step, row]
    embedded = policy.condition(encoded).index_select(0, row)
    outputs = policy.outputs(problem.features(state), embedded)
    log_forward = picked(outputs.logits, problem.action_mask(state), action)
    following = trajectories.states[step + 1, row]
    before = problem.backward_mask(following)
    if outputs.backward_logits is None:
        log_backward = -before.sum(dim=1).to(log_forward.dtype).log()
    else:  # of the state that was reached: read at the next step, or anew at the end
        logits = policy.outputs(problem.features(following), embedded).backward_logits
        assert logits is not None
        log_backward = picked(logits, before, action)

    def spread(values: Tensor) -> Tensor:
        return values.new_zeros(moves.shape).index_put((step, row), values)

    flow = None if outputs.log_flow is None else spread(outputs.log_flow)
    return Scores(spread(log_forward), spread(log_backward), flow)


def picked(logits: Tensor, mask: Tensor, actions: Tensor) -> Tensor:
    """Log probabilities `[n]` of actions among the legal ones, from logits and mask `[n, a]`."""
    legal = logits.masked_fill(~mask, torch.finfo(logits.dtype).min)
    return legal.gather(1, actions[:, None]).squeeze(1) - legal.logsumexp(dim=1)
