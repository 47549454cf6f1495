"""How policies with preferences of their own help each other: neighbourhoods, turns and transfer."""

from __future__ import annotations

import torch
from torch import Tensor

from moo.indicators.volume import hypervolume_contributions

SHARINGS = ("none", "neighbours", "all")


def neighbourhoods(preferences: Tensor, neighbours: int) -> Tensor:
    """Who is among the so many nearest of whom, in squared distance of preferences `[p, m]`: bool `[p, p]`.

    Nobody is a neighbour of itself. Of those equally far the first ones count.
    """
    p = len(preferences)
    away = (preferences[:, None] - preferences[None]).square().sum(dim=2).round(decimals=12)
    away.fill_diagonal_(torch.inf)
    nearest = away.argsort(dim=1, stable=True)[:, : min(neighbours, p - 1)]
    return torch.zeros(p, p, dtype=torch.bool, device=preferences.device).scatter(1, nearest, True)


def pools(near: Tensor, sharing: str) -> Tensor:
    """Whose transitions each policy learns from, bool `[p, p]`: always its own.

    Args:
        near: Neighbourhoods, bool `[p, p]`.
        sharing: One of `SHARINGS`.
    """
    own = torch.eye(len(near), dtype=torch.bool, device=near.device)
    if sharing == "all":
        return torch.ones_like(own)
    return own | near if sharing == "neighbours" else own


def chances_of_turns(returns: Tensor, low: Tensor, span: Tensor) -> Tensor:
    """The chance of each policy to be trained next, `[p]`: half by what it adds to the policies' hypervolume.

    The other half is the same for all, so that nobody starves. The reference point lies a tenth of the range below the
    least return seen.

    Args:
        returns: Last evaluated, `[p, m]`; NaN where none are.
        low: Least returns seen, `[m]`.
        span: Their range, `[m]`.
    """
    p = len(returns)
    known = torch.isfinite(returns).all(dim=1)
    units = torch.where(known[:, None], (returns - low) / span, 0.0)
    added = hypervolume_contributions(units, [-0.1] * returns.shape[1], mask=known)
    share = added / added.sum() if float(added.sum()) > 0 else torch.full_like(added, 1 / p)
    return (share + 1 / p) / 2


def best_of_neighbourhood(utilities: Tensor, near: Tensor) -> Tensor:
    """Whom each policy should take over: the best for its own preference, of its neighbours and itself: `[p]`.

    Args:
        utilities: Of policy j's returns for policy i's preference, `[p, p]`; NaN where unknown.
        near: Neighbourhoods, bool `[p, p]`.
    """
    p = len(near)
    own = torch.arange(p, device=near.device)
    seen = torch.where(near & ~utilities.isnan(), utilities, -torch.inf)
    value, best = seen.max(dim=1)
    return torch.where(value > utilities.diagonal().nan_to_num(-torch.inf), best, own)


def nearest_trained(preferences: Tensor, near: Tensor, trained: Tensor) -> Tensor:
    """For each policy the nearest neighbour that has been trained, itself where there is none: `[p]`.

    Args:
        preferences: `[p, m]`.
        near: Neighbourhoods, bool `[p, p]`.
        trained: bool `[p]`.
    """
    own = torch.arange(len(near), device=near.device)
    away = (preferences[:, None] - preferences[None]).square().sum(dim=2).round(decimals=12)
    away = torch.where(near & trained, away, torch.inf)
    return torch.where((near & trained).any(dim=1), away.argmin(dim=1), own)
