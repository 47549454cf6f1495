"""PAMA's weights: the projection of 0 onto the range of the advantages, alone, by preference, and for a whole batch."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import Any

import torch
from torch import Tensor

from moo.gradients.norms import min_norm
from moo.gradients.reading import check_finite, read_gram, read_preferences, read_rows


def pama(advantages: Tensor, preferences: Tensor | None = None, shortfalls: Tensor | None = None) -> Tensor:
    """Weights on the simplex for the advantages of one sample or token; a batch of tokens is a batch of rows.

    Their sum `s = weights . advantages` is the projection of 0 onto `[min, max]`: the least advantage where all are
    positive, the greatest where all are negative, 0 where they disagree. So only what every objective likes is
    reinforced, by what the least fond of it would. It is the combination of least absolute value.

    Source: He and Maghsudi 2025 (PAMA, 2508.07768), theorem 1, with the weights that belong to it: the least advantage
    alone, or the greatest alone, or both such that they cancel. Where several advantages tie, they share equally, so
    that the order of objectives does not matter.

    The paper takes no preferences and finds one policy. Ours:

    - `preferences` divide the advantages, so that what is gained is in proportion to them. An objective of preference 0
      has no say.
    - `shortfalls` tell how far each objective is from its ideal. Advantages are centred and carry no level; without
      one no method can tell where on a front it stands. The level of an objective is its preference times its shortfall
      (Tchebycheff's), its lead is how far it is behind the worst level, relative to that: 0 for the worst objective,
      1 for one that has reached its ideal. The rule then takes the point nearest to 0 among the combinations of the
      points (advantage / preference, c sqrt(lead)) of a plane, c the greatest absolute value of the former: leads cost,
      so that an objective ahead of others is given up for one behind, and none is where all levels are equal.

    Args:
        advantages: `[..., n]`, maximised: larger is better.
        preferences: `[..., n]`, at least 0; more of it means a stronger say, only ratios matter. None: equal ones.
        shortfalls: `[..., n]`, the ideal minus the value of each maximised objective, at least 0.

    Returns:
        `[..., n]`, at least 0, of sum 1, in the dtype and on the device of `advantages`; no gradient flows. With
        preferences the weights are for the advantages as they are: `weights . advantages` is what to reinforce.

    Raises:
        TypeError: An argument is no tensor of floating-point numbers.
        ValueError: A shape does not fit, a value is not finite, a preference or a shortfall is negative.
    """
    rows = read_rows("advantages", advantages)
    n = rows.shape[-1]
    if preferences is None and shortfalls is None:
        return _project(rows)
    said = torch.ones_like(rows) if preferences is None else read_preferences(preferences, n, rows).expand_as(rows)
    heard = said > 0
    scaled = torch.where(heard, check_finite("advantages", rows) / torch.where(heard, said, 1.0), 0.0)
    if shortfalls is None:
        shares = _project_among(scaled, heard)
    else:
        leads = _leads(said, read_rows("shortfalls", shortfalls, n).to(rows).expand_as(rows))
        shares = _nearest_in_plane(scaled, scaled.abs().amax(dim=-1, keepdim=True) * leads.sqrt(), heard)
    return _unscaled(shares, said)


def pama_gram(gram: Tensor, preferences: Tensor | None = None, shortfalls: Tensor | None = None) -> Tensor:
    """PAMA's weights for a whole batch: one for each objective, by the shortest combination of its rows of advantages.

    For T tokens the bound that PAMA minimises is tight with the Gram matrix of the rows of the advantages [n, T] in
    place of a number per objective; its cost does not depend on the number of parameters. With the Gram matrix of the
    gradients themselves it is `min_norm` with a preference.

    Source: ours, after He and Maghsudi 2025 (PAMA, 2508.07768), who give one token's form. Preferences and shortfalls
    act as in `pama`: gradients are divided by preferences, and each has one more coordinate, the square root of its
    lead, times the length of the longest of them. Without shortfalls preferences change the path but not where it ends:
    at every Pareto point the shortest combination is 0, whatever the scale.

    Args:
        gram: `[..., n, n]`: `A @ A.T` of advantages `A [n, T]`, or of gradients.
        preferences: `[..., n]`, at least 0; None: equal ones.
        shortfalls: `[..., n]`, the ideal minus the value of each maximised objective (the loss minus its least value),
            at least 0.

    Returns:
        `[..., n]`, at least 0, of sum 1, for the rows as they are; no gradient flows.

    Raises:
        TypeError: An argument is no tensor of floating-point numbers.
        ValueError: A shape does not fit, a value is not finite, a preference or a shortfall is negative.
    """
    read = read_gram(gram)
    if preferences is None and shortfalls is None:
        return min_norm(read)
    n = read.shape[-1]
    said = read.new_ones(n) if preferences is None else read_preferences(preferences, n, read)
    said = said.expand(read.shape[:-1])
    if bool((said == 0).any()):
        return _without_unheard(read, said, shortfalls)
    scaled = read / said[..., :, None] / said[..., None, :]
    if shortfalls is not None:
        roots = _leads(said, read_rows("shortfalls", shortfalls, n).to(read).expand(read.shape[:-1])).sqrt()
        longest = scaled.diagonal(dim1=-2, dim2=-1).amax(dim=-1)[..., None, None]
        scaled = scaled + longest * roots[..., :, None] * roots[..., None, :]
    return _unscaled(min_norm(scaled), said)


# ----------------------------------------------------------------------------------------------------- PAMA itself
def _project(rows: Tensor) -> Tensor:
    """The weights of rows `[..., n]`: compiled on a CPU where numba is installed, else by torch."""
    if rows.device.type == "cpu" and rows.dtype in (torch.float32, torch.float64) and _has_numba():
        from moo.gradients.compiled import project

        weights = torch.empty(rows.shape, dtype=rows.dtype)
        n = rows.shape[-1]
        if not project(rows.numpy().reshape(-1, n), weights.numpy().reshape(-1, n)):
            check_finite("advantages", rows)
        return weights
    check_finite("advantages", rows)
    return _project_among(rows, torch.ones_like(rows, dtype=torch.bool))


@cache
def _has_numba() -> bool:
    return importlib.util.find_spec("numba") is not None


def _project_among(rows: Tensor, heard: Tensor) -> Tensor:
    """The weights of finite rows `[..., n]` among the columns `heard`, of which each row has one at least."""
    low = torch.where(heard, rows, torch.inf).amin(dim=-1, keepdim=True)
    high = torch.where(heard, rows, -torch.inf).amax(dim=-1, keepdim=True)
    below, above = (-low).clamp(min=0), high.clamp(min=0)
    lowest = torch.where(low == high, 1.0, above / (below + above))
    at_low, at_high = (rows == low) & heard, (rows == high) & heard
    share_low, share_high = lowest / at_low.sum(dim=-1, keepdim=True), (1 - lowest) / at_high.sum(dim=-1, keepdim=True)
    return torch.where(at_low, share_low, torch.where(at_high, share_high, 0.0))


# ------------------------------------------------------------------------------------------- preferences and levels
def _leads(preferences: Tensor, shortfalls: Tensor) -> Tensor:
    """How far each objective is ahead of the worst level, relative to it: from 0 to 1, `[..., n]`."""
    if not bool((check_finite("shortfalls", shortfalls) >= 0).all()):
        raise ValueError(
            f"`shortfalls` should be at least 0: ideal minus value. Found {shortfalls.min().item()}. "
            "Move the ideal point up to the best value seen."
        )
    levels = preferences * shortfalls
    worst = levels.amax(dim=-1, keepdim=True)
    return torch.where(worst > 0, 1 - levels / torch.where(worst > 0, worst, 1.0), 0.0)


def _nearest_in_plane(first: Tensor, second: Tensor, heard: Tensor) -> Tensor:
    """Weights of the point nearest to 0 in the hull of n points of the plane, second coordinates at least 0.

    That point lies on a segment between two of them, or on one: each pair is tried.
    """
    n = first.shape[-1]
    one, other = torch.triu_indices(n, n, device=first.device).unbind()
    points = torch.stack([first, second], dim=-1)
    start, edge = points[..., one, :], points[..., one, :] - points[..., other, :]
    length = edge.square().sum(dim=-1)
    along = (start * edge).sum(dim=-1) / torch.where(length > 0, length, 1.0)
    along = torch.where(length > 0, along, 0.0).clamp(0, 1)
    distance = (start - along[..., None] * edge).square().sum(dim=-1)
    best = torch.where(heard[..., one] & heard[..., other], distance, torch.inf).argmin(dim=-1, keepdim=True)
    share = along.gather(-1, best)
    weights = torch.zeros_like(first).scatter_(-1, one[best], 1 - share)
    return weights.scatter_add_(-1, other[best], share)


def _without_unheard(gram: Tensor, preferences: Tensor, shortfalls: Any) -> Tensor:
    """Each matrix without its objectives of preference 0, which get weight 0."""
    n = gram.shape[-1]
    levels = None if shortfalls is None else read_rows("shortfalls", shortfalls, n).expand(gram.shape[:-1])
    weights = torch.zeros_like(preferences).reshape(-1, n)
    for row, (one, said) in enumerate(zip(gram.reshape(-1, n, n), preferences.reshape(-1, n), strict=True)):
        heard = torch.nonzero(said > 0).flatten()
        own = None if levels is None else levels.reshape(-1, n)[row, heard]
        weights[row, heard] = pama_gram(one[heard][:, heard], said[heard], own)
    return weights.reshape(preferences.shape)


def _unscaled(shares: Tensor, preferences: Tensor) -> Tensor:
    """Weights on the simplex of rows as they are, from those of rows divided by preferences."""
    weights = torch.where(preferences > 0, shares / torch.where(preferences > 0, preferences, 1.0), 0.0)
    return weights / weights.sum(dim=-1, keepdim=True)
