"""Sentences that stand below several tables."""

from __future__ import annotations

from collections.abc import Sequence

from moo.benchmarks.reports.material import Material
from moo.benchmarks.reports.scores import AREA, IN_UNITS, UNRANKED, higher_is_better
from moo.benchmarks.reports.tables import counts, listed
from moo.preferences import grid

UTILITIES = ("expected_utility", "maximum_utility_loss")


def directions_of(material: Material, units: str = "in the objectives' units") -> list[str]:
    """Which indicators are better when higher, and on what scale they are."""
    names = material.wish.indicators
    higher = [name for name in names if higher_is_better(name)]
    lower = [name for name in names if name not in (*higher, *UNRANKED)]
    sides = (("Higher", higher), ("Lower", lower))
    lines = [" ".join(f"{side} is better: {listed(which, 20)}." for side, which in sides if which)]
    large = [name for name in names if name in IN_UNITS]
    scaled = [name for name in names if name not in IN_UNITS]
    if large:
        lines.append(f"{listed(large)}: {units}.")
    if AREA in names:
        lines.append(f"{AREA}: the mean hypervolume over a search's own budget, from its history.")
    utilities = [name for name in names if name in UTILITIES]
    if utilities:
        counts_ = dict.fromkeys(len(grid(len(group[0].config["directions"]))) for group in material.groups.values())
        lines.append(f"{listed(utilities)}: utility is linear, over a lattice of {listed(counts_)} preferences.")
    unranked = [name for name in names if name in UNRANKED]
    if unranked:
        lines.append(f"{listed(unranked)}: reported, never ranked on: few points lie as close together as one likes.")
    if scaled:
        lines.append(f"{listed(scaled, 20)}: on objectives scaled so that the reference set spans [0, 1] in each.")
    return lines


def nowhere_together(material: Material) -> str:
    """On how many problems all methods have finished, and who is missing where."""
    gaps = []
    for name in material.names:
        missing = [problem for problem in material.problems if not len(material.rows(problem, name))]
        gaps += [f"{name} is missing on {listed(missing, 3)}"] if missing else []
    shares = f"{len(material.common)} of {len(material.problems)} problems"
    return f"All {len(material.names)} methods have finished on {shares}" + (f" ({listed(gaps, 5)})." if gaps else ".")


def left_out(material: Material, common: Sequence[str]) -> list[str]:
    """Which problems do not count, as a method is missing there."""
    left = [problem for problem in material.problems if problem not in common]
    return [f"Left out, as not all methods have finished there: {listed(left)}."] if left else []


def budgets(material: Material) -> list[str]:
    """What each method could spend, where that was not the same for all."""
    spans = material.distinct.groupby("name", sort=False)["budget"].agg(["min", "max"])
    if len(spans.drop_duplicates()) < 2:
        return []
    each = [f"{name} {counts([int(low), int(high)])}" for name, (low, high) in spans.iterrows()]
    return [f"Budgets differ between methods: {listed(each, 20)}."]
