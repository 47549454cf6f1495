"""The sections `ranks` and `intervals`: methods over all problems, by tests of ranks and by interquartile means."""

from __future__ import annotations

import string
from collections.abc import Sequence

import numpy as np
import pandas as pd

from moo.benchmarks.reports.material import HOW, Material
from moo.benchmarks.reports.scores import UNRANKED, higher_is_better
from moo.benchmarks.reports.tables import Entry, Table, counts, entries, number, probability
from moo.benchmarks.reports.words import budgets, directions_of, left_out, nowhere_together
from moo.statistics import (
    CriticalDifference,
    bootstrap_interval,
    critical_difference,
    friedman,
    iman_davenport,
    interquartile_mean,
)

REPLICATES, CONFIDENCE = 2000, 0.95


def ranks_tables(material: Material) -> list[Table]:
    """Average ranks over problems, Friedman's test, and the groups of methods that do not differ; one per indicator."""
    tables = []
    for indicator in material.wish.indicators:
        name, title = "ranks", f"Average ranks by {indicator}"
        common, why = _comparable(material, indicator)
        if why:
            tables.append(Table(name, title, (), [], pd.DataFrame(), [why]))
            continue
        medians, better = material.medians(common, indicator), higher_is_better(indicator)
        found = critical_difference(
            medians, material.names, higher_is_better=better, alpha=material.wish.alpha, how=material.wish.how
        )
        letters = _letters(found)
        places = list(zip(found.names, found.ranks, strict=True))
        best = min(found.ranks)
        rows = [
            (Entry(who), Entry(f"{rank:.2f}", rank == best), Entry(letters[who]), Entry(str(found.problems)))
            for who, rank in places
        ]
        data = pd.DataFrame(
            [(indicator, who, rank, letters[who], found.problems) for who, rank in places],
            columns=["indicator", "method", "average_rank", "group", "problems"],
        )
        notes = [*_tests_in_words(found, medians, better), *budgets(material), *left_out(material, common)]
        tables.append(Table(name, title, ("method", "average rank", "group", "problems"), rows, data, notes))
    return tables


def intervals_table(material: Material) -> list[Table]:
    """Interquartile means over all runs of all problems, with intervals by the stratified bootstrap."""
    name, title = "intervals", "Interquartile means over problems"
    indicators, common = material.wish.indicators, material.common
    if not common:
        return [Table(name, title, (), [], pd.DataFrame(), [nowhere_together(material)])]
    rows, data = [], []
    for method in material.names:
        runs = [len(material.rows(problem, method)) for problem in common]
        row = list(entries(method, len(common), sum(runs)))
        for indicator in indicators:
            middle, low, high = _interval([material.shared(problem, method, indicator) for problem in common])
            within = "" if np.isnan(low) else f" [{number(low)}, {number(high)}]"
            row.append(Entry(number(middle) + within))
            data.append((indicator, method, len(common), sum(runs), middle, low, high))
        rows.append(tuple(row))
    columns = ["indicator", "method", "problems", "runs", "interquartile_mean", "lower", "upper"]
    frame = pd.DataFrame(data, columns=columns)
    marked = [_marked(row, frame[frame["method"] == row[0].text], frame, indicators) for row in rows]
    notes = [*_intervals_in_words(material, common), *budgets(material), *left_out(material, common)]
    header = ("method", "problems", "runs", *indicators)
    return [Table(name, title, header, marked, frame, notes)]


def _marked(
    row: tuple[Entry, ...], own: pd.DataFrame, frame: pd.DataFrame, indicators: Sequence[str]
) -> tuple[Entry, ...]:
    """A row with the best mean of each indicator marked, where there are several methods."""
    plain, places = list(row), dict(zip(own["indicator"], own["interquartile_mean"], strict=True))
    for column, indicator in enumerate(indicators, start=len(row) - len(indicators)):
        all_means = frame["interquartile_mean"][frame["indicator"] == indicator]
        best = all_means.max() if higher_is_better(indicator) else all_means.min()
        several = len(all_means) > 1 and indicator not in UNRANKED
        is_best = several and places[indicator] == best and np.isfinite(best)
        plain[column] = Entry(row[column].text, bool(is_best))
    return tuple(plain)


def _interval(runs: Sequence[np.ndarray]) -> tuple[float, float, float]:
    """Interquartile mean and interval; NaN where there is a run without a score, or a problem with one run alone."""
    nothing = float("nan")
    if any(np.isnan(values).any() for values in runs):
        return nothing, nothing, nothing
    middle = interquartile_mean(runs)
    if min(len(values) for values in runs) < 2:
        return middle, nothing, nothing
    return middle, *bootstrap_interval(runs, replicates=REPLICATES, confidence=CONFIDENCE)


# --------------------------------------------------------------------------------------------------- words
def _comparable(material: Material, indicator: str) -> tuple[list[str], str]:
    """The problems on which all methods can be compared, or why there are too few."""
    if indicator in UNRANKED:
        return [], f"{indicator} is reported, never ranked on."
    if len(material.names) < 2:
        return [], f"One method alone ({material.names[0]}): there is nothing to compare."
    common = material.common
    if len(common) < 2:
        return [], f"{nowhere_together(material)} A test over problems needs at least two."
    if np.isnan(material.medians(common, indicator)).all():
        return [], f"No method has a score in {indicator} on these problems."
    return common, ""


def _letters(found: CriticalDifference) -> dict[str, str]:
    """Letters by method: those that share one do not differ. A method outside of all groups has one of its own."""
    alone = [(name,) for name in found.names if not any(name in group for group in found.groups)]
    groups = sorted([*found.groups, *alone], key=lambda group: [found.names.index(name) for name in group])
    signs = [string.ascii_lowercase[i] if i < 26 else f"({i + 1})" for i in range(len(groups))]
    return {
        name: "".join(sign for sign, group in zip(signs, groups, strict=True) if name in group) for name in found.names
    }


def _tests_in_words(found: CriticalDifference, medians: np.ndarray, better: bool) -> list[str]:
    chi, f = friedman(medians, better), iman_davenport(medians, better)
    lines = [
        f"Ranks of the medians over seeds on {found.problems} problems, 1 is the best; ties share the mean of their "
        "ranks, and no score ranks worst.",
        f"Friedman's test, corrected for ties: chi-square = {chi.statistic:.4g}, {probability(chi.p_value)}; Iman and "
        f"Davenport's form: F = {f.statistic:.4g}, {probability(f.p_value)}.",
    ]
    if len(found.names) > 2 and found.p_value > found.alpha:
        return [*lines, f"Its chi-square finds no difference at alpha = {found.alpha:g}, so no pair is said to differ."]
    if found.how == HOW:
        way = "Wilcoxon's signed-rank test over problems, adjusted by Holm"
    else:
        way = f"Nemenyi's test, critical difference {found.difference:.3g}"
    lines.append(f"Methods that share a letter do not differ at alpha = {found.alpha:g}: {way}.")
    if found.how == HOW and found.p_values is not None and _cannot_differ(found):
        lines.append(f"With {found.problems} problems no pair can differ by this test: run more problems.")
    return lines


def _cannot_differ(found: CriticalDifference) -> bool:
    """Whether even methods that differ alike on every problem would not pass the test, adjusted for all pairs."""
    pairs = len(found.names) * (len(found.names) - 1) // 2
    return bool(2.0 ** (1 - found.problems) * pairs > found.alpha)


def _intervals_in_words(material: Material, common: Sequence[str]) -> list[str]:
    each = [len(material.rows(problem, name)) for problem in common for name in material.names]
    lines = [
        f"Mean of the middle half of all runs of {len(common)} problems, {counts(each)} seeds of each method on each; "
        f"[{CONFIDENCE:.0%} interval]: runs drawn anew within each problem, {REPLICATES:,} times."
    ]
    lines += directions_of(material, "as a share of the hypervolume of the problem's reference set")
    if min(each) < 2:
        lines.append("No interval where a problem has one seed alone: it would always be drawn again. Run more seeds.")
    return lines
