"""Rules for conflicting gradients that TorchJD has, on our Gram matrices (optional extra `gradients`).

Each is TorchJD's own weighting, pinned to 0.18: nothing of it is rewritten here. What conflicts is made not to; none of
these rules knows where on a front it should end, and those that take preferences blend gradients by them.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from moo.gradients.reading import check_finite, read_gram, read_preferences
from moo.seeding import child_seed, quiet_fork


def pcgrad(gram: Tensor, seed: int = 0) -> Tensor:
    """Gradient surgery: of each gradient what conflicts with another is taken away, one after the other; then the sum.

    Source: Yu, Kumar, Gupta, Levine, Hausman and Finn 2020 (PCGrad, NeurIPS, 2001.06782); TorchJD's `PCGradWeighting`.

    Args:
        gram: `[..., n, n]`: inner products of gradients.
        seed: Of the order in which each gradient meets the others. TorchJD draws it from torch's global generator,
            which is seeded for this and restored.

    Returns:
        `[..., n]`, at least 0; no gradient flows.

    Raises:
        ImportError: TorchJD is not installed.
        TypeError, ValueError: `gram` is no finite Gram matrix.
    """
    with quiet_fork(child_seed(seed, "pcgrad")):
        return _each(gram, _weighting("PCGradWeighting"))


def cagrad(gram: Tensor, c: float = 0.4) -> Tensor:
    """Conflict-averse descent: near the mean gradient, the direction that helps the worst-served objective most.

    Source: Liu, Liu, Jin, Stone and Liu 2021 (CAGrad, NeurIPS, 2110.14048); TorchJD's `CAGradWeighting`, whose program
    is solved by CVXPY.

    Args:
        gram: `[..., n, n]`: inner products of gradients.
        c: How far from the mean gradient, relative to its length: 0 is the mean, large values tend to `min_norm`.

    Returns:
        `[..., n]`, at least 0; no gradient flows.

    Raises:
        ImportError: TorchJD or CVXPY is not installed.
        TypeError, ValueError: `gram` is no finite Gram matrix, or `c` is negative.
    """
    return _each(gram, _weighting("CAGradWeighting", c=c))


def imtl_g(gram: Tensor) -> Tensor:
    """Impartial learning: the combination that has the same projection onto every gradient.

    Source: Liu, Li, Kuang, Xue, Chen, Yang, Liao and Zhang 2021 (IMTL, ICLR); TorchJD's `IMTLGWeighting`.

    Args:
        gram: `[..., n, n]`: inner products of gradients.

    Returns:
        `[..., n]` of sum 1; an entry can be negative. No gradient flows.

    Raises:
        ImportError: TorchJD is not installed.
        TypeError, ValueError: `gram` is no finite Gram matrix.
    """
    return _each(gram, _weighting("IMTLGWeighting"))


def nash_mtl(gram: Tensor, max_norm: float = 1.0, optim_niter: int = 20) -> Tensor:
    """The Nash bargaining solution: weights w with `C w = 1 / w`, C the Gram matrix.

    Source: Navon, Shamsian, Achituve, Maron, Kawaguchi, Chechik and Fetaya 2022 (Nash-MTL, ICML, 2202.01017); TorchJD's
    `NashMTL`. That takes a Jacobian and remembers the weights between steps; here it is given a factor of the Gram
    matrix, which is all that it uses, and begins anew at each call.

    Args:
        gram: `[..., n, n]`: inner products of gradients.
        max_norm: Longest combination; 0: any length.
        optim_niter: Most convex programs that are solved one after the other.

    Returns:
        `[..., n]`, at least 0; no gradient flows.

    Raises:
        ImportError: TorchJD, CVXPY or ECOS is not installed.
        TypeError, ValueError: `gram` is no finite Gram matrix, or an option is out of its range.
    """
    made = {"n_tasks": read_gram(gram).shape[-1], "max_norm": max_norm, "optim_niter": optim_niter}

    def solve(matrix: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(matrix)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # CVXPY's, that it could be faster
            found: Tensor = _weighting("NashMTL", **made).weighting(vectors * values.clamp(min=0).sqrt())
        return found

    return _each(gram, solve)


def upgrad(gram: Tensor, preferences: Tensor | None = None) -> Tensor:
    """Each gradient is projected onto the directions that harm no objective; the projections are then combined.

    Source: Quinton and Rey 2024 (Jacobian descent, 2406.16232); TorchJD's `UPGradWeighting`.

    Args:
        gram: `[..., n, n]`: inner products of gradients.
        preferences: `[n]`: how the projections are combined; None: equally.

    Returns:
        `[..., n]`, at least 0; no gradient flows.

    Raises:
        ImportError: TorchJD or quadprog is not installed.
        TypeError, ValueError: `gram` is no finite Gram matrix, or the preferences are none.
    """
    return _each(gram, _weighting("UPGradWeighting", pref_vector=_vector(preferences, gram)))


def dualproj(gram: Tensor, preferences: Tensor | None = None) -> Tensor:
    """The weighted sum of the gradients, projected onto the directions that harm no objective.

    Source: Lopez-Paz and Ranzato 2017 (GEM, NeurIPS, 1706.08840); TorchJD's `DualProjWeighting`.

    Args:
        gram: `[..., n, n]`: inner products of gradients.
        preferences: `[n]`: of the weighted sum; None: equal ones.

    Returns:
        `[..., n]`, at least 0; no gradient flows.

    Raises:
        ImportError: TorchJD or quadprog is not installed.
        TypeError, ValueError: `gram` is no finite Gram matrix, or the preferences are none.
    """
    return _each(gram, _weighting("DualProjWeighting", pref_vector=_vector(preferences, gram)))


def aligned_mtl(gram: Tensor, preferences: Tensor | None = None, scale_mode: str = "min") -> Tensor:
    """The gradients' matrix is made one of equal singular values before it is combined.

    Source: Senushkin, Patakin, Kuznetsov and Konushin 2023 (Aligned-MTL, CVPR, 2305.19000); TorchJD's
    `AlignedMTLWeighting`.

    Args:
        gram: `[..., n, n]`: inner products of gradients.
        preferences: `[n]`: of the weighted sum; None: equal ones.
        scale_mode: The singular value that all get: `"min"`, `"median"` or `"rmse"`.

    Returns:
        `[..., n]`; no gradient flows.

    Raises:
        ImportError: TorchJD is not installed.
        TypeError, ValueError: `gram` is no finite Gram matrix, the preferences are none or the mode is unknown.
    """
    vector = _vector(preferences, gram)
    return _each(gram, _weighting("AlignedMTLWeighting", pref_vector=vector, scale_mode=scale_mode))


def _weighting(name: str, **options: Any) -> Any:
    """One of TorchJD's, made."""
    try:
        return getattr(importlib.import_module("torchjd.aggregation"), name)(**options)
    except ImportError as error:
        raise ImportError(
            f"`{name}` is TorchJD's and needs it: pip install 'moo-suite[gradients]'. Found: {error}"
        ) from error


def _each(gram: Tensor, weighting: Callable[[Tensor], Tensor]) -> Tensor:
    """The weights of each matrix of a batch."""
    read = check_finite("gram", read_gram(gram))
    n = read.shape[-1]
    with torch.no_grad():
        rows = [weighting(matrix).to(read) for matrix in read.reshape(-1, n, n)]
    return torch.stack(rows).reshape(read.shape[:-1]) if rows else read.new_empty(read.shape[:-1])


def _vector(preferences: Tensor | None, gram: Tensor) -> Tensor | None:
    if preferences is None:
        return None
    read = read_gram(gram)
    said = read_preferences(preferences, read.shape[-1], read)
    if said.ndim != 1:
        raise ValueError(f"`preferences` should be one row, [n], for this rule. Found shape {list(said.shape)}.")
    return said
