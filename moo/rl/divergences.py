"""How far policies are from reference policies, exactly, from the chances of all actions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from moo.checks import unknown_name

DIVERGENCES = ("reverse", "forward", "jensen-shannon")


def divergence(name: str, logits: Tensor, reference: Tensor) -> Tensor:
    """The divergence of laws over actions from reference laws, in nats.

    - `"reverse"`: KL(law || reference), the usual one: it punishes what the reference does not do.
    - `"forward"`: KL(reference || law): it punishes leaving out what the reference does.
    - `"jensen-shannon"`: the mean of both laws' Kullback-Leibler divergences from their mean; at most log 2.

    Source: Kullback and Leibler 1951; Lin 1991 (IEEE Transactions on Information Theory 37).

    Args:
        name: One of `DIVERGENCES`.
        logits: Log-chances `[..., a]`, of sum 1; where an action is illegal a large negative number in both.
        reference: The same of the reference.

    Returns:
        `[...]`, at least 0 up to rounding; gradients flow to both.

    Raises:
        ValueError: The name is unknown.
    """
    if name == "reverse":
        return _relative_entropy(logits, reference)
    if name == "forward":
        return _relative_entropy(reference, logits)
    if name == "jensen-shannon":
        middle = torch.logaddexp(logits, reference) - math.log(2)
        return (_relative_entropy(logits, middle) + _relative_entropy(reference, middle)) / 2
    raise ValueError(unknown_name("divergence", name, DIVERGENCES))


def _relative_entropy(first: Tensor, second: Tensor) -> Tensor:
    return (first.exp() * (first - second)).sum(dim=-1)
