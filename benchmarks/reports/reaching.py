"""The sections `profile` and `targets`: how many runs get how far, and what it costs to get there.

A target is a share of the hypervolume of the problem's reference set.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from moo.benchmarks.reports.histories import history_from
from moo.benchmarks.reports.material import Material
from moo.benchmarks.reports.tables import MISSING, Entry, Table, counts, entries, listed, number
from moo.benchmarks.reports.words import budgets, left_out, nowhere_together
from moo.directions import turn
from moo.indicators.volume import hypervolume
from moo.statistics import expected_running_time, performance_profile, used_to_target

ROUNDING = 1e-9  # a front that is the reference set reaches all of its hypervolume


def profile_table(material: Material) -> list[Table]:
    """The share of runs whose final front has at least so much of the reference hypervolume."""
    name, title = "profile", "Performance profile"
    targets = material.wish.targets
    common = [problem for problem in material.common if material.contexts[problem].hypervolume]
    if not common:
        return [Table(name, title, (), [], pd.DataFrame(), [nowhere_together(material), *_without(material)])]
    limits = np.array(targets) * (1 - ROUNDING)
    profiles = {
        method: performance_profile([_final_shares(material, problem, method) for problem in common], limits)
        for method in material.names
    }
    best = np.max(list(profiles.values()), axis=0)
    marked = len(profiles) > 1
    rows = [
        (
            *entries(method, len(common), sum(len(material.rows(problem, method)) for problem in common)),
            *(Entry(f"{at:.3g}", bool(marked and at == top and at > 0)) for at, top in zip(shares, best, strict=True)),
        )
        for method, shares in profiles.items()
    ]
    data = [(method, len(common), *pair) for method in profiles for pair in zip(targets, profiles[method], strict=True)]
    frame = pd.DataFrame(data, columns=["method", "problems", "target", "share"])
    each = [len(material.rows(problem, method)) for problem in common for method in material.names]
    notes = [
        f"Share of the runs whose final front has at least so much of the hypervolume of the problem's reference set: "
        f"{counts(each)} seeds of each method on each of {len(common)} problems; every problem weighs alike, equal "
        "shares share the mark.",
        *_without(material),
        *budgets(material),
        *left_out(material, material.common),
    ]
    return [Table(name, title, ("method", "problems", "runs", *_headings(targets)), rows, frame, notes)]


def targets_table(material: Material) -> list[Table]:
    """Expected running time to each target, by problem and method."""
    targets = material.wish.targets
    header = ("problem", "method", "budget", "seeds", *_headings(targets))
    rows, groups, data = [], [], []
    reachable = [problem for problem in material.problems if material.contexts[problem].hypervolume]
    for problem in reachable:
        names = [name for name in material.names if len(material.rows(problem, name))]
        reached = {name: _costs(material, problem, name) for name in names}
        spent = {name: [search.record["used"] for search in material.searches(problem, name)] for name in names}
        times = {name: [expected_running_time(column, spent[name]) for column in reached[name].T] for name in names}
        quickest = np.min(list(times.values()), axis=0)
        for name in names:
            said = material.rows(problem, name).iloc[0]
            about = (problem, said["method"], int(said["budget"]), len(spent[name]))
            hits = np.isfinite(reached[name]).sum(axis=0)
            cells = []
            for target, time, best, count in zip(targets, times[name], quickest, hits, strict=True):
                text = number(time) if math.isfinite(time) else MISSING
                mark = len(names) > 1 and time == best and math.isfinite(time)
                cells.append(Entry(f"{text} ({count}/{len(spent[name])})", bool(mark)))
                data.append((*about, target, int(count), time))
            rows.append((*entries(*about), *cells))
            groups.append(problem)
    columns = ["problem", "method", "budget", "runs", "target", "reached", "expected_running_time"]
    table = Table("targets", "Expected running time", header, rows, pd.DataFrame(data, columns=columns), [], groups)
    table.notes.extend([*_targets_in_words(material), *_without(material)])
    return [table]


def _costs(material: Material, problem: str, name: str) -> NDArray[np.float64]:
    """What each run of a method had used when it reached each target, `[runs, targets]`."""
    context = material.contexts[problem]
    goals = np.array(material.wish.targets) * context.hypervolume * (1 - ROUNDING)
    histories = [history_from(search, context.reference_point) for search in material.searches(problem, name)]
    costs: NDArray[np.float64] = np.array(
        [used_to_target(history["used"], history["hypervolume"], goals) for history in histories]
    )
    return costs


def _final_shares(material: Material, problem: str, name: str) -> NDArray[np.float64]:
    """The hypervolume of the front of each run of a method, as a share of the reference set's."""
    if "hypervolume" in material.wish.indicators:
        known: NDArray[np.float64] = material.shared(problem, name, "hypervolume")
        return known
    context = material.contexts[problem]
    fronts = [turn(search.objectives, search.config["directions"]) for search in material.searches(problem, name)]
    volumes = [float(hypervolume(front, context.reference_point, warn=False)) for front in fronts]
    shares: NDArray[np.float64] = np.array(volumes) / context.hypervolume
    return shares


def _headings(targets: tuple[float, ...]) -> list[str]:
    return [f"{100 * target:.6g} %" for target in targets]


def _targets_in_words(material: Material) -> list[str]:
    units = dict.fromkeys(str(group[0].config.get("unit", "evaluations")) for group in material.groups.values())
    lines = [
        f"Expected {' or '.join(units)} until the front of a search has so much of the hypervolume of the problem's "
        "reference set: all that the runs used up to there, or to their end, by the number of runs that got there "
        "(in brackets, of all). Equal times share the mark.",
        "From the stored histories, which have one row per step: a target counts as reached at the end of its step.",
    ]
    if any(search.record.get("reevaluated") for group in material.groups.values() for search in group):
        lines.append("On noisy problems a history holds observed values, which are luckier than the reported fronts.")
    return lines


def _without(material: Material) -> list[str]:
    """Problems whose reference set has no hypervolume to take a share of."""
    without = [problem for problem in material.problems if not material.contexts[problem].hypervolume]
    return [f"No target on {listed(without)}: nothing there is better than the reference point."] if without else []
