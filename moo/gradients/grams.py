"""Gram matrices of gradients: of all parameters, of layers, sketched, and of policy gradients by their samples.

They are the same for losses and for objectives, whose gradients differ in sign alone. Losses keep their graph, so that
the weighted sum can be differentiated afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from moo.checks import check_count, unknown_name
from moo.gradients.reading import read_rows
from moo.seeding import torch_generator

BLOCK = 1 << 22  # entries of a gradient that are hashed at once


def gram_of(gradients: Tensor | Sequence[Sequence[Tensor]]) -> Tensor:
    """The inner products of gradients that are at hand.

    Args:
        gradients: A Jacobian `[..., n, d]`, or for each of n objectives its gradients by parameter, in the same order.

    Returns:
        `[..., n, n]`, in the dtype of the gradients; no gradient flows.

    Raises:
        ValueError: A shape is wrong, or the objectives have different numbers of parameters.
    """
    if isinstance(gradients, Tensor):
        if gradients.ndim < 2:
            raise ValueError(f"`gradients` should have shape [..., n, d]. Found {list(gradients.shape)}.")
        return gradients.detach() @ gradients.detach().mT
    counts = [len(one) for one in gradients]
    if len(set(counts)) != 1 or counts[0] == 0:
        raise ValueError(f"`gradients` should hold as many tensors for each objective, at least 1. Found {counts}.")
    blocks = [torch.stack([one.detach().flatten() for one in of_parameter]) for of_parameter in zip(*gradients)]  # noqa: B905
    return torch.stack([block @ block.T for block in blocks]).sum(dim=0)


def full_gram(losses: Tensor | Sequence[Tensor], parameters: Sequence[Tensor]) -> Tensor:
    """The Gram matrix of the losses' gradients by all the parameters given.

    Args:
        losses: `[n]`, or n scalars.
        parameters: Which a loss need not depend on.

    Returns:
        `[n, n]`; no gradient flows. All n gradients are held at once: `sketched_gram` does without.

    Raises:
        ValueError: There are no losses or parameters, or a loss is no scalar.
    """
    return gram_of(list(_gradients(losses, parameters)))


def layer_grams(
    losses: Tensor | Sequence[Tensor], parameters: Mapping[str, Tensor], layers: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """A Gram matrix for each layer; those of all layers sum to the full one.

    The sum over chosen layers stands for the full one in Lu et al. 2025 (2509.11452), which takes the middle ones of a
    transformer.

    Args:
        losses: `[n]`, or n scalars.
        parameters: By name, as `dict(module.named_parameters())`.
        layers: Names, or beginnings of names that end at a dot: all parameters of such a module are one layer. None:
            each parameter is one. Only parameters of these layers are differentiated.

    Returns:
        `[n, n]` for each layer.

    Raises:
        ValueError: A layer is unknown, there are no losses, or a loss is no scalar.
    """
    members = {layer: _members(layer, parameters) for layer in (parameters if layers is None else layers)}
    wanted = list(dict.fromkeys(name for names in members.values() for name in names))
    found = [dict(zip(wanted, one, strict=True)) for one in _gradients(losses, [parameters[name] for name in wanted])]
    return {layer: gram_of([[one[name] for name in names] for one in found]) for layer, names in members.items()}


def sketched_gram(
    losses: Tensor | Sequence[Tensor], parameters: Sequence[Tensor], size: int = 1024, seed: int = 0
) -> Tensor:
    """An unbiased estimate of the full Gram matrix that holds one gradient at a time: each is hashed to a short vector.

    Every entry goes to a random place of it with a random sign, the same for all losses. The error of an inner product
    has a standard deviation of at most `sqrt(2 / size)` of the product of the two lengths.

    Source: Charikar, Chen and Farach-Colton 2002 (count sketch); as a random projection after Johnson and Lindenstrauss
    Weinberger et al. 2009 (feature hashing, ICML).

    Args:
        losses: `[n]`, or n scalars.
        parameters: As for `full_gram`.
        size: Length of the short vectors, at least 1.
        seed: Of places and signs.

    Returns:
        `[n, n]`, positive semi-definite; no gradient flows.

    Raises:
        TypeError: `size` is no whole number.
        ValueError: It is below 1, there are no losses or parameters, or a loss is no scalar.
    """
    size = check_count("size", size)
    return gram_of(torch.stack([_sketch(one, size, seed) for one in _gradients(losses, parameters)]))


def sample_gram(advantages: Tensor, scores: Tensor | None = None) -> Tensor:
    """The Gram matrix of n policy gradients from their samples: no parameter of the policy is touched.

    The gradient of objective i is the mean over T samples of advantage times score, the gradient of the log
    probability. With the kernel K of the scores' inner products the matrix is `A' K A / T^2`. Scores by the last layer,
    or sketched ones, stand for those by all parameters. Without scores K is the identity: that the scores of different
    samples are orthogonal and of length 1 is what PAMA assumes.

    Args:
        advantages: `[T, n]`, maximised.
        scores: `[T, k]`; None: orthogonal ones.

    Returns:
        `[n, n]`; no gradient flows.

    Raises:
        TypeError: An argument is no tensor of floating-point numbers.
        ValueError: A shape does not fit.
    """
    rows = read_rows("advantages", advantages)
    if rows.ndim != 2 or len(rows) == 0:
        raise ValueError(f"`advantages` should have shape [T, n], T >= 1. Found {list(rows.shape)}.")
    mean = rows / len(rows)
    if scores is None:
        return gram_of(mean.T)
    read = read_rows("scores", scores)
    if read.ndim != 2 or len(read) != len(rows):
        raise ValueError(f"`scores` should have shape [{len(rows)}, k], a row per sample. Found {list(read.shape)}.")
    return gram_of(mean.T @ read)


# ------------------------------------------------------------------------------------------------------------- parts
def _gradients(losses: Tensor | Sequence[Tensor], parameters: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """The gradients of each loss by all parameters; zeros where it does not depend on one."""
    given: list[Any] = list(losses)
    given_parameters = list(parameters)
    if not given or not given_parameters:
        raise ValueError(
            f"`losses` and `parameters` should not be empty. Found {len(given)} and {len(given_parameters)}."
        )
    for i, loss in enumerate(given):
        if not isinstance(loss, Tensor) or loss.ndim != 0:
            raise ValueError(f"Each of `losses` should be a scalar tensor. Number {i} is {_shape(loss)}.")
        yield torch.autograd.grad(loss, given_parameters, retain_graph=True, materialize_grads=True)


def _shape(value: Any) -> str:
    return f"of shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def _members(layer: str, parameters: Mapping[str, Tensor]) -> list[str]:
    names = [name for name in parameters if name == layer or name.startswith(f"{layer}.")]
    if not names:
        raise ValueError(unknown_name("layer", layer, parameters))
    return names


def _sketch(gradients: Sequence[Tensor], size: int, seed: int) -> Tensor:
    """All entries of one loss's gradients, added with signs into `size` places."""
    short = torch.zeros(size, dtype=gradients[0].dtype, device=gradients[0].device)
    for number, gradient in enumerate(gradients):
        for block, entries in enumerate(torch.split(gradient.flatten(), BLOCK)):
            generator = torch_generator(seed, f"sketch/{number}", block)
            places = torch.randint(2 * size, (len(entries),), generator=generator).to(short.device)
            short.index_add_(0, places // 2, torch.where(places % 2 == 0, entries, -entries).to(short))
    return short
