"""A foreign run as a result in the storage format, so that tables, tests and plots take it for one of our own."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from moo.archive import Archive
from moo.base import Candidates
from moo.benchmarks.foreign.meaning import Meaning
from moo.benchmarks.foreign.rows import Rows
from moo.benchmarks.foreign.runs import Run
from moo.directions import turn
from moo.history import History
from moo.result import SearchResult


def as_result(run: Run, rows: Rows, meaning: Meaning, *, method: str, seed: int, budget: int) -> SearchResult:
    """The result of a foreign run.

    All of its rows are kept, as `finals`; the front is made of them by our archive, so that dominated and infeasible
    rows and duplicates fall out. Rows enter in the order of their evaluations; where these are not known, all at the
    end of the budget.
    """
    everything = _candidates(run, meaning, budget)
    own, point = meaning.reference_point or getattr(meaning.problem, "reference_point", None), None
    if own is not None:
        point = turn(torch.as_tensor(own, dtype=torch.float64), meaning.directions)
    archive, additions, history = _replayed(everything, point, budget)
    parts = {
        "front": archive.front,
        "finals": everything,
        "additions": additions,
        "failures": everything.rows(slice(0)),
        "least_violating": archive.least_violating,
    }
    record = {
        "status": "ok",
        "used": budget,
        "used_apart": 0,
        "ended": "imported",
        "interrupted": False,
        "feasible": len(archive) > 0,
        "front_size": len(archive),
        "hypervolume": history.hypervolume,
        "reevaluated": False,
        "reference_point": None if point is None else turn(point, meaning.directions).tolist(),
        "failures": 0,
        "wall_seconds": math.nan,
        "cpu_seconds": math.nan,
        "imported_from": _origin(run, rows),
    }
    turned: dict[str, Any] = {name: _turned(part, meaning) for name, part in parts.items()}
    return SearchResult(
        **turned,
        history=history.frame(),
        config=_config(meaning, run, method, seed, budget),
        record=record,
        _build=_refuse_to_build,
    )


def _replayed(everything: Candidates, point: Tensor | None, budget: int) -> tuple[Archive, Candidates, History]:
    """The archive, what entered it, and its history, as if the rows had been evaluated here one after the other."""
    archive = Archive(everything.solutions.shape[1:], everything.objectives.shape[1])
    history, additions, start = History(), [everything.rows(slice(0))], 0
    marks, counts = torch.unique_consecutive(everything.extras["used"], return_counts=True)
    for mark, count in zip(marks.tolist(), counts.tolist(), strict=True):
        additions.append(archive.add(everything.rows(slice(start, start + count))))
        history.record(mark, archive.objectives, point, changed=len(additions[-1]) > 0)
        start += count
    if history.used < budget:
        history.record(budget, archive.objectives, point, changed=False)
    history.close(archive.objectives, point)
    return archive, Candidates.cat(additions), history


def _candidates(run: Run, meaning: Meaning, budget: int) -> Candidates:
    """The rows of a run in the order in which they were found, every objective maximised."""
    n = len(run.objectives)
    used = torch.full((n,), budget) if run.evaluations is None else run.evaluations
    extras: dict[str, Any] = {"used": used, "failed": torch.zeros(n, dtype=torch.bool)}
    if run.constraints is not None:
        extras["constraints"] = run.constraints
    solutions = torch.empty(n, 0, dtype=torch.float64) if run.solutions is None else run.solutions
    rows = Candidates.of(solutions, turn(run.objectives, meaning.directions), **extras)
    return rows.rows(torch.argsort(used, stable=True))


def _turned(candidates: Candidates, meaning: Meaning) -> Candidates:
    objectives: Tensor = turn(candidates.objectives, meaning.directions)
    return Candidates(candidates.solutions, objectives, candidates.preferences, candidates.extras)


def _origin(run: Run, rows: Rows) -> dict[str, Any]:
    """Where the rows came from, and what is known of them."""
    return {
        "file": rows.source,
        "sha256": rows.digest,
        "rows": len(rows),
        "values": run.checked,
        "budget": "stated, not counted",
        "anytime": run.evaluations is not None and len(run.evaluations.unique()) > 1,
    }


def _config(meaning: Meaning, run: Run, method: str, seed: int, budget: int) -> dict[str, Any]:
    """What a configuration holds, as far as it means something for a run of another program."""
    problem = meaning.problem
    return {
        "problem": meaning.name,
        "registered": meaning.registered,
        "kind": getattr(problem, "kind", "vector"),
        "unit": getattr(problem, "unit", "evaluations"),
        "objective_names": list(meaning.objective_names),
        "directions": list(meaning.directions),
        "space": None if run.space is None else run.space.to_json(),
        "limits": {},
        "method": method,
        "imported": True,
        "choice": "",
        "options": {},
        "encoding": "",
        "conditional": False,
        "tuner": None,
        "preferences": "auto",
        "reference_point": None if meaning.reference_point is None else list(meaning.reference_point),
        "initial": None,
        "budget": budget,
        "reevaluations": 0,
        "archive_capacity": None,
        "archive_bound": None,
        "seed": seed,
        "device": "",
        "versions": {},
    }


def _refuse_to_build() -> Any:
    raise ValueError("This result was imported: its method is another program's, and cannot be rebuilt.")
