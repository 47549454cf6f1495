"""Signs against a control: which methods are better or worse on a problem, and where that cannot be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from moo.benchmarks.reports.material import BEST, Material
from moo.benchmarks.reports.scores import UNRANKED, higher_is_better
from moo.benchmarks.reports.tables import listed
from moo.statistics import holm, least_rank_sum, oriented, rank_sum

UNKNOWN = "?"  # so few runs that no outcome would be a difference


def compared(material: Material, data: pd.DataFrame) -> pd.DataFrame:
    """Spreads with `p_value`, adjusted by Holm over the comparisons of a problem and indicator, and `sign`.

    `+` and `-` say that a method is better or worse than the control, `=` that no difference was found, `?` that with
    so few runs none could be. Both are empty for the control itself and where it has not finished.
    """
    found: dict[tuple[str, str, str], tuple[float, str]] = {}
    for problem in material.problems:
        others = [name for name in material.names if name != material.control and len(material.rows(problem, name))]
        if others and len(material.rows(problem, material.control)):
            for indicator in (name for name in material.wish.indicators if name not in UNRANKED):
                signs = _signs(material, problem, others, indicator)
                found.update({(problem, name, indicator): sign for name, sign in zip(others, signs, strict=True)})
    keys = zip(data["problem"], data["name"], data["indicator"], strict=True)
    pairs = [found.get(key, (float("nan"), "")) for key in keys]
    return data.assign(p_value=[p_value for p_value, _ in pairs], sign=[sign for _, sign in pairs])


def _signs(material: Material, problem: str, others: Sequence[str], indicator: str) -> list[tuple[float, str]]:
    """Adjusted p-value and sign of each of the other methods against the control."""
    better = higher_is_better(indicator)
    ours = oriented(material.runs(problem, material.control, indicator), better)
    theirs = [oriented(material.runs(problem, name, indicator), better) for name in others]
    adjusted = holm([rank_sum(values, ours) for values in theirs])
    least = holm([least_rank_sum(len(values), len(ours)) for values in theirs])
    signs = []
    for values, p_value, smallest in zip(theirs, adjusted, least, strict=True):
        wins, losses = (values[:, None] > ours).sum(), (values[:, None] < ours).sum()
        sign = "=" if p_value > material.wish.alpha else "+" if wins > losses else "-"
        signs.append((float(p_value), UNKNOWN if smallest > material.wish.alpha else sign))
    return signs


def signs_in_words(material: Material, data: pd.DataFrame) -> list[str]:
    """How the signs came about, and how many of each a method has."""
    control, wish = material.control, material.wish
    chosen = " (the best average rank)" if wish.control == BEST else ""
    lines = [
        f"+ better, - worse, = no difference found against {control}{chosen}: Wilcoxon's rank-sum test, two-sided, "
        f"ties by mean ranks; Holm over the methods of a problem and indicator; alpha = {wish.alpha:g}."
    ]
    if (data["sign"] == UNKNOWN).any():
        lines.append("? so few seeds that no outcome could have been a difference: run more.")
    missing = [problem for problem in material.problems if not len(material.rows(problem, control))]
    if missing:
        lines.append(f"{control} has not finished on {listed(missing)}: nothing is compared there.")
    for indicator in (name for name in wish.indicators if name not in UNRANKED):
        parts = []
        for name in (name for name in material.names if name != control):
            tally = Counter(data["sign"][(data["name"] == name) & (data["indicator"] == indicator)])
            parts.append(f"{name} {tally['+']}/{tally['=']}/{tally['-']}")
        if parts:
            lines.append(f"{indicator}, problems with + / = / - against {control}: {listed(parts, 20)}.")
    return lines
