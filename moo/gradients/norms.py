"""The shortest vector among the convex combinations of gradients, from their Gram matrix."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.linalg.lapack import dpstrf
from scipy.optimize import nnls
from torch import Tensor

from moo.gradients.reading import read_gram

SWEEPS = 100  # iterations of the active set per objective: it took at most 3 in tests


def min_norm(gram: Tensor) -> Tensor:
    """Weights on the simplex whose combination of the gradients is the shortest: exact, by an active set.

    Along minus that combination every loss falls, by its squared length at first order; where it is 0 the point is
    Pareto stationary. The sign of the gradients does not matter, so that losses and objectives are treated alike.

    Source: Desideri 2012 (multiple-gradient descent, C. R. Math. 350); Sener and Koltun 2018 (NeurIPS). Both approach
    the solution step by step, for more than two objectives by Frank and Wolfe's method. Here it is the weights
    `u / sum(u)` of a problem of non-negative least squares, `min |A u|^2 + (1 - sum(u))^2` over `u >= 0`, with `A' A`
    the Gram matrix, which Lawson and Hanson's active set (1974, ch. 23) solves in finitely many steps. Each gradient is
    scaled to length 1 beforehand, so that lengths of very different size do no harm. Two objectives have a closed form.

    Args:
        gram: `[..., n, n]`, symmetric and positive semi-definite: the inner products of n gradients.

    Returns:
        `[..., n]`, at least 0, of sum 1, in the dtype of `gram` but computed in float64; no gradient flows. Unique but
        where the shortest vector can be combined in several ways: of gradients that are 0 the first has all the weight.

    Raises:
        TypeError: `gram` is no tensor of floating-point numbers.
        ValueError: It is not square, not finite, or has a negative diagonal entry.
    """
    read = read_gram(gram)
    n = read.shape[-1]
    rows = read.to(device="cpu", dtype=torch.float64).reshape(-1, n, n)
    if n == 2:
        found = torch.tensor([_of_two(row[0][0], row[0][1], row[1][1]) for row in rows.tolist()], dtype=torch.float64)
    else:
        found = torch.from_numpy(np.array([_of_many(row) for row in rows.numpy()]).reshape(-1, n))
    return found.reshape(read.shape[:-1]).to(read)


def _of_two(first: float, product: float, second: float) -> tuple[float, float]:
    """The closed form: the shorter one alone where it is in the way of nothing, else the foot of the perpendicular."""
    if not math.isfinite(first + product + second) or min(first, second) < 0:
        raise ValueError(_fault(np.array([[first, product], [product, second]])))
    if product >= max(first, second):  # equal
        return 0.5, 0.5
    if product >= first:
        return 1.0, 0.0
    if product >= second:
        return 0.0, 1.0
    whole = (first - product) + (second - product)
    return (second - product) / whole, (first - product) / whole  # one minus the other would lose a tiny share


def _of_many(gram: np.ndarray) -> np.ndarray:
    """Non-negative least squares on a factor of the Gram matrix of the gradients scaled to length 1."""
    n = len(gram)
    lengths = np.sqrt(np.maximum(gram.diagonal(), 0.0))
    if not math.isfinite(gram.sum()) or gram.diagonal().min() < 0:
        raise ValueError(_fault(gram))
    shortest = lengths.argmin()
    if lengths[shortest] == 0.0:
        weights = np.zeros(n)
        weights[shortest] = 1.0
        return weights
    upper, pivots, rank, _ = dpstrf(gram / lengths / lengths[:, None])
    system = np.empty((n + 1, n))
    system[:n, pivots - 1] = np.triu(upper)
    system[rank:n] = 0.0
    system[n] = lengths[shortest] / lengths
    target = np.zeros(n + 1)
    target[n] = 1.0
    weights = nnls(system, target, maxiter=SWEEPS * n)[0] / lengths
    return np.asarray(weights / weights.sum())


def _fault(gram: np.ndarray) -> str:
    return (
        "`gram` should be finite and positive semi-definite, so with no negative entry on its diagonal. "
        f"Found {gram.tolist()}."
    )
