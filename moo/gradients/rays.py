"""Weights that lead to where a preference's ray meets the front: values of the losses, and the Gram matrix.

The ray of preferences p are the losses proportional to 1 / p: more preference, less loss. Losses are minimised, at
least 0, and measured from their ideal. Each rule takes `[..., n, n]` and `[..., n]` and works row by row.
"""

from __future__ import annotations

import torch
from torch import Tensor

from moo.checks import check_number
from moo.gradients.norms import min_norm
from moo.gradients.programs import largest, smallest_maximum
from moo.gradients.reading import check_finite, read_gram, read_preferences, read_rows

FAINT = 1e-9  # preferences below this share of the largest count as it: their rays would not be finite


def epo(gram: Tensor, losses: Tensor, preferences: Tensor, tolerance: float = 1e-3) -> Tensor:
    """Exact Pareto optimal search: to the ray first, with losses that may rise for it, then along it.

    With `p l` the weighted losses as shares of their sum, the distance from the ray is their relative entropy to equal
    shares, and `a_j = p_j (log(n share_j) - distance)` says which gradients lead back to it. Weights on the simplex
    make `a . C w` the largest, C the Gram matrix, as long as the distance is above the tolerance, then the sum of
    `C w`; the worst weighted loss never rises, others by no more than the way to the ray asks for.

    Source: Mahapatra and Rajan 2020 (EPO, ICML), the linear program of their section 4. Where no gradient leads nearer
    to the ray they take the least retreat, which ends for good where a loss has its least value; here all losses
    descend, which leads past it. Two objectives have a closed form here, more are for HiGHS. The shortest combination
    fulfils every constraint, so that there is always a solution.

    Args:
        gram: `[..., n, n]`: inner products of the losses' gradients.
        losses: `[..., n]`, minimised, minus their ideal, at least 0.
        preferences: `[..., n]`, at least 0.
        tolerance: Distance from the ray above which the way there comes first, at least 0.

    Returns:
        `[..., n]` on the simplex, in the dtype of `gram`; no gradient flows.

    Raises:
        TypeError: An argument is no tensor of floating-point numbers.
        ValueError: A shape does not fit, a value is not finite or is negative.
    """
    tolerance = check_number("tolerance", tolerance, "the distance from the ray", zero=True)
    read, values, said = _read(gram, losses, preferences)
    weighted = values * said
    worst = torch.nn.functional.one_hot(weighted.argmax(dim=-1), values.shape[-1]).bool()
    pull, distance = _pull(weighted, said)
    away = (distance > tolerance)[..., None]
    towards = torch.where(away, (read @ pull[..., None])[..., 0], 0.0)  # what a step along `pull` gains, each
    agreed = (towards > 0).any(dim=-1, keepdim=True)
    gains = torch.where(agreed, towards, read.sum(dim=-1))
    least = torch.where(towards > 0, -torch.inf, torch.where(agreed, towards, 0.0))
    least = torch.where(worst, 0.0, least)
    return largest(gains, read, least).reshape(values.shape).to(gram)


def _pull(weighted: Tensor, preferences: Tensor) -> tuple[Tensor, Tensor]:
    """EPO's anchor direction `[..., n]` and the distance from the ray `[...]`."""
    n, total = weighted.shape[-1], weighted.sum(dim=-1, keepdim=True)
    shares = torch.where(total > 0, weighted / torch.where(total > 0, total, 1.0), 1 / n)
    logs = (n * shares).clamp(min=1e-300).log()
    distance = (shares * logs).sum(dim=-1)
    return preferences * (logs - distance[..., None]), distance


def pareto_mtl(gram: Tensor, losses: Tensor, preferences: Tensor, others: Tensor, tolerance: float = 1e-3) -> Tensor:
    """Pareto multi-task learning: descend inside the cone of losses that is nearer to this ray than to any other.

    With unit vectors u along the rays, the cone is where `(u_j - u) . l <= 0` for every other ray j. Outside it, by
    more than the tolerance, the weights are those of the shortest combination of the violated constraints' gradients;
    inside that of the losses' gradients and of the constraints that are active within the tolerance.

    Source: Lin, Zhen, Li, Zhang and Kwong 2019 (Pareto MTL, NeurIPS, 1912.12854). There preferences are the rays
    themselves, a large entry a large loss; here, as everywhere, more preference is less loss. Their first stage, which
    enters the cone, is run a number of steps; here it is left where the cone is reached.

    Args:
        gram: `[..., n, n]`: inner products of the losses' gradients.
        losses: `[..., n]`, minimised, minus their ideal, at least 0.
        preferences: `[..., n]`, at least 0.
        others: `[r, n]`: the preferences of all rays; this one may be among them.
        tolerance: In the unit of the losses, at least 0.

    Returns:
        `[..., n]`, in the dtype of `gram`; an entry can be negative, for a constraint is a difference of losses. No
        gradient flows.

    Raises:
        TypeError: An argument is no tensor of floating-point numbers.
        ValueError: A shape does not fit, a value is not finite or is negative.
    """
    tolerance = check_number("tolerance", tolerance, "the width of a constraint's edge", zero=True)
    read, values, said = _read(gram, losses, preferences)
    n = values.shape[-1]
    rays = _rays(read_preferences(others, n, values)).reshape(-1, n)
    own, matrix, level = _rays(said).reshape(-1, n), read.reshape(-1, n, n), values.reshape(-1, n)
    found = torch.empty_like(level)
    for row in range(len(level)):
        normals = rays - own[row]
        normals = normals[normals.norm(dim=-1) > 1e-12]  # but this ray itself
        violation = normals @ level[row]
        outside = normals[violation > tolerance]
        active = torch.cat([torch.eye(n).to(level), normals[violation >= -tolerance]])
        chosen = outside if len(outside) else active
        found[row] = min_norm(chosen @ matrix[row] @ chosen.T) @ chosen
    return found.reshape(values.shape).to(gram)


def pmgda(
    gram: Tensor, losses: Tensor, preferences: Tensor, tolerance: float = 1e-4, correction: float = 0.5
) -> Tensor:
    """Preference-based multiple-gradient descent: to the ray by a linear program, then along it by a projection.

    The distance h is the squared sine of the angle between the losses and the ray. Above the tolerance the step is the
    combination of the gradients of the losses and of h, each of length 1, that makes the greatest rise of a loss the
    smallest while h falls at least `correction` times as fast as along its own gradient. Below it the step is the
    shortest combination of the losses' gradients in the tangent of h.

    Source: Zhang, Lin and Zhang 2024 (PMGDA, 2402.09492), predict and correct, for a preference to be met exactly. The
    constraint function is ours: theirs may be any.

    Args:
        gram: `[..., n, n]`: inner products of the losses' gradients.
        losses: `[..., n]`, minimised, minus their ideal, at least 0.
        preferences: `[..., n]`, at least 0.
        tolerance: Of h, at least 0.
        correction: From 0 to 1.

    Returns:
        `[..., n]`, in the dtype of `gram`; an entry can be negative. No gradient flows.

    Raises:
        TypeError: An argument is no tensor of floating-point numbers.
        ValueError: A shape does not fit, a value is not finite, is negative or out of its range.
    """
    tolerance = check_number("tolerance", tolerance, "the squared sine of an angle", zero=True)
    if check_number("correction", correction, "a share of the steepest descent", zero=True) > 1:
        raise ValueError(f"`correction` should be at most 1, the steepest descent of the distance. Found {correction}.")
    read, values, said = _read(gram, losses, preferences)
    n = values.shape[-1]
    rays, matrix, level = _rays(said).reshape(-1, n), read.reshape(-1, n, n), values.reshape(-1, n)
    found = torch.empty_like(level)
    for row in range(len(level)):
        distance, slope = _off_ray(level[row], rays[row])
        step = _correct if distance > tolerance else _predict
        found[row] = step(matrix[row], slope, correction)
    return found.reshape(values.shape).to(gram)


def _correct(gram: Tensor, slope: Tensor, correction: float) -> Tensor:
    """Towards the ray, with the least rise of any loss."""
    rows = torch.cat([torch.eye(len(slope)).to(slope), slope[None]])  # of the losses, and of the distance
    products = rows @ gram @ rows.T
    lengths = products.diagonal().clamp(min=0).sqrt()
    if lengths[-1] == 0:  # the distance cannot change
        return min_norm(gram)
    scale = torch.where(lengths > 0, 1 / lengths.clamp(min=1e-300), 0.0)
    falls = products * scale  # of each row's value, along each unit gradient
    shares = smallest_maximum(-falls[:-1], falls[-1], correction * float(lengths[-1]))
    combined: Tensor = (shares * scale) @ rows
    return combined


def _predict(gram: Tensor, slope: Tensor, _: float) -> Tensor:
    """Along the ray: the shortest combination of what is left of the gradients without the slope of the distance."""
    along = gram @ slope
    squared = slope @ along
    if squared <= 1e-12 * gram.diagonal().max() * (slope @ slope):
        return min_norm(gram)
    rest = gram - along[:, None] * along / squared
    rest.diagonal().clamp_(min=0)  # what rounding leaves of a gradient along the slope
    shares = min_norm(rest)
    combined: Tensor = shares - (shares @ along) / squared * slope
    return combined


def _off_ray(losses: Tensor, ray: Tensor) -> tuple[Tensor, Tensor]:
    """The squared sine of the angle between losses and a unit ray, and its gradient by the losses."""
    squared: Tensor = losses @ losses
    if squared == 0:
        return squared, torch.zeros_like(losses)
    along: Tensor = losses @ ray
    return 1 - along**2 / squared, 2 * along / squared * (along / squared * losses - ray)


def _rays(preferences: Tensor) -> Tensor:
    """Unit vectors of losses in inverse proportion to preferences, `[..., n]`."""
    inverse = 1 / preferences.clamp(min=FAINT * preferences.amax(dim=-1, keepdim=True))
    length: Tensor = torch.linalg.vector_norm(inverse, dim=-1, keepdim=True)
    return inverse / length


def _read(gram: Tensor, losses: Tensor, preferences: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All three in float64 on the CPU, of the same leading dimensions."""
    matrix = check_finite("gram", read_gram(gram).to(device="cpu", dtype=torch.float64))
    values = check_finite("losses", read_rows("losses", losses, matrix.shape[-1]).to(matrix))
    if bool((values < 0).any()):
        raise ValueError(
            f"`losses` should be at least 0: measured from their ideal. Found {values.min().item()}. "
            "Subtract the least values that they can have."
        )
    said = read_preferences(preferences, matrix.shape[-1], matrix)
    common = (values + said + matrix[..., 0]).shape
    values, said = values.expand(common), said.expand(common)
    return matrix.expand(*values.shape, values.shape[-1]), values, said
