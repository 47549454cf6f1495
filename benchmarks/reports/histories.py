"""Histories of searches, measured from the reference point of their report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from torch import Tensor

from moo.archive import CAPACITY, Archive
from moo.benchmarks.reports.loading import Searched
from moo.benchmarks.reports.references import references
from moo.directions import turn
from moo.history import History
from moo.result import SearchResult
from moo.statistics import area_under_curve


def measured_alike(results: Sequence[SearchResult]) -> list[SearchResult]:
    """Results of one problem with histories measured from one reference point.

    Where they were not (each run inferred its own), it is the joint one of their report.
    """
    if all(result.record["reference_point"] == results[0].record["reference_point"] for result in results):
        return list(results)
    context = references(results)
    measured = []
    for result in results:
        point = turn(context.reference_point, result.config["directions"]).tolist()
        record = {**result.record, "reference_point": point}
        measured.append(replace(result, history=history_from(result, context.reference_point), record=record))
    return measured


def history_from(search: Searched, reference_point: Tensor, earned: float = 0.0) -> pd.DataFrame:
    """The history of a search from a reference point `[m]`, maximised: its own where it was measured so.

    Args:
        search: Which.
        reference_point: `[m]`.
        earned: Seconds of computing hypervolumes that are allowed from the start; infinite: each row has its own.
    """
    directions = search.config["directions"]
    if search.record["reference_point"] == turn(reference_point, directions).tolist():
        own: pd.DataFrame = search.history
        return own
    additions = search.additions
    rows = replace(additions, objectives=turn(additions.objectives, directions))
    bounds = (search.config.get("archive_capacity") or CAPACITY, search.config.get("archive_bound") or "crowding")
    archive, history = Archive(rows.solutions.shape[1:], len(directions), *bounds), History()
    history.load_state_dict({"rows": search.history.to_numpy(np.float64), "earned": earned, "value": None})
    history.recompute([rows], archive, reference_point)
    history.close(archive.objectives, reference_point)
    frame: pd.DataFrame = history.frame()
    return frame


def area(search: Searched, reference_point: Tensor, earned: float = 0.0) -> float:
    """The mean hypervolume of the front over the budget, in the objectives' units: see `area_under_curve`.

    NaN of an imported search of which only the final front is known.
    """
    if not search.record.get("imported_from", {"anytime": True})["anytime"]:
        return math.nan
    history = history_from(search, reference_point, earned)
    return area_under_curve(
        history["used"], history["hypervolume"], max(search.config["budget"], search.record["used"])
    )
