"""Weights that move a little with every step: by influence, and by covariance."""

from __future__ import annotations

import torch
from torch import Tensor

from moo.checks import check_number
from moo.gradients.reading import check_finite, read_gram, read_rows


def influence(gram: Tensor) -> Tensor:
    """How much a step along the sum of all gradients moves each objective: the row sums of the Gram matrix.

    Source: Lu et al. 2025 (dynamic reward weighting, 2509.11452). The sum holds each gradient's own square; with a
    matrix of inner products with gradients of held-out data, `[..., n, n]` and not symmetric, that term has no noise
    in common with the gradient.

    Args:
        gram: `[..., n, n]`: the inner products of n gradients, of losses or of objectives.

    Returns:
        `[..., n]`; negative where the others' conflict with an objective outweighs its own gradient.

    Raises:
        TypeError: `gram` is no tensor of floating-point numbers.
        ValueError: It is not square.
    """
    return read_gram(gram).sum(dim=-1)


def influence_weights(
    gram: Tensor, previous: Tensor, eta: float = 1e-6, mu: float = 1e-5, floor: float = 0.0
) -> Tensor:
    """The next weights by influence: `exponentiated(previous, influence(gram), eta / mu, floor)`.

    Source: Lu et al. 2025 (2509.11452), whose learning rate is `eta` and whose `mu` is 1e-5 or 1e-4; the floor is ours:
    without one a weight can vanish for good.

    Args:
        gram: `[..., n, n]`: the inner products of n gradients.
        previous: `[..., n]` on the simplex.
        eta: Learning rate, at least 0.
        mu: Above 0: how strongly the weights are held where they are.
        floor: Least weight, from 0 to 1 / n.

    Returns:
        `[..., n]` on the simplex, no entry below `floor`; no gradient flows.

    Raises:
        TypeError: `gram` or `previous` is no tensor of floating-point numbers, or a number is none.
        ValueError: A shape does not fit or a number is out of its range.
    """
    rate = check_number("eta", eta, "the learning rate", zero=True) / check_number("mu", mu, "the hold on the weights")
    return exponentiated(previous, influence(gram), rate, floor)


def exponentiated(previous: Tensor, gains: Tensor, rate: float, floor: float = 0.0) -> Tensor:
    """A step of exponentiated gradient: `softmax(log(previous) + rate * gains)`, then no weight below the floor.

    Entries below the floor are raised to it and the others shrunk in proportion until all keep it: the point of the
    simplex above the floor that is nearest in relative entropy.

    Source: Kivinen and Warmuth 1997 (Information and Computation 132), mirror descent with the entropy.

    Args:
        previous: `[..., n]` on the simplex. An entry of 0 stays 0, if there is no floor.
        gains: `[..., n]`: larger gains, larger weight.
        rate: At least 0.
        floor: Least weight, from 0 to 1 / n.

    Returns:
        `[..., n]` on the simplex, no entry below `floor`; no gradient flows.

    Raises:
        TypeError: An argument is no tensor of floating-point numbers, or a number is none.
        ValueError: A shape does not fit, a value is not finite or a number is out of its range.
    """
    gains = check_finite("gains", read_rows("gains", gains))
    previous = _read_weights(previous, gains)
    rate = check_number("rate", rate, "the step of the weights", zero=True)
    return raised((previous.log() + rate * gains).softmax(dim=-1), floor)


def raised(weights: Tensor, floor: float) -> Tensor:
    """Weights on the simplex none of which is below the floor: the nearest to these in relative entropy.

    Args:
        weights: `[..., n]` on the simplex.
        floor: From 0 to 1 / n.

    Raises:
        TypeError: `floor` is no number.
        ValueError: It is out of its range.
    """
    n = weights.shape[-1]
    if check_number("floor", floor, "the least weight", zero=True) * n > 1:
        raise ValueError(f"`floor` should be at most 1 / {n}, as {n} weights sum to 1. Found {floor}.")
    result, fixed = weights, torch.zeros_like(weights, dtype=torch.bool)
    while bool((result < floor).any()):  # each round fixes one more, and n fixed ones are all at the floor
        fixed = fixed | (result < floor)
        rest = torch.where(fixed, 0.0, weights)
        share = 1 - floor * fixed.sum(dim=-1, keepdim=True, dtype=weights.dtype)
        whole = torch.where(fixed.all(dim=-1), 1.0, rest.sum(dim=-1))[..., None]
        result = torch.where(fixed, floor, rest * share / whole)
    return result


# ------------------------------------------------------------------------------------------------------- covariances
def covariances(rewards: Tensor, scores: Tensor) -> Tensor:
    """The covariance of each objective's reward with the score that the policy is trained on.

    A small step of the policy gradient raises an objective where this is positive.

    Source: Lu et al. 2026 (CTWA, 2602.06869).

    Args:
        rewards: `[b, n]` of b samples.
        scores: `[b]`: the combined reward of each.

    Returns:
        `[n]`: means of products of deviations, not corrected for their number.

    Raises:
        TypeError: An argument is no tensor of floating-point numbers.
        ValueError: The shapes do not fit.
    """
    rewards, scores = read_rows("rewards", rewards), read_rows("scores", scores)
    if rewards.ndim != 2 or scores.shape != rewards.shape[:1]:
        raise ValueError(
            f"`rewards` should have shape [b, n], `scores` [b]. Found {list(rewards.shape)} and {list(scores.shape)}."
        )
    return (rewards - rewards.mean(dim=0)).mul(scores[:, None]).mean(dim=0)


def covariance_targets(
    covariance: Tensor, previous: Tensor, targets: Tensor, rate: float = 0.05, floor: float = 0.0
) -> Tensor:
    """The next weights by covariance targets: those that fall short of theirs grow by the exponential of the gap.

    Source: Lu et al. 2026 (CTWA, 2602.06869): `log w += rate * max(target - covariance, 0)`, rate .05. Here the
    weights are normalised; the running mean of the covariances is the caller's.

    Args:
        covariance: `[..., n]`: of each objective with the combined score, a running mean of `covariances`.
        previous: `[..., n]` on the simplex.
        targets: `[..., n]`: the covariances wanted.
        rate: At least 0.
        floor: Least weight, from 0 to 1 / n.

    Returns:
        `[..., n]` on the simplex, no entry below `floor`; no gradient flows.

    Raises:
        TypeError: An argument is no tensor of floating-point numbers, or a number is none.
        ValueError: A shape does not fit, a value is not finite or a number is out of its range.
    """
    read = read_rows("covariance", covariance)
    wanted = read_rows("targets", targets, read.shape[-1]).to(read)
    return exponentiated(previous, (wanted - read).clamp(min=0), rate, floor)


def _read_weights(previous: Tensor, like: Tensor) -> Tensor:
    """Weights `[..., n]` on the simplex."""
    weights = read_rows("previous", previous, like.shape[-1]).to(like)
    tolerance = 1e-6 if weights.dtype == torch.float64 else 1e-3
    wrong = ~(weights >= 0).all(dim=-1) | ((weights.sum(dim=-1) - 1).abs() > tolerance)
    if bool(wrong.any()):
        found = weights[wrong][0].tolist()
        raise ValueError(f"`previous` should be weights of at least 0 that sum to 1. Found {found}.")
    return weights
