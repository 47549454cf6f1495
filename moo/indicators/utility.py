"""Utility: what a user whose preference is drawn from a set of them gets from the best row.

The utility of a row is its sum weighted by the preference; there a minimised objective counts with a minus sign. Every
function takes one set `[n, m]` or a batch of them `[..., n, m]`, `preferences` `[k, m]`, k >= 1, or one row `[m]`, each
on the simplex, and `directions`, `mask` and `nan` as in `moo/indicators/distance.py`. One set gives a float, a batch a
tensor `[...]` on the device of the objectives; gradients flow to these alone.

Only rows on the convex hull count. Rows that are dominated, stand twice or are infinitely bad change nothing, and a set
that weakly dominates another never scores worse. All depend on the scale of each objective: normalise beforehand with a
fixed range where the ranges differ, and say how.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor

from moo.indicators.distance import read_with_reference
from moo.indicators.inputs import Directions, Sets, read_sets, score
from moo.preferences import check_preferences

BLOCK_CPU, BLOCK_GPU = 1 << 18, 1 << 24  # utilities at once: 2 MB stay in a core's cache, a share of a GPU's memory


def expected_utility(
    objectives: Any, preferences: Any, *, directions: Directions = None, mask: Any = None, nan: str = "raise"
) -> Any:
    """Mean over preferences of the best utility in a set (EUM). Maximised unless `directions` says otherwise.

    Source: Zintgraf, Kanters, Roijers, Oliehoek and Beau 2015 (Benelearn). There utility functions and their
    distribution are the user's; here utility is linear and each given preference equally likely.

    Returns:
        Larger is better; minus infinity for an empty set.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: A shape is wrong, a value is NaN or infinitely good (the first such row is named) or a preference
            does not lie on the simplex.
    """
    sets = read_sets(objectives, like=preferences, directions=directions, mask=mask, nan=nan)
    chosen = check_preferences(preferences, sets.values.shape[-1]).to(sets.values.device)
    return score(_best(sets, chosen).mean(dim=-1))


def maximum_utility_loss(
    objectives: Any,
    reference_set: Any,
    preferences: Any,
    *,
    directions: Directions = None,
    mask: Any = None,
    nan: str = "raise",
) -> Any:
    """Largest loss of utility against a reference set (MUL). Maximised unless `directions` says otherwise.

    The largest over preferences of the best utility in the reference set minus the best in the set. It is below 0 where
    the set is better for every one of them: the reference set is what is compared with, not a bound.

    Source: Zintgraf, Kanters, Roijers, Oliehoek and Beau 2015 (Benelearn), in the form of Alegre, Bazzan, Roijers, Nowe
    and da Silva 2023 (AAMAS), with the best known set in place of the optimum as in morl-baselines.

    Returns:
        Smaller is better; at most 0 where for each preference the set has a row as good as any of the reference set,
        infinity for an empty set.

    Raises:
        TypeError: An argument cannot be read as numbers.
        ValueError: As for `expected_utility`, or a value of the reference set `[k, m]` is not finite.
    """
    sets, reference = read_with_reference(objectives, reference_set, directions, mask, nan)
    chosen = check_preferences(preferences, reference.shape[1]).to(reference.device)
    return score((_best(Sets(reference), chosen) - _best(sets, chosen)).amax(dim=-1))


def _best(sets: Sets, preferences: Tensor) -> Tensor:
    """The best utility in each set for each preference, `[..., k]`, minus infinity for an empty set.

    Utilities are compared in blocks of bounded memory; those of the best rows alone are computed anew for a gradient.
    """
    *batch, n, m = sets.values.shape
    size, k = math.prod(batch), len(preferences)
    rows = sets.values.reshape(size, n, m)
    absent = None if sets.mask is None else ~sets.mask.reshape(size, n, 1)
    best = rows.new_full((size, k), -torch.inf)
    if best.numel() == 0 or n == 0:
        return best.reshape(*batch, k)
    places = torch.empty_like(best, dtype=torch.int64)
    block = BLOCK_CPU if rows.device.type == "cpu" else BLOCK_GPU
    width = min(k, max(1, block // n))
    depth = max(1, block // (n * width))
    with torch.no_grad():
        for s, i in itertools.product(range(0, size, depth), range(0, k, width)):
            part = slice(s, s + depth), slice(i, i + width)
            utilities = rows[part[0]] @ preferences[part[1]].T
            if absent is not None:
                utilities.masked_fill_(absent[part[0]], -torch.inf)
            if rows.requires_grad:
                best[part], places[part] = utilities.max(dim=1)
            else:
                best[part] = utilities.amax(dim=1)
    if rows.requires_grad:
        chosen = rows.gather(1, places[..., None].expand(-1, -1, m))
        best = torch.where(best == -torch.inf, best, (chosen * preferences).sum(dim=-1))
    return best.reshape(*batch, k)
